//! A change of one block changes nothing else (design §6, rules 2 and 3).

use super::*;

/// A file with a bit of everything, written in ways that we would not choose.
const DOCUMENT: &str = "\
Intro that is hard\nwrapped over *three*\nlines of text.\n\
\n\
Heading one\n-----------\n\
\n\
* first item\n* second item\n   * nested item\n   * nested other\n* third item\n\
\n\
3) three\n4) four\n5) five\n\
\n\
<!-- a comment -->\n\
\n\
a | b\n:--|--:\none | two\nthree | four\n\
\n\
~~~js\nlet a = 1;\nlet b = 2;\n~~~\n\
\n\
> quoted text\n> goes on\n\
\n\
- [ ] open task\n- [x] done task\n\
\n\
[ref]: https://example.com/x\n\
\n\
Last paragraph with [a link][ref] and __bold__ text.\n";

/// (old line, new line) of the document, and what the edit looks like in v1.
const ONE_WORD: [(&str, &str, &str, &str); 12] = [
    ("wrapped over *three*", "wrapped over *four*", "*three*", "*four*"),
    ("Heading one", "Heading two", "Heading one", "Heading two"),
    ("* second item", "* second thing", "second item", "second thing"),
    ("   * nested other", "   * nested thing", "nested other", "nested thing"),
    ("4) four", "4) vier", "1. four", "1. vier"),
    ("one | two", "one | zwei", "two", "zwei"),
    ("a | b", "a | c", "<td>b</td>", "<td>c</td>"),
    ("let b = 2;", "let b = 3;", "let b = 2;", "let b = 3;"),
    ("> goes on", "> goes off", "goes on", "goes off"),
    ("- [ ] open task", "- [x] open task", "- [ ] open task", "- [x] open task"),
    ("- [x] done task", "- [x] done deal", "done task", "done deal"),
    ("text.\n", "word.\n", "bold** text.", "bold** word."),
];

/// Changes the last occurrence.
fn with(text: &str, old: &str, new: &str) -> String {
    let at = text.rfind(old).unwrap();
    format!("{}{new}{}", &text[..at], &text[at + old.len()..])
}

#[test]
fn one_word_in_the_file_is_one_hunk() {
    let remote = sent(DOCUMENT);
    for (old, new, was, is) in ONE_WORD {
        let local = with(DOCUMENT, old, new);
        for base in [None, Some((DOCUMENT, remote.as_str()))] {
            let base_local = base.map(|(text, _)| md(text));
            let plan = plan_push(
                V1,
                base_local.as_ref().map(|l| (l, remote.as_str())),
                &md(&local),
                &remote,
            );
            let Push::Edit(hunks) = plan else { panic!("{old}: {plan:?}") };
            check_hunks(&remote, &hunks);
            assert_eq!(hunks.len(), 1, "{hunks:?}");
            assert_eq!(apply_hunks(&remote, &hunks), with(&remote, was, is), "{old}");
            assert!(hunks[0].old.lines().count() <= 6, "{hunks:?}");
        }
    }
}

#[test]
fn one_word_in_notion_is_a_one_line_edit() {
    let remote = sent(DOCUMENT);
    for (old, new, was, is) in ONE_WORD {
        let now = with(&remote, was, is);
        for base in [None, Some((DOCUMENT, remote.as_str()))] {
            for crlf in [false, true] {
                let ending =
                    |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
                let local = ending(DOCUMENT);
                let base = base.map(|(_, remote)| (local.as_str(), remote));
                assert_eq!(pulled(base, &local, &now), ending(&with(DOCUMENT, old, new)), "{old}");
            }
        }
    }
}

/// A text that comes to stand beside what only the file has does not flow together with it, and what is elsewhere
/// in the file stays as it is written.
#[test]
fn what_only_the_file_has_stays_beside_a_new_text() {
    for (file, other, wanted) in [
        ("-\n[r]: b", "- a", "- a\n\n[r]: b"),
        (">\n[r]: b", "> a", "> a\n\n[r]: b"),
        ("# h\n[r]: b", "h", "h\n\n[r]: b"),
        ("-\n[r]: b", "-\n\na", "-\n\na\n\n[r]: b"),
        ("a\n# h\n[r]: b", "a", "a\n\n[r]: b"),
        ("[r]: b\n[^1]: g\n*", "a\n\n*", "[r]: b\n[^1]: g\n\na\n\n*"),
        ("[^1]: g\n# h", "h", "[^1]: g\n\nh"),
    ] {
        let elsewhere = "hard\nwrapped __text__\n\n";
        for dialect in [V1, V2] {
            // Behind a block the new text would stand before the definitions.
            let places = if file.starts_with('[') { &[""][..] } else { &["", elsewhere] };
            for before in places {
                let (file, other) = (format!("{before}{file}"), format!("{before}{other}"));
                let now = sent_in(dialect, &other);
                let old = sent_in(dialect, &file);
                for base in [None, Some((file.as_str(), old.as_str()))] {
                    let result = pulled_in(dialect, base, &file, &now);
                    assert_eq!(result, format!("{before}{wanted}"));
                    assert_same_in(dialect, &result, &now);
                }
            }
        }
    }
}

