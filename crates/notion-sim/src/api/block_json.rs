//! Blocks as JSON, both ways (notion-api.md 3, 4.9).

use serde_json::{Map, Value, json};

use crate::block::{Block, Draft, Kind, MediaKind, MediaSource};
use crate::clock::iso;
use crate::error::{ApiError, ApiResult};
use crate::markdown::languages;
use crate::markdown::render::media_url;
use crate::request::{Obj, text_limit};
use crate::rich::{self, RichText, check_link, color_from_json};
use crate::workspace::Workspace;

/// Levels of blocks that one request may hold.
const MOST_LEVELS: usize = 2;
/// Blocks that one request may hold (notion-api.md 6.3).
const MOST_BLOCKS: usize = 1000;

/// Reads the blocks of a request.
pub(crate) fn drafts(items: &[Obj<'_>]) -> ApiResult<Vec<Draft>> {
    let drafts = items.iter().map(|item| draft(item, 1)).collect::<ApiResult<Vec<_>>>()?;
    let total = count(&drafts);
    if total > MOST_BLOCKS {
        return Err(ApiError::invalid(format!(
            "body failed validation: at most {MOST_BLOCKS} blocks may be given, but there are {total}."
        )));
    }
    Ok(drafts)
}

fn count(drafts: &[Draft]) -> usize {
    drafts.iter().map(|draft| 1 + count(&draft.children)).sum()
}

const WRITABLE: [&str; 28] = [
    "paragraph",
    "heading_1",
    "heading_2",
    "heading_3",
    "heading_4",
    "bulleted_list_item",
    "numbered_list_item",
    "quote",
    "to_do",
    "toggle",
    "template",
    "synced_block",
    "equation",
    "code",
    "callout",
    "divider",
    "breadcrumb",
    "table_of_contents",
    "column_list",
    "column",
    "link_to_page",
    "table",
    "table_row",
    "embed",
    "bookmark",
    "image",
    "video",
    "pdf",
];
const WRITABLE_MORE: [&str; 2] = ["file", "audio"];

fn block_type<'a>(obj: &Obj<'a>) -> ApiResult<&'a str> {
    let known = |name: &str| WRITABLE.contains(&name) || WRITABLE_MORE.contains(&name);
    let found = obj.map().keys().find(|key| known(key));
    let named = obj.str("type")?;
    match (named, found) {
        (Some(named), _) if !known(named) => Err(ApiError::body(
            &obj.at("type"),
            "a block type that can be created",
            obj.get("type"),
        )),
        (Some(named), Some(_)) if obj.has(named) => Ok(named),
        (None, Some(found)) => Ok(found),
        (Some(named), _) => Err(obj.missing(named)),
        (None, None) => Err(ApiError::invalid(format!(
            "body failed validation: {} should have a block type such as paragraph.",
            obj.path()
        ))),
    }
}

fn draft(obj: &Obj<'_>, level: usize) -> ApiResult<Draft> {
    let kind_name = block_type(obj)?;
    obj.only(&["object", "type", "children", kind_name])?;
    let payload = obj.need_obj(kind_name)?;
    let nested = match payload.objects("children", 100)? {
        Some(children) => children,
        None => obj.objects("children", 100)?.unwrap_or_default(),
    };
    // Rows and columns are part of what holds them, and come with it (notion-api.md 4.9).
    let deeper = level + usize::from(!matches!(kind_name, "table" | "column_list"));
    if !nested.is_empty() && deeper > MOST_LEVELS {
        return Err(ApiError::body(
            &payload.at("children"),
            "not present",
            payload.get("children"),
        ));
    }
    let kind = kind_of(kind_name, &payload, None)?;
    let children =
        nested.iter().map(|child| draft(child, deeper)).collect::<ApiResult<Vec<_>>>()?;
    if !children.is_empty() && !kind.takes_children() {
        return Err(ApiError::body(
            &payload.at("children"),
            "not present",
            payload.get("children"),
        ));
    }
    check_structure(&kind, &children, &payload)?;
    Ok(Draft { kind, children })
}

fn check_structure(kind: &Kind, children: &[Draft], payload: &Obj<'_>) -> ApiResult<()> {
    let wrong = |text: &str| {
        Err(ApiError::invalid(format!(
            "body failed validation: {}.children {text}",
            payload.path()
        )))
    };
    match kind {
        Kind::Table { width, .. } => {
            if children.is_empty() {
                return wrong("should be defined.");
            }
            for child in children {
                match &child.kind {
                    Kind::TableRow { cells } if cells.len() == *width => {}
                    _ => return wrong("should be table rows as wide as the table."),
                }
            }
        }
        Kind::ColumnList
            if children.len() < 2
                || children.iter().any(|child| !matches!(child.kind, Kind::Column { .. })) =>
        {
            return wrong("should be at least two columns.");
        }
        Kind::ColumnList => {}
        _ if children
            .iter()
            .any(|child| matches!(child.kind, Kind::TableRow { .. } | Kind::Column { .. })) =>
        {
            return wrong("holds rows or columns outside a table or column list.");
        }
        _ => {}
    }
    Ok(())
}

