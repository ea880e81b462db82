//! Where both sides come from: the units of the two bases put beside each other, with what became of each.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use super::super::align::{Folded, Step, steps};
use super::super::block::{Block, Keyed, Node};

/// Units of the two bases that are one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// Units of the file's base; empty where only the backend has it.
    pub(super) local: Range<usize>,
    /// Units of the backend's base; empty where only the file has it.
    pub(super) remote: Range<usize>,
}

/// The spots of two bases that are agreed to be the same content, though perhaps not canonically equal.
pub(super) fn spots<A: Keyed, B: Keyed>(local: &[A], remote: &[B]) -> Vec<Spot> {
    let mut out = Vec::new();
    // A run without finer alignment.
    let mut open = Spot { local: 0..0, remote: 0..0 };
    for step in steps(local, remote).into_iter().map(Some).chain([None]) {
        match step {
            Some(Step::Remove(at)) => open.local.end = at + 1,
            Some(Step::Add(at)) => open.remote.end = at + 1,
            other => {
                if !open.local.is_empty() && !open.remote.is_empty() {
                    out.push(open.clone());
                } else {
                    out.extend(open.local.clone().map(|at| Spot {
                        local: at..at + 1,
                        remote: open.remote.start..open.remote.start,
                    }));
                    out.extend(open.remote.clone().map(|at| Spot {
                        local: open.local.start..open.local.start,
                        remote: at..at + 1,
                    }));
                }
                if let Some(Step::Keep(a, b) | Step::Change(a, b)) = other {
                    out.push(Spot { local: a..a + 1, remote: b..b + 1 });
                    open = Spot { local: a + 1..a + 1, remote: b + 1..b + 1 };
                }
            }
        }
    }
    out
}

/// The ways of both sides, seen alike: where both hold the same new unit, it is either what both made of one old unit
/// or what both put in, and not the one here and the other there.
pub(super) fn ways<'u, A: Keyed, B: Keyed>(
    spots: &[Spot],
    local: (&'u [A], &'u [A]),
    remote: (&'u [B], &'u [B]),
) -> (Way<'u, A>, Way<'u, B>) {
    let none = BTreeSet::new();
    let mut ours = Way::new(local.0, local.1, &none);
    let mut theirs = Way::new(remote.0, remote.1, &none);
    align(spots, &mut ours, &mut theirs);
    // All that a side put in, not only what was seen twice: taking one out lets the next be seen so.
    let (in_local, in_remote) = (ours.shared(&theirs), theirs.shared(&ours));
    if !in_local.is_empty() {
        ours = Way::new(local.0, local.1, &in_local);
    }
    if !in_remote.is_empty() {
        theirs = Way::new(remote.0, remote.1, &in_remote);
    }
    align(spots, &mut ours, &mut theirs);
    (ours, theirs)
}

/// A unit that one side changed, and the other removed and put in as the first has it, was changed by both.
fn align<A: Keyed, B: Keyed>(spots: &[Spot], ours: &mut Way<'_, A>, theirs: &mut Way<'_, B>) {
    for spot in spots.iter().filter(|spot| spot.local.len() == 1 && spot.remote.len() == 1) {
        let (a, b) = (spot.local.start, spot.remote.start);
        match (ours.fate(a), theirs.fate(b)) {
            (Fate::Changed(to), Fate::Removed) => theirs.changed_into(b, ours.new_key(to)),
            (Fate::Removed, Fate::Changed(to)) => ours.changed_into(a, theirs.new_key(to)),
            _ => {}
        }
    }
}

/// What became of a unit of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Kept(usize),
    Changed(usize),
    Removed,
}

/// One side's way from its base to now.
pub(super) struct Way<'u, U> {
    pub(super) old: &'u [U],
    pub(super) new: &'u [U],
    fates: Vec<Fate>,
    /// New units before each old one, and after the last.
    added: Vec<Vec<usize>>,
}

impl<'u, U: Keyed> Way<'u, U> {
    /// `put_in` names units by their canonical form that are new, and no old unit that was changed.
    fn new(old: &'u [U], new: &'u [U], put_in: &BTreeSet<Cow<'u, str>>) -> Self {
        let mut way = Self {
            old,
            new,
            fates: vec![Fate::Removed; old.len()],
            added: vec![Vec::new(); old.len() + 1],
        };
        let folded = Folded::all(new).into_iter().filter(|unit| !put_in.contains(&unit.key));
        let free: Vec<usize> = folded.flat_map(|unit| unit.range).collect();
        let seen: Vec<Picked> = free.iter().filter_map(|at| new.get(*at)).map(Picked::of).collect();
        // Everything up to here in the new version was taken up.
        let (mut next, mut taken) = (0, 0);
        for step in steps(old, &seen) {
            let (at, to) = match step {
                Step::Keep(at, to) | Step::Change(at, to) => (Some(at), free.get(to).copied()),
                Step::Remove(at) => (Some(at), None),
                Step::Add(to) => (None, free.get(to).copied()),
            };
            if let Some(to) = to {
                way.add(next, taken..to);
                taken = to + 1;
                match (at, step) {
                    (Some(at), Step::Keep(..)) => way.set(at, Fate::Kept(to)),
                    (Some(at), _) => way.set(at, Fate::Changed(to)),
                    (None, _) => way.add(next, to..to + 1),
                }
            }
            if let Some(at) = at {
                next = at + 1;
            }
        }
        way.add(old.len(), taken..new.len());
        way
    }

