//! A text with the words of both versions, to be suggested to a person: where both changed the same words it has the
//! backend's. Never written by itself.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// A word, a run of white space, or a sign. White space is all the same: where lines are wrapped says nothing.
#[derive(Clone, Copy, Debug)]
struct Token<'a>(&'a str);

impl Token<'_> {
    fn key(&self) -> &str {
        if self.0.trim().is_empty() { " " } else { self.0 }
    }
}

/// The file's block with the backend's changes in it. `None` where there is nothing to suggest: no base, a block that
/// is gone, or one whose words are no prose (code, tables, HTML, several paragraphs).
pub fn blend(base: &str, local: &str, remote: &str) -> Option<String> {
    let prose = |text: &str| {
        let text = text.trim();
        let inert = ["```", "~~~", "|", "<", "$$"].iter().all(|begin| !text.starts_with(begin));
        !text.is_empty() && inert && !text.contains("\n\n") && !text.contains("\r\n\r\n")
    };
    if ![base, local, remote].into_iter().all(prose) {
        return None;
    }
    let [(_, base), (marker, local), (_, remote)] = [base, local, remote].map(split);
    Some(format!("{marker}{}", words(base.trim_end(), local.trim_end(), remote.trim_end())))
}

/// A list marker with what stands before it, and the rest: the file's marker is the file's.
fn split(block: &str) -> (&str, &str) {
    let start = block.len() - block.trim_start().len();
    let rest = block.get(start..).unwrap_or_default();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let sign = rest.get(digits..).and_then(|rest| rest.chars().next());
    let marker = match (digits, sign) {
        (0, Some('-' | '*' | '+')) => 1,
        (1.., Some('.' | ')')) => digits + 1,
        _ => return block.split_at(start),
    };
    let after = rest.get(marker..).unwrap_or_default();
    let blank = after.len() - after.trim_start_matches([' ', '\t']).len();
    if blank == 0 {
        return block.split_at(start);
    }
    block.split_at(start + marker + blank)
}

fn words(base: &str, local: &str, remote: &str) -> String {
    let [base, local, remote] = [base, local, remote].map(tokens);
    let (in_local, in_remote) = (matches(&base, &local), matches(&base, &remote));
    let both =
        |at: usize| in_local.get(at).copied().flatten().zip(in_remote.get(at).copied().flatten());
    let mut out = String::new();
    let mut take = |tokens: &[Token<'_>], range: Range<usize>| {
        out.extend(tokens.get(range).unwrap_or_default().iter().map(|token| token.0));
    };
    let (mut b, mut l, mut r) = (0, 0, 0);
    loop {
        let next = (b..base.len()).find_map(|at| both(at).map(|there| (at, there)));
        let (at, (to_l, to_r)) = next.unwrap_or((base.len(), (local.len(), remote.len())));
        let same = |a: Range<usize>, tokens: &[Token<'_>], of: Range<usize>| {
            let (a, of) = (base.get(a).unwrap_or_default(), tokens.get(of).unwrap_or_default());
            a.iter().map(Token::key).eq(of.iter().map(Token::key))
        };
        match same(b..at, &remote, r..to_r) {
            true => take(&local, l..to_l),
            false => take(&remote, r..to_r),
        }
        if next.is_none() {
            return out;
        }
        // Untouched words are the file's own, with its line breaks.
        take(&local, to_l..to_l + 1);
        (b, l, r) = (at + 1, to_l + 1, to_r + 1);
    }
}

/// For each token of the base, where it still is in the version.
fn matches(base: &[Token<'_>], version: &[Token<'_>]) -> Vec<Option<usize>> {
    let keys = |tokens: &[Token<'_>]| tokens.iter().map(|t| t.key().to_owned()).collect::<Vec<_>>();
    let mut out = vec![None; base.len()];
    for op in capture_diff_slices(Algorithm::Myers, &keys(base), &keys(version)) {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            for (n, slot) in out.iter_mut().skip(old_index).take(len).enumerate() {
                *slot = Some(new_index + n);
            }
        }
    }
    out
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((_, c)) = chars.next() {
        let next = chars.peek().copied();
        if next.is_some_and(|(_, n)| kind(n) == kind(c) && kind(c) != 2) {
            continue;
        }
        let end = next.map_or(text.len(), |(end, _)| end);
        tokens.extend(text.get(start..end).map(Token));
        start = end;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_are_in_it_and_the_backend_has_the_last_word() {
        let cases = [
            // base, local, remote, both
            ("a b c d e", "a x c d e", "a b c d y", "a x c d y"),
            ("the red car", "the blue car", "the green car", "the green car"),
            ("- one two", "* one two three", "- zero two", "* zero two three"),
            ("one two\nthree four", "one 2\nthree four", "one two three 4", "one 2\nthree 4"),
            ("a b\nc d", "a b\nc x", "a y c d", "a y\nc x"),
            ("end.", "end, from Git.", "end, from Notion.", "end, from Notion."),
            ("1. a b", "1) a c", "1. x b", "1) x c"),
        ];
        for (base, local, remote, both) in cases {
            assert_eq!(blend(base, local, remote).as_deref(), Some(both), "{base}");
        }
        for (base, local, remote) in
            [("", "a", "b"), ("a", "", "b"), ("```\na\n```", "```\nb\n```", "```\nc\n```")]
        {
            assert_eq!(blend(base, local, remote), None);
        }
    }

    proptest! {
        #[test]
        fn one_sided_changes_are_taken_whole(
            base in "[a-c ]{1,12}", local in "[a-c ]{1,12}", other in "[a-c ]{1,12}",
        ) {
            let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let blended = words(base.trim(), local.trim(), base.trim());
            prop_assert_eq!(squeeze(&blended), squeeze(&local));
            let blended = words(base.trim(), base.trim(), other.trim());
            prop_assert_eq!(squeeze(&blended), squeeze(&other));
            // Whatever both did, it ends.
            let _ = words(&base, &local, &other);
        }
    }
}
