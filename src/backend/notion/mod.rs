//! The Notion backend.
//!
//! `client` sends and decides about repetition, by what `endpoint` says a call means and `answer` reads from the
//! reply; `limiter` holds the request window. The rest is what the engine asks for: `places` and `schema` for
//! databases, `query` and `pages` for pages, `values` and `written` for their properties, `body` for their text.
//! `memory` keeps what writes need from reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_sync_core::kind::Kind;
use agent_sync_core::markdown::{Dialect, Hunk};
use agent_sync_core::model::{Properties, Value};
use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value as Json;

use super::{
    Backend, BackendError, BodyRead, Comments, Identity, Listing, Overview, Place, Presence,
    RemotePage, Requests, Schema, WriteGate,
};
use client::Client;
use endpoint::Endpoint;
use id::ObjectId;

mod answer;
mod body;
mod client;
mod comments;
mod endpoint;
mod id;
mod limiter;
mod memory;
mod overview;
mod pages;
mod paging;
mod places;
mod query;
mod schema;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod values;
mod written;

pub use client::Tuning;

/// What a Notion backend is made from.
#[derive(Debug)]
pub struct NotionOptions {
    /// Name in the configuration.
    pub name: String,
    /// Address of the API, without `/v1`.
    pub base_url: String,
    /// Token of the connection.
    pub token: SecretString,
    /// Page (id or URL) under which databases are found and created.
    pub parent_page: Option<String>,
    /// Database or data source (id or URL) by kind, where configured.
    pub databases: BTreeMap<String, String>,
    /// Requests that the connection may make in any 60 seconds.
    pub requests_per_minute: u32,
    /// Grammar of page bodies.
    pub dialect: Dialect,
    /// How long after an unanswered create the page may still appear (rule 12).
    pub settle_time: Duration,
    /// Waits that tests shorten.
    pub tuning: Tuning,
}

/// A connection to a Notion workspace.
#[derive(Debug)]
pub struct Notion {
    name: String,
    parent_page: Option<ObjectId>,
    databases: BTreeMap<String, ObjectId>,
    settle_time: Duration,
    dialect: Dialect,
    client: Client,
    memory: memory::Memory,
}

impl Notion {
    /// Sets the connection up; sends nothing.
    ///
    /// # Errors
    /// [`BackendError::Refused`] where the address, the token or a configured id cannot be what it should.
    pub fn new(options: NotionOptions) -> Result<Self, BackendError> {
        let reference = |what: &str, text: &str| {
            ObjectId::from_reference(text).ok_or_else(|| BackendError::Refused {
                message: format!(
                    "\"{text}\", set as {what}, is neither an id nor an address of Notion."
                ),
                remedy: "Copy the address from Notion (the menu ••• , Copy link).".to_owned(),
            })
        };
        let parent_page = options
            .parent_page
            .as_deref()
            .map(|text| reference("parent page", text))
            .transpose()?;
        let databases = options
            .databases
            .into_iter()
            .map(|(kind, text)| {
                let id = reference(&format!("database of kind {kind}"), &text)?;
                Ok((kind, id))
            })
            .collect::<Result<_, BackendError>>()?;
        let client = Client::new(
            &options.base_url,
            options.token,
            options.requests_per_minute,
            options.tuning,
        )?;
        Ok(Self {
            name: options.name,
            parent_page,
            databases,
            settle_time: options.settle_time,
            dialect: options.dialect,
            client,
            memory: memory::Memory::default(),
        })
    }
}

/// The id of a page as the engine hands it in.
fn page_id(text: &str) -> Result<ObjectId, BackendError> {
    ObjectId::parse(text).ok_or_else(|| BackendError::Rejected {
        message: format!("\"{text}\" is no id of a page in Notion."),
    })
}

/// The id of a database or data source as the engine remembers it.
fn place_id(text: &str) -> Result<ObjectId, BackendError> {
    ObjectId::parse(text).ok_or_else(|| BackendError::Refused {
        message: format!("\"{text}\", remembered for a database, is no id of Notion."),
        remedy: "Run `agent-sync init`.".to_owned(),
    })
}

