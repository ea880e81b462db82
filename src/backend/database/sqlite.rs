//! SQLite: the library is part of the program, the database is one file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior,
};

use super::engine::{
    Commit, Engine, FIRST, KEPT, Opened, ROWS, Relation, Row, Rows, SCHEMA, Trouble, Want, Write,
};

/// The tables, by the version that each script makes.
const MIGRATIONS: [&str; 1] = [include_str!("schema/sqlite_1.sql")];

/// Columns of a [`Row`].
const COLUMNS: &str = "uid, kind, id, title, status, properties, version, body_version, change, author, \
    CAST(ROUND((julianday(updated_at) - 2440587.5) * 86400000) AS INTEGER) * 1000, deleted_at IS NOT NULL";

/// A database in a file.
pub(crate) struct Sqlite {
    path: PathBuf,
    /// How long another program's lock is waited for.
    busy: Duration,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Sqlite {
    pub(crate) fn new(path: PathBuf, busy: Duration) -> Self {
        Self { path, busy, connection: Arc::default() }
    }

    /// Runs this where waiting is allowed. Nothing where there is no file and none is to be made.
    async fn run<T: Send + 'static>(
        &self,
        make: bool,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<Option<T>, Trouble> {
        let (path, busy, connection) = (self.path.clone(), self.busy, self.connection.clone());
        let task = tokio::task::spawn_blocking(move || {
            let mut slot = connection.lock().unwrap_or_else(PoisonError::into_inner);
            if slot.is_none() {
                if !make && !path.exists() {
                    return Ok(None);
                }
                if let Some(folder) = path.parent().filter(|_| make) {
                    std::fs::create_dir_all(folder)
                        .map_err(|error| refused(&path, &error.to_string()))?;
                }
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let flags = if make { flags | OpenFlags::SQLITE_OPEN_CREATE } else { flags };
                let made = Connection::open_with_flags(&path, flags).map_err(trouble)?;
                made.busy_timeout(busy).map_err(trouble)?;
                // Other programs' rows are read: nothing in them may run anything.
                made.execute_batch("PRAGMA trusted_schema = OFF").map_err(trouble)?;
                // What a transaction changes fits into memory, with what it takes to undo one statement.
                made.execute_batch("PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY")
                    .map_err(trouble)?;
                *slot = Some(made);
            }
            match slot.as_mut() {
                Some(connection) => work(connection).map(Some),
                None => Ok(None),
            }
        });
        task.await.map_err(|error| Trouble::Unavailable(error.to_string()))?
    }

    async fn read<T: Send + Default + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Trouble> {
        let found = self.run(false, move |connection| work(connection).map_err(trouble)).await?;
        Ok(found.unwrap_or_default())
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let done = self.run(true, move |connection| {
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(trouble)?;
            let done = work(&transaction)?;
            transaction.commit().map_err(trouble)?;
            Ok(done)
        });
        done.await?
            .ok_or_else(|| Trouble::Unavailable("The database file is not there.".to_owned()))
    }
}

fn refused(path: &std::path::Path, reason: &str) -> Trouble {
    Trouble::Refused {
        message: format!("The database {} cannot be opened: {reason}.", path.display()),
        remedy: "Name another path, or make this one writable.".to_owned(),
    }
}

fn trouble(error: rusqlite::Error) -> Trouble {
    let message = |what: &str| format!("{what} ({error}).");
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Trouble::Unavailable(message("Another program holds the database locked"))
        }
        Some(ErrorCode::DiskFull) => Trouble::Unavailable(message("The disk is full")),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Trouble::Refused {
            message: message("The file is no database that can be read"),
            remedy: "Bring back a good copy, or move it away; then it is filled anew.".to_owned(),
        },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            Trouble::Refused {
                message: message("The database cannot be written"),
                remedy: "Make the file and its folder writable.".to_owned(),
            }
        }
        Some(ErrorCode::ConstraintViolation | ErrorCode::Unknown | ErrorCode::TypeMismatch) => {
            Trouble::Refused {
                message: message("The database refuses"),
                remedy: "See whether somebody changed its tables; docs/backends.md has them."
                    .to_owned(),
            }
        }
        _ => Trouble::Unavailable(message("The database does not answer")),
    }
}