/// A list item without text ends at a blank line, so its child needs something to stand on.
#[test]
fn a_child_comes_into_an_empty_item() {
    for (file, now, wanted) in [
        ("* a\n*\n* b", "- a\n- \n\t> c\n- b", "* a\n* <!-- -->\n\n  > c\n* b"),
        (
            "* a\n*  \n* b",
            "- a\n- \n\t```sh\n\tc\n\t```\n- b",
            "* a\n* <!-- -->\n\n  ```shell\n  c\n  ```\n* b",
        ),
        ("- [ ] <!-- x -->\n- b", "- [ ] \n\tc\n- b", "- [ ] <!-- x -->\n\n  c\n- b"),
        ("*\n  > c", "- \n\td", "* <!-- -->\n\n  d"),
    ] {
        let (file, now) = (format!("hard\nwrap\n\n{file}\n"), format!("hard wrap\n{now}"));
        let old = sent(&file);
        for base in [None, Some((file.as_str(), old.as_str()))] {
            let result = pulled(base, &file, &now);
            assert_eq!(result, format!("hard\nwrap\n\n{wanted}\n"));
            assert_same(&result, &now);
        }
    }
}

/// Blocks inside of a quote, callout or toggle keep what only Notion has, where only their neighbours change.
#[test]
fn what_is_inside_of_a_container_stays() {
    for (dialect, remote) in [
        (V1, "> top\n\tone {color=\"red\"}\n\t- WORD {color=\"blue\"}\n\t\ttwo {color=\"red\"}"),
        (
            V1,
            "<callout icon=\"🎯\" color=\"gray_bg\">\n\tone {color=\"red\"}\n\n\tWORD\n\t<empty-block/>\n\t```go\n\t\tx\n\n\t```\n</callout>",
        ),
        (
            V1,
            "- a\n\t<details color=\"red\">\n\t<summary>t</summary>\n\t\tone {color=\"red\"}\n\t\t> WORD\n\t\t\ttwo {color=\"red\"}\n\t</details>",
        ),
        (V1, "<details>\n<summary>a WORD</summary>\n\tone {color=\"red\"}\n</details>"),
        (V1, "> a WORD\n\tone {color=\"red\"}"),
        (
            V2,
            "<callout icon=\"🎯\" color=\"gray_bg\">\n<p color=\"red\">one</p>\n\nWORD\n\n<p />\n\n- x\n</callout>",
        ),
        (
            V2,
            "- a\n\n\t<quote color=\"red\">\n\ttop\n\n\t<p color=\"red\">one</p>\n\n\t- WORD\n\t</quote>",
        ),
        (V2, "<toggle color=\"red\">\na WORD\n\n<p color=\"red\">one</p>\n</toggle>"),
        (V2, "<toggle>\nt\n\n<p color=\"red\">one</p>\n\nWORD\n</toggle>"),
    ] {
        let file = filed_in(dialect, remote);
        let edited = file.replacen("WORD", "other", 1);
        for base in [None, Some((file.as_str(), remote))] {
            let result = pushed_in(dialect, base, &edited, remote);
            assert_eq!(result, remote.replacen("WORD", "other", 1), "{dialect:?}");
            let gone = pushed_in(dialect, base, &file.replacen("WORD", "", 1), remote);
            assert!(gone.contains("red"), "{gone}");
        }
    }
}

