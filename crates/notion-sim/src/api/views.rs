//! Views of databases (notion-api.md 4.12). Dashboards, widgets and queries of views are not simulated.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::Input;
use crate::api::databases::need_id;
use crate::api::paging::{self, Paging};
use crate::clock::iso;
use crate::error::{ApiError, ApiResult};
use crate::filter;
use crate::request::{Obj, text_limit};
use crate::schema::PropertyKind;
use crate::workspace::Workspace;
use crate::workspace::objects::DataSource;

/// A view.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) id: String,
    pub(crate) database: String,
    pub(crate) data_source: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) filter: Value,
    pub(crate) sorts: Value,
    pub(crate) configuration: Value,
    pub(crate) created: Timestamp,
    pub(crate) edited: Timestamp,
    pub(crate) created_by: String,
    pub(crate) edited_by: String,
}

/// Types that are simulated.
const KINDS: [&str; 9] =
    ["table", "board", "list", "calendar", "timeline", "gallery", "form", "chart", "map"];

fn to_json(view: &View) -> Value {
    json!({
        "object": "view",
        "id": view.id,
        "parent": {"type": "database_id", "database_id": view.database},
        "data_source_id": view.data_source,
        "name": view.name,
        "type": view.kind,
        "filter": view.filter,
        "sorts": view.sorts,
        "quick_filters": null,
        "configuration": view.configuration,
        "created_time": iso(view.created),
        "last_edited_time": iso(view.edited),
        "created_by": {"object": "user", "id": view.created_by},
        "last_edited_by": {"object": "user", "id": view.edited_by},
        "url": format!("https://app.notion.com/p/{}?v={}", view.database.replace('-', ""), view.id.replace('-', "")),
    })
}

/// As for a version that knows no views.
fn simulated(ws: &Workspace) -> ApiResult<()> {
    if ws.has_views {
        return Ok(());
    }
    Err(ApiError::new(400, "invalid_request_url", "Invalid request URL."))
}

pub(crate) fn create(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    simulated(ws)?;
    input.only_params(&[])?;
    let body = input.body()?;
    body.only(&[
        "data_source_id",
        "name",
        "type",
        "database_id",
        "view_id",
        "create_database",
        "filter",
        "sorts",
        "quick_filters",
        "configuration",
        "position",
        "placement",
    ])?;
    let places: Vec<&str> = ["database_id", "view_id", "create_database"]
        .into_iter()
        .filter(|key| body.has(key))
        .collect();
    if places != ["database_id"] {
        return Err(ApiError::invalid(match places.len() {
            1 => "This simulator makes views in databases only: give database_id.",
            _ => {
                "body failed validation: exactly one of database_id, view_id and create_database should be given."
            }
        }));
    }
    let (database, source) = (need_id(&body, "database_id")?, need_id(&body, "data_source_id")?);
    if !ws.visible_database(&database)?.data_sources.contains(&source) {
        ws.visible_data_source(&source)?;
        return Err(ApiError::invalid("This simulator has no linked views of other databases."));
    }
    if ws.is_trashed(&database) {
        return Err(ApiError::trashed());
    }
    let kind = body.need_str("type")?.to_owned();
    if !KINDS.contains(&kind.as_str()) {
        return Err(ApiError::body(&body.at("type"), "a type of view", body.get("type")));
    }
    let name = name(body.need_str("name")?)?;
    let shown = ws.visible_data_source(&source)?;
    let filter = read_filter(ws, shown, &body)?.unwrap_or_default();
    let sorts = read_sorts(shown, &body)?.unwrap_or_default();
    let configuration = read_configuration(shown, &body, &kind)?.unwrap_or_default();
    if kind == "board" && configuration.is_null() {
        return Err(body.missing("configuration"));
    }
    let bot = ws.bot.clone();
    let id = ws.new_view(&database, &source, &name, &kind, &bot);
    let Some(view) = ws.views.iter_mut().find(|view| view.id == id) else {
        return Err(ApiError::not_found("view", &id));
    };
    (view.filter, view.sorts, view.configuration) = (filter, sorts, configuration);
    Ok(to_json(view))
}

