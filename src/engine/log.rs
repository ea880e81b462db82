//! log: past runs, from the commits of the state.

use super::{RunError, Session, book, retention};
use crate::report::{LogLine, Report};

/// Reads the newest runs. No request to a backend.
///
/// # Errors
/// What the state says.
pub(super) async fn log(session: &Session<'_>, limit: usize) -> Result<Report, RunError> {
    let snapshot = session.store.load().await?;
    let mut report = Report::new("log", false);
    report.state_commit.clone_from(&snapshot.commit);
    if snapshot.commit.is_some() {
        // A run of many writes has a commit for each fifty of them; those in its middle are left out.
        let store = session.store.as_ref();
        let commits = retention::past(store, &snapshot, limit.saturating_mul(50)).await?;
        let ended = commits.iter().filter(|entry| !entry.message.starts_with(super::PARTIAL));
        for entry in ended.take(limit) {
            let field = |name: &str| {
                entry
                    .message
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .map(|text| text.trim().to_owned())
            };
            report.log.push(LogLine {
                commit: entry.commit.clone(),
                time: entry.time.to_string(),
                summary: entry.message.lines().next().unwrap_or_default().to_owned(),
                run: field("Run:"),
                actor: field("Actor:"),
                link: field("Link:"),
            });
        }
    }
    if report.log.len() < limit
        && let Some(pruned) = book::pruned(session.store.as_ref(), &snapshot).await?
    {
        report.notices.push(format!(
            "Runs from before {} were pruned (`state.keep_days`).",
            pruned.strftime("%Y-%m-%d")
        ));
    }
    report.settle();
    Ok(report)
}
