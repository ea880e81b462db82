//! The least edit that gives a property a value, proven by reading the result.

use std::collections::BTreeSet;
use std::ops::Range;

use super::keys::{self, KeyLine, Style};
use super::outline::{Outline, line_break, line_number};
use super::read::{Page, Spot, closing_marks};
use super::sequence::{self, Sequence};
use super::{CannotSet, Document, meaning, parse, references};
use crate::canonical;
use crate::kind::{Format, Kind, Property, PropertyType, Source};
use crate::markdown::{Edit, apply_edits};
use crate::model::Value;

/// The edits that give a property this value, or unset it. Edits are sorted and disjoint; none, if the file holds
/// the value already. Every result is read back before it is handed out: the property has the value, all other
/// properties have theirs, and no line of the body changed; so a value can never break out of its place. Control
/// characters are not written.
///
/// # Errors
/// [`CannotSet`] where the file's text permits no such edit; it is left as it is.
pub fn set(
    kind: &Kind,
    id: &str,
    text: &str,
    property: &str,
    value: Option<&Value>,
) -> Result<Vec<Edit>, CannotSet> {
    let cannot = |reason: &str, line| CannotSet {
        property: property.to_owned(),
        reason: reason.to_owned(),
        line,
    };
    let Some(property) = kind.property(property) else {
        return Err(cannot("there is no such property", None));
    };
    let page = Page::new(kind, id, text);
    let wanted = value.and_then(|value| written_form(property, value));
    if property.r#type == PropertyType::Title && wanted.is_none() {
        return Err(cannot("a title cannot be removed", None));
    }
    if let Some(reason) = wanted.as_ref().and_then(|wanted| unfit(property, wanted)) {
        return Err(cannot(reason, None));
    }
    let before = parse(kind, id, "", text);
    let spot = page.spot(property);
    let derived = property.r#type == PropertyType::Title && matches!(spot, Spot::Missing);
    let current = before.values.get(&property.name).map(|located| &located.value);
    if current == wanted.as_ref() && !derived && !before.unsynced.contains(&property.name) {
        return Ok(Vec::new());
    }
    let line = match &spot {
        Spot::Opaque { at, reason } => return Err(cannot(reason, Some(line_number(text, *at)))),
        Spot::FileName => return Err(cannot("the id is the file's name", None)),
        Spot::Missing => None,
        spot => page.excluded(spot).first().map(|at| line_number(text, at.start)),
    };
    let writer = Writer { page: &page, property, newline: line_break(text) };
    writer
        .candidates(&spot, wanted.as_ref())
        .into_iter()
        .find(|edits| is_faithful(kind, id, text, &before, edits, property, wanted.as_ref()))
        .ok_or_else(|| cannot("the value would change the document around it", line))
}

/// The value as a file can hold it: without control characters, and without members that have no name there
/// (pages that are no artifacts, users without an address, uploaded files).
pub(super) fn written_form(property: &Property, value: &Value) -> Option<Value> {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    match value {
        Value::Text(text) if property.r#type.is_set() => Value::set(std::iter::once(clean(text))),
        Value::Text(text) => {
            let spaced = text.split_whitespace().collect::<Vec<_>>().join(" ");
            Value::text(&clean(&spaced))
        }
        Value::Set(members) => {
            let nameless = |member: &&String| {
                ["page:", "user:", "other:", "file:"].iter().any(|mark| member.starts_with(mark))
            };
            Value::set(members.iter().filter(|m| !nameless(m)).map(|m| clean(m)))
        }
    }
}

/// Why a value can be no value of this property.
fn unfit(property: &Property, value: &Value) -> Option<&'static str> {
    let text = value.to_string();
    let unknown = |text: &String| property.is_closed() && property.option_of_local(text).is_none();
    match (property.r#type, value) {
        (PropertyType::Select | PropertyType::Status, _) if unknown(&text) => {
            Some("the value is none of the configured options")
        }
        (PropertyType::MultiSelect, Value::Set(members)) if members.iter().any(unknown) => {
            Some("a member is none of the configured options")
        }
        (PropertyType::Date, _) => canonical::Date::parse(&text).err().map(|_| NO_DATE),
        (PropertyType::Number, _) if canonical::number(&text).is_none() => {
            Some("the value is not a number")
        }
        _ => None,
    }
}

const NO_DATE: &str = "the value is not a day (YYYY-MM-DD) or time";

