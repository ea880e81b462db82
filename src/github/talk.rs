//! What people read and write at GitHub: comments, issues, pull requests, statuses, reactions, permissions
//! (docs.github.com, "REST API endpoints for issues", "… for pull requests", "… for commit statuses").

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Call, Client, Meaning};
use super::error::GithubError;

/// Entries of a page.
const PAGE: usize = 100;
/// Pages of comments that are searched for ours.
const PAGES: usize = 30;

/// A comment, or the body of an issue or pull request.
#[derive(Clone, Debug, Deserialize)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// Its text.
    #[serde(default)]
    pub body: Option<String>,
    /// Its author; `None` for a deleted one.
    pub user: Option<User>,
    /// Its page.
    #[serde(default)]
    pub html_url: String,
}

/// An account.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    /// Login.
    pub login: String,
}

/// An issue.
#[derive(Clone, Debug, Deserialize)]
pub struct Issue {
    /// Its number.
    pub number: u64,
    /// `open` or `closed`.
    pub state: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Its text.
    #[serde(default)]
    pub body: Option<String>,
    /// Its author.
    pub user: Option<User>,
    /// Its page.
    #[serde(default)]
    pub html_url: String,
    /// Where it is a pull request.
    #[serde(default)]
    pub pull_request: Option<Value>,
}

/// A pull request.
#[derive(Clone, Debug, Deserialize)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// `open` or `closed`.
    pub state: String,
    /// Whether it was merged.
    #[serde(default)]
    pub merged: Option<bool>,
    /// When it was merged.
    #[serde(default)]
    pub merged_at: Option<String>,
    /// Whether GitHub can merge it; `None` while it does not know.
    #[serde(default)]
    pub mergeable: Option<bool>,
    /// Of an open one, the commit that GitHub made to see whether it can be merged; of a merged one, the merge.
    #[serde(default)]
    pub merge_commit_sha: Option<String>,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Its text.
    #[serde(default)]
    pub body: Option<String>,
    /// Its author.
    pub user: Option<User>,
    /// Its page.
    #[serde(default)]
    pub html_url: String,
    /// Its branch.
    pub head: Side,
    /// Where it goes.
    pub base: Side,
}

/// A side of a pull request.
#[derive(Clone, Debug, Deserialize)]
pub struct Side {
    /// Newest commit.
    pub sha: String,
    /// Branch.
    pub r#ref: String,
    /// Repository; `None` when it was deleted.
    pub repo: Option<Home>,
}

/// The repository of a side.
#[derive(Clone, Debug, Deserialize)]
pub struct Home {
    /// `owner/name`.
    pub full_name: String,
}

/// A commit's status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// Its name.
    pub context: String,
    /// `success`, `failure`, `error` or `pending`.
    pub state: String,
    /// At most 140 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// What it links to.
    #[serde(default)]
    pub target_url: Option<String>,
}

