//! Databases: SQLite in a file, PostgreSQL on a server. One set of tables, one way of working (docs/backends.md,
//! docs/decisions/0009-databases.md).
//!
//! A run reads what it needs in a few questions, and queues what it writes; the commit of the state sends rows and
//! base in one transaction. So a run that ends in the middle has written nothing at all, and no intent is needed to
//! tell what it did.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::{Requests, WriteGate};

mod adopt;
mod backend;
pub(crate) mod engine;
mod postgres;
mod queue;
mod row;
mod sqlite;
mod store;
mod tls;

pub use store::DatabaseStore;

use engine::{Commit, Engine, Opened, Row, Rows, SCHEMA, Trouble, Want};
use queue::Queue;

/// A database, as the backend and the store of its state see it.
pub struct Database {
    name: String,
    label: &'static str,
    engine: Box<dyn Engine>,
    gate: Mutex<Option<Arc<dyn WriteGate>>>,
    data: Mutex<Data>,
    /// Held by whoever asks the database for what several wait for.
    loading: tokio::sync::Mutex<()>,
    requests: Mutex<Requests>,
}

/// What is known of the database in this run.
#[derive(Default)]
struct Data {
    opened: Option<Opened>,
    rows: BTreeMap<String, Row>,
    bodies: BTreeMap<String, String>,
    /// Uids that have no row.
    absent: BTreeSet<String>,
    /// Rows by kind and id, and the other way round.
    uids: BTreeMap<(String, String), String>,
    names: BTreeMap<String, (String, String)>,
    /// From which change number each kind was listed.
    listed: BTreeMap<String, i64>,
    /// The newest change number when rows were read first.
    newest: Option<i64>,
    wanted_kinds: BTreeMap<String, i64>,
    wanted_rows: BTreeSet<String>,
    wanted_bodies: BTreeSet<String>,
    queue: Queue,
}

impl Data {
    fn take(&mut self, rows: Rows) {
        self.newest.get_or_insert(rows.newest);
        self.bodies.extend(rows.bodies);
        for (kind, id, uid) in rows.targets {
            self.name(kind, id, uid);
        }
        for row in rows.rows {
            if let (Some(id), false) = (&row.id, row.deleted) {
                self.name(row.kind.clone(), id.clone(), row.uid.clone());
            }
            self.rows.insert(row.uid.clone(), row);
        }
    }

    fn name(&mut self, kind: String, id: String, uid: String) {
        self.names.insert(uid.clone(), (kind.clone(), id.clone()));
        self.uids.insert((kind, id), uid);
    }

    fn row(&self, uid: &str) -> Option<&Row> {
        self.queue.row(uid).or_else(|| self.rows.get(uid))
    }

    fn body(&self, uid: &str) -> Option<&str> {
        self.queue.body(uid).or_else(|| self.bodies.get(uid).map(String::as_str))
    }
}

impl Database {
    /// SQLite in a file, which need not be there. `busy` is how long another program's lock is waited for.
    pub(crate) fn sqlite(name: &str, path: std::path::PathBuf, busy: std::time::Duration) -> Self {
        Self::new(name, "SQLite", Box::new(sqlite::Sqlite::new(path, busy)))
    }

    /// PostgreSQL at a connection URL.
    ///
    /// # Errors
    /// A sentence about a URL that is none; it holds nothing of the URL.
    pub(crate) fn postgres(name: &str, url: &str, schema: &str) -> Result<Self, String> {
        Ok(Self::new(name, "PostgreSQL", Box::new(postgres::Postgres::new(url, schema)?)))
    }

    fn new(name: &str, label: &'static str, engine: Box<dyn Engine>) -> Self {
        Self {
            name: name.to_owned(),
            label,
            engine,
            gate: Mutex::default(),
            data: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            requests: Mutex::default(),
        }
    }

