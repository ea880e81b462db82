//! What a job of GitHub Actions is for: the event says what to run, and what was found is told where people are.

use std::path::PathBuf;
use std::sync::Arc;

use agent_sync_core::model::Side;
use tempfile::TempDir;

use crate::config::{Config, PLACES};
use crate::engine::{self, Command, Progress, Request, RunError};
use crate::github::event::PullRequest;
use crate::github::{Client, Event, GithubError, Told};
use crate::repo::clone_at;
use crate::report::github::{Answer, Scene};
use crate::report::{FailOn, Report};

mod check;
mod decide;
mod head;
mod issue;
mod janitor;
mod keep;
mod publish;
mod suggest;

/// What the caller wants of the surface.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// Whether pull requests get comments.
    pub comment: bool,
    /// What makes the janitor of a scheduled job fail.
    pub janitor: FailOn,
}

/// A run and where it was told.
#[derive(Debug)]
pub struct Done {
    /// What there is to say.
    pub report: Report,
    /// Address of the comment on the pull request, or of the issue.
    pub comment_url: Option<String>,
    /// Address of the pull request that brings changes to the default branch.
    pub pull_request_url: Option<String>,
    /// Where the report is shown.
    pub scene: Scene,
}

impl Done {
    /// A report that was told nowhere.
    pub fn plain(report: Report, scene: Scene) -> Self {
        Self { report, comment_url: None, pull_request_url: None, scene }
    }
}

/// A job: what its parts need.
struct Job<'a> {
    request: Request,
    client: Arc<Client>,
    surface: Surface,
    progress: &'a dyn Progress,
    /// Our login as comments show it, once it is known.
    viewer: Option<String>,
    /// The commit whose configuration the request has.
    configured: Option<String>,
    scene: Scene,
    /// Files of a pull request that were brought here; gone with the job.
    folder: Option<TempDir>,
}

/// Runs what the event asks for (`auto`), or the command of the request, and tells what was found.
pub async fn run(
    mut request: Request,
    auto: bool,
    surface: Surface,
    scene: Scene,
    progress: &dyn Progress,
) -> Done {
    let told = match Told::of(&request.env) {
        Ok(told) => told,
        Err(error) if auto => {
            let report = Report::failed("auto", RunError::Usage(error.to_string()));
            return Done::plain(report, scene);
        }
        Err(_) => None,
    };
    let event = told.as_ref().map_or(Event::Other, |told| told.event.clone());
    let default_branch = match &event {
        Event::Push { .. } => {
            configuration(&request).and_then(|config| config.repository.default_branch)
        }
        _ => None,
    };
    let default_branch = default_branch.or_else(|| told.and_then(|told| told.default_branch));
    request.default_branch = default_branch.clone();
    if auto {
        request.command = command(&event, default_branch.as_deref());
        // It settles conflicts of a sync; a check that was forced would hide them.
        request.force = request.force.filter(|_| request.command == Command::Sync);
    }
    let Some(client) = request.github.clone() else {
        return Done::plain(engine::run(&request, progress).await, scene);
    };
    let (viewer, configured, folder) = (None, None, None);
    let mut job = Job { request, client, surface, progress, viewer, configured, scene, folder };
    let scheduled = auto && event == Event::Schedule;
    let done = match (&event, &job.request.command) {
        (Event::PullRequest(pull), Command::Check) => check::pull_request(&mut job, pull).await,
        (Event::MergeGroup(group), Command::Check) => check::merge_group(&mut job, group).await,
        (Event::PullRequestTarget(pull), _) => target(&mut job, pull).await,
        (Event::Comment(comment), _) if auto => decide::comment(&mut job, comment).await,
        (Event::Issue(issue), _) if auto => decide::issue(&mut job, issue).await,
        (event, command) if publishes(command) => {
            let here = on_default_branch(event, default_branch.as_deref());
            let (report, url) = publish::run(&job).await;
            let syncs = matches!(job.request.command, Command::Sync | Command::Pull);
            let mut done = match here && syncs {
                true => issue::after(&mut job, report).await,
                false => Done::plain(report, job.scene.clone()),
            };
            done.pull_request_url = url;
            done
        }
        (event, Command::Push | Command::Check)
            if on_default_branch(event, default_branch.as_deref()) =>
        {
            let report = engine::run(&job.request, progress).await;
            issue::after(&mut job, report).await
        }
        (event, Command::Janitor { .. }) if on_default_branch(event, default_branch.as_deref()) => {
            let mut report = engine::run(&job.request, progress).await;
            janitor::publish(&mut job, &mut report).await;
            Done::plain(report, job.scene.clone())
        }
        _ => Done::plain(engine::run(&job.request, progress).await, job.scene.clone()),
    };
    match scheduled {
        true => janitor::after(&mut job, done).await,
        false => done,
    }
}

