//! The action's inputs and what a job gets to see: table, `action.yml`, log, summary, outputs, and no secret.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use agent_sync::inputs::{INPUTS, table};
use agent_sync::report::Report;
use agent_sync::report::github::{Known, outputs};
use common::{Lab, Repo, TOKEN};
use serde_json::Value;

/// Only for runs that end before their first request.
const GITHUB_TOKEN: &str = "ghs_secret_4711";
const BODY: &str = "## Problem\n\nThe first paragraph.\n\nThe second paragraph.\n";

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_readme_has_the_table_of_inputs() {
    let lab = Lab::new();
    let printed = lab.repo("repo").human(&["config", "inputs"]).expect(0).stdout;
    assert_eq!(printed, table());
    let readme = file("README.md");
    let between = readme.split_once("<!-- inputs: `agent-sync config inputs` -->\n").unwrap().1;
    assert_eq!(between.split_once("<!-- /inputs -->").unwrap().0, printed);
}

#[test]
fn the_action_has_these_inputs_and_outputs() {
    let action: Value = serde_yaml::from_str(&file("action.yml")).unwrap();
    let names =
        |of: &str| -> Vec<String> { action[of].as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names("inputs"), INPUTS.map(|one| one.name));
    for one in INPUTS {
        let input = &action["inputs"][one.name];
        assert_eq!(input["description"], one.about);
        // Empty is "not given".
        assert!(input.get("default").is_none() && input["required"] == false, "{input}");
    }
    let report = Report::new("sync", false);
    let mut ours: Vec<&str> =
        outputs(&report, Known::default()).0.into_iter().map(|(name, _)| name).collect();
    let mut theirs = names("outputs");
    ours.sort_unstable();
    theirs.sort();
    assert_eq!(theirs, ours);
    for name in theirs {
        assert!(action["outputs"][&name]["description"].is_string(), "{name}");
    }
}

/// A step of a job: the environment of a runner and its files.
struct Step<'a> {
    repo: Repo<'a>,
    files: tempfile::TempDir,
}

impl<'a> Step<'a> {
    fn new(mut repo: Repo<'a>) -> Self {
        let files = tempfile::tempdir().unwrap();
        repo.in_ci();
        let at = |name: &str| files.path().join(name).display().to_string();
        let workspace = repo.path.display().to_string();
        repo.env.extend(
            [
                ("GITHUB_OUTPUT", at("output")),
                ("GITHUB_STEP_SUMMARY", at("summary")),
                ("RUNNER_TEMP", at("")),
                ("GITHUB_WORKSPACE", workspace),
                ("GITHUB_REPOSITORY", "org/repo".to_owned()),
                ("GITHUB_RUN_ID", "7".to_owned()),
                ("GITHUB_SHA", "0123abc".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Self { repo, files }
    }

    fn input(&mut self, name: &str, value: &str) {
        self.repo.env.insert(format!("INPUT_{name}"), value.to_owned());
    }

    /// Runs as the container is run: without arguments. The token comes as an input.
    #[track_caller]
    fn run(&mut self, args: &[&str], code: i32) -> (String, String) {
        self.input("NOTION-TOKEN", TOKEN);
        let mut command = self.repo.command(args);
        command.env_remove("NOTION_TOKEN");
        let Output { status, stdout, stderr } = command.output().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(status.code(), Some(code), "{stdout}\n{stderr}");
        let mut masks = format!("::add-mask::{TOKEN}\n");
        if self.repo.env.contains_key("INPUT_GITHUB-TOKEN") {
            masks += &format!("::add-mask::{GITHUB_TOKEN}\n");
        }
        let stderr = stderr.strip_prefix(&masks).unwrap_or_else(|| panic!("{stderr}")).to_owned();
        let mut all = stdout.clone() + &stderr;
        for entry in std::fs::read_dir(self.files.path()).unwrap() {
            all += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
        }
        for secret in [TOKEN, GITHUB_TOKEN] {
            assert!(!all.contains(secret), "{all}");
        }
        (stdout, stderr)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.files.path().join(name)).unwrap_or_default()
    }

    /// The outputs as the runner reads them.
    fn outputs(&self) -> BTreeMap<String, String> {
        let text = self.read("output");
        let mut lines = text.lines();
        let mut outputs = BTreeMap::new();
        while let Some((name, end)) = lines.next().and_then(|line| line.split_once("<<")) {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            outputs.insert(name.to_owned(), value.join("\n"));
        }
        outputs
    }
}

#[test]
fn a_job_sees_conflicts_at_their_lines_in_the_summary_and_in_outputs() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    repo.replace(&path, "The first paragraph.", "The first ##[error]paragraph, from Git.");
    lab.edit("Stories", "INFRA-1", "first paragraph", "The first paragraph, from Notion.");
    lab.minutes(2);

    let mut step = Step::new(repo);
    step.input("COMMAND", "check");
    step.repo.env.insert("AGENT_SYNC_LOG".to_owned(), "trace".to_owned());
    let (stdout, stderr) = step.run(&[], 1);
    assert!(stdout.starts_with("::group::agent-sync check\n"), "{stdout}");
    let annotation =
        format!("::error file={path},line=9,title=conflict%3A story INFRA-1::Notion and");
    assert_eq!(stdout.matches(&annotation).count(), 1, "{stdout}");
    assert!(!(stdout.clone() + &stderr).contains("##["), "{stdout}\n{stderr}");
    let outputs = step.outputs();
    assert_eq!((outputs["outcome"].as_str(), outputs["conflicts"].as_str()), ("conflicts", "1"));
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(&outputs["report"]).unwrap()).unwrap();
    assert_eq!(report["conflicts"][0]["id"], "INFRA-1");
    let summary = step.read("summary");
    assert!(summary.contains("## agent-sync check: conflicts\n"), "{summary}");
    assert!(summary.contains("https://github.com/org/repo/blob/0123abc/.agent/"), "{summary}");

