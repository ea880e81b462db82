//! Edits inside of one block of a file.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::block::{Block, LocalUnit, Marker, Node};
use super::inline::Inline;
use super::local_inline::{self, Place};
use super::{Edit, Local};

/// The edits that make a unit's text that of `node`, or nothing where only the whole block can be written.
pub(super) fn change(
    local: &Local<'_>,
    unit: &LocalUnit,
    node: &Node,
    words: bool,
) -> Option<Vec<Edit>> {
    match (&unit.node.block, &node.block) {
        (Block::Paragraph(old), Block::Paragraph(new)) => {
            let range = unit.inline.clone()?;
            Some(inline(local, range, old, new, Place::Flow, &unit.indent, words))
        }
        (Block::Heading(a, old), Block::Heading(b, new)) if a == b => {
            let range = unit.inline.clone()?;
            Some(inline(local, range, old, new, Place::Line, &unit.indent, words))
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
                out.extend(inline(local, range, old, new, Place::Flow, &unit.child_indent, words));
            }
            Some(out)
        }
        (Block::Row(old), Block::Row(new)) => cells(local, unit, old, new, words),
        (Block::Table(Some(old), n), Block::Table(Some(new), m)) if n == m => {
            cells(local, unit, old, new, words)
        }
        (Block::Code(a, _), Block::Code(b, new)) if a == b => code(local.text, unit, new),
        _ => None,
    }
}

fn cells(
    local: &Local<'_>,
    unit: &LocalUnit,
    old: &[Inline],
    new: &[Inline],
    words: bool,
) -> Option<Vec<Edit>> {
    if old.len() != new.len() || unit.cells.len() != new.len() {
        return None;
    }
    let changed = unit.cells.iter().zip(old.iter().zip(new)).filter(|(_, (old, new))| old != new);
    Some(
        changed
            .flat_map(|(range, (old, new))| {
                inline(local, range.clone(), old, new, Place::Cell, "", words)
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
    words: bool,
) -> Vec<Edit> {
    let source = local.text.get(range.clone()).unwrap_or_default();
    let to = local_inline::render(new, place, local.links);
    if words {
        let from = local_inline::render(old, place, local.links);
        return word_edits(source, range.start, &from, &to, indent);
    }
    vec![Edit { at: range, new: to.replace('\n', &format!("\n{indent}")) }]
}

/// Where the target of a link that begins at `at` ends, title included.
fn target_end(text: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    let tail = text.get(at..).unwrap_or_default();
    let end = tail.char_indices().find_map(|(n, c)| {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(n),
            ')' => depth -= 1,
            _ => {}
        }
        None
    });
    end.map_or(at, |end| at + end)
}

/// A text as words, each with the white space before it. White space in the target of a link parts no words.
fn split(text: &str) -> Vec<(&str, Range<usize>)> {
    let mut out = Vec::new();
    let mut start = None;
    let mut target = 0;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if at < target {
            continue;
        }
        if text.get(at..).is_some_and(|rest| rest.starts_with("](")) {
            target = target_end(text, at + 2);
        }
        match (c.is_whitespace(), start) {
            (true, Some(from)) => {
                out.push((text.get(from..at).unwrap_or_default(), from..at));
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    out
}

/// Edits of single words of the source, so that line breaks and ways of writing elsewhere stay. `from` and `to`
/// are our writing of the old and the new text.
fn word_edits(source: &str, offset: usize, from: &str, to: &str, indent: &str) -> Vec<Edit> {
    let own = split(source);
    let from = split(from);
    let to_words = split(to);
    // Where our writing has as many words as the source, they are the same words written differently.
    let old: Vec<&str> = if from.len() == own.len() {
        from.iter().map(|(word, _)| *word).collect()
    } else {
        own.iter().map(|(word, _)| *word).collect()
    };
    let new: Vec<&str> = to_words.iter().map(|(word, _)| *word).collect();
    let mut out = Vec::new();
    let start_of = |at: usize| own.get(at).map_or(source.len(), |(_, range)| range.start);
    let end_of = |at: usize| own.get(at).map_or(0, |(_, range)| range.end);
    let joined = |range: Range<usize>| {
        let first = to_words.get(range.start).map_or(0, |(_, range)| range.start);
        let last = range
            .end
            .checked_sub(1)
            .and_then(|at| to_words.get(at))
            .map_or(first, |(_, range)| range.end);
        to.get(first..last).unwrap_or_default().replace('\n', &format!("\n{indent}"))
    };
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (was, is) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let text = joined(is.clone());
        let edit = if was.is_empty() {
            if was.start == 0 {
                let space = if own.is_empty() { "" } else { " " };
                Edit {
                    at: offset + start_of(0)..offset + start_of(0),
                    new: format!("{text}{space}"),
                }
            } else {
                let at = offset + end_of(was.start - 1);
                Edit { at: at..at, new: format!(" {text}") }
            }
        } else if is.is_empty() {
            // With the white space before, or at the begin that after.
            let at = if was.start == 0 {
                start_of(0)..start_of(was.end)
            } else {
                end_of(was.start - 1)..end_of(was.end - 1)
            };
            Edit { at: offset + at.start..offset + at.end, new: String::new() }
        } else {
            let range = start_of(was.start)..end_of(was.end - 1);
            Edit { at: offset + range.start..offset + range.end, new: text }
        };
        out.push(edit);
    }
    out
}

/// Changes the lines of a fenced block that differ.
fn code(text: &str, unit: &LocalUnit, new: &str) -> Option<Vec<Edit>> {
    let source = text.get(unit.span.clone())?;
    let (first, rest) = source.split_once('\n')?;
    let fence: &str = first.trim_start();
    let mark = fence.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = fence.chars().take_while(|c| *c == mark).count();
    let longest = new.split(|c| c != mark).map(str::len).max().unwrap_or(0);
    let last = rest.rsplit('\n').next()?;
    if longest >= length || !last.trim().starts_with(mark) {
        return None;
    }
    let body_start = unit.span.start + first.len() + 1;
    let body_end = unit.span.end - last.len();
    let mut body = String::new();
    for line in new.split('\n').filter(|_| !new.is_empty()) {
        if !line.is_empty() {
            body.push_str(&unit.indent);
        }
        body.push_str(line);
        body.push('\n');
    }
    Some(lines(text, body_start..body_end, &body))
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
