//! What a text of a file means as a value of a property.

use super::read::Problem;
use super::references;
use crate::canonical::{self, Date};
use crate::kind::{Property, PropertyType, same_option};
use crate::model::Value;

/// A property as read: a value with its place, or what is in the way of one.
pub(super) type Reading = Result<Option<(Value, usize)>, Option<Problem>>;

/// The value that a text means for this property.
pub(super) fn of(property: &Property, text: &str, at: usize) -> Reading {
    let Some(value) = Value::text(text) else { return Ok(None) };
    let plain = value.to_string();
    if property.r#type.is_set() {
        return of_members(property, parts(property, &plain).into_iter().map(|part| (part, at)));
    }
    Ok(scalar(property, value, &plain, at)?.map(|value| (value, at)))
}

/// The set that these texts with their places mean. One that cannot be read makes the whole unreadable: a part of
/// a set would take the rest away on the other side.
pub(super) fn of_members<'t>(
    property: &Property,
    texts: impl Iterator<Item = (&'t str, usize)>,
) -> Reading {
    let mut members: Vec<String> = Vec::new();
    let mut first = None;
    for (text, at) in texts {
        first.get_or_insert(at);
        for member in member(property, text, at)? {
            // Notion has no two options that differ in case only.
            let again =
                |other: &String| property.r#type.has_options() && same_option(other, &member);
            if !members.iter().any(again) {
                members.push(member);
            }
        }
    }
    Ok(Value::set(members).zip(first))
}

/// What one member means; nothing for one that cannot be read.
pub(super) fn of_member(property: &Property, text: &str) -> Vec<String> {
    member(property, text, 0).unwrap_or_default()
}

/// The members that a text on one line names.
pub(super) fn parts<'t>(property: &Property, text: &'t str) -> Vec<&'t str> {
    match property.r#type {
        // Neither a name of an option nor an address of a person has a comma.
        PropertyType::MultiSelect | PropertyType::People => {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
        }
        _ => vec![text],
    }
}

fn member(property: &Property, text: &str, at: usize) -> Result<Vec<String>, Option<Problem>> {
    let Some(value) = Value::text(text) else { return Ok(Vec::new()) };
    let plain = value.to_string();
    match property.r#type {
        PropertyType::Relation => {
            Ok(references::named(&plain, 0..plain.len()).into_iter().map(|(id, _)| id).collect())
        }
        PropertyType::People => match canonical::email(&plain) {
            Some(email) => Ok(vec![email]),
            None => Err(Some(problem(
                property,
                "invalid-person",
                &plain,
                "is not an email address",
                "Name people by the address that they have in Notion",
                at,
            ))),
        },
        PropertyType::Files if !canonical::is_web_address(&plain) => Err(Some(problem(
            property,
            "invalid-file",
            &plain,
            "is not an address of the web",
            "Write a link that begins with https://",
            at,
        ))),
        PropertyType::MultiSelect => Ok(vec![option(property, &plain, at)?]),
        _ => Ok(vec![plain]),
    }
}

fn scalar(
    property: &Property,
    value: Value,
    plain: &str,
    at: usize,
) -> Result<Option<Value>, Option<Problem>> {
    match property.r#type {
        PropertyType::Select | PropertyType::Status => {
            Ok(Value::text(&option(property, plain, at)?))
        }
        PropertyType::Number => match canonical::number(plain) {
            Some(number) => Ok(Value::text(&number)),
            None => Err(Some(problem(
                property,
                "invalid-number",
                plain,
                "is not a decimal number that Notion can hold",
                "Write it like 8 or 0.5",
                at,
            ))),
        },
        PropertyType::Checkbox => match canonical::checkbox(plain) {
            Some(true) => Ok(Value::text("true")),
            Some(false) => Ok(None),
            None => Err(Some(problem(
                property,
                "invalid-checkbox",
                plain,
                "is neither true nor false",
                "Write true or false",
                at,
            ))),
        },
        PropertyType::Date => match Date::parse(plain) {
            Ok(date) => Ok(Value::text(&date.to_string())),
            Err(why) => Err(Some(problem(
                property,
                "invalid-date",
                plain,
                why,
                "Write it as YYYY-MM-DD, or as YYYY-MM-DDThh:mm+hh:mm",
                at,
            ))),
        },
        PropertyType::CreatedTime | PropertyType::LastEditedTime => {
            let date = Date::parse(plain).ok().and_then(|date| Value::text(&date.to_string()));
            Ok(date.or(Some(value)))
        }
        _ => Ok(Some(value)),
    }
}

/// The configured spelling of an option.
fn option(property: &Property, text: &str, at: usize) -> Result<String, Option<Problem>> {
    match property.option_of_local(text) {
        Some((option, _)) => Ok(option.clone()),
        None if !property.is_closed() => Ok(text.to_owned()),
        None => Err(Some(unknown_option(property, text, at))),
    }
}

fn problem(
    property: &Property,
    rule: &'static str,
    text: &str,
    why: &str,
    fix: &str,
    at: usize,
) -> Problem {
    Problem {
        rule,
        at,
        message: format!("{} \"{}\" {why}.", property.name, short(text)),
        fix: format!("{fix}; until then it is left alone on both sides."),
    }
}

fn unknown_option(property: &Property, text: &str, at: usize) -> Problem {
    let options: Vec<&str> = property.options.iter().map(|(local, _)| local.as_str()).collect();
    let more = match property.r#type {
        // Notion makes no option of a status by a page.
        PropertyType::Status => "",
        _ => ", or set allow_new_options for it",
    };
    Problem {
        rule: "unknown-option",
        at,
        message: format!(
            "{} \"{}\" is none of the configured options.",
            property.name,
            short(text)
        ),
        fix: format!(
            "Use one of {}{more}; until then it is left alone on both sides.",
            options.join(", ")
        ),
    }
}

/// At most 80 characters of a text, for a message.
fn short(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
