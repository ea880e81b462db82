//! Several backends in one run (design §8): the repository is the hub. Each backend has its turn, in the order of the
//! configuration; what it brings to the files reaches those behind it in their own turns, and those before it in a
//! second one. Where files come to the default branch by a pull request or a push, the others have to wait for that
//! (rule 15): a person may still decline it, or take it back where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_sync_core::kind::{Kind, Kinds, PropertyType};
use agent_sync_core::markdown::Web;
use agent_sync_core::model::{Key, Selector, Side, Stretch};
use jiff::SignedDuration;

use super::book::{Book, Decision, Keep};
use super::joint::{self, Open};
use super::lease::Gate;
use super::publishing::Outgoing;
use super::{
    Command, Meter, RunError, Session, Turn, init, janitor, links, published, publishing, relabel,
    resolve, restore, retention, sync,
};
use crate::backend::{BackendError, Connected};
use crate::config::{BackendConfig, Publish};
use crate::repo::Tree;
use crate::report::{DecisionReport, Report};
use crate::state::StateError;

/// What the backends of a run bring to each other.
#[derive(Default)]
pub(super) struct Relay {
    /// Artifacts whose files this run changed, each with the name of a backend that did so.
    brought: BTreeSet<(Key, String)>,
    /// What of these files it was.
    stretches: BTreeSet<(Key, Stretch, String)>,
    /// Names for people of those backends.
    labels: BTreeMap<String, String>,
    /// Whether what one backend brought must not go to another one yet.
    waits: bool,
    /// Whether there is no other backend.
    pub alone: bool,
    /// Named artifacts that some backend or the repository knows.
    pub known: BTreeSet<Selector>,
    /// What the answers of `resolve` were about, where that was open anywhere.
    pub answered: BTreeSet<String>,
    /// Why answers were about nothing that is open.
    pub unanswered: BTreeMap<String, RunError>,
    /// Conflicts that the turns left open.
    pub open: Vec<Open>,
    /// Targets that need no answer any more.
    pub done: BTreeSet<String>,
    /// Whether conflicts are looked at as if nothing were decided.
    pub afresh: bool,
    /// What is on its way to the default branch, as the run's state knows it.
    pub outgoing: Outgoing,
    /// Whether this turn is the last one of those that share a state, and all that are configured took part.
    pub completes: bool,
}

impl Relay {
    /// Takes up what a backend brought.
    pub(super) fn bring(&mut self, name: &str, label: &str, what: Vec<(Key, Vec<Stretch>)>) {
        self.labels.insert(name.to_owned(), label.to_owned());
        for (key, stretches) in what {
            let of = |stretch| (key.clone(), stretch, name.to_owned());
            self.stretches.extend(stretches.into_iter().map(of));
            self.brought.insert((key, name.to_owned()));
        }
    }

    /// Forgets what was foreseen.
    fn look_again(&mut self) {
        self.afresh = true;
        self.brought.clear();
        self.stretches.clear();
    }

    /// Whether a backend has to wait for the file of this artifact to reach the default branch.
    pub(super) fn holds_back(&self, name: &str, key: &Key) -> bool {
        let of = self.brought.range((key.clone(), String::new())..);
        self.waits && of.take_while(|(brought, _)| brought == key).any(|(_, by)| by != name)
    }

    /// Who else brought this of the file of an artifact: its name, and that for people.
    pub(super) fn bringer(&self, name: &str, key: &Key, stretch: &Stretch) -> Option<(&str, &str)> {
        let of = self.stretches.range((key.clone(), stretch.clone(), String::new())..);
        let of = of.take_while(|(brought, what, _)| (brought, what) == (key, stretch));
        let mut of = of.filter(|(_, _, by)| by != name);
        of.find_map(|(_, _, by)| Some((by.as_str(), self.labels.get(by)?.as_str())))
    }
}

/// A backend that takes part.
struct Part<'a> {
    config: &'a BackendConfig,
    connected: Connected,
    /// Name for people.
    label: String,
    /// Its own state, where it keeps one.
    book: Option<Book>,
    /// Why it takes no further part.
    failed: Option<RunError>,
    /// What others had brought that its last turn could take up.
    seen: BTreeSet<(Key, String)>,
}

impl Part<'_> {
    /// Name in the configuration.
    fn name(&self) -> &str {
        self.config.name()
    }

    /// Whether others have brought something that it does not have.
    fn is_behind(&self, relay: &Relay) -> bool {
        let mut news = relay.brought.difference(&self.seen);
        self.failed.is_none() && news.any(|(_, by)| by != self.config.name())
    }
}

