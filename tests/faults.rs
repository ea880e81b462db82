//! Every fault of the simulator at every request of a run (rules 1, 2, 12, 13 and 16).
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::time::Duration;

use common::Lab;
use common::scenario::{End, Scene, brief, code, endpoint, play};
use notion_sim::{Fault, FaultKind};

/// Every kind of fault.
const KINDS: [FaultKind; 17] = [
    FaultKind::RateLimited { retry_after: 0 },
    FaultKind::Conflict409,
    FaultKind::ErrorBefore { status: 500 },
    FaultKind::ErrorBefore { status: 503 },
    FaultKind::ErrorAfter { status: 500, with_guidance: false },
    FaultKind::ErrorAfter { status: 503, with_guidance: true },
    FaultKind::ErrorAfter { status: 504, with_guidance: false },
    FaultKind::Overload529 { retry_after: 0 },
    FaultKind::EdgeHtml { status: 502 },
    FaultKind::EdgeHtml { status: 403 },
    FaultKind::EdgeHtml { status: 200 },
    FaultKind::ResetBefore,
    FaultKind::ResetAfter,
    FaultKind::StallBefore { after: Duration::from_millis(5) },
    FaultKind::StallAfter { after: Duration::from_millis(5) },
    FaultKind::TruncatedBody,
    FaultKind::SkipHunk,
];

#[derive(Clone, Copy, Debug)]
struct Case {
    kind: FaultKind,
    skip: usize,
    count: usize,
}

fn strike(scene: &Scene, case: &Case) {
    scene.lab.sim.fault(Fault {
        endpoint: None,
        skip: case.skip,
        count: case.count,
        kind: case.kind,
    });
}

/// A fault that passes is no reason to fail: the run itself gets there, and the next one has nothing to do.
fn once(scene: &Scene, end: &End, case: &Case) -> Result<(), String> {
    let repo = scene.restore();
    strike(scene, case);
    let run = repo.run(&["sync"]);
    let at = endpoint(scene, case.skip);
    scene.lab.sim.clear_faults();
    code(&run, 0).map_err(|why| format!("{at}: {why}"))?;
    scene.quiet(&repo, end).map_err(|why| format!("{at}: {why}\n{}", brief(&run)))
}

/// A fault that stays ends the run with 4; the next run finishes the work.
fn for_good(scene: &Scene, end: &End, case: &Case) -> Result<(), String> {
    let repo = scene.restore();
    strike(scene, case);
    let run = repo.run(&["sync"]);
    let at = endpoint(scene, case.skip);
    scene.lab.sim.clear_faults();
    code(&run, 4).map_err(|why| format!("{at}: {why}"))?;
    scene.recovers(&repo, end).map_err(|why| format!("{at}: {why}\n{}", brief(&run)))
}

/// `few` kinds at every request, another choice at each; all of them if there are no more.
fn cases(scene: fn() -> Scene, few: usize, count: usize, kinds: &[FaultKind]) -> Vec<Case> {
    let (_, requests) = scene().reference();
    let each = few.min(kinds.len());
    (0..requests)
        .flat_map(|skip| (0..each).map(move |n| (skip, n)))
        .map(|(skip, n)| Case { kind: kinds[(skip * each + n) % kinds.len()], skip, count })
        .collect()
}

#[test]
fn rule_13_a_fault_that_passes_does_not_show_first() {
    play(Scene::first, &cases(Scene::first, 1, 1, &KINDS), once);
}

#[test]
fn rule_13_a_fault_that_passes_does_not_show_incremental() {
    play(Scene::incremental, &cases(Scene::incremental, 1, 1, &KINDS), once);
}

#[test]
#[ignore = "minutes long; run by .ci/run"]
fn rule_13_every_fault_at_every_request_of_a_first_sync() {
    play(Scene::first, &cases(Scene::first, KINDS.len(), 1, &KINDS), once);
}

#[test]
#[ignore = "minutes long; run by .ci/run"]
fn rule_13_every_fault_at_every_request_of_an_incremental_sync() {
    play(Scene::incremental, &cases(Scene::incremental, KINDS.len(), 1, &KINDS), once);
}

/// Faults that no number of attempts gets past, struck from every request on.
const LASTING: [FaultKind; 4] = [
    FaultKind::ErrorBefore { status: 503 },
    FaultKind::ErrorAfter { status: 500, with_guidance: false },
    FaultKind::ResetAfter,
    FaultKind::EdgeHtml { status: 502 },
];

fn lasting(scene: fn() -> Scene, few: usize) -> Vec<Case> {
    let cases = cases(scene, few, 1, &LASTING);
    cases.into_iter().map(|case| Case { count: usize::MAX, ..case }).collect()
}

