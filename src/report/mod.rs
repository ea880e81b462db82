//! What a run has to say. Every text that a person sees is made in this module.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::markdown::{self, Clash};
use agent_sync_core::model::{Finding, Key, Severity, Side, Stretch};
use agent_sync_core::plan::Conflict;
use serde::{Serialize, Serializer};

use crate::backend::Requests;
use crate::engine::{Action, Artifact, Decision, Joint, Keep, RunError};
use crate::janitor::Neighbourhood;

mod diff;
mod environment;
mod escape;
pub mod github;
mod human;
mod progress;
mod schema;

pub use diff::unified;
pub use environment::{
    ENVIRONMENT_TITLE, Environment, OpenConflict, environment, environment_date, environment_mark,
};
pub use escape::{cut, inert, markdown_text, one_line};
pub use human::human;
pub use progress::progress;
pub use schema::SchemaChange;

/// How a run ended; each has an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing to do.
    Clean,
    /// Done.
    Synced,
    /// A newer run will do it.
    Superseded,
    /// A person has to choose.
    Conflicts,
    /// A person should look.
    Findings,
    /// There is something to sync, and the caller wanted to know.
    Changes,
    /// Bad arguments or configuration.
    Usage,
    /// The backend or the remote refuses.
    Refused,
    /// Try again later.
    Unavailable,
    /// A safety limit stopped the run.
    Guarded,
    /// A broken internal invariant.
    Bug,
}

impl Outcome {
    /// Its exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean | Self::Synced | Self::Superseded => 0,
            Self::Conflicts | Self::Findings | Self::Changes => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unavailable => 4,
            Self::Guarded => 5,
            Self::Bug => 70,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Synced => "synced",
            Self::Superseded => "superseded",
            Self::Conflicts => "conflicts",
            Self::Findings => "findings",
            Self::Changes => "changes",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Guarded => "guarded",
            Self::Bug => "bug",
        }
    }
}

/// What `--fail-on` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOn {
    /// Conflicts.
    #[default]
    Conflict,
    /// Anything to sync.
    Change,
    /// Findings and conflicts.
    Finding,
    /// Nothing.
    Never,
}

/// What was done on each side of an artifact.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides {
    /// With the page.
    pub remote: Action,
    /// With the file.
    pub local: Action,
}

/// An artifact that is not simply unchanged.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ArtifactReport {
    /// Name of the backend.
    pub backend: String,
    /// Kind.
    pub kind: String,
    /// Id; for a database its title.
    pub id: String,
    /// Path of the file.
    pub path: Option<String>,
    /// Path that it had, where the run renames it.
    #[serde(skip)]
    pub from: Option<String>,
    /// Address of the page.
    pub url: Option<String>,
    /// `create-page`, `create-file`, `push`, `pull`, `merge`, `trash-page`, `delete-file`, `restore-page`,
    /// `relabel`, `conflict`, `changed-meanwhile`, `waiting`, `restore`, `create-database`, `repair-database`.
    pub action: String,
    /// Why.
    pub reason: String,
    /// Name of the person who edited the page last, where the token may read it.
    pub editor: Option<String>,
    /// For the counts.
    #[serde(skip)]
    pub sides: Sides,
}

impl ArtifactReport {
    /// Goes on with what a later turn did with the same artifact.
    fn follow(&mut self, later: Self) {
        let sides = Sides {
            remote: if later.sides.remote == Action::None {
                self.sides.remote
            } else {
                later.sides.remote
            },
            local: if later.sides.local == Action::None {
                self.sides.local
            } else {
                later.sides.local
            },
        };
        let both = self.sides.remote == Action::None
            && self.sides.local == Action::Edit
            && later.action == "push";
        let from = self.from.take();
        *self = Self {
            action: if both { "merge".to_owned() } else { later.action.clone() },
            from: later.from.clone().or(from),
            sides,
            ..later
        };
    }
}

