//! The state: its ref, its format, its log, what it keeps, and the listings that its cursors allow (§7, rules 6, 10, 14).
#![allow(clippy::unwrap_used, reason = "the helpers of tests fail like the tests themselves")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Lab, Repo};
use serde_json::{Value, json};

const BODY: &str = "The first paragraph.\n\nThe second paragraph.\n";
const REF: &str = "refs/agent-sync/state";

fn synced(lab: &Lab) -> (Repo<'_>, String) {
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    repo.settle();
    (repo, path)
}

/// The state's files, by path.
fn tree(repo: &Repo<'_>) -> BTreeMap<String, String> {
    let names = repo.git(&["ls-tree", "-r", "--name-only", REF]);
    let file = |name: &str| (name.to_owned(), repo.git(&["show", &format!("{REF}:{name}")]));
    names.lines().map(file).collect()
}

fn index(repo: &Repo<'_>) -> Vec<Value> {
    let text = tree(repo).remove("index.jsonl").unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Commits these files on top of the state, as another version of the program would.
fn plant(repo: &Repo<'_>, files: &[(&str, &str)]) {
    let scratch = repo.path.join(".git/planted-index");
    let git = |args: &[&str]| {
        let mut all = vec!["-c", "core.bare=false"];
        all.extend(args);
        repo.git_with(&all, &[("GIT_INDEX_FILE", scratch.to_str().unwrap())])
    };
    git(&["read-tree", REF]);
    for (path, text) in files {
        let file = repo.path.join(".git/planted");
        std::fs::write(&file, text).unwrap();
        let blob = git(&["hash-object", "-w", file.to_str().unwrap()]);
        git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")]);
    }
    let tree = git(&["write-tree"]);
    let commit = git(&["commit-tree", &tree, "-p", REF, "-m", "planted"]);
    repo.git(&["update-ref", REF, &commit]);
}

fn runs(repo: &Repo<'_>, args: &[&str]) -> Vec<Value> {
    repo.run(args).expect(0).json()["log"].as_array().cloned().unwrap_or_default()
}

#[test]
fn another_ref_is_another_state() {
    let lab = Lab::new();
    let repo = lab.remote();
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.publish("a story");
    let other = ["--state-ref", "refs/agent-sync/other"];
    repo.run(&["init", other[0], other[1]]).expect(0);
    repo.run(&["sync", other[0], other[1]]).expect(0);
    assert_eq!(repo.state(), None);
    let refs = repo.git(&["ls-remote", "origin", "refs/agent-sync/*"]);
    assert!(
        refs.contains("refs/agent-sync/other\n") && !refs.contains("refs/agent-sync/state"),
        "{refs}"
    );
    // Under the usual ref nothing is known, and equal is adopted (rule 5).
    lab.minutes(2);
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.writes(), 0);
    assert!(repo.state().is_some());
    let run = repo.run(&["sync", "--state-ref", "refs/heads/../main"]).expect(2);
    assert!(run.stdout.contains("cannot be the name of a ref"), "{run:?}");
}

#[test]
fn a_newer_format_is_refused_with_its_remedy() {
    let lab = Lab::new();
    let (repo, _) = synced(&lab);
    plant(&repo, &[("format", "2\n")]);
    for command in ["sync", "status", "log", "push", "init"] {
        let run = repo.run(&[command]).expect(2);
        let error = run.json()["error"].as_str().unwrap().to_owned();
        assert!(
            error.contains("format 2") && error.contains("newer agent-sync"),
            "{command}: {error}"
        );
    }
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(2);
    assert_eq!(lab.writes(), 0);
}

