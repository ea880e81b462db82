//! One Git repository through the `git` command: plumbing only, for the state, the lease and rule 15.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha1::Digest as _;

mod command;
mod history;
mod objects;
mod oid;
mod remote;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use history::Version;
pub use oid::{BadOid, Oid};
pub use remote::Remote;
pub(crate) use remote::{Push, lease_ref};

use crate::hex::{digest, hex};
use command::{Call, redact};

/// Why git did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The folder is in no work tree.
    #[error(
        "{} is not in a Git repository. Run it in a clone, or make one with `git init`.",
        dir.display()
    )]
    NotARepository {
        /// Where we looked, upwards.
        dir: PathBuf,
    },
    /// There is no `git` program.
    #[error("the program `git` is not installed. Install Git 2.38 or later.")]
    NotInstalled,
    /// The command could not be started, or its pipes broke.
    #[error("`{command}` could not be run: {error}")]
    Run {
        /// The command line, redacted.
        command: String,
        /// Why.
        error: std::io::Error,
    },
    /// The command took too long and was ended; a network command may still have taken effect.
    #[error("`{command}` was ended after {} s", limit.as_secs())]
    TimedOut {
        /// The command line, redacted.
        command: String,
        /// The time that it had.
        limit: Duration,
    },
    /// The command failed.
    #[error("`{command}` failed: {stderr}")]
    Command {
        /// The command line, redacted.
        command: String,
        /// Its exit code; `None` when a signal ended it.
        code: Option<i32>,
        /// Its messages, redacted.
        stderr: String,
    },
    /// The command said something that we cannot read.
    #[error("`{command}` gave an unexpected answer: {reason}")]
    Unexpected {
        /// The command line, redacted.
        command: String,
        /// What is unexpected.
        reason: String,
    },
    /// A name that cannot be a ref.
    #[error("`{0}` cannot be the name of a ref. Use one like `refs/agent-sync/state`.")]
    BadRef(String),
    /// A ref that people or git itself move.
    #[error(
        "`{0}` is a branch, a tag or another ref that belongs to people or to git, so the state cannot live there. \
         Use one like `refs/agent-sync/state`."
    )]
    TakenRef(String),
}

impl GitError {
    /// Whether the remote understood and said no (token, rights, no such repository): trying again later does
    /// not help. Read from git's English messages, so a new wording is taken for an outage.
    pub fn is_refusal(&self) -> bool {
        let Self::Command { stderr, .. } = self else { return false };
        const REFUSALS: &[&str] = &[
            "Authentication failed",
            "Permission denied",
            "Permission to ",
            "Host key verification failed",
            "could not read Username",
            "could not read Password",
            "terminal prompts disabled",
            "does not appear to be a git repository",
            "Repository not found",
            "repository not found",
            "The requested URL returned error: 401",
            "The requested URL returned error: 403",
            "The requested URL returned error: 404",
        ];
        REFUSALS.iter().any(|refusal| stderr.contains(refusal))
    }

    /// Whether the trouble may pass by itself.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            // Exit code 128 of a network command that was not refused; local commands fail with it, too, but
            // only on a broken repository or a full disk, where "try again later" is the right word as well.
            Self::Command { .. } => !self.is_refusal(),
            _ => false,
        }
    }
}

/// How objects are named in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ObjectFormat {
    Sha1,
    Sha256,
}

/// A repository with a work tree. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Git {
    root: PathBuf,
    format: ObjectFormat,
}

impl Git {
    /// Opens the repository whose work tree holds `dir`, whoever owns it: in a container action the work tree
    /// is another user's, and git would refuse it ("dubious ownership"; reference/github-actions.md).
    ///
    /// # Errors
    /// [`GitError::NotARepository`], [`GitError::NotInstalled`], or what git says about a broken repository.
    pub async fn open(dir: &Path) -> Result<Self, GitError> {
        let not_found = || GitError::NotARepository { dir: dir.to_owned() };
        let dir = std::fs::canonicalize(dir).map_err(|_| not_found())?;
        let root = dir.ancestors().find(|dir| dir.join(".git").exists()).ok_or_else(not_found)?;
        let format = Call::new(root, &["rev-parse", "--show-object-format"]).text().await?;
        let format = match format.as_str() {
            "sha256" => ObjectFormat::Sha256,
            _ => ObjectFormat::Sha1,
        };
        Ok(Self { root: root.to_owned(), format })
    }

    /// Root of the work tree, without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that is checked out; `None` before the first commit.
    ///
    /// # Errors
    /// As git says.
    pub async fn head(&self) -> Result<Option<Oid>, GitError> {
        self.resolve("HEAD").await
    }

