//! The state in a ref of a Git repository, through the `git` command.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    LeaseCommit, LogEntry, Snapshot, StateError, Store, check_format, check_path, whole_change,
};
use crate::repo::git::{Git, GitError, Oid, Push, check_ref, lease_ref};

#[cfg(test)]
mod tests;

/// How often a push is tried that did not take effect for no definite reason.
const PUSHES: u32 = 3;

/// From this many paths on, the tree is listed once instead of being searched for each path.
const MANY: usize = 16;

/// The state in a Git ref; with a remote, the remote's ref is the one that counts.
#[derive(Clone, Debug)]
pub struct GitStore {
    git: Git,
    state_ref: String,
    lease_ref: String,
    remote: Option<String>,
}

impl GitStore {
    /// The state under this ref, e.g. `refs/agent-sync/state`; its lease is the ref with `-lease` at its end.
    ///
    /// # Errors
    /// [`GitError::BadRef`].
    pub fn new(git: Git, state_ref: &str, remote: Option<String>) -> Result<Self, GitError> {
        check_ref(state_ref)?;
        Ok(Self { git, state_ref: state_ref.to_owned(), lease_ref: lease_ref(state_ref), remote })
    }

    fn failed(&self, error: &GitError) -> StateError {
        let message = error.to_string();
        if error.is_refusal() {
            StateError::Refused { message, reference: self.state_ref.clone() }
        } else if error.is_outage() {
            StateError::Unavailable { message }
        } else {
            StateError::Failed { message }
        }
    }

    fn commit_of(&self, at: &Snapshot) -> Result<Option<Oid>, StateError> {
        at.commit.as_deref().map(|commit| self.oid(commit)).transpose()
    }

    fn oid(&self, text: &str) -> Result<Oid, StateError> {
        text.parse().map_err(|_| StateError::Corrupt {
            path: self.state_ref.clone(),
            reason: format!("`{text}` is no commit"),
        })
    }

    /// Moves a ref from `old` to `new`, at the remote where there is one.
    async fn advance(
        &self,
        reference: &str,
        new: &Oid,
        old: Option<&Oid>,
    ) -> Result<(), StateError> {
        let Some(remote) = &self.remote else {
            let moved = self.git.move_ref(reference, new, old).await;
            return if moved.map_err(|e| self.failed(&e))? {
                Ok(())
            } else {
                Err(StateError::Moved)
            };
        };
        self.push(remote, reference, new, old).await?;
        // Only a copy of what the remote now holds; the next fetch sets it.
        if let Err(error) = self.git.set_ref(reference, new).await {
            tracing::debug!(%error, "the local copy of the ref was not moved");
        }
        Ok(())
    }

    /// Pushes until it is clear what the remote holds. A push that was cut off may have taken effect, and may
    /// still do so; asking the remote, and repeating the same conditional push, are safe in both cases.
    async fn push(
        &self,
        remote: &str,
        reference: &str,
        new: &Oid,
        old: Option<&Oid>,
    ) -> Result<(), StateError> {
        let mut expected = old;
        let mut attempt = 1;
        loop {
            let outcome = self.git.push_ref(remote, reference, new, expected).await;
            if matches!(outcome, Ok(Push::Done)) {
                return Ok(());
            }
            if let Err(error) = &outcome
                && error.is_refusal()
            {
                return Err(self.failed(error));
            }
            let refs =
                self.git.remote_refs(remote, &[reference]).await.map_err(|e| self.failed(&e))?;
            let there = refs.get(reference);
            if there == Some(new) {
                return Ok(());
            }
            if there.is_none() && expected.is_some() {
                // The remote has none: what is here was made before there was a remote.
                expected = None;
                continue;
            }
            if there != expected {
                return Err(StateError::Moved);
            }
            let message = match outcome {
                Ok(Push::Rejected(reason)) if !is_race(&reason) => {
                    return Err(StateError::Refused {
                        message: reason,
                        reference: reference.to_owned(),
                    });
                }
                Ok(Push::Rejected(reason)) => reason,
                Ok(Push::Done | Push::Stale) => "another run is writing it".to_owned(),
                Err(error) => error.to_string(),
            };
            if attempt == PUSHES {
                return Err(StateError::Unavailable { message });
            }
            tracing::debug!(reference, attempt, message, "the push is repeated");
            tokio::time::sleep(Duration::from_millis(250 * u64::from(attempt))).await;
            attempt += 1;
        }
    }
}

/// Whether a server's reason for a rejection is a race over the ref, not a rule.
fn is_race(reason: &str) -> bool {
    const RACES: &[&str] = &[
        "cannot lock ref",
        "failed to lock",
        "failed to update ref",
        "incorrect old value",
        "reference already exists",
        "Internal Server Error",
    ];
    RACES.iter().any(|race| reason.contains(race))
}

