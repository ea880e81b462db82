//! What the state keeps of the past: `state.keep_days` of runs and of overwritten versions, and always the newest
//! overwritten version of each artifact's side.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::book::Book;
use crate::state::{LogEntry, Snapshot, StateError, Store};

/// Runs from before the state's history begins, newest first: a line each.
const LOG: &str = "log.jsonl";
/// Commits that are looked through for the begin of a history that does not say it.
const COMMITS: usize = 100_000;

/// A run that is known without its commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    commit: String,
    time: Timestamp,
    message: String,
}

/// What was pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pruned {
    /// Overwritten versions that are gone.
    pub versions: usize,
    /// Whether runs are gone from the history.
    pub history: bool,
}

/// What is older than `keep` at `now` and may go, as one commit of the state; none where nothing is.
///
/// # Errors
/// What the store says.
pub(super) async fn prune(
    book: &mut Book,
    now: Timestamp,
    keep: SignedDuration,
    run: &str,
) -> Result<Pruned, StateError> {
    let Some(cutoff) = now.checked_sub(keep).ok().filter(|_| book.exists()) else {
        return Ok(Pruned::default());
    };
    let old = outdated(&book.list("replaced").await?, cutoff);
    let began = match book.meta.began {
        Some(began) => began,
        None => {
            let log = book.store().history(book.snapshot(), COMMITS).await?;
            log.last().map_or(now, |entry| entry.time)
        }
    };
    let history = began < cutoff;
    if old.is_empty() && !history {
        return Ok(Pruned::default());
    }
    let versions = old.iter().filter(|path| path.ends_with(".json")).count();
    let mut change: BTreeMap<String, Option<Vec<u8>>> =
        old.into_iter().map(|path| (path, None)).collect();
    let message = super::partial("what is older than is kept", run);
    if history {
        let kept = past(book.store().as_ref(), book.snapshot(), COMMITS).await?;
        let kept = kept.into_iter().filter(|entry| entry.time >= cutoff);
        change.insert(LOG.to_owned(), Some(lines(kept)?));
    }
    let before = (book.meta.pruned, book.meta.began);
    book.meta.pruned = Some(cutoff);
    book.meta.began = Some(if history { now } else { began });
    let done = match history {
        true => book.restart(&message, change).await,
        false => book.commit_with(run, &message, change).await.map(drop),
    };
    if done.is_err() {
        (book.meta.pruned, book.meta.began) = before;
    }
    done.map(|()| Pruned { versions, history })
}

/// Paths of versions whose run began before `cutoff`, without the newest of each artifact's side.
fn outdated(paths: &[String], cutoff: Timestamp) -> Vec<String> {
    // replaced/<run>/<backend>/<kind>/<id>/<side>.json
    let parts = |path: &str| {
        let mut parts = path.splitn(3, '/');
        let (_, run, what) = (parts.next()?, parts.next()?, parts.next()?);
        let what = what.rsplit_once('.')?.0;
        Some((run.to_owned(), what.to_owned()))
    };
    let mut newest: BTreeMap<String, String> = BTreeMap::new();
    for (run, what) in paths.iter().filter_map(|path| parts(path)) {
        let last = newest.entry(what).or_default();
        if run > *last {
            *last = run;
        }
    }
    let old = |path: &&String| {
        parts(path).is_some_and(|(run, what)| {
            newest.get(&what) != Some(&run) && began(&run).is_some_and(|began| began < cutoff)
        })
    };
    paths.iter().filter(old).cloned().collect()
}

