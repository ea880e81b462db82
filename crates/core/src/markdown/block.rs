//! Blocks as both grammars see them.
//!
//! The tree is kept flat, in the order of the text, with depths: a list item, a table row and a block inside of
//! a list item are units of their own, because their text can be replaced on its own on both sides. Quotes,
//! callouts and toggles hold their content inside and are one unit.

use std::fmt::Write as _;
use std::ops::Range;

use super::inline::{Inline, composed, words_of};
use super::{language, url};

/// How a list item is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    Bullet,
    Number,
    Todo(bool),
}

/// The five kinds of alerts of GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alert {
    Note,
    Tip,
    Important,
    Warning,
    Caution,
}

/// Alert, word in a file, icon and colour in Notion.
const ALERTS: [(Alert, &str, &str, &str); 5] = [
    (Alert::Note, "NOTE", "ℹ️", "blue_bg"),
    (Alert::Tip, "TIP", "💡", "green_bg"),
    (Alert::Important, "IMPORTANT", "❗", "purple_bg"),
    (Alert::Warning, "WARNING", "⚠️", "yellow_bg"),
    (Alert::Caution, "CAUTION", "🛑", "red_bg"),
];

impl Alert {
    fn row(self) -> (&'static str, &'static str, &'static str) {
        ALERTS
            .iter()
            .find(|(alert, ..)| *alert == self)
            .map_or(("NOTE", "ℹ️", "blue_bg"), |(_, word, icon, color)| (word, icon, color))
    }

    /// The word in `> [!NOTE]`.
    pub(super) fn word(self) -> &'static str {
        self.row().0
    }

    /// Icon of the callout.
    pub(super) fn icon(self) -> &'static str {
        self.row().1
    }

    /// Colour of the callout.
    pub(super) fn color(self) -> &'static str {
        self.row().2
    }

    /// A callout with any other icon is a note in a file.
    pub(super) fn of_icon(icon: &str) -> Self {
        let plain = |text: &str| text.replace('\u{fe0f}', "");
        ALERTS
            .iter()
            .find(|(_, _, known, _)| plain(known) == plain(icon))
            .map_or(Self::Note, |(alert, ..)| *alert)
    }
}

/// A block without its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Paragraph(Inline),
    /// Level 1 to 4.
    Heading(u8, Inline),
    Item(Marker, Inline),
    Quote(Vec<Node>),
    Callout(Alert, Vec<Node>),
    Toggle(Inline, Vec<Node>),
    /// Language as Notion names it; text with LF and without final newline.
    Code(String, String),
    Equation(String),
    /// Begin of a table: cells of its header (`None`: no header row) and number of columns.
    Table(Option<Vec<Inline>>, usize),
    Row(Vec<Inline>),
    TableEnd,
    Divider,
    /// Caption and target.
    Image(Inline, String),
    /// A block that only Notion has: its name and its text without what changes by itself (empty in a file).
    Opaque(String, String),
    /// Notion's empty paragraph: ignored, but kept.
    Empty,
}

/// A block at a depth; the depth counts the list items around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) depth: usize,
    pub(super) block: Block,
}

impl Node {
    /// Canonical form, equal exactly for equal content. Opaque blocks are equal by name.
    pub(super) fn key(&self) -> String {
        let mut out = String::new();
        self.write_key(&mut out);
        out
    }

    /// Appends the canonical form.
    pub(super) fn write_key(&self, out: &mut String) {
        match u32::try_from(self.depth).ok().and_then(|depth| char::from_digit(depth, 10)) {
            Some(digit) => out.push(digit),
            // Writing into a String cannot fail.
            None => drop(write!(out, "{}", self.depth)),
        }
        match &self.block {
            Block::Paragraph(text) => {
                out.push('p');
                text.write_key(out);
            }
            Block::Heading(level, text) => {
                out.push('h');
                out.push_str(&level.to_string());
                text.write_key(out);
            }
            Block::Item(marker, text) => {
                out.push_str(match marker {
                    Marker::Bullet => "-",
                    Marker::Number => "#",
                    Marker::Todo(false) => "[ ]",
                    Marker::Todo(true) => "[x]",
                });
                text.write_key(out);
            }
            Block::Quote(content) => {
                out.push('>');
                write_content(content, out);
            }
            Block::Callout(alert, content) => {
                out.push('!');
                out.push_str(alert.word());
                write_content(content, out);
            }
            Block::Toggle(title, content) => {
                out.push('?');
                title.write_key(out);
                write_content(content, out);
            }
            Block::Code(language, text) => {
                out.push('c');
                out.push_str(language);
                out.push('\u{2}');
                out.push_str(text);
            }
            Block::Equation(text) => {
                out.push('e');
                out.push_str(text);
            }
            Block::Table(header, columns) => {
                out.push('t');
                match header {
                    Some(cells) => write_cells(cells, out),
                    None => out.push_str(&columns.to_string()),
                }
            }
            Block::Row(cells) => {
                out.push('r');
                write_cells(cells, out);
            }
            Block::TableEnd => out.push('/'),
            Block::Divider => out.push('_'),
            Block::Image(caption, target) => {
                out.push('i');
                caption.write_key(out);
                out.push('\u{2}');
                out.push_str(&url::canonical(target));
            }
            Block::Opaque(name, _) => {
                out.push('o');
                out.push_str(name);
            }
            Block::Empty => out.push('0'),
        }
    }

