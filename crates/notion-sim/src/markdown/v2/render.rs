//! Markdown v2: writing blocks.

use std::collections::HashMap;

use serde_json::Value;

use crate::block::{Block, Kind, MediaKind};
use crate::markdown::Version;
use crate::markdown::inline_render::{page_url, target};
use crate::markdown::odd::Odd;
use crate::markdown::parse::numbered;
use crate::markdown::render::{
    Missing, NOBODY, Rendered, View, block_url, count, longest_fence, media_url, missing,
};
use crate::markdown::tag::quoted;
use crate::markdown::v2::inline_render::{self, Place};
use crate::markdown::v2::shape::{begins_block, begins_list};
use crate::rich::{Color, RichText, Span};
use crate::workspace::Workspace;

/// Renders the blocks of a page.
pub(crate) fn render(ws: &Workspace, page: &str, blocks: &[Block], view: View) -> Rendered {
    let missing = missing(ws, blocks, view);
    let out = Rendered::default();
    let mut writer = Writer {
        ws,
        page,
        view,
        missing,
        out,
        next: 0,
        prefix: String::new(),
        odd: Odd::default(),
        copies: 0,
    };
    writer.blocks(blocks, false);
    writer.out
}

struct Writer<'a> {
    ws: &'a Workspace,
    page: &'a str,
    view: View,
    missing: HashMap<&'a str, Missing>,
    out: Rendered,
    next: usize,
    /// What stands before every line: tabs of the list items around it.
    prefix: String,
    /// Forms of the block that is being written.
    odd: Odd,
    /// Copies of synced blocks around it.
    copies: usize,
}

