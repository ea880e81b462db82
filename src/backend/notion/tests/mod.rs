//! The backend over HTTP against a scripted server.

mod databases;
mod pages;
mod transport;
