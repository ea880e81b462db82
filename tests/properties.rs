//! Properties of every type, through the binary: one edit on a side is one edit on the other.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::collections::BTreeMap;

use common::{Lab, Repo};
use serde_json::{Value, json};

const CONFIG: &str = "kinds:
  story:
    properties:
      Effort: {type: number, from: {front_matter: effort}}
      Tags: {type: multi_select, from: {front_matter: tags}, options: {backend: Backend, ui: UI, docs: Docs}}
      Labels: {type: multi_select, from: {front_matter: labels}}
      Stage: {type: status, from: {front_matter: stage}, options: {todo: Not started, doing: In progress, done: Done}}
      Urgent: {type: checkbox, from: {front_matter: urgent}}
      Link: {type: url, from: {front_matter: link}}
      Contact: {type: email, from: {front_matter: contact}}
      Phone: {type: phone_number, from: {front_matter: phone}}
      Owners: {type: people, from: {front_matter: owners}}
      Papers: {type: files, from: {front_matter: papers}}
      Due: {type: date, from: {front_matter: due}}
      Window: {type: date, from: {front_matter: window}}
      Needs: {type: relation, target: story, from: {front_matter: needs}}
";

const PATH: &str = ".agent/cache/stories/INFRA/INFRA-1-first.md";

const FILE: &str = "---
# Everything that a story can say.
effort: 8.0    # days
tags:
  - backend    # the reason
  # what users see
  - \"ui\"
labels: [b, a]   # free
stage: doing
urgent: yes  # today
link: 'https://example.com/a'
contact: Ada@example.com
phone: \"+1 555 0100\"
owners: [ada@example.com]
papers:
- https://example.com/one.pdf
due: 2026-09-15   # a day
window: 2026-09-15T10:00:00+02:00
needs: INFRA-2
unmapped: {kept: [as, it, is]}
---
# INFRA-1: First

## State

DRAFT

## Why

Because.
";

/// The configuration of the tests with further kinds.
fn configure(repo: &Repo<'_>, kinds: &str) {
    repo.configure();
    let config = repo.read("agent-sync.yml") + kinds;
    repo.write("agent-sync.yml", &config);
}

/// A workspace and a repository that hold one story with everything, and two others; at rest.
fn settled(lab: &Lab) -> Repo<'_> {
    let repo = lab.repo("repo");
    configure(&repo, CONFIG);
    repo.write(PATH, FILE);
    repo.story("INFRA-2", "Second", "DRAFT", "## Why\n\nTwo.\n");
    repo.story("INFRA-3", "Third", "DRAFT", "## Why\n\nThree.\n");
    lab.sim.workspace().add_person("Bob");
    repo.init();
    repo.run(&["sync"]).expect(0);
    assert_eq!(repo.read(PATH), FILE, "a push leaves the file alone");
    repo.settle();
    repo
}

/// Every property of the page as text.
fn page(lab: &Lab) -> BTreeMap<String, String> {
    let workspace = lab.sim.workspace();
    let database = workspace.database_by_title("Stories").unwrap().id;
    let page = workspace.page_with(&database, "ID", "INFRA-1").unwrap();
    let names = workspace.property_names(&database).into_iter();
    names.map(|name| (name.clone(), workspace.property_text(&page, &name).unwrap())).collect()
}

fn changed(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    after
        .iter()
        .filter(|(name, text)| before.get(*name) != Some(text))
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect()
}

/// Lines that are in one text only: `-old` and `+new`.
fn line_diff(before: &str, after: &str) -> Vec<String> {
    let diff = similar::TextDiff::from_lines(before, after);
    let changes =
        diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal);
    changes.map(|change| format!("{}{}", change.tag(), change.value().trim_end())).collect()
}

/// Lets the minute end and the last run's pages be read again, then asks for nothing to do (rule 14).
#[track_caller]
fn at_rest(lab: &Lab, repo: &Repo<'_>) {
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    repo.calm();
}

#[test]
fn the_first_push_says_everything() {
    let lab = Lab::new();
    let _repo = settled(&lab);
    let page = page(&lab);
    let ada = lab.sim.workspace().person().to_owned();
    let second = lab.page("Stories", "INFRA-2");
    for (name, text) in [
        ("Effort", "8"),
        ("Tags", "Backend, UI"),
        ("Labels", "a, b"),
        ("Stage", "In progress"),
        ("Urgent", "true"),
        ("Link", "https://example.com/a"),
        ("Contact", "Ada@example.com"),
        ("Phone", "+1 555 0100"),
        ("Owners", ada.as_str()),
        ("Papers", "one.pdf"),
        ("Due", "2026-09-15"),
        ("Window", "2026-09-15T08:00:00Z"),
        ("Needs", second.as_str()),
    ] {
        assert_eq!(page[name], text, "{name}");
    }
}

