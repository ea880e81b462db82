//! What the engine knows of a place where artifacts live. It knows no backend by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent_sync_core::kind::Kind;
use agent_sync_core::markdown::{Dialect, Hunk};
use agent_sync_core::model::{Key, Properties, Value};
use agent_sync_core::schema::{Change, Design, Obstacle, Table};
use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::BackendConfig;
use crate::state::Store;

#[cfg(test)]
mod contract;
pub mod database;
pub mod notion;

/// Asked right before every request that writes: the lease must be held long enough (rule 11) and the run not
/// be told to stop.
pub trait WriteGate: Send + Sync {
    /// `Err` says why no write may start now.
    fn may_write(&self) -> Result<(), String>;
}

/// Who we are on that backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Id of the user that our writes are attributed to.
    pub id: String,
    /// Whether that user is a bot (and so never a person's own edit).
    pub bot: bool,
    /// Id of the workspace, where the backend has such a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
}

/// Where a kind lives on a backend, as remembered in the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The container's id (Notion: database).
    pub database: String,
    /// The table's id (Notion: data source).
    pub data_source: String,
    /// Property ids by configured property name; ids survive a rename. As the backend gives them (Notion:
    /// percent-encoded).
    pub properties: BTreeMap<String, String>,
    /// What else was made there.
    #[serde(default, skip_serializing_if = "Made::is_empty")]
    pub made: Made,
}

/// What was made at a place beside its table, so that it is made once: whatever became of it since was a person's
/// doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Ids of views by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub views: BTreeMap<String, String>,
    /// Texts that explain, by configured name of the property; that of the table under the empty name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub descriptions: BTreeMap<String, String>,
    /// The template row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRow>,
}

impl Made {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the id property of a template row begins with, before the name of its kind: no artifact has such an id, and
/// so the row is never one.
pub const TEMPLATE_ID: &str = "agent-sync:template/";

/// A template row as it was last written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateRow {
    /// Id of its page.
    pub page: String,
    /// Digest of the body of the file that it was made from.
    pub file: String,
    /// Digest of the body of the page.
    pub body: String,
}

/// What `init` would do at a place.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The place with what was recognised there; none where there is none.
    pub place: Option<Place>,
    /// What has to be done, and what only a person can do.
    pub changes: Vec<Change>,
    /// What cannot be looked at and is not needed; a sentence each.
    pub notices: Vec<String>,
}

/// What `init` did at a place.
#[derive(Clone, Debug)]
pub struct Repaired {
    /// The place as it is now.
    pub place: Place,
    /// What could not be made and is not needed; a sentence each.
    pub notices: Vec<String>,
}

/// What is wrong with the schema of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Configured name of the property.
    pub property: String,
    /// What is wrong and what to do: a sentence each, with periods.
    pub message: String,
    /// Whether `init` can repair it without losing a value.
    pub repairable: bool,
}

/// Answer to a read of a schema.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The place with the property ids as they are now.
    pub place: Place,
    /// Empty when everything that is mapped is there with its type.
    pub drift: Vec<Drift>,
    /// Option names that exist now, by configured name of properties with options.
    pub options: BTreeMap<String, BTreeSet<String>>,
}

/// How a page is, apart from its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// In its database.
    Alive,
    /// Archived: alive, but not listed; left alone.
    Archived,
    /// In the trash: deleted.
    Trashed,
    /// Alive under another parent.
    Moved,
}

/// A page as listed or read, without its body.
#[derive(Clone, Debug)]
pub struct RemotePage {
    /// Backend id of the page, lower case.
    pub page: String,
    /// Address for people.
    pub url: String,
    /// The id property's text, if it has one.
    pub id: Option<String>,
    /// Mapped values by configured name. Select values are mapped to the configured (file) spelling where they
    /// are known options, else raw. Relations are page ids. People are addresses, or `user:<id>` where none can be
    /// read, or `other:<id>` for bots and groups; files are addresses, or `file:<name>` where they were uploaded. What the backend cut (25) was completed.
    pub properties: Properties,
    /// Last edit of the body, by the backend's clock, cut to its minute.
    pub edited: Timestamp,
    /// Last edit by the calendar, where that clock counts something else.
    pub edited_at: Option<Timestamp>,
    /// Who edited last.
    pub edited_by: Option<String>,
    /// Creation, cut to the minute.
    pub created: Timestamp,
    /// Who created it.
    pub created_by: Option<String>,
    /// Whether it lives.
    pub life: Life,
    /// Why it cannot be synced as it is: the rest of a sentence about it, without a period.
    pub broken: Option<String>,
}

