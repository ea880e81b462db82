//! Rules 5, 9, 16 and 17: no base, bounded damage, lost races, and conflicts until somebody decides.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo};
use serde_json::{Value, json};

const BODY: &str = "## Problem\n\nThe first paragraph.\n\nThe second paragraph.\n\n- one\n- two\n";

/// A repository without a remote and this many synced stories.
fn synced(lab: &Lab, count: usize) -> (Repo<'_>, Vec<String>) {
    let repo = lab.repo("repo");
    let paths = (1..=count)
        .map(|n| repo.story(&format!("INFRA-{n}"), &format!("Story {n}"), "DRAFT", BODY));
    let paths = paths.collect();
    repo.init();
    repo.settle();
    (repo, paths)
}

/// A run must end with exit code 5 and its reason, without a write and without a trace in the state.
#[track_caller]
fn guarded(lab: &Lab, repo: &Repo<'_>, args: &[&str], reason: &str) {
    let (state, files) = (repo.state(), repo.files());
    lab.sim.reset_requests();
    let run = repo.run(args).expect(5);
    let json = run.json();
    assert_eq!(json["outcome"], "guarded");
    assert!(
        json["error"].as_str().is_some_and(|error| error.contains(reason)),
        "{reason:?}: {run:?}"
    );
    assert_eq!((lab.writes(), repo.state(), repo.files()), (0, state, files));
}

fn meta(repo: &Repo<'_>) -> Value {
    repo.git(&["fetch", "-q", "--all"]);
    let text = repo.git(&["show", "refs/agent-sync/state:meta.json"]);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn decisions(repo: &Repo<'_>) -> usize {
    meta(repo)["decisions"].as_array().map_or(0, Vec::len)
}

#[test]
fn rule_9_deletions_are_bounded() {
    let lab = Lab::new();
    let (repo, paths) = synced(&lab, 12);
    for path in &paths[..6] {
        std::fs::remove_file(repo.path.join(path)).unwrap();
    }
    guarded(&lab, &repo, &["sync"], "--allow delete=6");
    guarded(&lab, &repo, &["push", "--allow", "delete=5"], "--allow delete=6");
    // The advice is to look at the plan first: it is there, and it is not carried out.
    let plan = repo.run(&["sync", "--dry-run"]).expect(5);
    assert_eq!(plan.actions().len(), 6, "{plan:?}");
    guarded(&lab, &repo, &["sync", "--dry-run"], "--allow delete=6");
    let run = repo.run(&["sync", "--allow", "delete=6"]).expect(0);
    assert_eq!(run.json()["counts"]["deleted"], 6);
    assert_eq!(lab.sim.workspace().pages_of("Stories", false).len(), 6);
    repo.settle();
}

#[test]
fn rule_9_never_all_of_a_kind() {
    let lab = Lab::new();
    let (repo, paths) = synced(&lab, 2);
    std::fs::remove_file(repo.path.join(&paths[0])).unwrap();
    let page = lab.page("Stories", "INFRA-2");
    lab.sim.workspace().trash(&page).unwrap();
    lab.minutes(2);
    guarded(&lab, &repo, &["sync"], "all 2 artifacts of kind `story`");
    repo.run(&["sync", "--allow", "delete=2"]).expect(0);
    repo.settle();
}

#[test]
fn rule_9_an_empty_side_is_an_accident() {
    let lab = Lab::new();
    let (repo, paths) = synced(&lab, 3);
    let texts: Vec<String> = paths.iter().map(|path| repo.read(path)).collect();
    std::fs::remove_dir_all(repo.path.join(".agent/cache/stories")).unwrap();
    guarded(&lab, &repo, &["sync"], ".agent/cache/stories");
    guarded(&lab, &repo, &["push", "--allow", "delete=2"], ".agent/cache/stories");
    for (path, text) in paths.iter().zip(&texts) {
        repo.write(path, text);
    }
    repo.calm();
    let pages = lab.sim.workspace().pages_of("Stories", false);
    for page in pages {
        lab.sim.workspace().trash(&page).unwrap();
    }
    lab.minutes(2);
    guarded(&lab, &repo, &["sync"], "is empty although 3 pages");
    assert!(paths.iter().all(|path| repo.has(path)));
}

#[test]
fn rule_9_overwriting_is_bounded() {
    let lab = Lab::new();
    let (repo, paths) = synced(&lab, 22);
    let texts: Vec<String> = paths.iter().map(|path| repo.read(path)).collect();
    // A script that empties every document.
    for path in &paths {
        repo.replace(path, BODY, "Gone.\n");
    }
    guarded(&lab, &repo, &["sync"], "--allow change=22");
    for (path, text) in paths.iter().zip(&texts) {
        repo.write(path, text);
    }
    // One emptied document is an edit.
    repo.replace(&paths[0], BODY, "Gone.\n");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    lab.minutes(2);
    for n in 1..=22 {
        let words = if n == 1 { "Gone." } else { "first" };
        lab.edit("Stories", &format!("INFRA-{n}"), words, "By a person.");
        repo.replace(&paths[n - 1], words, "By a commit.");
    }
    lab.minutes(2);
    guarded(&lab, &repo, &["sync", "--force=local"], "--allow change=22");
    guarded(&lab, &repo, &["pull", "--force"], "--allow change=22");
    repo.run(&["sync", "--force=local", "--allow", "change=22"]).expect(0);
    assert!(lab.body("Stories", "INFRA-22").contains("By a commit."));
    repo.settle();
}

#[test]
fn rule_9_a_new_mapping_needs_init_and_loses_no_value() {
    let lab = Lab::new();
    let (repo, paths) = synced(&lab, 1);
    let config = repo.read("agent-sync.yml");
    let mapping = "kinds:\n  story:\n    properties:\n      Status: {notion: Stage}\n";
    repo.write("agent-sync.yml", &format!("{config}{mapping}"));
    guarded(&lab, &repo, &["sync"], "agent-sync init");
    repo.init();
    repo.settle();
    // The column that is known by its id stays the property's column, as after a rename in Notion.
    assert!(repo.read(&paths[0]).contains("DRAFT"));
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("DRAFT"));
}

