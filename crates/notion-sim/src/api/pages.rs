//! Pages (notion-api.md 4.5, 4.6).

use serde_json::{Map, Value, json};

use crate::api::databases::{icon, need_id};
use crate::api::paging::{self, Paging};
use crate::api::{Input, block_json, markdown, objects};
use crate::block::{Block, Draft, Kind};
use crate::error::{ApiError, ApiResult};
use crate::markdown::parse::{Node, Parsed};
use crate::request::Obj;
use crate::rich::{self, RichText};
use crate::schema::PropertyKind;
use crate::values::{self, Written};
use crate::workspace::Workspace;
use crate::workspace::content::Position;
use crate::workspace::objects::Parent;

/// Body of a page to be made.
enum Content {
    None,
    Blocks(Vec<Draft>),
    Markdown(Vec<Parsed>),
}

pub(crate) fn create(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&["filter_properties"])?;
    let body = input.body()?;
    body.only(&[
        "parent",
        "properties",
        "icon",
        "cover",
        "markdown",
        "markdown_version",
        "children",
        "content",
        "allow_async",
        "template",
        "position",
    ])?;
    let parent = read_parent(ws, &body.need_obj("parent")?)?;
    let mut content = read_content(ws, &body)?;
    if let Content::Blocks(drafts) = &content {
        ws.check_uploads(drafts)?;
    }
    let (given_icon, cover) = (icon(&body, "icon")?, icon(&body, "cover")?);
    let position = read_position(&body)?;
    let empty = Value::Object(Map::new());
    let properties = Obj::new(body.get("properties").unwrap_or(&empty), "body.properties")?;
    let bot = ws.bot.clone();
    let id = match &parent {
        Parent::DataSource(source_id) => {
            if position.is_some() {
                return Err(ApiError::invalid("position is only for pages below a page."));
            }
            let source = ws.visible_data_source(source_id)?;
            let mut values = ws.read_values(source, &properties)?;
            let titled = values.iter().any(|(property, _)| property == "title");
            if !titled && let Some(title) = absorb_title(&mut content) {
                values
                    .push(("title".to_owned(), Written::Value(values::PropertyValue::Text(title))));
            }
            check_references(&content)?;
            let id = ws.new_row(source_id, &bot);
            ws.write_values(&id, source_id, values);
            id
        }
        Parent::Page(holder) => {
            properties.only(&["title"])?;
            let title = page_title(&properties)?.or_else(|| absorb_title(&mut content));
            check_references(&content)?;
            let id = ws.new_subpage(holder, title.unwrap_or_default(), &bot);
            if let Some(position) = position {
                let block = ws.block_with_id(id.clone(), holder, Kind::ChildPage, Vec::new(), &bot);
                ws.detach_child(&id, holder);
                ws.block_home.insert(id.clone(), holder.clone());
                ws.insert_blocks(holder, None, &position, vec![block]);
            }
            id
        }
        Parent::Workspace => return Err(ApiError::invalid("body.parent is not supported.")),
    };
    let blocks: Vec<Block> = match content {
        Content::None => Vec::new(),
        Content::Blocks(mut drafts) => {
            ws.settle_uploads(&mut drafts);
            ws.new_blocks(&id, drafts, &bot)
        }
        Content::Markdown(parsed) => ws.markdown_blocks(&id, parsed, &bot)?,
    };
    if let Some(page) = ws.pages.get_mut(&id) {
        page.body = blocks;
        page.icon = given_icon.unwrap_or(Value::Null);
        page.cover = cover.unwrap_or(Value::Null);
    }
    Ok(objects::page(ws, ws.visible_page(&id)?, &input.params("filter_properties")))
}

fn read_parent(ws: &Workspace, parent: &Obj<'_>) -> ApiResult<Parent> {
    parent.only(&["type", "data_source_id", "database_id", "page_id", "workspace"])?;
    if parent.has("data_source_id") {
        let id = need_id(parent, "data_source_id")?;
        ws.visible_data_source(&id)?;
        if ws.is_trashed(&id) {
            return Err(ApiError::trashed());
        }
        return Ok(Parent::DataSource(id));
    }
    if parent.has("database_id") {
        let id = need_id(parent, "database_id")?;
        let database = ws.visible_database(&id)?;
        if ws.is_trashed(&id) {
            return Err(ApiError::trashed());
        }
        return match database.data_sources.as_slice() {
            [only] => Ok(Parent::DataSource(only.clone())),
            _ => Err(ApiError::invalid(
                "Databases with multiple data sources need parent.data_source_id.",
            )),
        };
    }
    if parent.has("page_id") {
        let id = need_id(parent, "page_id")?;
        ws.editable_page(&id)?;
        return Ok(Parent::Page(id));
    }
    Err(ApiError::invalid(
        "body failed validation: body.parent should have data_source_id, database_id or page_id (an internal connection \
         cannot create pages at the top of the workspace).",
    ))
}

