//! Merges of whole bodies: cases that people meet, and laws over one base that was edited twice.

use proptest::prelude::*;

use super::super::*;

const V1: Dialect = Dialect::NotionV1;

fn md(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown }
}

/// What a merge leaves behind.
#[derive(Debug, PartialEq)]
struct After {
    local: String,
    remote: String,
    open: Vec<(String, String, String, usize)>,
    whole: bool,
    local_base: String,
    remote_base: String,
}

struct Case<'a> {
    base: (&'a str, &'a str),
    local: &'a str,
    remote: &'a str,
}

impl Case<'_> {
    fn run(&self, push: bool, pull: bool, choice: Choice) -> Option<After> {
        let (base, local) = (md(self.base.0), md(self.local));
        let sides = Sides {
            dialect: V1,
            base: (&base, self.base.1),
            agreed: &[],
            local: &local,
            remote: self.remote,
            push,
            pull,
        };
        let merged = merge(&sides, &|_| choice)?;
        let after = apply_edits(self.local, &merged.pull);
        let remote = match &merged.push {
            Push::Nothing => self.remote.to_owned(),
            Push::Append(text) => text.clone(),
            Push::Edit(hunks) => {
                for hunk in hunks {
                    assert_eq!(self.remote.matches(&hunk.old).count(), 1, "{hunk:?}");
                }
                apply_hunks(self.remote, hunks)
            }
            Push::Impossible(reason) => panic!("{reason}"),
        };
        Some(After {
            local_base: merged.local_base(&md(&after)).expect("a base of the file"),
            remote_base: merged.remote_base(V1, &remote).expect("a base of the page"),
            whole: merged.is_whole(),
            open: merged
                .clashes
                .iter()
                .filter(|(_, choice)| *choice == Choice::Open)
                .map(|(c, _)| (c.base.clone(), c.local.clone(), c.remote.clone(), c.line))
                .collect(),
            local: after,
            remote,
        })
    }
}

fn sent(text: &str) -> String {
    render_remote(&md(text), V1)
}

/// Merges a file that was edited here and there, and checks what must hold of every merge.
fn both(base: &str, local: &str, remote: &str) -> After {
    let (base_remote, remote) = (sent(base), sent(remote));
    let case = Case { base: (base, &base_remote), local, remote: &remote };
    let after = case.run(true, true, Choice::Open).expect("a merge");
    check(&case, &after);
    after
}

fn digests(local: &str, remote: &str) -> (String, String) {
    (local_digest(&md(local)), remote_digest(V1, remote))
}

fn check(case: &Case<'_>, after: &After) {
    assert_eq!(after.whole, after.open.is_empty());
    if after.whole {
        let (local, remote) = digests(&after.local, &after.remote);
        assert_eq!(local, remote, "{after:#?}");
    }
    // The bases that are stored differ from the sides only where the clashes are, and the next run finds just these.
    let (local, remote) = digests(&after.local_base, &after.remote_base);
    assert_eq!(local, remote, "{after:#?}");
    let again = Case {
        base: (&after.local_base, &after.remote_base),
        local: &after.local,
        remote: &after.remote,
    }
    .run(true, true, Choice::Open)
    .expect("a merge");
    assert_eq!((&again.local, &again.remote), (&after.local, &after.remote));
    let shown = |after: &After| -> Vec<_> {
        after.open.iter().map(|(_, local, remote, _)| (local.clone(), remote.clone())).collect()
    };
    assert_eq!(shown(&again), shown(after));
    assert_eq!(
        digests(&again.local_base, &again.remote_base),
        digests(&after.local_base, &after.remote_base)
    );
    // A run that died after the backend was written: the rest follows from the old bases. Where it cannot be seen any
    // more who did what, it asks; it never writes anything else.
    if let Some(crashed) = (Case { remote: &after.remote, ..*case }).run(true, true, Choice::Open)
        && shown(&crashed) == shown(after)
    {
        // A new block may stand on the other side of one that clashes.
        assert_eq!(words(&crashed.local), words(&after.local));
        assert_eq!(words(&crashed.remote), words(&after.remote));
    }
    // One direction after the other comes to the same.
    let pushed = case.run(true, false, Choice::Open).expect("a merge");
    assert_eq!(pushed.local, case.local);
    let then = Case {
        base: (&pushed.local_base, &pushed.remote_base),
        local: &pushed.local,
        remote: &pushed.remote,
    };
    if let Some(pulled) = then.run(true, true, Choice::Open)
        && shown(&pulled) == shown(after)
    {
        assert_eq!(words(&pulled.local), words(&after.local));
        assert_eq!(words(&pulled.remote), words(&after.remote));
    }
}

