//! Who is who: renames, deletions, new ids, and the answers of people (rules 5, 7, 8, 15 and 17).

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo, Run, story};
use serde_json::{Value, json};

const BODY: &str = "The first paragraph.\n\nThe second one.\n\nThe third one.\n\nThe fourth one.\n";

/// A remote with these stories, synced and agreed; their paths.
fn published(lab: &Lab, count: usize) -> (Repo<'_>, Vec<String>) {
    let repo = lab.remote();
    let paths = (1..=count)
        .map(|n| repo.story(&format!("INFRA-{n}"), &format!("Story {n}"), "DRAFT", BODY))
        .collect();
    repo.publish("stories");
    repo.init();
    repo.settle();
    (repo, paths)
}

/// Syncs when two minutes have passed.
#[track_caller]
fn sync(lab: &Lab, repo: &Repo<'_>, code: i32) -> Run {
    lab.minutes(2);
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(code)
}

/// Requests that wrote to a body since the last reset.
fn body_writes(lab: &Lab) -> usize {
    let requests = lab.sim.requests();
    requests.iter().filter(|request| request.endpoint == "PATCH /v1/pages/{id}/markdown").count()
}

fn move_file(repo: &Repo<'_>, from: &str, to: &str) {
    std::fs::create_dir_all(repo.path.join(to).parent().unwrap()).unwrap();
    repo.git(&["mv", from, to]);
}

/// Gives a story a new id: in the file's name and in its heading.
fn rename_id(repo: &Repo<'_>, path: &str, old: &str, new: &str) -> String {
    let to = path.replace(old, new);
    move_file(repo, path, &to);
    repo.replace(&to, old, new);
    to
}

fn meta(repo: &Repo<'_>) -> Value {
    serde_json::from_str(&repo.git(&["show", "refs/agent-sync/state:meta.json"])).unwrap()
}

fn fingerprints(run: &Run) -> Vec<String> {
    let json = run.json();
    let conflicts = json["conflicts"].as_array().unwrap();
    conflicts.iter().map(|c| c["fingerprint"].as_str().unwrap().to_owned()).collect()
}

// Rule 17: resolve.

#[test]
fn rule_17_one_conflict_is_answered_by_its_fingerprint() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    for (n, path) in paths.iter().enumerate() {
        lab.edit("Stories", &format!("INFRA-{}", n + 1), "first", "By a person.");
        repo.replace(path, "The first paragraph.", "By a commit.");
        repo.replace(path, "DRAFT", "DONE");
        let page = lab.page("Stories", &format!("INFRA-{}", n + 1));
        lab.sim.workspace().set_property(&page, "Status", "REVIEW").unwrap();
    }
    repo.publish("commits");
    let run = sync(&lab, &repo, 1);
    let open = fingerprints(&run);
    assert_eq!(open.len(), 4);
    assert!(open.iter().all(|print| print.len() == 16), "{open:?}");
    let human = repo.human(&["check"]).expect(1).stderr;
    assert!(open.iter().all(|print| human.contains(print)), "{human}");
    let conflicts = run.json()["conflicts"].clone();
    let body = |n: usize| {
        let all = conflicts.as_array().unwrap();
        let id = format!("INFRA-{n}");
        let one = all.iter().find(|c| c["id"] == json!(id) && c["block"].is_string());
        one.unwrap()["fingerprint"].as_str().unwrap().to_owned()
    };
    repo.run(&["resolve", &body(1), "--keep", "local"]).expect(0);
    // The beginning is enough where it is clear, in any case.
    repo.run(&["resolve", &body(2)[..8].to_uppercase(), "--keep", "remote"]).expect(0);
    assert_eq!(lab.document_writes(), 0);
    let run = sync(&lab, &repo, 1);
    assert_eq!(fingerprints(&run).len(), 2, "{run:?}");
    assert!(lab.body("Stories", "INFRA-1").contains("By a commit."));
    assert!(repo.read(&paths[1]).contains("By a person."));
    assert!(repo.read(&paths[0]).contains("DONE") && repo.read(&paths[1]).contains("DONE"));
    // By artifact: all that is open of it.
    repo.run(&["resolve", "story/INFRA-1", "INFRA-2", "--keep", "skip"]).expect(0);
    assert_eq!(sync(&lab, &repo, 0).json()["conflicts"], json!([]));
    // An answer may be changed while it waits.
    repo.run(&["resolve", "INFRA-1", "--keep", "local"]).expect(0);
    assert_eq!(sync(&lab, &repo, 0).actions(), ["story/INFRA-1 push"]);
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("DONE"));
}

