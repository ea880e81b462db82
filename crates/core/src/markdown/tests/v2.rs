//! The v2 grammar: the form of every construct, and that both grammars mean the same.

use super::*;

/// Local text, how it is sent in v2.
#[test]
fn constructs_have_a_form_in_v2() {
    for (local, remote) in [
        ("one\ntwo", "one two"),
        ("a\n\nb", "a\n\nb"),
        ("one  \ntwo\\\nthree", "one\\\ntwo\\\nthree"),
        ("# A\n\n## B\n\nC\n---\n\n##### D", "# A\n\n## B\n\n## C\n\n#### D"),
        ("# A<br>b", "<h1>\nA\\\nb\n</h1>"),
        ("**b** _i_ ~~s~~ `c` <u>u</u>", "**b** *i* ~~s~~ `c` <u>u</u>"),
        ("[t](https://a.b/c \"title\") <https://a.b/c>", "[t](https://a.b/c) https://a.b/c"),
        ("[t](../a.md) ![p](b.png)", "\\[t\\](../a.md) !\\[p\\](b.png)"),
        ("![cap](https://a.b/c.png)", "![cap](https://a.b/c.png)"),
        ("* a\n* b\n  * c\n\n    para\n* d", "- a\n- b\n\t- c\n\n\t\tpara\n\n- d"),
        ("3) a\n4) b", "1. a\n1. b"),
        ("- [ ] a\n- [x] b", "- [ ] a\n- [x] b"),
        ("- a\\\n  b", "- a\\\n\tb"),
        ("> a\\\n> b", "> a\\\n> b"),
        ("```\na\n\n```", "```plain text\na\n\n```"),
        ("> a\n>\n> - b\n> - c", "<quote>\na\n\n- b\n- c\n</quote>"),
        (
            "> [!WARNING]\n> Mind the gap",
            "<callout icon=\"⚠️\" color=\"yellow_bg\">\nMind the gap\n</callout>",
        ),
        (
            "<details>\n<summary>More</summary>\n\ntext\n\n- a\n\n</details>",
            "<toggle>\nMore\n\ntext\n\n- a\n</toggle>",
        ),
        ("```rs\nfn a() {}\n\n  b\n```", "```rust\nfn a() {}\n\n  b\n```"),
        ("```befunge\nx\n```", "```plain text\nx\n```"),
        ("````\n```\n````", "````plain text\n```\n````"),
        ("- a\n\n  ```sh\n  x\n\n    y\n  ```", "- a\n\n\t```shell\n\tx\n\n\t  y\n\t```"),
        ("```math\nx^2\n```", "$$\nx^2\n$$"),
        ("***", "---"),
        ("| a | b |\n|:-:|---|\n| 1 | `x\\|y` |", "| a | b |\n| --- | --- |\n| 1 | `x\\|y` |"),
        ("|  |\n|--|\n| a<br>b |", "<table>\n<tr>\n<td>a<br />b</td>\n</tr>\n</table>"),
        ("a <kbd>x</kbd>", "a \\<kbd>x\\</kbd>"),
        ("a[^1]\n\n[^1]: note", "a\\[^1\\]"),
        ("cost $5, a_b_c, 2 * 3, {x} | y", "cost \\$5, a_b_c, 2 \\* 3, {x} | y"),
        ("\\# no\n\n1\\. no\n\n\\- no", "\\# no\n\n1\\. no\n\n\\- no"),
        (
            "<mention-user url=\"user://u\">Ada</mention-user>",
            "<mention url=\"user://u\">Ada</mention>",
        ),
        (
            "<mention-date start=\"2026-01-01\" startTime=\"09:00\" timeZone=\"Europe/Berlin\"/> x",
            "<date start=\"2026-01-01\" start-time=\"09:00\" time-zone=\"Europe/Berlin\"/> x",
        ),
        ("<!-- note -->\n\ntext", "text"),
        ("", ""),
    ] {
        assert_eq!(sent_in(V2, local), remote, "{local}");
        assert_same_in(V2, local, remote);
        assert_same_in(V2, &filed_in(V2, remote), remote);
    }
}

