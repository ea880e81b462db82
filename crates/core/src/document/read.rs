//! Where each property stands in a file, and what it holds.

use std::ops::Range;

use super::keys::{self, KeyLine};
use super::meaning::{self, Reading};
use super::outline::{BlockKind, Outline, Section, line_number, trimmed, without_break};
use super::references::{self, Item, References};
use super::sequence::{self, Sequence};
use super::{Document, Located, PAGE_KEY};
use crate::kind::{Format, Kind, Property, PropertyType, Source};
use crate::model::{Finding, Key, Severity, Value};

/// Where a property stands.
#[derive(Clone, Debug)]
pub(super) enum Spot {
    /// Nowhere: no such heading, section or key.
    Missing,
    /// The id, which only the file name holds.
    FileName,
    /// The H1: the heading's lines, the whole of its text, and the title in it.
    Heading { block: Range<usize>, content: Range<usize>, title: Range<usize> },
    /// The section's heading, with no value under it.
    EmptySection { heading: Range<usize> },
    /// A text under a section's heading, with the whole lines that it stands in.
    Section { heading: Range<usize>, lines: Range<usize>, value: Range<usize> },
    /// A key.
    Key(KeyLine),
    /// A key whose value is a sequence.
    Sequence { key: KeyLine, sequence: Sequence },
    /// A list of references under a heading.
    References { heading: Range<usize>, items: Vec<Item>, placeholders: Vec<Range<usize>> },
    /// Something that cannot be read as a value, nor changed.
    Opaque { at: usize, reason: &'static str },
}

/// What makes a file's value unusable.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) rule: &'static str,
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) fix: String,
}

/// A file's text with its shape: what reading any property needs.
pub(super) struct Page<'a> {
    pub(super) kind: &'a Kind,
    pub(super) id: &'a str,
    pub(super) text: &'a str,
    pub(super) outline: Outline,
    keys: Vec<KeyLine>,
    /// Whether the mapping that holds the keys is sound YAML.
    sound: bool,
}

impl<'a> Page<'a> {
    pub(super) fn new(kind: &'a Kind, id: &'a str, text: &'a str) -> Self {
        let outline = match kind.format {
            Format::Markdown => Outline::of(text),
            Format::Yaml => Outline::of_yaml(text),
        };
        let keys = keys::read(text, outline.front_inner.clone());
        let sound = is_mapping(&text[outline.front_inner.clone()]);
        Self { kind, id, text, outline, keys, sound }
    }

    /// Where a property stands.
    pub(super) fn spot(&self, property: &Property) -> Spot {
        match &property.source {
            Source::Id => Spot::FileName,
            Source::Heading => self.heading_spot(),
            Source::Key(name) => self.key_spot(property, name),
            Source::Section(names) => match self.outline.section(self.text, names) {
                Some(section) => self.section_spot(property, &section),
                None => Spot::Missing,
            },
            Source::References(name) => {
                match self.outline.section(self.text, std::slice::from_ref(name)) {
                    Some(section) => self.references_spot(&section),
                    None => Spot::Missing,
                }
            }
        }
    }

    fn heading_spot(&self) -> Spot {
        let Some((block, content)) = self.outline.h1() else { return Spot::Missing };
        let source = &self.text[content.clone()];
        let rest = behind_id(source, self.id).unwrap_or(source);
        let title = content.end - rest.len()..content.end;
        Spot::Heading { block: block.at.clone(), content, title }
    }

