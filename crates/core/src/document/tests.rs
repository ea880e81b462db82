use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::kind::Format;

fn property(
    name: &str,
    r#type: PropertyType,
    source: Source,
    options: &[&str],
) -> crate::kind::Property {
    crate::kind::Property {
        name: name.to_owned(),
        remote_name: name.to_owned(),
        r#type,
        source,
        options: options.iter().map(|o| ((*o).to_owned(), (*o).to_owned())).collect(),
        target: None,
        allow_new_options: false,
    }
}

fn kind(format: Format, properties: Vec<crate::kind::Property>) -> Kind {
    Kind {
        name: "story".to_owned(),
        folder: "stories".to_owned(),
        file: "{scope}/{id}-{slug}.md".to_owned(),
        id_pattern: r"[A-Z]+-\d+".to_owned(),
        file_id: Regex::new(r"^([A-Z]+-\d+)(?:[-_. ]|$)").unwrap(),
        rename: crate::kind::Rename::Keep,
        database: "Stories".to_owned(),
        format,
        properties,
    }
}

const STATES: &[&str] = &["DRAFT", "TO_DO", "DONE"];

fn story() -> Kind {
    let section = |names: &[&str]| Source::Section(names.iter().map(|n| (*n).to_owned()).collect());
    kind(
        Format::Markdown,
        vec![
            property("Title", PropertyType::Title, Source::Heading, &[]),
            property("ID", PropertyType::RichText, Source::Id, &[]),
            property("Status", PropertyType::Select, section(&["Status", "State"]), STATES),
            property(
                "Priority",
                PropertyType::Select,
                Source::Key("priority".into()),
                &["Low", "High"],
            ),
            property("Note", PropertyType::RichText, Source::Key("note".into()), &[]),
            property("Date", PropertyType::Date, Source::Key("date".into()), &[]),
            property("Goal", PropertyType::RichText, section(&["Goal"]), &[]),
            property(
                "Plans",
                PropertyType::Relation,
                Source::References("Linked Plans".into()),
                &[],
            ),
        ],
    )
}

fn journey() -> Kind {
    kind(
        Format::Yaml,
        vec![
            property("Title", PropertyType::Title, Source::Key("title".into()), &[]),
            property("ID", PropertyType::RichText, Source::Id, &[]),
            property("Status", PropertyType::Select, Source::Key("state".into()), STATES),
        ],
    )
}

fn read(text: &str) -> Document {
    parse(&story(), "INFRA-1", "stories/INFRA/INFRA-1-first-words.md", text)
}

fn value(document: &Document, name: &str) -> Option<String> {
    document.values.get(name).map(|located| located.value.to_string())
}

fn body(text: &str) -> String {
    let mut out = text.to_owned();
    for range in read(text).excluded.iter().rev() {
        out.replace_range(range.clone(), "");
    }
    out
}

fn put(text: &str, name: &str, new: Option<&str>) -> String {
    let value = new.and_then(Value::text);
    let edits = set(&story(), "INFRA-1", text, name, value.as_ref());
    apply_edits(text, &edits.unwrap_or_else(|error| panic!("{text:?}: {error}")))
}

fn put_ids(text: &str, ids: &[&str]) -> Result<String, CannotSet> {
    let value = Value::set(ids.iter().copied());
    set(&story(), "INFRA-1", text, "Plans", value.as_ref()).map(|edits| apply_edits(text, &edits))
}

const FILE: &str = "---\nother: 1 # kept\npriority: 'high'   # why\n---\n# INFRA-1: A title\n\nIntro.\n\n\
    ## Status\n\n<!-- one of -->\ndone\nmore prose\n\n## Linked Plans\n\n* [A-1](A-1-x.md) first\n* B-2: UTF-8\n\nTail.\n";

#[test]
fn every_property_is_read_with_its_line() {
    let document = read(FILE);
    assert_eq!(document.findings, []);
    assert_eq!(document.title.as_deref(), Some("A title"));
    let got: Vec<(String, String, usize)> =
        document.values.iter().map(|(n, l)| (n.clone(), l.value.to_string(), l.line)).collect();
    let want = [
        ("ID", "INFRA-1", 1),
        ("Plans", "A-1, B-2", 17),
        ("Priority", "High", 3),
        ("Status", "DONE", 12),
        ("Title", "A title", 5),
    ];
    assert_eq!(got, want.map(|(n, v, l)| (n.to_owned(), v.to_owned(), l)));
}

