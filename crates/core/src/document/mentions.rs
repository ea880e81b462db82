//! What the text of a file says beside its properties: ids that it mentions, and rules that it allows to be broken.

use std::ops::Range;
use std::sync::LazyLock;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

use super::outline::{Outline, bom, line_number};
use crate::kind::Format;

/// An id in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The id.
    pub id: String,
    /// Line, from 1.
    pub line: usize,
    /// What the text says of it.
    pub role: Role,
}

/// What a text says of an artifact that it mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing that is understood here.
    Named,
    /// This artifact takes its place.
    Supersedes,
    /// It takes this artifact's place.
    SupersededBy,
}

/// A rule that a file may break: `<!-- agent-sync: allow RULE reason -->`, in YAML `# agent-sync: allow RULE reason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Name of the rule.
    pub rule: String,
    /// Why; never empty.
    pub reason: String,
    /// Line of the comment, from 1.
    pub line: usize,
}

static COMMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?s)<!--\s*agent-sync:\s*allow\s+([a-z][a-z-]*)\s+(\S.*?)\s*-->").ok()
});

static KEY_COMMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?m)^[ \t]*#[ \t]*agent-sync:[ \t]*allow[ \t]+([a-z][a-z-]*)[ \t]+(\S.*?)[ \t\r]*$",
    )
    .ok()
});

static SUPERSEDE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(supersedes|replaces|superseded\s+by|replaced\s+by)\b:?").ok()
});

/// Stands for what is no text, so that the words around it do not run into each other.
const OTHER: &str = "\u{fffc}";

/// The ids that a text mentions, in order: whole words outside of code, comments, front matter, addresses and the
/// ranges that hold properties. `ids` match ids anywhere in a text.
pub fn mentions(
    text: &str,
    excluded: &[Range<usize>],
    format: Format,
    ids: &[Regex],
) -> Vec<Mention> {
    let mut found = Vec::new();
    match format {
        Format::Yaml => {
            let mut at = 0;
            for line in text.split_inclusive('\n') {
                let own = !line.trim_start().starts_with('#')
                    && !excluded.iter().any(|out| out.contains(&at));
                if own {
                    in_part(line, &[(0, at)], text, ids, &mut found);
                }
                at += line.len();
            }
        }
        Format::Markdown => in_markdown(text, excluded, ids, &mut found),
    }
    found
}

fn in_markdown(text: &str, excluded: &[Range<usize>], ids: &[Regex], found: &mut Vec<Mention>) {
    let start = Outline::of(text).start;
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_STRIKETHROUGH;
    // The text of one block, with where each piece of it stands in the file.
    let (mut part, mut places) = (String::new(), Vec::new());
    let mut code = 0_usize;
    for (event, span) in Parser::new_ext(&text[start..], options).into_offset_iter() {
        let at = span.start + start;
        match event {
            Event::Text(piece) => {
                if code == 0 && !excluded.iter().any(|out| out.contains(&at)) {
                    places.push((part.len(), at));
                    part.push_str(&piece);
                }
            }
            Event::SoftBreak | Event::HardBreak => part.push(' '),
            Event::Start(tag) => {
                if matches!(tag, Tag::CodeBlock(_)) {
                    code += 1;
                }
                if !is_inline(&tag.to_end()) {
                    in_part(
                        &std::mem::take(&mut part),
                        &std::mem::take(&mut places),
                        text,
                        ids,
                        found,
                    );
                }
            }
            Event::End(tag) => {
                if tag == TagEnd::CodeBlock {
                    code = code.saturating_sub(1);
                }
                if !is_inline(&tag) {
                    in_part(
                        &std::mem::take(&mut part),
                        &std::mem::take(&mut places),
                        text,
                        ids,
                        found,
                    );
                }
            }
            _ => part.push_str(OTHER),
        }
    }
    in_part(&part, &places, text, ids, found);
}

fn is_inline(tag: &TagEnd) -> bool {
    matches!(
        tag,
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image
    )
}

