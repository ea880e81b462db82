//! One connection to GitHub's REST API: sends, counts, waits, repeats. Why this is not octocrab:
//! `docs/decisions/0005-github-client.md`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Context, GithubError};
use crate::backend::Requests;
use crate::http::{self, Broken, Whole, header};

/// Version of the API that every request names (docs.github.com, "API Versions").
const VERSION: &str = "2022-11-28";
/// Largest answer that is read: a blob of 5 MiB in base64, or a tree of 100,000 entries.
const BODY_CAP: usize = 32 * 1024 * 1024;
/// Attempts of one call.
const ATTEMPTS: u32 = 5;
/// Writes that may follow each other at once; more wait a second each. GitHub asks for the pause of those who make
/// "a large number" of writes (docs.github.com, "Best practices for using the REST API").
const BURST: u32 = 10;
/// The one call that is no REST.
const GRAPHQL: &str = "POST /graphql";
/// Wait after a secondary limit that names no time (same page).
const SECONDARY: Duration = Duration::from_secs(60);

/// Waits that tests shorten.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// First backoff; doubled with each attempt.
    pub backoff: Duration,
    /// Pause between writes beyond the first few.
    pub pause: Duration,
    /// Longest time that one call waits for limits and outages in all.
    pub patience: Duration,
    /// Time for one request.
    pub timeout: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            backoff: Duration::from_secs(1),
            pause: Duration::from_secs(1),
            patience: Duration::from_secs(150),
            timeout: Duration::from_secs(25),
        }
    }
}

/// What repeating a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing is changed.
    Read,
    /// A second time changes nothing more: objects named by their content, values that are set.
    Idempotent,
    /// A second time makes a second one. After an answer that is not clear the caller looks first.
    Create,
}

/// One call.
#[derive(Debug)]
pub struct Call<'a> {
    /// `METHOD pattern`, for counts and messages.
    pub what: &'static str,
    /// Method.
    pub method: Method,
    /// Segments of the path after `/repos/{owner}/{repo}`; each is escaped, slashes in it too.
    pub path: &'a [&'a str],
    /// Query.
    pub query: &'a [(&'a str, &'a str)],
    /// JSON body.
    pub body: Option<Value>,
    /// What repeating it does.
    pub meaning: Meaning,
    /// The line of `permissions:` that it needs.
    pub permission: &'static str,
}

/// A connection to one repository.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    graphql: Url,
    repository: String,
    web: String,
    token: SecretString,
    tuning: Tuning,
    /// When the next write would start if all of them had been a pause apart.
    writes: tokio::sync::Mutex<Instant>,
    requests: Mutex<Requests>,
    pub(super) known: Mutex<Known>,
}

