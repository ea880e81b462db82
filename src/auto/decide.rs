//! Answers from GitHub: boxes that were ticked, and `/agent-sync keep …`, on a pull request or on the issue about the
//! default branch. Whether a person may write here is asked of the API each time; whatever a payload says of itself
//! decides nothing.

use std::collections::BTreeMap;

use super::check::{self, is_sticky};
use super::{Done, Job, configuration, head, issue};
use crate::config::Config;
use crate::engine::{self, Command, Keep, RunError};
use crate::github::event;
use crate::report::Report;
use crate::report::github::{Asked, NOTION, Reply, answers, asked, reply};

/// What somebody asks for.
#[derive(Default)]
struct Wish {
    /// Targets and what stays, by the backend that was named.
    answers: BTreeMap<Option<String>, Vec<(String, Keep)>>,
    /// Whether the person saw versions that may be outdated.
    lenient: bool,
    /// What is said to them, where something of it cannot be done.
    reply: Option<String>,
}

/// Where somebody asked.
struct Place<'a> {
    /// Number of the pull request or issue.
    number: u64,
    /// The comment to react to; none for an edited issue.
    comment: Option<u64>,
    /// Login of the person.
    by: &'a str,
}

/// A comment that was written or edited.
pub(super) async fn comment(job: &mut Job<'_>, comment: &event::Comment) -> Done {
    let result = match comment.on_pull_request {
        true => on_pull_request(job, comment).await,
        false => on_issue(job, comment).await,
    };
    result.unwrap_or_else(|error| stopped(job, error))
}

/// An issue that was edited: boxes of its text may be ticked.
pub(super) async fn issue(job: &mut Job<'_>, edited: &event::Issue) -> Done {
    match ticked_issue(job, edited).await {
        Ok(done) => done,
        Err(error) => stopped(job, error),
    }
}

fn stopped(job: &Job<'_>, error: RunError) -> Done {
    Done::plain(Report::failed("resolve", error), job.scene.clone())
}

/// Nothing of ours: said in the log, and nowhere else.
fn ignored(job: &Job<'_>, why: &str) -> Done {
    let mut report = Report::new("resolve", false);
    report.notices.push(why.to_owned());
    report.github = Some(job.client.requests());
    Done::plain(report, job.scene.clone())
}

/// Whether a comment is worth a request: it begins a command, or is a text with our marks that was edited.
fn concerns_us(comment: &event::Comment) -> bool {
    match comment.created {
        true => !matches!(asked(&comment.body), Ok(asked) if asked.is_empty()),
        false => comment.body.contains("agent-sync:"),
    }
}

async fn on_pull_request(job: &mut Job<'_>, comment: &event::Comment) -> Result<Done, RunError> {
    let place =
        Place { number: comment.number, comment: Some(comment.id), by: &comment.sender.login };
    if let Some(why) = refused(job, comment).await? {
        return Ok(why);
    }
    let subject = head::materialise(job, comment.number).await?;
    if subject.fork {
        if comment.created {
            answer(job, &place, &reply(Reply::Fork), "confused").await?;
        }
        return Ok(ignored(job, "Comments on a fork's pull request decide nothing."));
    }
    let wish = match comment.created {
        true => commanded(&comment.body),
        false => {
            // The boxes as they are now: the event may be older than the comment.
            let now = job.client.comment(comment.id).await?;
            match is_sticky(job, &now) {
                true => ticked(now.body.as_deref().unwrap_or_default()),
                false => Wish::default(),
            }
        }
    };
    let notices = match record(job, &place, wish, comment.created).await? {
        Ok(notices) => notices,
        Err(done) => return Ok(*done),
    };
    let mut report = engine::run(&job.request, job.progress).await;
    report.notices.extend(notices);
    job.on_head(&subject);
    Ok(check::tell(job, &subject, report).await)
}

async fn on_issue(job: &mut Job<'_>, comment: &event::Comment) -> Result<Done, RunError> {
    let place =
        Place { number: comment.number, comment: Some(comment.id), by: &comment.sender.login };
    if !comment.created {
        return Ok(ignored(job, "An edited comment on an issue decides nothing."));
    }
    if let Some(why) = refused(job, comment).await? {
        return Ok(why);
    }
    job.learn().await?;
    let there = job.client.issue(comment.number).await?;
    if !issue::is_issue(job, &there) {
        return Ok(ignored(job, "Comments on this issue decide nothing."));
    }
    match record(job, &place, commanded(&comment.body), true).await? {
        Ok(notices) => Ok(issue::recheck(job, notices).await),
        Err(done) => Ok(*done),
    }
}

async fn ticked_issue(job: &mut Job<'_>, edited: &event::Issue) -> Result<Done, RunError> {
    let by = edited.sender.login.as_str();
    if edited.sender.is_bot {
        return Ok(ignored(job, "A program edited this issue, and programs decide nothing."));
    }
    job.learn().await?;
    let there = job.client.issue(edited.number).await?;
    if !issue::is_issue(job, &there) {
        return Ok(ignored(job, "The edited issue is not the one about conflicts."));
    }
    if !job.client.may_write(by).await? {
        return Ok(ignored(
            job,
            "Who edited the issue may not write here, so nothing was decided.",
        ));
    }
    let place = Place { number: edited.number, comment: None, by };
    let wish = ticked(there.body.as_deref().unwrap_or_default());
    match record(job, &place, wish, false).await? {
        Ok(notices) => Ok(issue::recheck(job, notices).await),
        Err(done) => Ok(*done),
    }
}

