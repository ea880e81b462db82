//! Reads Notion's v2 grammar (notion-api.md §5.3) into units: blank lines part blocks, lists nest by indentation,
//! tags carry attributes and children.

use std::collections::HashMap;
use std::ops::Range;

use super::block::{Block, Marker, Node, RemoteUnit, code, paragraph};
use super::html::Tag;
use super::v2_line as syntax;
use super::{url, v2_inline};

/// Columns of a tab.
pub(super) const TAB: usize = 4;

/// Containers nested deeper are opaque; recursion must end.
pub(super) const MAX_DEPTH: usize = 48;

/// A line without its ending.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    pub(super) span: Range<usize>,
    /// Columns of white space before the text.
    pub(super) indent: usize,
    /// The text after it.
    pub(super) text: &'a str,
}

/// The units of a body, in order.
pub(super) fn parse(text: &str) -> Vec<RemoteUnit> {
    parse_at(text, 0)
}

/// The units of a text that stands inside of that many containers.
fn parse_at(text: &str, level: usize) -> Vec<RemoteUnit> {
    let mut lines = Vec::new();
    let mut at = 0;
    for raw in text.split_inclusive('\n') {
        let content = raw.strip_suffix('\n').unwrap_or(raw);
        let content = content.strip_suffix('\r').unwrap_or(content);
        let body = content.trim_start_matches([' ', '\t']);
        let indent = content
            .bytes()
            .take(content.len() - body.len())
            .fold(0, |column, b| if b == b'\t' { (column / TAB + 1) * TAB } else { column + 1 });
        lines.push(Line { span: at..at + content.len(), indent, text: body });
        at += raw.len();
    }
    let closes = closing_lines(&lines);
    let mut reader = Reader {
        source: text,
        lines: &lines,
        closes: &closes,
        lists: Vec::new(),
        units: Vec::new(),
    };
    reader.blocks(0..lines.len(), 0, level);
    reader.units
}

/// For each line that opens a tag which it does not close, the line that does.
fn closing_lines(lines: &[Line<'_>]) -> HashMap<usize, usize> {
    let mut open: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut out = HashMap::new();
    let mut fence = None;
    for (n, line) in lines.iter().enumerate() {
        let text = line.text.trim_end();
        if let Some(mark) = fence {
            if syntax::closes_fence(text, mark) {
                fence = None;
            }
            continue;
        }
        fence = syntax::fence(text);
        let Some(tag) = Tag::at(text).filter(|_| fence.is_none()) else {
            // A closing tag may follow the text of its block; `\<` is text.
            let close = text.rfind("</").filter(|at| !syntax::is_escaped(text, *at));
            if let Some(close) = close.and_then(|at| Tag::at(text.get(at..)?))
                && text.ends_with('>')
                && let Some(start) = open.get_mut(close.name).and_then(Vec::pop)
            {
                out.insert(start, n);
            }
            continue;
        };
        if tag.closing {
            if let Some(start) = open.get_mut(tag.name).and_then(Vec::pop) {
                out.insert(start, n);
            }
        } else if !tag.self_closing && !syntax::closes_itself(text, tag.name) {
            open.entry(tag.name).or_default().push(n);
        }
    }
    out
}

pub(super) struct Reader<'a, 's> {
    source: &'a str,
    lines: &'s [Line<'a>],
    closes: &'s HashMap<usize, usize>,
    /// Markers of the lists in tags around.
    pub(super) lists: Vec<Marker>,
    pub(super) units: Vec<RemoteUnit>,
}

