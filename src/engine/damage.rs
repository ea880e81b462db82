//! Texts behind the contents: for the guard that counts lost blocks, and for people.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::markdown::{self, Dialect};
use agent_sync_core::model::{Key, Side, Stretch};
use agent_sync_core::plan::{Conflict, Content, Pair};

use super::RunError;
use super::book::Book;
use super::file::FileText;
use super::observe::{Artifact, World};
use super::work::Task;

/// Artifacts whose body loses more than half of its blocks by a change of one side (rule 9).
///
/// # Errors
/// What the state says.
pub(super) async fn halved(
    dialect: Dialect,
    book: &Book,
    world: &World,
    tasks: &BTreeMap<Key, Task>,
) -> Result<BTreeSet<Key>, RunError> {
    let mut halved = BTreeSet::new();
    for (key, task) in tasks {
        let (Some(artifact), Some(kind)) = (world.artifacts.get(key), world.kinds.get(&key.kind))
        else {
            continue;
        };
        let links = world.links(artifact.path.as_deref().unwrap_or_default());
        if let Some(Some(Pair { local: Some(Content::Body { text, .. }), .. })) =
            task.push.get(&Stretch::Body)
        {
            let old = FileText::new(kind, key, links.clone(), book.text(text).await?);
            let lost = artifact.file.as_ref().is_some_and(|file| {
                markdown::local_removes_more_than_half(&old.local(), &file.body(&links))
            });
            if lost {
                halved.insert(key.clone());
            }
        }
        if let Some(Some(Pair { remote: Some(Content::Body { text, .. }), .. })) =
            task.pull.get(&Stretch::Body)
        {
            let old = book.text(text).await?;
            let new = artifact.body.as_ref().and_then(|body| body.text.as_deref());
            if new.is_some_and(|new| markdown::remote_removes_more_than_half(dialect, &old, new)) {
                halved.insert(key.clone());
            }
        }
    }
    Ok(halved)
}

/// Base, local and remote of a stretch as Markdown or as values.
///
/// # Errors
/// What the state says.
pub(super) async fn three_texts(
    dialect: Dialect,
    book: &Book,
    world: &World,
    artifact: &Artifact,
    conflict: &Conflict,
) -> Result<[Option<String>; 3], RunError> {
    let value = |content: Option<&Content>| match content {
        Some(Content::Value(value)) => Some(value.to_string()),
        _ => None,
    };
    if let Stretch::Property(_) = conflict.stretch {
        return Ok([
            value(conflict.base.as_ref().and_then(|base| base.local.as_ref())),
            value(conflict.local.as_ref()),
            value(conflict.remote.as_ref()),
        ]);
    }
    let Some(kind) = world.kinds.get(&artifact.key.kind) else { return Ok([None, None, None]) };
    let links = world.links(artifact.path.as_deref().unwrap_or_default());
    let base = match &conflict.base {
        Some(Pair { local: Some(Content::Body { text: local, .. }), remote, .. }) => {
            let local = FileText::new(kind, &artifact.key, links.clone(), book.text(local).await?);
            let remote = match remote.as_ref().and_then(Content::text) {
                Some(id) => book.text(id).await?,
                None => String::new(),
            };
            Some((local, remote))
        }
        _ => None,
    };
    let local = artifact
        .file
        .as_ref()
        .filter(|_| conflict.deleted != Some(Side::Local))
        .map(|file| markdown::body_text(&file.body(&links)));
    let remote = match &artifact.body {
        Some(body) => {
            let text = body.whole(book).await?;
            Some(match &base {
                // As the file would be with the page's changes: only what a person did there differs.
                Some((old, agreed)) => {
                    let edits = markdown::plan_pull(
                        dialect,
                        Some((&old.local(), agreed)),
                        &old.local(),
                        &text,
                    );
                    let new = markdown::apply_edits(old.text(), &edits);
                    let new = FileText::new(kind, &artifact.key, links, new);
                    markdown::body_text(&new.local())
                }
                None => markdown::render_local(dialect, &text, kind.format, Some(&links)),
            })
        }
        None => None,
    };
    Ok([base.map(|(old, _)| markdown::body_text(&old.local())), local, remote])
}
