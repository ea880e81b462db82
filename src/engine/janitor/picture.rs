//! What was observed as the picture that the rules look at.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::document;
use agent_sync_core::kind::Kind;
use agent_sync_core::markdown;
use agent_sync_core::model::{Key, Properties, Stretch};
use agent_sync_core::plan::{Content, RemotePresence, Step};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use regex::Regex;

use crate::engine::book::{Keep, Record};
use crate::engine::file::LocalFile;
use crate::engine::observe::{Artifact, World, synced_properties};
use crate::engine::work::{self, Mode};
use crate::engine::{RunError, Turn};
use crate::janitor::{Answer, Graph, Node, Side};

/// The picture of one observation. Texts of pages that have no file come from the state where it has them.
///
/// # Errors
/// What the state says.
pub(super) async fn graph(turn: &Turn<'_>, world: &World) -> Result<Graph, RunError> {
    let all = &turn.session.config.kinds;
    let patterns: BTreeSet<&str> = all.values().map(|kind| kind.id_pattern.as_str()).collect();
    let ids: Vec<Regex> = patterns.into_iter().filter_map(|id| Regex::new(id).ok()).collect();
    let mut nodes = BTreeMap::new();
    for (key, artifact) in &world.artifacts {
        let Some(kind) = world.kinds.get(&key.kind) else { continue };
        // Of a file that could not be read nothing is known.
        if artifact.file.is_none() && world.scan.has(key) || artifact.stretches.is_empty() {
            continue;
        }
        let node = node(turn, world, kind, artifact, &ids).await?;
        if node.local.is_some() || node.remote.is_some() {
            nodes.insert(key.clone(), node);
        }
    }
    Ok(Graph {
        kinds: world.kinds.clone(),
        nodes,
        known: known(turn, world),
        observed: world.findings.clone(),
        answers: answers(turn, world),
        now: turn.backend.now(),
        label: turn.label.to_owned(),
    })
}

async fn node(
    turn: &Turn<'_>,
    world: &World,
    kind: &Kind,
    artifact: &Artifact,
    ids: &[Regex],
) -> Result<Node, RunError> {
    let mut node = Node::new(&artifact.key);
    let record = turn.book.record(turn.backend.name(), &artifact.key);
    let page = artifact.page.as_ref();
    node.path.clone_from(&artifact.path);
    node.url =
        page.map(|page| page.url.clone()).or_else(|| record.map(|record| record.url.clone()));
    node.edited = page.map(|page| page.edited);
    node.synced = artifact.file_digest.is_none()
        && !world.scan.folders.get(&kind.name).is_some_and(|folder| folder.incomplete)
        && record.is_some_and(|record| record.path.is_some());
    node.strays.clone_from(&artifact.local_only);
    node.hidden = world.hidden.contains(&artifact.key);
    if let Some(file) = &artifact.file {
        node.local = Some(local(file));
        node.mentions = document::mentions(&file.text, &file.document.excluded, kind.format, ids);
        let allowed = document::allowed(&file.text, kind.format);
        node.allows = allowed.into_iter().map(|allowed| allowed.rule).collect();
    }
    if artifact.presence == RemotePresence::Present {
        node.remote = Some(remote(kind, artifact));
        if let (None, Some(body)) = (&artifact.file, &artifact.body) {
            let text = body.whole(turn.book).await?;
            let text = markdown::render_local(turn.backend.dialect(), &text, kind.format, None);
            node.mentions = document::mentions(&text, &[], kind.format, ids);
        }
    }
    for (stretch, seen) in &artifact.stretches {
        let Stretch::Property(name) = stretch else { continue };
        let still = matches!(artifact.steps.get(stretch), Some(Step::Nothing));
        if still && seen.local != seen.remote {
            node.agreed_to_differ.insert(name.clone());
        }
    }
    Ok(node)
}