#[test]
fn a_damaged_state_says_where_and_what_to_do() {
    let damages = [
        ("meta.json", "{"),
        ("meta.json", "[]"),
        ("index.jsonl", "{\"backend\": 7}\n"),
        ("index.jsonl", "not json\n"),
        ("format", "one\n"),
    ];
    let lab = Lab::new();
    let (repo, _) = synced(&lab);
    let good = repo.state().unwrap();
    for (path, text) in damages {
        plant(&repo, &[(path, text)]);
        let run = repo.run(&["sync"]).expect(2);
        let error = run.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(path) && error.contains("--state-ref"), "{path} {text}: {error}");
        // The remedy works.
        repo.git(&["update-ref", REF, &good]);
        repo.calm();
    }
    // A ref that holds something else.
    repo.commit("a commit");
    repo.git(&["update-ref", REF, "HEAD"]);
    let run = repo.run(&["sync"]).expect(2);
    assert!(run.stdout.contains("did not write"), "{run:?}");
}

/// Every key of a JSON value by its path, with the type of what is there; names that are data become `*`.
fn shape(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    into.insert(format!("{path}: {kind}"));
    match value {
        Value::Array(items) => {
            items.iter().for_each(|item| shape(item, &format!("{path}[]"), into))
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let data = [
                    ".backends",
                    ".places",
                    ".cursors",
                    ".bases",
                    ".proposed",
                    ".properties",
                    ".options",
                    ".pushed_by",
                    ".views",
                    ".descriptions",
                ]
                .iter()
                .any(|parent| path.ends_with(parent));
                let name = if data { "*" } else { name };
                shape(field, &format!("{path}.{name}"), into);
            }
        }
        _ => {}
    }
}

#[test]
fn format_1_is_what_it_was() {
    let lab = Lab::new();
    let repo = lab.remote();
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.publish("a story");
    repo.init();
    repo.settle();
    lab.edit("Stories", "INFRA-1", "first", "By a person.");
    repo.replace(&path, "first", "By a commit.");
    lab.minutes(2);
    repo.run(&["resolve", "INFRA-1", "--keep", "skip"]).expect(0);
    repo.replace(&path, "DRAFT", "TO_DO");
    repo.run(&["sync"]).expect(0);
    let files = tree(&repo);
    let mut found = BTreeSet::new();
    shape(&serde_json::from_str(&files["meta.json"]).unwrap(), "meta", &mut found);
    for record in index(&repo) {
        shape(&record, "index", &mut found);
    }
    for (name, text) in
        files.iter().filter(|(name, _)| name.starts_with("replaced/") && name.ends_with(".json"))
    {
        let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        shape(&value, "replaced", &mut found);
    }
    let folders: BTreeSet<&str> = files.keys().filter_map(|name| name.split('/').next()).collect();
    assert_eq!(
        Vec::from_iter(folders),
        ["format", "index.jsonl", "meta.json", "replaced", "texts"]
    );
    assert_eq!(files["format"], "1");
    let golden: BTreeSet<String> =
        include_str!("state/format-1.txt").lines().map(str::to_owned).collect();
    let lost: Vec<_> = golden.difference(&found).collect();
    let new: Vec<_> = found.difference(&golden).collect();
    assert!(
        lost.is_empty() && new.is_empty(),
        "A field was lost or changed (a new format), or is new (add it to the file): {lost:#?} {new:#?}"
    );
}

#[test]
fn what_a_newer_version_wrote_survives_a_rewrite() {
    let lab = Lab::new();
    let (repo, path) = synced(&lab);
    let mut meta: Value = serde_json::from_str(&tree(&repo)["meta.json"]).unwrap();
    meta["future"] = json!({"a": [1, 2]});
    meta["backends"]["notion"]["future"] = json!("b");
    let mut record = index(&repo).remove(0);
    record["future"] = json!({"c": null});
    plant(
        &repo,
        &[
            ("meta.json", &meta.to_string()),
            ("index.jsonl", &format!("{record}\n")),
            ("future/file.json", "{}\n"),
        ],
    );
    repo.calm();
    repo.replace(&path, "first", "1st");
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let files = tree(&repo);
    let meta: Value = serde_json::from_str(&files["meta.json"]).unwrap();
    assert_eq!(meta["future"], json!({"a": [1, 2]}));
    assert_eq!(meta["backends"]["notion"]["future"], json!("b"));
    assert_eq!(index(&repo)[0]["future"], json!({"c": null}));
    assert_eq!(files["future/file.json"], "{}");
}