/// Attributes of a tag, in order.
type Attributes = Vec<(&'static str, String)>;

impl Writer<'_> {
    /// Writes siblings. With `no_title`, a bare text at the begin would be read as the title of what holds it.
    fn blocks(&mut self, blocks: &[Block], no_title: bool) {
        let mut at = 0;
        while let Some(block) = blocks.get(at) {
            if at > 0 {
                self.raw(NOBODY, "");
            }
            let run = self.list_run(&blocks[at..]);
            if run.is_empty() {
                self.block(block, no_title && at == 0);
                at += 1;
                continue;
            }
            at += run.len();
            if matches!(block.kind, Kind::ToDo { .. }) {
                run.iter().for_each(|item| self.item(item, "- "));
            } else if run.iter().any(needs_tag) {
                let ordered = matches!(block.kind, Kind::Numbered { .. });
                let name = if ordered { "ol" } else { "ul" };
                self.line(NOBODY, &format!("<{name}>"));
                for item in run {
                    let me = self.place();
                    self.odd = Odd::of(self.view.odd, &item.id);
                    self.tagged(me, "li", &item_color(item), text_of(item), item);
                }
                self.line(NOBODY, &format!("</{name}>"));
            } else {
                for (n, item) in run.iter().enumerate() {
                    match item.kind {
                        Kind::Numbered { .. } => {
                            let odd = Odd::of(self.view.odd, &item.id);
                            let number = if odd.flat_numbers() { 1 } else { n + 1 };
                            self.item(item, &format!("{number}. "));
                        }
                        _ => self.item(item, "- "),
                    }
                }
            }
        }
    }

    /// Items at the begin of these siblings that make one list. To-dos with tags stand alone.
    fn list_run<'b>(&self, blocks: &'b [Block]) -> &'b [Block] {
        let kind = |block: &Block| match block.kind {
            _ if self.missing.contains_key(block.id.as_str()) => 0,
            Kind::Bulleted { .. } => 1,
            Kind::Numbered { .. } => 2,
            Kind::ToDo { .. } if !needs_tag(block) => 3,
            _ => 0,
        };
        let first = blocks.first().map_or(0, kind);
        let length = blocks.iter().take_while(|block| first > 0 && kind(block) == first).count();
        &blocks[..length]
    }

    /// The place of the next block in the walk.
    fn place(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn raw(&mut self, owner: usize, line: &str) {
        if !self.out.owners.is_empty() {
            self.out.text.push('\n');
        }
        self.out.text.push_str(line);
        self.out.owners.push(owner);
    }

    fn line(&mut self, owner: usize, text: &str) {
        let line = format!("{}{text}", self.prefix);
        self.raw(owner, if text.is_empty() { "" } else { &line });
    }

    fn inline(&self, spans: &[Span], place: Place) -> String {
        inline_render::render(self.ws, spans, place, self.odd)
    }

    fn item(&mut self, block: &Block, marker: &str) {
        let me = self.place();
        self.odd = Odd::of(self.view.odd, &block.id);
        let mark = match block.kind {
            Kind::ToDo { checked: true, .. } => "[x] ",
            Kind::ToDo { .. } => "[ ] ",
            _ => "",
        };
        let lines = self.lines(text_of(block));
        let outer = self.prefix.len();
        for (n, line) in lines.iter().enumerate() {
            if n == 0 {
                self.line(me, format!("{marker}{mark}{line}").trim_end());
                self.prefix.push('\t');
            } else {
                self.line(me, line);
            }
        }
        if !block.children.is_empty() {
            if self.list_run(&block.children).is_empty() {
                self.raw(NOBODY, "");
            }
            self.blocks(&block.children, false);
        }
        self.prefix.truncate(outer);
    }

    /// A text as lines that are read back as text.
    fn lines(&self, text: &[Span]) -> Vec<String> {
        self.inline(text, Place::Block).split('\n').map(guarded).collect()
    }

    fn block(&mut self, block: &Block, tag_only: bool) {
        let me = self.place();
        self.odd = Odd::of(self.view.odd, &block.id);
        if self.missing.contains_key(block.id.as_str()) {
            self.out.truncated = true;
            self.out.missing.insert(me);
            return self.unknown(me, block, block.kind.name());
        }
        let needs_tag = needs_tag(block) || tag_only;
        match &block.kind {
            Kind::Paragraph { text, color } => {
                if text.is_empty() && *color == Color::DEFAULT && block.children.is_empty() {
                    self.line(me, "<p />");
                } else if needs_tag {
                    self.tagged(me, "p", &of_color(*color), text, block);
                } else {
                    self.lines(text).iter().for_each(|line| self.line(me, line));
                }
            }
            Kind::Heading { level, text, color, toggle: true } => {
                let mut attributes = vec![("heading", format!("h{level}"))];
                attributes.extend(of_color(*color));
                self.tagged(me, "toggle", &attributes, text, block);
            }
            Kind::Heading { level, text, color, .. } => {
                if needs_tag || ends_in_mark(self.ws, text) {
                    let name = ["h1", "h2", "h3", "h4"][usize::from(level.saturating_sub(1)) % 4];
                    self.tagged(me, name, &of_color(*color), text, block);
                } else {
                    let title = self.inline(text, Place::Block);
                    self.line(me, &format!("{} {title}", "#".repeat(usize::from(*level))));
                }
            }
            Kind::ToDo { text, checked, color } => {
                let mut attributes = vec![("checked", checked.to_string())];
                attributes.extend(of_color(*color));
                self.tagged(me, "todo", &attributes, text, block);
            }
            Kind::Quote { text, color } => {
                if needs_tag {
                    self.tagged(me, "quote", &of_color(*color), text, block);
                } else {
                    for line in self.lines(text) {
                        self.line(me, &format!("> {line}"));
                    }
                }
            }
            Kind::Toggle { text, color } => {
                self.tagged(me, "toggle", &of_color(*color), text, block);
            }
            Kind::Callout { text, icon, color } => {
                let mut attributes = of_icon(icon.as_ref());
                attributes.extend(of_color(*color));
                self.tagged(me, "callout", &attributes, text, block);
            }
            // Lists are written by `blocks`.
            Kind::Bulleted { text, color } | Kind::Numbered { text, color } => {
                self.tagged(me, "li", &of_color(*color), text, block);
            }
            Kind::Code { text, language, .. } => {
                let content = crate::rich::plain_text(self.ws, text);
                let fence = "`".repeat(longest_fence(&content).max(2) + 1);
                self.line(me, &format!("{fence}{}", self.odd.language(language)));
                if !content.is_empty() {
                    content.split('\n').for_each(|line| self.line(me, line));
                }
                self.line(me, &fence);
            }
            Kind::Equation { expression } => {
                self.line(me, "$$");
                expression.split('\n').for_each(|line| self.line(me, line));
                self.line(me, "$$");
            }
            Kind::Table { header_row, header_column, fit_width, .. } => {
                self.table(me, block, *header_row, *header_column, *fit_width);
            }
            Kind::TableRow { .. } => {}
            Kind::Divider => self.line(me, "---"),
            Kind::ColumnList => self.container(me, "columns", &Vec::new(), block),
            Kind::Column { ratio } => {
                let ratio = ratio.map(|ratio| ("ratio", ratio.to_string()));
                self.container(me, "column", &ratio.into_iter().collect(), block);
            }
            Kind::Tabs => self.container(me, "tabs", &Vec::new(), block),
            Kind::Tab { text, icon } => {
                self.tagged(me, "tab", &of_icon(icon.as_ref()), text, block);
            }
            Kind::Media { media, source, caption } => {
                let url = media_url(source, self.view.signature);
                let caption = self.inline(caption, Place::Line);
                let plain = !caption.contains(['[', '`']);
                if *media == MediaKind::Image && plain {
                    self.line(me, &format!("![{caption}]({})", target(&url)));
                } else {
                    self.sourced(me, media.name(), &url, &caption);
                }
            }
            Kind::Bookmark { url, caption } | Kind::Embed { url, caption } => {
                let caption = self.inline(caption, Place::Line);
                self.sourced(me, block.kind.name(), url, &caption);
            }
            Kind::ChildPage => {
                let title = self.title(&block.id);
                self.line(me, &format!("<page url=\"{}\">{title}</page>", page_url(&block.id)));
            }
            Kind::ChildDatabase => self.database(me, &block.id),
            Kind::TableOfContents { color } => {
                self.line(me, &format!("<table-of-contents{} />", written(&of_color(*color))));
            }
            Kind::Synced { from: None } => {
                let url = vec![("url", block_url(self.page, &block.id))];
                self.container(me, "synced-block", &url, block);
            }
            Kind::Synced { from: Some(original) } => self.synced_copy(me, original),
            Kind::MeetingNotes { title } => {
                let title = self.inline(title, Place::Line);
                self.line(me, "<meeting-notes>");
                self.line(me, &guarded(&title));
                self.line(me, "</meeting-notes>");
                self.hide(me, block);
            }
            Kind::Unsupported { block_type } if is_known_tag(block_type) => {
                let url = block_url(self.page, &block.id);
                self.line(me, &format!("<{block_type} url=\"{url}\" />"));
                self.hide(me, block);
            }
            Kind::LinkPreview { .. }
            | Kind::Breadcrumb
            | Kind::Template { .. }
            | Kind::LinkToPage { .. }
            | Kind::Unsupported { .. } => {
                let alt = block.kind.unknown_alt(Version::V2).unwrap_or("unknown").to_owned();
                self.unknown(me, block, &alt);
            }
        }
    }

    fn unknown(&mut self, me: usize, block: &Block, alt: &str) {
        let url = block_url(self.page, &block.id);
        self.line(me, &format!("<unknown url=\"{url}\" alt=\"{}\" />", quoted(alt)));
        self.out.unknown.push(block.id.clone());
        self.hide(me, block);
    }

    /// Children that are not shown have their places in the walk.
    fn hide(&mut self, me: usize, block: &Block) {
        self.out.opaque.insert(me);
        self.next += count(&block.children);
    }

    /// A block with a title as a tag: on one line if that is possible.
    fn tagged(
        &mut self,
        me: usize,
        name: &str,
        attributes: &Attributes,
        text: &[Span],
        block: &Block,
    ) {
        let mut attributes = attributes.clone();
        if self.odd.reversed() {
            attributes.reverse();
        }
        let attributes = written(&attributes);
        let inline = self.inline(text, Place::Block);
        if block.children.is_empty() && !inline.contains('\n') && name != "callout" {
            return self.line(me, &format!("<{name}{attributes}>{inline}</{name}>"));
        }
        self.line(me, &format!("<{name}{attributes}>"));
        if !text.is_empty() {
            for line in edges_encoded(&inline).split('\n') {
                self.line(me, &guarded(line));
            }
            if !block.children.is_empty() {
                self.raw(NOBODY, "");
            }
        }
        self.blocks(&block.children, text.is_empty());
        self.line(me, &format!("</{name}>"));
    }

    fn container(&mut self, me: usize, name: &str, attributes: &Attributes, block: &Block) {
        self.line(me, &format!("<{name}{}>", written(attributes)));
        self.blocks(&block.children, false);
        self.line(me, &format!("</{name}>"));
    }

    fn sourced(&mut self, me: usize, name: &str, url: &str, caption: &str) {
        self.line(me, &format!("<{name} source=\"{}\">{caption}</{name}>", quoted(url)));
    }

    fn title(&self, id: &str) -> String {
        let title = crate::rich::plain(&self.ws.title_of(id).unwrap_or_default());
        self.inline(&title, Place::Line)
    }

    fn database(&mut self, me: usize, id: &str) {
        let database = self.ws.database(id);
        let source = database
            .and_then(|database| database.data_sources.first())
            .map_or(String::new(), |id| format!(" data-source-url=\"collection://{id}\""));
        let inline = database.is_some_and(|database| database.inline);
        let (url, title) = (page_url(id), self.title(id));
        self.line(
            me,
            &format!("<database url=\"{url}\"{source} inline=\"{inline}\">{title}</database>"),
        );
    }

    /// A copy of a synced block shows the original's children, all lines being the copy's own.
    fn synced_copy(&mut self, me: usize, original: &str) {
        if self.view.limit.is_some() && !self.ws.visible(original) {
            let url = block_url(self.page, original);
            self.line(me, &format!("<unknown url=\"{url}\" alt=\"synced_block\" />"));
            self.out.unknown.push(original.to_owned());
            self.out.truncated = true;
            return;
        }
        let url = block_url(self.page, original);
        self.line(me, &format!("<synced-block-reference url=\"{url}\">"));
        if self.copies < 3
            && let Some(original) = self.ws.block(original)
        {
            // What it shows has no places in the walk over this page.
            let (next, opaque) = (self.next, self.out.opaque.clone());
            let first = self.out.owners.len();
            self.copies += 1;
            self.blocks(&original.children, false);
            self.copies -= 1;
            (self.next, self.out.opaque) = (next, opaque);
            for owner in self.out.owners.iter_mut().skip(first) {
                *owner = me;
            }
        }
        self.line(me, "</synced-block-reference>");
    }

    fn table(&mut self, me: usize, table: &Block, row: bool, column: bool, fit: bool) {
        let mut cells: Vec<(usize, Vec<String>)> = Vec::new();
        for child in &table.children {
            let owner = self.place();
            if let Kind::TableRow { cells: row } = &child.kind {
                let text = |cell: &RichText| edges_encoded(&self.inline(cell, Place::Line));
                cells.push((owner, row.iter().map(text).collect()));
            }
        }
        if row && !column && !fit && !cells.is_empty() {
            for (n, (owner, cells)) in cells.iter().enumerate() {
                self.line(*owner, &format!("| {} |", cells.join(" | ")));
                if n == 0 {
                    self.line(me, &format!("|{}", " --- |".repeat(cells.len())));
                }
            }
            return;
        }
        let mut attributes = Attributes::new();
        for (on, name) in [(fit, "fit-page-width"), (row, "header-row"), (column, "header-column")]
        {
            if on || self.odd.spelled_out() {
                attributes.push((name, on.to_string()));
            }
        }
        self.line(me, &format!("<table{}>", written(&attributes)));
        for (n, (owner, cells)) in cells.iter().enumerate() {
            self.line(*owner, "<tr>");
            for (m, cell) in cells.iter().enumerate() {
                let head = (row && n == 0) || (column && m == 0);
                let name = if head { "th" } else { "td" };
                self.line(*owner, &format!("<{name}>{cell}</{name}>"));
            }
            self.line(*owner, "</tr>");
        }
        self.line(me, "</table>");
    }
}

