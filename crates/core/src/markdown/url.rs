//! What is known of link targets.

use std::borrow::Cow;

/// Hosts of Notion's signed file links, which rotate with every read (notion-api.md §7.4).
const SIGNED_HOSTS: [&str; 4] =
    ["amazonaws.com/", "file.notion.so/", "notion-static.com/", "notionusercontent.com/"];

/// Whether Notion takes this as a link target: relative paths, anchors and `file:` are refused
/// (notion-api.md §7.4).
pub(super) fn is_sendable(target: &str) -> bool {
    let lower = target.get(..8).unwrap_or(target).to_ascii_lowercase();
    let rest = ["https://", "http://", "mailto:", "tel:"]
        .iter()
        .find(|scheme| lower.starts_with(*scheme))
        .and_then(|scheme| target.get(scheme.len()..));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || c == '<' || c == '>')
    })
}

/// Whether the target is a signed link to a file.
pub(super) fn is_signed(target: &str) -> bool {
    target.starts_with("http")
        && (SIGNED_HOSTS.iter().any(|host| target.contains(host))
            || target.contains("prod-files-secure"))
        && target.contains('?')
}

/// Whether a text holds a signed link anywhere.
pub(super) fn holds_signed(text: &str) -> bool {
    text.match_indices("http").any(|(at, _)| {
        let tail = text.get(at..).unwrap_or_default();
        let end = tail.find([' ', ')', '"', '<', '>', '\n', '\t']).unwrap_or(tail.len());
        tail.get(..end).is_some_and(is_signed)
    })
}

/// A target as it can stand between parentheses in both grammars.
pub(super) fn encoded(target: &str) -> Cow<'_, str> {
    if !target.contains(['\\', '(', ')', '[', ']']) {
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
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The target without what changes by itself: the query of a signed link, the slash after a bare host, the
/// encoding of brackets.
pub(super) fn canonical(target: &str) -> String {
    let target = encoded(target);
    let target = if is_signed(&target) {
        target.split_once('?').map_or(target.as_ref(), |(path, _)| path)
    } else {
        target.as_ref()
    };
    match target.split_once("://") {
        Some((_, rest)) if rest.find('/') == Some(rest.len().saturating_sub(1)) => {
            target.trim_end_matches('/').to_owned()
        }
        _ => target.to_owned(),
    }
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
    }
}
