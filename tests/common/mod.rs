//! A laboratory: notion-sim, a repository with or without a remote, and the built binary between them.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test fails where it cannot go on, and each binary uses its own part"
)]

pub mod database;
pub mod github;
pub mod image;
pub mod npm;
pub mod postgres;
pub mod scenario;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use notion_sim::{Options, Server};
use serde_json::Value;
use tempfile::TempDir;

/// The token of every laboratory; no output may hold it.
pub const TOKEN: &str = "ntn_sim_token_4711_secret";

/// Prefixes of variables that must not leak from the machine that runs the tests.
const SCRUBBED: [&str; 8] =
    ["GITHUB_", "RUNNER_", "ACTIONS_", "INPUT_", "NOTION_", "AGENT_SYNC_", "GIT_", "CI"];

/// What a run of the binary gave.
#[derive(Debug)]
pub struct Run {
    /// Exit code; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// The JSON report.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Actions of the report as `kind/id action`, sorted.
    pub fn actions(&self) -> Vec<String> {
        let json = self.json();
        let mut actions: Vec<String> = json["artifacts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|a| format!("{}/{} {}", text(&a["kind"]), text(&a["id"]), text(&a["action"])))
            .collect();
        actions.sort();
        actions
    }

    /// Rules of the findings, sorted.
    pub fn rules(&self) -> Vec<String> {
        let json = self.json();
        let mut rules: Vec<String> =
            json["findings"].as_array().into_iter().flatten().map(|f| text(&f["rule"])).collect();
        rules.sort();
        rules
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The built binary, without anything of this machine's environment that it looks at.
pub fn binary() -> Command {
    scrubbed(Command::new(env!("CARGO_BIN_EXE_agent-sync")))
}

/// A simulated workspace and a place for repositories.
pub struct Lab {
    /// The simulator.
    pub sim: Server,
    /// Everything on disk.
    pub dir: TempDir,
}

/// A working tree.
pub struct Repo<'a> {
    lab: &'a Lab,
    /// Its root.
    pub path: PathBuf,
    /// Variables for the binary, over the usual ones.
    pub env: BTreeMap<String, String>,
}

impl Lab {
    /// With the default simulator: frozen clock, no rate limit.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// With changed options of the simulator.
    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options { token: TOKEN.to_owned(), ..Options::default() };
        options.rate = None;
        change(&mut options);
        Self { sim: Server::start(options).unwrap(), dir: TempDir::new().unwrap() }
    }

    /// A repository without a remote.
    pub fn repo(&self, name: &str) -> Repo<'_> {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        let repo = Repo { lab: self, path, env: BTreeMap::new() };
        repo.git(&["init", "-q", "-b", "main"]);
        repo.configure();
        repo
    }

