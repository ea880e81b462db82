//! The lease (rule 11): one writer at a time, over all machines that share a state.
//!
//! The lease is a ref whose commits follow each other by compare-and-swap. No clock is ever compared between
//! machines: a waiter measures by its own monotonic clock how long the commit has stayed the same, and the holder
//! measures by its own how long ago its last successful renewal *began*. A waiter cannot have seen that renewal
//! before it began, so the holder's time is always up first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::backend::WriteGate;
use crate::state::{StateError, Store};

mod clock;
mod holder;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use holder::Holder;

use clock::Moment;
use holder::Record;

/// The times of rule 11. Not an option of users; tests shrink them.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From the begin of one renewal to the next.
    pub renew: Duration,
    /// A lease that has not changed for so long is free.
    pub lapse: Duration,
    /// No write starts with less than this left of our lease.
    pub margin: Duration,
    /// How long to wait for somebody else's lease.
    pub wait: Duration,
    /// Between two looks at it.
    pub poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            renew: Duration::from_secs(20),
            lapse: Duration::from_secs(60),
            margin: Duration::from_secs(30),
            wait: Duration::from_secs(90),
            poll: Duration::from_secs(3),
        }
    }
}

/// Why there is no lease (exit 4, or as the state says).
#[derive(Clone, Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run has it and did not give it back while we waited.
    #[error("{}. Try again when it is done.", describe(holder.as_deref()))]
    Held {
        /// Who has it; `None` when its record is not readable.
        holder: Option<Box<Holder>>,
    },
    /// The lease could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

fn describe(holder: Option<&Holder>) -> String {
    holder.map_or_else(
        || "another run has the lease".to_owned(),
        |Holder { run, host, since, .. }| {
            format!("the run {run} on {host} has the lease since {since}")
        },
    )
}

/// Tells whether a write may start (rule 11), and is how a run is told to stop.
#[derive(Debug)]
pub struct Gate {
    timing: Timing,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    /// Our newest commit.
    commit: String,
    sequence: u64,
    /// Begin of the last renewal that is known to have succeeded.
    renewed: Moment,
    /// Why no write may start any more: lost, released, or told to stop.
    closed: Option<String>,
    /// Somebody else has it.
    lost: bool,
}

impl Gate {
    /// Lets no further write start, for this reason (a sentence's part, as in "no write may start: …"). The first
    /// reason stays. The lease is still held and renewed, so that what is in flight can be recorded.
    pub fn stop(&self, reason: &str) {
        self.held().closed.get_or_insert_with(|| reason.to_owned());
    }

    /// Whether another run has taken the lease: then not even the state may be written.
    pub fn is_lost(&self) -> bool {
        self.held().lost
    }

