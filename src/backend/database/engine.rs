//! What the two engines have in common: the questions that are asked of a database, and its answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::backend::BackendError;
use crate::state::StateError;

/// The version of the tables that this program makes and reads.
pub(crate) const SCHEMA: i64 = 1;

/// Rows that one statement takes.
pub(crate) const ROWS: usize = 500;

/// Versions of a state's file that are kept behind the newest, for runs that still read an older snapshot.
pub(crate) const KEPT: i64 = 8;

/// Files of the state that every run reads; they come with the first question.
pub(crate) const FIRST: [&str; 3] = ["format", "meta.json", "index.jsonl"];

/// Why a database did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// A row or the state is not as it was read. Nothing was written.
    #[error("{0}")]
    Moved(String),
    /// Busy, down, or no answer (exit 4).
    #[error("{0}")]
    Unavailable(String),
    /// A person must change something (exit 3).
    #[error("{message} {remedy}")]
    Refused {
        /// What is refused; a sentence.
        message: String,
        /// What to do; a sentence.
        remedy: String,
    },
}

impl From<Trouble> for BackendError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Moved(message) => Self::Stale { message },
            Trouble::Unavailable(message) => Self::Unavailable { message },
            Trouble::Refused { message, remedy } => Self::Refused { message, remedy },
        }
    }
}

impl From<Trouble> for StateError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Moved(_) => Self::Moved,
            Trouble::Unavailable(message) => Self::Unavailable { message },
            Trouble::Refused { .. } => Self::Denied { message: trouble.to_string() },
        }
    }
}

/// What stands in a database at the begin of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opened {
    /// Version of the tables; none without tables.
    pub(crate) version: Option<i64>,
    /// Kinds that `init` made, with their titles.
    pub(crate) kinds: BTreeMap<String, String>,
    /// Properties that name other artifacts.
    pub(crate) relations: Vec<Relation>,
    /// The newest change number of a row.
    pub(crate) newest: i64,
    /// Number of the newest commit of the state.
    pub(crate) head: Option<i64>,
    /// The files of [`FIRST`] at that commit.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// A property that names artifacts of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Relation {
    pub(crate) kind: String,
    pub(crate) property: String,
    pub(crate) target: String,
}

/// A row without its body.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    pub(crate) uid: String,
    pub(crate) kind: String,
    pub(crate) id: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) status: Option<String>,
    /// JSON, as text.
    pub(crate) properties: Option<String>,
    pub(crate) version: i64,
    /// The version at which the body changed last.
    pub(crate) body_version: i64,
    /// Number of its last change, in the order of the commits.
    pub(crate) change: i64,
    pub(crate) author: Option<String>,
    /// Last change in microseconds since 1970.
    pub(crate) updated: i64,
    pub(crate) deleted: bool,
}

/// Which rows are asked for.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// Of these kinds those that changed after a number; -1 for all.
    Changed(Vec<(String, i64)>),
    /// By their uids.
    Uids(Vec<String>),
    /// Of a kind, by their ids.
    Ids(String, Vec<String>),
}

/// Rows, and which rows their references lead to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// The newest change number there is.
    pub(crate) newest: i64,
    /// Live rows that the rows' references name: (kind, id, uid).
    pub(crate) targets: Vec<(String, String, String)>,
    /// Bodies of rows that were asked for by their uids: they are about to be compared or changed.
    pub(crate) bodies: BTreeMap<String, String>,
}

/// A row to be written whole.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) row: Row,
    /// The version that it must have; none for a new row, whose kind and id must be free.
    pub(crate) expected: Option<i64>,
    /// The body, where it is written too.
    pub(crate) body: Option<String>,
    /// Digest of that body.
    pub(crate) hash: Option<String>,
}

/// The next commit of a state.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    /// The one that it follows.
    pub(crate) parent: Option<i64>,
    pub(crate) message: String,
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) files: Vec<(String, Option<Vec<u8>>)>,
    /// Whether the history begins with it: what was before is forgotten.
    pub(crate) restart: bool,
}

/// A database. Every call is one round trip, where nothing else is said.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// What stands there.
    async fn open(&self) -> Result<Opened, Trouble>;

    /// Makes the tables or brings them to [`SCHEMA`], and records kinds and relations, in one transaction.
    async fn init(
        &self,
        kinds: &BTreeMap<String, String>,
        relations: &[Relation],
    ) -> Result<(), Trouble>;

    /// Rows without their bodies.
    async fn rows(&self, want: &Want) -> Result<Rows, Trouble>;

    /// The bodies of these rows.
    async fn bodies(&self, uids: &[String]) -> Result<BTreeMap<String, String>, Trouble>;

    /// Writes rows and the next commit of the state, all or nothing: a round trip for each [`ROWS`] rows, and one to
    /// commit. Gives the commit's number.
    async fn apply(&self, writes: Arc<[Write]>, commit: Arc<Commit>) -> Result<i64, Trouble>;

    /// Files of a commit.
    async fn files(&self, at: i64, paths: &[String]) -> Result<BTreeMap<String, Vec<u8>>, Trouble>;

    /// Paths of a commit's files that begin so, in order.
    async fn list(&self, at: i64, prefix: &str) -> Result<Vec<String>, Trouble>;

    /// Commits up to this one, newest first: number, microseconds since 1970, message.
    async fn history(&self, at: i64, limit: usize) -> Result<Vec<(i64, i64, String)>, Trouble>;

    /// The lease and its number.
    async fn lease(&self) -> Result<Option<(i64, String)>, Trouble>;

    /// Writes the lease after `expected`.
    async fn write_lease(&self, expected: Option<i64>, content: &str) -> Result<i64, Trouble>;

    /// Names in a table of the older system ([`super::adopt`]): rows as JSON objects.
    async fn table(
        &self,
        name: &str,
    ) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Trouble>;
}
