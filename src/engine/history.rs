//! What the default branch holds (rule 15), read only for artifacts with open proposals.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::Kinds;
use agent_sync_core::model::Key;

use super::RunError;
use crate::repo::Vcs;
use crate::repo::git::Oid;

/// The default branch as it counts for this run.
#[derive(Clone, Debug)]
pub(super) enum Published {
    /// There is no remote: the working tree counts.
    WorkingTree,
    /// The remote default branch: its head, and the content commit of the state.
    Branch {
        /// Head at the start of the run; none while the branch has no commit.
        head: Option<Oid>,
        /// Content commit of the state, where it is still in the branch's history.
        since: Option<Oid>,
    },
}

/// A version of a file on the default branch.
#[derive(Clone, Debug)]
pub(super) struct HeldFile {
    /// Path of the file.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The artifact that a path belongs to, by folder and file name.
pub(super) fn key_of(kinds: &Kinds, path: &str) -> Option<Key> {
    let name = path.rsplit('/').next()?;
    kinds
        .values()
        .filter(|kind| path.strip_prefix(&kind.folder).is_some_and(|rest| rest.starts_with('/')))
        .find_map(|kind| {
            let id = kind.file_id.captures(name)?.get(1)?;
            Some(Key::new(&kind.name, id.as_str()))
        })
}

/// Versions of these artifacts on the default branch, newest first; `None` where a version has no file. The first
/// one is the branch as it is now. Nothing where there is no branch.
///
/// # Errors
/// What git says.
pub(super) async fn held(
    git: &dyn Vcs,
    published: &Published,
    kinds: &Kinds,
    keys: &BTreeSet<Key>,
) -> Result<BTreeMap<Key, Vec<Option<HeldFile>>>, RunError> {
    let mut versions: BTreeMap<Key, Vec<Option<HeldFile>>> = BTreeMap::new();
    if keys.is_empty() {
        return Ok(versions);
    }
    let Published::Branch { head: Some(head), since } = published else { return Ok(versions) };
    let names: BTreeSet<&str> = keys.iter().map(|key| key.kind.as_str()).collect();
    let folders: Vec<String> = kinds
        .values()
        .filter(|kind| names.contains(kind.name.as_str()))
        .map(|kind| kind.folder.clone())
        .collect();
    let mut found: BTreeMap<Key, Vec<Option<(String, Oid)>>> =
        keys.iter().map(|key| (key.clone(), vec![None])).collect();
    for (path, blob) in git.tree_files(head, &folders).await? {
        let key = key_of(kinds, &path).filter(|key| keys.contains(key));
        if let Some(first) =
            key.and_then(|key| found.get_mut(&key)).and_then(|list| list.first_mut())
        {
            *first = Some((path, blob));
        }
    }
    if let Some(since) = since.as_ref().filter(|since| *since != head) {
        for version in git.versions_since(since, head, &folders).await? {
            let key = key_of(kinds, &version.path).filter(|key| keys.contains(key));
            if let Some(list) = key.and_then(|key| found.get_mut(&key)) {
                // A file that only a merged branch held, and that is not there now, was never agreed: otherwise its
                // absence would be a deletion.
                let gone = list.first().is_none_or(Option::is_none);
                if gone && !version.trunk {
                    continue;
                }
                list.push(version.blob.map(|blob| (version.path, blob)));
            }
        }
    }
    let blobs: Vec<Oid> =
        found.values().flatten().flatten().map(|(_, blob)| blob.clone()).collect();
    let texts = git.blobs(&blobs).await?;
    for (key, list) in found {
        let list = list
            .into_iter()
            .map(|version| {
                let (path, blob) = version?;
                let text = String::from_utf8(texts.get(&blob)?.clone()).ok()?;
                Some(HeldFile { path, text })
            })
            .collect();
        versions.insert(key, list);
    }
    Ok(versions)
}
