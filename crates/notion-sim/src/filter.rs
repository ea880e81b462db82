//! Filters and sorts of queries (notion-api.md 4.4).

use std::cmp::Ordering;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::request::Obj;
use crate::rich;
use crate::schema::{Property, PropertyKind};
use crate::values::{self, PropertyValue};
use crate::workspace::Workspace;
use crate::workspace::objects::{DataSource, Page};

/// A filter, ready to be applied to the rows of one data source.
#[derive(Debug)]
pub(crate) enum Filter {
    And(Vec<Self>),
    Or(Vec<Self>),
    Leaf { on: Target, test: Test },
}

/// What a condition or a sort looks at.
#[derive(Debug)]
pub(crate) enum Target {
    /// By property id.
    Property(String),
    Created,
    Edited,
}

/// A condition.
#[derive(Debug)]
pub(crate) enum Test {
    Empty(bool),
    Text(TextTest, String),
    Number(NumberTest, f64),
    Checkbox(bool),
    /// One of these names; `false` for none of them.
    Choice(bool, Vec<String>),
    /// Holds one of these; `false` for holding none.
    Contains(bool, Vec<String>),
    /// Begins in this span of time, with open ends.
    Span {
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    },
    /// Conditions on the items of a rollup match nothing.
    Never,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum TextTest {
    Equals,
    NotEquals,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum NumberTest {
    Equals,
    NotEquals,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

/// Reads a filter; compound ones may be nested two levels deep.
pub(crate) fn parse(ws: &Workspace, source: &DataSource, value: &Value) -> ApiResult<Filter> {
    read(ws, source, &Obj::new(value, "body.filter")?, 0)
}

fn read(ws: &Workspace, source: &DataSource, obj: &Obj<'_>, depth: usize) -> ApiResult<Filter> {
    for (key, and) in [("and", true), ("or", false)] {
        let Some(items) = obj.objects(key, 100)? else { continue };
        obj.only(&[key])?;
        if depth >= 2 {
            return Err(ApiError::invalid(format!(
                "body failed validation: {} is nested too deeply (at most 2 levels).",
                obj.path()
            )));
        }
        let inner = items
            .iter()
            .map(|item| read(ws, source, item, depth + 1))
            .collect::<ApiResult<Vec<_>>>()?;
        return Ok(if and { Filter::And(inner) } else { Filter::Or(inner) });
    }
    if let Some(name) = obj.str("timestamp")? {
        if obj.has("property") {
            return Err(ApiError::invalid(
                "body failed validation: a timestamp filter must not have a property.",
            ));
        }
        obj.only(&["timestamp", "type", name])?;
        let on = timestamp(name).ok_or_else(|| {
            ApiError::body(
                &obj.at("timestamp"),
                "`\"created_time\"` or `\"last_edited_time\"`",
                obj.get("timestamp"),
            )
        })?;
        return Ok(Filter::Leaf { on, test: date_test(ws, &obj.need_obj(name)?)? });
    }
    let key = obj.need_str("property")?;
    let property = find_property(source, key)?;
    let kind = property.kind.name();
    obj.only(&["property", "type", kind]).map_err(|_| {
        ApiError::invalid(format!(
            "database property {kind} does not match filter {}",
            filter_kind(obj)
        ))
    })?;
    let test = property_test(ws, property, &obj.need_obj(kind)?)?;
    let on = match property.kind {
        PropertyKind::CreatedTime => Target::Created,
        PropertyKind::LastEditedTime => Target::Edited,
        _ => Target::Property(property.id.clone()),
    };
    Ok(Filter::Leaf { on, test })
}

fn filter_kind(obj: &Obj<'_>) -> String {
    obj.map().keys().find(|key| *key != "property" && *key != "type").cloned().unwrap_or_default()
}

fn timestamp(name: &str) -> Option<Target> {
    match name {
        "created_time" => Some(Target::Created),
        "last_edited_time" => Some(Target::Edited),
        _ => None,
    }
}

fn find_property<'a>(source: &'a DataSource, key: &str) -> ApiResult<&'a Property> {
    source
        .lookup(key)
        .ok_or_else(|| ApiError::invalid(format!("Could not find property with name or id: {key}")))
}

/// The only operator of a condition with its value.
fn operator<'a>(obj: &Obj<'a>) -> ApiResult<(&'a str, &'a Value)> {
    let mut entries = obj.map().iter();
    match (entries.next(), entries.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err(ApiError::invalid(format!(
            "body failed validation: {} should have exactly one operator.",
            obj.path()
        ))),
    }
}

