//! Review comments and the changed lines of a pull request (docs.github.com, "REST API endpoints for pull request
//! review comments"; GraphQL `reviewThreads`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::client::{Call, Client, Meaning};
use super::error::GithubError;
use super::talk::User;

/// Entries of a page.
const PAGE: usize = 100;
/// Pages of files that are looked at; GitHub lists at most 3,000 files.
const PAGES: usize = 30;
/// The line of `permissions:` for all of it.
const WRITE: &str = "pull-requests: write";

/// A review comment.
#[derive(Clone, Debug, Deserialize)]
pub struct ReviewComment {
    /// Its id.
    pub id: u64,
    /// Its text.
    #[serde(default)]
    pub body: Option<String>,
    /// Its author.
    pub user: Option<User>,
    /// The comment that it answers.
    #[serde(default)]
    pub in_reply_to_id: Option<u64>,
}

/// Lines of a file's new version that a review comment can be about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(Vec<(usize, usize)>);

impl Shown {
    /// Whether all these lines are in one part of the difference.
    pub fn holds(&self, first: usize, last: usize) -> bool {
        self.0.iter().any(|(from, to)| *from <= first && last <= *to)
    }

    /// Reads the headers of a unified difference: `@@ -a,b +c,d @@`.
    fn parse(patch: &str) -> Self {
        let of = |line: &str| {
            let new = line.strip_prefix("@@ -")?.split_once(" +")?.1.split_once(" @@")?.0;
            let (start, length) = match new.split_once(',') {
                Some((start, length)) => (start.parse().ok()?, length.parse::<usize>().ok()?),
                None => (new.parse::<usize>().ok()?, 1),
            };
            Some((start, (start + length).checked_sub(1)?))
        };
        Self(patch.lines().filter_map(of).collect())
    }
}

/// A new review comment.
#[derive(Clone, Debug)]
pub struct NewReviewComment<'a> {
    /// The commit that it is about.
    pub commit: &'a str,
    /// The file.
    pub path: &'a str,
    /// The first line.
    pub line: usize,
    /// The last line.
    pub end_line: usize,
    /// Its text.
    pub body: &'a str,
}

impl Client {
    fn read_pull<'a>(&self, what: &'static str, path: &'a [&'a str]) -> Call<'a> {
        self.get(what, path, "pull-requests: read")
    }

    /// The lines that a pull request shows, by file. One request for each hundred files.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn shown_lines(&self, number: u64) -> Result<BTreeMap<String, Shown>, GithubError> {
        #[derive(Deserialize)]
        struct File {
            filename: String,
            #[serde(default)]
            patch: Option<String>,
        }
        let number = number.to_string();
        let path = ["pulls", &number, "files"];
        let size = PAGE.to_string();
        let mut shown = BTreeMap::new();
        for page in 1..=PAGES {
            let page = page.to_string();
            let query = [("per_page", size.as_str()), ("page", page.as_str())];
            let call = Call { query: &query, ..self.read_pull("GET /pulls/{number}/files", &path) };
            let files: Vec<File> = self.json(call).await?;
            let last = files.len() < PAGE;
            // A file without a patch is too large to be shown.
            shown.extend(
                files
                    .into_iter()
                    .filter_map(|file| Some((file.filename, Shown::parse(&file.patch?)))),
            );
            if last {
                break;
            }
        }
        Ok(shown)
    }

    /// The review comments of a pull request. One request for each hundred.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn review_comments(&self, number: u64) -> Result<Vec<ReviewComment>, GithubError> {
        let number = number.to_string();
        let path = ["pulls", &number, "comments"];
        let size = PAGE.to_string();
        let mut all: Vec<ReviewComment> = Vec::new();
        for page in 1..=PAGES {
            let page = page.to_string();
            let query = [("per_page", size.as_str()), ("page", page.as_str())];
            let call =
                Call { query: &query, ..self.read_pull("GET /pulls/{number}/comments", &path) };
            let some: Vec<ReviewComment> = self.json(call).await?;
            let last = some.len() < PAGE;
            all.extend(some);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// Writes a review comment. One request. After an answer that is not clear look for it before writing it again.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn create_review_comment(
        &self,
        number: u64,
        comment: &NewReviewComment<'_>,
    ) -> Result<(), GithubError> {
        let mut body = json!({
            "body": comment.body,
            "commit_id": comment.commit,
            "path": comment.path,
            "line": comment.end_line,
            "side": "RIGHT",
        });
        if comment.line < comment.end_line {
            body["start_line"] = json!(comment.line);
            body["start_side"] = json!("RIGHT");
        }
        let number = number.to_string();
        self.done(self.write(
            "POST /pulls/{number}/comments",
            &["pulls", &number, "comments"],
            body,
            Meaning::Create,
            WRITE,
        ))
        .await
    }

    /// Replaces a review comment's text. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn update_review_comment(&self, id: u64, body: &str) -> Result<(), GithubError> {
        let id = id.to_string();
        self.done(self.write(
            "PATCH /pulls/comments/{id}",
            &["pulls", "comments", &id],
            json!({"body": body}),
            Meaning::Idempotent,
            WRITE,
        ))
        .await
    }

    /// The open review threads of a pull request by the id of their first comment; at most a hundred threads. One
    /// request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn open_threads(&self, number: u64) -> Result<BTreeMap<u64, String>, GithubError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            repository: Repository,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Repository {
            pull_request: Threads,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Threads {
            review_threads: Nodes<Thread>,
        }
        #[derive(Deserialize)]
        struct Nodes<T> {
            nodes: Vec<T>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Thread {
            id: String,
            is_resolved: bool,
            comments: Nodes<First>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct First {
            database_id: u64,
        }
        let query = format!(
            "query($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{ \
             pullRequest(number: {number}) {{ reviewThreads(last: {PAGE}) {{ nodes {{ id isResolved \
             comments(first: 1) {{ nodes {{ databaseId }} }} }} }} }} }} }}"
        );
        let data: Data = self.graphql(&query, &[]).await?;
        let threads = data.repository.pull_request.review_threads.nodes.into_iter();
        Ok(threads
            .filter(|thread| !thread.is_resolved)
            .filter_map(|thread| Some((thread.comments.nodes.first()?.database_id, thread.id)))
            .collect())
    }

    /// Resolves a review thread; a second time changes nothing. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn resolve_thread(&self, thread: &str) -> Result<(), GithubError> {
        let query = "mutation($thread: ID!) { resolveReviewThread(input: {threadId: $thread}) { \
                     thread { isResolved } } }";
        let _: serde_json::Value = self.graphql(query, &[("thread", thread)]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_shown_are_those_of_one_part() {
        let shown = Shown::parse(
            "@@ -1,3 +1,4 @@ fn x\n a\n+b\n c\n d\n@@ -20 +22,2 @@\n e\n+f\n@@ -30,2 +33,0 @@\n-x\n",
        );
        assert!(shown.holds(1, 4) && shown.holds(2, 2) && shown.holds(22, 23));
        assert!(!shown.holds(4, 5) && !shown.holds(3, 22) && !shown.holds(33, 33));
        assert_eq!(Shown::parse("@@ nonsense\n+@@ -1 +x @@"), Shown::default());
    }
}
