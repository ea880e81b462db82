//! The picture that rules look at: artifacts of both sides and how they name each other.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::document::Mention;
use agent_sync_core::kind::{Kind, Kinds, Property, PropertyType};
use agent_sync_core::model::{Finding, Key, Properties, Value};
use jiff::Timestamp;

use super::Fix;

/// Everything that rules know.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Kinds that take part.
    pub kinds: Kinds,
    /// Artifacts that could be looked at.
    pub nodes: BTreeMap<Key, Node>,
    /// Every artifact that is anywhere, those of other kinds and those that nothing is known of among them.
    pub known: BTreeSet<Key>,
    /// What the observation found.
    pub observed: Vec<Finding>,
    /// Answers to conflicts that are recorded.
    pub answers: Vec<Answer>,
    /// The backend's clock.
    pub now: Option<Timestamp>,
    /// Name of the backend for people.
    pub label: String,
}

/// What one side holds of an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Values; relations as ids of artifacts.
    pub values: Properties,
    /// Lines of the values, for a file.
    pub lines: BTreeMap<String, usize>,
    /// Properties that have a place in the file and no value there, with its line.
    pub blank: BTreeMap<String, usize>,
    /// Properties whose value cannot be taken as it is; there is a finding about each.
    pub unread: BTreeSet<String>,
}

/// An artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Identity.
    pub key: Key,
    /// Path of its file, or of the one that it had.
    pub path: Option<String>,
    /// Address of its page.
    pub url: Option<String>,
    /// What the file holds, where there is one.
    pub local: Option<Side>,
    /// What the page holds, where there is one.
    pub remote: Option<Side>,
    /// Whether it was synced before, with a file.
    pub synced: bool,
    /// Ids in its text: the file's, or the page's where there is no file.
    pub mentions: Vec<Mention>,
    /// Members of relations in the file that name no artifact, by property.
    pub strays: BTreeMap<String, BTreeSet<String>>,
    /// Rules that its file allows to be broken.
    pub allows: BTreeSet<String>,
    /// Last edit of the page.
    pub edited: Option<Timestamp>,
    /// Properties that both sides hold differently, by agreement.
    pub agreed_to_differ: BTreeSet<String>,
    /// Whether the page's body is another one than its time stamps say.
    pub hidden: bool,
}

/// An answer to a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The conflict.
    pub fingerprint: String,
    /// The artifact.
    pub key: Key,
    /// What it is about: a property's name, or `body`.
    pub stretch: String,
    /// Whether the conflict is still open.
    pub open: bool,
    /// Whether it says to leave the conflict open.
    pub skips: bool,
    /// When it was given.
    pub given: Option<Timestamp>,
}

impl Node {
    /// Nothing known.
    pub fn new(key: &Key) -> Self {
        Self {
            key: key.clone(),
            path: None,
            url: None,
            local: None,
            remote: None,
            synced: false,
            mentions: Vec::new(),
            strays: BTreeMap::new(),
            allows: BTreeSet::new(),
            edited: None,
            agreed_to_differ: BTreeSet::new(),
            hidden: false,
        }
    }

    /// Path of the file, if there is one.
    pub fn file(&self) -> Option<&str> {
        self.local.as_ref().and(self.path.as_deref())
    }

    /// The value of a property: the file's, else the page's, which the next sync brings.
    pub fn value(&self, property: &str) -> Option<&Value> {
        let sides = [&self.local, &self.remote].into_iter().flatten();
        sides.filter_map(|side| side.values.get(property)).next()
    }

    /// The ids that a relation names on either side.
    pub fn members(&self, relation: &str) -> BTreeSet<String> {
        let sides = [&self.local, &self.remote].into_iter().flatten();
        let sets = sides.filter_map(|side| match side.values.get(relation) {
            Some(Value::Set(ids)) => Some(ids.iter().cloned()),
            _ => None,
        });
        sets.flatten().collect()
    }

    /// Line of a property's value in the file.
    pub fn line(&self, property: &str) -> Option<usize> {
        self.local.as_ref().and_then(|side| side.lines.get(property)).copied()
    }
}

