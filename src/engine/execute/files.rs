//! Writing of files, after the backend (rule 1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_sync_core::kind::Kind;
use agent_sync_core::model::{Key, Properties, Side, Stretch, Value};
use agent_sync_core::plan::{Content, Pair};
use agent_sync_core::{document, markdown};

use super::prepare::reason;
use super::{Executed, Hands, trouble};
use crate::engine::book::{Record, Replaced, text_id};
use crate::engine::file::{FileText, LocalFile};
use crate::engine::merge::{BodyMerge, Writes, pair_texts};
use crate::engine::observe::{Artifact, body_content};
use crate::engine::rename;
use crate::engine::work::{Action, Task};
use crate::engine::{Phase, RunError, partial};
use crate::repo::{PathError, WriteError, new_path};

/// Writes the files (rule 1: after the backend).
pub(super) async fn local(
    hands: &mut Hands<'_>,
    tasks: &BTreeMap<Key, Task>,
    executed: &mut Executed,
) -> Result<(), RunError> {
    let mut forced = false;
    let kept =
        tasks.iter().filter(|(_, task)| task.local != Action::None && !hands.tree.is_draft());
    for (key, task) in kept {
        forced |= !task.settled.is_empty();
        let Some(artifact) = hands.world.artifacts.get(key) else { continue };
        let Some(file) = &artifact.file else { continue };
        let replaced = Replaced {
            backend: hands.backend.name().to_owned(),
            key: key.clone(),
            side: Side::Local,
            reason: reason(task, task.local == Action::Delete, "pull"),
            properties: BTreeMap::new(),
            text: true,
            dialect: markdown::Dialect::default(),
            path: artifact.path.clone(),
        };
        hands.book.replace(hands.run, &replaced, Some(&file.text))?;
    }
    if forced {
        // What a force overwrites may be nowhere else: it is stored before it is gone.
        hands.book.commit(hands.run, &partial("what is about to be replaced", hands.run)).await?;
    }
    let wanted: Vec<_> = tasks.iter().filter(|(_, task)| task.local != Action::None).collect();
    name_files(hands, &wanted, executed);
    for (n, &(key, task)) in wanted.iter().enumerate() {
        hands.progress.at(Phase::Files, n, wanted.len());
        let Some(artifact) = hands.world.artifacts.get(key).cloned() else { continue };
        let Some(kind) = hands.world.kinds.get(&key.kind).cloned() else { continue };
        let result = match task.local {
            Action::Delete => delete_file(hands, &artifact),
            Action::Create => create_file(hands, &kind, &artifact).await?,
            _ => edit_file(hands, &kind, &artifact, task, executed).await?,
        };
        match result {
            Ok(None) => {}
            Ok(Some((path, text))) => {
                let page = page_text(hands, &artifact).await?;
                written(hands, &kind, &artifact, task, &page, (path, text), executed);
            }
            Err(FileTrouble::Write(WriteError::Changed { .. })) => {
                let outcome = executed.outcomes.entry(key.clone()).or_default();
                outcome.stale.extend(task.pull.keys().cloned());
            }
            Err(error) => {
                executed.findings.push(trouble(key, Some(&artifact), format!("{error}.")));
            }
        }
        if task.local == Action::Delete
            && !executed.findings.iter().any(|f| f.key.as_ref() == Some(key))
        {
            executed.outcomes.entry(key.clone()).or_default().local = Action::Delete;
        }
    }
    Ok(())
}

type Written = Result<Option<(String, String)>, FileTrouble>;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
enum FileTrouble {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("the page's text has no place in this file")]
    Body,
}

fn delete_file(hands: &Hands<'_>, artifact: &Artifact) -> Written {
    let kind = hands.world.kinds.get(&artifact.key.kind);
    if let (Some(path), Some(digest), Some(kind)) = (&artifact.path, &artifact.file_digest, kind) {
        hands.tree.remove(path, digest, &kind.folder)?;
    }
    Ok(None)
}

/// Values of the page in the form that files hold.
fn page_values(artifact: &Artifact) -> Properties {
    artifact
        .stretches
        .iter()
        .filter_map(|(stretch, seen)| match (stretch, &seen.remote) {
            (Stretch::Property(name), Some(Content::Value(value))) => {
                Some((name.clone(), value.clone()))
            }
            _ => None,
        })
        .collect()
}

async fn page_text(hands: &Hands<'_>, artifact: &Artifact) -> Result<String, RunError> {
    Ok(match &artifact.body {
        Some(body) => body.whole(hands.book).await?,
        None => String::new(),
    })
}

