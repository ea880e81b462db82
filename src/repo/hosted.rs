//! A checkout whose history is read from GitHub: in a container action there is no `git`, and the checkout is one
//! commit deep.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::git::{Oid, Remote, Version, check_ref, check_state_ref, lease_ref};
use super::vcs::{Vcs, VcsError};
use crate::github::data::{Compared, Comparison, Entry, Status, blob_id};
use crate::github::{Client, GithubError};

/// What one run asks more than once.
#[derive(Default)]
struct Memory {
    /// Files of commits, by commit.
    trees: BTreeMap<Oid, Arc<Vec<(String, Oid)>>>,
    /// A path at which a blob was seen: where the checkout holds it, it need not be fetched.
    seen: BTreeMap<Oid, String>,
    comparisons: BTreeMap<(Oid, Oid), Arc<Comparison>>,
}

/// A checkout in a job, and its repository at GitHub.
pub struct Hosted {
    client: Arc<Client>,
    root: PathBuf,
    /// The commit that is checked out.
    head: Option<Oid>,
    /// The branch that is checked out.
    branch: Option<String>,
    /// Address of the repository on the web.
    url: String,
    default_branch: Option<String>,
    memory: Mutex<Memory>,
}

/// What a job's environment and event say of the checkout.
#[derive(Clone, Debug, Default)]
pub struct Checkout {
    /// GITHUB_SHA, for a folder that is no clone.
    pub commit: Option<String>,
    /// GITHUB_REF.
    pub reference: Option<String>,
    /// The default branch, as the event says.
    pub default_branch: Option<String>,
    /// Address of the repository on the web.
    pub url: String,
}

