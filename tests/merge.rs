//! Both sides changed one document: what does not clash merges in one run, what clashes is a conflict of that block
//! alone (rules 2, 3 and 17).
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo};
use serde_json::Value;

const BODY: &str = "## Problem

The signing keys are old and\nnobody knows who has them.

The second paragraph.

- rotate the keys
- tell the team
- close the incident

| step | who |
| --- | --- |
| rotate | Ada |
| tell | Bob |

Last words.
";

/// One story that both sides agree on, and the minutes past in which a page would be read again.
fn agreed(lab: &Lab) -> (Repo<'_>, String) {
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "DRAFT", "Another document.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    (repo, path)
}

fn conflicts(json: &Value) -> Vec<&Value> {
    json["conflicts"].as_array().unwrap().iter().collect()
}

#[test]
fn edits_that_do_not_touch_merge_in_one_run() {
    let lab = Lab::new();
    let (repo, path) = agreed(&lab);
    let page = lab.page("Stories", "INFRA-1");
    let blocks = lab.sim.workspace().blocks(&page);
    lab.sim.workspace().comment_on_words(&page, "second paragraph", "Is this true?").unwrap();
    // A paragraph against another, an item against another, a row against another, words far apart in one paragraph,
    // a property against the body.
    repo.replace(&path, "The signing keys are old", "The release keys are old");
    repo.replace(&path, "- rotate the keys", "- rotate all the keys");
    repo.replace(&path, "| rotate | Ada |", "| rotate | Eve |");
    repo.replace(&path, "DRAFT", "REVIEW");
    lab.edit(
        "Stories",
        "INFRA-1",
        "signing keys",
        "The signing keys are old and nobody knows who owns them.",
    );
    lab.edit("Stories", "INFRA-1", "close the incident", "close the ticket");
    lab.edit("Stories", "INFRA-1", "Last words", "Last words, from Notion.");
    lab.sim.workspace().append_markdown(&page, "Added in Notion.").unwrap();
    lab.minutes(2);
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-1 merge"]);
    // Who we are, four listings, the body, the schema, the property read again and written, the body.
    assert_eq!(lab.count(), 10, "{:?}", lab.sim.requests());
    let wanted = BODY
        .replace(
            "signing keys are old and\nnobody knows who has",
            "release keys are old and\nnobody knows who owns",
        )
        .replace("- rotate the keys", "- rotate all the keys")
        .replace("close the incident", "close the ticket")
        .replace("| rotate | Ada |", "| rotate | Eve |")
        .replace("Last words.", "Last words, from Notion.\n\nAdded in Notion.");
    assert!(repo.read(&path).ends_with(&wanted), "{}", repo.read(&path));
    let remote = lab.body("Stories", "INFRA-1");
    for text in [
        "The release keys are old and nobody knows who owns them.",
        "- rotate all the keys",
        "close the ticket",
        "<td>Eve</td>",
        "Added in Notion.",
    ] {
        assert!(remote.contains(text), "{text} in\n{remote}");
    }
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("REVIEW"));
    // Blocks that we did not write keep their ids, and the comment its words.
    let now = lab.sim.workspace().blocks(&page);
    let kept = |text: &str| {
        let of = |blocks: &[notion_sim::BlockInfo]| {
            blocks.iter().find(|block| block.text.contains(text)).map(|block| block.id.clone())
        };
        assert_eq!(of(&blocks), of(&now), "{text}");
    };
    for text in ["Problem", "second paragraph", "tell the team", "Last words"] {
        kept(text);
    }
    assert_eq!(lab.sim.workspace().comments(&page).len(), 1);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    lab.sim.reset_requests();
    let (state, files) = (repo.state(), repo.files());
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!((lab.writes(), repo.state(), repo.files()), (0, state, files));
}

#[test]
fn a_merged_body_costs_no_more_than_four_requests_beside_the_listings() {
    let lab = Lab::new();
    let (repo, path) = agreed(&lab);
    repo.replace(&path, "The second paragraph.", "The second paragraph, from Git.");
    lab.edit("Stories", "INFRA-1", "Last words", "Last words, from Notion.");
    lab.minutes(2);
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    // D + 4: who we are, four listings, the body, the schema, the write.
    assert_eq!(lab.count(), 8, "{:?}", lab.sim.requests());
}

/// A clash in the second paragraph, and other changes on both sides.
fn clash(lab: &Lab, repo: &Repo<'_>, path: &str) {
    repo.replace(path, "The second paragraph.", "The second by a commit.");
    repo.replace(path, "- tell the team", "- tell the whole team");
    lab.edit("Stories", "INFRA-1", "second paragraph", "The second by a person.");
    lab.edit("Stories", "INFRA-1", "Last words", "Last words, from Notion.");
    lab.minutes(2);
}

