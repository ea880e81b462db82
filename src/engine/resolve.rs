//! resolve: records a person's answers to conflicts and to questions about identity (rules 5, 8 and 17).

use std::collections::BTreeSet;

use agent_sync_core::model::{Key, Selector};
use agent_sync_core::plan::Conflict;
use serde::{Deserialize, Serialize};

use super::book::{Book, Decision, Keep};
use super::joint::{Given, Open};
use super::observe::World;
use super::relabel::single;
use super::{RunError, Turn};
use crate::report::DecisionReport;

/// An artifact whose file vanished and which no new file continues, whatever lines they share (rule 8). It holds
/// while that artifact has a record and no file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Distinct {
    /// Name of the backend.
    pub backend: String,
    /// The artifact.
    #[serde(flatten)]
    pub key: Key,
    /// The run that recorded it.
    pub run: String,
}

/// A page that a file names and that is gone for good (rule 5): the name counts as not given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gone {
    /// Name of the backend.
    pub backend: String,
    /// The page.
    pub page: String,
    /// The run that recorded it.
    pub run: String,
}

/// A question about identity that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// The artifact's file vanished, and this new one looks like it.
    Vanished(Key),
    /// The artifact's page has another id now, or none.
    IdChanged,
    /// The artifact's file names this page, which is not visible.
    NotVisible(String),
}

