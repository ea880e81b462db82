//! Several reads in one request: what GraphQL tells at once and REST piece by piece (docs.github.com, "GraphQL API").

use std::collections::BTreeMap;
use std::sync::PoisonError;

use serde::Deserialize;

use super::client::Client;
use super::data::blob_id;
use super::error::GithubError;
use super::talk::Status;

/// Files that one query asks for.
const PAGE: usize = 100;

/// A blob as GraphQL gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Text {
    #[serde(default)]
    oid: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    is_truncated: bool,
}

impl Text {
    /// Its text, where that is all of the blob.
    pub(super) fn whole(self) -> Option<String> {
        self.text.filter(|_| !self.is_truncated)
    }

    /// Its text, where that is what the blob of this name holds: GraphQL cuts long ones off, and replaces what is not
    /// UTF-8.
    pub(super) fn of(self, sha: &str) -> Option<String> {
        self.whole().filter(|text| blob_id(text.as_bytes()) == sha)
    }
}

/// The top folder of a commit.
#[derive(Clone, Debug)]
pub struct Top {
    /// Name of the tree.
    pub tree: String,
    /// Its files: path and blob.
    pub files: BTreeMap<String, String>,
    /// Its folders: path and tree.
    pub folders: BTreeMap<String, String>,
}

/// What [`Client::standing`] is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The branch that we bring changes with.
    pub branch: &'a str,
    /// The branch that gets them.
    pub base: &'a str,
    /// The commit of that branch whose tree is wanted.
    pub onto: &'a str,
    /// The pull request that is known.
    pub number: Option<u64>,
    /// Name of the status.
    pub status: &'a str,
}

/// How it stands with our branch and its pull request.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Commit of our branch; `None` while there is no such branch.
    pub branch: Option<String>,
    /// The status of that commit; `None` where it has none, or the token may not read it.
    pub status: Option<Status>,
    /// Commit of the branch that gets the changes.
    pub base: Option<String>,
    /// Tree of the commit that was asked for.
    pub tree: Option<String>,
    /// The pull request that was asked for; `None` where there is no such one.
    pub known: Option<Proposal>,
    /// The open one from our branch.
    pub open: Option<Proposal>,
}

/// A pull request as [`Client::standing`] gives it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Its number.
    pub number: u64,
    /// `OPEN`, `CLOSED` or `MERGED`.
    pub state: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Its text.
    #[serde(default)]
    pub body: String,
    /// Its page.
    #[serde(default)]
    pub url: String,
    /// Whether its branch is in another repository.
    #[serde(default)]
    pub is_cross_repository: bool,
}

/// What a query says of a pull request.
const PROPOSAL: &str = "number state title body url isCrossRepository";

impl Client {
    /// The top folder of a commit; the texts of its files are remembered, so that [`Client::blobs`] has them. One
    /// request.
    ///
    /// # Errors
    /// [`GithubError`]; a commit that is not there is one.
    pub async fn top(&self, commit: &str) -> Result<Top, GithubError> {
        #[derive(Deserialize)]
        struct Data {
            repository: Repository,
        }
        #[derive(Deserialize)]
        struct Repository {
            object: Option<Commit>,
        }
        #[derive(Deserialize)]
        struct Commit {
            tree: Tree,
        }
        #[derive(Deserialize)]
        struct Tree {
            oid: String,
            entries: Vec<Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            name: String,
            oid: String,
            mode: u32,
            object: Option<Text>,
        }
        let query = "query($owner: String!, $name: String!, $commit: GitObjectID!) { \
                     repository(owner: $owner, name: $name) { object(oid: $commit) { ... on Commit { tree { oid \
                     entries { name oid mode object { ... on Blob { text isTruncated } } } } } } } }";
        let data: Data = self.graphql(query, &[("commit", commit)]).await?;
        let found = data.repository.object.ok_or_else(|| GithubError::NotFound {
            what: "POST /graphql",
            message: format!("there is no commit {commit}"),
        })?;
        let mut top =
            Top { tree: found.tree.oid, files: BTreeMap::new(), folders: BTreeMap::new() };
        for Entry { name, oid, mode, object } in found.tree.entries {
            // The kind of an entry, as in Git's trees.
            match mode >> 12 {
                0o04 => drop(top.folders.insert(name, oid)),
                0o10 => {
                    if let Some(text) = object.and_then(|object| object.of(&oid)) {
                        self.remember_blob(&oid, text.into_bytes());
                    }
                    top.files.insert(name, oid);
                }
                _ => {}
            }
        }
        Ok(top)
    }

