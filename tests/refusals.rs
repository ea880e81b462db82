//! What is refused, with which exit code, and what the message says: wrong set-ups of Notion (3), of the
//! configuration and the command line (2). And what may never write: check, status, diff and every dry run.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{Lab, Repo, Run};
use notion_sim::Capabilities;
use serde_json::json;

const BODY: &str = "## Problem\n\nThe first paragraph.\n";

/// Fails unless the run ended with this code, wrote nothing to Notion, and its message has these words.
#[track_caller]
fn refused(lab: &Lab, repo: &Repo<'_>, args: &[&str], code: i32, words: &[&str]) -> Run {
    lab.sim.reset_requests();
    let run = repo.human(args).expect(code);
    for word in words {
        assert!(run.stderr.contains(word), "{args:?}: no {word:?} in: {}", run.stderr);
    }
    assert_eq!(lab.writes(), 0, "{args:?}");
    assert_eq!(run.stdout, "", "{args:?}: only JSON goes to stdout");
    let json = repo.run(args).expect(code);
    let outcome = json.json()["outcome"].clone();
    assert_eq!(outcome, if code == 2 { "usage" } else { "refused" });
    assert!(json.json()["error"].as_str().is_some_and(|error| !error.is_empty()));
    run
}

/// A repository with a story that is synced.
fn synced(lab: &Lab) -> Repo<'_> {
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo
}

#[test]
fn a_bad_token() {
    let lab = Lab::new();
    let mut repo = synced(&lab);
    repo.env.insert("NOTION_TOKEN".into(), "ntn_wrong".into());
    for command in ["init", "sync", "check", "status"] {
        refused(&lab, &repo, &[command], 3, &["token", "NOTION_TOKEN"]);
    }
}

#[test]
fn no_token() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    repo.env.insert("NOTION_TOKEN".into(), String::new());
    for command in ["init", "sync", "check"] {
        refused(&lab, &repo, &[command], 3, &["There is no Notion token", "Set NOTION_TOKEN"]);
    }
    assert_eq!(lab.count(), 0);
}

#[test]
fn no_parent_page() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    repo.env.insert("NOTION_PARENT_PAGE_ID".into(), String::new());
    refused(&lab, &repo, &["init"], 3, &["NOTION_PARENT_PAGE_ID", "shared with the connection"]);
}

#[test]
fn a_parent_page_that_is_not_shared() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    let page = lab.sim.workspace().create_private_page("Private");
    repo.env.insert("NOTION_PARENT_PAGE_ID".into(), page);
    refused(&lab, &repo, &["init"], 3, &["does not find", "Share the page with the connection"]);
}

#[test]
fn a_database_that_is_not_shared_any_more() {
    let lab = Lab::new();
    let repo = synced(&lab);
    let database = lab.sim.workspace().database_by_title("Stories").unwrap();
    lab.sim.workspace().unshare(&database.id);
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    for command in ["sync", "check", "init"] {
        refused(&lab, &repo, &[command], 3, &["Share it with the connection", "agent-sync init"]);
    }
}

#[test]
fn a_database_in_the_trash() {
    let lab = Lab::new();
    let repo = synced(&lab);
    lab.sim.workspace().delete_database("Stories").unwrap();
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    for command in ["sync", "check"] {
        lab.sim.reset_requests();
        let run = repo.human(&[command]);
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.stderr.contains("Share it with the connection"), "{}", run.stderr);
        assert_eq!(lab.writes(), 0);
    }
}

#[test]
fn no_databases_yet() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    for command in ["sync", "push", "pull"] {
        refused(&lab, &repo, &[command], 3, &["Stories", "agent-sync init"]);
    }
    // A check has nobody to bother: the pull request that introduces agent-sync can be merged.
    for command in ["check", "status", "diff"] {
        let run = repo.human(&[command]).expect(0);
        assert!(
            run.stderr.contains("not initialised") && run.stderr.contains("\"Stories\""),
            "{}",
            run.stderr
        );
        assert_eq!(repo.run(&[command]).expect(0).json()["outcome"], "clean");
    }
    assert_eq!((lab.writes(), repo.state()), (0, None));
}

