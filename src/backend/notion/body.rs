//! Bodies as Markdown, read and changed through the markdown endpoints only.

use agent_sync_core::markdown::{Dialect, Hunk};
use serde_json::{Value, json};

use super::Notion;
use super::client::Answer;
use super::endpoint::Endpoint;
use super::id::ObjectId;
use crate::backend::{BackendError, BodyRead};

impl Notion {
    /// Grammar of every body that is read or written; sent each time, since Notion's default will change.
    pub(super) fn markdown_version(&self) -> &'static str {
        match self.dialect {
            // Not one of Notion's grammars; its oldest one is.
            Dialect::NotionV1 | Dialect::Markdown => "v1",
            Dialect::NotionV2 => "v2",
        }
    }

    pub(super) async fn read_body(&self, page: &ObjectId) -> Result<BodyRead, BackendError> {
        let query = [("markdown_version", self.markdown_version())];
        let answer = self.client.call(Endpoint::Body(page), &query, None).await?;
        let body = body_of(&answer)?;
        body.ok_or_else(|| BackendError::Unavailable {
            message: format!("Notion's answer to a read of the body of page {page} has no text."),
        })
    }

    /// Each `old` must occur exactly once, else Notion refuses or skips it: that is the condition (rule 2).
    pub(super) async fn update_content(
        &self,
        page: &ObjectId,
        hunks: &[Hunk],
    ) -> Result<BodyRead, BackendError> {
        let updates: Vec<_> =
            hunks.iter().map(|hunk| json!({ "old_str": hunk.old, "new_str": hunk.new })).collect();
        self.write_body(
            page,
            &json!({
                "type": "update_content",
                "update_content": { "content_updates": updates, "allow_deleting_content": false },
                "markdown_version": self.markdown_version(),
            }),
        )
        .await
    }

    /// Inserting at the end can overwrite nothing (rule 2).
    pub(super) async fn insert_content(
        &self,
        page: &ObjectId,
        text: &str,
    ) -> Result<BodyRead, BackendError> {
        self.write_body(
            page,
            &json!({
                "type": "insert_content",
                "insert_content": { "content": text, "position": { "type": "end" } },
                "markdown_version": self.markdown_version(),
            }),
        )
        .await
    }

    async fn write_body(&self, page: &ObjectId, request: &Value) -> Result<BodyRead, BackendError> {
        let answer = self.client.call(Endpoint::EditBody(page), &[], Some(request)).await?;
        // The write was accepted, so an answer that cannot be used leaves open what the page holds now.
        body_of(&answer).ok().flatten().ok_or_else(|| BackendError::Ambiguous {
            message: format!(
                "Notion accepted the write to the body of page {page} but did not give it back."
            ),
            committed: Some(page.to_string()),
        })
    }
}

fn body_of(answer: &Answer) -> Result<Option<BodyRead>, BackendError> {
    let Some(text) = answer.body.get("markdown").and_then(Value::as_str) else { return Ok(None) };
    Ok(Some(BodyRead {
        text: text.to_owned(),
        complete: is_complete(&answer.body, text),
        began: answer.began()?,
    }))
}

/// Blocks without Markdown form show as `<unknown …/>` and may be listed as unknown too; only an id that no such
/// tag stands for, or the flag, means that text is missing.
fn is_complete(body: &Value, text: &str) -> bool {
    let truncated = body.get("truncated").and_then(Value::as_bool).unwrap_or(false);
    let unknown = body.get("unknown_block_ids").and_then(Value::as_array).map_or(0, Vec::len);
    let tags =
        text.match_indices("<unknown").filter(|(at, _)| !text[..*at].ends_with('\\')).count();
    !truncated && unknown <= tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_text_makes_a_body_incomplete() {
        let tag = "a\n<unknown url=\"https://app.notion.com/p/x#y\" alt=\"bookmark\"/>\nb";
        for (body, text, complete) in [
            (json!({}), "a", true),
            (json!({"truncated": false, "unknown_block_ids": []}), tag, true),
            (json!({"truncated": false, "unknown_block_ids": ["y"]}), tag, true),
            (json!({"truncated": false, "unknown_block_ids": ["y", "z"]}), tag, false),
            (json!({"truncated": false, "unknown_block_ids": ["y"]}), "a \\<unknown\\>", false),
            (json!({"truncated": true, "unknown_block_ids": ["y"]}), tag, false),
        ] {
            assert_eq!(is_complete(&body, text), complete, "{body}");
        }
    }
}