#[test]
fn rule_17_what_is_not_open_cannot_be_answered() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 1);
    let wrong = |args: &[&str], words: &[&str]| {
        let (state, run) = (repo.state(), repo.human(args).expect(2));
        assert!(words.iter().all(|word| run.stderr.contains(word)), "{args:?}: {}", run.stderr);
        assert_eq!(repo.state(), state);
    };
    wrong(&["resolve", "0123456789abcdef", "--keep", "local"], &["No conflict is open"]);
    lab.edit("Stories", "INFRA-1", "first", "By a person.");
    repo.replace(&paths[0], "The first paragraph.", "By a commit.");
    repo.publish("a commit");
    let open = fingerprints(&sync(&lab, &repo, 1)).remove(0);
    wrong(
        &["resolve", "0123456789abcdef", "--keep", "local"],
        &["0123456789abcdef", &open, "story/INFRA-1"],
    );
    wrong(&["resolve", &open[..5], "--keep", "local"], &[&open, "first 6"]);
    wrong(&["resolve", &format!("{open}0"), "--keep", "local"], &[&open]);
    // All or nothing.
    wrong(&["resolve", &open, "INFRA-77", "--keep", "local"], &["INFRA-77"]);
    // An old version's fingerprint is not open any more.
    lab.edit("Stories", "INFRA-1", "By a person.", "By a person, again.");
    lab.minutes(2);
    wrong(&["resolve", &open, "--keep", "local"], &[&open, "story/INFRA-1, body"]);
}

#[test]
fn a_name_that_fits_several_kinds_is_listed_where_one_is_needed() {
    let lab = Lab::new();
    let (repo, _) = published(&lab, 1);
    repo.write(
        ".agent/cache/plans/INFRA/INFRA-1-plan.md",
        &story("INFRA-1", "Plan", "DRAFT", "A plan.\n"),
    );
    repo.publish("a plan");
    repo.settle();
    for args in [
        &["resolve", "INFRA-1", "--keep", "local"][..],
        &["restore", "INFRA-1", "--side", "local"],
        &["relabel", "INFRA-1", "INFRA-9"],
    ] {
        let run = repo.human(args).expect(2);
        assert!(
            run.stderr.contains("plan/INFRA-1") && run.stderr.contains("story/INFRA-1"),
            "{args:?}: {}",
            run.stderr
        );
    }
}

// Rule 8: identity.

#[test]
fn rule_8_a_relabelled_artifact_keeps_its_page() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    let page = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().comment(&page, "A word.").unwrap();
    let new = rename_id(&repo, &paths[0], "INFRA-1", "OPS-7");
    let new = {
        let to = new.replace("/INFRA/", "/OPS/");
        move_file(&repo, &new, &to);
        to
    };
    repo.publish("a new id");
    let run = sync(&lab, &repo, 0);
    assert_eq!((run.rules(), lab.writes()), (vec!["id-changed".to_owned()], 0));
    let fix = run.json()["findings"][0]["fix"].as_str().unwrap().to_owned();
    assert!(fix.contains("agent-sync relabel story/INFRA-1 story/OPS-7"), "{fix}");
    let run = repo.run(&["relabel", "INFRA-1", "OPS-7"]).expect(0);
    assert!(run.json()["notices"][0].as_str().unwrap().contains("story/OPS-7"), "{run:?}");
    assert_eq!(lab.writes(), 0, "only recorded");
    let check = repo.run(&["check"]).expect(0);
    assert_eq!(check.actions(), ["story/OPS-7 relabel"]);
    let run = sync(&lab, &repo, 0);
    assert_eq!(run.actions(), ["story/OPS-7 relabel"]);
    assert_eq!((body_writes(&lab), lab.writes()), (0, 1));
    assert_eq!(lab.page("Stories", "OPS-7"), page);
    assert_eq!(lab.sim.workspace().comments(&page).len(), 1);
    assert_eq!(lab.find_page("Stories", "INFRA-1"), None);
    repo.settle();
    assert!(meta(&repo).get("relabels").is_none());
    // It goes on from the bases that it had.
    lab.edit("Stories", "OPS-7", "second", "By a person.");
    assert_eq!(sync(&lab, &repo, 0).actions(), ["story/OPS-7 pull"]);
    assert!(repo.read(&new).contains("By a person."));
}

