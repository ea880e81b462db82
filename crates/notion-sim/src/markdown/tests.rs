//! Markdown v1: what is written is read back as the same, and edits touch only what they name.

use serde_json::json;

use crate::options::Options;
use crate::workspace::Workspace;
use crate::workspace::inspect::BlockInfo;
use crate::workspace::markdown::Change;
use crate::workspace::person::Special;

use super::Version;
use super::edit::Update;

fn page(markdown: &str) -> (Workspace, String) {
    let mut ws = Workspace::new(&Options::default());
    let parent = ws.parent_page.clone();
    let page = ws.create_subpage(&parent, "Page", markdown).unwrap();
    (ws, page)
}

fn read_back(markdown: &str) -> String {
    let (ws, page) = page(markdown);
    ws.markdown(&page)
}

fn update(
    ws: &mut Workspace,
    page: &str,
    items: &[(&str, &str)],
) -> Result<(), crate::error::ApiError> {
    let updates = items
        .iter()
        .map(|(old, new)| Update { old: (*old).into(), new: (*new).into(), all: false })
        .collect();
    let bot = ws.bot.clone();
    ws.change_markdown(page, &Change::Update(updates), Version::V1, false, &bot).map(|_| ())
}

fn id_of(blocks: &[BlockInfo], text: &str) -> String {
    blocks
        .iter()
        .find(|block| block.text == text)
        .unwrap_or_else(|| panic!("no block {text:?}"))
        .id
        .clone()
}

#[test]
fn every_construct_is_a_fixpoint() {
    for text in [
        "Plain text",
        "Two\nparagraphs",
        "# One\n## Two\n### Three\n#### Four",
        "## Toggle {toggle=\"true\" color=\"red\"}\n\tInside",
        "- a\n\t- b\n\t\t- c\n- d",
        "1. a\n2. b\n\t1. c\n3. d",
        "- [ ] open\n\tA note\n- [x] done",
        "> one<br>two\n> another {color=\"blue_bg\"}\n\tchild",
        "<details color=\"gray\">\n<summary>More **here**</summary>\n\tInside\n\t- item\n</details>",
        "<callout icon=\"💡\" color=\"yellow_bg\">\n\tText\n\t- item\n</callout>",
        "<callout>\n\t<empty-block/>\n\tParagraph\n</callout>",
        "```rust\nfn main() {}\n\n\tlet x = \"`*_<\";\n```",
        "````markdown\n```\ninner\n```\n````",
        "- item\n\t```shell\n\tls\n\t```",
        "$$\nE = mc^2\n$$",
        "<table header-row=\"true\">\n<tr>\n<td>**a**</td>\n<td>b</td>\n</tr>\n<tr>\n<td></td>\n<td>x<br>y</td>\n</tr>\n</table>",
        "---\n<empty-block/>\n---",
        "<columns>\n\t<column>\n\t\tLeft\n\t</column>\n\t<column>\n\t\tRight\n\t</column>\n</columns>",
        "![Caption](https://example.com/a.png)",
        "<video src=\"https://example.com/v.mp4\">Film</video>\n<pdf src=\"https://example.com/a.pdf\"></pdf>",
        "<table_of_contents color=\"gray\"/>",
        "**b** *i* ~~s~~ `c` [t](https://example.com/a_(b)) $x^2$",
        "*italic **both***and ``a`b``",
        "***both** italic* then **bold*both***",
        "<span underline=\"true\">u</span> <span color=\"red\">r **b**</span>",
        "[**bold link** and plain](https://example.com) **after**",
        "<mention-date start=\"2026-11-20\" startTime=\"10:30\" timeZone=\"Europe/Berlin\"/> due",
        "\\*no\\* \\[a\\]\\(b\\) \\<tag\\> \\{x\\} \\| \\^ \\~ \\$5 \\\\",
    ] {
        let once = read_back(text);
        assert_eq!(read_back(&once), once, "not stable: {text}");
        if !text.starts_with("***") && !text.contains("\\(") {
            assert_eq!(once, text);
        }
    }
}

