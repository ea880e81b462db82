//! How what came from the backend reaches the default branch: by a pull request that is kept up to date, or by a
//! commit on the branch itself.
//!
//! Requests to GitHub: none while nothing is to be brought and no pull request is open. For an open one that is as it
//! should be 3 (it, its branch, its status). At most 11 to bring it up to date: it or its like, its branch, the
//! comparison, the default branch's commit and files, three for the commit, the text, two for the status.
//!
//! The branch only ever moves forward, and is never deleted, so that nothing that a person pushes there can be lost,
//! whenever it comes.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::json;

use self::branch::{Brought, Commit};
use self::wanted::{Wanted, brought, left, listed};
use super::{Job, check, failed};
use crate::config::Publish;
use crate::engine::{self, Artifacts, Declined, Open, Order, Outgoing, Publisher, RunError};
use crate::github::talk::Pull;
use crate::github::{Client, GithubError};
use crate::report::Report;
use crate::report::github as texts;
use crate::report::github::Scene;

mod branch;
mod wanted;

/// The branch of the pull request.
const BRANCH: &str = "agent-sync/notion";
/// Its ref.
const BRANCH_REF: &str = "refs/heads/agent-sync/notion";
/// Artifacts that a notice names.
const NAMED: usize = 20;

/// Runs the request's command and publishes what it changed. With the page of the pull request.
pub(super) async fn run(job: &Job<'_>) -> (Report, Option<String>) {
    let desk = Desk { job, url: Mutex::default() };
    let report = engine::run_and_publish(&job.request, job.progress, Some(&desk)).await;
    let url = desk.url.into_inner().unwrap_or_else(PoisonError::into_inner);
    (report, url)
}

struct Desk<'a> {
    job: &'a Job<'a>,
    /// Page of the pull request.
    url: Mutex<Option<String>>,
}

#[async_trait(?Send)]
impl Publisher for Desk<'_> {
    async fn publish(&self, order: Order<'_>, report: &mut Report, state: &mut Outgoing) -> bool {
        let done = match brought(&order, report) {
            Ok(made) if made.artifacts.is_empty() && state.open.is_none() => {
                if order.whole {
                    state.declined.clear();
                }
                Ok(true)
            }
            Ok(made) => match order.how {
                Publish::PullRequest => {
                    self.by_pull_request(&order, made, report, state).await.map(|()| false)
                }
                Publish::Push => self.by_push(&order, made, report, state).await,
                Publish::None => Ok(false),
            },
            Err(error) => Err(error),
        };
        done.unwrap_or_else(|error| {
            failed(report, error);
            false
        })
    }
}

