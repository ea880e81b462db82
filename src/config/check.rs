//! Checks a configuration file against the schema, with suggestions.

use serde_json::{Map, Value};

use super::locate::Step;

/// A fault at a place of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) path: Vec<Step>,
    pub(super) message: String,
    pub(super) hint: String,
}

/// A path as people write it: `kinds.story.properties`.
pub(super) fn dotted(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) if out.is_empty() => out.push_str(key),
            Step::Key(key) => out.push_str(&format!(".{key}")),
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

/// The known word that an unknown one was probably meant to be.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let score =
        |candidate: &str| strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase());
    let scored = known.into_iter().map(|candidate| (score(candidate), candidate));
    let best = scored.filter(|(score, _)| *score >= 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, candidate)| candidate)
}

/// All faults of a file.
pub(super) fn check(file: &Value, schema: &Value) -> Vec<Fault> {
    let mut checker = Checker { root: schema, faults: Vec::new(), path: Vec::new() };
    checker.value(file, schema);
    checker.faults
}

struct Checker<'a> {
    root: &'a Value,
    faults: Vec<Fault>,
    path: Vec<Step>,
}

impl<'a> Checker<'a> {
    fn fault(&mut self, message: String, hint: String) {
        self.faults.push(Fault { path: self.path.clone(), message, hint });
    }

    /// The name of the place we are at.
    fn here(&self) -> String {
        if self.path.is_empty() {
            "the file".to_owned()
        } else {
            format!("`{}`", dotted(&self.path))
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
        target.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    fn value(&mut self, value: &Value, schema: &'a Value) {
        let schema = self.resolve(schema);
        let words = self.words(schema);
        let alternatives = alternatives(schema);
        if !words.is_empty() && (value.is_string() || self.expected(schema) == "a text") {
            self.word(value, &words);
        } else if !alternatives.is_empty() {
            self.alternative(value, alternatives);
        } else if !accepts(schema, value) {
            let expected = self.expected(schema);
            self.wrong_type(value, &expected);
        } else if let Some(object) = value.as_object() {
            self.object(object, schema);
        } else if let (Some(list), Some(items)) = (value.as_array(), schema.get("items")) {
            for (index, item) in list.iter().enumerate() {
                self.path.push(Step::Index(index));
                self.value(item, items);
                self.path.pop();
            }
        } else if value.is_number() {
            self.number(value, schema);
        }
    }

    fn number(&mut self, value: &Value, schema: &'a Value) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let largest = match schema.get("format").and_then(Value::as_str) {
            Some("uint32") => Some(f64::from(u32::MAX)),
            _ => bound("maximum"),
        };
        let number = value.as_f64().unwrap_or_default();
        if let Some(least) = bound("minimum").filter(|least| number < *least) {
            let message = format!("{} is too small.", self.here());
            self.fault(message, format!("Give at least {least}."));
        } else if let Some(most) = largest.filter(|most| number > *most) {
            let message = format!("{} is too large.", self.here());
            self.fault(message, format!("Give at most {most}."));
        }
    }

    /// The words that an enumeration permits; empty, if this is none.
    fn words(&self, schema: &'a Value) -> Vec<&'a str> {
        let schema = self.resolve(schema);
        if let Some(list) = schema.get("enum").and_then(Value::as_array) {
            return list.iter().filter_map(Value::as_str).collect();
        }
        if let Some(word) = schema.get("const").and_then(Value::as_str) {
            return vec![word];
        }
        let alternatives = alternatives(schema).iter();
        alternatives.flat_map(|alternative| self.words(alternative)).collect()
    }

    fn word(&mut self, value: &Value, words: &[&str]) {
        let word = value.as_str();
        if word.is_some_and(|word| words.contains(&word)) {
            return;
        }
        let meant = word.and_then(|word| nearest(word, words.iter().copied()));
        let message = format!("{} must be one of {}.", self.here(), words.join(", "));
        self.fault(
            message,
            meant.map_or_else(String::new, |meant| format!("Did you mean `{meant}`?")),
        );
    }

    fn alternative(&mut self, value: &Value, alternatives: &'a [Value]) {
        let resolved: Vec<&'a Value> =
            alternatives.iter().map(|schema| self.resolve(schema)).collect();
        if let Some(object) = value.as_object()
            && let Some(tag) = resolved.iter().find_map(|schema| tag_of(schema))
        {
            return self.tagged(object, tag, &resolved);
        }
        let fitting = |schema: &&&'a Value| {
            accepts(schema, value)
                || alternatives_accept(self.root, schema, value)
                || (value.is_string() && !self.words(schema).is_empty())
        };
        match resolved.iter().find(fitting) {
            Some(schema) => self.value(value, schema),
            None => {
                let expected: Vec<String> = resolved
                    .iter()
                    .map(|schema| self.expected(schema))
                    .filter(|expected| !expected.is_empty())
                    .collect();
                self.wrong_type(value, &expected.join(" or "));
            }
        }
    }

    /// A mapping whose form is told by one of its keys.
    fn tagged(&mut self, object: &Map<String, Value>, tag: &str, forms: &[&'a Value]) {
        let word_of = |schema: &'a Value| {
            schema.pointer(&format!("/properties/{tag}/const")).and_then(Value::as_str)
        };
        let words: Vec<&str> = forms.iter().filter_map(|schema| word_of(schema)).collect();
        let Some(given) = object.get(tag) else {
            let message = format!("{} has no `{tag}`.", self.here());
            return self.fault(message, format!("Add `{tag}:` with one of {}.", words.join(", ")));
        };
        match forms.iter().find(|schema| word_of(schema) == given.as_str() && given.is_string()) {
            Some(schema) => self.object(object, schema),
            None => {
                self.path.push(Step::Key(tag.to_owned()));
                self.word(given, &words);
                self.path.pop();
            }
        }
    }

    fn object(&mut self, object: &Map<String, Value>, schema: &'a Value) {
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for (key, value) in object {
            self.path.push(Step::Key(key.clone()));
            match (known.and_then(|known| known.get(key)), others) {
                (Some(schema), _) => self.value(value, schema),
                (None, Some(Value::Bool(false))) => {
                    let names: Vec<&str> =
                        known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                    let hint = match nearest(key, names.iter().copied()) {
                        Some(meant) => format!("Did you mean `{meant}`?"),
                        None => format!("Known here: {}.", names.join(", ")),
                    };
                    self.fault(format!("Unknown key `{}`.", dotted(&self.path)), hint);
                }
                (None, Some(schema)) => self.value(value, schema),
                (None, None) => {}
            }
            self.path.pop();
        }
        for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = required.as_str().filter(|name| !object.contains_key(*name)) {
                let message = format!("{} has no `{name}`.", self.here());
                self.fault(message, format!("Add `{name}:`, or set the variable that it names."));
            }
        }
    }

