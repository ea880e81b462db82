//! Queries of data sources (notion-api.md 4.4).

use serde_json::{Value, json};

use crate::api::paging::{self, Paging};
use crate::api::{Input, objects};
use crate::error::{ApiError, ApiResult};
use crate::filter;
use crate::workspace::Workspace;
use crate::workspace::objects::Page;

pub(crate) fn query(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    input.only_params(&["filter_properties"])?;
    let body = input.body()?;
    body.only(&["filter", "sorts", "page_size", "start_cursor", "result_type", "is_archived"])?;
    let source = ws.visible_data_source(&id)?;
    if ws.is_trashed(&id) {
        return Err(ApiError::not_found("data source", &id));
    }
    let only = input.params("filter_properties");
    for key in &only {
        if source.lookup(key).is_none() {
            return Err(ApiError::invalid(format!(
                "Could not find property with name or id: {key}"
            )));
        }
    }
    let filter = body.get("filter").map(|filter| filter::parse(ws, source, filter)).transpose()?;
    let sorts = match body.objects("sorts", 100)? {
        Some(items) => filter::parse_sorts(source, &items)?,
        None => Vec::new(),
    };
    let paging = Paging::of_body(&body)?;
    let archived = body.bool("is_archived")?.unwrap_or(false);
    let pages_wanted = match body.str("result_type")? {
        None | Some("page") => true,
        Some("data_source") => false,
        Some(_) => {
            return Err(ApiError::body(
                &body.at("result_type"),
                "`\"page\"` or `\"data_source\"`",
                body.get("result_type"),
            ));
        }
    };
    let mut rows: Vec<&Page> = source
        .rows
        .iter()
        .filter(|_| pages_wanted)
        .filter_map(|row| ws.pages.get(row))
        .filter(|page| {
            !page.in_trash && page.is_archived == archived && !ws.hidden.contains(&page.id)
        })
        .filter(|page| filter.as_ref().is_none_or(|filter| filter.matches(ws, source, page)))
        .collect();
    if !sorts.is_empty() {
        rows.sort_by(|a, b| filter::compare(ws, source, &sorts, a, b));
    }
    let capped = rows.len() > ws.query_cap;
    rows.truncate(ws.query_cap);
    let (page, next) = paging.cut(&rows, |page| &page.id);
    let results = page.iter().map(|page| objects::page(ws, page, &only)).collect();
    let mut answer = paging::list("page_or_data_source", results, next);
    answer["request_status"] = if capped {
        json!({"type": "incomplete", "incomplete_reason": "query_result_limit_reached"})
    } else {
        json!({"type": "complete"})
    };
    Ok(answer)
}
