//! Reads a file's body into units with byte spans.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::BlockQuoteKind;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag as MdTag};

use super::Local;
use super::block::{Alert, Block, LocalUnit, Marker, Node, code};
use super::html;
use super::inline::{Inline, Marks, Piece, Run};
use super::links::Links;
use super::local_text::{self, Found};

/// Quotes and lists deeper than this are read as text; nobody writes them, and recursion must end.
const MAX_DEPTH: usize = 48;

/// An event with the range of its source.
pub(super) type Spanned<'a> = (Event<'a>, Range<usize>);

/// The units of a Markdown file, in order. HTML comments, reference and footnote definitions are no units: they
/// exist only in the file.
pub(super) fn parse(local: &Local<'_>) -> Vec<LocalUnit> {
    let masked = mask(local.text, local.excluded);
    parse_text(&masked, local.links)
}

/// The text with the excluded ranges blanked, so that all offsets stay.
pub(super) fn mask<'a>(text: &'a str, excluded: &[Range<usize>]) -> Cow<'a, str> {
    if excluded.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.as_bytes().to_vec();
    for range in excluded {
        for byte in bytes.get_mut(range.clone()).unwrap_or_default() {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The events of a text in the grammar of files.
pub(super) fn events(text: &str) -> Vec<Spanned<'_>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    // About one event for a line of prose.
    let mut events = Vec::with_capacity(text.len() / 16);
    events.extend(Parser::new_ext(text, options).into_offset_iter());
    events
}

pub(super) fn parse_text(text: &str, links: Option<&Links>) -> Vec<LocalUnit> {
    let events = events(text);
    let mut ends = vec![0; events.len()];
    let mut open = Vec::new();
    for (n, (event, _)) in events.iter().enumerate() {
        match event {
            Event::Start(_) => open.push(n),
            Event::End(_) => {
                if let Some(end) = open.pop().and_then(|start: usize| ends.get_mut(start)) {
                    *end = n;
                }
            }
            _ => {}
        }
    }
    let mut reader =
        Reader { text, links, events: &events, ends: &ends, units: Vec::new(), key: String::new() };
    reader.blocks(0..events.len(), 0, "", 0);
    reader.units
}

struct Reader<'a, 'e> {
    text: &'a str,
    links: Option<&'e Links>,
    events: &'e [Spanned<'a>],
    /// For each start event, where it ends.
    ends: &'e [usize],
    units: Vec<LocalUnit>,
    /// Where keys are written, so that each is allocated once and no longer than it is.
    key: String,
}

impl<'a, 'e> Reader<'a, 'e> {
    fn event(&self, at: usize) -> Option<(&'e Event<'a>, Range<usize>)> {
        self.events.get(at).map(|(event, range)| (event, range.clone()))
    }

    /// Index after the event and all inside of it.
    fn after(&self, at: usize) -> usize {
        match self.event(at) {
            Some((Event::Start(_), _)) => self.ends.get(at).copied().unwrap_or(at).max(at) + 1,
            _ => at + 1,
        }
    }

