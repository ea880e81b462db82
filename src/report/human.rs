//! The report for people on a terminal or in a log.

use std::fmt::Write as _;

use agent_sync_core::model::Severity;

use super::{ArtifactReport, Counts, Difference, Report, one_line, unified};

/// Artifacts of one action, and findings, that are listed before the rest is counted; conflicts shown with their
/// differences.
const LISTED: usize = 20;

/// The report as text with a final newline. `verbose` lists everything and the requests by endpoint.
pub fn human(report: &Report, verbose: bool) -> String {
    let mut out = String::new();
    for line in &report.log {
        let run = line.run.as_deref().unwrap_or("");
        let _ = writeln!(out, "{}  {run}  {}", line.time, one_line(&line.summary));
    }
    if report.command == "log" && report.error.is_none() {
        if report.log.is_empty() {
            out.push_str("No run has been recorded yet.\n");
        }
        for notice in &report.notices {
            let _ = writeln!(out, "note: {}", one_line(notice));
        }
        return out;
    }
    for difference in &report.diffs {
        write_difference(&mut out, difference);
    }
    if report.diffs.is_empty() {
        for (action, artifacts) in report.by_action() {
            write_action(&mut out, report, action, &artifacts, verbose);
        }
        write_schema(&mut out, report);
    }
    for (n, conflict) in report.conflicts.iter().enumerate() {
        let place = place(conflict.path.as_deref(), conflict.line, conflict.url.as_deref());
        let _ = writeln!(
            out,
            "\nconflict {}/{} ({})",
            conflict.kind,
            one_line(&conflict.id),
            conflict.fingerprint
        );
        let _ = writeln!(out, "  {}", one_line(&conflict.message));
        let _ = writeln!(out, "  {place}");
        if report.diffs.is_empty()
            && (verbose || n < LISTED)
            && let (Some(local), Some(remote)) = (&conflict.local, &conflict.remote)
        {
            let base = conflict.base.as_deref().unwrap_or_default();
            write_side(&mut out, "repository", base, local);
            write_side(&mut out, &one_line(&conflict.label), base, remote);
            for other in &conflict.others {
                let remote = other.remote.as_deref().unwrap_or_default();
                write_side(&mut out, &one_line(&other.label), base, remote);
            }
        }
    }
    if !report.findings.is_empty() {
        out.push('\n');
    }
    let mut findings: Vec<_> = report.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let shown = if verbose { findings.len() } else { LISTED };
    for finding in findings.iter().take(shown) {
        let severity = match finding.severity {
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let place = place(finding.path.as_deref(), finding.line, finding.url.as_deref());
        let _ = writeln!(out, "{severity} [{}] {place}", finding.rule);
        let _ = writeln!(out, "  {} {}", one_line(&finding.message), one_line(&finding.fix));
    }
    if findings.len() > shown {
        let _ = writeln!(out, "… and {} more findings (-v lists them)", findings.len() - shown);
    }
    for notice in &report.notices {
        let _ = writeln!(out, "note: {}", one_line(notice));
    }
    write_end(&mut out, report, verbose);
    out
}

fn place(path: Option<&str>, line: Option<usize>, url: Option<&str>) -> String {
    let file = path.map(|path| match line {
        Some(line) => format!("{}:{line}", one_line(path)),
        None => one_line(path),
    });
    match (file, url.map(one_line)) {
        (Some(file), Some(url)) => format!("{file}  {url}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => String::new(),
    }
}

fn title(report: &Report, action: &str) -> &'static str {
    let done = report.did() && !report.dry_run;
    match (action, done) {
        ("create-page", true) => "pages created",
        ("create-page", false) => "pages to create",
        ("create-file", true) => "files created",
        ("create-file", false) => "files to create",
        ("push", true) => "pushed",
        ("push", false) => "to push",
        ("pull", true) => "pulled",
        ("pull", false) => "to pull",
        ("merge", true) => "pushed and pulled",
        ("merge", false) => "to push and pull",
        ("trash-page", true) => "pages trashed",
        ("trash-page", false) => "pages to trash",
        ("delete-file", true) => "files deleted",
        ("delete-file", false) => "files to delete",
        ("restore-page", true) => "pages taken out of the trash",
        ("restore-page", false) => "pages to take out of the trash",
        ("relabel", true) => "relabelled",
        ("relabel", false) => "to relabel",
        ("repair", true) => "repaired",
        ("repair", false) => "to repair",
        ("conflict", _) => "in conflict",
        ("changed-meanwhile", _) => "changed during the run, left for the next one",
        ("waiting", _) => "waiting for the other direction",
        ("restore", true) => "restored",
        ("restore", false) => "to restore",
        ("create-database", true) => "databases created",
        ("create-database", false) => "databases to create",
        ("repair-database", true) => "databases repaired",
        ("repair-database", false) => "databases to repair",
        _ => "others",
    }
}

fn write_action(
    out: &mut String,
    report: &Report,
    action: &str,
    artifacts: &[&ArtifactReport],
    verbose: bool,
) {
    let _ = writeln!(out, "{} {}", artifacts.len(), title(report, action));
    if action.ends_with("-database") && !report.schema.is_empty() {
        return;
    }
    let shown = if verbose { artifacts.len() } else { LISTED };
    for artifact in artifacts.iter().take(shown) {
        let place =
            artifact.path.as_deref().or(artifact.url.as_deref()).map(one_line).unwrap_or_default();
        let _ = match action.ends_with("-database") {
            true => write!(out, "  {} ({})", one_line(&artifact.id), artifact.kind),
            false => write!(out, "  {}/{}", artifact.kind, one_line(&artifact.id)),
        };
        if !place.is_empty() {
            let _ = write!(out, "  {place}");
        }
        if !artifact.reason.is_empty() {
            let _ = write!(out, "  ({})", one_line(&artifact.reason));
        }
        out.push('\n');
    }
    if artifacts.len() > shown {
        let _ = writeln!(out, "  … and {} more (-v lists them)", artifacts.len() - shown);
    }
}

/// What is done to each database, a line each.
fn write_schema(out: &mut String, report: &Report) {
    let mut last = None;
    for change in &report.schema {
        let database = (&change.backend, &change.database);
        if last.replace(database) != Some(database) {
            let _ = writeln!(out, "  {} ({})", one_line(&change.database), change.kind);
        }
        let action = change.action.replace('-', " ");
        let _ = match change.what.as_str() {
            "database" => writeln!(out, "    {action} database"),
            what => writeln!(out, "    {action} {what} \"{}\"", one_line(&change.name)),
        };
        if action != "create" && change.what != "template" {
            let _ = writeln!(out, "      {} {}", one_line(&change.message), one_line(&change.fix));
        }
    }
}

fn write_difference(out: &mut String, difference: &Difference) {
    let [base, local, remote] = &difference.texts;
    let conflict = if difference.conflict { ", changed on both sides" } else { "" };
    let path = difference.path.as_deref().map(one_line).unwrap_or_default();
    let _ = writeln!(out, "{} {} ({path}{conflict})", difference.key, difference.stretch);
    let (local, remote) =
        (local.as_deref().unwrap_or_default(), remote.as_deref().unwrap_or_default());
    match base {
        Some(base) => {
            write_side(out, "repository", base, local);
            write_side(out, &one_line(&difference.label), base, remote);
        }
        None => {
            let _ = writeln!(out, "  from the repository to {}", one_line(&difference.label));
            indent(out, &unified(local, remote));
        }
    }
}

fn write_side(out: &mut String, side: &str, base: &str, now: &str) {
    let text = match base == now {
        true => String::new(),
        false => unified(base, now),
    };
    if text.is_empty() {
        return;
    }
    let _ = writeln!(out, "  {side}");
    indent(out, &text);
}

fn indent(out: &mut String, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "    {line}");
    }
}