#[test]
fn rule_5_without_state_equal_is_adopted_and_nothing_is_deleted() {
    let lab = Lab::new();
    let (repo, paths) = synced(&lab, 3);
    let empty = repo.story("INFRA-5", "Empty", "DRAFT", "Only this.\n");
    repo.settle();
    repo.git(&["update-ref", "-d", "refs/agent-sync/state"]);
    // 1 is equal, 2 differs, 3 is gone here, 4 is new here, 5 has an empty page, 6 is new there.
    lab.edit("Stories", "INFRA-2", "first", "By a person.");
    std::fs::remove_file(repo.path.join(&paths[2])).unwrap();
    repo.story("INFRA-4", "New here", "DRAFT", BODY);
    let page = lab.page("Stories", "INFRA-5");
    lab.sim.workspace().delete_block(&page, "Only this.").unwrap();
    lab.sim.workspace().set_property(&page, "Status", Value::Null).unwrap();
    lab.sim
        .workspace()
        .create_page("Stories", "New there", &[("ID", json!("INFRA-6"))], "Hello.\n")
        .unwrap();
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(1);
    assert_eq!(
        run.actions(),
        [
            "story/INFRA-2 conflict",
            "story/INFRA-3 create-file",
            "story/INFRA-4 create-page",
            "story/INFRA-5 push",
            "story/INFRA-6 create-file"
        ]
    );
    assert!(
        repo.read(&empty).contains("Only this.")
            && lab.body("Stories", "INFRA-5").contains("Only this.")
    );
    assert_eq!(lab.property("Stories", "INFRA-5", "Status").as_deref(), Some("DRAFT"));
    // Both as they are: the pair is the base, nothing is written.
    let (file, page) = (repo.read(&paths[1]), lab.body("Stories", "INFRA-2"));
    repo.run(&["resolve", "INFRA-2", "--keep", "both"]).expect(0);
    repo.settle();
    assert_eq!((repo.read(&paths[1]), lab.body("Stories", "INFRA-2")), (file, page));
    lab.edit("Stories", "INFRA-2", "second", "By a person, too.");
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-2 pull"]);
    let text = repo.read(&paths[1]);
    assert!(text.contains("The first paragraph.") && text.contains("By a person, too."), "{text}");
}

