//! Rule 15: what counts as agreed, told as the stories of people and runs around one default branch.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo};

const BODY: &str = "## Problem\n\nThe first paragraph.\n\nThe second paragraph.\n\n- one\n- two\n";

/// A remote whose `main` holds one story that was synced, and a clone of it.
fn published(lab: &Lab) -> (Repo<'_>, String) {
    let repo = lab.remote();
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.publish("a story");
    repo.init();
    for _ in 0..2 {
        repo.run(&["sync"]).expect(0);
        lab.minutes(2);
    }
    (repo, path)
}

fn edit(lab: &Lab, containing: &str, new: &str) {
    lab.edit("Stories", "INFRA-1", containing, new);
    lab.minutes(2);
}

#[track_caller]
fn both_hold(lab: &Lab, repo: &Repo<'_>, path: &str, texts: &[&str]) {
    let (file, page) = (repo.read(path), lab.body("Stories", "INFRA-1"));
    for text in texts {
        assert!(file.contains(text), "{text:?} is not in the file: {file}");
        assert!(page.contains(text), "{text:?} is not in the page: {page}");
    }
}

#[track_caller]
fn neither_holds(lab: &Lab, repo: &Repo<'_>, path: &str, text: &str) {
    let (file, page) = (repo.read(path), lab.body("Stories", "INFRA-1"));
    assert!(!file.contains(text) && !page.contains(text), "{text:?}: {file}\n{page}");
}

#[test]
fn a_pull_that_is_thrown_away_is_made_again() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "second", "Seen in Notion.");
    for _ in 0..3 {
        assert_eq!(repo.run(&["pull"]).expect(0).actions(), ["story/INFRA-1 pull"]);
        assert!(repo.read(&path).contains("Seen in Notion."));
        repo.git(&["checkout", "-q", "."]);
        lab.minutes(2);
    }
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    assert_eq!(lab.writes(), 0);
    repo.publish("as in Notion");
    repo.settle();
    both_hold(&lab, &repo, &path, &["Seen in Notion."]);
}

#[test]
fn a_pull_that_is_thrown_away_is_no_base_for_another_edit_of_the_file() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "second", "Seen in Notion.");
    repo.run(&["pull"]).expect(0);
    repo.git(&["checkout", "-q", "."]);
    repo.replace(&path, "first", "1st");
    repo.publish("an edit that knows nothing of the pull");
    lab.minutes(2);
    // Both sides changed: they merge, and the text that the file lacks is no revert.
    repo.run(&["sync"]).expect(0);
    both_hold(&lab, &repo, &path, &["Seen in Notion.", "1st"]);
}

#[test]
fn a_squash_merged_pull_is_agreed_and_a_later_notion_edit_is_an_edit() {
    for second in ["second", "Seen in Notion"] {
        let lab = Lab::new();
        let (repo, path) = published(&lab);
        edit(&lab, "second", "Seen in Notion.");
        let bot = lab.nightly("bot");
        bot.git(&["checkout", "-q", "-b", "agent-sync/pull"]);
        assert_eq!(bot.run(&["pull"]).expect(0).actions(), ["story/INFRA-1 pull"]);
        bot.publish("pull from Notion");
        match second {
            "second" => edit(&lab, "first", "Seen again in Notion."),
            _ => edit(&lab, second, "Seen again in Notion."),
        }
        let nightly = lab.nightly("nightly");
        lab.sim.reset_requests();
        assert_eq!(nightly.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
        assert_eq!(lab.writes(), 0);
        repo.git(&["fetch", "-q", "origin"]);
        repo.git(&["merge", "-q", "--squash", "origin/agent-sync/pull"]);
        repo.publish("pull from Notion (#1)");
        lab.minutes(2);
        lab.sim.reset_requests();
        assert_eq!(lab.nightly("after").run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
        assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
        assert_eq!(lab.writes(), 0);
        both_hold(&lab, &repo, &path, &["Seen again in Notion."]);
        assert_eq!(repo.read(&path).contains("Seen in Notion."), second == "second");
        repo.publish("pull from Notion (#2)");
        repo.settle();
    }
}

#[test]
fn a_pull_that_was_edited_in_its_pull_request_is_pushed() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "second", "Seen in Notion.");
    repo.git(&["checkout", "-q", "-b", "agent-sync/pull"]);
    repo.run(&["pull"]).expect(0);
    repo.commit("pull from Notion");
    // The reviewer rewrites the very words that came from Notion.
    repo.replace(&path, "Seen in Notion.", "Seen in Notion, and reviewed.");
    repo.commit("review");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "--no-ff", "agent-sync/pull"]);
    repo.git(&["push", "-q", "origin", "main"]);
    lab.minutes(2);
    assert_eq!(lab.nightly("ci").run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
    both_hold(&lab, &repo, &path, &["Seen in Notion, and reviewed."]);
}