/// Reads the payload of a block. With `before`, only what is given changes.
pub(crate) fn kind_of(name: &str, obj: &Obj<'_>, before: Option<&Kind>) -> ApiResult<Kind> {
    let text = || -> ApiResult<RichText> {
        match obj.array("rich_text")? {
            Some(items) => rich::from_json(items, &obj.at("rich_text")),
            None => before.and_then(Kind::text).cloned().ok_or_else(|| obj.missing("rich_text")),
        }
    };
    let caption = || -> ApiResult<RichText> {
        match obj.array("caption")? {
            Some(items) => rich::from_json(items, &obj.at("caption")),
            None => Ok(match before {
                Some(Kind::Code { caption, .. }) => caption.clone(),
                Some(kind) => kind.text().cloned().unwrap_or_default(),
                None => Vec::new(),
            }),
        }
    };
    let color = || match (obj.has("color"), before) {
        (false, Some(kind)) => Ok(color_of(kind)),
        _ => color_from_json(obj, "color"),
    };
    let kind = match name {
        "paragraph" => {
            obj.only(&["rich_text", "color", "children", "icon"])?;
            Kind::Paragraph { text: text()?, color: color()? }
        }
        "heading_1" | "heading_2" | "heading_3" | "heading_4" => {
            obj.only(&["rich_text", "color", "is_toggleable", "children"])?;
            let was = matches!(before, Some(Kind::Heading { toggle: true, .. }));
            let toggle = obj.bool("is_toggleable")?.unwrap_or(was);
            let level = name.bytes().last().map_or(1, |digit| digit.saturating_sub(b'0'));
            Kind::Heading { level, text: text()?, color: color()?, toggle }
        }
        "bulleted_list_item" | "numbered_list_item" | "quote" | "toggle" => {
            obj.only(&["rich_text", "color", "children"])?;
            let (text, color) = (text()?, color()?);
            match name {
                "bulleted_list_item" => Kind::Bulleted { text, color },
                "numbered_list_item" => Kind::Numbered { text, color },
                "quote" => Kind::Quote { text, color },
                _ => Kind::Toggle { text, color },
            }
        }
        "to_do" => {
            obj.only(&["rich_text", "color", "checked", "children"])?;
            let was = matches!(before, Some(Kind::ToDo { checked: true, .. }));
            Kind::ToDo {
                text: text()?,
                checked: obj.bool("checked")?.unwrap_or(was),
                color: color()?,
            }
        }
        "callout" => {
            obj.only(&["rich_text", "color", "icon", "children"])?;
            let icon = match (crate::api::databases::icon(obj, "icon")?, before) {
                (Some(Value::Null), _) => {
                    return Err(ApiError::body(&obj.at("icon"), "an icon", Some(&Value::Null)));
                }
                (Some(icon), _) => Some(icon),
                (None, Some(Kind::Callout { icon, .. })) => icon.clone(),
                (None, _) => Some(json!({"type": "emoji", "emoji": "💡"})),
            };
            Kind::Callout { text: text()?, icon, color: color()? }
        }
        "template" => {
            obj.only(&["rich_text", "children"])?;
            Kind::Template { text: text()? }
        }
        "code" => {
            obj.only(&["rich_text", "caption", "language"])?;
            let language = match (obj.str("language")?, before) {
                (Some(name), _) => languages::known(name).ok_or_else(|| {
                    ApiError::body(&obj.at("language"), "a known language", obj.get("language"))
                })?,
                (None, Some(Kind::Code { language, .. })) => language,
                (None, _) => return Err(obj.missing("language")),
            };
            Kind::Code { text: text()?, caption: caption()?, language }
        }
        "equation" => {
            obj.only(&["expression"])?;
            let expression = obj.need_str("expression")?;
            text_limit(&obj.at("expression"), expression, 1000)?;
            Kind::Equation { expression: expression.to_owned() }
        }
        "divider" => empty(obj, Kind::Divider)?,
        "breadcrumb" => empty(obj, Kind::Breadcrumb)?,
        "table_of_contents" => {
            obj.only(&["color"])?;
            Kind::TableOfContents { color: color()? }
        }
        "column_list" => {
            obj.only(&["children"])?;
            Kind::ColumnList
        }
        "column" => {
            obj.only(&["children", "width_ratio"])?;
            let before = match before {
                Some(Kind::Column { ratio }) => *ratio,
                _ => None,
            };
            let given = obj.get("width_ratio").filter(|value| !value.is_null());
            let ratio = match given {
                None => before,
                Some(value) => match value.as_f64() {
                    Some(share) if share > 0.0 && share <= 1.0 => percent(share),
                    _ => {
                        return Err(ApiError::body(
                            &obj.at("width_ratio"),
                            "a number above 0 and up to 1",
                            Some(value),
                        ));
                    }
                },
            };
            Kind::Column { ratio }
        }
        "table" => table(obj, before)?,
        "table_row" => {
            obj.only(&["cells"])?;
            let cells = obj.array_up_to("cells", 100)?.ok_or_else(|| obj.missing("cells"))?;
            let cells = cells
                .iter()
                .enumerate()
                .map(|(n, cell)| match cell {
                    Value::Array(items) => {
                        rich::from_json(items, &format!("{}[{n}]", obj.at("cells")))
                    }
                    other => Err(ApiError::body(
                        &format!("{}[{n}]", obj.at("cells")),
                        "an array",
                        Some(other),
                    )),
                })
                .collect::<ApiResult<_>>()?;
            Kind::TableRow { cells }
        }
        "bookmark" | "embed" => {
            obj.only(&["url", "caption"])?;
            let url = obj.need_str("url")?;
            check_link(url)?;
            let (url, caption) = (url.to_owned(), caption()?);
            if name == "bookmark" {
                Kind::Bookmark { url, caption }
            } else {
                Kind::Embed { url, caption }
            }
        }
        "synced_block" => {
            obj.only(&["synced_from", "children"])?;
            let from = match obj.get("synced_from").filter(|value| !value.is_null()) {
                None => None,
                Some(value) => {
                    let from = Obj::new(value, obj.at("synced_from"))?;
                    Some(crate::api::databases::need_id(&from, "block_id")?)
                }
            };
            Kind::Synced { from }
        }
        "link_to_page" => {
            obj.only(&["type", "page_id", "database_id", "comment_id"])?;
            Kind::LinkToPage { target: Value::Object(obj.map().clone()) }
        }
        other => {
            let media = MediaKind::from_name(other)
                .ok_or_else(|| ApiError::body(obj.path(), "a block that can be written", None))?;
            obj.only(&["type", "external", "file_upload", "caption", "name"])?;
            let upload = obj.obj("file_upload")?;
            if upload.is_some() && obj.has("external") {
                return Err(ApiError::body(
                    &obj.at("external"),
                    "not present",
                    obj.get("external"),
                ));
            }
            let source = match (obj.obj("external")?, before) {
                _ if upload.is_some() => MediaSource::Upload(
                    upload
                        .map(|upload| crate::api::databases::need_id(&upload, "id"))
                        .transpose()?
                        .unwrap_or_default(),
                ),
                (Some(external), _) => {
                    let url = external.need_str("url")?;
                    check_link(url)?;
                    MediaSource::External(url.to_owned())
                }
                (None, Some(Kind::Media { source, .. })) => source.clone(),
                (None, _) => return Err(obj.missing("external")),
            };
            Kind::Media { media, source, caption: caption()? }
        }
    };
    Ok(kind)
}

