//! A database as a backend: reads by the handful, writes that wait for the commit.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use agent_sync_core::kind::{Kind, PropertyType, Source};
use agent_sync_core::markdown::{Dialect, Hunk};
use agent_sync_core::model::{Key, Properties, Value};
use agent_sync_core::schema::Change;
use async_trait::async_trait;
use jiff::Timestamp;

use super::engine::{Relation, Row, Want};
use super::row::{self, AUTHOR, Targets, moment, time};
use super::{Data, Database, new_uid};
use crate::backend::{
    Backend, BackendError, BodyRead, Drift, Identity, Life, Listing, Place, Presence, RemotePage,
    Repaired, Requests, Schema, WriteGate,
};

fn relations(kind: &Kind) -> Vec<Relation> {
    let of = kind.properties.iter().filter(|p| p.r#type == PropertyType::Relation);
    let relation = |property: &agent_sync_core::kind::Property| Relation {
        kind: kind.name.clone(),
        property: property.name.clone(),
        target: property.target.clone().unwrap_or_else(|| kind.name.clone()),
    };
    let mut out: Vec<Relation> = of.map(relation).collect();
    out.sort();
    out
}

fn place(kind: &Kind) -> Place {
    Place {
        database: "artifacts".to_owned(),
        data_source: kind.name.clone(),
        properties: BTreeMap::new(),
        made: Default::default(),
    }
}

fn no_row(uid: &str) -> BackendError {
    BackendError::NotFound {
        message: format!("There is no row `{uid}` in the table artifacts."),
        remedy: "It was deleted for good; bring it back, or delete the file.".to_owned(),
    }
}

/// A text that a database cannot hold.
pub(super) fn check_text<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<(), BackendError> {
    match texts.into_iter().any(|text| text.contains('\0')) {
        true => Err(BackendError::Rejected {
            message: "A database cannot hold the character NUL.".to_owned(),
        }),
        false => Ok(()),
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Text(text) => vec![text],
        Value::Set(members) => members.iter().map(String::as_str).collect(),
    }
}

impl Database {
    fn page_of(&self, data: &Data, kind: &Kind, row: &Row) -> RemotePage {
        let targets = Targets { uids: &data.uids, names: &data.names };
        let mut page = row::page(self.name(), kind, row, &targets);
        if row.kind != kind.name && page.life == Life::Alive {
            page.life = Life::Moved;
        }
        page
    }

    /// Queues a change of a row.
    async fn change(
        &self,
        kind: &Kind,
        uid: &str,
        change: impl FnOnce(&mut Row, &Data) + Send,
    ) -> Result<RemotePage, BackendError> {
        if let Some(reason) = self.closed() {
            return Err(BackendError::Closed(reason));
        }
        let Some(mut row) = self.row(uid).await? else { return Err(no_row(uid)) };
        let mut data = self.data();
        let before = row.clone();
        change(&mut row, &data);
        if row != before {
            row = data.queue.write(false, row, None);
        }
        Ok(self.page_of(&data, kind, &row))
    }

    /// Queues a new body of a row.
    fn write_body(&self, row: Row, text: String) -> BodyRead {
        let row = self.data().queue.write(false, row, Some(text.clone()));
        BodyRead { text, complete: true, began: time(row.body_version) }
    }

    async fn row_and_body(&self, uid: &str) -> Result<(Row, String), BackendError> {
        let Some(row) = self.row(uid).await? else { return Err(no_row(uid)) };
        let Some(body) = self.body(uid).await? else { return Err(no_row(uid)) };
        Ok((row, body))
    }
}

#[async_trait]
impl Backend for Database {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn label(&self) -> &'static str {
        self.label
    }

    fn dialect(&self) -> Dialect {
        Dialect::Markdown
    }

    fn transactional(&self) -> bool {
        true
    }

    fn computes(&self) -> bool {
        false
    }

    fn width(&self) -> usize {
        // Who asks at once is answered at once.
        8 * super::engine::ROWS
    }

    fn settle_time(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    fn now(&self) -> Option<Timestamp> {
        self.data().opened.as_ref().map(|opened| moment(opened.newest))
    }

    fn set_gate(&self, gate: Arc<dyn WriteGate>) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = Some(gate);
    }

    fn closed(&self) -> Option<String> {
        Self::closed(self)
    }

    fn page_id(&self, text: &str) -> Option<String> {
        let text = text.rsplit('/').next()?;
        let hex = text.strip_prefix('r').filter(|hex| hex.len() == 24)?;
        hex.bytes().all(|b| b.is_ascii_hexdigit()).then(|| text.to_owned())
    }

    async fn identity(&self) -> Result<Identity, BackendError> {
        Ok(Identity { id: AUTHOR.to_owned(), bot: true, workspace: None })
    }

    async fn locate(
        &self,
        kinds: &[&Kind],
        _known: &BTreeMap<String, Place>,
    ) -> Result<BTreeMap<String, Place>, BackendError> {
        let opened = self.opened(false).await?;
        let made = kinds.iter().filter(|kind| opened.kinds.contains_key(&kind.name));
        Ok(made.map(|kind| (kind.name.clone(), place(kind))).collect())
    }

    async fn create_places(
        &self,
        kinds: &[&Kind],
        _existing: &BTreeMap<String, Place>,
    ) -> Result<BTreeMap<String, Place>, BackendError> {
        if let Some(reason) = self.closed() {
            return Err(BackendError::Closed(reason));
        }
        let titles = kinds.iter().map(|kind| (kind.name.clone(), kind.database.clone())).collect();
        let relations: Vec<Relation> = kinds.iter().flat_map(|kind| relations(kind)).collect();
        self.count("init", 1);
        self.engine.init(&titles, &relations).await?;
        self.opened(true).await?;
        Ok(kinds.iter().map(|kind| (kind.name.clone(), place(kind))).collect())
    }

    async fn repair(
        &self,
        kind: &Kind,
        _place: &Place,
        places: &BTreeMap<String, Place>,
        _changes: &[Change],
    ) -> Result<Repaired, BackendError> {
        self.create_places(&[kind], places).await?;
        Ok(Repaired { place: place(kind), notices: Vec::new() })
    }

    async fn schema(&self, kind: &Kind, _place: &Place) -> Result<Schema, BackendError> {
        let opened = self.opened(false).await?;
        let unknown = relations(kind).into_iter().filter(|one| !opened.relations.contains(one));
        let drift = unknown.map(|relation| Drift {
            message: format!(
                "It does not know the references of \"{}\". Run `agent-sync init`.",
                relation.property
            ),
            property: relation.property,
            repairable: true,
        });
        Ok(Schema { place: place(kind), drift: drift.collect(), options: BTreeMap::new() })
    }

    async fn list(
        &self,
        kind: &Kind,
        _place: &Place,
        since: Option<Timestamp>,
        page_limit: Option<usize>,
    ) -> Result<Listing, BackendError> {
        let from = since.map_or(-1, row::before);
        Self::list(self, &kind.name, from).await?;
        let data = self.data();
        let made = data.queue.made().map(|row| &row.uid);
        let uids = data.rows.keys().chain(made.filter(|uid| !data.rows.contains_key(*uid)));
        // Of a part of the rows those are news that are deleted, too.
        let shown = |row: &&Row| {
            row.kind == kind.name && row.change > from && (since.is_some() || !row.deleted)
        };
        let rows = uids.filter_map(|uid| data.row(uid)).filter(shown);
        let mut pages: Vec<RemotePage> = rows.map(|row| self.page_of(&data, kind, row)).collect();
        let cut = page_limit.is_some_and(|limit| pages.len() > limit);
        pages.truncate(page_limit.unwrap_or(usize::MAX));
        let began = moment(data.newest.unwrap_or_default());
        Ok(Listing { pages, whole: since.is_none() && !cut, began })
    }

    async fn find(
        &self,
        kind: &Kind,
        _place: &Place,
        ids: &[String],
    ) -> Result<Vec<RemotePage>, BackendError> {
        self.count("read rows", 1);
        let rows = self.engine.rows(&Want::Ids(kind.name.clone(), ids.to_vec())).await?;
        let uids: Vec<String> = rows.rows.iter().map(|row| row.uid.clone()).collect();
        let mut data = self.data();
        data.take(rows);
        let made = data.queue.made().filter(|row| {
            row.kind == kind.name && row.id.as_ref().is_some_and(|id| ids.contains(id))
        });
        let made: Vec<String> = made.map(|row| row.uid.clone()).collect();
        let rows = uids.iter().chain(&made).filter_map(|uid| data.row(uid));
        Ok(rows.filter(|row| !row.deleted).map(|row| self.page_of(&data, kind, row)).collect())
    }

    async fn page(
        &self,
        kind: &Kind,
        _place: &Place,
        page: &str,
    ) -> Result<Presence, BackendError> {
        Ok(match self.row(page).await? {
            Some(row) => Presence::Found(Box::new(self.page_of(&self.data(), kind, &row))),
            None => Presence::NotFound,
        })
    }

    async fn body(&self, page: &str) -> Result<BodyRead, BackendError> {
        let (row, text) = self.row_and_body(page).await?;
        Ok(BodyRead { text, complete: true, began: time(row.body_version + 1) })
    }

    async fn create(
        &self,
        kind: &Kind,
        _place: &Place,
        properties: &Properties,
        body: &str,
    ) -> Result<RemotePage, BackendError> {
        if let Some(reason) = Self::closed(self) {
            return Err(BackendError::Closed(reason));
        }
        check_text(properties.values().flat_map(texts).chain([body]))?;
        let mut data = self.data();
        let mut row = Row { uid: new_uid(), kind: kind.name.clone(), ..Row::default() };
        let id = kind.id().and_then(|id| properties.get(&id.name)).map(Value::to_string);
        row.id = id.clone();
        let values = properties.iter().filter(|(name, _)| {
            kind.property(name).is_some_and(|property| property.source != Source::Id)
        });
        let targets = Targets { uids: &data.uids, names: &data.names };
        row::set(kind, &mut row, values.map(|(name, value)| (name, Some(value))), &targets);
        // Newer than anything that was read.
        row.change = i64::MAX;
        let row = data.queue.write(true, row, Some(body.to_owned()));
        if let Some(id) = id {
            data.name(kind.name.clone(), id, row.uid.clone());
        }
        Ok(self.page_of(&data, kind, &row))
    }

    async fn set_properties(
        &self,
        kind: &Kind,
        _place: &Place,
        page: &str,
        values: &BTreeMap<String, Option<Value>>,
    ) -> Result<RemotePage, BackendError> {
        check_text(values.values().flatten().flat_map(texts))?;
        self.change(kind, page, |row, data| {
            let targets = Targets { uids: &data.uids, names: &data.names };
            let values = values.iter().map(|(name, value)| (name, value.as_ref()));
            row::set(kind, row, values, &targets);
        })
        .await
    }

    async fn edit_body(&self, page: &str, hunks: &[Hunk]) -> Result<BodyRead, BackendError> {
        if let Some(reason) = Self::closed(self) {
            return Err(BackendError::Closed(reason));
        }
        check_text(hunks.iter().map(|hunk| hunk.new.as_str()))?;
        let (row, mut text) = self.row_and_body(page).await?;
        // From the end, so that the places before stay.
        for hunk in hunks.iter().rev() {
            let mut found = text.match_indices(&hunk.old).map(|(at, _)| at);
            let only = match (found.next(), found.next()) {
                (Some(at), None) => Some(at..at + hunk.old.len()),
                _ => None,
            };
            let there = (text.get(hunk.at.clone()) == Some(hunk.old.as_str()))
                .then(|| hunk.at.clone())
                .or(only);
            let Some(at) = there.filter(|_| !hunk.old.is_empty()) else {
                return Err(BackendError::Stale {
                    message: "the text that would be replaced is not there".to_owned(),
                });
            };
            text.replace_range(at, &hunk.new);
        }
        Ok(self.write_body(row, text))
    }

    async fn append_body(&self, page: &str, text: &str) -> Result<BodyRead, BackendError> {
        if let Some(reason) = Self::closed(self) {
            return Err(BackendError::Closed(reason));
        }
        check_text([text])?;
        let (row, before) = self.row_and_body(page).await?;
        let text = match before.trim().is_empty() {
            true => text.to_owned(),
            false => format!("{}\n\n{text}", before.trim_end_matches('\n')),
        };
        Ok(self.write_body(row, text))
    }

    async fn trash(
        &self,
        kind: &Kind,
        _place: &Place,
        page: &str,
    ) -> Result<RemotePage, BackendError> {
        self.change(kind, page, |row, _| row.deleted = true).await
    }

    async fn untrash(
        &self,
        kind: &Kind,
        _place: &Place,
        page: &str,
    ) -> Result<RemotePage, BackendError> {
        self.change(kind, page, |row, _| row.deleted = false).await
    }

    async fn adopt(&self, kinds: &[&Kind], table: &str) -> Result<Vec<Key>, BackendError> {
        if let Some(reason) = Self::closed(self) {
            return Err(BackendError::Closed(reason));
        }
        self.take_over(kinds, table).await
    }

    fn requests(&self) -> Requests {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
