//! What `init` does to databases, in words.

use agent_sync_core::schema::{Change, Choice, Obstacle, Verb, What};
use serde::Serialize;

/// One change of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaChange {
    /// Name of the backend.
    pub backend: String,
    /// Kind.
    pub kind: String,
    /// Title of the database.
    pub database: String,
    /// `create`, `add`, `repair` or `cannot-repair`.
    pub action: String,
    /// `database`, `property`, `option`, `description`, `view` or `template`.
    pub what: String,
    /// Name of what it is: of the property, the view, the file of the template.
    pub name: String,
    /// What is done, or what is wrong; a sentence.
    pub message: String,
    /// What a person has to do; empty where nothing.
    pub fix: String,
}

impl SchemaChange {
    /// The words for a change of a database.
    pub fn new(backend: &str, kind: &str, database: &str, label: &str, change: &Change) -> Self {
        let (verb, what) = change.words();
        let (name, message, fix) = words(database, label, change);
        Self {
            backend: backend.to_owned(),
            kind: kind.to_owned(),
            database: database.to_owned(),
            action: verb_name(verb).to_owned(),
            what: what_name(what).to_owned(),
            name,
            message,
            fix,
        }
    }

    /// The words for a template row, which is made or follows its file.
    pub fn template(backend: &str, kind: &str, database: &str, path: &str, new: bool) -> Self {
        Self {
            backend: backend.to_owned(),
            kind: kind.to_owned(),
            database: database.to_owned(),
            action: verb_name(if new { Verb::Create } else { Verb::Repair }).to_owned(),
            what: what_name(What::Template).to_owned(),
            name: path.to_owned(),
            message: match new {
                true => format!("A template row is made from {path}."),
                false => format!("The template row follows {path}."),
            },
            fix: String::new(),
        }
    }
}

fn verb_name(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "create",
        Verb::Add => "add",
        Verb::Repair => "repair",
        Verb::CannotRepair => "cannot-repair",
    }
}

fn what_name(what: What) -> &'static str {
    match what {
        What::Database => "database",
        What::Property => "property",
        What::Option => "option",
        What::Description => "description",
        What::View => "view",
        What::Template => "template",
    }
}

/// Name, message and fix.
fn words(database: &str, label: &str, change: &Change) -> (String, String, String) {
    let done = |name: &str, message: String| (name.to_owned(), message, String::new());
    match change {
        Change::Create => done(database, format!("The database \"{database}\" is made.")),
        Change::Restore => {
            done(database, format!("The database \"{database}\" is taken out of the trash."))
        }
        Change::AddColumn { column, lost } => {
            let name = &column.name;
            let r#type = column.r#type.name();
            done(
                name,
                match lost {
                    true => format!(
                        "The property \"{name}\" ({type}) was lost and is made anew; the next sync fills it \
                         from the files."
                    ),
                    false => format!("The property \"{name}\" ({type}) is added."),
                },
            )
        }
        Change::AddOptions { column, missing, .. } => done(
            &column.name,
            format!("The options {} are added to \"{}\".", options(missing), column.name),
        ),
        Change::Describe { column: None, .. } => {
            done(database, format!("The description of \"{database}\" is written."))
        }
        Change::Describe { column: Some((property, _)), .. } => {
            done(property, format!("The description of \"{property}\" is written."))
        }
        Change::AddView(view) => done(
            &view.name,
            format!("The view \"{}\" ({}) is made.", view.name, view.layout.name()),
        ),
        Change::Obstacle { column, obstacle, .. } => {
            let (message, fix) = obstacle_words(database, label, column, obstacle);
            (column.clone(), message, fix)
        }
    }
}

fn options(missing: &[Choice]) -> String {
    missing.iter().map(|choice| choice.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn obstacle_words(
    database: &str,
    label: &str,
    column: &str,
    obstacle: &Obstacle,
) -> (String, String) {
    match obstacle {
        Obstacle::Computed(r#type) => (
            format!(
                "Database {database} has no property \"{column}\", and what a {} computes is not configured here.",
                r#type.name()
            ),
            format!("Add it in {label}, or correct its name in the configuration."),
        ),
        Obstacle::WrongType { found, wanted } => (
            format!(
                "Property \"{column}\" of database {database} is of type {found} and not {}; another type would \
                 cost values.",
                wanted.name()
            ),
            format!("Change its type in {label}, or map another property in the configuration."),
        ),
        Obstacle::WrongTarget { target } => (
            format!(
                "Property \"{column}\" of database {database} points to another database than that of kind {target}."
            ),
            format!("Correct it in {label}, or map another property in the configuration."),
        ),
        Obstacle::NoTarget { target } => (
            format!(
                "Property \"{column}\" of database {database} is missing, and the database of kind {target} that it \
                 points to is not known."
            ),
            "Run `agent-sync init` for all kinds.".to_owned(),
        ),
        Obstacle::OneSided => (
            format!(
                "The relation \"{column}\" of database {database} shows on one side only, and turning it into one \
                 with two by request may cost values."
            ),
            format!(
                "Turn on the two-way relation in the property's settings in {label}, or remove `two_way`."
            ),
        ),
        Obstacle::TooManyOptions { missing } if missing.is_empty() => (
            format!(
                "Property \"{column}\" of database {database} has more than 100 options, which is more than a \
                 request can make."
            ),
            "Shorten the list in the configuration, or leave `options` out.".to_owned(),
        ),
        Obstacle::TooManyOptions { missing } => (
            format!(
                "Property \"{column}\" of database {database} lacks the options {}, and {label} changes no list of \
                 more than 100 options by request.",
                missing.join(", ")
            ),
            format!("Add them in {label}."),
        ),
        Obstacle::Other(words) => (words.clone(), String::new()),
    }
}
