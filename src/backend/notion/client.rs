//! The one HTTP client: sends, counts, waits, repeats.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{Answered, Failure, Reply, Verdict, judge};
use super::endpoint::{Endpoint, Meaning};
use super::limiter::{LONGEST_PAUSE, Limiter};
use crate::backend::{BackendError, Requests, WriteGate};
use crate::http::{self, Broken, Whole, header};

/// Version of the API that every request names.
const VERSION: &str = "2026-03-11";

/// Largest body that is read.
const BODY_CAP: usize = 32 * 1024 * 1024;

/// Attempts of one call (request-limits).
const ATTEMPTS: u32 = 6;

/// Longest backoff where the server names no time (request-limits).
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Waits that tests shorten.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// First backoff; doubled with each attempt, up to 30 s, and varied by half.
    pub backoff: Duration,
    /// Time for a whole request that changes nothing.
    pub read_timeout: Duration,
    /// Time for a whole request that may write: shorter than the 30 s of lease that a write needs (rule 11).
    pub write_timeout: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            backoff: Duration::from_secs(1),
            read_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(25),
        }
    }
}

/// A successful answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Value,
    began: Option<Timestamp>,
}

impl Answer {
    /// When the request began by the server's clock (rule 6).
    pub(super) fn began(&self) -> Result<Timestamp, BackendError> {
        self.began.ok_or_else(|| BackendError::Refused {
            message: "Notion's answer has no `Date`, and no other clock may be used.".to_owned(),
            remedy: "Let the proxy before Notion pass the header.".to_owned(),
        })
    }
}

