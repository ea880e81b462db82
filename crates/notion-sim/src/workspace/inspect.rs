//! Looking inside, for tests: what the API shows too, and what it does not.

use jiff::Timestamp;

use crate::block::Block;
use crate::markdown::Version;
use crate::markdown::render::{self, View};
use crate::rich;
use crate::values;
use crate::workspace::Workspace;
use crate::workspace::objects::{CommentParent, DataSource, Page, Parent};

/// A database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Id of the page that holds it; `None` at the top of the workspace.
    pub parent: Option<String>,
    /// Id of its first data source.
    pub data_source: String,
    /// Whether it is in the trash.
    pub in_trash: bool,
}

/// A page without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageInfo {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Id of the data source or page that holds it; `None` at the top of the workspace.
    pub parent: Option<String>,
    /// Whether it is in the trash.
    pub in_trash: bool,
    /// Whether it is archived.
    pub is_archived: bool,
    /// Creation, cut to the minute.
    pub created: Timestamp,
    /// Last edit, cut to the minute.
    pub edited: Timestamp,
    /// Id of the user who edited last.
    pub edited_by: String,
}

/// A block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Its id.
    pub id: String,
    /// Its type, as the block API names it.
    pub kind: String,
    /// Its text without annotations; of a table row, its cells with ` | ` between.
    pub text: String,
    /// How deep it lies; 0 for the top level.
    pub depth: usize,
    /// Comments on it.
    pub comments: usize,
}

/// A view of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewInfo {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type, as the API names it.
    pub kind: String,
    /// Its filter as the API takes it; null for none.
    pub filter: serde_json::Value,
    /// Its sorts as the API takes them; null for none.
    pub sorts: serde_json::Value,
    /// Its configuration as the API takes it; null for none.
    pub configuration: serde_json::Value,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentInfo {
    /// Its id.
    pub id: String,
    /// The block it is on; `None` for a comment on the page.
    pub block: Option<String>,
    /// Its thread.
    pub discussion: String,
    /// Its text.
    pub text: String,
    /// Whether its block is gone.
    pub original_content_deleted: bool,
}

impl Workspace {
    /// Id of the bot that the connection acts as.
    pub fn bot(&self) -> &str {
        &self.bot
    }

    /// All databases by minute of creation, then title; trashed ones included.
    pub fn databases(&self) -> Vec<DatabaseInfo> {
        let mut all: Vec<_> = self.databases.values().collect();
        all.sort_by_cached_key(|database| {
            (database.created, rich::plain_text(self, &database.title), database.id.clone())
        });
        all.into_iter()
            .map(|database| DatabaseInfo {
                id: database.id.clone(),
                title: rich::plain_text(self, &database.title),
                parent: database.parent.id(),
                data_source: database.data_sources.first().cloned().unwrap_or_default(),
                in_trash: database.in_trash,
            })
            .collect()
    }

    /// The first live database with this title.
    pub fn database_by_title(&self, title: &str) -> Option<DatabaseInfo> {
        self.databases().into_iter().find(|database| database.title == title && !database.in_trash)
    }

    /// A data source by its own id, its database's id, or its database's title.
    pub(crate) fn resolve_source(&self, name: &str) -> Option<&DataSource> {
        let direct = |id: &str| {
            let id = crate::ids::parse_uuid(id)?;
            self.data_sources
                .get(&id)
                .or_else(|| self.data_sources.get(self.databases.get(&id)?.data_sources.first()?))
        };
        direct(name).or_else(|| self.data_sources.get(&self.database_by_title(name)?.data_source))
    }

    /// Ids of the pages of a database (id or title) or data source in order of creation; trashed ones only if
    /// asked for.
    pub fn pages_of(&self, database: &str, with_trashed: bool) -> Vec<String> {
        let Some(source) = self.resolve_source(database) else { return Vec::new() };
        source
            .rows
            .iter()
            .filter(|id| with_trashed || self.pages.get(*id).is_some_and(|page| !page.in_trash))
            .cloned()
            .collect()
    }

    /// Live pages of a database (id or title) whose property of this name has this text.
    pub fn pages_with(&self, database: &str, property: &str, text: &str) -> Vec<String> {
        let mut ids = self.pages_of(database, false);
        ids.retain(|id| self.property_text(id, property).as_deref() == Some(text));
        ids
    }

