//! Execution of the tasks: first the backend, in batches with intents (rules 1 and 16), then the files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_sync_core::document;
use agent_sync_core::kind::{Kind, PropertyType};
use agent_sync_core::markdown::{self, Push};
use agent_sync_core::model::{Finding, Key, Properties, Severity, Side, Stretch, Value};
use agent_sync_core::plan::{Content, Pair};
use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use super::book::{Book, Intent, Record, Replaced};
use super::observe::{Artifact, LocalFile, World, body_content};
use super::remote::{BodyJob, BodyWrite, Done, FileText, Job, Sender, Verb};
use super::work::{Action, Task};
use super::{Phase, Progress, RunError, partial};
use crate::backend::{Backend, BackendError};
use crate::repo::{PathError, Tree, WriteError, new_path};

/// Writes between two commits of the state (rule 16).
const BATCH: usize = 50;
/// Jobs under way at once.
const WIDTH: usize = 16;

/// What came of an artifact's task.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// What was done with the page.
    pub remote: Action,
    /// What was done with the file.
    pub local: Action,
    /// Stretches that changed under our hands: left for the next run.
    pub stale: BTreeSet<Stretch>,
    /// The file as it is now, where it was written.
    pub file: Option<LocalFile>,
    /// Path of the file, where it was made.
    pub path: Option<String>,
}

/// The whole of it.
#[derive(Default)]
pub(super) struct Executed {
    /// By artifact.
    pub outcomes: BTreeMap<Key, Outcome>,
    /// Trouble of single artifacts.
    pub findings: Vec<Finding>,
    /// Artifacts with a write of which it is not certain yet what it did, or which needs another one.
    pub open: BTreeSet<Key>,
    /// Why the run stopped early.
    pub stop: Option<BackendError>,
}

/// What execution needs.
pub(super) struct Hands<'a> {
    /// The working tree.
    pub tree: &'a Tree,
    /// The backend.
    pub backend: &'a dyn Backend,
    /// The state.
    pub book: &'a mut Book,
    /// What was observed.
    pub world: &'a mut World,
    /// This run's id.
    pub run: &'a str,
    /// This working tree; see [`crate::repo::git::Git::work_tree_id`].
    pub work_tree: Option<&'a str>,
    /// Id of our own user.
    pub bot: String,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// Executes the tasks.
///
/// # Errors
/// What the state says; trouble with the backend or with a file ends in the answer.
pub(super) async fn execute(
    hands: &mut Hands<'_>,
    tasks: &BTreeMap<Key, Task>,
) -> Result<Executed, RunError> {
    let mut executed = Executed::default();
    remote(hands, tasks, &mut executed).await?;
    local(hands, tasks, &mut executed).await?;
    Ok(executed)
}

fn trouble(key: &Key, artifact: Option<&Artifact>, message: String) -> Finding {
    Finding {
        rule: "not-written".to_owned(),
        severity: Severity::Error,
        key: Some(key.clone()),
        path: artifact.and_then(|artifact| artifact.path.clone()),
        line: artifact.and_then(|artifact| artifact.path.as_ref()).map(|_| 1),
        url: artifact.and_then(|artifact| artifact.page.as_ref()).map(|page| page.url.clone()),
        message: format!("{key} could not be written: {message}"),
        fix: "Change what the message names; everything else was synced.".to_owned(),
    }
}

