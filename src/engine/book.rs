//! The state as the engine works with it: records, proposals, cursors, intents, decisions (design §7).
//!
//! Tree of the state commit: `format` (kept by the store), `meta.json`, `index.jsonl` (a line per artifact and backend),
//! `texts/<aa>/<rest of sha256>` (base texts; Git keeps one blob for equal files, so a text that the repository
//! has costs nothing), `intents/<run>.json`, `replaced/<run>/…` (what a write replaced, whole).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_sync_core::markdown::{Dialect, Hunk};
use agent_sync_core::model::{Key, Properties, Side, Stretch, Value};
use agent_sync_core::plan::{Conflict, Content, Pair};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::comments::Commented;
use super::environment::Shown;
use super::links::Led;
use super::publishing::Outgoing;
use super::relabel::Relabel;
use super::resolve::{Distinct, Gone};
use crate::backend::{Identity, Place};
use crate::report::OpenConflict;
use crate::state::{Snapshot, StateError, Store};

/// Id of a text: its SHA-256 in lower-case hex.
pub(super) fn text_id(text: &[u8]) -> String {
    crate::hex::digest(text)
}

fn text_path(id: &str) -> String {
    let (head, tail) = id.split_at(id.len().min(2));
    format!("texts/{head}/{tail}")
}

/// The grammar of states that do not name one.
fn is_first(dialect: &Dialect) -> bool {
    *dialect == Dialect::default()
}

/// What is known about one artifact on one backend: a line of `index.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Name of the backend.
    pub backend: String,
    /// The artifact.
    #[serde(flatten)]
    pub key: Key,
    /// Backend id of its page.
    pub page: String,
    /// Address of the page for people.
    #[serde(default)]
    pub url: String,
    /// Path of its file, as last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Digest of the file when every stretch of it was at its base and nothing was proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<String>,
    /// Bases by stretch; see [`stretch_name`].
    #[serde(default)]
    pub bases: BTreeMap<String, Pair>,
    /// When the first of these bases was agreed; none where an older version recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Date>,
    /// By stretch, when its base was agreed, where that was later.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moved: BTreeMap<String, Date>,
    /// Open proposals by stretch, oldest first (rule 15).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proposed: BTreeMap<String, Vec<Pair>>,
    /// By stretch, the working tree that all its open proposals were pushed from: what they brought to the page is
    /// nobody else's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pushed_by: BTreeMap<String, String>,
    /// Where the links of that file led that are paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Led>,
    /// Grammar of the page's texts, in the bases and proposals and in what was seen.
    #[serde(default, skip_serializing_if = "is_first")]
    pub dialect: Dialect,
    /// When the page was edited and read.
    #[serde(default)]
    pub seen: Seen,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// The minutes of rule 6.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The page's last edit, as it was when its body was last read or written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Timestamp>,
    /// Minute in which that read began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Timestamp>,
    /// Minute of our body write, where it was our last request to the page and its answer is our base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrote: Option<Timestamp>,
    /// Id of the body's text at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Digest of that body's canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Name of a stretch in a record.
pub(super) fn stretch_name(stretch: &Stretch) -> String {
    match stretch {
        Stretch::Body => "body".to_owned(),
        Stretch::Property(name) => format!("property:{name}"),
    }
}

/// The stretch of that name.
pub(super) fn stretch_of(name: &str) -> Stretch {
    match name.strip_prefix("property:") {
        Some(name) => Stretch::Property(name.to_owned()),
        None => Stretch::Body,
    }
}

impl Record {
    /// A record of a page without any base.
    pub(super) fn new(backend: &str, key: &Key, page: &str, url: &str, dialect: Dialect) -> Self {
        Self {
            backend: backend.to_owned(),
            key: key.clone(),
            page: page.to_owned(),
            url: url.to_owned(),
            path: None,
            clean: None,
            links: Vec::new(),
            bases: BTreeMap::new(),
            agreed: None,
            moved: BTreeMap::new(),
            proposed: BTreeMap::new(),
            pushed_by: BTreeMap::new(),
            dialect,
            seen: Seen::default(),
            other: serde_json::Map::new(),
        }
    }

    /// The base of a stretch.
    pub(super) fn base(&self, stretch: &Stretch) -> Option<&Pair> {
        self.bases.get(&stretch_name(stretch))
    }

