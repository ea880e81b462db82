//! From the table of both sides to what is written on each.

use sha2::{Digest, Sha256};

use super::super::align::Slot;
use super::super::block::{LocalUnit, Node};
use super::super::relink::{is_held, labels};
use super::super::{
    Links, Local, Push, apply_edits, is_visible, local_parse, local_render, local_units, pull,
    push_slots, remote_units,
};
use super::hold::Sequence;
use super::{Choice, Clash, Merged, New, Region, Sides, Table, Verdict};

/// One side's text while it is put together.
struct Side<'t> {
    slots: Vec<Slot<'t>>,
    /// What comes before each unit, and after the last.
    added: Vec<Vec<&'t Node>>,
    /// Where something new would stand now.
    cursor: usize,
    expected: Sequence,
}

impl<'t> Side<'t> {
    fn new(len: usize) -> Self {
        Self {
            slots: (0..len).map(Slot::Kept).collect(),
            added: vec![Vec::new(); len + 1],
            cursor: 0,
            expected: Sequence::default(),
        }
    }

    fn pass(&mut self, units: &[usize]) {
        if let Some(last) = units.last() {
            self.cursor = last + 1;
        }
    }

    /// Puts these blocks in place of those units.
    fn replace(&mut self, units: &[usize], old: &[&'t Node], new: &[&'t Node]) {
        self.pass(units);
        if let ([at], [was], [is]) = (units, old, new)
            && was.is_like(is)
        {
            if was.key() != is.key()
                && let Some(slot) = self.slots.get_mut(*at)
            {
                *slot = Slot::Changed(*at, is);
            }
            return;
        }
        for at in units {
            if let Some(slot) = self.slots.get_mut(*at) {
                *slot = Slot::Removed(*at);
            }
        }
        if let Some(slot) = self.added.get_mut(self.cursor) {
            slot.extend(new);
        }
    }

    fn into_slots(self) -> (Vec<Slot<'t>>, Sequence) {
        let mut out = Vec::with_capacity(self.slots.len());
        let mut slots = self.slots.into_iter();
        for added in self.added {
            out.extend(added.into_iter().map(Slot::Added));
            out.extend(slots.next());
        }
        (out, self.expected)
    }
}

/// A stretch of the two texts: what both hold there, and held.
struct Part<'t> {
    local: Vec<usize>,
    remote: Vec<usize>,
    local_nodes: Vec<&'t Node>,
    remote_nodes: Vec<&'t Node>,
    local_old: Vec<&'t Node>,
    remote_old: Vec<&'t Node>,
    /// Units of the file's base, for the text that a person sees.
    local_base: std::ops::Range<usize>,
}

struct Writer<'t> {
    table: &'t Table<'t>,
    sides: &'t Sides<'t>,
    choose: &'t dyn Fn(&Clash) -> Choice,
    local: Side<'t>,
    remote: Side<'t>,
    clashes: Vec<(Clash, Choice)>,
}

/// Writes both sides. Nothing where one of them cannot be written block by block.
pub(super) fn write<'t>(
    table: &'t Table<'t>,
    sides: &'t Sides<'t>,
    choose: &'t dyn Fn(&Clash) -> Choice,
) -> Option<Merged> {
    let mut writer = Writer {
        table,
        sides,
        choose,
        local: Side::new(table.local.new.len()),
        remote: Side::new(table.remote.new.len()),
        clashes: Vec::new(),
    };
    writer.run();
    writer.finish()
}

impl<'t> Writer<'t> {
    fn run(&mut self) {
        let mut at = 0;
        let mut skip_gap = false;
        while at <= self.table.spots.len() {
            if !std::mem::take(&mut skip_gap) {
                self.table.gaps.get(at).into_iter().flatten().for_each(|new| self.put_in(new));
            }
            let region = self.table.regions.iter().find(|region| region.spots.start == at);
            if let Some(region) = region {
                let part = self.region(region);
                self.clash(&part);
                at = region.spots.end;
                skip_gap = region.tail;
                continue;
            }
            if let (Some(spot), Some(verdict)) =
                (self.table.spots.get(at), self.table.verdicts.get(at))
            {
                let (local, remote) = (spot.local.clone(), spot.remote.clone());
                let table = self.table;
                let part = Part {
                    local_old: local.clone().filter_map(|at| table.local.old_node(at)).collect(),
                    remote_old: remote.clone().filter_map(|at| table.remote.old_node(at)).collect(),
                    local_base: local.clone(),
                    ..self.part(table.local.now(local), table.remote.now(remote))
                };
                self.spot(verdict, &part);
            }
            at += 1;
        }
    }

