//! What may happen to a database while a run is at work: nothing is lost, nothing is there by halves, and the exit
//! code says that it may be tried again.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::database::{Bench, Database, at_url, postgres, sqlite};
use crate::common::postgres::{Pooler, Server};
use crate::common::{Lab, binary};

fn stories(bench: &Bench<'_>, count: usize) {
    for n in 0..count {
        let body = format!("## Why\n\nStory number {n}.\n");
        bench.repo.story(&format!("INFRA-{n}"), &format!("Story {n}"), "DRAFT", &body);
    }
}

/// Another program begins to write and does not end; gives it, to be ended.
fn writer_that_waits(server: &Server, url: &str) -> std::process::Child {
    let sql = "BEGIN; INSERT INTO agent_sync.artifacts (kind, id) VALUES ('other', 'x'); SELECT pg_sleep(60)";
    let child = Command::new("psql")
        .args(["-Xq", "-d", url, "-c", sql])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until(server, "wait_event = 'PgSleep'");
    child
}

/// Waits until a run of ours waits for that program.
fn until_it_waits(server: &Server) {
    until(server, "application_name = 'agent-sync' AND wait_event_type = 'Lock'");
}

/// Waits for a process of the server.
fn until(server: &Server, condition: &str) {
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}");
    for _ in 0..600 {
        if server.try_sql("postgres", &sql).is_ok_and(|count| count != "0") {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{condition}: {:?}", server.try_sql("postgres", "SELECT application_name, state, wait_event_type, wait_event, query FROM pg_stat_activity"));
}

#[test]
fn a_server_that_dies_in_the_middle_has_all_or_nothing() {
    let lab = Lab::new();
    let mut server = Server::start_in(None);
    let url = server.url(&server.database());
    let bench = at_url(&lab, &url, &url);
    stories(&bench, 30);
    bench.repo.init();
    let mut other = writer_that_waits(&server, &url);
    let run = bench.repo.spawn(&["sync"]);
    until_it_waits(&server);
    server.kill();
    let run = bench.repo.finish(run.wait_with_output().unwrap());
    assert_eq!(run.code, 4, "{run:?}");
    other.wait().unwrap();
    server.restart();
    assert_eq!(bench.database.sql("SELECT count(*) FROM artifacts"), "0");
    assert_eq!(bench.repo.run(&["sync"]).expect(0).actions().len(), 30);
    assert_eq!(bench.database.sql("SELECT count(*), count(DISTINCT id) FROM artifacts"), "30|30");
    assert_eq!(bench.repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
}

#[test]
fn a_connection_that_is_dropped_in_the_middle_leaves_nothing() {
    let lab = Lab::new();
    let server = Server::start_in(None);
    let url = server.url(&server.database());
    let bench = at_url(&lab, &url, &url);
    stories(&bench, 30);
    bench.repo.run_init_and_sync();
    let path = ".agent/cache/stories/INFRA/INFRA-3-story-3.md";
    bench.repo.replace(path, "Story number 3.", "Story number three.");
    let counts = bench.database.counts();
    let mut other = writer_that_waits(&server, &url);
    let run = bench.repo.spawn(&["sync"]);
    until_it_waits(&server);
    let drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('agent-sync', 'psql') \
        AND pid <> pg_backend_pid()";
    server.try_sql("postgres", drop).unwrap();
    let run = bench.repo.finish(run.wait_with_output().unwrap());
    assert_eq!(run.code, 4, "{run:?}");
    other.wait().unwrap();
    assert_eq!(bench.database.counts(), counts);
    assert_eq!(bench.repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-3 push"]);
    assert!(bench.database.body("INFRA-3").contains("number three."));
}

#[test]
fn a_server_that_is_away_is_exit_4_and_a_wrong_password_exit_3_without_saying_it() {
    let lab = Lab::new();
    let server = Server::shared();
    let url = server.url(&server.database());
    let mut bench = at_url(&lab, &url, &url);
    stories(&bench, 1);
    bench.repo.init();
    let mut with = |url: &str, code: i32| {
        bench.repo.env.insert("TEAM_URL".to_owned(), url.to_owned());
        let run = bench.repo.run(&["sync"]);
        assert_eq!(run.code, code, "{run:?}");
        let all = format!("{}{}", run.stdout, run.stderr);
        assert!(!all.contains("pg_4711_secret") && !all.contains("wrong-word"), "{all}");
    };
    with(&url.replace(&server.port.to_string(), "1"), 4);
    with(&url.replace("pg_4711_secret", "wrong-word"), 3);
    with("postgres//not a url wrong-word", 3);
    with("", 3);
    with(&url, 0);
}

#[test]
fn a_pooler_in_transaction_mode_is_as_good_as_the_server() {
    let lab = Lab::new();
    let server = Server::shared();
    let pooler = Pooler::start(server);
    let database = server.database();
    let bench = at_url(&lab, &pooler.url(&database), &server.url(&database));
    stories(&bench, 40);
    bench.repo.run_init_and_sync();
    bench.database.sql("UPDATE artifacts SET body = body || E'\\n\\nBy SQL.' WHERE id = 'INFRA-7'");
    let path = ".agent/cache/stories/INFRA/INFRA-3-story-3.md";
    bench.repo.replace(path, "Story number 3.", "Story number three.");
    assert_eq!(
        bench.repo.run(&["sync"]).expect(0).actions(),
        ["story/INFRA-3 push", "story/INFRA-7 pull"]
    );
    let counts = bench.database.counts();
    assert_eq!(bench.repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(bench.database.counts(), counts);
}

#[test]
fn a_file_that_another_process_holds_locked_is_exit_4() {
    let lab = Lab::new();
    let bench = sqlite(&lab);
    stories(&bench, 3);
    bench.repo.run_init_and_sync();
    bench.repo.replace(".agent/cache/stories/INFRA/INFRA-1-story-1.md", "number 1", "number one");
    let Database::Sqlite(path) = &bench.database else { panic!("no file") };
    let mut holder = Command::new("sqlite3").arg(path).stdin(Stdio::piped()).spawn().unwrap();
    let stdin = holder.stdin.as_mut().unwrap();
    stdin.write_all(b"BEGIN EXCLUSIVE;\n").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let run = bench.repo.run(&["sync"]);
    assert_eq!(run.code, 4, "{run:?}");
    assert!(run.stdout.contains("holds the database locked"), "{run:?}");
    stdin.write_all(b"ROLLBACK;\n").unwrap();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(bench.repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
}

#[test]
fn a_full_disk_is_exit_4_and_leaves_the_last_state() {
    let lab = Lab::new();
    let bench = sqlite(&lab);
    bench.repo.write(
        "agent-sync.yml",
        "version: 1\npreset: agent\nbackends:\n  cache: {type: sqlite, path: small/artifacts.db}\n",
    );
    bench.repo.story("INFRA-1", "First", "DRAFT", "## Why\n\nFits.\n");
    let big = "## Why\n\nMany words that do not fit there. \n\n".repeat(40_000);
    std::fs::create_dir(bench.repo.path.join("small")).unwrap();
    bench.repo.write("big.md", &crate::common::story("INFRA-2", "Second", "DRAFT", &big));
    // A disk of its own, seen by this script alone.
    let script = r#"
        set -u
        mount -t tmpfs -o size=1m tmpfs small || exit 90
        "$1" sync >/dev/null 2>&1; first=$?
        mv big.md .agent/cache/stories/INFRA/INFRA-2-second.md
        "$1" sync --format json; second=$?
        sqlite3 small/artifacts.db 'PRAGMA integrity_check; SELECT count(*) FROM artifacts'
        mount -o remount,size=64m small
        "$1" sync >/dev/null 2>&1; third=$?
        sqlite3 small/artifacts.db 'SELECT count(*) FROM artifacts'
        echo "$first $second $third"
    "#;
    let program = binary();
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(program.get_program())
        .current_dir(&bench.repo.path)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("The disk is full"), "{out} {}", String::from_utf8_lossy(&output.stderr));
    let tail: Vec<&str> = out.trim_end().lines().rev().take(4).collect();
    assert_eq!(tail, ["0 4 0", "2", "1", "ok"], "{out}");
}

#[test]
fn two_processes_and_a_program_at_once_lose_and_double_nothing() {
    let lab = Lab::new();
    let bench = postgres(&lab);
    stories(&bench, 20);
    bench.repo.run_init_and_sync();
    const NEW: usize = 40;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let run = bench.repo.run(&["sync"]);
                    assert!(matches!(run.code, 0 | 4), "{run:?}");
                }
            });
        }
        let Database::Postgres(url) = &bench.database else { panic!("no server") };
        let program = Database::Postgres(url.clone());
        scope.spawn(move || {
            for n in 0..NEW {
                let old = n % 20;
                program.sql(&format!(
                    "INSERT INTO artifacts (kind, id, title, body) VALUES ('story', 'NEW-{n}', 'New {n}', 'By SQL.');
                     UPDATE artifacts SET body = body || E'\\nLine {n}.\\n' WHERE id = 'INFRA-{old}'"
                ));
                std::thread::sleep(Duration::from_millis(40));
            }
        });
    });
    bench.repo.run(&["sync"]).expect(0);
    assert_eq!(bench.repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(
        bench
            .database
            .sql("SELECT count(*), count(DISTINCT id) FROM artifacts WHERE deleted_at IS NULL"),
        format!("{0}|{0}", NEW + 20)
    );
    for n in 0..NEW {
        let path = format!(".agent/cache/stories/NEW/NEW-{n}-new-{n}.md");
        assert!(bench.repo.read(&path).contains("By SQL."), "{path}");
        let old = n % 20;
        let path = format!(".agent/cache/stories/INFRA/INFRA-{old}-story-{old}.md");
        assert!(bench.repo.read(&path).contains(&format!("Line {n}.")), "{path}");
        assert!(bench.database.body(&format!("INFRA-{old}")).contains(&format!("Line {n}.")));
    }
}

