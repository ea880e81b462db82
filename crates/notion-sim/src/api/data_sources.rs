//! Data sources: schema (notion-api.md 4.4). Queries are in `query`.

use serde_json::{Value, json};

use crate::api::databases::{icon, need_id, rich_text};
use crate::api::{Input, objects};
use crate::error::{ApiError, ApiResult};
use crate::request::Obj;
use crate::schema::{self, PropertyKind};
use crate::workspace::Workspace;
use crate::workspace::rows::SchemaChange;

pub(crate) fn create(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let body = input.body()?;
    body.only(&["parent", "properties", "title", "icon"])?;
    let parent = body.need_obj("parent")?;
    parent.only(&["type", "database_id"])?;
    let database = need_id(&parent, "database_id")?;
    ws.visible_database(&database)?;
    if ws.is_trashed(&database) {
        return Err(ApiError::trashed());
    }
    let title = rich_text(&body, "title")?.unwrap_or_default();
    let given_icon = icon(&body, "icon")?;
    let properties = schema::new_schema(&body.need_obj("properties")?, &mut ws.ids)?;
    ws.check_relations(properties.iter().map(|property| &property.kind))?;
    let bot = ws.bot.clone();
    let id = ws.new_data_source(&database, title, properties, &bot);
    if let Some(source) = ws.data_sources.get_mut(&id) {
        source.icon = given_icon.unwrap_or(Value::Null);
    }
    Ok(objects::data_source(ws, ws.visible_data_source(&id)?))
}

pub(crate) fn get(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&[])?;
    let id = input.id(0)?;
    Ok(objects::data_source(ws, ws.visible_data_source(&id)?))
}

pub(crate) fn update(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    let body = input.body()?;
    body.only(&["title", "icon", "properties", "in_trash", "parent", "description"])?;
    ws.visible_data_source(&id)?;
    let in_trash = body.bool("in_trash")?;
    if ws.is_trashed(&id) && in_trash != Some(false) {
        return Err(ApiError::trashed());
    }
    if body.has("parent") {
        return Err(ApiError::invalid(
            "This simulator does not move data sources between databases.",
        ));
    }
    let title = rich_text(&body, "title")?;
    let given_icon = icon(&body, "icon")?;
    let changes = match body.obj("properties")? {
        Some(properties) => schema_changes(ws, &id, &properties)?,
        None => Vec::new(),
    };
    let bot = ws.bot.clone();
    ws.change_schema(&id, changes, &bot);
    if let Some(source) = ws.data_sources.get_mut(&id) {
        source.title = title.unwrap_or_else(|| source.title.clone());
        source.icon = given_icon.unwrap_or_else(|| source.icon.clone());
        source.in_trash = in_trash.unwrap_or(source.in_trash);
    }
    Ok(objects::data_source(ws, ws.visible_data_source(&id)?))
}

/// Checks all changes before any is made.
fn schema_changes(
    ws: &mut Workspace,
    id: &str,
    properties: &Obj<'_>,
) -> ApiResult<Vec<SchemaChange>> {
    let Some(source) = ws.data_sources.get(id) else {
        return Err(ApiError::not_found("data source", id));
    };
    let mut changes = Vec::new();
    let mut names: Vec<String> =
        source.properties.iter().map(|property| property.name.clone()).collect();
    for (key, value) in properties.map() {
        let known = source.lookup(key);
        let change = match (known, value) {
            (None, Value::Null) => {
                return Err(ApiError::invalid(format!(
                    "Could not find property with name or id: {key}"
                )));
            }
            (Some(property), Value::Null) => {
                if property.kind == PropertyKind::Title {
                    return Err(ApiError::invalid(
                        "Cannot delete the title property of a data source.",
                    ));
                }
                SchemaChange::Remove(property.id.clone())
            }
            (known, value) => {
                let obj = Obj::new(value, properties.at(key))?;
                if obj.has("button") {
                    continue;
                }
                let only_name = obj.map().keys().all(|key| key == "name");
                match known {
                    Some(property) if only_name => {
                        let name = obj.need_str("name")?;
                        if names.iter().any(|taken| taken == name && *taken != property.name) {
                            return Err(ApiError::invalid(format!(
                                "A property named {name} exists already."
                            )));
                        }
                        names.push(name.to_owned());
                        SchemaChange::Rename(property.id.clone(), name.to_owned())
                    }
                    Some(property) => {
                        let definition = schema::definition(&obj, &mut ws.ids, Some(property))?;
                        let was_title = property.kind == PropertyKind::Title;
                        if was_title != (definition.kind == PropertyKind::Title) {
                            return Err(ApiError::invalid(
                                "A property cannot be converted to or from type title.",
                            ));
                        }
                        if property.kind.options().is_some_and(|options| options.len() > 100) {
                            return Err(ApiError::invalid(format!(
                                "{key} has more than 100 options and cannot be updated."
                            )));
                        }
                        SchemaChange::Change(property.id.clone(), definition)
                    }
                    None => {
                        let definition = schema::definition(&obj, &mut ws.ids, None)?;
                        if definition.kind == PropertyKind::Title {
                            return Err(ApiError::invalid(
                                "A data source has exactly one property of type title.",
                            ));
                        }
                        SchemaChange::Add(key.clone(), definition)
                    }
                }
            }
        };
        changes.push(change);
    }
    ws.check_relations(changes.iter().filter_map(|change| match change {
        SchemaChange::Change(_, definition) | SchemaChange::Add(_, definition) => {
            Some(&definition.kind)
        }
        _ => None,
    }))?;
    Ok(changes)
}

/// The simulator has no templates.
pub(crate) fn templates(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&["name", "start_cursor", "page_size"])?;
    ws.visible_data_source(&input.id(0)?)?;
    Ok(json!({"templates": [], "has_more": false, "next_cursor": null}))
}
