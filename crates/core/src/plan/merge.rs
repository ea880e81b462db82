//! Stretches that both sides changed and that need nobody: sets, and bodies whose blocks do not clash.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{Conflict, Content, Observed, Pair, conflict, short};
use crate::markdown::Clash;
use crate::model::{Key, Stretch, Value};

/// A body that is merged by blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// What both sides come from.
    pub base: Pair,
    /// Blocks that clash; everything else is merged.
    pub clashes: Vec<Conflict>,
    /// Whether the file has changes for the backend.
    pub push: bool,
    /// Whether the backend has changes for the file.
    pub pull: bool,
}

/// The conflict of one block. `nth` tells apart clashes of equal blocks.
pub fn clash(key: &Key, seen: &Observed, clash: &Clash, nth: usize) -> Conflict {
    let mut hash = Sha256::new();
    for text in [&key.to_string(), "block", &clash.digest, &nth.to_string()] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    Conflict {
        fingerprint: short(hash),
        block: Some(clash.clone()),
        ..conflict(key, &Stretch::Body, seen, None)
    }
}

/// The set that holds what both sides added and not what either took out; nothing for other values. `Some(None)` is
/// a set without members.
pub(super) fn join(
    base: &Pair,
    local: Option<&Content>,
    remote: Option<&Content>,
) -> Option<Option<Content>> {
    let set = |content: Option<&Content>| match content {
        None => Some(BTreeSet::new()),
        Some(Content::Value(Value::Set(members))) => Some(members.clone()),
        Some(_) => None,
    };
    // Somewhere there is a set, so that an unset text is none.
    let any = [base.local.as_ref(), local, remote].into_iter().flatten().next()?;
    set(Some(any))?;
    let (was_local, was_remote) = (set(base.local.as_ref())?, set(base.remote.as_ref())?);
    let (mine, theirs) = (set(local)?, set(remote)?);
    let gone: BTreeSet<&String> =
        was_local.difference(&mine).chain(was_remote.difference(&theirs)).collect();
    let all = mine.union(&theirs).filter(|member| !gone.contains(member));
    Some(Value::set(all.cloned()).map(Content::Value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[&str]) -> Option<Content> {
        Value::set(members.iter().copied()).map(Content::Value)
    }

    #[test]
    fn sets_merge_by_members() {
        let base = Pair::new(set(&["a", "b"]), set(&["a", "b"]));
        let join = |local: &[&str], remote: &[&str]| {
            super::join(&base, set(local).as_ref(), set(remote).as_ref())
        };
        assert_eq!(join(&["a", "b", "c"], &["a", "b", "d"]), Some(set(&["a", "b", "c", "d"])));
        assert_eq!(join(&["b", "c"], &["a"]), Some(set(&["c"])));
        assert_eq!(join(&["b"], &["a"]), Some(None));
        assert_eq!(join(&[], &["a", "b", "c"]), Some(set(&["c"])));
        // Added by both and taken out by one later is two different things: an addition stays.
        assert_eq!(join(&["a", "b", "x"], &["a", "x"]), Some(set(&["a", "x"])));
    }

    #[test]
    fn other_values_do_not_merge() {
        let text = |text: &str| Value::text(text).map(Content::Value);
        let base = Pair::new(text("a"), text("a"));
        assert_eq!(join(&base, text("b").as_ref(), text("c").as_ref()), None);
        assert_eq!(join(&base, None, text("c").as_ref()), None);
    }

    #[test]
    fn equal_clashes_are_told_apart() {
        let (key, seen) = (Key::new("story", "A-1"), Observed::default());
        let block = Clash {
            digest: "d".into(),
            base: String::new(),
            local: "l".into(),
            remote: "r".into(),
            line: 3,
            held: (String::new(), String::new()),
            place: String::new(),
        };
        let one = clash(&key, &seen, &block, 0);
        assert_eq!(one.fingerprint, clash(&key, &seen, &block, 0).fingerprint);
        assert_ne!(one.fingerprint, clash(&key, &seen, &block, 1).fingerprint);
        let moved = Clash { line: 9, ..block };
        assert_eq!(one.fingerprint, clash(&key, &seen, &moved, 0).fingerprint);
    }
}
