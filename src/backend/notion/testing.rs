//! Support for the tests of this module: a kind, its place, and a server that plays a script.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agent_sync_core::kind::{Format, Kind, Property, PropertyType, Source};
use regex::Regex;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{Notion, NotionOptions, Tuning};
use crate::backend::{Backend, Place, WriteGate};

/// A kind with a property of each type that matters.
pub(super) fn story() -> Kind {
    let property = |name: &str, r#type, source| Property {
        name: name.into(),
        remote_name: name.into(),
        r#type,
        source,
        options: Vec::new(),
        target: None,
        allow_new_options: false,
    };
    let options = [("TO_DO", "To do"), ("DONE", "Done"), ("REVIEW", "Review")];
    Kind {
        name: "story".into(),
        folder: "stories".into(),
        file: "{id}-{slug}.md".into(),
        id_pattern: r"[A-Z]+-\d+".into(),
        file_id: Regex::new(r"^([A-Z]+-\d+)").unwrap(),
        rename: agent_sync_core::kind::Rename::Keep,
        database: "Stories".into(),
        format: Format::Markdown,
        properties: vec![
            property("Title", PropertyType::Title, Source::Heading),
            property("ID", PropertyType::RichText, Source::Id),
            Property {
                options: options.map(|(local, remote)| (local.into(), remote.into())).to_vec(),
                ..property("Status", PropertyType::Select, Source::Section(vec!["State".into()]))
            },
            Property {
                target: Some("plan".into()),
                ..property(
                    "Linked Plans",
                    PropertyType::Relation,
                    Source::References("Linked Plans".into()),
                )
            },
        ],
    }
}

/// Where [`story`] lives.
pub(super) fn place() -> Place {
    let properties =
        [("Title", "title"), ("ID", "a%3Ab"), ("Status", "stat"), ("Linked Plans", "plan")];
    Place {
        database: "dddddddd-dddd-dddd-dddd-dddddddddddd".into(),
        data_source: "11111111-1111-1111-1111-111111111111".into(),
        properties: BTreeMap::from(properties.map(|(name, id)| (name.into(), id.into()))),
        ..Place::default()
    }
}

/// What the server does with a request.
pub(super) enum Play {
    /// Answers with this status and JSON.
    Json(u16, Json),
    /// The same with further header lines.
    With(u16, &'static [&'static str], Json),
    /// Answers as the edge does: HTML, and no request id.
    Html(u16),
    /// Answers with this many bytes.
    Bytes(usize),
    /// Closes the connection without an answer.
    Drop,
    /// Announces more than it sends, then closes.
    Truncate,
    /// Never answers.
    Stall,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Method and target.
    pub(super) line: String,
    /// Headers with lower-case names.
    pub(super) headers: BTreeMap<String, String>,
    /// The body, `null` if there was none.
    pub(super) body: Json,
}

/// A server on loopback that plays a script, one request a connection.
pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(super) async fn start(script: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let requests = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, requests) = (Arc::clone(&script), Arc::clone(&requests));
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let Some(request) = read_request(&mut stream).await else { return };
                    requests.lock().unwrap().push(request);
                    let play = script.lock().unwrap().pop_front();
                    perform(
                        play.unwrap_or_else(|| api_error(418, "script_ended", "")),
                        stream.into_inner(),
                    )
                    .await;
                });
            }
        });
        Self { url, seen }
    }

    /// The requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Method and target of the requests so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

/// An error answer of the API.
pub(super) fn api_error(status: u16, code: &str, message: &str) -> Play {
    let body = json!({"object": "error", "status": status, "code": code, "message": message,
                      "request_id": "req-1"});
    Play::Json(status, body)
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Seen { line, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}

async fn perform(play: Play, mut stream: TcpStream) {
    let api = &["content-type: application/json", "x-notion-request-id: req-1"][..];
    let (status, headers, body) = match play {
        Play::Json(status, body) => (status, api.to_vec(), body.to_string().into_bytes()),
        Play::With(status, headers, body) => {
            (status, [api, headers].concat(), body.to_string().into_bytes())
        }
        Play::Html(status) => (status, vec!["cf-ray: ray-1"], b"<html>sorry</html>".to_vec()),
        Play::Bytes(count) => (200, api.to_vec(), vec![b' '; count]),
        Play::Drop => return,
        Play::Truncate => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"object\":";
            let _ = stream.write_all(head.as_bytes()).await;
            return;
        }
        Play::Stall => return tokio::time::sleep(Duration::from_secs(60)).await,
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nDate: Fri, 20 Nov 2026 10:00:30 GMT\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str(&format!("Connection: close\r\nContent-Length: {}\r\n\r\n", body.len()));
    // A client that has gone away is a test's business, not the server's.
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
}

/// Lets writes through so many times.
pub(super) struct Gate(pub(super) AtomicU32);

impl WriteGate for Gate {
    fn may_write(&self) -> Result<(), String> {
        let left =
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| "the lease is lost".to_owned())
    }
}

/// The token of [`notion`]; it must never be seen anywhere but in the header.
pub(super) const TOKEN: &str = "ntn_very_secret";

/// The page of databases of [`notion`].
pub(super) const PARENT: &str = "eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee";

/// Options for a backend with short waits.
pub(super) fn options(base_url: &str) -> NotionOptions {
    NotionOptions {
        name: "notion".into(),
        base_url: base_url.into(),
        token: TOKEN.into(),
        parent_page: Some(PARENT.into()),
        databases: BTreeMap::new(),
        designs: BTreeMap::new(),
        requests_per_minute: 1000,
        dialect: agent_sync_core::markdown::Dialect::NotionV1,
        settle_time: Duration::from_secs(60),
        tuning: Tuning {
            backoff: Duration::from_millis(2),
            read_timeout: Duration::from_millis(400),
            write_timeout: Duration::from_millis(400),
        },
    }
}

/// A backend with short waits and an open gate.
pub(super) fn notion(base_url: &str) -> Notion {
    with_gate(Notion::new(options(base_url)).unwrap())
}

/// Opens the gate.
pub(super) fn with_gate(notion: Notion) -> Notion {
    notion.set_gate(Arc::new(Gate(AtomicU32::new(u32::MAX))));
    notion
}

/// A page object of [`place`], with this number as id.
pub(super) fn page_object(number: u32, created: &str) -> Json {
    json!({
        "object": "page", "id": page_uuid(number), "url": format!("https://app.notion.com/p/{number}"),
        "created_time": created, "last_edited_time": "2026-11-20T10:00:00.000Z",
        "created_by": {"object": "user", "id": "ada"}, "last_edited_by": {"object": "user", "id": "bot"},
        "in_trash": false, "is_archived": false,
        "parent": {"type": "data_source_id", "data_source_id": place().data_source},
        "properties": {
            "Name": {"id": "title", "type": "title", "title": [{"plain_text": "Log "}, {"plain_text": "in"}]},
            "ID": {"id": "a%3Ab", "type": "rich_text", "rich_text": [{"plain_text": format!("S-{number}")}]},
            "Stage": {"id": "stat", "type": "select", "select": {"id": "o", "name": "To do"}},
            "Linked Plans": {"id": "plan", "type": "relation", "relation": [], "has_more": false},
            "Somebody's own": {"id": "zzzz", "type": "number", "number": 3},
        },
    })
}

/// The id of [`page_object`].
pub(super) fn page_uuid(number: u32) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

/// A list answer.
pub(super) fn list(results: Vec<Json>, next: Option<&str>) -> Play {
    Play::Json(
        200,
        json!({"object": "list", "results": results, "has_more": next.is_some(), "next_cursor": next}),
    )
}