fn words(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    words
}

#[test]
fn different_paragraphs_merge() {
    let base = "one\n\ntwo\n\nthree\n";
    let after = both(base, "ONE\n\ntwo\n\nthree\n", "one\n\ntwo\n\nTHREE\n");
    assert_eq!(after.local, "ONE\n\ntwo\n\nTHREE\n");
    assert!(after.whole);
}

#[test]
fn a_deletion_beside_an_edit_merges() {
    let base = "one\n\ntwo\n\nthree\n";
    let after = both(base, "one\n\nthree\n", "one\n\ntwo\n\nthree and more\n");
    assert_eq!(after.local, "one\n\nthree and more\n");
    assert!(after.whole);
}

#[test]
fn items_merge_and_so_do_rows() {
    let base = "- apples are red\n- pears are green\n- plums are blue\n";
    let after = both(
        base,
        "- apples are yellow\n- pears are green\n- plums are blue\n",
        "- apples are red\n- pears are green\n- plums are purple\n- figs\n",
    );
    assert_eq!(after.local, "- apples are yellow\n- pears are green\n- plums are purple\n- figs\n");
    let base = "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n";
    let after = both(
        base,
        "| a | b |\n|---|---|\n| 1 | x |\n| 3 | 4 |\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n| y | 4 |\n| 5 | 6 |\n",
    );
    assert_eq!(after.local, "| a | b |\n|---|---|\n| 1 | x |\n| y | 4 |\n| 5 | 6 |\n");
}

#[test]
fn distant_words_of_one_paragraph_merge() {
    let base = "The keys are rotated every\nyear by the platform team on call.\n";
    let after = both(
        base,
        "The certificates are rotated every\nyear by the platform team on call.\n",
        "The keys are rotated every year by the security team on call.\n",
    );
    assert_eq!(
        after.local,
        "The certificates are rotated every\nyear by the security team on call.\n"
    );
    assert!(after.whole);
}

#[test]
fn a_clash_is_of_its_block_alone() {
    let base = "# H\n\nfirst words\n\nsecond words\n\nthird words\n";
    let after = both(
        base,
        "# H\n\nfirst words here\n\nsecond local\n\nthird words\n",
        "# H\n\nfirst words\n\nsecond remote\n\nthird words there\n",
    );
    assert_eq!(after.local, "# H\n\nfirst words here\n\nsecond local\n\nthird words there\n");
    assert_eq!(after.remote, "# H\nfirst words here\nsecond remote\nthird words there");
    let clash =
        ("second words".to_owned(), "second local".to_owned(), "second remote".to_owned(), 5);
    assert_eq!(after.open, [clash]);
    assert_eq!(after.local_base, "# H\n\nfirst words here\n\nsecond words\n\nthird words there\n");
}

#[test]
fn a_choice_settles_a_clash() {
    let base = "one\n\ntwo words\n\nthree\n";
    let (local, remote) = ("one\n\ntwo local\n\nthree\n", sent("one\n\ntwo remote\n\nthree\n"));
    let base_remote = sent(base);
    let case = Case { base: (base, &base_remote), local, remote: &remote };
    let ours = case.run(true, true, Choice::Local).expect("a merge");
    assert_eq!((ours.local.as_str(), ours.remote), (local, sent(local)));
    let theirs = case.run(true, true, Choice::Remote).expect("a merge");
    assert_eq!(theirs.local, "one\n\ntwo remote\n\nthree\n");
    assert_eq!(theirs.remote, remote);
    let kept = case.run(true, true, Choice::Both).expect("a merge");
    assert_eq!((kept.local.as_str(), &kept.remote, kept.whole), (local, &remote, true));
    // A choice needs its direction.
    let waits = case.run(false, true, Choice::Local).expect("a merge");
    assert_eq!((waits.remote, waits.whole), (remote.clone(), false));
}