impl Client {
    /// The oldest comment on an issue or pull request that `ours` takes for ours. One request for each hundred
    /// comments.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn find_comment(
        &self,
        number: u64,
        ours: impl Fn(&Comment) -> bool,
    ) -> Result<Option<Comment>, GithubError> {
        let number = number.to_string();
        let path = ["issues", &number, "comments"];
        let size = PAGE.to_string();
        let mut found = None;
        for page in 1..=PAGES {
            let page = page.to_string();
            let query = [("per_page", size.as_str()), ("page", page.as_str())];
            let call = Call {
                query: &query,
                ..self.get("GET /issues/{number}/comments", &path, "pull-requests: read")
            };
            let comments: Vec<Comment> = self.json(call).await?;
            let last = comments.len() < PAGE;
            found = comments.into_iter().find(|comment| ours(comment));
            if last || found.is_some() {
                break;
            }
        }
        Ok(found)
    }

    /// One comment. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn comment(&self, id: u64) -> Result<Comment, GithubError> {
        let id = id.to_string();
        let path = ["issues", "comments", &id];
        self.json(self.get("GET /issues/comments/{id}", &path, "pull-requests: read")).await
    }

    /// Writes a comment. One request. After an answer that is not clear look for it before writing it again.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn create_comment(&self, number: u64, body: &str) -> Result<Comment, GithubError> {
        let number = number.to_string();
        self.json(self.write(
            "POST /issues/{number}/comments",
            &["issues", &number, "comments"],
            json!({"body": body}),
            Meaning::Create,
            "pull-requests: write",
        ))
        .await
    }

    /// Replaces a comment's text. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn update_comment(&self, id: u64, body: &str) -> Result<Comment, GithubError> {
        let id = id.to_string();
        self.json(self.write(
            "PATCH /issues/comments/{id}",
            &["issues", "comments", &id],
            json!({"body": body}),
            Meaning::Idempotent,
            "pull-requests: write",
        ))
        .await
    }

    /// Deletes a comment. One request; one that is gone already is no error.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn delete_comment(&self, id: u64) -> Result<(), GithubError> {
        let id = id.to_string();
        let path = ["issues", "comments", &id];
        let call = Call {
            method: Method::DELETE,
            meaning: Meaning::Idempotent,
            ..self.get("DELETE /issues/comments/{id}", &path, "pull-requests: write")
        };
        match self.done(call).await {
            Err(error) if error.is_missing() => Ok(()),
            done => done,
        }
    }

    /// Puts a reaction at a comment: `+1`, `-1`, `eyes`, `rocket`, `confused`. One request; a second one of the same
    /// kind changes nothing.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn react(&self, comment: u64, content: &str) -> Result<(), GithubError> {
        let id = comment.to_string();
        self.done(self.write(
            "POST /issues/comments/{id}/reactions",
            &["issues", "comments", &id, "reactions"],
            json!({"content": content}),
            Meaning::Idempotent,
            "pull-requests: write",
        ))
        .await
    }

    /// A pull request. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn pull(&self, number: u64) -> Result<Pull, GithubError> {
        let number = number.to_string();
        let path = ["pulls", &number];
        self.json(self.get("GET /pulls/{number}", &path, "pull-requests: read")).await
    }

    /// An issue. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn issue(&self, number: u64) -> Result<Issue, GithubError> {
        let number = number.to_string();
        let path = ["issues", &number];
        self.json(self.get("GET /issues/{number}", &path, "issues: read")).await
    }

    /// Opens an issue. One request. After an answer that is not clear look for it before opening it again.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn create_issue(
        &self,
        title: &str,
        body: &str,
        labels: &[&str],
    ) -> Result<Issue, GithubError> {
        self.json(self.write(
            "POST /issues",
            &["issues"],
            json!({"title": title, "body": body, "labels": labels}),
            Meaning::Create,
            "issues: write",
        ))
        .await
    }

    /// Changes an issue's text, or its state (`open`, `closed`). One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn update_issue(&self, number: u64, change: &Value) -> Result<Issue, GithubError> {
        let number = number.to_string();
        self.json(self.write(
            "PATCH /issues/{number}",
            &["issues", &number],
            change.clone(),
            Meaning::Idempotent,
            "issues: write",
        ))
        .await
    }

    /// The open issues with this label, newest first; at most a hundred. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn labelled_issues(&self, label: &str) -> Result<Vec<Issue>, GithubError> {
        let size = PAGE.to_string();
        let query = [("state", "open"), ("labels", label), ("per_page", size.as_str())];
        let call = Call { query: &query, ..self.get("GET /issues", &["issues"], "issues: read") };
        let issues: Vec<Issue> = self.json(call).await?;
        Ok(issues.into_iter().filter(|issue| issue.pull_request.is_none()).collect())
    }

    /// Whether a person may write to the repository: asked of the API, never read from a payload. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn may_write(&self, login: &str) -> Result<bool, GithubError> {
        #[derive(Deserialize)]
        struct Permission {
            permission: String,
        }
        let path = ["collaborators", login, "permission"];
        let call = self.get("GET /collaborators/{login}/permission", &path, "contents: read");
        match self.json::<Permission>(call).await {
            Ok(found) => Ok(matches!(found.permission.as_str(), "admin" | "write" | "maintain")),
            // Nobody of that name here.
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The newest status of a commit under this name. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn status(&self, commit: &str, context: &str) -> Result<Option<Status>, GithubError> {
        #[derive(Deserialize)]
        struct Combined {
            statuses: Vec<Status>,
        }
        let path = ["commits", commit, "status"];
        let call = Call {
            query: &[("per_page", "100")],
            ..self.get("GET /commits/{sha}/status", &path, "statuses: read")
        };
        let combined: Combined = self.json(call).await?;
        Ok(combined.statuses.into_iter().find(|status| status.context == context))
    }

    /// Sets a status of a commit. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn set_status(&self, commit: &str, status: &Status) -> Result<(), GithubError> {
        let mut body = json!({
            "state": status.state,
            "context": status.context,
            "description": status.description,
        });
        if let Some(url) = &status.target_url {
            body["target_url"] = json!(url);
        }
        self.done(self.write(
            "POST /statuses/{sha}",
            &["statuses", commit],
            body,
            Meaning::Idempotent,
            "statuses: write",
        ))
        .await
    }
}