fn name(text: &str) -> ApiResult<String> {
    text_limit("body.name", text, 2000)?;
    Ok(text.to_owned())
}

fn read_filter(ws: &Workspace, source: &DataSource, body: &Obj<'_>) -> ApiResult<Option<Value>> {
    let Some(value) = body.get("filter") else { return Ok(None) };
    if !value.is_null() {
        filter::parse(ws, source, value)?;
    }
    Ok(Some(value.clone()))
}

fn read_sorts(source: &DataSource, body: &Obj<'_>) -> ApiResult<Option<Value>> {
    let Some(value) = body.get("sorts") else { return Ok(None) };
    if !value.is_null() {
        filter::parse_sorts(source, &body.objects("sorts", 100)?.unwrap_or_default())?;
    }
    Ok(Some(value.clone()))
}

/// The configuration names its type, which is the view's, and properties that exist.
fn read_configuration(source: &DataSource, body: &Obj<'_>, kind: &str) -> ApiResult<Option<Value>> {
    let Some(given) = body.obj("configuration")? else { return Ok(None) };
    if given.need_str("type")? != kind {
        return Err(ApiError::body(&given.at("type"), &format!("`\"{kind}\"`"), given.get("type")));
    }
    match kind {
        "table" => given.only(&[
            "type",
            "properties",
            "group_by",
            "subtasks",
            "wrap_cells",
            "frozen_column_index",
            "show_vertical_lines",
        ])?,
        "board" => given.only(&[
            "type",
            "group_by",
            "sub_group_by",
            "properties",
            "cover",
            "cover_size",
            "cover_aspect",
            "card_layout",
        ])?,
        "list" => given.only(&["type", "properties"])?,
        _ => {}
    }
    for shown in given.objects("properties", 500)?.unwrap_or_default() {
        known(source, &shown)?;
    }
    match given.obj("group_by")? {
        Some(group) => check_group(source, &group)?,
        None if kind == "board" => return Err(given.missing("group_by")),
        None => {}
    }
    Ok(Some(Value::Object(given.map().clone())))
}

fn known<'a>(source: &'a DataSource, obj: &Obj<'_>) -> ApiResult<&'a PropertyKind> {
    let id = obj.need_str("property_id")?;
    let found =
        source.properties.iter().find(|property| property.id == id || property.encoded_id() == id);
    let found = found.ok_or_else(|| {
        ApiError::invalid(format!("Could not find property with name or id: {id}"))
    })?;
    Ok(&found.kind)
}

fn check_group(source: &DataSource, group: &Obj<'_>) -> ApiResult<()> {
    group.only(&[
        "type",
        "property_id",
        "group_by",
        "sort",
        "hide_empty_groups",
        "start_day_of_week",
        "range_start",
        "range_end",
        "range_size",
    ])?;
    let kind = known(source, group)?;
    let wanted = match kind {
        PropertyKind::RichText => "text",
        PropertyKind::People => "person",
        other => other.name(),
    };
    if group.need_str("type")? != wanted {
        return Err(ApiError::body(
            &group.at("type"),
            &format!("`\"{wanted}\"`"),
            group.get("type"),
        ));
    }
    let sort = group.need_obj("sort")?;
    if !["manual", "ascending", "descending"].contains(&sort.need_str("type")?) {
        return Err(ApiError::body(&sort.at("type"), "an order of groups", sort.get("type")));
    }
    let ways: &[&str] = match wanted {
        "status" => &["group", "option"],
        "text" | "title" | "url" | "email" | "phone_number" => &["exact", "alphabet_prefix"],
        "date" | "created_time" | "last_edited_time" => {
            &["relative", "day", "week", "month", "year"]
        }
        _ => return Ok(()),
    };
    if ways.contains(&group.need_str("group_by")?) {
        return Ok(());
    }
    Err(ApiError::body(&group.at("group_by"), "a way to make groups", group.get("group_by")))
}

