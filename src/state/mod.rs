//! Where the state lives (design §7): a tree of files behind a ref whose commits are the log of operations, and
//! beside it the lease of rule 11. What the files mean is not known here, `format` apart.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

#[cfg(test)]
mod contract;
pub mod git;
pub mod github;
#[cfg(test)]
pub(crate) mod memory;

pub use git::GitStore;
pub use github::GithubStore;

/// Path of the file that every state has: the version of its format, as a decimal number.
pub const FORMAT_PATH: &str = "format";
/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;
/// [`FORMAT`] as it is stored.
const FORMAT_FILE: &[u8] = b"1\n";

/// Why the state could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Somebody else moved the ref since it was read. Nothing was written.
    #[error("the state was changed by another run meanwhile")]
    Moved,
    /// The remote does not let us (exit 3).
    #[error(
        "the state cannot be synced with the remote: {message}. Check that the token may push to `{reference}`."
    )]
    Refused {
        /// What the remote says.
        message: String,
        /// The ref.
        reference: String,
    },
    /// The database does not let us (exit 3).
    #[error("{message}")]
    Denied {
        /// What it says and what to do; sentences.
        message: String,
    },
    /// The remote cannot be reached or gave no clear answer; a write may have taken effect (exit 4).
    #[error("the state cannot be reached now: {message}")]
    Unavailable {
        /// What happened.
        message: String,
    },
    /// What is stored is not a state, or is damaged.
    #[error(
        "the state is not readable: `{path}`: {reason}. Choose another ref with `--state-ref`, or restore this \
         one to a commit of its history."
    )]
    Corrupt {
        /// The file in the state, or the ref.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by a newer version.
    #[error(
        "the state has format {found}, and this version knows up to {FORMAT}. Use a newer agent-sync."
    )]
    NewerFormat {
        /// The format that was found.
        found: u32,
    },
    /// A path that the state cannot hold: absolute, with empty parts, `.`, `..`, `.git` or control characters.
    #[error("`{path}` cannot be a path in the state")]
    InvalidPath {
        /// The path.
        path: String,
    },
    /// The store itself failed.
    #[error("the state could not be stored or read: {message}")]
    Failed {
        /// What happened.
        message: String,
    },
}

/// One version of the state. It never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit; `None` while there is no state.
    pub commit: Option<String>,
}

/// One commit of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The commit.
    pub commit: String,
    /// When it was made, by the clock of the machine that made it: for people, never for decisions (rule 6).
    pub time: Timestamp,
    /// Its message, without white space at its end.
    pub message: String,
}

/// The lease as it is stored (rule 11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseCommit {
    /// The commit: what the next write has to expect.
    pub commit: String,
    /// The record in it.
    pub content: String,
}

/// A place for the state. Snapshots are immutable, so reads of one never see another's writes.
#[async_trait]
pub trait Store: Send + Sync {
    /// The newest state as fetched last; asks nobody.
    ///
    /// # Errors
    /// [`StateError::Corrupt`] when the ref holds something else, [`StateError::NewerFormat`], or a failure.
    async fn load(&self) -> Result<Snapshot, StateError>;

    /// The newest state, asking the remote, as after [`StateError::Moved`].
    ///
    /// # Errors
    /// As [`Store::load`], and those of the network.
    async fn reload(&self) -> Result<Snapshot, StateError>;

