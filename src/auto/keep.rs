//! One text of ours at one place: made where it is needed, changed where it says something else, never doubled.

use serde_json::json;

use super::Job;
use crate::github::GithubError;
use crate::github::talk::{Comment, Issue};
use crate::report::github as texts;

/// Label by which our issues are found.
const LABEL: &str = "agent-sync";

/// Where a text is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// A comment on the pull request or issue of this number.
    Comment(u64),
    /// An open issue with this title.
    Issue(&'a str),
}

/// What is to be there.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// This text.
    Say(String),
    /// This text where there is one already, and nothing where there is none.
    Amend(String),
    /// As [`Wish::Amend`]; an issue is closed with it.
    End(String),
}

/// A text of ours that was found.
pub(super) struct Found {
    /// Id of the comment, or number of the issue.
    pub(super) id: u64,
    /// The text.
    pub(super) body: String,
    /// Its address.
    url: String,
}

impl From<Comment> for Found {
    fn from(comment: Comment) -> Self {
        Self { id: comment.id, body: comment.body.unwrap_or_default(), url: comment.html_url }
    }
}

impl From<Issue> for Found {
    fn from(issue: Issue) -> Self {
        Self { id: issue.number, body: issue.body.unwrap_or_default(), url: issue.html_url }
    }
}

/// Whether a text has our mark with this key; who wrote it is asked apart.
pub(super) fn is_marked(body: Option<&str>, key: &str) -> bool {
    texts::marker(body.unwrap_or_default()).is_some_and(|mark| mark.key == key)
}

/// Keeps the one text with this key as it is wished; its address, where it is there and open afterwards. Requests: 1 to
/// look for it, 1 to write it where it has to be written, and 1 to look again where it was made.
///
/// # Errors
/// [`GithubError`].
pub(super) async fn keep(
    job: &mut Job<'_>,
    place: Place<'_>,
    key: &str,
    wish: Wish,
) -> Result<Option<String>, GithubError> {
    let there = find(job, place, key, matches!(wish, Wish::Say(_))).await?;
    bring(job, place, key, there, wish).await
}

/// As [`keep`], where it was already looked for.
///
/// # Errors
/// [`GithubError`].
pub(super) async fn bring(
    job: &mut Job<'_>,
    place: Place<'_>,
    key: &str,
    there: Option<Found>,
    wish: Wish,
) -> Result<Option<String>, GithubError> {
    let (body, needed, ends) = match wish {
        Wish::Say(body) => (body, true, false),
        Wish::Amend(body) => (body, false, false),
        Wish::End(body) => (body, false, matches!(place, Place::Issue(_))),
    };
    let (there, made) = match there {
        Some(there) => (there, None),
        None if !needed => return Ok(None),
        None => match create(job, place, &body).await {
            Ok(made) => match find(job, place, key, true).await? {
                // Somebody else looked as early as we did, and was faster.
                Some(first) if first.id < made.id => (first, Some(made)),
                _ => return Ok(Some(made.url)),
            },
            // It may have been written before the answer was lost.
            Err(error @ GithubError::Unavailable { .. }) => {
                match find(job, place, key, true).await? {
                    Some(made) => (made, None),
                    None => return Err(error),
                }
            }
            Err(error) => return Err(error),
        },
    };
    if let Some(made) = made {
        discard(job, place, made.id).await?;
    }
    if ends || !texts::same(&there.body, &body) {
        update(job, place, there.id, &body, ends).await?;
    }
    Ok((!ends).then_some(there.url))
}

/// The oldest of ours. Where none is needed, nobody asks who we are before something has our mark.
///
/// # Errors
/// [`GithubError`].
pub(super) async fn find(
    job: &mut Job<'_>,
    place: Place<'_>,
    key: &str,
    needed: bool,
) -> Result<Option<Found>, GithubError> {
    match place {
        Place::Comment(number) => {
            job.learn().await?;
            let ours = |one: &Comment| {
                job.is_ours(one.user.as_ref()) && is_marked(one.body.as_deref(), key)
            };
            Ok(job.client.find_comment(number, ours).await?.map(Found::from))
        }
        Place::Issue(_) => {
            let mut found = job.client.labelled_issues(LABEL).await?;
            found.retain(|issue| is_marked(issue.body.as_deref(), key));
            if !found.is_empty() || needed {
                job.learn().await?;
            }
            found.retain(|issue| job.is_ours(issue.user.as_ref()));
            Ok(found.into_iter().min_by_key(|issue| issue.number).map(Found::from))
        }
    }
}

async fn create(job: &Job<'_>, place: Place<'_>, body: &str) -> Result<Found, GithubError> {
    Ok(match place {
        Place::Comment(number) => job.client.create_comment(number, body).await?.into(),
        Place::Issue(title) => job.client.create_issue(title, body, &[LABEL]).await?.into(),
    })
}

async fn update(
    job: &Job<'_>,
    place: Place<'_>,
    id: u64,
    body: &str,
    ends: bool,
) -> Result<(), GithubError> {
    match place {
        Place::Comment(_) => drop(job.client.update_comment(id, body).await?),
        Place::Issue(_) => {
            let change = match ends {
                true => json!({"body": body, "state": "closed", "state_reason": "completed"}),
                false => json!({"body": body}),
            };
            job.client.update_issue(id, &change).await?;
        }
    }
    Ok(())
}

/// Takes away what was one too many: an issue cannot be deleted, so it is closed.
async fn discard(job: &Job<'_>, place: Place<'_>, id: u64) -> Result<(), GithubError> {
    match place {
        Place::Comment(_) => job.client.delete_comment(id).await,
        Place::Issue(_) => {
            let change = json!({"state": "closed", "state_reason": "not_planned"});
            job.client.update_issue(id, &change).await.map(drop)
        }
    }
}
