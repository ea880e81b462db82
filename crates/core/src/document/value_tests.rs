//! Every type of property in the front matter: canonical values, and edits that change nothing else.

use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::kind::{Format, Property};

/// A kind with one property of this type under the key `p`, beside title and id.
fn kind_of(r#type: PropertyType, options: &[&str], format: Format) -> Kind {
    let property = |name: &str, r#type, source, options: &[&str]| Property {
        name: name.to_owned(),
        remote_name: name.to_owned(),
        r#type,
        source,
        options: options.iter().map(|o| ((*o).to_owned(), (*o).to_owned())).collect(),
        target: None,
        allow_new_options: false,
    };
    let title = match format {
        Format::Markdown => Source::Heading,
        Format::Yaml => Source::Key("title".into()),
    };
    Kind {
        name: "story".to_owned(),
        folder: "stories".to_owned(),
        file: "{id}-{slug}.md".to_owned(),
        id_pattern: r"[A-Z]+-\d+".to_owned(),
        file_id: Regex::new(r"^([A-Z]+-\d+)(?:[-_. ]|$)").unwrap(),
        database: "Stories".to_owned(),
        format,
        rename: crate::kind::Rename::Keep,
        properties: vec![
            property("Title", PropertyType::Title, title, &[]),
            property("ID", PropertyType::RichText, Source::Id, &[]),
            property("P", r#type, Source::Key("p".into()), options),
        ],
    }
}

