//! Recording: proposals that the default branch holds become bases, minutes and cursors move, one commit.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::model::{Key, Side, Stretch};
use agent_sync_core::plan::{self, Existence, Pair, Step};
use jiff::tz::TimeZone;

use super::RunError;
use super::book::{Book, Cursor, Decision, Record, Seen, stretch_name, stretch_of};
use super::execute::Executed;
use super::file::LocalFile;
use super::history::{self, HeldFile, Published};
use super::links;
use super::observe::{World, local_contents, minute};
use super::resolve::record;
use super::work::{Action, Task};
use crate::backend::Backend;
use crate::repo::Tree;
use crate::repo::Vcs;

/// What recording needs.
pub(super) struct Pen<'a> {
    /// The repository.
    pub git: &'a dyn Vcs,
    /// The working tree.
    pub tree: &'a Tree,
    /// The backend.
    pub backend: &'a dyn Backend,
    /// The state.
    pub book: &'a mut Book,
    /// What was observed.
    pub world: &'a World,
    /// The default branch.
    pub published: &'a Published,
    /// This run's id.
    pub run: &'a str,
    /// Whether every artifact was looked at (no selection), so that cursors may move.
    pub whole: bool,
    /// Artifacts (`kind/id`) whose file is a version that the default branch is not to get.
    pub declined: BTreeSet<String>,
}

/// Takes proposals over that the default branch holds, for these artifacts (rule 15). Gives the versions read.
///
/// # Errors
/// What git says.
pub(super) async fn adopt(
    git: &dyn Vcs,
    tree: &Tree,
    book: &mut Book,
    world: &World,
    published: &Published,
    backend: &dyn Backend,
    keys: &BTreeSet<Key>,
) -> Result<BTreeMap<Key, Vec<Option<HeldFile>>>, RunError> {
    let day = backend.now().map(|now| now.to_zoned(TimeZone::UTC).date());
    let held = match published {
        Published::WorkingTree => {
            keys.iter().map(|key| (key.clone(), vec![in_tree(tree, world, key)])).collect()
        }
        Published::Branch { .. } => history::held(git, published, &world.kinds, keys).await?,
    };
    for (key, versions) in &held {
        let Some(kind) = world.kinds.get(&key.kind) else { continue };
        let read = world
            .artifacts
            .get(key)
            .and_then(|artifact| Some((artifact.path.as_deref()?, artifact.file.as_ref()?)));
        // The name of the file may be its title.
        let known = |held: &HeldFile| {
            read.filter(|(path, file)| *path == held.path && file.text == held.text)
        };
        let contents: Vec<BTreeMap<Stretch, _>> = versions
            .iter()
            .flatten()
            .map(|held| match known(held) {
                Some((_, file)) => local_contents(world, kind, &held.path, file),
                None => {
                    let file = LocalFile::new(kind, key, &held.path, held.text.clone());
                    local_contents(world, kind, &held.path, &file)
                }
            })
            .collect();
        let Some(record) = book.records.get_mut(&(backend.name().to_owned(), key.clone())) else {
            continue;
        };
        let (mut moved, mut open) = (Vec::new(), BTreeSet::new());
        for stretch in stretches(record) {
            let name = stretch_name(&stretch);
            let mut base = record.bases.get(&name).cloned();
            let mut proposed = record.proposed.remove(&name).unwrap_or_default();
            let versions: Vec<_> =
                contents.iter().map(|contents| contents.get(&stretch).cloned().flatten()).collect();
            if plan::adopt(&mut base, &mut proposed, &versions) {
                moved.push(stretch.clone());
                open.extend(base.iter().flat_map(|base| base.open.iter().cloned()));
                if let Some(base) = base {
                    record.rebase(&name, base, day);
                }
            }
            if !proposed.is_empty() {
                record.proposed.insert(name, proposed);
            }
        }
        // The base moved past what these decisions were about (rule 17).
        let still = |decision: &Decision| {
            let other = |name: &String| name != backend.name();
            open.contains(&decision.fingerprint)
                || decision.yields.is_some() && !open.is_empty()
                || decision.backend.as_ref().is_some_and(other)
        };
        book.meta.decisions.retain(|decision| {
            decision.key != *key || !moved.contains(&decision.stretch) || still(decision)
        });
    }
    Ok(held)
}

/// The file of an artifact as this run read it or wrote it.
fn in_tree(tree: &Tree, world: &World, key: &Key) -> Option<HeldFile> {
    let made = world.made.get(key);
    let path = made.or_else(|| Some(&world.scan.files.get(key)?.path))?;
    let read = world.artifacts.get(key).filter(|_| made.is_none());
    let text = match read.and_then(|artifact| artifact.file.as_ref()) {
        Some(file) => file.text.clone(),
        None => tree.read(path).ok()?,
    };
    Some(HeldFile { path: path.clone(), text })
}

