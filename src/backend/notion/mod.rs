//! The Notion backend.
