//! Finding, creating and repairing databases.

use std::collections::BTreeMap;

use agent_sync_core::kind::Kind;
use agent_sync_core::schema::{Change, Design, Table};
use serde_json::{Value as Json, json};

use crate::backend::notion::testing::{
    PARENT, Play, Server, api_error, list, notion, options, place, story, with_gate,
};
use crate::backend::notion::{Notion, NotionOptions};
use crate::backend::{Backend, BackendError, Place};

const DATABASE: &str = "dddddddd-dddd-dddd-dddd-dddddddddddd";
const SOURCE: &str = "11111111-1111-1111-1111-111111111111";

fn database(sources: &[&str]) -> Play {
    let sources: Vec<_> = sources.iter().map(|id| json!({"id": id, "name": "Rows"})).collect();
    Play::Json(
        200,
        json!({"object": "database", "id": DATABASE, "in_trash": false, "data_sources": sources}),
    )
}

fn properties() -> Json {
    let options: Vec<_> =
        ["To do", "Done", "Review"].map(|name| json!({"id": name, "name": name})).into();
    json!({
        "Name": {"id": "title", "type": "title", "title": {}},
        "ID": {"id": "a%3Ab", "type": "rich_text", "rich_text": {}},
        "Status": {"id": "stat", "type": "select", "select": {"options": options}},
        "Linked Plans": {"id": "plan", "type": "relation", "relation": {"data_source_id": SOURCE}},
    })
}

fn data_source() -> Play {
    let parent = json!({"type": "database_id", "database_id": DATABASE});
    Play::Json(
        200,
        json!({"object": "data_source", "id": SOURCE, "parent": parent, "properties": properties()}),
    )
}

fn missing() -> Play {
    api_error(404, "object_not_found", "Could not find it.")
}

fn child(id: &str, title: &str) -> Json {
    json!({"object": "block", "id": id, "type": "child_database", "child_database": {"title": title}})
}

fn configured(url: &str, id: &str) -> Notion {
    let databases = BTreeMap::from([("story".to_owned(), id.to_owned())]);
    with_gate(Notion::new(NotionOptions { databases, ..options(url) }).unwrap())
}

async fn locate(notion: &Notion) -> Result<BTreeMap<String, Place>, BackendError> {
    notion.locate(&[&story()], &BTreeMap::new()).await
}

