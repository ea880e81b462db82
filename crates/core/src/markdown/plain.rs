//! The dialect of stores that keep Markdown as it is: a body is the file's own text without its property regions.
//!
//! Equality is by blocks, as everywhere. What is written is taken over by lines where the two texts are the same
//! otherwise, so that comments, definitions and the spelling come along; else block by block, as into a file.

use std::ops::Range;

use similar::{Algorithm, capture_diff_slices};

use super::align::Slot;
use super::block::{LocalUnit, Node, RemoteUnit};
use super::local_render::{self, Surroundings};
use super::push::Reason;
use super::{Edit, Hunk, Local, apply_edits, digest, local_digest, local_parse, pull};
use crate::kind::Format;

/// The units of a body.
pub(super) fn parse(text: &str) -> Vec<RemoteUnit> {
    let remote = |unit: LocalUnit| RemoteUnit {
        node: unit.node,
        key: unit.key,
        span: unit.span,
        indent: unit.indent.chars().count(),
        attributes: String::new(),
        frozen: false,
    };
    local_parse::parse(&as_local(text)).into_iter().map(remote).collect()
}

/// Blocks as a body.
pub(super) fn render(nodes: &[Node]) -> String {
    let mut out = local_render::render(nodes, &Surroundings::default(), None);
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// A file's body as it is kept, from its [`local_digest`]: its text, unless it means something else without the
/// property regions.
pub(super) fn kept(local: &Local<'_>, means: &str) -> Option<String> {
    let text = Lifted::of(local).filter(|_| local.format == Format::Markdown)?.text;
    (digest(&parse(&text)) == means).then_some(text)
}

/// A body as it stands in a new file.
pub(super) fn filed(text: &str) -> String {
    text.trim_matches(['\n', '\r']).to_owned()
}

/// The hunks that bring the slots about, written as into a file.
pub(super) fn hunks(
    text: &str,
    slots: &[Slot<'_>],
    wanted: &dyn Fn(&[Hunk]) -> bool,
) -> Result<Vec<Hunk>, Reason> {
    let local = as_local(text);
    let units = local_parse::parse(&local);
    let hunks = by_lines(text, &apply_edits(text, &pull::edits(&local, &units, slots)));
    match wanted(&hunks) {
        true => Ok(hunks),
        false => Err("the blocks around the change do not allow it to be written alone".to_owned()),
    }
}

/// The hunks that make a body that is the text of `base` the text of `local`; nothing where it is not.
pub(super) fn push(base: &Local<'_>, local: &Local<'_>, remote: &str) -> Option<Vec<Hunk>> {
    let whole = |local: &Local<'_>| kept(local, &local_digest(local));
    (!remote.is_empty() && whole(base)? == remote).then_some(())?;
    let hunks = by_lines(remote, &whole(local)?);
    (!hunks.is_empty()).then_some(hunks)
}

/// The edits that make a file whose body was `base` hold `remote`; nothing where its body is another text, or the
/// change goes across a property region.
pub(super) fn pull(base: &str, local: &Local<'_>, remote: &str) -> Option<Vec<Edit>> {
    let lifted = Lifted::of(local).filter(|_| local.format == Format::Markdown)?;
    (lifted.text == base && kept(local, &local_digest(local))? == base).then_some(())?;
    let crlf = local.text.contains("\r\n");
    let mut edits = Vec::new();
    for (at, new) in changes(base, &ended(remote)) {
        let mut edit = lifted.edit(at, new)?;
        if crlf {
            edit.new = edit.new.replace("\r\n", "\n").replace('\n', "\r\n");
        }
        edits.push(edit);
    }
    let text = apply_edits(local.text, &edits);
    let excluded = pull::shifted(local.excluded, &edits);
    let after = Local { text: &text, excluded: &excluded, ..*local };
    (local_digest(&after) == digest(&parse(remote))).then_some(edits)
}

fn as_local(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown, links: None }
}

fn ended(text: &str) -> String {
    let text = text.trim_matches(['\n', '\r']);
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// A file's body with the place of each of its parts.
struct Lifted {
    text: String,
    /// Places in `text` with the begin of the same text in the file.
    parts: Vec<(Range<usize>, usize)>,
}

impl Lifted {
    /// Nothing for a file of which a region begins or ends inside of a line.
    fn of(local: &Local<'_>) -> Option<Self> {
        let mut out = Self { text: String::new(), parts: Vec::new() };
        let mut at = 0;
        let ends = local.excluded.iter().map(|range| (range.start, range.end));
        for (start, end) in ends.chain([(local.text.len(), local.text.len())]) {
            let part = local.text.get(at..start.max(at))?;
            let inner = part.trim_matches(['\n', '\r']);
            if !inner.is_empty() {
                let from = at + part.len() - part.trim_start_matches(['\n', '\r']).len();
                let whole = from == 0 || local.text.get(..from)?.ends_with('\n');
                let rest = local.text.get(from + inner.len()..)?;
                if !whole || !(rest.is_empty() || rest.starts_with(['\n', '\r'])) {
                    return None;
                }
                if !out.text.is_empty() {
                    out.text.push('\n');
                }
                let start = out.text.len();
                out.text.push_str(inner);
                out.parts.push((start..out.text.len(), from));
                out.text.push('\n');
            }
            at = at.max(end);
        }
        Some(out)
    }

    /// An edit of whole lines of the body in the file.
    fn edit(&self, at: Range<usize>, new: String) -> Option<Edit> {
        let (part, from) =
            self.parts.iter().find(|(part, _)| part.start <= at.start && at.end <= part.end + 1)?;
        let place = |n: usize| from + n - part.start;
        if at.start > part.end {
            // After the last line, whose ending is the file's.
            let new = format!("\n{}", new.strip_suffix('\n').unwrap_or(&new));
            return Some(Edit { at: place(part.end)..place(part.end), new });
        }
        if at.end <= part.end {
            return Some(Edit { at: place(at.start)..place(at.end), new });
        }
        let new = new.strip_suffix('\n').unwrap_or(&new).to_owned();
        // The last lines go with the ending before them.
        let first = match new.is_empty() && at.start > part.start {
            true => at.start - 1,
            false => at.start,
        };
        Some(Edit { at: place(first)..place(part.end), new })
    }
}

/// Runs of lines that differ: place in the old text, and what stands there in the new one.
fn changes(old: &str, new: &str) -> Vec<(Range<usize>, String)> {
    let (a, b): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let start = |lines: &[&str], n: usize| lines.iter().take(n).map(|line| line.len()).sum();
    capture_diff_slices(Algorithm::Myers, &a, &b)
        .into_iter()
        .filter(|op| op.tag() != similar::DiffTag::Equal)
        .map(|op| {
            let (from, to) = (op.old_range(), op.new_range());
            let at = start(&a, from.start)..start(&a, from.end);
            (at, b.get(to).unwrap_or_default().concat())
        })
        .collect()
}

/// The hunks that make one text the other: whole lines, each with as many around it as make it the only one.
fn by_lines(old: &str, new: &str) -> Vec<Hunk> {
    let mut out: Vec<(Range<usize>, String)> = changes(old, new);
    let mut at = 0;
    while let Some((range, _)) = out.get(at) {
        let text = old.get(range.clone()).unwrap_or_default();
        let alone = !text.is_empty() && old.match_indices(text).take(2).count() == 1;
        // A hunk beside another one would not be told from it.
        let touches = out.get(at + 1).is_some_and(|(next, _)| next.start <= range.end);
        if alone && !touches {
            at += 1;
        } else if !touches && range.start == 0 && range.end == old.len() {
            // The text repeats itself; so it is told by its place alone.
            at += 1;
        } else {
            grow(old, &mut out, at);
            at = at.saturating_sub(1);
        }
    }
    let hunk = |(at, new): (Range<usize>, String)| Hunk {
        old: old.get(at.clone()).unwrap_or_default().to_owned(),
        at,
        new,
    };
    out.into_iter().map(hunk).collect()
}

/// Takes the line before and the line after into a change, and makes it one with what it then touches.
fn grow(old: &str, changes: &mut Vec<(Range<usize>, String)>, at: usize) {
    let floor = at.checked_sub(1).and_then(|n| changes.get(n)).map_or(0, |(range, _)| range.end);
    let ceiling = changes.get(at + 1).map_or(old.len(), |(range, _)| range.start);
    let Some((range, new)) = changes.get_mut(at) else { return };
    let before = old.get(floor..range.start).unwrap_or_default();
    let line = before.strip_suffix('\n').unwrap_or(before).rfind('\n').map_or(0, |n| n + 1);
    let head = before.get(line..).unwrap_or_default();
    let after = old.get(range.end..ceiling).unwrap_or_default();
    let tail = after.get(..after.find('\n').map_or(after.len(), |n| n + 1)).unwrap_or_default();
    *new = format!("{head}{new}{tail}");
    *range = range.start - head.len()..range.end + tail.len();
    let (end, start) = (range.end, range.start);
    if changes.get(at + 1).is_some_and(|(next, _)| next.start <= end) {
        let (next, text) = changes.remove(at + 1);
        if let Some((range, new)) = changes.get_mut(at) {
            range.end = next.end;
            new.push_str(&text);
        }
    }
    let previous = at.checked_sub(1);
    if previous.and_then(|n| changes.get(n)).is_some_and(|(before, _)| before.end >= start) {
        let (range, text) = changes.remove(at);
        if let Some((before, new)) = previous.and_then(|n| changes.get_mut(n)) {
            before.end = range.end;
            new.push_str(&text);
        }
    }
}
