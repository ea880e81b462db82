//! From blocks to conditional replacements in a backend's text (rule 2).

use std::ops::Range;

use super::align::Slot;
use super::block::{Block, Keyed, Node, RemoteUnit};
use super::dialect::Form;
use super::{Dialect, Hunk, plain};

/// Why a change cannot be written.
pub(super) type Reason = String;

/// The hunks that bring the slots about, or nothing when there are none.
pub(super) fn hunks(
    dialect: Dialect,
    text: &str,
    units: &[RemoteUnit],
    slots: Vec<Slot<'_>>,
) -> Result<Vec<Hunk>, Reason> {
    let slots = protect(units, slots)?;
    let wanted = expected(units, &slots);
    if dialect == Dialect::Markdown {
        return plain::hunks(text, &slots, &|hunks| yields(dialect, text, hunks, &wanted));
    }
    let hunks = attempt(dialect, text, units, &slots, false)?;
    if yields(dialect, text, &hunks, &wanted) {
        return Ok(hunks);
    }
    let impossible =
        || "the blocks around the change do not allow it to be written alone".to_owned();
    if !dialect.indents_children() {
        // What parts two blocks depends on both: it is written anew with the block before.
        let hunks = attempt(dialect, text, units, &slots, true)?;
        return if yields(dialect, text, &hunks, &wanted) { Ok(hunks) } else { Err(impossible()) };
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
    let hunks = attempt(dialect, text, units, &flattened, false)?;
    if yields(dialect, text, &hunks, &wanted) { Ok(hunks) } else { Err(impossible()) }
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
        } else if matches!(slot, Slot::Removed(_))
            && (unit.node.holds_opaque() || shelters_opaque(units, at))
        {
            // An opaque block may not lose the parent that it stands in.
            out.push(Slot::Kept(at));
        } else if unit.node.holds_opaque() {
            return Err("the changed block holds one that only the backend has".to_owned());
        } else if unit.frozen {
            return Err(
                "the changed block holds a signed link, which differs with every read".to_owned()
            );
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

fn yields(dialect: Dialect, text: &str, hunks: &[Hunk], wanted: &[String]) -> bool {
    let found = dialect.parse(&apply(text, hunks));
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
struct Draft<'n> {
    units: Range<usize>,
    parts: Vec<Part<'n>>,
    /// Whether the line endings around belong to it: the last resort beside blocks that are never touched.
    padded: bool,
}

enum Part<'n> {
    /// A unit that stays as it is and only makes the place unique.
    Kept(usize),
    /// New lines, of this block.
    New(String, &'n Node),
}

fn attempt(
    dialect: Dialect,
    text: &str,
    units: &[RemoteUnit],
    slots: &[Slot<'_>],
    with_left: bool,
) -> Result<Vec<Hunk>, Reason> {
    let mut drafts = drafts(dialect, text, units, slots);
    place_insertions(units, &mut drafts);
    hold_together(dialect, text, units, &mut drafts)?;
    if with_left {
        take_left(units, &mut drafts);
    }
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
            drafts.iter().filter_map(|draft| finish(dialect, text, units, draft)).collect();
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
fn drafts<'n>(
    dialect: Dialect,
    text: &str,
    units: &'n [RemoteUnit],
    slots: &[Slot<'n>],
) -> Vec<Draft<'n>> {
    let mut out: Vec<Draft<'n>> = Vec::new();
    let mut form = Form::default();
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
        let mut written: Option<&'n Node> = None;
        form = form_after(form, slot, unit, source);
        match (slot, unit) {
            (Slot::Changed(_, node), Some(unit)) => {
                let indent = if unit.node.key() == node.key() {
                    indent_at(&indents, node.depth)
                } else {
                    unit.indent
                };
                new = dialect.unit(node, indent, Some((unit, source)), form);
                written = Some(*node);
                enter(dialect, &mut indents, node, indent);
            }
            (Slot::Added(node), _) => {
                let indent = indent_at(&indents, node.depth);
                new = dialect.unit(node, indent, None, form);
                written = Some(*node);
                enter(dialect, &mut indents, node, indent);
            }
            (Slot::Kept(_), Some(unit)) => enter(dialect, &mut indents, &unit.node, unit.indent),
            _ => {}
        }
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
            if let Some(node) = written.filter(|_| !new.is_empty()) {
                draft.parts.push(Part::New(new, node));
            }
        }
    }
    out
}

/// How blocks beside this one are written.
fn form_after(form: Form, slot: &Slot<'_>, unit: Option<&RemoteUnit>, source: &str) -> Form {
    let (node, tags) = match (slot, unit) {
        (Slot::Added(node), _) => match &node.block {
            Block::Table(header, _) => (*node, header.is_none()),
            _ => return form,
        },
        (_, Some(unit)) => (&unit.node, source.trim_start().starts_with('<')),
        _ => return form,
    };
    match node.block {
        Block::Table(..) | Block::Row(_) => Form { table_tags: tags, ..form },
        Block::Item(..) => {
            Form { list_tags: tags && source.trim_start().starts_with("<li"), ..form }
        }
        Block::TableEnd | Block::Empty => form,
        _ => Form { list_tags: false, ..form },
    }
}

fn indent_at(indents: &[usize], depth: usize) -> usize {
    indents.get(depth).copied().unwrap_or(depth)
}

fn enter(dialect: Dialect, indents: &mut Vec<usize>, node: &Node, indent: usize) {
    indents.truncate(node.depth);
    indents.resize(node.depth, 0);
    indents.push(indent);
    if matches!(node.block, Block::Item(..)) {
        indents.push(indent + dialect.child_step());
    }
}

/// Gives insertions a unit to hold on to: the one before, else the one after, passing over those that are never
/// touched.
fn place_insertions(units: &[RemoteUnit], drafts: &mut [Draft<'_>]) {
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

/// What is taken out of the middle of a block that must not be broken in two is replaced together with what
/// stands before it.
fn hold_together(
    dialect: Dialect,
    text: &str,
    units: &[RemoteUnit],
    drafts: &mut [Draft<'_>],
) -> Result<(), Reason> {
    for at in 0..drafts.len() {
        let Some(draft) = drafts.get(at).filter(|draft| draft.parts.is_empty()) else { continue };
        if !units.get(draft.units.end).is_some_and(|unit| dialect.is_joined(&unit.node)) {
            continue;
        }
        let left = draft.units.start.checked_sub(1);
        let free = |n: &usize| units.get(*n).is_some_and(|unit| !unit.frozen);
        match (left.filter(free), drafts.get_mut(at)) {
            (Some(n), Some(draft)) => {
                draft.parts.push(Part::Kept(n));
                draft.units.start = n;
            }
            _ => extend(text, units, drafts, at)?,
        }
    }
    Ok(())
}

/// Takes the unit before into each draft.
fn take_left(units: &[RemoteUnit], drafts: &mut [Draft<'_>]) {
    let mut floor = 0;
    for draft in drafts {
        let left = draft.units.start.checked_sub(1).filter(|left| *left >= floor);
        floor = draft.units.end;
        if let Some(left) = left.filter(|left| units.get(*left).is_some_and(|unit| !unit.frozen)) {
            draft.parts.insert(0, Part::Kept(left));
            draft.units.start = left;
        }
    }
}

/// Makes one of drafts that overlap or stand side by side.
fn merge_touching(drafts: &mut Vec<Draft<'_>>) {
    let mut out: Vec<Draft<'_>> = Vec::new();
    for draft in drafts.drain(..) {
        match out.last_mut() {
            Some(last) if draft.units.start <= last.units.end => {
                last.padded |= draft.padded;
                // A unit that both hold on to is there once; what one of them replaces is not kept by the other.
                let holds = |parts: &[Part<'_>], at| {
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
fn place(text: &str, units: &[RemoteUnit], draft: &Draft<'_>) -> Range<usize> {
    let first = units.get(draft.units.start).filter(|_| !draft.units.is_empty());
    let last = draft.units.end.checked_sub(1).and_then(|at| units.get(at));
    let (Some(first), Some(last)) = (first, last) else { return 0..0 };
    let (start, end) = (first.span.start, last.span.end);
    let before = draft.padded && text.get(..start).is_some_and(|before| before.ends_with('\n'));
    let after = draft.padded && text.get(end..).is_some_and(|after| after.starts_with('\n'));
    start - usize::from(before)..end + usize::from(after)
}

fn old_text(text: &str, units: &[RemoteUnit], draft: &Draft<'_>) -> String {
    text.get(place(text, units, draft)).unwrap_or_default().to_owned()
}

/// Takes the shorter of the two neighbours into a draft.
fn extend(
    text: &str,
    units: &[RemoteUnit],
    drafts: &mut [Draft<'_>],
    at: usize,
) -> Result<(), Reason> {
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

fn finish(dialect: Dialect, text: &str, units: &[RemoteUnit], draft: &Draft<'_>) -> Option<Hunk> {
    let at = place(text, units, draft);
    let old = text.get(at.clone()).filter(|old| !old.is_empty())?;
    let start = units.get(draft.units.start)?.span.start;
    let end = units.get(draft.units.end.checked_sub(1)?)?.span.end;
    let (before, after) = (text.get(at.start..start)?, text.get(end..at.end)?);
    let mut new = String::new();
    let mut last: Option<(Option<usize>, &Node)> = None;
    for part in &draft.parts {
        let (own, node, kept) = match part {
            Part::Kept(n) => {
                let unit = units.get(*n)?;
                (text.get(unit.span.clone())?, &unit.node, Some(*n))
            }
            Part::New(own, node) => (own.as_str(), *node, None),
        };
        match (last, kept) {
            // Units that stand side by side keep what is between them.
            (Some((Some(left), _)), Some(right)) if left + 1 == right => {
                new.push_str(gap(text, units, right)?);
            }
            (Some((_, left)), _) if !own.is_empty() => {
                new.push_str(dialect.separator(left, node));
            }
            (None, None) => {
                new.push_str(lacking(dialect, text, units, draft.units.start, None, Some(node)));
            }
            _ => {}
        }
        new.push_str(own);
        last = Some((kept, node));
    }
    if let Some((None, node)) = last {
        new.push_str(lacking(dialect, text, units, draft.units.end, Some(node), None));
    }
    Some(Hunk { at, old: old.to_owned(), new: format!("{before}{new}{after}") })
}

/// What stands between a unit and the one before it.
fn gap<'t>(text: &'t str, units: &[RemoteUnit], at: usize) -> Option<&'t str> {
    let before = units.get(at.checked_sub(1)?)?;
    text.get(before.span.end..units.get(at)?.span.start)
}

/// What is missing between a new block and the unit that stands beside it, before or from `at` on.
fn lacking(
    dialect: Dialect,
    text: &str,
    units: &[RemoteUnit],
    at: usize,
    left: Option<&Node>,
    right: Option<&Node>,
) -> &'static str {
    let unit = |at: usize| units.get(at).map(Keyed::node);
    let left = left.or_else(|| at.checked_sub(1).and_then(unit));
    let right = right.or_else(|| unit(at));
    let (Some(left), Some(right), Some(there)) = (left, right, gap(text, units, at)) else {
        return "";
    };
    // Right after a tag a block needs no blank line.
    let enough = there.matches('\n').count() >= 2 || left.block == Block::Empty;
    if !enough && dialect.separator(left, right) == "\n\n" { "\n" } else { "" }
}

fn occurs_once(text: &str, part: &str) -> bool {
    let Some(first) = text.find(part) else { return false };
    let step = part.chars().next().map_or(1, char::len_utf8);
    text.get(first + step..).is_none_or(|rest| !rest.contains(part))
}