/// Whether the edits do what they shall and nothing else.
fn is_faithful(
    kind: &Kind,
    id: &str,
    text: &str,
    before: &Document,
    edits: &[Edit],
    property: &Property,
    wanted: Option<&Value>,
) -> bool {
    let changed = apply_edits(text, edits);
    let after = parse(kind, id, "", &changed);
    let has = |document: &Document, name: &str| {
        document.values.get(name).map(|located| located.value.clone())
    };
    has(&after, &property.name).as_ref() == wanted
        && !after.unsynced.contains(&property.name)
        && kind.properties.iter().filter(|other| other.name != property.name).all(|other| {
            has(before, &other.name) == has(&after, &other.name)
                && before.unsynced.contains(&other.name) == after.unsynced.contains(&other.name)
        })
        && body_lines(text, &before.excluded) == body_lines(&changed, &after.excluded)
        && body_shape(kind, text, &before.excluded) == body_shape(kind, &changed, &after.excluded)
}

/// The lines of the body that are not blank.
fn body_lines<'t>(text: &'t str, excluded: &[Range<usize>]) -> Vec<&'t str> {
    let starts = std::iter::once(0).chain(excluded.iter().map(|out| out.end));
    let ends = excluded.iter().map(|out| out.start).chain(std::iter::once(text.len()));
    starts
        .zip(ends)
        .flat_map(|(start, end)| text[start..end].lines())
        .filter(|line| !line.trim().is_empty())
        .collect()
}

/// The blocks of the body: their kinds and texts.
fn body_shape(kind: &Kind, text: &str, excluded: &[Range<usize>]) -> Vec<String> {
    if kind.format == Format::Yaml {
        return Vec::new();
    }
    let outline = Outline::of(text);
    let body = outline
        .blocks
        .iter()
        .filter(|block| !excluded.iter().any(|out| out.contains(&block.at.start)));
    body.map(|block| text[block.at.clone()].trim_end().to_owned()).collect()
}

struct Writer<'a> {
    page: &'a Page<'a>,
    property: &'a Property,
    newline: &'static str,
}

