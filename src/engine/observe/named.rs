//! Files that name their page themselves (rule 5): identity that survives a lost state and a new id.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::model::{Key, Severity};
use agent_sync_core::plan::Existence;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::identify::classified;
use super::{Artifact, Eyes, World, finding};
use crate::backend::{BackendError, Life, Presence, RemotePage};
use crate::engine::RunError;
use crate::engine::relabel::{Claim, Relabel};
use crate::engine::resolve::Question;

/// A file that names a page.
struct Name {
    key: Key,
    path: String,
    page: String,
}

/// What the names of pages in files come to, beyond artifacts whose page is known by them.
#[derive(Default)]
pub(in crate::engine) struct Named {
    /// Artifacts with a name that cannot be followed; a finding says why.
    pub unclear: BTreeSet<Key>,
    /// Named pages that do not live in their database.
    pub away: BTreeMap<Key, Presence>,
    /// Kinds that get no new page until a person says what became of a named one.
    pub frozen: BTreeSet<String>,
}

/// Follows the names. Gives the artifacts that go on under a new id because their file still names their page.
/// Requests: 1 for each named page that neither the state knows nor a listing holds.
///
/// # Errors
/// What the backend says.
pub(super) async fn follow(
    eyes: &Eyes<'_>,
    world: &mut World,
    pages: &mut BTreeMap<String, Vec<RemotePage>>,
) -> Result<Vec<Relabel>, RunError> {
    let names = names(eyes, world);
    let names = single(eyes, world, names);
    let backend = eyes.backend.name();
    let known: BTreeMap<String, Key> = eyes
        .book
        .records
        .values()
        .filter(|record| record.backend == backend)
        .map(|record| (record.page.clone(), record.key.clone()))
        .collect();
    let mut relabels = Vec::new();
    let mut strangers = Vec::new();
    for name in names {
        let own = eyes.book.record(backend, &name.key).map(|record| &record.page);
        match (own, known.get(&name.page)) {
            (Some(own), _) if *own == name.page => {}
            (Some(_), _) => unclear(world, &name, None, "is synced with another page"),
            (None, Some(old)) => renamed(world, backend, &name, old, &mut relabels),
            (None, None) => strangers.push(name),
        }
    }
    let listed = |pages: &BTreeMap<String, Vec<RemotePage>>, name: &Name| {
        let of_kind = pages.get(&name.key.kind);
        of_kind.is_some_and(|listed| listed.iter().any(|page| page.page == name.page))
    };
    let ask: Vec<&Name> = strangers.iter().filter(|name| !listed(pages, name)).collect();
    for (key, presence) in look(eyes, ask).await? {
        match presence {
            Presence::Found(page) if page.life == Life::Alive => {
                pages.entry(key.kind).or_default().push(*page);
            }
            presence => {
                world.named.away.insert(key, presence);
            }
        }
    }
    for name in strangers {
        if let Some(presence) = world.named.away.get(&name.key) {
            if matches!(presence, Presence::NotFound) {
                not_visible(world, &name);
            }
            continue;
        }
        adopt(world, backend, pages, &name, &mut relabels);
    }
    Ok(relabels)
}

/// The names that can be read and are not answered.
fn names(eyes: &Eyes<'_>, world: &mut World) -> Vec<Name> {
    let backend = eyes.backend.name();
    let gone = |page: &str| {
        eyes.book.meta.gone.iter().any(|gone| gone.backend == backend && gone.page == page)
    };
    let mut names = Vec::new();
    let mut unreadable = Vec::new();
    for (key, entry) in &world.scan.files {
        let Some(text) = entry.page.as_ref().filter(|_| eyes.places.contains_key(&key.kind)) else {
            continue;
        };
        let name = |page| Name { key: key.clone(), path: entry.path.clone(), page };
        match eyes.backend.page_id(text) {
            Some(page) if gone(&page) => {}
            Some(page) => names.push(name(page)),
            None => unreadable.push(name(text.clone())),
        }
    }
    for name in unreadable {
        world.findings.push(finding(
            "page-name",
            Severity::Error,
            Some(&name.key),
            Some(&name.path),
            None,
            format!(
                "The file of {} names its page by {:?}, which is no id and no address of one.",
                name.key, name.page
            ),
            "Correct the name, or remove it.",
        ));
        world.named.unclear.insert(name.key);
    }
    names
}

/// The names that no other file gives, too.
fn single(eyes: &Eyes<'_>, world: &mut World, names: Vec<Name>) -> Vec<Name> {
    let mut by_page: BTreeMap<String, Vec<Name>> = BTreeMap::new();
    for name in names {
        by_page.entry(name.page.clone()).or_default().push(name);
    }
    let mut single = Vec::new();
    for mut names in by_page.into_values() {
        if names.len() == 1 {
            single.append(&mut names);
            continue;
        }
        let paths: Vec<&str> = names.iter().map(|name| name.path.as_str()).collect();
        let message = format!(
            "Several files name one page of {}: {}; none of them is synced.",
            eyes.backend.label(),
            paths.join(", ")
        );
        let first = names.first().map(|name| (name.key.clone(), name.path.clone()));
        if let Some((key, path)) = first {
            world.findings.push(finding(
                "page-named-twice",
                Severity::Error,
                Some(&key),
                Some(&path),
                None,
                message,
                "Remove the name from all but one.",
            ));
        }
        world.named.unclear.extend(names.into_iter().map(|name| name.key));
    }
    single
}