#[test]
fn deleted_here_and_edited_there_is_a_clash() {
    let after = both("one\n\ntwo\n\nthree\n", "one\n\nthree\n", "one\n\ntwo more\n\nthree\n");
    assert_eq!(after.open, [("two".into(), String::new(), "two more".into(), 3)]);
    assert_eq!(after.local, "one\n\nthree\n");
}

#[test]
fn additions_at_one_place_are_both_kept() {
    let after = both("one\n", "one\n\nlocal text\n", "one\n\nremote words\n");
    assert_eq!(after.local, "one\n\nlocal text\n\nremote words\n");
    // The same addition is there once.
    let after = both("one\n", "one\n\nnew\n", "one\n\nnew\n\nmore\n");
    assert_eq!(after.local, "one\n\nnew\n\nmore\n");
    // Versions of one addition clash.
    let after = both("one\n", "one\n\na b c d e\n", "one\n\na b c d f\n");
    assert_eq!(after.open.len(), 1);
    assert_eq!(after.local, "one\n\na b c d e\n");
}

#[test]
fn a_list_that_grows_comes_before_a_block_behind_it() {
    let after = both("- one\n", "- one\n\nA paragraph.\n", "- one\n  - below\n");
    assert_eq!(after.remote, "- one\n\t- below\nA paragraph.");
    assert!(after.whole);
}

#[test]
fn an_item_removed_above_an_edit_clashes_with_it() {
    let base = "- top\n  - inner text\n- last\n";
    let after = both(base, "- last\n", "- top\n  - inner text changed\n- last\n");
    assert_eq!(after.open.len(), 1);
    assert_eq!(after.local, "- last\n");
    assert_eq!(after.remote, "- top\n\t- inner text changed\n- last");
    let after = both(base, "- last\n", "- top\n  - inner text\n  - new one\n- last\n");
    assert_eq!(after.open.len(), 1);
    assert_eq!(after.remote, "- top\n\t- inner text\n\t- new one\n- last");
}

#[test]
fn a_table_with_other_columns_clashes_with_an_edited_row() {
    let base = "x\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\ny\n";
    let after = both(
        base,
        "x\n\n| a | b | c |\n|---|---|---|\n| 1 | 2 | 0 |\n| 3 | 4 | 0 |\n\ny\n",
        "x\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 5 |\n\ny here\n",
    );
    assert_eq!(after.open.len(), 1);
    assert!(after.local.ends_with("\n\ny here\n"));
}

#[test]
fn the_same_move_on_both_sides_is_no_clash() {
    let base = "alpha words\n\nbeta words\n\ngamma words\n";
    let moved = "beta words\n\ngamma words\n\nalpha words\n";
    let after = both(base, &format!("{moved}\nend\n"), moved);
    assert_eq!(after.local, "beta words\n\ngamma words\n\nalpha words\n\nend\n");
    assert!(after.whole);
}

#[test]
fn what_only_notion_has_stays_in_its_place() {
    let base_remote = "one\n<unknown url=\"https://n/1\" alt=\"bookmark\"/>\ntwo\nthree";
    let remote = base_remote.replace("three", "three more");
    let base = "one\n\n<!-- notion: bookmark -->\n\ntwo\n\nthree\n";
    let local = "one here\n\n<!-- notion: bookmark -->\n\ntwo\n\nthree\n";
    let case = Case { base: (base, base_remote), local, remote: &remote };
    let after = case.run(true, true, Choice::Open).expect("a merge");
    assert_eq!(
        after.remote,
        "one here\n<unknown url=\"https://n/1\" alt=\"bookmark\"/>\ntwo\nthree more"
    );
    assert_eq!(after.local, "one here\n\n<!-- notion: bookmark -->\n\ntwo\n\nthree more\n");
}

