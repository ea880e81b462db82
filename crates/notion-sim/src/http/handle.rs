//! One request, from its arrival to its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{Request as HttpRequest, Response, header};
use serde_json::{Value, json};

use crate::api::Input;
use crate::api::routes;
use crate::clock::http_date;
use crate::error::{ApiError, ApiResult};
use crate::fault::{self, FaultKind};
use crate::http::connection::Fate;
use crate::http::control;
use crate::http::reply::{self, Reply};
use crate::http::server::{Event, Phase, Request, Shared, lock};
use crate::ids;
use crate::workspace::Workspace;

/// The only version that is simulated.
const VERSION: &str = "2026-03-11";
/// Largest payload of the API (notion-api.md 6.3).
const MOST_BYTES: usize = 500 * 1000;
/// Largest body that is read at all.
const MOST_READ: usize = 64 * 1024 * 1024;

/// A request with what the log and the hook want to know of it.
struct Call {
    parts: Parts,
    bytes: Bytes,
    event: Event,
    request_id: String,
}

/// Answers any request.
pub(super) async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(fate): ConnectInfo<Fate>,
    request: HttpRequest<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = match to_bytes(body, MOST_READ).await {
        Ok(bytes) => bytes,
        Err(_) => return reply::json(413, &json!({"message": "payload too large"})),
    };
    if let Some(action) = parts.uri.path().strip_prefix("/_sim/") {
        let (status, answer) = control::answer(&shared, parts.method.as_str(), action, &bytes);
        return reply::json(status, &answer);
    }
    let method = parts.method.as_str().to_owned();
    let path = parts.uri.path().to_owned();
    let endpoint = routes::endpoint(&method, &path);
    let (request_id, date, at) = {
        let mut workspace = lock(&shared.workspace);
        (workspace.ids.uuid(), http_date(workspace.now()), workspace.now())
    };
    let (index, fault) = {
        let mut log = lock(&shared.log);
        let index = log.requests.len();
        let parsed: Option<Value> = serde_json::from_slice(&bytes).ok();
        let hunks = parsed
            .as_ref()
            .and_then(|body| body.pointer("/update_content/content_updates")?.as_array())
            .map_or(0, Vec::len);
        log.requests.push(Request {
            index,
            method: method.clone(),
            path: path.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            endpoint: endpoint.clone(),
            status: None,
            is_write: routes::find(&method, &path).is_some_and(|(route, _)| route.writes),
            body: parsed,
            at,
        });
        (index, fault::take(&mut log.faults, &endpoint, hunks))
    };
    let event = Event { index, method, path, endpoint, phase: Phase::Before };
    let call = Call { parts, bytes, event, request_id };
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    shared.fire(&mut lock(&shared.workspace), &call.event);
    if let Some(response) = before(&shared, &call, fault, &fate, &date).await {
        return response;
    }
    if let Some(FaultKind::LateEffect { after }) = fault {
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            // Nobody is left to be told.
            let _ = process(&shared, &call, false);
        });
        return broken(&fate, true, Duration::ZERO).await;
    }
    let outcome = process(&shared, &call, fault == Some(FaultKind::SkipHunk));
    after(&shared, call, outcome, fault, &fate, &date).await
}

/// Faults that strike before anything happens.
async fn before(
    shared: &Shared,
    call: &Call,
    fault: Option<FaultKind>,
    fate: &Fate,
    date: &str,
) -> Option<Response<Body>> {
    let error = match fault? {
        FaultKind::RateLimited { retry_after } => rate_limited(retry_after),
        FaultKind::Overload529 { retry_after } => waiting(
            ApiError::new(529, "service_overload", "Notion is overloaded. Please try again later."),
            retry_after,
        ),
        FaultKind::Conflict409 => ApiError::new(
            409,
            "conflict_error",
            "Conflict occurred while saving. Please try again.",
        ),
        FaultKind::ErrorBefore { status } => server_error(status),
        FaultKind::EdgeHtml { status } => {
            shared.answered(call.event.index, status);
            return Some(reply::edge(status, date));
        }
        FaultKind::ResetBefore => return Some(broken(fate, true, Duration::ZERO).await),
        FaultKind::StallBefore { after } => return Some(broken(fate, false, after).await),
        _ => return None,
    };
    shared.answered(call.event.index, error.status);
    Some(Reply::error(&error, &call.request_id).into_response(&call.request_id, date))
}

/// No answer at all.
async fn broken(fate: &Fate, reset: bool, after: Duration) -> Response<Body> {
    tokio::time::sleep(after).await;
    if reset {
        fate.reset();
    } else {
        fate.close();
    }
    Response::new(Body::empty())
}

async fn after(
    shared: &Shared,
    call: Call,
    outcome: ApiResult<Value>,
    fault: Option<FaultKind>,
    fate: &Fate,
    date: &str,
) -> Response<Body> {
    let reply = match (fault, outcome) {
        (Some(FaultKind::ErrorAfter { status, with_guidance }), outcome) => {
            let mut error = server_error(status);
            if let Ok(answer) = outcome
                && with_guidance
            {
                error = guidance(error, &call.event.endpoint, &answer);
            }
            Reply::error(&error, &call.request_id)
        }
        (Some(FaultKind::ResetAfter), _) => return broken(fate, true, Duration::ZERO).await,
        (Some(FaultKind::StallAfter { after }), _) => return broken(fate, false, after).await,
        (_, Ok(answer)) => Reply::ok(answer),
        (_, Err(error)) => Reply::error(&error, &call.request_id),
    };
    if fault == Some(FaultKind::TruncatedBody) {
        fate.truncate();
    }
    shared.answered(call.event.index, reply.status);
    reply.into_response(&call.request_id, date)
}

