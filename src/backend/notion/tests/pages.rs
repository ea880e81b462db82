//! Listing, reading and writing pages.

use std::collections::BTreeMap;

use agent_sync_core::markdown::Hunk;
use agent_sync_core::model::{Properties, Value};
use serde_json::{Value as Json, json};

use crate::backend::notion::testing::{
    Play, Server, api_error, list, notion, page_object, page_uuid, place, story,
};
use crate::backend::{Backend, BackendError, Life, Presence, RemotePage};

const CREATED: &str = "2026-11-20T09:00:00.000Z";

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn ids(pages: &[RemotePage]) -> Vec<String> {
    pages.iter().filter_map(|page| page.id.clone()).collect()
}

fn rows(numbers: std::ops::Range<u32>, created: &str) -> Vec<Json> {
    numbers.map(|number| page_object(number, created)).collect()
}

/// A page of a query that ends at the cap of 10,000.
fn capped(results: Vec<Json>) -> Play {
    let status = json!({"type": "incomplete", "incomplete_reason": "query_result_limit_reached"});
    Play::Json(
        200,
        json!({"results": results, "has_more": false, "next_cursor": null, "request_status": status}),
    )
}

#[tokio::test]
async fn a_listing_follows_the_cursors_and_is_whole() {
    let server = Server::start(vec![
        list(rows(0..100, CREATED), Some("c1")),
        list(rows(100..130, CREATED), None),
    ])
    .await;
    let listing = notion(&server.url).list(&story(), &place(), None, None).await.unwrap();
    assert!(listing.whole);
    assert_eq!(listing.pages.len(), 130);
    let page = &listing.pages[7];
    assert_eq!(page.page, page_uuid(7));
    assert_eq!(page.id.as_deref(), Some("S-7"));
    let expected = [("ID", "S-7"), ("Status", "TO_DO"), ("Title", "Log in")];
    assert_eq!(
        page.properties,
        Properties::from(expected.map(|(name, value)| (name.into(), text(value))))
    );
    assert_eq!(page.edited.to_string(), "2026-11-20T10:00:00Z");
    assert_eq!(
        (page.created_by.as_deref(), page.edited_by.as_deref(), page.life),
        (Some("ada"), Some("bot"), Life::Alive)
    );
    let sorts = json!([{"timestamp": "created_time", "direction": "ascending"}]);
    let seen = server.seen();
    assert_eq!(seen[0].body, json!({"page_size": 100, "sorts": sorts}));
    assert_eq!(seen[1].body, json!({"page_size": 100, "sorts": sorts, "start_cursor": "c1"}));
    let began = listing.began.to_string();
    assert!(began.starts_with("2026-11-20T10:00:29"), "{began}");
}

#[tokio::test]
async fn rule_6_pages_edited_since_are_asked_for_and_are_not_the_whole() {
    let server = Server::start(vec![list(rows(0..1, CREATED), None)]).await;
    let since = "2026-11-20T09:58:12Z".parse().unwrap();
    let listing = notion(&server.url).list(&story(), &place(), Some(since), None).await.unwrap();
    assert!(!listing.whole);
    let filter = json!({"timestamp": "last_edited_time",
                        "last_edited_time": {"on_or_after": "2026-11-20T09:58:12Z"}});
    assert_eq!(server.seen()[0].body["filter"], filter);
}

#[tokio::test]
async fn a_limited_listing_says_whether_there_is_more() {
    for (next, whole) in [(None, true), (Some("c"), false)] {
        let server = Server::start(vec![list(rows(0..10, CREATED), next)]).await;
        let listing = notion(&server.url).list(&story(), &place(), None, Some(10)).await.unwrap();
        assert_eq!((listing.whole, listing.pages.len()), (whole, 10));
        assert_eq!(server.seen().len(), 1);
        assert_eq!(server.seen()[0].body["page_size"], 10);
    }
}

#[tokio::test]
async fn beyond_the_cap_a_listing_goes_on_by_creation_time() {
    let later = "2026-11-20T09:01:00.000Z";
    let mut first = rows(0..3, CREATED);
    first.push(page_object(3, later));
    let server = Server::start(vec![capped(first), list(rows(3..6, later), None)]).await;
    let listing = notion(&server.url).list(&story(), &place(), None, None).await.unwrap();
    assert!(listing.whole);
    assert_eq!(ids(&listing.pages), ["S-0", "S-1", "S-2", "S-3", "S-4", "S-5"]);
    let filter = json!({"timestamp": "created_time", "created_time": {"on_or_after": later}});
    assert_eq!(server.seen()[1].body["filter"], filter);
}

