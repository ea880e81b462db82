//! Ids of Notion objects, checked before they can reach a path.

use std::fmt;

/// A UUID in Notion's own form: lower case, with dashes. Requests accept both forms, answers have dashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ObjectId(String);

impl ObjectId {
    /// An id alone, with or without dashes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let dashed = text.len() == 36
            && text.char_indices().all(|(at, c)| (c == '-') == matches!(at, 8 | 13 | 18 | 23));
        let hex: String = if dashed { text.replace('-', "") } else { text.to_owned() };
        if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let mut id = String::with_capacity(36);
        for (at, c) in hex.chars().enumerate() {
            if matches!(at, 8 | 12 | 16 | 20) {
                id.push('-');
            }
            id.push(c.to_ascii_lowercase());
        }
        Some(Self(id))
    }

    /// What a person pastes: an id, or the address of a page or database. In an address the path names the
    /// object and `v=` only the view; `p=` names a page that is open over another, so it comes last.
    pub(super) fn from_reference(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(id) = Self::parse(text) {
            return Some(id);
        }
        let address = text.split_once("://").map(|(_, rest)| rest)?;
        let address = address.split_once('#').map_or(address, |(before, _)| before);
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let in_path = path.rsplit('/').find_map(Self::at_end);
        in_path.or_else(|| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .filter(|(key, _)| matches!(*key, "p" | "page_id" | "database_id"))
                .find_map(|(_, value)| Self::parse(value))
        })
    }

    /// The id that ends a path segment, as in `Stories-0123…`.
    fn at_end(segment: &str) -> Option<Self> {
        [36, 32].into_iter().find_map(|len| {
            let start = segment.len().checked_sub(len)?;
            let (before, id) = segment.split_at_checked(start)?;
            (before.is_empty() || before.ends_with('-')).then(|| Self::parse(id)).flatten()
        })
    }

    /// The id as text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Id of a property, as Notion gives it: already percent-encoded, to be sent as it is (encoding it again is
/// refused).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PropertyId(String);

impl PropertyId {
    /// The id, if it is one path segment that stays one segment.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let allowed = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!~*'()%".contains(&b));
        let dots = text.replace("%2e", ".").replace("%2E", ".");
        (!text.is_empty() && allowed && dots != "." && !dots.contains(".."))
            .then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123abcd-4567-89ab-cdef-0123456789ab";
    const HEX: &str = "0123abcd456789abcdef0123456789ab";

    fn reference(text: &str) -> Option<String> {
        ObjectId::from_reference(text).map(|id| id.to_string())
    }

    #[test]
    fn ids_and_addresses_are_understood() {
        for text in [
            ID.to_owned(),
            HEX.to_owned(),
            HEX.to_uppercase(),
            format!(
                "https://www.notion.so/team/Stories-{HEX}?v=ffffffffffffffffffffffffffffffff&pvs=4"
            ),
            format!("https://app.notion.com/p/{HEX}"),
            format!("https://app.notion.com/p/{ID}#ffffffffffffffffffffffffffffffff"),
            format!("https://www.notion.so/?p={HEX}"),
            format!("https://www.notion.so/Été-{HEX}/"),
        ] {
            assert_eq!(reference(&text).as_deref(), Some(ID), "{text}");
        }
    }

    #[test]
    fn the_database_of_an_address_wins_over_the_page_open_over_it() {
        let other = "f".repeat(32);
        assert_eq!(reference(&format!("https://notion.so/w/{HEX}?p={other}")).as_deref(), Some(ID));
    }

    #[test]
    fn what_could_leave_its_path_segment_is_no_id() {
        for text in [
            "",
            "..",
            "../users",
            "0123",
            &format!("{HEX}/.."),
            &format!("x{HEX}"),
            "0123abcd-4567",
        ] {
            assert_eq!(ObjectId::parse(text), None, "{text}");
        }
        assert_eq!(ObjectId::parse(&"é".repeat(18)), None);
        for text in ["", ".", "..", "%2e%2E", "a%2e.b", "a/b", "a?b", "a#b", "é"] {
            assert_eq!(PropertyId::parse(text), None, "{text}");
        }
        for text in ["title", "f%5C%5C%3Ap", "N%3A%5B_", "~x.y"] {
            assert!(PropertyId::parse(text).is_some(), "{text}");
        }
    }
}
