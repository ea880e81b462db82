//! Round trips, counted (docs/design.md §8): at most 6 and one for each 500 rows that changed.

use crate::common::Lab;
use crate::common::database::{Make, postgres, sqlite};

/// Round trips of a report.
fn trips(run: &crate::common::Run) -> u64 {
    let json = run.json();
    let by = json["backends"][0]["requests"]["by_endpoint"].as_object().cloned().unwrap();
    by.values().filter_map(serde_json::Value::as_u64).sum()
}

fn a_sync_costs_what_changed(make: Make) {
    let lab = Lab::new();
    let bench = make(&lab);
    let (repo, db) = (&bench.repo, &bench.database);
    for n in 0..1200 {
        let body = format!("## Why\n\nStory number {n}.\n");
        repo.story(&format!("INFRA-{n}"), &format!("Story {n}"), "DRAFT", &body);
    }
    repo.init();
    let run = repo.run(&["sync"]).expect(0);
    assert!(trips(&run) <= 6 + 3, "first push: {:?}", run.json()["backends"]);
    let run = repo.run(&["sync"]).expect(0);
    assert!(trips(&run) <= 3, "nothing: {:?}", run.json()["backends"]);
    db.sql("UPDATE artifacts SET body = replace(body, 'number', 'No.') WHERE id LIKE 'INFRA-%'");
    let run = repo.run(&["sync", "--allow", "change=1200"]).expect(0);
    assert_eq!(run.actions().len(), 1200);
    assert!(trips(&run) <= 6 + 3, "pull of all: {:?}", run.json()["backends"]);
    for n in 0..600 {
        let path = format!(".agent/cache/stories/INFRA/INFRA-{n}-story-{n}.md");
        repo.replace(&path, "No.", "with the number");
    }
    let run = repo.run(&["sync", "--allow", "change=1200"]).expect(0);
    assert_eq!(run.actions().len(), 600);
    assert!(trips(&run) <= 6 + 2, "push of half: {:?}", run.json()["backends"]);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.json()["outcome"], "clean");
    assert!(trips(&run) <= 3, "nothing: {:?}", run.json()["backends"]);
}

#[test]
fn a_sync_with_sqlite_costs_what_changed() {
    a_sync_costs_what_changed(sqlite);
}

#[test]
fn a_sync_with_postgres_costs_what_changed() {
    a_sync_costs_what_changed(postgres);
}
