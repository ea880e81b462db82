//! Observation: what the repository and one backend hold now, put beside what is known of them.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::document::{self, Document};
use agent_sync_core::kind::{Kind, Kinds, PropertyType};
use agent_sync_core::markdown::{self, Hunk, Local};
use agent_sync_core::model::{Finding, Key, Properties, Severity, Side, Stretch, Value};
use agent_sync_core::plan::{
    self, Content, Existence, LocalPresence, Observed, Pair, RemotePresence, Step,
};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use regex::Regex;

use super::book::{Book, Intent, Record, Seen, text_id};
use super::history::{self, Published};
use super::remote::FileText;
use super::{Phase, Progress, RunError};
use crate::backend::{Backend, BackendError, Identity, Life, Place, Presence, RemotePage};
use crate::repo::git::Git;
use crate::repo::{Scan, Tree};

/// Reads under way at once. High enough that latency is not the limit; the client has a cap of its own.
const READS: usize = 16;

/// A body of a page as known now.
#[derive(Clone, Debug)]
pub struct RemoteBody {
    /// Text in the backend's dialect; read in this run, or none while it is the one that the record names.
    pub text: Option<String>,
    /// Id of the text.
    pub id: String,
    /// Digest of the canonical form.
    pub digest: String,
    /// False when the backend gave only a part.
    pub complete: bool,
    /// Begin of the read, where it was read in this run.
    pub began: Option<Timestamp>,
}

/// A file as read.
#[derive(Clone, Debug)]
pub struct LocalFile {
    /// The whole text.
    pub text: String,
    /// Its properties and their places.
    pub document: Document,
}

impl LocalFile {
    /// The file's body for the Markdown functions.
    pub fn body<'a>(&'a self, kind: &Kind) -> Local<'a> {
        Local { text: &self.text, excluded: &self.document.excluded, format: kind.format }
    }
}

/// One artifact as observed and decided.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Identity.
    pub key: Key,
    /// Path of the file, or of the one that it had.
    pub path: Option<String>,
    /// Digest of the file, where there is one.
    pub file_digest: Option<String>,
    /// The file, where it had to be read.
    pub file: Option<LocalFile>,
    /// The page, where there is one.
    pub page: Option<RemotePage>,
    /// Whether the page is there.
    pub presence: RemotePresence,
    /// The page's body.
    pub body: Option<RemoteBody>,
    /// Each stretch with what both sides hold.
    pub stretches: BTreeMap<Stretch, Observed>,
    /// What is to be done with each.
    pub steps: BTreeMap<Stretch, Step>,
    /// What is to be done with the artifact as a whole.
    pub existence: Existence,
    /// Relation members of the file that have no page, by property: never written, never lost.
    pub local_only: BTreeMap<String, BTreeSet<String>>,
    /// Relation members of the page that are no artifacts, by property: kept in every write.
    pub remote_only: BTreeMap<String, BTreeSet<String>>,
    /// Nothing is done with it; the finding says why.
    pub blocked: bool,
}

impl Artifact {
    fn new(key: &Key) -> Self {
        Self {
            key: key.clone(),
            path: None,
            file_digest: None,
            file: None,
            page: None,
            presence: RemotePresence::Absent,
            body: None,
            stretches: BTreeMap::new(),
            steps: BTreeMap::new(),
            existence: Existence::LeftAlone,
            local_only: BTreeMap::new(),
            remote_only: BTreeMap::new(),
            blocked: false,
        }
    }
}

/// How a kind was listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// Begin by the backend's clock.
    pub began: Timestamp,
    /// Whether it was whole.
    pub whole: bool,
    /// Pages listed.
    pub count: usize,
}

