//! Which pages are an artifact's whatever their ID property says: relabelled ones (rule 8).

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::Kind;
use agent_sync_core::model::{Key, Severity, Side};
use agent_sync_core::plan::Existence;

use super::{Artifact, Eyes, World, finding};
use crate::backend::RemotePage;
use crate::engine::RunError;
use crate::engine::history::{self, Published};
use crate::engine::relabel::{Claim, Relabel};
use crate::repo::is_id;

/// Kinds may live in one database: each page there goes to the kind that knows it, whose ids look like its own, that
/// has a file of it; to the first of those that are left.
pub(super) fn share_out(
    eyes: &Eyes<'_>,
    world: &World,
    pages: &mut BTreeMap<String, Vec<RemotePage>>,
) {
    let name = eyes.backend.name();
    let mut by_source: BTreeMap<&str, Vec<&Kind>> = BTreeMap::new();
    for (kind, place) in &eyes.places {
        by_source.entry(&place.data_source).or_default().extend(eyes.kinds.get(kind));
    }
    for kinds in by_source.values().filter(|kinds| kinds.len() > 1) {
        let known: BTreeMap<&str, &str> = eyes
            .book
            .records
            .values()
            .filter(|record| record.backend == name)
            .map(|record| (record.page.as_str(), record.key.kind.as_str()))
            .collect();
        let owner = |page: &RemotePage| -> Option<String> {
            if let Some(kind) = known.get(page.page.as_str()) {
                return Some((*kind).to_owned());
            }
            let id = page.id.as_deref().unwrap_or_default();
            let fit: Vec<&&Kind> = kinds.iter().filter(|kind| is_id(kind, id)).collect();
            let with_file = fit.iter().find(|kind| world.scan.has(&Key::new(&kind.name, id)));
            let first = with_file.or(fit.first()).map(|kind| &kind.name);
            first.or(kinds.first().map(|kind| &kind.name)).cloned()
        };
        for kind in kinds {
            if let Some(listed) = pages.get_mut(&kind.name) {
                listed.retain(|page| owner(page).as_ref() == Some(&kind.name));
            }
        }
    }
}

/// Takes up what `relabel` recorded, or files that still name their page say, and the default branch holds: the record goes on under the new name, and its
/// page is the new artifact's from here on. What is not held yet stays a pending change.
///
/// # Errors
/// What git says.
pub(super) async fn relabels(
    eyes: &mut Eyes<'_>,
    world: &mut World,
    pages: &mut BTreeMap<String, Vec<RemotePage>>,
    by_name: Vec<Relabel>,
) -> Result<(), RunError> {
    let name = eyes.backend.name().to_owned();
    let taking_part = |key: &Key| eyes.places.contains_key(&key.kind);
    let mut relabels: Vec<Relabel> = eyes
        .book
        .meta
        .relabels
        .iter()
        .filter(|relabel| relabel.backend == name)
        .filter(|relabel| taking_part(&relabel.old) && taking_part(&relabel.new))
        .cloned()
        .collect();
    for relabel in by_name {
        if !relabels.iter().any(|other| other.new == relabel.new || other.old == relabel.old) {
            relabels.push(relabel);
        }
    }
    if relabels.is_empty() {
        return Ok(());
    }
    let keys: BTreeSet<Key> =
        relabels.iter().flat_map(|relabel| [relabel.old.clone(), relabel.new.clone()]).collect();
    let published = published(eyes, world, &keys).await?;
    for relabel in relabels {
        let holds = |key: &Key| published.contains(key) && world.scan.has(key);
        let lacks = |key: &Key| !published.contains(key) && !world.scan.has(key);
        if !holds(&relabel.new) || !lacks(&relabel.old) {
            world.pending.push(relabel);
            continue;
        }
        let record = [&relabel.old, &relabel.new]
            .into_iter()
            .find_map(|key| eyes.book.record(&name, key))
            .map(|record| record.page.clone());
        let page = record.or_else(|| relabel.page.clone());
        let Some(page) = page else {
            world.pending.push(relabel);
            continue;
        };
        claim(eyes, world, pages, relabel, page);
    }
    Ok(())
}

