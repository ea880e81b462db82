//! The remote: what it holds, fetching it without touching the user's refs, and conditional pushes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Git, GitError, Oid};

/// Time for a network command that carries next to nothing.
const NETWORK: Duration = Duration::from_secs(60);
/// Time for one that carries content: a first state of thousands of texts over a slow line.
const TRANSFER: Duration = Duration::from_secs(300);

/// What the remote holds, or this repository where there is no remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Head of the default branch; `None` while it has no commit.
    pub default_head: Option<Oid>,
    /// Head of the state ref. Where the remote has none but this repository does (state made before there was a
    /// remote), the local one.
    pub state: Option<Oid>,
    /// Head of the lease ref.
    pub lease: Option<Oid>,
}

/// How a conditional push ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// The remote holds our commit.
    Done,
    /// The remote held something else than expected. Nothing was changed.
    Stale,
    /// The remote did not take it; the reason may be a lost race or a rule of the server.
    Rejected(String),
}

/// The lease ref that belongs to a state ref.
pub(crate) fn lease_ref(state_ref: &str) -> String {
    format!("{state_ref}-lease")
}

impl Git {
    /// Name of the default branch: configured, else as the clone or the remote says, else the current branch,
    /// else `main`.
    ///
    /// # Errors
    /// As git says when the remote has to be asked.
    pub async fn default_branch(&self, configured: Option<&str>) -> Result<String, GitError> {
        if let Some(configured) = configured {
            return Ok(configured.to_owned());
        }
        if let Some(remote) = self.remote().await? {
            let head = format!("refs/remotes/{remote}/HEAD");
            let known = self.call(&["symbolic-ref", "--quiet", &head]).text_if_any().await?;
            let prefix = format!("refs/remotes/{remote}/");
            if let Some(branch) = known.as_deref().and_then(|name| name.strip_prefix(&prefix)) {
                return Ok(branch.to_owned());
            }
            let args = ["ls-remote", "--quiet", "--symref", "--", &remote, "HEAD"];
            let told = self.call(&args).limit(NETWORK).text().await?;
            let branch = told.lines().find_map(|line| {
                line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD").map(str::to_owned)
            });
            if let Some(branch) = branch {
                return Ok(branch);
            }
        }
        Ok(self.branch().await?.unwrap_or_else(|| "main".to_owned()))
    }

    /// Brings the remote's default branch, state and lease here: one `ls-remote`, and one `fetch` if anything of
    /// it is new. The default branch goes to a ref of ours, so that no ref of the user moves. Without a remote
    /// it reads the local refs.
    ///
    /// # Errors
    /// [`GitError::BadRef`], or as git says.
    pub async fn sync_refs(
        &self,
        state_ref: &str,
        default_branch: &str,
    ) -> Result<Remote, GitError> {
        let lease_ref = lease_ref(state_ref);
        let branch_ref = format!("refs/heads/{default_branch}");
        super::check_state_ref(state_ref)?;
        super::check_ref(&branch_ref)?;
        let Some(remote) = self.remote().await? else {
            let mut here = self.local_refs(&[&branch_ref, state_ref, &lease_ref]).await?;
            return Ok(Remote {
                default_head: here.remove(&branch_ref),
                state: here.remove(state_ref),
                lease: here.remove(&lease_ref),
            });
        };
        let copy = format!("refs/agent-sync/remote/{remote}/{default_branch}");
        let wanted = [
            (branch_ref.as_str(), copy.as_str()),
            (state_ref, state_ref),
            (lease_ref.as_str(), lease_ref.as_str()),
        ];
        let there = self.fetch_refs(&remote, &wanted).await?;
        let fetched = |theirs: &str| there.get(theirs).cloned();
        let state = match fetched(state_ref) {
            Some(state) => Some(state),
            None => self.resolve(state_ref).await?,
        };
        Ok(Remote { default_head: fetched(&branch_ref), state, lease: fetched(&lease_ref) })
    }

