//! Real repositories and workspaces are messy (the table of the interface), and a mess in one place never stops
//! the rest. In every scenario here a sound artifact, `story/INFRA-100`, must come through.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo, Run};
use serde_json::{Value, json};

const BODY: &str = "## Problem\n\nThe first paragraph.\n";
const STORIES: &str = ".agent/cache/stories/INFRA";

/// A repository with its databases and one sound story that is not synced yet.
fn start(lab: &Lab) -> Repo<'_> {
    let repo = lab.repo("repo");
    repo.story("INFRA-100", "Sound", "DRAFT", BODY);
    repo.init();
    repo
}

/// Syncs; the sound story must be there afterwards, and the run after that must write nothing and say the same.
#[track_caller]
fn sync(lab: &Lab, repo: &Repo<'_>) -> Run {
    let run = repo.run(&["sync"]).expect(0);
    assert!(lab.find_page("Stories", "INFRA-100").is_some(), "{run:?}");
    lab.sim.reset_requests();
    let again = repo.run(&["sync"]).expect(0);
    assert_eq!(lab.writes(), 0, "{again:?}");
    assert_eq!(
        again.json()["findings"],
        run.json()["findings"],
        "rule 14: the same findings again"
    );
    run
}

/// The one finding of a rule.
#[track_caller]
fn finding(run: &Run, rule: &str) -> Value {
    let json = run.json();
    let mut found =
        json["findings"].as_array().unwrap().iter().filter(|finding| finding["rule"] == rule);
    let first = found.next().unwrap_or_else(|| panic!("no {rule}: {:#}", json["findings"])).clone();
    assert_eq!(found.next(), None, "{rule} twice");
    for field in ["message", "fix", "severity"] {
        assert!(first[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {first}");
    }
    first
}

#[track_caller]
fn at(finding: &Value, path: &str, line: usize) {
    assert_eq!(
        (finding["path"].as_str(), finding["line"].as_u64()),
        (Some(path), Some(line as u64)),
        "{finding:#}"
    );
}

/// Changes a property or the body of a file and sees what of it arrives.
#[test]
fn a_status_that_differs_in_case_only_is_matched_and_keeps_its_spelling() {
    let lab = Lab::new();
    let repo = start(&lab);
    let path = ".agent/adrs/ADR-1-choice.md";
    let text = "# ADR-1: Choice\n\n## Status\n\nAccepted\n\n## Why\n\nBecause.\n";
    repo.write(path, text);
    let run = sync(&lab, &repo);
    assert_eq!(run.rules(), [""; 0]);
    assert_eq!(lab.property("ADRs", "ADR-1", "Status").as_deref(), Some("ACCEPTED"));
    assert_eq!(repo.read(path), text);
    // A change of something else on the page leaves the spelling alone.
    lab.edit("ADRs", "ADR-1", "Because", "Because of this.");
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    assert_eq!(repo.read(path), text.replace("Because.", "Because of this."));
}

#[test]
fn a_status_outside_the_list_is_a_finding_and_all_else_syncs() {
    let lab = Lab::new();
    let repo = start(&lab);
    let one = repo.story("INFRA-1", "Ice", "ICEBOX", BODY);
    let two = repo.story("INFRA-2", "Pending", "COMMITTED (pending review)", BODY);
    let options = || {
        let workspace = lab.sim.workspace();
        let database = workspace.database_by_title("Stories").unwrap().id;
        workspace.options(&database, "Status")
    };
    let before = options();
    let run = sync(&lab, &repo);
    assert_eq!(run.rules(), ["unknown-option", "unknown-option"]);
    let findings = run.json()["findings"].clone();
    for (finding, (path, word)) in
        findings.as_array().unwrap().iter().zip([(&one, "ICEBOX"), (&two, "pending review")])
    {
        at(finding, path, 5);
        assert!(finding["message"].as_str().unwrap().contains(word), "{finding}");
    }
    assert_eq!(options(), before, "no option is created");
    assert_eq!(lab.property("Stories", "INFRA-1", "Status"), None);
    assert!(lab.body("Stories", "INFRA-1").contains("The first paragraph."));
    // Its Status is left alone on the page, too, whatever a person sets there; the body goes on.
    let page = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().set_property(&page, "Status", "REVIEW").unwrap();
    lab.edit("Stories", "INFRA-1", "first paragraph", "The first paragraph, edited.");
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let text = repo.read(&one);
    assert!(text.contains("ICEBOX") && text.contains("edited"), "{text}");
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("REVIEW"));
    // Corrected, it is a difference without a base (rule 5): a conflict, and not somebody's loss.
    repo.replace(&one, "ICEBOX", "BLOCKED");
    let run = repo.run(&["sync"]).expect(1);
    assert_eq!(run.json()["conflicts"][0]["property"], "Status", "{run:?}");
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("REVIEW"));
}

