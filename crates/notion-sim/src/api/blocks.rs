//! Blocks (notion-api.md 4.9).

use serde_json::Value;

use crate::api::databases::need_id;
use crate::api::paging::{self, Paging};
use crate::api::{Input, block_json};
use crate::block::{self, Block, Kind};
use crate::error::{ApiError, ApiResult};
use crate::workspace::Workspace;
use crate::workspace::content::Position;

/// The page that a block is on, if the connection sees it. A page is at home on itself.
fn home(ws: &Workspace, id: &str) -> ApiResult<String> {
    let page = if ws.pages.contains_key(id) {
        Some(id)
    } else {
        ws.block_home.get(id).map(String::as_str)
    };
    match page.filter(|_| ws.visible(id)) {
        Some(page) => Ok(page.to_owned()),
        None => Err(ApiError::not_found("block", id)),
    }
}

pub(crate) fn get(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&[])?;
    let id = input.id(0)?;
    if let Some(trashed) = ws.trashed_blocks.get(&id).filter(|trashed| ws.visible(&trashed.page)) {
        return Ok(block_json::to_json(ws, &trashed.block, &trashed.page, true));
    }
    if let Some(page) = ws.pages.get(&id).filter(|_| ws.visible(&id)) {
        // A page is a block of type child_page.
        let stand_in = Block {
            id: id.clone(),
            kind: Kind::ChildPage,
            children: Vec::new(),
            created: page.created,
            created_by: page.created_by.clone(),
            edited: page.edited,
            edited_by: page.edited_by.clone(),
        };
        let holder = ws.block_home.get(&id).cloned().unwrap_or_else(|| id.clone());
        return Ok(block_json::to_json(ws, &stand_in, &holder, page.in_trash));
    }
    let page = home(ws, &id)?;
    let block = ws.block(&id).ok_or_else(|| ApiError::not_found("block", &id))?;
    Ok(block_json::to_json(ws, block, &page, ws.is_trashed(&page)))
}

pub(crate) fn children(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&["start_cursor", "page_size"])?;
    let id = input.id(0)?;
    let paging = Paging::of_query(input)?;
    let page = home(ws, &id)?;
    if ws.is_trashed(&page) {
        return Err(ApiError::not_found("block", &id));
    }
    ws.signature += 1;
    let list: &[Block] = match ws.pages.get(&id) {
        Some(page) => &page.body,
        None => match ws.block(&id) {
            Some(Block { kind: Kind::Synced { from: Some(original) }, .. }) => {
                ws.block(original).map_or(&[], |original| &original.children)
            }
            Some(block) => &block.children,
            None => return Err(ApiError::not_found("block", &id)),
        },
    };
    let (cut, next) = paging.cut(list, |block| &block.id);
    Ok(paging::list(
        "block",
        cut.iter().map(|block| block_json::to_json(ws, block, &page, false)).collect(),
        next,
    ))
}

pub(crate) fn append(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    let body = input.body()?;
    body.only(&["children", "position"])?;
    let items = body.objects("children", 100)?.ok_or_else(|| body.missing("children"))?;
    let position = match body.obj("position")? {
        None => Position::End,
        Some(position) => match position.need_str("type")? {
            "start" => Position::Start,
            "end" => Position::End,
            "after_block" => Position::After(need_id(&position.need_obj("after_block")?, "id")?),
            _ => {
                return Err(ApiError::body(
                    &position.at("type"),
                    "`\"start\"`, `\"end\"` or `\"after_block\"`",
                    position.get("type"),
                ));
            }
        },
    };
    let page = home(ws, &id)?;
    if ws.is_trashed(&page) {
        return Err(ApiError::trashed());
    }
    let drafts = block_json::drafts(&items)?;
    let parent = (page != id).then_some(id.as_str());
    let takes = match parent {
        None => true,
        Some(id) => ws.block(id).is_some_and(|block| block.kind.takes_children()),
    };
    if !takes {
        return Err(ApiError::invalid("Block does not support children."));
    }
    if let Position::After(after) = &position {
        let there = ws
            .children_mut(&page, parent)
            .is_some_and(|list| list.iter().any(|block| block.id == *after));
        if !there {
            return Err(ApiError::invalid(format!(
                "Block to append children after ({after}) is not a child of the given block."
            )));
        }
    }
    let mut drafts = drafts;
    ws.check_uploads(&drafts)?;
    ws.settle_uploads(&mut drafts);
    let bot = ws.bot.clone();
    let blocks = ws.new_blocks(&page, drafts, &bot);
    let new: Vec<String> = blocks.iter().map(|block| block.id.clone()).collect();
    ws.insert_blocks(&page, parent, &position, blocks);
    ws.touch(&page, &bot);
    let results = new
        .iter()
        .filter_map(|id| ws.block(id))
        .map(|block| block_json::to_json(ws, block, &page, false))
        .collect();
    Ok(paging::list("block", results, None))
}

