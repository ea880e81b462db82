//! docs/mapping.md: every construct of a file and of Notion, what it is on the other side and what comes back.
//! Each row is the conversion as it was just run.
//!
//! `INSTA_UPDATE=always cargo test -p agent-sync-core --test mapping` writes the page anew.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use agent_sync_core::kind::Format;
use agent_sync_core::markdown::{
    Dialect, Local, Push, apply_edits, local_digest, plan_pull, plan_push, remote_digest,
    render_local, render_remote,
};

const DIALECT: Dialect = Dialect::NotionV1;

/// What becomes of a construct of a file that went to Notion and came back as a new file.
enum Verdict {
    /// The same bytes.
    Exact,
    /// Says what is different.
    Changed(&'static str),
    /// This part of the example never leaves the file.
    Kept(&'static str),
}
use Verdict::{Changed, Exact, Kept};

/// Losses that are named in more than one row, or that tests/corpus/compare.mjs passes over.
const LOSSES: &[(&str, &str)] = &[
    ("Hard wraps", "a line ending inside of a paragraph is a space"),
    (
        "White space",
        "runs of it are one space, none of any kind at the edges; it carries no marks where words beside it have none; control characters go; letters are composed (NFC)",
    ),
    ("Headings 5 and 6", "are level 4"),
    ("Numbers", "a numbered list counts from 1, with `.`"),
    ("Loose lists", "blank lines between items go"),
    ("Two lists in a row", "of one kind are one list"),
    (
        "Languages",
        "a code block's language is Notion's name for it; one that Notion does not know, and attributes behind it, go",
    ),
    (
        "Targets",
        "brackets, bars and backslashes in a link's target are percent-encoded; the slash after a bare host may go",
    ),
    ("Link titles", "go"),
    ("Image inside of text", "is a link named by its caption"),
    (
        "HTML",
        "other than marks, line breaks and toggles is the literal text that it is, in which addresses may be shown as links; a `span` that sets no mark is nothing",
    ),
    ("Comments", "are kept in the file alone"),
    ("Footnotes", "the reference stays as text, the definition is kept in the file alone"),
    ("Alignment", "of table columns goes"),
];

/// Construct, example, verdict.
const LOCAL: &[(&str, &str, Verdict)] = &[
    ("Paragraph", "one line of text", Exact),
    ("Paragraph with hard wraps", "one\ntwo", Changed("Hard wraps")),
    ("Line break", "one\\\ntwo", Exact),
    ("Line break by two spaces", "one  \ntwo", Changed("written with a backslash")),
    ("Line break by a tag", "one<br>two", Changed("written with a backslash")),
    ("Bold, italic, struck out", "**b** *i* ~~s~~ ***both***", Exact),
    (
        "Other marks for the same",
        "__b__ _i_ <b>b</b> <del>s</del>",
        Changed("written with `*` and `~`"),
    ),
    ("Mark inside of a word", "un**frigging**believable", Exact),
    ("White space inside of marks", "<b>a </b>b", Changed("White space")),
    ("Underline", "<u>u</u>", Exact),
    ("Colour", "<span color=\"red\">r</span>", Exact),
    ("Code in text", "`a` and ``b`c``", Exact),
    ("Link", "[t](https://a.b/c)", Exact),
    ("Link with brackets in its target", "[t](https://a.b/c_(d))", Changed("Targets")),
    ("Link with a title", "[t](https://a.b/c \"title\")", Changed("Link titles")),
    ("Link in angle brackets", "<https://a.b/c>", Changed("without the brackets")),
    ("Address", "https://a.b/c_d?e[f]=g", Exact),
    ("E-mail address", "<ada@example.com>", Changed("without the brackets")),
    (
        "Link by reference",
        "[t][r]\n\n[r]: https://a.b/c",
        Changed("the target stands in the text; the definition is kept in the file alone"),
    ),
    ("Relative link", "[t](../a.md#b)", Exact),
    ("Image, alone", "![caption](https://a.b/c.png)", Exact),
    ("Image inside of text", "see ![caption](https://a.b/c.png)", Changed("Image inside of text")),
    (
        "Image in a link",
        "[![caption](https://a.b/c.png)](https://a.b)",
        Changed("Image inside of text"),
    ),
    ("Relative image", "![caption](c.png)", Exact),
    ("Headings 1 to 4", "# A\n\n## B\n\n### C\n\n#### D", Exact),
    ("Headings 5 and 6", "##### A", Changed("Headings 5 and 6")),
    ("Underlined heading", "A\n---", Changed("written with `#`")),
    ("Bullets", "- a\n- b\n  - c\n\n    text\n- d", Exact),
    ("Other bullets", "* a\n+ b", Changed("Two lists in a row")),
    ("Bullets with blank lines between", "- a\n\n- b", Changed("Loose lists")),
    ("Numbers", "1. a\n2. b", Exact),
    ("Numbers from another one", "3) a\n4) b", Changed("Numbers")),
    ("Tasks", "- [ ] a\n- [x] b", Exact),
    ("Tasks with a capital", "- [X] a", Changed("written with a small `x`")),
    ("Quote", "> a\n>\n> - b\n> - c", Exact),
    ("Alert", "> [!WARNING]\n> Mind the gap", Exact),
    ("Code block", "```rust\nfn a() {}\n\n  b\n\n```", Exact),
    ("Code block of an unknown language", "```befunge\n@\n```", Changed("Languages")),
    ("Code block with an alias or attributes", "```rs,ignore\na\n```", Changed("Languages")),
    ("Code block with tildes", "~~~\na\n~~~", Changed("written with backticks")),
    ("Indented code", "    a\n\n    b", Changed("written with backticks")),
    ("Equation", "```math\nx^2\n```", Exact),
    ("Equation with dollars", "$$\nx^2\n$$", Changed("written as a `math` block")),
    ("Equation in text", "so $x^2$ it is", Exact),
    ("Divider", "---", Exact),
    ("Other dividers", "***", Changed("written with `-`")),
    ("Table", "| a | b |\n| --- | --- |\n| 1 | `x\\|y` |", Exact),
    ("Table with alignment or padding", "| a  |\n|:--:|\n| 1  |", Changed("Alignment")),
    ("Toggle", "<details>\n<summary>More</summary>\n\ntext\n\n- a\n\n</details>", Exact),
    ("HTML in text", "press <kbd>x</kbd>", Changed("HTML")),
    ("Span that sets no mark", "<span id=\"x\">a</span> b", Changed("HTML")),
    ("Block of HTML", "<div align=\"center\">\nx\n</div>", Changed("HTML")),
    ("Comment", "<!-- note -->\n\ntext", Kept("<!-- note -->")),
    ("Comment in text", "a <!-- note --> b", Kept("<!-- note -->")),
    ("Reference definition", "text\n\n[r]: https://a.b/c", Kept("[r]: https://a.b/c")),
    ("Footnote", "a[^1]\n\n[^1]: note", Kept("[^1]: note")),
    ("Characters that are markup elsewhere", "cost $5, a_b_c, {x} | y & z", Exact),
    ("Stars and angles that are no markup", "2 * 3 < 7", Changed("escaped")),
    ("Escapes", "\\# a, 1\\. b, \\*c\\*", Changed("only where they are needed")),
    ("Entity", "a &amp; b &copy;", Changed("the character itself, where that reads the same")),
    ("Two lists in a row", "- a\n\n<!-- -->\n\n- b", Changed("Two lists in a row")),
];

/// Construct, example of Notion's v1, what it is in a file.
const REMOTE: &[(&str, &str, &str)] = &[
    (
        "Toggle heading",
        "# T {toggle=\"true\"}\n\tchild",
        "a heading with its children behind it; Notion keeps the toggle",
    ),
    (
        "Colour of a block",
        "text {color=\"red\"}",
        "kept in Notion alone, also when the text changes",
    ),
    (
        "Callout with another icon",
        "<callout icon=\"🎯\" color=\"gray_bg\">\n\tx\n</callout>",
        "a note; Notion keeps icon and colour",
    ),
    ("Mention", "<mention-page url=\"u\">Page</mention-page>", "the same tag"),
    ("Anchor of a comment", "a <span discussion-urls=\"discussion://1\">b</span>", "not shown"),
    ("Empty paragraph", "a\n<empty-block/>\nb", "kept in Notion alone"),
    (
        "Table without header",
        "<table>\n<tr>\n<td>a</td>\n</tr>\n</table>",
        "a table with an empty header",
    ),
    (
        "File of Notion's own",
        "![c](https://prod-files-secure.s3.amazonaws.com/x?X-Amz-S=1)",
        "a marker line; its address changes with every read",
    ),
    (
        "Bookmark, embed and others",
        "<unknown url=\"u\" alt=\"bookmark\"/>",
        "a marker line; removing it removes nothing in Notion",
    ),
    ("Synced block", "<synced_block url=\"u\">\n\tx\n</synced_block>", "a marker line"),
    ("Child page", "<page url=\"u\">Sub</page>", "a marker line"),
    (
        "Columns",
        "<columns>\n\t<column>\n\t\tx\n\t</column>\n</columns>",
        "one marker line for all of it: what stands in the columns is not in the file",
    ),
    ("Audio, video, file, PDF", "<video src=\"https://a.b/c.mp4\">c</video>", "a marker line"),
    ("Table of contents", "<table_of_contents/>", "a marker line"),
    (
        "Colour inside of a callout",
        "<callout>\n\ta {color=\"red\"}\n\tb\n</callout>",
        "kept in Notion alone; goes with the block that it is on where only that one can be written anew",
    ),
    (
        "Such a block inside of a callout",
        "<callout>\n\ta\n\t<unknown url=\"u\" alt=\"embed\"/>\n</callout>",
        "a marker line inside of it; see below",
    ),
];

fn md(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown, links: None }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Code in a table's cell: line endings and tabs as signs.
fn shown(text: &str) -> String {
    let text = text.trim_end().replace('\n', "⏎").replace('\t', "⇥").replace('|', "\\|");
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Runs an example there and back, and gives what it is in Notion and in a new file.
fn converted(example: &str) -> (String, String) {
    let remote = render_remote(&md(example), DIALECT);
    let back = render_local(DIALECT, &remote, Format::Markdown, None);
    let digest = remote_digest(DIALECT, &remote);
    assert_eq!(local_digest(&md(example)), digest, "{example}");
    assert_eq!(local_digest(&md(&back)), digest, "{example}");
    // With state nothing of this is a difference, and the file keeps its bytes.
    let base = md(example);
    let base = Some((&base, remote.as_str()));
    assert_eq!(plan_push(DIALECT, base, &md(example), &remote), Push::Nothing, "{example}");
    assert_eq!(plan_pull(DIALECT, base, &md(example), &remote), [], "{example}");
    (remote, back)
}

fn verdict(example: &str, remote: &str, back: &str, verdict: &Verdict) -> String {
    let is_same = back.trim_end() == example;
    match verdict {
        Exact => {
            assert!(is_same, "{example:?} comes back as {back:?}");
            "exact".to_owned()
        }
        Changed(how) => {
            assert!(!is_same, "{example:?} is exact");
            let named = LOSSES.iter().any(|(name, _)| name == how);
            if named { format!("changed: *{how}*") } else { format!("changed: {how}") }
        }
        Kept(part) => {
            assert!(!remote.contains(part) && !back.contains(part), "{example:?}: {remote}");
            let now = if remote.is_empty() { "new".to_owned() } else { format!("{remote}\nnew") };
            let base = md(example);
            let edits = plan_pull(DIALECT, Some((&base, remote)), &md(example), &now);
            let pulled = apply_edits(example, &edits);
            assert!(pulled.contains(part) && pulled.contains("new"), "{example:?}: {pulled}");
            format!("{} is kept in the file", shown(part))
        }
    }
}

#[test]
fn the_mapping_is_as_the_page_says() {
    let mut page = String::from(
        "# What becomes of Markdown in Notion, and of Notion in Markdown\n\n\
         Written by `crates/core/tests/mapping.rs`, which runs every row: \
         `INSTA_UPDATE=always cargo test -p agent-sync-core --test mapping`.\n\n\
         Notion's grammar here is v1 (`markdown_version: v1`). ⏎ is a line ending, ⇥ a tab.\n\n\
         What a row calls changed is seen only where a new file is made from a page. A file that is there \
         keeps its bytes: an edit in Notion changes the words or lines that it is about, and what the other side \
         cannot hold is no difference.\n\n\
         ## From a file to Notion, and into a new file\n\n\
         | construct | in the file | in Notion | in a new file | verdict |\n| --- | --- | --- | --- | --- |\n",
    );
    for (name, example, expected) in LOCAL {
        let (remote, back) = converted(example);
        let said = verdict(example, &remote, &back, expected);
        let back = if matches!(expected, Exact) { "the same".to_owned() } else { shown(&back) };
        let (example, remote) = (shown(example), shown(&remote));
        let _ = writeln!(page, "| {name} | {example} | {remote} | {back} | {said} |");
    }
    page.push_str(
        "\n## What only Notion has\n\n\
         It stays there, whatever is pushed.\n\n\
         | construct | in Notion | in a file | verdict |\n| --- | --- | --- | --- |\n",
    );
    for (name, remote, said) in REMOTE {
        let file = render_local(DIALECT, remote, Format::Markdown, None);
        assert_eq!(local_digest(&md(&file)), remote_digest(DIALECT, remote), "{remote}");
        let base = md(&file);
        let base = Some((&base, *remote));
        assert_eq!(plan_push(DIALECT, base, &md(&file), remote), Push::Nothing, "{remote}");
        let _ = writeln!(page, "| {name} | {} | {} | {said} |", shown(remote), shown(&file));
    }
    page.push_str(
        "\nA marker line stands for the whole block with all that is inside: columns, tabs, synced blocks and meeting \
         notes are edited in Notion alone, and their texts are no part of the file. A line of theirs that is moved \
         in the file moves nothing in Notion, and one that is taken away removes nothing. All around them is synced.\n\n\
         A quote, callout or toggle is written as one. While such a block or a file of Notion's own is inside of it, \
         what changes in it in the file cannot be written without replacing that block too: the run says so and \
         leaves the page's body as it is, until the change is made in Notion. Removed in the file, it stays in \
         Notion. A change in Notion comes into the file as ever.\n\n\
         In v2 bookmarks, embeds, media and tabs have tags of their own; they are the same marker lines.\n",
    );
    page.push_str(
        "\n## Losses\n\n\
         `tests/corpus.rs` sends the Markdown of all our dependencies through Notion into a new file and compares \
         with the eyes of another renderer (`tests/corpus/compare.mjs`). It passes over these and nothing else:\n\n",
    );
    for (name, what) in LOSSES {
        let _ = writeln!(page, "- **{name}**: {what}.");
    }
    committed("docs/mapping.md", &page);
}

#[test]
fn the_corpus_passes_over_nothing_that_the_page_does_not_name() {
    let source = std::fs::read_to_string(root().join("tests/corpus/compare.mjs")).unwrap();
    let used: Vec<&str> =
        source.split("Loss \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(used.len() > 10);
    for name in used {
        assert!(LOSSES.iter().any(|(known, _)| *known == name), "{name} is not in docs/mapping.md");
    }
}

#[track_caller]
fn committed(path: &str, text: &str) {
    let full = root().join(path);
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        std::fs::write(&full, text).unwrap();
    }
    let there = std::fs::read_to_string(&full).unwrap_or_default();
    assert!(
        there == text,
        "{path} is not up to date; run `INSTA_UPDATE=always cargo test -p agent-sync-core --test mapping`"
    );
}
