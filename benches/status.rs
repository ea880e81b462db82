//! `status` over 10,000 unchanged artifacts of 10 KB, beside `git hash-object --stdin-paths` over the same files
//! in the same run: `cargo bench --bench status`. Fails above 2 times its time, or 200 MB.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark says what it measured and fails where it cannot go on"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Lab, Repo};
use serde_json::json;

const ARTIFACTS: usize = 10_000;
const ROUNDS: usize = 7;

fn main() {
    // `cargo test` runs benchmarks too, to see that they build.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    // All pages are made in one minute, in which a listing could not go on behind the cap of 10,000 rows.
    let lab = Lab::with(|options| options.query_cap = 10 * ARTIFACTS);
    let repo = lab.repo("repository");
    let mut bodies = Vec::new();
    for n in 0..ARTIFACTS {
        let paragraphs: Vec<String> = (0..40)
            .map(|p| {
                format!(
                    "Paragraph {p} of story {n}: {}.",
                    "words that fill a line ".repeat(10).trim_end()
                )
            })
            .collect();
        repo.story(
            &format!("LOAD-{n}"),
            &format!("Story {n}"),
            "DRAFT",
            &(paragraphs.join("\n\n") + "\n"),
        );
        bodies.push(paragraphs.join("\n"));
    }
    repo.init();
    lab.sim.reset_requests();
    let database = lab.sim.workspace().database_by_title("Stories").unwrap().id;
    for (n, body) in bodies.iter().enumerate() {
        let properties = [("ID", json!(format!("LOAD-{n}"))), ("Status", json!("DRAFT"))];
        lab.sim
            .workspace()
            .create_page(&database, &format!("Story {n}"), &properties, body)
            .unwrap();
    }
    drop(bodies);
    // Later than the minute of the last edit, so that one reading of each body is enough, and so much later that
    // what is asked for next, edited since two minutes before this run, is none of them (rule 6).
    lab.minutes(10);
    let adopted = repo.run(&["sync"]).expect(0).json();
    assert_eq!((&adopted["counts"]["unchanged"], lab.writes()), (&json!(ARTIFACTS), 0));
    let paths = paths(&repo);
    let (mut status, mut hash, mut peak) = (Duration::MAX, Duration::MAX, 0);
    for _ in 0..ROUNDS {
        lab.sim.reset_requests();
        let (time, memory) = timed_status(&repo);
        assert_eq!(lab.count(), 5, "{:?}", lab.sim.requests().len());
        (status, peak) = (status.min(time), peak.max(memory));
        hash = hash.min(timed_hash(&repo, &paths));
    }
    let ratio = status.as_secs_f64() / hash.as_secs_f64();
    println!(
        "status {} ms, git hash-object {} ms: {ratio:.2} times; peak memory {} MB",
        status.as_millis(),
        hash.as_millis(),
        peak / 1024
    );
    assert!(ratio < 2.0 && peak < 200 * 1024);
}

fn paths(repo: &Repo<'_>) -> String {
    repo.files().keys().fold(String::new(), |mut paths, path| {
        let _ = writeln!(paths, "{path}");
        paths
    })
}

/// Wall time, and the peak of the resident memory in KiB as `/proc` last showed it.
fn timed_status(repo: &Repo<'_>) -> (Duration, u64) {
    let start = Instant::now();
    let mut child = repo
        .command(&["status", "--quiet"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let proc = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let code = loop {
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        let shown = std::fs::read_to_string(&proc).unwrap_or_default();
        let line = shown.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let now: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0);
        peak = peak.max(now);
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(code.success());
    (start.elapsed(), peak)
}

fn timed_hash(repo: &Repo<'_>, paths: &str) -> Duration {
    let start = Instant::now();
    let mut child = Command::new("git")
        .args(["hash-object", "--stdin-paths"])
        .current_dir(&repo.path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(paths.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    start.elapsed()
}