pub(crate) fn update(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let id = input.id(0)?;
    let body = input.body()?;
    let bot = ws.bot.clone();
    let in_trash = body.bool("in_trash")?;
    if let Some(trashed) = ws.trashed_blocks.get(&id) {
        if !ws.visible(&trashed.page) {
            return Err(ApiError::not_found("block", &id));
        }
        body.only(&["in_trash"])?;
        if in_trash != Some(false) {
            return Err(ApiError::trashed());
        }
        ws.restore_block(&id, &bot);
        return get(ws, input);
    }
    let page = home(ws, &id)?;
    if ws.is_trashed(&page) {
        return Err(ApiError::trashed());
    }
    let Some(block) = ws.block(&id) else { return Err(ApiError::not_found("block", &id)) };
    if block.kind.is_child_object() {
        return Err(ApiError::invalid(
            "Child pages and databases are updated through their own endpoints.",
        ));
    }
    let name = block.kind.name();
    body.only(&["object", "type", "in_trash", name])?;
    let kind = match body.obj(name)? {
        Some(payload) if payload.has("children") => {
            return Err(ApiError::body(
                &payload.at("children"),
                "not present",
                payload.get("children"),
            ));
        }
        Some(payload) => Some(block_json::kind_of(name, &payload, Some(&block.kind))?),
        None => None,
    };
    if in_trash == Some(true) {
        ws.trash_block(&id, &bot);
        return get(ws, input);
    }
    if let Some(mut kind) = kind {
        ws.attach_to(&mut kind)?;
        ws.set_block_kind(&page, &id, kind, &bot);
    }
    get(ws, input)
}

pub(crate) fn delete(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&[])?;
    let id = input.id(0)?;
    let page = home(ws, &id)?;
    if ws.is_trashed(&page) {
        return Err(ApiError::trashed());
    }
    let bot = ws.bot.clone();
    if ws.pages.contains_key(&id) {
        ws.set_trash(&id, true, &bot);
        return get(ws, input);
    }
    let child_object = ws.block(&id).is_some_and(|block| block.kind.is_child_object());
    if child_object {
        ws.set_trash(&id, true, &bot);
        return Err(ApiError::not_found("block", &id));
    }
    ws.trash_block(&id, &bot).ok_or_else(|| ApiError::not_found("block", &id))?;
    get(ws, input)
}

impl Workspace {
    /// Gives a block other content; its id and comments stay.
    pub(crate) fn set_block_kind(&mut self, page: &str, id: &str, mut kind: Kind, actor: &str) {
        if self.odd_text {
            crate::markdown::odd::typographic(&mut kind);
        }
        let now = self.minute();
        if let Some(page) = self.pages.get_mut(page)
            && let Some(block) = block::find_mut(&mut page.body, id)
        {
            block.kind = kind;
            block.edited = now;
            block.edited_by = actor.to_owned();
        }
        self.touch(page, actor);
    }
}
