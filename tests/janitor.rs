//! The janitor through the built binary: what it finds on both sides, what it repairs, what it costs.
//!
//! `INSTA_UPDATE=always cargo test --test janitor` writes docs/janitor.md anew.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

#[path = "janitor/assign.rs"]
mod assign;
#[path = "janitor/costs.rs"]
mod costs;
#[path = "janitor/retention.rs"]
mod retention;
#[path = "janitor/rules.rs"]
mod rules;
#[path = "janitor/tell.rs"]
mod tell;

use std::path::Path;

use common::{Lab, Repo, Run};
use serde_json::{Value, json};

const BODY: &str = "## Problem\n\nThe first paragraph.\n\nThe second paragraph.\n";
const ADR: &str = ".agent/adrs/ADR-1-keys.md";
const PLAN: &str = ".agent/cache/plans/INFRA/INFRA-9-plan.md";

/// An ADR and a plan.
fn behind(repo: &Repo<'_>) {
    repo.write(ADR, "# ADR-1: Keys\n\n## Status\n\nACCEPTED\n\n## Why\n\nBecause.\n");
    repo.write(PLAN, "# INFRA-9: Plan\n\n## State\n\nDRAFT\n\n## Goals\n\nOne.\n");
}

/// A repository without anything to find: a story with an ADR and a plan, synced and at rest.
fn clean(lab: &Lab) -> (Repo<'_>, String) {
    let repo = lab.repo("repo");
    behind(&repo);
    let body = format!("## Linked ADRs\n\n- ADR-1\n\n## Linked Plans\n\n- INFRA-9\n\n{BODY}");
    let path = repo.story("INFRA-1", "First", "DRAFT", &body);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    lab.sim.reset_requests();
    (repo, path)
}

/// Findings of a run as `rule artifact`.
fn found(run: &Run) -> Vec<String> {
    let json = run.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of =
        |one: &Value| format!("{} {}/{}", text(&one["rule"]), text(&one["kind"]), text(&one["id"]));
    let mut all: Vec<String> = json["findings"].as_array().unwrap().iter().map(of).collect();
    all.sort();
    all
}

/// Runs and expects that nothing was written anywhere: by a plan the first time, else once it was told on the pages.
#[track_caller]
fn reads(lab: &Lab, repo: &Repo<'_>, args: &[&str], code: i32) -> Run {
    if !args.contains(&"--dry-run") {
        repo.run(args).expect(code);
    }
    lab.sim.reset_requests();
    let (state, files) = (repo.state(), repo.files());
    let run = repo.run(args).expect(code);
    assert_eq!((lab.writes(), repo.state(), repo.files()), (0, state, files), "{run:?}");
    run
}

#[test]
fn the_page_about_the_rules_is_made_from_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/janitor.md");
    let page = agent_sync::janitor::page();
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        std::fs::write(&path, &page).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == page, "run `INSTA_UPDATE=always cargo test --test janitor`");
}

#[test]
fn where_everything_hangs_together_there_is_nothing_to_say() {
    let lab = Lab::new();
    let (repo, _) = clean(&lab);
    for args in [&["janitor"][..], &["janitor", "--full"], &["janitor", "--fix", "--dry-run"]] {
        let run = reads(&lab, &repo, args, 0);
        assert_eq!(found(&run), Vec::<String>::new(), "{args:?}");
        assert_eq!(
            (&run.json()["outcome"], &run.json()["counts"]["unchanged"]),
            (&json!("clean"), &json!(3))
        );
    }
    // With --fix it may write, and has nothing to write.
    let run = reads(&lab, &repo, &["janitor", "--fix"], 0);
    assert_eq!(run.json()["outcome"], "clean");
}

