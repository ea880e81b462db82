//! A pull request: what it says of itself, and how it is answered.

use serde_json::{Value, json};

use crate::common::github::{ADA, REPOSITORY, VIEWER};
use crate::common::story;
use crate::job::{Runner, Step, World, repository};

pub(crate) const PATH: &str = ".agent/cache/stories/INFRA/INFRA-1-first.md";

/// A synced story, and a pull request that changes its second paragraph; Notion's is changed as well with `both`.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) number: u64,
    pub(crate) head: String,
}

pub(crate) fn text(second: &str) -> String {
    story(
        "INFRA-1",
        "First",
        "DRAFT",
        &format!("## Problem\n\nOne paragraph.\n\n{second}\n\nThe end.\n"),
    )
}

impl Scene {
    pub(crate) fn new(both: bool) -> Self {
        Self::with(Runner::Binary, both)
    }

    /// As [`Self::new`], for this runner.
    pub(crate) fn with(runner: Runner, both: bool) -> Self {
        let world = World::with(runner, &[(PATH, &text("Another one."))]);
        world.pushed(&["init"]).expect(0);
        world.pushed(&["sync"]).expect(0);
        world.lab.minutes(5);
        world.pushed(&["sync"]).expect(0);
        if both {
            world.lab.edit("Stories", "INFRA-1", "Another one.", "Another one, from Notion.");
            world.lab.minutes(5);
        }
        let edited = text("Another one, from Git.");
        world.github.push("feature", &[(PATH, Some(&edited))], "edit");
        Self { world, number: 0, head: String::new() }.with_branch("feature")
    }

    /// The same world with a pull request of another branch.
    pub(crate) fn with_branch(self, branch: &str) -> Self {
        let world = self.world;
        let body = json!({"title": "Edit", "head": branch, "base": "main"});
        let pull = world.github.ask(ADA, "POST", "/pulls", body);
        let number = pull["number"].as_u64().unwrap();
        let head = world.github.head(branch);
        world.github.forget();
        world.lab.sim.reset_requests();
        Self { world, number, head }
    }

    /// The event of the pull request.
    pub(crate) fn payload(&self) -> Value {
        let home = json!({"full_name": REPOSITORY});
        json!({
            "action": "synchronize",
            "pull_request": {
                "number": self.number,
                "head": {"sha": self.head, "ref": "feature", "repo": home},
                "base": {"sha": self.world.github.head("main"), "ref": "main", "repo": home},
            },
            "repository": repository(),
        })
    }

    /// The check as the pull request starts it.
    pub(crate) fn check(&self) -> Step {
        self.world.step(&self.head, "pull_request", &self.payload(), &["check"])
    }

    /// Comments of ours on the pull request: id and text.
    pub(crate) fn comments(&self) -> Vec<(u64, String)> {
        let path = format!("/issues/{}/comments", self.number);
        let all = self.world.github.ask(ADA, "GET", &path, Value::Null);
        let ours = all.as_array().unwrap().iter().filter(|one| one["user"]["login"] == VIEWER);
        ours.map(|one| (one["id"].as_u64().unwrap(), one["body"].as_str().unwrap().to_owned()))
            .collect()
    }
}

#[test]
fn a_clean_pull_request_gets_a_green_status_and_no_comment() {
    let scene = Scene::new(false);
    scene.check().expect(0);
    let seen = scene.world.github.seen();
    let list: Vec<String> = seen.iter().map(|s| format!("{} {}", s.method, s.path)).collect();
    assert_eq!(seen.len(), 7, "{list:#?}");
    assert_eq!(scene.comments(), []);
    let statuses = scene.world.github.statuses(&scene.head);
    let expected = ("agent-sync/conflicts", "success", "Nothing is in conflict");
    let expected = (expected.0.to_owned(), expected.1.to_owned(), expected.2.to_owned());
    assert_eq!(statuses, [expected]);
    assert_eq!(scene.world.lab.writes(), 0);

    scene.world.github.forget();
    scene.check().expect(0);
    assert_eq!(scene.world.github.writes(), []);
    let seen = scene.world.github.seen();
    let list: Vec<String> = seen.iter().map(|s| format!("{} {}", s.method, s.path)).collect();
    assert_eq!(seen.len(), 6, "{list:#?}");
}

#[test]
fn a_clash_blocks_the_pull_request_and_is_told_once() {
    let scene = Scene::new(true);
    let step = scene.check().expect(1);
    let comments = scene.comments();
    let [(_, body)] = comments.as_slice() else { panic!("{comments:?}") };
    assert!(body.contains("Another one, from Notion.") && body.contains("Another one, from Git."));
    assert_eq!(scene.world.github.statuses(&scene.head)[0].1, "failure");
    assert_eq!(step.outputs["outcome"], "conflicts");
    assert_eq!(step.outputs["conflicts"], "1");
    assert!(step.outputs["comment-url"].contains("issuecomment"), "{:?}", step.outputs);
    assert!(step.summary.contains("Another one, from Notion."), "{}", step.summary);
    let annotation = step.run.stdout.lines().find(|line| line.starts_with("::error")).unwrap();
    assert!(annotation.contains(&format!("file={PATH},line=11")), "{annotation}");
    // The day is Notion's.
    let since = " since 2026-11-20 (page last edited by Ada, 2026-11-20 10:05 UTC).";
    assert!(annotation.contains(since) && body.contains("last edited by Ada"), "{annotation}");

    scene.world.github.forget();
    scene.check().expect(1);
    assert_eq!(scene.world.github.writes(), []);
    assert_eq!(scene.comments().len(), 1);
}

#[test]
fn a_check_that_is_forced_or_looks_at_a_part_hides_nothing() {
    let scene = Scene::new(true);
    scene.check().expect(1);
    let payload = scene.payload();
    let env = [("INPUT_FORCE", "local")];
    let args = ["auto"];
    scene.world.step_with(&scene.head, "pull_request", &payload, &args, &env).expect(1);
    scene.world.github.forget();
    scene.world.step(&scene.head, "pull_request", &payload, &["check", "--kind", "adr"]).expect(0);
    assert_eq!(scene.world.github.writes(), []);
    assert_eq!(scene.world.github.statuses(&scene.head)[0].1, "failure");
}

#[test]
fn a_merge_queue_gets_the_status_that_it_requires() {
    for both in [false, true] {
        let scene = Scene::new(both);
        let group = json!({
            "head_sha": scene.head,
            "head_ref": "refs/heads/gh-readonly-queue/main/pr-1-5ea3e94",
            "base_sha": scene.world.github.head("main"),
            "base_ref": "refs/heads/main",
        });
        let payload = json!({
            "action": "checks_requested",
            "merge_group": group,
            "repository": repository(),
        });
        let step = scene.world.step(&scene.head, "merge_group", &payload, &["auto"]);
        let step = step.expect(i32::from(both));
        let status = scene.world.github.statuses(&scene.head).remove(0);
        assert_eq!(status.0, "agent-sync/conflicts");
        assert_eq!(status.1, if both { "failure" } else { "success" });
        // There is nothing to comment on, and nobody is sent to a comment below.
        assert_eq!(scene.comments(), []);
        assert!(!step.run.stdout.contains("comment below"), "{:?}", step.run);
        assert_eq!(scene.world.lab.writes(), 0);
    }
}
