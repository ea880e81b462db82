//! The plumbing against real repositories.

use std::collections::BTreeSet;

use super::testing::TestRepo;
use super::*;

const STATE: &str = "refs/agent-sync/state";

/// A bare repository with `main` and a clone of it that pushes.
fn hosted() -> (TestRepo, TestRepo) {
    let (bare, work) = (TestRepo::bare(), TestRepo::new());
    work.git(&["remote", "add", "origin", &bare.url()]);
    work.write("docs/a.md", "a1\n");
    work.commit("a1");
    work.git(&["push", "--quiet", "--set-upstream", "origin", "main"]);
    (bare, work)
}

fn versions(versions: &[Version]) -> BTreeSet<(String, Option<String>)> {
    versions.iter().map(|v| (v.path.clone(), v.blob.as_ref().map(ToString::to_string))).collect()
}

#[tokio::test]
async fn a_repository_is_found_from_inside_and_nothing_else_is_one() {
    let repo = TestRepo::new();
    repo.write("a/b/c.md", "");
    let git = Git::open(&repo.path().join("a/b")).await.unwrap();
    assert_eq!(git.root(), std::fs::canonicalize(repo.path()).unwrap());
    assert_eq!(git.head().await.unwrap(), None);
    assert_eq!(git.branch().await.unwrap().as_deref(), Some("main"));
    assert_eq!(git.remote().await.unwrap(), None);
    assert_eq!(git.remote_url().await.unwrap(), None);
    assert_eq!(git.default_branch(None).await.unwrap(), "main");

    let elsewhere = tempfile::tempdir().unwrap();
    let error = Git::open(elsewhere.path()).await.unwrap_err();
    assert!(matches!(error, GitError::NotARepository { .. }), "{error}");
    assert!(Git::open(&elsewhere.path().join("none")).await.is_err());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_repository_of_another_user_is_readable_as_in_a_container_action() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let repo = TestRepo::new();
    let commit = repo.commit("first");
    for path in [repo.path().to_owned(), repo.path().join(".git")] {
        std::os::unix::fs::chown(path, Some(12345), Some(12345)).unwrap();
    }
    assert_eq!(repo.open().await.head().await.unwrap(), Some(commit));
}

#[tokio::test]
async fn a_linked_work_tree_is_a_repository() {
    let repo = TestRepo::new();
    let commit = repo.commit("first");
    repo.git(&["worktree", "add", "--quiet", "-b", "side", "linked"]);
    let git = Git::open(&repo.path().join("linked")).await.unwrap();
    assert_eq!(git.branch().await.unwrap().as_deref(), Some("side"));
    assert_eq!(git.head().await.unwrap(), Some(commit));
}

#[tokio::test]
async fn the_remote_is_the_upstream_else_origin_else_the_only_one() {
    let repo = TestRepo::new();
    repo.commit("first");
    let git = repo.open().await;
    repo.git(&["remote", "add", "mirror", "https://ada:s3cret@example.com/x.git"]);
    assert_eq!(git.remote().await.unwrap().as_deref(), Some("mirror"));
    assert_eq!(git.remote_url().await.unwrap().as_deref(), Some("https://example.com/x.git"));
    repo.git(&["remote", "add", "fork", "/nowhere"]);
    assert_eq!(git.remote().await.unwrap(), None);
    repo.git(&["remote", "add", "origin", "/nowhere"]);
    assert_eq!(git.remote().await.unwrap().as_deref(), Some("origin"));
    repo.git(&["config", "branch.main.remote", "fork"]);
    assert_eq!(git.remote().await.unwrap().as_deref(), Some("fork"));
    repo.git(&["config", "branch.main.remote", "."]);
    assert_eq!(git.remote().await.unwrap().as_deref(), Some("origin"));
    repo.git(&["checkout", "--quiet", "--detach"]);
    assert_eq!(git.branch().await.unwrap(), None);
}

#[tokio::test]
async fn the_default_branch_is_configured_or_known_or_asked_for() {
    let bare = TestRepo::bare();
    bare.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let work = TestRepo::new();
    work.commit("first");
    work.git(&["push", "--quiet", &bare.url(), "main:trunk"]);
    work.git(&["remote", "add", "origin", &bare.url()]);
    let git = work.open().await;
    assert_eq!(git.default_branch(Some("release")).await.unwrap(), "release");
    assert_eq!(git.default_branch(None).await.unwrap(), "trunk");
    work.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/team/known"]);
    assert_eq!(git.default_branch(None).await.unwrap(), "team/known");
}

