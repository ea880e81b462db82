//! Values of properties: reading them from requests, writing them into answers (notion-api.md 4.7).

use serde_json::{Map, Value, json};

use crate::clock::iso;
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::request::{Obj, text_limit, too_long};
use crate::rich::{self, RichText};
use crate::schema::{Property, PropertyKind, check_option_name, option_named};
use crate::workspace::Workspace;
use crate::workspace::objects::Page;

/// References that a page object holds at most (notion-api.md 4.6).
const MOST_REFERENCES: usize = 25;

/// A value that a row holds. Unset properties have none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PropertyValue {
    Text(RichText),
    Number(serde_json::Number),
    /// Id of an option.
    Option(String),
    Options(Vec<String>),
    Date {
        start: String,
        end: Option<String>,
        time_zone: Option<String>,
    },
    People(Vec<String>),
    Files(Vec<Value>),
    Checkbox(bool),
    String(String),
    Relation(Vec<String>),
    UniqueId(u64),
    Raw(Value),
}

/// A value of a request. Options stay names until the request is known to be good, since a new one changes the
/// schema.
#[derive(Clone, Debug)]
pub(crate) enum Written {
    Clear,
    Value(PropertyValue),
    OptionNamed(String),
    OptionsNamed(Vec<String>),
}

/// Reads the value that a request gives a property.
pub(crate) fn read(
    ws: &Workspace,
    property: &Property,
    value: &Value,
    path: &str,
) -> ApiResult<Written> {
    let kind = property.kind.name();
    if property.kind.is_read_only() {
        return Err(ApiError::invalid(format!(
            "{} is a property of type {kind}, which cannot be written.",
            property.name
        )));
    }
    let obj = Obj::new(value, path)?;
    obj.only(&["type", "id", "name", kind])
        .map_err(|_| ApiError::invalid(format!("{} is expected to be {kind}.", property.name)))?;
    let Some(inner) = obj.get(kind) else {
        return Err(ApiError::invalid(format!("{} is expected to be {kind}.", property.name)));
    };
    let path = obj.at(kind);
    let array = || match inner {
        Value::Array(items) if items.len() > 100 => Err(too_long(&path, 100, items.len())),
        Value::Array(items) => Ok(items),
        other => Err(ApiError::body(&path, "an array", Some(other))),
    };
    if inner.is_null() {
        return match property.kind {
            PropertyKind::Number { .. }
            | PropertyKind::Select { .. }
            | PropertyKind::Date
            | PropertyKind::Url
            | PropertyKind::Email
            | PropertyKind::PhoneNumber
            | PropertyKind::Place
            | PropertyKind::Verification => Ok(Written::Clear),
            PropertyKind::Status { .. } => Ok(default_status(property)),
            _ => Err(ApiError::body(&path, "defined and not null", Some(inner))),
        };
    }
    let string = |most: usize| match inner {
        Value::String(text) => text_limit(&path, text, most)
            .map(|()| Written::Value(PropertyValue::String(text.clone()))),
        other => Err(ApiError::body(&path, "a string or `null`", Some(other))),
    };
    match &property.kind {
        PropertyKind::Title | PropertyKind::RichText => {
            let text = rich::from_json(array()?, &path)?;
            Ok(if text.is_empty() {
                Written::Clear
            } else {
                Written::Value(PropertyValue::Text(text))
            })
        }
        PropertyKind::Number { .. } => match inner {
            Value::Number(number) => Ok(Written::Value(PropertyValue::Number(number.clone()))),
            other => Err(ApiError::body(&path, "a number", Some(other))),
        },
        PropertyKind::Select { .. } | PropertyKind::Status { .. } => {
            one_option(property, &Obj::new(inner, path.clone())?)
        }
        PropertyKind::MultiSelect { .. } => {
            let mut names = Vec::new();
            for (n, item) in array()?.iter().enumerate() {
                match one_option(property, &Obj::new(item, format!("{path}[{n}]"))?)? {
                    Written::OptionNamed(name) if !names.contains(&name) => names.push(name),
                    _ => {}
                }
            }
            Ok(Written::OptionsNamed(names))
        }
        PropertyKind::Date => date(&Obj::new(inner, path.clone())?),
        PropertyKind::People => {
            let people = ids_of(array()?, &path)?;
            if let Some(unknown) = people.iter().find(|id| ws.user_name(id).is_none()) {
                return Err(ApiError::invalid(format!(
                    "User with ID {unknown} does not exist or is not accessible."
                )));
            }
            Ok(Written::Value(PropertyValue::People(people)))
        }
        PropertyKind::Relation { data_source, .. } => {
            let mut targets = ids_of(array()?, &path)?;
            for target in &targets {
                ws.relation_target(target, data_source)?;
            }
            let mut seen = std::collections::HashSet::new();
            targets.retain(|target| seen.insert(target.clone()));
            Ok(if targets.is_empty() {
                Written::Clear
            } else {
                Written::Value(PropertyValue::Relation(targets))
            })
        }
        PropertyKind::Files => files(ws, array()?, &path),
        PropertyKind::Checkbox => match inner {
            Value::Bool(on) => Ok(Written::Value(PropertyValue::Checkbox(*on))),
            other => Err(ApiError::body(&path, "a boolean", Some(other))),
        },
        PropertyKind::Url => string(2000),
        PropertyKind::Email | PropertyKind::PhoneNumber => string(200),
        PropertyKind::Place => Ok(Written::Value(PropertyValue::Raw(inner.clone()))),
        PropertyKind::Verification => verification(ws, &Obj::new(inner, path.clone())?),
        _ => Err(ApiError::invalid(format!("{} cannot be written.", property.name))),
    }
}