fn empty(obj: &Obj<'_>, kind: Kind) -> ApiResult<Kind> {
    obj.only(&[]).map(|()| kind)
}

fn table(obj: &Obj<'_>, before: Option<&Kind>) -> ApiResult<Kind> {
    obj.only(&["table_width", "has_column_header", "has_row_header", "children"])?;
    let (was_width, was_row, was_column, fit_width) = match before {
        Some(Kind::Table { width, header_row, header_column, fit_width }) => {
            (Some(*width), *header_row, *header_column, *fit_width)
        }
        _ => (None, false, false, false),
    };
    let width = match (obj.get("table_width"), was_width) {
        (Some(value), None) => {
            value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0)
        }
        (_, was) => was,
    };
    let width = width.ok_or_else(|| {
        ApiError::body(&obj.at("table_width"), "a positive integer", obj.get("table_width"))
    })?;
    Ok(Kind::Table {
        width,
        header_row: obj.bool("has_column_header")?.unwrap_or(was_row),
        header_column: obj.bool("has_row_header")?.unwrap_or(was_column),
        fit_width,
    })
}

/// A share of the width in whole percent.
fn percent(share: f64) -> Option<u8> {
    (1..=100).find(|percent| (f64::from(*percent) / 100.0 - share).abs() < 0.005)
}

fn color_of(kind: &Kind) -> rich::Color {
    match kind {
        Kind::Paragraph { color, .. }
        | Kind::Heading { color, .. }
        | Kind::Bulleted { color, .. }
        | Kind::Numbered { color, .. }
        | Kind::ToDo { color, .. }
        | Kind::Quote { color, .. }
        | Kind::Toggle { color, .. }
        | Kind::Callout { color, .. }
        | Kind::TableOfContents { color } => *color,
        _ => rich::Color::DEFAULT,
    }
}

