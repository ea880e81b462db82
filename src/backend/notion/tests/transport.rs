//! Sending, repeating, pausing, refusing.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::backend::notion::testing::{
    Gate, Play, Server, TOKEN, api_error, notion, options, page_object, page_uuid, place, story,
};
use crate::backend::notion::{Notion, NotionOptions, Tuning};
use crate::backend::{Backend, BackendError, RemotePage};

fn body() -> Play {
    Play::Json(200, json!({"object": "page_markdown", "markdown": "text", "truncated": false}))
}

fn page() -> Play {
    Play::Json(200, page_object(1, "2026-11-20T09:00:00.000Z"))
}

async fn create(notion: &Notion) -> Result<RemotePage, BackendError> {
    notion.create(&story(), &place(), &Default::default(), "text").await
}

/// Everything that leaves open whether a write took effect.
fn unclear() -> Vec<Play> {
    vec![
        api_error(500, "internal_server_error", ""),
        api_error(503, "service_unavailable", ""),
        api_error(409, "conflict_error", ""),
        Play::Html(502),
        Play::Html(200),
        Play::Drop,
        Play::Truncate,
        Play::Stall,
    ]
}

#[tokio::test]
async fn every_request_names_the_version_and_carries_the_token() {
    let server =
        Server::start(vec![Play::Json(200, json!({"id": "u", "type": "bot"})), page()]).await;
    let notion = notion(&server.url);
    let identity = notion.identity().await.unwrap();
    assert!(identity.bot && identity.id == "u");
    create(&notion).await.unwrap();
    for seen in server.seen() {
        assert_eq!(seen.headers["notion-version"], "2026-03-11");
        assert_eq!(seen.headers["authorization"], format!("Bearer {TOKEN}"));
        assert!(seen.headers["user-agent"].starts_with("agent-sync/"));
        assert_eq!(seen.headers.contains_key("content-type"), seen.body.is_object());
    }
    assert_eq!(server.lines(), ["GET /v1/users/me", "POST /v1/pages"]);
}

#[tokio::test]
async fn rule_13_a_read_is_repeated_until_it_has_an_answer() {
    for fault in unclear() {
        let server = Server::start(vec![fault, body()]).await;
        let notion = notion(&server.url);
        assert_eq!(notion.body(&page_uuid(1)).await.unwrap().text, "text");
        let requests = notion.requests();
        assert_eq!(requests.by_endpoint["GET /v1/pages/{id}/markdown"], 2);
        assert_eq!(requests.retries, 1);
    }
}

