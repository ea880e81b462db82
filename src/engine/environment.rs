//! The page in a backend that shows what is synced, and carries the mark by which a run sees whose databases it is
//! about to write to (docs/decisions/0008).

use agent_sync_core::kind::Format;
use agent_sync_core::markdown::{self, Dialect, Local, Push};
use serde::{Deserialize, Serialize};

use super::book::text_id;
use super::{RunError, Turn};
use crate::backend::{BackendError, Identity, Overview};
use crate::report::{
    ENVIRONMENT_TITLE, Environment, OpenConflict, environment, environment_date, environment_mark,
};

/// How the last line of the page begins.
const MARK: &str = "`agent-sync v1 workspace ";
/// Hunks of one call (notion-api.md 4.8).
const HUNKS: usize = 100;

/// Notes which conflicts are open, for this run's page and for runs that do not look for them.
pub(super) fn note(turn: &mut Turn<'_>) {
    let open = turn.report.conflicts.iter().map(OpenConflict::from).collect();
    turn.book.backend(turn.backend.name()).open = open;
}

/// The page as the state knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    /// The page.
    pub page: String,
    /// Its address.
    #[serde(default)]
    pub url: String,
    /// Digest of what it was last asked to show.
    pub digest: String,
}

/// What the mark of a page says.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    workspace: String,
    repository: String,
    /// Whether the page is as a run left it.
    untouched: bool,
}

/// Reads the mark of a page.
fn mark(dialect: Dialect, body: &str) -> Option<Mark> {
    let at = body.rfind(MARK)?;
    let (above, line) = body.split_at(at);
    let mut words = line.trim().trim_matches('`').split(' ');
    let mut word = |name: &str| {
        words.find(|word| *word == name)?;
        words.next().map(str::to_owned)
    };
    let (workspace, repository) = (word("workspace")?, word("repository")?);
    let content = word("content")?;
    let untouched =
        !line.trim().contains('\n') && content == short(&markdown::remote_digest(dialect, above));
    Some(Mark { workspace, repository, untouched })
}

fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

fn local(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown, links: None }
}

fn repository<'a>(turn: &'a Turn<'_>) -> Option<&'a str> {
    turn.web.map(|web| web.url.as_str())
}

/// Before the first write to a database that the state does not know: the page beside it must not say that it is
/// another repository's, or another workspace's that was copied. Requests: 1 for the neighbours and 1 for each page of that
/// title.
///
/// # Errors
/// [`RunError::Refused`]; what the backend says.
pub(super) async fn check(turn: &Turn<'_>, identity: &Identity) -> Result<Make, RunError> {
    let Some(overview) = turn.backend.overview() else { return Ok(Make::Search) };
    let mut found = Vec::new();
    for page in overview.find(ENVIRONMENT_TITLE).await? {
        let body = turn.backend.body(&page).await?.text;
        let Some(mark) = mark(turn.backend.dialect(), &body) else { continue };
        let ours = environment_mark(identity.workspace.as_deref(), repository(turn), "");
        let same = |name: &str, theirs: &str| {
            let own = ours.split(' ').skip_while(|word| *word != name).nth(1).unwrap_or_default();
            theirs == own || theirs == "unknown" || own == "unknown"
        };
        if !same("repository", &mark.repository) || !same("workspace", &mark.workspace) {
            return Err(RunError::Refused(format!(
                "The databases beside the page \"{ENVIRONMENT_TITLE}\" in {} belong to the repository {} (workspace \
                 {}), so nothing was written. Configure another parent page; or, where that repository is this one \
                 under its old name, move the page \"{ENVIRONMENT_TITLE}\" to the trash and run `agent-sync init`.",
                turn.label,
                crate::report::one_line(&mark.repository),
                crate::report::one_line(&mark.workspace),
            )));
        }
        found.push((page, body));
    }
    Ok(Make::Found(found.into_iter().next()))
}

/// Whether a page is made where the state knows none.
pub(super) enum Make {
    /// It is not.
    Never,
    /// Where there is none of that title.
    Search,
    /// It was looked for: the page and its body, where there is one.
    Found(Option<(String, String)>),
}

/// Brings the page up to date. No request where nothing about it changed, else at most 3. Trouble with it is a notice: it
/// stands in nobody's way.
pub(super) async fn show(turn: &mut Turn<'_>, identity: &Identity, make: Make) {
    let Some(overview) = turn.backend.overview() else { return };
    if let Err(error) = bring(turn, overview, identity, make).await {
        turn.report.notices.push(format!(
            "The page \"{ENVIRONMENT_TITLE}\" in {} was not brought up to date: {error}",
            turn.label
        ));
    }
}

