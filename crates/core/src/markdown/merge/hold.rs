//! Bases after a merge: what a side holds, with its old base where the two sides still differ (rule 3).

use super::super::align::{Slot, Step, steps};
use super::super::block::{Keyed, Node};

/// A unit that a side will hold.
#[derive(Debug)]
struct Expected {
    node: Node,
    key: String,
}

impl Keyed for Expected {
    fn node(&self) -> &Node {
        &self.node
    }
    fn key(&self) -> &str {
        &self.key
    }
}

/// A place whose base does not move.
#[derive(Debug)]
struct Hold {
    /// Units that stand there after the merge: begin and number.
    at: usize,
    len: usize,
    /// What the base holds there.
    old: Vec<Node>,
}

/// What a side will hold, in order.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    units: Vec<Expected>,
    holds: Vec<Hold>,
}

impl Sequence {
    /// Units whose base becomes what they are.
    pub(super) fn settle<'n>(&mut self, nodes: impl IntoIterator<Item = &'n Node>) {
        let units = nodes.into_iter().map(|node| Expected { node: node.clone(), key: node.key() });
        self.units.extend(units);
    }

    /// Units that stand there while the base stays what it was.
    pub(super) fn hold<'n>(
        &mut self,
        now: impl IntoIterator<Item = &'n Node>,
        old: impl IntoIterator<Item = &'n Node>,
    ) {
        let at = self.units.len();
        self.settle(now);
        let old = old.into_iter().cloned().collect();
        self.holds.push(Hold { at, len: self.units.len() - at, old });
    }

    /// Whether every base moves.
    pub(super) fn is_whole(&self) -> bool {
        self.holds.is_empty()
    }

    /// Canonical forms of what takes part in equality.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.units.iter().filter(|unit| unit.node.counts()).map(|unit| unit.key.as_str())
    }

    /// Slots that put the old bases back into the units of the side as it is after the merge; nothing if a unit that
    /// must give way is not found there.
    pub(super) fn held_back<U: Keyed>(&self, now: &[U]) -> Option<Vec<Slot<'_>>> {
        let mut places: Vec<Option<usize>> = vec![None; self.units.len()];
        for step in steps(&self.units, now) {
            if let Step::Keep(at, to) = step
                && let Some(slot) = places.get_mut(at)
            {
                *slot = Some(to);
            }
        }
        let mut slots: Vec<Slot<'_>> = (0..now.len()).map(Slot::Kept).collect();
        let mut added: Vec<Vec<&Node>> = vec![Vec::new(); now.len() + 1];
        for hold in &self.holds {
            let there: Vec<usize> =
                places.get(hold.at..hold.at + hold.len)?.iter().copied().collect::<Option<_>>()?;
            if let ([at], [old]) = (there.as_slice(), hold.old.as_slice())
                && now.get(*at)?.node().is_like(old)
            {
                *slots.get_mut(*at)? = Slot::Changed(*at, old);
                continue;
            }
            for at in &there {
                *slots.get_mut(*at)? = Slot::Removed(*at);
            }
            let cursor = match there.last() {
                Some(last) => last + 1,
                None => self.cursor(&places, hold.at, now.len()),
            };
            added.get_mut(cursor)?.extend(&hold.old);
        }
        let mut out = Vec::with_capacity(slots.len());
        let mut slots = slots.into_iter();
        for added in added {
            out.extend(added.into_iter().map(Slot::Added));
            out.extend(slots.next());
        }
        Some(out)
    }

    /// Where something stands that is not there now: behind what stood before it.
    fn cursor(&self, places: &[Option<usize>], at: usize, len: usize) -> usize {
        let before = places.get(..at).unwrap_or_default().iter().rev().find_map(|place| *place);
        let after = places.get(at..).unwrap_or_default().iter().find_map(|place| *place);
        before.map(|at| at + 1).or(after).unwrap_or(len)
    }
}
