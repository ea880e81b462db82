//! The state of a database backend in tables beside its rows. What the backend has queued is written with the next
//! commit, in one transaction: rows and base are never apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Database;
use super::engine::{Commit, FIRST, Trouble};
use crate::state::{
    FORMAT_PATH, LeaseCommit, LogEntry, Snapshot, StateError, Store, check_format, check_path,
    whole_change,
};

/// A state in the tables `sync_commits` and `sync_files`.
pub struct DatabaseStore(Arc<Database>);

impl DatabaseStore {
    /// In this database.
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    async fn newest(&self, fresh: bool) -> Result<Snapshot, StateError> {
        let opened = self.0.opened(fresh).await?;
        if opened.head.is_some() {
            check_format(self.0.name(), opened.files.get(FORMAT_PATH).map(Vec::as_slice))?;
        }
        Ok(Snapshot { commit: opened.head.map(|n| n.to_string()) })
    }

    async fn follow(
        &self,
        parent: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
        restart: bool,
    ) -> Result<Snapshot, StateError> {
        let change = whole_change(parent, change)?;
        let parent = match &parent.commit {
            Some(name) => Some(number(name).ok_or(StateError::Moved)?),
            None => None,
        };
        let files = change
            .into_iter()
            .map(|(path, content)| (path.to_owned(), content.map(<[u8]>::to_vec)))
            .collect();
        let commit = Commit {
            parent,
            message: message.trim_end().to_owned(),
            at: Timestamp::now().as_microsecond(),
            files,
            restart,
        };
        let n = self.0.commit(commit).await?;
        Ok(Snapshot { commit: Some(n.to_string()) })
    }
}

/// The number of a commit; none for a name that is none of ours.
fn number(name: &str) -> Option<i64> {
    name.parse().ok().filter(|n| *n > 0)
}

fn time(at: i64) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or_default()
}

#[async_trait]
impl Store for DatabaseStore {
    async fn load(&self) -> Result<Snapshot, StateError> {
        self.newest(false).await
    }

    async fn reload(&self) -> Result<Snapshot, StateError> {
        self.newest(true).await
    }

    async fn read_many(
        &self,
        at: &Snapshot,
        paths: &[String],
    ) -> Result<BTreeMap<String, Vec<u8>>, StateError> {
        paths.iter().try_for_each(|path| check_path(path))?;
        let Some(at) = at.commit.as_deref().and_then(number) else { return Ok(BTreeMap::new()) };
        let opened = self.0.opened(false).await?;
        if opened.head == Some(at) && paths.iter().all(|path| FIRST.contains(&path.as_str())) {
            let found = paths.iter().filter_map(|path| opened.files.get_key_value(path));
            return Ok(found.map(|(path, content)| (path.clone(), content.clone())).collect());
        }
        if paths.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.0.count("read state", 1);
        Ok(self.0.engine().files(at, paths).await?)
    }

    async fn list(&self, at: &Snapshot, dir: &str) -> Result<Vec<String>, StateError> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        if !dir.is_empty() {
            check_path(dir)?;
        }
        let Some(at) = at.commit.as_deref().and_then(number) else { return Ok(Vec::new()) };
        self.0.count("read state", 1);
        Ok(self.0.engine().list(at, &prefix).await?)
    }

    fn pending(&self) -> bool {
        self.0.pending()
    }

    async fn commit(
        &self,
        parent: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        self.follow(parent, message, change, false).await
    }

    async fn restart(
        &self,
        from: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        self.follow(from, message, change, true).await
    }

    async fn history(&self, at: &Snapshot, limit: usize) -> Result<Vec<LogEntry>, StateError> {
        let Some(at) = at.commit.as_deref().and_then(number) else { return Ok(Vec::new()) };
        self.0.count("read state", 1);
        let found = self.0.engine().history(at, limit).await?;
        let entry = |(n, at, message): (i64, i64, String)| LogEntry {
            commit: n.to_string(),
            time: time(at),
            message,
        };
        Ok(found.into_iter().map(entry).collect())
    }

    async fn lease_read(&self) -> Result<Option<LeaseCommit>, StateError> {
        self.0.count("lease", 1);
        let lease = self.0.engine().lease().await?;
        Ok(lease.map(|(n, content)| LeaseCommit { commit: n.to_string(), content }))
    }

    async fn lease_write(
        &self,
        expected: Option<&str>,
        content: &str,
    ) -> Result<String, StateError> {
        let expected = match expected {
            Some(name) => Some(number(name).ok_or(StateError::Moved)?),
            None => None,
        };
        self.0.count("lease", 1);
        let written = self.0.engine().write_lease(expected, content.trim_end()).await;
        Ok(written.map_err(|trouble: Trouble| StateError::from(trouble))?.to_string())
    }
}
