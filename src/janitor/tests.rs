//! Each rule: where it finds something, where it does not, and where it is silent.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::document::{Mention, Role};
use agent_sync_core::kind::Kinds;
use agent_sync_core::model::{Finding, Key, Severity, Value};
use jiff::Timestamp;

use super::*;

/// The kinds of the preset; plans have a relation back to their stories beside.
fn kinds() -> Kinds {
    let text = "kinds:\n  plan:\n    properties:\n      Stories: {type: relation, from: {references: Stories}, target: story}\n";
    crate::config::Config::parse("agent-sync.yml".into(), text, &|_| None).unwrap().kinds
}

fn day(day: i64) -> Timestamp {
    Timestamp::from_second(day * 24 * 60 * 60).unwrap()
}

fn side(values: &[(&str, &str)]) -> Side {
    let value = |name: &str, text: &str| match name.starts_with("Linked") || name == "Stories" {
        true => Value::set(text.split(' ')),
        false => Value::text(text),
    };
    let values =
        values.iter().filter_map(|(name, text)| Some(((*name).to_owned(), value(name, text)?)));
    Side { values: values.collect(), ..Side::default() }
}

/// An artifact that both sides hold alike.
fn node(kind: &str, id: &str, values: &[(&str, &str)]) -> Node {
    let mut all = vec![("Title", "A title"), ("Status", "TO_DO")];
    all.extend(values);
    let side = side(&all);
    Node {
        path: Some(format!("{kind}/{id}.md")),
        url: Some(format!("https://notion.so/{kind}-{id}")),
        local: Some(side.clone()),
        remote: Some(side),
        synced: true,
        edited: Some(day(100)),
        ..Node::new(&Key::new(kind, id))
    }
}

fn graph(nodes: Vec<Node>) -> Graph {
    let known = nodes.iter().map(|node| node.key.clone()).collect();
    Graph {
        kinds: kinds(),
        nodes: nodes.into_iter().map(|node| (node.key.clone(), node)).collect(),
        known,
        now: Some(day(110)),
        label: "Notion".to_owned(),
        ..Graph::default()
    }
}

fn mention(id: &str, role: Role) -> Mention {
    Mention { id: id.to_owned(), line: 9, role }
}

/// What a rule finds: (artifact, message).
fn found(rule: &str, graph: &Graph, settings: &Settings) -> Vec<(String, String)> {
    let of = |found: &Found| found.finding.rule == rule;
    let told = |found: Found| {
        let key = found.finding.key.map(|key| key.to_string()).unwrap_or_default();
        (key, found.finding.message)
    };
    inspect(graph, settings).into_iter().filter(of).map(told).collect()
}

