//! What is on its way to the default branch: what the state knows of it, and the place in a run where it is brought
//! there. How is the publisher's business.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::book::Book;
use super::lease::Gate;
use super::work::Action;
use super::{Command, RunError, Session, partial};
use crate::backend::WriteGate as _;
use crate::config::Publish;
use crate::repo::Tree;
use crate::report::Report;
use crate::state::StateError;

/// Files of one artifact by path: the name of the blob as Git gives it, or `None` where the file goes.
pub type Files = BTreeMap<String, Option<String>>;

/// Artifacts as `kind/id`, with their files.
pub type Artifacts = BTreeMap<String, Files>;

/// The pull request that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Its number.
    pub number: u64,
    /// Head of its branch as it was left.
    pub commit: String,
    /// Head of the default branch that its files were compared with.
    pub onto: String,
    /// The versions that it brings.
    pub artifacts: Artifacts,
    /// Those that `restore` made: no later run finds them in the backend again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub restored: BTreeSet<String>,
}

/// A version that a person does not want on the default branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declined {
    /// The pull request that was closed.
    pub number: u64,
    /// Exactly what it would have brought.
    pub files: Files,
}

/// The part of the state about what is on its way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The pull request that is open, as far as the last run knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// By artifact (`kind/id`), what is not proposed again until it is another version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub declined: BTreeMap<String, Declined>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is to be published.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// How.
    pub how: Publish,
    /// Name of the default branch.
    pub branch: &'a str,
    /// Its head at the start of the run.
    pub head: &'a str,
    /// The files as the run left them.
    pub tree: &'a Tree,
    /// The run.
    pub run: &'a str,
    /// Whether the report names all that is to be brought; else it says nothing of the rest.
    pub whole: bool,
    /// Whether the report is about what `restore` made.
    pub restored: bool,
}

/// Brings to the default branch what a run changed in the working tree.
#[async_trait(?Send)]
pub trait Publisher {
    /// Called once, at the end of a run that did what it was asked, while it still has the lease. What fails is told
    /// in the report; `state` is what is stored afterwards, whatever happened. True if the default branch holds all
    /// that the run brought.
    async fn publish(&self, order: Order<'_>, report: &mut Report, state: &mut Outgoing) -> bool;
}

/// How this run publishes what it changes in the files; `None` where it does not.
pub(super) async fn how(session: &Session<'_>, leased: bool) -> Result<Option<Publish>, RunError> {
    let request = session.request;
    let asked = matches!(
        request.command,
        Command::Restore { .. } | Command::Janitor { fix: true } | Command::Sync | Command::Pull
    );
    let how = request.publish.unwrap_or(session.config.publish);
    let can = asked && leased && session.publisher.is_some() && session.refs.default_head.is_some();
    let does = can && how != Publish::None && on_default_branch(session).await?;
    Ok(does.then_some(how))
}

/// Publishes, where that is asked, and records it: whether the default branch holds all that the run brought. No write
/// of the state where nothing about it changed, else three. `whole` is false where a backend took no part.
pub(super) async fn publish(
    session: &Session<'_>,
    how: Option<Publish>,
    gate: Option<&Arc<Gate>>,
    book: &mut Book,
    report: &mut Report,
    whole: bool,
) -> Result<bool, RunError> {
    let request = session.request;
    let restored = matches!(request.command, Command::Restore { .. });
    let repaired = matches!(request.command, Command::Janitor { .. });
    let (Some(how), Some(publisher), Some(gate), Some(head)) =
        (how, session.publisher, gate, &session.refs.default_head)
    else {
        return Ok(false);
    };
    if report.stopped.is_some() {
        return Ok(false);
    }
    if let Err(why) = gate.may_write() {
        if report.artifacts.iter().any(|one| one.sides.local != Action::None) {
            report.stopped = Some(RunError::Unavailable(format!(
                "What the backend changed was not brought to `{}`: {why}. The next run does it.",
                session.branch
            )));
        }
        return Ok(false);
    }
    let order = Order {
        how,
        branch: &session.branch,
        head: head.as_str(),
        tree: &session.tree,
        run: &session.run,
        // A second attempt finds files as the first one left them, and does not report them again.
        whole: whole
            && session.first
            && !restored
            && !repaired
            && request.artifacts.is_empty()
            && request.kinds.is_empty(),
        restored,
    };
    let mut state = book.meta.outgoing.clone();
    let holds = publisher.publish(order, report, &mut state).await;
    record(session, book, &state).await?;
    Ok(holds)
}

/// Whether the default branch is checked out.
async fn on_default_branch(session: &Session<'_>) -> Result<bool, RunError> {
    Ok(match session.git.branch().await? {
        Some(branch) => branch == session.branch,
        None => session.git.head().await? == session.refs.default_head,
    })
}

async fn record(session: &Session<'_>, book: &mut Book, state: &Outgoing) -> Result<(), RunError> {
    let message = partial("what is on its way to the default branch", &session.run);
    for _ in 0..3 {
        if book.meta.outgoing == *state {
            return Ok(());
        }
        book.meta.outgoing.clone_from(state);
        match book.commit(&session.run, &message).await {
            // What others wrote meanwhile is about other things.
            Err(StateError::Moved) => {
                session.store.reload().await?;
                *book = Book::load(session.store.clone()).await?;
            }
            done => return Ok(done.map(drop)?),
        }
    }
    Err(RunError::Moved)
}