#[test]
fn the_body_is_what_is_no_property() {
    assert_eq!(body(FILE), "\nIntro.\n\n\n<!-- one of -->\nmore prose\n\n\n\nTail.\n");
}

#[test]
fn status_that_differs_in_case_only_keeps_its_spelling() {
    let text = "# INFRA-1: T\n\n## State\n\nDone\n";
    assert_eq!(value(&read(text), "Status").as_deref(), Some("DONE"));
    assert_eq!(put(text, "Status", Some("DONE")), text);
}

#[test]
fn status_outside_the_list_is_a_finding_and_left_alone() {
    let document = read("# INFRA-1: T\n\n## State\n\nDONE (pending review)\n");
    assert!(document.unsynced.contains("Status"));
    assert!(!document.values.contains_key("Status"));
    let finding = &document.findings[0];
    assert_eq!((finding.rule.as_str(), finding.line), ("unknown-option", Some(5)));
    assert_eq!(finding.path.as_deref(), Some("stories/INFRA/INFRA-1-first-words.md"));
    assert_eq!(value(&document, "Title").as_deref(), Some("T"));
}

#[test]
fn new_options_are_taken_where_the_configuration_allows_them() {
    let mut kind = story();
    kind.properties[2].allow_new_options = true;
    let document = parse(&kind, "INFRA-1", "INFRA-1.md", "# INFRA-1: T\n\n## State\n\nICEBOX\n");
    assert_eq!(value(&document, "Status").as_deref(), Some("ICEBOX"));
    assert_eq!(document.findings, []);
}

#[test]
fn titles_with_and_without_id() {
    for (text, title) in [
        ("# INFRA-1: A title", "A title"),
        ("# INFRA-1 - A title", "A title"),
        ("# INFRA-1 A title #", "A title"),
        ("INFRA-1: A title\n===", "A title"),
        ("# A title", "A title"),
        ("# INFRA-10: A title", "INFRA-10: A title"),
        ("no heading", "first words"),
        ("# INFRA-1:", "first words"),
        ("```\n# INFRA-1: code\n```\n<!--\n# INFRA-1: comment\n-->", "first words"),
        ("\u{feff}# INFRA-1: A title", "A title"),
    ] {
        assert_eq!(read(text).title.as_deref(), Some(title), "{text}");
    }
}

#[test]
fn heading_with_another_id_is_a_finding() {
    let document = read("# INFRA-2: T\n");
    assert_eq!(document.findings[0].rule, "title-mismatch");
    assert_eq!(document.title.as_deref(), Some("INFRA-2: T"));
    assert_eq!(read("# UTF-8 is not an id: T\n").findings.len(), 1);
    assert_eq!(read("# UTF-8-ish: T\n").findings.len(), 0);
}

#[test]
fn setting_a_title_changes_only_the_title() {
    for (text, want) in [
        ("# INFRA-1: Old ##\n\nB\n", "# INFRA-1: New ##\n\nB\n"),
        ("# INFRA-1 - Old\r\n\r\nB\r\n", "# INFRA-1 - New\r\n\r\nB\r\n"),
        ("INFRA-1: Old\n===\n", "INFRA-1: New\n===\n"),
        ("# Old\n", "# New\n"),
        ("# INFRA-2: Old\n", "# New\n"),
        ("# INFRA-1:\n", "# INFRA-1: New\n"),
        ("Body\n", "# INFRA-1: New\n\nBody\n"),
        ("", "# INFRA-1: New\n"),
        ("---\na: 1\n---\nBody\n", "---\na: 1\n---\n\n# INFRA-1: New\n\nBody\n"),
        ("\u{feff}Body\r\n", "\u{feff}# INFRA-1: New\r\n\r\nBody\r\n"),
    ] {
        assert_eq!(put(text, "Title", Some("New")), want, "{text:?}");
    }
    assert!(set(&story(), "INFRA-1", "# T\n", "Title", None).is_err());
}

#[test]
fn setting_a_section_changes_only_its_value() {
    for (text, want) in [
        ("# T\n\n## State\n\n**todo**\nprose\n", "# T\n\n## State\n\n**DONE**\nprose\n"),
        ("# T\n\n## State\n\nDRAFT <!-- c -->\n", "# T\n\n## State\n\nDONE <!-- c -->\n"),
        ("# T\n\n## State\n\n## Next\n", "# T\n\n## State\n\nDONE\n\n## Next\n"),
        ("# T\n\nB\n", "# T\n\n## Status\n\nDONE\n\nB\n"),
        ("# T\r\nB", "# T\r\n\r\n## Status\r\n\r\nDONE\r\n\r\nB"),
        ("B\n", "## Status\n\nDONE\n\nB\n"),
        ("# T", "# T\n\n## Status\n\nDONE\n"),
    ] {
        assert_eq!(put(text, "Status", Some("DONE")), want);
    }
}

