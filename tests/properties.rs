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

#[test]
fn a_page_made_in_notion_is_a_file_with_everything() {
    let lab = Lab::new();
    let repo = settled(&lab);
    let ada = lab.sim.workspace().person().to_owned();
    let second = lab.page("Stories", "INFRA-2");
    let properties = [
        ("ID", json!("INFRA-9")),
        ("Status", json!("DRAFT")),
        ("Effort", json!("0.5")),
        ("Tags", json!("Docs, UI")),
        ("Labels", json!("2024, yes")),
        ("Stage", json!("Not started")),
        ("Urgent", json!("true")),
        ("Link", json!("https://example.com/?q=a: b #c")),
        ("Contact", json!("eve@example.com")),
        ("Phone", json!("+49 30 1")),
        ("Owners", json!({"people": [{"id": ada}]})),
        (
            "Papers",
            json!({"files": [{"name": "x", "type": "external", "external": {"url": "https://example.com/x,y"}}]}),
        ),
        ("Due", json!({"date": {"start": "2026-09-15", "end": "2026-09-20"}})),
        ("Window", json!({"date": {"start": "2026-09-15T10:00:00", "time_zone": "Europe/Berlin"}})),
        ("Needs", json!({"relation": [{"id": second}]})),
    ];
    lab.sim.workspace().create_page("Stories", "From Notion", &properties, "A text.").unwrap();
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let file = repo.read(".agent/cache/stories/INFRA/INFRA-9-from-notion.md");
    let front = file.strip_prefix("---\n").unwrap().split_once("---\n").unwrap().0;
    assert_eq!(
        front,
        "effort: 0.5\n\
         tags: [docs, ui]\n\
         labels: [\"2024\", \"yes\"]\n\
         stage: todo\n\
         urgent: true\n\
         link: \"https://example.com/?q=a: b #c\"\n\
         contact: eve@example.com\n\
         phone: \"+49 30 1\"\n\
         owners: [ada@example.com]\n\
         papers: [\"https://example.com/x,y\"]\n\
         due: 2026-09-15/2026-09-20\n\
         window: 2026-09-15T10:00:00[Europe/Berlin]\n\
         needs: INFRA-2\n"
    );
    at_rest(&lab, &repo);
}

#[test]
fn rule_5_without_state_equal_values_in_other_spellings_are_adopted() {
    let lab = Lab::new();
    let first = settled(&lab);
    let again = lab.repo("again");
    configure(&again, CONFIG);
    for (path, text) in first.files() {
        again.write(&path, &text);
    }
    again.replace(PATH, "effort: 8.0", "effort: \"8\"");
    again.replace(PATH, "urgent: yes", "urgent: TRUE");
    again.replace(PATH, "  - \"ui\"", "  - UI");
    again.replace(PATH, "labels: [b, a]", "labels: A, B");
    again.replace(PATH, "stage: doing", "stage: Doing");
    again.replace(PATH, "10:00:00+02:00", "08:00:00Z");
    again.replace(PATH, "[ada@example.com]", "Ada@Example.com");
    let before = again.files();
    again.init();
    lab.sim.reset_requests();
    let run = again.run(&["sync"]).expect(0);
    assert_eq!((lab.writes(), again.files()), (0, before), "{run:?}");
    at_rest(&lab, &again);
}

#[test]
fn users_are_listed_once_and_only_for_an_address_that_must_be_found() {
    let lab = Lab::new();
    let repo = settled(&lab);
    let listings = || {
        let requests = lab.sim.requests();
        requests.iter().filter(|request| request.endpoint == "GET /v1/users").count()
    };
    lab.sim.reset_requests();
    repo.replace(PATH, "effort: 8.0", "effort: 9");
    repo.run(&["sync"]).expect(0);
    assert_eq!(listings(), 0);
    // docs/design.md §8: D + 4, and one for the users.
    repo.settle();
    lab.sim.reset_requests();
    repo.replace(PATH, "[ada@", "[bob@example.com, ada@");
    repo.run(&["sync"]).expect(0);
    assert_eq!((listings(), lab.count()), (1, 4 + 4 + 1));
    repo.settle();
    lab.sim.reset_requests();
    repo.replace(PATH, "[bob@example.com, ada@", "[ada@");
    repo.run(&["sync"]).expect(0);
    assert_eq!((listings(), lab.count()), (0, 4 + 4), "who stays is known");
    // Two files in one run.
    repo.settle();
    for id in ["INFRA-2-second", "INFRA-3-third"] {
        let path = format!(".agent/cache/stories/INFRA/{id}.md");
        repo.write(&path, &format!("---\nowners: [bob@example.com]\n---\n{}", repo.read(&path)));
    }
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!(listings(), 1);
}

