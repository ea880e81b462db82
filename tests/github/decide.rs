//! Answers from the pull request: boxes and commands, by those who may give them.

use serde_json::{Value, json};

use crate::check::{PATH, Scene};
use crate::common::github::{ADA, EVE, VIEWER};
use crate::job::{Step, repository};

impl Scene {
    /// Ticks a box of the sticky comment as a person does, and runs what the edit starts.
    pub(crate) fn tick(&self, keep: &str) -> Step {
        let (id, body) = self.comments().into_iter().next().unwrap();
        let mark = format!("<!-- agent-sync:keep {keep} ");
        let ticked: Vec<String> = body
            .lines()
            .map(|line| match line.contains(&mark) {
                true => line.replacen("- [ ]", "- [x]", 1),
                false => line.to_owned(),
            })
            .collect();
        assert_ne!(ticked.join("\n"), body.trim_end());
        self.edit(id, &ticked.join("\r\n"), "ada")
    }

    /// A person edits one of our comments.
    pub(crate) fn edit(&self, id: u64, body: &str, login: &str) -> Step {
        let path = format!("/issues/comments/{id}");
        self.world.github.ask(ADA, "PATCH", &path, json!({"body": body}));
        self.commented(id, "edited", body, login)
    }

    /// A person writes a comment.
    pub(crate) fn say(&self, token: &str, login: &str, body: &str) -> Step {
        let path = format!("/issues/{}/comments", self.number);
        let made = self.world.github.ask(token, "POST", &path, json!({"body": body}));
        self.commented(made["id"].as_u64().unwrap(), "created", body, login)
    }

    /// The job that a comment starts: on the default branch.
    pub(crate) fn commented(&self, id: u64, action: &str, body: &str, login: &str) -> Step {
        let payload = json!({
            "action": action,
            "issue": {"number": self.number, "pull_request": {"url": "…"}},
            "comment": {"id": id, "body": body, "user": {"login": VIEWER}},
            "sender": {"login": login, "type": "User"},
            "repository": repository(),
        });
        let main = self.world.github.head("main");
        self.world.step(&main, "issue_comment", &payload, &["auto"])
    }

    pub(crate) fn state(&self) -> (String, String) {
        let (_, state, description) =
            self.world.github.statuses(&self.head).into_iter().next().unwrap();
        (state, description)
    }

    pub(crate) fn merge(&self) {
        let path = format!("/pulls/{}/merge", self.number);
        self.world.github.ask(ADA, "PUT", &path, json!({}));
    }
}

#[test]
fn a_ticked_box_decides_and_the_sync_after_the_merge_applies_it() {
    for (keep, text) in
        [("local", "Another one, from Git."), ("remote", "Another one, from Notion.")]
    {
        let scene = Scene::new(true);
        scene.check().expect(1);
        let step = scene.tick(keep).expect(0);
        assert_eq!(step.outputs["conflicts"], "0");
        assert_eq!(scene.state(), ("success".to_owned(), "1 conflict decided".to_owned()));
        let comments = scene.comments();
        let [(_, body)] = comments.as_slice() else { panic!("{comments:?}") };
        assert!(body.contains("decided by"), "{body}");
        assert_eq!(scene.world.lab.writes(), 0, "a decision writes nothing to Notion");
        // The pull request's own check agrees, and changes nothing.
        scene.world.github.forget();
        scene.check().expect(0);
        assert_eq!(scene.world.github.writes(), []);

        scene.merge();
        scene.world.lab.minutes(5);
        let step = scene.world.pushed(&["auto"]).expect(0);
        assert!(scene.world.lab.body("Stories", "INFRA-1").contains(text), "{keep}");
        assert!(step.file(PATH).contains(text), "{keep}: {:?}", step.run);
    }
}