/// A conflict.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ConflictReport {
    /// Name of the backend.
    pub backend: String,
    /// The same for people, e.g. `Notion`.
    #[serde(skip)]
    pub label: String,
    /// Name for people of the backend that brought the file's content in this run, where it was not a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brought_by: Option<String>,
    /// Stable over runs for the same versions.
    pub fingerprint: String,
    /// Where several backends clash: what an answer names that keeps the content of the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// Kind.
    pub kind: String,
    /// Id.
    pub id: String,
    /// Path of the file.
    pub path: Option<String>,
    /// First line of the file that differs from the base, from 1.
    pub line: Option<usize>,
    /// Name of the property, for a property.
    pub property: Option<String>,
    /// For the body: the first line of the block that clashes, or `body` where the whole of it does.
    pub block: Option<String>,
    /// What both sides last agreed on.
    pub base: Option<String>,
    /// What the file holds.
    pub local: Option<String>,
    /// What the backend holds.
    pub remote: Option<String>,
    /// Address of the page.
    pub url: Option<String>,
    /// Which side deleted the artifact, where that is the clash.
    pub deleted: Option<Side>,
    /// Day on which both sides last agreed, where it is known: `2026-11-20`.
    pub since: Option<String>,
    /// When the page was last edited, to the minute: `2026-11-25 14:02 UTC`.
    pub edited: Option<String>,
    /// Name of the person who did that, where the token may read it.
    pub editor: Option<String>,
    /// What happened and what to do; sentences with periods.
    pub message: String,
    /// Fingerprint of the conflict of the backend whose content stays instead, as a person decided.
    #[serde(skip)]
    pub yields_to: Option<String>,
    /// Other backends that clash with the same words or value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Clashing>,
    /// Lines of the file that could be replaced, and by what, so that they hold the words of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
}

/// One of the backends of a conflict.
#[derive(Clone, Copy)]
struct BackendSide<'a> {
    label: &'a str,
    fingerprint: &'a str,
    remote: Option<&'a str>,
    url: Option<&'a str>,
    edited: Option<&'a str>,
    editor: Option<&'a str>,
}

impl<'a> From<&'a Clashing> for BackendSide<'a> {
    fn from(other: &'a Clashing) -> Self {
        Self {
            label: &other.label,
            fingerprint: &other.fingerprint,
            remote: other.remote.as_deref(),
            url: other.url.as_deref(),
            edited: other.edited.as_deref(),
            editor: other.editor.as_deref(),
        }
    }
}

/// A backend beside the first one of a [`ConflictReport`]; fields as there.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Clashing {
    /// Name of the backend.
    pub backend: String,
    /// The same for people.
    #[serde(skip)]
    pub label: String,
    /// What an answer about this backend's content names.
    pub fingerprint: String,
    /// What it holds.
    pub remote: Option<String>,
    /// Address of its page.
    pub url: Option<String>,
    /// When that was last edited.
    pub edited: Option<String>,
    /// Who did that.
    pub editor: Option<String>,
}

/// A text in place of lines of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The first line, from 1.
    pub line: usize,
    /// The last line.
    pub end_line: usize,
    /// What would stand there.
    pub text: String,
}

impl Suggestion {
    /// What to suggest for a block. `None` where there is nothing to suggest, or the block's lines are not found in
    /// the file as whole lines.
    fn of(block: &Clash, file: &str) -> Option<Self> {
        let text = markdown::blend(&block.base, &block.local, &block.remote)?;
        let (lines, wanted): (Vec<&str>, Vec<&str>) =
            (file.lines().collect(), block.local.trim_end().lines().collect());
        // The clash names its first line that differs, which is one of the block's.
        let first = block.line.saturating_sub(wanted.len());
        let start = (first..block.line)
            .find(|start| lines.get(*start..*start + wanted.len()) == Some(wanted.as_slice()))?;
        (text.trim_end() != block.local.trim_end()).then(|| Self {
            line: start + 1,
            end_line: start + wanted.len(),
            text,
        })
    }
}

/// The line that a person finds a block by.
fn first_line(block: &Clash) -> String {
    let texts = [&block.local, &block.base, &block.remote];
    let line = texts.into_iter().find_map(|text| text.lines().find(|line| !line.trim().is_empty()));
    line.map(|line| line.trim().to_owned()).unwrap_or_default()
}

