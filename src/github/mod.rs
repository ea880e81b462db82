//! GitHub: its REST API and what a runner tells and takes.

pub mod client;
pub mod command;
mod context;
pub mod data;
mod error;
pub mod files;
pub mod step;

pub use client::{Client, Tuning};
pub use context::{BadContext, Context};
pub use error::GithubError;