    // Two parts of one step: the summary of the first stays.
    step.input("COMMAND", "sync");
    step.input("FORCE", "remote");
    let (stdout, _) = step.run(&[], 0);
    assert!(!stdout.contains("::error"), "{stdout}");
    assert!(step.read("summary").starts_with(&summary));
    let outputs = step.outputs();
    assert_eq!(outputs["outcome"], "synced");
    assert_eq!(outputs["changed-files"], format!("[\"{path}\"]"));
    assert!(!outputs["state-commit"].is_empty());
}

#[test]
fn the_action_without_a_command_is_auto() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    let mut step = Step::new(repo);
    let (stdout, stderr) = step.run(&[], 0);
    assert_eq!((step.outputs()["outcome"].as_str(), stderr.as_str()), ("clean", ""), "{stdout}");
    assert_eq!(lab.writes(), 0);
    // Options alone leave the command to the input.
    step.input("COMMAND", "status");
    let (stdout, _) = step.run(&["--quiet"], 0);
    assert_eq!(stdout, "");
    // Another form asked for is that form alone.
    let (stdout, stderr) = step.run(&["auto", "--format", "json"], 0);
    assert!(serde_json::from_str::<Value>(&stdout).is_ok() && stderr.is_empty());
}

#[test]
fn an_event_that_syncs_ends_as_a_sync() {
    let lab = Lab::new();
    let repo = lab.remote();
    repo.init();
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.publish("a story");
    let mut step = Step::new(repo);
    let event = step.files.path().join("event.json");
    std::fs::write(&event, r#"{"ref":"refs/heads/main","repository":{"default_branch":"main"}}"#)
        .unwrap();
    step.repo.env.insert("GITHUB_EVENT_NAME".to_owned(), "push".to_owned());
    step.repo.env.insert("GITHUB_EVENT_PATH".to_owned(), event.display().to_string());
    step.run(&[], 0);
    let outputs = step.outputs();
    assert_eq!((outputs["outcome"].as_str(), outputs["created"].as_str()), ("synced", "1"));
    step.run(&[], 0);
    assert_eq!(step.outputs()["outcome"], "clean");
}

#[test]
fn what_is_wrong_with_inputs_and_arguments_is_an_annotation_and_an_output() {
    let lab = Lab::new();
    let mut step = Step::new(lab.repo("repo"));
    step.input("COMMAND", "sync");
    step.input("DRY-RUN", "yes");
    step.input("GITHUB-TOKEN", GITHUB_TOKEN);
    let (stdout, _) = step.run(&[], 2);
    let says = "::error title=agent-sync%3A usage::The input `dry-run` is `yes`. It is `true` or `false`.\n";
    assert!(stdout.ends_with(says), "{stdout}");
    assert_eq!(step.outputs()["outcome"], "usage");
    let (stdout, stderr) = step.run(&["::error::x", "##[error]y"], 2);
    assert!(stdout.contains("::error title=agent-sync%3A usage::"), "{stdout}");
    assert!(!(stdout + &stderr).contains("##["), "{stderr}");
    step.input("COMMAND", "restore");
    let (stdout, _) = step.run(&[], 2);
    assert!(stdout.contains("the other commands need arguments and a shell."), "{stdout}");
    assert_eq!(lab.count(), 0);
}

#[test]
fn places_are_relative_to_the_workspace() {
    let lab = Lab::new();
    let repo = lab.repo("checked/out");
    repo.write("agent-sync.yml", "version: 1\nbackens: {}\n");
    let mut step = Step::new(repo);
    let workspace = lab.dir.path().display().to_string();
    step.repo.env.insert("GITHUB_WORKSPACE".to_owned(), workspace);
    let (stdout, _) = step.run(&["status"], 2);
    let says = "::error file=checked/out/agent-sync.yml,line=2,title=agent-sync%3A usage::Unknown key `backens`.";
    assert!(stdout.contains(says), "{stdout}");
}