fn property_test(ws: &Workspace, property: &Property, obj: &Obj<'_>) -> ApiResult<Test> {
    let (name, value) = operator(obj)?;
    if name == "is_empty" || name == "is_not_empty" {
        if value != &Value::Bool(true) {
            return Err(ApiError::body(&obj.at(name), "`true`", Some(value)));
        }
        return Ok(Test::Empty(name == "is_empty"));
    }
    let unknown = || ApiError::body(&obj.at(name), "not present", Some(value));
    let string = || {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| ApiError::body(&obj.at(name), "a string", Some(value)))
    };
    match &property.kind {
        PropertyKind::Title
        | PropertyKind::RichText
        | PropertyKind::Url
        | PropertyKind::Email
        | PropertyKind::PhoneNumber => {
            let test = match name {
                "equals" => TextTest::Equals,
                "does_not_equal" => TextTest::NotEquals,
                "contains" => TextTest::Contains,
                "does_not_contain" => TextTest::NotContains,
                "starts_with" => TextTest::StartsWith,
                "ends_with" => TextTest::EndsWith,
                _ => return Err(unknown()),
            };
            Ok(Test::Text(test, string()?))
        }
        PropertyKind::Number { .. } | PropertyKind::UniqueId { .. } => {
            let number = value
                .as_f64()
                .ok_or_else(|| ApiError::body(&obj.at(name), "a number", Some(value)))?;
            let test = match name {
                "equals" => NumberTest::Equals,
                "does_not_equal" => NumberTest::NotEquals,
                "greater_than" => NumberTest::Greater,
                "less_than" => NumberTest::Less,
                "greater_than_or_equal_to" => NumberTest::GreaterOrEqual,
                "less_than_or_equal_to" => NumberTest::LessOrEqual,
                _ => return Err(unknown()),
            };
            Ok(Test::Number(test, number))
        }
        PropertyKind::Checkbox => {
            let on = value
                .as_bool()
                .ok_or_else(|| ApiError::body(&obj.at(name), "a boolean", Some(value)))?;
            match name {
                "equals" => Ok(Test::Checkbox(on)),
                "does_not_equal" => Ok(Test::Checkbox(!on)),
                _ => Err(unknown()),
            }
        }
        PropertyKind::Select { .. } | PropertyKind::Status { .. } => {
            let names = one_or_many(obj, name, value)?;
            match name {
                "equals" => Ok(Test::Choice(true, names)),
                "does_not_equal" => Ok(Test::Choice(false, names)),
                _ => Err(unknown()),
            }
        }
        PropertyKind::MultiSelect { .. } => match name {
            "contains" => Ok(Test::Contains(true, one_or_many(obj, name, value)?)),
            "does_not_contain" => Ok(Test::Contains(false, one_or_many(obj, name, value)?)),
            _ => Err(unknown()),
        },
        PropertyKind::People
        | PropertyKind::CreatedBy
        | PropertyKind::LastEditedBy
        | PropertyKind::Relation { .. } => {
            let text = string()?;
            let id = if text == "me" {
                ws.bot.clone()
            } else {
                ids::parse_uuid(&text)
                    .ok_or_else(|| ApiError::body(&obj.at(name), "a valid uuid", Some(value)))?
            };
            match name {
                "contains" => Ok(Test::Contains(true, vec![id])),
                "does_not_contain" => Ok(Test::Contains(false, vec![id])),
                _ => Err(unknown()),
            }
        }
        PropertyKind::Date | PropertyKind::CreatedTime | PropertyKind::LastEditedTime => {
            date_test(ws, obj)
        }
        PropertyKind::Formula { .. } | PropertyKind::Rollup { .. } => {
            let kind = match name {
                "string" => PropertyKind::RichText,
                "checkbox" => PropertyKind::Checkbox,
                "number" => PropertyKind::Number { format: "number".to_owned() },
                "date" => PropertyKind::Date,
                "any" | "every" | "none" => return Ok(Test::Never),
                _ => return Err(unknown()),
            };
            let shown = Property { kind, ..property.clone() };
            property_test(ws, &shown, &obj.need_obj(name)?)
        }
        PropertyKind::Verification if name == "status" => {
            Ok(Test::Text(TextTest::Equals, string()?))
        }
        _ => Err(unknown()),
    }
}