    /// The base of a stretch becomes another one on this day, by the backend's clock. Where blocks still clash, what
    /// they hold was agreed earlier, and the old day stays.
    pub(super) fn rebase(&mut self, name: &str, base: Pair, day: Option<Date>) {
        if self.bases.get(name) == Some(&base) {
            return;
        }
        let first = self.bases.is_empty() && self.agreed.is_none();
        let clashes = !base.open.is_empty() && self.bases.contains_key(name);
        self.bases.insert(name.to_owned(), base);
        match day {
            _ if clashes => {}
            Some(day) if first || self.agreed == Some(day) => self.agreed = Some(day),
            Some(day) => drop(self.moved.insert(name.to_owned(), day)),
            None => drop(self.moved.remove(name)),
        }
    }

    /// The day on which the base of a stretch was agreed, where it is known.
    pub(super) fn since(&self, stretch: &Stretch) -> Option<Date> {
        let name = stretch_name(stretch);
        self.bases.get(&name)?;
        self.moved.get(&name).copied().or(self.agreed)
    }

    /// The open proposals of a stretch, oldest first.
    pub(super) fn proposals(&self, stretch: &Stretch) -> &[Pair] {
        self.proposed.get(&stretch_name(stretch)).map_or(&[], Vec::as_slice)
    }

    /// Proposes a pair, as the newest.
    pub(super) fn propose(&mut self, stretch: &Stretch, pair: Pair) {
        self.pushed_by.remove(&stretch_name(stretch));
        let open = self.proposed.entry(stretch_name(stretch)).or_default();
        open.retain(|old| !old.same(&pair));
        open.push(pair);
    }

    /// Proposes a pair that was pushed from a working tree.
    pub(super) fn propose_pushed(&mut self, stretch: &Stretch, pair: Pair, from: Option<&str>) {
        let name = stretch_name(stretch);
        let alone = self.proposals(stretch).is_empty()
            || self.pushed_by.get(&name).map(String::as_str) == from;
        self.propose(stretch, pair);
        if let Some(from) = from.filter(|_| alone) {
            self.pushed_by.insert(name, from.to_owned());
        }
    }

    /// Drops the open proposals of these stretches but for the newest ones, and those that a working tree vouches for.
    pub(super) fn withdraw(&mut self, newest: usize, of: impl Fn(&Stretch) -> bool) {
        let Self { proposed, pushed_by, .. } = self;
        proposed.retain(|name, pairs| {
            if !pushed_by.contains_key(name) && of(&stretch_of(name)) {
                pairs.drain(..pairs.len().saturating_sub(newest));
            }
            !pairs.is_empty()
        });
    }

    /// Whether every open proposal of the stretch was pushed from this working tree.
    pub(super) fn is_pushed_by(&self, stretch: &Stretch, from: Option<&str>) -> bool {
        let by = self.pushed_by.get(&stretch_name(stretch));
        by.is_some() && by.map(String::as_str) == from
    }

    /// Ids of the texts that it names.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.bases
            .values()
            .chain(self.proposed.values().flatten())
            .flat_map(|pair| [pair.local.as_ref(), pair.remote.as_ref()])
            .flatten()
            .filter_map(Content::text)
            .chain(self.seen.text.as_deref())
    }
}

/// How far a database has been listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// Everything edited before this was taken up or is recorded as pending.
    pub since: Timestamp,
    /// Begin of the last whole listing.
    pub whole: Timestamp,
    /// Pages in the last whole listing.
    pub count: usize,
}

/// What is known about one backend.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct BackendMeta {
    /// Where each kind lives.
    #[serde(default)]
    pub places: BTreeMap<String, Place>,
    /// Cursor of each kind.
    #[serde(default)]
    pub cursors: BTreeMap<String, Cursor>,
    /// Conflicts that the last sync of everything left open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenConflict>,
    /// The page that shows what is synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// Comments about findings, by the finding's fingerprint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub comments: BTreeMap<String, Commented>,
    /// Who wrote what is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// A person's answer to a conflict; holds for exactly the versions behind the fingerprint (rule 17).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The conflict.
    pub fingerprint: String,
    /// The artifact.
    #[serde(flatten)]
    pub key: Key,
    /// The stretch.
    pub stretch: Stretch,
    /// Whose content stays.
    pub keep: Keep,
    /// The run that recorded it.
    pub run: String,
    /// Login of the person who gave it, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Name of the backend that it is about; none where an older version recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Another backend's content stays instead: nothing is done until the file holds it, and then the file's stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yields: Option<Yields>,
}