fn default_status(property: &Property) -> Written {
    match property.kind.options().and_then(|options| options.first()) {
        Some(first) => Written::OptionNamed(first.name.clone()),
        None => Written::Clear,
    }
}

fn one_option(property: &Property, obj: &Obj<'_>) -> ApiResult<Written> {
    obj.only(&["id", "name", "color", "description"])?;
    let options = property.kind.options().map_or(&[][..], Vec::as_slice);
    if let Some(id) = obj.str("id")? {
        return match options.iter().find(|option| option.id == id) {
            Some(option) => Ok(Written::OptionNamed(option.name.clone())),
            None => Err(ApiError::invalid(format!(
                "Select option with id \"{id}\" does not exist for {}.",
                property.name
            ))),
        };
    }
    let name = obj.need_str("name")?;
    match option_named(options, name) {
        Some(option) => Ok(Written::OptionNamed(option.name.clone())),
        None if matches!(property.kind, PropertyKind::Status { .. }) => Err(ApiError::invalid(
            format!("Invalid status option. Status option \"{name}\" does not exist"),
        )),
        None => check_option_name(name).map(|()| Written::OptionNamed(name.to_owned())),
    }
}

fn ids_of(items: &[Value], path: &str) -> ApiResult<Vec<String>> {
    items
        .iter()
        .enumerate()
        .map(|(n, item)| {
            let obj = Obj::new(item, format!("{path}[{n}]"))?;
            ids::parse_uuid(obj.need_str("id")?)
                .ok_or_else(|| ApiError::body(&obj.at("id"), "a valid uuid", obj.get("id")))
        })
        .collect()
}

fn date(obj: &Obj<'_>) -> ApiResult<Written> {
    obj.only(&["start", "end", "time_zone"])?;
    let start = obj.need_str("start")?;
    let end = obj.str_or_null("end")?;
    let time_zone = obj.str_or_null("time_zone")?;
    for (key, text) in [("start", Some(start)), ("end", end)] {
        let Some(text) = text else { continue };
        let Some(has_offset) = crate::filter::date_shape(text) else {
            return Err(ApiError::body(&obj.at(key), "a valid ISO 8601 date string", obj.get(key)));
        };
        if time_zone.is_some() && has_offset {
            return Err(ApiError::invalid("A date with time_zone must not have a UTC offset."));
        }
    }
    Ok(Written::Value(PropertyValue::Date {
        start: start.to_owned(),
        end: end.map(str::to_owned),
        time_zone: time_zone.map(str::to_owned),
    }))
}