#[test]
fn an_id_of_the_wrong_kind_of_object() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let parent = lab.sim.parent_page();
    let page = lab.sim.workspace().create_subpage(&parent, "A page", "Words.").unwrap();
    let set = |id: &str| {
        repo.configure();
        let config = repo.read("agent-sync.yml");
        let databases = format!("type: notion\n    databases: {{story: \"{id}\"}}\n");
        repo.write("agent-sync.yml", &config.replace("type: notion\n", &databases));
    };
    set(&page);
    refused(&lab, &repo, &["init"], 3, &["is that of a page", "databases:"]);
    set("0123456789abcdef0123456789abcdef");
    refused(&lab, &repo, &["init"], 3, &["does not find", "Share it with the connection"]);
    set("not-an-id");
    refused(&lab, &repo, &["init"], 2, &["agent-sync.yml:6", "no id or URL of a Notion database"]);
    // Both kinds of ids of a database are good.
    let (database, source) = {
        let mut workspace = lab.sim.workspace();
        let schema = json!({"Name": {"title": {}}});
        let database = workspace.create_database(&parent, "Work", &schema).unwrap();
        let source = workspace
            .databases()
            .into_iter()
            .find(|found| found.id == database)
            .unwrap()
            .data_source;
        (database, source)
    };
    for id in [database, source] {
        set(&id);
        repo.run(&["init"]).expect(0);
        assert!(lab.sim.workspace().database_by_title("Stories").is_none(), "{id}");
    }
}

#[test]
fn a_schema_that_lost_a_mapped_property() {
    let lab = Lab::new();
    let repo = synced(&lab);
    lab.sim.workspace().remove_property("Stories", "Priority").unwrap();
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    let run = repo.human(&["sync"]);
    assert!(run.code == 3 || run.code == 5, "{run:?}");
    assert!(
        run.stderr.contains("Priority") && run.stderr.contains("agent-sync init"),
        "{}",
        run.stderr
    );
    assert_eq!(lab.find_page("Stories", "INFRA-2"), None);
    // init repairs it.
    assert_eq!(repo.run(&["init"]).expect(0).actions(), ["story/Stories repair-database"]);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-2 create-page"]);
    // A renamed property keeps its id, and so its place.
    lab.sim.workspace().rename_property("Stories", "Priority", "Urgency").unwrap();
    repo.story("INFRA-3", "Third", "DRAFT", BODY);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-3 create-page"]);
}

/// The values of a lost property must not be taken for cleared ones (rule 9).
#[test]
fn rule_9_a_lost_property_clears_nothing_in_the_files() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let path = ".agent/cache/stories/INFRA/INFRA-1-first.md";
    repo.write(
        path,
        "---\npriority: High\n---\n\n# INFRA-1: First\n\n## State\n\nDRAFT\n\nWords.\n",
    );
    repo.init();
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let text = repo.read(path);
    assert_eq!(lab.property("Stories", "INFRA-1", "Priority").as_deref(), Some("High"));
    lab.sim.workspace().remove_property("Stories", "Priority").unwrap();
    lab.minutes(2);
    for command in ["sync", "pull"] {
        let run = repo.human(&[command]);
        assert!(run.code == 3 || run.code == 5, "{run:?}");
        assert!(
            run.stderr.contains("Priority") && run.stderr.contains("agent-sync init"),
            "{}",
            run.stderr
        );
        assert_eq!(repo.read(path), text);
    }
}

#[test]
fn a_missing_capability_is_named() {
    for (take, name, command) in [
        ((|c: &mut Capabilities| c.read = false) as fn(&mut Capabilities), "Read content", "init"),
        (|c| c.insert = false, "Insert content", "init"),
    ] {
        let lab = Lab::with(|options| take(&mut options.capabilities));
        let repo = lab.repo("repo");
        repo.story("INFRA-1", "First", "DRAFT", BODY);
        let run = repo.human(&[command]).expect(3);
        assert!(run.stderr.contains(&format!("capability \"{name}\"")), "{}", run.stderr);
        assert_eq!(repo.run(&[command]).expect(3).json()["outcome"], "refused");
    }
}

