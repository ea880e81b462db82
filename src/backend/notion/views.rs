//! Views: made once, and then a person's. A connection that may not make them is told so once and goes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use agent_sync_core::kind::{Kind, PropertyType};
use agent_sync_core::schema::{Layout, View};
use serde_json::{Map, Value as Json, json};

use super::endpoint::Endpoint;
use super::id::ObjectId;
use super::paging::Cursor;
use super::{Notion, place_id};
use crate::backend::{BackendError, Place, TEMPLATE_ID};

/// Name of the column that a list of what was edited lately needs to compute, where there is none of its type.
const EDITED: &str = "Last edited";

/// The views of a database.
pub(super) enum Listed {
    /// Ids by name.
    Views(BTreeMap<String, String>),
    /// They cannot be looked at.
    Refused,
}

/// Whether views were refused in this run already.
#[derive(Debug, Default)]
pub(super) struct Refusal(AtomicBool);

impl Refusal {
    fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error that only says that there are no views here; any other comes back.
    fn take(
        &self,
        error: BackendError,
        mut notice: impl FnMut(String),
    ) -> Result<(), BackendError> {
        match error {
            BackendError::Refused { .. }
            | BackendError::NotFound { .. }
            | BackendError::Rejected { .. } => {
                if !self.0.swap(true, Ordering::Relaxed) {
                    notice(format!("Views were left out; all else is as it should be. {error}"));
                }
                Ok(())
            }
            error => Err(error),
        }
    }
}

impl Notion {
    /// The views of a database by name: 1 request, and 1 for each of them.
    pub(super) async fn list_views(
        &self,
        database: &ObjectId,
        notice: impl FnMut(String),
    ) -> Result<Listed, BackendError> {
        if self.views.is_known() {
            return Ok(Listed::Refused);
        }
        match self.named_views(database).await {
            Ok(views) => Ok(Listed::Views(views)),
            Err(error) => self.views.take(error, notice).map(|()| Listed::Refused),
        }
    }

    async fn named_views(
        &self,
        database: &ObjectId,
    ) -> Result<BTreeMap<String, String>, BackendError> {
        let mut cursor = Cursor::default();
        let mut ids = Vec::new();
        loop {
            let mut query = vec![("database_id", database.as_str()), ("page_size", "100")];
            query.extend(cursor.get().map(|cursor| ("start_cursor", cursor)));
            let answer = self.client.call(Endpoint::Views, &query, None).await?.body;
            let stubs = answer.get("results").and_then(Json::as_array).into_iter().flatten();
            ids.extend(stubs.filter_map(|stub| ObjectId::parse(stub.get("id")?.as_str()?)));
            if !cursor.advance(Endpoint::Views.pattern(), &answer)? {
                break;
            }
        }
        let mut views = BTreeMap::new();
        for id in ids {
            let view = self.client.call(Endpoint::View(&id), &[], None).await?.body;
            if let Some(name) = view.get("name").and_then(Json::as_str) {
                views.entry(name.to_owned()).or_insert_with(|| id.to_string());
            }
        }
        Ok(views)
    }

    /// Makes a view; `None` where that is refused. An answer that never came is looked up.
    pub(super) async fn create_view(
        &self,
        kind: &Kind,
        place: &Place,
        view: &View,
        notice: impl FnMut(String),
    ) -> Result<Option<String>, BackendError> {
        if self.views.is_known() {
            return Ok(None);
        }
        match self.send_view(kind, place, view).await {
            Ok(id) => Ok(Some(id)),
            Err(error @ BackendError::Ambiguous { .. }) => {
                let database = place_id(&place.database)?;
                self.named_views(&database).await?.remove(&view.name).map(Some).ok_or(error)
            }
            Err(error) => self.views.take(error, notice).map(|()| None),
        }
    }

    async fn send_view(
        &self,
        kind: &Kind,
        place: &Place,
        view: &View,
    ) -> Result<String, BackendError> {
        let mut request = json!({
            "data_source_id": place.data_source,
            "database_id": place.database,
            "name": view.name,
            "type": view.layout.name(),
        });
        let shown = shape(kind, place, &view.layout);
        if let Some(configuration) = shown.configuration {
            request["configuration"] = configuration;
        }
        if let Some(sorts) = shown.sorts {
            request["sorts"] = sorts;
        }
        let mut filters: Vec<Json> = shown.filter.into_iter().collect();
        if let Layout::List { edited_within: Some(days) } = view.layout {
            let filter = match self.edited_filter(place, days).await {
                // Without the formula: more than was asked for, and still the last edited first.
                Err(BackendError::Refused { .. } | BackendError::Rejected { .. }) => {
                    json!({ "timestamp": "last_edited_time", "last_edited_time": { "past_month": {} } })
                }
                filter => filter?,
            };
            filters.push(filter);
        }
        match (filters.pop(), filters.pop()) {
            (Some(last), Some(first)) => request["filter"] = json!({ "and": [first, last] }),
            (Some(only), None) => request["filter"] = only,
            _ => {}
        }
        let answer = self.client.call(Endpoint::CreateView, &[], Some(&request)).await?.body;
        let id = answer.get("id").and_then(Json::as_str).and_then(ObjectId::parse);
        let id = id.ok_or_else(|| BackendError::Ambiguous {
            message: format!("Notion made the view \"{}\" but did not say which.", view.name),
            committed: None,
        })?;
        Ok(id.to_string())
    }

