//! The line that shows on a terminal how far a run is.

use crate::engine::Phase;

/// What a run is busy with, in a few words without a line break.
pub fn progress(phase: Phase, done: usize, total: usize) -> String {
    let what = match phase {
        Phase::Waiting => return "waiting for the lease".to_owned(),
        Phase::Listing => "listing databases",
        Phase::Reading => "reading pages",
        Phase::Sending => "writing pages",
        Phase::Files => "writing files",
    };
    format!("{what} {done}/{total}")
}
