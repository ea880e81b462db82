//! Answers before they are written.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use crate::error::ApiError;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
    retry_after: Option<u64>,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, body, retry_after: None }
    }

    pub(super) fn error(error: &ApiError, request_id: &str) -> Self {
        Self {
            status: error.status,
            body: error.to_json(request_id),
            retry_after: error.retry_after,
        }
    }

    /// With the headers of the API.
    pub(super) fn into_response(self, request_id: &str, date: &str) -> Response<Body> {
        let mut response = json(self.status, &self.body);
        set(&mut response, HeaderName::from_static("x-notion-request-id"), request_id);
        set(&mut response, header::DATE, date);
        if let Some(seconds) = self.retry_after {
            set(&mut response, header::RETRY_AFTER, &seconds.to_string());
        }
        response
    }
}

/// A bare JSON answer.
pub(super) fn json(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut response, header::CONTENT_TYPE, "application/json; charset=utf-8");
    response
}

/// What the edge answers when a request never reaches the API (notion-api.md 2).
pub(super) fn edge(status: u16, date: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(
        "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>Error</body></html>",
    ));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    set(&mut response, header::CONTENT_TYPE, "text/html; charset=UTF-8");
    set(&mut response, HeaderName::from_static("cf-ray"), "8f0000000000000-SIM");
    set(&mut response, header::DATE, date);
    response
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
