//! What is left of earlier runs: writes that were not recorded (rule 16), proposals that files go on from (rule 15).

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::Kind;
use agent_sync_core::markdown::{self, Hunk, Links};
use agent_sync_core::model::{Key, Side, Stretch};
use agent_sync_core::plan::{self, Content, Pair, Step};

use super::compare::body_content;
use super::stretches::local_contents;
use super::{Artifact, Eyes, World, minute};
use crate::engine::RunError;
use crate::engine::book::{Intent, Record};
use crate::engine::file::{FileText, LocalFile};
use crate::engine::history::{self, HeldFile, Published};
use crate::engine::merge::BodyMerge;

/// Rule 16: writes of a run that did not end, seen from their traces.
pub(super) async fn recover(
    eyes: &mut Eyes<'_>,
    world: &World,
    kind: &Kind,
    artifact: &mut Artifact,
    intent: &Intent,
) -> Result<(), RunError> {
    let Some(page) = &artifact.page else { return Ok(()) };
    let ours = page.edited_by.as_deref() == Some(world.identity.id.as_str())
        && page.edited >= minute(intent.at);
    if !ours {
        return Ok(());
    }
    for (name, sent) in &intent.values {
        let Some(seen) = artifact.stretches.get_mut(&Stretch::Property(name.clone())) else {
            continue;
        };
        let sent = sent.clone().map(Content::Value);
        let now = Pair::new(seen.local.clone(), seen.remote.clone());
        let written = Pair::new(sent.clone(), sent);
        // What the file holds beyond that was still to be sent, or was changed there since.
        if !written.same(&now) && written.holds(Side::Remote, now.remote.as_ref()) {
            seen.base = Some(written);
        }
    }
    let (Some(body), Some(local)) = (artifact.body.clone(), &intent.local) else { return Ok(()) };
    let Some(text) = &body.text else { return Ok(()) };
    if body.digest == markdown::empty_digest() {
        return Ok(());
    }
    let dialect = eyes.backend.dialect();
    let (before, hunks) = match (&intent.before, local.text()) {
        // The traces are of another grammar: what they say is not sure, so the old bases decide.
        (Some(_), _) if intent.dialect != dialect => return Ok(()),
        (Some(before), _) => (eyes.book.text(before).await?, intent.hunks.clone()),
        // A body that was sent whole, to a page that had none.
        (None, Some(id)) => {
            let links = world.links(artifact.path.as_deref().unwrap_or_default());
            let sent = FileText::new(kind, &artifact.key, links, eyes.book.text(id).await?);
            let new = markdown::render_agreed(&sent.local(), dialect, text);
            (String::new(), vec![Hunk { at: 0..0, old: String::new(), new }])
        }
        (None, None) => return Ok(()),
    };
    let remote = match markdown::recover(dialect, &before, &hunks, text) {
        markdown::Recovery::Applied(answer) => answer.base,
        markdown::Recovery::NotApplied | markdown::Recovery::Unclear => return Ok(()),
    };
    let digest = markdown::remote_digest(eyes.backend.dialect(), &remote);
    let id = eyes.book.keep(&remote);
    let pair = Pair::new(Some(local.clone()), body_content(&digest, &id, false));
    if let Some(seen) = artifact.stretches.get_mut(&Stretch::Body) {
        seen.proposed.push(pair);
    }
    Ok(())
}

