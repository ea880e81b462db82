use std::collections::BTreeMap;

use regex::Regex;

use super::super::{ColumnDesign, Design, Layout, usual_views};
use super::*;
use crate::kind::{Format, Kind, Property, Rename, Source};

fn property(name: &str, r#type: PropertyType, source: Source) -> Property {
    Property {
        name: name.into(),
        remote_name: name.into(),
        r#type,
        source,
        options: Vec::new(),
        target: None,
        allow_new_options: false,
    }
}

fn story() -> Kind {
    let option = |name: &str| (name.to_owned(), name.to_owned());
    Kind {
        name: "story".into(),
        folder: "stories".into(),
        file: "{id}.md".into(),
        id_pattern: r"[A-Z]+-\d+".into(),
        file_id: Regex::new(r"^([A-Z]+-\d+)").unwrap(),
        rename: Rename::Keep,
        database: "Stories".into(),
        format: Format::Markdown,
        properties: vec![
            property("Title", PropertyType::Title, Source::Heading),
            property("ID", PropertyType::RichText, Source::Id),
            Property {
                options: vec![option("DRAFT"), option("DONE")],
                ..property("Status", PropertyType::Select, Source::Section(vec!["State".into()]))
            },
            Property {
                target: Some("plan".into()),
                ..property("Plans", PropertyType::Relation, Source::References("Plans".into()))
            },
        ],
    }
}

fn column(id: &str, name: &str, r#type: &str) -> ObservedColumn {
    ObservedColumn {
        id: id.into(),
        name: name.into(),
        r#type: r#type.into(),
        ..ObservedColumn::default()
    }
}

/// A table that is as it should be.
fn sound() -> Observed {
    let options = ["draft", "DONE", "Theirs"].map(str::to_owned).to_vec();
    Observed {
        columns: vec![
            column("title", "Name", "title"),
            column("a", "ID", "rich_text"),
            ObservedColumn { options, ..column("s", "Status", "select") },
            ObservedColumn { target: Some("p".into()), ..column("r", "Plans", "relation") },
            column("x", "Theirs", "people"),
        ],
        ..Observed::default()
    }
}

#[derive(Default)]
struct Known {
    columns: BTreeMap<String, String>,
    views: BTreeMap<String, String>,
    descriptions: BTreeMap<String, String>,
}

