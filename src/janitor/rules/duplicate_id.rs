//! Two files with one id.

use agent_sync_core::model::Severity;

use crate::janitor::{Found, Graph, Rule, Settings, observed};

/// See the module. Every run finds it while it looks; this gives it a name.
pub(super) struct DuplicateId;

impl Rule for DuplicateId {
    fn name(&self) -> &'static str {
        "duplicate-id"
    }

    fn severity(&self) -> Severity {
        Severity::Error
    }

    fn finds(&self) -> &'static str {
        "two files of one kind with the same id"
    }

    fn reason(&self) -> &'static str {
        "Nobody can tell which of the files the page belongs to, so none of them is synced."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        observed(self, graph)
    }
}