#[test]
fn a_pair_that_was_agreed_in_different_forms_is_equal() {
    // The backend made `--` a dash when our text was written there.
    let base = ("a\n\nb\n", "a\nb");
    let (local, remote) = ("a -- x\n\nb\n", "a – x\nb more");
    let proposed = [(md("a -- x\n\nb\n"), "a – x\nb")];
    let (base_local, now) = (md(base.0), md(local));
    let sides = Sides {
        dialect: V1,
        base: (&base_local, base.1),
        agreed: &proposed,
        local: &now,
        remote,
        push: true,
        pull: true,
    };
    let merged = merge(&sides, &|_| Choice::Open).expect("a merge");
    assert!(merged.clashes.is_empty());
    assert_eq!(merged.push, Push::Nothing);
    assert_eq!(apply_edits(local, &merged.pull), "a -- x\n\nb more\n");
}

/// A block with words that are its own, so that none can be lost unseen.
fn block() -> impl Strategy<Value = String> {
    let words = prop::collection::vec("[a-z]{2,4}", 1..7).prop_map(|words| words.join(" "));
    (words, 0..9_u8).prop_map(|(words, form)| match form {
        0 => format!("## {words}"),
        1 => format!("- {words}"),
        2 => format!("- {words}\n  - sub {words}"),
        3 => format!("> {words}"),
        4 => format!("```shell\n{words}\n```"),
        5 => format!("| {words} | b |\n|---|---|\n| 1 | 2 |\n| c {words} | d |"),
        6 => format!("1. {words}\n2. second {words}"),
        _ => words,
    })
}

/// Puts a word into the last text of a block, where one can stand.
fn put_word(block: &mut String, word: &str) {
    let last = block.char_indices().rev().find(|(_, c)| c.is_ascii_lowercase());
    block.insert_str(last.map_or(0, |(at, c)| at + c.len_utf8()), &format!(" {word}"));
}

/// Blocks that are all different: of two equal ones nobody can say which one a person meant.
fn document() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(block(), 1..7).prop_map(|mut blocks| {
        for (block, letter) in blocks.iter_mut().zip('a'..) {
            put_word(block, &format!("base{letter}"));
        }
        blocks
    })
}

/// What a person does to a document.
#[derive(Clone, Debug)]
enum Act {
    /// Appends a token to a line.
    Word(prop::sample::Index),
    Remove(prop::sample::Index),
    Add(prop::sample::Index, String),
}

fn act() -> impl Strategy<Value = Act> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => index().prop_map(Act::Word),
        1 => index().prop_map(Act::Remove),
        2 => (index(), block()).prop_map(|(at, text)| Act::Add(at, text)),
    ]
}

/// The blocks after the acts, and the tokens that they brought.
fn edited(blocks: &[String], acts: &[Act], side: char) -> (Vec<String>, Vec<String>) {
    let mut out = blocks.to_vec();
    let mut tokens = Vec::new();
    for (n, act) in acts.iter().enumerate() {
        let token = format!("{side}{}tok", char::from(b'a' + u8::try_from(n).unwrap_or(0)));
        match act {
            Act::Word(at) if !out.is_empty() => {
                let at = at.index(out.len());
                if let Some(block) = out.get_mut(at) {
                    put_word(block, &token);
                    tokens.push(token);
                }
            }
            Act::Remove(at) if !out.is_empty() => {
                let gone = out.remove(at.index(out.len()));
                tokens.retain(|token| !gone.contains(token.as_str()));
            }
            Act::Add(at, text) => {
                let at = at.index(out.len() + 1);
                out.insert(at, text.replacen(' ', &format!(" {token} "), 1));
                if out.get(at).is_some_and(|text| text.contains(&token)) {
                    tokens.push(token);
                }
            }
            _ => {}
        }
    }
    (out, tokens)
}

