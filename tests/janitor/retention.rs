//! What the state keeps of the past (`state.keep_days`).

use super::clean;
use crate::common::Lab;

#[test]
fn what_is_too_old_is_pruned_and_said_to_be_gone() {
    let lab = Lab::new();
    let (repo, path) = clean(&lab);
    for words in ["once", "twice"] {
        lab.edit(
            "Stories",
            "INFRA-1",
            "first paragraph",
            &format!("The first paragraph, {words}."),
        );
        lab.minutes(2);
        repo.run(&["sync"]).expect(0);
    }
    repo.settle();
    let commits = || repo.git(&["rev-list", "--count", "refs/agent-sync/state"]);
    let kept = || {
        let files =
            repo.git(&["ls-tree", "-r", "--name-only", "refs/agent-sync/state", "replaced"]);
        files.lines().filter(|file| file.ends_with(".json")).count()
    };
    let (before, replaced) = (commits(), kept());
    assert!(before.parse::<usize>().unwrap() > 3 && replaced == 2, "{before} {replaced}");
    repo.run(&["janitor"]).expect(0);
    assert_eq!((commits(), kept()), (before, replaced), "nothing is too old");
    lab.minutes(60 * 24 * 400);
    repo.run(&["sync"]).expect(0);
    repo.run(&["janitor"]).expect(0);
    assert_eq!((commits().as_str(), kept()), ("1", 1), "the newest version stays");
    let log = repo.human(&["log"]).expect(0);
    let log = format!("{}{}", log.stdout, log.stderr);
    assert!(log.contains("were pruned"), "{log}");
    assert!(repo.read(&path).contains("twice"));
    repo.run(&["restore", "INFRA-1", "--side", "local"]).expect(0);
    assert!(repo.read(&path).contains("once"));
    let error = repo.run(&["restore", "INFRA-1", "--side", "remote"]).expect(2).json();
    assert!(error["error"].as_str().unwrap().contains("were pruned"), "{error}");
    repo.settle();
    // What the restore replaced is the newest version now, so the one before may go; then nothing is left to do.
    repo.run(&["janitor"]).expect(0);
    assert_eq!(kept(), 2, "one for each side");
    let (state, count) = (repo.state(), commits());
    repo.run(&["janitor"]).expect(0);
    assert_eq!((repo.state(), commits()), (state, count));
}
