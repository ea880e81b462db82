//! A person's edits of pages as wholes, of rows and of schemas.

use serde_json::{Map, Value, json};

use crate::request::Obj;
use crate::rich::{self, RichText};
use crate::schema::{self, PropertyKind, SelectOption};
use crate::values::{self, Written};
use crate::workspace::Workspace;
use crate::workspace::objects::Parent;
use crate::workspace::person::{Done, PersonError, no};

impl Workspace {
    /// Gives a page another title.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn rename(&mut self, page: &str, title: &str) -> Done<()> {
        let page = self.known_page(page)?;
        let text = rich::plain(title);
        match self.pages.get(&page).map(|page| page.parent.clone()) {
            Some(Parent::DataSource(source)) => {
                let value = (!text.is_empty()).then_some(values::PropertyValue::Text(text));
                self.set_value(&page, &source, "title", value);
            }
            _ => {
                if let Some(page) = self.pages.get_mut(&page) {
                    page.title = text;
                }
            }
        }
        let actor = self.actor();
        self.touch(&page, &actor);
        Ok(())
    }

    /// Sets a property of a row. A text means what a person would type there: the name of an option (several with
    /// commas between), a day, a number, `true`, ids of pages with commas between; an empty text or null clears
    /// it. An object is taken as the API writes it, e.g. `{"date": {"start": "2026-11-20"}}`.
    ///
    /// # Errors
    /// If there is no such page or property or the value does not fit.
    pub fn set_property(&mut self, page: &str, name: &str, value: impl Into<Value>) -> Done<()> {
        let page = self.known_page(page)?;
        let value = value.into();
        let found = self.pages.get(&page).ok_or_else(|| no("page", &page))?;
        let source = self.data_source_of(found).ok_or_else(|| no("property", name))?;
        let property = source.lookup(name).ok_or_else(|| no("property", name))?;
        let (source_id, id) = (source.id.clone(), property.id.clone());
        let api = match value {
            Value::Object(_) => value,
            Value::Null => typed(&property.kind, "")?,
            Value::String(text) => typed(&property.kind, &text)?,
            other => typed(&property.kind, &other.to_string())?,
        };
        let written = if api.is_null() {
            Written::Clear
        } else {
            values::read(self, property, &api, "value")?
        };
        self.write_values(&page, &source_id, vec![(id, written)]);
        let actor = self.actor();
        self.touch(&page, &actor);
        Ok(())
    }

    /// Sets what a formula or rollup shows, as the API writes it without the outer key, e.g.
    /// `{"type": "number", "number": 3}`. The simulator computes neither.
    ///
    /// # Errors
    /// If there is no such page, or no such property of these types.
    pub fn set_computed(&mut self, page: &str, name: &str, value: Value) -> Done<()> {
        let page = self.known_page(page)?;
        let found = self.pages.get(&page).ok_or_else(|| no("page", &page))?;
        let source = self.data_source_of(found).ok_or_else(|| no("property", name))?;
        let property = source.lookup(name).ok_or_else(|| no("property", name))?;
        if !matches!(property.kind, PropertyKind::Formula { .. } | PropertyKind::Rollup { .. }) {
            return Err(PersonError(format!("{name:?} is neither a formula nor a rollup")));
        }
        let id = property.id.clone();
        // What is computed does not move the time of last edit (notion-api.md 7.1).
        if let Some(page) = self.pages.get_mut(&page) {
            page.values.insert(id, values::PropertyValue::Raw(value));
        }
        Ok(())
    }

    /// Moves a page to the trash.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn trash(&mut self, page: &str) -> Done<()> {
        self.set_page_trash(page, true)
    }

    /// Takes a page out of the trash.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn restore(&mut self, page: &str) -> Done<()> {
        self.set_page_trash(page, false)
    }

    fn set_page_trash(&mut self, page: &str, in_trash: bool) -> Done<()> {
        let page = self.known_page(page)?;
        let actor = self.actor();
        self.set_trash(&page, in_trash, &actor);
        Ok(())
    }

    /// Deletes a page for good: it is as if it had never been there.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn delete_forever(&mut self, page: &str) -> Done<()> {
        let page = self.known_page(page)?;
        if let Some(gone) = self.pages.remove(&page) {
            for block in &gone.body {
                self.forget(block);
            }
            match &gone.parent {
                Parent::DataSource(source) => {
                    if let Some(source) = self.data_sources.get_mut(source) {
                        source.rows.retain(|row| *row != page);
                    }
                }
                Parent::Page(holder) => self.detach_child(&page, holder),
                _ => {}
            }
        }
        Ok(())
    }

    /// Archives a page or takes it out of the archive: alive, but not listed by default.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn archive(&mut self, page: &str, archived: bool) -> Done<()> {
        let id = self.known_page(page)?;
        let actor = self.actor();
        if let Some(page) = self.pages.get_mut(&id) {
            page.is_archived = archived;
        }
        self.touch(&id, &actor);
        Ok(())
    }

    /// Moves a page below another page, out of its data source.
    ///
    /// # Errors
    /// If one of them does not exist.
    pub fn move_to_page(&mut self, page: &str, target: &str) -> Done<()> {
        let (page, target) = (self.known_page(page)?, self.known_page(target)?);
        let actor = self.actor();
        self.reparent(&page, Parent::Page(target), &actor);
        Ok(())
    }

    /// Moves a page into a database (id or title).
    ///
    /// # Errors
    /// If one of them does not exist.
    pub fn move_to_database(&mut self, page: &str, database: &str) -> Done<()> {
        let page = self.known_page(page)?;
        let source =
            self.resolve_source(database).ok_or_else(|| no("database", database))?.id.clone();
        let actor = self.actor();
        self.reparent(&page, Parent::DataSource(source), &actor);
        Ok(())
    }

    /// Gives a page another place; of its properties, only the title goes with it.
    pub(crate) fn reparent(&mut self, page: &str, parent: Parent, actor: &str) {
        let Some(found) = self.pages.get(page) else { return };
        let title: RichText = self.title_text(found).to_vec();
        let before = found.parent.clone();
        match &before {
            Parent::DataSource(source) => {
                if let Some(source) = self.data_sources.get_mut(source) {
                    source.rows.retain(|row| row != page);
                }
            }
            Parent::Page(holder) => self.detach_child(page, holder),
            _ => {}
        }
        if let Some(found) = self.pages.get_mut(page) {
            found.parent = parent.clone();
            if before != parent {
                found.values.clear();
            }
            found.title.clone_from(&title);
        }
        match &parent {
            Parent::DataSource(source) => {
                self.adopt_row(page, source);
                let value = (!title.is_empty()).then_some(values::PropertyValue::Text(title));
                self.set_value(page, source, "title", value);
            }
            Parent::Page(holder) => self.attach_child(page, holder, actor),
            _ => {}
        }
        self.touch(page, actor);
    }

    /// Adds an option to a property of a database (id or title).
    ///
    /// # Errors
    /// If there is no such property, or it has no options.
    pub fn add_option(&mut self, database: &str, property: &str, name: &str) -> Done<()> {
        schema::check_option_name(name)?;
        let option = SelectOption::new(&mut self.ids, name);
        self.property_of(database, property)?
            .kind
            .options_mut()
            .ok_or_else(|| no("select", property))?
            .push(option);
        Ok(())
    }

    /// Adds a property to a database (id or title), defined as the API does, e.g. `{"people": {}}`; also
    /// `{"button": {}}` and `{"verification": {}}`, which connections cannot make.
    ///
    /// # Errors
    /// If there is no such database or the definition is refused.
    pub fn add_property(&mut self, database: &str, name: &str, definition: &Value) -> Done<()> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let source = source.id.clone();
        let obj = Obj::new(definition, "property")?;
        let (kind, description) = if obj.has("button") {
            (PropertyKind::Button, None)
        } else if obj.has("verification") {
            (PropertyKind::Verification, None)
        } else {
            let read = schema::definition(&obj, &mut self.ids, None)?;
            (read.kind, read.description)
        };
        if let Some(source) = self.data_sources.get_mut(&source) {
            let id = schema::unused_id(&mut self.ids, &source.properties);
            source.properties.push(schema::Property {
                id,
                name: name.to_owned(),
                description,
                kind,
            });
        }
        Ok(())
    }

    /// Removes a property of a database (id or title), with its values.
    ///
    /// # Errors
    /// If there is no such property.
    pub fn remove_property(&mut self, database: &str, property: &str) -> Done<()> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let id = source.lookup(property).ok_or_else(|| no("property", property))?.id.clone();
        let source = source.id.clone();
        let actor = self.actor();
        self.change_schema(&source, vec![crate::workspace::rows::SchemaChange::Remove(id)], &actor);
        Ok(())
    }

    /// Renames a property of a database (id or title).
    ///
    /// # Errors
    /// If there is no such property.
    pub fn rename_property(&mut self, database: &str, property: &str, name: &str) -> Done<()> {
        self.property_of(database, property)?.name = name.to_owned();
        Ok(())
    }

    /// Gives a property of a database (id or title) another type, defined as the API does; values are kept as far as
    /// the new type can hold them.
    ///
    /// # Errors
    /// If there is no such property or the definition is refused.
    pub fn retype_property(
        &mut self,
        database: &str,
        property: &str,
        definition: &Value,
    ) -> Done<()> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let found = source.lookup(property).ok_or_else(|| no("property", property))?.clone();
        let source = source.id.clone();
        let read =
            schema::definition(&Obj::new(definition, "property")?, &mut self.ids, Some(&found))?;
        let change = crate::workspace::rows::SchemaChange::Change(found.id, read);
        let actor = self.actor();
        self.change_schema(&source, vec![change], &actor);
        Ok(())
    }

    /// Takes an option away from a property of a database (id or title), and from all rows.
    ///
    /// # Errors
    /// If there is no such property or option.
    pub fn remove_option(&mut self, database: &str, property: &str, name: &str) -> Done<()> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let found = source.lookup(property).ok_or_else(|| no("property", property))?.clone();
        let source = source.id.clone();
        let mut kind = found.kind.clone();
        let options = kind.options_mut().ok_or_else(|| no("select", property))?;
        let at = options.iter().position(|option| option.name == name);
        options.remove(at.ok_or_else(|| no("option", name))?);
        let definition = schema::Definition { kind, description: None, name: None };
        let change = crate::workspace::rows::SchemaChange::Change(found.id, definition);
        let actor = self.actor();
        self.change_schema(&source, vec![change], &actor);
        Ok(())
    }

    /// Adds a data source to a database (id or title) and gives its id.
    ///
    /// # Errors
    /// If there is no such database or the schema is refused.
    pub fn add_data_source(&mut self, database: &str, title: &str, schema: &Value) -> Done<String> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let database = source.database.clone();
        let properties = schema::new_schema(&Obj::new(schema, "properties")?, &mut self.ids)?;
        let actor = self.actor();
        Ok(self.new_data_source(&database, rich::plain(title), properties, &actor))
    }

    /// Renames a view of a database (id or title).
    ///
    /// # Errors
    /// If there is no such view.
    pub fn rename_view(&mut self, database: &str, view: &str, name: &str) -> Done<()> {
        let at = self.view_at(database, view)?;
        if let Some(view) = self.views.get_mut(at) {
            view.name = name.to_owned();
        }
        Ok(())
    }

    /// Deletes a view of a database (id or title).
    ///
    /// # Errors
    /// If there is no such view.
    pub fn delete_view(&mut self, database: &str, view: &str) -> Done<()> {
        let at = self.view_at(database, view)?;
        self.views.remove(at);
        Ok(())
    }

    fn view_at(&self, database: &str, view: &str) -> Done<usize> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let found = |other: &crate::api::views::View| {
            other.database == source.database && other.name == view
        };
        self.views.iter().position(found).ok_or_else(|| no("view", view))
    }

    fn property_of(&mut self, database: &str, property: &str) -> Done<&mut schema::Property> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let id = source.lookup(property).ok_or_else(|| no("property", property))?.id.clone();
        let source = source.id.clone();
        self.property_mut(&source, &id).ok_or_else(|| no("property", property))
    }

    /// Makes a page in a database (id or title) with properties (as for [`Self::set_property`]) and a body, and
    /// gives its id.
    ///
    /// # Errors
    /// If there is no such database or something does not fit.
    pub fn create_page(
        &mut self,
        database: &str,
        title: &str,
        properties: &[(&str, Value)],
        markdown: &str,
    ) -> Done<String> {
        let source =
            self.resolve_source(database).ok_or_else(|| no("database", database))?.id.clone();
        let actor = self.actor();
        let id = self.new_row(&source, &actor);
        self.rename(&id, title)?;
        for (name, value) in properties {
            self.set_property(&id, name, value.clone())?;
        }
        self.append_markdown(&id, markdown)?;
        Ok(id)
    }

    /// Makes a page below another page and gives its id.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn create_subpage(&mut self, parent: &str, title: &str, markdown: &str) -> Done<String> {
        let parent = self.known_page(parent)?;
        let actor = self.actor();
        let id = self.new_subpage(&parent, rich::plain(title), &actor);
        self.append_markdown(&id, markdown)?;
        Ok(id)
    }

    /// Makes a page at the top of the workspace, shared with nobody, and gives its id.
    pub fn create_private_page(&mut self, title: &str) -> String {
        let id = self.ids.uuid();
        let actor = self.actor();
        let mut page = self.blank_page(id.clone(), Parent::Workspace, &actor);
        page.title = rich::plain(title);
        self.pages.insert(id.clone(), page);
        id
    }

    /// Makes a database below a page, with a schema as in `initial_data_source.properties`, and gives its id.
    ///
    /// # Errors
    /// If there is no such page or the schema is refused.
    pub fn create_database(&mut self, parent: &str, title: &str, schema: &Value) -> Done<String> {
        let parent = self.known_page(parent)?;
        let properties = schema::new_schema(&Obj::new(schema, "properties")?, &mut self.ids)?;
        let actor = self.actor();
        Ok(self.new_database(Parent::Page(parent), rich::plain(title), properties, &actor))
    }

    /// Moves a database (id or title) to the trash.
    ///
    /// # Errors
    /// If there is no such database.
    pub fn delete_database(&mut self, database: &str) -> Done<()> {
        let id =
            self.resolve_source(database).ok_or_else(|| no("database", database))?.database.clone();
        let actor = self.actor();
        self.set_trash(&id, true, &actor);
        Ok(())
    }

    /// Deletes a database (id or title) for good, with its pages: it is as if it had never been there.
    ///
    /// # Errors
    /// If there is no such database.
    pub fn delete_database_forever(&mut self, database: &str) -> Done<()> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let id = source.database.clone();
        let Some(gone) = self.databases.remove(&id) else { return Ok(()) };
        if let Parent::Page(holder) = &gone.parent {
            self.detach_child(&id, holder);
        }
        for source in gone.data_sources.iter().filter_map(|id| self.data_sources.remove(id)) {
            for row in &source.rows {
                self.pages.remove(row);
            }
        }
        self.views.retain(|view| view.database != id);
        Ok(())
    }

    /// Writes the text under the title of a database (id or title).
    ///
    /// # Errors
    /// If there is no such database.
    pub fn describe_database(&mut self, database: &str, text: &str) -> Done<()> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let id = source.database.clone();
        if let Some(database) = self.databases.get_mut(&id) {
            database.description = rich::plain(text);
        }
        Ok(())
    }

    /// Gives a database (id or title) another title.
    ///
    /// # Errors
    /// If there is no such database.
    pub fn rename_database(&mut self, database: &str, title: &str) -> Done<()> {
        let source = self.resolve_source(database).ok_or_else(|| no("database", database))?;
        let (id, source) = (source.database.clone(), source.id.clone());
        if let Some(database) = self.databases.get_mut(&id) {
            database.title = rich::plain(title);
        }
        if let Some(source) = self.data_sources.get_mut(&source) {
            source.title = rich::plain(title);
        }
        Ok(())
    }

    /// Shares a page or database, and what is below it, with the connection.
    pub fn share(&mut self, id: &str) {
        self.hidden.remove(id);
        self.shared.insert(id.to_owned());
    }

    /// Takes a page or database, and what is below it, away from the connection.
    pub fn unshare(&mut self, id: &str) {
        self.shared.remove(id);
        self.hidden.insert(id.to_owned());
    }
}

