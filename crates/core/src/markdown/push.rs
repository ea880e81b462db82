//! From blocks to conditional replacements in a backend's text (rule 2).

use std::ops::Range;

use super::align::Slot;
use super::block::{Block, Keyed, Node, RemoteUnit};
use super::{Hunk, v1_parse, v1_render};

/// Why a change cannot be written.
pub(super) type Reason = String;

/// The hunks that bring the slots about, or nothing when there are none.
pub(super) fn hunks(
    text: &str,
    units: &[RemoteUnit],
    slots: Vec<Slot<'_>>,
) -> Result<Vec<Hunk>, Reason> {
    let slots = protect(units, slots)?;
    let wanted = expected(units, &slots);
    let hunks = attempt(text, units, &slots)?;
    if yields(text, &hunks, &wanted) {
        return Ok(hunks);
    }
    // Children of a block that is no list item count with their parent's siblings; when that parent goes, they
    // would become somebody else's children, unless they are written anew at their own depth.
    let flattened: Vec<Slot<'_>> = slots
        .into_iter()
        .map(|slot| match slot {
            Slot::Kept(at) => match units.get(at) {
                Some(unit)
                    if unit.indent != unit.node.depth && !unit.frozen && unit.node.counts() =>
                {
                    Slot::Changed(at, &unit.node)
                }
                _ => Slot::Kept(at),
            },
            other => other,
        })
        .collect();
    let hunks = attempt(text, units, &flattened)?;
    if yields(text, &hunks, &wanted) {
        Ok(hunks)
    } else {
        Err("the blocks around the change do not allow it to be written alone".to_owned())
    }
}

/// Takes back what must not happen to blocks that are never touched.
fn protect<'n>(units: &[RemoteUnit], slots: Vec<Slot<'n>>) -> Result<Vec<Slot<'n>>, Reason> {
    let mut out = Vec::with_capacity(slots.len());
    for slot in slots {
        let (Slot::Removed(at) | Slot::Changed(at, _)) = slot else {
            out.push(slot);
            continue;
        };
        let Some(unit) = units.get(at) else { continue };
        if matches!(unit.node.block, Block::Opaque(..) | Block::Empty) {
            out.push(Slot::Kept(at));
        } else if unit.frozen {
            return Err(
                "the changed block holds a signed link, which differs with every read".to_owned()
            );
        } else if matches!(slot, Slot::Removed(_)) && shelters_opaque(units, at) {
            // An opaque block may not lose the parent that it stands in.
            out.push(Slot::Kept(at));
        } else {
            out.push(slot);
        }
    }
    Ok(out)
}

fn shelters_opaque(units: &[RemoteUnit], at: usize) -> bool {
    let Some(parent) = units.get(at) else { return false };
    units
        .iter()
        .skip(at + 1)
        .take_while(|unit| unit.indent > parent.indent)
        .any(|unit| matches!(unit.node.block, Block::Opaque(..)))
}

