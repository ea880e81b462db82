//! GitHub and the runner of its workflows.

pub mod command;
