//! The engine: observe, plan, execute, record. It orders all effects and knows no backend by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent_sync_core::kind::Kinds;
use agent_sync_core::markdown::Web;
use agent_sync_core::model::{Key, Selector, Side};

use crate::backend::{Backend, BackendError};
use crate::config::{Config, ConfigError, Publish};
use crate::github::{BadContext, Client, Context, GithubError};
use crate::repo::git::{GitError, Oid, Remote};
use crate::repo::{Tree, Vcs, VcsError};
use crate::report::{BackendReport, Outcome, Report};
use crate::state::{StateError, Store};

mod assign;
mod book;
mod comments;
mod damage;
mod environment;
mod execute;
mod file;
mod finish;
mod history;
mod hub;
mod init;
mod janitor;
mod joint;
pub mod lease;
mod links;
mod log;
mod merge;
mod observe;
mod offline;
mod place;
mod progress;
mod publishing;
mod relabel;
mod remote;
mod rename;
mod resolve;
mod restore;
mod retention;
mod stop;
mod sync;
mod template;
mod work;

pub use book::{Decision, Keep};
use execute::Hands;
use history::Published;
pub use joint::Joint;
use lease::{Lease, LeaseError, Timing};
pub use observe::Artifact;
use observe::World;
pub use offline::offline;
pub use progress::{Phase, Progress};
pub use publishing::{Artifacts, Declined, Files, Open, Order, Outgoing, Publisher};
use stop::Stop;
pub use work::Action;

/// What is asked of a run.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub command: Command,
    /// Folder that holds the repository.
    pub directory: PathBuf,
    /// The configuration, where it was named.
    pub config: Option<PathBuf>,
    /// Only these backends; empty: all that are configured.
    pub backends: Vec<String>,
    /// Only these kinds; empty: all.
    pub kinds: Vec<String>,
    /// Only these artifacts; empty: all.
    pub artifacts: Vec<Selector>,
    /// The side that wins conflicts.
    pub force: Option<Side>,
    /// Guards that may be passed once.
    pub allow: Allow,
    /// Whether push and sync may run off the default branch.
    pub any_branch: bool,
    /// A table of the older system that `init` takes over.
    pub from_table: Option<String>,
    /// Plan, print, write nothing.
    pub dry_run: bool,
    /// Compare everything.
    pub full: bool,
    /// Another state ref than the configured one.
    pub state_ref: Option<String>,
    /// The environment, read once.
    pub env: BTreeMap<String, String>,
    /// The configuration's path and text, where the working tree is not to be asked: on a pull request it is the
    /// base's.
    pub config_text: Option<(PathBuf, String)>,
    /// Name of the default branch, where the event says it.
    pub default_branch: Option<String>,
    /// Login of the person whose answers are recorded.
    pub by: Option<String>,
    /// How changes from a backend reach the default branch, where that is not as configured.
    pub publish: Option<Publish>,
    /// GitHub, where it answers for history and state (see [`github`]).
    pub github: Option<Arc<Client>>,
}

/// The connection to GitHub that a run needs: in a job of GitHub Actions that has a token GitHub answers for history
/// and state, because the image has no `git` and the checkout no history. Everywhere else the `git` command does.
///
/// # Errors
/// An environment that no runner sets.
pub fn github(env: &BTreeMap<String, String>) -> Result<Option<Arc<Client>>, RunError> {
    let usage = |error: BadContext| RunError::Usage(error.to_string());
    let Some(context) = Context::of(env).map_err(usage)? else { return Ok(None) };
    Ok(context.client().map_err(usage)?.map(Arc::new))
}

/// Guards that a person allowed to pass, once (rule 9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// So many deletions.
    pub delete: Option<usize>,
    /// So many overwritten artifacts.
    pub change: Option<usize>,
    /// A default branch whose history was rewritten.
    pub history: bool,
}

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Find or create the databases.
    Init,
    /// What differs.
    Status,
    /// What differs, as text.
    Diff,
    /// Backend to repository.
    Pull,
    /// Repository to backend.
    Push,
    /// Both.
    Sync,
    /// Would anything need a person?
    Check,
    /// Do the artifacts hang together?
    Janitor {
        /// Whether what can be repaired is.
        fix: bool,
    },
    /// Answer conflicts.
    Resolve {
        /// Artifacts, or fingerprints of conflicts, each with whose content stays.
        answers: Vec<(String, Keep)>,
        /// Whether an answer to nothing that is open is a notice and not an error: whoever ticked a box saw the
        /// versions of then.
        lenient: bool,
    },
    /// An artifact got a new id or kind; its page stays.
    Relabel {
        /// What it was.
        old: Selector,
        /// What it is.
        new: Selector,
    },
    /// Bring a replaced version back.
    Restore {
        /// The side to be written.
        side: Side,
        /// The run that replaced it; the last one by default.
        at: Option<String>,
    },
    /// Past runs.
    Log {
        /// At most so many.
        limit: usize,
    },
}

