//! A title that says something else than the rest.

use agent_sync_core::model::Severity;

use crate::janitor::graph::Node;
use crate::janitor::{Found, Graph, Rule, Settings, at, observed};

/// See the module.
pub(super) struct TitleMismatch;

impl Rule for TitleMismatch {
    fn name(&self) -> &'static str {
        "title-mismatch"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "a heading with another id than the file name, or two titles that somebody decided to keep"
    }

    fn reason(&self) -> &'static str {
        "The file name decides which artifact a file is; a heading that names another one misleads everybody who reads \
         it. Titles differ between the sides only after `resolve --keep both`, and people then look for the same thing \
         under two names."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        let own = graph.nodes.values().filter_map(|node| self.of(graph, node));
        observed(self, graph).into_iter().chain(own).collect()
    }
}

impl TitleMismatch {
    fn of(&self, graph: &Graph, node: &Node) -> Option<Found> {
        let title = &graph.of_kind(node)?.title()?.name;
        let (local, remote) =
            (node.local.as_ref()?.values.get(title)?, node.remote.as_ref()?.values.get(title)?);
        if !node.agreed_to_differ.contains(title) || local == remote {
            return None;
        }
        let message = format!(
            "The file of {} is called \"{local}\", its page in {} \"{remote}\".",
            node.key, graph.label
        );
        let fix = "Give both the same title: a change of one of them is synced again.";
        Some(at(self, node, node.line(title), title, message, fix))
    }
}
