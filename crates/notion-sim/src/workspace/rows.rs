//! Rows of data sources: their values, and what schema changes do to them.

use crate::block::Kind;
use crate::error::{ApiError, ApiResult};
use crate::request::Obj;
use crate::rich::RichText;
use crate::schema::{self, Property, PropertyKind, SelectOption};
use crate::values::{self, PropertyValue, Written};
use crate::workspace::Workspace;
use crate::workspace::objects::{DataSource, Database, Parent};

/// A checked change of one property of a data source.
#[derive(Debug)]
pub(crate) enum SchemaChange {
    Remove(String),
    Rename(String, String),
    Change(String, schema::Definition),
    Add(String, schema::Definition),
}

impl Workspace {
    /// Reads the `properties` of a request for a row.
    pub(crate) fn read_values(
        &self,
        source: &DataSource,
        properties: &Obj<'_>,
    ) -> ApiResult<Vec<(String, Written)>> {
        let mut out = Vec::with_capacity(properties.map().len());
        for (key, value) in properties.map() {
            let Some(property) =
                source.lookup(key).filter(|property| self.property_visible(property))
            else {
                return Err(ApiError::invalid(format!("{key} is not a property that exists.")));
            };
            let written = values::read(self, property, value, &properties.at(key))?;
            if self.makes_options(property, &written) && !self.capabilities.update {
                return Err(ApiError::restricted("update content"));
            }
            out.push((property.id.clone(), written));
        }
        Ok(out)
    }

    /// Whether a value names an option that the schema lacks and that the write would therefore create.
    fn makes_options(&self, property: &Property, written: &Written) -> bool {
        let missing = |name: &String| {
            property
                .kind
                .options()
                .is_none_or(|options| schema::option_named(options, name).is_none())
        };
        match written {
            Written::OptionNamed(name) => missing(name),
            Written::OptionsNamed(names) => names.iter().any(missing),
            _ => false,
        }
    }

    /// Gives a row checked values. Options that are new are added to the schema.
    pub(crate) fn write_values(
        &mut self,
        page: &str,
        source: &str,
        values: Vec<(String, Written)>,
    ) {
        for (property, written) in values {
            let value = match written {
                Written::Clear => None,
                Written::Value(PropertyValue::Files(files)) => {
                    let files = files.into_iter().map(|file| self.attached(file)).collect();
                    Some(PropertyValue::Files(files))
                }
                Written::Value(value) => Some(value),
                Written::OptionNamed(name) => {
                    self.option_id(source, &property, &name).map(PropertyValue::Option)
                }
                Written::OptionsNamed(names) => {
                    let ids: Vec<String> = names
                        .iter()
                        .filter_map(|name| self.option_id(source, &property, name))
                        .collect();
                    (!ids.is_empty()).then_some(PropertyValue::Options(ids))
                }
            };
            self.set_value(page, source, &property, value);
        }
    }

    /// A file of a property; an upload gets its place.
    fn attached(&mut self, file: serde_json::Value) -> serde_json::Value {
        let Some(id) = file.get("upload").and_then(|id| id.as_str()) else { return file };
        let path = self.attach_upload(id);
        let name = file.get("name").and_then(|name| name.as_str());
        let name = name.or_else(|| path.rsplit('/').next()).map(str::to_owned);
        serde_json::json!({"name": name, "type": "file", "path": path})
    }

    fn option_id(&mut self, source: &str, property: &str, name: &str) -> Option<String> {
        let source = self.data_sources.get_mut(source)?;
        let property = source.properties.iter_mut().find(|candidate| candidate.id == property)?;
        let options = property.kind.options_mut()?;
        if let Some(option) = schema::option_named(options, name) {
            return Some(option.id.clone());
        }
        let option = SelectOption::new(&mut self.ids, name);
        let id = option.id.clone();
        options.push(option);
        Some(id)
    }

    /// Sets one value of a row; the other side of a two-way relation follows.
    pub(crate) fn set_value(
        &mut self,
        page: &str,
        source: &str,
        property: &str,
        value: Option<PropertyValue>,
    ) {
        let other_side =
            self.data_sources.get(source).and_then(|source| other_side(source.property(property)?));
        let Some(row) = self.pages.get_mut(page) else { return };
        let before = match &value {
            Some(new) => row.values.insert(property.to_owned(), new.clone()),
            None => row.values.remove(property),
        };
        let Some(other) = other_side else { return };
        let targets = |value: &Option<PropertyValue>| match value {
            Some(PropertyValue::Relation(targets)) => targets.clone(),
            _ => Vec::new(),
        };
        let (old, new) = (targets(&before), targets(&value));
        for target in old.iter().filter(|target| !new.contains(target)) {
            self.edit_relation(target, &other, |list| list.retain(|id| id != page));
        }
        for target in new.iter().filter(|target| !old.contains(target)) {
            self.edit_relation(target, &other, |list| list.push(page.to_owned()));
        }
    }

