//! What several backends and the file each changed in another way: one conflict, and one answer (design §8).
//!
//! Each backend finds a conflict of its own, with a fingerprint of its own. Those about the same words or value of the
//! file are one for people. It has a fingerprint over all of them, and one more for each content that could stay
//! instead of the file's; so an answer is about exactly the versions that were shown, on every side.

use std::collections::BTreeMap;

use agent_sync_core::model::{Key, Side, Stretch};
use agent_sync_core::plan::{Conflict, Content};

use super::RunError;
use super::book::{Decision, Keep, Yields, text_id};

/// A conflict that a backend's turn left open.
#[derive(Clone)]
pub(super) struct Open {
    /// Name of the backend.
    pub backend: String,
    /// The same for people.
    pub label: String,
    /// The conflict.
    pub conflict: Conflict,
    /// Name of the backend that brought what the file holds in this run.
    pub brought_by: Option<String>,
    /// Whether an earlier answer to it waits for being applied.
    pub answered: bool,
    /// Whether it is settled once the file holds what another backend does.
    pub yields: bool,
    /// Answered in this run, by its own fingerprint or by the artifact.
    pub given: Option<Given>,
}

/// An answer of this run.
#[derive(Clone)]
pub(super) struct Given {
    /// What is recorded for this backend.
    pub decision: Decision,
    /// Whether the artifact was named, and with it all that its versions are now.
    pub by_artifact: bool,
}

/// Conflicts of several backends that are one.
#[derive(Clone, Debug)]
pub struct Joint {
    /// Fingerprint of the whole: 16 hex digits.
    pub fingerprint: String,
    /// Each backend by its name, with the fingerprint of its own conflict and that of the choice of its content.
    pub sides: Vec<(String, String, String)>,
}

/// Digest of what one side holds of what clashes.
fn held(conflict: &Conflict, side: Side) -> String {
    match (&conflict.block, side) {
        (Some(block), Side::Local) => block.held.0.clone(),
        (Some(block), Side::Remote) => block.held.1.clone(),
        (None, side) => {
            let content = match side {
                Side::Local => &conflict.local,
                Side::Remote => &conflict.remote,
            };
            text_id(content.as_ref().map(Content::canonical).unwrap_or_default().as_bytes())
        }
    }
}

/// What of the file it is: base and text as they stand there. Nothing where one side is gone as a whole.
fn words(conflict: &Conflict) -> Option<(Option<String>, Option<String>)> {
    if conflict.deleted.is_some() {
        return None;
    }
    let text = |content: Option<&Content>| {
        content.map(|content| content.text().map_or_else(|| content.canonical(), str::to_owned))
    };
    Some(match &conflict.block {
        Some(block) => (Some(block.base.trim().to_owned()), Some(block.local.trim().to_owned())),
        None => {
            let base = conflict.base.as_ref().and_then(|base| base.local.as_ref());
            (text(base), text(conflict.local.as_ref()))
        }
    })
}

fn digest(parts: &[&str]) -> String {
    let text: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    text_id(text.as_bytes()).chars().take(16).collect()
}

