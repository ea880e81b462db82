//! A page that is another one than its time stamps say.

use agent_sync_core::model::Severity;

use crate::janitor::graph::Node;
use crate::janitor::{Fix, Found, Graph, Rule, Settings, at};

/// See the module.
pub(super) struct Diverged;

impl Rule for Diverged {
    fn name(&self) -> &'static str {
        "diverged"
    }

    fn severity(&self) -> Severity {
        Severity::Error
    }

    fn finds(&self) -> &'static str {
        "a page whose text changed although its time stamps say that it did not (`--full`)"
    }

    fn reason(&self) -> &'static str {
        "A sync reads a page again when its last edit moved. Not everything moves it, and it is cut to the minute. Only a \
         full comparison sees what was missed."
    }

    fn remedy(&self) -> Option<&'static str> {
        Some(
            "What was read is recorded, so that the next sync brings it like any other edit of the page.",
        )
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        let found = |node: &Node| {
            let message = format!(
                "The text of the page of {} changed, although {} says that it was not edited.",
                node.key, graph.label
            );
            let fix = "Run `agent-sync janitor --full --fix` and then `agent-sync sync`, which brings the change.";
            let fixed = Some(Fix::Record { key: node.key.clone() });
            Found { fix: fixed, ..at(self, node, None, "", message, fix) }
        };
        graph.nodes.values().filter(|node| node.hidden).map(found).collect()
    }
}
