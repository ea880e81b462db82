//! Two edits of one base, one on each side: the merge never panics, its edits and hunks are where they say, and
//! where nothing clashes both sides then hold the same.
#![no_main]

mod common;

use agent_sync_core::markdown::{
    Choice, Dialect, Push, Sides, apply_edits, apply_hunks, local_digest, merge, remote_digest,
    render_remote,
};
use common::{DIALECTS, appended, md};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str)| {
    let (base, local, other) = input;
    DIALECTS.into_iter().for_each(|dialect| check(dialect, base, local, other));
});

fn check(dialect: Dialect, base: &str, local: &str, other: &str) {
    let base_remote = render_remote(&md(base), dialect);
    let remote = render_remote(&md(other), dialect);
    let sides = Sides {
        dialect,
        base: (&md(base), &base_remote),
        agreed: &[],
        local: &md(local),
        remote: &remote,
        push: true,
        pull: true,
    };
    let Some(merged) = merge(&sides, &|_| Choice::Open) else { return };
    let mut end = 0;
    for edit in &merged.pull {
        assert!(edit.at.start >= end && local.get(edit.at.clone()).is_some(), "{edit:?}");
        end = edit.at.end;
    }
    let file = apply_edits(local, &merged.pull);
    let body = match &merged.push {
        Push::Nothing => remote.clone(),
        Push::Append(text) => appended(&remote, text),
        Push::Edit(hunks) => {
            for hunk in hunks {
                assert_eq!(remote.get(hunk.at.clone()), Some(hunk.old.as_str()));
                assert_eq!(remote.matches(&hunk.old).count(), 1, "{hunk:?}");
            }
            apply_hunks(&remote, hunks)
        }
        Push::Impossible(_) => return,
    };
    if merged.is_whole() && merged.clashes.is_empty() {
        let held = remote_digest(dialect, &body);
        assert_eq!(local_digest(&md(&file)), held, "{dialect:?} {file}\n~~~\n{body}");
    }
}
