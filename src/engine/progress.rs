//! How far a run is, for whoever watches.

/// What a run is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting until no other run writes (rule 11).
    Waiting,
    /// Listing databases.
    Listing,
    /// Reading the bodies of pages.
    Reading,
    /// Writing pages.
    Sending,
    /// Writing files.
    Files,
}

/// Is told how far a run is. Called between requests, so it has to be quick.
pub trait Progress: Send + Sync {
    /// `done` of `total` items of this phase are done; a total of 0 is one that nobody knows.
    fn at(&self, phase: Phase, done: usize, total: usize);
}

/// Nobody watches.
impl Progress for () {
    fn at(&self, _: Phase, _: usize, _: usize) {}
}
