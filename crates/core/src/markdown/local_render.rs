//! Writes blocks as Markdown for a file, with LF; whoever splices fits the line endings.

use super::block::{Block, Marker, Node};
use super::inline::{Inline, Piece};
use super::links::Links;
use super::local_inline::{self, Place};
use super::{html, local_parse};

/// Where a run of blocks will stand.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// White space before blocks at each depth, from 0 up to that of the first block.
    pub(super) indents: Vec<String>,
    /// Bullet of the list around.
    pub(super) bullet: char,
    /// Number and delimiter of the next numbered item at the first block's depth.
    pub(super) number: u64,
    /// `.` or `)`.
    pub(super) delimiter: char,
    /// A blank line between list items.
    pub(super) loose: bool,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { indents: vec![String::new()], bullet: '-', number: 1, delimiter: '.', loose: false }
    }
}

/// A run of blocks, without a final newline.
pub(super) fn render(nodes: &[Node], place: &Surroundings, links: Option<&Links>) -> String {
    let mut out = String::new();
    let mut indents = place.indents.clone();
    // The next number at each depth; a missing one is 1.
    let mut numbers: Vec<u64> = vec![1; indents.len()];
    if let Some(last) = numbers.last_mut() {
        *last = place.number;
    }
    let mut previous: Option<&Node> = None;
    for node in nodes.iter().filter(|node| node.block != Block::Empty) {
        let depth = node.depth.min(indents.len().saturating_sub(1));
        if let Some(previous) = previous {
            if ends_at_a_blank_line(previous, node) {
                out.push_str("<!-- -->");
            }
            out.push_str(&separator(previous, node, place.loose));
        }
        indents.truncate(depth + 1);
        numbers.truncate(depth + 1);
        let indent = indents.last().cloned().unwrap_or_default();
        if let Block::Item(marker, _) = &node.block {
            let number = numbers.last_mut();
            let mark = match (marker, number) {
                (Marker::Number, Some(number)) => {
                    let mark = format!("{number}{}", place.delimiter);
                    *number += 1;
                    mark
                }
                _ => place.bullet.to_string(),
            };
            indents.push(format!("{indent}{}", " ".repeat(mark.len() + 1)));
            numbers.push(1);
            write_block(&node.block, &indent, &mark, links, &mut out);
        } else {
            if let Some(number) = numbers.last_mut() {
                *number = 1;
            }
            write_block(&node.block, &indent, "", links, &mut out);
        }
        previous = Some(node);
    }
    out
}

/// Whether a block would not be inside of the list item before it: one without text ends at a blank line.
pub(super) fn ends_at_a_blank_line(item: &Node, node: &Node) -> bool {
    let empty = matches!(&item.block, Block::Item(_, text) if text.is_empty());
    empty && node.depth > item.depth && !matches!(node.block, Block::Item(..))
}

/// What stands between two blocks: line endings.
pub(super) fn separator(previous: &Node, node: &Node, loose: bool) -> String {
    let item = |node: &Node| matches!(node.block, Block::Item(..));
    let row = |node: &Node| matches!(node.block, Block::Row(_));
    match (&previous.block, &node.block) {
        (_, Block::TableEnd) => "",
        _ if row(node) => "\n",
        _ if item(node) && !loose && (item(previous) || previous.depth > node.depth) => "\n",
        _ => "\n\n",
    }
    .to_owned()
}