#[test]
fn rule_5_a_page_without_id_and_with_the_title_of_a_file_is_a_finding() {
    let lab = Lab::new();
    let (repo, _) = synced(&lab, 1);
    lab.sim.workspace().create_page("Stories", "made by HAND", &[], "Hello.\n").unwrap();
    repo.story("INFRA-2", "Made by hand", "DRAFT", BODY);
    repo.story("INFRA-3", "Another", "DRAFT", BODY);
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-3 create-page"]);
    assert_eq!(run.rules(), ["page-without-id", "page-without-id"]);
    assert_eq!(lab.find_page("Stories", "INFRA-2"), None);
}

#[test]
fn rule_16_a_lost_race_on_the_state_is_observed_again() {
    let lab = Lab::new();
    let (repo, paths) = synced(&lab, 2);
    repo.replace(&paths[0], "first", "1st");
    repo.story("INFRA-3", "Third", "DRAFT", BODY);
    let (path, mut writes) = (repo.path.clone(), 0);
    lab.sim.set_hook(Some(Box::new(move |_, event| {
        let is_write = event.method == "PATCH" || event.endpoint == "POST /v1/pages";
        if is_write && event.phase == notion_sim::Phase::Before {
            writes += 1;
        }
        if is_write && writes <= 2 {
            let state = "refs/agent-sync/state";
            let tree = format!("{state}^{{tree}}");
            let commit =
                common::git_in(&path, &["commit-tree", &tree, "-p", state, "-m", "another run"]);
            common::git_in(&path, &["update-ref", state, &commit]);
        }
    })));
    repo.run(&["sync"]).expect(0);
    lab.sim.set_hook(None);
    assert!(lab.body("Stories", "INFRA-1").contains("1st"));
    assert_eq!(lab.sim.workspace().pages_with("Stories", "ID", "INFRA-3").len(), 1);
    repo.settle();
}

#[test]
fn rule_17_a_conflict_keeps_its_fingerprint_and_the_rest_of_the_artifact_syncs() {
    let lab = Lab::new();
    let (repo, paths) = synced(&lab, 1);
    lab.edit("Stories", "INFRA-1", "first", "By a person.");
    repo.replace(&paths[0], "first", "By a commit.");
    lab.minutes(2);
    let fingerprint = repo.run(&["sync"]).expect(1).json()["conflicts"][0]["fingerprint"].clone();
    let page = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().set_property(&page, "Status", "TO_DO").unwrap();
    repo.replace(&paths[0], "Story 1", "Story one");
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(1);
    assert_eq!(run.actions(), ["story/INFRA-1 merge"]);
    assert_eq!(run.json()["conflicts"][0]["fingerprint"], fingerprint);
    assert!(repo.read(&paths[0]).contains("TO_DO"));
    assert_eq!(lab.sim.workspace().page(&page).unwrap().title, "Story one");
    lab.minutes(2);
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(1);
    let state = repo.state();
    let run = repo.run(&["sync"]).expect(1);
    assert_eq!(run.json()["conflicts"][0]["fingerprint"], fingerprint);
    assert_eq!(
        (lab.writes(), repo.state()),
        (0, state),
        "rule 14: a conflict writes nothing twice"
    );
    // Merged by hand on both sides: equal is synced, whatever the history.
    repo.replace(&paths[0], "By a commit.", "By both.");
    lab.edit("Stories", "INFRA-1", "By a person.", "The By both. paragraph.");
    repo.settle();
}

