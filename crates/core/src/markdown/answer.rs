//! What an answer to a body write says: which hunks took effect, and what is somebody else's edit (rules 2, 3).
//!
//! The base may hold only what was there before, and our own text as the backend now has it. Where somebody's
//! edit cannot be told from ours, the hunk counts as not applied and the old text stays in the base: then the
//! next comparison sees a change and no edit is lost.

use std::ops::Range;

use super::align::{Step, steps};
use super::block::{Block, Keyed, Node, RemoteUnit};
use super::{Answer, Dialect, Hunk};

/// A unit compared with what only Notion has, so that an edit inside of an opaque block is seen.
struct Strict {
    unit: RemoteUnit,
    key: String,
}

impl Keyed for Strict {
    fn node(&self) -> &Node {
        &self.unit.node
    }
    fn key(&self) -> &str {
        &self.key
    }
}

fn strict(dialect: Dialect, text: &str) -> Vec<Strict> {
    dialect
        .parse(text)
        .into_iter()
        .filter(|unit| unit.node.block != Block::Empty)
        .map(|unit| {
            let key = match &unit.node.block {
                Block::Opaque(_, raw) => format!("{}\u{2}{raw}", unit.key),
                _ => unit.key.clone(),
            };
            Strict { unit, key }
        })
        .collect()
}

fn same(a: &[Strict], b: &[Strict]) -> bool {
    a.iter().map(|unit| &unit.key).eq(b.iter().map(|unit| &unit.key))
}

/// The text with `parts` in place of the hunks, and where each part is then.
fn replaced(
    dialect: Dialect,
    text: &str,
    hunks: &[Hunk],
    parts: &[&str],
) -> (String, Vec<Range<usize>>) {
    let mut out = String::with_capacity(text.len());
    let mut places = Vec::with_capacity(hunks.len());
    let mut at = 0;
    for (hunk, part) in hunks.iter().zip(parts) {
        out.push_str(text.get(at..hunk.at.start).unwrap_or_default());
        // What was appended stands on lines of its own.
        if hunk.old.is_empty() && !part.is_empty() {
            out.push_str(dialect.end_gap(&out));
        }
        places.push(out.len()..out.len() + part.len());
        out.push_str(part);
        at = hunk.at.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, places)
}

/// Whether the hunks belong to this text.
fn fits(before: &str, hunks: &[Hunk]) -> bool {
    let mut floor = 0;
    hunks.iter().all(|hunk| {
        let ordered = hunk.at.start >= floor;
        floor = hunk.at.end;
        ordered && before.get(hunk.at.clone()) == Some(hunk.old.as_str())
    })
}

/// How a hunk came out.
struct Verdict {
    applied: bool,
    /// What stands in its place in the base.
    text: String,
    /// Units of the answer that this explains.
    explained: Vec<usize>,
    /// Whether nothing there is unexplained.
    clean: bool,
}

/// Reads the body that a write answered with.
pub(super) fn read(dialect: Dialect, before: &str, hunks: &[Hunk], answer: &str) -> Answer {
    if !fits(before, hunks) {
        return Answer {
            base: before.to_owned(),
            applied: vec![false; hunks.len()],
            unexpected: true,
        };
    }
    let news: Vec<&str> = hunks.iter().map(|hunk| hunk.new.as_str()).collect();
    let (hoped, places) = replaced(dialect, before, hunks, &news);
    let expected = strict(dialect, &hoped);
    let found = strict(dialect, answer);
    if !same(&expected, &found) && same(&strict(dialect, before), &found) {
        return Answer {
            base: before.to_owned(),
            applied: vec![false; hunks.len()],
            unexpected: false,
        };
    }
    let mut matched: Vec<Option<usize>> = vec![None; expected.len()];
    for step in steps(&expected, &found) {
        if let Step::Keep(old, new) = step
            && let Some(slot) = matched.get_mut(old)
        {
            *slot = Some(new);
        }
    }
    let regions: Vec<Range<usize>> =
        places.iter().map(|place| units_in(&expected, place)).collect();
    let reader = Reader {
        dialect,
        answer,
        expected: &expected,
        found: &found,
        matched: &matched,
        regions: &regions,
    };
    let verdicts: Vec<Verdict> =
        hunks.iter().zip(&regions).map(|(hunk, region)| reader.judge(hunk, region)).collect();

    let kept = |at: &usize| !regions.iter().any(|region| region.contains(at));
    let mut explained = vec![false; found.len()];
    let mut unexpected = verdicts.iter().any(|verdict| !verdict.clean);
    for at in (0..expected.len()).filter(kept) {
        match matched.get(at).copied().flatten().and_then(|at| explained.get_mut(at)) {
            Some(slot) => *slot = true,
            None => unexpected = true,
        }
    }
    for at in verdicts.iter().flat_map(|verdict| &verdict.explained) {
        if let Some(slot) = explained.get_mut(*at) {
            *slot = true;
        }
    }
    unexpected |= explained.contains(&false);
    let texts: Vec<&str> = verdicts.iter().map(|verdict| verdict.text.as_str()).collect();
    Answer {
        base: without_gaps(dialect, before, hunks, &texts),
        applied: verdicts.iter().map(|verdict| verdict.applied).collect(),
        unexpected,
    }
}

