//! Writes inline text as Markdown for a file.

use pulldown_cmark::{Options, Parser};

use super::block::{Block, Node};
use super::inline::{Inline, Marks, Piece};
use super::links::Links;
use super::v1_inline::{Mark, lasting_first, link_target, marks_of, write_code};
use super::{html, local_parse, relink, url};

/// Where the text will stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A paragraph or list item: a hard break is a backslash and a new line.
    Flow,
    /// One line: a hard break is `<br>`.
    Line,
    /// A table cell.
    Cell,
}

/// How marks are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Bare addresses as they are: escapes inside of one would become part of the link that it is shown as.
    Bare,
    Markdown,
    /// Tags, where delimiters would not be read as such, e.g. inside of words.
    Tags,
}

/// How the brackets of a link are written that Notion refused, so that it is a text there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// As the link that it was.
    AsWritten,
    /// As text, where a link would not be read as this very text.
    Escaped,
}

/// Inline Markdown; lines after a hard break have no indentation yet.
pub(super) fn render(text: &Inline, place: Place, links: Option<&Links>) -> String {
    let bare = holds_address(text);
    for (style, refused) in [
        (Style::Bare, Refused::AsWritten),
        (Style::Markdown, Refused::AsWritten),
        (Style::Markdown, Refused::Escaped),
        (Style::Tags, Refused::AsWritten),
        (Style::Tags, Refused::Escaped),
    ] {
        if (style, refused) == (Style::Markdown, Refused::AsWritten) && !bare {
            continue;
        }
        let markdown = write(text, place, style, refused, links);
        let read = match place {
            Place::Cell => reads_as(&markdown.replace("\\|", "|"), text, links),
            _ => reads_as(&markdown, text, links),
        };
        if read {
            return markdown;
        }
    }
    write(text, place, Style::Tags, Refused::AsWritten, links)
}

fn holds_address(text: &Inline) -> bool {
    text.runs().iter().any(|run| matches!(&run.piece, Piece::Text(part) if part.contains("://")))
}

fn reads_as(markdown: &str, text: &Inline, links: Option<&Links>) -> bool {
    let units = local_parse::parse_text(markdown, links);
    match units.as_slice() {
        [] => text.is_empty(),
        [unit] => match &unit.node.block {
            Block::Paragraph(found) if found == text => true,
            Block::Paragraph(_) => {
                let wanted = Node { depth: 0, block: Block::Paragraph(text.clone()) };
                // By their keys: a target may be written differently.
                unit.key == wanted.key()
                    || links.is_some() && relink::is_held(&unit.node, &wanted, links)
            }
            // One image alone is a block there, and a link in a text.
            Block::Image(..) | Block::Equation(_) => true,
            _ => false,
        },
        _ => false,
    }
}

fn write(
    text: &Inline,
    place: Place,
    style: Style,
    refused: Refused,
    links: Option<&Links>,
) -> String {
    let mut raw = match refused {
        Refused::AsWritten => raw_positions(text),
        Refused::Escaped => Vec::new(),
    };
    if style == Style::Bare {
        add_addresses(text, &mut raw);
    }
    let mut out = String::new();
    let mut open: Vec<Mark> = Vec::new();
    let mut at = 0;
    for (n, run) in text.runs().iter().enumerate() {
        let rest = text.runs().get(n..).unwrap_or_default();
        let (shared, opened) = lasting_first(&open, marks_of(&run.marks), rest);
        for mark in open.drain(shared..).rev() {
            close(&mark, style, links, &mut out);
        }
        for mark in opened {
            start(&mark, style, links, &mut out);
            open.push(mark);
        }
        match &run.piece {
            Piece::Text(part) => {
                escape(part, at, &raw, place, &run.marks, &mut out);
                at += part.len();
            }
            Piece::Code(code) => {
                let mut span = String::new();
                write_code(code, &mut span);
                out.push_str(&if place == Place::Cell { span.replace('|', "\\|") } else { span });
                at += 1;
            }
            Piece::Break => {
                out.push_str(if place == Place::Flow { "\\\n" } else { "<br>" });
                at += 1;
            }
            Piece::Tag { raw, .. } => {
                let (tag, label, close) = html::parts(raw);
                out.push_str(&if place == Place::Cell {
                    tag.replace('|', "\\|")
                } else {
                    tag.to_owned()
                });
                escape(label, 0, &[], place, &Marks::default(), &mut out);
                out.push_str(close);
                at += 1;
            }
        }
    }
    for mark in open.drain(..).rev() {
        close(&mark, style, links, &mut out);
    }
    if place == Place::Cell {
        return out;
    }
    // A tag alone on its line would be a block of HTML.
    match html::Tag::at(&out) {
        Some(tag) if tag.self_closing && tag.len == out.len() => {
            format!("<{} {}></{}>", tag.name, tag.attributes, tag.name)
        }
        _ => guard_lines(&out),
    }
}

