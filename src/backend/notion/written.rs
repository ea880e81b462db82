//! Property values as requests give them. What Notion would refuse is refused here, with the name of the property,
//! before anything is sent.

use std::collections::BTreeSet;

use agent_sync_core::canonical::{self, Date};
use agent_sync_core::kind::{Property, PropertyType, same_option};
use agent_sync_core::model::Value;
use serde_json::{Value as Json, json};

use super::id::ObjectId;
use super::memory::{Known, People};
use super::values::external_file;
use crate::backend::BackendError;

/// UTF-16 units that one text item may have (request-limits; the unit was measured).
const ITEM_UNITS: usize = 2_000;

/// Members that one array of a request may have (request-limits).
const ARRAY_LIMIT: usize = 100;

/// UTF-16 units of an address of the web, and of an email address or phone number (request-limits).
const URL_UNITS: usize = 2_000;
const SHORT_UNITS: usize = 200;

/// The property object that sets this value, or clears it.
pub(super) fn write(
    property: &Property,
    value: Option<&Value>,
    known: &Known,
    people: &People,
) -> Result<Json, BackendError> {
    use PropertyType as T;
    let payload = match (property.r#type, value) {
        (r#type, _) if r#type.is_read_only() => {
            return Err(rejected(property, "is computed by Notion and cannot be written"));
        }
        (T::Title | T::RichText, None) => json!([]),
        (r#type, None) if r#type.is_set() => members(property, &BTreeSet::new(), known, people)?,
        (T::Checkbox, None) => json!(false),
        (_, None) => Json::Null,
        (r#type, Some(Value::Set(names))) if r#type.is_set() => {
            members(property, names, known, people)?
        }
        (T::Title | T::RichText, Some(Value::Text(text))) => rich_text(property, text)?,
        (T::Select | T::Status, Some(Value::Text(text))) => {
            json!({ "name": option(property, text, known)? })
        }
        (T::Date, Some(Value::Text(text))) => date(property, text)?,
        (T::Number, Some(Value::Text(text))) => number(property, text)?,
        (T::Checkbox, Some(Value::Text(text))) => json!(canonical::checkbox(text) == Some(true)),
        (T::Url, Some(Value::Text(text))) => limited(property, text, URL_UNITS)?,
        (T::Email | T::PhoneNumber, Some(Value::Text(text))) => {
            limited(property, text, SHORT_UNITS)?
        }
        (_, Some(_)) => return Err(rejected(property, "has a value of another type")),
    };
    Ok(json!({ property.r#type.name(): payload }))
}

pub(super) fn rejected(property: &Property, why: &str) -> BackendError {
    BackendError::Rejected { message: format!("Property \"{}\" {why}.", property.name) }
}

/// The whole list of a set: an array replaces what is there. Those that stay keep their order and what Notion
/// knows of them.
fn members(
    property: &Property,
    names: &BTreeSet<String>,
    known: &Known,
    people: &People,
) -> Result<Json, BackendError> {
    if property.r#type == PropertyType::Files
        && known.members.iter().any(|(name, _)| name.starts_with("file:"))
    {
        return Err(rejected(
            property,
            "holds files that were uploaded to Notion, which a write would take away; remove them there or \
             change the links there",
        ));
    }
    if names.len() > ARRAY_LIMIT {
        return Err(rejected(
            property,
            &format!("has {} members, and Notion takes no more than 100 at once", names.len()),
        ));
    }
    let mut left: BTreeSet<&String> = names.iter().collect();
    let mut list = Vec::new();
    for (name, kept) in &known.members {
        if left.remove(name) {
            list.push(kept.clone());
        }
    }
    for name in left {
        list.push(match property.r#type {
            PropertyType::MultiSelect => json!({ "name": option(property, name, known)? }),
            PropertyType::People => json!({ "id": people.id(property, name)? }),
            PropertyType::Files => link(property, name)?,
            _ => {
                let page = ObjectId::parse(name);
                let page = page.ok_or_else(|| rejected(property, "refers to what is no page"))?;
                json!({ "id": page.as_str() })
            }
        });
    }
    Ok(Json::Array(list))
}

/// Notion's name of an option. One that is there in another case is that one.
fn option<'a>(
    property: &'a Property,
    text: &'a str,
    known: &'a Known,
) -> Result<&'a str, BackendError> {
    let wanted = match property.option_of_local(text) {
        Some((_, remote)) => remote,
        None if !property.is_closed() => text,
        None => {
            return Err(rejected(
                property,
                &format!("has the value \"{text}\", which is none of its options"),
            ));
        }
    };
    if let Some(there) = known.options.iter().find(|there| same_option(there, wanted)) {
        return Ok(there);
    }
    if property.r#type == PropertyType::Status && !known.options.is_empty() {
        let there: Vec<&str> = known.options.iter().map(String::as_str).collect();
        return Err(rejected(
            property,
            &format!(
                "has the value \"{wanted}\", which its status in Notion does not have ({}); a page cannot add one, \
                 so add it in Notion",
                there.join(", ")
            ),
        ));
    }
    if wanted.contains(',') {
        return Err(rejected(
            property,
            "has a comma in its value, which no option of Notion may have",
        ));
    }
    if wanted.encode_utf16().count() > 100 {
        return Err(rejected(
            property,
            "has an option longer than the 100 characters that Notion takes",
        ));
    }
    Ok(wanted)
}

fn link(property: &Property, url: &str) -> Result<Json, BackendError> {
    if !canonical::is_web_address(url) {
        return Err(rejected(property, &format!("has \"{url}\", which is no address of the web")));
    }
    limited(property, url, URL_UNITS)?;
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(url);
    let name: String = name.chars().take(100).collect();
    Ok(external_file(&name, url))
}

fn limited(property: &Property, text: &str, most: usize) -> Result<Json, BackendError> {
    let units = text.encode_utf16().count();
    if units > most {
        return Err(rejected(
            property,
            &format!("has {units} characters, and Notion takes no more than {most}"),
        ));
    }
    Ok(json!(text))
}

fn number(property: &Property, text: &str) -> Result<Json, BackendError> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    let number = number.ok_or_else(|| {
        rejected(property, &format!("has the value \"{text}\", which is no number"))
    })?;
    Ok(match text.parse::<i64>() {
        Ok(whole) => json!(whole),
        Err(_) => json!(number),
    })
}

fn date(property: &Property, text: &str) -> Result<Json, BackendError> {
    let date = Date::parse(text)
        .map_err(|why| rejected(property, &format!("has the value \"{text}\", which {why}")))?;
    let (start, end, zone) = date.to_parts();
    Ok(json!({ "start": start, "end": end, "time_zone": zone }))
}

fn rich_text(property: &Property, text: &str) -> Result<Json, BackendError> {
    let items = split(text);
    if items.len() > ARRAY_LIMIT {
        return Err(rejected(property, "is longer than the 200,000 characters that Notion takes"));
    }
    Ok(items.into_iter().map(text_item).collect())
}

/// A rich text item without formatting.
pub(super) fn text_item(text: &str) -> Json {
    json!({ "type": "text", "text": { "content": text } })
}

/// Parts of at most 2,000 UTF-16 units, never split inside a character.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut units) = (0, 0);
    for (at, c) in text.char_indices() {
        if units + c.len_utf16() > ITEM_UNITS {
            parts.push(&text[start..at]);
            (start, units) = (at, 0);
        }
        units += c.len_utf16();
    }
    if start < text.len() {
        parts.push(&text[start..]);
    }
    parts
}

#[cfg(test)]
mod tests;
