//! What came from Notion, on its way to the default branch.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::common::github::{ADA, Fault, Seen, VIEWER};
use crate::common::story;
use crate::job::{CONFIG, Step, World};

const BRANCH: &str = "agent-sync/notion";
const LEASE: [&str; 4] = [
    "POST /git/commits",
    "PATCH /git/refs/agent-sync/state-lease",
    "POST /git/commits",
    "PATCH /git/refs/agent-sync/state-lease",
];

pub(crate) fn path(n: usize) -> String {
    format!(".agent/cache/stories/INFRA/INFRA-{n}-story-{n}.md")
}

pub(crate) fn text(n: usize, second: &str) -> String {
    let body = format!("## Problem\n\nOne paragraph.\n\n{second}\n\nThe end.\n");
    story(&format!("INFRA-{n}"), &format!("Story {n}"), "DRAFT", &body)
}

/// Three synced stories. What comes back from Notion goes by the default, a pull request.
pub(crate) fn world() -> World {
    with(CONFIG)
}

fn with(config: &str) -> World {
    let files: Vec<(String, String)> = (1..=3).map(|n| (path(n), text(n, "Another."))).collect();
    let mut all = vec![("agent-sync.yml", config)];
    all.extend(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let world = World::new(&all);
    world.pushed(&["init"]).expect(0);
    world.pushed(&["sync"]).expect(0);
    world.lab.minutes(5);
    world.pushed(&["sync"]).expect(0);
    world.lab.minutes(5);
    forget(&world);
    world
}

fn forget(world: &World) {
    world.github.forget();
    world.lab.sim.reset_requests();
}

/// Somebody changes the second paragraph of a story in Notion.
pub(crate) fn edit(world: &World, n: usize, old: &str, new: &str) {
    world.lab.edit("Stories", &format!("INFRA-{n}"), old, new);
    world.lab.minutes(5);
}

#[track_caller]
pub(crate) fn sync(world: &World, code: i32) -> Step {
    forget(world);
    world.pushed(&["sync", "--format", "json"]).expect(code)
}

/// A run that asks little and changes nothing anywhere, after one that may read pages that are due again, and record
/// that (rule 14).
#[track_caller]
pub(crate) fn calm(world: &World, requests: usize) -> Step {
    sync(world, 0);
    due(world);
    let state = state(world);
    let step = sync(world, 0);
    assert_eq!(written(world), LEASE);
    assert_eq!(world.lab.writes(), 0);
    assert_eq!(self::state(world), state);
    cost(world, requests);
    step
}

/// The last run has written its lease and its state at most.
#[track_caller]
fn due(world: &World) {
    let others: Vec<String> = (written(world).into_iter())
        .filter(|one| !one.contains("/agent-sync/state"))
        .filter(|one| one != "POST /git/commits" && one != "POST /git/trees")
        .collect();
    assert_eq!((others, world.lab.writes()), (Vec::new(), 0));
    world.lab.minutes(5);
}

fn state(world: &World) -> Value {
    world.github.ask(ADA, "GET", "/git/ref/agent-sync/state", Value::Null)["object"]["sha"].clone()
}

fn lines(all: Vec<Seen>) -> Vec<String> {
    all.into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

fn written(world: &World) -> Vec<String> {
    lines(world.github.writes())
}

#[track_caller]
fn cost(world: &World, requests: usize) {
    let seen = lines(world.github.seen());
    assert_eq!(seen.len(), requests, "{seen:#?}");
}

/// All pull requests, oldest first.
pub(crate) fn pulls(world: &World) -> Vec<Value> {
    let path = "/pulls?state=all&direction=asc";
    let all = world.github.ask(ADA, "GET", path, Value::Null);
    all.as_array().unwrap().clone()
}

#[track_caller]
pub(crate) fn only_pull(world: &World) -> Value {
    let mut pulls = pulls(world);
    assert_eq!(pulls.len(), 1, "{pulls:#?}");
    pulls.remove(0)
}

pub(crate) fn number(pull: &Value) -> u64 {
    pull["number"].as_u64().unwrap()
}

/// Files of the branch that are not as on the default branch: path and text, or nothing where the file is gone.
pub(crate) fn difference(world: &World) -> BTreeMap<String, Option<String>> {
    let (main, branch) = (world.github.head("main"), world.github.head(BRANCH));
    let (main, branch) = (world.github.files(&main), world.github.files(&branch));
    let mut changed: BTreeMap<String, Option<String>> = branch
        .iter()
        .filter(|(path, text)| main.get(*path) != Some(text))
        .map(|(path, text)| (path.clone(), Some(text.clone())))
        .collect();
    let gone = main.keys().filter(|path| !branch.contains_key(*path));
    changed.extend(gone.map(|path| (path.clone(), None)));
    changed
}

pub(crate) fn brings(all: &[(usize, &str)]) -> BTreeMap<String, Option<String>> {
    all.iter().map(|(n, second)| (path(*n), Some(text(*n, second)))).collect()
}

fn branch_exists(world: &World) -> bool {
    let path = format!("/git/matching-refs/heads/{BRANCH}");
    !world.github.ask(ADA, "GET", &path, Value::Null).as_array().unwrap().is_empty()
}

fn parents(world: &World, commit: &str) -> Vec<String> {
    let commit = world.github.commit(commit);
    let all = commit["parents"].as_array().unwrap().iter();
    all.map(|parent| parent["sha"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn notices(step: &Step) -> String {
    step.run.json()["notices"].to_string()
}

pub(crate) fn close(world: &World, number: u64) {
    world.github.ask(ADA, "PATCH", &format!("/pulls/{number}"), json!({"state": "closed"}));
}

#[test]
fn an_edit_in_notion_becomes_one_pull_request_that_follows_it() {
    let world = world();
    let main = world.github.head("main");
    edit(&world, 1, "Another.", "Another, from Notion.");
    forget(&world);
    let step = world.pushed(&["sync"]).expect(0);
    cost(&world, 20);
    assert_eq!(world.lab.writes(), 0);
    assert_eq!(world.github.head("main"), main);
    let pull = only_pull(&world);
    assert_eq!(pull["user"]["login"], VIEWER);
    assert_eq!((&pull["head"]["ref"], &pull["base"]["ref"]), (&json!(BRANCH), &json!("main")));
    assert_eq!(step.outputs["pull-request-url"], pull["html_url"].as_str().unwrap());
    assert_eq!(pull["title"], "Take INFRA-1 over from Notion");
    let body = pull["body"].as_str().unwrap();
    assert!(body.contains("story INFRA-1"), "{body}");
    assert!(body.contains("| changed | Ada | changed in Notion: body |"), "{body}");
    assert_eq!(difference(&world), brings(&[(1, "Another, from Notion.")]));
    let head = world.github.head(BRANCH);
    assert_eq!(parents(&world, &head), [main]);
    let commit = world.github.commit(&head);
    let message = commit["message"].as_str().unwrap();
    let tree = commit["tree"]["sha"].as_str().unwrap();
    assert!(message.contains("\n\nAgent-Sync-Run: 20"), "{message}");
    assert!(message.trim_end().ends_with(&format!("\nAgent-Sync-Tree: {tree}")), "{message}");
    let status = ("agent-sync/conflicts", "success", "Nothing is in conflict");
    let status = (status.0.to_owned(), status.1.to_owned(), status.2.to_owned());
    assert_eq!(world.github.statuses(&head), [status]);

    world.lab.minutes(5);
    calm(&world, 12);

    edit(&world, 2, "Another.", "And a second one.");
    sync(&world, 0);
    cost(&world, 21);
    let again = only_pull(&world);
    assert_eq!(again["title"], "Take 2 changes over from Notion");
    assert!(again["body"].as_str().unwrap().contains("story INFRA-2"));
    let both = brings(&[(1, "Another, from Notion."), (2, "And a second one.")]);
    assert_eq!(difference(&world), both);
    assert_eq!(parents(&world, &world.github.head(BRANCH)), [head]);
    world.lab.minutes(5);
    calm(&world, 12);

    // What is changed back leaves it, in place.
    edit(&world, 2, "And a second one.", "Another.");
    sync(&world, 0);
    assert_eq!(difference(&world), brings(&[(1, "Another, from Notion.")]));
    assert_eq!(only_pull(&world)["title"], "Take INFRA-1 over from Notion");
}

#[test]
fn after_a_merge_nothing_is_left_to_do() {
    for squash in [false, true] {
        let world = world();
        edit(&world, 1, "Another.", "Another, from Notion.");
        sync(&world, 0);
        let pull = only_pull(&world);
        world.github.merge(number(&pull), squash);
        world.lab.minutes(5);
        // The proposals are taken over, and the merge is no decision against anything.
        sync(&world, 0);
        cost(&world, 18 - usize::from(squash));
        assert_eq!(world.lab.writes(), 0);
        world.lab.minutes(5);
        let step = calm(&world, 9);
        assert_eq!(notices(&step), "[]");

        // The branch that was left goes on, never back.
        let (left, main) = (world.github.head(BRANCH), world.github.head("main"));
        edit(&world, 1, "Another, from Notion.", "Once more.");
        sync(&world, 0);
        cost(&world, 21);
        assert_eq!(pulls(&world).len(), 2);
        assert_eq!(difference(&world), brings(&[(1, "Once more.")]));
        let expected = if squash { vec![left, main] } else { vec![main] };
        assert_eq!(parents(&world, &world.github.head(BRANCH)), expected);
        world.lab.minutes(5);
        calm(&world, 12);
    }
}

#[test]
fn a_pull_request_closed_unmerged_leaves_exactly_its_versions_out() {
    let world = world();
    edit(&world, 1, "Another.", "Not this.");
    edit(&world, 2, "Another.", "Nor that.");
    sync(&world, 0);
    close(&world, number(&only_pull(&world)));
    world.lab.minutes(5);
    let step = sync(&world, 0);
    assert!(
        notices(&step).contains("story/INFRA-1 (#1), story/INFRA-2 (#1)"),
        "{}",
        notices(&step)
    );
    assert_eq!(pulls(&world).len(), 1);
    world.lab.minutes(5);
    calm(&world, 10);
    assert!(world.lab.body("Stories", "INFRA-1").contains("Not this."));

    edit(&world, 1, "Not this.", "But this.");
    let step = sync(&world, 0);
    assert_eq!(pulls(&world).len(), 2);
    assert_eq!(difference(&world), brings(&[(1, "But this.")]));
    assert!(notices(&step).contains("story/INFRA-2 (#1)"), "{}", notices(&step));
    assert!(!notices(&step).contains("INFRA-1"));
    world.lab.minutes(5);
    calm(&world, 12);

    // A version that was there once before is another one when it comes back.
    edit(&world, 1, "But this.", "Not this.");
    sync(&world, 0);
    assert_eq!(difference(&world), brings(&[(1, "Not this.")]));

    // Reopened, it is wanted again.
    close(&world, 2);
    world.lab.minutes(5);
    sync(&world, 0);
    world.github.ask(ADA, "PATCH", "/pulls/2", json!({"state": "open"}));
    edit(&world, 3, "Another.", "A third.");
    sync(&world, 0);
    assert_eq!(pulls(&world).len(), 2);
    assert_eq!(difference(&world), brings(&[(1, "Not this."), (3, "A third.")]));
}

#[test]
fn what_is_changed_back_in_notion_closes_the_pull_request() {
    let world = world();
    edit(&world, 1, "Another.", "Not yet.");
    sync(&world, 0);
    let left = world.github.head(BRANCH);
    edit(&world, 1, "Not yet.", "Another.");
    let step = sync(&world, 0);
    let pull = only_pull(&world);
    assert_eq!(pull["state"], "closed");
    assert!(pull["body"].as_str().unwrap().contains("Nothing is left"), "{pull}");
    assert!(notices(&step).contains("was closed"));
    assert_eq!(world.github.head(BRANCH), left);
    world.lab.minutes(5);
    calm(&world, 9);
    // That was nobody's decision.
    edit(&world, 1, "Another.", "Not yet.");
    sync(&world, 0);
    assert_eq!(pulls(&world).len(), 2);
    assert_eq!(difference(&world), brings(&[(1, "Not yet.")]));
}

#[test]
fn what_others_push_to_the_branch_stays() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    sync(&world, 0);
    let theirs = text(1, "From Notion, and better.");
    let pushed = world.github.push(BRANCH, &[(&path(1), Some(&theirs))], "Improve it");
    edit(&world, 2, "Another.", "Later.");
    let step = sync(&world, 0);
    cost(&world, 19);
    assert!(notices(&step).contains("Somebody else's commits"), "{}", notices(&step));
    assert_eq!(world.github.head(BRANCH), pushed);
    let pull = only_pull(&world);
    assert!(pull["body"].as_str().unwrap().starts_with("> [!IMPORTANT]"), "{pull}");
    assert!(pull["body"].as_str().unwrap().contains("story INFRA-1"), "{pull}");
    assert_eq!(world.github.statuses(&pushed)[0].1, "success");
    // It is said once.
    world.lab.minutes(5);
    sync(&world, 0);
    due(&world);
    sync(&world, 0);
    assert_eq!(written(&world), LEASE);

    // Also when nothing of ours is left.
    edit(&world, 1, "From Notion.", "Another.");
    edit(&world, 2, "Later.", "Another.");
    sync(&world, 0);
    assert_eq!(only_pull(&world)["state"], "open");
    assert_eq!(world.github.head(BRANCH), pushed);

    // Merged, it is an edit in the repository like any other.
    edit(&world, 2, "Another.", "Later.");
    world.github.merge(number(&pull), true);
    world.lab.minutes(5);
    sync(&world, 0);
    assert!(world.lab.body("Stories", "INFRA-1").contains("From Notion, and better."));
    // The rest is still on a branch with commits that are not ours.
    assert_eq!(world.github.head(BRANCH), pushed);
}

#[test]
fn a_commit_of_ours_that_somebody_rebuilt_is_theirs() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    sync(&world, 0);
    let message = world.github.commit(&world.github.head(BRANCH))["message"].clone();
    let theirs = text(1, "Amended.");
    let message = message.as_str().unwrap();
    let pushed = world.github.push(BRANCH, &[(&path(1), Some(&theirs))], message);
    edit(&world, 1, "From Notion.", "From Notion again.");
    sync(&world, 0);
    assert_eq!(world.github.head(BRANCH), pushed);
}

#[test]
fn others_commits_that_change_nothing_do_not_stop_it() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    sync(&world, 0);
    let same = text(1, "From Notion.");
    let pushed = world.github.push(BRANCH, &[(&path(1), Some(&same))], "Start the checks");
    world.lab.minutes(5);
    let step = sync(&world, 0);
    assert_eq!(world.github.head(BRANCH), pushed);
    assert!(!notices(&step).contains("Somebody"), "{}", notices(&step));
    assert_eq!(world.github.statuses(&pushed)[0].1, "success");
    world.lab.minutes(5);
    calm(&world, 12);
}

/// Runs a sync; at the first request that `when` picks, before it is done, `then` happens.
fn interrupted(
    world: &World,
    env: &[(&str, &str)],
    code: i32,
    when: impl Fn(&Seen) -> bool + Send + 'static,
    then: impl FnOnce() + Send,
) -> Step {
    forget(world);
    let run = || world.pushed_with(&["sync", "--format", "json"], env);
    world.meanwhile(when, then, run).expect(code)
}

fn moves(reference: &'static str) -> impl Fn(&Seen) -> bool + Send + 'static {
    move |seen| seen.method == "PATCH" && seen.path == format!("/git/refs/{reference}")
}

#[test]
fn a_push_between_our_read_and_our_write_wins() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    sync(&world, 0);
    edit(&world, 1, "From Notion.", "From Notion again.");
    let theirs = text(1, "By hand.");
    let step = interrupted(&world, &[], 0, moves("heads/agent-sync/notion"), || {
        world.github.push(BRANCH, &[(&path(1), Some(&theirs))], "By hand");
    });
    assert_eq!(difference(&world), brings(&[(1, "By hand.")]));
    assert!(notices(&step).contains("Somebody else's commits"), "{}", notices(&step));
}

#[test]
fn a_branch_that_is_made_between_our_read_and_our_write_is_not_ours() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    let makes = |seen: &Seen| {
        (seen.method.as_str(), seen.path.as_str()) == ("POST", "/git/refs")
            && seen.body["ref"] == format!("refs/heads/{BRANCH}")
    };
    let step = interrupted(&world, &[], 0, makes, || {
        world.github.push(BRANCH, &[("x.md", Some("theirs"))], "By hand");
    });
    assert_eq!(difference(&world).keys().collect::<Vec<_>>(), ["x.md"]);
    assert!(notices(&step).contains("Delete the branch"), "{}", notices(&step));
    assert_eq!(pulls(&world), [] as [Value; 0]);
}

#[test]
fn a_default_branch_that_moves_meanwhile_is_taken_up_by_the_next_run() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    let makes = |seen: &Seen| {
        let message = seen.body["message"].as_str().unwrap_or_default();
        seen.path == "/git/commits" && message.starts_with("Take ")
    };
    interrupted(&world, &[], 0, makes, || {
        world.github.push("main", &[("README.md", Some("new"))], "Other work");
    });
    let (old, main) = (world.github.head(BRANCH), world.github.head("main"));
    assert_eq!(difference(&world).len(), 2);
    world.lab.minutes(5);
    sync(&world, 0);
    cost(&world, 22);
    assert_eq!(difference(&world), brings(&[(1, "From Notion.")]));
    assert_eq!(parents(&world, &world.github.head(BRANCH)), [old, main]);
    assert_eq!(only_pull(&world)["state"], "open");
    world.lab.minutes(5);
    calm(&world, 12);
}

