//! Finding before creating.

use serde_json::json;

use super::{changes, configured, nothing_to_do, synced};
use crate::common::Lab;

#[test]
fn of_several_data_sources_the_named_one_is_taken_by_title_or_by_id() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let parent = lab.sim.parent_page();
    let schema = json!({"Name": {"title": {}}});
    let (first, second) = {
        let mut workspace = lab.sim.workspace();
        workspace.create_database(&parent, "Stories", &schema).unwrap();
        let other = workspace.add_data_source("Stories", "Archive", &schema).unwrap();
        (workspace.database_by_title("Stories").unwrap().data_source, other)
    };
    // By title: its first data source is called as the database is.
    repo.init();
    let id_of =
        |source: &str| lab.sim.workspace().property_names(source).contains(&"ID".to_owned());
    assert!(id_of(&first) && !id_of(&second));
    // By id.
    let other = lab.repo("other");
    let config = other.read("agent-sync.yml");
    let databases = format!("type: notion\n    databases: {{story: \"{second}\"}}\n");
    other.write("agent-sync.yml", &config.replace("type: notion\n", &databases));
    other.init();
    assert!(id_of(&second));
}

#[test]
fn several_data_sources_of_which_none_has_the_title_are_listed() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let parent = lab.sim.parent_page();
    let schema = json!({"Name": {"title": {}}});
    let (database, second) = {
        let mut workspace = lab.sim.workspace();
        let database = workspace.create_database(&parent, "Work", &schema).unwrap();
        let second = workspace.add_data_source("Work", "More", &schema).unwrap();
        (database, second)
    };
    let config = repo.read("agent-sync.yml");
    let databases = format!("type: notion\n    databases: {{story: \"{database}\"}}\n");
    repo.write("agent-sync.yml", &config.replace("type: notion\n", &databases));
    let run = repo.human(&["init"]).expect(3);
    for words in [second.as_str(), "\"More\"", "https://app.notion.com/p/", "databases: {story:"] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert_eq!(lab.writes(), 0);
}

#[test]
fn of_two_databases_of_one_title_the_one_that_fits_is_taken() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let parent = lab.sim.parent_page();
    {
        let mut workspace = lab.sim.workspace();
        let unfit = json!({"Name": {"title": {}}, "Status": {"number": {}}});
        workspace.create_database(&parent, "Stories", &unfit).unwrap();
        let schema = json!({"Name": {"title": {}}});
        workspace.create_database(&parent, "Stories", &schema).unwrap();
    }
    let run = repo.run(&["init"]).expect(0);
    assert!(changes(&run).contains(&"Stories add property ID".to_owned()), "{run:?}");
    let databases = lab.sim.workspace().databases();
    assert_eq!(databases.iter().filter(|found| found.title == "Stories").count(), 2);
    nothing_to_do(&lab, &repo);
}

#[test]
fn without_state_everything_is_found_again() {
    let lab = Lab::new();
    let repo = synced(&lab);
    let files = repo.files();
    repo.git(&["update-ref", "-d", "refs/agent-sync/state"]);
    lab.sim.reset_requests();
    let run = repo.run(&["init"]).expect(0);
    assert_eq!((changes(&run), lab.writes()), (Vec::new(), 0), "{run:?}");
    nothing_to_do(&lab, &repo);
    repo.run(&["sync"]).expect(0);
    assert_eq!(repo.files(), files);
}

#[test]
fn one_kind_at_a_time_finds_the_targets_of_its_relations() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.run(&["init", "--kind", "plan", "--kind", "adr"]).expect(0);
    repo.run(&["init", "--kind", "story"]).expect(0);
    let plans = lab.sim.workspace().property_json("Stories", "Linked Plans");
    assert_eq!(plans["type"], "relation");
    configured(&repo, "");
    repo.init();
    nothing_to_do(&lab, &repo);
}