#[test]
fn the_documented_role_is_enough() {
    let lab = Lab::new();
    let server = Server::shared();
    let database = server.database();
    let owner = server.url(&database);
    let mut bench = at_url(&lab, &owner, &owner);
    stories(&bench, 3);
    bench.repo.init();
    let docs =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/backends.md")).unwrap();
    let sql = docs.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    server.try_sql(&database, "CREATE ROLE dashboard LOGIN PASSWORD 'dashes'").unwrap();
    server.try_sql(&database, &sql.replace('…', "words")).unwrap();
    let of = |role: &str| owner.replace("postgres:pg_4711_secret@", role);
    bench.repo.env.insert("TEAM_URL".to_owned(), of("agent_sync:words@"));
    bench.repo.run(&["sync"]).expect(0);
    let dashboard = Database::Postgres(of("dashboard:dashes@"));
    dashboard
        .sql("UPDATE artifacts SET body = body || E'\\n\\nBy a dashboard.' WHERE id = 'INFRA-1'");
    assert_eq!(dashboard.sql("SELECT author FROM artifacts WHERE id = 'INFRA-1'"), "dashboard");
    assert_eq!(bench.repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 pull"]);
    let path = ".agent/cache/stories/INFRA/INFRA-1-story-1.md";
    bench.repo.replace(path, "By a dashboard.", "By a person.");
    assert_eq!(bench.repo.run(&["sync"]).expect(0).actions(), ["story/INFRA-1 push"]);
    assert_eq!(bench.repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
}
