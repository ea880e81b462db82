//! What people and programs read: the report in its forms, help, the schema, the progress line, and no secret.
//!
//! `INSTA_UPDATE=always cargo test --test text` writes the snapshots, docs/cli.md and docs/agent-sync.schema.json
//! anew; the difference is then for a person to judge.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use agent_sync::backend::Requests;
use agent_sync::engine::{Action, RunError};
use agent_sync::report::{ArtifactReport, BackendReport, Report, Sides, human};
use agent_sync_core::model::{Finding, Key, Severity};
use common::{Lab, Repo, TOKEN};
use regex::Regex;
use serde_json::Value;

const BODY: &str = "## Problem\n\nThe first paragraph.\n\nThe second paragraph.\n";

/// The report with everything that differs from run to run replaced.
fn stable(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, stands_for) in [
        (r"\d+\.\d s\.", "T s."),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
        (r"\b[0-9a-f]{32}\b", "<id>"),
        (r"\b[0-9a-f]{40}\b", "<commit>"),
        (r"\d{8}T\d{9}Z-\d+", "<run>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
        (r"\((?:[0-9a-f]{8,64})\)", "(<fingerprint>)"),
        (r"/tmp/[^ :]+/", "<dir>/"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, stands_for).into_owned();
    }
    text
}

/// The human report of one command.
#[track_caller]
fn report(repo: &Repo<'_>, args: &[&str], code: i32) -> String {
    let run = repo.human(args).expect(code);
    assert_eq!(run.stdout, "", "only JSON goes to stdout");
    stable(&run.stderr)
}

/// Compares with a committed file; writes it where snapshots are to be written.
#[track_caller]
fn committed(path: &str, text: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        std::fs::write(&full, text).unwrap();
    }
    let there = std::fs::read_to_string(&full).unwrap_or_default();
    assert!(
        there == text,
        "{path} is not up to date; run `INSTA_UPDATE=always cargo test --test text`"
    );
}

fn settled(lab: &Lab) -> (Repo<'_>, String) {
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "TO_DO", BODY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    (repo, path)
}

#[test]
fn a_first_time() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "TO_DO", BODY);
    insta::assert_snapshot!("not_initialised", report(&repo, &["check"], 0));
    insta::assert_snapshot!("init", report(&repo, &["init"], 0));
    insta::assert_snapshot!("first_sync_planned", report(&repo, &["sync", "--dry-run"], 0));
    insta::assert_snapshot!("first_sync", report(&repo, &["sync"], 0));
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    insta::assert_snapshot!("clean", report(&repo, &["sync"], 0));
    insta::assert_snapshot!("clean_verbose", report(&repo, &["sync", "-v"], 0));
    insta::assert_snapshot!("log", report(&repo, &["log"], 0));
    assert_eq!(report(&repo, &["sync", "--quiet"], 0), "");
}

#[test]
fn a_conflict() {
    let lab = Lab::new();
    let (repo, path) = settled(&lab);
    repo.replace(&path, "The first paragraph.", "The first paragraph, from Git.");
    lab.edit("Stories", "INFRA-1", "first paragraph", "The first paragraph, from Notion.");
    let page = lab.page("Stories", "INFRA-2");
    lab.sim.workspace().set_property(&page, "Status", "REVIEW").unwrap();
    repo.replace(".agent/cache/stories/INFRA/INFRA-2-second.md", "TO_DO", "DONE");
    lab.minutes(2);
    insta::assert_snapshot!("status_with_conflicts", report(&repo, &["status"], 1));
    insta::assert_snapshot!("diff", report(&repo, &["diff"], 1));
    insta::assert_snapshot!("conflict", report(&repo, &["sync"], 1));
    insta::assert_snapshot!("forced", report(&repo, &["sync", "--force=local"], 0));
}

#[test]
fn findings() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "ICEBOX", BODY);
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    repo.story("INFRA-2", "Copy", "DRAFT", BODY);
    repo.write(".agent/cache/stories/INFRA/notes.md", "# Notes\n");
    repo.init();
    insta::assert_snapshot!("findings", report(&repo, &["sync"], 0));
    insta::assert_snapshot!("check_findings", report(&repo, &["check", "--fail-on", "finding"], 1));
}