    fn key_spot(&self, property: &Property, name: &str) -> Spot {
        if !self.sound {
            let at = self.outline.front_inner.start;
            return Spot::Opaque { at, reason: "the file's YAML is not a sound mapping" };
        }
        let Some(key) = self.keys.iter().find(|key| key.name == name) else {
            return Spot::Missing;
        };
        let flow = self.text[key.value.clone()].starts_with('[');
        if property.r#type.is_set() && (flow || key.complex && key.value.is_empty()) {
            return match sequence::read(self.text, key) {
                Some(sequence) => Spot::Sequence { key: key.clone(), sequence },
                None => Spot::Opaque {
                    at: key.lines.start,
                    reason: "its value is not a list of plain texts",
                },
            };
        }
        if key.complex || flow {
            return Spot::Opaque {
                at: key.lines.start,
                reason: "its value is not a scalar on one line",
            };
        }
        Spot::Key(key.clone())
    }

    fn section_spot(&self, property: &Property, section: &Section<'_>) -> Spot {
        let heading = section.heading.at.clone();
        let mut blocks = section.blocks.iter().filter(|block| block.kind != BlockKind::Html);
        let Some(first) = blocks.next() else { return Spot::EmptySection { heading } };
        if property.r#type == PropertyType::RichText {
            let single = first.kind == BlockKind::Paragraph && blocks.next().is_none();
            if !single {
                return Spot::Opaque {
                    at: first.at.start,
                    reason: "its section is more than a paragraph",
                };
            }
            let value = trimmed(self.text, first.at.clone());
            return Spot::Section { heading, lines: first.at.clone(), value };
        }
        if first.kind != BlockKind::Paragraph {
            return Spot::Opaque {
                at: first.at.start,
                reason: "its section does not begin with a line of text",
            };
        }
        let lines =
            super::outline::lines(self.text, first.at.clone()).next().unwrap_or(first.at.clone());
        let value = bare(self.text, without_break(self.text, lines.clone()));
        Spot::Section { heading, lines, value }
    }

    fn references_spot(&self, section: &Section<'_>) -> Spot {
        match references::read(self.text, section) {
            References::List { items, placeholders } => {
                Spot::References { heading: section.heading.at.clone(), items, placeholders }
            }
            References::Prose { line_at } => {
                Spot::Opaque { at: line_at, reason: "its section is text and not a list" }
            }
        }
    }

    /// What stands at a spot, with its byte position.
    fn value(&self, property: &Property, spot: &Spot) -> Reading {
        let source = |at: &Range<usize>| &self.text[at.clone()];
        match spot {
            Spot::Missing | Spot::EmptySection { .. } => Ok(None),
            Spot::FileName => Ok(Value::text(self.id).map(|value| (value, 0))),
            Spot::Heading { title, .. } => {
                let value = Value::text(&unescape_closing(source(title)));
                Ok(value.map(|value| (value, title.start)))
            }
            Spot::Section { value, .. } => {
                meaning::of(property, unescape_start(source(value)).as_ref(), value.start)
            }
            Spot::Key(key) => match keys::decode(source(&key.value)) {
                Some(text) => meaning::of(property, &text, key.value.start),
                None => Ok(None),
            },
            Spot::Sequence { sequence, .. } => {
                let members = sequence.members.iter();
                let members = members
                    .filter_map(|member| Some((member.text.as_deref()?, member.value.start)));
                meaning::of_members(property, members)
            }
            Spot::References { heading, items, .. } => {
                let ids = items.iter().flat_map(|item| item.ids.iter().map(|(id, _)| id.clone()));
                let at = items.first().map_or(heading.start, |item| item.at.start);
                Ok(Value::set(ids).map(|value| (value, at)))
            }
            Spot::Opaque { at, reason } => {
                let silent = property.r#type == PropertyType::RichText
                    && matches!(property.source, Source::Section(_));
                Err((!silent).then(|| Problem {
                    rule: "unreadable-value",
                    at: *at,
                    message: format!("{} of {} cannot be read: {reason}.", property.name, self.id),
                    fix: "Write it as one plain line; until then it is left alone on both sides."
                        .to_owned(),
                }))
            }
        }
    }

    /// Where the first key of the mapping stands; its end, where it has none.
    pub(super) fn first_key(&self) -> usize {
        self.keys.first().map_or(self.outline.front_inner.end, |key| key.lines.start)
    }

    /// Lines that a spot takes out of the body.
    pub(super) fn excluded(&self, spot: &Spot) -> Vec<Range<usize>> {
        match spot {
            Spot::Heading { block, .. } => vec![block.clone()],
            Spot::EmptySection { heading } => vec![heading.clone()],
            Spot::Section { heading, lines, .. } => vec![heading.clone(), lines.clone()],
            Spot::References { heading, items, placeholders } => {
                let lists = items.iter().map(|item| &item.at).chain(placeholders);
                std::iter::once(heading).chain(lists).cloned().collect()
            }
            Spot::Key(key) | Spot::Sequence { key, .. } if self.kind.format == Format::Yaml => {
                vec![key.lines.clone()]
            }
            Spot::Key(_)
            | Spot::Sequence { .. }
            | Spot::Missing
            | Spot::FileName
            | Spot::Opaque { .. } => Vec::new(),
        }
    }
}

/// Reads a whole file.
pub(super) fn document(kind: &Kind, id: &str, path: &str, text: &str) -> Document {
    let page = Page::new(kind, id, text);
    let mut document = Document::default();
    let mut excluded: Vec<Range<usize>> = Vec::new();
    let finding = |rule: &str, severity, at: usize, message, fix| Finding {
        rule: rule.to_owned(),
        severity,
        key: Some(Key::new(&kind.name, id)),
        path: Some(path.to_owned()),
        line: Some(line_number(text, at)),
        url: None,
        message,
        fix,
        about: None,
    };
    if kind.format == Format::Markdown {
        excluded.push(0..page.outline.start);
    } else {
        excluded.push(0..super::outline::bom(text));
    }
    if kind.format == Format::Yaml && super::page_named(kind, text).is_some() {
        let naming = page.keys.iter().filter(|key| key.name == PAGE_KEY);
        excluded.extend(naming.map(|key| key.lines.clone()));
    }
    for property in &kind.properties {
        let spot = page.spot(property);
        excluded.extend(page.excluded(&spot));
        match page.value(property, &spot) {
            Ok(Some((value, at))) => {
                let line = line_number(text, at);
                document.values.insert(property.name.clone(), Located { value, line });
            }
            Ok(None) => {
                let at = match &spot {
                    Spot::EmptySection { heading } => Some(heading.start),
                    Spot::Heading { block, .. } => Some(block.start),
                    Spot::Key(key) => Some(key.lines.start),
                    Spot::Missing if property.r#type == PropertyType::Title => Some(0),
                    _ => None,
                };
                let line = at.map(|at| line_number(text, at));
                document.blank.extend(line.map(|line| (property.name.clone(), line)));
            }
            Err(problem) => {
                document.unsynced.insert(property.name.clone());
                document.findings.extend(problem.map(|problem| {
                    finding(
                        problem.rule,
                        Severity::Warning,
                        problem.at,
                        problem.message,
                        problem.fix,
                    )
                }));
            }
        }
        if let Spot::Heading { content, .. } = &spot
            && let Some(other) = other_id(kind, id, &text[content.clone()])
        {
            document.findings.push(finding(
                "title-mismatch",
                Severity::Warning,
                content.start,
                format!("The heading says {other}, the file name says {id}."),
                "The file name decides; correct the heading, or rename the file.".to_owned(),
            ));
        }
    }
    if let Some(title) = kind.title() {
        if !document.values.contains_key(&title.name)
            && !document.unsynced.contains(&title.name)
            && let Some(value) = title_of_path(id, path)
        {
            document.values.insert(title.name.clone(), Located { value, line: 1 });
        }
        document.title = document.values.get(&title.name).map(|located| located.value.to_string());
    }
    document.excluded = disjoint(excluded);
    document
}

