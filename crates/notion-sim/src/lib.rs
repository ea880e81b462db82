//! A strict, stateful simulator of the Notion API, version 2026-03-11, for tests, the quickstart and benchmarks.
//!
//! It keeps pages as trees of blocks with stable ids, rejects what Notion rejects with Notion's error bodies, and
//! answers over HTTP on the loopback interface. Tests act as a person through [`Workspace`], inject faults with
//! [`Fault`], move the clock, and count requests. Numbers after "notion-api.md" in this crate are sections of the
//! project's fact sheet on the API.
//!
//! # Limits
//!
//! Where the fact sheet has an open conflict, the strictest or most destructive reading is taken:
//!
//! - In Markdown v2 a line break inside a paragraph is a space, as in CommonMark, and what is a block of its own in
//!   CommonMark ends a paragraph; colors of cells, widths of columns in tables and kinds of numbering are ignored
//!   with a warning. `<unknown>` stands for what v2 has no tag for.
//! - Unknown property names and unknown members of a body are refused; a link target that is not an absolute
//!   address is refused in Markdown too.
//! - A leading H1 becomes the title of a new page only where no title is supplied; else it stays in the body.
//! - An item of a multi-item `update_content` whose text is missing refuses the whole request, as does one that
//!   matches several times; with [`Options::skip_missing`] a missing one is skipped silently if others apply.
//! - Blocks touched by an edit get new ids and their comments lose their anchor; all other blocks stay.
//! - Every edit moves the page's time of last edit, property edits included; comments do not, nor does the other
//!   side of a two-way relation.
//! - `<unknown>` and other tags of things that exist cannot be written anew through Markdown.
//! - A person's change of a schema does not move any time of last edit.
//! - No async tasks, templates, webhooks, queries or dashboards of views; files are uploaded in one part only, and icons and covers do not
//!   take them. Custom emoji are a fixed list. Formulas and rollups show what a person sets, and conditions on the
//!   items of a rollup match nothing.
//!
//! ```no_run
//! let server = notion_sim::Server::start(notion_sim::Options::default())?;
//! let (url, parent) = (server.url(), server.parent_page());
//! # Ok::<(), std::io::Error>(())
//! ```

mod api;
mod block;
mod clock;
mod error;
mod fault;
mod filter;
mod http;
mod ids;
mod markdown;
mod options;
mod request;
mod rich;
mod schema;
mod values;
mod workspace;

pub use clock::ClockMode;
pub use fault::{Fault, FaultKind};
pub use http::server::{Event, Hook, Phase, Request, Server};
pub use options::{Capabilities, Options, Rate};
pub use workspace::Workspace;
pub use workspace::inspect::{BlockInfo, CommentInfo, DatabaseInfo, PageInfo, ViewInfo};
pub use workspace::person::{PersonError, Special};
