//! Top-level keys of a YAML mapping by line, so that one value can change and no other byte.

use std::ops::Range;

use super::outline::{lines, trimmed, without_break};

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyLine {
    pub(super) name: String,
    /// All lines of the entry, continuation lines included.
    pub(super) lines: Range<usize>,
    /// Right behind the colon.
    pub(super) colon: usize,
    /// The value as written on the key's line, quotes included, a comment not; empty where there is none.
    pub(super) value: Range<usize>,
    /// Whether the value is more than a scalar (or a flow list) on the key's own line.
    pub(super) complex: bool,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
}

/// A key at the begin of a line: its name and the length up to and including the colon.
pub(super) fn key_of(line: &str) -> Option<(String, usize)> {
    let line = line.trim_end_matches(['\n', '\r']);
    let first = line.chars().next()?;
    let (name, colon) = match first {
        '"' | '\'' => {
            let close = line[1..].find(first)? + 1;
            let rest = &line[close + 1..];
            let colon = close + 1 + (rest.len() - rest.trim_start().len());
            (line[1..close].to_owned(), colon)
        }
        c if c.is_alphanumeric() || c == '_' || c == '$' => {
            let colon = line
                .match_indices(':')
                .map(|(at, _)| at)
                .find(|at| line[at + 1..].chars().next().is_none_or(char::is_whitespace))?;
            (line[..colon].trim_end().to_owned(), colon)
        }
        _ => return None,
    };
    let rest = line.get(colon..)?;
    let ends = rest.starts_with(':') && rest[1..].chars().next().is_none_or(char::is_whitespace);
    (ends && !name.contains(" #")).then_some((name, colon + 1))
}

/// The keys of the mapping that these lines hold.
pub(super) fn read(text: &str, within: Range<usize>) -> Vec<KeyLine> {
    let mut keys: Vec<KeyLine> = Vec::new();
    for line in lines(text, within) {
        let source = &text[line.clone()];
        if let Some((name, length)) = key_of(source) {
            let colon = line.start + length;
            let value =
                value_span(text, trimmed(text, colon..without_break(text, line.clone()).end));
            let complex = is_complex(&text[value.clone()]);
            keys.push(KeyLine { name, lines: line, colon, value, complex });
        } else if let Some(last) = keys.last_mut() {
            let blank = source.trim().is_empty() || source.starts_with('#');
            let fence = source.starts_with("---") || source.starts_with("...");
            if !blank && !fence {
                last.lines.end = line.end;
                last.complex = true;
            }
        }
    }
    keys
}

/// The value without the comment behind it.
pub(super) fn value_span(text: &str, rest: Range<usize>) -> Range<usize> {
    let source = &text[rest.clone()];
    let end = match source.chars().next() {
        Some('#') | None => 0,
        Some('"' | '\'') => quoted_length(source),
        Some(_) => source
            .match_indices('#')
            .map(|(at, _)| at)
            .find(|at| source[..*at].ends_with(char::is_whitespace))
            .unwrap_or(source.len()),
    };
    trimmed(text, rest.start..rest.start + end)
}

/// Length of the quoted scalar that a text begins with; the whole, where it has no end.
pub(super) fn quoted_length(source: &str) -> usize {
    if source.starts_with('"') {
        closing(source, |bytes, at| if bytes[at] == b'\\' { 2 } else { 1 }, b'"')
    } else {
        closing(
            source,
            |bytes, at| if bytes[at] == b'\'' && bytes.get(at + 1) == Some(&b'\'') { 2 } else { 1 },
            b'\'',
        )
    }
}

/// Length up to and including the closing quote; the whole, where there is none.
fn closing(source: &str, step: impl Fn(&[u8], usize) -> usize, quote: u8) -> usize {
    let bytes = source.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        let width = step(bytes, at);
        if width == 1 && bytes[at] == quote {
            return at + 1;
        }
        at += width;
    }
    source.len()
}

pub(super) fn is_complex(value: &str) -> bool {
    match value.chars().next() {
        Some('&' | '*' | '!' | '|' | '>' | '{') => true,
        Some('[') => !value.ends_with(']'),
        Some('"' | '\'') => serde_yaml::from_str::<String>(value).is_err(),
        _ => false,
    }
}

/// The text that a scalar means; `None` for null. Numbers, booleans and dates are read as they are written.
pub(super) fn decode(value: &str) -> Option<String> {
    match serde_yaml::from_str::<serde_yaml::Value>(value) {
        Ok(serde_yaml::Value::Null) => None,
        Ok(serde_yaml::Value::String(text)) => Some(text),
        _ => Some(value.to_owned()),
    }
}

/// How the value is quoted now.
pub(super) fn style_of(value: &str) -> Style {
    match value.chars().next() {
        Some('"') => Style::Double,
        Some('\'') => Style::Single,
        _ => Style::Plain,
    }
}

/// Writes a scalar, in this style where the text permits it, else in double quotes.
pub(super) fn encode(text: &str, style: Style, plain_words: bool) -> String {
    match style {
        Style::Plain if is_plain(text, plain_words) => text.to_owned(),
        Style::Single if text.chars().all(is_printable) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        _ => double_quoted(text),
    }
}

/// Writes a scalar as a member of a flow sequence.
pub(super) fn encode_flow(text: &str, style: Style) -> String {
    let bare = !text.contains([',', '[', ']', '{', '}']);
    match style {
        Style::Plain if !bare => double_quoted(text),
        style => encode(text, style, false),
    }
}

/// Whether every YAML reader takes the bare text for this very string. `words` permits texts that YAML reads as
/// something else than a string, such as dates and numbers.
fn is_plain(text: &str, words: bool) -> bool {
    let safe_start = text.chars().next().is_some_and(char::is_alphanumeric);
    let safe = safe_start
        && text.chars().all(is_printable)
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && text.trim() == text;
    if !safe {
        return false;
    }
    let old_boolean = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    if old_boolean.contains(&text.to_ascii_lowercase().as_str()) {
        return false;
    }
    let like_number = text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || "+-._:eExob".contains(c));
    let string =
        matches!(serde_yaml::from_str(text), Ok(serde_yaml::Value::String(read)) if read == text);
    words || (string && !like_number)
}

fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}
