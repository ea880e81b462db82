//! The simulator on the network.

mod connection;
mod control;
mod handle;
mod reply;
pub(crate) mod server;
