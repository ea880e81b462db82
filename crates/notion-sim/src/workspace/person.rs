//! Acting as a person in Notion's own interface.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::block::{self, Block, Kind, MediaKind, MediaSource};
use crate::ids;
use crate::markdown::{inline, parse};
use crate::request::Obj;
use crate::rich::{self, Content, RichText, Span};
use crate::schema::{self, PropertyKind, SelectOption};
use crate::values::{self, Written};
use crate::workspace::Workspace;
use crate::workspace::content::Position;
use crate::workspace::objects::{CommentParent, Parent, User};

/// Why a person could not do something: there is no such page, block, or property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonError(String);

impl std::fmt::Display for PersonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PersonError {}

impl From<crate::error::ApiError> for PersonError {
    fn from(error: crate::error::ApiError) -> Self {
        Self(error.message)
    }
}

type Done<T> = Result<T, PersonError>;

fn no(what: &str, name: &str) -> PersonError {
    PersonError(format!("there is no {what} {name:?}"))
}

/// Blocks that Markdown v1 cannot express or that only people make.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Special {
    /// A bookmark of this address.
    Bookmark(String),
    /// An embed of this address.
    Embed(String),
    /// A link to another page, by its id.
    LinkToPage(String),
    /// An original synced block with this Markdown inside.
    Synced(String),
    /// A copy of the synced block with this id.
    SyncedCopy(String),
    /// A child page with this title.
    ChildPage(String),
    /// A child database with this title.
    ChildDatabase(String),
    /// A file hosted by Notion, whose address is signed anew on every read.
    HostedImage(String),
    /// A block that the API does not show, of this type, e.g. `button`.
    Unsupported(String),
    /// A breadcrumb.
    Breadcrumb,
    /// A preview of this address.
    LinkPreview(String),
    /// Notes of a meeting with this title.
    MeetingNotes(String),
}

impl Workspace {
    /// Adds a person and gives the id. The person there at the start is called Ada.
    pub fn add_person(&mut self, name: &str) -> String {
        let id = self.ids.uuid();
        let email = Some(format!("{}@example.com", name.to_lowercase().replace(' ', ".")));
        self.users.push(User { id: id.clone(), name: name.to_owned(), bot: false, email });
        id
    }

    /// Id of the person who acts.
    pub fn person(&self) -> &str {
        &self.person
    }

    /// Lets another person act from now on.
    ///
    /// # Errors
    /// If there is no such user.
    pub fn act_as(&mut self, user: &str) -> Done<()> {
        if self.user_name(user).is_none() {
            return Err(no("user", user));
        }
        self.person = user.to_owned();
        Ok(())
    }

    fn actor(&self) -> String {
        self.person.clone()
    }

    fn known_page(&self, page: &str) -> Done<String> {
        let id = ids::parse_uuid(page)
            .or_else(|| ids::uuid_of_url(page))
            .ok_or_else(|| no("page", page))?;
        if self.pages.contains_key(&id) { Ok(id) } else { Err(no("page", page)) }
    }

    /// The deepest-first-found block of a page whose text contains `text`.
    fn block_containing(&self, page: &str, text: &str) -> Done<String> {
        let found = self.pages.get(page).ok_or_else(|| no("page", page))?;
        let mut hit: Option<&Block> = None;
        block::walk(&found.body, &mut |block| {
            if hit.is_none() && self.block_text(block).contains(text) {
                hit = Some(block);
            }
        });
        hit.map(|block| block.id.clone()).ok_or_else(|| no("block with the text", text))
    }