#[test]
fn guarded_and_refused() {
    let lab = Lab::new();
    let (mut repo, _) = settled(&lab);
    for n in 1..=2 {
        let page = lab.page("Stories", &format!("INFRA-{n}"));
        lab.sim.workspace().trash(&page).unwrap();
    }
    lab.minutes(2);
    insta::assert_snapshot!("guarded", report(&repo, &["sync"], 5));
    repo.env.insert("NOTION_TOKEN".into(), "ntn_wrong".into());
    insta::assert_snapshot!("refused", report(&repo, &["sync"], 3));
    insta::assert_snapshot!("usage", report(&repo, &["sync", "--kind", "epic"], 2));
    repo.write("agent-sync.yml", "version: 1\npreset: agent\nbackens: {}\nlimts: {}\n");
    insta::assert_snapshot!("bad_configuration", report(&repo, &["sync"], 2));
}

/// A report as of a first sync of a large repository, with something of everything.
fn large() -> Report {
    let mut report = Report::new("sync", false);
    for n in 0..400 {
        let (action, sides) = match n % 4 {
            0 => ("pull", Sides { local: Action::Edit, remote: Action::None }),
            1 => ("push", Sides { local: Action::None, remote: Action::Edit }),
            2 => ("create-page", Sides { local: Action::None, remote: Action::Create }),
            _ => ("merge", Sides { local: Action::Edit, remote: Action::Edit }),
        };
        report.artifacts.push(ArtifactReport {
            backend: "notion".into(),
            kind: "story".into(),
            id: format!("INFRA-{n:03}"),
            path: Some(format!(".agent/cache/stories/INFRA/INFRA-{n:03}-story.md")),
            url: None,
            action: action.into(),
            reason: "changed in the repository: body".into(),
            editor: None,
            from: None,
            sides,
        });
    }
    for n in 0..60 {
        report.findings.push(Finding {
            rule: "unknown-option".into(),
            severity: Severity::Warning,
            key: Some(Key::new("story", format!("INFRA-{n:03}"))),
            path: Some(format!(".agent/cache/stories/INFRA/INFRA-{n:03}-story.md")),
            line: Some(5),
            url: None,
            message: "Status \"ICEBOX\" is none of the configured options.".into(),
            fix: "Use one of DRAFT, TO_DO.".into(),
            about: None,
        });
    }
    report.unchanged = 1200;
    report.duration_ms = 61_234;
    let mut requests = Requests::default();
    requests.by_endpoint.insert("PATCH /v1/pages/{id}/markdown".into(), 300);
    requests.by_endpoint.insert("POST /v1/data_sources/{id}/query".into(), 20);
    report.backends.push(BackendReport::new("notion", "Notion", requests));
    report.settle();
    report
}

#[test]
fn four_hundred_artifacts_fit_on_a_screen_or_two() {
    let report = large();
    let text = human(&report, false);
    insta::assert_snapshot!("four_hundred", text);
    assert!(text.lines().count() < 150, "{} lines", text.lines().count());
    let verbose = human(&report, true);
    assert!((0..400).all(|n| verbose.contains(&format!("story/INFRA-{n:03}"))));
    assert_eq!(verbose.matches("unknown-option").count(), 60);
}

#[test]
fn an_error_ends_the_report_with_what_to_do() {
    let error = RunError::Unavailable("Notion cannot be reached. Run it again later.".into());
    insta::assert_snapshot!("unavailable", human(&Report::failed("sync", error), false));
}

#[test]
fn help_of_every_command_is_committed() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let help = |args: &[&str]| {
        let mut command = repo.command(args);
        // Without a terminal the width is that of a page.
        command.env_remove("COLUMNS");
        let run = repo.finish(command.output().unwrap()).expect(0);
        run.stdout.lines().map(str::trim_end).fold(String::new(), |text, line| text + line + "\n")
    };
    let main = help(&["--help"]);
    let commands = main.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for name in [
        "init", "status", "diff", "pull", "push", "sync", "check", "janitor", "resolve", "log",
        "restore", "relabel", "config", "auto",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let mut page = "# Command line\n\nWhat `--help` says, kept by `tests/text.rs`.\n".to_owned();
    let mut add = |title: &str, text: &str| {
        let _ = write!(page, "\n## {title}\n\n```text\n{}\n```\n", text.trim_end());
    };
    add("agent-sync", &main);
    for name in names {
        add(&format!("agent-sync {name}"), &help(&[name, "--help"]));
    }
    committed("docs/cli.md", &page);
}

