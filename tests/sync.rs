//! The main loop: init, sync both ways, conflicts, force and restore, from the outside.

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