    /// Replaces the text of the first block that contains `containing` by `text` (inline Markdown). In a table, of
    /// the cell. The block keeps its id, children and comments. Gives the block's id.
    ///
    /// # Errors
    /// If there is no such page or block.
    pub fn edit_block(&mut self, page: &str, containing: &str, text: &str) -> Done<String> {
        let page = self.known_page(page)?;
        let id = self.block_containing(&page, containing)?;
        let mut kind = self.block(&id).ok_or_else(|| no("block", &id))?.kind.clone();
        let new = if matches!(kind, Kind::Code { .. }) {
            rich::plain(text)
        } else {
            inline::parse(text)?
        };
        match &mut kind {
            Kind::TableRow { cells } => {
                let at =
                    cells.iter().position(|cell| rich::plain_text(self, cell).contains(containing));
                let cell =
                    at.and_then(|at| cells.get_mut(at)).ok_or_else(|| no("cell", containing))?;
                *cell = new;
            }
            Kind::Equation { expression } => *expression = text.to_owned(),
            other => match other.text_mut() {
                Some(old) => *old = new,
                None => {
                    return Err(PersonError(format!(
                        "the block with {containing:?} has no text to edit"
                    )));
                }
            },
        }
        let actor = self.actor();
        self.set_block_kind(&page, &id, kind, &actor);
        Ok(id)
    }

    /// Adds blocks (Markdown v1) at the end of a page and gives their ids.
    ///
    /// # Errors
    /// If there is no such page or the Markdown is refused.
    pub fn append_markdown(&mut self, page: &str, markdown: &str) -> Done<Vec<String>> {
        let page = self.known_page(page)?;
        self.insert_markdown(&page, None, &Position::End, markdown)
    }

    /// Adds blocks (Markdown v1) after the first block that contains `containing`, at the same depth.
    ///
    /// # Errors
    /// If there is no such page or block or the Markdown is refused.
    pub fn insert_after(
        &mut self,
        page: &str,
        containing: &str,
        markdown: &str,
    ) -> Done<Vec<String>> {
        let page = self.known_page(page)?;
        let id = self.block_containing(&page, containing)?;
        let parent = self
            .pages
            .get(&page)
            .and_then(|page| block::parent_of(&page.body, &id))
            .map(str::to_owned);
        self.insert_markdown(&page, parent.as_deref(), &Position::After(id), markdown)
    }

    fn insert_markdown(
        &mut self,
        page: &str,
        parent: Option<&str>,
        at: &Position,
        markdown: &str,
    ) -> Done<Vec<String>> {
        let actor = self.actor();
        let blocks = self.markdown_blocks(page, parse::parse(markdown)?, &actor)?;
        let new = blocks.iter().map(|block| block.id.clone()).collect();
        self.insert_blocks(page, parent, at, blocks);
        self.touch(page, &actor);
        Ok(new)
    }

    /// Deletes the first block that contains `containing`, with its children.
    ///
    /// # Errors
    /// If there is no such page or block.
    pub fn delete_block(&mut self, page: &str, containing: &str) -> Done<()> {
        let page = self.known_page(page)?;
        let id = self.block_containing(&page, containing)?;
        let actor = self.actor();
        self.trash_block(&id, &actor).map(|_| ()).ok_or_else(|| no("block", &id))
    }

