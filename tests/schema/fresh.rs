//! From a blank page.

use serde_json::json;

use super::{FIRST, changes, configured, fill, nothing_to_do};
use crate::common::Lab;

const DESIGN: &str = "kinds:
  story:
    description: What is to be done.
    properties:
      Status: {description: How far it is., colors: {TO_DO: pink}}
      Linked Plans: {two_way: true}
  plan:
    properties:
      Stories: {type: relation, from: {references: Stories}, target: story}
";

#[test]
fn a_blank_page_becomes_databases_relations_views_and_templates() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    configured(&repo, DESIGN);
    repo.write(
        ".agent/templates/story.md",
        "# {id}: {title}\n\n## State\n\nDRAFT\n\n## Problem\n\nWhat hurts?\n",
    );
    let planned = repo.run(&["init", "--dry-run"]).expect(0);
    let run = repo.run(&["init"]).expect(0);
    assert_eq!(changes(&planned), changes(&run), "init does what it said it would");
    for change in [
        "Stories create database Stories",
        "Stories create view By scope",
        "Stories create view By status",
        "Stories create view Recently edited",
        "Stories create template .agent/templates/story.md",
        "ADRs create database ADRs",
    ] {
        assert!(changes(&run).iter().any(|found| found == change), "{change}: {run:?}");
    }
    {
        let workspace = lab.sim.workspace();
        assert_eq!(workspace.description("Stories"), "What is to be done.");
        let status = workspace.property_json("Stories", "Status");
        assert_eq!(status["description"], "How far it is.");
        let colors = |name: &str| {
            let options = status["select"]["options"].as_array().unwrap();
            options.iter().find(|option| option["name"] == name).unwrap()["color"].clone()
        };
        assert_eq!((colors("TO_DO"), colors("BLOCKED")), (json!("pink"), json!("red")));
        let plans = workspace.property_json("Stories", "Linked Plans");
        assert_eq!(plans["relation"]["type"], "dual_property");
        // The other side is the property that plans map, and is there once.
        let names = workspace.property_names("Plans");
        assert_eq!(names.iter().filter(|name| *name == "Stories").count(), 1, "{names:?}");
        let other = workspace.property_json("Plans", "Stories");
        assert_eq!(other["relation"]["type"], "dual_property");
        let adrs = workspace.property_json("Stories", "Linked ADRs");
        assert_eq!(adrs["relation"]["type"], "single_property");
    }
    nothing_to_do(&lab, &repo);
}

#[test]
fn both_sides_of_a_relation_come_into_the_files() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    configured(&repo, DESIGN);
    fill(&repo);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    assert!(repo.read(".agent/cache/plans/INFRA/INFRA-7-plan.md").contains("INFRA-1"));
    assert!(repo.read(FIRST).contains("- INFRA-7"));
    assert!(lab.property("Plans", "INFRA-7", "Stories").is_some());
    nothing_to_do(&lab, &repo);
}

#[test]
fn a_dry_run_says_for_people_what_would_be_made() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let run = repo.human(&["init", "--dry-run"]).expect(0);
    for words in ["4 databases to create", "create database", "create view \"By status\""] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert_eq!((lab.writes(), repo.state()), (0, None));
}

#[test]
fn a_configured_text_follows_the_configuration_and_never_a_person() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    configured(&repo, "kinds:\n  story: {description: One.}\n  plan: {description: One.}\n");
    repo.init();
    lab.sim.workspace().describe_database("Plans", "By Ada.").unwrap();
    let two = "kinds:
  story: {description: Two., properties: {Status: {description: How far.}}}
  plan: {description: Two.}
";
    configured(&repo, two);
    let run = repo.run(&["init"]).expect(0);
    assert_eq!(
        changes(&run),
        ["Stories add description Status", "Stories add description Stories"]
    );
    assert_eq!(lab.sim.workspace().description("Stories"), "Two.");
    assert_eq!(lab.sim.workspace().description("Plans"), "By Ada.");
    let status = lab.sim.workspace().property_json("Stories", "Status");
    assert_eq!(status["description"], "How far.");
    assert_eq!(status["select"]["options"].as_array().unwrap().len(), 10);
    nothing_to_do(&lab, &repo);
}

#[test]
fn colours_and_views_that_cannot_be_are_faults_of_the_configuration() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    for (more, words) in [
        ("{properties: {Status: {colors: {TODO: red}}}}", "Did you mean `TO_DO`?"),
        ("{properties: {Status: {two_way: true}}}", "Only a relation has two sides"),
        ("{views: {By state: false}}", "Did you mean `By status`?"),
        ("{views: {Mine: {type: board}}}", "A board needs `group_by`"),
        ("{views: {Mine: {type: table, group_by: Nothing}}}", "There is no such property"),
        ("{template: ../story.md}", "no path inside the repository"),
        (
            "{properties: {Linked Plans: {two_way: Status}}}",
            "The kind plan has another property called `Status`",
        ),
    ] {
        configured(&repo, &format!("kinds:\n  story: {more}\n"));
        let run = repo.human(&["config"]).expect(2);
        assert!(run.stderr.contains(words), "{more}: {}", run.stderr);
    }
}
