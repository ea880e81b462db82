//! Short answers to comments.

use super::super::{cut, markdown_text};
use super::comment::login;
use super::conflict::{NAME, digits};

/// What is said to a person who wrote a comment or ticked a box.
#[derive(Clone, Copy, Debug)]
pub enum Reply<'a> {
    /// Comments on a fork's pull request decide nothing.
    Fork,
    /// Only people with write permission decide.
    NotAllowed {
        /// Login of the person.
        by: &'a str,
    },
    /// More than one box of a conflict is ticked.
    Ambiguous {
        /// Fingerprints.
        conflicts: &'a [String],
    },
    /// The comment with the boxes was changed by hand.
    Changed,
    /// Why it could not be done: a sentence or two.
    Failed {
        /// The reason.
        why: &'a str,
        /// Whether something of it was done all the same.
        partly: bool,
    },
}

/// The text of a reply.
pub fn reply(reply: Reply<'_>) -> String {
    match reply {
        Reply::Fork => "Comments on a pull request from a fork decide nothing. A person with write access can decide \
                        after the merge, in the issue about the conflict."
            .to_owned(),
        Reply::NotAllowed { by } => {
            format!("{} needs write access to decide. Nothing was decided.", login(by))
        }
        Reply::Ambiguous { conflicts } => {
            let list: Vec<String> = conflicts
                .iter()
                .take(100)
                .map(|fingerprint| format!("`{}`", digits(fingerprint)))
                .collect();
            format!(
                "More than one box is ticked for {}, so nothing was decided about it. Leave one.",
                list.join(", ")
            )
        }
        Reply::Changed => "The comment was changed by hand, so its boxes decide nothing; the next check writes it \
                           anew. Tick a box there, or answer with `/agent-sync keep notion INFRA-054`."
            .to_owned(),
        Reply::Failed { why, partly } => {
            let lines: Vec<String> =
                why.lines().take(10).map(|line| markdown_text(&cut(line, NAME * 5))).collect();
            let done = if partly { "Not all of it was decided." } else { "Nothing was decided." };
            format!("{done} {}", lines.join("\n\n"))
        }
    }
}
