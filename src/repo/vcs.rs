//! What the engine asks of the repository's history, whoever answers: the `git` command, or GitHub.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use async_trait::async_trait;

use super::git::{Git, GitError, Oid, Remote, Version};
use crate::github::GithubError;

/// Why the history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VcsError {
    /// The `git` command.
    #[error(transparent)]
    Git(#[from] GitError),
    /// GitHub's API.
    #[error(transparent)]
    Github(#[from] GithubError),
}

/// A repository's commits, branches and remote.
#[async_trait]
pub trait Vcs: Send + Sync {
    /// Root of the working tree.
    fn root(&self) -> &Path;

    /// Whether there is a remote, so that its default branch is what counts (rule 15).
    ///
    /// # Errors
    /// [`VcsError`], here and below.
    async fn has_remote(&self) -> Result<bool, VcsError>;

    /// The remote's address without user and password.
    async fn remote_url(&self) -> Result<Option<String>, VcsError>;

    /// Name of the default branch: configured, else as the remote says.
    async fn default_branch(&self, configured: Option<&str>) -> Result<String, VcsError>;

    /// The remote's default branch, state and lease as they are now.
    async fn sync_refs(&self, state_ref: &str, default_branch: &str) -> Result<Remote, VcsError>;

    /// The commit that is checked out; `None` before the first commit.
    async fn head(&self) -> Result<Option<Oid>, VcsError>;

    /// The branch that is checked out; `None` when detached.
    async fn branch(&self) -> Result<Option<String>, VcsError>;

    /// Tells this work tree from every other one; `None` where nothing does.
    async fn work_tree_id(&self) -> Result<Option<String>, VcsError>;

    /// Whether `a` is `b` or an ancestor of it; `None` where nobody knows.
    async fn is_ancestor(&self, a: &Oid, b: &Oid) -> Result<Option<bool>, VcsError>;

    /// The files below these folders (`""`: all) in a commit, links and submodules left out.
    async fn tree_files(
        &self,
        commit: &Oid,
        folders: &[String],
    ) -> Result<Vec<(String, Oid)>, VcsError>;

    /// Paths below these folders that may come to the default branch: those of open pull requests, or, where nobody
    /// knows of pull requests, of the branches that this clone knows and that are not merged here.
    async fn coming_paths(&self, folders: &[String]) -> Result<BTreeSet<String>, VcsError>;

    /// Every version of the files below these folders that a commit in `from..to` introduced.
    async fn versions_since(
        &self,
        from: &Oid,
        to: &Oid,
        folders: &[String],
    ) -> Result<Vec<Version>, VcsError>;

    /// The contents of these blobs; what is none is left out.
    async fn blobs(&self, oids: &[Oid]) -> Result<BTreeMap<Oid, Vec<u8>>, VcsError>;
}

#[async_trait]
impl Vcs for Git {
    fn root(&self) -> &Path {
        Self::root(self)
    }

    async fn has_remote(&self) -> Result<bool, VcsError> {
        Ok(self.remote().await?.is_some())
    }

    async fn remote_url(&self) -> Result<Option<String>, VcsError> {
        Ok(Self::remote_url(self).await?)
    }

    async fn default_branch(&self, configured: Option<&str>) -> Result<String, VcsError> {
        Ok(Self::default_branch(self, configured).await?)
    }

    async fn sync_refs(&self, state_ref: &str, default_branch: &str) -> Result<Remote, VcsError> {
        Ok(Self::sync_refs(self, state_ref, default_branch).await?)
    }

    async fn head(&self) -> Result<Option<Oid>, VcsError> {
        Ok(Self::head(self).await?)
    }

    async fn branch(&self) -> Result<Option<String>, VcsError> {
        Ok(Self::branch(self).await?)
    }

    async fn work_tree_id(&self) -> Result<Option<String>, VcsError> {
        Ok(Self::work_tree_id(self).await?)
    }

    async fn is_ancestor(&self, a: &Oid, b: &Oid) -> Result<Option<bool>, VcsError> {
        Ok(Self::is_ancestor(self, a, b).await?)
    }

    async fn tree_files(
        &self,
        commit: &Oid,
        folders: &[String],
    ) -> Result<Vec<(String, Oid)>, VcsError> {
        Ok(Self::tree_files(self, commit, folders).await?)
    }

    async fn coming_paths(&self, folders: &[String]) -> Result<BTreeSet<String>, VcsError> {
        Ok(Self::coming_paths(self, folders).await?)
    }

    async fn versions_since(
        &self,
        from: &Oid,
        to: &Oid,
        folders: &[String],
    ) -> Result<Vec<Version>, VcsError> {
        Ok(Self::versions_since(self, Some(from), to, folders).await?)
    }

    async fn blobs(&self, oids: &[Oid]) -> Result<BTreeMap<Oid, Vec<u8>>, VcsError> {
        Ok(Self::blobs(self, oids).await?)
    }
}