impl Command {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Status => "status",
            Self::Diff => "diff",
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Sync => "sync",
            Self::Check => "check",
            Self::Janitor { .. } => "janitor",
            Self::Resolve { .. } => "resolve",
            Self::Relabel { .. } => "relabel",
            Self::Restore { .. } => "restore",
            Self::Log { .. } => "log",
        }
    }

    /// Whether it may write anything but the report.
    fn writes(&self) -> bool {
        let reads = matches!(
            self,
            Self::Status
                | Self::Diff
                | Self::Check
                | Self::Janitor { fix: false }
                | Self::Log { .. }
        );
        !reads
    }

    /// Whether it may write at all: a janitor that repairs nothing still says what it found.
    fn tells(&self) -> bool {
        self.writes() || matches!(self, Self::Janitor { .. })
    }
}

/// Why a run ended without doing what was asked; each has an exit code.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Bad arguments or configuration (2).
    #[error("{0}")]
    Usage(String),
    /// The backend, the remote or GitHub refuses (3).
    #[error("{0}")]
    Refused(String),
    /// Try again later (4).
    #[error("{0}")]
    Unavailable(String),
    /// A safety limit stopped the run before its first write (5).
    #[error("{0}")]
    Guarded(String),
    /// A newer run will do it (0).
    #[error("{0}")]
    Superseded(String),
    /// Another run moved the state: observe again.
    #[error("the state was changed by another run meanwhile, more than once. Run it again.")]
    Moved,
    /// A broken internal invariant (70).
    #[error("{0}")]
    Bug(String),
}

impl From<BackendError> for RunError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Refused { .. }
            | BackendError::NoCredentials { .. }
            | BackendError::NotFound { .. }
            | BackendError::Rejected { .. } => Self::Refused(error.to_string()),
            BackendError::Stale { .. }
            | BackendError::Ambiguous { .. }
            | BackendError::Collided { .. }
            | BackendError::Unavailable { .. }
            | BackendError::Closed(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<StateError> for RunError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Moved => Self::Moved,
            StateError::Refused { .. } | StateError::Denied { .. } => {
                Self::Refused(error.to_string())
            }
            StateError::Unavailable { .. } => Self::Unavailable(error.to_string()),
            StateError::NewerFormat { .. } | StateError::Corrupt { .. } => {
                Self::Usage(error.to_string())
            }
            StateError::InvalidPath { .. } | StateError::Failed { .. } => {
                Self::Bug(error.to_string())
            }
        }
    }
}

impl From<GitError> for RunError {
    fn from(error: GitError) -> Self {
        if error.is_refusal() {
            Self::Refused(error.to_string())
        } else if error.is_outage() {
            Self::Unavailable(error.to_string())
        } else {
            Self::Usage(error.to_string())
        }
    }
}

