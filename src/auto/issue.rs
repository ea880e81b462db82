//! Conflicts on the default branch: one issue, with the same differences, boxes and commands as a pull request's
//! comment, closed when nothing is left to decide.
//!
//! Requests to GitHub: 1 to look for it; where there is one, or one is needed, 1 to know who we are and 1 to write.

use serde_json::json;

use super::{Done, Job, failed};
use crate::engine::{Command, Keep};
use crate::github::GithubError;
use crate::github::talk::Issue;
use crate::report::Report;
use crate::report::github::{self as texts, Answer, Decided, ISSUE_TITLE, Sticky};

/// Label by which the issue is found.
const LABEL: &str = "agent-sync";
/// Key of the mark in its body.
const KEY: &str = "default-branch";

/// Whether an issue claims to be ours; who wrote it is asked apart.
fn is_marked(issue: &Issue) -> bool {
    let mark = texts::marker(issue.body.as_deref().unwrap_or_default());
    mark.is_some_and(|mark| mark.key == KEY)
}

/// Whether an issue is the one about conflicts.
pub(super) fn is_issue(job: &Job<'_>, issue: &Issue) -> bool {
    is_marked(issue) && job.is_ours(issue.user.as_ref())
}

/// Brings the issue to what a run on the default branch found; its address while it is open.
pub(super) async fn tell(
    job: &mut Job<'_>,
    report: &Report,
) -> Result<Option<String>, GithubError> {
    // What a sync found decided it has applied; only what is skipped is still there, and needs nobody.
    let waits = |keep: Keep| matches!(job.request.command, Command::Check) && keep != Keep::Skip;
    let decided: Vec<Decided> =
        report.decided.iter().filter(|one| waits(one.keep)).map(Into::into).collect();
    let needed = !report.conflicts.is_empty() || !decided.is_empty();
    let found = job.client.labelled_issues(LABEL).await?;
    let mut found: Vec<Issue> = found.into_iter().filter(is_marked).collect();
    if found.is_empty() && !needed {
        return Ok(None);
    }
    job.learn().await?;
    found.retain(|issue| job.is_ours(issue.user.as_ref()));
    // Links by branch: by commit they would change the text with every push.
    let files = job.request.default_branch.as_ref();
    let files = files.map(|branch| format!("{}/blob/{branch}/", job.client.web_url()));
    let scene = texts::Scene { answer: Answer::Issue, files, ..job.scene.clone() };
    let body = texts::comment(Sticky { report, scene: &scene, key: KEY, decided: &decided });
    let Some(there) = found.into_iter().next() else {
        if !needed {
            return Ok(None);
        }
        return match job.client.create_issue(ISSUE_TITLE, &body, &[LABEL]).await {
            Ok(made) => Ok(Some(made.html_url)),
            // It may have been opened before the answer was lost.
            Err(error @ GithubError::Unavailable { .. }) => {
                let found = job.client.labelled_issues(LABEL).await?;
                match found.into_iter().find(|issue| is_issue(job, issue)) {
                    Some(made) => Ok(Some(made.html_url)),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        };
    };
    let same = texts::same(there.body.as_deref().unwrap_or_default(), &body);
    if !needed {
        let change = json!({"body": body, "state": "closed", "state_reason": "completed"});
        job.client.update_issue(there.number, &change).await?;
        return Ok(None);
    }
    if !same {
        job.client.update_issue(there.number, &json!({"body": body})).await?;
    }
    Ok(Some(there.html_url))
}

/// After a run on the default branch: the issue, and its address in the report's outputs.
pub(super) async fn after(job: &mut Job<'_>, mut report: Report) -> Done {
    let mut comment_url = None;
    let told = !job.request.dry_run && job.surface.comment && job.is_whole();
    if report.stopped.is_none() && told {
        match tell(job, &report).await {
            Ok(url) => comment_url = url,
            Err(error) => failed(&mut report, error),
        }
    }
    report.github = Some(job.client.requests());
    let mut done = Done::plain(report, job.scene.clone());
    done.comment_url = comment_url;
    done
}

/// The check that follows an answer on the issue.
pub(super) async fn recheck(job: &mut Job<'_>, notices: Vec<String>) -> Done {
    job.request.command = Command::Check;
    let mut report = crate::engine::run(&job.request, job.progress).await;
    report.notices.extend(notices);
    job.scene.answer = Answer::Issue;
    after(job, report).await
}
