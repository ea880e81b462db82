//! Rich text: runs of text with annotations, links, mentions, and anchors of inline comments.

use serde_json::{Value, json};

use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::request::{Obj, text_limit};
use crate::workspace::Workspace;

/// Colors of text and blocks, as the API names them.
const COLORS: [&str; 20] = [
    "default",
    "gray",
    "brown",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "red",
    "default_background",
    "gray_background",
    "brown_background",
    "orange_background",
    "yellow_background",
    "green_background",
    "blue_background",
    "purple_background",
    "pink_background",
    "red_background",
];

/// A color by its API name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Color(&'static str);

impl Color {
    pub(crate) const DEFAULT: Self = Self("default");

    pub(crate) fn name(self) -> &'static str {
        self.0
    }

    pub(crate) fn from_api(name: &str) -> Option<Self> {
        COLORS.iter().find(|color| **color == name).map(|color| Self(color))
    }

    /// From its Markdown name, where backgrounds end in `_bg`.
    pub(crate) fn from_markdown(name: &str) -> Option<Self> {
        match name.strip_suffix("_bg") {
            Some(base) => Self::from_api(&format!("{base}_background")),
            None if name.ends_with("_background") => None,
            None => Self::from_api(name),
        }
    }

    /// Its Markdown name; the default color has none.
    pub(crate) fn markdown(self) -> Option<String> {
        match self.0 {
            "default" => None,
            name => Some(match name.strip_suffix("_background") {
                Some(base) => format!("{base}_bg"),
                None => name.to_owned(),
            }),
        }
    }
}

/// Annotations of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) bold: bool,
    pub(crate) italic: bool,
    pub(crate) strike: bool,
    pub(crate) underline: bool,
    pub(crate) code: bool,
    pub(crate) color: Color,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            bold: false,
            italic: false,
            strike: false,
            underline: false,
            code: false,
            color: Color::DEFAULT,
        }
    }
}

/// What a mention points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mention {
    User(String),
    Page(String),
    Database(String),
    DataSource(String),
    Agent(String),
    /// `start` and `end` are ISO dates, with `THH:mm` where there is a time.
    Date {
        start: String,
        end: Option<String>,
        time_zone: Option<String>,
    },
    /// By its name, without colons.
    CustomEmoji(String),
    /// A preview of an address (no title) or a mention of one, which only people make.
    Link {
        url: String,
        title: Option<String>,
    },
    /// A placeholder of a template: `today`, `now` or `me`.
    Template(String),
}

/// Custom emoji of the workspace, with their ids.
pub(crate) const CUSTOM_EMOJI: [(&str, &str); 2] = [
    ("ship-it", "5e1f0000-0000-4000-8000-0000000000e1"),
    ("party-parrot", "5e1f0000-0000-4000-8000-0000000000e2"),
];

/// The mention of a custom emoji that the workspace has.
pub(crate) fn custom_emoji(name: &str) -> Option<Mention> {
    let known = CUSTOM_EMOJI.iter().any(|(known, _)| *known == name);
    known.then(|| Mention::CustomEmoji(name.to_owned()))
}

/// What a run holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text(String),
    Equation(String),
    Mention(Mention),
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) content: Content,
    pub(crate) style: Style,
    pub(crate) link: Option<String>,
    /// Discussions anchored to exactly this run.
    pub(crate) discussions: Vec<String>,
}

impl Span {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::of(Content::Text(text.into()))
    }

    pub(crate) fn of(content: Content) -> Self {
        Self { content, style: Style::default(), link: None, discussions: Vec::new() }
    }

    fn same_look(&self, other: &Self) -> bool {
        self.style == other.style
            && self.link == other.link
            && self.discussions == other.discussions
    }
}

/// A text with annotations.
pub(crate) type RichText = Vec<Span>;

/// One run of plain text; empty for an empty text.
pub(crate) fn plain(text: &str) -> RichText {
    if text.is_empty() { Vec::new() } else { vec![Span::text(text)] }
}

