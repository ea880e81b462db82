//! What a sync knows of its pull request, and what it does where GitHub does not say it.

use serde_json::{Value, json};

use crate::common::github::{ADA, Fault, Seen};
use crate::job::World;
use crate::publish::{
    brings, calm, close, difference, edit, only_pull, path, pulls, sync, text, world,
};

fn asks(seen: &Seen) -> bool {
    seen.body["query"].as_str().is_some_and(|query| query.contains("pullRequests("))
}

/// An answer of GraphQL without a value at this place.
fn without(field: &str, kind: &str) -> Fault {
    let path = json!(["repository", field]);
    let error =
        json!({"type": kind, "path": path, "message": "Resource not accessible by integration"});
    let data =
        json!({"repository": {"branch": null, "base": null, "onto": null, "pullRequests": null}});
    Fault::Answer(200, Vec::new(), json!({"data": data, "errors": [error]}))
}

#[test]
fn a_token_that_may_not_see_pull_requests_is_told_which_line_is_missing() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    world.github.rule(|seen| asks(seen).then(|| without("pullRequests", "FORBIDDEN")));
    let step = sync(&world, 3);
    let error = step.run.json()["error"].to_string();
    assert!(error.contains("pull-requests: write"), "{error}");
    assert_eq!(pulls(&world), [] as [Value; 0]);
    world.github.no_rule();
    world.lab.minutes(5);
    sync(&world, 0);
    assert_eq!(difference(&world), brings(&[(1, "From Notion.")]));
}

#[test]
fn a_pull_request_that_is_not_there_any_more_is_opened_anew() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    sync(&world, 0);
    only_pull(&world);
    // As after the repository was made again from a clone.
    let mut once = true;
    world.github.rule(move |seen| {
        (asks(seen) && std::mem::take(&mut once)).then(|| {
            let error = json!({"type": "NOT_FOUND", "path": ["repository", "pullRequest"], "message": "No such"});
            let found = json!({"branch": null, "base": null, "onto": null, "pullRequest": null, "pullRequests": {"nodes": []}});
            Fault::Answer(200, Vec::new(), json!({"data": {"repository": found}, "errors": [error]}))
        })
    });
    sync(&world, 0);
    world.github.no_rule();
    assert_eq!(difference(&world), brings(&[(1, "From Notion.")]));
    only_pull(&world);
    calm(&world, 12);
}

#[test]
fn a_pull_request_whose_record_was_lost_is_found_again() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    // The one commit of the state comes after the pull request.
    let state = |seen: &Seen| seen.method == "PATCH" && seen.path.ends_with("/agent-sync/state");
    world.github.rule(move |seen| {
        state(seen).then(|| Fault::Answer(502, Vec::new(), json!({"message": "Bad Gateway"})))
    });
    sync(&world, 4);
    only_pull(&world);
    world.github.no_rule();
    world.lab.minutes(5);
    sync(&world, 0);
    only_pull(&world);
    assert_eq!(difference(&world), brings(&[(1, "From Notion.")]));
    world.lab.minutes(5);
    calm(&world, 12);
}

/// Artifacts with something that waits for the default branch.
fn proposed(world: &World) -> Vec<String> {
    let state = world.github.ask(ADA, "GET", "/git/ref/agent-sync/state", Value::Null);
    let files = world.github.files(state["object"]["sha"].as_str().unwrap());
    let records = files["index.jsonl"].lines().map(|line| serde_json::from_str(line).unwrap());
    let open = records.filter(|record: &Value| !record["proposed"].is_null());
    open.map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_a_person_did_not_want_is_no_proposal_any_more() {
    let world = world();
    edit(&world, 1, "Another.", "Not this.");
    edit(&world, 2, "Another.", "This later.");
    sync(&world, 0);
    assert_eq!(proposed(&world), ["INFRA-1", "INFRA-2"]);
    close(&world, 1);
    edit(&world, 2, "This later.", "This now.");
    sync(&world, 0);
    assert_eq!(proposed(&world), ["INFRA-2"]);
    assert_eq!(difference(&world), brings(&[(2, "This now.")]));
    world.lab.minutes(5);
    calm(&world, 12);
    assert_eq!(proposed(&world), ["INFRA-2"]);

    // Somebody takes it over by hand after all: both sides are equal, and that is agreed.
    world.github.push("main", &[(&path(1), Some(&text(1, "Not this.")))], "After all");
    world.lab.minutes(5);
    let step = sync(&world, 0);
    assert_eq!(step.run.json()["conflicts"], json!([]));
    assert_eq!(world.lab.writes(), 0);
    edit(&world, 1, "Not this.", "And on from there.");
    sync(&world, 0);
    assert_eq!(difference(&world), brings(&[(1, "And on from there."), (2, "This now.")]));
}