/// Answer to a listing.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The pages.
    pub pages: Vec<RemotePage>,
    /// Whether this is every live page of the place (no filter, nothing cut).
    pub whole: bool,
    /// Begin of the first request by the backend's clock: its `Date` less the time that the request took.
    pub began: Timestamp,
}

/// A page's body as read.
#[derive(Clone, Debug)]
pub struct BodyRead {
    /// Text in the backend's dialect.
    pub text: String,
    /// False when the backend gave only a part; such a body is never written.
    pub complete: bool,
    /// Begin of the request by the backend's clock.
    pub began: Timestamp,
}

/// What a direct read says of a page.
#[derive(Clone, Debug)]
pub enum Presence {
    /// It is there; see its `life`.
    Found(Box<RemotePage>),
    /// Not shared with us, or gone; the two cannot be told apart.
    NotFound,
}

/// Requests made, for the report. Keys are `METHOD path` with ids replaced by `{id}`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Requests {
    /// Answered requests (attempts count each) by endpoint.
    pub by_endpoint: BTreeMap<String, u64>,
    /// Attempts after the first.
    pub retries: u64,
    /// Time spent waiting for the rate window or a Retry-After, in milliseconds.
    pub waited_ms: u64,
}

impl Requests {
    /// Adds other requests to these.
    pub fn add(&mut self, other: &Self) {
        for (endpoint, count) in &other.by_endpoint {
            *self.by_endpoint.entry(endpoint.clone()).or_default() += count;
        }
        self.retries += other.retries;
        self.waited_ms += other.waited_ms;
    }
}

/// Why a backend did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BackendError {
    /// Token, capability, sharing, schema: a person must change something (exit 3).
    #[error("{message} {remedy}")]
    Refused {
        /// What is refused; a sentence.
        message: String,
        /// What to do; a sentence.
        remedy: String,
    },
    /// There is no secret to reach it with in the environment (exit 3 where this backend is the one that is meant).
    #[error("{message} {remedy}")]
    NoCredentials {
        /// What is missing; a sentence.
        message: String,
        /// What to do; a sentence.
        remedy: String,
    },
    /// The object does not exist or is not shared with us.
    #[error("{message} {remedy}")]
    NotFound {
        /// What was not found; a sentence.
        message: String,
        /// What to do; a sentence.
        remedy: String,
    },
    /// This content is not accepted (HTTP 400 and the like): trouble of one artifact, not of the run.
    #[error("{message}")]
    Rejected {
        /// The backend's reason, with its request id.
        message: String,
    },
    /// A conditional write met another text than expected; nothing of it is known to be written.
    #[error("the page was changed meanwhile: {message}")]
    Stale {
        /// The backend's reason.
        message: String,
    },
    /// A write whose answer never came, or came as 5xx: it may have taken effect (rule 13).
    #[error("no clear answer to a write: {message}")]
    Ambiguous {
        /// What happened.
        message: String,
        /// The id of what was saved, where the backend told.
        committed: Option<String>,
    },
    /// The write met another one and nothing was written: read again, then repeat it (rule 13).
    #[error("{message}")]
    Collided {
        /// The backend's reason, with its request id.
        message: String,
    },
    /// Nothing was written; retries are used up or the service is away (exit 4).
    #[error("{message}")]
    Unavailable {
        /// What happened, with the request id.
        message: String,
    },
    /// The write gate was closed: lease lost or the run was told to stop. Nothing was sent.
    #[error("no write may start: {0}")]
    Closed(String),
}

