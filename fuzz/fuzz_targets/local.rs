//! Whatever a file holds is sent, and is the same there and in a new file made of it.
#![no_main]

mod common;

use agent_sync_core::kind::Format;
use agent_sync_core::markdown::{
    Push, local_digest, plan_pull, plan_push, remote_digest, render_local, render_remote,
};
use common::{DIALECTS, md};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &str| {
    let digest = local_digest(&md(file));
    for dialect in DIALECTS {
        let remote = render_remote(&md(file), dialect);
        assert_eq!(digest, remote_digest(dialect, &remote), "{dialect:?} {remote}");
        let filed = render_local(dialect, &remote, Format::Markdown, None);
        assert_eq!(digest, local_digest(&md(&filed)), "{dialect:?} {filed}");
        assert_eq!(plan_push(dialect, None, &md(file), &remote), Push::Nothing, "{remote}");
        assert_eq!(plan_pull(dialect, None, &md(file), &remote), [], "{remote}");
    }
});
