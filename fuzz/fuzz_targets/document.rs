//! Setting a property of any file: either refused, or the file then holds exactly that value, every other property
//! keeps its own, and the edits are disjoint.
#![no_main]

use agent_sync_core::document::{parse, set};
use agent_sync_core::kind::{Format, Kind, Property, PropertyType, Rename, Source};
use agent_sync_core::markdown::apply_edits;
use agent_sync_core::model::Value;
use libfuzzer_sys::fuzz_target;

fn property(name: &str, r#type: PropertyType, source: Source) -> Property {
    Property {
        name: name.to_owned(),
        remote_name: name.to_owned(),
        r#type,
        source,
        options: Vec::new(),
        target: None,
        allow_new_options: false,
    }
}

fn kind() -> Kind {
    let section = |name: &str| Source::Section(vec![name.to_owned()]);
    let key = |name: &str| Source::Key(name.to_owned());
    Kind {
        name: "story".to_owned(),
        folder: "stories".to_owned(),
        file: "{id}-{slug}.md".to_owned(),
        id_pattern: r"[A-Z]+-\d+".to_owned(),
        file_id: regex::Regex::new(r"^([A-Z]+-\d+)(?:[-_. ]|$)").expect("a valid pattern"),
        database: "Stories".to_owned(),
        format: Format::Markdown,
        rename: Rename::Keep,
        properties: vec![
            property("Title", PropertyType::Title, Source::Heading),
            property("ID", PropertyType::RichText, Source::Id),
            property("Status", PropertyType::Select, section("State")),
            property("Goal", PropertyType::RichText, section("Goal")),
            property("Note", PropertyType::RichText, key("note")),
            property("Date", PropertyType::Date, key("date")),
            property(
                "Plans",
                PropertyType::Relation,
                Source::References("Linked Plans".to_owned()),
            ),
        ],
    }
}

fuzz_target!(|input: (u8, &str, &str)| {
    let (which, text, value) = input;
    let kind = kind();
    let before = parse(&kind, "A-1", "", text);
    let names = ["Title", "Status", "Goal", "Note", "Date", "Plans"];
    let name = names[usize::from(which) % names.len()];
    let value = match name {
        "Plans" => Value::set(value.split_whitespace()),
        _ => Value::text(value),
    };
    let Ok(edits) = set(&kind, "A-1", text, name, value.as_ref()) else { return };
    let mut end = 0;
    for edit in &edits {
        assert!(edit.at.start >= end && text.get(edit.at.clone()).is_some(), "{edits:?}");
        end = edit.at.end;
    }
    let after = apply_edits(text, &edits);
    let now = parse(&kind, "A-1", "", &after).properties();
    for (other, held) in before.properties() {
        if other != name {
            assert_eq!(now.get(&other), Some(&held), "{other} of {after}");
        }
    }
    // Once set, setting it again is nothing.
    let again = set(&kind, "A-1", &after, name, value.as_ref());
    assert_eq!(again.as_deref(), Ok([].as_slice()), "{after}");
});