    /// Name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The engine, for what is no matter of rows.
    pub(crate) fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts round trips.
    pub(crate) fn count(&self, what: &str, trips: usize) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.by_endpoint.entry(what.to_owned()).or_default() +=
            u64::try_from(trips).unwrap_or(u64::MAX);
    }

    /// What stands in the database; asked once, and again after `fresh`.
    pub(crate) async fn opened(&self, fresh: bool) -> Result<Opened, Trouble> {
        let _alone = self.loading.lock().await;
        let known = self.data().opened.clone();
        if let Some(opened) = known.filter(|_| !fresh) {
            return Ok(opened);
        }
        self.count("open", 1);
        let opened = self.engine.open().await?;
        if let Some(found) = opened.version.filter(|version| *version > SCHEMA) {
            return Err(Trouble::Refused {
                message: format!(
                    "The tables of `{}` have version {found}, and this version of agent-sync knows up to {SCHEMA}.",
                    self.name
                ),
                remedy: "Use a newer agent-sync.".to_owned(),
            });
        }
        self.data().opened = Some(opened.clone());
        Ok(opened)
    }

    /// Rows of the kinds that somebody waits for, all in one question.
    async fn list(&self, kind: &str, since: i64) -> Result<(), Trouble> {
        {
            let mut data = self.data();
            if data.listed.get(kind).is_some_and(|listed| *listed <= since) {
                return Ok(());
            }
            data.wanted_kinds.insert(kind.to_owned(), since);
        }
        // Others who want rows say so first.
        tokio::task::yield_now().await;
        let _alone = self.loading.lock().await;
        let wanted: Vec<(String, i64)> =
            std::mem::take(&mut self.data().wanted_kinds).into_iter().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        self.count("read rows", 1);
        let rows = self.engine.rows(&Want::Changed(wanted.clone())).await?;
        let mut data = self.data();
        data.take(rows);
        data.listed.extend(wanted);
        Ok(())
    }

    /// The row with this uid, if there is one.
    async fn row(&self, uid: &str) -> Result<Option<Row>, Trouble> {
        let known = |data: &Data| {
            let row = data.row(uid).cloned();
            (row.is_some() || data.absent.contains(uid)).then_some(row)
        };
        {
            let mut data = self.data();
            if let Some(row) = known(&data) {
                return Ok(row);
            }
            data.wanted_rows.insert(uid.to_owned());
        }
        tokio::task::yield_now().await;
        let _alone = self.loading.lock().await;
        if let Some(row) = known(&self.data()) {
            return Ok(row);
        }
        let mut wanted: Vec<String> =
            std::mem::take(&mut self.data().wanted_rows).into_iter().collect();
        if !wanted.iter().any(|other| other == uid) {
            wanted.push(uid.to_owned());
        }
        self.count("read rows", 1);
        let rows = self.engine.rows(&Want::Uids(wanted.clone())).await?;
        let mut data = self.data();
        data.take(rows);
        let absent: Vec<_> =
            wanted.into_iter().filter(|uid| !data.rows.contains_key(uid)).collect();
        data.absent.extend(absent);
        Ok(data.row(uid).cloned())
    }

    /// The body of a row, with those of all rows that somebody waits for.
    async fn body(&self, uid: &str) -> Result<Option<String>, Trouble> {
        {
            let mut data = self.data();
            if let Some(body) = data.body(uid) {
                return Ok(Some(body.to_owned()));
            }
            data.wanted_bodies.insert(uid.to_owned());
        }
        tokio::task::yield_now().await;
        let _alone = self.loading.lock().await;
        if let Some(body) = self.data().body(uid) {
            return Ok(Some(body.to_owned()));
        }
        let mut wanted = {
            let mut data = self.data();
            let rest = data.wanted_bodies.iter().nth(engine::ROWS).cloned();
            let later = rest.map(|from| data.wanted_bodies.split_off(&from)).unwrap_or_default();
            std::mem::replace(&mut data.wanted_bodies, later)
        };
        wanted.insert(uid.to_owned());
        let wanted: Vec<String> = wanted.into_iter().collect();
        self.count("read bodies", 1);
        let bodies = self.engine.bodies(&wanted).await?;
        let mut data = self.data();
        data.bodies.extend(bodies);
        Ok(data.body(uid).map(str::to_owned))
    }

    /// Why no write may start now.
    fn closed(&self) -> Option<String> {
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        match gate.as_ref() {
            Some(gate) => gate.may_write().err(),
            None => Some("the run has no lease".to_owned()),
        }
    }

    /// Whether rows wait to be written.
    pub(crate) fn pending(&self) -> bool {
        !self.data().queue.is_empty()
    }

    /// Writes the rows that wait and the next commit of the state.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<i64, Trouble> {
        let (writes, commit) = (self.data().queue.all(), Arc::new(commit));
        if let Some(reason) = self.closed().filter(|_| !writes.is_empty()) {
            return Err(Trouble::Unavailable(format!("No write may start: {reason}.")));
        }
        self.count("write", writes.len().div_ceil(engine::ROWS).max(1) + 1);
        let n = self.engine.apply(writes.clone(), commit.clone()).await?;
        let mut data = self.data();
        for write in data.queue.take() {
            if let Some(body) = write.body {
                data.bodies.insert(write.row.uid.clone(), body);
            }
            data.rows.insert(write.row.uid.clone(), write.row);
        }
        if let Some(opened) = &mut data.opened {
            opened.version.get_or_insert(SCHEMA);
            opened.head = Some(n);
            for (path, content) in &commit.files {
                match content.as_ref().filter(|_| engine::FIRST.contains(&path.as_str())) {
                    Some(content) => drop(opened.files.insert(path.clone(), content.clone())),
                    None => drop(opened.files.remove(path)),
                }
            }
        }
        Ok(n)
    }
}

/// A name for a new row that no other row has.
fn new_uid() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    format!("r{:016x}{:08x}", random(), random() >> 32)
}
