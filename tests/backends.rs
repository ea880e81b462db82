//! Several backends at once (design §8): the repository is the hub. Two Notion workspaces' worth of databases stand
//! for any two backends here; the databases have tests of their own.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo, Run};
use serde_json::Value;

const BODY: &str = "The first paragraph.\n\nThe second one.\n\nThe third one.\n\nThe fourth one.\n";

/// Two backends, `wiki` and `board`, each with databases under a page of its own.
struct Pair {
    lab: Lab,
    board: String,
}

impl Pair {
    fn new() -> Self {
        let lab = Lab::new();
        let board = lab.second_parent();
        Self { lab, board }
    }

    fn configure(&self, repo: &Repo<'_>) {
        let backend = |name: &str, page: &str| {
            format!(
                "  {name}:\n    type: notion\n    parent_page: {page}\n    requests_per_minute: 10000\n    \
                 settle_seconds: 0\n    backoff_ms: 2\n    read_timeout_ms: 4000\n    write_timeout_ms: 4000\n"
            )
        };
        let (wiki, board) =
            (backend("wiki", &self.lab.sim.parent_page()), backend("board", &self.board));
        repo.write("agent-sync.yml", &format!("version: 1\nbackends:\n{wiki}{board}"));
    }

    /// The page of a story in one of the two.
    #[track_caller]
    fn page(&self, backend: &str, id: &str) -> String {
        self.find(backend, id).unwrap_or_else(|| panic!("no page {id} in {backend}"))
    }

    fn find(&self, backend: &str, id: &str) -> Option<String> {
        let parent = match backend {
            "wiki" => self.lab.sim.parent_page(),
            _ => self.board.clone(),
        };
        self.lab.find_page_under(&parent, "Stories", id)
    }

    #[track_caller]
    fn edit(&self, backend: &str, id: &str, old: &str, new: &str) {
        let page = self.page(backend, id);
        self.lab.sim.workspace().edit_block(&page, old, new).unwrap();
    }

    #[track_caller]
    fn set(&self, backend: &str, id: &str, property: &str, value: &str) {
        let page = self.page(backend, id);
        self.lab.sim.workspace().set_property(&page, property, value).unwrap();
    }

    #[track_caller]
    fn text(&self, backend: &str, id: &str) -> String {
        let page = self.page(backend, id);
        self.lab.sim.workspace().markdown(&page)
    }

    #[track_caller]
    fn property(&self, backend: &str, id: &str, property: &str) -> Option<String> {
        let page = self.page(backend, id);
        self.lab.sim.workspace().property_text(&page, property)
    }

    /// A repository whose stories both backends hold.
    fn synced(&self, count: usize) -> (Repo<'_>, Vec<String>) {
        let repo = self.lab.repo("repo");
        self.configure(&repo);
        let paths = (1..=count)
            .map(|n| repo.story(&format!("INFRA-{n}"), &format!("Story {n}"), "DRAFT", BODY))
            .collect();
        repo.commit("stories");
        repo.init();
        repo.settle();
        (repo, paths)
    }

    #[track_caller]
    fn sync(&self, repo: &Repo<'_>, code: i32) -> Run {
        self.lab.minutes(2);
        self.lab.sim.reset_requests();
        repo.run(&["sync"]).expect(code)
    }
}

/// What a report says of one backend.
fn part<'a>(json: &'a Value, name: &str) -> &'a Value {
    let parts = json["backends"].as_array().unwrap();
    parts.iter().find(|part| part["name"] == name).unwrap()
}

#[test]
fn what_one_backend_brings_reaches_the_others_in_the_same_run() {
    let pair = Pair::new();
    let (repo, paths) = pair.synced(2);
    // The one behind and the one before: each direction of the order.
    pair.edit("wiki", "INFRA-1", "first", "First, by Ada in the wiki.");
    pair.edit("board", "INFRA-2", "second", "Second, by Ben on the board.");
    pair.set("board", "INFRA-1", "Status", "REVIEW");
    let run = pair.sync(&repo, 0);
    let json = run.json();
    for (path, words) in paths.iter().zip(["First, by Ada", "Second, by Ben"]) {
        assert!(repo.read(path).contains(words), "{path}: {run:?}");
    }
    assert!(repo.read(&paths[0]).contains("REVIEW"));
    for backend in ["wiki", "board"] {
        assert!(pair.text(backend, "INFRA-1").contains("First, by Ada"), "{backend}: {run:?}");
        assert!(pair.text(backend, "INFRA-2").contains("Second, by Ben"), "{backend}: {run:?}");
        assert_eq!(pair.property(backend, "INFRA-1", "Status").as_deref(), Some("REVIEW"));
    }
    assert_eq!(part(&json, "wiki")["counts"]["pulled"], 1, "{json:#}");
    assert_eq!(part(&json, "board")["counts"]["pulled"], 2, "{json:#}");
    repo.settle();
}