#[tokio::test]
async fn rule_15_the_remote_head_is_fetched_without_moving_refs_of_the_user() {
    let (bare, work) = hosted();
    let clone = TestRepo::clone_of(&bare.url(), &[]);
    let git = clone.open().await;
    work.write("docs/a.md", "a2\n");
    let second = work.commit("a2");
    work.git(&["tag", "v2"]);
    work.git(&["push", "--quiet", "--tags", "origin", "main"]);
    let before = clone.refs();

    let remote = git.sync_refs(STATE, "main").await.unwrap();
    assert_eq!(remote, Remote { default_head: Some(second.clone()), state: None, lease: None });
    let after = clone.refs();
    let moved: Vec<_> = after.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(moved, [format!("refs/agent-sync/remote/origin/main {second}")]);
    assert!(!clone.path().join(".git/FETCH_HEAD").exists());
    assert_eq!(
        git.blob(&clone.oid("refs/agent-sync/remote/origin/main:docs/a.md")).await.unwrap(),
        b"a2\n"
    );

    // The state and the lease come with the next fetch, and a rewound branch is followed.
    work.git(&[
        "push",
        "--quiet",
        "origin",
        &format!("main:{STATE}"),
        "main~1:refs/agent-sync/state-lease",
    ]);
    work.git(&["push", "--quiet", "--force", "origin", "main~1:main"]);
    let remote = git.sync_refs(STATE, "main").await.unwrap();
    let first = work.oid("main~1");
    let expected = Remote {
        default_head: Some(first.clone()),
        state: Some(second.clone()),
        lease: Some(first),
    };
    assert_eq!(remote, expected);
    assert_eq!(clone.oid(STATE), second);
    assert_eq!(git.sync_refs(STATE, "none").await.unwrap().default_head, None);
    assert!(matches!(git.sync_refs("--upload-pack=x", "main").await, Err(GitError::BadRef(_))));
}

#[tokio::test]
async fn without_a_remote_the_local_refs_count() {
    let repo = TestRepo::new();
    let commit = repo.commit("first");
    repo.git(&["update-ref", STATE, "HEAD"]);
    let remote = repo.open().await.sync_refs(STATE, "main").await.unwrap();
    assert_eq!(
        remote,
        Remote { default_head: Some(commit.clone()), state: Some(commit), lease: None }
    );
}

