//! The schema as code: a blank page becomes a working environment, and stays one whatever people do to it.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

#[path = "schema/drift.rs"]
mod drift;
#[path = "schema/found.rs"]
mod found;
#[path = "schema/fresh.rs"]
mod fresh;
#[path = "schema/templates.rs"]
mod templates;
#[path = "schema/views.rs"]
mod views;

use common::{Lab, Repo, Run};
use serde_json::Value;

const BODY: &str = "## Problem\n\nA paragraph.\n";

/// The configuration of the tests with more at its end.
fn configured(repo: &Repo<'_>, more: &str) {
    repo.configure();
    let config = repo.read("agent-sync.yml");
    repo.write("agent-sync.yml", &format!("{config}{more}"));
}

/// Changes of the schema in a report: `Stories add property Priority`.
fn changes(run: &Run) -> Vec<String> {
    let text = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    let json = run.json();
    let mut changes: Vec<String> = json["schema"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|change| ["database", "action", "what", "name"].map(|key| text(change, key)).join(" "))
        .collect();
    changes.sort();
    changes
}

/// Two stories, a plan and a story's link to it, synced and at rest.
fn synced(lab: &Lab) -> Repo<'_> {
    let repo = lab.repo("repo");
    fill(&repo);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    repo
}

const FIRST: &str = ".agent/cache/stories/INFRA/INFRA-1-first.md";

fn fill(repo: &Repo<'_>) {
    repo.write(
        FIRST,
        "---\npriority: High\n---\n\n# INFRA-1: First\n\n## State\n\nDRAFT\n\n## Linked Plans\n\n- INFRA-7\n\n\
         ## Problem\n\nA paragraph.\n",
    );
    repo.story("INFRA-2", "Second", "DONE", BODY);
    repo.write(
        ".agent/cache/plans/INFRA/INFRA-7-plan.md",
        "# INFRA-7: Plan\n\n## State\n\nDRAFT\n\n## Goals\n\nOne.\n",
    );
}

/// All values of all databases.
fn values(lab: &Lab) -> Vec<String> {
    let workspace = lab.sim.workspace();
    ["Stories", "Plans", "ADRs", "Runbooks"]
        .iter()
        .flat_map(|database| workspace.values(database))
        .collect()
}

/// A second `init` has nothing to do: no write, at most 6 requests for each database and 2 more, and no change of the
/// state.
#[track_caller]
fn nothing_to_do(lab: &Lab, repo: &Repo<'_>) {
    const D: usize = 4;
    let state = repo.state();
    lab.sim.reset_requests();
    let run = repo.run(&["init"]).expect(0);
    assert_eq!((changes(&run), lab.writes()), (Vec::new(), 0), "{run:?}");
    assert_eq!(run.json()["outcome"], "clean");
    assert!(lab.count() <= 6 * D + 2, "{}", lab.count());
    assert_eq!(repo.state(), state);
}
