//! Markdown v1: reading blocks. One line is one block; a child is one tab deeper than its parent.

use std::collections::HashMap;

use crate::block::{Kind, MediaKind, MediaSource};
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::markdown::tag::{self, Tag};
use crate::markdown::{inline, languages, table};
use crate::rich::{Color, RichText, check_link};

/// A block as read, with the lines that are its own (not its children's).
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) node: Node,
    pub(crate) children: Vec<Self>,
    pub(crate) lines: Vec<usize>,
}

/// What a line stands for.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A block that Markdown can make.
    Block(Kind),
    /// A tag for something that exists and that Markdown cannot make: a child page or database, a synced block, an
    /// `<unknown>`. With the id in its address, and its name.
    Existing { id: Option<String>, tag: String, label: String },
    /// A page to be made below this one; only v2 can say that.
    NewPage { title: RichText },
}

impl Parsed {
    fn leaf(kind: Kind, line: usize) -> Self {
        Self { node: Node::Block(kind), children: Vec::new(), lines: vec![line] }
    }

    fn takes_children(&self) -> bool {
        match &self.node {
            Node::Block(kind) => kind.takes_children() && !matches!(kind, Kind::Table { .. }),
            Node::Existing { .. } | Node::NewPage { .. } => false,
        }
    }
}

/// Tags that hold blocks until their closing tag.
const CONTAINERS: [&str; 7] = [
    "details",
    "callout",
    "columns",
    "column",
    "synced_block",
    "synced_block_reference",
    "meeting-notes",
];

/// Reads a whole text.
pub(crate) fn parse(text: &str) -> ApiResult<Vec<Parsed>> {
    let lines: Vec<&str> =
        text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let closers = closers(&lines);
    let limit = lines.len();
    let mut reader = Reader { lines, closers, at: 0, limit };
    reader.siblings(0, false)
}

/// The line that closes each opening tag of a container, or each `<table>`; unclosed ones are missing.
fn closers(lines: &[&str]) -> HashMap<usize, usize> {
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut pairs = HashMap::new();
    let mut fence = 0;
    for (n, line) in lines.iter().enumerate() {
        let line = line.trim();
        let ticks = fence_width(line);
        if fence > 0 {
            if ticks >= fence && line.trim_start_matches('`').is_empty() {
                fence = 0;
            }
            continue;
        }
        if ticks > 0 {
            fence = ticks;
        } else if let Some(name) = line.strip_prefix("</").and_then(|rest| rest.strip_suffix('>')) {
            if let Some(k) = open.iter().rposition(|(opened, _)| *opened == name) {
                pairs.insert(open[k].1, n);
                open.truncate(k);
            }
        } else if let Some((tag, "")) = tag::read(line)
            && !tag.closed
            && (CONTAINERS.contains(&tag.name) || tag.name == "table")
        {
            open.push((tag.name, n));
        }
    }
    pairs
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    closers: HashMap<usize, usize>,
    at: usize,
    /// Where the innermost container, or else the text, ends.
    limit: usize,
}

impl<'a> Reader<'a> {
    /// Reads blocks at this depth. In a container, shallower lines belong to it as well; elsewhere they end the run.
    fn siblings(&mut self, depth: usize, in_container: bool) -> ApiResult<Vec<Parsed>> {
        let mut out: Vec<Parsed> = Vec::new();
        while let Some(line) = self.line(self.at) {
            if line.trim().is_empty() {
                self.at += 1;
                continue;
            }
            let indent = indent_of(line);
            if !in_container && indent < depth {
                break;
            }
            if indent > depth
                && let Some(parent) = out.last_mut().filter(|last| last.takes_children())
            {
                let children = self.siblings(depth + 1, false)?;
                parent.children.extend(children);
                continue;
            }
            out.push(self.block(line, depth)?);
        }
        Ok(out)
    }

