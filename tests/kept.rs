//! What a change must leave alone: blocks that Markdown cannot express, comments, ids, formatting by hand, members
//! of relations, spellings.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo, Run};
use notion_sim::{BlockInfo, Special};
use serde_json::json;

/// Blocks of the page of a story.
fn blocks(lab: &Lab, id: &str) -> Vec<BlockInfo> {
    let page = lab.page("Stories", id);
    lab.sim.workspace().blocks(&page)
}

fn texts(blocks: &[BlockInfo]) -> Vec<&str> {
    blocks.iter().map(|block| block.text.as_str()).collect()
}

/// A sync that works, some minutes after what happened before.
#[track_caller]
fn sync(lab: &Lab, repo: &Repo<'_>) -> Run {
    lab.minutes(3);
    repo.run(&["sync"]).expect(0)
}

/// Nothing is left to be written.
#[track_caller]
fn rests(lab: &Lab, repo: &Repo<'_>) {
    lab.minutes(3);
    repo.run(&["sync"]).expect(0);
    lab.sim.reset_requests();
    let (files, state) = (repo.files(), repo.state());
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!((lab.writes(), repo.files(), repo.state()), (0, files, state), "{run:?}");
}

/// Only these places differ between two texts.
#[track_caller]
fn only(old: &str, new: &str, changes: &[(&str, &str)]) {
    let mut wanted = old.to_owned();
    for (from, to) in changes {
        assert!(wanted.contains(from), "{from:?} is not in {wanted:?}");
        wanted = wanted.replacen(from, to, 1);
    }
    assert_eq!(new, wanted);
}

#[test]
fn blocks_without_markdown_form_survive_edits_around_them() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let specials = [
        Special::Bookmark("https://example.com/a".into()),
        Special::Embed("https://example.com/b".into()),
        Special::Synced("Inside of a synced block.".into()),
        Special::ChildPage("A page below".into()),
        Special::ChildDatabase("A database below".into()),
        Special::Unsupported("button".into()),
        Special::Breadcrumb,
        Special::LinkPreview("https://example.com/c".into()),
        Special::MeetingNotes("Weekly".into()),
        Special::LinkToPage(lab.sim.parent_page()),
        Special::HostedImage("plan.png".into()),
    ];
    let paths: Vec<String> = (0..specials.len())
        .map(|n| repo.story(&format!("INFRA-{n}"), "Title", "DRAFT", "Above it.\n"))
        .collect();
    repo.init();
    repo.run(&["sync"]).expect(0);
    let mut ids = Vec::new();
    for (n, special) in specials.iter().enumerate() {
        let page = lab.page("Stories", &format!("INFRA-{n}"));
        let mut ws = lab.sim.workspace();
        let first = ws.add_block(&page, special).unwrap();
        ws.append_markdown(&page, "Between them.").unwrap();
        let second =
            ws.add_block(&page, &Special::Bookmark("https://example.com/z".into())).unwrap();
        ws.append_markdown(&page, "Below it.").unwrap();
        ids.push([first, second]);
    }
    sync(&lab, &repo);
    for (path, special) in paths.iter().zip(&specials) {
        let text = repo.read(path);
        let order: Vec<_> =
            ["Above it.", "Between them.", "Below it."].map(|t| text.find(t)).into();
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{special:?}: {text}");
        repo.replace(path, "Above it.", "Above it, changed.\n\nNew in front.");
        repo.replace(path, "Between them.", "Between them, changed.");
        repo.replace(path, "Below it.", "New behind.\n\nBelow it, changed.");
    }
    sync(&lab, &repo);
    for (n, special) in specials.iter().enumerate() {
        let now = blocks(&lab, &format!("INFRA-{n}"));
        let top: Vec<BlockInfo> = now.into_iter().filter(|block| block.depth == 0).collect();
        let place = |id: &String| top.iter().position(|block| block.id == *id);
        let text = |text: &str| top.iter().position(|block| block.text == text);
        let order = [
            text("Above it, changed."),
            text("New in front."),
            place(&ids[n][0]),
            text("Between them, changed."),
            place(&ids[n][1]),
            text("New behind."),
            text("Below it, changed."),
        ];
        assert!(order.iter().all(Option::is_some), "{special:?}: {top:#?}");
        assert!(order.is_sorted(), "{special:?}: {order:?} {:?}", texts(&top));
        assert_eq!(top.len(), 7, "{special:?}: {:?}", texts(&top));
    }
    rests(&lab, &repo);
}

