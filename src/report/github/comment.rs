//! The one comment on a pull request, and the one issue about the default branch.

use agent_sync_core::model::Key;

use super::super::escape::link;
use super::super::{DecisionReport, Report, cut, markdown_text, one_line};
use super::conflict::{artifact, digits, section, stretch};
use super::marker::{SIGNED, signed};
use super::plan::{counts, table};
use super::sections::{Section, fit};
use super::{Answer, BODY, NOTION, Scene};
use crate::engine::Keep;

/// Title of the issue about conflicts on the default branch.
pub const ISSUE_TITLE: &str = "agent-sync: conflicts";

/// Characters of a run's error.
const ERROR: usize = 4_000;
/// Characters of a commit status's description.
const STATUS: usize = 140;

/// An answer that was given to a conflict.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Fingerprint of the conflict.
    pub fingerprint: String,
    /// The artifact.
    pub key: Key,
    /// Name of the property, for a property.
    pub property: Option<String>,
    /// For the body: first line of the block, or `body`.
    pub block: Option<String>,
    /// Name for people of the backend that clashed.
    pub label: String,
    /// What stays.
    pub keep: Keep,
    /// Login of the person.
    pub by: Option<String>,
    /// The run that recorded it.
    pub run: Option<String>,
}

impl From<&DecisionReport> for Decided {
    fn from(decision: &DecisionReport) -> Self {
        Self {
            fingerprint: decision.fingerprint.clone(),
            key: Key::new(&decision.kind, &decision.id),
            property: decision.property.clone(),
            block: decision.block.clone(),
            label: decision.label.clone(),
            keep: decision.keep,
            by: decision.by.clone(),
            run: Some(decision.run.clone()),
        }
    }
}

/// What a comment or an issue is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sticky<'a> {
    /// The report of a check.
    pub report: &'a Report,
    /// Where it is shown.
    pub scene: &'a Scene,
    /// Which comment it is: one for each key.
    pub key: &'a str,
    /// Answers that still wait for being applied.
    pub decided: &'a [Decided],
}

/// The body, of at most [`BODY`] bytes. It is the same in every run in which the same is found, but for its footer;
/// [`super::same`] tells.
pub fn comment(sticky: Sticky<'_>) -> String {
    let Sticky { report, scene, key, decided } = sticky;
    let mut head = format!("### agent-sync: {}\n\n", title(report, decided));
    if let Some(error) = &report.error {
        head.push_str(&markdown_text(&cut(error, ERROR)));
        head.push_str("\n\n");
    }
    if let Some(intro) = intro(report, scene, decided) {
        head.push_str(&intro);
        head.push_str("\n\n");
    }
    let counts = counts(report);
    if !counts.is_empty() {
        let when = match scene.answer {
            Answer::Comment => "On merge: ",
            Answer::Shell | Answer::Issue => "",
        };
        head.push_str(&format!("{when}{counts}\n\n"));
    }
    let footer = scene.run.as_deref().map(|run| format!("As of {}", link("this run", run)));
    let how = how(report);
    // The sentence about what is left out.
    let reserved = 200 + SIGNED + footer.as_ref().map_or(0, String::len) + how.len();
    let left = BODY.saturating_sub(head.len() + reserved);
    head.push_str(&table(report, scene, left / 4));
    let left = BODY.saturating_sub(head.len() + reserved);
    let sections: Vec<Section> = report
        .conflicts
        .iter()
        .map(|conflict| section(conflict, scene))
        .chain(decided.iter().map(|decided| settled(decided, scene)))
        .collect();
    let fitted = fit(&sections, left);
    let mut text = head + &fitted.text;
    if fitted.omitted > 0 || fitted.shortened > 0 {
        text.push_str(&format!(
            "Left out here for length: {} and {}. The summary of the run has more, its JSON report everything.\n\n",
            plural(fitted.omitted, "conflict"),
            plural(fitted.shortened, "difference"),
        ));
    }
    text.push_str(&how);
    signed(&text, footer.as_deref(), key)
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn title(report: &Report, decided: &[Decided]) -> String {
    match (&report.error, report.conflicts.len(), decided.len()) {
        (Some(_), ..) => format!("stopped ({})", report.outcome.name()),
        (None, 0, 0) => "resolved, nothing is in conflict".to_owned(),
        (None, 0, 1) => "the conflict is decided".to_owned(),
        (None, 0, count) => format!("all {count} conflicts are decided"),
        (None, 1, _) => "1 conflict needs a decision".to_owned(),
        (None, count, _) => format!("{count} conflicts need a decision"),
    }
}

fn intro(report: &Report, scene: &Scene, decided: &[Decided]) -> Option<String> {
    if let Some(first) = report.conflicts.first() {
        let (parties, _) = first.parties(scene.here());
        let sides = if first.others.is_empty() { "Both sides" } else { "All sides" };
        return Some(format!(
            "{} changed the same text. {sides} stay as they are until somebody decides.",
            markdown_text(&parties)
        ));
    }
    (!decided.is_empty()).then(|| {
        match scene.answer {
            Answer::Comment => {
                "The sync after the merge applies the decisions. New edits on either side void them."
            }
            Answer::Shell | Answer::Issue => {
                "The next sync applies the decisions. New edits on either side void them."
            }
        }
        .to_owned()
    })
}

fn how(report: &Report) -> String {
    let Some(first) = report.conflicts.first() else { return String::new() };
    // Ids are shown in a code block, where nothing of them acts.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let id = match first.id.chars().all(plain) && first.id.len() <= 100 {
        true => &first.id,
        false => &digits(&first.fingerprint),
    };
    let name = match first.backend.chars().all(plain) && !first.backend.is_empty() {
        true => &first.backend,
        false => NOTION,
    };
    format!(
        "Tick one box of a conflict, or answer with a comment: `/agent-sync keep {name} {id}`, `keep repository` or \
         `keep skip` (write access is needed). A decision holds for exactly these versions. To have parts of both, \
         merge them by hand in the file and then keep the repository's.\n"
    )
}

