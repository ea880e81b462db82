//! A relation that only one of its two ends knows.

use agent_sync_core::kind::Property;
use agent_sync_core::model::{Key, Severity};

use crate::janitor::graph::{Node, relations};
use crate::janitor::{Fix, Found, Graph, Rule, Settings, at};

/// See the module.
pub(super) struct AsymmetricRelation;

impl Rule for AsymmetricRelation {
    fn name(&self) -> &'static str {
        "asymmetric-relation"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "an artifact that names another one, which does not name it back"
    }

    fn reason(&self) -> &'static str {
        "Where two kinds have exactly one relation to each other, both are the two ends of one: a plan that a story \
         names belongs to that story. Relations within one kind have a direction and are left alone."
    }

    fn remedy(&self) -> Option<&'static str> {
        Some("The missing end is added: to the list in the file and to the page.")
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        graph.nodes.values().flat_map(|node| self.of(graph, node)).collect()
    }
}

impl AsymmetricRelation {
    fn of(&self, graph: &Graph, node: &Node) -> Vec<Found> {
        let Some(kind) = graph.of_kind(node) else { return Vec::new() };
        let mut found = Vec::new();
        for (property, target) in relations(kind).filter(|(_, target)| *target != kind.name) {
            let ends = (only(graph, &kind.name, target), only(graph, target, &kind.name));
            let (Some(_), Some(back)) = ends else { continue };
            for id in node.members(&property.name) {
                let Some(other) = graph.nodes.get(&Key::new(target, id)) else { continue };
                if other.members(&back.name).contains(&node.key.id) {
                    continue;
                }
                let message = format!(
                    "{} of {} names {}, which does not name it in {}.",
                    property.name, node.key, other.key, back.name
                );
                let about = format!("{} {}", back.name, node.key);
                let fix = "Add it there, or let `agent-sync janitor --fix` do it.";
                let one = at(self, other, other.line(&back.name), &about, message, fix);
                let fix = Fix::Link {
                    key: other.key.clone(),
                    property: back.name.clone(),
                    id: node.key.id.clone(),
                };
                found.push(Found { fix: Some(fix), ..one });
            }
        }
        found
    }
}

/// The only relation from one kind to another.
fn only<'g>(graph: &'g Graph, from: &str, to: &str) -> Option<&'g Property> {
    let mut leading = relations(graph.kinds.get(from)?).filter(|(_, target)| *target == to);
    let (property, _) = leading.next()?;
    leading.next().is_none().then_some(property)
}
