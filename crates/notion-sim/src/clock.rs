//! The simulated clock.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

/// How the simulated clock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClockMode {
    /// It stands still and moves only when advanced.
    #[default]
    Frozen,
    /// It starts at the given time and moves with real time; advancing adds to that.
    Running,
}

/// The clock of a workspace.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Timestamp,
    mode: ClockMode,
    began: Instant,
    advanced: Duration,
}

impl Clock {
    pub(crate) fn new(start: Timestamp, mode: ClockMode) -> Self {
        Self { start, mode, began: Instant::now(), advanced: Duration::ZERO }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.advanced = self.advanced.saturating_add(by);
    }

    pub(crate) fn now(&self) -> Timestamp {
        let passed = match self.mode {
            ClockMode::Frozen => self.advanced,
            ClockMode::Running => self.advanced.saturating_add(self.began.elapsed()),
        };
        self.start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Time that passes in reality and by advancing, whatever the mode: what rate windows count in, since a
    /// client that was told to wait waits in real time.
    pub(crate) fn passed(&self) -> Duration {
        self.began.elapsed().saturating_add(self.advanced)
    }

    /// Now, cut to the minute as all time stamps of objects are (notion-api.md 7.1).
    pub(crate) fn minute(&self) -> Timestamp {
        cut_to_minute(self.now())
    }
}

pub(crate) fn cut_to_minute(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at)
}

/// The form of time stamps in answers, `2026-11-20T10:00:00.000Z`.
pub(crate) fn iso(at: Timestamp) -> String {
    let millis = at.subsec_millisecond();
    format!("{}.{millis:03}Z", at.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// The form of the `Date` header.
pub(crate) fn http_date(at: Timestamp) -> String {
    let seconds = u64::try_from(at.as_second()).unwrap_or(0);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
