//! Reads the blocks that v2 writes as tags: those with attributes or children, and those that have no other form.

use std::ops::Range;

use super::block::{Alert, Block, Marker, paragraph};
use super::html::Tag;
use super::v2_line as syntax;
use super::v2_parse::{MAX_DEPTH, Reader};
use super::{table_tags, url, v2_inline};

/// A tag with its title.
struct Container<'t, 'a> {
    tag: &'t Tag<'a>,
    /// The line that closes it.
    close: usize,
    title: String,
    /// The lines of its children.
    children: Range<usize>,
}

impl<'a> Reader<'a, '_> {
    /// A block that begins with a tag; answers with the line after it.
    pub(super) fn tagged(
        &mut self,
        at: usize,
        end: usize,
        depth: usize,
        level: usize,
        tag: &Tag<'a>,
    ) -> usize {
        let text = self.line(at).text.trim_end();
        let same_line = tag.self_closing || syntax::closes_itself(text, tag.name);
        let close = if same_line { Some(at) } else { self.close_of(at, end) };
        if let Some(close) = close.filter(|_| level < MAX_DEPTH)
            && let Some(after) = self.known(at, close, depth, level, tag)
        {
            return after;
        }
        let after = close.unwrap_or(at) + 1;
        let raw = self.raw(at..after).trim();
        self.push(opaque(tag, raw), depth, at..after, "")
    }

    fn known(
        &mut self,
        at: usize,
        close: usize,
        depth: usize,
        level: usize,
        tag: &Tag<'a>,
    ) -> Option<usize> {
        let raw_tag = self.line(at).text.get(..tag.len)?;
        if tag.name == "p" && (tag.self_closing || self.raw(at..close + 1).trim() == "<p></p>") {
            return Some(self.push(Block::Empty, depth, at..at + 1, ""));
        }
        if tag.self_closing {
            return None;
        }
        match tag.name {
            "table" if close > at => return Some(self.table(at, close, depth, tag)),
            "ul" | "ol" if close > at => {
                let marker = if tag.name == "ol" { Marker::Number } else { Marker::Bullet };
                self.push(Block::Empty, depth, at..at + 1, "");
                self.lists.push(marker);
                self.blocks(at + 1..close, depth, level + 1);
                self.lists.pop();
                return Some(self.push(Block::Empty, depth, close..close + 1, ""));
            }
            _ => {}
        }
        let container = self.container(at, close, tag);
        let title = container.title.as_str();
        let block = match tag.name {
            "quote" | "callout" => {
                let own = if title.trim().is_empty() {
                    container.children.clone()
                } else if close > at && self.line(at).text.trim_end().len() == tag.len {
                    at + 1..close
                } else {
                    // The text stands on the line of the tag.
                    return self.one_line(&container, at, depth, raw_tag, level);
                };
                let content = self.nodes(own, level);
                match tag.name {
                    "quote" => Block::Quote(content),
                    _ => {
                        let icon = tag.attribute("icon").unwrap_or_default();
                        Block::Callout(Alert::of_icon(icon), content)
                    }
                }
            }
            "toggle" if tag.attribute("heading").is_none() => {
                let content = self.nodes(container.children.clone(), level);
                Block::Toggle(v2_inline::parse(title), content)
            }
            "equation" => {
                let lines: Vec<&str> = title.trim().lines().map(str::trim).collect();
                Block::Equation(lines.join("\n"))
            }
            "image" => {
                let target = tag.attribute("source")?.to_owned();
                if !url::is_sendable(&target) {
                    return None;
                }
                let caption = v2_inline::parse(title);
                return Some(self.image(caption, target, depth, at..close + 1, raw_tag));
            }
            _ => return self.flat(&container, at, depth, level, raw_tag),
        };
        Some(self.push(block, depth, at..close + 1, raw_tag))
    }

    /// A block whose children are units of their own.
    fn flat(
        &mut self,
        container: &Container<'_, 'a>,
        at: usize,
        depth: usize,
        level: usize,
        raw_tag: &str,
    ) -> Option<usize> {
        let tag = container.tag;
        let title = v2_inline::parse(&container.title);
        let heading = |name: &str| match name {
            "h1" => Some(1),
            "h2" => Some(2),
            "h3" => Some(3),
            "h4" => Some(4),
            _ => None,
        };
        let block = match tag.name {
            "p" => paragraph(title),
            "toggle" => Block::Heading(tag.attribute("heading").and_then(heading)?, title),
            "todo" => Block::Item(Marker::Todo(tag.attribute("checked") == Some("true")), title),
            "li" => Block::Item(self.lists.last().copied().unwrap_or(Marker::Bullet), title),
            name => Block::Heading(heading(name)?, title),
        };
        let close = container.close;
        let has_children = container.children.clone().any(|n| !self.line(n).text.trim().is_empty());
        if !has_children {
            return Some(self.push(block, depth, at..close + 1, raw_tag));
        }
        let inner = depth + usize::from(matches!(block, Block::Item(..)));
        self.push(block, depth, at..container.children.start.max(at + 1), raw_tag);
        let lists = std::mem::take(&mut self.lists);
        self.blocks(container.children.clone(), inner, level + 1);
        self.lists = lists;
        Some(self.push(Block::Empty, depth, close..close + 1, ""))
    }

    fn one_line(
        &mut self,
        container: &Container<'_, 'a>,
        at: usize,
        depth: usize,
        raw_tag: &str,
        level: usize,
    ) -> Option<usize> {
        let text = v2_inline::parse(&container.title);
        let mut content = vec![super::block::Node { depth: 0, block: paragraph(text) }];
        content.extend(self.nodes(container.children.clone(), level));
        let block = if container.tag.name == "quote" {
            Block::Quote(content)
        } else {
            let icon = container.tag.attribute("icon").unwrap_or_default();
            Block::Callout(Alert::of_icon(icon), content)
        };
        Some(self.push(block, depth, at..container.close + 1, raw_tag))
    }

    /// The title is all up to a blank line or a block; a blank line at once means that there is none.
    fn container<'t>(&self, at: usize, close: usize, tag: &'t Tag<'a>) -> Container<'t, 'a> {
        let open = self.line(at).text.trim_end();
        let rest = open.get(tag.len..).unwrap_or_default();
        let closing = format!("</{}>", tag.name);
        if close == at {
            let title = rest.strip_suffix(&closing).unwrap_or(rest).to_owned();
            return Container { tag, close, title, children: close..close };
        }
        let mut title = rest.to_owned();
        let text_end = self.text_end(at + 1, close);
        // An equation is no text: all of it is the title.
        let text_end = if tag.name == "equation" { close } else { text_end };
        for n in at + 1..text_end {
            title.push('\n');
            title.push_str(self.line(n).text);
        }
        Container { tag, close, title, children: text_end..close }
    }

    fn table(&mut self, at: usize, close: usize, depth: usize, tag: &Tag<'a>) -> usize {
        let raw = self.raw(at..close + 1);
        let blocks = table_tags::blocks(raw, tag, v2_inline::parse)
            .unwrap_or_else(|| vec![(opaque(tag, raw.trim()), 0..close + 1 - at)]);
        for (block, lines) in blocks {
            self.push(block, depth, at + lines.start..at + lines.end, "");
        }
        close + 1
    }
}

/// Names are those of v1, so that a file's marker means the same block in both grammars.
fn opaque(tag: &Tag<'_>, raw: &str) -> Block {
    let name = match tag.name {
        "unknown" => tag.attribute("alt").unwrap_or("unknown").to_owned(),
        name @ ("table-of-contents" | "synced-block" | "synced-block-reference") => {
            name.replace('-', "_")
        }
        name => name.to_owned(),
    };
    let name: String =
        name.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect();
    let name = if name.is_empty() { "unknown".to_owned() } else { name };
    Block::Opaque(name, url::without_signatures(raw))
}