#[tokio::test]
async fn a_minute_with_more_rows_than_the_cap_makes_the_listing_partial() {
    let server =
        Server::start(vec![capped(rows(0..3, CREATED)), capped(rows(0..3, CREATED))]).await;
    let listing = notion(&server.url).list(&story(), &place(), None, None).await.unwrap();
    assert!(!listing.whole);
    assert_eq!((listing.pages.len(), server.seen().len()), (3, 2));
}

#[tokio::test]
async fn only_live_pages_are_listed() {
    let mut rows = rows(0..4, CREATED);
    rows[0]["in_trash"] = true.into();
    rows[1]["is_archived"] = true.into();
    rows[2]["object"] = "data_source".into();
    // A row of a wiki may lie under another page.
    rows[3]["parent"] = json!({"type": "page_id", "page_id": page_uuid(9)});
    let server = Server::start(vec![list(rows, None)]).await;
    let listing = notion(&server.url).list(&story(), &place(), None, None).await.unwrap();
    assert_eq!(ids(&listing.pages), ["S-3"]);
}

#[tokio::test]
async fn rows_without_content_name_the_missing_capability() {
    let partial = json!({"object": "page", "id": page_uuid(1)});
    let server = Server::start(vec![list(vec![partial], None)]).await;
    let error = notion(&server.url).list(&story(), &place(), None, None).await.unwrap_err();
    assert!(
        matches!(&error, BackendError::Refused { remedy, .. } if remedy.contains("Read content")),
        "{error}"
    );
}