/// Refs as they were fetched last, and objects, which never change.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Files of trees and commits that were listed whole.
    pub(super) trees: BTreeMap<String, Vec<super::data::Entry>>,
    /// Blobs that were read, those excepted that many were asked for together.
    pub(super) blobs: BTreeMap<String, Vec<u8>>,
    /// By full name; `None` before the first fetch.
    pub(super) refs: Option<BTreeMap<String, String>>,
    /// Whether nobody has acted on them yet.
    pub(super) fresh: bool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("repository", &self.repository).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the context's repository.
    ///
    /// # Errors
    /// A sentence, when the token cannot be sent or TLS cannot be set up.
    pub fn new(context: &Context, token: SecretString, tuning: Tuning) -> Result<Self, String> {
        let base = Url::parse(&context.api).map_err(|_| "GITHUB_API_URL is no URL.".to_owned())?;
        let graphql =
            Url::parse(&context.graphql).map_err(|_| "GITHUB_GRAPHQL_URL is no URL.".to_owned())?;
        bearer(&token)?;
        let http = http::client()
            .map_err(|error| format!("The HTTP client cannot be set up: {error}."))?;
        Ok(Self {
            http,
            base,
            graphql,
            repository: context.repository.clone(),
            web: format!("{}/{}", context.server, context.repository),
            token,
            tuning,
            writes: tokio::sync::Mutex::new(Instant::now()),
            requests: Mutex::default(),
            known: Mutex::default(),
        })
    }

    /// `owner/name`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Address of the repository on the web.
    pub fn web_url(&self) -> String {
        self.web.clone()
    }

    /// Requests so far.
    pub fn requests(&self) -> Requests {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends until there is a clear answer, as the call's meaning allows, and reads it.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, GithubError> {
        let whole = self.send(&call).await?;
        serde_json::from_slice(&whole.bytes).map_err(|error| GithubError::Unexpected {
            what: call.what,
            message: error.to_string(),
        })
    }

    /// As [`Self::json`], for calls whose answer says nothing more.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn done(&self, call: Call<'_>) -> Result<(), GithubError> {
        self.send(&call).await.map(drop)
    }

    /// Asks GraphQL; the variables `$owner` and `$name` are the repository's. Only what may be repeated where the
    /// answer is not clear.
    ///
    /// # Errors
    /// [`GithubError`]; errors inside of an answer are one.
    pub async fn graphql<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: &[(&str, &str)],
    ) -> Result<T, GithubError> {
        #[derive(serde::Deserialize)]
        struct Reply {
            #[serde(default)]
            data: Value,
            #[serde(default)]
            errors: Vec<Trouble>,
        }
        let (owner, name) = self.repository.split_once('/').unwrap_or((&self.repository, ""));
        let all = [("owner", owner), ("name", name)].into_iter().chain(variables.iter().copied());
        let variables: serde_json::Map<String, Value> =
            all.map(|(name, value)| (name.to_owned(), value.into())).collect();
        let call = Call {
            what: GRAPHQL,
            method: Method::POST,
            path: &[],
            query: &[],
            body: Some(json!({"query": query, "variables": variables})),
            meaning: Meaning::Read,
            permission: "contents: read",
        };
        let reply: Reply = self.json(call).await?;
        let unexpected = |message: &str| GithubError::Unexpected {
            what: GRAPHQL,
            message: message.chars().take(300).collect(),
        };
        if let Some(error) = reply.errors.iter().find(|error| !error.is_gap()) {
            return Err(match error.permission() {
                Some(permission) => {
                    let message = error.message.chars().take(300).collect();
                    GithubError::Permission { what: GRAPHQL, message, permission }
                }
                None => unexpected(&error.message),
            });
        }
        serde_json::from_value(reply.data).map_err(|error| match reply.errors.first() {
            Some(first) => unexpected(&first.message),
            None => unexpected(&error.to_string()),
        })
    }

    /// A call that changes nothing.
    pub(super) fn get<'a>(
        &self,
        what: &'static str,
        path: &'a [&'a str],
        permission: &'static str,
    ) -> Call<'a> {
        Call {
            what,
            method: Method::GET,
            path,
            query: &[],
            body: None,
            meaning: Meaning::Read,
            permission,
        }
    }

    /// A call that changes something; its method is the first word of `what`.
    pub(super) fn write<'a>(
        &self,
        what: &'static str,
        path: &'a [&'a str],
        body: Value,
        meaning: Meaning,
        permission: &'static str,
    ) -> Call<'a> {
        let method = match what.split(' ').next() {
            Some("PATCH") => Method::PATCH,
            Some("PUT") => Method::PUT,
            Some("DELETE") => Method::DELETE,
            _ => Method::POST,
        };
        Call { what, method, path, query: &[], body: Some(body), meaning, permission }
    }

    async fn send(&self, call: &Call<'_>) -> Result<Whole, GithubError> {
        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        loop {
            let (reason, wait, may_repeat) = match self.attempt(call, attempt).await? {
                Ok(whole) if (200..300).contains(&whole.status) => return Ok(whole),
                Ok(whole) => match limited(&whole) {
                    // A limit refuses before anything is done, so any request may be repeated.
                    Some(wait) => {
                        let wait = wait.unwrap_or_else(|| SECONDARY.max(self.backoff(attempt)));
                        (format!("a rate limit ({})", message(&whole)), wait, true)
                    }
                    None if whole.status >= 500 => {
                        let reason = format!("status {}", whole.status);
                        (reason, self.backoff(attempt), call.meaning != Meaning::Create)
                    }
                    None => return Err(refusal(call, &whole)),
                },
                Err(Broken::NotSent(why)) => (why, self.backoff(attempt), true),
                Err(Broken::Midway(why)) => {
                    (why, self.backoff(attempt), call.meaning != Meaning::Create)
                }
                Err(Broken::TooLarge) => {
                    return Err(GithubError::Unexpected {
                        what: call.what,
                        message: format!("it is larger than {} MiB", BODY_CAP >> 20),
                    });
                }
            };
            if !may_repeat || attempt == ATTEMPTS || waited + wait > self.tuning.patience {
                return Err(GithubError::Unavailable { what: call.what, message: reason });
            }
            tracing::info!(
                call = call.what,
                reason,
                wait_s = wait.as_secs_f32(),
                "github: waiting"
            );
            tokio::time::sleep(wait).await;
            waited += wait;
            attempt += 1;
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.waited_ms += u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        attempt: u32,
    ) -> Result<Result<Whole, Broken>, GithubError> {
        let request = self.request(call)?;
        // Held until the answer: writes go one after the other.
        let _turn = match call.meaning {
            Meaning::Read => None,
            Meaning::Idempotent | Meaning::Create => Some(self.turn().await),
        };
        {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            *requests.by_endpoint.entry(call.what.to_owned()).or_default() += 1;
            requests.retries += u64::from(attempt > 1);
        }
        let exchange = async {
            let response = http::begin(&self.http, request).await?;
            http::read(response, BODY_CAP).await
        };
        let answer = tokio::time::timeout(self.tuning.timeout, exchange).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(Broken::Midway(format!("no answer within {} s", self.tuning.timeout.as_secs())))
        });
        let status = answer.as_ref().ok().map(|whole| whole.status);
        let id =
            answer.as_ref().ok().and_then(|whole| header(&whole.headers, "x-github-request-id"));
        tracing::debug!(call = call.what, attempt, status, id, "github request");
        Ok(answer)
    }

    /// Waits until a write may start, and keeps others from starting.
    async fn turn(&self) -> tokio::sync::MutexGuard<'_, Instant> {
        let mut due = self.writes.lock().await;
        let pause = self.tuning.pause;
        if let Some(start) = due.checked_sub(pause * BURST) {
            tokio::time::sleep_until(start).await;
        }
        *due = (*due).max(Instant::now()) + pause;
        due
    }

    fn request(&self, call: &Call<'_>) -> Result<reqwest::Request, GithubError> {
        let unexpected = |message: &str| GithubError::Unexpected {
            what: call.what,
            message: message.to_owned(),
        };
        let mut url = match call.what {
            GRAPHQL => self.graphql.clone(),
            _ => self.base.clone(),
        };
        if call.what != GRAPHQL {
            let mut segments =
                url.path_segments_mut().map_err(|()| unexpected("the address has no path"))?;
            segments.pop_if_empty().push("repos").extend(self.repository.split('/'));
            segments.extend(call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut request = reqwest::Request::new(call.method.clone(), url);
        let token = bearer(&self.token).map_err(|why| unexpected(&why))?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token);
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert("x-github-api-version", HeaderValue::from_static(VERSION));
        if let Some(body) = &call.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.to_string().into());
        }
        Ok(request)
    }

    fn backoff(&self, attempt: u32) -> Duration {
        self.tuning.backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16))
    }
}

