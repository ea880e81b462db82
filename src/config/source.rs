//! From the text of a configuration file to a value: YAML, variables, and a look for secrets.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::check::{Fault, dotted};
use super::locate::Step;

/// Tokens of Notion and GitHub, and database URLs with a password.
static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\bntn_[A-Za-z0-9]+|\bsecret_[A-Za-z0-9]{20,}|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_[A-Za-z0-9_]{16,}",
        r"|(?i:\bpostgres(?:ql)?://[^\s/@:]*:[^\s/@$]+@)"
    ))
    .ok()
});

static WHOLE_SECRET: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^secret_[A-Za-z0-9]{6,}$").ok());

static VARIABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$").ok());

/// Whether a text holds what looks like a token or a password.
pub(super) fn looks_secret(text: &str) -> bool {
    let holds =
        |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_some_and(|p| p.is_match(text));
    let word =
        |part: &str| holds(&WHOLE_SECRET, part.trim_matches(['"', '\'', ',', '[', ']', '{', '}']));
    holds(&SECRET, text) || text.split_whitespace().any(word)
}

/// A YAML value as JSON. Keys that are numbers or booleans become texts.
pub(super) fn to_json(
    value: serde_yaml::Value,
    path: &mut Vec<Step>,
    faults: &mut Vec<Fault>,
) -> Value {
    use serde_yaml::Value as Yaml;
    match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => serde_json::to_value(number).unwrap_or(Value::Null),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(list) => {
            let items = list.into_iter().enumerate().map(|(index, item)| {
                path.push(Step::Index(index));
                let item = to_json(item, path, faults);
                path.pop();
                item
            });
            Value::Array(items.collect())
        }
        Yaml::Mapping(mapping) => {
            let mut object = serde_json::Map::new();
            for (key, value) in mapping {
                let key = match key {
                    Yaml::String(key) => key,
                    Yaml::Number(key) => key.to_string(),
                    Yaml::Bool(key) => key.to_string(),
                    _ => {
                        faults.push(not_plain(path, "a key that is no text"));
                        continue;
                    }
                };
                path.push(Step::Key(key.clone()));
                let value = to_json(value, path, faults);
                path.pop();
                object.insert(key, value);
            }
            Value::Object(object)
        }
        Yaml::Tagged(_) => {
            faults.push(not_plain(path, "a value with a tag"));
            Value::Null
        }
    }
}

fn not_plain(path: &[Step], what: &str) -> Fault {
    let place = if path.is_empty() { "The file".to_owned() } else { format!("`{}`", dotted(path)) };
    Fault {
        path: path.to_vec(),
        message: format!("{place} holds {what}."),
        hint: "Write it as plain YAML.".to_owned(),
    }
}

/// Replaces every text that is exactly `${VAR}` by the variable's value. Where the variable is unset or empty, the
/// key (or the list's item) counts as not given. Other texts with `$` stay as they are.
pub(super) fn expand(
    value: &mut Value,
    env: &dyn Fn(&str) -> Option<String>,
    path: &mut Vec<Step>,
    faults: &mut Vec<Fault>,
) -> bool {
    match value {
        Value::String(text) => {
            let Some(name) =
                VARIABLE.as_ref().and_then(|v| v.captures(text)).map(|c| c[1].to_owned())
            else {
                return true;
            };
            let Some(given) = env(&name).filter(|given| !given.is_empty()) else { return false };
            if looks_secret(&given) {
                faults.push(Fault {
                    path: path.clone(),
                    message: format!("`{}` is set to a secret, from the variable {name}.", dotted(path)),
                    hint: "Secrets are read from the environment by the program itself; name no secret here."
                        .to_owned(),
                });
                return false;
            }
            *text = given;
            true
        }
        Value::Array(list) => {
            let mut index = 0;
            list.retain_mut(|item| {
                path.push(Step::Index(index));
                index += 1;
                let kept = expand(item, env, path, faults);
                path.pop();
                kept
            });
            true
        }
        Value::Object(object) => {
            object.retain(|key, value| {
                path.push(Step::Key(key.clone()));
                let kept = expand(value, env, path, faults);
                path.pop();
                kept
            });
            true
        }
        _ => true,
    }
}
