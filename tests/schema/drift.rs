//! Each kind of drift, made by a person.

use serde_json::json;

use super::{FIRST, changes, configured, nothing_to_do, synced, values};
use crate::common::{Lab, Repo};

/// Runs `init`, which must repair exactly this and lose no value.
#[track_caller]
fn repaired(lab: &Lab, repo: &Repo<'_>, wanted: &[&str]) {
    let before = values(lab);
    let planned = repo.run(&["init", "--dry-run"]).expect(0);
    let run = repo.run(&["init"]).expect(0);
    assert_eq!((changes(&planned), changes(&run)), (changes(&run), as_text(wanted)), "{run:?}");
    assert_eq!(values(lab), before);
    nothing_to_do(lab, repo);
}

/// Runs `init`, which must leave this to a person and lose no value.
#[track_caller]
fn reported(lab: &Lab, repo: &Repo<'_>, wanted: &[&str], words: &[&str]) {
    let before = values(lab);
    for args in [&["init", "--dry-run"][..], &["init"]] {
        let run = repo.run(args).expect(3);
        assert_eq!(changes(&run), as_text(wanted), "{run:?}");
        assert_eq!(run.json()["outcome"], "refused");
        let error = run.json()["error"].to_string();
        for words in words {
            assert!(error.contains(words), "{words}: {error}");
        }
    }
    assert_eq!(values(lab), before);
}

fn as_text(wanted: &[&str]) -> Vec<String> {
    wanted.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_missing_property_comes_back_and_is_filled_from_the_files() {
    let lab = Lab::new();
    let repo = synced(&lab);
    let files = repo.files();
    lab.sim.workspace().remove_property("Stories", "Priority").unwrap();
    repaired(&lab, &repo, &["Stories repair property Priority"]);
    repo.run(&["sync"]).expect(0);
    assert_eq!(repo.files(), files, "no value of a file was taken for cleared");
    assert_eq!(lab.property("Stories", "INFRA-1", "Priority").as_deref(), Some("High"));
    repo.settle();
    assert_eq!(repo.files(), files);
}

#[test]
fn a_lost_relation_comes_back_and_is_filled_from_the_files() {
    let lab = Lab::new();
    let repo = synced(&lab);
    let files = repo.files();
    lab.sim.workspace().remove_property("Stories", "Linked Plans").unwrap();
    repaired(&lab, &repo, &["Stories repair property Linked Plans"]);
    repo.run(&["sync"]).expect(0);
    repo.settle();
    assert_eq!(repo.files(), files);
    let plan = lab.page("Plans", "INFRA-7");
    assert_eq!(lab.property("Stories", "INFRA-1", "Linked Plans"), Some(plan));
}

#[test]
fn a_missing_option_is_added_and_a_persons_stays() {
    let lab = Lab::new();
    let repo = synced(&lab);
    {
        let mut workspace = lab.sim.workspace();
        workspace.remove_option("Stories", "Status", "REVIEW").unwrap();
        workspace.add_option("Stories", "Status", "Theirs").unwrap();
        let page = workspace.page_with("Stories", "ID", "INFRA-2").unwrap();
        workspace.set_property(&page, "Status", "Theirs").unwrap();
    }
    repaired(&lab, &repo, &["Stories add option Status"]);
    let options = lab.sim.workspace().options("Stories", "Status");
    assert!(options.contains(&"REVIEW".to_owned()) && options.contains(&"Theirs".to_owned()));
    assert_eq!(lab.property("Stories", "INFRA-2", "Status").as_deref(), Some("Theirs"));
}

#[test]
fn a_renamed_property_is_followed_by_its_id() {
    let lab = Lab::new();
    let repo = synced(&lab);
    lab.sim.workspace().rename_property("Stories", "Status", "Stage").unwrap();
    repaired(&lab, &repo, &[]);
    repo.replace(FIRST, "DRAFT", "REVIEW");
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.property("Stories", "INFRA-1", "Stage").as_deref(), Some("REVIEW"));
}

