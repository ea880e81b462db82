//! The janitor in jobs: after the sync of a scheduled one, and what it repairs on its way to the default branch.

use serde_json::{Value, json};

use crate::common::github::ADA;
use crate::common::story;
use crate::job::{CONFIG, Step, World, repository};

const PATH: &str = ".agent/cache/stories/INFRA/INFRA-1-first.md";
const ADR: &str = ".agent/adrs/ADR-1-keys.md";

/// A story that mentions an ADR, synced.
fn world(config: &str) -> World {
    let text = story("INFRA-1", "First", "DRAFT", "## Problem\n\nAs ADR-1 says.\n");
    let adr = "# ADR-1: Keys\n\n## Status\n\nACCEPTED\n\n## Why\n\nBecause.\n";
    let world = World::new(&[("agent-sync.yml", config), (PATH, &text), (ADR, adr)]);
    world.pushed(&["init"]).expect(0);
    for _ in 0..2 {
        world.pushed(&["sync"]).expect(0);
        world.lab.minutes(5);
    }
    world.github.forget();
    world.lab.sim.reset_requests();
    world
}

fn scheduled(world: &World, args: &[&str]) -> Step {
    let payload = json!({"schedule": "0 4 * * *", "repository": repository()});
    let refs = [("GITHUB_REF", "refs/heads/main"), ("GITHUB_REF_NAME", "main")];
    world.step_with(&world.github.head("main"), "schedule", &payload, args, &refs)
}

#[test]
fn a_scheduled_job_looks_at_everything_after_its_sync() {
    let world = world(CONFIG);
    let step = scheduled(&world, &["auto"]).expect(1);
    assert_eq!((&*step.outputs["outcome"], &*step.outputs["findings"]), ("findings", "2"));
    assert_eq!(world.lab.writes(), 0);
    assert!(step.summary.contains("orphan-story") && step.summary.contains("unlinked-mention"));
    let picture = step.summary.split("```mermaid\n").nth(1).unwrap();
    assert!(picture.contains("n0 -.->|\"missing: Linked ADRs\"| n1"), "{picture}");
    let at = format!("::warning file={PATH},line=1,title=orphan-story::");
    assert!(step.run.stdout.contains(&at), "{}", step.run.stdout);
    scheduled(&world, &["auto", "--fail-on", "never"]).expect(0);
    // A push syncs, and nothing else.
    world.pushed(&["auto"]).expect(0);
}

#[test]
fn a_repair_goes_to_the_default_branch_by_pull_request() {
    let world = world(CONFIG);
    let step = world.pushed(&["janitor", "--fix", "--format", "json"]).expect(0);
    assert_eq!(step.run.actions(), ["story/INFRA-1 repair"]);
    assert!(step.file(PATH).contains("## Linked ADRs\n\n- ADR-1\n"));
    let open = world.github.ask(ADA, "GET", "/pulls?state=open", Value::Null);
    let [pull] = open.as_array().unwrap().as_slice() else { panic!("{open:#}") };
    let number = pull["number"].as_u64().unwrap();
    world.lab.minutes(5);
    // On a fresh checkout, before the merge: nothing to repair, and the pull request stays as it is.
    let head = world.github.head("agent-sync/notion");
    world.lab.sim.reset_requests();
    let step = world.pushed(&["janitor", "--fix", "--format", "json"]).expect(0);
    assert_eq!((step.run.actions(), world.lab.writes()), (Vec::new(), 0));
    world.pushed(&["sync"]).expect(0);
    assert_eq!(world.github.head("agent-sync/notion"), head);
    world.github.merge(number, true);
    world.lab.minutes(5);
    world.pushed(&["sync"]).expect(0);
    let step = world.pushed(&["janitor", "--format", "json"]).expect(0);
    assert_eq!(step.run.json()["findings"], json!([]));
}

#[test]
fn an_id_of_an_open_pull_request_is_not_given() {
    let world = world(&CONFIG.replace("type: notion\n", "type: notion\n    assign_ids: true\n"));
    let waiting = story("INFRA-2", "Waiting", "DRAFT", "## Problem\n\nOne.\n");
    let path = ".agent/cache/stories/INFRA/INFRA-2-waiting.md";
    world.github.push("feature", &[(path, Some(&waiting))], "a story");
    let pull = json!({"title": "A story", "head": "feature", "base": "main"});
    world.github.ask(ADA, "POST", "/pulls", pull);
    let page = world.lab.sim.workspace().create_page("Stories", "By hand", &[], "x").unwrap();
    world.lab.minutes(5);
    world.pushed(&["sync"]).expect(0);
    let id = world.lab.sim.workspace().property_text(&page, "ID");
    assert_eq!(id.as_deref(), Some("INFRA-3"));
}