async fn bring(
    turn: &mut Turn<'_>,
    overview: &dyn Overview,
    identity: &Identity,
    make: Make,
) -> Result<(), BackendError> {
    let name = turn.backend.name().to_owned();
    let conflicts = turn.book.backend(&name).open.clone();
    let content = environment(&Environment {
        repository: repository(turn),
        branch: &turn.session.branch,
        kinds: &turn.kinds,
        conflicts: &conflicts,
        findings: &turn.book.meta.found,
    });
    let digest = text_id(content.as_bytes());
    let known = turn.book.backend(&name).shown.clone();
    let makes = !matches!(make, Make::Never);
    if known.as_ref().is_some_and(|shown| shown.digest == digest) || known.is_none() && !makes {
        return Ok(());
    }
    let text = whole(turn, identity, &content);
    let (page, body) = match (known.as_ref(), make) {
        (Some(shown), _) => (Some(shown.page.clone()), None),
        (None, Make::Found(found)) => found.unzip(),
        (None, _) => marked(turn, overview).await?.unzip(),
    };
    let mut url = known.map(|shown| shown.url).unwrap_or_default();
    let there = match page {
        None => None,
        Some(page) => match update(turn, &page, body, &content, &text).await {
            // Somebody put it into the trash: it is made anew by the next `init`.
            Err(BackendError::NotFound { .. }) if !makes => return Ok(()),
            Err(BackendError::NotFound { .. }) => None,
            done => done.map(|()| Some(page))?,
        },
    };
    let page = match there {
        Some(page) => page,
        None => {
            let sent = markdown::render_remote(&local(&text), turn.backend.dialect());
            let (page, address) = overview.make(ENVIRONMENT_TITLE, &sent).await?;
            url = address;
            page
        }
    };
    turn.book.backend(&name).shown = Some(Shown { page, url, digest });
    Ok(())
}

/// The first page of that title that is one of ours, with its body.
async fn marked(
    turn: &Turn<'_>,
    overview: &dyn Overview,
) -> Result<Option<(String, String)>, BackendError> {
    for page in overview.find(ENVIRONMENT_TITLE).await? {
        let body = turn.backend.body(&page).await?.text;
        if mark(turn.backend.dialect(), &body).is_some() {
            return Ok(Some((page, body)));
        }
    }
    Ok(None)
}

/// The page with its last lines.
fn whole(turn: &Turn<'_>, identity: &Identity, content: &str) -> String {
    let now = turn.backend.now().unwrap_or_default();
    let above = format!("{content}\n{}\n", environment_date(now));
    let digest = markdown::local_digest(&local(&above));
    let mark = environment_mark(identity.workspace.as_deref(), repository(turn), short(&digest));
    format!("{above}\n{mark}\n")
}

/// Whether a page says this already, whenever that was written.
fn says(dialect: Dialect, body: &str, content: &str) -> bool {
    let above = body.rfind(MARK).and_then(|at| body.get(..at)).unwrap_or(body).trim_end();
    let date = above.lines().last().unwrap_or_default();
    let then = format!("{content}\n{date}\n");
    markdown::local_digest(&local(&then)) == markdown::remote_digest(dialect, above)
}

async fn update(
    turn: &mut Turn<'_>,
    page: &str,
    body: Option<String>,
    content: &str,
    text: &str,
) -> Result<(), BackendError> {
    let dialect = turn.backend.dialect();
    let body = match body {
        Some(body) => body,
        None => turn.backend.body(page).await?.text,
    };
    if !mark(dialect, &body).is_some_and(|mark| mark.untouched) {
        turn.report.notices.push(format!(
            "The page \"{ENVIRONMENT_TITLE}\" in {} was edited by hand, so it is left as it is. Move it to the trash \
             and run `agent-sync init` to have it made anew.",
            turn.label
        ));
        return Ok(());
    }
    if says(dialect, &body, content) {
        return Ok(());
    }
    // It is as a run left it, so what differs is ours to replace.
    if let Push::Edit(hunks) = markdown::plan_push(dialect, None, &local(text), &body) {
        for hunks in hunks.chunks(HUNKS) {
            turn.backend.edit_body(page, hunks).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_whose_page_it_is_and_whether_it_is_as_it_was() {
        let above = "Some text.\n\n- a\n  - b\n\nLast change.\n";
        let content = markdown::local_digest(&local(above));
        let line =
            environment_mark(Some("w-1"), Some("https://github.com/org/repo"), short(&content));
        let text = format!("{above}\n{line}\n");
        let sent = markdown::render_remote(&local(&text), Dialect::NotionV1);
        let read = mark(Dialect::NotionV1, &sent).unwrap();
        assert_eq!((read.workspace.as_str(), read.untouched), ("w-1", true));
        assert_eq!(read.repository, "https://github.com/org/repo");
        let edited = sent.replace("Some text", "Some other text");
        assert!(!mark(Dialect::NotionV1, &edited).unwrap().untouched);
        assert!(!mark(Dialect::NotionV1, &format!("{sent}\nMore.")).unwrap().untouched);
        assert_eq!(mark(Dialect::NotionV1, "Nothing of ours."), None);
        let hostile = environment_mark(None, Some("https://x/`\n# y @z"), "0");
        assert_eq!(hostile, "`agent-sync v1 workspace unknown repository https://x/yz content 0`");
    }
}
