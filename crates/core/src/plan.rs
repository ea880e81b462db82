//! The three-way plan: pure data computed from what both sides hold, the bases and the open proposals.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::markdown::Clash;
use crate::model::{Key, Side, Stretch, Value};

mod merge;

pub use merge::{Merge, clash};

/// What one side holds for one stretch. Nothing (an unset property, an empty body) is `None` around this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A property's value.
    Value(Value),
    /// A body.
    Body {
        /// Digest of the canonical form; equal on both sides when they hold the same content.
        digest: String,
        /// Id (SHA-256) of the text it was read from: locally the whole file, remotely the body.
        text: String,
    },
}

impl Content {
    /// What is compared: two texts with the same canonical form are the same content.
    pub fn canonical(&self) -> String {
        match self {
            Self::Value(Value::Text(text)) => format!("text:{text}"),
            Self::Value(Value::Set(members)) => {
                format!("set:{}", members.iter().cloned().collect::<Vec<_>>().join("\n"))
            }
            Self::Body { digest, .. } => format!("body:{digest}"),
        }
    }

    /// Id of the text behind a body.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Body { text, .. } => Some(text),
            Self::Value(_) => None,
        }
    }
}

fn same(a: Option<&Content>, b: Option<&Content>) -> bool {
    a.map(Content::canonical) == b.map(Content::canonical)
}

/// What both sides were known to hold at one time, each in its own form (rule 3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// What the file held.
    pub local: Option<Content>,
    /// What the backend returned.
    pub remote: Option<Content>,
    /// Where blocks clash, the two texts above hold the old base there, and neither side ever held them whole. Then
    /// this is what the file held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Content>,
    /// Fingerprints of the conflicts that were open then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
}

impl Pair {
    /// A pair of whole texts or values.
    pub fn new(local: Option<Content>, remote: Option<Content>) -> Self {
        Self { local, remote, file: None, open: Vec::new() }
    }

    /// Whether a version of the file shows that the pair was merged (rule 15).
    pub fn is_held_by(&self, version: Option<&Content>) -> bool {
        match &self.file {
            Some(file) => same(Some(file), version),
            None => self.holds(Side::Local, version),
        }
    }

    /// Whether both pairs hold the same content on both sides.
    pub fn same(&self, other: &Self) -> bool {
        same(self.local.as_ref(), other.local.as_ref())
            && same(self.remote.as_ref(), other.remote.as_ref())
    }

    /// Whether this side of the pair holds that content.
    pub fn holds(&self, side: Side, content: Option<&Content>) -> bool {
        match side {
            Side::Local => same(self.local.as_ref(), content),
            Side::Remote => same(self.remote.as_ref(), content),
        }
    }
}

/// One stretch as observed, with what is known about it.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What both sides were last agreed to hold; `None` when they never agreed.
    pub base: Option<Pair>,
    /// Open proposals in the order they were made (rule 15); none of them older than the base.
    pub proposed: Vec<Pair>,
    /// What the file holds now.
    pub local: Option<Content>,
    /// What the backend holds now.
    pub remote: Option<Content>,
}

/// What is to be done with a stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Both sides are at the base, or at a pair already proposed.
    Nothing,
    /// Both sides hold the same content, which is not the base yet: propose it, write nothing (rule 4).
    Agree,
    /// The file's content goes to the backend; the pair is what both sides were at before.
    Push(Option<Pair>),
    /// The backend's content goes to the file.
    Pull(Option<Pair>),
    /// Both sides changed a set: both get all that was added, and lose what was taken out.
    Join {
        /// What both were at before.
        base: Pair,
        /// The value for both.
        value: Option<Content>,
    },
    /// Both sides changed the body, in different blocks for the most part.
    Merge(Box<Merge>),
    /// A person has to choose.
    Conflict(Box<Conflict>),
}

/// Both sides changed the same stretch differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The artifact.
    pub key: Key,
    /// The stretch; deletion against edit is a conflict of the body.
    pub stretch: Stretch,
    /// Stable over runs for the same three contents (rule 17); 16 hex digits.
    pub fingerprint: String,
    /// What both sides last agreed on.
    pub base: Option<Pair>,
    /// The file's content.
    pub local: Option<Content>,
    /// The backend's content.
    pub remote: Option<Content>,
    /// The side that deleted the artifact, where that is the clash (rule 8).
    pub deleted: Option<Side>,
    /// The block that clashes, where the rest of the body merges.
    pub block: Option<Clash>,
}

fn fingerprint(key: &Key, stretch: &Stretch, seen: &Observed, deleted: Option<Side>) -> String {
    let part = |content: Option<&Content>| content.map(Content::canonical).unwrap_or_default();
    let base = seen.base.clone().unwrap_or_default();
    let mut hash = Sha256::new();
    for text in [
        key.to_string(),
        stretch.to_string(),
        format!("{deleted:?}"),
        part(base.local.as_ref()),
        part(base.remote.as_ref()),
        part(seen.local.as_ref()),
        part(seen.remote.as_ref()),
    ] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    short(hash)
}

