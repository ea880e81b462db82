//! What rule 15 asks of history: descent, and every version of a file since a commit.

use std::collections::BTreeSet;

use super::{Git, GitError, Oid};

/// A file as some commit left it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Path in the repository, with `/`.
    pub path: String,
    /// Its content; `None` when the commit removed it, or made something else of it than a file.
    pub blob: Option<Oid>,
    /// Whether the branch itself was at such a commit: along the first parents, not only below a merge.
    pub trunk: bool,
}

impl Git {
    /// Whether `a` is `b` or an ancestor of it. `None`: history is cut off (shallow clone), and the remote gave
    /// no more of it. History is fetched only where the answer depends on it.
    ///
    /// # Errors
    /// As git says about a broken repository; an unreachable remote is `None`.
    pub async fn is_ancestor(&self, a: &Oid, b: &Oid) -> Result<Option<bool>, GitError> {
        if a == b {
            return Ok(Some(true));
        }
        if let Some(known) = self.descent(a, b).await? {
            return Ok(Some(known));
        }
        let Some(remote) = self.remote().await? else { return Ok(None) };
        // Near ones first: unshallowing a large repository takes minutes. A whole repository lacks only `b`
        // itself; deepening would cut its history off.
        let steps: &[&[&str]] = if self.is_shallow().await? {
            &[&["--deepen=100"], &["--deepen=2000"], &["--unshallow"]]
        } else {
            &[&[]]
        };
        for options in steps {
            let fetched = self.fetch(&remote, options, &[b.as_str()]).await;
            if let Some(known) = self.descent(a, b).await? {
                return Ok(Some(known));
            }
            if let Err(error) = fetched {
                tracing::debug!(%error, "no more history");
                return Ok(None);
            }
        }
        // All of `b`'s history is here now, even if some other branch's is still cut off.
        Ok(Some(false))
    }

    /// The answer as far as local history has it.
    async fn descent(&self, a: &Oid, b: &Oid) -> Result<Option<bool>, GitError> {
        let here = self.objects(&[a.as_str(), b.as_str()]).await?;
        let [a_here, b_here] = here.as_slice() else { return Ok(None) };
        if b_here.is_none() {
            return Ok(None);
        }
        if a_here.is_some() {
            let args = ["merge-base", "--is-ancestor", a.as_str(), b.as_str()];
            if self.call(&args).text_if_any().await?.is_some() {
                return Ok(Some(true));
            }
        }
        // A whole history holds every ancestor.
        Ok(if self.is_shallow().await? { None } else { Some(false) })
    }

    /// Every version of the files below these folders (`""` or `.`: all) that any commit in `from..to`
    /// introduced, against any of its parents, merges included. Without `from` the whole history of `to`. Paths
    /// that are not UTF-8 are left out: no artifact can be there.
    ///
    /// # Errors
    /// As git says; a commit that is not here is one.
    pub async fn versions_since(
        &self,
        from: Option<&Oid>,
        to: &Oid,
        folders: &[String],
    ) -> Result<Vec<Version>, GitError> {
        let trunk = self.introduced(from, to, folders, &["--first-parent"]).await?;
        let all = self.introduced(from, to, folders, &[]).await?;
        let version = |(path, blob): (String, Option<Oid>)| {
            let trunk = trunk.contains(&(path.clone(), blob.clone()));
            Version { path, blob, trunk }
        };
        Ok(all.into_iter().map(version).collect())
    }

    /// Paths and contents that the commits which `rev-list` lists with these options introduced.
    async fn introduced(
        &self,
        from: Option<&Oid>,
        to: &Oid,
        folders: &[String],
        options: &[&str],
    ) -> Result<BTreeSet<(String, Option<Oid>)>, GitError> {
        let excluded = from.map(|from| format!("^{from}"));
        let mut args = vec!["rev-list"];
        args.extend(options);
        args.push(to.as_str());
        args.extend(excluded.as_deref());
        // Listed without paths: `git log -- <paths>` leaves out merges that are equal to one parent, and a merge
        // that brings an old version back is one of those.
        let commits = self.call(&args).stdout().await?;
        if commits.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut args =
            vec!["diff-tree", "--stdin", "--root", "-m", "-r", "-z", "--raw", "--no-renames"];
        args.extend(["--no-commit-id", "--no-abbrev", "--no-ext-diff", "--"]);
        args.extend(scope(folders));
        let raw = self.call(&args).input(&commits).stdout().await?;
        parse_raw(&raw)
    }

