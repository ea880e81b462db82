//! Reading many objects in one process, and writing whole commits in one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Git, GitError, Oid};

const BATCH: &str = "git cat-file --batch";
/// Objects read by one process.
const BATCH_SIZE: usize = 2_000;

/// An object as `cat-file --batch` gives it.
pub(crate) struct Object {
    pub(crate) oid: Oid,
    pub(crate) kind: String,
    pub(crate) content: Vec<u8>,
}

impl Git {
    /// The content of a blob.
    ///
    /// # Errors
    /// [`GitError::Unexpected`] when there is no such blob; else as git says.
    pub async fn blob(&self, oid: &Oid) -> Result<Vec<u8>, GitError> {
        self.blobs(std::slice::from_ref(oid)).await?.remove(oid).ok_or_else(|| {
            GitError::Unexpected {
                command: BATCH.to_owned(),
                reason: format!("there is no blob {oid}"),
            }
        })
    }

    /// The contents of these blobs, read in batches; what is no blob here is left out.
    ///
    /// # Errors
    /// As git says.
    pub async fn blobs(&self, oids: &[Oid]) -> Result<BTreeMap<Oid, Vec<u8>>, GitError> {
        let names: BTreeSet<&str> = oids.iter().map(Oid::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let objects = self.objects(&names).await?;
        Ok(objects
            .into_iter()
            .flatten()
            .filter(|object| object.kind == "blob")
            .map(|object| (object.oid, object.content))
            .collect())
    }

    /// The objects that these names (of any form, without line breaks) stand for, in their order.
    pub(crate) async fn objects(&self, names: &[&str]) -> Result<Vec<Option<Object>>, GitError> {
        let mut objects = Vec::with_capacity(names.len());
        // A batch is held twice while it is taken apart.
        for names in names.chunks(BATCH_SIZE) {
            let mut input = names.join("\n").into_bytes();
            input.push(b'\n');
            let output = self.call(&["cat-file", "--batch"]).input(&input).stdout().await?;
            parse_batch(&output, names.len(), &mut objects)?;
        }
        Ok(objects)
    }

    /// Makes a commit whose tree is the parent's with these files written (`Some`) or removed (`None`), without
    /// moving any ref. One `fast-import` process: it reads only the folders it changes, so the size of the rest
    /// does not matter. Paths are relative, with `/`, without control characters, and checked by the caller.
    pub(crate) async fn write_commit(
        &self,
        parent: Option<&Oid>,
        message: &str,
        change: &BTreeMap<&str, Option<&[u8]>>,
    ) -> Result<Oid, GitError> {
        // The branch exists only inside of fast-import: reset to nothing before the end, no ref is written.
        const BRANCH: &str = "refs/agent-sync/new";
        let zero = self.blob_id(b"").zero();
        let mut stream = Stream::default();
        stream.line(&format!("commit {BRANCH}"));
        stream.line("mark :1");
        stream.line(&format!("committer {} <{}> now", super::command::NAME, super::command::EMAIL));
        stream.data(message.as_bytes());
        if let Some(parent) = parent {
            stream.line(&format!("from {parent}"));
        }
        // Removals first, so that a file may take the place of a folder.
        for (path, _) in change.iter().filter(|(_, content)| content.is_none()) {
            stream.line(&format!("D {}", quote(path)));
        }
        for (path, content) in change {
            if let Some(content) = content {
                stream.line(&format!("M 100644 inline {}", quote(path)));
                stream.data(content);
            }
        }
        stream.line("");
        stream.line("get-mark :1");
        stream.line(&format!("reset {BRANCH}\nfrom {zero}\n"));
        stream.line("done");
        let args = ["fast-import", "--quiet", "--done", "--date-format=now"];
        let oid = self.call(&args).input(&stream.0).text().await?;
        self.oid(&oid)
    }

    /// Makes a commit with the files of another one, and no parent.
    pub(crate) async fn without_parents(&self, of: &Oid, message: &str) -> Result<Oid, GitError> {
        let tree = format!("{of}^{{tree}}");
        let args = ["commit-tree", &tree];
        let oid = self.call(&args).input(message.as_bytes()).text().await?;
        self.oid(&oid)
    }

    /// Makes a commit that is nothing but its message: with the parent's tree, or an empty one.
    pub(crate) async fn write_message(
        &self,
        parent: Option<&Oid>,
        message: &str,
    ) -> Result<Oid, GitError> {
        let oid = match parent {
            Some(parent) => {
                let tree = format!("{parent}^{{tree}}");
                let args = ["commit-tree", "-p", parent.as_str(), "-F", "-", &tree];
                self.call(&args).input(message.as_bytes()).text().await?
            }
            None => {
                let tree = self.call(&["mktree"]).text().await?;
                self.call(&["commit-tree", "-F", "-", &tree])
                    .input(message.as_bytes())
                    .text()
                    .await?
            }
        };
        self.oid(&oid)
    }

    /// The message of a commit, without white space at its end.
    pub(crate) async fn message(&self, commit: &Oid) -> Result<String, GitError> {
        let object = self.objects(&[commit.as_str()]).await?.into_iter().flatten().next();
        let object = object.filter(|object| object.kind == "commit").ok_or_else(|| {
            GitError::Unexpected {
                command: BATCH.to_owned(),
                reason: format!("there is no commit {commit}"),
            }
        })?;
        let text = String::from_utf8_lossy(&object.content);
        Ok(text.split_once("\n\n").map_or("", |(_, message)| message).trim_end().to_owned())
    }
}

#[derive(Default)]
struct Stream(Vec<u8>);

impl Stream {
    fn line(&mut self, line: &str) {
        self.0.extend_from_slice(line.as_bytes());
        self.0.push(b'\n');
    }

    fn data(&mut self, content: &[u8]) {
        self.line(&format!("data {}", content.len()));
        self.0.extend_from_slice(content);
        self.0.push(b'\n');
    }
}

fn quote(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

fn parse_batch(
    output: &[u8],
    count: usize,
    objects: &mut Vec<Option<Object>>,
) -> Result<(), GitError> {
    let unexpected = |reason: &str| GitError::Unexpected {
        command: BATCH.to_owned(),
        reason: reason.to_owned(),
    };
    let mut rest = output;
    for _ in 0..count {
        let end =
            rest.iter().position(|&b| b == b'\n').ok_or_else(|| unexpected("it is cut off"))?;
        let (header, after) = rest.split_at(end);
        let header =
            std::str::from_utf8(header).map_err(|_| unexpected("a header is not UTF-8"))?;
        let mut words = header.split(' ');
        let named = (words.next().and_then(|w| w.parse::<Oid>().ok()), words.next(), words.next());
        let (Some(oid), Some(kind), Some(size)) = named else {
            // `<name> missing`, `<name> ambiguous`.
            objects.push(None);
            rest = after.get(1..).unwrap_or_default();
            continue;
        };
        let size: usize = size.parse().map_err(|_| unexpected("a size is no number"))?;
        let content = after.get(1..=size).ok_or_else(|| unexpected("it is cut off"))?;
        objects.push(Some(Object { oid, kind: kind.to_owned(), content: content.to_vec() }));
        rest = after.get(size + 2..).unwrap_or_default();
    }
    Ok(())
}