    /// Filters know a week and a month back from today, and no number of days. A formula knows them, and a list that
    /// moves with the day needs one: it and the time that it reads are columns of the database.
    async fn edited_filter(&self, place: &Place, days: u32) -> Result<Json, BackendError> {
        let source = place_id(&place.data_source)?;
        let mut object = self.client.call(Endpoint::DataSource(&source), &[], None).await?.body;
        let name = format!("Edited in {days} days");
        let edited = match column_of(&object, PropertyType::LastEditedTime, None) {
            Some((name, _)) => name,
            None => {
                object =
                    self.add_column(&source, EDITED, json!({ "last_edited_time": {} })).await?;
                EDITED.to_owned()
            }
        };
        if column_of(&object, PropertyType::Formula, Some(&name)).is_none() {
            let quoted = edited.replace('\\', "\\\\").replace('"', "\\\"");
            let expression = format!("dateBetween(now(), prop(\"{quoted}\"), \"days\") <= {days}");
            let formula = json!({ "formula": { "expression": expression } });
            object = self.add_column(&source, &name, formula).await?;
        }
        let (_, id) = column_of(&object, PropertyType::Formula, Some(&name)).ok_or_else(|| {
            BackendError::Rejected {
                message: format!("Notion did not make the property \"{name}\"."),
            }
        })?;
        Ok(json!({ "property": id, "formula": { "checkbox": { "equals": true } } }))
    }

    async fn add_column(
        &self,
        source: &ObjectId,
        name: &str,
        definition: Json,
    ) -> Result<Json, BackendError> {
        let mut properties = Map::new();
        properties.insert(name.to_owned(), definition);
        let request = json!({ "properties": properties });
        let endpoint = Endpoint::UpdateDataSource(source);
        Ok(self.client.call(endpoint, &[], Some(&request)).await?.body)
    }
}

/// Name and id of a column of this type, of any name or of this one.
fn column_of(object: &Json, r#type: PropertyType, named: Option<&str>) -> Option<(String, String)> {
    object.get("properties")?.as_object()?.iter().find_map(|(name, value)| {
        let fits = value.get("type")?.as_str()? == r#type.name()
            && named.is_none_or(|wanted| wanted == name);
        fits.then_some((name.clone(), value.get("id")?.as_str()?.to_owned()))
    })
}

/// What a request says of a view beside its name.
#[derive(Default)]
struct Shape {
    configuration: Option<Json>,
    sorts: Option<Json>,
    filter: Option<Json>,
}

/// Columns that are not there leave out what names them.
fn shape(kind: &Kind, place: &Place, layout: &Layout) -> Shape {
    let id = |name: &str| place.properties.get(name);
    // The template row is no work of anybody; it shows in tables, where one copies it.
    let artifacts = || {
        let property = kind.id()?;
        Some(json!({
            "property": id(&property.name)?,
            property.r#type.name(): { "does_not_contain": TEMPLATE_ID },
        }))
    };
    match layout {
        Layout::Table { group_by: Some(name) } => Shape {
            configuration: group(kind, place, name)
                .map(|group| json!({ "type": "table", "group_by": group })),
            sorts: id(name).map(|id| json!([{ "property": id, "direction": "ascending" }])),
            filter: None,
        },
        Layout::Table { group_by: None } => Shape::default(),
        Layout::Board { group_by } => Shape {
            configuration: group(kind, place, group_by)
                .map(|group| json!({ "type": "board", "group_by": group })),
            sorts: None,
            filter: artifacts(),
        },
        Layout::List { .. } => Shape {
            configuration: None,
            sorts: Some(json!([{ "timestamp": "last_edited_time", "direction": "descending" }])),
            filter: artifacts(),
        },
    }
}

/// How the values of a property make groups; `None` where Notion has no such groups.
fn group(kind: &Kind, place: &Place, name: &str) -> Option<Json> {
    use PropertyType as T;
    let id = place.properties.get(name)?;
    let group = |r#type: &str, extra: &[(&str, &str)], sort: &str| {
        let mut group = json!({ "type": r#type, "property_id": id, "sort": { "type": sort } });
        for (key, value) in extra {
            group[*key] = (*value).into();
        }
        Some(group)
    };
    match kind.property(name)?.r#type {
        T::Select => group("select", &[], "manual"),
        T::MultiSelect => group("multi_select", &[], "manual"),
        T::Status => group("status", &[("group_by", "option")], "manual"),
        T::Title => group("title", &[("group_by", "alphabet_prefix")], "ascending"),
        T::RichText => group("text", &[("group_by", "alphabet_prefix")], "ascending"),
        T::Checkbox => group("checkbox", &[], "manual"),
        T::People => group("person", &[], "manual"),
        T::Relation => group("relation", &[], "manual"),
        _ => None,
    }
}
