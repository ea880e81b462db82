//! Which artifact a page is, and what became of pages that are not listed (rules 5, 7 and 8).

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::{Kind, PropertyType};
use agent_sync_core::model::{Finding, Key, Severity, Side, Stretch, Value};
use agent_sync_core::plan::{self, Content, Existence, RemotePresence};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use regex::Regex;

use super::named::away;
use super::{Artifact, Eyes, Listed, Unnamed, World, finding};
use crate::backend::{BackendError, Life, Presence, RemotePage};
use crate::engine::resolve::Question;
use crate::engine::template::leave_out;
use crate::engine::{Phase, RunError};

/// Lists every kind, whole where it costs no more or is due (rule 6).
pub(super) async fn list(
    eyes: &Eyes<'_>,
    world: &mut World,
) -> Result<BTreeMap<String, Vec<RemotePage>>, RunError> {
    let name = eyes.backend.name();
    let meta = eyes.book.meta.backends.get(name);
    let jobs = eyes.kinds.values().filter_map(|kind| {
        let place = eyes.places.get(&kind.name)?;
        let cursor = meta.and_then(|meta| meta.cursors.get(&kind.name));
        // A page whose body is known in another grammar is to be read again.
        let known = eyes.book.records.values();
        let foreign = known.filter(|record| record.dialect != eyes.backend.dialect());
        let foreign = foreign.filter(|record| record.backend == name);
        let whole = eyes.full || foreign.map(|record| &record.key.kind).any(|of| *of == kind.name);
        let since = cursor.filter(|cursor| cursor.count > 100 && !whole).and_then(|cursor| {
            let age = eyes.backend.now()?.as_second() - cursor.whole.as_second();
            let due = age >= i64::try_from(eyes.full_every.as_secs()).unwrap_or(i64::MAX);
            // Two minutes before the cursor: time stamps are cut to the minute.
            (!due).then(|| Timestamp::from_second(cursor.since.as_second() - 120).ok()).flatten()
        });
        Some(async move {
            let listing = eyes.backend.list(kind, place, since, None).await?;
            Ok::<_, BackendError>((kind.name.clone(), since.is_none(), listing))
        })
    });
    let (mut listed, total) = (0, eyes.places.len());
    eyes.progress.at(Phase::Listing, listed, total);
    let listings: Vec<_> = stream::iter(jobs)
        .buffer_unordered(eyes.backend.width())
        .inspect(|_| {
            listed += 1;
            eyes.progress.at(Phase::Listing, listed, total);
        })
        .try_collect()
        .await?;
    let mut pages = BTreeMap::new();
    for (kind, unfiltered, mut listing) in listings {
        let place = eyes.places.get(&kind);
        let row = place.and_then(|place| place.made.template.as_ref());
        leave_out(&kind, &mut listing.pages, row);
        world.listed.insert(
            kind.clone(),
            Listed {
                began: listing.began,
                whole: listing.whole && unfiltered,
                count: listing.pages.len(),
            },
        );
        pages.insert(kind, listing.pages);
    }
    Ok(pages)
}

