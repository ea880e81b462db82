//! Execution on the backend: conditional writes, proved by their answers (rules 2, 3, 12, 13, 16).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_sync_core::document;
use agent_sync_core::kind::{Format, Kind, PropertyType};
use agent_sync_core::markdown::{self, Dialect, Hunk, Local, Recovery};
use agent_sync_core::model::{Key, Properties, Stretch, Value};
use agent_sync_core::plan::{Content, Pair};

use tokio::time::Instant;

use super::book::{Seen, text_id};
use super::observe::{body_content, minute};
use crate::backend::{Backend, BackendError, BodyRead, Place, Presence, RemotePage};

/// Attempts at one body: the first and two after a new reading (rule 2).
const BODY_ATTEMPTS: usize = 3;
/// Between two looks at the gate while waiting.
const STEP: Duration = Duration::from_millis(200);
/// Hunks that one request takes.
const HUNKS: usize = 100;

/// A text of a file with what is needed to read it.
#[derive(Clone, Debug)]
pub(super) struct FileText {
    /// The whole file.
    pub text: String,
    /// Its property regions.
    pub excluded: Vec<std::ops::Range<usize>>,
    /// Its form.
    pub format: Format,
}

impl FileText {
    /// Reads a file's text for its body.
    pub(super) fn new(kind: &Kind, key: &Key, path: &str, text: String) -> Self {
        let excluded = document::parse(kind, &key.id, path, &text).excluded;
        Self { text, excluded, format: kind.format }
    }

    /// For the Markdown functions.
    pub(super) fn local(&self) -> Local<'_> {
        Local { text: &self.text, excluded: &self.excluded, format: self.format }
    }

    /// The body as content of a stretch.
    pub(super) fn content(&self) -> Option<Content> {
        let digest = markdown::local_digest(&self.local());
        let empty = digest == markdown::empty_digest();
        body_content(&digest, &text_id(self.text.as_bytes()), empty)
    }
}

/// How a body is sent.
#[derive(Clone, Debug)]
pub(super) enum BodyWrite {
    /// Nothing to send.
    Nothing,
    /// Into a page that was read as empty, or together with a new page.
    Whole(String),
    /// As conditional replacements in the text before.
    Edit(Vec<Hunk>),
}

/// A body to be written.
#[derive(Clone, Debug)]
pub(super) struct BodyJob {
    /// The file.
    pub local: FileText,
    /// The page's text as read.
    pub before: String,
    /// What to send.
    pub write: BodyWrite,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Make the page.
    Create,
    /// Change it.
    Edit,
    /// Take it out of the trash; what the file holds is compared by the next run.
    Revive,
    /// Trash it.
    Trash,
}

/// One page's work, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The artifact.
    pub key: Key,
    /// What to do.
    pub verb: Verb,
    /// The page; none for a create.
    pub page: Option<String>,
    /// Values as read, of the properties to be written; relations as page ids.
    pub expected: Properties,
    /// Values to write; relations as page ids.
    pub values: BTreeMap<String, Option<Value>>,
    /// The local contents that these values stand for.
    pub local_values: BTreeMap<String, Option<Content>>,
    /// Relations with members whose pages are not made yet: what is sent for them is not yet the local content.
    pub late: BTreeSet<String>,
    /// The body.
    pub body: Option<BodyJob>,
    /// Digest of the body as read, for a page to be trashed.
    pub digest: Option<String>,
}

/// What came of a job.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    /// Whether anything was written, or may have been.
    pub wrote: bool,
    /// The page as last answered.
    pub page: Option<RemotePage>,
    /// Pairs made: local content and the answer to writing it.
    pub pairs: BTreeMap<Stretch, Pair>,
    /// The page's body as it is now, with what is known of its minutes.
    pub seen: Option<(Seen, String)>,
    /// Further texts that the pairs name.
    pub texts: Vec<String>,
    /// Stretches that somebody changed meanwhile: nothing was written there.
    pub stale: BTreeSet<Stretch>,
    /// Why this artifact could not be written; the run goes on.
    pub trouble: Option<String>,
    /// A create whose answer never came and whose page is not there yet.
    pub unanswered: bool,
    /// Why the run has to stop.
    pub stop: Option<BackendError>,
}

