//! Links in files and bodies, both ways.

use std::sync::Arc;

use super::super::*;

const DIALECT: Dialect = Dialect::NotionV1;
const PAGE: &str = "https://app.notion.com/p/0123456789abcdef0123456789abcdef";

fn site(pages: &[&str], web: bool) -> Links {
    let look = |path: &str| ["a.md", "b.md", "x.png"].contains(&path).then_some(Entry::File);
    let web = web.then(|| Web {
        url: "https://github.com/o/r".to_owned(),
        branch: "main".to_owned(),
        private: false,
    });
    let mut site = Site::new(web, look);
    for page in pages {
        site.add_page(page, "0123456789abcdef0123456789abcdef");
    }
    Links::new(Arc::new(site), "a.md")
}

fn file<'a>(text: &'a str, links: &'a Links) -> Local<'a> {
    Local { text, excluded: &[], format: Format::Markdown, links: Some(links) }
}

fn push(base: (&Local<'_>, &str), local: &Local<'_>, remote: &str) -> String {
    match plan_push(DIALECT, Some(base), local, remote) {
        Push::Nothing => remote.to_owned(),
        Push::Edit(hunks) => apply_hunks(remote, &hunks),
        other => panic!("{other:?}"),
    }
}

const FILE: &str =
    "one\n\nsee [b **now**](b.md) there\n\n- [B][b]\n- x\n\n![i](x.png)\n\n[b]: b.md\n";

#[test]
fn a_link_that_was_text_is_sent_when_it_leads_somewhere_and_nothing_else_is() {
    let (before, after) = (site(&[], false), site(&["b.md"], true));
    let (old, new) = (file(FILE, &before), file(FILE, &after));
    let text = render_remote(&old, DIALECT);
    assert!(text.contains("see \\[b **now**\\](b.md) there\n- \\[B\\](b.md)"), "{text}");
    assert_ne!(local_digest(&old), local_digest(&new));
    assert_eq!(agreed_digest(&new, DIALECT, &text), local_digest(&old));
    let sent = push((&new, &text), &new, &text);
    assert!(sent.contains(&format!("see [b **now**]({PAGE}) there\n- [B]({PAGE})\n- x")), "{sent}");
    assert!(sent.contains("![i](https://github.com/o/r/raw/main/x.png)"), "{sent}");
    assert_eq!(remote_digest(DIALECT, &sent), local_digest(&new));
    assert_eq!(push((&new, &sent), &new, &sent), sent, "and then it rests");
    // The target is gone again.
    assert_eq!(push((&old, &sent), &old, &sent), text);
}

#[test]
fn a_word_changed_beside_a_link_changes_one_line_of_the_file() {
    let links = site(&["b.md"], true);
    for (then, written) in
        [(site(&[], false), "text"), (site(&[], true), "address"), (links.clone(), "page")]
    {
        let old = file(FILE, &then);
        let remote = render_remote(&old, DIALECT);
        let now = file(FILE, &links);
        let edited = remote.replace(" there", " over there").replace("- x", "- y");
        let edits = plan_pull(DIALECT, Some((&now, &remote)), &now, &edited);
        let text = apply_edits(FILE, &edits);
        assert_eq!(text, FILE.replace(" there", " over there").replace("- x", "- y"), "{written}");
        assert!(is_pulled(&file(&text, &links), DIALECT, &edited), "{written}");
        assert!(!is_pulled(&now, DIALECT, &edited), "{written}");
    }
}

#[test]
fn a_new_file_has_paths_and_a_mention_becomes_a_link() {
    let links = site(&["b.md"], true);
    let remote = format!(
        "[B]({PAGE}) and <mention-page url=\"{PAGE}\">The *B*</mention-page>\n> [q]({PAGE}#x)\n\
         <mention-page url=\"https://app.notion.com/p/ffffffffffffffffffffffffffffffff\">Other</mention-page>"
    );
    let text = render_local(DIALECT, &remote, Format::Markdown, Some(&links));
    let other = "<mention-page url=\"https://app.notion.com/p/ffffffffffffffffffffffffffffffff\">Other</mention-page>";
    assert_eq!(text, format!("[B](b.md) and [The B](b.md)\n\n> [q](b.md#x)\n\n{other}\n"));
    assert!(is_pulled(&file(&text, &links), DIALECT, &remote));
}

#[test]
fn a_mention_stays_one_until_its_label_is_changed_in_the_file() {
    let links = site(&["b.md"], true);
    let remote = format!("one <mention-page url=\"{PAGE}\">Title</mention-page> two");
    let base = "one [my label](b.md) two\n";
    let edit = |new: &str| push((&file(base, &links), &remote), &file(new, &links), &remote);
    assert_eq!(edit("one [my label](b.md) 2\n"), remote.replace("two", "2"));
    assert_eq!(edit("one [other](b.md) two\n"), format!("one [other]({PAGE}) two"));
    // And the other way round.
    let base = file(base, &links);
    let edits = plan_pull(DIALECT, Some((&base, &remote)), &base, &remote.replace("two", "2"));
    assert_eq!(apply_edits(base.text, &edits), "one [my label](b.md) 2\n");
}

#[test]
fn text_that_looks_like_a_link_to_nowhere_comes_back_as_it_was() {
    let links = site(&["b.md"], true);
    for text in [
        "[t](gone.md)",
        "[t](file:///etc/x)",
        "[t](#top)",
        "![i](gone.png)",
        "a [t](../../x) b",
        "[t](my%20gone.md)",
        "[](b.md)",
        "`[t](b.md)`",
    ] {
        let text = format!("{text}\n");
        let sent = render_remote(&file(&text, &links), DIALECT);
        assert!(!sent.contains(PAGE), "{sent}");
        assert_eq!(render_local(DIALECT, &sent, Format::Markdown, Some(&links)), text);
        let base = file(&text, &links);
        let edits = plan_pull(DIALECT, Some((&base, &sent)), &base, &format!("{sent} more"));
        assert_eq!(apply_edits(&text, &edits), format!("{} more\n", text.trim_end()));
    }
}

#[test]
fn html_links_and_links_in_toggles_quotes_and_cells_lead_there_too() {
    let links = site(&["b.md"], true);
    let text = "a <a href=\"b.md\">x</a> b\n\n<details>\n<summary><a href=\"b.md\">t</a></summary>\n\nsee [b](b.md)\n\n\
                </details>\n\n> [!NOTE]\n> [b](b.md)\n\n| [b](b.md) |\n| --- |\n| [c](b.md#x) |\n";
    let sent = render_remote(&file(text, &links), DIALECT);
    assert_eq!(sent.matches(PAGE).count(), 6, "{sent}");
    let back = render_local(DIALECT, &sent, Format::Markdown, Some(&links));
    assert!(!back.contains("http"), "{back}");
    assert_eq!(local_digest(&file(&back, &links)), remote_digest(DIALECT, &sent));
    assert_eq!(file_links(&file(text, &links)).len(), 6);
}

#[test]
fn a_link_that_somebody_set_in_notion_is_no_link_of_the_file_that_moved() {
    // Agreed though unequal: the page links elsewhere.
    let links = site(&["b.md"], true);
    let file_text = "see [x](https://a.example) and more\n";
    let remote = "see [x](https://b.example) and more";
    let base = file(file_text, &links);
    let new = file_text.replace("more\n", "more\n\nNew.\n");
    assert_eq!(push((&base, remote), &file(&new, &links), remote), format!("{remote}\nNew."));
}