/// Recorded on a branch, it waits for the default branch; until then the default branch goes on as before.
#[test]
fn rule_8_a_relabel_waits_for_the_default_branch() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    let page = lab.page("Stories", "INFRA-1");
    repo.git(&["checkout", "-q", "-b", "new-id"]);
    // Nothing in common with the old one: only the person's word says that they are one.
    let new = paths[0].replace("INFRA-1", "INFRA-9");
    move_file(&repo, &paths[0], &new);
    repo.write(&new, &story("INFRA-9", "Quite another", "DRAFT", "Written anew.\n"));
    repo.commit("a new id");
    repo.run(&["relabel", "story/INFRA-1", "INFRA-9"]).expect(0);
    lab.minutes(2);
    lab.sim.reset_requests();
    let run = repo.run(&["push", "--any-branch"]).expect(0);
    assert_eq!((run.rules(), lab.writes()), (vec!["relabel-pending".to_owned()], 0), "{run:?}");
    let nightly = lab.nightly("nightly");
    lab.edit("Stories", "INFRA-1", "second", "By a person.");
    assert_eq!(sync(&lab, &nightly, 0).actions(), ["story/INFRA-1 pull"]);
    nightly.publish("from Notion");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["pull", "-q", "--no-rebase", "-X", "ours", "origin", "main"]);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    repo.git(&["rm", "-q", &paths[0]]);
    repo.write(&new, &story("INFRA-9", "Quite another", "DRAFT", "Written anew.\n"));
    repo.publish("merged");
    let run = sync(&lab, &repo, 0);
    assert_eq!(run.actions(), ["story/INFRA-9 push"]);
    assert_eq!(lab.page("Stories", "INFRA-9"), page);
    assert!(lab.body("Stories", "INFRA-9").contains("Written anew."));
    repo.settle();
}

#[test]
fn rule_8_a_pull_takes_a_relabel_up_and_a_push_gives_the_page_its_id() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 1);
    let page = lab.page("Stories", "INFRA-1");
    repo.story("INFRA-2", "Another", "DRAFT", "Quite another one.\n");
    let new = rename_id(&repo, &paths[0], "INFRA-1", "INFRA-9");
    repo.publish("a new id");
    repo.run(&["relabel", "INFRA-1", "INFRA-9"]).expect(0);
    lab.edit("Stories", "INFRA-1", "second", "By a person.");
    for _ in 0..2 {
        lab.minutes(2);
        lab.sim.reset_requests();
        repo.run(&["pull"]).expect(0);
        assert_eq!(lab.writes(), 0);
        assert!(repo.read(&new).contains("By a person."));
    }
    assert_eq!(lab.page("Stories", "INFRA-1"), page);
    repo.publish("pulled");
    repo.settle();
    assert_eq!(lab.page("Stories", "INFRA-9"), page);
}

#[test]
fn rule_8_two_that_look_alike_may_be_two() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 3);
    let old = lab.page("Stories", "INFRA-1");
    rename_id(&repo, &paths[0], "INFRA-1", "INFRA-9");
    repo.publish("another one");
    assert_eq!(sync(&lab, &repo, 0).rules(), ["id-changed"]);
    for args in [
        &["resolve", "INFRA-9", "--keep", "local"][..],
        &["resolve", "INFRA-1", "--keep", "remote"],
    ] {
        let run = repo.human(args).expect(2);
        assert!(run.stderr.contains("agent-sync relabel story/INFRA-1 story/INFRA-9"), "{run:?}");
    }
    repo.run(&["resolve", "INFRA-1", "--keep", "local"]).expect(0);
    let run = sync(&lab, &repo, 0);
    assert_eq!(run.actions(), ["story/INFRA-1 trash-page", "story/INFRA-9 create-page"]);
    assert!(lab.sim.workspace().page(&old).unwrap().in_trash);
    assert_ne!(lab.page("Stories", "INFRA-9"), old);
    repo.settle();
    assert!(meta(&repo).get("distinct").is_none(), "{}", meta(&repo));
}

#[test]
fn rule_8_an_id_that_changed_in_notion_is_answered_by_relabel() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    let page = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().set_property(&page, "ID", "INFRA-9").unwrap();
    let run = sync(&lab, &repo, 0);
    assert_eq!((run.rules(), lab.writes()), (vec!["id-changed".to_owned()], 0));
    let run = repo.human(&["resolve", "INFRA-1", "--keep", "local"]).expect(2);
    assert!(run.stderr.contains("Set it back") && run.stderr.contains("relabel"), "{run:?}");
    repo.run(&["relabel", "INFRA-1", "INFRA-9"]).expect(0);
    assert_eq!(sync(&lab, &repo, 0).rules(), ["id-changed"], "the branch still holds the old one");
    assert_eq!(lab.writes(), 0);
    let new = rename_id(&repo, &paths[0], "INFRA-1", "INFRA-9");
    repo.replace(&new, "The first paragraph.", "By a commit.");
    repo.publish("a new id");
    assert_eq!(sync(&lab, &repo, 0).actions(), ["story/INFRA-9 push"]);
    assert_eq!(lab.page("Stories", "INFRA-9"), page);
    repo.settle();
}

