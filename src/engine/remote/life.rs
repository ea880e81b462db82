//! Making, trashing and reviving of pages (rules 7, 8 and 12).

use agent_sync_core::kind::{Kind, PropertyType};
use agent_sync_core::markdown;
use agent_sync_core::model::{Key, Properties, Stretch, Value};

use super::{BODY_ATTEMPTS, BodyJob, BodyWrite, Done, Job, Sender};
use crate::backend::{BackendError, Place, Presence, RemotePage};
use crate::engine::book::Seen;
use crate::engine::observe::minute;

impl Sender<'_> {
    pub(super) async fn create(&self, kind: &Kind, place: &Place, job: &Job) -> Done {
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
    pub(in crate::engine) async fn find_created(
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
    pub(in crate::engine) async fn created(
        &self,
        kind: &Kind,
        place: &Place,
        job: &Job,
        page: RemotePage,
        mut done: Done,
    ) -> Done {
        self.answered(kind, job, &page, &mut done);
        let id = page.page.clone();
        done.page = Some(page.clone());
        let read = match self.backend.body(&id).await {
            Ok(read) => read,
            // Trashed again already; what was sent is what it held.
            Err(BackendError::NotFound { .. }) => {
                if let Some(body) = &job.body {
                    self.answer(kind, &mut done, body, sent_text(body));
                }
                return done;
            }
            Err(error) => return done.fail(error),
        };
        let Some(body) = &job.body else { return done };
        let sent = sent_text(body);
        let digest = body.local.digest_of(self.dialect(), &read.text);
        let mut base = read.text.as_str();
        if digest != body.local.digest() {
            // Our text made different by the backend, or a person's edit between the two requests: only the
            // page's author tells.
            let author = match self.backend.page(kind, place, &id).await {
                Ok(Presence::Found(page)) => page.edited_by.clone(),
                Ok(Presence::NotFound) => None,
                Err(error) => return done.fail(error),
            };
            if author.as_deref() != Some(self.bot.as_str()) {
                base = sent;
            }
        }
        self.answer(kind, &mut done, body, base);
        let seen = Seen {
            edited: Some(page.edited),
            read: Some(minute(read.began)),
            wrote: None,
            text: Some(done.keep(&read.text)),
            digest: Some(digest),
        };
        done.seen = Some(seen);
        done
    }

    pub(super) async fn revive(&self, kind: &Kind, place: &Place, job: &Job) -> Done {
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

    /// A page goes to the trash only as it was observed, and never with pages below it (rule 8).
    pub(super) async fn trash(&self, kind: &Kind, place: &Place, job: &Job) -> Done {
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
}

/// Whether a page that is to be trashed has the values that it was observed with.
fn as_observed(kind: &Kind, job: &Job, now: &RemotePage) -> bool {
    let passed_over = |name: &str| {
        kind.property(name)
            .is_some_and(|p| p.r#type == PropertyType::Relation || p.r#type.is_read_only())
    };
    job.expected.iter().all(|(name, value)| now.properties.get(name) == Some(value))
        && now.properties.keys().all(|name| {
            job.expected.contains_key(name)
                || kind.id().is_some_and(|id| id.name == *name)
                || passed_over(name)
        })
}

/// The text that a page is made with.
fn sent_text(body: &BodyJob) -> &str {
    match &body.write {
        BodyWrite::Whole(text) => text,
        _ => "",
    }
}