/// Those of these conflicts that are one with others.
fn groups<'o>(open: &[&'o Open]) -> Vec<(Joint, Vec<&'o Open>)> {
    type Place = (Key, Stretch, bool, Option<String>, Option<String>, usize);
    let mut places: Vec<(Place, Vec<&'o Open>)> = Vec::new();
    let mut seen: BTreeMap<(String, Place), usize> = BTreeMap::new();
    for one in open.iter().copied() {
        let Some((base, local)) = words(&one.conflict) else { continue };
        let (key, stretch) = (one.conflict.key.clone(), one.conflict.stretch.clone());
        let mut place = (key, stretch, one.conflict.block.is_some(), base, local, 0);
        // The same words may stand at several places: the first is the first in each backend.
        let nth = seen.entry((one.backend.clone(), place.clone())).or_default();
        place.5 = *nth;
        *nth += 1;
        match places.iter_mut().find(|(other, _)| *other == place) {
            Some((_, sides)) => sides.push(one),
            None => places.push((place, vec![one])),
        }
    }
    let several = places.into_iter().map(|(_, sides)| sides).filter(|sides| sides.len() > 1);
    several
        .map(|sides| {
            let mut all: Vec<&str> =
                sides.iter().map(|side| side.conflict.fingerprint.as_str()).collect();
            all.sort_unstable();
            let fingerprint = digest(&[&["all"], all.as_slice()].concat());
            let choice = |own: &str| digest(&["choice", own, &fingerprint]);
            let of = |side: &&Open| {
                let own = side.conflict.fingerprint.clone();
                (side.backend.clone(), own.clone(), choice(&own))
            };
            let joint = Joint { sides: sides.iter().map(of).collect(), fingerprint };
            (joint, sides)
        })
        .collect()
}

/// The conflicts of a run that are one, of those that its report shows (backend, fingerprint).
pub(super) fn shown(open: &[Open], is_shown: impl Fn(&str, &str) -> bool) -> Vec<Joint> {
    let shown = open.iter().filter(|one| is_shown(&one.backend, &one.conflict.fingerprint));
    groups(&shown.collect::<Vec<_>>()).into_iter().map(|(joint, _)| joint).collect()
}

/// Whether this conflict is the one that is left where another backend's content stays, as a person decided: the file
/// holds that, and the backend what that person saw.
pub(super) fn gives_way(decision: &Decision, conflict: &Conflict) -> bool {
    decision.yields.as_ref().is_some_and(|yields| {
        decision.key == conflict.key
            && decision.stretch == conflict.stretch
            && conflict.deleted.is_none()
            && yields.local == held(conflict, Side::Local)
            && yields.remote == held(conflict, Side::Remote)
    })
}

/// What gives way to the content of the winner, as it is held by this backend.
fn loser(winner: &Open, decision: &Decision, backend: &str, remote: String) -> Decision {
    Decision {
        backend: Some(backend.to_owned()),
        keep: Keep::Local,
        yields: Some(Yields {
            to: winner.backend.clone(),
            local: held(&winner.conflict, Side::Remote),
            remote,
        }),
        ..decision.clone()
    }
}

/// What the answers of this run mean beyond the backends that they were given for: decisions, each for the backend that
/// it names.
pub(super) fn consequences(open: &[Open]) -> Vec<Decision> {
    let mut out = Vec::new();
    let all: Vec<&Open> = open.iter().collect();
    for (_, sides) in groups(&all) {
        let wins = |side: &&&Open| {
            side.given.as_ref().is_some_and(|g| g.by_artifact && g.decision.keep == Keep::Remote)
        };
        let Some(winner) = sides.iter().find(wins) else { continue };
        let Some(given) = &winner.given else { continue };
        for side in sides.iter().filter(|side| side.given.is_none()) {
            out.push(settled(winner, &given.decision, side));
        }
    }
    out.extend(open.iter().filter_map(|one| bringer(one, &one.given.as_ref()?.decision)));
    out
}

/// The decision for a side of a joint conflict of which the winner's content stays.
fn settled(winner: &Open, decision: &Decision, side: &Open) -> Decision {
    let fingerprint = side.conflict.fingerprint.clone();
    if fingerprint == winner.conflict.fingerprint {
        // It holds the same.
        return Decision { backend: Some(side.backend.clone()), ..decision.clone() };
    }
    let decision = Decision { fingerprint, ..decision.clone() };
    loser(winner, &decision, &side.backend, held(&side.conflict, Side::Remote))
}

/// The decision for the backend that brought what is not to stay.
fn bringer(one: &Open, decision: &Decision) -> Option<Decision> {
    let by = one.brought_by.as_ref().filter(|_| decision.keep == Keep::Remote)?;
    Some(loser(one, decision, by, held(&one.conflict, Side::Local)))
}

/// An answer to a joint conflict: the conflict of the side that it is about, and the decisions for all. `None` where
/// the target is the fingerprint of none.
///
/// # Errors
/// A usage error for an answer that fits several, or does not say whose content stays.
pub(super) fn answer(
    open: &[Open],
    (target, keep): (&str, Keep),
    decision: impl Fn(&Conflict) -> Decision,
) -> Result<Option<(Open, Vec<Decision>)>, RunError> {
    let target = target.to_ascii_lowercase();
    // As a person saw it: what was open then, whether some of it waits for something by now or not.
    let seen: [&dyn Fn(&&Open) -> bool; 3] =
        [&|one| !one.answered && !one.yields, &|one| !one.answered, &|_| true];
    for seen in seen {
        let open: Vec<&Open> = open.iter().filter(seen).collect();
        let groups = groups(&open);
        let fits = |fingerprint: &str| fingerprint.starts_with(&target);
        let fitting: Vec<_> = groups
            .iter()
            .filter(|(joint, _)| {
                fits(&joint.fingerprint) || joint.sides.iter().any(|(_, _, choice)| fits(choice))
            })
            .collect();
        let (joint, sides) = match fitting.as_slice() {
            [] => continue,
            [one] => one,
            _ => {
                return Err(RunError::Usage(format!(
                    "`{target}` fits several conflicts; give more digits."
                )));
            }
        };
        let chosen = joint.sides.iter().position(|(_, _, choice)| fits(choice));
        let about = sides.get(chosen.unwrap_or(0)).copied();
        let Some(about) = about else { continue };
        let all = |keep: Keep| {
            let of = |side: &&Open| Decision {
                backend: Some(side.backend.clone()),
                keep,
                ..decision(&side.conflict)
            };
            sides.iter().map(of).collect::<Vec<_>>()
        };
        return match (keep, chosen) {
            (Keep::Remote, None) => {
                let each = joint.sides.iter().zip(sides).map(|((_, _, choice), side)| {
                    format!("`agent-sync resolve {choice} --keep remote` ({})", side.label)
                });
                Err(RunError::Usage(format!(
                    "Several backends are in conflict here. Say whose content stays: {}.",
                    each.collect::<Vec<_>>().join(", ")
                )))
            }
            (Keep::Remote, Some(_)) => {
                let won = Decision { keep, ..decision(&about.conflict) };
                let mut decisions: Vec<Decision> =
                    sides.iter().map(|side| settled(about, &won, side)).collect();
                decisions.extend(bringer(about, &won));
                Ok(Some((about.clone(), decisions)))
            }
            (keep, _) => Ok(Some((about.clone(), all(keep)))),
        };
    }
    Ok(None)
}