/// An error inside of an answer of GraphQL.
#[derive(serde::Deserialize)]
struct Trouble {
    #[serde(default)]
    message: String,
    #[serde(default)]
    r#type: String,
    /// Names of fields, and numbers of list items.
    #[serde(default)]
    path: Vec<Value>,
}

impl Trouble {
    fn is_at(&self, field: &str) -> bool {
        self.path.iter().any(|part| part == field)
    }

    /// Whether it only says why a field has no value, and whoever asked can go on without one: there is no such
    /// thing, or a status that may not be read and whose writing tells the same.
    fn is_gap(&self) -> bool {
        self.r#type == "NOT_FOUND" || self.r#type == "FORBIDDEN" && self.is_at("status")
    }

    /// The line that is missing in the workflow, where it is one.
    fn permission(&self) -> Option<&'static str> {
        let pulls = ["pullRequest", "pullRequests", "resolveReviewThread"];
        match pulls.iter().any(|field| self.is_at(field)) {
            _ if self.r#type != "FORBIDDEN" => None,
            true => Some("pull-requests: write"),
            false if self.is_at("updateRefs") => Some("contents: write"),
            false => Some("contents: read"),
        }
    }
}

/// The wait that a rate limit asks for (`Some(None)`: it names none); `None` for any other refusal. A limit is 429,
/// or 403 with a sign of one (docs.github.com, "Rate limits for the REST API").
fn limited(whole: &Whole) -> Option<Option<Duration>> {
    if !matches!(whole.status, 403 | 429) {
        return None;
    }
    if let Some(seconds) = number(&whole.headers, RETRY_AFTER.as_str()) {
        return Some(Some(Duration::from_secs(seconds)));
    }
    if number(&whole.headers, "x-ratelimit-remaining") == Some(0) {
        let reset = number(&whole.headers, "x-ratelimit-reset");
        let now =
            header(&whole.headers, "date").and_then(|date| httpdate::parse_http_date(date).ok());
        let now = now.and_then(|now| now.duration_since(std::time::UNIX_EPOCH).ok());
        let wait = reset.zip(now).map(|(reset, now)| {
            Duration::from_secs(reset.saturating_sub(now.as_secs()).saturating_add(1))
        });
        return Some(wait);
    }
    let text = message(whole).to_ascii_lowercase();
    (whole.status == 429
        || text.contains("secondary rate limit")
        || text.contains("abuse detection"))
    .then_some(None)
}

