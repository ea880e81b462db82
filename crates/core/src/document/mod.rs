//! A file as properties and body: where each property stands in the text, and the least edit that changes one.
//!
//! How values are written:
//!
//! - **Title**: the first H1 behind `{id}:`, `{id} -` or `{id} `, as raw Markdown source. An H1 that names
//!   another id is a title as a whole (and a finding). Without an H1 the words of the file name are the title;
//!   setting another one then inserts `# {id}: {title}`.
//! - **Section**: for a scalar the first line of the first paragraph under the heading, emphasis and a
//!   comment behind it aside. For rich text the paragraph, if the section is just one paragraph; otherwise the
//!   section stays in the body and the property is left alone. A backslash that keeps a line from becoming a
//!   heading, a list and so on is not part of the value.
//! - **Key**: a scalar on one line of the front matter or of a YAML artifact. A set may also be a sequence, block
//!   or flow; its members change one by one. A new set is a flow sequence.
//! - **References**: ids in the list under the heading, one an item, or several separated by commas where each
//!   part begins with an id.
//!
//! Values of types with several spellings (numbers, dates, boxes, options, addresses) are read in canonical form,
//! and a spelling stays until the value changes.
//!
//! Members `page:…` of a relation are pages that are no artifacts, `user:…` and `other:…` are people without an
//! address, `file:…` uploaded files; a file cannot hold them and they are passed over when a set is written.

mod keys;
mod meaning;
mod mentions;
mod outline;
mod read;
mod references;
mod sequence;
mod set;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::kind::{Format, Kind, Property, PropertyType, Source};
use crate::markdown::apply_edits;
use crate::model::{Finding, Properties, Value};

pub use mentions::{Allowed, Mention, Role, allowed, mentions};
pub use set::set;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The value in canonical form.
    pub value: Value,
    /// Line of the value, from 1.
    pub line: usize,
}

/// A file read as properties and body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The title: from the heading (or the title's key), else from the file name.
    pub title: Option<String>,
    /// Property values by configured name. An unset property is absent.
    pub values: BTreeMap<String, Located>,
    /// Properties that are left alone on both sides, because the file's value cannot be taken as it is.
    pub unsynced: BTreeSet<String>,
    /// Properties for which the file has a place and no value, with the line of that place; the title, where the file
    /// has none of its own.
    pub blank: BTreeMap<String, usize>,
    /// Byte ranges that are not body: sorted, disjoint, whole lines. Lines before and after such a range are not
    /// neighbours: a reader of the body treats a range as a blank line.
    pub excluded: Vec<Range<usize>>,
    /// What a person should look at; path and key are filled.
    pub findings: Vec<Finding>,
}

impl Document {
    /// The values without their lines.
    pub fn properties(&self) -> Properties {
        self.values.iter().map(|(name, located)| (name.clone(), located.value.clone())).collect()
    }
}

/// Why a property of a file cannot be set. The file is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{property} cannot be written into the file: {reason}")]
pub struct CannotSet {
    /// Configured name of the property.
    pub property: String,
    /// Why; no period.
    pub reason: String,
    /// Line of the obstacle, where there is one.
    pub line: Option<usize>,
}

/// The key of the front matter, or of a YAML artifact, by which a file names its page. A person writes it; it stays
/// in the file and is no part of the body.
pub const PAGE_KEY: &str = "notion_id";

/// What a file says which page is its own: an id or an address, as it is written there. Nothing where a property of
/// the kind lives under that key.
pub fn page_named(kind: &Kind, text: &str) -> Option<String> {
    // Nearly every file names none, and every file is asked.
    if !text.contains(PAGE_KEY)
        || kind
            .properties
            .iter()
            .any(|property| property.source == Source::Key(PAGE_KEY.to_owned()))
    {
        return None;
    }
    read::page_named(kind, text)
}

/// Reads a file. `path` serves the findings and, where the text has no title, the title.
pub fn parse(kind: &Kind, id: &str, path: &str, text: &str) -> Document {
    read::document(kind, id, path, text)
}

/// The text of a new file: front matter, `# {id}: {title}`, sections, body, then sections of text and lists of
/// references. For a YAML artifact `body` is YAML without the mapped keys. What a file cannot hold (see
/// [`CannotSet`]) is left out; reading the file again tells.
pub fn new_file(kind: &Kind, id: &str, properties: &Properties, body: &str) -> String {
    let body = body.trim_matches(['\n', '\r']);
    let written = |text: &str, name: &str| {
        let edits =
            properties.get(name).and_then(|value| set(kind, id, text, name, Some(value)).ok());
        edits.map(|edits| apply_edits(text, &edits))
    };
    if kind.format == Format::Yaml {
        let mut text = if body.is_empty() { String::new() } else { format!("{body}\n") };
        for property in kind.properties.iter().rev() {
            text = written(&text, &property.name).unwrap_or(text);
        }
        return text;
    }
    let mut head = format!("# {id}: {id}\n");
    let at_end = |source: &Source, r#type| match source {
        Source::References(_) => true,
        Source::Section(_) => r#type == PropertyType::RichText,
        _ => false,
    };
    // A section goes right behind the title, a key behind the other keys.
    let is_key = |property: &&Property| matches!(property.source, Source::Key(_));
    let (keys, others): (Vec<_>, Vec<_>) = kind.properties.iter().partition(is_key);
    for property in others.into_iter().rev().chain(keys) {
        if !at_end(&property.source, property.r#type) {
            head = written(&head, &property.name).unwrap_or(head);
        }
    }
    let with_tail = |text: String| {
        kind.properties
            .iter()
            .filter(|property| at_end(&property.source, property.r#type))
            .fold(text, |text, property| written(&text, &property.name).unwrap_or(text))
    };
    let bodiless = with_tail(head.clone());
    if body.is_empty() {
        return bodiless;
    }
    // A body may hold a heading of the same name, which would be taken for the tail's, or a code block without
    // an end: then the tail goes first, and if the body would run into it, the tail is left out.
    let held = parse(kind, id, "", &bodiless).properties();
    [with_tail(format!("{head}\n{body}\n")), format!("{bodiless}\n{body}\n")]
        .into_iter()
        .find(|text| text.contains(body) && parse(kind, id, "", text).properties() == held)
        .unwrap_or_else(|| format!("{head}\n{body}\n"))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod value_tests;