#[tokio::test]
async fn an_unreachable_remote_is_an_outage_and_secrets_stay_secret() {
    let repo = TestRepo::new();
    repo.commit("first");
    repo.git(&["remote", "add", "origin", "http://ada:s3cret@127.0.0.1:9/x.git"]);
    let error = repo.open().await.sync_refs(STATE, "main").await.unwrap_err();
    assert!(error.is_outage() && !error.is_refusal(), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    repo.git(&["remote", "set-url", "origin", "file:///nowhere/at/all"]);
    let error = repo.open().await.sync_refs(STATE, "main").await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_with_its_helpers() {
    let repo = TestRepo::new();
    let git = repo.open().await;
    let pid = repo.path().join("pid");
    // An alias is the one way to let git itself run something slow.
    repo.git(&["config", "alias.hang", &format!("!sleep 600 & echo $! > {}; wait", pid.display())]);
    let limit = Duration::from_millis(1_500);
    let error = git.call(&["hang"]).limit(limit).stdout().await.unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
    let pid: u32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let running = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    for _ in 0..200 {
        if !running() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the helper {pid} still runs");
}

#[tokio::test]
async fn rule_15_descent_is_known_in_a_whole_history() {
    let (bare, work) = hosted();
    let first = work.oid("main");
    let second = work.commit("second");
    work.git(&["checkout", "--quiet", "-b", "side", first.as_str()]);
    let side = work.commit("side");
    let git = work.open().await;
    assert_eq!(git.is_ancestor(&first, &second).await.unwrap(), Some(true));
    assert_eq!(git.is_ancestor(&second, &second).await.unwrap(), Some(true));
    assert_eq!(git.is_ancestor(&second, &first).await.unwrap(), Some(false));
    assert_eq!(git.is_ancestor(&side, &second).await.unwrap(), Some(false));
    let unknown: Oid = "1234567890123456789012345678901234567890".parse().unwrap();
    assert_eq!(
        git.is_ancestor(&unknown, &second).await.unwrap(),
        Some(false),
        "a whole history lacks nothing"
    );

    let clone = TestRepo::clone_of(&bare.url(), &[]);
    work.git(&["push", "--quiet", "origin", "main"]);
    let git = clone.open().await;
    assert_eq!(git.is_ancestor(&first, &second).await.unwrap(), Some(true), "its head is fetched");
    assert_eq!(git.is_ancestor(&first, &unknown).await.unwrap(), None);
    assert!(!git.is_shallow().await.unwrap());
}

#[tokio::test]
async fn rule_15_descent_in_a_shallow_clone_fetches_history_where_it_must() {
    let (bare, work) = hosted();
    let first = work.oid("main");
    for n in 0..4 {
        work.commit(&format!("{n}"));
    }
    work.git(&["push", "--quiet", "origin", "main"]);
    let head = work.oid("main");
    work.git(&["checkout", "--quiet", "-b", "side", first.as_str()]);
    let side = work.commit("side");

    let clone = TestRepo::clone_of(&bare.url(), &["--depth=2"]);
    let git = clone.open().await;
    assert!(git.is_shallow().await.unwrap());
    assert_eq!(git.sync_refs(STATE, "main").await.unwrap().default_head, Some(head.clone()));
    assert_eq!(git.is_ancestor(&work.oid("main~1"), &head).await.unwrap(), Some(true));
    assert!(git.is_shallow().await.unwrap(), "nothing was fetched for what is known");
    assert_eq!(git.is_ancestor(&first, &head).await.unwrap(), Some(true));

    let clone = TestRepo::clone_of(&bare.url(), &["--depth=2"]);
    let git = clone.open().await;
    assert_eq!(git.is_ancestor(&side, &head).await.unwrap(), Some(false));
    assert_eq!(clone.oid("HEAD"), head);

    // Another branch that stays cut off does not make the answer unknown.
    work.git(&["push", "--quiet", "origin", "side"]);
    let clone = TestRepo::clone_of(&bare.url(), &["--depth=1", "--branch=side"]);
    let git = clone.open().await;
    git.sync_refs(STATE, "main").await.unwrap();
    assert_eq!(git.is_ancestor(&side, &head).await.unwrap(), Some(false));
    assert_eq!(git.is_ancestor(&first, &head).await.unwrap(), Some(true));

    let clone = TestRepo::clone_of(&bare.url(), &["--depth=2"]);
    clone.git(&["remote", "set-url", "origin", "file:///nowhere"]);
    assert_eq!(clone.open().await.is_ancestor(&first, &head).await.unwrap(), None);
}

#[tokio::test]
async fn rule_15_every_version_since_a_commit_is_found() {
    let repo = TestRepo::new();
    let git = repo.open().await;
    repo.write("docs/a.md", "a1\n");
    repo.write("docs/ü b.md", "b1\n");
    repo.write("src/x.rs", "x1\n");
    let from = repo.commit("from");
    repo.write("docs/a.md", "a2\n");
    repo.commit("a2");
    repo.write("docs/a.md", "a3\n");
    repo.write("src/x.rs", "x2\n");
    repo.commit("a3");
    std::fs::remove_file(repo.path().join("docs/ü b.md")).unwrap();
    let to = repo.commit("b is gone");

    let docs = ["docs".to_owned()];
    let blob = |text: &str| Some(git.blob_id(text.as_bytes()).to_string());
    let since = git.versions_since(Some(&from), &to, &docs).await.unwrap();
    let expected = [
        ("docs/a.md".to_owned(), blob("a2\n")),
        ("docs/a.md".to_owned(), blob("a3\n")),
        ("docs/ü b.md".to_owned(), None),
    ];
    assert_eq!(versions(&since), expected.into());
    assert!(git.versions_since(Some(&to), &to, &docs).await.unwrap().is_empty());
    let all = git.versions_since(None, &to, &["".to_owned()]).await.unwrap();
    assert_eq!(all.len(), 3 + 2 + 2, "{all:?}");
    assert!(git.versions_since(Some(&git.blob_id(b"none")), &to, &docs).await.is_err());

    let files = git.tree_files(&from, &["docs/".to_owned()]).await.unwrap();
    let files: Vec<_> =
        files.iter().map(|(path, oid)| (path.as_str(), Some(oid.to_string()))).collect();
    assert_eq!(files, [("docs/a.md", blob("a1\n")), ("docs/ü b.md", blob("b1\n"))]);
    assert_eq!(git.tree_files(&from, &[".".to_owned()]).await.unwrap().len(), 3);
    assert!(git.tree_files(&from, &["doc".to_owned(), "*".to_owned()]).await.unwrap().is_empty());
}

#[tokio::test]
async fn rule_15_a_merge_that_brings_an_old_version_back_introduces_it() {
    let repo = TestRepo::new();
    let git = repo.open().await;
    repo.write("docs/a.md", "old\n");
    repo.commit("old");
    repo.git(&["branch", "side"]);
    repo.write("docs/a.md", "new\n");
    let from = repo.commit("new");
    repo.git(&["checkout", "--quiet", "side"]);
    repo.commit("unrelated");
    repo.git(&["checkout", "--quiet", "main"]);
    // The merge takes the other side's whole tree, so that it equals one of its parents.
    repo.git(&["merge", "--quiet", "--no-ff", "--no-commit", "-s", "ours", "side"]);
    repo.write("docs/a.md", "old\n");
    let to = repo.commit("merge");
    assert_eq!(repo.git(&["rev-list", "--count", "--parents", "-1", "HEAD^2"]), "1");
    let found = git.versions_since(Some(&from), &to, &["docs".to_owned()]).await.unwrap();
    let old =
        Version { path: "docs/a.md".to_owned(), blob: Some(git.blob_id(b"old\n")), trunk: true };
    assert_eq!(found, [old]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_is_no_file() {
    let repo = TestRepo::new();
    let git = repo.open().await;
    repo.write("docs/a.md", "text");
    let from = repo.commit("file");
    std::fs::remove_file(repo.path().join("docs/a.md")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("docs/a.md")).unwrap();
    let to = repo.commit("link");
    let docs = ["docs".to_owned()];
    assert!(git.tree_files(&to, &docs).await.unwrap().is_empty());
    let found = git.versions_since(Some(&from), &to, &docs).await.unwrap();
    assert_eq!(found, [Version { path: "docs/a.md".to_owned(), blob: None, trunk: true }]);
}

#[tokio::test]
async fn blobs_are_read_in_one_go_and_missing_ones_left_out() {
    let repo = TestRepo::new();
    let git = repo.open().await;
    let contents: Vec<String> = (0..300).map(|n| format!("{n}\n").repeat(1000)).collect();
    for (n, content) in contents.iter().enumerate() {
        repo.write(&format!("{n}.md"), content);
    }
    repo.commit("many");
    let mut oids: Vec<Oid> =
        contents.iter().map(|content| git.blob_id(content.as_bytes())).collect();
    let missing = git.blob_id(b"missing");
    oids.push(missing.clone());
    oids.push(repo.oid("HEAD"));
    let blobs = git.blobs(&oids).await.unwrap();
    assert_eq!(blobs.len(), 300);
    assert_eq!(blobs.get(&oids[7]).unwrap(), contents[7].as_bytes());
    assert!(git.blob(&missing).await.is_err());
}

#[tokio::test]
async fn sha256_repositories_work() {
    let repo = TestRepo::new();
    std::fs::remove_dir_all(repo.path().join(".git")).unwrap();
    repo.git(&["init", "--quiet", "--initial-branch=main", "--object-format=sha256"]);
    repo.write("a.md", "a\n");
    repo.commit("first");
    let git = repo.open().await;
    assert_eq!(git.blob_id(b"a\n"), repo.oid("HEAD:a.md"));
    let change = [("format", Some(b"1\n".as_slice()))].into();
    let commit = git.write_commit(None, "state", &change).await.unwrap();
    assert!(git.move_ref(STATE, &commit, None).await.unwrap());
    assert!(!git.move_ref(STATE, &commit, None).await.unwrap());
    assert_eq!(repo.git(&["show", "refs/agent-sync/state:format"]), "1");
}

#[test]
fn ref_names_that_git_refuses_or_misreads_are_refused() {
    for good in [STATE, "refs/heads/team/main", "refs/heads/ünï"] {
        assert!(check_ref(good).is_ok(), "{good}");
    }
    for bad in [
        "main",
        "refs/x",
        "--all",
        "refs/heads/a b",
        "refs/heads/../x",
        "refs/heads/*",
        "refs/heads/a:b",
        "refs/heads/-x..y",
        "refs//heads/x",
        "refs/heads/x.lock",
        "refs/heads/x/",
        "refs/heads/@{x",
        "refs/a/\n",
    ] {
        assert!(check_ref(bad).is_err(), "{bad}");
    }
}
