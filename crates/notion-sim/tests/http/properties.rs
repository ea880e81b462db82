//! Every type of property, computed ones included, users, and file uploads.

use std::time::Duration;

use notion_sim::{Capabilities, Options};
use serde_json::{Value, json};

use crate::support::{Sim, start, text};

fn all_types() -> Value {
    json!({
        "Name": {"title": {}}, "Text": {"rich_text": {}}, "Points": {"number": {}},
        "Kind": {"select": {"options": [{"name": "a"}]}}, "Tags": {"multi_select": {}},
        "Stage": {"status": {}}, "Due": {"date": {}}, "Who": {"people": {}}, "Files": {"files": {}},
        "Done": {"checkbox": {}}, "Link": {"url": {}}, "Mail": {"email": {}},
        "Phone": {"phone_number": {}}, "Sum": {"formula": {"expression": "1"}},
        "Total": {"rollup": {"function": "sum", "relation_property_name": "x", "rollup_property_name": "y"}},
        "Key": {"unique_id": {"prefix": "T"}}, "Made": {"created_time": {}},
        "Maker": {"created_by": {}}, "Edited": {"last_edited_time": {}},
        "Editor": {"last_edited_by": {}}, "Where": {"place": {}}, "Press": {"button": {}},
    })
}

fn matches(sim: &Sim, source: &str, filter: Value) -> usize {
    let answer = sim.post(&format!("/v1/data_sources/{source}/query"), &json!({"filter": filter}));
    assert_eq!(answer.status, 200, "{filter}: {}", answer.body);
    answer.body["results"].as_array().map_or(0, Vec::len)
}

#[test]
fn every_type_is_written_read_and_filtered() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &all_types());
    let ada = sim.server.workspace().person().to_owned();
    let properties = json!({
        "Name": {"title": [{"text": {"content": "x"}}]},
        "Text": {"rich_text": [{"text": {"content": "long text"}}]},
        "Points": {"number": 1.5}, "Kind": {"select": {"name": "a"}},
        "Tags": {"multi_select": [{"name": "t"}]}, "Stage": {"status": {"name": "Done"}},
        "Due": {"date": {"start": "2026-12-01T10:00:00", "end": null, "time_zone": "Europe/Berlin"}},
        "Who": {"people": [{"id": ada}]},
        "Files": {"files": [{"name": "f", "external": {"url": "https://example.com/f"}}]},
        "Done": {"checkbox": true}, "Link": {"url": "https://example.com"},
        "Mail": {"email": "a@example.com"}, "Phone": {"phone_number": "+49 1"},
        "Where": {"place": {"lat": 1.0, "lon": 2.0}},
    });
    let page = sim.create(&source, &properties, "").body;
    let id = text(&page["id"]);
    let read = &page["properties"];
    assert!(read.get("Press").is_none(), "a button is ignored in a schema");
    assert_eq!(read["Who"]["people"][0]["person"]["email"], "ada@example.com");
    assert_eq!(read["Due"]["date"]["time_zone"], "Europe/Berlin");
    assert_eq!(read["Mail"]["email"], "a@example.com");
    assert_eq!(read["Files"]["files"][0]["external"]["url"], "https://example.com/f");
    assert_eq!(read["Editor"]["last_edited_by"]["id"], sim.server.workspace().bot());
    {
        let mut workspace = sim.server.workspace();
        workspace.set_computed(&id, "Sum", json!({"type": "string", "string": "seven"})).unwrap();
        workspace
            .set_computed(&id, "Total", json!({"type": "number", "number": 7, "function": "sum"}))
            .unwrap();
        workspace.add_property("Stories", "Push", &json!({"button": {}})).unwrap();
        workspace.add_property("Stories", "Checked", &json!({"verification": {}})).unwrap();
        assert!(workspace.set_computed(&id, "Points", json!(1)).is_err());
    }
    let read = sim.get(&format!("/v1/pages/{id}")).body["properties"].clone();
    assert_eq!(read["Sum"]["formula"]["string"], "seven");
    assert_eq!(read["Total"]["rollup"]["number"], 7);
    assert_eq!(read["Push"], json!({"id": read["Push"]["id"], "type": "button", "button": {}}));
    assert_eq!(read["Checked"]["verification"]["state"], "unverified");
    for (filter, found) in [
        (json!({"property": "Mail", "email": {"starts_with": "a@"}}), 1),
        (json!({"property": "Phone", "phone_number": {"is_empty": true}}), 0),
        (json!({"property": "Files", "files": {"is_not_empty": true}}), 1),
        (json!({"property": "Who", "people": {"contains": ada}}), 1),
        (json!({"property": "Maker", "created_by": {"contains": "me"}}), 1),
        (json!({"property": "Editor", "last_edited_by": {"does_not_contain": "me"}}), 0),
        (json!({"property": "Due", "date": {"on_or_after": "2026-12-01"}}), 1),
        (json!({"property": "Key", "unique_id": {"equals": 1}}), 1),
        (json!({"property": "Sum", "formula": {"string": {"equals": "seven"}}}), 1),
        (json!({"property": "Sum", "formula": {"string": {"equals": "eight"}}}), 0),
        (json!({"property": "Total", "rollup": {"number": {"greater_than": 6}}}), 1),
        (json!({"property": "Checked", "verification": {"status": "unverified"}}), 1),
        (json!({"property": "Checked", "verification": {"status": "verified"}}), 0),
    ] {
        assert_eq!(matches(&sim, &source, filter.clone()), found, "{filter}");
    }
    for (name, value) in [
        ("Sum", json!({"formula": {"string": "x"}})),
        ("Total", json!({"rollup": {"number": 1}})),
        ("Key", json!({"unique_id": {"number": 9}})),
        ("Made", json!({"created_time": "2026-01-01"})),
        ("Maker", json!({"created_by": {"id": ada}})),
        ("Editor", json!({"last_edited_by": {"id": ada}})),
        ("Edited", json!({"last_edited_time": "2026-01-01"})),
        ("Push", json!({"button": {}})),
    ] {
        let answer = sim.patch(&format!("/v1/pages/{id}"), &json!({"properties": {name: value}}));
        assert_eq!(answer.error(), (400, "validation_error"), "{name}");
    }
    let path = format!("/v1/data_sources/{source}");
    let refused = sim.patch(&path, &json!({"properties": {"V": {"verification": {}}}}));
    assert_eq!(refused.error(), (400, "validation_error"));
    let verified = json!({"properties": {"Checked": {"verification": {"state": "verified"}}}});
    let answer = sim.patch(&format!("/v1/pages/{id}"), &verified);
    assert_eq!(answer.body["properties"]["Checked"]["verification"]["state"], "verified");
}

