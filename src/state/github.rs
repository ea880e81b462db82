//! The state in a ref of a repository at GitHub, through its REST API: where there is no `git`, as in a container
//! action.
//!
//! Requests: a first read costs one for the refs, one for the top of the tree and one a file; texts below cost one
//! more for the whole listing. A commit costs three (tree, commit, ref), and one for each further thousand files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    FORMAT_FILE, FORMAT_PATH, LeaseCommit, LogEntry, Snapshot, StateError, Store, check_format,
    check_path, whole_change,
};
use crate::github::data::{Content, Entry, blob_id};
use crate::github::{Client, GithubError};
use crate::repo::git::{GitError, check_ref, lease_ref};

/// Mode of every file of the state.
const PLAIN: &str = "100644";

/// How often a ref is moved that was not moved for no definite reason.
const MOVES: u32 = 3;

/// What is known of one commit. Trees never change.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The tree of the commit.
    tree: Option<String>,
    /// Blobs by path.
    files: BTreeMap<String, String>,
    /// Folders whose files are not in `files` yet, with their trees.
    folders: BTreeMap<String, String>,
}

/// The state in a ref at GitHub.
#[derive(Debug)]
pub struct GithubStore {
    client: Arc<Client>,
    state_ref: String,
    lease_ref: String,
    known: Mutex<BTreeMap<String, Known>>,
}

impl GithubStore {
    /// The state under this ref; its lease is the ref with `-lease` at its end.
    ///
    /// # Errors
    /// [`GitError::BadRef`].
    pub fn new(client: Arc<Client>, state_ref: &str) -> Result<Self, GitError> {
        check_ref(state_ref)?;
        Ok(Self {
            client,
            state_ref: state_ref.to_owned(),
            lease_ref: lease_ref(state_ref),
            known: Mutex::default(),
        })
    }

    fn failed(&self, error: GithubError) -> StateError {
        let message = error.to_string();
        match error {
            GithubError::Unavailable { .. } | GithubError::Unexpected { .. } => {
                StateError::Unavailable { message }
            }
            _ => StateError::Refused { message, reference: self.state_ref.clone() },
        }
    }

