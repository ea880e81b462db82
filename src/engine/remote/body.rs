//! Conditional writes of one body, and what their answers prove (rules 2 and 3).

use std::sync::Arc;
use std::time::Duration;

use agent_sync_core::kind::Kind;
use agent_sync_core::markdown::{self, Hunk, Recovery};
use agent_sync_core::model::Stretch;
use agent_sync_core::plan::Pair;
use tokio::time::Instant;

use super::{BODY_ATTEMPTS, BodyJob, BodyWrite, Done, HUNKS, STEP, Sender};
use crate::backend::{BackendError, BodyRead};
use crate::engine::book::Seen;
use crate::engine::execute::write;
use crate::engine::merge::Writes;
use crate::engine::observe::{body_content, minute};

impl Sender<'_> {
    /// Proposes what the file and the page hold now; of a merge only what both are known to hold.
    pub(super) fn answer(&self, kind: &Kind, done: &mut Done, body: &BodyJob, base: &str) {
        if let (Some(merge), Some(merged)) = (&body.merge, &body.merged) {
            if let Some(made) = merge.pair(self.dialect(), merged, kind, &body.local, base) {
                made.texts.iter().for_each(|text| drop(done.keep(text)));
                done.pairs.insert(Stretch::Body, made.pair);
            }
            return;
        }
        let digest = body.local.digest_of(self.dialect(), base);
        let empty = digest == markdown::empty_digest();
        let remote = body_content(&digest, &done.keep(base), empty);
        done.pairs.insert(Stretch::Body, Pair::new(body.local.content(), remote));
    }

    pub(super) async fn body(
        &self,
        kind: &Kind,
        page: &str,
        job: &BodyJob,
        done: &mut Done,
    ) -> Result<(), BackendError> {
        let mut job = job.clone();
        let mut attempt = 0;
        loop {
            let answer = match &job.write {
                BodyWrite::Nothing => {
                    // What differs is only what the backend alone can hold: the pair is as equal as it can be.
                    self.answer(kind, done, &job, &job.before);
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
                    match self.planned_again(&job, &now.text) {
                        Some(next) if attempt + 1 < BODY_ATTEMPTS => {
                            attempt += 1;
                            job = next;
                            continue;
                        }
                        _ => {
                            done.stale.insert(Stretch::Body);
                            return Ok(());
                        }
                    }
                }
                Err(error) => return Err(error),
            };
            match self.judge(&job, &now, answered) {
                Verdict::Done { base, unexpected } => {
                    self.answer(kind, done, &job, &base);
                    let seen = Seen {
                        edited: None,
                        read: None,
                        // A read back after a lost answer proves the text, not that it was our last word.
                        wrote: (answered && !unexpected).then(|| minute(now.began)),
                        digest: Some(job.local.digest_of(self.dialect(), &now.text)),
                        text: Some(done.keep(&now.text)),
                    };
                    done.seen = Some(seen);
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

    /// What is left to be sent to a page that somebody edited meanwhile (rule 2). What that person changed waits for
    /// the next run; where it is what we wanted to change, that block is left as it is.
    fn planned_again(&self, job: &BodyJob, now: &str) -> Option<BodyJob> {
        let merge = job.merge.clone()?.with_remote(now);
        let merged = merge.run(self.dialect(), Writes { push: true, pull: false })?;
        Some(BodyJob {
            local: merge.local.clone(),
            before: now.to_owned(),
            write: write(&merged.push).ok()?,
            merged: Some(Arc::new(merged)),
            merge: Some(merge),
        })
    }

    fn judge(&self, job: &BodyJob, now: &BodyRead, answered: bool) -> Verdict {
        let dialect = self.dialect();
        if now.complete && job.local.digest_of(dialect, &now.text) == job.local.digest() {
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
    pub(in crate::engine) fn settle_time(&self) -> Duration {
        self.backend.settle_time()
    }
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
