//! Reads Notion's v1 grammar (notion-api.md §5.2) into units: one line is one block, tabs make children.

use std::collections::HashMap;
use std::ops::Range;

use super::block::{Alert, Block, Marker, Node, RemoteUnit, code, paragraph};
use super::html::Tag;
use super::v2_line::is_escaped;
use super::{table_tags, url, v1_inline};

/// Containers nested deeper are opaque; recursion must end.
const MAX_DEPTH: usize = 48;

/// Tags of inline text that a paragraph may begin with.
const INLINE_TAGS: [&str; 13] =
    ["span", "br", "b", "i", "u", "s", "strong", "em", "del", "sub", "sup", "code", "a"];

/// A line without its ending.
#[derive(Clone, Debug)]
struct Line<'a> {
    span: Range<usize>,
    /// Tabs before the text.
    indent: usize,
    /// The text after them.
    text: &'a str,
}

/// The units of a body, in order.
pub(super) fn parse(text: &str) -> Vec<RemoteUnit> {
    let mut lines = Vec::new();
    let mut at = 0;
    for raw in text.split_inclusive('\n') {
        let content = raw.strip_suffix('\n').unwrap_or(raw);
        let content = content.strip_suffix('\r').unwrap_or(content);
        let body = content.trim_start_matches('\t');
        lines.push(Line {
            span: at..at + content.len(),
            indent: content.len() - body.len(),
            text: body,
        });
        at += raw.len();
    }
    let closes = closing_lines(&lines);
    let mut reader = Reader { source: text, lines: &lines, closes: &closes, units: Vec::new() };
    reader.blocks(0..lines.len(), 0);
    reader.units
}

/// For each line that opens a tag which it does not close, the line that does.
fn closing_lines(lines: &[Line<'_>]) -> HashMap<usize, usize> {
    let mut open: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut out = HashMap::new();
    let mut code_until = 0;
    // Ticks of a fence that nothing closes; a longer one is not closed either.
    let mut unclosed = usize::MAX;
    for (n, line) in lines.iter().enumerate() {
        // What stands in code is no tag.
        if n < code_until {
            continue;
        }
        if let Some(ticks) = fence(line.text.trim_end()).filter(|ticks| *ticks < unclosed) {
            let rest = lines.get(n + 1..).unwrap_or_default();
            let close = rest.iter().position(|line| closes_fence(line.text, ticks));
            match close {
                Some(close) => code_until = n + close + 2,
                None => unclosed = ticks,
            }
        }
        let text = line.text.trim();
        let opened = Tag::at(text).filter(|tag| !tag.closing);
        // A closing tag may follow the text of its block.
        let closed = text.strip_suffix('>').and_then(|text| text.rsplit_once("</"));
        let closed = closed.map(|(_, name)| name);
        if opened.as_ref().map(|tag| tag.name) == closed {
            continue;
        }
        if let Some(tag) = opened.filter(|tag| !tag.self_closing) {
            open.entry(tag.name).or_default().push(n);
        }
        if let Some(start) = closed.and_then(|name| open.get_mut(name)).and_then(Vec::pop) {
            out.insert(start, n);
        }
    }
    out
}

struct Reader<'a, 's> {
    source: &'a str,
    lines: &'s [Line<'a>],
    closes: &'s HashMap<usize, usize>,
    units: Vec<RemoteUnit>,
}

