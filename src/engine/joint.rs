//! What several backends and the file each changed in another way: one conflict, and one answer (design §8).
//!
//! Each backend finds a conflict of its own, with a fingerprint of its own. Those about the same words or value of the
//! file are one for people. It has a fingerprint over all of them, and one more for each content that could stay
//! instead of the file's; so an answer is about exactly the versions that were shown, on every side.

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

/// Which words or value of the file it is: place, base and text. Nothing where one side is gone as a whole.
fn words(conflict: &Conflict) -> Option<(String, String, String)> {
    if conflict.deleted.is_some() {
        return None;
    }
    let canonical = |content: Option<&Content>| content.map(Content::canonical).unwrap_or_default();
    Some(match &conflict.block {
        Some(block) => {
            let at = block.place.split(' ').next().unwrap_or_default();
            (format!("block {at}"), block.base.trim().to_owned(), block.local.trim().to_owned())
        }
        None => {
            let base = conflict.base.as_ref().and_then(|base| base.local.as_ref());
            (String::new(), canonical(base), canonical(conflict.local.as_ref()))
        }
    })
}

/// Where it is, for one and the same backend.
fn place(conflict: &Conflict) -> String {
    match &conflict.block {
        Some(block) => block.place.clone(),
        None => {
            let base = conflict.base.clone().unwrap_or_default();
            let side = |content: Option<Content>| content.map(|content| content.canonical());
            format!("{:?}", (side(base.local), side(base.remote)))
        }
    }
}

fn digest(parts: &[&str]) -> String {
    let text: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    text_id(text.as_bytes()).chars().take(16).collect()
}

/// Those of these conflicts that are one with others.
fn groups<'o>(open: &[&'o Open]) -> Vec<(Joint, Vec<&'o Open>)> {
    type Place = (Key, Stretch, (String, String, String));
    let mut places: Vec<(Place, Vec<&'o Open>)> = Vec::new();
    for one in open.iter().copied() {
        let Some(words) = words(&one.conflict) else { continue };
        let place = (one.conflict.key.clone(), one.conflict.stretch.clone(), words);
        match places.iter_mut().find(|(other, _)| *other == place) {
            // Of one backend there is one.
            Some((_, sides)) if sides.iter().any(|side| side.backend == one.backend) => {}
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
            && (yields.place == place(conflict)
                || words(conflict).is_some_and(|(at, ..)| yields.place == at))
    })
}

/// What gives way to the content of the winner, as it is held by this backend.
fn loser(
    winner: &Open,
    decision: &Decision,
    backend: &str,
    remote: String,
    place: String,
) -> Decision {
    Decision {
        backend: Some(backend.to_owned()),
        keep: Keep::Local,
        yields: Some(Yields {
            to: winner.conflict.fingerprint.clone(),
            place,
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
    let (remote, at) = (held(&side.conflict, Side::Remote), place(&side.conflict));
    loser(winner, &decision, &side.backend, remote, at)
}

/// The decision for the backend that brought what is not to stay.
fn bringer(one: &Open, decision: &Decision) -> Option<Decision> {
    let by = one.brought_by.as_ref().filter(|_| decision.keep == Keep::Remote)?;
    let (at, ..) = words(&one.conflict)?;
    Some(loser(one, decision, by, held(&one.conflict, Side::Local), at))
}

/// An answer to a joint conflict: the conflict of the side that it is about, and the decisions for all. `None` where
/// the target is the fingerprint of none.
///
/// # Errors
/// A usage error for an answer that fits several, or does not say whose content stays.
pub(super) fn answer(
    open: &[Open],
    named: &[String],
    (target, keep): (&str, Keep),
    decision: impl Fn(&Open) -> Decision,
) -> Result<Option<(Open, Vec<Decision>)>, RunError> {
    let target = target.to_ascii_lowercase();
    // As a person saw it: what was open then, whether some of it waits for something by now or not.
    let seen: [&dyn Fn(&&Open) -> bool; 3] =
        [&|one| !one.answered && !one.yields, &|one| !one.answered, &|_| true];
    // What was shown may have been about the named backends alone.
    let of = |one: &&Open| named.contains(&one.backend);
    let some: Vec<&Open> = open.iter().filter(of).collect();
    let all: Vec<&Open> = open.iter().collect();
    let sets = [some, all];
    let views = sets.iter().flat_map(|set| seen.iter().map(move |seen| (set, seen)));
    for (set, seen) in views {
        let open: Vec<&Open> = set.iter().copied().filter(|one| seen(one)).collect();
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
        let mut choices: Vec<&str> = joint
            .sides
            .iter()
            .map(|(_, _, choice)| choice.as_str())
            .filter(|one| fits(one))
            .collect();
        choices.dedup();
        if choices.len() > 1 {
            return Err(RunError::Usage(format!(
                "`{target}` fits several choices; give more digits."
            )));
        }
        let chosen = joint.sides.iter().position(|(_, _, choice)| fits(choice));
        let is_named = |side: &&Open| named.contains(&side.backend);
        let chosen = match (chosen, named) {
            (None, [_]) if keep == Keep::Remote => sides.iter().position(is_named),
            (chosen, _) => chosen,
        };
        let about = sides.get(chosen.unwrap_or(0)).copied();
        let Some(about) = about else { continue };
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
                let won = decision(about);
                let mut decisions: Vec<Decision> =
                    sides.iter().map(|side| settled(about, &won, side)).collect();
                decisions.extend(bringer(about, &won));
                Ok(Some((about.clone(), decisions)))
            }
            _ => {
                let all = sides.iter().map(|side| decision(side)).collect();
                Ok(Some((about.clone(), all)))
            }
        };
    }
    Ok(None)
}