/// A store that artifacts are synced with. Reads are retried inside; a write is sent once, except after 429 and
/// 529, which mean that it did not happen.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Name in the configuration.
    fn name(&self) -> &str;

    /// Name for people, e.g. `Notion`.
    fn label(&self) -> &'static str;

    /// Grammar of its bodies.
    fn dialect(&self) -> Dialect;

    /// Whether what is written takes effect with the next commit of the backend's own store, all or nothing: until
    /// then it is only queued, and its answers are foretold. Then no intents are needed (rule 16).
    fn transactional(&self) -> bool {
        false
    }

    /// Whether it computes properties (formulas, times, users). Otherwise it holds none, and says nothing by that.
    fn computes(&self) -> bool {
        true
    }

    /// Calls that are worth being under way at once.
    fn width(&self) -> usize {
        16
    }

    /// How long after an unanswered create the object may still appear (rule 12).
    fn settle_time(&self) -> std::time::Duration;

    /// The backend's clock as of its last answer; none before the first.
    fn now(&self) -> Option<Timestamp>;

    /// Every later write asks this first. Without a gate no write is possible.
    fn set_gate(&self, gate: Arc<dyn WriteGate>);

    /// Why no write may start now, if so: what the gate says.
    fn closed(&self) -> Option<String>;

    /// The id of the page that a person means by an id or an address, in the form of [`RemotePage::page`]; none
    /// where the text is neither. Sends nothing.
    fn page_id(&self, text: &str) -> Option<String>;

    /// Who we are: 1 request.
    async fn identity(&self) -> Result<Identity, BackendError>;

    /// Finds the places of these kinds: by configured id, else as known from the state, else by title under the
    /// parent. Kinds that have none are left out. A place known from the state costs nothing; otherwise 1 request
    /// for the parent's children and 2 per kind found.
    async fn locate(
        &self,
        kinds: &[&Kind],
        known: &BTreeMap<String, Place>,
    ) -> Result<BTreeMap<String, Place>, BackendError>;

    /// Creates the places of these kinds (none exists), relations last so that targets exist. `existing` are the
    /// places of other kinds, as relation targets.
    async fn create_places(
        &self,
        kinds: &[&Kind],
        existing: &BTreeMap<String, Place>,
    ) -> Result<BTreeMap<String, Place>, BackendError>;

    /// What has to be done at the place of a kind so that it is as configured; sends nothing for a place that does
    /// not exist. `places` are all known; those that are still to be made have no ids. Requests: at most 6.
    async fn plan(
        &self,
        kind: &Kind,
        place: Option<&Place>,
        _places: &BTreeMap<String, Place>,
    ) -> Result<Plan, BackendError> {
        let Some(place) = place else {
            return Ok(Plan { changes: vec![Change::Create], ..Plan::default() });
        };
        let table = Table::of(kind, &Design::default());
        let change = |drift: Drift| {
            let column = table.columns.iter().find(|column| column.property == drift.property);
            match column.filter(|_| drift.repairable) {
                Some(column) => Change::AddColumn {
                    lost: place.properties.contains_key(&column.property),
                    column: column.clone(),
                },
                None => Change::Obstacle {
                    column: column.map_or_else(|| drift.property.clone(), |c| c.name.clone()),
                    property: drift.property,
                    obstacle: Obstacle::Other(drift.message),
                },
            }
        };
        let schema = self.schema(kind, place).await?;
        Ok(Plan {
            changes: schema.drift.into_iter().map(change).collect(),
            place: Some(schema.place),
            notices: Vec::new(),
        })
    }

    /// Does what was planned for an existing place, as far as it is possible and still needed. Nothing is taken
    /// away. `places` are all known.
    async fn repair(
        &self,
        kind: &Kind,
        place: &Place,
        places: &BTreeMap<String, Place>,
        changes: &[Change],
    ) -> Result<Repaired, BackendError>;

    /// Whether people work there, so that a template row serves them.
    fn is_for_people(&self) -> bool {
        false
    }

    /// Reads the schema: 1 request.
    async fn schema(&self, kind: &Kind, place: &Place) -> Result<Schema, BackendError>;

    /// Lists pages, whole or edited at or after `since`: 1 request per 100 pages.
    async fn list(
        &self,
        kind: &Kind,
        place: &Place,
        since: Option<Timestamp>,
        page_limit: Option<usize>,
    ) -> Result<Listing, BackendError>;

    /// Live pages that have one of these ids: 1 request per 100 ids (rule 12).
    async fn find(
        &self,
        kind: &Kind,
        place: &Place,
        ids: &[String],
    ) -> Result<Vec<RemotePage>, BackendError>;

    /// One page without its body: 1 request.
    async fn page(&self, kind: &Kind, place: &Place, page: &str) -> Result<Presence, BackendError>;

    /// One page's body: 1 request.
    async fn body(&self, page: &str) -> Result<BodyRead, BackendError>;

    /// Creates a page with properties and body: 1 request. Values as in [`RemotePage::properties`].
    async fn create(
        &self,
        kind: &Kind,
        place: &Place,
        properties: &Properties,
        body: &str,
    ) -> Result<RemotePage, BackendError>;

    /// Sets (`Some`) or clears (`None`) these properties: 1 request. The caller has just read the page.
    async fn set_properties(
        &self,
        kind: &Kind,
        place: &Place,
        page: &str,
        values: &BTreeMap<String, Option<Value>>,
    ) -> Result<RemotePage, BackendError>;

    /// Replaces each hunk's `old` by its `new`: 1 request (at most 100 hunks). Answers with the body afterwards.
    async fn edit_body(&self, page: &str, hunks: &[Hunk]) -> Result<BodyRead, BackendError>;

    /// Writes at the end of a body that was read as empty: 1 request. Answers with the body afterwards.
    async fn append_body(&self, page: &str, text: &str) -> Result<BodyRead, BackendError>;

    /// Moves the page to the trash: 1 request.
    async fn trash(
        &self,
        kind: &Kind,
        place: &Place,
        page: &str,
    ) -> Result<RemotePage, BackendError>;

    /// Takes the page out of the trash: 1 request.
    async fn untrash(
        &self,
        kind: &Kind,
        place: &Place,
        page: &str,
    ) -> Result<RemotePage, BackendError>;

    /// Name of a user, as [`RemotePage::edited_by`] gives it, for people to read; `None` where it may not be read or
    /// cannot be now. At most 1 request for each user, and none after a refusal.
    async fn user_name(&self, user: &str) -> Option<String> {
        let _ = user;
        None
    }

    /// Makes a page for each artifact in a table of the older system that has none yet. Gives these artifacts.
    async fn adopt(&self, _kinds: &[&Kind], table: &str) -> Result<Vec<Key>, BackendError> {
        Err(BackendError::Refused {
            message: format!("{} has no table {table:?} to be taken over.", self.label()),
            remedy: "Name a database with `--backend`.".to_owned(),
        })
    }

    /// How to show the environment on a page of its own, where that is possible.
    fn overview(&self) -> Option<&dyn Overview> {
        None
    }

    /// How to comment on pages, where that is possible.
    fn comments(&self) -> Option<&dyn Comments> {
        None
    }

    /// Requests so far.
    fn requests(&self) -> Requests;
}

