//! What both sides hold of each stretch.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::{Kind, Property, PropertyType, same_option};
use agent_sync_core::markdown;
use agent_sync_core::model::{Finding, Key, Properties, Severity, Side, Stretch, Value};
use agent_sync_core::plan::{Content, Observed, Pair, RemotePresence};

use super::compare::body_content;
use super::{Artifact, World, finding};
use crate::backend::RemotePage;
use crate::engine::book::Record;
use crate::engine::file::LocalFile;

/// Properties that are stretches: all but the id, which is the identity itself.
pub(in crate::engine) fn synced_properties(kind: &Kind) -> impl Iterator<Item = &Property> {
    kind.properties.iter().filter(|property| property.source != agent_sync_core::kind::Source::Id)
}

pub(super) enum Remote {
    Value(Option<Value>),
    /// An option outside the list: left alone on both sides.
    Unknown,
    /// People whose addresses the token may not read: left alone on both sides, since a page that names people
    /// must not look like one that names nobody.
    Unnamed,
    /// What the backend says of our own last write, which is nobody's news.
    Ours,
}

pub(super) fn remote_value(
    kind: &Kind,
    property: &Property,
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
        (PropertyType::People, Some(Value::Set(people))) => {
            let (unnamed, named): (BTreeSet<String>, BTreeSet<String>) =
                people.into_iter().partition(|person| nameless(person));
            if named.is_empty() && unnamed.iter().any(|person| person.starts_with("user:")) {
                return Remote::Unnamed;
            }
            keep(foreign, property, unnamed);
            Remote::Value(Value::set(named))
        }
        (PropertyType::Files, Some(Value::Set(files))) => {
            let (uploaded, linked): (BTreeSet<String>, BTreeSet<String>) =
                files.into_iter().partition(|file| file.starts_with("file:"));
            keep(foreign, property, uploaded);
            Remote::Value(Value::set(linked))
        }
        (PropertyType::LastEditedTime | PropertyType::LastEditedBy, _)
            if page.edited_by.as_deref() == Some(world.identity.id.as_str()) =>
        {
            Remote::Ours
        }
        // What it cannot hold it says nothing about.
        (r#type, None) if r#type.is_read_only() && !world.computes => Remote::Ours,
        (r#type, Some(value)) if r#type.has_options() && property.is_closed() => {
            let known = match &value {
                Value::Text(text) => property.option_of_local(text).is_some(),
                Value::Set(members) => {
                    members.iter().all(|member| property.option_of_local(member).is_some())
                }
            };
            if known { Remote::Value(Some(value)) } else { Remote::Unknown }
        }
        (_, value) => Remote::Value(value),
    }
}

/// Whether a user of a page has no address that a file could name them by.
pub(in crate::engine) fn nameless(person: &str) -> bool {
    person.starts_with("user:") || person.starts_with("other:")
}

/// Members that a file cannot hold; they stay on the page.
fn keep(
    foreign: &mut BTreeMap<String, BTreeSet<String>>,
    property: &Property,
    members: BTreeSet<String>,
) {
    if !members.is_empty() {
        foreign.entry(property.name.clone()).or_default().extend(members);
    }
}

/// A value in the spelling of another one, where its options differ from that in case only: no option of Notion
/// differs from another so.
fn spelled_like(
    property: &Property,
    value: Option<Value>,
    like: Option<&Content>,
) -> Option<Value> {
    if !property.r#type.has_options() {
        return value;
    }
    match (value, like) {
        (Some(Value::Text(text)), Some(Content::Value(Value::Text(like))))
            if same_option(&text, like) =>
        {
            Some(Value::Text(like.clone()))
        }
        (Some(Value::Set(members)), Some(Content::Value(Value::Set(like)))) => {
            Value::set(members.into_iter().map(|member| {
                like.iter().find(|like| same_option(&member, like)).cloned().unwrap_or(member)
            }))
        }
        (value, _) => value,
    }
}

/// What only the backend sets is never pushed and never counts as a change of the file: where the sides differ,
/// the file is as agreed and the backend moved on.
fn pulled_only(artifact: &Artifact, seen: Observed) -> Observed {
    let now = Pair::new(seen.local.clone(), seen.remote.clone());
    if Pair::new(now.local.clone(), now.local.clone()).same(&now) {
        return seen;
    }
    let both = artifact.file.is_some() && artifact.presence == RemotePresence::Present;
    let remote = if both { now.local.clone() } else { now.remote.clone() };
    Observed { base: Some(Pair::new(now.local, remote)), proposed: Vec::new(), ..seen }
}

