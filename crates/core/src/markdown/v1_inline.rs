//! Inline text of Notion's v1 grammar (notion-api.md §5.2): reading and writing.

use std::collections::HashMap;

use super::html::{self, Effect, Tag, TagMarks};
use super::inline::{Inline, Marks, Piece, Run};
use super::links::Links;
use super::local_text::{image_runs, resolve};
use super::{keep, url};

/// Characters that v1 wants escaped outside of code.
const ESCAPED: &str = "\\*~`$[]<>{}|^";

/// Longest link target that is looked for; Notion takes 2,000 characters (notion-api.md §6.3).
const MAX_TARGET: usize = 2_100;

/// Reads inline text.
pub(super) fn parse(source: &str) -> Inline {
    Scanner::new(source).run()
}

/// Reads the title of a `<summary>` of a file, which is HTML.
pub(super) fn parse_html(source: &str, links: Option<&Links>) -> Inline {
    let plain = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let mut runs: Vec<Run> = Vec::new();
    let mut marks = Marks::default();
    let mut tags = TagMarks::default();
    let mut rest = source;
    while !rest.is_empty() {
        let next = rest.find('<').unwrap_or(rest.len());
        let (text, tail) = rest.split_at(next);
        runs.push(Run { piece: Piece::Text(plain(text)), marks: marks.clone() });
        let Some(tag) = Tag::at(tail) else {
            let skip = tail.chars().next().map_or(0, char::len_utf8);
            let (literal, after) = tail.split_at(skip);
            runs.push(Run { piece: Piece::Text(literal.to_owned()), marks: marks.clone() });
            rest = after;
            continue;
        };
        let (raw, after) = tail.split_at(tag.len);
        rest = after;
        if tag.name == "code"
            && !tag.closing
            && let Some((code, after)) = after.split_once("</code>")
        {
            runs.push(Run { piece: Piece::Code(plain(code)), marks: marks.clone() });
            rest = after;
            continue;
        }
        match tags.take(&tag, raw, &mut marks) {
            Effect::Mark => {}
            Effect::Break => runs.push(Run { piece: Piece::Break, marks: marks.clone() }),
            Effect::Atom(run) => runs.push(run),
            Effect::Mention(close) if after.contains(&close) => {
                let (label, after) = after.split_once(&close).unwrap_or_default();
                let piece = html::mention(&format!("{raw}{}{close}", plain(label)));
                runs.push(Run { piece, marks: marks.clone() });
                rest = after;
            }
            Effect::Literal | Effect::Mention(_) => {
                runs.push(Run { piece: Piece::Text(raw.to_owned()), marks: marks.clone() });
            }
        }
    }
    if let Some(links) = links {
        resolve(&mut runs, links);
    }
    Inline::normal(runs)
}

/// What a first pass knows, so that the second never searches in vain.
struct Scanner<'a> {
    source: &'a str,
    at: usize,
    runs: Vec<Run>,
    text: String,
    marks: Marks,
    tags: TagMarks,
    /// Closing bracket of each opening one.
    brackets: HashMap<usize, usize>,
    /// Positions of the runs of that many backticks, ascending.
    ticks: HashMap<usize, Vec<usize>>,
    /// Last unescaped `*` runs of odd length, of length two or more, last `~~`.
    last_star: usize,
    last_double: usize,
    last_tilde: usize,
    /// Where the text of the link that is open ends, and where the link ends.
    link: Option<(usize, usize)>,
}

impl<'a> Scanner<'a> {
    fn new(source: &'a str) -> Self {
        let mut scanner = Self {
            source,
            at: 0,
            runs: Vec::new(),
            text: String::new(),
            marks: Marks::default(),
            tags: TagMarks::default(),
            brackets: HashMap::new(),
            ticks: HashMap::new(),
            last_star: 0,
            last_double: 0,
            last_tilde: 0,
            link: None,
        };
        scanner.survey();
        scanner
    }

    fn run_length(&self, at: usize, byte: u8) -> usize {
        self.source
            .as_bytes()
            .get(at..)
            .map_or(0, |rest| rest.iter().take_while(|b| **b == byte).count())
    }

    /// Where the code that a run of backticks opens ends: its closing run.
    fn code_end(&self, at: usize, count: usize) -> Option<usize> {
        let runs = self.ticks.get(&count)?;
        runs.get(runs.partition_point(|run| *run < at + count)).copied()
    }

