//! Markdown: blocks with byte spans, the dialects of the backends, alignment and the edits between them.
//!
//! Both grammars are read into one block tree in normal form (`block`, `inline`); two bodies are the same
//! content exactly when their trees are equal. Changes travel between the sides as edits of single blocks: the
//! text around them stays byte for byte.
//!
//! What one side cannot express stays where it is (design §6). HTML comments, reference and footnote definitions
//! exist only in the file. Blocks that only Notion has are a line `<!-- notion: name -->` in a file; deleting
//! that line does nothing to them. Other HTML in a file is sent as the literal text that it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::kind::Format;

mod align;
mod answer;
mod block;
mod container;
mod dialect;
mod html;
mod inline;
mod inside;
mod keep;
mod language;
mod links;
mod local_inline;
mod local_parse;
mod local_render;
mod local_text;
mod merge;
mod plain;
mod pull;
mod push;
mod relink;
mod splice;
mod table_tags;
#[cfg(test)]
mod tests;
mod translate;
mod url;
mod v1_inline;
mod v1_parse;
mod v1_render;
mod v2_inline;
mod v2_line;
mod v2_parse;
mod v2_render;
mod v2_tags;
mod whole;
mod words;
mod yaml;

pub use dialect::Dialect;
pub use links::{Entry, Fate, FileLink, Links, Site, Web, file_links};
pub use merge::{Choice, Clash, Merged, Sides, blend, merge};
pub use translate::translate;
pub use whole::{body_text, empty_digest, has_children, plan_restore};

use align::{Link, Slot, Step};
use block::{Block, Keyed, LocalUnit, Node, RemoteUnit};

/// A conditional replacement in a backend's body.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hunk {
    /// Byte range of `old` in the text that was read.
    pub at: Range<usize>,
    /// The exact text there; occurs once in the text that was read.
    pub old: String,
    /// What it becomes.
    pub new: String,
}

/// A file's text with the parts that are properties (front matter, title, `## State` section), which are no body.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// The whole file.
    pub text: &'a str,
    /// Byte ranges that are not body; sorted and disjoint.
    pub excluded: &'a [Range<usize>],
    /// Form of the file.
    pub format: Format,
    /// Where its relative links lead; without it they are sent as text.
    pub links: Option<&'a Links>,
}

/// A replacement in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Byte range that is replaced.
    pub at: Range<usize>,
    /// What stands there afterwards.
    pub new: String,
}

/// What is to be sent to bring a body to what the file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// The body holds it already.
    Nothing,
    /// Write this at the end: the body has nothing that could be replaced.
    Append(String),
    /// Replace these, in order of the text; their places do not touch.
    Edit(Vec<Hunk>),
    /// It cannot be written without touching something else; says why.
    Impossible(String),
}

/// What an answer to a body write says (rules 2 and 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The remote base after the write: the text read before, with our hunks replaced by what the answer holds
    /// there. Never holds somebody else's edit.
    pub base: String,
    /// For each hunk, whether it took effect.
    pub applied: Vec<bool>,
    /// The answer differs elsewhere: somebody edited the page meanwhile.
    pub unexpected: bool,
}

/// Whether a write without answer took effect (rule 16, the part that the text tells).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Every hunk did, and nothing else changed.
    Applied(Answer),
    /// The text is as before.
    NotApplied,
    /// Anything else.
    Unclear,
}

