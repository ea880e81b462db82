//! Markdown v2: what is written is read back as the same, and edits touch only what they name.

use crate::block::Block;
use crate::markdown::edit::Update;
use crate::markdown::{self, Version};
use crate::options::Options;
use crate::workspace::Workspace;
use crate::workspace::markdown::Change;
use crate::workspace::person::Special;

fn page(text: &str) -> (Workspace, String) {
    let mut ws = Workspace::new(&Options::default());
    let parent = ws.parent_page.clone();
    let page = ws.create_subpage(&parent, "Page", "").unwrap();
    let bot = ws.bot.clone();
    let change = Change::Replace(text.to_owned());
    ws.change_markdown(&page, &change, Version::V2, false, &bot).unwrap();
    (ws, page)
}

fn read_back(text: &str) -> String {
    let (ws, page) = page(text);
    ws.markdown_v2(&page)
}

/// The tree without ids.
fn shape(blocks: &[Block]) -> String {
    blocks.iter().map(|block| format!("{:?}[{}]", block.kind, shape(&block.children))).collect()
}

fn shape_of(ws: &Workspace, page: &str) -> String {
    shape(&ws.pages[page].body)
}

fn update(ws: &mut Workspace, page: &str, items: &[(&str, &str)]) {
    let updates = items
        .iter()
        .map(|(old, new)| Update { old: (*old).into(), new: (*new).into(), all: false })
        .collect();
    let bot = ws.bot.clone();
    ws.change_markdown(page, &Change::Update(updates), Version::V2, false, &bot).unwrap();
}

#[test]
fn every_construct_is_a_fixpoint() {
    for text in [
        "Plain text",
        "One\n\nTwo",
        "First\\\nsecond line",
        "<p />\n\nText",
        "<p color=\"red\">Colored</p>",
        "<p> edge </p>",
        "<p>\nTitle\n\nchild\n</p>",
        "# One\n\n## Two\n\n### Three\n\n#### Four",
        "<h2 color=\"blue\">Colored</h2>",
        "<toggle heading=\"h2\" color=\"red\">\nTitle\n\nInside\n</toggle>",
        "<toggle>\nMore **here**\n\nInside\n\n- item\n</toggle>",
        "<toggle>\n<p>no title</p>\n</toggle>",
        "- a\n\t- b\n\t\t- c\n- d",
        "1. a\n2. b\n\t1. c\n3. d",
        "- a\n\n1. b\n\n- [ ] c\n- [x] d",
        "- a\n\n\tparagraph inside\n\n\t```rust\n\tlet x;\n\n\tlet y;\n\t```\n- b",
        "- two\\\n\tlines",
        "<ul>\n<li color=\"red\">red</li>\n<li>\nplain\n\n- child\n</li>\n</ul>",
        "<ol>\n<li color=\"red\">red</li>\n</ol>",
        "<todo checked=\"true\" color=\"gray\">done</todo>",
        "> one\\\n> two",
        "> a\n\n> b",
        "<quote color=\"purple_bg\">\nTitle text\n\n- child bullet\n\n<callout icon=\"💡\" color=\"yellow_bg\">\nCallout body child\n</callout>\n</quote>",
        "<callout icon=\"💡\">\nText\n\n- item\n</callout>",
        "```rust\nfn main() {}\n\n\tlet x = \"`*_<\";\n```",
        "````markdown\n```\ninner\n```\n````",
        "$$\nE = mc^2\n$$",
        "| **a** | b |\n| --- | --- |\n|  | x<br />y\\|z |",
        "<table header-row=\"true\" header-column=\"true\">\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n<tr>\n<th>c</th>\n<td>d</td>\n</tr>\n</table>",
        "---\n\nText",
        "<columns>\n<column ratio=\"40\">\nLeft\n</column>\n\n<column ratio=\"60\">\nRight\n</column>\n</columns>",
        "<tabs>\n<tab icon=\"📄\">\nOne\n\nInside\n</tab>\n\n<tab>Two</tab>\n</tabs>",
        "![Caption](https://example.com/a.png)",
        "<image source=\"https://example.com/a.png\">see [this](https://example.com)</image>",
        "<video source=\"https://example.com/v.mp4\">Film</video>\n\n<pdf source=\"https://example.com/a.pdf\"></pdf>",
        "<bookmark source=\"https://example.com\">A site</bookmark>\n\n<embed source=\"https://example.com/e\"></embed>",
        "<table-of-contents color=\"gray\" />",
        "**b** *i* ~~s~~ <u>u</u> `c` [t](https://example.com/a_(b)) $x^2$",
        "x<b> edge </b>and<i> edge</i>.",
        "<b>both *and* more</b>",
        "a**b**c and snake_case \\_lone",
        "<span color=\"red\">r **b**</span> <span color=\"blue_bg\">x</span>",
        "<date start=\"2026-11-20\" start-time=\"10:30\" time-zone=\"Europe/Berlin\" /> due",
        "<date start=\"2026-11-20\" end=\"2026-11-22\" />",
        ":ship-it: and :other:",
        "\\*no\\* \\[a\\](b) \\<div> {color=\"red\"} | ^ \\~ \\$5 \\\\ & \\&lt;",
        "\\# no heading\n\n\\- no item\n\n1\\. no item\n\n\\> no quote\n\n\\---",
        "line\\\n\\- no item\\\n\\# no heading",
    ] {
        assert_eq!(read_back(text), text);
    }
}

