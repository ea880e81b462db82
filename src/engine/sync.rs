//! status, diff, check, pull, push, sync and resolve: one observation, one plan.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::model::{Finding, Key, Selector, Side, Stretch};
use agent_sync_core::plan::{self, Conflict};

use super::book::{Decision, Record};
use super::damage;
use super::environment::{self, Make};
use super::execute::{self, Executed};
use super::finish::{self, Pen};
use super::init;
use super::joint::Open;
use super::observe::{self, Artifact, Eyes, World};
use super::publishing;
use super::relabel;
use super::rename;
use super::resolve;
use super::stop::Stop;
use super::work::{self, Action, Mode, Task};
use super::{Command, RunError, Turn, assign};
use crate::backend::{Identity, Place};
use crate::report::{ArtifactReport, ConflictReport, DecisionReport, Sides, cut, one_line};

/// Characters of a person's name.
const NAME: usize = 100;

/// Runs the command on one backend.
///
/// # Errors
/// What stops a run.
pub(super) async fn sync(turn: &mut Turn<'_>) -> Result<(), RunError> {
    turn.check_mapping()?;
    let identity = turn.backend.identity().await?;
    match once(turn, &identity).await {
        Err(Failure::Drift(error)) => {
            let may_make = turn.session.request.command.writes() && !turn.session.request.dry_run;
            if !(turn.auto_init && may_make) {
                return Err(explained(turn, error).await);
            }
            if let Some(left) = init::databases(turn, &identity).await? {
                return Err(left);
            }
            once(turn, &identity).await.map_err(Failure::error)
        }
        done => done.map_err(Failure::error),
    }
}

/// Why an attempt ended.
enum Failure {
    /// Before its first write, over something that `init` may repair.
    Drift(RunError),
    /// Over anything else.
    Other(RunError),
}

impl Failure {
    /// A refusal by the backend smells of drift.
    fn smelt(error: RunError) -> Self {
        match error {
            RunError::Refused(_) => Self::Drift(error),
            error => Self::Other(error),
        }
    }

    fn error(self) -> RunError {
        match self {
            Self::Drift(error) | Self::Other(error) => error,
        }
    }
}

impl<E: Into<RunError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// What the schemas say about a refusal, where they say anything: 1 request for each database, which only a run that
/// failed asks.
async fn explained(turn: &mut Turn<'_>, error: RunError) -> RunError {
    let places = turn.book.backend(turn.backend.name()).places.clone();
    let mut drift = Vec::new();
    for kind in turn.kinds.values() {
        let Some(place) = places.get(&kind.name) else { continue };
        // What cannot be read explains nothing.
        if let Ok(schema) = turn.backend.schema(kind, place).await {
            drift.extend(schema.drift.into_iter().map(|drift| drift.message));
        }
    }
    let said = error.to_string();
    match drift.first() {
        Some(first) if !said.contains(first.as_str()) => {
            RunError::Refused(format!("{said} {}", drift.join(" ")))
        }
        _ => error,
    }
}

