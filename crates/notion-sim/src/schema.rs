//! Properties of data sources: their types, options, and how requests change them (notion-api.md 4.4).

use serde_json::{Map, Value, json};

use crate::error::{ApiError, ApiResult};
use crate::ids::{self, Ids};
use crate::request::Obj;

/// A property of a data source.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    /// Not percent-encoded; the title's is `title`.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) kind: PropertyKind,
}

/// An option of a select.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SelectOption {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) color: String,
    pub(crate) description: Option<String>,
    /// Group of a status option.
    pub(crate) group: Option<String>,
}

/// What a property is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PropertyKind {
    Title,
    RichText,
    Number {
        format: String,
    },
    Select {
        options: Vec<SelectOption>,
    },
    MultiSelect {
        options: Vec<SelectOption>,
    },
    Status {
        options: Vec<SelectOption>,
    },
    Date,
    People,
    Files,
    Checkbox,
    Url,
    Email,
    PhoneNumber,
    Formula {
        expression: String,
    },
    Relation {
        data_source: String,
        dual: Option<Value>,
    },
    Rollup {
        config: Value,
    },
    UniqueId {
        prefix: Option<String>,
    },
    CreatedTime,
    CreatedBy,
    LastEditedTime,
    LastEditedBy,
    Place,
    /// Only people make it; nothing can be written into it.
    Button,
    /// Only people make it.
    Verification,
}

impl PropertyKind {
    /// The `type` of the API.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::RichText => "rich_text",
            Self::Number { .. } => "number",
            Self::Select { .. } => "select",
            Self::MultiSelect { .. } => "multi_select",
            Self::Status { .. } => "status",
            Self::Date => "date",
            Self::People => "people",
            Self::Files => "files",
            Self::Checkbox => "checkbox",
            Self::Url => "url",
            Self::Email => "email",
            Self::PhoneNumber => "phone_number",
            Self::Formula { .. } => "formula",
            Self::Relation { .. } => "relation",
            Self::Rollup { .. } => "rollup",
            Self::UniqueId { .. } => "unique_id",
            Self::CreatedTime => "created_time",
            Self::CreatedBy => "created_by",
            Self::LastEditedTime => "last_edited_time",
            Self::LastEditedBy => "last_edited_by",
            Self::Place => "place",
            Self::Button => "button",
            Self::Verification => "verification",
        }
    }

    /// Whether requests may not give it a value.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(
            self,
            Self::Formula { .. }
                | Self::Rollup { .. }
                | Self::UniqueId { .. }
                | Self::CreatedTime
                | Self::CreatedBy
                | Self::LastEditedTime
                | Self::LastEditedBy
                | Self::Button
        )
    }

    pub(crate) fn options(&self) -> Option<&Vec<SelectOption>> {
        match self {
            Self::Select { options } | Self::MultiSelect { options } | Self::Status { options } => {
                Some(options)
            }
            _ => None,
        }
    }

    pub(crate) fn options_mut(&mut self) -> Option<&mut Vec<SelectOption>> {
        match self {
            Self::Select { options } | Self::MultiSelect { options } | Self::Status { options } => {
                Some(options)
            }
            _ => None,
        }
    }

    fn config_json(&self) -> Value {
        match self {
            Self::Number { format } => json!({"format": format}),
            Self::Select { options } | Self::MultiSelect { options } => {
                json!({"options": options.iter().map(SelectOption::to_schema_json).collect::<Vec<_>>()})
            }
            Self::Status { options } => status_json(options),
            Self::Formula { expression } => json!({"expression": expression}),
            Self::Relation { data_source, dual } => match dual {
                None => {
                    json!({"data_source_id": data_source, "type": "single_property", "single_property": {}})
                }
                Some(dual) => {
                    json!({"data_source_id": data_source, "type": "dual_property", "dual_property": dual})
                }
            },
            Self::Rollup { config } => config.clone(),
            Self::UniqueId { prefix } => json!({"prefix": prefix}),
            _ => json!({}),
        }
    }
}

/// Groups of a status property, which only the UI can define.
const GROUPS: [(&str, &str); 3] =
    [("To-do", "gray"), ("In progress", "blue"), ("Complete", "green")];

fn status_json(options: &[SelectOption]) -> Value {
    let groups: Vec<Value> = GROUPS
        .iter()
        .map(|(name, color)| {
            let members: Vec<&str> = options
                .iter()
                .filter(|option| option.group.as_deref() == Some(name))
                .map(|option| option.id.as_str())
                .collect();
            json!({"id": format!("group-{}", name.to_ascii_lowercase().replace(' ', "-")), "name": name, "color": color,
                   "option_ids": members})
        })
        .collect();
    json!({"options": options.iter().map(SelectOption::to_schema_json).collect::<Vec<_>>(), "groups": groups})
}

impl SelectOption {
    pub(crate) fn new(ids: &mut Ids, name: &str) -> Self {
        Self {
            id: ids.uuid(),
            name: name.to_owned(),
            color: "default".to_owned(),
            description: None,
            group: None,
        }
    }

