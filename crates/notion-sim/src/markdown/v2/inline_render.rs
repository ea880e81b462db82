//! Inline Markdown v2: writing it.

use crate::markdown::inline_render::{page_url, target};
use crate::markdown::odd::Odd;
use crate::markdown::tag::quoted;
use crate::markdown::v2::inline::entity;
use crate::rich::{Content, Mention, Span, mention_label};
use crate::workspace::Workspace;

/// Where the text stands, which decides on breaks and bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A block, where `\` and a new line are a break.
    Block,
    /// A cell of a table or a caption, which is one line.
    Line,
}

/// The text in Markdown.
pub(crate) fn render(ws: &Workspace, spans: &[Span], place: Place, odd: Odd) -> String {
    let mut out = String::new();
    group(&Context { ws, place, odd }, &odd.runs(spans), &mut Vec::new(), &mut out);
    out
}

struct Context<'a> {
    ws: &'a Workspace,
    place: Place,
    odd: Odd,
}

/// Marks in the order of their nesting.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Link,
    Discussions,
    Color,
    Underline,
    Bold,
    Italic,
    Strike,
}

const MARKS: [Mark; 7] = [
    Mark::Link,
    Mark::Discussions,
    Mark::Color,
    Mark::Underline,
    Mark::Bold,
    Mark::Italic,
    Mark::Strike,
];

impl Mark {
    fn on(self, span: &Span) -> bool {
        match self {
            Self::Link => span.link.is_some(),
            Self::Discussions => !span.discussions.is_empty(),
            Self::Color => span.style.color.markdown().is_some(),
            Self::Underline => span.style.underline,
            Self::Bold => span.style.bold,
            Self::Italic => span.style.italic,
            Self::Strike => span.style.strike,
        }
    }

    fn same(self, a: &Span, b: &Span) -> bool {
        match self {
            Self::Link => a.link == b.link,
            Self::Discussions => a.discussions == b.discussions,
            Self::Color => a.style.color == b.style.color,
            _ => self.on(b),
        }
    }

    /// Puts the mark around a text. `before` is what stands in front of it.
    fn around(self, span: &Span, inner: &str, before: &str, odd: Odd) -> String {
        let bare = |mark: char| !odd.tags() && bare(inner, before, mark);
        let tag = |name: &str| format!("<{name}>{inner}</{name}>");
        match self {
            Self::Link => {
                format!("[{inner}]({})", target(span.link.as_deref().unwrap_or_default()))
            }
            Self::Discussions => {
                let urls: Vec<String> =
                    span.discussions.iter().map(|id| format!("discussion://{id}")).collect();
                format!("<span discussion-urls=\"{}\">{inner}</span>", urls.join(","))
            }
            Self::Color => {
                let color = span.style.color.markdown().unwrap_or_default();
                format!("<span color=\"{color}\">{inner}</span>")
            }
            Self::Underline => tag("u"),
            Self::Bold if bare('*') => format!("**{inner}**"),
            Self::Bold => tag("b"),
            Self::Italic if bare('*') => format!("*{inner}*"),
            Self::Italic => tag("i"),
            Self::Strike if bare('~') => format!("~~{inner}~~"),
            Self::Strike => tag("s"),
        }
    }
}

/// Whether stars or tildes around the text are read back as meant: words at both edges, and no other ones near.
fn bare(inner: &str, before: &str, mark: char) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    word(inner.chars().next())
        && word(inner.chars().next_back())
        && !inner.contains(mark)
        && !before.ends_with(mark)
}

fn group(context: &Context<'_>, spans: &[Span], done: &mut Vec<Mark>, out: &mut String) {
    let mut at = 0;
    while let Some(first) = spans.get(at) {
        let best = MARKS.into_iter().find(|mark| !done.contains(mark) && mark.on(first));
        let Some(mark) = best else {
            leaf(context, first, out);
            at += 1;
            continue;
        };
        let alike = |span: &&Span| mark.on(span) && mark.same(first, span);
        let run: Vec<Span> = spans.iter().skip(at).take_while(alike).cloned().collect();
        at += run.len();
        // `!` before a link would make it an image.
        if mark == Mark::Link && out.ends_with('!') {
            out.pop();
            out.push_str("\\!");
        }
        let parts = match mark {
            Mark::Color => context.odd.split(&run),
            _ => vec![run],
        };
        for part in parts {
            let mut inner = String::new();
            done.push(mark);
            group(context, &part, done, &mut inner);
            done.pop();
            let text = mark.around(first, &inner, out, context.odd);
            out.push_str(&text);
        }
    }
}

