//! Every kind of block that a person can make, seen through both versions of Markdown.

use notion_sim::Options;
use serde_json::{Value, json};

use crate::support::{start, text};

fn rt(content: &str) -> Value {
    json!([{"text": {"content": content}}])
}

#[test]
fn every_kind_of_block_survives_edits_next_to_it() {
    let sim = start(Options::default());
    let parent = sim.server.parent_page();
    let page = sim.server.workspace().create_subpage(&parent, "Page", "Before").unwrap();
    let put = |block: Value| {
        let answer = sim
            .post("/_sim/person", &json!({"action": "put_block", "target": page, "block": block}));
        assert_eq!(answer.status, 200, "{block}: {}", answer.body);
        text(&answer.body["id"])
    };
    let paragraph = |content: &str| json!({"paragraph": {"rich_text": rt(content)}});
    let cell = |content: &str| rt(content);
    let column =
        |content: &str| json!({"column": {"width_ratio": 0.5, "children": [paragraph(content)]}});
    let original =
        put(json!({"synced_block": {"synced_from": null, "children": [paragraph("shared")]}}));
    for block in [
        json!({"synced_block": {"synced_from": {"block_id": original}}}),
        json!({"bookmark": {"url": "https://example.com", "caption": rt("site")}}),
        json!({"embed": {"url": "https://example.com/e"}}),
        json!({"link_preview": {"url": "https://github.com/a/b/pull/1"}}),
        json!({"breadcrumb": {}}),
        json!({"table_of_contents": {"color": "gray"}}),
        json!({"link_to_page": {"type": "page_id", "page_id": parent}}),
        json!({"column_list": {"children": [column("left"), column("right")]}}),
        json!({"tab": {"children": [
            {"paragraph": {"rich_text": rt("One"), "icon": {"emoji": "📄"}, "children": [paragraph("in tab")]}},
            {"paragraph": {"rich_text": rt("Two")}},
        ]}}),
        json!({"child_page": {"title": "Child"}}),
        json!({"child_database": {"title": "Rows"}}),
        json!({"meeting_notes": {"title": "Weekly"}}),
        json!({"heading_2": {"rich_text": rt("Toggle heading"), "is_toggleable": true, "color": "red",
            "children": [paragraph("in heading"), {"toggle": {"rich_text": rt("deep"), "children": [
                {"callout": {"rich_text": rt("deeper"), "children": [
                    {"quote": {"rich_text": rt("deepest")}}, {"unsupported": {"block_type": "form"}}]}}]}}]}}),
        json!({"unsupported": {"block_type": "button"}}),
        json!({"unsupported": {"block_type": "folder"}}),
        json!({"image": {"hosted": "a.png", "caption": rt("hosted")}}),
        json!({"video": {"hosted": "a.mp4"}}),
        json!({"pdf": {"external": {"url": "https://example.com/a.pdf"}}}),
        json!({"template": {"rich_text": rt("A template")}}),
        json!({"equation": {"expression": "x^2"}}),
        json!({"code": {"rich_text": rt("let x;"), "language": "rust", "caption": rt("caption")}}),
        json!({"table": {"table_width": 2, "has_row_header": true, "children": [
            {"table_row": {"cells": [cell("a"), cell("b")]}}]}}),
        json!({"paragraph": {"color": "blue_background", "rich_text": [
            {"text": {"content": "under"}, "annotations": {"underline": true, "color": "red"}},
            {"mention": {"user": {"id": sim.server.workspace().person()}}},
            {"mention": {"page": {"id": parent}}},
            {"mention": {"date": {"start": "2026-11-20", "end": "2026-11-21"}}},
            {"mention": {"template_mention": {"template_mention_date": "today"}}},
            {"mention": {"custom_emoji": {"id": "5e1f0000-0000-4000-8000-0000000000e1"}}},
            {"equation": {"expression": "y"}},
        ]}}),
    ] {
        put(block);
    }
    sim.server
        .workspace()
        .mention_link(&page, "under", "https://example.com/x", Some("Title"))
        .unwrap();
    sim.server.workspace().mention_link(&page, "under", "https://github.com/a", None).unwrap();
    sim.server.workspace().append_markdown(&page, "After **bold** words").unwrap();
    let discussion = sim.server.workspace().comment_on_words(&page, "bold wo", "Why?").unwrap();
    let before = sim.server.workspace().blocks(&page);
    for version in ["v1", "v2"] {
        let path = format!("/v1/pages/{page}/markdown");
        let read = || sim.get(&format!("{path}?markdown_version={version}")).body;
        let shown = text(&read()["markdown"]);
        assert_ne!(shown, text(&read()["markdown"]), "signed addresses rotate");
        assert_eq!(
            shown.matches(&format!("discussion-urls=\"discussion://{discussion}\"")).count(),
            1,
            "{shown}"
        );
        for part in
            ["alt=\"button\"", "alt=\"form\"", "[Title](https://example.com/x)", ":ship-it:"]
        {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        for part in ["<bookmark ", "<embed ", "<tabs>", "<folder ", "<column ratio=\"50\">", "<u>"]
        {
            assert_eq!(shown.contains(part), version == "v2", "{part} in {shown}");
        }
        for (old, new) in [("Before", "Changed"), ("Changed", "Before")] {
            let body = json!({
                "type": "update_content",
                "update_content": {"content_updates": [{"old_str": old, "new_str": new}]},
                "markdown_version": version,
            });
            assert_eq!(sim.patch(&path, &body).status, 200);
        }
        let after = sim.server.workspace().blocks(&page);
        assert_eq!(after[1..], before[1..], "{version}");
    }
    let nobody = json!({"action": "put_block", "target": before[0].id, "block": {"nonsense": {}}});
    assert_eq!(sim.post("/_sim/person", &nobody).status, 400);
}

#[test]
fn texts_change_on_the_way_in_where_that_is_asked_for() {
    let sim = start(Options { odd_text: true, odd: Some(7), ..Options::default() });
    let parent = sim.server.parent_page();
    let page = sim.server.workspace().create_subpage(&parent, "Page", "").unwrap();
    let path = format!("/v1/pages/{page}/markdown");
    let body =
        json!({"type": "replace_content", "replace_content": {"new_str": "\"It's\" -- `a--b`"}});
    let answer = sim.patch(&path, &body);
    assert_eq!(answer.body["markdown"], "“It’s” – `a--b`");
    assert_eq!(sim.get(&path).body["markdown"], "“It’s” – `a--b`");
    let children = sim.get(&format!("/v1/blocks/{page}/children")).body;
    assert_eq!(children["results"][0]["paragraph"]["rich_text"][0]["plain_text"], "“It’s” – ");
}