#[test]
fn a_missing_update_capability_stops_the_run_and_is_named() {
    let lab = Lab::with(|options| options.capabilities.update = false);
    let repo = lab.repo("repo");
    let config = repo.read("agent-sync.yml");
    repo.write(
        "agent-sync.yml",
        &config.replace("type: notion\n", "type: notion\n    share: [adr]\n"),
    );
    let path = ".agent/adrs/ADR-1-choice.md";
    repo.write(path, "# ADR-1: Choice\n\n## Status\n\nDRAFT\n\n## Why\n\nBecause.\n");
    // Kinds without relations need no update to be made and filled.
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.replace(path, "Because.", "Because of this.");
    let run = repo.human(&["sync"]).expect(3);
    assert!(run.stderr.contains("capability \"Update content\""), "{}", run.stderr);
    assert!(lab.body("ADRs", "ADR-1").contains("Because."));
}

#[test]
fn init_twice_writes_nothing() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let run = repo.run(&["init"]).expect(0);
    assert_eq!(
        run.actions(),
        [
            "adr/ADRs create-database",
            "plan/Plans create-database",
            "runbook/Runbooks create-database",
            "story/Stories create-database"
        ]
    );
    let state = repo.state();
    lab.sim.reset_requests();
    let run = repo.run(&["init"]).expect(0);
    assert_eq!((run.actions(), lab.writes(), repo.state()), (Vec::new(), 0, state));
    assert_eq!(run.json()["outcome"], "clean");
}

#[test]
fn init_dry_run_writes_nothing() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let (before, refs) = (lab.sim.workspace().snapshot(), refs(&repo));
    let run = repo.run(&["init", "--dry-run"]).expect(0);
    assert_eq!(run.actions().len(), 4);
    assert_eq!(run.json()["dry_run"], true);
    assert_eq!((lab.sim.workspace().snapshot(), self::refs(&repo)), (before, refs));
}

#[test]
fn init_finds_databases_by_title_even_without_state() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.init();
    let other = lab.repo("other");
    lab.sim.reset_requests();
    let run = other.run(&["init"]).expect(0);
    assert_eq!((run.actions(), lab.writes()), (Vec::new(), 0));
    // Without init, too: every command finds them.
    let third = lab.repo("third");
    third.story("INFRA-1", "First", "DRAFT", BODY);
    assert_eq!(third.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 create-page"]);
}

#[test]
fn init_adds_what_is_missing_and_takes_nothing_away() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let parent = lab.sim.parent_page();
    let schema = json!({
        "Name": {"title": {}},
        "ID": {"rich_text": {}},
        "Status": {"select": {"options": [{"name": "draft"}, {"name": "Somebody's"}]}},
        "Owner": {"people": {}},
    });
    let page = {
        let mut workspace = lab.sim.workspace();
        workspace.create_database(&parent, "Stories", &schema).unwrap();
        let values = [("ID", json!("INFRA-7")), ("Status", json!("Somebody's"))];
        workspace.create_page("Stories", "Theirs", &values, "Words.").unwrap()
    };
    let run = repo.run(&["init"]).expect(0);
    assert!(run.actions().contains(&"story/Stories repair-database".to_owned()), "{run:?}");
    let (names, options, value) = {
        let workspace = lab.sim.workspace();
        let database = workspace.database_by_title("Stories").unwrap().id;
        (
            workspace.property_names(&database),
            workspace.options(&database, "Status"),
            workspace.property_text(&page, "Status"),
        )
    };
    for name in ["Name", "ID", "Status", "Owner", "Priority", "Type", "Linked Plans", "Linked ADRs"]
    {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    assert!(options.starts_with(&["draft".to_owned(), "Somebody's".to_owned()]), "{options:?}");
    assert!(
        options.contains(&"TO_DO".to_owned()) && !options.contains(&"DRAFT".to_owned()),
        "{options:?}"
    );
    assert_eq!(value.as_deref(), Some("Somebody's"));
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["init"]).expect(0).actions(), [""; 0]);
    assert_eq!(lab.writes(), 0);
}