/// Whether somebody changed in the file what only the backend sets.
fn is_overwritten(seen: &Observed, remote: Option<&Value>) -> bool {
    let pairs = seen.base.iter().chain(&seen.proposed);
    seen.local.is_some()
        && remote.cloned().map(Content::Value) != seen.local
        && !pairs.into_iter().any(|pair| pair.holds(Side::Local, seen.local.as_ref()))
}

/// Splits a file's relation into members that are or will be pages, and those that are not. Other values pass.
fn linked(
    world: &World,
    kind: &Kind,
    property: &Property,
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
    path: &str,
    file: &LocalFile,
) -> BTreeMap<Stretch, Option<Content>> {
    let document = &file.document;
    let mut contents = BTreeMap::new();
    for property in synced_properties(kind) {
        if document.unsynced.contains(&property.name) {
            continue;
        }
        let value = document.values.get(&property.name).map(|located| located.value.clone());
        let (value, _) = linked(world, kind, property, value);
        contents.insert(Stretch::Property(property.name.clone()), value.map(Content::Value));
    }
    contents.insert(Stretch::Body, file.content(&world.links(path)));
    contents
}

fn value_of(content: Option<&Content>) -> Option<Value> {
    match content {
        Some(Content::Value(value)) => Some(value.clone()),
        _ => None,
    }
}

/// Why a page's value is not taken.
fn not_taken(property: &Property, artifact: &Artifact, page: &RemotePage, why: &Remote) -> Finding {
    let (name, key) = (&property.name, &artifact.key);
    let (rule, message, fix) = match why {
        Remote::Unnamed => (
            "people-unreadable",
            format!(
                "{name} of the page of {key} names people whose email addresses the connection cannot read; it is \
                 left alone."
            ),
            "Give the connection the capability \"Read user information including email addresses\" in its settings.",
        ),
        _ => (
            "unknown-option",
            format!(
                "{name} of the page of {key} is {:?}, which is not in the configured list; it is left alone.",
                page.properties.get(name).map(Value::to_string).unwrap_or_default()
            ),
            "Choose one of the configured options, or add this one to the configuration.",
        ),
    };
    finding(
        rule,
        Severity::Warning,
        Some(key),
        artifact.path.as_deref(),
        Some(&page.url),
        message,
        fix,
    )
}

/// Somebody wrote what only the backend sets.
fn computed(property: &Property, artifact: &Artifact) -> Finding {
    let file = artifact.file.as_ref();
    let line = file.and_then(|file| file.document.values.get(&property.name)).map(|at| at.line);
    let found = finding(
        "read-only-property",
        Severity::Warning,
        Some(&artifact.key),
        artifact.path.as_deref(),
        artifact.page.as_ref().map(|page| page.url.as_str()),
        format!(
            "{} of {} comes from the backend and was changed in the file; it is not sent, and the next pull sets it \
             back.",
            property.name, artifact.key
        ),
        "Change it back, or change what it is computed from.",
    );
    Finding { line, ..found }
}

/// Puts both sides of every stretch beside what is known.
pub(super) fn stretches(
    world: &mut World,
    kind: &Kind,
    artifact: &mut Artifact,
    record: Option<&Record>,
) {
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
                    Remote::Ours => match record.and_then(|record| record.base(&stretch)) {
                        Some(base) => value_of(base.remote.as_ref()),
                        None => local.clone(),
                    },
                    left_alone => {
                        world.findings.push(not_taken(property, artifact, page, &left_alone));
                        continue;
                    }
                }
            }
            _ => unlisted.get(&property.name).cloned(),
        };
        let base = record.and_then(|record| record.base(&stretch));
        let local = spelled_like(property, local, base.and_then(|base| base.local.as_ref()));
        let remote = spelled_like(property, remote, local.clone().map(Content::Value).as_ref());
        let remote = spelled_like(property, remote, base.and_then(|base| base.remote.as_ref()));
        let mut seen =
            observed(&stretch, local.map(Content::Value), remote.clone().map(Content::Value));
        if property.r#type.is_read_only() {
            if artifact.presence == RemotePresence::Present
                && is_overwritten(&seen, remote.as_ref())
            {
                world.findings.push(computed(property, artifact));
            }
            seen = pulled_only(artifact, seen);
        }
        artifact.stretches.insert(stretch, seen);
    }
    artifact.remote_only = foreign;
    let local = artifact.file.as_ref().and_then(|file| {
        // As if the pages were made already that this run makes: then these links are to be sent, too.
        let links = world.links(artifact.path.as_deref().unwrap_or_default()).planned();
        file.content(&links)
    });
    let remote = artifact.body.as_ref().and_then(|body| {
        body_content(&body.digest, &body.id, body.digest == markdown::empty_digest())
    });
    artifact.stretches.insert(Stretch::Body, observed(&Stretch::Body, local, remote));
}