#[test]
fn an_address_of_nobody_is_a_finding_that_names_it() {
    let lab = Lab::new();
    let repo = settled(&lab);
    repo.replace(PATH, "[ada@", "[nobody@example.com, ada@");
    let before = page(&lab);
    let run = repo.run(&["sync"]).expect(0);
    let text = run.json()["findings"].to_string();
    assert!(
        text.contains("nobody@example.com") && text.contains("Owners") && text.contains(PATH),
        "{text}"
    );
    assert_eq!(page(&lab), before);
}

#[test]
fn without_the_capability_people_are_left_alone_and_the_finding_names_it() {
    let lab = Lab::with(|options| options.capabilities.user_info = false);
    let repo = lab.repo("repo");
    configure(&repo, CONFIG);
    repo.write(PATH, &FILE.replace("owners: [ada@example.com]\n", ""));
    repo.story("INFRA-2", "Second", "DRAFT", "## Why\n\nTwo.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    at_rest(&lab, &repo);
    let needed = "Read user information including email addresses";
    // From the file: nothing can be found.
    repo.replace(PATH, "papers:", "owners: [ada@example.com]\npapers:");
    let text = repo.run(&["sync"]).json()["findings"].to_string();
    assert!(text.contains(needed) && text.contains("Owners"), "{text}");
    assert_eq!(page(&lab)["Owners"], "");
    // From the page: it names somebody, and the file keeps whom it names.
    let ada = lab.sim.workspace().person().to_owned();
    let id = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().set_property(&id, "Owners", json!({"people": [{"id": ada}]})).unwrap();
    lab.minutes(2);
    let file = repo.read(PATH);
    for _ in 0..2 {
        let run = repo.run(&["sync"]).expect(0);
        assert_eq!(run.rules(), ["people-unreadable"]);
        assert!(run.json()["findings"].to_string().contains(needed));
        assert_eq!((page(&lab)["Owners"].as_str(), repo.read(PATH)), (ada.as_str(), file.clone()));
    }
}

#[test]
fn more_than_25_references_and_people_are_read_whole_before_a_write() {
    let lab = Lab::new();
    let repo = settled(&lab);
    let mut people = Vec::new();
    let mut stories = Vec::new();
    for n in 0..30 {
        people.push(json!({"id": lab.sim.workspace().add_person(&format!("P{n:02}"))}));
        let id = [("ID", json!(format!("MANY-{n}")))];
        let page =
            lab.sim.workspace().create_page("Stories", &format!("Many {n}"), &id, "x").unwrap();
        stories.push(json!({ "id": page }));
    }
    let id = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().set_property(&id, "Owners", json!({ "people": people })).unwrap();
    lab.sim.workspace().set_property(&id, "Needs", json!({ "relation": stories })).unwrap();
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let file = repo.read(PATH);
    assert_eq!((file.matches("@example.com").count() - 1, file.matches("MANY-").count()), (30, 30));
    at_rest(&lab, &repo);
    let before = page(&lab);
    repo.replace(PATH, "p00@example.com", "ada@example.com, p00@example.com");
    repo.replace(PATH, "MANY-0, ", "INFRA-2, MANY-0, ");
    repo.run(&["sync"]).expect(0);
    let after = page(&lab);
    for name in ["Owners", "Needs"] {
        let (before, after) = (&before[name], &after[name]);
        assert!(after.starts_with(before.as_str()), "all stay, in their order: {before} / {after}");
        assert_eq!(after.split(", ").count(), 31);
    }
    at_rest(&lab, &repo);
}

#[test]
fn what_notion_would_refuse_is_a_finding_and_nothing_is_sent() {
    let lab = Lab::new();
    let repo = settled(&lab);
    let many = |what: &str| {
        let members: Vec<String> = (0..101).map(|n| format!("{what}{n}")).collect();
        members.join(", ")
    };
    for (old, new, says) in [
        ("Ada@example.com", format!("{}@example.com", "a".repeat(200)), "200"),
        ("+1 555 0100", "1".repeat(201), "200"),
        ("https://example.com/a", format!("https://example.com/{}", "a".repeat(2000)), "2000"),
        ("[b, a]", format!("[{}]", many("o")), "101"),
        ("[b, a]", "[\"b, c\"]".to_owned(), "comma"),
    ] {
        let file = repo.read(PATH);
        repo.replace(PATH, old, &new);
        let before = page(&lab);
        lab.sim.reset_requests();
        let run = repo.run(&["sync"]).expect(0);
        let text = run.json()["findings"].to_string();
        assert!(text.contains(says) && text.contains(PATH), "{says}: {text}");
        assert_eq!((lab.writes(), page(&lab)), (0, before));
        repo.write(PATH, &file);
    }
    // Values that mean nothing are found in the file, with their line; the rest of it syncs.
    for (old, new, rule) in [
        ("effort: 8.0", "effort: many", "invalid-number"),
        ("stage: doing", "stage: someday", "unknown-option"),
        ("  - backend", "  - nonsense", "unknown-option"),
        ("urgent: yes", "urgent: perhaps", "invalid-checkbox"),
        ("owners: [ada@example.com]", "owners: [Ada]", "invalid-person"),
    ] {
        let file = repo.read(PATH);
        repo.replace(PATH, old, new);
        repo.replace(PATH, "Because.", &format!("Because of {rule} {old}."));
        let before = page(&lab);
        let run = repo.run(&["sync"]).expect(0);
        assert_eq!(run.rules(), [rule]);
        assert!(run.json()["findings"][0]["line"].is_number());
        assert_eq!(page(&lab), before);
        assert!(lab.body("Stories", "INFRA-1").contains(rule));
        repo.write(PATH, &file);
        repo.run(&["sync"]).expect(0);
    }
    // A person's option outside the list stays in Notion, and the file as it is.
    let id = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().set_property(&id, "Tags", "UI, Mine").unwrap();
    lab.minutes(2);
    let file = repo.read(PATH);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.rules(), ["unknown-option"]);
    assert_eq!((repo.read(PATH), page(&lab)["Tags"].as_str()), (file, "UI, Mine"));
}

