//! What stands in a text of Notion's and has no form in a file, kept when the text is written anew: equations and
//! the anchors of comments.

use super::dialect::Dialect;
use super::html::Tag;
use super::inline::Inline;
use super::{v1_inline, v2_inline};

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
    anchors(with_equations, source, &|a, b| parse(a) == parse(b))
}

/// As [`over`], for the lines of a block that holds others.
pub(super) fn over_blocks(written: String, source: &str, dialect: Dialect) -> String {
    if !source.contains(['$', '<']) || written.contains("discussion-urls=") {
        return written;
    }
    let same = |a: &str, b: &str| {
        let keys = |text| dialect.parse(text).into_iter().map(|unit| unit.key).collect::<Vec<_>>();
        keys(a) == keys(b)
    };
    let escape = match dialect {
        Dialect::NotionV1 => v1_inline::escaped,
        Dialect::NotionV2 => v2_inline::escaped,
        // What a file holds and what the store holds are the same.
        Dialect::Markdown => return written,
    };
    let with_equations = equations(written.clone(), source, escape);
    let written = if same(&with_equations, &written) { with_equations } else { written };
    anchors(written, source, &same)
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
fn anchors(mut out: String, source: &str, same: &dyn Fn(&str, &str) -> bool) -> String {
    let mut rest = source;
    while let Some(start) = rest.find("<span ") {
        let tail = rest.get(start..).unwrap_or_default();
        rest = tail.get(1..).unwrap_or_default();
        let Some(tag) = Tag::at(tail) else { continue };
        let Some(urls) = tag.attribute("discussion-urls") else { continue };
        let Some(inside) = tail.get(tag.len..).and_then(inside) else { continue };
        // Colours are written from the text itself.
        let open = format!("<span discussion-urls=\"{urls}\">");
        let before = source.get(..start).unwrap_or_default();
        for passage in passages(inside) {
            // Words that stand there several times are told apart by their order, where none came or went.
            let places: Vec<usize> = out.match_indices(passage).map(|(at, _)| at).collect();
            let nth = match places.len() {
                1 => 0,
                n if passage == inside.trim() && n == source.matches(passage).count() => {
                    before.matches(passage).count()
                }
                _ => continue,
            };
            let Some((head, rest)) = places.get(nth).and_then(|at| out.split_at_checked(*at))
            else {
                continue;
            };
            let rest = rest.get(passage.len()..).unwrap_or_default();
            let anchored = format!("{head}{open}{passage}</span>{rest}");
            if same(&anchored, &out) {
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
    fn the_same_words_are_told_apart_by_their_order() {
        let source = "a plan, <span discussion-urls=\"discussion://1\">a plan</span> is";
        for (new, wanted) in [
            (
                "a plan, a plan was",
                "a plan, <span discussion-urls=\"discussion://1\">a plan</span> was",
            ),
            ("a plan, a plan, a plan", "a plan, a plan, a plan"),
        ] {
            let kept = over(new.to_owned(), source, v1_inline::parse, v1_inline::escaped);
            assert_eq!(kept, wanted);
        }
    }

    #[test]
    fn an_anchor_stays_inside_of_blocks_that_hold_others() {
        const OPEN: &str = "<span discussion-urls=\"discussion://1\">";
        for (dialect, shape) in [
            (Dialect::NotionV1, "> Our @ $x$"),
            (Dialect::NotionV1, "> First\n\t- our @ $x$"),
            (Dialect::NotionV1, "<callout icon=\"🎯\">\n\tOur @ $x$\n</callout>"),
            (Dialect::NotionV1, "<details>\n<summary>Our @ $x$</summary>\n\tText\n</details>"),
            (Dialect::NotionV1, "<details>\n<summary>T</summary>\n\tOur @ $x$\n</details>"),
            (Dialect::NotionV2, "> Our @ $x$"),
            (Dialect::NotionV2, "<callout icon=\"🎯\">\nOur @ $x$\n</callout>"),
        ] {
            let wanted = shape.replace('@', &format!("{OPEN}plan</span>"));
            let source = wanted.replace("ur ", "UR ");
            let [old, new] = [&source, &wanted].map(|text| dialect.parse(text));
            let written = dialect.unit(
                &new[0].node,
                0,
                Some((&old[0], &source)),
                super::super::dialect::Form::default(),
            );
            assert_eq!(written, wanted);
        }
    }

    #[test]
    fn equations_stay_equations() {
        let escape = v2_inline::escaped as fn(&str) -> String;
        let kept = over("now \\$x\\$ costs \\$5".to_owned(), "$x$", v2_inline::parse, escape);
        assert_eq!(kept, "now $x$ costs \\$5");
    }
}
