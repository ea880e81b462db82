//! Where links lead, without a file around them.

use std::sync::Arc;

use super::super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";

fn site(web: Option<bool>) -> Site {
    let look = |path: &str| match path {
        "" | "docs" | "docs/sub" => Some(Entry::Folder),
        "docs/a.md"
        | "docs/b.md"
        | "README.md"
        | "docs/my file (1).md"
        | "img/x y.png"
        | "docs/100%.md"
        | "docs/a:b.md"
        | "docs/ü.md"
        | "new.md" => Some(Entry::File),
        _ => None,
    };
    let web = web.map(|private| Web {
        url: "https://github.com/org/repo".to_owned(),
        branch: "main".to_owned(),
        private,
    });
    let mut site = Site::new(web, look);
    site.add_page("docs/b.md", "01234567-89ab-cdef-0123-456789abcdef");
    site.add_pending("new.md");
    site
}

fn links(web: bool) -> Links {
    Links::new(Arc::new(site(web.then_some(false))), "docs/a.md")
}

#[test]
fn paths_become_addresses_and_come_back() {
    let blob = |path: &str| format!("https://github.com/org/repo/blob/main/{path}");
    let cases = [
        ("b.md", format!("https://app.notion.com/p/{ID}"), "b.md"),
        ("./b.md#why", format!("https://app.notion.com/p/{ID}#why"), "b.md#why"),
        ("/docs/b.md", format!("https://app.notion.com/p/{ID}"), "b.md"),
        ("../README.md", blob("README.md"), "../README.md"),
        ("../README.md#L10-L20", blob("README.md#L10-L20"), "../README.md#L10-L20"),
        ("/README.md?plain=1#L3", blob("README.md?plain=1#L3"), "../README.md?plain=1#L3"),
        ("my%20file%20(1).md", blob("docs/my%20file%20%281%29.md"), "my%20file%20%281%29.md"),
        ("my file (1).md", blob("docs/my%20file%20%281%29.md"), "my%20file%20%281%29.md"),
        (
            "/README.md#a (b) ü",
            blob("README.md#a%20%28b%29%20%C3%BC"),
            "../README.md#a%20%28b%29%20%C3%BC",
        ),
        ("100%.md", blob("docs/100%25.md"), "100%25.md"),
        ("./a:b.md", blob("docs/a%3Ab.md"), "./a:b.md"),
        ("ü.md", blob("docs/%C3%BC.md"), "ü.md"),
        ("a.md", blob("docs/a.md"), "a.md"),
        ("sub", "https://github.com/org/repo/tree/main/docs/sub".to_owned(), "sub/"),
        ("sub/", "https://github.com/org/repo/tree/main/docs/sub".to_owned(), "sub/"),
        (".", "https://github.com/org/repo/tree/main/docs".to_owned(), "../docs/"),
        ("..", "https://github.com/org/repo/tree/main".to_owned(), ".."),
    ];
    for (target, address, back) in cases {
        assert_eq!(links(true).to_remote(target, false).as_ref(), Some(&address), "{target}");
        assert_eq!(links(true).to_local(&address, false).as_deref(), Some(back), "{target}");
    }
    let file = links(true).to_local(&blob("docs/b.md"), false);
    assert_eq!(file.as_deref(), Some("b.md"), "sent before it had a page");
    let raw = "https://github.com/org/repo/raw/main/img/x%20y.png";
    assert_eq!(links(true).to_remote("../img/x%20y.png", true).as_deref(), Some(raw));
    assert_eq!(links(true).to_local(raw, true).as_deref(), Some("../img/x%20y.png"));
    assert_eq!(links(true).to_local(raw, false), None, "a link is no image");
}

