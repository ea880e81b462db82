//! `assign_ids`: pages that people made by hand get the next free id of their kind.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::model::{Key, Value};

use super::observe::World;
use super::{RunError, Turn, template};
use crate::backend::{BackendError, Life, Presence};

/// Gives an id to each page without one, and says how many got one. Requests: 2 for each page, and 1 for each
/// database that was not listed whole (rule 12).
///
/// A page is left alone, with its finding, where its scope cannot be told: its kind's ids must be of one scope.
///
/// # Errors
/// What stops a run.
pub(super) async fn assign(turn: &Turn<'_>, world: &World) -> Result<usize, RunError> {
    let mut assigned = 0;
    for (name, pages) in &world.unnamed {
        let (Some(kind), Some(place)) = (world.kinds.get(name), world.places.get(name)) else {
            continue;
        };
        let Some(property) = kind.id() else { continue };
        // Rule 5: a page with the title of a file may be that file's page.
        let pages: Vec<&String> = pages
            .iter()
            .filter(|(_, url)| {
                !world
                    .findings
                    .iter()
                    .any(|finding| finding.key.is_some() && finding.url.as_ref() == Some(url))
            })
            .map(|(page, _)| page)
            .collect();
        let ids = next_ids(&taken(world, name), pages.len());
        let whole = world.listed.get(name).is_some_and(|listed| listed.whole);
        if ids.is_empty() || (!whole && !turn.backend.find(kind, place, &ids).await?.is_empty()) {
            continue;
        }
        for (page, id) in pages.into_iter().zip(ids) {
            let now = turn.backend.page(kind, place, page).await?;
            // A copy of the template row has no id of its own.
            let free = matches!(&now, Presence::Found(now)
                if now.id.as_deref().is_none_or(template::is_marker) && now.life == Life::Alive);
            if !free {
                continue;
            }
            let value = BTreeMap::from([(property.name.clone(), Some(Value::Text(id)))]);
            match turn.backend.set_properties(kind, place, page, &value).await {
                Ok(_) => assigned += 1,
                // The page has its id or not; the next run sees which.
                Err(
                    BackendError::Ambiguous { .. }
                    | BackendError::Collided { .. }
                    | BackendError::Stale { .. }
                    | BackendError::Rejected { .. },
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(assigned)
}

/// Every id of a kind that either side is known to have.
fn taken<'a>(world: &'a World, kind: &str) -> BTreeSet<&'a str> {
    let keys = world
        .scan
        .files
        .keys()
        .chain(&world.scan.duplicates)
        .chain(&world.scan.unreadable)
        .chain(world.page_of.keys())
        .chain(world.artifacts.keys())
        .chain(world.findings.iter().filter_map(|finding| finding.key.as_ref()));
    keys.filter(|key: &&Key| key.kind == kind).map(|key| key.id.as_str()).collect()
}

/// The next ids behind the highest one, as wide as the widest. None where the ids are not of one scope.
fn next_ids(taken: &BTreeSet<&str>, count: usize) -> Vec<String> {
    let parts: Option<Vec<(&str, &str)>> = taken.iter().map(|id| id.rsplit_once('-')).collect();
    let Some(parts) = parts else { return Vec::new() };
    let Some((scope, _)) = parts.first().copied() else { return Vec::new() };
    if parts.iter().any(|(other, _)| *other != scope) {
        return Vec::new();
    }
    let numbers: Option<Vec<u64>> = parts.iter().map(|(_, number)| number.parse().ok()).collect();
    let width = parts.iter().map(|(_, number)| number.len()).max().unwrap_or_default();
    let last = numbers.and_then(|numbers| numbers.into_iter().max());
    let Some(first) = last.and_then(|last| last.checked_add(1)) else { return Vec::new() };
    (first..).take(count).map(|number| format!("{scope}-{number:0width$}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_on_behind_the_highest() {
        let next = |taken: &[&str], count| next_ids(&taken.iter().copied().collect(), count);
        assert_eq!(next(&["INFRA-001", "INFRA-054"], 2), ["INFRA-055", "INFRA-056"]);
        assert_eq!(next(&["INFRA-9"], 1), ["INFRA-10"]);
        assert_eq!(next(&["A-B-9"], 1), ["A-B-10"]);
        // No scope, or several, or no number: a person has to say.
        for taken in [
            &[][..],
            &["INFRA-1", "DOCS-1"],
            &["INFRA"],
            &["INFRA-x"],
            &["INFRA-18446744073709551615"],
        ] {
            assert!(next(taken, 1).is_empty(), "{taken:?}");
        }
    }
}
