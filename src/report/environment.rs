//! The generated page that shows those who live in the backend what is synced, and where they are asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use agent_sync_core::kind::{Kinds, Source};
use jiff::Timestamp;

use super::{ConflictReport, cut, one_line};

/// Title of the page.
pub const ENVIRONMENT_TITLE: &str = "agent-sync";
/// Conflicts that are listed before the rest is counted.
const LISTED: usize = 50;

/// What the page is about.
#[derive(Clone, Copy, Debug)]
pub struct Environment<'a> {
    /// Address of the repository on the web, where it is known.
    pub repository: Option<&'a str>,
    /// Its default branch.
    pub branch: &'a str,
    /// What is synced.
    pub kinds: &'a Kinds,
    /// What waits for a person.
    pub conflicts: &'a [&'a ConflictReport],
    /// What the janitor found last: how often, by rule.
    pub findings: &'a BTreeMap<String, usize>,
}

/// The page without its last lines, in Markdown.
pub fn environment(about: &Environment<'_>) -> String {
    let repository = about.repository.map_or_else(|| "a repository".to_owned(), literal);
    let mut out = format!(
        "The pages of these databases are the files of {repository} on the branch {}, kept equal in both directions. \
         Edit either side. This page is written by a program, which leaves it alone once somebody edits it.\n\n\
         ## What is synced\n\n",
        literal(about.branch)
    );
    for kind in about.kinds.values() {
        let _ = writeln!(
            out,
            "- {} (kind {}): files in {}",
            literal(&kind.database),
            literal(&kind.name),
            literal(&kind.folder)
        );
        for property in &kind.properties {
            let _ = writeln!(
                out,
                "  - {}: {}",
                literal(&property.remote_name),
                literal(&source(&property.source))
            );
        }
    }
    out.push_str("\n## What needs a decision\n\n");
    if about.conflicts.is_empty() {
        out.push_str("Nothing.\n");
    } else {
        out.push_str(
            "Both sides changed the same words. It is answered on the pull request or on the issue about conflicts in \
             the repository, or from a shell with the command that follows each.\n\n",
        );
    }
    for conflict in about.conflicts.iter().take(LISTED) {
        let what = conflict.property.as_deref().or(conflict.block.as_deref()).unwrap_or("body");
        let _ = writeln!(
            out,
            "- {} {}, {}: agent-sync resolve {}",
            literal(&conflict.kind),
            literal(&cut(&conflict.id, 100)),
            literal(&cut(what, 100)),
            literal(&conflict.fingerprint)
        );
    }
    if about.conflicts.len() > LISTED {
        let _ = writeln!(out, "- and {} more", about.conflicts.len() - LISTED);
    }
    out.push_str("\n## What the janitor found\n\n");
    if about.findings.is_empty() {
        out.push_str("Nothing.\n");
    }
    for (rule, count) in about.findings {
        let _ = writeln!(out, "- {}: {count}", literal(rule));
    }
    out
}

/// The line that says when the page was written.
pub fn environment_date(now: Timestamp) -> String {
    format!("Last change: {}.", now.strftime("%Y-%m-%d %H:%M UTC"))
}

/// The line that says whose page it is, and by which a run sees whether somebody edited it.
pub fn environment_mark(
    workspace: Option<&str>,
    repository: Option<&str>,
    content: &str,
) -> String {
    let plain = |text: &str| -> String {
        let plain = |c: &char| c.is_ascii_alphanumeric() || ":/._~-".contains(*c);
        text.chars().filter(plain).take(300).collect()
    };
    let [workspace, repository] =
        [workspace, repository].map(|text| text.map_or_else(|| "unknown".to_owned(), plain));
    format!("`agent-sync v1 workspace {workspace} repository {repository} content {content}`")
}

fn source(source: &Source) -> String {
    match source {
        Source::Heading => "the title of the file".to_owned(),
        Source::Id => "the id in the file's name".to_owned(),
        Source::Section(names) => format!("the section {}", names.join(" or ")),
        Source::References(name) => format!("the list below {name}"),
        Source::Key(key) => format!("the key {key} of the file"),
    }
}

/// Text that means itself in Markdown. Nothing in Notion acts on text alone, as mentions do at GitHub.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '<' | '>' | '&' | '#')
        {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
