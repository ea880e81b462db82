//! Messages at files and lines.

use agent_sync_core::model::{Finding, Severity, Side};

use super::super::{ConflictReport, Outcome, Report};
use super::conflict::since;
use super::{Answer, Scene};
use crate::github::command::{Annotation, Level};

/// What a person should see at its place: the run's error, conflicts, findings, notices.
pub fn annotations(report: &Report, scene: &Scene) -> Vec<Annotation> {
    let mut list = errors(report, scene);
    // What does not fail the run is no error of it.
    let level = match report.outcome.code() {
        0 => Level::Warning,
        _ => Level::Error,
    };
    for conflict in &report.conflicts {
        list.push(Annotation {
            level,
            file: conflict.path.as_deref().map(|path| file(scene, path)),
            line: conflict.line,
            title: format!("conflict: {} {}", conflict.kind, conflict.id),
            message: message(conflict, scene),
        });
    }
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in findings {
        list.push(Annotation {
            level: match finding.severity {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
                Severity::Notice => Level::Notice,
            },
            file: finding.path.as_deref().map(|path| file(scene, path)),
            line: finding.line,
            title: finding.rule.clone(),
            message: format!("{} {}", finding.message, finding.fix),
        });
    }
    for notice in &report.notices {
        list.push(Annotation {
            level: Level::Notice,
            file: None,
            line: None,
            title: "agent-sync".to_owned(),
            message: notice.clone(),
        });
    }
    list
}

fn file(scene: &Scene, path: &str) -> String {
    format!("{}{path}", scene.folder)
}

/// Faults of the configuration come a line each, with their place; any other error is one message.
fn errors(report: &Report, scene: &Scene) -> Vec<Annotation> {
    let Some(error) = &report.error else { return Vec::new() };
    let level = match report.outcome.code() {
        0 => Level::Notice,
        _ => Level::Error,
    };
    let title = format!("agent-sync: {}", report.outcome.name());
    let located: Option<Vec<_>> = error.lines().map(located).collect();
    match located {
        Some(places) if report.outcome == Outcome::Usage => places
            .into_iter()
            .map(|(path, line, message)| Annotation {
                level,
                file: Some(file(scene, path)),
                line: Some(line),
                title: title.clone(),
                message: message.to_owned(),
            })
            .collect(),
        _ => vec![Annotation { level, file: None, line: None, title, message: error.clone() }],
    }
}

/// `path:line: message`.
fn located(line: &str) -> Option<(&str, usize, &str)> {
    let (place, message) = line.split_once(": ")?;
    let (path, number) = place.rsplit_once(':')?;
    let relative = !path.starts_with('/') && !path.contains(char::is_whitespace);
    relative.then_some((path, number.parse().ok()?, message))
}

fn message(conflict: &ConflictReport, scene: &Scene) -> String {
    let here = scene.here();
    let (backend, of) = (&conflict.label, format!("{} {}", conflict.kind, conflict.id));
    let since = since(conflict);
    let (parties, all) = conflict.parties(here);
    let what = match (&conflict.property, &conflict.block) {
        (Some(name), _) => format!("\"{name}\" of {of}"),
        (None, Some(block)) if block != "body" => format!("a block of {of}"),
        _ => format!("the body of {of}"),
    };
    let clash = match conflict.deleted {
        Some(Side::Local) => {
            format!("The file of {of} was deleted and its page in {backend} was edited{since}.")
        }
        Some(Side::Remote) => {
            format!("The page of {of} was trashed in {backend} and its file was edited{since}.")
        }
        None if conflict.base.is_none() => {
            format!("{parties} hold different versions of {what}{since}.")
        }
        None => format!("{parties} {all} changed {what}{since}."),
    };
    let merge = match conflict.deleted {
        Some(_) => "",
        None => "Merge by hand and then keep the repository's, or choose",
    };
    let choose = if merge.is_empty() { "Choose" } else { merge };
    match scene.answer {
        Answer::Comment => format!("{clash} {choose} in the comment below."),
        Answer::Issue => {
            format!("{clash} {choose} in the issue \"{}\".", super::comment::ISSUE_TITLE)
        }
        Answer::Shell => format!("{clash} {choose} with {}.", conflict.commands(str::to_owned)),
    }
}
