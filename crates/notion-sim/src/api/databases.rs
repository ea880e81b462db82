//! Databases (notion-api.md 4.3).

use serde_json::{Value, json};

use crate::api::{Input, objects};
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::request::Obj;
use crate::rich::{self, RichText};
use crate::schema;
use crate::workspace::Workspace;
use crate::workspace::objects::Parent;

/// Rich text under this key, where it is given.
pub(crate) fn rich_text(obj: &Obj<'_>, key: &str) -> ApiResult<Option<RichText>> {
    obj.array(key)?.map(|items| rich::from_json(items, &obj.at(key))).transpose()
}

/// An id under this key.
pub(crate) fn need_id(obj: &Obj<'_>, key: &str) -> ApiResult<String> {
    ids::parse_uuid(obj.need_str(key)?)
        .ok_or_else(|| ApiError::body(&obj.at(key), "a valid uuid", obj.get(key)))
}

/// An icon or cover of a request: null, or an object with a known type.
pub(crate) fn icon(obj: &Obj<'_>, key: &str) -> ApiResult<Option<Value>> {
    let Some(value) = obj.get(key) else { return Ok(None) };
    if value.is_null() {
        return Ok(Some(Value::Null));
    }
    let given = Obj::new(value, obj.at(key))?;
    let kinds = ["emoji", "external", "file_upload", "custom_emoji", "icon"];
    let Some(kind) = kinds.into_iter().find(|kind| given.has(kind)) else {
        return Err(ApiError::body(
            &obj.at(key),
            "an emoji, external file, uploaded file or custom emoji",
            Some(value),
        ));
    };
    Ok(Some(json!({"type": kind, kind: given.get(kind)})))
}

pub(crate) fn create(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let body = input.body()?;
    body.only(&[
        "parent",
        "title",
        "description",
        "is_inline",
        "initial_data_source",
        "icon",
        "cover",
        "database_type",
    ])?;
    if body.has("database_type") {
        return Err(ApiError::invalid(
            "This simulator has no typed databases: give initial_data_source instead of database_type.",
        ));
    }
    let parent = page_parent(ws, &body.need_obj("parent")?)?;
    let title = rich_text(&body, "title")?.unwrap_or_default();
    let description = rich_text(&body, "description")?.unwrap_or_default();
    let inline = body.bool("is_inline")?.unwrap_or(false);
    let (given_icon, cover) = (icon(&body, "icon")?, icon(&body, "cover")?);
    let properties = match body.obj("initial_data_source")? {
        Some(source) => {
            source.only(&["properties", "title", "icon"])?;
            schema::new_schema(&source.need_obj("properties")?, &mut ws.ids)?
        }
        None => {
            let default = json!({"Name": {"title": {}}});
            schema::new_schema(
                &Obj::new(&default, "body.initial_data_source.properties")?,
                &mut ws.ids,
            )?
        }
    };
    ws.check_relations(properties.iter().map(|property| &property.kind))?;
    let bot = ws.bot.clone();
    let id = ws.new_database(parent, title, properties, &bot);
    if let Some(database) = ws.databases.get_mut(&id) {
        database.description = description;
        database.inline = inline;
        database.icon = given_icon.unwrap_or(Value::Null);
        database.cover = cover.unwrap_or(Value::Null);
    }
    Ok(objects::database(ws, ws.visible_database(&id)?))
}

/// A parent that must be a page; internal connections cannot write at the top of the workspace.
fn page_parent(ws: &Workspace, parent: &Obj<'_>) -> ApiResult<Parent> {
    parent.only(&["type", "page_id", "workspace"])?;
    if parent.has("workspace") {
        return Err(ApiError::invalid(
            "Internal connections aren't owned by a single user, so creating workspace-level content isn't supported. \
             Provide a parent page.",
        ));
    }
    let id = need_id(parent, "page_id")?;
    ws.editable_page(&id)?;
    Ok(Parent::Page(id))
}

pub(crate) fn get(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&[])?;
    let id = input.id(0)?;
    Ok(objects::database(ws, ws.visible_database(&id)?))
}

pub(crate) fn update(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    let body = input.body()?;
    body.only(&[
        "parent",
        "title",
        "description",
        "is_inline",
        "icon",
        "cover",
        "in_trash",
        "is_locked",
    ])?;
    let database = ws.visible_database(&id)?;
    let in_trash = body.bool("in_trash")?;
    if ws.is_trashed(&id) && in_trash != Some(false) {
        return Err(ApiError::trashed());
    }
    if in_trash == Some(true) && database.parent == Parent::Workspace {
        return Err(ApiError::invalid("Archiving workspace level pages via API not supported."));
    }
    let parent = body.obj("parent")?.map(|parent| page_parent(ws, &parent)).transpose()?;
    let title = rich_text(&body, "title")?;
    let description = rich_text(&body, "description")?;
    let inline = body.bool("is_inline")?;
    let locked = body.bool("is_locked")?;
    let (given_icon, cover) = (icon(&body, "icon")?, icon(&body, "cover")?);
    if cover.is_some() && inline.unwrap_or(database.inline) {
        return Err(ApiError::invalid("Inline databases do not support a cover."));
    }
    let (bot, now) = (ws.bot.clone(), ws.minute());
    if let Some(database) = ws.databases.get_mut(&id) {
        database.title = title.unwrap_or_else(|| database.title.clone());
        database.description = description.unwrap_or_else(|| database.description.clone());
        database.inline = inline.unwrap_or(database.inline);
        database.is_locked = locked.unwrap_or(database.is_locked);
        database.icon = given_icon.unwrap_or_else(|| database.icon.clone());
        database.cover = cover.unwrap_or_else(|| database.cover.clone());
        database.edited = now;
        database.edited_by.clone_from(&bot);
    }
    if let Some(in_trash) = in_trash {
        ws.set_trash(&id, in_trash, &bot);
    }
    if let Some(Parent::Page(target)) = parent {
        if let Some(Parent::Page(before)) =
            ws.databases.get(&id).map(|database| database.parent.clone())
        {
            ws.detach_child(&id, &before);
        }
        if let Some(database) = ws.databases.get_mut(&id) {
            database.parent = Parent::Page(target.clone());
        }
        ws.attach_child(&id, &target, &bot);
    }
    Ok(objects::database(ws, ws.visible_database(&id)?))
}
