//! An id or a link without a target.

use std::collections::BTreeSet;

use agent_sync_core::model::Severity;

use crate::janitor::graph::{Node, scope};
use crate::janitor::{Found, Graph, Rule, Settings, at, observed};

/// See the module.
pub(super) struct BrokenReference;

impl Rule for BrokenReference {
    fn name(&self) -> &'static str {
        "broken-reference"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "an id or a relative link that leads to nothing"
    }

    fn reason(&self) -> &'static str {
        "A reference to nothing sends its reader away empty-handed: a member of a relation that is no artifact (it is \
         not sent either), an id in the text whose scope exists (`INFRA` of `INFRA-054`) and that nothing has, and a \
         link to a path at which nothing is."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        let scopes: BTreeSet<&str> = graph.known.iter().filter_map(|key| scope(&key.id)).collect();
        let own = graph.nodes.values().flat_map(|node| self.of(graph, node, &scopes));
        observed(self, graph).into_iter().chain(own).collect()
    }
}

impl BrokenReference {
    fn of(&self, graph: &Graph, node: &Node, scopes: &BTreeSet<&str>) -> Vec<Found> {
        let mut found = Vec::new();
        let mut told = BTreeSet::new();
        for (property, ids) in &node.strays {
            for id in ids {
                told.insert(id);
                let message =
                    format!("{property} of {} names {id}, which does not exist.", node.key);
                let fix = "Correct the id, or take it out of the list.";
                found.push(at(self, node, node.line(property), id, message, fix));
            }
        }
        for mention in &node.mentions {
            let known = mention.id == node.key.id || !graph.named(&mention.id).is_empty();
            let ours = scope(&mention.id).is_some_and(|scope| scopes.contains(scope));
            if known || !ours || !told.insert(&mention.id) {
                continue;
            }
            let message =
                format!("The text of {} mentions {}, which does not exist.", node.key, mention.id);
            let fix = "Correct the id, or write it as code if it is none.";
            found.push(at(self, node, Some(mention.line), &mention.id, message, fix));
        }
        found
    }
}
