//! What `init` sees of a database and does to it.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::Kind;
use agent_sync_core::schema::{
    self, Change, Choice, Column, Design, Memory, Observed, ObservedColumn, Obstacle, Table,
};
use serde_json::{Map, Value as Json, json};

use super::endpoint::Endpoint;
use super::id::ObjectId;
use super::schema::{compare, definition, new_option};
use super::views::Listed;
use super::written::text_item;
use super::{Notion, place_id};
use crate::backend::{BackendError, Place, Plan, Repaired};

impl Notion {
    /// The table of a kind as configured.
    pub(super) fn table(&self, kind: &Kind) -> Table {
        let none = Design::default();
        Table::of(kind, self.designs.get(&kind.name).unwrap_or(&none))
    }

    /// 2 requests; where a view was never made, 1 for the list of them and 1 for each that is there.
    pub(super) async fn plan_place(
        &self,
        kind: &Kind,
        place: Option<&Place>,
        places: &BTreeMap<String, Place>,
    ) -> Result<Plan, BackendError> {
        let table = self.table(kind);
        let Some(place) = place else {
            let changes = schema::plan(&table, memory(&Place::default(), &BTreeMap::new()), None);
            return Ok(Plan { changes, ..Plan::default() });
        };
        let database = place_id(&place.database)?;
        let object = self.client.call(Endpoint::Database(&database), &[], None).await?.body;
        let source = self.data_source(place).await?;
        let mut notices = Vec::new();
        let mut found = remembering(compare(kind, place, &source).place, place);
        let mut wanted = table;
        let is_new = |name: &String| !place.made.views.contains_key(name);
        if wanted.views.iter().any(|view| is_new(&view.name)) {
            match self.list_views(&database, notices_first(&mut notices)).await? {
                Listed::Views(mut views) => {
                    let ours = wanted.views.iter().filter(|view| is_new(&view.name));
                    let ours = ours.filter_map(|view| views.remove_entry(&view.name));
                    found.made.views.extend(ours);
                }
                // They are no part of what is synced.
                Listed::Refused => wanted.views.clear(),
            }
        }
        let observed = Observed {
            trashed: is_trashed(&object) || is_trashed(&source),
            description: plain_text(object.get("description")),
            columns: columns(&source),
        };
        let tables = tables(places);
        let memory = Memory { views: &found.made.views, ..memory(place, &tables) };
        let mut changes = schema::plan(&wanted, memory, Some(&observed));
        // Whoever says where a kind lives may have moved it on purpose, and its relations stay as they were.
        changes.retain(|change| match change {
            Change::Obstacle { column, obstacle: Obstacle::WrongTarget { target }, .. }
                if self.databases.contains_key(target) =>
            {
                notices.push(format!(
                    "Property \"{column}\" of database {} points to another database than the one that is \
                     configured for kind {target}; its values are left to people until that is corrected in Notion.",
                    kind.database
                ));
                false
            }
            _ => true,
        });
        Ok(Plan { place: Some(found), changes, notices })
    }

    /// Each change is 1 request but for columns: they are read once more and written in 1, because what a person
    /// added meanwhile must be in it.
    pub(super) async fn repair_place(
        &self,
        kind: &Kind,
        place: &Place,
        places: &BTreeMap<String, Place>,
        changes: &[Change],
    ) -> Result<Repaired, BackendError> {
        let mut place = place.clone();
        let mut notices = Vec::new();
        if changes.contains(&Change::Restore) {
            self.restore_database(kind, &place).await?;
        }
        let described = changes.iter().find_map(|change| match change {
            Change::Describe { column: None, text } => Some(text),
            _ => None,
        });
        if let Some(text) = described {
            let database = place_id(&place.database)?;
            let request = json!({ "description": [text_item(text)] });
            self.client.call(Endpoint::UpdateDatabase(&database), &[], Some(&request)).await?;
            place.made.descriptions.insert(String::new(), text.clone());
        }
        if changes.iter().any(is_of_columns) {
            place = self.repair_columns(kind, &place, places, changes).await?;
        }
        for change in changes {
            if let Change::AddView(view) = change {
                let refused = notices_first(&mut notices);
                if let Some(id) = self.create_view(kind, &place, view, refused).await? {
                    place.made.views.insert(view.name.clone(), id);
                }
            }
        }
        Ok(Repaired { place, notices })
    }

