//! Writing and removing files: whole or not at all, and only over what was read.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::owner::{Owner, create_folders};
use super::{ReadError, Tree};
use crate::hex::digest;

/// Why a file was not written or removed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file does not hold what was expected, or exists though it should not.
    #[error("{path} was changed meanwhile")]
    Changed {
        /// The path.
        path: String,
    },
    /// The path is not one inside the repository, or a link stands in the way.
    #[error("{path} is not a file inside the repository, or is reached through a link")]
    Outside {
        /// The path.
        path: String,
    },
    /// The system refused.
    #[error("{path} cannot be written: {source}")]
    Io {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Beginning of the names of our unfinished files; hidden, so that no scan sees them.
const UNFINISHED: &str = ".agent-sync-";

impl Tree {
    /// Writes a file: the text goes to a new file beside it, is flushed to the disk, and takes its place in one
    /// step. The mode stays; folders are made; run by root, all that is made belongs to the owner of the tree's root.
    /// `expected` is the digest of what is there now; `None` means that the file must not exist.
    ///
    /// # Errors
    /// [`WriteError`]; the file is as it was.
    pub fn write(&self, path: &str, text: &str, expected: Option<&str>) -> Result<(), WriteError> {
        if let Some(draft) = &self.draft {
            return self.sketch(draft, path, Some(text), expected);
        }
        let full = self.writable(path, expected)?;
        let failed = |source| WriteError::Io { path: path.to_owned(), source };
        let folder = full.parent().unwrap_or(&self.root);
        let owner = Owner::of(&self.root);
        create_folders(folder, owner).map_err(failed)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(UNFINISHED).suffix(".tmp");
        #[cfg(unix)]
        let mode = {
            use std::os::unix::fs::PermissionsExt;
            // Less the umask, as for any new file.
            fs::Permissions::from_mode(0o666)
        };
        #[cfg(unix)]
        builder.permissions(mode);
        let mut file = builder.tempfile_in(folder).map_err(failed)?;
        // First of all: what a run that is killed leaves behind can be removed by whoever owns the tree.
        if let Some(owner) = owner {
            owner.take_file(file.as_file());
        }
        file.write_all(text.as_bytes()).map_err(failed)?;
        if expected.is_some() {
            let permissions = fs::metadata(&full).map_err(failed)?.permissions();
            file.as_file().set_permissions(permissions).map_err(failed)?;
        }
        file.as_file().sync_all().map_err(failed)?;
        // Writing took its time: look again right before the step that cannot be taken back.
        self.writable(path, expected)?;
        let result = match expected {
            Some(_) => file.persist(&full),
            None => file.persist_noclobber(&full),
        };
        match result {
            Ok(_) => {
                sync_folder(folder);
                Ok(())
            }
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(WriteError::Changed { path: path.to_owned() })
            }
            Err(error) => Err(failed(error.error)),
        }
    }

    /// Removes a file that holds what `expected` is the digest of, then the folders above it that are empty, up
    /// to `keep` (the kind's folder), which stays.
    ///
    /// # Errors
    /// [`WriteError`]; the file is still there.
    pub fn remove(&self, path: &str, expected: &str, keep: &str) -> Result<(), WriteError> {
        if let Some(draft) = &self.draft {
            return self.sketch(draft, path, None, Some(expected));
        }
        let full = self.writable(path, Some(expected))?;
        let failed = |source| WriteError::Io { path: path.to_owned(), source };
        fs::remove_file(&full).map_err(failed)?;
        self.prune(&full, keep);
        Ok(())
    }

    /// Moves a file that holds what `expected` is the digest of, never onto another one; folders are made, and
    /// those that are left empty go, up to `keep`. A path that differs in case only is the same file on some file
    /// systems; then its name changes.
    ///
    /// # Errors
    /// [`WriteError`]; the file is where it was. [`WriteError::Changed`] names the path where something is in the way.
    pub fn rename(
        &self,
        from: &str,
        to: &str,
        expected: &str,
        keep: &str,
    ) -> Result<(), WriteError> {
        if let Some(draft) = &self.draft {
            return self.sketch_rename(draft, from, to, expected);
        }
        let old = self.writable(from, Some(expected))?;
        let new = self.resolve(to).ok_or_else(|| WriteError::Outside { path: to.to_owned() })?;
        let failed = |source| WriteError::Io { path: to.to_owned(), source };
        if let Some(folder) = new.parent() {
            create_folders(folder, Owner::of(&self.root)).map_err(failed)?;
        }
        let result = match is_respelled(from, &old, to, &new) {
            true => fs::rename(&old, &new),
            false => rename_noclobber(&old, &new),
        };
        let left = if result.is_ok() { &old } else { &new };
        self.prune(left, keep);
        match result {
            Ok(()) => {
                [&old, &new].into_iter().filter_map(|path| path.parent()).for_each(sync_folder);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(WriteError::Changed { path: to.to_owned() })
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether a file cannot be put at a path because something is there, or it is no safe path. The file at `own`
    /// under another spelling of its name is not in its own way.
    pub fn is_taken(&self, path: &str, own: &str) -> bool {
        if let Some(text) = self.drafted(path) {
            return text.is_some();
        }
        let (Some(full), Some(own_full)) = (self.resolve(path), self.resolve(own)) else {
            return true;
        };
        match fs::symlink_metadata(&full) {
            Err(error) => error.kind() != io::ErrorKind::NotFound,
            Ok(_) => !is_respelled(own, &own_full, path, &full),
        }
    }

    /// Removes the folders above a path that are empty, up to `keep`, which stays.
    fn prune(&self, full: &Path, keep: &str) {
        let keep = self.root.join(keep);
        let mut folder = full.parent();
        while let Some(empty) =
            folder.filter(|folder| folder.starts_with(&keep) && **folder != *keep)
        {
            // Fails where it is not empty, which ends the climb.
            if fs::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
    }

    /// The full path of a file that may be written: no link anywhere, and holding what is expected.
    pub(super) fn writable(
        &self,
        path: &str,
        expected: Option<&str>,
    ) -> Result<PathBuf, WriteError> {
        let outside = || WriteError::Outside { path: path.to_owned() };
        let changed = || WriteError::Changed { path: path.to_owned() };
        let full = self.resolve(path).ok_or_else(outside)?;
        match (fs::symlink_metadata(&full), expected) {
            (Ok(file), _) if file.is_symlink() || file.is_dir() => Err(outside()),
            (Ok(_), None) => Err(changed()),
            (Ok(_), Some(expected)) => {
                let mut bytes = Vec::new();
                match self.read_into(path, &mut bytes) {
                    Ok(()) if digest(&bytes) == expected => Ok(full),
                    Ok(()) | Err(ReadError::NotFound { .. } | ReadError::TooLarge { .. }) => {
                        Err(changed())
                    }
                    Err(ReadError::Io { source, .. }) => {
                        Err(WriteError::Io { path: path.to_owned(), source })
                    }
                    Err(_) => Err(outside()),
                }
            }
            (Err(error), expected) if error.kind() == io::ErrorKind::NotFound => {
                if expected.is_none() { Ok(full) } else { Err(changed()) }
            }
            (Err(source), _) => Err(WriteError::Io { path: path.to_owned(), source }),
        }
    }
}

/// Whether two paths differ in case only and lead to one file: so on file systems that do not tell case apart.
fn is_respelled(from: &str, old: &Path, to: &str, new: &Path) -> bool {
    if from == to || from.to_lowercase() != to.to_lowercase() {
        return false;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        match (fs::symlink_metadata(old), fs::symlink_metadata(new)) {
            // Two names of a file with several (hard links) are two.
            (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()) && a.nlink() == 1,
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (old, new);
        false
    }
}

/// Renames a file in one step, where nothing has the new name.
fn rename_noclobber(old: &Path, new: &Path) -> io::Result<()> {
    // tempfile knows how that is done on each system; the file is not a temporary one, so nothing may clean it up.
    let mut file = tempfile::TempPath::try_from_path(old)?;
    file.disable_cleanup(true);
    file.persist_noclobber(new).map_err(|error| error.error)
}

/// Makes a rename in this folder outlast a power cut, where the file system can: the file is whole either way.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
}
