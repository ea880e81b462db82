//! Running `git`: argument vectors, a scrubbed environment, bounded time, redacted errors.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::GitError;

/// Time for a command that reads or writes the local repository only. Generous: the disk may be slow, and a
/// partial clone may fetch an object.
const LOCAL: Duration = Duration::from_secs(120);

/// Variables that would point git at another repository, change how it reads our arguments, or mix a trace
/// (with credentials) into its messages; and a secret that is none of its business.
const SCRUBBED: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_DATE",
    "GIT_COMMON_DIR",
    "GIT_CURL_VERBOSE",
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TRACE",
    "GIT_TRACE2",
    "GIT_TRACE2_EVENT",
    "GIT_TRACE2_PERF",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
    "GIT_TRACE_SETUP",
    "GIT_WORK_TREE",
    "NOTION_TOKEN",
];

/// Settings for our own children only. `-c` and not `GIT_CONFIG_COUNT`, which the user's environment may already
/// use for credentials. Hooks and file-system monitors are programs of the repository, which is data to us.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
    "push.gpgSign=false",
    "push.recurseSubmodules=no",
    "submodule.recurse=false",
];

pub(super) const NAME: &str = "agent-sync";
pub(super) const EMAIL: &str = "agent-sync@users.noreply.github.com";

/// What a command that ran to its end said.
pub(super) struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub(super) code: Option<i32>,
    /// Its output.
    pub(super) stdout: Vec<u8>,
    /// Its messages, redacted.
    pub(super) stderr: String,
}

/// A command to be run.
pub(super) struct Call<'a> {
    root: &'a Path,
    args: &'a [&'a str],
    input: &'a [u8],
    limit: Duration,
}

impl<'a> Call<'a> {
    /// `git <args>` in the work tree at `root`.
    pub(super) fn new(root: &'a Path, args: &'a [&'a str]) -> Self {
        Self { root, args, input: &[], limit: LOCAL }
    }

    /// With this standard input.
    pub(super) fn input(mut self, input: &'a [u8]) -> Self {
        self.input = input;
        self
    }

    /// With another limit of time.
    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it and gives its output; any exit code but 0 is an error.
    pub(super) async fn stdout(self) -> Result<Vec<u8>, GitError> {
        let command = self.name();
        let finished = self.finish().await?;
        match finished.code {
            Some(0) => Ok(finished.stdout),
            code => Err(GitError::Command { command, code, stderr: finished.stderr }),
        }
    }

    /// Runs it and gives its output as text, without white space at the end.
    pub(super) async fn text(self) -> Result<String, GitError> {
        let command = self.name();
        let stdout = self.stdout().await?;
        let text = String::from_utf8(stdout).map_err(|_| GitError::Unexpected {
            command,
            reason: "its output is not UTF-8".to_owned(),
        })?;
        Ok(text.trim_end().to_owned())
    }

    /// Runs it; `None` when it ended with exit code 1, by which git's plumbing says "no" or "none".
    pub(super) async fn text_if_any(self) -> Result<Option<String>, GitError> {
        match self.text().await {
            Ok(text) => Ok(Some(text)),
            Err(GitError::Command { code: Some(1), .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Runs it to its end, whatever its exit code.
    pub(super) async fn finish(self) -> Result<Finished, GitError> {
        let name = self.name();
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => GitError::NotInstalled,
            _ => GitError::Run { command: name.clone(), error },
        };
        let mut child = self.command().spawn().map_err(failed)?;
        let group = child.id();
        let Ok(ended) = tokio::time::timeout(self.limit, talk(&mut child, self.input)).await else {
            end_group(group);
            return Err(GitError::TimedOut { command: name, limit: self.limit });
        };
        let (code, stdout, stderr) = ended.map_err(failed)?;
        tracing::trace!(command = name, ?code, "git");
        Ok(Finished { code, stdout, stderr: redact(String::from_utf8_lossy(&stderr).trim()) })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.current_dir(self.root);
        let mut trusted = OsString::from("safe.directory=");
        trusted.push(self.root);
        command.arg("-c").arg(trusted);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.arg("--literal-pathspecs").args(self.args);
        for name in SCRUBBED {
            command.env_remove(name);
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            // Without it ssh would ask on a terminal that nobody watches, and be stopped for it.
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("LC_ALL", "C")
            .env("GIT_AUTHOR_NAME", NAME)
            .env("GIT_AUTHOR_EMAIL", EMAIL)
            .env("GIT_COMMITTER_NAME", NAME)
            .env("GIT_COMMITTER_EMAIL", EMAIL)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Its own group: Ctrl-C on our terminal must not end a push that we want to finish, and a helper
        // (ssh, git-remote-https) must end with it.
        #[cfg(unix)]
        command.process_group(0);
        command
    }

    fn name(&self) -> String {
        redact(&format!("git {}", self.args.join(" ")))
    }
}

async fn talk(child: &mut Child, input: &[u8]) -> io::Result<(Option<i32>, Vec<u8>, Vec<u8>)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async move {
        if let Some(mut stdin) = stdin {
            // A command that ends before it has read everything says why by its exit code.
            let _ = stdin.write_all(input).await;
            let _ = stdin.shutdown().await;
        }
    };
    let ((), stdout, stderr) = tokio::join!(write, read(stdout), read(stderr));
    let status = child.wait().await?;
    Ok((status.code(), stdout?, stderr?))
}

async fn read<R: tokio::io::AsyncRead + Unpin>(pipe: Option<R>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        tokio::io::AsyncReadExt::read_to_end(&mut pipe, &mut bytes).await?;
    }
    Ok(bytes)
}

#[cfg(unix)]
fn end_group(leader: Option<u32>) {
    let pid = leader.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may just have ended by itself.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn end_group(_: Option<u32>) {}

/// Replaces the user part of every URL (`https://user:token@host`) by `***`.
pub(super) fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        clean.push_str(before);
        clean.push_str("://");
        let end = after
            .find(|c: char| c == '/' || c == '\'' || c == '"' || c.is_whitespace())
            .unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                clean.push_str("***@");
                clean.push_str(host);
            }
            None => clean.push_str(authority),
        }
        rest = tail;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn credentials_in_urls_are_redacted() {
        assert_eq!(
            redact(
                "fatal: 'https://x-access-token:ghs_s3@cret@github.com/o/r.git/' and ssh://git@h/x"
            ),
            "fatal: 'https://***@github.com/o/r.git/' and ssh://***@h/x"
        );
        assert_eq!(redact("https://github.com/a@b: no"), "https://github.com/a@b: no");
    }
}
