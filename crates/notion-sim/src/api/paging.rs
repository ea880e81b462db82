//! Pages of lists. Cursors are opaque; they name the next item and its place.

use serde_json::{Map, Value, json};

use crate::api::Input;
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::request::Obj;

/// Where a page of a list begins and how long it may be.
#[derive(Debug)]
pub(crate) struct Paging {
    size: usize,
    cursor: Option<(String, usize)>,
}

fn size(given: Option<u64>) -> ApiResult<usize> {
    match given {
        None => Ok(100),
        Some(n @ 1..=100) => Ok(usize::try_from(n).unwrap_or(100)),
        Some(n) => Err(ApiError::invalid(format!(
            "body failed validation: body.page_size should be a number between 1 and 100, instead was `{n}`."
        ))),
    }
}

fn cursor(text: &str) -> ApiResult<(String, usize)> {
    let invalid = || ApiError::invalid(format!("The start_cursor provided is invalid: {text}"));
    let (id, offset) = text.split_at_checked(36).ok_or_else(invalid)?;
    let id = ids::parse_uuid(id).ok_or_else(invalid)?;
    let offset = offset.strip_prefix('.').and_then(|offset| usize::from_str_radix(offset, 16).ok());
    Ok((id, offset.ok_or_else(invalid)?))
}

impl Paging {
    /// From a request's body.
    pub(crate) fn of_body(body: &Obj<'_>) -> ApiResult<Self> {
        let given = match body.get("page_size") {
            None => None,
            Some(value) => Some(value.as_u64().ok_or_else(|| {
                ApiError::body(&body.at("page_size"), "a positive integer", Some(value))
            })?),
        };
        Ok(Self { size: size(given)?, cursor: body.str("start_cursor")?.map(cursor).transpose()? })
    }

    /// From a request's query parameters.
    pub(crate) fn of_query(input: &Input) -> ApiResult<Self> {
        let given = match input.param("page_size") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                ApiError::invalid(format!("query failed validation: query.page_size should be a number, instead was `\"{text}\"`."))
            })?),
        };
        Ok(Self {
            size: size(given)?,
            cursor: input.param("start_cursor").map(cursor).transpose()?,
        })
    }

    /// Cuts one page out of a list and gives the cursor of the next. Items are found by id, so that one that was
    /// inserted meanwhile moves nothing; if the named item is gone, its old place counts.
    pub(crate) fn cut<'a, T>(
        &self,
        items: &'a [T],
        id: impl Fn(&T) -> &str,
    ) -> (&'a [T], Option<String>) {
        let start = match &self.cursor {
            None => 0,
            Some((wanted, offset)) => match items.get(*offset).filter(|item| id(item) == wanted) {
                Some(_) => *offset,
                None => items
                    .iter()
                    .position(|item| id(item) == wanted)
                    .unwrap_or_else(|| (*offset).min(items.len())),
            },
        };
        let end = (start + self.size).min(items.len());
        let next = items.get(end).map(|item| format!("{}.{end:x}", id(item)));
        (items.get(start..end).unwrap_or_default(), next)
    }
}

/// A list answer of this type.
pub(crate) fn list(kind: &str, results: Vec<Value>, next: Option<String>) -> Value {
    let mut out = Map::new();
    out.insert("object".to_owned(), json!("list"));
    out.insert("results".to_owned(), Value::Array(results));
    out.insert("has_more".to_owned(), json!(next.is_some()));
    out.insert("next_cursor".to_owned(), json!(next));
    out.insert("type".to_owned(), json!(kind));
    out.insert(kind.to_owned(), json!({}));
    Value::Object(out)
}
