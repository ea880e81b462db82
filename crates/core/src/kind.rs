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
    /// Allowed options of a select, multi-select or status, in order: (value in the file, name in the backend). Empty: any.
    pub options: Vec<(String, String)>,
    /// Kind that a relation points to.
    pub target: Option<String>,
    /// Whether a value outside the options may be written and so create one.
    pub allow_new_options: bool,
}

impl Property {
    /// The configured option that this text of a file means, matched without regard to case.
    pub fn option_of_local(&self, text: &str) -> Option<&(String, String)> {
        self.options.iter().find(|(local, _)| same_option(local, text))
    }

    /// The configured option that this name in the backend means, matched without regard to case.
    pub fn option_of_remote(&self, text: &str) -> Option<&(String, String)> {
        self.options.iter().find(|(_, remote)| same_option(remote, text))
    }

    /// Whether a value outside the options is left alone.
    pub fn is_closed(&self) -> bool {
        !self.options.is_empty() && !self.allow_new_options
    }
}

/// Whether two names of options are one: Notion has no two that differ in case only.
pub fn same_option(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// Types of properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PropertyType {
    /// The title.
    Title,
    /// Text.
    RichText,
    /// A number.
    Number,
    /// One of a list of options.
    Select,
    /// Several of a list of options.
    MultiSelect,
    /// One of the options of a status, which only its own settings can extend.
    Status,
    /// A day or a time, or two of them.
    Date,
    /// Users, by their email addresses.
    People,
    /// Links to files.
    Files,
    /// Ticked or not; one that is not ticked is unset.
    Checkbox,
    /// An address of the web.
    Url,
    /// An email address.
    Email,
    /// A phone number.
    PhoneNumber,
    /// References to artifacts of the target kind.
    Relation,
    /// The backend computes it from the page.
    Formula,
    /// The backend computes it from related pages.
    Rollup,
    /// A number that the backend gives every page.
    UniqueId,
    /// When the page was made.
    CreatedTime,
    /// Who made the page.
    CreatedBy,
    /// When the page was edited last.
    LastEditedTime,
    /// Who edited the page last.
    LastEditedBy,
}

impl PropertyType {
    /// Every type.
    pub const ALL: [Self; 21] = [
        Self::Title,
        Self::RichText,
        Self::Number,
        Self::Select,
        Self::MultiSelect,
        Self::Status,
        Self::Date,
        Self::People,
        Self::Files,
        Self::Checkbox,
        Self::Url,
        Self::Email,
        Self::PhoneNumber,
        Self::Relation,
        Self::Formula,
        Self::Rollup,
        Self::UniqueId,
        Self::CreatedTime,
        Self::CreatedBy,
        Self::LastEditedTime,
        Self::LastEditedBy,
    ];

    /// Name in the configuration, which is also Notion's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::RichText => "rich_text",
            Self::Number => "number",
            Self::Select => "select",
            Self::MultiSelect => "multi_select",
            Self::Status => "status",
            Self::Date => "date",
            Self::People => "people",
            Self::Files => "files",
            Self::Checkbox => "checkbox",
            Self::Url => "url",
            Self::Email => "email",
            Self::PhoneNumber => "phone_number",
            Self::Relation => "relation",
            Self::Formula => "formula",
            Self::Rollup => "rollup",
            Self::UniqueId => "unique_id",
            Self::CreatedTime => "created_time",
            Self::CreatedBy => "created_by",
            Self::LastEditedTime => "last_edited_time",
            Self::LastEditedBy => "last_edited_by",
        }
    }

    /// Whether only the backend sets it: such a value is pulled and never pushed.
    pub fn is_read_only(self) -> bool {
        matches!(
            self,
            Self::Formula
                | Self::Rollup
                | Self::UniqueId
                | Self::CreatedTime
                | Self::CreatedBy
                | Self::LastEditedTime
                | Self::LastEditedBy
        )
    }

    /// Whether its values are sets.
    pub fn is_set(self) -> bool {
        matches!(self, Self::MultiSelect | Self::People | Self::Files | Self::Relation)
    }

    /// Whether its values are options.
    pub fn has_options(self) -> bool {
        matches!(self, Self::Select | Self::MultiSelect | Self::Status)
    }
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
