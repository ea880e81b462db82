//! Reading of bodies and files, and the decision about each artifact.

use std::collections::BTreeMap;

use agent_sync_core::document;
use agent_sync_core::kind::Kind;
use agent_sync_core::markdown::{self};
use agent_sync_core::model::{Key, Severity, Side, Stretch};
use agent_sync_core::plan::{self, Content, Existence, LocalPresence, RemotePresence};
use futures::stream::{self, StreamExt, TryStreamExt};

use super::identify::{classified, identity_changes};
use super::stretches::{Remote, remote_value, stretches, synced_properties};
use super::trace::{follow, recover};
use super::{Artifact, Eyes, LocalFile, READS, RemoteBody, World, finding, settled};
use crate::backend::{BackendError, Life, Presence};
use crate::engine::book::{Intent, Record, text_id};
use crate::engine::{Phase, RunError};

/// Reads the bodies and files that are needed, and decides.
pub(super) async fn compare(
    eyes: &mut Eyes<'_>,
    world: &mut World,
    mut artifacts: BTreeMap<Key, Artifact>,
) -> Result<(), RunError> {
    let name = eyes.backend.name().to_owned();
    let mut reads = Vec::new();
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
                && settled(&record.seen, page, &eyes.identity)
                && eyes.book.intents(&name, &artifact.key).is_empty()
        });
        match known.and_then(known_body) {
            Some(body) => artifact.body = Some(body),
            None => reads.push((artifact.key.clone(), page.page.clone())),
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
    .buffer_unordered(READS)
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
        artifact.body = Some(RemoteBody {
            id: text_id(read.text.as_bytes()),
            digest: markdown::remote_digest(dialect, &read.text),
            text: Some(read.text),
            complete: read.complete,
            began: Some(read.began),
        });
    }
    for (key, artifact) in &mut artifacts {
        let Some(kind) = eyes.kinds.get(&key.kind).cloned() else { continue };
        if artifact.blocked {
            continue;
        }
        let intents = eyes.book.intents(&name, key);
        decide(eyes, world, &kind, artifact, &intents).await?;
    }
    identity_changes(eyes, world, &mut artifacts).await?;
    for (key, artifact) in artifacts {
        let quiet = artifact.stretches.is_empty() && artifact.existence == Existence::Both;
        match quiet && !artifact.blocked {
            true => world.unchanged += 1,
            false => {
                world.artifacts.insert(key, artifact);
            }
        }
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

async fn decide(
    eyes: &mut Eyes<'_>,
    world: &mut World,
    kind: &Kind,
    artifact: &mut Artifact,
    intents: &[Intent],
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
    });
    if calm {
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
        let text = match eyes.tree.read(path) {
            Ok(text) => text,
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
        let document = document::parse(kind, &artifact.key.id, path, &text);
        world.findings.extend(document.findings.iter().cloned());
        artifact.file = Some(LocalFile { text, document });
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
    }
    Ok(())
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
            Remote::Unknown => true,
        }
    })
}
