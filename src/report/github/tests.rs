//! Texts as people see them, at their limits and with hostile content.

use agent_sync_core::model::{Finding, Key, Severity, Side};

use super::super::{ArtifactReport, BackendReport, ConflictReport, Report, Sides};
use super::*;
use crate::backend::Requests;
use crate::engine::{Action, Keep, RunError};

fn scene(answer: Answer) -> Scene {
    Scene {
        run: Some("https://github.com/org/repo/actions/runs/7".into()),
        files: Some("https://github.com/org/repo/blob/0123abc/".into()),
        folder: String::new(),
        answer,
    }
}

fn conflict(n: usize) -> ConflictReport {
    ConflictReport {
        backend: "notion".into(),
        brought_by: None,
        label: "Notion".into(),
        fingerprint: format!("{n:016x}"),
        kind: "story".into(),
        id: format!("INFRA-{n:03}"),
        path: Some(format!(".agent/cache/stories/INFRA/INFRA-{n:03}-keys.md")),
        line: Some(12),
        property: Some("Impact".into()),
        base: Some("All keys\n".into()),
        local: Some("All signing keys\n".into()),
        remote: Some("All keys of the pipeline\n".into()),
        url: Some("https://app.notion.com/p/0123".into()),
        since: Some("2026-11-20".into()),
        edited: Some("2026-11-25 14:02 UTC".into()),
        editor: Some("Ada".into()),
        message: "Both changed it.".into(),
        ..ConflictReport::default()
    }
}

fn artifact(n: usize, action: &str, sides: Sides) -> ArtifactReport {
    ArtifactReport {
        backend: "notion".into(),
        kind: "story".into(),
        id: format!("INFRA-{n:03}"),
        path: Some(format!(".agent/cache/stories/INFRA/INFRA-{n:03}-keys.md")),
        from: None,
        url: Some("https://app.notion.com/p/0123".into()),
        action: action.into(),
        reason: "changed: body".into(),
        editor: Some("Ada".into()),
        sides,
    }
}

/// With something of everything.
fn report() -> Report {
    let mut report = Report::new("check", false);
    let push = Sides { remote: Action::Edit, local: Action::None };
    let pull = Sides { remote: Action::None, local: Action::Edit };
    report.artifacts = vec![
        artifact(1, "push", push),
        artifact(2, "pull", pull),
        artifact(3, "conflict", Sides::default()),
        artifact(4, "conflict", Sides::default()),
    ];
    report.conflicts = vec![
        conflict(3),
        ConflictReport {
            property: None,
            block: Some("The first paragraph, from Git.".into()),
            base: None,
            since: None,
            editor: None,
            ..conflict(4)
        },
        ConflictReport {
            property: None,
            block: Some("body".into()),
            deleted: Some(Side::Local),
            local: None,
            line: None,
            ..conflict(5)
        },
    ];
    report.findings.push(Finding {
        rule: "unknown-option".into(),
        severity: Severity::Warning,
        key: Some(Key::new("story", "INFRA-001")),
        path: Some(".agent/cache/stories/INFRA/INFRA-001-keys.md".into()),
        line: Some(5),
        url: None,
        message: "Status \"ICEBOX\" is none of the configured options.".into(),
        fix: "Use one of DRAFT, TO_DO.".into(),
        about: None,
    });
    report.notices.push("The backend `cache` was left out.".into());
    let mut requests = Requests { retries: 1, waited_ms: 1500, ..Requests::default() };
    requests.by_endpoint.insert("POST /v1/data_sources/{id}/query".into(), 4);
    requests.by_endpoint.insert("GET /v1/users/me".into(), 1);
    report.backends.push(BackendReport::new("notion", "Notion", requests));
    let mut github = Requests::default();
    github.by_endpoint.insert("GET /repos/{repo}/issues/{n}/comments".into(), 1);
    report.github = Some(github);
    report.unchanged = 120;
    report.duration_ms = 2_345;
    report.settle();
    report
}

fn decided() -> Decided {
    Decided {
        fingerprint: "00000000000000aa".into(),
        key: Key::new("story", "INFRA-009"),
        property: Some("Impact".into()),
        block: None,
        label: "Notion".into(),
        keep: Keep::Remote,
        by: Some("ada".into()),
        run: Some("20261125T140200000Z-1".into()),
    }
}

fn sticky(report: &Report, answer: Answer, decided: &[Decided]) -> String {
    comment(Sticky { report, scene: &scene(answer), key: "pull-request", decided })
}