#[test]
fn rule_8_a_kind_changes_inside_one_database_only() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    let page = lab.page("Stories", "INFRA-1");
    let plan = ".agent/cache/plans/INFRA/INFRA-1-story-1.md";
    move_file(&repo, &paths[0], plan);
    repo.publish("a plan now");
    let run = repo.human(&["relabel", "story/INFRA-1", "plan/INFRA-1"]).expect(3);
    assert!(run.stderr.contains("\"Plans\"") && run.stderr.contains("Move it there"), "{run:?}");
    assert_eq!(sync(&lab, &repo, 0).rules(), ["id-changed"]);
    // As told: the page goes to the other database, by hand.
    let plans = lab.sim.workspace().database_by_title("Plans").unwrap();
    lab.sim.workspace().move_to_database(&page, &plans.id).unwrap();
    repo.run(&["relabel", "story/INFRA-1", "plan/INFRA-1"]).expect(0);
    sync(&lab, &repo, 0);
    assert_eq!(lab.page("Plans", "INFRA-1"), page);
    assert_eq!(lab.find_page("Stories", "INFRA-1"), None);
    repo.settle();
}

#[test]
fn relabel_says_what_is_wrong_with_its_names() {
    let lab = Lab::new();
    let (repo, _) = published(&lab, 2);
    let state = repo.state();
    for (args, word) in [
        (&["relabel", "INFRA-77", "INFRA-9"][..], "INFRA-77"),
        (&["relabel", "INFRA-1", "INFRA-1"], "already"),
        (&["relabel", "INFRA-1", "INFRA-2"], "page of its own"),
        (&["relabel", "INFRA-1", "no id"], "look like"),
        (&["relabel", "INFRA-1", "../../INFRA-9"], "kind"),
        (&["relabel", "INFRA-1", "epic/INFRA-9"], "epic"),
        (&["relabel", "INFRA-1"], "NEW"),
    ] {
        let run = repo.human(args).expect(2);
        assert!(run.stderr.contains(word), "{args:?}: {}", run.stderr);
    }
    repo.run(&["relabel", "INFRA-1", "INFRA-9", "--dry-run"]).expect(0);
    assert_eq!(repo.state(), state);
}

// Renames.

/// `rename: follow` for stories.
fn follow(repo: &Repo<'_>) {
    let text = repo.read("agent-sync.yml");
    repo.write("agent-sync.yml", &format!("{text}kinds:\n  story: {{rename: follow}}\n"));
    repo.publish("follow");
}

#[track_caller]
fn rename(lab: &Lab, id: &str, title: &str) {
    let page = lab.page("Stories", id);
    lab.sim.workspace().rename(&page, title).unwrap();
}

#[test]
fn a_file_that_moves_or_is_renamed_in_git_keeps_its_page() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 3);
    let pages: Vec<_> = (1..=3).map(|n| lab.page("Stories", &format!("INFRA-{n}"))).collect();
    // Another folder of scope, another name, out of any; the last one is edited as well.
    let moved = [
        ".agent/cache/stories/OPS/INFRA-1-story-1.md".to_owned(),
        paths[1].replace("story-2", "any-other-name"),
        ".agent/cache/stories/INFRA-3.md".to_owned(),
    ];
    for (from, to) in paths.iter().zip(&moved) {
        move_file(&repo, from, to);
    }
    repo.replace(&moved[2], "DRAFT", "DONE");
    repo.publish("moved");
    let run = sync(&lab, &repo, 0);
    assert_eq!((run.actions(), run.rules()), (vec!["story/INFRA-3 push".to_owned()], vec![]));
    assert_eq!((body_writes(&lab), lab.writes()), (0, 1));
    let now: Vec<_> = (1..=3).map(|n| lab.page("Stories", &format!("INFRA-{n}"))).collect();
    assert_eq!(now, pages);
    repo.settle();
    lab.edit("Stories", "INFRA-1", "second", "By a person.");
    assert_eq!(sync(&lab, &repo, 0).actions(), ["story/INFRA-1 pull"]);
    assert!(repo.read(&moved[0]).contains("By a person.") && !repo.has(&paths[0]));
}

#[test]
fn by_default_the_path_stays_whatever_the_title_says() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 1);
    rename(&lab, "INFRA-1", "Quite another");
    assert_eq!(sync(&lab, &repo, 0).actions(), ["story/INFRA-1 pull"]);
    assert_eq!(repo.files().keys().collect::<Vec<_>>(), [&paths[0]]);
    repo.publish("from Notion");
    repo.replace(&paths[0], "Quite another", "From here");
    repo.publish("a title");
    sync(&lab, &repo, 0);
    assert_eq!(repo.files().keys().collect::<Vec<_>>(), [&paths[0]]);
}