fn expected(units: &[RemoteUnit], slots: &[Slot<'_>]) -> Vec<String> {
    slots
        .iter()
        .filter_map(|slot| match slot {
            Slot::Kept(at) => units.get(*at).map(Keyed::node),
            Slot::Changed(_, node) | Slot::Added(node) => Some(node),
            Slot::Removed(_) => None,
        })
        .filter(|node| node.counts())
        .map(Node::key)
        .collect()
}

fn yields(text: &str, hunks: &[Hunk], wanted: &[String]) -> bool {
    let found = v1_parse::parse(&apply(text, hunks));
    found.iter().filter(|unit| unit.node.counts()).map(|unit| unit.key.as_str()).eq(wanted)
}

/// The text with the hunks replaced.
pub(super) fn apply(text: &str, hunks: &[Hunk]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for hunk in hunks {
        out.push_str(text.get(at..hunk.at.start).unwrap_or_default());
        out.push_str(&hunk.new);
        at = hunk.at.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// A hunk that is not yet unique: the units that it replaces, and by what.
struct Draft {
    units: Range<usize>,
    parts: Vec<Part>,
    /// Whether the line endings around belong to it: the last resort beside blocks that are never touched.
    padded: bool,
}

enum Part {
    /// A unit that stays as it is and only makes the place unique.
    Kept(usize),
    /// New lines.
    New(String),
}

fn attempt(text: &str, units: &[RemoteUnit], slots: &[Slot<'_>]) -> Result<Vec<Hunk>, Reason> {
    let mut drafts = drafts(text, units, slots);
    place_insertions(units, &mut drafts);
    let mut at = 0;
    while at < drafts.len() {
        merge_touching(&mut drafts);
        let Some(draft) = drafts.get(at) else { break };
        let old = old_text(text, units, draft);
        if !old.is_empty() && occurs_once(text, &old) {
            at += 1;
        } else {
            extend(text, units, &mut drafts, at)?;
            at = 0;
        }
    }
    // Replacements may be made one after the other: each must still be unique in what the ones before made.
    loop {
        let hunks: Vec<Hunk> =
            drafts.iter().filter_map(|draft| finish(text, units, draft)).collect();
        let mut current = text.to_owned();
        let mut ambiguous = None;
        for (n, hunk) in hunks.iter().enumerate() {
            if !occurs_once(&current, &hunk.old) {
                ambiguous = Some(n);
                break;
            }
            current = current.replacen(&hunk.old, &hunk.new, 1);
        }
        let Some(n) = ambiguous else { return Ok(hunks) };
        extend(text, units, &mut drafts, n)?;
        merge_touching(&mut drafts);
    }
}

/// One draft for each run of slots that are not kept.
fn drafts(text: &str, units: &[RemoteUnit], slots: &[Slot<'_>]) -> Vec<Draft> {
    let mut out: Vec<Draft> = Vec::new();
    let mut next = 0;
    let mut open = false;
    // Tabs at each depth, as the blocks before have them.
    let mut indents: Vec<usize> = vec![0];
    for slot in slots {
        let at = match slot {
            Slot::Kept(at) | Slot::Changed(at, _) | Slot::Removed(at) => Some(*at),
            Slot::Added(_) => None,
        };
        let unit = at.and_then(|at| units.get(at));
        let source = unit.and_then(|unit| text.get(unit.span.clone())).unwrap_or_default();
        let mut new = String::new();
        match (slot, unit) {
            (Slot::Changed(_, node), Some(unit)) => {
                let indent = if unit.node.key() == node.key() {
                    indent_at(&indents, node.depth)
                } else {
                    unit.indent
                };
                v1_render::unit(node, indent, Some((unit, source)), &mut new);
                enter(&mut indents, node, indent);
            }
            (Slot::Added(node), _) => {
                let indent = indent_at(&indents, node.depth);
                v1_render::unit(node, indent, None, &mut new);
                enter(&mut indents, node, indent);
            }
            (Slot::Kept(_), Some(unit)) => enter(&mut indents, &unit.node, unit.indent),
            _ => {}
        }
        let new = new.strip_suffix('\n').unwrap_or(&new).to_owned();
        let kept =
            matches!(slot, Slot::Kept(_)) || (unit.is_some() && !new.is_empty() && new == source);
        let empty_addition = at.is_none() && new.is_empty();
        if let Some(at) = at {
            next = at + 1;
        }
        if kept {
            open = false;
            continue;
        }
        if empty_addition {
            continue;
        }
        if !open {
            let start = at.unwrap_or(next);
            out.push(Draft { units: start..start, parts: Vec::new(), padded: false });
            open = true;
        }
        if let Some(draft) = out.last_mut() {
            draft.units.end = draft.units.end.max(next);
            if !new.is_empty() {
                draft.parts.push(Part::New(new));
            }
        }
    }
    out
}

fn indent_at(indents: &[usize], depth: usize) -> usize {
    indents.get(depth).copied().unwrap_or(depth)
}

fn enter(indents: &mut Vec<usize>, node: &Node, indent: usize) {
    indents.truncate(node.depth);
    indents.resize(node.depth, 0);
    indents.push(indent);
    if matches!(node.block, Block::Item(..)) {
        indents.push(indent + 1);
    }
}

/// Gives insertions a unit to hold on to: the one before, else the one after, passing over those that are never
/// touched.
fn place_insertions(units: &[RemoteUnit], drafts: &mut [Draft]) {
    for draft in drafts {
        if !draft.units.is_empty() {
            continue;
        }
        let at = draft.units.start;
        let free = |n: &usize| units.get(*n).is_some_and(|unit| !unit.frozen);
        let beside = [at.checked_sub(1), Some(at)].into_iter().flatten().find(free);
        let before = (0..at).rev().find(free);
        let after = (at..units.len()).find(free);
        if let Some(anchor) = beside.or(before).or(after) {
            let index = if anchor < at { 0 } else { draft.parts.len() };
            draft.parts.insert(index, Part::Kept(anchor));
            draft.units = anchor..anchor + 1;
        }
    }
}

/// Makes one of drafts that overlap or stand side by side.
fn merge_touching(drafts: &mut Vec<Draft>) {
    let mut out: Vec<Draft> = Vec::new();
    for draft in drafts.drain(..) {
        match out.last_mut() {
            Some(last) if draft.units.start <= last.units.end => {
                last.padded |= draft.padded;
                // A unit that both hold on to is there once; what one of them replaces is not kept by the other.
                let holds = |parts: &[Part], at| {
                    parts.iter().any(|p| matches!(p, Part::Kept(n) if *n == at))
                };
                let mut parts = draft.parts;
                for at in draft.units.start..last.units.end {
                    if holds(&last.parts, at) && !holds(&parts, at) {
                        last.parts.retain(|part| !matches!(part, Part::Kept(n) if *n == at));
                    } else {
                        parts.retain(|part| !matches!(part, Part::Kept(n) if *n == at));
                    }
                }
                last.parts.extend(parts);
                last.units.end = last.units.end.max(draft.units.end);
            }
            _ => out.push(draft),
        }
    }
    *drafts = out;
}

/// Where a draft's old text stands.
fn place(text: &str, units: &[RemoteUnit], draft: &Draft) -> Range<usize> {
    let first = units.get(draft.units.start).filter(|_| !draft.units.is_empty());
    let last = draft.units.end.checked_sub(1).and_then(|at| units.get(at));
    let (Some(first), Some(last)) = (first, last) else { return 0..0 };
    let (start, end) = (first.span.start, last.span.end);
    let before = draft.padded && text.get(..start).is_some_and(|before| before.ends_with('\n'));
    let after = draft.padded && text.get(end..).is_some_and(|after| after.starts_with('\n'));
    start - usize::from(before)..end + usize::from(after)
}

fn old_text(text: &str, units: &[RemoteUnit], draft: &Draft) -> String {
    text.get(place(text, units, draft)).unwrap_or_default().to_owned()
}

/// Takes the shorter of the two neighbours into a draft.
fn extend(text: &str, units: &[RemoteUnit], drafts: &mut [Draft], at: usize) -> Result<(), Reason> {
    let Some(draft) = drafts.get_mut(at) else { return Ok(()) };
    let len = |n: &usize| units.get(*n).filter(|unit| !unit.frozen).map(|unit| unit.span.len());
    let left = draft.units.start.checked_sub(1).and_then(|n| len(&n).map(|len| (len, n)));
    let right = len(&draft.units.end).map(|len| (len, draft.units.end));
    match (left, right) {
        (Some((short, n)), other) if other.is_none_or(|(len, _)| short <= len) => {
            draft.parts.insert(0, Part::Kept(n));
            draft.units.start = n;
        }
        (_, Some((_, n))) => {
            draft.parts.push(Part::Kept(n));
            draft.units.end = n + 1;
        }
        _ if !draft.padded => draft.padded = true,
        _ => {
            let shown: String = old_text(text, units, draft).chars().take(60).collect();
            return Err(format!(
                "the text `{shown}` occurs more than once and nothing around it can be used"
            ));
        }
    }
    Ok(())
}

fn finish(text: &str, units: &[RemoteUnit], draft: &Draft) -> Option<Hunk> {
    let at = place(text, units, draft);
    let old = text.get(at.clone()).filter(|old| !old.is_empty())?;
    let start = units.get(draft.units.start)?.span.start;
    let end = units.get(draft.units.end.checked_sub(1)?)?.span.end;
    let parts: Vec<&str> = draft
        .parts
        .iter()
        .map(|part| match part {
            Part::Kept(at) => {
                units.get(*at).and_then(|unit| text.get(unit.span.clone())).unwrap_or_default()
            }
            Part::New(new) => new.as_str(),
        })
        .collect();
    let (before, after) = (text.get(at.start..start)?, text.get(end..at.end)?);
    let new = format!("{before}{}{after}", parts.join("\n"));
    Some(Hunk { at, old: old.to_owned(), new })
}

fn occurs_once(text: &str, part: &str) -> bool {
    let Some(first) = text.find(part) else { return false };
    let step = part.chars().next().map_or(1, char::len_utf8);
    text.get(first + step..).is_none_or(|rest| !rest.contains(part))
}
