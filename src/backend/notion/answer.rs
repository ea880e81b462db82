//! What an answer, or the lack of one, means (rule 13).

use std::time::Duration;

use serde_json::Value;

use super::endpoint::{Endpoint, Meaning};
use crate::backend::BackendError;

/// How one attempt ended.
#[derive(Debug)]
pub(super) enum Reply {
    /// An HTTP answer. A body that came whole but is no JSON is `None`.
    Answered(Answered),
    /// No connection: the request never left.
    NotSent(String),
    /// The connection broke, or time was up, or the body was cut: anything may have happened.
    Broken(String),
    /// A body above the cap.
    TooLarge,
}

/// An HTTP answer.
#[derive(Debug, Default)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    /// From `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// From `x-notion-request-id`; answers of the edge have none.
    pub(super) request_id: Option<String>,
    /// From `cf-ray`, for answers that never reached the API.
    pub(super) ray: Option<String>,
}

/// What to do about a reply.
#[derive(Debug)]
pub(super) enum Verdict {
    Done(Value),
    /// The whole process pauses, then the same again: nothing was done. `None`: no time given.
    Pause {
        wait: Option<Duration>,
        reason: String,
    },
    /// The same again after a backoff: it was a read, or never sent.
    Retry(String),
    Failed(Failure),
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Refused with a reason.
    #[error("{0}")]
    Api(Box<ApiError>),
    /// The connection as a whole is blocked.
    #[error("{0}")]
    Blocked(Box<ApiError>),
    /// A write without a clear answer.
    #[error("{message}")]
    Ambiguous { message: String, committed: Option<String> },
    /// Nothing was written because two writes met; read again before it is repeated.
    #[error("{0}")]
    Collided(String),
    /// Nothing was written; later perhaps.
    #[error("{0}")]
    Unavailable(String),
    /// The gate was closed.
    #[error("{0}")]
    Closed(String),
    /// The answer to a read is too large to be taken.
    #[error("{0}")]
    TooLarge(String),
}

/// An error answer of the API.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
    pub(super) additional: Value,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message.trim_end_matches('.'))?;
        }
        if let Some(id) = &self.request_id {
            write!(f, "; request id {id}")?;
        }
        Ok(())
    }
}

impl ApiError {
    /// The error in an answer; `None` when it was not the API that answered.
    fn of(answered: &Answered) -> Option<Self> {
        let body = answered.body.as_ref()?.as_object()?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        Some(Self {
            status: answered.status,
            code: text("code").to_owned(),
            message: text("message").to_owned(),
            request_id: Some(text("request_id"))
                .filter(|id| !id.is_empty())
                .map(str::to_owned)
                .or_else(|| answered.request_id.clone()),
            additional: body.get("additional_data").cloned().unwrap_or_default(),
        })
    }

    /// A member of `additional_data`, which holds strings or lists of strings.
    pub(super) fn additional(&self, name: &str) -> Option<&str> {
        let value = self.additional.get(name)?;
        value.as_str().or_else(|| value.get(0)?.as_str())
    }
}

/// Judges the reply to a call.
pub(super) fn judge(endpoint: &Endpoint<'_>, reply: Reply) -> Verdict {
    let meaning = endpoint.meaning();
    let pattern = endpoint.pattern();
    match reply {
        Reply::NotSent(why) => {
            Verdict::Retry(format!("Notion cannot be reached for {pattern}: {why}."))
        }
        Reply::Broken(why) => {
            unclear(meaning, format!("{pattern} got no whole answer: {why}."), None)
        }
        Reply::TooLarge => {
            let message = format!("The answer to {pattern} is larger than 32 MiB.");
            Verdict::Failed(match meaning {
                Meaning::Read => Failure::TooLarge(message),
                Meaning::Write => Failure::Ambiguous { message, committed: None },
            })
        }
        Reply::Answered(answered) => judge_answer(meaning, pattern, answered),
    }
}