/// The value of the key that names the file's page.
pub(super) fn page_named(kind: &Kind, text: &str) -> Option<String> {
    let page = Page::new(kind, "", text);
    let key = page.keys.iter().find(|key| key.name == PAGE_KEY)?;
    keys::decode(&text[key.value.clone()]).filter(|value| !value.trim().is_empty())
}

/// Sorted, disjoint, none empty; neighbours stay apart unless they overlap.
fn disjoint(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

fn is_mapping(yaml: &str) -> bool {
    match serde_yaml::from_str::<serde_yaml::Value>(yaml) {
        Ok(value) => value.is_null() || value.is_mapping(),
        Err(_) => false,
    }
}

/// What follows the id in a heading that begins with it: `ID: title`, `ID - title`, `ID title`, `ID`.
fn behind_id<'t>(heading: &'t str, id: &str) -> Option<&'t str> {
    let rest = heading.strip_prefix(id)?;
    let spaced = rest.trim_start();
    if let Some(rest) = spaced.strip_prefix(':') {
        return Some(rest.trim_start());
    }
    if spaced.len() == rest.len() {
        return rest.is_empty().then_some(rest);
    }
    let dash = spaced
        .strip_prefix(['-', '–', '—'])
        .filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
    Some(dash.map_or(spaced, str::trim_start))
}

/// The id of the kind that a heading begins with, if it is another one.
fn other_id<'t>(kind: &Kind, id: &str, heading: &'t str) -> Option<&'t str> {
    let word = heading.split(|c: char| c == ':' || c.is_whitespace()).next()?;
    let found = kind.file_id.captures(word)?.get(1)?.as_str();
    (found.len() == word.len() && found != id).then_some(found)
}

/// The words of a file name behind its id; the id, where there are none.
fn title_of_path(id: &str, path: &str) -> Option<Value> {
    let name = path.rsplit('/').next()?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let words = stem.strip_prefix(id).unwrap_or(stem).replace(['-', '_', '.'], " ");
    Value::text(&words).or_else(|| Value::text(id))
}

/// A heading's text may end in `#` only behind a backslash; one backslash there is not part of the title.
fn unescape_closing(title: &str) -> String {
    match closing_marks(title) {
        Some(at) if title[..at].ends_with('\\') => format!("{}{}", &title[..at - 1], &title[at..]),
        _ => title.to_owned(),
    }
}

/// Where the `#` begin that end a title and stand, backslashes aside, alone.
pub(super) fn closing_marks(title: &str) -> Option<usize> {
    let open = title.trim_end_matches('#');
    let before = open.trim_end_matches('\\');
    let alone = before.chars().next_back().is_none_or(char::is_whitespace);
    (open.len() < title.len() && alone).then_some(open.len())
}

/// A line without the backslash that keeps it from being more than a line of text.
fn unescape_start(line: &str) -> std::borrow::Cow<'_, str> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = line.split_at(digits);
    match rest.strip_prefix('\\') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_punctuation()) => {
            format!("{number}{rest}").into()
        }
        _ => line.into(),
    }
}

/// A line's text without a comment behind it and emphasis around it.
fn bare(text: &str, line: Range<usize>) -> Range<usize> {
    let mut at = trimmed(text, line);
    if let Some(comment) = text[at.clone()].find("<!--")
        && text[at.clone()].ends_with("-->")
    {
        at = trimmed(text, at.start..at.start + comment);
    }
    for mark in ["**", "__", "*", "_", "`"] {
        let source = &text[at.clone()];
        let inner = source.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
        if let Some(inner) = inner.filter(|inner| !inner.trim().is_empty()) {
            at = trimmed(text, at.start + mark.len()..at.start + mark.len() + inner.len());
        }
    }
    at
}