#[tokio::test]
async fn rule_9_a_lost_property_is_not_read_as_cleared() {
    let mut removed = page_object(1, CREATED);
    removed["properties"].as_object_mut().unwrap().remove("Stage");
    let mut retyped = page_object(1, CREATED);
    retyped["properties"]["Stage"] = json!({"id": "stat", "type": "number", "number": 4});
    for page in [removed, retyped] {
        let server =
            Server::start(vec![list(vec![page.clone()], None), Play::Json(200, page)]).await;
        let notion = notion(&server.url);
        let listed = notion.list(&story(), &place(), None, None).await.unwrap_err();
        let read = notion.page(&story(), &place(), &page_uuid(1)).await.unwrap_err();
        for error in [listed, read] {
            assert!(
                matches!(&error, BackendError::Refused { message, .. } if message.contains("Status")),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn rule_12_a_hundred_ids_are_looked_up_at_once() {
    let server =
        Server::start(vec![list(rows(5..6, CREATED), None), list(rows(5..6, CREATED), None)]).await;
    let notion = notion(&server.url);
    let wanted: Vec<_> = (0..101).map(|n| format!("S-{n}")).collect();
    let found = notion.find(&story(), &place(), &wanted).await.unwrap();
    assert_eq!(ids(&found), ["S-5"]);
    let seen = server.seen();
    let any = seen[0].body["filter"]["or"].as_array().unwrap();
    assert_eq!(any.len(), 100);
    assert_eq!(any[99], json!({"property": "a%3Ab", "rich_text": {"equals": "S-99"}}));
    assert_eq!(seen[1].body["filter"]["or"].as_array().unwrap().len(), 1);
    assert!(notion.find(&story(), &place(), &[]).await.unwrap().is_empty());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn relations_cut_at_25_are_read_to_their_end() {
    let reference = |n: u32| json!({"id": page_uuid(n)});
    let mut row = page_object(1, CREATED);
    row["properties"]["Linked Plans"]["relation"] = (0..25).map(reference).collect();
    row["properties"]["Linked Plans"]["has_more"] = true.into();
    let item =
        |n: u32| json!({"object": "property_item", "type": "relation", "relation": reference(n)});
    let server = Server::start(vec![
        list(vec![row], None),
        list((0..30).map(item).collect(), Some("c1")),
        list((30..40).map(item).collect(), None),
    ])
    .await;
    let listing = notion(&server.url).list(&story(), &place(), None, None).await.unwrap();
    assert_eq!(
        listing.pages[0].properties["Linked Plans"],
        Value::set((0..40).map(page_uuid)).unwrap()
    );
    let path = format!("GET /v1/pages/{}/properties/plan?page_size=100", page_uuid(1));
    assert_eq!(server.lines()[1..], [path.clone(), format!("{path}&start_cursor=c1")]);
}

#[tokio::test]
async fn cursors_that_go_in_a_circle_end_the_listing() {
    let page = || list(rows(0..1, CREATED), Some("c"));
    let server = Server::start(vec![page(), page(), page()]).await;
    let error = notion(&server.url).list(&story(), &place(), None, None).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn rule_7_a_direct_read_tells_what_became_of_a_page() {
    let mut trashed = page_object(1, CREATED);
    trashed["in_trash"] = true.into();
    let mut archived = page_object(1, CREATED);
    archived["is_archived"] = true.into();
    let mut moved = page_object(1, CREATED);
    moved["parent"] = json!({"type": "data_source_id", "data_source_id": page_uuid(7)});
    moved["properties"].as_object_mut().unwrap().remove("Stage");
    let script =
        [page_object(1, CREATED), trashed, archived, moved].map(|page| Play::Json(200, page));
    let server = Server::start(script.into()).await;
    let notion = notion(&server.url);
    for life in [Life::Alive, Life::Trashed, Life::Archived, Life::Moved] {
        match notion.page(&story(), &place(), &page_uuid(1)).await.unwrap() {
            Presence::Found(page) => assert_eq!(page.life, life),
            Presence::NotFound => panic!("{life:?}"),
        }
    }
    let server = Server::start(vec![api_error(404, "object_not_found", "")]).await;
    let presence =
        super::super::testing::notion(&server.url).page(&story(), &place(), &page_uuid(1)).await;
    assert!(matches!(presence, Ok(Presence::NotFound)));
}

#[tokio::test]
async fn rule_2_a_page_is_created_together_with_its_body() {
    let page = || Play::Json(200, page_object(1, CREATED));
    let server = Server::start(vec![page(), page()]).await;
    let notion = notion(&server.url);
    let properties = Properties::from([
        ("Title".into(), text("Log in")),
        ("ID".into(), text("S-1")),
        ("Status".into(), text("TO_DO")),
        ("Linked Plans".into(), Value::set([page_uuid(8)]).unwrap()),
    ]);
    let page = notion.create(&story(), &place(), &properties, "# Goal\nText").await.unwrap();
    assert_eq!(page.page, page_uuid(1));
    let item = |text: &str| json!([{"type": "text", "text": {"content": text}}]);
    let mut expected = json!({
        "parent": {"type": "data_source_id", "data_source_id": place().data_source},
        "properties": {
            "title": {"title": item("Log in")},
            "a%3Ab": {"rich_text": item("S-1")},
            "stat": {"select": {"name": "To do"}},
            "plan": {"relation": [{"id": page_uuid(8)}]},
        },
        "markdown": "# Goal\nText",
        "markdown_version": "v1",
    });
    assert_eq!(server.seen()[0].body, expected);
    notion.create(&story(), &place(), &properties, "").await.unwrap();
    expected.as_object_mut().unwrap().retain(|key, _| !key.starts_with("markdown"));
    assert_eq!(server.seen()[1].body, expected);
}

#[tokio::test]
async fn a_creation_whose_answer_is_partial_is_ambiguous_with_its_id() {
    let server =
        Server::start(vec![Play::Json(200, json!({"object": "page", "id": page_uuid(1)}))]).await;
    let error =
        notion(&server.url).create(&story(), &place(), &Properties::new(), "").await.unwrap_err();
    assert!(
        matches!(&error, BackendError::Ambiguous { committed: Some(id), .. } if *id == page_uuid(1)),
        "{error:?}"
    );
}

#[tokio::test]
async fn only_the_given_properties_are_written() {
    let server = Server::start(vec![Play::Json(200, page_object(1, CREATED))]).await;
    let notion = notion(&server.url);
    let values = BTreeMap::from([
        ("Status".to_owned(), Some(text("done"))),
        ("Linked Plans".to_owned(), None),
    ]);
    notion.set_properties(&story(), &place(), &page_uuid(1), &values).await.unwrap();
    let expected =
        json!({"properties": {"plan": {"relation": []}, "stat": {"select": {"name": "Done"}}}});
    assert_eq!(server.seen()[0].body, expected);

    let unknown = BTreeMap::from([("Size".to_owned(), None)]);
    let error =
        notion.set_properties(&story(), &place(), &page_uuid(1), &unknown).await.unwrap_err();
    assert!(
        matches!(&error, BackendError::Refused { message, .. } if message.contains("Size")),
        "{error}"
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_trash_request_that_was_ignored_is_seen() {
    let mut trashed = page_object(1, CREATED);
    trashed["in_trash"] = true.into();
    let answers = [page_object(1, CREATED), trashed.clone(), trashed];
    let server = Server::start(answers.map(|page| Play::Json(200, page)).into()).await;
    let notion = notion(&server.url);
    let page = page_uuid(1);
    assert!(matches!(
        notion.trash(&story(), &place(), &page).await,
        Err(BackendError::Rejected { .. })
    ));
    assert_eq!(notion.trash(&story(), &place(), &page).await.unwrap().life, Life::Trashed);
    assert!(matches!(
        notion.untrash(&story(), &place(), &page).await,
        Err(BackendError::Rejected { .. })
    ));
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(
        bodies,
        [json!({"in_trash": true}), json!({"in_trash": true}), json!({"in_trash": false})]
    );
}

#[tokio::test]
async fn rule_2_bodies_are_changed_conditionally_and_answer_with_the_text_afterwards() {
    let answer = || {
        Play::Json(
            200,
            json!({"object": "page_markdown", "markdown": "new\nrest", "truncated": false,
                               "unknown_block_ids": []}),
        )
    };
    let server = Server::start(vec![answer(), answer()]).await;
    let notion = notion(&server.url);
    let hunk = Hunk { at: 0..3, old: "old".into(), new: "new".into() };
    let body = notion.edit_body(&page_uuid(1), &[hunk]).await.unwrap();
    assert_eq!((body.text.as_str(), body.complete), ("new\nrest", true));
    notion.append_body(&page_uuid(1), "all").await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].line, format!("PATCH /v1/pages/{}/markdown", page_uuid(1)));
    let update = json!({"content_updates": [{"old_str": "old", "new_str": "new"}], "allow_deleting_content": false});
    assert_eq!(
        seen[0].body,
        json!({"type": "update_content", "update_content": update, "markdown_version": "v1"})
    );
    let insert = json!({"content": "all", "position": {"type": "end"}});
    assert_eq!(
        seen[1].body,
        json!({"type": "insert_content", "insert_content": insert, "markdown_version": "v1"})
    );
}

#[tokio::test]
async fn rule_2_a_condition_that_fails_is_stale() {
    let script = vec![
        api_error(400, "validation_error", "old_str not found in page content."),
        api_error(400, "validation_error", "Invalid URL for link."),
    ];
    let server = Server::start(script).await;
    let notion = notion(&server.url);
    let hunk = [Hunk { at: 0..3, old: "old".into(), new: "new".into() }];
    assert!(matches!(
        notion.edit_body(&page_uuid(1), &hunk).await,
        Err(BackendError::Stale { .. })
    ));
    assert!(matches!(
        notion.edit_body(&page_uuid(1), &hunk).await,
        Err(BackendError::Rejected { .. })
    ));
}

#[tokio::test]
async fn an_answer_to_a_body_write_without_text_is_ambiguous() {
    let server = Server::start(vec![Play::Json(200, json!({"object": "async_task"}))]).await;
    let error = notion(&server.url).append_body(&page_uuid(1), "x").await.unwrap_err();
    assert!(matches!(error, BackendError::Ambiguous { .. }), "{error:?}");
}

/// The grammar goes with every request that holds or asks for a body, and with no other.
#[tokio::test]
async fn the_configured_grammar_is_sent_with_every_body() {
    let body = || {
        Play::Json(
            200,
            json!({"object": "page_markdown", "markdown": "a", "truncated": false,
            "unknown_block_ids": []}),
        )
    };
    let page = || Play::Json(200, page_object(1, CREATED));
    let server = Server::start(vec![body(), body(), body(), page(), page()]).await;
    let mut options = super::super::testing::options(&server.url);
    options.dialect = agent_sync_core::markdown::Dialect::NotionV2;
    let notion = super::super::testing::with_gate(super::super::Notion::new(options).unwrap());
    assert_eq!(notion.dialect(), agent_sync_core::markdown::Dialect::NotionV2);
    notion.body(&page_uuid(1)).await.unwrap();
    let hunk = Hunk { at: 0..1, old: "a".into(), new: "b".into() };
    notion.edit_body(&page_uuid(1), &[hunk]).await.unwrap();
    notion.append_body(&page_uuid(1), "c").await.unwrap();
    let properties = Properties::from([("Title".into(), text("T"))]);
    notion.create(&story(), &place(), &properties, "d").await.unwrap();
    notion.create(&story(), &place(), &properties, "").await.unwrap();
    let seen = server.seen();
    assert!(seen[0].line.ends_with("/markdown?markdown_version=v2"), "{}", seen[0].line);
    let versions: Vec<_> =
        seen[1..].iter().map(|seen| seen.body["markdown_version"].clone()).collect();
    assert_eq!(versions, [json!("v2"), json!("v2"), json!("v2"), serde_json::Value::Null]);
}