#[test]
fn an_overtaken_run_writes_nothing_and_the_last_one_does_it_all() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    repo.replace(&path, "first", "1st");
    repo.publish("first push");
    let overtaken = repo.git(&["rev-parse", "HEAD"]);
    repo.replace(&path, "second", "2nd");
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    repo.publish("second push");
    lab.sim.reset_requests();
    let state = repo.state();
    let run = lab.checkout("overtaken", &overtaken).run(&["sync"]).expect(0);
    assert_eq!(run.json()["outcome"], "superseded");
    assert_eq!((lab.count(), repo.state()), (0, state));
    let last = lab.nightly("last");
    assert_eq!(
        last.run(&["sync"]).expect(0).actions(),
        ["story/INFRA-1 push", "story/INFRA-2 create-page"]
    );
    both_hold(&lab, &repo, &path, &["1st", "2nd"]);
    repo.settle();
}

#[test]
fn a_push_during_a_run_is_an_edit_on_top_of_what_the_run_wrote() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    repo.replace(&path, "first", "1st");
    repo.publish("first push");
    let run = lab.nightly("first");
    repo.replace(&path, "1st", "1st and only");
    repo.commit("second push");
    let (clone, bare) = (repo.path.clone(), lab.dir.path().join("remote.git"));
    let mut pushed = false;
    lab.sim.set_hook(Some(Box::new(move |_, _| {
        if !std::mem::replace(&mut pushed, true) {
            common::git_in(&clone, &["push", "-q", bare.to_str().unwrap(), "HEAD:main"]);
        }
    })));
    assert_eq!(run.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    lab.sim.set_hook(None);
    lab.minutes(2);
    assert_eq!(lab.nightly("second").run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
    both_hold(&lab, &repo, &path, &["1st and only"]);
}

#[test]
fn a_rerun_of_an_old_commit_writes_nothing() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    let old = repo.git(&["rev-parse", "HEAD"]);
    repo.replace(&path, "first", "1st");
    repo.publish("later");
    repo.settle();
    lab.sim.reset_requests();
    for command in ["sync", "push", "pull"] {
        let rerun = lab.checkout(&format!("rerun-{command}"), &old);
        assert_eq!(rerun.run(&[command]).expect(0).json()["outcome"], "superseded");
        assert!(rerun.read(&path).contains("first"));
    }
    // Checked out by its hash, as `ref: ${{ github.sha }}` does.
    let mut detached = lab.clone("detached");
    detached.in_ci();
    detached.git(&["checkout", "-q", "--detach", &old]);
    assert_eq!(detached.run(&["sync"]).expect(0).json()["outcome"], "superseded");
    assert_eq!(lab.count(), 0);
    both_hold(&lab, &repo, &path, &["1st"]);
}