fn short(hash: Sha256) -> String {
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A conflict of this stretch with its fingerprint.
pub fn conflict(key: &Key, stretch: &Stretch, seen: &Observed, deleted: Option<Side>) -> Conflict {
    Conflict {
        key: key.clone(),
        stretch: stretch.clone(),
        fingerprint: fingerprint(key, stretch, seen, deleted),
        base: seen.base.clone(),
        local: seen.local.clone(),
        remote: seen.remote.clone(),
        deleted,
        block: None,
    }
}

/// The conflict of a deletion on `side` with an edit on the other (rule 8). Its fingerprint covers every stretch,
/// so that an answer to it holds for no later edit of any of them.
pub fn deletion(key: &Key, stretches: &BTreeMap<Stretch, Observed>, side: Side) -> Conflict {
    let none = Observed::default();
    let body = stretches.get(&Stretch::Body).unwrap_or(&none);
    let mut hash = Sha256::new();
    for (stretch, seen) in stretches {
        hash.update(fingerprint(key, stretch, seen, Some(side)));
    }
    Conflict { fingerprint: short(hash), ..conflict(key, &Stretch::Body, body, Some(side)) }
}

/// Decides one stretch from what both sides hold (rules 3, 4, 5 and 15).
pub fn step(key: &Key, stretch: &Stretch, seen: &Observed) -> Step {
    let (local, remote) = (seen.local.as_ref(), seen.remote.as_ref());
    let now = Pair::new(seen.local.clone(), seen.remote.clone());
    if seen.base.as_ref().is_some_and(|base| base.same(&now)) {
        return Step::Nothing;
    }
    if seen.proposed.iter().any(|pair| pair.same(&now)) {
        return Step::Nothing;
    }
    if same(local, remote) {
        return match (&seen.base, local) {
            (None, None) => Step::Nothing,
            _ => Step::Agree,
        };
    }
    let Some(base) = &seen.base else {
        // The newest proposal is the only one whose text either side can have come from.
        if let Some(last) = seen.proposed.last()
            && last.holds(Side::Local, local)
        {
            return Step::Pull(Some(last.clone()));
        }
        return match (local, remote) {
            (Some(_), None) => Step::Push(None),
            (None, Some(_)) => Step::Pull(None),
            _ => Step::Conflict(Box::new(conflict(key, stretch, seen, None))),
        };
    };
    match (base.holds(Side::Local, local), base.holds(Side::Remote, remote)) {
        (false, true) => Step::Push(Some(base.clone())),
        (true, false) => Step::Pull(Some(base.clone())),
        (true, true) => Step::Nothing,
        (false, false) => match seen.proposed.last() {
            // The file is as our last proposal left it, so the backend's change was made on top of it. The
            // mirror case proves nothing: the file may descend from the base instead.
            Some(last) if last.holds(Side::Local, local) => Step::Pull(Some(last.clone())),
            _ => match merge::join(base, local, remote) {
                Some(value) => Step::Join { base: base.clone(), value },
                None => Step::Conflict(Box::new(conflict(key, stretch, seen, None))),
            },
        },
    }
}

/// Whether the file of an artifact is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalPresence {
    /// It is there and was read.
    Present,
    /// There is none.
    Absent,
}

/// Whether the page of an artifact is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemotePresence {
    /// It lives in its database.
    Present,
    /// No page is known for the artifact.
    Absent,
    /// In the trash.
    Trashed,
    /// Archived, moved, or not visible to us: left alone (rule 7).
    Away,
}

/// What happens to an artifact as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existence {
    /// It is on both sides; its stretches decide.
    Both,
    /// Make a page from the file.
    CreateRemote,
    /// Make a file from the page.
    CreateLocal,
    /// The file was deleted and the page was not touched: trash the page.
    TrashRemote,
    /// The page was trashed and the file was not touched: delete the file.
    DeleteLocal,
    /// Deleted on this side, edited on the other (rule 8).
    DeletedAgainstEdit(Side),
    /// Deleted on both sides.
    Gone,
    /// Not to be touched.
    LeftAlone,
}

/// Decides the existence of an artifact (rules 5, 7 and 8). `agreed` says whether it has a base at all;
/// `local_changed` and `remote_changed` whether the side that is left differs from it.
pub fn existence(
    local: LocalPresence,
    remote: RemotePresence,
    agreed: bool,
    local_changed: bool,
    remote_changed: bool,
) -> Existence {
    match (local, remote) {
        (LocalPresence::Present, RemotePresence::Present) => Existence::Both,
        (LocalPresence::Present, RemotePresence::Absent) => Existence::CreateRemote,
        (LocalPresence::Absent, RemotePresence::Present) if !agreed => Existence::CreateLocal,
        (LocalPresence::Absent, RemotePresence::Present) if remote_changed => {
            Existence::DeletedAgainstEdit(Side::Local)
        }
        (LocalPresence::Absent, RemotePresence::Present) => Existence::TrashRemote,
        // Without a base nothing is deleted (rule 5).
        (LocalPresence::Present, RemotePresence::Trashed) if !agreed || local_changed => {
            Existence::DeletedAgainstEdit(Side::Remote)
        }
        (LocalPresence::Present, RemotePresence::Trashed) => Existence::DeleteLocal,
        (LocalPresence::Absent, RemotePresence::Trashed | RemotePresence::Absent) => {
            Existence::Gone
        }
        (_, RemotePresence::Away) => Existence::LeftAlone,
    }
}

