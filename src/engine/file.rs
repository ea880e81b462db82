//! Texts of files with what is read from them, each thing once: a run compares, sends and records the same text.

use std::sync::{Arc, OnceLock};

use agent_sync_core::document::{self, Document};
use agent_sync_core::kind::{Format, Kind};
use agent_sync_core::markdown::{self, Dialect, Fate, FileLink, Links, Local};
use agent_sync_core::model::Key;
use agent_sync_core::plan::Content;

use super::book::text_id;
use super::observe::body_content;

/// A file as read.
#[derive(Debug)]
pub struct LocalFile {
    /// The whole text.
    pub text: String,
    /// Its properties and their places.
    pub document: Document,
    format: Format,
    id: OnceLock<String>,
    links: OnceLock<Vec<FileLink>>,
    digest: OnceLock<String>,
    kept: OnceLock<Option<String>>,
}

impl LocalFile {
    /// Reads a text as the file of an artifact. `path` is for findings and for a title that only the name tells.
    pub fn new(kind: &Kind, key: &Key, path: &str, text: String) -> Self {
        Self {
            document: document::parse(kind, &key.id, path, &text),
            format: kind.format,
            id: OnceLock::new(),
            links: OnceLock::new(),
            digest: OnceLock::new(),
            kept: OnceLock::new(),
            text,
        }
    }

    /// The file's body for the Markdown functions.
    pub fn body<'a>(&'a self, links: &'a Links) -> Local<'a> {
        Local { links: Some(links), ..self.without_links() }
    }

    fn without_links(&self) -> Local<'_> {
        let excluded = &self.document.excluded;
        Local { text: &self.text, excluded, format: self.format, links: None }
    }

    /// Id of the text.
    pub(super) fn id(&self) -> &str {
        self.id.get_or_init(|| text_id(self.text.as_bytes()))
    }

    /// The links and images of the body.
    pub(super) fn links(&self) -> &[FileLink] {
        self.links.get_or_init(|| markdown::file_links(&self.without_links()))
    }

    /// Whether the body says the same wherever the paths of its links lead.
    pub(super) fn is_steady(&self, links: &Links) -> bool {
        let no_path = |link: &FileLink| links.fate(&link.target, link.image) == Fate::NoPath;
        links.are_as_written() || self.links().iter().all(no_path)
    }

    /// Digest of the body's canonical form.
    pub(super) fn digest(&self, links: &Links) -> String {
        let digest = || markdown::local_digest(&self.body(links));
        match self.is_steady(links) {
            true => self.digest.get_or_init(digest).clone(),
            false => digest(),
        }
    }

    /// The body as a store keeps it that takes Markdown as it is.
    fn kept(&self, links: &Links) -> Option<&str> {
        let kept = || markdown::kept(&self.body(links), &self.digest(links));
        self.kept.get_or_init(kept).as_deref()
    }

    /// Finds out what a run asks of a file that is new or changed.
    pub(super) fn prepare(&self, links: &Links, dialect: Dialect) {
        self.content(links);
        if dialect == Dialect::Markdown {
            self.kept(links);
        }
    }

    /// The body as content of a stretch.
    pub(super) fn content(&self, links: &Links) -> Option<Content> {
        let digest = self.digest(links);
        body_content(&digest, self.id(), digest == markdown::empty_digest())
    }
}

/// A file with where its links lead.
#[derive(Clone, Debug)]
pub(super) struct FileText {
    /// The file.
    pub file: Arc<LocalFile>,
    /// Where its links lead.
    pub links: Links,
}

impl FileText {
    /// Reads a text as a file.
    pub(super) fn new(kind: &Kind, key: &Key, links: Links, text: String) -> Self {
        Self { file: Arc::new(LocalFile::new(kind, key, links.path(), text)), links }
    }

    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.file.text
    }

    /// For the Markdown functions.
    pub(super) fn local(&self) -> Local<'_> {
        self.file.body(&self.links)
    }

    /// Digest of the body's canonical form.
    pub(super) fn digest(&self) -> String {
        self.file.digest(&self.links)
    }

    /// The body as content of a stretch.
    pub(super) fn content(&self) -> Option<Content> {
        self.file.content(&self.links)
    }

    /// The whole body as it is sent for a new page.
    pub(super) fn render(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::Markdown if let Some(text) = self.file.kept(&self.links) => text.to_owned(),
            _ => markdown::render_remote(&self.local(), dialect),
        }
    }

    /// Digest of a backend's body, which is this file's own where it was sent and nothing else was done.
    pub(super) fn digest_of(&self, dialect: Dialect, text: &str) -> String {
        match dialect == Dialect::Markdown && self.file.kept(&self.links) == Some(text) {
            true => self.digest(),
            false => markdown::remote_digest(dialect, text),
        }
    }
}
