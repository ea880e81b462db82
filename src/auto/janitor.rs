//! What the janitor found, where administrators see it: one issue, opened when there is something, closed when there
//! is nothing, with a comment when something is new.
//!
//! Requests to GitHub: 1 to look for the issue; where there is one, or one is needed, 1 to know who we are and 1 to
//! write, 1 to look again where it was opened, and 3 for the comment where something is new.

use std::collections::BTreeSet;

use agent_sync_core::model::Finding;

use super::keep::{Place, Wish, bring, find, keep};
use super::{Done, Job, failed};
use crate::engine::{self, Command, Request};
use crate::github::GithubError;
use crate::report::Report;
use crate::report::github::{self as texts, JANITOR_TITLE};

/// Key of the mark in the issue's body.
const KEY: &str = "janitor";

/// Lets the janitor look after the sync of a scheduled job, and adds what it found. A sync that could not do its work
/// leaves nothing to look at.
pub(super) async fn after(job: &mut Job<'_>, mut done: Done) -> Done {
    if done.report.stopped.is_some() {
        return done;
    }
    let command = Command::Janitor { fix: false };
    let request = Request { command, force: None, ..job.request.clone() };
    let mut report = engine::run(&request, job.progress).await;
    report.fail_on(job.surface.janitor);
    publish(job, &mut report).await;
    done.report.absorb(report);
    done.report.github = Some(job.client.requests());
    done
}

/// Brings the issue to what a run of the janitor on the default branch found.
pub(super) async fn publish(job: &mut Job<'_>, report: &mut Report) {
    let told = !job.request.dry_run && job.surface.comment && job.is_whole();
    if report.stopped.is_some() || !told {
        return;
    }
    if let Err(error) = tell(job, report).await {
        failed(report, error);
    }
}

async fn tell(job: &mut Job<'_>, report: &Report) -> Result<(), GithubError> {
    let told = texts::told(&report.findings);
    // Links by branch: by commit they would change the text with every push.
    let files = job.request.default_branch.as_ref();
    let files = files.map(|branch| format!("{}/blob/{branch}/", job.client.web_url()));
    let scene = texts::Scene { files, ..job.scene.clone() };
    let place = Place::Issue(JANITOR_TITLE);
    let there = find(job, place, KEY, !told.is_empty()).await?;
    if let Some(issue) = &there {
        let known = texts::remembered(&issue.body);
        let new: Vec<&Finding> =
            told.iter().copied().filter(|one| !known.contains(&one.fingerprint())).collect();
        if !new.is_empty() {
            // Before the body, which then knows them; by its key it is not said twice after a crash in between.
            let prints: BTreeSet<String> = new.iter().map(|one| one.fingerprint()).collect();
            let prints: Vec<String> = prints.into_iter().collect();
            let digest = crate::hex::digest(prints.join(" ").as_bytes());
            let key = format!("{KEY}-{}", digest.get(..16).unwrap_or_default());
            let text = texts::news(&new, &scene, &key);
            keep(job, Place::Comment(issue.id), &key, Wish::Say(text)).await?;
        }
    }
    let body = texts::janitor(&told, &scene, KEY);
    let wish = if told.is_empty() { Wish::End(body) } else { Wish::Say(body) };
    bring(job, place, KEY, there, wish).await?;
    Ok(())
}
