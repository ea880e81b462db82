//! What every [`Store`] keeps to. The suite runs over each implementation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::memory::MemoryStore;
use super::{GitStore, GithubStore, Snapshot, StateError, Store};
use crate::backend::database::{Database, DatabaseStore};
use crate::github::{Client, Context, Tuning};
use crate::repo::git::testing::TestRepo;
use crate::testing::github::{BOT, GitHub, REPOSITORY};
use crate::testing::postgres::Server;

type Change = BTreeMap<String, Option<Vec<u8>>>;

/// Two views on one state, as two clones have it.
struct Pair {
    one: Arc<dyn Store>,
    two: Arc<dyn Store>,
    /// What must live as long as the stores.
    _repos: Vec<TestRepo>,
    _github: Option<GitHub>,
    _folder: Option<tempfile::TempDir>,
}

fn memory() -> Pair {
    let store = MemoryStore::default();
    Pair {
        one: Arc::new(store.clone()),
        two: Arc::new(store),
        _repos: Vec::new(),
        _github: None,
        _folder: None,
    }
}

/// Two processes in one repository without a remote.
async fn local() -> Pair {
    let repo = TestRepo::new();
    let store = GitStore::new(repo.open().await, "refs/agent-sync/state", None).unwrap();
    Pair {
        one: Arc::new(store.clone()),
        two: Arc::new(store),
        _repos: vec![repo],
        _github: None,
        _folder: None,
    }
}

/// Two processes in one clone.
async fn one_clone() -> Pair {
    let mut pair = clones().await;
    pair.two = Arc::clone(&pair.one);
    pair
}

/// Two clones of a bare repository.
async fn clones() -> Pair {
    let (bare, seed) = (TestRepo::bare(), TestRepo::new());
    seed.write("README.md", "hello\n");
    seed.commit("first");
    seed.git(&["push", "--quiet", &bare.url(), "main"]);
    let one = TestRepo::clone_of(&bare.url(), &["--depth=1"]);
    let two = TestRepo::clone_of(&bare.url(), &[]);
    Pair {
        one: store_in(&one).await,
        two: store_in(&two).await,
        _repos: vec![bare, one, two],
        _github: None,
        _folder: None,
    }
}

/// Two processes that share a file of SQLite.
async fn sqlite() -> Pair {
    let folder = tempfile::TempDir::new().unwrap();
    let store = || -> Arc<dyn Store> {
        let path = folder.path().join("artifacts.db");
        let database = Database::sqlite("cache", path, Duration::from_secs(5));
        Arc::new(DatabaseStore::new(Arc::new(database)))
    };
    let (one, two) = (store(), store());
    Pair { one, two, _repos: Vec::new(), _github: None, _folder: Some(folder) }
}

/// Two connections to a database of PostgreSQL.
async fn postgres() -> Pair {
    let url = tokio::task::spawn_blocking(|| {
        let server = Server::shared();
        server.url(&server.database())
    });
    let url = url.await.unwrap();
    let database = || Database::postgres("team", &url, "agent_sync").unwrap();
    // The tables are made by `init`.
    database().engine().init(&BTreeMap::new(), &[]).await.unwrap();
    let store = || -> Arc<dyn Store> { Arc::new(DatabaseStore::new(Arc::new(database()))) };
    let (one, two) = (store(), store());
    Pair { one, two, _repos: Vec::new(), _github: None, _folder: None }
}

/// Two jobs that share a repository at GitHub.
async fn github() -> Pair {
    let github = tokio::task::spawn_blocking(GitHub::start).await.unwrap();
    let (one, two) = (store_at(&github), store_at(&github));
    Pair { one, two, _repos: Vec::new(), _github: Some(github), _folder: None }
}

fn store_at(github: &GitHub) -> Arc<dyn Store> {
    let env = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REPOSITORY", REPOSITORY),
        ("GITHUB_API_URL", github.url()),
        ("GITHUB_GRAPHQL_URL", &format!("{}/graphql", github.url())),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let context = Context::of(&env).unwrap().unwrap();
    let tuning =
        Tuning { pause: Duration::ZERO, backoff: Duration::from_millis(1), ..Tuning::default() };
    let client = Client::new(&context, BOT.into(), tuning).unwrap();
    Arc::new(GithubStore::new(Arc::new(client), "refs/agent-sync/state").unwrap())
}

async fn store_in(clone: &TestRepo) -> Arc<dyn Store> {
    let git = clone.open().await;
    let remote = git.remote().await.unwrap();
    assert_eq!(remote.as_deref(), Some("origin"));
    Arc::new(GitStore::new(git, "refs/agent-sync/state", remote).unwrap())
}

