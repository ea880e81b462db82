//! Two pages with one ID.

use agent_sync_core::model::Severity;

use crate::janitor::{Found, Graph, Rule, Settings, observed};

/// See the module. Every run finds it while it looks; this gives it a name.
pub(super) struct DuplicatePage;

impl Rule for DuplicatePage {
    fn name(&self) -> &'static str {
        "duplicate-page"
    }

    fn severity(&self) -> Severity {
        Severity::Error
    }

    fn finds(&self) -> &'static str {
        "two pages of one kind with the same ID"
    }

    fn reason(&self) -> &'static str {
        "Nobody can tell which of the pages the file belongs to, so none of them is synced."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        observed(self, graph)
    }
}