#[test]
fn follow_renames_the_file_of_a_title_that_changed_in_notion() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    follow(&repo);
    repo.settle();
    rename(&lab, "INFRA-1", "Quite: Another/../../Title");
    lab.edit("Stories", "INFRA-1", "second", "By a person.");
    let new = paths[0].replace("story-1", "quite-another-title");
    let plan = repo.run(&["check"]).expect(0).json()["artifacts"][0].clone();
    assert_eq!(plan["path"], json!(new), "{plan}");
    assert!(plan["reason"].as_str().unwrap().contains(&paths[0]), "{plan}");
    assert!(repo.has(&paths[0]) && !repo.has(&new));
    let run = sync(&lab, &repo, 0);
    assert_eq!(run.json()["artifacts"][0]["path"], json!(new));
    assert_eq!(lab.writes(), 0);
    assert!(!repo.has(&paths[0]));
    let text = repo.read(&new);
    assert!(text.starts_with("# INFRA-1: Quite: Another/../../Title\n"), "{text}");
    assert!(text.contains("By a person."));
    repo.publish("renamed");
    repo.settle();
    // A title that changed here leaves the path to its author, and one that makes the same words changes none.
    repo.replace(&new, "Quite: Another/../../Title", "From here");
    repo.publish("a title");
    assert_eq!(sync(&lab, &repo, 0).actions(), ["story/INFRA-1 push"]);
    rename(&lab, "INFRA-1", "From: HERE!");
    assert_eq!(sync(&lab, &repo, 0).actions(), ["story/INFRA-1 pull"]);
    assert!(repo.has(&new));
}

/// Rule 15: until the default branch holds the renamed file, every checkout of it gets the same change again.
#[test]
fn rule_15_a_rename_and_its_content_are_one_change() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    follow(&repo);
    repo.settle();
    rename(&lab, "INFRA-1", "Another title");
    lab.minutes(2);
    repo.git(&["checkout", "-q", "-b", "agent-sync/pull"]);
    repo.run(&["pull"]).expect(0);
    repo.commit("from Notion");
    let new = paths[0].replace("story-1", "another-title");
    for night in ["one", "two"] {
        let nightly = lab.nightly(night);
        assert_eq!(sync(&lab, &nightly, 0).actions(), ["story/INFRA-1 pull"]);
        assert!(nightly.has(&new) && !nightly.has(&paths[0]));
        assert_eq!(lab.writes(), 0);
    }
    // Meanwhile the default branch edits the file under its old name; Git merges the two.
    repo.git(&["checkout", "-q", "main"]);
    repo.replace(&paths[0], "The fourth one.", "By a commit.");
    repo.publish("an edit");
    let nightly = lab.nightly("three");
    assert_eq!(sync(&lab, &nightly, 0).actions(), ["story/INFRA-1 merge"]);
    repo.git(&["merge", "-q", "-m", "merge", "agent-sync/pull"]);
    repo.git(&["push", "-q"]);
    assert!(repo.read(&new).contains("By a commit."));
    repo.settle();
    assert!(lab.body("Stories", "INFRA-1").contains("By a commit."));
    let page = lab.page("Stories", "INFRA-1");
    assert_eq!(lab.sim.workspace().page(&page).unwrap().title, "Another title");
}

#[test]
fn follow_never_takes_another_files_place() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    follow(&repo);
    repo.settle();
    // Not a document of the kind, since it is hidden from the scan by its ending; and a folder.
    let taken = paths[0].replace("story-1", "taken");
    std::fs::create_dir(repo.path.join(&taken)).unwrap();
    repo.write(&format!("{taken}/keep.txt"), "A folder by that name.\n");
    rename(&lab, "INFRA-1", "Taken");
    sync(&lab, &repo, 0);
    assert_eq!(repo.read(&format!("{taken}/keep.txt")), "A folder by that name.\n");
    assert!(repo.read(&paths[0].replace("story-1", "taken-2")).contains("# INFRA-1: Taken"));
    // A name that differs in case only is one that is taken, on many file systems.
    let path = paths[1].replace("story-2", "Third");
    move_file(&repo, &paths[1], &path);
    repo.publish("names");
    sync(&lab, &repo, 0);
    rename(&lab, "INFRA-2", "third");
    sync(&lab, &repo, 0);
    let files = repo.files();
    let names: Vec<_> = files.keys().filter(|name| name.contains("INFRA-2")).collect();
    assert_eq!(names, [&paths[1].replace("story-2", "third")]);
}

// Rule 5: files that name their page.

/// Puts `notion_id:` at the head of a story's file.
fn name_page(repo: &Repo<'_>, path: &str, page: &str) {
    let text = repo.read(path);
    let text = text
        .strip_prefix("---\n")
        .map(|rest| rest.split_once("---\n\n").unwrap().1.to_owned())
        .unwrap_or(text);
    repo.write(path, &format!("---\nnotion_id: {page}\n---\n\n{text}"));
}