#[test]
fn input_is_normalised_as_notion_does() {
    for (given, stored) in [
        ("a\n\n\nb", "a\nb"),
        ("1. a\n1. b\n1. c", "1. a\n2. b\n3. c"),
        ("1. a\nbreak\n2. b", "1. a\nbreak\n1. b"),
        ("* a\n+ b", "- a\n- b"),
        ("- a\n  - b\n    - c", "- a\n\t- b\n\t\t- c"),
        ("##### five\n###### six", "#### five\n#### six"),
        ("```js\nx\n```", "```javascript\nx\n```"),
        ("```\nx\n```", "```plain text\nx\n```"),
        (
            "| a | b |\n|---|:-:|\n| 1 | x\\|y |",
            "<table header-row=\"true\">\n<tr>\n<td>a</td>\n<td>b</td>\n</tr>\n<tr>\n<td>1</td>\n<td>x\\|y</td>\n</tr>\n</table>",
        ),
        ("2 * 3 and snake_case", "2 \\* 3 and snake_case"),
        ("[text] (x) <div> $5", "\\[text\\] (x) \\<div\\> \\$5"),
        (
            "\\# not a heading\n\\- nor an item\n1\\. nor this",
            "\\# not a heading\n\\- nor an item\n1\\. nor this",
        ),
        (
            "<details><summary>one line</summary></details>",
            "\\<details\\>\\<summary\\>one line\\</summary\\>\\</details\\>",
        ),
        ("**open", "\\*\\*open"),
    ] {
        assert_eq!(read_back(given), stored, "{given}");
    }
}

#[test]
fn what_notion_refuses_is_refused() {
    let (mut ws, page) = page("Text");
    for (bad, says) in [
        ("[a](../adr/0007.md)", "Invalid URL for link."),
        ("[a](#anchor)", "Invalid URL for link."),
        ("[a](file:///etc/passwd)", "Invalid URL for link."),
        ("![a](images/a.png)", "Invalid URL for link."),
        ("```brainfuck\n+\n```", "Invalid code language"),
        ("<unknown url=\"https://app.notion.com/p/x\" alt=\"bookmark\"/>", "cannot be created"),
        (
            "<page url=\"https://app.notion.com/p/0123456789abcdef0123456789abcdef\">X</page>",
            "does not refer to a child",
        ),
    ] {
        let error = update(&mut ws, &page, &[("Text", bad)]).unwrap_err();
        assert_eq!((error.status, error.code), (400, "validation_error"));
        assert!(error.message.contains(says), "{}", error.message);
        assert_eq!(ws.markdown(&page), "Text", "a refused request changes nothing");
    }
}

#[test]
fn update_content_needs_exactly_one_match() {
    let (mut ws, page) = page("same\nsame\nother");
    assert!(update(&mut ws, &page, &[("same", "x")]).unwrap_err().message.contains("2 matches"));
    assert!(
        update(&mut ws, &page, &[("missing", "x")]).unwrap_err().message.contains("Could not find")
    );
    update(&mut ws, &page, &[("other", "new")]).unwrap();
    assert_eq!(ws.markdown(&page), "same\nsame\nnew");
    let all = Change::Update(vec![Update { old: "same".into(), new: "equal".into(), all: true }]);
    let bot = ws.bot.clone();
    ws.change_markdown(&page, &all, Version::V1, false, &bot).unwrap();
    assert_eq!(ws.markdown(&page), "equal\nequal\nnew");
}

#[test]
fn a_missing_item_among_several_refuses_all_or_is_skipped_on_demand() {
    let (mut ws, page) = page("a\nb\nc");
    let refused = update(&mut ws, &page, &[("a", "A"), ("missing", "X"), ("c", "C")]);
    assert!(refused.unwrap_err().message.contains("Could not find"));
    assert_eq!(ws.markdown(&page), "a\nb\nc", "a refused request changes nothing");
    ws.skip_missing = true;
    update(&mut ws, &page, &[("a", "A"), ("missing", "X"), ("c", "C")]).unwrap();
    assert_eq!(ws.markdown(&page), "A\nb\nC");
    assert!(update(&mut ws, &page, &[("gone", "X"), ("away", "Y")]).is_err());
}

#[test]
fn untouched_blocks_keep_ids_children_and_comments() {
    let (mut ws, page) = page("# Title\nOne\n- a\n\t- child\n- b\nTwo\nThree");
    let before = ws.blocks(&page);
    for text in ["One", "child", "Two"] {
        ws.comment(&id_of(&before, text), "a comment").unwrap();
    }
    update(&mut ws, &page, &[("- b\nTwo", "- b\n- new\nTwo!")]).unwrap();
    assert_eq!(ws.markdown(&page), "# Title\nOne\n- a\n\t- child\n- b\n- new\nTwo!\nThree");
    let after = ws.blocks(&page);
    for text in ["Title", "One", "a", "child", "b", "Three"] {
        assert_eq!(id_of(&after, text), id_of(&before, text), "{text}");
    }
    assert_eq!(after.iter().map(|block| block.comments).sum::<usize>(), 2);
    let orphans: Vec<bool> =
        ws.comments(&page).iter().map(|comment| comment.original_content_deleted).collect();
    assert_eq!(orphans, [false, false, true]);
}