impl Desk<'_> {
    fn client(&self) -> &Client {
        &self.job.client
    }

    async fn by_pull_request(
        &self,
        order: &Order<'_>,
        made: Wanted,
        report: &mut Report,
        state: &mut Outgoing,
    ) -> Result<(), RunError> {
        let mut pull = match &state.open {
            Some(open) => self.known(order, open.number, state).await?,
            None => None,
        };
        let Wanted { mut artifacts, texts } = made;
        let (kept, restored) = wanted::kept(order, &artifacts, state.open.as_ref());
        artifacts.extend(kept.clone());
        wanted::forget(order, &artifacts, &restored, state);
        let mut wanted = left(&artifacts, &state.declined);
        let mut at = None;
        if pull.is_none() && !wanted.is_empty() {
            let there = self.client().reference(BRANCH_REF).await?;
            if there.is_some() {
                pull = self.client().find_pull(BRANCH, order.branch).await?;
            }
            if let Some(pull) = &pull {
                // Whoever reopened it has changed their mind.
                state.declined.retain(|_, declined| declined.number != pull.number);
                wanted = left(&artifacts, &state.declined);
            }
            at = Some(there);
        }
        withheld(order, &artifacts, state, report);
        let settled = state.open.as_ref().filter(|open| {
            open.onto == order.head && open.artifacts == wanted && open.restored == restored
        });
        let settled = settled.map(|open| open.commit.clone());
        let mut commit = Commit::new(order, self.client(), &texts);
        if settled.is_none() {
            commit.drop_known(&mut wanted).await?;
        }
        if wanted.is_empty() {
            return self.close(order, pull, report, state).await;
        }
        let listed = listed(report, &wanted, &kept);
        let at = match at {
            Some(at) => at,
            None => self.client().reference(BRANCH_REF).await?,
        };
        let (head, new) = match commit.bring(&wanted, &listed, at, settled.as_deref()).await? {
            Brought::At(head) => (head, false),
            Brought::New(head) => (head, true),
            Brought::Theirs(head) => {
                return self.halt(&head, pull, report).await;
            }
        };
        let scene = Scene {
            files: Some(format!("{}/blob/{BRANCH}/", self.client().web_url())),
            ..self.job.scene.clone()
        };
        let (title, body) = texts::pull_request(&listed, &scene);
        let pull = match pull {
            Some(pull) => pull,
            None => match self.open(order, &title, &body).await? {
                Some(pull) => pull,
                None => return Ok(()),
            },
        };
        self.show(&pull);
        state.open = Some(Open {
            number: pull.number,
            commit: head.clone(),
            onto: order.head.to_owned(),
            restored: restored.into_iter().filter(|key| wanted.contains_key(key)).collect(),
            artifacts: wanted,
        });
        if pull.title != title || !texts::same(pull.body.as_deref().unwrap_or_default(), &body) {
            let change = json!({"title": title, "body": body});
            self.client().update_pull(pull.number, change).await?;
        }
        // Pull requests of the workflow's token start no workflow that would set it.
        match new {
            true => check::first_status(self.job, &head, report).await?,
            false => check::status(self.job, &head, report).await?,
        }
        Ok(())
    }

    /// The pull request that the state knows, where it is still open. A closed one is forgotten; what it brought is
    /// declined, where a person closed it without merging.
    async fn known(
        &self,
        order: &Order<'_>,
        number: u64,
        state: &mut Outgoing,
    ) -> Result<Option<Pull>, RunError> {
        let pull = match self.client().pull(number).await {
            Ok(pull) if pull.state == "open" => return Ok(Some(pull)),
            Ok(pull) => Some(pull),
            Err(error) if error.is_missing() => None,
            Err(error) => return Err(error.into()),
        };
        let open = state.open.take().unwrap_or_default();
        let Some(pull) = pull else { return Ok(None) };
        if pull.merged == Some(true) || pull.merged_at.is_some() {
            let branch = format!("refs/heads/{}", order.branch);
            if self.client().reference(&branch).await?.as_deref() != Some(order.head) {
                return Err(superseded(order));
            }
        } else if !texts::same(pull.body.as_deref().unwrap_or_default(), &texts::nothing_left()) {
            for (key, files) in open.artifacts {
                state.declined.insert(key, Declined { number, files });
            }
        }
        Ok(None)
    }

    /// Opens the pull request; `None` where the default branch has got everything meanwhile.
    async fn open(
        &self,
        order: &Order<'_>,
        title: &str,
        body: &str,
    ) -> Result<Option<Pull>, RunError> {
        let mut again = true;
        loop {
            let error = match self.client().create_pull(BRANCH, order.branch, title, body).await {
                Ok(pull) => return Ok(Some(pull)),
                Err(error) => error,
            };
            let said = error.to_string().to_lowercase();
            if said.contains("not permitted to create or approve pull requests") {
                return Err(RunError::Refused(format!(
                    "GitHub does not let Actions open pull requests here, so what came from the backend waits on the \
                     branch `{BRANCH}`. Tick \"Allow GitHub Actions to create and approve pull requests\" in the \
                     repository's (or first the organisation's) Settings → Actions → General → Workflow permissions, \
                     or open it yourself, or set `publish: push`."
                )));
            }
            if said.contains("no commits between") {
                return Ok(None);
            }
            let unclear = matches!(error, GithubError::Unavailable { .. });
            if !unclear && !said.contains("already exists") {
                return Err(error.into());
            }
            // It may have been made before the answer was lost.
            match self.client().find_pull(BRANCH, order.branch).await? {
                Some(pull) => return Ok(Some(pull)),
                None if unclear && again => again = false,
                None => return Err(error.into()),
            }
        }
    }

    /// Nothing is left to bring.
    async fn close(
        &self,
        order: &Order<'_>,
        pull: Option<Pull>,
        report: &mut Report,
        state: &mut Outgoing,
    ) -> Result<(), RunError> {
        let Some(pull) = pull else { return Ok(()) };
        let at = self.client().reference(BRANCH_REF).await?;
        let known = state.open.as_ref().map(|open| open.commit.as_str());
        if let Some(at) = at.filter(|at| known != Some(at))
            && !branch::is_ours(&self.client().compare(order.head, &at).await?)
        {
            return self.halt(&at, Some(pull), report).await;
        }
        let change = json!({"state": "closed", "body": texts::nothing_left()});
        self.client().update_pull(pull.number, change).await?;
        state.open = None;
        report.notices.push(format!(
            "Nothing is left to take over, so pull request #{} was closed.",
            pull.number
        ));
        Ok(())
    }

    /// Somebody else's commits are on the branch: it stays as it is, and that is said.
    async fn halt(
        &self,
        head: &str,
        pull: Option<Pull>,
        report: &mut Report,
    ) -> Result<(), RunError> {
        let what = match &pull {
            Some(pull) => format!("Merge or close pull request #{}", pull.number),
            None => "Delete the branch".to_owned(),
        };
        report.notices.push(format!(
            "Somebody else's commits are on the branch `{BRANCH}`, so it was not updated: what came from the backend \
             since is not in it. {what}, or take these commits off the branch, and the next run goes on."
        ));
        let Some(pull) = pull else { return Ok(()) };
        self.show(&pull);
        if let Some(body) = texts::halted(pull.body.as_deref().unwrap_or_default()) {
            self.client().update_pull(pull.number, json!({"body": body})).await?;
        }
        Ok(check::status(self.job, head, report).await?)
    }

    async fn by_push(
        &self,
        order: &Order<'_>,
        made: Wanted,
        report: &mut Report,
        state: &mut Outgoing,
    ) -> Result<bool, RunError> {
        let Wanted { artifacts, texts } = made;
        let own = match order.restored {
            true => artifacts.keys().cloned().collect(),
            false => Default::default(),
        };
        wanted::forget(order, &artifacts, &own, state);
        let mut wanted = left(&artifacts, &state.declined);
        let all = wanted.len() == artifacts.len();
        withheld(order, &artifacts, state, report);
        let mut commit = Commit::new(order, self.client(), &texts);
        commit.drop_known(&mut wanted).await?;
        if wanted.is_empty() {
            return Ok(all);
        }
        let listed = listed(report, &wanted, &Artifacts::new());
        let new = commit.make(&wanted, &listed, &[order.head]).await?;
        let branch = format!("refs/heads/{}", order.branch);
        match branch::advance(self.client(), &branch, Some(order.head), &new).await {
            Ok(true) => {
                report.notices.push(format!("Pushed {new} to `{}`.", order.branch));
                Ok(all)
            }
            Ok(false) => Err(superseded(order)),
            Err(error) => Err(protected(order, error)),
        }
    }

    fn show(&self, pull: &Pull) {
        let mut url = self.url.lock().unwrap_or_else(PoisonError::into_inner);
        *url = Some(pull.html_url.clone()).filter(|url| !url.is_empty());
    }
}