fn one_or_many(obj: &Obj<'_>, name: &str, value: &Value) -> ApiResult<Vec<String>> {
    let wrong = || ApiError::body(&obj.at(name), "a string or an array of strings", Some(value));
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}

/// Whether a text is an ISO 8601 date, and if so whether it names an offset.
pub(crate) fn date_shape(text: &str) -> Option<bool> {
    if text.parse::<Timestamp>().is_ok() {
        return Some(true);
    }
    let plain = text.parse::<Date>().is_ok_and(|_| text.len() == 10)
        || text.parse::<jiff::civil::DateTime>().is_ok();
    plain.then_some(false)
}

/// The span that a date means: its day, or its minute.
fn span_of(text: &str) -> Option<(Timestamp, Timestamp)> {
    if text.len() == 10 {
        return day_span(text.parse().ok()?, 0);
    }
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at,
        Err(_) => format!("{text}Z").parse().ok()?,
    };
    let start = crate::clock::cut_to_minute(at);
    Some((start, start.checked_add(SignedDuration::from_secs(60)).ok()?))
}

fn day_span(day: Date, offset: i64) -> Option<(Timestamp, Timestamp)> {
    let midnight: Timestamp = format!("{day}T00:00:00Z").parse().ok()?;
    let start = midnight.checked_add(SignedDuration::from_hours(24 * offset)).ok()?;
    Some((start, start.checked_add(SignedDuration::from_hours(24)).ok()?))
}

fn date_test(ws: &Workspace, obj: &Obj<'_>) -> ApiResult<Test> {
    let (name, value) = operator(obj)?;
    if name == "is_empty" || name == "is_not_empty" {
        return Ok(Test::Empty(name == "is_empty"));
    }
    let now = ws.now();
    let days = |n: i64| now.checked_add(SignedDuration::from_hours(24 * n)).ok();
    let range = |from, until| Ok(Test::Span { from: days(from), until: days(until) });
    match name {
        "past_week" => return range(-7, 0),
        "past_month" => return range(-30, 0),
        "past_year" => return range(-365, 0),
        "this_week" => return range(-3, 4),
        "next_week" => return range(0, 7),
        "next_month" => return range(0, 30),
        "next_year" => return range(0, 365),
        _ => {}
    }
    let wrong = || ApiError::body(&obj.at(name), "a valid ISO 8601 date string", Some(value));
    let text = value.as_str().ok_or_else(wrong)?;
    let relative = match text {
        "today" => Some(0),
        "tomorrow" => Some(1),
        "yesterday" => Some(-1),
        "one_week_ago" => Some(-7),
        "one_week_from_now" => Some(7),
        "one_month_ago" => Some(-30),
        "one_month_from_now" => Some(30),
        _ => None,
    };
    let today = || now.strftime("%Y-%m-%d").to_string().parse::<Date>().ok();
    let span = match relative {
        Some(offset) => today().and_then(|day| day_span(day, offset)),
        None => span_of(text),
    };
    let (start, end) = span.ok_or_else(wrong)?;
    let (from, until) = match name {
        "equals" => (Some(start), Some(end)),
        "before" => (None, Some(start)),
        "after" => (Some(end), None),
        "on_or_before" => (None, Some(end)),
        "on_or_after" => (Some(start), None),
        _ => return Err(ApiError::body(&obj.at(name), "not present", Some(value))),
    };
    Ok(Test::Span { from, until })
}

