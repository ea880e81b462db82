//! Queries of a data source: listings and the search for ids.

use std::collections::BTreeSet;

use agent_sync_core::kind::Kind;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::endpoint::Endpoint;
use super::id::ObjectId;
use super::pages::{Origin, no_read_capability, parse};
use super::paging::Cursor;
use super::{Notion, place_id, values};
use crate::backend::{BackendError, Life, Listing, Place, RemotePage};

/// Most rows of an answer, and most ids in one filter.
const PAGE_SIZE: usize = 100;

/// What one walk over a query found.
struct Walk {
    rows: Vec<Json>,
    began: Timestamp,
    end: End,
}

/// Why a walk ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// There is no more.
    Last,
    /// As many rows as were wanted, and there is more.
    Limit,
    /// Notion gives 10,000 rows of a query, and there is more.
    Cap,
}

impl Notion {
    pub(super) async fn list_pages(
        &self,
        kind: &Kind,
        place: &Place,
        since: Option<Timestamp>,
        page_limit: Option<usize>,
    ) -> Result<Listing, BackendError> {
        let data_source = place_id(&place.data_source)?;
        let mut seen = BTreeSet::new();
        let mut pages = Vec::new();
        let mut first_began = None;
        let mut window: Option<String> = None;
        let end = loop {
            let filter = filter(since, window.as_deref());
            let left = page_limit.map(|limit| limit.saturating_sub(pages.len()));
            let walk = self.walk(&data_source, filter, left).await?;
            let began = *first_began.get_or_insert(walk.began);
            let last = walk.rows.iter().rev().find_map(|row| row.get("created_time")?.as_str());
            let last = last.map(str::to_owned);
            for row in &walk.rows {
                pages.extend(self.row(kind, place, row, &mut seen).await?);
            }
            // Beyond the cap it goes on where the rows by creation time ended, unless that is where this window
            // already began: then one minute holds more rows than Notion gives.
            let stuck = last.is_none() || last <= window;
            if walk.end != End::Cap || stuck || page_limit.is_some_and(|limit| pages.len() >= limit)
            {
                break (walk.end, began);
            }
            window = last;
        };
        let (end, began) = end;
        Ok(Listing { pages, whole: since.is_none() && end == End::Last, began })
    }

    pub(super) async fn find_ids(
        &self,
        kind: &Kind,
        place: &Place,
        ids: &[String],
    ) -> Result<Vec<RemotePage>, BackendError> {
        let data_source = place_id(&place.data_source)?;
        let property =
            kind.id().and_then(|property| Some((property, place.properties.get(&property.name)?)));
        let (property, id) = property.ok_or_else(|| BackendError::Refused {
            message: format!("Database {} has no property for the ids.", kind.database),
            remedy: "Run `agent-sync init` to add it.".to_owned(),
        })?;
        let r#type = values::type_name(property.r#type);
        let mut seen = BTreeSet::new();
        let mut pages = Vec::new();
        for ids in ids.chunks(PAGE_SIZE) {
            let any: Vec<_> = ids
                .iter()
                .map(|text| json!({ "property": id, r#type: { "equals": text } }))
                .collect();
            let walk = self.walk(&data_source, Some(json!({ "or": any })), None).await?;
            for row in &walk.rows {
                pages.extend(self.row(kind, place, row, &mut seen).await?);
            }
        }
        Ok(pages)
    }

    /// A row as a live page that was not seen yet.
    async fn row(
        &self,
        kind: &Kind,
        place: &Place,
        row: &Json,
        seen: &mut BTreeSet<String>,
    ) -> Result<Option<RemotePage>, BackendError> {
        // A wiki also lists data sources.
        if row.get("object").is_some_and(|object| object != "page") {
            return Ok(None);
        }
        let parsed = parse(kind, place, row, Origin::Listed).ok_or_else(no_read_capability)?;
        if parsed.page.life != Life::Alive || !seen.insert(parsed.page.page.clone()) {
            return Ok(None);
        }
        self.complete(kind, parsed).await.map(Some)
    }

    /// Follows the cursors of one query.
    async fn walk(
        &self,
        data_source: &ObjectId,
        filter: Option<Json>,
        limit: Option<usize>,
    ) -> Result<Walk, BackendError> {
        let endpoint = Endpoint::Query(data_source);
        let mut cursor = Cursor::default();
        let mut rows: Vec<Json> = Vec::new();
        let mut first_began = None;
        loop {
            let left = limit.map_or(PAGE_SIZE, |limit| limit.saturating_sub(rows.len()));
            let mut request = json!({
                "page_size": left.clamp(1, PAGE_SIZE),
                "sorts": [{ "timestamp": "created_time", "direction": "ascending" }],
            });
            if let Some(filter) = &filter {
                request["filter"] = filter.clone();
            }
            if let Some(cursor) = cursor.get() {
                request["start_cursor"] = cursor.into();
            }
            let mut answer = self.client.call(endpoint, &[], Some(&request)).await?;
            let began = match first_began {
                Some(began) => began,
                None => *first_began.insert(answer.began()?),
            };
            let more = cursor.advance(endpoint.pattern(), &answer.body)?;
            let capped = is_capped(&answer.body);
            match answer.body.get_mut("results").map(Json::take) {
                Some(Json::Array(results)) => rows.extend(results),
                _ => {
                    return Err(BackendError::Unavailable {
                        message: format!(
                            "Notion's answer to {} has no results.",
                            endpoint.pattern()
                        ),
                    });
                }
            }
            let end = match (more, limit) {
                (false, _) if capped => End::Cap,
                (false, _) => End::Last,
                (true, Some(limit)) if rows.len() >= limit => End::Limit,
                (true, _) => continue,
            };
            return Ok(Walk { rows, began, end });
        }
    }
}

fn is_capped(answer: &Json) -> bool {
    let status = answer.get("request_status").and_then(|status| status.get("type"));
    status.is_some_and(|status| status == "incomplete")
}

fn filter(since: Option<Timestamp>, created: Option<&str>) -> Option<Json> {
    let edited = since.map(|since| {
        json!({ "timestamp": "last_edited_time", "last_edited_time": { "on_or_after": since.to_string() } })
    });
    let created = created.map(|created| {
        json!({ "timestamp": "created_time", "created_time": { "on_or_after": created } })
    });
    match (edited, created) {
        (Some(edited), Some(created)) => Some(json!({ "and": [edited, created] })),
        (edited, created) => edited.or(created),
    }
}
