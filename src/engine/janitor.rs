//! janitor: one observation of everything, the rules over it, and with `--fix` what can be repaired (design §8).
//!
//! A repair is an ordinary change of a stretch: it is put into the plan as a value that both sides get, and goes the
//! way of a sync. Nothing else of the plan is touched: what waits for a sync goes on waiting.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::document;
use agent_sync_core::model::{Finding, Key, Severity, Stretch, Value};
use agent_sync_core::plan::{Content, Existence, Pair, Step};

use super::comments::Remark;
use super::execute::{self, Executed, Outcome};
use super::finish::{self, Pen};
use super::observe::World;
use super::work::{self, Action, Mode, Task};
use super::{RunError, Turn, comments, environment, publishing, sync};
use crate::backend::{Identity, Place};
use crate::janitor::{self, Fix, Found, Graph, Neighbourhood};
use crate::report::{ArtifactReport, Sides};

mod picture;

/// Repairs that a notice names.
const NAMED: usize = 10;

/// Times that repairs may make others necessary.
const ROUNDS: usize = 8;

/// Looks, and repairs where that is asked.
///
/// # Errors
/// What stops a run.
pub(super) async fn janitor(turn: &mut Turn<'_>, fix: bool) -> Result<(), RunError> {
    turn.check_mapping()?;
    let writes = fix && !turn.session.request.dry_run;
    let name = turn.backend.name().to_owned();
    // Whoever wrote what is recorded is who it is about; to write, the token has to be asked.
    let known = turn.book.backend(&name).identity.clone().filter(|_| !writes);
    let identity = match known {
        Some(identity) => identity,
        None => turn.backend.identity().await?,
    };
    let places = turn.places().await?;
    let missing: Vec<String> =
        turn.kinds.keys().filter(|name| !places.contains_key(*name)).cloned().collect();
    if !missing.is_empty() {
        return sync::not_initialised(turn, &places, &missing);
    }
    turn.book.backend(&name).places.extend(places.clone());
    let mut world = sync::look(turn, &identity, &places).await?;
    world.findings.extend(drift(turn, &places).await?);
    let mut graph = picture::graph(turn, &world).await?;
    sync::note_selected(turn, &world);
    if fix {
        let fixes = planned(turn, &graph);
        let done = repair(turn, &mut world, &fixes).await?;
        done.iter().for_each(|fix| graph.apply(fix));
    } else {
        turn.report.unchanged += world.artifacts.len();
    }
    let found = looked(turn, &graph);
    turn.report.neighbourhood = Neighbourhood::of(&graph, &found);
    turn.report.findings.extend(found.into_iter().map(|found| found.finding));
    let request = &turn.session.request;
    let whole = request.artifacts.is_empty() && request.kinds.is_empty();
    if turn.gate.is_some() && whole {
        tell_backend(turn, &world, &identity).await?;
    }
    Ok(())
}

/// Says in the backend what was found: a comment on the page of each finding, and the counts on the page about the
/// environment.
async fn tell_backend(
    turn: &mut Turn<'_>,
    world: &World,
    identity: &Identity,
) -> Result<(), RunError> {
    let told = |finding: &&Finding| finding.severity >= Severity::Warning;
    let findings: Vec<Finding> = turn.report.findings.iter().filter(told).cloned().collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut remarks = BTreeMap::new();
    for finding in &findings {
        *counts.entry(finding.rule.clone()).or_default() += 1;
        let named = finding.url.as_deref().and_then(|url| turn.backend.page_id(url));
        let of = finding.key.as_ref().and_then(|key| world.page_of.get(key).cloned());
        if let Some(page) = named.or(of) {
            let text = crate::report::remark(finding);
            remarks.insert(finding.fingerprint(), Remark { page, text });
        }
    }
    turn.book.meta.found = counts;
    comments::comment(turn, &identity.id, &remarks).await?;
    environment::show(turn, identity, environment::Make::Never).await;
    let message = turn.session.message(&format!("janitor: {} found", findings.len()));
    turn.commit(&message).await?;
    Ok(())
}

/// What the rules find at the artifacts that were asked about.
fn looked(turn: &Turn<'_>, graph: &Graph) -> Vec<Found> {
    let mut found = janitor::inspect(graph, &turn.session.config.janitor);
    if !turn.session.request.artifacts.is_empty() {
        let asked =
            |found: &Found| found.finding.key.as_ref().is_some_and(|key| turn.selected(key));
        found.retain(asked);
    }
    found
}

/// The repairs, and those that they make necessary, each with the rule that asks for it.
fn planned(turn: &Turn<'_>, graph: &Graph) -> Vec<(String, Fix)> {
    let mut graph = graph.clone();
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        let found = looked(turn, &graph).into_iter();
        let new: Vec<_> = found.filter_map(|one| Some((one.finding.rule, one.fix?))).collect();
        if new.is_empty() {
            break;
        }
        new.iter().for_each(|(_, fix)| graph.apply(fix));
        all.extend(new);
    }
    all
}

