//! A property that should have a value and has none.

use agent_sync_core::model::Severity;

use crate::janitor::graph::{Node, life_cycle};
use crate::janitor::{Found, Graph, Rule, Settings, at};

/// See the module.
pub(super) struct MissingField;

impl Rule for MissingField {
    fn name(&self) -> &'static str {
        "missing-field"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "no status, no title, or a place for a value with nothing in it"
    }

    fn reason(&self) -> &'static str {
        "Boards and views leave out what has no status, and a title that is only a file name tells nobody anything. A \
         heading or a key without a value was begun and forgotten. A value that only the page has counts: the next sync \
         brings it."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        graph.nodes.values().flat_map(|node| self.of(graph, node)).collect()
    }
}

impl MissingField {
    fn of(&self, graph: &Graph, node: &Node) -> Vec<Found> {
        let Some(kind) = graph.of_kind(node) else { return Vec::new() };
        let status = life_cycle(kind).map(|property| property.name.as_str());
        let title = kind.title().map(|property| property.name.as_str());
        let blank = |name: &str| node.local.as_ref().and_then(|side| side.blank.get(name)).copied();
        let mut found = Vec::new();
        for property in &kind.properties {
            let name = property.name.as_str();
            let line = blank(name);
            let computed = property.r#type.is_read_only();
            let needed = line.is_some() || Some(name) == status;
            // A file without a title of its own still has one, from its name.
            let has = node.value(name).is_some() && (Some(name) != title || line.is_none());
            let unread = node.local.as_ref().is_some_and(|side| side.unread.contains(name));
            if !needed || has || computed || unread {
                continue;
            }
            let message = match Some(name) == title {
                true => format!("The file of {} has no title.", node.key),
                false => format!("{} has no {name}.", node.key),
            };
            found.push(at(self, node, line, name, message, "Write it into the file or the page."));
        }
        found
    }
}