/// Gives every page its artifact. What cannot be told apart is a finding and is left alone.
pub(super) async fn identify(
    eyes: &Eyes<'_>,
    world: &mut World,
    listed: BTreeMap<String, Vec<RemotePage>>,
) -> Result<BTreeMap<Key, Artifact>, RunError> {
    let name = eyes.backend.name().to_owned();
    let mut known: BTreeMap<&str, &Key> = BTreeMap::new();
    for record in eyes.book.records.values().filter(|record| record.backend == name) {
        known.insert(&record.page, &record.key);
        world.page_of.insert(record.key.clone(), record.page.clone());
        world.key_of.insert(record.page.clone(), record.key.clone());
    }
    let mut artifacts: BTreeMap<Key, Artifact> = BTreeMap::new();
    let mut blocked: BTreeSet<Key> = &world.scan.duplicates | &world.scan.unreadable;
    blocked.extend(world.named.unclear.iter().cloned());
    for (kind_name, pages) in listed {
        let Some(kind) = eyes.kinds.get(&kind_name) else { continue };
        let whole_id = Regex::new(&format!("^(?:{})$", kind.id_pattern)).ok();
        let mut by_id: BTreeMap<String, Vec<RemotePage>> = BTreeMap::new();
        for page in pages {
            let knows = known.get(page.page.as_str()).copied();
            // What was deleted before anybody knew it is nobody's news.
            if page.life == Life::Trashed && knows.is_none() {
                continue;
            }
            if let Some(reason) = &page.broken {
                let key = page.id.as_ref().map(|id| Key::new(&kind_name, id.clone()));
                let key = knows.cloned().or(key);
                world.findings.push(finding(
                    "unreadable-page",
                    Severity::Error,
                    key.as_ref(),
                    None,
                    Some(&page.url),
                    format!("The page cannot be read: {reason}. It is left alone."),
                    "Correct it there.",
                ));
                blocked.extend(key);
                continue;
            }
            match page.id.clone() {
                Some(id) if whole_id.as_ref().is_some_and(|pattern| pattern.is_match(&id)) => {
                    by_id.entry(id).or_default().push(page);
                }
                Some(id) if is_scope(whole_id.as_ref(), &id) => {
                    without_id(
                        world,
                        kind,
                        known.get(page.page.as_str()).copied(),
                        &page,
                        &mut blocked,
                    );
                }
                Some(id) => world.findings.push(finding(
                    "malformed-id",
                    Severity::Warning,
                    known.get(page.page.as_str()).copied(),
                    None,
                    Some(&page.url),
                    format!("The page's ID {id:?} does not look like `{}`.", kind.id_pattern),
                    "Correct the page's ID property.",
                )),
                None => {
                    without_id(
                        world,
                        kind,
                        known.get(page.page.as_str()).copied(),
                        &page,
                        &mut blocked,
                    );
                }
            }
        }
        for (id, mut pages) in by_id {
            if pages.iter().any(|page| page.life != Life::Trashed) {
                pages.retain(|page| page.life != Life::Trashed);
            }
            let key = Key::new(&kind_name, id);
            if pages.len() > 1 {
                let urls: Vec<_> = pages.iter().map(|page| page.url.as_str()).collect();
                world.findings.push(finding(
                    "duplicate-page",
                    Severity::Error,
                    Some(&key),
                    None,
                    urls.first().copied(),
                    format!("{} pages have the ID of {key}: {}.", pages.len(), urls.join(" and ")),
                    "Keep one, and trash the others or give them ids of their own.",
                ));
                blocked.insert(key);
                continue;
            }
            for page in pages {
                if let Some(old) = known.get(page.page.as_str()).filter(|old| ***old != key) {
                    world.findings.push(finding(
                        "id-changed",
                        Severity::Error,
                        Some(old),
                        None,
                        Some(&page.url),
                        format!("The page of {old} now has the ID {}.", key.id),
                        &format!(
                            "Set the page's ID back, or say `agent-sync relabel {old} {key}`."
                        ),
                    ));
                    world.questions.insert((**old).clone(), Question::IdChanged);
                    blocked.insert((**old).clone());
                    blocked.insert(key.clone());
                    continue;
                }
                let record = eyes.book.record(&name, &key);
                if let Some(record) = record.filter(|record| record.page != page.page) {
                    // The known page is not listed any more, and another one claims its id.
                    world.findings.push(finding(
                        "id-taken",
                        Severity::Warning,
                        Some(&key),
                        None,
                        Some(&page.url),
                        format!("Another page than before ({}) has the ID of {key}.", record.url),
                        "If it replaces the old one, this run goes on with it; check its content.",
                    ));
                }
                world.page_of.insert(key.clone(), page.page.clone());
                world.key_of.insert(page.page.clone(), key.clone());
                let artifact = artifacts.entry(key.clone()).or_insert_with(|| Artifact::new(&key));
                artifact.presence = match page.life {
                    Life::Trashed => RemotePresence::Trashed,
                    _ => RemotePresence::Present,
                };
                artifact.page = Some(page);
            }
        }
    }
    for (key, entry) in &world.scan.files {
        let artifact = artifacts.entry(key.clone()).or_insert_with(|| Artifact::new(key));
        artifact.path = Some(entry.path.clone());
        artifact.file_digest = Some(entry.digest.clone());
    }
    classify(eyes, world, &mut artifacts, &name).await?;
    away(world, &mut artifacts);
    for key in &blocked {
        if let Some(artifact) = artifacts.get_mut(key) {
            artifact.blocked = true;
        }
    }
    artifacts.retain(|key, _| (eyes.selected)(key));
    Ok(artifacts)
}

/// Whether a text is what stands before the number of ids of this form: `INFRA`, or `INFRA-`.
fn is_scope(whole_id: Option<&Regex>, text: &str) -> bool {
    let scope = text.trim().trim_end_matches('-');
    !scope.is_empty() && whole_id.is_some_and(|id| id.is_match(&format!("{scope}-1")))
}

