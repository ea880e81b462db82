//! What is known of link targets.

use std::borrow::Cow;

/// Hosts of Notion's signed file links, which rotate with every read (notion-api.md §7.4).
const SIGNED_HOSTS: [&str; 4] =
    ["amazonaws.com/", "file.notion.so/", "notion-static.com/", "notionusercontent.com/"];

/// Whether Notion takes this as a link target: relative paths, anchors and `file:` are refused
/// (notion-api.md §7.4).
pub(super) fn is_sendable(target: &str) -> bool {
    let rest = ["https://", "http://", "mailto:", "tel:"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || c == '<' || c == '>')
    })
}

/// Whether the target is a signed link to a file.
pub(super) fn is_signed(target: &str) -> bool {
    target.contains('?')
        && target.starts_with("http")
        && (SIGNED_HOSTS.iter().any(|host| target.contains(host))
            || target.contains("prod-files-secure"))
}

/// Whether a text holds a signed link anywhere.
pub(super) fn holds_signed(text: &str) -> bool {
    text.match_indices("http").any(|(at, _)| {
        let tail = text.get(at..).unwrap_or_default();
        let end = tail.find([' ', ')', '"', '<', '>', '\n', '\t']).unwrap_or(tail.len());
        tail.get(..end).is_some_and(is_signed)
    })
}

/// A target as it can stand between parentheses in both grammars, also in the cell of a table.
pub(super) fn encoded(target: &str) -> Cow<'_, str> {
    if !target.bytes().any(|byte| matches!(byte, b'\\' | b'(' | b')' | b'[' | b']' | b'|')) {
        return Cow::Borrowed(target);
    }
    let mut out = String::with_capacity(target.len() + 4);
    for c in target.chars() {
        match c {
            '\\' => out.push_str("%5C"),
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '[' => out.push_str("%5B"),
            ']' => out.push_str("%5D"),
            '|' => out.push_str("%7C"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A target as it can stand between parentheses where entities are read.
pub(super) fn without_entities(target: &str) -> String {
    let mut out = String::with_capacity(target.len());
    for (n, part) in target.split('&').enumerate() {
        if n > 0 {
            let name = part.split_once(';').map(|(name, _)| name);
            let entity = name.is_some_and(|name| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'#')
            });
            out.push_str(if entity { "&amp;" } else { "&" });
        }
        out.push_str(part);
    }
    out
}

/// Hosts of Notion's pages.
const PAGE_HOSTS: [&str; 3] = ["www.notion.so/", "notion.so/", "app.notion.com/"];

/// The 32 lower-case hexadecimal digits of an id, with or without dashes.
pub(super) fn bare_id(id: &str) -> Option<String> {
    let dashed =
        id.len() == 36 && [8, 13, 18, 23].iter().all(|at| id.as_bytes().get(*at) == Some(&b'-'));
    let hex = if dashed { id.replace('-', "") } else { id.to_owned() };
    (hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| hex.to_ascii_lowercase())
}

/// The address of a page in the form that we send.
pub(super) fn page_address(id: &str) -> String {
    format!("https://app.notion.com/p/{id}")
}

/// The id of the page that an address leads to, and the fragment with its sign. Both hosts, with and without a
/// title in front of the id; `p=` names a page that is open over another.
pub(super) fn page_of(target: &str) -> Option<(String, &str)> {
    let rest = target.strip_prefix("https://").or_else(|| target.strip_prefix("http://"))?;
    let rest = PAGE_HOSTS.iter().find_map(|host| rest.strip_prefix(host))?;
    let (rest, fragment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let over = query.split('&').find_map(|pair| bare_id(pair.strip_prefix("p=")?));
    // The view of a database is more than its page.
    if over.is_none() && query.split('&').any(|pair| pair.starts_with("v=")) {
        return None;
    }
    let last = path.trim_end_matches('/').rsplit('/').next()?;
    let at_end = |len: usize| {
        let (title, id) = last.split_at_checked(last.len().checked_sub(len)?)?;
        (title.is_empty() || title.ends_with('-')).then(|| bare_id(id)).flatten()
    };
    Some((over.or_else(|| at_end(36)).or_else(|| at_end(32))?, fragment))
}

/// The one form of an address that is used in the block tree.
pub(super) fn settled(target: &str) -> Option<String> {
    let (id, fragment) = page_of(target)?;
    Some(format!("{}{fragment}", page_address(&id)))
}

/// The target without what changes by itself: the query of a signed link, the slash after a bare host, the
/// encoding of brackets, the title in the address of a page.
pub(super) fn canonical(target: &str) -> Cow<'_, str> {
    if let Some(settled) = settled(target) {
        return Cow::Owned(settled);
    }
    let mut target = encoded(target);
    let path = if is_signed(&target) { target.find('?') } else { None };
    let end = path.unwrap_or(target.len());
    let kept = target.get(..end).unwrap_or_default();
    let end = match kept.split_once("://") {
        Some((_, rest)) if rest.find('/') == Some(rest.len().saturating_sub(1)) => {
            kept.trim_end_matches('/').len()
        }
        _ => end,
    };
    match &mut target {
        Cow::Borrowed(target) => *target = target.get(..end).unwrap_or_default(),
        Cow::Owned(target) => target.truncate(end),
    }
    target
}

/// A text with the queries of signed links cut out.
pub(super) fn without_signatures(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("http") {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        let end = tail.find([' ', ')', '"', '<', '>', '\n', '\t']).unwrap_or(tail.len());
        let (target, after) = tail.split_at(end);
        out.push_str(&canonical(target));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_targets_are_sent() {
        for good in ["https://a.b/c", "HTTP://a", "mailto:a@b.c"] {
            assert!(is_sendable(good), "{good}");
        }
        for bad in
            ["a.md", "../a.md", "#top", "file:///etc", "https://", "https:///x", "", "ünï", "//a/b"]
        {
            assert!(!is_sendable(bad), "{bad}");
        }
    }

    #[test]
    fn the_query_of_a_signed_link_does_not_count() {
        let a = "https://prod-files-secure.s3.us-west-2.amazonaws.com/x/y.png?X-Amz-Signature=1";
        let b = "https://prod-files-secure.s3.us-west-2.amazonaws.com/x/y.png?X-Amz-Signature=2";
        assert_eq!(canonical(a), canonical(b));
        assert_eq!(
            without_signatures(&format!("![]({a})")),
            without_signatures(&format!("![]({b})"))
        );
        assert_ne!(canonical("https://a/x?1"), canonical("https://a/x?2"));
        assert_eq!(canonical("https://a.b/"), canonical("https://a.b"));
    }

    #[test]
    fn brackets_are_encoded_and_do_not_count() {
        assert_eq!(encoded("https://a.b/c_(d)[e]"), "https://a.b/c_%28d%29%5Be%5D");
        assert_eq!(canonical("https://a.b/x]"), canonical("https://a.b/x%5D"));
        assert_eq!(encoded("https://a.b/x|y"), "https://a.b/x%7Cy");
    }

    #[test]
    fn what_looks_like_an_entity_is_none() {
        for (target, written) in [
            ("https://a.b/?x=1&y=2", "https://a.b/?x=1&y=2"),
            ("https://a.b/?x=1&copy;=2&", "https://a.b/?x=1&amp;copy;=2&"),
            ("https://a.b/?x&#38;y&z=;", "https://a.b/?x&amp;#38;y&z=;"),
        ] {
            assert_eq!(without_entities(target), written);
        }
    }
}
