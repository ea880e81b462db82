//! The schema of a data source beside the configured properties.

use std::collections::BTreeMap;

use agent_sync_core::kind::{Kind, Property, PropertyType};
use agent_sync_core::schema::{Choice, Column, Relation};
use serde_json::{Map, Value as Json, json};

use super::endpoint::Endpoint;
use super::{Notion, place_id};
use crate::backend::{BackendError, Drift, Place, Schema};

/// The title's id is the same in every data source, whatever its name.
const TITLE_ID: &str = "title";

/// A property as the data source has it.
struct Found<'a> {
    id: &'a str,
    r#type: &'a str,
    /// What is under the name of the type.
    config: &'a Json,
}

impl Found<'_> {
    fn fits(&self, property: &Property) -> bool {
        self.r#type == property.r#type.name()
    }

    fn options(&self) -> impl Iterator<Item = &Json> {
        self.config.get("options").and_then(Json::as_array).into_iter().flatten()
    }
}

/// Finds a mapped property: the title by being the title, others by the id that is remembered, else by name.
fn find<'a>(
    property: &Property,
    remembered: Option<&String>,
    properties: &'a Map<String, Json>,
) -> Option<Found<'a>> {
    let with_id = |id: &str| {
        properties.values().find(|value| value.get("id").and_then(Json::as_str) == Some(id))
    };
    let value = match property.r#type {
        PropertyType::Title => with_id(TITLE_ID),
        _ => {
            remembered.and_then(|id| with_id(id)).or_else(|| properties.get(&property.remote_name))
        }
    }?;
    let r#type = value.get("type")?.as_str()?;
    Some(Found {
        id: value.get("id")?.as_str()?,
        r#type,
        config: value.get(r#type).unwrap_or(&Json::Null),
    })
}

