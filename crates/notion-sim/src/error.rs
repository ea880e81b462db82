//! Errors in the shape that Notion answers with (notion-api.md 6.4).

use serde_json::{Map, Value, json};

/// A refusal of one request. A refused request has changed nothing.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) additional: Option<Box<Map<String, Value>>>,
    pub(crate) retry_after: Option<u64>,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), additional: None, retry_after: None }
    }

    /// 400 `validation_error`.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "validation_error", message)
    }

    /// 400 `validation_error` about one value of the request body.
    pub(crate) fn body(path: &str, should: &str, value: Option<&Value>) -> Self {
        let was = value.map_or_else(|| "undefined".to_owned(), short);
        Self::invalid(format!(
            "body failed validation: {path} should be {should}, instead was `{was}`."
        ))
    }

    /// 404 `object_not_found`, which also means "not shared" and "id of another kind of object".
    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        Self::new(
            404,
            "object_not_found",
            format!(
                "Could not find {what} with ID: {id}. Make sure the relevant pages and databases are shared \
                 with your connection."
            ),
        )
    }

    /// 403 `restricted_resource`: the connection lacks a capability.
    pub(crate) fn restricted(capability: &str) -> Self {
        Self::new(
            403,
            "restricted_resource",
            format!(
                "Insufficient permissions for this endpoint: the connection lacks the capability \"{capability}\"."
            ),
        )
    }

    /// 400 for changes to something in the trash (notion-api.md 7.5).
    pub(crate) fn trashed() -> Self {
        Self::invalid(
            "Can't edit block that is archived. You must unarchive the block before editing.",
        )
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.additional.get_or_insert_default().insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn to_json(&self, request_id: &str) -> Value {
        let mut body = json!({
            "object": "error",
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "request_id": request_id,
        });
        if let Some(additional) = &self.additional {
            body["additional_data"] = Value::Object(Map::clone(additional));
        }
        body
    }
}

/// A value as messages quote it: long ones are cut.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 80 {
        text
    } else {
        text.chars().take(80).chain("...".chars()).collect()
    }
}