#[test]
fn an_opaque_line_that_is_deleted_in_the_file_deletes_nothing() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "Title", "DRAFT", "Above it.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    let page = lab.page("Stories", "INFRA-1");
    let id = {
        let mut ws = lab.sim.workspace();
        let id = ws.add_block(&page, &Special::ChildPage("A page below".into())).unwrap();
        ws.append_markdown(&page, "Below it.").unwrap();
        id
    };
    sync(&lab, &repo);
    let text = repo.read(&path);
    let line = text
        .lines()
        .find(|line| line.starts_with("<!-- notion:"))
        .unwrap_or_else(|| panic!("{text}"));
    repo.replace(&path, &format!("{line}\n\n"), "");
    repo.replace(&path, "Below it.", "Below it, changed.");
    sync(&lab, &repo);
    let now = blocks(&lab, "INFRA-1");
    assert!(now.iter().any(|block| block.id == id), "{now:?}");
    assert!(texts(&now).contains(&"Below it, changed."), "{now:?}");
    assert!(!lab.sim.workspace().page(&id).unwrap().in_trash);
    rests(&lab, &repo);
}

const RICH: &str = "## Problem\n\nAn intro with **bold** and `code`.\n\n- one\n  - deep\n    - deeper\n- two\n\n1. first\n2. \
                    second\n\n- [ ] open\n- [x] done\n\n> A quote.\n\n```rust\nfn main() {}\n```\n\n| a | b |\n|---|---|\n| c \
                    | d |\n| e | f |\n\nThe changed one.\n\n---\n\n### End\n\nThe end.\n";

#[test]
fn comments_and_ids_of_other_blocks_survive_a_push() {
    for (old, new) in [
        ("The changed one.", "The one that was changed."),
        ("- two", "- two, changed"),
        ("    - deeper", "    - deeper, changed"),
        ("| e | f |", "| e | g |"),
        ("fn main() {}", "fn main() { run() }"),
        ("- [ ] open", "- [x] open"),
        ("2. second\n", "2. second\n3. third\n"),
        ("> A quote.\n\n", ""),
        ("- one\n  - deep\n    - deeper\n", "- zero\n- one\n  - deep\n    - deeper\n"),
        ("### End", "#### End"),
    ] {
        let lab = Lab::new();
        let repo = lab.repo("repo");
        let path = repo.story("INFRA-1", "Title", "DRAFT", RICH);
        repo.init();
        repo.run(&["sync"]).expect(0);
        let before = blocks(&lab, "INFRA-1");
        let page = lab.page("Stories", "INFRA-1");
        {
            let mut ws = lab.sim.workspace();
            for block in &before {
                ws.comment(&block.id, &format!("about {}", block.text)).unwrap();
            }
            ws.comment(&page, "about the page").unwrap();
            for words in ["intro with", "The end"] {
                ws.comment_on_words(&page, words, "inline").unwrap();
            }
        }
        sync(&lab, &repo);
        repo.replace(&path, old, new);
        let text = repo.read(&path);
        sync(&lab, &repo);
        assert_eq!(repo.read(&path), text, "the file was touched");
        let after = blocks(&lab, "INFRA-1");
        let gone: Vec<&str> = before
            .iter()
            .filter(|old| !after.iter().any(|new| new.id == old.id && new.comments >= 1))
            .map(|block| block.text.as_str())
            .collect();
        assert!(gone.len() <= 1, "{old:?} to {new:?}: {gone:?} were written anew");
        let lost = lab
            .sim
            .workspace()
            .comments(&page)
            .into_iter()
            .filter(|c| c.original_content_deleted)
            .count();
        assert!(lost <= gone.len(), "{old:?} to {new:?}");
        rests(&lab, &repo);
    }
}