#[test]
fn a_mention_is_linked_on_both_sides_and_then_there_is_nothing_to_do() {
    let lab = Lab::new();
    let repo = lab.remote();
    behind(&repo);
    let path = repo.story(
        "INFRA-1",
        "First",
        "DRAFT",
        &format!("## Linked Plans\n\n- INFRA-9\n\n{BODY}\nSee ADR-1.\n"),
    );
    repo.publish("documents");
    repo.init();
    repo.settle();

    let run = reads(&lab, &repo, &["janitor"], 0);
    assert_eq!(found(&run), ["unlinked-mention story/INFRA-1"]);
    let finding = run.json()["findings"][0].clone();
    assert_eq!((&finding["severity"], &finding["line"]), (&json!("notice"), &json!(17)));
    assert_eq!(finding["path"], json!(path));
    let print = finding["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(print.len(), 16);
    let edges = run.json()["graph"]["edges"].clone();
    let missing = json!({"from": "story/INFRA-1", "to": "adr/ADR-1", "relation": "Linked ADRs", "missing": true});
    assert!(edges.as_array().unwrap().contains(&missing), "{edges:#}");

    let run = reads(&lab, &repo, &["janitor", "--fix", "--dry-run"], 0);
    assert_eq!(run.actions(), ["story/INFRA-1 repair"]);
    assert_eq!(run.json()["findings"][0]["fingerprint"], json!(print));
    let before = repo.read(&path);
    lab.sim.reset_requests();
    let run = repo.run(&["janitor", "--fix"]).expect(0);
    assert_eq!((run.actions(), found(&run)), (vec!["story/INFRA-1 repair".to_owned()], Vec::new()));
    assert_eq!(run.json()["outcome"], "synced");
    assert_eq!(lab.writes(), 1, "one property");
    let linked = lab.property("Stories", "INFRA-1", "Linked ADRs");
    assert_eq!(linked, Some(lab.page("ADRs", "ADR-1")));
    let after = repo.read(&path);
    let added: Vec<&str> = after.lines().filter(|line| !before.contains(*line)).collect();
    assert_eq!(added, ["## Linked ADRs", "- ADR-1"]);

    // Again: nothing, before the commit, after it, and for a sync.
    reads(&lab, &repo, &["janitor", "--fix"], 0);
    repo.publish("what the janitor did");
    repo.settle();
    let run = reads(&lab, &repo, &["janitor", "--fix"], 0);
    assert_eq!(found(&run), Vec::<String>::new());
}

#[test]
fn the_other_end_of_a_relation_is_added() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let config = repo.read("agent-sync.yml")
        + "kinds:\n  plan:\n    properties:\n      Stories: {type: relation, from: {references: Stories}, target: story}\n";
    repo.write("agent-sync.yml", &config);
    behind(&repo);
    repo.story("INFRA-1", "First", "DRAFT", &format!("## Linked Plans\n\n- INFRA-9\n\n{BODY}"));
    repo.story("INFRA-2", "Second", "DRAFT", &format!("## Linked Plans\n\n- INFRA-9\n\n{BODY}"));
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let run = reads(&lab, &repo, &["janitor"], 1);
    assert_eq!(
        found(&run),
        ["asymmetric-relation plan/INFRA-9", "asymmetric-relation plan/INFRA-9"]
    );
    let run = repo.run(&["janitor", "--fix"]).expect(0);
    assert_eq!(run.actions(), ["plan/INFRA-9 repair"]);
    assert!(
        repo.read(PLAN).contains("## Stories\n\n- INFRA-1\n- INFRA-2\n"),
        "{}",
        repo.read(PLAN)
    );
    assert!(lab.property("Plans", "INFRA-9", "Stories").is_some());
    reads(&lab, &repo, &["janitor", "--fix"], 0);
    repo.settle();
}

/// What a sync has to bring goes first: a repair touches nothing else.
#[test]
fn a_repair_waits_for_what_is_still_to_be_synced_and_syncs_nothing_else() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.write(
        ".agent/adrs/ADR-2-more.md",
        "# ADR-2: More\n\n## Status\n\nACCEPTED\n\n## Why\n\nSo.\n",
    );
    repo.run(&["sync"]).expect(0);
    repo.settle();
    // The text and the relation change in the file, another paragraph on the page.
    repo.replace(&path, "The first paragraph.", "The first paragraph, as ADR-2 says.");
    lab.edit("Stories", "INFRA-1", "second paragraph", "The second paragraph, from Notion.");
    lab.minutes(2);
    let run = repo.run(&["janitor", "--fix"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-1 repair"], "the relation is at rest");
    assert!(repo.read(&path).contains("- ADR-2") && !repo.read(&path).contains("from Notion"));
    assert!(!lab.body("Stories", "INFRA-1").contains("as ADR-2 says"));
    // The sync finds both edits as they were.
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-1 merge"]);
    assert!(repo.read(&path).contains("from Notion"));
    assert!(lab.body("Stories", "INFRA-1").contains("as ADR-2 says"));
    repo.settle();

    repo.replace(&path, "- ADR-2\n", "");
    let run = repo.run(&["janitor", "--fix"]).expect(0);
    assert_eq!(run.actions(), Vec::<String>::new());
    assert!(!repo.read(&path).contains("- ADR-2"), "taken out a moment ago");
}

#[test]
fn a_file_and_the_configuration_keep_a_rule_silent() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.story("INFRA-2", "Second", "TO_DO", BODY);
    let third = repo.story(
        "INFRA-3",
        "Third",
        "TO_DO",
        &format!("<!-- agent-sync: allow orphan-story a spike -->\n\n{BODY}"),
    );
    repo.story("INFRA-4", "Fourth", "TO_DO", BODY);
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let run = reads(&lab, &repo, &["janitor"], 1);
    assert_eq!(found(&run), ["orphan-story story/INFRA-2", "orphan-story story/INFRA-4"]);
    assert!(
        !lab.body("Stories", "INFRA-3").contains("agent-sync:"),
        "the comment stays in the file"
    );
    assert!(repo.read(&third).contains("agent-sync: allow"));
    assert_eq!(
        found(&reads(&lab, &repo, &["janitor", "INFRA-4"], 1)),
        ["orphan-story story/INFRA-4"]
    );
    assert_eq!(found(&reads(&lab, &repo, &["janitor", "INFRA-1"], 0)), Vec::<String>::new());
    repo.run(&["janitor", "INFRA-77"]).expect(2);
    let _ = path;

    // Severity decides what fails.
    reads(&lab, &repo, &["janitor", "--fail-on", "never"], 0);
    reads(&lab, &repo, &["janitor", "--fail-on", "change"], 0);
    let config = repo.read("agent-sync.yml");
    let with =
        |janitor: &str| repo.write("agent-sync.yml", &format!("{config}janitor:\n{janitor}"));
    with("  rules: {orphan-story: notice}\n");
    assert_eq!(found(&reads(&lab, &repo, &["janitor"], 0)).len(), 2);
    with("  rules: {orphan-story: off}\n");
    assert_eq!(found(&reads(&lab, &repo, &["janitor"], 0)).len(), 0);
    with(
        "  ignore: [{rule: orphan-story, artifact: INFRA-2, reason: later}, {rule: orphan-story, artifact: story/INFRA-4, reason: later}]\n",
    );
    assert_eq!(found(&reads(&lab, &repo, &["janitor"], 0)).len(), 0);
    with("  rules: {orphan-stroy: off}\n");
    assert!(repo.human(&["janitor"]).expect(2).stderr.contains("Did you mean `orphan-story`?"));
}

