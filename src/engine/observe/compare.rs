//! Reading of bodies and files, and the decision about each artifact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_sync_core::kind::Kind;
use agent_sync_core::markdown::{self, Dialect, Links};
use agent_sync_core::model::{Key, Severity, Side, Stretch};
use agent_sync_core::plan::{self, Content, Existence, LocalPresence, RemotePresence};
use futures::stream::{self, StreamExt, TryStreamExt};
use rayon::prelude::*;

use super::claims::hold_back;
use super::identify::{classified, identity_changes};
use super::named::freeze;
use super::stretches::{Remote, remote_value, stretches, synced_properties};
use super::trace::{follow, recover};
use super::{Artifact, Eyes, RemoteBody, World, finding, settled};
use crate::backend::{BackendError, Life, Presence};
use crate::engine::book::{Book, Intent, Record, Seen, stretch_name, text_id};
use crate::engine::file::LocalFile;
use crate::engine::{Phase, RunError, links};
use crate::repo::{ReadError, Tree};

/// Reads the bodies and files that are needed, and decides.
pub(super) async fn compare(
    eyes: &mut Eyes<'_>,
    world: &mut World,
    mut artifacts: BTreeMap<Key, Artifact>,
) -> Result<(), RunError> {
    let name = eyes.backend.name().to_owned();
    let mut reads = Vec::new();
    let mut trusted: BTreeMap<Key, String> = BTreeMap::new();
    for artifact in artifacts.values_mut().filter(|artifact| !artifact.blocked) {
        if artifact.presence != RemotePresence::Present {
            continue;
        }
        let record = eyes.book.record(&name, &artifact.key);
        let Some(page) = &artifact.page else {
            artifact.body = record.and_then(known_body);
            continue;
        };
        let known = record.filter(|record| {
            record.page == page.page
                && record.dialect == eyes.backend.dialect()
                && settled(&record.seen, page, &eyes.identity)
                && eyes.book.intents(&name, &artifact.key).is_empty()
        });
        match known.and_then(known_body) {
            Some(body) if !eyes.reread => artifact.body = Some(body),
            known => {
                trusted.extend(known.map(|body| (artifact.key.clone(), body.digest)));
                reads.push((artifact.key.clone(), page.page.clone()));
            }
        }
    }
    let dialect = eyes.backend.dialect();
    let backend = eyes.backend;
    let (mut read, total) = (0, reads.len());
    let (kinds, places) = (&eyes.kinds, &eyes.places);
    let answers: Vec<_> = stream::iter(reads.into_iter().map(|(key, page)| async move {
        let read = match backend.body(&page).await {
            Err(error @ BackendError::NotFound { .. }) => {
                // Listed a moment ago, so somebody has just taken it away; or it is the backend that errs.
                let (Some(kind), Some(place)) = (kinds.get(&key.kind), places.get(&key.kind))
                else {
                    return Err(error);
                };
                match backend.page(kind, place, &page).await? {
                    Presence::Found(page) if page.life == Life::Alive => return Err(error),
                    presence => Err(presence),
                }
            }
            read => Ok(read?),
        };
        Ok::<_, BackendError>((key, read))
    }))
    .buffer_unordered(eyes.backend.width())
    .inspect(|_| {
        read += 1;
        eyes.progress.at(Phase::Reading, read, total);
    })
    .try_collect()
    .await?;
    for (key, read) in answers {
        let read = match read {
            Ok(read) => read,
            Err(presence) => {
                if let Some(artifact) = artifacts.get_mut(&key) {
                    let url =
                        artifact.page.as_ref().map(|page| page.url.clone()).unwrap_or_default();
                    classified(&mut world.findings, artifact, &url, presence);
                }
                continue;
            }
        };
        if !read.complete {
            let url =
                artifacts.get(&key).and_then(|a| a.page.as_ref()).map(|page| page.url.clone());
            world.findings.push(finding(
                "page-too-large",
                Severity::Warning,
                Some(&key),
                None,
                url.as_deref(),
                format!("The page of {key} is too large to be read whole; it is left alone."),
                "Split the page.",
            ));
        }
        let Some(artifact) = artifacts.get_mut(&key) else { continue };
        artifact.blocked |= !read.complete;
        let digest = markdown::remote_digest(dialect, &read.text);
        if read.complete && trusted.get(&key).is_some_and(|known| *known != digest) {
            world.hidden.insert(key);
        }
        artifact.body = Some(RemoteBody {
            id: text_id(read.text.as_bytes()),
            digest,
            text: Some(read.text),
            complete: read.complete,
            began: Some(read.began),
        });
    }
    let needed = needed_texts(eyes.book, &name, &artifacts, eyes.writes);
    eyes.book.fetch(&needed).await?;
    translate(eyes.book, &name, dialect, &artifacts).await?;
    let mut files = changed_files(eyes, world, &artifacts);
    // A file that goes with its page is no target of a link any more; so these are decided first.
    for trashed in [true, false] {
        for (key, artifact) in &mut artifacts {
            let Some(kind) = eyes.kinds.get(&key.kind).cloned() else { continue };
            let first = artifact.presence == RemotePresence::Trashed;
            if artifact.blocked || first != trashed {
                continue;
            }
            let intents = eyes.book.intents(&name, key);
            decide(eyes, world, &kind, artifact, &intents, files.remove(key)).await?;
            if artifact.existence == Existence::DeleteLocal {
                world.paths.doomed.insert(key.clone());
            }
        }
        if trashed && !world.paths.doomed.is_empty() {
            world.refresh_links();
        }
    }
    freeze(world, &mut artifacts);
    // What a file says itself is no question.
    hold_back(world, &mut artifacts, |relabel| relabel.run.is_empty());
    identity_changes(eyes, world, &mut artifacts).await?;
    hold_back(world, &mut artifacts, |_| true);
    for (key, artifact) in artifacts {
        let quiet = artifact.stretches.is_empty()
            && artifact.existence == Existence::Both
            && !world.claims.contains_key(&key);
        match quiet && !artifact.blocked {
            true => world.unchanged += 1,
            false => {
                world.artifacts.insert(key, artifact);
            }
        }
    }
    Ok(())
}