const COMPUTED: &str = "kinds:
  story:
    properties:
      Number: {type: unique_id, from: {front_matter: number}}
      Made: {type: created_time, from: {front_matter: made}}
      Author: {type: created_by, from: {front_matter: author}}
      Edited: {type: last_edited_time, from: {front_matter: edited}}
      Editor: {type: last_edited_by, from: {front_matter: editor}}
";

#[test]
fn what_notion_computes_is_pulled_and_never_pushed() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    configure(&repo, COMPUTED);
    let path = repo.story("INFRA-1", "First", "DRAFT", "## Why\n\nOne.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    // Who edited last was we ourselves, which is nobody's news.
    let front = |repo: &Repo<'_>| repo.read(&path).split_once("# INFRA-1").unwrap().0.to_owned();
    assert_eq!(
        front(&repo),
        "---\nauthor: agent-sync\nmade: 2026-11-20T10:00:00Z\nnumber: 1\n---\n\n"
    );
    at_rest(&lab, &repo);
    // A person's edit of the page.
    lab.edit("Stories", "INFRA-1", "One", "One, from Notion.");
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let edited = front(&repo);
    assert!(
        edited.contains("\neditor: ada@example.com\n")
            && edited.contains("\nedited: 2026-11-20T10:"),
        "{edited}"
    );
    at_rest(&lab, &repo);
    // Our own write moves Notion's time and changes no file.
    repo.replace(&path, "DRAFT", "REVIEW");
    repo.run(&["sync"]).expect(0);
    at_rest(&lab, &repo);
    assert_eq!(front(&repo), edited);
    // An edit of such a key is never sent, found once, and set back.
    repo.replace(&path, "number: 1", "number: 7");
    lab.sim.reset_requests();
    let check = repo.run(&["check"]);
    assert_eq!(check.rules(), ["read-only-property"], "{check:?}");
    let push = repo.run(&["push", "--force"]);
    assert_eq!((push.rules(), lab.writes()), (vec!["read-only-property".to_owned()], 0));
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!((run.rules(), lab.writes()), (vec!["read-only-property".to_owned()], 0));
    assert_eq!(front(&repo), edited);
    at_rest(&lab, &repo);
    // A deleted file is a deletion, whatever Notion computed meanwhile.
    repo.story("INFRA-2", "Second", "DRAFT", "## Why\n\nTwo.\n");
    repo.run(&["sync"]).expect(0);
    at_rest(&lab, &repo);
    std::fs::remove_file(repo.path.join(&path)).unwrap();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.json()["conflicts"], json!([]));
    assert!(lab.find_page("Stories", "INFRA-1").is_none());
}

