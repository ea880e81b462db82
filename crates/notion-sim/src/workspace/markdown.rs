//! Reading and writing pages as Markdown.

use std::collections::{HashMap, HashSet};

use crate::block::{Block, Kind};
use crate::error::{ApiError, ApiResult};
use crate::markdown::edit::{self, Draft, Outcome, Update};
use crate::markdown::parse::{self, Node, Parsed};
use crate::markdown::render::{self, Rendered};
use crate::rich::{RichText, Span};
use crate::workspace::Workspace;

/// A change of a page's Markdown (notion-api.md 4.8).
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Replace(String),
    Update(Vec<Update>),
    InsertAtStart(String),
    InsertAtEnd(String),
    InsertAfter { selection: String, content: String },
    ReplaceRange { selection: String, content: String },
}

/// What becomes of a parsed block: an old block goes on, or a new one is made.
struct Placed {
    keep: Option<usize>,
    kind: Option<Kind>,
    /// The old block's children go on with it, since Markdown does not show them.
    keep_children: bool,
    children: Vec<Self>,
}

impl Workspace {
    /// The Markdown of a page. Every call signs hosted files anew.
    pub(crate) fn render_page(&mut self, page: &str) -> Rendered {
        self.signature += 1;
        let Some(found) = self.pages.get(page) else { return Rendered::default() };
        render::render(self, page, &found.body, self.signature)
    }

    /// Applies a change. Nothing is changed if it is refused.
    pub(crate) fn change_markdown(
        &mut self,
        page: &str,
        change: &Change,
        allow_deleting: bool,
        actor: &str,
    ) -> ApiResult<()> {
        let rendered = self.render_page(page);
        let mut draft = Draft::new(rendered.text);
        match change {
            Change::Replace(content) => {
                draft =
                    Draft { text: content.clone(), origin: vec![None; content.split('\n').count()] }
            }
            Change::Update(updates) => {
                let skip = updates.len() > 1 && std::mem::take(&mut self.skip_hunk);
                update(&mut draft, updates, skip)?;
            }
            Change::InsertAtStart(content) => draft.insert(true, content),
            Change::InsertAtEnd(content) => draft.insert(false, content),
            Change::InsertAfter { selection, content } => {
                let (_, end) = draft.selection(selection)?;
                draft.insert_after(end, content);
            }
            Change::ReplaceRange { selection, content } => {
                let (start, end) = draft.selection(selection)?;
                draft.replace(start, end, content);
            }
        }
        let parsed = parse::parse(&draft.text)?;
        let labels = matches!(change, Change::Replace(_)).then(|| database_labels(&parsed));
        self.rebuild(page, &rendered.owners, &draft.origin, parsed, allow_deleting, actor)?;
        // `replace_content` renames databases to the text of their tags.
        for (id, label) in labels.into_iter().flatten() {
            if let Some(database) = self.databases.get_mut(&id) {
                database.title = label;
            }
        }
        self.touch(page, actor);
        Ok(())
    }

    /// Blocks of a new page's Markdown; tags for things that exist have no place there.
    pub(crate) fn markdown_blocks(
        &mut self,
        page: &str,
        parsed: Vec<Parsed>,
        actor: &str,
    ) -> ApiResult<Vec<Block>> {
        let mut keep = Keeper { lines: HashMap::new(), flat: Vec::new(), used: HashSet::new() };
        let placed = keep.place(parsed)?;
        Ok(self.build(page, placed, &mut Vec::new(), actor))
    }