#[test]
fn a_merge_during_the_run_leaves_it_to_the_next_one() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    sync(&world, 0);
    let pull = only_pull(&world);
    edit(&world, 2, "Another.", "Later.");
    let asks = |seen: &Seen| seen.body["query"].to_string().contains("pullRequest(");
    let step = interrupted(&world, &[], 0, asks, || {
        world.github.merge(number(&pull), true);
    });
    assert_eq!(step.run.json()["outcome"], "superseded");
    assert_eq!(pulls(&world).len(), 1);
    world.lab.minutes(5);
    sync(&world, 0);
    assert_eq!(difference(&world), brings(&[(2, "Later.")]));
}

const PUSH: [(&str, &str); 1] = [("INPUT_PUBLISH", "push")];

#[test]
fn pushed_to_the_default_branch_it_is_one_commit() {
    let world = with(&format!("{CONFIG}publish: push\n"));
    let main = world.github.head("main");
    edit(&world, 1, "Another.", "From Notion.");
    edit(&world, 2, "Another.", "From Notion too.");
    sync(&world, 0);
    cost(&world, 18);
    let head = world.github.head("main");
    assert_eq!(parents(&world, &head), [main]);
    let files = world.github.files(&head);
    assert_eq!(files[&path(1)], text(1, "From Notion."));
    assert_eq!(files[&path(2)], text(2, "From Notion too."));
    assert!(!branch_exists(&world) && pulls(&world).is_empty());
    let made = world.github.writes();
    let made = made.iter().find(|seen| {
        seen.path == "/git/commits" && seen.body["message"].to_string().contains("Take 2")
    });
    // GitHub signs it as the bot only where nobody is named.
    let body = made.unwrap().body.as_object().unwrap().clone();
    assert!(!body.contains_key("author") && !body.contains_key("committer"), "{body:?}");
    world.lab.minutes(5);
    sync(&world, 0);
    assert_eq!(world.lab.writes(), 0);
    world.lab.minutes(5);
    calm(&world, 9);
}

