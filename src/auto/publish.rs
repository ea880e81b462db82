//! How what came from the backend reaches the default branch: by a pull request that is kept up to date, or by a
//! commit on the branch itself.
//!
//! Requests to GitHub: none while nothing is to be brought and no pull request is open. For an open one that is as it
//! should be 1 (it, its branch, its status). At most 8 to bring it up to date: these, the comparison, the default
//! branch's files, three for the commit, the text, the status.
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
use crate::github::graph::{Proposal, Question, Standing};
use crate::github::talk::{Pull, Status};
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
        let mut there = match &state.open {
            Some(open) => Some(self.standing(order, Some(open.number)).await?),
            None => None,
        };
        let mut pull = match &there {
            Some(there) => known(order, there, state)?,
            None => None,
        };
        let Wanted { mut artifacts, texts } = made;
        let (kept, restored) = wanted::kept(order, &artifacts, state.open.as_ref());
        artifacts.extend(kept.clone());
        wanted::forget(order, &artifacts, &restored, state);
        let mut wanted = left(&artifacts, &state.declined);
        if there.is_none() && !wanted.is_empty() {
            there = Some(self.standing(order, None).await?);
        }
        let (at, status, base) = match there {
            Some(there) => {
                if pull.is_none() && !wanted.is_empty() {
                    pull = there.open;
                }
                (there.branch, there.status, there.tree)
            }
            None => (None, None, None),
        };
        if let Some(pull) = &pull {
            // Whoever reopened it has changed their mind.
            state.declined.retain(|_, declined| declined.number != pull.number);
            wanted = left(&artifacts, &state.declined);
        }
        withheld(order, &artifacts, state, report);
        let settled = state.open.as_ref().filter(|open| {
            open.onto == order.head && open.artifacts == wanted && open.restored == restored
        });
        let settled = settled.map(|open| open.commit.clone());
        let mut commit = Commit::new(order, self.client(), &texts, base);
        if settled.is_none() {
            commit.drop_known(&mut wanted).await?;
        }
        if wanted.is_empty() {
            return self.close(order, pull, at.as_deref(), report, state).await;
        }
        let listed = listed(report, &wanted, &kept);
        let brought = commit.bring(&wanted, &listed, at.clone(), settled.as_deref()).await?;
        // Of another commit than the one that was asked about no status is known; of a new one there is none.
        let shown = |head: &str| (at.as_deref() == Some(head)).then(|| status.clone());
        let (head, shown) = match brought {
            Brought::At(head) => (head.clone(), shown(&head)),
            Brought::New(head) => (head, Some(None)),
            Brought::Theirs(head) => {
                return self.halt(&head, shown(&head), pull, report).await;
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
        if pull.title != title || !texts::same(&pull.body, &body) {
            let change = json!({"title": title, "body": body});
            self.client().update_pull(pull.number, change).await?;
        }
        // Pull requests of the workflow's token start no workflow that would set it.
        Ok(check::status(self.job, &head, shown, report).await?)
    }

    async fn standing(
        &self,
        order: &Order<'_>,
        number: Option<u64>,
    ) -> Result<Standing, GithubError> {
        let question = Question {
            branch: BRANCH,
            base: order.branch,
            onto: order.head,
            number,
            status: check::STATUS,
        };
        self.client().standing(question).await
    }

    /// Opens the pull request; `None` where the default branch has got everything meanwhile.
    async fn open(
        &self,
        order: &Order<'_>,
        title: &str,
        body: &str,
    ) -> Result<Option<Proposal>, RunError> {
        let mut again = true;
        loop {
            let error = match self.client().create_pull(BRANCH, order.branch, title, body).await {
                Ok(pull) => return Ok(Some(proposal(pull))),
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
                Some(pull) => return Ok(Some(proposal(pull))),
                None if unclear && again => again = false,
                None => return Err(error.into()),
            }
        }
    }

    /// Nothing is left to bring.
    async fn close(
        &self,
        order: &Order<'_>,
        pull: Option<Proposal>,
        at: Option<&str>,
        report: &mut Report,
        state: &mut Outgoing,
    ) -> Result<(), RunError> {
        let Some(pull) = pull else { return Ok(()) };
        let known = state.open.as_ref().map(|open| open.commit.as_str());
        if let Some(at) = at.filter(|at| known != Some(at))
            && !branch::is_ours(&self.client().compare(order.head, at).await?)
        {
            return self.halt(at, None, Some(pull), report).await;
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
        shown: Option<Option<Status>>,
        pull: Option<Proposal>,
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
        if let Some(body) = texts::halted(&pull.body) {
            self.client().update_pull(pull.number, json!({"body": body})).await?;
        }
        Ok(check::status(self.job, head, shown, report).await?)
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
        let mut commit = Commit::new(order, self.client(), &texts, None);
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

    fn show(&self, pull: &Proposal) {
        let mut url = self.url.lock().unwrap_or_else(PoisonError::into_inner);
        *url = Some(pull.url.clone()).filter(|url| !url.is_empty());
    }
}

/// The pull request that the state knows, where it is still open. A closed one is forgotten; what it brought is
/// declined, where a person closed it without merging.
fn known(
    order: &Order<'_>,
    there: &Standing,
    state: &mut Outgoing,
) -> Result<Option<Proposal>, RunError> {
    let pull = there.known.as_ref();
    if let Some(pull) = pull.filter(|pull| pull.state == "OPEN") {
        return Ok(Some(pull.clone()));
    }
    let open = state.open.take().unwrap_or_default();
    let Some(pull) = pull else { return Ok(None) };
    if pull.state == "MERGED" {
        if there.base.as_deref() != Some(order.head) {
            return Err(superseded(order));
        }
    } else if !texts::same(&pull.body, &texts::nothing_left()) {
        let number = pull.number;
        for (key, files) in open.artifacts {
            state.declined.insert(key, Declined { number, files });
        }
    }
    Ok(None)
}

fn proposal(pull: Pull) -> Proposal {
    Proposal {
        number: pull.number,
        state: pull.state.to_ascii_uppercase(),
        title: pull.title,
        body: pull.body.unwrap_or_default(),
        url: pull.html_url,
        is_cross_repository: false,
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
