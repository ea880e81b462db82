//! Every fault of the simulator at every request of a run (rules 1, 2, 12, 13 and 16).

mod common;

use std::time::Duration;

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
