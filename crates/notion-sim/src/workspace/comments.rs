//! Comments.

use crate::rich::RichText;
use crate::workspace::Workspace;
use crate::workspace::objects::{Comment, CommentParent};

impl Workspace {
    /// Adds a comment; it does not move the page's time of last edit (notion-api.md 7.1).
    pub(crate) fn add_comment(
        &mut self,
        page: &str,
        parent: CommentParent,
        discussion: Option<String>,
        text: RichText,
        actor: &str,
    ) -> Comment {
        let now = self.minute();
        let comment = Comment {
            id: self.ids.uuid(),
            parent,
            page: page.to_owned(),
            discussion: discussion.unwrap_or_else(|| self.ids.uuid()),
            created: now,
            edited: now,
            created_by: actor.to_owned(),
            text,
            original_deleted: false,
            resolved: false,
        };
        self.comments.push(comment.clone());
        comment
    }

    /// Comments of a block that went away stay, marked (notion-api.md 7.4).
    pub(crate) fn orphan_comments(&mut self, block: &str) {
        for comment in &mut self.comments {
            if comment.parent == CommentParent::Block(block.to_owned()) {
                comment.original_deleted = true;
            }
        }
    }

    /// Open comments that a listing for this page or block holds, oldest first: a page's own and those whose block is
    /// gone; not those of its blocks.
    pub(crate) fn comments_of(&self, id: &str) -> Vec<&Comment> {
        let is_page = self.pages.contains_key(id);
        self.comments
            .iter()
            .filter(|comment| !comment.resolved)
            .filter(|comment| match &comment.parent {
                CommentParent::Page(page) => page == id,
                CommentParent::Block(_) if is_page => {
                    comment.original_deleted && comment.page == id
                }
                CommentParent::Block(block) => block == id && !comment.original_deleted,
            })
            .collect()
    }
}