/// A stretch that differs from its base on both sides is no conflict where the page is as the newest proposal left
/// it and the file goes on from there (rule 15); where the page is not as it left it, a body is merged from there. That is proved if commits of this branch hold the proposal; if all
/// that was proposed was pushed from this working tree, so that nothing of anybody else can be lost; or if the
/// file holds all that the proposal brought.
pub(super) async fn follow(
    eyes: &mut Eyes<'_>,
    world: &World,
    kind: &Kind,
    artifact: &mut Artifact,
    record: Option<&Record>,
) -> Result<(), RunError> {
    let clashes: Vec<(Stretch, Pair)> = artifact
        .steps
        .iter()
        .filter(|(_, step)| matches!(step, Step::Conflict(_)))
        .filter_map(|(stretch, _)| {
            let seen = artifact.stretches.get(stretch)?;
            let last = seen.proposed.last()?;
            let there = last.holds(Side::Remote, seen.remote.as_ref());
            (there || *stretch == Stretch::Body).then(|| (stretch.clone(), last.clone()))
        })
        .collect();
    let mut from = artifact.stretches.get(&Stretch::Body).and_then(|seen| seen.base.clone());
    if !clashes.is_empty() {
        let committed = unpublished(eyes, world, kind, &artifact.key).await?;
        for (stretch, last) in clashes {
            let in_history = committed.iter().any(|contents| {
                contents.get(&stretch).is_some_and(|content| last.is_held_by(content.as_ref()))
            });
            let own = record.is_some_and(|record| {
                record.is_pushed_by(&stretch, eyes.work_tree)
                    && record.proposals(&stretch).last().is_some_and(|newest| newest.same(&last))
            });
            let follows = in_history
                || own
                || (stretch == Stretch::Body && included(eyes, artifact, &last).await?);
            let seen = artifact.stretches.get(&stretch);
            let there = seen.is_some_and(|seen| last.holds(Side::Remote, seen.remote.as_ref()));
            if follows && there {
                artifact.steps.insert(stretch, Step::Push(Some(last)));
            } else if follows && stretch == Stretch::Body {
                from = Some(last);
            }
        }
    }
    let links = world.links(artifact.path.as_deref().unwrap_or_default()).planned();
    merge(eyes, kind, artifact, &links, from).await
}

/// A body that both sides changed is merged block by block, where it can be.
async fn merge(
    eyes: &Eyes<'_>,
    kind: &Kind,
    artifact: &mut Artifact,
    links: &Links,
    from: Option<Pair>,
) -> Result<(), RunError> {
    let (Some(Step::Conflict(_)), Some(from)) = (artifact.steps.get(&Stretch::Body), from) else {
        return Ok(());
    };
    let Some(merge) = BodyMerge::load(eyes.book, kind, artifact, links, &from).await? else {
        return Ok(());
    };
    if let Some(merge) = merge.plan(eyes.backend.dialect(), &from) {
        artifact.steps.insert(Stretch::Body, Step::Merge(Box::new(merge)));
    }
    Ok(())
}

/// What the commits of this checkout that are not on the default branch yet hold of an artifact.
async fn unpublished(
    eyes: &Eyes<'_>,
    world: &World,
    kind: &Kind,
    key: &Key,
) -> Result<Vec<BTreeMap<Stretch, Option<Content>>>, RunError> {
    let Published::Branch { head: published, .. } = eyes.published else { return Ok(Vec::new()) };
    let Some(head) = eyes.git.head().await? else { return Ok(Vec::new()) };
    let branch = Published::Branch { head: Some(head), since: published.clone() };
    let keys = BTreeSet::from([key.clone()]);
    let held = history::held(eyes.git, &branch, &world.kinds, &keys).await?;
    let files = held.into_values().flatten().flatten();
    let contents = |held: HeldFile| {
        let file = LocalFile::new(kind, key, &held.path, held.text);
        local_contents(world, kind, &held.path, &file)
    };
    Ok(files.map(contents).collect())
}

/// Whether a body holds, word for word, what a proposal brought.
async fn included(eyes: &Eyes<'_>, artifact: &Artifact, last: &Pair) -> Result<bool, RunError> {
    let text = |content: Option<&Content>| content.and_then(Content::text).map(str::to_owned);
    let base = artifact.stretches.get(&Stretch::Body).and_then(|seen| seen.base.as_ref());
    let base = match text(base.and_then(|base| base.local.as_ref())) {
        Some(id) => eyes.book.text(&id).await?,
        None => String::new(),
    };
    let (Some(id), Some(file)) = (text(last.local.as_ref()), &artifact.file) else {
        return Ok(false);
    };
    let proposal = eyes.book.text(&id).await?;
    Ok(plan::includes(&base, &proposal, &file.text))
}
