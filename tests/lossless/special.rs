//! A page with every block that Markdown cannot express, under ten rounds of edits around them.

use notion_sim::{BlockInfo, Special};
use serde_json::{Value, json};

use crate::common::{Lab, Repo};
use crate::{blocks, rests, sync};

const ROUNDS: usize = 10;

fn text(words: &str) -> Value {
    json!([{"text": {"content": words}}])
}

fn paragraph(words: &str) -> Value {
    json!({"paragraph": {"rich_text": text(words)}})
}

/// Every block that a file has no form for, or only a lesser one.
fn odd_blocks(lab: &Lab, synced: &str) -> Vec<Value> {
    vec![
        json!({"synced_block": {"synced_from": null, "children": [paragraph("In a synced block.")]}}),
        json!({"synced_block": {"synced_from": {"type": "block_id", "block_id": synced}}}),
        json!({"bookmark": {"url": "https://example.com/a"}}),
        json!({"embed": {"url": "https://example.com/b"}}),
        json!({"link_preview": {"url": "https://example.com/c"}}),
        json!({"breadcrumb": {}}),
        json!({"table_of_contents": {}}),
        json!({"link_to_page": {"type": "page_id", "page_id": lab.sim.parent_page()}}),
        json!({"column_list": {"children": [
            {"column": {"children": [paragraph("Left."), {"bulleted_list_item": {"rich_text": text("left item")}}]}},
            {"column": {"children": [paragraph("Right.")]}},
        ]}}),
        json!({"tab": {"children": [
            {"paragraph": {"rich_text": text("One"), "children": [paragraph("Of one.")]}},
            {"paragraph": {"rich_text": text("Two"), "children": [paragraph("Of two.")]}},
        ]}}),
        json!({"child_page": {"title": "A page below"}}),
        json!({"child_database": {"title": "A database below"}}),
        json!({"meeting_notes": {"title": "Weekly"}}),
        json!({"heading_2": {"rich_text": text("A toggle heading"), "is_toggleable": true, "children": [
            paragraph("Under the heading."),
        ]}}),
        json!({"unsupported": {"block_type": "form"}}),
        json!({"unsupported": {"block_type": "button"}}),
        json!({"image": {"hosted": "plan.png", "caption": text("A plan")}}),
        json!({"video": {"hosted": "film.mp4"}}),
        json!({"audio": {"hosted": "talk.mp3"}}),
        json!({"file": {"hosted": "notes.txt"}}),
        json!({"pdf": {"hosted": "paper.pdf"}}),
        json!({"template": {"rich_text": text("Make one"), "children": [paragraph("In a template.")]}}),
        json!({"equation": {"expression": "e^x = \\sum_n x^n"}}),
        json!({"callout": {"rich_text": text("An odd one."), "icon": {"type": "emoji", "emoji": "🦖"}, "children": [
            {"callout": {"rich_text": text("In it."), "icon": {"type": "emoji", "emoji": "🎯"}}},
        ]}}),
        json!({"callout": {"rich_text": text("An external icon."), "icon": {
            "type": "external", "external": {"url": "https://example.com/i.png"},
        }}}),
    ]
}

/// The page of a story with a paragraph above, between and below all of them; gives their ids.
fn fill(lab: &Lab, page: &str) -> Vec<String> {
    let mut ws = lab.sim.workspace();
    let origin = ws.add_block(page, &Special::Synced("The origin.".into())).unwrap();
    drop(ws);
    let mut ids = vec![origin.clone()];
    for (n, block) in odd_blocks(lab, &origin).iter().enumerate() {
        let mut ws = lab.sim.workspace();
        ws.append_markdown(page, &format!("Between number {n}.")).unwrap();
        ids.push(ws.put_block(page, block).unwrap_or_else(|error| panic!("{block}: {error}")));
    }
    let mut ws = lab.sim.workspace();
    ws.append_markdown(page, "Below them.\n- last one\n- last two").unwrap();
    ids
}

/// The odd blocks of a page with all that is in them, in order.
fn odd(all: &[BlockInfo], ids: &[String]) -> Vec<BlockInfo> {
    let mut out = Vec::new();
    let mut inside = false;
    for block in all {
        if block.depth == 0 {
            inside = ids.contains(&block.id);
        }
        if inside {
            out.push(block.clone());
        }
    }
    out
}

/// The lines that stand for blocks of Notion's own.
fn markers(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with("<!-- notion: "))
        .map(str::to_owned)
        .collect()
}

