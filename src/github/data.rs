//! The Git database over REST (docs.github.com, "REST API endpoints for Git database").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Call, Client, Meaning};
use super::error::GithubError;
use super::graph::Text;
use crate::hex::hex;

/// The line of `permissions:` for all of it.
const CONTENTS: &str = "contents: write";

/// Commits of a comparison that one page holds; blobs of one query.
const PAGE: usize = 100;

/// Up to so many blobs a query of many would save nothing.
const FEW: usize = 1;

#[derive(Deserialize)]
struct Named {
    sha: String,
}

#[derive(Deserialize)]
struct Ref {
    r#ref: String,
    object: Named,
}

/// A commit.
#[derive(Clone, Debug, Deserialize)]
pub struct Commit {
    /// Its name.
    pub sha: String,
    /// Its tree.
    pub tree: Tree,
    /// Its message.
    #[serde(default)]
    pub message: String,
}

/// The name of a tree.
#[derive(Clone, Debug, Deserialize)]
pub struct Tree {
    /// Its name.
    pub sha: String,
}

/// A file in a tree.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// Its path below the tree that was asked for.
    pub path: String,
    /// Mode as in Git: `100644`, `100755`, `120000` (a link), `040000` (a folder), `160000` (a submodule).
    pub mode: String,
    /// Name of the object.
    #[serde(default)]
    pub sha: Option<String>,
    /// Bytes of a file.
    #[serde(default)]
    pub size: Option<u64>,
}

#[derive(Deserialize)]
struct Listing {
    tree: Vec<Entry>,
    #[serde(default)]
    truncated: bool,
}

/// Two commits compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// How the head stands to the base.
    pub status: Status,
    /// Commits of the head that the base does not hold, oldest first.
    pub commits: Vec<Compared>,
}

/// How a head stands to a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It holds the base and more.
    Ahead,
    /// It is the base.
    Identical,
    /// The base holds it and more.
    Behind,
    /// Each holds what the other does not.
    Diverged,
}

/// A commit of a comparison.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Its name.
    pub sha: String,
    /// Name of its tree.
    pub tree: String,
    /// Its message.
    pub message: String,
    /// Its parents.
    pub parents: Vec<String>,
}

#[derive(Deserialize)]
struct Page {
    status: Status,
    total_commits: usize,
    commits: Vec<PageCommit>,
}

#[derive(Deserialize)]
struct PageCommit {
    sha: String,
    commit: Inner,
    #[serde(default)]
    parents: Vec<Named>,
}

#[derive(Deserialize)]
struct Inner {
    message: String,
    tree: Named,
}

#[derive(Deserialize)]
struct Blob {
    content: String,
    encoding: String,
}

/// A file of a new tree.
#[derive(Clone, Debug)]
pub enum Content<'a> {
    /// The file goes away.
    Gone,
    /// A blob that GitHub has.
    Blob(String),
    /// Text that becomes a blob with the tree.
    Text(&'a str),
}

/// Name that GitHub's repositories (SHA-1) give a file of this content.
pub fn blob_id(content: &[u8]) -> String {
    use sha1::Digest as _;
    let header = format!("blob {}\0", content.len());
    hex(&sha1::Sha1::new().chain_update(header).chain_update(content).finalize())
}

/// A ref's path without `refs/`.
fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/").unwrap_or(reference)
}