/// The default branch moved: whatever this run knows of it is old.
fn superseded(order: &Order<'_>) -> RunError {
    RunError::Superseded(format!(
        "The branch `{}` moved during the run, so what came from the backend was not brought to it. A newer run will \
         do it.",
        order.branch
    ))
}

/// Why a push to the default branch was refused.
fn protected(order: &Order<'_>, error: GithubError) -> RunError {
    let message = match &error {
        // Without the permission nothing is said of a protection.
        GithubError::Permission { message, .. }
            if !message.to_lowercase().contains("resource not accessible") =>
        {
            message
        }
        GithubError::Rejected { message, .. } => message,
        _ => return error.into(),
    };
    RunError::Refused(format!(
        "The protection of the branch `{}` does not let this token push what came from the backend: {message}. Let it \
         bypass the rule (with the token of a GitHub App in `github-token`), or set `publish: pull-request`.",
        order.branch
    ))
}

/// Names what is not proposed because a person said no.
fn withheld(order: &Order<'_>, artifacts: &Artifacts, state: &Outgoing, report: &mut Report) {
    let out: Vec<String> = (state.declined.iter())
        .filter(|(key, declined)| artifacts.get(*key) == Some(&declined.files))
        .map(|(key, declined)| format!("{key} (#{})", declined.number))
        .collect();
    if out.is_empty() {
        return;
    }
    let more = match out.len().checked_sub(NAMED) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    report.notices.push(format!(
        "Left out of `{}` because their pull request was closed without merging: {}{more}. They are proposed again \
         once they change.",
        order.branch,
        out.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ")
    ));
}
