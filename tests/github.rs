//! The surface at GitHub through the built binary, against `emulate`, with a runner's environment: no `git` is used.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;
#[path = "github/job.rs"]
mod job;

#[path = "github/check.rs"]
mod check;
#[path = "github/decide.rs"]
mod decide;
#[path = "github/faults.rs"]
mod faults;
#[path = "github/forks.rs"]
mod forks;
#[path = "github/hostile.rs"]
mod hostile;
#[path = "github/issue.rs"]
mod issue;
#[path = "github/janitor.rs"]
mod janitor;
#[path = "github/publish.rs"]
mod publish;
#[path = "github/scenario.rs"]
mod scenario;
#[path = "github/several.rs"]
mod several;
#[path = "github/suggest.rs"]
mod suggest;
#[path = "github/sync.rs"]
mod sync;