/// Relations as page ids; members without a page yet are named in the second part.
fn relations(
    world: &World,
    kind: &Kind,
    artifact: &Artifact,
    name: &str,
    value: Option<Value>,
) -> (Option<Value>, bool) {
    let relation = kind.property(name).filter(|property| property.r#type == PropertyType::Relation);
    let Some(property) = relation else { return (value, false) };
    let target = property.target.as_deref().unwrap_or(&kind.name);
    let mut open = false;
    let mut pages: BTreeSet<String> = artifact.remote_only.get(name).cloned().unwrap_or_default();
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

/// Makes the request-ready form of a task.
async fn prepare(
    hands: &mut Hands<'_>,
    key: &Key,
    task: &Task,
    executed: &mut Executed,
) -> Result<Option<Job>, RunError> {
    let dialect = hands.backend.dialect();
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
        let local = artifact.stretches.get(stretch).and_then(|seen| seen.local.clone());
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
                        && property.source != agent_sync_core::kind::Source::Id
                })
            })
            .collect();
    }
    if pushed.contains(&Stretch::Body) {
        let (Some(file), path) = (&artifact.file, artifact.path.clone().unwrap_or_default()) else {
            return Ok(None);
        };
        let local = FileText {
            text: file.text.clone(),
            excluded: file.document.excluded.clone(),
            format: kind.format,
        };
        let before = match &artifact.body {
            Some(body) => match &body.text {
                Some(text) => text.clone(),
                None => hands.book.text(&body.id).await?,
            },
            None => String::new(),
        };
        let pair = task.push.get(&Stretch::Body).cloned().flatten();
        let base = match pair {
            Some(pair) => Some(pair_texts(hands.book, kind, key, &path, &pair).await?),
            None => None,
        };
        let mut impossible = false;
        let write = match verb {
            Verb::Create => BodyWrite::Whole(markdown::render_remote(&local.local(), dialect)),
            _ => {
                let texts = base.as_ref().map(|(file, text)| (file.local(), text.as_str()));
                let texts = texts.as_ref().map(|(local, text)| (local, *text));
                match markdown::plan_push(dialect, texts, &local.local(), &before) {
                    Push::Nothing => BodyWrite::Nothing,
                    Push::Append(text) => BodyWrite::Whole(text),
                    Push::Edit(hunks) => BodyWrite::Edit(hunks),
                    Push::Impossible(reason) => {
                        executed.findings.push(trouble(key, Some(artifact), format!("{reason}.")));
                        impossible = true;
                        BodyWrite::Nothing
                    }
                }
            }
        };
        job.body = (!impossible).then_some(BodyJob { local, before, write });
    }
    if job.verb == Verb::Edit && job.body.is_none() && job.values.is_empty() {
        return Ok(None);
    }
    keep_replaced(hands, key, task, &job)?;
    Ok(Some(job))
}

async fn pair_texts(
    book: &Book,
    kind: &Kind,
    key: &Key,
    path: &str,
    pair: &Pair,
) -> Result<(FileText, String), RunError> {
    let local = match pair.local.as_ref().and_then(Content::text) {
        Some(id) => book.text(id).await?,
        None => String::new(),
    };
    let remote = match pair.remote.as_ref().and_then(Content::text) {
        Some(id) => book.text(id).await?,
        None => String::new(),
    };
    Ok((FileText::new(kind, key, path, local), remote))
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
        path: None,
    };
    hands.book.replace(hands.run, &replaced, text.as_deref())?;
    Ok(())
}

fn reason(task: &Task, deletes: bool, usual: &str) -> String {
    match (task.decisions.is_empty(), task.settled.is_empty(), deletes) {
        (false, _, _) => "force",
        (_, false, _) => "decision",
        (_, _, true) => "delete",
        _ => usual,
    }
    .to_owned()
}

/// Creates in an order in which relation targets come first; a circle is closed by a second write.
fn waves(world: &World, jobs: Vec<Job>) -> Vec<Vec<Job>> {
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
        let (ready, later): (Vec<Job>, Vec<Job>) = open.into_iter().partition(|job| !needs(job));
        match ready.is_empty() {
            true => {
                waves.push(later);
                break;
            }
            false => waves.push(ready),
        }
        open = later;
    }
    waves
}