impl Client {
    fn read<'a>(&self, what: &'static str, path: &'a [&'a str]) -> Call<'a> {
        self.get(what, path, "contents: read")
    }

    /// The commit of a ref; `None` where there is no such ref. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn reference(&self, name: &str) -> Result<Option<String>, GithubError> {
        let path: Vec<&str> = ["git", "ref"].into_iter().chain(short(name).split('/')).collect();
        match self.json::<Ref>(self.read("GET /git/ref/{ref}", &path)).await {
            Ok(found) if found.r#ref == name => Ok(Some(found.object.sha)),
            // An empty repository has no Git database yet (409).
            Err(GithubError::Rejected { status: 409, .. }) => Ok(None),
            Ok(_) => Ok(None),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The refs whose full name begins so, with their commits. One request a hundred.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn references(&self, prefix: &str) -> Result<BTreeMap<String, String>, GithubError> {
        let path: Vec<&str> =
            ["git", "matching-refs"].into_iter().chain(short(prefix).split('/')).collect();
        match self.json::<Vec<Ref>>(self.read("GET /git/matching-refs/{ref}", &path)).await {
            Ok(found) => Ok(found.into_iter().map(|at| (at.r#ref, at.object.sha)).collect()),
            Err(GithubError::Rejected { status: 409, .. }) => Ok(BTreeMap::new()),
            Err(error) if error.is_missing() => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    /// As [`Self::references`], and remembers them for [`Self::known_reference`].
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn fetch_references(
        &self,
        prefix: &str,
    ) -> Result<BTreeMap<String, String>, GithubError> {
        let refs = self.references(prefix).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.refs.get_or_insert_default().extend(refs.clone());
        known.fresh = true;
        Ok(refs)
    }

    /// What a ref was at when it was fetched or moved last; `None` before the first fetch.
    pub fn known_reference(&self, name: &str) -> Option<Option<String>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.refs.as_ref().map(|refs| refs.get(name).cloned())
    }

    /// As [`Self::known_reference`], once after each fetch: for a compare-and-swap that may fail, but must not
    /// fail for ever.
    pub fn fresh_reference(&self, name: &str) -> Option<Option<String>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = std::mem::take(&mut known.fresh);
        known.refs.as_ref().filter(|_| fresh).map(|refs| refs.get(name).cloned())
    }

    /// Remembers where a ref is now.
    pub fn remember_reference(&self, name: &str, commit: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.refs.get_or_insert_default().insert(name.to_owned(), commit.to_owned());
    }

    /// Name of the default branch. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn default_branch(&self) -> Result<String, GithubError> {
        #[derive(Deserialize)]
        struct Repository {
            default_branch: String,
        }
        let call = self.read("GET /repos/{repository}", &[]);
        Ok(self.json::<Repository>(call).await?.default_branch)
    }

    /// The commits up to this one, newest first: name, time by the committer's clock, message. One request for
    /// each hundred.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn log(
        &self,
        commit: &str,
        limit: usize,
    ) -> Result<Vec<(String, String, String)>, GithubError> {
        #[derive(Deserialize)]
        struct Logged {
            sha: String,
            commit: Said,
        }
        #[derive(Deserialize)]
        struct Said {
            message: String,
            committer: At,
        }
        #[derive(Deserialize)]
        struct At {
            date: String,
        }
        let mut log = Vec::new();
        let (size, mut page) = (limit.clamp(1, PAGE), 1);
        while log.len() < limit {
            let [size_text, number] = [size.to_string(), page.to_string()];
            let query = [("sha", commit), ("per_page", &size_text), ("page", &number)];
            let call = Call { query: &query, ..self.read("GET /commits", &["commits"]) };
            let some: Vec<Logged> = self.json(call).await?;
            let last = some.len() < size;
            log.extend(
                some.into_iter()
                    .map(|entry| (entry.sha, entry.commit.committer.date, entry.commit.message)),
            );
            if last {
                break;
            }
            page += 1;
        }
        log.truncate(limit);
        Ok(log)
    }

    /// The contents of these blobs. What is known costs nothing; few are asked for one by one; many come by a hundred
    /// from GraphQL, those excepted that it cuts off or takes for binary.
    ///
    /// # Errors
    /// [`GithubError`]; a blob that is not there is one.
    pub async fn blobs(
        &self,
        shas: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Vec<u8>>, GithubError> {
        let mut found = BTreeMap::new();
        let mut single: Vec<&String> = Vec::new();
        for sha in shas {
            match self.known().blobs.get(sha) {
                Some(bytes) => drop(found.insert(sha.clone(), bytes.clone())),
                None => single.push(sha),
            }
        }
        if single.len() > FEW {
            let all: Vec<&String> = std::mem::take(&mut single);
            for some in all.chunks(PAGE) {
                let texts = self.texts(some).await?;
                for sha in some {
                    match texts.get(*sha) {
                        Some(text) => {
                            found.insert((*sha).clone(), text.clone().into_bytes());
                        }
                        None => single.push(sha),
                    }
                }
            }
        }
        for sha in single {
            found.insert(sha.clone(), self.blob(sha).await?);
        }
        Ok(found)
    }

    /// Texts of blobs by GraphQL, in one request; those that it does not give whole are left out.
    async fn texts(&self, shas: &[&String]) -> Result<BTreeMap<String, String>, GithubError> {
        // Names of objects are hexadecimal digits: nothing in them can end the string.
        let objects: String = (shas.iter().enumerate())
            .filter(|(_, sha)| sha.bytes().all(|b| b.is_ascii_hexdigit()))
            .map(|(n, sha)| {
                format!("b{n}: object(oid: \"{sha}\") {{ ... on Blob {{ text isTruncated }} }} ")
            })
            .collect();
        let query = format!(
            "query($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{ {objects}}} }}"
        );
        #[derive(Deserialize)]
        struct Data {
            repository: BTreeMap<String, Option<Text>>,
        }
        let data: Data = self.graphql(&query, &[]).await?;
        let mut texts = BTreeMap::new();
        for (n, text) in data.repository {
            let sha = n.strip_prefix('b').and_then(|n| shas.get(n.parse::<usize>().ok()?));
            let whole = sha.and_then(|sha| Some((sha, text?.of(sha)?)));
            if let Some((sha, text)) = whole {
                texts.insert((*sha).clone(), text);
            }
        }
        Ok(texts)
    }

    /// The first of these files that a commit has, with its text; and our login as comments show it. One request.
    ///
    /// # Errors
    /// [`GithubError`]; a file that is no text is one.
    pub async fn first_file(
        &self,
        commit: &str,
        paths: &[&str],
    ) -> Result<(String, Option<(usize, String)>), GithubError> {
        #[derive(Deserialize)]
        struct Data {
            viewer: Viewer,
            repository: BTreeMap<String, Option<Text>>,
        }
        #[derive(Deserialize)]
        struct Viewer {
            login: String,
        }
        let names: Vec<String> = (0..paths.len()).map(|n| format!("f{n}")).collect();
        let expressions: Vec<String> =
            paths.iter().map(|path| format!("{commit}:{path}")).collect();
        let declared: String = names.iter().map(|name| format!(", ${name}: String!")).collect();
        let objects: String = names
            .iter()
            .map(|name| {
                format!(
                    "{name}: object(expression: ${name}) {{ ... on Blob {{ text isTruncated }} }} "
                )
            })
            .collect();
        let query = format!(
            "query($owner: String!, $name: String!{declared}) {{ viewer {{ login }} \
             repository(owner: $owner, name: $name) {{ {objects}}} }}"
        );
        let variables: Vec<(&str, &str)> = (names.iter().map(String::as_str))
            .zip(expressions.iter().map(String::as_str))
            .collect();
        let mut data: Data = self.graphql(&query, &variables).await?;
        let found = names.iter().enumerate().find_map(|(n, name)| {
            let file = data.repository.remove(name)??;
            Some((n, file.whole()))
        });
        match found {
            None => Ok((data.viewer.login, None)),
            Some((n, Some(text))) => Ok((data.viewer.login, Some((n, text)))),
            Some((n, None)) => Err(GithubError::Unexpected {
                what: "POST /graphql",
                message: format!("`{}` is no text", paths.get(n).copied().unwrap_or_default()),
            }),
        }
    }

    /// Makes a ref that must not exist; false when it does. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn create_reference(&self, name: &str, commit: &str) -> Result<bool, GithubError> {
        let body = json!({"ref": name, "sha": commit});
        let path = ["git", "refs"];
        // Repeating it can only fail; the caller looks where the ref is when the answer is not clear.
        let call = self.write("POST /git/refs", &path, body, Meaning::Create, CONTENTS);
        match self.done(call).await {
            Ok(()) => Ok(true),
            Err(GithubError::Rejected { status: 422, message, .. })
                if message.contains("already exists") =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a ref to a descendant of where it is; false when the commit is none, or the ref is gone. Never moves
    /// it back. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn advance_reference(&self, name: &str, commit: &str) -> Result<bool, GithubError> {
        let body = json!({"sha": commit, "force": false});
        let path: Vec<&str> = ["git", "refs"].into_iter().chain(short(name).split('/')).collect();
        let call = self.write("PATCH /git/refs/{ref}", &path, body, Meaning::Create, CONTENTS);
        match self.done(call).await {
            Ok(()) => Ok(true),
            Err(GithubError::Rejected { status: 422, message, .. })
                if message.contains("fast") || message.contains("does not exist") =>
            {
                Ok(false)
            }
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sets a ref that is at `old` to a commit that need not follow it. Only GraphQL can do that under a condition:
    /// <https://docs.github.com/graphql/reference/mutations#updaterefs>. Two requests.
    ///
    /// # Errors
    /// [`GithubError`]; the ref may have been set where the answer did not come.
    pub async fn replace_reference(
        &self,
        name: &str,
        new: &str,
        old: &str,
    ) -> Result<(), GithubError> {
        #[derive(Deserialize)]
        struct Named {
            repository: Node,
        }
        #[derive(Deserialize)]
        struct Node {
            id: String,
        }
        let query = "query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { id } }";
        let named: Named = self.graphql(query, &[]).await?;
        let mutation = "mutation($repository: ID!, $ref: GitRefname!, $new: GitObjectID!, $old: GitObjectID!) { \
             updateRefs(input: {repositoryId: $repository, refUpdates: [{name: $ref, afterOid: $new, beforeOid: \
             $old, force: true}]}) { clientMutationId } }";
        let variables = [
            ("repository", named.repository.id.as_str()),
            ("ref", name),
            ("new", new),
            ("old", old),
        ];
        // A second time it finds another commit than `old`, and changes nothing.
        let _: serde_json::Value = self.graphql(mutation, &variables).await?;
        Ok(())
    }

    /// A commit's message and tree. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn commit(&self, sha: &str) -> Result<Commit, GithubError> {
        self.json(self.read("GET /git/commits/{sha}", &["git", "commits", sha])).await
    }

    /// Makes a commit; no ref moves. Without author and committer GitHub signs it as the token's bot. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn create_commit(
        &self,
        tree: &str,
        parents: &[&str],
        message: &str,
    ) -> Result<String, GithubError> {
        let body = json!({"message": message, "tree": tree, "parents": parents});
        let path = ["git", "commits"];
        let call = self.write(
            "POST /git/commits",
            &path,
            body,
            // A second one hangs nowhere.
            Meaning::Idempotent,
            CONTENTS,
        );
        Ok(self.json::<Named>(call).await?.sha)
    }

    /// All entries below a tree, or a commit's tree, with full paths. `None`: there are more than an answer holds
    /// (100,000 entries or 7 MB). One request, the first time.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn whole_tree(&self, sha: &str) -> Result<Option<Vec<Entry>>, GithubError> {
        if let Some(known) = self.known().trees.get(sha) {
            return Ok(Some(known.clone()));
        }
        let path = ["git", "trees", sha];
        let call = Call {
            query: &[("recursive", "1")],
            ..self.read("GET /git/trees/{sha}?recursive", &path)
        };
        let listing: Listing = self.json(call).await?;
        if listing.truncated {
            return Ok(None);
        }
        self.known().trees.insert(sha.to_owned(), listing.tree.clone());
        Ok(Some(listing.tree))
    }

    /// The entries of one folder of a tree. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn tree(&self, sha: &str) -> Result<Vec<Entry>, GithubError> {
        let path = ["git", "trees", sha];
        let listing: Listing = self.json(self.read("GET /git/trees/{sha}", &path)).await?;
        match listing.truncated {
            false => Ok(listing.tree),
            true => Err(GithubError::Unexpected {
                what: "GET /git/trees/{sha}",
                message: "one folder holds more than an answer does".to_owned(),
            }),
        }
    }

    /// Makes a tree: another one's files with these written or removed. Gives its name. One request.
    ///
    /// # Errors
    /// [`GithubError`]. To remove what is not there is one.
    pub async fn create_tree(
        &self,
        base: Option<&str>,
        files: &[(&str, Content<'_>)],
    ) -> Result<String, GithubError> {
        let plain = files.iter().map(|(path, content)| (*path, "100644", content));
        self.create_tree_of(base, plain).await
    }

    /// As [`Self::create_tree`], with each file's mode as in Git.
    ///
    /// # Errors
    /// [`GithubError`]. To remove what is not there is one.
    pub async fn create_tree_of<'a>(
        &self,
        base: Option<&str>,
        files: impl Iterator<Item = (&'a str, &'a str, &'a Content<'a>)>,
    ) -> Result<String, GithubError> {
        let entries: Vec<Value> = files
            .map(|(path, mode, content)| {
                let mut entry = json!({"path": path, "mode": mode, "type": "blob"});
                match content {
                    Content::Gone => entry["sha"] = Value::Null,
                    Content::Blob(sha) => entry["sha"] = json!(sha),
                    Content::Text(text) => entry["content"] = json!(text),
                }
                entry
            })
            .collect();
        let mut body = json!({"tree": entries});
        if let Some(base) = base {
            body["base_tree"] = json!(base);
        }
        let path = ["git", "trees"];
        let call = self.write("POST /git/trees", &path, body, Meaning::Idempotent, CONTENTS);
        Ok(self.json::<Named>(call).await?.sha)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, super::client::Known> {
        // Plain inserts only: never half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A blob's bytes. One request, the first time.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn blob(&self, sha: &str) -> Result<Vec<u8>, GithubError> {
        const WHAT: &str = "GET /git/blobs/{sha}";
        if let Some(known) = self.known().blobs.get(sha) {
            return Ok(known.clone());
        }
        let blob: Blob = self.json(self.read(WHAT, &["git", "blobs", sha])).await?;
        let unexpected = |message: String| GithubError::Unexpected { what: WHAT, message };
        let bytes = match blob.encoding.as_str() {
            "base64" => {
                let text: String = blob.content.split_ascii_whitespace().collect();
                STANDARD.decode(text).map_err(|error| unexpected(error.to_string()))
            }
            "utf-8" => Ok(blob.content.into_bytes()),
            _ => Err(unexpected("it has an encoding that is not known".to_owned())),
        }?;
        self.known().blobs.insert(sha.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// Stores bytes; gives the blob's name. One request.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn create_blob(&self, bytes: &[u8]) -> Result<String, GithubError> {
        let body = json!({"content": STANDARD.encode(bytes), "encoding": "base64"});
        let path = ["git", "blobs"];
        let call = self.write("POST /git/blobs", &path, body, Meaning::Idempotent, CONTENTS);
        Ok(self.json::<Named>(call).await?.sha)
    }

    /// Compares two commits; one request for each hundred commits of the difference.
    ///
    /// # Errors
    /// [`GithubError`]; a commit that does not exist is [`GithubError::NotFound`].
    pub async fn compare(&self, base: &str, head: &str) -> Result<Comparison, GithubError> {
        let range = format!("{base}...{head}");
        let path = ["compare", &range];
        let mut commits = Vec::new();
        let (size, mut page) = (PAGE.to_string(), 1);
        loop {
            let number = page.to_string();
            let query = [("per_page", size.as_str()), ("page", number.as_str())];
            let call = Call { query: &query, ..self.read("GET /compare/{range}", &path) };
            let Page { status, total_commits, commits: some } = self.json(call).await?;
            let last = some.len() < PAGE || commits.len() + some.len() >= total_commits;
            commits.extend(some.into_iter().map(|commit| Compared {
                sha: commit.sha,
                tree: commit.commit.tree.sha,
                message: commit.commit.message,
                parents: commit.parents.into_iter().map(|parent| parent.sha).collect(),
            }));
            if last {
                return Ok(Comparison { status, commits });
            }
            page += 1;
        }
    }
}
