//! Inline Markdown v1 (notion-api.md 5.2): reading it.

use crate::error::ApiResult;
use crate::ids;
use crate::markdown::tag::{self, Tag};
use crate::rich::{Color, Content, Mention, RichText, Span, check_link, custom_emoji, merged};

/// An opened mark that is not closed yet. Until then its own text stands in the output at `at`.
struct Open {
    at: usize,
    mark: Mark,
}

#[derive(Clone, PartialEq)]
enum Mark {
    Bold,
    Italic,
    Strike,
    Link,
    Styled { underline: bool, color: Option<Color>, discussions: Vec<String> },
}

/// Reads one line of inline Markdown. Fails only for link targets that Notion refuses.
pub(crate) fn parse(text: &str) -> ApiResult<RichText> {
    let mut reader = Reader { out: Vec::new(), open: Vec::new() };
    let mut rest = text;
    while !rest.is_empty() {
        rest = reader.step(rest)?;
    }
    Ok(merged(reader.out))
}

struct Reader {
    out: RichText,
    open: Vec<Open>,
}

impl Reader {
    /// Takes the next piece of the text and gives what is left.
    fn step<'a>(&mut self, text: &'a str) -> ApiResult<&'a str> {
        let mut chars = text.chars();
        let Some(first) = chars.next() else { return Ok("") };
        let rest = chars.as_str();
        match first {
            '\\' => {
                if let Some(escaped) = rest.chars().next().filter(char::is_ascii_punctuation) {
                    self.literal(escaped.encode_utf8(&mut [0; 4]));
                    return Ok(&rest[1..]);
                }
                self.literal("\\");
                Ok(rest)
            }
            '`' => Ok(self.code(text)),
            '$' => Ok(self.equation(text)),
            '*' => Ok(self.stars(text)),
            '~' if rest.starts_with('~') => {
                let rest = &rest[1..];
                self.toggle(Mark::Strike, "~~", rest);
                Ok(rest)
            }
            '[' => {
                self.open_mark(Mark::Link, "[");
                Ok(rest)
            }
            ']' => self.link(rest),
            '<' => Ok(self.tag(text)),
            ':' => {
                let name = rest.split_once(':').map(|(name, _)| name);
                let Some(mention) = name.and_then(custom_emoji) else {
                    self.literal(":");
                    return Ok(rest);
                };
                self.out.push(Span::of(Content::Mention(mention)));
                Ok(&rest[name.map_or(0, |name| name.len() + 1)..])
            }
            _ => {
                let end = rest
                    .find(['\\', '`', '$', '*', '~', '[', ']', '<', ':'])
                    .map_or(text.len(), |at| at + first.len_utf8());
                self.literal(&text[..end]);
                Ok(&text[end..])
            }
        }
    }

    fn literal(&mut self, text: &str) {
        self.out.push(Span::text(text));
    }

    fn open_mark(&mut self, mark: Mark, text: &str) {
        self.open.push(Open { at: self.out.len(), mark });
        self.literal(text);
    }

    /// Closes the innermost mark that fits. Others stay open: extents may overlap.
    fn close_mark(&mut self, fits: impl Fn(&Mark) -> bool) -> Option<(usize, Mark)> {
        let n = self.open.iter().rposition(|open| fits(&open.mark))?;
        let open = self.open.remove(n);
        if let Some(placeholder) = self.out.get_mut(open.at) {
            placeholder.content = Content::Text(String::new());
        }
        Some((open.at, open.mark))
    }

    fn spans_from(&mut self, at: usize) -> impl Iterator<Item = &mut Span> {
        self.out.iter_mut().skip(at)
    }

    /// Closes the mark if it is open; else opens it, unless white space follows.
    fn toggle(&mut self, mark: Mark, text: &str, rest: &str) {
        if let Some((at, mark)) = self.close_mark(|open| *open == mark) {
            for span in self.spans_from(at) {
                match mark {
                    Mark::Bold => span.style.bold = true,
                    Mark::Italic => span.style.italic = true,
                    _ => span.style.strike = true,
                }
            }
        } else if rest.starts_with(|c: char| !c.is_whitespace()) {
            self.open_mark(mark, text);
        } else {
            self.literal(text);
        }
    }

    /// A run of stars: an odd one toggles italic, and each pair of pairs cancels out.
    fn stars<'a>(&mut self, text: &'a str) -> &'a str {
        let count = text.len() - text.trim_start_matches('*').len();
        let (run, rest) = text.split_at(count);
        let (italic, bold) = (count % 2 == 1, (count / 2) % 2 == 1);
        if !italic && !bold {
            self.literal(run);
        }
        if bold {
            self.toggle(Mark::Bold, "**", rest);
        }
        if italic {
            self.toggle(Mark::Italic, "*", rest);
        }
        rest
    }

    fn code<'a>(&mut self, text: &'a str) -> &'a str {
        let ticks = text.len() - text.trim_start_matches('`').len();
        let (fence, rest) = text.split_at(ticks);
        let mut from = 0;
        while let Some(found) = rest[from..].find('`').map(|at| at + from) {
            let run = rest[found..].len() - rest[found..].trim_start_matches('`').len();
            if run == ticks {
                let mut content = &rest[..found];
                if content.len() > 2
                    && content.starts_with(' ')
                    && content.ends_with(' ')
                    && content.trim() != ""
                {
                    content = &content[1..content.len() - 1];
                }
                let mut span = Span::text(content);
                span.style.code = true;
                self.out.push(span);
                return &rest[found + run..];
            }
            from = found + run;
        }
        self.literal(fence);
        rest
    }

    /// `$expression$`: no white space inside next to the dollars and no digit after the second one, so that sums of
    /// money stay text.
    fn equation<'a>(&mut self, text: &'a str) -> &'a str {
        let rest = &text[1..];
        if let Some(end) = rest.find('$') {
            let (inside, after) = (&rest[..end], &rest[end + 1..]);
            let tight = !inside.is_empty()
                && !inside.starts_with(char::is_whitespace)
                && !inside.ends_with(char::is_whitespace)
                && !inside.ends_with('\\');
            if tight && !after.starts_with(|c: char| c.is_ascii_digit() || c == '$') {
                self.out.push(Span::of(Content::Equation(inside.to_owned())));
                return after;
            }
        }
        self.literal("$");
        rest
    }

    fn link<'a>(&mut self, rest: &'a str) -> ApiResult<&'a str> {
        let target = if self.open.iter().any(|open| open.mark == Mark::Link) {
            link_target(rest)
        } else {
            None
        };
        let Some((url, after)) = target else {
            // `[text]` without a target is text.
            if let Some(n) = self.open.iter().rposition(|open| open.mark == Mark::Link) {
                self.open.remove(n);
            }
            self.literal("]");
            return Ok(rest);
        };
        check_link(url)?;
        if let Some((at, _)) = self.close_mark(|mark| *mark == Mark::Link) {
            let url = url.to_owned();
            for span in self.spans_from(at) {
                span.link = Some(url.clone());
            }
        }
        Ok(after)
    }

    fn tag<'a>(&mut self, text: &'a str) -> &'a str {
        for line_break in ["<br>", "<br/>", "<br />"] {
            if let Some(rest) = text.strip_prefix(line_break) {
                self.literal("\n");
                return rest;
            }
        }
        if let Some(rest) = text.strip_prefix("</span>")
            && let Some((at, mark)) = self.close_mark(|mark| matches!(mark, Mark::Styled { .. }))
        {
            if let Mark::Styled { underline, color, discussions } = mark {
                for span in self.spans_from(at) {
                    span.style.underline |= underline;
                    if let Some(color) = color {
                        span.style.color = color;
                    }
                    span.discussions.extend(discussions.iter().cloned());
                }
            }
            return rest;
        }
        if let Some((tag, rest)) = tag::read(text) {
            let source = &text[..text.len() - rest.len()];
            if tag.name == "span" && !tag.closed {
                self.open_mark(styled(&tag), source);
                return rest;
            }
            if let Some(mention) = mention(&tag) {
                let rest = if tag.closed { Some(rest) } else { after_closing(rest, tag.name) };
                if let Some(rest) = rest {
                    self.out.push(Span::of(Content::Mention(mention)));
                    return rest;
                }
            }
        }
        self.literal("<");
        &text[1..]
    }
}