#[test]
fn a_laptop_behind_the_remote_is_told_to_pull() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    let laptop = lab.clone("laptop");
    repo.replace(&path, "first", "1st");
    repo.publish("later");
    repo.settle();
    laptop.replace(&path, "second", "2nd");
    let state = repo.state();
    lab.sim.reset_requests();
    for command in ["sync", "push", "pull"] {
        let run = laptop.human(&[command]).expect(2);
        assert!(run.stderr.contains("git pull") || run.stdout.contains("git pull"), "{run:?}");
    }
    assert_eq!((lab.writes(), repo.state()), (0, state));
    // Reading is allowed everywhere.
    laptop.run(&["status"]).expect(0);
    laptop.commit("mine");
    laptop.run(&["sync"]).expect(2);
    laptop.git(&["pull", "-q", "--rebase"]);
    assert_eq!(laptop.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    both_hold(&lab, &laptop, &path, &["1st", "2nd"]);
    laptop.git(&["push", "-q"]);
    laptop.settle();
}

#[test]
fn a_revert_to_a_text_that_was_proposed_long_ago_is_an_edit() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "first", "Proposed long ago.");
    repo.git(&["checkout", "-q", "-b", "agent-sync/pull"]);
    repo.run(&["pull"]).expect(0);
    let proposed = repo.read(&path);
    repo.commit("never merged");
    repo.git(&["checkout", "-q", "main"]);
    // Notion goes on, and that is merged.
    edit(&lab, "Proposed long ago.", "What was agreed.");
    repo.run(&["sync"]).expect(0);
    repo.publish("agreed");
    repo.settle();
    repo.write(&path, &proposed);
    repo.publish("back to what was proposed long ago");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
    both_hold(&lab, &repo, &path, &["Proposed long ago."]);
    neither_holds(&lab, &repo, &path, "What was agreed.");
}

#[test]
fn a_pair_is_dropped_when_both_sides_are_back_at_the_base() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    let base = repo.read(&path);
    edit(&lab, "first", "A passing thought.");
    repo.run(&["pull"]).expect(0);
    let proposed = repo.read(&path);
    repo.git(&["checkout", "-q", "."]);
    edit(&lab, "A passing thought.", "The first paragraph.");
    repo.settle();
    assert_eq!(repo.read(&path), base);
    // The text comes back by a commit. Were the pair still open, this would be "agreed" and Notion's text would
    // be pulled over the commit.
    repo.write(&path, &proposed);
    repo.publish("the thought again");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
    both_hold(&lab, &repo, &path, &["A passing thought."]);
}

#[test]
fn a_revert_commit_is_an_edit_like_any_other() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "second", "Seen in Notion.");
    repo.run(&["sync"]).expect(0);
    repo.publish("from Notion");
    repo.settle();
    repo.git(&["revert", "--no-edit", "HEAD"]);
    repo.git(&["push", "-q"]);
    assert_eq!(lab.nightly("ci").run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
    both_hold(&lab, &repo, &path, &["The second paragraph."]);
    neither_holds(&lab, &repo, &path, "Seen in Notion.");
}

#[test]
fn a_merge_and_its_revert_between_two_runs_are_a_revert() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "second", "Seen in Notion.");
    repo.run(&["pull"]).expect(0);
    repo.publish("from Notion");
    repo.git(&["revert", "--no-edit", "HEAD"]);
    repo.git(&["push", "-q"]);
    lab.minutes(2);
    assert_eq!(lab.nightly("ci").run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
    both_hold(&lab, &repo, &path, &["The second paragraph."]);
    neither_holds(&lab, &repo, &path, "Seen in Notion.");
}

#[test]
fn a_revert_to_the_older_of_two_merged_pulls_is_a_revert() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "second", "Seen once.");
    repo.run(&["pull"]).expect(0);
    let first = repo.read(&path);
    repo.commit("from Notion, once");
    edit(&lab, "Seen once.", "Seen twice.");
    // Not pushed yet, so that the first pair stays open.
    repo.run(&["pull"]).expect(0);
    repo.publish("from Notion, twice");
    repo.write(&path, &first);
    repo.publish("once was enough");
    lab.minutes(2);
    assert_eq!(lab.nightly("ci").run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
    both_hold(&lab, &repo, &path, &["Seen once."]);
    neither_holds(&lab, &repo, &path, "Seen twice.");
}

