//! The configuration: `agent-sync.yml` over the preset, with the environment for what it leaves open.

mod backends;
mod check;
mod design;
mod error;
mod file;
mod janitor;
mod kinds;
mod locate;
mod merge;
mod settings;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_sync_core::kind::Kinds;
use agent_sync_core::schema::Design;

pub use error::{ConfigError, Problem};
pub use file::Publish;

/// Where the configuration is looked for, in this order, unless a file is named.
pub const PLACES: [&str; 3] = ["agent-sync.yml", ".github/agent-sync.yml", ".agent/agent-sync.yml"];

/// Everything that is configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Kinds by name.
    pub kinds: Kinds,
    /// What the tables of the kinds look like to people.
    pub designs: BTreeMap<String, Design>,
    /// Backends, in the order of the file.
    pub backends: Vec<BackendConfig>,
    /// The repository as seen from outside.
    pub repository: Repository,
    /// Shares past which a run stops (rule 9).
    pub limits: Limits,
    /// How old the last whole listing of a large database may be (rule 6).
    pub full_every: Duration,
    /// How changes from a backend reach the default branch.
    pub publish: Publish,
    /// Where the state is kept.
    pub state: StateConfig,
    /// Settings of the janitor.
    pub janitor: crate::janitor::Settings,
    /// SHA-256 (hex) over what decides the meaning of the stored state: kinds, folders, formats, patterns of ids,
    /// databases and the mapping of properties. Limits, pace and the like are not in it.
    pub mapping_hash: String,
}

/// A store that artifacts are synced with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendConfig {
    /// Notion.
    Notion(NotionConfig),
    /// A SQLite file.
    Sqlite {
        /// Name of the backend.
        name: String,
        /// The file, relative to the repository.
        path: String,
        /// Kinds that are kept there.
        share: Vec<String>,
    },
    /// PostgreSQL.
    Postgres {
        /// Name of the backend.
        name: String,
        /// Environment variable that holds the connection URL.
        url_env: String,
        /// Schema of the tables.
        schema: String,
        /// Kinds that are kept there.
        share: Vec<String>,
    },
}

impl BackendConfig {
    /// Whether pages that people make without an id get the next free one (`assign_ids`).
    pub fn assigns_ids(&self) -> bool {
        matches!(self, Self::Notion(notion) if notion.assign_ids)
    }

    /// Name in the configuration.
    pub fn name(&self) -> &str {
        match self {
            Self::Notion(NotionConfig { name, .. })
            | Self::Sqlite { name, .. }
            | Self::Postgres { name, .. } => name,
        }
    }
}

/// Settings of a Notion backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotionConfig {
    /// Name of the backend.
    pub name: String,
    /// Page under which databases are found and created: a lower-case id with dashes.
    pub parent_page: Option<String>,
    /// Databases (or data sources) by kind: lower-case ids with dashes. The other kinds' are found by title.
    pub databases: BTreeMap<String, String>,
    /// What the databases look like to people, by kind.
    pub designs: BTreeMap<String, Design>,
    /// Requests that may be made per minute.
    pub requests_per_minute: u32,
    /// Grammar of page bodies.
    pub dialect: agent_sync_core::markdown::Dialect,
    /// Kinds that may leave the repository.
    pub share: Vec<String>,
    /// Whether a page without an id, made by hand, gets the next free one.
    pub assign_ids: bool,
    /// Whether a missing database is created without `init`.
    pub auto_init: bool,
    /// Seconds after an unanswered request in which its effect may still appear (rule 12).
    pub settle_seconds: u64,
    /// First wait before a request is repeated, in milliseconds.
    pub backoff_ms: u64,
    /// Time for a request that reads, in milliseconds.
    pub read_timeout_ms: u64,
    /// Time for a request that writes, in milliseconds.
    pub write_timeout_ms: u64,
}

/// The repository as seen from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// Address for people, without a slash or `.git` at its end. From the file, else `GITHUB_SERVER_URL` and
    /// `GITHUB_REPOSITORY`, else unknown here.
    pub url: Option<String>,
    /// The branch that is synced, where the file names it.
    pub default_branch: Option<String>,
    /// Whether readers of the backend may lack access to the repository, where the file says so.
    pub private: Option<bool>,
}

/// Shares past which a run stops before its first write (rule 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deletions, of all artifacts.
    pub max_delete: Percent,
    /// Overwritten artifacts, of all that exist.
    pub max_change: Percent,
}

/// A share in whole percent, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u8);

impl Percent {
    /// The share, unless it is more than 100.
    pub fn new(percent: u8) -> Option<Self> {
        (percent <= 100).then_some(Self(percent))
    }

    /// The number of percent.
    pub fn get(self) -> u8 {
        self.0
    }

    /// That share of a count, rounded down.
    pub fn of(self, count: usize) -> usize {
        let share =
            u128::try_from(count).unwrap_or(u128::MAX).saturating_mul(u128::from(self.0)) / 100;
        usize::try_from(share).unwrap_or(usize::MAX)
    }
}

/// Where the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateConfig {
    /// The git ref.
    pub reference: String,
    /// Days that replaced texts are kept.
    pub keep_days: u32,
}

impl Config {
    /// Finds, reads and checks the configuration of the repository at `root`. `explicit` (relative to `root`, or
    /// absolute) is read instead of [`PLACES`]; `env` answers for the environment.
    ///
    /// A text that is exactly `${VAR}` stands for that variable's value; if the variable is unset or empty, the
    /// key counts as not given.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that was found wrong, each with its line where there is one. No secret
    /// appears in it.
    pub fn load(
        root: &Path,
        explicit: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let (file, text) = error::read(root, explicit)?;
        Self::parse(file, &text, env)
    }

    /// As [`Self::load`], for a text that was read elsewhere. `file` serves messages.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(
        file: PathBuf,
        text: &str,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        settings::parse(file, text, env)
    }
}

/// JSON schema of the configuration file.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(file::File).to_value()
}

#[cfg(test)]
mod tests;
