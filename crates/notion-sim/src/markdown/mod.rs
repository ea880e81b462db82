//! Markdown v1, "enhanced markdown" (notion-api.md 5.2 and 5.5).

pub(crate) mod edit;
pub(crate) mod inline;
pub(crate) mod inline_render;
pub(crate) mod languages;
pub(crate) mod parse;
pub(crate) mod render;
pub(crate) mod table;
pub(crate) mod tag;

#[cfg(test)]
mod tests;
