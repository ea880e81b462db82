//! A job of GitHub Actions: a checkout, an event, and the files that a runner gives to a step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::github::{BOT, GitHub, REPOSITORY};
use crate::common::{Lab, Run, TOKEN, binary};

/// A GitHub and a Notion.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) github: GitHub,
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
    _dir: TempDir,
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
        Self { lab: Lab::new(), github: GitHub::start() }
    }

    /// A repository whose default branch holds these files and the configuration.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let world = Self::bare();
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
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let files = [
            ("GITHUB_EVENT_PATH", file("event.json", &payload.to_string())),
            ("GITHUB_OUTPUT", file("output", "")),
            ("GITHUB_STEP_SUMMARY", file("summary", "")),
            ("RUNNER_TEMP", dir.path().to_str().unwrap().to_owned()),
        ];
        let mut command = binary();
        command
            .current_dir(&workspace)
            .args(args)
            .env("PATH", "")
            .env("NOTION_TOKEN", TOKEN)
            .env("NOTION_API_URL", self.lab.sim.url())
            .env("NOTION_PARENT_PAGE_ID", self.lab.sim.parent_page())
            .env("CI", "true")
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_REPOSITORY", REPOSITORY)
            .env("GITHUB_API_URL", self.github.url())
            .env("GITHUB_GRAPHQL_URL", format!("{}/graphql", self.github.url()))
            .env("GITHUB_SERVER_URL", "https://github.example")
            .env("GITHUB_TOKEN", BOT)
            .env("GITHUB_RUN_ID", "4711")
            .env("GITHUB_ACTOR", "ada")
            .env("GITHUB_SHA", commit)
            .env("GITHUB_EVENT_NAME", event);
        for (name, value) in files {
            command.env(name, value);
        }
        for (name, value) in env {
            command.env(name, value);
        }
        let output = command.output().unwrap();
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for secret in [TOKEN, BOT] {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{run:?}");
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let (outputs, summary) = (outputs(&read("output")), read("summary"));
        Step { run, outputs, summary, workspace, _dir: dir }
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
}