#[test]
fn rule_16_an_outage_ends_with_4_and_loses_nothing() {
    let some = |scene, first| -> Vec<Case> {
        lasting(scene, 1).into_iter().skip(first).step_by(3).collect()
    };
    play(Scene::first, &some(Scene::first, 0), for_good);
    play(Scene::incremental, &some(Scene::incremental, 1), for_good);
}

#[test]
#[ignore = "minutes long; run by .ci/run"]
fn rule_16_an_outage_from_every_request_on() {
    play(Scene::first, &lasting(Scene::first, LASTING.len()), for_good);
    play(Scene::incremental, &lasting(Scene::incremental, LASTING.len()), for_good);
}

/// Endpoints that change something.
const WRITES: [&str; 3] =
    ["POST /v1/pages", "PATCH /v1/pages/{id}", "PATCH /v1/pages/{id}/markdown"];

#[derive(Clone, Copy, Debug)]
struct Late {
    endpoint: &'static str,
    skip: usize,
}

/// A write whose connection breaks at once and whose effect comes later, but within the backend's deadline.
fn late(scene: &Scene, end: &End, case: &Late) -> Result<(), String> {
    let repo = scene.restore();
    repo.replace("agent-sync.yml", "settle_seconds: 0", "settle_seconds: 1");
    scene.lab.sim.fault(Fault {
        endpoint: Some(case.endpoint.to_owned()),
        skip: case.skip,
        count: 1,
        kind: FaultKind::LateEffect { after: Duration::from_millis(300) },
    });
    let run = repo.run(&["sync"]);
    scene.lab.sim.clear_faults();
    // What is as it should be already was not waited for.
    std::thread::sleep(Duration::from_millis(350));
    code(&run, 0)?;
    scene.recovers(&repo, end).map_err(|why| format!("{why}\n{}", brief(&run)))
}

fn lates(scene: fn() -> Scene) -> Vec<Late> {
    let scene = scene();
    scene.reference();
    let repo = scene.restore();
    repo.run(&["sync"]).expect(0);
    let requests = scene.lab.sim.requests();
    let count = |endpoint| requests.iter().filter(|request| request.endpoint == endpoint).count();
    WRITES
        .into_iter()
        .flat_map(|endpoint| (0..count(endpoint)).map(move |skip| Late { endpoint, skip }))
        .collect()
}

#[test]
#[ignore = "a minute long; run by .ci/run"]
fn rule_12_a_write_that_takes_effect_late_is_not_done_twice() {
    for scene in [Scene::first, Scene::incremental] {
        play(scene, &lates(scene), late);
    }
}

/// An append has no condition: it is not repeated while the first may still take effect.
#[test]
fn rule_12_a_body_that_is_appended_late_is_there_once() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.replace("agent-sync.yml", "settle_seconds: 0", "settle_seconds: 1");
    repo.story("INFRA-1", "First", "DRAFT", "A paragraph.\n\nAnother one.\n");
    repo.init();
    let values = [("ID", "INFRA-1".into()), ("Status", "DRAFT".into())];
    lab.sim.workspace().create_page("Stories", "First", &values, "").unwrap();
    lab.sim.fault(Fault {
        endpoint: Some("PATCH /v1/pages/{id}/markdown".to_owned()),
        skip: 0,
        count: 1,
        kind: FaultKind::LateEffect { after: Duration::from_millis(300) },
    });
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.body("Stories", "INFRA-1"), "A paragraph.\nAnother one.");
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.writes(), 0);
}

#[test]
fn rule_13_a_page_is_trashed_in_spite_of_a_fault() {
    for kind in KINDS.into_iter().step_by(3) {
        let lab = Lab::new();
        let repo = lab.repo("repo");
        let path = repo.story("INFRA-1", "First", "DRAFT", "A paragraph.\n");
        repo.story("INFRA-2", "Second", "DRAFT", "Another one.\n");
        repo.init();
        repo.run(&["sync"]).expect(0);
        std::fs::remove_file(repo.path.join(path)).unwrap();
        let page = lab.page("Stories", "INFRA-1");
        let endpoint = Some("PATCH /v1/pages/{id}".to_owned());
        lab.sim.fault(Fault { endpoint, skip: 0, count: 1, kind });
        let run = repo.run(&["sync"]).expect(0);
        assert_eq!(run.actions(), ["story/INFRA-1 trash-page"], "{kind:?}");
        assert!(lab.sim.workspace().page(&page).unwrap().in_trash, "{kind:?}");
    }
}