#[test]
fn every_form_of_a_page_address_is_the_same_page() {
    for address in [
        "https://www.notion.so/0123456789abcdef0123456789abcdef",
        "https://www.notion.so/org/Some-Title-0123456789abcdef0123456789abcdef?pvs=4",
        "https://notion.so/01234567-89ab-cdef-0123-456789abcdef",
        "https://app.notion.com/p/01234567-89AB-CDEF-0123-456789ABCDEF",
        "https://app.notion.com/p/Title-0123456789abcdef0123456789abcdef",
        "https://www.notion.so/ffffffffffffffffffffffffffffffff?v=1&p=0123456789abcdef0123456789abcdef&pm=s",
    ] {
        assert_eq!(links(false).to_local(address, false).as_deref(), Some("b.md"), "{address}");
    }
    for address in [
        "https://www.notion.so/ffffffffffffffffffffffffffffffff",
        "https://evil.example/0123456789abcdef0123456789abcdef",
        "https://github.com/org/repo/blob/main/README.md",
    ] {
        assert_eq!(links(false).to_local(address, false), None, "{address}");
    }
}

#[test]
fn what_is_no_path_or_nowhere_is_not_sent() {
    let fate = |target: &str| links(true).fate(target, false);
    for target in [
        "#x",
        "",
        "file:///etc/passwd",
        "mailto:",
        "javascript:x",
        "//host/x",
        "a@b.c",
        "https://x.y",
        "c:\\x",
        "?x",
        "a\u{0}b",
    ] {
        assert_eq!(fate(target), Fate::NoPath, "{target:?}");
    }
    for target in ["../../etc/passwd", "/../x", "../..", "%2e%2e/%2e%2e/x", "x/../../../y"] {
        assert_eq!(fate(target), Fate::Outside, "{target:?}");
    }
    assert_eq!(fate("a.md/"), Fate::Missing("docs/a.md".to_owned()), "a file is no folder");
    assert_eq!(fate("gone.md"), Fate::Missing("docs/gone.md".to_owned()));
    assert_eq!(fate("B.md"), Fate::Missing("docs/B.md".to_owned()), "case counts");
    assert_eq!(links(false).fate("a.md", false), Fate::NoAddress);
    assert_eq!(fate("../new.md"), Fate::Pending("new.md".to_owned()));
}

#[test]
fn a_page_that_is_not_made_yet_is_told_from_one_that_will_be() {
    let now = links(true).to_remote("../new.md", false);
    assert_eq!(now.as_deref(), Some("https://github.com/org/repo/blob/main/new.md"));
    assert_ne!(links(true).planned().to_remote("../new.md", false), now);
    assert_eq!(links(false).to_remote("../new.md", false), None);
}

#[test]
fn another_branch_or_repository_is_an_address() {
    for address in [
        "https://github.com/org/repo/blob/other/README.md",
        "https://github.com/org/repo/blob/main2/README.md",
        "https://github.com/org/repo2/blob/main/README.md",
        "https://github.com/org/repo/blob/main/gone.md",
        "https://github.com/org/repo/blob/main/../../README.md",
        "https://github.com/org/repo/issues/1",
        "https://github.com/org/repo",
    ] {
        assert_eq!(links(true).to_local(address, false), None, "{address}");
    }
}

#[test]
fn the_links_of_a_file_are_found_with_their_lines() {
    let text = "[t](out.md)\n\none [a](a.md) <a href=\"h.md\">x</a>\n![i](i.png)\n`[no](no.md)`\n\n> [r]\n\n\
                [^1]: [f](f.md)\n\n[r]: r.md\n";
    let excluded = 0..12;
    let excluded = std::slice::from_ref(&excluded);
    let local = Local { text, excluded, format: Format::Markdown, links: None };
    let found: Vec<_> =
        file_links(&local).into_iter().map(|l| (l.target, l.image, l.line)).collect();
    let of = |target: &str, image, line| (target.to_owned(), image, line);
    assert_eq!(
        found,
        [of("a.md", false, 3), of("h.md", false, 3), of("i.png", true, 4), of("r.md", false, 7)]
    );
}

#[test]
fn an_image_of_a_private_repository_is_a_link_to_its_file() {
    let links = Links::new(Arc::new(site(Some(true))), "docs/a.md");
    let address = "https://github.com/org/repo/blob/main/img/x%20y.png".to_owned();
    assert_eq!(links.fate("../img/x%20y.png", true), Fate::Private(address));
}
