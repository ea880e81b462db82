//! PostgreSQL 12 and newer, directly or through a pooler that gives each transaction another connection: no statement
//! has a name, and nothing is kept in a session.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, Row as Found};

use super::engine::{
    Commit, Engine, FIRST, KEPT, Opened, ROWS, Relation, Row, Rows, Trouble, Want, Write,
};
use super::tls::{Tls, Trust};

/// The tables, by the version that each script makes.
const MIGRATIONS: [&str; 1] = [include_str!("schema/postgres_1.sql")];

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);

/// Columns of a [`Row`].
const COLUMNS: &str = "a.uid, a.kind, a.id, a.title, a.status, a.properties::text, a.version, a.body_version, \
    a.change, a.author, (extract(epoch FROM a.updated_at) * 1000000)::bigint, a.deleted_at IS NOT NULL";

/// A parameter with its type: what has no name cannot be asked what it takes.
type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A database on a server.
pub(crate) struct Postgres {
    config: Config,
    trust: Trust,
    /// The schema, quoted.
    schema: String,
    client: tokio::sync::Mutex<Option<std::sync::Arc<Client>>>,
    /// Held by whoever asks: what two ask at once on one connection would be one transaction.
    alone: tokio::sync::Mutex<()>,
}

impl Postgres {
    /// For a connection URL.
    ///
    /// # Errors
    /// A sentence about a URL that is none; it holds nothing of the URL.
    pub(crate) fn new(url: &str, schema: &str) -> Result<Self, String> {
        let (url, mode, file) = without_ssl(url);
        let mut config: Config =
            url.parse().map_err(|_| "It is no connection URL of PostgreSQL.".to_owned())?;
        let near = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => {
                name == "localhost"
                    || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_) => true,
        });
        let (ssl, trust) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            None if near => (SslMode::Disable, Trust::Anybody),
            Some("allow" | "prefer") => (SslMode::Prefer, Trust::Anybody),
            Some("require") if file.is_none() => (SslMode::Require, Trust::Anybody),
            None | Some("require" | "verify-ca" | "verify-full") => {
                let trust = match file.as_deref() {
                    None | Some("system") => Trust::Web,
                    Some(path) => Trust::File(path.into()),
                };
                (SslMode::Require, trust)
            }
            Some(_) => return Err("Its `sslmode` is unknown.".to_owned()),
        };
        config.ssl_mode(ssl).connect_timeout(CONNECT).application_name("agent-sync");
        let schema = format!("\"{}\"", schema.replace('"', "\"\""));
        Ok(Self {
            config,
            trust,
            schema,
            client: tokio::sync::Mutex::default(),
            alone: tokio::sync::Mutex::default(),
        })
    }

    async fn connect(&self) -> Result<Client, Trouble> {
        let drive = |result: Result<(), Error>| {
            if let Err(error) = result {
                tracing::debug!(%error, "the connection to PostgreSQL ended");
            }
        };
        if self.config.get_ssl_mode() == SslMode::Disable {
            let (client, connection) = self.config.connect(NoTls).await.map_err(|e| trouble(&e))?;
            tokio::spawn(async move { drive(connection.await) });
            return Ok(client);
        }
        let refused = |message: String| Trouble::Refused {
            message,
            remedy: "Correct `sslrootcert` in the connection URL.".to_owned(),
        };
        let tls = Tls::new(&self.trust).map_err(refused)?;
        let (client, connection) = self.config.connect(tls).await.map_err(|e| trouble(&e))?;
        tokio::spawn(async move { drive(connection.await) });
        Ok(client)
    }

    /// The connection; a new one where the last one has ended.
    async fn client(&self) -> Result<std::sync::Arc<Client>, Trouble> {
        let mut slot = self.client.lock().await;
        if let Some(client) = slot.as_ref().filter(|client| !client.is_closed()) {
            return Ok(client.clone());
        }
        let client = std::sync::Arc::new(timely(self.connect()).await?);
        *slot = Some(client.clone());
        Ok(client)
    }

    fn sql(&self, text: &str) -> String {
        text.replace("{schema}", &self.schema)
    }

    /// Asks one question that changes nothing; again on a new connection where the old one had ended.
    async fn ask(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Found>, Trouble> {
        let sql = self.sql(sql);
        let _alone = self.alone.lock().await;
        let client = self.client().await?;
        match answer(client.query_typed(&sql, params)).await {
            Err(Failure::Sql(error)) if error.is_closed() => {
                let client = self.client().await?;
                Ok(answer(client.query_typed(&sql, params)).await?)
            }
            rows => Ok(rows?),
        }
    }

    /// Ends a transaction: what was done in it is committed, or nothing is.
    async fn end<T>(&self, client: &Client, work: Result<T, Failure>) -> Result<T, Trouble> {
        let failure = match work {
            Ok(done) => match answer(client.batch_execute("COMMIT")).await {
                Ok(()) => return Ok(done),
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        // A connection that has not ended its transaction is of no use to anybody.
        if answer(client.batch_execute("ROLLBACK")).await.is_err() {
            *self.client.lock().await = None;
        }
        Err(failure.into())
    }
}

/// The URL without what it says of TLS, and what that is: `sslmode`, `sslrootcert`.
fn without_ssl(url: &str) -> (String, Option<String>, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None, None) };
    let (mut mode, mut file) = (None, None);
    let mut rest = Vec::new();
    for part in query.split('&') {
        match part.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => file = Some(value.replace("%2F", "/")),
            // Poolers are told of by this; there is nothing to be done about it.
            Some(("pgbouncer" | "supa", _)) => {}
            _ => rest.push(part),
        }
    }
    let query = rest.join("&");
    let url = if query.is_empty() { base.to_owned() } else { format!("{base}?{query}") };
    (url, mode, file)
}