impl Writer<'_> {
    /// Ways to write the value, the least change first.
    fn candidates(&self, spot: &Spot, wanted: Option<&Value>) -> Vec<Vec<Edit>> {
        let unticked = (self.property.r#type == PropertyType::Checkbox).then(|| "false".to_owned());
        let plain = match spot {
            Spot::Missing | Spot::EmptySection { .. } => wanted.map(ToString::to_string),
            _ => wanted.map(ToString::to_string).or(unticked),
        };
        match (spot, plain) {
            (Spot::FileName | Spot::Opaque { .. }, _) | (Spot::Missing, None) => Vec::new(),
            (Spot::Heading { block, content, title }, Some(plain)) => {
                self.heading(block, content, title, &plain)
            }
            (Spot::Heading { .. }, None) => Vec::new(),
            (Spot::Section { value, .. }, Some(plain)) => {
                let plain = self.in_manner_of(&self.page.text[value.clone()], &plain);
                let written = [plain.clone(), escape_start(&plain)];
                written.map(|new| vec![Edit { at: value.clone(), new }]).into()
            }
            (Spot::EmptySection { heading }, Some(plain)) => [plain.clone(), escape_start(&plain)]
                .map(|line| vec![self.paragraph(heading.end, &line)])
                .into(),
            (Spot::Section { .. } | Spot::EmptySection { .. }, None) => {
                vec![self.remove(&self.page.excluded(spot))]
            }
            (Spot::Key(key), _) if self.is_list() => vec![vec![self.list(key, &ids_of(wanted))]],
            (Spot::Key(key), plain) => vec![vec![self.key(key, plain.as_deref())]],
            (Spot::Sequence { key, sequence }, _) if sequence.is_bare() => {
                vec![vec![self.list(key, &ids_of(wanted))]]
            }
            (Spot::Sequence { sequence, .. }, _) => {
                self.sequence(sequence, &ids_of(wanted)).into_iter().collect()
            }
            (Spot::References { heading, items, placeholders }, _) => {
                let ids = ids_of(wanted);
                references::set(self.page.text, heading, items, placeholders, &ids, self.newline)
                    .into_iter()
                    .collect()
            }
            (Spot::Missing, Some(plain)) => self.missing(wanted, &plain),
        }
    }

    fn heading(
        &self,
        block: &Range<usize>,
        content: &Range<usize>,
        title: &Range<usize>,
        plain: &str,
    ) -> Vec<Vec<Edit>> {
        let new = escape_closing(plain);
        let line = super::outline::without_break(self.page.text, block.clone());
        let mut candidates = Vec::new();
        if !title.is_empty() {
            candidates.push(vec![Edit { at: title.clone(), new: new.clone() }]);
        } else if !content.is_empty() {
            let gap = if self.page.text[content.clone()].ends_with(char::is_whitespace) {
                ""
            } else {
                " "
            };
            candidates.push(vec![Edit { at: title.clone(), new: format!("{gap}{new}") }]);
        }
        candidates.push(vec![Edit { at: line, new: format!("# {}: {new}", self.page.id) }]);
        candidates
    }

    fn key(&self, key: &KeyLine, plain: Option<&str>) -> Edit {
        let text = self.page.text;
        let Some(plain) = plain else {
            return Edit { at: key.colon..key.value.end.max(key.colon), new: String::new() };
        };
        let old = &text[key.value.clone()];
        if key.value.is_empty() {
            return Edit {
                at: key.colon..key.colon,
                new: format!(" {}", self.scalar(plain, Style::Plain, "")),
            };
        }
        let plain = self.in_manner_of(&keys::decode(old).unwrap_or_default(), plain);
        Edit { at: key.value.clone(), new: self.scalar(&plain, keys::style_of(old), old) }
    }

    /// Whether more than one member is written as a sequence. Ids of artifacts are told apart by themselves.
    fn is_list(&self) -> bool {
        self.property.r#type.is_set() && self.property.r#type != PropertyType::Relation
    }

    /// Members in place of a scalar, those that it names already first and in their order.
    fn list(&self, key: &KeyLine, wanted: &BTreeSet<String>) -> Edit {
        let old = &self.page.text[key.value.clone()];
        let named = keys::decode(old).unwrap_or_default();
        let parts = meaning::parts(self.property, &named);
        let mut members: Vec<String> = Vec::new();
        let mut present = BTreeSet::new();
        for part in &parts {
            let means = meaning::of_member(self.property, part);
            if means.iter().any(|means| wanted.contains(means)) {
                members.push((*part).to_owned());
                present.extend(means);
            }
        }
        members.extend(wanted.iter().filter(|member| !present.contains(*member)).cloned());
        let at = if key.value.is_empty() { key.colon..key.colon } else { key.value.clone() };
        let new = match members.as_slice() {
            [] => return Edit { at: key.colon..key.value.end.max(key.colon), new: String::new() },
            [one] if !old.is_empty() => self.scalar(one, keys::style_of(old), old),
            many if parts.len() > 1 => self.scalar(&many.join(", "), keys::style_of(old), old),
            many => sequence::written(many),
        };
        let gap = if key.value.is_empty() { " " } else { "" };
        Edit { at, new: format!("{gap}{new}") }
    }

    fn sequence(&self, sequence: &Sequence, wanted: &BTreeSet<String>) -> Option<Vec<Edit>> {
        let meaning = |text: &str| meaning::of_member(self.property, text);
        sequence.set(self.page.text, wanted, meaning, self.newline)
    }

    /// A value in the manner of the one that it replaces, where several manners mean the same.
    fn in_manner_of(&self, old: &str, plain: &str) -> String {
        match self.property.r#type {
            PropertyType::Date => canonical::date_like(old, plain),
            PropertyType::Checkbox => canonical::checkbox_like(old, plain == "true"),
            _ => plain.to_owned(),
        }
    }

    /// A number, a date, and what follows a bare number or word, needs no quotes.
    fn scalar(&self, plain: &str, style: Style, old: &str) -> String {
        let bare_word = !old.is_empty()
            && style == Style::Plain
            && !matches!(serde_yaml::from_str(old), Ok(serde_yaml::Value::String(_)));
        match self.property.r#type {
            PropertyType::Number | PropertyType::Checkbox if style == Style::Plain => {
                plain.to_owned()
            }
            PropertyType::Date => keys::encode(plain, style, true),
            r#type if r#type.is_read_only() => keys::encode(plain, style, true),
            _ => keys::encode(plain, style, bare_word),
        }
    }

    /// Takes whole lines away, with the blank lines that would double those before.
    fn remove(&self, excluded: &[Range<usize>]) -> Vec<Edit> {
        let text = self.page.text;
        let mut edits: Vec<Edit> = Vec::new();
        for range in excluded {
            let before = edits.last().map_or(0, |edit| edit.at.end);
            let blank_before = range.start == before && before > 0
                || text[..range.start].trim_end_matches(['\n', '\r', ' ', '\t']).is_empty()
                || text[..range.start].ends_with("\n\n")
                || text[..range.start].ends_with("\n\r\n");
            let rest = &text[range.end..];
            let blank = rest.len() - rest.trim_start_matches(['\n', '\r']).len();
            let end = if blank_before { range.end + blank } else { range.end };
            edits.push(Edit { at: range.start..end, new: String::new() });
        }
        edits
    }

    /// Ways to write a property that stands nowhere yet.
    fn missing(&self, wanted: Option<&Value>, plain: &str) -> Vec<Vec<Edit>> {
        let (page, newline) = (self.page, self.newline);
        match &self.property.source {
            Source::Id => Vec::new(),
            Source::Heading => {
                let line = format!("# {}: {}", page.id, escape_closing(plain));
                let gap = page.outline.front.is_some();
                vec![vec![self.insert(page.outline.start, gap, &line)]]
            }
            Source::Key(name) if self.is_list() => {
                vec![vec![self.new_key(name, &sequence::written(&ids_of(wanted)))]]
            }
            Source::Key(name) => {
                vec![vec![self.new_key(name, &self.scalar(plain, Style::Plain, ""))]]
            }
            Source::Section(names) => {
                let Some(name) = names.first() else { return Vec::new() };
                let written = [plain.to_owned(), escape_start(plain)];
                written
                    .iter()
                    .flat_map(|line| {
                        self.new_section(&format!("## {name}{newline}{newline}{line}"))
                    })
                    .collect()
            }
            Source::References(name) => {
                let items: Vec<String> =
                    ids_of(wanted).iter().map(|id| format!("- {id}")).collect();
                self.new_section(&format!("## {name}{newline}{newline}{}", items.join(newline)))
            }
        }
    }

    /// A section behind the title and at the end of the file, the usual place first: lists and text, which
    /// would take what follows for their own, at the end.
    fn new_section(&self, section: &str) -> Vec<Vec<Edit>> {
        let page = self.page;
        let (at, gap) = match page.outline.h1() {
            Some((block, _)) => (block.at.end, true),
            None => (page.outline.start, page.outline.front.is_some()),
        };
        let end = page.text.trim_end_matches(['\n', '\r']).len();
        let end = page.text[end..].find('\n').map_or(page.text.len(), |newline| end + newline + 1);
        let mut places = vec![
            vec![self.insert(at, gap, section)],
            vec![self.insert(end.max(at), true, section)],
        ];
        if matches!(self.property.r#type, PropertyType::RichText | PropertyType::Relation) {
            places.reverse();
        }
        places
    }

    /// Lines put between blank lines.
    fn insert(&self, at: usize, gap: bool, what: &str) -> Edit {
        let (text, newline) = (self.page.text, self.newline);
        let mut new = String::new();
        if at > super::outline::bom(text) && !text[..at].ends_with('\n') {
            new.push_str(newline);
        }
        if gap {
            new.push_str(newline);
        }
        new.push_str(what);
        new.push_str(newline);
        if text[at..].lines().next().is_some_and(|line| !line.trim().is_empty()) {
            new.push_str(newline);
        }
        Edit { at: at..at, new }
    }

    fn paragraph(&self, at: usize, line: &str) -> Edit {
        self.insert(at, true, line)
    }

    fn new_key(&self, name: &str, value: &str) -> Edit {
        let (page, newline) = (self.page, self.newline);
        let name = keys::encode(name, Style::Plain, false);
        let entry = format!("{name}: {value}{newline}");
        if page.kind.format == Format::Yaml {
            let at = page.first_key();
            return Edit { at: at..at, new: entry };
        }
        match &page.outline.front {
            Some(_) => {
                let at = page.outline.front_inner.end;
                Edit { at: at..at, new: entry }
            }
            None => {
                let at = page.outline.start;
                let gap =
                    page.text[at..].lines().next().is_some_and(|line| !line.trim().is_empty());
                let gap = if gap { newline } else { "" };
                Edit { at: at..at, new: format!("---{newline}{entry}---{newline}{gap}") }
            }
        }
    }
}

fn ids_of(wanted: Option<&Value>) -> BTreeSet<String> {
    match wanted {
        Some(Value::Set(ids)) => ids.clone(),
        Some(Value::Text(id)) => std::iter::once(id.clone()).collect(),
        None => BTreeSet::new(),
    }
}

/// Keeps `#` at the end of a heading's text from being taken for its closing marks.
fn escape_closing(title: &str) -> String {
    match closing_marks(title) {
        Some(at) => format!("{}\\{}", &title[..at], &title[at..]),
        None => title.to_owned(),
    }
}

/// Keeps a line from being more than a line of text.
fn escape_start(line: &str) -> String {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = line.split_at(digits);
    format!("{number}\\{rest}")
}