/// Takes over the proposals that the default branch holds (rule 15): of those whose local content is among
/// `held`, the newest becomes the base, and every proposal of the stretch is dropped because its base moved. True
/// if the base moved. Where the branch went on to an older text, be it the old base or an older proposal, that is a
/// revert: an edit of the newest text that it held.
pub fn adopt(base: &mut Option<Pair>, proposed: &mut Vec<Pair>, held: &[Option<Content>]) -> bool {
    let holds = |pair: &&Pair| held.iter().any(|version| pair.is_held_by(version.as_ref()));
    let Some(pair) = proposed.iter().rev().find(holds).cloned() else { return false };
    *base = Some(pair);
    proposed.clear();
    true
}

/// Limits of rule 9 and what a run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Artifacts that the run would delete, by kind.
    pub deletes: BTreeMap<String, usize>,
    /// Artifacts with a stretch that would be overwritten.
    pub overwrites: BTreeSet<Key>,
    /// Artifacts that exist, by kind.
    pub existing: BTreeMap<String, usize>,
}

/// A guard that stops the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What would happen and what to do; sentences with periods.
    pub message: String,
}

/// Bounded damage (rule 9). `max_delete` and `max_change` are percentages of what exists; `allow_*` are the
/// counts that a person allowed once.
pub fn guard(
    damage: &Damage,
    max_delete: f64,
    max_change: f64,
    allow_delete: Option<usize>,
    allow_change: Option<usize>,
) -> Vec<Stop> {
    let total: usize = damage.existing.values().sum();
    let share = |percent: f64| (total as f64 * percent / 100.0).floor() as usize;
    let deletes: usize = damage.deletes.values().sum();
    let mut stops = Vec::new();
    let delete_limit = share(max_delete).max(5);
    if deletes > allow_delete.unwrap_or(delete_limit) {
        stops.push(Stop {
            message: format!(
                "This run would delete {deletes} of {total} artifacts; the limit is {delete_limit}. \
                 Check the plan with `--dry-run`, then pass `--allow delete={deletes}`."
            ),
        });
    } else if allow_delete.is_none() {
        for (kind, count) in &damage.deletes {
            let existing = damage.existing.get(kind).copied().unwrap_or(0);
            // One document of one is an edit of that document's owner, not an accident of a kind.
            if *count >= existing && existing > 1 {
                stops.push(Stop {
                    message: format!(
                        "This run would delete all {existing} artifacts of kind `{kind}`. \
                         Check the plan with `--dry-run`, then pass `--allow delete={deletes}`."
                    ),
                });
            }
        }
    }
    let overwrites = damage.overwrites.len();
    let change_limit = share(max_change).max(20);
    if overwrites > allow_change.unwrap_or(change_limit) {
        stops.push(Stop {
            message: format!(
                "This run would overwrite {overwrites} of {total} artifacts; the limit is {change_limit}. \
                 Check the plan with `--dry-run`, then pass `--allow change={overwrites}`."
            ),
        });
    }
    stops
}

/// Whether a new text is likely an old document under another id (rule 8): it shares at least half of the
/// old one's lines that are not blank.
pub fn shares_half(old: &str, new: &str) -> bool {
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let old = lines(old);
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines(new) {
        *left.entry(line).or_default() += 1;
    }
    let shared = old
        .iter()
        .filter(|line| match left.get_mut(*line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        })
        .count();
    !old.is_empty() && shared * 2 >= old.len()
}

/// Whether `now` holds every change that led from `base` to `proposal`, so that it can be taken as an edit made
/// on top of the proposal: on the way from the proposal to `now` no line goes that the proposal brought, and none
/// comes back that it took away.
pub fn includes(base: &str, proposal: &str, now: &str) -> bool {
    use similar::{ChangeTag, TextDiff};
    let lines = |from: &str, to: &str, tag: ChangeTag| -> BTreeSet<String> {
        TextDiff::from_lines(from, to)
            .iter_all_changes()
            .filter(|change| change.tag() == tag)
            .map(|change| change.value().trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    };
    let brought = lines(base, proposal, ChangeTag::Insert);
    let taken = lines(base, proposal, ChangeTag::Delete);
    brought.is_disjoint(&lines(proposal, now, ChangeTag::Delete))
        && taken.is_disjoint(&lines(proposal, now, ChangeTag::Insert))
}

#[cfg(test)]
mod tests;