/// What the turns of a run have in common.
struct Round<'a> {
    session: &'a Session<'a>,
    gate: Option<Arc<Gate>>,
    web: Option<Web>,
    /// The files as the turns see them.
    tree: Tree,
    /// Whether all backends that are configured take part.
    whole: bool,
}

/// Runs the command on every backend that takes part, then brings what changed in the files to the default branch. What
/// the backends that share the run's state did is stored after that, in one commit: content before state (rule 1).
///
/// # Errors
/// What stops a run of one backend; with several, what stops all of them. What stops one of them is in the report.
pub(super) async fn run(
    session: &Session<'_>,
    gate: Option<Arc<Gate>>,
    meter: &Meter,
) -> Result<Report, RunError> {
    let mut report = Report::new(session.request.command.name(), session.request.dry_run);
    check_choice(session)?;
    let mut book = Book::load(session.store.clone()).await?;
    let done = conduct(session, gate, meter, &mut book, &mut report).await;
    // Whatever else went wrong, what was done is recorded.
    let stored = book.settle(&session.run).await;
    done?;
    stored?;
    report.state_commit = book.commit_id().map(str::to_owned);
    Ok(report)
}

async fn conduct(
    session: &Session<'_>,
    gate: Option<Arc<Gate>>,
    meter: &Meter,
    book: &mut Book,
    report: &mut Report,
) -> Result<(), RunError> {
    let request = session.request;
    let web = links::web(session, &mut book.meta.web).await?;
    let (mut parts, whole) = connect(session, report)?;
    for part in &parts {
        meter.add(part.connected.backend.clone());
        if let Some(gate) = &gate {
            part.connected.backend.set_gate(gate.clone());
        }
    }
    let how = publishing::how(session, gate.is_some()).await?;
    let mut relay = Relay {
        waits: how.is_some(),
        alone: parts.len() == 1,
        outgoing: book.meta.outgoing.clone(),
        ..Relay::default()
    };
    let writes = request.command.writes() && !request.dry_run;
    let asks = matches!(request.command, Command::Resolve { .. });
    let tree = match writes && !asks || relay.alone {
        true => session.tree.clone(),
        // Those that come later see what a run that may not write would bring.
        false => session.tree.draft(),
    };
    let mut round = Round { session, gate, web, tree, whole };
    round.play(&mut parts, book, &mut relay, report, false).await?;
    if round.gate.is_some() && matches!(request.command, Command::Janitor { .. }) {
        forget(session, book, &mut parts, report).await?;
    }
    check_named(session, &relay, &parts)?;
    if let Command::Resolve { answers: given, lenient } = &request.command {
        let mut decisions = decide(session, &mut relay, given, &mut parts, report);
        let open = |relay: &Relay| relay.unanswered.keys().any(|one| !relay.answered.contains(one));
        if open(&relay) && !relay.alone {
            // An answer may change an earlier one, which what was foreseen hides.
            relay.look_again();
            round.tree = session.tree.draft();
            round.play(&mut parts, book, &mut relay, report, false).await?;
            decisions.extend(decide(session, &mut relay, given, &mut parts, report));
        }
        if let Err(error) = answers(&mut relay, *lenient, report) {
            report.decided.clear();
            return Err(error);
        }
        record(session, decisions, &mut parts, book).await?;
    }
    let healthy = |parts: &[Part<'_>]| whole && parts.iter().all(|part| part.failed.is_none());
    let mut published = false;
    if how == Some(Publish::Push) && report.stopped.is_none() {
        let gate = round.gate.as_ref();
        published = true;
        relay.waits =
            !publishing::publish(session, how, gate, book, report, healthy(&parts)).await?;
    }
    if writes && !asks && !relay.waits && report.stopped.is_none() {
        round.play(&mut parts, book, &mut relay, report, true).await?;
    }
    if !published {
        let gate = round.gate.as_ref();
        publishing::publish(session, how, gate, book, report, healthy(&parts)).await?;
    }
    join(&relay, report);
    failures(report, parts);
    Ok(())
}

impl Round<'_> {
    /// Gives each backend its turn; `again` those only that lack what others brought.
    async fn play(
        &self,
        parts: &mut [Part<'_>],
        book: &mut Book,
        relay: &mut Relay,
        report: &mut Report,
        again: bool,
    ) -> Result<(), RunError> {
        // The state of the run knows how far the default branch was looked at for all that share it.
        let last = parts.iter().rposition(|part| part.connected.store.is_none());
        for n in 0..parts.len() {
            let healthy = parts.iter().all(|part| part.failed.is_none());
            let Some(part) = parts.get_mut(n) else { continue };
            if part.failed.is_some() || again && !part.is_behind(relay) {
                continue;
            }
            let own = part.connected.store.is_some();
            relay.completes = self.whole && (own || healthy && last == Some(n));
            let mut turn = Report::new(&report.command, report.dry_run);
            let result = self.turn(part, book, relay, &mut turn).await;
            let stopped = turn.stopped.take();
            report.add_turn(part.config.name(), &part.label, turn);
            match result.map(|()| stopped) {
                Err(RunError::Moved) => return Err(RunError::Moved),
                Err(error) if relay.alone => return Err(error),
                Ok(stopped) if relay.alone => report.stopped = stopped,
                Err(error) => part.failed = Some(error),
                Ok(stopped) => part.failed = stopped,
            }
            // What it had to wait for it has not got.
            if !relay.waits {
                part.seen.clone_from(&relay.brought);
            }
        }
        Ok(())
    }

    async fn turn(
        &self,
        part: &mut Part<'_>,
        book: &mut Book,
        relay: &mut Relay,
        report: &mut Report,
    ) -> Result<(), RunError> {
        let session = self.session;
        if let (Some(store), None) = (&part.connected.store, &part.book) {
            store.reload().await?;
            part.book = Some(Book::load(store.clone()).await?);
        }
        // Whatever happens to this backend, those before it are done.
        book.settle(&session.run).await?;
        let own = part.book.is_some();
        let book = part.book.as_mut().unwrap_or(book);
        let published = published(session, book).await?;
        let Connected { backend, shared, auto_init, .. } = &part.connected;
        let kinds: Kinds = session
            .config
            .kinds
            .iter()
            .filter(|(name, _)| shared.contains(*name))
            .filter(|(name, _)| {
                session.request.kinds.is_empty() || session.request.kinds.contains(name)
            })
            .map(|(name, kind)| (name.clone(), within(kind, shared)))
            .collect();
        let mut turn = Turn {
            session,
            backend: backend.as_ref(),
            label: &part.label,
            tree: &self.tree,
            kinds,
            book: &mut *book,
            relay,
            published: &published,
            web: self.web.as_ref(),
            report,
            gate: self.gate.clone(),
            assign_ids: part.config.assigns_ids(),
            auto_init: *auto_init,
        };
        let done = match &session.request.command {
            Command::Init => init::init(&mut turn).await,
            Command::Janitor { fix } => janitor::janitor(&mut turn, *fix).await,
            Command::Restore { side, at } => {
                restore::restore(&mut turn, *side, at.as_deref()).await
            }
            Command::Relabel { old, new } => relabel::record(&mut turn, old, new).await,
            _ => sync::sync(&mut turn).await,
        };
        // Its own state knows nothing of what is published.
        if own {
            book.settle(&session.run).await?;
        }
        done
    }
}

/// The kind without relations to kinds that never leave the repository.
fn within(kind: &Kind, shared: &BTreeSet<String>) -> Kind {
    let mut kind = kind.clone();
    kind.properties.retain(|property| {
        property.r#type != PropertyType::Relation
            || property.target.as_ref().is_none_or(|target| shared.contains(target))
    });
    kind
}

/// The configured backends that the request names.
fn chosen<'a>(session: &'a Session<'_>) -> Vec<&'a BackendConfig> {
    let names = &session.request.backends;
    let all = session.config.backends.iter();
    all.filter(|config| names.is_empty() || names.iter().any(|name| name == config.name()))
        .collect()
}

/// What can mean several backends needs one to be named.
fn check_choice(session: &Session<'_>) -> Result<(), RunError> {
    let chosen = chosen(session);
    if chosen.len() < 2 {
        return Ok(());
    }
    let request = session.request;
    // A fingerprint names one conflict; an artifact may have one in each backend.
    let by_artifact =
        |(target, keep): &(String, Keep)| *keep == Keep::Remote && !resolve::is_fingerprint(target);
    let unclear = match &request.command {
        Command::Pull | Command::Sync if request.force == Some(Side::Remote) => {
            "Which backend wins is not clear"
        }
        Command::Restore { .. } => "Which backend's versions are meant is not clear",
        Command::Resolve { answers, .. } if answers.iter().any(by_artifact) => {
            "Which backend's content stays is not clear"
        }
        _ => return Ok(()),
    };
    let choices: Vec<String> =
        chosen.iter().map(|config| format!("`--backend {}`", config.name())).collect();
    Err(RunError::Usage(format!("{unclear}: say one of {}.", choices.join(", "))))
}

/// Sets up the backends; true if none was left out.
fn connect<'a>(
    session: &'a Session<'_>,
    report: &mut Report,
) -> Result<(Vec<Part<'a>>, bool), RunError> {
    let named = &session.request.backends;
    let mut whole = named.is_empty();
    // An answer about one backend's content is one about all that clash with it.
    let chosen = match session.request.command {
        Command::Resolve { .. } => session.config.backends.iter().collect(),
        _ => chosen(session),
    };
    let (mut parts, mut missing) = (Vec::new(), Vec::new());
    for config in chosen.iter().copied() {
        let asked = named.iter().any(|name| name == config.name()) || chosen.len() == 1;
        match crate::backend::connect(config, session.git.root(), &session.request.env) {
            Ok(connected) => parts.push(Part {
                label: connected.backend.label().to_owned(),
                config,
                connected,
                book: None,
                failed: None,
                seen: BTreeSet::new(),
            }),
            Err(error @ BackendError::NoCredentials { .. }) if !asked => {
                whole = false;
                missing.push((config.name(), error));
            }
            // Whoever was not named does not stand in the way of those that were.
            Err(error) if !asked && !named.is_empty() => missing.push((config.name(), error)),
            Err(error) => return Err(error.into()),
        }
    }
    if parts.is_empty()
        && let Some((_, error)) = missing.pop()
    {
        return Err(error.into());
    }
    for (name, error) in missing {
        report.notices.push(format!("The backend `{name}` was left out. {error}"));
    }
    let labels: Vec<String> = parts.iter().map(|part| part.label.clone()).collect();
    for part in &mut parts {
        if labels.iter().filter(|label| **label == part.label).count() > 1 {
            part.label = format!("{} ({})", part.label, part.config.name());
        }
    }
    Ok((parts, whole))
}

