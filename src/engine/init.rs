//! init: plans what is missing in the databases of the shared kinds, and makes exactly that.

use std::collections::BTreeMap;

use agent_sync_core::kind::Kind;
use agent_sync_core::model::{Key, Stretch};
use agent_sync_core::schema::Change;

use super::book::{Book, stretch_name};
use super::environment::{self, Make};
use super::template::{self, Row};
use super::{RunError, Turn};
use crate::backend::{BackendError, Identity, Place};
use crate::report::{ArtifactReport, SchemaChange};

/// Runs `init` on one backend. Requests with nothing to do: 1 for our identity, 2 for each database (6 at most). Where
/// the state does not know a database, 1 or 2 to see whose it is, and at most 3 for the page about the environment.
///
/// # Errors
/// What the backend says. What only a person can repair stops the run at its end.
pub(super) async fn init(turn: &mut Turn<'_>) -> Result<(), RunError> {
    let identity = turn.backend.identity().await?;
    if let Some(stop) = databases(turn, &identity).await? {
        turn.report.stopped = Some(stop);
        return Ok(());
    }
    adopt(turn).await
}

/// Takes over a table of the older system, where one is named.
async fn adopt(turn: &mut Turn<'_>) -> Result<(), RunError> {
    let request = turn.session.request;
    let Some(table) = request.from_table.as_deref().filter(|_| !request.dry_run) else {
        return Ok(());
    };
    let kinds: Vec<&Kind> = turn.kinds.values().collect();
    for key in turn.backend.adopt(&kinds, table).await? {
        turn.report.artifacts.push(ArtifactReport {
            backend: turn.backend.name().to_owned(),
            kind: key.kind,
            id: key.id,
            action: "adopt-row".to_owned(),
            ..ArtifactReport::default()
        });
    }
    let message = turn.session.message(&format!("init: took over the table {table:?}"));
    turn.commit(&message).await?;
    Ok(())
}

/// What is to be done at one kind's place.
struct Job {
    kind: Kind,
    place: Option<Place>,
    changes: Vec<Change>,
    row: Option<Row>,
    /// Whether the place that the state knew is gone: none of the known pages is where it was.
    moved: bool,
}

impl Job {
    fn is_missing(&self) -> bool {
        self.place.is_none()
    }

    fn does_something(&self) -> bool {
        self.row.as_ref().is_some_and(Row::is_written)
            || self.changes.iter().any(Change::is_possible)
    }
}

/// Makes and repairs the databases; who we are is known. Answers with what is left to a person.
///
/// # Errors
/// As [`init`].
pub(super) async fn databases(
    turn: &mut Turn<'_>,
    identity: &Identity,
) -> Result<Option<RunError>, RunError> {
    let name = turn.backend.name().to_owned();
    let before = turn.book.backend(&name).places.clone();
    let located = turn.places().await?;
    let mut make = Make::Search;
    if !turn.session.request.dry_run && turn.kinds.keys().any(|kind| !before.contains_key(kind)) {
        make = environment::check(turn, identity).await?;
    }
    // Kinds that take no part are targets of relations all the same.
    let mut places = before.clone();
    places.extend(located.clone());
    // All are looked at before one is written to: what cannot be seen stops init before its first change.
    for kind in turn.kinds.keys().filter(|kind| !located.contains_key(*kind)) {
        places.insert(kind.clone(), Place::default());
    }
    let mut jobs = Vec::new();
    for kind in turn.kinds.values().cloned().collect::<Vec<_>>() {
        let place = located.get(&kind.name).cloned();
        jobs.push(job(turn, kind, place, &mut places).await?);
    }
    places.retain(|_, place| !place.data_source.is_empty());
    let left = report(turn, &jobs, &name);
    if turn.session.request.dry_run {
        return Ok(left);
    }
    let missing: Vec<&Kind> =
        jobs.iter().filter(|job| job.is_missing()).map(|job| &job.kind).collect();
    // A table that cannot be made whole is not made.
    let blocked =
        jobs.iter().any(|job| job.is_missing() && !job.changes.iter().all(Change::is_possible));
    if blocked {
        return Ok(left);
    }
    for job in jobs.iter().filter(|job| job.moved || job.is_missing()) {
        forget(turn.book, &name, &job.kind.name);
    }
    if !missing.is_empty() {
        let made = turn.backend.create_places(&missing, &places).await?;
        places.extend(made);
        // A database that was made and not recorded would be found by its title; recording it is cheaper.
        turn.book.backend(&name).places.extend(places.clone());
        let message = super::partial("databases that were made", &turn.session.run);
        turn.commit(&message).await?;
    }
    for job in &jobs {
        let kind = &job.kind.name;
        let Some(mut place) = places.get(kind).cloned() else { continue };
        if job.changes.iter().any(|change| change.is_possible() && *change != Change::Create) {
            let repaired = turn.backend.repair(&job.kind, &place, &places, &job.changes).await?;
            turn.report.notices.extend(repaired.notices);
            place = repaired.place;
        }
        if let Some(row) = &job.row {
            template::write(turn, &job.kind, &mut place, row).await?;
        }
        if let Some(before) = before.get(kind) {
            forget_values(turn.book, &name, kind, before, &place);
        }
        places.insert(kind.clone(), place);
    }
    turn.book.backend(&name).places.extend(places);
    if left.is_none() {
        turn.book.meta.mapping.clone_from(&turn.session.config.mapping_hash);
    }
    environment::show(turn, identity, make).await;
    let message = turn.session.message(&format!("init: {}", turn.report.summary()));
    turn.commit(&message).await?;
    Ok(left)
}

