//! What has to be done to a table, as data: printed by `init --dry-run`, applied by `init`.

use std::collections::BTreeMap;

use super::{Choice, Column, OPTION_LIMIT, Observed, ObservedColumn, Table, View};
use crate::kind::{PropertyType, same_option};

/// The title's id is the same in every table, whatever its name.
const TITLE_ID: &str = "title";

/// What is remembered of a table from earlier runs.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'a> {
    /// Ids of columns by configured name.
    pub columns: &'a BTreeMap<String, String>,
    /// Ids of views that were made or found, by name: whatever became of them since was a person's doing.
    pub views: &'a BTreeMap<String, String>,
    /// Texts that were written, by configured name of the column; that of the table under the empty name.
    pub descriptions: &'a BTreeMap<String, String>,
    /// Ids of the tables of kinds; empty for one that is still to be made.
    pub tables: &'a BTreeMap<String, String>,
}

/// One thing to be done, or that cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Make the table with its columns.
    Create,
    /// Take the table out of the trash.
    Restore,
    /// Add a column.
    AddColumn {
        /// The column.
        column: Column,
        /// Whether one was there before.
        lost: bool,
    },
    /// Add options to a column; those that are there stay.
    AddOptions {
        /// The column.
        column: Column,
        /// Its id.
        id: String,
        /// What it lacks.
        missing: Vec<Choice>,
    },
    /// Write the text that explains the table, or a column of it.
    Describe {
        /// Configured name and id of the column.
        column: Option<(String, String)>,
        /// The text.
        text: String,
    },
    /// Make a view.
    AddView(View),
    /// What only a person can do.
    Obstacle {
        /// Name of the column in the backend.
        column: String,
        /// Configured name of the property.
        property: String,
        /// Why.
        obstacle: Obstacle,
    },
}

/// Why a column cannot be made as it should be without losing a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is missing, and what it computes is not configured.
    Computed(PropertyType),
    /// It has another type.
    WrongType {
        /// The type that it has.
        found: String,
        /// The type that it should have.
        wanted: PropertyType,
    },
    /// It points to another table.
    WrongTarget {
        /// Kind that it should point to.
        target: String,
    },
    /// It is missing, and the table that it should point to is not known.
    NoTarget {
        /// Kind that it should point to.
        target: String,
    },
    /// It should have two sides and has one.
    OneSided,
    /// It lacks these options, and the list is too long to be changed.
    TooManyOptions {
        /// What it lacks; empty where the column is missing as a whole.
        missing: Vec<String>,
    },
    /// The backend's own words: a sentence what is wrong and what to do.
    Other(String),
}

/// What is done, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Something new as a whole.
    Create,
    /// Something more.
    Add,
    /// Something that was there.
    Repair,
    /// Nothing: a person has to.
    CannotRepair,
}

/// What it is done to, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The table.
    Database,
    /// A column.
    Property,
    /// Options of a column.
    Option,
    /// A text that explains.
    Description,
    /// A view.
    View,
    /// A template row.
    Template,
}

impl Change {
    /// What is done to what.
    pub fn words(&self) -> (Verb, What) {
        match self {
            Self::Create => (Verb::Create, What::Database),
            Self::Restore => (Verb::Repair, What::Database),
            Self::AddColumn { lost: true, .. } => (Verb::Repair, What::Property),
            Self::AddColumn { lost: false, .. } => (Verb::Add, What::Property),
            Self::AddOptions { .. } => (Verb::Add, What::Option),
            Self::Describe { .. } => (Verb::Add, What::Description),
            Self::AddView(_) => (Verb::Create, What::View),
            Self::Obstacle { .. } => (Verb::CannotRepair, What::Property),
        }
    }

    /// Whether something is done.
    pub fn is_possible(&self) -> bool {
        !matches!(self, Self::Obstacle { .. })
    }
}

/// What has to be done so that a table is as it should be; nothing is ever taken away. `observed` is `None` for a
/// table that does not exist.
pub fn plan(table: &Table, memory: Memory<'_>, observed: Option<&Observed>) -> Vec<Change> {
    let mut changes = Vec::new();
    let Some(observed) = observed else {
        changes.extend(table.columns.iter().filter_map(unmakeable));
        changes.push(Change::Create);
        changes.extend(table.views.iter().cloned().map(Change::AddView));
        return changes;
    };
    if observed.trashed {
        changes.push(Change::Restore);
    }
    changes.extend(describe(
        None,
        table.description.as_deref(),
        &observed.description,
        memory.descriptions.get("").map(String::as_str),
    ));
    for column in &table.columns {
        match find(column, memory.columns.get(&column.property), &observed.columns) {
            Some(found) => compare(column, found, memory, &mut changes),
            None => changes.extend(missing(column, memory)),
        }
    }
    let views = table.views.iter().filter(|view| !memory.views.contains_key(&view.name));
    changes.extend(views.cloned().map(Change::AddView));
    changes
}