#[test]
fn allow_new_options_creates_them() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let config = repo.read("agent-sync.yml");
    repo.write(
        "agent-sync.yml",
        &format!(
            "{config}kinds:\n  story:\n    properties:\n      Status: {{allow_new_options: true}}\n"
        ),
    );
    repo.story("INFRA-100", "Sound", "DRAFT", BODY);
    repo.story("INFRA-1", "Ice", "ICEBOX", BODY);
    repo.init();
    let run = sync(&lab, &repo);
    assert_eq!(run.rules(), [""; 0]);
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("ICEBOX"));
}

#[test]
fn an_option_that_a_person_made_in_notion_is_a_finding() {
    let lab = Lab::new();
    let repo = start(&lab);
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    sync(&lab, &repo);
    let page = lab.page("Stories", "INFRA-1");
    {
        let mut workspace = lab.sim.workspace();
        workspace.add_option("Stories", "Status", "Someday").unwrap();
        workspace.set_property(&page, "Status", "Someday").unwrap();
    }
    lab.edit("Stories", "INFRA-1", "first paragraph", "The first paragraph, edited.");
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(0);
    let found = finding(&run, "unknown-option");
    assert!(
        found["url"].as_str().is_some() && found["message"].as_str().unwrap().contains("Someday"),
        "{found}"
    );
    assert!(repo.read(&path).contains("DRAFT") && repo.read(&path).contains("edited"));
    assert_eq!(lab.property("Stories", "INFRA-1", "Status").as_deref(), Some("Someday"));
}

#[test]
fn two_files_with_one_id_are_a_finding_that_names_both() {
    let lab = Lab::new();
    let repo = start(&lab);
    let one = repo.story("INFRA-1", "First", "DRAFT", BODY);
    let two = repo.story("INFRA-1", "Copy", "DRAFT", BODY);
    let run = sync(&lab, &repo);
    let found = finding(&run, "duplicate-id");
    let message = found["message"].as_str().unwrap();
    assert!(message.contains(&one) && message.contains(&two), "{message}");
    assert!(found["path"].as_str().is_some() && found["line"] == 1, "{found:#}");
    assert_eq!(lab.find_page("Stories", "INFRA-1"), None);
}

#[test]
fn a_copy_of_a_synced_file_stops_that_artifact_only() {
    let lab = Lab::new();
    let repo = start(&lab);
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.run(&["sync"]).expect(0);
    let copy = repo.story("INFRA-1", "Copy", "DONE", "Other words.\n");
    lab.edit("Stories", "INFRA-1", "first paragraph", "Edited in Notion.");
    lab.edit("Stories", "INFRA-100", "first paragraph", "Edited, too.");
    lab.minutes(2);
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-100 pull"]);
    assert_eq!(run.rules(), ["duplicate-id"]);
    assert_eq!(lab.writes(), 0);
    // Without the copy everything goes on where it was.
    std::fs::remove_file(repo.path.join(copy)).unwrap();
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    assert!(repo.read(&path).contains("Edited in Notion."));
}

#[test]
fn a_file_name_without_an_id_is_a_finding() {
    let lab = Lab::new();
    let repo = start(&lab);
    repo.write(&format!("{STORIES}/notes.md"), "# Notes\n\nWords.\n");
    let run = sync(&lab, &repo);
    at(&finding(&run, "no-id"), &format!("{STORIES}/notes.md"), 1);
    assert_eq!(lab.sim.workspace().pages_of("Stories", false).len(), 1);
}

