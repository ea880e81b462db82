//! The block tree that pages hold.

use jiff::Timestamp;
use serde_json::Value;

use crate::markdown::Version;
use crate::rich::{Color, RichText};

/// A block with its children.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) children: Vec<Self>,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    pub(crate) edited: Timestamp,
    pub(crate) edited_by: String,
}

/// Media blocks that Markdown writes as tags, plus images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaKind {
    Image,
    Video,
    Audio,
    File,
    Pdf,
}

impl MediaKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Image, Self::Video, Self::Audio, Self::File, Self::Pdf];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::File => "file",
            Self::Pdf => "pdf",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where a medium lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MediaSource {
    /// An address elsewhere.
    External(String),
    /// Hosted by Notion: its address is signed anew on every read. Holds the path below the host.
    Hosted(String),
    /// A file upload, by its id, before it is attached.
    Upload(String),
}

/// What a block is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Paragraph {
        text: RichText,
        color: Color,
    },
    Heading {
        level: u8,
        text: RichText,
        color: Color,
        toggle: bool,
    },
    Bulleted {
        text: RichText,
        color: Color,
    },
    Numbered {
        text: RichText,
        color: Color,
    },
    ToDo {
        text: RichText,
        checked: bool,
        color: Color,
    },
    Quote {
        text: RichText,
        color: Color,
    },
    Toggle {
        text: RichText,
        color: Color,
    },
    Callout {
        text: RichText,
        icon: Option<Value>,
        color: Color,
    },
    Code {
        text: RichText,
        caption: RichText,
        language: &'static str,
    },
    Equation {
        expression: String,
    },
    Table {
        width: usize,
        header_row: bool,
        header_column: bool,
        fit_width: bool,
    },
    TableRow {
        cells: Vec<RichText>,
    },
    Divider,
    ColumnList,
    /// Width in percent, where it is not even.
    Column {
        ratio: Option<u8>,
    },
    Tabs,
    /// A tab among [`Self::Tabs`]: to the block API a paragraph with an icon.
    Tab {
        text: RichText,
        icon: Option<Value>,
    },
    Media {
        media: MediaKind,
        source: MediaSource,
        caption: RichText,
    },
    /// The block of a child page; it has the page's id.
    ChildPage,
    /// The block of a child database; it has the database's id.
    ChildDatabase,
    TableOfContents {
        color: Color,
    },
    /// `from` is `None` for an original.
    Synced {
        from: Option<String>,
    },
    Bookmark {
        url: String,
        caption: RichText,
    },
    Embed {
        url: String,
        caption: RichText,
    },
    LinkPreview {
        url: String,
    },
    Breadcrumb,
    Template {
        text: RichText,
    },
    LinkToPage {
        target: Value,
    },
    MeetingNotes {
        title: RichText,
    },
    /// What the API cannot show: forms, buttons, …
    Unsupported {
        block_type: String,
    },
}

impl Kind {
    /// A paragraph without color.
    pub(crate) fn paragraph(text: RichText) -> Self {
        Self::Paragraph { text, color: Color::DEFAULT }
    }