    /// What a schema wants, for people; empty for one that only permits nothing.
    fn expected(&self, schema: &'a Value) -> String {
        let schema = self.resolve(schema);
        let mut named: Vec<String> = types(schema)
            .into_iter()
            .filter(|r#type| *r#type != "null")
            .map(|r#type| match r#type {
                "string" => "a text".to_owned(),
                "integer" => "a whole number".to_owned(),
                "number" => "a number".to_owned(),
                "boolean" => "true or false".to_owned(),
                "array" => "a list".to_owned(),
                _ => "a mapping".to_owned(),
            })
            .collect();
        let below = alternatives(schema).iter().map(|schema| self.expected(schema));
        named.extend(below.filter(|expected| !expected.is_empty()));
        named.dedup();
        named.join(" or ")
    }

    fn wrong_type(&mut self, value: &Value, expected: &str) {
        let message = format!("{} must be {expected}, but is {}.", self.here(), name_of(value));
        self.fault(message, "Correct the value, or leave the key out for its default.".to_owned());
    }
}

fn alternatives(schema: &Value) -> &[Value] {
    let list = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn alternatives_accept(root: &Value, schema: &Value, value: &Value) -> bool {
    alternatives(schema).iter().any(|schema| {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
        let schema = target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema);
        accepts(schema, value) || alternatives_accept(root, schema, value)
    })
}

/// The key whose constant tells the forms of a mapping apart.
fn tag_of(schema: &Value) -> Option<&str> {
    let properties = schema.get("properties")?.as_object()?;
    properties.iter().find(|(_, value)| value.get("const").is_some()).map(|(key, _)| key.as_str())
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether the value is of a type that the schema names. A schema of alternatives names none.
fn accepts(schema: &Value, value: &Value) -> bool {
    let types = types(schema);
    if types.is_empty() {
        return alternatives(schema).is_empty() && schema.get("enum").is_none();
    }
    types.iter().any(|r#type| match *r#type {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    })
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