#[test]
fn a_heading_may_be_missing_or_lack_the_id() {
    let lab = Lab::new();
    let repo = start(&lab);
    let none = format!("{STORIES}/INFRA-1-retry-the_upload.md");
    let bare = format!("{STORIES}/INFRA-2-second.md");
    repo.write(&none, "## State\n\nDRAFT\n\n## Problem\n\nNo heading here.\n");
    repo.write(&bare, "# Second thoughts\n\n## State\n\nDRAFT\n\n## Problem\n\nWords.\n");
    let files = repo.files();
    let run = sync(&lab, &repo);
    assert_eq!(run.rules(), [""; 0]);
    assert_eq!(lab.property("Stories", "INFRA-1", "Title").as_deref(), Some("retry the upload"));
    assert_eq!(lab.property("Stories", "INFRA-2", "Title").as_deref(), Some("Second thoughts"));
    assert_eq!(repo.files(), files, "the files are not touched");
}

#[test]
fn a_heading_with_another_id_is_a_finding_and_the_file_name_decides() {
    let lab = Lab::new();
    let repo = start(&lab);
    let path = format!("{STORIES}/INFRA-1-first.md");
    repo.write(
        &path,
        "---\npriority: High\n---\n\n# INFRA-7: Another one\n\n## State\n\nDRAFT\n\nWords.\n",
    );
    let files = repo.files();
    let run = sync(&lab, &repo);
    let found = finding(&run, "title-mismatch");
    at(&found, &path, 5);
    assert_eq!((found["kind"].as_str(), found["id"].as_str()), (Some("story"), Some("INFRA-1")));
    assert_eq!(lab.find_page("Stories", "INFRA-7"), None);
    assert_eq!(
        lab.property("Stories", "INFRA-1", "Title").as_deref(),
        Some("INFRA-7: Another one")
    );
    assert_eq!(repo.files(), files);
}

#[test]
fn two_pages_with_one_id_are_a_finding_with_both_addresses() {
    let lab = Lab::new();
    let repo = start(&lab);
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.run(&["sync"]).expect(0);
    let first = lab.page("Stories", "INFRA-1");
    let second = lab
        .sim
        .workspace()
        .create_page("Stories", "Copy", &[("ID", json!("INFRA-1"))], "A copy.")
        .unwrap();
    let other = {
        let mut workspace = lab.sim.workspace();
        workspace.create_page("Stories", "New", &[("ID", json!("INFRA-2"))], "One.").unwrap();
        workspace.create_page("Stories", "New copy", &[("ID", json!("INFRA-2"))], "Two.").unwrap()
    };
    repo.replace(&path, "The first paragraph.", "Changed here.");
    lab.minutes(2);
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.rules(), ["duplicate-page", "duplicate-page"]);
    let text = run.json()["findings"].to_string();
    for page in [&first, &second, &other] {
        assert!(text.contains(&page.replace('-', "")), "{page}: {text}");
    }
    assert_eq!(lab.writes(), 0);
    assert!(!repo.files().keys().any(|path| path.contains("INFRA-2")));
    // One of them is trashed: the other one syncs again, whichever it is.
    lab.sim.workspace().trash(&second).unwrap();
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-1 push"]);
    assert!(lab.body("Stories", "INFRA-1").contains("Changed here."));
}

#[test]
fn a_page_without_an_id_is_a_finding() {
    let lab = Lab::new();
    let repo = start(&lab);
    lab.sim.workspace().create_page("Stories", "By hand", &[], "Words.").unwrap();
    lab.minutes(2);
    let run = sync(&lab, &repo);
    let found = finding(&run, "page-without-id");
    assert!(
        found["url"].as_str().is_some() && found["message"].as_str().unwrap().contains("By hand"),
        "{found}"
    );
    assert_eq!(repo.files().len(), 1);
    // Rule 5: a file with its title is likely the same document.
    let path = repo.story("INFRA-5", "By Hand", "DRAFT", BODY);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(lab.find_page("Stories", "INFRA-5"), None);
    let findings = run.json()["findings"].clone();
    let own = findings.as_array().unwrap().iter().find(|f| f["id"] == "INFRA-5").unwrap();
    at(own, &path, 1);
}

