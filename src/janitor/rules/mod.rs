//! All rules, in the order of the documentation.

use super::Rule;

mod asymmetric_relation;
mod broken_reference;
mod diverged;
mod duplicate_id;
mod duplicate_page;
mod missing_field;
mod orphan_page;
mod orphan_story;
mod page_without_id;
mod stale_decision;
mod stale_status;
mod superseded_but_active;
mod title_mismatch;
mod unknown_option;
mod unlinked_mention;

/// Every rule.
pub const RULES: [&dyn Rule; 15] = [
    &orphan_story::OrphanStory,
    &unlinked_mention::UnlinkedMention,
    &broken_reference::BrokenReference,
    &missing_field::MissingField,
    &duplicate_id::DuplicateId,
    &page_without_id::PageWithoutId,
    &unknown_option::UnknownOption,
    &title_mismatch::TitleMismatch,
    &stale_status::StaleStatus,
    &superseded_but_active::SupersededButActive,
    &asymmetric_relation::AsymmetricRelation,
    &orphan_page::OrphanPage,
    &diverged::Diverged,
    &stale_decision::StaleDecision,
    &duplicate_page::DuplicatePage,
];