/// Everything that a formatter would change.
const HAND: &str = "---\n# why this is urgent\npriority:   'High'   # ask Bob\nowner:    team-a\n---\n\n# INFRA-1:  A title  \n\n\n## \
                    State\n\nDRAFT\n\nA paragraph that is wrapped\nby hand over\nthree lines.\n\n\n* star one\n* star \
                    two\n    * far in\n\n+ plus\n\n<!-- a comment for\nreaders of the file -->\n\n| name   | count |\n|:-------|------:|\n| \
                    apples |     3 |\n| pears  |    12 |\n\nSetext head\n-----------\n\n1) one\n2) two\n\n~~~python\nx  =  \
                    1\n~~~\n\nSee [the docs][docs] and __strong__ *words*.\n\n[docs]: https://example.com/docs  \"Docs\"\n\n\n\nLast \
                    words";

#[test]
fn formatting_by_hand_survives_pulls() {
    for crlf in [false, true] {
        let lab = Lab::new();
        let repo = lab.repo("repo");
        let path = ".agent/cache/stories/INFRA/INFRA-1-a-title.md";
        let native = |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
        repo.write(path, &native(HAND));
        repo.init();
        repo.run(&["sync"]).expect(0);
        assert_eq!(repo.read(path), native(HAND));
        for (block, new, changes) in [
            ("star two", "star two, seen", vec![("star two", "star two, seen")]),
            ("far in", "farther in", vec![("far in", "farther in")]),
            ("pears", "peaches", vec![("| pears ", "| peaches ")]),
            ("x  =  1", "x  =  2", vec![("x  =  1", "x  =  2")]),
            ("Setext head", "Setext heading", vec![("Setext head", "Setext heading")]),
            ("Last words", "Last words indeed", vec![("Last words", "Last words indeed")]),
            ("plus", "plus plus", vec![("+ plus", "+ plus plus")]),
            (
                "wrapped by hand",
                "A paragraph that is wrapped by foot over three lines.",
                vec![("by hand over", "by foot over")],
            ),
        ] {
            let old = repo.read(path);
            lab.edit("Stories", "INFRA-1", block, new);
            sync(&lab, &repo);
            let now = repo.read(path);
            if block == "pears" {
                // The cell grew; whether its padding gives way or the row gets longer is a matter of taste.
                let same =
                    |(a, b): (&str, &str)| a == b || (a.contains("pears") && b.contains("peaches"));
                assert!(old.lines().zip(now.lines()).all(same), "{now}");
                continue;
            }
            only(&old, &now, &changes);
        }
        let old = repo.read(path);
        let page = lab.page("Stories", "INFRA-1");
        lab.sim.workspace().set_property(&page, "Status", "REVIEW").unwrap();
        sync(&lab, &repo);
        only(&old, &repo.read(path), &[("DRAFT", "REVIEW")]);
        let old = repo.read(path);
        lab.sim.workspace().set_property(&page, "Priority", "Low").unwrap();
        sync(&lab, &repo);
        only(&old, &repo.read(path), &[("'High'", "'Low'")]);
        let old = repo.read(path);
        lab.sim.workspace().insert_after(&page, "star two", "- star three").unwrap();
        sync(&lab, &repo);
        let now = repo.read(path);
        assert!(now.contains("* star three"), "{now}");
        only(&now, &old, &[(&native("* star three\n"), "")]);
        assert_eq!(now.matches("\r\n").count(), if crlf { now.matches('\n').count() } else { 0 });
        rests(&lab, &repo);
    }
}