/// Rule 2: what a person does to the relation while the janitor repairs it stays as the person left it.
#[test]
fn a_relation_that_changes_under_our_hands_keeps_what_the_person_did() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.write(
        ".agent/adrs/ADR-2-more.md",
        "# ADR-2: More\n\n## Status\n\nACCEPTED\n\n## Why\n\nSo.\n",
    );
    repo.replace(&path, "The first paragraph.", "The first paragraph, as ADR-2 says.");
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let page = lab.page("Stories", "INFRA-1");
    let mut once = Some(page.clone());
    lab.sim.set_hook(Some(Box::new(move |workspace, event| {
        // Every listing is made by now.
        if event.endpoint == "GET /v1/data_sources/{id}"
            && let Some(page) = once.take()
        {
            workspace.set_property(&page, "Linked ADRs", "").unwrap();
        }
    })));
    let run = repo.run(&["janitor", "--fix"]).expect(0);
    lab.sim.set_hook(None);
    assert_eq!(run.actions(), ["story/INFRA-1 changed-meanwhile"]);
    assert_eq!(found(&run), ["unlinked-mention story/INFRA-1"]);
    assert_eq!(lab.property("Stories", "INFRA-1", "Linked ADRs"), None);
    // The file has the new member, the page lost the old one: a sync joins the two.
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let text = repo.read(&path);
    assert!(!text.contains("- ADR-1") && text.contains("- ADR-2"), "{text}");
    let linked = lab.property("Stories", "INFRA-1", "Linked ADRs");
    assert_eq!(linked, Some(lab.page("ADRs", "ADR-2")));
    repo.settle();
    assert_eq!(found(&reads(&lab, &repo, &["janitor", "--fix"], 0)), Vec::<String>::new());
}

/// A page edited under our name in the minute of our own write looks as we left it.
#[test]
fn a_full_comparison_finds_what_the_time_stamps_hid() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.replace(&path, "The first paragraph.", "The first paragraph, again.");
    repo.run(&["sync"]).expect(0);
    let bot = lab.sim.workspace().bot().to_owned();
    let person = lab.sim.workspace().person().to_owned();
    lab.sim.workspace().act_as(&bot).unwrap();
    lab.edit("Stories", "INFRA-1", "second paragraph", "By another program with our token.");
    lab.sim.workspace().act_as(&person).unwrap();
    lab.minutes(5);
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(found(&reads(&lab, &repo, &["janitor"], 0)), Vec::<String>::new());
    let run = reads(&lab, &repo, &["janitor", "--full"], 1);
    assert_eq!(found(&run), ["diverged story/INFRA-1"]);
    lab.sim.reset_requests();
    let run = repo.run(&["janitor", "--full", "--fix"]).expect(0);
    // The comment about it goes, and so does its count on the page about the environment; no artifact is written.
    let requests = lab.sim.requests();
    let written: Vec<&str> = requests
        .iter()
        .filter(|request| request.is_write)
        .map(|request| request.endpoint.as_str())
        .collect();
    assert_eq!(written, ["DELETE /v1/comments/{id}", "PATCH /v1/pages/{id}/markdown"]);
    assert_eq!(found(&run), Vec::<String>::new());
    assert_eq!(
        found(&reads(&lab, &repo, &["janitor", "--full", "--fix"], 0)),
        Vec::<String>::new()
    );
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    assert!(repo.read(&path).contains("By another program with our token."));
    repo.settle();
}

#[test]
fn before_init_there_is_nothing_to_look_at() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    let run = reads(&lab, &repo, &["janitor"], 0);
    assert!(run.json()["notices"][0].as_str().unwrap().contains("is not initialised"), "{run:?}");
    reads(&lab, &repo, &["janitor", "--fix"], 3);
}
