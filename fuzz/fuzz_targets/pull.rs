//! A file takes over what another file would have sent: the edits are disjoint, and what it then holds is that.
#![no_main]

mod common;

use agent_sync_core::markdown::{
    apply_edits, local_digest, plan_pull, remote_digest, render_remote,
};
use common::{DIALECTS, md, two};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (file, other) = two(input);
    let agreed = md(&file);
    for dialect in DIALECTS {
        let old = render_remote(&md(&file), dialect);
        let new = render_remote(&md(&other), dialect);
        for base in [None, Some((&agreed, old.as_str()))] {
            let edits = plan_pull(dialect, base, &md(&file), &new);
            let mut end = 0;
            for edit in &edits {
                assert!(edit.at.start >= end && file.get(edit.at.clone()).is_some(), "{edits:?}");
                end = edit.at.end;
            }
            let result = apply_edits(&file, &edits);
            let held = local_digest(&md(&result));
            assert_eq!(held, remote_digest(dialect, &new), "{dialect:?} {result}\n~~~\n{new}");
        }
    }
});