/// The text with `parts` in place of the hunks; one that is empty takes its line with it.
fn without_gaps(dialect: Dialect, text: &str, hunks: &[Hunk], parts: &[&str]) -> String {
    let mut out = replaced(dialect, text, hunks, parts);
    for place in out.1.iter().rev().filter(|place| place.is_empty()) {
        let at = place.start;
        let line_start =
            out.0.get(..at).is_none_or(|before| before.is_empty() || before.ends_with('\n'));
        let rest = out.0.get(at..).unwrap_or_default();
        let blank = at == 0 || out.0.get(..at).is_some_and(|before| before.ends_with("\n\n"));
        if line_start && rest.starts_with('\n') {
            // A blank line before it is enough.
            let gap = if blank { rest.len() - rest.trim_start_matches('\n').len() } else { 1 };
            out.0.replace_range(at..at + gap, "");
        } else if line_start && rest.is_empty() && at > 0 {
            let end = if blank { out.0.trim_end_matches('\n').len() } else { at - 1 };
            out.0.truncate(end);
        }
    }
    out.0
}

/// A text in the place of a hunk, with the line endings that belong to the hunk.
fn dressed(hunk: &Hunk, text: String) -> String {
    let inner = hunk.new.trim_matches('\n');
    if text.is_empty() || inner.is_empty() {
        return text;
    }
    let lead = hunk.new.len() - hunk.new.trim_start_matches('\n').len();
    let trail = hunk.new.len() - hunk.new.trim_end_matches('\n').len();
    format!("{}{text}{}", "\n".repeat(lead), "\n".repeat(trail))
}

/// Units that overlap a range of the text.
fn units_in(units: &[Strict], range: &Range<usize>) -> Range<usize> {
    let start = units.partition_point(|unit| unit.unit.span.end <= range.start);
    let end = units.partition_point(|unit| unit.unit.span.start < range.end);
    start..end.max(start)
}

struct Reader<'a> {
    dialect: Dialect,
    answer: &'a str,
    expected: &'a [Strict],
    found: &'a [Strict],
    matched: &'a [Option<usize>],
    regions: &'a [Range<usize>],
}