#[test]
fn a_wrong_type_is_a_persons() {
    let lab = Lab::new();
    let repo = synced(&lab);
    lab.sim.workspace().retype_property("Stories", "Priority", &json!({"rich_text": {}})).unwrap();
    reported(
        &lab,
        &repo,
        &["Stories cannot-repair property Priority"],
        &["rich_text", "select", "Change its type in Notion"],
    );
    // A run that meets it says the same, and changes nothing: what cannot be read was not cleared.
    let files = repo.files();
    lab.minutes(2);
    for command in ["sync", "pull", "check"] {
        let run = repo.run(&[command]).expect(3);
        assert!(run.json()["error"].to_string().contains("rich_text"), "{run:?}");
    }
    assert_eq!(repo.files(), files);
}

#[test]
fn a_relation_that_points_elsewhere_is_a_persons() {
    let lab = Lab::new();
    let repo = synced(&lab);
    {
        let mut workspace = lab.sim.workspace();
        let adrs = workspace.database_by_title("ADRs").unwrap().data_source;
        let relation = json!({"relation": {"data_source_id": adrs, "type": "single_property", "single_property": {}}});
        workspace.retype_property("Stories", "Linked Plans", &relation).unwrap();
    }
    reported(
        &lab,
        &repo,
        &["Stories cannot-repair property Linked Plans"],
        &["points to another database", "plan"],
    );
}

#[test]
fn what_can_be_repaired_is_beside_what_cannot() {
    let lab = Lab::new();
    let repo = synced(&lab);
    {
        let mut workspace = lab.sim.workspace();
        workspace.retype_property("Stories", "Type", &json!({"number": {}})).unwrap();
        workspace.remove_property("Stories", "Priority").unwrap();
        workspace.remove_property("Plans", "Objectives").unwrap();
    }
    let run = repo.run(&["init"]).expect(3);
    assert_eq!(
        changes(&run),
        [
            "Plans repair property Objectives",
            "Stories cannot-repair property Type",
            "Stories repair property Priority"
        ]
    );
    let names = lab.sim.workspace().property_names("Stories");
    assert!(names.contains(&"Priority".to_owned()));
    let run = repo.run(&["init"]).expect(3);
    assert_eq!(changes(&run), ["Stories cannot-repair property Type"]);
}

#[test]
fn a_list_of_options_over_the_limit_is_a_persons() {
    let lab = Lab::new();
    let repo = synced(&lab);
    for n in 0..91 {
        lab.sim.workspace().add_option("Stories", "Status", &format!("More {n}")).unwrap();
    }
    // All that is configured is there, so nothing is wrong.
    nothing_to_do(&lab, &repo);
    lab.sim.workspace().remove_option("Stories", "Status", "REVIEW").unwrap();
    reported(
        &lab,
        &repo,
        &["Stories cannot-repair property Status"],
        &["REVIEW", "more than 100 options", "Add them in Notion"],
    );
    // A configured list that is too long makes no database.
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let options: Vec<String> = (0..101).map(|n| format!("O{n}")).collect();
    let list = options.join(", ");
    configured(
        &repo,
        &format!("kinds:\n  adr:\n    properties:\n      Status: {{options: [{list}]}}\n"),
    );
    let run = repo.run(&["init"]).expect(3);
    assert!(run.json()["error"].to_string().contains("more than 100 options"), "{run:?}");
    assert_eq!(lab.writes(), 0);
}

#[test]
fn a_database_in_the_trash_is_taken_out_with_all_its_values() {
    let lab = Lab::new();
    let repo = synced(&lab);
    let before = values(&lab);
    lab.sim.workspace().delete_database("Stories").unwrap();
    let run = repo.run(&["sync"]).expect(3);
    assert!(run.json()["error"].to_string().contains("agent-sync init"), "{run:?}");
    let run = repo.run(&["init"]).expect(0);
    assert_eq!(changes(&run), ["Stories repair database Stories"]);
    assert_eq!(values(&lab), before);
    nothing_to_do(&lab, &repo);
    repo.calm();
}