fn verification(ws: &Workspace, obj: &Obj<'_>) -> ApiResult<Written> {
    obj.only(&["state", "date", "verified_by"])?;
    match obj.need_str("state")? {
        "unverified" => Ok(Written::Clear),
        "verified" => Ok(Written::Value(PropertyValue::Raw(json!({
            "state": "verified",
            "verified_by": {"object": "user", "id": ws.bot},
            "date": obj.get("date"),
        })))),
        _ => Err(ApiError::body(
            &obj.at("state"),
            "`\"verified\"` or `\"unverified\"`",
            obj.get("state"),
        )),
    }
}

fn files(ws: &Workspace, items: &[Value], path: &str) -> ApiResult<Written> {
    let mut out = Vec::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        let obj = Obj::new(item, format!("{path}[{n}]"))?;
        if let Some(upload) = obj.obj("file_upload")? {
            let id = crate::api::databases::need_id(&upload, "id")?;
            ws.ready_upload(&id)?;
            out.push(json!({"name": obj.str("name")?, "type": "file", "upload": id}));
            continue;
        }
        let external = obj.need_obj("external")?;
        let url = external.need_str("url")?;
        rich::check_link(url)?;
        out.push(json!({"name": obj.str("name")?.unwrap_or(url), "type": "external", "external": {"url": url}}));
    }
    Ok(Written::Value(PropertyValue::Files(out)))
}

/// The properties of a page as answers carry them, all or only those with these ids or names.
pub(crate) fn page_properties(ws: &Workspace, page: &Page, only: &[String]) -> Value {
    let Some(source) = ws.data_source_of(page) else {
        return json!({"title": {"id": "title", "type": "title", "title": rich::to_json(ws, &page.title)}});
    };
    let mut out = Map::new();
    for property in &source.properties {
        let wanted = only.is_empty()
            || only.iter().any(|key| {
                *key == property.name || *key == property.id || *key == property.encoded_id()
            });
        if wanted && ws.property_visible(property) {
            out.insert(property.name.clone(), property_json(ws, page, property));
        }
    }
    Value::Object(out)
}

fn property_json(ws: &Workspace, page: &Page, property: &Property) -> Value {
    let kind = property.kind.name();
    let mut out = Map::new();
    out.insert("id".to_owned(), Value::String(property.encoded_id()));
    out.insert("type".to_owned(), Value::String(kind.to_owned()));
    let mut payload = payload(ws, page, property);
    if let (PropertyKind::Relation { .. }, Value::Array(references)) =
        (&property.kind, &mut payload)
    {
        let cut = references.len() > MOST_REFERENCES;
        references.truncate(MOST_REFERENCES);
        out.insert("has_more".to_owned(), Value::Bool(cut));
    }
    if let (PropertyKind::Title | PropertyKind::RichText, Value::Array(items)) =
        (&property.kind, &mut payload)
    {
        let mut mentions = 0;
        items.retain(|item| {
            mentions += usize::from(item["type"] == "mention");
            item["type"] != "mention" || mentions <= MOST_REFERENCES
        });
    }
    if let (PropertyKind::People, Value::Array(people)) = (&property.kind, &mut payload) {
        people.truncate(MOST_REFERENCES);
    }
    out.insert(kind.to_owned(), payload);
    Value::Object(out)
}

