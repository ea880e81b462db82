//! Inline Markdown v2: reading it.

use crate::error::ApiResult;
use crate::ids;
use crate::markdown::inline::link_target;
use crate::markdown::tag::{self, Tag};
use crate::markdown::v2::emphasis::{self, Delimiter};
use crate::rich::{Color, Content, Mention, RichText, Span, check_link, custom_emoji, merged};

/// An opened tag or bracket that is not closed yet. Until then its own text stands in the output at `at`.
struct Open {
    at: usize,
    /// Runs of marks before it.
    runs: usize,
    mark: Mark,
}

#[derive(Clone, PartialEq)]
enum Mark {
    Link,
    Bold,
    Italic,
    Strike,
    Underline,
    Span { color: Option<Color>, discussions: Vec<String> },
}

impl Mark {
    fn tag(&self) -> &'static str {
        match self {
            Self::Link => "",
            Self::Bold => "b",
            Self::Italic => "i",
            Self::Strike => "s",
            Self::Underline => "u",
            Self::Span { .. } => "span",
        }
    }
}

/// Reads inline Markdown, line breaks included. Fails only for link targets that Notion refuses.
pub(crate) fn parse(text: &str) -> ApiResult<RichText> {
    let mut reader = Reader { text, at: 0, out: Vec::new(), open: Vec::new(), runs: Vec::new() };
    while reader.at < text.len() {
        reader.step()?;
    }
    emphasis::resolve(&mut reader.out, &mut reader.runs, 0);
    Ok(merged(reader.out))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    out: RichText,
    open: Vec<Open>,
    runs: Vec<Delimiter>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn literal(&mut self, text: &str) {
        self.out.push(Span::text(text));
    }

    /// Takes so many bytes as text.
    fn take(&mut self, bytes: usize) {
        let piece = self.rest().get(..bytes).unwrap_or_default();
        self.literal(piece);
        self.at += bytes;
    }

    fn step(&mut self) -> ApiResult<()> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(()) };
        match first {
            '\\' => self.escape(rest),
            '\n' => self.soft_break(),
            '`' => self.code(rest),
            '$' => self.equation(rest),
            '*' | '_' | '~' => self.run(rest, first),
            '[' => self.open_mark(Mark::Link, 1),
            ']' => self.link(rest)?,
            '<' => self.tag(rest),
            '&' => self.entity(rest),
            ':' => self.emoji(rest),
            _ => {
                let end = rest
                    .char_indices()
                    .skip(1)
                    .find(|(_, c)| "\\\n`$*_~[]<&:".contains(*c))
                    .map_or(rest.len(), |(at, _)| at);
                self.take(end);
            }
        }
        Ok(())
    }

    fn escape(&mut self, rest: &str) {
        match rest.chars().nth(1) {
            Some('\n') => {
                self.literal("\n");
                self.at += 2;
                self.skip_indent();
            }
            Some(c) if c.is_ascii_punctuation() => {
                self.literal(c.encode_utf8(&mut [0; 4]));
                self.at += 2;
            }
            _ => self.take(1),
        }
    }

    /// A bare line break is a space; after two spaces it is a break.
    fn soft_break(&mut self) {
        let before = self.text.get(..self.at).unwrap_or_default();
        let hard = before.ends_with("  ");
        if let Some(Content::Text(text)) = self.out.last_mut().map(|span| &mut span.content) {
            text.truncate(text.trim_end_matches(' ').len());
        }
        self.literal(if hard { "\n" } else { " " });
        self.at += 1;
        self.skip_indent();
    }

    fn skip_indent(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn code(&mut self, rest: &str) {
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let inside = &rest[ticks..];
        let mut from = 0;
        while let Some(found) = inside[from..].find('`').map(|at| at + from) {
            let run = inside[found..].len() - inside[found..].trim_start_matches('`').len();
            if run == ticks {
                let content = inside[..found].replace('\n', " ");
                let padded = content.len() > 2
                    && content.starts_with(' ')
                    && content.ends_with(' ')
                    && !content.trim().is_empty();
                let content =
                    if padded { &content[1..content.len() - 1] } else { content.as_str() };
                let mut span = Span::text(content);
                span.style.code = true;
                self.out.push(span);
                self.at += ticks + found + run;
                return;
            }
            from = found + run;
        }
        self.take(ticks);
    }

    /// `$expression$` without white space next to the dollars, so that sums of money stay text.
    fn equation(&mut self, rest: &str) {
        let inside = &rest[1..];
        if let Some(end) = inside.find('$') {
            let (expression, after) = (&inside[..end], &inside[end + 1..]);
            let tight = !expression.is_empty()
                && !expression.contains('\n')
                && !expression.starts_with(char::is_whitespace)
                && !expression.ends_with(char::is_whitespace)
                && !expression.ends_with('\\');
            if tight && !after.starts_with(|c: char| c.is_ascii_digit() || c == '$') {
                self.out.push(Span::of(Content::Equation(expression.to_owned())));
                self.at += end + 2;
                return;
            }
        }
        self.take(1);
    }

    fn run(&mut self, rest: &str, mark: char) {
        let length = rest.len() - rest.trim_start_matches(mark).len();
        let before =
            self.text.get(..self.at).and_then(|text| text.chars().next_back()).unwrap_or(' ');
        let after = rest[length..].chars().next().unwrap_or(' ');
        self.runs.push(Delimiter::new(self.out.len(), mark, length, before, after));
        self.take(length);
    }

    fn open_mark(&mut self, mark: Mark, bytes: usize) {
        self.open.push(Open { at: self.out.len(), runs: self.runs.len(), mark });
        self.take(bytes);
    }

    /// Closes the innermost mark that fits; marks opened inside it stay text. Gives its spans.
    fn close(&mut self, fits: impl Fn(&Mark) -> bool) -> Option<(usize, Mark)> {
        let n = self.open.iter().rposition(|open| fits(&open.mark))?;
        let open = self.open.drain(n..).next()?;
        emphasis::resolve(&mut self.out, &mut self.runs, open.runs);
        if let Some(placeholder) = self.out.get_mut(open.at) {
            placeholder.content = Content::Text(String::new());
        }
        Some((open.at, open.mark))
    }

    fn link(&mut self, rest: &str) -> ApiResult<()> {
        let opened = self.open.iter().any(|open| open.mark == Mark::Link);
        let target = if opened { link_target(&rest[1..]) } else { None };
        let Some((url, after)) = target else {
            if let Some(n) = self.open.iter().rposition(|open| open.mark == Mark::Link) {
                self.open.remove(n);
            }
            self.take(1);
            return Ok(());
        };
        check_link(url)?;
        if let Some((at, _)) = self.close(|mark| *mark == Mark::Link) {
            for span in self.out.iter_mut().skip(at) {
                span.link = Some(url.to_owned());
            }
            // A link holds no other link.
            self.open.retain(|open| open.mark != Mark::Link);
        }
        self.at += rest.len() - after.len();
        Ok(())
    }

    fn tag(&mut self, rest: &str) {
        for line_break in ["<br />", "<br/>", "<br>"] {
            if rest.starts_with(line_break) {
                self.literal("\n");
                self.at += line_break.len();
                return;
            }
        }
        if let Some(name) = rest.strip_prefix("</").and_then(|rest| rest.split('>').next())
            && let Some((at, mark)) = self.close(|mark| mark.tag() == name && !name.is_empty())
        {
            for span in self.out.iter_mut().skip(at) {
                apply(span, &mark);
            }
            self.at += name.len() + 3;
            return;
        }
        if let Some((tag, after)) = tag::read(rest) {
            let length = rest.len() - after.len();
            if let Some(mark) = mark_of(&tag).filter(|_| !tag.closed) {
                self.open_mark(mark, length);
                return;
            }
            if let Some(mention) = mention(&tag) {
                let closing = format!("</{}>", tag.name);
                let end = if tag.closed {
                    Some(length)
                } else {
                    after.find(&closing).map(|at| length + at + closing.len())
                };
                if let Some(end) = end {
                    self.out.push(Span::of(Content::Mention(mention)));
                    self.at += end;
                    return;
                }
            }
        }
        self.autolink(rest);
    }

    /// `<https://example.com>`.
    fn autolink(&mut self, rest: &str) {
        let url = rest.get(1..).and_then(|inside| inside.split_once('>')).map(|(url, _)| url);
        match url.filter(|url| crate::rich::is_absolute(url) && !url.contains('<')) {
            Some(url) => {
                let mut span = Span::text(url);
                span.link = Some(url.to_owned());
                self.out.push(span);
                self.at += url.len() + 2;
            }
            None => self.take(1),
        }
    }

    fn entity(&mut self, rest: &str) {
        match entity(rest) {
            Some((c, length)) => {
                self.literal(c.encode_utf8(&mut [0; 4]));
                self.at += length;
            }
            None => self.take(1),
        }
    }

    /// `:name:` of a custom emoji that the workspace has; any other is text.
    fn emoji(&mut self, rest: &str) {
        let name = rest.get(1..).and_then(|inside| inside.split_once(':')).map(|(name, _)| name);
        match name.and_then(custom_emoji) {
            Some(mention) => {
                self.out.push(Span::of(Content::Mention(mention)));
                self.at += name.unwrap_or_default().len() + 2;
            }
            None => self.take(1),
        }
    }
}

