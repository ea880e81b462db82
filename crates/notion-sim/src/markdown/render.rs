//! Markdown v1: writing blocks.

use std::collections::{HashMap, HashSet};

use crate::block::{Block, Kind, MediaKind, MediaSource};
use crate::markdown::Version;
use crate::markdown::inline_render::{self, page_url, target};
use crate::markdown::odd::Odd;
use crate::markdown::parse::{FILE_HOST, bullet, heading, numbered};
use crate::markdown::tag::quoted;
use crate::rich::{Color, Span};
use crate::workspace::Workspace;

/// A page's Markdown.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    /// For each line, the place of its block in a walk over the tree, parents first; [`NOBODY`] for lines between.
    pub(crate) owners: Vec<usize>,
    /// Blocks shown as `<unknown>`.
    pub(crate) unknown: Vec<String>,
    /// Places of blocks whose children are not shown.
    pub(crate) opaque: HashSet<usize>,
    /// Places of blocks that were not loaded: beyond the limit, or not shared.
    pub(crate) missing: HashSet<usize>,
    /// Whether something is missing.
    pub(crate) truncated: bool,
}

/// The owner of lines that belong to no block.
pub(crate) const NOBODY: usize = usize::MAX;

/// How a page is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) version: Version,
    /// Signs the addresses of hosted files.
    pub(crate) signature: u64,
    /// Blocks that are loaded at most; `None` shows everything, also what the connection does not see.
    pub(crate) limit: Option<usize>,
    /// Seed of the odd forms that are chosen; `None` writes the usual ones.
    pub(crate) odd: Option<u64>,
}

impl View {
    /// Everything as it is, for looking inside.
    pub(crate) fn inside(version: Version) -> Self {
        Self { version, signature: 0, limit: None, odd: None }
    }
}

/// Renders the blocks of a page.
pub(crate) fn render(ws: &Workspace, page: &str, blocks: &[Block], view: View) -> Rendered {
    if view.version == Version::V2 {
        return super::v2::render::render(ws, page, blocks, view);
    }
    let missing = missing(ws, blocks, view);
    let mut writer =
        Writer { ws, page, view, missing, out: Rendered::default(), next: 0, odd: Odd::default() };
    writer.blocks(blocks, 0);
    writer.out
}

/// Why a block is not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The page has too many blocks.
    Limit,
    /// It is not shared with the connection.
    NotShared,
}

/// Blocks that are not loaded; what is below them is not listed.
pub(crate) fn missing<'a>(
    ws: &Workspace,
    blocks: &'a [Block],
    view: View,
) -> HashMap<&'a str, Missing> {
    let mut out = HashMap::new();
    if let Some(limit) = view.limit {
        find_missing(ws, blocks, limit, &mut 0, false, &mut out);
    }
    out
}

fn find_missing<'a>(
    ws: &Workspace,
    blocks: &'a [Block],
    limit: usize,
    loaded: &mut usize,
    whole: bool,
    out: &mut HashMap<&'a str, Missing>,
) {
    for block in blocks {
        if *loaded >= limit && !whole {
            out.insert(&block.id, Missing::Limit);
            continue;
        }
        if block.kind.is_child_object() && !ws.visible(&block.id) {
            out.insert(&block.id, Missing::NotShared);
            continue;
        }
        *loaded += 1;
        // Rows, columns and tabs come with what holds them.
        let whole = matches!(block.kind, Kind::Table { .. } | Kind::ColumnList | Kind::Tabs);
        find_missing(ws, &block.children, limit, loaded, whole, out);
    }
}

struct Writer<'a> {
    ws: &'a Workspace,
    page: &'a str,
    view: View,
    missing: HashMap<&'a str, Missing>,
    out: Rendered,
    next: usize,
    /// Forms of the block that is being written.
    odd: Odd,
}