impl Done {
    fn fail(mut self, error: BackendError) -> Self {
        match error {
            BackendError::Rejected { message } | BackendError::Stale { message } => {
                self.trouble = Some(message)
            }
            error => self.stop = Some(error),
        }
        self
    }
}

/// Sends jobs to one backend.
pub(super) struct Sender<'a> {
    /// The backend.
    pub backend: &'a dyn Backend,
    /// Our own user's id.
    pub bot: String,
}

impl Sender<'_> {
    fn dialect(&self) -> Dialect {
        self.backend.dialect()
    }

    /// Does one job, in the order properties, body.
    pub(super) async fn send(&self, kind: &Kind, place: &Place, job: &Job) -> Done {
        match job.verb {
            Verb::Create => self.create(kind, place, job).await,
            Verb::Edit => self.edit(kind, place, job).await,
            Verb::Trash => self.trash(kind, place, job).await,
            Verb::Revive => self.revive(kind, place, job).await,
        }
    }

    async fn revive(&self, kind: &Kind, place: &Place, job: &Job) -> Done {
        let mut done = Done::default();
        let page = job.page.as_deref().unwrap_or_default();
        let mut last = String::new();
        for _ in 0..BODY_ATTEMPTS {
            done.wrote = true;
            match self.backend.untrash(kind, place, page).await {
                Ok(page) => {
                    done.page = Some(page);
                    return done;
                }
                Err(
                    BackendError::Ambiguous { message, .. } | BackendError::Collided { message },
                ) => last = message,
                Err(error) => return done.fail(error),
            }
            match self.backend.page(kind, place, page).await {
                Ok(Presence::Found(now)) if now.life == crate::backend::Life::Alive => {
                    done.page = Some(*now);
                    return done;
                }
                Ok(_) => {}
                Err(error) => return done.fail(error),
            }
        }
        done.fail(BackendError::Unavailable { message: last })
    }

    async fn create(&self, kind: &Kind, place: &Place, job: &Job) -> Done {
        let mut done = Done::default();
        let text = match job.body.as_ref().map(|body| &body.write) {
            Some(BodyWrite::Whole(text)) => text.as_str(),
            _ => "",
        };
        let mut properties = Properties::new();
        if let Some(id) = kind.id() {
            properties.insert(id.name.clone(), Value::Text(job.key.id.clone()));
        }
        for (name, value) in &job.values {
            if let Some(value) = value {
                properties.insert(name.clone(), value.clone());
            }
        }
        done.wrote = true;
        let mut collisions = 0;
        let page = loop {
            match self.backend.create(kind, place, &properties, text).await {
                Ok(page) => break page,
                Err(BackendError::Ambiguous { committed, .. }) => {
                    match self.find_created(kind, place, &job.key, committed).await {
                        Ok(Some(page)) => break page,
                        Ok(None) => {
                            done.unanswered = true;
                            return done;
                        }
                        Err(error) => return done.fail(error),
                    }
                }
                Err(BackendError::Collided { .. }) if collisions < BODY_ATTEMPTS => {
                    collisions += 1;
                    match self.find_created(kind, place, &job.key, None).await {
                        Ok(Some(page)) => break page,
                        Ok(None) => {}
                        Err(error) => return done.fail(error),
                    }
                }
                Err(error) => {
                    done.wrote = false;
                    return done.fail(error);
                }
            }
        };
        self.created(kind, place, job, page, done).await
    }

    /// Looks for the page of an unanswered create (rule 12).
    pub(super) async fn find_created(
        &self,
        kind: &Kind,
        place: &Place,
        key: &Key,
        committed: Option<String>,
    ) -> Result<Option<RemotePage>, BackendError> {
        if let Some(page) = committed
            && let Presence::Found(page) = self.backend.page(kind, place, &page).await?
        {
            return Ok(Some(*page));
        }
        let mut pages = self.backend.find(kind, place, std::slice::from_ref(&key.id)).await?;
        Ok(pages.pop())
    }

    /// A page that was made: its values and body, read back, are the answer to ours.
    pub(super) async fn created(
        &self,
        kind: &Kind,
        place: &Place,
        job: &Job,
        page: RemotePage,
        mut done: Done,
    ) -> Done {
        self.answered(job, &page, &mut done);
        let id = page.page.clone();
        done.page = Some(page.clone());
        let read = match self.backend.body(&id).await {
            Ok(read) => read,
            // Trashed again already; what was sent is what it held.
            Err(BackendError::NotFound { .. }) => {
                if let Some(body) = &job.body {
                    self.answer(&mut done, body, sent_text(body));
                }
                return done;
            }
            Err(error) => return done.fail(error),
        };
        let Some(body) = &job.body else { return done };
        let sent = sent_text(body);
        let digest = markdown::remote_digest(self.dialect(), &read.text);
        let mut base = read.text.clone();
        if digest != markdown::local_digest(&body.local.local()) {
            // Our text made different by the backend, or a person's edit between the two requests: only the
            // page's author tells.
            let author = match self.backend.page(kind, place, &id).await {
                Ok(Presence::Found(page)) => page.edited_by.clone(),
                Ok(Presence::NotFound) => None,
                Err(error) => return done.fail(error),
            };
            if author.as_deref() != Some(self.bot.as_str()) {
                base = sent.to_owned();
            }
        }
        self.answer(&mut done, body, &base);
        let seen = Seen {
            edited: Some(page.edited),
            read: Some(minute(read.began)),
            wrote: None,
            text: Some(text_id(read.text.as_bytes())),
            digest: Some(digest),
        };
        done.seen = Some((seen, read.text));
        done
    }

    fn answer(&self, done: &mut Done, body: &BodyJob, base: &str) {
        let digest = markdown::remote_digest(self.dialect(), base);
        let empty = digest == markdown::empty_digest();
        let remote = body_content(&digest, &text_id(base.as_bytes()), empty);
        done.texts.push(base.to_owned());
        done.pairs.insert(Stretch::Body, Pair { local: body.local.content(), remote });
    }

    /// Relations are kept by artifact id on both sides; every other value is what was sent.
    fn shown(&self, local: &Option<Content>, sent: &Option<Value>) -> Option<Content> {
        match local {
            Some(Content::Value(Value::Set(_))) => local.clone(),
            _ => sent.clone().map(Content::Value),
        }
    }

    async fn edit(&self, kind: &Kind, place: &Place, job: &Job) -> Done {
        let mut done = Done::default();
        let page = job.page.as_deref().unwrap_or_default();
        if !job.values.is_empty() {
            match self.properties(kind, place, page, job, &mut done).await {
                Err(BackendError::NotFound { .. }) => return left(done, job),
                Err(error) => return done.fail(error),
                Ok(()) => {}
            }
        }
        if let Some(body) = &job.body {
            match self.body(page, body, &mut done).await {
                Err(BackendError::NotFound { .. }) => return left(done, job),
                Err(error) => return done.fail(error),
                Ok(()) => {}
            }
        }
        done
    }

    /// Properties have no condition in the API: read again, write only what is still as it was (rule 2).
    async fn properties(
        &self,
        kind: &Kind,
        place: &Place,
        page: &str,
        job: &Job,
        done: &mut Done,
    ) -> Result<(), BackendError> {
        let mut open = job.values.clone();
        for _ in 0..BODY_ATTEMPTS {
            let now = match self.backend.page(kind, place, page).await? {
                Presence::Found(now) if now.life == crate::backend::Life::Alive => *now,
                _ => {
                    done.stale.extend(open.keys().map(|name| Stretch::Property(name.clone())));
                    return Ok(());
                }
            };
            let mut write = BTreeMap::new();
            for (name, value) in &open {
                let there = now.properties.get(name);
                if there == value.as_ref() {
                    self.wrote(job, name, value, done);
                } else if there == job.expected.get(name) {
                    write.insert(name.clone(), value.clone());
                } else {
                    done.stale.insert(Stretch::Property(name.clone()));
                }
            }
            if write.is_empty() {
                done.page.get_or_insert(now);
                return Ok(());
            }
            done.wrote = true;
            match self.backend.set_properties(kind, place, page, &write).await {
                Ok(answer) => {
                    let answered = write
                        .iter()
                        .filter(|(name, value)| answer.properties.get(*name) == value.as_ref());
                    answered.for_each(|(name, value)| self.wrote(job, name, value, done));
                    done.page = Some(answer);
                    return Ok(());
                }
                // Whether it was written is seen by reading again.
                Err(BackendError::Ambiguous { .. } | BackendError::Collided { .. }) => open = write,
                Err(BackendError::Stale { .. }) => {
                    done.stale.extend(write.keys().map(|name| Stretch::Property(name.clone())));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Err(BackendError::Unavailable {
            message: format!("The properties of {} could not be written.", job.key),
        })
    }

    /// Pairs of what was sent and is in the answer.
    pub(super) fn answered(&self, job: &Job, answer: &RemotePage, done: &mut Done) {
        for (name, value) in &job.values {
            if answer.properties.get(name) == value.as_ref() {
                self.wrote(job, name, value, done);
            }
        }
    }

    fn wrote(&self, job: &Job, name: &str, value: &Option<Value>, done: &mut Done) {
        if job.late.contains(name) {
            return;
        }
        let local = job.local_values.get(name).cloned().flatten();
        let remote = self.shown(&local, value);
        done.pairs.insert(Stretch::Property(name.to_owned()), Pair { local, remote });
    }

    async fn body(&self, page: &str, job: &BodyJob, done: &mut Done) -> Result<(), BackendError> {
        let mut job = job.clone();
        let mut attempt = 0;
        loop {
            let answer = match &job.write {
                BodyWrite::Nothing => {
                    // What differs is only what the backend alone can hold: the pair is as equal as it can be.
                    self.answer(done, &job, &job.before);
                    return Ok(());
                }
                BodyWrite::Whole(text) => {
                    done.wrote = true;
                    self.backend.append_body(page, text).await
                }
                BodyWrite::Edit(hunks) => {
                    done.wrote = true;
                    self.backend.edit_body(page, hunks.get(..HUNKS).unwrap_or(hunks)).await
                }
            };
            let (now, answered) = match answer {
                Ok(read) => (read, true),
                Err(BackendError::Collided { .. }) => (self.backend.body(page).await?, false),
                Err(BackendError::Ambiguous { .. }) => {
                    let mut now = self.backend.body(page).await?;
                    if now.text == job.before {
                        // It may still take effect (rule 12). An append repeated too early would be there twice,
                        // and so would a hunk whose new text holds its old one.
                        self.settle().await?;
                        now = self.backend.body(page).await?;
                    }
                    (now, false)
                }
                Err(BackendError::Stale { message }) => {
                    let now = self.backend.body(page).await?;
                    if now.text == job.before {
                        done.trouble = Some(message);
                        return Ok(());
                    }
                    done.stale.insert(Stretch::Body);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            match self.judge(&job, &now, answered) {
                Verdict::Done { base, unexpected } => {
                    self.answer(done, &job, &base);
                    let seen = Seen {
                        edited: None,
                        read: None,
                        // A read back after a lost answer proves the text, not that it was our last word.
                        wrote: (answered && !unexpected).then(|| minute(now.began)),
                        digest: Some(markdown::remote_digest(self.dialect(), &now.text)),
                        text: Some(text_id(now.text.as_bytes())),
                    };
                    done.seen = Some((seen, now.text));
                    return Ok(());
                }
                Verdict::Rest { base, hunks, progress }
                    if progress || attempt + 1 < BODY_ATTEMPTS =>
                {
                    attempt = if progress { 0 } else { attempt + 1 };
                    // What is left is sent against the text that we know, never against somebody's edit.
                    job.before = base;
                    job.write = BodyWrite::Edit(hunks);
                }
                Verdict::Again if attempt + 1 < BODY_ATTEMPTS => attempt += 1,
                Verdict::Rest { .. } | Verdict::Again | Verdict::Stale => {
                    done.stale.insert(Stretch::Body);
                    return Ok(());
                }
            }
        }
    }

    fn judge(&self, job: &BodyJob, now: &BodyRead, answered: bool) -> Verdict {
        let dialect = self.dialect();
        let local = markdown::local_digest(&job.local.local());
        if now.complete && markdown::remote_digest(dialect, &now.text) == local {
            return Verdict::Done { base: now.text.clone(), unexpected: false };
        }
        match &job.write {
            BodyWrite::Nothing => Verdict::Stale,
            BodyWrite::Whole(text) => {
                let end = job.before.len();
                let hunk = Hunk { at: end..end, old: String::new(), new: text.clone() };
                let answer = markdown::read_answer(dialect, &job.before, &[hunk], &now.text);
                match answer.applied.as_slice() {
                    [true] => Verdict::Done { base: answer.base, unexpected: answer.unexpected },
                    _ if !answered && now.text == job.before => Verdict::Again,
                    // Somebody else's words stand in ours: the base is what we sent.
                    _ if answered => Verdict::Done { base: text.clone(), unexpected: true },
                    _ => Verdict::Stale,
                }
            }
            BodyWrite::Edit(hunks) => {
                let sent = hunks.get(..HUNKS).unwrap_or(hunks);
                let answer = match answered {
                    true => markdown::read_answer(dialect, &job.before, sent, &now.text),
                    false => match markdown::recover(dialect, &job.before, sent, &now.text) {
                        Recovery::Applied(answer) => answer,
                        Recovery::NotApplied => return Verdict::Again,
                        Recovery::Unclear => return Verdict::Stale,
                    },
                };
                let whole = answer.applied.iter().all(|applied| *applied);
                if !whole && answer.unexpected {
                    return Verdict::Stale;
                }
                let applied = answer.applied.iter().copied().chain(std::iter::repeat(false));
                let rest: Vec<&Hunk> = hunks
                    .iter()
                    .zip(applied)
                    .filter_map(|(hunk, applied)| (!applied).then_some(hunk))
                    .collect();
                if rest.is_empty() {
                    return Verdict::Done { base: answer.base, unexpected: answer.unexpected };
                }
                let progress = rest.len() < hunks.len();
                match rest.iter().map(|hunk| placed(hunk, &answer.base)).collect() {
                    Some(hunks) => Verdict::Rest { base: answer.base, hunks, progress },
                    None => Verdict::Stale,
                }
            }
        }
    }

    /// A page goes to the trash only as it was observed, and never with pages below it (rule 8).
    async fn trash(&self, kind: &Kind, place: &Place, job: &Job) -> Done {
        let mut last = String::new();
        for _ in 0..BODY_ATTEMPTS {
            match self.try_trash(kind, place, job).await {
                Ok(done) => return done,
                Err(message) => last = message,
            }
        }
        let done = Done { wrote: true, ..Done::default() };
        done.fail(BackendError::Unavailable { message: last })
    }

    /// One attempt; `Err` says why nothing came of it, and the page has to be looked at again (rule 13).
    async fn try_trash(&self, kind: &Kind, place: &Place, job: &Job) -> Result<Done, String> {
        let mut done = Done::default();
        let page = job.page.as_deref().unwrap_or_default();
        let check = async {
            let now = self.backend.page(kind, place, page).await?;
            let body = self.backend.body(page).await?;
            Ok::<_, BackendError>((now, body))
        };
        let (now, body) = match check.await {
            Ok(read) => read,
            Err(BackendError::NotFound { .. }) => {
                done.stale.insert(Stretch::Body);
                return Ok(done);
            }
            Err(error) => return Ok(done.fail(error)),
        };
        let Presence::Found(now) = now else {
            done.stale.insert(Stretch::Body);
            return Ok(done);
        };
        let digest = markdown::remote_digest(self.dialect(), &body.text);
        if job.digest.as_ref() != Some(&digest) || !as_observed(kind, job, &now) {
            done.stale.insert(Stretch::Body);
            return Ok(done);
        }
        if markdown::has_children(self.dialect(), &body.text) {
            done.trouble = Some(
                "The page has pages or databases below it; a page with children is never trashed."
                    .to_owned(),
            );
            return Ok(done);
        }
        done.wrote = true;
        match self.backend.trash(kind, place, page).await {
            Ok(trashed) if !as_observed(kind, job, &trashed) => {
                // Somebody set a property in the instant between: the deletion was not meant for that page.
                if let Err(error) = self.backend.untrash(kind, place, page).await {
                    return Ok(done.fail(error));
                }
                done.wrote = false;
                done.stale.insert(Stretch::Body);
                Ok(done)
            }
            Ok(page) => {
                done.page = Some(page);
                Ok(done)
            }
            Err(
                error @ (BackendError::Ambiguous { .. }
                | BackendError::Collided { .. }
                | BackendError::Stale { .. }),
            ) => {
                let message = error.to_string();
                match self.backend.page(kind, place, page).await {
                    // By us, or by somebody who was faster.
                    Ok(Presence::Found(now)) if now.life == crate::backend::Life::Trashed => {
                        done.page = Some(*now);
                        Ok(done)
                    }
                    Ok(_) if matches!(error, BackendError::Stale { .. }) => {
                        done.stale.insert(Stretch::Body);
                        Ok(done)
                    }
                    Ok(_) => Err(message),
                    Err(error) => Ok(done.fail(error)),
                }
            }
            Err(error) => Ok(done.fail(error)),
        }
    }

    /// Waits until the backend cannot finish an unanswered write any more.
    async fn settle(&self) -> Result<(), BackendError> {
        let until = Instant::now() + self.settle_time();
        // Short steps, so that a signal is heard.
        while Instant::now() < until {
            if let Some(reason) = self.backend.closed() {
                return Err(BackendError::Closed(reason));
            }
            tokio::time::sleep_until(until.min(Instant::now() + STEP)).await;
        }
        Ok(())
    }

    /// How long an unanswered create may still appear.
    pub(super) fn settle_time(&self) -> Duration {
        self.backend.settle_time()
    }
}

/// Whether a page that is to be trashed has the values that it was observed with.
fn as_observed(kind: &Kind, job: &Job, now: &RemotePage) -> bool {
    let relation =
        |name: &str| kind.property(name).is_some_and(|p| p.r#type == PropertyType::Relation);
    job.expected.iter().all(|(name, value)| now.properties.get(name) == Some(value))
        && now.properties.keys().all(|name| {
            job.expected.contains_key(name)
                || kind.id().is_some_and(|id| id.name == *name)
                || relation(name)
        })
}

/// The text that a page is made with.
fn sent_text(body: &BodyJob) -> &str {
    match &body.write {
        BodyWrite::Whole(text) => text,
        _ => "",
    }
}

/// The page was listed and is gone now: somebody trashed it or took it away. The next run sees which (rule 7).
fn left(mut done: Done, job: &Job) -> Done {
    let properties = job.values.keys().map(|name| Stretch::Property(name.clone()));
    let body = job.body.iter().map(|_| Stretch::Body);
    let open: Vec<Stretch> =
        properties.chain(body).filter(|stretch| !done.pairs.contains_key(stretch)).collect();
    done.stale.extend(open);
    done
}

/// A hunk at its place in a text that changed around it; nothing if its old text is not there exactly once.
fn placed(hunk: &Hunk, text: &str) -> Option<Hunk> {
    let mut places = text.match_indices(&hunk.old).map(|(at, _)| at);
    let (at, None) = (places.next()?, places.next()) else { return None };
    Some(Hunk { at: at..at + hunk.old.len(), ..hunk.clone() })
}

enum Verdict {
    Done {
        base: String,
        unexpected: bool,
    },
    /// The page is as it was before.
    Again,
    /// These did not take effect, or were not sent yet; `progress` if others did.
    Rest {
        base: String,
        hunks: Vec<Hunk>,
        progress: bool,
    },
    Stale,
}
