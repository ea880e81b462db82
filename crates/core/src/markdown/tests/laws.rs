//! Laws over generated documents, and over a remote that writes everything in odd ways.

use proptest::prelude::*;

use super::*;

/// Words that hold what is markup somewhere.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-d]{1,3}",
        1 => prop::sample::select(vec![
            "a_b", "2*3", "$5", "<x>", "{y}", "[z]", "p|q", "#1", "1.", "-", "+", ">", "~", "\\", "`", "!", "&amp;",
            "&", "https://a.b/c_d", "é", "e\u{301}", "日本", ":x:", "^", "**", "__", "---", "[^1]", "$x$", "http",
        ]).prop_map(escaped),
    ]
}

/// A word as literal text of a file.
fn escaped(word: &str) -> String {
    if word.starts_with("http") {
        return word.to_owned();
    }
    word.chars()
        .flat_map(|c| if c.is_ascii_punctuation() { vec!['\\', c] } else { vec![c] })
        .collect()
}

fn inline() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => word(),
        1 => word().prop_map(|w| format!("**{w}**")),
        1 => word().prop_map(|w| format!("*{w}*")),
        1 => word().prop_map(|w| format!("***{w}** x*")),
        1 => word().prop_map(|w| format!("~~{w}~~")),
        1 => "[a-c`|*]{1,3}".prop_map(|w| format!("`` {w} ``")),
        1 => word().prop_map(|w| format!("[{w}](https://x.y/{})", w.len())),
        1 => word().prop_map(|w| format!("[{w}](../rel.md#x)")),
        1 => word().prop_map(|w| format!("![{w}](img/a.png)")),
        1 => word().prop_map(|w| format!("<u>{w}</u>")),
        1 => Just("<mention-page url=\"u\">P</mention-page>".to_owned()),
        1 => Just("<kbd>k</kbd>".to_owned()),
        1 => Just("**a**b".to_owned()),
    ];
    prop::collection::vec((piece, prop::sample::select(vec![" ", " ", " ", "\n", "  \n"])), 1..6)
        .prop_map(|parts| {
            let mut out = String::new();
            let last = parts.len() - 1;
            for (n, (piece, space)) in parts.into_iter().enumerate() {
                out.push_str(&piece);
                if n < last {
                    out.push_str(space);
                }
            }
            out
        })
}

fn line() -> impl Strategy<Value = String> {
    inline().prop_map(|text| text.replace("  \n", " ").replace('\n', " "))
}

fn indented(text: &str, by: &str) -> String {
    text.lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{by}{line}\n") })
        .collect()
}

fn list() -> impl Strategy<Value = String> {
    let item = (
        prop::sample::select(vec!["-", "*", "- [ ]", "- [x]", "1.", "7)"]),
        inline(),
        prop::option::of(prop_oneof![
            line().prop_map(|text| format!("\n{text}\n")),
            Just("\n```sh\nx\n\n y\n```\n".to_owned()),
            line().prop_map(|text| format!("- {text}\n")),
            (line(), line()).prop_map(|(a, b)| format!("2. {a}\n   * {b}\n")),
        ]),
    );
    prop::collection::vec(item, 1..4).prop_map(|items| {
        let first = items.first().map_or("-", |(marker, ..)| marker);
        let marker_of = |own: &'static str| {
            // One list has one kind of marker; tasks and bullets may mix.
            if first.ends_with(['.', ')']) {
                first
            } else if own.starts_with('-') {
                own
            } else {
                "-"
            }
        };
        let mut out = String::new();
        for (marker, text, child) in &items {
            let marker = marker_of(marker);
            let pad = " ".repeat(marker.find(' ').unwrap_or(marker.len()) + 1);
            let text = indented(text, &pad);
            out.push_str(&format!("{marker} {}", text.trim_start()));
            if let Some(child) = child {
                out.push_str(&indented(child, &pad));
            }
        }
        out.trim_end().to_owned()
    })
}

fn block() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => inline(),
        2 => (1..7_usize, line()).prop_map(|(n, text)| format!("{} {text}", "#".repeat(n))),
        4 => list(),
        1 => inline().prop_map(|text| indented(&text, "> ").trim_end().to_owned()),
        1 => (inline(), list()).prop_map(|(a, b)| indented(&format!("{a}\n\n{b}"), "> ").trim_end().to_owned()),
        1 => (prop::sample::select(vec!["NOTE", "TIP", "WARNING"]), inline())
            .prop_map(|(kind, text)| format!("> [!{kind}]\n{}", indented(&text, "> ").trim_end())),
        1 => (prop::sample::select(vec!["", "js", "rust", "befunge"]), prop::sample::select(vec!["x", "a\n\n\tb", "- no\n# no", "*x*"]))
            .prop_map(|(lang, code)| format!("~~~{lang}\n{code}\n~~~")),
        1 => Just("---".to_owned()),
        1 => Just("![cap](https://x.y/z.png)".to_owned()),
        1 => (line(), line(), line()).prop_map(|(a, b, c)| {
            let cell = |text: &str| text.replace('|', "\\|").replace("\\\\|", "\\|").replace('`', "");
            format!("| {} | h |\n|---|--:|\n| {} | {} |\n| x | y |", cell(&a), cell(&b), cell(&c))
        }),
        1 => (word(), inline()).prop_map(|(title, text)| {
            let title: String = title.chars().filter(|c| c.is_alphanumeric()).collect();
            format!("<details>\n<summary>t{title}</summary>\n\n{text}\n\n</details>")
        }),
        1 => Just("<!-- only here -->".to_owned()),
        1 => Just("$$\nx^2\n$$".to_owned()),
    ]
}