/// The text with the edits made; edits must be sorted and disjoint. Edits outside of the text are left out.
pub fn apply_edits(text: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        let Some(before) =
            text.get(at..edit.at.start).filter(|_| text.get(edit.at.clone()).is_some())
        else {
            continue;
        };
        out.push_str(before);
        out.push_str(&edit.new);
        at = edit.at.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The text with the hunks made, as the backend would hold it if it changed nothing else.
pub fn apply_hunks(text: &str, hunks: &[Hunk]) -> String {
    push::apply(text, hunks)
}

fn local_units(local: &Local<'_>) -> Vec<LocalUnit> {
    match local.format {
        Format::Markdown => local_parse::parse(local),
        Format::Yaml => yaml::units(local),
    }
}

fn remote_units(dialect: Dialect, text: &str) -> Vec<RemoteUnit> {
    dialect.parse(text)
}

fn digest<U: Keyed>(units: &[U]) -> String {
    let mut hash = Sha256::new();
    for key in units.iter().filter(|unit| unit.node().counts()).map(Keyed::key) {
        hash.update(key.len().to_le_bytes());
        hash.update(key.as_bytes());
    }
    hash.finalize().iter().fold(String::new(), |mut out, byte| {
        // Writing into a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Lower-case hexadecimal SHA-256 of the canonical form of a file's body.
///
/// Equal to [`remote_digest`] exactly when both hold the same canonical content.
pub fn local_digest(local: &Local<'_>) -> String {
    digest(&local_units(local))
}

/// Lower-case hexadecimal SHA-256 of the canonical form of a backend's body.
pub fn remote_digest(dialect: Dialect, text: &str) -> String {
    digest(&remote_units(dialect, text))
}

/// The digest of a file's body as a backend's body was written from it: where a link leads elsewhere since, it is
/// still the content of that body.
pub fn agreed_digest(local: &Local<'_>, dialect: Dialect, remote: &str) -> String {
    let units = relink::as_agreed(local_units(local), &remote_units(dialect, remote), local.links);
    digest(&units)
}

/// Whether a file holds what a backend's body holds, as far as a file can: a mention is a link there, and text
/// that is a link in a file is one.
pub fn is_pulled(local: &Local<'_>, dialect: Dialect, remote: &str) -> bool {
    let (found, wanted) = (local_units(local), remote_units(dialect, remote));
    let found: Vec<&Node> = found.iter().map(|u| &u.node).filter(|node| node.counts()).collect();
    let wanted: Vec<&Node> = wanted.iter().map(|u| &u.node).filter(|node| node.counts()).collect();
    found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(a, b)| relink::is_held(a, b, local.links))
}

/// Whether a file's body is what we write into a file for a backend's body, though their digests differ: mentions
/// are links in a file.
pub fn is_rendering(local: &Local<'_>, dialect: Dialect, remote: &str) -> bool {
    let Some(links) = local.links else { return false };
    let mut written = remote_units(dialect, remote);
    for unit in &mut written {
        unit.node = relink::without_mentions(&unit.node, links, None);
        unit.key = unit.node.key();
    }
    digest(&written) == local_digest(local)
}

/// Whether a file has no body: nothing that would be sent.
pub fn local_is_empty(local: &Local<'_>) -> bool {
    !local_units(local).iter().any(|unit| unit.node.counts())
}

/// Whether a backend's body holds nothing that a file can hold.
pub fn remote_is_empty(dialect: Dialect, text: &str) -> bool {
    !remote_units(dialect, text).iter().any(|unit| unit.node.counts())
}

/// The whole body as it is sent for a new page.
pub fn render_remote(local: &Local<'_>, dialect: Dialect) -> String {
    if let Some(text) = as_it_is(local, dialect) {
        return text;
    }
    let nodes: Vec<Node> = local_units(local).into_iter().map(|unit| unit.node).collect();
    dialect.render(&nodes)
}

/// The whole body as [`render_remote`] wrote it when a body was made from it that came back as `remote`: links that
/// lead elsewhere since are as they were.
pub fn render_agreed(local: &Local<'_>, dialect: Dialect, remote: &str) -> String {
    if let Some(text) = as_it_is(local, dialect) {
        return text;
    }
    let units = relink::as_agreed(local_units(local), &remote_units(dialect, remote), local.links);
    let nodes: Vec<Node> = units.into_iter().map(|unit| unit.node).collect();
    dialect.render(&nodes)
}

/// The text of a body for a store that keeps it as it is.
fn as_it_is(local: &Local<'_>, dialect: Dialect) -> Option<String> {
    if dialect == Dialect::Markdown { kept(local, &local_digest(local)) } else { None }
}

/// The body of a file for [`Dialect::Markdown`], where that is the file's own text; `digest` is its
/// [`local_digest`], and the text's [`remote_digest`], too.
pub fn kept(local: &Local<'_>, digest: &str) -> Option<String> {
    plain::kept(local, digest)
}

/// The whole body as it stands in a new file: LF, with a final newline unless it is empty.
pub fn render_local(
    dialect: Dialect,
    remote: &str,
    format: Format,
    links: Option<&Links>,
) -> String {
    let units = remote_units(dialect, remote);
    let mut out = match format {
        Format::Yaml => yaml::text(&units),
        Format::Markdown if dialect == Dialect::Markdown => plain::filed(remote),
        Format::Markdown => {
            let as_links = |node: Node| match links {
                Some(links) => relink::without_mentions(&node, links, None),
                None => node,
            };
            let nodes: Vec<Node> = units.into_iter().map(|unit| as_links(unit.node)).collect();
            local_render::render(&nodes, &local_render::Surroundings::default(), links)
        }
    };
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// What to send so that a body holds the file's content.
///
/// `base` is a pair that was agreed to be the same, though it need not be canonically equal; then only what
/// differs between its file and `local` changes in `remote`. Without it both are aligned by content, equal blocks
/// stay untouched and all others are replaced. Blocks that only the backend has are never touched.
pub fn plan_push(
    dialect: Dialect,
    base: Option<(&Local<'_>, &str)>,
    local: &Local<'_>,
    remote: &str,
) -> Push {
    let target = remote_units(dialect, remote);
    let new = local_units(local);
    let shown: Vec<RemoteUnit> = target.iter().filter(|unit| is_visible(unit)).cloned().collect();
    let mut labels = BTreeSet::new();
    let (steps, link) = match base {
        Some((base_local, base_remote)) => {
            let old = local_units(base_local);
            labels = relink::labels(&old);
            let mut agreed = remote_units(dialect, base_remote);
            agreed.retain(is_visible);
            let old = relink::as_agreed(old, &agreed, base_local.links);
            let link = Link::agreed(&old, &agreed);
            let link = if base_remote == remote { link } else { link.followed(&agreed, &shown) };
            (align::steps(&old, &new), link)
        }
        None => (align::steps(&shown, &new), Link::identity(shown.len())),
    };
    if steps.iter().all(|step| matches!(step, Step::Keep(..))) {
        return Push::Nothing;
    }
    if !target.iter().any(|unit| unit.node.counts()) {
        if let Some(text) = as_it_is(local, dialect).filter(|_| remote.trim().is_empty()) {
            return if text.is_empty() { Push::Nothing } else { Push::Append(text) };
        }
        let nodes: Vec<Node> = new.into_iter().map(|unit| unit.node).collect();
        return append(dialect, &nodes);
    }
    if let (Dialect::Markdown, Some((base_local, _))) = (dialect, base)
        && let Some(hunks) = plain::push(base_local, local, remote)
    {
        return Push::Edit(hunks);
    }
    match align::transfer(&steps, &link, &new, shown.len()) {
        Ok(slots) => push_slots(dialect, remote, &target, slots, &labels),
        Err(align::Lost) => {
            Push::Impossible("the text that would change is not there any more".to_owned())
        }
    }
}

/// The blocks that can only be written at the end: there is nothing that could be replaced, and nothing goes.
fn appended<'n>(units: &[RemoteUnit], slots: &[Slot<'n>]) -> Option<Vec<&'n Node>> {
    let is_free = |unit: &RemoteUnit| !unit.frozen && unit.node.counts();
    let counts = |at: usize| units.get(at).is_some_and(|unit| unit.node.counts());
    let mut out = Vec::new();
    for slot in slots {
        match slot {
            Slot::Added(node) => out.push(*node),
            Slot::Kept(at) if counts(*at) && !out.is_empty() => return None,
            Slot::Changed(at, _) | Slot::Removed(at) if counts(*at) => return None,
            Slot::Changed(_, node) => out.push(*node),
            Slot::Kept(_) | Slot::Removed(_) => {}
        }
    }
    (!units.iter().any(is_free)).then_some(out)
}

fn append(dialect: Dialect, nodes: &[Node]) -> Push {
    let text = dialect.render(nodes);
    if text.is_empty() { Push::Nothing } else { Push::Append(text) }
}

/// What brings slots over the visible units of a body about. `labels` are links of the file that nobody changed.
fn push_slots(
    dialect: Dialect,
    text: &str,
    units: &[RemoteUnit],
    slots: Vec<Slot<'_>>,
    labels: &BTreeSet<(String, String)>,
) -> Push {
    if slots.iter().all(|slot| matches!(slot, Slot::Kept(_))) {
        return Push::Nothing;
    }
    let visible: Vec<usize> =
        (0..units.len()).filter(|at| units.get(*at).is_some_and(is_visible)).collect();
    let slots = with_hidden(slots, &visible, units.len());
    if let Some(nodes) = appended(units, &slots) {
        return append(dialect, &nodes.into_iter().cloned().collect::<Vec<_>>());
    }
    let nodes = relink::pushed(&slots, units, labels);
    match push::hunks(dialect, text, units, relink::replaced(slots, &nodes, units)) {
        Ok(hunks) if hunks.is_empty() => Push::Nothing,
        Ok(hunks) => Push::Edit(hunks),
        Err(reason) => Push::Impossible(reason),
    }
}

fn is_visible(unit: &RemoteUnit) -> bool {
    unit.node.block != Block::Empty
}

/// Slots over all units, from slots over the visible ones.
fn with_hidden<'n>(slots: Vec<Slot<'n>>, visible: &[usize], len: usize) -> Vec<Slot<'n>> {
    let mut out = Vec::with_capacity(slots.len());
    let mut next = 0;
    for slot in slots {
        let at = match slot {
            Slot::Kept(at) | Slot::Changed(at, _) | Slot::Removed(at) => visible.get(at).copied(),
            Slot::Added(_) => None,
        };
        if let Some(at) = at {
            out.extend((next..at).map(Slot::Kept));
            next = at + 1;
        }
        out.push(match (slot, at) {
            (Slot::Kept(_), Some(at)) => Slot::Kept(at),
            (Slot::Changed(_, node), Some(at)) => Slot::Changed(at, node),
            (Slot::Removed(_), Some(at)) => Slot::Removed(at),
            (slot, _) => slot,
        });
    }
    out.extend((next..len).map(Slot::Kept));
    out
}

