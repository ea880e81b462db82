//! Queries of a data source: listings and the search for ids.

use std::collections::BTreeSet;

use agent_sync_core::kind::Kind;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::endpoint::Endpoint;
use super::id::ObjectId;
use super::pages::{Origin, parse};
use super::paging::Cursor;
use super::{Notion, place_id};
use crate::backend::{BackendError, Life, Listing, Place, RemotePage};

/// Most rows of an answer, and most ids in one filter.
const PAGE_SIZE: usize = 100;

/// Why a walk over a query ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// There is no more.
    Last,
    /// Notion gives 10,000 rows of a query, and there is more.
    Cap,
}

/// A walk over the rows of one query, an answer at a time: 10,000 rows kept as JSON
/// are more memory than a run may take.
struct Walk<'a> {
    notion: &'a Notion,
    data_source: &'a ObjectId,
    filter: Option<Json>,
    cursor: Cursor,
    end: Option<End>,
}

impl<'a> Walk<'a> {
    fn new(notion: &'a Notion, data_source: &'a ObjectId, filter: Option<Json>) -> Self {
        Self { notion, data_source, filter, cursor: Cursor::default(), end: None }
    }

    /// The next rows and when their request began; `None` at the end.
    async fn next(
        &mut self,
        page_size: usize,
    ) -> Result<Option<(Vec<Json>, Timestamp)>, BackendError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let endpoint = Endpoint::Query(self.data_source);
        let mut request = json!({
            "page_size": page_size,
            "sorts": [{ "timestamp": "created_time", "direction": "ascending" }],
        });
        if let Some(filter) = &self.filter {
            request["filter"] = filter.clone();
        }
        if let Some(cursor) = self.cursor.get() {
            request["start_cursor"] = cursor.into();
        }
        let mut answer = self.notion.client.call(endpoint, &[], Some(&request)).await?;
        let began = answer.began()?;
        if !self.cursor.advance(endpoint.pattern(), &answer.body)? {
            self.end = Some(if is_capped(&answer.body) { End::Cap } else { End::Last });
        }
        match answer.body.get_mut("results").map(Json::take) {
            Some(Json::Array(rows)) => Ok(Some((rows, began))),
            _ => Err(BackendError::Unavailable {
                message: format!("Notion's answer to {} has no results.", endpoint.pattern()),
            }),
        }
    }
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
        let limit = page_limit.unwrap_or(usize::MAX).max(1);
        let mut seen = BTreeSet::new();
        let mut pages = Vec::new();
        let mut first_began = None;
        let mut window: Option<String> = None;
        let whole = loop {
            let mut walk = Walk::new(self, &data_source, filter(since, window.as_deref()));
            let mut last = None;
            while pages.len() < limit
                && let Some((rows, began)) = walk.next((limit - pages.len()).min(PAGE_SIZE)).await?
            {
                first_began.get_or_insert(began);
                for row in &rows {
                    last =
                        row.get("created_time").and_then(Json::as_str).map(str::to_owned).or(last);
                    pages.extend(self.row(kind, place, row, &mut seen).await?);
                }
            }
            // Beyond the cap it goes on where the rows by creation time ended, unless that is where this window
            // already began: then one minute holds more rows than Notion gives.
            if walk.end != Some(End::Cap) || pages.len() >= limit || last <= window {
                break walk.end == Some(End::Last) && since.is_none();
            }
            window = last;
        };
        let began = first_began.ok_or_else(|| BackendError::Unavailable {
            message: format!("Notion gave no answer for database {}.", kind.database),
        })?;
        Ok(Listing { pages, whole, began })
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
        let r#type = property.r#type.name();
        let mut seen = BTreeSet::new();
        let mut pages = Vec::new();
        for ids in ids.chunks(PAGE_SIZE) {
            let any: Vec<_> = ids
                .iter()
                .map(|text| json!({ "property": id, r#type: { "equals": text } }))
                .collect();
            let mut walk = Walk::new(self, &data_source, Some(json!({ "or": any })));
            while let Some((rows, _)) = walk.next(PAGE_SIZE).await? {
                for row in &rows {
                    pages.extend(self.row(kind, place, row, &mut seen).await?);
                }
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
        let parsed =
            parse(kind, place, row, Origin::Listed).map_err(|unreadable| unreadable.refusal())?;
        if parsed.page.life != Life::Alive || !seen.insert(parsed.page.page.clone()) {
            return Ok(None);
        }
        self.complete(kind, parsed).await.map(Some)
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
