//! Search by title (notion-api.md 4.2).

use jiff::Timestamp;
use serde_json::Value;

use crate::api::paging::{self, Paging};
use crate::api::{Input, objects};
use crate::error::{ApiError, ApiResult};
use crate::filter;
use crate::workspace::Workspace;

pub(crate) fn search(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let body = input.body()?;
    body.only(&["query", "sort", "filter", "start_cursor", "page_size"])?;
    let query = body.str("query")?.unwrap_or_default();
    let mut ascending = false;
    if let Some(sort) = body.obj("sort")? {
        sort.only(&["timestamp", "direction", "property"])?;
        ascending = sort.str("direction")? == Some("ascending");
    }
    let mut kind = None;
    let mut trashed = false;
    if let Some(filter) = body.obj("filter")? {
        filter.only(&["property", "value", "in_trash"])?;
        trashed = filter.bool("in_trash")?.unwrap_or(false);
        if filter.has("value") {
            let value = filter.need_str("value")?;
            if value != "page" && value != "data_source" {
                return Err(ApiError::body(
                    &filter.at("value"),
                    "`\"page\"` or `\"data_source\"`",
                    filter.get("value"),
                ));
            }
            kind = Some(value);
        }
    }
    let mut found: Vec<(Timestamp, &str, bool)> = Vec::new();
    if kind != Some("data_source") {
        found.extend(
            ws.pages
                .values()
                .filter(|page| {
                    page.in_trash == trashed
                        && filter::title_contains(ws, ws.title_text(page), query)
                })
                .map(|page| (page.edited, page.id.as_str(), true)),
        );
    }
    if kind != Some("page") {
        found.extend(
            ws.data_sources
                .values()
                .filter(|source| {
                    source.in_trash == trashed && filter::title_contains(ws, &source.title, query)
                })
                .map(|source| (source.edited, source.id.as_str(), false)),
        );
    }
    found.retain(|(_, id, _)| ws.visible(id) && ws.is_trashed(id) == trashed);
    found.sort();
    if !ascending {
        found.reverse();
    }
    let (page, next) = Paging::of_body(&body)?.cut(&found, |(_, id, _)| id);
    let results = page
        .iter()
        .filter_map(|(_, id, is_page)| {
            if *is_page {
                ws.pages.get(*id).map(|page| objects::page(ws, page, &[]))
            } else {
                ws.data_sources.get(*id).map(|source| objects::data_source(ws, source))
            }
        })
        .collect();
    Ok(paging::list("page_or_data_source", results, next))
}
