//! One conflict in Markdown: what, where, a three-way difference, and the boxes that answer it.

use agent_sync_core::model::Side;

use super::super::escape::{fenced, link, path_address};
use super::super::{ConflictReport, cut, markdown_text, unified};
use super::marker::boxes;
use super::sections::Section;
use super::{Answer, Scene};

/// Characters of a name or a path from outside.
pub(super) const NAME: usize = 200;

/// Since when, and who edited the page when; begins with a space, empty where nothing is known. Plain text.
pub(super) fn since(conflict: &ConflictReport) -> String {
    let mut text = String::new();
    if let Some(since) = &conflict.since {
        text.push_str(&format!(" since {since}"));
    }
    let edits = conflict.sides().filter_map(|side| {
        let edit = match (side.editor, side.edited) {
            (Some(editor), Some(edited)) => format!("by {editor}, {edited}"),
            (Some(editor), None) => format!("by {editor}"),
            (None, Some(edited)) => edited.to_owned(),
            (None, None) => return None,
        };
        Some(match conflict.others.is_empty() {
            true => format!("page last edited {edit}"),
            false => format!("page in {} last edited {edit}", side.label),
        })
    });
    let edits: Vec<String> = edits.collect();
    if !edits.is_empty() {
        text.push_str(&format!(" ({})", edits.join("; ")));
    }
    text
}

/// What clashes, in a few words of Markdown: the property, the block by its first line, or the body.
pub(super) fn stretch(property: Option<&str>, block: Option<&str>) -> String {
    match (property, block) {
        (Some(name), _) => format!("\"{}\"", markdown_text(&cut(name, NAME))),
        (None, Some(block)) if block != "body" => {
            format!("the block \"{}\"", markdown_text(&cut(block, 60)))
        }
        _ => "the body".to_owned(),
    }
}

/// The artifact, as a link to its file where there is one.
pub(super) fn artifact(kind: &str, id: &str, path: Option<&str>, scene: &Scene) -> String {
    let name = format!("{} {}", markdown_text(&cut(kind, NAME)), markdown_text(&cut(id, NAME)));
    match (path, &scene.files) {
        (Some(path), Some(files)) => link(&name, &format!("{files}{}", path_address(path))),
        _ => name,
    }
}

/// A conflict with its difference; the short form is without it. Boxes only where a person can tick them.
pub(super) fn section(conflict: &ConflictReport, scene: &Scene) -> Section {
    let backend = markdown_text(&conflict.label);
    let what = stretch(conflict.property.as_deref(), conflict.block.as_deref());
    let of = artifact(&conflict.kind, &conflict.id, conflict.path.as_deref(), scene);
    let mut head = format!("#### {what} of {of}\n\n");
    let mut place = Vec::new();
    if let Some(path) = &conflict.path {
        let line = conflict.line.map(|line| format!(":{line}")).unwrap_or_default();
        place.push(format!("{}{line}", markdown_text(&cut(path, NAME))));
    }
    for side in conflict.sides() {
        let name = format!("page in {}", markdown_text(side.label));
        place.extend(side.url.map(|url| link(&name, url)));
    }
    place.push(format!("`{}`", digits(&conflict.fingerprint)));
    head.push_str(&place.join(" · "));
    head.push_str("\n\n");
    let (parties, all) = conflict.parties(scene.here());
    let parties = markdown_text(&parties);
    let clash = match conflict.deleted {
        Some(Side::Local) => format!("The file was deleted, and the page in {backend} was edited"),
        Some(Side::Remote) => format!("The page in {backend} was trashed, and the file was edited"),
        None if conflict.base.is_none() => {
            format!("{parties} hold different versions")
        }
        None => format!("{parties} {all} changed it"),
    };
    head.push_str(&format!("{clash}{}.\n\n", markdown_text(&since(conflict))));
    let boxes = match scene.answer {
        Answer::Shell => format!("{}\n\n", conflict.commands(markdown_text)),
        Answer::Comment | Answer::Issue => boxes(conflict),
    };
    let difference = difference(conflict);
    Section {
        short: format!("{head}The difference is too long to be shown here.\n\n{boxes}"),
        full: format!("{head}{difference}{boxes}"),
    }
}

/// Only digits, whatever comes.
pub(super) fn digits(fingerprint: &str) -> String {
    fingerprint.chars().filter(char::is_ascii_hexdigit).take(16).collect()
}

fn difference(conflict: &ConflictReport) -> String {
    let local = conflict.local.as_deref().unwrap_or_default();
    let remotes =
        conflict.sides().map(|side| (markdown_text(side.label), side.remote.unwrap_or_default()));
    let mut out = "<details><summary>What each side holds</summary>\n\n".to_owned();
    let mut part = |title: &str, text: &str| {
        out.push_str(title);
        out.push_str("\n\n");
        match text.is_empty() {
            true => out.push_str("No visible difference.\n"),
            false => out.push_str(&fenced("diff", text)),
        }
        out.push('\n');
    };
    match (&conflict.base, conflict.deleted) {
        (None, None) => {
            for (backend, remote) in remotes {
                let title = format!("From the repository (-) to {backend} (+):");
                part(&title, &unified(local, remote));
            }
        }
        (base, deleted) => {
            let base = base.as_deref().unwrap_or_default();
            if deleted != Some(Side::Local) {
                part("In the repository:", &unified(base, local));
            }
            for (backend, remote) in remotes.filter(|_| deleted != Some(Side::Remote)) {
                part(&format!("In {backend}:"), &unified(base, remote));
            }
        }
    }
    out.push_str("</details>\n\n");
    out
}
