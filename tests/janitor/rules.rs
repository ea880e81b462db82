//! Each rule on both sides, by the binary. Where each is silent is told in `src/janitor/tests.rs`, and for two of
//! them in the scenarios.

use serde_json::json;

use super::{BODY, clean, found, reads};
use crate::common::{Lab, Repo, Run};

/// Lets minutes pass, syncs, and looks.
#[track_caller]
fn after_sync(lab: &Lab, repo: &Repo<'_>) -> Run {
    lab.minutes(2);
    repo.run(&["sync", "--full"]);
    lab.minutes(2);
    repo.run(&["sync"]);
    let run = repo.run(&["janitor"]);
    assert!(matches!(run.code, 0 | 1), "{run:?}");
    let again = reads(lab, repo, &["janitor"], run.code);
    assert_eq!(again.json()["findings"], run.json()["findings"], "nothing new the second time");
    run
}

#[track_caller]
fn finds(lab: &Lab, repo: &Repo<'_>, wanted: &[&str]) {
    let run = after_sync(lab, repo);
    assert_eq!(found(&run), wanted, "{run:?}");
}

#[test]
fn broken_reference() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.replace(&path, "- ADR-1\n", "- ADR-1\n- ADR-77\n");
    repo.replace(&path, "first paragraph", "first [paragraph](nowhere.md), INFRA-88, UTF-8");
    finds(&lab, &repo, &["broken-reference story/INFRA-1"; 3]);
}

#[test]
fn missing_field() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.replace(&path, "## State\n\nDRAFT\n\n", "");
    finds(&lab, &repo, &["missing-field story/INFRA-1"]);
    repo.replace(
        &path,
        "# INFRA-1: First\n",
        "---\npriority:\n---\n\n# INFRA-1: First\n\n## State\n\nDRAFT\n",
    );
    finds(&lab, &repo, &["missing-field story/INFRA-1"]);
    repo.replace(&path, "priority:", "priority: High");
    finds(&lab, &repo, &[]);
}

#[test]
fn duplicates() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.write(&path.replace("first", "twin"), &repo.read(&path));
    finds(&lab, &repo, &["duplicate-id story/INFRA-1"]);
    std::fs::remove_file(repo.path.join(path.replace("first", "twin"))).unwrap();
    finds(&lab, &repo, &[]);
    let values = [("ID", json!("INFRA-1")), ("Status", json!("DRAFT"))];
    let twin = lab.sim.workspace().create_page("Stories", "Twin", &values, "x").unwrap();
    finds(&lab, &repo, &["duplicate-page story/INFRA-1"]);
    lab.sim.workspace().trash(&twin).unwrap();
    finds(&lab, &repo, &[]);
}

#[test]
fn page_without_id() {
    let lab = Lab::new();
    let (repo, _) = clean(&lab);
    let page = lab.sim.workspace().create_page("Stories", "By hand", &[], "x").unwrap();
    let run = after_sync(&lab, &repo);
    assert_eq!(found(&run), ["page-without-id /"]);
    let url = run.json()["findings"][0]["url"].as_str().unwrap().to_owned();
    let config = repo.read("agent-sync.yml");
    let ignore = format!(
        "janitor: {{ignore: [{{rule: page-without-id, artifact: '{url}', reason: a note}}]}}\n"
    );
    repo.write("agent-sync.yml", &(config + &ignore));
    finds(&lab, &repo, &[]);
    lab.sim.workspace().trash(&page).unwrap();
}

#[test]
fn unknown_option() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.replace(&path, "DRAFT", "ICEBOX");
    finds(&lab, &repo, &["unknown-option story/INFRA-1"]);
    repo.replace(&path, "ICEBOX", "DRAFT");
    finds(&lab, &repo, &[]);
}

#[test]
fn title_mismatch() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.replace(&path, "# INFRA-1: First", "# INFRA-2: First");
    finds(&lab, &repo, &["title-mismatch story/INFRA-1"]);
    repo.replace(&path, "# INFRA-2: First", "# INFRA-1: First");
    finds(&lab, &repo, &[]);
    // Two titles that somebody decided to keep.
    repo.replace(&path, "# INFRA-1: First", "# INFRA-1: The file's");
    let page = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().rename(&page, "The page's").unwrap();
    lab.minutes(2);
    repo.run(&["resolve", "story/INFRA-1", "--keep", "both"]).expect(0);
    finds(&lab, &repo, &["title-mismatch story/INFRA-1"]);
}

#[test]
fn what_nobody_touches() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    repo.replace(&path, "DRAFT", "IN_PROGRESS");
    repo.replace(super::ADR, "ACCEPTED", "PROPOSED");
    finds(&lab, &repo, &[]);
    lab.minutes(60 * 24 * 31);
    let run = after_sync(&lab, &repo);
    assert_eq!(found(&run), ["stale-decision adr/ADR-1", "stale-status story/INFRA-1"]);
    let before = run.json()["findings"].clone();
    lab.minutes(60 * 24);
    assert_eq!(
        after_sync(&lab, &repo).json()["findings"],
        before,
        "a day later it is no other finding"
    );
    lab.edit("Stories", "INFRA-1", "first", "Touched.");
    repo.replace(super::ADR, "PROPOSED", "ACCEPTED");
    finds(&lab, &repo, &[]);
}

#[test]
fn superseded_but_active() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    let new = ".agent/adrs/ADR-2-better.md";
    repo.write(new, "# ADR-2: Better\n\n## Status\n\nACCEPTED\n\n## Why\n\nSupersedes ADR-1.\n");
    finds(&lab, &repo, &["superseded-but-active adr/ADR-1"]);
    repo.replace(super::ADR, "ACCEPTED", "SUPERSEDED");
    finds(&lab, &repo, &["superseded-but-active story/INFRA-1"]);
    repo.replace(&path, "- ADR-1", "- ADR-2");
    finds(&lab, &repo, &[]);
}

#[test]
fn orphan_page() {
    let lab = Lab::new();
    let (repo, _) = clean(&lab);
    let second = repo.story("INFRA-2", "Second", "RETIRED", BODY);
    finds(&lab, &repo, &[]);
    // A page that holds another one is never trashed.
    let page = lab.page("Stories", "INFRA-2");
    lab.sim.workspace().create_subpage(&page, "Inside", "x").unwrap();
    lab.minutes(2);
    repo.run(&["sync"]);
    lab.minutes(2);
    repo.run(&["sync"]);
    std::fs::remove_file(repo.path.join(&second)).unwrap();
    let run = after_sync(&lab, &repo);
    assert!(found(&run).contains(&"orphan-page story/INFRA-2".to_owned()), "{run:?}");
}

#[test]
fn a_schema_that_drifted_is_told() {
    let lab = Lab::new();
    let (repo, _) = clean(&lab);
    // A database without pages: no listing shows what its pages lack.
    let database = lab.sim.workspace().database_by_title("Runbooks").unwrap().id;
    lab.sim.workspace().remove_property(&database, "Status").unwrap();
    let run = repo.run(&["janitor"]).expect(1);
    assert_eq!(found(&run), ["schema-drift /"], "{run:?}");
    assert!(run.json()["findings"][0]["message"].as_str().unwrap().contains("Status"));
}