/// Texts of the bases and proposals of all artifacts at which something may have changed. To see what a change of the
/// file alone comes to takes none of them; to send it does.
fn needed_texts(
    book: &Book,
    name: &str,
    artifacts: &BTreeMap<Key, Artifact>,
    writes: bool,
) -> BTreeSet<String> {
    let changed = |(key, artifact): (&Key, &Artifact)| {
        let record = book.record(name, key)?;
        let body = artifact.body.as_ref().map(|body| &body.digest);
        let known = record.clean.is_some() && record.clean == artifact.file_digest;
        let calm = known && record.path == artifact.path;
        let same = (calm || !writes)
            && body == record.seen.digest.as_ref()
            && book.intents(name, key).is_empty();
        (!same && !artifact.blocked).then(|| record.texts().map(str::to_owned).collect::<Vec<_>>())
    };
    artifacts.iter().filter_map(changed).flatten().collect()
}

/// Brings what is known of these artifacts into the dialect that is spoken now. What was seen of a page is void: it
/// is read again.
async fn translate(
    book: &mut Book,
    name: &str,
    dialect: Dialect,
    artifacts: &BTreeMap<Key, Artifact>,
) -> Result<(), RunError> {
    for (key, artifact) in artifacts {
        let old = book.record(name, key).filter(|record| record.dialect != dialect);
        let Some(mut record) = old.cloned() else { continue };
        let now = artifact.body.as_ref().and_then(|body| body.text.as_deref());
        let body = stretch_name(&Stretch::Body);
        let proposed = record.proposed.get_mut(&body).into_iter().flatten();
        for pair in record.bases.get_mut(&body).into_iter().chain(proposed) {
            let Some(Content::Body { text, .. }) = &mut pair.remote else { continue };
            let old = book.text(text).await?;
            *text = book.keep(&markdown::translate(record.dialect, &old, dialect, now));
        }
        record.dialect = dialect;
        record.seen = Seen::default();
        book.records.insert((name.to_owned(), key.clone()), record);
    }
    Ok(())
}

