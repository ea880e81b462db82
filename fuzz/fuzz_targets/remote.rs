//! Whatever a backend answers is read; the new file made of it holds the same, and nothing is to be pushed.
#![no_main]

mod common;

use agent_sync_core::kind::Format;
use agent_sync_core::markdown::{
    Push, local_digest, plan_pull, plan_push, remote_digest, render_local,
};
use common::{DIALECTS, md};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|remote: &str| {
    for dialect in DIALECTS {
        let file = render_local(dialect, remote, Format::Markdown, None);
        assert_eq!(local_digest(&md(&file)), remote_digest(dialect, remote), "{dialect:?} {file}");
        assert_eq!(plan_push(dialect, None, &md(&file), remote), Push::Nothing, "{file}");
        assert_eq!(plan_pull(dialect, None, &md(&file), remote), [], "{file}");
        let base = md(&file);
        let base = Some((&base, remote));
        assert_eq!(plan_push(dialect, base, &md(&file), remote), Push::Nothing, "{file}");
    }
});
