//! What a line of Markdown v2 begins.

use crate::markdown::parse::{bullet, fence_width, heading, numbered};
use crate::markdown::tag;

/// Tags that stand for blocks; all others are inline or text.
const BLOCK_TAGS: [&str; 36] = [
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "quote",
    "toggle",
    "callout",
    "ul",
    "ol",
    "li",
    "columns",
    "column",
    "tabs",
    "tab",
    "mail",
    "meeting-notes",
    "meeting-notes-section-notes",
    "meeting-notes-section-summary",
    "meeting-notes-section-transcript",
    "todo",
    "equation",
    "table-of-contents",
    "image",
    "pdf",
    "file",
    "audio",
    "video",
    "bookmark",
    "embed",
    "external_object_instance",
    "page",
    "folder",
    "database",
    "table",
    "unknown",
];
const MORE_TAGS: [&str; 3] = ["synced-block", "synced-block-reference", "custom-block"];

/// Whether a tag of this name stands for a block.
pub(super) fn is_block_tag(name: &str) -> bool {
    BLOCK_TAGS.contains(&name) || MORE_TAGS.contains(&name)
}

/// Whether the line begins with an opening or closing tag of a block.
fn begins_with_tag(line: &str) -> bool {
    match line.strip_prefix("</") {
        Some(rest) => rest.split('>').next().is_some_and(is_block_tag),
        None => tag::read(line).is_some_and(|(tag, _)| is_block_tag(tag.name)),
    }
}

/// `---`, `***` or `___`, with or without spaces between.
pub(super) fn is_divider(line: &str) -> bool {
    ['-', '*', '_'].into_iter().any(|mark| {
        line.chars().filter(|c| *c == mark).count() >= 3
            && line.chars().all(|c| c == mark || c == ' ')
    })
}

/// Whether a line begins a block of its own, whatever stands before it. The line has no white space at its begin.
pub(super) fn begins_block(line: &str) -> bool {
    fence_width(line) > 0
        || line == "$$"
        || line.starts_with('>')
        || is_divider(line)
        || heading(line).is_some()
        || begins_with_tag(line)
        || line.starts_with("![") && crate::markdown::parse::image(line).is_some()
}

/// Whether a line begins a list: at the begin of a block any marker does, inside a paragraph only a bullet or `1.`
/// with text after it.
pub(super) fn begins_list(line: &str, in_paragraph: bool) -> bool {
    let text = bullet(line).or_else(|| numbered(line));
    match text {
        None => false,
        Some(_) if !in_paragraph => true,
        Some(text) => {
            let first = line.starts_with("1.") || line.starts_with("1)");
            !text.is_empty() && (bullet(line).is_some() || first)
        }
    }
}

/// White space at the begin of a line, in columns; a tab goes to the next multiple of four.
pub(super) fn indent(line: &str) -> usize {
    let mut columns = 0;
    for c in line.chars() {
        match c {
            ' ' => columns += 1,
            '\t' => columns = (columns / 4 + 1) * 4,
            _ => break,
        }
    }
    columns
}

/// A line without its first columns of white space.
pub(super) fn without_indent(line: &str, columns: usize) -> &str {
    let mut at = 0;
    let mut rest = line;
    while at < columns {
        match rest.chars().next() {
            Some(' ') => at += 1,
            Some('\t') => at = (at / 4 + 1) * 4,
            _ => break,
        }
        rest = &rest[1..];
    }
    rest
}
