//! What a simulator is started with.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::ClockMode;

/// What a simulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port on the loopback interface; 0 takes any free one.
    pub port: u16,
    /// The only token that is accepted.
    pub token: String,
    /// Simulated time at the start.
    pub start: Timestamp,
    /// How the simulated clock moves.
    pub clock: ClockMode,
    /// Rate window; `None` never answers 429.
    pub rate: Option<Rate>,
    /// What the connection may do.
    pub capabilities: Capabilities,
    /// Time that every answer takes at least.
    pub latency: Duration,
    /// Id of the page made at the start and shared with the connection; `None` makes one up.
    pub parent_page: Option<String>,
    /// Rows that one query (filter and sort) gives at most (notion-api.md 4.4).
    pub query_cap: usize,
    /// Blocks of a page that one answer in Markdown loads at most (notion-api.md 4.8).
    pub record_limit: usize,
    /// Refuses `markdown_version` v1 and takes v2 where none is named, as the next version of the API will
    /// (notion-api.md 5.1).
    pub reject_v1: bool,
    /// An `update_content` with several items skips those whose text is missing instead of refusing them all.
    pub skip_missing: bool,
    /// Seed of odd but faithful forms that Markdown is answered in; a block keeps its forms from read to read.
    pub odd: Option<u64>,
    /// Changes texts when they are stored, in ways that nobody can foresee: quotes and dashes become typographic.
    pub odd_text: bool,
    /// Whether there are endpoints for views; without them they answer as any unknown address.
    pub views: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            token: "ntn_sim_token".to_owned(),
            start: Timestamp::from_second(1_795_168_830).unwrap_or(Timestamp::UNIX_EPOCH),
            clock: ClockMode::Frozen,
            rate: None,
            capabilities: Capabilities::default(),
            latency: Duration::ZERO,
            parent_page: None,
            query_cap: 10_000,
            record_limit: 20_000,
            reject_v1: false,
            skip_missing: false,
            odd: None,
            odd_text: false,
            views: true,
        }
    }
}

/// A rate window (notion-api.md 6.1).
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests that any window may hold.
    pub requests: usize,
    /// Length of the window.
    pub window: Duration,
}

/// What the connection may do (notion-api.md 7.6). The default allows everything, comments included.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// Read content.
    pub read: bool,
    /// Insert content.
    pub insert: bool,
    /// Update content.
    pub update: bool,
    /// Read comments.
    pub read_comments: bool,
    /// Insert comments.
    pub insert_comments: bool,
    /// Read users.
    pub user_info: bool,
    /// Read the email addresses of users too.
    pub user_email: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            read: true,
            insert: true,
            update: true,
            read_comments: true,
            insert_comments: true,
            user_info: true,
            user_email: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_start_is_the_documented_one() {
        assert_eq!(Options::default().start, "2026-11-20T10:00:30Z".parse().unwrap());
    }
}
