//! `assign_ids`: pages made by hand.

use serde_json::json;

use super::BODY;
use crate::common::{Lab, Repo};

fn assigning(repo: &Repo<'_>) {
    let config = repo.read("agent-sync.yml");
    repo.write(
        "agent-sync.yml",
        &config.replace("type: notion\n", "type: notion\n    assign_ids: true\n"),
    );
}

fn by_hand(lab: &Lab, title: &str, values: &[(&str, serde_json::Value)]) -> String {
    lab.sim.workspace().create_page("Stories", title, values, "Words of a person.").unwrap()
}

fn id(lab: &Lab, page: &str) -> String {
    lab.sim.workspace().property_text(page, "ID").unwrap_or_default()
}

#[test]
fn the_scope_is_what_the_page_says_or_names_or_the_only_one() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    assigning(&repo);
    repo.story("INFRA-007", "Infra", "DRAFT", BODY);
    repo.story("WEB-41", "Web", "DRAFT", BODY);
    repo.write(
        ".agent/cache/plans/WEB/WEB-3-plan.md",
        "# WEB-3: Plan\n\n## State\n\nDRAFT\n\nOne.\n",
    );
    repo.init();
    repo.run(&["sync"]).expect(0);
    let said = by_hand(&lab, "Said", &[("ID", json!("INFRA"))]);
    let dashed = by_hand(&lab, "Dashed", &[("ID", json!("NEW-"))]);
    let plan = lab.page("Plans", "WEB-3");
    let related = by_hand(&lab, "Related", &[("Linked Plans", json!(plan))]);
    let nothing = by_hand(&lab, "Nothing", &[]);
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(0);
    let ids = [&said, &dashed, &related, &nothing].map(|page| id(&lab, page));
    assert_eq!(ids, ["INFRA-008", "NEW-001", "WEB-42", ""], "{run:?}");
    assert_eq!(run.rules(), ["page-without-id"], "one whose scope nobody can tell");
    assert!(repo.has(".agent/cache/stories/NEW/NEW-001-dashed.md"));
    repo.settle();
}

#[test]
fn an_id_of_another_branch_is_not_free() {
    let lab = Lab::new();
    let repo = lab.remote();
    assigning(&repo);
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.publish("documents");
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.git(&["checkout", "-q", "-b", "feature"]);
    repo.story("INFRA-2", "Waiting", "DRAFT", BODY);
    repo.publish("a story that waits for review");
    repo.git(&["checkout", "-q", "main"]);
    let page = by_hand(&lab, "By hand", &[]);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    assert_eq!(id(&lab, &page), "INFRA-3");
}

#[test]
fn two_runs_at_once_never_give_the_same_id() {
    let lab = Lab::new();
    let repo = lab.remote();
    assigning(&repo);
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.publish("documents");
    repo.init();
    repo.run(&["sync"]).expect(0);
    let others = [lab.clone("a"), lab.clone("b")];
    let pages: Vec<String> = (0..3).map(|n| by_hand(&lab, &format!("Page {n}"), &[])).collect();
    lab.minutes(2);
    let running: Vec<_> = others.iter().map(|repo| (repo, repo.spawn(&["sync"]))).collect();
    let late = by_hand(&lab, "While they run", &[]);
    for (repo, child) in running {
        repo.finish(child.wait_with_output().unwrap()).expect(0);
    }
    repo.run(&["sync"]).expect(0);
    let mut ids: Vec<String> = pages.iter().chain([&late]).map(|page| id(&lab, page)).collect();
    ids.sort();
    assert_eq!(ids, ["INFRA-2", "INFRA-3", "INFRA-4", "INFRA-5"]);
}
