//! An id in the text that is not in its relation.

use std::collections::BTreeSet;

use agent_sync_core::kind::Property;
use agent_sync_core::model::Severity;

use crate::janitor::graph::{Node, relations};
use crate::janitor::{Fix, Found, Graph, Rule, Settings, at};

/// See the module.
pub(super) struct UnlinkedMention;

impl Rule for UnlinkedMention {
    fn name(&self) -> &'static str {
        "unlinked-mention"
    }

    fn severity(&self) -> Severity {
        Severity::Notice
    }

    fn finds(&self) -> &'static str {
        "an id in the text that is not in its relation"
    }

    fn reason(&self) -> &'static str {
        "Whoever filters by a relation does not find what only the text names. An id counts where exactly one artifact \
         has it and exactly one relation of this kind leads there; ids in code, comments, addresses and file names do \
         not count, nor the artifact's own id."
    }

    fn remedy(&self) -> Option<&'static str> {
        Some("The id is added to the relation: to the list in the file and to the page.")
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        graph.nodes.values().flat_map(|node| self.of(graph, node)).collect()
    }
}

impl UnlinkedMention {
    fn of(&self, graph: &Graph, node: &Node) -> Vec<Found> {
        let mut found = Vec::new();
        let mut told = BTreeSet::new();
        for mention in node.mentions.iter().filter(|mention| mention.id != node.key.id) {
            let Some(relation) = relation(graph, node, &mention.id) else { continue };
            if node.members(&relation.name).contains(&mention.id) || !told.insert(&mention.id) {
                continue;
            }
            let message = format!(
                "The text of {} mentions {}, which is not in {}.",
                node.key, mention.id, relation.name
            );
            let about = format!("{} {}", relation.name, mention.id);
            let fix = "Add it there, or let `agent-sync janitor --fix` do it.";
            let one = at(self, node, Some(mention.line), &about, message, fix);
            let fix = Fix::Link {
                key: node.key.clone(),
                property: relation.name.clone(),
                id: mention.id.clone(),
            };
            found.push(Found { fix: Some(fix), ..one });
        }
        found
    }
}

/// The one relation that is about the one artifact with this id.
fn relation<'g>(graph: &'g Graph, node: &Node, id: &str) -> Option<&'g Property> {
    let named = graph.named(id);
    let [key] = named.as_slice() else { return None };
    let kind = graph.of_kind(node)?;
    let mut leading = relations(kind).filter(|(_, target)| *target == key.kind);
    let (property, _) = leading.next()?;
    leading.next().is_none().then_some(property)
}