/// A text, or what SQLite makes of another value: columns of SQLite hold values of any type.
fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(n) => Some(n.to_string()),
        Value::Real(n) => Some(n.to_string()),
        Value::Text(text) => Some(text),
        Value::Blob(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn row(found: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        uid: text(found.get(0)?).unwrap_or_default(),
        kind: text(found.get(1)?).unwrap_or_default(),
        id: text(found.get(2)?),
        title: text(found.get(3)?),
        status: text(found.get(4)?),
        properties: text(found.get(5)?),
        version: number(&found.get(6)?),
        body_version: number(&found.get(7)?),
        change: number(&found.get(8)?),
        author: text(found.get(9)?),
        updated: number(&found.get(10)?),
        deleted: number(&found.get(11)?) != 0,
    })
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Integer(n) => *n,
        _ => 0,
    }
}

fn version(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    let there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sync_meta'";
    match connection.query_row(there, [], |_| Ok(())).optional()? {
        Some(()) => {
            connection.query_row("SELECT version FROM sync_meta", [], |row| row.get(0)).optional()
        }
        None => Ok(None),
    }
}

fn pairs(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<[String; 3]>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
    rows.collect()
}

fn migrate(transaction: &Connection) -> Result<(), Trouble> {
    let found = version(transaction).map_err(trouble)?.unwrap_or(0);
    for (n, script) in (1_i64..).zip(MIGRATIONS).filter(|(n, _)| *n > found) {
        transaction.execute_batch(script).map_err(trouble)?;
        transaction.execute("UPDATE sync_meta SET version = ?1", [n]).map_err(trouble)?;
    }
    Ok(())
}

fn head(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT max(n) FROM sync_commits", [], |row| row.get(0))
}

/// Makes rows in one statement, so that what follows from them (the search above all) is written once.
fn insert(transaction: &Transaction<'_>, writes: &[Write]) -> rusqlite::Result<usize> {
    let mut taken = transaction.prepare_cached(
        "SELECT 1 FROM artifacts WHERE kind = ?1 AND id = ?2 AND deleted_at IS NULL",
    )?;
    for Write { row, .. } in writes {
        if taken.exists((&row.kind, &row.id))? {
            return Ok(0);
        }
    }
    let rows = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?)"; writes.len()].join(", ");
    let sql = format!(
        "INSERT INTO artifacts (uid, kind, id, title, status, properties, body, hash, author) VALUES {rows}"
    );
    let values = writes.iter().flat_map(|Write { row, body, hash, .. }| {
        [
            Some(&row.uid),
            Some(&row.kind),
            row.id.as_ref(),
            row.title.as_ref(),
            row.status.as_ref(),
            row.properties.as_ref(),
            body.as_ref(),
            hash.as_ref(),
            row.author.as_ref(),
        ]
    });
    transaction.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))
}

fn update(transaction: &Transaction<'_>, write: &Write, expected: i64) -> rusqlite::Result<usize> {
    let row = &write.row;
    let mut statement = transaction.prepare_cached(
        "UPDATE artifacts SET kind = ?3, id = ?4, title = ?5, status = ?6, properties = ?7, \
         author = ?8, body = CASE WHEN ?9 IS NULL THEN body ELSE ?9 END, \
         hash = CASE WHEN ?9 IS NULL THEN hash ELSE ?10 END, \
         deleted_at = CASE WHEN ?11 THEN coalesce(deleted_at, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) \
         END WHERE uid = ?1 AND version = ?2",
    )?;
    statement.execute((
        &row.uid,
        expected,
        &row.kind,
        &row.id,
        &row.title,
        &row.status,
        &row.properties,
        &row.author,
        &write.body,
        &write.hash,
        row.deleted,
    ))
}

fn apply(
    transaction: &Transaction<'_>,
    writes: &[Write],
    commit: &Commit,
) -> rusqlite::Result<Option<i64>> {
    if head(transaction)? != commit.parent {
        return Ok(None);
    }
    // In their order: a row may take the id that another one gives up.
    for run in writes.chunk_by(|a, b| a.expected.is_none() && b.expected.is_none()) {
        for rows in run.chunks(ROWS) {
            let done = match rows {
                [write @ Write { expected: Some(expected), .. }] => {
                    update(transaction, write, *expected)?
                }
                rows => insert(transaction, rows)?,
            };
            if done != rows.len() {
                return Ok(None);
            }
        }
    }
    let n = commit.parent.unwrap_or(0) + 1;
    transaction
        .execute("INSERT INTO sync_commits VALUES (?1, ?2, ?3)", (n, &commit.message, commit.at))?;
    for (path, content) in &commit.files {
        transaction
            .prepare_cached(
                "UPDATE sync_files SET to_commit = ?2 WHERE path = ?1 AND to_commit IS NULL",
            )?
            .execute((path, n))?;
        if let Some(content) = content {
            transaction
                .prepare_cached("INSERT INTO sync_files VALUES (?1, ?2, NULL, ?3)")?
                .execute((path, n, content))?;
        }
    }
    let kept = if commit.restart { n } else { n - KEPT };
    transaction.execute("DELETE FROM sync_files WHERE to_commit <= ?1", [kept])?;
    if commit.restart {
        transaction.execute("DELETE FROM sync_commits WHERE n < ?1", [n])?;
    }
    Ok(Some(n))
}