    async fn data_source(&self, place: &Place) -> Result<Json, BackendError> {
        let id = place_id(&place.data_source)?;
        Ok(self.client.call(Endpoint::DataSource(&id), &[], None).await?.body)
    }

    /// The answer is checked: `in_trash` was seen to be ignored without an error.
    async fn restore_database(&self, kind: &Kind, place: &Place) -> Result<(), BackendError> {
        let database = place_id(&place.database)?;
        let request = json!({ "in_trash": false });
        let endpoint = Endpoint::UpdateDatabase(&database);
        let mut object = self.client.call(endpoint, &[], Some(&request)).await?.body;
        if !is_trashed(&object) {
            object = self.data_source(place).await?;
            if is_trashed(&object) {
                let source = place_id(&place.data_source)?;
                let endpoint = Endpoint::UpdateDataSource(&source);
                object = self.client.call(endpoint, &[], Some(&request)).await?.body;
            }
        }
        if is_trashed(&object) {
            return Err(BackendError::Refused {
                message: format!(
                    "Notion did not take the database {} out of the trash.",
                    kind.database
                ),
                remedy: "Restore it in Notion, or take it out of the configuration.".to_owned(),
            });
        }
        Ok(())
    }

    async fn repair_columns(
        &self,
        kind: &Kind,
        place: &Place,
        places: &BTreeMap<String, Place>,
        changes: &[Change],
    ) -> Result<Place, BackendError> {
        let mut object = self.data_source(place).await?;
        let properties = written(place, places, changes, &object);
        if !properties.is_empty() {
            let id = place_id(&place.data_source)?;
            let request = json!({ "properties": properties });
            let endpoint = Endpoint::UpdateDataSource(&id);
            object = self.client.call(endpoint, &[], Some(&request)).await?.body;
        }
        let schema = compare(kind, place, &object);
        self.memory.saw_options(&place.data_source, &schema.options);
        let mut place = remembering(schema.place, place);
        for change in changes {
            match change {
                Change::Describe { column: Some((property, _)), text } => {
                    place.made.descriptions.insert(property.clone(), text.clone());
                }
                Change::AddColumn { column, .. } => {
                    if let Some(text) = &column.description {
                        place.made.descriptions.insert(column.property.clone(), text.clone());
                    }
                }
                _ => {}
            }
        }
        Ok(place)
    }
}

/// A column that is not as it should be keeps its place: a property without one is not read, and so would look
/// cleared.
fn remembering(mut place: Place, before: &Place) -> Place {
    for (name, id) in &before.properties {
        place.properties.entry(name.clone()).or_insert_with(|| id.clone());
    }
    place
}

/// Notices of one call; only the first refusal of views in a run makes one.
fn notices_first(notices: &mut Vec<String>) -> impl FnMut(String) + Send + '_ {
    move |notice| notices.push(notice)
}

fn is_of_columns(change: &Change) -> bool {
    matches!(
        change,
        Change::AddColumn { .. }
            | Change::AddOptions { .. }
            | Change::Describe { column: Some(_), .. }
    )
}