/// The configuration of a request, as far as it can be read: the run itself says what is wrong with it. The default
/// branch that the checkout's names counts for the run as well, so whoever pushes another name to a branch gains nothing
/// by it here.
fn configuration(request: &Request) -> Option<Config> {
    let env = |name: &str| request.env.get(name).cloned();
    if let Some((file, text)) = &request.config_text {
        return Config::parse(file.clone(), text, &env).ok();
    }
    let root = clone_at(&request.directory).unwrap_or_else(|| request.directory.clone());
    Config::load(&root, request.config.as_deref(), &env).ok()
}

/// Whether a command changes files that the default branch is to get.
fn publishes(command: &Command) -> bool {
    matches!(
        command,
        Command::Sync
            | Command::Pull
            | Command::Janitor { fix: true }
            | Command::Restore { side: Side::Local, .. }
    )
}

/// Whether a job stands on the default branch: a scheduled one does, others say what they were started on.
fn on_default_branch(event: &Event, default_branch: Option<&str>) -> bool {
    match event {
        Event::Push { branch } => branch.is_some() && branch.as_deref() == default_branch,
        Event::Schedule | Event::Dispatch => true,
        _ => false,
    }
}

/// What an event asks for.
fn command(event: &Event, default_branch: Option<&str>) -> Command {
    match event {
        Event::PullRequest(_)
        | Event::PullRequestTarget(_)
        | Event::MergeGroup(_)
        | Event::Comment(_)
        | Event::Issue(_) => Command::Check,
        event if on_default_branch(event, default_branch) => Command::Sync,
        _ => Command::Status,
    }
}

/// With the rights of the base a checkout of the head is an open door; ours are not opened, but other steps' would
/// be, so the job has to be written otherwise.
async fn target(job: &mut Job<'_>, pull: &PullRequest) -> Done {
    let head = crate::repo::checked_out_commit(&job.request.directory);
    if head.as_deref() != Some(pull.base.as_str()) {
        let error = RunError::Usage(
            "This job runs on pull_request_target, with secrets, and has not the base checked out. Use \
             `pull_request`, or leave `ref:` out of the checkout."
                .to_owned(),
        );
        return Done::plain(Report::failed("check", error), job.scene.clone());
    }
    match head::materialise(job, pull.number).await {
        Ok(head) => check::on(job, &head).await,
        Err(error) => Done::plain(Report::failed("check", error), job.scene.clone()),
    }
}

impl Job<'_> {
    /// Whether everything was looked at: otherwise what was not seen would be told as settled.
    fn is_whole(&self) -> bool {
        self.request.artifacts.is_empty() && self.request.kinds.is_empty()
    }

    /// From here on what is shown is a pull request, the same in every job that looks at it; or what a queue merges.
    fn on_head(&mut self, subject: &check::Subject) {
        if subject.number.is_some() {
            self.scene.answer = Answer::Comment;
        }
        self.scene.files = Some(format!("{}/blob/{}/", self.client.web_url(), subject.head));
    }

    /// Takes the configuration from a commit, and learns who we are. False: the commit has none.
    async fn configure(&mut self, commit: &str) -> Result<bool, RunError> {
        if self.configured.as_deref() == Some(commit) {
            return Ok(true);
        }
        let named = self.request.config.as_ref().map(|path| path.to_string_lossy().into_owned());
        let paths: Vec<&str> = match &named {
            Some(path) => vec![path.as_str()],
            None => PLACES.to_vec(),
        };
        let (viewer, found) = self.client.first_file(commit, &paths).await?;
        self.viewer = Some(viewer);
        let Some((n, text)) = found else { return Ok(false) };
        let path = paths.get(n).copied().unwrap_or_default();
        self.request.config_text = Some((PathBuf::from(path), text));
        self.configured = Some(commit.to_owned());
        Ok(true)
    }

    /// Learns who we are, where that is not known yet.
    async fn learn(&mut self) -> Result<(), GithubError> {
        if self.viewer.is_none() {
            self.viewer = Some(self.client.first_file("HEAD", &[]).await?.0);
        }
        Ok(())
    }

    /// Whether a text's author is us: whoever else writes our marks has not written our texts.
    fn is_ours(&self, author: Option<&crate::github::talk::User>) -> bool {
        let plain = |login: &str| login.trim_end_matches("[bot]").to_ascii_lowercase();
        match (&self.viewer, author) {
            (Some(viewer), Some(author)) => plain(viewer) == plain(&author.login),
            _ => false,
        }
    }
}

/// Adds what could not be told to a report: the run counts as refused, unless it has worse to say.
fn failed(report: &mut Report, error: impl Into<RunError>) {
    let error = error.into();
    if report.stopped.is_none() && report.conflicts.is_empty() {
        report.stopped = Some(error);
    } else {
        report.notices.push(error.to_string());
    }
    report.settle();
}