#[test]
fn long_lists_are_cut_in_pages_and_whole_in_the_property_endpoint() {
    let sim = start(Options::default());
    let schema = json!({"Name": {"title": {}}, "Who": {"people": {}}});
    let (_, source) = sim.database("Rows", &schema);
    sim.server
        .workspace()
        .add_property(
            "Rows",
            "Rel",
            &json!({"relation": {"data_source_id": source, "single_property": {}}}),
        )
        .unwrap();
    let people: Vec<Value> = (0..30)
        .map(|n| json!({"id": sim.server.workspace().add_person(&format!("P {n}"))}))
        .collect();
    let rows: Vec<Value> =
        (0..30).map(|n| json!({"id": sim.page(&source, &format!("r{n}"), "")})).collect();
    let mentions: Vec<Value> =
        people.iter().map(|user| json!({"mention": {"user": user}})).collect();
    let properties =
        json!({"Name": {"title": mentions}, "Who": {"people": people}, "Rel": {"relation": rows}});
    let page = sim.create(&source, &properties, "").body;
    let read = &page["properties"];
    for (name, kind) in [("Name", "title"), ("Who", "people"), ("Rel", "relation")] {
        assert_eq!(read[name][kind].as_array().unwrap().len(), 25, "{name}");
        let base = format!(
            "/v1/pages/{}/properties/{}?page_size=20",
            text(&page["id"]),
            text(&read[name]["id"])
        );
        let first = sim.get(&base).body;
        assert_eq!(first["results"].as_array().unwrap().len(), 20);
        let rest = sim.get(&format!("{base}&start_cursor={}", text(&first["next_cursor"]))).body;
        assert_eq!(
            (rest["results"].as_array().unwrap().len(), &rest["has_more"]),
            (10, &json!(false))
        );
    }
    assert_eq!(read["Rel"]["has_more"], true);
    let users = sim.get("/v1/users?page_size=20").body;
    assert_eq!(
        (users["results"].as_array().unwrap().len(), &users["has_more"]),
        (20, &json!(true))
    );
}

