//! Which unit became which: alignment of two versions, and the transfer of what changed to the other side.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::block::{Block, Keyed, Node};

/// Gaps larger than this (product of both lengths) are not searched for similar units.
const MAX_PAIRING: usize = 10_000;

/// How alike (0 to 1) two units must be to count as one that was edited.
const SIMILAR: f32 = 0.3;

/// A step from an old version to a new one; indices into both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Keep(usize, usize),
    Change(usize, usize),
    Remove(usize),
    Add(usize),
}

/// The steps from one version to another, in order of the text. Tables are compared as wholes first: rows and ends of
/// different tables look alike.
pub(super) fn steps<A: Keyed, B: Keyed>(old: &[A], new: &[B]) -> Vec<Step> {
    let is_table = |node: &Node| matches!(node.block, Block::Table(..));
    if !old.iter().any(|unit| is_table(unit.node()))
        || !new.iter().any(|unit| is_table(unit.node()))
    {
        return flat(old, new);
    }
    let (folded_old, folded_new) = (Folded::all(old), Folded::all(new));
    let mut out = Vec::with_capacity(old.len().max(new.len()));
    for step in flat(&folded_old, &folded_new) {
        let (was, is) = match step {
            Step::Keep(a, b) | Step::Change(a, b) => (folded_old.get(a), folded_new.get(b)),
            Step::Remove(a) => (folded_old.get(a), None),
            Step::Add(b) => (None, folded_new.get(b)),
        };
        match (was, is) {
            (Some(was), Some(is)) => {
                let (a, b) = (was.range.start, is.range.start);
                let inner = flat(
                    old.get(was.range.clone()).unwrap_or_default(),
                    new.get(is.range.clone()).unwrap_or_default(),
                );
                out.extend(inner.into_iter().map(|step| step.shifted(a, b)));
            }
            (Some(was), None) => out.extend(was.range.clone().map(Step::Remove)),
            (None, Some(is)) => out.extend(is.range.clone().map(Step::Add)),
            (None, None) => {}
        }
    }
    out
}

impl Step {
    fn shifted(self, old: usize, new: usize) -> Self {
        match self {
            Self::Keep(a, b) => Self::Keep(old + a, new + b),
            Self::Change(a, b) => Self::Change(old + a, new + b),
            Self::Remove(a) => Self::Remove(old + a),
            Self::Add(b) => Self::Add(new + b),
        }
    }
}

/// A unit, or a whole table as one.
pub(super) struct Folded<'u> {
    pub(super) range: Range<usize>,
    node: &'u Node,
    pub(super) key: Cow<'u, str>,
}

impl<'u> Folded<'u> {
    pub(super) fn all<U: Keyed>(units: &'u [U]) -> Vec<Self> {
        let mut out = Vec::with_capacity(units.len());
        let mut at = 0;
        while let Some(unit) = units.get(at) {
            let rest = units.get(at..).unwrap_or_default();
            let end = match unit.node().block {
                Block::Table(..) => rest
                    .iter()
                    .position(|unit| matches!(unit.node().block, Block::TableEnd))
                    .map_or(at + 1, |end| at + end + 1),
                _ => at + 1,
            };
            let key = match units.get(at..end).unwrap_or_default() {
                [_] => Cow::Borrowed(unit.key()),
                table => table.iter().flat_map(|unit| [unit.key(), "\u{7}"]).collect(),
            };
            out.push(Self { range: at..end, node: unit.node(), key });
            at = end;
        }
        out
    }
}

impl Keyed for Folded<'_> {
    fn node(&self) -> &Node {
        self.node
    }
    fn key(&self) -> &str {
        &self.key
    }
}