#[test]
fn a_push_never_goes_on_top_of_a_branch_that_moved() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    let mut theirs = String::new();
    let step = interrupted(&world, &PUSH, 0, moves("heads/main"), || {
        theirs = world.github.push("main", &[("README.md", Some("new"))], "Other work");
    });
    assert_eq!(world.github.head("main"), theirs);
    assert_eq!(step.run.json()["outcome"], "superseded");
    assert!(step.run.json()["error"].as_str().unwrap().contains("newer run"));
    forget(&world);
    world.lab.minutes(5);
    world.pushed_with(&["sync"], &PUSH).expect(0);
    let head = world.github.head("main");
    assert_eq!(parents(&world, &head), [theirs]);
    assert_eq!(world.github.files(&head)[&path(1)], text(1, "From Notion."));
}

#[test]
fn a_protected_branch_is_named() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    for status in [403, 422] {
        world.github.rule(move |seen| {
            let message = "Changes must be made through a pull request.";
            moves("heads/main")(seen)
                .then(|| Fault::Answer(status, Vec::new(), json!({"message": message})))
        });
        let step = world.pushed_with(&["sync", "--format", "json"], &PUSH).expect(3);
        let error = step.run.json()["error"].to_string();
        assert!(error.contains("protection of the branch `main`"), "{error}");
        assert!(error.contains("through a pull request"), "{error}");
        world.lab.minutes(5);
    }
}