impl Filter {
    pub(crate) fn matches(&self, ws: &Workspace, source: &DataSource, page: &Page) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.matches(ws, source, page)),
            Self::Or(any) => any.iter().any(|filter| filter.matches(ws, source, page)),
            Self::Leaf { on, test } => leaf(ws, source, page, on, test),
        }
    }
}

fn leaf(ws: &Workspace, source: &DataSource, page: &Page, on: &Target, test: &Test) -> bool {
    let id = match on {
        Target::Created => return in_span(Some(page.created), test),
        Target::Edited => return in_span(Some(page.edited), test),
        Target::Property(id) => id,
    };
    let Some(property) = source.property(id) else { return false };
    let stored = page.values.get(id);
    let computed = stored.and_then(|value| computed(&property.kind, value));
    let value = computed.as_ref().or(stored);
    match test {
        Test::Empty(empty) => value.is_none() == *empty,
        Test::Text(test, wanted) => {
            let text = match &computed {
                Some(PropertyValue::String(text)) => text.clone(),
                _ if property.kind == PropertyKind::Verification => match value {
                    Some(PropertyValue::Raw(shown)) => {
                        shown["state"].as_str().unwrap_or_default().to_owned()
                    }
                    _ => "unverified".to_owned(),
                },
                _ => values::value_text(ws, page, property),
            };
            match test {
                TextTest::Equals => text == *wanted,
                TextTest::NotEquals => text != *wanted,
                TextTest::Contains => contains(&text, wanted),
                TextTest::NotContains => !contains(&text, wanted),
                TextTest::StartsWith => text.to_lowercase().starts_with(&wanted.to_lowercase()),
                TextTest::EndsWith => text.to_lowercase().ends_with(&wanted.to_lowercase()),
            }
        }
        Test::Number(test, wanted) => number(value, *test, *wanted),
        Test::Checkbox(on) => matches!(value, Some(PropertyValue::Checkbox(true))) == *on,
        Test::Choice(one_of, names) => {
            let name = match value {
                Some(PropertyValue::Option(id)) => values::option_name(&property.kind, id),
                _ => None,
            };
            name.is_some_and(|name| names.contains(&name)) == *one_of
        }
        Test::Contains(holds, wanted) => {
            let any = match value {
                Some(PropertyValue::Options(ids)) => ids
                    .iter()
                    .filter_map(|id| values::option_name(&property.kind, id))
                    .any(|name| wanted.contains(&name)),
                Some(PropertyValue::People(ids) | PropertyValue::Relation(ids)) => {
                    ids.iter().any(|id| wanted.contains(id))
                }
                _ => match property.kind {
                    PropertyKind::CreatedBy => wanted.contains(&page.created_by),
                    PropertyKind::LastEditedBy => wanted.contains(&page.edited_by),
                    _ => false,
                },
            };
            any == *holds
        }
        Test::Span { .. } => in_span(start_of(value), test),
        Test::Never => false,
    }
}

/// What a formula or rollup shows, as a value that conditions know.
fn computed(kind: &PropertyKind, value: &PropertyValue) -> Option<PropertyValue> {
    let PropertyValue::Raw(shown) = value else { return None };
    if !matches!(kind, PropertyKind::Formula { .. } | PropertyKind::Rollup { .. }) {
        return None;
    }
    let inner = shown.get(shown.get("type")?.as_str()?)?;
    match inner {
        Value::String(text) => Some(PropertyValue::String(text.clone())),
        Value::Number(number) => Some(PropertyValue::Number(number.clone())),
        Value::Bool(on) => Some(PropertyValue::Checkbox(*on)),
        _ => Some(PropertyValue::Date {
            start: inner.get("start")?.as_str()?.to_owned(),
            end: None,
            time_zone: None,
        }),
    }
}

fn contains(text: &str, wanted: &str) -> bool {
    text.to_lowercase().contains(&wanted.to_lowercase())
}

fn start_of(value: Option<&PropertyValue>) -> Option<Timestamp> {
    match value {
        Some(PropertyValue::Date { start, .. }) => span_of(start).map(|(start, _)| start),
        _ => None,
    }
}