impl Graph {
    /// The picture as it is once this is repaired.
    pub fn apply(&mut self, fix: &Fix) {
        match fix {
            Fix::Link { key, property, id } => {
                let Some(node) = self.nodes.get_mut(key) else { return };
                let members = node.members(property).into_iter().chain([id.clone()]);
                let value = Value::set(members);
                for side in [&mut node.local, &mut node.remote].into_iter().flatten() {
                    side.values.extend(value.clone().map(|value| (property.clone(), value)));
                }
            }
            Fix::Record { key } => {
                if let Some(node) = self.nodes.get_mut(key) {
                    node.hidden = false;
                }
            }
        }
    }

    /// The artifacts that have this id, whatever their kind.
    pub fn named(&self, id: &str) -> Vec<&Key> {
        self.known.iter().filter(|key| key.id == id).collect()
    }

    /// An artifact's kind and itself.
    pub fn of_kind(&self, node: &Node) -> Option<&Kind> {
        self.kinds.get(&node.key.kind)
    }

    /// The state that an artifact is in, as it is written on the side that counts, and whether its life is over.
    pub fn state(&self, node: &Node) -> Option<State> {
        let property = life_cycle(self.of_kind(node)?)?;
        let text = node.value(&property.name)?.to_string();
        Some(State { property: property.name.clone(), text })
    }

    /// Days since a time, by the backend's clock.
    pub fn days_since(&self, time: Timestamp) -> Option<i64> {
        Some((self.now?.as_second() - time.as_second()) / (24 * 60 * 60))
    }
}

/// Where an artifact is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The property that says it.
    pub property: String,
    /// As it is written.
    pub text: String,
}

impl State {
    /// In capitals, with `_` between words: `In progress` is `IN_PROGRESS`.
    fn name(&self) -> String {
        let words = self.text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("_").to_uppercase()
    }

    /// Whether people should be working on it.
    pub fn is_in_progress(&self) -> bool {
        matches!(self.name().as_str(), "IN_PROGRESS" | "REVIEW" | "IN_REVIEW" | "DOING")
    }

    /// Whether something else took its place.
    pub fn is_superseded(&self) -> bool {
        self.name() == "SUPERSEDED"
    }

    /// Whether it does not count any more.
    pub fn is_over(&self) -> bool {
        matches!(
            self.name().as_str(),
            "SUPERSEDED" | "DEPRECATED" | "RETIRED" | "REJECTED" | "CANCELLED" | "CANCELED"
        )
    }

    /// Whether it waits for being decided.
    pub fn is_undecided(&self) -> bool {
        matches!(self.name().as_str(), "DRAFT" | "PROPOSED")
    }

    /// Whether it is at work: neither over nor done.
    pub fn is_active(&self) -> bool {
        !self.is_over()
            && !matches!(self.name().as_str(), "DONE" | "COMPLETED" | "COMMITTED" | "IMPLEMENTED")
    }
}

/// The property that says where an artifact is in its life.
pub(super) fn life_cycle(kind: &Kind) -> Option<&Property> {
    let named = |property: &&Property| {
        property.r#type.has_options()
            && !property.r#type.is_set()
            && matches!(property.name.to_lowercase().as_str(), "status" | "state")
    };
    let status = |property: &&Property| property.r#type == PropertyType::Status;
    kind.properties.iter().find(named).or_else(|| kind.properties.iter().find(status))
}

/// The relations of a kind with the kinds that they lead to.
pub(super) fn relations(kind: &Kind) -> impl Iterator<Item = (&Property, &str)> {
    let relations = kind.properties.iter().filter(|one| one.r#type == PropertyType::Relation);
    relations.map(|one| (one, one.target.as_deref().unwrap_or(&kind.name)))
}

/// What stands before the number of an id: `INFRA` of `INFRA-054`.
pub(super) fn scope(id: &str) -> Option<&str> {
    id.rsplit_once('-').map(|(scope, _)| scope)
}
