//! The simulator over HTTP.

mod blocks;
mod faults;
mod people;
mod properties;
mod strictness;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
mod support;
mod versions;
mod views;