    /// A line, if it lies before the end of the innermost container.
    fn line(&self, number: usize) -> Option<&'a str> {
        if number < self.limit { self.lines.get(number).copied() } else { None }
    }

    fn numbered(&self, start: usize, end: usize) -> Vec<(usize, &'a str)> {
        self.lines.iter().copied().enumerate().take(end).skip(start).collect()
    }

    fn block(&mut self, line: &'a str, depth: usize) -> ApiResult<Parsed> {
        let number = self.at;
        let text = line.trim_start_matches(['\t', ' ']).trim_end();
        if fence_width(text) > 0 {
            return self.code(text, depth);
        }
        if text == "$$"
            && let Some(block) = self.equation(depth)
        {
            return Ok(block);
        }
        if text.starts_with('<')
            && let Some(block) = self.tag(text, depth)?
        {
            return Ok(block);
        }
        if text.starts_with('|')
            && let Some(next) = self.line(number + 1)
            && table::is_delimiter(next.trim())
        {
            return self.pipe_table();
        }
        self.at += 1;
        one_line(text, number)
    }

    fn code(&mut self, opening: &str, depth: usize) -> ApiResult<Parsed> {
        let start = self.at;
        let width = fence_width(opening);
        let info = &opening[width..];
        let Some(language) = languages::of_fence(info) else {
            return Err(ApiError::invalid(format!(
                "Invalid code language: \"{}\" is not supported.",
                info.trim()
            )));
        };
        let mut content: Vec<&str> = Vec::new();
        self.at += 1;
        while let Some(line) = self.line(self.at) {
            self.at += 1;
            let bare = line.trim();
            if fence_width(bare) >= width && bare.trim_start_matches('`').is_empty() {
                break;
            }
            content.push(without_tabs(line, depth));
        }
        let text = crate::rich::plain(&content.join("\n"));
        let kind = Kind::Code { text, caption: Vec::new(), language };
        Ok(Parsed {
            node: Node::Block(kind),
            children: Vec::new(),
            lines: (start..self.at).collect(),
        })
    }

    fn equation(&mut self, depth: usize) -> Option<Parsed> {
        let start = self.at;
        let end = (start + 1..self.limit)
            .find(|n| self.line(*n).is_some_and(|line| line.trim() == "$$"))?;
        let content: Vec<&str> =
            self.lines.get(start + 1..end)?.iter().map(|line| without_tabs(line, depth)).collect();
        self.at = end + 1;
        let kind = Kind::Equation { expression: content.join("\n") };
        Some(Parsed {
            node: Node::Block(kind),
            children: Vec::new(),
            lines: (start..=end).collect(),
        })
    }

    fn pipe_table(&mut self) -> ApiResult<Parsed> {
        let start = self.at;
        let mut end = start + 2;
        while self.line(end).is_some_and(|line| line.trim().starts_with('|')) {
            end += 1;
        }
        self.at = end;
        table::from_pipes(&self.numbered(start, end), inline::parse)
    }

    /// A line that begins with a tag; `None` if it is text after all.
    fn tag(&mut self, text: &'a str, depth: usize) -> ApiResult<Option<Parsed>> {
        let number = self.at;
        let Some((tag, rest)) = tag::read(text) else { return Ok(None) };
        let closer = self.closers.get(&number).copied().filter(|end| *end < self.limit);
        if tag.name == "table"
            && let Some(end) = closer
        {
            self.at = end + 1;
            return table::from_tags(&self.numbered(number, end + 1), &tag, inline::parse)
                .map(Some);
        }
        if CONTAINERS.contains(&tag.name)
            && rest.is_empty()
            && let Some(end) = closer
        {
            return self.container(&tag, depth, end);
        }
        if let Some(leaf) = leaf_tag(&tag, rest, number)? {
            self.at += 1;
            return Ok(Some(leaf));
        }
        Ok(None)
    }

    fn container(&mut self, tag: &Tag<'_>, depth: usize, end: usize) -> ApiResult<Option<Parsed>> {
        let start = self.at;
        let mut lines = vec![start];
        let color = color_of(tag.get("color"));
        let mut summary = RichText::new();
        if tag.name == "details" {
            let Some(title) = self.line(start + 1).and_then(|line| {
                line.trim()
                    .strip_prefix("<summary>")
                    .and_then(|rest| rest.strip_suffix("</summary>"))
            }) else {
                return Ok(None);
            };
            summary = inline::parse(title)?;
            lines.push(start + 1);
            self.at += 1;
        }
        self.at += 1;
        let outer = std::mem::replace(&mut self.limit, end);
        let children = self.siblings(depth + 1, true);
        self.limit = outer;
        self.at = end + 1;
        let mut children = children?;
        let node = match tag.name {
            "details" => Node::Block(Kind::Toggle { text: summary, color }),
            "callout" => {
                let text = first_text(&mut children, &mut lines);
                let icon = tag
                    .get("icon")
                    .map(|emoji| serde_json::json!({"type": "emoji", "emoji": emoji}));
                Node::Block(Kind::Callout { text, icon, color })
            }
            "columns" => Node::Block(Kind::ColumnList),
            "column" => Node::Block(Kind::Column { ratio: None }),
            name => Node::Existing {
                id: tag.get("url").and_then(ids::uuid_of_url),
                tag: name.to_owned(),
                label: String::new(),
            },
        };
        if tag.name == "columns"
            && !children.iter().all(|child| matches!(child.node, Node::Block(Kind::Column { .. })))
        {
            return Err(ApiError::invalid("Invalid markdown: <columns> may hold only <column>."));
        }
        lines.push(end);
        if matches!(node, Node::Existing { .. }) && tag.name != "synced_block" {
            // What is shown there belongs to another place: every line is the reference's own.
            lines = (start..=end).collect();
            children.clear();
        }
        Ok(Some(Parsed { node, children, lines }))
    }
}