#[test]
fn a_page_made_in_one_backend_is_a_file_and_a_page_of_the_other() {
    let pair = Pair::new();
    let (repo, _) = pair.synced(1);
    {
        let mut workspace = pair.lab.sim.workspace();
        let database = workspace
            .databases()
            .into_iter()
            .find(|database| {
                database.title == "Stories"
                    && database.parent.as_deref() == Some(pair.board.as_str())
            })
            .unwrap();
        let page = workspace.create_page(
            &database.id,
            "Made by hand",
            &[("ID", "INFRA-9".into())],
            "Some words.",
        );
        page.unwrap();
    }
    pair.sync(&repo, 0);
    assert!(
        repo.read(".agent/cache/stories/INFRA/INFRA-9-made-by-hand.md").contains("Some words.")
    );
    assert!(pair.text("wiki", "INFRA-9").contains("Some words."));
    repo.settle();
    // And it goes everywhere when it goes somewhere.
    let page = pair.page("wiki", "INFRA-9");
    pair.lab.sim.workspace().trash(&page).unwrap();
    pair.sync(&repo, 0);
    assert!(!repo.has(".agent/cache/stories/INFRA/INFRA-9-made-by-hand.md"));
    assert!(pair.find("board", "INFRA-9").is_none());
    repo.settle();
}

#[test]
fn two_backends_that_changed_the_same_thing_are_one_conflict_that_names_both() {
    let pair = Pair::new();
    let (repo, paths) = pair.synced(1);
    pair.edit("wiki", "INFRA-1", "first", "The first one, as the wiki says.");
    pair.edit("board", "INFRA-1", "first", "Paragraph one, thinks the board.");
    pair.edit("board", "INFRA-1", "fourth", "The fourth one, by the board.");
    // Whoever only looks sees it too, and nothing is written.
    pair.lab.minutes(2);
    pair.lab.sim.reset_requests();
    let before = repo.files();
    let check = repo.run(&["check"]).expect(1);
    assert_eq!((pair.lab.writes(), repo.files()), (0, before));
    let run = pair.sync(&repo, 1);
    let (seen, json) = (check.json(), run.json());
    let conflicts = json["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{json:#}");
    assert_eq!(seen["conflicts"].as_array().unwrap().len(), 1, "{seen:#}");
    assert_eq!(seen["conflicts"][0]["fingerprint"], conflicts[0]["fingerprint"]);
    let message = conflicts[0]["message"].as_str().unwrap();
    assert!(message.contains("Notion (board)") && message.contains("Notion (wiki)"), "{message}");
    // The rest of the page is merged everywhere.
    assert!(repo.read(&paths[0]).contains("as the wiki says"));
    assert!(repo.read(&paths[0]).contains("by the board"));
    assert!(pair.text("wiki", "INFRA-1").contains("by the board"));
    assert!(pair.text("board", "INFRA-1").contains("thinks the board"));
    // A decision settles it, for the backend that it is about.
    let print = conflicts[0]["fingerprint"].as_str().unwrap();
    repo.run(&["resolve", print, "--keep", "remote"]).expect(0);
    pair.sync(&repo, 0);
    for backend in ["wiki", "board"] {
        assert!(pair.text(backend, "INFRA-1").contains("thinks the board"), "{backend}");
        assert!(!pair.text(backend, "INFRA-1").contains("as the wiki says"), "{backend}");
    }
    repo.settle();
}

/// A story of which the repository, the wiki and the board each have another first paragraph and another status.
fn three_versions(pair: &Pair) -> (Repo<'_>, String) {
    let (repo, mut paths) = pair.synced(1);
    let path = paths.remove(0);
    repo.replace(&path, "The first paragraph.", "By a commit.");
    repo.replace(&path, "DRAFT", "REVIEW");
    repo.commit("another version");
    pair.edit("wiki", "INFRA-1", "first", "By Ada.");
    pair.set("wiki", "INFRA-1", "Status", "Blocked");
    pair.edit("board", "INFRA-1", "first", "By Ben.");
    pair.set("board", "INFRA-1", "Status", "Done");
    (repo, path)
}