impl ConflictReport {
    /// Who clashes, where the repository's side is called `here`: "A and B both", "A, B and C all".
    fn parties(&self, here: &str) -> (String, &'static str) {
        let here = self.brought_by.as_deref().unwrap_or(here);
        let labels: Vec<&str> = self.sides().map(|side| side.label).collect();
        let all = if labels.len() > 1 { "all" } else { "both" };
        (format!("{} and {here}", labels.join(", ")), all)
    }

    /// What each backend that clashes holds.
    fn sides(&self) -> impl Iterator<Item = BackendSide<'_>> {
        let first = BackendSide {
            label: &self.label,
            fingerprint: self.choice.as_deref().unwrap_or(&self.fingerprint),
            remote: self.remote.as_deref(),
            url: self.url.as_deref(),
            edited: self.edited.as_deref(),
            editor: self.editor.as_deref(),
        };
        std::iter::once(first).chain(self.others.iter().map(BackendSide::from))
    }

    /// What could stay instead of the repository's, by fingerprint, with the names for people of who holds it.
    fn contents(&self) -> Vec<(&str, String)> {
        let mut out: Vec<(&str, String)> = Vec::new();
        for side in self.sides() {
            match out.iter_mut().find(|(fingerprint, _)| *fingerprint == side.fingerprint) {
                Some((_, labels)) => labels.push_str(&format!(" and {}", side.label)),
                None => out.push((side.fingerprint, side.label.to_owned())),
            }
        }
        out
    }

    /// Takes another backend's part in.
    fn join(&mut self, other: Self, choice: &str) {
        // Words that one of them brought are not those that it clashes with.
        if self.brought_by != other.brought_by {
            self.brought_by = None;
        }
        self.others.push(Clashing {
            backend: other.backend,
            label: other.label,
            fingerprint: choice.to_owned(),
            remote: other.remote,
            url: other.url,
            edited: other.edited,
            editor: other.editor,
        });
        // No text holds the words of three.
        self.suggestion = None;
    }

    /// How an answer is given in a shell: Markdown in one line.
    fn commands(&self, label: impl Fn(&str) -> String) -> String {
        let whole = format!("`agent-sync resolve {} --keep local`", self.fingerprint);
        if self.others.is_empty() {
            return format!("{whole}, `remote`, `both` or `skip`");
        }
        let each = self.contents().into_iter().map(|(fingerprint, labels)| {
            format!("`agent-sync resolve {fingerprint} --keep remote` ({})", label(&labels))
        });
        let each: Vec<String> = each.collect();
        format!("{whole}, `both` or `skip`, or for one of the backends {}", each.join(" or "))
    }

    /// What happened and what to do.
    fn said(&self) -> String {
        let (backend, key) = (&self.label, Key::new(&self.kind, &self.id));
        let choose = format!("Or leave word for the next run: {}.", self.commands(str::to_owned));
        match self.deleted {
            Some(Side::Local) => {
                return format!(
                    "The file of {key} was deleted and its page in {backend} was edited. Keep the page with \
                     `agent-sync pull --force {key}`, or delete it with `agent-sync push --force {key}`. {choose}"
                );
            }
            Some(Side::Remote) => {
                return format!(
                    "The page of {key} was trashed in {backend} and its file was edited. Keep the file with \
                     `agent-sync push --force {key}`, or delete it with `agent-sync pull --force {key}`. {choose}"
                );
            }
            None => {}
        }
        // Backends are in conflict with each other; the file only stands between them.
        let here = self.brought_by.as_deref().map_or_else(
            || "the repository".to_owned(),
            |other| format!("{other}, whose version is now in the repository,"),
        );
        let labels: Vec<&str> = self.sides().map(|side| side.label).collect();
        let (parties, all) = (labels.join(", "), self.parties("").1);
        let name = if self.others.is_empty() { "" } else { " --backend NAME" };
        let remedy = format!(
            "Merge by hand and then `agent-sync push --force {key}`, or take {} with `agent-sync pull --force \
             {key}{name}`. {choose}",
            if self.others.is_empty() { "the other side" } else { "another side" },
        );
        let what = match (&self.property, self.block.as_deref(), &self.base) {
            (Some(name), _, None) => format!("hold different values of \"{name}\" of {key}."),
            (Some(name), _, Some(_)) => format!("{all} changed \"{name}\" of {key}."),
            (None, Some("body") | None, None) => format!("hold different texts of {key}."),
            (None, Some("body") | None, Some(_)) => format!("{all} changed the body of {key}."),
            (None, Some(_), _) => {
                format!("{all} changed this block of {key}; everything else of it merges.")
            }
        };
        format!("{parties} and {here} {what} {remedy}")
    }

    /// The report of a conflict.
    pub fn new(
        conflict: &Conflict,
        (name, backend): (&str, &str),
        brought_by: Option<&str>,
        path: Option<&str>,
        url: Option<&str>,
        artifact: &Artifact,
        texts: [Option<String>; 3],
    ) -> Self {
        let [base, local, remote] = texts;
        let (property, block) = names(conflict);
        let line = match (&property, &artifact.file) {
            _ if conflict.block.is_some() => conflict.block.as_ref().map(|block| block.line),
            (Some(name), Some(file)) => file.document.values.get(name).map(|located| located.line),
            (None, Some(file)) => {
                Some(diff::first_line(base.as_deref(), local.as_deref(), &file.text))
            }
            _ => None,
        };
        let key = &conflict.key;
        let edited = artifact.page.as_ref().map(|page| page.edited_at.unwrap_or(page.edited));
        let mut report = Self {
            backend: name.to_owned(),
            label: backend.to_owned(),
            brought_by: brought_by.map(str::to_owned),
            since: None,
            edited: edited.map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string()),
            editor: None,
            fingerprint: conflict.fingerprint.clone(),
            choice: None,
            kind: key.kind.clone(),
            id: key.id.clone(),
            path: path.map(str::to_owned),
            line,
            block,
            property,
            base,
            local,
            remote,
            url: url.map(str::to_owned),
            deleted: conflict.deleted,
            message: String::new(),
            yields_to: None,
            others: Vec::new(),
            suggestion: conflict
                .block
                .as_ref()
                .zip(artifact.file.as_ref())
                .and_then(|(block, file)| Suggestion::of(block, &file.text)),
        };
        report.message = report.said();
        report
    }
}