fn change(files: &[(&str, Option<&str>)]) -> Change {
    let owned = |content: &str| content.as_bytes().to_vec();
    files.iter().map(|(path, content)| ((*path).to_owned(), content.map(owned))).collect()
}

async fn write(store: &dyn Store, parent: &Snapshot, files: &[(&str, Option<&str>)]) -> Snapshot {
    store.commit(parent, "run 1", &change(files)).await.unwrap()
}

async fn text(store: &dyn Store, at: &Snapshot, path: &str) -> Option<String> {
    store.read(at, path).await.unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
}

async fn starts_with_nothing(pair: Pair) {
    let at = pair.one.reload().await.unwrap();
    assert_eq!(at, Snapshot { commit: None });
    assert_eq!(pair.one.load().await.unwrap(), at);
    assert_eq!(pair.one.read(&at, "index.jsonl").await.unwrap(), None);
    assert!(pair.one.list(&at, "").await.unwrap().is_empty());
    assert!(pair.one.history(&at, 10).await.unwrap().is_empty());
    assert_eq!(pair.one.lease_read().await.unwrap(), None);
}

async fn what_one_writes_the_other_reads(pair: Pair) {
    let (one, two) = (pair.one.as_ref(), pair.two.as_ref());
    let first =
        write(one, &Snapshot::default(), &[("index.jsonl", Some("a\n")), ("base/x", Some(""))])
            .await;
    assert_eq!(one.load().await.unwrap(), first);
    let seen = two.reload().await.unwrap();
    assert_eq!(seen, first);
    assert_eq!(text(two, &seen, "index.jsonl").await.as_deref(), Some("a\n"));
    assert_eq!(text(two, &seen, "base/x").await.as_deref(), Some(""));
    assert_eq!(text(two, &seen, "format").await.as_deref(), Some("1\n"));
    assert_eq!(text(two, &seen, "base").await, None, "a folder is no file");
    assert_eq!(text(two, &seen, "base/y").await, None);

    let second = write(two, &seen, &[("index.jsonl", Some("b\n"))]).await;
    assert_eq!(one.reload().await.unwrap(), second);
    assert_eq!(
        text(one, &second, "base/x").await.as_deref(),
        Some(""),
        "what is not changed stays"
    );
    assert_eq!(
        text(one, &first, "index.jsonl").await.as_deref(),
        Some("a\n"),
        "snapshots do not change"
    );
    let commit = first.commit.unwrap();
    assert_eq!(
        one.file_at(&commit, "index.jsonl").await.unwrap().as_deref(),
        Some(b"a\n".as_slice())
    );
}

async fn the_loser_of_a_race_writes_nothing(pair: Pair) {
    let (one, two) = (pair.one.as_ref(), pair.two.as_ref());
    let winner = write(one, &Snapshot::default(), &[("a", Some("1"))]).await;
    let lost = two.commit(&Snapshot::default(), "late", &change(&[("a", Some("2"))])).await;
    assert_eq!(lost.unwrap_err(), StateError::Moved);
    let at = two.reload().await.unwrap();
    assert_eq!(at, winner);

    let next = write(two, &at, &[("a", Some("3"))]).await;
    let lost = one.commit(&winner, "late", &change(&[("b", Some("2"))])).await;
    assert_eq!(lost.unwrap_err(), StateError::Moved);
    let at = one.reload().await.unwrap();
    assert_eq!(at, next);
    assert_eq!(one.list(&at, "").await.unwrap(), ["a", "format"]);
    assert_eq!(one.history(&at, 10).await.unwrap().len(), 2);
}

async fn of_many_writers_at_once_one_wins(pair: Pair) {
    let first = write(pair.one.as_ref(), &Snapshot::default(), &[("a", Some("0"))]).await;
    pair.two.reload().await.unwrap();
    let race = (0..6).map(|n| {
        let store = if n % 2 == 0 { &pair.one } else { &pair.two };
        let (store, parent) = (Arc::clone(store), first.clone());
        async move {
            let text = n.to_string();
            store.commit(&parent, "race", &change(&[("a", Some(&text))])).await.map(|at| (at, text))
        }
    });
    let results = futures::future::join_all(race).await;
    let won: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    let [(at, content)] = won.as_slice() else { panic!("{results:?}") };
    assert!(
        results.iter().all(|result| matches!(result, Ok(_) | Err(StateError::Moved))),
        "{results:?}"
    );
    assert_eq!(pair.one.reload().await.unwrap(), *at);
    assert_eq!(text(pair.one.as_ref(), at, "a").await.as_ref(), Some(content));
}

