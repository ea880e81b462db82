//! Which artifacts the tree holds, with a digest each; no text is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use agent_sync_core::document;
use agent_sync_core::kind::{Format, Kind, Kinds};
use agent_sync_core::model::{Finding, Key, Severity};
use rayon::prelude::*;

use super::{ReadError, Tree, paths};
use crate::hex::digest;

/// A file that holds an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Path relative to the repository, with `/`.
    pub path: String,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub digest: String,
    /// Size.
    pub bytes: u64,
    /// Whether it is a link to a file inside the repository: read, but never written.
    pub link: bool,
    /// What the file says which page is its own; see [`document::page_named`].
    pub page: Option<String>,
}

/// A kind's folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderState {
    /// Whether the folder is there.
    pub exists: bool,
    /// Files in it whose name has an id, whether they can be read or not.
    pub files: usize,
    /// Whether something below could not be looked into: then what is missing may be there (rule 7).
    pub incomplete: bool,
}

/// What the tree holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Artifacts that can be synced.
    pub files: BTreeMap<Key, FileEntry>,
    /// What a person should look at, in order of path.
    pub findings: Vec<Finding>,
    /// Artifacts with several files; not in `files`, and not deleted.
    pub duplicates: BTreeSet<Key>,
    /// Artifacts whose file is there and is not read; not in `files`, and not deleted.
    pub unreadable: BTreeSet<Key>,
    /// Folders by kind.
    pub folders: BTreeMap<String, FolderState>,
}

impl Scan {
    /// Whether the repository has a file for this artifact, readable or not.
    pub fn has(&self, key: &Key) -> bool {
        self.files.contains_key(key)
            || self.duplicates.contains(key)
            || self.unreadable.contains(key)
    }
}

/// A file whose name has an id.
struct Candidate {
    key: Key,
    path: String,
    /// Whether the folder says that it is an ordinary file, reached without links.
    regular: bool,
    link: bool,
}

/// What is kept of a file that was read.
struct Contents {
    digest: String,
    bytes: u64,
    page: Option<String>,
}

/// Folders deeper than this are not entered.
const MAX_DEPTH: usize = 32;

impl Tree {
    /// Reads the folders of the kinds in `shared`. What is wrong with a file never stops the others.
    pub fn scan(&self, kinds: &Kinds, shared: &BTreeSet<String>) -> Scan {
        let mut walk = Walk { tree: self, kinds, scan: Scan::default(), found: Vec::new() };
        for kind in kinds.values().filter(|kind| shared.contains(&kind.name)) {
            let state = walk.kind(kind);
            walk.scan.folders.insert(kind.name.clone(), state);
        }
        walk.draft(shared);
        let Walk { mut scan, found, .. } = walk;
        let single = take_duplicates(&mut scan, found);
        for (candidate, read) in single.iter().zip(self.digests(kinds, &single)) {
            match read {
                Ok(Contents { digest, bytes, page }) => {
                    let entry = FileEntry {
                        path: candidate.path.clone(),
                        digest,
                        bytes,
                        link: candidate.link,
                        page,
                    };
                    scan.files.insert(candidate.key.clone(), entry);
                }
                Err(error) => {
                    scan.unreadable.insert(candidate.key.clone());
                    scan.findings.push(unreadable(candidate, &error));
                }
            }
        }
        scan.findings.sort_by(|a, b| (&a.path, &a.rule).cmp(&(&b.path, &b.rule)));
        scan
    }

    /// What is known of each file without its text, in order.
    fn digests(&self, kinds: &Kinds, files: &[Candidate]) -> Vec<Result<Contents, ReadError>> {
        let digest = |bytes: &mut Vec<u8>, file| self.digest_of(kinds, file, bytes);
        files.par_iter().map_init(Vec::new, digest).collect()
    }

    fn digest_of(
        &self,
        kinds: &Kinds,
        file: &Candidate,
        bytes: &mut Vec<u8>,
    ) -> Result<Contents, ReadError> {
        // The walk has just come to an ordinary file through ordinary folders: no need to look at each again.
        if file.regular {
            Self::read_file(&self.root.join(&file.path), &file.path, bytes)?;
        } else {
            self.read_into(&file.path, bytes)?;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(ReadError::NotUtf8 { path: file.path.clone() });
        };
        let kind = kinds.get(&file.key.kind);
        Ok(Contents {
            digest: digest(bytes),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            page: kind.and_then(|kind| document::page_named(kind, text)),
        })
    }
}

struct Walk<'a> {
    tree: &'a Tree,
    kinds: &'a Kinds,
    scan: Scan,
    found: Vec<Candidate>,
}

