//! Where the repository's history and the state are: in Git, or at GitHub.

use std::sync::Arc;

use super::{Request, RunError};
use crate::github::Client;
use crate::repo::git::{Git, GitError};
use crate::repo::{Checkout, Hosted, Vcs};
use crate::state::{GitStore, GithubStore, Store};

/// A repository and whoever answers for its history.
pub(super) enum Place {
    /// The `git` command.
    Git(Git),
    /// GitHub's API.
    Github(Arc<Client>, Arc<Hosted>),
}

impl Place {
    /// Finds the repository of a request.
    ///
    /// # Errors
    /// No repository, or no `git`.
    pub(super) async fn find(request: &Request) -> Result<Self, RunError> {
        let Some(client) = &request.github else {
            let in_job = request.env.get("GITHUB_ACTIONS").is_some_and(|value| value == "true");
            return match Git::open(&request.directory).await {
                Ok(git) => Ok(Self::Git(git)),
                Err(GitError::NotInstalled) if in_job => Err(RunError::Usage(
                    "There is no token for GitHub, and no `git` here either. Give the action \
                     `github-token: ${{ github.token }}`."
                        .to_owned(),
                )),
                Err(error) => Err(error.into()),
            };
        };
        let get = |name: &str| request.env.get(name).cloned();
        let told = Checkout {
            commit: get("GITHUB_SHA"),
            reference: get("GITHUB_REF"),
            default_branch: request.default_branch.clone(),
            url: client.web_url(),
        };
        let hosted = Hosted::open(client.clone(), &request.directory, told);
        Ok(Self::Github(client.clone(), Arc::new(hosted)))
    }

    /// The history.
    pub(super) fn vcs(&self) -> Arc<dyn Vcs> {
        match self {
            Self::Git(git) => Arc::new(git.clone()),
            Self::Github(_, hosted) => hosted.clone(),
        }
    }

    /// The state under this ref.
    ///
    /// # Errors
    /// A ref that cannot be one.
    pub(super) async fn store(&self, state_ref: &str) -> Result<Arc<dyn Store>, RunError> {
        Ok(match self {
            Self::Git(git) => Arc::new(GitStore::new(git.clone(), state_ref, git.remote().await?)?),
            Self::Github(client, _) => Arc::new(GithubStore::new(client.clone(), state_ref)?),
        })
    }
}
