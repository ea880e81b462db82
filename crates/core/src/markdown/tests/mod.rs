//! Tests of the whole: constructs, surgical edits, laws, answers.

use super::*;

mod answers;
mod constructs;
mod laws;
mod links;
mod plain;
mod relink;
mod surgery;
mod v2;

const V1: Dialect = Dialect::NotionV1;
const V2: Dialect = Dialect::NotionV2;
const MD: Dialect = Dialect::Markdown;

fn md(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown, links: None }
}

/// The file as it is sent.
fn sent(text: &str) -> String {
    sent_in(V1, text)
}

fn sent_in(dialect: Dialect, text: &str) -> String {
    render_remote(&md(text), dialect)
}

/// The body as a new file.
fn filed(remote: &str) -> String {
    filed_in(V1, remote)
}

fn filed_in(dialect: Dialect, remote: &str) -> String {
    render_local(dialect, remote, Format::Markdown, None)
}

fn pushed(base: Option<(&str, &str)>, local: &str, remote: &str) -> String {
    pushed_in(V1, base, local, remote)
}

fn pushed_in(dialect: Dialect, base: Option<(&str, &str)>, local: &str, remote: &str) -> String {
    let base_local = base.map(|(text, _)| md(text));
    let base = base_local.as_ref().zip(base.map(|(_, remote)| remote));
    match plan_push(dialect, base, &md(local), remote) {
        Push::Nothing => remote.to_owned(),
        Push::Append(text) => {
            format!("{remote}{}{text}", dialect.end_gap(remote))
        }
        Push::Edit(hunks) => {
            check_hunks(remote, &hunks);
            apply_hunks(remote, &hunks)
        }
        Push::Impossible(reason) => panic!("{reason}\n--- local\n{local}\n--- remote\n{remote}"),
    }
}

/// What rule 2 and the backend ask of hunks.
fn check_hunks(remote: &str, hunks: &[Hunk]) {
    let mut end = None;
    for hunk in hunks {
        assert_eq!(remote.get(hunk.at.clone()), Some(hunk.old.as_str()));
        assert_eq!(remote.matches(&hunk.old).count(), 1, "{hunk:?} in {remote}");
        assert!(end.is_none_or(|end| end < hunk.at.start), "{hunks:?}");
        assert!(!hunk.old.contains("<unknown"), "{hunk:?}");
        assert!(!hunk.old.contains("X-Amz"), "{hunk:?}");
        end = Some(hunk.at.end);
    }
}

fn pulled(base: Option<(&str, &str)>, local: &str, remote: &str) -> String {
    pulled_in(V1, base, local, remote)
}

fn pulled_in(dialect: Dialect, base: Option<(&str, &str)>, local: &str, remote: &str) -> String {
    let base_local = base.map(|(text, _)| md(text));
    let base = base_local.as_ref().zip(base.map(|(_, remote)| remote));
    let edits = plan_pull(dialect, base, &md(local), remote);
    let mut end = 0;
    for edit in &edits {
        assert!(edit.at.start >= end, "{edits:?}");
        end = edit.at.end;
    }
    apply_edits(local, &edits)
}

fn assert_same(local: &str, remote: &str) {
    assert_same_in(V1, local, remote);
}

fn assert_same_in(dialect: Dialect, local: &str, remote: &str) {
    let show = |units: Vec<Node>| format!("{units:#?}");
    if local_digest(&md(local)) != remote_digest(dialect, remote) {
        panic!(
            "not equal\n--- local\n{local}\n--- remote\n{remote}\n--- local blocks\n{}\n--- remote blocks\n{}",
            show(local_units(&md(local)).into_iter().map(|unit| unit.node).collect()),
            show(remote_units(dialect, remote).into_iter().map(|unit| unit.node).collect())
        );
    }
}
