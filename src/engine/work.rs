//! From decisions about stretches to work on artifacts: direction of the command, force, decisions, guards.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::model::{Key, Side, Stretch};
use agent_sync_core::plan::{self, Conflict, Damage, Existence, Merge, Pair, Step};

use super::book::{Decision, Keep};
use super::joint::gives_way;
use super::observe::{Artifact, World};

/// Which ways a command lets changes go, and who wins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode {
    /// The backend's changes go to files.
    pub pull: bool,
    /// The files' changes go to the backend.
    pub push: bool,
    /// The side that wins conflicts.
    pub force: Option<Side>,
}

/// What is done on a side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    #[default]
    None,
    /// Make the page or the file.
    Create,
    /// Change it.
    Edit,
    /// Take the page out of the trash, then change it.
    Revive,
    /// Trash the page or delete the file.
    Delete,
}

/// Work on one artifact.
#[derive(Clone, Debug, Default)]
pub(super) struct Task {
    /// On the page.
    pub remote: Action,
    /// On the file.
    pub local: Action,
    /// Stretches whose content goes to the backend, with the pair that both sides come from.
    pub push: BTreeMap<Stretch, Option<Pair>>,
    /// Stretches whose content goes to the file.
    pub pull: BTreeMap<Stretch, Option<Pair>>,
    /// Stretches found equal, or taken as they are by a decision: proposed, nothing is written.
    pub agree: BTreeSet<Stretch>,
    /// Stretches whose losing text was chosen by force or a decision.
    pub settled: BTreeSet<Stretch>,
    /// Decisions that `--force` makes.
    pub decisions: Vec<(Conflict, Keep)>,
    /// Conflicts that somebody has answered.
    pub answered: Vec<(Conflict, Decision)>,
    /// The body is merged by blocks, with what was chosen about those that clash, by fingerprint.
    pub merge: Option<BTreeMap<String, Keep>>,
    /// What a person has to choose.
    pub conflicts: Vec<Conflict>,
    /// Those of them that are settled once the file holds what another backend does, by fingerprint: that of its
    /// conflict.
    pub yields: BTreeMap<String, String>,
    /// The other direction has something to do.
    pub waiting: bool,
}

impl Task {
    /// Whether the task writes to the backend.
    pub(super) fn writes_remote(&self) -> bool {
        self.remote != Action::None
    }
}

fn deleted(side: Side, artifact: &Artifact) -> Conflict {
    plan::deletion(&artifact.key, &artifact.stretches, side)
}

fn of_versions<'d>(conflict: &Conflict, decisions: &'d [Decision]) -> Option<&'d Decision> {
    decisions.iter().find(|decision| decision.fingerprint == conflict.fingerprint)
}

/// What was decided about a conflict; nothing where another backend's content stays and is not in the file yet.
fn answer<'d>(conflict: &Conflict, decisions: &'d [Decision]) -> Option<&'d Decision> {
    let exact = of_versions(conflict, decisions).filter(|decision| decision.yields.is_none());
    exact.or_else(|| decisions.iter().find(|decision| gives_way(decision, conflict)))
}

fn choice(conflict: &Conflict, mode: Mode, decisions: &[Decision]) -> Option<(Keep, bool)> {
    let decided = answer(conflict, decisions).map(|decision| (decision.keep, false));
    let forced = mode.force.map(|side| match side {
        Side::Local => (Keep::Local, true),
        Side::Remote => (Keep::Remote, true),
    });
    // Force is the newer word.
    forced.or(decided)
}

/// The work on one artifact; `None` if there is none.
pub(super) fn task(artifact: &Artifact, mode: Mode, decisions: &[Decision]) -> Option<Task> {
    let mut task = Task::default();
    if artifact.blocked {
        return None;
    }
    match artifact.existence {
        Existence::Both => both(artifact, mode, decisions, &mut task),
        Existence::CreateRemote => one(mode.push, &mut task, |task| task.remote = Action::Create),
        Existence::CreateLocal => one(mode.pull, &mut task, |task| task.local = Action::Create),
        Existence::TrashRemote => one(mode.push, &mut task, |task| task.remote = Action::Delete),
        Existence::DeleteLocal => one(mode.pull, &mut task, |task| task.local = Action::Delete),
        Existence::DeletedAgainstEdit(side) => clash(artifact, side, mode, decisions, &mut task),
        Existence::Gone | Existence::LeftAlone => return None,
    }
    Some(task)
}

fn one(allowed: bool, task: &mut Task, act: impl FnOnce(&mut Task)) {
    match allowed {
        true => act(task),
        false => task.waiting = true,
    }
}

