//! The working tree: which artifacts it holds, reading and writing their files, never outside of it.

mod draft;
pub mod git;
mod hosted;
mod owner;
mod paths;
mod scan;
mod vcs;
mod write;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use agent_sync_core::markdown::Entry;

pub use hosted::{Checkout, Hosted, checked_out_commit, clone_at};
pub(crate) use paths::is_ordinary;
pub use paths::{PathError, id_of, is_id, new_path};
pub use scan::{FileEntry, FolderState, Scan};
pub use vcs::{Vcs, VcsError};
pub use write::WriteError;

/// Files that are larger are not read.
pub const MAX_BYTES: u64 = 5 * 1024 * 1024;

/// A repository's working tree. All paths are relative to its root, with `/`.
///
/// Paths are checked part by part right before use, so that no link leads a read or a write out of the tree. The
/// tree is taken to be free of processes that replace folders by links while we run.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
    /// Where writes go that are only thought of.
    draft: Option<draft::Draft>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The path is not one inside the repository, or a link leads out of it.
    #[error("{path} is not inside the repository")]
    Outside {
        /// The path.
        path: String,
    },
    /// No such file.
    #[error("{path} does not exist")]
    NotFound {
        /// The path.
        path: String,
    },
    /// A folder, a pipe or the like.
    #[error("{path} is no file")]
    NotAFile {
        /// The path.
        path: String,
    },
    /// More than [`MAX_BYTES`].
    #[error("{path} is larger than 5 MiB")]
    TooLarge {
        /// The path.
        path: String,
    },
    /// Not UTF-8.
    #[error("{path} is not UTF-8")]
    NotUtf8 {
        /// The path.
        path: String,
    },
    /// The system refused.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl Tree {
    /// The tree at this folder.
    ///
    /// # Errors
    /// Where the folder does not exist, or is none.
    pub fn open(root: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(root)?;
        if !root.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Self { root, draft: None })
    }

    /// The tree's root, absolute and without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What stands at a path; the empty path is the root. A link inside the repository is followed; `None` for one
    /// that leaves it, and for what is neither a file nor a folder.
    pub fn entry(&self, path: &str) -> Option<Entry> {
        if path.is_empty() {
            return Some(Entry::Folder);
        }
        if let Some(text) = self.drafted(path) {
            return text.map(|_| Entry::File);
        }
        let full = self.resolve(path)?;
        let full = match fs::symlink_metadata(&full).ok()?.is_symlink() {
            true => self.target(&full).ok()??,
            false => full,
        };
        let found = fs::metadata(full).ok()?;
        match (found.is_file(), found.is_dir()) {
            (true, _) => Some(Entry::File),
            (_, true) => Some(Entry::Folder),
            _ => None,
        }
    }

    /// Reads a file as text. A link to a file inside the repository is followed, one that leaves it is not.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, path: &str) -> Result<String, ReadError> {
        let mut bytes = Vec::new();
        self.read_into(path, &mut bytes)?;
        String::from_utf8(bytes).map_err(|_| ReadError::NotUtf8 { path: path.to_owned() })
    }

    /// Reads a file's bytes, of any encoding, in place of what the buffer holds.
    fn read_into(&self, path: &str, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
        let outside = || ReadError::Outside { path: path.to_owned() };
        let failed = |error| failed(path, error);
        match self.drafted(path) {
            Some(Some(text)) => {
                *bytes = text.into_bytes();
                return Ok(());
            }
            Some(None) => return Err(ReadError::NotFound { path: path.to_owned() }),
            None => {}
        }
        let mut full = self.resolve(path).ok_or_else(outside)?;
        if fs::symlink_metadata(&full).map_err(failed)?.is_symlink() {
            full = self.target(&full).map_err(failed)?.ok_or_else(outside)?;
        }
        // Asked before opening: to open a pipe would wait for its writer.
        if !fs::metadata(&full).map_err(failed)?.is_file() {
            return Err(ReadError::NotAFile { path: path.to_owned() });
        }
        Self::read_file(&full, path, bytes)
    }

    /// Reads an ordinary file. `path` serves errors.
    fn read_file(full: &Path, path: &str, bytes: &mut Vec<u8>) -> Result<(), ReadError> {
        let file = fs::File::open(full).map_err(|error| failed(path, error))?;
        bytes.clear();
        file.take(MAX_BYTES + 1).read_to_end(bytes).map_err(|error| failed(path, error))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
            return Err(ReadError::TooLarge { path: path.to_owned() });
        }
        Ok(())
    }

    /// Where a link leads, if that is inside the tree and not in git's own folder.
    fn target(&self, link: &Path) -> io::Result<Option<PathBuf>> {
        let target = fs::canonicalize(link)?;
        let inside = target
            .strip_prefix(&self.root)
            .is_ok_and(|below| !below.components().any(|part| paths::is_git(part.as_os_str())));
        Ok(inside.then_some(target))
    }

    /// The full path of a file, if every part of it is an ordinary name and no folder on the way is a link.
    /// Folders that do not exist are fine.
    fn resolve(&self, path: &str) -> Option<PathBuf> {
        let mut full = self.root.clone();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            if !paths::is_ordinary(part) {
                return None;
            }
            full.push(part);
            let last = parts.peek().is_none();
            if !last && fs::symlink_metadata(&full).is_ok_and(|folder| !folder.is_dir()) {
                return None;
            }
        }
        Some(full)
    }
}

fn failed(path: &str, source: io::Error) -> ReadError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReadError::NotFound { path },
        _ => ReadError::Io { path, source },
    }
}

#[cfg(test)]
mod tests;
