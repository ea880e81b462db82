//! What single lines of the v2 grammar mean.

use super::block::Marker;
use super::html::Tag;

/// Tags of inline text that a paragraph may begin with.
const INLINE_TAGS: [&str; 15] = [
    "span", "br", "b", "i", "u", "s", "strong", "em", "del", "sub", "sup", "code", "a", "mention",
    "date",
];

/// Mark and length of an opening fence.
pub(super) fn fence(text: &str) -> Option<(char, usize)> {
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = text.chars().take_while(|c| *c == mark).count();
    let info = text.get(length..).unwrap_or_default();
    (length >= 3 && !(mark == '`' && info.contains('`'))).then_some((mark, length))
}

pub(super) fn closes_fence(text: &str, (mark, length): (char, usize)) -> bool {
    let text = text.trim();
    text.len() >= length && text.chars().all(|c| c == mark)
}

/// Whether the line closes the tag that it begins with.
pub(super) fn closes_itself(text: &str, name: &str) -> bool {
    text.strip_suffix('>')
        .and_then(|rest| rest.trim_end().strip_suffix(name)?.strip_suffix("</"))
        .is_some_and(|rest| !is_escaped(text, rest.len()))
}

/// Whether an odd number of backslashes stands before a place.
pub(super) fn is_escaped(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The tag of a block that the line begins with; Notion escapes a literal `<`.
pub(super) fn block_tag(text: &str) -> Option<Tag<'_>> {
    Tag::at(text).filter(|tag| !tag.closing && is_block_name(tag.name))
}

fn is_block_name(name: &str) -> bool {
    !INLINE_TAGS.contains(&name) && !name.starts_with("mention-")
}

pub(super) fn is_rule(text: &str) -> bool {
    let mark = text.chars().next().filter(|c| matches!(c, '-' | '*' | '_'));
    mark.is_some_and(|mark| {
        text.chars().filter(|c| *c == mark).count() >= 3
            && text.chars().all(|c| c == mark || c == ' ' || c == '\t')
    })
}

/// Level of the heading that the text above is made by this line.
pub(super) fn underline(text: &str) -> Option<u8> {
    let all = |mark| !text.is_empty() && text.chars().all(|c| c == mark);
    if all('=') {
        Some(1)
    } else if all('-') {
        Some(2)
    } else {
        None
    }
}

/// Level (1 to 4) and title.
pub(super) fn heading(text: &str) -> Option<(u8, &str)> {
    let hashes = text.bytes().take_while(|b| *b == b'#').count();
    let rest = text.get(hashes..).filter(|_| (1..=6).contains(&hashes)).and_then(after_space)?;
    let rest = rest.trim();
    let open = rest.trim_end_matches('#');
    let title = if open.is_empty() || open.ends_with([' ', '\t']) { open.trim_end() } else { rest };
    Some((u8::try_from(hashes.min(4)).unwrap_or(4), title))
}

/// The rest after a space, or after nothing where nothing follows.
fn after_space(rest: &str) -> Option<&str> {
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix([' ', '\t']) }
}

/// Marker and text of a list item.
pub(super) fn item(text: &str) -> Option<(Marker, &str)> {
    if let Some(rest) = text.strip_prefix(['-', '*', '+']).and_then(after_space) {
        let rest = rest.trim_start();
        for (mark, checked) in [("[ ]", false), ("[x]", true), ("[X]", true)] {
            if let Some(rest) = rest.strip_prefix(mark).and_then(after_space) {
                return Some((Marker::Todo(checked), rest));
            }
        }
        return Some((Marker::Bullet, rest));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=9).contains(&digits) {
        let rest = text.get(digits..)?.strip_prefix(['.', ')']).and_then(after_space)?;
        return Some((Marker::Number, rest));
    }
    None
}

/// Whether a line ends the paragraph above it.
pub(super) fn interrupts(text: &str) -> bool {
    let item = item(text).is_some_and(|(marker, rest)| {
        !rest.is_empty()
            && (marker != Marker::Number || text.starts_with("1.") || text.starts_with("1)"))
    });
    item || text == "$$"
        || text.starts_with('>')
        || fence(text).is_some()
        || is_rule(text)
        || underline(text).is_some()
        || heading(text).is_some()
        || Tag::at(text).is_some_and(|tag| is_block_name(tag.name))
}

/// Whether a line at the begin of a text would be read as something else than text.
pub(super) fn starts_block(text: &str) -> bool {
    item(text).is_some() || interrupts(text) || delimiter_columns(text.trim()).is_some()
}

/// Number of columns of the line below a table's header.
pub(super) fn delimiter_columns(text: &str) -> Option<usize> {
    if !text.contains('-') || !text.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t')) {
        return None;
    }
    let cells = pipe_cells(text);
    let fits = |cell: &String| {
        let dashes = cell.strip_prefix(':').unwrap_or(cell);
        let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
        !dashes.is_empty() && dashes.chars().all(|c| c == '-')
    };
    (text.contains('|') && cells.iter().all(fits)).then_some(cells.len())
}

/// The cells of a row, without what escapes their pipes.
pub(super) fn pipe_cells(row: &str) -> Vec<String> {
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut chars = row.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('|') => cell.push('|'),
                Some(next) => cell.extend(['\\', next]),
                None => cell.push('\\'),
            },
            '|' => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if !cell.trim().is_empty() {
        cells.push(cell);
    }
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

/// A line without the indentation that its block has.
pub(super) fn dedent(line: &str, columns: usize) -> &str {
    let mut column = 0;
    for (at, c) in line.char_indices() {
        let next = match c {
            '\t' => (column / super::v2_parse::TAB + 1) * super::v2_parse::TAB,
            ' ' => column + 1,
            _ => return line.get(at..).unwrap_or_default(),
        };
        if next > columns {
            return line.get(at..).unwrap_or_default();
        }
        column = next;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_inside_of_cells_are_escaped() {
        assert_eq!(pipe_cells("| a | `x\\|y` | |"), ["a", "`x|y`", ""]);
        assert_eq!(pipe_cells("a|b"), ["a", "b"]);
        assert_eq!(delimiter_columns("| --- | :-: |"), Some(2));
        assert_eq!(delimiter_columns("---"), None);
    }

    #[test]
    fn only_some_lines_end_a_paragraph() {
        for line in ["# a", "- a", "1. a", "> a", "```", "---", "<quote>", "</quote>", "$$"] {
            assert!(interrupts(line), "{line}");
        }
        for line in ["2. a", "-a", "#a", "<b>a</b>", "a | b", "<span color=\"red\">"] {
            assert!(!interrupts(line), "{line}");
        }
    }

    #[test]
    fn code_keeps_its_own_indentation() {
        assert_eq!(dedent("\t\ta", 4), "\ta");
        assert_eq!(dedent("    a", 4), "a");
        assert_eq!(dedent("a", 4), "a");
    }
}
