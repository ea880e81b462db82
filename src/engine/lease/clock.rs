//! Elapsed time that counts the sleep of the machine.

use std::time::Duration;

use tokio::time::Instant;

/// A moment on this machine's monotonic clocks.
///
/// tokio's clock stands still while a laptop sleeps, and meanwhile others may take over a lease; so the time that
/// a *holder* counts is the longer of that clock's and the one's that goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    awake: Instant,
    boot: Option<Duration>,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { awake: Instant::now(), boot: since_boot() }
    }

    /// Time since then, sleep included.
    pub(super) fn elapsed(self) -> Duration {
        let awake = self.awake.elapsed();
        let boot = self.boot.and_then(|then| since_boot()?.checked_sub(then));
        boot.map_or(awake, |boot| boot.max(awake))
    }
}

/// A clock that counts the time asleep (`CLOCK_BOOTTIME` in clock_gettime(2)), where there is one.
#[cfg(target_os = "linux")]
fn since_boot() -> Option<Duration> {
    rustix::time::clock_gettime(rustix::time::ClockId::Boottime).try_into().ok()
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> Option<Duration> {
    None
}