#[test]
fn the_log_has_a_line_a_run_and_says_who() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    assert_eq!(runs(&repo, &["log"]), [] as [Value; 0]);
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    for (name, value) in [
        ("GITHUB_ACTOR", "ada"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "org/repo"),
        ("GITHUB_RUN_ID", "42"),
    ] {
        repo.env.insert(name.to_owned(), value.to_owned());
    }
    repo.replace(&path, "first", "1st");
    lab.minutes(2);
    repo.run(&["push"]).expect(0);
    lab.sim.reset_requests();
    let log = runs(&repo, &["log"]);
    assert_eq!(lab.count(), 0);
    let summaries: Vec<_> = log.iter().map(|line| line["summary"].as_str().unwrap()).collect();
    assert_eq!(summaries, ["push: 1 pushed", "sync: 1 created", "init: 4 created"]);
    assert_eq!(log[0]["actor"], "ada");
    assert_eq!(log[0]["link"], "https://github.com/org/repo/actions/runs/42");
    assert_eq!(log[1]["actor"], Value::Null);
    let distinct: BTreeSet<_> = log.iter().map(|line| line["run"].as_str().unwrap()).collect();
    assert_eq!(distinct.len(), 3);
    assert_eq!(runs(&repo, &["log", "--limit", "1"]).len(), 1);
    let human = repo.human(&["log"]).expect(0);
    let first = format!("{}{}", human.stdout, human.stderr);
    assert!(first.lines().next().unwrap_or_default().contains("push: 1 pushed"), "{human:?}");
}

#[test]
fn rule_10_restore_brings_back_what_a_run_replaced() {
    let lab = Lab::new();
    let (repo, path) = synced(&lab);
    for (old, new) in [("first", "1st"), ("1st", "very 1st")] {
        repo.replace(&path, old, new);
        repo.run(&["push"]).expect(0);
        lab.minutes(2);
    }
    let log = runs(&repo, &["log"]);
    let run = |n: usize| log[n]["run"].as_str().unwrap().to_owned();
    let restore = |args: &[&str]| {
        let mut all = vec!["restore", "INFRA-1", "--side", "remote"];
        all.extend(args);
        repo.run(&all)
    };
    let wrong = restore(&["--at", "20200101T000000000Z-1"]).expect(2);
    assert!(wrong.stdout.contains("agent-sync log"), "{wrong:?}");
    restore(&["--at", &run(0), "--dry-run"]).expect(0);
    assert!(lab.body("Stories", "INFRA-1").contains("very 1st"));
    restore(&["--at", &run(1)]).expect(0);
    assert!(lab.body("Stories", "INFRA-1").contains("The first paragraph."));
    // What restore replaced can be restored; the file has not moved, so the next run would pull.
    restore(&[]).expect(0);
    assert!(lab.body("Stories", "INFRA-1").contains("very 1st"));
    restore(&["--at", &run(0)]).expect(0);
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    assert!(repo.read(&path).contains("The 1st paragraph."));
    // And what that pull replaced in the file, on the other side.
    repo.run(&["restore", "INFRA-1", "--side", "local"]).expect(0);
    assert!(repo.read(&path).contains("very 1st"));
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
    // Many runs later it is all still there.
    let files = tree(&repo);
    let kept = files
        .keys()
        .filter(|name| name.starts_with("replaced/") && name.ends_with(".text"))
        .count();
    assert!(kept >= 6, "{:?}", files.keys());
}