pub(crate) fn list(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    simulated(ws)?;
    input.only_params(&["database_id", "data_source_id", "start_cursor", "page_size"])?;
    let paging = Paging::of_query(input)?;
    let id = |name: &str| {
        input.param(name).map(|text| {
            crate::ids::parse_uuid(text).ok_or_else(|| {
                ApiError::invalid(format!(
                    "query failed validation: query.{name} should be a valid uuid."
                ))
            })
        })
    };
    let (database, source) = (id("database_id").transpose()?, id("data_source_id").transpose()?);
    match (&database, &source) {
        (None, None) => {
            return Err(ApiError::invalid(
                "query failed validation: database_id or data_source_id should be given.",
            ));
        }
        (Some(id), _) => drop(ws.visible_database(id)?),
        (_, Some(id)) => drop(ws.visible_data_source(id)?),
    }
    let shown = |view: &&View| {
        database.as_ref().is_none_or(|id| *id == view.database)
            && source.as_ref().is_none_or(|id| *id == view.data_source)
    };
    let views: Vec<&View> = ws.views.iter().filter(shown).collect();
    let (page, next) = paging.cut(&views, |view| &view.id);
    let results = page.iter().map(|view| json!({"object": "view", "id": view.id})).collect();
    Ok(paging::list("view", results, next))
}

fn position(ws: &Workspace, id: &str) -> ApiResult<usize> {
    let at = ws.views.iter().position(|view| view.id == id && ws.visible(&view.database));
    at.ok_or_else(|| ApiError::not_found("view", id))
}

pub(crate) fn get(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    simulated(ws)?;
    input.only_params(&[])?;
    let id = input.id(0)?;
    let at = position(ws, &id)?;
    ws.views.get(at).map(to_json).ok_or_else(|| ApiError::not_found("view", &id))
}

pub(crate) fn update(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    simulated(ws)?;
    let id = input.id(0)?;
    let body = input.body()?;
    body.only(&["name", "filter", "sorts", "quick_filters", "configuration"])?;
    let at = position(ws, &id)?;
    let Some(view) = ws.views.get(at) else { return Err(ApiError::not_found("view", &id)) };
    let source = ws.visible_data_source(&view.data_source)?;
    let filter = read_filter(ws, source, &body)?;
    let sorts = read_sorts(source, &body)?;
    let configuration = read_configuration(source, &body, &view.kind)?;
    let name = body.str("name")?.map(name).transpose()?;
    let (now, bot) = (ws.minute(), ws.bot.clone());
    let Some(view) = ws.views.get_mut(at) else { return Err(ApiError::not_found("view", &id)) };
    view.name = name.unwrap_or_else(|| view.name.clone());
    view.filter = filter.unwrap_or_else(|| view.filter.take());
    view.sorts = sorts.unwrap_or_else(|| view.sorts.take());
    view.configuration = configuration.unwrap_or_else(|| view.configuration.take());
    (view.edited, view.edited_by) = (now, bot);
    Ok(to_json(view))
}

pub(crate) fn delete(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    simulated(ws)?;
    input.only_params(&[])?;
    let id = input.id(0)?;
    let at = position(ws, &id)?;
    let view = ws.views.remove(at);
    Ok(json!({
        "object": "view",
        "id": view.id,
        "parent": {"type": "database_id", "database_id": view.database},
        "type": view.kind,
    }))
}

impl Workspace {
    /// Makes a view that shows everything.
    pub(crate) fn new_view(
        &mut self,
        database: &str,
        data_source: &str,
        name: &str,
        kind: &str,
        actor: &str,
    ) -> String {
        let (id, now) = (self.ids.uuid(), self.minute());
        self.views.push(View {
            id: id.clone(),
            database: database.to_owned(),
            data_source: data_source.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            filter: Value::Null,
            sorts: Value::Null,
            configuration: Value::Null,
            created: now,
            edited: now,
            created_by: actor.to_owned(),
            edited_by: actor.to_owned(),
        });
        id
    }
}
