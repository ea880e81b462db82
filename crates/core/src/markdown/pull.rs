//! From blocks to edits of a file: only the spans of changed blocks, fitted to what stands around them.

use std::collections::BTreeMap;
use std::ops::Range;

use super::align::Slot;
use super::block::{Block, Keyed, LocalUnit, Marker, Node};
use super::local_render::{self, Surroundings, ends_at_a_blank_line, separator};
use super::relink::is_held;
use super::splice::Grain;
use super::{Edit, Local, apply_edits, local_parse, splice};

/// Where more blocks change, they are not tried one by one.
const MOST_ALONE: usize = 32;

/// How close to the source a changed block is written; the first that reads back as wanted is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// Parts of a block.
    Part(Grain),
    /// The whole block.
    Block,
    /// The whole block, with a blank line between it and what is in the file alone: a definition right behind a
    /// text would become a part of it.
    Apart,
}

/// The edits that bring the slots about.
pub(super) fn edits(local: &Local<'_>, units: &[LocalUnit], slots: &[Slot<'_>]) -> Vec<Edit> {
    if slots.iter().all(|slot| matches!(slot, Slot::Kept(_))) {
        return Vec::new();
    }
    let wanted: Vec<&Node> = nodes(units, slots).filter(|node| node.counts()).collect();
    let writer = Writer { local, units };
    let parts = [Grain::Word, Grain::Link, Grain::Text].map(Care::Part);
    let ladder = || parts.into_iter().chain([Care::Block, Care::Apart]);
    let closest = writer.edits(slots, &|_| Care::Part(Grain::Word));
    if yields(local, &closest, &wanted) {
        return closest;
    }
    // One block that has to be written anew is no reason to touch another.
    let changed = slots.iter().filter(|slot| matches!(slot, Slot::Changed(..))).count();
    if (2..=MOST_ALONE).contains(&changed) {
        let cares = writer.cares(slots, ladder);
        let care_of = |at: Option<usize>| at.and_then(|at| cares.get(&at)).copied();
        let edits = writer.edits(slots, &|at| care_of(at).unwrap_or(Care::Block));
        if yields(local, &edits, &wanted) {
            return edits;
        }
    }
    for care in ladder().skip(1) {
        let edits = writer.edits(slots, &|_| care);
        if yields(local, &edits, &wanted) {
            return edits;
        }
    }
    // The blocks do not stand on their own lines or would flow together: write all anew that is around a change.
    for reach in [0, 1] {
        let edits = writer.edits(&anew(units, slots, reach), &|_| Care::Apart);
        if yields(local, &edits, &wanted) {
            return edits;
        }
    }
    writer.edits(&anew(units, slots, slots.len()), &|_| Care::Apart)
}

/// The slots with every top-level block written anew that holds a change or is at most `reach` away from one that
/// does.
fn anew<'n>(units: &'n [LocalUnit], slots: &[Slot<'n>], reach: usize) -> Vec<Slot<'n>> {
    let node = |slot: &Slot<'n>| match slot {
        Slot::Kept(at) | Slot::Removed(at) => units.get(*at).map(Keyed::node),
        Slot::Changed(_, node) | Slot::Added(node) => Some(*node),
    };
    let begins = |slot: &Slot<'n>| {
        node(slot).is_some_and(|node| {
            node.depth == 0 && !matches!(node.block, Block::Row(_) | Block::TableEnd)
        })
    };
    let groups: Vec<&[Slot<'n>]> = slots.chunk_by(|_, next| !begins(next)).collect();
    let is_changed = |group: &&[Slot<'n>]| !group.iter().all(|slot| matches!(slot, Slot::Kept(_)));
    let mut out = Vec::with_capacity(slots.len() * 2);
    for (n, group) in groups.iter().enumerate() {
        let near = groups.iter().skip(n.saturating_sub(reach)).take(n.min(reach) + 1 + reach);
        if !near.into_iter().any(is_changed) {
            out.extend_from_slice(group);
            continue;
        }
        out.extend(group.iter().filter_map(|slot| match slot {
            Slot::Kept(at) | Slot::Changed(at, _) | Slot::Removed(at) => Some(Slot::Removed(*at)),
            Slot::Added(_) => None,
        }));
        let stays = |slot: &&Slot<'n>| !matches!(slot, Slot::Removed(_));
        out.extend(group.iter().filter(stays).filter_map(node).map(Slot::Added));
    }
    out
}

fn nodes<'a>(units: &'a [LocalUnit], slots: &'a [Slot<'_>]) -> impl Iterator<Item = &'a Node> {
    slots.iter().filter_map(|slot| match slot {
        Slot::Kept(at) => units.get(*at).map(Keyed::node),
        Slot::Changed(_, node) | Slot::Added(node) => Some(*node),
        Slot::Removed(_) => None,
    })
}