impl Decision {
    /// An answer to a conflict of a backend, given by `by` and recorded by this run.
    pub(super) fn new(
        conflict: &Conflict,
        keep: Keep,
        backend: &str,
        run: &str,
        by: Option<&str>,
    ) -> Self {
        Self {
            fingerprint: conflict.fingerprint.clone(),
            key: conflict.key.clone(),
            stretch: conflict.stretch.clone(),
            keep,
            run: run.to_owned(),
            by: by.map(str::to_owned),
            backend: Some(backend.to_owned()),
            yields: None,
        }
    }
}

/// What gives way to what, where a person chose one of several backends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yields {
    /// Fingerprint of the conflict of the backend whose content stays.
    pub to: String,
    /// Where it is: in the bases of the backend that gives way, or just which block, where that had no conflict yet.
    pub place: String,
    /// Digest of that content as it stands in a file.
    pub local: String,
    /// Digest of the content that gives way.
    pub remote: String,
}

/// What a decision keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The repository's.
    Local,
    /// The backend's.
    Remote,
    /// Both as they are: the pair becomes the base and nothing is written.
    Both,
    /// Nobody's for now; the conflict is not reported until a side changes.
    Skip,
}

/// `meta.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// Head of the remote default branch when the state was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Hash of what decides the meaning of the records.
    #[serde(default)]
    pub mapping: String,
    /// The repository's address on the web as the last run knew it, so that runs elsewhere send the same links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<String>,
    /// By name.
    #[serde(default)]
    pub backends: BTreeMap<String, BackendMeta>,
    /// Runs with open intents.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub intents: BTreeSet<String>,
    /// Recorded decisions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// Artifacts that got a new name, and are not known under it everywhere yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relabels: Vec<Relabel>,
    /// Vanished artifacts that no other one continues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distinct: Vec<Distinct>,
    /// Pages that files name and that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<Gone>,
    /// How often the janitor found what last, by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub found: BTreeMap<String, usize>,
    /// When the state's history begins, by the clock of the machine that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// What is older was pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Timestamp>,
    /// What is on its way to the default branch.
    #[serde(default, skip_serializing_if = "Outgoing::is_empty")]
    pub outgoing: Outgoing,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// What a run is about to send (rule 16).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Intent {
    /// Name of the backend.
    pub backend: String,
    /// The artifact.
    #[serde(flatten)]
    pub key: Key,
    /// The page; none for a page to be created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The file's body that is being sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Content>,
    /// Text of the page before, as an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Grammar of that text and of the hunks.
    #[serde(default, skip_serializing_if = "is_first")]
    pub dialect: Dialect,
    /// What is replaced there. Empty with a body to be created or appended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hunks: Vec<Hunk>,
    /// Property values that are being sent, relations by artifact id. Members without a page yet are not in them:
    /// they follow once their pages are made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Option<Value>>,
    /// The backend's clock when the intent was recorded.
    pub at: Timestamp,
}

/// What a write replaced (rule 10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Replaced {
    /// Name of the backend.
    pub backend: String,
    /// The artifact.
    #[serde(flatten)]
    pub key: Key,
    /// The side that was written.
    pub side: Side,
    /// Why: `push`, `pull`, `force`, `decision`, `restore`, `delete`.
    pub reason: String,
    /// Values before the write, for the properties that it changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Option<Value>>,
    /// Whether `text` holds what was there: locally the whole file, remotely the body.
    #[serde(default)]
    pub text: bool,
    /// Grammar of the body, for the remote side.
    #[serde(default, skip_serializing_if = "is_first")]
    pub dialect: Dialect,
    /// Path of the file, for the local side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl Replaced {
    fn folder(&self, run: &str) -> String {
        let side = match self.side {
            Side::Local => "local",
            Side::Remote => "remote",
        };
        format!("replaced/{run}/{}/{}/{}/{side}", self.backend, self.key.kind, self.key.id)
    }
}

