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
    let payload = json!([{"name": "scan.pdf", "type": "file", "file": {"url": "https://signed"}}]);
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
    let write = |listed: &People| super::write(&people, value.as_ref(), &Known::default(), listed);
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
    let known =
        Known { options: ["In Progress", "Done"].map(str::to_owned).into(), ..Known::default() };
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
    assert!(message(write(&property(T::MultiSelect), many(101).as_ref())).contains("101 members"));
}

#[test]
fn what_notion_computes_is_read_and_never_written() {
    use PropertyType as T;
    for (r#type, payload, value) in [
        (T::Formula, json!({"type": "number", "number": 8.0}), Some("8")),
        (T::Formula, json!({"type": "boolean", "boolean": false}), Some("false")),
        (T::Formula, json!({"type": "string", "string": null}), None),
        (T::Formula, json!({"type": "date", "date": {"start": "2026-11-22"}}), Some("2026-11-22")),
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
    let object = json!({"relation": [{"id": "0123ABCD456789abcdef0123456789ab"}, {"id": "x"}, {}]});
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