    /// The first live page of a database (id or title) whose property of this name has this text.
    pub fn page_with(&self, database: &str, property: &str, text: &str) -> Option<String> {
        self.pages_with(database, property, text).into_iter().next()
    }

    /// The live pages right under a page, as (id, title), oldest first.
    pub fn subpages(&self, parent: &str) -> Vec<(String, String)> {
        let mut all: Vec<&Page> = self
            .pages
            .values()
            .filter(|page| !page.in_trash && page.parent == Parent::Page(parent.to_owned()))
            .collect();
        all.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        all.into_iter()
            .map(|page| (page.id.clone(), rich::plain_text(self, self.title_text(page))))
            .collect()
    }

    /// A page without its content.
    pub fn page(&self, id: &str) -> Option<PageInfo> {
        let page = self.pages.get(&crate::ids::parse_uuid(id)?)?;
        Some(PageInfo {
            id: page.id.clone(),
            title: rich::plain_text(self, self.title_text(page)),
            parent: page.parent.id(),
            in_trash: page.in_trash,
            is_archived: page.is_archived,
            created: page.created,
            edited: page.edited,
            edited_by: page.edited_by.clone(),
        })
    }

    /// The body of a page in Markdown v1; empty for an unknown page. Hosted files have an address that does not
    /// change, unlike in answers of the API.
    pub fn markdown(&self, page: &str) -> String {
        match self.pages.get(page) {
            Some(found) => render::render(self, page, &found.body, View::inside(Version::V1)).text,
            None => String::new(),
        }
    }

    /// The body of a page in Markdown v2, else as [`Self::markdown`].
    pub fn markdown_v2(&self, page: &str) -> String {
        match self.pages.get(page) {
            Some(found) => render::render(self, page, &found.body, View::inside(Version::V2)).text,
            None => String::new(),
        }
    }

    /// All blocks of a page, parents before children.
    pub fn blocks(&self, page: &str) -> Vec<BlockInfo> {
        let mut out = Vec::new();
        if let Some(page) = self.pages.get(page) {
            self.list_blocks(&page.body, 0, &mut out);
        }
        out
    }

    fn list_blocks(&self, blocks: &[Block], depth: usize, out: &mut Vec<BlockInfo>) {
        for block in blocks {
            out.push(BlockInfo {
                id: block.id.clone(),
                kind: block.kind.name().to_owned(),
                text: self.block_text(block),
                depth,
                comments: self
                    .comments
                    .iter()
                    .filter(|comment| comment.parent == CommentParent::Block(block.id.clone()))
                    .count(),
            });
            self.list_blocks(&block.children, depth + 1, out);
        }
    }

    pub(crate) fn block_text(&self, block: &Block) -> String {
        match &block.kind {
            crate::block::Kind::TableRow { cells } => cells
                .iter()
                .map(|cell| rich::plain_text(self, cell))
                .collect::<Vec<_>>()
                .join(" | "),
            crate::block::Kind::Equation { expression } => expression.clone(),
            crate::block::Kind::ChildPage | crate::block::Kind::ChildDatabase => {
                self.title_of(&block.id).unwrap_or_default()
            }
            kind => kind.text().map(|text| rich::plain_text(self, text)).unwrap_or_default(),
        }
    }

    /// A property of a row as text: names of options and ids of pages joined by `, `; empty if unset, `None` if
    /// there is no such property.
    pub fn property_text(&self, page: &str, name: &str) -> Option<String> {
        let page = self.pages.get(page)?;
        let property = self.data_source_of(page)?.lookup(name)?;
        Some(values::value_text(self, page, property))
    }

    /// Names of the properties of a database (id or title), in order.
    pub fn property_names(&self, database: &str) -> Vec<String> {
        let source = self.resolve_source(database);
        source
            .map(|source| source.properties.iter().map(|property| property.name.clone()).collect())
            .unwrap_or_default()
    }

    /// Names of the options of a property of a database (id or title), in order.
    pub fn options(&self, database: &str, property: &str) -> Vec<String> {
        let property = self.resolve_source(database).and_then(|source| source.lookup(property));
        let options = property.and_then(|property| property.kind.options());
        options
            .map(|options| options.iter().map(|option| option.name.clone()).collect())
            .unwrap_or_default()
    }

