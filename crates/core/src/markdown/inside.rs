//! A quote, callout or toggle of a backend written anew: what is inside is a text of its own, whose blocks that did
//! not change keep their bytes, and with them what only Notion has there, e.g. colours.

use std::collections::BTreeSet;

use super::align::{self, Link};
use super::block::{Block, Node, RemoteUnit};
use super::container::Wanted;
use super::html::Tag;
use super::{Dialect, Push, is_visible, push, push_slots, v1_inline, v2_line, v2_render};

/// The lines of a container: those before and after what is inside.
struct Frame {
    head: Vec<String>,
    /// How many lines of the source the head replaces.
    replaced: usize,
    foot: Option<String>,
    /// White space before the lines inside.
    margin: String,
}

/// The lines of a unit that becomes `node`, where it can be told what of its source is inside.
pub(super) fn change(
    dialect: Dialect,
    unit: &RemoteUnit,
    source: &str,
    node: &Node,
) -> Option<String> {
    let lines: Vec<&str> = source.split('\n').collect();
    let first = lines.first()?.trim();
    let (mut old, mut new): (&[Node], &[Node]) = match (&unit.node.block, &node.block) {
        (Block::Quote(old), Block::Quote(new)) => (old, new),
        (Block::Callout(a, old), Block::Callout(b, new)) if a == b => (old, new),
        (Block::Toggle(_, old), Block::Toggle(_, new)) => (old, new),
        _ => return None,
    };
    let frame = match dialect {
        Dialect::NotionV1 if matches!(node.block, Block::Quote(_)) => {
            let mut head = lines.first()?.to_string();
            if first.len() > 1 {
                let text = |nodes: &mut &[Node]| match nodes.split_first()? {
                    (Node { block: Block::Paragraph(text), .. }, rest) => {
                        *nodes = rest;
                        Some(text.clone())
                    }
                    _ => None,
                };
                let (was, is) = (text(&mut old)?, text(&mut new)?);
                if was != is {
                    let margin = "\t".repeat(unit.indent);
                    let text = v1_inline::render_over(&is, &head);
                    head = format!("{margin}> {text}{}", unit.attributes);
                }
            }
            let margin = "\t".repeat(unit.indent + 1);
            Frame { head: vec![head], replaced: 1, foot: None, margin }
        }
        _ => tags(dialect, unit, &lines, node)?,
    };
    let end = lines.len().checked_sub(usize::from(frame.foot.is_some()))?;
    let mut inner = Vec::new();
    for line in lines.get(frame.replaced..end)? {
        let bare = line.strip_prefix(frame.margin.as_str());
        inner.push(bare.or_else(|| line.trim().is_empty().then_some(""))?);
    }
    let inner = content(dialect, &inner.join("\n"), old, new)?;
    let mut out = frame.head.join("\n");
    for line in inner.split('\n').filter(|_| !inner.is_empty()) {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&frame.margin);
            out.push_str(line);
        }
    }
    if let Some(foot) = frame.foot {
        out.push('\n');
        out.push_str(&foot);
    }
    reads_as(dialect, &out, node).then_some(out)
}

fn tags(dialect: Dialect, unit: &RemoteUnit, lines: &[&str], node: &Node) -> Option<Frame> {
    let first = lines.first()?;
    let tag = Tag::at(first.trim()).filter(|tag| tag.len == first.trim().len())?;
    let foot = lines.last().filter(|line| line.trim() == format!("</{}>", tag.name))?;
    let margin = |indent| v2_render::margin(indent);
    let mut frame = Frame {
        head: vec![first.to_string()],
        replaced: 1,
        foot: Some(foot.to_string()),
        margin: match dialect {
            Dialect::NotionV1 => "\t".repeat(unit.indent + 1),
            Dialect::NotionV2 => margin(unit.indent),
            // Written as into a file; see `plain`.
            Dialect::Markdown => return None,
        },
    };
    let (Block::Toggle(was, _), Block::Toggle(is, _)) = (&unit.node.block, &node.block) else {
        return Some(frame);
    };
    let title_end = match dialect {
        Dialect::NotionV1 | Dialect::Markdown => 2,
        Dialect::NotionV2 => {
            let goes_on =
                |line: &&&str| !line.trim().is_empty() && !v2_line::interrupts(line.trim());
            1 + lines.iter().skip(1).take_while(goes_on).count()
        }
    };
    let title = lines.get(1..title_end).filter(|title| !title.is_empty())?;
    frame.replaced = title_end;
    if was == is {
        frame.head.extend(title.iter().map(|line| line.to_string()));
    } else if dialect == Dialect::NotionV1 {
        let text = v1_inline::render_over(is, title.first()?);
        frame.head.push(format!("{}<summary>{text}</summary>", "\t".repeat(unit.indent)));
    } else {
        let text = v2_render::title(is, &title.join("\n"));
        frame.head.extend(text.split('\n').map(|line| format!("{}{line}", frame.margin)));
    }
    Some(frame)
}

/// The text inside, with the blocks that differ changed.
fn content(dialect: Dialect, inner: &str, old: &[Node], new: &[Node]) -> Option<String> {
    let units = dialect.parse(inner);
    let found = units.iter().filter(|unit| unit.node.counts()).map(|unit| unit.key.as_str());
    if !found.eq(old.iter().filter(|node| node.counts()).map(Node::key)) {
        return None;
    }
    let shown: Vec<RemoteUnit> = units.iter().filter(|unit| is_visible(unit)).cloned().collect();
    let wanted: Vec<Wanted<'_>> = new.iter().map(Wanted::new).collect();
    let steps = align::steps(&shown, &wanted);
    let link = Link::identity(shown.len());
    let slots = align::transfer(&steps, &link, &wanted, shown.len()).ok()?;
    match push_slots(dialect, inner, &units, slots, &BTreeSet::new()) {
        Push::Nothing => Some(inner.to_owned()),
        Push::Edit(hunks) => Some(push::apply(inner, &hunks)),
        Push::Append(text) => Some(format!("{inner}{}{text}", dialect.end_gap(inner))),
        Push::Impossible(_) => None,
    }
}

fn reads_as(dialect: Dialect, written: &str, node: &Node) -> bool {
    let units = dialect.parse(written);
    let mut counted = units.iter().filter(|unit| unit.node.counts());
    let wanted = Node { depth: 0, block: node.block.clone() }.key();
    counted.next().is_some_and(|unit| unit.key == wanted) && counted.next().is_none()
}