#[test]
fn with_none_it_stays_in_the_working_tree() {
    let world = with(&format!("{CONFIG}publish: none\n"));
    edit(&world, 1, "Another.", "From Notion.");
    let step = sync(&world, 0);
    assert_eq!(step.file(&path(1)), text(1, "From Notion."));
    assert!(!branch_exists(&world) && pulls(&world).is_empty());
    cost(&world, 14);
}

#[test]
fn a_dry_run_and_other_branches_publish_nothing() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    world.pushed(&["sync", "--dry-run"]).expect(0);
    let head = world.github.push("feature", &[("x.md", Some("x"))], "feature");
    let env = [("GITHUB_REF", "refs/heads/feature")];
    let event = json!({"ref": "refs/heads/feature", "repository": crate::job::repository()});
    for args in [&["sync", "--any-branch"][..], &["pull"]] {
        world.step_with(&head, "push", &event, args, &env).expect(0);
    }
    assert!(!branch_exists(&world) && pulls(&world).is_empty());
}

#[test]
fn the_setting_that_is_off_is_named_and_nothing_is_made_twice() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    let message = "GitHub Actions is not permitted to create or approve pull requests.";
    for status in [403, 422] {
        world.github.rule(move |seen| {
            (seen.method == "POST" && seen.path == "/pulls")
                .then(|| Fault::Answer(status, Vec::new(), json!({"message": message})))
        });
        let step = sync(&world, 3);
        let error = step.run.json()["error"].to_string();
        assert!(error.contains("Allow GitHub Actions to create and approve"), "{error}");
        assert!(error.contains("Settings → Actions → General"), "{error}");
        world.lab.minutes(5);
    }
    world.github.no_rule();
    let head = world.github.head(BRANCH);
    sync(&world, 0);
    assert_eq!(world.github.head(BRANCH), head);
    assert_eq!(number(&only_pull(&world)), 1);
}

