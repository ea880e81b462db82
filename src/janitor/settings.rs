//! What the configuration says to the janitor.

use std::collections::BTreeMap;

use agent_sync_core::model::Severity;

/// Days after which work that nobody touches is stale.
const STALE_DAYS: u32 = 30;

/// Settings of the janitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Severity of rules by name; `None` for those that are switched off. What is not named is as the rule has it.
    pub rules: BTreeMap<String, Option<Severity>>,
    /// What is left out.
    pub ignore: Vec<Ignored>,
    /// Days without an edit after which work in progress, or a decision that is not taken, is stale.
    pub stale_days: u32,
}

/// A finding that people know of and live with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Name of the rule.
    pub rule: String,
    /// `story/INFRA-054`, `INFRA-054`, the path of a file or the address of a page.
    pub artifact: String,
    /// Why.
    pub reason: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rules: BTreeMap::new(), ignore: Vec::new(), stale_days: STALE_DAYS }
    }
}
