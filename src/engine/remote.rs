//! Execution on the backend: conditional writes, proved by their answers (rules 2, 3, 12, 13, 16).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use agent_sync_core::canonical::Date;
use agent_sync_core::kind::{Kind, PropertyType};
use agent_sync_core::markdown::{Dialect, Hunk, Merged};
use agent_sync_core::model::{Key, Properties, Stretch, Value};
use agent_sync_core::plan::{Content, Pair};

use super::book::{Seen, text_id};
use super::file::FileText;
use super::merge::BodyMerge;
use crate::backend::{Backend, BackendError, Place, Presence, RemotePage};

mod body;
mod life;

/// Attempts at one body: the first and two after a new reading (rule 2).
const BODY_ATTEMPTS: usize = 3;
/// Between two looks at the gate while waiting.
const STEP: Duration = Duration::from_millis(200);
/// Hunks that one request takes.
const HUNKS: usize = 100;

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
    /// The file as it will be after the run.
    pub local: FileText,
    /// The page's text as read.
    pub before: String,
    /// What to send.
    pub write: BodyWrite,
    /// Where both sides come from, to plan again when somebody edits the page meanwhile.
    pub merge: Option<BodyMerge>,
    /// The plan, where both sides changed: only a part of the texts may be agreed by it.
    pub merged: Option<Arc<Merged>>,
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
    pub seen: Option<Seen>,
    /// Texts that these name, with their ids.
    pub texts: Vec<(String, String)>,
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
    /// Keeps a text and gives its id.
    fn keep(&mut self, text: &str) -> String {
        if let Some((id, _)) = self.texts.iter().find(|(_, known)| known == text) {
            return id.clone();
        }
        let id = text_id(text.as_bytes());
        self.texts.push((id.clone(), text.to_owned()));
        id
    }

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
            match self.body(kind, page, body, &mut done).await {
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
                    for (name, value) in &write {
                        self.answer_of(kind, job, name, value, &answer, done);
                    }
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
    pub(super) fn answered(&self, kind: &Kind, job: &Job, answer: &RemotePage, done: &mut Done) {
        for (name, value) in &job.values {
            self.answer_of(kind, job, name, value, answer, done);
        }
    }

    fn answer_of(
        &self,
        kind: &Kind,
        job: &Job,
        name: &str,
        value: &Option<Value>,
        answer: &RemotePage,
        done: &mut Done,
    ) {
        let there = answer.properties.get(name);
        // What the backend makes of our writing is the answer to it (rule 3).
        let made = || match (kind.property(name)?.r#type, value, there?) {
            // A status that is cleared takes its default.
            (PropertyType::Status, None, _) => Some(()),
            (PropertyType::Date, Some(Value::Text(sent)), Value::Text(there)) => {
                let (sent, there) = (Date::parse(sent).ok()?, Date::parse(there).ok()?);
                sent.may_show_as(&there).then_some(())
            }
            _ => None,
        };
        if there == value.as_ref() || made().is_some() {
            self.wrote(job, name, &there.cloned(), done);
        }
    }

    /// Relations are kept by artifact id on both sides; every other value is what was sent.
    fn shown(&self, local: &Option<Content>, sent: &Option<Value>) -> Option<Content> {
        match local {
            Some(Content::Value(Value::Set(_))) => local.clone(),
            _ => sent.clone().map(Content::Value),
        }
    }

    fn wrote(&self, job: &Job, name: &str, value: &Option<Value>, done: &mut Done) {
        if job.late.contains(name) {
            return;
        }
        let local = job.local_values.get(name).cloned().flatten();
        let remote = self.shown(&local, value);
        done.pairs.insert(Stretch::Property(name.to_owned()), Pair::new(local, remote));
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
