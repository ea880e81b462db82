//! Answers to writes: nobody's edit may get into the base (rules 2, 3 and 16).

use proptest::prelude::*;

use super::*;

/// Hunks for a change of the file.
fn hunks(before: &str, after: &str) -> (String, Vec<Hunk>) {
    let remote = sent(before);
    match plan_push(V1, Some((&md(before), &remote)), &md(after), &remote) {
        Push::Edit(hunks) => (remote, hunks),
        other => panic!("{other:?}"),
    }
}

/// Rule 2: as the backend does it, one after the other, each only where its text is there once.
fn served(text: &str, hunks: &[Hunk]) -> (String, Vec<bool>) {
    let (out, applied) = replaced(text, hunks);
    (out.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n"), applied)
}

/// The text with those hunks replaced that fit.
fn replaced(text: &str, hunks: &[Hunk]) -> (String, Vec<bool>) {
    let mut out = text.to_owned();
    let mut applied = Vec::new();
    for hunk in hunks {
        let fits = out.matches(&hunk.old).count() == 1;
        if fits {
            out = out.replacen(&hunk.old, &hunk.new, 1);
        }
        applied.push(fits);
    }
    (out, applied)
}

const BEFORE: &str = "one\n\ntwo\n\n- three\n- four\n\nfive\n";
const AFTER: &str = "one\n\nzwei\n\n- three\n- four\n- new\n\nfive\n";

#[test]
fn a_quiet_answer_is_the_base() {
    let (remote, hunks) = hunks(BEFORE, AFTER);
    let (now, _) = served(&remote, &hunks);
    let answer = read_answer(V1, &remote, &hunks, &now);
    assert_eq!(answer, Answer { base: now, applied: vec![true, true], unexpected: false });
}

#[test]
fn rule_2_a_skipped_hunk_is_not_applied() {
    let (remote, hunks) = hunks(BEFORE, AFTER);
    let (now, _) = served(&remote, &hunks[1..]);
    let answer = read_answer(V1, &remote, &hunks, &now);
    assert_eq!(answer, Answer { base: now, applied: vec![false, true], unexpected: false });
    let none = read_answer(V1, &remote, &hunks, &remote);
    assert_eq!(none, Answer { base: remote, applied: vec![false, false], unexpected: false });
}

#[test]
fn rule_3_the_base_holds_what_the_backend_made_of_ours() {
    let (remote, hunks) = hunks("a\n\nb\n\nc\n", "a\n\nsome new, words\n\nc\n");
    let now = "a\n- some **new** words\nc";
    let answer = read_answer(V1, &remote, &hunks, now);
    assert_eq!(answer, Answer { base: now.to_owned(), applied: vec![true], unexpected: false });
}

#[test]
fn rule_3_an_edit_of_another_block_keeps_its_old_base() {
    let (remote, hunks) = hunks(BEFORE, AFTER);
    for (old, new) in
        [("five", "fünf"), ("one", "eins"), ("one\n", ""), ("\nfive", ""), ("five", "five\nsix")]
    {
        let (now, applied) = served(&remote.replace(old, new), &hunks);
        assert_eq!(applied, [true, true]);
        let answer = read_answer(V1, &remote, &hunks, &now);
        assert_eq!(answer.base, served(&remote, &hunks).0, "{old:?} to {new:?}");
        assert!(answer.unexpected, "{old:?} to {new:?}");
        assert_eq!(answer.applied, [true, true]);
    }
}

#[test]
fn rule_3_an_insertion_beside_our_hunk_is_not_ours() {
    let (remote, hunks) = hunks("a\n\nb\n\nc\n", "a\n\nnew\n\nc\n");
    for now in [
        "a\nhers\nnew\nc",
        "a\nnew\nhers\nc",
        "hers\na\nnew\nc",
        "a\nnew\nc\nhers",
        "a\n- hers\nnew\n---\nc",
    ] {
        let answer = read_answer(V1, &remote, &hunks, now);
        assert_eq!(
            answer,
            Answer { base: "a\nnew\nc".to_owned(), applied: vec![true], unexpected: true },
            "{now}"
        );
    }
}

#[test]
fn rule_3_what_cannot_be_told_apart_is_not_ours() {
    let (remote, hunks) = hunks("a\n\nb\n\nc\n", "a\n\nnew\n\nc\n");
    // Our block was edited at once, taken away, or the old one was edited and our hunk failed.
    for now in ["a\nnew hers\nc", "a\nc", "a\nb hers\nc", "a\nb\nhers\nc", "a\nhers\nc", "hers", ""]
    {
        let answer = read_answer(V1, &remote, &hunks, now);
        assert_eq!(
            answer,
            Answer { base: remote.clone(), applied: vec![false], unexpected: true },
            "{now}"
        );
    }
}

/// An insertion of a block that is there already, and an answer without it.
#[test]
fn rule_3_twins_are_not_mistaken_for_ours() {
    let (remote, hunks) = hunks("k\n\ntwin\n", "k\n\ntwin\n\ntwin\n");
    let answer = read_answer(V1, &remote, &hunks, "k\ntwin");
    assert_eq!((answer.base.as_str(), answer.applied.as_slice()), ("k\ntwin", &[false][..]));
    let answer = read_answer(V1, &remote, &hunks, "k\ntwin\nhers");
    assert!(!answer.base.contains("hers"));
    assert_eq!(answer.applied, [false]);
}

#[test]
fn a_removed_block_leaves_no_line_behind() {
    for (before, after, now) in
        [("a\n\nb\n\nc\n", "a\n\nc\n", "a\nc"), ("a\n\nb\n", "a\n", "a"), ("a\n\nb\n", "b\n", "b")]
    {
        let (remote, hunks) = hunks(before, after);
        let answer = read_answer(V1, &remote, &hunks, now);
        assert_eq!(answer, Answer { base: now.to_owned(), applied: vec![true], unexpected: false });
    }
}

#[test]
fn a_formatting_change_counts_only_when_it_is_seen() {
    let (remote, hunks) = hunks("a\n\nsome words\n", "a\n\nsome **words**\n");
    assert_eq!(read_answer(V1, &remote, &hunks, "a\nsome **words**").applied, [true]);
    assert_eq!(read_answer(V1, &remote, &hunks, "a\n*some* words").applied, [false]);
}

#[test]
fn an_appended_body_is_read_as_one_hunk() {
    let hunks = [Hunk { at: 0..0, old: String::new(), new: "a\nb".to_owned() }];
    let answer = read_answer(V1, "", &hunks, "a\nb");
    assert_eq!(answer, Answer { base: "a\nb".to_owned(), applied: vec![true], unexpected: false });
    let answer = read_answer(V1, "", &hunks, "hers\na\nb");
    assert_eq!(answer, Answer { base: "a\nb".to_owned(), applied: vec![true], unexpected: true });
    let opaque = "<table_of_contents/>";
    let hunks = [Hunk { at: 20..20, old: String::new(), new: "a".to_owned() }];
    let answer = read_answer(V1, opaque, &hunks, "<table_of_contents/>\na");
    assert_eq!(answer.base, "<table_of_contents/>\na");
}

#[test]
fn hunks_of_another_text_change_nothing() {
    let hunks = [Hunk { at: 0..1, old: "x".to_owned(), new: "y".to_owned() }];
    let answer = read_answer(V1, "a", &hunks, "y");
    assert_eq!(answer, Answer { base: "a".to_owned(), applied: vec![false], unexpected: true });
}

#[test]
fn rule_16_a_write_without_answer_is_recovered() {
    let (remote, hunks) = hunks(BEFORE, AFTER);
    let (now, _) = served(&remote, &hunks);
    assert!(
        matches!(recover(V1, &remote, &hunks, &now), Recovery::Applied(answer) if answer.base == now)
    );
    assert_eq!(recover(V1, &remote, &hunks, &remote), Recovery::NotApplied);
    assert_eq!(recover(V1, &remote, &hunks, &now.replace("five", "hers")), Recovery::Unclear);
    assert_eq!(recover(V1, &remote, &hunks, &remote.replace("five", "hers")), Recovery::Unclear);
    assert_eq!(recover(V1, &remote, &hunks, &served(&remote, &hunks[1..]).0), Recovery::Unclear);
}

/// What somebody does while we write.
#[derive(Clone, Debug)]
enum Hers {
    Nothing,
    Insert(usize),
    Remove(usize),
    Word(usize),
}

impl Hers {
    /// The body after it, and whether it changed the content.
    fn done(&self, body: &str) -> (String, bool) {
        let lines: Vec<&str> = body.lines().collect();
        let simple =
            |at: usize| lines.get(at).is_some_and(|line| !line.starts_with(['<', '`', '$', '\t']));
        let mut out: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        match self {
            Self::Insert(at)
                if *at <= lines.len()
                    && lines.iter().all(|line| !line.starts_with(['<', '`', '$'])) =>
            {
                out.insert(*at, "zzhers".to_owned());
            }
            Self::Remove(at) if simple(*at) => drop(out.remove(*at)),
            Self::Word(at) if simple(*at) => out[*at].push_str(" zzhers"),
            _ => return (body.to_owned(), false),
        }
        let out = out.join("\n");
        let changed = remote_digest(V1, &out) != remote_digest(V1, body);
        (out, changed)
    }
}

fn hers() -> impl Strategy<Value = Hers> {
    prop_oneof![
        1 => Just(Hers::Nothing),
        3 => (0..12_usize).prop_map(Hers::Insert),
        3 => (0..12_usize).prop_map(Hers::Remove),
        3 => (0..12_usize).prop_map(Hers::Word),
    ]
}

/// Short lines with many twins, where mistakes are easy.
fn twins() -> impl Strategy<Value = String> {
    let block = prop::sample::select(vec![
        "a", "b", "- a", "- b", "# a", "a b", "---", "> a", "a b c d", "**a**",
    ]);
    prop::collection::vec(block, 0..8).prop_map(|blocks| blocks.join("\n\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rules 2 and 3: whatever somebody does before or after our write, it stays a difference to the base.
    #[test]
    fn nobodys_edit_gets_into_the_base(before in twins(), after in twins(), hers in hers(), first in any::<bool>(), skipped in prop::option::of(0..3_usize)) {
        let remote = sent(&before);
        let Push::Edit(hunks) = plan_push(V1, Some((&md(&before), &remote)), &md(&after), &remote) else {
            return Ok(());
        };
        let mut sent_hunks = hunks.clone();
        if let Some(skipped) = skipped.filter(|n| *n < hunks.len()) {
            sent_hunks.remove(skipped);
        }
        let (now, changed) = if first {
            let (body, changed) = hers.done(&remote);
            (served(&body, &sent_hunks).0, changed)
        } else {
            hers.done(&served(&remote, &sent_hunks).0)
        };
        let answer = read_answer(V1, &remote, &hunks, &now);
        prop_assert!(!answer.base.contains("zzhers"), "{answer:?}");
        let seen = remote_digest(V1, &answer.base) != remote_digest(V1, &now);
        if now.contains("zzhers") {
            prop_assert!(answer.unexpected, "{:?}", answer);
            prop_assert!(seen);
        }
        if !seen && answer.applied.iter().all(|applied| *applied) {
            // Then what is there is what the file holds, whoever wrote it.
            prop_assert_eq!(remote_digest(V1, &now), local_digest(&md(&after)), "{:?} in {:?}", answer, now);
        }
        if !changed && !first && skipped.is_none() {
            prop_assert_eq!(&answer.applied, &vec![true; hunks.len()]);
            prop_assert!(!answer.unexpected);
        }
        // Rule 16 takes a write as done only where all of it was and nothing else.
        if let Recovery::Applied(_) = recover(V1, &remote, &hunks, &now) {
            prop_assert!(!now.contains("zzhers"));
            prop_assert_eq!(remote_digest(V1, &now), local_digest(&md(&after)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rules 2 and 3 in v2, where somebody writes a paragraph of their own.
    #[test]
    fn nobodys_edit_gets_into_the_base_in_v2(before in twins(), after in twins(), at in 0..9_usize, first in any::<bool>(), skipped in prop::option::of(0..3_usize)) {
        let remote = sent_in(V2, &before);
        let Push::Edit(hunks) = plan_push(V2, Some((&md(&before), &remote)), &md(&after), &remote) else {
            return Ok(());
        };
        let mut sent_hunks = hunks.clone();
        if let Some(skipped) = skipped.filter(|n| *n < hunks.len()) {
            sent_hunks.remove(skipped);
        }
        let hers = |body: &str| {
            let mut blocks: Vec<&str> = body.split("\n\n").filter(|block| !block.trim().is_empty()).collect();
            blocks.insert(at.min(blocks.len()), "zzhers");
            blocks.join("\n\n")
        };
        let now = if first {
            replaced(&hers(&remote), &sent_hunks).0
        } else {
            hers(&replaced(&remote, &sent_hunks).0)
        };
        let answer = read_answer(V2, &remote, &hunks, &now);
        prop_assert!(!answer.base.contains("zzhers"), "{answer:?}");
        prop_assert!(answer.unexpected, "{:?}", answer);
        let quiet = replaced(&remote, &hunks).0;
        let answer = read_answer(V2, &remote, &hunks, &quiet);
        prop_assert_eq!(&answer.applied, &vec![true; hunks.len()]);
        prop_assert!(!answer.unexpected);
        prop_assert_eq!(remote_digest(V2, &answer.base), local_digest(&md(&after)));
    }
}