/// The same page in v1 and in v2: one digest, one file.
#[test]
fn a_page_is_the_same_in_both_grammars() {
    for (v1, v2) in [
        ("a\nb", "a\n\nb"),
        ("a<br>b", "a\\\nb"),
        ("text {color=\"red\"}", "<p color=\"red\">text</p>"),
        ("text {color=\"red\"}\n\tchild", "<p color=\"red\">\ntext\n\nchild\n</p>"),
        ("# T {color=\"red\"}", "<h1 color=\"red\">\nT\n</h1>"),
        ("## T {toggle=\"true\"}\n\tchild", "<toggle heading=\"h2\">\nT\n\nchild\n</toggle>"),
        ("#### T", "#### T"),
        ("- a {color=\"red\"}\n\t- b", "<ul>\n<li color=\"red\">\na\n\n- b\n</li>\n</ul>"),
        ("1. a {color=\"red\"}", "<ol type=\"a\">\n<li color=\"red\">a</li>\n</ol>"),
        ("- [x] a {color=\"red\"}", "<todo checked=\"true\" color=\"red\">a</todo>"),
        ("> a {color=\"red\"}\n\tb", "<quote color=\"red\">\na\n\nb\n</quote>"),
        ("> a\n> b", "> a\n\n> b"),
        (
            "<callout icon=\"💡\" color=\"green_bg\">\n\ta\n\t- b\n</callout>",
            "<callout icon=\"💡\" color=\"green_bg\">\na\n\n- b\n</callout>",
        ),
        (
            "<callout icon=\"🔥\" color=\"gray_bg\">\n\ta\n</callout>",
            "<callout icon=\"🔥\" color=\"gray_bg\">a</callout>",
        ),
        ("<details>\n<summary>T</summary>\n\ta\n</details>", "<toggle>\nT\n\na\n</toggle>"),
        ("a\n<empty-block/>\nb", "a\n\n<p />\n\nb"),
        ("a", "<p color=\"red\">\n\na\n</p>"),
        ("<span underline=\"true\">u</span>", "<u>u</u>"),
        ("<span color=\"red_bg\">r</span>", "<span color=\"red_bg\">r</span>"),
        (
            "a <span discussion-urls=\"d://1\">b</span>",
            "a <span discussion-urls=\"d://1\">b</span>",
        ),
        ("x $a_1^2$ y", "x $a_1^2$ y"),
        ("$$\nx\n$$", "$$\nx\n$$"),
        ("$$\nx\n$$", "<equation color=\"red\">x</equation>"),
        (":name: [^https://a.b/c]", ":name: [^https://a.b/c]"),
        (
            "<mention-user url=\"user://u\">A</mention-user>",
            "<mention url=\"user://u\">A</mention>",
        ),
        (
            "<mention-page url=\"https://n/p\">P</mention-page>",
            "<mention url=\"https://n/p\">P</mention>",
        ),
        (
            "<mention-database url=\"https://n/d\">D</mention-database>",
            "<mention url=\"https://n/d\" type=\"database\">D</mention>",
        ),
        (
            "<mention-data-source url=\"collection://c\">D</mention-data-source>",
            "<mention url=\"collection://c\">D</mention>",
        ),
        (
            "<mention-agent url=\"agent://a\">G</mention-agent>",
            "<mention url=\"agent://a\">G</mention>",
        ),
        (
            "on <mention-date start=\"2026-01-01\" end=\"2026-01-02\"/>",
            "on <date start=\"2026-01-01\" end=\"2026-01-02\" />",
        ),
        (
            "<table header-row=\"true\">\n<tr>\n<td>a</td>\n</tr>\n<tr>\n<td>b|c</td>\n</tr>\n</table>",
            "| a |\n| --- |\n| b\\|c |",
        ),
        (
            "<table header-row=\"true\" header-column=\"true\">\n<colgroup>\n<col color=\"red\">\n</colgroup>\n<tr>\n<td>a</td>\n</tr>\n<tr>\n<td>b</td>\n</tr>\n</table>",
            "<table header-column=\"true\">\n<col color=\"red\" />\n<tr>\n<th>a</th>\n</tr>\n<tr>\n<td>b</td>\n</tr>\n</table>",
        ),
        (
            "![c](https://a.b/i.png) {color=\"red\"}",
            "<image source=\"https://a.b/i.png\" color=\"red\">c</image>",
        ),
        (
            "<unknown url=\"u\" alt=\"bookmark\"/>\n<unknown url=\"u\" alt=\"embed\"/>",
            "<bookmark source=\"https://a.b\">c</bookmark>\n\n<embed source=\"https://a.b\">c</embed>",
        ),
        ("<table_of_contents color=\"red\"/>", "<table-of-contents color=\"red\" />"),
        (
            "<synced_block url=\"u\">\n\ta\n</synced_block>",
            "<synced-block url=\"u\">\na\n</synced-block>",
        ),
        (
            "<columns>\n\t<column>\n\t\ta\n\t</column>\n</columns>\nb",
            "<columns>\n<column ratio=\"50\">\na\n</column>\n</columns>\n\nb",
        ),
        ("<page url=\"u\">Sub</page>\na", "<page url=\"u\">Sub</page>\n\na"),
        (
            "<database url=\"u\" inline=\"true\">D</database>",
            "<database url=\"u\" inline=\"true\">D</database>",
        ),
        ("<audio src=\"https://a.b\">c</audio>", "<audio source=\"https://a.b\">c</audio>"),
        ("<video src=\"https://a.b\">c</video>", "<video source=\"https://a.b\">c</video>"),
        ("<file src=\"https://a.b\">c</file>", "<file source=\"https://a.b\">c</file>"),
        ("<pdf src=\"https://a.b\">c</pdf>", "<pdf source=\"https://a.b\">c</pdf>"),
        (
            "<meeting-notes>\n\ta\n</meeting-notes>",
            "<meeting-notes>\n<meeting-notes-section-notes>\na\n</meeting-notes-section-notes>\n</meeting-notes>",
        ),
        ("```plain text\na\n```", "```plain text\na\n```"),
        ("````rust\n```\n</quote>\n````\nb", "````rust\n```\n</quote>\n````\n\nb"),
        ("- a\n\tb\n\t```rust\n\tx\n\t```\n- c", "- a\n\n\tb\n\n\t```rust\n\tx\n\t```\n\n- c"),
        ("1. a\n\t- b\n1. c", "1. a\n    - b\n2. c"),
    ] {
        assert_eq!(remote_digest(V1, v1), remote_digest(V2, v2), "{v1}\n{v2}");
        assert_eq!(filed_in(V1, v1), filed_in(V2, v2), "{v1}");
        // A new file is the page, and nothing is sent or edited after it.
        let local = filed_in(V2, v2);
        for (dialect, remote) in [(V1, v1), (V2, v2)] {
            assert_same_in(dialect, &local, remote);
            assert_eq!(pushed_in(dialect, Some((&local, remote)), &local, remote), remote);
            assert_eq!(pushed_in(dialect, None, &local, remote), remote);
            assert_eq!(pulled_in(dialect, None, &local, remote), local);
        }
        // What is known in one is known in the other, block by block.
        for (from, old, to, new) in [(V1, v1, V2, v2), (V2, v2, V1, v1)] {
            let known = translate(from, old, to, None);
            assert_eq!(blocks_in(to, &known), blocks_in(from, old), "{old}\n{known}");
            assert_eq!(translate(from, &known, from, None), known);
            if blocks_in(to, new) == blocks_in(from, old) {
                assert_eq!(translate(from, old, to, Some(new)), new);
            }
            let more = format!("{new}\n\nmore");
            assert_eq!(translate(from, old, to, Some(&more)), known);
        }
    }
}