#[test]
fn a_journey_syncs_keys_of_every_type() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    configure(
        &repo,
        "    share: [journey]\nkinds:\n  journey:\n    properties:\n      \
         Effort: {type: number, from: {key: effort}}\n      Tags: {type: multi_select, from: {key: tags}}\n      \
         Owners: {type: people, from: {key: owners}}\n      Live: {type: checkbox, from: {key: live}}\n      \
         Due: {type: date, from: {key: due}}\n      After: {type: relation, target: journey, from: {key: after}}\n",
    );
    let path = ".agent/cache/journeys/JRN/JRN-001-sign-in.yaml";
    let text = "# A journey\ntitle: Sign in\nstate: draft\neffort: 3   # points\ntags:\n  - a  # first\nowners: [ada@example.com]\n\
                live: no\ndue: '2026-09-15'\nsteps:\n  - do: open   # kept\n    see: page\n\n# end\n";
    repo.write(path, text);
    repo.write(
        ".agent/cache/journeys/JRN/JRN-002-out.yaml",
        "title: Out\nstate: draft\nsteps: []\n",
    );
    repo.init();
    repo.run(&["sync"]).expect(0);
    assert_eq!(repo.read(path), text);
    at_rest(&lab, &repo);
    let body = lab.body("Journeys", "JRN-001");
    assert!(body.contains("- do: open   # kept") && !body.contains("effort"), "{body}");
    let id = lab.page("Journeys", "JRN-001");
    let other = lab.page("Journeys", "JRN-002");
    for (name, value, diff) in [
        ("Effort", json!("5"), &["-effort: 3   # points", "+effort: 5   # points"][..]),
        ("Tags", json!("a, b"), &["+  - b"]),
        ("Live", json!("true"), &["-live: no", "+live: yes"]),
        ("Due", json!("2026-10-01"), &["-due: '2026-09-15'", "+due: '2026-10-01'"]),
        ("After", json!(other), &["+after: JRN-002"]),
    ] {
        let before = repo.read(path);
        lab.sim.workspace().set_property(&id, name, value).unwrap();
        lab.minutes(2);
        repo.run(&["sync"]).expect(0);
        assert_eq!(line_diff(&before, &repo.read(path)), diff, "{name}");
        at_rest(&lab, &repo);
    }
    repo.replace(path, "  - b\n", "  - b\n  - c\n");
    repo.replace(path, "effort: 5", "effort: 8");
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.property("Journeys", "JRN-001", "Tags").as_deref(), Some("a, b, c"));
    assert_eq!(lab.property("Journeys", "JRN-001", "Effort").as_deref(), Some("8"));
    assert_eq!(lab.body("Journeys", "JRN-001"), body);
    at_rest(&lab, &repo);
}

#[test]
fn a_cleared_status_takes_notions_default_and_the_file_stays() {
    let lab = Lab::new();
    let repo = settled(&lab);
    repo.replace(PATH, "stage: doing", "stage:");
    let file = repo.read(PATH);
    repo.run(&["sync"]).expect(0);
    assert_eq!(page(&lab)["Stage"], "Not started");
    at_rest(&lab, &repo);
    assert_eq!(repo.read(PATH), file);
    let id = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().set_property(&id, "Stage", "Done").unwrap();
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    assert_eq!(line_diff(&file, &repo.read(PATH)), ["-stage:", "+stage: done"]);
    at_rest(&lab, &repo);
}