fn leaf(context: &Context<'_>, span: &Span, out: &mut String) {
    match &span.content {
        Content::Text(text) if span.style.code => code(text, context.place, out),
        Content::Text(text) => escape(text, context, out),
        Content::Equation(expression) => {
            out.push('$');
            out.push_str(&expression.replace('\n', " "));
            out.push('$');
        }
        Content::Mention(mention) => render_mention(context, mention, out),
    }
}

fn code(text: &str, place: Place, out: &mut String) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let edges = text.starts_with(' ') && text.ends_with(' ') && !text.trim().is_empty();
    let pad = if edges || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    // A code span is one line.
    let mut text = text.replace('\n', " ");
    if place == Place::Line {
        text = text.replace('|', "\\|");
    }
    out.push_str(&format!("{fence}{pad}{text}{pad}{fence}"));
}

/// Appends plain text with the escapes that it needs.
fn escape(text: &str, context: &Context<'_>, out: &mut String) {
    let place = context.place;
    let mut line_start = out.is_empty() || out.ends_with('\n');
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        match c {
            '\n' if place == Place::Line || rest.is_empty() => {
                out.push_str("<br />");
            }
            '\n' => {
                out.push_str("\\\n");
                line_start = true;
                continue;
            }
            ' ' | '\t' if line_start && !out.is_empty() => {
                out.push_str(if c == ' ' { "&#32;" } else { "&#9;" });
            }
            '<' if context.odd.other_escapes() => out.push_str("&lt;"),
            '\\' | '*' | '`' | '$' | '[' | ']' | '~' | '<' => {
                out.push('\\');
                out.push(c);
            }
            '_' => {
                let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                if !(word(out.chars().next_back()) && word(rest.chars().next())) {
                    out.push('\\');
                }
                out.push('_');
            }
            '|' if place == Place::Line => out.push_str("\\|"),
            '&' if entity(&text[at..]).is_some() => out.push_str("\\&"),
            ':' if text[at + 1..]
                .split_once(':')
                .is_some_and(|(name, _)| crate::rich::custom_emoji(name).is_some()) =>
            {
                out.push_str("\\:");
            }
            _ => out.push(c),
        }
        line_start = false;
    }
}

fn render_mention(context: &Context<'_>, mention: &Mention, out: &mut String) {
    let mut tag = |url: String, kind: &str| {
        let label = mention_label(context.ws, mention);
        let label = label.trim_start_matches('@').replace('<', "&lt;").replace('\n', " ");
        out.push_str(&format!("<mention url=\"{}\"{kind}>{label}</mention>", quoted(&url)));
    };
    match mention {
        Mention::User(id) => tag(format!("user://{id}"), ""),
        Mention::Page(id) => tag(page_url(id), ""),
        Mention::Database(id) => tag(page_url(id), " type=\"database\""),
        Mention::DataSource(id) => tag(format!("collection://{id}"), ""),
        Mention::Agent(url) => tag(url.clone(), ""),
        Mention::Date { start, end, time_zone } => {
            out.push_str("<date");
            let mut part = |name: &str, value: &str| {
                let (date, time) =
                    value.split_once('T').map_or((value, None), |(date, time)| (date, Some(time)));
                out.push_str(&format!(" {name}=\"{date}\""));
                if let Some(time) = time {
                    out.push_str(&format!(" {name}-time=\"{}\"", time.get(..5).unwrap_or(time)));
                }
            };
            part("start", start);
            if let Some(end) = end {
                part("end", end);
            }
            if let Some(zone) = time_zone {
                out.push_str(&format!(" time-zone=\"{}\"", quoted(zone)));
            }
            out.push_str(" />");
        }
        Mention::CustomEmoji(name) => out.push_str(&format!(":{name}:")),
        Mention::Link { url, title } => {
            out.push('[');
            escape(title.as_deref().unwrap_or(url), context, out);
            out.push_str(&format!("]({})", target(url)));
        }
        Mention::Template(_) => escape(&mention_label(context.ws, mention), context, out),
    }
}
