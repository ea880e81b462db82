//! Observation: what the repository and one backend hold now, put beside what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_sync_core::kind::Kinds;
use agent_sync_core::markdown::Web;
use agent_sync_core::model::{Finding, Key, Severity, Stretch};
use agent_sync_core::plan::{Content, Existence, Observed, RemotePresence, Step};
use jiff::Timestamp;

use super::book::{Book, Seen};
use super::file::LocalFile;
use super::history::Published;
use super::links::Paths;
use super::relabel::{Claim, Relabel};
use super::resolve::Question;
use super::{Progress, RunError};
use crate::backend::{Backend, Identity, Place, RemotePage};
use crate::repo::Vcs;
use crate::repo::{Scan, Tree};
use crate::state::StateError;
use compare::compare;
use identify::{forget, guard_emptiness, identify, list};
use named::Named;

mod claims;
mod compare;
mod identify;
mod named;
mod stretches;
mod trace;

pub(super) use compare::body_content;
pub(super) use stretches::{local_contents, nameless, synced_properties};

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

impl RemoteBody {
    /// The text, from the state where it was not read in this run.
    ///
    /// # Errors
    /// What the state says.
    pub(super) async fn whole(&self, book: &Book) -> Result<String, StateError> {
        match &self.text {
            Some(text) => Ok(text.clone()),
            None => book.text(&self.id).await,
        }
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
    pub file: Option<Arc<LocalFile>>,
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
    /// The value that both sides get, for a set that both changed.
    pub(super) fn joined(&self, stretch: &Stretch) -> Option<Option<Content>> {
        match self.steps.get(stretch) {
            Some(Step::Join { value, .. }) => Some(value.clone()),
            _ => None,
        }
    }

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

/// A page that no artifact has.
#[derive(Clone, Debug)]
pub(super) struct Unnamed {
    /// Backend id of the page.
    pub page: String,
    /// Address for people.
    pub url: String,
    /// What stands in its ID property: nothing, or the scope alone.
    pub id: Option<String>,
    /// Pages that its relations name.
    pub related: BTreeSet<String>,
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
    /// Pages without an id that are no artifact's, by kind.
    pub unnamed: BTreeMap<String, Vec<Unnamed>>,
    /// Pages that have to get the id of their artifact.
    pub claims: BTreeMap<Key, Claim>,
    /// Relabels that are not applied yet.
    pub pending: Vec<Relabel>,
    /// Of files that name their page.
    pub named: Named,
    /// Questions about identity, by artifact.
    pub questions: BTreeMap<Key, Question>,
    /// Files that this run made.
    pub made: BTreeMap<Key, String>,
    /// What the links of the files need.
    pub paths: Paths,
    /// Whether the backend computes properties; see [`Backend::computes`].
    pub computes: bool,
    /// Pages whose body is another one than their time stamps say; found where every body is read.
    pub hidden: BTreeSet<Key>,
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
    /// Look at every file, and keep every artifact, whether it changed or not.
    pub every: bool,
    /// Read every body, whatever the time stamps say.
    pub reread: bool,
    /// Age at which a large database is listed whole again.
    pub full_every: std::time::Duration,
    /// Our own user.
    pub identity: Identity,
    /// The repository.
    pub git: &'a dyn Vcs,
    /// The default branch.
    pub published: &'a Published,
    /// So many deletions are allowed in this run (rule 9).
    pub allow_delete: Option<usize>,
    /// History was rewritten and a person allowed it: artifacts that are not at their base have none.
    pub forget: bool,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Whether what differs will be written, so that the texts of all bases are needed.
    pub writes: bool,
    /// This working tree; see [`Vcs::work_tree_id`].
    pub work_tree: Option<&'a str>,
    /// The repository's address on the web.
    pub web: Option<&'a Web>,
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
        about: None,
    }
}

/// Artifacts with a file and no page yet.
fn pending(world: &World, matched: &BTreeMap<Key, Artifact>) -> BTreeSet<Key> {
    let new = |artifact: &&Artifact| {
        artifact.presence == RemotePresence::Absent
            && artifact.file_digest.is_some()
            && !artifact.blocked
            && !world.page_of.contains_key(&artifact.key)
            && world.places.contains_key(&artifact.key.kind)
    };
    matched.values().filter(new).map(|artifact| artifact.key.clone()).collect()
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
        claims: BTreeMap::new(),
        pending: Vec::new(),
        named: Named::default(),
        questions: BTreeMap::new(),
        made: BTreeMap::new(),
        hidden: BTreeSet::new(),
        paths: Paths::new(eyes.tree, eyes.web, eyes.book, eyes.backend, |key| {
            eyes.kinds.contains_key(&key.kind)
        }),
        computes: eyes.backend.computes(),
    };
    let mut pages = list(&eyes, &mut world).await?;
    let by_name = named::follow(&eyes, &mut world, &mut pages).await?;
    claims::relabels(&mut eyes, &mut world, &mut pages, by_name).await?;
    claims::share_out(&eyes, &world, &mut pages);
    let matched = identify(&eyes, &mut world, pages).await?;
    guard_emptiness(&eyes, &world)?;
    world.paths.pending = pending(&world, &matched);
    world.refresh_links();
    let name = eyes.backend.name().to_owned();
    let open: BTreeSet<Key> = matched
        .keys()
        .filter(|key| {
            eyes.book.record(&name, key).is_some_and(|record| !record.proposed.is_empty())
        })
        .cloned()
        .collect();
    let (git, backend) = (eyes.git, eyes.backend);
    super::finish::adopt(git, eyes.tree, eyes.book, &world, eyes.published, backend, &open).await?;
    if eyes.forget {
        forget(&mut eyes, &matched)?;
    }
    compare(&mut eyes, &mut world, matched).await?;
    Ok(world)
}