/// One attempt.
async fn once(turn: &mut Turn<'_>, identity: &Identity) -> Result<(), Failure> {
    let places = turn.places().await.map_err(Failure::smelt)?;
    let missing: Vec<String> =
        turn.kinds.keys().filter(|name| !places.contains_key(*name)).cloned().collect();
    if !missing.is_empty() {
        return not_initialised(turn, &places, &missing).map_err(Failure::smelt);
    }
    let name = turn.backend.name().to_owned();
    let known = &turn.book.backend(&name).places;
    let found = places.keys().any(|kind| !known.contains_key(kind));
    if found && turn.session.request.command.writes() && !turn.session.request.dry_run {
        environment::check(turn, identity).await?;
    }
    turn.book.backend(&name).places.extend(places.clone());
    turn.book.backend(&name).identity = Some(identity.clone());
    let mut world = look(turn, identity, &places).await.map_err(Failure::smelt)?;
    let request = &turn.session.request;
    let pulls = matches!(request.command, Command::Pull | Command::Sync) && !request.dry_run;
    if turn.assign_ids
        && pulls
        && request.artifacts.is_empty()
        && assign::assign(turn, &world).await? > 0
    {
        world = look(turn, identity, &places).await?;
    }
    note_selected(turn, &world);
    let mode = mode(&turn.session.request.command, turn.session.request.force);
    let resolving = match &turn.session.request.command {
        Command::Resolve { answers, lenient } => Some((answers.clone(), *lenient)),
        _ => None,
    };
    let ours = |decision: &&Decision| decision.backend.as_ref().is_none_or(|of| *of == name);
    let decisions: Vec<Decision> = match turn.relay.afresh {
        true => Vec::new(),
        false => turn.book.meta.decisions.iter().filter(ours).cloned().collect(),
    };
    let tasks: BTreeMap<Key, Task> = world
        .artifacts
        .iter()
        .filter_map(|(key, artifact)| {
            let held = turn.relay.holds_back(turn.backend.name(), key);
            let mode = Mode { push: mode.push && !held, ..mode };
            Some((key.clone(), work::task(artifact, mode, &decisions)?))
        })
        .collect();
    note_open(turn, &tasks, resolving.is_some());
    let mut executed = Executed::default();
    let writes = turn.session.request.command.writes() && !turn.session.request.dry_run;
    if let Some((answers, lenient)) = &resolving {
        resolve::resolve(turn, &world, answers, *lenient)?;
    } else if turn.session.request.command.writes() {
        match guard(turn, &world, &tasks).await {
            // The plan is what a person has to look at now.
            Err(stop @ RunError::Guarded(_)) if !writes => turn.report.stopped = Some(stop),
            Err(stop) => return Err(stop.into()),
            Ok(()) => {}
        }
        if writes {
            check_schema(turn, &mut world, &tasks).await.map_err(Failure::smelt)?;
            if mode.push {
                relabel::send(turn, &mut world).await?;
            }
            let mut hands = turn.hands(&mut world);
            executed = execute::execute(&mut hands, &tasks).await?;
        }
    }
    turn.relay.bring(turn.backend.name(), turn.label, brought(&executed, &world, &tasks));
    // An answer takes nothing up: what was observed waits for a run that acts on it.
    if writes && resolving.is_none() {
        let declined = publishing::declined(turn.session, &turn.relay.outgoing);
        let mut pen = Pen {
            git: turn.session.git.as_ref(),
            tree: turn.tree,
            backend: turn.backend,
            book: turn.book,
            world: &world,
            published: turn.published,
            run: &turn.session.run,
            whole: turn.session.request.artifacts.is_empty(),
            declined,
        };
        finish::finish(&mut pen, &tasks, &executed).await?;
        relabel::forget_unnamed(turn.book, &world, turn.backend.name());
        resolve::tidy(turn.book, &world, turn.backend.name());
    }
    report(turn, &world, &tasks, &executed, writes).await?;
    if (!writes || resolving.is_some()) && !turn.relay.alone {
        foresee(turn, &mut world, &tasks).await?;
    }
    let request = &turn.session.request;
    let syncs = matches!(request.command, Command::Sync | Command::Push | Command::Pull);
    if writes && syncs && request.artifacts.is_empty() && request.kinds.is_empty() {
        environment::note(turn);
        environment::show(turn, identity, Make::Never).await;
    }
    if writes {
        turn.book.meta.mapping.clone_from(&turn.session.config.mapping_hash);
        let request = &turn.session.request;
        // Whoever was not looked at may have proposals that the branch held in between.
        let whole =
            request.artifacts.is_empty() && request.kinds.is_empty() && turn.relay.completes;
        if let (true, super::Published::Branch { head: Some(head), .. }) = (whole, turn.published) {
            turn.book.meta.content = Some(head.to_string());
        }
        let message = turn.session.message(&format!(
            "{}: {}",
            turn.session.request.command.name(),
            turn.report.summary()
        ));
        turn.book.owe(message);
    }
    match executed.stop {
        Some(error) => {
            turn.report.stopped = Some(RunError::from(error));
            Ok(())
        }
        None => Ok(()),
    }
}