#[test]
fn answers_that_are_lost_make_nothing_twice() {
    for lost in ["/pulls", "/git/refs", "/git/refs/heads/agent-sync/notion"] {
        let world = world();
        if lost.ends_with("notion") {
            edit(&world, 2, "Another.", "Before.");
            sync(&world, 0);
        }
        edit(&world, 1, "Another.", "From Notion.");
        let mut once = true;
        world.github.rule(move |seen| {
            let hit = seen.is_write() && seen.path == lost;
            (hit && std::mem::take(&mut once)).then_some(Fault::Lost(502))
        });
        sync(&world, 0);
        world.github.no_rule();
        let commits = world.github.ask(
            ADA,
            "GET",
            &format!("/compare/main...{}", world.github.head(BRANCH)),
            Value::Null,
        );
        let expected = if lost.ends_with("notion") { 2 } else { 1 };
        assert_eq!(commits["total_commits"], expected, "{lost}");
        only_pull(&world);
        assert_eq!(difference(&world)[&path(1)], Some(text(1, "From Notion.")));
        world.lab.minutes(5);
        calm(&world, 12);
    }
}

#[test]
fn an_outage_of_pull_requests_is_told_and_the_next_run_goes_on() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    world.github.rule(|seen| {
        (seen.method == "POST" && seen.path == "/pulls")
            .then(|| Fault::Answer(502, Vec::new(), json!({"message": "Bad Gateway"})))
    });
    sync(&world, 4);
    let tries = world.github.writes().iter().filter(|seen| seen.path == "/pulls").count();
    assert_eq!(tries, 2);
    world.github.no_rule();
    world.lab.minutes(5);
    sync(&world, 0);
    only_pull(&world);
}

