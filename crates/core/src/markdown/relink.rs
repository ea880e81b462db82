//! Comparing a file with a body apart from where links lead, and links apart from how the backend shows them.
//!
//! A link that could not be sent when a body was written is literal text there, though today its target has a
//! page. Such a block of the file is not what the body holds, and is sent again; but nobody edited it. And a link
//! to a page may be a mention there, whose label is the page's title.

use std::collections::{BTreeMap, BTreeSet};

use super::align::{Slot, Step, steps};
use super::block::{Block, Keyed, LocalUnit, Node, RemoteUnit};
use super::html::Tag;
use super::inline::{Inline, Marks, Piece, Run};
use super::links::Links;
use super::url;

/// Stands for a link, whatever its text and target.
const LINK: &str = "\u{fffc}";

/// Before the target of a link that is literal text.
const LITERAL: &str = "text:";

/// A block without its links.
struct Bare {
    node: Node,
    key: String,
    /// Where its links lead, in order.
    targets: Vec<String>,
}

impl Keyed for Bare {
    fn node(&self) -> &Node {
        &self.node
    }
    fn key(&self) -> &str {
        &self.key
    }
}

impl Bare {
    fn of(node: &Node) -> Self {
        let mut targets = Vec::new();
        let node = rewritten(node, &mut |part| match part {
            Part::Text(text) => Some(bare_text(text, &mut targets)),
            Part::Image(target) => {
                targets.push(url::canonical(target).into_owned());
                Some(Inline::text(LINK))
            }
        });
        Self { key: node.key(), node, targets }
    }
}

/// Whether a link of a file that leads to `found` is how a file holds one of a body that leads to `wanted`.
fn leads(found: &str, wanted: &str, links: Option<&Links>) -> bool {
    let through_the_file = |image| -> Option<String> {
        let links = links?;
        let local = match wanted.strip_prefix(LITERAL) {
            Some(literal) => literal.to_owned(),
            None => links.to_local(wanted, image)?,
        };
        Some(url::canonical(&links.to_remote(&local, image)?).into_owned())
    };
    found == wanted
        || [false, true].into_iter().any(|image| through_the_file(image).as_deref() == Some(found))
}

