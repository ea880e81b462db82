//! Suggestions: where a conflict's lines are part of the pull request, a review comment with a text that has the words
//! of both. One for each conflict, updated in place; one whose conflict is gone is resolved, or says that it
//! is outdated where the token may not do that.
//!
//! Requests to GitHub: 1 for our review comments, 1 for the lines shown where something is to be suggested, 1 for each
//! that is written, 1 for the threads and 1 for each that is resolved.

use std::collections::BTreeMap;

use super::Job;
use crate::github::GithubError;
use crate::github::reviews::{NewReviewComment, ReviewComment};
use crate::report::Report;
use crate::report::github as texts;

/// Begin of the mark's key.
const KEY: &str = "suggestion-";

/// Brings the suggestions to what a check found.
pub(super) async fn tell(
    job: &Job<'_>,
    number: u64,
    head: &str,
    report: &Report,
) -> Result<(), GithubError> {
    let all = job.client.review_comments(number).await?;
    let mut there: BTreeMap<String, ReviewComment> = all
        .into_iter()
        .filter(|comment| job.is_ours(comment.user.as_ref()) && comment.in_reply_to_id.is_none())
        .filter_map(|comment| {
            let mark = texts::marker(comment.body.as_deref().unwrap_or_default())?;
            Some((mark.key.strip_prefix(KEY)?.to_owned(), comment))
        })
        .collect();
    let wanted = report.conflicts.iter().filter_map(|conflict| {
        let suggestion = conflict.suggestion.as_ref()?;
        let body = texts::suggestion(conflict, &suggestion.text, &job.scene)?;
        Some((conflict, suggestion, body))
    });
    let mut shown = None;
    for (conflict, suggestion, body) in wanted {
        if let Some(old) = there.remove(&conflict.fingerprint) {
            if !texts::same(old.body.as_deref().unwrap_or_default(), &body) {
                job.client.update_review_comment(old.id, &body).await?;
            }
            continue;
        }
        let Some(path) = conflict.path.as_deref() else { continue };
        if shown.is_none() {
            shown = Some(job.client.shown_lines(number).await?);
        }
        let fits = shown
            .as_ref()
            .and_then(|shown| shown.get(path))
            .is_some_and(|lines| lines.holds(suggestion.line, suggestion.end_line));
        if !fits {
            continue;
        }
        let comment = NewReviewComment {
            commit: head,
            path,
            line: suggestion.line,
            end_line: suggestion.end_line,
            body: &body,
        };
        match job.client.create_review_comment(number, &comment).await {
            Ok(()) => {}
            // Found by its mark in the next check, if it was written.
            Err(error @ GithubError::Unavailable { .. }) => return Err(error),
            // The branch may have moved on, or GitHub counts lines otherwise: a suggestion is only a help.
            Err(GithubError::Rejected { message, .. }) => {
                tracing::debug!(message, "a suggestion was not taken");
            }
            Err(error) => return Err(error),
        }
    }
    if there.is_empty() {
        return Ok(());
    }
    let threads = match job.client.open_threads(number).await {
        Ok(threads) => threads,
        Err(error) => {
            tracing::debug!(%error, "the review threads are not to be had");
            there.values().map(|comment| (comment.id, String::new())).collect()
        }
    };
    for (fingerprint, comment) in there {
        let Some(thread) = threads.get(&comment.id) else { continue };
        // To resolve a thread takes rights that a job which only checks has no other use for.
        if let Err(error) = job.client.resolve_thread(thread).await {
            tracing::debug!(%error, "a thread could not be resolved");
            let body = texts::outdated(&fingerprint);
            job.client.update_review_comment(comment.id, &body).await?;
        }
    }
    Ok(())
}