/// Tells the other turns what is open here. An answer may be given again while it has not taken effect.
fn note_open(turn: &mut Turn<'_>, tasks: &BTreeMap<Key, Task>, with_answered: bool) {
    let (backend, label) = (turn.backend.name().to_owned(), turn.label.to_owned());
    turn.relay.open.retain(|one| one.backend != backend);
    for (key, task) in tasks {
        let answered = task.answered.iter().filter(|_| with_answered).map(|(one, _)| (one, true));
        for (conflict, answered) in task.conflicts.iter().map(|one| (one, false)).chain(answered) {
            let by = turn.relay.bringer(&backend, key, &conflict.stretch);
            let one = Open {
                backend: backend.clone(),
                label: label.clone(),
                conflict: conflict.clone(),
                brought_by: by.map(|(name, _)| name.to_owned()),
                answered,
                yields: task.yields.contains_key(&conflict.fingerprint),
                given: None,
            };
            turn.relay.open.push(one);
        }
    }
}

/// What was changed in which files.
fn brought(
    executed: &Executed,
    world: &World,
    tasks: &BTreeMap<Key, Task>,
) -> Vec<(Key, Vec<Stretch>)> {
    let stretches = |key: &Key, local: Action| match local {
        Action::Edit => tasks.get(key).map(|task| task.pull.keys().cloned().collect()),
        _ => world.artifacts.get(key).map(|artifact| artifact.stretches.keys().cloned().collect()),
    };
    let changed = executed.outcomes.iter().filter(|(_, outcome)| outcome.local != Action::None);
    changed
        .map(|(key, outcome)| (key.clone(), stretches(key, outcome.local).unwrap_or_default()))
        .collect()
}

/// Lets those that come later see what this backend would bring to the files; the tree is a draft.
async fn foresee(
    turn: &mut Turn<'_>,
    world: &mut World,
    tasks: &BTreeMap<Key, Task>,
) -> Result<(), RunError> {
    // What is only foreseen is no part of the state.
    let known = turn.book.clone();
    let executed = execute::foresee(&mut turn.hands(world), tasks).await;
    *turn.book = known;
    let executed = executed?;
    turn.relay.bring(turn.backend.name(), turn.label, brought(&executed, world, tasks));
    Ok(())
}

/// One observation of the repository and the backend.
pub(super) async fn look(
    turn: &mut Turn<'_>,
    identity: &Identity,
    places: &BTreeMap<String, Place>,
) -> Result<World, RunError> {
    let full = turn.session.request.full;
    // Rules are about how artifacts hang together: all of them are looked at.
    let janitor = matches!(turn.session.request.command, Command::Janitor { .. });
    let artifacts = match janitor {
        true => Vec::new(),
        false => turn.session.request.artifacts.clone(),
    };
    let selected = move |key: &Key| {
        artifacts.is_empty() || artifacts.iter().any(|selector: &Selector| selector.matches(key))
    };
    let eyes = Eyes {
        tree: turn.tree,
        backend: turn.backend,
        book: turn.book,
        kinds: turn.kinds.clone(),
        places: places.clone(),
        selected: &selected,
        full: full || janitor,
        every: janitor,
        reread: full && janitor,
        full_every: turn.session.config.full_every,
        identity: identity.clone(),
        git: turn.session.git.as_ref(),
        published: turn.published,
        allow_delete: turn.session.request.allow.delete,
        forget: turn.session.request.allow.history,
        writes: turn.session.request.command.writes() && !turn.session.request.dry_run,
        work_tree: turn.session.work_tree.as_deref(),
        web: turn.web,
        progress: turn.session.progress,
    };
    let observation = observe::observe(eyes);
    match &turn.gate {
        // Reading changes nothing, so a signal ends it at once.
        Some(_) => tokio::select! {
            world = observation => world,
            () = turn.session.stop.told() => Err(Stop::error()),
        },
        None => observation.await,
    }
}

fn mode(command: &Command, force: Option<Side>) -> Mode {
    match command {
        Command::Pull => Mode { pull: true, push: false, force },
        Command::Push => Mode { pull: false, push: true, force },
        _ => Mode { pull: true, push: true, force },
    }
}

