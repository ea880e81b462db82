//! What the grammars of the backends have in common: one way in for all that reads or writes a body.

use super::block::{Block, Marker, Node, RemoteUnit};
use super::{inside, keep, local_render, plain, v1_parse, v1_render, v2_parse, v2_render};

/// Grammar of a backend's bodies.
///
/// The canonical form is the same for all: a page has one digest, in whichever grammar it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Notion's "enhanced markdown".
    #[default]
    NotionV1,
    /// Notion's "Notion-flavored Markdown".
    NotionV2,
    /// Markdown as files have it, with its links as they are written.
    Markdown,
}

/// How the blocks around a new one are written, where a grammar has two ways.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Form {
    /// Rows of the table stand in tags.
    pub(super) table_tags: bool,
    /// Items of the list stand in tags.
    pub(super) list_tags: bool,
}

impl Dialect {
    /// The units of a body, in order.
    pub(super) fn parse(self, text: &str) -> Vec<RemoteUnit> {
        match self {
            Self::NotionV1 => v1_parse::parse(text),
            Self::NotionV2 => v2_parse::parse(text),
            Self::Markdown => plain::parse(text),
        }
    }

    /// A whole body.
    pub(super) fn render(self, nodes: &[Node]) -> String {
        match self {
            Self::NotionV1 => v1_render::render(nodes),
            Self::NotionV2 => v2_render::render(nodes),
            Self::Markdown => plain::render(nodes),
        }
    }

    /// The lines of one unit, without the last one's ending. `like` is the unit that it replaces, with its
    /// source: what only Notion has there stays.
    pub(super) fn unit(
        self,
        node: &Node,
        indent: usize,
        like: Option<(&RemoteUnit, &str)>,
        form: Form,
    ) -> String {
        if let Some((unit, source)) = like.filter(|(unit, _)| unit.indent == indent)
            && let Some(out) = inside::change(self, unit, source, node)
        {
            return keep::over_blocks(out, source, self);
        }
        let mut out = String::new();
        match self {
            Self::NotionV1 => v1_render::unit(node, indent, like, &mut out),
            Self::NotionV2 => v2_render::unit(node, indent, like, form, &mut out),
            Self::Markdown => {
                let marker = match node.block {
                    Block::Item(Marker::Number, _) => "1.",
                    _ => "-",
                };
                local_render::write_block(&node.block, &" ".repeat(indent), marker, None, &mut out);
            }
        }
        let out = out.strip_suffix('\n').unwrap_or(&out).to_owned();
        match (like, &node.block) {
            (
                Some((_, source)),
                Block::Quote(_) | Block::Callout(..) | Block::Toggle(..) | Block::Image(..),
            ) => keep::over_blocks(out, source, self),
            _ => out,
        }
    }

    /// The least that stands between the texts of two blocks.
    pub(super) fn separator(self, before: &Node, after: &Node) -> &'static str {
        match self {
            Self::NotionV1 => "\n",
            Self::NotionV2 => v2_render::separator(before, after),
            Self::Markdown => match local_render::separator(before, after, false).len() {
                0 => "",
                1 => "\n",
                _ => "\n\n",
            },
        }
    }

    /// What stands between a body and what is written at its end.
    pub(super) fn end_gap(self, body: &str) -> &'static str {
        match self {
            _ if body.is_empty() => "",
            Self::NotionV2 | Self::Markdown if !body.ends_with("\n\n") => {
                if body.ends_with('\n') {
                    "\n"
                } else {
                    "\n\n"
                }
            }
            Self::NotionV1 if !body.ends_with('\n') => "\n",
            _ => "",
        }
    }

    /// How much deeper than a list item its children are.
    pub(super) fn child_step(self) -> usize {
        match self {
            Self::NotionV1 => 1,
            Self::NotionV2 => v2_parse::TAB,
            Self::Markdown => 2,
        }
    }

    /// Whether the links of a file stay in it as they are written.
    pub fn keeps_links(self) -> bool {
        self == Self::Markdown
    }

    /// Whether children of a block that is no list item are set apart by their indentation alone.
    pub(super) fn indents_children(self) -> bool {
        self == Self::NotionV1
    }

    /// Whether a line that is taken out of its block breaks the block in two.
    pub(super) fn is_joined(self, node: &Node) -> bool {
        self == Self::NotionV2 && matches!(node.block, Block::Row(_) | Block::TableEnd)
    }
}
