//! Markdown: blocks with byte spans, the dialects of the backends, alignment and the edits between them.

use std::ops::Range;

/// Grammar of a backend's bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Notion's "enhanced markdown".
    NotionV1,
}

/// A conditional replacement in a backend's body.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hunk {
    /// Byte range of `old` in the text that was read.
    pub at: Range<usize>,
    /// The exact text there; occurs once in the text that was read.
    pub old: String,
    /// What it becomes.
    pub new: String,
}