/// What is wrong with the schemas: 1 request for each database.
async fn drift(
    turn: &Turn<'_>,
    places: &BTreeMap<String, Place>,
) -> Result<Vec<Finding>, RunError> {
    let backend = turn.backend;
    let jobs = turn.kinds.values().filter_map(|kind| {
        let place = places.get(&kind.name)?;
        Some(async move { Ok::<_, RunError>((kind, backend.schema(kind, place).await?)) })
    });
    let schemas = futures::future::try_join_all(jobs).await?;
    let finding = |database: &str, drift: &crate::backend::Drift| Finding {
        rule: "schema-drift".to_owned(),
        severity: if drift.repairable { Severity::Warning } else { Severity::Error },
        key: None,
        path: None,
        line: None,
        url: None,
        message: format!("The database \"{database}\" is not as configured. {}", drift.message),
        fix: "Run `agent-sync init`, which repairs what can be repaired.".to_owned(),
        about: Some(format!("{database} {}", drift.property)),
    };
    let of = |(kind, schema): &(&agent_sync_core::kind::Kind, crate::backend::Schema)| {
        schema.drift.iter().map(|drift| finding(&kind.database, drift)).collect::<Vec<_>>()
    };
    Ok(schemas.iter().flat_map(of).collect())
}

/// What is to be repaired.
#[derive(Default)]
struct Repairs {
    /// New members of relations, with the rules that ask for them.
    links: BTreeMap<(Key, String), BTreeMap<String, String>>,
    /// Artifacts of whose page the state learns what was read.
    records: BTreeSet<Key>,
}

/// Repairs what can be repaired now; what was.
async fn repair(
    turn: &mut Turn<'_>,
    world: &mut World,
    fixes: &[(String, Fix)],
) -> Result<Vec<Fix>, RunError> {
    let mut repairs = Repairs::default();
    let mut waiting = BTreeSet::new();
    for (rule, fix) in fixes {
        match fix {
            Fix::Link { key, property, id } => {
                let members = repairs.links.entry((key.clone(), property.clone())).or_default();
                members.entry(id.clone()).or_insert_with(|| rule.clone());
            }
            Fix::Record { key } => drop(repairs.records.insert(key.clone())),
        }
    }
    let mut joins: BTreeMap<Key, BTreeMap<Stretch, Step>> = BTreeMap::new();
    repairs.links.retain(|(key, property), members| {
        let step = join(turn, world, key, property, members.keys());
        match step {
            Some(step) => {
                let stretch = Stretch::Property(property.clone());
                joins.entry(key.clone()).or_default().insert(stretch, step);
                true
            }
            None => {
                waiting.insert(format!("{property} of {key}"));
                false
            }
        }
    });
    repairs.records.retain(|key| turn.book.intents(turn.backend.name(), key).is_empty());
    if !waiting.is_empty() {
        let named: Vec<&str> = waiting.iter().take(NAMED).map(String::as_str).collect();
        let more = match waiting.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        turn.report.notices.push(format!(
            "Not repaired, because a sync has to come first or the file has no place for it: {}{more}.",
            named.join(", ")
        ));
    }
    turn.report.unchanged += world.artifacts.len();
    // From here on there is nothing but the repairs: no other change is executed or recorded.
    world.artifacts.retain(|key, _| joins.contains_key(key) || repairs.records.contains(key));
    turn.report.unchanged -= world.artifacts.len();
    let both = Mode { pull: true, push: true, force: None };
    let mut tasks: BTreeMap<Key, Task> = BTreeMap::new();
    for (key, artifact) in &mut world.artifacts {
        artifact.steps = joins.remove(key).unwrap_or_default();
        if !artifact.steps.is_empty() {
            tasks.extend(work::task(artifact, both, &[]).map(|task| (key.clone(), task)));
        }
    }
    let writes = !turn.session.request.dry_run;
    let executed = match writes {
        true => execute(turn, world, &tasks).await?,
        false => Executed::default(),
    };
    tell(turn, world, &tasks, &executed, &repairs);
    if !writes {
        return Ok(Vec::new());
    }
    let done = |fix: &&Fix| is_done(fix, &tasks, &executed, &repairs);
    let done = fixes.iter().map(|(_, fix)| fix).filter(done).cloned().collect();
    turn.report.findings.extend(executed.findings);
    let message =
        turn.session.message(&format!("janitor: {} repaired", turn.report.artifacts.len()));
    turn.commit(&message).await?;
    turn.report.stopped = executed.stop.map(RunError::from);
    Ok(done)
}

