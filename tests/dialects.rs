//! Version v2 of Notion's Markdown: the main loop in it, and a change of the version on a state that lives.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo};
use notion_sim::{Fault, FaultKind};
use serde_json::Value;

const EVERY: &str = "\
## Problem

The signing keys are old and\nnobody **knows** _who_ has ~~them~~ `here`, see <https://example.com/a_b>.

The second paragraph costs $5, a_b_c, 2 * 3 and [a link](https://example.com/c).

### Steps

- rotate the keys
- tell the team
  - by mail

    and in a paragraph below it
  - by phone
- close the incident

1. first
2. second

- [ ] an open task
- [x] a task that is done

> a quote\\
> of two lines

> [!WARNING]
> Mind the gap.

<details>
<summary>More</summary>

Hidden words.

- hidden item

</details>

```rust
fn main() {}

    // indented
```

```math
x^2
```

| step | who |
| --- | --- |
| rotate | `a\\|b` |
| tell | Bob |

![a picture](https://example.com/p.png)

---

Last words.
";

/// Sets the version that the repository's configuration names.
fn speak(repo: &Repo<'_>, version: &str) {
    repo.configure();
    let named = format!("type: notion\n    markdown_version: {version}\n");
    repo.replace("agent-sync.yml", "type: notion\n", &named);
}

/// Two stories that both sides agree on; the first has a block that only Notion has.
fn agreed<'a>(lab: &'a Lab, version: &str) -> (Repo<'a>, String) {
    let repo = lab.repo("repo");
    speak(&repo, version);
    let path = repo.story("INFRA-1", "First", "DRAFT", EVERY);
    repo.story("INFRA-2", "Second", "DRAFT", EVERY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    let page = lab.page("Stories", "INFRA-1");
    let more = "<table-of-contents />\n\nAdded in Notion.";
    lab.sim.workspace().append_markdown_v2(&page, more).unwrap();
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    assert!(repo.read(&path).ends_with("<!-- notion: table_of_contents -->\n\nAdded in Notion.\n"));
    repo.settle();
    (repo, path)
}

/// Ids and texts of the blocks of a story's page that do not hold these words.
fn others(lab: &Lab, words: &[&str]) -> Vec<(String, String)> {
    let page = lab.page("Stories", "INFRA-1");
    let blocks = lab.sim.workspace().blocks(&page).into_iter();
    blocks
        .map(|block| (block.id, block.text))
        .filter(|(_, text)| !words.iter().any(|word| text.contains(word)))
        .collect()
}

fn index(repo: &Repo<'_>) -> Vec<Value> {
    let lines = repo.git(&["show", "refs/agent-sync/state:index.jsonl"]);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every record is in this dialect, and so are the texts that it names.
fn recorded(repo: &Repo<'_>, dialect: Option<&str>) {
    for record in index(repo) {
        assert_eq!(record["dialect"].as_str(), dialect, "{record}");
    }
}

fn fingerprints(run: &common::Run) -> Vec<String> {
    let conflicts = run.json()["conflicts"].clone();
    let conflicts = conflicts.as_array().unwrap().iter();
    conflicts.map(|conflict| conflict["fingerprint"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_main_loop_runs_in_v2_alone() {
    let lab = Lab::with(|options| options.reject_v1 = true);
    let (repo, path) = agreed(&lab, "v2");
    recorded(&repo, Some("notion_v2"));
    let page = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().comment_on_words(&page, "signing keys", "Is this true?").unwrap();
    lab.minutes(2);
    repo.settle();
    // A word of the file.
    let before = others(&lab, &["paragraph costs"]);
    repo.replace(&path, "paragraph costs", "paragraph takes");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    assert_eq!(others(&lab, &["paragraph takes"]), before);
    let anchored = || {
        let body = lab.sim.workspace().markdown_v2(&page);
        assert!(body.contains("\">signing keys</span>"), "{body}");
        assert_eq!(lab.sim.workspace().comments(&page).len(), 1);
    };
    anchored();
    repo.settle();
    // A word of the page.
    let file = repo.read(&path);
    lab.edit("Stories", "INFRA-1", "Last words", "Last lines.");
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    assert_eq!(repo.read(&path), file.replace("Last words.", "Last lines."));
    repo.settle();
    // Both.
    let words = ["tell the", "close the", "Bob", "Ada"];
    let (file, before) = (repo.read(&path), others(&lab, &words));
    repo.replace(&path, "- tell the team", "- tell the whole team");
    repo.replace(&path, "| tell | Bob |", "| tell | Ada |");
    lab.edit("Stories", "INFRA-1", "close the incident", "close the ticket");
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 merge"]);
    let merged = file
        .replace("- tell the team", "- tell the whole team")
        .replace("| tell | Bob |", "| tell | Ada |")
        .replace("close the incident", "close the ticket");
    assert_eq!(repo.read(&path), merged);
    assert_eq!(others(&lab, &words), before);
    let body = lab.sim.workspace().markdown_v2(&page);
    assert!(body.contains("- tell the whole team") && body.contains("| tell | Ada |"), "{body}");
    anchored();
    repo.settle();
}

#[test]
fn an_empty_clone_is_the_same_in_both() {
    let lab = Lab::new();
    agreed(&lab, "v2");
    let pulled = |version: &str| {
        let repo = lab.repo(version);
        speak(&repo, version);
        repo.run(&["pull"]).expect(0);
        repo.calm();
        repo.files()
    };
    let (old, new) = (pulled("v1"), pulled("v2"));
    assert_eq!(old.len(), 2);
    assert_eq!(old, new);
}

#[test]
fn the_version_changes_under_pages_that_nobody_changed() {
    let lab = Lab::new();
    let (repo, path) = agreed(&lab, "v1");
    recorded(&repo, None);
    for (version, dialect) in [("v2", Some("notion_v2")), ("v1", None)] {
        speak(&repo, version);
        let (state, files) = (repo.state(), repo.files());
        lab.sim.reset_requests();
        // To look changes nothing.
        repo.run(&["status"]).expect(0);
        assert_eq!(repo.run(&["sync", "--dry-run"]).expect(0).json()["outcome"], "clean");
        assert_eq!(repo.state(), state);
        let run = repo.run(&["sync"]).expect(0);
        assert_eq!(run.json()["outcome"], "clean", "{run:?}");
        assert_eq!((lab.writes(), repo.files()), (0, files), "{version}");
        recorded(&repo, dialect);
        repo.calm();
        // And the loop goes on.
        let before = others(&lab, &["paragraph"]);
        repo.replace(&path, " costs", &format!(" in {version} costs"));
        assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
        assert_eq!(others(&lab, &["paragraph"]), before);
        repo.settle();
    }
}

#[test]
fn the_version_changes_while_both_sides_do() {
    for (old, new) in [("v1", "v2"), ("v2", "v1")] {
        for (in_file, in_notion, action) in [
            (false, true, "story/INFRA-1 pull"),
            (true, false, "story/INFRA-1 push"),
            (true, true, "story/INFRA-1 merge"),
        ] {
            let lab = Lab::new();
            let (repo, path) = agreed(&lab, old);
            let words = ["team", "Last"];
            let (mut wanted, before) = (repo.read(&path), others(&lab, &words));
            if in_file {
                repo.replace(&path, "tell the team", "tell the whole team");
                wanted = wanted.replace("tell the team", "tell the whole team");
            }
            if in_notion {
                lab.edit("Stories", "INFRA-1", "Last words", "Last lines.");
                wanted = wanted.replace("Last words.", "Last lines.");
            }
            lab.minutes(2);
            speak(&repo, new);
            assert_eq!(repo.run(&["sync"]).expect(0).actions(), [action], "{old}");
            assert_eq!(repo.read(&path), wanted, "{old} {action}");
            assert_eq!(others(&lab, &words), before, "{old} {action}");
            let body = lab.body("Stories", "INFRA-1");
            assert_eq!(body.contains("the whole team"), in_file, "{body}");
            assert_eq!(body.contains("Last lines."), in_notion, "{body}");
            repo.settle();
        }
    }
}

#[test]
fn an_open_conflict_is_the_same_one_in_both() {
    let lab = Lab::new();
    let (repo, path) = agreed(&lab, "v1");
    repo.replace(&path, "The second paragraph costs", "The second by a commit costs");
    lab.edit("Stories", "INFRA-1", "The second paragraph", "The second by a person.");
    lab.minutes(2);
    let open = fingerprints(&repo.run(&["sync"]).expect(1));
    assert_eq!(open.len(), 1);
    lab.minutes(2);
    repo.run(&["sync"]).expect(1);
    let (files, body) = (repo.files(), lab.body("Stories", "INFRA-1"));
    for version in ["v2", "v1", "v2"] {
        speak(&repo, version);
        lab.minutes(2);
        lab.sim.reset_requests();
        assert_eq!(fingerprints(&repo.run(&["sync"]).expect(1)), open, "{version}");
        let state = repo.state();
        assert_eq!(fingerprints(&repo.run(&["sync"]).expect(1)), open, "{version}");
        assert_eq!((lab.writes(), repo.state()), (0, state), "{version}");
        assert_eq!((repo.files(), lab.body("Stories", "INFRA-1")), (files.clone(), body.clone()));
    }
    repo.run(&["resolve", "INFRA-1", "--keep", "local"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    assert!(lab.body("Stories", "INFRA-1").contains("The second by a commit costs"));
    repo.settle();
}

#[test]
fn a_write_of_unknown_end_is_not_judged_by_the_other_grammar() {
    for (old, new) in [("v1", "v2"), ("v2", "v1")] {
        for took_effect in [true, false] {
            let lab = Lab::new();
            let (repo, path) = agreed(&lab, old);
            repo.replace(&path, "tell the team", "tell the whole team");
            let body = "/v1/pages/{id}/markdown";
            let lost = match took_effect {
                true => FaultKind::ResetAfter,
                false => FaultKind::ResetBefore,
            };
            for (method, count, kind) in
                [("PATCH", 1, lost), ("GET", 1000, FaultKind::ErrorBefore { status: 503 })]
            {
                let endpoint = Some(format!("{method} {body}"));
                lab.sim.fault(Fault { endpoint, skip: 0, count, kind });
            }
            repo.run(&["sync"]).expect(4);
            lab.sim.clear_faults();
            assert_eq!(lab.body("Stories", "INFRA-1").contains("whole team"), took_effect);
            let files = repo.files();
            speak(&repo, new);
            lab.sim.reset_requests();
            repo.run(&["sync"]).expect(0);
            assert_eq!(lab.writes(), usize::from(!took_effect), "{old}");
            assert_eq!(lab.body("Stories", "INFRA-1").matches("the whole team").count(), 1);
            assert_eq!(repo.files(), files);
            repo.settle();
        }
    }
}

#[test]
fn what_was_replaced_in_one_comes_back_in_the_other() {
    for (old, new) in [("v1", "v2"), ("v2", "v1")] {
        let lab = Lab::new();
        let (repo, path) = agreed(&lab, old);
        let body = lab.body("Stories", "INFRA-1");
        repo.replace(&path, "> Mind the gap.", "> Mind it.");
        repo.replace(&path, "| tell | Bob |", "| tell | Ada |");
        repo.run(&["sync"]).expect(0);
        assert_ne!(lab.body("Stories", "INFRA-1"), body);
        speak(&repo, new);
        repo.run(&["restore", "INFRA-1", "--side", "remote"]).expect(0);
        assert_eq!(lab.body("Stories", "INFRA-1"), body, "{old}");
    }
}

#[test]
fn a_workspace_without_v1_says_which_version_to_set() {
    let lab = Lab::with(|options| options.reject_v1 = true);
    let repo = lab.repo("repo");
    repo.init();
    let says = |run: common::Run| {
        let text = format!("{}{}", run.stdout, run.stderr);
        assert!(text.contains("markdown_version: v2"), "{text}");
    };
    // A page to be made, then one to be read.
    let path = repo.story("INFRA-1", "First", "DRAFT", EVERY);
    says(repo.run(&["sync"]).expect(3));
    std::fs::remove_file(repo.path.join(&path)).unwrap();
    let values = [("ID", "INFRA-1".into()), ("Status", "DRAFT".into())];
    lab.sim.workspace().create_page("Stories", "First", &values, "words").unwrap();
    says(repo.run(&["sync"]).expect(3));
    speak(&repo, "v2");
    repo.run(&["sync"]).expect(0);
    repo.settle();
}
