//! Views of databases.

use notion_sim::{Capabilities, Options};
use serde_json::{Value, json};

use crate::support::{schema, start, text};

#[test]
fn a_view_is_made_read_changed_and_deleted() {
    let sim = start(Options::default());
    let (database, source) = sim.database("Stories", &schema());
    let board = json!({
        "data_source_id": source, "database_id": database, "name": "By status", "type": "board",
        "configuration": {"type": "board", "group_by": {
            "type": "select", "sort": {"type": "manual"},
            "property_id": sim.server.workspace().property_json("Stories", "Status")["id"]}},
        "filter": {"property": "ID", "rich_text": {"is_not_empty": true}},
        "sorts": [{"timestamp": "last_edited_time", "direction": "descending"}],
    });
    let made = sim.post("/v1/views", &board);
    assert_eq!(made.status, 200, "{}", made.body);
    let id = text(&made.body["id"]);
    let read = sim.get(&format!("/v1/views/{id}")).body;
    assert_eq!(read, made.body);
    assert_eq!(read["parent"], json!({"type": "database_id", "database_id": database}));
    let listed = sim.get(&format!("/v1/views?database_id={database}")).body;
    // The first came with the database.
    assert_eq!(listed["results"].as_array().map(Vec::len), Some(2));
    assert_eq!(listed["results"][1], json!({"object": "view", "id": id}));
    let by_source = sim.get(&format!("/v1/views?data_source_id={source}&page_size=1")).body;
    assert_eq!(by_source["has_more"], true);
    let path = format!("/v1/views/{id}");
    let changed = sim.patch(&path, &json!({"name": "Stages", "sorts": null})).body;
    assert_eq!((&changed["name"], &changed["sorts"]), (&json!("Stages"), &Value::Null));
    assert_eq!(changed["filter"], made.body["filter"]);
    assert_eq!(sim.send("DELETE", &path, &Value::Null).status, 200);
    assert_eq!(sim.get(&path).error(), (404, "object_not_found"));
}

#[test]
fn what_notion_refuses_is_refused() {
    let sim = start(Options::default());
    let (database, source) = sim.database("Stories", &schema());
    let sound = json!({
        "data_source_id": source, "database_id": database, "name": "V", "type": "table",
    });
    assert_eq!(sim.post("/v1/views", &sound).status, 200);
    let status = sim.server.workspace().property_json("Stories", "Status")["id"].clone();
    let group = |r#type: &str, id: &Value| json!({"type": "table", "group_by": {"type": r#type, "property_id": id, "sort": {"type": "manual"}}});
    for (key, value) in [
        ("database_id", Value::Null),
        ("view_id", json!(database)),
        ("type", json!("grid")),
        ("type", json!("board")),
        ("name", json!(3)),
        ("sorts", json!([{"property": "Nothing", "direction": "ascending"}])),
        ("filter", json!({"property": "Nothing", "select": {"equals": "x"}})),
        (
            "filter",
            json!({"timestamp": "last_edited_time", "last_edited_time": {"past_14_days": {}}}),
        ),
        ("configuration", json!({"type": "list"})),
        ("configuration", group("status", &status)),
        ("configuration", group("select", &json!("nothing"))),
        ("more", json!(1)),
    ] {
        let mut body = sound.clone();
        match value {
            Value::Null => drop(body.as_object_mut().and_then(|body| body.remove(key))),
            value => body[key] = value,
        }
        let answer = sim.post("/v1/views", &body);
        assert_eq!(answer.error(), (400, "validation_error"), "{key}: {}", answer.body);
    }
    assert_eq!(sim.get("/v1/views").status, 400);
    let elsewhere = sim.get("/v1/views?database_id=0123456789abcdef0123456789abcdef");
    assert_eq!(elsewhere.error(), (404, "object_not_found"));
}

#[test]
fn views_need_their_capabilities_and_may_be_missing() {
    let insert = Capabilities { insert: false, ..Capabilities::default() };
    let sim = start(Options { capabilities: insert, ..Options::default() });
    assert_eq!(sim.post("/v1/views", &json!({})).error(), (403, "restricted_resource"));
    let sim = start(Options { views: false, ..Options::default() });
    assert_eq!(sim.get("/v1/views").error(), (400, "invalid_request_url"));
}

#[test]
fn people_change_views_and_schemas() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "One", "Words.");
    let mut workspace = sim.server.workspace();
    workspace.set_property(&page, "Status", "DONE").unwrap();
    workspace.rename_view("Stories", "Default view", "All").unwrap();
    assert_eq!(workspace.views("Stories")[0].name, "All");
    workspace.delete_view("Stories", "All").unwrap();
    assert!(workspace.delete_view("Stories", "All").is_err());
    workspace.remove_option("Stories", "Status", "DONE").unwrap();
    assert_eq!(workspace.property_text(&page, "Status").as_deref(), Some(""));
    workspace.retype_property("Stories", "Status", &json!({"number": {}})).unwrap();
    assert_eq!(workspace.property_json("Stories", "Status")["type"], "number");
    workspace.describe_database("Stories", "Words.").unwrap();
    assert_eq!(workspace.description("Stories"), "Words.");
    assert!(!workspace.values("Stories").is_empty());
    workspace.add_data_source("Stories", "More", &json!({"Name": {"title": {}}})).unwrap();
    workspace.delete_database_forever("Stories").unwrap();
    assert!(workspace.database_by_title("Stories").is_none() && workspace.page(&page).is_none());
}