    /// Adds a block that Markdown cannot express, at the end of a page, and gives its id.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn add_block(&mut self, page: &str, special: &Special) -> Done<String> {
        let page = self.known_page(page)?;
        let actor = self.actor();
        let (kind, children) = match special {
            Special::Bookmark(url) => {
                (Kind::Bookmark { url: url.clone(), caption: Vec::new() }, Vec::new())
            }
            Special::Embed(url) => {
                (Kind::Embed { url: url.clone(), caption: Vec::new() }, Vec::new())
            }
            Special::LinkToPage(id) => {
                (Kind::LinkToPage { target: json!({"type": "page_id", "page_id": id}) }, Vec::new())
            }
            Special::Synced(markdown) => (
                Kind::Synced { from: None },
                self.markdown_blocks(&page, parse::parse(markdown)?, &actor)?,
            ),
            Special::SyncedCopy(id) => (Kind::Synced { from: Some(id.clone()) }, Vec::new()),
            Special::ChildPage(title) => {
                return Ok(self.new_subpage(&page, rich::plain(title), &actor));
            }
            Special::ChildDatabase(title) => {
                return self.create_database(&page, title, &json!({"Name": {"title": {}}}));
            }
            Special::HostedImage(name) => {
                let source = MediaSource::Hosted(format!("{}/{name}", self.ids.uuid()));
                (Kind::Media { media: MediaKind::Image, source, caption: Vec::new() }, Vec::new())
            }
            Special::Unsupported(block_type) => {
                (Kind::Unsupported { block_type: block_type.clone() }, Vec::new())
            }
            Special::Breadcrumb => (Kind::Breadcrumb, Vec::new()),
            Special::LinkPreview(url) => (Kind::LinkPreview { url: url.clone() }, Vec::new()),
            Special::MeetingNotes(title) => {
                (Kind::MeetingNotes { title: rich::plain(title) }, Vec::new())
            }
        };
        let block = self.new_block(&page, kind, children, &actor);
        let id = block.id.clone();
        self.insert_blocks(&page, None, &Position::End, vec![block]);
        self.touch(&page, &actor);
        Ok(id)
    }

    /// Gives a page another title.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn rename(&mut self, page: &str, title: &str) -> Done<()> {
        let page = self.known_page(page)?;
        let text = rich::plain(title);
        match self.pages.get(&page).map(|page| page.parent.clone()) {
            Some(Parent::DataSource(source)) => {
                let value = (!text.is_empty()).then_some(values::PropertyValue::Text(text));
                self.set_value(&page, &source, "title", value);
            }
            _ => {
                if let Some(page) = self.pages.get_mut(&page) {
                    page.title = text;
                }
            }
        }
        let actor = self.actor();
        self.touch(&page, &actor);
        Ok(())
    }

    /// Sets a property of a row. A text means what a person would type there: the name of an option (several with
    /// commas between), a day, a number, `true`, ids of pages with commas between; an empty text or null clears
    /// it. An object is taken as the API writes it, e.g. `{"date": {"start": "2026-11-20"}}`.
    ///
    /// # Errors
    /// If there is no such page or property or the value does not fit.
    pub fn set_property(&mut self, page: &str, name: &str, value: impl Into<Value>) -> Done<()> {
        let page = self.known_page(page)?;
        let value = value.into();
        let found = self.pages.get(&page).ok_or_else(|| no("page", &page))?;
        let source = self.data_source_of(found).ok_or_else(|| no("property", name))?;
        let property = source.lookup(name).ok_or_else(|| no("property", name))?;
        let (source_id, id) = (source.id.clone(), property.id.clone());
        let api = match value {
            Value::Object(_) => value,
            Value::Null => typed(&property.kind, "")?,
            Value::String(text) => typed(&property.kind, &text)?,
            other => typed(&property.kind, &other.to_string())?,
        };
        let written = if api.is_null() {
            Written::Clear
        } else {
            values::read(self, property, &api, "value")?
        };
        self.write_values(&page, &source_id, vec![(id, written)]);
        let actor = self.actor();
        self.touch(&page, &actor);
        Ok(())
    }

    /// Moves a page to the trash.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn trash(&mut self, page: &str) -> Done<()> {
        self.set_page_trash(page, true)
    }

    /// Takes a page out of the trash.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn restore(&mut self, page: &str) -> Done<()> {
        self.set_page_trash(page, false)
    }

    fn set_page_trash(&mut self, page: &str, in_trash: bool) -> Done<()> {
        let page = self.known_page(page)?;
        let actor = self.actor();
        self.set_trash(&page, in_trash, &actor);
        Ok(())
    }

    /// Deletes a page for good: it is as if it had never been there.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn delete_forever(&mut self, page: &str) -> Done<()> {
        let page = self.known_page(page)?;
        if let Some(gone) = self.pages.remove(&page) {
            for block in &gone.body {
                self.forget(block);
            }
            match &gone.parent {
                Parent::DataSource(source) => {
                    if let Some(source) = self.data_sources.get_mut(source) {
                        source.rows.retain(|row| *row != page);
                    }
                }
                Parent::Page(holder) => self.detach_child(&page, holder),
                _ => {}
            }
        }
        Ok(())
    }

    /// Archives a page or takes it out of the archive: alive, but not listed by default.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn archive(&mut self, page: &str, archived: bool) -> Done<()> {
        let id = self.known_page(page)?;
        let actor = self.actor();
        if let Some(page) = self.pages.get_mut(&id) {
            page.is_archived = archived;
        }
        self.touch(&id, &actor);
        Ok(())
    }

    /// Moves a page below another page, out of its data source.
    ///
    /// # Errors
    /// If one of them does not exist.
    pub fn move_to_page(&mut self, page: &str, target: &str) -> Done<()> {
        let (page, target) = (self.known_page(page)?, self.known_page(target)?);
        let actor = self.actor();
        self.reparent(&page, Parent::Page(target), &actor);
        Ok(())
    }

    /// Moves a page into a database (id or title).
    ///
    /// # Errors
    /// If one of them does not exist.
    pub fn move_to_database(&mut self, page: &str, database: &str) -> Done<()> {
        let page = self.known_page(page)?;
        let source =
            self.resolve_source(database).ok_or_else(|| no("database", database))?.id.clone();
        let actor = self.actor();
        self.reparent(&page, Parent::DataSource(source), &actor);
        Ok(())
    }

    /// Gives a page another place; of its properties, only the title goes with it.
    pub(crate) fn reparent(&mut self, page: &str, parent: Parent, actor: &str) {
        let Some(found) = self.pages.get(page) else { return };
        let title: RichText = self.title_text(found).to_vec();
        let before = found.parent.clone();
        match &before {
            Parent::DataSource(source) => {
                if let Some(source) = self.data_sources.get_mut(source) {
                    source.rows.retain(|row| row != page);
                }
            }
            Parent::Page(holder) => self.detach_child(page, holder),
            _ => {}
        }
        if let Some(found) = self.pages.get_mut(page) {
            found.parent = parent.clone();
            if before != parent {
                found.values.clear();
            }
            found.title.clone_from(&title);
        }
        match &parent {
            Parent::DataSource(source) => {
                self.adopt_row(page, source);
                let value = (!title.is_empty()).then_some(values::PropertyValue::Text(title));
                self.set_value(page, source, "title", value);
            }
            Parent::Page(holder) => self.attach_child(page, holder, actor),
            _ => {}
        }
        self.touch(page, actor);
    }

    /// Comments on a page or a block and gives the id of the new thread.
    ///
    /// # Errors
    /// If there is no such page or block.
    pub fn comment(&mut self, target: &str, text: &str) -> Done<String> {
        let id = ids::parse_uuid(target).ok_or_else(|| no("page or block", target))?;
        let (page, parent) = if self.pages.contains_key(&id) {
            (id.clone(), CommentParent::Page(id))
        } else {
            let page =
                self.block_home.get(&id).cloned().ok_or_else(|| no("page or block", target))?;
            (page, CommentParent::Block(id))
        };
        let actor = self.actor();
        Ok(self.add_comment(&page, parent, None, rich::plain(text), &actor).discussion)
    }

    /// Comments on some words of a page: they get an anchor that Markdown shows as `discussion-urls`. Gives the id
    /// of the new thread.
    ///
    /// # Errors
    /// If the words are not found inside one run of text.
    pub fn comment_on_words(&mut self, page: &str, words: &str, text: &str) -> Done<String> {
        let page = self.known_page(page)?;
        let block = self.block_containing(&page, words)?;
        let discussion = self.comment(&block, text)?;
        let anchored = self
            .pages
            .get_mut(&page)
            .and_then(|page| block::find_mut(&mut page.body, &block))
            .and_then(|block| block.kind.text_mut())
            .is_some_and(|spans| anchor(spans, words, &discussion));
        if anchored { Ok(discussion) } else { Err(no("run of text", words)) }
    }

    /// Adds an option to a property of a database (id or title).
    ///
    /// # Errors
    /// If there is no such property, or it has no options.
    pub fn add_option(&mut self, database: &str, property: &str, name: &str) -> Done<()> {
        schema::check_option_name(name)?;
        let option = SelectOption::new(&mut self.ids, name);
        self.property_of(database, property)?
            .kind
            .options_mut()
            .ok_or_else(|| no("select", property))?
            .push(option);
        Ok(())
    }

    /// Removes a property of a database (id or title), with its values.
    ///
    /// # Errors
    /// If there is no such property.
    pub fn remove_property(&mut self, database: &str, property: &str) -> Done<()> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let id = source.lookup(property).ok_or_else(|| no("property", property))?.id.clone();
        let source = source.id.clone();
        let actor = self.actor();
        self.change_schema(&source, vec![crate::workspace::rows::SchemaChange::Remove(id)], &actor);
        Ok(())
    }

    /// Renames a property of a database (id or title).
    ///
    /// # Errors
    /// If there is no such property.
    pub fn rename_property(&mut self, database: &str, property: &str, name: &str) -> Done<()> {
        self.property_of(database, property)?.name = name.to_owned();
        Ok(())
    }

    fn property_of(&mut self, database: &str, property: &str) -> Done<&mut schema::Property> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let id = source.lookup(property).ok_or_else(|| no("property", property))?.id.clone();
        let source = source.id.clone();
        self.property_mut(&source, &id).ok_or_else(|| no("property", property))
    }

    /// Makes a page in a database (id or title) with properties (as for [`Self::set_property`]) and a body, and
    /// gives its id.
    ///
    /// # Errors
    /// If there is no such database or something does not fit.
    pub fn create_page(
        &mut self,
        database: &str,
        title: &str,
        properties: &[(&str, Value)],
        markdown: &str,
    ) -> Done<String> {
        let source =
            self.resolve_source(database).ok_or_else(|| no("database", database))?.id.clone();
        let actor = self.actor();
        let id = self.new_row(&source, &actor);
        self.rename(&id, title)?;
        for (name, value) in properties {
            self.set_property(&id, name, value.clone())?;
        }
        self.append_markdown(&id, markdown)?;
        Ok(id)
    }

    /// Makes a page below another page and gives its id.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn create_subpage(&mut self, parent: &str, title: &str, markdown: &str) -> Done<String> {
        let parent = self.known_page(parent)?;
        let actor = self.actor();
        let id = self.new_subpage(&parent, rich::plain(title), &actor);
        self.append_markdown(&id, markdown)?;
        Ok(id)
    }

    /// Makes a page at the top of the workspace, shared with nobody, and gives its id.
    pub fn create_private_page(&mut self, title: &str) -> String {
        let id = self.ids.uuid();
        let actor = self.actor();
        let mut page = self.blank_page(id.clone(), Parent::Workspace, &actor);
        page.title = rich::plain(title);
        self.pages.insert(id.clone(), page);
        id
    }

    /// Makes a database below a page, with a schema as in `initial_data_source.properties`, and gives its id.
    ///
    /// # Errors
    /// If there is no such page or the schema is refused.
    pub fn create_database(&mut self, parent: &str, title: &str, schema: &Value) -> Done<String> {
        let parent = self.known_page(parent)?;
        let properties = schema::new_schema(&Obj::new(schema, "properties")?, &mut self.ids)?;
        let actor = self.actor();
        Ok(self.new_database(Parent::Page(parent), rich::plain(title), properties, &actor))
    }

    /// Moves a database (id or title) to the trash.
    ///
    /// # Errors
    /// If there is no such database.
    pub fn delete_database(&mut self, database: &str) -> Done<()> {
        let id =
            self.resolve_source(database).ok_or_else(|| no("database", database))?.database.clone();
        let actor = self.actor();
        self.set_trash(&id, true, &actor);
        Ok(())
    }

    /// Gives a database (id or title) another title.
    ///
    /// # Errors
    /// If there is no such database.
    pub fn rename_database(&mut self, database: &str, title: &str) -> Done<()> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let (id, source) = (source.database.clone(), source.id.clone());
        if let Some(database) = self.databases.get_mut(&id) {
            database.title = rich::plain(title);
        }
        if let Some(source) = self.data_sources.get_mut(&source) {
            source.title = rich::plain(title);
        }
        Ok(())
    }

    /// Shares a page or database, and what is below it, with the connection.
    pub fn share(&mut self, id: &str) {
        self.hidden.remove(id);
        self.shared.insert(id.to_owned());
    }

    /// Takes a page or database, and what is below it, away from the connection.
    pub fn unshare(&mut self, id: &str) {
        self.shared.remove(id);
        self.hidden.insert(id.to_owned());
    }
}