fn start(mark: &Mark, style: Style, links: Option<&Links>, out: &mut String) {
    match (mark, style) {
        (Mark::Link(target), _) if is_image(target, links) => out.push_str("!["),
        (Mark::Link(_), _) => {
            if out.ends_with('!') {
                out.pop();
                out.push_str("\\!");
            }
            out.push('[');
        }
        (Mark::Color(color), _) => {
            out.push_str("<span color=\"");
            out.push_str(color);
            out.push_str("\">");
        }
        (Mark::Underline, _) => out.push_str("<u>"),
        (Mark::Bold, Style::Bare | Style::Markdown) => out.push_str("**"),
        (Mark::Italic, Style::Bare | Style::Markdown) => out.push('*'),
        (Mark::Strike, Style::Bare | Style::Markdown) => out.push_str("~~"),
        (Mark::Bold, Style::Tags) => out.push_str("<b>"),
        (Mark::Italic, Style::Tags) => out.push_str("<i>"),
        (Mark::Strike, Style::Tags) => out.push_str("<s>"),
    }
}

fn close(mark: &Mark, style: Style, links: Option<&Links>, out: &mut String) {
    match (mark, style) {
        (Mark::Link(target), _) => {
            out.push_str("](");
            out.push_str(&file_target(target, is_image(target, links), links));
            out.push(')');
        }
        (Mark::Color(_), _) => out.push_str("</span>"),
        (Mark::Underline, _) => out.push_str("</u>"),
        (mark, Style::Bare | Style::Markdown) => start(mark, style, links, out),
        (Mark::Bold, Style::Tags) => out.push_str("</b>"),
        (Mark::Italic, Style::Tags) => out.push_str("</i>"),
        (Mark::Strike, Style::Tags) => out.push_str("</s>"),
    }
}

/// Adds the positions of what stands in bare addresses, and right behind them.
fn add_addresses(text: &Inline, raw: &mut Vec<usize>) {
    let mut start = 0;
    for run in text.runs() {
        let Piece::Text(part) = &run.piece else {
            start += 1;
            continue;
        };
        let mut at = 0;
        while let Some(found) = part.get(at..).and_then(|rest| rest.find("://")) {
            let tail = part.get(at + found..).unwrap_or_default();
            let len = tail.find(|c: char| c.is_whitespace() || "<>\"`\\|".contains(c));
            let end = at + found + len.unwrap_or(tail.len());
            raw.extend(start + at + found..start + end);
            at = end.max(at + found + 3);
        }
        start += part.len();
    }
    raw.sort_unstable();
    raw.dedup();
}

/// Inside of text Notion has no images; one of the repository is known by its address.
fn is_image(target: &str, links: Option<&Links>) -> bool {
    links.is_some_and(|links| links.is_of_an_image(target))
}

/// What stands in the parentheses of a link or an image.
pub(super) fn file_target(target: &str, image: bool, links: Option<&Links>) -> String {
    links
        .and_then(|links| links.to_local(target, image))
        .unwrap_or_else(|| url::without_entities(&link_target(target)))
}

