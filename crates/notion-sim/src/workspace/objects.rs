//! What a workspace holds.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::block::Block;
use crate::rich::RichText;
use crate::schema::Property;
use crate::values::PropertyValue;

/// Where an object lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    Workspace,
    Page(String),
    DataSource(String),
}

impl Parent {
    /// The id of what holds it; `None` at the top of the workspace.
    pub(crate) fn id(&self) -> Option<String> {
        match self {
            Self::Workspace => None,
            Self::Page(id) | Self::DataSource(id) => Some(id.clone()),
        }
    }
}

/// A page, with its body.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) id: String,
    pub(crate) parent: Parent,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    pub(crate) edited: Timestamp,
    pub(crate) edited_by: String,
    pub(crate) in_trash: bool,
    pub(crate) is_archived: bool,
    pub(crate) is_locked: bool,
    pub(crate) icon: Value,
    pub(crate) cover: Value,
    /// Of a page outside data sources; rows have it among their values.
    pub(crate) title: RichText,
    /// Values of a row by property id.
    pub(crate) values: HashMap<String, PropertyValue>,
    pub(crate) body: Vec<Block>,
}

/// A container of data sources.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) id: String,
    pub(crate) parent: Parent,
    pub(crate) title: RichText,
    pub(crate) description: RichText,
    pub(crate) inline: bool,
    pub(crate) in_trash: bool,
    pub(crate) is_locked: bool,
    pub(crate) icon: Value,
    pub(crate) cover: Value,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    pub(crate) edited: Timestamp,
    pub(crate) edited_by: String,
    pub(crate) data_sources: Vec<String>,
}

/// A table: a schema and its rows.
#[derive(Clone, Debug)]
pub(crate) struct DataSource {
    pub(crate) id: String,
    pub(crate) database: String,
    pub(crate) title: RichText,
    pub(crate) icon: Value,
    pub(crate) in_trash: bool,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    pub(crate) edited: Timestamp,
    pub(crate) edited_by: String,
    pub(crate) properties: Vec<Property>,
    /// Ids of pages in order of creation, trashed ones included.
    pub(crate) rows: Vec<String>,
    /// Last number given to a `unique_id`.
    pub(crate) counter: u64,
}

impl DataSource {
    pub(crate) fn property(&self, id: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.id == id)
    }

    /// A property by name, by id, or by percent-encoded id. Encoding twice does not work (notion-api.md 7.3).
    pub(crate) fn lookup(&self, key: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == key).or_else(|| {
            self.properties
                .iter()
                .find(|property| property.id == key || property.encoded_id() == key)
        })
    }
}

/// What a comment hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommentParent {
    Page(String),
    Block(String),
}

/// A comment.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) id: String,
    pub(crate) parent: CommentParent,
    /// The page it is on, also after its block went away.
    pub(crate) page: String,
    pub(crate) discussion: String,
    pub(crate) created: Timestamp,
    pub(crate) edited: Timestamp,
    pub(crate) created_by: String,
    pub(crate) text: RichText,
    pub(crate) original_deleted: bool,
    /// Whether a person resolved its thread: the API does not show it any more.
    pub(crate) resolved: bool,
}

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) bot: bool,
    pub(crate) email: Option<String>,
}
