//! The janitor in jobs: after the sync of a scheduled one, and what it repairs on its way to the default branch.

use serde_json::{Value, json};

use crate::common::github::{ADA, Fault};
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
    // A comment on the page, about the one that is more than a notice, and the count on the page about the environment.
    assert_eq!(world.lab.writes(), 2);
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

fn issues(world: &World, state: &str) -> Vec<Value> {
    let all = world.github.ask(ADA, "GET", &format!("/issues?state={state}"), Value::Null);
    let ours = |issue: &&Value| issue["title"] == "agent-sync janitor";
    all.as_array().unwrap().iter().filter(ours).cloned().collect()
}

fn said(world: &World, issue: &Value) -> Vec<String> {
    let path = format!("/issues/{}/comments", issue["number"]);
    let all = world.github.ask(ADA, "GET", &path, Value::Null);
    let text = |one: &Value| one["body"].as_str().unwrap().to_owned();
    all.as_array().unwrap().iter().map(text).collect()
}

/// Writes that are no lease's and no state's.
fn written(world: &World) -> Vec<String> {
    let seen = world.github.writes();
    let issues = seen.iter().filter(|seen| seen.path.contains("/issues"));
    issues.map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

#[test]
fn one_issue_tells_what_was_found_and_a_comment_what_is_new() {
    let world = world(CONFIG);
    scheduled(&world, &["auto"]).expect(1);
    let open = issues(&world, "open");
    assert_eq!(open.len(), 1, "{open:#?}");
    let body = open[0]["body"].as_str().unwrap();
    assert!(body.contains("orphan-story") && !body.contains("unlinked-mention"), "{body}");
    assert!(said(&world, &open[0]).is_empty());
    // Nothing new: nothing is written.
    world.lab.minutes(5);
    world.github.forget();
    world.lab.sim.reset_requests();
    scheduled(&world, &["auto"]).expect(1);
    assert_eq!((written(&world), world.lab.writes()), (Vec::new(), 0));
    // Something new is told to whoever watches, once.
    let second = story("INFRA-2", "Second", "DRAFT", "## Problem\n\nOne.\n");
    let path = ".agent/cache/stories/INFRA/INFRA-2-second.md";
    world.github.push("main", &[(path, Some(&second))], "a story");
    for _ in 0..2 {
        world.lab.minutes(5);
        scheduled(&world, &["auto"]).expect(1);
    }
    let open = issues(&world, "open");
    assert_eq!(open.len(), 1);
    assert!(open[0]["body"].as_str().unwrap().contains("INFRA-2"));
    let comments = said(&world, &open[0]);
    assert_eq!(comments.len(), 1, "{comments:#?}");
    assert!(comments[0].starts_with("1 finding, new") && comments[0].contains("INFRA-2-second.md"));
    // When nothing is left it is closed, and nobody is told.
    let linked = |text: &str| text.replace("## Problem", "## Linked ADRs\n\n- ADR-1\n\n## Problem");
    let first = story("INFRA-1", "First", "DRAFT", "## Problem\n\nAs ADR-1 says.\n");
    let (first, second) = (linked(&first), linked(&second));
    world.github.push("main", &[(PATH, Some(&first)), (path, Some(&second))], "links");
    world.lab.minutes(5);
    scheduled(&world, &["auto"]).expect(0);
    assert!(issues(&world, "open").is_empty());
    assert_eq!(issues(&world, "closed").len(), 1);
    world.lab.minutes(5);
    world.github.forget();
    scheduled(&world, &["auto"]).expect(0);
    assert_eq!(written(&world), Vec::<String>::new());
}

#[test]
fn what_was_lost_on_the_way_to_the_issue_is_not_told_twice() {
    let world = world(CONFIG);
    for (method, end) in [("POST", "/issues"), ("POST", "/comments"), ("PATCH", "/issues/1")] {
        let mut left = 1;
        world.github.rule(move |seen| {
            let hit = left > 0 && seen.method == method && seen.path.ends_with(end);
            left -= usize::from(hit);
            hit.then_some(Fault::Lost(502))
        });
        if end != "/issues" {
            let n = if end == "/comments" { 2 } else { 3 };
            let text = story(&format!("INFRA-{n}"), "More", "DRAFT", "## Problem\n\nOne.\n");
            let path = format!(".agent/cache/stories/INFRA/INFRA-{n}-more.md");
            world.github.push("main", &[(&path, Some(&text))], "a story");
        }
        world.lab.minutes(5);
        let step = scheduled(&world, &["auto"]);
        assert!(matches!(step.run.code, 1 | 4), "{:?}", step.run);
        world.github.no_rule();
        world.lab.minutes(5);
        scheduled(&world, &["auto"]).expect(1);
    }
    let open = issues(&world, "open");
    assert_eq!(open.len(), 1, "{open:#?}");
    let comments = said(&world, &open[0]);
    assert_eq!(comments.len(), 2, "{comments:#?}");
}