fn judge_answer(meaning: Meaning, pattern: &str, mut answered: Answered) -> Verdict {
    if (200..300).contains(&answered.status) {
        let body = answered.body.take().filter(Value::is_object);
        return body.map_or_else(
            || {
                unclear(
                    meaning,
                    format!("{pattern} was answered with something that is no JSON object."),
                    None,
                )
            },
            Verdict::Done,
        );
    }
    let Some(error) = ApiError::of(&answered) else {
        return judge_edge(meaning, pattern, &answered);
    };
    let reason = format!("Notion answered {pattern} with {error}.");
    match error.status {
        429 | 529 => {
            if error.additional("rate_limit_reason") == Some("public_api_request_blocked") {
                return Verdict::Failed(Failure::Blocked(Box::new(error)));
            }
            let told = error.additional("retry_after").and_then(|text| text.parse().ok());
            Verdict::Pause { wait: answered.retry_after.or(told.map(Duration::from_secs)), reason }
        }
        // Nothing was saved, but what the write was based on must be read again before it is repeated.
        409 if meaning == Meaning::Write => Verdict::Failed(Failure::Collided(reason)),
        409 => Verdict::Retry(reason),
        500.. => unclear(meaning, reason, error.additional("committed_resource_id")),
        _ => Verdict::Failed(Failure::Api(Box::new(error))),
    }
}

/// An answer that is not the API's: HTML from the edge or from a proxy.
fn judge_edge(meaning: Meaning, pattern: &str, answered: &Answered) -> Verdict {
    let ray = answered.ray.as_deref().map(|ray| format!(" (cf-ray {ray})")).unwrap_or_default();
    let reason = format!(
        "{pattern} was answered with {} by something before Notion's API{ray}.",
        answered.status
    );
    match answered.status {
        429 | 529 => Verdict::Pause { wait: answered.retry_after, reason },
        _ => unclear(meaning, reason, None),
    }
}

fn unclear(meaning: Meaning, message: String, committed: Option<&str>) -> Verdict {
    match meaning {
        Meaning::Read => Verdict::Retry(message),
        Meaning::Write => {
            Verdict::Failed(Failure::Ambiguous { message, committed: committed.map(str::to_owned) })
        }
    }
}

impl Failure {
    /// The error for the engine.
    pub(super) fn explain(self, endpoint: &Endpoint<'_>) -> BackendError {
        match self {
            Self::Api(error) => explain_api(endpoint, &error),
            Self::Blocked(error) => BackendError::Refused {
                message: format!("Notion blocks this connection ({error})."),
                remedy: "Retrying does not help: ask Notion's support or the workspace's admins why its access \
                         is restricted."
                    .to_owned(),
            },
            Self::Ambiguous { message, committed } => BackendError::Ambiguous { message, committed },
            Self::Collided(message) => BackendError::Collided { message },
            Self::Unavailable(message) => BackendError::Unavailable { message },
            Self::Closed(why) => BackendError::Closed(why),
            Self::TooLarge(message) => BackendError::Rejected { message },
        }
    }
}

fn explain_api(endpoint: &Endpoint<'_>, error: &ApiError) -> BackendError {
    let subject = endpoint.subject();
    match error.status {
        401 => BackendError::Refused {
            message: format!("Notion does not accept the token ({error})."),
            remedy: "Set NOTION_TOKEN to the token of a connection of the workspace; this one is wrong, expired or \
                     revoked."
                .to_owned(),
        },
        403 if error.additional("block_limit").is_some() => BackendError::Refused {
            message: format!("The workspace's block limit is reached, so nothing can be added ({error})."),
            remedy: "Upgrade the workspace's plan or set NOTION_TOKEN to a personal access token, which the limit \
                     does not apply to."
                .to_owned(),
        },
        403 => BackendError::Refused {
            message: format!("Notion forbids {} ({error}).", endpoint.pattern()),
            remedy: format!(
                "Give the connection the capability \"{}\" in its settings at \
                 https://www.notion.so/profile/integrations.",
                endpoint.capability()
            ),
        },
        404 => BackendError::NotFound {
            message: format!("Notion does not find {subject} ({error})."),
            remedy: match endpoint {
                Endpoint::Children(_) | Endpoint::CreateDatabase => {
                    "Share the page with the connection (its menu •••, Connections), or set NOTION_PARENT_PAGE_ID \
                     to a page that is shared."
                }
                _ => {
                    "Share it with the connection (the menu ••• of the page, Connections) or run `agent-sync init`."
                }
            }
            .to_owned(),
        },
        400 if is_stale(endpoint, error) => {
            BackendError::Stale { message: format!("{subject} does not take the write ({error}).") }
        }
        400 if error.message.contains("markdown_version") => BackendError::Refused {
            message: format!("Notion does not speak this version of its Markdown ({error})."),
            remedy: "Set `markdown_version: v2` for this backend in the configuration.".to_owned(),
        },
        400 if is_schema(error) => BackendError::Refused {
            message: format!("A mapped property is not in its database any more ({error})."),
            remedy: "Run `agent-sync init` to add it, or correct its name in the configuration.".to_owned(),
        },
        _ => BackendError::Rejected {
            message: format!("Notion does not accept {} for {subject} ({error}).", endpoint.pattern()),
        },
    }
}

