//! What Notion refuses is refused, with its error bodies, and changes nothing.

use crate::support::{Sim, named, schema, start, text};
use notion_sim::{Capabilities, Options};
use serde_json::{Value, json};

fn rt(content: &str) -> Value {
    json!([{"text": {"content": content}}])
}

#[test]
fn headers_are_checked() {
    let mut sim = start(Options::default());
    let good = sim.headers.clone();
    let with = |name: &str, value: Option<&str>| {
        let mut headers = good.clone();
        headers.retain(|(key, _)| key != name);
        headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        headers
    };
    sim.headers = with("authorization", Some("Bearer wrong"));
    let answer = sim.get("/v1/users/me");
    assert_eq!(answer.error(), (401, "unauthorized"));
    assert_eq!(answer.body["object"], "error");
    assert_eq!(answer.body["request_id"], answer.header("x-notion-request-id").unwrap());
    sim.headers = with("notion-version", None);
    assert_eq!(sim.get("/v1/users/me").error(), (400, "missing_version"));
    sim.headers = with("notion-version", Some("2022-06-28"));
    assert_eq!(sim.get("/v1/users/me").error(), (400, "missing_version"));
    sim.headers = with("content-type", Some("text/plain"));
    assert_eq!(sim.post("/v1/search", &json!({})).error(), (400, "invalid_json"));
    sim.headers = good;
    assert_eq!(sim.get("/v1/nothing").error(), (400, "invalid_request_url"));
    assert_eq!(sim.get("/v1/pages/not-an-id").error(), (400, "validation_error"));
}

#[test]
fn missing_capabilities_are_403() {
    let none = Capabilities {
        read: false,
        insert: false,
        update: false,
        read_comments: false,
        insert_comments: false,
        user_info: false,
        user_email: false,
    };
    let sim = start(Options { capabilities: none, ..Options::default() });
    let parent = sim.server.parent_page();
    let restricted = (403, "restricted_resource");
    assert_eq!(sim.get("/v1/users/me").status, 200);
    assert_eq!(sim.get("/v1/users").error(), restricted);
    assert_eq!(sim.get(&format!("/v1/pages/{parent}")).error(), restricted);
    assert_eq!(sim.post("/v1/search", &json!({})).error(), restricted);
    assert_eq!(sim.post("/v1/pages", &json!({})).error(), restricted);
    assert_eq!(sim.patch(&format!("/v1/pages/{parent}"), &json!({})).error(), restricted);
    assert_eq!(sim.get(&format!("/v1/comments?block_id={parent}")).error(), restricted);
    assert_eq!(sim.post("/v1/comments", &json!({})).error(), restricted);
}

#[test]
fn without_the_right_to_update_no_option_is_created() {
    let sim = start(Options {
        capabilities: Capabilities { update: false, ..Capabilities::default() },
        ..Options::default()
    });
    let (_, source) = sim.database("Stories", &schema());
    let known = json!({"Name": {"title": rt("x")}, "Status": {"select": {"name": "DONE"}}});
    assert_eq!(sim.create(&source, &known, "").status, 200);
    let unknown = json!({"Name": {"title": rt("x")}, "Status": {"select": {"name": "NEW"}}});
    assert_eq!(sim.create(&source, &unknown, "").error(), (403, "restricted_resource"));
    assert_eq!(sim.server.workspace().options("Stories", "Status"), ["TO_DO", "DONE"]);
}

#[test]
fn what_is_not_shared_is_not_found() {
    let sim = start(Options::default());
    let (database, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "Body");
    let paths = |sim: &Sim| {
        [
            sim.get(&format!("/v1/databases/{database}")).status,
            sim.get(&format!("/v1/data_sources/{source}")).status,
            sim.get(&format!("/v1/pages/{page}")).status,
            sim.get(&format!("/v1/pages/{page}/markdown")).status,
            sim.get(&format!("/v1/blocks/{page}/children")).status,
            sim.post(&format!("/v1/data_sources/{source}/query"), &json!({})).status,
        ]
    };
    assert_eq!(paths(&sim), [200; 6]);
    sim.server.workspace().unshare(&database);
    assert_eq!(paths(&sim), [404; 6]);
    sim.server.workspace().share(&database);
    assert_eq!(paths(&sim), [200; 6]);
    // Ids of another kind of object.
    assert_eq!(sim.get(&format!("/v1/data_sources/{database}")).error(), (404, "object_not_found"));
    assert_eq!(sim.get(&format!("/v1/databases/{source}")).error(), (404, "object_not_found"));
    assert_eq!(sim.post(&format!("/v1/data_sources/{database}/query"), &json!({})).status, 404);
    let private = sim.server.workspace().create_private_page("Private");
    assert_eq!(sim.get(&format!("/v1/pages/{private}")).status, 404);
    sim.server.workspace().unshare(&page);
    let rows = sim.post(&format!("/v1/data_sources/{source}/query"), &json!({}));
    assert_eq!(rows.body["results"], json!([]));
}

