//! The whole story, by the binary and by the real image: there each step is a container of its own on a fresh checkout.
//!
//! The image needs what tests/image.rs needs, so `.ci/run` plays it.

use crate::check::{PATH, Scene, text};
use crate::common::github::Seen;
use crate::common::story;
use crate::job::{Runner, Step, World};

/// What a run writes to GitHub beside the lease, which every run takes and gives back.
fn writes(world: &World) -> Vec<Seen> {
    let lease = |seen: &Seen| seen.path.contains("lease") || seen.path == "/git/commits";
    world.github.writes().into_iter().filter(|seen| !lease(seen)).collect()
}

/// Fails where a runner would show an error or a warning.
#[track_caller]
fn quiet(step: &Step) {
    let told = |line: &&str| line.starts_with("::error") || line.starts_with("::warning");
    let told: Vec<&str> = step.run.stdout.lines().filter(told).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn a_conflict_is_told_decided_merged_and_applied() {
    told_decided_merged_and_applied(Runner::Binary);
}

#[test]
#[ignore = "builds the image"]
fn a_conflict_is_told_decided_merged_and_applied_by_the_image() {
    told_decided_merged_and_applied(Runner::Image);
}

#[test]
fn every_command_runs_without_git() {
    every_command(Runner::Binary);
}

/// The image has no git.
#[test]
#[ignore = "builds the image"]
fn every_command_runs_in_the_image() {
    every_command(Runner::Image);
}

fn told_decided_merged_and_applied(runner: Runner) {
    let scene = Scene::with(runner, true);
    let world = &scene.world;

    // The pull request clashes with Notion.
    let step = scene.check().expect(1);
    let comments = scene.comments();
    let [(_, body)] = comments.as_slice() else { panic!("{comments:?}") };
    assert!(body.contains("Another one, from Notion.") && body.contains("Another one, from Git."));
    let annotation = step.run.stdout.lines().find(|line| line.starts_with("::error")).unwrap();
    assert!(annotation.contains(&format!("file={PATH},line=11")), "{annotation}");
    assert_eq!(scene.state().0, "failure");
    assert_eq!((&*step.outputs["outcome"], &*step.outputs["conflicts"]), ("conflicts", "1"));
    assert!(step.outputs["comment-url"].contains("issuecomment"), "{:?}", step.outputs);
    if runner == Runner::Image {
        assert!(step.outputs["report"].starts_with("/github/runner_temp/"), "{:?}", step.outputs);
    }
    assert!(step.summary.contains("Another one, from Notion."), "{}", step.summary);

    // A person decides without leaving the page.
    let step = scene.tick("local").expect(0);
    assert_eq!((&*step.outputs["outcome"], &*step.outputs["conflicts"]), ("clean", "0"));
    assert_eq!(scene.state(), ("success".to_owned(), "1 conflict decided".to_owned()));
    let (_, body) = scene.comments().into_iter().next().unwrap();
    assert!(body.contains("decided by"), "{body}");
    assert_eq!(world.lab.writes(), 0, "a decision writes nothing to Notion");
    world.github.forget();
    quiet(&scene.check().expect(0));
    assert_eq!(world.github.writes(), []);

    // It is merged, and the sync of that push applies what was decided.
    scene.merge();
    world.lab.minutes(5);
    let step = world.pushed(&["auto"]).expect(0);
    quiet(&step);
    let notion = world.lab.body("Stories", "INFRA-1");
    assert!(
        notion.contains("Another one, from Git.") && !notion.contains("from Notion"),
        "{notion}"
    );
    assert_eq!(step.file(PATH), text("Another one, from Git."));
    assert_eq!(scene.issues(), [], "nothing is left to decide");

    // A check of the pull request that runs again says that it is over.
    scene.check().expect(0);
    let comments = scene.comments();
    let [(_, body)] = comments.as_slice() else { panic!("{comments:?}") };
    assert!(body.contains("resolved") && !body.contains("- [ ]"), "{body}");

    // Both sides settle, and then nothing is left to do.
    for _ in 0..2 {
        world.lab.minutes(5);
        world.pushed(&["auto"]).expect(0);
    }
    world.lab.minutes(5);
    world.lab.sim.reset_requests();
    world.github.forget();
    let step = world.pushed(&["auto"]).expect(0);
    quiet(&step);
    assert_eq!(step.outputs["outcome"], "clean");
    assert_eq!((world.lab.writes(), writes(world)), (0, vec![]));
    assert_eq!(scene.comments(), comments);

    // The losing text is kept.
    world.pushed(&["restore", "story/INFRA-1", "--side", "remote"]).expect(0);
    let notion = world.lab.body("Stories", "INFRA-1");
    assert!(notion.contains("Another one, from Notion."), "{notion}");
}

/// Every command of the command line, each with what a person expects of it.
fn every_command(runner: Runner) {
    let first = text("Another one.");
    let world = World::with(runner, &[(PATH, &first)]);
    let run = |args: &[&str]| world.pushed(args);
    let json = |args: &[&str]| run(&[args, &["--format", "json"]].concat());

    let step = run(&["config"]).expect(0);
    assert!(step.run.stderr.contains("agent-sync.yml is valid"), "{:?}", step.run);
    let step = run(&["config", "schema"]).expect(0);
    assert_eq!(step.run.json()["type"], "object");
    let step = run(&["init"]).expect(0);
    assert_eq!(step.outputs["created"], "3");
    let step = json(&["status"]).expect(0);
    assert_eq!(step.run.actions(), ["story/INFRA-1 create-page"]);
    let step = json(&["push"]).expect(0);
    assert_eq!(step.run.actions(), ["story/INFRA-1 create-page"]);
    world.lab.minutes(5);
    run(&["sync"]).expect(0);

    // Notion changes, and the run brings it.
    world.lab.edit("Stories", "INFRA-1", "Another one.", "Another one, from Notion.");
    world.lab.minutes(5);
    let step = run(&["diff", "INFRA-1"]).expect(0);
    assert!(step.run.stdout.contains("from Notion."), "{:?}", step.run);
    let step = json(&["pull"]).expect(0);
    assert_eq!(step.run.actions(), ["story/INFRA-1 pull"]);
    let pulled = step.file(PATH);
    assert_eq!(pulled, text("Another one, from Notion."));
    world.github.push("main", &[(PATH, Some(&pulled))], "from Notion");
    run(&["sync"]).expect(0);

    // Both change, and somebody decides in a shell.
    let edited = text("Another one, from Git.");
    world.github.push("main", &[(PATH, Some(&edited))], "edit");
    world.lab.edit("Stories", "INFRA-1", "from Notion.", "from Notion, again.");
    world.lab.minutes(5);
    run(&["check"]).expect(1);
    run(&["resolve", "INFRA-1", "--keep", "local"]).expect(0);
    run(&["check"]).expect(0);
    run(&["sync"]).expect(0);
    assert!(world.lab.body("Stories", "INFRA-1").contains("from Git."));
    let step = json(&["restore", "INFRA-1", "--side", "remote"]).expect(0);
    assert!(world.lab.body("Stories", "INFRA-1").contains("from Notion, again."), "{:?}", step.run);

    // The story gets another number, and its page stays.
    let page = world.lab.page("Stories", "INFRA-1");
    world.lab.minutes(5);
    let pulled = json(&["pull"]).expect(0).file(PATH);
    world.github.push("main", &[(PATH, Some(&pulled))], "from Notion");
    run(&["sync"]).expect(0);
    run(&["relabel", "INFRA-1", "INFRA-9"]).expect(0);
    let renamed = PATH.replace("INFRA-1", "INFRA-9");
    let ninth = pulled.replace("INFRA-1", "INFRA-9");
    let files = [(PATH, None), (renamed.as_str(), Some(ninth.as_str()))];
    world.github.push("main", &files, "another number");
    run(&["auto"]).expect(0);
    assert_eq!(world.lab.page("Stories", "INFRA-9"), page);

    let step = json(&["log", "--limit", "3"]).expect(0);
    assert_eq!(step.run.json()["log"].as_array().map(Vec::len), Some(3), "{:?}", step.run);
}

/// A file that a run makes, in a folder that it makes, belongs to the workspace's owner: every step of an image sees to
/// that. This one has what was not there before.
#[test]
#[ignore = "builds the image"]
fn what_comes_from_notion_belongs_to_the_workspaces_owner() {
    let world =
        World::with(Runner::Image, &[(PATH, &story("INFRA-1", "First", "DRAFT", "Text.\n"))]);
    world.pushed(&["init"]).expect(0);
    world.pushed(&["sync"]).expect(0);
    let values = [("ID", "PLAN-7".into()), ("Status", "DRAFT".into())];
    world
        .lab
        .sim
        .workspace()
        .create_page("Plans", "Seventh", &values, "Body of the plan.")
        .unwrap();
    world.lab.minutes(5);
    let step = world.pushed(&["pull", "--format", "json"]).expect(0);
    assert_eq!(step.run.actions().iter().filter(|one| one.starts_with("plan/PLAN-7")).count(), 1);
    assert!(step.workspace.join(".agent/cache/plans").is_dir());
}

/// Inputs alone, as a workflow without arguments gives them.
#[test]
#[ignore = "builds the image"]
fn the_action_without_arguments_does_what_the_event_asks_for() {
    let scene = Scene::with(Runner::Image, true);
    let payload = scene.payload();
    let step = scene.world.step(&scene.head, "pull_request", &payload, &[]).expect(1);
    assert_eq!(step.outputs["conflicts"], "1");
    let env = [("INPUT_COMMAND", "check"), ("INPUT_FAIL-ON", "never")];
    let step = scene.world.step_with(&scene.head, "pull_request", &payload, &[], &env).expect(0);
    assert_eq!(step.outputs["conflicts"], "1");
}
