//! Git plumbing.
