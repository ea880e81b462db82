//! Outputs of the action.

use super::super::Report;
use crate::engine::Action;

/// Bytes of all outputs; GitHub takes 1 MB of a job.
const OUTPUTS: usize = 900_000;

/// What a report does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Path of the file with the whole report.
    pub report: Option<&'a str>,
    /// Address of the comment.
    pub comment_url: Option<&'a str>,
    /// Address of the pull request that brings the backend's changes.
    pub pull_request_url: Option<&'a str>,
}

/// Name and value of each output, and a notice where one had to be left out. What is not known is empty.
pub fn outputs(report: &Report, known: Known<'_>) -> (Vec<(&'static str, String)>, Option<String>) {
    let counts = &report.counts;
    let number = |count: usize| count.to_string();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let mut pairs = vec![
        ("outcome", report.outcome.name().to_owned()),
        ("conflicts", number(counts.conflicts)),
        ("findings", number(counts.findings)),
        ("pulled", number(counts.pulled)),
        ("pushed", number(counts.pushed)),
        ("created", number(counts.created)),
        ("deleted", number(counts.deleted)),
        ("unchanged", number(counts.unchanged)),
        ("report", text(known.report)),
        ("comment-url", text(known.comment_url)),
        ("pull-request-url", text(known.pull_request_url)),
        ("state-commit", text(report.state_commit.as_deref())),
    ];
    let files = serde_json::Value::from(changed(report)).to_string();
    let others: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let (files, notice) = match files.len() + others <= OUTPUTS {
        true => (files, None),
        false => (
            "[]".to_owned(),
            Some("The output `changed-files` is too long for GitHub and was left empty; the report has them.".to_owned()),
        ),
    };
    pairs.push(("changed-files", files));
    (pairs, notice)
}

/// Paths of the files that the run changed.
fn changed(report: &Report) -> Vec<String> {
    if report.dry_run || !report.did() {
        return Vec::new();
    }
    let written = report.artifacts.iter().filter(|one| one.sides.local != Action::None);
    let mut paths: Vec<String> = written.filter_map(|one| one.path.clone()).collect();
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::super::super::{ArtifactReport, Sides};
    use super::*;

    fn pulled(command: &str, paths: &[String]) -> Report {
        let mut report = Report::new(command, false);
        for path in paths {
            report.artifacts.push(ArtifactReport {
                path: Some(path.clone()),
                action: "pull".into(),
                sides: Sides { local: Action::Edit, remote: Action::None },
                ..ArtifactReport::default()
            });
        }
        report.settle();
        report
    }

    fn value(report: &Report, name: &str) -> String {
        let (pairs, _) = outputs(report, Known::default());
        pairs.into_iter().find(|(other, _)| *other == name).unwrap().1
    }

    #[test]
    fn outputs_say_what_was_done() {
        let mut report = pulled("sync", &["b\n.md".into(), "a.md".into()]);
        report.state_commit = Some("0123".into());
        assert_eq!(value(&report, "changed-files"), r#"["a.md","b\n.md"]"#);
        assert_eq!(value(&report, "pulled"), "2");
        assert_eq!(value(&report, "outcome"), "synced");
        assert_eq!(value(&report, "state-commit"), "0123");
        assert_eq!(value(&report, "comment-url"), "");
        report.dry_run = true;
        assert_eq!(value(&report, "changed-files"), "[]");
        assert_eq!(value(&pulled("check", &["a.md".into()]), "changed-files"), "[]");
    }

    #[test]
    fn changed_files_that_are_too_long_are_left_out_with_a_notice() {
        let empty = outputs(&pulled("sync", &[]), Known::default()).0;
        let others: usize = empty.iter().map(|(name, value)| name.len() + value.len()).sum();
        // Without `changed-files` and its value, but with the digit of `pulled`, which stays one.
        let room = OUTPUTS - (others - "changed-files[]".len());
        let with = |bytes: usize| {
            let mut report = pulled("sync", &["x".repeat(bytes)]);
            report.outcome = super::super::super::Outcome::Clean;
            outputs(&report, Known::default())
        };
        let (pairs, notice) = with(room - r#"[""]"#.len());
        let total: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(notice.is_none() && total < 1_000_000);
        let (pairs, notice) = with(room - r#"[""]"#.len() + 1);
        assert!(notice.is_some());
        assert!(pairs.contains(&("changed-files", "[]".to_owned())));
    }
}