/// Why a statement did nothing.
enum Failure {
    Sql(Error),
    Late,
    Trouble(Trouble),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sql(error) => trouble(&error),
            Failure::Late => late(),
            Failure::Trouble(trouble) => trouble,
        }
    }
}

fn late() -> Trouble {
    Trouble::Unavailable("The database does not answer in time.".to_owned())
}

async fn timely<T>(work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    tokio::time::timeout(ANSWER, work).await.unwrap_or_else(|_| Err(late()))
}

async fn answer<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match tokio::time::timeout(ANSWER, work).await {
        Ok(result) => result.map_err(Failure::Sql),
        Err(_) => Err(Failure::Late),
    }
}

/// Why there will be no TLS however often it is tried: the certificate, or a server that knows none.
fn distrust(error: &Error) -> Option<String> {
    let source = std::error::Error::source(error)?;
    match source.downcast_ref::<std::io::Error>() {
        Some(error) => match error.get_ref()?.downcast_ref::<rustls::Error>()? {
            error @ rustls::Error::InvalidCertificate(_) => Some(error.to_string()),
            _ => None,
        },
        None => error.to_string().contains("TLS handshake").then(|| source.to_string()),
    }
}

/// What an error means. Its text never holds the URL or a password.
fn trouble(error: &Error) -> Trouble {
    let Some(code) = error.code() else {
        if let Some(reason) = distrust(error) {
            return Trouble::Refused {
                message: format!("The server of PostgreSQL is not trusted ({reason})."),
                remedy: "See `sslmode` and `sslrootcert` in docs/backends.md.".to_owned(),
            };
        }
        let source = std::error::Error::source(error).map(|source| format!(": {source}"));
        return Trouble::Unavailable(format!(
            "PostgreSQL cannot be reached ({error}{}).",
            source.unwrap_or_default()
        ));
    };
    let said = error.as_db_error().map_or_else(String::new, |error| error.message().to_owned());
    let refused = |remedy: &str| Trouble::Refused {
        message: format!("PostgreSQL refuses: {said}."),
        remedy: remedy.to_owned(),
    };
    match code.code().get(..2).unwrap_or_default() {
        "40" => Trouble::Moved(format!("Another transaction was in the way: {said}.")),
        "08" | "53" | "57" | "58" | "XX" => {
            Trouble::Unavailable(format!("PostgreSQL cannot do it now: {said}."))
        }
        "55" => Trouble::Unavailable(format!("Another program holds a lock: {said}.")),
        "28" | "3D" => refused("Correct the connection URL."),
        "42" if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            refused("Give the role the rights that docs/backends.md names.")
        }
        "42" => refused("Run `agent-sync init`; it makes and repairs the tables."),
        _ => refused("See whether somebody changed the tables; docs/backends.md has them."),
    }
}

fn get<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r Found, at: usize) -> Result<T, Trouble> {
    row.try_get(at).map_err(|_| Trouble::Refused {
        message: "The tables are not those of agent-sync.".to_owned(),
        remedy: "See whether somebody changed them; docs/backends.md has them.".to_owned(),
    })
}