/// An answer to a conflict that waits for being applied.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionReport {
    /// Fingerprint of the conflict.
    pub fingerprint: String,
    /// Kind.
    pub kind: String,
    /// Id.
    pub id: String,
    /// Name of the property, for a property.
    pub property: Option<String>,
    /// For the body: as in [`ConflictReport`].
    pub block: Option<String>,
    /// Name of the backend that clashed.
    #[serde(skip)]
    pub backend: String,
    /// The same for people.
    #[serde(skip)]
    pub label: String,
    /// What stays.
    pub keep: Keep,
    /// Login of the person who decided, where it is known.
    pub by: Option<String>,
    /// The run that recorded it.
    pub run: String,
}

impl DecisionReport {
    /// The report of a decision.
    pub fn new(conflict: &Conflict, decision: &Decision, (name, label): (&str, &str)) -> Self {
        let (property, block) = names(conflict);
        Self {
            backend: name.to_owned(),
            label: label.to_owned(),
            fingerprint: conflict.fingerprint.clone(),
            kind: conflict.key.kind.clone(),
            id: conflict.key.id.clone(),
            property,
            block,
            keep: decision.keep,
            by: decision.by.clone(),
            run: decision.run.clone(),
        }
    }
}

/// What a person knows a stretch by: its property's name, or its block's first line.
fn names(conflict: &Conflict) -> (Option<String>, Option<String>) {
    match &conflict.stretch {
        Stretch::Property(name) => (Some(name.clone()), None),
        Stretch::Body => {
            (None, Some(conflict.block.as_ref().map_or_else(|| "body".to_owned(), first_line)))
        }
    }
}

/// One stretch of `diff`.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Name of the backend for people.
    pub label: String,
    /// The artifact.
    pub key: Key,
    /// Path of the file.
    pub path: Option<String>,
    /// The stretch.
    pub stretch: Stretch,
    /// Whether both sides changed it.
    pub conflict: bool,
    /// Base, local, remote.
    pub texts: [Option<String>; 3],
}