#[test]
fn files_that_are_made_removed_and_renamed() {
    let world = with(&format!("{CONFIG}kinds:\n  story: {{rename: follow}}\n"));
    {
        let page = |id: &str| world.lab.page("Stories", id);
        let (second, third) = (page("INFRA-2"), page("INFRA-3"));
        let mut workspace = world.lab.sim.workspace();
        workspace.create_page("Stories", "New", &[("ID", json!("INFRA-9"))], "Words.").unwrap();
        workspace.trash(&third).unwrap();
        workspace.rename(&second, "Better name").unwrap();
    }
    world.lab.minutes(5);
    sync(&world, 0);
    cost(&world, 21);
    let found = difference(&world);
    let new = ".agent/cache/stories/INFRA/INFRA-9-new.md".to_owned();
    let renamed = ".agent/cache/stories/INFRA/INFRA-2-better-name.md".to_owned();
    assert_eq!(
        found.iter().map(|(path, text)| (path.clone(), text.is_some())).collect::<Vec<_>>(),
        [(renamed.clone(), true), (path(2), false), (path(3), false), (new.clone(), true),]
    );
    assert!(found[&renamed].as_ref().unwrap().starts_with("# INFRA-2: Better name\n"));
    let body = only_pull(&world)["body"].as_str().unwrap().to_owned();
    for part in ["new file", "file deleted", "renamed from"] {
        assert!(body.contains(part), "{body}");
    }
    world.lab.minutes(5);
    calm(&world, 12);

    // Declined, the old name stays gone from what is proposed only together with the new one.
    close(&world, 1);
    world.lab.minutes(5);
    sync(&world, 0);
    edit(&world, 2, "Another.", "An edit after the rename.");
    sync(&world, 0);
    let found: Vec<(String, bool)> =
        difference(&world).into_iter().map(|(path, text)| (path, text.is_some())).collect();
    assert_eq!(found, [(renamed.clone(), true), (path(2), false)]);

    // The commit that the first pull request brought is now below the default branch, which never held its files.
    world.github.merge(2, false);
    world.lab.minutes(5);
    sync(&world, 0);
    assert_eq!(world.lab.writes(), 0);
    let files = world.github.files(&world.github.head("main"));
    assert!(files.contains_key(&renamed) && !files.contains_key(&path(2)));
    assert!(files.contains_key(&path(3)) && !files.contains_key(&new));
}