#[test]
fn init_adds_an_option_that_alone_is_missing() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.init();
    repo.configure();
    let config = repo.read("agent-sync.yml");
    repo.write(
        "agent-sync.yml",
        &format!("{config}kinds:\n  adr:\n    properties:\n      Status: {{options: [DRAFT, PROPOSED, ACCEPTED, COMMITTED, REJECTED, DEPRECATED, SUPERSEDED, RETIRED, PARKED]}}\n"),
    );
    // The mapping changed: nothing runs before init took it over (rule 9).
    let run = repo.human(&["sync"]).expect(5);
    assert!(run.stderr.contains("agent-sync init"), "{}", run.stderr);
    assert_eq!(repo.run(&["init"]).expect(0).actions(), ["adr/ADRs repair-database"]);
    let workspace = lab.sim.workspace();
    let database = workspace.database_by_title("ADRs").unwrap().id;
    assert!(workspace.options(&database, "Status").contains(&"PARKED".to_owned()));
}

#[test]
fn two_databases_of_one_title_are_an_error_that_lists_them() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let parent = lab.sim.parent_page();
    let ids: Vec<String> = {
        let mut workspace = lab.sim.workspace();
        let schema = json!({"Name": {"title": {}}});
        (0..2).map(|_| workspace.create_database(&parent, "Stories", &schema).unwrap()).collect()
    };
    for command in ["init", "sync"] {
        refused(&lab, &repo, &[command], 3, &[&ids[0], &ids[1], "databases: {story: <id>}"]);
    }
}

#[test]
fn a_property_of_another_type_is_left_to_a_person() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let parent = lab.sim.parent_page();
    let schema = json!({"Name": {"title": {}}, "Status": {"number": {}}});
    lab.sim.workspace().create_database(&parent, "ADRs", &schema).unwrap();
    let run = repo.human(&["init"]).expect(3);
    assert!(
        run.stderr.contains("Status")
            && run.stderr.contains("number")
            && run.stderr.contains("select"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_unreachable_notion_is_unavailable() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    repo.env.insert("NOTION_API_URL".into(), "http://127.0.0.1:9".into());
    let run = repo.run(&["status"]).expect(4);
    assert_eq!(run.json()["outcome"], "unavailable");
}

#[test]
fn configuration_errors_name_file_and_line() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    for (text, words) in [
        (
            "version: 1\npreset: agent\nbackens: {}\n",
            &["agent-sync.yml:3", "backens", "backends"][..],
        ),
        ("version: 2\n", &["agent-sync.yml:1"]),
        (
            "version: 1\npreset: agent\nbackends:\n  notion:\n    type: notion\n    share: [storry]\n",
            &["agent-sync.yml:6", "story"],
        ),
        (
            "version: 1\npreset: agent\nbackends:\n  notion:\n    type: notion\n    token: ntn_1234567890abcdef\n",
            &["agent-sync.yml:6"],
        ),
        ("version: [\n", &["agent-sync.yml"]),
    ] {
        repo.write("agent-sync.yml", text);
        for command in [&["sync"][..], &["check"], &["config"]] {
            let run = refused(&lab, &repo, command, 2, words);
            assert!(!run.stderr.contains("ntn_1234567890abcdef"), "{}", run.stderr);
        }
    }
    assert_eq!(lab.count(), 0);
    // Several faults: a line each, so that an editor or a log can jump to them.
    repo.write("agent-sync.yml", "version: 1\npreset: agent\nbackens: {}\nlimts: {}\n");
    let run = repo.human(&["sync"]).expect(2);
    for line in ["agent-sync.yml:3", "agent-sync.yml:4"] {
        assert!(
            run.stderr.lines().any(|text| text.trim_start().starts_with(line)
                || text.contains(&format!("usage: {line}"))),
            "{}",
            run.stderr
        );
    }
    std::fs::remove_file(repo.path.join("agent-sync.yml")).unwrap();
    refused(&lab, &repo, &["sync"], 2, &["no configuration file", "agent-sync.yml", "version: 1"]);
    refused(&lab, &repo, &["--config", "other.yml", "sync"], 2, &["other.yml", "does not exist"]);
}

#[test]
fn outside_of_a_git_repository() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let plain = lab.dir.path().join("plain");
    std::fs::create_dir_all(&plain).unwrap();
    std::fs::copy(repo.path.join("agent-sync.yml"), plain.join("agent-sync.yml")).unwrap();
    let directory = plain.to_str().unwrap();
    refused(
        &lab,
        &repo,
        &["--directory", directory, "sync"],
        2,
        &["not in a Git repository", "git init"],
    );
    refused(&lab, &repo, &["--directory", "nowhere", "sync"], 2, &["nowhere"]);
}