/// What a person types into a property, as the API writes it.
fn typed(kind: &PropertyKind, text: &str) -> Done<Value> {
    let name = kind.name();
    let list = |key: &str| -> Vec<Value> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| json!({key: part}))
            .collect()
    };
    let rich = || if text.is_empty() { json!([]) } else { json!([{"text": {"content": text}}]) };
    let inner = match kind {
        PropertyKind::Title | PropertyKind::RichText => rich(),
        PropertyKind::MultiSelect { .. } => json!(list("name")),
        PropertyKind::Relation { .. } | PropertyKind::People => json!(list("id")),
        PropertyKind::Checkbox => json!(text == "true"),
        PropertyKind::Files => json!([]),
        _ if text.is_empty() => Value::Null,
        PropertyKind::Select { .. } | PropertyKind::Status { .. } => json!({"name": text}),
        PropertyKind::Date => json!({"start": text}),
        PropertyKind::Number { .. } => serde_json::from_str(text)
            .map_err(|_| PersonError(format!("{text:?} is not a number")))?,
        PropertyKind::Url | PropertyKind::Email | PropertyKind::PhoneNumber => json!(text),
        _ => return Err(PersonError(format!("a property of type {name} cannot be typed into"))),
    };
    // People may clear a status; the API sets the default instead.
    if inner.is_null() {
        return Ok(Value::Null);
    }
    let mut out = Map::new();
    out.insert(name.to_owned(), inner);
    Ok(Value::Object(out))
}

