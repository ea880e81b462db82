//! The backend over HTTP against a scripted server.
