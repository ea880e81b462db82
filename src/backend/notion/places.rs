//! Finding and creating the databases of kinds.

use std::collections::BTreeMap;

use agent_sync_core::kind::{Kind, PropertyType};
use agent_sync_core::schema::{Column, Table};
use serde_json::{Map, Value as Json, json};

use super::answer::Failure;
use super::endpoint::Endpoint;
use super::id::ObjectId;
use super::paging::Cursor;
use super::schema::{alive, compare, definition};
use super::written::text_item;
use super::{Notion, place_id};
use crate::backend::{BackendError, Made, Place};

impl Notion {
    pub(super) async fn locate_places(
        &self,
        kinds: &[&Kind],
        known: &BTreeMap<String, Place>,
    ) -> Result<BTreeMap<String, Place>, BackendError> {
        let mut places = BTreeMap::new();
        let mut by_title = Vec::new();
        for kind in kinds {
            let known = known.get(&kind.name);
            let place = match (self.databases.get(&kind.name), known) {
                (None, None) => {
                    by_title.push(*kind);
                    continue;
                }
                (None, Some(known)) => known.clone(),
                (Some(id), Some(known))
                    if [&known.database, &known.data_source].contains(&&id.to_string()) =>
                {
                    known.clone()
                }
                (Some(id), _) => self.locate_by_id(kind, id).await?,
            };
            places.insert(kind.name.clone(), place);
        }
        if let Some(parent) = self.parent_page.as_ref().filter(|_| !by_title.is_empty()) {
            let databases = self.child_databases(parent).await?;
            for kind in by_title {
                let named = databases.iter().filter(|(_, title)| *title == kind.database);
                let candidates: Vec<&ObjectId> = named.map(|(id, _)| id).collect();
                if let Some(place) = self.choose(kind, parent, &candidates).await? {
                    places.insert(kind.name.clone(), place);
                }
            }
        }
        Ok(places)
    }

