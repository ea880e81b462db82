//! What only a Git repository can do wrong.

use super::*;
use crate::repo::git::testing::TestRepo;

const STATE: &str = "refs/agent-sync/state";

type Change = BTreeMap<String, Option<Vec<u8>>>;

fn change(path: &str, content: &str) -> Change {
    [(path.to_owned(), Some(content.as_bytes().to_vec()))].into()
}

/// A bare remote and a clone of it.
fn hosted() -> (TestRepo, TestRepo) {
    let (bare, work) = (TestRepo::bare(), TestRepo::new());
    work.write("a.md", "a\n");
    work.commit("first");
    work.git(&["remote", "add", "origin", &bare.url()]);
    work.git(&["push", "--quiet", "--set-upstream", "origin", "main"]);
    (bare, work)
}

async fn store(repo: &TestRepo) -> GitStore {
    let git = repo.open().await;
    let remote = git.remote().await.unwrap();
    GitStore::new(git, STATE, remote).unwrap()
}

/// Lets the server run this script at this point of the next push, once.
#[cfg(unix)]
fn hook(bare: &TestRepo, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = bare.write(&format!("hooks/{name}"), &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_ref_of_somebody_else_is_not_taken_for_a_state() {
    let (_bare, work) = hosted();
    let store = store(&work).await;
    work.git(&["push", "--quiet", "origin", &format!("main:{STATE}")]);
    let error = store.reload().await.unwrap_err();
    assert!(matches!(&error, StateError::Corrupt { path, .. } if path == STATE), "{error}");
    assert!(error.to_string().contains("--state-ref"), "it names a remedy: {error}");

    let blob = work.oid("main:a.md");
    work.git(&["update-ref", STATE, blob.as_str()]);
    assert!(matches!(store.load().await, Err(StateError::Corrupt { .. })), "no commit at all");
}

#[tokio::test]
async fn the_format_decides_who_may_read_a_state() {
    let repo = TestRepo::new();
    let store = store(&repo).await;
    let newer =
        store.commit(&Snapshot::default(), "newer", &change("format", "2\n")).await.unwrap();
    assert_eq!(store.load().await.unwrap_err(), StateError::NewerFormat { found: 2 });
    store.commit(&newer, "broken", &change("format", "one")).await.unwrap();
    assert!(
        matches!(store.load().await, Err(StateError::Corrupt { path, .. }) if path == "format")
    );
}

#[tokio::test]
async fn a_state_made_before_there_was_a_remote_goes_there_with_its_history() {
    let work = TestRepo::new();
    work.write("a.md", "a\n");
    work.commit("first");
    let local = store(&work).await;
    let first =
        local.commit(&Snapshot::default(), "one", &change("replaced/x", "text")).await.unwrap();

    let bare = TestRepo::bare();
    work.git(&["remote", "add", "origin", &bare.url()]);
    work.git(&["push", "--quiet", "--set-upstream", "origin", "main"]);
    let git = work.open().await;
    let remote = git.sync_refs(STATE, "main").await.unwrap();
    assert_eq!(remote.state.map(String::from), first.commit);
    let store = store(&work).await;
    let at = store.reload().await.unwrap();
    assert_eq!(at, first);
    let second = store.commit(&at, "two", &Change::new()).await.unwrap();
    assert_eq!(bare.oid(STATE).to_string(), second.commit.clone().unwrap());
    assert_eq!(store.history(&second, 10).await.unwrap().len(), 2);
    assert_eq!(bare.git(&["show", &format!("{STATE}:replaced/x")]), "text");
}

#[cfg(unix)]
#[tokio::test]
async fn a_push_whose_answer_never_came_is_found_to_have_taken_effect() {
    let (bare, work) = hosted();
    let store = store(&work).await;
    // Committed, and the server dies before it can say so.
    let die_after = "[ \"$1\" = committed ] && rm \"$0\" && kill -9 $PPID; exit 0";
    hook(&bare, "reference-transaction", die_after);
    let at = store.commit(&Snapshot::default(), "one", &change("a", "1")).await.unwrap();
    assert_eq!(bare.oid(STATE).to_string(), at.commit.clone().unwrap());
    assert_eq!(store.load().await.unwrap(), at);
    hook(&bare, "reference-transaction", die_after);
    let lease = store.lease_write(None, "{}").await.unwrap();
    assert_eq!(store.lease_read().await.unwrap().unwrap().commit, lease);
}

#[cfg(unix)]
#[tokio::test]
async fn a_push_that_broke_off_before_it_took_effect_is_repeated() {
    let (bare, work) = hosted();
    let store = store(&work).await;
    hook(&bare, "pre-receive", "rm \"$0\"; kill -9 $PPID");
    let at = store.commit(&Snapshot::default(), "one", &change("a", "1")).await.unwrap();
    assert_eq!(bare.oid(STATE).to_string(), at.commit.unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn a_push_that_breaks_off_every_time_is_an_outage() {
    let (bare, work) = hosted();
    let store = store(&work).await;
    hook(&bare, "pre-receive", "kill -9 $PPID");
    let error = store.commit(&Snapshot::default(), "one", &change("a", "1")).await.unwrap_err();
    assert!(matches!(error, StateError::Unavailable { .. }), "{error}");
    assert_eq!(store.reload().await.unwrap(), Snapshot::default());
}

#[cfg(unix)]
#[tokio::test]
async fn a_push_that_broke_off_while_another_run_won_is_a_lost_race() {
    let (bare, work) = hosted();
    let store = store(&work).await;
    let win = format!(
        "rm \"$0\"; unset GIT_QUARANTINE_PATH; git update-ref {STATE} refs/heads/main; kill -9 $PPID"
    );
    hook(&bare, "pre-receive", &win);
    let error = store.commit(&Snapshot::default(), "one", &change("a", "1")).await.unwrap_err();
    assert_eq!(error, StateError::Moved);
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_forbids_the_ref_refuses_at_once() {
    let (bare, work) = hosted();
    let store = store(&work).await;
    hook(&bare, "pre-receive", "echo \"only branches, please\" >&2; echo x >> count; exit 1");
    let error = store.commit(&Snapshot::default(), "one", &change("a", "1")).await.unwrap_err();
    assert!(
        matches!(&error, StateError::Refused { reference, .. } if reference == STATE),
        "{error}"
    );
    assert!(error.to_string().contains("only branches, please"), "{error}");
    assert_eq!(std::fs::read_to_string(bare.path().join("count")).unwrap(), "x\n", "asked once");
}

#[tokio::test]
async fn a_remote_that_is_away_is_an_outage_and_one_that_is_not_there_a_refusal() {
    let (_bare, work) = hosted();
    let store = store(&work).await;
    work.git(&["remote", "set-url", "origin", "http://ada:s3cret@127.0.0.1:9/x.git"]);
    for error in [
        store.commit(&Snapshot::default(), "one", &change("a", "1")).await.unwrap_err(),
        store.reload().await.unwrap_err(),
        store.lease_read().await.unwrap_err(),
    ] {
        assert!(matches!(error, StateError::Unavailable { .. }), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    work.git(&["remote", "set-url", "origin", "file:///nowhere"]);
    let error = store.reload().await.unwrap_err();
    assert!(matches!(error, StateError::Refused { .. }), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn hooks_and_settings_of_the_user_do_not_matter() {
    use std::os::unix::fs::PermissionsExt as _;
    let (bare, work) = hosted();
    let hook = work.write(".husky/pre-push", "#!/bin/sh\necho ran >> \"$0.log\"; exit 1\n");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let hook = work.write(".husky/reference-transaction", "#!/bin/sh\nexit 1\n");
    std::fs::set_permissions(hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (key, value) in [
        ("core.hooksPath", ".husky"),
        ("commit.gpgSign", "true"),
        ("user.signingKey", "none"),
        ("push.gpgSign", "true"),
        ("push.followTags", "true"),
        ("fetch.prune", "true"),
        ("fetch.pruneTags", "true"),
        ("log.showSignature", "true"),
        ("core.logAllRefUpdates", "always"),
        ("transfer.fsckObjects", "true"),
        ("core.quotePath", "true"),
        ("core.autocrlf", "true"),
        ("color.ui", "always"),
        ("i18n.commitEncoding", "ISO-8859-1"),
        ("i18n.logOutputEncoding", "ISO-8859-1"),
    ] {
        work.git(&["config", key, value]);
    }
    let store = store(&work).await;
    let at = store.commit(&Snapshot::default(), "Zoë", &change("ü", "a\nb\r\n")).await.unwrap();
    let lease = store.lease_write(None, "Zoë").await.unwrap();
    assert_eq!(store.reload().await.unwrap(), at);
    assert_eq!(store.read(&at, "ü").await.unwrap().unwrap(), b"a\nb\r\n");
    assert_eq!(store.history(&at, 1).await.unwrap().first().unwrap().message, "Zoë");
    let seen = store.lease_read().await.unwrap().unwrap();
    assert_eq!((seen.commit, seen.content.as_str()), (lease, "Zoë"));
    assert!(!work.path().join(".husky/pre-push.log").exists());
    assert_eq!(bare.git(&["fsck", "--strict"]), "");
}

#[tokio::test]
async fn nothing_but_the_two_refs_is_left_in_the_repository() {
    let repo = TestRepo::new();
    repo.write("a.md", "a\n");
    repo.commit("first");
    let store = store(&repo).await;
    let before = repo.refs();
    let at = store.commit(&Snapshot::default(), "one", &change("a", "1")).await.unwrap();
    store.commit(&at, "two", &change("b", "2")).await.unwrap();
    store.lease_write(None, "{}").await.unwrap();
    let after = repo.refs();
    let ours: Vec<_> = after.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(ours.len(), 2, "{after}");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_eq!(
        repo.git(&["log", "-1", "--format=%an <%ae>|%cn", STATE]),
        "agent-sync <agent-sync@users.noreply.github.com>|agent-sync"
    );
}

/// Times for a state of 20,000 files. `cargo test -p agent-sync --lib -- --ignored --nocapture measure`
#[tokio::test]
#[ignore = "a measurement, not a test"]
#[expect(clippy::print_stdout, reason = "its result")]
async fn measure_a_large_state() {
    let (_bare, work) = hosted();
    let remote = store(&work).await;
    let local = GitStore::new(work.open().await, STATE, None).unwrap();
    let all: Change = (0..20_000)
        .map(|n| {
            (
                format!("base/{:02x}/{n}.md", n % 256),
                Some(format!("# Story {n}\n\nText.\n").repeat(20).into_bytes()),
            )
        })
        .collect();
    let clock = std::time::Instant::now;
    let begin = clock();
    let mut at = local.commit(&Snapshot::default(), "all", &all).await.unwrap();
    println!("20,000 files, local:    {:?}", begin.elapsed());
    for store in [&local, &remote, &remote] {
        let begin = clock();
        at = store.commit(&at, "one", &change("base/09/777.md", "x")).await.unwrap();
        println!("1 file, remote {:5}:   {:?}", store.remote.is_some(), begin.elapsed());
    }
    let begin = clock();
    let at = local.load().await.unwrap();
    println!("load:                   {:?}", begin.elapsed());
    let begin = clock();
    local.read(&at, "base/1f/19999.md").await.unwrap().unwrap();
    println!("read 1:                 {:?}", begin.elapsed());
    let paths: Vec<String> = all.keys().cloned().collect();
    let begin = clock();
    assert_eq!(local.read_many(&at, &paths).await.unwrap().len(), 20_000);
    println!("read 20,000:            {:?}", begin.elapsed());
}