#[test]
fn rule_8_a_page_with_pages_below_it_is_never_trashed() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    for n in 1..=4 {
        repo.story(
            &format!("INFRA-{n}"),
            "Title",
            "DRAFT",
            &format!("Text number {n}.\n\nAnother of {n}.\n"),
        );
    }
    repo.init();
    repo.run(&["sync"]).expect(0);
    let page = |n: usize| lab.page("Stories", &format!("INFRA-{n}"));
    let (first, second) = (page(1), page(2));
    let below = lab.sim.workspace().create_subpage(&first, "Below", "Kept.").unwrap();
    lab.sim.workspace().add_block(&second, &Special::ChildDatabase("Table below".into())).unwrap();
    sync(&lab, &repo);
    let paths: Vec<String> = repo.files().into_keys().collect();
    for path in paths.iter().filter(|path| path.contains("INFRA-1-") || path.contains("INFRA-2-")) {
        std::fs::remove_file(repo.path.join(path)).unwrap();
    }
    lab.minutes(3);
    let run = repo.run(&["sync"]);
    assert!(run.json()["findings"].to_string().contains("never trashed"), "{run:?}");
    for id in [&first, &second, &below] {
        assert!(!lab.sim.workspace().page(id).unwrap().in_trash, "{run:?}");
    }
    assert_eq!(
        lab.sim
            .workspace()
            .databases()
            .iter()
            .filter(|d| d.title == "Table below" && !d.in_trash)
            .count(),
        1
    );
}

fn plan(n: usize) -> String {
    format!("# PLAN-{n}: Plan {n}\n\n## State\n\nDRAFT\n\nWhat plan {n} is about.\n")
}

#[test]
fn a_relation_that_the_api_cuts_loses_no_member() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    for n in 1..=33 {
        repo.write(&format!(".agent/cache/plans/PLAN/PLAN-{n}-plan.md"), &plan(n));
    }
    let list: String = (1..=30).map(|n| format!("- PLAN-{n}\n")).collect();
    let path =
        repo.story("INFRA-1", "Title", "DRAFT", &format!("Text.\n\n## Linked Plans\n\n{list}"));
    repo.init();
    repo.run(&["sync"]).expect(0);
    let members = || -> Vec<String> {
        let value = lab.property("Stories", "INFRA-1", "Linked Plans").unwrap_or_default();
        value.split(", ").map(str::to_owned).collect()
    };
    assert_eq!(members().len(), 30);
    // One that is no artifact, and one by a person.
    let page = lab.page("Stories", "INFRA-1");
    let (foreign, by_hand) = {
        let mut ws = lab.sim.workspace();
        let foreign = ws.create_page("Plans", "A plan without an id", &[], "Text.").unwrap();
        let by_hand = ws.page_with("Plans", "ID", "PLAN-31").unwrap();
        let mut all = members_of(&ws, &page);
        all.push(foreign.clone());
        all.push(by_hand.clone());
        ws.set_property(&page, "Linked Plans", json!(all.join(","))).unwrap();
        (foreign, by_hand)
    };
    lab.minutes(3);
    repo.run(&["sync"]);
    let text = repo.read(&path);
    assert_eq!(text.matches("- PLAN-").count(), 31, "{text}");
    assert!(text.contains("PLAN-31"), "{text}");
    repo.replace(&path, "- PLAN-7\n", "- PLAN-32\n");
    lab.minutes(3);
    repo.run(&["sync"]);
    let now = members();
    assert_eq!(now.len(), 32, "{now:?}");
    assert!(now.contains(&foreign) && now.contains(&by_hand), "{now:?}");
    let gone = lab.page("Plans", "PLAN-7");
    assert!(!now.contains(&gone), "{now:?}");
    assert!(now.contains(&lab.page("Plans", "PLAN-32")), "{now:?}");
    lab.minutes(3);
    repo.run(&["sync"]);
    lab.sim.reset_requests();
    let files = repo.files();
    repo.run(&["sync"]);
    assert_eq!((lab.writes(), repo.files()), (0, files));
}