fn text_of(block: &Block) -> &[Span] {
    block.kind.text().map_or(&[], Vec::as_slice)
}

fn item_color(block: &Block) -> Attributes {
    match block.kind {
        Kind::Bulleted { color, .. } | Kind::Numbered { color, .. } => of_color(color),
        _ => Attributes::new(),
    }
}

/// Whether only a tag can say it: a color, children outside of lists, white space at an edge, or nothing at all.
fn needs_tag(block: &Block) -> bool {
    let colored = match block.kind {
        Kind::Paragraph { color, .. }
        | Kind::Heading { color, .. }
        | Kind::Bulleted { color, .. }
        | Kind::Numbered { color, .. }
        | Kind::ToDo { color, .. }
        | Kind::Quote { color, .. } => color != Color::DEFAULT,
        _ => false,
    };
    let list =
        matches!(block.kind, Kind::Bulleted { .. } | Kind::Numbered { .. } | Kind::ToDo { .. });
    let text = text_of(block);
    let empty = text.is_empty() && (!list || !block.children.is_empty());
    let edge = |span: Option<&Span>, last: bool| match span.map(|span| &span.content) {
        Some(crate::rich::Content::Text(text)) if last => text.ends_with(char::is_whitespace),
        Some(crate::rich::Content::Text(text)) => text.starts_with(char::is_whitespace),
        _ => false,
    };
    let broken = matches!(block.kind, Kind::Heading { .. })
        && text.iter().any(
            |span| matches!(&span.content, crate::rich::Content::Text(text) if text.contains('\n')),
        );
    colored
        || empty
        || broken
        || (!list && !block.children.is_empty())
        || edge(text.first(), false)
        || edge(text.last(), true)
}

