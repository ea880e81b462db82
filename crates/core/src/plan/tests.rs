use proptest::prelude::*;

use super::*;

fn text(value: &str) -> Option<Content> {
    Value::text(value).map(Content::Value)
}

fn pair(local: &str, remote: &str) -> Pair {
    Pair::new(text(local), text(remote))
}

fn seen(base: Option<Pair>, proposed: &[Pair], local: &str, remote: &str) -> Observed {
    Observed { base, proposed: proposed.to_vec(), local: text(local), remote: text(remote) }
}

fn decide(seen: &Observed) -> Step {
    step(&Key::new("story", "A-1"), &Stretch::Body, seen)
}

fn name(step: &Step) -> &'static str {
    match step {
        Step::Nothing => "nothing",
        Step::Agree => "agree",
        Step::Push(_) => "push",
        Step::Pull(_) => "pull",
        Step::Join { .. } | Step::Merge(_) => "merge",
        Step::Conflict(_) => "conflict",
    }
}

#[test]
fn rule_3_each_side_is_compared_with_its_own_base() {
    let base = || Some(pair("l0", "r0"));
    for (local, remote, expected) in [
        ("l0", "r0", "nothing"),
        ("l1", "r0", "push"),
        ("l0", "r1", "pull"),
        ("l1", "r1", "conflict"),
        ("x", "x", "agree"),
        ("", "r0", "push"),
        ("l0", "", "pull"),
        ("", "", "agree"),
    ] {
        let step = decide(&seen(base(), &[], local, remote));
        assert_eq!(name(&step), expected, "{local} {remote}");
    }
}

#[test]
fn rule_5_without_a_base_equal_is_adopted_one_sided_is_copied_and_unequal_is_a_conflict() {
    for (local, remote, expected) in [
        ("x", "x", "agree"),
        ("x", "", "push"),
        ("", "x", "pull"),
        ("x", "y", "conflict"),
        ("", "", "nothing"),
    ] {
        assert_eq!(name(&decide(&seen(None, &[], local, remote))), expected, "{local} {remote}");
    }
}

#[test]
fn rule_15_an_open_proposal_is_no_change_and_a_working_tree_that_holds_it_follows() {
    let base = || Some(pair("l0", "r0"));
    let open = [pair("l1", "r1"), pair("l2", "r2")];
    for (local, remote, expected) in [
        // Written and proposed, whichever of them.
        ("l2", "r2", "nothing"),
        ("l1", "r1", "nothing"),
        // Thrown away: the backend's change comes again.
        ("l0", "r2", "pull"),
        // The file holds our last writing, and the backend went on.
        ("l2", "r3", "pull"),
        // The file went on from somewhere: not provable.
        ("l3", "r2", "conflict"),
        // A text that was proposed before the last one is somebody's own.
        ("l1", "r2", "conflict"),
    ] {
        let step = decide(&seen(base(), &open, local, remote));
        assert_eq!(name(&step), expected, "{local} {remote}");
    }
}

#[test]
fn rule_17_a_fingerprint_names_the_three_contents_and_nothing_else() {
    let of = |seen: &Observed| match decide(seen) {
        Step::Conflict(conflict) => conflict.fingerprint,
        other => panic!("{other:?}"),
    };
    let one = of(&seen(Some(pair("l0", "r0")), &[], "l1", "r1"));
    assert_eq!(one, of(&seen(Some(pair("l0", "r0")), &[pair("l9", "r9")], "l1", "r1")));
    assert_ne!(one, of(&seen(Some(pair("l0", "r0")), &[], "l1", "r2")));
    assert_ne!(one, of(&seen(Some(pair("l0", "r9")), &[], "l1", "r1")));
    assert_eq!(one.len(), 16);
}

#[test]
fn rule_15_the_newest_version_that_a_proposal_holds_becomes_the_base() {
    let held = |versions: &[&str]| versions.iter().map(|v| text(v)).collect::<Vec<_>>();
    let adopted = |versions: &[&str]| {
        let mut base = Some(pair("l0", "r0"));
        let mut open = vec![pair("l1", "r1"), pair("l2", "r2")];
        let moved = adopt(&mut base, &mut open, &held(versions));
        assert_eq!(moved, open.is_empty());
        base.and_then(|base| base.remote)
    };
    assert_eq!(adopted(&["l0"]), text("r0"));
    assert_eq!(adopted(&["l1"]), text("r1"));
    assert_eq!(adopted(&["l3", "l1"]), text("r1"), "merged, then edited");
    assert_eq!(
        adopted(&["l0", "l1", "l0"]),
        text("r1"),
        "merged, then reverted: the revert is an edit"
    );
    assert_eq!(adopted(&["l2", "l1"]), text("r2"));
}

