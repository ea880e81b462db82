//! Several backends: what one brings reaches the others when the default branch holds it (rule 15).

use serde_json::Value;

use crate::check::Scene;
use crate::common::github::VIEWER;
use crate::common::story;
use crate::job::World;

/// A story that two backends hold, and the page under which the second one has its databases.
fn world(publish: &str) -> (World, String) {
    let world = World::bare();
    let board = world.lab.second_parent();
    let backend = |name: &str, page: &str| {
        format!(
            "  {name}:\n    type: notion\n    parent_page: {page}\n    requests_per_minute: 10000\n    \
             settle_seconds: 0\n    backoff_ms: 1\n"
        )
    };
    let config = format!(
        "version: 1\nbackends:\n{}{}publish: {publish}\n",
        backend("wiki", &world.lab.sim.parent_page()),
        backend("board", &board)
    );
    let text = story("INFRA-1", "Story", "DRAFT", "One paragraph.\n\nAnother.\n\nThe end.\n");
    let files = [
        ("agent-sync.yml", Some(config.as_str())),
        (".agent/cache/stories/INFRA/INFRA-1-story.md", Some(text.as_str())),
    ];
    world.github.push("main", &files, "documents");
    world.pushed(&["init"]).expect(0);
    for _ in 0..2 {
        sync(&world, 0);
    }
    (world, board)
}

#[track_caller]
fn sync(world: &World, code: i32) -> Value {
    world.lab.minutes(5);
    world.lab.sim.reset_requests();
    world.pushed(&["sync", "--format", "json"]).expect(code).run.json()
}

fn text(world: &World, parent: &str) -> String {
    let page = world.lab.find_page_under(parent, "Stories", "INFRA-1").unwrap();
    world.lab.sim.workspace().markdown(&page)
}

fn edit(world: &World, parent: &str, old: &str, new: &str) {
    let page = world.lab.find_page_under(parent, "Stories", "INFRA-1").unwrap();
    world.lab.sim.workspace().edit_block(&page, old, new).unwrap();
}

#[test]
fn rule_15_a_pull_request_is_merged_before_the_other_backend_gets_what_it_brings() {
    let (world, board) = world("pull-request");
    let wiki = world.lab.sim.parent_page();
    edit(&world, &wiki, "Another", "Another, by Ada.");
    edit(&world, &board, "The end", "The end, by Ben.");
    for _ in 0..3 {
        let json = sync(&world, 0);
        assert!(json["conflicts"].as_array().unwrap().is_empty(), "{json:#}");
        assert!(!text(&world, &board).contains("by Ada"), "{json:#}");
        assert!(!text(&world, &wiki).contains("by Ben"), "{json:#}");
        assert_eq!(world.lab.writes(), 0);
    }
    // Ada takes it back before anybody has merged it: it is gone from everywhere.
    edit(&world, &wiki, "Another, by Ada", "Another.");
    sync(&world, 0);
    assert!(!text(&world, &board).contains("by Ada"));
    edit(&world, &wiki, "Another", "Another, by Ada after all.");
    sync(&world, 0);
    let pulls = world.github.ask(VIEWER, "GET", "/pulls", Value::Null);
    let number = pulls[0]["number"].as_u64().unwrap();
    world.github.merge(number, true);
    sync(&world, 0);
    for parent in [&wiki, &board] {
        assert!(text(&world, parent).contains("by Ada after all"), "{}", text(&world, parent));
        assert!(text(&world, parent).contains("by Ben"), "{}", text(&world, parent));
    }
    sync(&world, 0);
    sync(&world, 0);
    assert_eq!(world.lab.writes(), 0);
}

#[test]
fn a_commit_brings_it_to_the_other_backend_in_the_same_run() {
    let (world, board) = world("push");
    let wiki = world.lab.sim.parent_page();
    edit(&world, &wiki, "Another", "Another, by Ada.");
    edit(&world, &board, "The end", "The end, by Ben.");
    sync(&world, 0);
    let head = world.github.head("main");
    let file = &world.github.files(&head)[".agent/cache/stories/INFRA/INFRA-1-story.md"];
    assert!(file.contains("by Ada") && file.contains("by Ben"), "{file}");
    for parent in [&wiki, &board] {
        assert!(text(&world, parent).contains("by Ada"), "{}", text(&world, parent));
        assert!(text(&world, parent).contains("by Ben"), "{}", text(&world, parent));
    }
    sync(&world, 0);
    sync(&world, 0);
    assert_eq!(world.lab.writes(), 0);
    assert_eq!(world.github.head("main"), head);
}