fn rows(connection: &Connection, want: &Want) -> rusqlite::Result<Rows> {
    let mut out = Rows {
        newest: connection.query_row("SELECT change FROM sync_meta", [], |row| row.get(0))?,
        ..Rows::default()
    };
    let json = |values: &[String]| serde_json::json!(values).to_string();
    let (condition, values): (&str, Vec<(String, Value)>) = match want {
        Want::Changed(kinds) => (
            "kind = ?1 AND change > ?2",
            kinds.iter().map(|(kind, since)| (kind.clone(), Value::Integer(*since))).collect(),
        ),
        Want::Uids(uids) => (
            "?1 = '' AND uid IN (SELECT value FROM json_each(?2))",
            vec![(String::new(), Value::Text(json(uids)))],
        ),
        Want::Ids(kind, ids) => (
            "kind = ?1 AND id IN (SELECT value FROM json_each(?2)) AND deleted_at IS NULL",
            vec![(kind.clone(), Value::Text(json(ids)))],
        ),
    };
    let mut statement = connection
        .prepare(&format!("SELECT {COLUMNS} FROM artifacts WHERE {condition} ORDER BY uid"))?;
    let mut targets = connection.prepare(&format!(
        "SELECT DISTINCT a.kind, a.id, a.uid FROM links l JOIN artifacts a ON a.kind = l.to_kind AND a.id = l.to_id \
         WHERE a.deleted_at IS NULL AND l.uid IN (SELECT uid FROM artifacts WHERE {condition})"
    ))?;
    for pair in values {
        for found in statement.query_map((&pair.0, &pair.1), row)? {
            out.rows.push(found?);
        }
        let found = targets
            .query_map((&pair.0, &pair.1), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for target in found {
            out.targets.push(target?);
        }
    }
    if let Want::Uids(uids) = want {
        out.bodies = each(connection, BODY, 0, uids)?;
    }
    Ok(out)
}

fn each<T: rusqlite::types::FromSql>(
    connection: &Connection,
    sql: &str,
    at: i64,
    values: &[String],
) -> rusqlite::Result<BTreeMap<String, T>> {
    let mut statement = connection.prepare(sql)?;
    let mut out = BTreeMap::new();
    for value in values {
        if let Some(found) = statement.query_row((value, at), |row| row.get(0)).optional()? {
            out.insert(value.clone(), found);
        }
    }
    Ok(out)
}

const BODY: &str =
    "SELECT coalesce(CAST(body AS TEXT), '') FROM artifacts WHERE uid = ?1 AND ?2 = 0";

const FILE: &str = "SELECT content FROM sync_files WHERE path = ?1 AND from_commit <= ?2 \
    AND (to_commit IS NULL OR to_commit > ?2)";

#[async_trait]
impl Engine for Sqlite {
    async fn open(&self) -> Result<Opened, Trouble> {
        self.read(|connection| {
            let version = version(connection)?;
            let mut out = Opened { version, ..Opened::default() };
            if version != Some(SCHEMA) {
                return Ok(out);
            }
            for [kind, title, _] in pairs(connection, "SELECT kind, title, '' FROM sync_kinds")? {
                out.kinds.insert(kind, title);
            }
            let relations = pairs(connection, "SELECT kind, property, target FROM sync_relations")?;
            out.relations = relations
                .into_iter()
                .map(|[kind, property, target]| Relation { kind, property, target })
                .collect();
            out.newest =
                connection.query_row("SELECT change FROM sync_meta", [], |row| row.get(0))?;
            out.head = head(connection)?;
            if let Some(at) = out.head {
                out.files = each(connection, FILE, at, &FIRST.map(str::to_owned))?;
            }
            Ok(out)
        })
        .await
    }

    async fn init(
        &self,
        kinds: &BTreeMap<String, String>,
        relations: &[Relation],
    ) -> Result<(), Trouble> {
        let (kinds, relations) = (kinds.clone(), relations.to_vec());
        self.write(move |transaction| {
            migrate(transaction)?;
            let run = || -> rusqlite::Result<()> {
                for (kind, title) in &kinds {
                    transaction.execute(
                        "INSERT OR REPLACE INTO sync_kinds VALUES (?1, ?2)",
                        (kind, title),
                    )?;
                    transaction.execute("DELETE FROM sync_relations WHERE kind = ?1", [kind])?;
                }
                for relation in &relations {
                    transaction.execute(
                        "INSERT OR REPLACE INTO sync_relations VALUES (?1, ?2, ?3)",
                        (&relation.kind, &relation.property, &relation.target),
                    )?;
                }
                transaction.execute_batch(
                    "DELETE FROM links;
                     INSERT INTO links SELECT a.kind, a.id, r.target, m.value, r.property, a.uid
                       FROM artifacts a JOIN sync_relations r ON r.kind = a.kind, json_each(
                         CASE WHEN json_valid(a.properties) THEN a.properties ELSE '{}' END,
                         '$.\"' || r.property || '\"') m
                       WHERE a.deleted_at IS NULL AND m.type = 'text';",
                )
            };
            run().map_err(trouble)
        })
        .await
    }

    async fn rows(&self, want: &Want) -> Result<Rows, Trouble> {
        let want = want.clone();
        self.read(move |connection| rows(connection, &want)).await
    }

    async fn bodies(&self, uids: &[String]) -> Result<BTreeMap<String, String>, Trouble> {
        let uids = uids.to_vec();
        self.read(move |connection| each(connection, BODY, 0, &uids)).await
    }

    async fn apply(&self, writes: Arc<[Write]>, commit: Arc<Commit>) -> Result<i64, Trouble> {
        self.write(move |transaction| {
            migrate(transaction)?;
            apply(transaction, &writes, &commit)
                .map_err(trouble)?
                .ok_or_else(|| Trouble::Moved("Another program wrote meanwhile.".to_owned()))
        })
        .await
    }

    async fn files(&self, at: i64, paths: &[String]) -> Result<BTreeMap<String, Vec<u8>>, Trouble> {
        let paths = paths.to_vec();
        self.read(move |connection| each(connection, FILE, at, &paths)).await
    }

    async fn list(&self, at: i64, prefix: &str) -> Result<Vec<String>, Trouble> {
        let prefix = prefix.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare(
                "SELECT path FROM sync_files WHERE substr(path, 1, length(?1)) = ?1 AND from_commit <= ?2 \
                 AND (to_commit IS NULL OR to_commit > ?2) ORDER BY path",
            )?;
            statement.query_map((&prefix, at), |row| row.get(0))?.collect()
        })
        .await
    }

    async fn history(&self, at: i64, limit: usize) -> Result<Vec<(i64, i64, String)>, Trouble> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |connection| {
            let mut statement = connection.prepare(
                "SELECT n, at, message FROM sync_commits WHERE n <= ?1 ORDER BY n DESC LIMIT ?2",
            )?;
            let rows = statement
                .query_map([at, limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        })
        .await
    }

    async fn lease(&self) -> Result<Option<(i64, String)>, Trouble> {
        self.read(|connection| {
            if version(connection)?.is_none() {
                return Ok(None);
            }
            connection
                .query_row("SELECT n, content FROM sync_lease", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()
        })
        .await
    }

    async fn write_lease(&self, expected: Option<i64>, content: &str) -> Result<i64, Trouble> {
        let content = content.to_owned();
        self.write(move |transaction| {
            migrate(transaction)?;
            let n = expected.map_or(1, |n| n + 1);
            let run = || -> rusqlite::Result<bool> {
                let found = transaction
                    .query_row("SELECT n FROM sync_lease", [], |row| row.get::<_, i64>(0))
                    .optional()?;
                if found != expected {
                    return Ok(false);
                }
                transaction.execute("DELETE FROM sync_lease", [])?;
                transaction.execute("INSERT INTO sync_lease VALUES (?1, ?2)", (n, &content))?;
                Ok(true)
            };
            match run().map_err(trouble)? {
                true => Ok(n),
                false => Err(Trouble::Moved("Another run has the lease.".to_owned())),
            }
        })
        .await
    }

    async fn table(
        &self,
        name: &str,
    ) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Trouble> {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        self.read(move |connection| {
            let mut statement = connection.prepare(&format!("SELECT * FROM {quoted}"))?;
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let rows = statement.query_map([], |row| {
                let mut out = serde_json::Map::new();
                for (n, column) in columns.iter().enumerate() {
                    let value = match row.get::<_, Value>(n)? {
                        Value::Null => serde_json::Value::Null,
                        Value::Integer(n) => n.into(),
                        other => text(other).into(),
                    };
                    out.insert(column.to_lowercase(), value);
                }
                Ok(out)
            })?;
            rows.collect()
        })
        .await
    }
}