/// The lines of one block, the first with its indentation. `marker` is that of a list item.
pub(super) fn write_block(
    block: &Block,
    indent: &str,
    marker: &str,
    links: Option<&Links>,
    out: &mut String,
) {
    let text = |text: &Inline, place| local_inline::render(text, place, links);
    let mut lines: Vec<String> = Vec::new();
    match block {
        Block::Paragraph(inline) => {
            let mut inline = text(inline, Place::Flow);
            if local_parse::equation(&inline).is_some() {
                inline.insert(0, '\\');
            }
            lines.extend(inline.split('\n').map(str::to_owned));
        }
        Block::Heading(level, inline) => {
            let inline = text(inline, Place::Line);
            // A closing run of `#` would be taken away.
            let inline = match inline.strip_suffix('#') {
                Some(rest) if rest.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 0 => {
                    format!("{rest}\\#")
                }
                _ => inline,
            };
            lines.push(format!("{} {inline}", "#".repeat(usize::from(*level))));
        }
        Block::Item(kind, inline) => {
            let task = match kind {
                Marker::Todo(false) => "[ ] ",
                Marker::Todo(true) => "[x] ",
                _ => "",
            };
            let pad = " ".repeat(marker.len() + 1);
            for (n, line) in text(inline, Place::Flow).split('\n').enumerate() {
                lines.push(if n == 0 {
                    format!("{marker} {task}{line}")
                } else {
                    format!("{pad}{line}")
                });
            }
        }
        Block::Quote(content) => quoted(None, content, links, &mut lines),
        Block::Callout(alert, content) => quoted(Some(alert.word()), content, links, &mut lines),
        Block::Toggle(title, content) => {
            lines.push("<details>".to_owned());
            lines.push(format!("<summary>{}</summary>", html_title(title, links)));
            lines.push(String::new());
            let content = render(content, &Surroundings::default(), links);
            if !content.is_empty() {
                lines.extend(content.split('\n').map(str::to_owned));
                lines.push(String::new());
            }
            lines.push("</details>".to_owned());
        }
        Block::Code(language, code) => {
            fenced(&super::language::fence_word(language), code, &mut lines)
        }
        Block::Equation(equation) => fenced("math", equation, &mut lines),
        Block::Table(header, columns) => {
            let cells = match header {
                Some(cells) => cells.clone(),
                None => vec![Inline::default(); *columns],
            };
            lines.push(row(&cells, links));
            lines.push(format!("|{}", " --- |".repeat(cells.len().max(1))));
        }
        Block::Row(cells) => lines.push(row(cells, links)),
        Block::Divider => lines.push("---".to_owned()),
        Block::Image(caption, target) => {
            let caption = text(caption, Place::Line);
            lines.push(format!("![{caption}]({})", local_inline::file_target(target, true, links)));
        }
        Block::Opaque(name, _) => lines.push(format!("<!-- notion: {name} -->")),
        Block::TableEnd | Block::Empty => return,
    }
    for (n, line) in lines.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        if !line.is_empty() {
            out.push_str(indent);
            out.push_str(line);
        }
    }
}

fn quoted(alert: Option<&str>, content: &[Node], links: Option<&Links>, lines: &mut Vec<String>) {
    if let Some(word) = alert {
        lines.push(format!("> [!{word}]"));
    }
    let content = render(content, &Surroundings::default(), links);
    if content.is_empty() && alert.is_some() {
        return;
    }
    lines.extend(
        content
            .split('\n')
            .map(|line| if line.is_empty() { ">".to_owned() } else { format!("> {line}") }),
    );
}

fn fenced(word: &str, code: &str, lines: &mut Vec<String>) {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    lines.push(format!("{fence}{word}"));
    if !code.is_empty() {
        lines.extend(code.split('\n').map(str::to_owned));
    }
    lines.push(fence);
}

pub(super) fn row(cells: &[Inline], links: Option<&Links>) -> String {
    let mut out = "|".to_owned();
    for cell in cells {
        out.push(' ');
        out.push_str(&local_inline::render(cell, Place::Cell, links));
        out.push_str(" |");
    }
    out
}

/// A summary is HTML, where Markdown is not read.
pub(super) fn html_title(title: &Inline, links: Option<&Links>) -> String {
    let mut out = String::new();
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for run in title.runs() {
        let marks = &run.marks;
        let mut tags: Vec<(String, &str)> = Vec::new();
        if let Some(target) = &marks.link {
            let local = links.and_then(|links| links.to_local(target, false));
            let target = local.as_ref().unwrap_or(target);
            tags.push((format!("<a href=\"{}\">", target.replace('"', "%22")), "</a>"));
        }
        if let Some(color) = &marks.color {
            tags.push((format!("<span color=\"{color}\">"), "</span>"));
        }
        for (set, open, close) in [
            (marks.underline, "<u>", "</u>"),
            (marks.bold, "<b>", "</b>"),
            (marks.italic, "<i>", "</i>"),
            (marks.strike, "<s>", "</s>"),
        ] {
            if set {
                tags.push((open.to_owned(), close));
            }
        }
        tags.iter().for_each(|(open, _)| out.push_str(open));
        match &run.piece {
            Piece::Text(text) => out.push_str(&escaped(text)),
            Piece::Code(code) => {
                out.push_str("<code>");
                out.push_str(&escaped(code));
                out.push_str("</code>");
            }
            Piece::Break => out.push_str("<br>"),
            Piece::Tag { raw, .. } => {
                let (tag, label, close) = html::parts(raw);
                out.push_str(&format!("{tag}{}{close}", escaped(label)));
            }
        }
        tags.iter().rev().for_each(|(_, close)| out.push_str(close));
    }
    out
}