impl Serialize for Difference {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        /// Named as in [`ConflictReport`].
        #[derive(Serialize)]
        struct Shown<'a> {
            kind: &'a str,
            id: &'a str,
            path: Option<&'a str>,
            property: Option<&'a str>,
            block: Option<&'a str>,
            conflict: bool,
            base: Option<&'a str>,
            local: Option<&'a str>,
            remote: Option<&'a str>,
        }
        let (property, block) = match &self.stretch {
            Stretch::Property(name) => (Some(name.as_str()), None),
            Stretch::Body => (None, Some("body")),
        };
        let [base, local, remote] = self.texts.each_ref().map(Option::as_deref);
        let Self { key: Key { kind, id }, path, conflict, .. } = self;
        let (path, conflict) = (path.as_deref(), *conflict);
        Shown { kind, id, path, property, block, conflict, base, local, remote }.serialize(to)
    }
}

/// A past run.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine {
    /// Commit of the state.
    pub commit: String,
    /// When, by the clock of the machine that ran it.
    pub time: String,
    /// What it did.
    pub summary: String,
    /// Its id, for `restore --at`.
    pub run: Option<String>,
    /// Who started it.
    pub actor: Option<String>,
    /// Where its log is.
    pub link: Option<String>,
}

/// One backend's part.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BackendReport {
    /// Name in the configuration.
    pub name: String,
    /// Name for people, e.g. `Notion`.
    pub label: String,
    /// What was or would be done with it; findings are not told apart by backend.
    pub counts: Counts,
    /// What it cost.
    pub requests: Requests,
    /// Why it was not synced to the end, where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How its part ended, where that is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

impl BackendReport {
    /// What a backend cost, with nothing else said.
    pub fn new(name: &str, label: &str, requests: Requests) -> Self {
        Self { name: name.to_owned(), label: label.to_owned(), requests, ..Self::default() }
    }
}

/// The report of a run; its JSON form is a public promise (docs/report.md).
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this form.
    pub version: u32,
    /// The command.
    pub command: String,
    /// Whether it was only a plan.
    pub dry_run: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Each backend's part.
    pub backends: Vec<BackendReport>,
    /// Artifacts that are not simply unchanged.
    pub artifacts: Vec<ArtifactReport>,
    /// What is done to the databases (`init`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schema: Vec<SchemaChange>,
    /// Open conflicts.
    pub conflicts: Vec<ConflictReport>,
    /// Conflicts that are answered, and whose answers wait for being applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decided: Vec<DecisionReport>,
    /// Findings; in JSON each with its fingerprint.
    #[serde(serialize_with = "printed")]
    pub findings: Vec<Finding>,
    /// What is around the artifacts with findings (`janitor`).
    #[serde(rename = "graph", skip_serializing_if = "Option::is_none")]
    pub neighbourhood: Option<Neighbourhood>,
    /// Counts by what was or would be done.
    pub counts: Counts,
    /// Requests over all backends.
    pub requests: Requests,
    /// Requests to GitHub, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github: Option<Requests>,
    /// Things worth knowing that need nobody.
    pub notices: Vec<String>,
    /// Past runs (`log`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<LogLine>,
    /// Commit of the state.
    pub state_commit: Option<String>,
    /// Time that the run took, in milliseconds.
    pub duration_ms: u64,
    /// Why the run stopped early, where it did.
    pub error: Option<String>,
    /// Artifacts at which nothing differs.
    #[serde(skip)]
    pub unchanged: usize,
    /// Differences (`diff`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diffs: Vec<Difference>,
    /// Why the run stopped early.
    #[serde(skip)]
    pub stopped: Option<RunError>,
}

/// Counts of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Files changed from the backend.
    pub pulled: usize,
    /// Pages changed from files.
    pub pushed: usize,
    /// Pages, files and databases made.
    pub created: usize,
    /// Pages trashed and files deleted.
    pub deleted: usize,
    /// Artifacts at which nothing differs.
    pub unchanged: usize,
    /// Open conflicts.
    pub conflicts: usize,
    /// Findings.
    pub findings: usize,
}

