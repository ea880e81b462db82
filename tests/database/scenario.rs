//! The main loop with a database alone, the same for each engine.

use crate::common::Lab;
use crate::common::database::{Make, postgres, sqlite};

const BODY: &str = "## Problem\n\nThe first paragraph,\nhard  wrapped.\n\nThe second paragraph.\n\n* one\n* two\n\n\
    [ref]: https://example.org\n<!-- a note -->\n\nSee [the ref][ref] and [itself](#problem).\n";

fn init_fills_and_a_second_run_writes_nothing(make: Make) {
    let lab = Lab::new();
    let bench = make(&lab);
    let (repo, db) = (&bench.repo, &bench.database);
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "TO_DO", "Zwölf Boxkämpfer 🥊\n");
    repo.init();
    assert_eq!(repo.run(&["status"]).expect(0).actions().len(), 2);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/INFRA-1 create-page", "story/INFRA-2 create-page"]);
    assert_eq!(db.body("INFRA-1"), BODY.trim_end(), "the file's own text");
    assert_eq!(
        db.sql("SELECT kind, title, status, body, author FROM artifacts WHERE id = 'INFRA-2'"),
        "story|Second|TO_DO|Zwölf Boxkämpfer 🥊\n|agent-sync"
    );
    let (counts, files) = (db.counts(), repo.files());
    for args in [&["sync"][..], &["sync", "--full"], &["push"], &["pull"], &["check"]] {
        let run = repo.run(args).expect(0);
        assert_eq!(run.json()["outcome"], "clean", "{args:?} {run:?}");
        assert_eq!((db.counts(), repo.files()), (counts.clone(), files.clone()), "{args:?}");
    }
    assert_eq!(repo.state(), None, "the state is in the database alone");
}

fn an_edit_travels_and_nothing_else_moves(make: Make) {
    let lab = Lab::new();
    let bench = make(&lab);
    let (repo, db) = (&bench.repo, &bench.database);
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    repo.run_init_and_sync();
    db.sql("UPDATE artifacts SET body = replace(body, 'second paragraph', 'second one'), title = 'New' \
        WHERE id = 'INFRA-1'");
    let text = repo.read(&path);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    let wanted = text.replace("second paragraph", "second one").replace(": First", ": New");
    assert_eq!(repo.read(&path), wanted);
    repo.replace(&path, "hard  wrapped", "hard  wrapped still");
    repo.replace(&path, "DRAFT", "TO_DO");
    let before = db.body("INFRA-1");
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    assert_eq!(db.body("INFRA-1"), before.replace("hard  wrapped", "hard  wrapped still"));
    assert_eq!(
        db.sql("SELECT status, version FROM artifacts WHERE id = 'INFRA-1'"),
        "TO_DO|3",
        "one row, one write"
    );
    assert_eq!(
        db.sql("SELECT count(*) FROM artifact_versions v JOIN artifacts a ON a.uid = v.uid WHERE a.id = 'INFRA-1'"),
        "3"
    );
    let counts = db.counts();
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(db.counts(), counts);
}

fn both_sides_merge_and_what_clashes_is_a_conflict(make: Make) {
    let lab = Lab::new();
    let bench = make(&lab);
    let (repo, db) = (&bench.repo, &bench.database);
    let path = repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    repo.run_init_and_sync();
    db.sql("UPDATE artifacts SET body = replace(body, 'second paragraph', 'second one') WHERE id = 'INFRA-1'");
    repo.replace(&path, "* two", "* two\n* three");
    let file = repo.read(&path);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 merge"]);
    assert_eq!(repo.read(&path), file.replace("second paragraph", "second one"));
    assert!(
        db.body("INFRA-1").contains("second one") && db.body("INFRA-1").contains("* two\n* three")
    );
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");

    db.sql("UPDATE artifacts SET body = replace(body, 'second one', 'second of SQL') WHERE id = 'INFRA-1'");
    repo.replace(&path, "second one", "second of Git");
    let run = repo.run(&["sync"]).expect(1);
    assert_eq!(run.actions(), ["story/INFRA-1 conflict"]);
    assert!(
        db.body("INFRA-1").contains("second of SQL") && repo.read(&path).contains("second of Git")
    );
    repo.run(&["sync", "--force=remote"]).expect(0);
    assert!(repo.read(&path).contains("second of SQL"));
    repo.run(&["restore", "INFRA-1", "--side", "local"]).expect(0);
    assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    assert!(db.body("INFRA-1").contains("second of Git"));
}

