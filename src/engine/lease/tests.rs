//! Rule 11, on tokio's paused clock: hours pass in no time, and nothing depends on the machine's clock.

use super::*;
use crate::repo::git::testing::TestRepo;
use crate::state::GitStore;
use crate::state::memory::{LeaseFault, MemoryStore};

const SECOND: Duration = Duration::from_secs(1);

async fn acquire(store: &MemoryStore, run: &str) -> Result<Lease, LeaseError> {
    Lease::acquire(Arc::new(store.clone()), run, Timing::default()).await
}

async fn record(store: &MemoryStore) -> Record {
    parse(&store.lease_read().await.unwrap().unwrap().content).unwrap()
}

/// Leaves a lease of a process that nobody can ask about.
async fn leave_foreign_lease(store: &MemoryStore) -> String {
    let content = "{\"run\":\"77\",\"host\":\"far-away\",\"since\":\"2026-11-22T10:00:00Z\",\"pid\":1,\
                   \"nonce\":1,\"released\":false,\"sequence\":4,\"later\":\"unknown\"}";
    assert!(parse(content).is_some(), "unknown fields are no trouble");
    store.lease_write(None, content).await.unwrap()
}

fn held_by(error: LeaseError) -> Option<String> {
    match error {
        LeaseError::Held { holder } => holder.map(|holder| holder.run),
        LeaseError::State(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_second_run_waits_90_seconds_and_then_says_who_holds_it() {
    let store = MemoryStore::default();
    let one = acquire(&store, "one").await.unwrap();
    let began = Instant::now();
    let error = acquire(&store, "two").await.err().unwrap();
    assert_eq!(began.elapsed(), 90 * SECOND);
    let text = error.to_string();
    assert!(
        text.starts_with("the run one on ") && text.ends_with(". Try again when it is done."),
        "{text}"
    );
    assert_eq!(held_by(error).as_deref(), Some("one"));
    assert!(one.gate().may_write().is_ok(), "renewed all the while");
    assert_eq!(record(&store).await.sequence, 4, "every 20 s");
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_released_lease_is_free_at_once() {
    let store = MemoryStore::default();
    let one = acquire(&store, "one").await.unwrap();
    let gate = one.gate();
    one.release().await.unwrap();
    assert!(gate.may_write().is_err());
    assert!(record(&store).await.released);
    let began = Instant::now();
    let two = acquire(&store, "two").await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(record(&store).await.holder.run, "two");
    two.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_waiter_gets_the_lease_soon_after_its_release() {
    let store = MemoryStore::default();
    let one = acquire(&store, "one").await.unwrap();
    let two = tokio::spawn({
        let store = store.clone();
        async move { acquire(&store, "two").await }
    });
    tokio::time::sleep(10 * SECOND).await;
    let began = Instant::now();
    one.release().await.unwrap();
    two.await.unwrap().unwrap();
    assert!(began.elapsed() <= Timing::default().poll);
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_silent_lease_is_taken_over_after_60_seconds_of_the_waiters_own_clock() {
    let store = MemoryStore::default();
    leave_foreign_lease(&store).await;
    let began = Instant::now();
    let lease = acquire(&store, "two").await.unwrap();
    assert_eq!(began.elapsed(), 60 * SECOND);
    assert!(lease.gate().may_write().is_ok());
    assert_eq!(record(&store).await.holder.run, "two");
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_lease_that_moves_is_not_silent_whatever_its_record_says() {
    let store = MemoryStore::default();
    let mut commit = store.lease_write(None, "not a record").await.unwrap();
    let waiter = tokio::spawn({
        let store = store.clone();
        async move { acquire(&store, "two").await }
    });
    for _ in 0..2 {
        tokio::time::sleep(50 * SECOND).await;
        commit = store.lease_write(Some(&commit), "not a record").await.unwrap();
    }
    assert_eq!(held_by(waiter.await.unwrap().err().unwrap()), None);
}

#[tokio::test(start_paused = true)]
async fn rule_11_of_many_waiters_one_takes_a_silent_lease() {
    let store = MemoryStore::default();
    leave_foreign_lease(&store).await;
    let runs = ["a", "b", "c", "d"].map(|run| acquire(&store, run));
    let results = futures::future::join_all(runs).await;
    let winners: Vec<_> = results.iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    let holder = record(&store).await.holder.run;
    for error in results.into_iter().filter_map(Result::err) {
        assert_eq!(held_by(error).as_deref(), Some(holder.as_str()));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn rule_11_a_dead_process_on_this_boot_does_not_hold_anybody_up() {
    let store = MemoryStore::default();
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let mut dead = serde_json::to_value(Holder::this_process("dead")).unwrap();
    dead["pid"] = child.id().into();
    child.kill().unwrap();
    child.wait().unwrap();
    let holder: Holder = serde_json::from_value(dead).unwrap();
    store.lease_write(None, &render(&holder, 9, false).unwrap()).await.unwrap();
    let began = Instant::now();
    acquire(&store, "two").await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_lost_lease_closes_the_gate() {
    let store = MemoryStore::default();
    let lease = acquire(&store, "one").await.unwrap();
    let gate = lease.gate();
    let current = store.lease_read().await.unwrap().unwrap().commit;
    store.lease_write(Some(&current), "somebody else").await.unwrap();
    assert!(gate.may_write().is_ok(), "not known yet");
    tokio::time::sleep(21 * SECOND).await;
    assert_eq!(gate.may_write(), Err("another run has taken the lease".to_owned()));
    assert!(gate.is_lost());
    assert_eq!(gate.left(), Duration::ZERO);
    lease.release().await.unwrap();
    assert_eq!(
        store.lease_read().await.unwrap().unwrap().content,
        "somebody else",
        "not ours to release"
    );
}

#[tokio::test(start_paused = true)]
async fn rule_11_no_write_starts_less_than_30_seconds_before_the_lapse() {
    let store = MemoryStore::default();
    let lease = acquire(&store, "one").await.unwrap();
    let gate = lease.gate();
    // The renewals at 20, 25, 30, 35 and 40 s fail.
    store.fail_lease(&[LeaseFault::Before; 5]);
    tokio::time::sleep(29 * SECOND).await;
    assert!(gate.may_write().is_ok());
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(gate.may_write(), Err("the lease could not be renewed in time".to_owned()));
    assert_eq!(gate.left(), 29 * SECOND);
    tokio::time::sleep(20 * SECOND).await;
    assert!(gate.may_write().is_ok(), "renewed at 45 s");
}

#[tokio::test(start_paused = true)]
async fn rule_11_the_lapse_is_counted_from_the_begin_of_a_renewal() {
    let store = MemoryStore::default();
    store.fail_lease(&[LeaseFault::Late, LeaseFault::Late]);
    let lease = acquire(&store, "one").await.unwrap();
    assert_eq!(lease.gate().left(), 45 * SECOND, "15 s went by before the answer came");
    tokio::time::sleep(20 * SECOND + Duration::from_millis(1)).await;
    let left = lease.gate().left();
    assert!(left > 44 * SECOND && left < 45 * SECOND, "renewed at 20 s, known at 35 s: {left:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_renewal_whose_answer_was_lost_is_not_taken_for_a_takeover() {
    let store = MemoryStore::default();
    let lease = acquire(&store, "one").await.unwrap();
    store.fail_lease(&[LeaseFault::After, LeaseFault::After]);
    tokio::time::sleep(40 * SECOND).await;
    assert!(!lease.gate().is_lost());
    assert!(lease.gate().may_write().is_ok());
    store.fail_lease(&[LeaseFault::After]);
    let error = lease.release().await.unwrap_err();
    assert!(matches!(error, LeaseError::State(StateError::Unavailable { .. })));
    assert!(record(&store).await.released, "it took effect all the same");
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_taking_whose_answer_was_lost_is_found_to_be_ours() {
    let store = MemoryStore::default();
    leave_foreign_lease(&store).await;
    store.fail_lease(&[LeaseFault::After]);
    let began = Instant::now();
    let lease = acquire(&store, "two").await.unwrap();
    assert_eq!(began.elapsed(), 63 * SECOND);
    let left = lease.gate().left();
    assert_eq!(left, 57 * SECOND, "counted from the begin of that try");
    assert_eq!(record(&store).await.holder.run, "two");

    let store = MemoryStore::default();
    store.fail_lease(&[LeaseFault::Before]);
    let began = Instant::now();
    let error = acquire(&store, "one").await.err().unwrap();
    assert!(matches!(error, LeaseError::State(StateError::Unavailable { .. })));
    assert_eq!(began.elapsed(), Duration::ZERO, "an outage at the first look is told at once");
}

#[tokio::test(start_paused = true)]
async fn rule_11_a_lapsed_lease_that_nobody_took_is_renewed() {
    let store = MemoryStore::default();
    let lease = acquire(&store, "one").await.unwrap();
    store.fail_lease(&[LeaseFault::Before; 20]);
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(lease.gate().left(), Duration::ZERO);
    assert!(lease.gate().may_write().is_err());
    tokio::time::sleep(30 * SECOND).await;
    assert!(lease.gate().may_write().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_the_gate_and_keeps_the_lease() {
    let store = MemoryStore::default();
    let lease = acquire(&store, "one").await.unwrap();
    lease.gate().stop("SIGTERM");
    lease.gate().stop("later");
    assert_eq!(lease.gate().may_write(), Err("SIGTERM".to_owned()));
    tokio::time::sleep(70 * SECOND).await;
    assert!(lease.gate().left() > 30 * SECOND, "renewed, so that the run can record what it did");
    lease.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_lease_writes_nothing_more_and_lapses() {
    let store = MemoryStore::default();
    let lease = acquire(&store, "one").await.unwrap();
    let gate = lease.gate();
    drop(lease);
    assert!(gate.may_write().is_err());
    let before = store.lease_read().await.unwrap();
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(store.lease_read().await.unwrap(), before);
}

#[tokio::test]
async fn the_lease_works_in_a_repository_and_leaves_other_refs_alone() {
    let repo = TestRepo::new();
    repo.write("a.md", "a\n");
    repo.commit("first");
    let before = repo.refs();
    let store = GitStore::new(repo.open().await, "refs/agent-sync/state", None).unwrap();
    let timing = Timing {
        renew: Duration::from_millis(1_000),
        wait: Duration::from_millis(1_500),
        poll: Duration::from_millis(100),
        ..Timing::default()
    };
    let store: Arc<dyn Store> = Arc::new(store);
    let one = Lease::acquire(Arc::clone(&store), "one", timing).await.unwrap();
    let error = Lease::acquire(Arc::clone(&store), "two", timing).await.err().unwrap();
    assert_eq!(held_by(error).as_deref(), Some("one"));
    one.release().await.unwrap();
    Lease::acquire(store, "two", timing).await.unwrap().release().await.unwrap();
    let after = repo.refs();
    let ours: Vec<_> = after.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(ours.len(), 1, "{after}");
    let log = repo.git(&["log", "--format=%an <%ae> %s", "refs/agent-sync/state-lease"]);
    let commits: Vec<_> = log.lines().collect();
    assert!(commits.len() >= 5, "taken, renewed, released, taken, released: {log}");
    assert!(
        log.lines().all(|l| l.starts_with("agent-sync <agent-sync@users.noreply.github.com> {")),
        "{log}"
    );
    assert_eq!(repo.git(&["fsck", "--strict"]), "");
}
