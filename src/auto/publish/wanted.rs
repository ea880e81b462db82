//! What the default branch is to get: what this run changed, and what is on its way already.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Action, Artifacts, Declined, Files, Open, Order, Outgoing, RunError};
use crate::github::data::blob_id;
use crate::repo::ReadError;
use crate::report::{ArtifactReport, Report, Sides};

/// Versions of artifacts, and the texts of those that are in the working tree, by blob.
pub(super) struct Wanted {
    pub(super) artifacts: Artifacts,
    pub(super) texts: BTreeMap<String, String>,
}

fn name(one: &ArtifactReport) -> String {
    format!("{}/{}", one.kind, one.id)
}

/// What the run changed, as the working tree has it now.
pub(super) fn brought(order: &Order<'_>, report: &Report) -> Result<Wanted, RunError> {
    let mut wanted = Wanted { artifacts: Artifacts::new(), texts: BTreeMap::new() };
    for one in report.artifacts.iter().filter(|one| one.sides.local != Action::None) {
        for path in one.path.iter().chain(&one.from) {
            let blob = match order.tree.read(path) {
                Ok(text) => {
                    let blob = blob_id(text.as_bytes());
                    wanted.texts.insert(blob.clone(), text);
                    Some(blob)
                }
                Err(ReadError::NotFound { .. }) => None,
                Err(error) => return Err(RunError::Unavailable(format!("{error}."))),
            };
            wanted.artifacts.entry(name(one)).or_default().insert(path.clone(), blob);
        }
    }
    Ok(wanted)
}

/// What stays of the open pull request although this run did not make it; and the names of all that `restore` made.
pub(super) fn kept(
    order: &Order<'_>,
    made: &Artifacts,
    open: Option<&Open>,
) -> (Artifacts, BTreeSet<String>) {
    let (mut kept, mut restored) = (Artifacts::new(), BTreeSet::new());
    for (key, files) in open.iter().flat_map(|open| &open.artifacts) {
        let by_restore = open.is_some_and(|open| open.restored.contains(key));
        let again = order.restored && made.contains_key(key);
        if !again && (by_restore || !order.whole && !made.contains_key(key)) {
            kept.insert(key.clone(), files.clone());
            restored.extend(by_restore.then(|| key.clone()));
        }
    }
    if order.restored {
        restored.extend(made.keys().cloned());
    }
    (kept, restored)
}

/// Forgets what was declined and is no longer wanted as it was; what was just restored is wanted whatever was said.
pub(super) fn forget(
    order: &Order<'_>,
    artifacts: &Artifacts,
    restored: &BTreeSet<String>,
    state: &mut Outgoing,
) {
    state.declined.retain(|key, declined| {
        let same = artifacts.get(key) == Some(&declined.files);
        let unknown = !order.whole && !artifacts.contains_key(key);
        (same || unknown) && !(order.restored && restored.contains(key))
    });
}

/// The artifacts without those that were declined as they are.
pub(super) fn left(artifacts: &Artifacts, declined: &BTreeMap<String, Declined>) -> Artifacts {
    let out = |key: &String, files: &Files| declined.get(key).is_some_and(|d| d.files == *files);
    let left = artifacts.iter().filter(|(key, files)| !out(key, files));
    left.map(|(key, files)| (key.clone(), files.clone())).collect()
}

/// A report of exactly what is brought, for the texts.
pub(super) fn listed(report: &Report, wanted: &Artifacts, kept: &Artifacts) -> Report {
    let mut listed = Report::new(&report.command, false);
    listed.backends.clone_from(&report.backends);
    let made = report.artifacts.iter().filter(|one| one.sides.local != Action::None);
    let made = made.filter(|one| wanted.contains_key(&name(one)) && !kept.contains_key(&name(one)));
    listed.artifacts.extend(made.cloned());
    for (key, files) in kept.iter().filter(|(key, _)| wanted.contains_key(*key)) {
        let (kind, id) = key.split_once('/').unwrap_or(("", key));
        let there = files.iter().find(|(_, blob)| blob.is_some());
        listed.artifacts.push(ArtifactReport {
            kind: kind.to_owned(),
            id: id.to_owned(),
            path: there.or(files.iter().next()).map(|(path, _)| path.clone()),
            reason: "from an earlier run".to_owned(),
            sides: Sides {
                remote: Action::None,
                local: if there.is_some() { Action::Edit } else { Action::Delete },
            },
            ..ArtifactReport::default()
        });
    }
    listed
}