fn lose_state(lab: &Lab, repo: &Repo<'_>) {
    for dir in [repo.path.clone(), lab.dir.path().join("remote.git")] {
        common::git_in(&dir, &["update-ref", "-d", "refs/agent-sync/state"]);
    }
}

#[test]
fn a_named_page_is_the_files_and_the_name_stays_in_the_file() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 1);
    let page = lab.page("Stories", "INFRA-1");
    let workspace = lab.sim.workspace().snapshot();
    name_page(&repo, &paths[0], &page);
    repo.publish("names");
    let run = sync(&lab, &repo, 0);
    assert_eq!((run.actions(), run.rules(), lab.writes()), (vec![], vec![], 0));
    assert_eq!(lab.sim.workspace().snapshot(), workspace);
    repo.settle();
    lab.edit("Stories", "INFRA-1", "second", "By a person.");
    sync(&lab, &repo, 0);
    assert!(repo.read(&paths[0]).starts_with(&format!("---\nnotion_id: {page}\n---\n")));
    repo.publish("pulled");
    repo.settle();
    // A new id: the file still says which page is its own, and nobody has to ask.
    let new = rename_id(&repo, &paths[0], "INFRA-1", "INFRA-9");
    repo.publish("a new id");
    let run = sync(&lab, &repo, 0);
    assert_eq!((run.actions(), run.rules()), (vec!["story/INFRA-9 relabel".to_owned()], vec![]));
    assert_eq!((lab.page("Stories", "INFRA-9"), body_writes(&lab)), (page, 0));
    assert!(repo.has(&new));
    repo.settle();
    assert!(meta(&repo).get("relabels").is_none());
}

#[test]
fn a_new_id_of_a_named_page_waits_for_the_default_branch() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    let page = lab.page("Stories", "INFRA-1");
    name_page(&repo, &paths[0], &format!("https://www.notion.so/{}", page.replace('-', "")));
    repo.publish("names");
    repo.settle();
    repo.git(&["checkout", "-q", "-b", "new-id"]);
    rename_id(&repo, &paths[0], "INFRA-1", "INFRA-9");
    repo.commit("a new id");
    lab.minutes(2);
    lab.sim.reset_requests();
    let run = repo.run(&["push", "--any-branch"]).expect(0);
    assert_eq!((run.rules(), lab.writes()), (vec!["relabel-pending".to_owned()], 0));
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "new-id"]);
    repo.git(&["push", "-q"]);
    // A pull gives no ids; it waits for a push.
    lab.minutes(2);
    repo.run(&["pull"]).expect(0);
    repo.run(&["pull"]).expect(0);
    assert_eq!(lab.page("Stories", "INFRA-1"), page);
    repo.settle();
    assert_eq!(lab.page("Stories", "INFRA-9"), page);
}

#[test]
fn rule_5_without_state_a_name_finds_its_page() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 4);
    let pages: Vec<_> = (1..=4).map(|n| lab.page("Stories", &format!("INFRA-{n}"))).collect();
    for (path, page) in paths.iter().zip(&pages) {
        name_page(&repo, path, page);
    }
    repo.publish("names");
    repo.settle();
    // 1 is as it was, 2 has a new id here, 3 lost its ID there, 4 is in the trash.
    rename_id(&repo, &paths[1], "INFRA-2", "INFRA-9");
    repo.publish("a new id");
    lab.sim.workspace().set_property(&pages[2], "ID", "").unwrap();
    lab.sim.workspace().trash(&pages[3]).unwrap();
    lose_state(&lab, &repo);
    let check = repo.run(&["check"]).expect(1);
    assert_eq!(
        check.actions(),
        ["story/INFRA-3 relabel", "story/INFRA-4 conflict", "story/INFRA-9 relabel"]
    );
    // A pull alone knows them, and gives no ids.
    lab.minutes(2);
    lab.sim.reset_requests();
    repo.run(&["pull"]).expect(1);
    assert_eq!(lab.writes(), 0);
    let run = sync(&lab, &repo, 1);
    assert_eq!(run.actions(), check.actions());
    assert_eq!((body_writes(&lab), lab.writes()), (0, 2));
    assert_eq!(lab.page("Stories", "INFRA-1"), pages[0]);
    assert_eq!(lab.page("Stories", "INFRA-9"), pages[1]);
    assert_eq!(lab.page("Stories", "INFRA-3"), pages[2]);
    assert!(repo.has(&paths[3]) && lab.find_page("Stories", "INFRA-4").is_none());
    // The page that was trashed while nobody knew: a person says.
    repo.run(&["resolve", "INFRA-4", "--keep", "local"]).expect(0);
    sync(&lab, &repo, 0);
    assert_eq!(lab.page("Stories", "INFRA-4"), pages[3]);
    repo.settle();
}