#[test]
fn a_bad_state_ref() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    for name in ["not a ref", "../x"] {
        let run = repo.human(&["--state-ref", name, "sync"]);
        assert_eq!(run.code, 2, "{name}: {}", run.stderr);
    }
}

/// The state's ref is fetched and moved by force: nobody's work may be under that name.
#[test]
fn the_state_lives_in_no_branch_and_in_no_tag() {
    let lab = Lab::new();
    let repo = lab.remote();
    repo.git(&["tag", "v1"]);
    let before = (refs(&repo), refs_of(&lab.dir.path().join("remote.git")));
    for name in ["refs/heads/main", "refs/heads/state", "refs/tags/v1", "refs/remotes/origin/main"]
    {
        for command in ["init", "sync", "check", "log"] {
            let run = repo.human(&["--state-ref", name, command]).expect(2);
            assert!(run.stderr.contains("refs/agent-sync/state"), "{name}: {}", run.stderr);
        }
    }
    assert_eq!((refs(&repo), refs_of(&lab.dir.path().join("remote.git"))), before);
    assert_eq!(lab.count(), 0);
}

/// However a run ends, it says what it cost.
#[test]
fn a_run_that_fails_reports_its_requests() {
    let lab = Lab::new();
    let repo = synced(&lab);
    let cost = |run: &Run| -> u64 {
        let json = run.json();
        let counts = json["requests"]["by_endpoint"].as_object().unwrap();
        assert_eq!(json["requests"], json["backends"][0]["requests"]);
        counts.values().map(|count| count.as_u64().unwrap()).sum()
    };
    lab.sim.reset_requests();
    lab.sim.fault(notion_sim::Fault {
        endpoint: Some("POST /v1/data_sources/{id}/query".to_owned()),
        skip: 0,
        count: usize::MAX,
        kind: notion_sim::FaultKind::ErrorBefore { status: 503 },
    });
    let run = repo.run(&["sync"]).expect(4);
    assert!(lab.count() > 1);
    // The databases are listed side by side: what was on its way when the first one gave up may not have arrived.
    let arrived = u64::try_from(lab.count()).unwrap();
    assert!((arrived..arrived + 4).contains(&cost(&run)), "{arrived}: {run:?}");
    assert!(run.json()["requests"]["retries"].as_u64() > Some(0));
    assert_eq!(run.json()["outcome"], "unavailable");
}

/// Arguments that fit each other badly.
#[test]
fn contradictions_on_the_command_line_exit_2() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    for args in [
        &["sync", "--force"][..],
        &["pull", "--force=local"],
        &["push", "--force=remote"],
        &["sync", "--force=both"],
        &["sync", "--force", "local"],
        &["status", "--force=local"],
        &["check", "--force=local"],
        &["init", "--force=local"],
        &["diff", "--force"],
        &["sync", "--allow", "everything"],
        &["sync", "--allow", "delete"],
        &["sync", "--allow", "delete=-1"],
        &["sync", "--allow", "delete=many"],
        &["sync", "--fail-on", "conflict"],
        &["status", "--fail-on", "never"],
        &["check", "--fail-on", "always"],
        &["sync", "--format", "xml"],
        &["sync", "--quiet", "--verbose"],
        &["sync", "--no-such-option"],
        &["sync", "--kind"],
        &["resolve", "--keep", "local"],
        &["resolve", "INFRA-1"],
        &["resolve", "INFRA-1", "--keep", "nothing"],
        &["relabel", "INFRA-1"],
        &["relabel", "INFRA-1", "INFRA-2", "INFRA-3"],
        &["restore", "INFRA-1"],
        &["restore", "--side", "local"],
        &["restore", "INFRA-1", "INFRA-2", "--side", "local"],
        &["log", "--limit", "x"],
        &["nonsense"],
        &[],
    ] {
        let run = repo.human(args).expect(2);
        assert!(!run.stderr.trim().is_empty() && run.stdout.is_empty(), "{args:?}: {run:?}");
    }
    assert_eq!((lab.count(), repo.state()), (0, None));
}