    /// A file; `None` when there is none.
    ///
    /// # Errors
    /// [`StateError::InvalidPath`] or a failure.
    async fn read(&self, at: &Snapshot, path: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.read_many(at, &[path.to_owned()]).await?.remove(path))
    }

    /// Many files at once; those that do not exist are left out.
    ///
    /// # Errors
    /// [`StateError::InvalidPath`] or a failure.
    async fn read_many(
        &self,
        at: &Snapshot,
        paths: &[String],
    ) -> Result<BTreeMap<String, Vec<u8>>, StateError>;

    /// All files below a folder (`""`: all), as full paths in order.
    ///
    /// # Errors
    /// [`StateError::InvalidPath`] or a failure.
    async fn list(&self, at: &Snapshot, dir: &str) -> Result<Vec<String>, StateError>;

    /// Whether the next commit writes something that is no part of the state: what a backend has queued.
    fn pending(&self) -> bool {
        false
    }

    /// Makes the next state: the parent's files with these written (`Some`) or removed (`None`). All or nothing,
    /// and only if the ref still is at `parent`. The first one gets its `format` file here.
    ///
    /// # Errors
    /// [`StateError::Moved`] and [`StateError::Refused`]: nothing was written. [`StateError::Unavailable`]: it
    /// may have been.
    async fn commit(
        &self,
        parent: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError>;

    /// As [`Store::commit`], but what the new state is made from is not kept: its history begins with it.
    ///
    /// # Errors
    /// As [`Store::commit`].
    async fn restart(
        &self,
        from: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError>;

    /// The commits up to this state, newest first, at most `limit`.
    ///
    /// # Errors
    /// A failure.
    async fn history(&self, at: &Snapshot, limit: usize) -> Result<Vec<LogEntry>, StateError>;

    /// A file as a commit of the state had it; `None` when it had none.
    ///
    /// # Errors
    /// [`StateError::InvalidPath`] or a failure.
    async fn file_at(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>, StateError> {
        self.read(&Snapshot { commit: Some(commit.to_owned()) }, path).await
    }

    /// The lease as it is now; asks the remote. `None` while nobody ever took it.
    ///
    /// # Errors
    /// Those of the network, or a failure.
    async fn lease_read(&self) -> Result<Option<LeaseCommit>, StateError>;

    /// Follows `expected` (`None`: there must be no lease yet) by a commit with this record, which is UTF-8
    /// without NUL; white space at its end is not kept. Gives the new commit.
    ///
    /// # Errors
    /// [`StateError::Moved`] when the lease was at another commit; otherwise as [`Store::commit`].
    async fn lease_write(
        &self,
        expected: Option<&str>,
        content: &str,
    ) -> Result<String, StateError>;
}

/// Checks the format of a state by its `format` file.
pub(crate) fn check_format(reference: &str, file: Option<&[u8]>) -> Result<(), StateError> {
    let corrupt = |path: &str, reason: &str| StateError::Corrupt {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let Some(file) = file else {
        return Err(corrupt(reference, "it holds something that agent-sync did not write"));
    };
    let found = std::str::from_utf8(file).ok().and_then(|text| text.trim().parse::<u32>().ok());
    match found {
        None | Some(0) => Err(corrupt(FORMAT_PATH, "it is no version number")),
        Some(found) if found > FORMAT => Err(StateError::NewerFormat { found }),
        Some(_) => Ok(()),
    }
}

/// Checks a path in the state.
pub(crate) fn check_path(path: &str) -> Result<(), StateError> {
    let good = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.eq_ignore_ascii_case(".git")
            && !part.contains(char::is_control)
    };
    if path.split('/').all(good) {
        Ok(())
    } else {
        Err(StateError::InvalidPath { path: path.to_owned() })
    }
}

/// The change that a commit makes, checked, and with the `format` file where there is no parent.
pub(crate) fn whole_change<'a>(
    parent: &Snapshot,
    change: &'a BTreeMap<String, Option<Vec<u8>>>,
) -> Result<BTreeMap<&'a str, Option<&'a [u8]>>, StateError> {
    change.keys().try_for_each(|path| check_path(path))?;
    let mut whole: BTreeMap<&str, Option<&[u8]>> =
        change.iter().map(|(path, content)| (path.as_str(), content.as_deref())).collect();
    if parent.commit.is_none() {
        whole.entry(FORMAT_PATH).or_insert(Some(FORMAT_FILE));
    }
    Ok(whole)
}
