//! GitHub in trouble: limits, outages, lost answers. Each ends in the right code, and nothing is doubled.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::check::Scene;
use crate::common::github::{ADA, BOT, Fault, Seen};

/// The first so many requests that fit get this.
fn first(
    count: usize,
    fits: impl Fn(&Seen) -> bool + Send + 'static,
    fault: Fault,
) -> impl FnMut(&Seen) -> Option<Fault> + Send + 'static {
    let seen = AtomicUsize::new(0);
    move |request| {
        let hit = fits(request) && seen.fetch_add(1, Ordering::Relaxed) < count;
        hit.then(|| fault.clone())
    }
}

fn is_new_comment(seen: &Seen) -> bool {
    seen.method == "POST" && seen.path.ends_with("/comments")
}

#[test]
fn a_comment_whose_answer_was_lost_is_not_written_twice() {
    for status in [500, 502] {
        let scene = Scene::new(true);
        scene.world.github.rule(first(1, is_new_comment, Fault::Lost(status)));
        let step = scene.check().expect(1);
        assert_eq!(scene.comments().len(), 1);
        assert!(step.outputs["comment-url"].contains("issuecomment"));
        scene.world.github.no_rule();
        scene.check().expect(1);
        assert_eq!(scene.comments().len(), 1);
    }
}

#[test]
fn a_comment_that_was_not_written_is_written_by_the_next_check() {
    let scene = Scene::new(true);
    let fault = Fault::Answer(502, Vec::new(), json!({"message": "Server Error"}));
    scene.world.github.rule(first(1, is_new_comment, fault));
    // The conflict is the more important news, so the code stays.
    let step = scene.check().expect(1);
    assert!(step.run.stdout.contains("cannot be asked now"), "{:?}", step.run);
    assert!(scene.comments().is_empty());
    scene.check().expect(1);
    assert_eq!(scene.comments().len(), 1);
}

#[test]
fn of_two_first_checks_at_once_one_comment_is_left() {
    // What the other one writes: the same, or what it saw a moment earlier.
    for older in [false, true] {
        let scene = Scene::new(true);
        scene.check().expect(1);
        let (id, mut body) = scene.comments().remove(0);
        let github = &scene.world.github;
        github.ask(ADA, "DELETE", &format!("/issues/comments/{id}"), Value::Null);
        if older {
            let (text, fingerprint) = body.split_once("fingerprint=").unwrap();
            let old = format!("{text}fingerprint={}{}", "0".repeat(64), &fingerprint[64..]);
            body = old.replace("from Notion", "once");
        }
        let path = format!("/issues/{}/comments", scene.number);
        let other = || drop(github.ask(BOT, "POST", &path, json!({"body": body})));
        let step = scene.world.meanwhile(is_new_comment, other, || scene.check());
        let comments = scene.comments();
        assert_eq!(comments.len(), 1, "{comments:?}");
        assert!(comments[0].1.contains("Another one, from Notion."), "{comments:?}");
        let kept = format!("issuecomment-{}", comments[0].0);
        assert!(step.expect(1).outputs["comment-url"].ends_with(&kept));
        scene.world.github.forget();
        scene.check().expect(1);
        assert_eq!(scene.world.github.writes(), []);
    }
}

#[test]
fn a_secondary_limit_is_waited_out_as_long_as_it_says() {
    let scene = Scene::new(true);
    let message = json!({"message": "You have exceeded a secondary rate limit"});
    let fault = Fault::Answer(403, vec![("retry-after", "1".to_owned())], message);
    scene.world.github.rule(first(2, Seen::is_write, fault));
    scene.check().expect(1);
    assert_eq!(scene.comments().len(), 1);
    assert_eq!(scene.world.github.statuses(&scene.head).len(), 1);
}

#[test]
fn a_limit_that_lasts_too_long_ends_the_run() {
    let scene = Scene::new(false);
    let message = json!({"message": "API rate limit exceeded"});
    let headers = vec![("retry-after", "3600".to_owned())];
    scene.world.github.rule(move |_| Some(Fault::Answer(429, headers.clone(), message.clone())));
    let step = scene.check().expect(4);
    assert!(step.run.stdout.contains("rate limit"), "{:?}", step.run);
    assert_eq!(scene.world.github.seen().len(), 1, "nobody asks again before the time");
}

#[test]
fn a_lost_move_of_a_ref_is_found_and_not_repeated() {
    for wanted in ["/git/refs/agent-sync/state", "/git/refs/agent-sync/state-lease"] {
        let scene = Scene::new(false);
        scene.world.lab.edit("Stories", "INFRA-1", "The end.", "The end, from Notion.");
        scene.world.lab.minutes(5);
        let is_move = move |seen: &Seen| seen.method == "PATCH" && seen.path == wanted;
        scene.world.github.rule(first(1, is_move, Fault::Lost(500)));
        let step = scene.world.pushed(&["sync", "--format", "json"]).expect(0);
        assert_eq!(step.run.actions(), ["story/INFRA-1 pull"], "{wanted}");
        scene.world.github.no_rule();
        scene.world.lab.sim.reset_requests();
        scene.world.pushed(&["sync"]).expect(0);
        assert_eq!(scene.world.lab.writes(), 0);
    }
}

#[test]
fn an_outage_is_exit_4_before_anything_is_written() {
    let scene = Scene::new(false);
    scene.world.github.rule(|_| Some(Fault::Answer(503, Vec::new(), json!({}))));
    scene.world.pushed(&["sync"]).expect(4);
    assert_eq!(scene.world.lab.writes(), 0);
}

#[test]
fn a_token_that_is_not_known_is_refused() {
    let scene = Scene::new(false);
    // `emulate` takes an unknown token for nobody's and lets it read; GitHub does not.
    scene
        .world
        .github
        .rule(|_| Some(Fault::Answer(401, Vec::new(), json!({"message": "Bad credentials"}))));
    let step = scene.check().expect(3);
    assert!(step.run.stdout.contains("github-token"), "{:?}", step.run);
    assert_eq!(scene.world.github.seen().len(), 1);
}