#[test]
fn three_versions_are_one_conflict_that_names_all_sides() {
    let pair = Pair::new();
    let (repo, _) = three_versions(&pair);
    let json = pair.sync(&repo, 1).json();
    let conflicts = json["conflicts"].as_array().unwrap();
    assert_eq!((conflicts.len(), &json["counts"]["conflicts"]), (2, &2.into()), "{json:#}");
    for name in ["wiki", "board"] {
        assert_eq!(part(&json, name)["counts"]["conflicts"], 2, "{json:#}");
    }
    for conflict in conflicts {
        let message = conflict["message"].as_str().unwrap();
        let sides = "Notion (wiki), Notion (board) and the repository all changed";
        assert!(message.starts_with(sides), "{message}");
        assert_eq!(
            (&conflict["backend"], &conflict["others"][0]["backend"]),
            (&"wiki".into(), &"board".into())
        );
    }
    let body = conflicts.iter().find(|conflict| conflict["property"].is_null()).unwrap();
    for (text, who) in [
        (&body["local"], "a commit"),
        (&body["remote"], "Ada"),
        (&body["others"][0]["remote"], "Ben"),
    ] {
        assert!(text.as_str().unwrap().contains(who), "{body:#}");
    }
    // People read of all of them, too.
    let text = repo.human(&["check"]).expect(1).stderr;
    for who in ["By a commit.", "By Ada.", "By Ben."] {
        assert!(text.contains(&format!("+ {who}")), "{text}");
    }
}

#[test]
fn one_decision_is_about_all_sides_of_a_conflict() {
    let winner = |name: &str| match name {
        "wiki" => ("By Ada.", "BLOCKED"),
        "board" => ("By Ben.", "DONE"),
        _ => ("By a commit.", "REVIEW"),
    };
    for (kept, answer) in [
        ("repository", &["--keep", "local"][..]),
        ("wiki", &["--keep", "remote", "--backend", "wiki"]),
        ("board", &["--keep", "remote", "--backend", "board"]),
    ] {
        let pair = Pair::new();
        let (repo, path) = three_versions(&pair);
        pair.sync(&repo, 1);
        // By the artifact, or by the fingerprints of the sides that are to stay.
        let resolve = [&["resolve", "INFRA-1"], answer].concat();
        repo.run(&resolve).expect(0);
        let check = repo.run(&["check"]).expect(0).json();
        assert_eq!(check["conflicts"].as_array().unwrap().len(), 0, "{kept}: {check:#}");
        assert_eq!(check["decided"].as_array().unwrap().len(), 2, "{kept}: {check:#}");
        pair.sync(&repo, 0);
        let (text, status) = winner(kept);
        let file = repo.read(&path);
        assert!(file.contains(text) && file.contains(status), "{kept}: {file}");
        for backend in ["wiki", "board"] {
            let page = pair.text(backend, "INFRA-1");
            assert!(page.contains(text), "{kept}, {backend}: {page}");
        }
        assert_eq!(
            pair.property("wiki", "INFRA-1", "Status"),
            pair.property("board", "INFRA-1", "Status")
        );
        repo.settle();
    }
}

