//! Blocks of Markdown v2 that are written as a tag and hold no blocks.

use serde_json::{Value, json};

use crate::block::{Kind, MediaKind, MediaSource};
use crate::error::ApiResult;
use crate::markdown::parse::{Node, media_source};
use crate::markdown::tag::Tag;
use crate::markdown::v2::inline;
use crate::markdown::v2::parse::{Reader, id_of};
use crate::rich::{Color, RichText, check_link};

/// Whether a tag of this name holds no blocks.
pub(super) fn holds_nothing(name: &str) -> bool {
    matches!(
        name,
        "equation"
            | "table-of-contents"
            | "image"
            | "pdf"
            | "file"
            | "audio"
            | "video"
            | "bookmark"
            | "embed"
            | "external_object_instance"
            | "page"
            | "folder"
            | "database"
            | "unknown"
            | "custom-block"
    )
}

/// Attributes that a tag may have.
pub(super) fn attributes(name: &str) -> &'static [&'static str] {
    match name {
        "toggle" => &["heading", "color"],
        "callout" => &["icon", "color"],
        "ol" => &["type"],
        "column" => &["ratio"],
        "tab" => &["icon"],
        "todo" => &["checked", "color"],
        "table" => &["header-row", "header-column", "fit-page-width"],
        "image" | "pdf" | "file" | "audio" | "video" | "bookmark" | "embed" => &["source", "color"],
        "page" => &["url", "color", "icon"],
        "database" => &["url", "data-source-url", "inline", "icon", "wiki", "color"],
        "synced-block-reference" => &["url", "notice"],
        "custom-block" => &["definition-id", "url"],
        "external_object_instance" => &["integration", "url"],
        "unknown" => &["url", "alt"],
        "synced-block" | "folder" | "mail" => &["url"],
        "columns" | "tabs" | "ul" => &[],
        _ => &["color", "url"],
    }
}

pub(super) fn color(tag: &Tag<'_>) -> Color {
    tag.get("color").and_then(Color::from_markdown).unwrap_or(Color::DEFAULT)
}

pub(super) fn icon(tag: &Tag<'_>) -> Option<Value> {
    tag.get("icon").map(|emoji| json!({"type": "emoji", "emoji": emoji}))
}

/// A tag for something that exists.
pub(super) fn existing(tag: &Tag<'_>, label: String) -> Node {
    Node::Existing { id: id_of(tag), tag: tag.name.to_owned(), label }
}

pub(super) fn image(source: MediaSource, caption: RichText) -> Kind {
    Kind::Media { media: MediaKind::Image, source, caption }
}

/// Reads a leaf; `None` if it lacks what it needs and is text.
pub(super) fn read(reader: &mut Reader, tag: &Tag<'_>, content: &str) -> ApiResult<Option<Node>> {
    let mut ignored = |name: &str| {
        if tag.get(name).is_some() {
            reader.warnings.push(format!("The attribute {name} of <{}> was ignored.", tag.name));
        }
    };
    let kind = match tag.name {
        "equation" => {
            ignored("color");
            Kind::Equation { expression: content.trim().to_owned() }
        }
        "table-of-contents" => Kind::TableOfContents { color: color(tag) },
        "bookmark" | "embed" => {
            let Some(url) = tag.get("source") else { return Ok(None) };
            ignored("color");
            check_link(url)?;
            let (url, caption) = (url.to_owned(), inline::parse(content)?);
            if tag.name == "bookmark" {
                Kind::Bookmark { url, caption }
            } else {
                Kind::Embed { url, caption }
            }
        }
        "page" if tag.get("url").is_none() => {
            return Ok(Some(Node::NewPage { title: inline::parse(content)? }));
        }
        name => match MediaKind::from_name(name) {
            Some(media) => {
                let Some(url) = tag.get("source") else { return Ok(None) };
                ignored("color");
                Kind::Media { media, source: media_source(url)?, caption: inline::parse(content)? }
            }
            None => return Ok(Some(existing(tag, content.to_owned()))),
        },
    };
    Ok(Some(Node::Block(kind)))
}
