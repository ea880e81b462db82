//! Comments on pages (notion-api.md 4.10): a listing has the open threads only, and a resolved one is out of reach.

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::endpoint::Endpoint;
use super::id::ObjectId;
use super::paging::Cursor;
use super::{Notion, page_id, values};
use crate::backend::{BackendError, Comment, Comments};

/// Characters of a comment; Notion takes 2,000 in one piece of text (notion-api.md 4.2).
const LONGEST: usize = 1900;
/// Times that a deletion is sent until its answer is clear: once deleted it stays so (rule 13).
const ATTEMPTS: usize = 3;

fn comment(object: &Json) -> Option<Comment> {
    Some(Comment {
        id: ObjectId::parse(object.get("id")?.as_str()?)?.to_string(),
        // Partial without the capability to read comments.
        text: values::plain_text(object.get("rich_text").unwrap_or(&Json::Null)),
        author: object
            .get("created_by")
            .and_then(|user| user.get("id")?.as_str())
            .map(str::to_owned),
    })
}

#[async_trait]
impl Comments for Notion {
    async fn open(&self, page: &str) -> Result<Vec<Comment>, BackendError> {
        let page = page_id(page)?;
        let mut cursor = Cursor::default();
        let mut comments = Vec::new();
        loop {
            let mut query = vec![("block_id", page.as_str()), ("page_size", "100")];
            query.extend(cursor.get().map(|cursor| ("start_cursor", cursor)));
            let answer = self.client.call(Endpoint::Comments, &query, None).await?;
            let results = answer.body.get("results").and_then(Json::as_array);
            comments.extend(results.into_iter().flatten().filter_map(comment));
            if !cursor.advance(Endpoint::Comments.pattern(), &answer.body)? {
                return Ok(comments);
            }
        }
    }

    async fn post(&self, page: &str, text: &str) -> Result<String, BackendError> {
        let page = page_id(page)?;
        let text: String = text.chars().take(LONGEST).collect();
        let body = json!({
            "parent": {"page_id": page.as_str()},
            "rich_text": [{"type": "text", "text": {"content": text}}],
        });
        let answer = self.client.call(Endpoint::CreateComment, &[], Some(&body)).await?;
        comment(&answer.body).map(|comment| comment.id).ok_or_else(|| BackendError::Ambiguous {
            message: "Notion took a comment and did not say which one it is.".to_owned(),
            committed: None,
        })
    }

    async fn delete(&self, comment: &str) -> Result<(), BackendError> {
        let id = page_id(comment)?;
        let mut attempt = 1;
        loop {
            match self.client.call(Endpoint::DeleteComment(&id), &[], None).await {
                Ok(_) | Err(BackendError::NotFound { .. }) => return Ok(()),
                Err(BackendError::Ambiguous { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }
}
