//! Comments on pages about findings, for those who live in the backend: one for each, deleted when the finding is
//! gone, and never posted again after a person resolved it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{RunError, Turn, partial};
use crate::backend::{BackendError, Comment, Comments};

/// Comments between two commits of the state.
const BATCH: usize = 50;

/// Characters of a comment without its mark.
const LONGEST: usize = 1500;

/// What became of the comment about a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commented {
    /// The page.
    pub page: String,
    /// Id of the comment; none once a person has resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What is to be said on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remark {
    /// The page.
    pub page: String,
    /// The text, without the mark that it is recognised by.
    pub text: String,
}

/// The end of a comment's text, by which a run finds what a killed one has posted.
fn mark(fingerprint: &str) -> String {
    format!("[agent-sync {fingerprint}]")
}

/// Makes the comments of a backend say exactly this, by fingerprint of the finding. Requests: 1 for each page with a
/// finding, 1 for each comment that is posted or deleted.
///
/// # Errors
/// What stops a run. A backend that lets nobody comment is a notice.
pub(super) async fn comment(
    turn: &mut Turn<'_>,
    bot: &str,
    wanted: &BTreeMap<String, Remark>,
) -> Result<(), RunError> {
    let backend = turn.backend;
    let Some(comments) = backend.comments() else { return Ok(()) };
    let name = backend.name().to_owned();
    let mut known = turn.book.backend(&name).comments.clone();
    let result = bring(turn, comments, bot, wanted, &mut known).await;
    turn.book.backend(&name).comments = known;
    match result {
        Ok(()) => Ok(()),
        Err(Trouble::Backend(error @ BackendError::Refused { .. })) => {
            turn.report.notices.push(format!("No comments are posted in {}: {error}", turn.label));
            Ok(())
        }
        Err(Trouble::Backend(error)) => Err(error.into()),
        Err(Trouble::Run(error)) => Err(error),
    }
}

enum Trouble {
    Backend(BackendError),
    Run(RunError),
}

impl From<BackendError> for Trouble {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

async fn bring(
    turn: &mut Turn<'_>,
    comments: &dyn Comments,
    bot: &str,
    wanted: &BTreeMap<String, Remark>,
    known: &mut BTreeMap<String, Commented>,
) -> Result<(), Trouble> {
    let gone: Vec<String> =
        known.keys().filter(|print| !wanted.contains_key(*print)).cloned().collect();
    for print in gone {
        if let Some(Commented { comment: Some(comment), .. }) = known.get(&print) {
            comments.delete(comment).await?;
        }
        known.remove(&print);
    }
    let pages: BTreeSet<&String> = wanted.values().map(|remark| &remark.page).collect();
    let mut posted = 0;
    for page in pages {
        let open = match comments.open(page).await {
            // Gone or not shared since it was listed: nobody reads there.
            Err(BackendError::NotFound { .. }) => continue,
            open => open?,
        };
        for (print, remark) in wanted.iter().filter(|(_, remark)| remark.page == *page) {
            let is_open = |id: &String| open.iter().any(|comment| comment.id == *id);
            if let Some(Commented { comment, .. }) = known.get_mut(print) {
                if comment.as_ref().is_some_and(|id| !is_open(id)) {
                    *comment = None;
                }
                continue;
            }
            let comment = match ours(&open, bot, print) {
                Some(comment) => comment,
                None => {
                    posted += 1;
                    match post(comments, bot, print, remark).await? {
                        Some(comment) => comment,
                        // The next run sees whether it is there.
                        None => continue,
                    }
                }
            };
            let page = page.clone();
            known.insert(print.clone(), Commented { page, comment: Some(comment) });
            if posted > 0 && posted % BATCH == 0 {
                let name = turn.backend.name().to_owned();
                turn.book.backend(&name).comments.clone_from(known);
                let message = partial("comments that were posted", &turn.session.run);
                turn.commit(&message).await.map_err(Trouble::Run)?;
            }
        }
    }
    Ok(())
}

/// Posts a comment; none where it is not clear whether it is there.
async fn post(
    comments: &dyn Comments,
    bot: &str,
    print: &str,
    remark: &Remark,
) -> Result<Option<String>, BackendError> {
    let text: String = remark.text.chars().take(LONGEST).collect();
    let text = format!("{text} {}", mark(print));
    match comments.post(&remark.page, &text).await {
        Ok(comment) => Ok(Some(comment)),
        Err(BackendError::Ambiguous { .. } | BackendError::Collided { .. }) => {
            Ok(ours(&comments.open(&remark.page).await?, bot, print))
        }
        // A page that takes no comment does not keep the others from theirs.
        Err(BackendError::Rejected { .. } | BackendError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Our comment about a finding.
fn ours(open: &[Comment], bot: &str, print: &str) -> Option<String> {
    let mark = mark(print);
    let ours = |comment: &&Comment| {
        comment.author.as_deref() == Some(bot) && comment.text.trim_end().ends_with(&mark)
    };
    open.iter().find(ours).map(|comment| comment.id.clone())
}
