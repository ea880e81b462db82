//! The summary of a job.

use agent_sync_core::model::{Finding, Severity};

use super::super::escape::{link, path_address};
use super::super::{Report, cut, markdown_text, most_first};
use super::Scene;
use super::conflict::{NAME, section};
use super::graph;
use super::plan::{counts, table};
use super::sections::{Section, fit, rows};

/// Bytes of a summary that leave room for what other parts of the step write: the runner takes 1 MiB, and shows
/// nothing of what is longer.
pub const SUMMARY: usize = 900_000;

/// Characters of a sentence from outside.
const SENTENCE: usize = 1_000;

/// The summary, in at most so many bytes; what does not fit is left out by whole sections and rows, and told. Empty
/// where not even the counts fit.
pub fn summary(report: &Report, scene: &Scene, limit: usize) -> String {
    let plan = if report.dry_run { " (plan only)" } else { "" };
    let command = markdown_text(&cut(&report.command, NAME));
    let mut head = format!("## agent-sync {command}: {}{plan}\n\n", report.outcome.name());
    if let Some(error) = &report.error {
        for line in error.lines().take(20) {
            head.push_str(&format!("{}\n\n", markdown_text(&cut(line, SENTENCE))));
        }
    }
    let counts = counts(report);
    if !counts.is_empty() {
        head.push_str(&counts);
        head.push_str("\n\n");
    }
    for notice in report.notices.iter().take(20) {
        head.push_str(&format!("Note: {}\n\n", markdown_text(&cut(notice, SENTENCE))));
    }
    let cost = cost(report);
    let told = 200;
    let reserved = cost.len() + told;
    let left = limit.saturating_sub(head.len() + reserved);
    head.push_str(&table(report, scene, left / 4));
    let findings = findings(report, scene, left / 4);
    let left = limit.saturating_sub(head.len() + findings.len() + reserved);
    // The boxes work in a comment only.
    let shown = Scene { answer: super::Answer::Shell, ..scene.clone() };
    let sections: Vec<Section> =
        report.conflicts.iter().map(|conflict| section(conflict, &shown)).collect();
    let fitted = fit(&sections, left);
    let mut text = head;
    if !sections.is_empty() && left > 0 {
        text.push_str(&fitted.text);
    }
    if fitted.omitted > 0 || fitted.shortened > 0 {
        text.push_str(&format!(
            "Left out here for length: {} conflicts and {} differences; the JSON report has them.\n\n",
            fitted.omitted, fitted.shortened
        ));
    }
    text += &(findings + &cost);
    if text.len() > limit {
        text.clear();
    }
    text
}

fn findings(report: &Report, scene: &Scene, budget: usize) -> String {
    if report.findings.is_empty() {
        return String::new();
    }
    let head = "### Findings\n\n| | rule | where | what |\n|---|---|---|---|\n";
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let all: Vec<String> = findings.iter().map(|one| finding(one, scene)).collect();
    let kept = 80;
    let (text, omitted) = rows(&all, budget.saturating_sub(head.len() + kept));
    let more = match omitted {
        0 => String::new(),
        count => format!("\n… and {count} more, which the JSON report lists.\n"),
    };
    let picture = report.neighbourhood.as_ref().map(|graph| graph::picture(graph, budget));
    format!("{head}{text}{more}\n{}", picture.unwrap_or_default())
}

pub(super) fn finding(one: &Finding, scene: &Scene) -> String {
    let severity = match one.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let mut place = Vec::new();
    if let Some(path) = &one.path {
        let line = one.line.map(|line| format!(":{line}")).unwrap_or_default();
        let name = format!("{}{line}", markdown_text(&cut(path, NAME)));
        place.push(match &scene.files {
            Some(files) => {
                let anchor = one.line.map(|line| format!("#L{line}")).unwrap_or_default();
                link(&name, &format!("{files}{}{anchor}", path_address(path)))
            }
            None => name,
        });
    }
    if let Some(url) = &one.url {
        place.push(link("page", url));
    }
    format!(
        "| {severity} | {} | {} | {} {} |\n",
        markdown_text(&one.rule),
        place.join(" · "),
        markdown_text(&cut(&one.message, SENTENCE)),
        markdown_text(&cut(&one.fix, SENTENCE)),
    )
}

fn cost(report: &Report) -> String {
    let mut all: Vec<(String, Vec<(&str, u64)>)> = report
        .backends
        .iter()
        .map(|part| (markdown_text(&part.label), most_first(&part.requests.by_endpoint)))
        .collect();
    if all.is_empty() {
        all.push(("Notion".to_owned(), Vec::new()));
    }
    let github = report.github.as_ref().map(|requests| most_first(&requests.by_endpoint));
    all.extend(github.map(|endpoints| ("GitHub".to_owned(), endpoints)));
    let totals = all.iter().map(|(whose, endpoints)| {
        let total = endpoints.iter().map(|(_, count)| count).sum();
        format!("{} to {whose}", counted(total))
    });
    let seconds = report.duration_ms as f64 / 1000.0;
    let mut out = format!("{}, {seconds:.1} s", totals.collect::<Vec<_>>().join(", "));
    let requests = &report.requests;
    if requests.retries > 0 {
        let retries = if requests.retries == 1 { "retry" } else { "retries" };
        out.push_str(&format!(", {} {retries}", requests.retries));
    }
    if requests.waited_ms > 0 {
        out.push_str(&format!(", {:.1} s waited", requests.waited_ms as f64 / 1000.0));
    }
    out.push_str(".\n");
    if all.iter().all(|(_, endpoints)| endpoints.is_empty()) {
        return out;
    }
    out.push_str("\n<details><summary>Requests by endpoint</summary>\n\n| requests | to | endpoint |\n|---:|---|---|\n");
    for (whose, endpoints) in all {
        for (endpoint, count) in endpoints.into_iter().take(50) {
            let endpoint = markdown_text(&cut(endpoint, NAME));
            out.push_str(&format!("| {count} | {whose} | {endpoint} |\n"));
        }
    }
    out.push_str("\n</details>\n");
    out
}

fn counted(requests: u64) -> String {
    format!("{requests} {}", if requests == 1 { "request" } else { "requests" })
}