/// A block that only Notion has is never replaced together with the one around it.
#[test]
fn what_only_notion_has_inside_of_a_container_is_not_touched() {
    let v1 = "a\n<callout>\n\tb\n\t<unknown url=\"u\" alt=\"embed\"/>\n</callout>\n> q\n\t<page url=\"u\">P</page>";
    let v2 = "a\n\n<callout>\nb\n\n<embed source=\"u\">c</embed>\n</callout>\n\n<quote>\nq\n\n<page url=\"u\">P</page>\n</quote>";
    for (dialect, remote) in [(V1, v1), (V2, v2)] {
        let file = filed_in(dialect, remote);
        for edit in [file.replace("> b", "> c"), file.replace("> q", "> c")] {
            assert_ne!(edit, file);
            let plan = plan_push(dialect, Some((&md(&file), remote)), &md(&edit), remote);
            assert!(matches!(plan, Push::Impossible(_)), "{plan:?}");
        }
        // Alone on a page it takes what comes behind it, and nothing is written twice.
        let alone = remote.split_once("\n<").map(|(_, rest)| format!("<{rest}")).unwrap();
        let more = format!("{}\nmore\n", filed_in(dialect, &alone));
        assert_eq!(plan_push(dialect, None, &md(&more), &alone), Push::Append("more".to_owned()));
        // Around it all is free, and it goes with nothing.
        let without = "c\n\n> [!NOTE]\n> b\n";
        let result = pushed_in(dialect, Some((&file, remote)), without, remote);
        assert_eq!(result, remote.replacen('a', "c", 1));
    }
}

/// Where a word changes in Notion, the file's ways of writing stay, whatever the block is.
#[test]
fn a_word_changes_inside_of_any_block() {
    for document in [
        "    indented WORD\n\n    code\n",
        "- item\n\n      code WORD\n      more\n",
        "```console\nWORD\n\n",
        "```\ncode WORD\n\n```\n",
        "<p align=\"center\">\n  text WORD\n</p>\n",
        "<sub>\ntext WORD **bold**\n</sub>\n",
        "> a\n> WORD\n>\n>   - b\n>   * c\n> > deep\nlazy\n",
        "> [!NOTE]\n> a\n> WORD\n",
        "> see [the WORD page]\n> there\n\n[the WORD page]: https://a.b/c\n",
        "<details>\n<summary>More</summary>\n\ntext\nWORD\n\n* a\n\n</details>\n",
        "- > a\n  > WORD\n",
        "text <!-- note --> with a\nWORD\n<br>\n",
        "text with the [long\nname] WORD\n\n[long name]: https://a.b/c\n",
        "`a` WORD [x](https://a.b/(c)) <https://a.b/c>\n",
    ] {
        let remote = sent(document);
        let now = remote.replacen("WORD", "other", 1);
        // A name of a reference that changes is a link of its own.
        let wanted = document
            .replacen("[the WORD page]", "[the other page](https://a.b/c)", 1)
            .replacen("WORD", if document.contains("the WORD page") { "WORD" } else { "other" }, 1);
        for base in [None, Some((document, remote.as_str()))] {
            assert_eq!(pulled(base, document, &now), wanted);
        }
    }
}

#[test]
fn a_changed_word_keeps_the_way_its_block_is_written() {
    for (document, old, new) in [
        ("An __apple__ and\n_some\nmore_.\n", "apple", "grape"),
        ("An __apple__ and\n_some\nmore_.\n", "apple", "grape or two"),
        ("An __apple__ and\n_some\nmore_.\n", "some", "any"),
        ("An <b>apple</b>.\n", "apple", "grape"),
        ("$$\na\napple\n$$\n", "apple", "grape"),
        ("$$ apple $$\n", "apple", "grape"),
        ("- a\n\n  $$\n    a\n    apple\n  $$\n", "apple", "grape"),
        ("```math\na\napple\n```\n", "apple", "grape"),
        (
            "<details open>\n<summary>An apple</summary>\n\ntext\nwrapped\n\n</details>\n",
            "apple",
            "grape",
        ),
        (
            "<details open>\n<summary>An apple</summary>\n\nwith apple\n\n</details>\n",
            "apple",
            "grape",
        ),
    ] {
        let old_remote = render_remote(&md(document), V1);
        let now = old_remote.replace(old, new);
        for base in [None, Some((document, old_remote.as_str()))] {
            assert_eq!(pulled(base, document, &now), document.replace(old, new));
        }
    }
}