#[test]
fn values_of_properties_are_checked_and_nothing_is_written_by_a_refused_request() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "Body");
    let before = sim.server.workspace().snapshot();
    for (name, value, says) in [
        ("Nope", json!({"number": 1}), "Nope is not a property that exists."),
        ("Points", json!({"number": "1"}), "should be a number"),
        ("Points", json!({"rich_text": []}), "is expected to be number"),
        ("ID", json!({"rich_text": "text"}), "should be an array"),
        ("ID", json!({"rich_text": rt(&"x".repeat(2001))}), "should be ≤ `2000`"),
        (
            "ID",
            json!({"rich_text": vec![json!({"text": {"content": "x"}}); 101]}),
            "should be ≤ `100`",
        ),
        (
            "ID",
            json!({"rich_text": [{"text": {"content": "x", "link": {"url": "a/b.md"}}}]}),
            "Invalid URL for link.",
        ),
        ("Status", json!({"select": {"name": "a, b"}}), "commas not allowed"),
        (
            "Stage",
            json!({"status": {"name": "planned"}}),
            "Status option \"planned\" does not exist",
        ),
        ("Due", json!({"date": {"start": "tomorrow"}}), "valid ISO 8601"),
        ("Done", json!({"checkbox": "yes"}), "should be a boolean"),
        ("Made", json!({"created_time": "2026-01-01"}), "cannot be written"),
        ("Key", json!({"unique_id": {"number": 1}}), "cannot be written"),
    ] {
        let properties = json!({"Tags": {"multi_select": [{"name": "new"}]}, name: value});
        let answer = sim.patch(&format!("/v1/pages/{page}"), &json!({"properties": properties}));
        assert_eq!(answer.error(), (400, "validation_error"), "{name}");
        assert!(answer.message().contains(says), "{name}: {}", answer.message());
        assert_eq!(sim.create(&source, &properties, "").status, 400);
    }
    for body in [
        json!({"archived": true}),
        json!({"parent": {"page_id": sim.server.parent_page()}}),
        json!({"in_trash": "yes"}),
        json!({"unknown": 1}),
    ] {
        assert_eq!(
            sim.patch(&format!("/v1/pages/{page}"), &body).error(),
            (400, "validation_error"),
            "{body}"
        );
    }
    assert_eq!(sim.server.workspace().snapshot(), before);
    assert!(sim.server.workspace().options("Stories", "Tags").is_empty());
}

#[test]
fn an_unknown_select_option_is_created_and_property_ids_are_accepted_once_encoded() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let read = sim.get(&format!("/v1/data_sources/{source}")).body;
    let status = text(&read["properties"]["Status"]["id"]);
    let page = text(
        &sim.create(
            &source,
            &json!({status: {"select": {"name": "REVIEW"}}, "title": {"title": rt("T")}}),
            "",
        )
        .body["id"],
    );
    assert_eq!(sim.server.workspace().options("Stories", "Status"), ["TO_DO", "DONE", "REVIEW"]);
    assert_eq!(sim.server.workspace().property_text(&page, "Status").unwrap(), "REVIEW");
    for name in ["Status", "ID", "Points", "Tags", "Due"] {
        let id = text(&read["properties"][name]["id"]);
        assert_eq!(sim.get(&format!("/v1/pages/{page}/properties/{id}")).status, 200, "{id}");
        if id.contains('%') {
            let twice = id.replace('%', "%25");
            assert_eq!(
                sim.get(&format!("/v1/pages/{page}/properties/{twice}")).status,
                404,
                "{twice}"
            );
        }
    }
}