#[test]
fn input_is_normalised() {
    for (given, stored) in [
        ("soft\nbreak", "soft break"),
        ("hard  \nbreak", "hard\\\nbreak"),
        ("a\n# b\nc", "a\n\n# b\n\nc"),
        ("a\n- b", "a\n\n- b"),
        ("a\n2. b", "a 2. b"),
        ("* a\n\n* b", "- a\n- b"),
        ("- a\n  - b\n\n  more", "- a\n\t- b\n\n\tmore"),
        ("1. a\n1. b", "1. a\n2. b"),
        ("- a\nlazy", "- a lazy"),
        ("> a\n> b\n>\n> - c", "<quote>\na b\n\n- c\n</quote>"),
        ("> a\nlazy", "> a lazy"),
        ("__b__ _i_ ***bi***", "**b** *i* <b>*bi*</b>"),
        ("**not closed", "\\*\\*not closed"),
        ("2 * 3 * 4", "2 \\* 3 \\* 4"),
        ("**a *b** c*", "*a b c*"),
        ("&lt;tag&gt; &copy;", "\\<tag> &copy;"),
        ("<https://example.com/a>", "[https://example.com/a](https://example.com/a)"),
        ("<div>x</div>", "\\<div>x\\</div>"),
        (
            "<details><summary>x</summary></details>",
            "\\<details>\\<summary>x\\</summary>\\</details>",
        ),
        ("Text {color=\"red\"}", "Text {color=\"red\"}"),
        ("<mark>x</mark> <sub>y</sub>", "\\<mark>x\\</mark> \\<sub>y\\</sub>"),
        ("<u>open", "\\<u>open"),
        ("<p>open\n\nend", "\\<p>open\n\nend"),
        ("```js\nx\n```", "```javascript\nx\n```"),
        ("| a |\n|:-:|\n| 1 |", "| a |\n| --- |\n| 1 |"),
        ("<ol>\n<li>\na\n</li>\n</ol>", "1. a"),
        ("<ul>\n<li>a</li>\n<li>b</li>\n</ul>", "- a\n- b"),
        ("<quote>a</quote>", "> a"),
        ("<h1>a</h1>", "# a"),
        ("###### six", "#### six"),
        ("## closed ##", "## closed"),
        ("***", "---"),
        ("<empty-block/>", "\\<empty-block/>"),
        ("<span underline=\"true\">u</span>", "u"),
    ] {
        assert_eq!(read_back(given), stored, "{given}");
    }
}