fn text(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn planned(design: &Design, known: &Known, observed: Option<&Observed>) -> Vec<Change> {
    let tables = text(&[("plan", "p")]);
    let memory = Memory {
        columns: &known.columns,
        views: &known.views,
        descriptions: &known.descriptions,
        tables: &tables,
    };
    plan(&Table::of(&story(), design), memory, observed)
}

fn plain(observed: &Observed) -> Vec<Change> {
    planned(&Design::default(), &Known::default(), Some(observed))
}

fn obstacles(changes: &[Change]) -> Vec<&Obstacle> {
    changes
        .iter()
        .filter_map(|change| match change {
            Change::Obstacle { obstacle, .. } => Some(obstacle),
            _ => None,
        })
        .collect()
}

#[test]
fn a_sound_table_needs_nothing() {
    assert_eq!(plain(&sound()), []);
}

#[test]
fn a_table_that_is_not_there_is_made_with_its_views() {
    let design = Design { views: usual_views(&story()), ..Design::default() };
    let changes = planned(&design, &Known::default(), None);
    let words: Vec<_> = changes.iter().map(Change::words).collect();
    assert_eq!(words[0], (Verb::Create, What::Database));
    assert_eq!(words[1..], [(Verb::Create, What::View); 3]);
    let layouts: Vec<_> = design.views.iter().map(|view| view.layout.clone()).collect();
    assert_eq!(
        layouts,
        [
            Layout::Table { group_by: Some("ID".into()) },
            Layout::Board { group_by: "Status".into() },
            Layout::List { edited_within: Some(14) }
        ]
    );
}

#[test]
fn a_renamed_column_is_followed_by_its_id_and_a_missing_one_added() {
    let mut observed = sound();
    observed.columns[2].name = "Stage".into();
    let known = Known { columns: text(&[("Status", "s")]), ..Known::default() };
    assert_eq!(planned(&Design::default(), &known, Some(&observed)), []);
    // Without the memory the name decides.
    let changes = plain(&observed);
    assert!(
        matches!(&changes[..], [Change::AddColumn { column, lost: false }] if column.name == "Status")
    );
    observed.columns.remove(2);
    let changes = planned(&Design::default(), &known, Some(&observed));
    assert_eq!(changes[0].words(), (Verb::Repair, What::Property), "{changes:?}");
}

#[test]
fn options_are_added_without_regard_to_case_and_never_taken_away() {
    let mut observed = sound();
    observed.columns[2].options.remove(1);
    let changes = plain(&observed);
    assert!(
        matches!(&changes[..], [Change::AddOptions { id, missing, .. }]
            if id == "s" && missing.len() == 1 && missing[0].name == "DONE"),
        "{changes:?}"
    );
    // A list that is too long for a request is a person's.
    observed.columns[2].options = (0..OPTION_LIMIT).map(|n| format!("o{n}")).collect();
    let all = Obstacle::TooManyOptions { missing: vec!["DRAFT".into(), "DONE".into()] };
    assert_eq!(obstacles(&plain(&observed)), [&all]);
}

#[test]
fn what_would_cost_values_is_an_obstacle() {
    let mut observed = sound();
    observed.columns[2].r#type = "number".into();
    observed.columns[3].target = Some("elsewhere".into());
    let wrong = Obstacle::WrongType { found: "number".into(), wanted: PropertyType::Select };
    let changes = plain(&observed);
    assert_eq!(obstacles(&changes), [&wrong, &Obstacle::WrongTarget { target: "plan".into() }]);
    assert_eq!(changes.len(), 2);
}

#[test]
fn a_relation_without_a_known_target_waits_and_one_side_is_not_turned_into_two() {
    let mut observed = sound();
    let look = ColumnDesign { two_way: Some("Stories".into()), ..ColumnDesign::default() };
    let mut design = Design::default();
    design.columns.insert("Plans".into(), look);
    let changes = planned(&design, &Known::default(), Some(&observed));
    assert_eq!(obstacles(&changes), [&Obstacle::OneSided]);
    observed.columns[3].two_way = true;
    assert_eq!(planned(&design, &Known::default(), Some(&observed)), []);
    observed.columns.remove(3);
    let none = BTreeMap::new();
    let memory = Memory { columns: &none, views: &none, descriptions: &none, tables: &none };
    let changes = plan(&Table::of(&story(), &design), memory, Some(&observed));
    assert_eq!(obstacles(&changes), [&Obstacle::NoTarget { target: "plan".into() }]);
    // One that is still to be made is a target all the same, and no reason to doubt what is there.
    let coming = text(&[("plan", "")]);
    let memory = Memory { tables: &coming, ..memory };
    let changes = plan(&Table::of(&story(), &design), memory, Some(&observed));
    assert!(matches!(&changes[..], [Change::AddColumn { .. }]), "{changes:?}");
    assert_eq!(plan(&Table::of(&story(), &Design::default()), memory, Some(&sound())), []);
    // The other side of another table's relation comes with that one.
    if let Some(look) = design.columns.get_mut("Plans") {
        *look = ColumnDesign { mirrored: true, ..ColumnDesign::default() };
    }
    assert_eq!(planned(&design, &Known::default(), Some(&observed)), []);
}

#[test]
fn what_a_formula_computes_is_a_persons() {
    let mut kind = story();
    kind.properties.push(property("Score", PropertyType::Formula, Source::Key("score".into())));
    let none = BTreeMap::new();
    let tables = text(&[("plan", "p")]);
    let memory = Memory { columns: &none, views: &none, descriptions: &none, tables: &tables };
    let changes = plan(&Table::of(&kind, &Design::default()), memory, Some(&sound()));
    assert_eq!(obstacles(&changes), [&Obstacle::Computed(PropertyType::Formula)]);
}

#[test]
fn a_text_is_written_where_none_is_and_follows_only_our_own() {
    let design = Design { description: Some("New".into()), ..Design::default() };
    let describe = |there: &str, written: Option<&str>| {
        let observed = Observed { description: there.into(), ..sound() };
        let descriptions = written.map(|text| (String::new(), text.to_owned()));
        let known = Known { descriptions: descriptions.into_iter().collect(), ..Known::default() };
        !planned(&design, &known, Some(&observed)).is_empty()
    };
    assert!(describe("", None));
    assert!(describe("Old", Some("Old")));
    assert!(!describe("New", None));
    assert!(!describe("A person's", None));
    assert!(!describe("A person's", Some("Old")));
    // A person took it away.
    assert!(!describe("", Some("New")));
}

#[test]
fn a_view_is_made_once_whatever_became_of_it() {
    let view = View { name: "By scope".into(), layout: Layout::Table { group_by: None } };
    let design = Design { views: vec![view.clone()], ..Design::default() };
    let changes = planned(&design, &Known::default(), Some(&sound()));
    assert_eq!(changes, [Change::AddView(view)]);
    let known = Known { views: text(&[("By scope", "v")]), ..Known::default() };
    assert_eq!(planned(&design, &known, Some(&sound())), []);
}

#[test]
fn a_table_in_the_trash_is_taken_out() {
    let observed = Observed { trashed: true, ..sound() };
    assert_eq!(plain(&observed), [Change::Restore]);
}