/// Splits the run that holds the words and anchors a discussion to them.
fn anchor(spans: &mut RichText, words: &str, discussion: &str) -> bool {
    for at in 0..spans.len() {
        let Some(span) = spans.get(at) else { return false };
        let Content::Text(text) = &span.content else { continue };
        let Some(start) = text.find(words) else { continue };
        let part = |piece: &str, anchored: bool| {
            let mut part: Span = span.clone();
            part.content = Content::Text(piece.to_owned());
            if anchored {
                part.discussions.push(discussion.to_owned());
            }
            part
        };
        let end = start + words.len();
        let parts =
            [part(&text[..start], false), part(&text[start..end], true), part(&text[end..], false)];
        spans.splice(at..=at, parts);
        *spans = rich::merged(std::mem::take(spans));
        return true;
    }
    false
}

/// What a person does, as the control endpoint `POST /_sim/person` takes it. Pages are named by id or address,
/// databases by id or title.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    EditBlock {
        page: String,
        containing: String,
        text: String,
    },
    AppendMarkdown {
        page: String,
        markdown: String,
    },
    InsertAfter {
        page: String,
        containing: String,
        markdown: String,
    },
    DeleteBlock {
        page: String,
        containing: String,
    },
    AddBlock {
        page: String,
        block: Special,
    },
    Rename {
        page: String,
        title: String,
    },
    SetProperty {
        page: String,
        property: String,
        value: Value,
    },
    Trash {
        page: String,
    },
    Restore {
        page: String,
    },
    Archive {
        page: String,
        archived: bool,
    },
    MoveToPage {
        page: String,
        target: String,
    },
    MoveToDatabase {
        page: String,
        database: String,
    },
    Comment {
        target: String,
        text: String,
    },
    CommentOnWords {
        page: String,
        words: String,
        text: String,
    },
    AddOption {
        database: String,
        property: String,
        name: String,
    },
    RemoveProperty {
        database: String,
        property: String,
    },
    RenameProperty {
        database: String,
        property: String,
        name: String,
    },
    CreatePage {
        database: String,
        title: String,
        #[serde(default)]
        properties: Map<String, Value>,
        #[serde(default)]
        markdown: String,
    },
    CreateSubpage {
        parent: String,
        title: String,
        #[serde(default)]
        markdown: String,
    },
    CreateDatabase {
        parent: String,
        title: String,
        schema: Value,
    },
    DeleteDatabase {
        database: String,
    },
    Share {
        id: String,
    },
    Unshare {
        id: String,
    },
    /// Looks: all databases with their pages.
    List,
    /// Looks: a page found by a property.
    Find {
        database: String,
        property: String,
        text: String,
    },
    /// Looks: the body of a page.
    Markdown {
        page: String,
    },
}

