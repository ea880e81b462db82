//! File uploads in one part (notion-api.md 4.13).

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::Input;
use crate::api::paging::{self, Paging};
use crate::block::{Draft, Kind, MediaSource};
use crate::clock::iso;
use crate::error::{ApiError, ApiResult};
use crate::workspace::Workspace;

/// Largest file that the workspace takes, in bytes; `users/me` tells it.
pub(crate) const MOST_BYTES: usize = 5_242_880;
/// Longest name of a file, in bytes (notion-api.md 6.3).
const MOST_NAME: usize = 900;
/// Seconds until an upload that is not attached to anything expires.
const LIFETIME: i64 = 3600;

/// An upload.
#[derive(Clone, Debug)]
pub(crate) struct FileUpload {
    pub(crate) id: String,
    name: Option<String>,
    content_type: Option<String>,
    /// Once sent.
    size: Option<usize>,
    created: Timestamp,
    created_by: String,
    attached: bool,
}

impl FileUpload {
    fn expired(&self, now: Timestamp) -> bool {
        !self.attached && now.duration_since(self.created).as_secs() >= LIFETIME
    }

    fn status(&self, now: Timestamp) -> &'static str {
        match self.size {
            _ if self.expired(now) => "expired",
            Some(_) => "uploaded",
            None => "pending",
        }
    }

    fn to_json(&self, now: Timestamp) -> Value {
        let status = self.status(now);
        let expiry = self.created.checked_add(jiff::SignedDuration::from_secs(LIFETIME)).ok();
        let mut out = json!({
            "object": "file_upload",
            "id": self.id,
            "created_time": iso(crate::clock::cut_to_minute(self.created)),
            "last_edited_time": iso(crate::clock::cut_to_minute(self.created)),
            "created_by": {"id": self.created_by, "type": "bot"},
            "expiry_time": expiry.filter(|_| !self.attached).map(iso),
            "in_trash": false,
            "archived": false,
            "status": status,
            "filename": self.name,
            "content_type": self.content_type,
            "content_length": self.size,
        });
        if status == "pending" {
            out["upload_url"] =
                json!(format!("https://api.notion.com/v1/file_uploads/{}/send", self.id));
        }
        out
    }
}

pub(crate) fn create(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let body = input.body()?;
    body.only(&["mode", "filename", "content_type", "number_of_parts", "external_url"])?;
    if let Some(mode) = body.str("mode")?.filter(|mode| *mode != "single_part") {
        return Err(ApiError::invalid(match mode {
            "multi_part" | "external_url" => {
                format!("This simulator takes files in one part only, not by {mode}.")
            }
            _ => format!("body failed validation: body.mode \"{mode}\" is not known."),
        }));
    }
    for key in ["number_of_parts", "external_url"] {
        if body.has(key) {
            return Err(ApiError::body(&body.at(key), "not present", body.get(key)));
        }
    }
    let name = body.str("filename")?;
    if let Some(name) = name.filter(|name| name.len() > MOST_NAME) {
        return Err(crate::request::too_long(&body.at("filename"), MOST_NAME, name.len()));
    }
    let upload = FileUpload {
        id: ws.ids.uuid(),
        name: name.map(str::to_owned),
        content_type: body.str("content_type")?.map(str::to_owned),
        size: None,
        created: ws.now(),
        created_by: ws.bot.clone(),
        attached: false,
    };
    let answer = upload.to_json(ws.now());
    ws.file_uploads.push(upload);
    Ok(answer)
}

fn place(ws: &Workspace, id: &str) -> ApiResult<usize> {
    ws.file_uploads
        .iter()
        .position(|upload| upload.id == id)
        .ok_or_else(|| ApiError::not_found("file upload", id))
}

pub(crate) fn get(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&[])?;
    let id = input.id(0)?;
    let at = place(ws, &id)?;
    let now = ws.now();
    ws.file_uploads
        .get(at)
        .map(|upload| upload.to_json(now))
        .ok_or_else(|| ApiError::not_found("file upload", &id))
}

pub(crate) fn list(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    input.only_params(&["status", "start_cursor", "page_size"])?;
    let now = ws.now();
    let wanted = input.param("status");
    let all: Vec<&FileUpload> = ws
        .file_uploads
        .iter()
        .filter(|upload| wanted.is_none_or(|status| upload.status(now) == status))
        .collect();
    let (page, next) = Paging::of_query(input)?.cut(&all, |upload| &upload.id);
    let results = page.iter().map(|upload| upload.to_json(now)).collect();
    Ok(paging::list("file_upload", results, next))
}