impl<'a> Reader<'a, '_> {
    fn line(&self, at: usize) -> Line<'a> {
        self.lines.get(at).cloned().unwrap_or(Line { span: 0..0, indent: 0, text: "" })
    }

    fn blocks(&mut self, range: Range<usize>, level: usize) {
        // Open parents: tabs, depth of their children.
        let mut parents: Vec<(usize, usize)> = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let line = self.line(at);
            if line.text.trim().is_empty() {
                at += 1;
                continue;
            }
            while parents.last().is_some_and(|(indent, _)| *indent >= line.indent) {
                parents.pop();
            }
            let depth = parents.last().map_or(0, |(_, depth)| *depth);
            let before = self.units.len();
            at = self.block(at, range.end, depth, level).max(at + 1);
            let item = self
                .units
                .get(before)
                .is_some_and(|unit| matches!(unit.node.block, Block::Item(..)));
            parents.push((line.indent, depth + usize::from(item)));
        }
    }

    /// One block; answers with the line after it.
    fn block(&mut self, at: usize, end: usize, depth: usize, level: usize) -> usize {
        let line = self.line(at);
        let text = line.text.trim_end();
        if let Some(ticks) = fence(text) {
            return self.fenced(at, end, depth, ticks);
        }
        if text == "$$"
            && let Some(close) = self.find(at + 1..end, |line| line.text.trim() == "$$")
        {
            let body: Vec<&str> = (at + 1..close).map(|n| self.line(n).text.trim()).collect();
            return self.push(
                Block::Equation(body.join("\n").trim().to_owned()),
                depth,
                at..close + 1,
                "",
            );
        }
        if let Some(tag) = Tag::at(text).filter(|tag| is_block_tag(tag)) {
            return self.tagged(at, end, depth, level, &tag);
        }
        if matches!(text, "---" | "***" | "___") {
            return self.push(Block::Divider, depth, at..at + 1, "");
        }
        let (text, attributes) = split_attributes(text);
        if let Some(image) = image(text) {
            // Notion's own files have links that rotate; a file never holds one, so the image is opaque to it.
            let image = match image {
                Block::Image(_, target) if url::is_signed(&target) => {
                    Block::Opaque("image".to_owned(), url::without_signatures(text))
                }
                image => image,
            };
            return self.push(image, depth, at..at + 1, attributes);
        }
        let hashes = text.bytes().take_while(|b| *b == b'#').count();
        if (1..=6).contains(&hashes)
            && let Some(rest) = text.get(hashes..).and_then(|rest| strip_space(rest))
        {
            let level = u8::try_from(hashes.min(4)).unwrap_or(4);
            return self.push(
                Block::Heading(level, v1_inline::parse(rest)),
                depth,
                at..at + 1,
                attributes,
            );
        }
        if let Some((marker, rest)) = item(text) {
            return self.push(
                Block::Item(marker, v1_inline::parse(rest)),
                depth,
                at..at + 1,
                attributes,
            );
        }
        if let Some(rest) = text.strip_prefix('>').and_then(strip_space) {
            let close = self.children_end(at, end);
            let mut content = Vec::new();
            let inline = v1_inline::parse(rest);
            if !inline.is_empty() {
                content.push(Node { depth: 0, block: Block::Paragraph(inline) });
            }
            content.extend(self.nodes(at + 1..close, level));
            return self.push(Block::Quote(content), depth, at..close, attributes);
        }
        self.push(paragraph(v1_inline::parse(text)), depth, at..at + 1, attributes)
    }

    fn find(&self, mut range: Range<usize>, wanted: impl Fn(&Line<'a>) -> bool) -> Option<usize> {
        range.find(|n| self.lines.get(*n).is_some_and(&wanted))
    }

    fn fenced(&mut self, at: usize, end: usize, depth: usize, ticks: usize) -> usize {
        let open = self.line(at);
        let close = self.find(at + 1..end, |line| closes_fence(line.text, ticks));
        let mut body = String::new();
        for n in at + 1..close.unwrap_or(end) {
            let line = self.line(n);
            let raw = self.source.get(line.span).unwrap_or_default();
            // The tabs of the block's own depth are no content.
            body.push_str(raw.get(line.indent.min(open.indent)..).unwrap_or(raw));
            body.push('\n');
        }
        let info = open.text.get(ticks..).unwrap_or_default().trim();
        let block = code(info, &body);
        self.push(block, depth, at..close.map_or(end, |close| close + 1), "")
    }

    fn tagged(
        &mut self,
        at: usize,
        end: usize,
        depth: usize,
        level: usize,
        tag: &Tag<'a>,
    ) -> usize {
        if tag.name == "empty-block" {
            return self.push(Block::Empty, depth, at..at + 1, "");
        }
        let close = self.close(at, end, tag);
        if let Some(close) = close.filter(|_| level < MAX_DEPTH) {
            let block = match tag.name {
                "callout" if close > at => {
                    let alert = Alert::of_icon(tag.attribute("icon").unwrap_or_default());
                    Some(Block::Callout(alert, self.nodes(at + 1..close, level)))
                }
                "details" if close > at => self.toggle(at + 1..close, level),
                "table" => return self.table(at, close, depth, tag),
                _ => None,
            };
            if let Some(block) = block {
                return self.push(block, depth, at..close + 1, "");
            }
        }
        let after = close.unwrap_or(at) + 1;
        let start = self.line(at).span.start;
        let stop = self.line(after - 1).span.end;
        let raw = self.source.get(start..stop).unwrap_or_default().trim();
        let name = match tag.name {
            "unknown" => tag.attribute("alt").unwrap_or("unknown"),
            name => name,
        };
        let name: String =
            name.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect();
        let name = if name.is_empty() { "unknown".to_owned() } else { name };
        self.push(Block::Opaque(name, url::without_signatures(raw)), depth, at..after, "")
    }

    /// The line that closes a tag opened on this one.
    fn close(&self, at: usize, end: usize, tag: &Tag<'_>) -> Option<usize> {
        let closing = format!("</{}>", tag.name);
        if tag.self_closing || self.line(at).text.contains(&closing) {
            return Some(at);
        }
        self.closes.get(&at).copied().filter(|close| *close < end)
    }

    fn nodes(&mut self, range: Range<usize>, level: usize) -> Vec<Node> {
        let outer = std::mem::take(&mut self.units);
        if level < MAX_DEPTH {
            self.blocks(range, level + 1);
        }
        std::mem::replace(&mut self.units, outer).into_iter().map(|unit| unit.node).collect()
    }

    fn toggle(&mut self, inside: Range<usize>, level: usize) -> Option<Block> {
        let summary = self.find(inside.clone(), |line| !line.text.trim().is_empty())?;
        let title = self.line(summary).text.trim();
        let title = title.strip_prefix("<summary>")?.strip_suffix("</summary>")?;
        let title = v1_inline::parse(title);
        Some(Block::Toggle(title, self.nodes(summary + 1..inside.end, level)))
    }

    /// A table: its tags may be on one line or on many.
    fn table(&mut self, at: usize, close: usize, depth: usize, tag: &Tag<'_>) -> usize {
        let span = self.line(at).span.start..self.line(close).span.end;
        let raw = self.source.get(span).unwrap_or_default();
        let blocks = table_tags::blocks(raw, tag, v1_inline::parse).unwrap_or_else(|| {
            let name = "table".to_owned();
            vec![(Block::Opaque(name, url::without_signatures(raw)), 0..close + 1 - at)]
        });
        for (block, lines) in blocks {
            self.push(block, depth, at + lines.start..at + lines.end, "");
        }
        close + 1
    }

    /// The line after all that is deeper than this one.
    fn children_end(&self, at: usize, end: usize) -> usize {
        let indent = self.line(at).indent;
        let mut last = at + 1;
        let mut next = at + 1;
        while next < end {
            let line = self.line(next);
            if line.text.trim().is_empty() {
                next += 1;
                continue;
            }
            if line.indent <= indent {
                break;
            }
            // What is inside of a fence may stand at any depth.
            next = fence(line.text.trim_end())
                .and_then(|ticks| self.find(next + 1..end, |line| closes_fence(line.text, ticks)))
                .unwrap_or(next)
                + 1;
            last = next;
        }
        last
    }

    fn push(&mut self, block: Block, depth: usize, lines: Range<usize>, attributes: &str) -> usize {
        let first = self.line(lines.start);
        let last = self.line(lines.end.saturating_sub(1).max(lines.start));
        let span = first.span.start..last.span.end;
        let raw = self.source.get(span.clone()).unwrap_or_default();
        let node = Node { depth, block };
        let frozen = node.holds_opaque() || url::holds_signed(raw);
        let key = node.key();
        self.units.push(RemoteUnit {
            node,
            key,
            span,
            indent: first.indent,
            attributes: attributes.to_owned(),
            frozen,
        });
        lines.end
    }
}

