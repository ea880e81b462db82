//! Sending of jobs in batches with intents, and what came of them (rules 12 and 16).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_sync_core::model::{Key, Stretch};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;

use super::prepare::{intended, local_value, prepare, relations, resolve, waves};
use super::{BATCH, Executed, Hands, trouble};
use crate::backend::{Backend, BackendError};
use crate::engine::book::{Intent, Record};
use crate::engine::observe::World;
use crate::engine::remote::{BodyJob, BodyWrite, Done, Job, Sender, Verb};
use crate::engine::work::{Action, Task};
use crate::engine::{Phase, RunError, links, partial};

pub(super) async fn remote(
    hands: &mut Hands<'_>,
    tasks: &BTreeMap<Key, Task>,
    executed: &mut Executed,
) -> Result<(), RunError> {
    let mut jobs = Vec::new();
    let mut later = Vec::new();
    for (key, task) in tasks {
        let awaits = !awaited(hands.world, key).is_empty();
        if awaits && task.remote == Action::Edit && task.push.contains_key(&Stretch::Body) {
            later.push((key, task));
        } else if let Some(job) = prepare(hands, key, task, executed).await? {
            jobs.push(job);
        }
    }
    if jobs.is_empty() && later.is_empty() {
        return Ok(());
    }
    // This run has the lease: what another one sent, it sent before now.
    let begun = Instant::now();
    let (undecided, jobs): (Vec<Job>, Vec<Job>) =
        jobs.into_iter().partition(|job| may_appear(hands, job));
    let sent = Count { done: 0, total: jobs.len() + undecided.len() + later.len() };
    let mut round = Round { sent, early: Vec::new(), circles: Vec::new() };
    in_waves(hands, jobs, executed, &mut round).await?;
    let until = begun + hands.backend.settle_time();
    for batch in undecided.chunks(BATCH) {
        let rest = unmade(hands, batch, until, executed).await?;
        in_waves(hands, rest, executed, &mut round).await?;
    }
    let Round { mut sent, early, circles } = round;
    close_circles(hands, circles, executed).await?;
    // What links to pages that were made only now.
    hands.world.refresh_links();
    let mut jobs = Vec::new();
    for (key, task) in later {
        jobs.extend(prepare(hands, key, task, executed).await?);
    }
    for key in &early {
        jobs.extend(links::second(hands.book, hands.backend, hands.world, key).await?);
    }
    for batch in jobs.chunks(batch(hands.backend)) {
        if executed.stop.is_some() {
            break;
        }
        let done: BTreeMap<Key, Action> = batch
            .iter()
            .filter_map(|job| Some((job.key.clone(), executed.outcomes.get(&job.key)?.remote)))
            .collect();
        let batch = resolve(hands.world, batch, &mut Vec::new());
        send_batch(hands, batch, executed, &mut Vec::new(), &mut sent).await?;
        for (key, remote) in done {
            executed.outcomes.entry(key).or_default().remote = remote;
        }
    }
    Ok(())
}

/// What goes through all the waves of a run.
struct Round {
    sent: Count,
    /// Pages that were made before one that they link to.
    early: Vec<Key>,
    /// Relations that wait for pages.
    circles: Vec<Job>,
}

/// Sends jobs so that pages come before those that name them, as far as that can be.
async fn in_waves(
    hands: &mut Hands<'_>,
    jobs: Vec<Job>,
    executed: &mut Executed,
    round: &mut Round,
) -> Result<(), RunError> {
    let awaited = jobs.iter().map(|job| (job.key.clone(), awaited(hands.world, &job.key)));
    let awaited: BTreeMap<Key, BTreeSet<Key>> = awaited.collect();
    let mut unanswered: Vec<(Job, Instant)> = Vec::new();
    for wave in waves(hands.world, &awaited, jobs) {
        for batch in wave.chunks(batch(hands.backend)) {
            if executed.stop.is_some() {
                break;
            }
            hands.world.refresh_links();
            let mut batch = resolve(hands.world, batch, &mut round.circles);
            for job in batch.iter_mut().filter(|job| job.verb == Verb::Create) {
                let body = job.body.as_mut();
                if body.is_some_and(|body| links::renew(hands.world, hands.backend, body)) {
                    round.early.push(job.key.clone());
                }
            }
            send_batch(hands, batch, executed, &mut unanswered, &mut round.sent).await?;
        }
    }
    for (job, asked) in unanswered {
        again(hands, job, asked, executed).await?;
    }
    Ok(())
}

/// Artifacts whose pages are to be made that the file of this one links to.
fn awaited(world: &World, key: &Key) -> BTreeSet<Key> {
    let parts = world
        .artifacts
        .get(key)
        .and_then(|artifact| Some((artifact.path.as_deref()?, artifact.file.as_ref()?)));
    let awaited = parts.map(|(path, file)| links::awaited(world, path, file));
    let mut awaited = awaited.unwrap_or_default();
    awaited.remove(key);
    awaited
}

/// Longer than any batch takes from the recording of its intents to its last request, at the slowest pace.
const BATCH_TIME: Duration = Duration::from_secs(60 * 60);

