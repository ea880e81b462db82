//! Answers with anything in any place: an error perhaps, a panic never.

use serde_json::{Value as Json, json};

use crate::backend::notion::answer::{Answered, Reply, judge};
use crate::backend::notion::endpoint::Endpoint;
use crate::backend::notion::pages::{Origin, parse};
use crate::backend::notion::paging::Cursor;
use crate::backend::notion::schema::compare;
use crate::backend::notion::testing::{page_object, place, story};

/// Every value that differs from `json` in one place, by something of another shape or by a member that is gone.
fn mutations(json: &Json) -> Vec<Json> {
    let mut all = vec![Json::Null, json!(-1), json!("é"), json!([]), json!({}), json!([[{}]])];
    match json {
        Json::Object(members) => {
            for (name, member) in members {
                let mut without = members.clone();
                without.remove(name);
                all.push(Json::Object(without));
                all.extend(mutations(member).into_iter().map(|mutated| {
                    let mut changed = members.clone();
                    changed.insert(name.clone(), mutated);
                    Json::Object(changed)
                }));
            }
        }
        Json::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                all.extend(mutations(item).into_iter().map(|mutated| {
                    let mut changed = items.clone();
                    changed[at] = mutated;
                    Json::Array(changed)
                }));
            }
        }
        _ => {}
    }
    all
}

#[test]
fn a_page_object_is_taken_or_refused() {
    let mut page = page_object(1, "2026-11-20T09:00:00.000Z");
    page["properties"]["Linked Plans"]["relation"] = json!([{"id": "0".repeat(32)}]);
    let mut taken = 0;
    for mutated in mutations(&page) {
        for origin in [Origin::Listed, Origin::Direct] {
            taken += usize::from(parse(&story(), &place(), &mutated, origin).is_ok());
        }
    }
    assert!(taken > 0);
}

#[test]
fn a_schema_is_compared_whatever_it_is() {
    let schema = json!({"properties": {
        "Name": {"id": "title", "type": "title", "title": {}},
        "Status": {"id": "stat", "type": "select", "select": {"options": [{"id": "o", "name": "Done"}]}},
        "Linked Plans": {"id": "plan", "type": "relation", "relation": {"data_source_id": "x"}},
    }});
    for mutated in mutations(&schema) {
        let compared = compare(&story(), &place(), &mutated);
        assert_eq!(compared.place.properties.len() + compared.drift.len(), 4, "{mutated}");
    }
}

#[test]
fn an_error_body_is_judged_whatever_it_is() {
    let error = json!({"object": "error", "status": 503, "code": "service_unavailable", "message": "m",
        "request_id": "r", "additional_data": {"committed_resource_id": "p", "retry_guidance": ["x"],
                                               "retry_after": "3", "rate_limit_reason": "x"}});
    for mutated in mutations(&error) {
        for status in [200, 302, 400, 401, 403, 404, 409, 429, 500, 503, 529, 599] {
            for endpoint in [Endpoint::Me, Endpoint::CreatePage] {
                let body = Some(mutated.clone());
                let reply = Reply::Answered(Answered { status, body, ..Answered::default() });
                judge(&endpoint, reply);
            }
        }
        // A list ends or fails, but does not go on without a cursor.
        let mut cursor = Cursor::default();
        assert!(!cursor.advance("x", &mutated).unwrap_or(false) || cursor.get().is_some());
    }
}