/// Artifacts that were named must exist somewhere; of a backend that failed nobody knows.
fn check_named(session: &Session<'_>, relay: &Relay, parts: &[Part<'_>]) -> Result<(), RunError> {
    if !matches!(
        session.request.command,
        Command::Status
            | Command::Diff
            | Command::Check
            | Command::Pull
            | Command::Push
            | Command::Sync
            | Command::Janitor { .. }
    ) || parts.iter().any(|part| part.failed.is_some())
    {
        return Ok(());
    }
    let labels: Vec<&str> = parts.iter().map(|part| part.label.as_str()).collect();
    match session.request.artifacts.iter().find(|selector| !relay.known.contains(*selector)) {
        Some(unknown) => Err(RunError::Usage(format!(
            "There is no artifact `{unknown}` in the repository or in {}.",
            labels.join(" or ")
        ))),
        None => Ok(()),
    }
}

/// Makes one conflict of those that are one for people.
fn join(relay: &Relay, report: &mut Report) {
    report.settle_yielding();
    let name = |backend: &str, fingerprint: &str| (backend.to_owned(), fingerprint.to_owned());
    let shown = report.conflicts.iter().map(|one| name(&one.backend, &one.fingerprint));
    let shown: BTreeSet<(String, String)> = shown.collect();
    let is_shown = |backend: &str, fingerprint: &str| shown.contains(&name(backend, fingerprint));
    report.join_conflicts(&joint::shown(&relay.open, is_shown));
}