#[test]
fn addresses_of_users_are_a_capability_of_their_own() {
    let capabilities = Capabilities { user_email: false, ..Capabilities::default() };
    let sim = start(Options { capabilities, ..Options::default() });
    let ada = sim.get("/v1/users").body["results"][1].clone();
    assert_eq!((&ada["name"], &ada["person"]), (&json!("Ada"), &json!({})));
}

#[test]
fn custom_emoji_are_listed_by_name() {
    let sim = start(Options::default());
    let all = sim.get("/v1/custom_emojis").body["results"].as_array().unwrap().len();
    let one = sim.get("/v1/custom_emojis?name=ship-it").body["results"].clone();
    assert_eq!((all, one.as_array().unwrap().len(), &one[0]["name"]), (2, 1, &json!("ship-it")));
}

/// Sends a file as a form does.
fn send(sim: &mut Sim, id: &str, content: &str) -> crate::support::Answer {
    let good = sim.headers.clone();
    sim.headers.retain(|(name, _)| name != "content-type");
    sim.headers.push(("content-type".to_owned(), "multipart/form-data; boundary=XX".to_owned()));
    let body = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.png\"\r\n\
         Content-Type: image/png\r\n\r\n{content}\r\n--XX--\r\n"
    );
    let answer = sim.send_raw("POST", &format!("/v1/file_uploads/{id}/send"), &body);
    sim.headers = good;
    answer
}

#[test]
fn files_are_uploaded_and_attached() {
    let mut sim = start(Options::default());
    let schema = json!({"Name": {"title": {}}, "Files": {"files": {}}});
    let (_, source) = sim.database("Rows", &schema);
    let page = sim.page(&source, "x", "Body");
    let new = |sim: &Sim, body: Value| sim.post("/v1/file_uploads", &body);
    assert_eq!(new(&sim, json!({"filename": "x".repeat(901)})).status, 400);
    assert_eq!(new(&sim, json!({"mode": "multi_part", "number_of_parts": 2})).status, 400);
    let created = new(&sim, json!({"filename": "a.png", "content_type": "image/png"})).body;
    assert_eq!(created["status"], "pending");
    let id = text(&created["id"]);
    let image =
        json!({"children": [{"image": {"type": "file_upload", "file_upload": {"id": id}}}]});
    let path = format!("/v1/blocks/{page}/children");
    assert_eq!(sim.patch(&path, &image).error(), (400, "validation_error"), "not sent yet");
    let too_large = "x".repeat(5_242_881);
    assert_eq!(send(&mut sim, &id, &too_large).error(), (400, "validation_error"));
    let sent = send(&mut sim, &id, "bytes");
    assert_eq!(
        (&sent.body["status"], &sent.body["content_length"]),
        (&json!("uploaded"), &json!(5))
    );
    assert_eq!(send(&mut sim, &id, "again").status, 400);
    let answer = sim.patch(&path, &image);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["results"][0]["image"]["type"], "file");
    let shown = sim.get(&format!("/v1/pages/{page}/markdown")).body;
    assert!(text(&shown["markdown"]).contains(&format!("{id}/a.png?X-Amz-")), "{shown}");
    let files =
        json!({"properties": {"Files": {"files": [{"file_upload": {"id": id}, "name": "A"}]}}});
    let answer = sim.patch(&format!("/v1/pages/{page}"), &files);
    assert!(text(&answer.body["properties"]["Files"]["files"][0]["file"]["url"]).contains("a.png"));
    // What is attached stays; what is not expires within an hour.
    let other = text(&new(&sim, json!({})).body["id"]);
    assert_eq!(send(&mut sim, &other, "bytes").status, 200);
    sim.server.advance(Duration::from_secs(3600));
    let state =
        |sim: &Sim, id: &str| sim.get(&format!("/v1/file_uploads/{id}")).body["status"].clone();
    assert_eq!((state(&sim, &id), state(&sim, &other)), (json!("uploaded"), json!("expired")));
    let late = json!({"children": [{"image": {"file_upload": {"id": other}}}]});
    assert_eq!(sim.patch(&path, &late).error(), (400, "validation_error"));
    assert_eq!(sim.patch(&path, &image).status, 200);
    let listed = sim.get("/v1/file_uploads?status=expired").body;
    assert_eq!(listed["results"][0]["id"], other.as_str());
}