    fn survey(&mut self) {
        let bytes = self.source.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let count = self.run_length(at, b'`');
            if count > 0 {
                self.ticks.entry(count).or_default().push(at);
            }
            at += count.max(1);
        }
        let mut open = Vec::new();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                // Nothing inside of code is markup.
                b'`' => {
                    let count = self.run_length(at, b'`');
                    at = self.code_end(at, count).unwrap_or(at) + count - 1;
                }
                b'*' | b'~' => {
                    let count = self.run_length(at, *byte);
                    match byte {
                        b'~' if count >= 2 => self.last_tilde = at,
                        b'*' => {
                            if count % 2 == 1 {
                                self.last_star = at;
                            }
                            if count >= 2 {
                                self.last_double = at;
                            }
                        }
                        _ => {}
                    }
                    at += count - 1;
                }
                b'[' => open.push(at),
                b']' => {
                    if let Some(start) = open.pop() {
                        self.brackets.insert(start, at);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.runs.push(Run { piece: Piece::Text(text), marks: self.marks.clone() });
        }
    }

    fn atom(&mut self, piece: Piece) {
        self.flush();
        self.runs.push(Run { piece, marks: self.marks.clone() });
    }

    fn literal(&mut self, count: usize) {
        if let Some(text) = self.source.get(self.at..self.at + count) {
            self.text.push_str(text);
        }
        self.at += count;
    }

    fn run(mut self) -> Inline {
        while let Some(rest) = self.source.get(self.at..).filter(|rest| !rest.is_empty()) {
            if let Some((_, end)) = self.link.filter(|(close, _)| *close <= self.at) {
                self.flush();
                self.marks.link = None;
                self.link = None;
                self.at = end;
                continue;
            }
            let Some(c) = rest.chars().next() else { break };
            match c {
                '\\' => match rest.chars().nth(1).filter(char::is_ascii_punctuation) {
                    Some(next) => {
                        self.text.push(next);
                        self.at += 2;
                    }
                    None => self.literal(1),
                },
                '`' => self.code(),
                '*' => self.stars(),
                '~' if rest.starts_with("~~") => {
                    if self.marks.strike || self.last_tilde > self.at {
                        self.flush();
                        self.marks.strike = !self.marks.strike;
                        self.at += 2;
                    } else {
                        self.literal(2);
                    }
                }
                '[' => self.open_link(false),
                '!' if rest.starts_with("![") => self.open_link(true),
                '<' => self.tag(rest),
                '$' => self.math(rest),
                c => self.literal(c.len_utf8()),
            }
        }
        self.flush();
        Inline::normal(self.runs)
    }

    fn code(&mut self) {
        let count = self.run_length(self.at, b'`');
        let Some(end) = self.code_end(self.at, count) else { return self.literal(count) };
        let text = self.source.get(self.at + count..end).unwrap_or_default();
        let inner = text.strip_prefix(' ').and_then(|text| text.strip_suffix(' '));
        let text = match inner {
            Some(inner) if !inner.trim().is_empty() => inner,
            _ => text,
        };
        self.atom(Piece::Code(text.to_owned()));
        self.at = end + count;
    }

    fn stars(&mut self) {
        let count = self.run_length(self.at, b'*');
        let italic = count % 2 == 1 && (self.marks.italic || self.last_star > self.at);
        let bold = (count / 2) % 2 == 1 && (self.marks.bold || self.last_double > self.at);
        if !italic && !bold {
            return self.literal(count);
        }
        self.flush();
        self.marks.italic ^= italic;
        self.marks.bold ^= bold;
        self.at += count;
    }

    /// `[text](target)` and `![caption](target)`.
    fn open_link(&mut self, image: bool) {
        let open = self.at + usize::from(image);
        let found = self.brackets.get(&open).copied().and_then(|close| {
            let tail = self.source.get(close + 1..)?.strip_prefix('(')?;
            let mut depth = 0_usize;
            let mut escaped = false;
            let end = tail.char_indices().take(MAX_TARGET).find_map(|(n, c)| {
                match c {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    '(' => depth += 1,
                    ')' if depth == 0 => return Some(Some(n)),
                    ')' => depth -= 1,
                    // Notion escapes brackets; stopping here keeps nested openings from being read again and again.
                    '[' => return Some(None),
                    c if c.is_whitespace() => return Some(None),
                    _ => {}
                }
                None
            })??;
            Some((close, tail.get(..end)?, close + 2 + end + 1))
        });
        match found {
            Some((close, target, end)) if image && self.link.is_none() => {
                let caption = parse(self.source.get(open + 1..close).unwrap_or_default()).plain();
                self.flush();
                image_runs(&caption, &unescape(target), &self.marks, &mut self.runs);
                self.at = end;
            }
            Some((close, target, end)) if !image && self.link.is_none() => {
                self.flush();
                if close == open + 1 {
                    self.text.push_str("[](");
                    self.text.push_str(&unescape(target));
                    self.text.push(')');
                    self.at = end;
                } else {
                    self.marks.link = Some(unescape(target));
                    self.link = Some((close, end));
                    self.at = open + 1;
                }
            }
            _ => self.literal(1 + usize::from(image)),
        }
    }