#[test]
fn a_block_that_is_written_anew_leaves_the_others_as_they_are() {
    let stubborn = "An __old big apple__\nhere.\n";
    let wrapped = "A _paragraph\nby_ hand, kiwi\nin it.\n";
    for document in [format!("{stubborn}\n{wrapped}"), format!("{wrapped}\n{stubborn}")] {
        let old = render_remote(&md(&document), V1);
        let now = old.replace("**old big apple**", "**old big** apple").replace("kiwi", "plum");
        let pulled = pulled(Some((&document, &old)), &document, &now);
        assert!(pulled.contains("A _paragraph\nby_ hand, plum\nin it.\n"), "{pulled}");
        assert!(pulled.contains("An **old big** apple here.\n"), "{pulled}");
    }
}

#[test]
fn blocks_come_and_go_without_their_neighbours() {
    // Local before, local after; both directions.
    for (before, after) in [
        ("a\n\nb\n", "a\n\nnew\n\nb\n"),
        ("a\n\nb\n", "a\n\nb\n\nnew\n"),
        ("a\n\nb\n", "new\n\na\n\nb\n"),
        ("a\n\nb", "a\n\nb\n\nnew"),
        ("* a\n* b\n", "* a\n* new\n* b\n"),
        ("* a\n\n* b\n", "* a\n\n* new\n\n* b\n"),
        ("* a\n* b\n", "* a\n  * new\n* b\n"),
        ("1) a\n2) b\n", "1) a\n2) b\n3) new\n"),
        ("1. a\n1. b\n", "1. a\n1. new\n1. b\n"),
        ("+ a\n\ntext\n", "+ a\n+ new\n\ntext\n"),
        ("-   a\n\n    text\n-   b\n", "-   a\n\n    text\n\n    new\n-   b\n"),
        ("| a |\n| - |\n| 1 |\n| 2 |\n\nend\n", "| a |\n| - |\n| 1 |\n| new |\n| 2 |\n\nend\n"),
        ("| a |\n| - |\n| 1 |\n\nend\n", "| a |\n| - |\n| 1 |\n| new |\n\nend\n"),
        ("a\n\n<!-- c -->\n\nb\n", "a\n\nnew\n\n<!-- c -->\n\nb\n"),
        ("", "new\n"),
        ("a\n", "a\n\n```\ncode\n\nmore\n```\n"),
        ("a\n\n---\n\nb\n", "a\n\n---\n\nnew\n\n---\n\nb\n"),
    ] {
        let (old, new) = (sent(before), sent(after));
        assert_eq!(pulled(Some((before, &old)), before, &new), after, "insert into {before:?}");
        assert_eq!(pulled(None, before, &new), after, "insert into {before:?} without base");
        assert_eq!(pulled(Some((after, &new)), after, &old), before, "remove from {after:?}");
        assert_same(after, &pushed(Some((before, &old)), after, &old));
        assert_same(before, &pushed(Some((after, &new)), before, &new));
        assert_same(after, &pushed(None, after, &old));
    }
}

#[test]
fn opaque_blocks_are_never_touched() {
    let base = "a\n\nb\n\n- c\n  - d\n";
    let remote = "<unknown url=\"1\" alt=\"embed\"/>\na\n<table_of_contents/>\nb\n- c\n\t<unknown url=\"2\" alt=\"bookmark\"/>\n\t- d";
    for local in [
        "x\n\nb\n\n- c\n  - d\n",
        "a\n",
        "b\n\na\n",
        "",
        "new\n\na\n\nb\n\nnew\n\n- c\n  - x\n\nnew\n",
    ] {
        for base in [Some((base, remote)), None] {
            let after = pushed(base, local, remote);
            for opaque in [
                "<unknown url=\"1\" alt=\"embed\"/>",
                "<table_of_contents/>",
                "<unknown url=\"2\" alt=\"bookmark\"/>",
            ] {
                assert_eq!(after.matches(opaque).count(), 1, "{after}");
            }
            assert_eq!(pushed(Some((local, &after)), local, &after), after, "second plan");
        }
    }
}

#[test]
fn deleting_the_marker_of_an_opaque_block_does_nothing() {
    let remote = "a\n<unknown url=\"1\" alt=\"embed\"/>\nb";
    let local = filed(remote);
    assert_eq!(local, "a\n\n<!-- notion: embed -->\n\nb\n");
    for base in [Some((local.as_str(), remote)), None] {
        assert_eq!(pushed(base, "a\n\nb\n", remote), remote);
    }
}