fn document() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(block(), 0..8)
}

fn text_of(blocks: &[String]) -> String {
    let mut out = blocks.join("\n\n");
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// An edit of a list of blocks.
#[derive(Clone, Debug)]
enum Change {
    Insert(usize, String),
    Remove(usize),
    Replace(usize, String),
    Word(usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        (0..9_usize, block()).prop_map(|(at, block)| Change::Insert(at, block)),
        (0..9_usize).prop_map(Change::Remove),
        (0..9_usize, block()).prop_map(|(at, block)| Change::Replace(at, block)),
        (0..9_usize).prop_map(Change::Word),
    ];
    prop::collection::vec(change, 1..4)
}

fn changed(blocks: &[String], changes: &[Change]) -> Vec<String> {
    let mut out = blocks.to_vec();
    for change in changes {
        match change {
            Change::Insert(at, block) => out.insert((*at).min(out.len()), block.clone()),
            Change::Remove(at) if *at < out.len() => drop(out.remove(*at)),
            Change::Replace(at, block) if *at < out.len() => out[*at] = block.clone(),
            Change::Word(at) if *at < out.len() => out[*at] = out[*at].replacen('a', "edited", 1),
            _ => {}
        }
    }
    out
}

fn dialect() -> impl Strategy<Value = Dialect> {
    prop::sample::select(vec![V1, V2, MD])
}

/// Writes a body in ways that Notion may choose, and that mean the same.
fn oddly_in(dialect: Dialect, remote: &str) -> String {
    match dialect {
        V1 => oddly(remote),
        V2 => oddly_v2(remote),
        MD => format!("{remote}\n<!-- only there -->\n"),
    }
}

/// Other markers, tags with attributes, and blank lines.
fn oddly_v2(remote: &str) -> String {
    let mut out = String::new();
    let mut fence = false;
    for (n, line) in remote.lines().enumerate() {
        let body = line.trim_start_matches('\t');
        let ticks = body.starts_with("```");
        let tabs = &line[..line.len() - body.len()];
        if fence || ticks {
            out.push_str(line);
            fence ^= ticks;
        } else {
            out.push_str(tabs);
            match body {
                b if b.starts_with("- ") && !b.starts_with("- [") => {
                    out.push_str(&format!("* {}", &b[2..]))
                }
                b if b.starts_with("1. ") && !b.ends_with('\\') => {
                    out.push_str(&format!("1) {}", &b[3..]))
                }
                b if b.starts_with("# ") => {
                    out.push_str(&format!("<h1 color=\"red\">\n{}\n</h1>", b[2..].trim_start()))
                }
                "---" => out.push_str("---\n\n<p />"),
                b => out.push_str(b),
            }
            if n % 3 == 0 && body.is_empty() {
                out.push('\n');
            }
        }
        out.push('\n');
    }
    out.trim_end().to_owned()
}

/// Writes v1 in ways that Notion may choose, and that mean the same.
fn oddly(remote: &str) -> String {
    let mut out = String::new();
    let mut fence = false;
    for (n, line) in remote.lines().enumerate() {
        let body = line.trim_start_matches('\t');
        let ticks = body.starts_with("```");
        let tabs = &line[..line.len() - body.len()];
        if fence || ticks {
            out.push_str(line);
            fence ^= ticks;
        } else {
            out.push_str(tabs);
            match body {
                b if b.starts_with("- ") && !b.starts_with("- [") => {
                    out.push_str(&format!("* {}", &b[2..]))
                }
                b if b.starts_with("1. ") => out.push_str(&format!("{}. {}", n + 1, &b[3..])),
                "<tr>" => out.push_str("<tr color=\"red\">"),
                b if b.starts_with("<td>") => out.push_str(&format!("\t\t{b}")),
                b if b.starts_with("# ") => out.push_str(&format!("{b} {{color=\"red\"}}")),
                "---" => out.push_str("---\n<empty-block/>"),
                b => out.push_str(b),
            }
            if n % 3 == 0 && !tabs.starts_with('\t') {
                out.push('\n');
            }
        }
        out.push('\n');
    }
    out.trim_end().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_renderings_keep_the_content(dialect in dialect(), blocks in document()) {
        let local = text_of(&blocks);
        let remote = sent_in(dialect, &local);
        assert_same_in(dialect, &local, &remote);
        assert_same_in(dialect, &filed_in(dialect, &remote), &remote);
        assert_same_in(dialect, &local, &oddly_in(dialect, &remote));
        prop_assert_eq!(sent_in(dialect, &filed_in(dialect, &remote)), remote.as_str());
        // The canonical form is one for both grammars.
        let other = if dialect == V1 { V2 } else { V1 };
        prop_assert_eq!(remote_digest(other, &sent_in(other, &local)), remote_digest(dialect, &remote));
        if dialect != MD {
            prop_assert_eq!(filed_in(other, &sent_in(other, &local)), filed_in(dialect, &remote));
        }
    }

    #[test]
    fn a_push_brings_the_content_and_no_more(dialect in dialect(), blocks in document(), edits in changes(), odd in any::<bool>(), with_base in any::<bool>()) {
        let before = text_of(&blocks);
        let after = text_of(&changed(&blocks, &edits));
        let remote = if odd { oddly_in(dialect, &sent_in(dialect, &before)) } else { sent_in(dialect, &before) };
        let base = with_base.then_some((before.as_str(), remote.as_str()));
        let result = pushed_in(dialect, base, &after, &remote);
        assert_same_in(dialect, &after, &result);
        prop_assert_eq!(pushed_in(dialect, Some((&after, &result)), &after, &result), result.clone());
        prop_assert_eq!(pushed_in(dialect, None, &after, &result), result);
    }

    #[test]
    fn a_pull_brings_the_content_and_no_more(dialect in dialect(), blocks in document(), edits in changes(), odd in any::<bool>(), with_base in any::<bool>(), crlf in any::<bool>()) {
        let mut before = text_of(&blocks);
        if crlf {
            before = before.replace('\n', "\r\n");
        }
        let old = sent_in(dialect, &before);
        let mut new = sent_in(dialect, &text_of(&changed(&blocks, &edits)));
        if odd {
            new = oddly_in(dialect, &new);
        }
        let base = with_base.then_some((before.as_str(), old.as_str()));
        let result = pulled_in(dialect, base, &before, &new);
        assert_same_in(dialect, &result, &new);
        if before.contains("\r\n") {
            prop_assert!(!result.replace("\r\n", "").contains('\n'));
        }
        prop_assert_eq!(pulled_in(dialect, Some((&result, &new)), &result, &new), result.clone());
        prop_assert_eq!(pulled_in(dialect, None, &result, &new), result.clone());
        // A store of Markdown has the comments as well.
        if dialect != MD {
            prop_assert_eq!(result.matches("<!-- only here -->").count(), before.matches("<!-- only here -->").count());
        }
    }

    #[test]
    fn a_pair_that_is_not_equal_is_left_alone(dialect in dialect(), a in document(), b in document(), edits in changes()) {
        let (local, remote) = (text_of(&a), sent_in(dialect, &text_of(&b)));
        prop_assert_eq!(pushed_in(dialect, Some((&local, &remote)), &local, &remote), remote.clone());
        prop_assert_eq!(pulled_in(dialect, Some((&local, &remote)), &local, &remote), local.clone());
        // Nothing panics where only one of both changes.
        let changed = text_of(&changed(&a, &edits));
        let _ = plan_push(dialect, Some((&md(&local), &remote)), &md(&changed), &remote);
        let _ = plan_pull(dialect, Some((&md(&local), &remote)), &md(&local), &sent_in(dialect, &changed));
    }

    #[test]
    fn no_input_panics(dialect in dialect(), text in "([#>*+`~|\\[\\](){}<>!$ \\t\\n\\\\a-c1.-]|<details>|</details>|<summary>|<table>|<quote>|</quote>|<p>|</p>|<ul>|<li>|</ul>|<toggle>|<tr>|<td>|</td>|</tr>|</table>|<!--|-->|```|\\$\\$|é|\r\n){0,60}", other in "([#>*`|\\[\\]()<>! \\t\\na-c1.-]|```|<callout>|</callout>){0,40}") {
        let _ = (sent_in(dialect, &text), filed_in(dialect, &text), local_digest(&md(&text)), remote_digest(dialect, &text));
        let _ = plan_push(dialect, Some((&md(&other), &text)), &md(&text), &text);
        let _ = plan_push(dialect, None, &md(&other), &text);
        let _ = plan_pull(dialect, Some((&md(&text), &other)), &md(&text), &text);
        let _ = apply_edits(&other, &plan_pull(dialect, None, &md(&other), &text));
        let _ = first_changed_line(&md(&text), &md(&other));
    }
}
