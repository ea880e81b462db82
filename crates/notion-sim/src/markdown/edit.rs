//! Editing a page through its Markdown: which blocks stay what they are.
//!
//! A write changes the rendered text and reads the result. Blocks none of whose lines were touched stay as they are,
//! with id, comments, and everything that Markdown cannot say; all others are new.

use crate::error::{ApiError, ApiResult};
use crate::markdown::Version;

/// A text being edited, with the old line that each of its lines still is.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) text: String,
    pub(crate) origin: Vec<Option<usize>>,
    pub(crate) version: Version,
}

/// One item of `content_updates`.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) old: String,
    pub(crate) new: String,
    pub(crate) all: bool,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Applied,
    Missing,
}

impl Draft {
    pub(crate) fn new(text: String, version: Version) -> Self {
        let lines = if text.is_empty() { 0 } else { text.split('\n').count() };
        Self { text, origin: (0..lines).map(Some).collect(), version }
    }

    /// A text of which no line is an old one.
    pub(crate) fn anew(text: &str, version: Version) -> Self {
        Self { text: text.to_owned(), origin: vec![None; lines_in(text)], version }
    }

    /// Applies one item.
    ///
    /// # Errors
    /// 400 if the text occurs several times and not all of them were asked for.
    pub(crate) fn apply(&mut self, update: &Update) -> ApiResult<Outcome> {
        let places: Vec<usize> = self.text.match_indices(&update.old).map(|(at, _)| at).collect();
        if places.is_empty() {
            return Ok(Outcome::Missing);
        }
        if places.len() > 1 && !update.all {
            return Err(ApiError::invalid(format!(
                "Found {} matches for old_str, but expected exactly one: \"{}\". Use a longer old_str or set \
                 replace_all_matches.",
                places.len(),
                cut(&update.old)
            )));
        }
        // From the last one, so that the places before it stay valid.
        for at in places.into_iter().rev() {
            self.replace(at, at + update.old.len(), &update.new);
        }
        Ok(Outcome::Applied)
    }

    /// Replaces a range of bytes.
    pub(crate) fn replace(&mut self, start: usize, end: usize, new: &str) {
        if self.text.is_empty() {
            self.text = new.to_owned();
            self.origin = vec![None; lines_in(new)];
            return;
        }
        let first = self.text[..start].matches('\n').count();
        let last = first + self.text[start..end].matches('\n').count();
        let before = self.region(first, last);
        self.text.replace_range(start..end, new);
        if self.text.is_empty() {
            self.origin.clear();
            return;
        }
        let after = self.region(first, first + new.matches('\n').count());
        let old_lines: Vec<&str> = before.split('\n').collect();
        let new_lines: Vec<&str> = after.split('\n').collect();
        let mut origin = vec![None; new_lines.len()];
        for (old, new) in matched(&old_lines, &new_lines) {
            if let Some(slot) = origin.get_mut(new) {
                *slot = self.origin.get(first + old).copied().flatten();
            }
        }
        self.origin.splice(first..=last, origin);
    }

    /// The lines from `first` to `last`, both included.
    fn region(&self, first: usize, last: usize) -> String {
        let lines: Vec<&str> =
            self.text.split('\n').skip(first).take((last + 1).saturating_sub(first)).collect();
        lines.join("\n")
    }

    /// Adds lines at the begin or the end.
    pub(crate) fn insert(&mut self, at_start: bool, content: &str) {
        let gap = self.version.gap();
        let origin = std::iter::repeat_n(None, lines_in(content) + gap.len() - 1);
        if self.text.is_empty() {
            *self = Self::anew(content, self.version);
        } else if at_start {
            self.text = format!("{content}{gap}{}", self.text);
            self.origin = origin.chain(std::mem::take(&mut self.origin)).collect();
        } else {
            self.text.push_str(gap);
            self.text.push_str(content);
            self.origin.extend(origin);
        }
    }

    /// Adds lines after the line that holds this byte.
    pub(crate) fn insert_after(&mut self, byte: usize, content: &str) {
        match self.text[byte..].find('\n') {
            None => self.insert(false, content),
            Some(offset) => {
                let at = byte + offset;
                let line = self.text[..at].matches('\n').count() + 1;
                let new = format!("{}{content}", self.version.gap());
                self.text.insert_str(at, &new);
                let lines = lines_in(&new) - 1;
                self.origin.splice(line..line, std::iter::repeat_n(None, lines));
            }
        }
    }

    /// The range that a selection `start...end` means: from the only place where `start` occurs to the first `end`
    /// after it.
    ///
    /// # Errors
    /// 400 if it is not found or found more than once.
    pub(crate) fn selection(&self, selection: &str) -> ApiResult<(usize, usize)> {
        let (start, end) = selection.split_once("...").unwrap_or((selection, ""));
        let missing = || {
            ApiError::invalid(format!(
                "Could not find the selection \"{}\" in the page.",
                cut(selection)
            ))
        };
        if start.is_empty() {
            return Err(missing());
        }
        let mut places = self.text.match_indices(start).map(|(at, _)| at);
        let first = places.next().ok_or_else(missing)?;
        if places.next().is_some() {
            return Err(ApiError::invalid(format!(
                "The selection \"{}\" matches more than once.",
                cut(selection)
            )));
        }
        let after = first + start.len();
        let stop =
            self.text[after..].find(end).map(|at| after + at + end.len()).ok_or_else(missing)?;
        Ok((first, stop))
    }
}

/// The message for a text that is not there.
pub(crate) fn not_found(old: &str) -> ApiError {
    ApiError::invalid(format!(
        "Could not find a match for old_str in the page content: \"{}\". It must match the page's markdown exactly.",
        cut(old)
    ))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= 100 {
        text.to_owned()
    } else {
        text.chars().take(100).chain("...".chars()).collect()
    }
}

fn lines_in(text: &str) -> usize {
    text.split('\n').count()
}

/// Pairs of equal lines in order: common begin and end, and a longest common subsequence between.
fn matched(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - prefix;
    let suffix =
        old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let mut pairs: Vec<(usize, usize)> = (0..prefix).map(|n| (n, n)).collect();
    let (a, b) = (&old[prefix..old.len() - suffix], &new[prefix..new.len() - suffix]);
    pairs.extend(common(a, b).into_iter().map(|(x, y)| (x + prefix, y + prefix)));
    pairs.extend((0..suffix).rev().map(|n| (old.len() - 1 - n, new.len() - 1 - n)));
    pairs
}

/// Most cells of the table for the longest common subsequence; beyond that nothing in the middle is matched.
const MOST_CELLS: usize = 4_000_000;

fn common(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    if a.is_empty() || b.is_empty() || a.len().saturating_mul(b.len()) > MOST_CELLS {
        return Vec::new();
    }
    let width = b.len() + 1;
    let mut best = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            best[i * width + j] = if a[i] == b[j] {
                best[(i + 1) * width + j + 1] + 1
            } else {
                best[(i + 1) * width + j].max(best[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if best[(i + 1) * width + j] >= best[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}
