//! Inline text of Notion's v2 grammar (notion-api.md §5.3): CommonMark with strikethrough and math, and a few tags.

use std::borrow::Cow;

use pulldown_cmark::{Options, Parser};

use super::html::{self, Tag};
use super::inline::{Inline, Piece, Run};
use super::local_text::{self, Found};
use super::url;
use super::v1_inline::{Mark, link_target, marks_of, write_code};

/// Where the text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Text of a block: a hard break is a backslash and a new line.
    Flow,
    /// A cell of a table in tags: a hard break is a tag.
    TagCell,
    /// A cell of a pipe table.
    PipeCell,
}

/// How marks are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Markdown,
    /// Tags, where delimiters would not be read as such.
    Tags,
}

/// What keeps a text from being read as another block; no text of ours begins with it otherwise.
const SENTINEL: &str = "x ";

/// Reads inline text. Its lines are those of one paragraph.
pub(super) fn parse(source: &str) -> Inline {
    let joined = join_lines(source);
    if joined.is_empty() {
        return Inline::default();
    }
    let mut runs = read(&format!("{SENTINEL}{}", with_literal_labels(&joined))).runs;
    if let Some(Run { piece: Piece::Text(text), .. }) = runs.first_mut() {
        *text = text.strip_prefix(SENTINEL.trim_end()).unwrap_or(text).to_owned();
    }
    Inline::normal(runs)
}

/// Caption and target of a text that is one image.
pub(super) fn image(source: &str) -> Option<(Inline, String)> {
    let source = source.trim();
    source.starts_with("![").then(|| read(source).image).flatten()
}

fn read(line: &str) -> Found {
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_MATH;
    let events: Vec<_> = Parser::new_ext(line, options).into_offset_iter().skip(1).collect();
    local_text::read(events.get(..events.len().saturating_sub(1)).unwrap_or_default(), None)
}

/// The text with the labels of its mentions escaped: they are literal, which CommonMark knows of code alone.
fn with_literal_labels(source: &str) -> Cow<'_, str> {
    if !source.contains("<mention") {
        return Cow::Borrowed(source);
    }
    let mut out = String::with_capacity(source.len() + 8);
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            '`' => code_length(rest),
            '<' => match Tag::at(rest).filter(|tag| tag.name == "mention" && !tag.self_closing) {
                Some(tag) if !tag.closing => {
                    let (tag, tail) = rest.split_at(tag.len);
                    let (label, tail) = tail.split_at(tail.find("</mention>").unwrap_or(0));
                    out.push_str(tag);
                    out.push_str(&escaped(label));
                    rest = tail;
                    continue;
                }
                _ => 1,
            },
            c => c.len_utf8(),
        };
        let (text, tail) = rest.split_at(length.min(rest.len()));
        out.push_str(text);
        rest = tail;
    }
    Cow::Owned(out)
}

/// Length of the code that a text begins with, or of its backticks where nothing closes them.
fn code_length(text: &str) -> usize {
    let ticks = |at: usize| {
        text.get(at..).map_or(0, |rest| rest.bytes().take_while(|byte| *byte == b'`').count())
    };
    let open = ticks(0);
    let mut at = open;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('`')) {
        let close = ticks(at + found);
        at += found + close;
        if close == open {
            return at;
        }
    }
    open
}

/// One line: a new line is a space, a hard break is a tag.
fn join_lines(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        let text = line.trim_start();
        let last = lines.peek().is_none();
        let slashes = text.bytes().rev().take_while(|b| *b == b'\\').count();
        let content = text.trim_end();
        if last {
            out.push_str(content);
        } else if slashes % 2 == 1 {
            out.push_str(text.get(..text.len() - 1).unwrap_or_default());
            out.push_str("<br>");
        } else if text.len() >= content.len() + 2 {
            out.push_str(content);
            out.push_str("<br>");
        } else {
            out.push_str(content);
            out.push(' ');
        }
    }
    out.trim().to_owned()
}

/// Writes inline text; lines after a hard break have no indentation.
pub(super) fn render(text: &Inline, place: Place) -> String {
    let markdown = write(text, place, Style::Markdown);
    if reads_as(&markdown, place, text) { markdown } else { write(text, place, Style::Tags) }
}

fn reads_as(written: &str, place: Place, text: &Inline) -> bool {
    let found = match place {
        Place::PipeCell => parse(&written.replace("\\|", "|")),
        _ => parse(written),
    };
    // By their keys: the label of a mention may be written differently.
    let key = |text: &Inline| {
        let mut out = String::new();
        text.write_key(&mut out);
        out
    };
    found == *text || key(&found) == key(text)
}

