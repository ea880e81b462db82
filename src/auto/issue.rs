//! Conflicts on the default branch: one issue, with the same differences, boxes and commands as a pull request's
//! comment, closed when nothing is left to decide.
//!
//! Requests to GitHub: 1 to look for it; where there is one, or one is needed, 1 to know who we are and 1 to write, and
//! 1 to look again where it was opened.

use super::keep::{Place, Wish, is_marked, keep};
use super::{Done, Job, failed};
use crate::engine::{Command, Keep};
use crate::github::GithubError;
use crate::github::talk::Issue;
use crate::report::Report;
use crate::report::github::{self as texts, Answer, Decided, ISSUE_TITLE, Sticky};

/// Key of the mark in its body.
const KEY: &str = "default-branch";

/// Whether an issue is the one about conflicts.
pub(super) fn is_issue(job: &Job<'_>, issue: &Issue) -> bool {
    job.is_ours(issue.user.as_ref()) && is_marked(issue.body.as_deref(), KEY)
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
    // Links by branch: by commit they would change the text with every push.
    let files = job.request.default_branch.as_ref();
    let files = files.map(|branch| format!("{}/blob/{branch}/", job.client.web_url()));
    let scene = texts::Scene { answer: Answer::Issue, files, ..job.scene.clone() };
    let body = texts::comment(Sticky { report, scene: &scene, key: KEY, decided: &decided });
    let wish = match needed {
        true => Wish::Say(body),
        false => Wish::End(body),
    };
    keep(job, Place::Issue(ISSUE_TITLE), KEY, wish).await
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