#[test]
fn what_is_only_in_the_file_stays() {
    let local = "---\ntitle: x\n---\n\n<!-- top -->\n\na[^1]\n\n<!-- mid -->\n\nb\n\n[^1]: note\n\n[r]: https://a.b\n";
    let excluded = 0..17;
    let local = Local {
        text: local,
        excluded: std::slice::from_ref(&excluded),
        format: Format::Markdown,
        links: None,
    };
    let remote = render_remote(&local, V1);
    assert_eq!(remote, "a\\[\\^1\\]\nb");
    let edits = plan_pull(V1, Some((&local, &remote)), &local, "c");
    assert_eq!(
        apply_edits(local.text, &edits),
        "---\ntitle: x\n---\n\n<!-- top -->\n\nc\n\n<!-- mid -->\n\n[^1]: note\n\n[r]: https://a.b\n"
    );
}

/// Rule 3: the agreed pair need not be canonically equal.
#[test]
fn only_what_changed_since_the_base_travels() {
    let local = "one\n\ntwo\n\nthree\n\nfour\n";
    // Notion answered with something that we would never have sent.
    let remote = "ONE!\ntwo\nthree four";
    assert_eq!(
        pushed(Some((local, remote)), "one\n\n2\n\nthree\n\nfour\n", remote),
        "ONE!\n2\nthree four"
    );
    assert_eq!(
        pulled(Some((local, remote)), local, "ONE!\n2\nthree four"),
        "one\n\n2\n\nthree\n\nfour\n"
    );
    assert_eq!(pushed(Some((local, remote)), local, remote), remote);
    assert_eq!(pulled(Some((local, remote)), local, remote), local);
}

#[test]
fn attributes_that_only_notion_has_stay() {
    let remote = "# H {color=\"red\"}\ntext {color=\"blue\"}\n<callout icon=\"🔥\" color=\"gray_bg\">\n\tin\n</callout>";
    let local = filed(remote);
    let changed = local.replace("text", "words").replace("> in", "> out").replace("# H", "# I");
    assert_eq!(
        pushed(Some((&local, remote)), &changed, remote),
        "# I {color=\"red\"}\nwords {color=\"blue\"}\n<callout icon=\"🔥\" color=\"gray_bg\">\n\tout\n</callout>"
    );
}

#[test]
fn equations_inside_of_text_stay_equations() {
    let remote = "let $x_1^2$ be \\$5";
    let local = filed(remote);
    assert_eq!(local, "let $x_1^2$ be $5\n");
    assert_eq!(
        pushed(Some((&local, remote)), &local.replace("be", "become"), remote),
        "let $x_1^2$ become \\$5"
    );
}

#[test]
fn hunks_grow_until_they_are_unique() {
    let remote = "same\nsame\nsame";
    let base = "same\n\nsame\n\nsame\n";
    for local in [
        "same\n\nother\n\nsame\n",
        "same\n\nsame\n",
        "same\n\nsame\n\nsame\n\nsame\n",
        "x\n\nsame\n\ny\n",
    ] {
        assert_same(local, &pushed(Some((base, remote)), local, remote));
    }
    let opaque = "<unknown url=\"u\" alt=\"x\"/>";
    let fenced_in = format!("a\n{opaque}\nsame\n{opaque}\nsame\n{opaque}\nb");
    let base = "a\n\nsame\n\nsame\n\nb\n";
    let plan =
        plan_push(V1, Some((&md(base), &fenced_in)), &md("a\n\nother\n\nsame\n\nb\n"), &fenced_in);
    assert!(matches!(plan, Push::Impossible(_)), "{plan:?}");
}

#[test]
fn signed_links_are_in_no_hunk() {
    let signed = "see [f](https://file.notion.so/x?X-Amz-Sig=1)";
    let remote = format!("a\n{signed}\nb");
    let local = filed(&remote);
    let changed = local.replace("a\n", "x\n").replace("b\n", "y\n");
    assert!(pushed(Some((&local, &remote)), &changed, &remote).contains(signed));
    let touched = local.replace("see", "look at");
    assert!(matches!(
        plan_push(V1, Some((&md(&local), &remote)), &md(&touched), &remote),
        Push::Impossible(_)
    ));
}

#[test]
fn an_edit_of_text_that_is_gone_is_not_written() {
    let plan = plan_push(V1, Some((&md("a\n\nb\n"), "a\nb")), &md("a\n\nx\n"), "a\nsomebody's");
    assert!(matches!(plan, Push::Impossible(_)), "{plan:?}");
    let edits = plan_pull(V1, Some((&md("a\n\nb\n"), "a\nb")), &md("a\n\nsomebody's\n"), "a\nx");
    assert_eq!(edits, []);
}