#[test]
fn every_text() {
    insta::assert_snapshot!("log", log(&report(), &scene(Answer::Comment), false, false));
    insta::assert_snapshot!("summary", summary(&report(), &scene(Answer::Comment), SUMMARY));
    insta::assert_snapshot!("comment", sticky(&report(), Answer::Comment, &[decided()]));
    insta::assert_snapshot!("issue", sticky(&report(), Answer::Issue, &[]));
    let mut clean = Report::new("check", false);
    clean.unchanged = 12;
    clean.settle();
    insta::assert_snapshot!("comment_decided", sticky(&clean, Answer::Comment, &[decided()]));
    insta::assert_snapshot!("comment_resolved", sticky(&clean, Answer::Comment, &[]));
    let failed = Report::failed("check", RunError::Refused("Notion says no. Share it.".into()));
    insta::assert_snapshot!("comment_stopped", sticky(&failed, Answer::Comment, &[]));
    let (title, body) = pull_request(&report(), &scene(Answer::Issue));
    insta::assert_snapshot!("pull_request", format!("{title}\n\n{body}"));
    let text = suggestion(
        &conflict(3),
        "All signing keys\n```\nof the pipeline\n",
        &scene(Answer::Comment),
    );
    insta::assert_snapshot!("suggestion", text.unwrap());
}

#[test]
fn every_reply() {
    let all = [
        Reply::Fork,
        Reply::NotAllowed { by: "eve" },
        Reply::Ambiguous { conflicts: &["00000000000000aa".to_owned()] },
        Reply::Changed,
        Reply::Failed { why: "No conflict `x` is open. @all", partly: false },
    ];
    insta::assert_snapshot!("replies", all.map(reply).join("\n---\n"));
}

#[test]
fn faults_of_the_configuration_are_shown_at_their_lines() {
    let error = "agent-sync.yml:3: Unknown key `a`.\nagent-sync.yml:4: Unknown key `b`.";
    let report = Report::failed("sync", RunError::Usage(error.into()));
    let at = |list: &[crate::github::command::Annotation]| {
        list.iter().map(|one| (one.file.clone(), one.line)).collect::<Vec<_>>()
    };
    let folder = Scene { folder: "docs/".into(), ..Scene::default() };
    let file = Some("docs/agent-sync.yml".to_owned());
    assert_eq!(at(&annotations(&report, &folder)), [(file.clone(), Some(3)), (file, Some(4))]);
    let report = Report::failed("sync", RunError::Usage("There is no kind `epic`.".into()));
    assert_eq!(at(&annotations(&report, &folder)), [(None, None)]);
}

#[test]
fn a_conflict_that_fails_nothing_is_a_warning() {
    use crate::github::command::Level;
    let mut report = report();
    report.fail_on(super::super::FailOn::Never);
    let list = annotations(&report, &scene(Answer::Comment));
    assert!(list.iter().all(|one| one.level != Level::Error));
    assert_eq!(list.iter().filter(|one| one.title.starts_with("conflict")).count(), 3);
}

