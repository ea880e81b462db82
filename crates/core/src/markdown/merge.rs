//! Three-way merge of a body that both sides changed, by blocks (design §6).
//!
//! Both sides are compared with their own base (rule 3), the two bases with each other. What one side changed goes to
//! the other; what both changed is merged inside of the block or is a clash of exactly that block. A clash is left
//! as it is on both sides, and so are their bases there, while everything else advances.

use std::collections::BTreeSet;
use std::ops::Range;

use super::align::{Step, are_similar, steps};
use super::block::{Block, LocalUnit, Node, RemoteUnit};
use super::links::Links;
use super::{
    Dialect, Edit, Local, Push, apply_edits, apply_hunks, is_visible, local_units, pull,
    push_slots, relink, remote_units,
};
pub use blend::blend;
use hold::Sequence;
use spine::{Picked, Spot, Way};

mod blend;
mod hold;
mod spine;
#[cfg(test)]
mod tests;
mod words;
mod write;

/// What is done with a clash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nobody has chosen: both sides stay.
    Open,
    /// The file's block goes to the backend.
    Local,
    /// The backend's block goes to the file.
    Remote,
    /// Both stay, and are agreed as they are.
    Both,
}

/// A block, or a few that hang together, that both sides changed differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// Lower-case hexadecimal SHA-256 of the canonical forms of both bases and both sides.
    pub digest: String,
    /// The block in the file's base; empty if it was not there.
    pub base: String,
    /// The block in the file; empty if it is gone.
    pub local: String,
    /// The backend's block as it would stand in a file; empty if it is gone.
    pub remote: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Digests of what the file and the backend hold there, as a file says it, wherever its links lead.
    pub held: (String, String),
    /// Where it is: which block of the base, and what both bases hold there. Blocks of the same words differ by it.
    pub place: String,
}

/// What a merge comes to.
#[derive(Debug)]
pub struct Merged {
    /// Clashes, each with what is done about it.
    pub clashes: Vec<(Clash, Choice)>,
    /// What goes to the backend.
    pub push: Push,
    /// What goes to the file.
    pub pull: Vec<Edit>,
    local: Sequence,
    remote: Sequence,
    links: Option<Links>,
}

/// What is to be merged.
pub struct Sides<'a> {
    /// Grammar of the backend's texts.
    pub dialect: Dialect,
    /// The agreed pair that both sides come from.
    pub base: (&'a Local<'a>, &'a str),
    /// Further pairs that are agreed or proposed: a block that is in such a pair on both sides is the same on both.
    pub agreed: &'a [(Local<'a>, &'a str)],
    /// What the file holds.
    pub local: &'a Local<'a>,
    /// What the backend holds.
    pub remote: &'a str,
    /// Whether the file's changes go to the backend now.
    pub push: bool,
    /// Whether the backend's changes go to the file now.
    pub pull: bool,
}

impl Merged {
    /// Whether both sides will hold the same, so that the two texts are an agreed pair as they are.
    pub fn is_whole(&self) -> bool {
        self.local.is_whole() && self.remote.is_whole()
    }

    /// The file's base after the merge: what it holds then, with the old base where the sides still differ. Nothing
    /// if `after` is not the merged text.
    pub fn local_base(&self, after: &Local<'_>) -> Option<String> {
        if self.local.is_whole() {
            return Some(after.text.to_owned());
        }
        let units = local_units(after);
        let slots = self.local.held_back(&units)?;
        Some(apply_edits(after.text, &pull::edits(after, &units, &slots)))
    }

    /// The backend's base after the merge, from the text that the merge's answer proved.
    pub fn remote_base(&self, dialect: Dialect, after: &str) -> Option<String> {
        if self.remote.is_whole() {
            return Some(after.to_owned());
        }
        let units = remote_units(dialect, after);
        let shown = as_in_files(&units, self.links.as_ref());
        let slots = self.remote.held_back(&shown)?;
        match push_slots(dialect, after, &units, slots, &BTreeSet::new()) {
            Push::Nothing => Some(after.to_owned()),
            Push::Edit(hunks) => Some(apply_hunks(after, &hunks)),
            // A blank line parts blocks in every dialect.
            Push::Append(text) if after.trim().is_empty() => Some(text),
            Push::Append(text) => Some(format!("{after}\n\n{text}")),
            Push::Impossible(_) => None,
        }
    }
}