fn deletions_are_marks_and_travel_both_ways(make: Make) {
    let lab = Lab::new();
    let bench = make(&lab);
    let (repo, db) = (&bench.repo, &bench.database);
    let first = repo.story("INFRA-1", "First", "DRAFT", BODY);
    let second = repo.story("INFRA-2", "Second", "DRAFT", "Something else entirely.\n");
    let third = repo.story("INFRA-3", "Third", "DRAFT", "A third thing.\n");
    repo.story("INFRA-4", "Fourth", "DRAFT", "A fourth.\n");
    repo.run_init_and_sync();
    std::fs::remove_file(repo.path.join(&first)).unwrap();
    db.sql("UPDATE artifacts SET deleted_at = '2026-11-25' WHERE id = 'INFRA-2'");
    // What a program deletes for good is a mark as well.
    db.sql("DELETE FROM artifacts WHERE id = 'INFRA-3'");
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(
        run.actions(),
        ["story/INFRA-1 trash-page", "story/INFRA-2 delete-file", "story/INFRA-3 delete-file"]
    );
    assert!(!repo.has(&second) && !repo.has(&third));
    assert_eq!(db.sql("SELECT count(*) FROM artifacts WHERE deleted_at IS NOT NULL"), "3");
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    // Deleted there, edited here.
    let fourth = ".agent/cache/stories/INFRA/INFRA-4-fourth.md";
    repo.replace(fourth, "A fourth.", "A fourth, edited.");
    db.sql("DELETE FROM artifacts WHERE id = 'INFRA-4'");
    assert_eq!(
        repo.run(&["sync", "--allow", "delete=1"]).expect(1).actions(),
        ["story/INFRA-4 conflict"]
    );
    repo.run(&["sync", "--force=local", "--allow", "delete=1"]).expect(0);
    repo.run(&["sync", "--allow", "delete=1"]).expect(0);
    assert_eq!(db.body("INFRA-4").trim_end(), "A fourth, edited.");
}

fn rows_of_other_programs_come_and_bad_ones_are_findings(make: Make) {
    let lab = Lab::new();
    let bench = make(&lab);
    let (repo, db) = (&bench.repo, &bench.database);
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.run_init_and_sync();
    db.sql(
        "INSERT INTO artifacts (kind, id, title, status, body) VALUES
         ('story', 'INFRA-7', 'Seventh', 'TO_DO', 'By SQL,
hard   wrapped.

| a |  b |
|---|---|
| 1 | 2 |'),
         ('story', 'INFRA-8', 'Without a body', NULL, NULL),
         ('story', NULL, 'Without an id', NULL, 'x'),
         ('story', 'no id at all', 'Odd', NULL, 'x'),
         ('story', 'INFRA-9', 'Twice', NULL, 'x'), ('story', 'INFRA-9', 'Twice', NULL, 'x')",
    );
    db.sql("INSERT INTO artifacts (kind, id, title, properties) VALUES ('story', 'INFRA-10', 'Bad', '[1]')");
    let run = repo.run(&["sync"]);
    assert_eq!(
        run.actions(),
        ["story/INFRA-7 create-file", "story/INFRA-8 create-file"],
        "{run:?}"
    );
    assert_eq!(
        run.rules(),
        ["duplicate-page", "malformed-id", "page-without-id", "unreadable-page"]
    );
    let path = ".agent/cache/stories/INFRA/INFRA-7-seventh.md";
    assert_eq!(
        repo.read(path),
        "# INFRA-7: Seventh\n\n## State\n\nTO_DO\n\nBy SQL,\nhard   wrapped.\n\n| a |  b |\n|---|---|\n| 1 | 2 |\n"
    );
    assert!(repo.has(".agent/cache/stories/INFRA/INFRA-8-without-a-body.md"));
    let counts = db.counts();
    assert!(repo.run(&["sync"]).actions().is_empty());
    assert_eq!(db.counts(), counts);
}

fn a_repository_that_has_only_a_database_is_pulled_into_files(make: Make) {
    let lab = Lab::new();
    let bench = make(&lab);
    let (repo, db) = (&bench.repo, &bench.database);
    repo.story("INFRA-1", "First", "DRAFT", BODY);
    repo.story("INFRA-2", "Second", "DRAFT", BODY);
    repo.run_init_and_sync();
    let files = repo.files();
    let texts: Vec<String> = files
        .iter()
        .filter(|(path, _)| path.ends_with(".md"))
        .map(|(_, text)| text.clone())
        .collect();
    std::fs::remove_dir_all(repo.path.join(".agent/cache")).unwrap();
    // A database without a state of its own, as another program would fill it.
    db.sql("DELETE FROM sync_files; DELETE FROM sync_commits");
    repo.init();
    assert_eq!(
        repo.run(&["pull"]).expect(0).actions(),
        ["story/INFRA-1 create-file", "story/INFRA-2 create-file"]
    );
    let now: Vec<String> = repo
        .files()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".md"))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(now, texts);
}

