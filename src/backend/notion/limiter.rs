//! The request window of one connection, shared by the whole process.
//!
//! Notion allows so many requests in any 60 seconds, at any pace (request-limits). It counts a request at some
//! moment between our sending it and its answer, so a request occupies its place from the sending until 60
//! seconds after the answer; then no window of the server's can hold more than the limit, whatever the latency,
//! and nothing waits while there is room.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Length of the server's window.
const WINDOW: Duration = Duration::from_secs(60);

/// What the window is taken longer for: the server counts by another clock than ours.
const MARGIN: Duration = Duration::from_millis(250);

/// Requests under way at the same time: enough that latency is not the limit.
const IN_FLIGHT: usize = 16;

/// Nobody waits for a pause that is longer.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The server wants a longer pause than anybody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PausedTooLong {
    /// What is left of the pause.
    pub(super) left: Duration,
}

/// Gives out permits to send, first come first served.
pub(super) struct Limiter {
    limit: usize,
    /// Fair, and held by the one who is next; the others queue behind it.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    in_flight: usize,
    /// When each answered request leaves the window, in order.
    leaving: VecDeque<Instant>,
    paused_until: Option<Instant>,
    waited: Duration,
}

enum Entry {
    Entered,
    /// The window is full or the queue paused until then.
    WaitUntil(Instant),
    /// Too many are under way.
    WaitForAnswer,
    TooLong(PausedTooLong),
}

impl Limiter {
    /// A limiter for `limit` requests in 60 seconds (at least 1).
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX).max(1),
            turn: tokio::sync::Mutex::new(()),
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Waits for room. The permit is held until the answer is there.
    pub(super) async fn acquire(&self) -> Result<Permit<'_>, PausedTooLong> {
        let _turn = self.turn.lock().await;
        loop {
            let entry = self.enter();
            match entry {
                Entry::Entered => return Ok(Permit { limiter: self, sent: true }),
                Entry::TooLong(error) => return Err(error),
                Entry::WaitForAnswer => self.changed.notified().await,
                Entry::WaitUntil(until) => {
                    let from = Instant::now();
                    tokio::time::sleep_until(until).await;
                    self.state().waited += from.elapsed();
                }
            }
        }
    }

    /// Nothing is sent for so long: the server said so to one of us.
    pub(super) fn pause(&self, duration: Duration) {
        let until = Instant::now() + duration;
        let mut state = self.state();
        state.paused_until = state.paused_until.max(Some(until));
    }

    /// Time that the queue stood still for the window or a pause.
    pub(super) fn waited(&self) -> Duration {
        self.state().waited
    }

    fn enter(&self) -> Entry {
        let mut state = self.state();
        let now = Instant::now();
        if let Some(until) = state.paused_until.filter(|until| *until > now) {
            let left = until - now;
            return if left > LONGEST_PAUSE {
                Entry::TooLong(PausedTooLong { left })
            } else {
                Entry::WaitUntil(until)
            };
        }
        while state.leaving.front().is_some_and(|leaves| *leaves <= now) {
            state.leaving.pop_front();
        }
        if state.in_flight >= IN_FLIGHT.min(self.limit) {
            return Entry::WaitForAnswer;
        }
        if state.in_flight + state.leaving.len() >= self.limit
            && let Some(leaves) = state.leaving.front()
        {
            return Entry::WaitUntil(*leaves);
        }
        state.in_flight += 1;
        Entry::Entered
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to send one request. Dropped when its answer is there, or when none will come.
pub(super) struct Permit<'a> {
    limiter: &'a Limiter,
    sent: bool,
}

impl Permit<'_> {
    /// Gives the place back: nothing was sent.
    pub(super) fn give_back(mut self) {
        self.sent = false;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        if self.sent {
            state.leaving.push_back(Instant::now() + WINDOW + MARGIN);
        }
        drop(state);
        self.limiter.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Sends `count` requests at once, each answered after `latency(n)`; gives (sent, answered) of each since the
    /// start, in order of sending.
    async fn run(
        limit: u32,
        count: usize,
        latency: impl Fn(usize) -> Duration,
    ) -> Vec<(Duration, Duration)> {
        let limiter = Arc::new(Limiter::new(limit));
        let start = Instant::now();
        let tasks: Vec<_> = (0..count)
            .map(|n| {
                let (limiter, latency) = (Arc::clone(&limiter), latency(n));
                tokio::spawn(async move {
                    let _permit = limiter.acquire().await.unwrap();
                    let sent = start.elapsed();
                    tokio::time::sleep(latency).await;
                    (sent, start.elapsed())
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.push(task.await.unwrap());
        }
        times.sort();
        times
    }

    #[tokio::test(start_paused = true)]
    async fn bursts_fill_the_window_and_nothing_idles_while_there_is_room() {
        let times = run(180, 2 * 180 + 5, |_| Duration::ZERO).await;
        let step = WINDOW + MARGIN;
        for (n, (sent, _)) in times.iter().enumerate() {
            // Timers of tokio are rounded up to the millisecond.
            let optimal = step * u32::try_from(n / 180).unwrap();
            assert!(
                *sent >= optimal && *sent <= optimal + Duration::from_millis(3),
                "{n}: {sent:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_of_the_server_holds_more_than_the_limit_whatever_the_latency() {
        for seed in 0..20_u64 {
            let latency = |n: usize| {
                let mixed =
                    (n as u64 + 1).wrapping_mul(6_364_136_223_846_793_005).rotate_left(17) ^ seed;
                Duration::from_millis(mixed % 45_000)
            };
            let times = run(7, 40, latency).await;
            // The server counts a request anywhere in [sent, answered]: what could share a window with request n
            // is what was sent before and answered less than 60 s before n was sent.
            for (n, (sent, _)) in times.iter().enumerate() {
                let together =
                    times[..n].iter().filter(|(_, answered)| *answered + WINDOW > *sent).count()
                        + 1;
                assert!(together <= 7, "seed {seed}: {together} in one window at {sent:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_sixteen_are_under_way() {
        let times = run(180, 64, |_| Duration::from_secs(1)).await;
        for (n, (sent, _)) in times.iter().enumerate() {
            assert_eq!(sent.as_secs(), (n / IN_FLIGHT) as u64);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_stops_everybody_and_is_not_shortened() {
        let limiter = Limiter::new(180);
        let start = Instant::now();
        limiter.pause(Duration::from_secs(20));
        limiter.pause(Duration::from_secs(5));
        drop(limiter.acquire().await.unwrap());
        assert_eq!(start.elapsed().as_secs(), 20);
        assert_eq!(limiter.waited().as_secs(), 20);
        limiter.pause(LONGEST_PAUSE + Duration::from_secs(1));
        assert!(limiter.acquire().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn first_come_first_served() {
        let limiter = Arc::new(Limiter::new(1));
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let (limiter, order) = (Arc::clone(&limiter), Arc::clone(&order));
                tokio::spawn(async move {
                    let _permit = limiter.acquire().await.unwrap();
                    order.lock().unwrap().push(n);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_was_given_back_is_free_at_once() {
        let limiter = Limiter::new(1);
        limiter.acquire().await.unwrap().give_back();
        let start = Instant::now();
        drop(limiter.acquire().await.unwrap());
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
