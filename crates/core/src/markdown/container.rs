//! Edits inside of quotes, callouts and toggles: what is in them is a text of its own, whose lines stand behind a
//! prefix.

use std::ops::Range;

use pulldown_cmark::{Options, Parser};

use super::align::{self, Link};
use super::block::{Block, Keyed, LocalUnit, Node};
use super::links::Links;
use super::splice::Grain;
use super::{Edit, Local, local_parse, local_render, pull, words};
use crate::kind::Format;

/// A block with its canonical form.
pub(super) struct Wanted<'a> {
    node: &'a Node,
    key: String,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(node: &'a Node) -> Self {
        Self { node, key: node.key() }
    }
}

impl Keyed for Wanted<'_> {
    fn node(&self) -> &Node {
        self.node
    }
    fn key(&self) -> &str {
        &self.key
    }
}

/// The lines inside of a container.
#[derive(Default)]
struct Inside {
    text: String,
    /// For each line where it begins in `text`, and its prefix in the file.
    lines: Vec<(usize, Range<usize>)>,
}

/// The edits inside of a container that make its content that of `node`, if it can be told apart from its frame.
pub(super) fn change(local: &Local<'_>, unit: &LocalUnit, node: &Node) -> Option<Vec<Edit>> {
    let (text, links) = (local.text, local.links);
    let mut out = Vec::new();
    let (old, new, inside) = match (&unit.node.block, &node.block) {
        (Block::Quote(old), Block::Quote(new)) => (old, new, quoted(text, unit.inline.clone()?, 0)),
        (Block::Callout(a, old), Block::Callout(b, new)) if a == b => {
            (old, new, quoted(text, unit.inline.clone()?, 1))
        }
        (Block::Toggle(a, old), Block::Toggle(b, new)) => {
            if a != b {
                let (source, start) = summary(text, unit)?;
                let [from, to] = [a, b].map(|title| local_render::html_title(title, links));
                out = words::edits(source, start, &from, &to, &unit.indent, Grain::Word);
            }
            if old == new {
                return Some(out);
            }
            (old, new, toggled(text, unit)?)
        }
        _ => return None,
    };
    let length = inside.text.len();
    let mut source = inside.text.clone();
    if !holds(&source, old, links) {
        // References may be defined outside.
        source.push_str(&definitions(text));
        if !holds(&source, old, links) {
            return None;
        }
    }
    let units = local_parse::parse_text(&source, links);
    let wanted: Vec<Wanted<'_>> = new.iter().map(Wanted::new).collect();
    let steps = align::steps(&units, &wanted);
    let slots = align::transfer(&steps, &Link::identity(units.len()), &wanted, units.len()).ok()?;
    let local = Local { text: &source, excluded: &[], format: Format::Markdown, links };
    for edit in pull::edits(&local, &units, &slots) {
        if edit.at.end > length {
            return None;
        }
        let prefix = text.get(inside.line(edit.at.start)?.1.clone())?;
        out.push(Edit {
            at: inside.outer(edit.at.start)?..inside.outer(edit.at.end)?,
            new: edit.new.replace('\n', &format!("\n{prefix}")),
        });
    }
    Some(out)
}

fn holds(source: &str, nodes: &[Node], links: Option<&Links>) -> bool {
    let units = local_parse::parse_text(source, links);
    let counted = units.iter().filter(|unit| unit.node.counts()).map(|unit| unit.key.as_str());
    counted.eq(nodes.iter().filter(|node| node.counts()).map(Node::key))
}

/// The reference definitions of a text, as a text of their own.
fn definitions(text: &str) -> String {
    let parser = Parser::new_ext(text, Options::ENABLE_FOOTNOTES);
    let mut out = "\n\n".to_owned();
    for (_, definition) in parser.reference_definitions().iter() {
        out.push_str(text.get(definition.span.clone()).unwrap_or_default().trim());
        out.push('\n');
    }
    out
}

fn quoted(text: &str, span: Range<usize>, skip: usize) -> Inside {
    let mut inside = Inside::default();
    let mut at = span.start;
    for (n, line) in text.get(span).unwrap_or_default().split_inclusive('\n').enumerate() {
        if n >= skip {
            let bare = line.trim_start_matches([' ', '\t']);
            // A line without its mark goes on lazily.
            let bare =
                bare.strip_prefix('>').map_or(line, |rest| rest.strip_prefix(' ').unwrap_or(rest));
            inside.push(at, line, bare);
        }
        at += line.len();
    }
    inside
}

/// The title of a toggle as it is written, and where it begins.
fn summary<'a>(text: &'a str, unit: &LocalUnit) -> Option<(&'a str, usize)> {
    const OPEN: &str = "<summary>";
    let source = text.get(unit.span.clone())?;
    let start = source.find(OPEN)? + OPEN.len();
    let title = source.get(start..)?.split("</summary>").next()?;
    Some((title, unit.span.start + start))
}

fn toggled(text: &str, unit: &LocalUnit) -> Option<Inside> {
    let source = text.get(unit.span.clone())?;
    let head = source.find("</summary>")?;
    let start = head + source.get(head..)?.find('\n')? + 1;
    let end = source.rfind("</details>")?;
    let end = source.get(..end)?.rfind('\n')? + 1;
    let mut inside = Inside::default();
    let mut at = unit.span.start + start;
    for line in source.get(start..end)?.split_inclusive('\n') {
        inside.push(at, line, line.strip_prefix(unit.indent.as_str()).unwrap_or(line));
        at += line.len();
    }
    Some(inside)
}

impl Inside {
    fn push(&mut self, at: usize, line: &str, bare: &str) {
        self.lines.push((self.text.len(), at..at + line.len() - bare.len()));
        self.text.push_str(bare);
    }

    /// The line of a place inside.
    fn line(&self, at: usize) -> Option<&(usize, Range<usize>)> {
        self.lines
            .partition_point(|(start, _)| *start <= at)
            .checked_sub(1)
            .and_then(|n| self.lines.get(n))
    }

    /// The place in the file.
    fn outer(&self, at: usize) -> Option<usize> {
        let (start, prefix) = self.line(at)?;
        Some(prefix.end + (at - start))
    }
}
