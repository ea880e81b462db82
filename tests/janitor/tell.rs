//! What the janitor says in Notion: a comment for each finding, once, and the page about the environment.

use notion_sim::{Fault, FaultKind};

use super::{clean, found, reads};
use crate::common::{Lab, Repo, Run};

/// Texts of the open comments on the page of a story.
fn comments(lab: &Lab, id: &str) -> Vec<String> {
    let page = lab.page("Stories", id);
    lab.sim.workspace().comments(&page).into_iter().map(|comment| comment.text).collect()
}

/// Two synced stories that nothing belongs to.
fn orphans(lab: &Lab, count: usize) -> Repo<'_> {
    let (repo, _) = clean(lab);
    for n in 2..2 + count {
        repo.story(&format!("INFRA-{n}"), &format!("Story {n}"), "DRAFT", super::BODY);
    }
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    repo.settle();
    lab.sim.reset_requests();
    repo
}

fn janitor(repo: &Repo<'_>, code: i32) -> Run {
    repo.run(&["janitor"]).expect(code)
}

#[test]
fn a_finding_is_told_on_its_page_once_and_no_longer_than_it_lasts() {
    let lab = Lab::new();
    let repo = orphans(&lab, 1);
    reads(&lab, &repo, &["janitor", "--dry-run"], 1);
    let run = janitor(&repo, 1);
    assert_eq!(found(&run), ["orphan-story story/INFRA-2"]);
    let said = comments(&lab, "INFRA-2");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("INFRA-2") && said[0].contains("[agent-sync "), "{said:?}");
    assert!(comments(&lab, "INFRA-1").is_empty());
    // A comment does not make the page look edited.
    repo.calm();
    reads(&lab, &repo, &["janitor"], 1);
    // One read for the page that has a finding.
    lab.sim.reset_requests();
    janitor(&repo, 1);
    let asked = lab.sim.requests();
    let asked = asked.iter().filter(|request| request.endpoint.contains("/v1/comments")).count();
    assert_eq!(asked, 1);
    // What is repaired is not said any more.
    let path = ".agent/cache/stories/INFRA/INFRA-2-story-2.md";
    repo.replace(path, "## Problem", "## Linked ADRs\n\n- ADR-1\n\n## Problem");
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    janitor(&repo, 0);
    assert!(comments(&lab, "INFRA-2").is_empty());
    reads(&lab, &repo, &["janitor"], 0);
}

#[test]
fn what_a_person_resolved_is_never_said_again_while_it_lasts() {
    let lab = Lab::new();
    let repo = orphans(&lab, 1);
    janitor(&repo, 1);
    let page = lab.page("Stories", "INFRA-2");
    let thread = lab.sim.workspace().comments(&page)[0].discussion.clone();
    lab.sim.workspace().resolve(&thread).unwrap();
    lab.sim.reset_requests();
    for _ in 0..2 {
        janitor(&repo, 1);
        assert_eq!(lab.writes(), 0);
    }
    assert!(comments(&lab, "INFRA-2").is_empty());
    // Nor by a fresh checkout, which has the state.
    reads(&lab, &repo, &["janitor"], 1);
}

#[test]
fn a_person_s_own_comments_stay() {
    let lab = Lab::new();
    let repo = orphans(&lab, 1);
    let page = lab.page("Stories", "INFRA-2");
    lab.sim.workspace().comment(&page, "Looks good to me.").unwrap();
    janitor(&repo, 1);
    assert_eq!(comments(&lab, "INFRA-2").len(), 2);
    let path = ".agent/cache/stories/INFRA/INFRA-2-story-2.md";
    repo.replace(path, "## Problem", "## Linked ADRs\n\n- ADR-1\n\n## Problem");
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    janitor(&repo, 0);
    assert_eq!(comments(&lab, "INFRA-2"), ["Looks good to me."]);
}