fn flat<A: Keyed, B: Keyed>(old: &[A], new: &[B]) -> Vec<Step> {
    let mut ids: HashMap<&str, usize> = HashMap::new();
    let mut id = |key| {
        let next = ids.len();
        *ids.entry(key).or_insert(next)
    };
    let old_ids: Vec<usize> = old.iter().map(|unit| id(unit.key())).collect();
    let new_ids: Vec<usize> = new.iter().map(|unit| id(unit.key())).collect();
    let mut out = Vec::with_capacity(old.len().max(new.len()));
    for op in capture_diff_slices(Algorithm::Patience, &old_ids, &new_ids) {
        match op {
            DiffOp::Equal { old_index, new_index, len } => {
                out.extend((0..len).map(|n| Step::Keep(old_index + n, new_index + n)));
            }
            DiffOp::Delete { old_index, old_len, .. } => {
                out.extend((old_index..old_index + old_len).map(Step::Remove));
            }
            DiffOp::Insert { new_index, new_len, .. } => {
                out.extend((new_index..new_index + new_len).map(Step::Add));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                let nodes_old: Vec<&Node> =
                    old.iter().skip(old_index).take(old_len).map(Keyed::node).collect();
                let nodes_new: Vec<&Node> =
                    new.iter().skip(new_index).take(new_len).map(Keyed::node).collect();
                let (mut a, mut b) = (0, 0);
                for (x, y) in pairs(&nodes_old, &nodes_new).into_iter().chain([(old_len, new_len)])
                {
                    out.extend((a..x).map(|n| Step::Remove(old_index + n)));
                    out.extend((b..y).map(|n| Step::Add(new_index + n)));
                    if x < old_len {
                        out.push(Step::Change(old_index + x, new_index + y));
                    }
                    (a, b) = (x + 1, y + 1);
                }
            }
        }
    }
    out
}

