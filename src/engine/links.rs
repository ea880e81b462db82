//! Links of files, resolved for one backend (design §6 "Links"): what core needs to know of pages, paths and the
//! repository's address, and the second write of pages that name each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_sync_core::markdown::{self, Fate, FileLink, Links, Push, Site, Web};
use agent_sync_core::model::{Finding, Key, Properties, Severity, Side, Stretch};
use agent_sync_core::plan::{Content, Pair, Step};
use serde::{Deserialize, Serialize};

use super::book::Book;
use super::file::{FileText, LocalFile};
use super::observe::{Artifact, World};
use super::remote::{BodyJob, BodyWrite, Job, Verb};
use super::{RunError, Session};
use crate::backend::Backend;
use crate::repo::Tree;

/// What the links of all files have in common.
pub(super) struct Paths {
    tree: Tree,
    web: Option<Web>,
    /// Paths of artifacts whose kinds take no part in this run.
    others: BTreeMap<Key, String>,
    /// Artifacts whose page this run is about to make.
    pub(super) pending: BTreeSet<Key>,
    /// Artifacts whose file this run is about to delete.
    pub(super) doomed: BTreeSet<Key>,
    /// Paths of files that this run is about to make.
    pub(super) planned: BTreeMap<Key, String>,
    /// The artifacts of `pending` by path.
    pending_at: BTreeMap<String, Key>,
    site: Arc<Site>,
    /// Whether the backend keeps links as they are written.
    as_written: bool,
}

impl Paths {
    /// Nothing but what is in the state.
    pub(super) fn new(
        tree: &Tree,
        web: Option<&Web>,
        book: &Book,
        backend: &dyn Backend,
        takes_part: impl Fn(&Key) -> bool,
    ) -> Self {
        let records = book.records.values().filter(|record| record.backend == backend.name());
        let others = records
            .filter(|record| !takes_part(&record.key))
            .filter_map(|record| Some((record.key.clone(), record.path.clone()?)));
        Self {
            tree: tree.clone(),
            web: web.cloned(),
            others: others.collect(),
            pending: BTreeSet::new(),
            doomed: BTreeSet::new(),
            planned: BTreeMap::new(),
            pending_at: BTreeMap::new(),
            site: Arc::new(Site::new(None, |_| None)),
            as_written: backend.dialect().keeps_links(),
        }
    }
}

impl World {
    /// Where the links of the file at `path` lead.
    pub(super) fn links(&self, path: &str) -> Links {
        Links::new(self.paths.site.clone(), path)
    }

    /// Takes up pages and paths that have become known.
    pub(super) fn refresh_links(&mut self) {
        let (tree, paths) = (self.paths.tree.clone(), &self.paths);
        let doomed: BTreeSet<String> =
            paths.doomed.iter().filter_map(|key| self.path_of(key)).map(str::to_owned).collect();
        let mut site = Site::new(paths.web.clone(), move |path| match doomed.contains(path) {
            true => None,
            false => tree.entry(path),
        })
        .as_written(paths.as_written);
        for (key, page) in self.page_of.iter().filter(|(key, _)| !paths.doomed.contains(key)) {
            if let Some(path) = self.path_of(key) {
                site.add_page(path, page);
            }
        }
        let pending = paths.pending.iter().filter(|key| !self.page_of.contains_key(key));
        let pending: BTreeMap<String, Key> =
            pending.filter_map(|key| Some((self.path_of(key)?.to_owned(), key.clone()))).collect();
        pending.keys().for_each(|path| site.add_pending(path));
        self.paths.pending_at = pending;
        self.paths.site = Arc::new(site);
    }

    fn path_of(&self, key: &Key) -> Option<&str> {
        let scanned = || self.scan.files.get(key).map(|entry| &entry.path);
        let known = self.made.get(key).or_else(scanned);
        known
            .or_else(|| self.paths.planned.get(key))
            .or_else(|| self.paths.others.get(key))
            .map(String::as_str)
    }
}

/// A link of a file by a path, and what it was when the file was agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Led {
    /// The target in the file.
    pub target: String,
    /// Whether it is an image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub image: bool,
    /// The address that was sent; none where it was sent as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Where the links of a file by paths lead.
pub(super) fn led(file: &LocalFile, links: &Links) -> Vec<Led> {
    let mut out: Vec<Led> = Vec::new();
    for FileLink { target, image, .. } in file.links() {
        let seen = out.iter().any(|led| led.target == *target && led.image == *image);
        if !seen && links.fate(target, *image) != Fate::NoPath {
            let to = links.to_remote(target, *image);
            out.push(Led { target: target.clone(), image: *image, to });
        }
    }
    out
}

