//! GitHub: its REST API, and what a runner tells and takes.

pub mod client;
pub mod command;
mod context;
pub mod data;
mod error;
pub mod event;
pub mod files;
pub mod graph;
pub mod pulls;
pub mod reviews;
pub mod step;
pub mod talk;

pub use client::{Client, Tuning};
pub use context::{BadContext, Context};
pub use error::GithubError;
pub use event::{BadEvent, Event, Told};