#[test]
fn unsetting_a_section_takes_its_heading_and_keeps_the_prose() {
    let text = "# T\n\n## State\n\nDONE\n\nprose\n";
    assert_eq!(put(text, "Status", None), "# T\n\nprose\n");
    assert_eq!(put("# T\n\n## State\n", "Status", None), "# T\n\n## State\n");
}

#[test]
fn rich_text_of_more_than_a_paragraph_stays_in_the_body() {
    let text = "# T\n\n## Goal\n\nOne.\n\nTwo.\n";
    let document = read(text);
    assert!(document.unsynced.contains("Goal") && document.findings.is_empty());
    assert!(body(text).contains("## Goal"));
    assert!(set(&story(), "INFRA-1", text, "Goal", Value::text("x").as_ref()).is_err());
    assert_eq!(value(&read("# T\n\n## Goal\n\nOne\ntwo.\n"), "Goal").as_deref(), Some("One two."));
}

#[test]
fn front_matter_is_edited_byte_for_byte() {
    assert_eq!(put(FILE, "Priority", Some("Low")), FILE.replace("'high'", "'Low'"));
    assert_eq!(put(FILE, "Priority", None), FILE.replace(" 'high'", ""));
    assert_eq!(
        put(FILE, "Note", Some("a: b # c")),
        FILE.replace("# why\n", "# why\nnote: \"a: b # c\"\n")
    );
    assert_eq!(put("B\n", "Date", Some("2026-11-22")), "---\ndate: 2026-11-22\n---\n\nB\n");
    assert_eq!(put("---\nnote: \"x\"\n---\n", "Note", Some("y")), "---\nnote: \"y\"\n---\n");
    assert_eq!(put("---\nnote: 1\n---\n", "Note", Some("2")), "---\nnote: 2\n---\n");
    assert_eq!(put("---\nnote: x\n---\n", "Note", Some("no")), "---\nnote: \"no\"\n---\n");
    assert_eq!(put("---\nnote: # c\n---\n", "Note", Some("yy")), "---\nnote: yy # c\n---\n");
}

#[test]
fn values_of_several_lines_are_a_finding_and_left_alone() {
    for yaml in [
        "note: |\n  a\n  b",
        "note: a\n  b",
        "note: &x a",
        "note:\n- a",
        "note: {a: 1}",
        "note: [a,",
    ] {
        let text = format!("---\n{yaml}\n---\n");
        let document = read(&text);
        assert!(document.unsynced.contains("Note"), "{yaml}");
        assert!(document.findings.iter().any(|f| f.rule == "unreadable-value"), "{yaml}");
        assert!(set(&story(), "INFRA-1", &text, "Note", Value::text("x").as_ref()).is_err());
    }
}

#[test]
fn a_thematic_break_is_no_front_matter() {
    let text = "---\n\nProse, not a key.\n\n---\n";
    assert_eq!(body(text), text);
    assert_eq!(body("---\nnever: closed\n"), "---\nnever: closed\n");
}

#[test]
fn a_relation_can_live_in_a_key() {
    let mut kind = story();
    kind.properties.push(property(
        "Story",
        PropertyType::Relation,
        Source::Key("story".into()),
        &[],
    ));
    for (text, want) in [
        ("---\nstory: A-1 # c\n---\n", "---\nstory: B-2, C-3 # c\n---\n"),
        ("---\nstory: [A-1, \"X-1\"]\n---\n", "---\nstory: [B-2, \"C-3\"]\n---\n"),
        ("B\n", "---\nstory: B-2, C-3\n---\n\nB\n"),
    ] {
        let ids = Value::set(["B-2", "C-3"]);
        let edits = set(&kind, "INFRA-1", text, "Story", ids.as_ref()).unwrap();
        assert_eq!(apply_edits(text, &edits), want);
    }
    let document = parse(&kind, "INFRA-1", "", "---\nstory: [A-1, \"X-1\"]\n---\n");
    assert_eq!(value(&document, "Story").as_deref(), Some("A-1, X-1"));
}