#[test]
fn bots_and_uploaded_files_stay_on_the_page() {
    let lab = Lab::new();
    let repo = settled(&lab);
    let id = lab.page("Stories", "INFRA-1");
    let ada = lab.sim.workspace().person().to_owned();
    let bot = lab.sim.workspace().bot().to_owned();
    let people = json!({"people": [{"id": bot}, {"id": ada}]});
    lab.sim.workspace().set_property(&id, "Owners", people).unwrap();
    lab.minutes(2);
    let file = repo.read(PATH);
    repo.run(&["sync"]).expect(0);
    assert_eq!(repo.read(PATH), file);
    at_rest(&lab, &repo);
    repo.replace(PATH, "owners: [ada@example.com]", "owners: [bob@example.com]");
    repo.run(&["sync"]).expect(0);
    let owners = page(&lab)["Owners"].clone();
    assert!(
        owners.starts_with(&bot) && !owners.contains(&ada) && owners.contains(", "),
        "{owners}"
    );
    at_rest(&lab, &repo);
    repo.replace(PATH, "owners: [bob@example.com]", "owners: []");
    repo.run(&["sync"]).expect(0);
    assert_eq!(page(&lab)["Owners"], bot);
    at_rest(&lab, &repo);
}

#[test]
fn what_only_a_person_can_define_is_asked_for_and_what_is_lost_stops_the_run() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    configure(
        &repo,
        "kinds:\n  story:\n    properties:\n      Score: {type: formula, from: {front_matter: score}}\n",
    );
    repo.init();
    let run = repo.run(&["init"]).expect(3);
    assert!(run.json()["error"].to_string().contains("Score"), "{run:?}");
    // A type that is not the configured one is never changed by us.
    configure(
        &repo,
        "kinds:\n  story:\n    properties:\n      Type: {type: number, from: {front_matter: type}}\n",
    );
    let run = repo.run(&["init"]).expect(3);
    let error = run.json()["error"].to_string();
    assert!(error.contains("select") && error.contains("number"), "{error}");
    assert_eq!(lab.sim.workspace().options("Stories", "Status").len(), 10);
}

#[test]
fn init_adds_missing_properties_and_options_of_every_type() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.init();
    configure(&repo, CONFIG);
    repo.init();
    let mut names = lab.sim.workspace().property_names("Stories");
    names.sort();
    for name in ["Effort", "Tags", "Stage", "Urgent", "Owners", "Papers", "Due", "Needs"] {
        assert!(names.iter().any(|there| there == name), "{name}");
    }
    lab.sim.workspace().add_option("Stories", "Tags", "Mine").unwrap();
    let more = repo.read("agent-sync.yml").replace("docs: Docs}", "docs: Docs, ops: Ops}");
    repo.write("agent-sync.yml", &more.replace("done: Done}", "done: Done, held: On hold}"));
    repo.init();
    let options = |name: &str| lab.sim.workspace().options("Stories", name);
    assert_eq!(options("Tags"), ["Backend", "UI", "Docs", "Mine", "Ops"]);
    assert_eq!(options("Stage"), ["Not started", "In progress", "Done", "On hold"]);
    lab.sim.reset_requests();
    repo.init();
    assert_eq!(lab.writes(), 0);
}

#[test]
fn sets_that_both_sides_changed_merge_by_members() {
    let lab = Lab::new();
    let repo = settled(&lab);
    let id = lab.page("Stories", "INFRA-1");
    let [ada, eve] = {
        let mut workspace = lab.sim.workspace();
        [workspace.person().to_owned(), workspace.add_person("Eve")]
    };
    for (name, value) in [
        ("Tags", json!("Backend, UI, Docs")),
        ("Labels", json!("b, mine")),
        ("Owners", json!({"people": [{"id": ada}, {"id": eve}]})),
    ] {
        lab.sim.workspace().set_property(&id, name, value).unwrap();
    }
    repo.replace(PATH, "  - backend    # the reason\n", "");
    repo.replace(PATH, "labels: [b, a]", "labels: [b, a, ours]");
    repo.replace(PATH, "[ada@", "[bob@example.com, ada@");
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.json()["conflicts"], json!([]));
    let file = repo.read(PATH);
    assert!(file.contains("tags:\n  # what users see\n  - \"ui\"\n  - \"docs\"\n"), "{file}");
    assert!(
        file.contains("labels: [b, mine, ours]") || file.contains("labels: [b, ours, mine]"),
        "{file}"
    );
    assert!(file.contains("owners: [bob@example.com, ada@example.com, eve@example.com]"), "{file}");
    let page = page(&lab);
    assert_eq!((page["Tags"].as_str(), page["Labels"].as_str()), ("UI, Docs", "b, mine, ours"));
    assert!(page["Owners"].starts_with(&format!("{ada}, {eve}, ")), "{}", page["Owners"]);
    at_rest(&lab, &repo);
}