fn stretches(record: &Record) -> Vec<Stretch> {
    record.proposed.keys().map(|name| stretch_of(name)).collect()
}

/// Brings the records up to date with what was observed and done.
///
/// # Errors
/// What git or the state says.
pub(super) async fn finish(
    pen: &mut Pen<'_>,
    tasks: &BTreeMap<Key, Task>,
    executed: &Executed,
) -> Result<(), RunError> {
    let name = pen.backend.name().to_owned();
    for artifact in pen.world.artifacts.values().filter(|artifact| !artifact.blocked) {
        if let Some(file) = &artifact.file {
            pen.book.keep_as(file.id(), &file.text);
        }
        if let Some((body, text)) = artifact.body.as_ref().and_then(|b| Some((b, b.text.as_ref()?)))
        {
            pen.book.keep_as(&body.id, text);
        }
        let slot = (name.clone(), artifact.key.clone());
        let task = tasks.get(&artifact.key);
        let outcome = executed.outcomes.get(&artifact.key);
        let remote_done = outcome.map_or(Action::None, |outcome| outcome.remote);
        // The intents of earlier runs were judged by this observation. A task that was to go on from them and did
        // not get to it needs them again.
        let unsent = executed.stop.is_some() && remote_done == Action::None;
        let later = task.is_some_and(|task| task.waiting || unsent && task.writes_remote());
        if !later && !executed.open.contains(&artifact.key) {
            pen.book.settle_intents(&name, &artifact.key);
        }
        let page = artifact.page.as_ref();
        if artifact.existence == Existence::Both && !pen.book.records.contains_key(&slot) {
            let Some(page) = page else { continue };
            let record =
                Record::new(&name, &artifact.key, &page.page, &page.url, pen.backend.dialect());
            pen.book.records.insert(slot.clone(), record);
        }
        let Some(record) = pen.book.records.get_mut(&slot) else { continue };
        if let Some(page) = page
            && remote_done == Action::None
            && record.page != page.page
        {
            record.page.clone_from(&page.page);
            record.url.clone_from(&page.url);
        }
        let read = artifact.body.as_ref().and_then(|body| Some((body, body.began?)));
        if let (Some(page), Some((body, began)), Action::None) = (page, read, remote_done) {
            let began = minute(began);
            record.seen = Seen {
                edited: Some(page.edited),
                read: Some(began),
                wrote: None,
                text: Some(body.id.clone()),
                digest: Some(body.digest.clone()),
            };
        }
        if let Some(path) =
            outcome.and_then(|outcome| outcome.path.clone()).or_else(|| artifact.path.clone())
            && (artifact.file_digest.is_some()
                || outcome.is_some_and(|outcome| outcome.path.is_some()))
        {
            record.path = Some(path);
        }
        for (stretch, step) in &artifact.steps {
            let Some(seen) = artifact.stretches.get(stretch) else { continue };
            let now = Pair::new(seen.local.clone(), seen.remote.clone());
            let agreed = task.is_some_and(|task| task.agree.contains(stretch));
            let merged = task.is_some_and(|task| task.merge.is_some()) && *stretch == Stretch::Body;
            if merged {
                let made = executed.pairs.get(&artifact.key).map(|made| &made.pair);
                let known = |pair: &Pair| {
                    seen.base.as_ref().is_some_and(|base| base.same(pair))
                        || record.proposals(stretch).iter().any(|old| old.same(pair))
                };
                if let Some(made) = made.filter(|pair| agreed && !known(pair)) {
                    record.propose(stretch, made.clone());
                }
            } else if agreed {
                record.propose(stretch, now);
            } else if *step == Step::Nothing
                && seen.base.as_ref().is_some_and(|base| base.same(&now))
            {
                // Both sides are back at the base: what was proposed since is void (rule 15).
                record.proposed.remove(&stretch_name(stretch));
            } else if *step == Step::Nothing && record.proposals(stretch).is_empty() {
                // Proved by the traces of a run that did not end (rule 16).
                if let Some(pair) = seen.proposed.iter().find(|pair| pair.same(&now)) {
                    record.propose(stretch, pair.clone());
                }
            }
        }
    }
    for task in tasks.values() {
        for (conflict, keep) in &task.decisions {
            record(pen.book, Decision::new(conflict, *keep, &name, pen.run, None));
        }
    }
    withdraw(pen, tasks, executed, &name);
    publish(pen, executed, &name).await?;
    cursors(pen, tasks, executed, &name);
    Ok(())
}

/// What this run brought to a file that is declined as it is now is not on its way to the default branch (rule 15).
fn withdraw(pen: &mut Pen<'_>, tasks: &BTreeMap<Key, Task>, executed: &Executed, name: &str) {
    for (key, task) in tasks.iter().filter(|(key, _)| pen.declined.contains(&key.to_string())) {
        let done = executed.outcomes.get(key).map_or(Action::None, |outcome| outcome.local);
        let Some(record) = pen.book.records.get_mut(&(name.to_owned(), key.clone())) else {
            continue;
        };
        let pulled = |stretch: &Stretch| {
            task.pull.contains_key(stretch) || *stretch == Stretch::Body && task.merge.is_some()
        };
        match done {
            Action::None => {}
            Action::Create => record.withdraw(0, |_| true),
            _ => record.withdraw(0, pulled),
        }
    }
}