fn row(found: &Found) -> Result<Row, Trouble> {
    Ok(Row {
        uid: get(found, 0)?,
        kind: get::<Option<String>>(found, 1)?.unwrap_or_default(),
        id: get(found, 2)?,
        title: get(found, 3)?,
        status: get(found, 4)?,
        properties: get(found, 5)?,
        version: get(found, 6)?,
        body_version: get(found, 7)?,
        change: get(found, 8)?,
        author: get(found, 9)?,
        updated: get::<Option<i64>>(found, 10)?.unwrap_or_default(),
        deleted: get(found, 11)?,
    })
}

const BODIES: &str = "SELECT uid, coalesce(body, '') FROM {schema}.artifacts WHERE uid = ANY ($1)";

fn body(row: &Found) -> Result<(String, String), Trouble> {
    Ok((get(row, 0)?, get(row, 1)?))
}

/// Holds the lock that the triggers hold, until the transaction ends.
const LOCK: &str = "SELECT pg_advisory_xact_lock('{schema}.artifacts'::regclass::oid::bigint + (7034::bigint << 32))";

/// Begins a transaction that does not wait for ever.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '10s'";

const INSERT: &str = "WITH w AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], \
      $6::text[], $7::text[], $8::text[], $9::text[]) \
      AS w(uid, kind, id, title, status, properties, body, hash, author)), \
    i AS (INSERT INTO {schema}.artifacts (uid, kind, id, title, status, properties, body, hash, author) \
      SELECT w.uid, w.kind, w.id, w.title, w.status, w.properties::jsonb, w.body, w.hash, w.author FROM w \
      WHERE NOT EXISTS (SELECT 1 FROM {schema}.artifacts a \
        WHERE a.kind = w.kind AND a.id = w.id AND a.deleted_at IS NULL) RETURNING 1) \
    SELECT count(*) FROM i";

const UPDATE: &str = "WITH w AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], \
      $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::boolean[]) \
      AS w(uid, kind, id, title, status, properties, body, hash, author, expected, deleted)), \
    u AS (UPDATE {schema}.artifacts a SET kind = w.kind, id = w.id, title = w.title, status = w.status, \
      properties = w.properties::jsonb, author = w.author, body = coalesce(w.body, a.body), \
      hash = coalesce(w.hash, a.hash), \
      deleted_at = CASE WHEN w.deleted THEN coalesce(a.deleted_at, clock_timestamp()) END \
      FROM w WHERE a.uid = w.uid AND a.version = w.expected RETURNING 1) \
    SELECT count(*) FROM u";

/// Columns of rows that are written, one list each.
struct Columns<'w> {
    texts: [Vec<Option<&'w str>>; 9],
    expected: Vec<Option<i64>>,
    deleted: Vec<bool>,
}

impl<'w> Columns<'w> {
    fn of(writes: impl Iterator<Item = &'w Write>) -> Self {
        let mut out = Self { texts: Default::default(), expected: Vec::new(), deleted: Vec::new() };
        for Write { row, expected, body, hash } in writes {
            let texts = [
                Some(row.uid.as_str()),
                Some(row.kind.as_str()),
                row.id.as_deref(),
                row.title.as_deref(),
                row.status.as_deref(),
                row.properties.as_deref(),
                body.as_deref(),
                hash.as_deref(),
                row.author.as_deref(),
            ];
            out.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(text));
            out.expected.push(*expected);
            out.deleted.push(row.deleted);
        }
        out
    }

    fn len(&self) -> i64 {
        i64::try_from(self.expected.len()).unwrap_or(i64::MAX)
    }

    /// Sends the rows; true if all were written.
    async fn send(&self, client: &Client, sql: &str, update: bool) -> Result<bool, Failure> {
        if self.expected.is_empty() {
            return Ok(true);
        }
        let mut params: Vec<Param<'_>> = self
            .texts
            .iter()
            .map(|column| (column as &(dyn ToSql + Sync), Type::TEXT_ARRAY))
            .collect();
        if update {
            params.push((&self.expected, Type::INT8_ARRAY));
            params.push((&self.deleted, Type::BOOL_ARRAY));
        }
        let found = answer(client.query_typed(sql, &params)).await?;
        Ok(found.first().map(|row| get::<i64>(row, 0)).transpose()? == Some(self.len()))
    }
}