#[test]
fn rebased_and_merged_pairs_count_wherever_history_holds_them() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "second", "Seen in Notion.");
    repo.git(&["checkout", "-q", "-b", "agent-sync/pull"]);
    repo.run(&["pull"]).expect(0);
    repo.commit("from Notion");
    repo.git(&["checkout", "-q", "main"]);
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    repo.publish("something else");
    repo.git(&["rebase", "-q", "main", "agent-sync/pull"]);
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "--ff-only", "agent-sync/pull"]);
    // Before any run sees it, the next push follows.
    repo.replace(&path, "Seen in Notion.", "Seen in Notion, and changed in Git.");
    repo.publish("on top of the pull");
    lab.minutes(2);
    assert_eq!(
        lab.nightly("ci").run(&["sync"]).expect(0).actions(),
        ["story/INFRA-1 push", "story/INFRA-2 create-page"]
    );
    repo.settle();
    both_hold(&lab, &repo, &path, &["Seen in Notion, and changed in Git."]);
}

#[test]
fn a_force_push_stops_and_is_compared_without_base_when_allowed() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    let other = repo.story("INFRA-2", "Second", "DRAFT", BODY);
    repo.publish("another");
    repo.settle();
    repo.replace(&path, "first", "1st");
    repo.publish("to be rewritten");
    repo.settle();
    // The newest commit goes, and something else comes.
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.replace(&other, "second", "2nd");
    repo.commit("rewritten");
    repo.git(&["push", "-q", "--force", "origin", "main"]);
    let (state, pages) = (repo.state(), lab.sim.workspace().snapshot());
    lab.sim.reset_requests();
    for command in ["sync", "push", "pull"] {
        let run = repo.run(&[command]).expect(5);
        assert_eq!(run.json()["outcome"], "guarded");
        assert!(run.stdout.contains("--allow history"), "{run:?}");
    }
    assert_eq!(lab.nightly("ci").run(&["sync"]).expect(5).json()["outcome"], "guarded");
    assert_eq!((lab.writes(), repo.state()), (0, state));
    // Nobody can tell which side is older: both files that differ from their base are a person's choice.
    let run = repo.run(&["sync", "--allow", "history"]).expect(1);
    assert_eq!(run.actions(), ["story/INFRA-1 conflict", "story/INFRA-2 conflict"]);
    assert_eq!(lab.sim.workspace().snapshot(), pages);
    lab.minutes(2);
    repo.run(&["push", "--force"]).expect(0);
    repo.settle();
    both_hold(&lab, &repo, &path, &["first"]);
    assert!(lab.body("Stories", "INFRA-2").contains("2nd"));
}

#[test]
fn a_branch_that_was_moved_back_is_guarded_and_equal_files_go_on() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    repo.replace(&path, "first", "1st");
    repo.publish("to be dropped");
    repo.settle();
    repo.git(&["push", "-q", "--force", "origin", "HEAD~1:main"]);
    // This checkout is ahead of the branch now, and no less guarded for that.
    assert_eq!(repo.run(&["sync"]).expect(5).json()["outcome"], "guarded");
    assert_eq!(lab.nightly("ci").run(&["sync"]).expect(5).json()["outcome"], "guarded");
    repo.git(&["push", "-q", "origin", "main"]);
    repo.calm();
}

