//! Hostile reports through everything that `--format github` writes to the log, read as the runner reads it, and
//! through every text in Markdown, read as GitHub reads it.

use agent_sync_core::model::{Finding, Key, Severity, Side};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::super::{ArtifactReport, BackendReport, Clashing, ConflictReport, Report, Sides};
use super::runner::{Parsed, as_compared, parse};
use super::*;
use crate::backend::Requests;
use crate::engine::{Action, Keep, RunError};
use crate::github::command::Level;

fn hostile() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("::"),
        Just("##["),
        Just("]"),
        Just("::error::"),
        Just("##[error]"),
        Just("::add-mask::"),
        Just("::stop-commands::x"),
        Just("::set-env name=PATH::/tmp"),
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("%0A"),
        Just("%0D"),
        Just("%25"),
        Just("%"),
        Just("#"),
        Just(":"),
        Just("["),
        Just(","),
        Just("="),
        Just(" "),
        Just("\t"),
        Just("\u{b}"),
        Just("\u{85}"),
        Just("\u{2028}"),
        Just("\u{200b}"),
        Just("\u{200d}"),
        Just("\u{ad}"),
        Just("\u{feff}"),
        Just("\u{0}"),
        Just("\u{1b}[2K"),
        Just("\u{202e}"),
        Just("a"),
        Just("é"),
        Just("…"),
        Just("<!-- agent-sync:keep local 0123456789abcdef -->"),
        Just("-->"),
        Just("```"),
        Just("~~~"),
        Just("`"),
        Just("@ada"),
        Just("&commat;ada"),
        Just("#1"),
        Just("&num;1"),
        Just("GH-1"),
        Just("https://github.com/o/r/issues/1"),
        Just("www.example.com"),
        Just("[x](https://example.com)"),
        Just("![x](https://example.com)"),
        Just("<img src=x>"),
        Just("</details>"),
        Just("</sub>"),
        Just("- [x] "),
        Just("|"),
        Just("\\"),
        Just("*_"),
        Just("~~"),
    ];
    prop::collection::vec(token, 0..6).prop_map(|tokens| tokens.concat())
}

prop_compose! {
    fn a_conflict()(
        texts in prop::collection::vec(prop::option::of(hostile()), 9),
        names in prop::collection::vec(hostile(), 4),
        deleted in prop_oneof![Just(None), Just(Some(Side::Local)), Just(Some(Side::Remote))],
    ) -> ConflictReport {
        let text = |n: usize| texts[n].clone();
        ConflictReport {
            backend: "notion".into(), label: "Notion".into(), brought_by: None, fingerprint: "0123456789abcdef".into(), kind: names[0].clone(),
            id: names[1].clone(), message: names[2].clone(), path: text(0), line: Some(3), property: text(1),
            block: text(2), base: text(3), local: text(4), remote: text(5), url: text(6), editor: text(7),
            since: None, edited: text(8), deleted, suggestion: None, yields_to: None, choice: Some("0011223344556677".into()),
            others: Vec::from_iter(deleted.is_none().then(|| Clashing {
                backend: "cache".into(), label: "SQLite".into(), fingerprint: "fedcba9876543210".into(),
                remote: text(0), url: text(1), edited: text(2), editor: text(3),
            })),
        }
    }
}

prop_compose! {
    fn a_report()(
        names in prop::collection::vec(hostile(), 12),
        conflicts in prop::collection::vec(a_conflict(), 0..3),
        notices in prop::collection::vec(hostile(), 0..12),
        error in prop::option::of(hostile()),
        severities in prop::collection::vec(0..3u8, 0..12),
        log in any::<bool>(),
    ) -> Report {
        let name = |n: usize| names[n].clone();
        let mut report = Report::new(if log { "log" } else { "sync" }, false);
        report.artifacts.push(ArtifactReport {
            backend: name(0), kind: name(1), id: name(2), path: Some(name(3)), from: None, url: Some(name(4)),
            action: "push".into(), reason: name(5), editor: None, sides: Sides::default(),
        });
        report.conflicts = conflicts;
        report.notices = notices;
        report.findings = severities.iter().map(|severity| Finding {
            rule: name(6), key: Some(Key::new(name(1), name(2))), path: Some(name(7)), line: None, url: Some(name(8)),
            message: name(9), fix: name(10), about: None,
            severity: [Severity::Notice, Severity::Warning, Severity::Error][usize::from(*severity)],
        }).collect();
        let mut requests = Requests::default();
        requests.by_endpoint.insert(name(11), 1);
        report.backends.push(BackendReport::new(&name(0), "Notion", requests));
        report.log.push(super::super::LogLine {
            commit: name(0), time: name(1), summary: name(2), run: Some(name(3)), actor: None, link: None,
        });
        report.stopped = error.map(RunError::Usage);
        report.settle();
        report
    }
}

/// The commands that a report may make, after its group.
fn expected(report: &Report, scene: &Scene, quiet: bool) -> Vec<&'static str> {
    let all = annotations(report, scene);
    [Level::Error, Level::Warning, Level::Notice]
        .into_iter()
        .filter(|level| !quiet || *level == Level::Error)
        .flat_map(|level| {
            let count = all.iter().filter(|one| one.level == level).count();
            std::iter::repeat_n(level.name(), count.min(10))
        })
        .collect()
}