impl Reader<'_> {
    fn judge(&self, hunk: &Hunk, region: &Range<usize>) -> Verdict {
        let new = self.expected.get(region.clone()).unwrap_or_default();
        let old = strict(self.dialect, &hunk.old);
        let left = match region.start.checked_sub(1) {
            Some(at) => self.place(at).map(|at| at + 1),
            None => Some(0),
        };
        let right = if region.end < self.expected.len() {
            self.place(region.end)
        } else {
            Some(self.found.len())
        };
        match (left, right) {
            (Some(start), Some(end)) if start <= end => self.between(hunk, new, &old, start..end),
            _ => self.beside_an_edit(hunk, new, &old, region),
        }
    }

    fn place(&self, at: usize) -> Option<usize> {
        self.matched.get(at).copied().flatten()
    }

    /// Both neighbours are there: all between them is ours, or was put beside ours.
    fn between(&self, hunk: &Hunk, new: &[Strict], old: &[Strict], place: Range<usize>) -> Verdict {
        let there = self.found.get(place.clone()).unwrap_or_default();
        let whole = |applied, text| Verdict {
            applied,
            text,
            explained: place.clone().collect(),
            clean: true,
        };
        if same(there, new) {
            return whole(true, dressed(hunk, self.text_of(there)));
        }
        if same(there, old) {
            return whole(false, hunk.old.clone());
        }
        let has = |units: &[Strict], key: &str| units.iter().any(|unit| unit.key == key);
        let replaced_is_back = old.iter().any(|unit| !has(new, &unit.key) && has(there, &unit.key));
        // Written in a form that nobody foresaw: the very words that we sent, which are not those before, and
        // nothing is left of what was replaced.
        let sent = words(new);
        let unforeseen = there.iter().any(|unit| !has(old, &unit.key) && !has(new, &unit.key));
        let same_words = !sent.is_empty() && words(there) == sent && sent != words(old);
        if same_words && unforeseen && !replaced_is_back {
            return whole(true, dressed(hunk, self.text_of(there)));
        }
        // Somebody's blocks beside ours.
        let mut ours = Vec::new();
        let mut wanted = new.iter().peekable();
        for (at, unit) in place.clone().zip(there) {
            if wanted.next_if(|next| next.key == unit.key).is_some() {
                ours.push(at);
            }
        }
        let added = self.added(new, old);
        if wanted.peek().is_none() && !added.is_empty() && !replaced_is_back {
            return Verdict {
                applied: true,
                text: dressed(hunk, self.joined(&ours)),
                explained: ours,
                clean: false,
            };
        }
        Verdict { applied: false, text: hunk.old.clone(), explained: Vec::new(), clean: false }
    }

    /// A neighbour was edited too. Ours is found only if it stands there once, whole, and could not be the
    /// neighbour's new text.
    fn beside_an_edit(
        &self,
        hunk: &Hunk,
        new: &[Strict],
        old: &[Strict],
        region: &Range<usize>,
    ) -> Verdict {
        let unclear = || Verdict {
            applied: false,
            text: hunk.old.clone(),
            explained: Vec::new(),
            clean: false,
        };
        let is_kept = |at: &usize| !self.regions.iter().any(|other| other.contains(at));
        let first = (0..region.start).rev().find(|at| self.place(*at).is_some());
        let last = (region.end..self.expected.len()).find(|at| self.place(*at).is_some());
        let start = first.and_then(|at| self.place(at)).map_or(0, |at| at + 1);
        let end = last.and_then(|at| self.place(at)).unwrap_or(self.found.len());
        let added = self.added(new, old);
        let lost_neighbours = (first.map_or(0, |at| at + 1)..last.unwrap_or(self.expected.len()))
            .filter(|at| is_kept(at) && self.place(*at).is_none())
            .filter_map(|at| self.expected.get(at));
        if added.is_empty() || lost_neighbours.clone().count() == 0 && start > end {
            return unclear();
        }
        if lost_neighbours.clone().any(|unit| added.contains(&unit.key.as_str())) {
            return unclear();
        }
        let there = self.found.get(start..end.max(start)).unwrap_or_default();
        let starts: Vec<usize> = there
            .windows(new.len().max(1))
            .enumerate()
            .filter(|(_, window)| same(window, new))
            .map(|(at, _)| at)
            .collect();
        let [at] = starts.as_slice() else { return unclear() };
        let ours = start + at..start + at + new.len();
        let text = self.text_of(self.found.get(ours.clone()).unwrap_or_default());
        let text = dressed(hunk, text);
        Verdict { applied: true, text, explained: ours.collect(), clean: false }
    }

    /// Keys of units that the hunk puts there and that were not there before.
    fn added<'u>(&self, new: &'u [Strict], old: &[Strict]) -> Vec<&'u str> {
        new.iter()
            .map(|unit| unit.key.as_str())
            .filter(|key| !old.iter().any(|o| o.key == *key))
            .collect()
    }

    /// The texts of these units of the answer, as blocks one after the other.
    fn joined(&self, units: &[usize]) -> String {
        let mut out = String::new();
        let mut before: Option<&Node> = None;
        for unit in units.iter().filter_map(|at| self.found.get(*at)) {
            let text = self.answer.get(unit.unit.span.clone()).unwrap_or_default();
            if let Some(before) = before.filter(|_| !text.is_empty()) {
                out.push_str(self.dialect.separator(before, &unit.unit.node));
            }
            out.push_str(text);
            before = Some(&unit.unit.node);
        }
        out
    }

    fn text_of(&self, units: &[Strict]) -> String {
        match (units.first(), units.last()) {
            (Some(first), Some(last)) => {
                let range = first.unit.span.start..last.unit.span.end;
                self.answer.get(range).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        }
    }
}

/// The words of the units; a unit without any, like a divider, stands for itself.
fn words(units: &[Strict]) -> Vec<String> {
    units
        .iter()
        .flat_map(|unit| {
            let words = unit.unit.node.words();
            if words.is_empty() { vec![unit.key.clone()] } else { words }
        })
        .collect()
}
