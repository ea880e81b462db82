//! Pages: what a page object holds, and the calls that read or write one.

use std::collections::BTreeMap;

use agent_sync_core::kind::{Kind, PropertyType, same_option};
use agent_sync_core::model::{Properties, Value};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::endpoint::{Endpoint, Meaning};
use super::id::{ObjectId, PropertyId};
use super::memory::{Known, Members, People};
use super::paging::Cursor;
use super::{Notion, page_id, place_id, values, written};
use crate::backend::{BackendError, Life, Place, Presence, RemotePage};

/// A page object as parsed, with what it holds only a part of.
pub(super) struct Parsed {
    pub(super) page: RemotePage,
    cut: Vec<(String, PropertyId)>,
    members: Members,
}

/// Where a page object comes from: rows of a query are of that database whatever their parent says (rows of a
/// wiki lie under other pages).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Listed,
    Direct,
}

/// Why a page object cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is partial, as tokens without the capability to read get it.
    Partial,
    /// It lacks this mapped property, or has it with another type. Page objects show unset properties too, so
    /// the database has lost it, and to read it as unset would clear it in every file.
    Lost(String),
}

impl Unreadable {
    fn reason(&self) -> String {
        match self {
            Self::Partial => "Notion gives only ids of pages, not what they hold.".to_owned(),
            Self::Lost(name) => format!(
                "The pages of the database have no property \"{name}\" of its type any more."
            ),
        }
    }

    /// The error where the object was only read.
    pub(super) fn refusal(&self) -> BackendError {
        let remedy = match self {
            Self::Partial => format!(
                "Give the connection the capability \"{}\" in its settings at \
                 https://www.notion.so/profile/integrations.",
                Endpoint::Me.capability()
            ),
            Self::Lost(_) => "Restore it in Notion (for a relation, share its target with the connection), or run \
                              `agent-sync init` to add it anew."
                .to_owned(),
        };
        BackendError::Refused { message: self.reason(), remedy }
    }
}