/// Merges a body. `choose` is asked about each clash. Nothing where the sides cannot be brought together block by block:
/// then the body as a whole is in conflict.
pub fn merge(sides: &Sides<'_>, choose: &dyn Fn(&Clash) -> Choice) -> Option<Merged> {
    let new_local = local_units(sides.local);
    let visible = |text: &str| as_in_files(&remote_units(sides.dialect, text), sides.local.links);
    let (old_remote, new_remote) = (visible(sides.base.1), visible(sides.remote));
    // Links that lead elsewhere by now are changes of the file.
    let old_local = relink::as_agreed(local_units(sides.base.0), &old_remote, sides.base.0.links);
    let spots = spine::spots(&old_local, &old_remote);
    let (local, remote) = spine::ways(&spots, (&old_local, &new_local), (&old_remote, &new_remote));
    let mut table = Table {
        spots,
        local,
        remote,
        equal: equal_pairs(sides),
        verdicts: Vec::new(),
        gaps: Vec::new(),
        regions: Vec::new(),
    };
    table.judge();
    table.escalate();
    write::write(&table, sides, choose)
}

/// The units that a file can hold, as it holds them: mentions of pages that are files are links.
fn as_in_files(units: &[RemoteUnit], links: Option<&Links>) -> Vec<RemoteUnit> {
    let mut units: Vec<RemoteUnit> =
        units.iter().filter(|unit| is_visible(unit)).cloned().collect();
    for unit in units.iter_mut().filter(|unit| unit.node.counts()) {
        let Some(links) = links else { break };
        unit.node = relink::without_mentions(&unit.node, links, None);
        unit.key = unit.node.key();
    }
    units
}

/// Pairs of canonical forms that were agreed although they are not equal (the law of rule 3).
fn equal_pairs(sides: &Sides<'_>) -> BTreeSet<(String, String)> {
    let base = [(*sides.base.0, sides.base.1)];
    let mut out = BTreeSet::new();
    for (local, remote) in base.iter().chain(sides.agreed) {
        let remote = as_in_files(&remote_units(sides.dialect, remote), local.links);
        let local = relink::as_agreed(local_units(local), &remote, local.links);
        for step in steps(&local, &remote) {
            if let Step::Change(a, b) = step
                && let (Some(a), Some(b)) = (local.get(a), remote.get(b))
            {
                out.insert((a.key.clone(), b.key.clone()));
            }
        }
    }
    out
}

/// What is to be done with a spot.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    Same,
    ToRemote,
    ToLocal,
    /// Both get this block.
    Both(Box<Node>),
    Clash,
}

/// A new unit between two spots; indices into what the sides hold now.
#[derive(Clone, Debug, PartialEq, Eq)]
enum New {
    Local(usize),
    Remote(usize),
    Same(usize, usize),
    /// Both put in the same block, or the same table, differently.
    Clash(Vec<usize>, Vec<usize>),
}

impl New {
    /// Units of the file and of the backend.
    fn units(&self) -> (Vec<usize>, Vec<usize>) {
        match self {
            Self::Local(at) => (vec![*at], Vec::new()),
            Self::Remote(at) => (Vec::new(), vec![*at]),
            Self::Same(a, b) => (vec![*a], vec![*b]),
            Self::Clash(a, b) => (a.clone(), b.clone()),
        }
    }
}

struct Table<'u> {
    spots: Vec<Spot>,
    local: Way<'u, LocalUnit>,
    remote: Way<'u, RemoteUnit>,
    equal: BTreeSet<(String, String)>,
    verdicts: Vec<Verdict>,
    /// New units before each spot, and after the last.
    gaps: Vec<Vec<New>>,
    regions: Vec<Region>,
}