#[tokio::test]
async fn rule_13_a_write_without_a_clear_answer_is_sent_once() {
    for fault in unclear() {
        let server = Server::start(vec![fault, page()]).await;
        let notion = notion(&server.url);
        let error = create(&notion).await.unwrap_err();
        let unclear = matches!(
            error,
            BackendError::Ambiguous { committed: None, .. } | BackendError::Collided { .. }
        );
        assert!(unclear, "{error:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn rule_13_attempts_end() {
    let script = (0..10).map(|_| api_error(502, "bad_gateway", "")).collect();
    let server = Server::start(script).await;
    let error = notion(&server.url).body(&page_uuid(1)).await.unwrap_err();
    assert!(
        matches!(&error, BackendError::Unavailable { message } if message.contains("req-1")),
        "{error}"
    );
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn rule_13_a_full_window_pauses_everybody_and_then_the_write_goes_on() {
    let limited =
        json!({"object": "error", "status": 429, "code": "rate_limited", "message": "slow"});
    let server = Server::start(vec![
        Play::With(429, &["Retry-After: 1"], limited.clone()),
        page(),
        body(),
        Play::Json(529, limited),
        page(),
    ])
    .await;
    let notion = notion(&server.url);
    let start = Instant::now();
    let other = async {
        // Long enough for the other's 429 to be there.
        tokio::time::sleep(Duration::from_millis(200)).await;
        notion.body(&page_uuid(1)).await
    };
    let (created, read) = tokio::join!(create(&notion), other);
    created.unwrap();
    read.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.seen().len(), 3);
    assert!(notion.requests().waited_ms >= 900);
    create(&notion).await.unwrap();
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn rule_13_a_pause_that_nobody_waits_for_ends_the_call_and_the_others() {
    let limited =
        json!({"object": "error", "status": 429, "code": "rate_limited", "message": "slow"});
    let server =
        Server::start(vec![Play::With(429, &["Retry-After: 3600"], limited), body()]).await;
    let notion = notion(&server.url);
    for _ in 0..2 {
        let error = notion.body(&page_uuid(1)).await.unwrap_err();
        assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn rule_13_what_could_not_be_sent_was_not_written() {
    // A port that nobody listens on.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let notion = notion(&url);
    let error = create(&notion).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error:?}");
    assert_eq!(notion.requests().retries, 5);
}

#[tokio::test]
async fn rule_11_without_an_open_gate_nothing_is_written() {
    let limited = json!({"object": "error", "status": 429, "code": "rate_limited"});
    let server =
        Server::start(vec![body(), Play::With(429, &["Retry-After: 0"], limited), page()]).await;
    let notion = Notion::new(options(&server.url)).unwrap();
    assert!(matches!(create(&notion).await, Err(BackendError::Closed(_))));
    notion.body(&page_uuid(1)).await.unwrap();
    assert_eq!(server.lines().len(), 1);
    // It is asked before each attempt: the lease may be lost during a pause.
    notion.set_gate(Arc::new(Gate(AtomicU32::new(1))));
    let error = create(&notion).await.unwrap_err();
    assert!(matches!(&error, BackendError::Closed(why) if why == "the lease is lost"), "{error:?}");
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn rule_6_a_read_begins_at_its_date_less_the_time_it_took() {
    let server = Server::start(vec![body()]).await;
    let read = notion(&server.url).body(&page_uuid(1)).await.unwrap();
    let date: jiff::Timestamp = "2026-11-20T10:00:30Z".parse().unwrap();
    assert!(read.began < date && date.duration_since(read.began).as_secs_f32() < 0.4);
}

#[tokio::test]
async fn a_body_above_the_cap_is_not_taken() {
    let server = Server::start(vec![Play::Bytes(32 * 1024 * 1024 + 1)]).await;
    let tuning = Tuning { read_timeout: Duration::from_secs(20), ..options("").tuning };
    let notion = Notion::new(NotionOptions { tuning, ..options(&server.url) }).unwrap();
    let error = notion.body(&page_uuid(1)).await.unwrap_err();
    assert!(
        matches!(&error, BackendError::Rejected { message } if message.contains("32 MiB")),
        "{error:?}"
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn no_id_leaves_its_place_in_the_path() {
    let server = Server::start(vec![]).await;
    let notion = notion(&server.url);
    for id in ["../users", "", "x", "00000000-0000-0000-0000-00000000000/"] {
        assert!(matches!(notion.body(id).await, Err(BackendError::Rejected { .. })), "{id}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_path_of_the_base_url_is_kept() {
    let server = Server::start(vec![body()]).await;
    notion(&format!("{}/proxy/", server.url)).body(&page_uuid(1)).await.unwrap();
    assert_eq!(
        server.lines(),
        [format!("GET /proxy/v1/pages/{}/markdown?markdown_version=v1", page_uuid(1))]
    );
}

#[tokio::test]
async fn the_token_is_in_no_error_and_no_debug_output() {
    let mut outputs = vec![format!("{:?}", options("http://localhost"))];
    let refusals = [400, 401, 403, 404, 418].map(|status| api_error(status, "code", "message"));
    for play in unclear().into_iter().chain(refusals) {
        let server = Server::start(vec![play]).await;
        let notion = notion(&server.url);
        let error = create(&notion).await.unwrap_err();
        outputs.push(format!("{notion:?} {error} {error:?}"));
    }
    let url = Server::start(vec![Play::Drop]).await.url;
    let error = notion(&url.replace("127.0.0.1", "host.invalid")).identity().await.unwrap_err();
    outputs.push(format!("{error} {error:?}"));
    for output in outputs {
        assert!(!output.contains(TOKEN), "{output}");
    }
}