/// Whether a property that the request names is gone: trouble of the database, not of one page.
fn is_schema(error: &ApiError) -> bool {
    let message = error.message.to_lowercase();
    ["is not a property that exists", "could not find property with name or id"]
        .iter()
        .any(|words| message.contains(words))
}

/// Whether the page is another than the one that was read. Notion has no code for this, so its words decide;
/// words that are not known make it a rejection, which writes as little.
fn is_stale(endpoint: &Endpoint<'_>, error: &ApiError) -> bool {
    let message = error.message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match endpoint {
        Endpoint::EditBody(_) | Endpoint::UpdatePage(_)
            if has(&["archived", "in the trash", "in trash"]) =>
        {
            true
        }
        Endpoint::EditBody(_) => {
            has(&["old_str", "selection", "content_updates", "match"])
                && has(&[
                    "not found",
                    "could not find",
                    "couldn't find",
                    "cannot find",
                    "not be found",
                    "no match",
                    "not match",
                    "n't match",
                    "multiple",
                    "more than on",
                    "exactly on",
                    "times",
                    "not exist",
                    "not unique",
                ])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backend::notion::id::ObjectId;

    fn id() -> ObjectId {
        ObjectId::parse(&"a".repeat(32)).unwrap()
    }

    fn answered(status: u16, body: Value) -> Reply {
        Reply::Answered(Answered { status, body: Some(body), ..Answered::default() })
    }

    fn error(status: u16, code: &str, message: &str, additional: Value) -> Reply {
        answered(
            status,
            json!({"object": "error", "status": status, "code": code, "message": message,
                   "request_id": "req-1", "additional_data": additional}),
        )
    }

    fn html(status: u16) -> Reply {
        Reply::Answered(Answered { status, ray: Some("ray-1".into()), ..Answered::default() })
    }

    fn explained(endpoint: &Endpoint<'_>, reply: Reply) -> BackendError {
        match judge(endpoint, reply) {
            Verdict::Failed(failure) => failure.explain(endpoint),
            other => panic!("{other:?}"),
        }
    }

    /// Everything that leaves open whether a write took effect.
    fn unclear_replies() -> Vec<Reply> {
        vec![
            error(500, "internal_server_error", "", json!({})),
            error(502, "bad_gateway", "", json!({})),
            error(503, "service_unavailable", "", json!({})),
            error(504, "gateway_timeout", "", json!({})),
            html(502),
            html(403),
            html(200),
            answered(200, json!([])),
            Reply::Broken("reset".into()),
        ]
    }

    #[test]
    fn rule_13_a_collision_wrote_nothing() {
        let reply = || {
            error(
                409,
                "conflict_error",
                "Conflict occurred while saving. Please try again.",
                json!({}),
            )
        };
        let verdict = judge(&Endpoint::Query(&id()), reply());
        assert!(matches!(verdict, Verdict::Retry(_)), "{verdict:?}");
        let verdict = judge(&Endpoint::CreatePage, reply());
        assert!(matches!(verdict, Verdict::Failed(Failure::Collided(_))), "{verdict:?}");
    }

    #[test]
    fn rule_13_unclear_answers_repeat_reads_and_leave_writes_ambiguous() {
        for reply in unclear_replies() {
            let verdict = judge(&Endpoint::Query(&id()), reply);
            assert!(matches!(verdict, Verdict::Retry(_)), "{verdict:?}");
        }
        for reply in unclear_replies() {
            let verdict = judge(&Endpoint::CreatePage, reply);
            assert!(
                matches!(verdict, Verdict::Failed(Failure::Ambiguous { committed: None, .. })),
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn rule_13_the_id_of_what_was_saved_is_handed_on() {
        let additional = json!({"committed_resource_id": "page-1", "retry_guidance": ["Do not repeat the write."]});
        let reply = error(503, "service_unavailable", "", additional);
        match judge(&Endpoint::CreatePage, reply) {
            Verdict::Failed(Failure::Ambiguous { committed: Some(id), .. }) => {
                assert_eq!(id, "page-1")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rule_13_what_was_never_sent_is_sent_again() {
        let verdict = judge(&Endpoint::CreatePage, Reply::NotSent("refused".into()));
        assert!(matches!(verdict, Verdict::Retry(_)));
    }

    #[test]
    fn rule_13_a_full_window_pauses_whatever_the_method() {
        for endpoint in [Endpoint::Me, Endpoint::CreatePage] {
            for status in [429, 529] {
                let reply = error(status, "rate_limited", "", json!({"retry_after": "7"}));
                match judge(&endpoint, reply) {
                    Verdict::Pause { wait, .. } => assert_eq!(wait, Some(Duration::from_secs(7))),
                    other => panic!("{other:?}"),
                }
                let verdict = judge(&endpoint, html(status));
                assert!(matches!(verdict, Verdict::Pause { wait: None, .. }));
            }
        }
    }

    #[test]
    fn a_blocked_connection_is_refused_at_once() {
        let additional = json!({"rate_limit_reason": "public_api_request_blocked"});
        let error = explained(&Endpoint::Me, error(429, "rate_limited", "", additional));
        assert!(matches!(error, BackendError::Refused { .. }), "{error:?}");
    }

    #[test]
    fn refusals_name_the_remedy_and_the_request() {
        let id = id();
        let cases = [
            (Endpoint::Me, 401, json!({}), "NOTION_TOKEN"),
            (Endpoint::CreatePage, 403, json!({}), "\"Insert content\""),
            (Endpoint::EditBody(&id), 403, json!({}), "\"Update content\""),
            (Endpoint::Query(&id), 403, json!({}), "\"Read content\""),
            (Endpoint::CreatePage, 403, json!({"block_limit": "block_creation"}), "plan"),
            (Endpoint::Query(&id), 404, json!({}), "`agent-sync init`"),
            (Endpoint::Children(&id), 404, json!({}), "NOTION_PARENT_PAGE_ID"),
        ];
        for (endpoint, status, additional, remedy) in cases {
            let text = explained(&endpoint, error(status, "code", "Why.", additional)).to_string();
            assert!(text.contains(remedy) && text.contains("request id req-1"), "{text}");
        }
        for message in
            ["Stage is not a property that exists.", "Could not find property with name or id: x"]
        {
            let error = explained(
                &Endpoint::CreatePage,
                error(400, "validation_error", message, json!({})),
            );
            assert!(matches!(&error, BackendError::Refused { .. }), "{error}");
        }
        let error = explained(&Endpoint::Page(&id), error(404, "object_not_found", "", json!({})));
        assert!(matches!(error, BackendError::NotFound { .. }));
    }

    #[test]
    fn rule_2_a_condition_that_does_not_hold_is_stale_and_not_a_rejection() {
        let id = id();
        let edit = Endpoint::EditBody(&id);
        for message in [
            "old_str not found in the page content.",
            "Could not find old_str \"x\" in page.",
            "content_updates[0].old_str matches multiple times. Provide more context.",
            "No match found for old_str.",
            "Found 3 matches for old_str, but expected exactly one: \"x\". Use a longer old_str.",
            "Can't edit block that is archived. You must unarchive the block before editing.",
        ] {
            let error = explained(&edit, error(400, "validation_error", message, json!({})));
            assert!(matches!(error, BackendError::Stale { .. }), "{message}");
        }
        for message in [
            "body failed validation: body.update_content.content_updates[0].old_str should be a string.",
            "Invalid URL for link.",
            "The page content is too large or too heavily formatted.",
        ] {
            let error = explained(&edit, error(400, "validation_error", message, json!({})));
            assert!(matches!(error, BackendError::Rejected { .. }), "{message}");
        }
        let error = explained(
            &Endpoint::CreatePage,
            error(400, "validation_error", "x not found", json!({})),
        );
        assert!(matches!(error, BackendError::Rejected { .. }));
    }

    #[test]
    fn an_answer_above_the_cap_is_that_artifacts_trouble() {
        let id = id();
        let error = explained(&Endpoint::Body(&id), Reply::TooLarge);
        assert!(matches!(error, BackendError::Rejected { .. }));
        let error = explained(&Endpoint::EditBody(&id), Reply::TooLarge);
        assert!(matches!(error, BackendError::Ambiguous { .. }));
    }
}
