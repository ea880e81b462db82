//! A story that nothing belongs to.

use agent_sync_core::model::Severity;

use crate::janitor::graph::{Node, relations};
use crate::janitor::{Found, Graph, Rule, Settings, at};

/// Kinds that say how a story is to be done.
const BEHIND: [&str; 2] = ["plan", "adr"];
const STORY: &str = "story";

/// See the module.
pub(super) struct OrphanStory;

impl Rule for OrphanStory {
    fn name(&self) -> &'static str {
        "orphan-story"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "a story without a plan and without an ADR"
    }

    fn reason(&self) -> &'static str {
        "A story that no plan and no ADR belongs to is a wish: nobody has said how it is to be done. It counts from \
         both ends: what the story names, and plans and ADRs with a relation that names the story. Stories that are \
         over (superseded, deprecated, retired) are left alone."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        let Some(kind) = graph.kinds.get(STORY) else { return Vec::new() };
        let own: Vec<&str> = relations(kind)
            .filter(|(_, target)| BEHIND.contains(target))
            .map(|(property, _)| property.name.as_str())
            .collect();
        if own.is_empty() {
            return Vec::new();
        }
        let is_behind = |node: &&Node| BEHIND.contains(&node.key.kind.as_str());
        let named: std::collections::BTreeSet<String> = graph
            .nodes
            .values()
            .filter(is_behind)
            .flat_map(|node| {
                let kind = graph.of_kind(node).into_iter();
                let back = kind.flat_map(relations).filter(|(_, target)| *target == STORY);
                back.flat_map(|(property, _)| node.members(&property.name))
            })
            .collect();
        let orphan = |node: &&Node| {
            node.key.kind == STORY
                && !named.contains(&node.key.id)
                && own.iter().all(|relation| node.members(relation).is_empty())
                && !graph.state(node).is_some_and(|state| state.is_over())
        };
        let found = |node: &Node| {
            let message = format!("{} has neither a plan nor an ADR.", node.key);
            at(self, node, None, "", message, &format!("Name one under {}.", own.join(" or ")))
        };
        graph.nodes.values().filter(orphan).map(found).collect()
    }
}
