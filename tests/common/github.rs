//! GitHub for tests: `emulate`, a stateful API that nobody here wrote, behind a façade of ours that counts and breaks
//! requests, and answers the few endpoints that `emulate` lacks or only pretends: commit statuses, reactions, the files of a
//! pull request (out of its own comparison), GraphQL. It also lets a pull request
//! follow its branches, which `emulate` forgets, and refuses one that GitHub would refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use base64::Engine as _;
use serde_json::{Value, json};

/// Owner and name of the repository of every test.
pub const REPOSITORY: &str = "ada/docs";
/// Token of the workflow: acts as `github-actions[bot]`.
pub const BOT: &str = "ghs_workflow_token_4711";
/// Login of the workflow's token, as GraphQL and comments have it.
pub const VIEWER: &str = "github-actions[bot]";
/// Token of a person with write permission (`ada`, who owns the repository).
pub const ADA: &str = "ghp_ada_token_4711";
/// Token of a person without any permission (`eve`).
pub const EVE: &str = "ghp_eve_token_4711";

/// A request that reached the façade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Method.
    pub method: String,
    /// Path below `/repos/{owner}/{name}`, or the whole path.
    pub path: String,
    /// Body, where it is JSON.
    pub body: Value,
}

impl Seen {
    /// Whether it changes anything. A query of GraphQL does not.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && self.path != "/graphql"
    }
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered with this and not done.
    Answer(u16, Vec<(&'static str, String)>, Value),
    /// It is done, and answered with this status.
    Lost(u16),
}

type Rule = Box<dyn FnMut(&Seen) -> Option<Fault> + Send>;

#[derive(Default)]
struct Inner {
    seen: Vec<Seen>,
    rule: Option<Rule>,
    /// Statuses by commit, newest last.
    statuses: BTreeMap<String, Vec<Value>>,
    /// Reactions by path of what they are at.
    reactions: BTreeMap<String, Vec<String>>,
    /// Review threads that were resolved.
    resolved: Vec<String>,
}

struct Shared {
    upstream: String,
    http: reqwest::Client,
    inner: Mutex<Inner>,
    /// Pull requests that were merged.
    merged: Mutex<BTreeSet<u64>>,
}

/// A running GitHub.
pub struct GitHub {
    shared: Arc<Shared>,
    url: String,
    emulate: Child,
    runtime: Option<tokio::runtime::Runtime>,
    _dir: tempfile::TempDir,
}

impl Drop for GitHub {
    fn drop(&mut self) {
        let _ = self.emulate.kill();
        let _ = self.emulate.wait();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Where npm put `emulate` and its Node; installs them once.
fn install() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (sources, folder) = (root.join("tests/common/emulate"), root.join("target/tmp/emulate"));
    std::fs::create_dir_all(&folder).unwrap();
    let lock = std::fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let mut is_installed = folder.join("node_modules/.bin/node").exists();
    for file in ["package.json", "package-lock.json"] {
        let wanted = std::fs::read(sources.join(file)).unwrap();
        if std::fs::read(folder.join(file)).ok().as_ref() != Some(&wanted) {
            std::fs::write(folder.join(file), wanted).unwrap();
            is_installed = false;
        }
    }
    if !is_installed {
        let installed = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .status()
            .expect("npm must be installed to test against a GitHub that is not ours");
        assert!(installed.success(), "npm ci failed");
    }
    folder
}

impl GitHub {
    /// With an empty repository.
    pub fn start() -> Self {
        let folder = install();
        let dir = tempfile::TempDir::new().unwrap();
        let seed = dir.path().join("seed.json");
        let users: Vec<Value> = ["ada", "eve", "github-actions[bot]"]
            .iter()
            .map(|login| json!({"login": login, "name": login, "email": format!("{}@example.com", login.replace(['[', ']'], ""))}))
            .collect();
        let token = |login: &str| json!({"login": login, "scopes": ["repo"]});
        let mut tokens =
            json!({ADA: token("ada"), EVE: token("eve"), BOT: token("github-actions[bot]")});
        for n in 0..16 {
            tokens[pooled(n)] = token("ada");
        }
        let seeded = json!({
            "tokens": tokens,
            "github": {
                "users": users,
                "repos": [{"owner": "ada", "name": "docs", "private": false, "default_branch": "main", "auto_init": true}],
            },
        });
        std::fs::write(&seed, seeded.to_string()).unwrap();
        let (emulate, upstream) = launch(&folder, &seed);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let http = plain_client();
        let shared =
            Arc::new(Shared { upstream, http, inner: Mutex::default(), merged: Mutex::default() });
        let app = axum::Router::new().fallback(handle).with_state(shared.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await });
        let github = Self { shared, url, emulate, runtime: Some(runtime), _dir: dir };
        let path = format!("/repos/{REPOSITORY}/collaborators/github-actions[bot]");
        github.direct(ADA, "PUT", &path, json!({"permission": "push"}));
        github
    }

    /// Address of the API for the program under test.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Requests since the start or the last [`Self::forget`].
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.inner.lock().unwrap().seen.clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.inner.lock().unwrap().seen.clear();
    }

    /// Requests that change something.
    pub fn writes(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(Seen::is_write).collect()
    }

    /// Sets what is asked about each request before it is passed on.
    pub fn rule(&self, rule: impl FnMut(&Seen) -> Option<Fault> + Send + 'static) {
        self.shared.inner.lock().unwrap().rule = Some(Box::new(rule));
    }

    /// No faults any more.
    pub fn no_rule(&self) {
        self.shared.inner.lock().unwrap().rule = None;
    }

    /// Statuses of a commit, newest first: context, state, description.
    pub fn statuses(&self, commit: &str) -> Vec<(String, String, String)> {
        let inner = self.shared.inner.lock().unwrap();
        let all = inner.statuses.get(commit).into_iter().flatten().rev();
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        all.map(|s| (text(s, "context"), text(s, "state"), text(s, "description"))).collect()
    }

    /// Reactions below this path of the repository.
    pub fn reactions(&self, path: &str) -> Vec<String> {
        self.shared.inner.lock().unwrap().reactions.get(path).cloned().unwrap_or_default()
    }

    /// Review threads that were resolved.
    pub fn resolved(&self) -> Vec<String> {
        self.shared.inner.lock().unwrap().resolved.clone()
    }

    /// A request of a person or a test, past the façade, to a path of the repository.
    #[track_caller]
    pub fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> Value {
        self.direct(token, method, &format!("/repos/{REPOSITORY}{path}"), body)
    }

    #[track_caller]
    fn direct(&self, token: &str, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.shared.upstream);
        let request = self
            .shared
            .http
            .request(method.parse().unwrap(), url)
            .bearer_auth(token)
            .header("accept", "application/vnd.github+json");
        let request = match body.is_null() {
            true => request,
            false => request.json(&body),
        };
        let runtime = self.runtime.as_ref().unwrap();
        let (status, bytes) = runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status(), answer.bytes().await.unwrap())
        });
        let text = String::from_utf8_lossy(&bytes);
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// The commit of a branch.
    #[track_caller]
    pub fn head(&self, branch: &str) -> String {
        let found = self.ask(ADA, "GET", &format!("/git/ref/heads/{branch}"), Value::Null);
        found["object"]["sha"].as_str().unwrap().to_owned()
    }

    /// Commits files (`None`: removed) on top of a branch; a branch that does not exist begins at `main`.
    #[track_caller]
    pub fn push(&self, branch: &str, files: &[(&str, Option<&str>)], message: &str) -> String {
        let refs = self.ask(ADA, "GET", &format!("/git/matching-refs/heads/{branch}"), Value::Null);
        let full = format!("refs/heads/{branch}");
        let exists = refs.as_array().unwrap().iter().any(|at| at["ref"] == full);
        let parent = self.head(if exists { branch } else { "main" });
        let commit = self.ask(ADA, "GET", &format!("/git/commits/{parent}"), Value::Null);
        let entries: Vec<Value> = files
            .iter()
            .map(|(path, text)| {
                let mut entry = json!({"path": path, "mode": "100644", "type": "blob"});
                match text {
                    Some(text) => entry["content"] = json!(text),
                    None => entry["sha"] = Value::Null,
                }
                entry
            })
            .collect();
        let tree = json!({"base_tree": commit["tree"]["sha"], "tree": entries});
        let tree = self.ask(ADA, "POST", "/git/trees", tree);
        let body = json!({"message": message, "tree": tree["sha"], "parents": [parent]});
        let made = self.ask(ADA, "POST", "/git/commits", body)["sha"].as_str().unwrap().to_owned();
        match exists {
            true => {
                self.ask(ADA, "PATCH", &format!("/git/refs/heads/{branch}"), json!({"sha": made}))
            }
            false => self.ask(ADA, "POST", "/git/refs", json!({"ref": full, "sha": made})),
        };
        made
    }

    /// A commit as the API gives it.
    #[track_caller]
    pub fn commit(&self, sha: &str) -> Value {
        self.ask(ADA, "GET", &format!("/git/commits/{sha}"), Value::Null)
    }

    /// Merges a pull request as its button does, whatever has happened to its branches since it was opened.
    #[track_caller]
    pub fn merge(&self, number: u64, squash: bool) -> String {
        let pull = self.ask(ADA, "GET", &format!("/pulls/{number}"), Value::Null);
        let (main, head) = (self.head("main"), self.head(pull["head"]["ref"].as_str().unwrap()));
        let range = format!("/compare/{main}...{head}");
        let base = self.ask(ADA, "GET", &range, Value::Null)["merge_base_commit"]["sha"]
            .as_str()
            .unwrap()
            .to_owned();
        let (base, theirs) = (self.files(&base), self.files(&head));
        let paths: BTreeSet<&String> = base.keys().chain(theirs.keys()).collect();
        let changed = paths.into_iter().filter(|path| base.get(*path) != theirs.get(*path));
        let entries: Vec<Value> = changed
            .map(|path| {
                let entry = json!({"path": path, "mode": "100644", "type": "blob"});
                let mut entry = entry.as_object().unwrap().clone();
                match theirs.get(path) {
                    Some(text) => entry.insert("content".to_owned(), json!(text)),
                    None => entry.insert("sha".to_owned(), Value::Null),
                };
                Value::Object(entry)
            })
            .collect();
        let tree = json!({"base_tree": self.commit(&main)["tree"]["sha"], "tree": entries});
        let tree = self.ask(ADA, "POST", "/git/trees", tree)["sha"].clone();
        let parents = if squash { vec![main] } else { vec![main, head] };
        let body = json!({"message": format!("Merge #{number}"), "tree": tree, "parents": parents});
        let made = self.ask(ADA, "POST", "/git/commits", body)["sha"].as_str().unwrap().to_owned();
        self.ask(ADA, "PATCH", "/git/refs/heads/main", json!({"sha": made}));
        self.ask(ADA, "PATCH", &format!("/pulls/{number}"), json!({"state": "closed"}));
        self.shared.merged.lock().unwrap().insert(number);
        made
    }

    /// All files of a commit.
    #[track_caller]
    pub fn files(&self, commit: &str) -> BTreeMap<String, String> {
        let tree = self.ask(ADA, "GET", &format!("/git/trees/{commit}?recursive=1"), Value::Null);
        let files = tree["tree"].as_array().unwrap().iter().filter(|entry| entry["type"] == "blob");
        files
            .map(|entry| {
                let sha = entry["sha"].as_str().unwrap();
                let blob = self.ask(ADA, "GET", &format!("/git/blobs/{sha}"), Value::Null);
                (entry["path"].as_str().unwrap().to_owned(), text_of(&blob))
            })
            .collect()
    }

    /// A checkout as actions/checkout leaves it, as far as a program without `git` can tell: the files, and HEAD.
    #[track_caller]
    pub fn checkout(&self, commit: &str, dir: &Path) {
        std::fs::create_dir_all(dir.join(".git")).unwrap();
        std::fs::write(dir.join(".git/HEAD"), format!("{commit}\n")).unwrap();
        for (path, text) in self.files(commit) {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }
}