/// The end of the run, where a comment is not one that decides.
async fn refused(job: &mut Job<'_>, comment: &event::Comment) -> Result<Option<Done>, RunError> {
    if comment.sender.is_bot {
        let why = "A program wrote this comment, and programs decide nothing.";
        return Ok(Some(ignored(job, why)));
    }
    if !concerns_us(comment) {
        return Ok(Some(ignored(job, "This comment asks nothing of agent-sync.")));
    }
    let by = comment.sender.login.as_str();
    if job.client.may_write(by).await? {
        return Ok(None);
    }
    // To edit a comment of theirs into one that looks like ours is not worth an answer.
    if comment.created {
        let place = Place { number: comment.number, comment: Some(comment.id), by };
        answer(job, &place, &reply(Reply::NotAllowed { by }), "-1").await?;
    }
    let why = "The author of this comment may not write here, so nothing was decided.";
    Ok(Some(ignored(job, why)))
}

/// Records answers; gives what else there is to say, or the end of the run where nothing was decided.
async fn record(
    job: &mut Job<'_>,
    place: &Place<'_>,
    wish: Wish,
    commanded: bool,
) -> Result<Result<Vec<String>, Box<Done>>, RunError> {
    if let Some(text) = &wish.reply {
        answer(job, place, text, "confused").await?;
    }
    if wish.answers.is_empty() {
        let why = match wish.reply {
            Some(_) => "It is not clear what was meant, so nothing was decided.",
            None => "Nothing that would decide anything was ticked.",
        };
        return Ok(Err(Box::new(ignored(job, why))));
    }
    let mut notices = Vec::new();
    for (backend, answers) in wish.answers {
        let mut request = job.request.clone();
        request.command = Command::Resolve { answers, lenient: wish.lenient };
        // A decision writes nothing that a branch holds.
        request.any_branch = true;
        request.by = Some(place.by.to_owned());
        let config = configuration(&job.request);
        let is_meant = |name: &String| {
            let known = |config: Config| config.backends.iter().any(|one| one.name() == name);
            name != NOTION || config.is_some_and(known)
        };
        if let Some(name) = backend.filter(is_meant) {
            request.backends = vec![name];
        }
        let resolved = engine::run(&request, job.progress).await;
        if let Some(error) = &resolved.stopped {
            let why = error.to_string();
            let partly = !resolved.decided.is_empty();
            let said = reply(Reply::Failed { why: &why, partly });
            answer(job, place, &said, "confused").await?;
            return Ok(Err(Box::new(Done::plain(resolved, job.scene.clone()))));
        }
        notices.extend(resolved.notices);
    }
    if let (true, Some(comment)) = (commanded, place.comment) {
        job.client.react(comment, "+1").await?;
    }
    Ok(Ok(notices))
}

/// What the commands of a comment ask for.
fn commanded(body: &str) -> Wish {
    match asked(body) {
        Ok(asked) => {
            let mut answers: BTreeMap<Option<String>, Vec<(String, Keep)>> = BTreeMap::new();
            for Asked { keep, backend, targets } in asked {
                let of = answers.entry(backend).or_default();
                of.extend(targets.into_iter().map(|target| (target, keep)));
            }
            Wish { answers, ..Wish::default() }
        }
        Err(why) => Wish { reply: Some(why), ..Wish::default() },
    }
}

/// What the boxes of one of our texts ask for.
fn ticked(body: &str) -> Wish {
    let Some(found) = answers(body) else {
        return Wish { reply: Some(reply(Reply::Changed)), ..Wish::default() };
    };
    let ambiguous = (!found.ambiguous.is_empty())
        .then(|| reply(Reply::Ambiguous { conflicts: &found.ambiguous }));
    let answers = match found.chosen.is_empty() {
        true => BTreeMap::new(),
        false => BTreeMap::from([(None, found.chosen)]),
    };
    Wish { answers, lenient: true, reply: ambiguous }
}

/// Answers a person: the same answer to the same comment is given once.
async fn answer(
    job: &mut Job<'_>,
    place: &Place<'_>,
    text: &str,
    reaction: &str,
) -> Result<(), RunError> {
    job.learn().await?;
    let digest: String = crate::hex::digest(text.as_bytes()).chars().take(16).collect();
    let mark = format!("<!-- agent-sync:reply {} {digest} -->", place.comment.unwrap_or(0));
    let body = format!("{text}\n\n{mark}");
    let there = job
        .client
        .find_comment(place.number, |one| {
            job.is_ours(one.user.as_ref())
                && one.body.as_deref().is_some_and(|body| body.trim_end().ends_with(&mark))
        })
        .await?;
    if there.is_none() {
        job.client.create_comment(place.number, &body).await?;
    }
    if let Some(comment) = place.comment {
        job.client.react(comment, reaction).await?;
    }
    Ok(())
}