/// The relation with its new members as a step for both sides; `None` while anything about it is still to be synced,
/// and where the file has no place for them.
fn join<'i>(
    turn: &Turn<'_>,
    world: &World,
    key: &Key,
    property: &str,
    ids: impl Iterator<Item = &'i String>,
) -> Option<Step> {
    let artifact = world.artifacts.get(key)?;
    let stretch = Stretch::Property(property.to_owned());
    let seen = artifact.stretches.get(&stretch)?;
    let still = matches!(artifact.steps.get(&stretch), Some(Step::Nothing));
    let calm = !artifact.blocked
        && artifact.existence == Existence::Both
        && turn.book.intents(turn.backend.name(), key).is_empty();
    let relation = world.kinds.get(&key.kind)?.property(property)?;
    let target = relation.target.as_deref().unwrap_or(&key.kind);
    let ids: BTreeSet<String> = ids.cloned().collect();
    let there = |id: &String| world.page_of.contains_key(&Key::new(target, id.clone()));
    if !still || !calm || !ids.iter().all(there) {
        return None;
    }
    let held = [&seen.local, &seen.remote].into_iter().flatten().filter_map(|side| match side {
        Content::Value(Value::Set(ids)) => Some(ids.iter().cloned()),
        _ => None,
    });
    let value = Value::set(held.flatten().chain(ids)).map(Content::Value);
    // What the file has no place for would be on the page alone.
    let file = artifact.file.as_ref()?;
    let alone = artifact.local_only.get(property).into_iter().flatten().cloned();
    let whole = match &value {
        Some(Content::Value(Value::Set(ids))) => Value::set(ids.iter().cloned().chain(alone)),
        _ => None,
    };
    let kind = world.kinds.get(&key.kind)?;
    document::set(kind, &key.id, &file.text, property, whole.as_ref()).ok()?;
    let now = Pair::new(seen.local.clone(), seen.remote.clone());
    Some(Step::Join { base: seen.base.clone().unwrap_or(now), value })
}

/// The way of a sync, from its guards to its records.
async fn execute(
    turn: &mut Turn<'_>,
    world: &mut World,
    tasks: &BTreeMap<Key, Task>,
) -> Result<Executed, RunError> {
    sync::guard(turn, world, tasks).await?;
    sync::check_schema(turn, world, tasks).await?;
    let mut hands = turn.hands(world);
    let executed = execute::execute(&mut hands, tasks).await?;
    let declined = publishing::declined(turn.session, &turn.relay.outgoing);
    let mut pen = Pen {
        declined,
        git: turn.session.git.as_ref(),
        tree: turn.tree,
        backend: turn.backend,
        book: turn.book,
        world,
        published: turn.published,
        run: &turn.session.run,
        // What was listed was not taken up.
        whole: false,
    };
    finish::finish(&mut pen, tasks, &executed).await?;
    Ok(executed)
}

/// Whether all that a task was to do was done.
fn is_whole(task: &Task, outcome: Option<&Outcome>) -> bool {
    let Some(outcome) = outcome else { return false };
    let done = |wanted: Action, done: Action| wanted == Action::None || done != Action::None;
    outcome.stale.is_empty() && done(task.remote, outcome.remote) && done(task.local, outcome.local)
}

fn is_done(fix: &Fix, tasks: &BTreeMap<Key, Task>, executed: &Executed, repairs: &Repairs) -> bool {
    match fix {
        Fix::Link { key, property, .. } => {
            repairs.links.contains_key(&(key.clone(), property.clone()))
                && tasks.get(key).is_some_and(|task| is_whole(task, executed.outcomes.get(key)))
        }
        Fix::Record { key } => repairs.records.contains(key) && executed.stop.is_none(),
    }
}

/// Puts what was or would be repaired into the report.
fn tell(
    turn: &mut Turn<'_>,
    world: &World,
    tasks: &BTreeMap<Key, Task>,
    executed: &Executed,
    repairs: &Repairs,
) {
    let wrote = !turn.session.request.dry_run;
    for (key, artifact) in &world.artifacts {
        let outcome = executed.outcomes.get(key).cloned().unwrap_or_default();
        let task = tasks.get(key);
        let planned = task.map_or((Action::None, Action::None), |task| (task.remote, task.local));
        let (remote, local) = match wrote {
            true => (outcome.remote, outcome.local),
            false => planned,
        };
        let stale = wrote && !outcome.stale.is_empty();
        let mut reasons: Vec<String> = repairs
            .links
            .iter()
            .filter(|((of, _), _)| of == key)
            .map(|((_, property), members)| {
                let ids: Vec<&str> = members.keys().map(String::as_str).collect();
                let rules: BTreeSet<&str> = members.values().map(String::as_str).collect();
                let rules: Vec<&str> = rules.into_iter().collect();
                format!("{property} names {} ({})", ids.join(", "), rules.join(", "))
            })
            .collect();
        if repairs.records.contains(key) {
            reasons.push("what was read is recorded (diverged)".to_owned());
        }
        turn.report.artifacts.push(ArtifactReport {
            backend: turn.backend.name().to_owned(),
            kind: key.kind.clone(),
            id: key.id.clone(),
            path: artifact.path.clone(),
            from: None,
            url: artifact.page.as_ref().map(|page| page.url.clone()),
            action: if stale { "changed-meanwhile" } else { "repair" }.to_owned(),
            reason: reasons.join("; "),
            editor: None,
            sides: Sides { remote, local },
        });
    }
}