#[test]
fn relations_are_checked_cut_and_paged() {
    let sim = start(Options::default());
    let (_, adrs) = sim.database("ADRs", &json!({"Name": {"title": {}}}));
    let (_, others) = sim.database("Others", &json!({"Name": {"title": {}}}));
    let (_, stories) = sim.database(
        "Stories",
        &json!({"Name": {"title": {}}, "ADRs": {"relation": {"data_source_id": adrs, "single_property": {}}}}),
    );
    let targets: Vec<String> = (0..30).map(|n| sim.page(&adrs, &format!("ADR-{n}"), "")).collect();
    let references = |ids: &[String]| json!({"ADRs": {"relation": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()}});
    let story = text(&sim.create(&stories, &references(&targets), "").body["id"]);
    let read = sim.get(&format!("/v1/pages/{story}")).body;
    let relation = &read["properties"]["ADRs"];
    assert_eq!(relation["relation"].as_array().unwrap().len(), 25);
    assert_eq!(relation["has_more"], true);
    let path = format!("/v1/pages/{story}/properties/{}", text(&relation["id"]));
    let first = sim.get(&format!("{path}?page_size=20")).body;
    assert_eq!(first["results"].as_array().unwrap().len(), 20);
    let second =
        sim.get(&format!("{path}?page_size=20&start_cursor={}", text(&first["next_cursor"]))).body;
    assert_eq!(second["results"].as_array().unwrap().len(), 10);
    assert_eq!(second["results"][9]["relation"]["id"], targets[29].as_str());
    assert_eq!(second["has_more"], false);
    let stranger = sim.page(&others, "Other", "");
    assert_eq!(sim.create(&stories, &references(&[stranger]), "").status, 400);
    assert_eq!(
        sim.create(&stories, &references(&["00000000-0000-4000-8000-00000000dead".to_owned()]), "")
            .status,
        404
    );
    sim.server.workspace().unshare(&targets[0]);
    assert_eq!(sim.create(&stories, &references(&targets[..1]), "").status, 404);
    // An unshared target makes the column vanish.
    sim.server.workspace().unshare(&adrs);
    let schema = sim.get(&format!("/v1/data_sources/{stories}")).body;
    assert!(schema["properties"].get("ADRs").is_none());
}

#[test]
fn two_way_relations_change_the_other_side() {
    let sim = start(Options::default());
    let (_, plans) = sim.database("Plans", &json!({"Name": {"title": {}}}));
    let relation =
        json!({"data_source_id": plans, "dual_property": {"synced_property_name": "Stories"}});
    let (_, stories) =
        sim.database("Stories", &json!({"Name": {"title": {}}, "Plans": {"relation": relation}}));
    let plan = sim.page(&plans, "P", "");
    let story =
        text(&sim.create(&stories, &json!({"Plans": {"relation": [{"id": plan}]}}), "").body["id"]);
    assert_eq!(sim.server.workspace().property_text(&plan, "Stories").unwrap(), story);
    sim.patch(&format!("/v1/pages/{story}"), &json!({"properties": {"Plans": {"relation": []}}}));
    assert_eq!(sim.server.workspace().property_text(&plan, "Stories").unwrap(), "");
}