/// Merges neighbours that look the same and drops empty runs, as Notion does on read.
pub(crate) fn merged(spans: RichText) -> RichText {
    let mut out: RichText = Vec::with_capacity(spans.len());
    for span in spans {
        if matches!(&span.content, Content::Text(text) if text.is_empty()) {
            continue;
        }
        if let (Some(last), Content::Text(text)) = (out.last_mut(), &span.content)
            && last.same_look(&span)
            && let Content::Text(before) = &mut last.content
        {
            before.push_str(text);
            continue;
        }
        out.push(span);
    }
    out
}

/// The text without annotations.
pub(crate) fn plain_text(ws: &Workspace, spans: &[Span]) -> String {
    let mut out = String::new();
    for span in spans {
        out.push_str(&span_text(ws, span));
    }
    out
}

fn span_text(ws: &Workspace, span: &Span) -> String {
    match &span.content {
        Content::Text(text) => text.clone(),
        Content::Equation(expression) => expression.clone(),
        Content::Mention(mention) => mention_label(ws, mention),
    }
}

/// What a mention shows.
pub(crate) fn mention_label(ws: &Workspace, mention: &Mention) -> String {
    match mention {
        Mention::User(id) => format!("@{}", ws.user_name(id).unwrap_or("Anonymous")),
        Mention::Page(id) | Mention::Database(id) | Mention::DataSource(id) => {
            ws.title_of(id).unwrap_or_else(|| "Untitled".to_owned())
        }
        Mention::Agent(url) => url.clone(),
        Mention::Date { start, end, .. } => match end {
            Some(end) => format!("{start} → {end}"),
            None => start.clone(),
        },
        Mention::CustomEmoji(name) => format!(":{name}:"),
        Mention::Link { url, title } => title.clone().unwrap_or_else(|| url.clone()),
        Mention::Template(what) => match what.as_str() {
            "me" => "@Me".to_owned(),
            "now" => "@Now".to_owned(),
            _ => "@Today".to_owned(),
        },
    }
}

/// The form of answers. Runs above 2,000 UTF-16 units are split, as no item of an answer is longer.
pub(crate) fn to_json(ws: &Workspace, spans: &[Span]) -> Value {
    let mut items = Vec::with_capacity(spans.len());
    for span in spans {
        match &span.content {
            Content::Text(text) => {
                for piece in pieces(text, 2000) {
                    items.push(item(
                        span,
                        "text",
                        json!({"content": piece, "link": link_json(span)}),
                        piece,
                    ));
                }
            }
            Content::Equation(expression) => {
                items.push(item(span, "equation", json!({"expression": expression}), expression));
            }
            Content::Mention(mention) => {
                items.push(item(span, "mention", mention_json(ws, mention), &span_text(ws, span)));
            }
        }
    }
    Value::Array(items)
}

fn link_json(span: &Span) -> Value {
    span.link.as_ref().map_or(Value::Null, |url| json!({"url": url}))
}

fn item(span: &Span, kind: &str, payload: Value, plain: &str) -> Value {
    json!({
        "type": kind,
        kind: payload,
        "annotations": {
            "bold": span.style.bold,
            "italic": span.style.italic,
            "strikethrough": span.style.strike,
            "underline": span.style.underline,
            "code": span.style.code,
            "color": span.style.color.name(),
        },
        "plain_text": plain,
        "href": span.link,
    })
}

fn mention_json(ws: &Workspace, mention: &Mention) -> Value {
    match mention {
        Mention::User(id) => json!({"type": "user", "user": ws.user_json(id)}),
        Mention::Page(id) => json!({"type": "page", "page": {"id": id}}),
        Mention::Database(id) => json!({"type": "database", "database": {"id": id}}),
        Mention::DataSource(id) => json!({"type": "data_source", "data_source": {"id": id}}),
        Mention::Agent(url) => json!({"type": "agent", "agent": {"url": url}}),
        Mention::Date { start, end, time_zone } => {
            json!({"type": "date", "date": {"start": start, "end": end, "time_zone": time_zone}})
        }
        Mention::CustomEmoji(name) => {
            let id = CUSTOM_EMOJI.iter().find(|(known, _)| known == name).map(|(_, id)| *id);
            json!({"type": "custom_emoji", "custom_emoji": {
                "id": id, "name": name, "url": format!("https://example.com/emoji/{name}.png"),
            }})
        }
        Mention::Link { url, title: None } => {
            json!({"type": "link_preview", "link_preview": {"url": url}})
        }
        Mention::Link { url, title } => {
            json!({"type": "link_mention", "link_mention": {"href": url, "title": title}})
        }
        Mention::Template(what) if what == "me" => json!({
            "type": "template_mention",
            "template_mention": {"type": "template_mention_user", "template_mention_user": "me"},
        }),
        Mention::Template(what) => json!({
            "type": "template_mention",
            "template_mention": {"type": "template_mention_date", "template_mention_date": what},
        }),
    }
}

