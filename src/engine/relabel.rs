//! relabel: an artifact got a new id or kind and keeps its page (rule 8).

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::model::{Key, Selector, Value};
use serde::{Deserialize, Serialize};

use super::book::Book;
use super::observe::World;
use super::{RunError, Turn, names};
use crate::backend::{BackendError, Life, Place, Presence};

/// An artifact with a new name. It is pending until the default branch holds the new file and not the old one,
/// and the page has the new id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Relabel {
    /// Name of the backend.
    pub backend: String,
    /// What it was.
    pub old: Key,
    /// What it is.
    pub new: Key,
    /// Its page, for where the state has no record of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The run that recorded it; empty where no person did, but the file itself still names its page.
    pub run: String,
}

/// A page that belongs to an artifact, whatever its ID property says, and has to get that artifact's id.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// The page.
    pub page: String,
    /// Ids that may be replaced; `None` is a page without one.
    pub from: Vec<Option<String>>,
    /// What the artifact was called before, where that is known.
    pub old: Option<Key>,
    /// Whether the page has its id by now.
    pub done: bool,
}

/// The one artifact that a selector fits, if any.
///
/// # Errors
/// [`RunError::Usage`] with the list, where it fits several.
pub(super) fn single<'a>(
    selector: &Selector,
    known: impl IntoIterator<Item = &'a Key>,
) -> Result<Option<Key>, RunError> {
    let fitting: BTreeSet<Key> =
        known.into_iter().filter(|key| selector.matches(key)).cloned().collect();
    match fitting.len() {
        0 | 1 => Ok(fitting.into_iter().next()),
        _ => Err(RunError::Usage(format!(
            "`{selector}` fits several artifacts: {}. Name one with its kind.",
            names(&fitting)
        ))),
    }
}

/// Records that an artifact got a new id or kind. Requests: where the state does not know the old one, 1 for each
/// kind that may have it; where the kind changes, 1 to see where the page is.
///
/// # Errors
/// Usage errors where the names are not clear; [`RunError::Refused`] where the page cannot be one of the new kind.
pub(super) async fn record(
    turn: &mut Turn<'_>,
    old: &Selector,
    new: &Selector,
) -> Result<(), RunError> {
    turn.check_mapping()?;
    let name = turn.backend.name().to_owned();
    let places = turn.places().await?;
    let (old, page) = old_page(turn, &places, old).await?;
    let new = new_key(turn, &old, new)?;
    if old == new {
        return Err(RunError::Usage(format!("{old} is what it is already called.")));
    }
    if let Some(record) = turn.book.record(&name, &new) {
        return Err(RunError::Usage(format!(
            "{new} has a page of its own: {}. Trash that page first, or say `agent-sync resolve {old} --keep local` \
             if they are two.",
            record.url
        )));
    }
    if old.kind != new.kind {
        check_kind(turn, &places, &new, &page).await?;
    }
    turn.report.notices.push(format!(
        "{old} becomes {new} and keeps its page as soon as the default branch holds a file of {new} and none of \
         {old}."
    ));
    if turn.session.request.dry_run {
        return Ok(());
    }
    let relabels = &mut turn.book.meta.relabels;
    let same = |other: &Relabel| other.backend == name && other.old == old && other.new == new;
    if !relabels.iter().any(same) {
        relabels.retain(|other| other.backend != name || (other.old != old && other.new != new));
        let run = turn.session.run.clone();
        let (backend, old, new) = (name.clone(), old.clone(), new.clone());
        relabels.push(Relabel { backend, old, new, page: Some(page), run });
    }
    turn.book.meta.distinct.retain(|other| other.backend != name || other.key != old);
    let message = turn.session.message(&format!("relabel: {old} becomes {new}"));
    turn.commit(&message).await?;
    Ok(())
}

/// The artifact that is meant, and its page: from the state, else from the backend.
async fn old_page(
    turn: &Turn<'_>,
    places: &BTreeMap<String, Place>,
    selector: &Selector,
) -> Result<(Key, String), RunError> {
    let name = turn.backend.name();
    let records = turn.book.records.values().filter(|record| record.backend == name);
    let mut pages: BTreeMap<Key, String> =
        records.map(|record| (record.key.clone(), record.page.clone())).collect();
    if single(selector, pages.keys())?.is_none() {
        for kind in turn.kinds.values() {
            let key = Key::new(&kind.name, &selector.id);
            let Some(place) = places.get(&kind.name).filter(|_| selector.matches(&key)) else {
                continue;
            };
            let found = turn.backend.find(kind, place, std::slice::from_ref(&key.id)).await?;
            pages.extend(found.into_iter().map(|page| (key.clone(), page.page)));
        }
    }
    let key = single(selector, pages.keys())?;
    key.and_then(|key| pages.remove_entry(&key)).ok_or_else(|| {
        RunError::Usage(format!(
            "Neither the state nor {} has an artifact `{selector}`.",
            turn.label
        ))
    })
}