/// The edits that bring a file to what a body holds.
///
/// As [`plan_push`] in the other direction. With a base the file's body is expected to be that of the base; where
/// a block that must change is not in the file any more, nothing is edited. Excluded ranges are never touched.
pub fn plan_pull(
    dialect: Dialect,
    base: Option<(&Local<'_>, &str)>,
    local: &Local<'_>,
    remote: &str,
) -> Vec<Edit> {
    let mut new = remote_units(dialect, remote);
    if local.format == Format::Yaml {
        let unchanged = base.is_some_and(|(_, base_remote)| {
            yaml::text(&remote_units(dialect, base_remote)) == yaml::text(&new)
        });
        return if unchanged { Vec::new() } else { yaml::edits(local, &yaml::text(&new)) };
    }
    if let (Dialect::Markdown, Some((_, base_remote))) = (dialect, base)
        && let Some(edits) = plain::pull(base_remote, local, remote)
    {
        return edits;
    }
    new.retain(is_visible);
    let target = local_units(local);
    let (steps, link) = match base {
        Some((base_local, base_remote)) => {
            let mut old = remote_units(dialect, base_remote);
            old.retain(is_visible);
            let agreed = relink::as_agreed(local_units(base_local), &old, base_local.links);
            let link = Link::agreed(&old, &agreed);
            let link = if base_local.text == local.text {
                link
            } else {
                link.followed(&agreed, &relink::as_agreed(target.clone(), &old, local.links))
            };
            (align::steps(&old, &new), link)
        }
        None => (align::steps(&target, &new), Link::identity(target.len())),
    };
    match align::transfer(&steps, &link, &new, target.len()) {
        Ok(slots) => {
            let nodes = relink::pulled(&slots, &target, local.links);
            pull::edits(local, &target, &relink::replaced(slots, &nodes, &target))
        }
        Err(align::Lost) => Vec::new(),
    }
}

/// Reads the body that a write answered with (rules 2 and 3). `before` is the text that `hunks` were planned on;
/// for a body that was appended to, one hunk with an empty `old` at its end.
pub fn read_answer(dialect: Dialect, before: &str, hunks: &[Hunk], answer: &str) -> Answer {
    answer::read(dialect, before, hunks, answer)
}

/// Whether a write whose answer never came took effect, from the text that is there now (rule 16).
pub fn recover(dialect: Dialect, before: &str, hunks: &[Hunk], now: &str) -> Recovery {
    if now == before {
        return Recovery::NotApplied;
    }
    let answer = read_answer(dialect, before, hunks, now);
    if answer.unexpected {
        return Recovery::Unclear;
    }
    let left = hunks.iter().any(|hunk| {
        !hunk.old.is_empty() && !hunk.new.contains(&hunk.old) && now.contains(&hunk.old)
    });
    if answer.applied.iter().all(|applied| *applied) && !left {
        Recovery::Applied(answer)
    } else if answer.applied.contains(&true) {
        Recovery::Unclear
    } else {
        Recovery::NotApplied
    }
}

/// Whether a change of a file takes away more than half of its blocks (rule 9).
pub fn local_removes_more_than_half(old: &Local<'_>, new: &Local<'_>) -> bool {
    removes_more_than_half(&local_units(old), &local_units(new))
}

/// Whether a change of a backend's body takes away more than half of its blocks (rule 9).
pub fn remote_removes_more_than_half(dialect: Dialect, old: &str, new: &str) -> bool {
    removes_more_than_half(&remote_units(dialect, old), &remote_units(dialect, new))
}

fn removes_more_than_half<U: block::Keyed>(old: &[U], new: &[U]) -> bool {
    let counts = |at: &usize| old.get(*at).is_some_and(|unit| unit.node().counts());
    let total = (0..old.len()).filter(counts).count();
    let removed = align::steps(old, new)
        .into_iter()
        .filter(|step| match step {
            Step::Remove(at) => counts(at),
            Step::Change(at, to) => match (old.get(*at), new.get(*to)) {
                (Some(was), Some(is)) => !align::are_similar(was.node(), is.node()),
                _ => false,
            },
            _ => false,
        })
        .count();
    removed * 2 > total
}

/// The first line of the file's body that differs from the base's, from 1; nothing if the bodies are equal.
pub fn first_changed_line(base: &Local<'_>, local: &Local<'_>) -> Option<usize> {
    let line_of = |at: usize| 1 + local.text.get(..at).unwrap_or_default().matches('\n').count();
    let (old, new) = (local_units(base), local_units(local));
    let mut next = 0;
    for step in align::steps(&old, &new) {
        match step {
            Step::Keep(_, at) => next = at + 1,
            Step::Add(at) => return new.get(at).map(|unit| line_of(unit.span.start)),
            Step::Change(was, at) => {
                let (was, is) = (old.get(was)?, new.get(at)?);
                let before = base.text.get(was.span.clone()).unwrap_or_default();
                let after = local.text.get(is.span.clone()).unwrap_or_default();
                let same = before.lines().zip(after.lines()).take_while(|(a, b)| a == b).count();
                let last = after.lines().count().saturating_sub(1);
                return Some(line_of(is.span.start) + same.min(last));
            }
            Step::Remove(_) => {
                let unit = new.get(next).or_else(|| new.last());
                return Some(unit.map_or(1, |unit| line_of(unit.span.start)));
            }
        }
    }
    None
}