#[test]
fn the_schema_of_the_configuration_is_committed() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let run = repo.human(&["config", "schema"]).expect(0);
    assert_eq!(run.stderr, "");
    let schema: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(schema["properties"]["kinds"].is_object());
    committed("docs/agent-sync.schema.json", &run.stdout);
}

/// The fields that other programs rely on (the interface's "JSON report").
#[test]
fn the_json_report_has_its_promised_shape() {
    let lab = Lab::new();
    let (repo, path) = settled(&lab);
    repo.replace(&path, "The first paragraph.", "The first paragraph, from Git.");
    lab.edit("Stories", "INFRA-1", "first paragraph", "The first paragraph, from Notion.");
    repo.replace(".agent/cache/stories/INFRA/INFRA-2-second.md", "TO_DO", "ICEBOX");
    repo.replace(".agent/cache/stories/INFRA/INFRA-2-second.md", "The second", "The other");
    lab.minutes(2);
    let report = repo.run(&["sync"]).expect(1).json();
    let keys = |value: &Value| -> Vec<String> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    let has = |value: &Value, names: &[&str]| {
        let there = keys(value);
        for name in names {
            assert!(there.iter().any(|key| key == name), "{name}: {value:#}");
        }
    };
    has(
        &report,
        &[
            "version",
            "outcome",
            "backends",
            "artifacts",
            "conflicts",
            "findings",
            "requests",
            "duration_ms",
        ],
    );
    assert_eq!(
        (report["version"].as_u64(), report["outcome"].as_str()),
        (Some(1), Some("conflicts"))
    );
    assert_eq!(report["backends"][0]["name"], "notion");
    has(&report["requests"], &["by_endpoint", "retries", "waited_ms"]);
    let sum = |value: &Value| {
        value["by_endpoint"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>()
    };
    assert!(sum(&report["requests"]) > 0);
    assert_eq!(report["artifacts"].as_array().unwrap().len(), 2);
    for artifact in report["artifacts"].as_array().unwrap() {
        has(artifact, &["kind", "id", "path", "url", "action", "reason"]);
        assert!(artifact["url"].as_str().unwrap().starts_with("https://"), "{artifact:#}");
    }
    let conflict = &report["conflicts"][0];
    has(
        conflict,
        &[
            "fingerprint",
            "kind",
            "id",
            "path",
            "line",
            "property",
            "block",
            "base",
            "local",
            "remote",
            "url",
        ],
    );
    assert_eq!(conflict["path"], path.as_str());
    let line = conflict["line"].as_u64().unwrap() as usize;
    assert_eq!(repo.read(&path).lines().nth(line - 1), Some("The first paragraph, from Git."));
    let text = |side: &str| conflict[side].as_str().unwrap_or_default().to_owned();
    assert!(text("base").contains("The first paragraph.") && text("local").contains("from Git"));
    assert!(text("remote").contains("from Notion"));
    let finding = &report["findings"][0];
    has(finding, &["rule", "severity", "path", "line", "message", "fix", "kind", "id"]);
    assert_eq!(
        (finding["kind"].as_str(), finding["id"].as_str()),
        (Some("story"), Some("INFRA-2"))
    );
    assert_eq!(finding["severity"], "warning");
    // A failed run reports in the same form.
    let failed = repo.run(&["sync", "--kind", "epic"]).expect(2).json();
    assert_eq!(keys(&failed), keys(&report));
}

#[test]
fn json_goes_to_stdout_alone() {
    let lab = Lab::new();
    let (repo, _) = settled(&lab);
    for args in [
        &["sync"][..],
        &["status"],
        &["diff"],
        &["check"],
        &["log"],
        &["init"],
        &["sync", "--kind", "epic"],
    ] {
        let mut all = args.to_vec();
        all.extend(["--format", "json"]);
        let output = repo.command(&all).output().unwrap();
        let run = repo.finish(output);
        assert!(run.stdout.ends_with("}\n") && run.json().is_object(), "{run:?}");
        assert_eq!(run.stderr, "", "{args:?}");
    }
    // Even for arguments that clap itself refuses, stdout is no mixture.
    let run = repo.run(&["nonsense"]).expect(2);
    assert_eq!(run.stdout, "");
}

#[test]
fn rule_14_two_clean_runs_print_the_same() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "ICEBOX", BODY);
    repo.write(".agent/cache/stories/INFRA/notes.md", "# Notes\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let first = report(&repo, &["sync"], 0);
    let second = report(&repo, &["sync"], 0);
    assert_eq!(first, second);
}