/// Reads a page object.
pub(super) fn parse(
    kind: &Kind,
    place: &Place,
    object: &Json,
    origin: Origin,
) -> Result<Parsed, Unreadable> {
    let (mut page, values) = frame(place, object, origin).ok_or(Unreadable::Partial)?;
    let mut cut = Vec::new();
    let mut members = Members::new();
    for property in &kind.properties {
        let Some(id) = place.properties.get(&property.name) else { continue };
        let found =
            values.get(id.as_str()).filter(|value| value.get(property.r#type.name()).is_some());
        let Some(value) = found else {
            // Under another parent it has that parent's properties.
            if page.life == Life::Moved {
                continue;
            }
            return Err(Unreadable::Lost(property.name.clone()));
        };
        if values::is_cut(property, value)
            && let Some(id) = PropertyId::parse(id)
        {
            cut.push((property.name.clone(), id));
        }
        if origin == Origin::Direct && property.r#type.is_set() {
            let payload = value.get(property.r#type.name()).unwrap_or(&Json::Null);
            members.insert(property.name.clone(), values::members(property, payload));
        }
        if let Some(value) = values::read(property, value) {
            page.properties.insert(property.name.clone(), value);
        }
    }
    page.id = id_of(kind, &page.properties);
    Ok(Parsed { page, cut, members })
}

/// What every page has, and its property objects by their id.
fn frame<'a>(
    place: &Place,
    object: &'a Json,
    origin: Origin,
) -> Option<(RemotePage, BTreeMap<&'a str, &'a Json>)> {
    let text = |name: &str| object.get(name).and_then(Json::as_str);
    let user = |name: &str| Some(object.get(name)?.get("id")?.as_str()?.to_owned());
    let time = |name: &str| text(name)?.parse::<Timestamp>().ok();
    let values = object.get("properties")?.as_object()?.values();
    let values = values.filter_map(|value| Some((value.get("id")?.as_str()?, value))).collect();
    let page = RemotePage {
        page: ObjectId::parse(text("id")?)?.to_string(),
        url: text("url")?.to_owned(),
        id: None,
        properties: Properties::new(),
        edited: time("last_edited_time")?,
        edited_at: None,
        edited_by: user("last_edited_by"),
        created: time("created_time")?,
        created_by: user("created_by"),
        life: life(place, object, origin),
        broken: None,
    };
    Some((page, values))
}

/// An option that is in Notion in another case is what was sent.
fn respell<'a>(
    kind: &Kind,
    page: &mut RemotePage,
    sent: impl Iterator<Item = (&'a String, &'a Value)>,
) {
    for (name, value) in sent {
        let options = kind.property(name).is_some_and(|property| property.r#type.has_options());
        let same = match (page.properties.get(name), value) {
            (Some(Value::Text(there)), Value::Text(sent)) => same_option(there, sent),
            (Some(Value::Set(there)), Value::Set(sent)) => {
                there.len() == sent.len()
                    && sent.iter().all(|sent| there.iter().any(|there| same_option(there, sent)))
            }
            _ => false,
        };
        if options && same {
            page.properties.insert(name.clone(), value.clone());
        }
    }
}

fn id_of(kind: &Kind, properties: &Properties) -> Option<String> {
    match properties.get(&kind.id()?.name)? {
        Value::Text(text) => Some(text.clone()),
        Value::Set(_) => None,
    }
}

fn life(place: &Place, object: &Json, origin: Origin) -> Life {
    let flag = |name: &str| object.get(name).and_then(Json::as_bool).unwrap_or(false);
    let parent = |name: &str| {
        let id = object.get("parent")?.get(name)?.as_str()?;
        Some(ObjectId::parse(id).map_or_else(|| id.to_owned(), |id| id.to_string()))
    };
    if flag("in_trash") {
        return Life::Trashed;
    }
    if flag("is_archived") {
        return Life::Archived;
    }
    let here = match parent("data_source_id") {
        Some(id) => id == place.data_source,
        None => parent("database_id").is_some_and(|id| id == place.database),
    };
    if here || origin == Origin::Listed { Life::Alive } else { Life::Moved }
}

impl Notion {
    pub(super) async fn read_page(
        &self,
        kind: &Kind,
        place: &Place,
        page: &ObjectId,
    ) -> Result<Presence, BackendError> {
        match self.page_call(kind, place, Endpoint::Page(page), None).await {
            Ok(page) => Ok(Presence::Found(Box::new(page))),
            Err(BackendError::NotFound { .. }) => Ok(Presence::NotFound),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn create_page(
        &self,
        kind: &Kind,
        place: &Place,
        properties: &Properties,
        body: &str,
    ) -> Result<RemotePage, BackendError> {
        let data_source = place_id(&place.data_source)?;
        let values = properties.iter().map(|(name, value)| (name.as_str(), Some(value)));
        let mut request = json!({
            "parent": { "type": "data_source_id", "data_source_id": data_source.as_str() },
            "properties": self.property_objects(kind, place, &Members::new(), values).await?,
        });
        if !body.is_empty() {
            request["markdown"] = body.into();
            request["markdown_version"] = self.markdown_version().into();
        }
        let mut page = self.page_call(kind, place, Endpoint::CreatePage, Some(&request)).await?;
        respell(kind, &mut page, properties.iter());
        Ok(page)
    }

    pub(super) async fn update_properties(
        &self,
        kind: &Kind,
        place: &Place,
        page: &ObjectId,
        values: &BTreeMap<String, Option<Value>>,
    ) -> Result<RemotePage, BackendError> {
        let sent = values.iter().map(|(name, value)| (name.as_str(), value.as_ref()));
        let members = self.memory.take_members(page.as_str());
        let properties = self.property_objects(kind, place, &members, sent).await?;
        let request = json!({ "properties": properties });
        let mut page =
            self.page_call(kind, place, Endpoint::UpdatePage(page), Some(&request)).await?;
        let sent = values.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        respell(kind, &mut page, sent);
        Ok(page)
    }

    /// The answer is checked: `in_trash` was seen to be ignored without an error.
    pub(super) async fn set_trashed(
        &self,
        kind: &Kind,
        place: &Place,
        page: &ObjectId,
        trashed: bool,
    ) -> Result<RemotePage, BackendError> {
        let request = json!({ "in_trash": trashed });
        let answer =
            self.page_call(kind, place, Endpoint::UpdatePage(page), Some(&request)).await?;
        if (answer.life == Life::Trashed) == trashed {
            return Ok(answer);
        }
        let verb = if trashed { "move it to" } else { "take it out of" };
        Err(BackendError::Rejected {
            message: format!(
                "Notion accepted the request for page {page} but did not {verb} the trash."
            ),
        })
    }

    /// A call that is answered with a page object.
    async fn page_call(
        &self,
        kind: &Kind,
        place: &Place,
        endpoint: Endpoint<'_>,
        request: Option<&Json>,
    ) -> Result<RemotePage, BackendError> {
        let answer = self.client.call(endpoint, &[], request).await?;
        let unreadable = match parse(kind, place, &answer.body, Origin::Direct) {
            Ok(parsed) => {
                let (page, members) = self.complete_with_members(kind, parsed).await?;
                if endpoint.meaning() == Meaning::Read {
                    self.memory.saw_members(&page.page, members);
                }
                return Ok(page);
            }
            Err(unreadable) => unreadable,
        };
        Err(match endpoint.meaning() {
            Meaning::Read => unreadable.refusal(),
            Meaning::Write => BackendError::Ambiguous {
                message: format!(
                    "Notion accepted {}, but its answer cannot be used: {}",
                    endpoint.pattern(),
                    unreadable.reason()
                ),
                committed: answer.body.get("id").and_then(Json::as_str).map(str::to_owned),
            },
        })
    }

    /// Reads in full the values that the page object holds only a part of.
    pub(super) async fn complete(
        &self,
        kind: &Kind,
        parsed: Parsed,
    ) -> Result<RemotePage, BackendError> {
        Ok(self.complete_with_members(kind, parsed).await?.0)
    }

    async fn complete_with_members(
        &self,
        kind: &Kind,
        parsed: Parsed,
    ) -> Result<(RemotePage, Members), BackendError> {
        let Parsed { mut page, cut, mut members } = parsed;
        for (name, id) in cut {
            let Some(property) = kind.property(&name) else { continue };
            let items = self.property_items(property.r#type, &page_id(&page.page)?, &id).await?;
            if let Some(members) = members.get_mut(&name) {
                *members = values::members(property, &items);
            }
            match values::read(property, &json!({ property.r#type.name(): items })) {
                Some(value) => page.properties.insert(name, value),
                None => page.properties.remove(&name),
            };
        }
        page.id = id_of(kind, &page.properties);
        Ok((page, members))
    }

    async fn property_items(
        &self,
        r#type: PropertyType,
        page: &ObjectId,
        id: &PropertyId,
    ) -> Result<Json, BackendError> {
        let endpoint = Endpoint::PropertyItem(page, id);
        let mut items = Vec::new();
        let mut cursor = Cursor::default();
        loop {
            let mut query = vec![("page_size", "100")];
            query.extend(cursor.get().map(|cursor| ("start_cursor", cursor)));
            let answer = self.client.call(endpoint, &query, None).await?;
            let results = answer.body.get("results").and_then(Json::as_array);
            let results = results.map(Vec::as_slice).unwrap_or_default();
            items.extend(results.iter().filter_map(|item| item.get(r#type.name()).cloned()));
            if !cursor.advance(endpoint.pattern(), &answer.body)? {
                return Ok(Json::Array(items));
            }
        }
    }

    /// The `properties` of a request, by property id: ids survive a rename in Notion. Users are listed only for an
    /// address that the page does not show already.
    async fn property_objects<'a>(
        &self,
        kind: &Kind,
        place: &Place,
        members: &Members,
        values: impl Iterator<Item = (&'a str, Option<&'a Value>)>,
    ) -> Result<Map<String, Json>, BackendError> {
        let mut objects = Map::new();
        for (name, value) in values {
            let found = kind.property(name).zip(place.properties.get(name));
            let (property, id) = found.ok_or_else(|| BackendError::Refused {
                message: format!("Database {} has no property for \"{name}\".", kind.database),
                remedy:
                    "Run `agent-sync init` to add it, or correct its name in the configuration."
                        .to_owned(),
            })?;
            let known = Known {
                members: members.get(name).cloned().unwrap_or_default(),
                options: self.memory.options(&place.data_source, name),
            };
            let unknown = |names: &Value| match names {
                Value::Set(names) => {
                    names.iter().any(|name| !known.members.iter().any(|(there, _)| there == name))
                }
                Value::Text(_) => false,
            };
            let people = match property.r#type {
                PropertyType::People if value.is_some_and(unknown) => self.people().await?,
                _ => &People::Unasked,
            };
            objects.insert(id.clone(), written::write(property, value, &known, people)?);
        }
        Ok(objects)
    }
}