#[test]
fn rule_14_a_due_reading_is_one_commit_and_nothing_else_is() {
    let lab = Lab::new();
    let (repo, path) = synced(&lab);
    lab.edit("Stories", "INFRA-1", "first", "By a person.");
    // In the same minute: the page has to be read once more.
    repo.run(&["sync"]).expect(0);
    assert!(repo.read(&path).contains("By a person."));
    let count = || repo.git(&["rev-list", "--count", REF]).parse::<usize>().unwrap();
    let before = count();
    lab.minutes(2);
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!((count(), lab.writes()), (before + 1, 0));
    for _ in 0..2 {
        lab.minutes(10);
        repo.calm();
    }
    repo.run(&["status"]).expect(0);
    repo.run(&["check"]).expect(0);
    repo.run(&["diff"]).expect(0);
    assert_eq!(count(), before + 1);
}

/// A database of 130 pages, pulled.
fn large(lab: &Lab) -> Repo<'_> {
    let repo = lab.repo("repo");
    repo.init();
    for n in 1..=130 {
        let id = json!(format!("INFRA-{n}"));
        let title = format!("Story {n}");
        lab.sim.workspace().create_page("Stories", &title, &[("ID", id)], BODY).unwrap();
    }
    lab.minutes(10);
    repo.run(&["sync"]).expect(0);
    repo
}

/// Queries of the Stories since the last reset.
fn queries(lab: &Lab) -> usize {
    let source = lab.sim.workspace().database_by_title("Stories").unwrap().data_source;
    let path = format!("/v1/data_sources/{source}/query");
    lab.sim.requests().iter().filter(|request| request.path == path).count()
}

#[test]
fn rule_6_a_large_database_is_listed_by_its_cursor_and_whole_when_due() {
    let lab = Lab::new();
    let repo = large(&lab);
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync"]).expect(0).json()["counts"]["unchanged"], 130);
    assert_eq!(queries(&lab), 1);
    lab.edit("Stories", "INFRA-7", "first", "By a person.");
    lab.minutes(2);
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-7 pull"]);
    assert_eq!(queries(&lab), 1);
    // A page that goes to the trash is not among the edited ones; the whole listing misses it.
    let page = lab.page("Stories", "INFRA-9");
    lab.sim.workspace().trash(&page).unwrap();
    lab.minutes(10);
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync", "--full"]).expect(0).actions(), ["story/INFRA-9 delete-file"]);
    assert_eq!(queries(&lab), 2);
    // A day later, without being told to.
    let page = lab.page("Stories", "INFRA-11");
    lab.sim.workspace().trash(&page).unwrap();
    lab.minutes(25 * 60);
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-11 delete-file"]);
    assert_eq!(queries(&lab), 2);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!(queries(&lab), 1);
}

#[test]
fn rule_6_what_was_listed_and_not_taken_up_is_not_forgotten() {
    let lab = Lab::new();
    let repo = large(&lab);
    let path = |n: usize| format!(".agent/cache/stories/INFRA/INFRA-{n}-story-{n}.md");
    // A run for one artifact sees the others' edits and leaves them.
    lab.edit("Stories", "INFRA-1", "first", "By a person.");
    lab.edit("Stories", "INFRA-2", "first", "By a person.");
    lab.minutes(2);
    assert_eq!(repo.run(&["sync", "INFRA-1"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    lab.minutes(10);
    // So does one that goes the other way.
    repo.run(&["push"]).expect(0);
    lab.minutes(10);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-2 pull"]);
    // A conflict stays one, whenever the page was edited, and others move on.
    lab.edit("Stories", "INFRA-3", "first", "By a person.");
    repo.replace(&path(3), "first", "by a commit");
    for _ in 0..3 {
        lab.minutes(10);
        let run = repo.run(&["sync"]).expect(1);
        assert_eq!(run.actions(), ["story/INFRA-3 conflict"]);
    }
    lab.edit("Stories", "INFRA-4", "first", "By a person.");
    lab.minutes(2);
    assert_eq!(
        repo.run(&["sync"]).expect(1).actions(),
        ["story/INFRA-3 conflict", "story/INFRA-4 pull"]
    );
    repo.run(&["sync", "--force=remote"]).expect(0);
    assert!(repo.read(&path(3)).contains("By a person."));
    lab.minutes(2);
    repo.settle();
}