/// A part of the state's files.
async fn send_files(
    client: &Client,
    close: &str,
    insert: &str,
    n: i64,
    files: &[(String, Option<Vec<u8>>)],
) -> Result<(), Failure> {
    if files.is_empty() {
        return Ok(());
    }
    let all: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let (paths, contents): (Vec<&str>, Vec<&[u8]>) = files
        .iter()
        .filter_map(|(path, content)| Some((path.as_str(), content.as_deref()?)))
        .unzip();
    let close_params: [Param<'_>; 2] = [(&all, Type::TEXT_ARRAY), (&n, Type::INT8)];
    let insert_params: [Param<'_>; 3] =
        [(&paths, Type::TEXT_ARRAY), (&contents, Type::BYTEA_ARRAY), (&n, Type::INT8)];
    let closed = answer(client.query_typed(close, &close_params));
    let inserted = answer(client.query_typed(insert, &insert_params));
    let (closed, inserted) = futures::join!(closed, inserted);
    closed.and(inserted).map(drop)
}

#[async_trait]
impl Engine for Postgres {
    async fn open(&self) -> Result<Opened, Trouble> {
        let _alone = self.alone.lock().await;
        let client = self.client().await?;
        let sql = [
            "SELECT (SELECT version FROM {schema}.sync_meta), \
             (SELECT coalesce(max(change), 0) FROM {schema}.artifacts)",
            "SELECT k.kind, k.title, r.property, r.target FROM {schema}.sync_kinds k \
             LEFT JOIN {schema}.sync_relations r ON r.kind = k.kind",
            "SELECT (SELECT max(n) FROM {schema}.sync_commits), path, content FROM {schema}.sync_files \
             WHERE to_commit IS NULL AND path = ANY ($1)",
        ]
        .map(|sql| self.sql(sql));
        let first: Vec<&str> = FIRST.to_vec();
        let params: [Param<'_>; 1] = [(&first, Type::TEXT_ARRAY)];
        let [meta, kinds, files] = &sql;
        let asked = futures::future::join3(
            answer(client.query_typed(meta, &[])),
            answer(client.query_typed(kinds, &[])),
            answer(client.query_typed(files, &params)),
        );
        let (meta, kinds, files) = match asked.await {
            (Ok(meta), Ok(kinds), Ok(files)) => (meta, kinds, files),
            (Err(Failure::Sql(error)), ..)
                if matches!(
                    error.code(),
                    Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME)
                ) =>
            {
                return Ok(Opened::default());
            }
            (Err(failure), ..) | (_, Err(failure), _) | (.., Err(failure)) => {
                return Err(failure.into());
            }
        };
        let mut out = Opened::default();
        if let Some(row) = meta.first() {
            out.version = get(row, 0)?;
            out.newest = get(row, 1)?;
        }
        for row in &kinds {
            let kind: String = get(row, 0)?;
            out.kinds.insert(kind.clone(), get(row, 1)?);
            if let (Some(property), Some(target)) = (get(row, 2)?, get(row, 3)?) {
                out.relations.push(Relation { kind, property, target });
            }
        }
        for row in &files {
            out.head = get(row, 0)?;
            out.files.insert(get(row, 1)?, get(row, 2)?);
        }
        Ok(out)
    }

    async fn init(
        &self,
        kinds: &BTreeMap<String, String>,
        relations: &[Relation],
    ) -> Result<(), Trouble> {
        let _alone = self.alone.lock().await;
        let client = self.client().await?;
        let client = client.as_ref();
        let work = async {
            answer(client.batch_execute(BEGIN)).await?;
            // Two that make the tables at once follow one another.
            let schema = self.schema.trim_matches('"');
            let lock: [Param<'_>; 1] = [(&schema, Type::TEXT)];
            answer(client.query_typed(
                "SELECT pg_advisory_xact_lock(hashtext('agent-sync ' || $1)::bigint)",
                &lock,
            ))
            .await?;
            let there = answer(client.query_typed(
                "SELECT to_regnamespace(quote_ident($1)) IS NOT NULL, \
                 to_regclass(quote_ident($1) || '.sync_meta') IS NOT NULL",
                &lock,
            ))
            .await?;
            let (schema, tables) = match there.first() {
                Some(row) => (get::<bool>(row, 0)?, get::<bool>(row, 1)?),
                None => (false, false),
            };
            if !schema {
                answer(client.batch_execute(&self.sql("CREATE SCHEMA {schema}"))).await?;
            }
            let mut version = 0;
            if tables {
                let sql = self.sql("SELECT version FROM {schema}.sync_meta");
                let found = answer(client.query_typed(&sql, &[])).await?;
                version = found.first().map(|row| get(row, 0)).transpose()?.unwrap_or(0);
            }
            for (n, script) in (1_i64..).zip(MIGRATIONS).filter(|(n, _)| *n > version) {
                answer(client.batch_execute(&self.sql(script))).await?;
                let sql = self.sql("UPDATE {schema}.sync_meta SET version = $1");
                answer(client.query_typed(&sql, &[(&n, Type::INT8)])).await?;
            }
            record(client, |sql| self.sql(sql), kinds, relations).await
        };
        self.end(client, work.await).await
    }

    async fn rows(&self, want: &Want) -> Result<Rows, Trouble> {
        let (from, one, two, kind): (_, Vec<String>, Vec<i64>, String) = match want {
            Want::Changed(kinds) => (
                "{schema}.artifacts a JOIN unnest($1::text[], $2::bigint[]) AS w(kind, since) \
                 ON a.kind = w.kind AND a.change > w.since WHERE $3 = ''",
                kinds.iter().map(|(kind, _)| kind.clone()).collect(),
                kinds.iter().map(|(_, since)| *since).collect(),
                String::new(),
            ),
            Want::Uids(uids) => (
                "{schema}.artifacts a WHERE a.uid = ANY ($1) AND $2::bigint[] = '{}' AND $3 = ''",
                uids.clone(),
                Vec::new(),
                String::new(),
            ),
            Want::Ids(kind, ids) => (
                "{schema}.artifacts a WHERE a.id = ANY ($1) AND $2::bigint[] = '{}' AND a.kind = $3 \
                 AND a.deleted_at IS NULL",
                ids.clone(),
                Vec::new(),
                kind.clone(),
            ),
        };
        let params: [Param<'_>; 3] =
            [(&one, Type::TEXT_ARRAY), (&two, Type::INT8_ARRAY), (&kind, Type::TEXT)];
        let _alone = self.alone.lock().await;
        let client = self.client().await?;
        // First, so that a row that comes between the questions is not passed over by the next run.
        let newest = self.sql("SELECT coalesce(max(change), 0) FROM {schema}.artifacts");
        let rows = self.sql(&format!("SELECT {COLUMNS} FROM {from} ORDER BY a.uid"));
        let targets = self.sql(&format!(
            "SELECT DISTINCT t.kind, t.id, t.uid FROM {{schema}}.links l JOIN {{schema}}.artifacts t \
             ON t.kind = l.to_kind AND t.id = l.to_id WHERE t.deleted_at IS NULL \
             AND l.uid IN (SELECT a.uid FROM {from})"
        ));
        let bodies = self.sql(BODIES);
        let uids = [(&one as &(dyn ToSql + Sync), Type::TEXT_ARRAY)];
        let bodies = async {
            match want {
                Want::Uids(_) => answer(client.query_typed(&bodies, &uids)).await,
                _ => Ok(Vec::new()),
            }
        };
        let (newest, rows, targets, bodies) = futures::join!(
            answer(client.query_typed(&newest, &[])),
            answer(client.query_typed(&rows, &params)),
            answer(client.query_typed(&targets, &params)),
            bodies,
        );
        let newest = newest?.first().map(|row| get(row, 0)).transpose()?.unwrap_or(0);
        let rows = rows?.iter().map(row).collect::<Result<_, _>>()?;
        let target = |row: &Found| Ok::<_, Trouble>((get(row, 0)?, get(row, 1)?, get(row, 2)?));
        let targets = targets?.iter().map(target).collect::<Result<_, _>>()?;
        let bodies = bodies?.iter().map(body).collect::<Result<_, _>>()?;
        Ok(Rows { rows, newest, targets, bodies })
    }

    async fn bodies(&self, uids: &[String]) -> Result<BTreeMap<String, String>, Trouble> {
        let uids = uids.to_vec();
        let rows = self.ask(BODIES, &[(&uids, Type::TEXT_ARRAY)]).await?;
        rows.iter().map(body).collect()
    }

    async fn apply(&self, writes: Arc<[Write]>, commit: Arc<Commit>) -> Result<i64, Trouble> {
        let moved = || Trouble::Moved("Another program wrote meanwhile.".to_owned());
        let _alone = self.alone.lock().await;
        let client = self.client().await?;
        let client = client.as_ref();
        let work = async {
            let [lock, insert, update, close, file, next, prune] = [
                LOCK,
                INSERT,
                UPDATE,
                "UPDATE {schema}.sync_files SET to_commit = $2 \
                 WHERE path = ANY ($1) AND to_commit IS NULL",
                "INSERT INTO {schema}.sync_files (path, from_commit, content) \
                 SELECT f.path, $3, f.content FROM unnest($1::text[], $2::bytea[]) AS f(path, content)",
                "INSERT INTO {schema}.sync_commits SELECT $1, $2, $3 \
                 WHERE (SELECT coalesce(max(n), 0) FROM {schema}.sync_commits) = $1 - 1 RETURNING n",
                "WITH f AS (DELETE FROM {schema}.sync_files WHERE to_commit <= $1) \
                 DELETE FROM {schema}.sync_commits WHERE n < $2",
            ]
            .map(|sql| self.sql(sql));
            let n = commit.parent.unwrap_or(0) + 1;
            let message = commit.message.replace('\0', "");
            let params: [Param<'_>; 3] =
                [(&n, Type::INT8), (&message, Type::TEXT), (&commit.at, Type::INT8)];
            let (kept, first) = if commit.restart { (n - 1, n) } else { (n - KEPT, 0) };
            let behind: [Param<'_>; 2] = [(&kept, Type::INT8), (&first, Type::INT8)];
            // Rows and files of the state in as many parts as there are hundreds of rows: all of a part is on its
            // way at once.
            let parts = writes.len().div_ceil(ROWS).max(1);
            let share = commit.files.len().div_ceil(parts).max(1);
            for part in 0..parts {
                let rows = writes.iter().skip(part * ROWS).take(ROWS);
                let new = Columns::of(rows.clone().filter(|write| write.expected.is_none()));
                let old = Columns::of(rows.filter(|write| write.expected.is_some()));
                let from = (part * share).min(commit.files.len());
                let to = (from + share).min(commit.files.len());
                let files = commit.files.get(from..to).unwrap_or_default();
                let begin = async {
                    if part > 0 {
                        return Ok(true);
                    }
                    let (begun, locked, next, pruned) = futures::join!(
                        answer(client.batch_execute(BEGIN)),
                        answer(client.query_typed(&lock, &[])),
                        answer(client.query_typed(&next, &params)),
                        answer(client.query_typed(&prune, &behind)),
                    );
                    begun?;
                    locked?;
                    pruned?;
                    Ok::<_, Failure>(next?.len() == 1)
                };
                let (begun, made, changed, filed) = futures::join!(
                    begin,
                    new.send(client, &insert, false),
                    old.send(client, &update, true),
                    send_files(client, &close, &file, n, files),
                );
                // Each answers for itself; the first that failed is the reason of those after it.
                if !begun? || !made? || !changed? {
                    return Err(moved().into());
                }
                filed?;
            }
            Ok(n)
        };
        self.end(client, work.await).await
    }

    async fn files(&self, at: i64, paths: &[String]) -> Result<BTreeMap<String, Vec<u8>>, Trouble> {
        let paths = paths.to_vec();
        let sql = "SELECT path, content FROM {schema}.sync_files WHERE path = ANY ($1) \
            AND from_commit <= $2 AND (to_commit IS NULL OR to_commit > $2)";
        let rows = self.ask(sql, &[(&paths, Type::TEXT_ARRAY), (&at, Type::INT8)]).await?;
        rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
    }

    async fn list(&self, at: i64, prefix: &str) -> Result<Vec<String>, Trouble> {
        let sql = "SELECT path FROM {schema}.sync_files WHERE starts_with(path, $1) \
            AND from_commit <= $2 AND (to_commit IS NULL OR to_commit > $2) ORDER BY path COLLATE \"C\"";
        let rows = self.ask(sql, &[(&prefix, Type::TEXT), (&at, Type::INT8)]).await?;
        rows.iter().map(|row| get(row, 0)).collect()
    }

    async fn history(&self, at: i64, limit: usize) -> Result<Vec<(i64, i64, String)>, Trouble> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = "SELECT n, at, message FROM {schema}.sync_commits WHERE n <= $1 \
            ORDER BY n DESC LIMIT $2";
        let rows = self.ask(sql, &[(&at, Type::INT8), (&limit, Type::INT8)]).await?;
        rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?, get(row, 2)?))).collect()
    }

    async fn lease(&self) -> Result<Option<(i64, String)>, Trouble> {
        let sql = "SELECT n, content FROM {schema}.sync_lease";
        let rows = self.ask(sql, &[]).await?;
        rows.first().map(|row| Ok((get(row, 0)?, get(row, 1)?))).transpose()
    }

    async fn write_lease(&self, expected: Option<i64>, content: &str) -> Result<i64, Trouble> {
        let n = expected.map_or(1, |n| n + 1);
        let content = content.to_owned();
        let _alone = self.alone.lock().await;
        let client = self.client().await?;
        let client = client.as_ref();
        let work = async {
            let [lock, write, make] = [
                LOCK,
                "UPDATE {schema}.sync_lease SET n = $1, content = $2 WHERE n = $1 - 1 RETURNING 1",
                "INSERT INTO {schema}.sync_lease SELECT $1, $2 \
                 WHERE NOT EXISTS (SELECT 1 FROM {schema}.sync_lease) RETURNING 1",
            ]
            .map(|sql| self.sql(sql));
            let write = if expected.is_some() { write } else { make };
            let params: [Param<'_>; 2] = [(&n, Type::INT8), (&content, Type::TEXT)];
            let (begun, locked, written) = futures::join!(
                answer(client.batch_execute(BEGIN)),
                answer(client.query_typed(&lock, &[])),
                answer(client.query_typed(&write, &params)),
            );
            begun?;
            locked?;
            match written?.len() {
                1 => Ok(n),
                _ => Err(Trouble::Moved("Another run has the lease.".to_owned()).into()),
            }
        };
        self.end(client, work.await).await
    }

    async fn table(
        &self,
        name: &str,
    ) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Trouble> {
        let quoted: Vec<String> =
            name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
        let sql = format!("SELECT to_jsonb(t)::text FROM {} t", quoted.join("."));
        let rows = self.ask(&sql, &[]).await?;
        let object = |row: &Found| {
            let text: String = get(row, 0)?;
            Ok(serde_json::from_str(&text).unwrap_or_default())
        };
        rows.iter().map(object).collect()
    }
}

/// Records kinds and relations, and brings the links to them.
async fn record(
    client: &Client,
    sql: impl Fn(&str) -> String,
    kinds: &BTreeMap<String, String>,
    relations: &[Relation],
) -> Result<(), Failure> {
    let (names, titles): (Vec<&str>, Vec<&str>) =
        kinds.iter().map(|(name, title)| (name.as_str(), title.as_str())).unzip();
    let column = |of: fn(&Relation) -> &String| relations.iter().map(of).collect::<Vec<_>>();
    let (of, property, target) =
        (column(|r| &r.kind), column(|r| &r.property), column(|r| &r.target));
    let kinds: [Param<'_>; 2] = [(&names, Type::TEXT_ARRAY), (&titles, Type::TEXT_ARRAY)];
    let gone: [Param<'_>; 1] = [(&names, Type::TEXT_ARRAY)];
    let new: [Param<'_>; 3] =
        [(&of, Type::TEXT_ARRAY), (&property, Type::TEXT_ARRAY), (&target, Type::TEXT_ARRAY)];
    let texts = [
        "INSERT INTO {schema}.sync_kinds SELECT * FROM unnest($1::text[], $2::text[]) \
         ON CONFLICT (kind) DO UPDATE SET title = excluded.title",
        "DELETE FROM {schema}.sync_relations WHERE kind = ANY ($1)",
        "INSERT INTO {schema}.sync_relations SELECT * FROM unnest($1::text[], $2::text[], $3::text[])",
        "DELETE FROM {schema}.links",
        "INSERT INTO {schema}.links SELECT l.* FROM {schema}.artifacts a, \
         {schema}.artifact_links(a.uid, a.kind, a.id, a.properties) l WHERE a.deleted_at IS NULL",
    ]
    .map(sql);
    let params: [&[Param<'_>]; 5] = [&kinds, &gone, &new, &[], &[]];
    for (text, params) in texts.iter().zip(params) {
        answer(client.query_typed(text, params)).await?;
    }
    Ok(())
}