fn known_body(record: &Record) -> Option<RemoteBody> {
    Some(RemoteBody {
        text: None,
        id: record.seen.text.clone()?,
        digest: record.seen.digest.clone()?,
        complete: true,
        began: None,
    })
}

/// A body's content; an empty one is none at all (rule 5).
pub(in crate::engine) fn body_content(digest: &str, text: &str, empty: bool) -> Option<Content> {
    (!empty).then(|| Content::Body { digest: digest.to_owned(), text: text.to_owned() })
}

fn read_file(tree: &Tree, kind: &Kind, key: &Key, path: &str) -> Result<LocalFile, ReadError> {
    Ok(LocalFile::new(kind, key, path, tree.read(path)?))
}

/// The files that differ from what is known of them: read, and what a run asks of each found out, by all cores.
fn changed_files(
    eyes: &Eyes<'_>,
    world: &World,
    artifacts: &BTreeMap<Key, Artifact>,
) -> BTreeMap<Key, Result<LocalFile, ReadError>> {
    let name = eyes.backend.name();
    let changed = |(key, artifact): &(&Key, &Artifact)| {
        let clean = eyes.book.record(name, key).and_then(|record| record.clean.as_ref());
        !artifact.blocked
            && artifact.file_digest.is_some()
            && artifact.file_digest.as_ref() != clean
    };
    let changed: Vec<(&Key, &Artifact)> = artifacts.iter().filter(changed).collect();
    let (tree, kinds, dialect) = (eyes.tree, &eyes.kinds, eyes.backend.dialect());
    let read = |(key, artifact): (&Key, &Artifact)| {
        let (kind, path) = (kinds.get(&key.kind)?, artifact.path.as_deref()?);
        let file = read_file(tree, kind, key, path);
        if let Ok(file) = &file {
            file.prepare(&world.links(path).planned(), dialect);
        }
        Some((key.clone(), file))
    };
    changed.into_par_iter().filter_map(read).collect()
}

