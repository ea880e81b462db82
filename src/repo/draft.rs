//! Changes that are only thought of: a run that may not write still has to know what its files would be, where
//! several backends bring something to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Tree, WriteError};
use crate::hex::digest;

/// Files by path: their text, or `None` where they are removed.
type Files = BTreeMap<String, Option<String>>;

/// The changes, shared by the clones of a tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft(Arc<Mutex<Files>>);

impl Draft {
    /// Everything that differs from the disk.
    pub(super) fn files(&self) -> Files {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn get(&self, path: &str) -> Option<Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    fn set(&self, path: &str, text: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), text);
    }
}

impl Tree {
    /// The same tree; what is written to it from now on stays in memory and is seen by its own reads only.
    #[must_use]
    pub fn draft(&self) -> Self {
        Self { root: self.root.clone(), draft: Some(Draft::default()) }
    }

    /// Whether writes stay in memory.
    pub fn is_draft(&self) -> bool {
        self.draft.is_some()
    }

    /// What a draft says of a path: nothing, that there is no file, or its text.
    pub(super) fn drafted(&self, path: &str) -> Option<Option<String>> {
        self.draft.as_ref()?.get(path)
    }

    /// Writes (`Some`) or removes (`None`) a file of a draft, under the conditions of [`Tree::write`].
    pub(super) fn sketch(
        &self,
        draft: &Draft,
        path: &str,
        text: Option<&str>,
        expected: Option<&str>,
    ) -> Result<(), WriteError> {
        self.as_drafted(path, expected)?;
        draft.set(path, text.map(str::to_owned));
        Ok(())
    }

    /// Moves a file of a draft, under the conditions of [`Tree::rename`].
    pub(super) fn sketch_rename(
        &self,
        draft: &Draft,
        from: &str,
        to: &str,
        expected: &str,
    ) -> Result<(), WriteError> {
        self.as_drafted(from, Some(expected))?;
        if self.is_taken(to, from) {
            return Err(WriteError::Changed { path: to.to_owned() });
        }
        let text = self.read(from).map_err(|_| WriteError::Changed { path: from.to_owned() })?;
        draft.set(from, None);
        draft.set(to, Some(text));
        Ok(())
    }

    fn as_drafted(&self, path: &str, expected: Option<&str>) -> Result<(), WriteError> {
        let there = match self.drafted(path) {
            None => return self.writable(path, expected).map(drop),
            Some(text) => text.map(|text| digest(text.as_bytes())),
        };
        match there.as_deref() == expected {
            true => Ok(()),
            false => Err(WriteError::Changed { path: path.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use agent_sync_core::markdown::Entry;
    use agent_sync_core::model::Key;

    use super::*;

    fn stories() -> (tempfile::TempDir, Tree, agent_sync_core::kind::Kinds) {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = Tree::open(folder.path()).expect("a tree");
        tree.write(".agent/cache/stories/A/A-1-one.md", "# A-1: One\n", None).expect("written");
        tree.write(".agent/cache/stories/A/A-2-two.md", "# A-2: Two\n", None).expect("written");
        let config = crate::config::Config::parse("x.yml".into(), "version: 1\n", &|_: &str| None);
        (folder, tree, config.expect("a configuration").kinds)
    }

    #[test]
    fn a_draft_reads_as_written_and_the_disk_stays() {
        let (_folder, tree, kinds) = stories();
        let draft = tree.draft();
        let one = ".agent/cache/stories/A/A-1-one.md";
        let old = digest(b"# A-1: One\n");
        draft.write(one, "# A-1: Uno\n", Some(&old)).expect("drafted");
        draft.write(".agent/cache/stories/A/A-3-three.md", "# A-3: Three\n", None).expect("new");
        draft
            .remove(".agent/cache/stories/A/A-2-two.md", &digest(b"# A-2: Two\n"), "")
            .expect("removed");
        let again = draft.write(one, "x", Some(&old));
        assert!(matches!(again, Err(WriteError::Changed { .. })), "{again:?}");
        assert_eq!(draft.read(one).expect("read"), "# A-1: Uno\n");
        assert_eq!(tree.read(one).expect("read"), "# A-1: One\n");
        assert_eq!(draft.entry(".agent/cache/stories/A/A-2-two.md"), None);
        assert_eq!(draft.entry(".agent/cache/stories/A/A-3-three.md"), Some(Entry::File));
        let stories = BTreeSet::from(["story".to_owned()]);
        let seen = draft.scan(&kinds, &stories);
        let keys: Vec<&Key> = seen.files.keys().collect();
        assert_eq!(keys, [&Key::new("story", "A-1"), &Key::new("story", "A-3")]);
        assert_eq!(seen.files[&Key::new("story", "A-1")].digest, digest(b"# A-1: Uno\n"));
        assert_eq!(seen.folders["story"].files, 2);
        let disk = tree.scan(&kinds, &stories);
        assert_eq!(disk.files.len(), 2);
        assert!(disk.files.contains_key(&Key::new("story", "A-2")));
    }

    #[test]
    fn a_drafted_rename_is_a_new_name_for_the_same_text() {
        let (_folder, tree, _) = stories();
        let draft = tree.draft();
        let (from, to) = (".agent/cache/stories/A/A-1-one.md", ".agent/cache/stories/A/A-1-uno.md");
        let digest = digest(b"# A-1: One\n");
        let taken = draft.rename(from, ".agent/cache/stories/A/A-2-two.md", &digest, "");
        assert!(matches!(taken, Err(WriteError::Changed { .. })), "{taken:?}");
        draft.rename(from, to, &digest, "").expect("renamed");
        assert!(!draft.is_taken(from, "x"));
        assert!(draft.is_taken(to, "x"));
        assert_eq!(draft.read(to).expect("read"), "# A-1: One\n");
        assert!(tree.read(from).is_ok());
    }
}