#[test]
fn rules_5_7_8_existence() {
    use Existence as E;
    use LocalPresence::{Absent as NoFile, Present as File};
    use RemotePresence as R;
    for (local, remote, agreed, local_changed, remote_changed, expected) in [
        (File, R::Present, true, true, true, E::Both),
        (File, R::Absent, false, true, false, E::CreateRemote),
        (NoFile, R::Present, false, true, true, E::CreateLocal),
        (NoFile, R::Present, true, true, false, E::TrashRemote),
        (NoFile, R::Present, true, true, true, E::DeletedAgainstEdit(Side::Local)),
        (File, R::Trashed, true, false, true, E::DeleteLocal),
        (File, R::Trashed, true, true, true, E::DeletedAgainstEdit(Side::Remote)),
        (File, R::Trashed, false, true, true, E::DeletedAgainstEdit(Side::Remote)),
        (NoFile, R::Trashed, true, true, true, E::Gone),
        (File, R::Away, true, false, true, E::LeftAlone),
        (NoFile, R::Away, true, true, true, E::LeftAlone),
    ] {
        let got = existence(local, remote, agreed, local_changed, remote_changed);
        assert_eq!(got, expected, "{local:?} {remote:?} {agreed} {local_changed} {remote_changed}");
    }
}

fn damage(deletes: usize, overwrites: usize, existing: usize) -> Damage {
    Damage {
        deletes: BTreeMap::from([("story".to_owned(), deletes)]),
        overwrites: (0..overwrites).map(|n| Key::new("story", n.to_string())).collect(),
        existing: BTreeMap::from([("story".to_owned(), existing), ("plan".to_owned(), 1)]),
    }
}

#[test]
fn rule_9_damage_is_bounded_until_a_person_allows_more() {
    let stops = |damage: &Damage, delete, change| guard(damage, 10.0, 50.0, delete, change).len();
    assert_eq!(stops(&damage(5, 20, 10), None, None), 0);
    assert_eq!(stops(&damage(6, 0, 10), None, None), 1);
    assert_eq!(stops(&damage(6, 0, 10), Some(6), None), 0);
    assert_eq!(stops(&damage(7, 0, 10), Some(6), None), 1);
    assert_eq!(stops(&damage(10, 0, 100), None, None), 0, "10 %");
    assert_eq!(stops(&damage(0, 21, 10), None, None), 1);
    assert_eq!(stops(&damage(0, 50, 100), None, None), 0, "50 %");
    assert_eq!(stops(&damage(0, 21, 10), None, Some(21)), 0);
    assert_eq!(stops(&damage(3, 0, 3), None, None), 1, "all of a kind");
    assert_eq!(stops(&damage(1, 0, 1), None, None), 0, "one of one is an edit");
}

#[test]
fn rule_8_an_old_document_is_known_by_half_of_its_lines() {
    let old = "one\ntwo\nthree\nfour\n";
    assert!(shares_half(old, "# new\none\n\n  two\nother\n"));
    assert!(!shares_half(old, "# new\none\nfive\nsix\n"));
    assert!(!shares_half("", "anything"));
    assert!(!shares_half("a\na\na\na\n", "a\n"), "a line counts as often as it stands there");
}

#[test]
fn a_text_that_went_on_from_a_proposal_holds_all_of_its_changes() {
    let (base, proposal) = ("a\nb\nc\n", "a\nB\nc\nd\n");
    assert!(includes(base, proposal, "A\nB\nc\nd\n"));
    assert!(includes(base, proposal, proposal));
    assert!(!includes(base, proposal, "a\nb\nc\nx\n"), "made from the base alone");
    assert!(!includes(base, proposal, "a\nX\nc\nd\n"), "the proposal's line is gone");
}

proptest! {
    /// The law of rule 3: unchanged on both sides only if that very pair was agreed or proposed; and never a
    /// write that replaces a content which neither the base nor the newest proposal knows.
    #[test]
    fn rule_3_the_law(
        base in proptest::option::of((0..4_u8, 0..4_u8)),
        open in proptest::collection::vec((0..4_u8, 0..4_u8), 0..3),
        local in 0..4_u8,
        remote in 0..4_u8,
    ) {
        let of = |(l, r): (u8, u8)| pair(&format!("l{l}"), &format!("r{r}"));
        let base = base.map(of);
        let open: Vec<Pair> = open.into_iter().map(of).collect();
        let now = of((local, remote));
        let seen = Observed { base: base.clone(), proposed: open.clone(), local: now.local.clone(), remote: now.remote.clone() };
        let known: Vec<&Pair> = base.iter().chain(&open).collect();
        match decide(&seen) {
            Step::Join { .. } | Step::Merge(_) => prop_assert!(false, "texts do not merge here"),
            Step::Nothing => prop_assert!(known.iter().any(|pair| pair.same(&now))),
            Step::Push(from) => {
                let from = from.unwrap_or_default();
                prop_assert!(from.holds(Side::Remote, now.remote.as_ref()), "what is replaced was known");
                prop_assert!(!from.holds(Side::Local, now.local.as_ref()));
            }
            Step::Pull(from) => {
                let from = from.unwrap_or_default();
                prop_assert!(from.holds(Side::Local, now.local.as_ref()), "what is replaced was known");
                prop_assert!(!from.holds(Side::Remote, now.remote.as_ref()));
            }
            Step::Agree => prop_assert!(false, "l and r are never equal"),
            Step::Conflict(_) => {
                if let Some(base) = &base {
                    prop_assert!(!base.holds(Side::Local, now.local.as_ref()));
                    prop_assert!(!base.holds(Side::Remote, now.remote.as_ref()));
                }
            }
        }
    }
}