/// Compares a data source object with what is configured.
pub(super) fn compare(kind: &Kind, place: &Place, object: &Json) -> Schema {
    let none = Map::new();
    let live = object.get("properties").and_then(Json::as_object).unwrap_or(&none);
    let mut schema = Schema {
        place: Place { properties: BTreeMap::new(), ..place.clone() },
        drift: Vec::new(),
        options: BTreeMap::new(),
    };
    for property in &kind.properties {
        let Some(found) = find(property, place.properties.get(&property.name), live) else {
            schema.drift.push(missing(kind, property));
            continue;
        };
        if !found.fits(property) {
            schema.drift.push(wrong_type(kind, property, found.r#type));
            continue;
        }
        schema.place.properties.insert(property.name.clone(), found.id.to_owned());
        if property.r#type.has_options() {
            let names = found.options().filter_map(|option| option.get("name")?.as_str());
            schema.options.insert(property.name.clone(), names.map(str::to_owned).collect());
        }
    }
    schema
}

fn missing(kind: &Kind, property: &Property) -> Drift {
    let (database, name) = (&kind.database, &property.remote_name);
    let computed = matches!(property.r#type, PropertyType::Formula | PropertyType::Rollup);
    let message = match (property.r#type, &property.target) {
        (r#type, _) if computed => format!(
            "Database {database} has no property \"{name}\". What a {} computes is not configured here: add it in \
             Notion, or correct its name in the configuration.",
            r#type.name()
        ),
        (PropertyType::Relation, Some(target)) => format!(
            "Database {database} shows no property \"{name}\". Share the database of kind {target} with the \
             connection if it points there, else run `agent-sync init` to add it."
        ),
        _ => format!(
            "Database {database} has no property \"{name}\". Run `agent-sync init` to add it, or correct its name \
             in the configuration."
        ),
    };
    Drift {
        property: property.name.clone(),
        message,
        repairable: property.r#type != PropertyType::Title && !computed,
    }
}

fn wrong_type(kind: &Kind, property: &Property, found: &str) -> Drift {
    Drift {
        property: property.name.clone(),
        message: format!(
            "Property \"{}\" of database {} is of type {found} and not {}. Change its type in Notion, or map another \
             property in the configuration.",
            property.remote_name,
            kind.database,
            property.r#type.name()
        ),
        repairable: false,
    }
}

/// The column as a new data source gets it; `None` for a relation whose target is not there yet, and for what only a
/// person can define.
pub(super) fn definition(column: &Column, places: &BTreeMap<String, Place>) -> Option<Json> {
    let config = match column.r#type {
        // Notion has options of its own for a status that is made without any.
        PropertyType::Status if column.choices.is_empty() => json!({}),
        r#type if r#type.has_options() => {
            let options: Vec<_> = column.choices.iter().map(new_option).collect();
            json!({ "options": options })
        }
        // A person writes what they compute.
        PropertyType::Formula | PropertyType::Rollup => return None,
        PropertyType::Relation => relation(column.relation.as_ref()?, places)?,
        _ => json!({}),
    };
    let mut definition = json!({ column.r#type.name(): config });
    if let Some(text) = &column.description {
        definition["description"] = text.as_str().into();
    }
    Some(definition)
}

/// What comes with the other side is not made on its own.
fn relation(relation: &Relation, places: &BTreeMap<String, Place>) -> Option<Json> {
    let target = &places.get(&relation.target)?.data_source;
    match &relation.two_way {
        _ if relation.mirrored => None,
        None => Some(json!({
            "data_source_id": target,
            "type": "single_property",
            "single_property": {},
        })),
        Some(name) => Some(json!({
            "data_source_id": target,
            "type": "dual_property",
            "dual_property": { "synced_property_name": name },
        })),
    }
}

/// An option as a request makes it.
pub(super) fn new_option(choice: &Choice) -> Json {
    match choice.color {
        Some(color) => json!({ "name": choice.name, "color": color.name() }),
        None => json!({ "name": choice.name }),
    }
}

impl Notion {
    pub(super) async fn read_schema(
        &self,
        kind: &Kind,
        place: &Place,
    ) -> Result<Schema, BackendError> {
        let id = place_id(&place.data_source)?;
        let answer = self.client.call(Endpoint::DataSource(&id), &[], None).await?;
        alive(kind, &answer.body)?;
        let schema = compare(kind, place, &answer.body);
        self.memory.saw_options(&place.data_source, &schema.options);
        Ok(schema)
    }
}

/// A database in the trash answers like one that lives, but nothing may be written to it.
pub(super) fn alive(kind: &Kind, object: &Json) -> Result<(), BackendError> {
    if object.get("in_trash").and_then(Json::as_bool) == Some(true) {
        return Err(BackendError::Refused {
            message: format!("Database {} is in Notion's trash.", kind.database),
            remedy: "Run `agent-sync init`, which takes it out of the trash, or take it out of the configuration."
                .to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use agent_sync_core::schema::{Color, Design, Table};

    use super::*;
    use crate::backend::notion::testing::{place, story};

    fn data_source(properties: Json) -> Json {
        json!({ "object": "data_source", "id": place().data_source, "properties": properties })
    }

    fn complete() -> Json {
        json!({
            "Name": {"id": "title", "name": "Name", "type": "title", "title": {}},
            "ID": {"id": "a%3Ab", "name": "ID", "type": "rich_text", "rich_text": {}},
            "State of it": {"id": "stat", "name": "State of it", "type": "select", "select": {"options": [
                {"id": "o1", "name": "to do", "color": "red", "description": null},
                {"id": "o2", "name": "Done", "color": "green", "description": "all"},
                {"id": "o3", "name": "Somebody's", "color": "blue", "description": null}]}},
            "Linked Plans": {"id": "plan", "name": "Linked Plans", "type": "relation",
                             "relation": {"data_source_id": "22222222222222222222222222222222"}},
        })
    }

    #[test]
    fn a_property_keeps_its_place_when_it_is_renamed_and_the_title_has_any_name() {
        let schema = compare(&story(), &place(), &data_source(complete()));
        assert_eq!(schema.drift, []);
        assert_eq!(schema.place, place());
        assert_eq!(
            schema.options["Status"],
            BTreeSet::from(["to do", "Done", "Somebody's"].map(str::to_owned))
        );
    }

    #[test]
    fn without_a_remembered_id_the_name_decides() {
        let fresh = Place { properties: BTreeMap::new(), ..place() };
        let mut properties = complete();
        properties["Status"] = properties["State of it"].take();
        assert_eq!(compare(&story(), &fresh, &data_source(properties)).place, place());
    }

    #[test]
    fn a_lost_property_and_a_wrong_type_are_drift_and_not_mapped() {
        let mut properties = complete();
        properties.as_object_mut().unwrap().remove("ID");
        properties["State of it"] = json!({"id": "stat", "type": "number", "number": {}});
        let schema = compare(&story(), &place(), &data_source(properties));
        let drift: Vec<_> =
            schema.drift.iter().map(|d| (d.property.as_str(), d.repairable)).collect();
        assert_eq!(drift, [("ID", true), ("Status", false)]);
        assert!(schema.drift[1].message.contains("number"));
        assert!(!schema.place.properties.contains_key("ID"));
        assert!(!schema.place.properties.contains_key("Status"));
    }

    #[test]
    fn an_answer_without_a_schema_has_nothing_that_is_mapped() {
        for object in
            [json!({}), json!({"properties": []}), json!({"properties": {"ID": 3, "Status": {}}})]
        {
            assert_eq!(compare(&story(), &place(), &object).drift.len(), 4);
        }
    }

    #[test]
    fn every_type_is_made_but_what_only_a_person_can_define() {
        use PropertyType as T;
        let table = Table::of(&story(), &Design::default());
        let status = table.columns[2].clone();
        for r#type in T::ALL {
            let column = Column { r#type, choices: Vec::new(), ..status.clone() };
            let wanted = match r#type {
                T::Formula | T::Rollup | T::Relation => None,
                T::Select | T::MultiSelect => Some(json!({ r#type.name(): {"options": []} })),
                _ => Some(json!({ r#type.name(): {} })),
            };
            assert_eq!(definition(&column, &BTreeMap::new()), wanted, "{type:?}");
            let property = Property { r#type, ..story().properties[2].clone() };
            let by_hand = matches!(r#type, T::Title | T::Formula | T::Rollup);
            assert_eq!(missing(&story(), &property).repairable, !by_hand, "{type:?}");
        }
        let mut colored = status;
        colored.choices.truncate(1);
        colored.choices[0].color = Some(Color::Yellow);
        colored.description = Some("How far it is.".to_owned());
        assert_eq!(
            definition(&colored, &BTreeMap::new()),
            Some(json!({
                "select": {"options": [{"name": "To do", "color": "yellow"}]},
                "description": "How far it is.",
            }))
        );
    }

    #[test]
    fn a_relation_has_one_side_or_two_and_comes_with_its_other_side() {
        let places = BTreeMap::from([("plan".to_owned(), place())]);
        let mut column = Table::of(&story(), &Design::default()).columns[3].clone();
        let source = place().data_source;
        assert_eq!(
            definition(&column, &places),
            Some(
                json!({"relation": {"data_source_id": source, "type": "single_property", "single_property": {}}})
            )
        );
        column.relation.as_mut().unwrap().two_way = Some("Stories".to_owned());
        assert_eq!(
            definition(&column, &places),
            Some(json!({"relation": {"data_source_id": source, "type": "dual_property",
                "dual_property": {"synced_property_name": "Stories"}}}))
        );
        column.relation.as_mut().unwrap().mirrored = true;
        assert_eq!(definition(&column, &places), None);
        assert_eq!(definition(&column, &BTreeMap::new()), None);
    }
}
