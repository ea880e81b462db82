//! The janitor: rules about how artifacts hang together, over a picture of both sides. Pure: what a rule finds and
//! what would repair it are data, and the engine reads, writes and reports.

use std::collections::BTreeSet;

use agent_sync_core::model::{Finding, Key, Selector, Severity};

mod graph;
mod neighbourhood;
mod page;
mod rules;
mod settings;

use graph::State;
pub use graph::{Answer, Graph, Node, Side};
pub use neighbourhood::{Edge, Neighbour, Neighbourhood};
pub use page::page;
pub use rules::RULES;
pub use settings::{Ignored, Settings};

/// A rule: one file of `rules/` each.
pub trait Rule: Sync {
    /// Its name, in kebab case: in the configuration, in comments, in reports.
    fn name(&self) -> &'static str;

    /// How much what it finds matters, unless the configuration says otherwise.
    fn severity(&self) -> Severity;

    /// What it finds: Markdown, without a period.
    fn finds(&self) -> &'static str;

    /// Why that is worth a finding: a sentence.
    fn reason(&self) -> &'static str;

    /// What `janitor --fix` does about it: a sentence. None where a person has to decide.
    fn remedy(&self) -> Option<&'static str> {
        None
    }

    /// What is wrong.
    fn check(&self, graph: &Graph, settings: &Settings) -> Vec<Found>;
}

/// Something that a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// For the report.
    pub finding: Finding,
    /// What would repair it.
    pub fix: Option<Fix>,
}

/// A repair. The engine makes it under the guards of a sync, or leaves it for a later run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// An artifact gets a member of one of its relations, on both sides.
    Link {
        /// The artifact whose relation it is.
        key: Key,
        /// Name of the relation.
        property: String,
        /// Id of the new member.
        id: String,
    },
    /// What was read of the page is recorded, so that the next sync brings it.
    Record {
        /// The artifact.
        key: Key,
    },
}

/// Lets every rule look that is not switched off, and leaves out what is allowed or ignored. What the observation
/// found is told by the rule of that name, and as it is where there is none.
pub fn inspect(graph: &Graph, settings: &Settings) -> Vec<Found> {
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name()).collect();
    let others = graph.observed.iter().filter(|finding| !names.contains(finding.rule.as_str()));
    let mut all: Vec<Found> =
        others.map(|finding| Found { finding: finding.clone(), fix: None }).collect();
    for rule in RULES {
        let severity = match settings.rules.get(rule.name()) {
            Some(None) => continue,
            Some(severity) => *severity,
            None => None,
        };
        for mut found in rule.check(graph, settings) {
            if is_silent(graph, settings, &found.finding) {
                continue;
            }
            if let Some(severity) = severity {
                found.finding.severity = severity;
            }
            all.push(found);
        }
    }
    all.sort_by(|a, b| a.finding.cmp(&b.finding));
    all.dedup();
    all
}

/// Whether the file allows it, or the configuration ignores it.
fn is_silent(graph: &Graph, settings: &Settings, finding: &Finding) -> bool {
    let node = finding.key.as_ref().and_then(|key| graph.nodes.get(key));
    let allowed = node.is_some_and(|node| node.allows.contains(&finding.rule));
    allowed
        || settings.ignore.iter().filter(|one| one.rule == finding.rule).any(|one| {
            // Parsing a selector cannot fail.
            let Ok(selector) = one.artifact.parse::<Selector>();
            let named = Some(&one.artifact);
            finding.key.as_ref().is_some_and(|key| selector.matches(key))
                || finding.path.as_ref() == named
                || finding.url.as_ref() == named
        })
}

/// A finding at an artifact. `about` is what of it is wrong: no line and nothing else that moves.
fn at(
    rule: &dyn Rule,
    node: &Node,
    line: Option<usize>,
    about: &str,
    message: String,
    fix: &str,
) -> Found {
    let finding = Finding {
        rule: rule.name().to_owned(),
        severity: rule.severity(),
        key: Some(node.key.clone()),
        path: node.file().map(str::to_owned),
        line: node.file().map(|_| line.unwrap_or(1)),
        url: node.url.clone(),
        message,
        fix: fix.to_owned(),
        about: Some(about.to_owned()),
    };
    Found { finding, fix: None }
}

/// Something that is in this state, and has been untouched for at least so many days.
fn untouched(
    rule: &dyn Rule,
    graph: &Graph,
    node: &Node,
    state: &State,
    days: i64,
    fix: &str,
) -> Option<Found> {
    let edited = node.edited?;
    if graph.days_since(edited)? < days {
        return None;
    }
    let day = edited.strftime("%Y-%m-%d");
    let message = format!("{} is {} and untouched since {day}.", node.key, state.text);
    let about = format!("{} {day}", state.text);
    Some(at(rule, node, node.line(&state.property), &about, message, fix))
}

/// What the observation has found under this rule's name.
fn observed(rule: &dyn Rule, graph: &Graph) -> Vec<Found> {
    let own = graph.observed.iter().filter(|finding| finding.rule == rule.name());
    own.map(|finding| Found { finding: finding.clone(), fix: None }).collect()
}

#[cfg(test)]
mod tests;
