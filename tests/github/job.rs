//! A job of GitHub Actions: a checkout, an event, and the files that a runner gives to a step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::github::{BOT, GitHub, REPOSITORY, Seen};
use crate::common::image::{self, Owner, give, owners};
use crate::common::{Lab, Run, TOKEN, binary};

/// What runs a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// The binary.
    Binary,
    /// The image, each time in a container of its own, in a workspace of [`OWNER`].
    Image,
}

/// Who has the workspace of an image's step.
pub(crate) const OWNER: Owner = (1001, 1002);

/// A GitHub and a Notion.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) github: GitHub,
    pub(crate) runner: Runner,
}

/// What a step left behind.
pub(crate) struct Step {
    pub(crate) run: Run,
    /// Outputs by name.
    pub(crate) outputs: BTreeMap<String, String>,
    /// The step summary.
    pub(crate) summary: String,
    /// The workspace.
    pub(crate) workspace: PathBuf,
    dir: TempDir,
}

/// Notion at full speed, everything shared.
pub(crate) const CONFIG: &str = "version: 1
preset: agent
backends:
  notion:
    type: notion
    share: [story, plan, adr]
    requests_per_minute: 10000
    settle_seconds: 0
    backoff_ms: 1
";

impl World {
    /// A repository without configuration.
    pub(crate) fn bare() -> Self {
        Self { lab: Lab::new(), github: GitHub::start(), runner: Runner::Binary }
    }

    /// A repository whose default branch holds these files and the configuration.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::with(Runner::Binary, files)
    }

    /// As [`Self::new`], for this runner.
    pub(crate) fn with(runner: Runner, files: &[(&str, &str)]) -> Self {
        let world = Self { runner, ..Self::bare() };
        let mut all = vec![("agent-sync.yml", Some(CONFIG))];
        all.extend(files.iter().map(|(path, text)| (*path, Some(*text))));
        world.github.push("main", &all, "documents");
        world
    }

    /// Runs the binary on a fresh checkout of a commit, as a step of a job does.
    pub(crate) fn step(&self, commit: &str, event: &str, payload: &Value, args: &[&str]) -> Step {
        self.step_with(commit, event, payload, args, &[])
    }

    /// As [`Self::step`], with other variables.
    pub(crate) fn step_with(
        &self,
        commit: &str,
        event: &str,
        payload: &Value,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Step {
        let dir = TempDir::new().unwrap();
        let workspace = dir.path().join("workspace");
        self.github.checkout(commit, &workspace);
        let env = self.env(commit, env);
        let payload = payload.to_string();
        match self.runner {
            Runner::Binary => {
                let run = in_process(dir.path(), &workspace, (event, &payload), args, env);
                let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
                let (outputs, summary) = (outputs(&read("output")), read("summary"));
                Step { run, outputs, summary, workspace, dir }
            }
            Runner::Image => in_container(dir, workspace, (event, &payload), args, env),
        }
    }

    /// What the runner says of a job, and these variables over that.
    fn env<'e>(&self, commit: &str, env: &[(&'e str, &str)]) -> Env<'e> {
        let mut given = Env::from([
            ("NOTION_API_URL", self.lab.sim.url()),
            ("NOTION_PARENT_PAGE_ID", self.lab.sim.parent_page()),
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_REPOSITORY", REPOSITORY.to_owned()),
            ("GITHUB_API_URL", self.github.url().to_owned()),
            ("GITHUB_GRAPHQL_URL", format!("{}/graphql", self.github.url())),
            ("GITHUB_SERVER_URL", "https://github.example".to_owned()),
            ("GITHUB_RUN_ID", "4711".to_owned()),
            ("GITHUB_ACTOR", "ada".to_owned()),
            ("GITHUB_SHA", commit.to_owned()),
        ]);
        given.extend(env.iter().map(|(name, value)| (*name, (*value).to_owned())));
        given
    }

    /// A checkout in which the binary runs many times; for runs that leave it as it is.
    pub(crate) fn on(&self, commit: &str) -> Job<'_> {
        let dir = TempDir::new().unwrap();
        self.github.checkout(commit, &dir.path().join("workspace"));
        Job { world: self, dir, commit: commit.to_owned() }
    }

    /// Runs something; at the first request that `when` picks, before it is done, `then` happens.
    pub(crate) fn meanwhile<T>(
        &self,
        when: impl Fn(&Seen) -> bool + Send + 'static,
        then: impl FnOnce() + Send,
        run: impl FnOnce() -> T,
    ) -> T {
        let (ask, asked): (Sender<()>, Receiver<()>) = channel();
        let (tell, told): (Sender<()>, Receiver<()>) = channel();
        let mut once = Some((ask, told));
        self.github.rule(move |seen| {
            if when(seen)
                && let Some((ask, told)) = once.take()
            {
                ask.send(()).unwrap();
                told.recv().unwrap();
            }
            None
        });
        std::thread::scope(|scope| {
            let other = scope.spawn(move || {
                asked.recv().expect("the request was never made");
                then();
                tell.send(()).unwrap();
            });
            let done = run();
            // Ends the other thread, had it not been asked.
            self.github.no_rule();
            other.join().unwrap();
            done
        })
    }

    /// A sync of the default branch as a push starts it.
    pub(crate) fn pushed(&self, args: &[&str]) -> Step {
        self.pushed_with(args, &[])
    }

    /// As [`Self::pushed`], with other variables.
    pub(crate) fn pushed_with(&self, args: &[&str], env: &[(&str, &str)]) -> Step {
        let head = self.github.head("main");
        let payload = json!({
            "ref": "refs/heads/main",
            "after": head,
            "repository": repository(),
        });
        let refs = [("GITHUB_REF", "refs/heads/main"), ("GITHUB_REF_NAME", "main")];
        let env: Vec<(&str, &str)> = refs.iter().chain(env).copied().collect();
        self.step_with(&head, "push", &payload, args, &env)
    }
}

