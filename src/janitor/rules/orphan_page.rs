//! A page whose file is gone.

use agent_sync_core::model::Severity;

use crate::janitor::graph::Node;
use crate::janitor::{Found, Graph, Rule, Settings, at};

/// See the module.
pub(super) struct OrphanPage;

impl Rule for OrphanPage {
    fn name(&self) -> &'static str {
        "orphan-page"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "a page whose file is gone"
    }

    fn reason(&self) -> &'static str {
        "People go on reading and editing a page that nothing in the repository stands for. A sync trashes it where that \
         is safe; what stays is in conflict, has child pages, or waits for an answer."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        let orphan = |node: &&Node| node.synced && node.local.is_none() && node.remote.is_some();
        let found = |node: &Node| {
            let path = node.path.as_deref().unwrap_or_default();
            let message =
                format!("The file of {} is gone ({path}), and its page is not.", node.key);
            let fix = "Restore the file, or let `agent-sync sync` trash the page.";
            at(self, node, None, "", message, fix)
        };
        graph.nodes.values().filter(orphan).map(found).collect()
    }
}