    /// Whether the block takes part in canonical equality.
    pub(super) fn counts(&self) -> bool {
        !matches!(self.block, Block::Opaque(..) | Block::Empty)
    }

    /// Whether the block is one that only the backend has, or has such a one inside.
    pub(super) fn holds_opaque(&self) -> bool {
        match &self.block {
            Block::Opaque(..) => true,
            Block::Quote(content) | Block::Callout(_, content) | Block::Toggle(_, content) => {
                content.iter().any(Self::holds_opaque)
            }
            _ => false,
        }
    }

    /// Whether the block's kind (not its text) is that of another one, so that one can become the other in place.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.depth == other.depth
            && match (&self.block, &other.block) {
                (Block::Heading(a, _), Block::Heading(b, _)) => a == b,
                (Block::Item(a, _), Block::Item(b, _)) => {
                    std::mem::discriminant(a) == std::mem::discriminant(b)
                }
                (Block::Callout(a, _), Block::Callout(b, _)) => a == b,
                (Block::Table(a, n), Block::Table(b, m)) => a.is_some() == b.is_some() && n == m,
                (Block::Row(a), Block::Row(b)) => a.len() == b.len(),
                (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
            }
    }

    /// Lower-case words of the text.
    pub(super) fn words(&self) -> Vec<String> {
        let mut out = Vec::new();
        self.add_words(&mut out);
        out
    }

    fn add_words(&self, out: &mut Vec<String>) {
        match &self.block {
            Block::Paragraph(text)
            | Block::Heading(_, text)
            | Block::Item(_, text)
            | Block::Image(text, _) => text.words(out),
            Block::Quote(content) | Block::Callout(_, content) => {
                content.iter().for_each(|node| node.add_words(out));
            }
            Block::Toggle(title, content) => {
                title.words(out);
                content.iter().for_each(|node| node.add_words(out));
            }
            Block::Code(_, text) | Block::Equation(text) => words_of(text, out),
            Block::Table(Some(cells), _) | Block::Row(cells) => {
                cells.iter().for_each(|cell| cell.words(out));
            }
            Block::Table(None, _)
            | Block::TableEnd
            | Block::Divider
            | Block::Opaque(..)
            | Block::Empty => {}
        }
    }
}

fn write_content(content: &[Node], out: &mut String) {
    out.push('\u{6}');
    for node in content.iter().filter(|node| node.counts()) {
        node.write_key(out);
        out.push('\u{7}');
    }
    out.push('\u{8}');
}

fn write_cells(cells: &[Inline], out: &mut String) {
    for cell in cells {
        cell.write_key(out);
        out.push('\u{7}');
    }
}

/// A paragraph; one that shows nothing is empty.
pub(super) fn paragraph(text: Inline) -> Block {
    if text.is_empty() { Block::Empty } else { Block::Paragraph(text) }
}

/// Code block with its parts in canonical form.
pub(super) fn code(info: &str, text: &str) -> Block {
    let mut text = composed(text.replace("\r\n", "\n"));
    if text.ends_with('\n') {
        text.pop();
    }
    Block::Code(language::canonical(info).to_owned(), text)
}

/// A unit of a backend's text.
#[derive(Clone, Debug)]
pub(super) struct RemoteUnit {
    pub(super) node: Node,
    pub(super) key: String,
    /// Its whole lines, without the last line's ending.
    pub(super) span: Range<usize>,
    /// Tabs before its first line; more than the depth below blocks that are no list items.
    pub(super) indent: usize,
    /// ` {color="…"}`, with its space.
    pub(super) attributes: String,
    /// Never part of a replaced text: opaque, or with an opaque block inside, or with a signed link, which rotates.
    pub(super) frozen: bool,
}

/// A unit of a file.
#[derive(Clone, Debug)]
pub(super) struct LocalUnit {
    pub(super) node: Node,
    pub(super) key: String,
    /// Its whole lines, without the last line's ending.
    pub(super) span: Range<usize>,
    /// Source of the inline text, of the code or of the quote, where the block has one.
    pub(super) inline: Option<Range<usize>>,
    /// The `[ ]` of a task.
    pub(super) task: Option<Range<usize>>,
    /// Sources of a table row's cells.
    pub(super) cells: Vec<Range<usize>>,
    /// White space before the block's first line.
    pub(super) indent: String,
    /// White space before blocks inside of this list item.
    pub(super) child_indent: String,
    /// The list marker, e.g. `-`, `*`, `3)`.
    pub(super) marker: String,
}

/// A block with its canonical form: what alignment needs of a unit.
pub(super) trait Keyed {
    fn node(&self) -> &Node;
    fn key(&self) -> &str;
}

impl Keyed for RemoteUnit {
    fn node(&self) -> &Node {
        &self.node
    }
    fn key(&self) -> &str {
        &self.key
    }
}

impl Keyed for LocalUnit {
    fn node(&self) -> &Node {
        &self.node
    }
    fn key(&self) -> &str {
        &self.key
    }
}