    fn remembered(&self, commit: &str) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(commit).cloned()
    }

    fn remember(&self, commit: &str, known: &Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(commit.to_owned(), known.clone());
    }

    /// The top of a commit's tree, or more of it where it is known.
    async fn top(&self, commit: &str) -> Result<Known, StateError> {
        if let Some(known) = self.remembered(commit) {
            return Ok(known);
        }
        let mut known = Known::default();
        let entries = self.client.tree(commit).await.map_err(|e| self.failed(e))?;
        add(&mut known, "", entries, true);
        self.remember(commit, &known);
        Ok(known)
    }

    /// As [`Self::top`], with all files below these folders (`""`: all).
    async fn listed(&self, commit: &str, under: &[&str]) -> Result<Known, StateError> {
        let mut known = self.top(commit).await?;
        let wanted =
            |folder: &str| under.iter().any(|path| within(path, folder) || within(folder, path));
        if !known.folders.keys().any(|folder| wanted(folder)) {
            return Ok(known);
        }
        if known.folders.keys().all(|folder| !folder.contains('/')) {
            let whole = self.client.whole_tree(commit).await.map_err(|e| self.failed(e))?;
            if let Some(entries) = whole {
                known.folders.clear();
                add(&mut known, "", entries, false);
                self.remember(commit, &known);
                return Ok(known);
            }
        }
        // Too many for one answer: one folder after the other, only where something is wanted.
        while let Some(folder) = known.folders.keys().find(|folder| wanted(folder)).cloned() {
            let Some(tree) = known.folders.remove(&folder) else { break };
            let whole = self.client.whole_tree(&tree).await.map_err(|e| self.failed(e))?;
            match whole {
                Some(entries) => add(&mut known, &folder, entries, false),
                None => {
                    let entries = self.client.tree(&tree).await.map_err(|e| self.failed(e))?;
                    add(&mut known, &folder, entries, true);
                }
            }
        }
        self.remember(commit, &known);
        Ok(known)
    }

    /// The tree of a commit.
    async fn tree_of(&self, commit: &str, known: &mut Known) -> Result<String, StateError> {
        if let Some(tree) = &known.tree {
            return Ok(tree.clone());
        }
        let tree = self.client.commit(commit).await.map_err(|e| self.failed(e))?.tree.sha;
        known.tree = Some(tree.clone());
        Ok(tree)
    }

    /// Moves a ref from `old` to `new`, which follows it. A request that was cut off may have taken effect, and
    /// may still do so; asking for the ref, and repeating the same conditional move, are safe in both cases.
    async fn advance(
        &self,
        reference: &str,
        new: &str,
        old: Option<&str>,
    ) -> Result<(), StateError> {
        let mut attempt = 1;
        loop {
            let moved = match old {
                Some(_) => self.client.advance_reference(reference, new).await,
                None => self.client.create_reference(reference, new).await,
            };
            let message = match moved {
                Ok(true) => {
                    self.client.remember_reference(reference, new);
                    return Ok(());
                }
                Ok(false) => String::from("another run is writing it"),
                Err(error) if error.is_refusal() => return Err(self.failed(error)),
                Err(error) => error.to_string(),
            };
            let there = self.client.reference(reference).await.map_err(|e| self.failed(e))?;
            if there.as_deref() == Some(new) {
                self.client.remember_reference(reference, new);
                return Ok(());
            }
            if there.as_deref() != old {
                return Err(StateError::Moved);
            }
            if attempt == MOVES {
                return Err(StateError::Unavailable { message });
            }
            attempt += 1;
        }
    }

    /// Stores what the next state holds.
    async fn grow(
        &self,
        from: &Snapshot,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Made, StateError> {
        let mut change = whole_change(from, change)?;
        let old = from.commit.as_deref();
        let mut known = match old {
            Some(old) => {
                // What is not there cannot be removed. Only then does the listing matter.
                let removed: Vec<&str> =
                    change.iter().filter(|(_, c)| c.is_none()).map(|(path, _)| *path).collect();
                match removed.is_empty() {
                    true => self.top(old).await?,
                    false => self.listed(old, &removed).await?,
                }
            }
            None => Known::default(),
        };
        change.retain(|path, content| content.is_some() || known.files.contains_key(*path));
        let base = match old {
            Some(old) => Some(self.tree_of(old, &mut known).await?),
            None => None,
        };
        let tree = self.store(base, &change).await?;
        for (path, content) in change {
            match content {
                Some(content) => known.files.insert(path.to_owned(), blob_id(content)),
                None => known.files.remove(path),
            };
        }
        known.tree = Some(tree.clone());
        Ok(Made { tree, known })
    }

    /// A state that was made is the newest one.
    fn settle(&self, commit: String, made: Made) -> Snapshot {
        self.remember(&commit, &made.known);
        Snapshot { commit: Some(commit) }
    }

    /// Stores the files as a tree on top of another one, in as many requests as it takes.
    async fn store(
        &self,
        base: Option<String>,
        change: &BTreeMap<&str, Option<&[u8]>>,
    ) -> Result<String, StateError> {
        let mut files = Vec::new();
        for (path, content) in change {
            let content = match content.map(|raw| (raw, std::str::from_utf8(raw))) {
                None => Content::Gone,
                Some((_, Ok(text))) => Content::Text(text),
                Some((raw, Err(_))) => {
                    let blob = self.client.create_blob(raw).await;
                    Content::Blob(blob.map_err(|e| self.failed(e))?)
                }
            };
            files.push((*path, PLAIN, content));
        }
        self.client.grow_tree(base.as_deref(), files).await.map_err(|e| self.failed(e))
    }
}

/// The files of a state that is being made.
struct Made {
    tree: String,
    known: Known,
}

/// Takes entries of a tree into what is known; `shallow`: their folders were not entered.
fn add(known: &mut Known, below: &str, entries: Vec<Entry>, shallow: bool) {
    for Entry { path, mode, sha, .. } in entries {
        let path = if below.is_empty() { path } else { format!("{below}/{path}") };
        let Some(sha) = sha else { continue };
        if mode == "040000" && shallow {
            known.folders.insert(path, sha);
        } else if mode.starts_with("100") {
            // What a later commit wrote there is newer than the folder that was entered now.
            known.files.entry(path).or_insert(sha);
        }
    }
}

