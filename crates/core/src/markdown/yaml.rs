//! YAML artifacts: the body is one code block whose text is the file without its properties.

use std::ops::Range;

use super::block::{Block, LocalUnit, Node, RemoteUnit, code};
use super::{Edit, Local, splice};

/// Pieces of the file that are body.
fn pieces(local: &Local<'_>) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    for excluded in local.excluded {
        if at < excluded.start {
            out.push(at..excluded.start);
        }
        at = at.max(excluded.end);
    }
    if at < local.text.len() {
        out.push(at..local.text.len());
    }
    out
}

fn body(local: &Local<'_>) -> String {
    pieces(local).into_iter().filter_map(|range| local.text.get(range)).collect()
}

/// The one unit of a file; none if nothing is left.
pub(super) fn units(local: &Local<'_>) -> Vec<LocalUnit> {
    let body = body(local);
    if body.trim().is_empty() {
        return Vec::new();
    }
    let body = body.trim_end_matches(['\n', '\r']);
    let node = Node { depth: 0, block: code("yaml", body) };
    vec![LocalUnit {
        key: node.key(),
        node,
        span: 0..local.text.len(),
        inline: None,
        task: None,
        cells: Vec::new(),
        indent: String::new(),
        child_indent: String::new(),
        marker: String::new(),
    }]
}

/// The YAML that a remote body holds.
pub(super) fn text(units: &[RemoteUnit]) -> String {
    units
        .iter()
        .find_map(|unit| match &unit.node.block {
            Block::Code(_, text) => Some(text.clone()),
            _ => None,
        })
        .unwrap_or_default()
}

/// The edits that give the file this body; only lines that differ.
pub(super) fn edits(local: &Local<'_>, new: &str) -> Vec<Edit> {
    let crlf = local.text.contains("\r\n");
    let old = body(local);
    let content = old.trim_end_matches(['\n', '\r']);
    let ending = old.get(content.len()..).unwrap_or_default();
    let ending = if ending.is_empty() && content.is_empty() { "\n" } else { ending };
    let mut new = new.trim_end_matches('\n').to_owned();
    if !new.is_empty() {
        new.push_str(&ending.replace("\r\n", "\n"));
    }
    let mut out = Vec::new();
    for run in line_runs(&old, &new) {
        let text = if crlf { run.new.replace('\n', "\r\n") } else { run.new };
        out.extend(in_file(local, run.at, text));
    }
    out
}

fn line_runs(old: &str, new: &str) -> Vec<Edit> {
    use similar::{Algorithm, DiffOp, capture_diff_slices};
    let plain = |line: &str| line.trim_end_matches(['\n', '\r']).to_owned();
    let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let a: Vec<String> = old_lines.iter().map(|line| plain(line)).collect();
    let b: Vec<String> = new_lines.iter().map(|line| plain(line)).collect();
    let offset = |at: usize| old_lines.iter().take(at).map(|line| line.len()).sum::<usize>();
    let mut out = Vec::new();
    for op in capture_diff_slices(Algorithm::Patience, &a, &b) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (was, is) = (op.old_range(), op.new_range());
        let at = offset(was.start)..offset(was.end);
        let mut text: String = new_lines.get(is).unwrap_or_default().concat();
        // A last line without ending that gets a successor needs one first.
        if at.is_empty() && at.start == old.len() && !old.is_empty() && !old.ends_with('\n') {
            text.insert(0, '\n');
        }
        for edit in splice::lines(old, at, &text) {
            out.push(edit);
        }
    }
    out
}

/// An edit of the body as edits of the file: around what is excluded.
fn in_file(local: &Local<'_>, at: Range<usize>, new: String) -> Vec<Edit> {
    let mut offset = 0;
    let mut out: Vec<Edit> = Vec::new();
    let mut new = Some(new);
    let pieces = pieces(local);
    let count = pieces.len();
    for (n, piece) in pieces.into_iter().enumerate() {
        let len = piece.len();
        let start = at.start.max(offset).min(offset + len);
        let end = at.end.max(offset).min(offset + len);
        let holds = start < end || (at.is_empty() && (at.start < offset + len || n + 1 == count));
        if holds && (start < end || new.is_some()) && at.start <= offset + len && at.end >= offset {
            let range = piece.start + (start - offset)..piece.start + (end - offset);
            out.push(Edit { at: range, new: new.take().unwrap_or_default() });
        }
        offset += len;
    }
    if let Some(new) = new.filter(|new| !new.is_empty()) {
        let end = local.text.len();
        let gap = if end > 0 && !local.text.ends_with('\n') { "\n" } else { "" };
        out.push(Edit { at: end..end, new: format!("{gap}{new}") });
    }
    out
}
