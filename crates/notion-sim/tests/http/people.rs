//! People act; the API shows what they did.

use std::time::Duration;

use notion_sim::{Options, Special};
use serde_json::json;

use crate::support::{schema, start, text};

#[test]
fn a_person_edits_every_part_of_a_page() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(
        &source,
        "Title",
        "# Context\nOne\n| a | b |\n|---|---|\n| 1 | 2 |\n```rust\nlet x;\n```",
    );
    let before = sim.server.workspace().blocks(&page);
    sim.server.advance(Duration::from_secs(120));
    {
        let mut workspace = sim.server.workspace();
        workspace.edit_block(&page, "One", "Two **bold**").unwrap();
        workspace.edit_block(&page, "2", "3").unwrap();
        workspace.edit_block(&page, "let x", "let *y*;").unwrap();
        workspace.insert_after(&page, "Context", "- new").unwrap();
        workspace.rename(&page, "Other").unwrap();
        for (name, value) in [
            ("Status", json!("DONE")),
            ("Stage", json!("Done")),
            ("Points", json!(5)),
            ("Tags", json!("x, y")),
            ("Due", json!("2026-12-24")),
            ("Done", json!("true")),
            ("ID", json!("INFRA-001")),
        ] {
            workspace.set_property(&page, name, value).unwrap();
        }
        assert!(workspace.set_property(&page, "Nope", "x").is_err());
        assert!(workspace.edit_block(&page, "not there", "x").is_err());
    }
    let read = sim.get(&format!("/v1/pages/{page}")).body;
    assert_eq!(read["properties"]["Name"]["title"][0]["plain_text"], "Other");
    assert_eq!(read["properties"]["Status"]["select"]["name"], "DONE");
    assert_eq!(read["properties"]["Tags"]["multi_select"][1]["name"], "y");
    assert_eq!(read["properties"]["Due"]["date"]["start"], "2026-12-24");
    assert_eq!(read["properties"]["Points"]["number"], 5);
    assert_eq!(read["properties"]["Key"]["unique_id"], json!({"prefix": "TASK", "number": 1}));
    assert_eq!(read["last_edited_time"], "2026-11-20T10:02:00.000Z");
    let workspace = sim.server.workspace();
    assert_eq!(read["last_edited_by"]["id"], workspace.person());
    assert_eq!(read["created_by"]["id"], workspace.bot());
    assert_eq!(
        workspace.markdown(&page),
        "# Context\n- new\nTwo **bold**\n<table header-row=\"true\">\n<tr>\n<td>a</td>\n<td>b</td>\n</tr>\n<tr>\n\
         <td>1</td>\n<td>3</td>\n</tr>\n</table>\n```rust\nlet *y*;\n```"
    );
    let after = workspace.blocks(&page);
    assert!(
        before.iter().all(|old| after.iter().any(|new| new.id == old.id)),
        "edits keep the ids of blocks"
    );
    assert_eq!(workspace.page_with("Stories", "ID", "INFRA-001"), Some(page));
}

#[test]
fn a_person_changes_the_schema() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let before = sim.get(&format!("/v1/data_sources/{source}")).body;
    let mut workspace = sim.server.workspace();
    workspace.add_option("Stories", "Status", "LATER").unwrap();
    workspace.rename_property("Stories", "ID", "Key of it").unwrap();
    workspace.remove_property("Stories", "Due").unwrap();
    drop(workspace);
    let after = sim.get(&format!("/v1/data_sources/{source}")).body;
    assert_eq!(after["properties"]["Key of it"]["id"], before["properties"]["ID"]["id"]);
    assert!(after["properties"].get("Due").is_none());
    assert_eq!(after["properties"]["Status"]["select"]["options"][2]["name"], "LATER");
}

#[test]
fn pages_move_and_come_back() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "Mover", "Body");
    let parent = sim.server.parent_page();
    let elsewhere = sim.server.workspace().create_subpage(&parent, "Elsewhere", "").unwrap();
    sim.server.workspace().move_to_page(&page, &elsewhere).unwrap();
    let rows = || {
        sim.post(&format!("/v1/data_sources/{source}/query"), &json!({})).body["results"].clone()
    };
    assert_eq!(rows(), json!([]));
    let read = sim.get(&format!("/v1/pages/{page}")).body;
    assert_eq!(read["parent"], json!({"type": "page_id", "page_id": elsewhere}));
    assert_eq!(read["properties"]["title"]["title"][0]["plain_text"], "Mover");
    let moved = sim.post(
        &format!("/v1/pages/{page}/move"),
        &json!({"parent": {"type": "data_source_id", "data_source_id": source}}),
    );
    assert_eq!(moved.body["parent"]["data_source_id"], source.as_str());
    assert_eq!(rows()[0]["properties"]["Name"]["title"][0]["plain_text"], "Mover");
    assert_eq!(sim.server.workspace().markdown(&page), "Body");
}