    fn part(&self, local: Vec<usize>, remote: Vec<usize>) -> Part<'t> {
        let table = self.table;
        Part {
            local_nodes: local.iter().filter_map(|at| table.local.new_node(*at)).collect(),
            remote_nodes: remote.iter().filter_map(|at| table.remote.new_node(*at)).collect(),
            local,
            remote,
            local_old: Vec::new(),
            remote_old: Vec::new(),
            local_base: 0..0,
        }
    }

    fn region(&self, region: &Region) -> Part<'t> {
        let table = self.table;
        let (mut local, mut remote) = (Vec::new(), Vec::new());
        let (mut local_old, mut remote_old) = (Vec::new(), Vec::new());
        let mut base: Option<std::ops::Range<usize>> = None;
        let gaps = region.spots.start + 1..region.spots.end + usize::from(region.tail);
        for at in region.spots.start..=region.spots.end {
            if gaps.contains(&at) {
                for new in table.gaps.get(at).into_iter().flatten() {
                    let (mine, theirs) = new.units();
                    local.extend(mine);
                    remote.extend(theirs);
                }
            }
            if let Some(spot) = table.spots.get(at).filter(|_| region.spots.contains(&at)) {
                local.extend(table.local.now(spot.local.clone()));
                remote.extend(table.remote.now(spot.remote.clone()));
                local_old.extend(spot.local.clone().filter_map(|at| table.local.old_node(at)));
                remote_old.extend(spot.remote.clone().filter_map(|at| table.remote.old_node(at)));
                if !spot.local.is_empty() {
                    let start = base.map_or(spot.local.start, |base| base.start);
                    base = Some(start..spot.local.end);
                }
            }
        }
        local.sort_unstable();
        remote.sort_unstable();
        let local_base = base.unwrap_or(0..0);
        Part { local_old, remote_old, local_base, ..self.part(local, remote) }
    }

    fn put_in(&mut self, new: &New) {
        let (local, remote) = new.units();
        let part = self.part(local, remote);
        match new {
            New::Local(_) => self.send(&part),
            New::Remote(_) => self.fetch(&part),
            New::Same(..) => self.agree(&part),
            New::Clash(..) => self.clash(&part),
        }
    }

    fn spot(&mut self, verdict: &'t Verdict, part: &Part<'t>) {
        match verdict {
            Verdict::Same => self.agree(part),
            Verdict::ToRemote => self.send(part),
            Verdict::ToLocal => self.fetch(part),
            Verdict::Both(node) => self.both(node, part),
            Verdict::Clash => self.clash(part),
        }
    }

    fn agree(&mut self, part: &Part<'t>) {
        self.local.pass(&part.local);
        self.remote.pass(&part.remote);
        self.local.expected.settle(part.local_nodes.iter().copied());
        self.remote.expected.settle(part.remote_nodes.iter().copied());
    }

    fn send(&mut self, part: &Part<'t>) {
        self.local.pass(&part.local);
        if self.sides.push {
            self.remote.replace(&part.remote, &part.remote_nodes, &part.local_nodes);
            self.local.expected.settle(part.local_nodes.iter().copied());
            self.remote.expected.settle(part.local_nodes.iter().copied());
        } else {
            self.keep(part);
        }
    }

    fn fetch(&mut self, part: &Part<'t>) {
        self.remote.pass(&part.remote);
        if self.sides.pull {
            self.local.replace(&part.local, &part.local_nodes, &part.remote_nodes);
            self.local.expected.settle(part.remote_nodes.iter().copied());
            self.remote.expected.settle(part.remote_nodes.iter().copied());
        } else {
            self.keep(part);
        }
    }

    /// Both sides stay as they are, and so do their bases.
    fn keep(&mut self, part: &Part<'t>) {
        self.local.pass(&part.local);
        self.remote.pass(&part.remote);
        self.local.expected.hold(part.local_nodes.iter().copied(), part.local_old.iter().copied());
        self.remote
            .expected
            .hold(part.remote_nodes.iter().copied(), part.remote_old.iter().copied());
    }

    fn both(&mut self, node: &'t Node, part: &Part<'t>) {
        let whole = self.sides.push && self.sides.pull;
        let after =
            |side: &mut Side<'t>, units: &[usize], now: &[&'t Node], old: &[&'t Node], writes| {
                let then: &[&'t Node] = if writes { &[node] } else { now };
                if writes {
                    side.replace(units, now, then);
                } else {
                    side.pass(units);
                }
                match whole {
                    true => side.expected.settle(then.iter().copied()),
                    false => side.expected.hold(then.iter().copied(), old.iter().copied()),
                }
            };
        after(&mut self.local, &part.local, &part.local_nodes, &part.local_old, self.sides.pull);
        after(
            &mut self.remote,
            &part.remote,
            &part.remote_nodes,
            &part.remote_old,
            self.sides.push,
        );
    }

    fn clash(&mut self, part: &Part<'t>) {
        let clash = self.describe(part);
        let choice = (self.choose)(&clash);
        // What may not be written now is still to be done.
        let done = match choice {
            Choice::Local if !self.sides.push => Choice::Open,
            Choice::Remote if !self.sides.pull => Choice::Open,
            choice => choice,
        };
        self.clashes.push((clash, done));
        match choice {
            Choice::Open => self.keep(part),
            Choice::Local => self.send(part),
            Choice::Remote => self.fetch(part),
            Choice::Both => self.agree(part),
        }
    }

    fn describe(&self, part: &Part<'t>) -> Clash {
        let local = self.sides.local;
        let (here, there) = (&part.local_nodes, &part.remote_nodes);
        let hash = digest_of(&[&part.local_old, &part.remote_old, here, there]);
        let base = match (self.table.local.old.get(part.local_base.clone())).unwrap_or_default() {
            [] => String::new(),
            [first, .., last] => source(self.sides.base.0, first.span.start..last.span.end),
            [one] => source(self.sides.base.0, one.span.clone()),
        };
        let units: Vec<_> =
            part.local.iter().filter_map(|at| self.table.local.new.get(*at)).collect();
        let span = match units.as_slice() {
            [] => {
                let all = self.table.local.new;
                let at = all.get(self.local.cursor).or_else(|| all.last());
                at.map_or(0..0, |unit| unit.span.start..unit.span.start)
            }
            [first, .., last] => first.span.start..last.span.end,
            [one] => one.span.clone(),
        };
        let text = source(local, span.clone());
        let same = base.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
        let same = same.min(text.lines().count().saturating_sub(1));
        let before = local.text.get(..span.start).unwrap_or_default();
        let nodes: Vec<Node> = part.remote_nodes.iter().map(|node| (*node).clone()).collect();
        Clash {
            digest: hash,
            held: (in_a_file(here, local.links), in_a_file(there, local.links)),
            place: format!(
                "{} {}",
                part.local_base.start,
                digest_of(&[&part.local_old, &part.remote_old])
            ),
            line: 1 + before.matches('\n').count() + same,
            base,
            local: text,
            remote: local_render::render(
                &nodes,
                &local_render::Surroundings::default(),
                local.links,
            ),
        }
    }

    fn finish(self) -> Option<Merged> {
        let (local_slots, local) = self.local.into_slots();
        let (remote_slots, remote) = self.remote.into_slots();
        let text = self.sides.local;
        let pull = match self.sides.pull {
            true => pull::edits(text, self.table.local.new, &local_slots),
            false => Vec::new(),
        };
        let after = apply_edits(text.text, &pull);
        let excluded = pull::shifted(text.excluded, &pull);
        let mut merged = local_units(&Local { text: &after, excluded: &excluded, ..*text });
        merged.retain(|unit| unit.node.counts());
        let wanted: Vec<&Node> = local.nodes().collect();
        let held = |(unit, node): (&LocalUnit, &Node)| is_held(&unit.node, node, text.links);
        if merged.len() != wanted.len() || !merged.iter().zip(wanted).all(held) {
            return None;
        }
        let target = remote_units(self.sides.dialect, self.sides.remote);
        let push = match self.sides.push {
            true => {
                let known = labels(self.table.local.old);
                push_slots(self.sides.dialect, self.sides.remote, &target, remote_slots, &known)
            }
            false => Push::Nothing,
        };
        if matches!(push, Push::Impossible(_)) {
            return None;
        }
        debug_assert_eq!(
            target.iter().filter(|unit| is_visible(unit)).count(),
            self.table.remote.new.len()
        );
        let links = text.links.cloned();
        Some(Merged { clashes: self.clashes, push, pull, local, remote, links })
    }
}

fn source(local: &Local<'_>, span: std::ops::Range<usize>) -> String {
    local.text.get(span).unwrap_or_default().to_owned()
}

/// Lower-case hexadecimal SHA-256 of what blocks say in a file, wherever its links lead.
fn in_a_file(nodes: &[&Node], links: Option<&Links>) -> String {
    let nodes: Vec<Node> = nodes.iter().map(|node| (*node).clone()).collect();
    let text = local_render::render(&nodes, &local_render::Surroundings::default(), links);
    let units = local_parse::parse_text(&text, None);
    digest_of(&[&units.iter().map(|unit| &unit.node).collect()])
}

/// Lower-case hexadecimal SHA-256 of the canonical forms of these lists of blocks.
fn digest_of(lists: &[&Vec<&Node>]) -> String {
    let mut hash = Sha256::new();
    for nodes in lists {
        hash.update(nodes.len().to_be_bytes());
        for key in nodes.iter().map(|node| node.key()) {
            hash.update(key.len().to_be_bytes());
            hash.update(key.as_bytes());
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
