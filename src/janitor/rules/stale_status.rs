//! Work in progress that nobody touches.

use agent_sync_core::model::Severity;

use crate::janitor::graph::Node;
use crate::janitor::{Found, Graph, Rule, Settings, untouched};

/// See the module.
pub(super) struct StaleStatus;

impl Rule for StaleStatus {
    fn name(&self) -> &'static str {
        "stale-status"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "in progress or in review, and untouched for `stale_days`"
    }

    fn reason(&self) -> &'static str {
        "Work in progress that nobody has touched for weeks is not in progress. The page's last edit counts, which \
         moves with every change of the file that is synced."
    }

    fn check(&self, graph: &Graph, settings: &Settings) -> Vec<Found> {
        let found = |node: &Node| {
            let state = graph.state(node).filter(|state| state.is_in_progress())?;
            let fix = "Go on with it, or say in its status what it waits for.";
            untouched(self, graph, node, &state, i64::from(settings.stale_days), fix)
        };
        graph.nodes.values().filter_map(found).collect()
    }
}
