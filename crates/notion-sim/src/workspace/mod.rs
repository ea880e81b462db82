//! The workspace: every object, who sees it, and the clock.

pub(crate) mod comments;
pub(crate) mod content;
pub(crate) mod inspect;
pub(crate) mod markdown;
pub(crate) mod objects;
pub(crate) mod person;
pub(crate) mod rows;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::block::{self, Block};
use crate::clock::Clock;
use crate::error::{ApiError, ApiResult};
use crate::ids::Ids;
use crate::options::{Capabilities, Options};
use crate::rich;
use crate::schema::{Property, PropertyKind};
use crate::values::PropertyValue;
use objects::{Comment, DataSource, Database, Page, Parent, User};

/// Everything that the simulated workspace holds. Its methods are those of a person in Notion's own interface, and
/// of a test that looks inside; the connection acts through the API only.
#[derive(Clone)]
pub struct Workspace {
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) capabilities: Capabilities,
    pub(crate) query_cap: usize,
    pub(crate) users: Vec<User>,
    pub(crate) bot: String,
    pub(crate) person: String,
    pub(crate) pages: HashMap<String, Page>,
    pub(crate) databases: HashMap<String, Database>,
    pub(crate) data_sources: HashMap<String, DataSource>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) file_uploads: Vec<crate::api::file_uploads::FileUpload>,
    /// In order of creation.
    pub(crate) views: Vec<crate::api::views::View>,
    pub(crate) has_views: bool,
    /// The page that each block is on.
    pub(crate) block_home: HashMap<String, String>,
    pub(crate) trashed_blocks: HashMap<String, TrashedBlock>,
    /// Objects shared with the connection; what lies below them is shared too.
    pub(crate) shared: HashSet<String>,
    /// Objects taken away from the connection though what holds them is shared.
    pub(crate) hidden: HashSet<String>,
    pub(crate) parent_page: String,
    /// Counts up so that every read signs hosted files anew.
    pub(crate) signature: u64,
    /// One hunk of the next `update_content` with several is silently skipped.
    pub(crate) skip_hunk: bool,
    /// Items of `update_content` whose text is missing are skipped while others apply.
    pub(crate) skip_missing: bool,
    /// Blocks of a page that one answer in Markdown loads at most.
    pub(crate) record_limit: usize,
    /// Markdown v1 is refused, as the next version of the API will.
    pub(crate) reject_v1: bool,
    /// Seed of odd forms in Markdown.
    pub(crate) odd: Option<u64>,
    /// Texts are changed when they are stored.
    pub(crate) odd_text: bool,
}

/// A block in the trash, with the place that it had.
#[derive(Clone, Debug)]
pub(crate) struct TrashedBlock {
    pub(crate) block: Block,
    pub(crate) page: String,
    pub(crate) parent: Option<String>,
}

impl Workspace {
    pub(crate) fn new(options: &Options) -> Self {
        let mut ids = Ids::new(0x5eed);
        let (bot, ada) = (ids.uuid(), ids.uuid());
        let parent_page = options
            .parent_page
            .as_deref()
            .and_then(|id| crate::ids::parse_uuid(id).or_else(|| crate::ids::uuid_of_url(id)))
            .unwrap_or_else(|| ids.uuid());
        let users = vec![
            User { id: bot.clone(), name: "agent-sync".to_owned(), bot: true, email: None },
            User {
                id: ada.clone(),
                name: "Ada".to_owned(),
                bot: false,
                email: Some("ada@example.com".to_owned()),
            },
        ];
        let mut workspace = Self {
            clock: Clock::new(options.start, options.clock),
            ids,
            capabilities: options.capabilities,
            query_cap: options.query_cap,
            users,
            bot,
            person: ada.clone(),
            pages: HashMap::new(),
            databases: HashMap::new(),
            data_sources: HashMap::new(),
            comments: Vec::new(),
            file_uploads: Vec::new(),
            views: Vec::new(),
            has_views: options.views,
            block_home: HashMap::new(),
            trashed_blocks: HashMap::new(),
            shared: HashSet::from([parent_page.clone()]),
            hidden: HashSet::new(),
            parent_page: parent_page.clone(),
            signature: 0,
            skip_hunk: false,
            skip_missing: options.skip_missing,
            record_limit: options.record_limit,
            reject_v1: options.reject_v1,
            odd: options.odd,
            odd_text: options.odd_text,
        };
        let mut page = workspace.blank_page(parent_page, Parent::Workspace, &ada);
        page.title = rich::plain("Engineering");
        workspace.pages.insert(page.id.clone(), page);
        workspace
    }

