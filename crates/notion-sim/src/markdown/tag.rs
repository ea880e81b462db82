//! Tags of Markdown v1, such as `<callout icon="💡">`.

/// An opening or self-closing tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    pub(crate) name: &'a str,
    pub(crate) attributes: Vec<(&'a str, &'a str)>,
    pub(crate) closed: bool,
}

impl<'a> Tag<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

/// Reads a tag at the begin of `text` and what follows it. `None` if there is no well-formed tag.
pub(crate) fn read(text: &str) -> Option<(Tag<'_>, &str)> {
    let rest = text.strip_prefix('<')?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))?;
    let (name, mut rest) = rest.split_at(end);
    if name.is_empty() {
        return None;
    }
    let mut attributes = Vec::new();
    loop {
        let trimmed = rest.trim_start_matches(' ');
        if let Some(after) = trimmed.strip_prefix("/>") {
            return Some((Tag { name, attributes, closed: true }, after));
        }
        if let Some(after) = trimmed.strip_prefix('>') {
            return Some((Tag { name, attributes, closed: false }, after));
        }
        if trimmed.len() == rest.len() {
            return None;
        }
        let (pair, after) = attribute(trimmed)?;
        attributes.push(pair);
        rest = after;
    }
}

/// Reads `name="value"`.
fn attribute(text: &str) -> Option<((&str, &str), &str)> {
    let (key, rest) = text.split_once("=\"")?;
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return None;
    }
    let (value, rest) = rest.split_once('"')?;
    Some(((key, value), rest))
}

/// Reads the attributes of a block, `{color="red" toggle="true"}`, as the whole text.
pub(crate) fn block_attributes(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?.trim();
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let (pair, after) = attribute(rest)?;
        attributes.push(pair);
        rest = after.trim_start_matches(' ');
    }
    Some(attributes)
}

/// A value as it stands between the quotes of an attribute.
pub(crate) fn quoted(value: &str) -> String {
    value.replace('"', "%22").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_their_attributes() {
        let (tag, rest) =
            read("<unknown url=\"https://x/?a=b>c\" alt=\"bookmark\"/> rest").unwrap();
        assert_eq!(
            (tag.name, tag.get("url"), tag.closed, rest),
            ("unknown", Some("https://x/?a=b>c"), true, " rest")
        );
        assert_eq!(read("<a b>"), None);
        assert_eq!(read("< a>"), None);
        assert_eq!(read("<span color=\"red\""), None);
    }
}