/// Spots that clash as one, with the gaps between them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Region {
    spots: Range<usize>,
    /// Whether what was put in behind the last one belongs to it.
    tail: bool,
}

impl Table<'_> {
    fn same(&self, local: usize, remote: usize) -> bool {
        let (a, b) = (self.local.new_key(local), self.remote.new_key(remote));
        a == b || self.equal.contains(&(a.to_owned(), b.to_owned()))
    }

    /// Whether these are versions of one block.
    fn similar(&self, local: usize, remote: usize) -> bool {
        match (self.local.new_node(local), self.remote.new_node(remote)) {
            (Some(a), Some(b)) => are_similar(a, b),
            _ => false,
        }
    }

    fn judge(&mut self) {
        self.verdicts = self.spots.iter().map(|spot| self.verdict(spot)).collect();
        let (mut mine, mut theirs): (Vec<_>, Vec<_>) =
            (0..=self.spots.len()).map(|at| self.put_in_before(at)).unzip();
        let (ours, others) = (|at| self.local.place_key(at), |at| self.remote.place_key(at));
        let gone = self.spots.iter().map(|spot| self.local.now(spot.local.clone()).is_empty());
        gather(&mut mine, &gone.collect::<Vec<_>>(), &ours, &keys(&theirs, &others));
        let gone = self.spots.iter().map(|spot| self.remote.now(spot.remote.clone()).is_empty());
        gather(&mut theirs, &gone.collect::<Vec<_>>(), &others, &keys(&mine, &ours));
        self.gaps = mine.iter().zip(&theirs).map(|(mine, theirs)| self.gap(mine, theirs)).collect();
    }

    fn verdict(&self, spot: &Spot) -> Verdict {
        let local = self.local.touched(spot.local.clone());
        let remote = self.remote.touched(spot.remote.clone());
        // What only one of the two bases has cannot be followed, except what never takes part in equality.
        let alone = |node: Option<&Node>| node.is_some_and(Node::counts);
        if local && spot.remote.is_empty() && alone(self.local.old_node(spot.local.start))
            || remote && spot.local.is_empty() && alone(self.remote.old_node(spot.remote.start))
        {
            return Verdict::Clash;
        }
        match (local, remote) {
            (false, false) => return Verdict::Same,
            (true, false) => return Verdict::ToRemote,
            (false, true) => return Verdict::ToLocal,
            (true, true) => {}
        }
        let (mine, theirs) =
            (self.local.now(spot.local.clone()), self.remote.now(spot.remote.clone()));
        let equal =
            mine.len() == theirs.len() && mine.iter().zip(&theirs).all(|(a, b)| self.same(*a, *b));
        if equal {
            return Verdict::Same;
        }
        let one = |units: &[usize]| units.first().copied().filter(|_| units.len() == 1);
        let base = (spot.local.len() == 1 && spot.remote.len() == 1)
            .then(|| {
                self.local.old_node(spot.local.start).zip(self.remote.old_node(spot.remote.start))
            })
            .flatten();
        if let (Some((was, is)), Some(a), Some(b)) = (base, one(&mine), one(&theirs))
            && was.key() == is.key()
            && let (Some(a), Some(b)) = (self.local.new_node(a), self.remote.new_node(b))
            && let Some(node) = words::merge(was, a, b)
        {
            return Verdict::Both(Box::new(node));
        }
        Verdict::Clash
    }

    /// New units of each side before a spot.
    fn put_in_before(&self, at: usize) -> (Vec<usize>, Vec<usize>) {
        // A unit that only the other side has does not part what stands before it from what comes after.
        match at.checked_sub(1).and_then(|at| self.spots.get(at)) {
            None => (self.local.added(0).to_vec(), self.remote.added(0).to_vec()),
            Some(before) => {
                let of = |range: &Range<usize>, added: &dyn Fn(usize) -> Vec<usize>| {
                    if range.is_empty() { Vec::new() } else { added(range.end) }
                };
                (
                    of(&before.local, &|at| self.local.added(at).to_vec()),
                    of(&before.remote, &|at| self.remote.added(at).to_vec()),
                )
            }
        }
    }

    /// New units of both sides at one place, put in one order.
    fn gap(&self, local: &[usize], remote: &[usize]) -> Vec<New> {
        let mine: Vec<Picked> =
            local.iter().filter_map(|at| self.local.new.get(*at)).map(Picked::of).collect();
        let theirs: Vec<Picked> =
            remote.iter().filter_map(|at| self.remote.new.get(*at)).map(Picked::of).collect();
        let mut out = Vec::new();
        for step in steps(&mine, &theirs) {
            let (a, b) = match step {
                Step::Keep(a, b) | Step::Change(a, b) => (local.get(a), remote.get(b)),
                Step::Remove(a) => (local.get(a), None),
                Step::Add(b) => (None, remote.get(b)),
            };
            match (a, b) {
                (Some(a), Some(b)) if self.same(*a, *b) => out.push(New::Same(*a, *b)),
                (Some(a), Some(b)) if self.similar(*a, *b) => {
                    out.push(New::Clash(vec![*a], vec![*b]))
                }
                (a, b) => {
                    out.extend(a.map(|a| New::Local(*a)));
                    out.extend(b.map(|b| New::Remote(*b)));
                }
            }
        }
        let mut out = self.whole_tables(out);
        self.order(&mut out);
        out
    }

    /// The first block of something new.
    fn node(&self, new: &New) -> Option<&Node> {
        let (local, remote) = new.units();
        let local = local.first().and_then(|at| self.local.new_node(*at));
        local.or_else(|| remote.first().and_then(|at| self.remote.new_node(*at)))
    }

    /// A table that both put in, differently, clashes as a whole.
    fn whole_tables(&self, new: Vec<New>) -> Vec<New> {
        let is = |new: &New, end: bool| {
            self.node(new).is_some_and(|node| match node.block {
                Block::Table(..) => !end,
                Block::TableEnd => end,
                _ => false,
            })
        };
        let mut out = Vec::with_capacity(new.len());
        let mut rest = new.into_iter().peekable();
        while let Some(first) = rest.next() {
            if !is(&first, false) {
                out.push(first);
                continue;
            }
            let mut table = vec![first];
            while let Some(next) = rest.next_if(|_| !table.last().is_some_and(|new| is(new, true)))
            {
                table.push(next);
            }
            let both = table.iter().any(|new| matches!(new, New::Same(..) | New::Clash(..)));
            if both && !table.iter().all(|new| matches!(new, New::Same(..))) {
                let (mut local, mut remote) = (Vec::new(), Vec::new());
                for (a, b) in table.iter().map(New::units) {
                    local.extend(a);
                    remote.extend(b);
                }
                out.push(New::Clash(local, remote));
            } else {
                out.extend(table);
            }
        }
        out
    }

    /// Where one side went on with the list before and the other put a block behind it, the list comes first.
    fn order(&self, new: &mut [New]) {
        let depth = |new: &New| self.node(new).map_or(0, |node| node.depth);
        let one_sided = new.iter().all(|new| matches!(new, New::Local(_) | New::Remote(_)));
        let first =
            |local: bool| new.iter().find(|new| matches!(new, New::Local(_)) == local).map(&depth);
        if one_sided && first(false) > first(true) && first(true).is_some() {
            new.sort_by_key(|new| matches!(new, New::Local(_)));
        }
    }

    fn depth(&self, at: usize) -> usize {
        let Some(spot) = self.spots.get(at) else { return 0 };
        let local = self.local.old_node(spot.local.start).filter(|_| !spot.local.is_empty());
        let remote = self.remote.old_node(spot.remote.start).filter(|_| !spot.remote.is_empty());
        local.or(remote).map_or(0, |node| node.depth)
    }

    fn head(&self, at: usize) -> Option<&Block> {
        let spot = self.spots.get(at)?;
        let local = self.local.old_node(spot.local.start).filter(|_| !spot.local.is_empty());
        let remote = self.remote.old_node(spot.remote.start).filter(|_| !spot.remote.is_empty());
        local.or(remote).map(|node| &node.block)
    }

    /// Blocks that only make sense together clash together: an item that one side removed while the other changed
    /// what is below it, and a table of which one side changed the columns.
    fn escalate(&mut self) {
        let mut regions: Vec<Region> = Vec::new();
        for at in 0..self.spots.len() {
            let (end, parent) = match self.head(at) {
                Some(Block::Item(..)) => {
                    let depth = self.depth(at);
                    let below =
                        (at + 1..self.spots.len()).take_while(|next| self.depth(*next) > depth);
                    (below.last().unwrap_or(at) + 1, Some(depth))
                }
                Some(Block::Table(..)) => {
                    let close = (at..self.spots.len())
                        .find(|next| matches!(self.head(*next), Some(Block::TableEnd)));
                    (close.map_or(at + 1, |close| close + 1), None)
                }
                _ => continue,
            };
            let removed_by = |verdict: &Verdict| {
                let spot = self.spots.get(at)?;
                let removed = |units: Vec<usize>| units.is_empty();
                match verdict {
                    Verdict::ToRemote => {
                        removed(self.local.now(spot.local.clone())).then_some(true)
                    }
                    Verdict::ToLocal => {
                        removed(self.remote.now(spot.remote.clone())).then_some(false)
                    }
                    _ => None,
                }
            };
            let Some(by_local) = self.verdicts.get(at).and_then(removed_by) else { continue };
            let hangs = |new: &New| {
                self.node(new).is_some_and(|node| match parent {
                    Some(depth) => node.depth > depth,
                    None => matches!(node.block, Block::Table(..) | Block::Row(_)),
                })
            };
            let by_other = |new: &New| match new {
                New::Local(_) => !by_local,
                New::Remote(_) => by_local,
                New::Same(..) | New::Clash(..) => true,
            };
            let changed = (at + 1..end).any(|next| match self.verdicts.get(next) {
                Some(Verdict::ToRemote) => !by_local,
                Some(Verdict::ToLocal) => by_local,
                Some(Verdict::Both(_) | Verdict::Clash) => true,
                _ => false,
            });
            let gap = |at: usize| self.gaps.get(at).into_iter().flatten();
            let put_in =
                (at + 1..=end).any(|next| gap(next).any(|new| by_other(new) && hangs(new)));
            if !changed && !put_in {
                continue;
            }
            let tail = gap(end).any(hangs);
            match regions.last_mut() {
                Some(last) if last.spots.end > at => {
                    if last.spots.end <= end {
                        *last = Region { spots: last.spots.start..end, tail: last.tail || tail };
                    }
                }
                _ => regions.push(Region { spots: at..end, tail }),
            }
        }
        self.regions = regions;
    }
}

