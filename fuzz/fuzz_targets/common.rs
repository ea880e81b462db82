//! What the targets share.
#![allow(dead_code, reason = "each target uses its own part")]

use agent_sync_core::kind::Format;
use agent_sync_core::markdown::{Dialect, Local};

pub const DIALECTS: [Dialect; 2] = [Dialect::NotionV1, Dialect::NotionV2];

/// A file that is all body.
pub fn md(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown, links: None }
}

/// A body with more written at its end.
pub fn appended(body: &str, text: &str) -> String {
    format!("{body}\n\n{text}")
}

/// Two texts in one input, divided by a zero byte; without one the second is the first with a word more.
pub fn two(input: &str) -> (String, String) {
    match input.split_once('\0') {
        Some((a, b)) => (a.to_owned(), b.to_owned()),
        None => {
            let at = input.find(' ').unwrap_or(input.len());
            let (before, after) = input.split_at(at);
            (input.to_owned(), format!("{before} edited{after}"))
        }
    }
}