/// Answers to nothing that is open in any backend.
fn answers(relay: &mut Relay, lenient: bool, report: &mut Report) -> Result<(), RunError> {
    let answered = std::mem::take(&mut relay.answered);
    for (target, error) in std::mem::take(&mut relay.unanswered) {
        match (answered.contains(&target), lenient) {
            (true, _) => {}
            (false, true) => report.notices.push(error.to_string()),
            (false, false) => return Err(error),
        }
    }
    Ok(())
}

/// What the answers of a run decide, for whichever backend. One that was not named and cannot be asked is left as it is.
fn decide(
    session: &Session<'_>,
    relay: &mut Relay,
    given: &[(String, Keep)],
    parts: &mut [Part<'_>],
    report: &mut Report,
) -> Vec<Decision> {
    if relay.alone {
        return Vec::new();
    }
    let named = &session.request.backends;
    let is_named = |part: &&mut Part<'_>| named.iter().any(|name| name == part.name());
    for part in parts.iter_mut().filter(|part| !named.is_empty() && !is_named(part)) {
        if let Some(error) = part.failed.take() {
            report
                .notices
                .push(format!("{} was not asked what it holds of this: {error}", part.label));
        }
    }
    let own = relay.open.iter().filter_map(|one| Some(one.given.as_ref()?.decision.clone()));
    let mut decisions: Vec<Decision> = own.collect();
    decisions.extend(joint::consequences(&relay.open));
    let given = given.iter().filter(|(target, _)| resolve::is_fingerprint(target));
    for (target, keep) in given.filter(|(target, _)| !relay.done.contains(target)) {
        let by = session.request.by.as_deref();
        let decision =
            |one: &Open| Decision::new(&one.conflict, *keep, &one.backend, &session.run, by);
        match joint::answer(&relay.open, named, (target, *keep), decision) {
            Ok(None) => {}
            Ok(Some((about, all))) => {
                relay.answered.insert(target.clone());
                let first = all.iter().find(|one| one.backend.as_ref() == Some(&about.backend));
                report.decided.extend(first.map(|decision| {
                    let of = (about.backend.as_str(), about.label.as_str());
                    DecisionReport::new(&about.conflict, decision, of)
                }));
                decisions.extend(all);
            }
            Err(error) => drop(relay.unanswered.insert(target.clone(), error)),
        }
    }
    relay.done.clone_from(&relay.answered);
    decisions
}

/// Records decisions, each where the state of its backend is.
async fn record(
    session: &Session<'_>,
    decisions: Vec<Decision>,
    parts: &mut [Part<'_>],
    book: &mut Book,
) -> Result<(), RunError> {
    for decision in decisions {
        let of = |part: &&mut Part<'_>| decision.backend.as_deref() == Some(part.name());
        let Some(part) = parts.iter_mut().find(of) else { continue };
        let book = part.book.as_mut().unwrap_or(book);
        resolve::record(book, decision);
        book.owe(session.message("resolve: decided for several backends"));
    }
    for book in parts.iter_mut().filter_map(|part| part.book.as_mut()) {
        book.settle(&session.run).await?;
    }
    Ok(())
}

/// Prunes the states of what is older than they keep. The backend's clock counts, of whichever was asked.
async fn forget(
    session: &Session<'_>,
    book: &mut Book,
    parts: &mut [Part<'_>],
    report: &mut Report,
) -> Result<(), RunError> {
    let Some(now) = parts.iter().find_map(|part| part.connected.backend.now()) else {
        return Ok(());
    };
    let keep = SignedDuration::from_hours(24 * i64::from(session.config.state.keep_days));
    let own = parts.iter_mut().filter(|part| part.failed.is_none());
    for book in own.filter_map(|part| part.book.as_mut()).chain([book]) {
        match retention::prune(book, now, keep, &session.run).await {
            Ok(_) => {}
            Err(StateError::Moved) => return Err(RunError::Moved),
            // What is kept too long stands in nobody's way.
            Err(error) => report.notices.push(format!("Nothing was pruned: {error}")),
        }
    }
    Ok(())
}

/// Puts into the report which backends failed; the gravest failure decides the outcome.
fn failures(report: &mut Report, parts: Vec<Part<'_>>) {
    let mut failed = Vec::new();
    for part in parts {
        let Some(error) = part.failed else { continue };
        report.fail(part.config.name(), &error);
        failed.push((part.label, error));
    }
    failed.sort_by_key(|(_, error)| gravity(error));
    let texts: Vec<String> =
        failed.iter().map(|(label, error)| format!("{label}: {error}")).collect();
    if let (None, Some((_, error))) = (&report.stopped, failed.into_iter().next()) {
        report.stopped = Some(error.saying(texts.join("\n")));
    }
}

/// What needs a person's attention first comes first.
fn gravity(error: &RunError) -> u8 {
    match error {
        RunError::Bug(_) => 0,
        RunError::Usage(_) => 1,
        RunError::Refused(_) => 2,
        RunError::Guarded(_) => 3,
        RunError::Unavailable(_) | RunError::Moved => 4,
        RunError::Superseded(_) => 5,
    }
}