#[test]
fn values_that_the_property_cannot_have_are_refused() {
    let refused = |name, text| {
        let value = Value::text(text);
        set(&story(), "INFRA-1", FILE, name, value.as_ref()).unwrap_err().reason
    };
    assert_eq!(refused("Status", "ICEBOX"), "the value is none of the configured options");
    assert_eq!(refused("Date", "tomorrow"), "the value is not a day (YYYY-MM-DD) or time");
    assert_eq!(refused("ID", "INFRA-2"), "the id is the file's name");
    assert_eq!(refused("Nothing", "x"), "there is no such property");
}

#[test]
fn invalid_dates_are_findings() {
    for date in ["2026-02-29", "soon", "22.11.2026"] {
        let document = read(&format!("---\ndate: {date}\n---\n"));
        assert_eq!(document.findings[0].rule, "invalid-date");
        assert_eq!(document.findings[0].line, Some(2));
    }
    assert_eq!(value(&read("---\ndate: 2024-02-29\n---\n"), "Date").as_deref(), Some("2024-02-29"));
}

#[test]
fn references_change_by_the_line() {
    assert_eq!(
        put_ids(FILE, &["A-1", "B-2", "C-3"]).unwrap(),
        FILE.replace("UTF-8\n", "UTF-8\n* C-3\n")
    );
    assert_eq!(put_ids(FILE, &["B-2"]).unwrap(), FILE.replace("* [A-1](A-1-x.md) first\n", ""));
    let cases = [
        ("## Linked Plans\n\nNone yet.\n", "## Linked Plans\n\n- C-3\n"),
        ("## Linked Plans\n\n- none\n", "## Linked Plans\n\n- C-3\n"),
        ("## Linked Plans\nnext\n", ""),
        ("B\n", "B\n\n## Linked Plans\n\n- C-3\n"),
        ("## Linked Plans\n\n1. A-1, C-3\n", "## Linked Plans\n\n1. C-3\n"),
        ("## Linked Plans\n\n1. C-3\n2. A-1", "## Linked Plans\n\n1. C-3\n"),
        ("## Linked Plans\n", "## Linked Plans\n\n- C-3\n"),
        ("# T\n\n```\nopen", "# T\n\n## Linked Plans\n\n- C-3\n\n```\nopen"),
    ];
    for (text, want) in cases {
        assert_eq!(put_ids(text, &["C-3", "page:0123"]).unwrap_or_default(), want, "{text}");
    }
    assert!(put_ids("B\n", &["not an id"]).is_err());
}

#[test]
fn yaml_artifacts_are_edited_by_the_line() {
    let text = "# c\ntitle: Old # t\nsteps:\n  - title: inner\nstate: draft\n";
    let document = parse(&journey(), "JRN-1", "JRN-1-x.yaml", text);
    assert_eq!(document.title.as_deref(), Some("Old"));
    assert_eq!(value(&document, "Status").as_deref(), Some("DRAFT"));
    assert_eq!(document.excluded, [4..19, 43..56]);
    let put = |name, new| {
        let value = Value::text(new);
        apply_edits(text, &set(&journey(), "JRN-1", text, name, value.as_ref()).unwrap())
    };
    assert_eq!(put("Status", "DONE"), text.replace("state: draft", "state: DONE"));
    assert_eq!(put("Title", "a: b"), text.replace("Old", "\"a: b\""));
    let broken = parse(&journey(), "JRN-1", "JRN-1.yaml", "title: [\n");
    assert!(broken.unsynced.contains("Title") && !broken.findings.is_empty());
}

#[test]
fn a_new_file_holds_what_it_was_given() {
    let mut properties = Properties::new();
    for (name, text) in
        [("Title", "T #"), ("Status", "DONE"), ("Priority", "High"), ("Goal", "# g")]
    {
        properties.insert(name.to_owned(), Value::text(text).unwrap());
    }
    properties.insert("Plans".to_owned(), Value::set(["A-1", "B-2"]).unwrap());
    let text = new_file(&story(), "INFRA-1", &properties, "Body\n\n## More\n\nText\n");
    assert_eq!(
        text,
        "---\npriority: High\n---\n\n# INFRA-1: T \\#\n\n## Status\n\nDONE\n\nBody\n\n## More\n\nText\n\n\
         ## Goal\n\n\\# g\n\n## Linked Plans\n\n- A-1\n- B-2\n"
    );
    for hostile in [
        "```\nopen",
        "# INFRA-1: other\n\n## Status\n\nDRAFT",
        "## Linked Plans\n\n- Z-9",
        "---\na: 1\n---",
    ] {
        let text = new_file(&story(), "INFRA-1", &properties, hostile);
        let mut read = parse(&story(), "INFRA-1", "x.md", &text).properties();
        read.remove("ID");
        assert_eq!(read, properties, "{text}");
        assert!(text.contains(hostile));
    }
}