/// What a side put in where it left nothing else could stand at any place there: each unit stands where the other side
/// has the same, if it has, and the order stays. `gone` says at which spots the side has nothing any more.
fn gather<'k>(
    gaps: &mut [Vec<usize>],
    gone: &[bool],
    key: &dyn Fn(usize) -> Option<&'k str>,
    other: &[BTreeSet<&str>],
) {
    let mut start = 0;
    while start < gaps.len() {
        let end = start + gone.iter().skip(start).take_while(|gone| **gone).count();
        let mut place = start;
        let run = gaps.iter_mut().take(end + 1).skip(start);
        for at in run.flat_map(std::mem::take).collect::<Vec<_>>() {
            let there = |gap: &usize| {
                other.get(*gap).zip(key(at)).is_some_and(|(keys, key)| keys.contains(key))
            };
            place = (place..=end).find(there).unwrap_or(place);
            if let Some(gap) = gaps.get_mut(place) {
                gap.push(at);
            }
        }
        start = end + 1;
    }
}

fn keys<'k>(gaps: &[Vec<usize>], key: &dyn Fn(usize) -> Option<&'k str>) -> Vec<BTreeSet<&'k str>> {
    gaps.iter().map(|gap| gap.iter().filter_map(|at| key(*at)).collect()).collect()
}
