//! The main loop: init, sync both ways, conflicts, force and restore, from the outside.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::Lab;

const BODY: &str = "## Problem\n\nThe first paragraph.\n\nThe second paragraph.\n\n- one\n- two\n";

#[test]
fn rule_14_a_second_sync_writes_nothing() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "TO_DO", BODY);
    repo.init();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-1 create-page", "story/INFRA-2 create-page"]);
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("DRAFT"));
    assert!(lab.body("Stories", "INFRA-1").contains("The first paragraph."));
    let (state, files) = (repo.state(), repo.files());
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.json()["outcome"], "clean", "{run:?}");
    assert_eq!((lab.writes(), repo.state(), repo.files()), (0, state, files));
}

#[test]
fn an_edit_travels_and_nothing_else_moves() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let page = lab.page("Stories", "INFRA-1");
    let before = lab.sim.workspace().blocks(&page);
    lab.edit("Stories", "INFRA-1", "second paragraph", "The second paragraph, seen in Notion.");
    lab.minutes(2);
    let text = repo.read(&path);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    assert_eq!(
        repo.read(&path),
        text.replace("The second paragraph.", "The second paragraph, seen in Notion.")
    );
    lab.minutes(2);
    repo.replace(&path, "The first paragraph.", "The first paragraph, from Git.");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    let after = lab.sim.workspace().blocks(&page);
    assert_eq!(after.len(), before.len());
    assert_eq!(after[1].text, "The first paragraph, from Git.");
    for (n, (a, b)) in before.iter().zip(&after).enumerate() {
        assert_eq!(a.id == b.id, n != 1, "block {n}: {a:?} {b:?}");
    }
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
}

#[test]
fn both_changed_is_a_conflict_that_force_settles_and_restore_undoes() {
    for side in ["local", "remote"] {
        let lab = Lab::new();
        let repo = lab.repo("repo");
        let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
        repo.story("INFRA-2", "Second", "DRAFT", BODY);
        repo.init();
        repo.run(&["sync"]).expect(0);
        lab.minutes(2);
        lab.edit("Stories", "INFRA-1", "first paragraph", "By a person.");
        repo.replace(&path, "The first paragraph.", "By a commit.");
        repo.story("INFRA-3", "Third", "DRAFT", BODY);
        lab.minutes(2);
        let (file, page) = (repo.read(&path), lab.body("Stories", "INFRA-1"));
        let run = repo.run(&["sync"]).expect(1);
        assert_eq!(run.actions(), ["story/INFRA-1 conflict", "story/INFRA-3 create-page"]);
        assert_eq!(
            (repo.read(&path), lab.body("Stories", "INFRA-1")),
            (file.clone(), page.clone())
        );
        let fingerprint = run.json()["conflicts"][0]["fingerprint"].clone();
        assert_eq!(
            repo.run(&["check"]).expect(1).json()["conflicts"][0]["fingerprint"],
            fingerprint
        );
        repo.run(&["sync", &format!("--force={side}")]).expect(0);
        let (kept, lost) = match side {
            "local" => ("By a commit.", "By a person."),
            _ => ("By a person.", "By a commit."),
        };
        for text in [repo.read(&path), lab.body("Stories", "INFRA-1")] {
            assert!(text.contains(kept) && !text.contains(lost), "{text}");
        }
        lab.minutes(2);
        assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
        let other = if side == "local" { "remote" } else { "local" };
        repo.run(&["restore", "INFRA-1", "--side", other]).expect(0);
        lab.minutes(2);
        repo.run(&["sync"]).expect(0);
        for text in [repo.read(&path), lab.body("Stories", "INFRA-1")] {
            assert!(text.contains(lost) && !text.contains(kept), "{side}: {text}");
        }
    }
}

#[test]
fn deletions_travel_both_ways() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let first = repo.story("INFRA-1", "First", "DRAFT", BODY);
    let second = repo.story("INFRA-2", "Second", "DRAFT", "Something else entirely.\n");
    repo.story("INFRA-3", "Third", "DRAFT", "A third thing.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    let page = lab.page("Stories", "INFRA-1");
    std::fs::remove_file(repo.path.join(&first)).unwrap();
    let trashed = lab.page("Stories", "INFRA-2");
    lab.sim.workspace().trash(&trashed).unwrap();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-1 trash-page", "story/INFRA-2 delete-file"]);
    assert!(lab.sim.workspace().page(&page).unwrap().in_trash && !repo.has(&second));
    lab.minutes(2);
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(lab.writes(), 0);
}

#[test]
fn a_fresh_clone_needs_no_write() {
    let lab = Lab::new();
    let repo = lab.remote();
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.publish("a story");
    repo.init();
    repo.run(&["sync"]).expect(0);
    let clone = lab.clone("elsewhere");
    lab.sim.reset_requests();
    assert_eq!(clone.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(lab.writes(), 0);
}