fn unclear(world: &mut World, name: &Name, other: Option<&Key>, why: &str) {
    world.findings.push(finding(
        "page-named-twice",
        Severity::Error,
        Some(&name.key),
        Some(&name.path),
        None,
        format!("The file names page {}, but {} {why}; it is not synced.", name.page, name.key),
        "Correct the name, or remove it.",
    ));
    world.named.unclear.insert(name.key.clone());
    world.named.unclear.extend(other.cloned());
}

/// The page was another artifact's: one that is gone lives on under the new id, one that is there keeps it.
fn renamed(world: &mut World, backend: &str, name: &Name, old: &Key, relabels: &mut Vec<Relabel>) {
    if world.scan.has(old) {
        let why = format!("and {old} cannot both have it: the file of {old} is there");
        unclear(world, name, Some(old), &why);
        return;
    }
    relabels.push(Relabel {
        backend: backend.to_owned(),
        old: old.clone(),
        new: name.key.clone(),
        page: Some(name.page.clone()),
        run: String::new(),
    });
}

/// A live page that nothing is known of: it is the artifact's, whatever its ID says.
fn adopt(
    world: &mut World,
    backend: &str,
    pages: &mut BTreeMap<String, Vec<RemotePage>>,
    name: &Name,
    relabels: &mut Vec<Relabel>,
) {
    let Some(listed) = pages.get_mut(&name.key.kind) else { return };
    let other = |page: &RemotePage| {
        page.page != name.page && page.id.as_deref() == Some(name.key.id.as_str())
    };
    if listed.iter().any(other) {
        unclear(world, name, None, "is the ID of another page");
        return;
    }
    let Some(page) = listed.iter_mut().find(|page| page.page == name.page) else { return };
    match page.id.clone() {
        Some(id) if id == name.key.id => {}
        Some(id) => renamed(world, backend, name, &Key::new(&name.key.kind, id), relabels),
        None => {
            page.id = Some(name.key.id.clone());
            let claim = Claim { page: name.page.clone(), from: vec![None], old: None, done: false };
            world.claims.insert(name.key.clone(), claim);
        }
    }
}

fn not_visible(world: &mut World, name: &Name) {
    world.findings.push(finding(
        "page-not-visible",
        Severity::Error,
        Some(&name.key),
        Some(&name.path),
        None,
        format!(
            "The page that the file of {} names is not visible: gone, or not shared. Until that is clear, no page of \
             kind {} is created.",
            name.key, name.key.kind
        ),
        &format!(
            "Share the page with the connection, or say `agent-sync resolve {} --keep local` if it is gone: then the \
             file gets a new one.",
            name.key
        ),
    ));
    world.questions.insert(name.key.clone(), Question::NotVisible(name.page.clone()));
    world.named.unclear.insert(name.key.clone());
    world.named.frozen.insert(name.key.kind.clone());
}

async fn look(eyes: &Eyes<'_>, names: Vec<&Name>) -> Result<Vec<(Key, Presence)>, RunError> {
    let jobs = names.into_iter().filter_map(|name| {
        let (kind, place) = (eyes.kinds.get(&name.key.kind)?, eyes.places.get(&name.key.kind)?);
        Some(async move {
            let presence = eyes.backend.page(kind, place, &name.page).await?;
            Ok::<_, BackendError>((name.key.clone(), presence))
        })
    });
    Ok(stream::iter(jobs).buffer_unordered(eyes.backend.width()).try_collect().await?)
}

/// Puts the named pages that are away beside their files (rule 7).
pub(super) fn away(world: &mut World, artifacts: &mut BTreeMap<Key, Artifact>) {
    for (key, presence) in std::mem::take(&mut world.named.away) {
        let Some(artifact) = artifacts.get_mut(&key) else { continue };
        let url = match &presence {
            Presence::Found(page) => page.url.clone(),
            // That is a question, and asked already.
            Presence::NotFound => continue,
        };
        classified(&mut world.findings, artifact, &url, presence);
    }
}

/// Rule 5: what a kind's named page is not visible for may hide all of its pages.
pub(super) fn freeze(world: &World, artifacts: &mut BTreeMap<Key, Artifact>) {
    let frozen = artifacts.values_mut().filter(|artifact| {
        artifact.existence == Existence::CreateRemote
            && world.named.frozen.contains(&artifact.key.kind)
    });
    frozen.for_each(|artifact| artifact.blocked = true);
}
