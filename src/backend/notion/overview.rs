//! The page beside the databases that shows what is synced.

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::Notion;
use super::endpoint::Endpoint;
use super::id::ObjectId;
use super::paging::Cursor;
use crate::backend::{BackendError, Overview};

#[async_trait]
impl Overview for Notion {
    async fn find(&self, title: &str) -> Result<Vec<String>, BackendError> {
        let Some(parent) = &self.parent_page else { return Ok(Vec::new()) };
        let endpoint = Endpoint::Children(parent);
        let mut cursor = Cursor::default();
        let mut pages = Vec::new();
        loop {
            let mut query = vec![("page_size", "100")];
            query.extend(cursor.get().map(|cursor| ("start_cursor", cursor)));
            let answer = self.client.call(endpoint, &query, None).await?;
            let blocks = answer.body.get("results").and_then(Json::as_array);
            pages.extend(blocks.into_iter().flatten().filter_map(|block| {
                let found = block.get("child_page")?.get("title")?.as_str()?;
                let id = ObjectId::parse(block.get("id")?.as_str()?)?;
                (found.trim() == title).then(|| id.to_string())
            }));
            if !cursor.advance(endpoint.pattern(), &answer.body)? {
                return Ok(pages);
            }
        }
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
