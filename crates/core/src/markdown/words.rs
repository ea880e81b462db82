//! Edits of single words of a block's source, so that line breaks and ways of writing elsewhere stay.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::Edit;
use super::splice::Grain;

/// Words of a text with their places.
type Words<'a> = Vec<(&'a str, Range<usize>)>;

/// Words of our writing of the old text, and the words of the source that they are. Either may be none: a comment
/// is in the source alone.
struct Pair {
    ours: Range<usize>,
    own: Range<usize>,
}

/// A stretch of words that becomes another one.
struct Change {
    ours: Range<usize>,
    to: Range<usize>,
    /// Indices of the pairs.
    pairs: Range<usize>,
}

/// The edits of `source`, which stands at `offset` of its text. `from` and `to` are our writing of the old and the
/// new text.
pub(super) fn edits(
    source: &str,
    offset: usize,
    from: &str,
    to: &str,
    indent: &str,
    grain: Grain,
) -> Vec<Edit> {
    let (own, ours, wanted) = (split(source, grain), split(from, grain), split(to, grain));
    let pairs = pairs(&ours, &own);
    let mut out = Vec::new();
    for change in changes(&ours, &wanted, &pairs) {
        let mut text = joined(to, &wanted, change.to.clone()).replace('\n', &format!("\n{indent}"));
        let covered = pairs.get(change.pairs.clone()).unwrap_or_default();
        if covered.iter().all(|pair| !pair.ours.is_empty() && !pair.own.is_empty())
            && let (Some(first), Some(last)) = (covered.first(), covered.last())
        {
            let source = joined(source, &own, first.own.start..last.own.end);
            let ours = joined(from, &ours, change.ours.clone());
            text = respelled(source, ours, &text).unwrap_or(text);
        }
        // What only the source has stays.
        for pair in covered.iter().filter(|pair| pair.ours.is_empty()) {
            let kept = joined(source, &own, pair.own.clone());
            text = if text.is_empty() { kept.to_owned() } else { format!("{text} {kept}") };
        }
        let start = covered.first().map_or_else(
            || pairs.get(change.pairs.start).map_or(own.len(), |pair| pair.own.start),
            |pair| pair.own.start,
        );
        let end = covered.last().map_or(start, |pair| pair.own.end);
        out.extend(edit(source, &own, start..end, text));
    }
    for edit in &mut out {
        edit.at = edit.at.start + offset..edit.at.end + offset;
    }
    out
}

/// `new` with the marks of the source, e.g. `__new__` for our `**new**`: what is between the marks of our writing is
/// replaced where the source has it.
fn respelled(source: &str, ours: &str, new: &str) -> Option<String> {
    let marks = |text: &str| text.find(char::is_alphanumeric);
    let end = |text: &str| {
        let last = text.char_indices().rfind(|(_, c)| c.is_alphanumeric());
        last.map(|(at, c)| at + c.len_utf8())
    };
    let (old, is) = (marks(ours)?..end(ours)?, marks(new)?..end(new)?);
    let same =
        ours.get(..old.start) == new.get(..is.start) && ours.get(old.end..) == new.get(is.end..);
    let (old, is) = (ours.get(old)?, new.get(is)?);
    let mut places = source.match_indices(old);
    let (at, _) = places.next().filter(|_| same && source != ours && places.next().is_none())?;
    Some(format!("{}{is}{}", source.get(..at)?, source.get(at + old.len()..)?))
}

/// Replaces words of the source, with the white space that goes or comes with them.
fn edit(source: &str, own: &Words<'_>, words: Range<usize>, text: String) -> Option<Edit> {
    let start_of = |at: usize| own.get(at).map_or(source.len(), |(_, range)| range.start);
    let end_of = |at: usize| own.get(at).map_or(0, |(_, range)| range.end);
    let before = words.start.checked_sub(1).map(end_of);
    if !words.is_empty() {
        let last = end_of(words.end - 1);
        let at = match before {
            _ if !text.is_empty() => start_of(words.start)..last,
            Some(before) => before..last,
            None => start_of(words.start)..start_of(words.end),
        };
        return Some(Edit { at, new: text });
    }
    if text.is_empty() {
        return None;
    }
    Some(match before {
        Some(at) => Edit { at: at..at, new: format!(" {text}") },
        None => {
            let space = if own.is_empty() { "" } else { " " };
            Edit { at: start_of(0)..start_of(0), new: format!("{text}{space}") }
        }
    })
}