#[test]
fn schemas_are_checked_and_options_replace() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page =
        text(&sim.create(&source, &json!({"Status": {"select": {"name": "DONE"}}}), "").body["id"]);
    let path = format!("/v1/data_sources/{source}");
    for (properties, says) in [
        (json!({"Name": null}), "title"),
        (json!({"Name": {"rich_text": {}}}), "title"),
        (json!({"Nope": null}), "Could not find property"),
        (json!({"New": {"nothing": {}}}), "should be not present"),
        (json!({"Status": {"select": {"options": [{"name": "a,b"}]}}}), "commas"),
        (json!({"Status": {"select": {"options": [{"name": "a"}, {"name": "A"}]}}}), "unique"),
        (json!({"ID": {"name": "Points"}}), "exists already"),
        (
            json!({"R": {"relation": {"data_source_id": "00000000-0000-4000-8000-00000000dead", "single_property": {}}}}),
            "Could not find",
        ),
    ] {
        let answer = sim.patch(&path, &json!({"properties": properties}));
        assert!(answer.status == 400 || answer.status == 404, "{properties}");
        assert!(answer.message().contains(says), "{properties}: {}", answer.message());
    }
    let options =
        json!({"Status": {"select": {"options": [{"name": "TO_DO"}, {"name": "REVIEW"}]}}});
    assert_eq!(sim.patch(&path, &json!({"properties": options})).status, 200);
    assert_eq!(sim.server.workspace().options("Stories", "Status"), ["TO_DO", "REVIEW"]);
    assert_eq!(
        sim.server.workspace().property_text(&page, "Status").unwrap(),
        "",
        "a removed option goes from rows"
    );
    assert_eq!(sim.patch(&path, &json!({"properties": {"ID": null}})).status, 200);
    assert!(sim.server.workspace().property_text(&page, "ID").is_none());
}

#[test]
fn trash_hides_and_protects() {
    let sim = start(Options::default());
    let (database, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "Body");
    let path = format!("/v1/pages/{page}");
    assert_eq!(sim.patch(&path, &json!({"in_trash": true})).body["in_trash"], true);
    assert_eq!(sim.get(&path).body["in_trash"], true);
    assert_eq!(sim.get(&format!("/v1/blocks/{page}/children")).status, 404);
    let edit = sim.patch(
        &format!("{path}/markdown"),
        &json!({"type": "replace_content", "replace_content": {"new_str": "x"}}),
    );
    assert_eq!(edit.error(), (400, "validation_error"));
    assert!(edit.message().contains("unarchive"));
    assert_eq!(sim.patch(&path, &json!({"properties": named("y")})).status, 400);
    let rows = |archived: bool| {
        let body = if archived { json!({"is_archived": true}) } else { json!({}) };
        sim.post(&format!("/v1/data_sources/{source}/query"), &body).body["results"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(rows(false), 0);
    assert_eq!(sim.patch(&path, &json!({"in_trash": false})).status, 200);
    assert_eq!(rows(false), 1);
    sim.server.workspace().archive(&page, true).unwrap();
    assert_eq!((rows(false), rows(true)), (0, 1));
    assert_eq!(sim.get(&path).body["is_archived"], true);
    sim.server.workspace().delete_database("Stories").unwrap();
    assert_eq!(sim.post(&format!("/v1/data_sources/{source}/query"), &json!({})).status, 404);
    assert_eq!(sim.get(&format!("/v1/databases/{database}")).body["in_trash"], true);
    let top =
        sim.patch(&format!("/v1/pages/{}", sim.server.parent_page()), &json!({"in_trash": true}));
    assert_eq!(top.error(), (400, "validation_error"));
}

#[test]
fn blocks_are_checked() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "Body");
    let path = format!("/v1/blocks/{page}/children");
    let nested = |inner: Value| json!([{"toggle": {"rich_text": rt("1"), "children": [inner]}}]);
    let second = json!({"toggle": {"rich_text": rt("2"), "children": [{"paragraph": {"rich_text": rt("3")}}]}});
    for (body, says) in [
        (json!({"children": nested(second)}), "should be not present"),
        (
            json!({"children": vec![json!({"divider": {}}); 101]}),
            "body.children.length should be ≤ `100`",
        ),
        (json!({"children": [], "after": page}), "should be not present"),
        (json!({"children": [{"child_page": {"title": "x"}}]}), "block type"),
        (
            json!({"children": [{"code": {"rich_text": rt("x"), "language": "brainfuck"}}]}),
            "known language",
        ),
        (
            json!({"children": [{"paragraph": {"rich_text": rt("x"), "nope": 1}}]}),
            "should be not present",
        ),
        (
            json!({"children": [{"table": {"table_width": 2, "children": [{"table_row": {"cells": [rt("x")]}}]}}]}),
            "as wide",
        ),
        (json!({"children": [{"image": {"external": {"url": "a.png"}}}]}), "Invalid URL"),
    ] {
        let answer = sim.patch(&path, &body);
        assert_eq!(answer.error(), (400, "validation_error"), "{body}");
        assert!(answer.message().contains(says), "{}", answer.message());
    }
    assert_eq!(sim.server.workspace().markdown(&page), "Body");
    let ok = nested(json!({"paragraph": {"rich_text": rt("2")}}));
    assert_eq!(sim.patch(&path, &json!({"children": ok})).status, 200);
    let table =
        json!([{"table": {"table_width": 1, "children": [{"table_row": {"cells": [rt("x")]}}]}}]);
    assert_eq!(sim.patch(&path, &json!({"children": table})).status, 200);
    let column = json!({"column": {"children": [{"paragraph": {"rich_text": rt("x")}}]}});
    let columns = json!([{"column_list": {"children": [column, column]}}]);
    assert_eq!(sim.patch(&path, &json!({"children": columns})).status, 200);
}