/// Cuts a text into pieces of at most `most` UTF-16 units, never inside a character.
fn pieces(text: &str, most: usize) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut start, mut units) = (0, 0);
    for (at, c) in text.char_indices() {
        if units + c.len_utf16() > most {
            out.push(&text[start..at]);
            (start, units) = (at, 0);
        }
        units += c.len_utf16();
    }
    out.push(&text[start..]);
    out
}

/// Reads rich text of a request: at most 100 items of at most 2,000 UTF-16 units (notion-api.md 6.3).
pub(crate) fn from_json(items: &[Value], path: &str) -> ApiResult<RichText> {
    if items.len() > 100 {
        return Err(crate::request::too_long(path, 100, items.len()));
    }
    let mut spans = Vec::with_capacity(items.len());
    for (n, value) in items.iter().enumerate() {
        spans.push(item_from_json(&Obj::new(value, format!("{path}[{n}]"))?)?);
    }
    Ok(merged(spans))
}

fn item_from_json(obj: &Obj<'_>) -> ApiResult<Span> {
    obj.only(&["type", "text", "mention", "equation", "annotations", "plain_text", "href"])?;
    let kind = match obj.str("type")? {
        Some(kind) => kind,
        None => ["text", "mention", "equation"]
            .into_iter()
            .find(|kind| obj.has(kind))
            .ok_or_else(|| obj.missing("text"))?,
    };
    let mut link = None;
    let content = match kind {
        "text" => {
            let text = obj.need_obj("text")?;
            text.only(&["content", "link"])?;
            let content = text.need_str("content")?;
            text_limit(&text.at("content"), content, 2000)?;
            if let Some(value) = text.get("link").filter(|value| !value.is_null()) {
                let target = Obj::new(value, text.at("link"))?;
                target.only(&["url", "type"])?;
                let url = target.need_str("url")?;
                check_link(url)?;
                link = Some(url.to_owned());
            }
            Content::Text(content.to_owned())
        }
        "equation" => {
            let equation = obj.need_obj("equation")?;
            equation.only(&["expression"])?;
            let expression = equation.need_str("expression")?;
            text_limit(&equation.at("expression"), expression, 1000)?;
            Content::Equation(expression.to_owned())
        }
        "mention" => Content::Mention(mention_from_json(&obj.need_obj("mention")?)?),
        other => {
            return Err(ApiError::body(
                &obj.at("type"),
                "`\"text\"`, `\"mention\"`, or `\"equation\"`",
                Some(&json!(other)),
            ));
        }
    };
    Ok(Span { content, style: style_from_json(obj)?, link, discussions: Vec::new() })
}