/// Moves bases, marks artifacts that are wholly agreed, and forgets those that are gone.
async fn publish(pen: &mut Pen<'_>, executed: &Executed, name: &str) -> Result<(), RunError> {
    let keys: BTreeSet<Key> = pen
        .world
        .artifacts
        .keys()
        .filter(|key| {
            pen.book.record(name, key).is_some_and(|record| !record.proposed.is_empty())
                || gone(pen.world, executed, key)
        })
        .cloned()
        .collect();
    let held =
        adopt(pen.git, pen.tree, pen.book, pen.world, pen.published, pen.backend, &keys).await?;
    for (key, artifact) in &pen.world.artifacts {
        let slot = (name.to_owned(), key.clone());
        if gone(pen.world, executed, key) {
            let published = held.get(key).and_then(|versions| versions.first());
            let absent = match pen.published {
                Published::WorkingTree => true,
                Published::Branch { head: None, .. } => true,
                Published::Branch { .. } => published.is_none_or(Option::is_none),
            };
            if absent {
                pen.book.records.remove(&slot);
                pen.book.meta.decisions.retain(|decision| {
                    decision.key != *key || decision.backend.as_ref().is_some_and(|of| of != name)
                });
            }
            continue;
        }
        let outcome = executed.outcomes.get(key);
        let file = outcome.and_then(|outcome| outcome.file.as_ref()).or(artifact.file.as_ref());
        let (Some(record), Some(kind)) =
            (pen.book.records.get_mut(&slot), pen.world.kinds.get(&key.kind))
        else {
            continue;
        };
        record.pushed_by.retain(|stretch, _| record.proposed.contains_key(stretch));
        let Some(file) = file else {
            record.clean = None;
            continue;
        };
        let path = record.path.clone().unwrap_or_default();
        let contents = local_contents(pen.world, kind, &path, file);
        let links = pen.world.links(&path);
        let agreed = !artifact.blocked
            && record.proposed.is_empty()
            && file.document.findings.is_empty()
            && links::findings(key, &path, file, &links).is_empty()
            && artifact.local_only.is_empty()
            && contents.iter().all(|(stretch, content)| {
                let base = record.base(stretch).cloned().unwrap_or_default();
                base.holds(Side::Local, content.as_ref())
            })
            && contents.keys().all(|stretch| artifact.stretches.contains_key(stretch));
        record.clean = agreed.then(|| file.id().to_owned());
        record.links = if agreed { links::led(file, &links) } else { Vec::new() };
    }
    Ok(())
}

/// Whether the artifact is on neither side any more.
fn gone(world: &World, executed: &Executed, key: &Key) -> bool {
    let Some(artifact) = world.artifacts.get(key) else { return false };
    let outcome = executed.outcomes.get(key);
    artifact.existence == Existence::Gone
        || outcome.is_some_and(|outcome| {
            outcome.remote == Action::Delete || outcome.local == Action::Delete
        })
}

/// A cursor moves only when all that was listed was taken up (rule 6); what is open keeps it where it is.
fn cursors(pen: &mut Pen<'_>, tasks: &BTreeMap<Key, Task>, executed: &Executed, name: &str) {
    if !pen.whole {
        return;
    }
    for (kind, listed) in &pen.world.listed {
        let open = pen.world.artifacts.values().any(|artifact| {
            let task = tasks.get(&artifact.key);
            let outcome = executed.outcomes.get(&artifact.key);
            artifact.key.kind == *kind
                && (artifact.blocked
                    || task.is_some_and(|task| task.waiting || !task.conflicts.is_empty())
                    || outcome.is_some_and(|outcome| !outcome.stale.is_empty()))
        });
        let loose = pen.world.findings.iter().any(|finding| finding.url.is_some());
        if open || loose || executed.stop.is_some() {
            continue;
        }
        let records = pen.book.records.values();
        let known =
            records.filter(|record| record.backend == name && record.key.kind == *kind).count();
        let cursors = &mut pen.book.backend(name).cursors;
        let old = cursors.get(kind).cloned();
        let (whole, count) = match (listed.whole, &old) {
            (true, _) => (listed.began, listed.count.max(known)),
            (false, Some(old)) => (old.whole, old.count),
            (false, None) => continue,
        };
        // The listing of a small database is made on every run and is no news.
        let whole = match &old {
            Some(old) if count <= 100 && old.count == count => old.whole,
            _ => whole,
        };
        cursors.insert(kind.clone(), Cursor { since: listed.began, whole, count });
    }
}
