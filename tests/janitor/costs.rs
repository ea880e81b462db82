//! What the janitor costs (docs/design.md §8), and that size is no trouble.

use serde_json::json;

use super::{BODY, clean, found, reads};
use crate::common::Lab;

/// Databases of the preset's shared kinds.
const D: usize = 4;

#[test]
fn lists_and_schemas_and_nothing_else() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    reads(&lab, &repo, &["janitor"], 0);
    assert_eq!(lab.count(), D + D, "a listing and a schema each");
    reads(&lab, &repo, &["janitor", "--fix", "--dry-run"], 0);
    assert_eq!(lab.count(), D + D);
    // To write, the token has to be asked who it is.
    reads(&lab, &repo, &["janitor", "--fix"], 0);
    assert_eq!(lab.count(), D + D + 1);
    // A body each.
    reads(&lab, &repo, &["janitor", "--full"], 0);
    assert_eq!(lab.count(), D + D + 3);
    // A page that was edited since a sync took it up.
    lab.edit("Stories", "INFRA-1", "first", "An edit.");
    lab.minutes(2);
    reads(&lab, &repo, &["janitor"], 0);
    assert_eq!(lab.count(), D + D + 1);
    repo.run(&["sync"]).expect(0);
    reads(&lab, &repo, &["janitor"], 0);
    assert_eq!(lab.count(), D + D);
    // A repair: the page read again, written, and the schema of its database before.
    repo.write(".agent/adrs/ADR-2-x.md", "# ADR-2: X\n\n## Status\n\nACCEPTED\n\nWhy.\n");
    repo.replace(&path, "An edit.", "An edit after ADR-2.");
    repo.run(&["sync"]).expect(0);
    repo.settle();
    lab.sim.reset_requests();
    repo.run(&["janitor", "--fix"]).expect(0);
    assert_eq!((lab.count(), lab.writes()), (D + D + 1 + 3, 1));
}

/// 1,000 pages, 200 of which have something to find.
#[test]
fn a_thousand_pages() {
    const PAGES: usize = 1000;
    const FOUND: usize = 200;
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.write(".agent/adrs/ADR-1-keys.md", "# ADR-1: Keys\n\n## Status\n\nACCEPTED\n\nWhy.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    let adr = lab.page("ADRs", "ADR-1");
    for n in 1..PAGES {
        let id = json!(format!("INFRA-{n:04}"));
        let mut values = vec![("ID", id), ("Status", json!("TO_DO"))];
        if n > FOUND {
            values.push(("Linked ADRs", json!(adr)));
        }
        lab.sim.workspace().create_page("Stories", &format!("Story {n}"), &values, BODY).unwrap();
    }
    lab.minutes(5);
    repo.run(&["sync"]).expect(0);
    repo.run(&["sync"]).expect(0);
    let run = reads(&lab, &repo, &["janitor"], 1);
    assert_eq!(run.json()["counts"]["findings"], json!(FOUND));
    assert_eq!(lab.count(), (PAGES - 1).div_ceil(100) + (D - 1) + D);
    assert_eq!(found(&run).len(), FOUND);
    let prints: std::collections::BTreeSet<String> = run.json()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["fingerprint"].to_string())
        .collect();
    assert_eq!(prints.len(), FOUND);
    let again = reads(&lab, &repo, &["janitor"], 1);
    assert_eq!(again.json()["findings"], run.json()["findings"]);
    let human = repo.human(&["janitor"]).expect(1).stderr;
    assert!(human.contains("and 180 more findings"), "{human}");
}
