//! A repository with a database for a backend, and another program that speaks SQL to the same database.

use std::path::PathBuf;
use std::process::Command;

use super::postgres::Server;
use super::{Lab, Repo, scrubbed};

/// A database as other programs see it.
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A connection URL.
    Postgres(String),
}

impl Database {
    /// Runs SQL as another program; gives the rows, a line each, columns parted by `|`.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        let output = match self {
            Self::Sqlite(path) => scrubbed(Command::new("sqlite3"))
                .args(["-cmd", ".timeout 5000"])
                .arg(path)
                .arg(sql)
                .output(),
            Self::Postgres(url) => scrubbed(Command::new("psql"))
                .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
                .env("PGOPTIONS", "-c search_path=agent_sync")
                .output(),
        };
        let output = output.unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Everything that runs write: rows, their history, the state.
    pub fn counts(&self) -> String {
        self.sql(
            "SELECT (SELECT count(*) FROM artifacts), (SELECT count(*) FROM artifact_versions), \
             (SELECT max(change) FROM artifacts), (SELECT max(n) FROM sync_commits)",
        )
    }

    /// The body of a live row.
    pub fn body(&self, id: &str) -> String {
        self.sql(&format!("SELECT body FROM artifacts WHERE id = '{id}' AND deleted_at IS NULL"))
    }
}

/// A repository whose only backend is a database.
pub struct Bench<'a> {
    /// The repository.
    pub repo: Repo<'a>,
    /// The database.
    pub database: Database,
}

/// How a repository gets its database.
pub type Make = for<'a> fn(&'a Lab) -> Bench<'a>;

/// With SQLite.
pub fn sqlite(lab: &Lab) -> Bench<'_> {
    let repo = lab.repo("repo");
    repo.write(
        "agent-sync.yml",
        "version: 1\npreset: agent\nbackends:\n  cache: {type: sqlite, path: .agent/artifacts.db}\n",
    );
    let database = Database::Sqlite(repo.path.join(".agent/artifacts.db"));
    Bench { repo, database }
}

/// With PostgreSQL.
pub fn postgres(lab: &Lab) -> Bench<'_> {
    let server = Server::shared();
    let url = server.url(&server.database());
    at_url(lab, &url, &url)
}

/// With PostgreSQL at a URL; other programs use another one.
pub fn at_url<'a>(lab: &'a Lab, url: &str, others: &str) -> Bench<'a> {
    let mut repo = lab.repo("repo");
    repo.write(
        "agent-sync.yml",
        "version: 1\npreset: agent\nbackends:\n  team: {type: postgres, url_env: TEAM_URL}\n",
    );
    repo.env.insert("TEAM_URL".to_owned(), url.to_owned());
    Bench { repo, database: Database::Postgres(others.to_owned()) }
}
