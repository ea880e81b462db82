//! Faults, the rate window, the clock, the log and the hook.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::{named, schema, start, text};
use notion_sim::{Fault, FaultKind, Options, Phase, Rate};
use serde_json::json;

fn fault(endpoint: &str, kind: FaultKind) -> Fault {
    Fault { endpoint: Some(endpoint.to_owned()), skip: 0, count: 1, kind }
}

#[test]
fn faults_before_change_nothing_and_faults_after_change_everything() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let before = [
        (FaultKind::RateLimited { retry_after: 7 }, Some((429, "rate_limited"))),
        (FaultKind::Overload529 { retry_after: 7 }, Some((529, "service_overload"))),
        (FaultKind::Conflict409, Some((409, "conflict_error"))),
        (FaultKind::ErrorBefore { status: 503 }, Some((503, "service_unavailable"))),
        (FaultKind::ErrorBefore { status: 500 }, Some((500, "internal_server_error"))),
        (FaultKind::EdgeHtml { status: 403 }, Some((403, ""))),
        (FaultKind::ResetBefore, None),
        (FaultKind::StallBefore { after: Duration::from_millis(50) }, None),
    ];
    let after = [
        (FaultKind::ErrorAfter { status: 502, with_guidance: false }, Some((502, "bad_gateway"))),
        (
            FaultKind::ErrorAfter { status: 503, with_guidance: true },
            Some((503, "service_unavailable")),
        ),
        (FaultKind::ResetAfter, None),
        (FaultKind::StallAfter { after: Duration::from_millis(50) }, None),
        (FaultKind::TruncatedBody, None),
    ];
    let mut made = 0;
    for (expected, faults) in [(0, &before[..]), (1, &after[..])] {
        for (kind, answer) in faults {
            sim.server.fault(fault("POST /v1/pages", *kind));
            let body = json!({"parent": {"data_source_id": source}, "properties": named("x"), "markdown": "Body"});
            match (sim.try_send("POST", "/v1/pages", Some(&body)), answer) {
                (Ok(got), Some(wanted)) => {
                    assert_eq!(got.error(), *wanted);
                    assert_eq!(
                        got.header("x-notion-request-id").is_none(),
                        matches!(kind, FaultKind::EdgeHtml { .. })
                    );
                    if let FaultKind::RateLimited { .. } | FaultKind::Overload529 { .. } = kind {
                        assert_eq!(got.header("retry-after"), Some("7"));
                        assert_eq!(got.body["additional_data"]["retry_after"], "7");
                    }
                    let guided = got.body["additional_data"]["committed_resource_id"].as_str();
                    assert_eq!(
                        guided.is_some(),
                        matches!(kind, FaultKind::ErrorAfter { with_guidance: true, .. })
                    );
                }
                (Err(_), None) => {}
                (got, _) => panic!("{kind:?}: unexpected {:?}", got.map(|answer| answer.status)),
            }
            made += expected;
            assert_eq!(sim.server.workspace().pages_of("Stories", true).len(), made, "{kind:?}");
        }
    }
    let statuses: Vec<Option<u16>> =
        sim.server.requests().iter().skip(1).map(|request| request.status).collect();
    assert_eq!(statuses.iter().filter(|status| status.is_none()).count(), 4);
}

#[test]
fn a_reset_is_a_reset_and_not_an_end() {
    let sim = start(Options::default());
    sim.server.fault(fault("GET", FaultKind::ResetBefore));
    let error = sim.try_send("GET", "/v1/users/me", None).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(sim.get("/v1/users/me").status, 200);
}

#[test]
fn an_effect_may_come_after_the_connection_is_gone() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    sim.server.fault(fault(
        "POST /v1/pages",
        FaultKind::LateEffect { after: Duration::from_millis(300) },
    ));
    let body = json!({"parent": {"data_source_id": source}, "properties": named("x")});
    assert!(sim.try_send("POST", "/v1/pages", Some(&body)).is_err());
    let pages = || sim.server.workspace().pages_of("Stories", true).len();
    assert_eq!(pages(), 0);
    let began = Instant::now();
    while pages() == 0 {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(pages(), 1);
}

#[test]
fn one_hunk_of_several_is_skipped_on_demand() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "a\nb");
    sim.server.fault(Fault { endpoint: None, skip: 0, count: 1, kind: FaultKind::SkipHunk });
    let update = |items: serde_json::Value| {
        let body = json!({"type": "update_content", "update_content": {"content_updates": items}});
        text(&sim.patch(&format!("/v1/pages/{page}/markdown"), &body).body["markdown"])
    };
    assert_eq!(
        update(json!([{"old_str": "a", "new_str": "c"}])),
        "c\nb",
        "a single one is not skipped"
    );
    assert_eq!(
        update(json!([{"old_str": "c", "new_str": "C"}, {"old_str": "b", "new_str": "B"}])),
        "c\nB"
    );
    assert_eq!(
        update(json!([{"old_str": "c", "new_str": "C"}, {"old_str": "B", "new_str": "b"}])),
        "C\nb"
    );
}