fn free(r#type: PropertyType) -> Kind {
    kind_of(r#type, &[], Format::Markdown)
}

fn file(entry: &str) -> String {
    format!("---\n# before\n{entry}\nother: 'x'  # kept\n---\n# A-1: T\n\nBody.\n")
}

/// The value that an entry of the front matter has: text, or members with `|` between.
fn read(kind: &Kind, entry: &str) -> Option<String> {
    let document = parse(kind, "A-1", "A-1.md", &file(entry));
    assert_eq!(document.findings, [], "{entry}");
    document.values.get("P").map(|located| match &located.value {
        Value::Text(text) => text.clone(),
        Value::Set(members) => members.iter().cloned().collect::<Vec<_>>().join("|"),
    })
}

fn rule(kind: &Kind, entry: &str) -> String {
    let document = parse(kind, "A-1", "A-1.md", &file(entry));
    assert!(document.unsynced.contains("P") && !document.values.contains_key("P"), "{entry}");
    document.findings.first().map(|finding| finding.rule.clone()).unwrap_or_default()
}

/// The entry after the property was set; the rest of the file must be as it was.
fn put(kind: &Kind, entry: &str, value: Option<Value>) -> String {
    let text = file(entry);
    let edits = set(kind, "A-1", &text, "P", value.as_ref())
        .unwrap_or_else(|error| panic!("{entry:?}: {error}"));
    let changed = apply_edits(&text, &edits);
    let [head, tail] = ["---\n# before\n", "\nother: 'x'  # kept\n---\n# A-1: T\n\nBody.\n"];
    let inner = changed.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
    inner.unwrap_or_else(|| panic!("{changed:?}")).to_owned()
}

fn text(text: &str) -> Option<Value> {
    Value::text(text)
}

fn members(members: &[&str]) -> Option<Value> {
    Value::set(members.iter().copied())
}

#[test]
fn spellings_that_mean_the_same_are_one_value_and_stay() {
    use PropertyType::{Checkbox, Date, Email, LastEditedTime, Number, PhoneNumber, Url};
    for (r#type, entries, value) in [
        (Number, &["p: 8", "p: 8.0", "p: \"8\"", "p: '8.00' # eight", "p: 8e0"][..], Some("8")),
        (Checkbox, &["p: true", "p: yes", "p: Yes", "p: \"on\"", "p: TRUE"], Some("true")),
        (Checkbox, &["p: false", "p: no", "p:", "q: 1", "p: ~"], None),
        (Date, &["p: 2026-09-15", "p: '2026-09-15'"], Some("2026-09-15")),
        (
            Date,
            &[
                "p: 2026-09-15T10:00:00+02:00",
                "p: 2026-09-15 10:00:00 +02:00",
                "p: \"2026-09-15T08:00Z\"",
                "p: 2026-09-15T10:00:00.000+02:00",
            ],
            Some("2026-09-15T08:00:00Z"),
        ),
        (LastEditedTime, &["p: 2026-09-15T10:00:00+02:00"], Some("2026-09-15T08:00:00Z")),
        (PhoneNumber, &["p: +15551234", "p: '+15551234'"], Some("+15551234")),
        (Email, &["p: Ada@example.com"], Some("Ada@example.com")),
        (
            Url,
            &["p: https://example.com/#a", "p: 'https://example.com/#a'"],
            Some("https://example.com/#a"),
        ),
    ] {
        let kind = free(r#type);
        for entry in entries {
            assert_eq!(read(&kind, entry).as_deref(), value, "{entry}");
            assert_eq!(put(&kind, entry, value.and_then(text)), *entry);
        }
    }
}

#[test]
fn sets_are_read_from_sequences_and_lists_on_a_line() {
    let people = free(PropertyType::People);
    for entry in [
        "p: [Ada@example.com, bob@example.com]",
        "p:\n  - bob@example.com\n  # why\n  - \"ada@example.com\"  # lead",
        "p:\n- ada@example.com\n-   bob@example.com\n-",
        "p: ada@example.com, Bob@Example.com",
        "p: [\n  'bob@example.com', # x\n  ada@example.com,\n]",
        "p: [ada@example.com,bob@example.com,bob@example.com]",
    ] {
        assert_eq!(
            read(&people, entry).as_deref(),
            Some("ada@example.com|bob@example.com"),
            "{entry}"
        );
    }
    for entry in ["p: []", "p:", "p: ~", "p:\n  # none", "p: [~]"] {
        assert_eq!(read(&people, entry), None, "{entry}");
    }
    let tags = kind_of(PropertyType::MultiSelect, &["Backend", "UI"], Format::Markdown);
    assert_eq!(read(&tags, "p: [ui, BACKEND]").as_deref(), Some("Backend|UI"));
    assert_eq!(read(&free(PropertyType::MultiSelect), "p: [ui, UI, b]").as_deref(), Some("b|ui"));
    let relation = free(PropertyType::Relation);
    assert_eq!(read(&relation, "p:\n  - A-1 the first\n  - none").as_deref(), Some("A-1"));
    let files = free(PropertyType::Files);
    assert_eq!(
        read(&files, "p: https://example.com/a,b").as_deref(),
        Some("https://example.com/a,b")
    );
    assert_eq!(
        read(&free(PropertyType::MultiSelect), "p: [2024, true, 1.50]").as_deref(),
        Some("1.50|2024|true")
    );
}

#[test]
fn what_cannot_be_read_is_a_finding_with_its_line() {
    use PropertyType::{Checkbox, Date, Files, MultiSelect, Number, People, Status};
    let tags = kind_of(MultiSelect, &["Backend", "UI"], Format::Markdown);
    let status = kind_of(Status, &["Open", "Done"], Format::Markdown);
    for (kind, entry, want) in [
        (free(Number), "p: eight", "invalid-number"),
        (free(Number), "p: 0x1F", "invalid-number"),
        (free(Number), "p: 9007199254740993", "invalid-number"),
        (free(Checkbox), "p: maybe", "invalid-checkbox"),
        (free(Date), "p: 2026-09-20/2026-09-15", "invalid-date"),
        (free(People), "p: [ada@example.com, Ada]", "invalid-person"),
        (free(Files), "p: ./plan.pdf", "invalid-file"),
        (tags.clone(), "p: [UI, Desing]", "unknown-option"),
        (status, "p: Icebox", "unknown-option"),
        (tags.clone(), "p: [UI, [Backend]]", "unreadable-value"),
        (tags.clone(), "p: {UI: 1}", "unreadable-value"),
        (tags.clone(), "p:\n  - UI\n  - a: b", "unreadable-value"),
        (tags.clone(), "p:\n  - &x UI", "unreadable-value"),
        (tags, "p:\n  - UI\n    Backend", "unreadable-value"),
        (free(Number), "p: [8]", "unreadable-value"),
    ] {
        assert_eq!(rule(&kind, entry), want, "{entry}");
    }
    let document = parse(
        &kind_of(MultiSelect, &["UI"], Format::Markdown),
        "A-1",
        "A-1.md",
        &file("p:\n  - ui\n  - nope"),
    );
    assert_eq!(document.findings[0].line, Some(5));
    let kind = kind_of(Status, &["Open"], Format::Markdown);
    let fix = &parse(&kind, "A-1", "A-1.md", &file("p: x")).findings[0].fix;
    assert!(!fix.contains("allow_new_options"), "{fix}");
}

#[test]
fn scalars_change_in_the_manner_of_the_old_one() {
    use PropertyType::{Checkbox, Date, Email, Number, PhoneNumber, Status, Url};
    for (r#type, entry, value, want) in [
        (Number, "p: 8.0   # hours", Some("9.5"), "p: 9.5   # hours"),
        (Number, "p: '8'", Some("-1"), "p: '-1'"),
        (Number, "p: 8", None, "p:"),
        (Checkbox, "p: yes # ok", None, "p: no # ok"),
        (Checkbox, "p: False", Some("true"), "p: True"),
        (Checkbox, "p:", Some("true"), "p: true"),
        (
            Date,
            "p: 2026-09-15T10:00+02:00",
            Some("2026-09-15T09:00:00Z"),
            "p: 2026-09-15T11:00+02:00",
        ),
        (Date, "p: 2026-09-15", Some("2026-09-15/2026-09-17"), "p: 2026-09-15/2026-09-17"),
        (
            Date,
            "p: 2026-09-15",
            Some("2026-09-15T10:00:00[Europe/Berlin]"),
            "p: 2026-09-15T10:00:00[Europe/Berlin]",
        ),
        (
            Url,
            "p: \"https://a.example\"",
            Some("https://b.example/?q=1#x"),
            "p: \"https://b.example/?q=1#x\"",
        ),
        (Email, "p: a@example.com", Some("b@example.com"), "p: b@example.com"),
        (PhoneNumber, "p:", Some("+1 555 0100"), "p: \"+1 555 0100\""),
        (Status, "p: Open", Some("In progress"), "p: In progress"),
    ] {
        assert_eq!(put(&free(r#type), entry, value.and_then(text)), want);
    }
}

#[test]
fn members_change_one_by_one() {
    let tags = free(PropertyType::MultiSelect);
    for (entry, wanted, want) in [
        // Added at the end, in the form and the quotes of the last.
        ("p: [a, \"b\"] # c", &["a", "b", "c"][..], "p: [a, \"b\", \"c\"] # c"),
        ("p:\n  - a # one\n  - 'b'", &["a", "b", "c"], "p:\n  - a # one\n  - 'b'\n  - 'c'"),
        ("p:\n-  a", &["a", "b"], "p:\n-  a\n-  b"),
        ("p: [a,b,]", &["a", "b", "c"], "p: [a,b, c,]"),
        ("p: [ ]", &["a"], "p: [a ]"),
        ("p: []", &["a, b", "c"], "p: [\"a, b\", c]"),
        // Taken away with nothing else.
        ("p: [a, b, c]", &["a", "c"], "p: [a, c]"),
        ("p: [a, b, c]", &["c"], "p: [c]"),
        ("p: [a, b, c]", &["a"], "p: [a]"),
        ("p: [a]", &[], "p: []"),
        ("p:\n  - a\n  # kept\n  - b # gone\n  - c", &["a", "c"], "p:\n  - a\n  # kept\n  - c"),
        ("p:\n  - a\n  - b", &["a"], "p:\n  - a"),
        // One for another, in its place; not where a comment speaks of the old one.
        ("p: [a, b, c]", &["a", "c", "x"], "p: [a, x, c]"),
        ("p:\n  - a\n  - b\n  - c", &["a", "c", "x"], "p:\n  - a\n  - x\n  - c"),
        ("p:\n  - a # why\n  - b", &["b", "x"], "p:\n  - b\n  - x"),
        // Order is the file's own.
        ("p: [c, a]", &["a", "b", "c"], "p: [c, a, b]"),
        // On one line.
        ("p: b # c", &["a", "b"], "p: [b, a] # c"),
        ("p: 'b, a'", &["a", "b", "c"], "p: 'b, a, c'"),
        ("p: b", &["c"], "p: c"),
        ("p: b", &[], "p:"),
        ("p:", &["b", "a"], "p: [a, b]"),
        ("p: [\n  a,\n  b,\n]", &["a", "b", "c"], "p: [\n  a,\n  b, c,\n]"),
        // What YAML would take for something else.
        (
            "p: [a]",
            &["a", "2024", "yes", "x: y", "- z"],
            "p: [a, \"- z\", \"2024\", \"x: y\", \"yes\"]",
        ),
    ] {
        assert_eq!(put(&tags, entry, members(wanted)), want, "{entry}");
    }
    // Nothing but a comment is left of a block.
    let emptied = put(&tags, "p:\n  # why\n  - a", None);
    assert_eq!(emptied, "p:\n  # why");
    assert_eq!(put(&tags, &emptied, members(&["b"])), "p: [b]\n  # why");
}

#[test]
fn a_new_set_is_a_flow_sequence_behind_the_other_keys() {
    let text = "---\nq: 1\n---\n# A-1: T\n";
    let value = members(&["a", "b"]);
    let edits = set(&free(PropertyType::MultiSelect), "A-1", text, "P", value.as_ref()).unwrap();
    assert_eq!(apply_edits(text, &edits), "---\nq: 1\np: [a, b]\n---\n# A-1: T\n");
}

#[test]
fn spellings_of_members_stay() {
    let tags = kind_of(PropertyType::MultiSelect, &["Backend", "UI", "Docs"], Format::Markdown);
    assert_eq!(put(&tags, "p: [ui, backend]", members(&["Backend", "UI"])), "p: [ui, backend]");
    assert_eq!(put(&tags, "p: [ui, backend]", members(&["UI", "Docs"])), "p: [ui, Docs]");
    let people = free(PropertyType::People);
    let value = members(&["ada@example.com", "bob@example.com", "user:42"]);
    assert_eq!(
        put(&people, "p: [Ada@Example.com]", value),
        "p: [Ada@Example.com, bob@example.com]"
    );
    let relation = free(PropertyType::Relation);
    let entry = "p:\n  - A-1 the first\n  - none\n  - B-2";
    assert_eq!(
        put(&relation, entry, members(&["A-1", "C-3"])),
        "p:\n  - A-1 the first\n  - none\n  - C-3"
    );
}

#[test]
fn windows_line_breaks_and_a_last_line_without_break_stay() {
    let tags = kind_of(PropertyType::MultiSelect, &[], Format::Yaml);
    for (text, wanted, want) in [
        (
            "title: T\r\np:\r\n  - a\r\nq: 1\r\n",
            &["a", "b"][..],
            "title: T\r\np:\r\n  - a\r\n  - b\r\nq: 1\r\n",
        ),
        ("title: T\np:\n  - a", &["a", "b"], "title: T\np:\n  - a\n  - b"),
        ("title: T\np:\n  - a\n  - b", &["a"], "title: T\np:\n  - a\n"),
    ] {
        let edits = set(&tags, "A-1", text, "P", members(wanted).as_ref()).unwrap();
        assert_eq!(apply_edits(text, &edits), want);
    }
}

#[test]
fn keys_of_a_yaml_artifact_have_every_type() {
    for (r#type, entry, value, want) in [
        (PropertyType::Number, "p: 8 # x", text("9"), "p: 9 # x"),
        (PropertyType::Checkbox, "p: true", None, "p: false"),
        (PropertyType::Date, "p: 2026-09-15", text("2026-09-16"), "p: 2026-09-16"),
        (PropertyType::MultiSelect, "p:\n  - a # x", members(&["a", "b"]), "p:\n  - a # x\n  - b"),
        (PropertyType::People, "p: [a@x.y]", members(&["b@x.y"]), "p: [b@x.y]"),
    ] {
        let kind = kind_of(r#type, &[], Format::Yaml);
        let around =
            |entry: &str| format!("# head\ntitle: T\n{entry}\nsteps:\n  - one: two # kept\n");
        let text = around(entry);
        let edits = set(&kind, "A-1", &text, "P", value.as_ref()).unwrap();
        let changed = apply_edits(&text, &edits);
        assert_eq!(changed, around(want));
        let body = |text: &str| {
            let mut body = text.to_owned();
            for range in parse(&kind, "A-1", "", text).excluded.iter().rev() {
                body.replace_range(range.clone(), "");
            }
            body
        };
        assert_eq!(body(&changed), "# head\nsteps:\n  - one: two # kept\n");
        assert_eq!(body(&text), body(&changed));
    }
}

/// A sequence as people write it.
fn sequences() -> impl Strategy<Value = String> {
    let member = prop::sample::select(vec![
        "a",
        "'b'",
        "\"c\"",
        "d e",
        "'f, g'",
        "\"h # i\"",
        "2024",
        "~",
        "'j''k'",
    ]);
    let comment = prop::sample::select(vec!["", " # note", "   # a, b"]);
    let lines = prop::collection::vec((member.clone(), comment, any::<bool>()), 1..6);
    let block =
        (lines, prop::sample::select(vec!["", "  ", "    "])).prop_map(|(lines, indent)| {
            let mut out = "p:".to_owned();
            for (member, comment, blank) in lines {
                if blank {
                    out.push_str("\n\n  # alone");
                }
                out.push_str(&format!("\n{indent}- {member}{comment}"));
            }
            out
        });
    let flow = (
        prop::collection::vec(member, 0..6),
        prop::sample::select(vec![", ", ",", " ,  ", ",\n  "]),
        any::<bool>(),
    );
    let flow = flow.prop_map(|(members, gap, last)| {
        let last = if last && !members.is_empty() { "," } else { "" };
        format!("p: [{}{last}]", members.join(gap))
    });
    prop_oneof![block, flow]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_set_can_be_written_into_any_sequence(
        entry in sequences(),
        wanted in prop::collection::btree_set("[a-k2#:,'\"\\[\\]{} é-]{1,6}", 0..5),
        keep in prop::collection::vec(any::<bool>(), 6),
    ) {
        let kind = free(PropertyType::MultiSelect);
        let text = file(&entry);
        let before = parse(&kind, "A-1", "", &text);
        prop_assert_eq!(&before.findings, &[]);
        let own = match before.values.get("P").map(|located| &located.value) {
            Some(Value::Set(members)) => members.clone(),
            _ => BTreeSet::new(),
        };
        let kept = own.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(member, _)| member.clone());
        let wanted = wanted.iter().map(|w| w.split_whitespace().collect::<Vec<_>>().join(" "));
        let value = Value::set(kept.chain(wanted));
        let edits = set(&kind, "A-1", &text, "P", value.as_ref());
        let edits = edits.map_err(|error| TestCaseError::fail(format!("{entry:?} {value:?} {error}")))?;
        let changed = apply_edits(&text, &edits);
        let after = parse(&kind, "A-1", "", &changed);
        prop_assert_eq!(after.values.get("P").map(|l| l.value.clone()), value.clone(), "{}", changed);
        // Comments that stand alone are never touched.
        prop_assert_eq!(changed.matches("# alone").count(), text.matches("# alone").count());
        prop_assert!(set(&kind, "A-1", &changed, "P", value.as_ref()).unwrap().is_empty());
    }
}
