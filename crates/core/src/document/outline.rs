//! The top-level shape of a Markdown file: front matter, headings, the blocks under them, with byte ranges.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag};

/// What a top-level block is, as far as properties care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    /// A heading with the range of its text, without markers.
    Heading { level: u8, content: Range<usize> },
    /// A paragraph.
    Paragraph,
    /// A list with the ranges of its own items.
    List { items: Vec<Range<usize>> },
    /// Raw HTML, comments among it.
    Html,
    /// Anything else.
    Other,
}

/// A top-level block. Its range covers whole lines, the last line break included, no blank lines at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: BlockKind,
    pub(super) at: Range<usize>,
}

/// Shape of a Markdown file.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    /// The front matter with its fences; whole lines.
    pub(super) front: Option<Range<usize>>,
    /// The lines between the fences.
    pub(super) front_inner: Range<usize>,
    /// Where the text after byte order mark and front matter begins.
    pub(super) start: usize,
    /// Top-level blocks in order.
    pub(super) blocks: Vec<Block>,
}

/// A heading and what stands under it up to the next heading of any level.
#[derive(Clone, Debug)]
pub(super) struct Section<'a> {
    pub(super) heading: &'a Block,
    pub(super) blocks: &'a [Block],
}

const BOM: &str = "\u{feff}";

/// Length of the byte order mark, if there is one.
pub(super) fn bom(text: &str) -> usize {
    if text.starts_with(BOM) { BOM.len() } else { 0 }
}

/// Ranges of the lines of `text[within]`, line breaks included.
pub(super) fn lines(text: &str, within: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = within.start;
    text[within].split_inclusive('\n').map(move |line| {
        let range = at..at + line.len();
        at = range.end;
        range
    })
}

/// The range without the line break at its end.
pub(super) fn without_break(text: &str, line: Range<usize>) -> Range<usize> {
    let kept = text[line.clone()].trim_end_matches(['\n', '\r']).len();
    line.start..line.start + kept
}