    /// As a value of a page.
    pub(crate) fn to_value_json(&self) -> Value {
        json!({"id": self.id, "name": self.name, "color": self.color})
    }

    fn to_schema_json(&self) -> Value {
        json!({"id": self.id, "name": self.name, "color": self.color, "description": self.description})
    }
}

/// The option of this name, whose case does not matter (names are unique without regard to case).
pub(crate) fn option_named<'a>(
    options: &'a [SelectOption],
    name: &str,
) -> Option<&'a SelectOption> {
    options
        .iter()
        .find(|option| option.name == name)
        .or_else(|| options.iter().find(|option| option.name.to_lowercase() == name.to_lowercase()))
}

impl Property {
    /// The id as answers carry it.
    pub(crate) fn encoded_id(&self) -> String {
        ids::encode(&self.id)
    }

    pub(crate) fn to_json(&self) -> Value {
        let kind = self.kind.name();
        json!({
            "id": self.encoded_id(),
            "name": self.name,
            "description": self.description,
            "type": kind,
            kind: self.kind.config_json(),
        })
    }
}

/// A property as a request defines it: its type, and the options it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) kind: PropertyKind,
    pub(crate) description: Option<String>,
    pub(crate) name: Option<String>,
}

const TYPES: [&str; 22] = [
    "title",
    "rich_text",
    "number",
    "select",
    "multi_select",
    "status",
    "date",
    "people",
    "files",
    "checkbox",
    "url",
    "email",
    "phone_number",
    "formula",
    "relation",
    "rollup",
    "unique_id",
    "created_time",
    "created_by",
    "last_edited_time",
    "last_edited_by",
    "place",
];

/// Reads a property definition. `before` is the property that it changes: its options keep their ids.
///
/// Relations are not checked here to point to something that exists.
pub(crate) fn definition(
    obj: &Obj<'_>,
    ids: &mut Ids,
    before: Option<&Property>,
) -> ApiResult<Definition> {
    if obj.has("verification") {
        return Err(ApiError::body(
            &obj.at("verification"),
            "not present",
            obj.get("verification"),
        ));
    }
    let mut allowed = vec!["type", "name", "description", "id"];
    allowed.extend(TYPES);
    obj.only(&allowed)?;
    let kind_name = TYPES.into_iter().find(|kind| obj.has(kind));
    let Some(kind_name) = kind_name else {
        return Err(ApiError::invalid(format!(
            "body failed validation: {} should have a property type such as title, rich_text or select.",
            obj.path()
        )));
    };
    if let Some(named) = obj.str("type")?
        && named != kind_name
    {
        return Err(ApiError::body(
            &obj.at("type"),
            &format!("`\"{kind_name}\"`"),
            obj.get("type"),
        ));
    }
    let config = obj.need_obj(kind_name)?;
    let known = before.and_then(|property| property.kind.options()).map_or(&[][..], Vec::as_slice);
    let kind = match kind_name {
        "title" => PropertyKind::Title,
        "rich_text" => PropertyKind::RichText,
        "number" => PropertyKind::Number {
            format: config.str_or_null("format")?.unwrap_or("number").to_owned(),
        },
        "select" => PropertyKind::Select { options: options(&config, ids, known, false)? },
        "multi_select" => {
            PropertyKind::MultiSelect { options: options(&config, ids, known, false)? }
        }
        "status" => PropertyKind::Status { options: options(&config, ids, known, true)? },
        "date" => PropertyKind::Date,
        "people" => PropertyKind::People,
        "files" => PropertyKind::Files,
        "checkbox" => PropertyKind::Checkbox,
        "url" => PropertyKind::Url,
        "email" => PropertyKind::Email,
        "phone_number" => PropertyKind::PhoneNumber,
        "formula" => {
            PropertyKind::Formula { expression: config.need_str("expression")?.to_owned() }
        }
        "relation" => relation(&config)?,
        "rollup" => {
            config.need_str("function")?;
            PropertyKind::Rollup { config: Value::Object(config.map().clone()) }
        }
        "unique_id" => {
            PropertyKind::UniqueId { prefix: config.str_or_null("prefix")?.map(str::to_owned) }
        }
        "created_time" => PropertyKind::CreatedTime,
        "created_by" => PropertyKind::CreatedBy,
        "last_edited_time" => PropertyKind::LastEditedTime,
        "last_edited_by" => PropertyKind::LastEditedBy,
        _ => PropertyKind::Place,
    };
    Ok(Definition {
        kind,
        description: obj.str_or_null("description")?.map(str::to_owned),
        name: obj.str("name")?.map(str::to_owned),
    })
}