    fn tag(&mut self, rest: &str) {
        let Some(tag) = Tag::at(rest) else { return self.literal(1) };
        let (raw, after) = rest.split_at(tag.len);
        let before = self.marks.clone();
        match self.tags.take(&tag, raw, &mut self.marks) {
            Effect::Literal => self.literal(tag.len),
            Effect::Break => {
                self.atom(Piece::Break);
                self.at += tag.len;
            }
            Effect::Mark => {
                let after = std::mem::replace(&mut self.marks, before);
                self.flush();
                self.marks = after;
                self.at += tag.len;
            }
            Effect::Atom(run) => {
                self.atom(run.piece);
                self.at += tag.len;
            }
            Effect::Mention(close) => match after.find(&close) {
                Some(at) => {
                    let len = tag.len + at + close.len();
                    self.atom(html::mention(rest.get(..len).unwrap_or(raw)));
                    self.at += len;
                }
                None => self.literal(tag.len),
            },
        }
    }

    /// `$x$`: in a file it is the text that it looks like, which GitHub shows as an equation.
    fn math(&mut self, rest: &str) {
        let inner = rest.get(1..).unwrap_or_default();
        let end = inner.find('$').filter(|end| {
            let text = inner.get(..*end).unwrap_or_default();
            !text.is_empty()
                && !text.ends_with('\\')
                && !text.starts_with(' ')
                && !text.ends_with(' ')
        });
        match end {
            Some(end) => self.literal(end + 2),
            None => self.literal(1),
        }
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && next.is_ascii_punctuation() => {}
            _ => out.push(c),
        }
    }
    out
}

/// Writes inline text that replaces `source`: its equations and comment anchors stay.
pub(super) fn render_over(text: &Inline, source: &str) -> String {
    keep::over(render(text), source, parse, escaped)
}

/// Literal text, as it is written.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    escape_plain(text, &mut out);
    out
}

/// Writes inline text.
pub(super) fn render(text: &Inline) -> String {
    // Marks that go on stay open around a link, so that they stand at words and not at spaces.
    let linked = text.runs().iter().any(|run| run.marks.link.is_some());
    if linked && text.runs().iter().any(|run| marks_of(&run.marks).len() > 1) {
        let out = write(text, lasting_first);
        if parse(&out) == *text {
            return out;
        }
    }
    write(text, |open, wanted, _| {
        let shared = open.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
        (shared, wanted.into_iter().skip(shared).collect())
    })
}

/// How many of the open marks go on, and which are opened inside of them: those that last longest first.
pub(super) fn lasting_first(
    open: &[Mark],
    mut wanted: Vec<Mark>,
    rest: &[Run],
) -> (usize, Vec<Mark>) {
    let shared = open.iter().take_while(|mark| wanted.contains(mark)).count();
    wanted.retain(|mark| !open.iter().take(shared).any(|open| open == mark));
    if wanted.len() > 1 {
        let lasts =
            |mark: &Mark| rest.iter().take_while(|run| marks_of(&run.marks).contains(mark)).count();
        wanted.sort_by_cached_key(|mark| std::cmp::Reverse(lasts(mark)));
    }
    (shared, wanted)
}

/// `nest` says how many of the open marks go on at a run, and which are opened.
fn write(text: &Inline, nest: impl Fn(&[Mark], Vec<Mark>, &[Run]) -> (usize, Vec<Mark>)) -> String {
    let mut out = String::new();
    let mut open: Vec<Mark> = Vec::new();
    for (n, run) in text.runs().iter().enumerate() {
        let rest = text.runs().get(n..).unwrap_or_default();
        let (shared, opened) = nest(&open, marks_of(&run.marks), rest);
        for mark in open.drain(shared..).rev() {
            mark.close(&mut out);
        }
        for mark in opened {
            mark.open(&mut out);
            open.push(mark);
        }
        match &run.piece {
            Piece::Text(text) => escape(text, &mut out),
            Piece::Code(code) => write_code(code, &mut out),
            Piece::Break => out.push_str("<br>"),
            Piece::Tag { raw, .. } => out.push_str(raw),
        }
    }
    for mark in open.drain(..).rev() {
        mark.close(&mut out);
    }
    out
}

fn escape(text: &str, out: &mut String) {
    // A bare address is no markup; escapes inside of it would end what Notion makes a link of.
    let mut rest = text;
    while let Some(at) = rest.find("http") {
        let (before, tail) = rest.split_at(at);
        escape_plain(before, out);
        let end =
            tail.find(|c: char| c.is_whitespace() || ESCAPED.contains(c)).unwrap_or(tail.len());
        let (address, after) = tail.split_at(end);
        out.push_str(address);
        rest = after;
    }
    escape_plain(rest, out);
}

