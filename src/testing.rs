//! What unit tests share with the tests from outside.

#[allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each binary of tests uses its own part"
)]
#[path = "../tests/common/github.rs"]
pub(crate) mod github;
#[allow(clippy::unwrap_used, unreachable_pub, reason = "a test fails where it cannot go on")]
#[path = "../tests/common/npm.rs"]
mod npm;

#[path = "../tests/common/postgres.rs"]
pub(crate) mod postgres;