fn references_are_links_that_can_be_asked_for(make: Make) {
    let lab = Lab::new();
    let bench = make(&lab);
    let (repo, db) = (&bench.repo, &bench.database);
    repo.write(
        ".agent/cache/plans/PLAN/PLAN-7-use-sql.md",
        "# PLAN-7: Use SQL\n\n## Why\n\nRows.\n",
    );
    let body =
        "## Problem\n\nx\n\n## Linked Plans\n\n- [PLAN-7](../../plans/PLAN/PLAN-7-use-sql.md)\n";
    repo.story("INFRA-1", "First", "DRAFT", body);
    repo.run_init_and_sync();
    assert_eq!(
        db.sql("SELECT from_kind, from_id, to_kind, to_id FROM links"),
        "story|INFRA-1|plan|PLAN-7",
        "{:?}",
        db.sql("SELECT id, properties FROM artifacts")
    );
    let counts = db.counts();
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(db.counts(), counts);
}

fn a_table_of_the_older_system_is_taken_over_without_losing_a_row(make: Make) {
    let lab = Lab::new();
    let bench = make(&lab);
    let (repo, db) = (&bench.repo, &bench.database);
    repo.init();
    db.sql(
        "CREATE TABLE old_artifacts (id text, type text, content text, version int, state text, author text);
         INSERT INTO old_artifacts VALUES
         ('INFRA-1', 'story', '# INFRA-1: First

## State

DRAFT

## Why

An older text.
', 1, 'DRAFT', 'ada'),
         ('INFRA-1', 'story', '# INFRA-1: First

## State

TO_DO

## Why

The newest   text.
', 2, 'TO_DO', 'bob'),
         ('INFRA-2', 'Stories', 'Only a text.', 1, 'DONE', 'ada'),
         ('X-1', 'memo', 'Of no kind.', 1, NULL, 'ada'), (NULL, 'story', 'Of no id.', 1, NULL, NULL)",
    );
    let table = if matches!(db, crate::common::database::Database::Sqlite(_)) {
        "old_artifacts"
    } else {
        "agent_sync.old_artifacts"
    };
    let run = repo.run(&["init", "--from-table", table]).expect(0);
    assert_eq!(run.actions().len(), 4, "{run:?}");
    let rows = db.sql("SELECT kind, id, title, status, author FROM artifacts");
    for row in [
        "story|INFRA-1|First|TO_DO|bob",
        "story|INFRA-2|INFRA-2|DONE|ada",
        "memo|X-1|||ada",
        "story||",
    ] {
        assert!(rows.contains(row), "{row} in {rows}");
    }
    let run = repo.run(&["pull"]);
    assert_eq!(
        run.actions(),
        ["story/INFRA-1 create-file", "story/INFRA-2 create-file"],
        "{run:?}"
    );
    assert_eq!(
        repo.read(".agent/cache/stories/INFRA/INFRA-1-first.md"),
        "# INFRA-1: First\n\n## State\n\nTO_DO\n\n## Why\n\nThe newest   text.\n"
    );
    assert_eq!(db.sql(&format!("SELECT count(*) FROM {table}")), "5", "the table stays");
    // Again: only what has no id can come twice.
    let run = repo.run(&["init", "--from-table", table]).expect(0);
    assert_eq!(run.actions().len(), 1, "{run:?}");
    repo.run(&["init", "--from-table", "no_such_table"]).expect(3);
}

macro_rules! engines {
    ($($test:ident),* $(,)?) => {
        mod with_postgres { $(#[test] fn $test() { super::$test(super::postgres); })* }
        mod with_sqlite { $(#[test] fn $test() { super::$test(super::sqlite); })* }
    };
}

engines!(
    init_fills_and_a_second_run_writes_nothing,
    an_edit_travels_and_nothing_else_moves,
    both_sides_merge_and_what_clashes_is_a_conflict,
    deletions_are_marks_and_travel_both_ways,
    rows_of_other_programs_come_and_bad_ones_are_findings,
    a_repository_that_has_only_a_database_is_pulled_into_files,
    references_are_links_that_can_be_asked_for,
    a_table_of_the_older_system_is_taken_over_without_losing_a_row,
);