pub(crate) fn send(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    let at = place(ws, &input.id(0)?)?;
    let now = ws.now();
    let part = file_part(input).ok_or_else(|| {
        ApiError::invalid(
            "body failed validation: body.file should be a file in multipart/form-data.",
        )
    })?;
    if part.size > MOST_BYTES {
        return Err(ApiError::invalid(format!(
            "The file is too large: it has {} bytes, and the workspace takes {MOST_BYTES} at most.",
            part.size
        )));
    }
    let Some(upload) = ws.file_uploads.get_mut(at) else {
        return Err(ApiError::not_found("file upload", ""));
    };
    match upload.status(now) {
        "pending" => {}
        status => {
            return Err(ApiError::invalid(format!(
                "The file upload cannot be sent: its status is {status}."
            )));
        }
    }
    match (&upload.content_type, &part.content_type) {
        (Some(declared), Some(sent)) if declared != sent => {
            return Err(ApiError::invalid(format!(
                "The content type {sent} of the file is not the declared one, {declared}."
            )));
        }
        (None, Some(sent)) => upload.content_type = Some(sent.clone()),
        _ => {}
    }
    upload.name = upload.name.take().or(part.name);
    upload.size = Some(part.size);
    Ok(upload.to_json(now))
}

pub(crate) fn complete(ws: &mut Workspace, input: &Input) -> ApiResult<Value> {
    place(ws, &input.id(0)?)?;
    Err(ApiError::invalid("Only uploads in several parts are completed."))
}

struct Part {
    name: Option<String>,
    content_type: Option<String>,
    size: usize,
}

/// The part named `file` of a multipart body.
fn file_part(input: &Input) -> Option<Part> {
    let kind = input.content_type.strip_prefix("multipart/form-data")?;
    let boundary = kind.split(';').find_map(|pair| pair.trim().strip_prefix("boundary="))?;
    let mark = format!("--{}", boundary.trim_matches('"'));
    let bytes = input.raw.as_slice();
    let find = |from: usize, what: &[u8]| {
        bytes.get(from..)?.windows(what.len()).position(|window| window == what).map(|n| n + from)
    };
    let mut at = find(0, mark.as_bytes())?;
    loop {
        let head = at + mark.len();
        let body = find(head, b"\r\n\r\n")? + 4;
        let end = find(body, format!("\r\n{mark}").as_bytes())?;
        let headers = String::from_utf8_lossy(bytes.get(head..body)?).into_owned();
        let value = |key: &str| {
            let from = headers.split_once(key)?.1;
            from.split('"').next().map(str::to_owned)
        };
        if value(" name=\"").as_deref() == Some("file") {
            let content_type = headers.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
            });
            return Some(Part { name: value("filename=\""), content_type, size: end - body });
        }
        at = end + 2;
    }
}

impl Workspace {
    /// An upload that can be attached to something now.
    ///
    /// # Errors
    /// 400 if it is not sent yet or expired, 404 if it does not exist.
    pub(crate) fn ready_upload(&self, id: &str) -> ApiResult<&FileUpload> {
        let now = self.now();
        let upload = self
            .file_uploads
            .iter()
            .find(|upload| upload.id == id)
            .ok_or_else(|| ApiError::not_found("file upload", id))?;
        match upload.status(now) {
            "uploaded" => Ok(upload),
            status => Err(ApiError::invalid(format!(
                "The file upload {id} cannot be attached: its status is {status}."
            ))),
        }
    }

    /// Marks an upload as attached: it does not expire anymore. Gives the path of its file.
    pub(crate) fn attach_upload(&mut self, id: &str) -> String {
        let found = self.file_uploads.iter_mut().find(|upload| upload.id == id);
        let name = found.and_then(|upload| {
            upload.attached = true;
            upload.name.clone()
        });
        upload_path(id, name.as_deref())
    }

    /// Checks that all uploads that the blocks of a request name can be attached.
    pub(crate) fn check_uploads(&self, drafts: &[Draft]) -> ApiResult<()> {
        for draft in drafts {
            if let Kind::Media { source: MediaSource::Upload(id), .. } = &draft.kind {
                self.ready_upload(id)?;
            }
            self.check_uploads(&draft.children)?;
        }
        Ok(())
    }

    /// Puts the files of checked uploads into the blocks of a request.
    pub(crate) fn settle_uploads(&mut self, drafts: &mut [Draft]) {
        for draft in drafts {
            self.settle_kind(&mut draft.kind);
            self.settle_uploads(&mut draft.children);
        }
    }

    fn settle_kind(&mut self, kind: &mut Kind) {
        if let Kind::Media { source, .. } = kind
            && let MediaSource::Upload(id) = source
        {
            *source = MediaSource::Hosted(self.attach_upload(id));
        }
    }

    /// Puts the file of an upload into one block.
    pub(crate) fn attach_to(&mut self, kind: &mut Kind) -> ApiResult<()> {
        if let Kind::Media { source: MediaSource::Upload(id), .. } = kind {
            self.ready_upload(id)?;
        }
        self.settle_kind(kind);
        Ok(())
    }
}

/// Where the file of an upload lies.
pub(crate) fn upload_path(id: &str, name: Option<&str>) -> String {
    format!("{id}/{}", crate::ids::encode(name.unwrap_or("file")))
}