impl From<GithubError> for RunError {
    fn from(error: GithubError) -> Self {
        match error {
            GithubError::Unavailable { .. } | GithubError::Unexpected { .. } => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl From<VcsError> for RunError {
    fn from(error: VcsError) -> Self {
        match error {
            VcsError::Git(error) => error.into(),
            VcsError::Github(error) => error.into(),
        }
    }
}

impl From<LeaseError> for RunError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::State(error) => error.into(),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<ConfigError> for RunError {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// The parts of a run that every command needs.
struct Session<'a> {
    request: &'a Request,
    config: Config,
    git: Arc<dyn Vcs>,
    tree: Tree,
    store: Arc<dyn Store>,
    /// Whether the default branch of a remote is what counts.
    remote: bool,
    refs: Remote,
    run: String,
    progress: &'a dyn Progress,
    stop: Stop,
    work_tree: Option<String>,
    /// Name of the default branch.
    branch: String,
    publisher: Option<&'a dyn Publisher>,
    /// Whether this is the run's first attempt.
    first: bool,
}

impl Session<'_> {
    /// Message of a commit of the state.
    fn message(&self, summary: &str) -> String {
        let env = &self.request.env;
        let mut message = format!("{summary}\n\nRun: {}\n", self.run);
        if let Some(actor) = env.get("GITHUB_ACTOR") {
            message.push_str(&format!("Actor: {}\n", crate::report::one_line(actor)));
        }
        if let (Some(server), Some(repository), Some(id)) =
            (env.get("GITHUB_SERVER_URL"), env.get("GITHUB_REPOSITORY"), env.get("GITHUB_RUN_ID"))
        {
            let link = crate::report::one_line(&format!("{server}/{repository}/actions/runs/{id}"));
            message.push_str(&format!("Link: {link}\n"));
        }
        message
    }
}

/// Runs a command once. Where it ended without doing what was asked, `stopped` of the report says why, and the
/// exit code follows from it.
pub async fn run(request: &Request, progress: &dyn Progress) -> Report {
    run_and_publish(request, progress, None).await
}

/// As [`run`]; what a sync, pull or restore changed in the working tree is then brought to the default branch.
pub async fn run_and_publish(
    request: &Request,
    progress: &dyn Progress,
    publisher: Option<&dyn Publisher>,
) -> Report {
    let started = Instant::now();
    let run = run_id();
    let stop = Stop::listen();
    let meter = Meter::default();
    let mut result = Err(RunError::Moved);
    // Losing the race on the state means observing again (rule 16); twice is bad luck, more is a fault.
    for n in 0..3 {
        let last = Last { publisher, first: n == 0 };
        let work = attempt(request, progress, &run, &stop, &meter, last);
        result = match request.command.tells() && !request.dry_run {
            true => work.await,
            false => stop.or(work).await,
        };
        if !matches!(result, Err(RunError::Moved)) {
            break;
        }
    }
    let mut report = result.unwrap_or_else(|error| Report::failed(request.command.name(), error));
    report.dry_run = request.dry_run;
    report.cost_of(meter.read());
    report.github = request.github.as_ref().map(|client| client.requests());
    report.settle();
    report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

/// What was asked of the backends, however the run ends.
#[derive(Default)]
struct Meter(Mutex<Vec<Arc<dyn Backend>>>);

impl Meter {
    fn add(&self, backend: Arc<dyn Backend>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(backend);
    }

    /// The requests by backend, those of all attempts together.
    fn read(&self) -> Vec<BackendReport> {
        let mut reports: Vec<BackendReport> = Vec::new();
        for backend in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let requests = backend.requests();
            match reports.iter_mut().find(|report| report.name == backend.name()) {
                Some(report) => report.requests.add(&requests),
                None => reports.push(BackendReport::new(backend.name(), backend.label(), requests)),
            }
        }
        reports
    }
}

/// Begins with the time, so that runs sort; the rest keeps two runs of a millisecond apart. Names only; no
/// decision depends on this clock.
fn run_id() -> String {
    let now = jiff::Timestamp::now();
    let salt = std::process::id();
    format!("{}-{salt}", now.strftime("%Y%m%dT%H%M%S%3fZ"))
}

/// What an attempt ends with.
struct Last<'a> {
    publisher: Option<&'a dyn Publisher>,
    first: bool,
}

async fn attempt(
    request: &Request,
    progress: &dyn Progress,
    run: &str,
    stop: &Stop,
    meter: &Meter,
    last: Last<'_>,
) -> Result<Report, RunError> {
    let place = place::Place::find(request).await?;
    let git = place.vcs();
    let root = git.root().to_path_buf();
    let env = |name: &str| request.env.get(name).cloned();
    let config = match &request.config_text {
        Some((file, text)) => Config::parse(file.clone(), text, &env)?,
        None => Config::load(&root, request.config.as_deref(), &env)?,
    };
    check_selection(request, &config)?;
    let state_ref = request.state_ref.clone().unwrap_or_else(|| config.state.reference.clone());
    let remote = git.has_remote().await?;
    let branch = git.default_branch(config.repository.default_branch.as_deref()).await?;
    let refs = git.sync_refs(&state_ref, &branch).await?;
    let store = place.store(&state_ref).await?;
    let tree = Tree::open(&root)
        .map_err(|error| RunError::Usage(format!("{} cannot be read: {error}.", root.display())))?;
    let work_tree = git.work_tree_id().await?;
    let (run, stop) = (run.to_owned(), stop.clone());
    let mut session = Session {
        request,
        config,
        git,
        tree,
        store,
        remote,
        refs,
        run,
        stop,
        work_tree,
        branch: branch.clone(),
        progress,
        publisher: last.publisher,
        first: last.first,
    };
    if let Command::Log { limit } = request.command {
        return log::log(&session, limit).await;
    }
    let looks = request.command == Command::Janitor { fix: false };
    let elsewhere = looks && check_branch(&session, &branch).await.is_err();
    if request.command.tells() && !request.dry_run && !elsewhere {
        check_branch(&session, &branch).await?;
        let lease = acquire(&session, &request.env).await?;
        // The refs may have moved while we waited for the lease. Where it was free, whoever moved them would have
        // moved the lease as well, and we would not have got it.
        if lease.waited() {
            session.refs = session.git.sync_refs(&state_ref, &branch).await?;
        }
        let gate = lease.gate();
        let listener = listen(session.stop.clone(), gate.clone());
        let result = match check_branch(&session, &branch).await {
            Ok(()) => hub::run(&session, Some(gate), meter).await,
            Err(error) => Err(error),
        };
        listener.abort();
        if let Err(error) = lease.release().await {
            tracing::debug!(%error, "the lease could not be released; it lapses by itself");
        }
        return result;
    }
    tokio::select! {
        result = hub::run(&session, None, meter) => result,
        () = session.stop.told() => Err(Stop::error()),
    }
}

async fn acquire(session: &Session<'_>, env: &BTreeMap<String, String>) -> Result<Lease, RunError> {
    let actor = env.get("GITHUB_RUN_ID").map(|id| format!("{} ({id})", session.run));
    let name = actor.unwrap_or_else(|| session.run.clone());
    let watched = async {
        loop {
            session.progress.at(Phase::Waiting, 0, 0);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        lease = Lease::acquire(session.store.clone(), &name, Timing::default()) => Ok(lease?),
        never = watched => never,
        () = session.stop.told() => Err(Stop::error()),
    }
}

/// A signal closes the gate: what is in flight ends, nothing new starts, and the run records and exits.
fn listen(stop: Stop, gate: Arc<lease::Gate>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        stop.told().await;
        gate.stop("the run was told to stop");
    })
}

