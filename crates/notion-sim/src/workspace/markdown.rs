//! Reading and writing pages as Markdown.

use std::collections::{HashMap, HashSet};

use crate::block::{Block, Kind};
use crate::error::{ApiError, ApiResult};
use crate::markdown::Version;
use crate::markdown::edit::{self, Draft, Outcome, Update};
use crate::markdown::parse::{Node, Parsed};
use crate::markdown::render::{self, Rendered, View};
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
    /// The title of a page to be made.
    new_page: Option<RichText>,
    children: Vec<Self>,
}

impl Workspace {
    /// The Markdown of a page as the connection gets it. Every call signs hosted files anew.
    pub(crate) fn render_page(&mut self, page: &str, version: Version) -> Rendered {
        let view = self.next_view(version);
        let Some(found) = self.pages.get(page) else { return Rendered::default() };
        render::render(self, page, &found.body, view)
    }

    /// How the connection sees the next answer.
    pub(crate) fn next_view(&mut self, version: Version) -> View {
        self.signature += 1;
        View { version, signature: self.signature, limit: Some(self.record_limit), odd: self.odd }
    }

    /// Applies a change and gives what the reader of its Markdown ignored. Nothing is changed if it is refused.
    pub(crate) fn change_markdown(
        &mut self,
        page: &str,
        change: &Change,
        version: Version,
        allow_deleting: bool,
        actor: &str,
    ) -> ApiResult<Vec<String>> {
        let rendered = self.render_page(page, version);
        let mut draft = Draft::new(rendered.text.clone(), version);
        match change {
            Change::Replace(content) => draft = Draft::anew(content, version),
            Change::Update(updates) => {
                let skip = updates.len() > 1 && std::mem::take(&mut self.skip_hunk);
                update(&mut draft, updates, skip, self.skip_missing)?;
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
        let read = crate::markdown::read(&draft.text, version)?;
        let labels =
            matches!(change, Change::Replace(_)).then(|| database_labels(&read.blocks, version));
        self.rebuild(page, &rendered, &draft.origin, read.blocks, allow_deleting, actor)?;
        // `replace_content` renames databases to the text of their tags.
        for (id, label) in labels.into_iter().flatten() {
            if let Some(database) = self.databases.get_mut(&id) {
                database.title = label;
            }
        }
        self.touch(page, actor);
        Ok(read.warnings)
    }

    /// Blocks of a new page's Markdown; tags for things that exist have no place there.
    pub(crate) fn markdown_blocks(
        &mut self,
        page: &str,
        parsed: Vec<Parsed>,
        actor: &str,
    ) -> ApiResult<Vec<Block>> {
        let nothing = Rendered::default();
        let mut keep = Keeper {
            lines: HashMap::new(),
            flat: Vec::new(),
            used: HashSet::new(),
            shown: &nothing,
        };
        let placed = keep.place(parsed)?;
        Ok(self.build(page, placed, &mut Vec::new(), actor))
    }

    fn rebuild(
        &mut self,
        page: &str,
        rendered: &Rendered,
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
        let mut keeper = Keeper::new(flat, rendered, origin);
        let placed = keeper.place(parsed)?;
        if rendered.missing.iter().any(|n| !keeper.used.contains(n)) {
            return Err(ApiError::invalid(
                "This page is too large to load in full, and the edit touches content that was not loaded.",
            )
            .with("limit_kind", "page_record_count"));
        }
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
        flatten(body, &rendered.opaque, &mut old);
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
            if let Some(title) = item.new_page {
                out.push(self.subpage_block(page, title, actor));
                continue;
            }
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

/// Applies the items of `content_updates` in order. An item whose text is not there refuses the request; where
/// `skip_missing` is set it is skipped if others apply (notion-api.md 4.8 has reports of both).
fn update(
    draft: &mut Draft,
    updates: &[Update],
    skip_one: bool,
    skip_missing: bool,
) -> ApiResult<()> {
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
        Some(update) if applied == 0 || !skip_missing => Err(edit::not_found(&update.old)),
        _ => Ok(()),
    }
}

/// Blocks in the order of a walk, without their children. Children that Markdown does not show stay with their
/// block, and have no entry of their own.
fn flatten(blocks: Vec<Block>, opaque: &HashSet<usize>, out: &mut Vec<Option<Block>>) {
    for mut block in blocks {
        let children = std::mem::take(&mut block.children);
        if opaque.contains(&out.len()) {
            let hidden = render::count(&children);
            block.children = children;
            out.push(Some(block));
            out.extend(std::iter::repeat_n(None, hidden));
        } else {
            out.push(Some(block));
            flatten(children, opaque, out);
        }
    }
}

/// Finds out which old blocks go on.
struct Keeper<'a> {
    /// For the first own line of an old block in the new text: the block, and how many lines it had.
    lines: HashMap<usize, (usize, usize)>,
    flat: Vec<&'a Block>,
    used: HashSet<usize>,
    shown: &'a Rendered,
}

impl<'a> Keeper<'a> {
    fn new(flat: Vec<&'a Block>, shown: &'a Rendered, origin: &[Option<usize>]) -> Self {
        let owners = &shown.owners;
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
        Self { lines, flat, used: HashSet::new(), shown }
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
            (Some(_), Node::NewPage { .. }) | (None, _) => false,
        }
    }

    fn take(&mut self, n: usize) {
        self.used.insert(n);
        if let Some(block) = self.flat.get(n).filter(|_| self.shown.opaque.contains(&n)) {
            self.used.extend(n..=n + render::count(&block.children));
        }
    }

    fn place_one(&mut self, block: Parsed, keep: Option<usize>) -> ApiResult<Placed> {
        let mut new_page = None;
        let (kind, keep) = match block.node {
            Node::Block(kind) => (Some(kind), keep),
            Node::NewPage { title } => {
                new_page = Some(title);
                (None, None)
            }
            Node::Existing { id, tag, .. } => {
                let keep = keep.or_else(|| self.by_id(id.as_deref()));
                let Some(n) = keep else { return Err(cannot_make(&tag, id.as_deref())) };
                self.take(n);
                (None, Some(n))
            }
        };
        let keep_children = keep.is_some_and(|n| self.shown.opaque.contains(&n));
        Ok(Placed { keep, kind, keep_children, new_page, children: self.place(block.children)? })
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
fn database_labels(parsed: &[Parsed], version: Version) -> Vec<(String, RichText)> {
    let mut out = Vec::new();
    for block in parsed {
        if let Node::Existing { id: Some(id), tag, label } = &block.node
            && tag == "database"
        {
            let text = crate::markdown::read_inline(label, version)
                .unwrap_or_else(|_| vec![Span::text(label)]);
            out.push((id.clone(), text));
        }
        out.extend(database_labels(&block.children, version));
    }
    out
}