fn blocks_in(dialect: Dialect, text: &str) -> Vec<String> {
    let mut units = remote_units(dialect, text);
    units.retain(is_visible);
    units.into_iter().map(|unit| unit.key).collect()
}

/// A page in v2 with what only Notion has.
const RICH: &str = "\
<h1 color=\"red\">
Title
</h1>

<p color=\"blue\">plain words</p>

<toggle heading=\"h2\">
Folded

child one

child two
</toggle>

<callout icon=\"🔥\" color=\"gray_bg\">
hot text
</callout>

<ul>
<li color=\"red\">
red item

- below
</li>
</ul>

<todo checked=\"false\" color=\"red\">open task</todo>

<columns>
<column ratio=\"50\">
left side
</column>
</columns>

| a | b |
| :-- | --- |
| one | two |
| three | four |

<table header-column=\"true\">
<tr color=\"red\">
<td color=\"blue\">cell</td>
<td>other</td>
</tr>
</table>

see <span discussion-urls=\"d://1\">the big plan</span> and $x_1$

<image source=\"https://a.b/i.png\" color=\"red\">caption</image>

end";

#[test]
fn one_word_of_a_rich_page_is_one_hunk() {
    let local = filed_in(V2, RICH);
    for (old, new) in [
        ("Title", "Titel"),
        ("plain words", "plain text"),
        ("Folded", "Unfolded"),
        ("child two", "child three"),
        ("hot text", "cold text"),
        ("red item", "blue item"),
        ("below", "under"),
        ("open task", "open matter"),
        ("two", "zwei"),
        ("| three | four |\n", ""),
        ("| one | two |\n", ""),
        ("| one | two |", "| one | two |\n| 1 | 2 |"),
        ("cell", "Zelle"),
        ("and $x_1$", "or $x_1$"),
        ("caption", "legend"),
        ("end", "end\n\nmore"),
        ("child one\n\n", ""),
    ] {
        assert_eq!(local.matches(old).count(), if old == "two" { 2 } else { 1 }, "{old}");
        let changed = local.replace(old, new);
        let plan = plan_push(V2, Some((&md(&local), RICH)), &md(&changed), RICH);
        let Push::Edit(hunks) = plan else { panic!("{old}: {plan:?}") };
        check_hunks(RICH, &hunks);
        let result = apply_hunks(RICH, &hunks);
        let wanted = match old {
            "| three | four |\n" => RICH.replace("\n| three | four |", ""),
            "child one\n\n" => RICH.replace("child one", ""),
            _ => RICH.replace(old, new),
        };
        assert_eq!(result, wanted, "{old}");
        assert_same_in(V2, &changed, &result);
        // And the way back.
        assert_eq!(pulled_in(V2, Some((&local, RICH)), &local, &result), changed, "{old}");
        let answer = read_answer(V2, RICH, &hunks, &result);
        assert!(answer.applied.iter().all(|applied| *applied) && !answer.unexpected, "{answer:?}");
        assert_eq!(remote_digest(V2, &answer.base), remote_digest(V2, &result));
    }
}