/// A block as answers carry it; children are never inside.
pub(crate) fn to_json(ws: &Workspace, block: &Block, page: &str, in_trash: bool) -> Value {
    if !ws.capabilities.read {
        return json!({"object": "block", "id": block.id});
    }
    let holder = ws.pages.get(page).and_then(|page| crate::block::parent_of(&page.body, &block.id));
    let parent = match holder {
        Some(id) => json!({"type": "block_id", "block_id": id}),
        None => json!({"type": "page_id", "page_id": page}),
    };
    let name = block.kind.name();
    let mut out = Map::new();
    out.insert("object".to_owned(), json!("block"));
    out.insert("id".to_owned(), json!(block.id));
    out.insert("parent".to_owned(), parent);
    out.insert("created_time".to_owned(), json!(iso(block.created)));
    out.insert("last_edited_time".to_owned(), json!(iso(block.edited)));
    out.insert("created_by".to_owned(), json!({"object": "user", "id": block.created_by}));
    out.insert("last_edited_by".to_owned(), json!({"object": "user", "id": block.edited_by}));
    out.insert("has_children".to_owned(), json!(has_children(ws, block)));
    out.insert("in_trash".to_owned(), json!(in_trash));
    out.insert("type".to_owned(), json!(name));
    out.insert(name.to_owned(), payload(ws, block));
    Value::Object(out)
}

fn has_children(ws: &Workspace, block: &Block) -> bool {
    match &block.kind {
        Kind::ChildPage => ws.pages.get(&block.id).is_some_and(|page| !page.body.is_empty()),
        Kind::Synced { from: Some(original) } => {
            ws.block(original).is_some_and(|block| !block.children.is_empty())
        }
        _ => !block.children.is_empty(),
    }
}

fn payload(ws: &Workspace, block: &Block) -> Value {
    let rt = |text: &RichText| rich::to_json(ws, text);
    match &block.kind {
        Kind::Paragraph { text, color }
        | Kind::Bulleted { text, color }
        | Kind::Numbered { text, color }
        | Kind::Quote { text, color }
        | Kind::Toggle { text, color } => json!({"rich_text": rt(text), "color": color.name()}),
        Kind::Heading { text, color, toggle, .. } => {
            json!({"rich_text": rt(text), "color": color.name(), "is_toggleable": toggle})
        }
        Kind::ToDo { text, checked, color } => {
            json!({"rich_text": rt(text), "checked": checked, "color": color.name()})
        }
        Kind::Callout { text, icon, color } => {
            json!({"rich_text": rt(text), "icon": icon, "color": color.name()})
        }
        Kind::Code { text, caption, language } => {
            json!({"rich_text": rt(text), "caption": rt(caption), "language": language})
        }
        Kind::Equation { expression } => json!({"expression": expression}),
        Kind::Table { width, header_row, header_column, .. } => {
            json!({"table_width": width, "has_column_header": header_row, "has_row_header": header_column})
        }
        Kind::TableRow { cells } => json!({"cells": cells.iter().map(rt).collect::<Vec<_>>()}),
        Kind::Media { source, caption, .. } => match source {
            MediaSource::External(url) | MediaSource::Upload(url) => {
                json!({"type": "external", "external": {"url": url}, "caption": rt(caption)})
            }
            MediaSource::Hosted(_) => json!({
                "type": "file",
                "file": {"url": media_url(source, ws.signature), "expiry_time": iso(ws.minute())},
                "caption": rt(caption),
            }),
        },
        Kind::ChildPage | Kind::ChildDatabase => json!({"title": ws.title_of(&block.id)}),
        Kind::TableOfContents { color } => json!({"color": color.name()}),
        Kind::Synced { from: None } => json!({"synced_from": null}),
        Kind::Synced { from: Some(id) } => {
            json!({"synced_from": {"type": "block_id", "block_id": id}})
        }
        Kind::Bookmark { url, caption } | Kind::Embed { url, caption } => {
            json!({"url": url, "caption": rt(caption)})
        }
        Kind::LinkPreview { url } => json!({"url": url}),
        Kind::Template { text } => json!({"rich_text": rt(text)}),
        Kind::LinkToPage { target } => target.clone(),
        Kind::MeetingNotes { title } => json!({"title": rt(title)}),
        Kind::Unsupported { block_type } => json!({"block_type": block_type}),
        Kind::Column { ratio: Some(ratio) } => json!({"width_ratio": f64::from(*ratio) / 100.0}),
        Kind::Tab { text, icon } => {
            json!({"rich_text": rt(text), "icon": icon, "color": "default"})
        }
        Kind::Divider
        | Kind::Breadcrumb
        | Kind::ColumnList
        | Kind::Column { ratio: None }
        | Kind::Tabs => json!({}),
    }
}
