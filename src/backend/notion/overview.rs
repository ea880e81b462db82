//! The page beside the databases that shows what is synced.

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::Notion;
use super::endpoint::Endpoint;
use super::id::ObjectId;
use crate::backend::{BackendError, Overview};

#[async_trait]
impl Overview for Notion {
    async fn find(&self, title: &str) -> Result<Vec<String>, BackendError> {
        let Some(parent) = &self.parent_page else { return Ok(Vec::new()) };
        let pages = self.children(parent, "child_page").await?;
        let named = pages.into_iter().filter(|(_, found)| found == title);
        Ok(named.map(|(id, _)| id.to_string()).collect())
    }

    async fn make(&self, title: &str, text: &str) -> Result<(String, String), BackendError> {
        let parent = self.parent_page.as_ref().ok_or_else(|| BackendError::Rejected {
            message: "No parent page is configured.".to_owned(),
        })?;
        let body = json!({
            "parent": {"type": "page_id", "page_id": parent.as_str()},
            "properties": {"title": {"title": [{"type": "text", "text": {"content": title}}]}},
            "markdown": text,
            "markdown_version": self.markdown_version(),
        });
        let answer = self.client.call(Endpoint::CreatePage, &[], Some(&body)).await?.body;
        let text = |name: &str| answer.get(name).and_then(Json::as_str);
        let id = text("id").and_then(ObjectId::parse).ok_or_else(|| BackendError::Ambiguous {
            message: "Notion made a page and did not say which one.".to_owned(),
            committed: None,
        })?;
        Ok((id.to_string(), text("url").unwrap_or_default().to_owned()))
    }
}
