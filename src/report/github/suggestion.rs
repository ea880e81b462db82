//! A review comment with a merged text to be taken over by one click.

use super::super::ConflictReport;
use super::super::escape::{is_plain, longest_run};
use super::conflict::{digits, stretch};
use super::marker::signed;
use super::{BODY, Scene};

/// A review comment that suggests this text in place of the conflict's lines. `None` where the text cannot be shown
/// as it is (controls, characters that deceive), or is too long: what a click commits must be what a person saw.
///
/// The mark's key is `suggestion-<fingerprint of the conflict>`.
pub fn suggestion(conflict: &ConflictReport, merged: &str, scene: &Scene) -> Option<String> {
    let merged = merged.replace("\r\n", "\n");
    if !is_plain(&merged) {
        return None;
    }
    let fence = "`".repeat(longest_run(&merged, '`').max(2) + 1);
    let end = if merged.is_empty() || merged.ends_with('\n') { "" } else { "\n" };
    let what = stretch(conflict.property.as_deref(), conflict.block.as_deref());
    let text = format!(
        "{} and {} both changed {what}. This has what both wrote. After taking it over, keep the repository's.\n\n\
         {fence}suggestion\n{merged}{end}{fence}",
        super::super::markdown_text(&conflict.label),
        scene.here()
    );
    let body = signed(&text, None, &format!("suggestion-{}", digits(&conflict.fingerprint)));
    (body.len() <= BODY).then_some(body)
}

/// What stands in place of a suggestion whose conflict is gone. It cannot be taken over by a click, and by its key it
/// is no suggestion any more.
pub fn outdated(fingerprint: &str) -> String {
    let key = format!("outdated-suggestion-{}", digits(fingerprint));
    signed("The versions have changed since; this suggestion is outdated.", None, &key)
}