    /// The branch that is checked out, without `refs/heads/`; `None` when detached.
    ///
    /// # Errors
    /// As git says.
    pub async fn branch(&self) -> Result<Option<String>, GitError> {
        let name = self.call(&["symbolic-ref", "--quiet", "HEAD"]).text_if_any().await?;
        Ok(name.and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned)))
    }

    /// The remote to sync with: the branch's upstream, else `origin`, else the only one.
    ///
    /// # Errors
    /// As git says.
    pub async fn remote(&self) -> Result<Option<String>, GitError> {
        let remotes = self.call(&["remote"]).text().await?;
        let remotes: Vec<&str> = remotes.lines().collect();
        if let Some(branch) = self.branch().await? {
            let key = format!("branch.{branch}.remote");
            let upstream = self.call(&["config", "--get", &key]).text_if_any().await?;
            // `.` and bare URLs are legal there and are not remotes.
            if let Some(upstream) = upstream.filter(|name| remotes.contains(&name.as_str())) {
                return Ok(Some(upstream));
            }
        }
        Ok(match remotes.as_slice() {
            all if all.contains(&"origin") => Some("origin".to_owned()),
            [only] => Some((*only).to_owned()),
            _ => None,
        })
    }

    /// The remote's URL without user and password; `None` without a remote.
    ///
    /// # Errors
    /// As git says.
    pub async fn remote_url(&self) -> Result<Option<String>, GitError> {
        let Some(remote) = self.remote().await? else { return Ok(None) };
        let url = self.call(&["remote", "get-url", "--", &remote]).text().await?;
        Ok(Some(redact(&url).replace("://***@", "://")))
    }

    /// Tells this work tree from every other one, clones and copies of it included; `None` where the file system
    /// does not say when a folder was made. Nothing is written for it.
    ///
    /// # Errors
    /// As git says.
    pub async fn work_tree_id(&self) -> Result<Option<String>, GitError> {
        use std::os::unix::fs::MetadataExt as _;
        let dir = self.call(&["rev-parse", "--absolute-git-dir"]).text().await?;
        let made = std::fs::metadata(&dir).and_then(|meta| Ok((meta.ino(), meta.created()?)));
        let Ok((inode, created)) = made else { return Ok(None) };
        let seed = format!("{dir}\0{inode}\0{created:?}");
        Ok(Some(digest(seed.as_bytes()).chars().take(16).collect()))
    }

    /// Whether history was cut off by a shallow clone.
    ///
    /// # Errors
    /// As git says.
    pub async fn is_shallow(&self) -> Result<bool, GitError> {
        Ok(self.call(&["rev-parse", "--is-shallow-repository"]).text().await? == "true")
    }

    /// The commit that a ref or revision names, if there is one here.
    pub(crate) async fn resolve(&self, revision: &str) -> Result<Option<Oid>, GitError> {
        let commit = format!("{revision}^{{commit}}");
        let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        match self.call(&args).text_if_any().await? {
            Some(text) => Ok(Some(self.oid(&text)?)),
            None => Ok(None),
        }
    }

    /// Moves a local ref from `old` (`None`: it must not exist) to `new`. False when it was somewhere else.
    pub(crate) async fn move_ref(
        &self,
        reference: &str,
        new: &Oid,
        old: Option<&Oid>,
    ) -> Result<bool, GitError> {
        let expected = old.map_or_else(|| new.zero(), ToString::to_string);
        let args = ["update-ref", "--no-deref", "--", reference, new.as_str(), &expected];
        let mut attempts = 0;
        loop {
            let Err(error) = self.call(&args).stdout().await else { return Ok(true) };
            if self.resolve(reference).await?.as_ref() != old {
                return Ok(false);
            }
            // Another process held the ref's lock file, or left it there.
            attempts += 1;
            if attempts == 5 {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(50 * attempts)).await;
        }
    }

    /// Sets a local ref, wherever it was.
    pub(crate) async fn set_ref(&self, reference: &str, new: &Oid) -> Result<(), GitError> {
        self.call(&["update-ref", "--no-deref", "--", reference, new.as_str()])
            .stdout()
            .await
            .map(drop)
    }

    /// The name that git gives a file of this content.
    pub fn blob_id(&self, content: &[u8]) -> Oid {
        let header = format!("blob {}\0", content.len());
        let hex = match self.format {
            ObjectFormat::Sha1 => {
                hex(&sha1::Sha1::new().chain_update(&header).chain_update(content).finalize())
            }
            ObjectFormat::Sha256 => {
                hex(&sha2::Sha256::new().chain_update(&header).chain_update(content).finalize())
            }
        };
        Oid::of_digest(hex)
    }

    fn call<'a>(&'a self, args: &'a [&'a str]) -> Call<'a> {
        Call::new(&self.root, args)
    }

    fn oid(&self, text: &str) -> Result<Oid, GitError> {
        text.parse().map_err(|error: BadOid| GitError::Unexpected {
            command: "git".to_owned(),
            reason: error.to_string(),
        })
    }
}

/// Checks the name of the state's ref, which is fetched and moved whatever it was at.
pub(crate) fn check_state_ref(name: &str) -> Result<(), GitError> {
    check_ref(name)?;
    let taken = ["refs/heads/", "refs/tags/", "refs/remotes/", "refs/notes/", "refs/replace/"];
    match taken.iter().any(|prefix| name.starts_with(prefix)) {
        true => Err(GitError::TakenRef(name.to_owned())),
        false => Ok(()),
    }
}

/// Checks a configured ref name: a full name that git accepts and that nothing takes for an option or pattern.
pub(crate) fn check_ref(name: &str) -> Result<(), GitError> {
    let component = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with(".lock")
            && !part.ends_with('.')
    };
    let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let good = name.starts_with("refs/")
        && name.split('/').count() >= 3
        && name.split('/').all(component)
        && !name.contains(forbidden)
        && !name.contains("..")
        && !name.contains("@{");
    if good { Ok(()) } else { Err(GitError::BadRef(name.to_owned())) }
}
