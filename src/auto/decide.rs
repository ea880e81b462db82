//! Answers from GitHub: boxes that were ticked, and `/agent-sync keep …`. A person with write permission is asked of
//! the API each time; whatever a payload says of itself decides nothing.

use super::check::{self, Subject, is_sticky};
use super::{Done, Job, head};
use crate::engine::{self, Command, Keep, RunError};
use crate::github::event::{Comment, Issue};
use crate::report::Report;
use crate::report::github::{Reply, answers, asked, reply};

/// What a comment asks for.
enum Wish {
    /// Nothing of us.
    Nothing,
    /// Answers; `lenient` where the person saw versions that may be outdated.
    Answers { answers: Vec<(String, Keep)>, lenient: bool },
    /// It was meant for us and cannot be read.
    Unclear(String),
}

/// A comment that was written or edited.
pub(super) async fn comment(job: &mut Job<'_>, comment: &Comment) -> Done {
    match decide(job, comment).await {
        Ok(done) => done,
        Err(error) => Done::plain(Report::failed("resolve", error), job.scene.clone()),
    }
}

/// An issue that was edited.
pub(super) async fn issue(job: &mut Job<'_>, issue: &Issue) -> Done {
    let _ = issue;
    ignored(job, "The edited issue is not the one about conflicts.")
}

fn ignored(job: &Job<'_>, why: &str) -> Done {
    let mut report = Report::new("resolve", false);
    report.notices.push(why.to_owned());
    report.github = Some(job.client.requests());
    Done::plain(report, job.scene.clone())
}

async fn decide(job: &mut Job<'_>, comment: &Comment) -> Result<Done, RunError> {
    if comment.sender.is_bot {
        return Ok(ignored(job, "A program wrote this comment, and programs decide nothing."));
    }
    let mut wish = match comment.created {
        true => commanded(&comment.body),
        false => Wish::Nothing,
    };
    if matches!(wish, Wish::Nothing) && (comment.created || !comment.body.contains("agent-sync:")) {
        return Ok(ignored(job, "This comment asks nothing of agent-sync."));
    }
    if !comment.on_pull_request {
        return Ok(ignored(job, "Comments on this issue decide nothing."));
    }
    let by = comment.sender.login.clone();
    if !job.client.may_write(&by).await? {
        // An edit of a comment of their own that looks like ours is not worth an answer.
        if comment.created {
            answer(job, comment, &reply(Reply::NotAllowed { by: &by }), "-1").await?;
        }
        return Ok(ignored(
            job,
            "The author of this comment may not write here, so nothing was decided.",
        ));
    }
    let subject = head::materialise(job, comment.number).await?;
    if subject.fork {
        if comment.created {
            answer(job, comment, &reply(Reply::Fork), "confused").await?;
        }
        return Ok(ignored(job, "Comments on a fork's pull request decide nothing."));
    }
    if !comment.created {
        wish = ticked(job, comment, &subject).await?;
    }
    let (answers, lenient) = match wish {
        Wish::Answers { answers, lenient } => (answers, lenient),
        Wish::Nothing => return Ok(ignored(job, "No box of the comment is ticked.")),
        Wish::Unclear(why) => {
            answer(job, comment, &why, "confused").await?;
            return Ok(ignored(
                job,
                "It is not clear what this comment decides, so nothing was decided.",
            ));
        }
    };
    let wanted = job.request.clone();
    job.request.command = Command::Resolve { answers, lenient };
    job.request.any_branch = true;
    job.request.by = Some(by.clone());
    let resolved = engine::run(&job.request, job.progress).await;
    job.request = wanted;
    if let Some(error) = &resolved.stopped {
        let why = error.to_string();
        answer(job, comment, &reply(Reply::Failed { why: &why }), "confused").await?;
        return Ok(Done::plain(resolved, job.scene.clone()));
    }
    if comment.created {
        job.client.react(comment.id, "+1").await?;
    }
    let mut report = engine::run(&job.request, job.progress).await;
    report.notices.extend(resolved.notices);
    job.scene = super::on_pull_request(&job.scene);
    Ok(check::tell(job, &subject, report).await)
}

fn commanded(body: &str) -> Wish {
    match asked(body) {
        Ok(asked) if asked.is_empty() => Wish::Nothing,
        Ok(asked) => {
            let of = |one: crate::report::github::Asked| {
                one.targets.into_iter().map(move |target| (target, one.keep))
            };
            Wish::Answers { answers: asked.into_iter().flat_map(of).collect(), lenient: false }
        }
        Err(why) => Wish::Unclear(reply(Reply::Failed { why: &why })),
    }
}

/// The boxes as they are now: the event may be older than the comment.
async fn ticked(job: &Job<'_>, comment: &Comment, subject: &Subject) -> Result<Wish, RunError> {
    let now = job.client.comment(comment.id).await?;
    if !is_sticky(job, &now) {
        return Ok(Wish::Nothing);
    }
    let Some(found) = answers(now.body.as_deref().unwrap_or_default()) else {
        return Ok(Wish::Unclear(reply(Reply::Changed)));
    };
    let _ = subject;
    if found.chosen.is_empty() && !found.ambiguous.is_empty() {
        return Ok(Wish::Unclear(reply(Reply::Ambiguous { conflicts: &found.ambiguous })));
    }
    match found.chosen.is_empty() {
        true => Ok(Wish::Nothing),
        false => Ok(Wish::Answers { answers: found.chosen, lenient: true }),
    }
}

/// Answers a comment, once: a second run of the same event finds the first one's reply.
async fn answer(
    job: &mut Job<'_>,
    comment: &Comment,
    text: &str,
    reaction: &str,
) -> Result<(), RunError> {
    if job.viewer.is_none() {
        // Only to know who we are.
        job.viewer = Some(job.client.first_file("HEAD", &[]).await?.0);
    }
    let mark = format!("<!-- agent-sync:reply {} -->", comment.id);
    let body = format!("{text}\n\n{mark}");
    let there = job
        .client
        .find_comment(comment.number, |one| {
            job.is_ours(one.user.as_ref())
                && one.body.as_deref().is_some_and(|body| body.trim_end().ends_with(&mark))
        })
        .await?;
    if there.is_none() {
        job.client.create_comment(comment.number, &body).await?;
    }
    Ok(job.client.react(comment.id, reaction).await?)
}