fn styled(tag: &Tag<'_>) -> Mark {
    Mark::Styled {
        underline: tag.is_true("underline"),
        color: tag.get("color").and_then(Color::from_markdown),
        discussions: tag
            .get("discussion-urls")
            .map(|urls| urls.split(',').filter_map(ids::uuid_of_url).collect())
            .unwrap_or_default(),
    }
}

fn mention(tag: &Tag<'_>) -> Option<Mention> {
    let id = || tag.get("url").and_then(ids::uuid_of_url);
    match tag.name {
        "mention-user" => Some(Mention::User(id()?)),
        "mention-page" => Some(Mention::Page(id()?)),
        "mention-database" => Some(Mention::Database(id()?)),
        "mention-data-source" => Some(Mention::DataSource(id()?)),
        "mention-agent" => Some(Mention::Agent(tag.get("url")?.to_owned())),
        "mention-date" => {
            let with_time = |date: &str, time: &str| match tag.get(time) {
                Some(time) => format!("{date}T{time}"),
                None => date.to_owned(),
            };
            Some(Mention::Date {
                start: with_time(tag.get("start")?, "startTime"),
                end: tag.get("end").map(|end| with_time(end, "endTime")),
                time_zone: tag.get("timeZone").map(str::to_owned),
            })
        }
        _ => None,
    }
}

fn after_closing<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let closing = format!("</{name}>");
    text.find(&closing).and_then(|at| text.get(at + closing.len()..))
}

/// Reads `(target)` and gives the target. Parentheses may be nested; a title after the target is dropped.
pub(crate) fn link_target(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('(')?;
    let mut depth = 0usize;
    for (at, c) in inside.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => {
                let target = inside[..at].trim();
                let target = match target.split_once(" \"") {
                    Some((url, title)) if title.ends_with('"') => url.trim_end(),
                    _ => target,
                };
                return Some((target, &inside[at + 1..]));
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}