/// An answer as it was given. Its box is no box any more: it has no mark.
fn settled(decided: &Decided, scene: &Scene) -> Section {
    let what = stretch(decided.property.as_deref(), decided.block.as_deref());
    let of = artifact(&decided.key.kind, &decided.key.id, None, scene);
    let keep = match decided.keep {
        Keep::Local => "keep the repository's".to_owned(),
        Keep::Remote => format!("keep {}'s", markdown_text(&cut(&decided.label, 60))),
        Keep::Both => "keep both as they are".to_owned(),
        Keep::Skip => "skip for now".to_owned(),
    };
    let by = decided.by.as_deref().map(|by| format!(" by @\u{200b}{}", login(by)));
    let run = decided.run.as_deref().map(|run| format!(" at run {}", markdown_text(&cut(run, 60))));
    let text = format!(
        "#### {what} of {of}\n\n- [x] {keep}, decided{}{}\n\n`{}`\n\n",
        by.unwrap_or_default(),
        run.unwrap_or_default(),
        digits(&decided.fingerprint),
    );
    Section { short: text.clone(), full: text }
}

/// A login that names nobody.
pub(super) fn login(login: &str) -> String {
    markdown_text(&cut(login.trim_start_matches('@'), 60))
}

/// Description of the commit status, of at most 140 characters.
pub fn status(report: &Report, decided: usize) -> String {
    let text = match (&report.error, report.conflicts.len(), decided) {
        (Some(error), ..) => format!("Stopped: {}", one_line(error)),
        (None, 0, 0) => "Nothing is in conflict".to_owned(),
        (None, 0, count) => format!("{} decided", plural(count, "conflict")),
        (None, 1, _) => "1 conflict needs a decision".to_owned(),
        (None, count, _) => format!("{count} conflicts need a decision"),
    };
    cut(&text, STATUS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::RunError;

    #[test]
    fn a_status_is_as_long_as_github_takes() {
        let failed = |length: usize| {
            let report = Report::failed("check", RunError::Unavailable("x".repeat(length)));
            status(&report, 0)
        };
        let prefix = "Stopped: ".len();
        assert_eq!(failed(140 - prefix).chars().count(), 140);
        assert!(!failed(140 - prefix).ends_with('…'));
        assert_eq!(failed(141 - prefix).chars().count(), 140);
        assert!(failed(141 - prefix).ends_with('…'));
    }
}