fn yields(local: &Local<'_>, edits: &[Edit], wanted: &[&Node]) -> bool {
    let text = apply_edits(local.text, edits);
    let excluded = shifted(local.excluded, edits);
    let after = Local { text: &text, excluded: &excluded, ..*local };
    let mut found = local_parse::parse(&after);
    found.retain(|unit| unit.node.counts());
    found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(unit, node)| is_held(&unit.node, node, local.links))
}

/// The excluded ranges after the edits, which never touch them.
pub(super) fn shifted(excluded: &[Range<usize>], edits: &[Edit]) -> Vec<Range<usize>> {
    excluded
        .iter()
        .map(|range| {
            let mut start = range.start;
            for edit in edits.iter().filter(|edit| edit.at.end <= range.start) {
                start = (start + edit.new.len()).saturating_sub(edit.at.len());
            }
            start..start + range.len()
        })
        .collect()
}

struct Writer<'a> {
    local: &'a Local<'a>,
    units: &'a [LocalUnit],
}

/// A run of slots between two units that stay in place.
#[derive(Default)]
struct Run<'n> {
    removed: Vec<usize>,
    added: Vec<&'n Node>,
}

impl Writer<'_> {
    /// For each changed unit the closest way in which it can be written by itself.
    fn cares<I: Iterator<Item = Care>>(
        &self,
        slots: &[Slot<'_>],
        ladder: impl Fn() -> I,
    ) -> BTreeMap<usize, Care> {
        let mut out = BTreeMap::new();
        for slot in slots {
            let Slot::Changed(changed, node) = slot else { continue };
            let alone: Vec<Slot<'_>> = (0..self.units.len())
                .map(|at| if at == *changed { Slot::Changed(at, node) } else { Slot::Kept(at) })
                .collect();
            let wanted: Vec<&Node> =
                nodes(self.units, &alone).filter(|node| node.counts()).collect();
            let care =
                ladder().find(|care| yields(self.local, &self.edits(&alone, &|_| *care), &wanted));
            out.extend(care.map(|care| (*changed, care)));
        }
        out
    }

    /// The edits, with the care that the unit at an index is written with, or what is between units.
    fn edits(&self, slots: &[Slot<'_>], care: &dyn Fn(Option<usize>) -> Care) -> Vec<Edit> {
        let mut out = Vec::new();
        let mut run = Run::default();
        let between = care(None);
        // The last unit that stays in place.
        let mut before: Option<usize> = None;
        for slot in slots {
            match slot {
                Slot::Removed(at) => run.removed.push(*at),
                Slot::Added(node) => run.added.push(node),
                Slot::Kept(at) | Slot::Changed(at, _) => {
                    self.run(&std::mem::take(&mut run), before, Some(*at), between, &mut out);
                    if let Slot::Changed(_, node) = slot {
                        self.change(*at, node, care(Some(*at)), &mut out);
                    }
                    before = Some(*at);
                }
            }
        }
        self.run(&run, before, None, between, &mut out);
        let crlf = self.local.text.contains("\r\n");
        for edit in &mut out {
            if crlf {
                edit.new = edit.new.replace("\r\n", "\n").replace('\n', "\r\n");
            }
        }
        out.sort_by_key(|edit| (edit.at.start, edit.at.end));
        let mut out = merge_overlaps(out);
        // A block can hold a property inside of it, e.g. a toggle; then it stays as it is.
        out.retain(|edit| {
            !self.local.excluded.iter().any(|e| e.start < edit.at.end && edit.at.start < e.end)
        });
        out
    }

    fn unit(&self, at: Option<usize>) -> Option<&LocalUnit> {
        at.and_then(|at| self.units.get(at))
    }

    fn source(&self, range: Range<usize>) -> &str {
        self.local.text.get(range).unwrap_or_default()
    }

    fn run(
        &self,
        run: &Run<'_>,
        before: Option<usize>,
        after: Option<usize>,
        care: Care,
        out: &mut Vec<Edit>,
    ) {
        if run.removed.is_empty() && run.added.is_empty() {
            return;
        }
        let from = out.len();
        let removed = self.intervals(&run.removed);
        let added: Vec<Node> = run
            .added
            .iter()
            .filter(|node| node.block != Block::Empty)
            .map(|node| (*node).clone())
            .collect();
        let mut rest = removed.into_iter();
        if let (Some(unit), Some(first)) = (self.unit(before), added.first()) {
            out.extend(self.held_open(unit, first));
        }
        if !added.is_empty() {
            let position = run.removed.first().copied().or(before.map(|at| at + 1)).unwrap_or(0);
            let depth = added.first().map_or(0, |node| node.depth);
            let place = self.surroundings(position, depth, before, after);
            let text = local_render::render(&added, &place, self.local.links);
            match rest.next() {
                Some(span) => {
                    out.push(self.replacement(span, &text, &added, before, after, &place))
                }
                None => out.push(self.insertion(&text, &added, before, after, &place)),
            }
        }
        for span in rest {
            out.push(match care {
                Care::Apart => Edit { at: span, new: String::new() },
                _ => self.deletion(span, before, after),
            });
        }
        if care == Care::Apart {
            out.iter_mut().skip(from).for_each(|edit| self.set_apart(edit));
        }
    }

    /// A comment in a list item without text, which would end at the blank line before its child.
    fn held_open(&self, item: &LocalUnit, child: &Node) -> Option<Edit> {
        let line = self.source(item.span.clone());
        let content = line.get(item.marker.len()..)?.trim();
        let bare = content.is_empty()
            || item.task.as_ref().is_some_and(|task| task.len() == content.len());
        (bare && ends_at_a_blank_line(&item.node, child)).then(|| {
            let end = item.span.start + line.trim_end().len();
            Edit { at: end..item.span.end, new: " <!-- -->".to_owned() }
        })
    }

    /// Puts a blank line between a new text and lines next to it that are no units.
    fn set_apart(&self, edit: &mut Edit) {
        if edit.new.trim().is_empty() {
            return;
        }
        let alone = |at: usize| !self.units.iter().any(|unit| unit.span.contains(&at));
        let before = self.source(0..edit.at.start);
        let shown = before.trim_end().len();
        if let Some(last) = shown.checked_sub(1)
            && alone(last)
            && before.get(shown..).is_some_and(|gap| gap.matches('\n').count() < 2)
        {
            edit.new.insert(0, '\n');
        }
        let after = self.source(edit.at.end..self.local.text.len());
        let gap = after.len() - after.trim_start().len();
        let lines = after.get(..gap).map_or(0, |gap| gap.matches('\n').count());
        let own = edit.new.bytes().rev().take_while(|byte| *byte == b'\n').count();
        if gap < after.len() && alone(edit.at.end + gap) && lines + own < 2 {
            edit.new.push('\n');
        }
    }

    /// Spans of removed units, those with nothing between them made one.
    fn intervals(&self, removed: &[usize]) -> Vec<Range<usize>> {
        let mut out: Vec<Range<usize>> = Vec::new();
        for unit in removed.iter().filter_map(|at| self.units.get(*at)) {
            match out.last_mut() {
                Some(last) if self.is_gap(last.end..unit.span.start) => last.end = unit.span.end,
                _ => out.push(unit.span.clone()),
            }
        }
        out
    }

    /// Whether there is only white space that belongs to the body.
    fn is_gap(&self, range: Range<usize>) -> bool {
        let free = !self
            .local
            .excluded
            .iter()
            .any(|excluded| excluded.start < range.end && range.start < excluded.end);
        free && self.source(range).trim().is_empty()
    }

    /// Removes whole lines together with the gap on one side: the narrower one stays that keeps the neighbours
    /// apart.
    fn deletion(&self, span: Range<usize>, previous: Option<usize>, next: Option<usize>) -> Edit {
        let text = self.local.text;
        let before = text.get(..span.start).unwrap_or_default();
        let after = text.get(span.end..).unwrap_or_default();
        let gap_before = before.len() - before.trim_end_matches([' ', '\t', '\r', '\n']).len();
        let gap_after = after.len() - after.trim_start_matches([' ', '\t', '\r', '\n']).len();
        // An indentation in front of what follows is no part of the gap.
        let gap_after =
            after.get(..gap_after).and_then(|gap| gap.rfind('\n')).map_or(0, |at| at + 1);
        let floor = self.limit(span.start - gap_before..span.start, true);
        let ceiling = self.limit(span.end..span.end + gap_after, false);
        let lines = |range: Range<usize>| self.source(range).matches('\n').count();
        let at_end = self.source(span.end..text.len()).trim().is_empty();
        // The end of a table has no text that could be kept apart.
        let next = (next.unwrap_or(self.units.len())..self.units.len())
            .find(|at| self.unit(Some(*at)).is_some_and(|unit| unit.node.block != Block::TableEnd));
        let needed = match (self.unit(previous), self.unit(next)) {
            (Some(previous), Some(next)) => separator(&previous.node, &next.node, false).len(),
            _ => 2,
        };
        let (wide_before, wide_after) = (lines(floor..span.start), lines(span.end..ceiling));
        // Line endings of an excluded range cannot be taken away, so those that follow must go.
        let whole = floor + gap_before == span.start;
        let keep_after =
            whole && wide_after >= needed && (wide_before < needed || wide_after <= wide_before);
        let at = if at_end && (floor == 0 || !whole) {
            // Nothing of ours is left there: no lone line ending either.
            floor..self.limit(span.end..text.len(), false)
        } else if at_end || (floor > 0 && keep_after && floor < span.start) {
            floor..span.end
        } else {
            span.start..ceiling
        };
        Edit { at, new: String::new() }
    }

    /// The end of a gap that is free of excluded ranges, seen from its begin or its end.
    fn limit(&self, gap: Range<usize>, backwards: bool) -> usize {
        let touching = self
            .local
            .excluded
            .iter()
            .filter(|excluded| excluded.start < gap.end && gap.start < excluded.end);
        if backwards {
            touching
                .map(|excluded| excluded.end.min(gap.end))
                .max()
                .unwrap_or(gap.start)
                .max(gap.start)
        } else {
            touching.map(|excluded| excluded.start.max(gap.start)).min().unwrap_or(gap.end)
        }
    }

    fn replacement(
        &self,
        span: Range<usize>,
        text: &str,
        added: &[Node],
        before: Option<usize>,
        after: Option<usize>,
        place: &Surroundings,
    ) -> Edit {
        let mut new = text.to_owned();
        if let (Some(before), Some(first)) = (self.unit(before), added.first()) {
            let wanted = separator(&before.node, first, place.loose).len();
            new = format!("{}{new}", self.missing(before.span.end..span.start, wanted));
        }
        if let (Some(after), Some(last)) = (self.unit(after), added.last()) {
            let wanted = separator(last, &after.node, place.loose).len();
            new.push_str(&self.missing(span.end..after.span.start, wanted));
        }
        // A span can begin after the marker of an outer item on the same line.
        let line_start = span.start == 0 || self.source(0..span.start).ends_with('\n');
        let new = if line_start { new } else { format!("\n{new}") };
        Edit { at: span, new }
    }

    /// Line endings that a gap lacks; none where something else stands in it.
    fn missing(&self, gap: Range<usize>, wanted: usize) -> String {
        if gap.start > gap.end || !self.is_gap(gap.clone()) {
            return String::new();
        }
        "\n".repeat(wanted.saturating_sub(self.source(gap).matches('\n').count()))
    }

    fn insertion(
        &self,
        text: &str,
        added: &[Node],
        before: Option<usize>,
        after: Option<usize>,
        place: &Surroundings,
    ) -> Edit {
        if let (Some(unit), Some(first)) = (self.unit(before), added.first()) {
            let mut new = format!("{}{text}", separator(&unit.node, first, place.loose));
            if let (Some(next), Some(last)) = (self.unit(after), added.last()) {
                let wanted = separator(last, &next.node, place.loose).len();
                new.push_str(&self.missing(unit.span.end..next.span.start, wanted));
            }
            return Edit { at: unit.span.end..unit.span.end, new };
        }
        if let (Some(next), Some(last)) = (self.unit(after), added.last()) {
            let new = format!("{text}{}", separator(last, &next.node, place.loose));
            return Edit { at: next.span.start..next.span.start, new };
        }
        // No body yet: at the end of the file.
        let end = self.local.text.len();
        let ending = self.local.text.bytes().rev().take_while(|b| matches!(b, b'\n' | b'\r'));
        let gap = match ending.filter(|b| *b == b'\n').count() {
            _ if end == 0 => "",
            0 => "\n\n",
            1 => "\n",
            _ => "",
        };
        Edit { at: end..end, new: format!("{gap}{text}\n") }
    }

    /// Indentations and list style for a block of this depth before the unit at `position`.
    fn surroundings(
        &self,
        position: usize,
        depth: usize,
        before: Option<usize>,
        after: Option<usize>,
    ) -> Surroundings {
        let mut indents: Vec<Option<String>> = vec![None; depth + 1];
        let mut sibling: Option<&LocalUnit> = None;
        let mut limit = depth;
        for unit in self.units.iter().take(position).rev() {
            let at = unit.node.depth;
            if at > limit {
                continue;
            }
            let item = matches!(unit.node.block, Block::Item(..));
            if at == depth && item && sibling.is_none() {
                sibling = Some(unit);
            }
            if item
                && let Some(slot) = indents.get_mut(at + 1)
                && slot.is_none()
            {
                *slot = Some(unit.child_indent.clone());
            }
            if let Some(slot) = indents.get_mut(at)
                && slot.is_none()
            {
                *slot = Some(unit.indent.clone());
            }
            limit = at;
            if at == 0 {
                break;
            }
        }
        let following = self.units.get(position).filter(|unit| unit.node.depth == depth);
        let mut filled: Vec<String> = Vec::new();
        for (at, indent) in indents.into_iter().enumerate() {
            let next = following.filter(|_| at == depth).map(|unit| unit.indent.clone());
            let deeper = filled.last().map(|outer| format!("{outer}  "));
            filled.push(indent.or(next).or(deeper).unwrap_or_default());
        }
        let style = sibling.or(following.filter(|unit| matches!(unit.node.block, Block::Item(..))));
        let bullet_of =
            |unit: &&LocalUnit| unit.marker.chars().next().filter(|c| matches!(c, '-' | '*' | '+'));
        let bullet = style
            .and_then(|unit| bullet_of(&unit))
            .or_else(|| self.units.iter().find_map(|unit| bullet_of(&unit)))
            .unwrap_or('-');
        let number =
            |unit: &LocalUnit| unit.marker.trim_end_matches(['.', ')']).parse::<u64>().ok();
        // A list whose items are all `1.` stays so.
        let lazy = self
            .unit(after)
            .filter(|unit| unit.node.depth == depth)
            .is_some_and(|unit| number(unit) == Some(1))
            && sibling.and_then(number) == Some(1);
        let next = match sibling
            .filter(|unit| matches!(unit.node.block, Block::Item(Marker::Number, _)))
        {
            Some(_) if lazy => 1,
            Some(unit) => number(unit).map_or(1, |n| n.saturating_add(1)),
            None => following.and_then(number).unwrap_or(1),
        };
        // Another bullet begins another list; the blank line in front of it says nothing about ours.
        let style_of =
            |unit: &LocalUnit| unit.marker.chars().last().filter(|c| !c.is_ascii_digit());
        let next_list = |unit: &&LocalUnit| {
            unit.node.depth == depth
                && sibling.is_some_and(|sibling| style_of(sibling) != style_of(unit))
        };
        let loose = match (self.unit(before), self.unit(after).filter(|unit| !next_list(unit))) {
            (Some(a), Some(b)) if is_item(a) && is_item(b) => {
                self.source(a.span.end..b.span.start).matches('\n').count() > 1
            }
            (Some(a), _) if is_item(a) => {
                let earlier = before.and_then(|at| at.checked_sub(1));
                self.unit(earlier).is_some_and(|b| {
                    is_item(b) && self.source(b.span.end..a.span.start).matches('\n').count() > 1
                })
            }
            _ => false,
        };
        Surroundings {
            indents: filled,
            bullet,
            number: next,
            delimiter: if style.is_some_and(|unit| unit.marker.ends_with(')')) { ')' } else { '.' },
            loose,
        }
    }

    fn change(&self, at: usize, node: &Node, care: Care, out: &mut Vec<Edit>) {
        let Some(unit) = self.units.get(at) else { return };
        if let Care::Part(grain) = care
            && let Some(edits) = splice::change(self.local, unit, node, grain)
        {
            out.extend(edits);
            return;
        }
        let marker = match (&node.block, &unit.node.block) {
            (Block::Item(..), Block::Item(..)) if !unit.marker.is_empty() => unit.marker.as_str(),
            (Block::Item(Marker::Number, _), _) => "1.",
            _ => "-",
        };
        let mut new = String::new();
        local_render::write_block(&node.block, &unit.indent, marker, self.local.links, &mut new);
        if care == Care::Apart {
            // As a whole, so that a blank line behind it is behind all of it.
            let mut edit = Edit { at: unit.span.clone(), new };
            self.set_apart(&mut edit);
            out.push(edit);
        } else {
            out.extend(splice::lines(self.local.text, unit.span.clone(), &new));
        }
    }
}

fn is_item(unit: &LocalUnit) -> bool {
    matches!(unit.node.block, Block::Item(..))
}

/// Edits in order; of two that overlap, both texts stand where the first one did.
fn merge_overlaps(edits: Vec<Edit>) -> Vec<Edit> {
    let mut out: Vec<Edit> = Vec::new();
    for edit in edits {
        match out.last_mut() {
            Some(last) if edit.at.start < last.at.end => {
                last.at.end = last.at.end.max(edit.at.end);
                last.new.push_str(&edit.new);
            }
            _ => out.push(edit),
        }
    }
    out
}