/// Does what a person does and gives what came of it: an id, a list, or nothing.
pub(crate) fn perform(ws: &mut Workspace, action: &Action) -> Done<Value> {
    let id = |id: String| json!({"id": id});
    let nothing = |()| json!({});
    match action {
        Action::EditBlock { page, containing, text } => {
            ws.edit_block(page, containing, text).map(id)
        }
        Action::AppendMarkdown { page, markdown } => {
            ws.append_markdown(page, markdown).map(|ids| json!({"ids": ids}))
        }
        Action::InsertAfter { page, containing, markdown } => {
            ws.insert_after(page, containing, markdown).map(|ids| json!({"ids": ids}))
        }
        Action::DeleteBlock { page, containing } => ws.delete_block(page, containing).map(nothing),
        Action::AddBlock { page, block } => ws.add_block(page, block).map(id),
        Action::Rename { page, title } => ws.rename(page, title).map(nothing),
        Action::SetProperty { page, property, value } => {
            ws.set_property(page, property, value.clone()).map(nothing)
        }
        Action::Trash { page } => ws.trash(page).map(nothing),
        Action::Restore { page } => ws.restore(page).map(nothing),
        Action::Archive { page, archived } => ws.archive(page, *archived).map(nothing),
        Action::MoveToPage { page, target } => ws.move_to_page(page, target).map(nothing),
        Action::MoveToDatabase { page, database } => {
            ws.move_to_database(page, database).map(nothing)
        }
        Action::Comment { target, text } => ws.comment(target, text).map(id),
        Action::CommentOnWords { page, words, text } => {
            ws.comment_on_words(page, words, text).map(id)
        }
        Action::AddOption { database, property, name } => {
            ws.add_option(database, property, name).map(nothing)
        }
        Action::RemoveProperty { database, property } => {
            ws.remove_property(database, property).map(nothing)
        }
        Action::RenameProperty { database, property, name } => {
            ws.rename_property(database, property, name).map(nothing)
        }
        Action::CreatePage { database, title, properties, markdown } => {
            let properties: Vec<(&str, Value)> =
                properties.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            ws.create_page(database, title, &properties, markdown).map(id)
        }
        Action::CreateSubpage { parent, title, markdown } => {
            ws.create_subpage(parent, title, markdown).map(id)
        }
        Action::CreateDatabase { parent, title, schema } => {
            ws.create_database(parent, title, schema).map(id)
        }
        Action::DeleteDatabase { database } => ws.delete_database(database).map(nothing),
        Action::Share { id } => {
            ws.share(id);
            Ok(json!({}))
        }
        Action::Unshare { id } => {
            ws.unshare(id);
            Ok(json!({}))
        }
        Action::List => Ok(list(ws)),
        Action::Find { database, property, text } => {
            Ok(json!({"ids": ws.pages_with(database, property, text)}))
        }
        Action::Markdown { page } => {
            let page = ws.known_page(page)?;
            Ok(json!({"markdown": ws.markdown(&page)}))
        }
    }
}

fn list(ws: &Workspace) -> Value {
    ws.databases()
        .into_iter()
        .map(|database| {
            let pages: Vec<Value> = ws
                .pages_of(&database.id, false)
                .into_iter()
                .map(|page| json!({"id": page, "title": ws.title_of(&page)}))
                .collect();
            json!({"id": database.id, "title": database.title, "data_source": database.data_source, "pages": pages})
        })
        .collect()
}