#[async_trait]
impl Backend for Notion {
    fn page_id(&self, text: &str) -> Option<String> {
        ObjectId::from_reference(text).map(|id| id.to_string())
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        "Notion"
    }

    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn settle_time(&self) -> Duration {
        self.settle_time
    }

    fn now(&self) -> Option<Timestamp> {
        self.client.now()
    }

    fn closed(&self) -> Option<String> {
        self.client.closed()
    }

    fn set_gate(&self, gate: Arc<dyn WriteGate>) {
        self.client.set_gate(gate);
    }

    async fn identity(&self) -> Result<Identity, BackendError> {
        let user = self.client.call(Endpoint::Me, &[], None).await?.body;
        let text = |name: &str| user.get(name).and_then(Json::as_str);
        let id = text("id").ok_or_else(|| BackendError::Unavailable {
            message: "Notion does not say whose token this is.".to_owned(),
        })?;
        let workspace = user.get("bot").and_then(|bot| bot.get("workspace_id")?.as_str());
        Ok(Identity {
            id: id.to_owned(),
            bot: text("type") == Some("bot"),
            workspace: workspace.map(str::to_owned),
        })
    }

    async fn locate(
        &self,
        kinds: &[&Kind],
        known: &BTreeMap<String, Place>,
    ) -> Result<BTreeMap<String, Place>, BackendError> {
        self.locate_places(kinds, known).await
    }

    async fn create_places(
        &self,
        kinds: &[&Kind],
        existing: &BTreeMap<String, Place>,
    ) -> Result<BTreeMap<String, Place>, BackendError> {
        self.create_databases(kinds, existing).await
    }

    async fn repair(
        &self,
        kind: &Kind,
        place: &Place,
        places: &BTreeMap<String, Place>,
    ) -> Result<Schema, BackendError> {
        self.repair_schema(kind, place, places).await
    }

    async fn schema(&self, kind: &Kind, place: &Place) -> Result<Schema, BackendError> {
        self.read_schema(kind, place).await
    }

    async fn list(
        &self,
        kind: &Kind,
        place: &Place,
        since: Option<Timestamp>,
        page_limit: Option<usize>,
    ) -> Result<Listing, BackendError> {
        self.list_pages(kind, place, since, page_limit).await
    }

    async fn find(
        &self,
        kind: &Kind,
        place: &Place,
        ids: &[String],
    ) -> Result<Vec<RemotePage>, BackendError> {
        self.find_ids(kind, place, ids).await
    }

    async fn page(&self, kind: &Kind, place: &Place, page: &str) -> Result<Presence, BackendError> {
        self.read_page(kind, place, &page_id(page)?).await
    }

    async fn body(&self, page: &str) -> Result<BodyRead, BackendError> {
        self.read_body(&page_id(page)?).await
    }

    async fn create(
        &self,
        kind: &Kind,
        place: &Place,
        properties: &Properties,
        body: &str,
    ) -> Result<RemotePage, BackendError> {
        self.create_page(kind, place, properties, body).await
    }

    async fn set_properties(
        &self,
        kind: &Kind,
        place: &Place,
        page: &str,
        values: &BTreeMap<String, Option<Value>>,
    ) -> Result<RemotePage, BackendError> {
        self.update_properties(kind, place, &page_id(page)?, values).await
    }

    async fn edit_body(&self, page: &str, hunks: &[Hunk]) -> Result<BodyRead, BackendError> {
        self.update_content(&page_id(page)?, hunks).await
    }

    async fn append_body(&self, page: &str, text: &str) -> Result<BodyRead, BackendError> {
        self.insert_content(&page_id(page)?, text).await
    }

    async fn trash(
        &self,
        kind: &Kind,
        place: &Place,
        page: &str,
    ) -> Result<RemotePage, BackendError> {
        self.set_trashed(kind, place, &page_id(page)?, true).await
    }

    async fn untrash(
        &self,
        kind: &Kind,
        place: &Place,
        page: &str,
    ) -> Result<RemotePage, BackendError> {
        self.set_trashed(kind, place, &page_id(page)?, false).await
    }

    fn overview(&self) -> Option<&dyn Overview> {
        self.parent_page.is_some().then_some(self)
    }

    fn comments(&self) -> Option<&dyn Comments> {
        Some(self)
    }

    fn requests(&self) -> Requests {
        self.client.requests()
    }
}
