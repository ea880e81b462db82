//! Acting as a person in Notion's own interface: who acts, blocks, comments.

pub(crate) mod action;
mod blocks;
mod rows;

use serde::Deserialize;
use serde_json::json;

use crate::block::{self, Block, Kind, MediaKind, MediaSource};
use crate::ids;
use crate::markdown::{inline, parse};
use crate::rich;
use crate::workspace::Workspace;
use crate::workspace::content::Position;
use crate::workspace::objects::{CommentParent, User};

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

    /// Resolves a thread.
    ///
    /// # Errors
    /// If there is no such thread.
    pub fn resolve(&mut self, discussion: &str) -> Done<()> {
        let of =
            |comment: &&mut crate::workspace::objects::Comment| comment.discussion == discussion;
        let mut found = false;
        for comment in self.comments.iter_mut().filter(of) {
            comment.resolved = true;
            found = true;
        }
        if found { Ok(()) } else { Err(no("thread", discussion)) }
    }

    /// Comments on some words of a page: they get an anchor that Markdown shows as `discussion-urls`. Gives the id
    /// of the new thread.
    ///
    /// # Errors
    /// If the words are not found in the text of one block.
    pub fn comment_on_words(&mut self, page: &str, words: &str, text: &str) -> Done<String> {
        let page = self.known_page(page)?;
        let block = self.block_containing(&page, words)?;
        let discussion = self.comment(&block, text)?;
        let found = self
            .pages
            .get_mut(&page)
            .and_then(|page| block::find_mut(&mut page.body, &block))
            .map(|block| &mut block.kind);
        let anchored = match found {
            Some(Kind::TableRow { cells }) => {
                cells.iter_mut().any(|cell| blocks::anchor(cell, words, &discussion))
            }
            Some(kind) => {
                kind.text_mut().is_some_and(|spans| blocks::anchor(spans, words, &discussion))
            }
            None => false,
        };
        if anchored { Ok(discussion) } else { Err(no("run of text", words)) }
    }
}