#[test]
fn a_changed_parent_keeps_its_children() {
    let (mut ws, page) = page("- parent\n\t- child\n\t\t- grandchild");
    let before = ws.blocks(&page);
    update(&mut ws, &page, &[("- parent", "- other")]).unwrap();
    let after = ws.blocks(&page);
    assert_ne!(after[0].id, before[0].id);
    assert_eq!(
        after[1..].iter().map(|b| &b.id).collect::<Vec<_>>(),
        before[1..].iter().map(|b| &b.id).collect::<Vec<_>>()
    );
}

#[test]
fn one_table_row_changes_alone() {
    let (mut ws, page) = page("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |");
    let before = ws.blocks(&page);
    update(&mut ws, &page, &[("<td>3</td>", "<td>5</td>")]).unwrap();
    let after = ws.blocks(&page);
    let same = |text: &str| id_of(&before, text) == id_of(&after, text);
    assert!(same("") && same("a | b") && same("1 | 2"));
    assert_ne!(id_of(&before, "3 | 4"), id_of(&after, "5 | 4"));
}

#[test]
fn replace_content_makes_every_block_anew() {
    let (mut ws, page) = page("One\nTwo");
    let before = ws.blocks(&page);
    let bot = ws.bot.clone();
    ws.change_markdown(&page, &Change::Replace("One\nTwo".into()), Version::V1, false, &bot)
        .unwrap();
    let after = ws.blocks(&page);
    assert!(before.iter().all(|old| after.iter().all(|new| new.id != old.id)));
    ws.change_markdown(&page, &Change::Replace(String::new()), Version::V1, false, &bot).unwrap();
    assert_eq!(ws.markdown(&page), "");
}

#[test]
fn what_markdown_cannot_say_stays_while_other_text_changes() {
    let (mut ws, page) = page("Before");
    let specials = [
        Special::Bookmark("https://example.com".into()),
        Special::Synced("Shared".into()),
        Special::ChildPage("Child".into()),
        Special::ChildDatabase("Rows".into()),
        Special::Unsupported("button".into()),
        Special::HostedImage("a.png".into()),
        Special::MeetingNotes("Weekly".into()),
    ];
    let ids: Vec<String> =
        specials.iter().map(|special| ws.add_block(&page, special).unwrap()).collect();
    let copy = ws.add_block(&page, &Special::SyncedCopy(ids[1].clone())).unwrap();
    ws.append_markdown(&page, "After").unwrap();
    assert!(ws.markdown(&page).contains("alt=\"bookmark\"/>"));
    update(&mut ws, &page, &[("Before", "New"), ("After", "Newer")]).unwrap();
    let after = ws.blocks(&page);
    for id in ids.iter().chain([&copy]) {
        assert!(after.iter().any(|block| block.id == *id));
    }
    let text = ws.markdown(&page);
    assert!(text.starts_with("New\n<unknown ") && text.ends_with("\nNewer"), "{text}");
    // Without allow_deleting_content no child object goes.
    let bot = ws.bot.clone();
    let error = ws
        .change_markdown(&page, &Change::Replace("x".into()), Version::V1, false, &bot)
        .unwrap_err();
    assert!(error.message.contains("Child") && error.message.contains("Rows"), "{}", error.message);
    assert_eq!(ws.markdown(&page), text);
    ws.change_markdown(&page, &Change::Replace("x".into()), Version::V1, true, &bot).unwrap();
    assert!(ws.page(&ids[2]).unwrap().in_trash);
}

#[test]
fn child_tags_keep_their_children_when_moved() {
    let (mut ws, page) = page("Before");
    let child = ws.add_block(&page, &Special::ChildPage("Child".into())).unwrap();
    let tag = ws.markdown(&page).lines().last().unwrap().to_owned();
    let bot = ws.bot.clone();
    ws.change_markdown(&page, &Change::Replace(format!("{tag}\nAfter")), Version::V1, false, &bot)
        .unwrap();
    assert_eq!(ws.blocks(&page)[0].id, child);
    assert!(!ws.page(&child).unwrap().in_trash);
    let twice = Change::InsertAtEnd(tag);
    assert!(ws.change_markdown(&page, &twice, Version::V1, false, &bot).is_err());
}