    /// Brings these refs of the remote (theirs, ours) here and gives what was brought, by their name. What the
    /// remote does not have is left out.
    pub(crate) async fn fetch_refs(
        &self,
        remote: &str,
        wanted: &[(&str, &str)],
    ) -> Result<BTreeMap<String, Oid>, GitError> {
        let theirs: Vec<&str> = wanted.iter().map(|(theirs, _)| *theirs).collect();
        let there = self.remote_refs(remote, &theirs).await?;
        let present: Vec<_> =
            wanted.iter().filter(|(theirs, _)| there.contains_key(*theirs)).copied().collect();
        let ours: Vec<&str> = present.iter().map(|(_, ours)| *ours).collect();
        let here = self.local_refs(&ours).await?;
        if present.iter().all(|(theirs, ours)| here.get(*ours) == there.get(*theirs)) {
            return Ok(there);
        }
        let specs: Vec<String> =
            present.iter().map(|(theirs, ours)| format!("+{theirs}:{ours}")).collect();
        let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
        self.fetch(remote, &[], &specs).await?;
        // The remote may have moved on since it was asked; what was fetched together belongs together.
        let mut here = self.local_refs(&ours).await?;
        let brought = present
            .iter()
            .filter_map(|(theirs, ours)| Some(((*theirs).to_owned(), here.remove(*ours)?)));
        Ok(brought.collect())
    }

    /// What these local refs are at; those that do not exist are left out.
    async fn local_refs(&self, names: &[&str]) -> Result<BTreeMap<String, Oid>, GitError> {
        let commits: Vec<String> = names.iter().map(|name| format!("{name}^{{commit}}")).collect();
        let commits: Vec<&str> = commits.iter().map(String::as_str).collect();
        let objects = self.objects(&commits).await?;
        let found = names.iter().zip(objects);
        Ok(found.filter_map(|(name, object)| Some(((*name).to_owned(), object?.oid))).collect())
    }

    /// Fetches these refspecs and nothing else: no tags, no tracking refs, no FETCH_HEAD.
    pub(crate) async fn fetch(
        &self,
        remote: &str,
        options: &[&str],
        specs: &[&str],
    ) -> Result<(), GitError> {
        let mut args = vec!["fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head"];
        args.extend(["--refmap=", "--no-recurse-submodules", "--no-auto-maintenance"]);
        args.extend_from_slice(options);
        args.extend(["--", remote]);
        args.extend_from_slice(specs);
        for pause in [100, 300, 900] {
            match self.call(&args).limit(TRANSFER).stdout().await {
                Ok(_) => return Ok(()),
                // Another run in the same clone fetches the same refs.
                Err(GitError::Command { stderr, .. }) if stderr.contains("cannot lock ref") => {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.call(&args).limit(TRANSFER).stdout().await.map(drop)
    }

    /// What the remote holds under these full ref names.
    pub(crate) async fn remote_refs(
        &self,
        remote: &str,
        names: &[&str],
    ) -> Result<BTreeMap<String, Oid>, GitError> {
        let mut args = vec!["ls-remote", "--quiet", "--", remote];
        args.extend_from_slice(names);
        let told = self.call(&args).limit(NETWORK).text().await?;
        let mut refs = BTreeMap::new();
        // A pattern matches the end of a name, too.
        for (oid, name) in told.lines().filter_map(|line| line.split_once('\t')) {
            if names.contains(&name) {
                refs.insert(name.to_owned(), self.oid(oid)?);
            }
        }
        Ok(refs)
    }

    /// Moves a ref of the remote from `old` (`None`: it must not exist) to `new`. An error leaves open whether it
    /// was moved.
    pub(crate) async fn push_ref(
        &self,
        remote: &str,
        reference: &str,
        new: &Oid,
        old: Option<&Oid>,
    ) -> Result<Push, GitError> {
        let lease = format!("--force-with-lease={reference}:{}", old.map_or("", Oid::as_str));
        let spec = format!("{new}:{reference}");
        let args =
            ["push", "--porcelain", "--no-verify", "--no-follow-tags", &lease, "--", remote, &spec];
        let finished = self.call(&args).limit(TRANSFER).finish().await?;
        if finished.code == Some(0) {
            return Ok(Push::Done);
        }
        // `!<TAB><from>:<to><TAB>[rejected] (stale info)`, see git-push(1), "OUTPUT".
        let stdout = String::from_utf8_lossy(&finished.stdout);
        let summary = stdout
            .lines()
            .find_map(|line| line.strip_prefix("!\t")?.split_once('\t').map(|(_, s)| s));
        match summary {
            Some(summary) if summary.starts_with("[rejected]") => Ok(Push::Stale),
            Some(summary) if summary.starts_with("[remote rejected]") => {
                let reason = summary.trim_start_matches("[remote rejected]").trim();
                Ok(Push::Rejected(super::redact(&format!("{reason} {}", finished.stderr))))
            }
            _ => Err(GitError::Command {
                command: "git push".to_owned(),
                code: finished.code,
                stderr: finished.stderr,
            }),
        }
    }
}