#[test]
fn a_new_yaml_artifact_has_its_keys_first() {
    let mut properties = Properties::new();
    properties.insert("Title".to_owned(), Value::text("a: b").unwrap());
    properties.insert("Status".to_owned(), Value::text("DONE").unwrap());
    let text = new_file(&journey(), "JRN-1", &properties, "steps:\n  - go\n");
    assert_eq!(text, "title: \"a: b\"\nstate: DONE\nsteps:\n  - go\n");
    assert_eq!(new_file(&journey(), "JRN-1", &properties, ""), "title: \"a: b\"\nstate: DONE\n");
}

fn documents() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "# INFRA-1: Old\n",
        "# Other\n",
        "Old\n===\n",
        "\n",
        "\n",
        "Prose here\n",
        "## State\n",
        "DONE\n",
        "ICEBOX\n",
        "## Goal\n",
        "## Linked Plans\n",
        "- A-1\n",
        "* B-2, C-3\n",
        "- none\n",
        "```\n",
        "<!-- x -->\n",
        "<!--\n",
        "-->\n",
        "---\n",
        "priority: High\n",
        "note: \"q\" # c\n",
        "> quote\n",
        "    code\n",
        "| a |\n",
        "|---|\n",
        "<div>\n",
        "[a]: b\n",
        "title: x\n",
        "state: done\n",
        "\r\n",
        "DRAFT\r\n",
        "é",
        "1. X-1\n",
    ]);
    (any::<bool>(), prop::collection::vec(pieces, 0..14)).prop_map(|(front, pieces)| {
        let front = if front { "---\npriority: Low\n# c\nnote: 'x'\n---\n" } else { "" };
        format!("{front}{}", pieces.concat())
    })
}

fn hostile() -> impl Strategy<Value = String> {
    let bits = prop::sample::select(vec![
        "#",
        "# x",
        "---",
        "```",
        "\n",
        "\n\n## State\n\n",
        ":",
        ": ",
        " #",
        "'",
        "\"",
        "\\",
        "<!--",
        "-->",
        "- ",
        "1.",
        "INFRA-1:",
        "INFRA-2: ",
        "A-1",
        "\u{0}",
        "\u{1b}[",
        "\u{2028}",
        "é",
        "word",
        "[",
        "]",
        "{",
        "&",
        "*",
        "!",
        "|",
        ">",
        "%",
        "@",
        "`",
        "true",
        "null",
        "~",
        "2026-01-01",
        "=",
        "<div>",
        "\u{feff}",
        "\r",
        "\t",
        "page:",
    ]);
    prop::collection::vec(bits, 1..6).prop_map(|bits| bits.concat())
}

