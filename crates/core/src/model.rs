//! The words of the design as types: keys, property values, stretches.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Identity of an artifact. Two kinds may share an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Name of the configured kind, e.g. `story`.
    pub kind: String,
    /// Id inside the kind, e.g. `INFRA-054`.
    pub id: String,
}

impl Key {
    /// A key from its two parts.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// An artifact as named by a person: `story/INFRA-054`, or `INFRA-054` for all kinds that have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// The kind, where one was given.
    pub kind: Option<String>,
    /// The id.
    pub id: String,
}

impl Selector {
    /// Whether the selector names this artifact.
    pub fn matches(&self, key: &Key) -> bool {
        self.id == key.id && self.kind.as_ref().is_none_or(|kind| *kind == key.kind)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{kind}/{}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

impl FromStr for Selector {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('/') {
            Some((kind, id)) => Self { kind: Some(kind.to_owned()), id: id.to_owned() },
            None => Self { kind: None, id: text.to_owned() },
        })
    }
}

/// A property's value in canonical form. An unset property has no value at all (rule 5), so there is no
/// empty text and no empty set here; use [`Value::text`] and [`Value::set`], which give `None` for those.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Title, rich text, select, status, date (`2026-11-22`), number, URL, …
    Text(String),
    /// Multi-select (option names), relation (artifact ids, or `page:<id>` for a page that is no artifact),
    /// people.
    Set(BTreeSet<String>),
}

impl Value {
    /// Canonical text: trimmed, inner white space runs made one space; `None` if nothing is left.
    pub fn text(text: &str) -> Option<Self> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(Self::Text(text))
    }

    /// A set without empty members; `None` if it has none.
    pub fn set<S: Into<String>>(members: impl IntoIterator<Item = S>) -> Option<Self> {
        let members: BTreeSet<String> =
            members.into_iter().map(Into::into).filter(|m: &String| !m.is_empty()).collect();
        (!members.is_empty()).then_some(Self::Set(members))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Set(members) => {
                for (n, member) in members.iter().enumerate() {
                    if n > 0 {
                        f.write_str(", ")?;
                    }
                    f.write_str(member)?;
                }
                Ok(())
            }
        }
    }
}

/// Property values by the name that the configuration gives the property (never the backend's own name).
pub type Properties = BTreeMap<String, Value>;

/// What has a base of its own: a property or the body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// A property, by its configured name.
    Property(String),
    /// The body.
    Body,
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Property(name) => f.write_str(name),
            Self::Body => f.write_str("body"),
        }
    }
}

/// A side of the sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The repository.
    Local,
    /// The backend.
    Remote,
}

impl Side {
    /// The opposite side.
    pub fn other(self) -> Self {
        match self {
            Self::Local => Self::Remote,
            Self::Remote => Self::Local,
        }
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Something does not sync, or is likely wrong.
    Warning,
    /// Something is wrong.
    Error,
}

/// Something that a person should look at and that stops nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Stable name of the rule, kebab-case, e.g. `duplicate-id`.
    pub rule: String,
    /// How much it matters.
    pub severity: Severity,
    /// The artifact, where there is one; `kind` and `id` in JSON.
    #[serde(flatten)]
    pub key: Option<Key>,
    /// Path relative to the repository, with `/`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// Line in that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<usize>,
    /// URL of the page, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// What is wrong: one sentence with a period.
    pub message: String,
    /// What to do: one sentence with a period.
    pub fix: String,
    /// What of the artifact it is about, where the message says more than that or may say it otherwise tomorrow.
    #[serde(skip)]
    pub about: Option<String>,
}

impl Finding {
    /// The same as long as the same rule finds the same thing at the same artifact, wherever in its file; 16 hex
    /// digits.
    pub fn fingerprint(&self) -> String {
        let place = match &self.key {
            Some(key) => key.to_string(),
            None => self.path.clone().or_else(|| self.url.clone()).unwrap_or_default(),
        };
        let mut hash = Sha256::new();
        for text in [&self.rule, &place, self.about.as_ref().unwrap_or(&self.message)] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_about_what_was_found_and_not_where() {
        let one = Finding {
            rule: "unlinked-mention".to_owned(),
            severity: Severity::Notice,
            key: Some(Key::new("story", "A-1")),
            path: Some("a.md".to_owned()),
            line: Some(1),
            url: None,
            message: "The text names A-2.".to_owned(),
            fix: String::new(),
            about: Some("A-2".to_owned()),
        };
        let moved = Finding {
            severity: Severity::Error,
            path: Some("b.md".to_owned()),
            line: Some(7),
            message: "The text mentions A-2.".to_owned(),
            ..one.clone()
        };
        assert_eq!(one.fingerprint(), moved.fingerprint());
        let others = [
            Finding { rule: "x".to_owned(), ..one.clone() },
            Finding { key: Some(Key::new("plan", "A-1")), ..one.clone() },
            Finding { about: Some("A-3".to_owned()), ..one.clone() },
            Finding { key: None, ..one.clone() },
        ];
        assert!(others.iter().all(|other| other.fingerprint() != one.fingerprint()));
    }
}
