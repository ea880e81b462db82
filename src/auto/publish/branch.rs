//! Commits for the default branch, and the branch of the pull request.

use std::collections::{BTreeMap, BTreeSet};

use super::{BRANCH, BRANCH_REF};
use crate::engine::{Artifacts, Order, RunError};
use crate::github::data::{Comparison, Content, Entry, Status};
use crate::github::pulls::TreeFile;
use crate::github::{Client, GithubError};
use crate::report::Report;
use crate::report::github::{commit_message, is_our_commit};

/// How often a ref is moved that was not moved for no definite reason, and the branch is looked at anew.
const TRIES: u32 = 3;

/// Mode of a new file.
const PLAIN: &str = "100644";

/// Where the branch is.
pub(super) enum Brought {
    /// It holds what is wanted.
    At(String),
    /// It holds what is wanted by a commit that was made now.
    New(String),
    /// It holds something else, and commits that are not ours.
    Theirs(String),
}

/// A commit that is to be made.
pub(super) struct Commit<'a> {
    order: &'a Order<'a>,
    client: &'a Client,
    texts: &'a BTreeMap<String, String>,
    /// Tree of the default branch, where it is known.
    base: Option<String>,
    /// What the default branch has at the paths in question, once it is known.
    held: Option<BTreeMap<String, Entry>>,
    /// The tree with what is wanted, once it is made.
    tree: Option<String>,
}

impl<'a> Commit<'a> {
    /// A commit with these texts, by blob, on the default branch, whose tree may be known.
    pub(super) fn new(
        order: &'a Order<'a>,
        client: &'a Client,
        texts: &'a BTreeMap<String, String>,
        base: Option<String>,
    ) -> Self {
        Self { order, client, texts, base, held: None, tree: None }
    }