#[test]
fn assign_ids_gives_the_next_free_id_and_makes_a_file() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let config = repo
        .read("agent-sync.yml")
        .replace("type: notion\n", "type: notion\n    assign_ids: true\n");
    repo.write("agent-sync.yml", &config);
    repo.story("INFRA-100", "Sound", "DRAFT", BODY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    let page =
        lab.sim.workspace().create_page("Stories", "By hand", &[], "Words of a person.").unwrap();
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-101 create-file"], "{run:?}");
    assert_eq!(lab.page("Stories", "INFRA-101"), page);
    let path = format!("{STORIES}/INFRA-101-by-hand.md");
    let text = repo.read(&path);
    assert!(
        text.starts_with("# INFRA-101: By hand\n") && text.contains("Words of a person."),
        "{text}"
    );
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(lab.writes(), 0);
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding() {
    let lab = Lab::new();
    let repo = start(&lab);
    let latin = format!("{STORIES}/INFRA-1-latin.md");
    let large = format!("{STORIES}/INFRA-2-large.md");
    let link = format!("{STORIES}/INFRA-3-link.md");
    std::fs::write(repo.path.join(&latin), b"# INFRA-1: Caf\xe9\n").unwrap();
    repo.write(&large, &"words ".repeat(1024 * 1024));
    let outside = lab.dir.path().join("secret.md");
    std::fs::write(&outside, "# INFRA-3: Outside\n\nA secret of the machine.\n").unwrap();
    std::os::unix::fs::symlink(&outside, repo.path.join(&link)).unwrap();
    let run = sync(&lab, &repo);
    at(&finding(&run, "not-utf8"), &latin, 1);
    at(&finding(&run, "too-large"), &large, 1);
    at(&finding(&run, "outside-repository"), &link, 1);
    assert_eq!(lab.sim.workspace().pages_of("Stories", false).len(), 1);
    assert!(!lab.sim.workspace().snapshot().contains("A secret of the machine."));
}

/// Rule 7: a file that is there and cannot be read is not a deleted one.
#[test]
fn a_synced_file_that_becomes_unreadable_is_not_deleted() {
    let lab = Lab::new();
    let repo = start(&lab);
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.run(&["sync"]).expect(0);
    std::fs::write(repo.path.join(&path), b"# INFRA-1: Caf\xe9\n").unwrap();
    lab.edit("Stories", "INFRA-1", "first paragraph", "Edited.");
    lab.minutes(2);
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.rules(), ["not-utf8"]);
    assert_eq!((lab.writes(), run.actions()), (0, Vec::new()));
    assert_eq!(std::fs::read(repo.path.join(&path)).unwrap(), b"# INFRA-1: Caf\xe9\n");
}

#[test]
fn a_broken_front_matter_is_a_finding_and_the_body_syncs() {
    let lab = Lab::new();
    let repo = start(&lab);
    let path = format!("{STORIES}/INFRA-1-first.md");
    repo.write(
        &path,
        "---\npriority: [High\n---\n\n# INFRA-1: First\n\n## State\n\nDRAFT\n\nWords.\n",
    );
    let run = sync(&lab, &repo);
    for finding in run.json()["findings"].as_array().unwrap() {
        assert_eq!(
            (finding["rule"].as_str(), finding["path"].as_str()),
            (Some("unreadable-value"), Some(path.as_str()))
        );
    }
    assert!(lab.body("Stories", "INFRA-1").contains("Words."));
}

