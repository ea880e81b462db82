//! Pull requests that we make, and what their commits are made of (docs.github.com, "REST API endpoints for pull
//! requests").

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Call, Client, Meaning};
use super::data::{Content, Entry};
use super::error::GithubError;
use super::talk::Pull;

/// The line of `permissions:` for all of it.
const PULLS: &str = "pull-requests: write";

/// Entries of one answer, and answers of one list.
const PAGE: usize = 100;
const PAGES: usize = 100;

/// Files, and bytes of text, that go into one request.
const FILES: usize = 1_000;
const BYTES: usize = 4 * 1024 * 1024;

/// A file of a new tree: path, mode as in Git, content.
pub type TreeFile<'a> = (&'a str, &'a str, Content<'a>);

impl Client {
    /// The open pull request from a branch of this repository to another one of it. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn find_pull(&self, head: &str, base: &str) -> Result<Option<Pull>, GithubError> {
        let owner = self.repository().split('/').next().unwrap_or_default();
        let from = format!("{owner}:{head}");
        let query = [("head", from.as_str()), ("base", base), ("state", "open")];
        let pulls: Vec<Pull> = self
            .json(Call {
                what: "GET /pulls",
                method: Method::GET,
                path: &["pulls"],
                query: &query,
                body: None,
                meaning: Meaning::Read,
                permission: PULLS,
            })
            .await?;
        let home = |pull: &Pull| pull.head.repo.as_ref().map(|repo| repo.full_name.to_lowercase());
        let own = Some(self.repository().to_lowercase());
        Ok(pulls.into_iter().find(|pull| pull.head.r#ref == head && home(pull) == own))
    }

    /// Paths of the files that open pull requests add or change, those of forks among them. One request for each
    /// hundred pull requests, and one for each hundred files of each.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn open_paths(&self) -> Result<BTreeSet<String>, GithubError> {
        #[derive(Deserialize)]
        struct Number {
            number: u64,
        }
        #[derive(Deserialize)]
        struct File {
            filename: String,
        }
        let open: Vec<Number> = self.pages("GET /pulls", &["pulls"], &[("state", "open")]).await?;
        let mut paths = BTreeSet::new();
        for pull in open {
            let number = pull.number.to_string();
            let path = ["pulls", number.as_str(), "files"];
            let files: Vec<File> = self.pages("GET /pulls/{number}/files", &path, &[]).await?;
            paths.extend(files.into_iter().map(|file| file.filename));
        }
        Ok(paths)
    }

    /// A list of which an answer holds at most a hundred.
    async fn pages<T: serde::de::DeserializeOwned>(
        &self,
        what: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, GithubError> {
        let mut all = Vec::new();
        let size = PAGE.to_string();
        for page in 1..=PAGES {
            let page = page.to_string();
            let mut query = query.to_vec();
            query.extend([("per_page", size.as_str()), ("page", page.as_str())]);
            let some: Vec<T> = self
                .json(Call {
                    what,
                    method: Method::GET,
                    path,
                    query: &query,
                    body: None,
                    meaning: Meaning::Read,
                    permission: "pull-requests: read",
                })
                .await?;
            let last = some.len() < PAGE;
            all.extend(some);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// Opens a pull request between two branches of this repository. One request. After an answer that is not clear
    /// look for it before opening it again.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn create_pull(
        &self,
        head: &str,
        base: &str,
        title: &str,
        body: &str,
    ) -> Result<Pull, GithubError> {
        self.json(Call {
            what: "POST /pulls",
            method: Method::POST,
            path: &["pulls"],
            query: &[],
            body: Some(json!({"head": head, "base": base, "title": title, "body": body})),
            meaning: Meaning::Create,
            permission: PULLS,
        })
        .await
    }

    /// Changes a pull request's `title`, `body` or `state`. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn update_pull(&self, number: u64, change: Value) -> Result<Pull, GithubError> {
        let number = number.to_string();
        self.json(Call {
            what: "PATCH /pulls/{number}",
            method: Method::PATCH,
            path: &["pulls", &number],
            query: &[],
            body: Some(change),
            meaning: Meaning::Idempotent,
            permission: PULLS,
        })
        .await
    }

    /// What a commit has at these paths; those at which it has nothing are left out. One request, and one for each
    /// folder on the way where the tree is too large for an answer.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn entries_at(
        &self,
        commit: &str,
        paths: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Entry>, GithubError> {
        if let Some(entries) = self.whole_tree(commit).await? {
            let wanted = entries.into_iter().filter(|entry| paths.contains(entry.path.as_str()));
            return Ok(wanted.map(|entry| (entry.path.clone(), entry)).collect());
        }
        let mut found = BTreeMap::new();
        let mut folders = BTreeMap::from([(String::new(), self.tree(commit).await?)]);
        for path in paths {
            let mut folder = String::new();
            let mut parts = path.split('/').peekable();
            while let Some(part) = parts.next() {
                let here = folders.get(&folder).and_then(|all| all.iter().find(|e| e.path == part));
                let Some(entry) = here.cloned() else { break };
                if parts.peek().is_none() {
                    found.insert((*path).to_owned(), entry);
                    break;
                }
                let Some(tree) = entry.sha.filter(|_| entry.mode == "040000") else { break };
                let below = match folder.is_empty() {
                    true => part.to_owned(),
                    false => format!("{folder}/{part}"),
                };
                if !folders.contains_key(&below) {
                    folders.insert(below.clone(), self.tree(&tree).await?);
                }
                folder = below;
            }
        }
        Ok(found)
    }

    /// Makes a tree, in as many requests as its size takes: another one's files with these written or removed. Without
    /// another one there must be files.
    ///
    /// # Errors
    /// [`GithubError`]. To remove what is not there is one.
    pub async fn grow_tree(
        &self,
        base: Option<&str>,
        files: Vec<TreeFile<'_>>,
    ) -> Result<String, GithubError> {
        // Removals first, so that a file may take the place of a folder.
        let (gone, written): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(_, _, content)| matches!(content, Content::Gone));
        let mut parts: Vec<Vec<TreeFile<'_>>> = Vec::new();
        let mut bytes = 0;
        for file in gone.into_iter().chain(written) {
            let size = match &file.2 {
                Content::Text(text) => text.len(),
                Content::Gone | Content::Blob(_) => 0,
            };
            match parts.last_mut().filter(|part| part.len() < FILES && bytes + size <= BYTES) {
                Some(part) => part.push(file),
                None => {
                    parts.push(vec![file]);
                    bytes = 0;
                }
            }
            bytes += size;
        }
        let mut tree = base.map(str::to_owned);
        for part in &parts {
            let files = part.iter().map(|(path, mode, content)| (*path, *mode, content));
            tree = Some(self.create_tree_of(tree.as_deref(), files).await?);
        }
        tree.ok_or_else(|| GithubError::Unexpected {
            what: "POST /git/trees",
            message: "a tree was to be made of nothing".to_owned(),
        })
    }
}