    /// A bare remote, and a first clone of it whose configuration is committed and pushed.
    pub fn remote(&self) -> Repo<'_> {
        let bare = self.bare();
        std::fs::create_dir_all(&bare).unwrap();
        git_in(&bare, &["init", "-q", "--bare", "-b", "main"]);
        let repo = self.repo("origin-clone");
        repo.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
        repo.commit("configuration");
        repo.git(&["push", "-q", "-u", "origin", "main"]);
        repo
    }

    fn bare(&self) -> PathBuf {
        self.dir.path().join("remote.git")
    }

    /// Another clone of the remote.
    pub fn clone(&self, name: &str) -> Repo<'_> {
        let path = self.dir.path().join(name);
        git_in(
            self.dir.path(),
            &["clone", "-q", self.bare().to_str().unwrap(), path.to_str().unwrap()],
        );
        Repo { lab: self, path, env: BTreeMap::new() }
    }

    /// A checkout of `main` at a commit as actions/checkout makes it: one commit deep, over a URL, in CI.
    pub fn checkout(&self, name: &str, commit: &str) -> Repo<'_> {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        let mut repo = Repo { lab: self, path, env: BTreeMap::new() };
        repo.in_ci();
        repo.git(&["init", "-q", "-b", "unborn"]);
        repo.git(&["remote", "add", "origin", &format!("file://{}", self.bare().display())]);
        let spec = format!("+{commit}:refs/remotes/origin/main");
        repo.git(&["fetch", "-q", "--no-tags", "--depth=1", "origin", &spec]);
        repo.git(&["checkout", "-q", "--force", "-B", "main", "refs/remotes/origin/main"]);
        repo
    }

    /// A checkout of what `main` is at now; see [`Lab::checkout`].
    pub fn nightly(&self, name: &str) -> Repo<'_> {
        let head = git_in(&self.bare(), &["rev-parse", "refs/heads/main"]);
        self.checkout(name, &head)
    }

    /// Writes that reached the simulator since the last reset.
    pub fn writes(&self) -> usize {
        self.sim.requests().iter().filter(|request| request.is_write).count()
    }

    /// The page about the environment, where there is one.
    pub fn environment(&self) -> Option<String> {
        let parent = self.sim.parent_page();
        let pages = self.sim.workspace().subpages(&parent);
        pages.into_iter().find(|(_, title)| title == "agent-sync").map(|(page, _)| page)
    }

    /// As [`Lab::writes`], without those to the page about the environment, which says what is in conflict.
    pub fn document_writes(&self) -> usize {
        let page = self.environment().unwrap_or_default();
        let documents = |path: &str| page.is_empty() || !path.contains(&page);
        let requests = self.sim.requests();
        requests.iter().filter(|request| request.is_write && documents(&request.path)).count()
    }

    /// Requests since the last reset.
    pub fn count(&self) -> usize {
        self.sim.requests().len()
    }

    /// The page of an artifact, by database title and id.
    #[track_caller]
    pub fn page(&self, database: &str, id: &str) -> String {
        self.find_page(database, id).unwrap_or_else(|| panic!("no page {id} in {database}"))
    }

    /// The page of an artifact, if there is one.
    pub fn find_page(&self, database: &str, id: &str) -> Option<String> {
        let workspace = self.sim.workspace();
        let database = workspace.database_by_title(database)?;
        workspace.page_with(&database.id, "ID", id)
    }

    /// A further page that databases can be made under, for a second backend.
    pub fn second_parent(&self) -> String {
        let mut workspace = self.sim.workspace();
        let page = workspace.create_private_page("Board");
        workspace.share(&page);
        page
    }

    /// As [`Lab::find_page`], where several parents have a database of that title.
    pub fn find_page_under(&self, parent: &str, database: &str, id: &str) -> Option<String> {
        let workspace = self.sim.workspace();
        let database = workspace
            .databases()
            .into_iter()
            .find(|one| one.title == database && one.parent.as_deref() == Some(parent))?;
        workspace.page_with(&database.id, "ID", id)
    }

    /// The body of an artifact's page.
    #[track_caller]
    pub fn body(&self, database: &str, id: &str) -> String {
        let page = self.page(database, id);
        self.sim.workspace().markdown(&page)
    }

    /// A property of an artifact's page as text.
    #[track_caller]
    pub fn property(&self, database: &str, id: &str, name: &str) -> Option<String> {
        let page = self.page(database, id);
        self.sim.workspace().property_text(&page, name).filter(|text| !text.is_empty())
    }

    /// Lets minutes pass in the workspace.
    pub fn minutes(&self, minutes: u64) {
        self.sim.advance(Duration::from_secs(60 * minutes));
    }

    /// A person edits the block that holds `containing`.
    #[track_caller]
    pub fn edit(&self, database: &str, id: &str, containing: &str, new: &str) {
        let page = self.page(database, id);
        self.sim.workspace().edit_block(&page, containing, new).unwrap();
    }
}

/// Runs git in a folder.
#[track_caller]
pub fn git_in(dir: &Path, args: &[&str]) -> String {
    run_git(&mut git_command(dir, args), args)
}

