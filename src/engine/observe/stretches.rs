//! What both sides hold of each stretch.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::document;
use agent_sync_core::kind::{Kind, PropertyType};
use agent_sync_core::markdown::{self, Local};
use agent_sync_core::model::{Key, Properties, Severity, Stretch, Value};
use agent_sync_core::plan::{Content, Observed, RemotePresence};

use super::compare::body_content;
use super::{Artifact, World, finding};
use crate::backend::RemotePage;
use crate::engine::book::{Record, text_id};

/// Properties that are stretches: all but the id, which is the identity itself.
pub(in crate::engine) fn synced_properties(
    kind: &Kind,
) -> impl Iterator<Item = &agent_sync_core::kind::Property> {
    kind.properties.iter().filter(|property| property.source != agent_sync_core::kind::Source::Id)
}

pub(super) enum Remote {
    Value(Option<Value>),
    /// A select value outside the list: left alone on both sides.
    Unknown,
}

pub(super) fn remote_value(
    kind: &Kind,
    property: &agent_sync_core::kind::Property,
    page: &RemotePage,
    world: &World,
    foreign: &mut BTreeMap<String, BTreeSet<String>>,
) -> Remote {
    let value = page.properties.get(&property.name).cloned();
    match (property.r#type, value) {
        (PropertyType::Relation, Some(Value::Set(pages))) => {
            let target = property.target.as_deref().unwrap_or(&kind.name);
            let mut ids = BTreeSet::new();
            for page in pages {
                match world.key_of.get(&page).filter(|key| key.kind == target) {
                    Some(key) => {
                        ids.insert(key.id.clone());
                    }
                    None => {
                        foreign.entry(property.name.clone()).or_default().insert(page);
                    }
                }
            }
            Remote::Value(Value::set(ids))
        }
        (PropertyType::Select, Some(Value::Text(text)))
            if !property.options.is_empty()
                && !property.allow_new_options
                && property.option_of_local(&text).is_none() =>
        {
            Remote::Unknown
        }
        (_, value) => Remote::Value(value),
    }
}

/// Splits a file's relation into members that are or will be pages, and those that are not. Other values pass.
fn linked(
    world: &World,
    kind: &Kind,
    property: &agent_sync_core::kind::Property,
    value: Option<Value>,
) -> (Option<Value>, BTreeSet<String>) {
    let (PropertyType::Relation, Some(Value::Set(ids))) = (property.r#type, &value) else {
        return (value, BTreeSet::new());
    };
    let target = property.target.as_deref().unwrap_or(&kind.name);
    let (linked, alone): (BTreeSet<String>, BTreeSet<String>) =
        ids.iter().cloned().partition(|id| {
            let key = Key::new(target, id.clone());
            world.page_of.contains_key(&key)
                || (world.scan.files.contains_key(&key) && world.places.contains_key(target))
        });
    (Value::set(linked), alone)
}

/// What a version of a file holds, by stretch.
pub(in crate::engine) fn local_contents(
    world: &World,
    kind: &Kind,
    key: &Key,
    path: &str,
    text: &str,
) -> BTreeMap<Stretch, Option<Content>> {
    let document = document::parse(kind, &key.id, path, text);
    let mut contents = BTreeMap::new();
    for property in synced_properties(kind) {
        if document.unsynced.contains(&property.name) {
            continue;
        }
        let value = document.values.get(&property.name).map(|located| located.value.clone());
        let (value, _) = linked(world, kind, property, value);
        contents.insert(Stretch::Property(property.name.clone()), value.map(Content::Value));
    }
    let local = Local { text, excluded: &document.excluded, format: kind.format };
    let digest = markdown::local_digest(&local);
    let empty = digest == markdown::empty_digest();
    contents.insert(Stretch::Body, body_content(&digest, &text_id(text.as_bytes()), empty));
    contents
}

/// Puts both sides of every stretch beside what is known.
pub(super) fn stretches(
    world: &mut World,
    kind: &Kind,
    artifact: &mut Artifact,
    record: Option<&Record>,
) {
    let dialect_empty = markdown::empty_digest();
    let observed = |stretch: &Stretch, local: Option<Content>, remote: Option<Content>| Observed {
        base: record.and_then(|record| record.base(stretch)).cloned(),
        proposed: record.map(|record| record.proposals(stretch).to_vec()).unwrap_or_default(),
        local,
        remote,
    };
    let mut foreign = BTreeMap::new();
    let unlisted: Properties = match (&artifact.page, record) {
        (None, Some(record)) if artifact.presence == RemotePresence::Present => {
            crate::engine::book::remote_properties(record)
        }
        _ => Properties::new(),
    };
    for property in synced_properties(kind) {
        let stretch = Stretch::Property(property.name.clone());
        if artifact
            .file
            .as_ref()
            .is_some_and(|file| file.document.unsynced.contains(&property.name))
        {
            continue;
        }
        let value = artifact
            .file
            .as_ref()
            .and_then(|file| file.document.values.get(&property.name))
            .map(|located| located.value.clone());
        let (local, alone) = linked(world, kind, property, value);
        if !alone.is_empty() {
            artifact.local_only.insert(property.name.clone(), alone);
        }
        let remote = match &artifact.page {
            Some(page) if artifact.presence == RemotePresence::Present => {
                match remote_value(kind, property, page, world, &mut foreign) {
                    Remote::Value(value) => value,
                    Remote::Unknown => {
                        let text = page.properties.get(&property.name).map(Value::to_string);
                        world.findings.push(finding(
                            "unknown-option",
                            Severity::Warning,
                            Some(&artifact.key),
                            artifact.path.as_deref(),
                            Some(&page.url),
                            format!(
                                "{} of the page of {} is {:?}, which is not in the configured list; it is left alone.",
                                property.name,
                                artifact.key,
                                text.unwrap_or_default()
                            ),
                            "Choose one of the configured options, or add this one to the configuration.",
                        ));
                        continue;
                    }
                }
            }
            _ => unlisted.get(&property.name).cloned(),
        };
        let seen = observed(&stretch, local.map(Content::Value), remote.map(Content::Value));
        artifact.stretches.insert(stretch, seen);
    }
    artifact.remote_only = foreign;
    let local = artifact.file.as_ref().and_then(|file| {
        let digest = markdown::local_digest(&file.body(kind));
        let empty = digest == dialect_empty;
        body_content(&digest, &text_id(file.text.as_bytes()), empty)
    });
    let remote = artifact
        .body
        .as_ref()
        .and_then(|body| body_content(&body.digest, &body.id, body.digest == dialect_empty));
    artifact.stretches.insert(Stretch::Body, observed(&Stretch::Body, local, remote));
}