fn refusal(call: &Call<'_>, whole: &Whole) -> GithubError {
    let (what, message) = (call.what, message(whole));
    match whole.status {
        401 => GithubError::Token { message },
        403 => GithubError::Permission { what, message, permission: call.permission },
        404 | 410 => GithubError::NotFound { what, message },
        status => GithubError::Rejected { what, status, message },
    }
}

/// What the answer says, on one line.
fn message(whole: &Whole) -> String {
    #[derive(serde::Deserialize)]
    struct Body {
        message: Option<String>,
        #[serde(default)]
        errors: Vec<Value>,
    }
    let body: Option<Body> = serde_json::from_slice(&whole.bytes).ok();
    let Some(body) = body else { return format!("status {}", whole.status) };
    let details = body.errors.iter().filter_map(|error| {
        error.as_str().or_else(|| error.get("message")?.as_str()).map(str::to_owned)
    });
    let parts: Vec<String> = body.message.into_iter().chain(details).collect();
    let text: String = parts.join("; ").chars().filter(|c| !c.is_control()).take(300).collect();
    text.trim_end_matches('.').to_owned()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    header(headers, name)?.trim().parse().ok()
}

fn bearer(token: &SecretString) -> Result<HeaderValue, String> {
    let text = token.expose_secret();
    let value = HeaderValue::from_str(&format!("Bearer {text}")).ok().filter(|_| !text.is_empty());
    let mut value = value.ok_or_else(|| {
        "The token for GitHub is empty or has characters that no token has. Correct `github-token`.".to_owned()
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(api: &str) -> Client {
        let env =
            [("GITHUB_ACTIONS", "true"), ("GITHUB_REPOSITORY", "o/r"), ("GITHUB_API_URL", api)];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let context = Context::of(&env).unwrap().unwrap();
        Client::new(&context, "ghs_x".into(), Tuning::default()).unwrap()
    }

    fn call<'a>(path: &'a [&'a str]) -> Call<'a> {
        Call {
            what: "GET /x",
            method: Method::GET,
            path,
            query: &[],
            body: None,
            meaning: Meaning::Read,
            permission: "contents: read",
        }
    }

    #[test]
    fn nothing_in_a_segment_leads_out_of_the_repository() {
        let client = client("https://ghes.example/api/v3/");
        let url = |path: &[&str]| client.request(&call(path)).unwrap().url().to_string();
        let base = "https://ghes.example/api/v3/repos/o/r";
        assert_eq!(url(&["pulls", "7"]), format!("{base}/pulls/7"));
        let hostile = ["collaborators", "eve/../../x?y#z", "permission"];
        assert_eq!(
            url(&hostile),
            format!("{base}/collaborators/eve%2F..%2F..%2Fx%3Fy%23z/permission")
        );
        // A dotted segment is left out, not followed.
        assert_eq!(url(&["a", "..", "b"]), format!("{base}/a/b"));
    }

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Whole {
        let headers = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        Whole { status, headers: headers.collect(), bytes: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_limit_is_told_from_a_refusal() {
        let date = ("date", "Fri, 20 Nov 2026 10:00:00 GMT");
        let empty = ("x-ratelimit-remaining", "0");
        let cases = [
            (answer(429, &[], "{}"), Some(None)),
            (answer(403, &[("retry-after", "7")], "{}"), Some(Some(7))),
            // 10:00:30, and a second for what is cut off.
            (
                answer(403, &[date, empty, ("x-ratelimit-reset", "1795168830")], "{}"),
                Some(Some(31)),
            ),
            (answer(403, &[empty], "{}"), Some(None)),
            (
                answer(403, &[], r#"{"message": "You have exceeded a secondary rate limit."}"#),
                Some(None),
            ),
            (answer(403, &[], r#"{"message": "Resource not accessible by integration"}"#), None),
            (answer(404, &[("retry-after", "7")], "{}"), None),
        ];
        for (whole, expected) in cases {
            let expected: Option<Option<Duration>> =
                expected.map(|s: Option<u64>| s.map(Duration::from_secs));
            assert_eq!(limited(&whole), expected, "{} {:?}", whole.status, whole.headers);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_writes_go_at_once_and_later_ones_a_second_apart() {
        let client = client("https://api.github.com");
        let start = Instant::now();
        for n in 0..15u32 {
            drop(client.turn().await);
            let waited = start.elapsed().as_secs();
            assert_eq!(waited, u64::from(n.saturating_sub(BURST)), "write {n}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_refused_without_showing_it() {
        let client = bearer(&"ghs_sec\nret".into()).unwrap_err();
        assert!(!client.contains("ghs_sec"), "{client}");
    }
}