/// Artifacts that the relations of a job name.
fn wanted<'a>(world: &'a World, job: &'a Job) -> impl Iterator<Item = Key> + 'a {
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

async fn remote(
    hands: &mut Hands<'_>,
    tasks: &BTreeMap<Key, Task>,
    executed: &mut Executed,
) -> Result<(), RunError> {
    let mut jobs = Vec::new();
    for (key, task) in tasks {
        if let Some(job) = prepare(hands, key, task, executed).await? {
            jobs.push(job);
        }
    }
    if jobs.is_empty() {
        return Ok(());
    }
    let mut sent = Count { done: 0, total: jobs.len() };
    let mut unanswered: Vec<(Job, Instant)> = Vec::new();
    let mut circles: Vec<Job> = Vec::new();
    for wave in waves(hands.world, jobs) {
        for batch in wave.chunks(BATCH) {
            if executed.stop.is_some() {
                break;
            }
            let batch = resolve(hands.world, batch, &mut circles);
            send_batch(hands, batch, executed, &mut unanswered, &mut sent).await?;
        }
    }
    for (job, asked) in unanswered {
        again(hands, job, asked, executed).await?;
    }
    close_circles(hands, circles, executed).await
}

/// The value of a file's property.
fn local_value(values: &BTreeMap<String, Option<Content>>, name: &str) -> Option<Value> {
    match values.get(name).cloned().flatten() {
        Some(Content::Value(value)) => Some(value),
        _ => None,
    }
}

/// What a job sends, with relations by artifact id.
fn intended(world: &World, job: &Job) -> BTreeMap<String, Option<Value>> {
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
    job.values.keys().map(of).collect()
}

/// Fills in the pages that earlier waves made.
fn resolve(world: &World, batch: &[Job], circles: &mut Vec<Job>) -> Vec<Job> {
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

/// How many of how many.
struct Count {
    done: usize,
    total: usize,
}

async fn send_batch(
    hands: &mut Hands<'_>,
    jobs: Vec<Job>,
    executed: &mut Executed,
    unanswered: &mut Vec<(Job, Instant)>,
    sent: &mut Count,
) -> Result<(), RunError> {
    let backend = hands.backend;
    for job in &jobs {
        let hunks = match job.body.as_ref().map(|body| &body.write) {
            Some(BodyWrite::Edit(hunks)) => hunks.clone(),
            _ => Vec::new(),
        };
        let sent = job.body.as_ref().filter(|body| !matches!(body.write, BodyWrite::Nothing));
        let local = sent.and_then(|body| body.local.content());
        if let Some(body) = sent {
            hands.book.keep(&body.local.text);
        }
        let before = sent.map(|body| hands.book.keep(&body.before));
        hands.book.intend(Intent {
            backend: backend.name().to_owned(),
            key: job.key.clone(),
            page: job.page.clone(),
            local,
            before: before.filter(|_| !hunks.is_empty()),
            hunks,
            values: intended(hands.world, job),
            at: backend.now().unwrap_or_default(),
        });
    }
    hands.book.commit(hands.run, &partial("what is about to be written", hands.run)).await?;
    let sender = Sender { backend, bot: hands.bot.clone() };
    let (world, progress) = (&*hands.world, hands.progress);
    let results: Vec<(Job, Done, Instant)> = stream::iter(jobs.into_iter().map(|job| {
        let sender = &sender;
        async move {
            let kind = world.kinds.get(&job.key.kind);
            let place = world.places.get(&job.key.kind);
            let done = match (kind, place) {
                (Some(kind), Some(place)) => sender.send(kind, place, &job).await,
                _ => Done::default(),
            };
            (job, done, Instant::now())
        }
    }))
    .buffer_unordered(WIDTH)
    .inspect(|_| {
        sent.done += 1;
        progress.at(Phase::Sending, sent.done, sent.total);
    })
    .collect()
    .await;
    for (job, done, at) in results {
        if done.unanswered {
            executed.open.insert(job.key.clone());
            unanswered.push((job, at));
            continue;
        }
        take_up(hands, &job, done, executed);
    }
    Ok(())
}

/// Takes a job's result over. What is not certain yet keeps its intent, so that a later run can tell our write from
/// somebody else's (rule 16).
fn take_up(hands: &mut Hands<'_>, job: &Job, done: Done, executed: &mut Executed) {
    let settled = done.stop.is_none() && job.late.is_empty();
    apply(hands, job, done, executed);
    if settled {
        executed.open.remove(&job.key);
        hands.book.settle_intents(hands.backend.name(), &job.key);
    } else {
        executed.open.insert(job.key.clone());
    }
}

/// Takes a job's result over into records and outcomes.
fn apply(hands: &mut Hands<'_>, job: &Job, done: Done, executed: &mut Executed) {
    let name = hands.backend.name().to_owned();
    let artifact = hands.world.artifacts.get(&job.key);
    if let Some(message) = done.trouble {
        executed.findings.push(trouble(&job.key, artifact, message));
    }
    if let Some(stop) = done.stop {
        executed.stop.get_or_insert(stop);
    }
    let outcome = executed.outcomes.entry(job.key.clone()).or_default();
    outcome.stale.extend(done.stale);
    if let Some(page) = &done.page {
        hands.world.page_of.insert(job.key.clone(), page.page.clone());
        hands.world.key_of.insert(page.page.clone(), job.key.clone());
    }
    let id = done.page.as_ref().map(|page| page.page.clone()).or_else(|| job.page.clone());
    let Some(id) = id else { return };
    let url = done.page.as_ref().map(|page| page.url.clone());
    let entry = hands
        .book
        .records
        .entry((name.clone(), job.key.clone()))
        .or_insert_with(|| Record::new(&name, &job.key, &id, ""));
    entry.page = id;
    if let Some(url) = url.filter(|url| !url.is_empty()) {
        entry.url = url;
    }
    for (stretch, pair) in &done.pairs {
        entry.propose_pushed(stretch, pair.clone(), hands.work_tree);
    }
    if let Some((seen, text)) = done.seen {
        entry.seen = seen;
        hands.book.keep(&text);
    }
    if let Some(body) = &job.body {
        hands.book.keep(&body.local.text);
    }
    for text in done.texts {
        hands.book.keep(&text);
    }
    let wrote = done.wrote && (!done.pairs.is_empty() || job.verb != Verb::Edit);
    if wrote && (done.page.is_some() || job.verb == Verb::Edit) {
        outcome.remote = match job.verb {
            Verb::Create => Action::Create,
            Verb::Edit => Action::Edit,
            Verb::Revive => Action::Revive,
            Verb::Trash => Action::Delete,
        };
    }
}

/// Relations between pages that were made in this run and name each other.
async fn close_circles(
    hands: &mut Hands<'_>,
    circles: Vec<Job>,
    executed: &mut Executed,
) -> Result<(), RunError> {
    let sender = Sender { backend: hands.backend, bot: hands.bot.clone() };
    for mut job in circles {
        if executed.stop.is_some() {
            break;
        }
        let Some(kind) = hands.world.kinds.get(&job.key.kind).cloned() else { continue };
        let Some(place) = hands.world.places.get(&job.key.kind).cloned() else { continue };
        let Some(page) = hands.world.page_of.get(&job.key).cloned() else { continue };
        let Some(artifact) = hands.world.artifacts.get(&job.key).cloned() else { continue };
        for (name, value) in &mut job.values {
            let local = local_value(&job.local_values, name);
            let (resolved, open) = relations(hands.world, &kind, &artifact, name, local);
            *value = resolved;
            if open {
                job.late.insert(name.clone());
            }
        }
        job.page = Some(page.clone());
        // The page was written a moment ago and held what that write's answer said.
        let mut done = Done { wrote: true, ..Done::default() };
        match sender.backend.set_properties(&kind, &place, &page, &job.values).await {
            Ok(answer) => {
                sender.answered(&job, &answer, &mut done);
                done.page = Some(answer);
            }
            Err(BackendError::Ambiguous { .. } | BackendError::Collided { .. }) => {
                done = sender.send(&kind, &place, &job).await;
            }
            Err(error) => done.stop = Some(error),
        }
        let created = executed.outcomes.get(&job.key).map(|outcome| outcome.remote);
        take_up(hands, &job, done, executed);
        if let (Some(created), Some(outcome)) = (created, executed.outcomes.get_mut(&job.key)) {
            outcome.remote = created;
        }
    }
    Ok(())
}

/// Rule 12: an unanswered create is looked for again once the backend cannot finish it any more, and only then
/// repeated.
async fn again(
    hands: &mut Hands<'_>,
    job: Job,
    asked: Instant,
    executed: &mut Executed,
) -> Result<(), RunError> {
    let sender = Sender { backend: hands.backend, bot: hands.bot.clone() };
    let Some(kind) = hands.world.kinds.get(&job.key.kind).cloned() else { return Ok(()) };
    let Some(place) = hands.world.places.get(&job.key.kind).cloned() else { return Ok(()) };
    let mut asked = asked;
    for _ in 0..3 {
        if executed.stop.is_some() {
            return Ok(());
        }
        let until = asked + sender.settle_time();
        // Short steps, so that a signal is heard.
        while Instant::now() < until {
            if let Some(reason) = hands.backend.closed() {
                executed.stop = Some(BackendError::Closed(reason));
                return Ok(());
            }
            tokio::time::sleep_until(until.min(Instant::now() + Duration::from_millis(200))).await;
        }
        let found = match sender.find_created(&kind, &place, &job.key, None).await {
            Ok(found) => found,
            Err(error) => {
                executed.stop = Some(error);
                return Ok(());
            }
        };
        let done = match found {
            Some(page) => {
                sender
                    .created(&kind, &place, &job, page, Done { wrote: true, ..Done::default() })
                    .await
            }
            None => sender.send(&kind, &place, &job).await,
        };
        if !done.unanswered {
            take_up(hands, &job, done, executed);
            return Ok(());
        }
        asked = Instant::now();
    }
    executed.stop = Some(BackendError::Unavailable {
        message: format!("The page of {} could not be made: no answer came.", job.key),
    });
    Ok(())
}

/// Writes the files (rule 1: after the backend).
async fn local(
    hands: &mut Hands<'_>,
    tasks: &BTreeMap<Key, Task>,
    executed: &mut Executed,
) -> Result<(), RunError> {
    let mut forced = false;
    for (key, task) in tasks.iter().filter(|(_, task)| task.local != Action::None) {
        forced |= !task.settled.is_empty();
        let Some(artifact) = hands.world.artifacts.get(key) else { continue };
        let Some(file) = &artifact.file else { continue };
        let replaced = Replaced {
            backend: hands.backend.name().to_owned(),
            key: key.clone(),
            side: Side::Local,
            reason: reason(task, task.local == Action::Delete, "pull"),
            properties: BTreeMap::new(),
            text: true,
            path: artifact.path.clone(),
        };
        hands.book.replace(hands.run, &replaced, Some(&file.text))?;
    }
    if forced {
        // What a force overwrites may be nowhere else: it is stored before it is gone.
        hands.book.commit(hands.run, &partial("what is about to be replaced", hands.run)).await?;
    }
    let mut taken: BTreeSet<String> =
        hands.world.scan.files.values().map(|entry| entry.path.clone()).collect();
    let wanted: Vec<_> = tasks.iter().filter(|(_, task)| task.local != Action::None).collect();
    for (n, &(key, task)) in wanted.iter().enumerate() {
        hands.progress.at(Phase::Files, n, wanted.len());
        let Some(artifact) = hands.world.artifacts.get(key).cloned() else { continue };
        let Some(kind) = hands.world.kinds.get(&key.kind).cloned() else { continue };
        let result = match task.local {
            Action::Delete => delete_file(hands, &artifact),
            Action::Create => create_file(hands, &kind, &artifact, &mut taken).await?,
            _ => edit_file(hands, &kind, &artifact, task, executed).await?,
        };
        match result {
            Ok(None) => {}
            Ok(Some((path, text))) => {
                written(hands, &kind, &artifact, task, path, text, executed);
            }
            Err(FileTrouble::Write(WriteError::Changed { .. })) => {
                let outcome = executed.outcomes.entry(key.clone()).or_default();
                outcome.stale.extend(task.pull.keys().cloned());
            }
            Err(error) => {
                executed.findings.push(trouble(key, Some(&artifact), format!("{error}.")));
            }
        }
        if task.local == Action::Delete
            && !executed.findings.iter().any(|f| f.key.as_ref() == Some(key))
        {
            executed.outcomes.entry(key.clone()).or_default().local = Action::Delete;
        }
    }
    Ok(())
}

type Written = Result<Option<(String, String)>, FileTrouble>;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
enum FileTrouble {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("the page's text has no place in this file")]
    Body,
}

fn delete_file(hands: &Hands<'_>, artifact: &Artifact) -> Written {
    let kind = hands.world.kinds.get(&artifact.key.kind);
    if let (Some(path), Some(digest), Some(kind)) = (&artifact.path, &artifact.file_digest, kind) {
        hands.tree.remove(path, digest, &kind.folder)?;
    }
    Ok(None)
}

/// Values of the page in the form that files hold.
fn page_values(artifact: &Artifact) -> Properties {
    artifact
        .stretches
        .iter()
        .filter_map(|(stretch, seen)| match (stretch, &seen.remote) {
            (Stretch::Property(name), Some(Content::Value(value))) => {
                Some((name.clone(), value.clone()))
            }
            _ => None,
        })
        .collect()
}

async fn page_text(hands: &Hands<'_>, artifact: &Artifact) -> Result<String, RunError> {
    Ok(match &artifact.body {
        Some(body) => match &body.text {
            Some(text) => text.clone(),
            None => hands.book.text(&body.id).await?,
        },
        None => String::new(),
    })
}

async fn create_file(
    hands: &Hands<'_>,
    kind: &Kind,
    artifact: &Artifact,
    taken: &mut BTreeSet<String>,
) -> Result<Written, RunError> {
    let values = page_values(artifact);
    let title = kind.title().and_then(|title| values.get(&title.name)).map(Value::to_string);
    let remembered = artifact.path.clone().filter(|path| !taken.contains(path));
    let path = match remembered {
        Some(path) => path,
        None => {
            let title = title.unwrap_or_default();
            match new_path(kind, &artifact.key.id, &title, &|path| taken.contains(path)) {
                Ok(path) => path,
                Err(error) => return Ok(Err(FileTrouble::Path(error))),
            }
        }
    };
    let remote = page_text(hands, artifact).await?;
    let body = markdown::render_local(hands.backend.dialect(), &remote, kind.format);
    let text = document::new_file(kind, &artifact.key.id, &values, &body);
    taken.insert(path.clone());
    Ok(hands
        .tree
        .write(&path, &text, None)
        .map(|()| Some((path, text)))
        .map_err(FileTrouble::Write))
}

async fn edit_file(
    hands: &mut Hands<'_>,
    kind: &Kind,
    artifact: &Artifact,
    task: &Task,
    executed: &mut Executed,
) -> Result<Written, RunError> {
    let (Some(file), Some(path), Some(digest)) =
        (&artifact.file, artifact.path.clone(), artifact.file_digest.clone())
    else {
        return Ok(Ok(None));
    };
    let mut text = file.text.clone();
    let dialect = hands.backend.dialect();
    if let Some(pair) = task.pull.get(&Stretch::Body) {
        let remote = page_text(hands, artifact).await?;
        let base = match pair {
            Some(pair) => Some(pair_texts(hands.book, kind, &artifact.key, &path, pair).await?),
            None => None,
        };
        let texts = base.as_ref().map(|(file, text)| (file.local(), text.as_str()));
        let texts = texts.as_ref().map(|(local, text)| (local, *text));
        let edits = markdown::plan_pull(dialect, texts, &file.body(kind), &remote);
        let wanted = markdown::remote_digest(dialect, &remote);
        // Where the agreed pair was equal in content, so must be the new one; elsewhere the backend put our text
        // into a form that nobody foresaw, and having carried over what changed is all that can be asked.
        let equal = base.as_ref().is_none_or(|(file, text)| {
            markdown::local_digest(&file.local()) == markdown::remote_digest(dialect, text)
        });
        let arrived = |text: &str| {
            let new = FileText::new(kind, &artifact.key, &path, text.to_owned());
            markdown::local_digest(&new.local()) == wanted
        };
        text = markdown::apply_edits(&file.text, &edits);
        if !arrived(&text) && (equal || edits.is_empty()) {
            let whole = markdown::plan_pull(dialect, None, &file.body(kind), &remote);
            text = markdown::apply_edits(&file.text, &whole);
            if !arrived(&text) {
                return Ok(Err(FileTrouble::Body));
            }
        }
    }
    for stretch in task.pull.keys() {
        let Stretch::Property(name) = stretch else { continue };
        let mut value = match artifact.stretches.get(stretch).and_then(|seen| seen.remote.clone()) {
            Some(Content::Value(value)) => Some(value),
            _ => None,
        };
        if let Some(alone) = artifact.local_only.get(name) {
            let mut members = alone.clone();
            if let Some(Value::Set(ids)) = value {
                members.extend(ids);
            }
            value = Value::set(members);
        }
        match document::set(kind, &artifact.key.id, &text, name, value.as_ref()) {
            Ok(edits) => text = markdown::apply_edits(&text, &edits),
            Err(error) => {
                executed.findings.push(trouble(&artifact.key, Some(artifact), format!("{error}.")));
            }
        }
    }
    if text == file.text {
        return Ok(Ok(Some((path, text))));
    }
    Ok(hands
        .tree
        .write(&path, &text, Some(&digest))
        .map(|()| Some((path, text)))
        .map_err(FileTrouble::Write))
}

/// Proposes what a written file and its page hold now.
fn written(
    hands: &mut Hands<'_>,
    kind: &Kind,
    artifact: &Artifact,
    task: &Task,
    path: String,
    text: String,
    executed: &mut Executed,
) {
    let name = hands.backend.name().to_owned();
    let document = document::parse(kind, &artifact.key.id, &path, &text);
    let file = LocalFile { text, document };
    let id = hands.book.keep(&file.text);
    if let Some(text) = artifact.body.as_ref().and_then(|body| body.text.as_ref()) {
        hands.book.keep(text);
    }
    let page = artifact.page.as_ref();
    let page_id = page
        .map(|page| page.page.clone())
        .or_else(|| hands.world.page_of.get(&artifact.key).cloned());
    let Some(page_id) = page_id else { return };
    let record = hands
        .book
        .records
        .entry((name.clone(), artifact.key.clone()))
        .or_insert_with(|| Record::new(&name, &artifact.key, &page_id, ""));
    if let Some(page) = page {
        record.url.clone_from(&page.url);
    }
    for (stretch, seen) in &artifact.stretches {
        if task.local != Action::Create && !task.pull.contains_key(stretch) {
            continue;
        }
        let local = match stretch {
            Stretch::Property(name) => file
                .document
                .values
                .get(name)
                .map(|located| located.value.clone())
                .map(|value| without(value, artifact.local_only.get(name)))
                .and_then(|value| value.map(Content::Value)),
            Stretch::Body => {
                let digest = markdown::local_digest(&file.body(kind));
                let empty = digest == markdown::empty_digest();
                body_content(&digest, &id, empty)
            }
        };
        if local.is_none() && seen.remote.is_none() && seen.base.is_none() {
            continue;
        }
        record.propose(stretch, Pair { local, remote: seen.remote.clone() });
    }
    hands.world.made.insert(artifact.key.clone(), path.clone());
    let outcome = executed.outcomes.entry(artifact.key.clone()).or_default();
    outcome.local = task.local;
    outcome.path = Some(path);
    outcome.file = Some(file);
}

fn without(value: Value, left_out: Option<&BTreeSet<String>>) -> Option<Value> {
    match (value, left_out) {
        (Value::Set(members), Some(left_out)) => {
            Value::set(members.into_iter().filter(|member| !left_out.contains(member)))
        }
        (value, _) => Some(value),
    }
}
