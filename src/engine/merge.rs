//! Bodies that both sides changed: their texts, brought together block by block (design §6).

use std::collections::BTreeMap;

use agent_sync_core::kind::{Format, Kind};
use agent_sync_core::markdown::{self, Choice, Clash, Dialect, Links, Local, Merged, Sides};
use agent_sync_core::model::{Key, Stretch};
use agent_sync_core::plan::{self, Conflict, Content, Merge, Observed, Pair};

use super::RunError;
use super::book::{Book, Keep};
use super::file::FileText;
use super::observe::{Artifact, body_content};

/// The texts of a merge.
#[derive(Clone, Debug)]
pub(super) struct BodyMerge {
    key: Key,
    seen: Observed,
    base: (FileText, String),
    /// Pairs that are agreed or proposed.
    agreed: Vec<(FileText, String)>,
    /// The file.
    pub local: FileText,
    /// The page.
    pub remote: String,
    choices: BTreeMap<String, Keep>,
}

/// Which sides are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Writes {
    /// The backend.
    pub push: bool,
    /// The file.
    pub pull: bool,
}

/// A pair that a merge makes, and the texts that it names.
#[derive(Debug)]
pub(super) struct MadePair {
    /// The pair.
    pub pair: Pair,
    /// Its texts, to be kept.
    pub texts: [String; 2],
}

/// Texts of both sides of a pair.
///
/// # Errors
/// What the state says.
pub(super) async fn pair_texts(
    book: &Book,
    kind: &Kind,
    key: &Key,
    links: &Links,
    pair: &Pair,
) -> Result<(FileText, String), RunError> {
    let local = match pair.local.as_ref().and_then(Content::text) {
        Some(id) => book.text(id).await?,
        None => String::new(),
    };
    let remote = match pair.remote.as_ref().and_then(Content::text) {
        Some(id) => book.text(id).await?,
        None => String::new(),
    };
    Ok((FileText::new(kind, key, links.clone(), local), remote))
}

impl BodyMerge {
    /// The merge of an artifact's body from this pair. `None` for a body that is not merged by blocks.
    ///
    /// # Errors
    /// What the state says.
    pub(super) async fn load(
        book: &Book,
        kind: &Kind,
        artifact: &Artifact,
        links: &Links,
        from: &Pair,
    ) -> Result<Option<Self>, RunError> {
        let (Some(file), Some(body), Some(seen)) =
            (&artifact.file, &artifact.body, artifact.stretches.get(&Stretch::Body))
        else {
            return Ok(None);
        };
        if kind.format != Format::Markdown {
            return Ok(None);
        }
        let key = &artifact.key;
        let mut agreed = Vec::new();
        for pair in seen.base.iter().chain(&seen.proposed).filter(|pair| *pair != from) {
            agreed.push(pair_texts(book, kind, key, links, pair).await?);
        }
        let remote = body.whole(book).await?;
        Ok(Some(Self {
            key: key.clone(),
            seen: seen.clone(),
            base: pair_texts(book, kind, key, links, from).await?,
            agreed,
            local: FileText { file: file.clone(), links: links.clone() },
            remote,
            choices: BTreeMap::new(),
        }))
    }

    /// The merge of a file that is being sent with a page that somebody has just changed.
    pub(super) fn of_texts(
        key: &Key,
        base: (FileText, String),
        local: FileText,
        remote: String,
    ) -> Self {
        Self {
            key: key.clone(),
            seen: Observed::default(),
            base,
            agreed: Vec::new(),
            local,
            remote,
            choices: BTreeMap::new(),
        }
    }

    /// With what was decided about conflicts, by fingerprint.
    pub(super) fn with_choices(mut self, choices: &BTreeMap<String, Keep>) -> Self {
        self.choices.clone_from(choices);
        self
    }

    /// The same with another text of the page.
    pub(super) fn with_remote(mut self, remote: &str) -> Self {
        remote.clone_into(&mut self.remote);
        self
    }

    /// Merges. `None` where the body is in conflict as a whole.
    pub(super) fn run(&self, dialect: Dialect, writes: Writes) -> Option<Merged> {
        let base = self.base.0.local();
        let agreed: Vec<(Local<'_>, &str)> =
            self.agreed.iter().map(|(file, text)| (file.local(), text.as_str())).collect();
        let local = self.local.local();
        let sides = Sides {
            dialect,
            base: (&base, &self.base.1),
            agreed: &agreed,
            local: &local,
            remote: &self.remote,
            push: writes.push,
            pull: writes.pull,
        };
        let numbers = std::cell::RefCell::new(BTreeMap::new());
        markdown::merge(&sides, &|clash| {
            let conflict = self.conflict(clash, &mut numbers.borrow_mut());
            match self.choices.get(&conflict.fingerprint) {
                Some(Keep::Local) => Choice::Local,
                Some(Keep::Remote) => Choice::Remote,
                Some(Keep::Both) => Choice::Both,
                Some(Keep::Skip) | None => Choice::Open,
            }
        })
    }

    fn conflict(&self, clash: &Clash, numbers: &mut BTreeMap<String, usize>) -> Conflict {
        let nth = numbers.entry(clash.digest.clone()).or_default();
        let conflict = plan::clash(&self.key, &self.seen, clash, *nth);
        *nth += 1;
        conflict
    }

    /// What is to be done, with nothing decided yet.
    pub(super) fn plan(&self, dialect: Dialect, from: &Pair) -> Option<Merge> {
        let merged = self.run(dialect, Writes { push: true, pull: true })?;
        let mut numbers = BTreeMap::new();
        let clashes = merged.clashes.iter();
        Some(Merge {
            base: from.clone(),
            clashes: clashes.map(|(clash, _)| self.conflict(clash, &mut numbers)).collect(),
            push: merged.push != markdown::Push::Nothing,
            pull: !merged.pull.is_empty(),
        })
    }

    /// The pair that both sides are at afterwards. `None` where it cannot be said: then the old base stays, which is
    /// harmless (rule 1).
    pub(super) fn pair(
        &self,
        dialect: Dialect,
        merged: &Merged,
        kind: &Kind,
        file: &FileText,
        remote: &str,
    ) -> Option<MadePair> {
        let local = merged.local_base(&file.local())?;
        let remote = merged.remote_base(dialect, remote)?;
        let mut numbers = BTreeMap::new();
        let open = merged.clashes.iter().filter_map(|(clash, choice)| {
            let conflict = self.conflict(clash, &mut numbers);
            (*choice == Choice::Open).then_some(conflict.fingerprint)
        });
        let open = open.collect();
        let digest = markdown::remote_digest(dialect, &remote);
        let id = super::book::text_id(remote.as_bytes());
        let then = body_content(&digest, &id, digest == markdown::empty_digest());
        let base = FileText::new(kind, &self.key, file.links.clone(), local.clone());
        // Links that the page does not have yet are still to be sent.
        let agreed = markdown::agreed_digest(&base.local(), dialect, &remote);
        let empty = agreed == markdown::empty_digest();
        let content = body_content(&agreed, &super::book::text_id(local.as_bytes()), empty);
        let now = file.content();
        Some(MadePair {
            pair: Pair {
                file: now.filter(|now| {
                    content.as_ref().map(Content::canonical) != Some(now.canonical())
                }),
                local: content,
                remote: then,
                open,
            },
            texts: [local, remote],
        })
    }
}