    /// Time until our lease lapses; zero when it may have lapsed.
    pub fn left(&self) -> Duration {
        let held = self.held();
        if held.lost {
            Duration::ZERO
        } else {
            self.timing.lapse.saturating_sub(held.renewed.elapsed())
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Every change below is one assignment after the other of plain values: never half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteGate for Gate {
    fn may_write(&self) -> Result<(), String> {
        if let Some(reason) = &self.held().closed {
            return Err(reason.clone());
        }
        if self.left() < self.timing.margin {
            return Err("the lease could not be renewed in time".to_owned());
        }
        Ok(())
    }
}

/// The lease, held and renewed in the background. Give it back with [`Lease::release`]; when it is only dropped
/// it is no longer renewed, writes are closed, and others get it after [`Timing::lapse`].
pub struct Lease {
    keeper: Keeper,
    done: Arc<Notify>,
    task: JoinHandle<()>,
    waited: bool,
}

impl Lease {
    /// Takes the lease, waiting for another holder for at most [`Timing::wait`].
    ///
    /// # Errors
    /// [`LeaseError::Held`], or [`LeaseError::State`] when the store fails.
    pub async fn acquire(
        store: Arc<dyn Store>,
        run: &str,
        timing: Timing,
    ) -> Result<Self, LeaseError> {
        let (keeper, waited) = take(store, Holder::this_process(run), timing).await?;
        let done = Arc::new(Notify::new());
        let task = tokio::spawn({
            let (keeper, done) = (keeper.clone(), Arc::clone(&done));
            async move { keeper.keep(&done).await }
        });
        Ok(Self { keeper, done, task, waited })
    }

    /// Whether somebody else had it at the first look.
    pub fn waited(&self) -> bool {
        self.waited
    }

    /// What every write asks first.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.keeper.gate)
    }

    /// Gives the lease back, so that the next run need not wait. A lease that was lost is nobody's of ours to give.
    ///
    /// # Errors
    /// [`LeaseError::State`] when it could not be written: others get the lease when it lapses.
    pub async fn release(mut self) -> Result<(), LeaseError> {
        self.gate().stop("the lease was given back");
        self.done.notify_one();
        // A renewal in flight ends by itself: cut off, it would leave open at which commit the lease is.
        if (&mut self.task).await.is_err() {
            tracing::debug!("the renewal of the lease had ended abnormally");
        }
        self.keeper.give_back().await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.task.abort();
        self.keeper.gate.stop("the lease is no longer held");
    }
}

/// Waits until the lease is free and takes it; with whether it had to wait.
async fn take(
    store: Arc<dyn Store>,
    holder: Holder,
    timing: Timing,
) -> Result<(Keeper, bool), LeaseError> {
    let began = Instant::now();
    let mut attempt = Attempt { store, holder, timing, seen: None, tried: None };
    let mut looked = false;
    loop {
        let trouble = match attempt.take().await {
            Ok(Taken::Ours(keeper)) => return Ok((keeper, looked)),
            Ok(Taken::Theirs(holder)) => LeaseError::Held { holder },
            // While waiting an outage may pass; at the first look nobody is helped by waiting for it.
            Err(error @ StateError::Unavailable { .. }) if looked => error.into(),
            Err(error) => return Err(error.into()),
        };
        looked = true;
        let left = timing.wait.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(trouble);
        }
        tokio::time::sleep(timing.poll.min(left)).await;
    }
}

enum Taken {
    Ours(Keeper),
    Theirs(Option<Box<Holder>>),
}

/// What a waiter knows.
struct Attempt {
    store: Arc<dyn Store>,
    holder: Holder,
    timing: Timing,
    /// The commit that was there at the last look, and when it was seen first.
    seen: Option<(String, Instant)>,
    /// Begin of our first try to take it.
    tried: Option<Moment>,
}

impl Attempt {
    /// Looks once, and takes the lease if it is free.
    async fn take(&mut self) -> Result<Taken, StateError> {
        let found = self.store.lease_read().await?;
        // Counted from after the answer: what it tells was true before.
        let now = Instant::now();
        let record = found.as_ref().and_then(|found| parse(&found.content));
        let expected = found.map(|found| found.commit);
        if let (Some(record), Some(commit), Some(tried)) = (&record, &expected, self.tried)
            && record.holder == self.holder
        {
            // A try of ours whose answer was lost took effect after all.
            return Ok(Taken::Ours(self.keeper(commit.clone(), tried)));
        }
        if let Some(commit) = &expected
            && self.seen.as_ref().is_none_or(|(seen, _)| seen != commit)
        {
            self.seen = Some((commit.clone(), now));
        }
        let silent = self.seen.as_ref().is_some_and(|(_, since)| now - *since >= self.timing.lapse);
        let given_back = record.as_ref().is_some_and(|record| record.released);
        let dead = record.as_ref().is_some_and(|record| record.holder.is_dead());
        if expected.is_none() || given_back || silent || dead {
            let begin = Moment::now();
            self.tried.get_or_insert(begin);
            let content = render(&self.holder, 0, false)?;
            let write = self.store.lease_write(expected.as_deref(), &content);
            match in_time(self.timing.lapse, write).await {
                Ok(commit) => return Ok(Taken::Ours(self.keeper(commit, begin))),
                Err(StateError::Moved) => {
                    tracing::debug!("another run was faster to take the lease")
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Taken::Theirs(record.map(|record| Box::new(record.holder))))
    }

    fn keeper(&self, commit: String, renewed: Moment) -> Keeper {
        let held = Held { commit, sequence: 0, renewed, closed: None, lost: false };
        let gate = Arc::new(Gate { timing: self.timing, held: Mutex::new(held) });
        Keeper { store: Arc::clone(&self.store), holder: Arc::new(self.holder.clone()), gate }
    }
}

/// Bounds a write of the lease; one that is cut off may still take effect.
async fn in_time<T>(
    limit: Duration,
    write: impl Future<Output = Result<T, StateError>>,
) -> Result<T, StateError> {
    let late =
        |_| StateError::Unavailable { message: format!("no answer for {} s", limit.as_secs()) };
    tokio::time::timeout(limit, write).await.map_err(late)?
}

/// Renews a lease that is held.
#[derive(Clone)]
struct Keeper {
    store: Arc<dyn Store>,
    holder: Arc<Holder>,
    gate: Arc<Gate>,
}

impl Keeper {
    /// Renews until told to end, or lost. A failed renewal is tried again sooner, and even after the lapse: when
    /// it succeeds then, its compare-and-swap proves that nobody had the lease in between.
    async fn keep(&self, done: &Notify) {
        let Timing { renew, .. } = self.gate.timing;
        let mut pause = renew.saturating_sub(self.gate.held().renewed.elapsed());
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = done.notified() => return,
            }
            let began = Moment::now();
            pause = match in_time(renew, self.follow(false)).await {
                Ok(()) => {
                    self.gate.held().renewed = began;
                    renew.saturating_sub(began.elapsed())
                }
                Err(StateError::Moved) => {
                    let mut held = self.gate.held();
                    held.lost = true;
                    held.closed.get_or_insert_with(|| "another run has taken the lease".to_owned());
                    return;
                }
                Err(error) => {
                    tracing::debug!(%error, "the lease could not be renewed");
                    renew / 4
                }
            };
        }
    }

