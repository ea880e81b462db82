//! Execution of the tasks: first the backend, in batches with intents (rules 1 and 16), then the files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_sync_core::model::{Finding, Key, Severity, Stretch};
use agent_sync_core::plan::Step;

use super::book::Book;
use super::file::LocalFile;
use super::merge::{BodyMerge, MadePair, Writes};
use super::observe::{Artifact, World};
use super::work::{Action, Task};
use super::{Progress, RunError};
use crate::backend::{Backend, BackendError};
use crate::repo::Tree;
use files::local;
use send::remote;

mod body;
mod files;
mod prepare;
mod send;

pub(super) use body::write;

/// Writes between two commits of the state (rule 16).
const BATCH: usize = 50;

/// What came of an artifact's task.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// What was done with the page.
    pub remote: Action,
    /// What was done with the file.
    pub local: Action,
    /// Stretches that changed under our hands: left for the next run.
    pub stale: BTreeSet<Stretch>,
    /// The file as it is now, where it was written.
    pub file: Option<Arc<LocalFile>>,
    /// Path of the file, where it was made.
    pub path: Option<String>,
}

/// The whole of it.
#[derive(Default)]
pub(super) struct Executed {
    /// By artifact.
    pub outcomes: BTreeMap<Key, Outcome>,
    /// Trouble of single artifacts.
    pub findings: Vec<Finding>,
    /// Artifacts with a write of which it is not certain yet what it did, or which needs another one.
    pub open: BTreeSet<Key>,
    /// Pairs of merged bodies that nothing was sent of.
    pub pairs: BTreeMap<Key, MadePair>,
    /// Why the run stopped early.
    pub stop: Option<BackendError>,
}

/// What execution needs.
pub(super) struct Hands<'a> {
    /// The working tree.
    pub tree: &'a Tree,
    /// The backend.
    pub backend: &'a dyn Backend,
    /// The state.
    pub book: &'a mut Book,
    /// What was observed.
    pub world: &'a mut World,
    /// This run's id.
    pub run: &'a str,
    /// This working tree; see [`crate::repo::Vcs::work_tree_id`].
    pub work_tree: Option<&'a str>,
    /// Id of our own user.
    pub bot: String,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// Executes the tasks.
///
/// # Errors
/// What the state says; trouble with the backend or with a file ends in the answer.
pub(super) async fn execute(
    hands: &mut Hands<'_>,
    tasks: &BTreeMap<Key, Task>,
) -> Result<Executed, RunError> {
    let mut executed = Executed::default();
    remote(hands, tasks, &mut executed).await?;
    local(hands, tasks, &mut executed).await?;
    agree(hands, tasks, &mut executed).await?;
    Ok(executed)
}

/// Writes to the files of a draft what the backend would bring to them.
///
/// # Errors
/// As [`execute`].
pub(super) async fn foresee(
    hands: &mut Hands<'_>,
    tasks: &BTreeMap<Key, Task>,
) -> Result<Executed, RunError> {
    let mut executed = Executed::default();
    local(hands, tasks, &mut executed).await?;
    Ok(executed)
}

/// Merged bodies of which nothing has to be written: what both sides hold alike is agreed.
async fn agree(
    hands: &mut Hands<'_>,
    tasks: &BTreeMap<Key, Task>,
    executed: &mut Executed,
) -> Result<(), RunError> {
    let dialect = hands.backend.dialect();
    for (key, task) in tasks.iter().filter(|(_, task)| task.agree.contains(&Stretch::Body)) {
        let (Some(choices), Some(artifact)) = (&task.merge, hands.world.artifacts.get(key)) else {
            continue;
        };
        let (Some(kind), Some(Step::Merge(plan))) =
            (hands.world.kinds.get(&key.kind), artifact.steps.get(&Stretch::Body))
        else {
            continue;
        };
        let links = hands.world.links(artifact.path.as_deref().unwrap_or_default());
        let Some(merge) = BodyMerge::load(hands.book, kind, artifact, &links, &plan.base).await?
        else {
            continue;
        };
        let merge = merge.with_choices(choices);
        let made = merge
            .run(dialect, Writes { push: false, pull: false })
            .and_then(|merged| merge.pair(dialect, &merged, kind, &merge.local, &merge.remote));
        if let Some(made) = made {
            made.texts.iter().for_each(|text| drop(hands.book.keep(text)));
            executed.pairs.insert(key.clone(), made);
        }
    }
    Ok(())
}

fn trouble(key: &Key, artifact: Option<&Artifact>, message: String) -> Finding {
    Finding {
        rule: "not-written".to_owned(),
        severity: Severity::Error,
        key: Some(key.clone()),
        path: artifact.and_then(|artifact| artifact.path.clone()),
        line: artifact.and_then(|artifact| artifact.path.as_ref()).map(|_| 1),
        url: artifact.and_then(|artifact| artifact.page.as_ref()).map(|page| page.url.clone()),
        message: format!("{key} could not be written: {message}"),
        fix: "Change what the message names; everything else was synced.".to_owned(),
        about: None,
    }
}