    /// The views of a database (id or title), in order of creation.
    pub fn views(&self, database: &str) -> Vec<ViewInfo> {
        let Some(source) = self.resolve_source(database) else { return Vec::new() };
        self.views
            .iter()
            .filter(|view| view.database == source.database)
            .map(|view| ViewInfo {
                id: view.id.clone(),
                name: view.name.clone(),
                kind: view.kind.clone(),
                filter: view.filter.clone(),
                sorts: view.sorts.clone(),
                configuration: view.configuration.clone(),
            })
            .collect()
    }

    /// A property of a database (id or title) as the API shows it; null where there is none.
    pub fn property_json(&self, database: &str, property: &str) -> serde_json::Value {
        let source = self.resolve_source(database);
        let property = source.and_then(|source| source.lookup(property));
        property.map(crate::schema::Property::to_json).unwrap_or_default()
    }

    /// The text under the title of a database (id or title).
    pub fn description(&self, database: &str) -> String {
        let source = self.resolve_source(database);
        let database = source.and_then(|source| self.databases.get(&source.database));
        database.map(|found| rich::plain_text(self, &found.description)).unwrap_or_default()
    }

    /// Every value of every row of the databases with this title, as `page property: text` by property id, sorted: what no
    /// change of a schema may lose.
    pub fn values(&self, database: &str) -> Vec<String> {
        let Some(source) = self.resolve_source(database) else { return Vec::new() };
        let mut all: Vec<String> = source
            .rows
            .iter()
            .filter_map(|id| self.pages.get(id))
            .flat_map(|page| {
                source.properties.iter().filter_map(move |property| {
                    let text = values::value_text(self, page, property);
                    (!text.is_empty()).then(|| format!("{} {}: {text}", page.id, property.id))
                })
            })
            .collect();
        all.sort();
        all
    }

    /// All open comments on a page and its blocks, oldest first.
    pub fn comments(&self, page: &str) -> Vec<CommentInfo> {
        self.comments
            .iter()
            .filter(|comment| comment.page == page && !comment.resolved)
            .map(|comment| CommentInfo {
                id: comment.id.clone(),
                block: match &comment.parent {
                    CommentParent::Page(_) => None,
                    CommentParent::Block(id) => Some(id.clone()),
                },
                discussion: comment.discussion.clone(),
                text: rich::plain_text(self, &comment.text),
                original_content_deleted: comment.original_deleted,
            })
            .collect()
    }

    /// Everything that a reader of the workspace's databases sees, as text that two runs can be compared by: no
    /// ids, no times. Pages are sorted by their properties, relations named by title.
    pub fn snapshot(&self) -> String {
        let mut out = String::new();
        for database in self.databases() {
            out.push_str(&format!("# {}{}\n", database.title, trash_mark(database.in_trash)));
            let mut pages: Vec<String> = self
                .pages_of(&database.data_source, true)
                .iter()
                .filter_map(|id| self.pages.get(id))
                .map(|page| self.page_snapshot(page))
                .collect();
            pages.sort();
            out.extend(pages);
        }
        out
    }

    fn page_snapshot(&self, page: &Page) -> String {
        let mut out = format!(
            "## {}{}\n",
            rich::plain_text(self, self.title_text(page)),
            trash_mark(page.in_trash)
        );
        for property in self.data_source_of(page).into_iter().flat_map(|source| &source.properties)
        {
            let value = match page.values.get(&property.id) {
                Some(values::PropertyValue::Relation(targets)) => {
                    let mut titles: Vec<String> =
                        targets.iter().filter_map(|id| self.title_of(id)).collect();
                    titles.sort();
                    titles.join(", ")
                }
                _ => values::value_text(self, page, property),
            };
            out.push_str(&format!("{}: {value}\n", property.name));
        }
        let body = render::render(self, &page.id, &page.body, View::inside(Version::V1)).text;
        out.push_str(&body);
        out.push('\n');
        out
    }
}

fn trash_mark(in_trash: bool) -> &'static str {
    if in_trash { " (trash)" } else { "" }
}
