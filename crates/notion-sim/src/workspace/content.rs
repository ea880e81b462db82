//! Putting blocks into pages and taking them out.

use crate::block::{self, Block, Draft, Kind};
use crate::markdown::odd;
use crate::workspace::objects::Parent;
use crate::workspace::{TrashedBlock, Workspace};

/// Where new blocks go inside their parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    Start,
    End,
    After(String),
}

impl Workspace {
    /// A block with a new id on this page. It is not in the page's tree yet.
    pub(crate) fn new_block(
        &mut self,
        page: &str,
        kind: Kind,
        children: Vec<Block>,
        actor: &str,
    ) -> Block {
        let id = self.ids.uuid();
        self.block_with_id(id, page, kind, children, actor)
    }

    pub(crate) fn block_with_id(
        &mut self,
        id: String,
        page: &str,
        mut kind: Kind,
        children: Vec<Block>,
        actor: &str,
    ) -> Block {
        if self.odd_text {
            odd::typographic(&mut kind);
        }
        let now = self.minute();
        self.block_home.insert(id.clone(), page.to_owned());
        Block {
            id,
            kind,
            children,
            created: now,
            created_by: actor.to_owned(),
            edited: now,
            edited_by: actor.to_owned(),
        }
    }

    /// Blocks made of drafts, children included.
    pub(crate) fn new_blocks(&mut self, page: &str, drafts: Vec<Draft>, actor: &str) -> Vec<Block> {
        drafts
            .into_iter()
            .map(|draft| {
                let children = self.new_blocks(page, draft.children, actor);
                self.new_block(page, draft.kind, children, actor)
            })
            .collect()
    }

    /// The list of children of a page or of one of its blocks.
    pub(crate) fn children_mut(
        &mut self,
        page: &str,
        parent: Option<&str>,
    ) -> Option<&mut Vec<Block>> {
        let body = &mut self.pages.get_mut(page)?.body;
        match parent {
            None => Some(body),
            Some(id) => block::find_mut(body, id).map(|block| &mut block.children),
        }
    }

    /// Puts blocks among the children of a page or block.
    pub(crate) fn insert_blocks(
        &mut self,
        page: &str,
        parent: Option<&str>,
        position: &Position,
        blocks: Vec<Block>,
    ) {
        let Some(list) = self.children_mut(page, parent) else { return };
        let at = match position {
            Position::Start => 0,
            Position::End => list.len(),
            Position::After(id) => {
                list.iter().position(|block| block.id == *id).map_or(list.len(), |at| at + 1)
            }
        };
        list.splice(at..at, blocks);
    }

    /// Moves a block and what is below it to the trash. Child pages and databases go with it.
    pub(crate) fn trash_block(&mut self, id: &str, actor: &str) -> Option<Block> {
        let page = self.block_home.get(id)?.clone();
        let body = &mut self.pages.get_mut(&page)?.body;
        let parent = block::parent_of(body, id).map(str::to_owned);
        let (list, at) = block::find_list(body, id)?;
        let removed = list.remove(at);
        self.forget(&removed);
        self.touch(&page, actor);
        self.trashed_blocks
            .insert(id.to_owned(), TrashedBlock { block: removed.clone(), page, parent });
        Some(removed)
    }

    /// Takes a block out of the trash again: to the end of what held it.
    pub(crate) fn restore_block(&mut self, id: &str, actor: &str) -> bool {
        let Some(TrashedBlock { block, page, parent }) = self.trashed_blocks.remove(id) else {
            return false;
        };
        block::walk(std::slice::from_ref(&block), &mut |block| {
            self.block_home.insert(block.id.clone(), page.clone());
        });
        let parent = parent.filter(|parent| self.block_home.contains_key(parent));
        self.insert_blocks(&page, parent.as_deref(), &Position::End, vec![block]);
        self.touch(&page, actor);
        true
    }

    /// What follows from a block being gone from its page: comments without a place, child objects in the trash.
    pub(crate) fn forget(&mut self, gone: &Block) {
        let mut ids = Vec::new();
        block::walk(std::slice::from_ref(gone), &mut |block| {
            ids.push((block.id.clone(), block.kind.is_child_object()));
        });
        for (id, child_object) in ids {
            self.block_home.remove(&id);
            self.orphan_comments(&id);
            if child_object {
                self.set_object_trash(&id, true);
            }
        }
    }

    /// Sets the trash state of a page or database without touching the block that stands for it.
    pub(crate) fn set_object_trash(&mut self, id: &str, in_trash: bool) {
        if let Some(page) = self.pages.get_mut(id) {
            page.in_trash = in_trash;
        }
        if let Some(database) = self.databases.get_mut(id) {
            database.in_trash = in_trash;
        }
    }

    /// Moves a page or database to the trash or out of it. In a page, the block that stands for it goes or comes
    /// as well.
    pub(crate) fn set_trash(&mut self, id: &str, in_trash: bool, actor: &str) {
        self.set_object_trash(id, in_trash);
        self.touch(id, actor);
        let parent = self
            .pages
            .get(id)
            .map(|page| &page.parent)
            .or_else(|| self.databases.get(id).map(|database| &database.parent))
            .cloned();
        let Some(Parent::Page(holder)) = parent else { return };
        if in_trash {
            self.detach_child(id, &holder);
        } else if !self.block_home.contains_key(id) {
            self.attach_child(id, &holder, actor);
        }
    }

    /// Takes the block that stands for a child page or database off the page that holds it.
    pub(crate) fn detach_child(&mut self, id: &str, holder: &str) {
        if let Some(page) = self.pages.get_mut(holder)
            && let Some((list, at)) = block::find_list(&mut page.body, id)
        {
            list.remove(at);
        }
        self.block_home.remove(id);
    }

    /// Makes a page below a page and gives the block that stands for it, which is not in the page's tree yet.
    pub(crate) fn subpage_block(
        &mut self,
        holder: &str,
        title: crate::rich::RichText,
        actor: &str,
    ) -> Block {
        let id = self.new_subpage(holder, title, actor);
        self.detach_child(&id, holder);
        self.block_with_id(id, holder, Kind::ChildPage, Vec::new(), actor)
    }

    /// Puts a block that stands for a child page or database at the end of a page.
    pub(crate) fn attach_child(&mut self, id: &str, holder: &str, actor: &str) {
        let kind = if self.pages.contains_key(id) { Kind::ChildPage } else { Kind::ChildDatabase };
        let block = self.block_with_id(id.to_owned(), holder, kind, Vec::new(), actor);
        self.insert_blocks(holder, None, &Position::End, vec![block]);
    }
}
