//! Inline Markdown v1 (notion-api.md 5.2): writing it.

use std::borrow::Cow;

use crate::ids;
use crate::markdown::odd::Odd;
use crate::markdown::tag::quoted;
use crate::rich::{Content, Mention, Span, mention_label};
use crate::workspace::Workspace;

/// Characters that are escaped outside code (notion-api.md 5.2).
const ESCAPED: [char; 13] = ['\\', '*', '~', '`', '$', '[', ']', '<', '>', '{', '}', '|', '^'];

/// Appends the text in Markdown. `\n` becomes `<br>`.
pub(crate) fn render(ws: &Workspace, spans: &[Span], odd: Odd, out: &mut String) {
    group(&Context { ws, odd }, &odd.runs(spans), &mut Vec::new(), out);
}

struct Context<'a> {
    ws: &'a Workspace,
    odd: Odd,
}

/// Marks in the order of their nesting. Italic lies outside of bold: then no mark is closed and opened again in one
/// place, and a run of stars has one reading only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Link,
    Discussions,
    Color,
    Underline,
    Italic,
    Bold,
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

    fn open(self, span: &Span) -> String {
        match self {
            Self::Link => "[".to_owned(),
            Self::Discussions => {
                let urls: Vec<String> =
                    span.discussions.iter().map(|id| format!("discussion://{id}")).collect();
                format!("<span discussion-urls=\"{}\">", urls.join(","))
            }
            Self::Color => {
                format!("<span color=\"{}\">", span.style.color.markdown().unwrap_or_default())
            }
            Self::Underline => "<span underline=\"true\">".to_owned(),
            Self::Bold => "**".to_owned(),
            Self::Italic => "*".to_owned(),
            Self::Strike => "~~".to_owned(),
        }
    }

    fn close(self, span: &Span, odd: Odd) -> String {
        match self {
            Self::Link => {
                let url = odd.address(span.link.as_deref().unwrap_or_default());
                format!("]({})", target(&url))
            }
            Self::Discussions | Self::Color | Self::Underline => "</span>".to_owned(),
            _ => self.open(span),
        }
    }
}

/// An address between the parentheses of a link: unbalanced parentheses would end it too early.
pub(crate) fn target(url: &str) -> String {
    let mut depth = 0i32;
    let balanced = url.chars().all(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth >= 0
    }) && depth == 0;
    if balanced { url.to_owned() } else { url.replace('(', "%28").replace(')', "%29") }
}

fn group(context: &Context<'_>, spans: &[Span], done: &mut Vec<Mark>, out: &mut String) {
    let mut at = 0;
    while let Some(first) = spans.get(at) {
        let best =
            MARKS.into_iter().find(|mark| !done.contains(mark) && mark.on(first)).map(|mark| {
                let alike = |span: &&Span| mark.on(span) && mark.same(first, span);
                (mark, spans.iter().skip(at).take_while(alike).count())
            });
        match best {
            None => {
                leaf(context, first, out);
                at += 1;
            }
            Some((mark, length)) => {
                // `!` before a link would make it an image.
                if mark == Mark::Link && out.ends_with('!') {
                    out.pop();
                    out.push_str("\\!");
                }
                let run = spans.get(at..at + length).unwrap_or_default();
                let (lead, inner, trail) = edges_outside(mark, run);
                group(context, &lead, done, out);
                let parts = match mark {
                    Mark::Color => context.odd.split(&inner),
                    _ => vec![inner.into_owned()],
                };
                for part in parts.iter().filter(|part| !part.is_empty()) {
                    out.push_str(&mark.open(first));
                    done.push(mark);
                    group(context, part, done, out);
                    done.pop();
                    out.push_str(&mark.close(first, context.odd));
                }
                group(context, &trail, done, out);
                at += length;
            }
        }
    }
}

fn leaf(context: &Context<'_>, span: &Span, out: &mut String) {
    match &span.content {
        Content::Text(text) if span.style.code => code(text, out),
        Content::Text(text) => escape(text, context.odd, out),
        Content::Equation(expression) => {
            out.push('$');
            out.push_str(expression);
            out.push('$');
        }
        Content::Mention(mention) => render_mention(context.ws, mention, out),
    }
}

fn code(text: &str, out: &mut String) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A span that begins and ends with a space would lose both.
    let edges = text.starts_with(' ') && text.ends_with(' ') && !text.trim().is_empty();
    let pad = if edges || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    out.push_str(&fence);
    out.push_str(pad);
    // A code span is one line; a break inside it cannot be written in another way.
    out.push_str(&text.replace('\n', " "));
    out.push_str(pad);
    out.push_str(&fence);
}