fn local(file: &LocalFile) -> Side {
    let values = file.document.values.iter();
    Side {
        values: file.document.properties(),
        lines: values.map(|(name, located)| (name.clone(), located.line)).collect(),
        blank: file.document.blank.clone(),
        unread: file.document.unsynced.clone(),
    }
}

fn remote(kind: &Kind, artifact: &Artifact) -> Side {
    let stretch = |name: &str| artifact.stretches.get(&Stretch::Property(name.to_owned()));
    let mut side = Side { values: Properties::new(), ..Side::default() };
    for property in synced_properties(kind) {
        match stretch(&property.name).map(|seen| &seen.remote) {
            Some(Some(Content::Value(value))) => {
                side.values.insert(property.name.clone(), value.clone());
            }
            Some(_) => {}
            None => drop(side.unread.insert(property.name.clone())),
        }
    }
    side
}

/// Everything that has an id, in kinds that take no part as well: as files, or as the state knows them.
fn known(turn: &Turn<'_>, world: &World) -> BTreeSet<Key> {
    let scan = &world.scan;
    let mut known: BTreeSet<Key> = scan.files.keys().cloned().collect();
    known.extend(scan.duplicates.iter().chain(&scan.unreadable).cloned());
    let there = |artifact: &&Artifact| {
        matches!(artifact.presence, RemotePresence::Present | RemotePresence::Away)
    };
    known.extend(world.artifacts.values().filter(there).map(|artifact| artifact.key.clone()));
    let all = &turn.session.config.kinds;
    let others: BTreeSet<String> =
        all.keys().filter(|name| !world.kinds.contains_key(*name)).cloned().collect();
    let records = turn.book.records.values().map(|record| &record.key);
    known.extend(records.filter(|key| others.contains(&key.kind)).cloned());
    let scan = turn.tree.scan(all, &others);
    known.extend(scan.files.into_keys().chain(scan.duplicates).chain(scan.unreadable));
    known
}

/// Answers to conflicts of artifacts that were looked at. Where several backends are configured an answer does not
/// say whose conflict it is about, so none of them is judged.
fn answers(turn: &Turn<'_>, world: &World) -> Vec<Answer> {
    if turn.session.config.backends.len() > 1 {
        return Vec::new();
    }
    let both = Mode { pull: true, push: true, force: None };
    let tasks = world.artifacts.values().filter_map(|artifact| work::task(artifact, both, &[]));
    let open: BTreeSet<String> =
        tasks.flat_map(|task| task.conflicts).map(|conflict| conflict.fingerprint).collect();
    let looked = |key: &Key| world.artifacts.get(key).is_some_and(|one| !one.blocked);
    let decisions = turn.book.meta.decisions.iter().filter(|decision| looked(&decision.key));
    let answer = |decision: &crate::engine::Decision| {
        let record = turn.book.record(turn.backend.name(), &decision.key);
        // What it led to is on its way to the default branch, and until then the answer is needed.
        let under_way = |record: &Record| !record.proposals(&decision.stretch).is_empty();
        Answer {
            fingerprint: decision.fingerprint.clone(),
            key: decision.key.clone(),
            stretch: decision.stretch.to_string(),
            open: open.contains(&decision.fingerprint) || record.is_some_and(under_way),
            skips: decision.keep == Keep::Skip,
            given: time_of(&decision.run),
        }
    };
    decisions.map(answer).collect()
}

/// The time that the id of a run begins with.
fn time_of(run: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y%m%dT%H%M%S", run.get(..15)?).ok()?;
    Some(TimeZone::UTC.to_zoned(time).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::time_of;

    #[test]
    fn the_id_of_a_run_says_when_it_was() {
        let time = time_of("20261125T224044123Z-4711").map(|time| time.to_string());
        assert_eq!(time.as_deref(), Some("2026-11-25T22:40:44Z"));
        assert_eq!([time_of("run-1"), time_of(""), time_of("2026112é")], [None, None, None]);
    }
}