#[test]
fn anchors_of_comments_show_and_signed_addresses_rotate() {
    let (mut ws, page) = page("Some words here");
    let discussion = ws.comment_on_words(&page, "words", "Why?").unwrap();
    assert_eq!(
        ws.markdown(&page),
        format!("Some <span discussion-urls=\"discussion://{discussion}\">words</span> here")
    );
    ws.add_block(&page, &Special::HostedImage("a.png".into())).unwrap();
    let (first, second) =
        (ws.render_page(&page, Version::V1).text, ws.render_page(&page, Version::V1).text);
    assert_ne!(first, second);
    let unsigned = |text: &str| text.split('?').next().map(str::to_owned);
    assert_eq!(unsigned(&first), unsigned(&second));
}

#[test]
fn insert_content_and_ranges() {
    let (mut ws, page) = page("one\ntwo\nthree");
    let before = ws.blocks(&page);
    let bot = ws.bot.clone();
    let mut change = |change: Change| ws.change_markdown(&page, &change, Version::V1, false, &bot);
    change(Change::InsertAtStart("zero".into())).unwrap();
    change(Change::InsertAtEnd("four".into())).unwrap();
    change(Change::InsertAfter { selection: "one...two".into(), content: "- between".into() })
        .unwrap();
    change(Change::ReplaceRange { selection: "three...four".into(), content: "end".into() })
        .unwrap();
    assert!(
        change(Change::InsertAfter { selection: "nowhere...two".into(), content: "x".into() })
            .is_err()
    );
    assert_eq!(ws.markdown(&page), "zero\none\ntwo\n- between\nend");
    let after = ws.blocks(&page);
    assert_eq!(id_of(&after, "one"), id_of(&before, "one"));
    assert_eq!(id_of(&after, "two"), id_of(&before, "two"));
}

#[test]
fn edits_by_people_and_by_markdown_name_their_author_and_minute() {
    let (mut ws, page) = page("Text");
    let ada = ws.person().to_owned();
    ws.advance(std::time::Duration::from_secs(95));
    update(&mut ws, &page, &[("Text", "Bot")]).unwrap();
    let info = ws.page(&page).unwrap();
    assert_eq!(
        (info.edited.to_string().as_str(), info.edited_by.as_str()),
        ("2026-11-20T10:02:00Z", ws.bot())
    );
    ws.comment(&page, "no edit").unwrap();
    ws.advance(std::time::Duration::from_secs(60));
    ws.comment(&page, "no edit").unwrap();
    assert_eq!(ws.page(&page).unwrap(), info);
    ws.edit_block(&page, "Bot", "Ada").unwrap();
    assert_eq!(ws.page(&page).unwrap().edited_by, ada);
}

#[test]
fn no_text_makes_the_reader_panic() {
    let pieces = [
        "**",
        "*",
        "`",
        "```",
        "<",
        "</details>",
        "<details>",
        "<summary>x</summary>",
        "<table>",
        "<tr>",
        "<td>",
        "|",
        "|---|",
        "[",
        "](",
        ")",
        "$",
        "$$",
        "\t",
        "\n",
        "\\",
        "é",
        "🎉",
        "{color=\"red\"}",
        "- ",
        "1. ",
        "> ",
        "# ",
        "<callout>",
        "</callout>",
        "<span color=\"red\">",
        "</span>",
        "!",
        "~~",
        " ",
        "x",
        "<br>",
        "</table>",
        "</tr>",
    ];
    let mut ids = crate::ids::Ids::new(7);
    for _ in 0..3_000 {
        let text: String = (0..ids.number() % 24)
            .map(|_| pieces[usize::try_from(ids.number()).unwrap() % pieces.len()])
            .collect();
        if let Ok(parsed) = super::parse::parse(&text) {
            let mut ws = Workspace::new(&Options::default());
            let parent = ws.parent_page.clone();
            let page = ws.create_subpage(&parent, "Page", "").unwrap();
            if ws.markdown_blocks(&page, parsed, "x").is_ok() {
                ws.append_markdown(&page, &text).unwrap();
                let once = ws.markdown(&page);
                let again = read_back(&once);
                assert_eq!(read_back(&again), again, "{text:?}\n{once:?}");
            }
        }
    }
}

#[test]
fn schema_json_of_tests_is_taken() {
    let (mut ws, _) = page("");
    let parent = ws.parent_page.clone();
    assert!(ws.create_database(&parent, "Rows", &json!({"Name": {"title": {}}})).is_ok());
    assert!(ws.create_database(&parent, "Rows", &json!({"Name": {"rich_text": {}}})).is_err());
}