fn in_span(at: Option<Timestamp>, test: &Test) -> bool {
    match (at, test) {
        (at, Test::Empty(empty)) => at.is_none() == *empty,
        (Some(at), Test::Span { from, until }) => {
            from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until)
        }
        _ => false,
    }
}

fn as_number(value: Option<&PropertyValue>) -> Option<f64> {
    match value {
        Some(PropertyValue::Number(number)) => number.as_f64(),
        #[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^52")]
        Some(PropertyValue::UniqueId(number)) => Some(*number as f64),
        _ => None,
    }
}

fn number(value: Option<&PropertyValue>, test: NumberTest, wanted: f64) -> bool {
    let ordering = as_number(value).and_then(|number| number.partial_cmp(&wanted));
    match test {
        NumberTest::Equals => ordering == Some(Ordering::Equal),
        NumberTest::NotEquals => ordering != Some(Ordering::Equal),
        NumberTest::Greater => ordering == Some(Ordering::Greater),
        NumberTest::Less => ordering == Some(Ordering::Less),
        NumberTest::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        NumberTest::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
    }
}

/// An order of rows.
#[derive(Debug)]
pub(crate) struct Sort {
    on: Target,
    descending: bool,
}

/// Reads `sorts`.
pub(crate) fn parse_sorts(source: &DataSource, items: &[Obj<'_>]) -> ApiResult<Vec<Sort>> {
    items
        .iter()
        .map(|item| {
            item.only(&["property", "timestamp", "direction"])?;
            let descending = match item.need_str("direction")? {
                "ascending" => false,
                "descending" => true,
                _ => {
                    return Err(ApiError::body(
                        &item.at("direction"),
                        "`\"ascending\"` or `\"descending\"`",
                        item.get("direction"),
                    ));
                }
            };
            let on = match (item.str("timestamp")?, item.str("property")?) {
                (Some(name), None) => timestamp(name).ok_or_else(|| {
                    ApiError::body(&item.at("timestamp"), "a timestamp", item.get("timestamp"))
                })?,
                (None, Some(key)) => Target::Property(find_property(source, key)?.id.clone()),
                _ => {
                    return Err(ApiError::invalid(format!(
                        "body failed validation: {} should have property or timestamp.",
                        item.path()
                    )));
                }
            };
            Ok(Sort { on, descending })
        })
        .collect()
}

/// Compares two rows; earlier sorts win.
pub(crate) fn compare(
    ws: &Workspace,
    source: &DataSource,
    sorts: &[Sort],
    a: &Page,
    b: &Page,
) -> Ordering {
    sorts
        .iter()
        .map(|sort| {
            let order = match &sort.on {
                Target::Created => a.created.cmp(&b.created),
                Target::Edited => a.edited.cmp(&b.edited),
                Target::Property(id) => by_property(ws, source, id, a, b),
            };
            if sort.descending { order.reverse() } else { order }
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn by_property(ws: &Workspace, source: &DataSource, id: &str, a: &Page, b: &Page) -> Ordering {
    let Some(property) = source.property(id) else { return Ordering::Equal };
    let (left, right) = (a.values.get(id), b.values.get(id));
    match &property.kind {
        PropertyKind::CreatedTime => a.created.cmp(&b.created),
        PropertyKind::LastEditedTime => a.edited.cmp(&b.edited),
        PropertyKind::Number { .. } | PropertyKind::UniqueId { .. } => {
            as_number(left).partial_cmp(&as_number(right)).unwrap_or(Ordering::Equal)
        }
        PropertyKind::Date => start_of(left).cmp(&start_of(right)),
        PropertyKind::Select { options } | PropertyKind::Status { options } => {
            // Selects sort by the order of their options.
            let place = |value: Option<&PropertyValue>| match value {
                Some(PropertyValue::Option(id)) => {
                    options.iter().position(|option| option.id == *id)
                }
                _ => None,
            };
            place(left).cmp(&place(right))
        }
        _ => values::value_text(ws, a, property).cmp(&values::value_text(ws, b, property)),
    }
}

/// The text of a title, for search.
pub(crate) fn title_contains(ws: &Workspace, title: &[rich::Span], query: &str) -> bool {
    contains(&rich::plain_text(ws, title), query)
}