fn members_of(ws: &notion_sim::Workspace, page: &str) -> Vec<String> {
    let value = ws.property_text(page, "Linked Plans").unwrap_or_default();
    value.split(", ").filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_member_that_is_no_file_stays_in_the_file() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.write(".agent/cache/plans/PLAN/PLAN-1-plan.md", &plan(1));
    repo.write(".agent/cache/plans/PLAN/PLAN-2-plan.md", &plan(2));
    let path = repo.story(
        "INFRA-1",
        "Title",
        "DRAFT",
        "Text.\n\n## Linked Plans\n\n- PLAN-1\n- PLAN-99\n",
    );
    repo.init();
    repo.run(&["sync"]).expect(0);
    let page = lab.page("Stories", "INFRA-1");
    let second = lab.page("Plans", "PLAN-2");
    {
        let mut ws = lab.sim.workspace();
        let mut all = members_of(&ws, &page);
        all.push(second);
        ws.set_property(&page, "Linked Plans", json!(all.join(","))).unwrap();
    }
    sync(&lab, &repo);
    let text = repo.read(&path);
    for id in ["PLAN-1", "PLAN-2", "PLAN-99"] {
        assert!(text.contains(&format!("- {id}")), "{text}");
    }
    rests(&lab, &repo);
}

#[test]
fn the_case_of_a_status_stays_as_the_file_has_it() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let path = ".agent/adrs/ADR-1-choice.md";
    repo.write(path, "# ADR-1: Choice\n\n## Status\n\nAccepted\n\n## Context\n\nText.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.property("ADRs", "ADR-1", "Status").as_deref(), Some("ACCEPTED"));
    lab.edit("ADRs", "ADR-1", "Text", "Text, seen.");
    let old = repo.read(path);
    sync(&lab, &repo);
    only(&old, &repo.read(path), &[("Text.", "Text, seen.")]);
    let page = lab.page("ADRs", "ADR-1");
    lab.sim.workspace().set_property(&page, "Status", "REJECTED").unwrap();
    let old = repo.read(path);
    sync(&lab, &repo);
    only(&old, &repo.read(path), &[("Accepted", "REJECTED")]);
    repo.replace(path, "REJECTED", "accepted");
    sync(&lab, &repo);
    assert_eq!(lab.property("ADRs", "ADR-1", "Status").as_deref(), Some("ACCEPTED"));
    assert_eq!(lab.sim.workspace().options("ADRs", "Status").len(), 8);
    rests(&lab, &repo);
}

#[test]
fn a_new_title_changes_one_line_and_no_path() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "Old name", "DRAFT", "Text.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    let page = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().rename(&page, "New: name *with* #marks").unwrap();
    let old = repo.read(&path);
    sync(&lab, &repo);
    let now = repo.read(&path);
    assert_eq!(old.split_once('\n').unwrap().1, now.split_once('\n').unwrap().1);
    repo.replace(&path, "New:", "Newest:");
    sync(&lab, &repo);
    assert_eq!(lab.sim.workspace().page(&page).unwrap().title, "Newest: name *with* #marks");
    assert_eq!(repo.files().len(), 1);
    rests(&lab, &repo);
}

#[test]
fn yaml_stays_at_home_unless_it_is_shared() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.story("INFRA-1", "Title", "DRAFT", "Text.\n");
    repo.write(
        ".agent/cache/journeys/JRN/JRN-1-buy.yaml",
        "title: Buy\nstate: DRAFT\nsteps:\n  - look # around\n",
    );
    repo.init();
    repo.run(&["sync"]).expect(0);
    assert!(lab.sim.workspace().database_by_title("Journeys").is_none());
    assert!(!lab.sim.workspace().snapshot().contains("look"));
    let sent = lab
        .sim
        .requests()
        .iter()
        .any(|r| r.body.as_ref().is_some_and(|b| b.to_string().contains("around")));
    assert!(!sent);
}