pub(super) fn not_initialised(
    turn: &mut Turn<'_>,
    places: &BTreeMap<String, Place>,
    missing: &[String],
) -> Result<(), RunError> {
    let databases: Vec<String> = missing
        .iter()
        .filter_map(|name| turn.kinds.get(name))
        .map(|kind| format!("\"{}\"", kind.database))
        .collect();
    let databases = databases.join(", ");
    if !turn.session.request.command.writes() && places.is_empty() && !turn.book.exists() {
        turn.report.notices.push(format!(
            "{} is not initialised: `agent-sync init` would create the databases {databases}, and `agent-sync sync` \
             a page for each file.",
            turn.label
        ));
        return Ok(());
    }
    Err(RunError::Refused(format!(
        "{} has no database {databases} under the parent page. Share it with the connection if it exists, or \
         run `agent-sync init`, which creates it.",
        turn.label
    )))
}

/// An artifact that was named must exist somewhere.
pub(super) fn note_selected(turn: &mut Turn<'_>, world: &World) {
    for selector in &turn.session.request.artifacts {
        let known = world.scan.files.keys().any(|key| selector.matches(key))
            || world.page_of.keys().any(|key| selector.matches(key));
        if known {
            turn.relay.known.insert(selector.clone());
        }
    }
}

/// Rule 9, before the first write.
pub(super) async fn guard(
    turn: &mut Turn<'_>,
    world: &World,
    tasks: &BTreeMap<Key, Task>,
) -> Result<(), RunError> {
    let name = turn.backend.name();
    let mut existing: BTreeMap<String, usize> = BTreeMap::new();
    let known = turn.book.records.values().filter(|record| record.backend == name);
    let keys: BTreeSet<&Key> =
        known.map(|record: &Record| &record.key).chain(world.scan.files.keys()).collect();
    for key in keys {
        *existing.entry(key.kind.clone()).or_default() += 1;
    }
    let halved = damage::halved(turn.backend.dialect(), turn.book, world, tasks).await?;
    let damage = work::damage(world, tasks, &existing, &halved);
    let limits = &turn.session.config.limits;
    let allow = &turn.session.request.allow;
    let stops = plan::guard(
        &damage,
        f64::from(limits.max_delete.get()),
        f64::from(limits.max_change.get()),
        allow.delete,
        allow.change,
    );
    match stops.is_empty() {
        true => Ok(()),
        false => {
            let messages: Vec<String> = stops.into_iter().map(|stop| stop.message).collect();
            Err(RunError::Guarded(messages.join(" ")))
        }
    }
}

/// Reads the schema of every database that will be written to: what is mapped must be there.
pub(super) async fn check_schema(
    turn: &mut Turn<'_>,
    world: &mut World,
    tasks: &BTreeMap<Key, Task>,
) -> Result<(), RunError> {
    let written: BTreeSet<String> = tasks
        .iter()
        .filter(|(_, task)| task.writes_remote())
        .map(|(key, _)| key.kind.clone())
        .collect();
    let backend = turn.backend;
    let jobs = written.iter().filter_map(|name| {
        let kind = turn.kinds.get(name)?;
        let place = world.places.get(name)?;
        Some(async move { Ok::<_, RunError>((name.clone(), backend.schema(kind, place).await?)) })
    });
    let schemas = futures::future::try_join_all(jobs).await?;
    for (name, schema) in schemas {
        let Some(kind) = turn.kinds.get(&name) else { continue };
        if !schema.drift.is_empty() {
            let drift: Vec<&str> =
                schema.drift.iter().map(|drift| drift.message.as_str()).collect();
            return Err(RunError::Refused(format!(
                "The database \"{}\" does not have what is mapped to it, so nothing was written. {}",
                kind.database,
                drift.join(" ")
            )));
        }
        world.places.insert(name.clone(), schema.place.clone());
        turn.book.backend(backend.name()).places.insert(name, schema.place);
    }
    Ok(())
}

