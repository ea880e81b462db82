//! Objects as answers carry them (notion-api.md 3).

use serde_json::{Value, json};

use crate::clock::iso;
use crate::markdown::inline_render::page_url;
use crate::rich;
use crate::schema;
use crate::values;
use crate::workspace::Workspace;
use crate::workspace::objects::{Comment, CommentParent, DataSource, Database, Page, Parent};

fn user(id: &str) -> Value {
    json!({"object": "user", "id": id})
}

fn parent(ws: &Workspace, parent: &Parent) -> Value {
    match parent {
        Parent::Workspace => json!({"type": "workspace", "workspace": true}),
        Parent::Page(id) => json!({"type": "page_id", "page_id": id}),
        Parent::DataSource(id) => json!({
            "type": "data_source_id",
            "data_source_id": id,
            "database_id": ws.data_sources.get(id).map(|source| source.database.as_str()),
        }),
    }
}

/// A page; only id and type where the connection may not read (notion-api.md 2).
pub(crate) fn page(ws: &Workspace, page: &Page, only: &[String]) -> Value {
    if !ws.capabilities.read {
        return json!({"object": "page", "id": page.id});
    }
    json!({
        "object": "page",
        "id": page.id,
        "created_time": iso(page.created),
        "last_edited_time": iso(page.edited),
        "created_by": user(&page.created_by),
        "last_edited_by": user(&page.edited_by),
        "cover": page.cover,
        "icon": page.icon,
        "parent": parent(ws, &page.parent),
        "in_trash": page.in_trash,
        "is_archived": page.is_archived,
        "is_locked": page.is_locked,
        "properties": values::page_properties(ws, page, only),
        "url": page_url(&page.id),
        "public_url": null,
    })
}

pub(crate) fn database(ws: &Workspace, database: &Database) -> Value {
    if !ws.capabilities.read {
        return json!({"object": "database", "id": database.id});
    }
    let sources: Vec<Value> = database
        .data_sources
        .iter()
        .filter_map(|id| ws.data_sources.get(id))
        .filter(|source| !source.in_trash)
        .map(|source| json!({"id": source.id, "name": rich::plain_text(ws, &source.title)}))
        .collect();
    json!({
        "object": "database",
        "id": database.id,
        "title": rich::to_json(ws, &database.title),
        "description": rich::to_json(ws, &database.description),
        "parent": parent(ws, &database.parent),
        "is_inline": database.inline,
        "in_trash": database.in_trash,
        "is_locked": database.is_locked,
        "created_time": iso(database.created),
        "last_edited_time": iso(database.edited),
        "created_by": user(&database.created_by),
        "last_edited_by": user(&database.edited_by),
        "data_sources": sources,
        "icon": database.icon,
        "cover": database.cover,
        "url": page_url(&database.id),
        "public_url": null,
    })
}

pub(crate) fn data_source(ws: &Workspace, source: &DataSource) -> Value {
    if !ws.capabilities.read {
        return json!({"object": "data_source", "id": source.id});
    }
    let properties: Vec<_> = source
        .properties
        .iter()
        .filter(|property| ws.property_visible(property))
        .cloned()
        .collect();
    let database = ws.database(&source.database);
    json!({
        "object": "data_source",
        "id": source.id,
        "title": rich::to_json(ws, &source.title),
        "description": [],
        "parent": {"type": "database_id", "database_id": source.database},
        "database_parent": database.map(|database| parent(ws, &database.parent)),
        "is_inline": database.is_some_and(|database| database.inline),
        "in_trash": source.in_trash,
        "created_time": iso(source.created),
        "last_edited_time": iso(source.edited),
        "created_by": user(&source.created_by),
        "last_edited_by": user(&source.edited_by),
        "properties": schema::to_json(&properties),
        "icon": source.icon,
        "cover": null,
        "url": page_url(&source.id),
        "public_url": null,
    })
}

pub(crate) fn comment(ws: &Workspace, comment: &Comment) -> Value {
    if !ws.capabilities.read_comments {
        return json!({"object": "comment", "id": comment.id});
    }
    let parent = match &comment.parent {
        CommentParent::Page(id) => json!({"type": "page_id", "page_id": id}),
        CommentParent::Block(id) => json!({"type": "block_id", "block_id": id}),
    };
    json!({
        "object": "comment",
        "id": comment.id,
        "parent": parent,
        "discussion_id": comment.discussion,
        "created_time": iso(comment.created),
        "last_edited_time": iso(comment.edited),
        "created_by": user(&comment.created_by),
        "rich_text": rich::to_json(ws, &comment.text),
        "display_name": {"type": "integration", "resolved_name": ws.user_name(&comment.created_by)},
        "has_pending_attachments": false,
        "original_content_deleted": comment.original_deleted,
    })
}
