//! What is around the artifacts that something was found at.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::model::{Key, Severity};
use serde::Serialize;

use super::graph::relations;
use super::{Fix, Found, Graph};

/// Artifacts that a picture can show and a person still read.
const SHOWN: usize = 40;

/// A part of the graph: artifacts with findings, and those that they name or that name them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Neighbourhood {
    /// The artifacts, the gravest first.
    pub artifacts: Vec<Neighbour>,
    /// How they name each other.
    pub edges: BTreeSet<Edge>,
    /// Artifacts with findings that have no place in it.
    pub left_out: usize,
}

/// An artifact of the picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// Identity.
    #[serde(flatten)]
    pub key: Key,
    /// Its title, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The gravest finding at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// One artifact names another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edge {
    /// Who names, as `kind/id`.
    pub from: String,
    /// Who is named.
    pub to: String,
    /// By which relation.
    pub relation: String,
    /// Whether it should be so and is not.
    pub missing: bool,
}

impl Neighbourhood {
    /// The neighbourhood of these findings; `None` where none is at an artifact.
    pub fn of(graph: &Graph, found: &[Found]) -> Option<Self> {
        let mut worst: BTreeMap<&Key, Severity> = BTreeMap::new();
        for finding in found.iter().map(|found| &found.finding) {
            if let Some(key) = &finding.key {
                let severity = worst.entry(key).or_insert(finding.severity);
                *severity = finding.severity.max(*severity);
            }
        }
        let mut shown: Vec<&Key> = worst.keys().copied().collect();
        shown.sort_by_key(|key| (std::cmp::Reverse(worst.get(key).copied()), *key));
        let left_out = shown.len().saturating_sub(SHOWN);
        shown.truncate(SHOWN);
        if shown.is_empty() {
            return None;
        }
        let affected: BTreeSet<Key> = shown.iter().map(|key| (*key).clone()).collect();
        let edges: Vec<(Key, Key, String, bool)> = all_edges(graph, found)
            .into_iter()
            .filter(|(from, to, ..)| affected.contains(from) || affected.contains(to))
            .collect();
        let ends: BTreeSet<&Key> = edges.iter().flat_map(|(from, to, ..)| [from, to]).collect();
        let around = ends.into_iter().filter(|key| !affected.contains(*key));
        shown.extend(around.take(SHOWN));
        let places: BTreeSet<&Key> = shown.iter().copied().collect();
        let edges = edges
            .iter()
            .filter(|(from, to, ..)| places.contains(from) && places.contains(to))
            .map(|(from, to, relation, missing)| Edge {
                from: from.to_string(),
                to: to.to_string(),
                relation: relation.clone(),
                missing: *missing,
            })
            .collect();
        let artifacts = shown
            .iter()
            .map(|key| Neighbour {
                key: (*key).clone(),
                title: title(graph, key),
                severity: worst.get(key).copied(),
            })
            .collect();
        Some(Self { artifacts, edges, left_out })
    }
}

fn title(graph: &Graph, key: &Key) -> Option<String> {
    let node = graph.nodes.get(key)?;
    Some(node.value(&graph.of_kind(node)?.title()?.name)?.to_string())
}

/// Every relation as (who names, who is named, by what, whether it is missing).
fn all_edges(graph: &Graph, found: &[Found]) -> Vec<(Key, Key, String, bool)> {
    let mut edges = Vec::new();
    for node in graph.nodes.values() {
        for (property, target) in graph.of_kind(node).into_iter().flat_map(relations) {
            for id in node.members(&property.name) {
                edges.push((node.key.clone(), Key::new(target, id), property.name.clone(), false));
            }
        }
    }
    for found in found {
        let Some(Fix::Link { key, property, id }) = &found.fix else { continue };
        let kind = graph.kinds.get(&key.kind);
        let Some(relation) = kind.and_then(|kind| kind.property(property)) else { continue };
        let target = relation.target.as_deref().unwrap_or(&key.kind);
        edges.push((key.clone(), Key::new(target, id), property.clone(), true));
    }
    edges
}
