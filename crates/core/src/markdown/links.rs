//! Where the links of a file lead on both sides (design §6 "Links").
//!
//! The block tree holds *remote* targets: a relative path in a file is a page of the backend, or an address in the
//! repository at its default branch, or nothing that can be sent; then the link is the literal text of its Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{Local, html, local_parse, url};
use crate::kind::Format;

/// What stands at a path of the working tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// The repository's address on the web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Address without a slash at its end, e.g. `https://github.com/org/repo`.
    pub url: String,
    /// The default branch.
    pub branch: String,
    /// Whether readers of the backend may have no access: then its images cannot be shown.
    pub private: bool,
}

/// Tells what stands at a path of the working tree.
type Look = Arc<dyn Fn(&str) -> Option<Entry> + Send + Sync>;

/// What all files of a repository have in common. Paths are relative to the repository, with `/`.
#[derive(Clone)]
pub struct Site {
    /// Page of each file that has one: the backend's id.
    pages: BTreeMap<String, String>,
    /// The same the other way round, by the id's 32 hexadecimal digits.
    paths: BTreeMap<String, String>,
    /// Files whose page this run is about to make.
    pending: BTreeSet<String>,
    web: Option<Web>,
    look: Look,
    /// The backend keeps targets as they are written.
    as_written: bool,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("pages", &self.pages.len()).field("web", &self.web).finish()
    }
}

impl Site {
    /// A repository without pages yet.
    pub fn new(
        web: Option<Web>,
        look: impl Fn(&str) -> Option<Entry> + Send + Sync + 'static,
    ) -> Self {
        let (pages, paths, pending) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { pages, paths, pending, web, look: Arc::new(look), as_written: false }
    }

    /// The same for a backend that keeps the targets of links as they are written ([`super::Dialect::keeps_links`]).
    pub fn as_written(self, as_written: bool) -> Self {
        Self { as_written, ..self }
    }

    /// The file at `path` has this page. Ids that are none of Notion's are passed over.
    pub fn add_page(&mut self, path: &str, id: &str) {
        if let Some(id) = url::bare_id(id) {
            self.pending.remove(path);
            self.paths.insert(id.clone(), path.to_owned());
            self.pages.insert(path.to_owned(), id);
        }
    }

    /// The file at `path` will have a page once this run has made it.
    pub fn add_pending(&mut self, path: &str) {
        if !self.pages.contains_key(path) {
            self.pending.insert(path.to_owned());
        }
    }
}

/// Where a link of a file leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is no path: an address, an anchor, or something that means nothing outside of the file.
    NoPath,
    /// A page, or an address in the repository.
    Remote(String),
    /// A page that is about to be made.
    Pending(String),
    /// An image of a repository that readers may not see: the address of its file.
    Private(String),
    /// The target exists, but the repository's address is not known.
    NoAddress,
    /// Nothing is there; the path.
    Missing(String),
    /// The path leaves the repository.
    Outside,
}

/// Stands for the address of a page that is not made yet.
const PENDING: &str = "https://app.notion.com/p/pending/";

/// Where the links of one file lead.
#[derive(Clone, Debug)]
pub struct Links {
    site: Arc<Site>,
    path: String,
    planned: bool,
}

impl Links {
    /// For the file at `path`.
    pub fn new(site: Arc<Site>, path: &str) -> Self {
        Self { site, path: path.to_owned(), planned: false }
    }

    /// The file's path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same as if every page were made already: for a plan, never to be sent.
    pub fn planned(&self) -> Self {
        Self { planned: true, ..self.clone() }
    }

    /// Whether the backend keeps targets as they are written, wherever they lead.
    pub fn are_as_written(&self) -> bool {
        self.site.as_written
    }

    /// Where a target leads that stands in the file.
    pub fn fate(&self, target: &str, image: bool) -> Fate {
        let Some(parts) = Parts::of(target) else { return Fate::NoPath };
        let mut found = None;
        // A name may hold a percent sign.
        for path in [decoded(parts.path), Some(parts.path.to_owned())].into_iter().flatten() {
            let Some(path) = self.absolute(&path) else { return Fate::Outside };
            if self.is_known(&path) {
                found = Some(path);
                break;
            }
            found.get_or_insert(path);
        }
        let Some(path) = found else { return Fate::NoPath };
        if self.site.as_written {
            return match self.is_known(&path) {
                true => Fate::NoAddress,
                false => Fate::Missing(path),
            };
        }
        if !image && !parts.path.ends_with('/') {
            if let Some(page) = self.site.pages.get(&path) {
                let fragment = tail(parts.fragment);
                return Fate::Remote(format!("{}{fragment}", url::page_address(page)));
            }
            if self.site.pending.contains(&path) {
                return Fate::Pending(path);
            }
        }
        self.on_the_web(path, &parts, image)
    }