/// Gives every file that is to be made its path, so that each can link to all others.
fn name_files(hands: &mut Hands<'_>, wanted: &[(&Key, &Task)], executed: &mut Executed) {
    let mut taken: BTreeSet<String> =
        hands.world.scan.files.values().map(|entry| entry.path.clone()).collect();
    for (key, _) in wanted.iter().filter(|(_, task)| task.local == Action::Create) {
        let (Some(artifact), Some(kind)) =
            (hands.world.artifacts.get(key), hands.world.kinds.get(&key.kind))
        else {
            continue;
        };
        let values = page_values(artifact);
        let title = kind.title().and_then(|title| values.get(&title.name)).map(Value::to_string);
        let path = match artifact.path.clone().filter(|path| !taken.contains(path)) {
            Some(path) => Ok(path),
            None => {
                let title = title.unwrap_or_default();
                new_path(kind, &key.id, &title, &|path| taken.contains(path))
            }
        };
        match path {
            Ok(path) => {
                taken.insert(path.clone());
                hands.world.paths.planned.insert((*key).clone(), path);
            }
            Err(error) => {
                let error = FileTrouble::Path(error);
                executed.findings.push(trouble(key, Some(artifact), format!("{error}.")));
            }
        }
    }
    hands.world.refresh_links();
}

async fn create_file(
    hands: &Hands<'_>,
    kind: &Kind,
    artifact: &Artifact,
) -> Result<Written, RunError> {
    let Some(path) = hands.world.paths.planned.get(&artifact.key).cloned() else {
        return Ok(Ok(None));
    };
    let values = page_values(artifact);
    let remote = page_text(hands, artifact).await?;
    let links = hands.world.links(&path);
    let dialect = hands.backend.dialect();
    let body = markdown::render_local(dialect, &remote, kind.format, Some(&links));
    let text = document::new_file(kind, &artifact.key.id, &values, &body);
    Ok(hands
        .tree
        .write(&path, &text, None)
        .map(|()| Some((path, text)))
        .map_err(FileTrouble::Write))
}

async fn edit_file(
    hands: &mut Hands<'_>,
    kind: &Kind,
    artifact: &Artifact,
    task: &Task,
    executed: &mut Executed,
) -> Result<Written, RunError> {
    let (Some(file), Some(path), Some(digest)) =
        (&artifact.file, artifact.path.clone(), artifact.file_digest.clone())
    else {
        return Ok(Ok(None));
    };
    let mut text = file.text.clone();
    let dialect = hands.backend.dialect();
    let links = hands.world.links(&path);
    if let (Some(Some(pair)), Some(choices)) = (task.pull.get(&Stretch::Body), &task.merge) {
        let merge = BodyMerge::load(hands.book, kind, artifact, &links, pair).await?;
        let writes = Writes { push: task.push.contains_key(&Stretch::Body), pull: true };
        let merge = merge.map(|merge| merge.with_choices(choices));
        let merged = merge.as_ref().and_then(|merge| merge.run(dialect, writes));
        let (Some(merge), Some(merged)) = (merge, merged) else {
            return Ok(Err(FileTrouble::Body));
        };
        text = markdown::apply_edits(&file.text, &merged.pull);
        if !writes.push {
            let now = FileText::new(kind, &artifact.key, links.clone(), text.clone());
            let made = merge.pair(dialect, &merged, kind, &now, &merge.remote);
            executed.pairs.extend(made.map(|made| (artifact.key.clone(), made)));
        }
    } else if let Some(pair) = task.pull.get(&Stretch::Body) {
        let remote = page_text(hands, artifact).await?;
        let base = match pair {
            Some(pair) => Some(pair_texts(hands.book, kind, &artifact.key, &links, pair).await?),
            None => None,
        };
        let texts = base.as_ref().map(|(file, text)| (file.local(), text.as_str()));
        let texts = texts.as_ref().map(|(local, text)| (local, *text));
        let edits = markdown::plan_pull(dialect, texts, &file.body(&links), &remote);
        // Where the agreed pair was equal in content, so must be the new one; elsewhere the backend put our text
        // into a form that nobody foresaw, and having carried over what changed is all that can be asked.
        let equal = base
            .as_ref()
            .is_none_or(|(file, text)| markdown::is_pulled(&file.local(), dialect, text));
        let arrived = |text: &str| {
            let new = FileText::new(kind, &artifact.key, links.clone(), text.to_owned());
            markdown::is_pulled(&new.local(), dialect, &remote)
        };
        text = markdown::apply_edits(&file.text, &edits);
        if !arrived(&text) && (equal || edits.is_empty()) {
            let whole = markdown::plan_pull(dialect, None, &file.body(&links), &remote);
            text = markdown::apply_edits(&file.text, &whole);
            if !arrived(&text) {
                return Ok(Err(FileTrouble::Body));
            }
        }
    }
    for stretch in task.pull.keys() {
        let Stretch::Property(name) = stretch else { continue };
        let remote = artifact.stretches.get(stretch).and_then(|seen| seen.remote.clone());
        let mut value = match artifact.joined(stretch).unwrap_or(remote) {
            Some(Content::Value(value)) => Some(value),
            _ => None,
        };
        if let Some(alone) = artifact.local_only.get(name) {
            let mut members = alone.clone();
            if let Some(Value::Set(ids)) = value {
                members.extend(ids);
            }
            value = Value::set(members);
        }
        match document::set(kind, &artifact.key.id, &text, name, value.as_ref()) {
            Ok(edits) => text = markdown::apply_edits(&text, &edits),
            Err(error) => {
                executed.findings.push(trouble(&artifact.key, Some(artifact), format!("{error}.")));
            }
        }
    }
    if text == file.text {
        return Ok(Ok(Some((path, text))));
    }
    if let Err(error) = hands.tree.write(&path, &text, Some(&digest)) {
        return Ok(Err(FileTrouble::Write(error)));
    }
    // After the text: a file that is found under its old name with its new title is simply kept there.
    let Some(to) = rename::target(hands.tree, hands.world, artifact, task) else {
        return Ok(Ok(Some((path, text))));
    };
    match hands.tree.rename(&path, &to, &text_id(text.as_bytes()), &kind.folder) {
        Ok(()) => Ok(Ok(Some((to, text)))),
        Err(error) => {
            let message = format!("its title is new, but the file keeps its name: {error}.");
            executed.findings.push(trouble(&artifact.key, Some(artifact), message));
            Ok(Ok(Some((path, text))))
        }
    }
}