fn escape(text: &str, odd: Odd, out: &mut String) {
    for c in text.chars() {
        if c == '\n' {
            out.push_str("<br>");
        } else {
            // Inside a line these three mean nothing without what they would need before them.
            let bare = odd.other_escapes() && "^>|".contains(c) && !out.is_empty();
            if ESCAPED.contains(&c) && !bare {
                out.push('\\');
            }
            out.push(c);
        }
    }
}

fn render_mention(ws: &Workspace, mention: &Mention, out: &mut String) {
    let mut tag = |name: &str, url: String| {
        let mut label = String::new();
        escape(mention_label(ws, mention).trim_start_matches('@'), Odd::default(), &mut label);
        out.push_str(&format!("<{name} url=\"{}\">{label}</{name}>", quoted(&url)));
    };
    match mention {
        Mention::User(id) => tag("mention-user", format!("user://{id}")),
        Mention::Page(id) => tag("mention-page", page_url(id)),
        Mention::Database(id) => tag("mention-database", page_url(id)),
        Mention::DataSource(id) => tag("mention-data-source", format!("collection://{id}")),
        Mention::Agent(url) => tag("mention-agent", url.clone()),
        Mention::Date { start, end, time_zone } => {
            out.push_str("<mention-date");
            let mut part = |name: &str, time_name: &str, value: &str| {
                let (date, time) =
                    value.split_once('T').map_or((value, None), |(date, time)| (date, Some(time)));
                out.push_str(&format!(" {name}=\"{date}\""));
                if let Some(time) = time {
                    out.push_str(&format!(" {time_name}=\"{}\"", time.get(..5).unwrap_or(time)));
                }
            };
            part("start", "startTime", start);
            if let Some(end) = end {
                part("end", "endTime", end);
            }
            if let Some(zone) = time_zone {
                out.push_str(&format!(" timeZone=\"{}\"", quoted(zone)));
            }
            out.push_str("/>");
        }
        Mention::CustomEmoji(name) => out.push_str(&format!(":{name}:")),
        Mention::Link { url, title } => {
            out.push('[');
            escape(title.as_deref().unwrap_or(url), Odd::default(), out);
            out.push_str(&format!("]({})", target(url)));
        }
        Mention::Template(_) => escape(&mention_label(ws, mention), Odd::default(), out),
    }
}

/// The address of a page or database (notion-api.md 3).
pub(crate) fn page_url(id: &str) -> String {
    format!("https://app.notion.com/p/{}", ids::plain(id))
}

/// White space at the edges of bold, italic and struck text stands outside the marks, where it can be read back.
fn edges_outside(mark: Mark, run: &[Span]) -> (Vec<Span>, Cow<'_, [Span]>, Vec<Span>) {
    let on_edge = |span: Option<&Span>, last: bool| match span.map(|span| &span.content) {
        Some(Content::Text(text)) if !span.is_some_and(|span| span.style.code) => {
            if last {
                text.ends_with(char::is_whitespace)
            } else {
                text.starts_with(char::is_whitespace)
            }
        }
        _ => false,
    };
    let plain = !matches!(mark, Mark::Bold | Mark::Italic | Mark::Strike)
        || !(on_edge(run.first(), false) || on_edge(run.last(), true));
    if plain {
        return (Vec::new(), Cow::Borrowed(run), Vec::new());
    }
    let bare = |span: &Span, text: &str| {
        let mut bare = Span { content: Content::Text(text.to_owned()), ..span.clone() };
        match mark {
            Mark::Bold => bare.style.bold = false,
            Mark::Italic => bare.style.italic = false,
            _ => bare.style.strike = false,
        }
        bare
    };
    let mut inner = run.to_vec();
    let (mut lead, mut trail) = (Vec::new(), Vec::new());
    while on_edge(inner.first(), false) {
        let span = inner.remove(0);
        let Content::Text(text) = &span.content else { break };
        let rest = text.trim_start();
        lead.push(bare(&span, &text[..text.len() - rest.len()]));
        if !rest.is_empty() {
            let content = Content::Text(rest.to_owned());
            inner.insert(0, Span { content, ..span });
        }
    }
    while on_edge(inner.last(), true) {
        let Some(span) = inner.pop() else { break };
        let Content::Text(text) = &span.content else { break };
        let rest = text.trim_end();
        trail.insert(0, bare(&span, &text[rest.len()..]));
        if !rest.is_empty() {
            let content = Content::Text(rest.to_owned());
            inner.push(Span { content, ..span });
        }
    }
    (lead, Cow::Owned(inner), trail)
}
