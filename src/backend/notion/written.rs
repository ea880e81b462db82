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
mod tests {
    use agent_sync_core::kind::Source;
    use proptest::prelude::*;

    use super::super::values::{is_cut, members, read};
    use super::*;

    /// As on a page of which nothing is known.
    fn write(property: &Property, value: Option<&Value>) -> Result<Json, BackendError> {
        super::write(property, value, &Known::default(), &People::Unasked)
    }

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
    fn dates_keep_times_ends_and_zones() {
        let date = property(PropertyType::Date);
        for (value, answer, request) in [
            (
                "2026-11-22",
                json!({"start": "2026-11-22", "end": null, "time_zone": null}),
                json!({"start": "2026-11-22", "end": null, "time_zone": null}),
            ),
            (
                "2026-11-22/2026-11-24",
                json!({"start": "2026-11-22", "end": "2026-11-24"}),
                json!({"start": "2026-11-22", "end": "2026-11-24", "time_zone": null}),
            ),
            (
                "2026-11-22T08:00:00Z",
                json!({"start": "2026-11-22T10:00:00.000+02:00", "end": null}),
                json!({"start": "2026-11-22T08:00:00Z", "end": null, "time_zone": null}),
            ),
            (
                "2026-11-22T10:00:00[Europe/Berlin]",
                json!({"start": "2026-11-22T10:00:00.000+01:00", "end": null, "time_zone": "Europe/Berlin"}),
                json!({"start": "2026-11-22T10:00:00", "end": null, "time_zone": "Europe/Berlin"}),
            ),
        ] {
            assert_eq!(read(&date, &json!({ "date": answer })), text(value));
            assert_eq!(write(&date, text(value).as_ref()).unwrap(), json!({ "date": request }));
        }
        for wrong in ["tomorrow", "2026-13-01", "20261122", "2026-11-22/", "22.11.2026"] {
            assert!(message(write(&date, text(wrong).as_ref())).contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn every_type_is_written_as_it_is_read() {
        use PropertyType as T;
        for (r#type, payload, value) in [
            (T::Number, json!(8), "8"),
            (T::Number, json!(-0.25), "-0.25"),
            (T::Checkbox, json!(true), "true"),
            (T::Url, json!("https://example.com"), "https://example.com"),
            (T::Email, json!("Ada@example.com"), "Ada@example.com"),
            (T::PhoneNumber, json!("+1 555"), "+1 555"),
            (T::Status, json!({"name": "Open"}), "Open"),
        ] {
            let object = json!({ r#type.name(): payload });
            assert_eq!(read(&property(r#type), &object), text(value));
            assert_eq!(write(&property(r#type), text(value).as_ref()).unwrap(), object);
        }
        let whole = write(&property(T::Number), text("8").as_ref()).unwrap();
        assert_eq!(whole.to_string(), "{\"number\":8}");
        assert_eq!(read(&property(T::Number), &json!({"number": 8.0})), text("8"));
        assert_eq!(read(&property(T::Checkbox), &json!({"checkbox": false})), None);
        assert_eq!(write(&property(T::Checkbox), None).unwrap(), json!({"checkbox": false}));
        for r#type in [T::Number, T::Url, T::Email, T::PhoneNumber, T::Status] {
            assert_eq!(write(&property(r#type), None).unwrap(), json!({ r#type.name(): null }));
        }
    }

    #[test]
    fn sets_keep_notions_order_and_what_it_knows_of_a_member() {
        let tags = property(PropertyType::MultiSelect);
        let people = property(PropertyType::People);
        let files = property(PropertyType::Files);
        for (property, payload, value, request) in [
            (
                &tags,
                json!([{"id": "1", "name": "z", "color": "red"}, {"id": "2", "name": "a", "color": "blue"}]),
                Value::set(["a", "b", "z"]),
                json!([{"name": "z"}, {"name": "a"}, {"name": "b"}]),
            ),
            (
                &people,
                json!([{"id": "2", "object": "user"}, {"id": "1", "person": {"email": "Ada@example.com"}}]),
                Value::set(["ada@example.com", "user:2"]),
                json!([{"id": "2"}, {"id": "1"}]),
            ),
            (
                &files,
                json!([{"name": "Plan", "type": "external", "external": {"url": "https://x.example/1"}}]),
                Value::set(["https://x.example/1", "https://x.example/a/b.pdf?x=1"]),
                json!([
                    {"name": "Plan", "type": "external", "external": {"url": "https://x.example/1"}},
                    {"name": "b.pdf", "type": "external", "external": {"url": "https://x.example/a/b.pdf?x=1"}},
                ]),
            ),
        ] {
            let known = Known { members: members(property, &payload), ..Known::default() };
            let written = super::write(property, value.as_ref(), &known, &People::Unasked).unwrap();
            assert_eq!(written, json!({ property.r#type.name(): request }));
        }
    }

    #[test]
    fn uploaded_files_are_never_written_away() {
        let files = property(PropertyType::Files);
        let payload =
            json!([{"name": "scan.pdf", "type": "file", "file": {"url": "https://signed"}}]);
        assert_eq!(read(&files, &json!({ "files": payload })), Value::set(["file:scan.pdf"]));
        let known = Known { members: members(&files, &payload), ..Known::default() };
        for value in [None, Value::set(["https://x.example/1"]), Value::set(["file:scan.pdf"])] {
            let refused = super::write(&files, value.as_ref(), &known, &People::Unasked);
            assert!(message(refused).contains("uploaded"));
        }
    }

    #[test]
    fn people_are_found_by_address_or_the_reason_is_named() {
        let people = property(PropertyType::People);
        let value = Value::set(["ada@example.com"]);
        let write =
            |listed: &People| super::write(&people, value.as_ref(), &Known::default(), listed);
        let ids = |email: &str| People::Listed([(email.to_owned(), "1".to_owned())].into());
        assert_eq!(write(&ids("ada@example.com")).unwrap(), json!({"people": [{"id": "1"}]}));
        assert!(message(write(&ids("bob@example.com"))).contains("ada@example.com"));
        for listed in [People::Refused, People::Listed([].into())] {
            assert!(
                message(write(&listed)).contains("Read user information including email addresses")
            );
        }
    }

    #[test]
    fn an_option_is_the_one_that_is_there_in_another_case() {
        let known = Known {
            options: ["In Progress", "Done"].map(str::to_owned).into(),
            ..Known::default()
        };
        let write = |r#type, name: &str| {
            super::write(&property(r#type), text(name).as_ref(), &known, &People::Unasked)
        };
        let status = write(PropertyType::Status, "in progress").unwrap();
        assert_eq!(status, json!({"status": {"name": "In Progress"}}));
        let refused = message(write(PropertyType::Status, "Planned"));
        assert!(refused.contains("Planned") && refused.contains("Done, In Progress"), "{refused}");
        let new = write(PropertyType::Select, "Planned").unwrap();
        assert_eq!(new, json!({"select": {"name": "Planned"}}));
    }

    #[test]
    fn what_is_too_long_is_refused_with_its_property() {
        use PropertyType as T;
        let long = |r#type, units: usize| {
            write(&property(r#type), text(&format!("{}😀", "a".repeat(units - 2))).as_ref())
        };
        for (r#type, most) in [(T::Email, 200), (T::PhoneNumber, 200), (T::Url, 2000)] {
            assert!(long(r#type, most).is_ok());
            let refused = message(long(r#type, most + 1));
            assert!(refused.starts_with("Property \"P\"") && refused.contains(&most.to_string()));
        }
        assert!(message(write(&property(T::Number), text("x").as_ref())).contains('x'));
        let many = |count| Value::set((0..count).map(|n| format!("o{n}")));
        assert!(write(&property(T::MultiSelect), many(100).as_ref()).is_ok());
        assert!(
            message(write(&property(T::MultiSelect), many(101).as_ref())).contains("101 members")
        );
    }

    #[test]
    fn what_notion_computes_is_read_and_never_written() {
        use PropertyType as T;
        for (r#type, payload, value) in [
            (T::Formula, json!({"type": "number", "number": 8.0}), Some("8")),
            (T::Formula, json!({"type": "boolean", "boolean": false}), Some("false")),
            (T::Formula, json!({"type": "string", "string": null}), None),
            (
                T::Formula,
                json!({"type": "date", "date": {"start": "2026-11-22"}}),
                Some("2026-11-22"),
            ),
            (T::Formula, json!({"type": "unsupported", "unsupported": {}}), None),
            (T::Rollup, json!({"type": "number", "number": 3, "function": "sum"}), Some("3")),
            (
                T::Rollup,
                json!({"type": "array", "array": [
                    {"type": "title", "title": [{"plain_text": "One"}]},
                    {"type": "select", "select": null}, {"type": "number", "number": 2}]}),
                Some("One, 2"),
            ),
            (T::UniqueId, json!({"prefix": "TASK", "number": 42}), Some("TASK-42")),
            (T::UniqueId, json!({"prefix": null, "number": 42}), Some("42")),
            (T::CreatedTime, json!("2026-11-20T10:00:00.000Z"), Some("2026-11-20T10:00:00Z")),
            (
                T::CreatedBy,
                json!({"id": "1", "name": "Ada", "person": {"email": "a@x.y"}}),
                Some("a@x.y"),
            ),
            (T::LastEditedBy, json!({"id": "1", "name": "A bot", "bot": {}}), Some("A bot")),
            (T::LastEditedBy, json!({"id": "1", "object": "user"}), Some("user:1")),
        ] {
            let property = property(r#type);
            assert_eq!(read(&property, &json!({ r#type.name(): payload })), value.and_then(text));
            assert!(message(write(&property, text("x").as_ref())).contains("computed"));
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
        assert!(message(write(&relation, pages(101).as_ref())).contains("101 members"));
    }

    #[test]
    fn a_cut_list_is_known_by_its_flag_or_its_length() {
        let relation = property(PropertyType::Relation);
        let refs = |n: usize| vec![json!({"id": "x"}); n];
        assert!(is_cut(&relation, &json!({"relation": refs(3), "has_more": true})));
        assert!(is_cut(&relation, &json!({"relation": refs(25)})));
        assert!(!is_cut(&relation, &json!({"relation": refs(24), "has_more": false})));
        let people = property(PropertyType::People);
        assert!(is_cut(&people, &json!({"people": refs(25)})));
        assert!(!is_cut(&people, &json!({"people": refs(24)})));
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
