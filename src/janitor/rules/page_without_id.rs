//! A page that is no artifact yet.

use agent_sync_core::model::Severity;

use crate::janitor::{Found, Graph, Rule, Settings, observed};

/// See the module. Every run finds it while it looks; this gives it a name.
pub(super) struct PageWithoutId;

impl Rule for PageWithoutId {
    fn name(&self) -> &'static str {
        "page-without-id"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "a page without an ID, made by hand"
    }

    fn reason(&self) -> &'static str {
        "A page without an ID is no artifact and gets no file. With `assign_ids: true` a sync gives it the next free id."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        observed(self, graph)
    }
}
