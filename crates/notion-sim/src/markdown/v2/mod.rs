//! Markdown v2, "Notion-flavored Markdown" (notion-api.md 5.3).

mod emphasis;
pub(crate) mod inline;
pub(crate) mod inline_render;
mod leaf;
pub(crate) mod parse;
pub(crate) mod render;
mod shape;

#[cfg(test)]
mod tests;