fn mention_from_json(obj: &Obj<'_>) -> ApiResult<Mention> {
    let id_of = |kind: &str| -> ApiResult<String> {
        let target = obj.need_obj(kind)?;
        let id = target.need_str("id")?;
        ids::parse_uuid(id)
            .ok_or_else(|| ApiError::body(&target.at("id"), "a valid uuid", target.get("id")))
    };
    if obj.has("user") {
        Ok(Mention::User(id_of("user")?))
    } else if obj.has("page") {
        Ok(Mention::Page(id_of("page")?))
    } else if obj.has("database") {
        Ok(Mention::Database(id_of("database")?))
    } else if obj.has("date") {
        let date = obj.need_obj("date")?;
        Ok(Mention::Date {
            start: date.need_str("start")?.to_owned(),
            end: date.str_or_null("end")?.map(str::to_owned),
            time_zone: date.str_or_null("time_zone")?.map(str::to_owned),
        })
    } else if let Some(emoji) = obj.obj("custom_emoji")? {
        let id = emoji.need_str("id")?;
        CUSTOM_EMOJI
            .iter()
            .find(|(_, known)| *known == id)
            .map(|(name, _)| Mention::CustomEmoji((*name).to_owned()))
            .ok_or_else(|| ApiError::not_found("custom emoji", id))
    } else if let Some(template) = obj.obj("template_mention")? {
        let what = match template.str("template_mention_date")? {
            Some(what) => what,
            None => template.need_str("template_mention_user")?,
        };
        Ok(Mention::Template(what.to_owned()))
    } else {
        Err(ApiError::invalid(format!(
            "body failed validation: {} should have one of user, date, page, database, template_mention, custom_emoji.",
            obj.path()
        )))
    }
}

fn style_from_json(obj: &Obj<'_>) -> ApiResult<Style> {
    let Some(annotations) = obj.obj("annotations")? else { return Ok(Style::default()) };
    annotations.only(&["bold", "italic", "strikethrough", "underline", "code", "color"])?;
    let flag = |key| annotations.bool(key).map(|value| value.unwrap_or(false));
    Ok(Style {
        bold: flag("bold")?,
        italic: flag("italic")?,
        strike: flag("strikethrough")?,
        underline: flag("underline")?,
        code: flag("code")?,
        color: color_from_json(&annotations, "color")?,
    })
}

/// A color of a request; absent means the default.
pub(crate) fn color_from_json(obj: &Obj<'_>, key: &str) -> ApiResult<Color> {
    match obj.str(key)? {
        None => Ok(Color::DEFAULT),
        Some(name) => Color::from_api(name)
            .ok_or_else(|| ApiError::body(&obj.at(key), "a known color", obj.get(key))),
    }
}

/// Refuses link targets that Notion refuses: whatever is not an absolute address (notion-api.md 7.4; for the
/// Markdown endpoints this is the strictest reading, as their behaviour is not documented).
pub(crate) fn check_link(url: &str) -> ApiResult<()> {
    text_limit("link.url", url, 2000)?;
    if is_absolute(url) {
        Ok(())
    } else {
        Err(ApiError::invalid(
            "Content creation Failed. Fix the following: \nInvalid URL for link.",
        ))
    }
}

/// Whether a target is an address that Notion takes.
pub(crate) fn is_absolute(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return false;
    }
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => rest.strip_prefix("//").is_some_and(|host| {
            host.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '[')
        }),
        "mailto" | "tel" => !rest.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_cut_by_utf16_units_and_never_inside_a_character() {
        let text = format!("{}🎉tail", "a".repeat(1999));
        let cut = pieces(&text, 2000);
        assert_eq!(cut.iter().map(|piece| piece.len()).collect::<Vec<_>>(), [1999, 8]);
        assert_eq!(cut.concat(), text);
    }

    #[test]
    fn a_text_of_2000_code_points_with_one_emoji_is_too_long() {
        let items = [json!({"text": {"content": format!("{}🎉", "a".repeat(1999))}})];
        let error = from_json(&items, "body.title").unwrap_err();
        assert_eq!((error.status, error.code), (400, "validation_error"));
        assert!(
            error.message.contains("should be ≤ `2000`, instead was `2001`"),
            "{}",
            error.message
        );
    }

    #[test]
    fn only_absolute_links_are_taken() {
        for good in ["https://example.com/a", "mailto:ada@example.com", "http://localhost:8080/x"] {
            assert!(is_absolute(good), "{good}");
        }
        for bad in [
            "../adr/0007.md",
            "/rooted",
            "#anchor",
            "file:///etc/passwd",
            "https://",
            "a b",
            "javascript:x",
        ] {
            assert!(!is_absolute(bad), "{bad}");
        }
    }
}
