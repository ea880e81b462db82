//! Taking over a table of the older system: a row for each version of an artifact, with `id`, `type`, `content`,
//! `version`, `state` and `author`.

use std::collections::BTreeMap;

use agent_sync_core::document;
use agent_sync_core::kind::Kind;
use agent_sync_core::markdown::{self, Dialect, Local};
use agent_sync_core::model::{Key, Value};
use serde_json::{Map, Value as Json};

use super::engine::{Row, Want};
use super::row::{self, Targets};
use super::{Database, new_uid};
use crate::backend::BackendError;

/// A row of that table.
struct Old {
    kind: String,
    id: Option<String>,
    version: i64,
    content: String,
    columns: Map<String, Json>,
}

fn text(columns: &Map<String, Json>, name: &str) -> Option<String> {
    match columns.get(name)? {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The configured kind that a type means: its name, in singular or plural, or the title of its database.
fn kind_of<'k>(kinds: &[&'k Kind], name: &str) -> Option<&'k Kind> {
    let name = name.trim().to_lowercase();
    let means = |kind: &&&Kind| {
        let own = kind.name.to_lowercase();
        name == own || name == format!("{own}s") || name == kind.database.to_lowercase()
    };
    kinds.iter().find(means).copied()
}

impl Database {
    /// Queues a row for each artifact of an older table that has none yet, with its newest version. The table stays as
    /// it is. What has no configured kind comes along as it is.
    pub(super) async fn take_over(
        &self,
        kinds: &[&Kind],
        table: &str,
    ) -> Result<Vec<Key>, BackendError> {
        self.count("read table", 1);
        let mut newest: BTreeMap<(String, Option<String>, usize), Old> = BTreeMap::new();
        for (n, columns) in self.engine.table(table).await?.into_iter().enumerate() {
            let r#type = text(&columns, "type").or_else(|| text(&columns, "kind"));
            let r#type = r#type.unwrap_or_default();
            let kind = kind_of(kinds, &r#type).map_or(r#type, |kind| kind.name.clone());
            let id = text(&columns, "id").filter(|id| !id.trim().is_empty());
            let version = text(&columns, "version").and_then(|v| v.parse().ok()).unwrap_or(0);
            let content = text(&columns, "content").or_else(|| text(&columns, "body"));
            let content = content.unwrap_or_default();
            // Rows without an id are artifacts of their own, each.
            let slot = (kind.clone(), id.clone(), if id.is_some() { 0 } else { n });
            if newest.get(&slot).is_none_or(|old| old.version <= version) {
                newest.insert(slot, Old { kind, id, version, content, columns });
            }
        }
        let names: Vec<(String, i64)> = newest.values().map(|old| (old.kind.clone(), -1)).collect();
        let names: BTreeMap<String, i64> = names.into_iter().collect();
        self.count("read rows", 1);
        let there = self.engine.rows(&Want::Changed(names.into_iter().collect())).await?;
        let known = |old: &Old| {
            let same = |row: &Row| row.kind == old.kind && row.id == old.id && old.id.is_some();
            there.rows.iter().any(same)
        };
        let mut adopted = Vec::new();
        for old in newest.into_values().filter(|old| !known(old)) {
            super::backend::check_text([old.content.as_str()])?;
            adopted.push(Key::new(&old.kind, old.id.clone().unwrap_or_default()));
            let (row, body) = as_row(kind_of(kinds, &old.kind), old);
            self.data().queue.adopt(row, body);
        }
        Ok(adopted)
    }
}

/// The row that an older one becomes.
fn as_row(kind: Option<&Kind>, old: Old) -> (Row, String) {
    let mut row = Row { uid: new_uid(), kind: old.kind, id: old.id, ..Row::default() };
    row.title = text(&old.columns, "title");
    row.author = text(&old.columns, "author");
    let state = text(&old.columns, "state").or_else(|| text(&old.columns, "status"));
    let Some(kind) = kind else {
        row.status = state;
        return (row, old.content);
    };
    let id = row.id.clone().unwrap_or_default();
    let document = document::parse(kind, &id, "", &old.content);
    let mut values = document.properties();
    let title = kind.title().map(|title| title.name.clone());
    if let (Some(name), Some(title)) = (title, row.title.as_deref().or(Some(id.as_str()))) {
        values.entry(name).or_insert_with(|| Value::Text(title.to_owned()));
    }
    let targets = Targets { uids: &BTreeMap::new(), names: &BTreeMap::new() };
    row::set(kind, &mut row, values.iter().map(|(name, value)| (name, Some(value))), &targets);
    row.status = row.status.take().or(state);
    let local = Local {
        text: &old.content,
        excluded: &document.excluded,
        format: kind.format,
        links: None,
    };
    let body = markdown::render_remote(&local, Dialect::Markdown);
    (row, body)
}