    fn rebuild(
        &mut self,
        page: &str,
        owners: &[usize],
        origin: &[Option<usize>],
        parsed: Vec<Parsed>,
        allow_deleting: bool,
        actor: &str,
    ) -> ApiResult<()> {
        let Some(found) = self.pages.get(page) else {
            return Err(ApiError::not_found("page", page));
        };
        let mut flat: Vec<&Block> = Vec::new();
        crate::block::walk(&found.body, &mut |block| flat.push(block));
        let mut keeper = Keeper::new(flat, owners, origin);
        let placed = keeper.place(parsed)?;
        let deleted: Vec<&&Block> = keeper
            .flat
            .iter()
            .enumerate()
            .filter(|(n, block)| block.kind.is_child_object() && !keeper.used.contains(n))
            .map(|(_, block)| block)
            .collect();
        if !deleted.is_empty() && !allow_deleting {
            let list: Vec<String> = deleted
                .iter()
                .map(|block| {
                    format!("{} ({})", self.title_of(&block.id).unwrap_or_default(), block.id)
                })
                .collect();
            return Err(ApiError::invalid(format!(
                "This operation would delete {} child page(s) or database(s): {}. Set allow_deleting_content to true \
                 to proceed.",
                list.len(),
                list.join(", ")
            )));
        }
        let body =
            self.pages.get_mut(page).map(|page| std::mem::take(&mut page.body)).unwrap_or_default();
        let mut old = Vec::new();
        flatten(body, &mut old);
        let built = self.build(page, placed, &mut old, actor);
        if let Some(page) = self.pages.get_mut(page) {
            page.body = built;
        }
        for gone in old.into_iter().flatten() {
            self.forget(&gone);
        }
        Ok(())
    }

    fn build(
        &mut self,
        page: &str,
        placed: Vec<Placed>,
        old: &mut Vec<Option<Block>>,
        actor: &str,
    ) -> Vec<Block> {
        let mut out = Vec::with_capacity(placed.len());
        for item in placed {
            let kept = item.keep.and_then(|n| old.get_mut(n)).and_then(Option::take);
            let children = self.build(page, item.children, old, actor);
            match (kept, item.kind) {
                (Some(mut block), _) => {
                    if !item.keep_children {
                        block.children = children;
                    }
                    out.push(block);
                }
                (None, Some(kind)) => {
                    out.push(self.new_block(page, without_anchors(kind), children, actor))
                }
                (None, None) => out.extend(children),
            }
        }
        out
    }
}

/// Applies the items of `content_updates` in order. An item whose text is not there is skipped if others apply
/// (notion-api.md 4.8); if none applies the request is refused.
fn update(draft: &mut Draft, updates: &[Update], skip_one: bool) -> ApiResult<()> {
    let mut applied = 0;
    let mut missing = None;
    for (n, update) in updates.iter().enumerate() {
        if skip_one && n == 0 {
            continue;
        }
        match draft.apply(update)? {
            Outcome::Applied => applied += 1,
            Outcome::Missing => missing = missing.or(Some(update)),
        }
    }
    match missing {
        Some(update) if applied == 0 => Err(edit::not_found(&update.old)),
        _ => Ok(()),
    }
}

/// Blocks in the order of a walk, without their children. Children that Markdown does not show stay with their
/// block, and have no entry of their own.
fn flatten(blocks: Vec<Block>, out: &mut Vec<Option<Block>>) {
    for mut block in blocks {
        let children = std::mem::take(&mut block.children);
        if hides_children(&block.kind) {
            let hidden = count(&children);
            block.children = children;
            out.push(Some(block));
            out.extend(std::iter::repeat_n(None, hidden));
        } else {
            out.push(Some(block));
            flatten(children, out);
        }
    }
}

fn count(blocks: &[Block]) -> usize {
    blocks.iter().map(|block| 1 + count(&block.children)).sum()
}

/// Whether Markdown shows the block but not what is below it.
pub(crate) fn hides_children(kind: &Kind) -> bool {
    kind.unknown_alt().is_some() || matches!(kind, Kind::MeetingNotes { .. })
}

/// Finds out which old blocks go on.
struct Keeper<'a> {
    /// For the first own line of an old block in the new text: the block, and how many lines it had.
    lines: HashMap<usize, (usize, usize)>,
    flat: Vec<&'a Block>,
    used: HashSet<usize>,
}

impl<'a> Keeper<'a> {
    fn new(flat: Vec<&'a Block>, owners: &[usize], origin: &[Option<usize>]) -> Self {
        let mut sizes: HashMap<usize, usize> = HashMap::new();
        for owner in owners {
            *sizes.entry(*owner).or_default() += 1;
        }
        let lines = origin
            .iter()
            .enumerate()
            .filter_map(|(new, old)| {
                let owner = *owners.get((*old)?)?;
                Some((new, (owner, sizes.get(&owner).copied().unwrap_or(0))))
            })
            .collect();
        Self { lines, flat, used: HashSet::new() }
    }

