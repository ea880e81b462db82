//! Differences as text.

use similar::{ChangeTag, TextDiff};

use super::one_line;

/// A unified diff without a header, three lines of context, every line escaped; empty when the texts are equal.
pub fn unified(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut out = String::new();
    for (n, group) in diff.grouped_ops(3).iter().enumerate() {
        if n > 0 {
            out.push_str("  …\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            out.push(sign);
            out.push(' ');
            out.push_str(&one_line(change.value().trim_end_matches(['\n', '\r'])));
            out.push('\n');
        }
    }
    out
}

/// The line of the file, from 1, in which its body first differs from the base.
pub(super) fn first_line(base: Option<&str>, body: Option<&str>, file: &str) -> usize {
    let (base, body) = (base.unwrap_or_default(), body.unwrap_or_default());
    let differs = body
        .lines()
        .enumerate()
        .find(|(n, line)| base.lines().nth(*n) != Some(*line))
        .map(|(_, line)| line);
    let wanted = differs.or_else(|| body.lines().last());
    wanted
        .and_then(|wanted| file.lines().position(|line| line == wanted))
        .map_or(1, |position| position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_changed_with_its_surroundings() {
        assert_eq!(unified("a\nb\nc\n", "a\nx\nc\n"), "  a\n- b\n+ x\n  c\n");
        assert_eq!(unified("a\n", "a\n"), "");
    }

    #[test]
    fn finds_the_line_in_the_file() {
        let file = "# A-1: T\n\n## State\n\nDRAFT\n\n## Why\n\nnew words\n";
        assert_eq!(first_line(Some("## Why\n\nold\n"), Some("## Why\n\nnew words\n"), file), 9);
    }
}