#[test]
fn a_feature_branch_writes_only_when_told_to_and_is_no_base() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    repo.git(&["checkout", "-q", "-b", "feature"]);
    repo.replace(&path, "first", "1st");
    repo.commit("on a branch");
    lab.sim.reset_requests();
    for command in ["sync", "push"] {
        let run = repo.run(&[command]).expect(2);
        assert!(run.stdout.contains("--any-branch"), "{run:?}");
    }
    assert_eq!(lab.writes(), 0);
    assert_eq!(repo.run(&["status"]).expect(0).actions(), ["story/INFRA-1 push"]);
    assert_eq!(repo.run(&["push", "--any-branch"]).expect(0).actions(), ["story/INFRA-1 push"]);
    // The branch goes on, in the same words: its history holds what was pushed.
    repo.replace(&path, "1st", "1st of all");
    repo.publish("on a branch, again");
    lab.minutes(2);
    assert_eq!(repo.run(&["push", "--any-branch"]).expect(0).actions(), ["story/INFRA-1 push"]);
    lab.minutes(2);
    // A run from the default branch takes Notion's text as an edit; it does not push the old text over it.
    lab.sim.reset_requests();
    let nightly = lab.nightly("nightly");
    assert_eq!(nightly.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    assert_eq!(lab.writes(), 0);
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "--squash", "feature"]);
    repo.publish("the feature (#1)");
    repo.settle();
    both_hold(&lab, &repo, &path, &["1st of all"]);
}

#[test]
fn a_pull_on_a_feature_branch_needs_nothing_and_keeps_the_base() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "second", "Seen in Notion.");
    repo.git(&["checkout", "-q", "-b", "feature"]);
    repo.replace(&path, "DRAFT", "TO_DO");
    repo.commit("a status");
    assert_eq!(repo.run(&["pull"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    repo.commit("from Notion");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["branch", "-q", "-D", "feature"]);
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    both_hold(&lab, &repo, &path, &["Seen in Notion."]);
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("DRAFT"));
}

#[test]
fn unpushed_commits_are_synced_but_agreed_only_once_they_are_pushed() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    repo.replace(&path, "first", "1st");
    repo.replace(&path, "DRAFT", "TO_DO");
    repo.commit("not pushed");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.replace(&path, "1st", "very 1st");
    repo.replace(&path, "TO_DO", "REVIEW");
    repo.commit("not pushed either");
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    both_hold(&lab, &repo, &path, &["very 1st"]);
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("REVIEW"));
    // Given up: what Notion holds is then an edit that Git does not know.
    repo.git(&["reset", "-q", "--hard", "origin/main"]);
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    both_hold(&lab, &repo, &path, &["very 1st"]);
    repo.publish("after all");
    repo.settle();
}

#[test]
fn a_laptop_that_syncs_without_committing_has_no_conflict_with_itself() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    for (old, new) in [("first", "1st"), ("1st", "2nd"), ("2nd", "3rd")] {
        repo.replace(&path, old, new);
        assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
        lab.minutes(2);
    }
    for (old, new) in [("DRAFT", "TO_DO"), ("TO_DO", "REVIEW"), ("REVIEW", "DONE")] {
        repo.replace(&path, old, new);
        assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
        lab.minutes(2);
    }
    edit(&lab, "second", "By a person.");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    // Now the page holds a person's words that no commit has, so the same words changed again are a question.
    repo.replace(&path, "By a person.", "By me.");
    lab.minutes(2);
    repo.publish("all of it");
    let run = repo.run(&["sync"]);
    assert!(run.code == 0 || run.code == 1, "{run:?}");
    assert!(lab.body("Stories", "INFRA-1").contains("By "));
}

#[test]
fn another_clone_does_not_push_over_what_a_laptop_pushed() {
    let lab = Lab::new();
    let (laptop, path) = published(&lab);
    let other = lab.clone("other");
    laptop.replace(&path, "first", "1st");
    laptop.run(&["sync"]).expect(0);
    lab.minutes(2);
    other.replace(&path, "first", "no. 1");
    let page = lab.body("Stories", "INFRA-1");
    other.run(&["sync"]).expect(1);
    assert_eq!(lab.body("Stories", "INFRA-1"), page);
}

#[test]
fn detached_heads_are_fine_at_the_head_of_the_default_branch() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    repo.replace(&path, "first", "1st");
    repo.publish("an edit");
    let ci = lab.nightly("ci");
    ci.git(&["checkout", "-q", "--detach"]);
    assert_eq!(ci.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    ci.replace(&path, "second", "2nd");
    ci.commit("on no branch");
    let run = ci.run(&["sync"]).expect(2);
    assert!(run.stdout.contains("detached"), "{run:?}");
}