/// What a terminal would get of a command.
fn on_a_terminal(repo: &Repo<'_>, args: &[&str]) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let slave = std::fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut command = repo.command(args);
    command.stdout(Stdio::piped()).stderr(slave);
    let mut child = command.spawn().unwrap();
    // The command holds the other end; only its child's end of it may stay open, or reading never ends.
    drop(command);
    let mut master = std::fs::File::from(master);
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    // Linux ends a terminal whose other side is closed with an error.
    while let Ok(read @ 1..) = std::io::Read::read(&mut master, &mut buffer) {
        seen.extend_from_slice(&buffer[..read]);
    }
    assert!(child.wait().unwrap().code().is_some());
    let text = String::from_utf8(seen).unwrap();
    assert!(!text.contains(TOKEN));
    text
}

#[test]
fn long_work_shows_its_progress_on_a_terminal_only() {
    let lab = Lab::with(|options| options.latency = Duration::from_millis(150));
    let repo = lab.repo("repo");
    repo.init();
    for n in 1..=40 {
        repo.story(&format!("INFRA-{n}"), "Story", "DRAFT", BODY);
    }
    let quiet = on_a_terminal(&repo, &["status", "--quiet"]);
    assert!(!quiet.contains('\u{1b}'), "{quiet:?}");
    let seen = on_a_terminal(&repo, &["sync"]);
    assert!(
        seen.contains("\r\u{1b}[2Kwriting pages ") && seen.contains("writing pages 40/40"),
        "{seen:?}"
    );
    // The line is gone before the report begins, and the report is whole.
    let report = seen.rsplit("\u{1b}[2K").next().unwrap();
    assert!(
        report.starts_with("40 pages created") && report.contains("synced: 40 created"),
        "{report:?}"
    );
    lab.minutes(2);
    assert!(!on_a_terminal(&repo, &["status", "--format", "json"]).contains('\u{1b}'));
    // No terminal, no progress.
    let run = repo.human(&["sync"]).expect(0);
    assert!(
        !run.stderr.contains('\u{1b}') && !run.stderr.contains("reading pages"),
        "{}",
        run.stderr
    );
}

/// Tokens and passwords appear nowhere, at the loudest level of the log, whatever goes wrong.
#[test]
fn no_secret_in_any_output_at_any_level() {
    const PASSWORD: &str = "gh_password_8311";
    let lab = Lab::new();
    let mut repo = lab.remote();
    repo.env.insert("AGENT_SYNC_LOG".into(), "trace".into());
    repo.env.insert("GITHUB_TOKEN".into(), PASSWORD.into());
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.commit("story");
    repo.init();
    let look = |repo: &Repo<'_>, args: &[&str]| {
        for run in [repo.run(args), repo.human(args)] {
            assert!(
                !run.stdout.contains(PASSWORD) && !run.stderr.contains(PASSWORD),
                "{args:?}: {run:?}"
            );
        }
        let human = repo.human(args);
        assert!(
            human.stderr.contains("TRACE") || human.stderr.contains("DEBUG"),
            "the log is on: {human:?}"
        );
    };
    look(&repo, &["sync", "-v"]);
    look(&repo, &["log"]);
    // A remote whose address holds credentials, and that refuses.
    let address = format!("http://user:{PASSWORD}@127.0.0.1:9/repo.git");
    repo.git(&["remote", "set-url", "origin", &address]);
    for args in [&["sync", "-v"][..], &["check"], &["init"], &["log"], &["status"]] {
        look(&repo, args);
        assert_ne!(repo.run(args).code, 0, "{args:?}");
    }
    // Notion refuses, and cannot be reached through a proxy with credentials.
    let clone = lab.repo("other");
    let mut other = clone;
    other.env.insert("AGENT_SYNC_LOG".into(), "trace".into());
    other.env.insert("NOTION_TOKEN".into(), format!("ntn_{PASSWORD}"));
    look(&other, &["sync"]);
    other.env.insert("NOTION_API_URL".into(), format!("http://user:{PASSWORD}@127.0.0.1:9"));
    look(&other, &["status"]);
    other.env.insert("NOTION_API_URL".into(), "http://notion.invalid".into());
    other.env.insert("HTTP_PROXY".into(), format!("http://user:{PASSWORD}@127.0.0.1:9"));
    look(&other, &["status"]);
}