/// A page beside the databases that shows people what is synced; its body is read and changed as any page's.
#[async_trait]
pub trait Overview: Send + Sync {
    /// The live pages of this title beside the databases, oldest first: 1 request for each 100 neighbours.
    async fn find(&self, title: &str) -> Result<Vec<String>, BackendError>;

    /// Makes the page and gives its id and its address: 1 request.
    async fn make(&self, title: &str, text: &str) -> Result<(String, String), BackendError>;
}

/// A comment on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: String,
    /// Its text, without formatting.
    pub text: String,
    /// Id of its author.
    pub author: Option<String>,
}

/// Comments on pages. Errors of capabilities are [`BackendError::Refused`].
#[async_trait]
pub trait Comments: Send + Sync {
    /// The comments on a page that nobody has resolved: 1 request for each 100.
    async fn open(&self, page: &str) -> Result<Vec<Comment>, BackendError>;

    /// Posts a comment of plain text and gives its id: 1 request.
    async fn post(&self, page: &str, text: &str) -> Result<String, BackendError>;

    /// Deletes a comment of ours; one that is gone or resolved is no error: 1 request.
    async fn delete(&self, comment: &str) -> Result<(), BackendError>;
}

/// A backend that was set up.
pub struct Connected {
    /// The backend.
    pub backend: Arc<dyn Backend>,
    /// Kinds that may leave the repository for it.
    pub shared: BTreeSet<String>,
    /// Whether a run may make what it misses there.
    pub auto_init: bool,
    /// Where the backend keeps its own state; without one it is in the state of the repository.
    pub store: Option<Arc<dyn Store>>,
}

