//! See docs/design.md.

pub mod lease;
