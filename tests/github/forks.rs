//! Jobs whose rights are not what they seem: forks, tokens that lack a permission, configuration from a branch.

use serde_json::{Value, json};

use crate::check::{PATH, Scene};
use crate::common::github::{ADA, Fault, Seen};
use crate::common::story;
use crate::job::{CONFIG, World};

impl Scene {
    /// The event, as if the branch were a fork's.
    fn fork_payload(&self) -> Value {
        let mut payload = self.payload();
        payload["pull_request"]["head"]["repo"] = json!({"full_name": "eve/docs"});
        payload
    }
}

#[test]
fn a_forks_pull_request_is_checked_offline_and_says_so_once() {
    let scene = Scene::new(true);
    let env = [("NOTION_TOKEN", ""), ("NOTION_PARENT_PAGE_ID", "")];
    let step =
        scene.world.step_with(&scene.head, "pull_request", &scene.fork_payload(), &["auto"], &env);
    let step = step.expect(0);
    let notices: Vec<&str> =
        step.run.stdout.lines().filter(|line| line.starts_with("::notice")).collect();
    assert!(matches!(notices.as_slice(), [one] if one.contains("fork")), "{:?}", step.run);
    assert_eq!(scene.world.github.writes(), []);
    assert_eq!(scene.world.lab.count(), 0);
}

#[test]
fn a_fault_in_a_forks_files_is_found_offline() {
    let scene = Scene::new(false);
    let other = PATH.replace("INFRA-1-first", "INFRA-1-twice");
    let text = story("INFRA-1", "Twice", "DRAFT", "Text.\n");
    let head = scene.world.github.push("feature", &[(&other, Some(&text))], "twice");
    let env = [("NOTION_TOKEN", ""), ("NOTION_PARENT_PAGE_ID", "")];
    let payload = scene.fork_payload();
    let args = ["auto", "--fail-on", "finding"];
    let step = scene.world.step_with(&head, "pull_request", &payload, &args, &env).expect(1);
    assert!(step.run.stdout.contains("INFRA-1"), "{:?}", step.run);
}

#[test]
fn the_pull_request_that_brings_agent_sync_is_clean() {
    let world = World::bare();
    let text = story("INFRA-1", "First", "DRAFT", "Text.\n");
    let files = [("agent-sync.yml", Some(CONFIG)), (PATH, Some(text.as_str()))];
    let head = world.github.push("feature", &files, "introduce agent-sync");
    let pull = json!({"title": "agent-sync", "head": "feature", "base": "main"});
    let number = world.github.ask(ADA, "POST", "/pulls", pull)["number"].as_u64().unwrap();
    let scene = Scene { world, number, head };
    scene.world.github.forget();
    let step = scene.check().expect(0);
    assert!(step.run.stdout.contains("would create the databases"), "{:?}", step.run);
    assert_eq!((scene.world.github.writes(), scene.world.lab.count()), (vec![], 0));
}

#[test]
fn the_configuration_of_a_branch_is_not_used() {
    let scene = Scene::new(false);
    // It would share what the base does not, and keep the state elsewhere.
    let hostile = CONFIG.replace("[story, plan, adr]", "[story, plan, adr, runbook]")
        + "state: {ref: refs/agent-sync/elsewhere}\n";
    let files = [("agent-sync.yml", Some(hostile.as_str()))];
    let head = scene.world.github.push("feature", &files, "hostile configuration");
    let step = scene.world.step(&head, "pull_request", &scene.payload(), &["auto"]).expect(0);
    let seen = scene.world.github.seen();
    assert!(seen.iter().all(|one| !one.path.contains("elsewhere")), "{seen:#?}");
    assert_eq!(step.outputs["outcome"], "clean");
}

#[test]
fn a_checkout_of_the_head_with_secrets_is_refused() {
    let scene = Scene::new(true);
    let payload = scene.payload();
    let step = scene.world.step(&scene.head, "pull_request_target", &payload, &["auto"]);
    let step = step.expect(2);
    assert!(step.run.stdout.contains("pull_request_target"), "{:?}", step.run);
    assert_eq!((scene.world.github.writes(), scene.world.lab.count()), (vec![], 0));
    // With the base checked out the branch is data.
    let base = scene.world.github.head("main");
    scene.world.step(&base, "pull_request_target", &payload, &["auto"]).expect(1);
    assert_eq!(scene.comments().len(), 1);
    let configuration =
        |seen: &&Seen| seen.body["variables"].to_string().contains(":agent-sync.yml");
    assert_eq!(scene.world.github.seen().iter().filter(configuration).count(), 1);
}

#[test]
fn a_permission_that_is_missing_is_named() {
    let forbidden = || {
        let message = json!({"message": "Resource not accessible by integration"});
        Some(Fault::Answer(403, Vec::new(), message))
    };
    for (path, line) in [("/statuses/", "statuses: write"), ("/issues/", "pull-requests: write")] {
        let scene = Scene::new(true);
        scene.world.github.rule(move |seen| {
            (seen.is_write() && seen.path.starts_with(path)).then(forbidden).flatten()
        });
        let step = scene.check().expect(1);
        assert!(step.run.stdout.contains(line), "{line}: {:?}", step.run);
    }
    let scene = Scene::new(false);
    scene.world.github.rule(move |seen| seen.is_write().then(forbidden).flatten());
    scene.check().expect(3);
    let step = scene.world.pushed(&["auto"]).expect(3);
    assert!(step.run.stdout.contains("contents: write"), "{:?}", step.run);
}

#[test]
fn a_job_without_a_token_is_told_which_input_it_lacks() {
    let scene = Scene::new(false);
    let payload = scene.payload();
    let env = [("GITHUB_TOKEN", "")];
    let step = scene.world.step_with(&scene.head, "pull_request", &payload, &["auto"], &env);
    let step = step.expect(2);
    assert!(step.run.stdout.contains("github-token"), "{:?}", step.run);
}