fn check_selection(request: &Request, config: &Config) -> Result<(), RunError> {
    for kind in &request.kinds {
        if !config.kinds.contains_key(kind) {
            let known: Vec<_> = config.kinds.keys().map(String::as_str).collect();
            return Err(RunError::Usage(format!(
                "There is no kind `{kind}`. Configured are: {}.",
                known.join(", ")
            )));
        }
    }
    for name in &request.backends {
        if !config.backends.iter().any(|backend| backend.name() == name) {
            let known: Vec<_> = config.backends.iter().map(|backend| backend.name()).collect();
            return Err(RunError::Usage(format!(
                "There is no backend `{name}`. Configured are: {}.",
                known.join(", ")
            )));
        }
    }
    for selector in &request.artifacts {
        if let Some(kind) = selector.kind.as_ref().filter(|kind| !config.kinds.contains_key(*kind))
        {
            return Err(RunError::Usage(format!("There is no kind `{kind}`.")));
        }
    }
    Ok(())
}

/// Rule 15: a run that writes stands on the remote default branch's head, or on commits on top of it.
async fn check_branch(session: &Session<'_>, branch: &str) -> Result<(), RunError> {
    let (true, Some(published)) = (session.remote, &session.refs.default_head) else {
        return Ok(());
    };
    let request = session.request;
    let answers = matches!(request.command, Command::Resolve { .. }) && request.any_branch;
    // An answer writes nothing that a branch holds.
    if request.command == Command::Init || answers {
        return Ok(());
    }
    let Some(head) = session.git.head().await? else {
        return Err(RunError::Usage(format!(
            "There is no commit here, but the remote has a branch `{branch}`. Get it with `git pull`."
        )));
    };
    let descends = session.git.is_ancestor(published, &head).await?;
    if descends != Some(true) {
        let ci = session.request.env.get("CI").is_some_and(|value| value == "true")
            || session.request.env.contains_key("GITHUB_ACTIONS");
        let message = format!(
            "The remote branch `{branch}` has commits that are not in this checkout, so nothing was written."
        );
        return Err(match ci {
            true => RunError::Superseded(format!("{message} A newer run will do it.")),
            false => {
                RunError::Usage(format!("{message} Get them with `git pull`, then run it again."))
            }
        });
    }
    let command = &session.request.command;
    let guarded = matches!(command, Command::Push | Command::Sync | Command::Janitor { .. });
    if guarded && !session.request.any_branch {
        let current = session.git.branch().await?;
        let on_it = match &current {
            Some(current) => current == branch,
            None => head == *published,
        };
        if !on_it {
            return Err(RunError::Usage(format!(
                "This is {}, not `{branch}`, so nothing was written. Switch to `{branch}`, or pass `--any-branch` \
                 to write what this branch holds.",
                current.map_or_else(
                    || "a detached HEAD".to_owned(),
                    |name| format!("branch `{name}`")
                )
            )));
        }
    }
    Ok(())
}

