//! Both versions of Markdown over HTTP, pages beyond the limit, and updates with missing items.

use notion_sim::{Options, Special};
use serde_json::{Value, json};

use crate::support::{Sim, named, schema, start, text};

fn markdown(sim: &Sim, id: &str, version: &str) -> Value {
    sim.get(&format!("/v1/pages/{id}/markdown?markdown_version={version}")).body
}

fn write(sim: &Sim, page: &str, body: &Value) -> crate::support::Answer {
    sim.patch(&format!("/v1/pages/{page}/markdown"), body)
}

fn replace(sim: &Sim, page: &str, version: &str, content: &str) -> crate::support::Answer {
    let body = json!({
        "type": "replace_content",
        "replace_content": {"new_str": content},
        "markdown_version": version,
    });
    write(sim, page, &body)
}

#[test]
fn the_version_governs_what_is_read_and_what_is_answered() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let created = sim.post(
        "/v1/pages",
        &json!({
            "parent": {"data_source_id": source},
            "properties": named("x"),
            "markdown": "Soft\nbreak\n\n<u>under</u>",
            "markdown_version": "v2",
        }),
    );
    let page = text(&created.body["id"]);
    assert_eq!(markdown(&sim, &page, "v2")["markdown"], "Soft break\n\n<u>under</u>");
    let v1 = "Soft break\n<span underline=\"true\">under</span>";
    assert_eq!(markdown(&sim, &page, "v1")["markdown"], v1);
    assert_eq!(sim.get(&format!("/v1/pages/{page}/markdown")).body["markdown"], v1);
    let update = json!({
        "type": "update_content",
        "update_content": {"content_updates": [{"old_str": "<u>under</u>", "new_str": "<u>line</u>"}]},
        "markdown_version": "v2",
    });
    let answer = write(&sim, &page, &update);
    assert_eq!(answer.body["markdown"], "Soft break\n\n<u>line</u>");
    assert!(answer.body.get("warnings").is_none());
    // The text of one version is not found in the other.
    assert_eq!(write(&sim, &page, &update).error(), (400, "validation_error"));
    let answer = replace(&sim, &page, "v2", "<p color=\"red\" size=\"9\">x</p>");
    assert_eq!(answer.body["markdown"], "<p color=\"red\">x</p>");
    assert!(text(&answer.body["warnings"][0]).contains("size"));
    let answer = replace(&sim, &page, "v1", "One\nTwo");
    assert_eq!(answer.body["markdown"], "One\nTwo");
    let comment = |body: Value| sim.post("/v1/comments", &body);
    let good = comment(json!({
        "parent": {"page_id": page}, "markdown": "<u>why</u>", "markdown_version": "v2",
    }));
    assert_eq!(good.body["rich_text"][0]["annotations"]["underline"], true);
    let path = format!("/v1/comments/{}", text(&good.body["id"]));
    let edited = sim.patch(&path, &json!({"markdown": "<s>y</s>", "markdown_version": "v2"}));
    assert_eq!(edited.body["rich_text"][0]["annotations"]["strikethrough"], true);
}

#[test]
fn the_version_is_refused_elsewhere_and_when_it_is_unknown() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "Body");
    let parent = json!({"data_source_id": source});
    let rich = json!([{"text": {"content": "x"}}]);
    for (method, path, body) in [
        ("GET", format!("/v1/pages/{page}/markdown?markdown_version=v3"), Value::Null),
        ("GET", format!("/v1/pages/{page}?markdown_version=v2"), Value::Null),
        (
            "PATCH",
            format!("/v1/pages/{page}/markdown?markdown_version=v2"),
            json!({"type": "replace_content", "replace_content": {"new_str": "x"}}),
        ),
        (
            "PATCH",
            format!("/v1/pages/{page}/markdown"),
            json!({"type": "replace_content", "replace_content": {"new_str": "x"}, "markdown_version": "v9"}),
        ),
        (
            "PATCH",
            format!("/v1/pages/{page}/markdown"),
            json!({"type": "replace_content", "replace_content": {"new_str": "x", "markdown_version": "v2"}}),
        ),
        ("PATCH", format!("/v1/pages/{page}"), json!({"markdown_version": "v2"})),
        (
            "POST",
            "/v1/pages".to_owned(),
            json!({"parent": parent, "properties": named("x"), "markdown_version": "v2"}),
        ),
        (
            "POST",
            "/v1/pages".to_owned(),
            json!({"parent": parent, "properties": named("x"), "children": [], "markdown_version": "v2"}),
        ),
        (
            "POST",
            "/v1/comments".to_owned(),
            json!({"parent": {"page_id": page}, "rich_text": rich, "markdown_version": "v2"}),
        ),
        (
            "PATCH",
            format!("/v1/blocks/{page}/children"),
            json!({"children": [], "markdown_version": "v2"}),
        ),
    ] {
        let answer = sim.send(method, &path, &body);
        assert_eq!(answer.error(), (400, "validation_error"), "{method} {path} {body}");
    }
    assert_eq!(sim.server.workspace().markdown(&page), "Body");
}

