//! Whose the files are that we make: the tree's owner's, also where we run as root.
//!
//! A container action runs as root in a folder of the runner's user; later steps, and the next checkout, could not
//! change or remove what stays root's.

use std::io;
use std::path::{Path, PathBuf};

/// User and group that what we make is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// The owner of the tree's root; `None` where we are not root, so that our files are our own, and may be nobody
    /// else's.
    #[cfg(unix)]
    pub(super) fn of(root: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;

        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let root = std::fs::metadata(root).ok()?;
        Some(Self { user: root.uid(), group: root.gid() })
    }

    #[cfg(not(unix))]
    pub(super) fn of(_: &Path) -> Option<Self> {
        None
    }

    /// Gives an open file away. Fails only in the log: some file systems know no owners, and a document that is
    /// root's is still a document.
    pub(super) fn take_file(self, file: &std::fs::File) {
        #[cfg(unix)]
        log(std::os::unix::fs::fchown(file, Some(self.user), Some(self.group)));
        #[cfg(not(unix))]
        let _ = file;
    }

    /// Gives a folder away; never what a link in its place leads to.
    fn take_folder(self, folder: &Path) {
        #[cfg(unix)]
        log(std::os::unix::fs::lchown(folder, Some(self.user), Some(self.group)));
        #[cfg(not(unix))]
        let _ = folder;
    }
}

/// Makes a folder and those above it that are missing, and gives what it made to the owner.
///
/// # Errors
/// As [`std::fs::create_dir_all`]; what could be made stays, and is the owner's.
pub(super) fn create_folders(folder: &Path, owner: Option<Owner>) -> io::Result<()> {
    let missing: Vec<PathBuf> =
        folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
    let result = std::fs::create_dir_all(folder);
    if let Some(owner) = owner {
        missing.iter().filter(|folder| folder.is_dir()).for_each(|made| owner.take_folder(made));
    }
    result
}

#[cfg(unix)]
fn log(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "what was made could not be given to the tree's owner");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, chown};

    use super::*;
    use crate::hex::digest;
    use crate::repo::Tree;

    /// A tree that belongs, where we may give it away, to somebody who is not us; with that owner.
    fn foreign() -> (tempfile::TempDir, Tree, (u32, u32)) {
        let folder = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(4711), Some(4712)).unwrap();
        }
        let owner = fs::metadata(folder.path()).map(|root| (root.uid(), root.gid())).unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        (folder, tree, owner)
    }

    /// Path and owner of everything below.
    fn owners(folder: &Path) -> BTreeSet<(PathBuf, (u32, u32))> {
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let data = fs::symlink_metadata(&path).unwrap();
            if data.is_dir() {
                found.extend(owners(&path));
            }
            found.insert((path, (data.uid(), data.gid())));
        }
        found
    }

    #[track_caller]
    fn all_belong(folder: &Path, owner: (u32, u32), count: usize) {
        let found = owners(folder);
        assert!(found.iter().all(|(_, of)| *of == owner), "not of {owner:?}: {found:?}");
        assert_eq!(found.len(), count, "{found:?}");
    }

    #[test]
    fn what_is_made_belongs_to_the_trees_owner() {
        let (folder, tree, owner) = foreign();
        tree.write("a/b/INFRA-1.md", "one", None).unwrap();
        all_belong(folder.path(), owner, 3);
        tree.write("a/b/INFRA-1.md", "two", Some(&digest(b"one"))).unwrap();
        all_belong(folder.path(), owner, 3);
        tree.rename("a/b/INFRA-1.md", "a/c/d/INFRA-1.md", &digest(b"two"), "a").unwrap();
        all_belong(folder.path(), owner, 4);
        assert_eq!(fs::read_to_string(folder.path().join("a/c/d/INFRA-1.md")).unwrap(), "two");
    }

    #[test]
    fn what_was_there_keeps_its_owner_and_a_refused_write_leaves_nothing() {
        let (folder, tree, owner) = foreign();
        let kept = folder.path().join("kept");
        fs::create_dir(&kept).unwrap();
        let ours = fs::metadata(&kept).map(|data| (data.uid(), data.gid())).unwrap();
        tree.write("kept/INFRA-1.md", "one", None).unwrap();
        let data = fs::metadata(&kept).map(|data| (data.uid(), data.gid())).unwrap();
        assert_eq!(data, ours);
        tree.write("kept/INFRA-1.md", "two", None).unwrap_err();
        all_belong(&kept, owner, 1);
    }
}
