//! Property values from Notion's JSON.

use agent_sync_core::canonical::{self, Date};
use agent_sync_core::kind::{Property, PropertyType};
use agent_sync_core::model::Value;
use serde_json::{Value as Json, json};

use super::id::ObjectId;

/// References, people or mentions at which a page object is cut.
const CUT: usize = 25;

/// The value in a property object of a page; `None` when it is unset or of another type.
pub(super) fn read(property: &Property, object: &Json) -> Option<Value> {
    use PropertyType as T;
    let payload = object.get(property.r#type.name())?;
    match property.r#type {
        T::Title | T::RichText => Value::text(&plain_text(payload)),
        T::Select | T::Status => Value::text(spelling(property, payload.get("name")?.as_str()?)),
        T::MultiSelect | T::People | T::Files | T::Relation => {
            Value::set(members(property, payload).into_iter().map(|(member, _)| member))
        }
        T::Checkbox => payload.as_bool()?.then(|| Value::text("true"))?,
        T::Url | T::Email | T::PhoneNumber => Value::text(payload.as_str()?),
        T::Number => Value::text(&canonical::of_number(payload.as_f64()?)),
        T::Date => date(payload),
        T::Formula => Value::text(&computed(payload)?),
        T::Rollup => Value::text(&computed(payload)?),
        T::UniqueId => Value::text(&unique_id(payload)?),
        T::CreatedTime | T::LastEditedTime => time(payload.as_str()?),
        T::CreatedBy | T::LastEditedBy => Value::text(&user_name(payload)?),
    }
}

/// The members of a set in Notion's order: the name in the model, and what a request says to keep it. What has
/// no name in a file is `user:<id>`, `other:<id>` or `file:<name>`; an uploaded file cannot be sent at all.
pub(super) fn members(property: &Property, payload: &Json) -> Vec<(String, Json)> {
    let items = payload.as_array().map(Vec::as_slice).unwrap_or_default();
    let member = |item: &Json| match property.r#type {
        PropertyType::MultiSelect => {
            let name = item.get("name")?.as_str()?;
            Some((spelling(property, name).to_owned(), json!({ "name": name })))
        }
        PropertyType::People => {
            let id = item.get("id")?.as_str()?;
            let is = |name: &str, what: &str| item.get(name).is_some_and(|value| value == what);
            // Bots and groups have no address; of anybody else it cannot be read.
            let nameless = is("type", "bot") || is("object", "group");
            let mark = if nameless { "other" } else { "user" };
            Some((person(item).unwrap_or_else(|| format!("{mark}:{id}")), json!({ "id": id })))
        }
        PropertyType::Files => Some(file(item)),
        PropertyType::Relation => {
            let id = item.get("id")?.as_str()?;
            let id = ObjectId::parse(id).map_or_else(|| id.to_owned(), |id| id.to_string());
            let kept = json!({ "id": id });
            Some((id, kept))
        }
        _ => None,
    };
    items.iter().filter_map(member).collect()
}

/// The file's spelling of an option.
fn spelling<'a>(property: &'a Property, name: &'a str) -> &'a str {
    property.option_of_remote(name).map_or(name, |(local, _)| local)
}

/// The address of a user, where the token may read it.
pub(super) fn person(user: &Json) -> Option<String> {
    canonical::email(user.get("person")?.get("email")?.as_str()?)
}

/// A user for readers: address, else name, else id.
fn user_name(user: &Json) -> Option<String> {
    let text = |name: &str| Some(user.get(name)?.as_str()?.to_owned());
    person(user).or_else(|| text("name")).or_else(|| Some(format!("user:{}", text("id")?)))
}

fn file(item: &Json) -> (String, Json) {
    let name = item.get("name").and_then(Json::as_str).unwrap_or_default();
    match item.get("external").and_then(|external| external.get("url")).and_then(Json::as_str) {
        Some(url) => (url.to_owned(), external_file(name, url)),
        None => (format!("file:{name}"), Json::Null),
    }
}

/// A link to a file as a request gives it.
pub(super) fn external_file(name: &str, url: &str) -> Json {
    json!({ "name": name, "type": "external", "external": { "url": url } })
}

/// A day or time in canonical form; as Notion writes it, where that is no known form.
fn date(payload: &Json) -> Option<Value> {
    let text = |name: &str| payload.get(name).and_then(Json::as_str);
    let start = text("start")?;
    match Date::from_parts(start, text("end"), text("time_zone")) {
        Ok(date) => Value::text(&date.to_string()),
        Err(_) => match text("end") {
            Some(end) => Value::text(&format!("{start}/{end}")),
            None => Value::text(start),
        },
    }
}

fn time(text: &str) -> Option<Value> {
    Value::text(&Date::parse(text).map_or_else(|_| text.to_owned(), |date| date.to_string()))
}

fn unique_id(payload: &Json) -> Option<String> {
    let number = payload.get("number")?.as_u64()?;
    Some(match payload.get("prefix").and_then(Json::as_str).filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix}-{number}"),
        None => number.to_string(),
    })
}

/// What Notion computed, as text: a formula, a rollup, or a value in one.
fn computed(object: &Json) -> Option<String> {
    let r#type = object.get("type")?.as_str()?;
    let payload = object.get(r#type)?;
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    match r#type {
        "array" => {
            let items = payload.as_array()?.iter();
            let parts: Vec<String> =
                items.filter_map(computed).filter(|part| !part.is_empty()).collect();
            Some(parts.join(", "))
        }
        "title" | "rich_text" => Some(plain_text(payload)),
        "number" => payload.as_f64().map(canonical::of_number),
        "boolean" | "checkbox" => payload.as_bool().map(|value| value.to_string()),
        "date" => text(date(payload)),
        "select" | "status" => Some(payload.get("name")?.as_str()?.to_owned()),
        "multi_select" => Some(names(payload, |item| Some(item.get("name")?.as_str()?.to_owned()))),
        "people" => Some(names(payload, user_name)),
        "files" => Some(names(payload, |item| Some(item.get("name")?.as_str()?.to_owned()))),
        "created_by" | "last_edited_by" => user_name(payload),
        "created_time" | "last_edited_time" => text(time(payload.as_str()?)),
        "formula" | "rollup" => computed(payload),
        "unique_id" => unique_id(payload),
        _ => payload.as_str().map(str::to_owned),
    }
}

fn names(payload: &Json, name: impl Fn(&Json) -> Option<String>) -> String {
    let items = payload.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(name).collect::<Vec<_>>().join(", ")
}

/// The text of a rich text array, without its formatting.
pub(super) fn plain_text(items: &Json) -> String {
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            let content = || item.get("text")?.get("content");
            item.get("plain_text").or_else(content)?.as_str()
        })
        .collect()
}

/// Whether a page object may hold only a part of this value: 25 references, people or mentions are all it shows.
pub(super) fn is_cut(property: &Property, object: &Json) -> bool {
    let items = object.get(property.r#type.name()).and_then(Json::as_array);
    let Some(items) = items else { return false };
    match property.r#type {
        PropertyType::Relation => {
            object.get("has_more").and_then(Json::as_bool) == Some(true) || items.len() >= CUT
        }
        PropertyType::People => items.len() >= CUT,
        PropertyType::Title | PropertyType::RichText => {
            items.iter().filter(|item| item.get("type").is_some_and(|t| t == "mention")).count()
                >= CUT
        }
        _ => false,
    }
}