/// Puts what was planned or done into the report.
async fn report(
    turn: &mut Turn<'_>,
    world: &World,
    tasks: &BTreeMap<Key, Task>,
    executed: &Executed,
    wrote: bool,
) -> Result<(), RunError> {
    let mut findings: Vec<Finding> = world.findings.clone();
    findings.extend(executed.findings.iter().cloned());
    findings.sort();
    findings.dedup();
    turn.report.findings.extend(findings);
    turn.report.unchanged += world.unchanged;
    let resolving = matches!(turn.session.request.command, Command::Resolve { .. });
    for (key, artifact) in &world.artifacts {
        let Some(task) = tasks.get(key) else { continue };
        let outcome = executed.outcomes.get(key).cloned().unwrap_or_default();
        let (remote, local) = match wrote && !resolving {
            true => (outcome.remote, outcome.local),
            false => (task.remote, task.local),
        };
        let record = turn.book.record(turn.backend.name(), key);
        let url = artifact
            .page
            .as_ref()
            .map(|page| page.url.clone())
            .or_else(|| record.map(|record| record.url.clone()));
        let mut path = outcome.path.clone().or_else(|| artifact.path.clone());
        let open = if resolving { &[][..] } else { task.conflicts.as_slice() };
        for conflict in open {
            let texts = texts(turn, world, artifact, conflict).await?;
            let shown = ConflictReport::new(
                conflict,
                (turn.backend.name(), turn.label),
                turn.relay
                    .bringer(turn.backend.name(), key, &conflict.stretch)
                    .map(|(_, label)| label),
                path.as_deref(),
                url.as_deref(),
                artifact,
                texts,
            );
            let record = turn.book.record(turn.backend.name(), key);
            let since = record.and_then(|record| record.since(&conflict.stretch));
            turn.report.conflicts.push(ConflictReport {
                since: since.map(|day| day.to_string()),
                editor: editor(turn, world, artifact).await,
                yields_to: task.yields.get(&conflict.fingerprint).cloned(),
                ..shown
            });
        }
        for (conflict, decision) in &task.answered {
            turn.report.decided.push(DecisionReport::new(
                conflict,
                decision,
                (turn.backend.name(), turn.label),
            ));
        }
        let claim = world.claims.get(key).filter(|claim| claim.done || !wrote);
        let action = match action(remote, local, !open.is_empty(), !outcome.stale.is_empty(), task)
        {
            "unchanged" if claim.is_some() => "relabel",
            action => action,
        };
        let mut reason = reason(turn.label, artifact, task, &outcome.stale);
        if let Some(old) = claim.and_then(|claim| claim.old.as_ref()) {
            reason = format!("was {old}; {reason}");
        }
        let moved = match wrote {
            true => outcome.path.clone().filter(|path| artifact.path.as_ref() != Some(path)),
            false => rename::target(turn.tree, world, artifact, task),
        };
        let mut from = None;
        if let (Some(moved), Some(old), Action::Edit) = (moved, &artifact.path, local) {
            reason.push_str(&format!("; renamed from {old}"));
            path = Some(moved);
            from = Some(old.clone());
        }
        let entry = ArtifactReport {
            backend: turn.backend.name().to_owned(),
            kind: key.kind.clone(),
            id: key.id.clone(),
            path,
            from,
            url,
            action: action.to_owned(),
            reason,
            editor: match local != Action::None && turn.session.proposes() {
                true => editor(turn, world, artifact).await,
                false => None,
            },
            sides: Sides { remote, local },
        };
        if entry.action == "unchanged" {
            turn.report.unchanged += 1;
            continue;
        }
        if turn.session.request.command == Command::Diff {
            let texts = difference(turn, world, artifact, task).await?;
            turn.report.diffs.extend(texts);
        }
        turn.report.artifacts.push(entry);
    }
    Ok(())
}

/// Name of the person who edited the page last, where it may be read. What we wrote there is nobody's edit.
async fn editor(turn: &Turn<'_>, world: &World, artifact: &Artifact) -> Option<String> {
    let user = artifact.page.as_ref()?.edited_by.as_deref()?;
    let ours = world.identity.bot && world.identity.id == user;
    let name = if ours { None } else { turn.backend.user_name(user).await };
    name.map(|name| cut(&one_line(&name), NAME))
}