/// Everything observed of one backend.
pub(super) struct World {
    /// Kinds that take part, by name.
    pub kinds: Kinds,
    /// Where they live.
    pub places: BTreeMap<String, Place>,
    /// The repository's files.
    pub scan: Scan,
    /// Artifacts that differ or are worth a word; the rest is counted.
    pub artifacts: BTreeMap<Key, Artifact>,
    /// Artifacts at which nothing changed on either side.
    pub unchanged: usize,
    /// Findings.
    pub findings: Vec<Finding>,
    /// How each kind was listed.
    pub listed: BTreeMap<String, Listed>,
    /// Page of each artifact that has one.
    pub page_of: BTreeMap<Key, String>,
    /// The same the other way round.
    pub key_of: BTreeMap<String, Key>,
    /// Our own user on that backend.
    pub identity: Identity,
    /// Titles of pages without an id, by kind: (title in lower case, address).
    pub loose_titles: BTreeMap<String, Vec<(String, String)>>,
    /// Pages without an id that are no artifact's, by kind: (page, address).
    pub unnamed: BTreeMap<String, Vec<(String, String)>>,
    /// Files that this run made.
    pub made: BTreeMap<Key, String>,
}

/// What [`observe`] needs.
pub(super) struct Eyes<'a> {
    /// The working tree.
    pub tree: &'a Tree,
    /// The backend.
    pub backend: &'a dyn Backend,
    /// The state.
    pub book: &'a mut Book,
    /// Kinds that take part.
    pub kinds: Kinds,
    /// Places of these kinds.
    pub places: BTreeMap<String, Place>,
    /// Whether an artifact is selected.
    pub selected: &'a (dyn Fn(&Key) -> bool + Sync),
    /// Compare everything.
    pub full: bool,
    /// Age at which a large database is listed whole again.
    pub full_every: std::time::Duration,
    /// Our own user.
    pub identity: Identity,
    /// The repository.
    pub git: &'a Git,
    /// The default branch.
    pub published: &'a Published,
    /// So many deletions are allowed in this run (rule 9).
    pub allow_delete: Option<usize>,
    /// History was rewritten and a person allowed it: artifacts that are not at their base have none.
    pub forget: bool,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// This working tree; see [`Git::work_tree_id`].
    pub work_tree: Option<&'a str>,
}

/// Cuts a time to its minute.
pub(super) fn minute(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(time)
}

/// Whether the body known for a page is still the page's body (rule 6).
pub(super) fn settled(seen: &Seen, page: &RemotePage, identity: &Identity) -> bool {
    if seen.digest.is_none() {
        return false;
    }
    if seen.edited == Some(page.edited) && seen.read.is_some_and(|read| read > page.edited) {
        return true;
    }
    let ours = identity.bot && page.edited_by.as_deref() == Some(identity.id.as_str());
    // A write that began at the end of a minute may be dated in the next one.
    ours && seen.wrote.is_some_and(|wrote| {
        page.edited == wrote || page.edited.as_second() == wrote.as_second() + 60
    })
}

fn finding(
    rule: &str,
    severity: Severity,
    key: Option<&Key>,
    path: Option<&str>,
    url: Option<&str>,
    message: String,
    fix: &str,
) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity,
        key: key.cloned(),
        path: path.map(str::to_owned),
        line: path.map(|_| 1),
        url: url.map(str::to_owned),
        message,
        fix: fix.to_owned(),
    }
}

/// Reads both sides and decides every stretch.
///
/// # Errors
/// What the backend, the state or the working tree says.
pub(super) async fn observe(mut eyes: Eyes<'_>) -> Result<World, RunError> {
    let scan = eyes.tree.scan(&eyes.kinds, &eyes.kinds.keys().cloned().collect());
    let mut world = World {
        kinds: eyes.kinds.clone(),
        places: eyes.places.clone(),
        findings: scan.findings.clone(),
        scan,
        artifacts: BTreeMap::new(),
        unchanged: 0,
        listed: BTreeMap::new(),
        page_of: BTreeMap::new(),
        key_of: BTreeMap::new(),
        identity: eyes.identity.clone(),
        loose_titles: BTreeMap::new(),
        unnamed: BTreeMap::new(),
        made: BTreeMap::new(),
    };
    let pages = list(&eyes, &mut world).await?;
    let matched = identify(&eyes, &mut world, pages).await?;
    guard_emptiness(&eyes, &world)?;
    let name = eyes.backend.name().to_owned();
    let open: BTreeSet<Key> = matched
        .keys()
        .filter(|key| {
            eyes.book.record(&name, key).is_some_and(|record| !record.proposed.is_empty())
        })
        .cloned()
        .collect();
    super::finish::adopt(eyes.git, eyes.tree, eyes.book, &world, eyes.published, &name, &open)
        .await?;
    if eyes.forget {
        forget(&mut eyes, &matched)?;
    }
    compare(&mut eyes, &mut world, matched).await?;
    Ok(world)
}

