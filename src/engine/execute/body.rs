//! The body that a task sends.

use std::sync::Arc;

use agent_sync_core::kind::Kind;
use agent_sync_core::markdown::{self, Push};
use agent_sync_core::model::Stretch;

use super::Hands;
use crate::engine::RunError;
use crate::engine::file::{FileText, LocalFile};
use crate::engine::merge::{BodyMerge, Writes, pair_texts};
use crate::engine::observe::Artifact;
use crate::engine::remote::{BodyJob, BodyWrite, Verb};
use crate::engine::work::Task;

/// Makes the body's part of a job; `Err` says why it cannot be written.
pub(super) async fn body_job(
    hands: &Hands<'_>,
    kind: &Kind,
    artifact: &Artifact,
    task: &Task,
    verb: Verb,
    file: &Arc<LocalFile>,
) -> Result<Result<BodyJob, String>, RunError> {
    let dialect = hands.backend.dialect();
    let links = hands.world.links(artifact.path.as_deref().unwrap_or_default());
    let local = FileText { file: file.clone(), links: links.clone() };
    let before = match &artifact.body {
        Some(body) => body.whole(hands.book).await?,
        None => String::new(),
    };
    if verb == Verb::Create {
        let write = BodyWrite::Whole(local.render(dialect));
        return Ok(Ok(BodyJob { local, before, write, merge: None, merged: None }));
    }
    let pair = task.push.get(&Stretch::Body).cloned().flatten();
    if let (Some(choices), Some(pair)) = (&task.merge, &pair) {
        let Some(merge) = BodyMerge::load(hands.book, kind, artifact, &links, pair).await? else {
            return Ok(Err("its text is not there any more".to_owned()));
        };
        let merge = merge.with_choices(choices);
        let writes = Writes { push: true, pull: task.pull.contains_key(&Stretch::Body) };
        let Some(merged) = merge.run(dialect, writes) else {
            return Ok(Err("both sides cannot be brought together any more".to_owned()));
        };
        let text = markdown::apply_edits(merge.local.text(), &merged.pull);
        let local = FileText::new(kind, &artifact.key, links, text);
        let write = write(&merged.push);
        let merged = Some(Arc::new(merged));
        return Ok(write.map(|write| BodyJob { local, before, write, merge: Some(merge), merged }));
    }
    let base = match &pair {
        Some(pair) => Some(pair_texts(hands.book, kind, &artifact.key, &links, pair).await?),
        None => None,
    };
    let texts = base.as_ref().map(|(file, text)| (file.local(), text.as_str()));
    let texts = texts.as_ref().map(|(local, text)| (local, *text));
    let push = markdown::plan_push(dialect, texts, &local.local(), &before);
    let merge =
        base.map(|base| BodyMerge::of_texts(&artifact.key, base, local.clone(), before.clone()));
    Ok(write(&push).map(|write| BodyJob { local, before, write, merge, merged: None }))
}

/// How a plan is sent; `Err` says why it cannot be.
pub(in crate::engine) fn write(push: &Push) -> Result<BodyWrite, String> {
    match push {
        Push::Nothing => Ok(BodyWrite::Nothing),
        Push::Append(text) => Ok(BodyWrite::Whole(text.clone())),
        Push::Edit(hunks) => Ok(BodyWrite::Edit(hunks.clone())),
        Push::Impossible(reason) => Err(reason.clone()),
    }
}
