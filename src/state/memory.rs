//! A store in memory, for tests of what stands on a store. It passes the contract of the real ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    LeaseCommit, LogEntry, Snapshot, StateError, Store, check_format, check_path, whole_change,
};

type Files = BTreeMap<String, Arc<Vec<u8>>>;

#[derive(Clone)]
struct Commit {
    parent: Option<String>,
    message: String,
    files: Files,
}

#[derive(Default)]
struct Inner {
    commits: BTreeMap<String, Commit>,
    head: Option<String>,
    lease: Option<LeaseCommit>,
    /// Commits made, for their names.
    count: u64,
    /// Answers to the next writes of the lease, instead of the true ones; see [`LeaseFault`].
    faults: Vec<LeaseFault>,
}

/// What goes wrong with a write of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseFault {
    /// It does not take effect, and says so.
    Before,
    /// It takes effect, and nobody hears of it.
    After,
    /// It takes effect at once, and the answer comes 15 s later.
    Late,
}

/// Clones share what they hold, as clones of a repository share their remote.
#[derive(Clone, Default)]
pub(crate) struct MemoryStore(Arc<Mutex<Inner>>);

impl MemoryStore {
    /// The next writes of the lease go wrong like this, in this order.
    pub(crate) fn fail_lease(&self, faults: &[LeaseFault]) {
        self.inner().faults = faults.iter().rev().copied().collect();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn follow(
        &self,
        from: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
        parent: Option<String>,
    ) -> Result<Snapshot, StateError> {
        let change = whole_change(from, change)?;
        let mut files = self.files(from);
        for (path, content) in change {
            match content {
                Some(content) => files.insert(path.to_owned(), Arc::new(content.to_vec())),
                None => files.remove(path),
            };
        }
        let mut inner = self.inner();
        if inner.head != from.commit {
            return Err(StateError::Moved);
        }
        let name = inner.next_name();
        let message = message.trim_end().to_owned();
        inner.commits.insert(name.clone(), Commit { parent, message, files });
        inner.head = Some(name.clone());
        Ok(Snapshot { commit: Some(name) })
    }

    fn files(&self, at: &Snapshot) -> Files {
        let inner = self.inner();
        let commit = at.commit.as_ref().and_then(|commit| inner.commits.get(commit));
        commit.map(|commit| commit.files.clone()).unwrap_or_default()
    }
}

impl Inner {
    fn next_name(&mut self) -> String {
        self.count += 1;
        format!("{:040x}", self.count)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self) -> Result<Snapshot, StateError> {
        let at = Snapshot { commit: self.inner().head.clone() };
        if at.commit.is_some() {
            let files = self.files(&at);
            check_format("memory", files.get(super::FORMAT_PATH).map(|file| file.as_slice()))?;
        }
        Ok(at)
    }

    async fn reload(&self) -> Result<Snapshot, StateError> {
        self.load().await
    }

    async fn read_many(
        &self,
        at: &Snapshot,
        paths: &[String],
    ) -> Result<BTreeMap<String, Vec<u8>>, StateError> {
        paths.iter().try_for_each(|path| check_path(path))?;
        let files = self.files(at);
        let found = paths.iter().filter_map(|path| files.get_key_value(path));
        Ok(found.map(|(path, content)| (path.clone(), content.to_vec())).collect())
    }

    async fn list(&self, at: &Snapshot, dir: &str) -> Result<Vec<String>, StateError> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        if !dir.is_empty() {
            check_path(dir)?;
        }
        Ok(self.files(at).into_keys().filter(|path| path.starts_with(&prefix)).collect())
    }

    async fn commit(
        &self,
        parent: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        self.follow(parent, message, change, parent.commit.clone())
    }

    async fn restart(
        &self,
        from: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        self.follow(from, message, change, None)
    }

    async fn history(&self, at: &Snapshot, limit: usize) -> Result<Vec<LogEntry>, StateError> {
        let inner = self.inner();
        let mut entries = Vec::new();
        let mut next = at.commit.clone();
        while let Some((name, commit)) = next.and_then(|name| inner.commits.get_key_value(&name)) {
            if entries.len() == limit {
                break;
            }
            let (commit_name, time) = (name.clone(), Timestamp::UNIX_EPOCH);
            entries.push(LogEntry { commit: commit_name, time, message: commit.message.clone() });
            next = commit.parent.clone();
        }
        Ok(entries)
    }

    async fn lease_read(&self) -> Result<Option<LeaseCommit>, StateError> {
        Ok(self.inner().lease.clone())
    }

    async fn lease_write(
        &self,
        expected: Option<&str>,
        content: &str,
    ) -> Result<String, StateError> {
        let fault = self.inner().faults.pop();
        let answer = {
            let mut inner = self.inner();
            let lost = || StateError::Unavailable { message: "the answer was lost".to_owned() };
            if fault == Some(LeaseFault::Before) {
                return Err(lost());
            }
            if inner.lease.as_ref().map(|lease| lease.commit.as_str()) != expected {
                return Err(StateError::Moved);
            }
            let commit = inner.next_name();
            let content = content.trim_end().to_owned();
            inner.lease = Some(LeaseCommit { commit: commit.clone(), content });
            if fault == Some(LeaseFault::After) { Err(lost()) } else { Ok(commit) }
        };
        if fault == Some(LeaseFault::Late) {
            tokio::time::sleep(std::time::Duration::from_secs(15)).await;
        }
        answer
    }
}