/// Rule 8: an id that vanished and a new one whose body shares half its lines.
#[test]
fn rule_8_a_renamed_id_is_a_finding_and_nothing_is_trashed_or_created() {
    let lab = Lab::new();
    let repo = start(&lab);
    let path = repo.story("INFRA-1", "First", "DRAFT", "One.\n\nTwo.\n\nThree.\n\nFour.\n");
    sync(&lab, &repo);
    let text = repo.read(&path).replace("INFRA-1", "INFRA-9");
    std::fs::remove_file(repo.path.join(&path)).unwrap();
    let new = format!("{STORIES}/INFRA-9-first.md");
    repo.write(&new, &text);
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    let found = finding(&run, "id-changed");
    at(&found, &new, 1);
    assert!(found["message"].as_str().unwrap().contains("story/INFRA-1"), "{found}");
    assert_eq!((lab.writes(), lab.find_page("Stories", "INFRA-9")), (0, None));
    assert!(lab.find_page("Stories", "INFRA-1").is_some());
}

/// Rule 8: a known page whose ID property changed, or was cleared.
#[test]
fn rule_8_a_page_with_another_id_is_a_finding_and_nothing_is_done_with_it() {
    let lab = Lab::new();
    let repo = start(&lab);
    let one = repo.story("INFRA-1", "First", "DRAFT", BODY);
    let two = repo.story("INFRA-2", "Second", "DRAFT", BODY);
    sync(&lab, &repo);
    let pages = [lab.page("Stories", "INFRA-1"), lab.page("Stories", "INFRA-2")];
    lab.sim.workspace().set_property(&pages[0], "ID", "INFRA-9").unwrap();
    lab.sim.workspace().set_property(&pages[1], "ID", "").unwrap();
    lab.minutes(2);
    repo.replace(&one, "The first paragraph.", "Changed here.");
    let files = repo.files();
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.rules(), ["id-changed", "id-changed"]);
    assert_eq!((lab.writes(), repo.files()), (0, files), "{run:?}");
    assert!(repo.has(&two));
    // Set back, all goes on.
    lab.sim.workspace().set_property(&pages[0], "ID", "INFRA-1").unwrap();
    lab.sim.workspace().set_property(&pages[1], "ID", "INFRA-2").unwrap();
    lab.minutes(2);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
}

#[test]
fn two_kinds_may_share_an_id() {
    let lab = Lab::new();
    let repo = start(&lab);
    let story = repo.story("INFRA-1", "First", "DRAFT", BODY);
    let plan = ".agent/cache/plans/INFRA/INFRA-1-plan.md";
    repo.write(plan, "# INFRA-1: Plan\n\n## State\n\nDRAFT\n\n## Goals\n\nThe first goal.\n");
    let run = sync(&lab, &repo);
    assert_eq!(
        run.actions(),
        ["plan/INFRA-1 create-page", "story/INFRA-1 create-page", "story/INFRA-100 create-page"]
    );
    assert_ne!(lab.page("Stories", "INFRA-1"), lab.page("Plans", "INFRA-1"));
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    // Selections.
    repo.replace(&story, "The first paragraph.", "A story.");
    repo.replace(plan, "The first goal.", "A plan.");
    let planned = |args: &[&str]| {
        let mut all = vec!["sync", "--dry-run"];
        all.extend(args);
        repo.run(&all).expect(0).actions()
    };
    assert_eq!(planned(&["INFRA-1"]), ["plan/INFRA-1 push", "story/INFRA-1 push"]);
    assert_eq!(planned(&["story/INFRA-1"]), ["story/INFRA-1 push"]);
    assert_eq!(planned(&["--kind", "plan"]), ["plan/INFRA-1 push"]);
    assert_eq!(
        planned(&["--kind", "plan", "--kind", "story"]),
        ["plan/INFRA-1 push", "story/INFRA-1 push"]
    );
    assert_eq!(planned(&["INFRA-100"]), [""; 0]);
    assert_eq!(repo.run(&["push", "plan/INFRA-1"]).expect(0).actions(), ["plan/INFRA-1 push"]);
    assert!(
        lab.body("Stories", "INFRA-1").contains("The first paragraph."),
        "not selected, not touched"
    );
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    // One command for one artifact: which is meant must be clear.
    let run = repo.human(&["restore", "INFRA-1", "--side", "remote"]).expect(2);
    assert!(
        run.stderr.contains("story/INFRA-1") && run.stderr.contains("plan/INFRA-1"),
        "{}",
        run.stderr
    );
}

