//! Overlapping edits are a conflict of that block alone, with its file and line.

use std::fmt::Write as _;

use crate::common::Lab;

/// A kind of block: its text, a word of it that the file changes, and the text that a person changes and what to.
const KINDS: &[(&str, &str, &str, (&str, &str))] = &[
    ("paragraph", "The alpha word.", "alpha", ("alpha", "The gamma word.")),
    (
        "wrapped paragraph",
        "First line,\nthe alpha word.",
        "alpha",
        ("alpha", "First line, the gamma word."),
    ),
    ("heading", "### The alpha head", "alpha", ("alpha", "The gamma head")),
    ("list item", "- one\n- the alpha item\n- three", "alpha", ("alpha", "the gamma item")),
    (
        "nested item",
        "- one\n  - in one\n    - the alpha item\n  - in two\n- three",
        "alpha",
        ("alpha", "the gamma item"),
    ),
    ("numbered item", "1. one\n2. the alpha item\n3. three", "alpha", ("alpha", "the gamma item")),
    ("task", "- [ ] one\n- [x] the alpha task", "alpha", ("alpha", "the gamma task")),
    (
        "paragraph of an item",
        "- one\n\n  the alpha text\n- two",
        "alpha",
        ("alpha", "the gamma text"),
    ),
    (
        "table row",
        "| a | b |\n|---|---|\n| c | d |\n| alpha | e |\n| f | g |",
        "alpha",
        ("alpha", "gamma"),
    ),
    ("header row", "| alpha | b |\n|---|---|\n| c | d |", "alpha", ("alpha", "gamma")),
    ("quote", "> The alpha quote.", "alpha", ("alpha", "The gamma quote.")),
    (
        "quote of several blocks",
        "> One.\n>\n> The alpha quote.\n>\n> - item",
        "alpha",
        ("alpha", "The gamma quote."),
    ),
    ("callout", "> [!TIP]\n> The alpha tip.", "alpha", ("alpha", "The gamma tip.")),
    (
        "title of a toggle",
        "<details>\n<summary>The alpha title</summary>\n\nInside.\n\n</details>",
        "alpha",
        ("alpha", "The gamma title"),
    ),
    (
        "text of a toggle",
        "<details>\n<summary>Title</summary>\n\nThe alpha text.\n\n</details>",
        "alpha",
        ("alpha", "The gamma text."),
    ),
    (
        "code",
        "```rust\nlet a = 1;\nlet b = alpha;\n```",
        "alpha",
        ("alpha", "let a = 1;\nlet b = gamma;"),
    ),
    (
        "indented code",
        "    let a = 1;\n    let b = alpha;",
        "alpha",
        ("alpha", "let a = 1;\nlet b = gamma;"),
    ),
    (
        "code, other lines",
        "```rust\nlet a = alpha;\nlet b = 2;\nlet c = 3;\n```",
        "alpha",
        ("alpha", "let a = alpha;\nlet b = 2;\nlet c = gamma;"),
    ),
    ("equation", "$$\nalpha + 1\n$$", "alpha", ("alpha", "gamma + 1")),
];

#[test]
fn an_overlap_is_a_conflict_of_its_block_alone_with_file_and_line() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let id = |n: usize| format!("INFRA-{}", n + 1);
    let mut paths = Vec::new();
    for (n, (_, block, ..)) in KINDS.iter().enumerate() {
        let body = format!(
            "- first\n\nAbove it.\n\n{block}\n\n| x | y |\n|---|---|\n| z | w |\n\nBelow it.\n"
        );
        paths.push(repo.story(&id(n), "Title", "DRAFT", &body));
    }
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let mut kept = Vec::new();
    for (n, (_, _, word, (containing, new))) in KINDS.iter().enumerate() {
        // A line more above, so that the line of the base is not that of the file.
        repo.replace(&paths[n], "Above it.", "New above.\n\nAbove it.");
        repo.replace(&paths[n], word, "beta");
        repo.replace(&paths[n], "| z | w |", "| z | w, here |");
        lab.edit("Stories", &id(n), containing, new);
        lab.edit("Stories", &id(n), "Below it", "Below it, there.");
        lab.edit("Stories", &id(n), "first", "first, there");
        kept.push(crate::blocks(&lab, &id(n)));
    }
    lab.minutes(3);
    let json = repo.run(&["sync", "--allow", "change=1000"]).expect(1).json();
    let mut wrong = String::new();
    for (n, (name, ..)) in KINDS.iter().enumerate() {
        let open: Vec<_> =
            json["conflicts"].as_array().unwrap().iter().filter(|c| c["id"] == id(n)).collect();
        let (file, body) = (repo.read(&paths[n]), lab.body("Stories", &id(n)));
        let at = file.lines().position(|line| line.contains("beta")).map(|at| at + 1);
        let right = matches!(&open[..], [one] if one["path"] == paths[n]
            && one["line"].as_u64() == at.and_then(|at| u64::try_from(at).ok())
            && one["local"].to_string().contains("beta")
            && one["remote"].to_string().contains("gamma")
            && one["base"].to_string().contains("alpha"));
        if !right {
            let _ = writeln!(wrong, "{name}: line {at:?} of\n{file}\nis told as {open:#?}");
        }
        let synced = file.contains("Below it, there.")
            && file.contains("- first, there")
            && file.contains("beta")
            && !file.contains("gamma")
            && body.contains("New above.")
            && body.contains("w, here")
            && body.contains("gamma")
            && !body.contains("beta");
        if !synced {
            let _ = writeln!(wrong, "{name}: the rest did not sync\n{file}\n---\n{body}");
        }
        let now = crate::blocks(&lab, &id(n));
        let lost: Vec<_> = kept[n]
            .iter()
            .filter(|old| old.text != "z | w" && !now.contains(old))
            .map(|old| &old.text)
            .collect();
        if !lost.is_empty() {
            let _ = writeln!(wrong, "{name}: written anew: {lost:?}");
        }
    }
    // The next runs say the same, and write nothing.
    lab.minutes(3);
    repo.run(&["sync", "--allow", "change=1000"]).expect(1);
    lab.minutes(3);
    lab.sim.reset_requests();
    let again = repo.run(&["sync", "--allow", "change=1000"]).expect(1).json();
    let of = |json: &serde_json::Value| {
        let mut all: Vec<String> = json["conflicts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| format!("{} {} {}", c["id"], c["fingerprint"], c["line"]))
            .collect();
        all.sort();
        all
    };
    assert_eq!(of(&again), of(&json));
    assert_eq!(lab.writes(), 0);
    assert!(wrong.is_empty(), "{wrong}");
}