#[test]
fn pages_are_checked_when_made() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let parent = json!({"data_source_id": source});
    let big = "x".repeat(600_000);
    for (body, says) in [
        (json!({"properties": {}}), "body.parent"),
        (json!({"parent": {"workspace": true}}), "body.parent"),
        (json!({"parent": parent, "markdown": "a", "children": []}), "only one of"),
        (json!({"parent": parent, "markdown_version": "v1"}), "only valid together with markdown"),
        (json!({"parent": parent, "markdown": "a", "markdown_version": "v3"}), "markdown_version"),
        (json!({"parent": parent, "archived": false}), "should be not present"),
        (json!({"parent": parent, "markdown": big}), "payload"),
        (json!({"parent": parent, "markdown": "[a](b.md)"}), "Invalid URL"),
    ] {
        let answer = sim.post("/v1/pages", &body);
        assert_eq!(answer.error(), (400, "validation_error"));
        assert!(answer.message().contains(says), "{}", answer.message());
    }
    assert!(sim.server.workspace().pages_of("Stories", true).is_empty());
    // Without a title the leading H1 becomes it; with one it stays in the body.
    let untitled = text(&sim.create(&source, &json!({}), "# Title\nBody").body["id"]);
    let titled = sim.page(&source, "Given", "# Title\nBody");
    let workspace = sim.server.workspace();
    assert_eq!(
        (workspace.page(&untitled).unwrap().title.as_str(), workspace.markdown(&untitled).as_str()),
        ("Title", "Body")
    );
    assert_eq!(
        (workspace.page(&titled).unwrap().title.as_str(), workspace.markdown(&titled).as_str()),
        ("Given", "# Title\nBody")
    );
}

#[test]
fn queries_cut_at_the_cap_say_so_on_every_page() {
    let sim = start(Options { query_cap: 5, ..Options::default() });
    let (_, source) = sim.database("Stories", &schema());
    for n in 0..7 {
        sim.page(&source, &format!("{n}"), "");
    }
    let path = format!("/v1/data_sources/{source}/query");
    let first = sim.post(&path, &json!({"page_size": 3})).body;
    assert_eq!(first["request_status"]["incomplete_reason"], "query_result_limit_reached");
    assert_eq!(first["has_more"], true);
    let second =
        sim.post(&path, &json!({"page_size": 3, "start_cursor": first["next_cursor"]})).body;
    assert_eq!(second["results"].as_array().unwrap().len(), 2);
    assert_eq!(
        (second["has_more"].clone(), second["next_cursor"].clone()),
        (json!(false), Value::Null)
    );
    assert_eq!(second["request_status"]["type"], "incomplete");
    let one =
        sim.post(&path, &json!({"filter": {"property": "Name", "title": {"equals": "3"}}})).body;
    assert_eq!(one["request_status"], json!({"type": "complete"}));
    for body in [
        json!({"page_size": 101}),
        json!({"in_trash": true}),
        json!({"start_cursor": null}),
        json!({"filter": {"property": "Points", "select": {"equals": "x"}}}),
        json!({"filter": {"timestamp": "created_time", "property": "Made", "created_time": {"after": "2026-01-01"}}}),
        json!({"filter": {"and": [{"or": [{"and": [{"property": "Done", "checkbox": {"equals": true}}]}]}]}}),
    ] {
        assert_eq!(sim.post(&path, &body).error(), (400, "validation_error"), "{body}");
    }
}
