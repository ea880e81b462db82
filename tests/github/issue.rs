//! Conflicts on the default branch live in one issue and are answered there.

use serde_json::{Value, json};

use crate::check::{PATH, Scene};
use crate::common::github::{ADA, VIEWER};
use crate::job::{Step, repository};

impl Scene {
    /// Both sides changed, and the branch is merged before anybody looked.
    fn clash_on_main() -> Self {
        let scene = Self::new(true);
        let path = format!("/pulls/{}/merge", scene.number);
        scene.world.github.ask(ADA, "PUT", &path, json!({}));
        scene.world.github.forget();
        scene
    }

    fn sync(&self) -> Step {
        self.world.pushed(&["auto"])
    }

    /// Our issues: number, state, text.
    pub(crate) fn issues(&self) -> Vec<(u64, String, String)> {
        let all = self.world.github.ask(ADA, "GET", "/issues?state=all", Value::Null);
        let ours = all.as_array().unwrap().iter().filter(|one| one["user"]["login"] == VIEWER);
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        ours.filter(|one| one["pull_request"].is_null())
            .map(|one| (one["number"].as_u64().unwrap(), text(one, "state"), text(one, "body")))
            .collect()
    }

    /// Ticks a box of the issue, and runs what the edit starts.
    fn tick_issue(&self, keep: &str, login: &str) -> Step {
        let (number, _, body) = self.issues().into_iter().next().unwrap();
        let mark = format!("<!-- agent-sync:keep {keep} ");
        let ticked: Vec<String> = body
            .lines()
            .map(|line| match line.contains(&mark) {
                true => line.replacen("- [ ]", "- [x]", 1),
                false => line.to_owned(),
            })
            .collect();
        let path = format!("/issues/{number}");
        self.world.github.ask(ADA, "PATCH", &path, json!({"body": ticked.join("\n")}));
        let payload = json!({
            "action": "edited",
            "issue": {"number": number},
            "sender": {"login": login, "type": "User"},
            "repository": repository(),
        });
        let main = self.world.github.head("main");
        let env = [("GITHUB_REF", "refs/heads/main")];
        self.world.step_with(&main, "issues", &payload, &["auto"], &env)
    }
}

#[test]
fn a_clash_on_the_default_branch_is_one_issue_until_it_is_settled() {
    let scene = Scene::clash_on_main();
    let step = scene.sync().expect(1);
    let issues = scene.issues();
    let [(_, state, body)] = issues.as_slice() else { panic!("{issues:?}") };
    assert_eq!(state, "open");
    assert!(body.contains("from Notion.") && body.contains("from Git."), "{body}");
    assert!(step.outputs["comment-url"].contains("/issues/"), "{:?}", step.outputs);

    scene.world.lab.minutes(5);
    scene.sync().expect(1);
    scene.world.github.forget();
    scene.sync().expect(1);
    let lease =
        |s: &crate::common::github::Seen| s.path.contains("lease") || s.path == "/git/commits";
    let writes: Vec<_> = scene.world.github.writes().into_iter().filter(|s| !lease(s)).collect();
    assert_eq!(writes, []);

    scene.tick_issue("remote", "eve").expect(0);
    scene.sync().expect(1);
    scene.tick_issue("remote", "ada").expect(0);
    let issues = scene.issues();
    let [(_, state, body)] = issues.as_slice() else { panic!("{issues:?}") };
    assert!(state == "open" && body.contains("decided by"), "{body}");

    let step = scene.sync().expect(0);
    assert!(step.file(PATH).contains("Another one, from Notion."));
    let issues = scene.issues();
    let [(_, state, body)] = issues.as_slice() else { panic!("{issues:?}") };
    assert!(state == "closed" && body.contains("resolved"), "{state} {body}");
}

#[test]
fn a_command_on_the_issue_decides_as_well() {
    let scene = Scene::clash_on_main();
    scene.sync().expect(1);
    let (number, _, _) = scene.issues().into_iter().next().unwrap();
    let body = "/agent-sync keep repository INFRA-1";
    let path = format!("/issues/{number}/comments");
    let made = scene.world.github.ask(ADA, "POST", &path, json!({"body": body}));
    let payload = json!({
        "action": "created",
        "issue": {"number": number},
        "comment": {"id": made["id"], "body": body},
        "sender": {"login": "ada", "type": "User"},
        "repository": repository(),
    });
    let main = scene.world.github.head("main");
    let env = [("GITHUB_REF", "refs/heads/main")];
    scene.world.step_with(&main, "issue_comment", &payload, &["auto"], &env).expect(0);
    scene.sync().expect(0);
    assert!(scene.world.lab.body("Stories", "INFRA-1").contains("Another one, from Git."));
    assert_eq!(scene.issues()[0].1, "closed");
}

#[test]
fn an_issue_that_only_looks_like_ours_decides_nothing() {
    let scene = Scene::clash_on_main();
    scene.sync().expect(1);
    let (number, _, body) = scene.issues().into_iter().next().unwrap();
    let ticked = body.replacen("- [ ] keep Notion's", "- [x] keep Notion's", 1);
    let planted = json!({"title": "agent-sync: conflicts", "body": ticked});
    let planted = scene.world.github.ask(ADA, "POST", "/issues", planted);
    let payload = json!({
        "action": "edited",
        "issue": {"number": planted["number"]},
        "sender": {"login": "ada", "type": "User"},
        "repository": repository(),
    });
    let main = scene.world.github.head("main");
    scene.world.step(&main, "issues", &payload, &["auto"]).expect(0);
    scene.sync().expect(1);
    assert_eq!(scene.issues().iter().map(|one| one.0).collect::<Vec<_>>(), [number]);
}
