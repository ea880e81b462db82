//! Ids of artifacts named in the list under a heading, and the least change of such a list.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::outline::{BlockKind, Section, trimmed};
use crate::markdown::Edit;

/// An id of any kind; what the target kind accepts is not known here.
static ID: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Z]+-\d+").ok());

/// A list item with the ids that it names.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Whole lines.
    pub(super) at: Range<usize>,
    /// Ids with the part of the first line that names each.
    pub(super) ids: Vec<(String, Range<usize>)>,
}

/// What a reference section holds.
#[derive(Clone, Debug)]
pub(super) enum References {
    /// Items of its lists (none where the section is empty), and lines that only say that there is none.
    List { items: Vec<Item>, placeholders: Vec<Range<usize>> },
    /// Text that is no list.
    Prose { line_at: usize },
}

/// Whole-word ids in a text.
fn ids_in(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    ID.iter()
        .flat_map(|id| id.find_iter(text))
        .filter(move |found| {
            let before = text[..found.start()].chars().next_back();
            let after = text[found.end()..].chars().next();
            !before.is_some_and(|c| word(c) || c == '-') && !after.is_some_and(word)
        })
        .map(|found| found.range())
}

/// The ids that a text names: each part of a comma-separated list that begins with an id, or else the first id.
pub(super) fn named(text: &str, at: Range<usize>) -> Vec<(String, Range<usize>)> {
    let source = &text[at.clone()];
    let parts: Vec<Range<usize>> = {
        let mut from = at.start;
        source
            .split(',')
            .map(|part| {
                let range = from..from + part.len();
                from = range.end + 1;
                range
            })
            .collect()
    };
    let leading = |part: &Range<usize>| {
        let part = &text[part.clone()];
        let found = ids_in(part).next()?;
        part[..found.start].chars().all(|c| !c.is_alphanumeric()).then(|| part[found].to_owned())
    };
    let lead: Option<Vec<(String, Range<usize>)>> = match parts.as_slice() {
        [] | [_] => None,
        many => many.iter().map(|part| leading(part).map(|id| (id, part.clone()))).collect(),
    };
    lead.unwrap_or_else(|| {
        ids_in(source).next().map(|found| (source[found].to_owned(), at)).into_iter().collect()
    })
}

/// Whether a text says that there is nothing to name.
fn says_none(text: &str) -> bool {
    let words: String = text
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '/' { c } else { ' ' })
        .collect::<String>()
        .to_lowercase();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    matches!(words.as_str(), "" | "none" | "none yet" | "n/a" | "na" | "tbd" | "no" | "nothing")
}

/// The text of an item's first line behind its marker and check box.
fn first_line(text: &str, item: &Range<usize>) -> Range<usize> {
    let source = &text[item.clone()];
    let end = source.find('\n').unwrap_or(source.len());
    let line = trimmed(text, item.start..item.start + end);
    let source = &text[line.clone()];
    let marker = source.find(char::is_whitespace).unwrap_or(source.len());
    let rest = trimmed(text, line.start + marker..line.end);
    let boxed = ["[ ]", "[x]", "[X]"].iter().any(|b| text[rest.clone()].starts_with(b));
    if boxed { trimmed(text, rest.start + 3..rest.end) } else { rest }
}

/// Reads a reference section.
pub(super) fn read(text: &str, section: &Section<'_>) -> References {
    let mut items = Vec::new();
    let mut placeholders = Vec::new();
    let mut prose = None;
    let mut lists = 0;
    for block in section.blocks {
        match &block.kind {
            BlockKind::List { items: own } => {
                lists += 1;
                for at in own {
                    let line = first_line(text, at);
                    let ids = named(text, line.clone());
                    if ids.is_empty() && says_none(&text[line]) {
                        placeholders.push(at.clone());
                    } else {
                        items.push(Item { at: at.clone(), ids });
                    }
                }
            }
            BlockKind::Paragraph if says_none(&text[block.at.clone()]) => {
                placeholders.push(block.at.clone());
            }
            BlockKind::Html => {}
            _ => {
                prose.get_or_insert(block.at.start);
            }
        }
    }
    match prose {
        Some(line_at) if lists == 0 => References::Prose { line_at },
        _ => References::List { items, placeholders },
    }
}

/// The edits that make the section name exactly `wanted`: lines of items are added and removed, no other byte
/// changes. `None` where an item names ids that stay and ids that go in a way that cannot be taken apart.
pub(super) fn set(
    text: &str,
    heading: &Range<usize>,
    items: &[Item],
    placeholders: &[Range<usize>],
    wanted: &BTreeSet<String>,
    newline: &str,
) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    let mut present = BTreeSet::new();
    for item in items.iter().filter(|item| !item.ids.is_empty()) {
        let (stay, go): (Vec<_>, Vec<_>) = item.ids.iter().partition(|(id, _)| wanted.contains(id));
        if stay.is_empty() {
            edits.push(Edit { at: item.at.clone(), new: String::new() });
        } else if !go.is_empty() {
            let (from, to) = (item.ids.first()?.1.start, item.ids.last()?.1.end);
            let kept: Vec<&str> = stay.iter().map(|(_, part)| text[part.clone()].trim()).collect();
            edits.push(Edit { at: from..to, new: kept.join(", ") });
        }
        present.extend(stay.into_iter().map(|(id, _)| id.clone()));
    }
    let missing: Vec<&String> = wanted.iter().filter(|id| !present.contains(*id)).collect();
    if missing.is_empty() {
        return Some(edits);
    }
    edits.extend(placeholders.iter().map(|at| Edit { at: at.clone(), new: String::new() }));
    let last = items.last().map(|item| &item.at).or(placeholders.last());
    let mut marker = last.map_or_else(|| "- ".to_owned(), |at| marker_of(text, at));
    let mut new = String::new();
    for id in missing {
        marker = next_marker(&marker);
        new.push_str(&format!("{marker}{id}{newline}"));
    }
    let at = match last {
        Some(at) => at.end,
        None => {
            new = format!("{newline}{new}");
            if text[heading.end..].lines().next().is_some_and(|line| !line.trim().is_empty()) {
                new.push_str(newline);
            }
            heading.end
        }
    };
    if at > 0 && !text[..at].ends_with('\n') {
        new = format!("{newline}{new}");
    }
    edits.push(Edit { at: at..at, new });
    edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
    Some(edits)
}

/// Indentation, marker and space of an item, without a check box.
fn marker_of(text: &str, item: &Range<usize>) -> String {
    let line = text[item.clone()].lines().next().unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    let mark = line[indent..].find(char::is_whitespace).unwrap_or(0);
    let space = line[indent + mark..].chars().take_while(|c| *c == ' ').count();
    let mark = &line[indent..indent + mark];
    let bullet = matches!(mark, "-" | "*" | "+");
    let number = mark.strip_suffix(['.', ')']).is_some_and(|n| n.parse::<u32>().is_ok());
    if bullet || number {
        format!("{}{mark}{}", &line[..indent], " ".repeat(space.clamp(1, 4)))
    } else {
        "- ".to_owned()
    }
}

/// The marker of the item after one with this marker: numbers count on, bullets stay.
fn next_marker(marker: &str) -> String {
    let digits: String = marker.chars().filter(char::is_ascii_digit).collect();
    match digits.parse::<u32>() {
        Ok(number) => marker.replacen(&digits, &number.saturating_add(1).to_string(), 1),
        Err(_) => marker.to_owned(),
    }
}