fn git_command(dir: &Path, args: &[&str]) -> Command {
    let mut command = scrubbed(Command::new("git"));
    command
        .args([
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.com",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(args)
        .current_dir(dir);
    command
}

#[track_caller]
fn run_git(command: &mut Command, args: &[&str]) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn scrubbed(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if SCRUBBED.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Standard error without the lines of the log, which begin with a time.
fn without_log(text: &str) -> String {
    let logged = |line: &str| line.starts_with("20") && line.get(10..11) == Some("T");
    text.lines().filter(|line| !logged(line)).map(|line| format!("{line}\n")).collect()
}

/// A story file with a state and a text.
pub fn story(id: &str, title: &str, state: &str, body: &str) -> String {
    format!("# {id}: {title}\n\n## State\n\n{state}\n\n{body}")
}

impl Repo<'_> {
    /// Writes the configuration of the tests: fast retries, no rate limit of our own.
    pub fn configure(&self) {
        self.write(
            "agent-sync.yml",
            "version: 1\npreset: agent\nbackends:\n  notion:\n    type: notion\n    \
             requests_per_minute: 10000\n    settle_seconds: 0\n    backoff_ms: 2\n    read_timeout_ms: 4000\n    \
             write_timeout_ms: 4000\n",
        );
    }

    /// Sets the variables by which a run knows that it is in GitHub Actions.
    pub fn in_ci(&mut self) {
        self.env.insert("CI".to_owned(), "true".to_owned());
        self.env.insert("GITHUB_ACTIONS".to_owned(), "true".to_owned());
    }

    /// Lets two minutes pass, so that no page has to be read again, and runs sync until everything is recorded;
    /// then one more run must find nothing to do (rule 14).
    #[track_caller]
    pub fn settle(&self) {
        for _ in 0..2 {
            self.lab.minutes(2);
            self.run(&["sync"]).expect(0);
        }
        self.calm();
    }

    /// A run must find both sides equal and everything recorded (rule 14).
    #[track_caller]
    pub fn calm(&self) {
        self.lab.minutes(2);
        self.lab.sim.reset_requests();
        let (state, files) = (self.state(), self.files());
        let run = self.run(&["sync"]).expect(0);
        assert_eq!(run.json()["outcome"], "clean", "{run:?}");
        assert_eq!((self.lab.writes(), self.state(), self.files()), (0, state, files), "{run:?}");
    }

    /// Runs git here.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        git_in(&self.path, args)
    }

    /// Runs git here with further variables.
    #[track_caller]
    pub fn git_with(&self, args: &[&str], env: &[(&str, &str)]) -> String {
        let mut command = git_command(&self.path, args);
        run_git(command.envs(env.iter().copied()), args)
    }

    /// Commits everything.
    #[track_caller]
    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Commits everything and pushes the current branch.
    #[track_caller]
    pub fn publish(&self, message: &str) {
        self.commit(message);
        self.git(&["push", "-q", "origin", "HEAD"]);
    }

    /// Writes a file.
    #[track_caller]
    pub fn write(&self, path: &str, text: &str) {
        let full = self.path.join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }

    /// Writes a story's file; gives its path.
    #[track_caller]
    pub fn story(&self, id: &str, title: &str, state: &str, body: &str) -> String {
        let scope = id.rsplit_once('-').unwrap().0;
        let path = format!(
            ".agent/cache/stories/{scope}/{id}-{}.md",
            title.to_lowercase().replace(' ', "-")
        );
        self.write(&path, &story(id, title, state, body));
        path
    }

    /// Reads a file.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path.join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Whether a file exists.
    pub fn has(&self, path: &str) -> bool {
        self.path.join(path).exists()
    }

    /// Replaces a part of a file.
    #[track_caller]
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} has no {old:?}: {text}");
        self.write(path, &text.replacen(old, new, 1));
    }

    /// The command that runs the binary here, with JSON.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command
            .args(args)
            .current_dir(&self.path)
            .env("NOTION_TOKEN", TOKEN)
            .env("NOTION_API_URL", self.lab.sim.url())
            .env("NOTION_PARENT_PAGE_ID", self.lab.sim.parent_page())
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "protocol.file.allow")
            .env("GIT_CONFIG_VALUE_0", "always")
            .envs(&self.env)
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary with a JSON report.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Run {
        let mut all = args.to_vec();
        all.extend(["--format", "json"]);
        let mut command = self.command(&all);
        if !self.env.contains_key("AGENT_SYNC_LOG") {
            // The loudest log: whatever a scenario is about, it shows that no secret is in it.
            command.env("AGENT_SYNC_LOG", "trace");
        }
        let mut run = self.finish(command.output().unwrap());
        run.stderr = without_log(&run.stderr);
        run
    }

    /// Runs the binary with the report for people.
    #[track_caller]
    pub fn human(&self, args: &[&str]) -> Run {
        self.finish(self.command(args).output().unwrap())
    }

    /// Starts the binary without waiting.
    pub fn spawn(&self, args: &[&str]) -> Child {
        let mut all = args.to_vec();
        all.extend(["--format", "json"]);
        self.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Takes a process's output; no secret may be in it, whatever the test is about.
    #[track_caller]
    pub fn finish(&self, output: Output) -> Run {
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(!run.stdout.contains(TOKEN) && !run.stderr.contains(TOKEN), "a secret: {run:?}");
        if std::env::var_os("LAB_TRACE").is_some() {
            let _ = writeln!(std::io::stderr(), "{run:#?}");
        }
        run
    }

    /// init, with success.
    #[track_caller]
    pub fn init(&self) {
        self.run(&["init"]).expect(0);
    }

    /// init and a first sync, with success.
    #[track_caller]
    pub fn run_init_and_sync(&self) {
        self.init();
        self.run(&["sync"]).expect(0);
    }

    /// The state's commit here.
    pub fn state(&self) -> Option<String> {
        let output = scrubbed(Command::new("git"))
            .args(["rev-parse", "-q", "--verify", "refs/agent-sync/state"])
            .current_dir(&self.path)
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Every file under `.agent`, by path.
    pub fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut open = vec![self.path.join(".agent")];
        while let Some(dir) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            for entry in entries.flatten() {
                match entry.path().is_dir() {
                    true => open.push(entry.path()),
                    false => {
                        let path = entry.path();
                        let name =
                            path.strip_prefix(&self.path).unwrap().to_string_lossy().into_owned();
                        files.insert(name, std::fs::read_to_string(&path).unwrap_or_default());
                    }
                }
            }
        }
        files
    }
}
