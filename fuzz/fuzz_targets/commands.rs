//! Whatever a report holds, no line of the log is a workflow command but ours.
#![no_main]

#[path = "../../src/report/github/runner.rs"]
mod runner;

use agent_sync::engine::RunError;
use agent_sync::github::command::Level;
use agent_sync::report::github::{Answer, Scene, annotations, log};
use agent_sync::report::{ArtifactReport, ConflictReport, LogLine, Report};
use agent_sync_core::model::{Finding, Key, Severity, Side};
use libfuzzer_sys::fuzz_target;
use runner::{as_compared, parse};

/// A report with parts of the input in all its places.
fn report(parts: &[&str]) -> Report {
    let text = |n: usize| parts.get(n % parts.len().max(1)).copied().unwrap_or_default().to_owned();
    let choice = parts.first().map_or(0, |part| part.len());
    let mut report = Report::new(if choice % 5 == 0 { "log" } else { "sync" }, choice % 7 == 0);
    report.artifacts.push(ArtifactReport {
        backend: text(0),
        kind: text(1),
        id: text(2),
        path: Some(text(3)),
        url: Some(text(4)),
        action: "push".to_owned(),
        reason: text(5),
        editor: Some(text(6)),
        ..ArtifactReport::default()
    });
    report.conflicts.extend((0..choice % 3).map(|n| ConflictReport {
        label: "Notion".to_owned(),
        fingerprint: "0123456789abcdef".to_owned(),
        kind: text(n + 7),
        id: text(n + 8),
        path: Some(text(n + 9)),
        line: Some(3),
        property: (n == 0).then(|| text(10)),
        block: Some(text(n + 11)),
        base: Some(text(n + 12)),
        local: Some(text(n + 13)),
        remote: Some(text(n + 14)),
        url: Some(text(n + 15)),
        deleted: [None, Some(Side::Local), Some(Side::Remote)][choice % 3],
        since: Some(text(n + 16)),
        edited: Some(text(n + 17)),
        editor: Some(text(n + 18)),
        message: text(n + 19),
        ..ConflictReport::default()
    }));
    report.findings.extend((0..choice % 12).map(|n| Finding {
        rule: text(n),
        severity: [Severity::Notice, Severity::Warning, Severity::Error][n % 3],
        key: Some(Key::new(&text(n + 1), text(n + 2))),
        path: Some(text(n + 3)),
        line: None,
        url: Some(text(n + 4)),
        message: text(n + 5),
        fix: text(n + 6),
        about: None,
    }));
    report.notices.extend((0..choice % 13).map(text));
    report.log.push(LogLine {
        commit: text(0),
        time: text(1),
        summary: text(2),
        run: Some(text(3)),
        actor: Some(text(4)),
        link: Some(text(5)),
    });
    report.stopped = (choice % 2 == 0).then(|| RunError::Usage(text(20)));
    report.settle();
    report
}

/// The commands that a report may make, after its group.
fn expected(report: &Report, scene: &Scene, quiet: bool) -> Vec<&'static str> {
    let all = annotations(report, scene);
    let levels = [Level::Error, Level::Warning, Level::Notice].into_iter();
    levels
        .filter(|level| !quiet || *level == Level::Error)
        .flat_map(|level| {
            let count = all.iter().filter(|one| one.level == level).count();
            std::iter::repeat_n(level.name(), count.min(10))
        })
        .collect()
}

fuzz_target!(|input: &str| {
    let parts: Vec<&str> = input.split('\0').collect();
    let report = report(&parts);
    let scene = Scene { answer: Answer::Comment, ..Scene::default() };
    for (verbose, quiet) in [(true, false), (false, true)] {
        let text = log(&report, &scene, verbose, quiet);
        for seen in [text.clone(), as_compared(&text)] {
            let commands: Vec<_> = seen.split(['\n', '\r']).filter_map(parse).collect();
            let names: Vec<&str> = commands.iter().map(|one| one.name.as_str()).collect();
            let rest = match names.as_slice() {
                ["group", "endgroup", rest @ ..] => rest,
                rest => rest,
            };
            assert_eq!(rest, expected(&report, &scene, quiet), "{seen}");
            for one in &commands {
                let known = ["file", "line", "title"];
                assert!(one.properties.iter().all(|(name, _)| known.contains(&name.as_str())), "{one:?}");
                // What the runner prints of it is no command either.
                for line in one.data.split(['\n', '\r']) {
                    assert_eq!(parse(&as_compared(line)), None, "{seen}");
                }
            }
        }
    }
});