    /// Leaves those artifacts out that the default branch holds as they are wanted.
    pub(super) async fn drop_known(&mut self, wanted: &mut Artifacts) -> Result<(), RunError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let held = self.held(wanted).await?;
        wanted.retain(|_, files| {
            files
                .iter()
                .any(|(path, blob)| held.get(path).and_then(|e| e.sha.as_ref()) != blob.as_ref())
        });
        Ok(())
    }

    async fn held(&mut self, wanted: &Artifacts) -> Result<&BTreeMap<String, Entry>, RunError> {
        if self.held.is_none() {
            let paths: BTreeSet<&str> =
                wanted.values().flat_map(|files| files.keys().map(String::as_str)).collect();
            self.held = Some(self.client.entries_at(self.order.head, &paths).await?);
        }
        Ok(self.held.get_or_insert_default())
    }

    /// The default branch's tree with what is wanted.
    async fn tree(&mut self, wanted: &Artifacts) -> Result<String, RunError> {
        if let Some(tree) = &self.tree {
            return Ok(tree.clone());
        }
        let base = match &self.base {
            Some(base) => base.clone(),
            None => self.client.commit(self.order.head).await?.tree.sha,
        };
        let (client, texts) = (self.client, self.texts);
        let held = self.held(wanted).await?;
        let mut files: Vec<TreeFile<'_>> = Vec::new();
        for (path, blob) in wanted.values().flatten() {
            let there = held.get(path);
            if there.and_then(|entry| entry.sha.as_ref()) == blob.as_ref() {
                continue;
            }
            let mode = there.map_or(PLAIN, |entry| entry.mode.as_str());
            let content = match blob {
                None => Content::Gone,
                Some(blob) => match texts.get(blob) {
                    Some(text) => Content::Text(text),
                    None => Content::Blob(blob.clone()),
                },
            };
            files.push((path, mode, content));
        }
        let tree = client.grow_tree(Some(&base), files).await?;
        self.tree = Some(tree.clone());
        Ok(tree)
    }

    /// Makes the commit; no ref moves.
    pub(super) async fn make(
        &mut self,
        wanted: &Artifacts,
        listed: &Report,
        parents: &[&str],
    ) -> Result<String, RunError> {
        let tree = self.tree(wanted).await?;
        let message = commit_message(listed, self.order.run, &tree, &[]);
        Ok(self.client.create_commit(&tree, parents, &message).await?)
    }

    /// Brings the branch of the pull request to what is wanted. It was at `at`; at `settled` it needs nothing.
    pub(super) async fn bring(
        &mut self,
        wanted: &Artifacts,
        listed: &Report,
        mut at: Option<String>,
        settled: Option<&str>,
    ) -> Result<Brought, RunError> {
        let head = self.order.head;
        for _ in 0..TRIES {
            let parents = match &at {
                None => vec![head.to_owned()],
                Some(at) if settled == Some(at) => return Ok(Brought::At(at.clone())),
                Some(at) => {
                    let comparison = self.client.compare(head, at).await?;
                    if !is_ours(&comparison) {
                        return Ok(match self.holds(at, wanted).await? {
                            true => Brought::At(at.clone()),
                            false => Brought::Theirs(at.clone()),
                        });
                    }
                    let last = comparison.commits.iter().find(|commit| commit.sha == *at);
                    if let Some(last) = last
                        && last.tree == self.tree(wanted).await?
                    {
                        return Ok(Brought::At(at.clone()));
                    }
                    match (last, comparison.status) {
                        // The default branch has all of it.
                        (None, _) => vec![head.to_owned()],
                        (Some(_), Status::Ahead) => vec![at.clone()],
                        (Some(_), _) => vec![at.clone(), head.to_owned()],
                    }
                }
            };
            let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
            let new = self.make(wanted, listed, &parents).await?;
            if advance(self.client, BRANCH_REF, at.as_deref(), &new).await? {
                return Ok(Brought::New(new));
            }
            // Somebody was faster.
            at = self.client.reference(BRANCH_REF).await?;
        }
        Err(RunError::Unavailable(format!(
            "The branch `{BRANCH}` is being moved by others all the time, so it was not updated. The next run tries \
             again."
        )))
    }

    /// Whether a commit's files are the default branch's with what is wanted; false where they cannot be listed.
    async fn holds(&self, commit: &str, wanted: &Artifacts) -> Result<bool, RunError> {
        let Some(there) = self.client.whole_tree(commit).await? else { return Ok(false) };
        let Some(base) = self.client.whole_tree(self.order.head).await? else { return Ok(false) };
        let files = |entries: Vec<Entry>| {
            let files = entries.into_iter().filter(|entry| entry.mode != "040000");
            files.map(|entry| (entry.path, (entry.mode, entry.sha)))
        };
        let mut expected: BTreeMap<_, _> = files(base).collect();
        for (path, blob) in wanted.values().flatten() {
            match blob {
                None => drop(expected.remove(path)),
                Some(_) => {
                    let file = expected.entry(path.clone());
                    file.or_insert_with(|| (PLAIN.to_owned(), None)).1.clone_from(blob);
                }
            }
        }
        Ok(files(there).collect::<BTreeMap<_, _>>() == expected)
    }
}

/// Whether every commit is one of ours, by its own proof.
pub(super) fn is_ours(comparison: &Comparison) -> bool {
    comparison.commits.iter().all(|commit| is_our_commit(&commit.message, &commit.tree))
}

/// Moves a ref from `old` to `new`, which follows it, or makes it; false when somebody else moved it. After an answer
/// that is not clear it looks first.
pub(super) async fn advance(
    client: &Client,
    reference: &str,
    old: Option<&str>,
    new: &str,
) -> Result<bool, GithubError> {
    let mut tries = 1;
    loop {
        let moved = match old {
            Some(_) => client.advance_reference(reference, new).await,
            None => client.create_reference(reference, new).await,
        };
        let Err(error @ GithubError::Unavailable { .. }) = moved else { return moved };
        let there = client.reference(reference).await?;
        if there.as_deref() == Some(new) {
            return Ok(true);
        }
        if there.as_deref() != old {
            return Ok(false);
        }
        if tries == TRIES {
            return Err(error);
        }
        tries += 1;
    }
}