/// The ids in a piece of running text.
fn in_part(
    part: &str,
    places: &[(usize, usize)],
    text: &str,
    ids: &[Regex],
    found: &mut Vec<Mention>,
) {
    let mut spans: Vec<Range<usize>> = ids
        .iter()
        .flat_map(|id| id.find_iter(part))
        .map(|id| id.range())
        .filter(|span| is_word(part, span))
        .collect();
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let mut end = 0;
    for span in spans {
        if span.start < end {
            continue;
        }
        end = span.end;
        let place = places.iter().rev().find(|(offset, _)| *offset <= span.start);
        let at = place.map_or(0, |(offset, at)| at + span.start - offset);
        found.push(Mention {
            id: part[span.clone()].to_owned(),
            line: line_number(text, at),
            role: role(&part[..span.start]),
        });
    }
}

/// Whether what was found stands for itself: not within a word, an address or the name of a file. Numbers alone are
/// no ids to anybody who reads them.
fn is_word(part: &str, span: &Range<usize>) -> bool {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '\\' | '#' | '@');
    let before = part[..span.start].chars().next_back();
    let mut after = part[span.end..].chars();
    let (next, second) = (after.next(), after.next());
    let dotted = matches!(next, Some('.' | ':')) && second.is_some_and(char::is_alphanumeric);
    part[span.clone()].contains(char::is_alphabetic)
        && !before.is_some_and(|c| word(c) || c == '.')
        && !next.is_some_and(word)
        && !dotted
}

/// What the words before an id say of it: `Supersedes ADR-1, ADR-2 and ADR-3`.
fn role(before: &str) -> Role {
    let sentence = before.rsplit(['.', ';', '!', '?']).next().unwrap_or_default();
    let Some(found) = SUPERSEDE.as_ref().and_then(|words| words.find_iter(sentence).last()) else {
        return Role::Named;
    };
    let named = |word: &str| word.contains(|c: char| c.is_ascii_digit());
    let between = &sentence[found.end()..];
    let listed = between
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '&' | '(' | '[' | ':' | '*'))
        .filter(|word| !word.is_empty())
        .all(|word| word == "and" || named(word));
    // Of another artifact it says nothing about this one.
    let own = !sentence[..found.start()].split_whitespace().any(named);
    match (listed && own, found.as_str().to_lowercase().contains("by")) {
        (false, _) => Role::Named,
        (true, true) => Role::SupersededBy,
        (true, false) => Role::Supersedes,
    }
}