#[test]
fn unknown_names_exit_2_and_say_what_there_is() {
    let lab = Lab::new();
    let repo = start(&lab);
    repo.run(&["sync"]).expect(0);
    for (args, words) in [
        (&["sync", "--kind", "epic"][..], &["epic", "story", "runbook"][..]),
        (&["sync", "--backend", "jira"], &["jira", "notion"]),
        (&["sync", "epic/INFRA-1"], &["epic"]),
        (&["sync", "INFRA-77"], &["INFRA-77"]),
        (&["status", "story/INFRA-77"], &["story/INFRA-77"]),
        (&["resolve", "INFRA-100", "--keep", "local"], &["conflict"]),
        (&["restore", "INFRA-77", "--side", "local"], &["INFRA-77"]),
    ] {
        lab.sim.reset_requests();
        let run = repo.human(args).expect(2);
        assert!(words.iter().all(|word| run.stderr.contains(word)), "{args:?}: {}", run.stderr);
        assert_eq!(lab.writes(), 0);
    }
}

/// What a person (or an attacker) types into Notion never becomes a path or a command of a terminal or of CI.
#[test]
fn hostile_ids_and_titles_reach_neither_a_path_nor_a_terminal() {
    let lab = Lab::new();
    let repo = start(&lab);
    repo.run(&["sync"]).expect(0);
    let long = "x".repeat(1900);
    let titles = [
        "../../../escape",
        "::error::owned",
        "##[error]owned",
        "\u{1b}[31mred\u{7}",
        "line\nbreak",
        "\u{202e}txt.exe",
        "CON",
        "$(touch owned) `touch owned`",
        long.as_str(),
    ];
    {
        let mut workspace = lab.sim.workspace();
        for (n, title) in titles.iter().enumerate() {
            workspace
                .create_page("Stories", title, &[("ID", json!(format!("INFRA-{n}")))], "Words.")
                .unwrap();
        }
        for id in [
            "../../x",
            "INFRA-1/../../../x",
            "::error::id",
            "\u{1b}[2J",
            "INFRA-1\nINFRA-2",
            "/etc/passwd",
            "INFRA-7..",
        ] {
            workspace
                .create_page("Stories", "::error::title \u{1b}[2J", &[("ID", json!(id))], "Words.")
                .unwrap();
        }
        workspace.create_page("Stories", "::error::no id \u{1b}[2J", &[], "Words.").unwrap();
    }
    lab.minutes(2);
    for command in [
        &["status", "-v"][..],
        &["diff", "-v"],
        &["check", "-v"],
        &["sync", "-v", "--dry-run"],
        &["sync", "-v"],
        &["sync", "-v"],
        &["log"],
    ] {
        let run = repo.human(command).expect(0);
        for line in run.stderr.lines().chain(run.stdout.lines()) {
            assert!(
                !line.trim_start().starts_with("::") && !line.contains("##["),
                "{command:?}: {line:?}"
            );
            assert!(
                !line.chars().any(|c| c.is_control() || c == '\u{202e}'),
                "{command:?}: {line:?}"
            );
        }
    }
    // Every file lies where its kind lives, under an ordinary name.
    let files = repo.files();
    assert_eq!(files.len(), 1 + titles.len(), "{:?}", files.keys());
    for path in files.keys() {
        assert!(path.starts_with(&format!("{STORIES}/INFRA-")), "{path}");
        let name = path.rsplit('/').next().unwrap();
        assert!(
            name.len() < 120
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)),
            "{name}"
        );
    }
    let mut above: Vec<_> =
        std::fs::read_dir(lab.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    above.sort();
    assert_eq!(above, ["repo"]);
    // The titles themselves are kept: what was read is what is there, so nothing is to be pushed back.
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!((lab.writes(), run.actions()), (0, Vec::new()), "{run:?}");
    assert_eq!(run.rules().iter().filter(|rule| *rule == "malformed-id").count(), 7);
}
