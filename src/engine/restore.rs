//! restore: writes a stored version of one side back to that side, as an edit (rule 10).

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::{PropertyType, Source};
use agent_sync_core::markdown::{self, Push};
use agent_sync_core::model::{Key, Properties, Side, Value};

use super::book::{Record, Replaced};
use super::observe::nameless;
use super::work::Action;
use super::{RunError, Turn, names, partial};
use crate::backend::{BackendError, Life, Presence};
use crate::repo::WriteError;
use crate::report::{ArtifactReport, Sides};

/// Writes what a run replaced back, conditionally. Bases stay as they are, so that the next run sees an ordinary
/// edit. Requests for the remote side: 2 reads and at most 2 writes, and 1 for our identity.
///
/// # Errors
/// Usage errors where the artifact or the version is not clear; what the backend or a file says.
pub(super) async fn restore(
    turn: &mut Turn<'_>,
    side: Side,
    at: Option<&str>,
) -> Result<(), RunError> {
    let name = turn.backend.name().to_owned();
    let known: std::collections::BTreeSet<Key> = turn
        .book
        .records
        .values()
        .filter(|record| record.backend == name && turn.selected(&record.key))
        .map(|record| record.key.clone())
        .collect();
    let key = match (known.len(), turn.session.request.artifacts.as_slice()) {
        (1, _) => known.into_iter().next(),
        (0, [only]) => only.kind.as_ref().map(|kind| Key::new(kind, &only.id)),
        (0, _) => None,
        _ => {
            return Err(RunError::Usage(format!(
                "That id fits several artifacts: {}. Name one with its kind.",
                names(&known)
            )));
        }
    };
    let Some(key) = key else {
        let wanted: Vec<String> = turn
            .session
            .request
            .artifacts
            .iter()
            .map(|selector| format!("`{}`", selector.id))
            .collect();
        return Err(RunError::Usage(format!(
            "The state knows no artifact {}, so there is nothing to restore.",
            wanted.join(", ")
        )));
    };
    let mut versions = turn.book.replaced(&key, side).await?;
    versions.retain(|(_, replaced, _)| replaced.backend == name);
    let version = match at {
        Some(run) => versions.into_iter().find(|(id, _, _)| id == run),
        None => versions.into_iter().next(),
    };
    let Some((run, replaced, text)) = version else {
        let pruned = turn.book.meta.pruned.map(|cutoff| {
            let cutoff = cutoff.strftime("%Y-%m-%d");
            format!(" Versions from before {cutoff} were pruned (`state.keep_days`).")
        });
        return Err(RunError::Usage(format!(
            "No run replaced anything of {key} on that side. `agent-sync log` lists the runs.{}",
            pruned.unwrap_or_default()
        )));
    };
    let mut sides = Sides::default();
    if !turn.session.request.dry_run {
        match side {
            Side::Local => sides.local = local(turn, &key, &replaced, text)?,
            Side::Remote => remote(turn, &key, &replaced, text).await?,
        }
        if let Some(record) = turn.book.records.get_mut(&(name.clone(), key.clone())) {
            // The minute no longer proves anything: the next run reads the page again.
            record.seen = super::book::Seen::default();
            record.clean = None;
        }
        let message = turn.session.message(&format!("restore: {key} as before run {run}"));
        turn.commit(&message).await?;
    }
    let record = turn.book.record(&name, &key);
    turn.report.artifacts.push(ArtifactReport {
        backend: name.clone(),
        kind: key.kind.clone(),
        id: key.id.clone(),
        path: match side {
            // Where it was written.
            Side::Local => record.and_then(|record| record.path.clone()).or(replaced.path.clone()),
            Side::Remote => {
                replaced.path.clone().or_else(|| record.and_then(|record| record.path.clone()))
            }
        },
        from: None,
        url: record.map(|record| record.url.clone()),
        action: "restore".to_owned(),
        reason: format!("as before run {run}"),
        editor: None,
        sides,
    });
    Ok(())
}

