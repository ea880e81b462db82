//! A kind of artifacts as the rest of the program sees it: the result of preset plus configuration.

use std::collections::BTreeMap;

use regex::Regex;

/// Where a kind's files live, how its ids look, which properties it has.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Name, e.g. `story`.
    pub name: String,
    /// Folder relative to the repository, with `/` and no trailing slash.
    pub folder: String,
    /// Path of a new file below the folder, with `{scope}`, `{id}`, `{slug}`.
    pub file: String,
    /// Pattern of an id, unanchored source text as configured, e.g. `[A-Z]+-\d+`.
    pub id_pattern: String,
    /// Matches a file name that begins with an id, then ends or goes on with `-`, `_`, `.` or a space;
    /// group 1 is the id.
    pub file_id: Regex,
    /// Whether a title that changes in the backend renames the file.
    pub rename: Rename,
    /// Title of the database, e.g. `Stories`.
    pub database: String,
    /// Markdown or YAML.
    pub format: Format,
    /// Properties in order of configuration; exactly one has type title and one is the id.
    pub properties: Vec<Property>,
}

impl Kind {
    /// The property of type title.
    pub fn title(&self) -> Option<&Property> {
        self.properties.iter().find(|p| p.r#type == PropertyType::Title)
    }

    /// The property that holds the id.
    pub fn id(&self) -> Option<&Property> {
        self.properties.iter().find(|p| p.source == Source::Id)
    }

    /// A property by its configured name.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|p| p.name == name)
    }
}

/// Form of a kind's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CommonMark with GFM.
    Markdown,
    /// One YAML document, synced as one YAML code block.
    Yaml,
}

/// What a title that changes in the backend does to the file's path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rename {
    /// Nothing.
    #[default]
    Keep,
    /// The file gets the path that a new one would get.
    Follow,
}

/// A mapped property.
#[derive(Clone, Debug)]
pub struct Property {
    /// Name in the configuration and in reports.
    pub name: String,
    /// Name in the backend (`notion:`), by default the same.
    pub remote_name: String,
    /// Type in the backend.
    pub r#type: PropertyType,
    /// Where the value lives in the file.
    pub source: Source,
    /// Allowed options of a select, in order: (value in the file, name in the backend). Empty: any.
    pub options: Vec<(String, String)>,
    /// Kind that a relation points to.
    pub target: Option<String>,
    /// Whether a value outside the options may be written and so create one.
    pub allow_new_options: bool,
}

impl Property {
    /// The configured option that this text of a file means, matched without regard to case.
    pub fn option_of_local(&self, text: &str) -> Option<&(String, String)> {
        self.options.iter().find(|(local, _)| local.eq_ignore_ascii_case(text))
    }

    /// The configured option that this name in the backend means, matched without regard to case.
    pub fn option_of_remote(&self, text: &str) -> Option<&(String, String)> {
        self.options.iter().find(|(_, remote)| remote.eq_ignore_ascii_case(text))
    }
}

/// Types of properties that this release writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyType {
    /// The title.
    Title,
    /// Text.
    RichText,
    /// One of a list of options.
    Select,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// References to artifacts of the target kind.
    Relation,
}

/// Where a property's value lives in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The H1 after its id, `# {id}: {title}`; `title:` of a YAML artifact is [`Source::Key`].
    Heading,
    /// The id, from the file name.
    Id,
    /// The first line under the first of these level-2 headings, e.g. `State`, `Status`.
    Section(Vec<String>),
    /// A key of the front matter, or a top-level key of a YAML artifact.
    Key(String),
    /// Ids of artifacts named in the list under this level-2 heading.
    References(String),
}

/// Kinds by name.
pub type Kinds = BTreeMap<String, Kind>;