/// Digits of a fingerprint, and the fewest that name one.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// Whether a text has the form of a fingerprint, or of the beginning of one.
pub(super) fn is_fingerprint(text: &str) -> bool {
    DIGITS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

enum Answer {
    Conflict(Box<Given>),
    Distinct(Key),
    Gone(String),
}

/// Records a decision in place of an older one about the same versions of the same backend.
pub(super) fn record(book: &mut Book, decision: Decision) {
    let decisions = &mut book.meta.decisions;
    let same = |old: &Decision| {
        old.fingerprint == decision.fingerprint
            && (old.backend.is_none() || old.backend == decision.backend)
    };
    if decisions
        .iter()
        .any(|old| same(old) && (old.keep, &old.yields) == (decision.keep, &decision.yields))
    {
        return;
    }
    decisions.retain(|old| !same(old));
    decisions.push(decision);
}

/// Records the answer to all that was named, or to nothing.
///
/// # Errors
/// Usage errors for what is not open or not clear.
pub(super) fn resolve(
    turn: &mut Turn<'_>,
    world: &World,
    answers: &[(String, Keep)],
    lenient: bool,
) -> Result<(), RunError> {
    let backend = turn.backend.name().to_owned();
    let of_turn = |one: &&Open| one.backend == backend;
    let open: Vec<Conflict> =
        turn.relay.open.iter().filter(of_turn).map(|one| one.conflict.clone()).collect();
    let open: Vec<&Conflict> = open.iter().collect();
    let mut known: BTreeSet<&Key> = world.scan.files.keys().chain(world.page_of.keys()).collect();
    known.extend(world.artifacts.keys());
    let run = turn.session.run.clone();
    let named = &turn.session.request.backends;
    let asked = named.is_empty() || named.contains(&backend);
    let mut found = Vec::new();
    let done = turn.relay.done.clone();
    for (target, keep) in answers.iter().filter(|(target, _)| asked && !done.contains(target)) {
        let decide = |conflict: &Conflict, by_artifact: bool| {
            let by = turn.session.request.by.as_deref();
            let decision = Decision::new(conflict, *keep, &backend, &run, by);
            let given = Box::new(Given { decision, by_artifact });
            (Answer::Conflict(given), Some(conflict.clone()))
        };
        let answer = || {
            // Parsing a selector cannot fail.
            let Ok(selector) = target.parse::<Selector>();
            Ok(match single(&selector, known.iter().copied())? {
                Some(key) => {
                    let of: Vec<_> = open.iter().filter(|conflict| conflict.key == key).collect();
                    match of.is_empty() {
                        true => vec![(question(world, &key, *keep)?, None)],
                        false => of.into_iter().map(|conflict| decide(conflict, true)).collect(),
                    }
                }
                None => vec![decide(by_fingerprint(turn, target, &open)?, false)],
            })
        };
        match answer() {
            Ok(answers) => {
                turn.relay.answered.insert(target.clone());
                found.extend(answers);
            }
            // It may be open in another backend.
            Err(error @ RunError::Usage(_)) if lenient || !turn.relay.alone => {
                turn.relay.unanswered.entry(target.clone()).or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    let given = found.iter().filter_map(|(answer, _)| match answer {
        Answer::Conflict(given) => Some(given),
        _ => None,
    });
    for given in given {
        let of = |one: &&mut Open| {
            one.backend == backend && one.conflict.fingerprint == given.decision.fingerprint
        };
        for one in turn.relay.open.iter_mut().filter(of) {
            one.given = Some((**given).clone());
        }
    }
    for (answer, conflict) in found {
        let run = run.clone();
        let meta = &mut turn.book.meta;
        match answer {
            Answer::Conflict(given) => {
                let Given { decision, .. } = *given;
                if let Some(conflict) = &conflict {
                    turn.report.decided.push(DecisionReport::new(
                        conflict,
                        &decision,
                        (&backend, turn.label),
                    ));
                }
                // Of several backends all is recorded together.
                if turn.relay.alone {
                    record(turn.book, decision);
                }
            }
            Answer::Distinct(key) => {
                meta.relabels.retain(|other| other.backend != backend || other.old != key);
                meta.distinct.push(Distinct { backend: backend.clone(), key, run });
            }
            Answer::Gone(page) => meta.gone.push(Gone { backend: backend.clone(), page, run }),
        }
    }
    Ok(())
}

/// Forgets answers whose question cannot come back: the vanished artifact has a file again, or is forgotten.
pub(super) fn tidy(book: &mut Book, world: &World, backend: &str) {
    let distinct = std::mem::take(&mut book.meta.distinct);
    let open = |other: &Distinct| {
        other.backend != backend
            || !world.kinds.contains_key(&other.key.kind)
            || (book.record(backend, &other.key).is_some() && !world.scan.has(&other.key))
    };
    book.meta.distinct = distinct.into_iter().filter(open).collect();
}

fn by_fingerprint<'c>(
    turn: &Turn<'_>,
    target: &str,
    open: &[&'c Conflict],
) -> Result<&'c Conflict, RunError> {
    let digits = target.to_ascii_lowercase();
    if !is_fingerprint(&digits) {
        return Err(RunError::Usage(format!(
            "`{target}` is neither an artifact in the repository or in {} nor the fingerprint of an open conflict \
             (16 hex digits, or the first 6 or more). {}",
            turn.label,
            listed(open)
        )));
    }
    let fits: Vec<&&Conflict> =
        open.iter().filter(|conflict| conflict.fingerprint.starts_with(&digits)).collect();
    match fits.as_slice() {
        [conflict] => Ok(conflict),
        [] => Err(RunError::Usage(format!("No conflict `{target}` is open. {}", listed(open)))),
        several => {
            let several: Vec<&Conflict> = several.iter().map(|conflict| **conflict).collect();
            Err(RunError::Usage(format!(
                "`{target}` fits several conflicts; give more digits. {}",
                listed(&several)
            )))
        }
    }
}

fn listed(open: &[&Conflict]) -> String {
    if open.is_empty() {
        return "No conflict is open.".to_owned();
    }
    let open: Vec<String> = open
        .iter()
        .map(|conflict| {
            format!("{} ({}, {})", conflict.fingerprint, conflict.key, conflict.stretch)
        })
        .collect();
    format!("Open: {}.", open.join("; "))
}

/// The answer to an artifact's open question, where it has one.
fn question(world: &World, key: &Key, keep: Keep) -> Result<Answer, RunError> {
    let Some(question) = world.questions.get(key) else {
        let of = world.questions.iter().find_map(|(old, question)| match question {
            Question::Vanished(new) if new == key => Some(old),
            _ => None,
        });
        return Err(RunError::Usage(match of {
            Some(old) => format!(
                "{key} looks like {old} under a new id. Say `agent-sync relabel {old} {key}`, or `agent-sync resolve \
                 {old} --keep local` if they are two."
            ),
            None => format!("There is no open conflict of {key}."),
        }));
    };
    match (question, keep) {
        (Question::Vanished(_), Keep::Local) => Ok(Answer::Distinct(key.clone())),
        (Question::Vanished(new), _) => Err(RunError::Usage(format!(
            "{new} looks like {key} under a new id. `--keep local` says that they are two; if they are one, say \
             `agent-sync relabel {key} {new}`."
        ))),
        (Question::NotVisible(page), Keep::Local) => Ok(Answer::Gone(page.clone())),
        (Question::NotVisible(_), _) => Err(RunError::Usage(format!(
            "The page that the file of {key} names is not visible. `--keep local` says that it is gone and that the \
             file gets a new one; otherwise share it with the connection."
        ))),
        (Question::IdChanged, _) => Err(RunError::Usage(format!(
            "The page of {key} has another ID now. Set it back there, or say `agent-sync relabel {key} NEW`."
        ))),
    }
}
