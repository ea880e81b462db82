//! Something that was replaced and still counts.

use std::collections::BTreeSet;

use agent_sync_core::document::Role;
use agent_sync_core::model::{Key, Severity};

use crate::janitor::graph::{Node, relations};
use crate::janitor::{Found, Graph, Rule, Settings, at};

/// See the module.
pub(super) struct SupersededButActive;

impl Rule for SupersededButActive {
    fn name(&self) -> &'static str {
        "superseded-but-active"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "an artifact that another one supersedes and whose status does not say so, or active work that builds on a \
         superseded one"
    }

    fn reason(&self) -> &'static str {
        "Two decisions that contradict each other are both in force as long as the older one's status says so. Where a \
         text says `Supersedes ADR-7` or `Superseded by ADR-9`, the older one has to be superseded, deprecated, \
         retired or rejected; and work that is not done should not name a superseded artifact in a relation."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        let mut found = Vec::new();
        let mut told = BTreeSet::new();
        for node in graph.nodes.values() {
            for mention in &node.mentions {
                let of_kind = Key::new(&node.key.kind, &mention.id);
                let (old, new) = match mention.role {
                    Role::Named => continue,
                    Role::Supersedes => (of_kind, node.key.clone()),
                    Role::SupersededBy => (node.key.clone(), of_kind),
                };
                let (Some(old), true) = (graph.nodes.get(&old), graph.known.contains(&new)) else {
                    continue;
                };
                let Some(state) = graph.state(old).filter(|state| !state.is_over()) else {
                    continue;
                };
                if old.key == new || !told.insert((old.key.clone(), new.clone())) {
                    continue;
                }
                let message =
                    format!("{new} supersedes {}, which is still {}.", old.key, state.text);
                let fix = "Give it the status SUPERSEDED, or correct the text.";
                let line = old.line(&state.property);
                found.push(at(self, old, line, &new.to_string(), message, fix));
            }
            found.extend(self.builds_on(graph, node));
        }
        found
    }
}

impl SupersededButActive {
    /// Members of an active artifact's relations that something else took the place of.
    fn builds_on(&self, graph: &Graph, node: &Node) -> Vec<Found> {
        let active = graph.state(node).is_some_and(|state| state.is_active());
        let Some(kind) = graph.of_kind(node).filter(|_| active) else { return Vec::new() };
        let mut found = Vec::new();
        for (property, target) in relations(kind) {
            for id in node.members(&property.name) {
                let key = Key::new(target, id);
                let superseded =
                    |other: &&Node| graph.state(other).is_some_and(|state| state.is_superseded());
                if graph.nodes.get(&key).filter(superseded).is_none() {
                    continue;
                }
                let message =
                    format!("{} of {} names {key}, which is superseded.", property.name, node.key);
                let fix = "Name what took its place.";
                let line = node.line(&property.name);
                found.push(at(self, node, line, &format!("uses {key}"), message, fix));
            }
        }
        found
    }
}
