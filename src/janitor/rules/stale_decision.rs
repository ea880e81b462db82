//! A decision that is not taken, or that does not hold any more.

use agent_sync_core::model::Severity;

use crate::janitor::graph::{Answer, Node, State};
use crate::janitor::{Found, Graph, Rule, Settings, at, untouched};

const ADR: &str = "adr";

/// See the module.
pub(super) struct StaleDecision;

impl Rule for StaleDecision {
    fn name(&self) -> &'static str {
        "stale-decision"
    }

    fn severity(&self) -> Severity {
        Severity::Notice
    }

    fn finds(&self) -> &'static str {
        "an ADR that is proposed and untouched for `stale_days`, or an answer to a conflict that is not open any more or \
         is put off for as long"
    }

    fn reason(&self) -> &'static str {
        "A decision that stays open decides by itself. An answer to a conflict (`resolve`, or a ticked box) holds for \
         exactly the versions that it was given for; once a side was edited it answers nothing, and one that says `skip` \
         hides a conflict that nobody settles. Answers are kept until the base has moved past them, so none is removed \
         here."
    }

    fn check(&self, graph: &Graph, settings: &Settings) -> Vec<Found> {
        let days = i64::from(settings.stale_days);
        let proposed = |node: &Node| {
            let undecided = |state: &State| node.key.kind == ADR && state.is_undecided();
            let state = graph.state(node).filter(undecided)?;
            untouched(self, graph, node, &state, days, "Accept or reject it.")
        };
        let own = graph.nodes.values().filter_map(proposed);
        own.chain(graph.answers.iter().filter_map(|answer| self.of(graph, answer, days))).collect()
    }
}

impl StaleDecision {
    fn of(&self, graph: &Graph, answer: &Answer, days: i64) -> Option<Found> {
        let old =
            answer.given.and_then(|given| graph.days_since(given)).is_some_and(|age| age >= days);
        let node = graph.nodes.get(&answer.key);
        let (message, fix) = if !answer.open {
            let message = format!(
                "The answer to a conflict of {} ({}) is about versions that are not there any more.",
                answer.key, answer.stretch
            );
            (message, "Look at both sides, and answer again where they are in conflict.")
        } else if answer.skips && old {
            let message = format!(
                "A conflict of {} ({}) was put off more than {days} days ago.",
                answer.key, answer.stretch
            );
            (message, "Settle it with `agent-sync resolve`.")
        } else {
            return None;
        };
        let about = format!("answer {}", answer.fingerprint);
        let plain = Node::new(&answer.key);
        Some(at(self, node.unwrap_or(&plain), None, &about, message, fix))
    }
}
