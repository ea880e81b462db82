//! A pull request: what merging it would do, told in its one comment and its status.
//!
//! Requests to GitHub: 1 for the configuration and our login, those of a check (the refs 2, the state 2, up to 1 for
//! history), 1 for the comments, 1 for the status: at most 8 where nothing is in conflict, and no write where nothing
//! changed since the last check. Where something was in conflict, those for suggestions beside.

use super::keep::{Place, Wish, is_marked, keep};
use super::{Done, Job, failed, suggest};
use crate::engine::{self, RunError};
use crate::github::GithubError;
use crate::github::event::{MergeGroup, PullRequest};
use crate::github::talk::{Comment, Status};
use crate::report::Report;
use crate::report::github::{self as texts, Sticky};

/// Name of the commit status.
pub(super) const STATUS: &str = "agent-sync/conflicts";
/// Key of the mark of the comment.
const KEY: &str = "conflicts";

/// A pull request, or what a merge queue is about to merge, whose files are checked out or were brought here.
pub(super) struct Subject {
    /// Its number; none for a queue, where there is nothing to comment on.
    pub(super) number: Option<u64>,
    /// The commit that gets the status.
    pub(super) head: String,
    /// The commit that has the configuration.
    pub(super) base: String,
    /// Whether its branch is in another repository.
    pub(super) fork: bool,
}

/// A check in the pull request's own job, whose token may be one that only reads.
pub(super) async fn pull_request(job: &mut Job<'_>, pull: &PullRequest) -> Done {
    let subject = Subject {
        number: Some(pull.number),
        head: pull.head.clone(),
        base: pull.base.clone(),
        fork: pull.fork,
    };
    on(job, &subject).await
}

/// A check of what a merge queue is about to merge: a status that is required there has to come from there. The pull
/// requests have their comments already.
pub(super) async fn merge_group(job: &mut Job<'_>, group: &MergeGroup) -> Done {
    let (head, base) = (group.head.clone(), group.base.clone());
    // What is in the queue is in a branch of this repository.
    on(job, &Subject { number: None, head, base, fork: false }).await
}

/// Checks what is in the request's folder and tells it on the pull request.
pub(super) async fn on(job: &mut Job<'_>, subject: &Subject) -> Done {
    job.on_head(subject);
    match job.configure(&subject.base).await {
        Ok(true) => {}
        Ok(false) => return introducing(job),
        Err(error) => return Done::plain(Report::failed("check", error), job.scene.clone()),
    }
    if subject.fork && !job.request.env.contains_key("NOTION_TOKEN") {
        let mut report = engine::offline(&job.request);
        report.notices.push(
            "This pull request comes from a fork, so there are no secrets: only what needs neither Notion nor the \
             state was checked. The sync after the merge checks the rest."
                .to_owned(),
        );
        return Done::plain(report, job.scene.clone());
    }
    let report = engine::run(&job.request, job.progress).await;
    tell(job, subject, report).await
}

/// The pull request that brings agent-sync has no configuration at its base: its own is read, and nothing is asked.
fn introducing(job: &Job<'_>) -> Done {
    let mut report = engine::offline(&job.request);
    if report.stopped.is_none() {
        report.notices.push(
            "Not initialised: the base branch has no configuration yet. After the merge `agent-sync init` would \
             create the databases, and `agent-sync sync` a page for each file."
                .to_owned(),
        );
    }
    Done::plain(report, job.scene.clone())
}

/// Brings comment and status to what the report says.
pub(super) async fn tell(job: &mut Job<'_>, subject: &Subject, mut report: Report) -> Done {
    let scene = job.scene.clone();
    let mut comment_url = None;
    // A run that could not look has nothing to say about conflicts.
    let looked = report.stopped.as_ref().is_none_or(|stop| matches!(stop, RunError::Guarded(_)));
    if looked && !subject.fork && job.is_whole() {
        if let Some(number) = subject.number {
            match comments(job, number, subject, &report).await {
                Ok(url) => comment_url = url,
                Err((url, error)) => {
                    comment_url = url;
                    failed(&mut report, error);
                }
            }
        }
        if let Err(error) = status(job, &subject.head, None, &report).await {
            failed(&mut report, error);
        }
    }
    report.github = Some(job.client.requests());
    Done { report, comment_url, pull_request_url: None, scene }
}

/// The comment and the suggestions; the comment's address also where only the suggestions failed.
async fn comments(
    job: &mut Job<'_>,
    number: u64,
    subject: &Subject,
    report: &Report,
) -> Result<Option<String>, (Option<String>, GithubError)> {
    let url = sticky(job, number, report).await.map_err(|error| (None, error))?;
    // Where there is no comment there never was a conflict.
    if url.is_some() {
        let told = suggest::tell(job, number, &subject.head, report).await;
        told.map_err(|error| (url.clone(), error))?;
    }
    Ok(url)
}

/// The one comment, where there is something to decide or was.
async fn sticky(
    job: &mut Job<'_>,
    number: u64,
    report: &Report,
) -> Result<Option<String>, GithubError> {
    if !job.surface.comment {
        return Ok(None);
    }
    let decided: Vec<texts::Decided> = report.decided.iter().map(Into::into).collect();
    let body = texts::comment(Sticky { report, scene: &job.scene, key: KEY, decided: &decided });
    let wish = match report.conflicts.is_empty() && decided.is_empty() {
        true => Wish::Amend(body),
        false => Wish::Say(body),
    };
    keep(job, Place::Comment(number), KEY, wish).await
}

/// Whether a comment is our one comment.
pub(super) fn is_sticky(job: &Job<'_>, comment: &Comment) -> bool {
    job.is_ours(comment.user.as_ref()) && is_marked(comment.body.as_deref(), KEY)
}

/// Sets the status of a commit, where it is another. `shown` is the one that it has, where that is known.
pub(super) async fn status(
    job: &Job<'_>,
    commit: &str,
    shown: Option<Option<Status>>,
    report: &Report,
) -> Result<(), GithubError> {
    let wanted = wanted(job, report);
    let shown = match shown {
        Some(shown) => shown,
        None => job.client.status(commit, STATUS).await?,
    };
    // Each run has another address; for that alone nothing is written.
    let same = shown.is_some_and(|shown| {
        (&shown.state, &shown.description) == (&wanted.state, &wanted.description)
    });
    match same {
        true => Ok(()),
        false => job.client.set_status(commit, &wanted).await,
    }
}

fn wanted(job: &Job<'_>, report: &Report) -> Status {
    let state = match (&report.stopped, report.conflicts.is_empty()) {
        (None, true) => "success",
        _ => "failure",
    };
    Status {
        context: STATUS.to_owned(),
        state: state.to_owned(),
        description: Some(texts::status(report, report.decided.len())),
        target_url: job.scene.run.clone(),
    }
}