/// A connection to one workspace.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
    tuning: Tuning,
    limiter: Limiter,
    gate: RwLock<Option<Arc<dyn WriteGate>>>,
    requests: Mutex<Requests>,
    now: Mutex<Option<Timestamp>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(
        base_url: &str,
        token: SecretString,
        requests_per_minute: u32,
        tuning: Tuning,
    ) -> Result<Self, BackendError> {
        let base = Url::parse(base_url.trim_end_matches('/'))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            // The address is shown in messages, so it must hold no secret.
            .filter(|url| url.username().is_empty() && url.password().is_none())
            .ok_or_else(|| BackendError::Refused {
                message: "The address of Notion's API is no http or https URL without a password."
                    .to_owned(),
                remedy: "Correct or unset NOTION_API_URL.".to_owned(),
            })?;
        // Checked here, so that it is a refusal and not a request that cannot be built.
        bearer(&token)?;
        let http = http::client().map_err(|error| BackendError::Unavailable {
            message: format!("The HTTP client cannot be set up: {error}."),
        })?;
        Ok(Self {
            http,
            base,
            token,
            tuning,
            limiter: Limiter::new(requests_per_minute),
            gate: RwLock::new(None),
            requests: Mutex::default(),
            now: Mutex::default(),
        })
    }

    pub(super) fn set_gate(&self, gate: Arc<dyn WriteGate>) {
        *self.gate.write().unwrap_or_else(PoisonError::into_inner) = Some(gate);
    }

    /// The server's `Date` in its last answer.
    pub(super) fn now(&self) -> Option<Timestamp> {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why no write may start now, if so.
    pub(super) fn closed(&self) -> Option<String> {
        self.may_write().err()
    }

    /// Requests so far.
    pub(super) fn requests(&self) -> Requests {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        requests.waited_ms = u64::try_from(self.limiter.waited().as_millis()).unwrap_or(u64::MAX);
        requests
    }

    /// [`Self::send`], with the failure put for the engine.
    pub(super) async fn call(
        &self,
        endpoint: Endpoint<'_>,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, BackendError> {
        self.send(endpoint, query, body).await.map_err(|failure| failure.explain(&endpoint))
    }

    /// Sends until there is a clear answer, as the call's meaning allows.
    pub(super) async fn send(
        &self,
        endpoint: Endpoint<'_>,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        loop {
            let (reply, began) = self.attempt(endpoint, query, body, attempt).await?;
            let (wait, reason) = match judge(&endpoint, reply) {
                Verdict::Done(body) => return Ok(Answer { body, began }),
                Verdict::Failed(failure) => return Err(failure),
                Verdict::Pause { wait, reason } => {
                    let wait = wait.unwrap_or_else(|| self.backoff(attempt));
                    tracing::info!(reason, wait_s = wait.as_secs_f32(), "notion asks to wait");
                    self.limiter.pause(wait);
                    (wait, reason)
                }
                Verdict::Retry(reason) => {
                    let wait = self.backoff(attempt);
                    tracing::debug!(reason, attempt, "notion request failed");
                    if attempt < ATTEMPTS && waited + wait <= LONGEST_PAUSE {
                        tokio::time::sleep(wait).await;
                    }
                    (wait, reason)
                }
            };
            waited += wait;
            if attempt >= ATTEMPTS || waited > LONGEST_PAUSE {
                return Err(Failure::Unavailable(format!(
                    "{reason} It was tried {attempt} times."
                )));
            }
            attempt += 1;
        }
    }

    /// One attempt and the server's time at which it began.
    async fn attempt(
        &self,
        endpoint: Endpoint<'_>,
        query: &[(&str, &str)],
        body: Option<&Value>,
        attempt: u32,
    ) -> Result<(Reply, Option<Timestamp>), Failure> {
        let permit = self.limiter.acquire().await.map_err(|paused| {
            Failure::Unavailable(format!(
                "Notion wants no request for {} s.",
                paused.left.as_secs()
            ))
        })?;
        let (timeout, may_send) = match endpoint.meaning() {
            Meaning::Read => (self.tuning.read_timeout, Ok(())),
            Meaning::Write => (self.tuning.write_timeout, self.may_write()),
        };
        if let Err(why) = may_send {
            permit.give_back();
            return Err(Failure::Closed(why));
        }
        let request = self.request(endpoint, query, body)?;
        self.count(&endpoint, attempt);
        let start = Instant::now();
        let outcome = tokio::time::timeout(timeout, exchange(&self.http, request)).await;
        drop(permit);
        let (reply, date) = outcome.unwrap_or_else(|_| {
            (Reply::Broken(format!("none within {} s", timeout.as_secs_f32())), None)
        });
        let (status, request_id) = match &reply {
            Reply::Answered(answered) => (Some(answered.status), answered.request_id.as_deref()),
            _ => (None, None),
        };
        tracing::debug!(
            endpoint = endpoint.pattern(),
            attempt,
            status,
            request_id,
            elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            "notion request"
        );
        if let Some((date, _)) = date {
            *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Some(date);
        }
        let began = date.and_then(|(date, elapsed)| {
            date.checked_sub(jiff::SignedDuration::try_from(elapsed).ok()?).ok()
        });
        Ok((reply, began))
    }

    fn request(
        &self,
        endpoint: Endpoint<'_>,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<reqwest::Request, Failure> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), endpoint.path()));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = reqwest::Request::new(endpoint.method(), url);
        let token = bearer(&self.token).map_err(|error| Failure::Unavailable(error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token);
        headers.insert("notion-version", HeaderValue::from_static(VERSION));
        if let Some(body) = body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.to_string().into());
        }
        Ok(request)
    }

    fn may_write(&self) -> Result<(), String> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner).clone();
        gate.map_or_else(|| Err("this run holds no lease".to_owned()), |gate| gate.may_write())
    }

    fn count(&self, endpoint: &Endpoint<'_>, attempt: u32) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.by_endpoint.entry(endpoint.pattern().to_owned()).or_default() += 1;
        requests.retries += u64::from(attempt > 1);
    }

    /// Doubled with each attempt and varied between half and one and a half.
    fn backoff(&self, attempt: u32) -> Duration {
        let doubled = self.tuning.backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        // A fresh `RandomState` is randomness enough to spread retries.
        let permille = 500 + RandomState::new().hash_one(attempt) % 1000;
        let varied = doubled.saturating_mul(u32::try_from(permille).unwrap_or(1000)) / 1000;
        varied.min(LONGEST_BACKOFF)
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, BackendError> {
    let text = token.expose_secret();
    let value = HeaderValue::from_str(&format!("Bearer {text}")).ok().filter(|_| !text.is_empty());
    let mut value = value.ok_or_else(|| BackendError::Refused {
        message: "The token for Notion is empty or has characters that no token has.".to_owned(),
        remedy: "Set NOTION_TOKEN to the token as Notion shows it, without line breaks.".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Sends and reads the whole answer; with the server's `Date` and the time until the answer began.
async fn exchange(
    http: &reqwest::Client,
    request: reqwest::Request,
) -> (Reply, Option<(Timestamp, Duration)>) {
    let start = Instant::now();
    let response = match http::begin(http, request).await {
        Ok(response) => response,
        Err(broken) => return (broken.into(), None),
    };
    let elapsed = start.elapsed();
    let Whole { status, headers, bytes } = match http::read(response, BODY_CAP).await {
        Ok(whole) => whole,
        Err(broken) => return (broken.into(), None),
    };
    let date = header_time(&headers, DATE.as_str());
    let answered = Answered {
        status,
        body: serde_json::from_slice(&bytes).ok(),
        retry_after: retry_after(&headers, date),
        request_id: header(&headers, "x-notion-request-id").map(str::to_owned),
        ray: header(&headers, "cf-ray").map(str::to_owned),
    };
    (Reply::Answered(answered), date.map(|date| (date, elapsed)))
}

impl From<Broken> for Reply {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::NotSent(why) => Self::NotSent(why),
            Broken::Midway(why) => Self::Broken(why),
            Broken::TooLarge => Self::TooLarge,
        }
    }
}

fn header_time(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(header(headers, name)?).ok()?).ok()
}

/// Seconds, or a time of the server's clock.
fn retry_after(headers: &HeaderMap, date: Option<Timestamp>) -> Option<Duration> {
    let text = header(headers, RETRY_AFTER.as_str())?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = header_time(headers, RETRY_AFTER.as_str())?;
    Some(Duration::try_from(until.duration_since(date?)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (reqwest::header::HeaderName::from_static(name), HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_time_of_the_servers_clock() {
        let date = header_time(&headers(&[("date", "Fri, 20 Nov 2026 10:00:00 GMT")]), "date");
        let seconds = headers(&[("retry-after", "42")]);
        let later = headers(&[("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT")]);
        let past = headers(&[("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT")]);
        let junk = headers(&[("retry-after", "soon")]);
        assert_eq!(retry_after(&seconds, None), Some(Duration::from_secs(42)));
        assert_eq!(retry_after(&later, date), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(&past, date), Some(Duration::ZERO));
        assert_eq!(retry_after(&junk, date), None);
    }

    #[test]
    fn backoff_doubles_varies_and_ends_at_thirty_seconds() {
        let client = Client::new("http://localhost", "t".into(), 180, Tuning::default()).unwrap();
        for _ in 0..100 {
            for attempt in 1..=3 {
                let base = Duration::from_secs(1 << (attempt - 1));
                let backoff = client.backoff(attempt);
                assert!(backoff >= base / 2 && backoff < base * 3 / 2, "{attempt}: {backoff:?}");
            }
            assert_eq!(client.backoff(40), LONGEST_BACKOFF);
        }
    }

    #[test]
    fn a_token_or_an_address_that_cannot_be_sent_is_refused_without_showing_it() {
        for (base, token) in [
            ("http://localhost", "ntn_sec\nret"),
            ("http://localhost", ""),
            ("ftp://x", "ntn_sec"),
            ("x", "t"),
            ("http://u:ntn_sec@localhost", "t"),
        ] {
            let error = Client::new(base, token.into(), 180, Tuning::default()).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(
                matches!(error, BackendError::Refused { .. }) && !text.contains("ntn_sec"),
                "{text}"
            );
        }
    }
}