/// Proposes what a written file and its page hold now.
pub(super) fn written(
    hands: &mut Hands<'_>,
    kind: &Kind,
    artifact: &Artifact,
    task: &Task,
    remote: &str,
    (path, text): (String, String),
    executed: &mut Executed,
) {
    let name = hands.backend.name().to_owned();
    let dialect = hands.backend.dialect();
    let file = LocalFile::new(kind, &artifact.key, &path, text);
    hands.book.keep_as(file.id(), &file.text);
    if let Some((body, text)) = artifact.body.as_ref().and_then(|b| Some((b, b.text.as_ref()?))) {
        hands.book.keep_as(&body.id, text);
    }
    let page = artifact.page.as_ref();
    let page_id = page
        .map(|page| page.page.clone())
        .or_else(|| hands.world.page_of.get(&artifact.key).cloned());
    let Some(page_id) = page_id else { return };
    let record = hands
        .book
        .records
        .entry((name.clone(), artifact.key.clone()))
        .or_insert_with(|| Record::new(&name, &artifact.key, &page_id, "", dialect));
    if let Some(page) = page {
        record.url.clone_from(&page.url);
    }
    let mut texts: Vec<String> = Vec::new();
    for (stretch, seen) in &artifact.stretches {
        if task.local != Action::Create && !task.pull.contains_key(stretch) {
            continue;
        }
        if *stretch == Stretch::Body && task.merge.is_some() {
            // The backend's answer made the pair, where it was written too.
            if let Some(made) = executed.pairs.remove(&artifact.key) {
                record.propose(stretch, made.pair);
                texts.extend(made.texts);
            }
            continue;
        }
        if artifact.joined(stretch).is_some_and(|value| value != seen.remote) {
            continue;
        }
        let local = match stretch {
            Stretch::Property(name) => file
                .document
                .values
                .get(name)
                .map(|located| located.value.clone())
                .map(|value| without(value, artifact.local_only.get(name)))
                .and_then(|value| value.map(Content::Value)),
            Stretch::Body => {
                // Links that the page does not have yet are still to be sent.
                let links = hands.world.links(&path);
                let digest = markdown::agreed_digest(&file.body(&links), dialect, remote);
                let empty = digest == markdown::empty_digest();
                body_content(&digest, file.id(), empty)
            }
        };
        if local.is_none() && seen.remote.is_none() && seen.base.is_none() {
            continue;
        }
        record.propose(stretch, Pair::new(local, seen.remote.clone()));
    }
    for text in texts {
        hands.book.keep(&text);
    }
    hands.world.made.insert(artifact.key.clone(), path.clone());
    let outcome = executed.outcomes.entry(artifact.key.clone()).or_default();
    outcome.local = task.local;
    outcome.path = Some(path);
    outcome.file = Some(Arc::new(file));
}

fn without(value: Value, left_out: Option<&BTreeSet<String>>) -> Option<Value> {
    match (value, left_out) {
        (Value::Set(members), Some(left_out)) => {
            Value::set(members.into_iter().filter(|member| !left_out.contains(member)))
        }
        (value, _) => Some(value),
    }
}
