//! The table of what is done, or would be.

use super::super::escape::link;
use super::super::{ArtifactReport, Report, cut, markdown_text};
use super::Scene;
use super::conflict::{NAME, artifact};
use super::sections::rows;

/// What an action does, without a tense: it fits a plan and a report.
fn doing(action: &str) -> &'static str {
    match action {
        "create-page" => "new page",
        "create-file" => "new file",
        "push" => "to the page",
        "pull" => "to the file",
        "merge" => "to both sides",
        "trash-page" => "page to the trash",
        "delete-file" => "file deleted",
        "restore-page" => "page out of the trash",
        "relabel" => "new id for the page",
        "conflict" => "**conflict**",
        "changed-meanwhile" => "changed during the run, left for the next one",
        "waiting" => "waits for the other direction",
        "restore" => "an earlier version",
        "create-database" => "new database",
        "repair-database" => "database repaired",
        _ => "other",
    }
}

/// Counts in a sentence without a period; empty where there is nothing to count.
pub(super) fn counts(report: &Report) -> String {
    let counts = &report.counts;
    let to = match report.backends.as_slice() {
        [] => "to Notion".to_owned(),
        [one] => format!("to {}", markdown_text(&one.label)),
        _ => "to the backends".to_owned(),
    };
    let parts: Vec<String> = [
        (counts.pushed, to.as_str()),
        (counts.pulled, "to the repository"),
        (counts.created, "new"),
        (counts.deleted, "deleted"),
        (counts.conflicts, if counts.conflicts == 1 { "conflict" } else { "conflicts" }),
        (counts.findings, if counts.findings == 1 { "finding" } else { "findings" }),
        (counts.unchanged, "unchanged"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("**{count}** {what}"))
    .collect();
    parts.join(" · ")
}

fn row(one: &ArtifactReport, scene: &Scene, several: bool) -> String {
    let of = match one.action.ends_with("-database") {
        true => {
            let title = markdown_text(&cut(&one.id, NAME));
            format!("{title} ({})", markdown_text(&cut(&one.kind, NAME)))
        }
        false => artifact(&one.kind, &one.id, one.path.as_deref(), scene),
    };
    let page = one.url.as_deref().map(|url| format!(" · {}", link("page", url)));
    let backend = several.then(|| format!(" · {}", markdown_text(&one.backend)));
    format!(
        "| {of}{}{} | {} | {} |\n",
        page.unwrap_or_default(),
        backend.unwrap_or_default(),
        doing(&one.action),
        markdown_text(&cut(&one.reason, NAME))
    )
}

/// The artifacts that differ, conflicts first, in so many bytes at most; empty where there are none.
pub(super) fn table(report: &Report, scene: &Scene, budget: usize) -> String {
    let mut artifacts: Vec<&ArtifactReport> = report.artifacts.iter().collect();
    artifacts.sort_by_key(|one| one.action != "conflict");
    listed(&artifacts, report, scene, budget)
}

/// A table of these artifacts.
pub(super) fn listed(
    artifacts: &[&ArtifactReport],
    report: &Report,
    scene: &Scene,
    budget: usize,
) -> String {
    if artifacts.is_empty() {
        return String::new();
    }
    let head = "| artifact | what | why |\n|---|---|---|\n";
    // The last line, whatever its number, and the blank lines.
    let kept = 80;
    let several = report.backends.len() > 1;
    let all: Vec<String> = artifacts.iter().map(|one| row(one, scene, several)).collect();
    let (text, omitted) = rows(&all, budget.saturating_sub(head.len() + kept));
    let more = match omitted {
        0 => String::new(),
        count => format!("\n… and {count} more, which the JSON report lists.\n"),
    };
    format!("{head}{text}{more}\n")
}