#[test]
fn a_shallow_checkout_finds_the_history_that_it_needs() {
    let lab = Lab::new();
    let (repo, path) = published(&lab);
    edit(&lab, "second", "Seen in Notion.");
    repo.run(&["pull"]).expect(0);
    repo.publish("from Notion");
    for n in 0..150 {
        repo.git(&["commit", "-q", "--allow-empty", "-m", &format!("commit {n}")]);
    }
    repo.replace(&path, "Seen in Notion.", "Changed in Git.");
    repo.publish("on top");
    lab.minutes(2);
    let ci = lab.nightly("ci");
    assert_eq!(ci.git(&["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(ci.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
    both_hold(&lab, &repo, &path, &["Changed in Git."]);
}

#[test]
fn without_a_remote_the_working_tree_counts() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    repo.settle();
    for (old, new) in [("first", "1st"), ("1st", "2nd")] {
        repo.replace(&path, old, new);
        assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
        lab.minutes(2);
    }
    edit(&lab, "second", "By a person.");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    repo.replace(&path, "By a person.", "By me.");
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.settle();
}

#[test]
fn an_empty_remote_is_synced_and_its_first_commit_agrees() {
    let lab = Lab::new();
    let bare = lab.dir.path().join("remote.git");
    std::fs::create_dir_all(&bare).unwrap();
    common::git_in(&bare, &["init", "-q", "--bare", "-b", "main"]);
    let repo = lab.repo("repo");
    repo.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 create-page"]);
    repo.replace(&path, "first", "1st");
    repo.commit("the first commit");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    repo.git(&["push", "-q", "-u", "origin", "main"]);
    repo.settle();
    lab.sim.reset_requests();
    assert_eq!(lab.nightly("ci").run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(lab.writes(), 0);
}

#[test]
fn a_file_that_is_new_on_an_unmerged_branch_is_not_deleted_by_the_next_run() {
    let lab = Lab::new();
    let (repo, _) = published(&lab);
    repo.git(&["checkout", "-q", "-b", "feature"]);
    let new = repo.story("INFRA-2", "Second", "DRAFT", "A new one.\n");
    repo.publish("a new story");
    repo.run(&["push", "--any-branch"]).expect(0);
    lab.minutes(2);
    let page = lab.page("Stories", "INFRA-2");
    let nightly = lab.nightly("nightly");
    assert_eq!(nightly.run(&["sync"]).expect(0).actions(), ["story/INFRA-2 create-file"]);
    assert!(!lab.sim.workspace().page(&page).unwrap().in_trash);
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "feature"]);
    repo.git(&["push", "-q"]);
    repo.settle();
    assert!(repo.has(&new) && !lab.sim.workspace().page(&page).unwrap().in_trash);
}

#[test]
fn a_page_trashed_and_its_file_deleted_on_an_unmerged_branch_stay_deleted_only_when_merged() {
    let lab = Lab::new();
    let (repo, _) = published(&lab);
    let second = repo.story("INFRA-2", "Second", "DRAFT", "Another.\n");
    repo.publish("another");
    repo.settle();
    let page = lab.page("Stories", "INFRA-2");
    lab.sim.workspace().trash(&page).unwrap();
    lab.minutes(2);
    let nightly = lab.nightly("nightly");
    assert_eq!(nightly.run(&["sync"]).expect(0).actions(), ["story/INFRA-2 delete-file"]);
    lab.minutes(2);
    // Not merged: the next run does it again, and does not make a second page.
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-2 delete-file"]);
    assert_eq!(lab.writes(), 0);
    assert!(!repo.has(&second));
    repo.publish("deleted in Notion");
    repo.settle();
    assert!(lab.find_page("Stories", "INFRA-2").is_none());
}