/// The character that `&…;` at the begin of a text means, and the length of it.
pub(super) fn entity(text: &str) -> Option<(char, usize)> {
    let name = text.strip_prefix('&')?.split_once(';')?.0;
    let c = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| *c != '\0')?
        }
    };
    Some((c, name.len() + 2))
}

fn apply(span: &mut Span, mark: &Mark) {
    match mark {
        Mark::Link => {}
        Mark::Bold => span.style.bold = true,
        Mark::Italic => span.style.italic = true,
        Mark::Strike => span.style.strike = true,
        Mark::Underline => span.style.underline = true,
        Mark::Span { color, discussions } => {
            if let Some(color) = color {
                span.style.color = *color;
            }
            span.discussions.extend(discussions.iter().cloned());
        }
    }
}

fn mark_of(tag: &Tag<'_>) -> Option<Mark> {
    match tag.name {
        "b" => Some(Mark::Bold),
        "i" => Some(Mark::Italic),
        "s" => Some(Mark::Strike),
        "u" => Some(Mark::Underline),
        "span" => Some(Mark::Span {
            color: tag.get("color").and_then(Color::from_markdown),
            discussions: tag
                .get("discussion-urls")
                .map(|urls| urls.split(',').filter_map(ids::uuid_of_url).collect())
                .unwrap_or_default(),
        }),
        _ => None,
    }
}

fn mention(tag: &Tag<'_>) -> Option<Mention> {
    match tag.name {
        "mention" => {
            let url = tag.get("url")?;
            match url.split_once("://")?.0 {
                "user" => Some(Mention::User(ids::uuid_of_url(url)?)),
                "collection" => Some(Mention::DataSource(ids::uuid_of_url(url)?)),
                "agent" => Some(Mention::Agent(url.to_owned())),
                "https" | "http" => {
                    let id = ids::uuid_of_url(url)?;
                    Some(match tag.get("type") {
                        Some("database") => Mention::Database(id),
                        _ => Mention::Page(id),
                    })
                }
                _ => None,
            }
        }
        "date" => {
            let with_time = |date: &str, time: &str| match tag.get(time) {
                Some(time) => format!("{date}T{time}"),
                None => date.to_owned(),
            };
            Some(Mention::Date {
                start: with_time(tag.get("start")?, "start-time"),
                end: tag.get("end").map(|end| with_time(end, "end-time")),
                time_zone: tag.get("time-zone").map(str::to_owned),
            })
        }
        _ => None,
    }
}
