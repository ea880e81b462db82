//! Control over HTTP, under `/_sim/`, for tests in other languages and for playing.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::http::server::{Shared, lock};
use crate::workspace::Workspace;
use crate::workspace::person::action::{Action, perform};

#[derive(Deserialize)]
struct Advance {
    /// Seconds.
    seconds: u64,
}

/// Options that can be changed while the simulator runs; those that are left out stay as they are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    record_limit: Option<usize>,
    reject_v1: Option<bool>,
    skip_missing: Option<bool>,
    /// Null turns it off.
    #[serde(default, with = "given")]
    odd: Option<Option<u64>>,
    odd_text: Option<bool>,
}

mod given {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Option<u64>>, D::Error> {
        Option::deserialize(from).map(Some)
    }
}

impl Settings {
    fn apply(self, ws: &mut Workspace) {
        ws.record_limit = self.record_limit.unwrap_or(ws.record_limit);
        ws.reject_v1 = self.reject_v1.unwrap_or(ws.reject_v1);
        ws.skip_missing = self.skip_missing.unwrap_or(ws.skip_missing);
        ws.odd = self.odd.unwrap_or(ws.odd);
        ws.odd_text = self.odd_text.unwrap_or(ws.odd_text);
    }
}

/// Answers a request below `/_sim/`.
pub(super) fn answer(shared: &Shared, method: &str, action: &str, body: &[u8]) -> (u16, Value) {
    match (method, action) {
        ("POST", "person") => {
            with::<Action>(body, |action| match perform(&mut lock(&shared.workspace), &action) {
                Ok(answer) => (200, answer),
                Err(error) => (400, json!({"error": error.to_string()})),
            })
        }
        ("POST", "fault") => with::<Fault>(body, |fault| {
            lock(&shared.log).faults.push(fault);
            (200, json!({}))
        }),
        ("POST", "advance") => with::<Advance>(body, |advance| {
            let mut workspace = lock(&shared.workspace);
            workspace.advance(Duration::from_secs(advance.seconds));
            (200, json!({"now": workspace.now().to_string()}))
        }),
        ("POST", "options") => with::<Settings>(body, |settings| {
            settings.apply(&mut lock(&shared.workspace));
            (200, json!({}))
        }),
        ("GET", "requests") => (200, json!(lock(&shared.log).requests)),
        ("POST", "reset") => {
            let mut log = lock(&shared.log);
            log.requests.clear();
            log.faults.clear();
            (200, json!({}))
        }
        _ => (404, json!({"error": format!("no such control: {method} /_sim/{action}")})),
    }
}

fn with<T: for<'de> Deserialize<'de>>(
    body: &[u8],
    act: impl FnOnce(T) -> (u16, Value),
) -> (u16, Value) {
    match serde_json::from_slice(body) {
        Ok(value) => act(value),
        Err(error) => (400, json!({"error": error.to_string()})),
    }
}