/// What a person types into a property, as the API writes it.
fn typed(kind: &PropertyKind, text: &str) -> Done<Value> {
    let name = kind.name();
    let list = |key: &str| -> Vec<Value> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| json!({key: part}))
            .collect()
    };
    let rich = || if text.is_empty() { json!([]) } else { json!([{"text": {"content": text}}]) };
    let inner = match kind {
        PropertyKind::Title | PropertyKind::RichText => rich(),
        PropertyKind::MultiSelect { .. } => json!(list("name")),
        PropertyKind::Relation { .. } | PropertyKind::People => json!(list("id")),
        PropertyKind::Checkbox => json!(text == "true"),
        PropertyKind::Files => json!([]),
        _ if text.is_empty() => Value::Null,
        PropertyKind::Select { .. } | PropertyKind::Status { .. } => json!({"name": text}),
        PropertyKind::Date => json!({"start": text}),
        PropertyKind::Number { .. } => serde_json::from_str(text)
            .map_err(|_| PersonError(format!("{text:?} is not a number")))?,
        PropertyKind::Url | PropertyKind::Email | PropertyKind::PhoneNumber => json!(text),
        _ => return Err(PersonError(format!("a property of type {name} cannot be typed into"))),
    };
    // People may clear a status; the API sets the default instead.
    if inner.is_null() {
        return Ok(Value::Null);
    }
    let mut out = Map::new();
    out.insert(name.to_owned(), inner);
    Ok(Value::Object(out))
}