    /// Simulated time now, with seconds.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the simulated clock.
    pub fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) fn minute(&self) -> Timestamp {
        self.clock.minute()
    }

    pub(crate) fn blank_page(&self, id: String, parent: Parent, actor: &str) -> Page {
        let now = self.minute();
        Page {
            id,
            parent,
            created: now,
            created_by: actor.to_owned(),
            edited: now,
            edited_by: actor.to_owned(),
            in_trash: false,
            is_archived: false,
            is_locked: false,
            icon: Value::Null,
            cover: Value::Null,
            title: Vec::new(),
            values: HashMap::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn user_name(&self, id: &str) -> Option<&str> {
        self.users.iter().find(|user| user.id == id).map(|user| user.name.as_str())
    }

    /// A user as far as the connection may see one.
    pub(crate) fn user_json(&self, id: &str) -> Value {
        let user =
            self.users.iter().find(|user| user.id == id).filter(|_| self.capabilities.user_info);
        match user {
            None => json!({"object": "user", "id": id}),
            Some(user) if user.bot => {
                json!({"object": "user", "id": id, "name": user.name, "avatar_url": null, "type": "bot", "bot": {}})
            }
            Some(user) => {
                let person = match &user.email {
                    Some(email) if self.capabilities.user_email => json!({"email": email}),
                    _ => json!({}),
                };
                json!({
                    "object": "user", "id": id, "name": user.name, "avatar_url": null,
                    "type": "person", "person": person,
                })
            }
        }
    }

    pub(crate) fn database(&self, id: &str) -> Option<&Database> {
        self.databases.get(id)
    }

    /// A block by its id, wherever it is.
    pub(crate) fn block(&self, id: &str) -> Option<&Block> {
        let page = self.pages.get(self.block_home.get(id)?)?;
        block::find(&page.body, id)
    }

    /// Title of a page, database or data source.
    pub(crate) fn title_of(&self, id: &str) -> Option<String> {
        if let Some(page) = self.pages.get(id) {
            return Some(rich::plain_text(self, self.title_text(page)));
        }
        let title = self
            .databases
            .get(id)
            .map(|database| &database.title)
            .or_else(|| self.data_sources.get(id).map(|source| &source.title))?;
        Some(rich::plain_text(self, title))
    }

    /// The title of a page as rich text.
    pub(crate) fn title_text<'a>(&self, page: &'a Page) -> &'a [rich::Span] {
        match (&page.parent, page.values.get("title")) {
            (Parent::DataSource(_), Some(PropertyValue::Text(text))) => text,
            (Parent::DataSource(_), _) => &[],
            _ => &page.title,
        }
    }

    pub(crate) fn data_source_of(&self, page: &Page) -> Option<&DataSource> {
        match &page.parent {
            Parent::DataSource(id) => self.data_sources.get(id),
            _ => None,
        }
    }

    /// What holds an object; `None` at the top of the workspace or for an unknown id.
    fn holder(&self, id: &str) -> Option<&str> {
        let parent = if let Some(page) = self.pages.get(id) {
            &page.parent
        } else if let Some(database) = self.databases.get(id) {
            &database.parent
        } else if let Some(source) = self.data_sources.get(id) {
            return Some(&source.database);
        } else {
            return self.block_home.get(id).map(String::as_str);
        };
        match parent {
            Parent::Workspace => None,
            Parent::Page(id) | Parent::DataSource(id) => Some(id),
        }
    }

    fn holders<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        // Moves cannot make a cycle, but a bound costs nothing.
        std::iter::successors(Some(id), |id| self.holder(id)).take(64)
    }

    /// Whether the connection sees an object: it or something above it is shared.
    pub(crate) fn visible(&self, id: &str) -> bool {
        for id in self.holders(id) {
            if self.hidden.contains(id) {
                return false;
            }
            if self.shared.contains(id) {
                return true;
            }
        }
        false
    }

    /// Whether an object or something that holds it is in the trash.
    pub(crate) fn is_trashed(&self, id: &str) -> bool {
        self.holders(id).any(|id| {
            self.pages.get(id).is_some_and(|page| page.in_trash)
                || self.databases.get(id).is_some_and(|database| database.in_trash)
                || self.data_sources.get(id).is_some_and(|source| source.in_trash)
        })
    }

    pub(crate) fn is_live_page(&self, id: &str) -> bool {
        self.pages.get(id).is_some_and(|page| !page.in_trash)
    }

    /// A relation to a data source that the connection cannot see is left out of schemas and pages.
    pub(crate) fn property_visible(&self, property: &Property) -> bool {
        match &property.kind {
            PropertyKind::Relation { data_source, .. } => self.visible(data_source),
            _ => true,
        }
    }

    pub(crate) fn visible_page(&self, id: &str) -> ApiResult<&Page> {
        self.pages
            .get(id)
            .filter(|_| self.visible(id))
            .ok_or_else(|| ApiError::not_found("page", id))
    }

    pub(crate) fn visible_database(&self, id: &str) -> ApiResult<&Database> {
        self.databases
            .get(id)
            .filter(|_| self.visible(id))
            .ok_or_else(|| ApiError::not_found("database", id))
    }

    pub(crate) fn visible_data_source(&self, id: &str) -> ApiResult<&DataSource> {
        self.data_sources
            .get(id)
            .filter(|_| self.visible(id))
            .ok_or_else(|| ApiError::not_found("data source", id))
    }

    /// A page that may be changed: visible and not in the trash.
    pub(crate) fn editable_page(&self, id: &str) -> ApiResult<&Page> {
        let page = self.visible_page(id)?;
        if self.is_trashed(id) { Err(ApiError::trashed()) } else { Ok(page) }
    }

    /// Checks that a page can be the target of a relation to this data source.
    pub(crate) fn relation_target(&self, id: &str, data_source: &str) -> ApiResult<()> {
        let page = self.visible_page(id)?;
        if page.parent == Parent::DataSource(data_source.to_owned()) {
            Ok(())
        } else {
            Err(ApiError::invalid(format!(
                "Page {id} is not in the data source {data_source} that the relation points to."
            )))
        }
    }

    /// Records an edit of a page: its minute and author.
    pub(crate) fn touch(&mut self, page: &str, actor: &str) {
        let now = self.minute();
        if let Some(page) = self.pages.get_mut(page) {
            page.edited = now;
            page.edited_by = actor.to_owned();
        }
    }
}