#[test]
fn rule_17_a_decision_holds_for_exactly_its_versions() {
    for keep in ["local", "remote", "skip"] {
        let lab = Lab::new();
        let (repo, paths) = synced(&lab, 1);
        lab.edit("Stories", "INFRA-1", "first", "By a person.");
        repo.replace(&paths[0], "first", "By a commit.");
        lab.minutes(2);
        let (file, page) = (repo.read(&paths[0]), lab.body("Stories", "INFRA-1"));
        repo.run(&["resolve", "INFRA-1", "--keep", keep]).expect(0);
        assert_eq!(
            (repo.read(&paths[0]), lab.body("Stories", "INFRA-1")),
            (file, page),
            "only recorded"
        );
        // A new version on either side voids it.
        lab.edit("Stories", "INFRA-1", "By a person.", "By a person, again.");
        lab.minutes(2);
        repo.run(&["sync"]).expect(1);
        lab.edit("Stories", "INFRA-1", "By a person, again.", "By a person.");
        lab.minutes(2);
        let run = repo.run(&["sync"]).expect(0);
        assert_eq!(run.json()["conflicts"], json!([]));
        let (file, page) = (repo.read(&paths[0]), lab.body("Stories", "INFRA-1"));
        match keep {
            "local" => assert!(page.contains("By a commit.") && file.contains("By a commit.")),
            "remote" => assert!(page.contains("By a person.") && file.contains("By a person.")),
            _ => assert!(page.contains("By a person.") && file.contains("By a commit.")),
        }
        let left = usize::from(keep == "skip");
        assert_eq!(decisions(&repo), left, "removed when the base moves past it, not before");
        if keep == "skip" {
            // It holds for that block: what happens beside it syncs, another version of it does not.
            lab.edit("Stories", "INFRA-1", "second", "One more edit.");
            lab.minutes(2);
            repo.run(&["sync"]).expect(0);
            assert!(repo.read(&paths[0]).contains("One more edit."));
            lab.edit("Stories", "INFRA-1", "By a person.", "By a person, once more.");
            lab.minutes(2);
            repo.run(&["sync"]).expect(1);
        } else {
            repo.settle();
        }
    }
}

#[test]
fn rule_17_a_forced_pull_that_is_not_merged_yet_stays_decided() {
    let lab = Lab::new();
    let repo = lab.remote();
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.publish("a story");
    repo.init();
    repo.settle();
    lab.edit("Stories", "INFRA-1", "first", "By a person.");
    repo.replace(&path, "first", "By a commit.");
    repo.publish("a commit");
    lab.minutes(2);
    repo.run(&["sync"]).expect(1);
    repo.git(&["checkout", "-q", "-b", "agent-sync/pull"]);
    repo.run(&["pull", "--force"]).expect(0);
    assert!(repo.read(&path).contains("By a person."));
    repo.commit("as in Notion");
    assert_eq!(decisions(&repo), 1);
    for name in ["night", "next-night"] {
        lab.minutes(2);
        lab.sim.reset_requests();
        let nightly = lab.nightly(name);
        let run = nightly.run(&["sync"]).expect(0);
        assert_eq!(run.actions(), ["story/INFRA-1 pull"], "{name}");
        assert!(nightly.read(&path).contains("By a person."));
        assert_eq!(lab.writes(), 0);
    }
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "agent-sync/pull"]);
    repo.git(&["push", "-q"]);
    repo.settle();
    assert_eq!(decisions(&repo), 0, "the base moved past it");
}

#[test]
fn resolve_names_what_it_does_not_find() {
    let lab = Lab::new();
    let (repo, _) = synced(&lab, 1);
    let run = repo.run(&["resolve", "INFRA-1", "--keep", "local"]).expect(2);
    assert!(run.stdout.contains("no open conflict"), "{run:?}");
    repo.run(&["resolve", "INFRA-9", "--keep", "local"]).expect(2);
}

#[test]
fn rule_8_a_property_that_was_never_set_is_no_edit() {
    let lab = Lab::new();
    let (repo, _) = synced(&lab, 1);
    for n in [7, 8, 9] {
        let (id, title) = (json!(format!("INFRA-{n}")), format!("Made there {n}"));
        lab.sim.workspace().create_page("Stories", &title, &[("ID", id)], "Hello.\n").unwrap();
    }
    repo.settle();
    // Files that were pulled, then deleted or trashed; neither was touched otherwise.
    let page = lab.page("Stories", "INFRA-7");
    lab.sim.workspace().trash(&page).unwrap();
    std::fs::remove_file(repo.path.join(".agent/cache/stories/INFRA/INFRA-8-made-there-8.md"))
        .unwrap();
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-7 delete-file", "story/INFRA-8 trash-page"]);
    repo.settle();
}
