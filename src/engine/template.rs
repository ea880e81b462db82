//! Template rows: a page in the database of a kind with the text of the repository's own template file, for people
//! to copy. The file leads; what a person wrote into the row, or deleted, stays so.

use agent_sync_core::document;
use agent_sync_core::kind::{Format, Kind, PropertyType};
use agent_sync_core::markdown::{self, Local, Push};
use agent_sync_core::model::{Properties, Value};
use agent_sync_core::schema::TemplateFile;

use super::{RunError, Turn};
use crate::backend::{BackendError, Life, Place, Presence, RemotePage, TEMPLATE_ID, TemplateRow};
use crate::repo::ReadError;

/// Where the template files of kinds are, unless something else is configured.
const FOLDER: &str = ".agent/templates";

/// Most hunks of one request.
const HUNKS: usize = 100;

/// What is to be done with the template row of a kind.
pub(super) struct Row {
    /// Path of the file.
    pub path: String,
    step: Step,
    /// Digest of the file's body.
    file: String,
}

enum Step {
    /// It is to be made.
    Create { properties: Box<Properties>, body: String },
    /// Its text follows the file.
    Update { page: String, push: Push },
    /// It is as it should be; only the state does not say so.
    Record { page: String, body: String },
}

impl Row {
    /// Whether something is written to the backend.
    pub(super) fn is_written(&self) -> bool {
        !matches!(self.step, Step::Record { .. })
    }

    /// Whether the row is made.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.step, Step::Create { .. })
    }
}

/// The id that a kind's template row has.
fn id_of(kind: &Kind) -> String {
    format!("{TEMPLATE_ID}{}", kind.name)
}

/// Leaves template rows out of a kind's listing: they are no artifacts. Of several with the kind's marker the known
/// one is it, else the oldest; the others are copies that people made of it, and so pages without an id.
pub(super) fn leave_out(kind: &str, pages: &mut Vec<RemotePage>, known: Option<&TemplateRow>) {
    let marker = |page: &RemotePage| {
        page.id.as_deref().and_then(|id| id.strip_prefix(TEMPLATE_ID)).map(str::to_owned)
    };
    // Kinds may share a database.
    pages.retain(|page| marker(page).is_none_or(|of| of == kind));
    let marked = || pages.iter().filter(|page| marker(page).is_some());
    let row = match known {
        Some(known) => Some(known.page.clone()),
        None => marked()
            .min_by_key(|page| (page.created, page.page.clone()))
            .map(|page| page.page.clone()),
    };
    pages.retain(|page| marker(page).is_none() || row.as_ref() != Some(&page.page));
    for page in pages.iter_mut().filter(|page| marker(page).is_some()) {
        page.id = None;
    }
}

/// The id of a page that is no template row; none where the page only has what it was copied with.
pub(super) fn own_id(page: &RemotePage) -> Option<&str> {
    page.id.as_deref().filter(|id| !id.starts_with(TEMPLATE_ID))
}

/// What is to be done; nothing for a kind without a template file. Requests: none where the file is as it was, else
/// 1 to find the row and 2 to look at it.
///
/// # Errors
/// What the backend says, and [`RunError::Usage`] for a configured file that is not there.
pub(super) async fn plan(
    turn: &mut Turn<'_>,
    kind: &Kind,
    place: Option<&Place>,
) -> Result<Option<Row>, RunError> {
    if !turn.backend.is_for_people() {
        return Ok(None);
    }
    let Some((path, text)) = file(turn, kind)? else { return Ok(None) };
    let document = document::parse(kind, "", &path, &text);
    let local =
        Local { text: &text, excluded: &document.excluded, format: kind.format, links: None };
    let file = markdown::local_digest(&local);
    let dialect = turn.backend.dialect();
    let create = || Row {
        path: path.clone(),
        file: file.clone(),
        step: Step::Create {
            properties: Box::new(properties(kind, &document.properties())),
            body: markdown::render_remote(&local, dialect),
        },
    };
    let Some(place) = place else { return Ok(Some(create())) };
    let known = place.made.template.as_ref();
    if known.is_some_and(|known| known.file == file) {
        return Ok(None);
    }
    let found = match known {
        Some(known) => match turn.backend.page(kind, place, &known.page).await? {
            Presence::Found(page) if page.life == Life::Alive => Some(page.page.clone()),
            // A person took it away.
            Presence::Found(_) | Presence::NotFound => return Ok(None),
        },
        None if kind.id().is_some_and(|id| place.properties.contains_key(&id.name)) => {
            let mut rows = turn.backend.find(kind, place, &[id_of(kind)]).await?;
            rows.sort_by(|a, b| (a.created, &a.page).cmp(&(b.created, &b.page)));
            rows.into_iter().next().map(|row| row.page)
        }
        None => None,
    };
    let Some(page) = found else { return Ok(Some(create())) };
    let now = turn.backend.body(&page).await?;
    let body = markdown::remote_digest(dialect, &now.text);
    let step = if body == file {
        Step::Record { page, body }
    } else if now.complete && known.is_some_and(|known| known.body == body) {
        match markdown::plan_push(dialect, None, &local, &now.text) {
            Push::Nothing => Step::Record { page, body },
            Push::Impossible(reason) => {
                turn.report.notices.push(format!(
                    "The template row of \"{}\" does not follow {path}: {reason}.",
                    kind.database
                ));
                return Ok(None);
            }
            push => Step::Update { page, push },
        }
    } else {
        turn.report.notices.push(format!(
            "The template row of \"{}\" was edited in {}, so it does not follow {path}. Bring the two together there.",
            kind.database,
            turn.backend.label()
        ));
        return Ok(None);
    };
    Ok(Some(Row { path, file, step }))
}