    fn source(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    fn blocks(&mut self, range: Range<usize>, depth: usize, indent: &str, level: usize) {
        let mut at = range.start;
        while at < range.end {
            let Some((event, span)) = self.event(at) else { return };
            let after = self.after(at);
            match event {
                Event::Start(MdTag::HtmlBlock) => {
                    at = self.html_block(at, range.end, depth, indent, level);
                    continue;
                }
                Event::Start(tag) if is_block(tag) => {
                    self.block(tag, at, span, depth, indent, level)
                }
                Event::Rule => self.push(Node { depth, block: Block::Divider }, span, indent),
                Event::End(_) => {}
                // Text of a tight list item after its first paragraph.
                _ => {
                    let end = self.inline_end(at, range.end);
                    let found = self.inline(at..end);
                    self.paragraph(found, indent, depth, None);
                    at = end.max(at + 1);
                    continue;
                }
            }
            at = after;
        }
    }

    fn block(
        &mut self,
        tag: &MdTag<'a>,
        at: usize,
        span: Range<usize>,
        depth: usize,
        indent: &str,
        level: usize,
    ) {
        let inside = at + 1..self.after(at).saturating_sub(1);
        match tag {
            MdTag::Paragraph => {
                let found = self.inline(inside);
                self.paragraph(found, indent, depth, Some(span));
            }
            MdTag::Heading { level, .. } => {
                let found = self.inline(inside);
                let level = match level {
                    HeadingLevel::H1 => 1,
                    HeadingLevel::H2 => 2,
                    HeadingLevel::H3 => 3,
                    _ => 4,
                };
                let node = Node { depth, block: Block::Heading(level, Inline::normal(found.runs)) };
                self.push(node, span, indent);
                self.last(|unit| unit.inline = found.span);
            }
            MdTag::CodeBlock(kind) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.as_ref(),
                    CodeBlockKind::Indented => "",
                };
                let mut text = String::new();
                let mut content: Option<Range<usize>> = None;
                for (event, span) in self.events.get(inside).unwrap_or_default() {
                    if let Event::Text(part) = event {
                        text.push_str(part);
                        let start = content.map_or(span.start, |content| content.start);
                        content = Some(start..span.end);
                    }
                }
                let block = if info == "math" {
                    Block::Equation(text.trim().to_owned())
                } else {
                    code(info, &text)
                };
                self.push(Node { depth, block }, span, indent);
                self.last(|unit| unit.inline = content);
            }
            MdTag::BlockQuote(kind) => {
                let block = if level >= MAX_DEPTH {
                    Block::Quote(vec![Node {
                        depth: 0,
                        block: Block::Paragraph(Inline::text(self.source(span.clone()))),
                    }])
                } else {
                    let content = self.nodes(inside, level + 1);
                    match kind {
                        None => Block::Quote(content),
                        Some(kind) => Block::Callout(alert(*kind), content),
                    }
                };
                self.push(Node { depth, block }, span.clone(), indent);
                self.last(|unit| unit.inline = Some(span));
            }
            MdTag::List(_) => self.list(tag, inside, depth, level),
            MdTag::Table(_) => self.table(inside, span, depth, indent),
            // Footnote definitions stay in the file alone.
            _ => {}
        }
    }

    /// Content of a container that is one unit.
    fn nodes(&mut self, inside: Range<usize>, level: usize) -> Vec<Node> {
        let outer = std::mem::take(&mut self.units);
        self.blocks(inside, 0, "", level);
        std::mem::replace(&mut self.units, outer).into_iter().map(|unit| unit.node).collect()
    }

    fn list(&mut self, tag: &MdTag<'a>, inside: Range<usize>, depth: usize, level: usize) {
        let numbered = matches!(tag, MdTag::List(Some(_)));
        let mut at = inside.start;
        while at < inside.end {
            let after = self.after(at);
            if let Some((Event::Start(MdTag::Item), span)) = self.event(at) {
                self.item(numbered, at + 1..after.saturating_sub(1), span, depth, level);
            }
            at = after;
        }
    }

    fn item(
        &mut self,
        numbered: bool,
        inside: Range<usize>,
        span: Range<usize>,
        depth: usize,
        level: usize,
    ) {
        let line = self
            .text
            .get(..span.start)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |at| at + 1);
        let source = self.source(span.clone());
        let marker_start = span.start + source.len() - source.trim_start().len();
        let marker: String = source
            .trim_start()
            .chars()
            .take_while(|c| c.is_ascii_digit() || matches!(c, '-' | '*' | '+' | '.' | ')'))
            .take(if numbered { 10 } else { 1 })
            .collect();

        let mut first = inside.start;
        let mut head = first..first;
        let mut rest = first;
        if let Some((Event::Start(MdTag::Paragraph), _)) =
            self.event(first).filter(|_| first < inside.end)
        {
            rest = self.after(first);
            head = first + 1..rest.saturating_sub(1);
        } else if first < inside.end {
            first = self.inline_end(first, inside.end);
            head = inside.start..first;
            rest = first;
        }
        let found = self.inline(head);
        let marker_end = marker_start + marker.len();
        let end = found.end.max(found.task.as_ref().map_or(marker_end, |task| task.end));
        let before = self.source(line..marker_start);
        let indent = if before.trim().is_empty() {
            before.to_owned()
        } else {
            " ".repeat(before.chars().count())
        };
        let content =
            found.task.clone().or_else(|| found.span.clone()).map(|content| content.start);
        let gap = content.and_then(|content| self.text.get(marker_end..content)).unwrap_or(" ");
        let gap = if gap.is_empty() || !gap.trim().is_empty() || gap.len() > 4 { " " } else { gap };
        let child_indent = if gap.contains('\t') {
            format!("{indent}\t")
        } else {
            format!("{indent}{}", " ".repeat(marker.len() + gap.len()))
        };
        let kind = match &found.checked {
            Some(checked) => Marker::Todo(*checked),
            None if numbered => Marker::Number,
            None => Marker::Bullet,
        };
        let node = Node { depth, block: Block::Item(kind, Inline::normal(found.runs)) };
        self.push(node, marker_start..end, &indent);
        self.last(|unit| {
            unit.inline = found.span;
            unit.task = found.task;
            unit.marker = marker;
            unit.child_indent.clone_from(&child_indent);
        });
        if level < MAX_DEPTH {
            self.blocks(rest..inside.end, depth + 1, &child_indent, level + 1);
        }
    }

    fn table(&mut self, inside: Range<usize>, span: Range<usize>, depth: usize, indent: &str) {
        let mut rows = Vec::new();
        let mut at = inside.start;
        while at < inside.end {
            let after = self.after(at);
            if let Some((Event::Start(MdTag::TableHead | MdTag::TableRow), row)) = self.event(at) {
                let mut cells = Vec::new();
                let mut spans = Vec::new();
                let mut cell = at + 1;
                while cell + 1 < after {
                    let end = self.after(cell);
                    if let Some((Event::Start(MdTag::TableCell), range)) = self.event(cell) {
                        let source = self.source(range.clone()).trim_end_matches('|');
                        let start = range.start + source.len() - source.trim_start().len();
                        spans.push(start..start + source.trim().len());
                        cells.push(Inline::normal(
                            self.inline(cell + 1..end.saturating_sub(1)).runs,
                        ));
                    }
                    cell = end;
                }
                rows.push((cells, spans, row));
            }
            at = after;
        }
        let mut rows = rows.into_iter();
        let Some((cells, spans, head)) = rows.next() else { return };
        let columns = cells.len();
        let header = cells.iter().any(|cell| !cell.is_empty()).then_some(cells);
        // The delimiter row belongs to the header.
        let line_end = |from: usize| {
            self.text
                .get(from..)
                .and_then(|rest| rest.find('\n'))
                .map_or(self.text.len(), |n| from + n)
        };
        let delimiter_end =
            line_end((line_end(head.start) + 1).min(self.text.len())).min(span.end.max(head.end));
        let empty_header = header.is_none();
        self.push(
            Node { depth, block: Block::Table(header, columns) },
            head.start..delimiter_end,
            indent,
        );
        self.last(|unit| unit.cells = if empty_header { Vec::new() } else { spans });
        let mut end = delimiter_end;
        for (cells, spans, row) in rows {
            end = row.end;
            self.push(Node { depth, block: Block::Row(cells) }, row, indent);
            self.last(|unit| unit.cells = spans);
        }
        self.push(Node { depth, block: Block::TableEnd }, end..end, indent);
        // The end of a table has no text of its own: it is at the end of the last row's line.
        let at = self.units.iter().rev().nth(1).map_or(end, |unit| unit.span.end);
        self.last(|unit| unit.span = at..at);
    }

    /// Comments, `<details>`, and other HTML; answers with the index after it.
    fn html_block(
        &mut self,
        at: usize,
        end: usize,
        depth: usize,
        indent: &str,
        level: usize,
    ) -> usize {
        let after = self.after(at);
        let Some((_, span)) = self.event(at) else { return after };
        let source = self.html_text(at);
        if let Some(name) = html::marker_name(&source) {
            let block = Block::Opaque(name.to_owned(), String::new());
            self.push(Node { depth, block }, span, indent);
            return after;
        }
        if is_only_comments(&source) {
            return after;
        }
        if let Some((title, close)) = self.details(at, end, &source).filter(|_| level < MAX_DEPTH) {
            let content = self.nodes(after..close, level + 1);
            let close_end = self.event(close).map_or(span.end, |(_, range)| range.end);
            let title = super::v1_inline::parse_html(&title, self.links);
            let node = Node { depth, block: Block::Toggle(title, content) };
            self.push(node, span.start..close_end, indent);
            return self.after(close);
        }
        // Any other HTML is sent as the text it is.
        let mut runs = Vec::new();
        for line in source.trim().lines() {
            runs.push(Run { piece: Piece::Text(line.to_owned()), marks: Marks::default() });
            runs.push(Run { piece: Piece::Break, marks: Marks::default() });
        }
        self.push(Node { depth, block: Block::Paragraph(Inline::normal(runs)) }, span, indent);
        after
    }

    fn html_text(&self, at: usize) -> String {
        let inside = at + 1..self.after(at).saturating_sub(1);
        let mut text = String::new();
        for (event, _) in self.events.get(inside).unwrap_or_default() {
            if let Event::Html(part) | Event::InlineHtml(part) | Event::Text(part) = event {
                text.push_str(part);
            }
        }
        text
    }

    /// For an HTML block that is exactly the head of a toggle: its title, and the index of the block that is
    /// exactly its end.
    fn details(&self, at: usize, end: usize, source: &str) -> Option<(String, usize)> {
        let head = source.trim();
        let tag = html::Tag::at(head).filter(|tag| tag.name == "details" && !tag.closing)?;
        let summary =
            head.get(tag.len..)?.trim().strip_prefix("<summary>")?.strip_suffix("</summary>")?;
        if summary.contains("<summary") || summary.contains('\n') {
            return None;
        }
        let mut nested = 0_usize;
        let mut next = self.after(at);
        while next < end {
            if let Some((Event::Start(MdTag::HtmlBlock), _)) = self.event(next) {
                let text = self.html_text(next);
                if text.trim() == "</details>" {
                    if nested == 0 {
                        return Some((summary.trim().to_owned(), next));
                    }
                    nested -= 1;
                } else if text.trim_start().starts_with("<details") && !text.contains("</details>")
                {
                    nested += 1;
                }
            }
            next = self.after(next);
        }
        None
    }

    fn paragraph(&mut self, found: Found, indent: &str, depth: usize, span: Option<Range<usize>>) {
        let Some(inline) = found.span else {
            return;
        };
        let span = span.unwrap_or_else(|| inline.clone());
        let source = self.source(inline.clone()).trim();
        let equation = source
            .strip_prefix("$$")
            .and_then(|rest| rest.strip_suffix("$$"))
            .filter(|rest| !rest.trim().is_empty() && !rest.contains("$$"));
        let mut inside: Option<Range<usize>> = None;
        let block = if let Some(equation) = equation {
            inside = self
                .source(inline.clone())
                .find("$$")
                .map(|at| inline.start + at + 2)
                .map(|start| start..start + equation.len());
            let lines: Vec<&str> = equation.trim().lines().map(str::trim).collect();
            Block::Equation(lines.join("\n"))
        } else if let Some((caption, target)) = found.image {
            Block::Image(caption, target)
        } else {
            Block::Paragraph(Inline::normal(found.runs))
        };
        // Nothing but comments.
        if matches!(&block, Block::Paragraph(text) if text.is_empty()) {
            return;
        }
        if matches!(block, Block::Paragraph(_)) {
            inside = Some(inline);
        }
        self.push(Node { depth, block }, span, indent);
        self.last(|unit| unit.inline = inside);
    }

    fn inline_end(&self, from: usize, end: usize) -> usize {
        let mut at = from;
        while at < end {
            match self.event(at) {
                Some((Event::Start(tag), _))
                    if is_block(tag) || matches!(tag, MdTag::HtmlBlock) =>
                {
                    break;
                }
                Some((Event::Rule, _)) => break,
                _ => at = self.after(at),
            }
        }
        at
    }

    fn inline(&self, range: Range<usize>) -> Found {
        local_text::read(self.events.get(range).unwrap_or_default(), self.links)
    }

    fn push(&mut self, node: Node, span: Range<usize>, indent: &str) {
        self.key.clear();
        node.write_key(&mut self.key);
        let key = self.key.clone();
        let span = self.whole_lines(span);
        let floor = self.units.last().map_or(0, |unit| unit.span.end);
        // Several list markers may share a line: the first one has it, the next begin where it ends.
        let start = if span.start < floor { floor.min(span.end) } else { span.start };
        self.units.push(LocalUnit {
            node,
            key,
            span: start..span.end,
            inline: None,
            task: None,
            cells: Vec::new(),
            indent: indent.to_owned(),
            child_indent: indent.to_owned(),
            marker: String::new(),
        });
    }

    fn last(&mut self, change: impl FnOnce(&mut LocalUnit)) {
        if let Some(unit) = self.units.last_mut() {
            change(unit);
        }
    }

    /// From the begin of the first line to the end of the last one that holds anything.
    fn whole_lines(&self, span: Range<usize>) -> Range<usize> {
        let start = self
            .text
            .get(..span.start)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |at| at + 1);
        let content = self.source(span.clone()).trim_end().len();
        let end = span.start + content;
        let rest = self.text.get(end..).unwrap_or_default();
        let line = rest.find('\n').unwrap_or(rest.len());
        let line = rest.get(..line).map_or(0, |line| line.trim_end_matches('\r').len());
        start..end + line
    }
}

fn is_block(tag: &MdTag<'_>) -> bool {
    matches!(
        tag,
        MdTag::Paragraph
            | MdTag::Heading { .. }
            | MdTag::BlockQuote(_)
            | MdTag::CodeBlock(_)
            | MdTag::List(_)
            | MdTag::Table(_)
            | MdTag::FootnoteDefinition(_)
    )
}

fn is_only_comments(source: &str) -> bool {
    let mut rest = source.trim();
    while let Some(body) = rest.strip_prefix("<!--") {
        match body.split_once("-->") {
            Some((_, tail)) => rest = tail.trim_start(),
            None => return true,
        }
    }
    rest.is_empty()
}

fn alert(kind: BlockQuoteKind) -> Alert {
    match kind {
        BlockQuoteKind::Note => Alert::Note,
        BlockQuoteKind::Tip => Alert::Tip,
        BlockQuoteKind::Important => Alert::Important,
        BlockQuoteKind::Warning => Alert::Warning,
        BlockQuoteKind::Caution => Alert::Caution,
    }
}