/// The artifact that a new name means: by its kind, else by the one file that has the id, else of the old kind.
fn new_key(turn: &Turn<'_>, old: &Key, selector: &Selector) -> Result<Key, RunError> {
    let shared = turn.kinds.keys().cloned().collect();
    let scan = turn.tree.scan(&turn.kinds, &shared);
    let found = single(selector, scan.files.keys())?;
    let kind = selector.kind.clone().unwrap_or_else(|| old.kind.clone());
    let key = found.unwrap_or_else(|| Key::new(kind, &selector.id));
    let Some(kind) = turn.kinds.get(&key.kind) else {
        let known: Vec<&str> = turn.kinds.keys().map(String::as_str).collect();
        return Err(RunError::Usage(format!(
            "There is no kind `{}` that is synced. There are: {}.",
            key.kind,
            known.join(", ")
        )));
    };
    match crate::repo::is_id(kind, &key.id) {
        true => Ok(key),
        false => Err(RunError::Usage(format!(
            "`{}` cannot be the id of a {}: ids look like `{}`.",
            key.id, kind.name, kind.id_pattern
        ))),
    }
}

/// A page cannot be taken from one database to another by us.
async fn check_kind(
    turn: &Turn<'_>,
    places: &BTreeMap<String, Place>,
    new: &Key,
    page: &str,
) -> Result<(), RunError> {
    let (Some(kind), Some(place)) = (turn.kinds.get(&new.kind), places.get(&new.kind)) else {
        return Err(RunError::Refused(format!(
            "{} has no database of kind {}. Run `agent-sync init`, which creates it.",
            turn.label, new.kind
        )));
    };
    match turn.backend.page(kind, place, page).await? {
        Presence::Found(page) if page.life == Life::Alive => Ok(()),
        Presence::Found(page) => Err(RunError::Refused(format!(
            "The page {} is not in the database \"{}\", where a {} lives. Move it there in {}, then run this again.",
            page.url, kind.database, kind.name, turn.label
        ))),
        Presence::NotFound => Err(RunError::Refused(
            "The page is not visible: gone, or not shared any more. Share it with the connection."
                .to_owned(),
        )),
    }
}

/// Gives the claimed pages the ids of their artifacts. Requests: 2 for each.
///
/// # Errors
/// What stops a run.
pub(super) async fn send(turn: &mut Turn<'_>, world: &mut World) -> Result<(), RunError> {
    let name = turn.backend.name().to_owned();
    let mut claims = std::mem::take(&mut world.claims);
    for (key, claim) in &mut claims {
        let blocked = world.artifacts.get(key).is_some_and(|artifact| artifact.blocked);
        let (Some(kind), Some(place)) = (world.kinds.get(&key.kind), world.places.get(&key.kind))
        else {
            continue;
        };
        let Some(property) = kind.id().filter(|_| !blocked && turn.selected(key)) else { continue };
        let now = match turn.backend.page(kind, place, &claim.page).await? {
            Presence::Found(now) if now.life == Life::Alive => now,
            _ => continue,
        };
        if now.id.as_ref() != Some(&key.id) {
            if !claim.from.contains(&now.id) {
                // Somebody has just given it another one: the next run asks.
                continue;
            }
            let value = Some(Value::Text(key.id.clone()));
            let value = BTreeMap::from([(property.name.clone(), value)]);
            match turn.backend.set_properties(kind, place, &claim.page, &value).await {
                Ok(answer) if answer.id.as_ref() == Some(&key.id) => {}
                // The page has its id or not; the next run sees which.
                Ok(_)
                | Err(
                    BackendError::Ambiguous { .. }
                    | BackendError::Collided { .. }
                    | BackendError::Stale { .. }
                    | BackendError::Rejected { .. },
                ) => continue,
                Err(error) => return Err(error.into()),
            }
        }
        claim.done = true;
        turn.book.meta.relabels.retain(|other| other.backend != name || other.new != *key);
    }
    world.claims = claims;
    Ok(())
}

/// Forgets what was recorded of a page that only its file claims and that has no id yet: known under a name that it
/// does not bear, it would look like a page whose id was taken away.
pub(super) fn forget_unnamed(book: &mut Book, world: &World, backend: &str) {
    for (key, _) in world.claims.iter().filter(|(_, claim)| !claim.done && claim.old.is_none()) {
        book.records.remove(&(backend.to_owned(), key.clone()));
    }
}