#[test]
fn a_large_body_is_changed_block_by_block() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let body: String = (0..600).map(|n| format!("Paragraph number {n}.\n\n")).collect();
    let path = repo.story("INFRA-1", "Title", "DRAFT", &body);
    repo.init();
    repo.run(&["sync"]).expect(0);
    let before = blocks(&lab, "INFRA-1");
    assert_eq!(before.len(), 600);
    // More places than one request takes.
    for n in (0..500).step_by(2) {
        repo.replace(&path, &format!("Paragraph number {n}."), &format!("Changed number {n}."));
    }
    let text = repo.read(&path);
    lab.minutes(3);
    repo.run(&["sync", "--allow", "change=9"]).expect(0);
    lab.minutes(3);
    repo.run(&["sync", "--allow", "change=9"]).expect(0);
    let after = blocks(&lab, "INFRA-1");
    assert_eq!(after.len(), 600);
    for (n, (old, new)) in before.iter().zip(&after).enumerate() {
        let changed = n < 500 && n % 2 == 0;
        let word = if changed { "Changed" } else { "Paragraph" };
        assert_eq!(new.text, format!("{word} number {n}."));
        assert_eq!(old.id == new.id, !changed, "block {n}");
    }
    assert_eq!(repo.read(&path), text);
    lab.edit("Stories", "INFRA-1", "number 321.", "By a person.");
    sync(&lab, &repo);
    only(&text, &repo.read(&path), &[("Paragraph number 321.", "By a person.")]);
    rests(&lab, &repo);
}

#[test]
fn every_script_travels_unharmed() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let lines = [
        "Größe, naïve, Łódź: composed.",
        "e\u{301}le\u{300}ve: decomposed.",
        "数据库 と データ 그리고 자료",
        "שלום עולם and العربية mixed",
        "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 👍🏽 joined",
        "zero\u{200b}width, soft\u{ad}hyphen, no\u{a0}break",
        "𝒳 ∈ ℝⁿ, 𐍈 beyond the plane",
    ];
    let body: String = lines.iter().map(|line| format!("{line}\n\n- {line}\n\n")).collect();
    let path = repo.story("INFRA-1", "Тема 主題 🎯", "DRAFT", &body);
    repo.init();
    repo.run(&["sync"]).expect(0);
    let now = blocks(&lab, "INFRA-1");
    for line in lines {
        // Sent composed, which is the same text; the file keeps its own form.
        let line = line.replace("e\u{301}le\u{300}ve", "\u{e9}l\u{e8}ve");
        assert_eq!(
            now.iter().filter(|block| block.text == line).count(),
            2,
            "{line:?}: {:?}",
            texts(&now)
        );
    }
    lab.edit("Stories", "INFRA-1", "mixed", "שלום עולם and العربية remixed 🎉");
    let old = repo.read(&path);
    sync(&lab, &repo);
    only(&old, &repo.read(&path), &[("mixed", "remixed 🎉")]);
    repo.replace(&path, "joined", "joined 🧑‍💻");
    sync(&lab, &repo);
    let now = blocks(&lab, "INFRA-1");
    assert!(texts(&now).contains(&"👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 👍🏽 joined 🧑‍💻"), "{now:?}");
    rests(&lab, &repo);
}

#[test]
fn a_body_comes_and_goes_on_either_side() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "Title", "DRAFT", "");
    let other = repo.story("INFRA-2", "Other", "DRAFT", "");
    repo.init();
    repo.run(&["sync"]).expect(0);
    let (empty, page) = (repo.read(&path), lab.page("Stories", "INFRA-1"));
    rests(&lab, &repo);

    repo.write(&path, &format!("{empty}First text.\n\n- and a list\n"));
    let second = lab.page("Stories", "INFRA-2");
    lab.sim.workspace().append_markdown(&second, "By a person.\n- with a list").unwrap();
    sync(&lab, &repo);
    assert_eq!(texts(&blocks(&lab, "INFRA-1")), ["First text.", "and a list"]);
    let text = repo.read(&other);
    assert!(
        text.contains("By a person.\n\n- with a list\n") && text.starts_with("# INFRA-2: Other"),
        "{text}"
    );
    rests(&lab, &repo);

    repo.write(&path, &empty);
    for block in ["By a person", "with a list"] {
        lab.sim.workspace().delete_block(&second, block).unwrap();
    }
    sync(&lab, &repo);
    assert_eq!(blocks(&lab, "INFRA-1"), []);
    let text = repo.read(&other);
    assert!(!text.contains("person") && !text.contains("list"), "{text}");
    assert!(text.starts_with("# INFRA-2: Other\n\n## State\n\nDRAFT\n"), "{text}");
    assert!(!lab.sim.workspace().page(&page).unwrap().in_trash);
    rests(&lab, &repo);
}