#[async_trait]
impl Store for GitStore {
    async fn load(&self) -> Result<Snapshot, StateError> {
        let head = format!("{}^{{commit}}", self.state_ref);
        let format = format!("{}:{}", self.state_ref, super::FORMAT_PATH);
        let raw = [self.state_ref.as_str(), head.as_str(), format.as_str()];
        let mut objects = self.git.objects(&raw).await.map_err(|e| self.failed(&e))?.into_iter();
        let (raw, head, format) =
            (objects.next().flatten(), objects.next().flatten(), objects.next().flatten());
        if raw.is_none() {
            return Ok(Snapshot::default());
        }
        check_format(&self.state_ref, format.as_ref().map(|object| object.content.as_slice()))?;
        Ok(Snapshot { commit: head.map(|object| object.oid.into()) })
    }

    async fn reload(&self) -> Result<Snapshot, StateError> {
        if let Some(remote) = &self.remote {
            let wanted = [(self.state_ref.as_str(), self.state_ref.as_str())];
            self.git.fetch_refs(remote, &wanted).await.map_err(|e| self.failed(&e))?;
        }
        self.load().await
    }

    async fn read_many(
        &self,
        at: &Snapshot,
        paths: &[String],
    ) -> Result<BTreeMap<String, Vec<u8>>, StateError> {
        paths.iter().try_for_each(|path| check_path(path))?;
        let Some(commit) = self.commit_of(at)? else { return Ok(BTreeMap::new()) };
        let (paths, names): (Vec<String>, Vec<String>) = if paths.len() < MANY {
            paths.iter().map(|path| (path.clone(), format!("{commit}:{path}"))).unzip()
        } else {
            let files = self.git.tree_files(&commit, &[String::new()]).await;
            let files: BTreeMap<String, Oid> =
                files.map_err(|e| self.failed(&e))?.into_iter().collect();
            let found = paths.iter().filter_map(|path| files.get_key_value(path));
            found.map(|(path, oid)| (path.clone(), oid.to_string())).unzip()
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let objects = self.git.objects(&names).await.map_err(|e| self.failed(&e))?;
        Ok(paths
            .into_iter()
            .zip(objects)
            .filter_map(|(path, object)| Some((path, object?)))
            .filter(|(_, object)| object.kind == "blob")
            .map(|(path, object)| (path, object.content))
            .collect())
    }

    async fn list(&self, at: &Snapshot, dir: &str) -> Result<Vec<String>, StateError> {
        if !dir.is_empty() {
            check_path(dir)?;
        }
        let Some(commit) = self.commit_of(at)? else { return Ok(Vec::new()) };
        let files = self.git.tree_files(&commit, &[dir.to_owned()]).await;
        let mut files: Vec<String> =
            files.map_err(|e| self.failed(&e))?.into_iter().map(|(path, _)| path).collect();
        files.sort_unstable();
        Ok(files)
    }

    async fn commit(
        &self,
        parent: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        let change = whole_change(parent, change)?;
        let old = self.commit_of(parent)?;
        let new = self
            .git
            .write_commit(old.as_ref(), message, &change)
            .await
            .map_err(|e| self.failed(&e))?;
        self.advance(&self.state_ref, &new, old.as_ref()).await?;
        Ok(Snapshot { commit: Some(new.into()) })
    }

    async fn restart(
        &self,
        from: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        let change = whole_change(from, change)?;
        let old = self.commit_of(from)?;
        let next = self.git.write_commit(old.as_ref(), message, &change).await;
        let next = next.map_err(|e| self.failed(&e))?;
        let new = self.git.without_parents(&next, message).await.map_err(|e| self.failed(&e))?;
        self.advance(&self.state_ref, &new, old.as_ref()).await?;
        Ok(Snapshot { commit: Some(new.into()) })
    }

    async fn history(&self, at: &Snapshot, limit: usize) -> Result<Vec<LogEntry>, StateError> {
        let Some(commit) = self.commit_of(at)? else { return Ok(Vec::new()) };
        let log = self.git.log(&commit, limit).await.map_err(|e| self.failed(&e))?;
        let entry = |(commit, seconds, message): (Oid, i64, String)| {
            let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
            LogEntry { commit: commit.into(), time, message }
        };
        Ok(log.into_iter().map(entry).collect())
    }

    async fn lease_read(&self) -> Result<Option<LeaseCommit>, StateError> {
        let head = match &self.remote {
            Some(remote) => {
                let wanted = [(self.lease_ref.as_str(), self.lease_ref.as_str())];
                let fetched = self.git.fetch_refs(remote, &wanted).await;
                fetched.map_err(|e| self.failed(&e))?.remove(&self.lease_ref)
            }
            None => self.git.resolve(&self.lease_ref).await.map_err(|e| self.failed(&e))?,
        };
        let Some(head) = head else { return Ok(None) };
        let content = self.git.message(&head).await.map_err(|e| self.failed(&e))?;
        Ok(Some(LeaseCommit { commit: head.into(), content }))
    }

    async fn lease_write(
        &self,
        expected: Option<&str>,
        content: &str,
    ) -> Result<String, StateError> {
        let old = expected.map(|commit| self.oid(commit)).transpose()?;
        let new =
            self.git.write_message(old.as_ref(), content).await.map_err(|e| self.failed(&e))?;
        self.advance(&self.lease_ref, &new, old.as_ref()).await?;
        Ok(new.into())
    }
}