fn action(remote: Action, local: Action, conflict: bool, stale: bool, task: &Task) -> &'static str {
    match (remote, local) {
        (Action::Create, _) => "create-page",
        (_, Action::Create) => "create-file",
        (Action::Delete, _) => "trash-page",
        (_, Action::Delete) => "delete-file",
        (Action::Revive, _) => "restore-page",
        (Action::Edit, Action::Edit) => "merge",
        (Action::Edit, _) => "push",
        (_, Action::Edit) => "pull",
        _ if conflict => "conflict",
        _ if stale => "changed-meanwhile",
        _ if task.waiting => "waiting",
        _ => "unchanged",
    }
}

fn reason(label: &str, artifact: &Artifact, task: &Task, stale: &BTreeSet<Stretch>) -> String {
    let list = |stretches: &mut dyn Iterator<Item = &Stretch>| {
        stretches.map(Stretch::to_string).collect::<Vec<_>>().join(", ")
    };
    let mut parts = Vec::new();
    if !task.push.is_empty() {
        parts.push(format!("changed in the repository: {}", list(&mut task.push.keys())));
    }
    if !task.pull.is_empty() {
        parts.push(format!("changed in {label}: {}", list(&mut task.pull.keys())));
    }
    if !task.conflicts.is_empty() {
        let mut stretches = task.conflicts.iter().map(|conflict| &conflict.stretch);
        parts.push(format!("changed on both sides: {}", list(&mut stretches)));
    }
    if !stale.is_empty() {
        parts.push(format!(
            "changed during the run, left for the next: {}",
            list(&mut stale.iter())
        ));
    }
    if task.waiting {
        let waiting: Vec<&str> = artifact
            .steps
            .values()
            .filter_map(|step| match step {
                plan::Step::Push(_) => Some("a change waits for push"),
                plan::Step::Pull(_) => Some("a change waits for pull"),
                _ => None,
            })
            .take(1)
            .collect();
        parts.extend(waiting.iter().map(|text| (*text).to_owned()));
        if waiting.is_empty() {
            parts.push("waits for the other direction".to_owned());
        }
    }
    if parts.is_empty() {
        let text = match artifact.existence {
            plan::Existence::CreateRemote => "new in the repository".to_owned(),
            plan::Existence::CreateLocal => format!("new in {label}"),
            plan::Existence::TrashRemote => "deleted in the repository".to_owned(),
            plan::Existence::DeleteLocal => format!("trashed in {label}"),
            _ => "equal".to_owned(),
        };
        parts.push(text);
    }
    parts.join("; ")
}

/// Base, local and remote of a conflict as text for people.
async fn texts(
    turn: &Turn<'_>,
    world: &World,
    artifact: &Artifact,
    conflict: &Conflict,
) -> Result<[Option<String>; 3], RunError> {
    if let Some(block) = &conflict.block {
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        return Ok([text(&block.base), text(&block.local), text(&block.remote)]);
    }
    damage::three_texts(turn.backend.dialect(), turn.book, world, artifact, conflict).await
}

async fn difference(
    turn: &Turn<'_>,
    world: &World,
    artifact: &Artifact,
    task: &Task,
) -> Result<Vec<crate::report::Difference>, RunError> {
    let mut all = Vec::new();
    let stretches: BTreeSet<&Stretch> = task
        .push
        .keys()
        .chain(task.pull.keys())
        .chain(task.conflicts.iter().map(|conflict| &conflict.stretch))
        .collect();
    let every: Vec<Stretch> = match stretches.is_empty() {
        true => artifact.stretches.keys().cloned().collect(),
        false => stretches.into_iter().cloned().collect(),
    };
    for stretch in every {
        let Some(seen) = artifact.stretches.get(&stretch) else { continue };
        let shown = plan::conflict(&artifact.key, &stretch, seen, None);
        let texts =
            damage::three_texts(turn.backend.dialect(), turn.book, world, artifact, &shown).await?;
        let conflict = task.conflicts.iter().any(|conflict| conflict.stretch == stretch);
        all.push(crate::report::Difference {
            label: turn.label.to_owned(),
            key: artifact.key.clone(),
            path: artifact.path.clone(),
            stretch,
            conflict,
            texts,
        });
    }
    Ok(all)
}
