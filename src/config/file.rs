//! The configuration file's own types. They make the JSON schema, and the schema checks the file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A mapping that keeps the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Ordered<T> {
    fn schema_name() -> Cow<'static, str> {
        <BTreeMap<String, T>>::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <BTreeMap<String, T>>::json_schema(generator)
    }
}

/// Configuration of agent-sync.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "agent-sync.yml")]
pub(super) struct File {
    /// Version of this format: 1.
    pub(super) version: Option<u32>,
    /// Where the repository is, for links into it. By default from the environment or the remote.
    pub(super) repository: Option<RepositoryFile>,
    /// The kinds to start from. Default: agent.
    pub(super) preset: Option<Preset>,
    /// What the repository is synced with, by name. Default: Notion, with NOTION_PARENT_PAGE_ID.
    pub(super) backends: Option<Ordered<BackendFile>>,
    /// Kinds of artifacts, merged over the preset; false drops a kind of the preset.
    pub(super) kinds: Option<Ordered<Option<KindEntry>>>,
    /// Shares of all artifacts past which a run stops before its first write.
    pub(super) limits: Option<LimitsFile>,
    /// How old the last whole listing of a large database may be: `1 day`, `12 hours`, `30 minutes`.
    pub(super) full_every: Option<String>,
    /// How changes from a backend reach the default branch. Default: pull-request.
    pub(super) publish: Option<Publish>,
    /// Where the state is kept.
    pub(super) state: Option<StateFile>,
    /// Rules of the janitor.
    pub(super) janitor: Option<super::janitor::JanitorFile>,
}