fn relation(config: &Obj<'_>) -> ApiResult<PropertyKind> {
    config.only(&["data_source_id", "database_id", "type", "single_property", "dual_property"])?;
    let text = config.need_str("data_source_id")?;
    let Some(data_source) = ids::parse_uuid(text) else {
        return Err(ApiError::body(
            &config.at("data_source_id"),
            "a valid uuid",
            config.get("data_source_id"),
        ));
    };
    let dual = config.obj("dual_property")?;
    if dual.is_none() && !config.has("single_property") {
        return Err(config.missing("single_property"));
    }
    Ok(PropertyKind::Relation {
        data_source,
        dual: dual.map(|dual| Value::Object(dual.map().clone())),
    })
}

/// Options replace what was there: what is left out is gone. Name and color of an option that exists stay.
fn options(
    config: &Obj<'_>,
    ids: &mut Ids,
    known: &[SelectOption],
    status: bool,
) -> ApiResult<Vec<SelectOption>> {
    config.only(&["options", "groups"])?;
    let Some(given) = config.objects("options", 100)? else {
        if !known.is_empty() {
            return Ok(known.to_vec());
        }
        return Ok(if status { default_statuses(ids) } else { Vec::new() });
    };
    let mut out: Vec<SelectOption> = Vec::with_capacity(given.len());
    for option in given {
        option.only(&["id", "name", "color", "description", "group"])?;
        let by_id = option.str("id")?.and_then(|id| known.iter().find(|known| known.id == id));
        let found = match (by_id, option.str("name")?) {
            (Some(found), _) => found.clone(),
            (None, Some(name)) => match option_named(known, name) {
                Some(found) => found.clone(),
                None => new_option(&option, ids, name, status)?,
            },
            (None, None) => return Err(option.missing("name")),
        };
        if option_named(&out, &found.name).is_some() {
            return Err(ApiError::invalid(format!(
                "Select option names must be unique: \"{}\" is given twice.",
                found.name
            )));
        }
        out.push(found);
    }
    Ok(out)
}

fn new_option(
    option: &Obj<'_>,
    ids: &mut Ids,
    name: &str,
    status: bool,
) -> ApiResult<SelectOption> {
    check_option_name(name)?;
    let mut new = SelectOption::new(ids, name);
    if let Some(color) = option.str("color")? {
        if crate::rich::Color::from_api(color)
            .is_none_or(|color| color.name().ends_with("_background"))
        {
            return Err(ApiError::body(&option.at("color"), "a known color", option.get("color")));
        }
        new.color = color.to_owned();
    }
    new.description = option.str_or_null("description")?.map(str::to_owned);
    if status {
        let group = option.str("group")?.unwrap_or("To-do");
        if !GROUPS.iter().any(|(name, _)| *name == group) {
            return Err(ApiError::body(&option.at("group"), "a status group", option.get("group")));
        }
        new.group = Some(group.to_owned());
    }
    Ok(new)
}

/// No commas in names of options (notion-api.md 6.3).
pub(crate) fn check_option_name(name: &str) -> ApiResult<()> {
    if name.contains(',') {
        return Err(ApiError::invalid(format!(
            "Invalid select option, commas not allowed: {name}"
        )));
    }
    if name.trim().is_empty() {
        return Err(ApiError::invalid("Select option names may not be empty."));
    }
    crate::request::text_limit("option name", name, 100)
}

fn default_statuses(ids: &mut Ids) -> Vec<SelectOption> {
    [
        ("Not started", "To-do", "default"),
        ("In progress", "In progress", "blue"),
        ("Done", "Complete", "green"),
    ]
    .into_iter()
    .map(|(name, group, color)| SelectOption {
        color: color.to_owned(),
        group: Some(group.to_owned()),
        ..SelectOption::new(ids, name)
    })
    .collect()
}

/// Reads the schema of a new data source: exactly one title.
pub(crate) fn new_schema(properties: &Obj<'_>, ids: &mut Ids) -> ApiResult<Vec<Property>> {
    let mut out: Vec<Property> = Vec::new();
    for name in properties.map().keys() {
        // A button is ignored (notion-api.md 4.4).
        if properties.need_obj(name)?.has("button") {
            continue;
        }
        let definition = definition(&properties.need_obj(name)?, ids, None)?;
        let id = if definition.kind == PropertyKind::Title {
            "title".to_owned()
        } else {
            unused_id(ids, &out)
        };
        out.push(Property {
            id,
            name: name.clone(),
            description: definition.description,
            kind: definition.kind,
        });
    }
    let titles = out.iter().filter(|property| property.kind == PropertyKind::Title).count();
    if titles != 1 {
        return Err(ApiError::invalid(format!(
            "{} should have exactly one property of type title, but has {titles}.",
            properties.path()
        )));
    }
    Ok(out)
}

/// An id that no property of the schema has.
pub(crate) fn unused_id(ids: &mut Ids, taken: &[Property]) -> String {
    loop {
        let id = ids.property();
        if !taken.iter().any(|property| property.id == id) {
            return id;
        }
    }
}

/// The schema as answers carry it.
pub(crate) fn to_json(properties: &[Property]) -> Value {
    Value::Object(
        properties
            .iter()
            .map(|property| (property.name.clone(), property.to_json()))
            .collect::<Map<_, _>>(),
    )
}
