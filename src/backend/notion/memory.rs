//! What reads of this run told that writes need: members in their order, options, users.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use agent_sync_core::kind::Property;
use serde_json::Value as Json;
use tokio::sync::OnceCell;

use super::endpoint::Endpoint;
use super::id::ObjectId;
use super::paging::Cursor;
use super::written::rejected;
use super::{Notion, values};
use crate::backend::BackendError;

/// What is known of one property of one page.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Members of a set in Notion's order with what a request says to keep each.
    pub(super) members: Vec<(String, Json)>,
    /// Names of the options that exist; empty where the schema was not read.
    pub(super) options: BTreeSet<String>,
}

/// Members by property.
pub(super) type Members = BTreeMap<String, Vec<(String, Json)>>;

/// Answers of this run.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By page: a page is read right before its properties are written (rule 2).
    members: Mutex<BTreeMap<String, Members>>,
    /// By data source and property.
    options: Mutex<BTreeMap<String, BTreeMap<String, BTreeSet<String>>>>,
    people: OnceCell<People>,
    names: tokio::sync::Mutex<Names>,
}

/// Names of users by id.
#[derive(Debug, Default)]
struct Names {
    known: BTreeMap<String, Option<String>>,
    /// Whether the token may not read them.
    refused: bool,
}

/// Takes a lock; what a panic left behind is still what was read.
fn held<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    pub(super) fn saw_members(&self, page: &str, members: Members) {
        held(&self.members).insert(page.to_owned(), members);
    }

    /// Hands out what was read of a page; after a write it is no longer so.
    pub(super) fn take_members(&self, page: &str) -> Members {
        held(&self.members).remove(page).unwrap_or_default()
    }

    pub(super) fn saw_options(&self, source: &str, options: &BTreeMap<String, BTreeSet<String>>) {
        held(&self.options).insert(source.to_owned(), options.clone());
    }

    pub(super) fn options(&self, source: &str, property: &str) -> BTreeSet<String> {
        let options = held(&self.options);
        options.get(source).and_then(|of| of.get(property)).cloned().unwrap_or_default()
    }
}

/// Users by address, or why there are none.
#[derive(Debug)]
pub(super) enum People {
    /// Nobody asked for them yet.
    Unasked,
    /// Id by address.
    Listed(BTreeMap<String, String>),
    /// The token may not read users.
    Refused,
}

impl People {
    /// The id of the user with this address.
    ///
    /// # Errors
    /// [`BackendError::Rejected`] with what is missing.
    pub(super) fn id(&self, property: &Property, email: &str) -> Result<&str, BackendError> {
        if let Some(id) = email.strip_prefix("user:").or_else(|| email.strip_prefix("other:")) {
            let why = format!("names the user {id}, who is not on the page any more");
            return Err(rejected(property, &why));
        }
        let lacks = format!(
            "names {email}, and the connection may not read the addresses of users; give it the capability \"{}\" at \
             https://www.notion.so/profile/integrations (a personal access token cannot have it)",
            Endpoint::Users.capability()
        );
        match self {
            Self::Listed(ids) if !ids.is_empty() => ids.get(email).map(String::as_str).ok_or_else(|| {
                let why = format!(
                    "names {email}, and no member of the workspace has this address; guests cannot be found by theirs"
                );
                rejected(property, &why)
            }),
            Self::Listed(_) | Self::Refused | Self::Unasked => Err(rejected(property, &lacks)),
        }
    }
}

impl Notion {
    /// Name of a user; each is asked for once, and nobody after a refusal.
    pub(super) async fn name_of(&self, user: &str) -> Option<String> {
        let id = ObjectId::parse(user)?;
        let mut names = self.memory.names.lock().await;
        if let Some(known) = names.known.get(user) {
            return known.clone();
        }
        if names.refused {
            return None;
        }
        let name = match self.client.call(Endpoint::User(&id), &[], None).await {
            Ok(answer) => answer.body.get("name").and_then(Json::as_str).map(str::to_owned),
            Err(error) => {
                tracing::debug!(%error, "the name of a user is not to be had");
                names.refused |= matches!(error, BackendError::Refused { .. });
                None
            }
        };
        let name = name.filter(|name| !name.trim().is_empty());
        names.known.insert(user.to_owned(), name.clone());
        name
    }

    /// The users of the workspace, listed at most once in a run.
    pub(super) async fn people(&self) -> Result<&People, BackendError> {
        self.memory
            .people
            .get_or_try_init(|| async {
                match self.list_people().await {
                    Ok(ids) => Ok(People::Listed(ids)),
                    Err(BackendError::Refused { .. } | BackendError::Rejected { .. }) => {
                        Ok(People::Refused)
                    }
                    Err(error) => Err(error),
                }
            })
            .await
    }

    async fn list_people(&self) -> Result<BTreeMap<String, String>, BackendError> {
        let endpoint = Endpoint::Users;
        let mut ids = BTreeMap::new();
        let mut cursor = Cursor::default();
        loop {
            let mut query = vec![("page_size", "100")];
            query.extend(cursor.get().map(|cursor| ("start_cursor", cursor)));
            let answer = self.client.call(endpoint, &query, None).await?;
            let users = answer.body.get("results").and_then(Json::as_array);
            for user in users.into_iter().flatten() {
                if let Some((email, id)) =
                    values::person(user).zip(user.get("id").and_then(Json::as_str))
                {
                    ids.entry(email).or_insert_with(|| id.to_owned());
                }
            }
            if !cursor.advance(endpoint.pattern(), &answer.body)? {
                return Ok(ids);
            }
        }
    }
}