impl Writer<'_> {
    fn blocks(&mut self, blocks: &[Block], depth: usize) {
        let mut counter = 0;
        for block in blocks {
            counter = if matches!(block.kind, Kind::Numbered { .. }) { counter + 1 } else { 0 };
            self.block(block, depth, counter);
        }
    }

    fn line(&mut self, owner: usize, depth: usize, text: &str) {
        if !self.out.owners.is_empty() {
            self.out.text.push('\n');
        }
        for _ in 0..depth {
            self.out.text.push('\t');
        }
        self.out.text.push_str(text);
        self.out.owners.push(owner);
    }

    fn inline(&self, spans: &[Span]) -> String {
        let mut text = String::new();
        inline_render::render(self.ws, spans, self.odd, &mut text);
        text
    }

    fn block(&mut self, block: &Block, depth: usize, counter: usize) {
        let me = self.next;
        self.next += 1;
        self.odd = Odd::of(self.view.odd, &block.id);
        let odd = self.odd;
        if self.missing.contains_key(block.id.as_str()) {
            self.out.truncated = true;
            self.out.missing.insert(me);
            return self.unknown(me, block, depth, block.kind.name());
        }
        match &block.kind {
            Kind::Paragraph { text, color } => {
                let line = if text.is_empty() && color.markdown().is_none() {
                    "<empty-block/>".to_owned()
                } else {
                    with_color(guarded(self.inline(text)), *color)
                };
                self.line(me, depth, &line);
            }
            Kind::Heading { level, text, color, toggle } => {
                let mut attributes = Vec::new();
                if *toggle {
                    attributes.push("toggle=\"true\"".to_owned());
                }
                attributes.extend(color_attribute(*color));
                if odd.reversed() {
                    attributes.reverse();
                }
                let title = self.inline(text);
                let tail = if attributes.is_empty() {
                    String::new()
                } else {
                    format!(" {{{}}}", attributes.join(" "))
                };
                self.line(me, depth, &format!("{} {title}{tail}", "#".repeat(usize::from(*level))));
            }
            Kind::Bulleted { text, color } => self.prefixed(me, depth, "- ", text, *color),
            Kind::Numbered { text, color } => {
                let number = if odd.flat_numbers() { 1 } else { counter };
                self.prefixed(me, depth, &format!("{number}. "), text, *color);
            }
            Kind::ToDo { text, checked, color } => {
                self.prefixed(me, depth, if *checked { "- [x] " } else { "- [ ] " }, text, *color);
            }
            Kind::Quote { text, color } => self.prefixed(me, depth, "> ", text, *color),
            Kind::Toggle { text, color } => {
                let title = self.inline(text);
                self.line(me, depth, &format!("<details{}>", tag_color(*color)));
                self.line(me, depth, &format!("<summary>{title}</summary>"));
                self.blocks(&block.children, depth + 1);
                self.line(me, depth, "</details>");
                return;
            }
            Kind::Callout { text, icon, color } => {
                let icon = icon
                    .as_ref()
                    .and_then(|icon| icon.get("emoji"))
                    .and_then(|emoji| emoji.as_str());
                let icon =
                    icon.map_or(String::new(), |emoji| format!(" icon=\"{}\"", quoted(emoji)));
                let color = tag_color(*color);
                let attributes = if odd.reversed() {
                    format!("{color}{icon}")
                } else {
                    format!("{icon}{color}")
                };
                self.line(me, depth, &format!("<callout{attributes}>"));
                let first_is_text = block
                    .children
                    .first()
                    .is_some_and(|first| matches!(first.kind, Kind::Paragraph { .. }));
                if !text.is_empty() {
                    let text = guarded(self.inline(text));
                    self.line(me, depth + 1, &text);
                } else if first_is_text {
                    self.line(me, depth + 1, "<empty-block/>");
                }
                self.blocks(&block.children, depth + 1);
                self.line(me, depth, "</callout>");
                return;
            }
            Kind::Code { text, language, .. } => {
                let content = crate::rich::plain_text(self.ws, text);
                let fence = "`".repeat(longest_fence(&content).max(2) + 1);
                self.line(me, depth, &format!("{fence}{}", odd.language(language)));
                if !content.is_empty() {
                    for line in content.split('\n') {
                        self.line(me, depth, line);
                    }
                }
                self.line(me, depth, &fence);
            }
            Kind::Equation { expression } => {
                self.line(me, depth, "$$");
                for line in expression.split('\n') {
                    self.line(me, depth, line);
                }
                self.line(me, depth, "$$");
            }
            Kind::Table { header_row, header_column, fit_width, .. } => {
                let mut flags: Vec<String> = [
                    (*fit_width, "fit-page-width"),
                    (*header_row, "header-row"),
                    (*header_column, "header-column"),
                ]
                .into_iter()
                .filter(|(on, _)| *on || odd.spelled_out())
                .map(|(on, name)| format!(" {name}=\"{on}\""))
                .collect();
                if odd.reversed() {
                    flags.reverse();
                }
                self.line(me, depth, &format!("<table{}>", flags.concat()));
                self.blocks(&block.children, depth);
                self.line(me, depth, "</table>");
                return;
            }
            Kind::TableRow { cells } => {
                self.line(me, depth, "<tr>");
                for cell in cells {
                    let cell = self.inline(cell);
                    self.line(me, depth, &format!("<td>{cell}</td>"));
                }
                self.line(me, depth, "</tr>");
            }
            Kind::Divider => self.line(me, depth, "---"),
            Kind::ColumnList => return self.container(me, block, depth, "columns", ""),
            Kind::Column { .. } => return self.container(me, block, depth, "column", ""),
            Kind::Media { media, source, caption } => {
                let url = media_url(source, self.view.signature);
                let caption = self.inline(caption);
                let line = match media {
                    MediaKind::Image => format!("![{caption}]({})", target(&url)),
                    other => {
                        let name = other.name();
                        format!("<{name} src=\"{}\">{caption}</{name}>", quoted(&url))
                    }
                };
                self.line(me, depth, &line);
            }
            Kind::ChildPage => {
                let title = self.title(&block.id);
                self.line(
                    me,
                    depth,
                    &format!("<page url=\"{}\">{title}</page>", page_url(&block.id)),
                );
            }
            Kind::ChildDatabase => {
                let title = self.title(&block.id);
                let inline = self.ws.database(&block.id).is_some_and(|database| database.inline);
                let source = self
                    .ws
                    .database(&block.id)
                    .and_then(|database| database.data_sources.first())
                    .map_or(String::new(), |id| format!(" data-source-url=\"collection://{id}\""));
                let url = page_url(&block.id);
                self.line(
                    me,
                    depth,
                    &format!(
                        "<database url=\"{url}\" inline=\"{inline}\"{source}>{title}</database>"
                    ),
                );
            }
            Kind::TableOfContents { color } => {
                self.line(me, depth, &format!("<table_of_contents{}/>", tag_color(*color)));
            }
            Kind::Synced { from: None } => {
                let url = format!(" url=\"{}\"", block_url(self.page, &block.id));
                return self.container(me, block, depth, "synced_block", &url);
            }
            Kind::Synced { from: Some(original) } => return self.synced_copy(me, original, depth),
            Kind::MeetingNotes { title } => {
                let title = self.inline(title);
                self.line(me, depth, "<meeting-notes>");
                self.line(me, depth + 1, &title);
                self.line(me, depth, "</meeting-notes>");
                return self.hide(me, block);
            }
            Kind::Tab { .. }
            | Kind::Tabs
            | Kind::Bookmark { .. }
            | Kind::Embed { .. }
            | Kind::LinkPreview { .. }
            | Kind::Breadcrumb
            | Kind::Template { .. }
            | Kind::LinkToPage { .. }
            | Kind::Unsupported { .. } => {
                let alt = block.kind.unknown_alt(Version::V1).unwrap_or("unknown").to_owned();
                return self.unknown(me, block, depth, &alt);
            }
        }
        self.blocks(&block.children, depth + 1);
    }

    fn unknown(&mut self, me: usize, block: &Block, depth: usize, alt: &str) {
        let url = block_url(self.page, &block.id);
        self.line(me, depth, &format!("<unknown url=\"{url}\" alt=\"{}\"/>", quoted(alt)));
        self.out.unknown.push(block.id.clone());
        self.hide(me, block);
    }

    /// Children that are not shown have their places in the walk.
    fn hide(&mut self, me: usize, block: &Block) {
        self.out.opaque.insert(me);
        self.next += count(&block.children);
    }

    fn prefixed(&mut self, me: usize, depth: usize, prefix: &str, text: &[Span], color: Color) {
        let mut text = self.inline(text);
        if text.starts_with("![") {
            text.insert(0, '\\');
        }
        self.line(me, depth, &with_color(format!("{prefix}{text}"), color));
    }

    fn container(&mut self, me: usize, block: &Block, depth: usize, tag: &str, attributes: &str) {
        self.line(me, depth, &format!("<{tag}{attributes}>"));
        self.blocks(&block.children, depth + 1);
        self.line(me, depth, &format!("</{tag}>"));
    }

    /// A copy of a synced block shows the original's children, all lines being the copy's own.
    fn synced_copy(&mut self, me: usize, original: &str, depth: usize) {
        let url = block_url(self.page, original);
        if self.view.limit.is_some() && !self.ws.visible(original) {
            self.line(me, depth, &format!("<unknown url=\"{url}\" alt=\"synced_block\"/>"));
            self.out.unknown.push(original.to_owned());
            self.out.truncated = true;
            return;
        }
        self.line(me, depth, &format!("<synced_block_reference url=\"{url}\">"));
        if depth < 8
            && let Some(original) = self.ws.block(original)
        {
            // What it shows has no places in the walk over this page.
            let (next, opaque) = (self.next, self.out.opaque.clone());
            let first = self.out.owners.len();
            self.blocks(&original.children, depth + 1);
            (self.next, self.out.opaque) = (next, opaque);
            for owner in self.out.owners.iter_mut().skip(first) {
                *owner = me;
            }
        }
        self.line(me, depth, "</synced_block_reference>");
    }

    fn title(&self, id: &str) -> String {
        self.inline(&crate::rich::plain(&self.ws.title_of(id).unwrap_or_default()))
    }
}

