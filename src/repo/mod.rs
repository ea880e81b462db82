//! See docs/design.md.

pub mod git;