impl Report {
    /// An empty report.
    pub fn new(command: &str, dry_run: bool) -> Self {
        Self {
            version: 1,
            command: command.to_owned(),
            dry_run,
            outcome: Outcome::Clean,
            backends: Vec::new(),
            artifacts: Vec::new(),
            schema: Vec::new(),
            conflicts: Vec::new(),
            decided: Vec::new(),
            findings: Vec::new(),
            neighbourhood: None,
            counts: Counts::default(),
            requests: Requests::default(),
            github: None,
            notices: Vec::new(),
            log: Vec::new(),
            state_commit: None,
            duration_ms: 0,
            error: None,
            unchanged: 0,
            diffs: Vec::new(),
            stopped: None,
        }
    }

    /// The report of a run that did nothing because of this error.
    pub fn failed(command: &str, error: RunError) -> Self {
        let mut report = Self::new(command, false);
        report.stopped = Some(error);
        report.settle();
        report
    }

    fn count(&self) -> Counts {
        let mut counts = Counts {
            unchanged: self.backends.iter().map(|part| part.counts.unchanged).sum(),
            findings: self.findings.len(),
            ..self.count_of(None)
        };
        counts.unchanged += self.unchanged;
        counts
    }

    /// What was done, and what is open: with one backend or with all.
    fn count_of(&self, backend: Option<&str>) -> Counts {
        let of = |name: &String| backend.is_none_or(|backend| name == backend);
        let is_of = |conflict: &&ConflictReport| {
            of(&conflict.backend) || conflict.others.iter().any(|other| of(&other.backend))
        };
        let mut counts =
            Counts { conflicts: self.conflicts.iter().filter(is_of).count(), ..Counts::default() };
        for artifact in self.artifacts.iter().filter(|artifact| of(&artifact.backend)) {
            let Sides { remote, local } = artifact.sides;
            match remote {
                Action::Create => counts.created += 1,
                Action::Edit | Action::Revive => counts.pushed += 1,
                Action::Delete => counts.deleted += 1,
                Action::None => {}
            }
            match local {
                Action::Create => counts.created += 1,
                Action::Edit | Action::Revive => counts.pulled += 1,
                Action::Delete => counts.deleted += 1,
                Action::None => {}
            }
            if artifact.action == "create-database" {
                counts.created += 1;
            }
        }
        counts
    }

    /// Takes up what a turn of a backend has to say. What a first turn left open is as a second one says.
    pub fn add_turn(&mut self, backend: &str, label: &str, turn: Self) {
        self.conflicts.retain(|conflict| conflict.backend != backend);
        let mut added = 0;
        let name = |entry: &ArtifactReport| (entry.kind.clone(), entry.id.clone());
        let before = self.artifacts.iter().enumerate().filter(|(_, old)| old.backend == backend);
        let mut places: BTreeMap<_, usize> = before.map(|(at, old)| (name(old), at)).collect();
        for entry in turn.artifacts {
            let old = places.get(&name(&entry)).and_then(|at| self.artifacts.get_mut(*at));
            match old {
                Some(old) => old.follow(entry),
                None => {
                    places.insert(name(&entry), self.artifacts.len());
                    self.artifacts.push(entry);
                    added += 1;
                }
            }
        }
        match self.backends.iter_mut().find(|part| part.name == backend) {
            Some(part) => part.counts.unchanged = part.counts.unchanged.saturating_sub(added),
            None => {
                let mut part = BackendReport::new(backend, label, Requests::default());
                part.counts.unchanged = turn.unchanged;
                self.backends.push(part);
            }
        }
        self.schema.extend(turn.schema);
        self.conflicts.extend(turn.conflicts);
        for decided in turn.decided {
            // One answer may be about several backends.
            let same = |old: &DecisionReport| {
                let whole = |one: &DecisionReport| {
                    let DecisionReport { kind, id, property, block, keep, run, .. } = one.clone();
                    (kind, id, property, block, keep, run)
                };
                let other = old.backend != decided.backend && decided.keep != Keep::Remote;
                old.fingerprint == decided.fingerprint || other && whole(old) == whole(&decided)
            };
            if !self.decided.iter().any(same) {
                self.decided.push(decided);
            }
        }
        // The janitor sees the same file beside each backend.
        let known: BTreeSet<String> = match self.command == "janitor" {
            true => self.findings.iter().map(Finding::fingerprint).collect(),
            false => BTreeSet::new(),
        };
        let new = turn.findings.into_iter().filter(|one| !known.contains(&one.fingerprint()));
        self.findings.extend(new);
        self.findings.sort();
        self.findings.dedup();
        self.diffs.extend(turn.diffs);
        self.neighbourhood = turn.neighbourhood.or(self.neighbourhood.take());
        for notice in turn.notices {
            if !self.notices.contains(&notice) {
                self.notices.push(notice);
            }
        }
    }