fn read_content(ws: &Workspace, body: &Obj<'_>) -> ApiResult<Content> {
    if body.bool("allow_async")?.unwrap_or(false) {
        return Err(ApiError::invalid(
            "This simulator answers synchronously only: leave allow_async out.",
        ));
    }
    if let Some(template) = body.obj("template")?
        && template.need_str("type")? != "none"
    {
        return Err(ApiError::invalid("This simulator has no templates."));
    }
    let given: Vec<&str> =
        ["markdown", "children", "content"].into_iter().filter(|key| body.has(key)).collect();
    if given.len() > 1 {
        return Err(ApiError::invalid(format!(
            "body failed validation: only one of {} may be given.",
            given.join(", ")
        )));
    }
    if body.has("markdown_version") && !body.has("markdown") {
        return Err(ApiError::invalid("markdown_version is only valid together with markdown."));
    }
    match given.first().copied() {
        None => Ok(Content::None),
        Some("markdown") => {
            let version = markdown::version(ws, body.str("markdown_version")?)?;
            let read = crate::markdown::read(body.need_str("markdown")?, version)?;
            Ok(Content::Markdown(read.blocks))
        }
        Some(key) => {
            let items = body.objects(key, 100)?.unwrap_or_default();
            Ok(Content::Blocks(block_json::drafts(&items)?))
        }
    }
}

fn read_position(body: &Obj<'_>) -> ApiResult<Option<Position>> {
    let Some(position) = body.obj("position")? else { return Ok(None) };
    match position.need_str("type")? {
        "page_start" => Ok(Some(Position::Start)),
        "page_end" => Ok(Some(Position::End)),
        "after_block" => {
            Ok(Some(Position::After(need_id(&position.need_obj("after_block")?, "id")?)))
        }
        _ => Err(ApiError::body(
            &position.at("type"),
            "`\"page_start\"`, `\"page_end\"` or `\"after_block\"`",
            position.get("type"),
        )),
    }
}

/// The title of a page outside data sources: rich text, with or without `title` around it.
fn page_title(properties: &Obj<'_>) -> ApiResult<Option<RichText>> {
    let Some(value) = properties.get("title") else { return Ok(None) };
    let path = properties.at("title");
    let items = match value {
        Value::Array(items) => items,
        other => {
            let obj = Obj::new(other, path.clone())?;
            obj.only(&["title", "type", "id"])?;
            obj.array("title")?.ok_or_else(|| obj.missing("title"))?
        }
    };
    rich::from_json(items, &path).map(Some)
}

/// The first `# H1` becomes the title where none is given (notion-api.md 4.5). Where one is given, a leading H1
/// stays in the body: whether Notion absorbs it then is an open question (section 10), and keeping it loses
/// nothing.
fn absorb_title(content: &mut Content) -> Option<RichText> {
    let Content::Markdown(parsed) = content else { return None };
    let is_h1 = parsed
        .first()
        .is_some_and(|first| matches!(first.node, Node::Block(Kind::Heading { level: 1, .. })));
    if !is_h1 {
        return None;
    }
    let first = parsed.remove(0);
    for child in first.children.into_iter().rev() {
        parsed.insert(0, child);
    }
    match first.node {
        Node::Block(Kind::Heading { text, .. }) => Some(text),
        _ => None,
    }
}

/// In a new page, no tag can refer to something that is on it already.
fn check_references(content: &Content) -> ApiResult<()> {
    fn check(parsed: &[Parsed]) -> ApiResult<()> {
        for block in parsed {
            if let Node::Existing { tag, .. } = &block.node {
                return Err(ApiError::invalid(format!(
                    "A <{tag}> block cannot be created through markdown."
                )));
            }
            check(&block.children)?;
        }
        Ok(())
    }
    match content {
        Content::Markdown(parsed) => check(parsed),
        _ => Ok(()),
    }
}

pub(crate) fn get(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&["filter_properties"])?;
    let id = input.id(0)?;
    Ok(objects::page(ws, ws.visible_page(&id)?, &input.params("filter_properties")))
}