/// Positions (bytes of the text pieces, one for any other) of punctuation that is to be written as it is: the
/// brackets of links and images that Notion refused, and of footnotes.
fn raw_positions(text: &Inline) -> Vec<usize> {
    let mut flat = String::new();
    for run in text.runs() {
        match &run.piece {
            Piece::Text(part) => flat.push_str(part),
            // Counts as one byte that is no bracket.
            _ => flat.push('\u{0}'),
        }
    }
    let mut raw = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (at, c) in flat.char_indices() {
        match c {
            '[' => open.push(at),
            ']' => {
                let Some(start) = open.pop() else { continue };
                let inside = flat.get(start + 1..at).unwrap_or_default();
                let after = flat.get(at + 1..).unwrap_or_default();
                let footnote = inside.strip_prefix('^').is_some_and(|name| {
                    !name.is_empty()
                        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
                });
                // At the begin of a line it would be a definition, which is in the file alone.
                let defines = after.starts_with(':')
                    && flat
                        .get(..start)
                        .is_none_or(|before| before.is_empty() || before.ends_with('\u{0}'));
                if footnote {
                    if !defines {
                        raw.extend([start, start + 1, at]);
                    }
                    continue;
                }
                let target =
                    after.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(t, _)| t);
                let Some(target) = target.filter(|target| is_refused(target)) else { continue };
                // All between the parentheses is the target.
                raw.extend([start, at]);
                raw.extend(at + 1..at + 3 + target.len());
                if flat.get(..start).is_some_and(|before| before.ends_with('!')) {
                    raw.push(start - 1);
                }
            }
            _ => {}
        }
    }
    raw.sort_unstable();
    raw
}

fn is_refused(target: &str) -> bool {
    !url::is_sendable(target)
        && !target.starts_with('<')
        && !target.contains(|c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '(' | '\\' | '"' | '\'')
        })
}

/// Escapes what would be markup, and nothing else.
fn escape(part: &str, offset: usize, raw: &[usize], place: Place, marks: &Marks, out: &mut String) {
    let mut before = out.chars().next_back();
    for (at, c) in part.char_indices() {
        let next = part.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
        let special = match c {
            '\\' => next.is_none_or(|next| next.is_ascii_punctuation()),
            '`' | '*' | '[' | ']' | '<' => true,
            // Inside of a word it is no markup.
            '_' => {
                let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                !(word(before) && word(next))
            }
            // One alone strikes out too, up to one that follows on text.
            '~' => next.is_none_or(|c| c == '~') || before.is_some_and(|c| !c.is_whitespace()),
            '|' => place == Place::Cell,
            '&' => next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '#'),
            '!' => next == Some('['),
            _ => false,
        };
        let plain = raw.binary_search(&(offset + at)).is_ok()
            || (c == '&'
                && marks.link.is_none()
                && !looks_like_entity(part.get(at..).unwrap_or_default()));
        if special && (!plain || (c == '|' && place == Place::Cell)) {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
}

fn looks_like_entity(text: &str) -> bool {
    text.get(1..).and_then(|rest| rest.find(';')).is_some_and(|end| (1..=32).contains(&end))
}

/// Escapes line begins that would start another block.
fn guard_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = line.split_at(digits);
        let starts = if digits > 0 {
            rest.starts_with(['.', ')'])
        } else {
            rest.starts_with(['#', '>', '+', '=', '-', ':']) && !rest.starts_with("<")
                || rest.starts_with("~~~")
        };
        out.push_str(number);
        if starts && needs_guard(line) {
            out.push('\\');
        }
        out.push_str(rest);
    }
    out
}

/// Whether the line is a paragraph of its own text only with a guard.
fn needs_guard(line: &str) -> bool {
    let alone = Parser::new_ext(line, Options::ENABLE_TABLES).next();
    let after_text = format!("x\n{line}");
    let follows: Vec<_> = Parser::new_ext(&after_text, Options::ENABLE_TABLES)
        .filter(|event| matches!(event, pulldown_cmark::Event::Start(_)))
        .take(2)
        .collect();
    let paragraph = |event: Option<&pulldown_cmark::Event<'_>>| {
        matches!(event, Some(pulldown_cmark::Event::Start(pulldown_cmark::Tag::Paragraph)))
    };
    // A line of `:--` could turn the line above into a table's header; `=` and `-` into a heading.
    !paragraph(alone.as_ref())
        || !paragraph(follows.first())
        || matches!(follows.get(1), Some(pulldown_cmark::Event::Start(tag)) if !matches!(tag,
            pulldown_cmark::Tag::Emphasis | pulldown_cmark::Tag::Strong | pulldown_cmark::Tag::Link { .. }
            | pulldown_cmark::Tag::Image { .. } | pulldown_cmark::Tag::Strikethrough))
}