/// The column of a property: the title by being the title, others by the id that is remembered, else by name.
pub(super) fn find<'a>(
    column: &Column,
    remembered: Option<&String>,
    there: &'a [ObservedColumn],
) -> Option<&'a ObservedColumn> {
    let with_id = |id: &str| there.iter().find(|other| other.id == id);
    if column.r#type == PropertyType::Title {
        return with_id(TITLE_ID);
    }
    let by_name = || there.iter().find(|other| other.name == column.name);
    remembered.and_then(|id| with_id(id)).or_else(by_name)
}

fn obstacle(column: &Column, obstacle: Obstacle) -> Change {
    Change::Obstacle { column: column.name.clone(), property: column.property.clone(), obstacle }
}

/// Why a column cannot be made at all.
fn unmakeable(column: &Column) -> Option<Change> {
    (column.choices.len() > OPTION_LIMIT)
        .then(|| obstacle(column, Obstacle::TooManyOptions { missing: Vec::new() }))
}

fn missing(column: &Column, memory: Memory<'_>) -> Option<Change> {
    if matches!(column.r#type, PropertyType::Formula | PropertyType::Rollup) {
        return Some(obstacle(column, Obstacle::Computed(column.r#type)));
    }
    if let Some(relation) = &column.relation {
        if !memory.tables.contains_key(&relation.target) {
            let target = relation.target.clone();
            return Some(obstacle(column, Obstacle::NoTarget { target }));
        }
        // It comes with the other side.
        if relation.mirrored {
            return None;
        }
    }
    unmakeable(column).or_else(|| {
        let lost = memory.columns.contains_key(&column.property);
        Some(Change::AddColumn { column: column.clone(), lost })
    })
}

fn compare(column: &Column, found: &ObservedColumn, memory: Memory<'_>, changes: &mut Vec<Change>) {
    if found.r#type != column.r#type.name() {
        let wrong = Obstacle::WrongType { found: found.r#type.clone(), wanted: column.r#type };
        changes.push(obstacle(column, wrong));
        return;
    }
    let id = Some((column.property.clone(), found.id.clone()));
    let written = memory.descriptions.get(&column.property).map(String::as_str);
    changes.extend(describe(id, column.description.as_deref(), &found.description, written));
    if column.r#type.has_options() {
        let lacks =
            |choice: &&Choice| !found.options.iter().any(|there| same_option(there, &choice.name));
        let missing: Vec<Choice> = column.choices.iter().filter(lacks).cloned().collect();
        if missing.is_empty() {
            return;
        }
        if found.options.len() + missing.len() > OPTION_LIMIT {
            let missing = missing.into_iter().map(|choice| choice.name).collect();
            changes.push(obstacle(column, Obstacle::TooManyOptions { missing }));
            return;
        }
        let (column, id) = (column.clone(), found.id.clone());
        changes.push(Change::AddOptions { column, id, missing });
    } else if let Some(relation) = &column.relation {
        let wanted = memory.tables.get(&relation.target).filter(|id| !id.is_empty());
        if wanted.zip(found.target.as_ref()).is_some_and(|(wanted, found)| wanted != found) {
            let target = relation.target.clone();
            changes.push(obstacle(column, Obstacle::WrongTarget { target }));
        } else if relation.two_way.is_some() && !found.two_way {
            changes.push(obstacle(column, Obstacle::OneSided));
        }
    }
}

/// A text is written where there is none, or where ours stands that was written before; a person's stays.
fn describe(
    column: Option<(String, String)>,
    wanted: Option<&str>,
    there: &str,
    written: Option<&str>,
) -> Option<Change> {
    let text = wanted.filter(|wanted| *wanted != there)?;
    let ours = match written {
        // What was written and is gone was taken away.
        Some(written) => there == written && written != text,
        None => there.is_empty(),
    };
    ours.then(|| Change::Describe { column, text: text.to_owned() })
}

#[cfg(test)]
mod tests;