#[test]
fn both_versions_hold_the_same_blocks() {
    for v1 in [
        "## Toggle {toggle=\"true\" color=\"red\"}\n\tInside",
        "> one<br>two\n> another {color=\"blue_bg\"}\n\tchild",
        "<details color=\"gray\">\n<summary>More **here**</summary>\n\tInside\n\t- item\n</details>",
        "<callout icon=\"💡\" color=\"yellow_bg\">\n\tText\n\t- item\n</callout>",
        "<callout>\n\t<empty-block/>\n\tParagraph\n</callout>",
        "- item {color=\"red\"}\n\tchild\n- [ ] open\n1. one\n\t- deep\n\t\tdeeper",
        "| a | b |\n|---|---|\n| 1 | x\\|y |",
        "<table fit-page-width=\"true\">\n<tr>\n<td>1</td>\n<td> </td>\n</tr>\n</table>",
        "Text <span underline=\"true\">u</span> \\*x\\* a_b\\_ \\<p\\>",
        "a<br><br>b<br>- c",
        "\\# x\n\\- y\n1\\. z\n\\`\\`\\`",
        "*italic **both*** `` a`b ``",
        "<columns>\n\t<column>\n\t\tLeft\n\t</column>\n\t<column>\n\t\tRight\n\t</column>\n</columns>",
    ] {
        let mut ws = Workspace::new(&Options::default());
        let parent = ws.parent_page.clone();
        let first = ws.create_subpage(&parent, "Page", v1).unwrap();
        let v2 = ws.markdown_v2(&first);
        let (other, second) = page(&v2);
        assert_eq!(shape_of(&other, &second), shape_of(&ws, &first), "{v1}\n{v2}");
        assert_eq!(other.markdown(&second), ws.markdown(&first), "{v1}\n{v2}");
    }
}

#[test]
fn edits_keep_what_they_do_not_touch() {
    let text = "# Title\n\nOne\n\n- a\n\t- child\n- b\n\nTwo\\\nlines\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |";
    let (mut ws, page) = page(text);
    let bookmark = ws.add_block(&page, &Special::Breadcrumb).unwrap();
    let copy_of = ws.add_block(&page, &Special::Synced("Shared".into())).unwrap();
    let copy = ws.add_block(&page, &Special::SyncedCopy(copy_of.clone())).unwrap();
    let before = ws.blocks(&page);
    update(&mut ws, &page, &[("- b", "- new\n- b!"), ("| 3 |", "| 5 |")]);
    let after = ws.blocks(&page);
    for text in ["Title", "One", "a", "child", "Two\nlines", "a | b", "1 | 2", "Shared"] {
        let id = |blocks: &[crate::BlockInfo]| {
            blocks.iter().find(|block| block.text == text).map(|block| block.id.clone())
        };
        assert_eq!(id(&after), id(&before), "{text}");
        assert!(id(&after).is_some(), "{text}");
    }
    for id in [&bookmark, &copy_of, &copy] {
        assert!(after.iter().any(|block| block.id == *id));
    }
    assert!(ws.markdown_v2(&page).contains("- new\n- b!\n\nTwo\\\nlines\n\n"));
    let bot = ws.bot.clone();
    let mut change = |change: Change| {
        ws.change_markdown(&page, &change, Version::V2, false, &bot).unwrap();
        ws.markdown_v2(&page)
    };
    assert!(change(Change::InsertAtStart("First".into())).starts_with("First\n\n# Title\n\nOne"));
    assert!(change(Change::InsertAtEnd("Last".into())).ends_with("\n\nLast"));
    let after = change(Change::InsertAfter { selection: "One".into(), content: "Between".into() });
    assert!(after.contains("One\n\nBetween\n\n- a"), "{after}");
}