#[test]
fn comments_are_listed_where_notion_lists_them() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "One\nTwo");
    let block = sim.server.workspace().blocks(&page)[0].id.clone();
    sim.server.workspace().comment(&page, "on the page").unwrap();
    sim.server.workspace().comment(&block, "on the block").unwrap();
    let listed = |id: &str| -> Vec<(String, bool)> {
        sim.get(&format!("/v1/comments?block_id={id}")).body["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|comment| {
                (
                    text(&comment["rich_text"][0]["plain_text"]),
                    comment["original_content_deleted"].as_bool().unwrap(),
                )
            })
            .collect()
    };
    assert_eq!(listed(&page), [("on the page".to_owned(), false)]);
    assert_eq!(listed(&block), [("on the block".to_owned(), false)]);
    let body = json!({"type": "replace_content", "replace_content": {"new_str": "One\nTwo"}});
    assert_eq!(sim.patch(&format!("/v1/pages/{page}/markdown"), &body).status, 200);
    assert_eq!(
        listed(&page),
        [("on the page".to_owned(), false), ("on the block".to_owned(), true)]
    );
    let comment =
        sim.get(&format!("/v1/comments?block_id={page}")).body["results"][0]["id"].clone();
    let path = format!("/v1/comments/{}", text(&comment));
    assert_eq!(sim.send("DELETE", &path, &json!(null)).error(), (403, "restricted_resource"));
}

#[test]
fn children_of_a_page_show_as_blocks() {
    let sim = start(Options::default());
    let (database, _) = sim.database("Stories", &schema());
    let parent = sim.server.parent_page();
    let children = sim.get(&format!("/v1/blocks/{parent}/children")).body;
    assert_eq!(children["results"][0]["id"], database.as_str());
    assert_eq!(children["results"][0]["child_database"]["title"], "Stories");
    sim.server.workspace().add_block(&parent, &Special::Unsupported("button".to_owned())).unwrap();
    let children = sim.get(&format!("/v1/blocks/{parent}/children")).body;
    assert_eq!(children["results"][1]["unsupported"], json!({"block_type": "button"}));
    let read = sim.get(&format!("/v1/pages/{parent}/markdown")).body;
    assert_eq!(read["unknown_block_ids"], json!([children["results"][1]["id"]]));
    assert_eq!(read["truncated"], false);
}

#[test]
fn a_block_can_come_back_from_the_trash() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "One\nTwo");
    let block = sim.server.workspace().blocks(&page)[0].id.clone();
    assert_eq!(
        sim.send("DELETE", &format!("/v1/blocks/{block}"), &json!(null)).body["in_trash"],
        true
    );
    assert_eq!(sim.server.workspace().markdown(&page), "Two");
    assert_eq!(
        sim.patch(&format!("/v1/blocks/{block}"), &json!({"in_trash": false})).body["in_trash"],
        false
    );
    assert_eq!(sim.server.workspace().markdown(&page), "Two\nOne");
}

#[test]
fn control_over_http_does_the_same() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "One");
    let person = |body: serde_json::Value| sim.post("/_sim/person", &body);
    assert_eq!(
        person(json!({"action": "append_markdown", "page": page, "markdown": "Two"})).status,
        200
    );
    assert_eq!(person(json!({"action": "markdown", "page": page})).body["markdown"], "One\nTwo");
    assert_eq!(
        person(json!({"action": "find", "database": "Stories", "property": "Name", "text": "x"}))
            .body["ids"],
        json!([page])
    );
    assert_eq!(person(json!({"action": "trash", "page": "nobody"})).status, 400);
    assert_eq!(person(json!({"action": "juggle"})).status, 400);
    assert_eq!(
        sim.post("/_sim/advance", &json!({"seconds": 60})).body["now"],
        "2026-11-20T10:01:30Z"
    );
    assert_eq!(
        sim.get("/_sim/requests").body.as_array().unwrap().len(),
        2,
        "control is not counted"
    );
    assert_eq!(sim.post("/_sim/reset", &json!({})).status, 200);
    assert!(sim.server.requests().is_empty());
}
