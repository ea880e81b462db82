//! The backend over HTTP against a scripted server.

mod databases;
mod defensive;
mod pages;
mod transport;