/// What stands under the name of its type. Relations and people come whole.
pub(crate) fn payload(ws: &Workspace, page: &Page, property: &Property) -> Value {
    let value = page.values.get(&property.id);
    match (&property.kind, value) {
        (PropertyKind::CreatedTime, _) => Value::String(iso(page.created)),
        (PropertyKind::LastEditedTime, _) => Value::String(iso(page.edited)),
        (PropertyKind::CreatedBy, _) => ws.user_json(&page.created_by),
        (PropertyKind::LastEditedBy, _) => ws.user_json(&page.edited_by),
        (
            PropertyKind::Formula { .. } | PropertyKind::Rollup { .. },
            Some(PropertyValue::Raw(value)),
        ) => value.clone(),
        (PropertyKind::Formula { .. }, _) => json!({"type": "string", "string": null}),
        (PropertyKind::Rollup { config }, _) => {
            json!({"type": "array", "array": [], "function": config.get("function")})
        }
        (PropertyKind::Title | PropertyKind::RichText, Some(PropertyValue::Text(text))) => {
            rich::to_json(ws, text)
        }
        (_, Some(PropertyValue::Number(number))) => Value::Number(number.clone()),
        (kind, Some(PropertyValue::Option(id))) => option_json(kind, id).unwrap_or(Value::Null),
        (kind, Some(PropertyValue::Options(ids))) => {
            ids.iter().filter_map(|id| option_json(kind, id)).collect()
        }
        (_, Some(PropertyValue::Date { start, end, time_zone })) => {
            json!({"start": start, "end": end, "time_zone": time_zone})
        }
        (_, Some(PropertyValue::People(people))) => {
            people.iter().map(|id| ws.user_json(id)).collect()
        }
        (_, Some(PropertyValue::Files(files))) => {
            files.iter().map(|file| file_json(ws, file)).collect()
        }
        (_, Some(PropertyValue::Checkbox(on))) => Value::Bool(*on),
        (_, Some(PropertyValue::String(text))) => Value::String(text.clone()),
        (PropertyKind::Relation { .. }, Some(PropertyValue::Relation(targets))) => targets
            .iter()
            .filter(|id| ws.visible(id) && ws.is_live_page(id))
            .map(|id| json!({"id": id}))
            .collect(),
        (PropertyKind::UniqueId { prefix }, Some(PropertyValue::UniqueId(number))) => {
            json!({"prefix": prefix, "number": number})
        }
        (_, Some(PropertyValue::Raw(value))) => value.clone(),
        (kind, _) => empty_payload(kind),
    }
}

/// A file as answers carry it: one that Notion holds has a signed address.
fn file_json(ws: &Workspace, file: &Value) -> Value {
    let Some(path) = file.get("path").and_then(Value::as_str) else { return file.clone() };
    let source = crate::block::MediaSource::Hosted(path.to_owned());
    let url = crate::markdown::render::media_url(&source, ws.signature);
    json!({
        "name": file.get("name"),
        "type": "file",
        "file": {"url": url, "expiry_time": iso(ws.minute())},
    })
}

fn option_json(kind: &PropertyKind, id: &str) -> Option<Value> {
    kind.options()?
        .iter()
        .find(|option| option.id == id)
        .map(crate::schema::SelectOption::to_value_json)
}

fn empty_payload(kind: &PropertyKind) -> Value {
    match kind {
        PropertyKind::Title
        | PropertyKind::RichText
        | PropertyKind::MultiSelect { .. }
        | PropertyKind::People
        | PropertyKind::Files
        | PropertyKind::Relation { .. } => json!([]),
        PropertyKind::Checkbox => Value::Bool(false),
        PropertyKind::Button => json!({}),
        PropertyKind::Verification => {
            json!({"state": "unverified", "verified_by": null, "date": null})
        }
        _ => Value::Null,
    }
}

/// A value as text: what filters and tests compare.
pub(crate) fn value_text(ws: &Workspace, page: &Page, property: &Property) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match page.values.get(&property.id) {
        Some(PropertyValue::Text(text)) => rich::plain_text(ws, text),
        Some(PropertyValue::Number(number)) => number.to_string(),
        Some(PropertyValue::Option(id)) => option_name(&property.kind, id).unwrap_or_default(),
        Some(PropertyValue::Options(ids)) => {
            joined(ids.iter().filter_map(|id| option_name(&property.kind, id)).collect())
        }
        Some(PropertyValue::Date { start, end, .. }) => match end {
            Some(end) => format!("{start}/{end}"),
            None => start.clone(),
        },
        Some(PropertyValue::People(people)) => joined(people.clone()),
        Some(PropertyValue::Files(files)) => joined(
            files.iter().filter_map(|file| Some(file.get("name")?.as_str()?.to_owned())).collect(),
        ),
        Some(PropertyValue::Checkbox(on)) => on.to_string(),
        Some(PropertyValue::String(text)) => text.clone(),
        Some(PropertyValue::Relation(targets)) => joined(targets.clone()),
        Some(PropertyValue::UniqueId(number)) => number.to_string(),
        Some(PropertyValue::Raw(value)) => value.to_string(),
        None => match property.kind {
            PropertyKind::Checkbox => "false".to_owned(),
            _ => String::new(),
        },
    }
}

/// The name of an option by its id.
pub(crate) fn option_name(kind: &PropertyKind, id: &str) -> Option<String> {
    kind.options()?.iter().find(|option| option.id == id).map(|option| option.name.clone())
}