    /// The blobs that a commit has at these paths; those at which it has no file are left out. Their texts are
    /// remembered, so that [`Client::blobs`] has them. One request for each hundred.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn files_at(
        &self,
        commit: &str,
        paths: &[&str],
    ) -> Result<BTreeMap<String, String>, GithubError> {
        #[derive(Deserialize)]
        struct Data {
            repository: BTreeMap<String, Option<Text>>,
        }
        let mut found = BTreeMap::new();
        for some in paths.chunks(PAGE) {
            let names: Vec<String> = (0..some.len()).map(|n| format!("f{n}")).collect();
            let expressions: Vec<String> =
                some.iter().map(|path| format!("{commit}:{path}")).collect();
            let declared: String = names.iter().map(|name| format!(", ${name}: String!")).collect();
            let object = |name: &String| {
                format!(
                    "{name}: object(expression: ${name}) {{ ... on Blob {{ oid text isTruncated }} }} "
                )
            };
            let objects: String = names.iter().map(object).collect();
            let query = format!(
                "query($owner: String!, $name: String!{declared}) {{ repository(owner: $owner, name: $name) {{ \
                 {objects}}} }}"
            );
            let variables: Vec<(&str, &str)> = (names.iter().map(String::as_str))
                .zip(expressions.iter().map(String::as_str))
                .collect();
            let mut data: Data = self.graphql(&query, &variables).await?;
            for (name, path) in names.iter().zip(some) {
                // A folder has no `oid` here.
                let file = data.repository.remove(name).flatten();
                let Some((oid, file)) = file.and_then(|file| Some((file.oid.clone()?, file)))
                else {
                    continue;
                };
                if let Some(text) = file.of(&oid) {
                    self.remember_blob(&oid, text.into_bytes());
                }
                found.insert((*path).to_owned(), oid);
            }
        }
        Ok(found)
    }

    /// How it stands with our branch, its pull request and its status. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn standing(&self, question: Question<'_>) -> Result<Standing, GithubError> {
        #[derive(Deserialize)]
        struct Data {
            repository: Repository,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Repository {
            branch: Option<Ref>,
            base: Option<Ref>,
            onto: Option<Commit>,
            #[serde(default)]
            pull_request: Option<Proposal>,
            pull_requests: Nodes,
        }
        #[derive(Deserialize)]
        struct Nodes {
            nodes: Vec<Proposal>,
        }
        #[derive(Deserialize)]
        struct Ref {
            target: Target,
        }
        #[derive(Deserialize)]
        struct Target {
            oid: String,
            #[serde(default)]
            status: Option<Statuses>,
        }
        #[derive(Deserialize)]
        struct Statuses {
            context: Option<Context>,
        }
        #[derive(Deserialize)]
        struct Context {
            state: String,
            #[serde(default)]
            description: Option<String>,
        }
        #[derive(Deserialize)]
        struct Commit {
            tree: Tree,
        }
        #[derive(Deserialize)]
        struct Tree {
            oid: String,
        }
        let known = match question.number {
            Some(number) => format!("pullRequest(number: {number}) {{ {PROPOSAL} }} "),
            None => String::new(),
        };
        let query = format!(
            "query($owner: String!, $name: String!, $branch: String!, $head: String!, $base: String!, $into: String!, \
             $onto: GitObjectID!, $status: String!) {{ repository(owner: $owner, name: $name) {{ \
             branch: ref(qualifiedName: $branch) {{ target {{ oid ... on Commit {{ status {{ \
             context(name: $status) {{ state description }} }} }} }} }} \
             base: ref(qualifiedName: $base) {{ target {{ oid }} }} \
             onto: object(oid: $onto) {{ ... on Commit {{ tree {{ oid }} }} }} {known}\
             pullRequests(headRefName: $head, baseRefName: $into, states: OPEN, first: 20) {{ nodes {{ {PROPOSAL} }} }} \
             }} }}"
        );
        let branch = format!("refs/heads/{}", question.branch);
        let base = format!("refs/heads/{}", question.base);
        let variables = [
            ("branch", branch.as_str()),
            ("head", question.branch),
            ("base", base.as_str()),
            ("into", question.base),
            ("onto", question.onto),
            ("status", question.status),
        ];
        let found = self.graphql::<Data>(&query, &variables).await?.repository;
        let (branch, status) = match found.branch {
            Some(at) => (Some(at.target.oid), at.target.status.and_then(|all| all.context)),
            None => (None, None),
        };
        let status = status.map(|status| Status {
            context: question.status.to_owned(),
            state: status.state.to_ascii_lowercase(),
            description: status.description,
            target_url: None,
        });
        Ok(Standing {
            branch,
            status,
            base: found.base.map(|at| at.target.oid),
            tree: found.onto.map(|commit| commit.tree.oid),
            known: found.pull_request,
            open: found.pull_requests.nodes.into_iter().find(|pull| !pull.is_cross_repository),
        })
    }

    fn remember_blob(&self, sha: &str, bytes: Vec<u8>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.blobs.insert(sha.to_owned(), bytes);
    }
}
