//! Both Markdown grammars of the API over the same block tree: v1, "enhanced markdown" (notion-api.md 5.2 and 5.5),
//! and v2, "Notion-flavored Markdown" (5.3).

pub(crate) mod edit;
pub(crate) mod inline;
pub(crate) mod inline_render;
pub(crate) mod languages;
pub(crate) mod odd;
pub(crate) mod parse;
pub(crate) mod render;
pub(crate) mod table;
pub(crate) mod tag;
pub(crate) mod v2;

#[cfg(test)]
mod tests;

use crate::error::ApiResult;
use crate::rich::RichText;
use parse::Parsed;

/// A Markdown grammar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    #[default]
    V1,
    V2,
}

impl Version {
    /// What stands between two blocks.
    pub(crate) fn gap(self) -> &'static str {
        match self {
            Self::V1 => "\n",
            Self::V2 => "\n\n",
        }
    }
}

/// Blocks as read, and what was ignored on the way.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) blocks: Vec<Parsed>,
    pub(crate) warnings: Vec<String>,
}

/// Reads a whole text.
///
/// # Errors
/// 400 for what Notion refuses.
pub(crate) fn read(text: &str, version: Version) -> ApiResult<Read> {
    match version {
        Version::V1 => Ok(Read { blocks: parse::parse(text)?, warnings: Vec::new() }),
        Version::V2 => v2::parse::parse(text),
    }
}

/// Reads inline Markdown.
///
/// # Errors
/// 400 for link targets that Notion refuses.
pub(crate) fn read_inline(text: &str, version: Version) -> ApiResult<RichText> {
    match version {
        Version::V1 => inline::parse(text),
        Version::V2 => v2::inline::parse(text),
    }
}
