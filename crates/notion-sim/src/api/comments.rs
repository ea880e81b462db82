//! Comments (notion-api.md 4.10).

use serde_json::Value;

use crate::api::databases::{need_id, rich_text};
use crate::api::paging::{self, Paging};
use crate::api::{Input, markdown, objects};
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::markdown::read_inline;
use crate::request::Obj;
use crate::rich::RichText;
use crate::workspace::Workspace;
use crate::workspace::objects::CommentParent;

fn text(ws: &Workspace, body: &Obj<'_>) -> ApiResult<RichText> {
    if body.has("markdown_version") && !body.has("markdown") {
        return Err(ApiError::invalid("markdown_version is only valid together with markdown."));
    }
    match (rich_text(body, "rich_text")?, body.str("markdown")?) {
        (Some(text), None) => Ok(text),
        (None, Some(source)) => {
            let version = markdown::version(ws, body.str("markdown_version")?)?;
            read_inline(source, version)
        }
        _ => Err(ApiError::invalid(
            "body failed validation: exactly one of rich_text and markdown should be given.",
        )),
    }
}

pub(crate) fn create(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let body = input.body()?;
    body.only(&[
        "parent",
        "discussion_id",
        "rich_text",
        "markdown",
        "markdown_version",
        "attachments",
        "display_name",
    ])?;
    let text = text(ws, &body)?;
    let (page, parent, discussion) = match (body.obj("parent")?, body.has("discussion_id")) {
        (Some(parent), false) => {
            parent.only(&["type", "page_id", "block_id"])?;
            let key = if parent.has("block_id") { "block_id" } else { "page_id" };
            let id = need_id(&parent, key)?;
            if ws.pages.contains_key(&id) {
                (ws.visible_page(&id)?.id.clone(), CommentParent::Page(id), None)
            } else {
                let page =
                    ws.block_home.get(&id).filter(|page| ws.visible(page) && key == "block_id");
                let page = page.cloned().ok_or_else(|| ApiError::not_found("block", &id))?;
                (page, CommentParent::Block(id), None)
            }
        }
        (None, true) => {
            let id = need_id(&body, "discussion_id")?;
            let found = ws
                .comments
                .iter()
                .find(|comment| comment.discussion == id && ws.visible(&comment.page));
            let found = found.ok_or_else(|| ApiError::not_found("discussion", &id))?;
            (found.page.clone(), found.parent.clone(), Some(id))
        }
        _ => {
            return Err(ApiError::invalid(
                "body failed validation: exactly one of parent and discussion_id should be given.",
            ));
        }
    };
    if ws.is_trashed(&page) {
        return Err(ApiError::trashed());
    }
    let bot = ws.bot.clone();
    let comment = ws.add_comment(&page, parent, discussion, text, &bot);
    Ok(objects::comment(ws, &comment))
}

pub(crate) fn list(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&["block_id", "start_cursor", "page_size"])?;
    let given = input.param("block_id").unwrap_or_default();
    let id = ids::parse_uuid(given).ok_or_else(|| {
        ApiError::invalid("query failed validation: query.block_id should be a valid uuid.")
    })?;
    if !ws.visible(&id) || !(ws.pages.contains_key(&id) || ws.block_home.contains_key(&id)) {
        return Err(ApiError::not_found("block", &id));
    }
    let found = ws.comments_of(&id);
    let (page, next) = Paging::of_query(input)?.cut(&found, |comment| &comment.id);
    Ok(paging::list(
        "comment",
        page.iter().map(|comment| objects::comment(ws, comment)).collect(),
        next,
    ))
}

/// Where a comment is in the list, if the connection sees it.
fn position(ws: &Workspace, id: &str) -> ApiResult<usize> {
    ws.comments
        .iter()
        .position(|comment| comment.id == id && !comment.resolved && ws.visible(&comment.page))
        .ok_or_else(|| ApiError::not_found("comment", id))
}

fn own(ws: &Workspace, id: &str) -> ApiResult<usize> {
    let at = position(ws, id)?;
    match ws.comments.get(at) {
        Some(comment) if comment.created_by == ws.bot => Ok(at),
        _ => Err(ApiError::new(
            403,
            "restricted_resource",
            "Only the connection's own comments can be changed.",
        )),
    }
}

pub(crate) fn get(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    let at = position(ws, &id)?;
    ws.comments
        .get(at)
        .map(|comment| objects::comment(ws, comment))
        .ok_or_else(|| ApiError::not_found("comment", &id))
}

pub(crate) fn update(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    let body = input.body()?;
    body.only(&["rich_text", "markdown", "markdown_version"])?;
    let text = text(ws, &body)?;
    let at = own(ws, &id)?;
    let now = ws.minute();
    if let Some(comment) = ws.comments.get_mut(at) {
        comment.text = text;
        comment.edited = now;
    }
    get(ws, input)
}

pub(crate) fn delete(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let at = own(ws, &input.id(0)?)?;
    let comment = ws.comments.remove(at);
    Ok(objects::comment(ws, &comment))
}