/// The `properties` of the request that makes the changes, as far as the schema still lacks them.
fn written(
    place: &Place,
    places: &BTreeMap<String, Place>,
    changes: &[Change],
    object: &Json,
) -> Map<String, Json> {
    let live = columns(object);
    let mut properties = Map::new();
    for change in changes {
        match change {
            Change::AddColumn { column, .. } => {
                let remembered = place.properties.get(&column.property);
                let there = live.iter().any(|other| {
                    other.name == column.name || remembered.is_some_and(|id| *id == other.id)
                });
                if let Some(definition) = definition(column, places).filter(|_| !there) {
                    properties.insert(column.name.clone(), definition);
                }
            }
            Change::AddOptions { column, id, missing } => {
                if let Some(options) = all_options(column, id, missing, object) {
                    let config = json!({ column.r#type.name(): { "options": options } });
                    merge(&mut properties, id, config);
                }
            }
            Change::Describe { column: Some((_, id)), text } => {
                if let Some(config) = unchanged(id, object) {
                    merge(&mut properties, id, config);
                    merge(&mut properties, id, json!({ "description": text }));
                }
            }
            _ => {}
        }
    }
    properties
}

/// Two changes of one column are one request for it; the plan has the texts first, the options last.
fn merge(properties: &mut Map<String, Json>, id: &str, config: Json) {
    match (properties.get_mut(id), config) {
        (Some(Json::Object(there)), Json::Object(config)) => there.extend(config),
        (_, config) => {
            properties.insert(id.to_owned(), config);
        }
    }
}

/// A column's definition as it is: whoever changes its text has to say the type as well.
fn unchanged(id: &str, object: &Json) -> Option<Json> {
    let mut properties = object.get("properties")?.as_object()?.values();
    let property =
        properties.find(|property| property.get("id").and_then(Json::as_str) == Some(id))?;
    let r#type = property.get("type")?.as_str()?;
    let mut config = property.get(r#type)?.clone();
    if let Some(Json::Array(options)) = config.get_mut("options") {
        *options = options.iter().map(writable_option).collect();
    }
    if let Json::Object(config) = &mut config {
        // Only Notion's own settings define the groups of a status.
        config.remove("groups");
    }
    Some(json!({ r#type: config }))
}

/// Every option that a column must have. The list replaces: one that is left out is taken from the schema and from
/// all pages, so the existing ones are sent with their ids. `None` where none is missing any more.
fn all_options(column: &Column, id: &str, missing: &[Choice], object: &Json) -> Option<Vec<Json>> {
    let property = object
        .get("properties")?
        .as_object()?
        .values()
        .find(|property| property.get("id").and_then(Json::as_str) == Some(id))?;
    let there = property.get(column.r#type.name())?.get("options")?.as_array()?;
    let names: BTreeSet<String> = there
        .iter()
        .filter_map(|option| Some(option.get("name")?.as_str()?.to_lowercase()))
        .collect();
    let new: Vec<Json> = missing
        .iter()
        .filter(|choice| !names.contains(&choice.name.to_lowercase()))
        .map(new_option)
        .collect();
    (!new.is_empty()).then(|| there.iter().map(writable_option).chain(new).collect())
}

/// An existing option with what a request may say of it.
fn writable_option(option: &Json) -> Json {
    let fields = ["id", "name", "color", "description"];
    let kept = fields.iter().filter_map(|field| {
        let value = option.get(*field).filter(|value| !value.is_null())?;
        Some(((*field).to_owned(), value.clone()))
    });
    Json::Object(kept.collect())
}

/// The columns of a data source object.
fn columns(object: &Json) -> Vec<ObservedColumn> {
    let live = object.get("properties").and_then(Json::as_object);
    live.into_iter().flatten().filter_map(|(name, value)| column(name, value)).collect()
}

fn column(name: &str, value: &Json) -> Option<ObservedColumn> {
    let text = |name: &str| value.get(name).and_then(Json::as_str);
    let r#type = text("type")?;
    let config = value.get(r#type).unwrap_or(&Json::Null);
    let options = config.get("options").and_then(Json::as_array).into_iter().flatten();
    let target = config.get("data_source_id").and_then(Json::as_str).and_then(ObjectId::parse);
    Some(ObservedColumn {
        id: text("id")?.to_owned(),
        name: name.to_owned(),
        r#type: r#type.to_owned(),
        description: text("description").unwrap_or_default().to_owned(),
        options: options.filter_map(|o| Some(o.get("name")?.as_str()?.to_owned())).collect(),
        target: target.map(|id| id.to_string()),
        two_way: config.get("dual_property").is_some_and(Json::is_object),
    })
}

fn memory<'a>(place: &'a Place, tables: &'a BTreeMap<String, String>) -> Memory<'a> {
    Memory {
        columns: &place.properties,
        views: &place.made.views,
        descriptions: &place.made.descriptions,
        tables,
    }
}

fn tables(places: &BTreeMap<String, Place>) -> BTreeMap<String, String> {
    let id = |place: &Place| {
        ObjectId::parse(&place.data_source)
            .map_or_else(|| place.data_source.clone(), |id| id.to_string())
    };
    places.iter().map(|(kind, place)| (kind.clone(), id(place))).collect()
}

pub(super) fn is_trashed(object: &Json) -> bool {
    object.get("in_trash").and_then(Json::as_bool) == Some(true)
}

/// Rich text without its marks.
fn plain_text(text: Option<&Json>) -> String {
    let items = text.and_then(Json::as_array).into_iter().flatten();
    items.filter_map(|item| item.get("plain_text")?.as_str()).collect()
}