/// Whether links still lead where they led.
pub(super) fn unmoved(led: &[Led], links: &Links) -> bool {
    led.iter().all(|led| links.to_remote(&led.target, led.image) == led.to)
}

/// What a person should look at in the links of a file.
pub(super) fn findings(key: &Key, path: &str, file: &LocalFile, links: &Links) -> Vec<Finding> {
    let finding = |link: &FileLink, rule: &str, message: String, fix: &str| Finding {
        rule: rule.to_owned(),
        severity: Severity::Warning,
        key: Some(key.clone()),
        path: Some(path.to_owned()),
        line: Some(link.line),
        url: None,
        message,
        fix: fix.to_owned(),
        about: None,
    };
    let sent = if links.are_as_written() { "" } else { " It is sent as text." };
    let of = |link: &FileLink| match links.fate(&link.target, link.image) {
        Fate::Missing(at) => Some(finding(
            link,
            "broken-reference",
            format!("The link to `{}` leads nowhere: there is no `{at}`.{sent}", link.target),
            "Correct the path.",
        )),
        Fate::Outside => Some(finding(
            link,
            "broken-reference",
            format!("The link to `{}` leads out of the repository.{sent}", link.target),
            "Link to something inside of the repository, or use a web address.",
        )),
        Fate::Private(_) => Some(finding(
            link,
            "private-image",
            format!(
                "The image `{}` cannot be shown: the repository is private. It is sent as a link to its file.",
                link.target
            ),
            "Put the image where readers can see it, or leave it as a link.",
        )),
        _ => None,
    };
    file.links().iter().filter_map(of).collect()
}

/// The repository's address on the web: configured, else from the environment, else as an earlier run knew it, else
/// that of the remote, which may be another in every clone.
///
/// # Errors
/// What git says.
pub(super) async fn web(
    session: &Session<'_>,
    known: &mut Option<String>,
) -> Result<Option<Web>, RunError> {
    let repository = &session.config.repository;
    if let Some(url) = &repository.url {
        *known = Some(url.clone());
    } else if known.is_none() {
        *known = session.git.remote_url().await?.as_deref().and_then(address);
    }
    Ok(known.clone().map(|url| Web {
        url,
        branch: session.branch.clone(),
        private: repository.private.unwrap_or(false),
    }))
}