/// Rule 12, across runs: whether an earlier run was about to make this page so recently that it may still appear.
fn may_appear(hands: &Hands<'_>, job: &Job) -> bool {
    let longest = hands.backend.settle_time() + BATCH_TIME;
    let recent = |at: Timestamp| {
        let age = hands.backend.now().map(|now| now.as_second() - at.as_second());
        age.is_none_or(|age| age <= i64::try_from(longest.as_secs()).unwrap_or(i64::MAX))
    };
    job.verb == Verb::Create
        && hands
            .book
            .intents(hands.backend.name(), &job.key)
            .iter()
            .any(|intent| intent.page.is_none() && recent(intent.at))
}

/// Those of these pages that have not appeared when none can appear any more. One that has was made from the file
/// as it was then: the next run compares it.
async fn unmade(
    hands: &mut Hands<'_>,
    jobs: &[Job],
    until: Instant,
    executed: &mut Executed,
) -> Result<Vec<Job>, RunError> {
    let mut rest = Vec::new();
    let sender = Sender { backend: hands.backend, bot: hands.bot.clone() };
    let waited = executed.stop.is_some() || wait(hands, until, executed).await;
    for job in jobs {
        executed.open.insert(job.key.clone());
        if !waited || executed.stop.is_some() {
            continue;
        }
        let (Some(kind), Some(place)) =
            (hands.world.kinds.get(&job.key.kind), hands.world.places.get(&job.key.kind))
        else {
            continue;
        };
        match sender.find_created(kind, place, &job.key, None).await {
            Ok(None) => rest.push(job.clone()),
            Ok(Some(page)) => {
                hands.world.page_of.insert(job.key.clone(), page.page);
                let outcome = executed.outcomes.entry(job.key.clone()).or_default();
                outcome.stale.insert(Stretch::Body);
            }
            Err(error) => executed.stop = Some(error),
        }
    }
    Ok(rest)
}

/// Waits until then; false where the run has to end instead.
async fn wait(hands: &Hands<'_>, until: Instant, executed: &mut Executed) -> bool {
    // Short steps, so that a signal is heard.
    while Instant::now() < until {
        if let Some(reason) = hands.backend.closed() {
            executed.stop = Some(BackendError::Closed(reason));
            return false;
        }
        tokio::time::sleep_until(until.min(Instant::now() + Duration::from_millis(200))).await;
    }
    true
}

/// How many of how many.
struct Count {
    done: usize,
    total: usize,
}

/// Writes between two commits of the state.
fn batch(backend: &dyn Backend) -> usize {
    if backend.transactional() { usize::MAX } else { BATCH }
}

async fn send_batch(
    hands: &mut Hands<'_>,
    jobs: Vec<Job>,
    executed: &mut Executed,
    unanswered: &mut Vec<(Job, Instant)>,
    sent: &mut Count,
) -> Result<(), RunError> {
    if jobs.is_empty() || executed.stop.is_some() {
        return Ok(());
    }
    let backend = hands.backend;
    for job in jobs.iter().filter(|_| !backend.transactional()) {
        let hunks = match job.body.as_ref().map(|body| &body.write) {
            Some(BodyWrite::Edit(hunks)) => hunks.clone(),
            _ => Vec::new(),
        };
        let sent = job.body.as_ref().filter(|body| !matches!(body.write, BodyWrite::Nothing));
        // Of a merge that leaves something open, the traces would say too much; it is simply made again.
        let whole = |body: &&BodyJob| body.merged.as_ref().is_none_or(|merged| merged.is_whole());
        let local = sent.filter(whole).and_then(|body| body.local.content());
        if let Some(body) = sent {
            hands.book.keep_as(body.local.file.id(), body.local.text());
        }
        let before = sent.map(|body| hands.book.keep(&body.before));
        hands.book.intend(Intent {
            backend: backend.name().to_owned(),
            key: job.key.clone(),
            page: job.page.clone(),
            local,
            before: before.filter(|_| !hunks.is_empty()),
            dialect: backend.dialect(),
            hunks,
            values: intended(hands.world, job),
            at: backend.now().unwrap_or_default(),
        });
    }
    // What is only queued needs no trace: either all of it takes effect, with its base, or nothing.
    if !backend.transactional() {
        hands.book.commit(hands.run, &partial("what is about to be written", hands.run)).await?;
    }
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
    .buffer_unordered(backend.width())
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
    let dialect = hands.backend.dialect();
    let entry = hands
        .book
        .records
        .entry((name.clone(), job.key.clone()))
        .or_insert_with(|| Record::new(&name, &job.key, &id, "", dialect));
    entry.page = id;
    if let Some(url) = url.filter(|url| !url.is_empty()) {
        entry.url = url;
    }
    for (stretch, pair) in &done.pairs {
        // What a merge brings to the page came in part from there, and this working tree does not hold it yet.
        let held = artifact
            .and_then(|artifact| artifact.stretches.get(stretch))
            .is_some_and(|seen| pair.is_held_by(seen.local.as_ref()));
        entry.propose_pushed(stretch, pair.clone(), hands.work_tree.filter(|_| held));
    }
    let wrote_body = done.seen.is_some();
    if let Some(seen) = done.seen {
        entry.seen = seen;
    }
    if let Some(body) = &job.body {
        hands.book.keep_as(body.local.file.id(), body.local.text());
    }
    for (id, text) in &done.texts {
        hands.book.keep_as(id, text);
    }
    let proved = !done.pairs.is_empty() || wrote_body;
    let wrote = done.wrote && (proved || job.verb != Verb::Edit);
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
                sender.answered(&kind, &job, &answer, &mut done);
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
        if !wait(hands, asked + sender.settle_time(), executed).await {
            return Ok(());
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