impl<'a> Reader<'a, '_> {
    pub(super) fn line(&self, at: usize) -> Line<'a> {
        self.lines.get(at).cloned().unwrap_or(Line { span: 0..0, indent: 0, text: "" })
    }

    /// The source of lines.
    pub(super) fn raw(&self, lines: Range<usize>) -> &'a str {
        let start = self.line(lines.start).span.start;
        let end = self.line(lines.end.saturating_sub(1).max(lines.start)).span.end;
        self.source.get(start..end).unwrap_or_default()
    }

    pub(super) fn close_of(&self, at: usize, end: usize) -> Option<usize> {
        self.closes.get(&at).copied().filter(|close| *close < end)
    }

    /// Reads the lines as blocks that are at least at this depth.
    pub(super) fn blocks(&mut self, range: Range<usize>, base: usize, level: usize) {
        // Open items: column, depth of their children.
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
            let depth = parents.last().map_or(base, |(_, depth)| *depth);
            let before = self.units.len();
            at = self.block(at, range.end, depth, level).max(at + 1);
            let item = self.units.get(before);
            if item.is_some_and(|unit| {
                matches!(unit.node.block, Block::Item(..)) && unit.attributes.is_empty()
            }) {
                parents.push((line.indent, depth + 1));
            }
        }
    }

    /// Content of a container that is one unit.
    pub(super) fn nodes(&mut self, range: Range<usize>, level: usize) -> Vec<Node> {
        let outer = std::mem::take(&mut self.units);
        let lists = std::mem::take(&mut self.lists);
        self.blocks(range, 0, level + 1);
        self.lists = lists;
        std::mem::replace(&mut self.units, outer).into_iter().map(|unit| unit.node).collect()
    }

    /// One block; answers with the line after it.
    fn block(&mut self, at: usize, end: usize, depth: usize, level: usize) -> usize {
        let line = self.line(at);
        let text = line.text.trim_end();
        if let Some(mark) = syntax::fence(text) {
            return self.fenced(at, end, depth, mark);
        }
        if text == "$$"
            && let Some(close) = self.find(at + 1..end, |line| line.text.trim() == "$$")
        {
            let body: Vec<&str> = (at + 1..close).map(|n| self.line(n).text.trim()).collect();
            let block = Block::Equation(body.join("\n").trim().to_owned());
            return self.push(block, depth, at..close + 1, "");
        }
        if let Some(tag) = syntax::block_tag(text) {
            return self.tagged(at, end, depth, level, &tag);
        }
        if syntax::is_rule(text) {
            return self.push(Block::Divider, depth, at..at + 1, "");
        }
        if let Some((level, title)) = syntax::heading(text) {
            let block = Block::Heading(level, v2_inline::parse(title));
            return self.push(block, depth, at..at + 1, "");
        }
        if text.starts_with('>') {
            return self.quote(at, end, depth, level);
        }
        if let Some((marker, rest)) = syntax::item(text) {
            // Beside an item any number begins another one.
            let after = self
                .find(at + 1..end, |line| {
                    let text = line.text.trim_end();
                    text.is_empty() || syntax::interrupts(text) || syntax::item(text).is_some()
                })
                .unwrap_or(end);
            let mut own = rest.to_owned();
            for n in at + 1..after {
                own.push('\n');
                own.push_str(self.line(n).text);
            }
            return self.push(Block::Item(marker, v2_inline::parse(&own)), depth, at..after, "");
        }
        if self.is_pipe_table(at, end) {
            return self.pipe_table(at, end, depth);
        }
        self.paragraph(at, end, depth)
    }

    fn paragraph(&mut self, at: usize, end: usize, depth: usize) -> usize {
        let after = self.text_end(at + 1, end);
        let own = self.raw(at..after);
        // A line of `=` or `-` below makes it a heading.
        if let Some(level) =
            (after < end).then(|| syntax::underline(self.line(after).text.trim_end())).flatten()
        {
            let block = Block::Heading(level, v2_inline::parse(own));
            return self.push(block, depth, at..after + 1, "");
        }
        if let Some((caption, target)) = v2_inline::image(own) {
            return self.image(caption, target, depth, at..after, "");
        }
        self.push(paragraph(v2_inline::parse(own)), depth, at..after, "")
    }

    /// Notion's own files have links that rotate; a file never holds one, so the image is opaque to it.
    pub(super) fn image(
        &mut self,
        caption: super::inline::Inline,
        target: String,
        depth: usize,
        lines: Range<usize>,
        attributes: &str,
    ) -> usize {
        let block = if url::is_signed(&target) {
            let raw = self.raw(lines.clone());
            Block::Opaque("image".to_owned(), url::without_signatures(raw.trim()))
        } else {
            Block::Image(caption, target)
        };
        self.push(block, depth, lines, attributes)
    }

    /// The line after those that go on with the text of a block.
    pub(super) fn text_end(&self, from: usize, end: usize) -> usize {
        self.find(from..end, |line| {
            let text = line.text.trim_end();
            text.is_empty() || syntax::interrupts(text)
        })
        .unwrap_or(end.max(from))
    }

    fn find(&self, mut range: Range<usize>, wanted: impl Fn(&Line<'a>) -> bool) -> Option<usize> {
        range.find(|n| self.lines.get(*n).is_some_and(&wanted))
    }

    fn fenced(&mut self, at: usize, end: usize, depth: usize, mark: (char, usize)) -> usize {
        let open = self.line(at);
        let close = self.find(at + 1..end, |line| syntax::closes_fence(line.text, mark));
        let mut body = String::new();
        for n in at + 1..close.unwrap_or(end) {
            body.push_str(syntax::dedent(self.raw(n..n + 1), open.indent));
            body.push('\n');
        }
        let info = open.text.get(mark.1..).unwrap_or_default().trim();
        let block = code(info, &body);
        self.push(block, depth, at..close.map_or(end, |close| close + 1), "")
    }

    /// Lines that begin with `>`, and those that go on with the text of the last one.
    fn quote(&mut self, at: usize, end: usize, depth: usize, level: usize) -> usize {
        let mut inner = String::new();
        let mut next = at;
        let mut in_text = false;
        while next < end {
            let text = self.line(next).text.trim_end();
            let own = text.strip_prefix('>');
            if own.is_none() && (!in_text || text.is_empty() || syntax::interrupts(text)) {
                break;
            }
            let body = own.map_or(text, |rest| rest.strip_prefix(' ').unwrap_or(rest));
            in_text = !body.trim().is_empty() && !syntax::interrupts(body.trim_start());
            inner.push_str(body);
            inner.push('\n');
            next += 1;
        }
        let content = if level < MAX_DEPTH {
            parse_at(&inner, level + 1).into_iter().map(|unit| unit.node).collect()
        } else {
            let text = super::inline::Inline::text(&inner);
            vec![Node { depth: 0, block: Block::Paragraph(text) }]
        };
        self.push(Block::Quote(content), depth, at..next, "")
    }

    fn is_pipe_table(&self, at: usize, end: usize) -> bool {
        let head = self.line(at).text;
        at + 1 < end
            && head.contains('|')
            && syntax::delimiter_columns(self.line(at + 1).text.trim())
                .is_some_and(|columns| columns == syntax::pipe_cells(head.trim()).len())
    }

    fn pipe_table(&mut self, at: usize, end: usize, depth: usize) -> usize {
        let cells = |n: usize| -> Vec<_> {
            let cells = syntax::pipe_cells(self.line(n).text.trim());
            cells.iter().map(|cell| v2_inline::parse(cell)).collect()
        };
        let header = cells(at);
        let columns = header.len();
        let close = self
            .find(at + 2..end, |line| {
                let text = line.text.trim_end();
                text.is_empty() || (!text.starts_with('|') && syntax::interrupts(text))
            })
            .unwrap_or(end);
        let rows: Vec<_> = (at + 2..close).map(cells).collect();
        let header = Some(header).filter(|cells| cells.iter().any(|cell| !cell.is_empty()));
        self.push(Block::Table(header, columns), depth, at..at + 2, "");
        for (n, mut row) in (at + 2..close).zip(rows) {
            row.resize(columns, super::inline::Inline::default());
            self.push(Block::Row(row), depth, n..n + 1, "");
        }
        // The end of such a table has no text of its own.
        self.push(Block::TableEnd, depth, close - 1..close, "");
        if let Some(unit) = self.units.last_mut() {
            unit.span.start = unit.span.end;
        }
        close
    }

    pub(super) fn push(
        &mut self,
        block: Block,
        depth: usize,
        lines: Range<usize>,
        attributes: &str,
    ) -> usize {
        let first = self.line(lines.start);
        let last = self.line(lines.end.saturating_sub(1).max(lines.start));
        self.push_span(block, depth, first.span.start..last.span.end, first.indent, attributes);
        lines.end
    }

    pub(super) fn push_span(
        &mut self,
        block: Block,
        depth: usize,
        span: Range<usize>,
        indent: usize,
        attributes: &str,
    ) {
        let raw = self.source.get(span.clone()).unwrap_or_default();
        let node = Node { depth, block };
        let frozen = node.holds_opaque() || url::holds_signed(raw);
        let key = node.key();
        self.units.push(RemoteUnit {
            node,
            key,
            span,
            indent,
            attributes: attributes.to_owned(),
            frozen,
        });
    }
}
