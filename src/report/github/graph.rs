//! Artifacts with findings and those around them, as a picture that GitHub draws (mermaid.js.org, "Flowcharts").

use std::collections::BTreeMap;

use agent_sync_core::model::Severity;

use super::super::cut;
use crate::janitor::{Neighbour, Neighbourhood};

/// Characters of a name.
const NAME: usize = 60;

/// The picture with the line under it; nothing where it does not fit into so many bytes, or shows no connection.
pub(super) fn picture(graph: &Neighbourhood, budget: usize) -> String {
    if graph.edges.is_empty() {
        return String::new();
    }
    let places = graph.artifacts.iter().enumerate();
    let places: BTreeMap<String, usize> =
        places.map(|(n, artifact)| (artifact.key.to_string(), n)).collect();
    let mut out = "```mermaid\nflowchart LR\n".to_owned();
    for (n, artifact) in graph.artifacts.iter().enumerate() {
        out.push_str(&format!("  n{n}[\"{}\"]{}\n", name(artifact), class(artifact)));
    }
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) else {
            continue;
        };
        let (line, word) = match edge.missing {
            true => ("-.->", "missing: "),
            false => ("-->", ""),
        };
        out.push_str(&format!("  n{from} {line}|\"{word}{}\"| n{to}\n", label(&edge.relation)));
    }
    out.push_str(
        "  classDef error stroke:#cf222e,stroke-width:3px\n  classDef warning stroke:#9a6700,stroke-width:3px\n  \
         classDef notice stroke:#0969da,stroke-width:2px\n```\n\n",
    );
    if graph.left_out > 0 {
        out.push_str(&format!(
            "{} artifacts with findings are not in the picture.\n\n",
            graph.left_out
        ));
    }
    if out.len() > budget { String::new() } else { out }
}

fn name(artifact: &Neighbour) -> String {
    let title = artifact.title.as_deref().map(|title| format!("<br/>{}", label(title)));
    format!("{}{}", label(&artifact.key.to_string()), title.unwrap_or_default())
}

fn class(artifact: &Neighbour) -> &'static str {
    match artifact.severity {
        Some(Severity::Error) => ":::error",
        Some(Severity::Warning) => ":::warning",
        Some(Severity::Notice) => ":::notice",
        None => "",
    }
}

/// A text of anybody as nothing but a text: every sign that could mean something is its number.
fn label(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '/' | '.' | ',');
    let text = cut(text, NAME);
    text.chars().fold(String::new(), |mut out, c| {
        match plain(c) {
            true => out.push(c),
            false => out.push_str(&format!("#{};", u32::from(c))),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use agent_sync_core::model::Key;

    use super::*;
    use crate::janitor::Edge;

    fn graph(title: &str) -> Neighbourhood {
        let artifact = |kind: &str, severity| Neighbour {
            key: Key::new(kind, "A-1"),
            title: Some(title.to_owned()),
            severity,
        };
        let edge = |missing| Edge {
            from: "story/A-1".to_owned(),
            to: "plan/A-1".to_owned(),
            relation: "Linked Plans".to_owned(),
            missing,
        };
        Neighbourhood {
            artifacts: vec![artifact("story", Some(Severity::Error)), artifact("plan", None)],
            edges: [edge(true), edge(false)].into(),
            left_out: 3,
        }
    }

    #[test]
    fn artifacts_are_boxes_and_relations_arrows() {
        let text = picture(&graph("Keys"), 10_000);
        for line in [
            "  n0[\"story/A-1<br/>Keys\"]:::error",
            "  n1[\"plan/A-1<br/>Keys\"]",
            "  n0 -->|\"Linked Plans\"| n1",
            "  n0 -.->|\"missing: Linked Plans\"| n1",
            "3 artifacts with findings are not in the picture.",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
        assert_eq!(picture(&graph("Keys"), 100), "");
        assert_eq!(picture(&Neighbourhood { edges: [].into(), ..graph("") }, 10_000), "");
    }

    #[test]
    fn no_title_is_more_than_a_title() {
        let text = picture(
            &graph("\"]\n```\n<img src=x onerror=1> click n0 \"javascript:1\" %%{init"),
            10_000,
        );
        assert_eq!(text.matches("```").count(), 2);
        assert!(!text.contains("<img") && !text.contains("%%"), "{text}");
        assert_eq!(text.lines().filter(|line| line.contains("click")).count(), 2, "{text}");
    }
}