/// When a run began, as its name says.
fn began(run: &str) -> Option<Timestamp> {
    let name = run.get(..15)?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", name).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

fn lines(entries: impl Iterator<Item = LogEntry>) -> Result<Vec<u8>, StateError> {
    let mut text = Vec::new();
    for LogEntry { commit, time, message } in entries {
        let line = serde_json::to_writer(&mut text, &Kept { commit, time, message });
        line.map_err(|error| StateError::Failed { message: error.to_string() })?;
        text.push(b'\n');
    }
    Ok(text)
}

/// Past runs, newest first, at most `limit` commits: those of the history, then those that are kept from before.
///
/// # Errors
/// What the store says; [`StateError::Corrupt`].
pub(super) async fn past(
    store: &dyn Store,
    at: &Snapshot,
    limit: usize,
) -> Result<Vec<LogEntry>, StateError> {
    let mut log = store.history(at, limit).await?;
    if log.len() < limit
        && let Some(text) = store.read(at, LOG).await?
    {
        let known: BTreeSet<String> = log.iter().map(|entry| entry.commit.clone()).collect();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let kept: Kept = serde_json::from_slice(line).map_err(|error| StateError::Corrupt {
                path: LOG.to_owned(),
                reason: error.to_string(),
            })?;
            if !known.contains(&kept.commit) {
                let Kept { commit, time, message } = kept;
                log.push(LogEntry { commit, time, message });
            }
        }
        log.truncate(limit);
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agent_sync_core::markdown::Dialect;
    use agent_sync_core::model::{Key, Side};

    use super::super::book::{Record, Replaced};
    use super::*;
    use crate::state::memory::MemoryStore;

    fn day(day: &str) -> Timestamp {
        format!("{day}T12:00:00Z").parse().unwrap()
    }

    fn replace(book: &mut Book, run: &str, id: &str, side: Side) {
        let replaced = Replaced {
            backend: "notion".into(),
            key: Key::new("story", id),
            side,
            reason: "push".into(),
            properties: BTreeMap::new(),
            text: true,
            dialect: Dialect::default(),
            path: None,
        };
        book.replace(run, &replaced, Some("words")).unwrap();
    }

    #[tokio::test]
    async fn what_is_old_goes_but_the_newest_version_of_each_side_stays() {
        let store = Arc::new(MemoryStore::default());
        let mut book = Book::load(store.clone()).await.unwrap();
        book.meta.began = Some(day("2026-01-01"));
        let runs = [
            ("20260101T120000000Z-1", "A-1", Side::Remote),
            ("20260201T120000000Z-1", "A-1", Side::Remote),
            ("20260101T120000000Z-1", "A-1", Side::Local),
            ("20260101T120000000Z-1", "A-2", Side::Remote),
            ("20260601T120000000Z-1", "A-2", Side::Remote),
        ];
        for (run, id, side) in runs {
            replace(&mut book, run, id, side);
            book.commit(run, &format!("sync: {run}\n\nRun: {run}")).await.unwrap();
        }
        let keep = SignedDuration::from_hours(24 * 365);
        let nothing = prune(&mut book, day("2026-06-02"), keep, "run").await.unwrap();
        assert_eq!(nothing, Pruned::default());
        let keep = SignedDuration::from_hours(24 * 90);
        let pruned = prune(&mut book, day("2026-06-02"), keep, "run").await.unwrap();
        assert_eq!(pruned, Pruned { versions: 2, history: true });
        let left = book.list("replaced").await.unwrap();
        let left: Vec<&str> = left.iter().filter_map(|path| path.strip_suffix(".json")).collect();
        assert_eq!(
            left,
            [
                "replaced/20260101T120000000Z-1/notion/story/A-1/local",
                "replaced/20260201T120000000Z-1/notion/story/A-1/remote",
                "replaced/20260601T120000000Z-1/notion/story/A-2/remote",
            ]
        );
        // Once more at once finds nothing, and the next one goes on from there.
        let mut again = Book::load(store.clone()).await.unwrap();
        assert_eq!(
            prune(&mut again, day("2026-06-02"), keep, "run").await.unwrap(),
            Pruned::default()
        );
        assert_eq!(store.history(again.snapshot(), 10).await.unwrap().len(), 1);
        let record = Record::new("notion", &Key::new("story", "A-1"), "p", "u", Dialect::default());
        again.records.insert(("notion".into(), Key::new("story", "A-1")), record);
        assert!(again.commit("r", "sync: more").await.unwrap());
    }

    #[tokio::test]
    async fn runs_that_are_not_too_old_stay_in_the_log() {
        let store = Arc::new(MemoryStore::default());
        let mut book = Book::load(store.clone()).await.unwrap();
        // Commits in memory are of 1970: everything is too old, or nothing.
        for n in 0..3 {
            let key = Key::new("story", format!("A-{n}"));
            let record = Record::new("notion", &key, "p", "u", Dialect::default());
            book.records.insert(("notion".into(), key), record);
            book.commit("r", &format!("sync: {n}")).await.unwrap();
        }
        book.meta.began = Some(Timestamp::UNIX_EPOCH - SignedDuration::from_hours(2));
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        let keep = SignedDuration::from_hours(2);
        assert!(prune(&mut book, now, keep, "run").await.unwrap().history);
        let log = past(store.as_ref(), book.snapshot(), 10).await.unwrap();
        let said: Vec<&str> =
            log.iter().map(|entry| entry.message.lines().next().unwrap()).collect();
        assert_eq!(
            said,
            ["in progress: what is older than is kept", "sync: 2", "sync: 1", "sync: 0"]
        );
    }

    #[test]
    fn a_run_says_when_it_began() {
        assert_eq!(began("20261125T223545123Z-77"), Some("2026-11-25T22:35:45Z".parse().unwrap()));
        assert_eq!(began("x"), None);
        assert_eq!(began("../../etc/passwd-long"), None);
    }
}