fn without_id(
    world: &mut World,
    kind: &Kind,
    known: Option<&Key>,
    page: &RemotePage,
    blocked: &mut BTreeSet<Key>,
) {
    if let Some(key) = known {
        world.findings.push(finding(
            "id-changed",
            Severity::Error,
            Some(key),
            None,
            Some(&page.url),
            format!("The page of {key} has lost its ID."),
            "Set the page's ID back.",
        ));
        world.questions.insert(key.clone(), Question::IdChanged);
        blocked.insert(key.clone());
        return;
    }
    let relations = kind.properties.iter().filter(|one| one.r#type == PropertyType::Relation);
    let related = relations.filter_map(|relation| match page.properties.get(&relation.name) {
        Some(Value::Set(pages)) => Some(pages.iter().cloned()),
        _ => None,
    });
    world.unnamed.entry(kind.name.clone()).or_default().push(Unnamed {
        page: page.page.clone(),
        url: page.url.clone(),
        id: page.id.clone(),
        related: related.flatten().collect(),
    });
    let title = kind.title().and_then(|title| page.properties.get(&title.name));
    world.findings.push(finding(
        "page-without-id",
        Severity::Warning,
        None,
        None,
        Some(&page.url),
        match (title, &page.id) {
            (Some(title), None) => {
                format!("The page \"{title}\" in {} has no ID.", kind.database)
            }
            (Some(title), Some(scope)) => {
                format!("The page \"{title}\" in {} has only {scope:?} as its ID.", kind.database)
            }
            (None, _) => format!("A page in {} has no ID.", kind.database),
        },
        "Give it an ID, or move it out of the database.",
    ));
    // Rule 5: a file with that title may be this page; two of it would be worse than a question.
    if let Some(Value::Text(title)) = title {
        world
            .loose_titles
            .entry(kind.name.clone())
            .or_default()
            .push((title.to_lowercase(), page.url.clone()));
    }
}

/// Rule 7: a known page that is not listed is looked at directly.
async fn classify(
    eyes: &Eyes<'_>,
    world: &mut World,
    artifacts: &mut BTreeMap<Key, Artifact>,
    name: &str,
) -> Result<(), RunError> {
    let mut ask = Vec::new();
    for record in eyes.book.records.values().filter(|record| record.backend == name) {
        let (Some(kind), Some(place)) =
            (eyes.kinds.get(&record.key.kind), eyes.places.get(&record.key.kind))
        else {
            continue;
        };
        if !(eyes.selected)(&record.key) {
            continue;
        }
        let artifact =
            artifacts.entry(record.key.clone()).or_insert_with(|| Artifact::new(&record.key));
        if artifact.path.is_none() {
            artifact.path.clone_from(&record.path);
        }
        if artifact.page.is_some() {
            continue;
        }
        let whole = world.listed.get(&kind.name).is_some_and(|listed| listed.whole);
        let calm = record.proposed.is_empty() && record.clean.is_some();
        if !whole && calm {
            // Not edited since the cursor: what the record says still holds.
            artifact.presence = RemotePresence::Present;
            continue;
        }
        ask.push((kind, place, record.key.clone(), record.page.clone(), record.url.clone()));
    }
    let answers: Vec<_> =
        stream::iter(ask.into_iter().map(|(kind, place, key, page, url)| async move {
            let presence = eyes.backend.page(kind, place, &page).await?;
            Ok::<_, BackendError>((key, url, presence))
        }))
        .buffer_unordered(eyes.backend.width())
        .try_collect()
        .await?;
    for (key, url, presence) in answers {
        let Some(artifact) = artifacts.get_mut(&key) else { continue };
        classified(&mut world.findings, artifact, &url, presence);
    }
    Ok(())
}

/// What a direct read of a page means for its artifact (rule 7).
pub(super) fn classified(
    findings: &mut Vec<Finding>,
    artifact: &mut Artifact,
    url: &str,
    presence: Presence,
) {
    let (presence, page, message) = match presence {
        Presence::Found(page) => match page.life {
            Life::Alive => (RemotePresence::Present, Some(*page), None),
            Life::Trashed => (RemotePresence::Trashed, Some(*page), None),
            Life::Archived => (RemotePresence::Away, Some(*page), Some("is archived")),
            Life::Moved => {
                (RemotePresence::Away, Some(*page), Some("was moved out of its database"))
            }
        },
        Presence::NotFound => {
            (RemotePresence::Away, None, Some("is not visible: gone, or not shared any more"))
        }
    };
    if let Some(message) = message {
        findings.push(finding(
            "page-away",
            Severity::Warning,
            Some(&artifact.key),
            artifact.path.as_deref(),
            Some(url),
            format!("The page of {} {message}; nothing is done with it.", artifact.key),
            "Bring the page back and share it with the connection, or trash it to delete the file.",
        ));
    }
    artifact.presence = presence;
    artifact.page = page;
}

/// Rule 9: a side that is suddenly empty is an accident until a person says otherwise.
pub(super) fn guard_emptiness(eyes: &Eyes<'_>, world: &World) -> Result<(), RunError> {
    let name = eyes.backend.name();
    for kind in eyes.kinds.values() {
        let based = eyes
            .book
            .records
            .values()
            .filter(|record| record.backend == name && record.key.kind == kind.name)
            .filter(|record| !record.bases.is_empty())
            .count();
        if based == 0 || eyes.allow_delete.is_some_and(|allowed| allowed >= based) {
            continue;
        }
        let files = world.scan.folders.get(&kind.name).map_or(0, |folder| folder.files);
        let listed = world.listed.get(&kind.name);
        let listed_none = listed.is_some_and(|listed| listed.whole && listed.count == 0);
        if files == 0 && listed_none {
            // Both sides agree that nothing is left.
            continue;
        }
        if files == 0 {
            return Err(RunError::Guarded(format!(
                "The folder {} has no {} although {based} were synced before. Nothing was changed. \
                 If they are really to be deleted, pass `--allow delete={based}`.",
                kind.folder, kind.database
            )));
        }
        if listed_none {
            return Err(RunError::Guarded(format!(
                "The database {} is empty although {based} pages were synced before. Nothing was changed. \
                 Restore the pages from the trash, or pass `--allow delete={based}` if the files are really to go.",
                kind.database
            )));
        }
    }
    Ok(())
}

/// Rule 15, `--allow history`: an artifact whose file is not the agreed one is treated as without base.
pub(super) fn forget(
    eyes: &mut Eyes<'_>,
    artifacts: &BTreeMap<Key, Artifact>,
) -> Result<(), RunError> {
    let name = eyes.backend.name().to_owned();
    for (key, artifact) in artifacts {
        if let Some(record) = eyes.book.records.get_mut(&(name.clone(), key.clone()))
            && (record.clean.is_none() || record.clean != artifact.file_digest)
        {
            record.bases.clear();
            record.agreed = None;
            record.moved.clear();
            record.proposed.clear();
            record.clean = None;
        }
    }
    Ok(())
}

/// Rule 8: a file that vanished and a new one that shares half of its lines are likely one document.
pub(super) async fn identity_changes(
    eyes: &mut Eyes<'_>,
    world: &mut World,
    artifacts: &mut BTreeMap<Key, Artifact>,
) -> Result<(), RunError> {
    let name = eyes.backend.name().to_owned();
    let two = |key: &Key| {
        let distinct = &eyes.book.meta.distinct;
        distinct.iter().any(|other| other.backend == name && other.key == *key)
    };
    let vanished: Vec<Key> = artifacts
        .values()
        .filter(|artifact| {
            !artifact.blocked
                && !two(&artifact.key)
                && matches!(
                    artifact.existence,
                    Existence::TrashRemote | Existence::DeletedAgainstEdit(Side::Local)
                )
        })
        .map(|artifact| artifact.key.clone())
        .collect();
    if vanished.is_empty() {
        return Ok(());
    }
    let new: Vec<Key> = artifacts
        .values()
        .filter(|artifact| !artifact.blocked && artifact.existence == Existence::CreateRemote)
        .map(|artifact| artifact.key.clone())
        .collect();
    for old in vanished {
        let base = eyes
            .book
            .record(&name, &old)
            .and_then(|record| record.base(&Stretch::Body))
            .and_then(|pair| pair.local.as_ref())
            .and_then(Content::text)
            .map(str::to_owned);
        let Some(base) = base else { continue };
        let text = eyes.book.text(&base).await?;
        let likely = new.iter().find(|key| {
            artifacts
                .get(*key)
                .and_then(|artifact| artifact.file.as_ref())
                .is_some_and(|file| plan::shares_half(&text, &file.text))
        });
        let Some(likely) = likely.cloned() else { continue };
        let path = artifacts.get(&likely).and_then(|artifact| artifact.path.clone());
        world.findings.push(finding(
            "id-changed",
            Severity::Error,
            Some(&likely),
            path.as_deref(),
            None,
            format!("{likely} looks like {old} under a new id; nothing is created or trashed for either."),
            &format!(
                "Say `agent-sync relabel {old} {likely}`, or `agent-sync resolve {old} --keep local` if they are two."
            ),
        ));
        world.questions.insert(old.clone(), Question::Vanished(likely.clone()));
        for key in [&old, &likely] {
            if let Some(artifact) = artifacts.get_mut(key) {
                artifact.blocked = true;
            }
        }
    }
    Ok(())
}