#[test]
fn an_edit_of_the_file_is_one_property_of_the_page() {
    let lab = Lab::new();
    let repo = settled(&lab);
    let third = lab.page("Stories", "INFRA-3");
    let second = lab.page("Stories", "INFRA-2");
    let ada = lab.sim.workspace().person().to_owned();
    for (old, new, name, text) in [
        ("effort: 8.0", "effort: 9.5", "Effort", "9.5".to_owned()),
        (
            "  # what users see\n",
            "  # what users see\n  - Docs\n",
            "Tags",
            "Backend, UI, Docs".to_owned(),
        ),
        ("labels: [b, a]", "labels: [b, a, new]", "Labels", "a, b, new".to_owned()),
        ("stage: doing", "stage: Done", "Stage", "Done".to_owned()),
        ("urgent: yes", "urgent: no", "Urgent", "false".to_owned()),
        (
            "https://example.com/a",
            "https://example.com/b",
            "Link",
            "https://example.com/b".to_owned(),
        ),
        ("Ada@example.com", "ops@example.com", "Contact", "ops@example.com".to_owned()),
        ("+1 555 0100", "+1 555 0101", "Phone", "+1 555 0101".to_owned()),
        ("owners: [ada", "owners: [BOB@example.com, ada", "Owners", format!("{ada}, BOB")),
        (
            "one.pdf",
            "one.pdf\n- https://example.com/two.pdf",
            "Papers",
            "one.pdf, two.pdf".to_owned(),
        ),
        (
            "due: 2026-09-15",
            "due: 2026-09-15/2026-09-20",
            "Due",
            "2026-09-15/2026-09-20".to_owned(),
        ),
        ("10:00:00+02:00", "11:00:00+02:00", "Window", "2026-09-15T09:00:00Z".to_owned()),
        ("needs: INFRA-2", "needs: INFRA-2, INFRA-3", "Needs", format!("{second}, {third}")),
        ("effort: 9.5", "effort: ", "Effort", String::new()),
        ("contact: ops@example.com\n", "", "Contact", String::new()),
    ] {
        let before = page(&lab);
        repo.replace(PATH, old, new);
        let file = repo.read(PATH);
        repo.run(&["sync"]).expect(0);
        assert_eq!(lab.writes(), 1, "{name}");
        let text = match text.strip_suffix(", BOB") {
            Some(ada) => {
                let after = page(&lab)["Owners"].clone();
                assert!(after.starts_with(ada) && after.len() > ada.len(), "{after}");
                after
            }
            None => text,
        };
        assert_eq!(changed(&before, &page(&lab)), [(name.to_owned(), text)]);
        assert_eq!(repo.read(PATH), file, "{name}: a push leaves the file alone");
        at_rest(&lab, &repo);
        assert_eq!(repo.read(PATH), file, "{name}");
    }
}

#[test]
fn an_edit_in_notion_is_one_line_of_the_file() {
    let lab = Lab::new();
    let repo = settled(&lab);
    let ids = |ids: &[&str]| {
        let ids: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        Value::Array(ids)
    };
    let ada = lab.sim.workspace().person().to_owned();
    let eve = lab.sim.workspace().add_person("Eve");
    let [second, third] = ["INFRA-2", "INFRA-3"].map(|id| lab.page("Stories", id));
    let file = |name: &str| {
        let url = format!("https://example.com/{name}");
        json!({"name": name, "type": "external", "external": {"url": url}})
    };
    for (name, value, diff) in [
        ("Effort", json!("13"), &["-effort: 8.0    # days", "+effort: 13    # days"][..]),
        ("Tags", json!("Backend, UI, Docs"), &["+  - \"docs\""]),
        ("Tags", json!("UI, Docs"), &["-  - backend    # the reason"]),
        ("Labels", json!("b, c"), &["-labels: [b, a]   # free", "+labels: [b, c]   # free"]),
        ("Stage", json!("Done"), &["-stage: doing", "+stage: done"]),
        ("Urgent", json!("false"), &["-urgent: yes  # today", "+urgent: no  # today"]),
        (
            "Link",
            json!("https://b.example/#x"),
            &["-link: 'https://example.com/a'", "+link: 'https://b.example/#x'"],
        ),
        (
            "Contact",
            json!("eve@example.com"),
            &["-contact: Ada@example.com", "+contact: eve@example.com"],
        ),
        ("Phone", json!("112"), &["-phone: \"+1 555 0100\"", "+phone: \"112\""]),
        (
            "Owners",
            json!({"people": ids(&[&ada, &eve])}),
            &["-owners: [ada@example.com]", "+owners: [ada@example.com, eve@example.com]"],
        ),
        (
            "Papers",
            json!({"files": [file("one.pdf"), file("two.pdf")]}),
            &["+- https://example.com/two.pdf"],
        ),
        ("Due", json!("2026-09-16"), &["-due: 2026-09-15   # a day", "+due: 2026-09-16   # a day"]),
        (
            "Window",
            json!({"date": {"start": "2026-09-15T09:30:00.000Z"}}),
            &["-window: 2026-09-15T10:00:00+02:00", "+window: 2026-09-15T11:30:00+02:00"],
        ),
        (
            "Needs",
            json!({"relation": ids(&[&third, &second])}),
            &["-needs: INFRA-2", "+needs: INFRA-2, INFRA-3"],
        ),
        ("Effort", json!(""), &["-effort: 13    # days", "+effort:    # days"]),
    ] {
        let before = repo.read(PATH);
        let id = lab.page("Stories", "INFRA-1");
        lab.sim.workspace().set_property(&id, name, value).unwrap();
        let there = page(&lab);
        lab.minutes(2);
        lab.sim.reset_requests();
        repo.run(&["sync"]).expect(0);
        assert_eq!(lab.writes(), 0, "{name}: a pull leaves the page alone");
        assert_eq!(line_diff(&before, &repo.read(PATH)), diff, "{name}");
        at_rest(&lab, &repo);
        assert_eq!(page(&lab), there, "{name}");
    }
}