/// The range without white space at both ends.
pub(super) fn trimmed(text: &str, at: Range<usize>) -> Range<usize> {
    let part = &text[at.clone()];
    let start = at.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// Line number from 1 of a byte position.
pub(super) fn line_number(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

/// The line break that the file uses.
pub(super) fn line_break(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Front matter as (block, inner). It needs `---` as the very first line, a closing `---` or `...`, and inside
/// first of all a key or a comment: a document may begin with a thematic break.
fn front_matter(text: &str) -> Option<(Range<usize>, Range<usize>)> {
    let begin = bom(text);
    let mut all = lines(text, begin..text.len());
    let open = all.next()?;
    if text[open.clone()].trim_end() != "---" {
        return None;
    }
    let close = all.find(|line| matches!(text[line.clone()].trim_end(), "---" | "..."))?;
    let inner = open.end..close.start;
    let first = text[inner.clone()].lines().find(|line| !line.trim().is_empty());
    let mapping =
        first.is_none_or(|line| line.starts_with('#') || super::keys::key_of(line).is_some());
    mapping.then_some((begin..close.end, inner))
}

impl Outline {
    /// Reads the shape of a Markdown file.
    pub(super) fn of(text: &str) -> Self {
        let begin = bom(text);
        let (front, front_inner, start) = match front_matter(text) {
            Some((block, inner)) => {
                let end = block.end;
                (Some(block), inner, end)
            }
            None => (None, begin..begin, begin),
        };
        let mut outline = Self { front, front_inner, start, blocks: Vec::new() };
        outline.read_blocks(text);
        outline
    }

    /// The shape of a YAML artifact: all of it is one mapping.
    pub(super) fn of_yaml(text: &str) -> Self {
        let begin = bom(text);
        Self { front: None, front_inner: begin..text.len(), start: begin, blocks: Vec::new() }
    }

    fn read_blocks(&mut self, text: &str) {
        let options =
            Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_TASKLISTS;
        let mut depth = 0usize;
        for (event, range) in Parser::new_ext(&text[self.start..], options).into_offset_iter() {
            let at = range.start + self.start..range.end + self.start;
            match event {
                Event::Start(tag) => {
                    depth += 1;
                    if depth == 1 {
                        let block = block(text, &tag, at);
                        self.blocks.push(block);
                    } else if depth == 2
                        && matches!(tag, Tag::Item)
                        && let Some(Block { kind: BlockKind::List { items }, .. }) =
                            self.blocks.last_mut()
                    {
                        items.push(whole_lines(text, at));
                    }
                }
                Event::End(_) => depth = depth.saturating_sub(1),
                _ if depth == 0 => {
                    let at = whole_lines(text, at);
                    self.blocks.push(Block { kind: BlockKind::Other, at });
                }
                _ => {}
            }
        }
    }

    /// The first level-1 heading with the range of its text.
    pub(super) fn h1(&self) -> Option<(&Block, Range<usize>)> {
        self.blocks.iter().find_map(|block| match &block.kind {
            BlockKind::Heading { level: 1, content } => Some((block, content.clone())),
            _ => None,
        })
    }

    /// The first level-2 section whose heading is the first of these names that occurs. Case and a colon at the
    /// end do not matter.
    pub(super) fn section<'a>(&'a self, text: &str, names: &[String]) -> Option<Section<'a>> {
        names.iter().find_map(|name| {
            let index = self.blocks.iter().position(|block| match &block.kind {
                BlockKind::Heading { level: 2, content } => {
                    let title = text[content.clone()].trim().trim_end_matches(':').trim_end();
                    title.to_lowercase() == name.trim().to_lowercase()
                }
                _ => false,
            })?;
            let (heading, rest) = self.blocks.get(index..)?.split_first()?;
            let end = rest
                .iter()
                .position(|block| matches!(block.kind, BlockKind::Heading { .. }))
                .unwrap_or(rest.len());
            Some(Section { heading, blocks: &rest[..end] })
        })
    }
}

fn block(text: &str, tag: &Tag<'_>, at: Range<usize>) -> Block {
    let at = whole_lines(text, at);
    let kind = match tag {
        Tag::Heading { level, .. } => {
            let content = heading_content(text, at.clone());
            BlockKind::Heading { level: level_number(*level), content }
        }
        Tag::Paragraph => BlockKind::Paragraph,
        Tag::List(_) => BlockKind::List { items: Vec::new() },
        Tag::HtmlBlock => BlockKind::Html,
        _ => BlockKind::Other,
    };
    Block { kind, at }
}

fn level_number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// From the begin of the first line to the end of the last line that is not blank.
fn whole_lines(text: &str, at: Range<usize>) -> Range<usize> {
    let start = text[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let start = if start == 0 { bom(text).min(at.start) } else { start };
    let kept = at.start + text[at.clone()].trim_end().len();
    let end = text[kept..].find('\n').map_or(text.len(), |newline| kept + newline + 1);
    start..end
}

/// The text of a heading of either style, without markers.
fn heading_content(text: &str, at: Range<usize>) -> Range<usize> {
    let inner = trimmed(text, at);
    let source = &text[inner.clone()];
    let marks = source.bytes().take_while(|b| *b == b'#').count();
    let atx =
        (1..=6).contains(&marks) && source[marks..].chars().next().is_none_or(char::is_whitespace);
    if !atx {
        let underline = source.rfind('\n').unwrap_or(source.len());
        return trimmed(text, inner.start..inner.start + underline);
    }
    let content = trimmed(text, inner.start + marks..inner.end);
    let source = &text[content.clone()];
    let open = source.trim_end_matches('#');
    let closing =
        open.len() < source.len() && open.chars().next_back().is_none_or(char::is_whitespace);
    if closing { trimmed(text, content.start..content.start + open.len()) } else { content }
}
