//! The shell of agent-sync: everything that touches the world. The pure part is `agent-sync-core`.

pub mod auto;
pub mod backend;
pub mod cli;
pub mod config;
pub mod engine;
pub mod github;
pub mod hex;
mod http;
pub mod inputs;
pub mod janitor;
pub mod repo;
pub mod report;
pub mod state;
#[cfg(test)]
mod testing;