/// Plans one kind. A place that the state knows and that is nowhere any more is one that does not exist: where it
/// still stands on the parent page it is only not shared, and that is an error.
async fn job(
    turn: &mut Turn<'_>,
    kind: Kind,
    mut place: Option<Place>,
    places: &mut BTreeMap<String, Place>,
) -> Result<Job, RunError> {
    let mut moved = false;
    let mut plan = turn.backend.plan(&kind, place.as_ref(), places).await;
    if let (Some(known), Err(lost @ BackendError::NotFound { .. })) = (&place, &plan) {
        let found = turn.backend.locate(&[&kind], &BTreeMap::new()).await?.remove(&kind.name);
        if found.as_ref().is_some_and(|found| found.data_source == known.data_source) {
            return Err(lost.clone().into());
        }
        moved = true;
        places.insert(kind.name.clone(), found.clone().unwrap_or_default());
        place = found;
        plan = turn.backend.plan(&kind, place.as_ref(), places).await;
    }
    let plan = plan?;
    is_lost(turn, &plan.changes, places).await?;
    turn.report.notices.extend(plan.notices);
    if let Some(place) = &plan.place {
        places.insert(kind.name.clone(), place.clone());
    }
    let row = template::plan(turn, &kind, plan.place.as_ref()).await?;
    Ok(Job { kind, place: plan.place, changes: plan.changes, row, moved })
}

/// A relation also vanishes where its target is not shared any more, and then it is not lost. The targets that take
/// part were looked at; of the others, 1 request for each relation that vanished.
async fn is_lost(
    turn: &Turn<'_>,
    changes: &[Change],
    places: &BTreeMap<String, Place>,
) -> Result<(), RunError> {
    for change in changes {
        let Change::AddColumn { column, lost: true } = change else { continue };
        let Some(target) = column.relation.as_ref().map(|relation| &relation.target) else {
            continue;
        };
        let kind = turn.session.config.kinds.get(target);
        let known = kind.zip(places.get(target)).filter(|_| !turn.kinds.contains_key(target));
        if let Some((kind, place)) = known {
            turn.backend.schema(kind, place).await?;
        }
    }
    Ok(())
}

/// Puts the plan into the report, and says what is left to a person.
fn report(turn: &mut Turn<'_>, jobs: &[Job], backend: &str) -> Option<RunError> {
    let mut left = Vec::new();
    for job in jobs {
        let (kind, database) = (&job.kind.name, &job.kind.database);
        for change in &job.changes {
            let entry = SchemaChange::new(backend, kind, database, turn.label, change);
            if !change.is_possible() {
                left.push(format!("{} {}", entry.message, entry.fix));
            }
            turn.report.schema.push(entry);
        }
        if let Some(row) = job.row.as_ref().filter(|row| row.is_written()) {
            turn.report.schema.push(SchemaChange::template(
                backend,
                kind,
                database,
                &row.path,
                row.is_new(),
            ));
        }
        if job.does_something() {
            let action = if job.is_missing() { "create-database" } else { "repair-database" };
            turn.report.artifacts.push(ArtifactReport {
                backend: backend.to_owned(),
                kind: kind.clone(),
                id: database.clone(),
                action: action.to_owned(),
                ..ArtifactReport::default()
            });
        }
    }
    (!left.is_empty()).then(|| RunError::Refused(left.join(" ")))
}

/// A database that is made anew holds no page that is known: its artifacts have no base (rule 5), so that files
/// become pages and nothing is taken for deleted.
fn forget(book: &mut Book, backend: &str, kind: &str) {
    book.records.retain(|(of, key), _| of != backend || key.kind != kind);
    book.backend(backend).cursors.remove(kind);
}

/// A property that was lost and is made anew is unset on every page. That is nobody's edit: without its base it is
/// absent there (rule 5), and the files' values are sent.
fn forget_values(book: &mut Book, backend: &str, kind: &str, before: &Place, now: &Place) {
    if before.data_source != now.data_source {
        return;
    }
    let anew =
        |(name, id): &(&String, &String)| now.properties.get(*name).is_some_and(|now| now != *id);
    let lost: Vec<String> = before
        .properties
        .iter()
        .filter(anew)
        .map(|(name, _)| stretch_name(&Stretch::Property(name.clone())))
        .collect();
    if lost.is_empty() {
        return;
    }
    let of_kind = |(of, key): &(String, Key)| of == backend && key.kind == kind;
    for (_, record) in book.records.iter_mut().filter(|(key, _)| of_kind(key)) {
        for name in &lost {
            record.bases.remove(name);
            record.proposed.remove(name);
            record.pushed_by.remove(name);
        }
        record.clean = None;
    }
}
