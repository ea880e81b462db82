//! Which request goes where, and what it takes to be allowed.

use crate::api::{
    Input, blocks, comments, data_sources, databases, file_uploads, markdown, pages, query, search,
    users, views,
};
use crate::error::{ApiError, ApiResult};
use crate::options::Capabilities;
use crate::workspace::Workspace;
use serde_json::Value;

type Handler = fn(&mut Workspace, &Input) -> ApiResult<Value>;

/// A capability that an endpoint needs (notion-api.md 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    Read,
    Insert,
    Update,
    ReadComments,
    InsertComments,
    UserInfo,
}

impl Need {
    pub(crate) fn check(self, has: Capabilities) -> ApiResult<()> {
        let (met, name) = match self {
            Self::Nothing => (true, ""),
            Self::Read => (has.read, "read content"),
            Self::Insert => (has.insert, "insert content"),
            Self::Update => (has.update, "update content"),
            Self::ReadComments => (has.read_comments, "read comments"),
            Self::InsertComments => (has.insert_comments, "insert comments"),
            Self::UserInfo => (has.user_info, "user information"),
        };
        if met { Ok(()) } else { Err(ApiError::restricted(name)) }
    }
}

/// An endpoint.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Path with its ids in braces.
    pub(crate) pattern: &'static str,
    pub(crate) need: Need,
    /// Whether it changes something.
    pub(crate) writes: bool,
    pub(crate) handler: Handler,
}

const fn route(
    method: &'static str,
    pattern: &'static str,
    need: Need,
    writes: bool,
    handler: Handler,
) -> Route {
    Route { method, pattern, need, writes, handler }
}

/// All endpoints.
pub(crate) static ROUTES: [Route; 43] = [
    route("GET", "/v1/users/me", Need::Nothing, false, users::me),
    route("GET", "/v1/users", Need::UserInfo, false, users::list),
    route("GET", "/v1/users/{id}", Need::UserInfo, false, users::get),
    route("POST", "/v1/search", Need::Read, false, search::search),
    route("POST", "/v1/databases", Need::Insert, true, databases::create),
    route("GET", "/v1/databases/{id}", Need::Read, false, databases::get),
    route("PATCH", "/v1/databases/{id}", Need::Update, true, databases::update),
    route("POST", "/v1/data_sources", Need::Insert, true, data_sources::create),
    route("GET", "/v1/data_sources/{id}", Need::Read, false, data_sources::get),
    route("PATCH", "/v1/data_sources/{id}", Need::Update, true, data_sources::update),
    route("POST", "/v1/data_sources/{id}/query", Need::Read, false, query::query),
    route("GET", "/v1/data_sources/{id}/templates", Need::Read, false, data_sources::templates),
    route("POST", "/v1/pages", Need::Insert, true, pages::create),
    route("GET", "/v1/pages/{id}", Need::Read, false, pages::get),
    route("PATCH", "/v1/pages/{id}", Need::Update, true, pages::update),
    route("POST", "/v1/pages/{id}/move", Need::Update, true, pages::move_page),
    route(
        "GET",
        "/v1/pages/{id}/properties/{property_id}",
        Need::Read,
        false,
        pages::property_item,
    ),
    route("GET", "/v1/pages/{id}/markdown", Need::Read, false, markdown::get),
    route("PATCH", "/v1/pages/{id}/markdown", Need::Update, true, markdown::update),
    route("GET", "/v1/blocks/{id}", Need::Read, false, blocks::get),
    route("PATCH", "/v1/blocks/{id}", Need::Update, true, blocks::update),
    route("DELETE", "/v1/blocks/{id}", Need::Update, true, blocks::delete),
    route("GET", "/v1/blocks/{id}/children", Need::Read, false, blocks::children),
    route("PATCH", "/v1/blocks/{id}/children", Need::Insert, true, blocks::append),
    route("POST", "/v1/comments", Need::InsertComments, true, comments::create),
    route("GET", "/v1/comments", Need::ReadComments, false, comments::list),
    route("GET", "/v1/comments/{id}", Need::ReadComments, false, comments::get),
    route("PATCH", "/v1/comments/{id}", Need::InsertComments, true, comments::update),
    route("DELETE", "/v1/comments/{id}", Need::InsertComments, true, comments::delete),
    route("GET", "/v1/custom_emojis", Need::Nothing, false, users::custom_emojis),
    route("POST", "/v1/file_uploads", Need::Insert, true, file_uploads::create),
    route("GET", "/v1/file_uploads", Need::Insert, false, file_uploads::list),
    route("GET", "/v1/file_uploads/{id}", Need::Insert, false, file_uploads::get),
    route("POST", "/v1/file_uploads/{id}/send", Need::Insert, true, file_uploads::send),
    route("POST", "/v1/file_uploads/{id}/complete", Need::Insert, true, file_uploads::complete),
    route("POST", "/v1/views", Need::Insert, true, views::create),
    route("GET", "/v1/views", Need::Read, false, views::list),
    route("GET", "/v1/views/{id}", Need::Read, false, views::get),
    route("PATCH", "/v1/views/{id}", Need::Update, true, views::update),
    route("DELETE", "/v1/views/{id}", Need::Update, true, views::delete),
    route("POST", "/v1/views/{id}/queries", Need::Read, false, not_simulated),
    route("GET", "/v1/views/{id}/queries/{query_id}", Need::Read, false, not_simulated),
    route("DELETE", "/v1/views/{id}/queries/{query_id}", Need::Read, false, not_simulated),
];

/// Endpoints that exist at Notion and not here say so.
fn not_simulated(_: &mut Workspace, _: &Input) -> ApiResult<Value> {
    Err(ApiError::new(400, "invalid_request_url", "This endpoint is not simulated."))
}

/// The endpoint of a request, with the ids in its path.
pub(crate) fn find(method: &str, path: &str) -> Option<(&'static Route, Vec<String>)> {
    ROUTES
        .iter()
        .filter(|route| route.method == method)
        .find_map(|route| captures(route.pattern, path).map(|params| (route, params)))
}

fn captures(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut segments = path.trim_end_matches('/').split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if expected.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            params.push(crate::ids::decode(segment));
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(params)
}

/// The name of an endpoint, `PATCH /v1/pages/{id}/markdown`; of an unknown one, the request itself.
pub(crate) fn endpoint(method: &str, path: &str) -> String {
    match find(method, path) {
        Some((route, _)) => format!("{} {}", route.method, route.pattern),
        None => format!("{method} {path}"),
    }
}
