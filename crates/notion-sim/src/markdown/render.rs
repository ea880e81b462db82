//! Markdown v1: writing blocks.

use crate::block::{Block, Kind, MediaKind, MediaSource};
use crate::markdown::inline_render::{self, page_url, target};
use crate::markdown::parse::{FILE_HOST, bullet, heading, numbered};
use crate::markdown::tag::quoted;
use crate::rich::{Color, Span};
use crate::workspace::Workspace;

/// A page's Markdown.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    /// For each line, the place of its block in a walk over the tree, parents first.
    pub(crate) owners: Vec<usize>,
    /// Blocks shown as `<unknown>`.
    pub(crate) unknown: Vec<String>,
}

/// Renders the blocks of a page. Addresses of hosted files are signed with `signature`.
pub(crate) fn render(ws: &Workspace, page: &str, blocks: &[Block], signature: u64) -> Rendered {
    let mut writer = Writer { ws, page, signature, out: Rendered::default(), next: 0 };
    writer.blocks(blocks, 0);
    writer.out
}

struct Writer<'a> {
    ws: &'a Workspace,
    page: &'a str,
    signature: u64,
    out: Rendered,
    next: usize,
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
        inline_render::render(self.ws, spans, &mut text);
        text
    }

    fn block(&mut self, block: &Block, depth: usize, counter: usize) {
        let me = self.next;
        self.next += 1;
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
                self.prefixed(me, depth, &format!("{counter}. "), text, *color)
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
                self.line(me, depth, &format!("<callout{icon}{}>", tag_color(*color)));
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
                self.line(me, depth, &format!("{fence}{language}"));
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
                let flag = |on: bool, name: &str| {
                    if on { format!(" {name}=\"true\"") } else { String::new() }
                };
                self.line(
                    me,
                    depth,
                    &format!(
                        "<table{}{}{}>",
                        flag(*fit_width, "fit-page-width"),
                        flag(*header_row, "header-row"),
                        flag(*header_column, "header-column")
                    ),
                );
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
            Kind::Column => return self.container(me, block, depth, "column", ""),
            Kind::Media { media, source, caption } => {
                let url = self.media_url(source);
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
                let url = format!(" url=\"{}\"", self.block_url(&block.id));
                return self.container(me, block, depth, "synced_block", &url);
            }
            Kind::Synced { from: Some(original) } => return self.synced_copy(me, original, depth),
            Kind::MeetingNotes { title } => {
                let title = self.inline(title);
                self.line(me, depth, "<meeting-notes>");
                self.line(me, depth + 1, &title);
                self.line(me, depth, "</meeting-notes>");
                self.next += count(&block.children);
                return;
            }
            Kind::Bookmark { .. }
            | Kind::Embed { .. }
            | Kind::LinkPreview { .. }
            | Kind::Breadcrumb
            | Kind::Template { .. }
            | Kind::LinkToPage { .. }
            | Kind::Unsupported { .. } => {
                let url = self.block_url(&block.id);
                let alt = quoted(block.kind.unknown_alt().unwrap_or("unknown"));
                self.line(me, depth, &format!("<unknown url=\"{url}\" alt=\"{alt}\"/>"));
                self.out.unknown.push(block.id.clone());
                // Its children are not shown, but have their places in the walk.
                self.next += count(&block.children);
                return;
            }
        }
        self.blocks(&block.children, depth + 1);
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
        let url = self.block_url(original);
        self.line(me, depth, &format!("<synced_block_reference url=\"{url}\">"));
        if depth < 8
            && let Some(original) = self.ws.block(original)
        {
            let next = self.next;
            let first = self.out.owners.len();
            self.blocks(&original.children, depth + 1);
            self.next = next;
            for owner in self.out.owners.iter_mut().skip(first) {
                *owner = me;
            }
        }
        self.line(me, depth, "</synced_block_reference>");
    }

    fn title(&self, id: &str) -> String {
        self.inline(&crate::rich::plain(&self.ws.title_of(id).unwrap_or_default()))
    }

    fn block_url(&self, block: &str) -> String {
        format!("{}#{}", page_url(self.page), crate::ids::plain(block))
    }

    fn media_url(&self, source: &MediaSource) -> String {
        media_url(source, self.signature)
    }
}

/// Address of a medium; hosted files get a new signature on every read (notion-api.md 4.8).
pub(crate) fn media_url(source: &MediaSource, signature: u64) -> String {
    match source {
        MediaSource::External(url) => url.clone(),
        MediaSource::Hosted(path) => {
            format!("{FILE_HOST}{path}?X-Amz-Expires=3600&X-Amz-Signature={signature:016x}")
        }
    }
}

fn count(blocks: &[Block]) -> usize {
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

fn longest_fence(text: &str) -> usize {
    text.lines()
        .map(|line| line.trim())
        .map(|line| line.len() - line.trim_start_matches('`').len())
        .max()
        .unwrap_or(0)
}