/// Which of these artifacts the default branch has a file of.
async fn published(
    eyes: &Eyes<'_>,
    world: &World,
    keys: &BTreeSet<Key>,
) -> Result<BTreeSet<Key>, RunError> {
    let now = match eyes.published {
        Published::WorkingTree | Published::Branch { head: None, .. } => {
            return Ok(keys.iter().filter(|key| world.scan.has(key)).cloned().collect());
        }
        Published::Branch { head, .. } => Published::Branch { head: head.clone(), since: None },
    };
    let held = history::held(eyes.git, &now, &world.kinds, keys).await?;
    let there = held.into_iter().filter(|(_, files)| files.iter().any(Option::is_some));
    Ok(there.map(|(key, _)| key).collect())
}

/// Makes a page the new artifact's.
fn claim(
    eyes: &mut Eyes<'_>,
    world: &mut World,
    pages: &mut BTreeMap<String, Vec<RemotePage>>,
    relabel: Relabel,
    page: String,
) {
    let name = eyes.backend.name().to_owned();
    let taken = eyes.book.record(&name, &relabel.new).is_some_and(|record| record.page != page);
    if taken {
        world.pending.push(relabel);
        return;
    }
    // Until the page has its id, the next run has to know that it may have the old one.
    if !eyes.book.meta.relabels.contains(&relabel) {
        eyes.book.meta.relabels.push(relabel.clone());
    }
    let Relabel { old, new, .. } = relabel;
    eyes.book.relabel(&name, &old, &new);
    // Another id than these is news of its own.
    let from = vec![Some(old.id.clone()), None];
    let expected = |id: &Option<String>| from.contains(id) || id.as_ref() == Some(&new.id);
    let mut had = None;
    for (kind, listed) in pages.iter_mut() {
        if *kind != new.kind && old.kind != new.kind {
            listed.retain(|other| other.page != page);
        }
        let of_page = |other: &&mut RemotePage| other.page == page && *kind == new.kind;
        for listed in listed.iter_mut().filter(of_page).filter(|other| expected(&other.id)) {
            had = Some(listed.id.replace(new.id.clone()));
        }
    }
    if had.as_ref().is_some_and(|id| id.as_ref() == Some(&new.id)) {
        let meta = &mut eyes.book.meta;
        meta.relabels.retain(|other| other.backend != name || other.new != new);
        return;
    }
    world.claims.insert(new, Claim { page, from, old: Some(old), done: false });
}

/// Rule 8: until a relabel is applied, nothing is trashed or created for either.
pub(super) fn hold_back(
    world: &mut World,
    artifacts: &mut BTreeMap<Key, Artifact>,
    which: impl Fn(&Relabel) -> bool,
) {
    let (now, later) = std::mem::take(&mut world.pending).into_iter().partition(|r| which(r));
    world.pending = later;
    let now: Vec<Relabel> = now;
    for relabel in now {
        let mut held = false;
        for key in [&relabel.old, &relabel.new] {
            let Some(artifact) = artifacts.get_mut(key) else { continue };
            let drastic = match artifact.existence {
                Existence::CreateRemote | Existence::CreateLocal => *key == relabel.new,
                Existence::TrashRemote
                | Existence::DeleteLocal
                | Existence::DeletedAgainstEdit(Side::Local | Side::Remote) => true,
                _ => false,
            };
            held |= drastic && !artifact.blocked;
            artifact.blocked |= drastic;
        }
        if held {
            let path = artifacts.get(&relabel.new).and_then(|artifact| artifact.path.clone());
            world.findings.push(finding(
                "relabel-pending",
                Severity::Notice,
                Some(&relabel.new),
                path.as_deref(),
                None,
                format!(
                    "{} becomes {} as soon as the default branch holds the new file and not the old one; until then \
                     nothing is created or trashed for either.",
                    relabel.old, relabel.new
                ),
                "Merge the new file and the removal of the old one.",
            ));
        }
    }
}