/// Where the target of a link that begins at `at` ends, title included.
fn target_end(text: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    let tail = text.get(at..).unwrap_or_default();
    let end = tail.char_indices().find_map(|(n, c)| {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(n),
            ')' => depth -= 1,
            _ => {}
        }
        None
    });
    end.map_or(at, |end| at + end)
}

/// A text as words without the white space between them. White space in the target of a link parts no words.
fn split(text: &str, grain: Grain) -> Words<'_> {
    let mut out = Vec::new();
    let mut start = None;
    // A link is one word from its opening bracket on.
    let mut closes = 0;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if grain == Grain::Link && c == '[' && at >= closes {
            closes = text.get(at..).and_then(|rest| rest.find(']')).map_or(closes, |n| at + n);
        }
        if text.get(at..).is_some_and(|rest| rest.starts_with("](")) {
            closes = closes.max(target_end(text, at + 2));
        }
        match (c.is_whitespace() && (at >= closes || at == text.len()), start) {
            (true, Some(from)) => {
                out.push((text.get(from..at).unwrap_or_default(), from..at));
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    out
}

/// The source of words, with what is between them.
fn joined<'a>(text: &'a str, words: &Words<'_>, range: Range<usize>) -> &'a str {
    let first = words.get(range.start).map_or(0, |(_, range)| range.start);
    let last = range.end.checked_sub(1).and_then(|at| words.get(at));
    if range.is_empty() {
        return "";
    }
    text.get(first..last.map_or(first, |(_, range)| range.end)).unwrap_or_default()
}

fn diff(a: &Words<'_>, b: &Words<'_>) -> Vec<DiffOp> {
    let words =
        |words: &Words<'_>| words.iter().map(|(word, _)| word.to_string()).collect::<Vec<_>>();
    capture_diff_slices(Algorithm::Myers, &words(a), &words(b))
}

/// Which words of the source our words are, in order and without gaps.
fn pairs(ours: &Words<'_>, own: &Words<'_>) -> Vec<Pair> {
    let single = |a: Range<usize>, b: Range<usize>| {
        a.zip(b).map(|(a, b)| Pair { ours: a..a + 1, own: b..b + 1 })
    };
    // As many words are the same words written differently.
    if ours.len() == own.len() {
        return single(0..ours.len(), 0..own.len()).collect();
    }
    let mut out = Vec::new();
    for op in diff(ours, own) {
        let (a, b) = (op.old_range(), op.new_range());
        if a.len() == b.len() {
            out.extend(single(a, b));
        } else {
            out.push(Pair { ours: a, own: b });
        }
    }
    out
}

/// What changes, each in whole pairs.
fn changes(ours: &Words<'_>, wanted: &Words<'_>, pairs: &[Pair]) -> Vec<Change> {
    let mut out: Vec<Change> = Vec::new();
    for op in diff(ours, wanted).into_iter().filter(|op| !matches!(op, DiffOp::Equal { .. })) {
        let (was, is) = (op.old_range(), op.new_range());
        let steps: Vec<(Range<usize>, Range<usize>)> = if was.len() == is.len() {
            was.zip(is).map(|(a, b)| (a..a + 1, b..b + 1)).collect()
        } else {
            vec![(was, is)]
        };
        for (was, is) in steps {
            add(&mut out, pairs, was, is);
        }
    }
    out
}

fn add(out: &mut Vec<Change>, pairs: &[Pair], was: Range<usize>, is: Range<usize>) {
    // The pairs that it touches. An insertion touches one only from inside, and goes before what only the source
    // has there.
    let is_before = |pair: &Pair| {
        let beside = was.is_empty() && pair.ours.is_empty() && pair.ours.start == was.start;
        pair.ours.end <= was.start && !beside
    };
    let first = pairs.partition_point(is_before);
    let end = pairs.partition_point(|pair| pair.ours.start < was.end).max(first);
    let covered = pairs.get(first..end).unwrap_or_default();
    let ours = covered.first().map_or(was.start, |pair| pair.ours.start.min(was.start))
        ..covered.last().map_or(was.end, |pair| pair.ours.end.max(was.end));
    let to = is.start - (was.start - ours.start)..is.end + (ours.end - was.end);
    match out.last_mut() {
        Some(last) if last.pairs.end > first => {
            last.ours.end = last.ours.end.max(ours.end);
            last.to.end = last.to.end.max(to.end);
            last.pairs.end = last.pairs.end.max(end);
        }
        _ => out.push(Change { ours, to, pairs: first..end }),
    }
}