/// The rule finds something at exactly these artifacts, and nothing once it is allowed there, ignored or off.
#[track_caller]
fn finds(rule: &str, graph: &Graph, wanted: &[&str]) {
    let settings = Settings::default();
    let at = |graph: &Graph, settings: &Settings| -> Vec<String> {
        found(rule, graph, settings).into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(at(graph, &settings), wanted, "{:#?}", found(rule, graph, &settings));
    let mut allowed = graph.clone();
    for node in allowed.nodes.values_mut() {
        node.allows.insert(rule.to_owned());
    }
    let left = at(&allowed, &settings);
    assert!(
        left.iter().all(|key| !graph.nodes.keys().any(|node| node.to_string() == *key)),
        "{left:?}"
    );
    let ignored = wanted.iter().map(|key| Ignored {
        rule: rule.to_owned(),
        artifact: (*key).to_owned(),
        reason: "known".to_owned(),
    });
    let ignoring = Settings { ignore: ignored.collect(), ..Settings::default() };
    assert_eq!(at(graph, &ignoring), Vec::<String>::new());
    let off = Settings { rules: [(rule.to_owned(), None)].into(), ..Settings::default() };
    assert_eq!(at(graph, &off), Vec::<String>::new());
    let loud = Some(Severity::Error);
    let loud = Settings { rules: [(rule.to_owned(), loud)].into(), ..Settings::default() };
    let all = inspect(graph, &loud);
    assert!(
        all.iter()
            .filter(|one| one.finding.rule == rule)
            .all(|one| one.finding.severity == Severity::Error)
    );
}

#[test]
fn names_are_those_of_the_promise() {
    let names: Vec<&str> = RULES.iter().map(|rule| rule.name()).collect();
    assert_eq!(names.join(" "), "orphan-story unlinked-mention broken-reference missing-field duplicate-id \
        page-without-id unknown-option title-mismatch stale-status superseded-but-active asymmetric-relation orphan-page \
        diverged stale-decision duplicate-page".split_whitespace().collect::<Vec<_>>().join(" "));
}

#[test]
fn orphan_story() {
    let graph = graph(vec![
        node("story", "A-1", &[]),
        node("story", "A-2", &[("Linked Plans", "P-1")]),
        node("story", "A-3", &[("Linked ADRs", "ADR-1")]),
        node("story", "A-4", &[("Status", "RETIRED")]),
        node("story", "A-5", &[]),
        node("plan", "P-1", &[("Stories", "A-2 A-5")]),
        node("adr", "ADR-1", &[]),
    ]);
    finds("orphan-story", &graph, &["story/A-1"]);
}

#[test]
fn unlinked_mention() {
    let mut nodes = vec![
        node("story", "A-1", &[("Linked ADRs", "ADR-1")]),
        node("story", "A-2", &[]),
        node("plan", "A-2", &[]),
        node("plan", "P-1", &[]),
        node("adr", "ADR-1", &[]),
        node("adr", "ADR-2", &[]),
    ];
    // Linked already, the own id, two artifacts of that id, none of it, no relation to its kind.
    nodes[0].mentions = ["ADR-1", "A-1", "A-2", "ADR-9", "ADR-2", "P-1", "ADR-2"]
        .map(|id| mention(id, Role::Named))
        .into();
    nodes[4].mentions = vec![mention("P-1", Role::Named)];
    let graph = graph(nodes);
    finds("unlinked-mention", &graph, &["story/A-1", "story/A-1"]);
    let fixes: Vec<Fix> = inspect(&graph, &Settings::default())
        .into_iter()
        .filter(|one| one.finding.rule == "unlinked-mention")
        .filter_map(|one| one.fix)
        .collect();
    let link = |property: &str, id: &str| Fix::Link {
        key: Key::new("story", "A-1"),
        property: property.to_owned(),
        id: id.to_owned(),
    };
    assert_eq!(fixes.len(), 2);
    assert!(
        fixes.contains(&link("Linked ADRs", "ADR-2"))
            && fixes.contains(&link("Linked Plans", "P-1"))
    );
}

#[test]
fn broken_reference() {
    let mut nodes =
        vec![node("story", "A-1", &[]), node("story", "A-2", &[]), node("adr", "ADR-1", &[])];
    nodes[0].strays = [("Linked ADRs".to_owned(), BTreeSet::from(["ADR-9".to_owned()]))].into();
    // Told already, no scope of ours, there.
    nodes[0].mentions = ["ADR-9", "UTF-8", "A-2"].map(|id| mention(id, Role::Named)).into();
    nodes[1].mentions = vec![mention("A-77", Role::Named)];
    let graph = graph(nodes);
    finds("broken-reference", &graph, &["story/A-1", "story/A-2"]);
}

#[test]
fn missing_field() {
    let mut nodes = vec![
        node("story", "A-1", &[]),
        node("story", "A-2", &[]),
        node("story", "A-3", &[]),
        node("story", "A-4", &[]),
        node("story", "A-5", &[]),
    ];
    for node in &mut nodes[..2] {
        for side in [&mut node.local, &mut node.remote].into_iter().flatten() {
            side.values.remove("Status");
        }
    }
    // Its value cannot be read: another finding says so.
    nodes[1].local.as_mut().unwrap().unread.insert("Status".to_owned());
    // Begun and forgotten; only on the page; without a heading.
    nodes[2].local.as_mut().unwrap().blank.insert("Priority".to_owned(), 3);
    nodes[3].local.as_mut().unwrap().values.remove("Status");
    nodes[4].local.as_mut().unwrap().blank.insert("Title".to_owned(), 1);
    finds("missing-field", &graph(nodes), &["story/A-1", "story/A-3", "story/A-5"]);
}

#[test]
fn what_the_observation_finds_has_the_name_of_its_rule() {
    let seen = |rule: &str| Finding {
        rule: rule.to_owned(),
        severity: Severity::Warning,
        key: Some(Key::new("story", "A-1")),
        path: None,
        line: None,
        url: None,
        message: "Seen.".to_owned(),
        fix: "Look.".to_owned(),
        about: None,
    };
    for rule in [
        "duplicate-id",
        "duplicate-page",
        "page-without-id",
        "unknown-option",
        "title-mismatch",
        "broken-reference",
    ] {
        let mut graph = graph(vec![
            node("story", "A-1", &[("Linked Plans", "P-1")]),
            node("plan", "P-1", &[("Stories", "A-1")]),
        ]);
        finds(rule, &graph, &[]);
        graph.observed = vec![seen(rule)];
        finds(rule, &graph, &["story/A-1"]);
    }
    // What has no rule is told as it is; what has no artifact is ignored by its address.
    let mut graph = graph(Vec::new());
    graph.observed = vec![seen("page-away")];
    assert_eq!(inspect(&graph, &Settings::default()).len(), 1);
    let page = "https://notion.so/x";
    graph.observed =
        vec![Finding { key: None, url: Some(page.to_owned()), ..seen("page-without-id") }];
    assert_eq!(found("page-without-id", &graph, &Settings::default()).len(), 1);
    let one = Ignored {
        rule: "page-without-id".to_owned(),
        artifact: page.to_owned(),
        reason: "x".to_owned(),
    };
    let ignoring = Settings { ignore: vec![one], ..Settings::default() };
    assert_eq!(inspect(&graph, &ignoring), []);
}

#[test]
fn title_mismatch() {
    let mut nodes = vec![node("story", "A-1", &[]), node("story", "A-2", &[])];
    for node in &mut nodes {
        node.remote = Some(side(&[("Title", "Another"), ("Status", "TO_DO")]));
    }
    nodes[0].agreed_to_differ.insert("Title".to_owned());
    finds("title-mismatch", &graph(nodes), &["story/A-1"]);
}

#[test]
fn stale_status() {
    let mut nodes = vec![
        node("story", "A-1", &[("Status", "IN_PROGRESS")]),
        node("story", "A-2", &[("Status", "In review")]),
        node("story", "A-3", &[("Status", "DONE")]),
        node("story", "A-4", &[("Status", "IN_PROGRESS")]),
    ];
    nodes[3].edited = Some(day(104));
    let mut graph = graph(nodes);
    finds("stale-status", &graph, &[]);
    graph.now = Some(day(130));
    finds("stale-status", &graph, &["story/A-1", "story/A-2"]);
    let days = Settings { stale_days: 26, ..Settings::default() };
    assert_eq!(found("stale-status", &graph, &days).len(), 3);
}

#[test]
fn superseded_but_active() {
    let mut nodes = vec![
        node("adr", "ADR-1", &[("Status", "ACCEPTED")]),
        node("adr", "ADR-2", &[("Status", "SUPERSEDED")]),
        node("adr", "ADR-3", &[("Status", "ACCEPTED")]),
        node("adr", "ADR-4", &[("Status", "ACCEPTED")]),
        node("story", "A-1", &[("Status", "IN_PROGRESS"), ("Linked ADRs", "ADR-2")]),
        node("story", "A-2", &[("Status", "DONE"), ("Linked ADRs", "ADR-2")]),
    ];
    nodes[2].mentions = vec![
        mention("ADR-1", Role::Supersedes),
        mention("ADR-2", Role::Supersedes),
        mention("ADR-4", Role::Named),
    ];
    nodes[0].mentions = vec![mention("ADR-3", Role::SupersededBy)];
    let graph = graph(nodes);
    finds("superseded-but-active", &graph, &["adr/ADR-1", "story/A-1"]);
}

#[test]
fn asymmetric_relation() {
    let graph = graph(vec![
        node("story", "A-1", &[("Linked Plans", "P-1 P-2"), ("Linked ADRs", "ADR-1")]),
        node("plan", "P-1", &[("Stories", "A-1")]),
        node("plan", "P-2", &[]),
        node("adr", "ADR-1", &[]),
    ]);
    finds("asymmetric-relation", &graph, &["plan/P-2"]);
}

#[test]
fn orphan_page() {
    let mut nodes =
        vec![node("story", "A-1", &[]), node("story", "A-2", &[]), node("story", "A-3", &[])];
    nodes[0].local = None;
    // Made in Notion, and not pulled yet.
    nodes[1].local = None;
    nodes[1].synced = false;
    finds("orphan-page", &graph(nodes), &["story/A-1"]);
}

#[test]
fn diverged() {
    let mut nodes = vec![node("story", "A-1", &[]), node("story", "A-2", &[])];
    nodes[0].hidden = true;
    finds("diverged", &graph(nodes), &["story/A-1"]);
}

#[test]
fn stale_decision() {
    let answer = |n: usize, open: bool, skips: bool| Answer {
        fingerprint: format!("{n:016}"),
        key: Key::new("story", format!("A-{n}")),
        stretch: "body".to_owned(),
        open,
        skips,
        given: Some(day(100)),
    };
    let mut graph = graph(vec![
        node("adr", "ADR-1", &[("Status", "PROPOSED")]),
        node("adr", "ADR-2", &[("Status", "ACCEPTED")]),
        node("story", "A-1", &[("Status", "DRAFT")]),
        node("story", "A-2", &[]),
        node("story", "A-3", &[]),
    ]);
    graph.answers = vec![answer(1, false, false), answer(2, true, false), answer(3, true, true)];
    finds("stale-decision", &graph, &["story/A-1"]);
    graph.now = Some(day(140));
    finds("stale-decision", &graph, &["adr/ADR-1", "story/A-1", "story/A-3"]);
}

#[test]
fn every_fingerprint_is_its_own_and_stays_when_lines_move() {
    let mut nodes =
        vec![node("story", "A-1", &[]), node("adr", "ADR-1", &[]), node("adr", "ADR-2", &[])];
    nodes[0].mentions =
        ["ADR-1", "ADR-2", "ADR-3", "A-9"].map(|id| mention(id, Role::Named)).into();
    nodes[0].local.as_mut().unwrap().blank.insert("Priority".to_owned(), 3);
    let prints = |graph: &Graph| -> BTreeMap<String, String> {
        let all = inspect(graph, &Settings::default());
        all.iter().map(|one| (one.finding.fingerprint(), one.finding.message.clone())).collect()
    };
    let before = graph(nodes.clone());
    let old = prints(&before);
    assert_eq!(old.len(), inspect(&before, &Settings::default()).len());
    assert!(old.len() >= 6, "{old:#?}");
    for mention in &mut nodes[0].mentions {
        mention.line += 7;
    }
    assert_eq!(prints(&graph(nodes)), old);
}

#[test]
fn the_neighbourhood_is_what_findings_touch() {
    let mut nodes = vec![
        node("story", "A-1", &[("Linked Plans", "P-1")]),
        node("plan", "P-1", &[("Stories", "A-1")]),
        node("adr", "ADR-1", &[]),
        node("adr", "ADR-2", &[]),
        node("story", "A-2", &[("Linked ADRs", "ADR-2")]),
    ];
    nodes[0].mentions = vec![mention("ADR-1", Role::Named)];
    let graph = graph(nodes);
    let around = Neighbourhood::of(&graph, &inspect(&graph, &Settings::default())).unwrap();
    let shown: Vec<String> = around.artifacts.iter().map(|one| one.key.to_string()).collect();
    assert_eq!(shown, ["story/A-1", "adr/ADR-1", "plan/P-1"]);
    let edges: Vec<(&str, &str, bool)> = around
        .edges
        .iter()
        .map(|edge| (edge.from.as_str(), edge.to.as_str(), edge.missing))
        .collect();
    assert_eq!(
        edges,
        [
            ("plan/P-1", "story/A-1", false),
            ("story/A-1", "adr/ADR-1", true),
            ("story/A-1", "plan/P-1", false)
        ]
    );
    assert_eq!(Neighbourhood::of(&graph, &[]), None);
}

#[test]
fn what_is_repaired_is_found_no_more_and_may_make_the_next_repair_necessary() {
    let mut nodes = vec![node("story", "A-1", &[]), node("plan", "P-1", &[])];
    nodes[0].mentions = vec![mention("P-1", Role::Named)];
    nodes[0].hidden = true;
    let mut graph = graph(nodes);
    let mut rounds = Vec::new();
    loop {
        let found = inspect(&graph, &Settings::default());
        let fixes: Vec<Fix> = found.iter().filter_map(|one| one.fix.clone()).collect();
        if fixes.is_empty() {
            assert_eq!(found, []);
            break;
        }
        fixes.iter().for_each(|fix| graph.apply(fix));
        rounds.push(fixes.len());
    }
    // The mention and the hidden edit; then the other end of the new link.
    assert_eq!(rounds, [2, 1]);
}