    fn edit_relation(&mut self, page: &str, property: &str, edit: impl FnOnce(&mut Vec<String>)) {
        let Some(row) = self.pages.get_mut(page) else { return };
        let mut list = match row.values.remove(property) {
            Some(PropertyValue::Relation(list)) => list,
            _ => Vec::new(),
        };
        edit(&mut list);
        if !list.is_empty() {
            row.values.insert(property.to_owned(), PropertyValue::Relation(list));
        }
    }

    /// Makes a row. Its values are given afterwards.
    pub(crate) fn new_row(&mut self, source: &str, actor: &str) -> String {
        let id = self.ids.uuid();
        let page = self.blank_page(id.clone(), Parent::DataSource(source.to_owned()), actor);
        self.pages.insert(id.clone(), page);
        self.adopt_row(&id, source);
        id
    }

    /// Enters a page into a data source, which gives it its numbers.
    pub(crate) fn adopt_row(&mut self, page: &str, source: &str) {
        let Some(source) = self.data_sources.get_mut(source) else { return };
        source.rows.push(page.to_owned());
        source.counter += 1;
        let numbered: Vec<&str> = source
            .properties
            .iter()
            .filter(|property| matches!(property.kind, PropertyKind::UniqueId { .. }))
            .map(|property| property.id.as_str())
            .collect();
        if let Some(page) = self.pages.get_mut(page) {
            for id in numbered {
                page.values.insert(id.to_owned(), PropertyValue::UniqueId(source.counter));
            }
        }
    }

    /// Makes a page below another page.
    pub(crate) fn new_subpage(&mut self, parent: &str, title: RichText, actor: &str) -> String {
        let id = self.ids.uuid();
        let mut page = self.blank_page(id.clone(), Parent::Page(parent.to_owned()), actor);
        page.title = title;
        self.pages.insert(id.clone(), page);
        self.attach_child(&id, parent, actor);
        self.touch(parent, actor);
        id
    }

    /// Makes a database with one data source.
    pub(crate) fn new_database(
        &mut self,
        parent: Parent,
        title: RichText,
        properties: Vec<Property>,
        actor: &str,
    ) -> String {
        let now = self.minute();
        let id = self.ids.uuid();
        let database = Database {
            id: id.clone(),
            parent: parent.clone(),
            title: title.clone(),
            description: Vec::new(),
            inline: false,
            in_trash: false,
            is_locked: false,
            icon: serde_json::Value::Null,
            cover: serde_json::Value::Null,
            created: now,
            created_by: actor.to_owned(),
            edited: now,
            edited_by: actor.to_owned(),
            data_sources: Vec::new(),
        };
        self.databases.insert(id.clone(), database);
        let source = self.new_data_source(&id, title, properties, actor);
        self.new_view(&id, &source, "Default view", "table", actor);
        if let Parent::Page(page) = &parent {
            let block =
                self.block_with_id(id.clone(), page, Kind::ChildDatabase, Vec::new(), actor);
            self.insert_blocks(page, None, &crate::workspace::content::Position::End, vec![block]);
            self.touch(page, actor);
        }
        id
    }

    pub(crate) fn new_data_source(
        &mut self,
        database: &str,
        title: RichText,
        properties: Vec<Property>,
        actor: &str,
    ) -> String {
        let now = self.minute();
        let id = self.ids.uuid();
        let source = DataSource {
            id: id.clone(),
            database: database.to_owned(),
            title,
            icon: serde_json::Value::Null,
            in_trash: false,
            created: now,
            created_by: actor.to_owned(),
            edited: now,
            edited_by: actor.to_owned(),
            properties,
            rows: Vec::new(),
            counter: 0,
        };
        self.data_sources.insert(id.clone(), source);
        if let Some(database) = self.databases.get_mut(database) {
            database.data_sources.push(id.clone());
        }
        self.pair_relations(&id);
        id
    }