/// The web address of a remote: `git@host:org/repo.git`, `ssh://git@host:22/org/repo.git`, `https://host/org/repo`.
fn address(remote: &str) -> Option<String> {
    let (host, path) = match remote.trim().split_once("://") {
        Some((scheme, rest)) if matches!(scheme, "https" | "http" | "ssh" | "git") => {
            let (host, path) = rest.split_once('/')?;
            let host = host.rsplit('@').next()?;
            // The port of the web server is another than that of ssh.
            let web = matches!(scheme, "https" | "http");
            let host = if web { host } else { host.split(':').next()? };
            (host, path)
        }
        Some(_) => return None,
        None => {
            let (host, path) = remote.trim().split_once(':')?;
            (host.rsplit('@').next()?, path)
        }
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let plain = |text: &str| {
        let odd = |c: char| c.is_whitespace() || c.is_control() || "\\<>\"?#()[]".contains(c);
        !text.is_empty() && !text.contains(odd)
    };
    // A drive or a folder is no host.
    (host.contains('.') && !host.contains('/') && plain(host) && plain(path))
        .then(|| format!("https://{host}/{path}"))
}

/// A body that differs from its base on both sides is no conflict where the file differs only by where its links
/// lead: the page's edit comes into the file, and then the links are sent. Nor is one without a base whose mentions
/// are links in the file.
///
/// # Errors
/// What the state says.
pub(super) async fn settle(
    book: &Book,
    backend: &dyn Backend,
    world: &World,
    artifact: &mut Artifact,
) -> Result<(), RunError> {
    match artifact.steps.get(&Stretch::Body) {
        Some(Step::Conflict(_)) => {}
        Some(Step::Merge(merge)) if !merge.clashes.is_empty() => {}
        _ => return Ok(()),
    }
    let (Some(file), Some(path)) = (&artifact.file, &artifact.path) else { return Ok(()) };
    let Some(seen) = artifact.stretches.get(&Stretch::Body) else { return Ok(()) };
    let links = world.links(path).planned();
    let candidates: Vec<Pair> =
        seen.proposed.last().into_iter().chain(&seen.base).cloned().collect();
    for pair in candidates {
        let Some(Content::Body { digest, .. }) = &pair.local else { continue };
        let Some(remote) = pair.remote.as_ref().and_then(Content::text) else { continue };
        let text = book.text(remote).await?;
        let agreed = markdown::agreed_digest(&file.body(&links), backend.dialect(), &text);
        if agreed == *digest {
            let step = match pair.holds(Side::Remote, seen.remote.as_ref()) {
                true => Step::Push(Some(pair)),
                false => Step::Pull(Some(pair)),
            };
            artifact.steps.insert(Stretch::Body, step);
            return Ok(());
        }
    }
    if let (None, None, Some(body)) = (&seen.base, seen.proposed.last(), &artifact.body) {
        let text = body.whole(book).await?;
        if markdown::is_rendering(&file.body(&links), backend.dialect(), &text) {
            artifact.steps.insert(Stretch::Body, Step::Agree);
        }
    }
    Ok(())
}

/// Artifacts whose pages this run is about to make and that a file links to.
pub(super) fn awaited(world: &World, path: &str, file: &LocalFile) -> BTreeSet<Key> {
    let links = world.links(path);
    file.links()
        .iter()
        .filter_map(|link| match links.fate(&link.target, link.image) {
            Fate::Pending(path) => world.paths.pending_at.get(&path).cloned(),
            _ => None,
        })
        .collect()
}

/// Gives the body of a new page the links to pages that were made since it was prepared; true if some are still to
/// be made.
pub(super) fn renew(world: &World, backend: &dyn Backend, body: &mut BodyJob) -> bool {
    body.local.links = world.links(body.local.links.path());
    let FileText { file, links } = &body.local;
    if file.is_steady(links) {
        return false;
    }
    if let BodyWrite::Whole(text) = &mut body.write {
        *text = body.local.render(backend.dialect());
    }
    let pending =
        |link: &FileLink| matches!(links.fate(&link.target, link.image), Fate::Pending(_));
    file.links().iter().any(pending)
}

/// The second write of a page that was made before the pages that it links to; none if nothing is to be sent.
///
/// # Errors
/// What the state says.
pub(super) async fn second(
    book: &Book,
    backend: &dyn Backend,
    world: &World,
    key: &Key,
) -> Result<Option<Job>, RunError> {
    let (Some(record), Some(artifact)) =
        (book.record(backend.name(), key), world.artifacts.get(key))
    else {
        return Ok(None);
    };
    let (Some(kind), Some(path)) = (world.kinds.get(&key.kind), &artifact.path) else {
        return Ok(None);
    };
    let Some(pair) = record.proposals(&Stretch::Body).last() else { return Ok(None) };
    let texts =
        (pair.local.as_ref().and_then(Content::text), pair.remote.as_ref().and_then(Content::text));
    let (Some(local), Some(remote)) = texts else { return Ok(None) };
    let links = world.links(path);
    let local = FileText::new(kind, key, links, book.text(local).await?);
    let before = book.text(remote).await?;
    let base = (&local.local(), before.as_str());
    let Push::Edit(hunks) =
        markdown::plan_push(backend.dialect(), Some(base), &local.local(), &before)
    else {
        return Ok(None);
    };
    Ok(Some(Job {
        key: key.clone(),
        verb: Verb::Edit,
        page: Some(record.page.clone()),
        expected: Properties::new(),
        values: BTreeMap::new(),
        local_values: BTreeMap::new(),
        late: BTreeSet::new(),
        body: Some(BodyJob {
            local,
            before,
            write: BodyWrite::Edit(hunks),
            merge: None,
            merged: None,
        }),
        digest: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_remote_has_an_address_on_the_web() {
        for remote in [
            "git@github.com:org/repo.git",
            "github.com:org/repo",
            "ssh://git@github.com/org/repo.git",
            "ssh://git@github.com:2222/org/repo",
            "https://github.com/org/repo.git",
            "https://x-access-token:secret@github.com/org/repo/",
            "git://github.com/org/repo.git",
        ] {
            assert_eq!(address(remote).as_deref(), Some("https://github.com/org/repo"), "{remote}");
        }
        assert_eq!(
            address("https://git.example.org:8443/a/b/c.git").as_deref(),
            Some("https://git.example.org:8443/a/b/c")
        );
        for remote in [
            "/srv/git/repo.git",
            "../repo",
            "file:///srv/repo",
            "C:\\repo",
            "https://github.com",
            "https://github.com/",
            "host:path",
            "https://github.com/a b",
            "",
        ] {
            assert_eq!(address(remote), None, "{remote}");
        }
    }
}