fn escape_plain(text: &str, out: &mut String) {
    for c in text.chars() {
        if ESCAPED.contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Code in backticks, more of them than any run inside.
pub(super) fn write_code(code: &str, out: &mut String) {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A span that begins and ends with a space would lose both.
    let edges = code.starts_with(' ') && code.ends_with(' ') && !code.trim().is_empty();
    let pad = if code.starts_with('`') || code.ends_with('`') || edges { " " } else { "" };
    out.push_str(&fence);
    out.push_str(pad);
    out.push_str(code);
    out.push_str(pad);
    out.push_str(&fence);
}

/// A mark that is open, outermost first.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Mark {
    Link(String),
    Color(String),
    Underline,
    Bold,
    Italic,
    Strike,
}

/// The marks of a run in the order in which they are nested.
pub(super) fn marks_of(marks: &Marks) -> Vec<Mark> {
    let mut out = Vec::new();
    out.extend(marks.link.clone().map(Mark::Link));
    out.extend(marks.color.clone().map(Mark::Color));
    out.extend(marks.underline.then_some(Mark::Underline));
    // Italic outside of bold: `*` is then never closed and opened again at one place, so that a run of stars
    // has one reading only.
    out.extend(marks.italic.then_some(Mark::Italic));
    out.extend(marks.bold.then_some(Mark::Bold));
    out.extend(marks.strike.then_some(Mark::Strike));
    out
}

impl Mark {
    fn open(&self, out: &mut String) {
        match self {
            Self::Link(_) => {
                // `!` before a link would make it an image.
                if out.ends_with('!') {
                    out.pop();
                    out.push_str("\\!");
                }
                out.push('[');
            }
            Self::Color(color) => {
                out.push_str("<span color=\"");
                out.push_str(color);
                out.push_str("\">");
            }
            Self::Underline => out.push_str("<span underline=\"true\">"),
            Self::Bold => out.push_str("**"),
            Self::Italic => out.push('*'),
            Self::Strike => out.push_str("~~"),
        }
    }

    fn close(&self, out: &mut String) {
        match self {
            Self::Link(target) => {
                out.push_str("](");
                out.push_str(&link_target(target));
                out.push(')');
            }
            Self::Color(_) | Self::Underline => out.push_str("</span>"),
            other => other.open(out),
        }
    }
}

/// A target as it can stand between parentheses in both grammars.
pub(super) fn link_target(target: &str) -> String {
    debug_assert!(url::is_sendable(target), "only sendable targets are links");
    url::encoded(target).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(source: &str) -> String {
        render(&parse(source))
    }

    #[test]
    fn constructs_survive_a_round_trip() {
        for source in [
            "plain text",
            "**b** *i* ~~s~~ `code` [t](https://x.y/z)",
            "***both*** and **b*bi*b**",
            "<span underline=\"true\">u</span> <span color=\"red\">r **b**</span>",
            "a<br>b<br>c",
            "\\*not\\* \\[a\\]\\(b\\) \\<tag\\> \\{x\\} \\| \\^ \\~ \\$5",
            "<mention-user url=\"u\">Ada</mention-user> and <mention-date start=\"2026-01-01\"/>",
            "`` a`b ``",
            "snake_case_word",
            "`\\p\\` and `\\`",
            "[a `]` b](https://x.y/z)",
            "**a [b](https://x.y/z) c**",
            "~~[b](https://x.y/z) c~~",
            "word[https://x.y/z](https://x.y/z)",
            "`*` and *i*",
        ] {
            let once = round(source);
            assert_eq!(round(&once), once, "{source}");
            assert_eq!(parse(&once), parse(source), "{source}");
        }
        assert_eq!(
            round("**b** *i* ~~s~~ `code` [t](https://x.y/z)"),
            "**b** *i* ~~s~~ `code` [t](https://x.y/z)"
        );
    }

    #[test]
    fn comment_anchors_do_not_count() {
        assert_eq!(
            parse("a <span discussion-urls=\"discussion://1,discussion://2\">b</span> c"),
            parse("a b c")
        );
    }

    #[test]
    fn unclosed_markup_is_text() {
        for source in ["2 * 3", "a ~~ b", "[x", "[x](y z)", "`x", "<b", "$5", "a ** b", "\\"] {
            assert_eq!(parse(source).plain(), source);
        }
    }

    #[test]
    fn an_escaped_link_is_the_refused_link() {
        assert_eq!(parse("see \\[t\\](../a.md)"), parse("see [t](../a.md)"));
        assert_eq!(round("see [t](../a.md)"), "see \\[t\\](../a.md)");
    }
}
