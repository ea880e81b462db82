//! Runs of `*`, `_` and `~~`, matched as CommonMark does.

use crate::rich::{Content, RichText};

/// A run of marks that may open or close. Its own text stands in the output at `at`.
#[derive(Debug)]
pub(super) struct Delimiter {
    at: usize,
    mark: char,
    left: usize,
    length: usize,
    opens: bool,
    closes: bool,
}

impl Delimiter {
    /// What a run of `length` marks between two characters can do.
    pub(super) fn new(at: usize, mark: char, length: usize, before: char, after: char) -> Self {
        let punctuation = |c: char| !c.is_alphanumeric() && !c.is_whitespace();
        let left = !after.is_whitespace()
            && (!punctuation(after) || before.is_whitespace() || punctuation(before));
        let right = !before.is_whitespace()
            && (!punctuation(before) || after.is_whitespace() || punctuation(after));
        let (opens, closes) = match mark {
            '_' => {
                (left && (!right || punctuation(before)), right && (!left || punctuation(after)))
            }
            '~' => (left && length == 2, right && length == 2),
            _ => (left, right),
        };
        Self { at, mark, left: length, length, opens, closes }
    }

    fn matches(&self, opener: &Self) -> bool {
        let blocked = (self.opens || opener.closes)
            && (self.length + opener.length).is_multiple_of(3)
            && !(self.length.is_multiple_of(3) && opener.length.is_multiple_of(3));
        opener.opens && opener.mark == self.mark && !blocked
    }
}

/// Matches the runs from `bottom` on and styles what is between them. Afterwards none of them is left.
pub(super) fn resolve(out: &mut RichText, runs: &mut Vec<Delimiter>, bottom: usize) {
    let mut at = bottom;
    while let Some(closer) = runs.get(at) {
        if !closer.closes {
            at += 1;
            continue;
        }
        let found = (bottom..at).rev().find(|n| runs.get(*n).is_some_and(|o| closer.matches(o)));
        let Some(opener) = found else {
            if closer.opens {
                at += 1;
            } else {
                runs.remove(at);
            }
            continue;
        };
        runs.drain(opener + 1..at);
        let both = runs.get(opener).is_some_and(|run| run.left >= 2)
            && runs.get(opener + 1).is_some_and(|run| run.left >= 2);
        let used = if both { 2 } else { 1 };
        let range = (
            runs.get(opener).map_or(0, |run| run.at + 1),
            runs.get(opener + 1).map_or(0, |run| run.at),
        );
        let mark = runs.get(opener).map_or('*', |run| run.mark);
        for span in out.iter_mut().take(range.1).skip(range.0) {
            match (mark, used) {
                ('~', _) => span.style.strike = true,
                (_, 2) => span.style.bold = true,
                _ => span.style.italic = true,
            }
        }
        at = opener + 1;
        for n in [opener + 1, opener] {
            let Some(run) = runs.get_mut(n) else { continue };
            run.left -= used;
            let (place, left) = (run.at, run.left);
            if let Some(span) = out.get_mut(place) {
                span.content = Content::Text(mark.to_string().repeat(left));
            }
            if left == 0 {
                runs.remove(n);
                if n == opener {
                    at -= 1;
                }
            }
        }
    }
    runs.truncate(bottom);
}
