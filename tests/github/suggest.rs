//! Suggestions on the lines of a pull request.

use serde_json::{Value, json};

use crate::check::Scene;
use crate::common::github::{ADA, Fault, VIEWER};

impl Scene {
    fn reviews(&self) -> Vec<Value> {
        let path = format!("/pulls/{}/comments", self.number);
        let all = self.world.github.ask(ADA, "GET", &path, Value::Null);
        let ours = all.as_array().unwrap().iter().filter(|one| one["user"]["login"] == VIEWER);
        ours.cloned().collect()
    }
}

#[test]
fn a_clash_on_shown_lines_has_one_suggestion_until_it_is_gone() {
    let scene = Scene::new(true);
    scene.check().expect(1);
    let reviews = scene.reviews();
    let [review] = reviews.as_slice() else { panic!("{reviews:?}") };
    let body = review["body"].as_str().unwrap();
    assert!(body.contains("```suggestion\nAnother one, from Notion.\n```"), "{body}");
    assert_eq!((&review["line"], review["path"].as_str()), (&11.into(), Some(crate::check::PATH)));

    scene.world.github.forget();
    scene.check().expect(1);
    assert_eq!((scene.world.github.writes(), scene.reviews().len()), (vec![], 1));

    // Other versions are another conflict: the old suggestion is resolved, a new one made.
    scene.world.lab.edit("Stories", "INFRA-1", "from Notion.", "from Notion, again.");
    scene.world.lab.minutes(5);
    scene.check().expect(1);
    let reviews = scene.reviews();
    assert_eq!(reviews.len(), 2, "{reviews:?}");
    assert_eq!(scene.world.github.resolved().len(), 1);
    scene.check().expect(1);
    assert_eq!((scene.reviews().len(), scene.world.github.resolved().len()), (2, 1));
}

#[test]
fn a_clash_on_lines_that_are_not_shown_has_no_suggestion() {
    let scene = Scene::new(false);
    // The clash comes from the default branch; the pull request changes another file.
    let other = crate::check::PATH.replace("INFRA-1-first", "INFRA-2-second");
    let text = crate::common::story("INFRA-2", "Second", "DRAFT", "Text.\n");
    let main = crate::check::text("Another one, from main.");
    scene.world.github.push("main", &[(crate::check::PATH, Some(&main))], "edit on main");
    scene.world.lab.edit("Stories", "INFRA-1", "Another one.", "Another one, from Notion.");
    scene.world.lab.minutes(5);
    scene.world.github.push("other", &[(&other, Some(&text))], "another file");
    let scene = scene.with_branch("other");
    scene.check().expect(1);
    assert_eq!((scene.comments().len(), scene.reviews().len()), (1, 0));
}

#[test]
fn where_threads_cannot_be_resolved_the_suggestion_says_that_it_is_outdated() {
    let scene = Scene::new(true);
    scene.check().expect(1);
    scene.world.lab.edit("Stories", "INFRA-1", "from Notion.", "from Notion, again.");
    scene.world.lab.minutes(5);
    // As GitHub refuses a mutation: with status 200.
    let refused = json!({"data": null, "errors": [{"message": "Resource not accessible"}]});
    scene.world.github.rule(move |seen| {
        let query = seen.body["query"].as_str().unwrap_or_default();
        query.starts_with("mutation").then(|| Fault::Answer(200, Vec::new(), refused.clone()))
    });
    scene.check().expect(1);
    let texts = |scene: &Scene| -> Vec<String> {
        scene.reviews().iter().map(|one| one["body"].as_str().unwrap().to_owned()).collect()
    };
    let after = texts(&scene);
    assert!(after[0].contains("outdated") && !after[0].contains("```"), "{after:?}");
    scene.world.github.forget();
    scene.check().expect(1);
    assert_eq!((scene.world.github.writes(), texts(&scene)), (vec![], after));
}

#[test]
fn the_cost_of_a_check_with_a_conflict() {
    let scene = Scene::new(true);
    scene.check().expect(1);
    let seen = scene.world.github.seen();
    let list: Vec<String> = seen.iter().map(|s| format!("{} {}", s.method, s.path)).collect();
    // 13, 2 for the conflict, 1 for the suggestion.
    assert!(seen.len() <= 16, "{list:#?}");
}
