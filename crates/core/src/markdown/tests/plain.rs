//! The dialect of stores of plain Markdown.

use super::*;

/// A file whose lines that begin with `@` are property regions.
fn with_regions(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut out = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with('@') {
            out.push(at..at + line.len());
        }
        at += line.len();
    }
    out
}

fn file<'a>(text: &'a str, excluded: &'a [Range<usize>]) -> Local<'a> {
    Local { text, excluded, format: Format::Markdown, links: None }
}

const FILE: &str = "@ title\n\n* Ada   wrote\n  this\n\n@ state\n\n| a |   b |\n|--|--:|\n| 1 | 2 |\n\n\
    [ref]: x.md\n<!-- mine -->\nSee [the plan][ref] and ![](a.png).[^1]\n\n[^1]: Note.\n";
const BODY: &str = "* Ada   wrote\n  this\n\n| a |   b |\n|--|--:|\n| 1 | 2 |\n\n\
    [ref]: x.md\n<!-- mine -->\nSee [the plan][ref] and ![](a.png).[^1]\n\n[^1]: Note.\n";

#[test]
fn a_body_is_the_text_of_the_file_without_its_regions() {
    let excluded = with_regions(FILE);
    assert_eq!(render_remote(&file(FILE, &excluded), MD), BODY);
    assert_eq!(render_local(MD, BODY, Format::Markdown, None), BODY);
    assert_eq!(local_digest(&file(FILE, &excluded)), remote_digest(MD, BODY));
}

#[test]
fn a_word_that_changed_there_is_one_line_of_the_file() {
    let excluded = with_regions(FILE);
    let local = file(FILE, &excluded);
    for (old, new) in [
        ("* Ada   wrote", "* Ada   says"),
        ("| 1 | 2 |", "| 1 | 3 |"),
        ("[ref]: x.md", "[ref]: y.md"),
        ("<!-- mine -->\n", "<!-- mine -->\nPlainly: "),
        ("[^1]: Note.\n", "[^1]: A note.\n\nThe end.\n"),
        ("\n\n[^1]: Note.\n", "\n"),
    ] {
        let edits = plan_pull(MD, Some((&local, BODY)), &local, &BODY.replace(old, new));
        assert_eq!(apply_edits(FILE, &edits), FILE.replace(old, new), "{old}");
    }
}

#[test]
fn a_line_that_changed_in_the_file_is_one_line_there() {
    let excluded = with_regions(FILE);
    for (old, new) in [
        ("* Ada   wrote", "* Ada   says"),
        ("| 1 | 2 |", "| 1 | 3 |"),
        ("<!-- mine -->\nSee", "Read"),
    ] {
        let text = FILE.replace(old, new);
        let regions = with_regions(&text);
        let base = file(FILE, &excluded);
        let push = plan_push(MD, Some((&base, BODY)), &file(&text, &regions), BODY);
        let Push::Edit(hunks) = push else { panic!("{push:?}") };
        check_hunks(BODY, &hunks);
        assert_eq!(apply_hunks(BODY, &hunks), BODY.replace(old, new), "{old}");
    }
}

#[test]
fn a_body_that_is_another_text_is_changed_block_by_block() {
    let there = "- Ada wrote this\n\nMore\ntext.\n";
    let base = "* Ada wrote this\n\nMore text.\n";
    let local = "* Ada wrote that\n\nMore text.\n";
    assert_eq!(
        pushed_in(MD, Some((base, there)), local, there),
        "- Ada wrote that\n\nMore\ntext.\n"
    );
    let edited = "- Ada wrote this\n\nMore\nand more text.\n";
    let edits = plan_pull(MD, Some((&md(local), there)), &md(local), edited);
    assert_eq!(apply_edits(local, &edits), "* Ada wrote that\n\nMore and more text.\n");
}

#[test]
fn what_means_something_else_without_the_regions_is_written_anew() {
    // Without the region between them the two lines would be one paragraph.
    let text = "one\n@ state\ntwo\n";
    let excluded = with_regions(text);
    let body = render_remote(&file(text, &excluded), MD);
    assert_eq!(remote_digest(MD, &body), local_digest(&file(text, &excluded)));
}