impl Hosted {
    /// The checkout in this folder or above it.
    pub fn open(client: Arc<Client>, dir: &Path, told: Checkout) -> Self {
        let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        let clone = dir.ancestors().find(|dir| dir.join(".git").exists());
        let checked_out = clone.and_then(|root| checked_out(&root.join(".git")));
        let (head, branch) = checked_out.unwrap_or_else(|| {
            let reference = told.reference.as_deref();
            let branch = reference.and_then(|name| name.strip_prefix("refs/heads/"));
            (told.commit.as_deref().and_then(|id| id.parse().ok()), branch.map(str::to_owned))
        });
        Self {
            client,
            root: clone.map(Path::to_owned).unwrap_or(dir),
            head,
            branch,
            url: told.url,
            default_branch: told.default_branch,
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        // Plain inserts only: never half done.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All files of a commit, where the answer holds them; else those below the folders.
    async fn files(
        &self,
        commit: &Oid,
        folders: &[String],
    ) -> Result<Arc<Vec<(String, Oid)>>, VcsError> {
        if let Some(known) = self.memory().trees.get(commit) {
            return Ok(known.clone());
        }
        let whole = self.client.whole_tree(commit.as_str()).await?;
        let all = whole.is_some();
        let entries = match whole {
            Some(entries) => entries,
            None => self.below(commit, folders).await?,
        };
        let files: Vec<(String, Oid)> = entries.into_iter().filter_map(file).collect();
        let files = Arc::new(files);
        let mut memory = self.memory();
        for (path, oid) in files.iter() {
            memory.seen.entry(oid.clone()).or_insert_with(|| path.clone());
        }
        if all {
            memory.trees.insert(commit.clone(), files.clone());
        }
        Ok(files)
    }

    /// The entries below these folders of a tree that is too large for one answer.
    async fn below(&self, commit: &Oid, folders: &[String]) -> Result<Vec<Entry>, GithubError> {
        let mut found = Vec::new();
        for folder in folders {
            let mut at = Some(commit.to_string());
            for part in folder.split('/').filter(|part| !matches!(*part, "" | ".")) {
                let Some(tree) = at else { break };
                let entries = self.client.tree(&tree).await?;
                let entry = entries.into_iter().find(|entry| entry.path == part);
                at = entry.filter(|entry| entry.mode == "040000").and_then(|entry| entry.sha);
            }
            let Some(tree) = at else { continue };
            let entries =
                self.client.whole_tree(&tree).await?.ok_or_else(|| GithubError::Unexpected {
                    what: "GET /git/trees/{sha}?recursive",
                    message: "one folder holds more files than an answer does".to_owned(),
                })?;
            let folder = folder.trim_matches('/');
            found.extend(entries.into_iter().map(|mut entry| {
                if !matches!(folder, "" | ".") {
                    entry.path = format!("{folder}/{}", entry.path);
                }
                entry
            }));
        }
        Ok(found)
    }

    async fn compare(&self, base: &Oid, head: &Oid) -> Result<Option<Arc<Comparison>>, VcsError> {
        let pair = (base.clone(), head.clone());
        if let Some(known) = self.memory().comparisons.get(&pair) {
            return Ok(Some(known.clone()));
        }
        match self.client.compare(base.as_str(), head.as_str()).await {
            Ok(comparison) => {
                let comparison = Arc::new(comparison);
                self.memory().comparisons.insert(pair, comparison.clone());
                Ok(Some(comparison))
            }
            // A commit that no branch holds any more, or unrelated histories.
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A blob's bytes from the checkout, where it has them.
    fn checked_out_blob(&self, oid: &Oid) -> Option<Vec<u8>> {
        let path = self.memory().seen.get(oid).cloned()?;
        let tree = super::Tree::open(&self.root).ok()?;
        let text = tree.read(&path).ok()?;
        (blob_id(text.as_bytes()) == oid.as_str()).then(|| text.into_bytes())
    }
}

fn file(entry: Entry) -> Option<(String, Oid)> {
    let oid = entry.sha?.parse().ok()?;
    entry.mode.starts_with("100").then_some((entry.path, oid))
}

/// The commit and the branch that a clone has checked out, as its files say (gitrepository-layout(5)).
fn checked_out(git: &Path) -> Option<(Option<Oid>, Option<String>)> {
    let head = small_file(&git.join("HEAD"))?;
    let head = head.trim();
    let Some(name) = head.strip_prefix("ref: ") else {
        return Some((Some(head.parse().ok()?), None));
    };
    check_ref(name).ok()?;
    let loose = small_file(&git.join(name)).and_then(|text| text.trim().parse().ok());
    let packed = || {
        let packed = fs::read_to_string(git.join("packed-refs")).ok()?;
        packed.lines().find_map(|line| {
            let (oid, found) = line.split_once(' ')?;
            (found == name).then(|| oid.parse().ok())?
        })
    };
    Some((loose.or_else(packed), name.strip_prefix("refs/heads/").map(str::to_owned)))
}

/// The commit that the clone at or above a folder has checked out, as far as its files say.
pub fn checked_out_commit(dir: &Path) -> Option<String> {
    let dir = fs::canonicalize(dir).ok()?;
    let clone = dir.ancestors().find(|dir| dir.join(".git").exists())?;
    Some(checked_out(&clone.join(".git"))?.0?.to_string())
}

/// A file that holds one line.
fn small_file(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    fs::File::open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    Some(text)
}

#[async_trait]
impl Vcs for Hosted {
    fn root(&self) -> &Path {
        &self.root
    }

    async fn has_remote(&self) -> Result<bool, VcsError> {
        Ok(true)
    }

    async fn remote_url(&self) -> Result<Option<String>, VcsError> {
        Ok(Some(self.url.clone()))
    }

    async fn default_branch(&self, configured: Option<&str>) -> Result<String, VcsError> {
        match configured.or(self.default_branch.as_deref()) {
            Some(known) => Ok(known.to_owned()),
            None => Ok(self.client.default_branch().await?),
        }
    }

    async fn sync_refs(&self, state_ref: &str, default_branch: &str) -> Result<Remote, VcsError> {
        let branch_ref = format!("refs/heads/{default_branch}");
        check_state_ref(state_ref)?;
        check_ref(&branch_ref)?;
        let oid = |sha: String| sha.parse::<Oid>().ok();
        // The state before the branch: a state that is older than the branch is harmless (rule 1).
        let mut refs = self.client.fetch_references(state_ref).await?;
        let default_head = self.client.reference(&branch_ref).await?.and_then(oid);
        Ok(Remote {
            default_head,
            state: refs.remove(state_ref).and_then(oid),
            lease: refs.remove(&lease_ref(state_ref)).and_then(oid),
        })
    }

    async fn head(&self) -> Result<Option<Oid>, VcsError> {
        Ok(self.head.clone())
    }

    async fn branch(&self) -> Result<Option<String>, VcsError> {
        Ok(self.branch.clone())
    }

    /// A job's checkout is used once.
    async fn work_tree_id(&self) -> Result<Option<String>, VcsError> {
        Ok(None)
    }

    async fn is_ancestor(&self, a: &Oid, b: &Oid) -> Result<Option<bool>, VcsError> {
        if a == b {
            return Ok(Some(true));
        }
        let comparison = self.compare(a, b).await?;
        Ok(Some(comparison.is_some_and(|comparison| {
            matches!(comparison.status, Status::Ahead | Status::Identical)
        })))
    }

    async fn tree_files(
        &self,
        commit: &Oid,
        folders: &[String],
    ) -> Result<Vec<(String, Oid)>, VcsError> {
        let files = self.files(commit, folders).await?;
        Ok(files.iter().filter(|(path, _)| below(path, folders)).cloned().collect())
    }

    async fn coming_paths(&self, folders: &[String]) -> Result<BTreeSet<String>, VcsError> {
        let paths = self.client.open_paths().await?;
        Ok(paths.into_iter().filter(|path| below(path, folders)).collect())
    }

    /// Reads the tree of every commit in between, so that merges need no care: a request each. A removal counts
    /// where a parent that was read too holds the file.
    async fn versions_since(
        &self,
        from: &Oid,
        to: &Oid,
        folders: &[String],
    ) -> Result<Vec<Version>, VcsError> {
        let Some(comparison) = self.compare(from, to).await? else { return Ok(Vec::new()) };
        let trunk = first_parents(&comparison.commits, to);
        let mut trees: BTreeMap<Oid, BTreeMap<String, Oid>> = BTreeMap::new();
        let names = comparison.commits.iter().filter_map(|commit| commit.sha.parse::<Oid>().ok());
        for name in std::iter::once(from.clone()).chain(names) {
            let files = self.tree_files(&name, folders).await?;
            trees.insert(name, files.into_iter().collect());
        }
        let mut versions: BTreeMap<(String, Option<Oid>), bool> = BTreeMap::new();
        for commit in &comparison.commits {
            let is_trunk = trunk.contains(commit.sha.as_str());
            let mut add = |path: &String, blob: Option<&Oid>| {
                *versions.entry((path.clone(), blob.cloned())).or_default() |= is_trunk;
            };
            let tree = |sha: &str| trees.get(&sha.parse::<Oid>().ok()?);
            let Some(files) = tree(&commit.sha) else { continue };
            files.iter().for_each(|(path, oid)| add(path, Some(oid)));
            let parents = commit.parents.iter().filter_map(|parent| tree(parent));
            let gone =
                parents.flat_map(|parent| parent.keys()).filter(|path| !files.contains_key(*path));
            gone.for_each(|path| add(path, None));
        }
        let version = |((path, blob), trunk)| Version { path, blob, trunk };
        Ok(versions.into_iter().map(version).collect())
    }

    async fn blobs(&self, oids: &[Oid]) -> Result<BTreeMap<Oid, Vec<u8>>, VcsError> {
        let mut found = BTreeMap::new();
        let mut wanted = BTreeSet::new();
        for oid in oids {
            match self.checked_out_blob(oid) {
                Some(bytes) => drop(found.insert(oid.clone(), bytes)),
                None => drop(wanted.insert(oid.to_string())),
            }
        }
        for (sha, bytes) in self.client.blobs(&wanted).await? {
            if let Ok(oid) = sha.parse() {
                found.insert(oid, bytes);
            }
        }
        Ok(found)
    }
}

/// Of these commits those at which the branch itself was.
fn first_parents<'c>(commits: &'c [Compared], head: &Oid) -> BTreeSet<&'c str> {
    let by_name: BTreeMap<&str, &Compared> =
        commits.iter().map(|commit| (commit.sha.as_str(), commit)).collect();
    let mut chain = BTreeSet::new();
    let mut at = by_name.get(head.as_str());
    // No commit is its own ancestor, whatever an answer says.
    while let Some(commit) = at.filter(|commit| chain.insert(commit.sha.as_str())) {
        at = commit.parents.first().and_then(|parent| by_name.get(parent.as_str()));
    }
    chain
}

fn below(path: &str, folders: &[String]) -> bool {
    folders.iter().any(|folder| {
        let folder = folder.trim_matches('/');
        matches!(folder, "" | ".")
            || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    })
}