#[test]
fn a_decision_for_one_backend_holds_for_what_the_person_saw_in_the_others() {
    let pair = Pair::new();
    let (repo, path) = three_versions(&pair);
    let json = pair.sync(&repo, 1).json();
    let prints = json["conflicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|conflict| conflict["others"][0]["fingerprint"].as_str().unwrap().to_owned());
    let prints: Vec<String> = prints.collect();
    repo.run(&["resolve", &prints[0], &prints[1], "--keep", "remote"]).expect(0);
    // Nobody has seen this one.
    pair.edit("wiki", "INFRA-1", "By Ada", "By Ada, later.");
    let json = pair.sync(&repo, 1).json();
    assert!(repo.read(&path).contains("By Ben."), "{json:#}");
    assert!(pair.text("wiki", "INFRA-1").contains("By Ada, later."), "{json:#}");
    let conflicts = json["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{json:#}");
    assert_eq!(
        (&conflicts[0]["backend"], &conflicts[0]["property"]),
        (&"wiki".into(), &Value::Null)
    );
    let print = conflicts[0]["fingerprint"].as_str().unwrap();
    repo.run(&["resolve", print, "--keep", "remote"]).expect(0);
    pair.sync(&repo, 0);
    assert!(pair.text("board", "INFRA-1").contains("By Ada, later."));
    repo.settle();
}

#[test]
fn what_should_give_way_is_asked_again_where_the_other_did_not_stay() {
    let pair = Pair::new();
    let (repo, path) = three_versions(&pair);
    pair.sync(&repo, 1);
    repo.run(&["resolve", "INFRA-1", "--keep", "remote", "--backend", "board"]).expect(0);
    // The version that was to stay is not there any more, and then nobody wants the newer one.
    pair.edit("board", "INFRA-1", "By Ben", "By Ben, later.");
    let json = pair.sync(&repo, 1).json();
    let conflicts = json["conflicts"].as_array().unwrap();
    assert_eq!(
        (conflicts.len(), conflicts[0]["others"].as_array().unwrap().len()),
        (1, 1),
        "{json:#}"
    );
    repo.run(&["resolve", "INFRA-1", "--keep", "local", "--backend", "board"]).expect(0);
    let json = pair.sync(&repo, 1).json();
    let conflicts = json["conflicts"].as_array().unwrap();
    assert_eq!((conflicts.len(), &conflicts[0]["backend"]), (1, &"wiki".into()), "{json:#}");
    assert!(pair.text("wiki", "INFRA-1").contains("By Ada."));
    assert!(repo.read(&path).contains("By a commit.") && repo.read(&path).contains("DONE"));
    assert!(pair.text("board", "INFRA-1").contains("By a commit."));
    repo.run(&["resolve", "INFRA-1", "--keep", "local", "--backend", "wiki"]).expect(0);
    pair.sync(&repo, 0);
    assert!(pair.text("wiki", "INFRA-1").contains("By a commit."));
    repo.settle();
}

#[test]
fn two_backends_that_say_the_same_are_one_side() {
    let pair = Pair::new();
    let (repo, paths) = pair.synced(1);
    repo.replace(&paths[0], "The first paragraph.", "By a commit.");
    for backend in ["wiki", "board"] {
        pair.edit(backend, "INFRA-1", "first", "By Ada.");
    }
    let json = pair.sync(&repo, 1).json();
    let conflicts = json["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{json:#}");
    let message = conflicts[0]["message"].as_str().unwrap();
    assert!(message.contains("(Notion (wiki) and Notion (board))"), "{message}");
    let whole = conflicts[0]["fingerprint"].as_str().unwrap();
    let error = repo.run(&["resolve", whole, "--keep", "remote"]).expect(2).json();
    let choice = conflicts[0]["choice"].as_str().unwrap();
    assert!(error["error"].as_str().unwrap().contains(choice), "{error:#}");
    repo.run(&["resolve", choice, "--keep", "remote"]).expect(0);
    pair.sync(&repo, 0);
    assert!(repo.read(&paths[0]).contains("By Ada."));
    repo.settle();
    // The other way, and by the name of one of them.
    for (answer, commit, ada, stays) in [
        (&["--keep", "local"][..], "By Eve.", "By Ada again.", "By Eve."),
        (
            &["--keep", "remote", "--backend", "wiki"],
            "By Bob.",
            "By Ada at last.",
            "By Ada at last.",
        ),
    ] {
        let now =
            repo.read(&paths[0]).lines().find(|line| line.starts_with("By ")).unwrap().to_owned();
        repo.replace(&paths[0], &now, commit);
        for backend in ["wiki", "board"] {
            pair.edit(backend, "INFRA-1", &now, ada);
        }
        let json = pair.sync(&repo, 1).json();
        let whole = json["conflicts"][0]["fingerprint"].as_str().unwrap();
        let target = if answer.len() == 2 { whole } else { "INFRA-1" };
        repo.run(&[&["resolve", target], answer].concat()).expect(0);
        pair.sync(&repo, 0);
        for backend in ["wiki", "board"] {
            assert!(pair.text(backend, "INFRA-1").contains(stays), "{answer:?}, {backend}");
        }
        assert!(repo.read(&paths[0]).contains(stays), "{answer:?}");
        repo.settle();
    }
}

#[test]
fn an_answer_is_about_the_versions_that_were_shown_on_every_side() {
    let pair = Pair::new();
    let (repo, _) = three_versions(&pair);
    let json = pair.sync(&repo, 1).json();
    let body = |json: &Value| {
        let all = json["conflicts"].as_array().unwrap();
        all.iter().find(|conflict| conflict["property"].is_null()).unwrap().clone()
    };
    let shown = body(&json);
    // After it was shown and before it is answered, somebody writes on one side.
    pair.edit("wiki", "INFRA-1", "By Ada", "By Ada, later.");
    pair.lab.minutes(2);
    let whole = shown["fingerprint"].as_str().unwrap();
    let board = shown["others"][0]["fingerprint"].as_str().unwrap();
    for (target, keep) in [(board, "remote"), (whole, "local"), (whole, "skip")] {
        repo.run(&["resolve", target, "--keep", keep]).expect(2);
    }
    // As it is now, it can be answered.
    let now = body(&repo.run(&["check"]).expect(1).json());
    let board = now["others"][0]["fingerprint"].as_str().unwrap();
    repo.run(&["resolve", board, "--keep", "remote"]).expect(0);
    let status = repo.run(&["check"]).expect(1).json();
    assert_eq!(status["conflicts"].as_array().unwrap().len(), 1, "{status:#}");
    repo.run(&["resolve", "INFRA-1", "--keep", "local"]).expect(0);
}

#[test]
fn what_clashes_behind_an_answer_can_be_answered() {
    let pair = Pair::new();
    let (repo, path) = three_versions(&pair);
    let json = pair.sync(&repo, 1).json();
    for conflict in json["conflicts"].as_array().unwrap() {
        let wiki = conflict["choice"].as_str().unwrap();
        repo.run(&["resolve", wiki, "--keep", "remote"]).expect(0);
    }
    pair.edit("board", "INFRA-1", "By Ben", "By Ben, later.");
    pair.lab.minutes(2);
    let check = repo.run(&["check"]).expect(1).json();
    let conflicts = check["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{check:#}");
    let message = conflicts[0]["message"].as_str().unwrap();
    assert!(message.starts_with("Notion (board) and Notion (wiki), whose version"), "{message}");
    let print = conflicts[0]["fingerprint"].as_str().unwrap();
    repo.run(&["resolve", print, "--keep", "remote"]).expect(0);
    pair.sync(&repo, 0);
    assert!(repo.read(&path).contains("By Ben, later.") && repo.read(&path).contains("BLOCKED"));
    assert!(pair.text("wiki", "INFRA-1").contains("By Ben, later."));
    repo.settle();
}

#[test]
fn what_gives_way_is_told_by_its_content_and_not_by_its_form() {
    let pair = Pair::new();
    let repo = pair.lab.repo("repo");
    pair.configure(&repo);
    let body = "A paragraph that goes\nover two lines.\n\n* one\n* two\n* three\n\nThe end.\n";
    let path = repo.story("INFRA-1", "Story", "DRAFT", body);
    repo.commit("stories");
    repo.init();
    repo.settle();
    repo.replace(
        &path,
        "A paragraph that goes\nover two lines.",
        "A text of the commit\nover two lines.",
    );
    repo.replace(&path, "* two", "* two, says the commit");
    for (backend, who) in [("wiki", "Ada"), ("board", "Ben")] {
        pair.edit(backend, "INFRA-1", "A paragraph that", &format!("A line by {who}."));
        pair.edit(backend, "INFRA-1", "two", &format!("two, says {who}"));
    }
    let json = pair.sync(&repo, 1).json();
    let conflicts = json["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 2, "{json:#}");
    for conflict in conflicts {
        let board = conflict["others"][0]["fingerprint"].as_str().unwrap();
        repo.run(&["resolve", board, "--keep", "remote"]).expect(0);
    }
    pair.sync(&repo, 0);
    assert!(
        repo.read(&path).contains("A line by Ben.") && repo.read(&path).contains("* two, says Ben")
    );
    assert!(pair.text("wiki", "INFRA-1").contains("two, says Ben"));
    repo.settle();
}

#[test]
fn a_decision_about_one_place_is_none_about_another_with_the_same_words() {
    let pair = Pair::new();
    let repo = pair.lab.repo("repo");
    pair.configure(&repo);
    let text = |one: &str, two: &str| format!("{one} one.\n\nBetween.\n\n{two} two.\n");
    let path = repo.story("INFRA-1", "Story", "DRAFT", &text("Planned", "Planned"));
    repo.replace(&path, "Planned one.", "Planned.");
    repo.replace(&path, "Planned two.", "Planned.");
    repo.commit("stories");
    repo.init();
    repo.settle();
    // The first paragraph has three versions, the second two: those that the decision about the first is between.
    let file = repo.read(&path);
    repo.write(&path, &file.replacen("Planned.", "Started.", 1).replacen("Planned.", "Done.", 1));
    pair.edit("wiki", "INFRA-1", "Planned", "Done.");
    pair.edit("board", "INFRA-1", "Planned", "Dropped.");
    pair.edit("board", "INFRA-1", "Planned", "Dropped.");
    let json = pair.sync(&repo, 1).json();
    let conflicts = json["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 2, "{json:#}");
    let joint = conflicts.iter().find(|one| one["others"].is_array()).unwrap();
    repo.run(&["resolve", joint["choice"].as_str().unwrap(), "--keep", "remote"]).expect(0);
    let json = pair.sync(&repo, 1).json();
    assert_eq!(json["conflicts"].as_array().unwrap().len(), 1, "{json:#}");
    assert_eq!(pair.text("board", "INFRA-1").matches("Dropped.").count(), 1, "{json:#}");
    assert_eq!(repo.read(&path).matches("Done.").count(), 2);
}

#[test]
fn a_choice_holds_where_the_words_have_a_link() {
    let pair = Pair::new();
    let repo = pair.lab.repo("repo");
    pair.configure(&repo);
    let link = "[the other](INFRA-2-other.md)";
    let path = repo.story("INFRA-1", "Story", "DRAFT", &format!("See {link} first.\n"));
    repo.write(
        ".agent/cache/stories/INFRA/INFRA-2-other.md",
        &common::story("INFRA-2", "Other", "DRAFT", "Words.\n"),
    );
    repo.commit("stories");
    repo.init();
    repo.settle();
    repo.replace(&path, "first", "by a commit");
    for (backend, who) in [("wiki", "by Ada"), ("board", "by Ben")] {
        let page = pair.page(backend, "INFRA-1");
        let text = pair.text(backend, "INFRA-1");
        let line = text.lines().find(|line| line.contains("first")).unwrap().to_owned();
        let new = line.replace("first", who);
        pair.lab.sim.workspace().edit_block(&page, "first", &new).unwrap();
    }
    let json = pair.sync(&repo, 1).json();
    let choice = json["conflicts"][0]["choice"].as_str().unwrap();
    repo.run(&["resolve", choice, "--keep", "remote"]).expect(0);
    pair.sync(&repo, 0);
    assert!(repo.read(&path).contains(&format!("See {link} by Ada")), "{}", repo.read(&path));
    assert!(pair.text("board", "INFRA-1").contains("by Ada"));
    repo.settle();
}

#[test]
fn a_choice_can_be_changed_before_it_is_applied() {
    for last in ["board", "repository"] {
        let pair = Pair::new();
        let (repo, path) = three_versions(&pair);
        let json = pair.sync(&repo, 1).json();
        let conflicts = json["conflicts"].as_array().unwrap();
        let print = |one: &Value, of: &str| one[of].as_str().unwrap().to_owned();
        for one in conflicts {
            repo.run(&["resolve", &print(one, "choice"), "--keep", "remote"]).expect(0);
        }
        for one in conflicts {
            let (target, keep) = match last {
                "board" => (print(&one["others"][0], "fingerprint"), "remote"),
                _ => (print(one, "fingerprint"), "local"),
            };
            repo.run(&["resolve", &target, "--keep", keep]).expect(0);
        }
        pair.sync(&repo, 0);
        let stays = if last == "board" { "By Ben." } else { "By a commit." };
        assert!(repo.read(&path).contains(stays), "{last}");
        for backend in ["wiki", "board"] {
            assert!(pair.text(backend, "INFRA-1").contains(stays), "{last}, {backend}");
        }
        repo.settle();
    }
}

#[test]
fn of_several_answers_all_are_recorded_or_none() {
    let pair = Pair::new();
    let (repo, path) = three_versions(&pair);
    pair.sync(&repo, 1);
    repo.run(&["resolve", "INFRA-1", "INFRA-9", "--keep", "local"]).expect(2);
    pair.sync(&repo, 1);
    assert!(pair.text("wiki", "INFRA-1").contains("By Ada."));
    assert!(repo.read(&path).contains("By a commit."));
}

#[test]
fn a_backend_that_cannot_be_asked_hinders_no_answer_about_another_one() {
    let pair = Pair::new();
    let (mut repo, paths) = pair.synced(1);
    repo.replace(&paths[0], "The first paragraph.", "By a commit.");
    pair.edit("wiki", "INFRA-1", "first", "By Ada.");
    pair.sync(&repo, 1);
    let config = repo.read("agent-sync.yml");
    repo.write(
        "agent-sync.yml",
        &format!("{config}  team: {{type: postgres, url_env: TEAM_URL}}\n"),
    );
    repo.env.insert("TEAM_URL".to_owned(), "no address at all".to_owned());
    repo.run(&["resolve", "INFRA-1", "--keep", "local"]).expect(3);
    let run = repo.run(&["resolve", "INFRA-1", "--keep", "local", "--backend", "wiki"]).expect(0);
    assert!(run.json()["notices"].to_string().contains("team"), "{run:?}");
}

#[test]
fn what_only_a_plan_sees_can_be_decided_before_the_sync() {
    let pair = Pair::new();
    let (repo, paths) = pair.synced(1);
    pair.edit("wiki", "INFRA-1", "first", "By Ada.");
    pair.edit("board", "INFRA-1", "first", "By Ben.");
    pair.lab.minutes(2);
    let seen = repo.run(&["check"]).expect(1).json();
    let print = seen["conflicts"][0]["fingerprint"].as_str().unwrap();
    let before = repo.files();
    repo.run(&["resolve", print, "--keep", "remote"]).expect(0);
    assert_eq!(repo.files(), before);
    pair.sync(&repo, 0);
    assert!(repo.read(&paths[0]).contains("By Ben."));
    assert!(pair.text("wiki", "INFRA-1").contains("By Ben."));
    repo.settle();
}

#[test]
fn the_failure_of_one_leaves_the_others_correct() {
    let pair = Pair::new();
    let (repo, paths) = pair.synced(2);
    pair.edit("wiki", "INFRA-1", "first", "First, by Ada.");
    pair.edit("board", "INFRA-2", "first", "First, by Ben.");
    pair.lab.sim.workspace().unshare(&pair.board.clone());
    let run = pair.sync(&repo, 3);
    let json = run.json();
    assert!(repo.read(&paths[0]).contains("First, by Ada."));
    assert_eq!(part(&json, "board")["outcome"], "refused", "{json:#}");
    assert!(part(&json, "wiki")["error"].is_null(), "{json:#}");
    assert!(json["error"].as_str().unwrap().contains("board"), "{json:#}");
    pair.lab.sim.workspace().share(&pair.board.clone());
    pair.sync(&repo, 0);
    assert!(repo.read(&paths[1]).contains("First, by Ben."));
    assert!(pair.text("board", "INFRA-1").contains("First, by Ada."));
    assert!(pair.text("wiki", "INFRA-2").contains("First, by Ben."));
    repo.settle();
}

#[test]
fn one_backend_is_named_where_several_could_be_meant() {
    let pair = Pair::new();
    let (repo, paths) = pair.synced(1);
    for args in [
        &["pull", "--force"][..],
        &["sync", "--force=remote"],
        &["restore", "INFRA-1", "--side", "local"],
        &["resolve", "INFRA-1", "--keep", "remote"],
    ] {
        let run = repo.run(args).expect(2);
        let error = run.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("--backend wiki") && error.contains("--backend board"), "{error}");
    }
    // A push may have many.
    repo.replace(&paths[0], "The first paragraph.", "By a commit.");
    pair.edit("board", "INFRA-1", "first", "By Ben.");
    pair.edit("wiki", "INFRA-1", "first", "By Ada.");
    pair.lab.minutes(2);
    repo.run(&["push", "--force"]).expect(0);
    for backend in ["wiki", "board"] {
        assert!(pair.text(backend, "INFRA-1").contains("By a commit."), "{backend}");
    }
    repo.settle();
    // And a pull one that is named.
    repo.replace(&paths[0], "By a commit.", "By another commit.");
    pair.edit("board", "INFRA-1", "By a commit", "By Ben again.");
    pair.lab.minutes(2);
    repo.run(&["pull", "--force", "--backend", "board"]).expect(0);
    assert!(repo.read(&paths[0]).contains("By Ben again."));
    pair.sync(&repo, 0);
    assert!(pair.text("wiki", "INFRA-1").contains("By Ben again."));
    repo.settle();
}