#[test]
fn a_clash_is_a_conflict_of_that_block_alone() {
    let lab = Lab::new();
    let (repo, path) = agreed(&lab);
    clash(&lab, &repo, &path);
    let line = 1 + repo.read(&path).lines().position(|line| line.contains("by a commit")).unwrap();
    let check = repo.run(&["check"]).expect(1);
    let run = repo.run(&["sync"]).expect(1);
    let (json, planned) = (run.json(), check.json());
    let open = conflicts(&json);
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["fingerprint"], conflicts(&planned)[0]["fingerprint"]);
    assert_eq!(open[0]["line"], line, "{open:?}");
    assert_eq!(open[0]["base"], "The second paragraph.");
    assert_eq!(open[0]["local"], "The second by a commit.");
    assert_eq!(open[0]["remote"], "The second by a person.");
    // Everything else of the page synced.
    let (file, page) = (repo.read(&path), lab.body("Stories", "INFRA-1"));
    assert!(file.contains("Last words, from Notion.") && file.contains("The second by a commit."));
    assert!(page.contains("- tell the whole team") && page.contains("The second by a person."));
    // The next runs say the same and write nothing.
    lab.minutes(2);
    repo.run(&["sync"]).expect(1);
    lab.sim.reset_requests();
    let state = repo.state();
    let again = repo.run(&["sync"]).expect(1).json();
    assert_eq!(conflicts(&again)[0]["fingerprint"], open[0]["fingerprint"]);
    assert_eq!((lab.writes(), repo.state()), (0, state));
    assert_eq!((repo.read(&path), lab.body("Stories", "INFRA-1")), (file, page));
    // What is edited beside it goes on syncing.
    repo.replace(&path, "- tell the whole team", "- tell everybody");
    lab.edit("Stories", "INFRA-1", "rotate the keys", "rotate the old keys");
    lab.minutes(2);
    let json = repo.run(&["sync"]).expect(1).json();
    assert_eq!(conflicts(&json)[0]["fingerprint"], open[0]["fingerprint"]);
    assert!(repo.read(&path).contains("- rotate the old keys\n- tell everybody\n"));
    assert!(lab.body("Stories", "INFRA-1").contains("- rotate the old keys\n- tell everybody\n"));
}

#[test]
fn a_clash_is_settled_by_a_decision_and_restored() {
    for (keep, kept) in [
        ("local", ["by a commit", "by a commit"]),
        ("remote", ["by a person", "by a person"]),
        ("both", ["by a commit", "by a person"]),
    ] {
        let lab = Lab::new();
        let (repo, path) = agreed(&lab);
        clash(&lab, &repo, &path);
        repo.run(&["sync"]).expect(1);
        repo.run(&["resolve", "INFRA-1", "--keep", keep]).expect(0);
        lab.minutes(2);
        repo.run(&["sync"]).expect(0);
        let sides = [repo.read(&path), lab.body("Stories", "INFRA-1")];
        for (text, kept) in sides.iter().zip(kept) {
            assert!(text.contains(&format!("The second {kept}.")), "{keep}: {text}");
            assert!(text.contains("Last words, from Notion.") && text.contains("the whole team"));
        }
        lab.minutes(2);
        lab.sim.reset_requests();
        assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean", "{keep}");
        assert_eq!(lab.writes(), 0, "{keep}");
        // A later edit of that block is an ordinary one.
        repo.replace(&path, &format!("The second {}.", kept[0]), "The second, later.");
        lab.minutes(2);
        assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"], "{keep}");
        assert!(lab.body("Stories", "INFRA-1").contains("The second, later."), "{keep}");
    }
}

#[test]
fn rule_10_what_a_decision_replaced_can_be_restored() {
    let lab = Lab::new();
    let (repo, path) = agreed(&lab);
    clash(&lab, &repo, &path);
    repo.run(&["sync", "--force=local"]).expect(0);
    assert!(lab.body("Stories", "INFRA-1").contains("by a commit"));
    repo.run(&["restore", "INFRA-1", "--side", "remote"]).expect(0);
    assert!(lab.body("Stories", "INFRA-1").contains("by a person"));
}

#[test]
fn a_decision_holds_for_its_versions_only() {
    let lab = Lab::new();
    let (repo, path) = agreed(&lab);
    clash(&lab, &repo, &path);
    repo.run(&["sync"]).expect(1);
    repo.run(&["resolve", "INFRA-1", "--keep", "local"]).expect(0);
    lab.edit("Stories", "INFRA-1", "by a person", "The second by a person, again.");
    lab.minutes(2);
    let json = repo.run(&["sync"]).expect(1).json();
    assert_eq!(conflicts(&json)[0]["remote"], "The second by a person, again.");
    assert!(lab.body("Stories", "INFRA-1").contains("by a person, again"));
}