impl Walk<'_> {
    fn kind(&mut self, kind: &Kind) -> FolderState {
        let mut state = FolderState::default();
        let Some(full) = self.tree.resolve(&kind.folder) else {
            state.incomplete = true;
            self.report(
                kind,
                "linked-folder",
                &kind.folder,
                "The folder of the kind is reached through a link; it is not read.",
                "Configure the folder that the link leads to.",
            );
            return state;
        };
        match fs::symlink_metadata(&full) {
            Ok(folder) if folder.is_dir() => {
                state.exists = true;
                self.folder(kind, &full, &kind.folder, MAX_DEPTH, &mut state);
            }
            Ok(_) => {
                state.incomplete = true;
                self.report(
                    kind,
                    "linked-folder",
                    &kind.folder,
                    "The folder of the kind is a link or a file; it is not read.",
                    "Configure the folder that the link leads to.",
                );
            }
            Err(error) => state.incomplete = error.kind() != std::io::ErrorKind::NotFound,
        }
        state
    }

    fn folder(
        &mut self,
        kind: &Kind,
        full: &Path,
        path: &str,
        depth: usize,
        state: &mut FolderState,
    ) {
        let entries = fs::read_dir(full).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let (Ok(mut entries), true) = (entries, depth > 0) else {
            state.incomplete = true;
            self.report(
                kind,
                "unreadable-folder",
                path,
                "The folder cannot be read, or lies too deep.",
                "Check its permissions.",
            );
            return;
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                state.incomplete = true;
                self.report(
                    kind,
                    "invalid-name",
                    path,
                    "A name in this folder is not UTF-8; it is not synced.",
                    "Rename it.",
                );
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let below = format!("{path}/{name}");
            match entry.file_type() {
                Ok(r#type) if r#type.is_dir() => {
                    if !self.kinds.values().any(|other| other.folder == below) {
                        self.folder(kind, &entry.path(), &below, depth - 1, state);
                    }
                }
                Ok(r#type) if r#type.is_symlink() && entry.path().is_dir() => {
                    state.incomplete = true;
                    self.report(
                        kind,
                        "linked-folder",
                        &below,
                        "A link to a folder is not followed.",
                        "Move the files into the folder of the kind.",
                    );
                }
                Ok(r#type) => {
                    let regular = r#type.is_file();
                    self.file(kind, name, below, (regular, r#type.is_symlink()), state);
                }
                Err(_) => state.incomplete = true,
            }
        }
    }

    fn file(
        &mut self,
        kind: &Kind,
        name: &str,
        path: String,
        (regular, link): (bool, bool),
        state: &mut FolderState,
    ) {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let ours = match kind.format {
            Format::Markdown => matches!(extension.as_deref(), Some("md" | "markdown")),
            Format::Yaml => matches!(extension.as_deref(), Some("yaml" | "yml")),
        };
        if !ours {
            return;
        }
        match paths::id_of(kind, name) {
            Some(id) => {
                state.files += 1;
                self.found.push(Candidate { key: Key::new(&kind.name, id), path, regular, link });
            }
            None => self.report(
                kind,
                "no-id",
                &path,
                "The file name has no id; the file is not synced.",
                &format!(
                    "Begin its name with an id like {}, or move it elsewhere.",
                    kind.id_pattern
                ),
            ),
        }
    }

    /// Takes what is only thought of for what is there.
    fn draft(&mut self, shared: &BTreeSet<String>) {
        let Some(draft) = &self.tree.draft else { return };
        for (path, text) in draft.files() {
            let inside = |kind: &&Kind| {
                shared.contains(&kind.name)
                    && path.strip_prefix(&kind.folder).is_some_and(|rest| rest.starts_with('/'))
            };
            let kind = self.kinds.values().filter(inside).max_by_key(|kind| kind.folder.len());
            let Some(kind) = kind else { continue };
            let mut state = self.scan.folders.remove(&kind.name).unwrap_or_default();
            let before = self.found.len();
            self.found.retain(|candidate| candidate.path != path);
            state.files -= before - self.found.len();
            if let (Some(_), Some((_, name))) = (text, path.rsplit_once('/')) {
                state.exists = true;
                let name = name.to_owned();
                self.file(kind, &name, path, (false, false), &mut state);
            }
            self.scan.folders.insert(kind.name.clone(), state);
        }
    }

    fn report(&mut self, kind: &Kind, rule: &str, path: &str, message: &str, fix: &str) {
        self.scan.findings.push(Finding {
            rule: rule.to_owned(),
            severity: if rule == "no-id" { Severity::Notice } else { Severity::Warning },
            key: None,
            path: Some(path.to_owned()),
            // A folder has no lines.
            line: (rule == "no-id").then_some(1),
            url: None,
            message: format!("{message} (kind {})", kind.name),
            fix: fix.to_owned(),
            about: None,
        });
    }
}

/// Takes artifacts with several files out, and reports each file of them.
fn take_duplicates(scan: &mut Scan, found: Vec<Candidate>) -> Vec<Candidate> {
    let mut by_key: BTreeMap<Key, Vec<Candidate>> = BTreeMap::new();
    for candidate in found {
        by_key.entry(candidate.key.clone()).or_default().push(candidate);
    }
    let mut single = Vec::with_capacity(by_key.len());
    for (key, mut files) in by_key {
        if files.len() == 1 {
            single.append(&mut files);
            continue;
        }
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        scan.findings.push(Finding {
            rule: "duplicate-id".to_owned(),
            severity: Severity::Error,
            key: Some(key.clone()),
            path: paths.first().map(|path| (*path).to_owned()),
            line: Some(1),
            url: None,
            message: format!(
                "Several files have the id {}: {}; none of them is synced.",
                key.id,
                paths.join(", ")
            ),
            fix: "Give all but one another id, or remove them.".to_owned(),
            about: None,
        });
        scan.duplicates.insert(key);
    }
    single
}

fn unreadable(candidate: &Candidate, error: &ReadError) -> Finding {
    let (rule, fix) = match error {
        ReadError::Outside { .. } => {
            ("outside-repository", "Put the file itself there in place of the link.")
        }
        ReadError::TooLarge { .. } => ("too-large", "Split it, or move attachments out of it."),
        ReadError::NotUtf8 { .. } => ("not-utf8", "Save it as UTF-8."),
        ReadError::NotFound { .. } | ReadError::NotAFile { .. } | ReadError::Io { .. } => (
            "unreadable-file",
            "Check the file, its permissions, and where it leads if it is a link.",
        ),
    };
    Finding {
        rule: rule.to_owned(),
        severity: Severity::Warning,
        key: Some(candidate.key.clone()),
        path: Some(candidate.path.clone()),
        line: Some(1),
        url: None,
        message: format!("{error}; it is not synced."),
        fix: fix.to_owned(),
        about: None,
    }
}
