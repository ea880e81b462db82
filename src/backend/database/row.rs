//! Between rows and pages: values in columns and JSON, and the clocks of rows.

use std::collections::BTreeMap;

use agent_sync_core::canonical::{self, Date};
use agent_sync_core::kind::{Kind, Property, PropertyType, Source};
use agent_sync_core::model::{Properties, Value};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::engine::Row;
use crate::backend::{Life, RemotePage};

/// Who our writes are by.
pub(super) const AUTHOR: &str = "agent-sync";

/// Seconds that one version of a row takes on the clock that the engine sees. Two minutes: what is one version later is
/// never taken for the same minute or the next one (rule 6).
const STEP: i64 = 120;

/// A version of a row as a time. Versions do not lie and are not cut, so the minutes of rule 6 hold exactly.
pub(super) fn time(version: i64) -> Timestamp {
    Timestamp::from_second(version.saturating_mul(STEP)).unwrap_or(Timestamp::MAX)
}

/// A change number as a time on the clock of listings: a second each. The engine asks again for what was two minutes
/// before its cursor, which is a handful of rows here.
pub(super) fn moment(change: i64) -> Timestamp {
    Timestamp::from_second(change).unwrap_or(Timestamp::MAX)
}

/// The last change number before a time.
pub(super) fn before(time: Timestamp) -> i64 {
    time.as_second() - 1
}

/// Where a property's value is.
enum Home {
    Title,
    Status,
    Json,
}

fn home(kind: &Kind, property: &Property) -> Home {
    let is_status = |property: &&Property| match property.r#type {
        PropertyType::Status => true,
        PropertyType::Select => {
            ["status", "state"].contains(&property.name.to_lowercase().as_str())
        }
        _ => false,
    };
    if property.r#type == PropertyType::Title {
        Home::Title
    } else if kind.properties.iter().find(is_status).is_some_and(|p| p.name == property.name) {
        Home::Status
    } else {
        Home::Json
    }
}

/// Finds the rows that references name, both ways.
pub(super) struct Targets<'a> {
    pub(super) uids: &'a BTreeMap<(String, String), String>,
    pub(super) names: &'a BTreeMap<String, (String, String)>,
}

/// Before the id of a reference to an artifact that has no row.
const NO_ROW: &str = "no-row:";

/// The row as a page. A row that breaks a rule says so.
pub(super) fn page(backend: &str, kind: &Kind, row: &Row, targets: &Targets<'_>) -> RemotePage {
    let mut broken = None;
    let json = match row.properties.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        None => Map::new(),
        Some(text) => match serde_json::from_str::<Json>(text) {
            Ok(Json::Object(map)) => map,
            Ok(Json::Null) => Map::new(),
            Ok(_) => {
                broken = Some("its properties are JSON, but no object".to_owned());
                Map::new()
            }
            Err(error) => {
                broken = Some(format!("its properties are no JSON ({error})"));
                Map::new()
            }
        },
    };
    let mut properties = Properties::new();
    for property in kind.properties.iter().filter(|p| p.source != Source::Id) {
        if property.r#type.is_read_only() {
            continue;
        }
        let found = match home(kind, property) {
            Home::Title => row.title.clone().map(Json::String),
            Home::Status => row.status.clone().map(Json::String),
            Home::Json => json.get(&property.name).cloned(),
        };
        match found.map_or(Ok(None), |json| value(kind, property, &json, targets)) {
            Ok(Some(value)) => {
                properties.insert(property.name.clone(), value);
            }
            Ok(None) => {}
            Err(reason) => {
                broken.get_or_insert(format!("its property {} {reason}", property.name));
            }
        }
    }
    RemotePage {
        page: row.uid.clone(),
        url: format!("{backend}:artifacts/{}", row.uid),
        id: row.id.clone().filter(|id| !id.trim().is_empty()),
        properties,
        edited: time(row.body_version),
        edited_at: Timestamp::from_microsecond(row.updated).ok(),
        edited_by: row.author.clone(),
        created: time(1),
        created_by: None,
        life: if row.deleted { Life::Trashed } else { Life::Alive },
        broken,
    }
}

fn value(
    kind: &Kind,
    property: &Property,
    json: &Json,
    targets: &Targets<'_>,
) -> Result<Option<Value>, &'static str> {
    let plain = |json: &Json| match json {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(is) => Ok(is.to_string()),
        _ => Err("is neither a text nor a list of texts"),
    };
    if *json == Json::Null {
        return Ok(None);
    }
    let option = |text: String| match property.option_of_local(&text) {
        Some((local, _)) => local.clone(),
        None => text,
    };
    if !property.r#type.is_set() {
        let text = plain(json)?;
        let text = match property.r#type {
            PropertyType::Number => canonical::number(&text).unwrap_or(text),
            PropertyType::Checkbox => match canonical::checkbox(&text) {
                Some(true) => "true".to_owned(),
                Some(false) => return Ok(None),
                None => text,
            },
            PropertyType::Date => Date::parse(&text).map_or(text, |date| date.to_string()),
            PropertyType::Select | PropertyType::Status => option(text),
            _ => text,
        };
        return Ok(Value::text(&text));
    }
    let items = match json {
        Json::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let target = property.target.as_deref().unwrap_or(&kind.name);
    let mut members = Vec::new();
    for item in items {
        let text = plain(item)?;
        members.push(match property.r#type {
            PropertyType::Relation => {
                let key = (target.to_owned(), text);
                match targets.uids.get(&key) {
                    Some(uid) => uid.clone(),
                    None => format!("{NO_ROW}{}", key.1),
                }
            }
            PropertyType::People => canonical::email(&text).unwrap_or(text),
            PropertyType::MultiSelect => option(text),
            _ => text,
        });
    }
    Ok(Value::set(members))
}

/// Puts values into a row; what the configuration does not name stays.
pub(super) fn set<'v>(
    kind: &Kind,
    row: &mut Row,
    values: impl Iterator<Item = (&'v String, Option<&'v Value>)>,
    targets: &Targets<'_>,
) {
    let json = row.properties.as_deref().and_then(|text| serde_json::from_str::<Json>(text).ok());
    let mut map = match json {
        Some(Json::Object(map)) => map,
        _ => Map::new(),
    };
    let before = map.clone();
    for (name, value) in values {
        let Some(property) = kind.property(name) else { continue };
        if property.source == Source::Id {
            row.id = value.map(Value::to_string);
            continue;
        }
        match home(kind, property) {
            Home::Title => row.title = value.map(Value::to_string),
            Home::Status => row.status = value.map(Value::to_string),
            Home::Json => {
                let json = value.map(|value| match value {
                    Value::Text(text) => Json::String(text.clone()),
                    Value::Set(members) => {
                        members.iter().map(|m| member(property, m, targets)).collect()
                    }
                });
                match json {
                    Some(json) => drop(map.insert(name.clone(), json)),
                    None => drop(map.shift_remove(name)),
                }
            }
        }
    }
    // What means the same is not written again.
    if map != before || row.properties.is_none() {
        row.properties = Some(Json::Object(map).to_string());
    }
}

fn member(property: &Property, member: &str, targets: &Targets<'_>) -> Json {
    let id = match property.r#type {
        PropertyType::Relation => member
            .strip_prefix(NO_ROW)
            .or_else(|| targets.names.get(member).map(|(_, id)| id.as_str()))
            .unwrap_or(member),
        _ => member,
    };
    Json::String(id.to_owned())
}