#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Repository")]
pub(super) struct RepositoryFile {
    /// Address for people, e.g. `https://github.com/org/repo`.
    pub(super) url: Option<String>,
    /// The branch that is synced.
    pub(super) default_branch: Option<String>,
    /// Whether readers of the backend may lack access to the repository.
    pub(super) private: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Preset {
    /// Stories, plans, ADRs, runbooks and journeys under `.agent/`.
    Agent,
    /// No kinds.
    None,
}

/// How changes from a backend reach the default branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Publish {
    /// By a pull request.
    PullRequest,
    /// By a push to the default branch.
    Push,
    /// Not at all: they stay in the working tree.
    None,
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
#[schemars(rename = "Backend")]
pub(super) enum BackendFile {
    /// Notion.
    Notion {
        /// Page (id or URL) under which `init` finds or creates databases. Default: NOTION_PARENT_PAGE_ID.
        parent_page: Option<String>,
        /// Databases by kind (database or data source, id or URL), where they are not to be found by title.
        databases: Option<Ordered<String>>,
        /// The pace of requests. Default: 180.
        requests_per_minute: Option<u32>,
        /// The grammar of page bodies. Default: v1.
        markdown_version: Option<MarkdownVersion>,
        /// Kinds that may leave the repository. Default: story, plan, adr and runbook, as far as configured.
        share: Option<Vec<String>>,
        /// Whether a page without an id, made by hand, gets the next free one. Default: false.
        assign_ids: Option<bool>,
        /// Whether a missing database is created without `init`. Default: false.
        auto_init: Option<bool>,
        /// Seconds after an unanswered request in which its effect may still appear. Default: 60.
        settle_seconds: Option<u32>,
        /// First wait before a request is repeated, in milliseconds; doubled each time. Default: 1000.
        backoff_ms: Option<u32>,
        /// Time for a request that reads, in milliseconds. Default: 60000.
        read_timeout_ms: Option<u32>,
        /// Time for a request that writes, in milliseconds; at most 25000, the default.
        write_timeout_ms: Option<u32>,
    },
    /// A SQLite file.
    Sqlite {
        /// The file, relative to the repository.
        path: String,
        /// Kinds that are kept there. Default: story, plan, adr and runbook.
        share: Option<Vec<String>>,
    },
    /// PostgreSQL, Supabase among it.
    Postgres {
        /// Name of the environment variable that holds the connection URL.
        url_env: String,
        /// Schema of the tables. Default: agent_sync.
        schema: Option<String>,
        /// Kinds that are kept there. Default: story, plan, adr and runbook.
        share: Option<Vec<String>>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum MarkdownVersion {
    /// Version 1.
    V1,
    /// Version 2.
    V2,
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum KindEntry {
    /// false drops the kind, true takes it as the preset has it.
    Switch(bool),
    /// The kind's settings.
    Kind(Box<KindFile>),
}

#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Kind")]
pub(super) struct KindFile {
    /// Folder of its files, relative to the repository.
    pub(super) folder: Option<String>,
    /// Path of a new file below the folder, with {scope}, {id} and {slug}. Default: {id}-{slug}.md.
    pub(super) file: Option<String>,
    /// Whether a title that changes in the backend renames the file as `file` says. Default: keep.
    pub(super) rename: Option<RenameFile>,
    /// Regular expression of an id, without anchors.
    pub(super) id: Option<String>,
    /// Title of its database. Default: the kind's name as a plural.
    pub(super) database: Option<String>,
    /// Form of its files. Default: markdown.
    pub(super) format: Option<FormatFile>,
    /// Its properties by name; false drops one of the preset.
    pub(super) properties: Option<Ordered<Option<PropertyEntry>>>,
    /// Text under the title of its database.
    pub(super) description: Option<String>,
    /// Views of its database by name, beside the usual ones (By scope, By status, Recently edited); false drops a
    /// usual one. false for the whole: no views.
    pub(super) views: Option<ViewsFile>,
    /// File with the text of the template row in its database, relative to the repository; false: no template row.
    /// Default: .agent/templates/{kind}.md, if there is one.
    pub(super) template: Option<TemplateEntry>,
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Views")]
pub(super) enum ViewsFile {
    /// false: no views, true: the usual ones.
    Switch(bool),
    /// By name.
    Named(Ordered<Option<ViewEntry>>),
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ViewEntry {
    /// false drops a usual view, true keeps it.
    Switch(bool),
    /// The view's settings.
    View(ViewFile),
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "View")]
pub(super) struct ViewFile {
    /// What it looks like.
    #[serde(rename = "type")]
    pub(super) r#type: ViewType,
    /// Property whose values make the groups of a table or the columns of a board.
    pub(super) group_by: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ViewType {
    /// Rows and columns.
    Table,
    /// Cards in columns.
    Board,
    /// Titles, the last edited first.
    List,
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Template")]
pub(super) enum TemplateEntry {
    /// false: no template row, true: from the usual file.
    Switch(bool),
    /// The file.
    File(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Rename")]
pub(super) enum RenameFile {
    /// The path stays, whatever the title says.
    Keep,
    /// The file is renamed.
    Follow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Format")]
pub(super) enum FormatFile {
    /// Markdown.
    Markdown,
    /// One YAML mapping.
    Yaml,
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum PropertyEntry {
    /// false drops the property, true takes it as the preset has it.
    Switch(bool),
    /// The property's settings.
    Property(Box<PropertyFile>),
}

#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Property")]
pub(super) struct PropertyFile {
    /// Its name in Notion. Default: the same.
    pub(super) notion: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub(super) r#type: Option<TypeFile>,
    /// Where its value lives in the file.
    pub(super) from: Option<FromFile>,
    /// Options of a select, multi-select or status: a list, or a mapping from the file's value to the backend's name. A mapping changes
    /// only the names of the options that it mentions, where the preset has the option.
    pub(super) options: Option<Options>,
    /// Kind that a relation points to.
    pub(super) target: Option<String>,
    /// Whether values outside the options create new ones. Default: false. Not for a status.
    pub(super) allow_new_options: Option<bool>,
    /// Text that explains the property in its database.
    pub(super) description: Option<String>,
    /// Colours of options by their value in the file. They count when an option is made; Notion changes no colour
    /// later.
    pub(super) colors: Option<Ordered<ColorFile>>,
    /// Whether a relation shows on the pages that it points to as well: true, or the name of the property there.
    /// Default: false; true stands for the title of this kind's database.
    pub(super) two_way: Option<TwoWay>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Color")]
pub(super) enum ColorFile {
    /// Light gray.
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

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum TwoWay {
    /// Whether it does.
    Switch(bool),
    /// Name of the other property.
    Name(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Type")]
pub(super) enum TypeFile {
    /// The title.
    Title,
    /// Text.
    RichText,
    /// A number.
    Number,
    /// One of several options.
    Select,
    /// Several of several options.
    MultiSelect,
    /// One of the options of a status.
    Status,
    /// A day or a time, with an end or without.
    Date,
    /// Users, by their email addresses.
    People,
    /// Links to files.
    Files,
    /// Ticked or not.
    Checkbox,
    /// An address of the web.
    Url,
    /// An email address.
    Email,
    /// A phone number.
    PhoneNumber,
    /// References to artifacts of another kind.
    Relation,
    /// Computed by Notion; only pulled.
    Formula,
    /// Computed by Notion from related pages; only pulled.
    Rollup,
    /// A number that Notion gives every page; only pulled.
    UniqueId,
    /// When the page was made; only pulled.
    CreatedTime,
    /// Who made the page; only pulled.
    CreatedBy,
    /// When the page was edited last; only pulled.
    LastEditedTime,
    /// Who edited the page last; only pulled.
    LastEditedBy,
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "From")]
pub(super) enum FromFile {
    /// The heading or the file name.
    Word(FromWord),
    /// A place in the text; exactly one key.
    Place(FromPlace),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum FromWord {
    /// The level-1 heading, behind the id.
    Heading,
    /// The id in the file name.
    Id,
}

#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FromPlace {
    /// A key of the front matter.
    pub(super) front_matter: Option<String>,
    /// A top-level key of a YAML artifact.
    pub(super) key: Option<String>,
    /// The first line under a level-2 heading, the first of these that exists.
    pub(super) section: Option<OneOrMany>,
    /// Ids in the list under a level-2 heading.
    pub(super) references: Option<String>,
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Options {
    /// The same name on both sides.
    List(Vec<String>),
    /// Value in the file: name in the backend.
    Map(Ordered<String>),
}

#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub(super) struct LimitsFile {
    /// Share of artifacts that one run may delete. Default: 10%.
    pub(super) max_delete: Option<String>,
    /// Share of artifacts that one run may overwrite. Default: 50%.
    pub(super) max_change: Option<String>,
}

#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "State")]
pub(super) struct StateFile {
    /// Git ref that holds it. Default: refs/agent-sync/state.
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    /// Days that replaced texts are kept. Default: 365.
    pub(super) keep_days: Option<u32>,
}
