//! The schema of a data source beside the configured properties.

use std::collections::{BTreeMap, BTreeSet};

use agent_sync_core::kind::{Kind, Property, PropertyType};
use serde_json::{Map, Value as Json, json};

use super::endpoint::Endpoint;
use super::id::ObjectId;
use super::{Notion, place_id};
use crate::backend::{BackendError, Drift, Place, Schema};

/// The title's id is the same in every data source, whatever its name.
const TITLE_ID: &str = "title";

/// A longer list of options cannot be changed by a request (measured).
const OPTION_LIMIT: usize = 100;

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

/// The property as a new data source gets it; `None` for a relation whose target is not there yet, and for what
/// only a person can define.
pub(super) fn definition(property: &Property, places: &BTreeMap<String, Place>) -> Option<Json> {
    let config = match property.r#type {
        // Notion has options of its own for a status that is made without any.
        PropertyType::Status if property.options.is_empty() => json!({}),
        r#type if r#type.has_options() => {
            let options: Vec<_> =
                property.options.iter().map(|(_, name)| json!({ "name": name })).collect();
            json!({ "options": options })
        }
        // A person writes what they compute.
        PropertyType::Formula | PropertyType::Rollup => return None,
        PropertyType::Relation => json!({
            "data_source_id": places.get(property.target.as_ref()?)?.data_source,
            "type": "single_property",
            "single_property": {},
        }),
        _ => json!({}),
    };
    Some(json!({ property.r#type.name(): config }))
}

/// What a repair has to send, and what it cannot repair.
struct Repair {
    properties: Map<String, Json>,
    drift: Vec<Drift>,
}

fn plan_repair(
    kind: &Kind,
    place: &Place,
    places: &BTreeMap<String, Place>,
    object: &Json,
) -> Repair {
    let none = Map::new();
    let live = object.get("properties").and_then(Json::as_object).unwrap_or(&none);
    let mut repair = Repair { properties: Map::new(), drift: Vec::new() };
    for property in &kind.properties {
        let Some(found) = find(property, place.properties.get(&property.name), live) else {
            if property.r#type != PropertyType::Title
                && let Some(definition) = definition(property, places)
            {
                repair.properties.insert(property.remote_name.clone(), definition);
            }
            continue;
        };
        if !found.fits(property) {
            continue;
        }
        match property.r#type {
            r#type if r#type.has_options() => match all_options(property, &found) {
                Ok(Some(options)) => {
                    repair.properties.insert(
                        found.id.to_owned(),
                        json!({ r#type.name(): { "options": options } }),
                    );
                }
                Ok(None) => {}
                Err(missing) => repair.drift.push(too_many_options(kind, property, &missing)),
            },
            PropertyType::Relation => {
                let target = property.target.as_ref().and_then(|target| places.get(target));
                let actual = found.config.get("data_source_id").and_then(Json::as_str);
                if let (Some(target), Some(actual)) = (target, actual.and_then(ObjectId::parse))
                    && target.data_source != actual.as_str()
                {
                    repair.drift.push(wrong_target(kind, property));
                }
            }
            _ => {}
        }
    }
    repair
}

/// Every option that the property must have, when one is missing. The list replaces: one that is left out is
/// taken from the schema and from all pages, so the existing ones are sent with their ids. `Err`: the missing
/// names, where the list is too long to be sent.
fn all_options(property: &Property, found: &Found<'_>) -> Result<Option<Vec<Json>>, Vec<String>> {
    let existing: BTreeSet<String> = found
        .options()
        .filter_map(|option| Some(option.get("name")?.as_str()?.to_lowercase()))
        .collect();
    let missing: Vec<&String> = property
        .options
        .iter()
        .map(|(_, name)| name)
        .filter(|name| !existing.contains(&name.to_lowercase()))
        .collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let mut options: Vec<Json> = found.options().map(writable_option).collect();
    options.extend(missing.iter().map(|name| json!({ "name": name })));
    if options.len() > OPTION_LIMIT {
        return Err(missing.into_iter().cloned().collect());
    }
    Ok(Some(options))
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

fn too_many_options(kind: &Kind, property: &Property, missing: &[String]) -> Drift {
    Drift {
        property: property.name.clone(),
        message: format!(
            "Property \"{}\" of database {} lacks the options {}, and Notion changes no list of more than \
             {OPTION_LIMIT} options by request. Add them in Notion.",
            property.remote_name,
            kind.database,
            missing.join(", ")
        ),
        repairable: false,
    }
}

fn wrong_target(kind: &Kind, property: &Property) -> Drift {
    Drift {
        property: property.name.clone(),
        message: format!(
            "Property \"{}\" of database {} points to another database than that of kind {}. Correct it in Notion, \
             or map another property in the configuration.",
            property.remote_name,
            kind.database,
            property.target.as_deref().unwrap_or_default()
        ),
        repairable: false,
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

    /// Reads, and writes only where something is missing.
    pub(super) async fn repair_schema(
        &self,
        kind: &Kind,
        place: &Place,
        places: &BTreeMap<String, Place>,
    ) -> Result<Schema, BackendError> {
        let id = place_id(&place.data_source)?;
        let mut object = self.client.call(Endpoint::DataSource(&id), &[], None).await?.body;
        alive(kind, &object)?;
        let repair = plan_repair(kind, place, places, &object);
        if !repair.properties.is_empty() {
            let request = json!({ "properties": repair.properties });
            object =
                self.client.call(Endpoint::UpdateDataSource(&id), &[], Some(&request)).await?.body;
        }
        let mut schema = compare(kind, place, &object);
        self.memory.saw_options(&place.data_source, &schema.options);
        schema.drift.extend(repair.drift);
        Ok(schema)
    }
}

/// A database in the trash answers like one that lives, but nothing may be written to it.
pub(super) fn alive(kind: &Kind, object: &Json) -> Result<(), BackendError> {
    if object.get("in_trash").and_then(Json::as_bool) == Some(true) {
        return Err(BackendError::Refused {
            message: format!("Database {} is in Notion's trash.", kind.database),
            remedy: "Restore it in Notion, or take it out of the configuration and run `agent-sync init`."
                .to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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

    fn places() -> BTreeMap<String, Place> {
        let plan = Place {
            database: "x".into(),
            data_source: "22222222-2222-2222-2222-222222222222".into(),
            properties: BTreeMap::new(),
        };
        BTreeMap::from([("plan".to_owned(), plan), ("story".to_owned(), place())])
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
    fn a_complete_schema_needs_no_repair_but_for_missing_options() {
        let repair = plan_repair(&story(), &place(), &places(), &data_source(complete()));
        assert!(repair.drift.is_empty());
        // TO_DO is there as "to do", DONE as "Done"; REVIEW is missing.
        let expected = json!({"stat": {"select": {"options": [
            {"id": "o1", "name": "to do", "color": "red"},
            {"id": "o2", "name": "Done", "color": "green", "description": "all"},
            {"id": "o3", "name": "Somebody's", "color": "blue"},
            {"name": "Review"}]}}});
        assert_eq!(Json::Object(repair.properties), expected);
    }

    #[test]
    fn missing_properties_are_added_by_name() {
        let only_title = json!({"Name": {"id": "title", "type": "title", "title": {}}});
        let repair = plan_repair(&story(), &place(), &places(), &data_source(only_title));
        assert_eq!(
            Json::Object(repair.properties),
            json!({
                "ID": {"rich_text": {}},
                "Status": {"select": {"options": [{"name": "To do"}, {"name": "Done"}, {"name": "Review"}]}},
                "Linked Plans": {"relation": {"data_source_id": "22222222-2222-2222-2222-222222222222",
                    "type": "single_property", "single_property": {}}},
            })
        );
    }

    #[test]
    fn a_list_of_more_than_100_options_is_not_sent() {
        let mut properties = complete();
        let options: Vec<_> =
            (0..100).map(|n| json!({"id": format!("{n}"), "name": format!("o{n}")})).collect();
        properties["State of it"]["select"]["options"] = options.into();
        let repair = plan_repair(&story(), &place(), &places(), &data_source(properties));
        assert!(repair.properties.is_empty());
        assert!(
            repair.drift[0].message.contains("To do, Done, Review") && !repair.drift[0].repairable
        );
    }

    #[test]
    fn a_relation_to_another_database_is_left_to_a_person() {
        let mut properties = complete();
        properties["Linked Plans"]["relation"]["data_source_id"] = "3".repeat(32).into();
        let repair = plan_repair(&story(), &place(), &places(), &data_source(properties));
        assert_eq!(repair.drift[0].property, "Linked Plans");
    }

    #[test]
    fn every_type_is_made_but_what_only_a_person_can_define() {
        use PropertyType as T;
        for r#type in T::ALL {
            let property =
                Property { r#type, options: Vec::new(), ..story().properties[2].clone() };
            let wanted = match r#type {
                T::Formula | T::Rollup | T::Relation => None,
                T::Select | T::MultiSelect => Some(json!({ r#type.name(): {"options": []} })),
                _ => Some(json!({ r#type.name(): {} })),
            };
            assert_eq!(definition(&property, &places()), wanted, "{type:?}");
            let drift = missing(&story(), &property);
            let by_hand = matches!(r#type, T::Title | T::Formula | T::Rollup);
            assert_eq!(drift.repairable, !by_hand, "{type:?}");
        }
        let status = Property { r#type: T::Status, ..story().properties[2].clone() };
        assert_eq!(
            definition(&status, &places()),
            Some(
                json!({"status": {"options": [{"name": "To do"}, {"name": "Done"}, {"name": "Review"}]}})
            )
        );
    }

    #[test]
    fn a_number_keeps_its_format_and_a_status_gets_its_options() {
        let mut kind = story();
        kind.properties[2].r#type = PropertyType::Status;
        let number = Property {
            name: "Effort".into(),
            remote_name: "Effort".into(),
            r#type: PropertyType::Number,
            options: Vec::new(),
            ..kind.properties[1].clone()
        };
        kind.properties.push(number);
        let mut properties = complete();
        properties["Effort"] =
            json!({"id": "eff", "type": "number", "number": {"format": "dollar"}});
        let options = properties["State of it"]["select"]["options"].take();
        properties["State of it"] =
            json!({"id": "stat", "type": "status", "status": {"options": options, "groups": []}});
        let repair = plan_repair(&kind, &place(), &places(), &data_source(properties));
        let keys: Vec<&String> = repair.properties.keys().collect();
        assert_eq!(keys, ["stat"]);
        assert_eq!(repair.properties["stat"]["status"]["options"][3], json!({"name": "Review"}));
    }
}