/// Number of backticks of an opening fence.
fn fence(text: &str) -> Option<usize> {
    let ticks = text.bytes().take_while(|b| *b == b'`').count();
    (ticks >= 3 && !text.get(ticks..).unwrap_or_default().contains('`')).then_some(ticks)
}

fn closes_fence(text: &str, ticks: usize) -> bool {
    let text = text.trim();
    text.len() >= ticks && text.bytes().all(|b| b == b'`')
}

/// The rest after one space, or after nothing where nothing follows.
fn strip_space(rest: &str) -> Option<&str> {
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

fn item(text: &str) -> Option<(Marker, &str)> {
    if let Some(rest) = text.strip_prefix(['-', '*', '+']).and_then(strip_space) {
        for (mark, checked) in [("[ ]", false), ("[x]", true), ("[X]", true)] {
            if let Some(rest) = rest.strip_prefix(mark).and_then(strip_space) {
                return Some((Marker::Todo(checked), rest));
            }
        }
        return Some((Marker::Bullet, rest));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=9).contains(&digits) {
        let rest = text.get(digits..)?.strip_prefix(['.', ')']).and_then(strip_space)?;
        return Some((Marker::Number, rest));
    }
    None
}

/// A line that is one image. A target that Notion would refuse makes it text.
fn image(text: &str) -> Option<Block> {
    let inner = text.strip_prefix("![")?.strip_suffix(')')?;
    let split = inner.rfind("](")?;
    let (caption, target) = (inner.get(..split)?, inner.get(split + 2..)?);
    let mut ends = caption.match_indices("](").map(|(at, _)| is_escaped(caption, at));
    if !url::is_sendable(target) || target.contains(['(', ')']) || !ends.all(|escaped| escaped) {
        return None;
    }
    Some(Block::Image(v1_inline::parse(caption), target.to_owned()))
}

/// Splits ` {color="…"}` off.
fn split_attributes(text: &str) -> (&str, &str) {
    let Some(at) = text.strip_suffix('}').and_then(|body| body.rfind('{')) else {
        return (text, "");
    };
    let (before, attributes) = text.split_at(at);
    let inner = attributes.trim_start_matches('{').trim_end_matches('}');
    let plain = inner.split_whitespace().all(|pair| {
        pair.split_once('=').is_some_and(|(name, value)| {
            name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
                && value.len() >= 2
                && value.starts_with('"')
                && value.ends_with('"')
        })
    });
    if inner.is_empty() || !plain || !(before.is_empty() || before.ends_with(' ')) {
        return (text, "");
    }
    let body = before.trim_end();
    (body, text.get(body.len()..).unwrap_or_default())
}

/// Whether a line that begins with this tag is a block of that name; Notion escapes a literal `<`.
fn is_block_tag(tag: &Tag<'_>) -> bool {
    !tag.closing && !INLINE_TAGS.contains(&tag.name) && !tag.name.starts_with("mention-")
}