/// The default branch as it counts, after the guard against rewritten history (rules 9 and 15).
async fn published(session: &Session<'_>, book: &book::Book) -> Result<Published, RunError> {
    if !session.remote {
        return Ok(Published::WorkingTree);
    }
    let head = session.refs.default_head.clone();
    let stored = book.meta.content.as_deref().and_then(|id| id.parse::<Oid>().ok());
    let (Some(tip), Some(content)) = (&head, stored) else {
        return Ok(Published::Branch { head, since: None });
    };
    if session.git.is_ancestor(&content, tip).await? == Some(true) {
        return Ok(Published::Branch { head, since: Some(content) });
    }
    if session.request.allow.history || !session.request.command.writes() {
        return Ok(Published::Branch { head, since: None });
    }
    Err(RunError::Guarded(format!(
        "The remote default branch no longer holds commit {content}, up to which it was synced: its history was \
         rewritten or moved back. Nothing was changed. If that was meant, pass `--allow history`: what differs \
         then is compared without a base."
    )))
}

/// One backend's part of a run.
struct Turn<'a> {
    session: &'a Session<'a>,
    backend: &'a dyn Backend,
    /// The backend's name for people.
    label: &'a str,
    /// The files, with what earlier turns of this run brought to them.
    tree: &'a Tree,
    kinds: Kinds,
    book: &'a mut book::Book,
    relay: &'a mut hub::Relay,
    published: &'a Published,
    /// The repository's address on the web.
    web: Option<&'a Web>,
    report: &'a mut Report,
    gate: Option<Arc<lease::Gate>>,
    /// Whether pages without an id get one.
    assign_ids: bool,
    /// Whether missing databases are made on the spot.
    auto_init: bool,
}

impl Turn<'_> {
    /// What execution needs of this turn.
    fn hands<'t>(&'t mut self, world: &'t mut World) -> Hands<'t> {
        Hands {
            tree: self.tree,
            backend: self.backend,
            book: self.book,
            bot: world.identity.id.clone(),
            world,
            run: &self.session.run,
            progress: self.session.progress,
            work_tree: self.session.work_tree.as_deref(),
        }
    }

    fn selected(&self, key: &Key) -> bool {
        let artifacts = &self.session.request.artifacts;
        artifacts.is_empty() || artifacts.iter().any(|selector| selector.matches(key))
    }

    /// The places of the kinds that take part; every kind must have one.
    async fn places(&mut self) -> Result<BTreeMap<String, crate::backend::Place>, RunError> {
        let kinds: Vec<_> = self.kinds.values().collect();
        let known = self.book.backend(self.backend.name()).places.clone();
        Ok(self.backend.locate(&kinds, &known).await?)
    }

    /// What the state says about the mapping (rule 9).
    fn check_mapping(&self) -> Result<(), RunError> {
        let stored = &self.book.meta.mapping;
        if !stored.is_empty() && *stored != self.session.config.mapping_hash {
            return Err(RunError::Guarded(
                "The kinds or the property mapping in the configuration changed since the last `init`. Nothing \
                 was changed. Run `agent-sync init` to take the new mapping over."
                    .to_owned(),
            ));
        }
        Ok(())
    }

    async fn commit(&mut self, message: &str) -> Result<bool, RunError> {
        Ok(self.book.commit(&self.session.run, message).await?)
    }
}

/// Message of a commit in the middle of a run; `log` leaves it out.
fn partial(what: &str, run: &str) -> String {
    format!("{PARTIAL}{what}\n\nRun: {run}\n")
}

/// Beginning of such a message.
const PARTIAL: &str = "in progress: ";

/// Names of artifacts, for messages.
fn names(keys: &BTreeSet<Key>) -> String {
    keys.iter().map(Key::to_string).collect::<Vec<_>>().join(", ")
}

/// The outcome of an error, for reports and exit codes.
impl RunError {
    /// The same kind of end with another text.
    fn saying(self, text: String) -> Self {
        match self {
            Self::Usage(_) => Self::Usage(text),
            Self::Refused(_) => Self::Refused(text),
            Self::Unavailable(_) | Self::Moved => Self::Unavailable(text),
            Self::Guarded(_) => Self::Guarded(text),
            Self::Superseded(_) => Self::Superseded(text),
            Self::Bug(_) => Self::Bug(text),
        }
    }

    /// Its outcome.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Usage(_) => Outcome::Usage,
            Self::Refused(_) => Outcome::Refused,
            Self::Unavailable(_) | Self::Moved => Outcome::Unavailable,
            Self::Guarded(_) => Outcome::Guarded,
            Self::Superseded(_) => Outcome::Superseded,
            Self::Bug(_) => Outcome::Bug,
        }
    }
}