/// The state of one run.
#[derive(Clone)]
pub(super) struct Book {
    store: Arc<dyn Store>,
    snapshot: Snapshot,
    /// `meta.json`.
    pub meta: Meta,
    /// Records by backend and artifact.
    pub records: BTreeMap<(String, Key), Record>,
    /// Open intents: those of this run, and those that earlier runs left and no run has taken up yet.
    intents: Vec<Intent>,
    texts: BTreeMap<String, Vec<u8>>,
    /// Stored texts that were read before they were needed.
    fetched: BTreeMap<String, Vec<u8>>,
    replaced: BTreeMap<String, Option<Vec<u8>>>,
    /// Whether some of it has to be stored even where nothing else changed.
    precious: bool,
    /// Message of the commit that is due.
    due: Option<String>,
    stored_meta: Meta,
    stored_records: BTreeMap<(String, Key), Record>,
    stored_texts: BTreeSet<String>,
    stored_intents: Vec<Intent>,
}

fn parse<T: for<'a> Deserialize<'a>>(path: &str, bytes: &[u8]) -> Result<T, StateError> {
    serde_json::from_slice(bytes)
        .map_err(|error| StateError::Corrupt { path: path.to_owned(), reason: error.to_string() })
}

fn json<T: Serialize>(path: &str, value: &T) -> Result<Vec<u8>, StateError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| StateError::Corrupt {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What of this state is older was pruned, if anything was.
///
/// # Errors
/// What the store says, and [`StateError::Corrupt`].
pub(super) async fn pruned(
    store: &dyn Store,
    at: &Snapshot,
) -> Result<Option<Timestamp>, StateError> {
    let Some(bytes) = store.read(at, "meta.json").await? else { return Ok(None) };
    Ok(parse::<Meta>("meta.json", &bytes)?.pruned)
}

impl Book {
    /// Reads the state: two files, and the intents of runs that did not end.
    ///
    /// # Errors
    /// What the store says, and [`StateError::Corrupt`].
    pub(super) async fn load(store: Arc<dyn Store>) -> Result<Self, StateError> {
        let snapshot = store.load().await?;
        let mut meta = Meta::default();
        let mut records = BTreeMap::new();
        let mut intents = Vec::new();
        if snapshot.commit.is_some() {
            let wanted = ["meta.json", "index.jsonl"].map(str::to_owned);
            let files = store.read_many(&snapshot, &wanted).await?;
            if let Some(bytes) = files.get("meta.json") {
                meta = parse("meta.json", bytes)?;
            }
            if let Some(bytes) = files.get("index.jsonl") {
                for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    let record: Record = parse("index.jsonl", line)?;
                    records.insert((record.backend.clone(), record.key.clone()), record);
                }
            }
            for run in &meta.intents {
                let path = format!("intents/{run}.json");
                if let Some(bytes) = store.read(&snapshot, &path).await? {
                    intents.extend(parse::<Vec<Intent>>(&path, &bytes)?);
                }
            }
        }
        let stored_texts = live(&records, &intents);
        Ok(Self {
            store,
            snapshot,
            stored_meta: meta.clone(),
            stored_records: records.clone(),
            stored_texts,
            stored_intents: intents.clone(),
            meta,
            records,
            intents,
            texts: BTreeMap::new(),
            fetched: BTreeMap::new(),
            replaced: BTreeMap::new(),
            precious: false,
            due: None,
        })
    }

    /// Leaves the commit to [`Book::settle`], so that what follows goes into it too.
    pub(super) fn owe(&mut self, message: String) {
        self.due = Some(message);
    }

    /// Whether a commit is due.
    pub(super) fn owes(&self) -> bool {
        self.due.is_some()
    }

    /// Makes the commit that is due, if anything changed.
    ///
    /// # Errors
    /// As [`Book::commit`].
    pub(super) async fn settle(&mut self, run: &str) -> Result<(), StateError> {
        if let Some(message) = self.due.take() {
            self.commit(run, &message).await?;
        }
        Ok(())
    }

    /// Whether there is a state at all.
    pub(super) fn exists(&self) -> bool {
        self.snapshot.commit.is_some()
    }

    /// The commit of the state, once there is one.
    pub(super) fn commit_id(&self) -> Option<&str> {
        self.snapshot.commit.as_deref()
    }

    /// The state that it was read from, or that it wrote last.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Where it is stored.
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The files of the stored state below a folder.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<String>, StateError> {
        self.store.list(&self.snapshot, folder).await
    }

    /// The meta of a backend.
    pub(super) fn backend(&mut self, name: &str) -> &mut BackendMeta {
        self.meta.backends.entry(name.to_owned()).or_default()
    }

    /// The record of an artifact on a backend.
    pub(super) fn record(&self, backend: &str, key: &Key) -> Option<&Record> {
        self.records.get(&(backend.to_owned(), key.clone()))
    }

    /// Keeps a text for the next commit and gives its id. Only texts that a record or an intent names are stored.
    pub(super) fn keep(&mut self, text: &str) -> String {
        let id = text_id(text.as_bytes());
        self.keep_as(&id, text);
        id
    }

    /// As [`Book::keep`], for a text whose id is known.
    pub(super) fn keep_as(&mut self, id: &str, text: &str) {
        if !self.texts.contains_key(id) {
            self.texts.insert(id.to_owned(), text.as_bytes().to_vec());
        }
    }

    /// A stored or kept text.
    ///
    /// # Errors
    /// What the store says; [`StateError::Corrupt`] if the text is missing.
    pub(super) async fn text(&self, id: &str) -> Result<String, StateError> {
        let missing =
            |reason: &str| StateError::Corrupt { path: text_path(id), reason: reason.to_owned() };
        let bytes = match self.texts.get(id).or_else(|| self.fetched.get(id)) {
            Some(bytes) => bytes.clone(),
            None => self
                .store
                .read(&self.snapshot, &text_path(id))
                .await?
                .ok_or_else(|| missing("the text is missing"))?,
        };
        String::from_utf8(bytes).map_err(|_| missing("the text is not UTF-8"))
    }

    /// Reads stored texts that will be needed, all at once: one by one each would be a request where the state is at
    /// GitHub. What is missing is said when it is needed.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn fetch(&mut self, ids: &BTreeSet<String>) -> Result<(), StateError> {
        let known = |id: &&String| self.texts.contains_key(*id) || self.fetched.contains_key(*id);
        let wanted: Vec<&String> = ids.iter().filter(|id| !known(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let paths: Vec<String> = wanted.iter().map(|id| text_path(id)).collect();
        let mut found = self.store.read_many(&self.snapshot, &paths).await?;
        let texts = wanted.into_iter().zip(&paths);
        let texts: Vec<_> =
            texts.filter_map(|(id, path)| Some((id.clone(), found.remove(path)?))).collect();
        self.fetched.extend(texts);
        Ok(())
    }

    /// Records what is about to be sent; stored by the next [`Book::commit`].
    pub(super) fn intend(&mut self, intent: Intent) {
        self.intents.push(intent);
    }

    /// The open intents for an artifact, oldest first.
    pub(super) fn intents(&self, backend: &str, key: &Key) -> Vec<Intent> {
        let of = |intent: &&Intent| intent.backend == backend && intent.key == *key;
        self.intents.iter().filter(of).cloned().collect()
    }

    /// What was intended for this artifact is done or judged: the next commit forgets it.
    pub(super) fn settle_intents(&mut self, backend: &str, key: &Key) {
        self.intents.retain(|intent| intent.backend != backend || intent.key != *key);
    }

    /// An artifact has a new name (rule 8): its record and its intents go on under it. Decisions were about the old
    /// name's conflicts.
    pub(super) fn relabel(&mut self, backend: &str, old: &Key, new: &Key) {
        if let Some(mut record) = self.records.remove(&(backend.to_owned(), old.clone())) {
            record.key.clone_from(new);
            record.clean = None;
            self.records.insert((backend.to_owned(), new.clone()), record);
        }
        let of = |intent: &&mut Intent| intent.backend == backend && intent.key == *old;
        for intent in self.intents.iter_mut().filter(of) {
            intent.key.clone_from(new);
        }
        self.meta.decisions.retain(|decision| decision.key != *old);
    }

    /// Keeps what a write replaces (rule 10). The first one of a run wins: it is what people had.
    ///
    /// # Errors
    /// [`StateError::Corrupt`] if it cannot be put in JSON.
    pub(super) fn replace(
        &mut self,
        run: &str,
        replaced: &Replaced,
        text: Option<&str>,
    ) -> Result<(), StateError> {
        let folder = replaced.folder(run);
        let path = format!("{folder}.json");
        if self.replaced.contains_key(&path) {
            return Ok(());
        }
        // An ordinary pull replaces what the base has. Where it changes no record, an earlier run has done the same
        // and stored this text; so it is on each fresh checkout until its pull request is merged.
        let ordinary = matches!(replaced.reason.as_str(), "pull" | "delete");
        self.precious |= replaced.side == Side::Remote || !ordinary;
        let bytes = json(&path, replaced)?;
        self.replaced.insert(path, Some(bytes));
        if let Some(text) = text {
            self.replaced.insert(format!("{folder}.text"), Some(text.as_bytes().to_vec()));
        }
        Ok(())
    }

    /// Every replaced version of an artifact, newest run first: (run, what, text).
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn replaced(
        &self,
        key: &Key,
        side: Side,
    ) -> Result<Vec<(String, Replaced, Option<String>)>, StateError> {
        let mut found = Vec::new();
        for path in self.store.list(&self.snapshot, "replaced").await? {
            let Some(run) = path.split('/').nth(1) else { continue };
            if !path.ends_with(".json") {
                continue;
            }
            // The folder names the artifact; only its own files are read.
            let needle = format!("/{}/{}/", key.kind, key.id);
            if !path.contains(&needle) {
                continue;
            }
            let Some(bytes) = self.store.read(&self.snapshot, &path).await? else { continue };
            let replaced: Replaced = parse(&path, &bytes)?;
            if replaced.key != *key || replaced.side != side {
                continue;
            }
            let text = match replaced.text {
                true => {
                    let path = path.replace(".json", ".text");
                    let bytes = self.store.read(&self.snapshot, &path).await?;
                    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                }
                false => None,
            };
            found.push((run.to_owned(), replaced, text));
        }
        // Run ids begin with their time.
        found.sort_by(|a, b| b.0.cmp(&a.0));
        Ok(found)
    }

    /// As [`Book::commit`], with further files that change.
    ///
    /// # Errors
    /// As [`Book::commit`].
    pub(super) async fn commit_with(
        &mut self,
        run: &str,
        message: &str,
        more: BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<bool, StateError> {
        self.precious |= !more.is_empty();
        self.replaced.extend(more);
        self.commit(run, message).await
    }

    /// Stores the state with these changes as the begin of its history. Only for a book whose own changes are in
    /// its meta alone.
    ///
    /// # Errors
    /// As [`Book::commit`].
    pub(super) async fn restart(
        &mut self,
        message: &str,
        mut change: BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<(), StateError> {
        change.insert("meta.json".to_owned(), Some(json("meta.json", &self.meta)?));
        self.snapshot = self.store.restart(&self.snapshot, message, &change).await?;
        self.stored_meta = self.meta.clone();
        Ok(())
    }

    /// Writes the state as one commit, if anything changed; true if a commit was made.
    ///
    /// # Errors
    /// [`StateError::Moved`] if somebody else wrote meanwhile: observe again (rule 16).
    pub(super) async fn commit(&mut self, run: &str, message: &str) -> Result<bool, StateError> {
        let intended = self.intents != self.stored_intents;
        if intended {
            self.meta.intents = match self.intents.is_empty() {
                true => BTreeSet::new(),
                false => BTreeSet::from([run.to_owned()]),
            };
        }
        // The content commit alone is no news (rule 14), nor is who we are: they move with the next commit that has
        // some.
        let mut quiet = self.meta.clone();
        quiet.content.clone_from(&self.stored_meta.content);
        for (name, backend) in &mut quiet.backends {
            if let Some(stored) = self.stored_meta.backends.get(name) {
                backend.identity.clone_from(&stored.identity);
                for (kind, cursor) in &mut backend.cursors {
                    if let Some(old) = stored.cursors.get(kind)
                        && old.whole == cursor.whole
                        && old.count == cursor.count
                    {
                        cursor.clone_from(old);
                    }
                }
            }
        }
        let nothing = quiet == self.stored_meta
            && self.records == self.stored_records
            && !self.precious
            && !intended
            && !self.store.pending();
        if nothing {
            return Ok(false);
        }
        if !self.exists() && self.meta.began.is_none() {
            self.meta.began = Some(Timestamp::now());
        }
        let mut change: BTreeMap<String, Option<Vec<u8>>> = std::mem::take(&mut self.replaced);
        change.insert("meta.json".to_owned(), Some(json("meta.json", &self.meta)?));
        if self.records != self.stored_records || !self.exists() {
            let mut index = Vec::new();
            for record in self.records.values() {
                serde_json::to_writer(&mut index, record).map_err(|error| StateError::Corrupt {
                    path: "index.jsonl".to_owned(),
                    reason: error.to_string(),
                })?;
                index.push(b'\n');
            }
            change.insert("index.jsonl".to_owned(), Some(index));
        }
        for run in self.stored_meta.intents.difference(&self.meta.intents) {
            change.insert(format!("intents/{run}.json"), None);
        }
        if intended && !self.intents.is_empty() {
            let path = format!("intents/{run}.json");
            let bytes = json(&path, &self.intents)?;
            change.insert(path, Some(bytes));
        }
        let texts = live(&self.records, &self.intents);
        for id in texts.difference(&self.stored_texts) {
            let Some(bytes) = self.texts.get(id) else {
                return Err(StateError::Corrupt {
                    path: text_path(id),
                    reason: "a record names a text that was not kept".to_owned(),
                });
            };
            change.insert(text_path(id), Some(bytes.clone()));
        }
        for id in self.stored_texts.difference(&texts) {
            change.insert(text_path(id), None);
        }
        self.snapshot = self.store.commit(&self.snapshot, message, &change).await?;
        self.precious = false;
        self.stored_meta = self.meta.clone();
        self.stored_records = self.records.clone();
        self.stored_texts = texts;
        self.stored_intents.clone_from(&self.intents);
        Ok(true)
    }
}

fn live(records: &BTreeMap<(String, Key), Record>, intents: &[Intent]) -> BTreeSet<String> {
    let mut texts: BTreeSet<String> =
        records.values().flat_map(Record::texts).map(str::to_owned).collect();
    for intent in intents {
        texts.extend(intent.before.clone());
        texts.extend(intent.local.as_ref().and_then(Content::text).map(str::to_owned));
    }
    texts
}

/// Properties of a record's bases on the remote side, for pages that were not listed.
pub(super) fn remote_properties(record: &Record) -> Properties {
    record
        .bases
        .iter()
        .filter_map(|(name, pair)| {
            let name = name.strip_prefix("property:")?;
            match &pair.remote {
                Some(Content::Value(value)) => Some((name.to_owned(), value.clone())),
                _ => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(text: &str) -> Pair {
        let content = Content::Body { digest: text.to_owned(), text: text.to_owned() };
        Pair::new(Some(content.clone()), Some(content))
    }

    #[test]
    fn a_base_has_the_day_on_which_it_was_agreed() {
        let day = |n: i8| Some(Date::constant(2026, 11, n));
        let status = || Stretch::Property("Status".to_owned());
        let names = ["body".to_owned(), stretch_name(&status())];
        let mut record =
            Record::new("notion", &Key::new("story", "A-1"), "", "", Dialect::default());
        assert_eq!(record.since(&Stretch::Body), None);
        for name in &names {
            record.rebase(name, pair("a"), day(1));
        }
        assert_eq!((record.since(&Stretch::Body), record.moved.len()), (day(1), 0));
        record.rebase("body", pair("b"), day(2));
        assert_eq!((record.since(&Stretch::Body), record.since(&status())), (day(2), day(1)));
        // The same pair again is no news, and where something clashes the old day stays.
        record.rebase("body", pair("b"), day(3));
        let clash = Pair { open: vec!["f".to_owned()], ..pair("c") };
        record.rebase("body", clash, day(3));
        assert_eq!(record.since(&Stretch::Body), day(2));

        // What an older version recorded has no day.
        record.agreed = None;
        record.moved.clear();
        record.rebase("body", pair("d"), day(4));
        assert_eq!((record.since(&Stretch::Body), record.since(&status())), (day(4), None));
    }
}