/// One of many tokens of the owner.
fn pooled(n: u8) -> String {
    format!("ghp_pool_{n}")
}

fn plain_client() -> reqwest::Client {
    // reqwest is built without a TLS provider of its own; loopback needs none, but it wants to be asked.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn text_of(blob: &Value) -> String {
    let content: String = blob["content"].as_str().unwrap().split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(content).unwrap();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Starts `emulate` on a free port and waits until it answers.
fn launch(folder: &Path, seed: &Path) -> (Child, String) {
    for _ in 0..5 {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(folder.join("node_modules/.bin/node"))
            .arg(folder.join("node_modules/emulate/dist/index.js"))
            .args(["start", "--service", "github", "--seed"])
            .arg(seed)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.any(|line| line.is_ok_and(|line| line.contains("Ready")));
        // The rest of its output is nobody's.
        std::thread::spawn(move || lines.for_each(drop));
        let began = Instant::now();
        while ready && began.elapsed() < Duration::from_secs(20) {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (child, format!("http://127.0.0.1:{port}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    panic!("emulate does not start");
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let below = path.strip_prefix(&format!("/repos/{REPOSITORY}")).unwrap_or(&path).to_owned();
    let seen = Seen {
        method: method.to_string(),
        path: below.clone(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    // A rule may wait for what the test does meanwhile.
    let fault = tokio::task::block_in_place(|| {
        let mut inner = shared.inner.lock().unwrap();
        inner.seen.push(seen.clone());
        inner.rule.as_mut().and_then(|rule| rule(&seen))
    });
    if let Some(Fault::Answer(status, headers, body)) = fault {
        return answer(status, &headers, &body);
    }
    let reply = match ours(&shared, &seen).await {
        Some(reply) => reply,
        None => {
            let pulls = method == Method::GET && below.starts_with("/pulls");
            let reply = pass(&shared, method, &uri, &headers, body).await;
            if pulls { follow(&shared, reply).await } else { reply }
        }
    };
    match fault {
        Some(Fault::Lost(status)) => answer(status, &[], &json!({"message": "Server Error"})),
        _ => reply,
    }
}

fn answer(status: u16, headers: &[(&'static str, String)], body: &Value) -> Response {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body.to_string())).unwrap()
}

async fn pass(
    shared: &Shared,
    method: Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let url = format!("{}{}", shared.upstream, uri.path_and_query().unwrap());
    let mut request = shared.http.request(method, url).body(body);
    for name in ["authorization", "accept", "content-type", "x-github-api-version"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let reply = request.send().await.unwrap();
    let mut response = Response::builder().status(reply.status());
    for (name, value) in reply.headers() {
        if !matches!(name.as_str(), "transfer-encoding" | "content-length" | "connection") {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(reply.bytes().await.unwrap())).unwrap()
}

/// Asks `emulate` for a path of the repository.
async fn look(shared: &Shared, path: &str) -> Value {
    let url = format!("{}/repos/{REPOSITORY}{path}", shared.upstream);
    let reply = shared.http.get(url).bearer_auth(ADA).send().await.unwrap();
    reply.json().await.unwrap_or_default()
}

/// Lets pull requests be at the heads of their branches, and merged where [`GitHub::merge`] merged them.
async fn follow(shared: &Shared, reply: Response) -> Response {
    let status = reply.status().as_u16();
    let bytes = axum::body::to_bytes(reply.into_body(), usize::MAX).await.unwrap();
    let mut found: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let pulls: Vec<&mut Value> = match &mut found {
        Value::Array(pulls) => pulls.iter_mut().collect(),
        pull => vec![pull],
    };
    for pull in pulls.into_iter().filter(|pull| pull["number"].is_u64()) {
        for side in ["head", "base"] {
            let branch = pull[side]["ref"].as_str().unwrap_or_default();
            let at = look(shared, &format!("/git/ref/heads/{branch}")).await;
            if let Some(sha) = at["object"]["sha"].as_str() {
                pull[side]["sha"] = json!(sha);
            }
        }
        let number = pull["number"].as_u64().unwrap();
        if shared.merged.lock().unwrap().contains(&number) {
            pull["merged"] = json!(true);
            pull["merged_at"] = pull["closed_at"].clone();
        }
    }
    answer(status, &[], &found)
}

/// Why GitHub would not open this pull request: there is one, or it would bring no commit.
async fn unwanted(shared: &Shared, body: &Value) -> Option<Response> {
    let (head, base) = (body["head"].as_str()?, body["base"].as_str()?);
    let open = look(shared, "/pulls?state=open").await;
    let exists = open.as_array()?.iter().any(|pull| pull["head"]["ref"] == head);
    let compared = look(shared, &format!("/compare/{base}...{head}")).await;
    let message = match (exists, compared["total_commits"].as_u64()) {
        (true, _) => format!("A pull request already exists for ada:{head}."),
        (false, Some(0)) => format!("No commits between {base} and {head}"),
        _ => return None,
    };
    let errors = json!([{"resource": "PullRequest", "code": "custom", "message": message}]);
    Some(answer(422, &[], &json!({"message": "Validation Failed", "errors": errors})))
}

/// The endpoints that `emulate` lacks.
async fn ours(shared: &Shared, seen: &Seen) -> Option<Response> {
    let parts: Vec<&str> = seen.path.split('/').skip(1).collect();
    match (seen.method.as_str(), parts.as_slice()) {
        ("POST", ["statuses", sha]) => {
            let mut inner = shared.inner.lock().unwrap();
            let all = inner.statuses.entry((*sha).to_owned()).or_default();
            all.push(seen.body.clone());
            Some(answer(201, &[], &seen.body))
        }
        ("GET", ["commits", sha, "status"]) => {
            let inner = shared.inner.lock().unwrap();
            let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
            for status in inner.statuses.get(*sha).into_iter().flatten() {
                newest.insert(status["context"].as_str().unwrap_or("default"), status);
            }
            let statuses: Vec<&Value> = newest.into_values().collect();
            let all = |state: &str| statuses.iter().all(|status| status["state"] == state);
            let state = if statuses.is_empty() || !all("success") { "pending" } else { "success" };
            Some(answer(200, &[], &json!({"state": state, "sha": sha, "statuses": statuses})))
        }
        ("POST", ["issues", .., "reactions"]) => {
            let content = seen.body["content"].as_str().unwrap_or_default().to_owned();
            let mut inner = shared.inner.lock().unwrap();
            let path = seen.path.trim_end_matches("/reactions").to_owned();
            inner.reactions.entry(path).or_default().push(content.clone());
            Some(answer(201, &[], &json!({"content": content})))
        }
        ("GET", ["pulls", number, "files"]) => {
            let repository = format!("{}/repos/{REPOSITORY}", shared.upstream);
            let get = async |url: String| -> Value {
                shared.http.get(url).bearer_auth(ADA).send().await.unwrap().json().await.unwrap()
            };
            let pull = get(format!("{repository}/pulls/{number}")).await;
            let sha = |side: &str| pull[side]["sha"].as_str().unwrap_or_default().to_owned();
            let range = format!("{}...{}", sha("base"), sha("head"));
            let compared = get(format!("{repository}/compare/{range}")).await;
            Some(answer(200, &[], &compared["files"]))
        }
        ("POST", ["graphql"]) => Some(graphql(shared, seen).await),
        ("POST", ["pulls"]) => unwanted(shared, &seen.body).await,
        _ => None,
    }
}

/// Moves a ref that is where it is said to be, to any commit.
async fn update_ref(shared: &Shared, variables: &Value) -> Response {
    let name = variables["ref"].as_str().unwrap().trim_start_matches("refs/");
    let url = format!("{}/repos/{REPOSITORY}/git", shared.upstream);
    let there = shared.http.get(format!("{url}/ref/{name}")).bearer_auth(ADA).send().await.unwrap();
    let there: Value = there.json().await.unwrap();
    if there["object"]["sha"] != variables["old"] {
        let error = json!({"message": "expected another object at the ref"});
        return answer(200, &[], &json!({"data": null, "errors": [error]}));
    }
    let body = json!({"sha": variables["new"], "force": true});
    let moved = shared.http.patch(format!("{url}/refs/{name}")).bearer_auth(ADA).json(&body);
    let moved = moved.send().await.unwrap();
    assert!(moved.status().is_success(), "{}", moved.text().await.unwrap());
    answer(200, &[], &json!({"data": {"updateRefs": {"clientMutationId": null}}}))
}

/// Blobs by name, the end of a review thread and conditional moves of refs: all that the program asks of GraphQL.
async fn graphql(shared: &Shared, seen: &Seen) -> Response {
    let query = seen.body["query"].as_str().unwrap_or_default();
    if query.contains("reviewThreads") {
        let number = query.split("pullRequest(number: ").nth(1).unwrap();
        let number: String = number.chars().take_while(char::is_ascii_digit).collect();
        let url = format!("{}/repos/{REPOSITORY}/pulls/{number}/comments", shared.upstream);
        let reply = shared.http.get(url).bearer_auth(ADA).send().await.unwrap();
        let comments: Value = reply.json().await.unwrap();
        let resolved = shared.inner.lock().unwrap().resolved.clone();
        let threads: Vec<Value> = (comments.as_array().unwrap().iter())
            .filter(|comment| comment["in_reply_to_id"].is_null())
            .map(|comment| {
                let id = format!("PRRT_{}", comment["id"]);
                let first = json!({"nodes": [{"databaseId": comment["id"]}]});
                json!({"isResolved": resolved.contains(&id), "id": id, "comments": first})
            })
            .collect();
        let threads = json!({"reviewThreads": {"nodes": threads}});
        return answer(200, &[], &json!({"data": {"repository": {"pullRequest": threads}}}));
    }
    if query.contains("updateRefs") {
        return update_ref(shared, &seen.body["variables"]).await;
    }
    if query.ends_with("{ repository(owner: $owner, name: $name) { id } }") {
        return answer(200, &[], &json!({"data": {"repository": {"id": "R_1"}}}));
    }
    if query.starts_with("mutation") {
        let id = seen.body["variables"]["thread"].as_str().unwrap_or_default().to_owned();
        shared.inner.lock().unwrap().resolved.push(id);
        return answer(
            200,
            &[],
            &json!({"data": {"resolveReviewThread": {"thread": {"isResolved": true}}}}),
        );
    }
    let mut objects = serde_json::Map::new();
    for (name, expression) in seen.body["variables"].as_object().into_iter().flatten() {
        let Some((commit, path)) = expression.as_str().and_then(|text| text.split_once(':')) else {
            continue;
        };
        let url = format!("{}/repos/{REPOSITORY}/contents/{path}?ref={commit}", shared.upstream);
        let reply = shared.http.get(url).bearer_auth(ADA).send().await.unwrap();
        let value = match reply.status().is_success() {
            true => json!({"text": text_of(&reply.json().await.unwrap()), "isTruncated": false}),
            false => Value::Null,
        };
        objects.insert(name.clone(), value);
    }
    for part in query.split("object(oid: \"").skip(1).zip(query.split(": object(oid:")) {
        let (after, before) = part;
        let name = before.rsplit([' ', '{']).next().unwrap_or_default().to_owned();
        let sha = after.split('"').next().unwrap_or_default();
        let url = format!("{}/repos/{REPOSITORY}/git/blobs/{sha}", shared.upstream);
        // `emulate` counts requests an hour for each token, and one query is one request only at GitHub.
        let token = pooled(u8::from_str_radix(&sha[..1], 16).unwrap());
        let reply = shared.http.get(url).bearer_auth(token).send().await.unwrap();
        let value = match reply.status().is_success() {
            true => {
                let blob: Value = reply.json().await.unwrap();
                let content: String =
                    blob["content"].as_str().unwrap().split_whitespace().collect();
                let bytes = base64::engine::general_purpose::STANDARD.decode(content).unwrap();
                // As GitHub does it: no text for what is not text.
                let text = String::from_utf8(bytes).ok();
                json!({"text": text, "isTruncated": false})
            }
            false => Value::Null,
        };
        objects.insert(name, value);
    }
    answer(200, &[], &json!({"data": {"viewer": {"login": VIEWER}, "repository": objects}}))
}