/// A case is a whole report, with some dozens of texts.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.div_ceil(4), ..usual }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn no_line_of_the_log_is_a_command_but_ours(
        report in a_report(),
        verbose in any::<bool>(),
        quiet in any::<bool>(),
    ) {
        let scene = Scene { answer: Answer::Comment, ..Scene::default() };
        let text = log(&report, &scene, verbose, quiet);
        for seen in [text.clone(), as_compared(&text)] {
            let commands: Vec<Parsed> = seen.split(['\n', '\r']).filter_map(parse).collect();
            let groups: Vec<&str> = commands
                .iter()
                .map(|one| one.name.as_str())
                .take_while(|name| matches!(*name, "group" | "endgroup"))
                .collect();
            prop_assert!(groups.is_empty() || groups == ["group", "endgroup"], "{groups:?}");
            let rest: Vec<&str> =
                commands.iter().skip(groups.len()).map(|one| one.name.as_str()).collect();
            prop_assert_eq!(&rest, &expected(&report, &scene, quiet), "{}", seen);
            for one in &commands {
                let known = ["file", "line", "title"];
                prop_assert!(one.properties.iter().all(|(name, _)| known.contains(&name.as_str())), "{one:?}");
                // What the runner prints of it is no command either.
                for line in one.data.split(['\n', '\r']) {
                    prop_assert_eq!(parse(&as_compared(line)), None);
                }
            }
        }
    }
}

/// What of a text acts on GitHub though it is not ours, as sentences.
fn acts(text: &str) -> Vec<String> {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH;
    let mut found = Vec::new();
    let mut code = false;
    // Text comes in pieces; what acts may span them.
    let mut said = String::new();
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => code = true,
            Event::End(TagEnd::CodeBlock) => code = false,
            Event::Start(Tag::Link { dest_url, .. })
                if !dest_url.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                found.push(format!("the address {dest_url}"));
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                found.push(format!("the image {dest_url}"))
            }
            Event::Start(Tag::Strikethrough | Tag::Emphasis) => found.push("markup".to_owned()),
            Event::Html(html) | Event::InlineHtml(html) => {
                let mut rest = html.trim().to_owned();
                for ours in [
                    "<details><summary>What each side holds</summary>",
                    "<details><summary>Requests by endpoint</summary>",
                    "</details>",
                    "<sub>",
                    "</sub>",
                ] {
                    rest = rest.replace(ours, "");
                }
                let ours = rest.is_empty()
                    || (rest.starts_with("<!-- agent-sync:")
                        && rest.ends_with(" -->")
                        && !rest.contains('\n'));
                if !ours {
                    found.push(format!("the tag {html}"));
                }
            }
            Event::Text(text) if !code => said.push_str(&text),
            Event::End(TagEnd::Paragraph | TagEnd::TableCell | TagEnd::Heading(_)) => {
                said.push('\n')
            }
            _ => {}
        }
    }
    let lower = said.to_lowercase();
    for mark in ["@ada", "#1", "gh-1", "://", "www."] {
        if lower.contains(mark) {
            found.push(format!("{mark} in {said}"));
        }
    }
    found
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn nothing_of_others_acts_in_our_markdown(report in a_report(), person in hostile()) {
        let scene = Scene {
            run: Some("https://github.com/org/repo/actions/runs/7".into()),
            files: Some("https://github.com/org/repo/blob/0123abc/".into()),
            folder: String::new(),
            answer: Answer::Comment,
        };
        let decided = Decided {
            fingerprint: person.clone(), key: Key::new(person.clone(), person.clone()),
            property: Some(person.clone()), block: None, label: person.clone(), keep: Keep::Remote, by: Some(person.clone()),
            run: Some(person.clone()),
        };
        let mut pulled = Report::new("sync", false);
        pulled.artifacts = report.artifacts.clone();
        for one in &mut pulled.artifacts {
            one.sides.local = Action::Edit;
            one.editor = Some(person.clone());
        }
        let body = comment(Sticky { report: &report, scene: &scene, key: &person, decided: &[decided] });
        for text in [
            &body,
            &summary(&report, &scene, SUMMARY),
            &pull_request(&pulled, &scene).1,
            &reply(Reply::NotAllowed { by: &person }),
            &reply(Reply::Failed { why: &person, partly: true }),
            &asked(&format!("/agent-sync keep {person}")).err().unwrap_or_default(),
        ] {
            prop_assert_eq!(acts(text), Vec::<String>::new(), "{}", text);
        }
        // Nothing is ticked, and a tick is read.
        prop_assert_eq!(answers(&body), Some(Answers::default()));
        let open = "- [ ] skip for now";
        prop_assert_eq!(body.lines().filter(|line| line.starts_with(open)).count(), report.conflicts.len());
        if report.conflicts.len() == 1 {
            let ticked = body.replacen(open, "- [x] skip for now", 1);
            let chosen = vec![("0123456789abcdef".to_owned(), Keep::Skip)];
            prop_assert_eq!(answers(&ticked).unwrap().chosen, chosen);
        }
    }
}

#[test]
fn the_reader_of_this_test_sees_what_acts() {
    for text in ["a <b>", "<!-- x -->", "![a](b)", "*a*", "@ada", "&commat;ada", "see #1", "~~a~~"]
    {
        assert_eq!(acts(text).len(), 1, "{text}");
    }
    assert_eq!(acts("```\n@ada <b>\n```\n`@ada`"), Vec::<String>::new());
}
