//! Questions about whole bodies, and bringing an old one back.

use std::collections::BTreeSet;

use super::align::{self, Link};
use super::block::{Block, RemoteUnit};
use super::{Dialect, Local, Push, is_visible, push_slots, remote_units};

/// The digest of a body that holds nothing.
pub fn empty_digest() -> String {
    super::digest::<super::RemoteUnit>(&[])
}

/// A file's body as text: the file without its property regions.
pub fn body_text(local: &Local<'_>) -> String {
    let mut out = String::new();
    let mut next = 0;
    for range in local.excluded {
        out.push_str(local.text.get(next..range.start).unwrap_or_default());
        next = next.max(range.end);
    }
    out.push_str(local.text.get(next..).unwrap_or_default());
    let body = out.trim_matches(['\n', '\r']);
    if body.is_empty() { String::new() } else { format!("{body}\n") }
}

/// Whether a body holds child pages or databases, which would be trashed with it (rule 8).
pub fn has_children(dialect: Dialect, text: &str) -> bool {
    remote_units(dialect, text).iter().any(|unit| {
        let line = text.get(unit.span.clone()).unwrap_or_default().trim_start();
        matches!(unit.node.block, Block::Opaque(..))
            && (line.starts_with("<page") || line.starts_with("<database"))
    })
}

/// What to send so that a body holds again what an older version of it held (rule 10). Blocks that only the
/// backend has stay as they are now: Markdown cannot make them anew.
pub fn plan_restore(dialect: Dialect, now: &str, old: &str) -> Push {
    let target = remote_units(dialect, now);
    let mut wanted = remote_units(dialect, old);
    wanted.retain(|unit| is_visible(unit) && unit.node.counts());
    let shown: Vec<RemoteUnit> = target.iter().filter(|unit| is_visible(unit)).cloned().collect();
    let steps = align::steps(&shown, &wanted);
    match align::transfer(&steps, &Link::identity(shown.len()), &wanted, shown.len()) {
        Ok(slots) => push_slots(dialect, now, &target, slots, &BTreeSet::new()),
        Err(align::Lost) => {
            Push::Impossible("the text that would change is not there any more".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALECT: Dialect = Dialect::NotionV1;

    #[test]
    fn an_old_body_comes_back_by_its_changed_lines_alone() {
        let (old, now) = ("one\ntwo\nthree", "one\n2\nthree\nfour");
        let Push::Edit(hunks) = plan_restore(DIALECT, now, old) else { panic!("no hunks") };
        assert_eq!(super::super::apply_hunks(now, &hunks).trim_end(), old);
        assert!(matches!(plan_restore(DIALECT, old, old), Push::Nothing));
    }

    #[test]
    fn a_child_page_is_seen_and_a_sentence_about_one_is_not() {
        assert!(has_children(DIALECT, "text\n<page url=\"https://app.notion.com/p/x\">Sub</page>"));
        assert!(!has_children(DIALECT, "see \\<page\\>\n```html\n<page>\n```"));
    }

    #[test]
    fn the_body_is_the_file_without_its_properties() {
        let text = "# A-1: T\n\n## Why\n\nx\n";
        let excluded = std::iter::once(0..8).collect::<Vec<_>>();
        let local =
            Local { text, excluded: &excluded, format: crate::kind::Format::Markdown, links: None };
        assert_eq!(body_text(&local), "## Why\n\nx\n");
    }
}
