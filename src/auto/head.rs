//! The files of a pull request as data: brought here through the API, into a folder of our own, for jobs that run with
//! secrets and must not check its branch out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Job;
use super::check::Subject;
use crate::config::Config;
use crate::engine::RunError;
use crate::github::data::{Entry, blob_id};
use crate::repo::{MAX_BYTES, Tree, is_ordinary};

/// Files beside the documents that are made, empty, so that links to them have a target.
const OTHERS: usize = 50_000;
/// Symbolic links that are made.
const LINKS: usize = 1_000;
/// Bytes of where one leads.
const TARGET: u64 = 4_096;
/// Links that one path may lead over, as in Linux.
const HOPS: usize = 40;

/// Brings the files here and points the request at them. The configuration is the base's.
///
/// # Errors
/// What GitHub says; a disk that is full.
pub(super) async fn materialise(job: &mut Job<'_>, number: u64) -> Result<Subject, RunError> {
    let pull = job.client.pull(number).await?;
    let full = |side: &crate::github::talk::Side| side.repo.as_ref().map(|r| r.full_name.clone());
    let subject = Subject {
        number: Some(number),
        head: pull.head.sha.clone(),
        base: pull.base.sha.clone(),
        fork: full(&pull.head).is_none() || full(&pull.head) != full(&pull.base),
    };
    if !job.configure(&subject.base).await? {
        return Err(RunError::Usage(
            "The base branch has no configuration, so there is nothing to decide yet.".to_owned(),
        ));
    }
    // As the pull request's own job sees it: merged, where GitHub could merge it.
    let merged = pull.merge_commit_sha.filter(|_| pull.mergeable == Some(true));
    let commit = merged.unwrap_or_else(|| subject.head.clone());
    let folder = fresh_folder(job)?;
    fill(job, &commit, folder.path()).await?;
    folder.path().clone_into(&mut job.request.directory);
    job.folder = Some(folder);
    job.request.env.insert("GITHUB_SHA".to_owned(), commit);
    job.request.env.remove("GITHUB_REF");
    Ok(subject)
}

fn fresh_folder(job: &Job<'_>) -> Result<TempDir, RunError> {
    let place = job.request.env.get("RUNNER_TEMP").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::Builder::new().prefix("agent-sync-head-").tempdir_in(place);
    folder.map_err(|error| unwritable(&error))
}

fn unwritable(error: &std::io::Error) -> RunError {
    RunError::Usage(format!("The files of the pull request cannot be stored here: {error}."))
}

/// Writes documents whole and everything else empty, with the links as they are; submodules are left out.
async fn fill(job: &Job<'_>, commit: &str, folder: &Path) -> Result<(), RunError> {
    let env = |name: &str| job.request.env.get(name).cloned();
    let Some((file, text)) = &job.request.config_text else { return Ok(()) };
    let config = Config::parse(file.clone(), text, &env)?;
    let folders: Vec<&str> = config.kinds.values().map(|kind| kind.folder.as_str()).collect();
    let entries = job.client.whole_tree(commit).await?.ok_or_else(|| {
        RunError::Refused(
            "The pull request's branch has more files than GitHub lists at once. Decide with `agent-sync resolve` \
             in a clone of it."
                .to_owned(),
        )
    })?;
    let here = Tree::open(&job.request.directory).ok();
    let is_document = |path: &str| {
        folders.iter().any(|folder| path.strip_prefix(folder).is_some_and(|r| r.starts_with('/')))
    };
    let links = links(job, &entries).await?;
    let targets: BTreeSet<String> = (links.keys().filter(|path| is_document(path)))
        .filter_map(|path| followed(path, &links))
        .collect();
    let files = entries.into_iter().filter(|entry| entry.mode.starts_with("100"));
    let (documents, others): (Vec<Entry>, Vec<Entry>) = (files
        .filter(|entry| is_safe(&entry.path)))
    .partition(|entry| is_document(&entry.path) || targets.contains(&entry.path));
    let small = |entry: &Entry| entry.size.is_none_or(|size| size <= MAX_BYTES);
    let mut wanted = BTreeSet::new();
    for entry in &documents {
        if !small(entry) {
            // Too large is what it has to be called, and not gone.
            too_large(folder, &entry.path)?;
            continue;
        }
        let Some(sha) = &entry.sha else { continue };
        // The default branch is checked out here as a rule, and most of its files are the same.
        let same = here.as_ref().and_then(|tree| tree.read(&entry.path).ok());
        match same.filter(|text| blob_id(text.as_bytes()) == *sha) {
            Some(text) => write(folder, &entry.path, text.as_bytes())?,
            None => drop(wanted.insert(sha.clone())),
        }
    }
    let blobs = job.client.blobs(&wanted).await?;
    for entry in &documents {
        if let Some(bytes) = entry.sha.as_ref().and_then(|sha| blobs.get(sha)) {
            write(folder, &entry.path, bytes)?;
        }
    }
    for entry in others.iter().take(OTHERS) {
        write(folder, &entry.path, b"")?;
    }
    // At last, so that nothing is written through one.
    links.iter().try_for_each(|(path, target)| link(folder, path, target))
}