    /// Where a path leads that is no page.
    fn on_the_web(&self, path: String, parts: &Parts<'_>, image: bool) -> Fate {
        let Some(entry) = (self.site.look)(&path) else { return Fate::Missing(path) };
        if entry == Entry::File && parts.path.ends_with('/') {
            return Fate::Missing(path);
        }
        let Some(web) = &self.site.web else { return Fate::NoAddress };
        let view = match entry {
            Entry::Folder => "tree",
            Entry::File if image && !web.private => "raw",
            Entry::File => "blob",
        };
        let branch = encoded(&web.branch);
        let address = format!("{}/{view}/{branch}{}", web.url, slashed(&encoded(&path)));
        let address = format!("{address}{}{}", tail(parts.query), tail(parts.fragment));
        if !url::is_sendable(&address) {
            return Fate::NoAddress;
        }
        match image && web.private {
            true => Fate::Private(address),
            false => Fate::Remote(address),
        }
    }

    fn is_known(&self, path: &str) -> bool {
        self.site.pages.contains_key(path)
            || self.site.pending.contains(path)
            || (self.site.look)(path).is_some()
    }

    /// The address that is sent for a target of the file; `None` where it is sent as it is, or as text.
    pub fn to_remote(&self, target: &str, image: bool) -> Option<String> {
        match self.fate(target, image) {
            Fate::Remote(address) | Fate::Private(address) => Some(address),
            // No page has this id; it only tells a link that will be from one that is not.
            Fate::Pending(path) if self.planned => Some(format!("{PENDING}{}", encoded(&path))),
            Fate::Pending(path) => match self.on_the_web(path, &Parts::of(target)?, image) {
                Fate::Remote(address) => Some(address),
                _ => None,
            },
            _ => None,
        }
    }

    /// What stands in the file for an address; `None` for the address itself.
    pub fn to_local(&self, address: &str, image: bool) -> Option<String> {
        if self.site.as_written {
            return None;
        }
        if let Some((id, fragment)) = url::page_of(address) {
            let path = self.site.paths.get(&id)?;
            return Some(format!("{}{fragment}", self.relative(path)));
        }
        let web = self.site.web.as_ref()?;
        let rest = address.strip_prefix(web.url.as_str())?.strip_prefix('/')?;
        let (_, rest) = rest.split_once('/')?;
        let rest = rest.strip_prefix(encoded(&web.branch).as_str())?;
        let (path, tail) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let path = match path {
            "" => String::new(),
            path => decoded(path.strip_prefix('/')?)?,
        };
        let folder = (self.site.look)(&path) == Some(Entry::Folder);
        let slash = if folder && !path.is_empty() { "/" } else { "" };
        let local = format!("{}{slash}{tail}", self.relative(&path));
        // Only what leads back to the same address says the same. A file that has a page by now is still that file.
        match self.on_the_web(path, &Parts::of(&local)?, image) {
            Fate::Remote(back) | Fate::Private(back) => (back == address).then_some(local),
            _ => None,
        }
    }

    /// Whether this address is what a path of a file became.
    pub(super) fn is_of_a_path(&self, address: &str) -> bool {
        address.starts_with(PENDING)
            || [false, true].iter().any(|image| self.to_local(address, *image).is_some())
    }

    /// Whether this is the address of an image's content, which only an image of a file becomes.
    pub(super) fn is_of_an_image(&self, address: &str) -> bool {
        self.to_local(address, false).is_none() && self.to_local(address, true).is_some()
    }

    /// A path of the repository from a target of this file; `None` outside of the repository.
    fn absolute(&self, target: &str) -> Option<String> {
        let mut parts: Vec<&str> = match target.starts_with('/') {
            true => Vec::new(),
            false => self.path.split('/').collect(),
        };
        parts.pop();
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        Some(parts.join("/"))
    }

    /// The path as it is written in this file.
    fn relative(&self, path: &str) -> String {
        let own: Vec<&str> = self.path.split('/').collect();
        let folder = own.get(..own.len().saturating_sub(1)).unwrap_or_default();
        let wanted: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let last = wanted.len().saturating_sub(1);
        let common =
            folder.iter().zip(wanted.iter().take(last)).take_while(|(a, b)| a == b).count();
        let up = std::iter::repeat_n("..", folder.len() - common);
        let down = wanted.iter().skip(common).copied();
        let joined = up.chain(down).collect::<Vec<_>>().join("/");
        match written(&joined) {
            empty if empty.is_empty() => ".".to_owned(),
            // A name with a colon in front would be read as a scheme.
            path if path.split('/').next().is_some_and(|first| first.contains(':')) => {
                format!("./{path}")
            }
            path => path,
        }
    }
}

