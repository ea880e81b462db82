//! Users (notion-api.md 4.11).

use serde_json::{Value, json};

use crate::api::paging::{self, Paging};
use crate::api::{Input, file_uploads};
use crate::error::{ApiError, ApiResult};
use crate::workspace::Workspace;

/// Works with any capability.
pub(crate) fn me(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&[])?;
    Ok(json!({
        "object": "user",
        "id": ws.bot,
        "name": ws.user_name(&ws.bot),
        "avatar_url": null,
        "type": "bot",
        "bot": {
            "owner": {"type": "workspace", "workspace": true},
            "workspace_id": "5e1f0000-0000-4000-8000-000000000001",
            "workspace_name": "Simulated workspace",
            "workspace_limits": {"max_file_upload_size_in_bytes": file_uploads::MOST_BYTES},
        },
    }))
}

pub(crate) fn list(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&["start_cursor", "page_size"])?;
    let (page, next) = Paging::of_query(input)?.cut(&ws.users, |user| &user.id);
    Ok(paging::list("user", page.iter().map(|user| ws.user_json(&user.id)).collect(), next))
}

pub(crate) fn get(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    match ws.user_name(&id) {
        Some(_) => Ok(ws.user_json(&id)),
        None => Err(ApiError::not_found("user", &id)),
    }
}

/// Custom emoji of the workspace, all or those of a name.
pub(crate) fn custom_emojis(_: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&["name", "start_cursor", "page_size"])?;
    let wanted = input.param("name");
    let all: Vec<(&str, &str)> = crate::rich::CUSTOM_EMOJI
        .into_iter()
        .filter(|(name, _)| wanted.is_none_or(|wanted| *name == wanted))
        .collect();
    let (page, next) = Paging::of_query(input)?.cut(&all, |(_, id)| id);
    let results = page
        .iter()
        .map(|(name, id)| {
            json!({
                "object": "custom_emoji",
                "id": id,
                "name": name,
                "url": format!("https://example.com/emoji/{name}.png"),
            })
        })
        .collect();
    Ok(paging::list("custom_emoji", results, next))
}