#[test]
fn one_box_of_a_pull_request_decides_between_three_versions() {
    let (world, board) = world("pull-request");
    let wiki = world.lab.sim.parent_page();
    edit(&world, &wiki, "Another", "Another, by Ada.");
    edit(&world, &board, "Another", "Another, by Ben.");
    world.lab.minutes(5);
    let path = ".agent/cache/stories/INFRA/INFRA-1-story.md";
    let body = "One paragraph.\n\nAnother, by a commit.\n\nThe end.\n";
    let edited = story("INFRA-1", "Story", "DRAFT", body);
    world.github.push("feature", &[(path, Some(&edited))], "edit");
    let scene = Scene { world, number: 0, head: String::new() }.with_branch("feature");
    scene.check().expect(1);
    let (id, body) = scene.comments().remove(0);
    assert!(body.contains("1 conflict needs a decision"), "{body}");
    assert_eq!(body.lines().filter(|line| line.starts_with("- [ ] ")).count(), 4, "{body}");
    for who in ["+ Another, by Ada.", "+ Another, by Ben.", "+ Another, by a commit."] {
        assert!(body.contains(who), "{body}");
    }
    // Two of them are no answer.
    let both = body.replace("- [ ] keep Notion", "- [x] keep Notion");
    scene.edit(id, &both, "ada").expect(0);
    assert_eq!(scene.state().0, "failure");
    let board_wins = body.replace("- [ ] keep Notion (board)", "- [x] keep Notion (board)");
    assert_ne!(board_wins, body);
    scene.edit(id, &board_wins, "ada").expect(0);
    assert_eq!(scene.state(), ("success".to_owned(), "1 conflict decided".to_owned()));
    assert_eq!(scene.world.lab.writes(), 0);

    // The board's version comes into the file, by a pull request, and from there to the wiki.
    scene.merge();
    let world = &scene.world;
    let json = sync(world, 0);
    assert!(json["conflicts"].as_array().unwrap().is_empty(), "{json:#}");
    assert!(text(world, &wiki).contains("by Ada"), "nothing goes there before the merge");
    let pulls = world.github.ask(VIEWER, "GET", "/pulls", Value::Null);
    world.github.merge(pulls[0]["number"].as_u64().unwrap(), true);
    sync(world, 0);
    let main = world.github.head("main");
    assert!(world.github.files(&main)[path].contains("by Ben"));
    for parent in [&wiki, &board] {
        assert!(text(world, parent).contains("by Ben"), "{}", text(world, parent));
    }
    for _ in 0..2 {
        sync(world, 0);
    }
    assert_eq!(world.lab.writes(), 0);
}

#[test]
fn a_choice_between_two_backends_is_made_once() {
    let (world, board) = world("pull-request");
    let wiki = world.lab.sim.parent_page();
    edit(&world, &wiki, "Another", "Another, by Ada.");
    edit(&world, &board, "Another", "Another, by Ben.");
    let json = sync(&world, 1);
    let conflict = &json["conflicts"][0];
    assert_eq!(
        (&conflict["backend"], &conflict["brought_by"]),
        (&"board".into(), &"Notion (wiki)".into())
    );
    let print = conflict["fingerprint"].as_str().unwrap();
    world.pushed(&["resolve", print, "--keep", "remote"]).expect(0);
    let merge = || {
        let pulls = world.github.ask(VIEWER, "GET", "/pulls", Value::Null);
        for pull in pulls.as_array().unwrap() {
            world.github.merge(pull["number"].as_u64().unwrap(), true);
        }
    };
    for _ in 0..3 {
        let json = sync(&world, 0);
        assert!(json["conflicts"].as_array().unwrap().is_empty(), "{json:#}");
        merge();
    }
    sync(&world, 0);
    for parent in [&wiki, &board] {
        assert!(text(&world, parent).contains("by Ben"), "{}", text(&world, parent));
    }
    for _ in 0..2 {
        sync(&world, 0);
    }
    assert_eq!(world.lab.writes(), 0);
}
