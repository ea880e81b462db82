//! `assign_ids`: pages that people made by hand get the next free id of their scope.
//!
//! Two runs at once never give the same id: whoever gives one has the lease, and has listed the database whole under
//! it, or asked it for these very ids (rule 12).

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::Kind;
use agent_sync_core::model::{Key, Value};
use regex::Regex;

use super::observe::{Unnamed, World};
use super::{RunError, Turn};
use crate::backend::{BackendError, Life, Presence};
use crate::repo::id_of;

/// Digits of the first number of a scope.
const WIDTH: usize = 3;

/// Gives an id to each page without one, and says how many got one. Requests: 2 for each page, 1 for each database
/// that was not listed whole, and those that open pull requests take.
///
/// A page is left alone, with its finding, where its scope cannot be told: it is what stands in the ID property where
/// that is a scope alone (`INFRA`), else the one of all artifacts that the page's relations name, else the only one
/// of its kind.
///
/// # Errors
/// What stops a run.
pub(super) async fn assign(turn: &Turn<'_>, world: &World) -> Result<usize, RunError> {
    let mut assigned = 0;
    let coming = coming(turn, world).await?;
    for (name, pages) in &world.unnamed {
        let (Some(kind), Some(place)) = (world.kinds.get(name), world.places.get(name)) else {
            continue;
        };
        let Some(property) = kind.id() else { continue };
        let mut taken = taken(world, name);
        taken.extend(coming.get(name).into_iter().flatten().map(String::as_str));
        let mut numbers = Numbers::of(&taken);
        let given = pages.iter().filter(|page| !is_questioned(world, page)).filter_map(|page| {
            let scope = scope(world, kind, page, &numbers)?;
            Some((page, numbers.next(&scope)?))
        });
        let given: Vec<(&Unnamed, String)> = given.collect();
        let ids: Vec<String> = given.iter().map(|(_, id)| id.clone()).collect();
        let whole = world.listed.get(name).is_some_and(|listed| listed.whole);
        if ids.is_empty() || (!whole && !turn.backend.find(kind, place, &ids).await?.is_empty()) {
            continue;
        }
        for (page, id) in given {
            let now = turn.backend.page(kind, place, &page.page).await?;
            let free = matches!(&now, Presence::Found(now) if now.id == page.id && now.life == Life::Alive);
            if !free {
                continue;
            }
            let value = BTreeMap::from([(property.name.clone(), Some(Value::Text(id)))]);
            match turn.backend.set_properties(kind, place, &page.page, &value).await {
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

/// Rule 5: a page with the title of a file may be that file's page.
fn is_questioned(world: &World, page: &Unnamed) -> bool {
    let of = world.findings.iter().filter(|finding| finding.url.as_ref() == Some(&page.url));
    of.into_iter().any(|finding| finding.key.is_some())
}

/// Ids of files that may come to the default branch, by kind. Nobody is asked where no page waits for an id.
async fn coming(
    turn: &Turn<'_>,
    world: &World,
) -> Result<BTreeMap<String, BTreeSet<String>>, RunError> {
    let waiting = world.unnamed.keys().filter_map(|name| world.kinds.get(name));
    let waiting: Vec<&Kind> = waiting.collect();
    if waiting.is_empty() {
        return Ok(BTreeMap::new());
    }
    let folders: Vec<String> = waiting.iter().map(|kind| kind.folder.clone()).collect();
    let paths = turn.session.git.coming_paths(&folders).await?;
    let of = |kind: &&Kind| {
        let below = |path: &&String| {
            path.strip_prefix(kind.folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let id = |path: &String| id_of(kind, path.rsplit('/').next()?).map(str::to_owned);
        (kind.name.clone(), paths.iter().filter(below).filter_map(id).collect())
    };
    Ok(waiting.iter().map(of).collect())
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

/// The scope of a page's id; `None` where it cannot be told, or where no id of this form has it.
fn scope(world: &World, kind: &Kind, page: &Unnamed, numbers: &Numbers) -> Option<String> {
    let whole = Regex::new(&format!("^(?:{})$", kind.id_pattern)).ok()?;
    let fits = |scope: &String| whole.is_match(&format!("{scope}-1"));
    if let Some(scope) = &page.id {
        return Some(scope.trim().trim_end_matches('-').to_owned()).filter(fits);
    }
    let related = page.related.iter().filter_map(|page| world.key_of.get(page));
    let related = related.filter_map(|key| key.id.rsplit_once('-'));
    let related: BTreeSet<String> =
        related.map(|(scope, _)| scope.to_owned()).filter(fits).collect();
    let own = || numbers.only().or_else(|| only_form(&kind.id_pattern)).filter(fits);
    let mut all = related.into_iter();
    match (all.next(), all.next()) {
        (Some(scope), None) => Some(scope),
        (None, _) => own(),
        _ => None,
    }
}

/// The scope of a form of ids that has only one: `JRN` of `JRN-\d+`.
fn only_form(pattern: &str) -> Option<String> {
    let scope = pattern.strip_suffix(r"-\d+").or_else(|| pattern.strip_suffix("-[0-9]+"))?;
    let plain = !scope.is_empty() && scope.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then(|| scope.to_owned())
}

/// The highest number of each scope, and how wide its numbers are written.
#[derive(Debug, Default)]
struct Numbers {
    scopes: BTreeMap<String, (u64, usize)>,
    /// Whether there are ids of another form, so that no scope is the only one.
    others: bool,
}

impl Numbers {
    fn of(taken: &BTreeSet<&str>) -> Self {
        let mut numbers = Self::default();
        for id in taken {
            let parts = id.rsplit_once('-');
            let number = parts.and_then(|(_, number)| number.parse::<u64>().ok());
            let (Some((scope, digits)), Some(number)) = (parts, number) else {
                numbers.others = true;
                continue;
            };
            let (highest, width) = numbers.scopes.entry(scope.to_owned()).or_default();
            *highest = number.max(*highest);
            *width = digits.len().max(*width);
        }
        numbers
    }

    /// The scope that all ids are of.
    fn only(&self) -> Option<String> {
        let mut scopes = self.scopes.keys();
        let first = scopes.next().filter(|_| !self.others)?;
        scopes.next().is_none().then(|| first.clone())
    }

    /// The next free id of a scope, as wide as its widest; from now on it is taken.
    fn next(&mut self, scope: &str) -> Option<String> {
        let (highest, width) = self.scopes.entry(scope.to_owned()).or_insert((0, WIDTH));
        *highest = highest.checked_add(1)?;
        Some(format!("{scope}-{highest:0width$}", width = *width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(taken: &[&str], scope: &str, count: usize) -> Vec<String> {
        let mut numbers = Numbers::of(&taken.iter().copied().collect());
        (0..count).filter_map(|_| numbers.next(scope)).collect()
    }

    #[test]
    fn ids_go_on_behind_the_highest_of_their_scope() {
        let taken = ["INFRA-001", "INFRA-054", "DOCS-7", "README"];
        assert_eq!(next(&taken, "INFRA", 2), ["INFRA-055", "INFRA-056"]);
        assert_eq!(next(&taken, "DOCS", 1), ["DOCS-8"]);
        assert_eq!(next(&taken, "WEB", 1), ["WEB-001"]);
        assert_eq!(next(&["INFRA-9"], "INFRA", 1), ["INFRA-10"]);
        assert_eq!(next(&["A-B-9"], "A-B", 1), ["A-B-10"]);
        assert_eq!(next(&["A-18446744073709551615"], "A", 1), Vec::<String>::new());
    }

    #[test]
    fn a_scope_is_the_only_one_or_none() {
        let only = |taken: &[&str]| Numbers::of(&taken.iter().copied().collect()).only();
        assert_eq!(only(&["INFRA-1", "INFRA-2"]).as_deref(), Some("INFRA"));
        for taken in [&[][..], &["INFRA-1", "DOCS-1"], &["INFRA"], &["INFRA-1", "INFRA-x"]] {
            assert_eq!(only(taken), None, "{taken:?}");
        }
        assert_eq!(only_form(r"JRN-\d+").as_deref(), Some("JRN"));
        assert_eq!(only_form(r"(ADR|EXC)-\d+"), None);
        assert_eq!(only_form(r"[A-Z]+-\d+"), None);
    }
}