    /// The `type` of the block API.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Paragraph { .. } => "paragraph",
            Self::Heading { level: 1, .. } => "heading_1",
            Self::Heading { level: 2, .. } => "heading_2",
            Self::Heading { level: 3, .. } => "heading_3",
            Self::Heading { .. } => "heading_4",
            Self::Bulleted { .. } => "bulleted_list_item",
            Self::Numbered { .. } => "numbered_list_item",
            Self::ToDo { .. } => "to_do",
            Self::Quote { .. } => "quote",
            Self::Toggle { .. } => "toggle",
            Self::Callout { .. } => "callout",
            Self::Code { .. } => "code",
            Self::Equation { .. } => "equation",
            Self::Table { .. } => "table",
            Self::TableRow { .. } => "table_row",
            Self::Divider => "divider",
            Self::ColumnList => "column_list",
            Self::Column { .. } => "column",
            Self::Tabs => "tab",
            Self::Tab { .. } => "paragraph",
            Self::Media { media, .. } => media.name(),
            Self::ChildPage => "child_page",
            Self::ChildDatabase => "child_database",
            Self::TableOfContents { .. } => "table_of_contents",
            Self::Synced { .. } => "synced_block",
            Self::Bookmark { .. } => "bookmark",
            Self::Embed { .. } => "embed",
            Self::LinkPreview { .. } => "link_preview",
            Self::Breadcrumb => "breadcrumb",
            Self::Template { .. } => "template",
            Self::LinkToPage { .. } => "link_to_page",
            Self::MeetingNotes { .. } => "meeting_notes",
            Self::Unsupported { .. } => "unsupported",
        }
    }

    /// The text that a person edits, where there is one.
    pub(crate) fn text(&self) -> Option<&RichText> {
        match self {
            Self::Paragraph { text, .. }
            | Self::Heading { text, .. }
            | Self::Bulleted { text, .. }
            | Self::Numbered { text, .. }
            | Self::ToDo { text, .. }
            | Self::Quote { text, .. }
            | Self::Toggle { text, .. }
            | Self::Callout { text, .. }
            | Self::Code { text, .. }
            | Self::Tab { text, .. }
            | Self::Template { text } => Some(text),
            Self::Bookmark { caption, .. }
            | Self::Embed { caption, .. }
            | Self::Media { caption, .. } => Some(caption),
            Self::MeetingNotes { title } => Some(title),
            _ => None,
        }
    }

    pub(crate) fn text_mut(&mut self) -> Option<&mut RichText> {
        match self {
            Self::Paragraph { text, .. }
            | Self::Heading { text, .. }
            | Self::Bulleted { text, .. }
            | Self::Numbered { text, .. }
            | Self::ToDo { text, .. }
            | Self::Quote { text, .. }
            | Self::Toggle { text, .. }
            | Self::Callout { text, .. }
            | Self::Code { text, .. }
            | Self::Tab { text, .. }
            | Self::Template { text } => Some(text),
            Self::Bookmark { caption, .. }
            | Self::Embed { caption, .. }
            | Self::Media { caption, .. } => Some(caption),
            Self::MeetingNotes { title } => Some(title),
            _ => None,
        }
    }

    /// Whether blocks may be put under it.
    pub(crate) fn takes_children(&self) -> bool {
        match self {
            Self::Heading { toggle, .. } => *toggle,
            Self::Paragraph { .. }
            | Self::Bulleted { .. }
            | Self::Numbered { .. }
            | Self::ToDo { .. }
            | Self::Quote { .. }
            | Self::Toggle { .. }
            | Self::Callout { .. }
            | Self::ColumnList
            | Self::Column { .. }
            | Self::Tabs
            | Self::Tab { .. }
            | Self::Table { .. }
            | Self::Synced { from: None }
            | Self::Template { .. } => true,
            _ => false,
        }
    }

    /// Name after `alt` where Markdown has only `<unknown>` for it (notion-api.md 4.8, 5.5).
    pub(crate) fn unknown_alt(&self, version: Version) -> Option<&str> {
        match self {
            Self::LinkToPage { .. } => Some("alias"),
            Self::Unsupported { block_type } => Some(block_type),
            Self::LinkPreview { .. } | Self::Breadcrumb | Self::Template { .. } => {
                Some(self.name())
            }
            Self::Bookmark { .. } | Self::Embed { .. } | Self::Tabs if version == Version::V1 => {
                Some(self.name())
            }
            _ => None,
        }
    }

    /// Whether the block stands for a page or database of its own.
    pub(crate) fn is_child_object(&self) -> bool {
        matches!(self, Self::ChildPage | Self::ChildDatabase)
    }
}

/// The block with this id in a forest.
pub(crate) fn find<'a>(blocks: &'a [Block], id: &str) -> Option<&'a Block> {
    blocks
        .iter()
        .find_map(|block| if block.id == id { Some(block) } else { find(&block.children, id) })
}

pub(crate) fn find_mut<'a>(blocks: &'a mut [Block], id: &str) -> Option<&'a mut Block> {
    for block in blocks {
        if block.id == id {
            return Some(block);
        }
        if let Some(found) = find_mut(&mut block.children, id) {
            return Some(found);
        }
    }
    None
}

/// The list that holds the block with this id, and its place there.
pub(crate) fn find_list<'a>(
    blocks: &'a mut Vec<Block>,
    id: &str,
) -> Option<(&'a mut Vec<Block>, usize)> {
    if let Some(at) = blocks.iter().position(|block| block.id == id) {
        return Some((blocks, at));
    }
    blocks.iter_mut().find_map(|block| find_list(&mut block.children, id))
}

/// The id of the block that holds the block with this id; `None` at the top level or if it is not there.
pub(crate) fn parent_of<'a>(blocks: &'a [Block], id: &str) -> Option<&'a str> {
    blocks.iter().find_map(|block| {
        if block.children.iter().any(|child| child.id == id) {
            Some(block.id.as_str())
        } else {
            parent_of(&block.children, id)
        }
    })
}

/// Calls `f` for every block of a forest, parents first.
pub(crate) fn walk<'a>(blocks: &'a [Block], f: &mut impl FnMut(&'a Block)) {
    for block in blocks {
        f(block);
        walk(&block.children, f);
    }
}

/// A block of a request, not in a page yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) children: Vec<Self>,
}
