//! Tests of the whole: constructs, surgical edits, laws, answers.

use super::*;

mod answers;
mod constructs;
mod laws;
mod links;
mod relink;
mod surgery;

const V1: Dialect = Dialect::NotionV1;

fn md(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown, links: None }
}

/// The file as it is sent.
fn sent(text: &str) -> String {
    render_remote(&md(text), V1)
}

/// The body as a new file.
fn filed(remote: &str) -> String {
    render_local(V1, remote, Format::Markdown, None)
}

fn pushed(base: Option<(&str, &str)>, local: &str, remote: &str) -> String {
    let base_local = base.map(|(text, _)| md(text));
    let base = base_local.as_ref().zip(base.map(|(_, remote)| remote));
    match plan_push(V1, base, &md(local), remote) {
        Push::Nothing => remote.to_owned(),
        Push::Append(text) => {
            format!("{remote}{}{text}", if remote.is_empty() { "" } else { "\n" })
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
    let base_local = base.map(|(text, _)| md(text));
    let base = base_local.as_ref().zip(base.map(|(_, remote)| remote));
    let edits = plan_pull(V1, base, &md(local), remote);
    let mut end = 0;
    for edit in &edits {
        assert!(edit.at.start >= end, "{edits:?}");
        end = edit.at.end;
    }
    apply_edits(local, &edits)
}

fn assert_same(local: &str, remote: &str) {
    let show = |units: Vec<Node>| format!("{units:#?}");
    if local_digest(&md(local)) != remote_digest(V1, remote) {
        panic!(
            "not equal\n--- local\n{local}\n--- remote\n{remote}\n--- local blocks\n{}\n--- remote blocks\n{}",
            show(local_units(&md(local)).into_iter().map(|unit| unit.node).collect()),
            show(remote_units(V1, remote).into_iter().map(|unit| unit.node).collect())
        );
    }
}
