//! Rule 11 against a hostile network: whole histories of many runs, in virtual time.
//!
//! Every read and write of the lease takes any time up to longer than a renewal may take, answers are lost,
//! writes that their sender has given up take effect later, and runs die without a word. At no moment may two
//! runs believe that they hold the lease, even without the margin before its lapse.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::state::memory::MemoryStore;
use crate::state::{LeaseCommit, LogEntry, Snapshot};

const SECOND: Duration = Duration::from_secs(1);

/// Numbers that look random and are the same for the same seed.
#[derive(Clone)]
struct Dice(Arc<(u64, AtomicU64)>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Arc::new((seed, AtomicU64::new(0))))
    }

    fn below(&self, limit: u64) -> u64 {
        let throw = self.0.1.fetch_add(1, Ordering::Relaxed);
        BuildHasherDefault::<DefaultHasher>::default().hash_one((self.0.0, throw)) % limit
    }

    /// Mostly short, sometimes up to `limit` milliseconds.
    async fn delay(&self, limit: u64) {
        let range = if self.below(4) == 0 { limit } else { 300 };
        tokio::time::sleep(Duration::from_millis(self.below(range))).await;
    }
}

/// The lease behind a bad network. The rest of the store is not used.
struct FarStore {
    store: MemoryStore,
    dice: Dice,
    /// Until then nothing goes out of this machine.
    offline: Mutex<Instant>,
}

impl FarStore {
    /// Sometimes the network goes away for minutes.
    async fn reach(&self) -> Result<(), StateError> {
        if self.dice.below(10) == 0 {
            let length = Duration::from_millis(self.dice.below(200_000));
            *self.offline.lock().unwrap() = Instant::now() + length;
        }
        if Instant::now() < *self.offline.lock().unwrap() {
            tokio::time::sleep(SECOND).await;
            return Err(Self::lost());
        }
        Ok(())
    }

    fn lost() -> StateError {
        StateError::Unavailable { message: "the answer was lost".to_owned() }
    }
}

#[async_trait]
impl Store for FarStore {
    async fn load(&self) -> Result<Snapshot, StateError> {
        self.store.load().await
    }

    async fn reload(&self) -> Result<Snapshot, StateError> {
        self.store.reload().await
    }

    async fn read_many(
        &self,
        at: &Snapshot,
        paths: &[String],
    ) -> Result<BTreeMap<String, Vec<u8>>, StateError> {
        self.store.read_many(at, paths).await
    }

    async fn list(&self, at: &Snapshot, dir: &str) -> Result<Vec<String>, StateError> {
        self.store.list(at, dir).await
    }

    async fn commit(
        &self,
        parent: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        self.store.commit(parent, message, change).await
    }

    async fn restart(
        &self,
        from: &Snapshot,
        message: &str,
        change: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Snapshot, StateError> {
        self.store.restart(from, message, change).await
    }

    async fn history(&self, at: &Snapshot, limit: usize) -> Result<Vec<LogEntry>, StateError> {
        self.store.history(at, limit).await
    }

    async fn lease_read(&self) -> Result<Option<LeaseCommit>, StateError> {
        self.reach().await?;
        self.dice.delay(15_000).await;
        let answer = self.store.lease_read().await;
        self.dice.delay(15_000).await;
        if self.dice.below(20) == 0 { Err(Self::lost()) } else { answer }
    }

    async fn lease_write(
        &self,
        expected: Option<&str>,
        content: &str,
    ) -> Result<String, StateError> {
        self.reach().await?;
        let (store, dice) = (self.store.clone(), self.dice.clone());
        let (expected, content) = (expected.map(str::to_owned), content.to_owned());
        // A task of its own: the request goes on when its sender stops waiting.
        let request = tokio::spawn(async move {
            dice.delay(40_000).await;
            let answer = store.lease_write(expected.as_deref(), &content).await;
            dice.delay(40_000).await;
            answer
        });
        let answer = request.await.map_err(|_| Self::lost())?;
        if self.dice.below(8) == 0 { Err(Self::lost()) } else { answer }
    }
}

/// Four machines that run again and again for three hours. Gives how often the lease was taken.
async fn history(seed: u64) -> u64 {
    let dice = Dice::new(seed);
    let store = MemoryStore::default();
    let gates: Arc<Mutex<Vec<Arc<Gate>>>> = Arc::default();
    let taken = Arc::new(AtomicU64::new(0));
    let machines = (0..4).map(|_| {
        let (dice, gates, taken) = (dice.clone(), Arc::clone(&gates), Arc::clone(&taken));
        let offline = Mutex::new(Instant::now());
        let store = Arc::new(FarStore { store: store.clone(), dice: dice.clone(), offline });
        tokio::spawn(async move {
            loop {
                dice.delay(30_000).await;
                let lease = Lease::acquire(store.clone(), "run", Timing::default()).await;
                let Ok(lease) = lease else { continue };
                taken.fetch_add(1, Ordering::Relaxed);
                gates.lock().unwrap().push(lease.gate());
                tokio::time::sleep(Duration::from_millis(dice.below(400_000))).await;
                if dice.below(3) == 0 {
                    // The process died: it closes nothing and gives nothing back.
                    lease.task.abort();
                    std::mem::forget(lease);
                } else {
                    drop(lease.release().await);
                }
            }
        })
    });
    let machines: Vec<_> = machines.collect();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3 * 3600) {
        tokio::time::sleep(SECOND).await;
        let believes = |gate: &&Arc<Gate>| gate.held().closed.is_none() && !gate.left().is_zero();
        let mut gates = gates.lock().unwrap();
        gates.retain(|gate| gate.held().closed.is_none());
        let holders = gates.iter().filter(believes).count();
        assert!(holders <= 1, "seed {seed}: {holders} holders after {:?}", began.elapsed());
    }
    machines.iter().for_each(JoinHandle::abort);
    taken.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn rule_11_at_no_moment_do_two_runs_hold_the_lease() {
    for seed in 0..3 {
        let taken = history(seed).await;
        assert!(taken > 10, "seed {seed}: the lease was taken {taken} times only");
    }
}
