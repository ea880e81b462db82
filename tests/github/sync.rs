//! A sync whose history and state are at GitHub.

use serde_json::json;

use crate::common::story;
use crate::job::{CONFIG, World, repository};

const PATH: &str = ".agent/cache/stories/INFRA/INFRA-1-first.md";

fn world() -> World {
    let text = story("INFRA-1", "First", "DRAFT", "## Problem\n\nOne paragraph.\n\nAnother one.\n");
    World::new(&[(PATH, &text)])
}

#[test]
fn a_document_goes_to_notion_and_its_edit_comes_back() {
    let world = world();
    world.pushed(&["init"]).expect(0);
    let step = world.pushed(&["sync", "--format", "json"]).expect(0);
    assert_eq!(step.run.actions(), ["story/INFRA-1 create-page"]);
    assert!(world.lab.body("Stories", "INFRA-1").contains("One paragraph."));

    world.lab.minutes(5);
    world.pushed(&["sync"]).expect(0);
    world.lab.edit("Stories", "INFRA-1", "Another one.", "Another one, from Notion.");
    world.lab.minutes(5);
    let step = world.pushed(&["sync", "--format", "json"]).expect(0);
    assert_eq!(step.run.actions(), ["story/INFRA-1 pull"]);
    assert!(step.file(PATH).contains("Another one, from Notion."));
}

#[test]
fn a_sync_with_nothing_to_do_asks_github_little_and_writes_only_the_lease() {
    let world = world();
    world.pushed(&["init"]).expect(0);
    world.pushed(&["sync"]).expect(0);
    world.lab.minutes(5);
    world.pushed(&["sync"]).expect(0);
    world.lab.minutes(5);
    world.github.forget();
    world.lab.sim.reset_requests();
    let step = world.pushed(&["auto", "--format", "json"]).expect(0);
    let seen = world.github.seen();
    let list: Vec<String> = seen.iter().map(|s| format!("{} {}", s.method, s.path)).collect();
    assert_eq!(seen.len(), 9, "{list:#?}");
    assert_eq!(world.lab.writes(), 0);
    let writes = world.github.writes().into_iter();
    let writes: Vec<String> = writes.map(|s| format!("{} {}", s.method, s.path)).collect();
    assert_eq!(
        writes,
        [
            "POST /git/commits",
            "PATCH /git/refs/agent-sync/state-lease",
            "POST /git/commits",
            "PATCH /git/refs/agent-sync/state-lease"
        ],
        "{list:#?}"
    );
    let counted = &step.run.json()["github"]["by_endpoint"];
    let total: u64 = counted.as_object().unwrap().values().filter_map(|n| n.as_u64()).sum();
    assert_eq!(total as usize, seen.len());
}

#[test]
fn the_configured_default_branch_is_the_one_that_is_synced() {
    let world = world();
    let config = format!("{CONFIG}repository: {{default_branch: trunk}}\n");
    world.github.push("main", &[("agent-sync.yml", Some(&config))], "configure");
    let edited =
        story("INFRA-1", "First", "DRAFT", "## Problem\n\nOn the trunk.\n\nAnother one.\n");
    world.github.push("trunk", &[(PATH, Some(&edited))], "edit");
    let pushed = |branch: &str, args: &[&str]| {
        let (name, head) = (format!("refs/heads/{branch}"), world.github.head(branch));
        let payload = json!({"ref": name, "after": head, "repository": repository()});
        let env = [("GITHUB_REF", name.as_str())];
        world.step_with(&head, "push", &payload, args, &env).expect(0)
    };
    pushed("trunk", &["init"]);
    world.lab.sim.reset_requests();
    let step = pushed("main", &["auto", "--format", "json"]);
    assert_eq!(step.run.json()["command"], "status");
    assert_eq!(world.lab.writes(), 0);
    let step = pushed("trunk", &["auto", "--format", "json"]);
    assert_eq!(step.run.actions(), ["story/INFRA-1 create-page"]);
    assert!(world.lab.body("Stories", "INFRA-1").contains("On the trunk."));
}