/// Units of a gap that are the same one, edited; ascending in both.
fn pairs(old: &[&Node], new: &[&Node]) -> Vec<(usize, usize)> {
    let likes = |a: &Node, b: &Node| !matches!(a.block, Block::Opaque(..)) && a.is_like(b);
    if old.len() == new.len() && old.iter().zip(new).all(|(a, b)| likes(a, b)) {
        return (0..old.len()).map(|n| (n, n)).collect();
    }
    if old.len().saturating_mul(new.len()) > MAX_PAIRING {
        return Vec::new();
    }
    let words = |nodes: &[&Node]| -> Vec<Vec<String>> {
        nodes
            .iter()
            .map(|node| {
                let mut words = node.words();
                words.sort_unstable();
                words
            })
            .collect()
    };
    let (old_words, new_words) = (words(old), words(new));
    // best[i][j]: the best sum of likeness for old[i..] against new[j..].
    let width = new.len() + 1;
    let mut best = vec![0.0_f32; (old.len() + 1) * width];
    let mut like = vec![0.0_f32; old.len() * new.len()];
    let get = |table: &[f32], at: usize| table.get(at).copied().unwrap_or(0.0);
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let score = match (old.get(i), new.get(j), old_words.get(i), new_words.get(j)) {
                (Some(a), Some(b), Some(x), Some(y)) if likes(a, b) => likeness(x, y),
                _ => 0.0,
            };
            let score = if score >= SIMILAR { score } else { 0.0 };
            if let Some(slot) = like.get_mut(i * new.len() + j) {
                *slot = score;
            }
            let skip = get(&best, (i + 1) * width + j).max(get(&best, i * width + j + 1));
            let take = if score > 0.0 { score + get(&best, (i + 1) * width + j + 1) } else { 0.0 };
            if let Some(slot) = best.get_mut(i * width + j) {
                *slot = skip.max(take);
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < old.len() && j < new.len() {
        let score = get(&like, i * new.len() + j);
        let here = get(&best, i * width + j);
        if score > 0.0 && here <= score + get(&best, (i + 1) * width + j + 1) {
            out.push((i, j));
            i += 1;
            j += 1;
        } else if here <= get(&best, (i + 1) * width + j) {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

/// Whether two versions of a unit have enough words in common to be one that was edited.
pub(super) fn are_similar(a: &Node, b: &Node) -> bool {
    let words = |node: &Node| {
        let mut words = node.words();
        words.sort_unstable();
        words
    };
    a.is_like(b) && likeness(&words(a), &words(b)) >= SIMILAR
}

/// Share of common words, of two sorted lists.
fn likeness(a: &[String], b: &[String]) -> f32 {
    let total = a.len() + b.len();
    if total == 0 {
        return 1.0;
    }
    let (mut x, mut y) = (a.iter().peekable(), b.iter().peekable());
    let mut common = 0_u16;
    while let (Some(p), Some(q)) = (x.peek(), y.peek()) {
        match p.cmp(q) {
            std::cmp::Ordering::Less => drop(x.next()),
            std::cmp::Ordering::Greater => drop(y.next()),
            std::cmp::Ordering::Equal => {
                common = common.saturating_add(1);
                x.next();
                y.next();
            }
        }
    }
    2.0 * f32::from(common) / f32::from(u16::try_from(total).unwrap_or(u16::MAX))
}

/// Where units of one side are on the other.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// This unit.
    One(usize),
    /// One of a group that has no finer alignment; index into the groups.
    Group(usize),
    /// Nowhere: the other side never had it.
    None,
    /// The other side had it, and lost it since.
    Gone,
}

/// Units of one side to units of the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    places: Vec<Place>,
    /// Units of the other side, for each group; `None` when they are gone.
    groups: Vec<Option<Range<usize>>>,
}

impl Link {
    /// Aligns two texts that are agreed to be the same content, though perhaps not canonically equal.
    pub(super) fn agreed<A: Keyed, B: Keyed>(from: &[A], to: &[B]) -> Self {
        let mut link = Self { places: vec![Place::None; from.len()], groups: Vec::new() };
        let mut removed: Vec<usize> = Vec::new();
        let mut added: Vec<usize> = Vec::new();
        for step in steps(from, to).into_iter().map(Some).chain([None]) {
            match step {
                Some(Step::Remove(old)) => removed.push(old),
                Some(Step::Add(new)) => added.push(new),
                other => {
                    if let (Some(first), Some(last)) = (added.first(), added.last())
                        && !removed.is_empty()
                    {
                        for old in &removed {
                            link.set(*old, Place::Group(link.groups.len()));
                        }
                        link.groups.push(Some(*first..last + 1));
                    }
                    removed.clear();
                    added.clear();
                    if let Some(Step::Keep(old, new) | Step::Change(old, new)) = other {
                        link.set(old, Place::One(new));
                    }
                }
            }
        }
        link
    }

    /// Every unit to itself.
    pub(super) fn identity(len: usize) -> Self {
        Self { places: (0..len).map(Place::One).collect(), groups: Vec::new() }
    }

    fn set(&mut self, at: usize, place: Place) {
        if let Some(slot) = self.places.get_mut(at) {
            *slot = place;
        }
    }

    /// Follows the other side from the version that was agreed to one that is only a little different; what is
    /// not the same there any more is gone.
    pub(super) fn followed<A: Keyed, B: Keyed>(mut self, agreed: &[A], now: &[B]) -> Self {
        let mut moved: Vec<Option<usize>> = vec![None; agreed.len()];
        for step in steps(agreed, now) {
            if let Step::Keep(old, new) = step
                && let Some(slot) = moved.get_mut(old)
            {
                *slot = Some(new);
            }
        }
        let to = |at: usize| moved.get(at).copied().flatten();
        for place in &mut self.places {
            if let Place::One(at) = place {
                *place = to(*at).map_or(Place::Gone, Place::One);
            }
        }
        for group in &mut self.groups {
            *group = group.take().and_then(|range| {
                let start = to(range.start)?;
                let whole = range.clone().enumerate().all(|(n, at)| to(at) == Some(start + n));
                whole.then_some(start..start + range.len())
            });
        }
        self
    }

    fn place(&self, at: usize) -> Place {
        self.places.get(at).cloned().unwrap_or(Place::None)
    }
}

/// What becomes of the units of the side that is written to, in order.
#[derive(Clone, Debug)]
pub(super) enum Slot<'n> {
    Kept(usize),
    Changed(usize, &'n Node),
    Removed(usize),
    Added(&'n Node),
}

/// A unit that must change is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost;

/// Carries the steps from `old` to `new` over to the other side, which has `len` units.
pub(super) fn transfer<'n, B: Keyed>(
    steps: &[Step],
    link: &Link,
    new: &'n [B],
    len: usize,
) -> Result<Vec<Slot<'n>>, Lost> {
    let mut actions: Vec<Slot<'n>> = (0..len).map(Slot::Kept).collect();
    // What comes before each unit, and after the last.
    let mut additions: Vec<Vec<&'n Node>> = vec![Vec::new(); len + 1];
    let touched = touched_groups(steps, link);
    let node = |at: usize| new.get(at).map(Keyed::node);
    let mut add = |cursor: usize, at: usize| {
        if let (Some(slot), Some(node)) = (additions.get_mut(cursor), node(at)) {
            slot.push(node);
        }
    };
    let mut cursor = 0;
    // The touched group that additions right now are inside of.
    let mut inside: Option<usize> = None;
    for step in steps {
        let (old, at) = match *step {
            Step::Add(at) => {
                add(cursor, at);
                continue;
            }
            Step::Keep(old, at) | Step::Change(old, at) => (old, Some(at)),
            Step::Remove(old) => (old, None),
        };
        let changes = !matches!(step, Step::Keep(..));
        match link.place(old) {
            Place::One(to) => {
                if changes && let Some(slot) = actions.get_mut(to) {
                    *slot = match at.and_then(node) {
                        Some(node) => Slot::Changed(to, node),
                        None => Slot::Removed(to),
                    };
                }
                cursor = to + 1;
            }
            Place::Group(group) => {
                let range = link.groups.get(group).cloned().flatten();
                if touched.get(group) == Some(&true) {
                    let range = range.ok_or(Lost)?;
                    if inside != Some(group) {
                        for to in range.clone() {
                            if let Some(slot) = actions.get_mut(to) {
                                *slot = Slot::Removed(to);
                            }
                        }
                        inside = Some(group);
                    }
                    cursor = range.end;
                    if let Some(at) = at {
                        add(cursor, at);
                    }
                } else if let Some(range) = range {
                    cursor = range.end;
                }
            }
            // What the other side never had appears there when it changes.
            Place::None => {
                if let (true, Some(at)) = (changes, at) {
                    add(cursor, at);
                }
            }
            Place::Gone if changes && at.is_some() => return Err(Lost),
            Place::Gone => {}
        }
    }
    let mut out = Vec::with_capacity(len);
    let mut actions = actions.into_iter();
    for added in additions {
        out.extend(added.into_iter().map(Slot::Added));
        out.extend(actions.next());
    }
    Ok(out)
}

fn touched_groups(steps: &[Step], link: &Link) -> Vec<bool> {
    let mut touched = vec![false; link.groups.len()];
    let mut last_group = None;
    let mut added = false;
    for step in steps {
        let (old, changes) = match *step {
            Step::Add(_) => {
                added = true;
                continue;
            }
            Step::Keep(old, _) => (old, false),
            Step::Change(old, _) | Step::Remove(old) => (old, true),
        };
        let group = match link.place(old) {
            Place::Group(group) => Some(group),
            _ => None,
        };
        if let Some(at) = group
            && (changes || (added && last_group == Some(at)))
            && let Some(slot) = touched.get_mut(at)
        {
            *slot = true;
        }
        last_group = group;
        added = false;
    }
    touched
}