/// The text of a callout is its first line, if that is a plain paragraph.
fn first_text(children: &mut Vec<Parsed>, lines: &mut Vec<usize>) -> RichText {
    let plain = children.first().is_some_and(|first| {
        matches!(&first.node, Node::Block(Kind::Paragraph { color, .. }) if *color == Color::DEFAULT)
            && first.children.is_empty()
    });
    if !plain {
        return RichText::new();
    }
    let first = children.remove(0);
    lines.extend(first.lines);
    match first.node {
        Node::Block(Kind::Paragraph { text, .. }) => text,
        _ => RichText::new(),
    }
}

/// Tags that stand alone on their line.
fn leaf_tag(tag: &Tag<'_>, rest: &str, line: usize) -> ApiResult<Option<Parsed>> {
    let color = color_of(tag.get("color"));
    let body = || {
        if tag.closed {
            rest.is_empty().then_some("")
        } else {
            rest.strip_suffix(&format!("</{}>", tag.name))
        }
    };
    match tag.name {
        "empty-block" if tag.closed && rest.is_empty() => {
            Ok(Some(Parsed::leaf(Kind::paragraph(Vec::new()), line)))
        }
        "table_of_contents" if tag.closed && rest.is_empty() => {
            Ok(Some(Parsed::leaf(Kind::TableOfContents { color }, line)))
        }
        "page" | "database" | "unknown" => {
            let Some(label) = body() else { return Ok(None) };
            let node = Node::Existing {
                id: tag.get("url").and_then(ids::uuid_of_url),
                tag: tag.name.to_owned(),
                label: label.to_owned(),
            };
            Ok(Some(Parsed { node, children: Vec::new(), lines: vec![line] }))
        }
        name => {
            let media = MediaKind::from_name(name).filter(|media| *media != MediaKind::Image);
            let (Some(media), Some(source), Some(caption)) = (media, tag.get("src"), body()) else {
                return Ok(None);
            };
            let kind = Kind::Media {
                media,
                source: media_source(source)?,
                caption: inline::parse(caption)?,
            };
            Ok(Some(Parsed::leaf(kind, line)))
        }
    }
}

/// Host of addresses that Notion signs for files it holds.
pub(crate) const FILE_HOST: &str = "https://prod-files-secure.s3.us-west-2.amazonaws.com/";

pub(crate) fn media_source(url: &str) -> ApiResult<MediaSource> {
    if let Some(path) = url.strip_prefix(FILE_HOST) {
        let path = path.split('?').next().unwrap_or(path);
        return Ok(MediaSource::Hosted(path.to_owned()));
    }
    check_link(url)?;
    Ok(MediaSource::External(url.to_owned()))
}

fn color_of(name: Option<&str>) -> Color {
    name.and_then(Color::from_markdown).unwrap_or(Color::DEFAULT)
}

