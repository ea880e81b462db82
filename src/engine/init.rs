//! init: finds or creates the databases of the shared kinds, and adds what is missing in them.

use std::collections::BTreeSet;

use agent_sync_core::kind::Kind;

use super::{RunError, Turn};
use crate::backend::Schema;
use crate::report::ArtifactReport;

/// Runs `init` on one backend. Requests: 1 for our identity, 1 for the parent's children where a database is not
/// known yet, 2 for each found, 1 for each created, 1 for each schema, 1 for each repair.
///
/// # Errors
/// What the backend says; a schema that cannot be repaired without losing a value.
pub(super) async fn init(turn: &mut Turn<'_>) -> Result<(), RunError> {
    turn.backend.identity().await?;
    databases(turn).await?;
    adopt(turn).await
}

/// Takes over a table of the older system, where one is named.
async fn adopt(turn: &mut Turn<'_>) -> Result<(), RunError> {
    let request = turn.session.request;
    let Some(table) = request.from_table.as_deref().filter(|_| !request.dry_run) else {
        return Ok(());
    };
    let kinds: Vec<&Kind> = turn.kinds.values().collect();
    let name = turn.backend.name().to_owned();
    for key in turn.backend.adopt(&kinds, table).await? {
        let new = entry(&name, &key.kind, &key.id, "adopt-row");
        turn.report.artifacts.push(new);
    }
    let message = turn.message(&format!("init: took over the table {table:?}"));
    turn.commit(&message).await?;
    Ok(())
}

/// Makes and repairs the databases; who we are is known.
///
/// # Errors
/// As [`init`].
pub(super) async fn databases(turn: &mut Turn<'_>) -> Result<(), RunError> {
    let name = turn.backend.name().to_owned();
    let mut places = turn.places().await?;
    let missing: Vec<_> =
        turn.kinds.values().filter(|kind| !places.contains_key(&kind.name)).cloned().collect();
    let dry = turn.session.request.dry_run;
    for kind in &missing {
        turn.report.artifacts.push(entry(&name, &kind.name, &kind.database, "create-database"));
    }
    if !dry && !missing.is_empty() {
        let wanted: Vec<_> = missing.iter().collect();
        let made = turn.backend.create_places(&wanted, &places).await?;
        places.extend(made);
        // A database that was made and not recorded would be found by its title; recording it is cheaper.
        turn.book.backend(&name).places.extend(places.clone());
        let message = super::partial("databases that were made", &turn.session.run);
        turn.commit(&message).await?;
    }
    let mut unrepairable = Vec::new();
    let mut repairs = Vec::new();
    for kind in turn.kinds.values() {
        let Some(place) = places.get(&kind.name).cloned() else { continue };
        if missing.iter().any(|made| made.name == kind.name) {
            continue;
        }
        // All are read before one is written to: what cannot be seen stops init before its first change.
        let schema = turn.backend.schema(kind, &place).await?;
        if schema.drift.is_empty() && !lacks_options(kind, &schema) {
            places.insert(kind.name.clone(), schema.place);
            continue;
        }
        let hopeless: Vec<_> = schema.drift.iter().filter(|drift| !drift.repairable).collect();
        if !hopeless.is_empty() {
            unrepairable.extend(
                hopeless.iter().map(|drift| format!("\"{}\": {}", kind.database, drift.message)),
            );
            continue;
        }
        turn.report.artifacts.push(entry(&name, &kind.name, &kind.database, "repair-database"));
        repairs.push((kind, place));
    }
    if !dry {
        for (kind, place) in repairs {
            let repaired = turn.backend.repair(kind, &place, &places).await?;
            unrepairable.extend(
                repaired
                    .drift
                    .iter()
                    .map(|drift| format!("\"{}\": {}", kind.database, drift.message)),
            );
            places.insert(kind.name.clone(), repaired.place);
        }
    }
    if !unrepairable.is_empty() {
        return Err(RunError::Refused(unrepairable.join(" ")));
    }
    if !dry {
        turn.book.backend(&name).places.extend(places);
        turn.book.meta.mapping.clone_from(&turn.session.config.mapping_hash);
        let message = turn.message(&format!("init: {}", turn.report.summary()));
        turn.commit(&message).await?;
    }
    Ok(())
}

/// Whether an option that is configured is not there; names are compared as Notion does, without case.
fn lacks_options(kind: &Kind, schema: &Schema) -> bool {
    kind.properties.iter().any(|property| {
        schema.options.get(&property.name).is_some_and(|there| {
            let there: BTreeSet<String> = there.iter().map(|name| name.to_lowercase()).collect();
            property.options.iter().any(|(_, name)| !there.contains(&name.to_lowercase()))
        })
    })
}

fn entry(backend: &str, kind: &str, database: &str, action: &str) -> ArtifactReport {
    ArtifactReport {
        backend: backend.to_owned(),
        kind: kind.to_owned(),
        id: database.to_owned(),
        action: action.to_owned(),
        reason: String::new(),
        ..ArtifactReport::default()
    }
}