    async fn give_back(&self) -> Result<(), LeaseError> {
        if self.gate.is_lost() {
            return Ok(());
        }
        match in_time(self.gate.timing.renew, self.follow(true)).await {
            // Taken over meanwhile: it is not ours any more.
            Ok(()) | Err(StateError::Moved) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts our next record on top of our newest commit. [`StateError::Moved`]: the lease is somebody else's.
    async fn follow(&self, released: bool) -> Result<(), StateError> {
        loop {
            let (commit, sequence) = {
                let held = self.gate.held();
                (held.commit.clone(), held.sequence + 1)
            };
            let content = render(&self.holder, sequence, released)?;
            match self.store.lease_write(Some(&commit), &content).await {
                Ok(new) => {
                    let mut held = self.gate.held();
                    (held.commit, held.sequence) = (new, sequence);
                    return Ok(());
                }
                Err(StateError::Moved) => {}
                Err(error) => return Err(error),
            }
            // A renewal whose answer was lost may have taken effect late: a commit of ours is no takeover.
            let found = self.store.lease_read().await?.ok_or(StateError::Moved)?;
            let ours = parse(&found.content)
                .filter(|record| record.holder == *self.holder && found.commit != commit);
            let Some(record) = ours else { return Err(StateError::Moved) };
            let mut held = self.gate.held();
            (held.commit, held.sequence) = (found.commit, record.sequence);
        }
    }
}

/// `None` for what a newer version or somebody else wrote: held by somebody, until it is silent.
fn parse(content: &str) -> Option<Record> {
    serde_json::from_str(content).ok()
}

fn render(holder: &Holder, sequence: u64, released: bool) -> Result<String, StateError> {
    let record = Record { holder: holder.clone(), released, sequence };
    serde_json::to_string(&record)
        .map_err(|error| StateError::Failed { message: error.to_string() })
}
