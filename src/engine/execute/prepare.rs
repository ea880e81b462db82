//! From tasks to requests: values, hunks, order of pages that name each other.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::{Kind, PropertyType};
use agent_sync_core::model::{Key, Properties, Side, Stretch, Value};
use agent_sync_core::plan::Content;

use super::body::body_job;
use super::{Executed, Hands, trouble};
use crate::engine::RunError;
use crate::engine::book::Replaced;
use crate::engine::observe::{Artifact, World};
use crate::engine::remote::{BodyWrite, Job, Verb};
use crate::engine::work::{Action, Task};

/// Relations as page ids; members without a page yet are named in the second part.
pub(super) fn relations(
    world: &World,
    kind: &Kind,
    artifact: &Artifact,
    name: &str,
    value: Option<Value>,
) -> (Option<Value>, bool) {
    let foreign = artifact.remote_only.get(name).cloned().unwrap_or_default();
    let relation = kind.property(name).filter(|property| property.r#type == PropertyType::Relation);
    let Some(property) = relation else { return (with(value, foreign), false) };
    let target = property.target.as_deref().unwrap_or(&kind.name);
    let mut open = false;
    let mut pages = foreign;
    if let Some(Value::Set(ids)) = value {
        for id in ids {
            match world.page_of.get(&Key::new(target, id)) {
                Some(page) => {
                    pages.insert(page.clone());
                }
                None => open = true,
            }
        }
    }
    (Value::set(pages), open)
}

/// A set with the members of the page that no file can hold.
fn with(value: Option<Value>, foreign: BTreeSet<String>) -> Option<Value> {
    match value {
        Some(Value::Set(members)) => Value::set(members.into_iter().chain(foreign)),
        None => Value::set(foreign),
        value => value,
    }
}

/// Waves in which links are waited for; a longer chain costs less as second writes.
const LINK_WAVES: usize = 6;

/// Makes the request-ready form of a task.
pub(super) async fn prepare(
    hands: &mut Hands<'_>,
    key: &Key,
    task: &Task,
    executed: &mut Executed,
) -> Result<Option<Job>, RunError> {
    let Some(artifact) = hands.world.artifacts.get(key) else { return Ok(None) };
    let Some(kind) = hands.world.kinds.get(&key.kind) else { return Ok(None) };
    let verb = match task.remote {
        Action::None => return Ok(None),
        Action::Create => Verb::Create,
        Action::Edit => Verb::Edit,
        Action::Revive => Verb::Revive,
        Action::Delete => Verb::Trash,
    };
    let mut job = Job {
        key: key.clone(),
        verb,
        page: artifact.page.as_ref().map(|page| page.page.clone()).or_else(|| {
            hands.book.record(hands.backend.name(), key).map(|record| record.page.clone())
        }),
        expected: Properties::new(),
        values: BTreeMap::new(),
        local_values: BTreeMap::new(),
        late: BTreeSet::new(),
        body: None,
        digest: artifact.body.as_ref().map(|body| body.digest.clone()),
    };
    let pushed: Vec<Stretch> = match verb {
        Verb::Create => artifact.stretches.keys().cloned().collect(),
        Verb::Edit => task.push.keys().cloned().collect(),
        Verb::Revive | Verb::Trash => Vec::new(),
    };
    let observed = artifact.page.as_ref().map(|page| page.properties.clone()).unwrap_or_default();
    for stretch in &pushed {
        let Stretch::Property(name) = stretch else { continue };
        if kind.property(name).is_some_and(|property| property.r#type.is_read_only()) {
            continue;
        }
        let local = artifact
            .joined(stretch)
            .unwrap_or_else(|| artifact.stretches.get(stretch).and_then(|seen| seen.local.clone()));
        let value = match &local {
            Some(Content::Value(value)) => Some(value.clone()),
            _ => None,
        };
        let (value, _) = relations(hands.world, kind, artifact, name, value);
        if let Some(there) = observed.get(name) {
            job.expected.insert(name.clone(), there.clone());
        }
        job.values.insert(name.clone(), value);
        job.local_values.insert(name.clone(), local);
    }
    if verb == Verb::Trash {
        job.expected = observed
            .into_iter()
            .filter(|(name, _)| {
                kind.property(name).is_some_and(|property| {
                    property.r#type != PropertyType::Relation
                        && !property.r#type.is_read_only()
                        && property.source != agent_sync_core::kind::Source::Id
                })
            })
            .collect();
    }
    if pushed.contains(&Stretch::Body) {
        let Some(file) = &artifact.file else { return Ok(None) };
        match body_job(hands, kind, artifact, task, verb, file).await? {
            Ok(body) => job.body = Some(body),
            Err(reason) => {
                executed.findings.push(trouble(key, Some(artifact), format!("{reason}.")));
            }
        }
    }
    if job.verb == Verb::Edit && job.body.is_none() && job.values.is_empty() {
        return Ok(None);
    }
    keep_replaced(hands, key, task, &job)?;
    Ok(Some(job))
}

/// Rule 10: what is about to be replaced on the page goes to the state first.
fn keep_replaced(hands: &mut Hands<'_>, key: &Key, task: &Task, job: &Job) -> Result<(), RunError> {
    if job.verb == Verb::Create || job.verb == Verb::Revive {
        return Ok(());
    }
    let artifact = hands.world.artifacts.get(key);
    let properties: BTreeMap<String, Option<Value>> = match (job.verb, artifact) {
        (Verb::Edit, Some(artifact)) => job
            .values
            .keys()
            .map(|name| {
                let seen = artifact.stretches.get(&Stretch::Property(name.clone()));
                let value = match seen.and_then(|seen| seen.remote.clone()) {
                    Some(Content::Value(value)) => Some(value),
                    _ => None,
                };
                (name.clone(), value)
            })
            .collect(),
        _ => BTreeMap::new(),
    };
    let text = job
        .body
        .as_ref()
        .filter(|body| !matches!(body.write, BodyWrite::Nothing))
        .map(|body| body.before.clone());
    let replaced = Replaced {
        backend: hands.backend.name().to_owned(),
        key: key.clone(),
        side: Side::Remote,
        reason: reason(task, job.verb == Verb::Trash, "push"),
        properties,
        text: text.is_some(),
        dialect: hands.backend.dialect(),
        path: None,
    };
    hands.book.replace(hands.run, &replaced, text.as_deref())?;
    Ok(())
}

pub(super) fn reason(task: &Task, deletes: bool, usual: &str) -> String {
    match (task.decisions.is_empty(), task.settled.is_empty(), deletes) {
        (false, _, _) => "force",
        (_, false, _) => "decision",
        (_, _, true) => "delete",
        _ => usual,
    }
    .to_owned()
}

/// Creates in an order in which targets of relations and, as far as that goes, of links (`awaited`) come first; a
/// circle is closed by a second write.
pub(super) fn waves(
    world: &World,
    awaited: &BTreeMap<Key, BTreeSet<Key>>,
    jobs: Vec<Job>,
) -> Vec<Vec<Job>> {
    let mut waves = Vec::new();
    let (mut open, rest): (Vec<Job>, Vec<Job>) =
        jobs.into_iter().partition(|job| job.verb == Verb::Create);
    if !rest.is_empty() {
        waves.push(rest);
    }
    while !open.is_empty() {
        let pending: BTreeSet<Key> = open.iter().map(|job| job.key.clone()).collect();
        let needs =
            |job: &Job| wanted(world, job).any(|key| key != job.key && pending.contains(&key));
        let links = |job: &Job| {
            let awaited = awaited.get(&job.key);
            waves.len() < LINK_WAVES
                && awaited.is_some_and(|keys| keys.iter().any(|key| pending.contains(key)))
        };
        let (mut ready, mut later): (Vec<Job>, Vec<Job>) =
            open.into_iter().partition(|job| !needs(job) && !links(job));
        if ready.is_empty() {
            // A circle of links: first the pages that others link to.
            let targets: BTreeSet<&Key> =
                later.iter().filter_map(|job| awaited.get(&job.key)).flatten().collect();
            let first = |job: &Job| !needs(job) && targets.contains(&job.key);
            let any = later.iter().any(first);
            (ready, later) = later.into_iter().partition(|job| !needs(job) && (!any || first(job)));
        }
        if ready.is_empty() {
            waves.push(later);
            break;
        }
        waves.push(ready);
        open = later;
    }
    waves
}

/// Artifacts that the relations of a job name.
pub(super) fn wanted<'a>(world: &'a World, job: &'a Job) -> impl Iterator<Item = Key> + 'a {
    let kind = world.kinds.get(&job.key.kind);
    job.local_values.iter().flat_map(move |(name, content)| {
        let target = kind
            .and_then(|kind| kind.property(name))
            .filter(|property| property.r#type == PropertyType::Relation)
            .map(|property| property.target.clone().unwrap_or_else(|| job.key.kind.clone()));
        let ids = match (target, content) {
            (Some(target), Some(Content::Value(Value::Set(ids)))) => {
                ids.iter().map(|id| Key::new(target.clone(), id.clone())).collect()
            }
            _ => Vec::new(),
        };
        ids.into_iter()
    })
}

/// The value of a file's property.
pub(super) fn local_value(values: &BTreeMap<String, Option<Content>>, name: &str) -> Option<Value> {
    match values.get(name).cloned().flatten() {
        Some(Content::Value(value)) => Some(value),
        _ => None,
    }
}

/// What a job sends, with relations by artifact id.
pub(super) fn intended(world: &World, job: &Job) -> BTreeMap<String, Option<Value>> {
    let kind = world.kinds.get(&job.key.kind);
    let target = |name: &str| {
        let property = kind?.property(name)?;
        let target = property.target.clone().unwrap_or_else(|| job.key.kind.clone());
        (property.r#type == PropertyType::Relation).then_some(target)
    };
    let of = |name: &String| {
        let value = local_value(&job.local_values, name);
        let value = match (target(name), value) {
            (Some(target), Some(Value::Set(ids))) => Value::set(
                ids.into_iter()
                    .filter(|id| world.page_of.contains_key(&Key::new(&target, id.clone()))),
            ),
            (_, value) => value,
        };
        (name.clone(), value)
    };
    // Of a set that both sides changed, the traces would not tell what the file still lacks; it is joined again.
    let joined = |name: &&String| {
        let stretch = Stretch::Property((*name).clone());
        world.artifacts.get(&job.key).is_some_and(|artifact| artifact.joined(&stretch).is_some())
    };
    job.values.keys().filter(|name| !joined(name)).map(of).collect()
}

/// Fills in the pages that earlier waves made.
pub(super) fn resolve(world: &World, batch: &[Job], circles: &mut Vec<Job>) -> Vec<Job> {
    let mut jobs = batch.to_vec();
    for job in &mut jobs {
        let (Some(kind), Some(artifact)) =
            (world.kinds.get(&job.key.kind), world.artifacts.get(&job.key))
        else {
            continue;
        };
        let mut sent = Properties::new();
        for (name, value) in &mut job.values {
            let local = local_value(&job.local_values, name);
            let (resolved, open) = relations(world, kind, artifact, name, local);
            *value = resolved;
            if open {
                job.late.insert(name.clone());
                sent.extend(value.clone().map(|value| (name.clone(), value)));
            }
        }
        if !job.late.is_empty() {
            let mut second = job.clone();
            second.values = job.late.iter().map(|name| (name.clone(), None)).collect();
            second.expected = sent;
            second.late = BTreeSet::new();
            second.body = None;
            second.verb = Verb::Edit;
            circles.push(second);
        }
    }
    jobs
}