/// What the file's author does in a round.
fn edit_file(repo: &Repo<'_>, path: &str, round: usize) {
    let replace = |old: &str, new: &str| repo.replace(path, old, new);
    replace("Above them", "Above them again");
    for n in (round..25).step_by(4) {
        replace(&format!("Between number {n}"), &format!("Between number {n}, round {round}"));
    }
    match round % 5 {
        0 => replace("Above them", &format!("New above in {round}.\n\nAbove them")),
        1 => replace("- last two", &format!("- new item in {round}\n- last two")),
        2 => replace("Below them", &format!("New below in {round}.\n\nBelow them")),
        3 => replace(&format!("New above in {}.\n\n", round - 3), ""),
        _ => replace(&format!("- new item in {}\n", round - 3), ""),
    }
}

#[test]
fn ten_rounds_of_edits_around_every_odd_block_lose_none() {
    ten_rounds(&Lab::new());
}

#[test]
fn ten_rounds_lose_none_where_notion_writes_oddly() {
    ten_rounds(&Lab::with(|options| {
        options.odd = Some(7);
        options.skip_missing = true;
    }));
}

fn ten_rounds(lab: &Lab) {
    let repo = lab.repo("repo");
    let path = repo.story("INFRA-1", "Title", "DRAFT", "Above them.\n");
    repo.init();
    repo.run(&["sync"]).expect(0);
    let page = lab.page("Stories", "INFRA-1");
    let ids = fill(lab, &page);
    sync(lab, &repo);
    rests(lab, &repo);
    let first = odd(&blocks(lab, "INFRA-1"), &ids);
    assert_eq!(first.iter().filter(|block| block.depth == 0).count(), ids.len());
    {
        let mut ws = lab.sim.workspace();
        for block in &first {
            ws.comment(&block.id, "keep me").unwrap();
        }
    }
    let kept = odd(&blocks(lab, "INFRA-1"), &ids);
    let mut lines = markers(&repo.read(&path));
    assert!(lines.len() > 15, "{}", repo.read(&path));
    for round in 0..ROUNDS {
        edit_file(&repo, &path, round);
        if round == 4 {
            // A line that marks a block goes away, and takes nothing along.
            let gone = lines.remove(3);
            repo.replace(&path, &format!("{gone}\n"), "");
        }
        if round % 3 == 1 {
            // One that the file leaves alone in this round.
            let old = format!("number {}", round + 6);
            let new = format!("Between number {}, seen by Ada in {round}.", round + 6);
            lab.edit("Stories", "INFRA-1", &old, &new);
        }
        let text = repo.read(&path);
        sync(lab, &repo);
        let all = blocks(lab, "INFRA-1");
        assert_eq!(odd(&all, &ids), kept, "round {round}");
        let now = repo.read(&path);
        assert_eq!(markers(&now).len(), lines.len(), "round {round}: {now}");
        if round % 3 == 1 {
            assert!(now.contains(&format!("seen by Ada in {round}.")), "round {round}: {now}");
        } else {
            assert_eq!(now, text, "round {round}");
        }
        // Every text is where the file has it.
        let wanted: Vec<&str> = now.lines().filter(|line| line.starts_with("Between")).collect();
        let found: Vec<&str> =
            all.iter().map(|b| b.text.as_str()).filter(|t| t.starts_with("Between")).collect();
        assert_eq!(found, wanted, "round {round}");
        let lost = lab.sim.workspace().comments(&page).iter().any(|c| c.original_content_deleted);
        assert!(!lost, "round {round}: a comment lost its block");
        rests(lab, &repo);
    }
    assert!(lab.sim.workspace().page(&ids[11]).is_some_and(|page| !page.in_trash));

    // An empty clone gets the same, and edits from there lose as little.
    let fresh = lab.repo("fresh");
    fresh.init();
    fresh.run(&["pull"]).expect(0);
    let paths: Vec<String> = fresh.files().into_keys().collect();
    let [path] = paths.as_slice() else { panic!("{paths:?}") };
    let text = fresh.read(path);
    assert_eq!(markers(&text).len(), lines.len() + 1, "{text}");
    rests(lab, &fresh);
    for round in 10..13 {
        let old = format!("number {}", round);
        fresh.replace(path, &old, &format!("number {round}, from the clone"));
        fresh.replace(path, "Below them", "Still below them");
        let text = fresh.read(path);
        sync(lab, &fresh);
        fresh.replace(path, "Still below them", "Below them");
        sync(lab, &fresh);
        assert_eq!(fresh.read(path), text.replace("Still below", "Below"), "round {round}");
        assert_eq!(odd(&blocks(lab, "INFRA-1"), &ids), kept, "round {round}");
        rests(lab, &fresh);
    }
}