    /// Takes out the conflicts that were decided by the choice of another backend's content.
    pub fn settle_yielding(&mut self) {
        let decided = |conflict: &ConflictReport| {
            let same = |one: &DecisionReport| {
                conflict.yields_to.as_ref() == Some(&one.fingerprint) && one.keep == Keep::Remote
            };
            self.decided.iter().any(same)
        };
        let (settled, open): (Vec<_>, Vec<_>) = self.conflicts.drain(..).partition(decided);
        self.conflicts = open;
        for one in settled {
            let of = |backend: &str, kind: &str, id: &str| {
                (backend, kind, id) == (one.backend.as_str(), one.kind.as_str(), one.id.as_str())
            };
            let more =
                self.conflicts.iter().any(|other| of(&other.backend, &other.kind, &other.id));
            let entries = self.artifacts.iter_mut().filter(|_| !more);
            for entry in entries.filter(|entry| of(&entry.backend, &entry.kind, &entry.id)) {
                if entry.action == "conflict" {
                    entry.action = "waiting".to_owned();
                }
            }
        }
    }

    /// Makes one conflict of those in which several backends clash with the same words or value of a file.
    pub fn join_conflicts(&mut self, joints: &[Joint]) {
        for joint in joints {
            let mut sides = joint.sides.iter().filter_map(|(backend, own, choice)| {
                let of = |one: &ConflictReport| one.backend == *backend && one.fingerprint == *own;
                let at = self.conflicts.iter().position(of)?;
                Some((self.conflicts.remove(at), choice, at))
            });
            let Some((mut first, choice, at)) = sides.next() else { continue };
            first.fingerprint.clone_from(&joint.fingerprint);
            first.choice = Some(choice.clone());
            sides.for_each(|(other, choice, _)| first.join(other, choice));
            first.message = first.said();
            self.conflicts.insert(at.min(self.conflicts.len()), first);
        }
    }

    /// Says why a backend was not synced to the end.
    pub fn fail(&mut self, backend: &str, error: &RunError) {
        if let Some(part) = self.backends.iter_mut().find(|part| part.name == backend) {
            part.error = Some(error.to_string());
            part.outcome = Some(error.outcome());
        }
    }

    /// Takes up what the backends cost.
    pub fn cost_of(&mut self, costs: Vec<BackendReport>) {
        for cost in costs {
            match self.backends.iter_mut().find(|part| part.name == cost.name) {
                Some(part) => part.requests = cost.requests,
                None => self.backends.push(cost),
            }
        }
    }

    /// Counts, sums and the outcome, once everything is in.
    pub fn settle(&mut self) {
        self.counts = self.count();
        let mut requests = Requests::default();
        for n in 0..self.backends.len() {
            let Some(name) = self.backends.get(n).map(|part| part.name.clone()) else { continue };
            let counts = self.count_of(Some(&name));
            let Some(part) = self.backends.get_mut(n) else { continue };
            part.counts = Counts { unchanged: part.counts.unchanged, ..counts };
            requests.add(&part.requests);
        }
        self.requests = requests;
        self.outcome = match &self.stopped {
            Some(error) => error.outcome(),
            None if !self.conflicts.is_empty() => Outcome::Conflicts,
            None if self.changes() && !self.dry_run && self.did() => Outcome::Synced,
            None => Outcome::Clean,
        };
        self.error = self.stopped.as_ref().map(ToString::to_string);
    }