    /// The commits up to this one, newest first: name, seconds since 1970 by the committer's clock, and message.
    pub(crate) async fn log(
        &self,
        to: &Oid,
        limit: usize,
    ) -> Result<Vec<(Oid, i64, String)>, GitError> {
        let limit = format!("--max-count={limit}");
        let args =
            ["log", "-z", "--no-show-signature", &limit, "--format=%H %ct%n%B", to.as_str(), "--"];
        let log = self.call(&args).stdout().await?;
        // The log is for people; a message in a broken encoding must not hide the others.
        let log = String::from_utf8_lossy(&log);
        let entries = log.split('\0').filter(|entry| !entry.is_empty());
        entries
            .map(|entry| {
                let (meta, message) = entry.split_once('\n').unwrap_or((entry, ""));
                let (oid, seconds) = meta.split_once(' ').unwrap_or((meta, ""));
                let seconds = seconds.parse().map_err(|_| GitError::Unexpected {
                    command: "git log".to_owned(),
                    reason: format!("`{meta}` has no time"),
                })?;
                Ok((self.oid(oid)?, seconds, message.trim_end().to_owned()))
            })
            .collect()
    }

    /// The files below these folders (`""` or `.`: all) in a commit, with their contents' names. Symbolic links,
    /// submodules and paths that are not UTF-8 are left out.
    ///
    /// # Errors
    /// As git says; a commit that is not here is one.
    pub async fn tree_files(
        &self,
        commit: &Oid,
        folders: &[String],
    ) -> Result<Vec<(String, Oid)>, GitError> {
        let mut args = vec!["ls-tree", "-r", "-z", "--full-tree", commit.as_str(), "--"];
        let scope: Vec<String> = scope(folders).map(|folder| format!("{folder}/")).collect();
        args.extend(scope.iter().map(String::as_str));
        let output = self.call(&args).stdout().await?;
        let mut files = Vec::new();
        for entry in output.split(|&b| b == 0).filter(|entry| !entry.is_empty()) {
            // `<mode> <type> <object>\t<path>`
            let Ok(entry) = std::str::from_utf8(entry) else { continue };
            let Some((meta, path)) = entry.split_once('\t') else { continue };
            let mut meta = meta.split(' ');
            if let (Some(mode), Some(oid)) = (meta.next(), meta.nth(1))
                && is_file(mode)
            {
                files.push((path.to_owned(), self.oid(oid)?));
            }
        }
        Ok(files)
    }

    /// The files below these folders on branches that are not merged into what is checked out.
    ///
    /// # Errors
    /// As git says.
    pub async fn coming_paths(&self, folders: &[String]) -> Result<BTreeSet<String>, GitError> {
        if self.head().await?.is_none() {
            return Ok(BTreeSet::new());
        }
        let format = "--format=%(objectname)";
        let args = ["for-each-ref", "--no-merged=HEAD", format, "refs/heads", "refs/remotes"];
        let output = self.call(&args).stdout().await?;
        let heads: BTreeSet<&str> =
            std::str::from_utf8(&output).unwrap_or_default().lines().collect();
        let mut paths = BTreeSet::new();
        for head in heads {
            let files = self.tree_files(&self.oid(head)?, folders).await?;
            paths.extend(files.into_iter().map(|(path, _)| path));
        }
        Ok(paths)
    }
}

/// The folders as path arguments; none at all when one of them is the root.
fn scope(folders: &[String]) -> impl Iterator<Item = &str> {
    let whole = folders.iter().any(|folder| matches!(folder.trim_matches('/'), "" | "."));
    folders.iter().filter(move |_| !whole).map(|folder| folder.trim_matches('/'))
}

fn is_file(mode: &str) -> bool {
    mode.starts_with("100")
}

/// Reads `:<mode> <mode> <object> <object> <status>\0<path>\0`, see git-diff-tree(1), "RAW OUTPUT FORMAT".
fn parse_raw(raw: &[u8]) -> Result<BTreeSet<(String, Option<Oid>)>, GitError> {
    let unexpected = |reason: &str| GitError::Unexpected {
        command: "git diff-tree --raw".to_owned(),
        reason: reason.to_owned(),
    };
    let mut versions = BTreeSet::new();
    let mut fields = raw.split(|&b| b == 0).filter(|field| !field.is_empty());
    while let Some(meta) = fields.next() {
        let path = fields.next().ok_or_else(|| unexpected("a path is missing"))?;
        let meta = std::str::from_utf8(meta).map_err(|_| unexpected("a header is not UTF-8"))?;
        let meta = meta.strip_prefix(':').ok_or_else(|| unexpected("a header is missing"))?;
        let words: Vec<&str> = meta.split(' ').collect();
        let [_, mode, _, blob, _] = words.as_slice() else {
            return Err(unexpected("a header is not of five words"));
        };
        let Ok(path) = std::str::from_utf8(path) else { continue };
        let blob = Oid::parse_or_zero(blob).map_err(|error| unexpected(&error.to_string()))?;
        versions.insert((path.to_owned(), blob.filter(|_| is_file(mode))));
    }
    Ok(versions)
}