async fn files_are_removed_and_listed(pair: Pair) {
    let one = pair.one.as_ref();
    let files =
        [("d/a", Some("1")), ("d/e/b", Some("2")), ("dd/c", Some("3")), ("index.jsonl", Some("4"))];
    let at = write(one, &Snapshot::default(), &files).await;
    assert_eq!(one.list(&at, "").await.unwrap(), ["d/a", "d/e/b", "dd/c", "format", "index.jsonl"]);
    assert_eq!(one.list(&at, "d").await.unwrap(), ["d/a", "d/e/b"]);
    assert!(one.list(&at, "nothing").await.unwrap().is_empty());
    let gone = [("d/e/b", None), ("never/was", None), ("d/a", None), ("d/z", Some("5"))];
    let at = write(one, &at, &gone).await;
    assert_eq!(one.list(&at, "d").await.unwrap(), ["d/z"]);
    assert_eq!(text(one, &at, "d/a").await, None);
    // Whoever has not listed a folder does not know what is in it.
    let two = pair.two.as_ref();
    let at = two.reload().await.unwrap();
    let at = write(two, &at, &[("dd/c", None), ("dd/never", None), ("d/e/b", None)]).await;
    assert_eq!(two.list(&at, "").await.unwrap(), ["d/z", "format", "index.jsonl"]);
    assert_eq!(text(two, &at, "dd/c").await, None);
}

async fn long_files_are_read_whole(pair: Pair) {
    let long = "é\n".repeat(200_000);
    let one = pair.one.as_ref();
    let at = write(one, &Snapshot::default(), &[("index.jsonl", Some(&long))]).await;
    write(one, &at, &[("texts/ab/c", Some(&long))]).await;
    let two = pair.two.as_ref();
    let at = two.reload().await.unwrap();
    for path in ["index.jsonl", "texts/ab/c"] {
        assert_eq!(text(two, &at, path).await.unwrap().len(), long.len(), "{path}");
    }
}

async fn history_is_newest_first_and_bounded(pair: Pair) {
    let one = pair.one.as_ref();
    let mut at = Snapshot::default();
    for n in 1..=3 {
        let message = format!("run {n}\n\nactor: ada\npulled: {n}\n");
        at = one.commit(&at, &message, &Change::new()).await.unwrap();
    }
    let log = one.history(&at, 2).await.unwrap();
    let messages: Vec<_> = log.iter().map(|entry| entry.message.as_str()).collect();
    assert_eq!(messages, ["run 3\n\nactor: ada\npulled: 3", "run 2\n\nactor: ada\npulled: 2"]);
    assert_eq!(log.first().map(|entry| &entry.commit), at.commit.as_ref());
    assert_eq!(one.history(&at, 10).await.unwrap().len(), 3);
}

async fn a_history_can_begin_anew(pair: Pair) {
    let (one, two) = (pair.one.as_ref(), pair.two.as_ref());
    let mut at = Snapshot::default();
    for n in 1..=3 {
        let file = format!("{n}");
        at = write(one, &at, &[("index.jsonl", Some("x")), (file.as_str(), Some(&file))]).await;
    }
    let old = two.reload().await.unwrap();
    let change = Change::from([("1".to_owned(), None), ("4".to_owned(), Some(b"4".to_vec()))]);
    let new = one.restart(&at, "pruned", &change).await.unwrap();
    let log = one.history(&new, 10).await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.message.as_str()).collect::<Vec<_>>(), ["pruned"]);
    assert_eq!(one.list(&new, "").await.unwrap(), ["2", "3", "4", "format", "index.jsonl"]);
    assert_eq!(one.load().await.unwrap(), new);
    // It is a move like any other for everybody else.
    let late = two.commit(&old, "late", &Change::new()).await.unwrap_err();
    assert_eq!(late, StateError::Moved);
    assert_eq!(two.restart(&old, "late", &Change::new()).await.unwrap_err(), StateError::Moved);
    let seen = two.reload().await.unwrap();
    assert_eq!((seen == new, text(two, &seen, "3").await.as_deref()), (true, Some("3")));
    let next = write(two, &seen, &[("5", Some("5"))]).await;
    assert_eq!(one.reload().await.unwrap(), next);
    assert_eq!(one.history(&next, 10).await.unwrap().len(), 2);
}