fn local(
    turn: &mut Turn<'_>,
    key: &Key,
    replaced: &Replaced,
    text: Option<String>,
) -> Result<Action, RunError> {
    let record = turn.book.record(turn.backend.name(), key);
    let path =
        record.and_then(|record: &Record| record.path.clone()).or_else(|| replaced.path.clone());
    let (Some(path), Some(text)) = (path, text) else {
        return Err(RunError::Usage(format!("The replaced version of {key} holds no file.")));
    };
    let tree = turn.tree;
    let now = tree.read(&path).ok();
    let digest = now.as_ref().map(|now| super::book::text_id(now.as_bytes()));
    let again = Replaced {
        side: Side::Local,
        reason: "restore".to_owned(),
        properties: BTreeMap::new(),
        text: now.is_some(),
        path: Some(path.clone()),
        ..replaced.clone()
    };
    turn.book.replace(&turn.session.run, &again, now.as_deref())?;
    match tree.write(&path, &text, digest.as_deref()) {
        Ok(()) if now.is_none() => Ok(Action::Create),
        Ok(()) => Ok(Action::Edit),
        Err(error @ WriteError::Changed { .. }) => Err(RunError::Unavailable(format!("{error}."))),
        Err(error) => Err(RunError::Usage(format!("{error}."))),
    }
}

async fn remote(
    turn: &mut Turn<'_>,
    key: &Key,
    replaced: &Replaced,
    text: Option<String>,
) -> Result<(), RunError> {
    let backend = turn.backend;
    turn.backend.identity().await?;
    let name = backend.name().to_owned();
    let missing = || RunError::Usage(format!("{key} has no page any more."));
    let kind = turn.kinds.get(&key.kind).cloned().ok_or_else(missing)?;
    let place = turn.book.backend(&name).places.get(&key.kind).cloned().ok_or_else(missing)?;
    let page =
        turn.book.record(&name, key).map(|record| record.page.clone()).ok_or_else(missing)?;
    let mut now = match backend.page(&kind, &place, &page).await? {
        Presence::Found(now) => *now,
        Presence::NotFound => return Err(missing()),
    };
    if now.life == Life::Trashed {
        now = backend.untrash(&kind, &place, &page).await?;
    }
    let before = backend.body(&page).await?;
    let mut again = Replaced {
        side: Side::Remote,
        reason: "restore".to_owned(),
        properties: BTreeMap::new(),
        text: text.is_some(),
        dialect: backend.dialect(),
        path: None,
        ..replaced.clone()
    };
    let mut values: BTreeMap<String, Option<Value>> = BTreeMap::new();
    for (property, old) in &replaced.properties {
        let Some(known) = kind.property(property) else { continue };
        if known.source == Source::Id || known.r#type.is_read_only() {
            continue;
        }
        let old = match (known.r#type, old) {
            (PropertyType::Relation, Some(Value::Set(ids))) => {
                let target = known.target.as_deref().unwrap_or(&kind.name);
                let pages = ids.iter().filter_map(|id| {
                    let record = turn.book.record(&name, &Key::new(target, id.clone()))?;
                    Some(record.page.clone())
                });
                Value::set(pages)
            }
            (_, old) => old.clone(),
        };
        let there: Option<Value> = Properties::get(&now.properties, property).cloned();
        let old = match (known.r#type, old, &there) {
            // People without an address were never in the file, so they are not what was overwritten.
            (PropertyType::People, old, Some(Value::Set(people))) => {
                let named = match old {
                    Some(Value::Set(named)) => named,
                    _ => BTreeSet::new(),
                };
                let unnamed = people.iter().filter(|person| nameless(person));
                Value::set(named.into_iter().chain(unnamed.cloned()))
            }
            (_, old, _) => old,
        };
        if there != old {
            again.properties.insert(property.clone(), there);
            values.insert(property.clone(), old);
        }
    }
    turn.book.replace(
        &turn.session.run,
        &again,
        Some(before.text.as_str()).filter(|_| again.text),
    )?;
    let message = partial("what is about to be replaced", &turn.session.run);
    turn.commit(&message).await?;
    if !values.is_empty() {
        backend.set_properties(&kind, &place, &page, &values).await?;
    }
    let Some(text) = text else { return Ok(()) };
    let text = markdown::translate(replaced.dialect, &text, backend.dialect(), Some(&before.text));
    let answer = match markdown::plan_restore(backend.dialect(), &before.text, &text) {
        Push::Nothing => return Ok(()),
        Push::Append(text) => backend.append_body(&page, &text).await,
        Push::Edit(hunks) => backend.edit_body(&page, &hunks).await,
        Push::Impossible(reason) => return Err(RunError::Refused(reason)),
    };
    match answer {
        Ok(_) => Ok(()),
        Err(BackendError::Stale { message }) => Err(RunError::Unavailable(format!(
            "The page of {key} was edited meanwhile, so nothing was restored: {message}"
        ))),
        Err(error) => Err(error.into()),
    }
}
