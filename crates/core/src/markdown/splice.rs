//! Edits inside of one block of a file.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::block::{Block, LocalUnit, Marker, Node};
use super::inline::{Inline, Marks, Piece};
use super::local_inline::{self, Place};
use super::{Edit, Local, words};

/// What is replaced as a whole inside of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// A word.
    Word,
    /// A word, or a link with its text: words of a reference's text are its name.
    Link,
    /// The text of the block.
    Text,
}

/// The edits that make a unit's text that of `node`, or nothing where only the whole block can be written.
pub(super) fn change(
    local: &Local<'_>,
    unit: &LocalUnit,
    node: &Node,
    grain: Grain,
) -> Option<Vec<Edit>> {
    match (&unit.node.block, &node.block) {
        (Block::Paragraph(old), Block::Paragraph(new)) if unit.inline.is_none() => {
            html(local.text, unit, old, new)
        }
        (Block::Paragraph(old), Block::Paragraph(new)) => {
            let range = unit.inline.clone()?;
            Some(inline(local, range, old, new, Place::Flow, &unit.indent, grain))
        }
        (Block::Heading(a, old), Block::Heading(b, new)) if a == b => {
            let range = unit.inline.clone()?;
            Some(inline(local, range, old, new, Place::Line, &unit.indent, grain))
        }
        (Block::Item(a, old), Block::Item(b, new)) => {
            let mut out = Vec::new();
            match (a, b) {
                (Marker::Todo(was), Marker::Todo(is)) if was != is => {
                    let new = if *is { "[x]" } else { "[ ]" };
                    out.push(Edit { at: unit.task.clone()?, new: new.to_owned() });
                }
                _ if a == b => {}
                _ => return None,
            }
            if old != new {
                let range = unit.inline.clone().filter(|_| !new.is_empty())?;
                out.extend(inline(local, range, old, new, Place::Flow, &unit.child_indent, grain));
            }
            Some(out)
        }
        (Block::Row(old), Block::Row(new)) => cells(local, unit, old, new, grain),
        (Block::Table(Some(old), n), Block::Table(Some(new), m)) if n == m => {
            cells(local, unit, old, new, grain)
        }
        (Block::Code(a, old), Block::Code(b, new)) if a == b => {
            code(local.text, unit.inline.clone()?, &unit.indent, old, new)
        }
        (Block::Equation(old), Block::Equation(new)) => equation(local.text, unit, old, new),
        // Finer grains of what is inside are tried there.
        _ if grain == Grain::Word => super::container::change(local, unit, node),
        _ => None,
    }
}

fn cells(
    local: &Local<'_>,
    unit: &LocalUnit,
    old: &[Inline],
    new: &[Inline],
    grain: Grain,
) -> Option<Vec<Edit>> {
    if old.len() != new.len() || unit.cells.len() != new.len() {
        return None;
    }
    let changed = unit.cells.iter().zip(old.iter().zip(new)).filter(|(_, (old, new))| old != new);
    Some(
        changed
            .flat_map(|(range, (old, new))| {
                inline(local, range.clone(), old, new, Place::Cell, "", grain)
            })
            .collect(),
    )
}

fn inline(
    local: &Local<'_>,
    range: Range<usize>,
    old: &Inline,
    new: &Inline,
    place: Place,
    indent: &str,
    grain: Grain,
) -> Vec<Edit> {
    let source = local.text.get(range.clone()).unwrap_or_default();
    let to = local_inline::render(new, place, local.links);
    if grain != Grain::Text {
        let from = local_inline::render(old, place, local.links);
        return words::edits(source, range.start, &from, &to, indent, grain);
    }
    vec![Edit { at: range, new: to.replace('\n', &format!("\n{indent}")) }]
}

/// The edits of HTML, which is plain text to the other side.
fn html(text: &str, unit: &LocalUnit, old: &Inline, new: &Inline) -> Option<Vec<Edit>> {
    let is_plain = new.runs().iter().all(|run| {
        run.marks == Marks::default() && matches!(run.piece, Piece::Text(_) | Piece::Break)
    });
    let source = text.get(unit.span.clone()).filter(|_| is_plain)?;
    let (from, to) = (old.plain(), new.plain());
    Some(words::edits(source, unit.span.start, &from, &to, &unit.indent, Grain::Word))
}