fn check_set(
    kind: &Kind,
    text: &str,
    name: &str,
    value: Option<&Value>,
) -> Result<bool, TestCaseError> {
    let Ok(edits) = set(kind, "INFRA-1", text, name, value) else { return Ok(false) };
    for pair in edits.windows(2) {
        prop_assert!(pair[0].at.end <= pair[1].at.start);
    }
    let changed = apply_edits(text, &edits);
    let (before, after) = (parse(kind, "INFRA-1", "", text), parse(kind, "INFRA-1", "", &changed));
    let property = kind.property(name).unwrap();
    let want = value.and_then(|value| set::written_form(property, value));
    prop_assert_eq!(after.values.get(name).map(|l| &l.value), want.as_ref(), "{:?}", changed);
    for other in kind.properties.iter().filter(|p| p.name != name) {
        prop_assert_eq!(
            before.values.get(&other.name).map(|l| &l.value),
            after.values.get(&other.name).map(|l| &l.value)
        );
    }
    let again = set(kind, "INFRA-1", &changed, name, value).unwrap();
    prop_assert!(again.is_empty(), "a second write changes nothing (rule 14)");
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn set_then_parse_gives_the_value_and_changes_nothing_else(
        text in documents(), value in hostile(), n in 0usize..8, unset in any::<bool>(),
    ) {
        let kind = story();
        let property = &kind.properties[n];
        let value = match property.r#type {
            PropertyType::Select => Value::text(&property.options[value.len() % property.options.len()].0),
            PropertyType::Date => Value::text("2026-11-22"),
            PropertyType::Relation => Value::set(["A-1", "X-9", "B-2"].iter().take(value.len() % 4).copied()),
            _ => Value::text(&value),
        };
        check_set(&kind, &text, &property.name, value.as_ref().filter(|_| !unset))?;
    }

    #[test]
    fn any_value_can_be_set_in_an_ordinary_file(value in hostile(), n in prop::sample::select(vec![0usize, 4, 6])) {
        let kind = story();
        let value = Value::text(&value);
        let name = kind.properties[n].name.clone();
        if let Some(written) = value.as_ref().and_then(|v| set::written_form(&kind.properties[n], v)) {
            prop_assert!(check_set(&kind, "# INFRA-1: T\n\nBody\n", &name, Some(&written))?, "{:?}", written);
        }
    }

    #[test]
    fn a_new_file_holds_any_body(body in documents(), title in hostile(), goal in hostile()) {
        let kind = story();
        let mut properties = Properties::new();
        properties.extend(Value::text(&format!("T {title}")).map(|value| ("Title".to_owned(), value)));
        properties.extend(Value::text(&goal).map(|value| ("Goal".to_owned(), value)));
        properties.extend(Value::set(["A-1"]).map(|value| ("Plans".to_owned(), value)));
        properties.extend(Value::text("DONE").map(|value| ("Status".to_owned(), value)));
        let text = new_file(&kind, "INFRA-1", &properties, &body);
        let read = parse(&kind, "INFRA-1", "", &text);
        prop_assert!(text.contains(body.trim_matches(['\n', '\r'])), "{:?}", text);
        for name in ["Title", "Status"] {
            let want = set::written_form(kind.property(name).unwrap(), &properties[name]);
            prop_assert_eq!(read.values.get(name).map(|l| &l.value), want.as_ref(), "{} {:?}", name, text);
        }
        let own = read.values.get("Plans").is_none_or(|plans| plans.value == properties["Plans"]);
        prop_assert!(own || body.contains("## Linked Plans"), "{:?}", text);
    }

    #[test]
    fn yaml_set_then_parse(text in "(title: [a-z\"']{0,5}\n|state: (done|DRAFT)\n|a: \\|\n  b\n|# c\n){0,4}", value in hostile()) {
        check_set(&journey(), &text, "Title", Value::text(&value).as_ref())?;
        check_set(&journey(), &text, "Status", Value::text("DONE").as_ref())?;
    }

    #[test]
    fn anything_can_be_read(text in "(?s).{0,200}", lines in documents()) {
        for text in [&text, &lines] {
            let document = read(text);
            let mut end = 0;
            for range in &document.excluded {
                prop_assert!(range.start >= end && range.end > range.start);
                prop_assert!(text.get(range.clone()).is_some());
                end = range.end;
            }
            parse(&journey(), "JRN-1", "JRN-1.yaml", text);
        }
    }
}

#[test]
fn a_file_names_its_page_by_a_key_that_is_no_body() {
    let story = story();
    let text = "---\npriority: High\nnotion_id: \"abc\" # ours\n---\n\n# A-1: T\n\nnotion_id: no\n";
    assert_eq!(page_named(&story, text).as_deref(), Some("abc"));
    for none in ["notion_id: abc\n", "---\nnotion_id:\n---\n", "---\nx: 1\n---\nnotion_id: y\n", ""]
    {
        assert_eq!(page_named(&story, none), None, "{none:?}");
    }
    // Digits are text.
    let digits = "---\nnotion_id: 01234567890123456789012345678901\n---\n";
    assert_eq!(page_named(&story, digits).as_deref(), Some("01234567890123456789012345678901"));
    let yaml = kind(Format::Yaml, Vec::new());
    let text = "steps: [a]\nnotion_id: abc\nend: b\n";
    assert_eq!(page_named(&yaml, text).as_deref(), Some("abc"));
    let excluded = parse(&yaml, "JRN-1", "JRN-1.yaml", text).excluded;
    assert_eq!((excluded.len(), excluded.first()), (1, Some(&(11..26))));
    // A property that lives there is a property.
    let source = Source::Key(PAGE_KEY.to_owned());
    let mapped = kind(Format::Yaml, vec![property("Page", PropertyType::RichText, source, &[])]);
    assert_eq!(page_named(&mapped, text), None);
}
