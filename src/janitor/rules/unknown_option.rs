//! A value outside its list.

use agent_sync_core::model::Severity;

use crate::janitor::{Found, Graph, Rule, Settings, observed};

/// See the module. Every run finds it while it looks; this gives it a name.
pub(super) struct UnknownOption;

impl Rule for UnknownOption {
    fn name(&self) -> &'static str {
        "unknown-option"
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }

    fn finds(&self) -> &'static str {
        "a value that is none of the configured options, in a file or on a page"
    }

    fn reason(&self) -> &'static str {
        "Such a value is left alone on both sides: it does not reach the other one, and no view shows it."
    }

    fn check(&self, graph: &Graph, _: &Settings) -> Vec<Found> {
        observed(self, graph)
    }
}