#[test]
fn what_the_reader_ignored_is_told() {
    for (text, says) in [
        ("<p colour=\"red\">x</p>", "colour"),
        ("<p color=\"mauve\">x</p>", "mauve"),
        ("| a |\n|:-:|\n| 1 |", "alignment"),
        ("<h1>\nTitle\n\nchild\n</h1>", "<h1> holds no blocks"),
        ("<ol type=\"a\">\n<li>x</li>\n</ol>", "<ol>"),
        ("<video source=\"https://example.com/v\" color=\"red\">x</video>", "color"),
    ] {
        let read = markdown::read(text, Version::V2).unwrap();
        assert!(read.warnings.iter().any(|warning| warning.contains(says)), "{text}: {read:?}");
    }
    assert!(markdown::read("# Title\n\n- item", Version::V2).unwrap().warnings.is_empty());
}

#[test]
fn pages_are_made_by_tags_without_an_address_and_others_are_refused() {
    let (ws, page) = page("Before\n\n<page>New **page**</page>\n\nAfter");
    let blocks = ws.blocks(&page);
    assert_eq!(blocks[1].kind, "child_page");
    assert_eq!(ws.page(&blocks[1].id).unwrap().title, "New page");
    for text in [
        "<page url=\"https://app.notion.com/p/0123456789abcdef0123456789abcdef\">X</page>",
        "<unknown url=\"https://app.notion.com/p/x\" alt=\"form\" />",
        "<folder url=\"https://app.notion.com/p/x\" />",
        "<synced-block-reference url=\"https://app.notion.com/p/x\">\nText\n</synced-block-reference>",
        "[a](../b.md)",
        "<bookmark source=\"b.md\">x</bookmark>",
    ] {
        let (mut ws, page) = self::page("Text");
        let bot = ws.bot.clone();
        let change = Change::InsertAtEnd(text.into());
        let refused = ws.change_markdown(&page, &change, Version::V2, false, &bot);
        assert_eq!(refused.unwrap_err().code, "validation_error", "{text}");
        assert_eq!(ws.markdown_v2(&page), "Text");
    }
}

#[test]
fn no_text_makes_the_reader_panic_and_what_is_written_is_stable() {
    let pieces = [
        "**",
        "*",
        "_",
        "`",
        "```",
        "<",
        "<p>",
        "</p>",
        "<p />",
        "<toggle>",
        "</toggle>",
        "<ul>",
        "</ul>",
        "<li>",
        "</li>",
        "<table>",
        "</table>",
        "<tr>",
        "<td>",
        "</td>",
        "</tr>",
        "|",
        "\n|---|\n",
        "[",
        "](",
        ")",
        "$",
        "$$",
        "\t",
        "\n",
        "\n\n",
        "\\",
        "é",
        "🎉",
        "- ",
        "1. ",
        "> ",
        "# ",
        "<callout>\n",
        "\n</callout>",
        "<span color=\"red\">",
        "</span>",
        "!",
        "~~",
        " ",
        "x",
        "<br />",
        "&lt;",
        "&#32;",
        ":ship-it:",
        "<b>",
        "</b>",
        "<quote>",
        "</quote>",
        "<page>",
        "https://a.b",
    ];
    let mut ids = crate::ids::Ids::new(11);
    for _ in 0..4_000 {
        let text: String = (0..ids.number() % 24)
            .map(|_| pieces[usize::try_from(ids.number()).unwrap() % pieces.len()])
            .collect();
        let mut ws = Workspace::new(&Options::default());
        let parent = ws.parent_page.clone();
        let page = ws.create_subpage(&parent, "Page", "").unwrap();
        let bot = ws.bot.clone();
        let change = Change::Replace(text.clone());
        if ws.change_markdown(&page, &change, Version::V2, true, &bot).is_err() {
            continue;
        }
        let once = ws.markdown_v2(&page);
        if once.contains("<page url") {
            continue;
        }
        let (other, second) = self::page(&once);
        assert_eq!(shape_of(&other, &second), shape_of(&ws, &page), "{text:?}\n{once:?}");
    }
}
