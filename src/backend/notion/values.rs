//! Property values between Notion's JSON and the model.

use agent_sync_core::kind::{Property, PropertyType};
use agent_sync_core::model::Value;
use serde_json::{Value as Json, json};

use super::id::ObjectId;
use crate::backend::BackendError;

/// UTF-16 units that one text item may have (request-limits; the unit was measured).
const ITEM_UNITS: usize = 2_000;

/// Members that one array of a request may have (request-limits).
const ARRAY_LIMIT: usize = 100;

/// References, or mentions, at which a page object is cut.
const CUT: usize = 25;

/// Name of a type in the API.
pub(super) fn type_name(r#type: PropertyType) -> &'static str {
    match r#type {
        PropertyType::Title => "title",
        PropertyType::RichText => "rich_text",
        PropertyType::Select => "select",
        PropertyType::Date => "date",
        PropertyType::Relation => "relation",
    }
}

/// The value in a property object of a page; `None` when it is unset or of another type.
pub(super) fn read(property: &Property, object: &Json) -> Option<Value> {
    let payload = object.get(type_name(property.r#type))?;
    match property.r#type {
        PropertyType::Title | PropertyType::RichText => Value::text(&plain_text(payload)),
        PropertyType::Select => {
            let name = payload.get("name")?.as_str()?;
            Value::text(property.option_of_remote(name).map_or(name, |(local, _)| local))
        }
        PropertyType::Date => {
            let start = payload.get("start")?.as_str()?;
            match payload.get("end").and_then(Json::as_str) {
                Some(end) => Value::text(&format!("{start}/{end}")),
                None => Value::text(start),
            }
        }
        PropertyType::Relation => Value::set(payload.as_array()?.iter().filter_map(reference)),
    }
}

/// The page that a reference names, in the one form of ids.
fn reference(object: &Json) -> Option<String> {
    let id = object.get("id")?.as_str()?;
    Some(ObjectId::parse(id).map_or_else(|| id.to_owned(), |id| id.to_string()))
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

/// Whether a page object may hold only a part of this value: 25 references or mentions are all it shows.
pub(super) fn is_cut(property: &Property, object: &Json) -> bool {
    let items = object.get(type_name(property.r#type)).and_then(Json::as_array);
    let Some(items) = items else { return false };
    match property.r#type {
        PropertyType::Relation => {
            object.get("has_more").and_then(Json::as_bool) == Some(true) || items.len() >= CUT
        }
        PropertyType::Title | PropertyType::RichText => {
            items.iter().filter(|item| item.get("type").is_some_and(|t| t == "mention")).count()
                >= CUT
        }
        PropertyType::Select | PropertyType::Date => false,
    }
}

/// The property object that sets this value, or clears it.
pub(super) fn write(property: &Property, value: Option<&Value>) -> Result<Json, BackendError> {
    let payload = match (property.r#type, value) {
        (PropertyType::Title | PropertyType::RichText | PropertyType::Relation, None) => json!([]),
        (PropertyType::Select | PropertyType::Date, None) => Json::Null,
        (PropertyType::Title | PropertyType::RichText, Some(Value::Text(text))) => {
            rich_text(property, text)?
        }
        (PropertyType::Select, Some(Value::Text(text))) => {
            json!({ "name": option(property, text)? })
        }
        (PropertyType::Date, Some(Value::Text(text))) => date(property, text)?,
        (PropertyType::Relation, Some(Value::Set(pages))) => {
            if pages.len() > ARRAY_LIMIT {
                return Err(rejected(
                    property,
                    "has more than 100 references, which Notion does not take",
                ));
            }
            let id = |page| {
                ObjectId::parse(page).ok_or_else(|| rejected(property, "refers to what is no page"))
            };
            pages
                .iter()
                .map(|page| Ok(json!({ "id": id(page)?.as_str() })))
                .collect::<Result<_, BackendError>>()?
        }
        (_, Some(_)) => return Err(rejected(property, "has a value of another type")),
    };
    Ok(json!({ type_name(property.r#type): payload }))
}

fn rejected(property: &Property, why: &str) -> BackendError {
    BackendError::Rejected { message: format!("Property \"{}\" {why}.", property.name) }
}

fn option<'a>(property: &'a Property, text: &'a str) -> Result<&'a str, BackendError> {
    match property.option_of_local(text) {
        Some((_, remote)) => Ok(remote),
        None if property.options.is_empty() || property.allow_new_options => {
            if text.contains(',') {
                return Err(rejected(
                    property,
                    "has a comma in its value, which no option of Notion may have",
                ));
            }
            Ok(text)
        }
        None => Err(rejected(
            property,
            &format!("has the value \"{text}\", which is none of its options"),
        )),
    }
}

/// A day, a time, or two of them with a slash between.
fn date(property: &Property, text: &str) -> Result<Json, BackendError> {
    let (start, end) = match text.split_once('/') {
        Some((start, end)) => (start, Some(end)),
        None => (text, None),
    };
    let is_date = |text: &str| match text.contains('T') {
        // Without an offset, or with one.
        true => {
            text.parse::<jiff::civil::DateTime>().is_ok() || text.parse::<jiff::Timestamp>().is_ok()
        }
        false => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
    };
    if !is_date(start) || end.is_some_and(|end| !is_date(end)) {
        return Err(rejected(
            property,
            &format!("has the value \"{text}\", which is no day as YYYY-MM-DD"),
        ));
    }
    Ok(json!({ "start": start, "end": end }))
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
mod tests {
    use agent_sync_core::kind::Source;
    use proptest::prelude::*;

    use super::*;

    fn property(r#type: PropertyType) -> Property {
        Property {
            name: "P".into(),
            remote_name: "Remote P".into(),
            r#type,
            source: Source::Key("p".into()),
            options: Vec::new(),
            target: None,
            allow_new_options: false,
        }
    }

    fn status() -> Property {
        let options = vec![("TO_DO".into(), "To do".into()), ("DONE".into(), "Done".into())];
        Property { options, ..property(PropertyType::Select) }
    }

    fn text(text: &str) -> Option<Value> {
        Some(Value::Text(text.into()))
    }

    fn message(result: Result<Json, BackendError>) -> String {
        match result {
            Err(BackendError::Rejected { message }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_mapped_both_ways_without_regard_to_case() {
        let status = status();
        assert_eq!(read(&status, &json!({"select": {"name": "to DO"}})), text("TO_DO"));
        assert_eq!(read(&status, &json!({"select": {"name": "Icebox"}})), text("Icebox"));
        assert_eq!(
            write(&status, text("to_do").as_ref()).unwrap(),
            json!({"select": {"name": "To do"}})
        );
    }

    #[test]
    fn no_option_is_created_that_nobody_configured() {
        assert!(message(write(&status(), text("ICEBOX").as_ref())).contains("ICEBOX"));
        let free = Property { allow_new_options: true, ..status() };
        assert_eq!(
            write(&free, text("ICEBOX").as_ref()).unwrap(),
            json!({"select": {"name": "ICEBOX"}})
        );
        assert!(message(write(&free, text("a, b").as_ref())).contains("comma"));
    }

    #[test]
    fn unset_values_are_absent_and_are_cleared_by_type() {
        for (r#type, empty) in [
            (PropertyType::Title, json!({"title": []})),
            (PropertyType::RichText, json!({"rich_text": []})),
            (PropertyType::Select, json!({"select": null})),
            (PropertyType::Date, json!({"date": null})),
            (PropertyType::Relation, json!({"relation": []})),
        ] {
            let property = property(r#type);
            assert_eq!(write(&property, None).unwrap(), empty);
            assert_eq!(read(&property, &empty), None);
        }
    }

    #[test]
    fn a_value_of_another_type_in_notion_is_absent() {
        assert_eq!(read(&status(), &json!({"type": "number", "number": 4})), None);
        assert_eq!(read(&property(PropertyType::Title), &json!({"title": "x"})), None);
    }

    #[test]
    fn dates_keep_times_and_ends() {
        let date = property(PropertyType::Date);
        for (value, json) in [
            ("2026-11-22", json!({"start": "2026-11-22", "end": null})),
            ("2026-11-22/2026-11-24", json!({"start": "2026-11-22", "end": "2026-11-24"})),
            (
                "2026-11-22T10:00:00.000+02:00",
                json!({"start": "2026-11-22T10:00:00.000+02:00", "end": null}),
            ),
        ] {
            let json = json!({ "date": json });
            assert_eq!(read(&date, &json), text(value));
            assert_eq!(write(&date, text(value).as_ref()).unwrap(), json);
        }
        for wrong in ["tomorrow", "2026-13-01", "20261122", "2026-11-22/", "22.11.2026"] {
            assert!(message(write(&date, text(wrong).as_ref())).contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn references_have_one_form_and_a_limit() {
        let relation = property(PropertyType::Relation);
        let object =
            json!({"relation": [{"id": "0123ABCD456789abcdef0123456789ab"}, {"id": "x"}, {}]});
        let expected = Value::set(["0123abcd-4567-89ab-cdef-0123456789ab", "x"]);
        assert_eq!(read(&relation, &object), expected);
        assert!(message(write(&relation, expected.as_ref())).contains("no page"));
        let pages = |count| Value::set((0..count).map(|n| format!("{n:032x}")));
        assert!(write(&relation, pages(100).as_ref()).is_ok());
        assert!(message(write(&relation, pages(101).as_ref())).contains("100"));
    }

    #[test]
    fn a_cut_list_is_known_by_its_flag_or_its_length() {
        let relation = property(PropertyType::Relation);
        let refs = |n: usize| vec![json!({"id": "x"}); n];
        assert!(is_cut(&relation, &json!({"relation": refs(3), "has_more": true})));
        assert!(is_cut(&relation, &json!({"relation": refs(25)})));
        assert!(!is_cut(&relation, &json!({"relation": refs(24), "has_more": false})));
        let title = property(PropertyType::Title);
        assert!(is_cut(&title, &json!({"title": vec![json!({"type": "mention"}); 25]})));
        assert!(!is_cut(&title, &json!({"title": vec![json!({"type": "text"}); 40]})));
    }

    #[test]
    fn text_longer_than_a_property_is_rejected_before_it_is_sent() {
        let property = property(PropertyType::RichText);
        let fits = "a".repeat(ITEM_UNITS * ARRAY_LIMIT);
        assert!(write(&property, text(&fits).as_ref()).is_ok());
        assert!(message(write(&property, text(&(fits + "a")).as_ref())).contains("200,000"));
    }

    proptest! {
        #[test]
        fn split_text_joins_to_itself_in_items_of_2000_utf16_units(
            text in proptest::collection::vec("[a-z😀é]{0,3000}", 0..3)
        ) {
            let text = text.concat();
            let parts = split(&text);
            prop_assert_eq!(parts.concat(), text.as_str());
            for (n, part) in parts.iter().enumerate() {
                let units = part.encode_utf16().count();
                prop_assert!(units > 0 && units <= ITEM_UNITS);
                // Only a pair that would not fit leaves a unit over.
                prop_assert!(n + 1 == parts.len() || units >= ITEM_UNITS - 1);
            }
        }
    }
}
