//! A scheduled job looks at everything after its sync.

use super::{Done, Job};
use crate::engine::{self, Command, Request};

/// Lets the janitor look, and adds what it found. A sync that could not do its work leaves nothing to look at.
pub(super) async fn after(job: &Job<'_>, mut done: Done) -> Done {
    if done.report.stopped.is_some() {
        return done;
    }
    let command = Command::Janitor { fix: false };
    let request = Request { command, force: None, ..job.request.clone() };
    let mut report = engine::run(&request, job.progress).await;
    report.fail_on(job.surface.janitor);
    done.report.absorb(report);
    done
}