#[test]
fn a_database_that_is_not_shared_is_a_persons_and_no_second_one_is_made() {
    let lab = Lab::new();
    let repo = synced(&lab);
    let before = values(&lab);
    let database = lab.sim.workspace().database_by_title("Stories").unwrap();
    lab.sim.workspace().unshare(&database.id);
    lab.sim.reset_requests();
    let run = repo.run(&["init"]).expect(3);
    let error = run.json()["error"].to_string();
    assert!(error.contains("Share it with the connection"), "{error}");
    // Relations to it are hidden as well, and not lost: not even for a run that looks at another kind alone.
    repo.run(&["init", "--kind", "runbook"]).expect(3);
    assert_eq!(lab.writes(), 0);
    lab.sim.workspace().share(&database.id);
    assert_eq!(values(&lab), before);
    nothing_to_do(&lab, &repo);
    repo.calm();
}

#[test]
fn a_database_that_is_gone_for_good_is_made_anew_and_filled_from_the_files() {
    let lab = Lab::new();
    let repo = synced(&lab);
    let files = repo.files();
    lab.sim.workspace().delete_database_forever("Stories").unwrap();
    let run = repo.run(&["sync"]).expect(3);
    assert!(run.json()["error"].to_string().contains("agent-sync init"), "{run:?}");
    let run = repo.run(&["init"]).expect(0);
    assert!(changes(&run).contains(&"Stories create database Stories".to_owned()), "{run:?}");
    nothing_to_do(&lab, &repo);
    repo.run(&["sync"]).expect(0);
    repo.settle();
    assert_eq!(repo.files(), files);
    assert!(lab.find_page("Stories", "INFRA-1").is_some());
}

#[test]
fn auto_init_repairs_on_the_spot_and_goes_on() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    let config = repo.read("agent-sync.yml");
    repo.write(
        "agent-sync.yml",
        &config.replace("type: notion\n", "type: notion\n    auto_init: true\n"),
    );
    super::fill(&repo);
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let files = repo.files();
    type Harm = fn(&mut notion_sim::Workspace);
    let harms: [Harm; 4] = [
        |workspace| workspace.remove_property("Stories", "Priority").unwrap(),
        |workspace| workspace.delete_database("Stories").unwrap(),
        |workspace| workspace.delete_database_forever("Stories").unwrap(),
        |workspace| workspace.remove_property("Stories", "Linked Plans").unwrap(),
    ];
    for (n, harm) in harms.into_iter().enumerate() {
        harm(&mut lab.sim.workspace());
        lab.minutes(2);
        // A read-only run repairs nothing.
        let check = repo.run(&["check"]);
        assert_eq!(check.code, 3, "{n}: {check:?}");
        repo.run(&["sync"]).expect(0);
        repo.settle();
        assert_eq!(repo.files(), files, "{n}");
        assert_eq!(lab.property("Stories", "INFRA-1", "Priority").as_deref(), Some("High"), "{n}");
        assert!(lab.property("Stories", "INFRA-1", "Linked Plans").is_some(), "{n}");
    }
    // What only a person can do stops it.
    lab.sim.workspace().retype_property("Stories", "Status", &json!({"number": {}})).unwrap();
    repo.env.insert("AGENT_SYNC_LOG".into(), "warn".into());
    let run = repo.run(&["sync"]).expect(3);
    assert!(run.json()["error"].to_string().contains("is of type number"), "{run:?}");
}

#[test]
fn a_schema_is_read_only_before_a_write_or_after_an_error() {
    let lab = Lab::new();
    let repo = synced(&lab);
    let schemas = |args: &[&str]| {
        lab.sim.reset_requests();
        repo.run(args);
        let requests = lab.sim.requests();
        requests.iter().filter(|r| r.endpoint == "GET /v1/data_sources/{id}").count()
    };
    assert_eq!((schemas(&["sync"]), schemas(&["check"])), (0, 0));
    repo.replace(FIRST, "DRAFT", "REVIEW");
    assert_eq!((schemas(&["check"]), schemas(&["sync"])), (0, 1));
    lab.sim.workspace().remove_property("Stories", "Priority").unwrap();
    lab.minutes(2);
    assert_eq!(schemas(&["check"]), 4);
}