#[test]
fn help_and_version_are_answers() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    for args in [&["--help"][..], &["--version"], &["sync", "--help"]] {
        let run = repo.human(args).expect(0);
        assert!(!run.stdout.is_empty() && run.stderr.is_empty(), "{run:?}");
    }
}

/// All refs of a repository with their commits.
fn refs(repo: &Repo<'_>) -> String {
    refs_of(&repo.path)
}

fn refs_of(path: &Path) -> String {
    let output = Command::new("git").args(["for-each-ref"]).current_dir(path).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Everything in the work tree but `.git`.
fn work_tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            if path.ends_with(".git") {
                continue;
            }
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    files
}

/// A repository with a remote and every kind of difference at once.
fn all_differences(lab: &Lab) -> Repo<'_> {
    let repo = lab.remote();
    for n in 1..=12 {
        repo.story(&format!("INFRA-{n}"), "Story", "DRAFT", "## Problem\n\nOne.\n\nTwo.\n");
    }
    repo.init();
    repo.run(&["sync", "--any-branch"]).expect(0);
    repo.publish("stories");
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let path = |n: usize| format!(".agent/cache/stories/INFRA/INFRA-{n}-story.md");
    repo.replace(&path(1), "One.", "One, here.");
    lab.edit("Stories", "INFRA-2", "One", "One, there.");
    repo.replace(&path(3), "One.", "One, here.");
    lab.edit("Stories", "INFRA-3", "One", "One, there.");
    std::fs::remove_file(repo.path.join(path(4))).unwrap();
    let page = lab.page("Stories", "INFRA-5");
    lab.sim.workspace().trash(&page).unwrap();
    repo.story("INFRA-20", "New", "DRAFT", "A new story.\n");
    lab.sim
        .workspace()
        .create_page("Stories", "Theirs", &[("ID", json!("INFRA-21"))], "A new page.")
        .unwrap();
    lab.minutes(2);
    repo
}

#[test]
fn dry_runs_and_questions_write_nothing_anywhere() {
    let lab = Lab::new();
    let repo = all_differences(&lab);
    let bare = lab.dir.path().join("remote.git");
    let look =
        || (lab.sim.workspace().snapshot(), work_tree(&repo.path), refs(&repo), refs_of(&bare));
    let before = look();
    lab.sim.reset_requests();
    for args in [
        &["status"][..],
        &["diff"],
        &["check"],
        &["log"],
        &["init", "--dry-run"],
        &["sync", "--dry-run"],
        &["pull", "--dry-run"],
        &["push", "--dry-run"],
        &["sync", "--dry-run", "--force=local"],
        &["sync", "--dry-run", "--force=remote"],
        &["pull", "--dry-run", "--force"],
        &["push", "--dry-run", "--force"],
        &["sync", "--dry-run", "--full"],
        &["resolve", "INFRA-3", "--keep", "local", "--dry-run"],
    ] {
        let run = repo.run(args);
        assert!(run.code == 0 || run.code == 1, "{args:?}: {run:?}");
        assert_eq!(lab.writes(), 0, "{args:?}");
        assert_eq!(look(), before, "{args:?}");
    }
    // A plan says what the run then does.
    let planned = repo.run(&["sync", "--dry-run"]).expect(1);
    assert_eq!(planned.json()["outcome"], "conflicts");
    assert_eq!(
        planned.actions(),
        [
            "story/INFRA-1 push",
            "story/INFRA-2 pull",
            "story/INFRA-20 create-page",
            "story/INFRA-21 create-file",
            "story/INFRA-3 conflict",
            "story/INFRA-4 trash-page",
            "story/INFRA-5 delete-file",
        ]
    );
    assert_eq!(repo.run(&["sync"]).expect(1).actions(), planned.actions());
    // What restore would bring back, and nothing more.
    repo.run(&["sync", "--force=local"]).expect(0);
    let before = look();
    lab.sim.reset_requests();
    let run = repo.run(&["restore", "INFRA-3", "--side", "remote", "--dry-run"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-3 restore"]);
    assert_eq!((lab.writes(), look()), (0, before));
}
