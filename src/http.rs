//! HTTP as every client of ours speaks it: TLS, proxies, limits.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections are closed early: one that the server closes under a write makes that write ambiguous.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why an answer is not there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// No connection: nothing was sent.
    NotSent(String),
    /// The connection broke; the request may have taken effect.
    Midway(String),
    /// The answer is larger than was allowed.
    TooLarge,
}

/// An answer, read whole.
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

/// TLS by rustls with ring, trusting the roots of Mozilla that are compiled in; `HTTPS_PROXY` and `NO_PROXY` count.
/// Redirects are not followed: a token must not travel.
pub(crate) fn client() -> Result<reqwest::Client, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| chain(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!("agent-sync/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| chain(&error))
}

/// Sends and waits for the head of the answer.
pub(crate) async fn begin(
    http: &reqwest::Client,
    request: reqwest::Request,
) -> Result<reqwest::Response, Broken> {
    http.execute(request).await.map_err(|error| {
        let sent = !error.is_connect();
        let error = chain(&error.without_url());
        if sent { Broken::Midway(error) } else { Broken::NotSent(error) }
    })
}

/// Reads the answer to its end; at most `cap` bytes.
pub(crate) async fn read(mut response: reqwest::Response, cap: usize) -> Result<Whole, Broken> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > cap => return Err(Broken::TooLarge),
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(Broken::Midway(chain(&error.without_url()))),
        }
    }
    let status = response.status().as_u16();
    Ok(Whole { status, headers: std::mem::take(response.headers_mut()), bytes })
}

/// An error with its causes, which is where hyper and rustls say what happened.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A header's text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
