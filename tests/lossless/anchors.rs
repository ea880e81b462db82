//! The anchor of a comment on some words stays on what is left of them, and is never seen in a file.

use std::fmt::Write as _;

use crate::common::Lab;
use crate::{rests, sync};

/// A block, the words that are commented, what the file changes, and the words that the anchor is on afterwards.
const EDITS: &[(&str, &str, (&str, &str), &str)] = &[
    ("See the big plan here.", "big plan", ("See", "Look at"), "big plan"),
    ("See the big plan here.", "big plan", ("here", "there and everywhere"), "big plan"),
    ("See the big plan here.", "big plan", ("the big", "the very big"), "big plan"),
    ("See the big plan here.", "big plan", ("big plan", "plan"), "plan"),
    ("See the big plan here.", "big plan", ("big plan", "big new plan"), "plan"),
    ("See the big plan here.", "big plan", ("big plan", "big idea"), "big"),
    ("See the big plan here.", "See the big plan here.", ("here", "there"), "See the big plan"),
    ("The plan is the plan.", "plan", ("is", "was"), "plan"),
    ("A line\nby hand with a plan\nin it.", "a plan", ("in it", "in there"), "a plan"),
    ("A **bold plan** and *more* here.", "bold plan", ("more", "less"), "bold plan"),
    ("A **bold plan** and *more* here.", "plan and", ("here", "there"), "planand"),
    ("A [link](https://example.com) and `code` here.", "link", ("here", "there"), "link"),
    ("A [link](https://example.com) and `code` here.", "and code", ("here", "there"), "and code"),
    ("### The big plan", "big plan", ("The", "Our"), "big plan"),
    ("- one\n  - the big plan", "big plan", ("the", "our"), "big plan"),
    ("- [ ] the big plan", "big plan", ("the", "our"), "big plan"),
    ("- [ ] the big plan", "big plan", ("[ ]", "[x]"), "big plan"),
    ("> The big plan.", "big plan", ("The", "Our"), "big plan"),
    ("> [!NOTE]\n> The big plan.", "big plan", ("The", "Our"), "big plan"),
    ("| a | b |\n|---|---|\n| the big plan | d |", "big plan", ("| d |", "| e |"), "big plan"),
    ("| a | b |\n|---|---|\n| the big plan | d |", "big plan", ("the", "our"), "big plan"),
    (
        "<details>\n<summary>The big plan</summary>\n\nInside.\n\n</details>",
        "big plan",
        ("The", "Our"),
        "big plan",
    ),
    (
        "<details>\n<summary>Title</summary>\n\nThe big plan.\n\n</details>",
        "big plan",
        ("The", "Our"),
        "big plan",
    ),
    ("Costs $5 & <more> for the plan.", "the plan", ("Costs", "Takes"), "the plan"),
];

/// What an `update_content` puts in.
fn written(request: &serde_json::Value) -> String {
    let updates = request["update_content"]["content_updates"].as_array().cloned();
    let texts = updates.unwrap_or_default();
    texts.iter().filter_map(|update| update["new_str"].as_str()).collect()
}

/// The words that anchors of this discussion are on.
fn anchored(body: &str, discussion: &str) -> String {
    let open = format!("<span discussion-urls=\"discussion://{discussion}\">");
    let parts = body.split(&open).skip(1);
    let words: String =
        parts.map(|part| part.split("</span>").next().unwrap_or_default()).collect();
    words.replace(['*', '`'], "")
}

#[test]
fn an_anchor_stays_on_the_words_that_remain() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let id = |n: usize| format!("INFRA-{}", n + 1);
    let paths: Vec<String> = EDITS
        .iter()
        .enumerate()
        .map(|(n, (block, ..))| {
            repo.story(&id(n), "Title", "DRAFT", &format!("Above.\n\n{block}\n\nBelow.\n"))
        })
        .collect();
    repo.init();
    repo.run(&["sync"]).expect(0);
    let mut discussions = Vec::new();
    let texts: Vec<String> = paths.iter().map(|path| repo.read(path)).collect();
    for (n, (_, words, ..)) in EDITS.iter().enumerate() {
        let page = lab.page("Stories", &id(n));
        let mut ws = lab.sim.workspace();
        discussions.push(ws.comment_on_words(&page, words, "Is this so?").unwrap());
    }
    sync(&lab, &repo);
    let mut wrong = String::new();
    for (n, (block, _, (old, new), _)) in EDITS.iter().enumerate() {
        if repo.read(&paths[n]) != texts[n] {
            let _ =
                writeln!(wrong, "{block:?}: a comment changed the file: {}", repo.read(&paths[n]));
        }
        let changed = block.replacen(old, new, 1);
        repo.write(&paths[n], &texts[n].replace(block, &changed));
    }
    lab.minutes(3);
    lab.sim.reset_requests();
    repo.run(&["sync", "--allow", "change=1000"]).expect(0);
    let requests = lab.sim.requests();
    for (n, (block, words, (old, new), left)) in EDITS.iter().enumerate() {
        // The simulator makes a written block anew, without its anchors: what counts is what was sent.
        let page = lab.page("Stories", &id(n));
        let last = requests.iter().rfind(|r| r.is_write && r.path.contains(&page));
        let body = last.and_then(|r| r.body.as_ref()).map(written).unwrap_or_default();
        let found = anchored(&body, &discussions[n]);
        if found.trim() != *left {
            let _ = writeln!(
                wrong,
                "{block:?} with {words:?} commented, {old:?} to {new:?}: on {found:?} in\n{body}"
            );
        }
    }
    rests(&lab, &repo);
    for (n, (block, _, (old, new), _)) in EDITS.iter().enumerate() {
        let wanted = texts[n].replace(block, &block.replacen(old, new, 1));
        if repo.read(&paths[n]) != wanted {
            let _ = writeln!(wrong, "{block:?}: the file became {}", repo.read(&paths[n]));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