/// How long another program's lock on a database file is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Sets up a configured backend of the repository at `root`; sends nothing.
///
/// # Errors
/// [`BackendError::NoCredentials`] for a missing token or address, [`BackendError::Refused`] for one that is none.
pub fn connect(
    config: &BackendConfig,
    root: &Path,
    env: &BTreeMap<String, String>,
) -> Result<Connected, BackendError> {
    let notion = match config {
        BackendConfig::Notion(notion) => notion,
        BackendConfig::Sqlite { name, path, share } => {
            let database = database::Database::sqlite(name, root.join(path), BUSY);
            // A file that is not there is a new, empty backend to be filled.
            return Ok(with_store(database, share, true));
        }
        BackendConfig::Postgres { name, url_env, schema, share } => {
            let Some(url) = env.get(url_env).map(|url| url.trim()).filter(|url| !url.is_empty())
            else {
                return Err(BackendError::NoCredentials {
                    message: format!("There is no connection URL for the database `{name}`."),
                    remedy: format!("Set {url_env} to it: postgres://user:password@host/database."),
                });
            };
            let database = database::Database::postgres(name, url, schema).map_err(|reason| {
                BackendError::Refused {
                    message: format!("{url_env} cannot be used. {reason}"),
                    remedy: "It is like postgres://user:password@host/database.".to_owned(),
                }
            })?;
            return Ok(with_store(database, share, false));
        }
    };
    let Some(token) = env.get("NOTION_TOKEN") else {
        return Err(BackendError::NoCredentials {
            message: "There is no Notion token.".to_owned(),
            remedy:
                "Set NOTION_TOKEN to the token of a connection (Notion: Settings, Connections)."
                    .to_owned(),
        });
    };
    let options = notion::NotionOptions {
        name: notion.name.clone(),
        base_url: env
            .get("NOTION_API_URL")
            .cloned()
            .unwrap_or_else(|| "https://api.notion.com".to_owned()),
        token: SecretString::from(token.trim().to_owned()),
        parent_page: notion.parent_page.clone(),
        databases: notion.databases.clone(),
        designs: notion.designs.clone(),
        requests_per_minute: notion.requests_per_minute,
        dialect: notion.dialect,
        settle_time: Duration::from_secs(notion.settle_seconds),
        tuning: notion::Tuning {
            backoff: Duration::from_millis(notion.backoff_ms),
            read_timeout: Duration::from_millis(notion.read_timeout_ms),
            write_timeout: Duration::from_millis(notion.write_timeout_ms),
        },
    };
    Ok(Connected {
        backend: Arc::new(notion::Notion::new(options)?),
        shared: notion.share.iter().cloned().collect(),
        auto_init: notion.auto_init,
        store: None,
    })
}

fn with_store(database: database::Database, share: &[String], auto_init: bool) -> Connected {
    let database = Arc::new(database);
    Connected {
        backend: database.clone(),
        shared: share.iter().cloned().collect(),
        auto_init,
        store: Some(Arc::new(database::DatabaseStore::new(database))),
    }
}
