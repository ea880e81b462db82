//! The shell of agent-sync: everything that touches the world. The pure part is `agent-sync-core`.

pub mod backend;
pub mod cli;
pub mod config;
pub mod engine;
mod http;
pub mod repo;
pub mod report;
pub mod state;
