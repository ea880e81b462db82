//! The generated page in Notion that shows what is synced (docs/decisions/0008).

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo};

const BODY: &str = "The first paragraph.\n\nThe second one.\n";

#[track_caller]
fn text(lab: &Lab) -> String {
    let page = lab.environment().unwrap();
    lab.sim.workspace().markdown(&page)
}

fn at(repo: &Repo<'_>, url: &str) {
    let config = repo.read("agent-sync.yml");
    repo.write("agent-sync.yml", &format!("{config}repository: {{url: \"{url}\"}}\n"));
}

#[test]
fn it_says_what_is_synced_and_is_written_only_when_it_changes() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    at(&repo, "https://github.com/org/repo");
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.run(&["init", "--dry-run"]).expect(0);
    assert!(lab.environment().is_none());
    repo.init();
    let first = text(&lab);
    for words in ["github.com/org/repo", "Stories", "ADRs", ".agent/cache/stories", "Nothing."] {
        assert!(first.contains(words), "{words}: {first}");
    }
    lab.sim.reset_requests();
    repo.init();
    assert_eq!(lab.writes(), 0);
    repo.run(&["sync"]).expect(0);
    repo.settle();
    assert_eq!(text(&lab), first);
    // What waits for a person is named there, for as long as it waits.
    repo.replace(&path, "first paragraph", "first paragraph, by a commit");
    lab.edit("Stories", "INFRA-1", "first", "The first, by Ada.");
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(1);
    let print = run.json()["conflicts"][0]["fingerprint"].as_str().unwrap().to_owned();
    assert!(text(&lab).contains(&format!("agent-sync resolve {print}")), "{}", text(&lab));
    lab.minutes(2);
    repo.run(&["sync"]).expect(1);
    lab.minutes(2);
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(1);
    assert_eq!(lab.writes(), 0);
    repo.run(&["resolve", "INFRA-1", "--keep", "local"]).expect(0);
    for _ in 0..2 {
        lab.minutes(2);
        repo.run(&["sync"]).expect(0);
    }
    assert!(!text(&lab).contains(&print), "{}", text(&lab));
    repo.calm();
}

#[test]
fn it_says_what_the_janitor_found() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    repo.run(&["janitor"]).expect(1);
    assert!(text(&lab).contains("orphan-story: 1"), "{}", text(&lab));
    // A sync does not look, and so it does not forget.
    repo.settle();
    assert!(text(&lab).contains("orphan-story: 1"));
}

#[test]
fn what_a_person_wrote_there_stays() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let own = lab.environment().unwrap();
    lab.sim.workspace().append_markdown(&own, "Ask Ada about the keys.").unwrap();
    let run = repo.run(&["janitor"]).expect(1);
    assert!(run.json()["notices"].to_string().contains("edited by hand"), "{run:?}");
    assert!(text(&lab).contains("Ask Ada") && !text(&lab).contains("orphan-story"));
    repo.settle();
    // In the trash it is nobody's any more, and init makes another one.
    lab.sim.workspace().trash(&own).unwrap();
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    repo.run(&["janitor"]).expect(1);
    assert!(lab.environment().is_none());
    repo.init();
    assert!(text(&lab).contains("orphan-story: 2"), "{}", text(&lab));
    repo.settle();
}

#[test]
fn databases_of_another_repository_are_not_written_to() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    at(&repo, "https://github.com/org/repo");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    let other = lab.repo("other");
    at(&other, "https://github.com/org/other");
    other.story("INFRA-7", "Theirs", "DRAFT", BODY);
    lab.sim.reset_requests();
    for args in [&["init"][..], &["sync"], &["push"]] {
        let run = other.run(args).expect(3);
        let error = run.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("https://github.com/org/repo"), "{error}");
    }
    assert_eq!(lab.writes(), 0);
    // A lost state is the same repository.
    repo.git(&["update-ref", "-d", "refs/agent-sync/state"]);
    repo.run(&["sync"]).expect(0);
    // One that moved says so.
    let own = lab.environment().unwrap();
    lab.sim.workspace().trash(&own).unwrap();
    other.init();
}

#[test]
fn a_page_of_that_title_that_is_not_ours_is_not_taken() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let parent = lab.sim.parent_page();
    let theirs =
        lab.sim.workspace().create_subpage(&parent, "agent-sync", "Notes about the tool.").unwrap();
    repo.init();
    assert_eq!(lab.sim.workspace().markdown(&theirs).trim(), "Notes about the tool.");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.run(&["sync"]).expect(0);
    repo.run(&["janitor"]).expect(1);
    assert_eq!(lab.sim.workspace().markdown(&theirs).trim(), "Notes about the tool.");
}