fn file(blocks: &[String]) -> String {
    blocks.iter().map(|block| format!("{block}\n")).collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Every token of every edit is on both sides, or in an open clash; and all that [`check`] says.
    #[test]
    fn nothing_is_lost(
        base in document(),
        mine in prop::collection::vec(act(), 1..5),
        theirs in prop::collection::vec(act(), 1..5),
    ) {
        let (local, local_tokens) = edited(&base, &mine, 'l');
        let (remote, remote_tokens) = edited(&base, &theirs, 'r');
        let (base, local, remote) = (file(&base), file(&local), file(&remote));
        let (base_remote, remote) = (sent(&base), sent(&remote));
        let case = Case { base: (&base, &base_remote), local: &local, remote: &remote };
        let Some(after) = case.run(true, true, Choice::Open) else { return Ok(()) };
        check(&case, &after);
        // The same from a run that died between the two sides.
        let crashed = Case { remote: &after.remote, ..case }.run(true, true, Choice::Open);
        for after in [Some(after), crashed].into_iter().flatten() {
            let held = |token: &String| {
                let clash = |(_, a, b, _): &(String, String, String, usize)| {
                    a.contains(token.as_str()) || b.contains(token.as_str())
                };
                let both =
                    after.local.contains(token.as_str()) && after.remote.contains(token.as_str());
                both || after.open.iter().any(clash)
            };
            for token in local_tokens.iter().chain(&remote_tokens) {
                prop_assert!(held(token), "{token} lost:\n{after:#?}");
            }
        }
    }

    /// merge(b, b, t) = t, merge(b, o, b) = o, merge(b, o, o) = o.
    #[test]
    fn a_single_change_is_taken_as_it_is(
        base in document(),
        acts in prop::collection::vec(act(), 0..5),
    ) {
        let (new, _) = edited(&base, &acts, 'x');
        let (base, new) = (file(&base), file(&new));
        for (local, remote) in [(&base, &new), (&new, &base), (&new, &new)] {
            let (base_remote, remote) = (sent(&base), sent(remote));
            let case = Case { base: (&base, &base_remote), local, remote: &remote };
            let after = case.run(true, true, Choice::Open).expect("a merge");
            prop_assert!(after.whole);
            let wanted = remote_digest(V1, &sent(&new));
            prop_assert_eq!(local_digest(&md(&after.local)), wanted.clone());
            prop_assert_eq!(remote_digest(V1, &after.remote), wanted);
        }
    }
}

#[test]
fn a_unit_is_no_change_here_and_an_addition_there() {
    let after = both(
        "- aa\n  - sub aa one\n\n## aa two\n",
        "- new ab ab ab\n  - sub ab ab ab\n\n## aa two\n",
        "## top aa\n\n- aa\n  - sub aa one more\n\n## aa two\n",
    );
    assert_eq!(after.open.len(), 1);
    let table = "| x aa | b |\n|---|---|\n| 1 | 2 |\n| c aa | d y |\n";
    let after = both(
        &format!("## one\n\n{table}"),
        "## one\n",
        &format!("## top\n\n{}\n## one\n\n{table}", table.replace('x', "z").replace('y', "w")),
    );
    assert!(after.whole);
    assert!(!after.local.contains("| x aa |"), "{}", after.local);
}

#[test]
fn rows_that_look_alike_do_not_tie_tables_together() {
    let table = |head: &str, last: &str| {
        format!("| {head} | b |\n|---|---|\n| 1 | 2 |\n| c aa | {last} |\n")
    };
    let (old, mine, theirs) =
        (table("aa", "d old"), table("mine aa", "d"), table("theirs aa", "d"));
    let after = both(
        &format!("## one\n\n## two\n\n{old}"),
        &format!("## one\n\n## two\n\n{mine}\n{old}"),
        &format!("{theirs}\n## one\n\n## two\n"),
    );
    assert!(after.whole);
    assert!(!after.local.contains("d old"), "{}", after.local);
}