/// A link or an image of a file's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLink {
    /// The target as the file has it.
    pub target: String,
    /// Whether it is an image.
    pub image: bool,
    /// Line, from 1.
    pub line: usize,
}

/// The links and images of a file's body, in order. Those of footnotes are in the file alone.
pub fn file_links(local: &Local<'_>) -> Vec<FileLink> {
    if local.format == Format::Yaml {
        return Vec::new();
    }
    let masked = local_parse::mask(local.text, local.excluded);
    let mut found: Vec<(String, bool, usize)> = Vec::new();
    let mut footnotes = 0_usize;
    for (event, span) in local_parse::events(&masked) {
        match event {
            Event::Start(Tag::FootnoteDefinition(_)) => footnotes += 1,
            Event::End(TagEnd::FootnoteDefinition) => footnotes = footnotes.saturating_sub(1),
            _ if footnotes > 0 => {}
            Event::Start(Tag::Link { dest_url, .. }) => {
                found.push((dest_url.to_string(), false, span.start));
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                found.push((dest_url.to_string(), true, span.start));
            }
            Event::InlineHtml(html) | Event::Html(html) => {
                for (at, _) in html.match_indices('<') {
                    let tag = html.get(at..).and_then(html::Tag::at);
                    let tag = tag.filter(|tag| tag.name == "a" && !tag.closing);
                    if let Some(target) = tag.and_then(|tag| tag.attribute("href")) {
                        found.push((target.to_owned(), false, span.start + at));
                    }
                }
            }
            _ => {}
        }
    }
    let (mut line, mut read) = (1, 0);
    let mut out = Vec::with_capacity(found.len());
    for (target, image, at) in found {
        let at = at.max(read);
        line += masked.get(read..at).unwrap_or_default().matches('\n').count();
        read = at;
        out.push(FileLink { target, image, line });
    }
    out
}

/// A target that is a path: its parts, query and fragment with their signs.
struct Parts<'a> {
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl<'a> Parts<'a> {
    fn of(target: &'a str) -> Option<Self> {
        let (rest, fragment) = target.split_at(target.find('#').unwrap_or(target.len()));
        let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let scheme = path
            .find(':')
            .is_some_and(|colon| !path.get(..colon).is_some_and(|before| before.contains('/')));
        // An e-mail address is a target without a scheme, too.
        let mail = path.contains('@') && !path.contains(['/', ' ']);
        let odd = path.chars().any(char::is_control) || path.contains('\\');
        let none = path.is_empty() || path.starts_with("//") || scheme || mail || odd;
        (!none).then_some(Self { path, query, fragment })
    }
}

/// The text without percent signs; `None` where it has none, or what they stand for is no path.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| byte == b'%').and_then(|hex| {
            u8::from_str_radix(
                std::str::from_utf8(hex).ok().filter(|hex| !hex.starts_with('+'))?,
                16,
            )
            .ok()
        });
        bytes.push(hex.unwrap_or(byte));
        rest = if hex.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

fn percent(c: char, out: &mut String) {
    let mut buffer = [0; 4];
    for byte in c.encode_utf8(&mut buffer).bytes() {
        out.push_str(&format!("%{byte:02X}"));
    }
}

/// A path as part of an address.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '~' | '/' => out.push(c),
            c => percent(c, &mut out),
        }
    }
    out
}

/// A path as a link target in a file: only what Markdown or an address would read otherwise is encoded.
fn written(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '%' | '#' | '?' | '(' | ')' | '[' | ']' | '<' | '>' | '\\' | '"' | '\'' | '|' | '&'
            | '*' | '`' => percent(c, &mut out),
            c if c.is_whitespace() || c.is_control() => percent(c, &mut out),
            c => out.push(c),
        }
    }
    out
}

/// A query or fragment as part of an address: what it holds encoded stays so.
fn tail(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '(' | ')' | '[' | ']' | '<' | '>' | '\\' | '"' => percent(c, &mut out),
            c if !c.is_ascii_graphic() => percent(c, &mut out),
            c => out.push(c),
        }
    }
    out
}

fn slashed(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("/{path}") }
}
