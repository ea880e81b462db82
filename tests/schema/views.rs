//! Views: made once, recognised, and left to people.

use serde_json::json;

use super::{changes, configured, nothing_to_do};
use crate::common::Lab;

fn names(lab: &Lab, database: &str) -> Vec<String> {
    lab.sim.workspace().views(database).into_iter().map(|view| view.name).collect()
}

const USUAL: [&str; 4] = ["Default view", "By scope", "By status", "Recently edited"];

#[test]
fn each_database_has_a_table_by_scope_a_board_by_status_and_a_list_of_recent_edits() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.init();
    for database in ["Stories", "Plans", "ADRs", "Runbooks"] {
        assert_eq!(names(&lab, database), USUAL, "{database}");
    }
    let workspace = lab.sim.workspace();
    let id = |name: &str| workspace.property_json("Stories", name)["id"].clone();
    let views = workspace.views("Stories");
    let kinds: Vec<&str> = views.iter().map(|view| view.kind.as_str()).collect();
    assert_eq!(kinds, ["table", "table", "board", "list"]);
    assert_eq!(views[1].sorts, json!([{"property": id("ID"), "direction": "ascending"}]));
    assert_eq!(views[1].configuration["group_by"]["property_id"], id("ID"));
    assert_eq!(views[2].configuration["group_by"]["property_id"], id("Status"));
    assert_eq!(views[2].configuration["group_by"]["type"], "select");
    // The 14 days move with the day: a formula counts them.
    let recent = workspace.property_json("Stories", "Edited in 14 days");
    let expression = recent["formula"]["expression"].as_str().unwrap();
    assert!(expression.contains("\"Last edited\"") && expression.contains("<= 14"), "{expression}");
    let filter = views[3].filter["and"].as_array().unwrap();
    let edited = json!({"property": recent["id"], "formula": {"checkbox": {"equals": true}}});
    assert!(filter.contains(&edited), "{filter:?}");
    assert_eq!(views[3].sorts[0]["timestamp"], "last_edited_time");
}

#[test]
fn what_a_person_renamed_or_deleted_is_not_fought_over() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.init();
    lab.sim.workspace().rename_view("Stories", "By scope", "All of them").unwrap();
    lab.sim.workspace().delete_view("Stories", "By status").unwrap();
    nothing_to_do(&lab, &repo);
    assert_eq!(names(&lab, "Stories"), ["Default view", "All of them", "Recently edited"]);
    // Without state the names are all that is known: what is there is not made twice.
    repo.git(&["update-ref", "-d", "refs/agent-sync/state"]);
    let run = repo.run(&["init"]).expect(0);
    assert_eq!(changes(&run), ["Stories create view By scope", "Stories create view By status"]);
    nothing_to_do(&lab, &repo);
}

#[test]
fn views_are_configured_by_name() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    configured(
        &repo,
        "kinds:
  story:
    views: {Recently edited: false, By priority: {type: board, group_by: Priority}, All: {type: table}}
  plan: {views: false}
",
    );
    repo.init();
    assert_eq!(
        names(&lab, "Stories"),
        ["Default view", "By scope", "By status", "By priority", "All"]
    );
    assert_eq!(names(&lab, "Plans"), ["Default view"]);
    assert!(!lab.sim.workspace().property_names("Plans").contains(&"Last edited".to_owned()));
    nothing_to_do(&lab, &repo);
}

#[test]
fn a_notion_without_views_is_one_notice() {
    let lab = Lab::with(|options| options.views = false);
    let repo = lab.repo("repo");
    let run = repo.run(&["init"]).expect(0);
    let notices = |run: &crate::common::Run| {
        let json = run.json();
        json["notices"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|n| n.to_string().contains("Views"))
            .count()
    };
    assert_eq!(notices(&run), 1, "{run:?}");
    lab.sim.reset_requests();
    let run = repo.run(&["init"]).expect(0);
    assert_eq!((notices(&run), changes(&run), lab.writes()), (1, Vec::new(), 0), "{run:?}");
    repo.story("INFRA-1", "First", "DRAFT", "Words.\n");
    repo.run(&["sync"]).expect(0);
}

#[test]
fn a_run_that_died_over_its_views_makes_none_twice() {
    for after in [false, true] {
        for nth in 0..12 {
            let lab = Lab::new();
            let repo = lab.repo("repo");
            let kind = match after {
                true => notion_sim::FaultKind::ResetAfter,
                false => notion_sim::FaultKind::ResetBefore,
            };
            lab.sim.fault(notion_sim::Fault {
                endpoint: Some("POST /v1/views".to_owned()),
                skip: nth,
                count: 1,
                kind,
            });
            repo.run(&["init"]);
            repo.init();
            for database in ["Stories", "Plans", "ADRs", "Runbooks"] {
                assert_eq!(names(&lab, database), USUAL, "{database} {after} {nth}");
            }
            nothing_to_do(&lab, &repo);
        }
    }
}
