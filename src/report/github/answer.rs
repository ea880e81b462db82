//! Commands in comments: `/agent-sync keep notion INFRA-054`.

use super::super::{cut, markdown_text};
use crate::engine::Keep;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What stays.
    pub keep: Keep,
    /// The backend whose content that is, where it was named.
    pub backend: Option<String>,
    /// Artifacts, or fingerprints of conflicts; at least one.
    pub targets: Vec<String>,
}

/// What everybody calls the backend that most have, and its usual name in the configuration.
pub const NOTION: &str = "notion";

/// Targets of a command.
const TARGETS: usize = 50;

/// The commands of a comment, in order; the error is a text to reply with. A command begins its line, and stands in
/// no quote, code block or HTML comment.
///
/// # Errors
/// A command that is not understood; then none of the comment counts.
pub fn asked(comment: &str) -> Result<Vec<Asked>, String> {
    let mut all = Vec::new();
    for line in spoken(comment) {
        let mut words = line.split_whitespace();
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("/agent-sync")) {
            continue;
        }
        all.push(command(words.collect())?);
    }
    Ok(all)
}

fn command(words: Vec<&str>) -> Result<Asked, String> {
    let lower: Vec<String> = words.iter().take(2).map(|word| word.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let mut backend = None;
    let (keep, rest) = match lower.as_slice() {
        ["keep", "repository" | "local"] => (Keep::Local, 2),
        ["keep", "remote"] => (Keep::Remote, 2),
        // Whatever it is called in the configuration.
        ["keep", "notion"] => {
            backend = Some(NOTION.to_owned());
            (Keep::Remote, 2)
        }
        ["keep", "both"] => (Keep::Both, 2),
        ["keep", "skip"] => (Keep::Skip, 2),
        ["skip", _] => (Keep::Skip, 1),
        ["keep", _] => {
            // Names of backends are as they are written.
            backend = words.get(1).map(|name| (*name).to_owned());
            (Keep::Remote, 2)
        }
        ["keep"] => return Err(usage("What is to be kept is missing.")),
        ["skip"] => return Err(usage("The artifact is missing.")),
        [] => return Err(usage("The command is missing.")),
        [other, ..] => return Err(usage(&format!("\"{}\" is no command.", shown(other)))),
    };
    let targets: Vec<String> = words
        .iter()
        .skip(rest)
        .map(|word| word.trim_end_matches(','))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let named = |target: &String| {
        target.len() <= 100 && target.chars().all(|c| c.is_alphanumeric() || "-_./".contains(c))
    };
    if targets.is_empty() {
        return Err(usage("The artifact is missing."));
    }
    if targets.len() > TARGETS {
        return Err(usage(&format!("These are more than {TARGETS} artifacts.")));
    }
    match targets.iter().find(|target| !named(target)) {
        Some(odd) => Err(usage(&format!(
            "\"{}\" is neither an artifact nor the fingerprint of a conflict.",
            shown(odd)
        ))),
        None => Ok(Asked { keep, backend, targets }),
    }
}

fn shown(word: &str) -> String {
    markdown_text(&cut(word, 60))
}

fn usage(what: &str) -> String {
    format!(
        "{what} Nothing was decided. Write `/agent-sync keep notion INFRA-054`, or `keep repository`, `keep both`, \
         `keep skip`, with artifacts or fingerprints of conflicts after it."
    )
}

/// The lines that the author says, and neither quotes nor shows.
fn spoken(comment: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    let (mut hidden, mut quoted) = (false, false);
    for line in comment.lines() {
        let inner = line.trim_start();
        if hidden {
            hidden = !line.contains("-->");
            continue;
        }
        let mark = inner.chars().next().unwrap_or(' ');
        let long = inner.chars().take_while(|c| *c == mark).count();
        if let Some((with, least)) = fence {
            if mark == with && long >= least && inner.trim_end().chars().all(|c| c == with) {
                fence = None;
            }
            continue;
        }
        if matches!(mark, '`' | '~') && long >= 3 {
            fence = Some((mark, long));
            continue;
        }
        // A paragraph that goes on below a quote is part of it.
        quoted = mark == '>' || (quoted && !inner.is_empty());
        if quoted {
            continue;
        }
        let opens = line.rfind("<!--");
        if let Some(at) = opens {
            hidden = !line.get(at..).is_some_and(|rest| rest.contains("-->"));
        }
        if opens.is_none() && !line.starts_with(char::is_whitespace) {
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(keep: Keep, targets: &[&str]) -> Vec<Asked> {
        let backend = (keep == Keep::Remote).then(|| NOTION.to_owned());
        vec![Asked {
            keep,
            backend,
            targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        }]
    }

    #[test]
    fn commands_are_read() {
        let cases = [
            ("/agent-sync keep notion INFRA-054", one(Keep::Remote, &["INFRA-054"])),
            (
                "/Agent-Sync KEEP Repository story/INFRA-1, A-2",
                one(Keep::Local, &["story/INFRA-1", "A-2"]),
            ),
            (
                "Thanks!\r\n\r\n/agent-sync keep skip 0123456789abcdef\r\n",
                one(Keep::Skip, &["0123456789abcdef"]),
            ),
            ("/agent-sync skip A-1", one(Keep::Skip, &["A-1"])),
            ("/agent-sync keep both A-1", one(Keep::Both, &["A-1"])),
            ("> quoted\n\n/agent-sync keep local A-1", one(Keep::Local, &["A-1"])),
        ];
        for (comment, expected) in cases {
            assert_eq!(asked(comment), Ok(expected), "{comment}");
        }
        let named = asked("/agent-sync keep Team-Cache A-1").unwrap();
        assert_eq!(named[0].backend.as_deref(), Some("Team-Cache"));
        let two = asked("/agent-sync keep notion A-1\n/agent-sync keep local A-2").unwrap();
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn what_is_quoted_or_shown_is_no_command() {
        for comment in [
            "",
            "Use /agent-sync keep notion A-1",
            " /agent-sync keep notion A-1",
            "    /agent-sync keep notion A-1",
            "> /agent-sync keep notion A-1",
            "> as he said\n/agent-sync keep notion A-1",
            "```\n/agent-sync keep notion A-1\n```",
            "~~~~text\n```\n~~~\n/agent-sync keep notion A-1\n~~~~",
            "```\n/agent-sync keep notion A-1",
            "<!--\n/agent-sync keep notion A-1\n-->",
            "x <!-- y --> <!--\n/agent-sync keep notion A-1\n-->",
            "`/agent-sync keep notion A-1`",
            "/agent-synchronise keep notion A-1",
            "/agent-syncX",
        ] {
            assert_eq!(asked(comment), Ok(Vec::new()), "{comment}");
        }
    }

    #[test]
    fn what_is_not_understood_is_told_without_being_obeyed() {
        for (comment, says) in [
            ("/agent-sync", "The command is missing."),
            ("/agent-sync keep", "What is to be kept is missing."),
            ("/agent-sync skip", "The artifact is missing."),
            ("/agent-sync keep notion", "The artifact is missing."),
            ("/agent-sync merge A-1", "\"merge\" is no command."),
            ("/agent-sync keep notion <b>@ada", "\"&lt;b&gt;@\u{200b}ada\" is neither an artifact"),
            ("/agent-sync keep notion A-1\n/agent-sync drop A-2", "\"drop\" is no command."),
        ] {
            let error = asked(comment).unwrap_err();
            assert!(error.starts_with(says) && error.contains("Nothing was decided."), "{error}");
        }
        let many = |count: usize| format!("/agent-sync keep skip{}", " A-1".repeat(count));
        assert!(asked(&many(50)).is_ok());
        assert!(asked(&many(51)).is_err());
    }
}