    fn set(&mut self, at: usize, fate: Fate) {
        if let Some(slot) = self.fates.get_mut(at) {
            *slot = fate;
        }
    }

    fn add(&mut self, before: usize, units: Range<usize>) {
        if let Some(slot) = self.added.get_mut(before) {
            slot.extend(units);
        }
    }

    /// Takes what was put in beside a removed unit for what became of it.
    fn changed_into(&mut self, old: usize, key: &str) {
        let there = |fate: &Fate| match fate {
            Fate::Kept(to) | Fate::Changed(to) => Some(*to),
            Fate::Removed => None,
        };
        let (before, after) = self.fates.split_at(old);
        let floor = before.iter().rev().find_map(there).map_or(0, |to| to + 1);
        let ceiling = after.iter().find_map(there).unwrap_or(self.new.len());
        let Some(to) = (floor..ceiling).find(|at| self.new_key(*at) == key) else { return };
        self.set(old, Fate::Changed(to));
        // What was put in stands before or behind it now.
        let start = self.fates.iter().take(old).rposition(|fate| *fate != Fate::Removed);
        let end = self.fates.iter().skip(old + 1).position(|fate| *fate != Fate::Removed);
        let start = start.map_or(0, |at| at + 1);
        let end = end.map_or(self.old.len(), |at| old + 1 + at);
        for added in self.added.iter_mut().take(end + 1).skip(start) {
            added.clear();
        }
        self.add(old, floor..to);
        self.add(old + 1, to + 1..ceiling);
    }

    /// Canonical forms of what is new here and was put in there; tables as wholes.
    fn shared<V: Keyed>(&self, other: &Way<'u, V>) -> BTreeSet<Cow<'u, str>> {
        let added: BTreeSet<Cow<'u, str>> = other.new_units(false).collect();
        self.new_units(true).filter(|key| added.contains(key)).collect()
    }

    /// Canonical forms of what was put in, and of what old units became where that is asked for. A table is put in as a
    /// whole, and became something else with any of its rows.
    fn new_units(&self, changed: bool) -> impl Iterator<Item = Cow<'u, str>> {
        let became = self.fates.iter().filter_map(move |fate| match fate {
            Fate::Changed(to) if changed => Some(to),
            _ => None,
        });
        let new: BTreeSet<usize> = self.added.iter().flatten().chain(became).copied().collect();
        let units = Folded::all(self.new).into_iter().filter(move |unit| {
            let mut units = unit.range.clone();
            if changed {
                units.any(|at| new.contains(&at))
            } else {
                units.all(|at| new.contains(&at))
            }
        });
        units.map(|unit| unit.key)
    }

    pub(super) fn fate(&self, at: usize) -> Fate {
        self.fates.get(at).copied().unwrap_or(Fate::Removed)
    }

    /// New units between the old one before `at` and that at `at`.
    pub(super) fn added(&self, at: usize) -> &[usize] {
        self.added.get(at).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everything that stands where these old units stood, with what was put between them.
    pub(super) fn now(&self, range: Range<usize>) -> Vec<usize> {
        let mut out = Vec::new();
        for at in range.clone() {
            if at > range.start {
                out.extend(self.added(at));
            }
            match self.fate(at) {
                Fate::Kept(to) | Fate::Changed(to) => out.push(to),
                Fate::Removed => {}
            }
        }
        out
    }

    /// Whether anything changed there.
    pub(super) fn touched(&self, range: Range<usize>) -> bool {
        range.clone().any(|at| !matches!(self.fate(at), Fate::Kept(_)))
            || range.clone().skip(1).any(|at| !self.added(at).is_empty())
    }

    pub(super) fn new_node(&self, at: usize) -> Option<&'u Node> {
        self.new.get(at).map(Keyed::node)
    }

    pub(super) fn new_key(&self, at: usize) -> &'u str {
        self.new.get(at).map(Keyed::key).unwrap_or_default()
    }

    /// The canonical form by which a new unit finds its place; rows go where their table goes.
    pub(super) fn place_key(&self, at: usize) -> Option<&'u str> {
        let unit = self.new.get(at)?;
        let rides = matches!(unit.node().block, Block::Row(_) | Block::TableEnd);
        (!rides).then(|| unit.key())
    }

    pub(super) fn old_node(&self, at: usize) -> Option<&'u Node> {
        self.old.get(at).map(Keyed::node)
    }
}

/// A unit out of its text.
pub(super) struct Picked {
    node: Node,
    key: String,
}

impl Picked {
    pub(super) fn of<U: Keyed>(unit: &U) -> Self {
        Self { node: unit.node().clone(), key: unit.key().to_owned() }
    }
}

impl Keyed for Picked {
    fn node(&self) -> &Node {
        &self.node
    }
    fn key(&self) -> &str {
        &self.key
    }
}