#[test]
fn rule_5_a_named_page_that_is_not_visible_stops_creations_of_its_kind() {
    let lab = Lab::new();
    let repo = lab.remote();
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    let plan = ".agent/cache/plans/INFRA/INFRA-1-plan.md";
    repo.write(plan, &story("INFRA-1", "Plan", "DRAFT", "A plan.\n"));
    let private = lab.sim.workspace().create_private_page("First");
    name_page(&repo, &path, &private);
    repo.publish("stories");
    repo.init();
    let database = stories(&lab);
    for command in ["sync", "push"] {
        let run = repo.run(&[command]).expect(0);
        assert_eq!(run.rules(), ["page-not-visible"]);
        assert_eq!(lab.sim.workspace().pages_of(&database, true).len(), 0);
    }
    assert!(lab.find_page("Plans", "INFRA-1").is_some(), "other kinds go on");
    let run = repo.human(&["resolve", "story/INFRA-1", "--keep", "remote"]).expect(2);
    assert!(run.stderr.contains("--keep local"), "{run:?}");
    repo.run(&["resolve", "story/INFRA-1", "--keep", "local"]).expect(0);
    let run = sync(&lab, &repo, 0);
    assert_eq!(run.actions(), ["story/INFRA-1 create-page", "story/INFRA-2 create-page"]);
    repo.settle();
    assert!(repo.read(&path).contains(&private), "never written by us");
}

fn stories(lab: &Lab) -> String {
    lab.sim.workspace().database_by_title("Stories").unwrap().id
}

#[test]
fn names_that_contradict_each_other_are_findings_and_nothing_syncs() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 6);
    let page = |n: usize| lab.page("Stories", &format!("INFRA-{n}"));
    // 1 and 2 name one page; 3 names the page of 4; 5 names nothing that can be read; a new one names 6's.
    name_page(&repo, &paths[0], &page(1));
    name_page(&repo, &paths[1], &page(1));
    name_page(&repo, &paths[2], &page(4));
    name_page(&repo, &paths[4], "my page");
    let new = repo.story("INFRA-7", "Seven", "DRAFT", BODY);
    name_page(&repo, &new, &page(6));
    for path in &paths {
        repo.replace(path, "The second one.", "By a commit.");
    }
    repo.publish("names");
    let workspace = lab.sim.workspace().snapshot();
    let run = sync(&lab, &repo, 0);
    assert_eq!(run.actions(), ["story/INFRA-4 push"]);
    assert_eq!(
        run.rules(),
        ["page-name", "page-named-twice", "page-named-twice", "page-named-twice"]
    );
    let both = run.json()["findings"].as_array().unwrap().iter().any(|finding| {
        let message = finding["message"].as_str().unwrap();
        message.contains(&paths[0]) && message.contains(&paths[1])
    });
    assert!(both, "{run:?}");
    assert_eq!(lab.find_page("Stories", "INFRA-7"), None);
    assert_ne!(lab.sim.workspace().snapshot(), workspace);
    assert!(!lab.body("Stories", "INFRA-6").contains("By a commit."));
}

// Rule 7: absence.

#[test]
fn rule_7_only_a_page_in_the_trash_is_deleted() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 6);
    let pages: Vec<_> = (1..=6).map(|n| lab.page("Stories", &format!("INFRA-{n}"))).collect();
    {
        let plans = lab.sim.workspace().database_by_title("Plans").unwrap().id;
        let mut ws = lab.sim.workspace();
        ws.trash(&pages[0]).unwrap();
        ws.archive(&pages[1], true).unwrap();
        ws.move_to_database(&pages[2], &plans).unwrap();
        ws.delete_forever(&pages[4]).unwrap();
        let elsewhere = ws.create_private_page("Elsewhere");
        ws.move_to_page(&pages[3], &elsewhere).unwrap();
    }
    for path in &paths[1..5] {
        repo.replace(path, "The second one.", "By a commit.");
    }
    repo.publish("commits");
    let run = sync(&lab, &repo, 0);
    assert_eq!(run.actions(), ["story/INFRA-1 delete-file"], "{run:?}");
    assert!(!repo.has(&paths[0]) && paths[1..].iter().all(|path| repo.has(path)));
    let json = run.json();
    let away: Vec<_> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["rule"] == json!("page-away"))
        .map(|finding| (finding["id"].clone(), finding["message"].as_str().unwrap().to_owned()))
        .collect();
    for (id, word) in [
        ("INFRA-2", "is archived"),
        ("INFRA-3", "was moved"),
        ("INFRA-4", "is not visible"),
        ("INFRA-5", "is not visible"),
    ] {
        let of = away.iter().find(|(other, _)| *other == json!(id));
        assert!(of.is_some_and(|(_, message)| message.contains(word)), "{id}: {away:?}");
    }
    // Back again, it is what it was.
    lab.sim.workspace().archive(&pages[1], false).unwrap();
    assert!(sync(&lab, &repo, 0).actions().contains(&"story/INFRA-2 push".to_owned()));
}

