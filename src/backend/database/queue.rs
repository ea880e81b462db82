//! Writes that wait for the commit of the state: rows and their base change together or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::engine::{Row, Write};
use super::row::AUTHOR;
use crate::hex::digest;

/// Rows that are to be written, in the order in which that began. A row that is written twice is one write.
#[derive(Default)]
pub(super) struct Queue {
    order: Vec<String>,
    writes: BTreeMap<String, Write>,
}

impl Queue {
    /// The row as it will be.
    pub(super) fn row(&self, uid: &str) -> Option<&Row> {
        self.writes.get(uid).map(|write| &write.row)
    }

    /// Rows that are to be made.
    pub(super) fn made(&self) -> impl Iterator<Item = &Row> {
        self.writes.values().filter(|write| write.expected.is_none()).map(|write| &write.row)
    }

    /// The body as it will be, where it is written.
    pub(super) fn body(&self, uid: &str) -> Option<&str> {
        self.writes.get(uid)?.body.as_deref()
    }

    /// Queues a row, which is `new` or as `row.version` says. Gives the row as it will be.
    pub(super) fn write(&mut self, new: bool, mut row: Row, body: Option<String>) -> Row {
        row.author = Some(AUTHOR.to_owned());
        let slot = self.writes.entry(row.uid.clone()).or_insert_with(|| {
            self.order.push(row.uid.clone());
            let expected = (!new).then_some(row.version);
            Write { row: row.clone(), expected, body: None, hash: None }
        });
        row.version = slot.expected.unwrap_or(0) + 1;
        if let Some(body) = body {
            row.body_version = row.version;
            slot.hash = Some(digest(body.as_bytes()));
            slot.body = Some(body);
        }
        slot.row = row.clone();
        row
    }

    /// Queues a new row whose author is somebody else.
    pub(super) fn adopt(&mut self, row: Row, body: String) {
        self.order.push(row.uid.clone());
        let hash = Some(digest(body.as_bytes()));
        self.writes.insert(row.uid.clone(), Write { row, expected: None, body: Some(body), hash });
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// What waits, in order.
    pub(super) fn all(&self) -> Arc<[Write]> {
        self.order.iter().filter_map(|uid| self.writes.get(uid).cloned()).collect()
    }

    /// Takes everything out: it was written.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Write> + use<> {
        self.order.clear();
        std::mem::take(&mut self.writes).into_values()
    }
}
