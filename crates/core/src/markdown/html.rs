//! The few HTML tags that mean something: Notion's inline tags, and their equals in a file.

use super::inline::{Marks, Piece, Run};

/// A tag as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    pub(super) closing: bool,
    pub(super) self_closing: bool,
    /// Text between the name and the end.
    pub(super) attributes: &'a str,
    /// Bytes of the whole tag.
    pub(super) len: usize,
}

impl<'a> Tag<'a> {
    /// The tag that a text begins with.
    pub(super) fn at(text: &'a str) -> Option<Self> {
        let body = text.strip_prefix('<')?;
        let (closing, body) = body.strip_prefix('/').map_or((false, body), |rest| (true, rest));
        let name_len = body
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .unwrap_or(body.len());
        let (name, rest) = body.split_at(name_len);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !rest.starts_with(['>', '/', ' ', '\t', '\n'])
        {
            return None;
        }
        let mut quoted = false;
        let end = rest.bytes().position(|b| {
            quoted ^= b == b'"';
            b == b'>' && !quoted
        })?;
        let attributes = rest.get(..end)?;
        let self_closing = attributes.ends_with('/');
        let attributes = attributes.trim_end_matches('/').trim();
        let len = 1 + usize::from(closing) + name_len + end + 1;
        Some(Self { name, closing, self_closing, attributes, len })
    }

    /// Value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Whether the attributes are such that every reader of HTML sees the same ones.
    fn is_plain(&self) -> bool {
        let mut rest = self.attributes;
        while !rest.is_empty() {
            let Some((name, value)) = rest.split_once("=\"") else { return false };
            let Some((_, tail)) = value.split_once('"') else { return false };
            let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            if !named || !(tail.is_empty() || tail.starts_with(char::is_whitespace)) {
                return false;
            }
            rest = tail.trim_start();
        }
        true
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let (name, tail) = rest.split_once("=\"")?;
            let (value, tail) = tail.split_once('"')?;
            rest = tail;
            Some((name.trim(), value))
        })
    }
}

/// What an inline tag does.
pub(super) enum Effect {
    /// The tag is none of ours: literal text.
    Literal,
    /// A hard line break.
    Break,
    /// Opens or closes marks.
    Mark,
    /// Begin of a mention that ends with the given closing tag.
    Mention(String),
    /// A whole mention.
    Atom(Run),
}

/// Marks that are set by tags, with the way back.
#[derive(Default)]
pub(super) struct TagMarks {
    open: Vec<(String, Marks)>,
}

impl TagMarks {
    /// Takes a tag in, changing the marks where it sets some.
    pub(super) fn take(&mut self, tag: &Tag<'_>, raw: &str, marks: &mut Marks) -> Effect {
        if tag.name == "br" {
            return Effect::Break;
        }
        let date = tag.name == "date" && tag.attribute("start").is_some();
        let named = tag.name.starts_with("mention-") || tag.name == "mention" || date;
        if named && !tag.closing && tag.is_plain() {
            return if tag.self_closing {
                Effect::Atom(Run { piece: mention(raw), marks: marks.clone() })
            } else {
                Effect::Mention(format!("</{}>", tag.name))
            };
        }
        if tag.closing {
            let Some(at) = self.open.iter().rposition(|(name, _)| name == tag.name) else {
                return Effect::Literal;
            };
            if let Some((_, before)) = self.open.drain(at..).next() {
                // Only what this tag set is taken back: `**` marks may have changed since.
                match tag.name {
                    "b" | "strong" => marks.bold = before.bold,
                    "i" | "em" => marks.italic = before.italic,
                    "s" | "del" => marks.strike = before.strike,
                    "u" => marks.underline = before.underline,
                    "a" => marks.link = before.link,
                    _ => {
                        marks.underline = before.underline;
                        marks.color = before.color;
                    }
                }
            }
            return Effect::Mark;
        }
        let before = marks.clone();
        match tag.name {
            "b" | "strong" => marks.bold = true,
            "i" | "em" => marks.italic = true,
            "s" | "del" => marks.strike = true,
            "u" => marks.underline = true,
            "a" if marks.link.is_none() => match tag.attribute("href") {
                Some(target) => marks.link = Some(target.to_owned()),
                None => return Effect::Literal,
            },
            "span" => {
                if tag.attribute("underline") == Some("true") {
                    marks.underline = true;
                }
                if let Some(color) = tag.attribute("color").filter(|color| !color.is_empty()) {
                    marks.color = Some(color.to_owned());
                }
            }
            _ => return Effect::Literal,
        }
        self.open.push((tag.name.to_owned(), before));
        Effect::Mark
    }
}

/// Kinds of mentions: tag in v1; in v2 how the target begins, and the type.
const MENTIONS: [(&str, &str, &str); 5] = [
    ("mention-user", "user://", ""),
    ("mention-data-source", "collection://", ""),
    ("mention-agent", "agent://", ""),
    ("mention-database", "", "database"),
    ("mention-page", "", ""),
];

/// Attributes of a date: name in v1 and in v2.
const DATE_ATTRIBUTES: [(&str, &str); 5] = [
    ("start", "start"),
    ("startTime", "start-time"),
    ("end", "end"),
    ("endTime", "end-time"),
    ("timeZone", "time-zone"),
];