/// The address of a block.
pub(crate) fn block_url(page: &str, block: &str) -> String {
    format!("{}#{}", page_url(page), crate::ids::plain(block))
}

/// Address of a medium; hosted files get a new signature on every read (notion-api.md 4.8).
pub(crate) fn media_url(source: &MediaSource, signature: u64) -> String {
    match source {
        MediaSource::External(url) | MediaSource::Upload(url) => url.clone(),
        MediaSource::Hosted(path) => {
            format!("{FILE_HOST}{path}?X-Amz-Expires=3600&X-Amz-Signature={signature:016x}")
        }
    }
}

pub(crate) fn count(blocks: &[Block]) -> usize {
    blocks.iter().map(|block| 1 + count(&block.children)).sum()
}

fn color_attribute(color: Color) -> Option<String> {
    color.markdown().map(|name| format!("color=\"{name}\""))
}

fn tag_color(color: Color) -> String {
    color_attribute(color).map_or(String::new(), |attribute| format!(" {attribute}"))
}

fn with_color(text: String, color: Color) -> String {
    match color_attribute(color) {
        Some(attribute) => format!("{text} {{{attribute}}}"),
        None => text,
    }
}

/// A paragraph whose text looks like another block gets a backslash before it.
fn guarded(mut text: String) -> String {
    let divider = text.len() >= 3 && text.chars().all(|c| c == '-');
    if divider || heading(&text).is_some() || bullet(&text).is_some() || text.starts_with("![") {
        text.insert(0, '\\');
    } else if numbered(&text).is_some()
        && let Some(at) = text.find(['.', ')'])
    {
        text.insert(at, '\\');
    }
    text
}

pub(crate) fn longest_fence(text: &str) -> usize {
    text.lines()
        .map(|line| line.trim())
        .map(|line| line.len() - line.trim_start_matches('`').len())
        .max()
        .unwrap_or(0)
}