/// `# title #` would lose its end.
fn ends_in_mark(ws: &Workspace, text: &[Span]) -> bool {
    crate::rich::plain_text(ws, text).ends_with('#')
}

fn is_known_tag(block_type: &str) -> bool {
    matches!(block_type, "folder" | "mail" | "custom-block" | "external_object_instance")
}

fn of_color(color: Color) -> Attributes {
    color.markdown().map(|name| ("color", name)).into_iter().collect()
}

fn of_icon(icon: Option<&Value>) -> Attributes {
    let emoji = icon.and_then(|icon| icon.get("emoji")).and_then(Value::as_str);
    emoji.map(|emoji| ("icon", emoji.to_owned())).into_iter().collect()
}

fn written(attributes: &Attributes) -> String {
    attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", quoted(value))).collect()
}

/// A line of text that looks like the begin of another block gets a backslash.
fn guarded(line: &str) -> String {
    let looks = begins_block(line) || begins_list(line, false) || line.starts_with(['|', '>']);
    match line.find(['.', ')']) {
        Some(at) if looks && numbered(line).is_some() => {
            format!("{}\\{}", &line[..at], &line[at..])
        }
        _ if looks => format!("\\{line}"),
        _ => line.to_owned(),
    }
}

/// White space at the edges as references, where lines are trimmed.
fn edges_encoded(text: &str) -> String {
    let encode =
        |text: &str| -> String { text.chars().map(|c| format!("&#{};", u32::from(c))).collect() };
    let inner = text.trim_matches([' ', '\t']);
    if inner.is_empty() {
        return encode(text);
    }
    let lead = text.len() - text.trim_start_matches([' ', '\t']).len();
    let trail = text.trim_end_matches([' ', '\t']).len();
    format!("{}{inner}{}", encode(&text[..lead]), encode(&text[trail..]))
}