#[test]
fn a_text_merged_by_hand_to_the_same_on_both_sides_is_agreed() {
    let lab = Lab::new();
    let (repo, path) = agreed(&lab);
    clash(&lab, &repo, &path);
    repo.run(&["sync"]).expect(1);
    repo.replace(&path, "The second by a commit.", "The second by both.");
    lab.edit("Stories", "INFRA-1", "by a person", "The second by both.");
    lab.minutes(2);
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.document_writes(), 0);
}

#[test]
fn one_direction_takes_its_half_and_the_other_the_rest() {
    for (first, then) in [("push", "pull"), ("pull", "push")] {
        let lab = Lab::new();
        let (repo, path) = agreed(&lab);
        let (file, body) = (repo.read(&path), lab.body("Stories", "INFRA-1"));
        repo.replace(&path, "The second paragraph.", "The second, from Git.");
        lab.edit("Stories", "INFRA-1", "Last words", "Last words, from Notion.");
        lab.minutes(2);
        repo.run(&[first]).expect(0);
        let file = file.replace("The second paragraph.", "The second, from Git.");
        let body = body.replace("Last words.", "Last words, from Notion.");
        match first {
            "push" => {
                assert_eq!(repo.read(&path), file);
                assert_eq!(
                    lab.body("Stories", "INFRA-1"),
                    body.replace("The second paragraph.", "The second, from Git.")
                );
            }
            _ => {
                assert_eq!(
                    repo.read(&path),
                    file.replace("Last words.", "Last words, from Notion.")
                );
                assert_eq!(lab.body("Stories", "INFRA-1"), body);
            }
        }
        lab.minutes(2);
        repo.run(&[then]).expect(0);
        assert_eq!(repo.read(&path), file.replace("Last words.", "Last words, from Notion."));
        assert_eq!(
            lab.body("Stories", "INFRA-1"),
            body.replace("The second paragraph.", "The second, from Git.")
        );
        lab.minutes(2);
        assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    }
}

#[test]
fn sets_merge_by_their_members() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let list = |ids: &[&str]| {
        let items: String = ids.iter().map(|id| format!("- {id}\n")).collect();
        format!("Text.\n\n## Linked ADRs\n\n{items}")
    };
    for n in 1..=4 {
        let adr = common::story(
            &format!("ADR-{n}"),
            &format!("Decision {n}"),
            "ACCEPTED",
            &format!("Text {n}.\n"),
        );
        repo.write(&format!(".agent/adrs/ADR-{n}-x.md"), &adr);
    }
    let path = repo.story("INFRA-1", "First", "DRAFT", &list(&["ADR-1", "ADR-2"]));
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.replace(&path, "- ADR-2\n", "- ADR-3\n");
    let page = lab.page("Stories", "INFRA-1");
    let [one, two, four] = [1, 2, 4].map(|n| lab.page("ADRs", &format!("ADR-{n}")));
    lab.sim.workspace().set_property(&page, "Linked ADRs", [one, two, four].join(",")).unwrap();
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let text = repo.read(&path);
    assert!(text.contains("- ADR-1\n- ADR-3\n- ADR-4\n") && !text.contains("ADR-2"), "{text}");
    lab.minutes(2);
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(lab.writes(), 0);
}

#[test]
fn rule_15_a_merge_that_waits_for_its_pull_request_is_not_made_twice() {
    let lab = Lab::new();
    let repo = lab.remote();
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.publish("a story");
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    repo.replace(&path, "The second paragraph.", "The second by a commit.");
    repo.replace(&path, "- tell the team", "- tell the whole team");
    repo.publish("an edit");
    lab.edit("Stories", "INFRA-1", "second paragraph", "The second by a person.");
    lab.edit("Stories", "INFRA-1", "Last words", "Last words, from Notion.");
    lab.minutes(2);
    let first = lab.nightly("night-1");
    let open = first.run(&["sync"]).expect(1).json();
    let merged = first.read(&path);
    assert!(merged.contains("Last words, from Notion."));
    // The change of the file was thrown away: the next night brings it again, and writes nothing to Notion.
    lab.minutes(2);
    lab.nightly("night-2").run(&["sync"]).expect(1);
    lab.minutes(2);
    let third = lab.nightly("night-3");
    lab.sim.reset_requests();
    let again = third.run(&["sync"]).expect(1).json();
    assert_eq!(lab.writes(), 0);
    assert_eq!(conflicts(&again)[0]["fingerprint"], conflicts(&open)[0]["fingerprint"]);
    assert_eq!(third.read(&path), merged);
    // Merged at last, the clash alone is left, and it is settled from anywhere.
    third.publish("what came from Notion");
    lab.minutes(2);
    let fourth = lab.nightly("night-4");
    assert_eq!(fourth.run(&["sync"]).expect(1).actions(), ["story/INFRA-1 conflict"]);
    fourth.run(&["resolve", "INFRA-1", "--keep", "local"]).expect(0);
    lab.minutes(2);
    assert_eq!(lab.nightly("night-5").run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    assert!(lab.body("Stories", "INFRA-1").contains("The second by a commit."));
}