#[test]
fn the_next_version_of_the_api_has_no_v1() {
    let sim = start(Options { reject_v1: true, ..Options::default() });
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "One\n\nTwo");
    assert_eq!(sim.get(&format!("/v1/pages/{page}/markdown")).body["markdown"], "One\n\nTwo");
    let refused = sim.get(&format!("/v1/pages/{page}/markdown?markdown_version=v1"));
    assert_eq!(refused.error(), (400, "validation_error"));
    assert_eq!(replace(&sim, &page, "v1", "x").error(), (400, "validation_error"));
    assert_eq!(sim.post("/_sim/options", &json!({"reject_v1": false})).status, 200);
    assert_eq!(markdown(&sim, &page, "v1")["markdown"], "One\nTwo");
    assert_eq!(sim.post("/_sim/options", &json!({"reject_v2": false})).status, 400);
}

#[test]
fn missing_items_refuse_an_update_or_are_skipped() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "a\nb\nc");
    let body = json!({"type": "update_content", "update_content": {"content_updates": [
        {"old_str": "a", "new_str": "A"},
        {"old_str": "missing", "new_str": "X"},
        {"old_str": "c", "new_str": "C"},
    ]}});
    assert_eq!(write(&sim, &page, &body).error(), (400, "validation_error"));
    assert_eq!(sim.server.workspace().markdown(&page), "a\nb\nc");
    sim.post("/_sim/options", &json!({"skip_missing": true}));
    let answer = write(&sim, &page, &body);
    assert_eq!((answer.status, &answer.body["markdown"]), (200, &json!("A\nb\nC")));
}

#[test]
fn a_page_beyond_the_limit_is_read_in_parts_and_protected() {
    let sim = start(Options { record_limit: 3, ..Options::default() });
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "one\n- two\n\t- three\n\t- four\n\t\t- five\nsix");
    for version in ["v1", "v2"] {
        let read = markdown(&sim, &page, version);
        assert_eq!(read["truncated"], true);
        let unknown = read["unknown_block_ids"].as_array().unwrap().clone();
        assert_eq!(unknown.len(), 2);
        let shown = text(&read["markdown"]);
        assert!(shown.contains("three") && !shown.contains("four"), "{shown}");
        assert_eq!(shown.matches("<unknown url=").count(), 2, "{shown}");
        assert!(
            shown.contains("alt=\"bulleted_list_item\"") && shown.contains("alt=\"paragraph\"")
        );
        let part = markdown(&sim, &text(&unknown[0]), version);
        assert_eq!(part["markdown"], "- four\n\t- five");
        assert_eq!(part["truncated"], false);
        assert_eq!(markdown(&sim, &text(&unknown[1]), version)["markdown"], "six");
    }
    let before = sim.server.workspace().markdown(&page);
    for body in [
        json!({"type": "replace_content", "replace_content": {"new_str": "x"}}),
        json!({"type": "replace_content", "replace_content": {"new_str": "x", "allow_deleting_content": true}}),
        json!({"type": "update_content", "update_content": {"content_updates": [
            {"old_str": "alt=\"paragraph\"", "new_str": "alt=\"x\""}]}}),
    ] {
        let body_text = body.to_string();
        let answer = write(&sim, &page, &body);
        if body_text.contains("update_content") {
            // The tag still names its block.
            assert_eq!(answer.status, 200, "{}", answer.body);
            continue;
        }
        assert_eq!(answer.error(), (400, "validation_error"));
        assert_eq!(answer.body["additional_data"]["limit_kind"], "page_record_count");
    }
    assert_eq!(sim.server.workspace().markdown(&page), before);
    let body = json!({"type": "update_content", "update_content": {"content_updates": [
        {"old_str": "one", "new_str": "ONE"}]}});
    assert_eq!(write(&sim, &page, &body).status, 200);
    assert_eq!(sim.server.workspace().markdown(&page), before.replace("one", "ONE"));
    sim.post("/_sim/options", &json!({"record_limit": 100}));
    assert_eq!(markdown(&sim, &page, "v1")["truncated"], false);
}

#[test]
fn a_child_that_is_not_shared_is_unknown_and_not_found() {
    let sim = start(Options::default());
    let parent = sim.server.parent_page();
    let page = sim.server.workspace().create_subpage(&parent, "Page", "Before").unwrap();
    let child =
        sim.server.workspace().add_block(&page, &Special::ChildPage("Secret".to_owned())).unwrap();
    sim.server.workspace().unshare(&child);
    for version in ["v1", "v2"] {
        let read = markdown(&sim, &page, version);
        assert_eq!(read["truncated"], true);
        assert_eq!(read["unknown_block_ids"], json!([child]));
        assert!(!text(&read["markdown"]).contains("Secret"));
        let path = format!("/v1/pages/{child}/markdown?markdown_version={version}");
        assert_eq!(sim.get(&path).error(), (404, "object_not_found"));
    }
    assert_eq!(replace(&sim, &page, "v2", "x").error(), (400, "validation_error"));
    assert!(!sim.server.workspace().page(&child).unwrap().in_trash);
}