fn both(artifact: &Artifact, mode: Mode, decisions: &[Decision], task: &mut Task) {
    for (stretch, step) in &artifact.steps {
        match step {
            Step::Nothing => {}
            Step::Agree => {
                task.agree.insert(stretch.clone());
            }
            Step::Push(base) => one(mode.push, task, |task| {
                task.push.insert(stretch.clone(), base.clone());
            }),
            Step::Pull(base) => one(mode.pull, task, |task| {
                task.pull.insert(stretch.clone(), base.clone());
            }),
            Step::Join { base, value } => {
                let Some(seen) = artifact.stretches.get(stretch) else { continue };
                if *value != seen.remote {
                    one(mode.push, task, |task| {
                        task.push.insert(stretch.clone(), Some(base.clone()));
                    });
                }
                if *value != seen.local {
                    one(mode.pull, task, |task| {
                        task.pull.insert(stretch.clone(), Some(base.clone()));
                    });
                }
            }
            Step::Merge(merge) => merged(merge, mode, decisions, task),
            Step::Conflict(conflict) => {
                let Some(keep) = choose(conflict, mode, decisions, task) else { continue };
                match keep {
                    Keep::Local => one(mode.push, task, |task| {
                        task.push.insert(stretch.clone(), None);
                        task.settled.insert(stretch.clone());
                    }),
                    Keep::Remote => one(mode.pull, task, |task| {
                        task.pull.insert(stretch.clone(), None);
                        task.settled.insert(stretch.clone());
                    }),
                    Keep::Both => {
                        task.agree.insert(stretch.clone());
                    }
                    Keep::Skip => {}
                }
            }
        }
    }
    if !task.push.is_empty() {
        task.remote = Action::Edit;
    }
    if !task.pull.is_empty() {
        task.local = Action::Edit;
    }
}

/// The answer to a conflict; without one it is open.
fn choose(
    conflict: &Conflict,
    mode: Mode,
    decisions: &[Decision],
    task: &mut Task,
) -> Option<Keep> {
    let Some((keep, forced)) = choice(conflict, mode, decisions) else {
        let of = of_versions(conflict, decisions).and_then(|decision| decision.yields.as_ref());
        let of = of.map(|yields| (conflict.fingerprint.clone(), yields.to.clone()));
        task.yields.extend(of);
        task.conflicts.push(conflict.clone());
        return None;
    };
    if forced {
        task.decisions.push((conflict.clone(), keep));
    } else if let Some(decision) = answer(conflict, decisions).filter(|one| one.yields.is_none()) {
        task.answered.push((conflict.clone(), decision.clone()));
    }
    Some(keep)
}

fn merged(merge: &Merge, mode: Mode, decisions: &[Decision], task: &mut Task) {
    let mut choices = BTreeMap::new();
    for conflict in &merge.clashes {
        if let Some(keep) = choose(conflict, mode, decisions, task) {
            choices.insert(conflict.fingerprint.clone(), keep);
        }
    }
    let any = |keep: Keep| choices.values().any(|choice| *choice == keep);
    let (push, pull) = (merge.push || any(Keep::Local), merge.pull || any(Keep::Remote));
    if any(Keep::Local) || any(Keep::Remote) {
        task.settled.insert(Stretch::Body);
    }
    let base = Some(merge.base.clone());
    if push {
        one(mode.push, task, |task| drop(task.push.insert(Stretch::Body, base.clone())));
    }
    if pull {
        one(mode.pull, task, |task| drop(task.pull.insert(Stretch::Body, base)));
    }
    if !push && !pull {
        task.agree.insert(Stretch::Body);
    }
    task.merge = Some(choices);
}

fn clash(artifact: &Artifact, side: Side, mode: Mode, decisions: &[Decision], task: &mut Task) {
    let conflict = deleted(side, artifact);
    let Some(keep) = choose(&conflict, mode, decisions, task) else { return };
    task.settled.insert(Stretch::Body);
    match (keep, side) {
        (Keep::Local, Side::Local) => one(mode.push, task, |task| task.remote = Action::Delete),
        (Keep::Remote, Side::Local) => one(mode.pull, task, |task| task.local = Action::Create),
        (Keep::Remote, Side::Remote) => one(mode.pull, task, |task| task.local = Action::Delete),
        (Keep::Local, Side::Remote) => one(mode.push, task, |task| task.remote = Action::Revive),
        (Keep::Both | Keep::Skip, _) => {}
    }
}

/// What the tasks would destroy (rule 9). `halved` names artifacts whose body loses more than half of its
/// blocks by a one-sided change.
pub(super) fn damage(
    world: &World,
    tasks: &BTreeMap<Key, Task>,
    records: &BTreeMap<String, usize>,
    halved: &BTreeSet<Key>,
) -> Damage {
    let mut damage = Damage { existing: records.clone(), ..Damage::default() };
    for (key, task) in tasks {
        if task.remote == Action::Delete || task.local == Action::Delete {
            *damage.deletes.entry(key.kind.clone()).or_default() += 1;
        } else if !task.settled.is_empty() || halved.contains(key) {
            damage.overwrites.insert(key.clone());
        }
    }
    for key in world.artifacts.keys() {
        damage.existing.entry(key.kind.clone()).or_default();
    }
    damage
}