/// The symbolic links of a commit, with where they lead.
async fn links(job: &Job<'_>, entries: &[Entry]) -> Result<BTreeMap<String, String>, RunError> {
    let short = |entry: &&Entry| entry.size.is_none_or(|size| size <= TARGET);
    let links = entries.iter().filter(|entry| entry.mode == "120000" && is_safe(&entry.path));
    let links: Vec<(&String, &String)> = (links.filter(short).take(LINKS))
        .filter_map(|entry| Some((&entry.path, entry.sha.as_ref()?)))
        .collect();
    let wanted = links.iter().map(|(_, sha)| (*sha).clone()).collect();
    let targets = job.client.blobs(&wanted).await?;
    let target = |sha: &String| String::from_utf8(targets.get(sha)?.clone()).ok();
    let known = |target: &String| !target.is_empty() && !target.contains('\0');
    Ok((links.into_iter())
        .filter_map(|(path, sha)| Some((path.clone(), target(sha).filter(known)?)))
        .collect())
}

/// The path at which a link ends; `None` where it leaves the repository or leads round in a circle.
fn followed(path: &str, links: &BTreeMap<String, String>) -> Option<String> {
    let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut at: Vec<String> = Vec::new();
    let mut hops = 0;
    while let Some(part) = left.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => drop(at.pop()?),
            _ => at.push(part),
        }
        if let Some(target) = links.get(&at.join("/")) {
            hops += 1;
            if hops > HOPS || target.starts_with('/') {
                return None;
            }
            at.pop();
            left.extend(target.split('/').rev().map(str::to_owned));
        }
    }
    Some(at.join("/"))
}

/// Makes a symbolic link; not below another one, and not in place of anything. Nothing follows it out of the folder:
/// [`Tree`] reads no such file.
fn link(folder: &Path, path: &str, target: &str) -> Result<(), RunError> {
    let full = folder.join(path);
    let below = full.ancestors().skip(1).take_while(|above| *above != folder);
    let is_free = |above: &Path| above.symlink_metadata().map_or(true, |found| found.is_dir());
    if !below.into_iter().all(is_free) || full.symlink_metadata().is_ok() {
        return Ok(());
    }
    let made = full.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::os::unix::fs::symlink(target, full)).map_err(|error| unwritable(&error))
}

fn is_safe(path: &str) -> bool {
    path.split('/').all(is_ordinary)
}

/// A file without content, longer than any that is read.
fn too_large(folder: &Path, path: &str) -> Result<(), RunError> {
    write(folder, path, b"")?;
    let file = std::fs::OpenOptions::new().write(true).open(folder.join(path));
    file.and_then(|file| file.set_len(MAX_BYTES + 1)).map_err(|error| unwritable(&error))
}

fn write(folder: &Path, path: &str, bytes: &[u8]) -> Result<(), RunError> {
    let full = folder.join(path);
    let made = full.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(full, bytes)).map_err(|error| unwritable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_inside_of_the_repository() {
        let links = [
            ("a/link.md", "../b/real.md"),
            ("a/twice.md", "./link.md"),
            ("c", "b"),
            ("a/over.md", "../c/real.md"),
            ("a/out.md", "../../etc/passwd"),
            ("a/absolute.md", "/etc/passwd"),
            ("a/round.md", "round.md"),
        ];
        let links = links.map(|(path, target)| (path.to_owned(), target.to_owned())).into();
        for path in ["a/link.md", "a/twice.md", "a/over.md"] {
            assert_eq!(followed(path, &links).as_deref(), Some("b/real.md"), "{path}");
        }
        for path in ["a/out.md", "a/absolute.md", "a/round.md"] {
            assert_eq!(followed(path, &links), None, "{path}");
        }
    }

    #[test]
    fn no_link_is_made_through_another_one() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let out = outside.path().to_str().unwrap();
        link(dir.path(), "a", out).unwrap();
        link(dir.path(), "a/b", "x").unwrap();
        link(dir.path(), "a/c/d", "x").unwrap();
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        std::fs::write(dir.path().join("file"), "text").unwrap();
        link(dir.path(), "file", out).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("file")).unwrap(), "text");
    }
}
