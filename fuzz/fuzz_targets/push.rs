//! A body takes over what a file holds: every hunk is exactly there, once, apart from the others, and what the
//! body then holds is the file's.
#![no_main]

mod common;

use agent_sync_core::markdown::{
    Push, apply_hunks, local_digest, plan_push, remote_digest, render_remote,
};
use common::{DIALECTS, appended, md, two};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (file, other) = two(input);
    let agreed = md(&file);
    for dialect in DIALECTS {
        let remote = render_remote(&md(&file), dialect);
        for base in [None, Some((&agreed, remote.as_str()))] {
            let result = match plan_push(dialect, base, &md(&other), &remote) {
                Push::Nothing => remote.clone(),
                Push::Append(text) => appended(&remote, &text),
                Push::Edit(hunks) => {
                    let mut end = None;
                    for hunk in &hunks {
                        assert_eq!(remote.get(hunk.at.clone()), Some(hunk.old.as_str()));
                        assert_eq!(remote.matches(&hunk.old).count(), 1, "{hunk:?}");
                        assert!(end.is_none_or(|end| end < hunk.at.start), "{hunks:?}");
                        end = Some(hunk.at.end);
                    }
                    apply_hunks(&remote, &hunks)
                }
                Push::Impossible(_) => continue,
            };
            let wanted = local_digest(&md(&other));
            assert_eq!(remote_digest(dialect, &result), wanted, "{dialect:?} {result}");
        }
    }
});