#[test]
fn the_rate_window_holds_and_says_how_long_to_wait() {
    let rate = Rate { requests: 3, window: Duration::from_millis(1500) };
    let sim = start(Options { rate: Some(rate), ..Options::default() });
    for _ in 0..3 {
        assert_eq!(sim.get("/v1/users/me").status, 200);
    }
    let refused = sim.get("/v1/users/me");
    assert_eq!(refused.error(), (429, "rate_limited"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait));
    sim.server.advance(Duration::from_secs(wait));
    assert_eq!(sim.get("/v1/users/me").status, 200);
}

#[test]
fn answers_carry_simulated_time_and_objects_its_minute() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    sim.server.advance(Duration::from_secs(3600 + 15));
    let answer = sim.create(&source, &named("x"), "");
    assert_eq!(answer.header("date"), Some("Fri, 20 Nov 2026 11:00:45 GMT"));
    assert_eq!(answer.body["created_time"], "2026-11-20T11:00:00.000Z");
    assert_eq!(answer.body["properties"]["Made"]["created_time"], "2026-11-20T11:00:00.000Z");
}

#[test]
fn latency_delays_answers() {
    let sim = start(Options { latency: Duration::from_millis(120), ..Options::default() });
    let began = Instant::now();
    sim.get("/v1/users/me");
    assert!(began.elapsed() >= Duration::from_millis(120));
}

#[test]
fn requests_are_logged_and_counted_from_zero() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    sim.server.reset_requests();
    let page = sim.page(&source, "x", "a");
    sim.get(&format!("/v1/pages/{page}/markdown?markdown_version=v1"));
    sim.post(&format!("/v1/data_sources/{source}/query"), &json!({}));
    let log = sim.server.requests();
    let seen: Vec<_> =
        log.iter().map(|r| (r.index, r.endpoint.as_str(), r.is_write, r.status)).collect();
    assert_eq!(
        seen,
        [
            (0, "POST /v1/pages", true, Some(200)),
            (1, "GET /v1/pages/{id}/markdown", false, Some(200)),
            (2, "POST /v1/data_sources/{id}/query", false, Some(200)),
        ]
    );
    assert_eq!(log[0].body.as_ref().unwrap()["markdown"], "a");
    assert_eq!(log[1].query, "markdown_version=v1");
}

#[test]
fn the_hook_sees_before_and_after_and_may_act_between() {
    let sim = start(Options::default());
    let (_, source) = sim.database("Stories", &schema());
    let page = sim.page(&source, "x", "a\nb");
    sim.server.reset_requests();
    let (sender, events) = mpsc::channel();
    let target = page.clone();
    sim.server.set_hook(Some(Box::new(move |workspace, event| {
        sender
            .send((event.index, event.endpoint.clone(), event.phase, workspace.markdown(&target)))
            .unwrap();
        if event.phase == Phase::Before {
            workspace.edit_block(&target, "b", "mine").unwrap();
        }
    })));
    let body = json!({"type": "update_content", "update_content": {"content_updates": [{"old_str": "a", "new_str": "A"}]}});
    let answer = sim.patch(&format!("/v1/pages/{page}/markdown"), &body);
    assert_eq!(answer.body["markdown"], "A\nmine");
    sim.server.set_hook(None);
    sim.get("/v1/users/me");
    let endpoint = "PATCH /v1/pages/{id}/markdown".to_owned();
    assert_eq!(
        events.iter().collect::<Vec<_>>(),
        [
            (0, endpoint.clone(), Phase::Before, "a\nb".to_owned()),
            (0, endpoint, Phase::After, "A\nmine".to_owned()),
        ]
    );
}

#[test]
fn dropping_the_server_frees_it_even_while_a_request_stalls() {
    let sim = start(Options::default());
    let address = sim.server.url();
    sim.server.fault(fault("GET", FaultKind::StallBefore { after: Duration::from_secs(600) }));
    let stream = std::net::TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    std::io::Write::write_all(&mut &stream, b"GET /v1/users/me HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    while sim.server.requests().is_empty() {
        std::thread::yield_now();
    }
    let began = Instant::now();
    drop(sim);
    assert!(began.elapsed() < Duration::from_secs(5));
}