    /// Checks that the relations of a schema point to data sources that the connection sees.
    pub(crate) fn check_relations<'a>(
        &self,
        kinds: impl Iterator<Item = &'a PropertyKind>,
    ) -> ApiResult<()> {
        for kind in kinds {
            if let PropertyKind::Relation { data_source, .. } = kind {
                self.visible_data_source(data_source)?;
            }
        }
        Ok(())
    }

    /// Gives two-way relations of a data source their other side.
    fn pair_relations(&mut self, id: &str) {
        let Some(source) = self.data_sources.get(id) else { return };
        let open: Vec<(String, String, String)> = source
            .properties
            .iter()
            .filter_map(|property| match &property.kind {
                PropertyKind::Relation { data_source, dual: Some(dual) }
                    if dual.get("synced_property_id").is_none() =>
                {
                    let name = dual.get("synced_property_name").and_then(|name| name.as_str());
                    let name =
                        name.map_or_else(|| format!("Related to {}", property.name), str::to_owned);
                    Some((property.id.clone(), data_source.clone(), name))
                }
                _ => None,
            })
            .collect();
        for (property, target, name) in open {
            let Some(other) = self.data_sources.get_mut(&target) else { continue };
            let other_id = schema::unused_id(&mut self.ids, &other.properties);
            let own_name = |source: &DataSource| {
                source.property(&property).map(|property| property.name.clone())
            };
            let name_here = self.data_sources.get(id).and_then(own_name).unwrap_or_default();
            let pair = |id: &str, name: &str| serde_json::json!({"synced_property_id": crate::ids::encode(id), "synced_property_name": name});
            let kind = PropertyKind::Relation {
                data_source: id.to_owned(),
                dual: Some(pair(&property, &name_here)),
            };
            if let Some(other) = self.data_sources.get_mut(&target) {
                other.properties.push(Property {
                    id: other_id.clone(),
                    name: name.clone(),
                    description: None,
                    kind,
                });
            }
            if let Some(source) = self.data_sources.get_mut(id)
                && let Some(own) =
                    source.properties.iter_mut().find(|candidate| candidate.id == property)
                && let PropertyKind::Relation { dual, .. } = &mut own.kind
            {
                *dual = Some(pair(&other_id, &name));
            }
        }
    }

    /// Applies checked changes of a schema.
    pub(crate) fn change_schema(&mut self, id: &str, changes: Vec<SchemaChange>, actor: &str) {
        for change in changes {
            match change {
                SchemaChange::Remove(property) => self.drop_property(id, &property),
                SchemaChange::Rename(property, name) => {
                    if let Some(property) = self.property_mut(id, &property) {
                        property.name = name;
                    }
                }
                SchemaChange::Change(property, definition) => {
                    self.redefine(id, &property, definition)
                }
                SchemaChange::Add(name, definition) => {
                    let Some(source) = self.data_sources.get_mut(id) else { return };
                    let new = schema::unused_id(&mut self.ids, &source.properties);
                    source.properties.push(Property {
                        id: new,
                        name,
                        description: definition.description,
                        kind: definition.kind,
                    });
                }
            }
        }
        self.pair_relations(id);
        let now = self.minute();
        if let Some(source) = self.data_sources.get_mut(id) {
            source.edited = now;
            source.edited_by = actor.to_owned();
        }
    }

    pub(crate) fn property_mut(&mut self, source: &str, property: &str) -> Option<&mut Property> {
        self.data_sources
            .get_mut(source)?
            .properties
            .iter_mut()
            .find(|candidate| candidate.id == property)
    }

    fn drop_property(&mut self, source: &str, property: &str) {
        let Some(source) = self.data_sources.get_mut(source) else { return };
        source.properties.retain(|candidate| candidate.id != property);
        for row in &source.rows {
            if let Some(page) = self.pages.get_mut(row) {
                page.values.remove(property);
            }
        }
    }

    /// Changes type or options. Options that are left out go from all rows; another type keeps what can be read
    /// as text and number and drops the rest.
    fn redefine(&mut self, source_id: &str, property_id: &str, definition: schema::Definition) {
        let Some(source) = self.data_sources.get(source_id) else { return };
        let Some(before) = source.property(property_id).cloned() else { return };
        let same_type = before.kind.name() == definition.kind.name();
        let rows = source.rows.clone();
        for row in rows {
            let Some(page) = self.pages.get(&row) else { continue };
            let Some(value) = page.values.get(property_id) else { continue };
            let after = if same_type {
                surviving(value.clone(), &definition.kind)
            } else {
                converted(&values::value_text(self, page, &before), &definition.kind)
            };
            if let Some(page) = self.pages.get_mut(&row) {
                match after {
                    Some(value) => page.values.insert(property_id.to_owned(), value),
                    None => page.values.remove(property_id),
                };
            }
        }
        if let Some(property) = self.property_mut(source_id, property_id) {
            property.kind = definition.kind;
            if let Some(name) = definition.name {
                property.name = name;
            }
            if definition.description.is_some() {
                property.description = definition.description;
            }
        }
    }
}

fn other_side(property: &Property) -> Option<String> {
    match &property.kind {
        PropertyKind::Relation { dual: Some(dual), .. } => {
            dual.get("synced_property_id").and_then(|id| id.as_str()).map(crate::ids::decode)
        }
        _ => None,
    }
}

fn surviving(value: PropertyValue, kind: &PropertyKind) -> Option<PropertyValue> {
    let Some(options) = kind.options() else { return Some(value) };
    let known = |id: &String| options.iter().any(|option| option.id == *id);
    match value {
        PropertyValue::Option(id) => known(&id).then_some(PropertyValue::Option(id)),
        PropertyValue::Options(mut ids) => {
            ids.retain(known);
            (!ids.is_empty()).then_some(PropertyValue::Options(ids))
        }
        other => Some(other),
    }
}

fn converted(text: &str, kind: &PropertyKind) -> Option<PropertyValue> {
    match kind {
        PropertyKind::RichText => {
            (!text.is_empty()).then(|| PropertyValue::Text(crate::rich::plain(text)))
        }
        PropertyKind::Number { .. } => serde_json::from_str(text).ok().map(PropertyValue::Number),
        PropertyKind::Url | PropertyKind::Email | PropertyKind::PhoneNumber => {
            (!text.is_empty()).then(|| PropertyValue::String(text.to_owned()))
        }
        PropertyKind::Select { options } | PropertyKind::Status { options } => {
            schema::option_named(options, text)
                .map(|option| PropertyValue::Option(option.id.clone()))
        }
        _ => None,
    }
}