fn refusal(result: Result<BTreeMap<String, Place>, BackendError>) -> String {
    match result {
        Err(error @ BackendError::Refused { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_known_place_costs_nothing() {
    let server = Server::start(vec![]).await;
    let known = BTreeMap::from([("story".to_owned(), place())]);
    for notion in
        [notion(&server.url), configured(&server.url, DATABASE), configured(&server.url, SOURCE)]
    {
        assert_eq!(notion.locate(&[&story()], &known).await.unwrap(), known);
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_database_is_found_by_its_title_with_1_and_2_requests() {
    let blocks = vec![
        json!({"object": "block", "id": PARENT, "type": "paragraph", "paragraph": {}}),
        child(&"a".repeat(32), "Plans"),
    ];
    let more = vec![child(DATABASE, "Stories")];
    let script =
        vec![list(blocks, Some("next/1")), list(more, None), database(&[SOURCE]), data_source()];
    let server = Server::start(script).await;
    assert_eq!(locate(&notion(&server.url)).await.unwrap()["story"], place());
    assert_eq!(
        server.lines(),
        [
            format!("GET /v1/blocks/{PARENT}/children?page_size=100"),
            format!("GET /v1/blocks/{PARENT}/children?page_size=100&start_cursor=next%2F1"),
            format!("GET /v1/databases/{DATABASE}"),
            format!("GET /v1/data_sources/{SOURCE}"),
        ]
    );
}

#[tokio::test]
async fn a_kind_without_a_database_is_left_out() {
    let server = Server::start(vec![list(vec![child(DATABASE, "Other")], None)]).await;
    assert!(locate(&notion(&server.url)).await.unwrap().is_empty());
    let nowhere = Notion::new(NotionOptions { parent_page: None, ..options(&server.url) }).unwrap();
    assert!(locate(&nowhere).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_databases_of_one_title_the_one_that_fits_is_taken_else_they_are_listed() {
    let other = "cccccccc-cccc-cccc-cccc-cccccccccccc";
    let children = || list(vec![child(DATABASE, "Stories"), child(other, "Stories")], None);
    let script =
        vec![children(), database(&[SOURCE]), data_source(), database(&[SOURCE]), data_source()];
    let server = Server::start(script).await;
    let text = refusal(locate(&notion(&server.url)).await);
    for part in [DATABASE, other, "https://app.notion.com/p/cccccccc", "story: <id>"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let unfit = json!({"ID": {"id": "x", "type": "number", "number": {}}});
    let unfit = json!({"object": "data_source", "id": SOURCE, "properties": unfit});
    for second in [Play::Json(200, unfit), missing()] {
        let script =
            vec![children(), database(&[SOURCE]), data_source(), database(&[SOURCE]), second];
        let server = Server::start(script).await;
        assert_eq!(locate(&notion(&server.url)).await.unwrap()["story"], place());
    }
}

#[tokio::test]
async fn a_configured_id_may_be_a_database_or_a_data_source_or_their_address() {
    let address = format!("https://www.notion.so/team/Stories-{}?v=1", DATABASE.replace('-', ""));
    for (id, script) in [
        (DATABASE, vec![database(&[SOURCE]), data_source()]),
        (address.as_str(), vec![database(&[SOURCE]), data_source()]),
        (SOURCE, vec![missing(), data_source()]),
    ] {
        let server = Server::start(script).await;
        assert_eq!(locate(&configured(&server.url, id)).await.unwrap()["story"], place(), "{id}");
        assert_eq!(server.lines().len(), 2);
    }
}

#[tokio::test]
async fn several_data_sources_are_listed() {
    let server = Server::start(vec![database(&[SOURCE, DATABASE])]).await;
    let text = refusal(locate(&configured(&server.url, DATABASE)).await);
    assert!(text.contains(&format!("{SOURCE} \"Rows\", {DATABASE} \"Rows\"")), "{text}");
}

#[tokio::test]
async fn of_several_data_sources_the_one_with_the_title_is_taken() {
    let sources = json!([{"id": DATABASE, "name": "Old"}, {"id": SOURCE, "name": "Stories"}]);
    let found = json!({"object": "database", "id": DATABASE, "data_sources": sources});
    let server = Server::start(vec![Play::Json(200, found), data_source()]).await;
    assert_eq!(locate(&configured(&server.url, DATABASE)).await.unwrap()["story"], place());
}

#[tokio::test]
async fn the_id_of_a_page_is_told_apart_from_a_database_that_is_not_shared() {
    let page = Play::Json(200, json!({"object": "page", "id": DATABASE}));
    let server = Server::start(vec![missing(), missing(), page]).await;
    let text = refusal(locate(&configured(&server.url, DATABASE)).await);
    assert!(text.contains("is that of a page"), "{text}");

    let server = Server::start(vec![missing(), missing(), missing()]).await;
    let error = locate(&configured(&server.url, DATABASE)).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, BackendError::NotFound { .. }));
    assert!(text.contains(&format!("database {DATABASE}")) && text.contains("init"), "{text}");
}

#[tokio::test]
async fn a_database_in_the_trash_is_refused() {
    let trashed = json!({"object": "database", "id": DATABASE, "in_trash": true, "data_sources": [{"id": SOURCE}]});
    let server = Server::start(vec![Play::Json(200, trashed)]).await;
    let text = refusal(locate(&configured(&server.url, DATABASE)).await);
    assert!(text.contains("trash"), "{text}");
}

#[tokio::test]
async fn what_is_no_id_is_refused_before_any_request() {
    for id in ["Stories", "https://www.notion.so/team/Stories"] {
        let databases = BTreeMap::from([("story".to_owned(), id.to_owned())]);
        let error =
            Notion::new(NotionOptions { databases, ..options("http://localhost") }).unwrap_err();
        assert!(
            matches!(&error, BackendError::Refused { message, .. } if message.contains(id)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn databases_are_created_with_their_schema_and_relations_follow() {
    let server = Server::start(vec![database(&[SOURCE]), data_source()]).await;
    let plan = Place { data_source: "2".repeat(32), ..place() };
    let existing = BTreeMap::from([("plan".to_owned(), plan)]);
    let created = notion(&server.url).create_places(&[&story()], &existing).await.unwrap();
    assert_eq!(created["story"], place());
    let seen = server.seen();
    assert_eq!(
        seen[0].body,
        json!({
            "parent": {"type": "page_id", "page_id": PARENT},
            "title": [{"type": "text", "text": {"content": "Stories"}}],
            "initial_data_source": {"properties": {
                "Title": {"title": {}},
                "ID": {"rich_text": {}},
                "Status": {"select": {"options": [{"name": "To do"}, {"name": "Done"}, {"name": "Review"}]}},
            }},
        })
    );
    assert_eq!(seen[1].line, format!("PATCH /v1/data_sources/{SOURCE}"));
    let relation =
        json!({"data_source_id": "2".repeat(32), "type": "single_property", "single_property": {}});
    assert_eq!(seen[1].body, json!({"properties": {"Linked Plans": {"relation": relation}}}));
}

#[tokio::test]
async fn without_relations_the_schema_is_read_for_its_ids() {
    let mut kind = story();
    kind.properties.pop();
    let server = Server::start(vec![database(&[SOURCE]), data_source()]).await;
    let created = notion(&server.url).create_places(&[&kind], &BTreeMap::new()).await.unwrap();
    assert_eq!(created["story"].properties.len(), 3);
    assert_eq!(server.lines()[1], format!("GET /v1/data_sources/{SOURCE}"));
}

#[tokio::test]
async fn nothing_is_created_without_a_parent_page() {
    let notion =
        Notion::new(NotionOptions { parent_page: None, ..options("http://localhost:1") }).unwrap();
    let text = refusal(notion.create_places(&[&story()], &BTreeMap::new()).await);
    assert!(text.contains("Stories") && text.contains("NOTION_PARENT_PAGE_ID"), "{text}");
    assert!(notion.create_places(&[], &BTreeMap::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_plan_costs_2_requests_and_a_repair_reads_again_before_it_writes() {
    let script = vec![database(&[SOURCE]), data_source(), data_source(), data_source()];
    let server = Server::start(script).await;
    let notion = notion(&server.url);
    let places = BTreeMap::new();
    let mut kind: Kind = story();
    kind.properties[2].options.push(("X".into(), "Extra".into()));
    let plan = notion.plan(&kind, Some(&place()), &places).await.unwrap();
    assert!(
        matches!(&plan.changes[..], [Change::AddOptions { missing, .. }] if missing[0].name == "Extra"),
        "{plan:?}"
    );
    assert_eq!((server.lines().len(), plan.place), (2, Some(place())));
    let repaired = notion.repair(&kind, &place(), &places, &plan.changes).await.unwrap();
    assert_eq!(repaired.place, place());
    assert_eq!(server.lines()[2], format!("GET /v1/data_sources/{SOURCE}"));
    let patch = &server.seen()[3];
    assert_eq!(patch.line, format!("PATCH /v1/data_sources/{SOURCE}"));
    let options = patch.body["properties"]["stat"]["select"]["options"].as_array().unwrap();
    assert_eq!(options.len(), 4);
    assert_eq!(options[3], json!({"name": "Extra"}));
}

/// A list of options replaces: what a person added since the plan was made must be in it.
#[tokio::test]
async fn options_that_came_meanwhile_stay_and_those_that_are_there_are_not_sent() {
    let now = |names: &[&str]| {
        let options: Vec<_> = names.iter().map(|name| json!({"id": name, "name": name})).collect();
        let mut properties = properties();
        properties["Status"]["select"]["options"] = options.into();
        Play::Json(200, json!({"object": "data_source", "id": SOURCE, "properties": properties}))
    };
    let script = vec![
        now(&["To do", "Done", "review", "Theirs"]),
        now(&["To do", "Theirs"]),
        now(&["To do", "Theirs", "Done", "Review"]),
    ];
    let server = Server::start(script).await;
    let notion = notion(&server.url);
    let table = Table::of(&story(), &Design::default());
    let column = table.columns[2].clone();
    let missing = column.choices[1..].to_vec();
    let change = Change::AddOptions { column, id: "stat".into(), missing };
    for _ in 0..2 {
        notion
            .repair(&story(), &place(), &BTreeMap::new(), std::slice::from_ref(&change))
            .await
            .unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 3, "nothing is sent where nothing is missing any more");
    assert_eq!(
        seen[2].body["properties"]["stat"]["select"]["options"],
        json!([{"id": "To do", "name": "To do"}, {"id": "Theirs", "name": "Theirs"},
               {"name": "Done"}, {"name": "Review"}])
    );
}

#[tokio::test]
async fn a_schema_costs_1_request() {
    let server = Server::start(vec![data_source()]).await;
    let schema = notion(&server.url).schema(&story(), &place()).await.unwrap();
    assert!(schema.drift.is_empty());
    assert_eq!(schema.options["Status"].len(), 3);
    assert_eq!(server.lines(), [format!("GET /v1/data_sources/{SOURCE}")]);
}