#[test]
fn a_ticked_task_in_a_tag_is_ticked() {
    let local = filed_in(V2, RICH);
    let changed = local.replace("- [ ] open task", "- [x] open task");
    assert_eq!(
        pushed_in(V2, Some((&local, RICH)), &changed, RICH),
        RICH.replace("checked=\"false\"", "checked=\"true\"")
    );
}

#[test]
fn an_item_beside_one_in_a_tag_is_one_in_a_tag() {
    let remote = "<ul>\n<li color=\"red\">a</li>\n<li color=\"red\">b</li>\n</ul>";
    let changed = "- a\n- new\n- b\n";
    let result = pushed_in(V2, Some(("- a\n- b\n", remote)), changed, remote);
    assert!(result.contains("<li>\nnew\n</li>"), "{result}");
    assert_same_in(V2, changed, &result);
}

#[test]
fn anchors_of_comments_stay_on_the_words_that_are_left() {
    for (dialect, remote) in [
        (V1, "see <span discussion-urls=\"d://1\">the big plan</span> here\nb"),
        (V2, "see <span discussion-urls=\"d://1\">the big plan</span> here\n\nb"),
    ] {
        let local = filed_in(dialect, remote);
        assert_eq!(local, "see the big plan here\n\nb\n");
        for (new, wanted) in [
            (
                "look at the big plan here",
                "look at <span discussion-urls=\"d://1\">the big plan</span> here",
            ),
            ("see the plan here", "see the <span discussion-urls=\"d://1\">plan</span> here"),
            ("nothing is left", "nothing is left"),
        ] {
            let changed = format!("{new}\n\nb\n");
            let result = pushed_in(dialect, Some((&local, remote)), &changed, remote);
            assert_eq!(result.lines().next(), Some(wanted));
            assert_same_in(dialect, &changed, &result);
        }
    }
}

#[test]
fn frozen_blocks_are_in_no_hunk() {
    let signed = "see [f](https://file.notion.so/x?X-Amz-Sig=1)";
    let image = "![c](https://prod-files-secure.s3.amazonaws.com/x?X-Amz-S=1)";
    let remote = format!("a\n\n{signed}\n\nb\n\n{image}\n\nc");
    let local = filed_in(V2, &remote);
    assert!(local.contains("<!-- notion: image -->"));
    let changed = local.replace("a\n", "x\n").replace("b\n", "y\n").replace("c\n", "z\n");
    let result = pushed_in(V2, Some((&local, &remote)), &changed, &remote);
    assert!(result.contains(signed) && result.contains(image), "{result}");
    let touched = local.replace("see", "look at");
    let plan = plan_push(V2, Some((&md(&local), &remote)), &md(&touched), &remote);
    assert!(matches!(plan, Push::Impossible(_)), "{plan:?}");
    assert!(has_children(V2, "text\n\n<page url=\"https://app.notion.com/p/x\">Sub</page>"));
}

#[test]
fn tags_that_nothing_closes_are_read_in_one_pass() {
    let text = "<p>\n".repeat(20_000) + "</p>";
    for dialect in [V1, V2] {
        let start = std::time::Instant::now();
        let _ = remote_digest(dialect, &text);
        assert!(start.elapsed() < std::time::Duration::from_secs(10), "{dialect:?}");
    }
}

#[test]
fn what_parts_two_blocks_is_written_anew_where_one_between_them_goes() {
    let wanted = md("- a\n\na\n");
    let remote = sent_in(V2, "- a\n- a\n\na\n");
    let Push::Edit(hunks) = plan_push(V2, None, &wanted, &remote) else { panic!("no hunks") };
    let after = apply_hunks(&remote, &hunks);
    assert_eq!(remote_digest(V2, &after), local_digest(&wanted), "{after}");
}
