//! Template rows.

use serde_json::json;

use super::{changes, configured, nothing_to_do, synced};
use crate::common::{Lab, Repo};

const FILE: &str = ".agent/templates/story.md";
const TEXT: &str = "# {id}: {title}\n\n## State\n\nDRAFT\n\n## Problem\n\nWhat hurts?\n\n## Solution\n\nWhat helps?\n";
const MARKER: &str = "agent-sync:template/story";

fn row(lab: &Lab) -> String {
    let rows = lab.sim.workspace().pages_with("Stories", "ID", MARKER);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.into_iter().next().unwrap()
}

fn with_template(lab: &Lab) -> Repo<'_> {
    let repo = synced(lab);
    repo.write(FILE, TEXT);
    let run = repo.run(&["init"]).expect(0);
    assert_eq!(changes(&run), ["Stories create template .agent/templates/story.md"]);
    repo
}

#[test]
fn a_template_row_is_made_follows_its_file_and_is_recognised() {
    let lab = Lab::new();
    let repo = with_template(&lab);
    let page = row(&lab);
    assert!(lab.sim.workspace().markdown(&page).contains("What hurts?"));
    assert_eq!(lab.sim.workspace().property_text(&page, "Status").as_deref(), Some("DRAFT"));
    nothing_to_do(&lab, &repo);
    repo.replace(FILE, "What hurts?", "What hurts, and whom?");
    let run = repo.run(&["init"]).expect(0);
    assert_eq!(changes(&run), ["Stories repair template .agent/templates/story.md"]);
    assert_eq!(row(&lab), page);
    let body = lab.sim.workspace().markdown(&page);
    assert!(body.contains("and whom?") && body.contains("What helps?"), "{body}");
    nothing_to_do(&lab, &repo);
    // Without state by its marker.
    repo.git(&["update-ref", "-d", "refs/agent-sync/state"]);
    lab.sim.reset_requests();
    let run = repo.run(&["init"]).expect(0);
    assert_eq!((changes(&run), lab.writes()), (Vec::new(), 0), "{run:?}");
    assert_eq!(row(&lab), page);
    nothing_to_do(&lab, &repo);
}

#[test]
fn a_template_row_is_no_artifact_and_gets_no_number() {
    let lab = Lab::new();
    let repo = with_template(&lab);
    let config = repo.read("agent-sync.yml");
    repo.write(
        "agent-sync.yml",
        &config.replace("type: notion\n", "type: notion\n    assign_ids: true\n"),
    );
    let files = repo.files();
    for _ in 0..2 {
        lab.minutes(2);
        let run = repo.run(&["sync"]).expect(0);
        assert_eq!((run.actions(), run.rules()), (Vec::new(), Vec::new()), "{run:?}");
    }
    repo.calm();
    assert_eq!(repo.files(), files);
    let page = row(&lab);
    // A person copies it: the copy is a page of its own, and gets the next id.
    let copy = lab
        .sim
        .workspace()
        .create_page("Stories", "A new one", &[("ID", json!(MARKER))], "Hello.\n")
        .unwrap();
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.sim.workspace().property_text(&copy, "ID").as_deref(), Some("INFRA-3"));
    assert_eq!(row(&lab), page);
    assert!(repo.files().keys().any(|path| path.contains("INFRA-3")));
}

#[test]
fn a_copy_without_numbering_is_a_page_without_an_id() {
    let lab = Lab::new();
    let repo = with_template(&lab);
    lab.sim
        .workspace()
        .create_page("Stories", "A new one", &[("ID", json!(MARKER))], "Hello.\n")
        .unwrap();
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.rules(), ["page-without-id"], "{run:?}");
}

#[test]
fn what_a_person_wrote_into_the_row_stays() {
    let lab = Lab::new();
    let repo = with_template(&lab);
    let page = row(&lab);
    lab.sim.workspace().edit_block(&page, "What helps?", "What helps, by Ada?").unwrap();
    nothing_to_do(&lab, &repo);
    repo.replace(FILE, "What hurts?", "What hurts, and whom?");
    let run = repo.run(&["init"]).expect(0);
    assert!(run.json()["notices"].to_string().contains("was edited in Notion"), "{run:?}");
    let body = lab.sim.workspace().markdown(&page);
    assert!(body.contains("by Ada?") && !body.contains("and whom?"), "{body}");
    // One that was trashed is not made again.
    lab.sim.workspace().trash(&page).unwrap();
    repo.replace(FILE, "and whom?", "and why?");
    lab.sim.reset_requests();
    let run = repo.run(&["init"]).expect(0);
    assert_eq!((changes(&run), lab.writes()), (Vec::new(), 0), "{run:?}");
}

#[test]
fn the_file_is_configured_by_kind() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.write("docs/story.md", TEXT);
    repo.write(".agent/templates/plan.md", TEXT);
    configured(&repo, "kinds:\n  story: {template: docs/story.md}\n  plan: {template: false}\n");
    repo.init();
    row(&lab);
    assert_eq!(lab.sim.workspace().pages_of("Plans", true), Vec::<String>::new());
    nothing_to_do(&lab, &repo);
    configured(&repo, "kinds:\n  story: {template: docs/none.md}\n");
    let run = repo.human(&["init"]).expect(2);
    assert!(run.stderr.contains("docs/none.md"), "{}", run.stderr);
}
