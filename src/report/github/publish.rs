//! What came from the backend, on its way to the default branch: the commit and the pull request.

use super::super::escape::link;
use super::super::{ArtifactReport, Report, cut, markdown_text, one_line};
use super::conflict::{NAME, artifact};
use super::marker::{SIGNED, signed};
use super::sections::rows;
use super::{BODY, Scene};
use crate::engine::Action;

/// Key of the mark in the body of the pull request.
pub const PUBLISH_KEY: &str = "publish";

/// Artifacts that a commit message names.
const NAMED: usize = 50;

/// A person behind a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Name for people.
    pub name: String,
    /// Address; without one there is no trailer.
    pub email: Option<String>,
}

/// The artifacts whose files a run changed.
fn pulled(report: &Report) -> Vec<&ArtifactReport> {
    report.artifacts.iter().filter(|one| one.sides.local != Action::None).collect()
}

fn what(one: &ArtifactReport) -> &'static str {
    match one.sides.local {
        Action::Create => "new file",
        Action::Delete => "file deleted",
        Action::Edit | Action::Revive | Action::None => "changed",
    }
}

/// Title of the pull request, and subject of its commit; at most 72 characters.
fn subject(report: &Report) -> String {
    match pulled(report).as_slice() {
        [one] => cut(&format!("Take {} over from Notion", plain(&one.id)), 72),
        several => format!("Take {} changes over from Notion", several.len()),
    }
}

/// Title and body of the pull request that brings the backend's changes, the body of at most [`BODY`] bytes. Like
/// a comment it is the same as long as what it brings is.
pub fn pull_request(report: &Report, scene: &Scene) -> (String, String) {
    let head = "These changes were made in Notion. Merging takes them over. Closing this without merging leaves exactly \
                these versions out: they are not proposed again until they change, and nothing in Notion is touched.\n\n\
                | artifact | what | who | why |\n|---|---|---|---|\n";
    let all: Vec<String> = pulled(report)
        .into_iter()
        .map(|one| {
            let page = one.url.as_deref().map(|url| format!(" · {}", link("page", url)));
            let who = one.editor.as_deref().map(|name| markdown_text(&cut(name, NAME)));
            format!(
                "| {}{} | {} | {} | {} |\n",
                artifact(&one.kind, &one.id, one.path.as_deref(), scene),
                page.unwrap_or_default(),
                what(one),
                who.unwrap_or_default(),
                markdown_text(&cut(&one.reason, NAME))
            )
        })
        .collect();
    let footer = scene.run.as_deref().map(|run| format!("As of {}", link("this run", run)));
    let reserved = SIGNED + 200 + footer.as_ref().map_or(0, String::len);
    let (table, omitted) = rows(&all, BODY.saturating_sub(head.len() + reserved));
    let more = match omitted {
        0 => String::new(),
        count => format!("\n… and {count} more, see the files.\n"),
    };
    let body = signed(&format!("{head}{table}{more}"), footer.as_deref(), PUBLISH_KEY);
    (subject(report), body)
}

/// Message of a commit that brings the backend's changes: what changed, the run, and the people whose address is
/// known.
pub fn commit_message(report: &Report, run: &str, authors: &[Author]) -> String {
    let pulled = pulled(report);
    let mut out = format!("{}\n\n", subject(report));
    for one in pulled.iter().take(NAMED) {
        out.push_str(&format!("- {} {}: {}\n", plain(&one.kind), plain(&one.id), what(one)));
    }
    if pulled.len() > NAMED {
        out.push_str(&format!("- and {} more\n", pulled.len() - NAMED));
    }
    out.push_str(&format!("\nAgent-Sync-Run: {}\n", plain(run)));
    let mut trailers: Vec<String> = authors.iter().filter_map(trailer).collect();
    trailers.sort();
    trailers.dedup();
    for trailer in trailers {
        out.push_str(&trailer);
    }
    out
}

/// Letters, digits and what ids are made of: in a message `[skip ci]`, `Fixes #1` and `@name` would act.
fn plain(text: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || "-_./".contains(c) { c } else { '_' };
    cut(&text.chars().map(keep).collect::<String>(), 60)
}

fn trailer(author: &Author) -> Option<String> {
    let email = author.email.as_deref()?;
    let (local, domain) = email.split_once('@')?;
    let allowed = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".+-_".contains(c))
    };
    if !allowed(local) || !allowed(domain) || email.len() > 254 {
        return None;
    }
    let name: String = one_line(&author.name)
        .chars()
        .map(|c| if c.is_alphanumeric() || " .'-".contains(c) { c } else { '_' })
        .collect();
    let name = cut(name.trim(), 100);
    let name = if name.is_empty() { local } else { &name };
    Some(format!("Co-authored-by: {name} <{email}>\n"))
}

#[cfg(test)]
mod tests {
    use super::super::super::Sides;
    use super::*;

    fn report(count: usize) -> Report {
        let mut report = Report::new("sync", false);
        for n in 0..count {
            report.artifacts.push(ArtifactReport {
                kind: "story".into(),
                id: format!("INFRA-{n}"),
                sides: Sides { local: Action::Edit, remote: Action::None },
                ..ArtifactReport::default()
            });
        }
        report
    }

    #[test]
    fn nobody_can_write_a_trailer_or_a_command_into_a_commit() {
        let mut report = report(1);
        report.artifacts[0].id = "A-1\n\nFixes #1 [skip ci] @ada".into();
        let authors = [
            Author {
                name: "Ada\nSigned-off-by: <x>".into(),
                email: Some("ada@example.com".into()),
            },
            Author { name: "Bob".into(), email: None },
            Author { name: "Eve".into(), email: Some("e@x>\nFixes: #2".into()) },
        ];
        insta::assert_snapshot!(commit_message(&report, "20261125T140200000Z-1", &authors), @"
        Take A-1__Fixes__1__skip_ci___ada over from Notion

        - story A-1__Fixes__1__skip_ci___ada: changed

        Agent-Sync-Run: 20261125T140200000Z-1
        Co-authored-by: Ada_nSigned-off-by_ _x_ <ada@example.com>
        ");
    }

    #[test]
    fn a_commit_names_so_many_and_counts_the_rest() {
        assert!(!commit_message(&report(50), "r", &[]).contains("more"));
        assert!(commit_message(&report(51), "r", &[]).contains("- and 1 more\n"));
    }

    #[test]
    fn the_body_of_a_pull_request_stays_under_its_limit() {
        let body = |count: usize| pull_request(&report(count), &Scene::default()).1;
        let whole = |count: usize| !body(count).contains("more, see the files");
        let at = (1..5_000).collect::<Vec<_>>().partition_point(|count| whole(*count));
        assert!(body(at).len() <= BODY && body(at).len() > BODY - 600, "{}", body(at).len());
        assert!(body(at + 1).contains("… and 1 more, see the files."));
        assert!(body(5_000).len() <= BODY);
    }
}
