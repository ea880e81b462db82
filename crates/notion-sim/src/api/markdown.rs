//! Bodies as Markdown (notion-api.md 4.8).

use serde_json::{Value, json};

use crate::api::Input;
use crate::error::{ApiError, ApiResult};
use crate::markdown::Version;
use crate::markdown::edit::Update;
use crate::markdown::render::{self, Rendered};
use crate::request::Obj;
use crate::workspace::Workspace;
use crate::workspace::markdown::Change;

/// The version that a request asks for.
///
/// # Errors
/// 400 for an unknown one, and for v1 where the simulator plays the next version of the API.
pub(crate) fn version(ws: &Workspace, given: Option<&str>) -> ApiResult<Version> {
    match given {
        None if ws.reject_v1 => Ok(Version::V2),
        None => Ok(Version::V1),
        Some("v1") if ws.reject_v1 => {
            Err(ApiError::invalid("markdown_version \"v1\" is not supported anymore: use \"v2\"."))
        }
        Some("v1") => Ok(Version::V1),
        Some("v2") => Ok(Version::V2),
        Some(other) => Err(ApiError::invalid(format!(
            "body failed validation: markdown_version should be `\"v1\"` or `\"v2\"`, instead was `\"{other}\"`."
        ))),
    }
}

pub(crate) fn get(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&["include_transcript", "markdown_version"])?;
    let version = version(ws, input.param("markdown_version"))?;
    let id = input.id(0)?;
    if ws.pages.contains_key(&id) {
        ws.visible_page(&id)?;
        if ws.is_trashed(&id) {
            return Err(ApiError::not_found("page", &id));
        }
        return Ok(answer(ws, &id, version));
    }
    // Of a block: its own subtree.
    let home =
        ws.block_home.get(&id).cloned().filter(|page| ws.visible(page) && !ws.is_trashed(page));
    let not_found = || ApiError::not_found("block", &id);
    let home = home.ok_or_else(not_found)?;
    let view = ws.next_view(version);
    let block = ws.block(&id).ok_or_else(not_found)?;
    let rendered = render::render(ws, &home, std::slice::from_ref(block), view);
    Ok(page_markdown(&id, &rendered))
}

fn answer(ws: &mut Workspace, id: &str, version: Version) -> Value {
    let rendered = ws.render_page(id, version);
    page_markdown(id, &rendered)
}

fn page_markdown(id: &str, rendered: &Rendered) -> Value {
    json!({
        "object": "page_markdown",
        "id": id,
        "markdown": rendered.text,
        "truncated": rendered.truncated,
        "unknown_block_ids": rendered.unknown,
    })
}

pub(crate) fn update(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    input.only_params(&[])?;
    let body = input.body()?;
    let kind = body.need_str("type")?;
    body.only(&["type", kind, "allow_async", "markdown_version"])?;
    let version = version(ws, body.str("markdown_version")?)?;
    if body.bool("allow_async")?.unwrap_or(false) {
        return Err(ApiError::invalid(
            "This simulator answers synchronously only: leave allow_async out.",
        ));
    }
    if !ws.pages.contains_key(&id)
        && (ws.databases.contains_key(&id) || ws.block_home.contains_key(&id))
        && ws.visible(&id)
    {
        return Err(ApiError::invalid(format!("{id} is a database or a block, not a page.")));
    }
    ws.editable_page(&id)?;
    let given = match kind {
        "replace_content" | "update_content" | "insert_content" | "replace_content_range" => {
            body.need_obj(kind)?
        }
        _ => {
            return Err(ApiError::body(
                "body.type",
                "`\"replace_content\"`, `\"update_content\"`, `\"insert_content\"`, or `\"replace_content_range\"`",
                body.get("type"),
            ));
        }
    };
    let (change, allow_deleting) = read_change(kind, &given)?;
    let bot = ws.bot.clone();
    let warnings = ws.change_markdown(&id, &change, version, allow_deleting, &bot)?;
    let mut answer = answer(ws, &id, version);
    if !warnings.is_empty() {
        answer["warnings"] = json!(warnings);
    }
    Ok(answer)
}

fn read_change(kind: &str, given: &Obj<'_>) -> ApiResult<(Change, bool)> {
    let change = match kind {
        "replace_content" => {
            given.only(&["new_str", "allow_deleting_content"])?;
            Change::Replace(given.need_str("new_str")?.to_owned())
        }
        "update_content" => {
            given.only(&["content_updates", "allow_deleting_content"])?;
            let items = given
                .objects("content_updates", 100)?
                .ok_or_else(|| given.missing("content_updates"))?;
            if items.is_empty() {
                return Err(ApiError::invalid(
                    "body failed validation: content_updates.length should be ≥ `1`.",
                ));
            }
            Change::Update(items.iter().map(read_update).collect::<ApiResult<_>>()?)
        }
        "insert_content" => {
            given.only(&["content", "after", "position"])?;
            let content = given.need_str("content")?.to_owned();
            match (given.str("after")?, given.obj("position")?) {
                (Some(_), Some(_)) => {
                    return Err(ApiError::invalid(
                        "body failed validation: only one of after and position may be given.",
                    ));
                }
                (Some(after), None) => Change::InsertAfter { selection: after.to_owned(), content },
                (None, None) => Change::InsertAtEnd(content),
                (None, Some(position)) => match position.need_str("type")? {
                    "start" => Change::InsertAtStart(content),
                    "end" => Change::InsertAtEnd(content),
                    _ => {
                        return Err(ApiError::body(
                            &position.at("type"),
                            "`\"start\"` or `\"end\"`",
                            position.get("type"),
                        ));
                    }
                },
            }
        }
        _ => {
            given.only(&["content", "content_range", "allow_deleting_content"])?;
            Change::ReplaceRange {
                selection: given.need_str("content_range")?.to_owned(),
                content: given.need_str("content")?.to_owned(),
            }
        }
    };
    Ok((change, given.bool("allow_deleting_content")?.unwrap_or(false)))
}

fn read_update(item: &Obj<'_>) -> ApiResult<Update> {
    item.only(&["old_str", "new_str", "replace_all_matches"])?;
    let old = item.need_str("old_str")?;
    if old.is_empty() {
        return Err(ApiError::invalid(format!(
            "body failed validation: {} should not be empty.",
            item.at("old_str")
        )));
    }
    Ok(Update {
        old: old.to_owned(),
        new: item.need_str("new_str")?.to_owned(),
        all: item.bool("replace_all_matches")?.unwrap_or(false),
    })
}