    /// The old block whose lines these are: all of them, and no others.
    fn of_lines(&self, lines: &[usize]) -> Option<usize> {
        let (owner, size) = *self.lines.get(lines.first()?)?;
        let whole = size == lines.len()
            && lines
                .iter()
                .all(|line| self.lines.get(line).is_some_and(|(other, _)| *other == owner));
        (whole && !self.used.contains(&owner)).then_some(owner)
    }

    fn place(&mut self, parsed: Vec<Parsed>) -> ApiResult<Vec<Placed>> {
        // Blocks that are where they were come first, so that a tag written elsewhere cannot take them.
        let mut kept = Vec::with_capacity(parsed.len());
        for block in &parsed {
            let keep = self.of_lines(&block.lines).filter(|n| self.fits(*n, &block.node));
            if let Some(n) = keep {
                self.take(n);
            }
            kept.push(keep);
        }
        parsed.into_iter().zip(kept).map(|(block, keep)| self.place_one(block, keep)).collect()
    }

    fn fits(&self, n: usize, node: &Node) -> bool {
        match (self.flat.get(n), node) {
            (Some(old), Node::Block(kind)) => old.kind.name() == kind.name(),
            (Some(_), Node::Existing { .. }) => true,
            (None, _) => false,
        }
    }

    fn take(&mut self, n: usize) {
        self.used.insert(n);
        if let Some(block) = self.flat.get(n).filter(|block| hides_children(&block.kind)) {
            self.used.extend(n..=n + count(&block.children));
        }
    }

    fn place_one(&mut self, block: Parsed, keep: Option<usize>) -> ApiResult<Placed> {
        let (kind, keep) = match block.node {
            Node::Block(kind) => (Some(kind), keep),
            Node::Existing { id, tag, .. } => {
                let keep = keep.or_else(|| self.by_id(id.as_deref()));
                let Some(n) = keep else { return Err(cannot_make(&tag, id.as_deref())) };
                self.take(n);
                (None, Some(n))
            }
        };
        let keep_children =
            keep.and_then(|n| self.flat.get(n)).is_some_and(|old| hides_children(&old.kind));
        Ok(Placed { keep, kind, keep_children, children: self.place(block.children)? })
    }

    /// An old block that a tag names by its address and that has no other place in the new text.
    fn by_id(&self, id: Option<&str>) -> Option<usize> {
        let n = self.flat.iter().position(|block| Some(block.id.as_str()) == id)?;
        (!self.used.contains(&n)).then_some(n)
    }
}

fn cannot_make(tag: &str, id: Option<&str>) -> ApiError {
    let what = id.unwrap_or("without a valid url");
    ApiError::invalid(match tag {
        "page" | "database" => {
            format!(
                "The <{tag}> tag {what} does not refer to a child of this page, or refers to it a second time."
            )
        }
        _ => format!("A <{tag}> block cannot be created through markdown ({what})."),
    })
}

/// Anchors of comments do not survive in a block that is made anew.
fn without_anchors(mut kind: Kind) -> Kind {
    let clear = |text: &mut RichText| {
        for span in text.iter_mut() {
            span.discussions.clear();
        }
        *text = crate::rich::merged(std::mem::take(text));
    };
    if let Kind::TableRow { cells } = &mut kind {
        cells.iter_mut().for_each(clear);
    } else if let Some(text) = kind.text_mut() {
        clear(text);
    }
    kind
}

/// Texts of the `<database>` tags, by id.
fn database_labels(parsed: &[Parsed]) -> Vec<(String, RichText)> {
    let mut out = Vec::new();
    for block in parsed {
        if let Node::Existing { id: Some(id), tag, label } = &block.node
            && tag == "database"
        {
            let text =
                crate::markdown::inline::parse(label).unwrap_or_else(|_| vec![Span::text(label)]);
            out.push((id.clone(), text));
        }
        out.extend(database_labels(&block.children));
    }
    out
}
