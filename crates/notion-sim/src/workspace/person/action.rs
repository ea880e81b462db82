//! What a person does, as JSON: for tests in other languages and for playing.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::workspace::Workspace;
use crate::workspace::person::{Done, Special};

/// What a person does, as the control endpoint `POST /_sim/person` takes it. Pages are named by id or address,
/// databases by id or title.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    EditBlock {
        page: String,
        containing: String,
        text: String,
    },
    AppendMarkdown {
        page: String,
        markdown: String,
    },
    InsertAfter {
        page: String,
        containing: String,
        markdown: String,
    },
    DeleteBlock {
        page: String,
        containing: String,
    },
    AddBlock {
        page: String,
        block: Special,
    },
    /// A block of any type as the API shows it, below a page or block.
    PutBlock {
        target: String,
        block: Value,
    },
    AppendMarkdownV2 {
        page: String,
        markdown: String,
    },
    MentionLink {
        page: String,
        containing: String,
        url: String,
        #[serde(default)]
        title: Option<String>,
    },
    /// Sets what a formula or rollup shows.
    SetComputed {
        page: String,
        property: String,
        value: Value,
    },
    /// Resolves a thread of comments.
    Resolve {
        discussion: String,
    },
    AddPerson {
        name: String,
    },
    Rename {
        page: String,
        title: String,
    },
    SetProperty {
        page: String,
        property: String,
        value: Value,
    },
    Trash {
        page: String,
    },
    Restore {
        page: String,
    },
    Archive {
        page: String,
        archived: bool,
    },
    MoveToPage {
        page: String,
        target: String,
    },
    MoveToDatabase {
        page: String,
        database: String,
    },
    Comment {
        target: String,
        text: String,
    },
    CommentOnWords {
        page: String,
        words: String,
        text: String,
    },
    AddOption {
        database: String,
        property: String,
        name: String,
    },
    AddProperty {
        database: String,
        property: String,
        definition: Value,
    },
    RemoveProperty {
        database: String,
        property: String,
    },
    RenameProperty {
        database: String,
        property: String,
        name: String,
    },
    CreatePage {
        database: String,
        title: String,
        #[serde(default)]
        properties: Map<String, Value>,
        #[serde(default)]
        markdown: String,
    },
    CreateSubpage {
        parent: String,
        title: String,
        #[serde(default)]
        markdown: String,
    },
    CreateDatabase {
        parent: String,
        title: String,
        schema: Value,
    },
    DeleteDatabase {
        database: String,
    },
    Share {
        id: String,
    },
    Unshare {
        id: String,
    },
    /// Looks: all databases with their pages.
    List,
    /// Looks: a page found by a property.
    Find {
        database: String,
        property: String,
        text: String,
    },
    /// Looks: the body of a page.
    Markdown {
        page: String,
    },
}

/// Does what a person does and gives what came of it: an id, a list, or nothing.
pub(crate) fn perform(ws: &mut Workspace, action: &Action) -> Done<Value> {
    let id = |id: String| json!({"id": id});
    let nothing = |()| json!({});
    match action {
        Action::EditBlock { page, containing, text } => {
            ws.edit_block(page, containing, text).map(id)
        }
        Action::AppendMarkdown { page, markdown } => {
            ws.append_markdown(page, markdown).map(|ids| json!({"ids": ids}))
        }
        Action::InsertAfter { page, containing, markdown } => {
            ws.insert_after(page, containing, markdown).map(|ids| json!({"ids": ids}))
        }
        Action::DeleteBlock { page, containing } => ws.delete_block(page, containing).map(nothing),
        Action::AddBlock { page, block } => ws.add_block(page, block).map(id),
        Action::PutBlock { target, block } => ws.put_block(target, block).map(id),
        Action::AppendMarkdownV2 { page, markdown } => {
            ws.append_markdown_v2(page, markdown).map(|ids| json!({"ids": ids}))
        }
        Action::MentionLink { page, containing, url, title } => {
            ws.mention_link(page, containing, url, title.as_deref()).map(nothing)
        }
        Action::SetComputed { page, property, value } => {
            ws.set_computed(page, property, value.clone()).map(nothing)
        }
        Action::AddPerson { name } => Ok(json!({"id": ws.add_person(name)})),
        Action::Rename { page, title } => ws.rename(page, title).map(nothing),
        Action::SetProperty { page, property, value } => {
            ws.set_property(page, property, value.clone()).map(nothing)
        }
        Action::Trash { page } => ws.trash(page).map(nothing),
        Action::Restore { page } => ws.restore(page).map(nothing),
        Action::Archive { page, archived } => ws.archive(page, *archived).map(nothing),
        Action::MoveToPage { page, target } => ws.move_to_page(page, target).map(nothing),
        Action::MoveToDatabase { page, database } => {
            ws.move_to_database(page, database).map(nothing)
        }
        Action::Comment { target, text } => ws.comment(target, text).map(id),
        Action::Resolve { discussion } => ws.resolve(discussion).map(nothing),
        Action::CommentOnWords { page, words, text } => {
            ws.comment_on_words(page, words, text).map(id)
        }
        Action::AddOption { database, property, name } => {
            ws.add_option(database, property, name).map(nothing)
        }
        Action::AddProperty { database, property, definition } => {
            ws.add_property(database, property, definition).map(nothing)
        }
        Action::RemoveProperty { database, property } => {
            ws.remove_property(database, property).map(nothing)
        }
        Action::RenameProperty { database, property, name } => {
            ws.rename_property(database, property, name).map(nothing)
        }
        Action::CreatePage { database, title, properties, markdown } => {
            let properties: Vec<(&str, Value)> =
                properties.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            ws.create_page(database, title, &properties, markdown).map(id)
        }
        Action::CreateSubpage { parent, title, markdown } => {
            ws.create_subpage(parent, title, markdown).map(id)
        }
        Action::CreateDatabase { parent, title, schema } => {
            ws.create_database(parent, title, schema).map(id)
        }
        Action::DeleteDatabase { database } => ws.delete_database(database).map(nothing),
        Action::Share { id } => {
            ws.share(id);
            Ok(json!({}))
        }
        Action::Unshare { id } => {
            ws.unshare(id);
            Ok(json!({}))
        }
        Action::List => Ok(list(ws)),
        Action::Find { database, property, text } => {
            Ok(json!({"ids": ws.pages_with(database, property, text)}))
        }
        Action::Markdown { page } => {
            let page = ws.known_page(page)?;
            Ok(json!({"markdown": ws.markdown(&page)}))
        }
    }
}

fn list(ws: &Workspace) -> Value {
    ws.databases()
        .into_iter()
        .map(|database| {
            let pages: Vec<Value> = ws
                .pages_of(&database.id, false)
                .into_iter()
                .map(|page| json!({"id": page, "title": ws.title_of(&page)}))
                .collect();
            json!({"id": database.id, "title": database.title, "data_source": database.data_source, "pages": pages})
        })
        .collect()
}
