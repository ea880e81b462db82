//! Databases as backends, through the built binary; other programs speak SQL to them.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

#[path = "database/costs.rs"]
mod costs;
#[path = "database/faults.rs"]
mod faults;
#[path = "database/scenario.rs"]
mod scenario;
#[path = "database/tls.rs"]
mod tls;