/// A mention in the form that files and v1 have.
fn classic(raw: &str) -> String {
    let Some(tag) = Tag::at(raw) else { return raw.to_owned() };
    let rest = raw.get(tag.len..).unwrap_or_default();
    match tag.name {
        "date" => {
            let mut out = "<mention-date".to_owned();
            for (name, value) in tag.pairs() {
                let old = DATE_ATTRIBUTES.iter().find(|(_, new)| *new == name);
                let name = old.map_or(name, |(old, _)| old);
                out.push_str(&format!(" {name}=\"{value}\""));
            }
            out + "/>"
        }
        "mention" => {
            let target = tag.attribute("url").unwrap_or_default();
            let kind = tag.attribute("type").unwrap_or_default();
            let name = MENTIONS
                .iter()
                .find(|(_, begin, of)| target.starts_with(begin) && (of.is_empty() || *of == kind))
                .map_or("mention-page", |(name, ..)| name);
            let mut out = format!("<{name}");
            for (key, value) in tag.pairs().filter(|(key, _)| *key != "type") {
                out.push_str(&format!(" {key}=\"{value}\""));
            }
            if tag.self_closing {
                return out + "/>";
            }
            let label = rest.strip_suffix("</mention>").unwrap_or(rest);
            format!("{out}>{label}</{name}>")
        }
        _ => raw.to_owned(),
    }
}

/// A mention in the form that v2 has.
pub(super) fn modern(raw: &str) -> String {
    let Some(tag) = Tag::at(raw) else { return raw.to_owned() };
    if tag.name == "mention-date" {
        let mut out = "<date".to_owned();
        for (name, value) in tag.pairs() {
            let new = DATE_ATTRIBUTES.iter().find(|(old, _)| *old == name);
            out.push_str(&format!(" {}=\"{value}\"", new.map_or(name, |(_, new)| new)));
        }
        return out + "/>";
    }
    let Some((name, begin, kind)) = MENTIONS.iter().find(|(name, ..)| *name == tag.name) else {
        return raw.to_owned();
    };
    let mut out = "<mention".to_owned();
    for (key, value) in tag.pairs() {
        let begin = if key == "url" && !value.contains("://") { begin } else { &"" };
        out.push_str(&format!(" {key}=\"{begin}{value}\""));
    }
    if !kind.is_empty() {
        out.push_str(&format!(" type=\"{kind}\""));
    }
    if tag.self_closing {
        return out + "/>";
    }
    let rest = raw.get(tag.len..).unwrap_or_default();
    let label = rest.strip_suffix(&format!("</{name}>")).unwrap_or(rest);
    format!("{out}>{label}</mention>")
}

/// A mention from its tag; the label is not part of the key, as it follows renames (notion-api.md §7.4).
pub(super) fn mention(raw: &str) -> Piece {
    // A line of a file may end inside of a tag or a label.
    let raw = &classic(&raw.replace("\r\n", "\n").replace(['\n', '\r'], " "));
    let key = Tag::at(raw).map_or_else(
        || raw.clone(),
        |tag| {
            let begin = MENTIONS.iter().find(|(name, ..)| *name == tag.name);
            let begin = begin.map_or("", |(_, begin, _)| begin);
            let mut attributes: Vec<_> = tag
                .pairs()
                .map(|(name, value)| {
                    format!("{name}={}", value.strip_prefix(begin).unwrap_or(value))
                })
                .collect();
            attributes.sort_unstable();
            format!("{} {}", tag.name, attributes.join(" "))
        },
    );
    Piece::Tag { raw: raw.clone(), key }
}

/// Opening tag, label and closing tag of a mention.
pub(super) fn parts(raw: &str) -> (&str, &str, &str) {
    let (tag, rest) = raw.split_at(Tag::at(raw).map_or(raw.len(), |tag| tag.len));
    let (label, close) = rest.split_at(rest.rfind("</").unwrap_or(rest.len()));
    (tag, label, close)
}

/// Name of the block that a marker line of ours stands for: `<!-- notion: bookmark -->`.
pub(super) fn marker_name(comment: &str) -> Option<&str> {
    let name = comment
        .trim()
        .strip_prefix("<!--")?
        .strip_suffix("-->")?
        .trim()
        .strip_prefix("notion:")?
        .trim();
    (!name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_attributes() {
        let tag = Tag::at("<span color=\"red\" x=\"a > b\">rest").unwrap();
        assert_eq!((tag.name, tag.len, tag.closing), ("span", 28, false));
        assert_eq!(tag.attribute("x"), Some("a > b"));
        assert_eq!(
            Tag::at("<empty-block/>").map(|t| (t.name, t.self_closing)),
            Some(("empty-block", true))
        );
        assert_eq!(Tag::at("< b>"), None);
        assert_eq!(Tag::at("<b"), None);
        assert_eq!(Tag::at("<https://a>"), None);
    }

    #[test]
    fn the_label_of_a_mention_does_not_count() {
        let key = |raw: &str| match mention(raw) {
            Piece::Tag { key, .. } => key,
            _ => String::new(),
        };
        assert_eq!(
            key("<mention-page url=\"u\">Old</mention-page>"),
            key("<mention-page url=\"u\">New name</mention-page>")
        );
    }
}