/// The rules that a file allows to be broken, with reasons; a comment without one allows nothing.
pub fn allowed(text: &str, format: Format) -> Vec<Allowed> {
    // Nearly every file allows nothing, and every file is asked.
    if !text.contains("agent-sync:") {
        return Vec::new();
    }
    let read = |regex: &Option<Regex>, within: Range<usize>, found: &mut Vec<Allowed>| {
        let part = &text[within.clone()];
        let captures = regex.iter().flat_map(|regex| regex.captures_iter(part));
        found.extend(captures.filter_map(|comment| {
            let (whole, rule, reason) = (comment.get(0)?, comment.get(1)?, comment.get(2)?);
            let shift = whole.as_str().len() - whole.as_str().trim_start().len();
            Some(Allowed {
                rule: rule.as_str().to_owned(),
                reason: reason.as_str().split_whitespace().collect::<Vec<_>>().join(" "),
                line: line_number(text, within.start + whole.start() + shift),
            })
        }));
    };
    let mut found = Vec::new();
    match format {
        Format::Yaml => read(&KEY_COMMENT, bom(text)..text.len(), &mut found),
        Format::Markdown => {
            let outline = Outline::of(text);
            read(&KEY_COMMENT, outline.front_inner.clone(), &mut found);
            let start = outline.start;
            let parser = Parser::new_ext(&text[start..], Options::ENABLE_TABLES).into_offset_iter();
            for (event, span) in parser {
                let at = span.start + start..span.end + start;
                if matches!(event, Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_)) {
                    read(&COMMENT, at, &mut found);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Vec<Regex> {
        [r"[A-Z]+-\d+", r"(ADR|EXC)-\d+"].iter().filter_map(|id| Regex::new(id).ok()).collect()
    }

    fn named(text: &str) -> Vec<(String, usize)> {
        let found = mentions(text, &[], Format::Markdown, &ids());
        found.into_iter().map(|mention| (mention.id, mention.line)).collect()
    }

    fn roles(text: &str) -> Vec<Role> {
        mentions(text, &[], Format::Markdown, &ids()).into_iter().map(|found| found.role).collect()
    }

    #[test]
    fn whole_ids_in_running_text_are_mentions() {
        let text = "---\nrefs: ADR-9\n---\n\nSee ADR-1, **ADR-2** and\n[ADR-3](x.md).\n\n- (ADR-4)\n\n| a |\n|---|\n| ADR-5: x |\n";
        let want = [("ADR-1", 5), ("ADR-2", 5), ("ADR-3", 6), ("ADR-4", 8), ("ADR-5", 12)];
        let found = named(text);
        let found: Vec<(&str, usize)> = found.iter().map(|(id, n)| (id.as_str(), *n)).collect();
        assert_eq!(found, want);
    }

    #[test]
    fn what_only_looks_like_an_id_is_none() {
        for text in [
            "`ADR-1`",
            "```\nADR-1\n```",
            "    ADR-1",
            "<!-- ADR-1 -->",
            "x/ADR-1",
            "ADR-1.md",
            "ADR-1-sign-releases",
            "XADR-1x",
            "#ADR-1",
            "<https://example.com/ADR-1>",
            "<a name=\"ADR-1\">",
        ] {
            assert_eq!(named(text), [], "{text}");
        }
        assert_eq!(named("So says ADR-1."), [("ADR-1".to_owned(), 1)]);
        let number = Regex::new(r"\d+").unwrap();
        assert_eq!(mentions("In 2026.", &[], Format::Markdown, &[number]), []);
    }

    #[test]
    fn ranges_of_properties_mention_nothing() {
        let text = "## Linked ADRs\n\n- ADR-1\n\n## Why\n\nADR-2\n";
        let excluded = std::iter::once(0..25).collect::<Vec<_>>();
        let found = mentions(text, &excluded, Format::Markdown, &ids());
        assert_eq!(found.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(), ["ADR-2"]);
        let yaml = "title: x\n# ADR-1\nsteps:\n  - as ADR-2 says\n";
        let found =
            mentions(yaml, &std::iter::once(0..9).collect::<Vec<_>>(), Format::Yaml, &ids());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].id.as_str(), found[0].line), ("ADR-2", 4));
    }

    #[test]
    fn a_text_says_what_it_supersedes() {
        use Role::{Named, SupersededBy, Supersedes};
        assert_eq!(
            roles("This supersedes ADR-1, [ADR-2](x) and ADR-3, unlike ADR-4."),
            [Supersedes, Supersedes, Supersedes, Named]
        );
        assert_eq!(roles("Superseded by: **ADR-1**."), [SupersededBy]);
        assert_eq!(roles("ADR-1 replaces ADR-2. ADR-3."), [Named, Named, Named]);
        assert_eq!(roles("Replaces the rules of ADR-1."), [Named]);
    }

    #[test]
    fn a_comment_with_a_reason_allows_a_rule() {
        let text = "---\n# agent-sync: allow missing-field not yet\na: b\n---\n# T\n\nx <!-- agent-sync: allow orphan-story\n  a spike --> y\n\n<!-- agent-sync: allow stale-status -->\n\n```\n<!-- agent-sync: allow diverged quoted -->\n```\n";
        let found = allowed(text, Format::Markdown);
        let found: Vec<_> =
            found.iter().map(|one| (one.rule.as_str(), one.reason.as_str(), one.line)).collect();
        assert_eq!(found, [("missing-field", "not yet", 2), ("orphan-story", "a spike", 7)]);
        let found = allowed("a: b\n# agent-sync: allow diverged why not\n", Format::Yaml);
        assert_eq!((found.len(), found[0].line), (1, 2));
    }
}