fn write_end(out: &mut String, report: &Report, verbose: bool) {
    if !out.is_empty() {
        out.push('\n');
    }
    let counts = &report.counts;
    if let Some(error) = &report.error {
        // Several faults of a configuration come a line each.
        for (n, line) in error.lines().enumerate() {
            let begin = if n == 0 { format!("{}: ", report.outcome.name()) } else { String::new() };
            let _ = writeln!(out, "{begin}{}", one_line(line));
        }
    }
    let mut parts = counted(report, counts);
    let (total, endpoints) = report.cost();
    if parts.is_empty() {
        if report.error.is_some() && total == 0 {
            return;
        }
        let done = match (&report.error, report.artifacts.is_empty()) {
            (Some(_), _) => "stopped",
            (None, true) => "nothing to do",
            (None, false) => "done",
        };
        parts.push(done.to_owned());
    }
    let plan = if report.dry_run { " (plan only)" } else { "" };
    let _ = writeln!(
        out,
        "{}{plan}: {}. {total} {}, {:.1} s.",
        report.outcome.name(),
        parts.join(", "),
        if total == 1 { "request" } else { "requests" },
        report.duration_ms as f64 / 1000.0
    );
    if report.backends.len() > 1 {
        for part in &report.backends {
            let mut said = counted(report, &part.counts);
            if said.is_empty() {
                said.push("nothing to do".to_owned());
            }
            let requests: u64 = part.requests.by_endpoint.values().sum();
            let _ = writeln!(
                out,
                "  {}: {}, {requests} {}",
                one_line(&part.name),
                said.join(", "),
                if requests == 1 { "request" } else { "requests" }
            );
        }
    }
    if verbose {
        for (endpoint, count) in endpoints {
            let _ = writeln!(out, "  {count} {endpoint}");
        }
    }
}

fn counted(report: &Report, counts: &Counts) -> Vec<String> {
    let done = report.did() && !report.dry_run;
    let verb = |past: &'static str, plan: &'static str| if done { past } else { plan };
    let all = [
        (counts.conflicts, "in conflict"),
        (counts.pushed, verb("pushed", "to push")),
        (counts.pulled, verb("pulled", "to pull")),
        (counts.created, verb("created", "to create")),
        (counts.deleted, verb("deleted", "to delete")),
        (counts.unchanged, "unchanged"),
        (counts.findings, if counts.findings == 1 { "finding" } else { "findings" }),
    ];
    let some = all.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} {what}")).collect()
}
