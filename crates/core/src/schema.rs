//! The schema as code: how the table of a kind should be, how it is, and what lies between (`plan`).
//!
//! What a kind *is* (where its files live, how its properties map) is [`Kind`]; a [`Design`] says what its table
//! looks like to people. Both together make a [`Table`].

use std::collections::BTreeMap;

use crate::kind::{Kind, PropertyType};

mod plan;

pub use plan::{Change, Memory, Obstacle, Verb, What, plan};

/// Most options of a list that a request can make or change (Notion refuses longer ones).
pub const OPTION_LIMIT: usize = 100;

/// How a kind's table looks to people, beside what is mapped. Only what is configured is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Design {
    /// Text under the table's title.
    pub description: Option<String>,
    /// By configured name of the property.
    pub columns: BTreeMap<String, ColumnDesign>,
    /// Views, in order.
    pub views: Vec<View>,
    /// Where the text of the template row comes from.
    pub template: TemplateFile,
}

/// How one column looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnDesign {
    /// Text that explains it.
    pub description: Option<String>,
    /// Colours of options, by the option's name in the backend.
    pub colors: BTreeMap<String, Color>,
    /// Name of the column that the other table of a relation gets; `None`: the relation has one side.
    pub two_way: Option<String>,
    /// Whether it is the other side of a column of the other table, and so made with that one.
    pub mirrored: bool,
}

/// Where the text of a template row comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TemplateFile {
    /// The usual place, if there is a file.
    #[default]
    Usual,
    /// This file, relative to the repository.
    File(String),
    /// There is no template row.
    None,
}

/// Colours of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Light gray, Notion's choice for an option without a colour.
    Default,
    /// Gray.
    Gray,
    /// Brown.
    Brown,
    /// Orange.
    Orange,
    /// Yellow.
    Yellow,
    /// Green.
    Green,
    /// Blue.
    Blue,
    /// Purple.
    Purple,
    /// Pink.
    Pink,
    /// Red.
    Red,
}

impl Color {
    /// Name in the configuration, which is also Notion's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Gray => "gray",
            Self::Brown => "brown",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
            Self::Red => "red",
        }
    }
}

/// A view of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its name, by which it is recognised where its id is not known.
    pub name: String,
    /// What it shows.
    pub layout: Layout,
}

/// What a view shows. Columns are named as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// All rows as a table, in groups and in the order of this column.
    Table {
        /// The column; `None`: no groups.
        group_by: Option<String>,
    },
    /// Cards in a column for each option.
    Board {
        /// A column with options.
        group_by: String,
    },
    /// A list of the rows, the last edited first.
    List {
        /// Only what was edited in so many days.
        edited_within: Option<u32>,
    },
}

impl Layout {
    /// The type of the view, as Notion calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Table { .. } => "table",
            Self::Board { .. } => "board",
            Self::List { .. } => "list",
        }
    }
}

/// Days of the list of what was edited lately.
pub const RECENT_DAYS: u32 = 14;

/// The views that a kind has where nothing else is configured: a table by scope (ids begin with it), a board by
/// status, a list of what was edited lately.
pub fn usual_views(kind: &Kind) -> Vec<View> {
    let view = |name: &str, layout| View { name: name.to_owned(), layout };
    let id = kind.id().map(|property| property.name.clone());
    let mut views = vec![view("By scope", Layout::Table { group_by: id })];
    if let Some(status) = status_of(kind) {
        views.push(view("By status", Layout::Board { group_by: status.to_owned() }));
    }
    views.push(view("Recently edited", Layout::List { edited_within: Some(RECENT_DAYS) }));
    views
}

/// The property that says how far an artifact is: the one called so, else the first status.
fn status_of(kind: &Kind) -> Option<&str> {
    let fits = |r#type| matches!(r#type, PropertyType::Select | PropertyType::Status);
    let named = |property: &&crate::kind::Property| {
        fits(property.r#type) && property.name.eq_ignore_ascii_case("status")
    };
    let found = kind.properties.iter().find(named).or_else(|| {
        kind.properties.iter().find(|property| property.r#type == PropertyType::Status)
    });
    found.map(|property| property.name.as_str())
}

/// The table of a kind as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Name of the kind.
    pub kind: String,
    /// Title.
    pub title: String,
    /// Text under the title.
    pub description: Option<String>,
    /// Columns of the mapped properties, in order.
    pub columns: Vec<Column>,
    /// Views, in order.
    pub views: Vec<View>,
}

/// A column as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Configured name of the property.
    pub property: String,
    /// Name in the backend.
    pub name: String,
    /// Type.
    pub r#type: PropertyType,
    /// Text that explains it.
    pub description: Option<String>,
    /// Options, in order.
    pub choices: Vec<Choice>,
    /// Of a relation.
    pub relation: Option<Relation>,
}

/// An option as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Name in the backend.
    pub name: String,
    /// Colour; `None`: the backend's choice. That of an option that exists cannot be changed.
    pub color: Option<Color>,
}

/// Where a relation leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Kind of the other table.
    pub target: String,
    /// Name of the other table's column, where the relation has two sides.
    pub two_way: Option<String>,
    /// Whether it is the other side of a column of the other table, and so made with that one.
    pub mirrored: bool,
}

impl Table {
    /// The table of a kind.
    pub fn of(kind: &Kind, design: &Design) -> Self {
        let columns = kind.properties.iter().map(|property| {
            let look = design.columns.get(&property.name).cloned().unwrap_or_default();
            let choice = |(_, name): &(String, String)| Choice {
                name: name.clone(),
                color: look.colors.get(name).copied(),
            };
            Column {
                property: property.name.clone(),
                name: property.remote_name.clone(),
                r#type: property.r#type,
                choices: property.options.iter().map(choice).collect(),
                relation: property.target.as_ref().map(|target| Relation {
                    target: target.clone(),
                    two_way: look.two_way.clone(),
                    mirrored: look.mirrored,
                }),
                description: look.description,
            }
        });
        Self {
            kind: kind.name.clone(),
            title: kind.database.clone(),
            description: design.description.clone(),
            columns: columns.collect(),
            views: design.views.clone(),
        }
    }
}

/// A table as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Whether it lies in the trash.
    pub trashed: bool,
    /// Text under its title.
    pub description: String,
    /// Its columns.
    pub columns: Vec<ObservedColumn>,
}

/// A column as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedColumn {
    /// Its id, which stays when it is renamed.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type, as the backend calls it; it may be none of ours.
    pub r#type: String,
    /// Text that explains it.
    pub description: String,
    /// Names of its options.
    pub options: Vec<String>,
    /// Of a relation: id of the other table.
    pub target: Option<String>,
    /// Of a relation: whether the other table has a column for it.
    pub two_way: bool,
}