/// The file and its text.
fn file(turn: &Turn<'_>, kind: &Kind) -> Result<Option<(String, String)>, RunError> {
    let configured = turn.session.config.designs.get(&kind.name).map(|design| &design.template);
    let (path, needed) = match configured {
        Some(TemplateFile::None) => return Ok(None),
        Some(TemplateFile::File(path)) => (path.clone(), true),
        Some(TemplateFile::Usual) | None => {
            let ending = if kind.format == Format::Yaml { "yaml" } else { "md" };
            (format!("{FOLDER}/{}.{ending}", kind.name), false)
        }
    };
    match turn.session.tree.read(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(ReadError::NotFound { .. }) if !needed => Ok(None),
        Err(error) => Err(RunError::Usage(format!(
            "The template of kind {} cannot be used: {error}. Correct `template:` of the kind, or the file.",
            kind.name
        ))),
    }
}

/// What the row has beside its text: the marker, a title, and the options that the file names.
fn properties(kind: &Kind, values: &Properties) -> Properties {
    let mut own = Properties::new();
    for property in &kind.properties {
        let options = || match values.get(&property.name)? {
            Value::Text(text) => Some(Value::Text(property.option_of_local(text)?.0.clone())),
            Value::Set(_) => None,
        };
        let value = match property.r#type {
            PropertyType::Title => Value::text(&format!("Template: {}", kind.name)),
            _ if kind.id().is_some_and(|id| id.name == property.name) => Value::text(&id_of(kind)),
            PropertyType::Select | PropertyType::Status => options(),
            _ => None,
        };
        own.extend(value.map(|value| (property.name.clone(), value)));
    }
    own
}

/// Does what was planned and remembers it.
///
/// # Errors
/// What the backend says; a text that somebody is editing is left for the next run.
pub(super) async fn write(
    turn: &mut Turn<'_>,
    kind: &Kind,
    place: &mut Place,
    row: &Row,
) -> Result<(), RunError> {
    let dialect = turn.backend.dialect();
    let (page, body) = match &row.step {
        Step::Record { page, body } => (page.clone(), body.clone()),
        Step::Create { properties, body } => {
            let page = turn.backend.create(kind, place, properties, body).await?.page;
            let now = turn.backend.body(&page).await?;
            (page, markdown::remote_digest(dialect, &now.text))
        }
        Step::Update { page, push } => {
            let answer = match push {
                Push::Append(text) => turn.backend.append_body(page, text).await,
                Push::Edit(hunks) => {
                    turn.backend.edit_body(page, hunks.get(..HUNKS).unwrap_or(hunks)).await
                }
                Push::Nothing | Push::Impossible(_) => return Ok(()),
            };
            match answer {
                Ok(now) => (page.clone(), markdown::remote_digest(dialect, &now.text)),
                Err(
                    BackendError::Stale { .. }
                    | BackendError::Collided { .. }
                    | BackendError::Rejected { .. },
                ) => {
                    turn.report.notices.push(format!(
                        "The template row of \"{}\" did not take the text of {}; it is left as it is.",
                        kind.database, row.path
                    ));
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    place.made.template = Some(TemplateRow { page, file: row.file.clone(), body });
    Ok(())
}