    /// Whether the command is one that does something.
    fn did(&self) -> bool {
        !matches!(self.command.as_str(), "status" | "diff" | "check" | "log")
    }

    fn changes(&self) -> bool {
        self.artifacts
            .iter()
            .any(|artifact| !matches!(artifact.action.as_str(), "conflict" | "waiting"))
    }

    /// Applies `--fail-on` (check and janitor): what counts as needing a person. Of findings those do that are more
    /// than a notice.
    pub fn fail_on(&mut self, fail_on: FailOn) {
        if self.stopped.is_some() {
            return;
        }
        let conflicts = !self.conflicts.is_empty();
        let findings = self.findings.iter().any(|finding| finding.severity >= Severity::Warning);
        // What was done is no change that is left to do.
        let (calm, open) = match self.outcome {
            Outcome::Synced => (Outcome::Synced, false),
            _ => (Outcome::Clean, !self.artifacts.is_empty()),
        };
        self.outcome = match fail_on {
            FailOn::Never => calm,
            _ if conflicts => Outcome::Conflicts,
            FailOn::Change if open => Outcome::Changes,
            FailOn::Finding if findings => Outcome::Findings,
            _ => calm,
        };
    }

    /// Takes over what a later run of the same job found. The worse of both outcomes counts.
    pub fn absorb(&mut self, other: Self) {
        let own: BTreeSet<String> = other.findings.iter().map(Finding::fingerprint).collect();
        self.findings.retain(|finding| !own.contains(&finding.fingerprint()));
        self.findings.extend(other.findings);
        self.notices.extend(other.notices);
        self.neighbourhood = other.neighbourhood.or(self.neighbourhood.take());
        for backend in other.backends {
            match self.backends.iter_mut().find(|own| own.name == backend.name) {
                Some(own) => own.requests.add(&backend.requests),
                None => self.backends.push(backend),
            }
        }
        self.github = other.github.or(self.github.take());
        self.duration_ms += other.duration_ms;
        let outcome = match other.outcome.code() > self.outcome.code() {
            true => other.outcome,
            false => self.outcome,
        };
        self.stopped = self.stopped.take().or(other.stopped);
        self.settle();
        self.outcome = outcome;
    }

    /// One line for the log of the state.
    pub fn summary(&self) -> String {
        let counts = self.count();
        let mut parts = Vec::new();
        for (count, what) in [
            (counts.pushed, "pushed"),
            (counts.pulled, "pulled"),
            (counts.created, "created"),
            (counts.deleted, "deleted"),
            (counts.conflicts, "in conflict"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        match parts.is_empty() {
            true => "nothing changed".to_owned(),
            false => parts.join(", "),
        }
    }

    /// The JSON form, with a final newline.
    ///
    /// # Errors
    /// If it cannot be put in JSON, which would be a fault of ours.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Requests to backends, all and by endpoint, most first.
    pub(crate) fn cost(&self) -> (u64, Vec<(&str, u64)>) {
        let requests = &self.requests.by_endpoint;
        (requests.values().sum(), most_first(requests))
    }

    /// Artifacts by action, for the human report.
    pub(crate) fn by_action(&self) -> BTreeMap<&str, Vec<&ArtifactReport>> {
        let mut actions: BTreeMap<&str, Vec<&ArtifactReport>> = BTreeMap::new();
        for artifact in &self.artifacts {
            actions.entry(&artifact.action).or_default().push(artifact);
        }
        actions
    }
}

/// A finding as a comment beside the text that it is about.
pub fn remark(finding: &Finding) -> String {
    one_line(format!("{} {}", finding.message, finding.fix).trim())
}

/// Findings with their fingerprints.
fn printed<S: Serializer>(findings: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Printed<'a> {
        fingerprint: String,
        #[serde(flatten)]
        finding: &'a Finding,
    }
    serializer.collect_seq(
        findings.iter().map(|finding| Printed { fingerprint: finding.fingerprint(), finding }),
    )
}

/// Endpoints by their requests, most first.
fn most_first(requests: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let mut endpoints: Vec<(&str, u64)> =
        requests.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    endpoints.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    endpoints
}