/// Lists every kind, whole where it costs no more or is due (rule 6).
async fn list(
    eyes: &Eyes<'_>,
    world: &mut World,
) -> Result<BTreeMap<String, Vec<RemotePage>>, RunError> {
    let name = eyes.backend.name();
    let meta = eyes.book.meta.backends.get(name);
    let jobs = eyes.kinds.values().filter_map(|kind| {
        let place = eyes.places.get(&kind.name)?;
        let cursor = meta.and_then(|meta| meta.cursors.get(&kind.name));
        let since = cursor.filter(|cursor| cursor.count > 100 && !eyes.full).and_then(|cursor| {
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
        .buffer_unordered(READS)
        .inspect(|_| {
            listed += 1;
            eyes.progress.at(Phase::Listing, listed, total);
        })
        .try_collect()
        .await?;
    let mut pages = BTreeMap::new();
    for (kind, unfiltered, listing) in listings {
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
async fn identify(
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
    for (kind_name, pages) in listed {
        let Some(kind) = eyes.kinds.get(&kind_name) else { continue };
        let whole_id = Regex::new(&format!("^(?:{})$", kind.id_pattern)).ok();
        let mut by_id: BTreeMap<String, Vec<RemotePage>> = BTreeMap::new();
        for page in pages {
            match page.id.clone() {
                Some(id) if whole_id.as_ref().is_some_and(|pattern| pattern.is_match(&id)) => {
                    by_id.entry(id).or_default().push(page);
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
        for (id, pages) in by_id {
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
                        "Set the page's ID back, or name the new id with `agent-sync relabel`.",
                    ));
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
                artifact.presence = RemotePresence::Present;
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
    for key in &blocked {
        if let Some(artifact) = artifacts.get_mut(key) {
            artifact.blocked = true;
        }
    }
    artifacts.retain(|key, _| (eyes.selected)(key));
    Ok(artifacts)
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
        blocked.insert(key.clone());
        return;
    }
    world.unnamed.entry(kind.name.clone()).or_default().push((page.page.clone(), page.url.clone()));
    let title = kind.title().and_then(|title| page.properties.get(&title.name));
    world.findings.push(finding(
        "page-without-id",
        Severity::Warning,
        None,
        None,
        Some(&page.url),
        match title {
            Some(title) => format!("The page \"{title}\" in {} has no ID.", kind.database),
            None => format!("A page in {} has no ID.", kind.database),
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
        .buffer_unordered(READS)
        .try_collect()
        .await?;
    for (key, url, presence) in answers {
        let Some(artifact) = artifacts.get_mut(&key) else { continue };
        classified(&mut world.findings, artifact, &url, presence);
    }
    Ok(())
}

/// What a direct read of a page means for its artifact (rule 7).
fn classified(findings: &mut Vec<Finding>, artifact: &mut Artifact, url: &str, presence: Presence) {
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
fn guard_emptiness(eyes: &Eyes<'_>, world: &World) -> Result<(), RunError> {
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
fn forget(eyes: &mut Eyes<'_>, artifacts: &BTreeMap<Key, Artifact>) -> Result<(), RunError> {
    let name = eyes.backend.name().to_owned();
    for (key, artifact) in artifacts {
        if let Some(record) = eyes.book.records.get_mut(&(name.clone(), key.clone()))
            && (record.clean.is_none() || record.clean != artifact.file_digest)
        {
            record.bases.clear();
            record.proposed.clear();
            record.clean = None;
        }
    }
    Ok(())
}

/// Reads the bodies and files that are needed, and decides.
async fn compare(
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
pub(super) fn body_content(digest: &str, text: &str, empty: bool) -> Option<Content> {
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

/// Properties that are stretches: all but the id, which is the identity itself.
pub(super) fn synced_properties(
    kind: &Kind,
) -> impl Iterator<Item = &agent_sync_core::kind::Property> {
    kind.properties.iter().filter(|property| property.source != agent_sync_core::kind::Source::Id)
}

enum Remote {
    Value(Option<Value>),
    /// A select value outside the list: left alone on both sides.
    Unknown,
}

fn remote_value(
    kind: &Kind,
    property: &agent_sync_core::kind::Property,
    page: &RemotePage,
    world: &World,
    foreign: &mut BTreeMap<String, BTreeSet<String>>,
) -> Remote {
    let value = page.properties.get(&property.name).cloned();
    match (property.r#type, value) {
        (PropertyType::Relation, Some(Value::Set(pages))) => {
            let target = property.target.as_deref().unwrap_or(&kind.name);
            let mut ids = BTreeSet::new();
            for page in pages {
                match world.key_of.get(&page).filter(|key| key.kind == target) {
                    Some(key) => {
                        ids.insert(key.id.clone());
                    }
                    None => {
                        foreign.entry(property.name.clone()).or_default().insert(page);
                    }
                }
            }
            Remote::Value(Value::set(ids))
        }
        (PropertyType::Select, Some(Value::Text(text)))
            if !property.options.is_empty()
                && !property.allow_new_options
                && property.option_of_local(&text).is_none() =>
        {
            Remote::Unknown
        }
        (_, value) => Remote::Value(value),
    }
}

/// Splits a file's relation into members that are or will be pages, and those that are not. Other values pass.
fn linked(
    world: &World,
    kind: &Kind,
    property: &agent_sync_core::kind::Property,
    value: Option<Value>,
) -> (Option<Value>, BTreeSet<String>) {
    let (PropertyType::Relation, Some(Value::Set(ids))) = (property.r#type, &value) else {
        return (value, BTreeSet::new());
    };
    let target = property.target.as_deref().unwrap_or(&kind.name);
    let (linked, alone): (BTreeSet<String>, BTreeSet<String>) =
        ids.iter().cloned().partition(|id| {
            let key = Key::new(target, id.clone());
            world.page_of.contains_key(&key)
                || (world.scan.files.contains_key(&key) && world.places.contains_key(target))
        });
    (Value::set(linked), alone)
}

/// What a version of a file holds, by stretch.
pub(super) fn local_contents(
    world: &World,
    kind: &Kind,
    key: &Key,
    path: &str,
    text: &str,
) -> BTreeMap<Stretch, Option<Content>> {
    let document = document::parse(kind, &key.id, path, text);
    let mut contents = BTreeMap::new();
    for property in synced_properties(kind) {
        if document.unsynced.contains(&property.name) {
            continue;
        }
        let value = document.values.get(&property.name).map(|located| located.value.clone());
        let (value, _) = linked(world, kind, property, value);
        contents.insert(Stretch::Property(property.name.clone()), value.map(Content::Value));
    }
    let local = Local { text, excluded: &document.excluded, format: kind.format };
    let digest = markdown::local_digest(&local);
    let empty = digest == markdown::empty_digest();
    contents.insert(Stretch::Body, body_content(&digest, &text_id(text.as_bytes()), empty));
    contents
}

/// Puts both sides of every stretch beside what is known.
fn stretches(world: &mut World, kind: &Kind, artifact: &mut Artifact, record: Option<&Record>) {
    let dialect_empty = markdown::empty_digest();
    let observed = |stretch: &Stretch, local: Option<Content>, remote: Option<Content>| Observed {
        base: record.and_then(|record| record.base(stretch)).cloned(),
        proposed: record.map(|record| record.proposals(stretch).to_vec()).unwrap_or_default(),
        local,
        remote,
    };
    let mut foreign = BTreeMap::new();
    let unlisted: Properties = match (&artifact.page, record) {
        (None, Some(record)) if artifact.presence == RemotePresence::Present => {
            super::book::remote_properties(record)
        }
        _ => Properties::new(),
    };
    for property in synced_properties(kind) {
        let stretch = Stretch::Property(property.name.clone());
        if artifact
            .file
            .as_ref()
            .is_some_and(|file| file.document.unsynced.contains(&property.name))
        {
            continue;
        }
        let value = artifact
            .file
            .as_ref()
            .and_then(|file| file.document.values.get(&property.name))
            .map(|located| located.value.clone());
        let (local, alone) = linked(world, kind, property, value);
        if !alone.is_empty() {
            artifact.local_only.insert(property.name.clone(), alone);
        }
        let remote = match &artifact.page {
            Some(page) if artifact.presence == RemotePresence::Present => {
                match remote_value(kind, property, page, world, &mut foreign) {
                    Remote::Value(value) => value,
                    Remote::Unknown => {
                        let text = page.properties.get(&property.name).map(Value::to_string);
                        world.findings.push(finding(
                            "unknown-option",
                            Severity::Warning,
                            Some(&artifact.key),
                            artifact.path.as_deref(),
                            Some(&page.url),
                            format!(
                                "{} of the page of {} is {:?}, which is not in the configured list; it is left alone.",
                                property.name,
                                artifact.key,
                                text.unwrap_or_default()
                            ),
                            "Choose one of the configured options, or add this one to the configuration.",
                        ));
                        continue;
                    }
                }
            }
            _ => unlisted.get(&property.name).cloned(),
        };
        let seen = observed(&stretch, local.map(Content::Value), remote.map(Content::Value));
        artifact.stretches.insert(stretch, seen);
    }
    artifact.remote_only = foreign;
    let local = artifact.file.as_ref().and_then(|file| {
        let digest = markdown::local_digest(&file.body(kind));
        let empty = digest == dialect_empty;
        body_content(&digest, &text_id(file.text.as_bytes()), empty)
    });
    let remote = artifact
        .body
        .as_ref()
        .and_then(|body| body_content(&body.digest, &body.id, body.digest == dialect_empty));
    artifact.stretches.insert(Stretch::Body, observed(&Stretch::Body, local, remote));
}

/// Rule 16: writes of a run that did not end, seen from their traces.
async fn recover(
    eyes: &mut Eyes<'_>,
    world: &World,
    kind: &Kind,
    artifact: &mut Artifact,
    intent: &Intent,
) -> Result<(), RunError> {
    let Some(page) = &artifact.page else { return Ok(()) };
    let ours = page.edited_by.as_deref() == Some(world.identity.id.as_str())
        && page.edited >= minute(intent.at);
    if !ours {
        return Ok(());
    }
    for (name, sent) in &intent.values {
        let Some(seen) = artifact.stretches.get_mut(&Stretch::Property(name.clone())) else {
            continue;
        };
        let sent = sent.clone().map(Content::Value);
        let now = Pair { local: seen.local.clone(), remote: seen.remote.clone() };
        let written = Pair { local: sent.clone(), remote: sent };
        // What the file holds beyond that was still to be sent, or was changed there since.
        if !written.same(&now) && written.holds(Side::Remote, now.remote.as_ref()) {
            seen.base = Some(written);
        }
    }
    let (Some(body), Some(local)) = (artifact.body.clone(), &intent.local) else { return Ok(()) };
    let Some(text) = &body.text else { return Ok(()) };
    if body.digest == markdown::empty_digest() {
        return Ok(());
    }
    let dialect = eyes.backend.dialect();
    let (before, hunks) = match (&intent.before, local.text()) {
        (Some(before), _) => (eyes.book.text(before).await?, intent.hunks.clone()),
        // A body that was sent whole, to a page that had none.
        (None, Some(id)) => {
            let path = artifact.path.as_deref().unwrap_or_default();
            let sent = FileText::new(kind, &artifact.key, path, eyes.book.text(id).await?);
            let new = markdown::render_remote(&sent.local(), dialect);
            (String::new(), vec![Hunk { at: 0..0, old: String::new(), new }])
        }
        (None, None) => return Ok(()),
    };
    let remote = match markdown::recover(dialect, &before, &hunks, text) {
        markdown::Recovery::Applied(answer) => answer.base,
        markdown::Recovery::NotApplied | markdown::Recovery::Unclear => return Ok(()),
    };
    let digest = markdown::remote_digest(eyes.backend.dialect(), &remote);
    let id = eyes.book.keep(&remote);
    let pair = Pair { local: Some(local.clone()), remote: body_content(&digest, &id, false) };
    if let Some(seen) = artifact.stretches.get_mut(&Stretch::Body) {
        seen.proposed.push(pair);
    }
    Ok(())
}

/// A stretch that differs from its base on both sides is no conflict where the page is as the newest proposal left
/// it and the file goes on from there (rule 15). That is proved if commits of this branch hold the proposal; if all
/// that was proposed was pushed from this working tree, so that nothing of anybody else can be lost; or if the
/// file holds all that the proposal brought.
async fn follow(
    eyes: &mut Eyes<'_>,
    world: &World,
    kind: &Kind,
    artifact: &mut Artifact,
    record: Option<&Record>,
) -> Result<(), RunError> {
    let clashes: Vec<(Stretch, Pair)> = artifact
        .steps
        .iter()
        .filter(|(_, step)| matches!(step, Step::Conflict(_)))
        .filter_map(|(stretch, _)| {
            let seen = artifact.stretches.get(stretch)?;
            let last = seen.proposed.last()?;
            last.holds(Side::Remote, seen.remote.as_ref()).then(|| (stretch.clone(), last.clone()))
        })
        .collect();
    if clashes.is_empty() {
        return Ok(());
    }
    let committed = unpublished(eyes, world, kind, &artifact.key).await?;
    for (stretch, last) in clashes {
        let in_history = committed.iter().any(|contents| {
            contents.get(&stretch).is_some_and(|content| last.holds(Side::Local, content.as_ref()))
        });
        let own = record.is_some_and(|record| {
            record.is_pushed_by(&stretch, eyes.work_tree)
                && record.proposals(&stretch).last().is_some_and(|newest| newest.same(&last))
        });
        let follows = in_history
            || own
            || (stretch == Stretch::Body && included(eyes, artifact, &last).await?);
        if follows {
            artifact.steps.insert(stretch, Step::Push(Some(last)));
        }
    }
    Ok(())
}

/// What the commits of this checkout that are not on the default branch yet hold of an artifact.
async fn unpublished(
    eyes: &Eyes<'_>,
    world: &World,
    kind: &Kind,
    key: &Key,
) -> Result<Vec<BTreeMap<Stretch, Option<Content>>>, RunError> {
    let Published::Branch { head: published, .. } = eyes.published else { return Ok(Vec::new()) };
    let Some(head) = eyes.git.head().await? else { return Ok(Vec::new()) };
    let branch = Published::Branch { head: Some(head), since: published.clone() };
    let keys = BTreeSet::from([key.clone()]);
    let held =
        history::held(eyes.git, eyes.tree, &branch, &world.kinds, &BTreeMap::new(), &keys).await?;
    let files = held.into_values().flatten().flatten();
    Ok(files.map(|file| local_contents(world, kind, key, &file.path, &file.text)).collect())
}

/// Whether a body holds, word for word, what a proposal brought.
async fn included(eyes: &Eyes<'_>, artifact: &Artifact, last: &Pair) -> Result<bool, RunError> {
    let text = |content: Option<&Content>| content.and_then(Content::text).map(str::to_owned);
    let base = artifact.stretches.get(&Stretch::Body).and_then(|seen| seen.base.as_ref());
    let base = match text(base.and_then(|base| base.local.as_ref())) {
        Some(id) => eyes.book.text(&id).await?,
        None => String::new(),
    };
    let (Some(id), Some(file)) = (text(last.local.as_ref()), &artifact.file) else {
        return Ok(false);
    };
    let proposal = eyes.book.text(&id).await?;
    Ok(plan::includes(&base, &proposal, &file.text))
}

/// Rule 8: a file that vanished and a new one that shares half of its lines are likely one document.
async fn identity_changes(
    eyes: &mut Eyes<'_>,
    world: &mut World,
    artifacts: &mut BTreeMap<Key, Artifact>,
) -> Result<(), RunError> {
    let name = eyes.backend.name().to_owned();
    let vanished: Vec<Key> = artifacts
        .values()
        .filter(|artifact| {
            !artifact.blocked
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
            "Say `agent-sync relabel OLD NEW`, or `agent-sync resolve OLD --keep local` if they are two.",
        ));
        for key in [&old, &likely] {
            if let Some(artifact) = artifacts.get_mut(key) {
                artifact.blocked = true;
            }
        }
    }
    Ok(())
}
