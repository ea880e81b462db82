//! Reading request bodies strictly: what has the wrong shape or is not known is refused with its path.

use serde_json::{Map, Value};

use crate::error::{ApiError, ApiResult};

/// A JSON object of a request, with the path that messages name it by.
#[derive(Clone, Debug)]
pub(crate) struct Obj<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Obj<'a> {
    pub(crate) fn new(value: &'a Value, path: impl Into<String>) -> ApiResult<Self> {
        let path = path.into();
        match value {
            Value::Object(map) => Ok(Self { map, path }),
            other => Err(ApiError::body(&path, "an object", Some(other))),
        }
    }

    pub(crate) fn map(&self) -> &'a Map<String, Value> {
        self.map
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// Refuses keys that are not among these.
    pub(crate) fn only(&self, keys: &[&str]) -> ApiResult<()> {
        match self.map.iter().find(|(key, _)| !keys.contains(&key.as_str())) {
            Some((key, value)) => Err(ApiError::body(&self.at(key), "not present", Some(value))),
            None => Ok(()),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    pub(crate) fn missing(&self, key: &str) -> ApiError {
        ApiError::body(&self.at(key), "defined", None)
    }

    pub(crate) fn str(&self, key: &str) -> ApiResult<Option<&'a str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(ApiError::body(&self.at(key), "a string", Some(other))),
        }
    }

    pub(crate) fn need_str(&self, key: &str) -> ApiResult<&'a str> {
        self.str(key)?.ok_or_else(|| self.missing(key))
    }

    /// A string or null; null and absence are the same.
    pub(crate) fn str_or_null(&self, key: &str) -> ApiResult<Option<&'a str>> {
        if self.get(key).is_some_and(Value::is_null) { Ok(None) } else { self.str(key) }
    }

    pub(crate) fn bool(&self, key: &str) -> ApiResult<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(ApiError::body(&self.at(key), "a boolean", Some(other))),
        }
    }

    pub(crate) fn obj(&self, key: &str) -> ApiResult<Option<Self>> {
        self.get(key).map(|value| Self::new(value, self.at(key))).transpose()
    }

    pub(crate) fn need_obj(&self, key: &str) -> ApiResult<Self> {
        self.obj(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn array(&self, key: &str) -> ApiResult<Option<&'a Vec<Value>>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(ApiError::body(&self.at(key), "an array", Some(other))),
        }
    }

    /// An array of at most `most` items.
    pub(crate) fn array_up_to(&self, key: &str, most: usize) -> ApiResult<Option<&'a Vec<Value>>> {
        let items = self.array(key)?;
        if let Some(items) = items.filter(|items| items.len() > most) {
            return Err(too_long(&self.at(key), most, items.len()));
        }
        Ok(items)
    }

    /// Members of an array as objects.
    pub(crate) fn objects(&self, key: &str, most: usize) -> ApiResult<Option<Vec<Self>>> {
        let Some(items) = self.array_up_to(key, most)? else { return Ok(None) };
        items
            .iter()
            .enumerate()
            .map(|(n, item)| Self::new(item, format!("{}[{n}]", self.at(key))))
            .collect::<ApiResult<Vec<_>>>()
            .map(Some)
    }
}

pub(crate) fn too_long(path: &str, most: usize, was: usize) -> ApiError {
    ApiError::invalid(format!(
        "body failed validation: {path}.length should be ≤ `{most}`, instead was `{was}`."
    ))
}

/// Length in UTF-16 code units, the unit of Notion's text limits (notion-api.md 6.3).
pub(crate) fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Refuses texts that are longer than this many UTF-16 units.
pub(crate) fn text_limit(path: &str, text: &str, most: usize) -> ApiResult<()> {
    let length = utf16_len(text);
    if length > most { Err(too_long(path, most, length)) } else { Ok(()) }
}
