//! What came from the backend, on its way to the default branch: the commit and the pull request.

use super::super::escape::link;
use super::super::{ArtifactReport, Report, cut, markdown_text, one_line};
use super::conflict::{NAME, artifact};
use super::marker::{SIGNED, parts, signed};
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

/// The backends that brought it, by their names for people.
fn origin(report: &Report) -> String {
    let pulled = pulled(report);
    let brought = |name: &str| pulled.iter().any(|one| one.backend == name);
    let labels = report.backends.iter().filter(|part| brought(&part.name));
    let labels: Vec<String> = labels.map(|part| plain(&part.label)).collect();
    if labels.is_empty() { "Notion".to_owned() } else { labels.join(" and ") }
}

/// Title of the pull request, and subject of its commit; at most 72 characters.
fn subject(report: &Report) -> String {
    let from = origin(report);
    let subject = match pulled(report).as_slice() {
        [one] => format!("Take {} over from {from}", plain(&one.id)),
        several => format!("Take {} changes over from {from}", several.len()),
    };
    cut(&subject, 72)
}

/// Title and body of the pull request that brings the backend's changes, the body of at most [`BODY`] bytes. Like
/// a comment it is the same as long as what it brings is.
pub fn pull_request(report: &Report, scene: &Scene) -> (String, String) {
    let from = markdown_text(&origin(report));
    let head = format!(
        "These changes were made in {from}. Merging takes them over. Closing this without merging leaves exactly these \
         versions out: they are not proposed again until they change, and nothing in {from} is touched.\n\n\
         | artifact | what | who | why |\n|---|---|---|---|\n"
    );
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

/// Beginnings of the lines by which a commit shows that it is ours.
const RUN: &str = "Agent-Sync-Run: ";
const TREE: &str = "Agent-Sync-Tree: ";

/// Whether a commit is one that we made, as it was: whoever amends or rebases it gives it another tree, and the
/// message still names the old one.
pub fn is_our_commit(message: &str, tree: &str) -> bool {
    let trailers = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let named = trailers.lines().filter_map(|line| line.strip_prefix(TREE));
    named.eq([tree]) && trailers.lines().any(|line| line.starts_with(RUN))
}

/// Body of a pull request that we closed: whoever else closes it decides something.
pub fn nothing_left() -> String {
    signed(
        "Nothing is left to take over: the default branch has it, or it was changed back where it came from. So \
         agent-sync closed this pull request; the next change opens another one.",
        None,
        PUBLISH_KEY,
    )
}

/// Body of a pull request to whose branch somebody pushed, made from its present one; `None` where that says so
/// already.
pub fn halted(body: &str) -> Option<String> {
    let note = "> [!IMPORTANT]\n> Somebody else's commits are on this branch, so agent-sync does not update it any \
                more: what was edited elsewhere since is not in it. Merge or close this pull request, or take \
                these commits off the branch, and agent-sync goes on.";
    let body = body.replace("\r\n", "\n");
    if body.contains(note) {
        return None;
    }
    let text = parts(&body).map_or(body, |(text, _)| text);
    let room = BODY.saturating_sub(note.len() + SIGNED);
    let text = match text.len() <= room {
        true => text,
        false => text.get(..text.floor_char_boundary(room)).unwrap_or_default().to_owned(),
    };
    Some(signed(&format!("{note}\n\n{text}"), None, PUBLISH_KEY))
}

/// Message of a commit that brings the backend's changes: what changed, the run, the commit's tree, and the people
/// whose address is known.
pub fn commit_message(report: &Report, run: &str, tree: &str, authors: &[Author]) -> String {
    let pulled = pulled(report);
    let mut out = format!("{}\n\n", subject(report));
    for one in pulled.iter().take(NAMED) {
        out.push_str(&format!("- {} {}: {}\n", plain(&one.kind), plain(&one.id), what(one)));
    }
    if pulled.len() > NAMED {
        out.push_str(&format!("- and {} more\n", pulled.len() - NAMED));
    }
    out.push_str(&format!("\n{RUN}{}\n{TREE}{}\n", plain(run), plain(tree)));
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
        insta::assert_snapshot!(commit_message(&report, "20261125T140200000Z-1", "4b825dc", &authors), @"
        Take A-1__Fixes__1__skip_ci___ada over from Notion

        - story A-1__Fixes__1__skip_ci___ada: changed

        Agent-Sync-Run: 20261125T140200000Z-1
        Agent-Sync-Tree: 4b825dc
        Co-authored-by: Ada_nSigned-off-by_ _x_ <ada@example.com>
        ");
    }

    #[test]
    fn a_commit_names_so_many_and_counts_the_rest() {
        assert!(!commit_message(&report(50), "r", "t", &[]).contains("more"));
        assert!(commit_message(&report(51), "r", "t", &[]).contains("- and 1 more\n"));
    }

    #[test]
    fn a_commit_is_ours_as_long_as_its_tree_is() {
        let message = commit_message(&report(2), "r", "4b825dc", &[]);
        assert!(is_our_commit(&message, "4b825dc") && is_our_commit(message.trim_end(), "4b825dc"));
        assert!(!is_our_commit(&message, "4b825dd"));
        assert!(!is_our_commit("Agent-Sync-Tree: 4b825dc", "4b825dc"));
        // Somewhere above the trailers it is a quotation, and two are one too many.
        assert!(!is_our_commit(&format!("{message}\nFixes: #1\n"), "4b825dc"));
        assert!(!is_our_commit(&format!("{message}Agent-Sync-Tree: 4b825dd\n"), "4b825dd"));
    }

    #[test]
    fn a_branch_with_others_commits_is_said_once() {
        let (_, body) = pull_request(&report(1), &Scene::default());
        let told = halted(&body).unwrap();
        assert!(told.contains("INFRA-0") && super::super::same(&told, &told), "{told}");
        assert_eq!(halted(&told), None);
        assert_eq!(halted(&told.replace('\n', "\r\n")), None);
        assert!(halted(&"é".repeat(BODY)).unwrap().len() <= BODY);
        assert!(halted("A person's own words.").unwrap().contains("\n\nA person's own words.\n\n"));
        assert!(super::super::same(&nothing_left(), &nothing_left()));
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
