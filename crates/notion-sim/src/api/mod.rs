//! The endpoints (notion-api.md 4).

pub(crate) mod block_json;
mod blocks;
mod comments;
mod data_sources;
pub(crate) mod databases;
pub(crate) mod file_uploads;
mod markdown;
mod objects;
mod pages;
mod paging;
mod query;
pub(crate) mod routes;
mod search;
mod users;
pub(crate) mod views;

use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::request::Obj;

/// A request after routing.
#[derive(Debug)]
pub(crate) struct Input {
    /// Ids in the path, in order, as given.
    pub(crate) params: Vec<String>,
    /// Query parameters, decoded.
    pub(crate) query: Vec<(String, String)>,
    /// The body; null if there is none.
    pub(crate) body: Value,
    /// The Content-Type as given.
    pub(crate) content_type: String,
    /// The body of an upload as it came; empty for all other requests.
    pub(crate) raw: Vec<u8>,
}

impl Input {
    /// The n-th id of the path.
    fn id(&self, n: usize) -> ApiResult<String> {
        let text = self.params.get(n).map(String::as_str).unwrap_or_default();
        ids::parse_uuid(text).ok_or_else(|| {
            ApiError::invalid(format!(
                "path failed validation: path.id should be a valid uuid, instead was `\"{text}\"`."
            ))
        })
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Values of a parameter that may be repeated, with or without `[]` after its name.
    fn params(&self, name: &str) -> Vec<String> {
        let with_brackets = format!("{name}[]");
        self.query
            .iter()
            .filter(|(key, _)| key == name || *key == with_brackets)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// Refuses query parameters that are not among these.
    fn only_params(&self, names: &[&str]) -> ApiResult<()> {
        match self.query.iter().find(|(key, _)| !names.contains(&key.trim_end_matches("[]"))) {
            Some((key, value)) => Err(ApiError::invalid(format!(
                "query failed validation: query.{key} should be not present, instead was `\"{value}\"`."
            ))),
            None => Ok(()),
        }
    }

    fn body(&self) -> ApiResult<Obj<'_>> {
        Obj::new(&self.body, "body")
    }
}