#[test]
fn a_command_decides_as_a_box_does() {
    let scene = Scene::new(true);
    scene.check().expect(1);
    let step = scene.say(ADA, "ada", "I asked Bob.\n\n/agent-sync keep notion INFRA-1");
    let step = step.expect(0);
    assert_eq!(step.outputs["outcome"], "clean");
    assert_eq!(scene.state().0, "success");
    let path = format!("/issues/{}/comments", scene.number);
    let all = scene.world.github.ask(ADA, "GET", &path, Value::Null);
    let asked = all.as_array().unwrap().iter().find(|one| one["user"]["login"] == "ada").unwrap();
    let id = asked["id"].as_u64().unwrap();
    assert_eq!(scene.world.github.reactions(&format!("/issues/comments/{id}")), ["+1"]);
}

#[test]
fn an_outsider_decides_nothing() {
    let scene = Scene::new(true);
    scene.check().expect(1);
    scene.say(EVE, "eve", "/agent-sync keep notion INFRA-1").expect(0);
    assert_eq!(scene.state().0, "failure");
    let comments = scene.comments();
    assert!(comments.iter().any(|(_, body)| body.contains("needs write access")), "{comments:?}");
    // A comment that looks like ours, written and edited by an outsider.
    let (_, ours) = scene.comments().into_iter().next().unwrap();
    let planted = ours.replacen("- [ ] keep Notion's", "- [x] keep Notion's", 1);
    let path = format!("/issues/{}/comments", scene.number);
    let made = scene.world.github.ask(EVE, "POST", &path, json!({"body": planted}));
    let id = made["id"].as_u64().unwrap();
    for login in ["eve", "ada"] {
        // Even where a person with the right to write edits it: it is not our text.
        scene.commented(id, "edited", &planted, login).expect(0);
        assert_eq!(scene.state().0, "failure", "{login}");
    }
    scene.check().expect(1);
}

#[test]
fn a_decision_is_void_where_the_versions_are_others() {
    let scene = Scene::new(true);
    scene.check().expect(1);
    scene.tick("local").expect(0);
    scene.world.lab.edit("Stories", "INFRA-1", "from Notion.", "from Notion, again.");
    scene.world.lab.minutes(5);
    scene.check().expect(1);
    assert_eq!(scene.state().0, "failure");
    let (id, body) = scene.comments().into_iter().next().unwrap();
    assert!(body.contains("from Notion, again."), "{body}");
    let replayed = body.replacen("- [ ] keep the repository's", "- [x] keep the repository's", 1);
    let changed = replayed.replace("again", "once more");
    scene.edit(id, &changed, "ada");
    assert_eq!(scene.state().0, "failure", "a text that was changed by hand decides nothing");
}

#[test]
fn comments_about_other_things_cost_nothing() {
    let scene = Scene::new(true);
    scene.check().expect(1);
    scene.world.github.forget();
    scene.world.lab.sim.reset_requests();
    let path = format!("/issues/{}/comments", scene.number);
    let made = scene.world.github.ask(ADA, "POST", &path, json!({"body": "Looks good."}));
    let id = made["id"].as_u64().unwrap();
    scene.commented(id, "created", "Looks good.", "ada").expect(0);
    assert_eq!((scene.world.github.seen().len(), scene.world.lab.count()), (0, 0));
}

#[test]
fn a_box_of_an_older_text_decides_nothing_about_newer_versions() {
    let scene = Scene::new(true);
    scene.check().expect(1);
    let (id, old) = scene.comments().into_iter().next().unwrap();
    scene.world.lab.edit("Stories", "INFRA-1", "from Notion.", "from Notion, again.");
    scene.world.lab.minutes(5);
    scene.check().expect(1);
    // Our own text of then, whole, with a box ticked in it.
    let replayed = old.replacen("- [ ] keep the repository's", "- [x] keep the repository's", 1);
    assert_ne!(replayed, old);
    scene.edit(id, &replayed, "ada").expect(1);
    assert_eq!(scene.state().0, "failure");
    let (_, now) = scene.comments().into_iter().next().unwrap();
    assert!(now.contains("from Notion, again.") && !now.contains("[x]"), "{now}");
}