    /// The database among those with a kind's title: the only one, else the only one whose columns fit.
    async fn choose(
        &self,
        kind: &Kind,
        parent: &ObjectId,
        candidates: &[&ObjectId],
    ) -> Result<Option<Place>, BackendError> {
        match candidates {
            [] => return Ok(None),
            [only] => return self.locate_database(kind, only).await.map(Some),
            _ => {}
        }
        let mut fitting = Vec::new();
        for id in candidates {
            match self.find_in_database(kind, id).await {
                Ok((place, object)) if fits(kind, &object) => fitting.push(place),
                // What cannot be read, such as a view of another database, cannot be meant.
                Ok(_) | Err(BackendError::NotFound { .. } | BackendError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match (fitting.pop(), fitting.is_empty()) {
            (Some(only), true) => Ok(Some(only)),
            _ => Err(BackendError::Refused {
                message: format!(
                    "Page {parent} holds several databases called {}: {}.",
                    kind.database,
                    candidates.iter().map(|id| described(id)).collect::<Vec<_>>().join(", ")
                ),
                remedy: choice(kind),
            }),
        }
    }

    /// A configured id may be that of a database or of a data source.
    async fn locate_by_id(&self, kind: &Kind, id: &ObjectId) -> Result<Place, BackendError> {
        let missing = match self.locate_database(kind, id).await {
            Err(error @ BackendError::NotFound { .. }) => error,
            found => return found,
        };
        match self.locate_data_source(kind, id).await {
            Err(BackendError::NotFound { .. }) => {}
            found => return found,
        }
        // Neither; worth one request to tell a wrong kind of id from a database that is not shared.
        let endpoint = Endpoint::Page(id);
        match self.client.send(endpoint, &[], None).await {
            Ok(_) => Err(BackendError::Refused {
                message: format!("The id {id} configured for kind {} is that of a page.", kind.name),
                remedy: "Open the database itself as a full page and set its address under `databases:`, or set the \
                         page as `parent_page` and run `agent-sync init`."
                    .to_owned(),
            }),
            Err(Failure::Api(error)) if error.status == 404 => Err(missing),
            Err(failure) => Err(failure.explain(&endpoint)),
        }
    }

    async fn locate_database(&self, kind: &Kind, id: &ObjectId) -> Result<Place, BackendError> {
        Ok(self.find_in_database(kind, id).await?.0)
    }

    /// The place in a database, and its data source: 2 requests. Of several data sources it is the one that is
    /// called as the kind's database should be.
    async fn find_in_database(
        &self,
        kind: &Kind,
        id: &ObjectId,
    ) -> Result<(Place, Json), BackendError> {
        let database = self.client.call(Endpoint::Database(id), &[], None).await?.body;
        alive(kind, &database)?;
        let data_source = choose_data_source(kind, id, &database)?;
        let object = self.client.call(Endpoint::DataSource(&data_source), &[], None).await?.body;
        let place = place(kind, id.to_string(), &data_source, &object);
        Ok((place, object))
    }

    async fn locate_data_source(&self, kind: &Kind, id: &ObjectId) -> Result<Place, BackendError> {
        let object = self.client.call(Endpoint::DataSource(id), &[], None).await?.body;
        alive(kind, &object)?;
        let database = object.get("parent").and_then(|parent| parent.get("database_id")?.as_str());
        let database = database.and_then(ObjectId::parse).ok_or_else(|| BackendError::Refused {
            message: format!(
                "Data source {id} configured for kind {} lies in no database.",
                kind.name
            ),
            remedy: "Set the address of the database itself under `databases:`.".to_owned(),
        })?;
        Ok(place(kind, database.to_string(), id, &object))
    }

    /// Id and title of each database right under a page.
    async fn child_databases(
        &self,
        parent: &ObjectId,
    ) -> Result<Vec<(ObjectId, String)>, BackendError> {
        self.children(parent, "child_database").await
    }

    /// Id and title of each block of this type right under a page: 1 request for each 100 blocks.
    pub(super) async fn children(
        &self,
        parent: &ObjectId,
        r#type: &str,
    ) -> Result<Vec<(ObjectId, String)>, BackendError> {
        let endpoint = Endpoint::Children(parent);
        let mut cursor = Cursor::default();
        let mut children = Vec::new();
        loop {
            let mut query = vec![("page_size", "100")];
            query.extend(cursor.get().map(|cursor| ("start_cursor", cursor)));
            let answer = self.client.call(endpoint, &query, None).await?;
            let blocks = answer.body.get("results").and_then(Json::as_array);
            children.extend(blocks.into_iter().flatten().filter_map(|block| {
                let title = block.get(r#type)?.get("title")?.as_str()?.trim().to_owned();
                Some((ObjectId::parse(block.get("id")?.as_str()?)?, title))
            }));
            if !cursor.advance(endpoint.pattern(), &answer.body)? {
                return Ok(children);
            }
        }
    }

    /// Relations are added when every target exists.
    pub(super) async fn create_databases(
        &self,
        kinds: &[&Kind],
        existing: &BTreeMap<String, Place>,
    ) -> Result<BTreeMap<String, Place>, BackendError> {
        let Some(parent) = self.parent_page.as_ref().filter(|_| !kinds.is_empty()) else {
            return if kinds.is_empty() { Ok(BTreeMap::new()) } else { Err(no_parent(kinds)) };
        };
        let mut places = BTreeMap::new();
        for kind in kinds {
            let place = self.create_database(kind, parent).await?;
            places.insert(kind.name.clone(), place);
        }
        let mut targets = existing.clone();
        targets.extend(places.clone());
        for kind in kinds {
            let Some(place) = targets.get(&kind.name) else { continue };
            let id = place_id(&place.data_source)?;
            let relations = definitions(&self.table(kind), &targets, PropertyType::Relation, true);
            if !relations.is_empty() {
                let request = json!({ "properties": relations });
                let endpoint = Endpoint::UpdateDataSource(&id);
                let object = self.client.call(endpoint, &[], Some(&request)).await?.body;
                if let Some(place) = places.get_mut(&kind.name) {
                    *place = compare(kind, place, &object).place;
                }
            }
        }
        // The answer to a creation names no column, and other sides came later.
        for kind in kinds {
            let Some(place) = places.get_mut(&kind.name) else { continue };
            let table = self.table(kind);
            let known = |column: &Column| place.properties.contains_key(&column.property);
            if place.properties.is_empty()
                || table.columns.iter().any(|c| is_mirrored(c) && !known(c))
            {
                let id = place_id(&place.data_source)?;
                let object = self.client.call(Endpoint::DataSource(&id), &[], None).await?.body;
                *place = compare(kind, place, &object).place;
            }
        }
        Ok(places)
    }

    /// The place has no property ids yet: the answer to a creation does not name them.
    async fn create_database(&self, kind: &Kind, parent: &ObjectId) -> Result<Place, BackendError> {
        let table = self.table(kind);
        let properties = definitions(&table, &BTreeMap::new(), PropertyType::Relation, false);
        let mut request = json!({
            "parent": { "type": "page_id", "page_id": parent.as_str() },
            "title": [text_item(&kind.database)],
            "initial_data_source": { "properties": properties },
        });
        if let Some(text) = &table.description {
            request["description"] = json!([text_item(text)]);
        }
        let answer = self.client.call(Endpoint::CreateDatabase, &[], Some(&request)).await?.body;
        let id = answer.get("id").and_then(Json::as_str).and_then(ObjectId::parse);
        let unclear = || BackendError::Ambiguous {
            message: format!(
                "Notion created database {} but did not say where it is.",
                kind.database
            ),
            committed: answer.get("id").and_then(Json::as_str).map(str::to_owned),
        };
        let database = id.ok_or_else(unclear)?;
        let data_source = choose_data_source(kind, &database, &answer).map_err(|_| unclear())?;
        let described =
            |column: &Column| Some((column.property.clone(), column.description.clone()?));
        let own = table.description.clone().map(|text| (String::new(), text));
        Ok(Place {
            database: database.to_string(),
            data_source: data_source.to_string(),
            properties: BTreeMap::new(),
            made: Made {
                descriptions: table.columns.iter().filter_map(described).chain(own).collect(),
                ..Made::default()
            },
        })
    }
}

/// Columns as requests make them: those of this type, or all others.
fn definitions(
    table: &Table,
    targets: &BTreeMap<String, Place>,
    r#type: PropertyType,
    wanted: bool,
) -> Map<String, Json> {
    table
        .columns
        .iter()
        .filter(|column| (column.r#type == r#type) == wanted)
        .filter_map(|column| Some((column.name.clone(), definition(column, targets)?)))
        .collect()
}

fn is_mirrored(column: &Column) -> bool {
    column.relation.as_ref().is_some_and(|relation| relation.mirrored)
}

fn no_parent(kinds: &[&Kind]) -> BackendError {
    let names: Vec<_> = kinds.iter().map(|kind| kind.database.as_str()).collect();
    BackendError::Refused {
        message: format!("There is no page to create the databases {} under.", names.join(", ")),
        remedy: "Set NOTION_PARENT_PAGE_ID (or `parent_page`) to a page that is shared with the connection."
            .to_owned(),
    }
}

fn place(kind: &Kind, database: String, data_source: &ObjectId, object: &Json) -> Place {
    let fresh = Place { database, data_source: data_source.to_string(), ..Place::default() };
    compare(kind, &fresh, object).place
}

/// Whether no column of a data source stands in the way of a property.
fn fits(kind: &Kind, object: &Json) -> bool {
    let live = object.get("properties").and_then(Json::as_object);
    kind.properties.iter().filter(|property| property.r#type != PropertyType::Title).all(
        |property| {
            let found = live.and_then(|live| live.get(&property.remote_name));
            found.is_none_or(|found| {
                found.get("type").and_then(Json::as_str) == Some(property.r#type.name())
            })
        },
    )
}

/// An id with the address where a person sees what it is.
fn described(id: &ObjectId) -> String {
    format!("{id} (https://app.notion.com/p/{})", id.as_str().replace('-', ""))
}

fn choice(kind: &Kind) -> String {
    format!("Set the right one in the configuration: `databases: {{{}: <id>}}`.", kind.name)
}

fn choose_data_source(
    kind: &Kind,
    database: &ObjectId,
    object: &Json,
) -> Result<ObjectId, BackendError> {
    let sources =
        object.get("data_sources").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let id = |source: &Json| source.get("id").and_then(Json::as_str).and_then(ObjectId::parse);
    let called = |source: &&Json| {
        source.get("name").and_then(Json::as_str).is_some_and(|name| name.trim() == kind.database)
    };
    let named: Vec<&Json> = sources.iter().filter(called).collect();
    let chosen = match (sources, named.as_slice()) {
        ([only], _) => id(only),
        (_, [only]) => id(only),
        _ => None,
    };
    match (sources, chosen) {
        (_, Some(id)) => Ok(id),
        ([_, _, ..], None) => Err(BackendError::Refused {
            message: format!(
                "Database {} of kind {} has several data sources: {}.",
                described(database),
                kind.name,
                sources.iter().map(describe_source).collect::<Vec<_>>().join(", ")
            ),
            remedy: choice(kind),
        }),
        _ => Err(BackendError::Refused {
            message: format!("Database {database} of kind {} shows no data source.", kind.name),
            remedy: "If it is a linked view, set the original database and share that with the connection."
                .to_owned(),
        }),
    }
}

fn describe_source(source: &Json) -> String {
    let text = |name: &str| source.get(name).and_then(Json::as_str).unwrap_or_default();
    format!("{} \"{}\"", text("id"), text("name"))
}