/// Does what the request asks, in one piece: no other request and no person comes between.
fn process(shared: &Shared, call: &Call, skip_hunk: bool) -> ApiResult<Value> {
    let mut workspace = lock(&shared.workspace);
    workspace.skip_hunk = skip_hunk;
    let outcome = checked(shared, &mut workspace, call);
    workspace.skip_hunk = false;
    shared.fire(&mut workspace, &Event { phase: Phase::After, ..call.event.clone() });
    outcome
}

fn checked(shared: &Shared, workspace: &mut Workspace, call: &Call) -> ApiResult<Value> {
    let path = call.parts.uri.path();
    let (route, params) = routes::find(call.parts.method.as_str(), path)
        .ok_or_else(|| ApiError::new(400, "invalid_request_url", "Invalid request URL."))?;
    let header = |name: &str| call.parts.headers.get(name).and_then(|value| value.to_str().ok());
    let token =
        header(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    if token != Some(shared.token.as_str()) {
        return Err(ApiError::new(401, "unauthorized", "API token is invalid."));
    }
    match header("notion-version") {
        Some(VERSION) => {}
        None => {
            return Err(ApiError::new(
                400,
                "missing_version",
                "Notion-Version header failed validation: Notion-Version header should be defined, instead was `undefined`.",
            ));
        }
        Some(other) => {
            return Err(ApiError::new(
                400,
                "missing_version",
                format!(
                    "Notion-Version header failed validation: Notion-Version header should be `\"{VERSION}\"`, instead was `\"{other}\"`."
                ),
            ));
        }
    }
    if let Some(wait) = shared.over_rate(workspace) {
        return Err(rate_limited(wait));
    }
    let upload = route.pattern.ends_with("/send");
    let input = Input {
        params,
        query: query(call.parts.uri.query().unwrap_or_default()),
        body: if upload { Value::Null } else { body(call, header)? },
        content_type: header(header::CONTENT_TYPE.as_str()).unwrap_or_default().to_owned(),
        raw: if upload { call.bytes.to_vec() } else { Vec::new() },
    };
    route.need.check(workspace.capabilities)?;
    (route.handler)(workspace, &input)
}

fn body<'a>(call: &Call, header: impl Fn(&str) -> Option<&'a str>) -> ApiResult<Value> {
    if call.bytes.is_empty() {
        let no_body = matches!(call.parts.method.as_str(), "GET" | "DELETE");
        return Ok(if no_body { Value::Null } else { json!({}) });
    }
    if call.bytes.len() > MOST_BYTES {
        return Err(ApiError::invalid(format!(
            "body failed validation: the payload may have at most {MOST_BYTES} bytes, but has {}.",
            call.bytes.len()
        )));
    }
    if !header(header::CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/json"))
    {
        return Err(ApiError::new(
            400,
            "invalid_json",
            "Error parsing JSON body: the Content-Type must be application/json.",
        ));
    }
    serde_json::from_slice(&call.bytes)
        .map_err(|_| ApiError::new(400, "invalid_json", "Error parsing JSON body."))
}

fn query(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |part: &str| ids::decode(&part.replace('+', " "));
            (decode(key), decode(value))
        })
        .collect()
}

fn waiting(mut error: ApiError, seconds: u64) -> ApiError {
    error.retry_after = Some(seconds);
    error.with("retry_after", seconds.to_string())
}

fn rate_limited(seconds: u64) -> ApiError {
    let error = ApiError::new(
        429,
        "rate_limited",
        "You have been rate limited. Please try again in a few minutes.",
    )
    .with("rate_limit_reason", "public_api_request_rate_limit");
    waiting(error, seconds)
}

fn server_error(status: u16) -> ApiError {
    let (code, message) = match status {
        502 => ("bad_gateway", "Bad gateway."),
        503 => ("service_unavailable", "Notion is unavailable, please try again later."),
        504 => ("gateway_timeout", "Notion timed out while fulfilling the request."),
        529 => ("service_overload", "Notion is overloaded. Please try again later."),
        _ => ("internal_server_error", "Unexpected error occurred."),
    };
    ApiError::new(status, code, message)
}

/// What a failed answer tells about a write that was saved (notion-api.md 6.2).
fn guidance(error: ApiError, endpoint: &str, answer: &Value) -> ApiError {
    let error = error.with(
        "retry_guidance",
        json!(["Read the object again to confirm the saved change.", "Do not repeat the write."]),
    );
    let id = |value: &Value| value.get("id").cloned();
    match endpoint {
        "PATCH /v1/blocks/{id}/children" => {
            let children: Vec<Value> = answer
                .get("results")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(id)
                .collect();
            let parent = answer.pointer("/results/0/parent").and_then(|parent| {
                parent.get("block_id").or_else(|| parent.get("page_id")).cloned()
            });
            let error = error.with("committed_child_ids", children);
            match parent {
                Some(parent) => error.with("committed_resource_id", parent),
                None => error,
            }
        }
        _ if endpoint.starts_with("POST ") => match id(answer) {
            Some(id) => error.with("committed_resource_id", id),
            None => error,
        },
        _ => error,
    }
}