#[test]
fn titles_from_notion_act_nowhere() {
    let world = world();
    let title = "@ada fixes #1 [skip ci]\u{202e} <!-- agent-sync:v1 --> ::error::x | `code` ](x)";
    let page = world.lab.page("Stories", "INFRA-1");
    world.lab.sim.workspace().rename(&page, title).unwrap();
    let values = [("ID", json!("INFRA-7"))];
    world.lab.sim.workspace().create_page("Stories", title, &values, "Words.").unwrap();
    world.lab.minutes(5);
    let step = sync(&world, 0);
    let pull = only_pull(&world);
    assert_eq!(pull["title"], "Take 2 changes over from Notion");
    let body = pull["body"].as_str().unwrap();
    assert_eq!(body.matches("<!--").count(), 1, "{body}");
    assert!(!body.contains("@ada") && !body.contains("#1") && !body.contains("skip ci"), "{body}");
    let message = world.github.commit(&world.github.head(BRANCH))["message"].to_string();
    assert!(!message.contains('@') && !message.contains("[skip"), "{message}");
    assert!(!step.run.stderr.lines().any(|line| line.starts_with("::error")), "{:?}", step.run);
    world.lab.minutes(5);
    calm(&world, 12);
}

#[test]
fn a_run_over_some_artifacts_leaves_the_others_in_the_pull_request() {
    let world = world();
    edit(&world, 1, "Another.", "First.");
    sync(&world, 0);
    edit(&world, 2, "Another.", "Second.");
    edit(&world, 3, "Another.", "Third.");
    world.pushed(&["pull", "INFRA-2"]).expect(0);
    assert_eq!(difference(&world), brings(&[(1, "First."), (2, "Second.")]));
    let body = only_pull(&world)["body"].as_str().unwrap().to_owned();
    assert!(body.contains("INFRA-1") && body.contains("INFRA-2"), "{body}");
    world.lab.minutes(5);
    sync(&world, 0);
    assert_eq!(difference(&world), brings(&[(1, "First."), (2, "Second."), (3, "Third.")]));
    world.lab.minutes(5);
    calm(&world, 12);
}