pub(crate) fn update(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    input.only_params(&["filter_properties"])?;
    let body = input.body()?;
    body.only(&[
        "properties",
        "icon",
        "cover",
        "is_locked",
        "in_trash",
        "is_archived",
        "erase_content",
    ])?;
    let page = ws.visible_page(&id)?;
    let parent = page.parent.clone();
    let in_trash = body.bool("in_trash")?;
    if ws.is_trashed(&id) && in_trash != Some(false) {
        return Err(ApiError::trashed());
    }
    if in_trash == Some(true) && parent == Parent::Workspace {
        return Err(ApiError::invalid("Archiving workspace level pages via API not supported."));
    }
    let archived = body.bool("is_archived")?;
    let locked = body.bool("is_locked")?;
    let erase = body.bool("erase_content")?.unwrap_or(false);
    let (given_icon, cover) = (icon(&body, "icon")?, icon(&body, "cover")?);
    let mut values = Vec::new();
    let mut title = None;
    if let Some(properties) = body.obj("properties")? {
        match &parent {
            Parent::DataSource(source) => {
                values = ws.read_values(ws.visible_data_source(source)?, &properties)?
            }
            _ => {
                properties.only(&["title"])?;
                title = page_title(&properties)?;
            }
        }
    }
    let bot = ws.bot.clone();
    if let Parent::DataSource(source) = &parent {
        ws.write_values(&id, source, values);
    }
    if erase {
        let body =
            ws.pages.get_mut(&id).map(|page| std::mem::take(&mut page.body)).unwrap_or_default();
        for block in body {
            ws.forget(&block);
        }
    }
    if let Some(page) = ws.pages.get_mut(&id) {
        page.title = title.unwrap_or_else(|| std::mem::take(&mut page.title));
        page.icon = given_icon.unwrap_or_else(|| page.icon.take());
        page.cover = cover.unwrap_or_else(|| page.cover.take());
        page.is_archived = archived.unwrap_or(page.is_archived);
        page.is_locked = locked.unwrap_or(page.is_locked);
    }
    if let Some(in_trash) = in_trash {
        ws.set_trash(&id, in_trash, &bot);
    }
    ws.touch(&id, &bot);
    Ok(objects::page(ws, ws.visible_page(&id)?, &input.params("filter_properties")))
}

pub(crate) fn move_page(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    let body = input.body()?;
    body.only(&["parent", "position"])?;
    ws.editable_page(&id)?;
    let given = body.need_obj("parent")?;
    given.only(&["type", "page_id", "data_source_id"])?;
    let parent = read_parent(ws, &given)?;
    let bot = ws.bot.clone();
    ws.reparent(&id, parent, &bot);
    Ok(objects::page(ws, ws.visible_page(&id)?, &[]))
}

/// One property of a page, in full (notion-api.md 4.6).
pub(crate) fn property_item(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    input.only_params(&["start_cursor", "page_size"])?;
    let paging = Paging::of_query(input)?;
    let page = ws.visible_page(&id)?;
    let key = input.params.get(1).map(String::as_str).unwrap_or_default();
    let missing = || {
        ApiError::new(404, "object_not_found", format!("Could not find property with ID: {key}."))
    };
    let Some(source) = ws.data_source_of(page) else {
        if key != "title" {
            return Err(missing());
        }
        let Value::Array(items) = rich::to_json(ws, &page.title) else { return Err(missing()) };
        return Ok(item_list(&paging, "title", "title", items));
    };
    let property =
        source.properties.iter().find(|property| property.id == key).ok_or_else(missing)?;
    let kind = property.kind.name();
    let payload = values::payload(ws, page, property);
    let listed = matches!(
        property.kind,
        PropertyKind::Title
            | PropertyKind::RichText
            | PropertyKind::People
            | PropertyKind::Relation { .. }
    );
    if let (PropertyKind::Rollup { .. }, Some(Value::Array(items))) =
        (&property.kind, payload.get("array"))
    {
        let mut answer = item_list(&paging, &property.encoded_id(), kind, items.clone());
        answer["property_item"]["rollup"] = payload.clone();
        if answer["has_more"] == true {
            answer["property_item"]["rollup"] = json!({"type": "incomplete", "incomplete": {}, "function": payload.get("function")});
        }
        return Ok(answer);
    }
    match payload {
        Value::Array(items) if listed => {
            Ok(item_list(&paging, &property.encoded_id(), kind, items))
        }
        other => Ok(
            json!({"object": "property_item", "id": property.encoded_id(), "type": kind, kind: other}),
        ),
    }
}

fn item_list(paging: &Paging, id: &str, kind: &str, items: Vec<Value>) -> Value {
    // Items are found again by what they refer to; texts have no id, so their place counts alone.
    const NO_ID: &str = "00000000-0000-4000-8000-000000000000";
    let (page, next) = paging.cut(&items, |item| {
        item.get("id").and_then(Value::as_str).filter(|id| id.len() == 36).unwrap_or(NO_ID)
    });
    let results = page
        .iter()
        .map(|item| json!({"object": "property_item", "id": id, "type": kind, kind: item}))
        .collect();
    let mut answer = paging::list("property_item", results, next);
    answer["property_item"] = json!({"id": id, "type": kind, "next_url": null, kind: {}});
    answer
}
