//! What stands in a text of Notion's and has no form in a file, kept when the text is written anew: equations and
//! the anchors of comments.

use super::html::Tag;
use super::inline::Inline;

/// Texts with more words are not searched for what is left of a commented passage.
const MAX_WORDS: usize = 60;

/// The text with the equations and anchors of `source`, wherever what they stand on is still there.
pub(super) fn over(
    written: String,
    source: &str,
    parse: fn(&str) -> Inline,
    escape: fn(&str) -> String,
) -> String {
    let with_equations = equations(written, source, escape);
    anchors(with_equations, source, parse)
}

/// A file has equations as plain text.
fn equations(mut out: String, source: &str, escape: fn(&str) -> String) -> String {
    let mut rest = source;
    while let Some(at) = rest.find('$') {
        let escaped = rest.get(..at).is_some_and(|before| before.ends_with('\\'));
        let tail = rest.get(at + 1..).unwrap_or_default();
        let end = tail.find('$').filter(|end| !escaped && *end > 0);
        let Some(equation) = end.and_then(|end| rest.get(at..at + end + 2)) else {
            rest = tail;
            continue;
        };
        out = out.replace(&escape(equation), equation);
        rest = rest.get(at + equation.len()..).unwrap_or_default();
    }
    out
}

/// Puts the anchors back on the words that they stood on, or on the most of them that are left.
fn anchors(mut out: String, source: &str, parse: fn(&str) -> Inline) -> String {
    let mut rest = source;
    while let Some(start) = rest.find("<span ") {
        let tail = rest.get(start..).unwrap_or_default();
        rest = tail.get(1..).unwrap_or_default();
        let Some(tag) = Tag::at(tail) else { continue };
        let Some(urls) = tag.attribute("discussion-urls") else { continue };
        let Some(inside) = tail.get(tag.len..).and_then(inside) else { continue };
        // Colours are written from the text itself.
        let open = format!("<span discussion-urls=\"{urls}\">");
        for passage in passages(inside) {
            if out.matches(passage).count() != 1 {
                continue;
            }
            let anchored = out.replacen(passage, &format!("{open}{passage}</span>"), 1);
            if parse(&anchored) == parse(&out) {
                out = anchored;
                break;
            }
        }
    }
    out
}

/// What stands before the closing tag.
fn inside(text: &str) -> Option<&str> {
    let mut nested = 0_usize;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('<')) {
        at += found;
        let rest = text.get(at..)?;
        if rest.starts_with("</span>") {
            if nested == 0 {
                return text.get(..at);
            }
            nested -= 1;
        } else if rest.starts_with("<span") {
            nested += 1;
        }
        at += 1;
    }
    None
}

/// The passage, then its runs of words from long to short.
fn passages(text: &str) -> Vec<&str> {
    let text = text.trim();
    let mut words: Vec<(usize, usize)> = Vec::new();
    let mut start = 0;
    for word in text.split(' ') {
        if !word.is_empty() {
            words.push((start, start + word.len()));
        }
        start += word.len() + 1;
    }
    let mut out = vec![text];
    if words.len() <= MAX_WORDS {
        for length in 1..words.len() {
            for run in words.windows(length) {
                if let (Some((start, _)), Some((_, end))) = (run.first(), run.last()) {
                    out.extend(text.get(*start..*end));
                }
            }
        }
    }
    out.retain(|passage| !passage.is_empty());
    out.sort_by_key(|passage| std::cmp::Reverse(passage.len()));
    out
}

#[cfg(test)]
mod tests {
    use super::super::{v1_inline, v2_inline};
    use super::*;

    const SOURCE: &str = "see <span discussion-urls=\"discussion://1\">the big plan</span> here";

    #[test]
    fn an_anchor_stays_on_its_words() {
        for (new, wanted) in [
            (
                "look at the big plan",
                "look at <span discussion-urls=\"discussion://1\">the big plan</span>",
            ),
            (
                "see the plan here",
                "see the <span discussion-urls=\"discussion://1\">plan</span> here",
            ),
            (
                "see the big idea",
                "see <span discussion-urls=\"discussion://1\">the big</span> idea",
            ),
            ("nothing is left", "nothing is left"),
            ("plan on plan", "plan on plan"),
        ] {
            for (parse, escape) in [
                (v1_inline::parse as fn(&str) -> Inline, v1_inline::escaped as fn(&str) -> String),
                (v2_inline::parse, v2_inline::escaped),
            ] {
                let kept = over(new.to_owned(), SOURCE, parse, escape);
                assert_eq!(kept, wanted);
                assert_eq!(parse(&kept), parse(new));
            }
        }
    }

    #[test]
    fn equations_stay_equations() {
        let escape = v2_inline::escaped as fn(&str) -> String;
        let kept = over("now \\$x\\$ costs \\$5".to_owned(), "$x$", v2_inline::parse, escape);
        assert_eq!(kept, "now $x$ costs \\$5");
    }
}