#[test]
fn rule_7_a_file_is_deleted_only_beside_others() {
    let lab = Lab::new();
    let (repo, paths) = published(&lab, 2);
    // The folder is away, or there is nothing in it: a sparse checkout looks like that.
    let folder = repo.path.join(".agent/cache/stories");
    std::fs::rename(&folder, repo.path.join("aside")).unwrap();
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(5);
    std::fs::create_dir_all(&folder).unwrap();
    repo.run(&["sync"]).expect(5);
    assert_eq!(lab.writes(), 0);
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::rename(repo.path.join("aside"), &folder).unwrap();
    std::fs::remove_file(repo.path.join(&paths[0])).unwrap();
    repo.publish("one less");
    assert_eq!(sync(&lab, &repo, 0).actions(), ["story/INFRA-1 trash-page"]);
    repo.settle();
}

// Rule 8: deletion against edit.

#[test]
fn rule_8_a_deletion_against_an_edit_is_a_conflict_with_two_answers() {
    for (keep, deleted_here) in
        [("local", true), ("remote", true), ("local", false), ("remote", false)]
    {
        let lab = Lab::new();
        let (repo, paths) = published(&lab, 2);
        let page = lab.page("Stories", "INFRA-1");
        if deleted_here {
            std::fs::remove_file(repo.path.join(&paths[0])).unwrap();
            lab.edit("Stories", "INFRA-1", "second", "Edited meanwhile.");
        } else {
            lab.sim.workspace().trash(&page).unwrap();
            repo.replace(&paths[0], "The second one.", "Edited meanwhile.");
        }
        repo.publish("changes");
        let run = sync(&lab, &repo, 1);
        let actions = vec!["story/INFRA-1 conflict".to_owned()];
        assert_eq!((run.actions(), lab.document_writes()), (actions, 0));
        let open = fingerprints(&run);
        assert_eq!(
            fingerprints(&sync(&lab, &repo, 1)),
            open,
            "rule 17: as long as nothing changes"
        );
        repo.run(&["resolve", &open[0], "--keep", keep]).expect(0);
        assert_eq!(lab.writes(), 0);
        let action = match (keep, deleted_here) {
            ("local", true) => "trash-page",
            ("remote", true) => "create-file",
            ("local", false) => "restore-page",
            _ => "delete-file",
        };
        let run = sync(&lab, &repo, 0);
        assert_eq!(run.actions(), [format!("story/INFRA-1 {action}")]);
        repo.publish("as decided");
        for _ in 0..2 {
            lab.minutes(2);
            repo.run(&["sync"]).expect(0);
            repo.publish("as decided");
        }
        repo.settle();
        let kept = (keep == "local") != deleted_here;
        assert_eq!(
            (repo.has(&paths[0]), lab.find_page("Stories", "INFRA-1").is_some()),
            (kept, kept)
        );
        if kept {
            assert!(repo.read(&paths[0]).contains("Edited meanwhile."));
            assert!(lab.body("Stories", "INFRA-1").contains("Edited meanwhile."));
            assert_eq!(lab.page("Stories", "INFRA-1"), page);
        }
    }
}

/// Kinds may share a database; there a change of kind is a change of name.
#[test]
fn rule_8_a_kind_changes_inside_a_shared_database() {
    let lab = Lab::new();
    let repo = lab.remote();
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    repo.publish("stories");
    repo.init();
    let id = stories(&lab);
    let text = repo.read("agent-sync.yml").replace(
        "    type: notion\n",
        &format!("    type: notion\n    share: [story, plan]\n    databases: {{story: {id}, plan: {id}}}\n"),
    );
    repo.write("agent-sync.yml", &text);
    repo.publish("one database");
    repo.init();
    repo.settle();
    let page = lab.page("Stories", "INFRA-1");
    let plan = ".agent/cache/plans/INFRA/INFRA-1-first.md";
    move_file(&repo, &path, plan);
    repo.publish("a plan now");
    assert_eq!(sync(&lab, &repo, 0).rules(), ["id-changed"]);
    repo.run(&["relabel", "story/INFRA-1", "plan/INFRA-1"]).expect(0);
    sync(&lab, &repo, 0);
    repo.settle();
    assert_eq!(lab.page("Stories", "INFRA-1"), page);
    lab.edit("Stories", "INFRA-1", "second", "By a person.");
    assert_eq!(sync(&lab, &repo, 0).actions(), ["plan/INFRA-1 pull"]);
}