/// Whether a path is a folder (`""`: the top) or lies below it.
fn within(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[async_trait]
impl Store for GithubStore {
    async fn load(&self) -> Result<Snapshot, StateError> {
        let commit = match self.client.known_reference(&self.state_ref) {
            Some(known) => known,
            None => return self.reload().await,
        };
        let Some(commit) = commit else { return Ok(Snapshot::default()) };
        let known = self.top(&commit).await?;
        match known.files.get(FORMAT_PATH) {
            Some(blob) if *blob == blob_id(FORMAT_FILE) => {}
            Some(blob) => {
                let file = self.client.blob(blob).await.map_err(|e| self.failed(e))?;
                check_format(&self.state_ref, Some(&file))?;
            }
            None => check_format(&self.state_ref, None)?,
        }
        Ok(Snapshot { commit: Some(commit) })
    }

    async fn reload(&self) -> Result<Snapshot, StateError> {
        self.client.fetch_references(&self.state_ref).await.map_err(|e| self.failed(e))?;
        self.load().await
    }

    async fn read_many(
        &self,
        at: &Snapshot,
        paths: &[String],
    ) -> Result<BTreeMap<String, Vec<u8>>, StateError> {
        paths.iter().try_for_each(|path| check_path(path))?;
        let Some(commit) = &at.commit else { return Ok(BTreeMap::new()) };
        let wanted: Vec<&str> = paths.iter().map(String::as_str).collect();
        let known = self.listed(commit, &wanted).await?;
        let found: Vec<(&String, &String)> =
            paths.iter().filter_map(|path| Some((path, known.files.get(path)?))).collect();
        let blobs: BTreeSet<String> = found.iter().map(|(_, blob)| (*blob).clone()).collect();
        let blobs = self.client.blobs(&blobs).await.map_err(|e| self.failed(e))?;
        Ok(found
            .into_iter()
            .filter_map(|(path, blob)| Some((path.clone(), blobs.get(blob)?.clone())))
            .collect())
    }

    async fn list(&self, at: &Snapshot, dir: &str) -> Result<Vec<String>, StateError> {
        if !dir.is_empty() {
            check_path(dir)?;
        }
        let Some(commit) = &at.commit else { return Ok(Vec::new()) };
        let known = self.listed(commit, &[dir]).await?;
        let below = |path: &&String| within(path, dir) && path.as_str() != dir;
        Ok(known.files.keys().filter(below).cloned().collect())
    }

    async fn commit(
        &self,
        parent: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        let made = self.grow(parent, change).await?;
        let old = parent.commit.as_deref();
        let parents: Vec<&str> = old.into_iter().collect();
        let new = self.client.create_commit(&made.tree, &parents, message).await;
        let new = new.map_err(|e| self.failed(e))?;
        self.advance(&self.state_ref, &new, old).await?;
        Ok(self.settle(new, made))
    }

    async fn restart(
        &self,
        from: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        let Some(old) = from.commit.as_deref() else {
            return self.commit(from, message, change).await;
        };
        let made = self.grow(from, change).await?;
        let new = self.client.create_commit(&made.tree, &[], message).await;
        let new = new.map_err(|e| self.failed(e))?;
        let moved = self.client.replace_reference(&self.state_ref, &new, old).await;
        match moved {
            Ok(()) => {}
            Err(error) => {
                // Where the answer is unclear the ref says what happened.
                let there =
                    self.client.reference(&self.state_ref).await.map_err(|e| self.failed(e))?;
                match there.as_deref() {
                    Some(there) if there == new => {}
                    Some(there) if there == old => return Err(self.failed(error)),
                    _ => return Err(StateError::Moved),
                }
            }
        }
        self.client.remember_reference(&self.state_ref, &new);
        Ok(self.settle(new, made))
    }

    async fn history(&self, at: &Snapshot, limit: usize) -> Result<Vec<LogEntry>, StateError> {
        let Some(commit) = &at.commit else { return Ok(Vec::new()) };
        let log = self.client.log(commit, limit).await.map_err(|e| self.failed(e))?;
        let entry = |(commit, date, message): (String, String, String)| LogEntry {
            commit,
            time: date.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            message: message.trim_end().to_owned(),
        };
        Ok(log.into_iter().map(entry).collect())
    }

    async fn lease_read(&self) -> Result<Option<LeaseCommit>, StateError> {
        let head = match self.client.fresh_reference(&self.lease_ref) {
            Some(known) => known,
            None => self.client.reference(&self.lease_ref).await.map_err(|e| self.failed(e))?,
        };
        let Some(commit) = head else { return Ok(None) };
        let found = self.client.commit(&commit).await.map_err(|e| self.failed(e))?;
        // The next record goes on top of it, with the same tree.
        self.remember(&commit, &Known { tree: Some(found.tree.sha), ..Known::default() });
        Ok(Some(LeaseCommit { commit, content: found.message.trim_end().to_owned() }))
    }

    async fn lease_write(
        &self,
        expected: Option<&str>,
        content: &str,
    ) -> Result<String, StateError> {
        let mut known = Known::default();
        let tree = match expected {
            Some(commit) => match self.remembered(commit) {
                Some(known) if known.tree.is_some() => known.tree.unwrap_or_default(),
                _ => self.tree_of(commit, &mut known).await?,
            },
            // GitHub makes no empty tree.
            None => {
                let file = [("lease", Content::Text("The record is in the message.\n"))];
                let made = self.client.create_tree(None, &file).await;
                made.map_err(|e| self.failed(e))?
            }
        };
        let parents: Vec<&str> = expected.into_iter().collect();
        let made = self.client.create_commit(&tree, &parents, content).await;
        let new = made.map_err(|e| self.failed(e))?;
        self.advance(&self.lease_ref, &new, expected).await?;
        self.remember(&new, &Known { tree: Some(tree), ..Known::default() });
        Ok(new)
    }
}