#[test]
fn yaml_edits_only_the_lines_that_differ() {
    let text = "title: A\r\nsteps:\r\n  - a\r\nstate: DONE\r\n  - b\r\n";
    let state = text.find("state").unwrap();
    let excluded = [0..10, state..state + 13];
    let local = Local { text, excluded: &excluded, format: Format::Yaml, links: None };
    let edits = plan_pull(V1, None, &local, "```yaml\nsteps:\n  - x\n  - b\n  - c\n```");
    assert_eq!(
        apply_edits(text, &edits),
        "title: A\r\nsteps:\r\n  - x\r\nstate: DONE\r\n  - b\r\n  - c\r\n"
    );
    let same = plan_pull(V1, None, &local, "```yaml\nsteps:\n  - a\n  - b\n```");
    assert_eq!(same, []);
}

#[test]
fn a_removal_of_most_blocks_is_seen() {
    let ten: String = (0..10).map(|n| format!("block number{n}\n\n")).collect();
    let four: String = (0..4).map(|n| format!("block number{n}\n\n")).collect();
    let six: String = (0..6).map(|n| format!("block number{n}\n\n")).collect();
    assert!(local_removes_more_than_half(&md(&ten), &md(&four)));
    assert!(!local_removes_more_than_half(&md(&ten), &md(&six)));
    assert!(remote_removes_more_than_half(V1, &sent(&ten), &sent(&four)));
    assert!(!remote_removes_more_than_half(V1, "", "a"));
    assert!(remote_removes_more_than_half(V1, "a", ""));
}

#[test]
fn the_first_changed_line_is_named() {
    let base = "# T\n\none\ntwo\n\n- a\n- b\n";
    for (local, line) in [
        (base, None),
        ("# T\n\none\n2\n\n- a\n- b\n", Some(4)),
        ("# T\n\none\ntwo\n\n- a\n- c\n", Some(7)),
        ("# T\n\none\ntwo\n\n- b\n", Some(6)),
        ("# T\n\nnew\n\none\ntwo\n\n- a\n- b\n", Some(3)),
        ("", Some(1)),
    ] {
        assert_eq!(first_changed_line(&md(base), &md(local)), line, "{local}");
    }
}

/// The presets' files: front matter, title and state are properties, among the body.
#[test]
fn edits_stay_out_of_excluded_ranges() {
    let text = "---\nk: v\n---\n# X-1: T\n\nintro\n\n## State\n\nDONE\n\n## Impact\n\ntext\n";
    let range = |part: &str| text.find(part).map(|at| at..at + part.len()).unwrap();
    let excluded = [range("---\nk: v\n---\n# X-1: T\n"), range("## State\n\nDONE\n")];
    let local = Local { text, excluded: &excluded, format: Format::Markdown, links: None };
    let remote = render_remote(&local, V1);
    assert_eq!(remote, "intro\n## Impact\ntext");
    for (now, wanted) in [
        ("## Impact\ntext", text.replace("intro\n\n", "")),
        ("new\nintro\n## Impact\ntext", text.replace("intro", "new\n\nintro")),
        ("intro\nnew\n## Impact\ntext", text.replace("intro", "intro\n\nnew")),
        ("intro\n## Impact\ntext\nnew", text.replace("text\n", "text\n\nnew\n")),
        ("intro", text.replace("\n## Impact\n\ntext\n", "")),
        ("", text.replace("intro\n\n", "").replace("\n## Impact\n\ntext\n", "")),
    ] {
        for base in [None, Some((&local, remote.as_str()))] {
            let edits = plan_pull(V1, base, &local, now);
            for edit in &edits {
                assert!(
                    !excluded.iter().any(|e| e.start < edit.at.end && edit.at.start < e.end),
                    "{edit:?}"
                );
            }
            let after = apply_edits(text, &edits);
            assert_eq!(after, wanted, "{now}");
        }
    }
    let empty = "# X-1: T\n";
    let title = 0..empty.len();
    let local = Local {
        text: empty,
        excluded: std::slice::from_ref(&title),
        format: Format::Markdown,
        links: None,
    };
    assert_eq!(apply_edits(empty, &plan_pull(V1, None, &local, "a\nb")), "# X-1: T\n\na\n\nb\n");
}