async fn any_text_is_a_path_and_any_bytes_a_content(pair: Pair) {
    let one = pair.one.as_ref();
    let paths = [
        "base/Ünïcode 日本/ß.md",
        "a \"quoted\" \\ path",
        "*[glob]?",
        " spaces ",
        "-dash",
        ":(top)x",
    ];
    let bytes: Vec<u8> = (0..=255).chain(*b"\n\0data 5\n").collect();
    let files: Change =
        paths.iter().map(|path| ((*path).to_owned(), Some(bytes.clone()))).collect();
    let at = one.commit(&Snapshot::default(), "Zoë: \"run\" \\ 1", &files).await.unwrap();
    for path in paths {
        assert_eq!(one.read(&at, path).await.unwrap().as_ref(), Some(&bytes), "{path}");
    }
    assert_eq!(one.list(&at, "base/Ünïcode 日本").await.unwrap(), ["base/Ünïcode 日本/ß.md"]);
    let mut all = one.list(&at, "").await.unwrap();
    all.retain(|path| path != "format");
    assert_eq!(all.len(), paths.len());
    assert_eq!(one.history(&at, 1).await.unwrap().first().unwrap().message, "Zoë: \"run\" \\ 1");
    for path in ["", "/abs", "a//b", "a/../b", ".", "a/.git/config", ".GIT", "a\nb", "a\0", "a/"] {
        let change = change(&[(path, Some("x"))]);
        let refused = one.commit(&at, "bad", &change).await.unwrap_err();
        assert_eq!(refused, StateError::InvalidPath { path: path.to_owned() });
        assert!(one.read(&at, path).await.is_err(), "{path:?}");
    }
}

async fn thousands_of_files(pair: Pair) {
    let one = pair.one.as_ref();
    let path = |n: usize| format!("base/{:02x}/{n}.md", n % 256);
    let content = |n: usize| format!("# Story {n}\n\nText.\n").into_bytes();
    let files: Change = (0..5_000).map(|n| (path(n), Some(content(n)))).collect();
    let at = one.commit(&Snapshot::default(), "many", &files).await.unwrap();
    let paths: Vec<String> = (0..5_000).map(path).chain(["base/none".to_owned()]).collect();
    let read = one.read_many(&at, &paths).await.unwrap();
    assert_eq!(read.len(), 5_000);
    assert_eq!(read.get(&path(4_999)), Some(&content(4_999)));
    let next = one.commit(&at, "one", &change(&[("base/00/0.md", Some("x"))])).await.unwrap();
    assert_eq!(one.list(&next, "").await.unwrap().len(), 5_001);
    assert_eq!(
        text(pair.two.as_ref(), &pair.two.reload().await.unwrap(), "base/00/0.md").await.as_deref(),
        Some("x")
    );
}

async fn the_lease_goes_on_by_compare_and_swap(pair: Pair) {
    let (one, two) = (pair.one.as_ref(), pair.two.as_ref());
    let first = one.lease_write(None, "{\"run\":\"1\"}").await.unwrap();
    assert_eq!(two.lease_write(None, "{\"run\":\"2\"}").await.unwrap_err(), StateError::Moved);
    let seen = two.lease_read().await.unwrap().unwrap();
    assert_eq!((seen.commit.as_str(), seen.content.as_str()), (first.as_str(), "{\"run\":\"1\"}"));
    let second = two.lease_write(Some(&first), "{\"run\":\"Zoë\\n2\"}").await.unwrap();
    assert_eq!(one.lease_write(Some(&first), "late").await.unwrap_err(), StateError::Moved);
    let seen = one.lease_read().await.unwrap().unwrap();
    assert_eq!(
        (seen.commit.as_str(), seen.content.as_str()),
        (second.as_str(), "{\"run\":\"Zoë\\n2\"}")
    );
    assert_eq!(one.reload().await.unwrap(), Snapshot::default(), "the lease is no state");
}

macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        mod in_memory { $(#[tokio::test] async fn $test() { super::$test(super::memory()).await; })* }
        mod one_repository { $(#[tokio::test] async fn $test() { super::$test(super::local().await).await; })* }
        mod one_clone { $(#[tokio::test] async fn $test() { super::$test(super::one_clone().await).await; })* }
        mod two_jobs { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(super::github().await).await; })* }
        mod one_file { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(super::sqlite().await).await; })* }
        mod one_server { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(super::postgres().await).await; })* }
        mod two_clones { $(#[tokio::test] async fn $test() { super::$test(super::clones().await).await; })* }
    };
}

suite!(
    starts_with_nothing,
    what_one_writes_the_other_reads,
    the_loser_of_a_race_writes_nothing,
    of_many_writers_at_once_one_wins,
    files_are_removed_and_listed,
    long_files_are_read_whole,
    history_is_newest_first_and_bounded,
    a_history_can_begin_anew,
    any_text_is_a_path_and_any_bytes_a_content,
    thousands_of_files,
    the_lease_goes_on_by_compare_and_swap,
);
