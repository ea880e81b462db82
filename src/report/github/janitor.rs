//! The issue about what the janitor found, and the comment on it that says what is new.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use agent_sync_core::model::{Finding, Severity};
use regex::Regex;

use super::super::escape::link;
use super::marker::{SIGNED, signed};
use super::sections::rows;
use super::summary::finding;
use super::{BODY, Scene};

/// Title of the issue.
pub const JANITOR_TITLE: &str = "agent-sync janitor";
/// Findings that the body remembers; what lies behind is never news.
const REMEMBERED: usize = 1_500;

static NAMED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^<!-- findings: ([0-9a-f ]*) -->$").ok());

/// Findings that are told: all but notices, the gravest first.
pub fn told(findings: &[Finding]) -> Vec<&Finding> {
    let mut told: Vec<&Finding> =
        findings.iter().filter(|finding| finding.severity >= Severity::Warning).collect();
    told.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    told
}

/// The body of the issue, of at most [`BODY`] bytes. It is the same while the same is found, but for its footer.
pub fn janitor(told: &[&Finding], scene: &Scene, key: &str) -> String {
    if told.is_empty() {
        return signed(
            "### agent-sync: nothing to find\n\nEverything hangs together.\n",
            None,
            key,
        );
    }
    let head = format!("### agent-sync: {}\n\n", count(told.len()));
    let prints: Vec<String> =
        told.iter().take(REMEMBERED).map(|finding| finding.fingerprint()).collect();
    let end = format!(
        "\nWhat can be repaired without deciding anything for people is repaired by `agent-sync janitor --fix`; \
         [docs/janitor.md](https://github.com/org/agent-sync/blob/main/docs/janitor.md) explains each rule. The issue \
         is closed when nothing is left.\n\n<!-- findings: {} -->\n",
        prints.join(" ")
    );
    let footer = scene.run.as_deref().map(|run| format!("As of {}", link("this run", run)));
    let reserved = head.len() + end.len() + SIGNED + footer.as_ref().map_or(0, String::len);
    let text = format!("{head}{}{end}", table(told, scene, BODY.saturating_sub(reserved)));
    signed(&text, footer.as_deref(), key)
}

/// A comment about findings that were not there before.
pub fn news(new: &[&Finding], scene: &Scene, key: &str) -> String {
    let head = format!("{}, new since the last run:\n\n", count(new.len()));
    let text = table(new, scene, BODY.saturating_sub(head.len() + SIGNED));
    signed(&format!("{head}{text}"), None, key)
}

/// Fingerprints of the findings that a body of the issue tells.
pub fn remembered(body: &str) -> BTreeSet<String> {
    let body = body.replace("\r\n", "\n");
    let found = NAMED.as_ref().and_then(|pattern| pattern.captures_iter(&body).last());
    found.map(|found| found[1].split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

fn table(told: &[&Finding], scene: &Scene, budget: usize) -> String {
    let head = "| | rule | where | what |\n|---|---|---|---|\n";
    let all: Vec<String> = told.iter().map(|one| finding(one, scene)).collect();
    let kept = 100;
    let (text, omitted) = rows(&all, budget.saturating_sub(head.len() + kept));
    let more = match omitted {
        0 => String::new(),
        omitted => format!("\n… and {omitted} more, which the run's JSON report lists.\n"),
    };
    format!("{head}{text}{more}")
}

fn count(findings: usize) -> String {
    format!("{findings} {}", if findings == 1 { "finding" } else { "findings" })
}

#[cfg(test)]
mod tests {
    use super::super::{marker, same};
    use super::*;

    fn finding(n: usize, severity: Severity) -> Finding {
        Finding {
            rule: "orphan-story".into(),
            severity,
            key: Some(agent_sync_core::model::Key::new("story", format!("A-{n}"))),
            path: Some(format!(".agent/cache/stories/A/A-{n}.md")),
            line: Some(1),
            url: Some("https://www.notion.so/x".into()),
            message: "No plan <!-- findings: ffffffffffffffff --> @ada.".into(),
            fix: "Link one.".into(),
            about: Some(n.to_string()),
        }
    }

    #[test]
    fn a_body_remembers_what_it_tells_whatever_its_length() {
        for count in [0, 1, 200, 3_000] {
            let all: Vec<Finding> = (0..count).map(|n| finding(n, Severity::Warning)).collect();
            let body = janitor(&told(&all), &Scene::default(), "janitor");
            assert!(body.len() <= BODY, "{count}: {}", body.len());
            assert_eq!(marker(&body).map(|mark| mark.key).as_deref(), Some("janitor"));
            let prints: BTreeSet<String> =
                all.iter().take(REMEMBERED).map(Finding::fingerprint).collect();
            assert_eq!(remembered(&body), prints, "{count}");
            assert_eq!(remembered(&body.replace('\n', "\r\n")), prints);
        }
    }

    #[test]
    fn notices_are_not_told_and_errors_come_first() {
        let all = [Severity::Notice, Severity::Warning, Severity::Error].map(|s| finding(1, s));
        let told = told(&all);
        assert_eq!(
            told.iter().map(|one| one.severity).collect::<Vec<_>>(),
            [Severity::Error, Severity::Warning]
        );
        let body = janitor(&told, &Scene::default(), "janitor");
        assert!(!body.contains("@ada") && body.matches("<!--").count() == 2, "{body}");
        let later =
            Scene { run: Some("https://github.com/x/y/actions/runs/8".into()), ..Scene::default() };
        assert!(same(&body, &janitor(&told, &later, "janitor")));
    }
}