/// A checkout in which the binary runs many times.
pub(crate) struct Job<'w> {
    world: &'w World,
    dir: TempDir,
    commit: String,
}

impl Job<'_> {
    /// Runs the binary for an event.
    pub(crate) fn run(&self, event: &str, payload: &str, args: &[&str]) -> Run {
        let env = self.world.env(&self.commit, &[]);
        let workspace = self.dir.path().join("workspace");
        in_process(self.dir.path(), &workspace, (event, payload), args, env)
    }
}

/// Variables of a step.
type Env<'e> = BTreeMap<&'e str, String>;

/// Runs the binary on a workspace, for an event and its payload.
fn in_process(
    dir: &Path,
    workspace: &Path,
    (event, payload): (&str, &str),
    args: &[&str],
    mut env: Env<'_>,
) -> Run {
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for (name, value) in [
        ("GITHUB_EVENT_NAME", event.to_owned()),
        ("GITHUB_EVENT_PATH", file("event", payload)),
        ("GITHUB_OUTPUT", file("output", "")),
        ("GITHUB_STEP_SUMMARY", file("summary", "")),
        ("RUNNER_TEMP", dir.to_str().unwrap().to_owned()),
        ("PATH", String::new()),
        ("NOTION_TOKEN", TOKEN.to_owned()),
        ("GITHUB_TOKEN", BOT.to_owned()),
    ] {
        env.entry(name).or_insert(value);
    }
    run_of(binary().current_dir(workspace).args(args).envs(env).output().unwrap())
}

/// Runs the image on a workspace that belongs to the runner's user; all in it must still be theirs afterwards. The
/// tokens are inputs, as workflows give them.
fn in_container(
    dir: TempDir,
    workspace: PathBuf,
    (event, payload): (&str, &str),
    args: &[&str],
    env: Env<'_>,
) -> Step {
    give(&workspace, OWNER);
    let mut step = image::Step::new(&workspace)
        .event(event, payload)
        .input("notion-token", TOKEN)
        .input("github-token", BOT);
    for (name, value) in env {
        step = step.env(name, &value);
    }
    let run = run_of(step.run(args));
    let foreign: Vec<_> =
        owners(&workspace).into_iter().filter(|(_, owner)| *owner != OWNER).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    let (outputs, summary) = (outputs(&step.written("set_output")), step.written("step_summary"));
    Step { run, outputs, summary, workspace, dir }
}

/// What a process said, as the log shows it: the runner takes the lines that tell it what to hide. No secret may be
/// in the rest.
fn run_of(output: Output) -> Run {
    let shown = |bytes: Vec<u8>| -> String {
        let text = String::from_utf8(bytes).unwrap();
        text.split_inclusive('\n').filter(|line| !line.starts_with("::add-mask::")).collect()
    };
    let run = Run {
        code: output.status.code().unwrap_or(-1),
        stdout: shown(output.stdout),
        stderr: shown(output.stderr),
    };
    for secret in [TOKEN, BOT] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{run:?}");
    }
    run
}

/// The repository as payloads hold it.
pub(crate) fn repository() -> Value {
    json!({"full_name": REPOSITORY, "default_branch": "main", "private": false})
}

/// Reads the file of a step's outputs as the runner does (FileCommandManager.cs): `name=value`, or
/// `name<<delimiter`, lines, delimiter.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let equals = line.find('=').unwrap_or(usize::MAX);
        match line.find("<<").filter(|heredoc| *heredoc < equals) {
            Some(at) => {
                let (name, delimiter) = (&line[..at], &line[at + 2..]);
                let value: Vec<&str> =
                    lines.by_ref().take_while(|line| *line != delimiter).collect();
                outputs.insert(name.to_owned(), value.join("\n"));
            }
            None => {
                let (name, value) = line.split_once('=').unwrap();
                outputs.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    outputs
}

impl Step {
    /// Fails unless it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.run.code, code, "{:?}", self.run);
        self
    }

    /// A file of the workspace.
    #[track_caller]
    pub(crate) fn file(&self, path: &str) -> String {
        std::fs::read_to_string(Path::new(&self.workspace).join(path)).unwrap()
    }

    /// Everything below the job's folder but the workspace: what the runner put there, and what the step left.
    pub(crate) fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "workspace").collect();
        names.sort();
        names
    }
}
