//! Support for the tests of this module: a kind, its place, and a server that plays a script.

use std::collections::BTreeMap;

use agent_sync_core::kind::{Format, Kind, Property, PropertyType, Source};
use regex::Regex;

use crate::backend::Place;

/// A kind with a property of each type that matters.
pub(super) fn story() -> Kind {
    let property = |name: &str, r#type, source| Property {
        name: name.into(),
        remote_name: name.into(),
        r#type,
        source,
        options: Vec::new(),
        target: None,
        allow_new_options: false,
    };
    let options = [("TO_DO", "To do"), ("DONE", "Done"), ("REVIEW", "Review")];
    Kind {
        name: "story".into(),
        folder: "stories".into(),
        file: "{id}-{slug}.md".into(),
        id_pattern: r"[A-Z]+-\d+".into(),
        file_id: Regex::new(r"^([A-Z]+-\d+)").unwrap(),
        database: "Stories".into(),
        format: Format::Markdown,
        properties: vec![
            property("Title", PropertyType::Title, Source::Heading),
            property("ID", PropertyType::RichText, Source::Id),
            Property {
                options: options.map(|(local, remote)| (local.into(), remote.into())).to_vec(),
                ..property("Status", PropertyType::Select, Source::Section(vec!["State".into()]))
            },
            Property {
                target: Some("plan".into()),
                ..property(
                    "Linked Plans",
                    PropertyType::Relation,
                    Source::References("Linked Plans".into()),
                )
            },
        ],
    }
}

/// Where [`story`] lives.
pub(super) fn place() -> Place {
    let properties =
        [("Title", "title"), ("ID", "a%3Ab"), ("Status", "stat"), ("Linked Plans", "plan")];
    Place {
        database: "dddddddd-dddd-dddd-dddd-dddddddddddd".into(),
        data_source: "11111111-1111-1111-1111-111111111111".into(),
        properties: BTreeMap::from(properties.map(|(name, id)| (name.into(), id.into()))),
    }
}
