//! A strict, stateful simulator of the Notion API, version 2026-03-11, for tests, the quickstart and benchmarks.
//!
//! It keeps pages as trees of blocks with stable ids, rejects what Notion rejects with Notion's error bodies, and
//! answers over HTTP on the loopback interface. Tests act as a person through [`Workspace`], inject faults with
//! [`Fault`], move the clock, and count requests. What is known of the real API is in `docs/notion-api.md` of the
//! project; section numbers in this crate refer to that sheet.
//!
//! ```no_run
//! let server = notion_sim::Server::start(notion_sim::Options::default())?;
//! println!("{} {}", server.url(), server.parent_page());
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
pub use workspace::inspect::{BlockInfo, CommentInfo, DatabaseInfo, PageInfo};
pub use workspace::person::{PersonError, Special};