fn write(text: &Inline, place: Place, style: Style) -> String {
    let mut out = String::new();
    let mut open: Vec<Mark> = Vec::new();
    for run in text.runs() {
        let wanted = marks_of(&run.marks);
        let shared = open.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
        for mark in open.drain(shared..).rev() {
            close(&mark, style, &mut out);
        }
        for mark in wanted.into_iter().skip(shared) {
            start(&mark, style, &mut out);
            open.push(mark);
        }
        let mut part = String::new();
        match &run.piece {
            Piece::Text(text) => escape(text, out.chars().next_back(), &mut part),
            Piece::Code(code) => write_code(code, &mut part),
            Piece::Break if place == Place::Flow => part.push_str("\\\n"),
            Piece::Break => part.push_str("<br />"),
            Piece::Tag { raw, .. } => part.push_str(&html::modern(raw)),
        }
        out.push_str(&if place == Place::PipeCell { part.replace('|', "\\|") } else { part });
    }
    for mark in open.drain(..).rev() {
        close(&mark, style, &mut out);
    }
    out
}

fn start(mark: &Mark, style: Style, out: &mut String) {
    match (mark, style) {
        (Mark::Link(_), _) => {
            if out.ends_with('!') {
                out.pop();
                out.push_str("\\!");
            }
            out.push('[');
        }
        (Mark::Color(color), _) => out.push_str(&format!("<span color=\"{color}\">")),
        (Mark::Underline, _) => out.push_str("<u>"),
        (Mark::Bold, Style::Markdown) => out.push_str("**"),
        (Mark::Italic, Style::Markdown) => out.push('*'),
        (Mark::Strike, Style::Markdown) => out.push_str("~~"),
        (Mark::Bold, Style::Tags) => out.push_str("<b>"),
        (Mark::Italic, Style::Tags) => out.push_str("<i>"),
        (Mark::Strike, Style::Tags) => out.push_str("<s>"),
    }
}

fn close(mark: &Mark, style: Style, out: &mut String) {
    match (mark, style) {
        (Mark::Link(target), _) => {
            out.push_str("](");
            out.push_str(&url::without_entities(&link_target(target)));
            out.push(')');
        }
        (Mark::Color(_), _) => out.push_str("</span>"),
        (Mark::Underline, _) => out.push_str("</u>"),
        (mark, Style::Markdown) => start(mark, style, out),
        (Mark::Bold, Style::Tags) => out.push_str("</b>"),
        (Mark::Italic, Style::Tags) => out.push_str("</i>"),
        (Mark::Strike, Style::Tags) => out.push_str("</s>"),
    }
}

/// Literal text, as it is written.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    escape(text, None, &mut out);
    out
}

/// Escapes what would be markup. `before` is the character before the text.
fn escape(text: &str, before: Option<char>, out: &mut String) {
    let mut before = before;
    for (at, c) in text.char_indices() {
        let next = text.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let special = match c {
            '\\' => next.is_none_or(|next| next.is_ascii_punctuation()),
            '`' | '*' | '[' | ']' | '<' | '~' | '$' => true,
            // Inside of a word it is no markup.
            '_' => !(word(before) && word(next)),
            '&' => next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '#'),
            _ => false,
        };
        // An ampersand in an address begins no entity.
        let plain =
            c == '&' && text.get(at..).and_then(|rest| rest.find(';')).is_none_or(|end| end > 33);
        if special && !plain {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
}

#[cfg(test)]
mod tests {
    use super::super::inline::Marks;
    use super::*;

    fn plain() -> Marks {
        Marks::default()
    }

    fn round(source: &str) -> String {
        render(&parse(source), Place::Flow)
    }

    #[test]
    fn constructs_survive_a_round_trip() {
        for source in [
            "plain text",
            "**b** *i* ~~s~~ `code` [t](https://x.y/z)",
            "<u>u</u> <span color=\"red\">r **b**</span>",
            "a\\\nb\\\nc",
            "\\*not\\* \\[a\\](b) \\<tag> {x} | ^ \\~ \\$5",
            "<mention url=\"user://u\">Ada</mention> and <date start=\"2026-01-01\" start-time=\"09:00\" time-zone=\"Europe/Berlin\"/>",
            "<mention url=\"https://app.notion.com/p/x\" type=\"database\">D</mention>",
            "<mention url=\"collection://c\">S</mention> <mention url=\"agent://a\">A</mention>",
            "``a`b``",
            "snake_case_word :smile:",
        ] {
            assert_eq!(round(source), source);
        }
    }

    #[test]
    fn equations_are_the_text_that_they_look_like() {
        assert_eq!(parse("let $x_1*y*$ be").plain(), "let $x_1*y*$ be");
        assert_eq!(parse("it costs \\$5 and $6").plain(), "it costs $5 and $6");
    }

    #[test]
    fn marks_that_delimiters_cannot_carry_are_tags() {
        let bold = Marks { bold: true, ..plain() };
        let runs = [("a.", bold), ("b", plain())]
            .map(|(text, marks)| Run { piece: Piece::Text(text.to_owned()), marks });
        let text = Inline::normal(runs.to_vec());
        assert_eq!(render(&text, Place::Flow), "<b>a.</b>b");
        assert_eq!(parse("<b>a.</b>b"), text);
    }

    #[test]
    fn unclosed_markup_is_text() {
        for source in ["2 * 3", "a ~ b", "[x", "[x](y z)", "`x", "<b", "$5", "a ** b", "\\"] {
            assert_eq!(parse(source).plain(), source);
        }
    }
}
