//! A body that was read in one grammar, as the other one has it: what is known of a page outlives a change of its
//! version.

use super::block::{Block, Node, RemoteUnit};
use super::dialect::Form;
use super::{Dialect, is_visible, remote_units};

/// A body's text of another dialect, in this one. Where the page `now` holds the same blocks, that is its text;
/// else the blocks are written anew, and those that only the backend has stand for themselves by their names, so
/// that they are found at their places.
///
/// The text is one to compare with; it is never sent.
pub fn translate(from: Dialect, text: &str, to: Dialect, now: Option<&str>) -> String {
    if from == to {
        return text.to_owned();
    }
    let mut units = remote_units(from, text);
    units.retain(is_visible);
    if let Some(now) = now.filter(|now| holds(to, now, &units)) {
        return now.to_owned();
    }
    let mut out = String::new();
    let mut before: Option<&Node> = None;
    let mut form = Form::default();
    for unit in &units {
        let node = &unit.node;
        if let Block::Table(header, _) = &node.block {
            form.table_tags = header.is_none();
        }
        let lines = match &node.block {
            Block::Opaque(name, _) => {
                format!("{}<unknown alt=\"{name}\"/>", "\t".repeat(node.depth))
            }
            _ => to.unit(node, node.depth * to.child_step(), None, form),
        };
        if lines.is_empty() {
            continue;
        }
        if let Some(before) = before {
            out.push_str(to.separator(before, node));
        }
        out.push_str(&lines);
        before = Some(node);
    }
    out
}

/// Whether a text holds these blocks, those that only the backend has among them.
fn holds(dialect: Dialect, text: &str, units: &[RemoteUnit]) -> bool {
    let mut found = remote_units(dialect, text);
    found.retain(is_visible);
    found.iter().map(|unit| &unit.key).eq(units.iter().map(|unit| &unit.key))
}