fn tick(body: &str, keep: &str, fingerprint: &str) -> String {
    let mark = format!("<!-- agent-sync:keep {keep} {fingerprint} -->");
    let lines = body.lines().map(|line| match line.ends_with(&mark) {
        true => line.replacen("[ ]", "[x]", 1),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn ticked_boxes_are_read() {
    let body = sticky(&report(), Answer::Comment, &[decided()]);
    assert_eq!(answers(&body), Some(Answers::default()));
    let ticked = tick(&body, "remote", "0000000000000003");
    let ticked = tick(&ticked, "skip", "0000000000000004").replace('\n', "\r\n");
    let both = |fingerprint: &str, keep| (fingerprint.to_owned(), keep);
    assert_eq!(
        answers(&ticked).unwrap().chosen,
        [both("0000000000000003", Keep::Remote), both("0000000000000004", Keep::Skip)]
    );
    assert!(same(&ticked, &body) && same(&body, &ticked));
    // Another run that finds the same says the same.
    let mut other = scene(Answer::Comment);
    other.run = Some("https://github.com/org/repo/actions/runs/8".into());
    let again = comment(Sticky {
        report: &report(),
        scene: &other,
        key: "pull-request",
        decided: &[decided()],
    });
    assert!(again != body && same(&again, &body));
    assert!(!same(&sticky(&report(), Answer::Comment, &[]), &body));
}

#[test]
fn two_boxes_of_a_conflict_are_no_answer() {
    let body = sticky(&report(), Answer::Comment, &[]);
    let ticked = tick(&body, "local", "0000000000000003");
    let ticked = tick(&ticked, "remote", "0000000000000003");
    let ticked = tick(&ticked, "local", "0000000000000005");
    let read = answers(&ticked).unwrap();
    assert_eq!(read.ambiguous, ["0000000000000003"]);
    assert_eq!(read.chosen, [("0000000000000005".to_owned(), Keep::Local)]);
}

#[test]
fn a_body_that_is_not_ours_decides_nothing() {
    let body = sticky(&report(), Answer::Comment, &[]);
    let own = "- [x] keep Notion's <!-- agent-sync:keep remote 0000000000000003 -->";
    let marker_line = body.lines().last().unwrap();
    for hostile in [
        String::new(),
        own.to_owned(),
        format!("{own}\n\n{marker_line}"),
        format!("{own}\n{body}"),
        body.replacen("#### ", &format!("{own}\n\n#### "), 1),
        tick(&body, "remote", "0000000000000003")
            .replace("0000000000000003 -->", "0000000000000007 -->"),
        tick(&body, "remote", "0000000000000003").replace("keep remote", "keep local"),
        format!("{}\nmore", tick(&body, "remote", "0000000000000003")),
        format!("> {}", tick(&body, "remote", "0000000000000003").replace('\n', "\n> ")),
    ] {
        assert_eq!(answers(&hostile), None, "{hostile}");
    }
    assert_eq!(marker(&format!("{marker_line}\nmore")), None);
    assert_eq!(marker(&format!("x {marker_line}")), None);
}

/// What a file or a page may hold to be taken for one of our boxes or marks.
fn planted() -> String {
    let base = sticky(&report(), Answer::Comment, &[]);
    let mark = base.lines().last().unwrap();
    format!(
        "[x] keep Notion's <!-- agent-sync:keep remote 0000000000000003 -->\n```\n- [x] keep Notion's <!-- \
         agent-sync:keep remote 0000000000000003 -->\n</details>\n@ada #1 <!--\n{mark}\n````\n"
    )
}

#[test]
fn planted_boxes_marks_and_fences_do_nothing() {
    let mut report = report();
    for conflict in &mut report.conflicts {
        conflict.base = Some(planted());
        conflict.local = Some(format!("x\n{}", planted()));
        conflict.id = planted();
        conflict.property = Some(planted());
        conflict.editor = Some(planted());
        conflict.path = Some(planted());
        conflict.url = Some(planted());
    }
    for artifact in &mut report.artifacts {
        artifact.id = planted();
        artifact.reason = planted();
        artifact.action = "pull".into();
        artifact.sides.local = Action::Edit;
    }
    report.findings[0].message = planted();
    let person = Decided { by: Some(planted()), run: Some(planted()), ..decided() };
    let body = sticky(&report, Answer::Comment, &[person]);
    assert_eq!(answers(&body), Some(Answers::default()));
    // A tick is read although every text around it tells lies.
    let ticked = tick(&body, "local", "0000000000000004");
    assert_eq!(answers(&ticked).unwrap().chosen, [("0000000000000004".to_owned(), Keep::Local)]);
    let summary = summary(&report, &scene(Answer::Comment), SUMMARY);
    let (_, pull) = pull_request(&report, &scene(Answer::Issue));
    for text in [&body, &summary, &pull] {
        let comments = text.matches("<!--").count();
        let ours = text.matches("<!-- agent-sync:keep ").count()
            + text.matches("<!-- agent-sync:v1").count();
        assert_eq!(comments, ours, "{text}");
        let mut fence = None;
        for line in text.lines() {
            let ticks = line.bytes().take_while(|byte| *byte == b'`').count();
            match fence {
                None if ticks >= 3 => fence = Some(ticks),
                Some(long) if ticks == long && line.len() == long => fence = None,
                // Outside a fence nothing of it works.
                None => {
                    assert!(!line.contains("@ada") && !line.contains("#1"), "{line}");
                    let opens = line.trim_start().starts_with("<details>");
                    let ours =
                        opens || ["</details>", "<sub>"].iter().any(|tag| line.starts_with(tag));
                    assert!(
                        ours || line.starts_with("<!-- ")
                            || !line.replace("<!-- agent-sync:", "").contains('<'),
                        "{line}"
                    );
                }
                Some(_) => {}
            }
        }
        assert_eq!(fence, None);
    }
    assert_eq!(body.matches("<!-- agent-sync:v1").count(), 1);
    assert_eq!(body.matches("<!-- agent-sync:keep").count(), 9);
}

/// A body with one conflict whose difference has so many bytes.
fn sized(bytes: usize) -> String {
    let mut report = Report::new("check", false);
    report.conflicts.push(ConflictReport {
        base: Some(String::new()),
        local: Some("x".repeat(bytes)),
        remote: Some("y".into()),
        ..conflict(1)
    });
    report.settle();
    sticky(&report, Answer::Comment, &[])
}

/// The largest size that is not cut.
fn largest(whole: impl Fn(usize) -> bool, mut low: usize, mut high: usize) -> usize {
    while low + 1 < high {
        let middle = low.midpoint(high);
        if whole(middle) { low = middle } else { high = middle }
    }
    low
}

#[test]
fn a_comment_is_cut_by_whole_sections_at_its_limit() {
    let cut = |text: &str| text.contains("Left out here for length");
    let at = largest(|bytes| !cut(&sized(bytes)), 0, 2 * BODY);
    let (fits, past) = (sized(at), sized(at + 1));
    assert!(fits.len() <= BODY && fits.len() > BODY - 600, "{}", fits.len());
    assert!(past.len() < 2_000 && past.contains("1 difference."), "{past}");
    // The boxes are still there, and still read.
    let ticked = tick(&past, "local", "0000000000000001");
    assert_eq!(answers(&ticked).unwrap().chosen.len(), 1);
}

#[test]
fn many_conflicts_stay_under_the_limit_and_are_counted() {
    let many = |count: usize| {
        let mut report = Report::new("check", false);
        report.conflicts = (0..count).map(conflict).collect();
        report.artifacts = (0..count).map(|n| artifact(n, "conflict", Sides::default())).collect();
        report.settle();
        report
    };
    let report = many(500);
    let body = sticky(&report, Answer::Comment, &[]);
    assert!(body.len() <= BODY, "{}", body.len());
    let shown = body.matches("- [ ] skip for now").count();
    assert!(body.contains(&format!("{} conflicts and", 500 - shown)), "{shown}");
    assert!(answers(&body).is_some());
    let whole =
        largest(|count| !sticky(&many(count), Answer::Issue, &[]).contains("Left out"), 1, 500);
    assert!(sticky(&many(whole + 1), Answer::Issue, &[]).contains("1 difference"));
}

#[test]
fn a_summary_stays_under_its_limit() {
    let with = |bytes: usize| {
        let mut report = report();
        report.conflicts[0].local = Some("x".repeat(bytes));
        summary(&report, &scene(Answer::Comment), SUMMARY)
    };
    let at = largest(|bytes| !with(bytes).contains("Left out"), 0, 2 * SUMMARY);
    let (fits, past) = (with(at), with(at + 1));
    assert!(fits.len() <= SUMMARY && fits.len() > SUMMARY - 1_000, "{}", fits.len());
    assert!(past.contains("0 conflicts and 1 differences"));
    let mut large = report();
    large.artifacts = (0..20_000).map(|n| artifact(n, "push", Sides::default())).collect();
    large.findings = vec![large.findings[0].clone(); 20_000];
    large.conflicts = (0..20_000).map(conflict).collect();
    large.settle();
    let text = summary(&large, &scene(Answer::Comment), SUMMARY);
    assert!(text.len() <= SUMMARY, "{}", text.len());
    for left_out in ["more, which the JSON report lists", "Left out here for length"] {
        assert!(text.contains(left_out), "{left_out}");
    }
}

#[test]
fn a_suggestion_is_what_a_person_sees_or_nothing() {
    let of = |text: &str| suggestion(&conflict(3), text, &scene(Answer::Comment));
    assert!(of("a\u{202e}b").is_none());
    assert!(of("a\u{1b}[0m").is_none());
    assert!(of("a\r\nb").unwrap().contains("```suggestion\na\nb\n```"));
    let at = largest(|bytes| of(&"x".repeat(bytes)).is_some(), 0, 2 * BODY);
    assert_eq!(of(&"x".repeat(at)).unwrap().len(), BODY);
    assert_eq!(marker(&of("a").unwrap()).unwrap().key, "suggestion-0000000000000003");
}