#[test]
fn a_restored_file_stays_in_the_pull_request() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    sync(&world, 0);
    world.github.merge(1, true);
    world.lab.minutes(5);
    sync(&world, 0);
    world.lab.minutes(5);
    world.pushed(&["restore", "INFRA-1", "--side", "local"]).expect(0);
    assert_eq!(difference(&world), brings(&[(1, "Another.")]));
    // Later runs do not find it in Notion, and keep it; also where Notion goes on.
    world.lab.minutes(5);
    sync(&world, 0);
    world.lab.minutes(5);
    calm(&world, 10);
    edit(&world, 2, "Another.", "Second.");
    sync(&world, 0);
    assert_eq!(difference(&world), brings(&[(1, "Another."), (2, "Second.")]));
    world.github.merge(2, true);
    world.lab.minutes(5);
    sync(&world, 0);
    assert!(world.lab.body("Stories", "INFRA-1").contains("Another."));
    assert!(!world.lab.body("Stories", "INFRA-1").contains("From Notion."));
}

#[test]
fn conflicts_do_not_keep_the_rest_from_the_pull_request() {
    let world = world();
    edit(&world, 1, "Another.", "From Notion.");
    edit(&world, 2, "Another.", "Notion's.");
    world.github.push("main", &[(&path(2), Some(&text(2, "Git's.")))], "edit");
    sync(&world, 1);
    assert_eq!(difference(&world), brings(&[(1, "From Notion.")]));
    let status = &world.github.statuses(&world.github.head(BRANCH))[0];
    assert_eq!((status.1.as_str(), status.2.as_str()), ("failure", "1 conflict needs a decision"));
    world.lab.minutes(5);
    sync(&world, 1);
    due(&world);
    sync(&world, 1);
    assert_eq!(written(&world), LEASE);
}