async fn decide(
    eyes: &mut Eyes<'_>,
    world: &mut World,
    kind: &Kind,
    artifact: &mut Artifact,
    intents: &[Intent],
    read: Option<Result<LocalFile, ReadError>>,
) -> Result<(), RunError> {
    let name = eyes.backend.name().to_owned();
    let record = eyes.book.record(&name, &artifact.key).cloned();
    let calm = record.as_ref().is_some_and(|record| {
        record.clean.is_some()
            && record.clean == artifact.file_digest
            && record.path == artifact.path
            && intents.is_empty()
            && artifact.presence == RemotePresence::Present
            && remote_unchanged(record, kind, artifact, world)
            && links::unmoved(&record.links, &links_of(world, artifact).planned())
    });
    if calm && !eyes.every {
        artifact.existence = Existence::Both;
        return Ok(());
    }
    let folder = world.scan.folders.get(&kind.name);
    if artifact.file_digest.is_none() && folder.is_some_and(|folder| folder.incomplete) {
        // The file may be where nothing could be read; the scan has a finding about that (rule 7).
        artifact.blocked = true;
        return Ok(());
    }
    let path = artifact.path.clone();
    if artifact.file_digest.is_some()
        && let Some(path) = &path
    {
        let file = match read {
            Some(file) => file,
            None => read_file(eyes.tree, kind, &artifact.key, path),
        };
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                world.findings.push(finding(
                    "unreadable-file",
                    Severity::Error,
                    Some(&artifact.key),
                    Some(path),
                    None,
                    format!("{error}."),
                    "Make the file readable.",
                ));
                artifact.blocked = true;
                return Ok(());
            }
        };
        world.findings.extend(file.document.findings.iter().cloned());
        world.findings.extend(links::findings(&artifact.key, path, &file, &world.links(path)));
        artifact.file = Some(Arc::new(file));
    }
    if artifact.page.is_none() && artifact.presence == RemotePresence::Absent {
        let title = artifact.file.as_ref().and_then(|file| file.document.title.clone());
        if let Some(url) = title.and_then(|title| wanted_title(world, kind, &title)) {
            world.findings.push(finding(
                "page-without-id",
                Severity::Error,
                Some(&artifact.key),
                path.as_deref(),
                Some(&url),
                format!(
                    "A page without ID has the title of {}; no second page is made.",
                    artifact.key
                ),
                "Give that page the ID of the file, or another title.",
            ));
            artifact.blocked = true;
            return Ok(());
        }
    }
    stretches(world, kind, artifact, record.as_ref());
    for intent in intents {
        recover(eyes, world, kind, artifact, intent).await?;
    }
    // A stretch without base was unset on both sides when the artifact was agreed.
    let changed = |side: Side| {
        artifact.stretches.values().any(|seen| {
            let now = match side {
                Side::Local => seen.local.as_ref(),
                Side::Remote => seen.remote.as_ref(),
            };
            match &seen.base {
                // Links that lead elsewhere now are no edit of a file.
                Some(base) if side == Side::Local && is_text_of(base.local.as_ref(), now) => false,
                Some(base) => !base.holds(side, now),
                None => now.is_some(),
            }
        })
    };
    let (local_changed, remote_changed) = (changed(Side::Local), changed(Side::Remote));
    let local = match artifact.file_digest.is_some() {
        true => LocalPresence::Present,
        false => LocalPresence::Absent,
    };
    let agreed = record.as_ref().is_some_and(|record| !record.bases.is_empty());
    artifact.existence =
        plan::existence(local, artifact.presence, agreed, local_changed, remote_changed);
    if artifact.existence == Existence::Both {
        artifact.steps = artifact
            .stretches
            .iter()
            .map(|(stretch, seen)| (stretch.clone(), plan::step(&artifact.key, stretch, seen)))
            .collect();
        follow(eyes, world, kind, artifact, record.as_ref()).await?;
        links::settle(eyes.book, eyes.backend, world, artifact).await?;
    }
    Ok(())
}

/// Whether both are bodies of the very same text.
fn is_text_of(base: Option<&Content>, now: Option<&Content>) -> bool {
    let text = |content: Option<&Content>| content.and_then(Content::text).map(str::to_owned);
    text(base).is_some_and(|base| text(now) == Some(base))
}

fn links_of(world: &World, artifact: &Artifact) -> Links {
    world.links(artifact.path.as_deref().unwrap_or_default())
}

fn wanted_title(world: &World, kind: &Kind, title: &str) -> Option<String> {
    let wanted = title.to_lowercase();
    let titles = world.loose_titles.get(&kind.name)?;
    titles.iter().find(|(title, _)| *title == wanted).map(|(_, url)| url.clone())
}

fn remote_unchanged(record: &Record, kind: &Kind, artifact: &Artifact, world: &World) -> bool {
    let body = record.base(&Stretch::Body).and_then(|pair| pair.remote.as_ref());
    let seen = artifact.body.as_ref();
    if artifact.page.is_none() {
        return true;
    }
    let Some(seen) = seen else { return false };
    let now = body_content(&seen.digest, &seen.id, seen.digest == markdown::empty_digest());
    if body.map(Content::canonical) != now.as_ref().map(Content::canonical) || seen.began.is_some()
    {
        return false;
    }
    let Some(page) = &artifact.page else { return true };
    let mut foreign = BTreeMap::new();
    synced_properties(kind).all(|property| {
        let stretch = Stretch::Property(property.name.clone());
        let base = record.base(&stretch).and_then(|pair| pair.remote.clone());
        let now = remote_value(kind, property, page, world, &mut foreign);
        match now {
            Remote::Value(value) => base == value.map(Content::Value),
            Remote::Unknown | Remote::Unnamed | Remote::Ours => true,
        }
    })
}