/// Changes what stands between the marks of an equation, by lines where there are several.
fn equation(text: &str, unit: &LocalUnit, old: &str, new: &str) -> Option<Vec<Edit>> {
    let content = unit.inline.clone()?;
    let source = text.get(content.clone())?;
    let start = content.start + source.len() - source.trim_start().len();
    let at = start..start + source.trim().len();
    if !source.trim().contains('\n') {
        let new = new.replace('\n', &format!("\n{}", unit.indent));
        return Some(vec![Edit { at, new }]);
    }
    code(text, at, &unit.indent, old, new)
}

/// Changes the lines of code that differ. Other lines begin with `indent` only if none is there to go by.
fn code(
    text: &str,
    content: Range<usize>,
    indent: &str,
    old: &str,
    new: &str,
) -> Option<Vec<Edit>> {
    let start = text.get(..content.start)?.rfind('\n').map_or(0, |at| at + 1);
    let body = text.get(start..content.end)?;
    let old: Vec<&str> = old.split('\n').collect();
    let new: Vec<&str> = new.split('\n').collect();
    // Places of the lines with what stands before the code in each.
    let mut places: Vec<(Range<usize>, &str)> = Vec::with_capacity(old.len());
    let mut at = start;
    for line in body.split_inclusive('\n') {
        let shown = line.trim_end_matches(['\r', '\n']);
        let indent = shown.strip_suffix(*old.get(places.len())?)?;
        places.push((at..at + shown.len(), indent));
        at += line.len();
    }
    if places.len() != old.len() || places.iter().any(|(_, indent)| !indent.trim().is_empty()) {
        return None;
    }
    let usual = places.iter().zip(&old).find(|(_, line)| !line.is_empty());
    let usual = usual.map_or(indent, |((_, indent), _)| indent);
    let mut out = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (was, is) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let lines: Vec<String> = new
            .get(is)
            .unwrap_or_default()
            .iter()
            .map(|line| if line.is_empty() { String::new() } else { format!("{usual}{line}") })
            .collect();
        let line = |at: usize| places.get(at).map(|(range, _)| range.clone());
        let edit = match (line(was.start), was.end.checked_sub(1).and_then(line)) {
            (Some(first), Some(last)) if !was.is_empty() && !lines.is_empty() => {
                Edit { at: first.start..last.end, new: lines.join("\n") }
            }
            (Some(first), _) if !was.is_empty() => {
                let end = line(was.end).map_or(content.end, |next| next.start);
                Edit { at: first.start..end, new: String::new() }
            }
            (Some(next), _) => Edit { at: next.start..next.start, new: lines.join("\n") + "\n" },
            (None, Some(last)) => {
                Edit { at: last.end..last.end, new: format!("\n{}", lines.join("\n")) }
            }
            (None, None) => return None,
        };
        out.push(edit);
    }
    Some(out)
}

/// Replaces a range of the text by `new`, leaving the lines alone that both begin or end with.
pub(super) fn lines(text: &str, range: Range<usize>, new: &str) -> Vec<Edit> {
    let old = text.get(range.clone()).unwrap_or_default();
    let ending = |line: &str| {
        line.strip_suffix('\n')
            .map_or((line.len(), false), |rest| (rest.trim_end_matches('\r').len(), true))
    };
    let same = |a: &str, b: &str| {
        let ((n, x), (m, y)) = (ending(a), ending(b));
        x == y && a.get(..n) == b.get(..m)
    };
    let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let head = old_lines.iter().zip(&new_lines).take_while(|(a, b)| same(a, b)).count();
    let most = old_lines.len().min(new_lines.len()) - head;
    let tail = old_lines
        .iter()
        .rev()
        .zip(new_lines.iter().rev())
        .take(most)
        .take_while(|(a, b)| same(a, b))
        .count();
    let length = |lines: &[&str], count: usize| {
        lines.iter().take(count).map(|line| line.len()).sum::<usize>()
    };
    let end_length =
        |lines: &[&str]| lines.iter().rev().take(tail).map(|line| line.len()).sum::<usize>();
    let at = range.start + length(&old_lines, head)..range.end - end_length(&old_lines);
    let text =
        new.get(length(&new_lines, head)..new.len() - end_length(&new_lines)).unwrap_or_default();
    if at.is_empty() && text.is_empty() {
        Vec::new()
    } else {
        vec![Edit { at, new: text.to_owned() }]
    }
}
