//! The pure part of agent-sync: no async, clock, environment, files or network.

pub mod canonical;
pub mod document;
pub mod kind;
pub mod markdown;
pub mod model;
pub mod plan;
pub mod schema;