#[test]
fn without_the_capability_there_is_one_notice_and_everything_else_goes_on() {
    for posts in [false, true] {
        let lab = Lab::with(|options| {
            options.capabilities.read_comments = !posts;
            options.capabilities.insert_comments = posts;
        });
        let repo = orphans(&lab, 3);
        let run = janitor(&repo, 1);
        let json = run.json();
        let notices = json["notices"].as_array().unwrap();
        let named: Vec<&str> = notices
            .iter()
            .filter_map(|notice| notice.as_str())
            .filter(|notice| notice.contains("omment"))
            .collect();
        assert_eq!(named.len(), 1, "{json:#}");
        assert_eq!(found(&run).len(), 3);
    }
}

/// The comments' own requests, a read and a post for each, fail from each of them on.
fn fails_and_goes_on(kind: FaultKind) {
    const FOUND: usize = 3;
    let lab = Lab::new();
    let repo = orphans(&lab, FOUND);
    for skip in 0..2 * FOUND {
        lab.sim.fault(Fault { endpoint: None, skip: 8 + skip, count: 50, kind });
        let run = repo.run(&["janitor"]);
        assert!(matches!(run.code, 1 | 4), "{run:?}");
        lab.sim.clear_faults();
        janitor(&repo, 1);
        for n in 2..2 + FOUND {
            let said = comments(&lab, &format!("INFRA-{n}"));
            assert_eq!(said.len(), 1, "{skip} {kind:?}: {said:?}");
        }
        reads(&lab, &repo, &["janitor"], 1);
        forget(&lab, &repo);
    }
}

/// Everything is as before the first run of the janitor.
fn forget(lab: &Lab, repo: &Repo<'_>) {
    for n in 2..5 {
        let path = format!(".agent/cache/stories/INFRA/INFRA-{n}-story-{n}.md");
        repo.replace(&path, "## Problem", "## Linked ADRs\n\n- ADR-1\n\n## Problem");
    }
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    janitor(repo, 0);
    for n in 2..5 {
        let path = format!(".agent/cache/stories/INFRA/INFRA-{n}-story-{n}.md");
        repo.replace(&path, "## Linked ADRs\n\n- ADR-1\n\n", "");
    }
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
}

#[test]
fn after_a_failure_at_any_request_nothing_is_said_twice() {
    fails_and_goes_on(FaultKind::ErrorAfter { status: 502, with_guidance: false });
}

#[test]
#[ignore = "long: more of the same"]
fn after_any_failure_at_any_request_nothing_is_said_twice() {
    fails_and_goes_on(FaultKind::ErrorBefore { status: 503 });
    fails_and_goes_on(FaultKind::ResetAfter);
}

/// 1,000 pages, 200 of which have something to find, and a run that is killed again and again.
#[test]
#[ignore = "long: thousands of requests"]
fn a_janitor_that_is_killed_says_nothing_twice() {
    const PAGES: usize = 1000;
    const FOUND: usize = 200;
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.write(super::ADR, "# ADR-1: Keys\n\n## Status\n\nACCEPTED\n\nWhy.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    let adr = lab.page("ADRs", "ADR-1");
    for n in 1..PAGES {
        let id = serde_json::json!(format!("INFRA-{n:04}"));
        let mut values = vec![("ID", id), ("Status", serde_json::json!("TO_DO"))];
        if n > FOUND {
            values.push(("Linked ADRs", serde_json::json!(adr)));
        }
        let title = format!("Story {n}");
        lab.sim.workspace().create_page("Stories", &title, &values, super::BODY).unwrap();
    }
    lab.minutes(5);
    for _ in 0..2 {
        repo.run(&["sync"]).expect(0);
    }
    let said = || -> Vec<usize> {
        (1..=FOUND).map(|n| comments(&lab, &format!("INFRA-{n:04}")).len()).collect()
    };
    let mut killed = 0;
    for wait in (1..).map(|n| n * 97 % 1500) {
        let mut child = repo.spawn(&["janitor"]);
        std::thread::sleep(std::time::Duration::from_millis(300 + wait));
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        let _ = child.wait();
        killed += usize::from(!ended);
        assert!(said().iter().all(|count| *count <= 1), "{:?}", said());
        if ended || killed == 12 {
            break;
        }
    }
    assert!(killed > 1, "the runs were too fast to be killed");
    janitor(&repo, 1);
    assert_eq!(said(), vec![1; FOUND]);
    reads(&lab, &repo, &["janitor"], 1);
}