/// A block that is one line.
fn one_line(line: &str, number: usize) -> ApiResult<Parsed> {
    let (text, color, toggle) = split_attributes(line);
    if text.len() >= 3 && text.chars().all(|c| c == '-') {
        return Ok(Parsed::leaf(Kind::Divider, number));
    }
    if let Some((level, title)) = heading(text) {
        let kind = Kind::Heading { level, text: inline::parse(title)?, color, toggle };
        return Ok(Parsed::leaf(kind, number));
    }
    if let Some(rest) = bullet(text) {
        let kind = match todo(rest) {
            Some((checked, rest)) => Kind::ToDo { text: inline::parse(rest)?, checked, color },
            None => Kind::Bulleted { text: inline::parse(rest)?, color },
        };
        return Ok(Parsed::leaf(kind, number));
    }
    if let Some(rest) = numbered(text) {
        return Ok(Parsed::leaf(Kind::Numbered { text: inline::parse(rest)?, color }, number));
    }
    if let Some(rest) = text.strip_prefix('>') {
        return Ok(Parsed::leaf(
            Kind::Quote { text: inline::parse(rest.trim_start())?, color },
            number,
        ));
    }
    if let Some((caption, url)) = image(text) {
        let kind = Kind::Media {
            media: MediaKind::Image,
            source: media_source(url)?,
            caption: inline::parse(caption)?,
        };
        return Ok(Parsed::leaf(kind, number));
    }
    Ok(Parsed::leaf(Kind::Paragraph { text: inline::parse(text)?, color }, number))
}

/// Takes `{color="…" toggle="true"}` off the end of a line. Anything else in braces is text.
fn split_attributes(line: &str) -> (&str, Color, bool) {
    let none = (line, Color::DEFAULT, false);
    if !line.ends_with('}') {
        return none;
    }
    let Some(at) = line.rfind('{').filter(|at| !line[..*at].ends_with('\\')) else { return none };
    let Some(attributes) = tag::block_attributes(&line[at..]).filter(|list| !list.is_empty())
    else {
        return none;
    };
    let mut color = Color::DEFAULT;
    let mut toggle = false;
    for (key, value) in attributes {
        match (key, Color::from_markdown(value)) {
            ("color", Some(known)) => color = known,
            ("toggle", _) if value == "true" || value == "false" => toggle = value == "true",
            _ => return none,
        }
    }
    (line[..at].trim_end(), color, toggle)
}

/// `#####` and `######` become level 4.
pub(crate) fn heading(text: &str) -> Option<(u8, &str)> {
    let rest = text.trim_start_matches('#');
    let level = text.len() - rest.len();
    let title = if rest.is_empty() { "" } else { rest.strip_prefix(' ')? };
    if !(1..=6).contains(&level) {
        return None;
    }
    Some((u8::try_from(level.min(4)).unwrap_or(4), title.trim()))
}

pub(crate) fn bullet(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(['-', '*', '+'])?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix(' ').map(str::trim_start) }
}

pub(crate) fn todo(text: &str) -> Option<(bool, &str)> {
    for (mark, checked) in [("[ ]", false), ("[x]", true), ("[X]", true)] {
        if let Some(rest) = text.strip_prefix(mark)
            && (rest.is_empty() || rest.starts_with(' '))
        {
            return Some((checked, rest.trim_start()));
        }
    }
    None
}

pub(crate) fn numbered(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - rest.len();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let rest = rest.strip_prefix(['.', ')'])?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix(' ').map(str::trim_start) }
}

/// `![caption](address)` as the whole line.
pub(crate) fn image(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("![")?;
    let mut escaped = false;
    let end = inside.char_indices().find_map(|(at, c)| {
        let closes = c == ']' && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })?;
    let (url, "") = inline::link_target(&inside[end + 1..])? else { return None };
    Some((&inside[..end], url))
}

pub(crate) fn fence_width(line: &str) -> usize {
    let ticks = line.len() - line.trim_start_matches('`').len();
    if ticks >= 3 && !line[ticks..].contains('`') { ticks } else { 0 }
}

/// Depth of a line: its tabs; two spaces count as a tab, which lists written by hand need.
fn indent_of(line: &str) -> usize {
    let mut depth = 0;
    let mut spaces = 0;
    for c in line.chars() {
        match c {
            '\t' => depth += 1,
            ' ' => spaces += 1,
            _ => break,
        }
    }
    depth + spaces / 2
}

fn without_tabs(line: &str, depth: usize) -> &str {
    let mut rest = line;
    for _ in 0..depth {
        match rest.strip_prefix('\t') {
            Some(shorter) => rest = shorter,
            None => break,
        }
    }
    rest
}
