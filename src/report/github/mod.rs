//! Every text for GitHub, as pure functions of a report: annotations, summary, comment, issue, pull request, commit,
//! suggestion, replies.

mod annotations;
mod answer;
mod comment;
mod conflict;
mod graph;
#[cfg(test)]
mod hostile;
mod janitor;
mod log;
mod marker;
mod outputs;
mod plan;
mod publish;
mod reply;
#[cfg(test)]
mod runner;
mod sections;
mod suggestion;
mod summary;
#[cfg(test)]
mod tests;

pub use annotations::annotations;
pub use answer::{Asked, NOTION, asked};
pub use comment::{Decided, ISSUE_TITLE, Sticky, comment, status};
pub use janitor::{JANITOR_TITLE, janitor, news, remembered, told};
pub use log::log;
pub use marker::{Answers, Marker, answers, marker, same};
pub use outputs::{Known, outputs};
pub use publish::{
    Author, PUBLISH_KEY, commit_message, halted, is_our_commit, nothing_left, pull_request,
};
pub use reply::{Reply, reply};
pub use suggestion::{outdated, suggestion};
pub use summary::{SUMMARY, summary};

/// Bytes of a comment, an issue or a pull request's body: safe on both of GitHub's limits, 65,536 characters and
/// 262,144 bytes.
pub const BODY: usize = 60_000;

/// Where a report is shown, and what its texts may point at.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Address of this run's log.
    pub run: Option<String>,
    /// Address below which a path of the repository is shown, with a final `/`:
    /// `https://github.com/org/repo/blob/<commit>/`.
    pub files: Option<String>,
    /// Folder of the repository inside the workspace, with a final `/`; empty where it is the workspace.
    pub folder: String,
    /// Where a person answers.
    pub answer: Answer,
}

/// Where a person answers conflicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// In a shell.
    #[default]
    Shell,
    /// In the comment on the pull request.
    Comment,
    /// In the issue about the default branch.
    Issue,
}

impl Scene {
    /// What the local side is called.
    fn here(&self) -> &'static str {
        match self.answer {
            Answer::Comment => "this branch",
            Answer::Shell | Answer::Issue => "the repository",
        }
    }
}