enum Part<'a> {
    Text(&'a Inline),
    /// The target of an image that is a block.
    Image(&'a str),
}

/// The block with other texts in it; an image becomes a paragraph where a text is given for it.
fn rewritten(node: &Node, map: &mut dyn FnMut(Part<'_>) -> Option<Inline>) -> Node {
    let mut text = |text: &Inline| map(Part::Text(text)).unwrap_or_else(|| text.clone());
    let block = match &node.block {
        Block::Paragraph(inline) => Block::Paragraph(text(inline)),
        Block::Heading(level, inline) => Block::Heading(*level, text(inline)),
        Block::Item(marker, inline) => Block::Item(*marker, text(inline)),
        Block::Table(Some(cells), columns) => {
            Block::Table(Some(cells.iter().map(text).collect()), *columns)
        }
        Block::Row(cells) => Block::Row(cells.iter().map(text).collect()),
        Block::Quote(content) => Block::Quote(all(content, map)),
        Block::Callout(alert, content) => Block::Callout(*alert, all(content, map)),
        Block::Toggle(title, content) => {
            let title = text(title);
            Block::Toggle(title, all(content, map))
        }
        Block::Image(_, target) => match map(Part::Image(target)) {
            Some(text) => Block::Paragraph(text),
            None => node.block.clone(),
        },
        other => other.clone(),
    };
    Node { depth: node.depth, block }
}

fn all(nodes: &[Node], map: &mut dyn FnMut(Part<'_>) -> Option<Inline>) -> Vec<Node> {
    nodes.iter().map(|node| rewritten(node, map)).collect()
}

/// Runs of which each is a link, or has none.
fn groups(text: &Inline) -> Vec<(Option<String>, Vec<Run>)> {
    let mut out: Vec<(Option<String>, Vec<Run>)> = Vec::new();
    for run in text.runs() {
        match out.last_mut() {
            Some((link, runs)) if *link == run.marks.link => runs.push(run.clone()),
            _ => out.push((run.marks.link.clone(), vec![run.clone()])),
        }
    }
    out
}

/// The page that a mention names, and its label.
fn mentioned(piece: &Piece) -> Option<(String, String)> {
    let Piece::Tag { raw, .. } = piece else { return None };
    let tag = Tag::at(raw).filter(|tag| matches!(tag.name, "mention-page" | "mention"))?;
    let target = url::settled(tag.attribute("url")?)?;
    let label = raw.get(tag.len..).and_then(|rest| rest.rsplit_once("</")).map_or("", |(l, _)| l);
    Some((target, super::v1_inline::parse(label).plain()))
}

/// A character, a link, or something else.
enum Atom {
    Char(char, Marks),
    Link(String),
    Other(Run),
}

fn bare_text(text: &Inline, targets: &mut Vec<String>) -> Inline {
    let mut atoms = Vec::new();
    for (link, runs) in groups(text) {
        if let Some(target) = link {
            atoms.push(Atom::Link(url::canonical(&target).into_owned()));
            continue;
        }
        for run in runs {
            match (&run.piece, mentioned(&run.piece)) {
                (_, Some((target, _))) => atoms.push(Atom::Link(target)),
                (Piece::Text(part), None) => {
                    atoms.extend(part.chars().map(|c| Atom::Char(c, run.marks.clone())));
                }
                _ => atoms.push(Atom::Other(run)),
            }
        }
    }
    let literals = literals(&atoms);
    let mut runs: Vec<Run> = Vec::new();
    let mut plain = |text: String, marks: Marks| runs.push(Run { piece: Piece::Text(text), marks });
    let mut others = Vec::new();
    let mut next = 0;
    for (at, atom) in atoms.iter().enumerate() {
        if at < next {
            continue;
        }
        // The mark of an image.
        let link_follows = literals.iter().any(|(range, _)| range.start == at + 1)
            || matches!(atoms.get(at + 1), Some(Atom::Link(_)));
        if let Some((range, target)) = literals.iter().find(|(range, _)| range.start == at) {
            targets.push(format!("{LITERAL}{target}"));
            plain(LINK.to_owned(), Marks::default());
            next = range.end;
            continue;
        }
        match atom {
            Atom::Char('!', _) if link_follows => {}
            Atom::Char(c, marks) => plain(c.to_string(), marks.clone()),
            Atom::Link(target) => {
                targets.push(target.clone());
                plain(LINK.to_owned(), Marks::default());
            }
            Atom::Other(run) => {
                plain(String::new(), Marks::default());
                others.push(run.clone());
            }
        }
    }
    let mut others = others.into_iter();
    let runs = runs.into_iter().filter_map(|run| match &run.piece {
        Piece::Text(text) if text.is_empty() => others.next(),
        _ => Some(run),
    });
    Inline::normal(runs.collect())
}

/// Places and targets of links that are literal text; of two within each other the outer one.
fn literals(atoms: &[Atom]) -> Vec<(std::ops::Range<usize>, String)> {
    let char_at = |at: usize| match atoms.get(at) {
        Some(Atom::Char(c, _)) => Some(*c),
        _ => None,
    };
    let mut open = Vec::new();
    let mut out: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    let mut at = 0;
    while at < atoms.len() {
        match char_at(at) {
            Some('[') => open.push(at),
            Some(']') => {
                let start = open.pop();
                if let (Some(start), Some('(')) = (start, char_at(at + 1))
                    && let Some(target) = target_from(&char_at, at + 2)
                {
                    let end = at + 3 + target.chars().count();
                    out.retain(|(range, _)| range.start < start);
                    out.push((start..end, target));
                    at = end;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    out
}

fn target_from(char_at: &impl Fn(usize) -> Option<char>, start: usize) -> Option<String> {
    let mut out = String::new();
    let mut depth = 0_usize;
    for at in start.. {
        match char_at(at)? {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(out),
            ')' => depth -= 1,
            _ => {}
        }
        out.push(char_at(at)?);
    }
    None
}

/// The units of a file as its body was written from them: where a link leads elsewhere now, the unit is what the
/// body holds. Both belong to one agreed pair.
pub(super) fn as_agreed(
    mut local: Vec<LocalUnit>,
    remote: &[RemoteUnit],
    links: Option<&Links>,
) -> Vec<LocalUnit> {
    let Some(links) = links else { return local };
    // An address that stands in the file is no path, whatever the body holds in its place.
    let moved = |a: &Bare, b: &Bare| {
        let mut pairs = a.targets.iter().zip(&b.targets).filter(|(a, b)| a != b).peekable();
        pairs.peek().is_some()
            && pairs.all(|(own, _)| own.starts_with(LITERAL) || links.is_of_a_path(own))
    };
    let own: Vec<Bare> = local.iter().map(|unit| Bare::of(&unit.node)).collect();
    if own.iter().all(|bare| bare.targets.is_empty()) {
        return local;
    }
    let there: Vec<Bare> = remote.iter().map(|unit| Bare::of(&unit.node)).collect();
    for step in steps(&own, &there) {
        let Step::Keep(at, to) = step else { continue };
        let (Some(a), Some(b)) = (own.get(at), there.get(to)) else { continue };
        if moved(a, b)
            && let (Some(unit), Some(remote)) = (local.get_mut(at), remote.get(to))
        {
            unit.node.clone_from(&remote.node);
            unit.key.clone_from(&remote.key);
        }
    }
    local
}

/// Whether a file's block is a body's, as a file can hold it.
pub(super) fn is_held(found: &Node, wanted: &Node, links: Option<&Links>) -> bool {
    if found.key() == wanted.key() {
        return true;
    }
    let (found, wanted) = (Bare::of(found), Bare::of(wanted));
    found.key == wanted.key
        && !found.targets.is_empty()
        && found.targets.len() == wanted.targets.len()
        && found.targets.iter().zip(&wanted.targets).all(|(a, b)| leads(a, b, links))
}

/// A block of a body as a file holds it: mentions of pages that are files are links. The label of a link that the
/// file has already stays.
pub(super) fn without_mentions(node: &Node, links: &Links, like: Option<&Node>) -> Node {
    let mut known: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    if let Some(like) = like {
        rewritten(like, &mut |part| {
            if let Part::Text(text) = part {
                let links = groups(text).into_iter();
                known.extend(links.filter_map(|(target, runs)| Some((target?, runs))));
            }
            None
        });
    }
    rewritten(node, &mut |part| {
        let Part::Text(text) = part else { return None };
        let mut out = Vec::new();
        for run in text.runs() {
            let page = mentioned(&run.piece).filter(|_| run.marks.link.is_none());
            match page.and_then(|(target, label)| {
                let path = links.to_local(&target, false)?;
                Some((target, if label.trim().is_empty() { path } else { label }))
            }) {
                None => out.push(run.clone()),
                Some((target, label)) => match known.get(&target) {
                    Some(runs) => out.extend(runs.iter().cloned()),
                    None => out.push(Run {
                        piece: Piece::Text(label),
                        marks: Marks { link: Some(target), ..run.marks.clone() },
                    }),
                },
            }
        }
        Some(Inline::normal(out))
    })
}

/// Links of a file by target and label.
pub(super) fn labels(units: &[LocalUnit]) -> BTreeSet<(String, String)> {
    let mut out = BTreeSet::new();
    for unit in units {
        rewritten(&unit.node, &mut |part| {
            if let Part::Text(text) = part {
                let named = groups(text).into_iter();
                out.extend(named.filter_map(|(target, runs)| {
                    Some((target?, Inline::normal(unlinked(runs)).plain()))
                }));
            }
            None
        });
    }
    out
}

fn unlinked(mut runs: Vec<Run>) -> Vec<Run> {
    runs.iter_mut().for_each(|run| run.marks.link = None);
    runs
}

/// A file's block with the mentions that stand in its place: a link whose label nobody changed stays the mention
/// that it is there.
fn with_mentions(node: &Node, there: &Node, known: &BTreeSet<(String, String)>) -> Node {
    let mut mentions: BTreeMap<String, (Run, String)> = BTreeMap::new();
    rewritten(there, &mut |part| {
        if let Part::Text(text) = part {
            for run in text.runs() {
                if let Some((target, label)) = mentioned(&run.piece) {
                    mentions.insert(target, (run.clone(), label));
                }
            }
        }
        None
    });
    if mentions.is_empty() {
        return node.clone();
    }
    rewritten(node, &mut |part| {
        let Part::Text(text) = part else { return None };
        let mut out = Vec::new();
        for (link, runs) in groups(text) {
            let mention = link.and_then(|target| {
                let (mention, label) = mentions.get(&target)?;
                let own = Inline::normal(unlinked(runs.clone())).plain();
                (own == *label || known.contains(&(target, own))).then(|| mention.clone())
            });
            match mention {
                Some(mention) => out.push(mention),
                None => out.extend(runs),
            }
        }
        Some(Inline::normal(out))
    })
}

/// For each slot of a push that changes a unit, the block to write: mentions stay.
pub(super) fn pushed(
    slots: &[Slot<'_>],
    target: &[RemoteUnit],
    known: &BTreeSet<(String, String)>,
) -> Vec<Option<Node>> {
    let one = |slot: &Slot<'_>| match slot {
        Slot::Changed(at, node) => {
            target.get(*at).map(|unit| with_mentions(node, &unit.node, known))
        }
        _ => None,
    };
    slots.iter().map(one).collect()
}

/// For each slot of a pull, the block to write: mentions are links.
pub(super) fn pulled(
    slots: &[Slot<'_>],
    target: &[LocalUnit],
    links: Option<&Links>,
) -> Vec<Option<Node>> {
    let Some(links) = links else { return slots.iter().map(|_| None).collect() };
    let one = |slot: &Slot<'_>| match slot {
        Slot::Changed(at, node) => {
            Some(without_mentions(node, links, target.get(*at).map(Keyed::node)))
        }
        Slot::Added(node) => Some(without_mentions(node, links, None)),
        _ => None,
    };
    slots.iter().map(one).collect()
}

/// The slots with other blocks. A unit that would be changed to what it is stays.
pub(super) fn replaced<'n, U: Keyed>(
    slots: Vec<Slot<'n>>,
    nodes: &'n [Option<Node>],
    target: &[U],
) -> Vec<Slot<'n>> {
    let is_same = |at: usize, node: &Node| target.get(at).is_some_and(|u| u.key() == node.key());
    slots
        .into_iter()
        .zip(nodes)
        .map(|(slot, new)| match (slot, new) {
            (Slot::Changed(at, _), Some(node)) if is_same(at, node) => Slot::Kept(at),
            (Slot::Changed(at, _), Some(node)) => Slot::Changed(at, node),
            (Slot::Added(_), Some(node)) => Slot::Added(node),
            (slot, _) => slot,
        })
        .collect()
}
