//! Scenes that are played many times from the same start: a first sync and an incremental one, each with something
//! of everything that a run does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use notion_sim::Workspace;
use serde_json::Value;
use tempfile::TempDir;

use super::{Lab, Repo, Run, story};

/// What both sides hold at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The databases, without ids and times.
    pub workspace: String,
    /// The files.
    pub files: BTreeMap<String, String>,
}

/// A start that can be gone back to.
pub struct Scene {
    /// The laboratory.
    pub lab: Lab,
    workspace: Workspace,
    saved: TempDir,
    repo: PathBuf,
}

/// Three kinds; plans name stories and stories name plans, so that relations go in circles.
const CONFIG: &str = "version: 1
preset: agent
kinds:
  plan:
    properties:
      Stories: {type: relation, from: {references: Linked Stories}, target: story}
backends:
  notion:
    type: notion
    share: [story, plan, adr]
    requests_per_minute: 10000
    settle_seconds: 0
    backoff_ms: 1
    read_timeout_ms: 4000
    write_timeout_ms: 4000
";

/// Held by Notion in another form than it was written in, so that the two bases of a body differ.
const NORMALISED: &str = "##### Deep heading\n\nText with a [link][ref] and `code`.\n\n\
    <!-- kept here -->\n\n5. five\n6. six\n\n```rs\nfn main() {}\n```\n\n[ref]: https://example.com/x\n";

fn path(kind: &str, id: &str) -> String {
    match kind {
        "adr" => format!(".agent/adrs/{id}-doc.md"),
        _ => format!(
            ".agent/cache/{kind}/{}/{id}-doc.md",
            id.rsplit_once('-').map_or("", |(scope, _)| scope)
        ),
    }
}

fn linked(heading: &str, ids: &[&str]) -> String {
    let list: String = ids.iter().map(|id| format!("- {id}\n")).collect();
    format!("\n## {heading}\n\n{list}")
}

impl Scene {
    /// Files and databases, and nothing synced yet.
    pub fn first() -> Self {
        let lab = Lab::new();
        let repo = lab.repo("repo");
        write_documents(&repo);
        repo.init();
        Self::save(lab)
    }

    /// Everything synced a while ago, and since then something of everything changed on either side.
    pub fn incremental() -> Self {
        Self::changed(Lab::new(), |lab| lab.repo("repo"))
    }

    /// As [`Self::incremental`], with a remote that holds the state.
    pub fn incremental_with_remote() -> Self {
        Self::changed(Lab::new(), Lab::remote)
    }

    /// As [`Self::first`], with a remote that holds the state.
    pub fn first_with_remote() -> Self {
        let lab = Lab::new();
        let repo = lab.remote();
        write_documents(&repo);
        repo.publish("documents");
        repo.init();
        Self::save(lab)
    }

    fn changed(lab: Lab, make: impl Fn(&Lab) -> Repo<'_>) -> Self {
        let repo = make(&lab);
        write_documents(&repo);
        let remote = repo.path.ends_with("origin-clone");
        if remote {
            repo.publish("documents");
        }
        repo.init();
        repo.run(&["sync"]).expect(0);
        lab.minutes(2);
        repo.run(&["sync"]).expect(0);
        lab.minutes(2);
        change(&lab, &repo);
        if remote {
            repo.publish("changes");
        }
        lab.minutes(2);
        Self::save(lab)
    }

    fn save(lab: Lab) -> Self {
        let repo = ["repo", "origin-clone"].map(|name| lab.dir.path().join(name));
        let repo = repo.into_iter().find(|path| path.exists()).unwrap();
        let saved = TempDir::new().unwrap();
        copy(lab.dir.path(), saved.path());
        let workspace = lab.sim.workspace().clone();
        Self { lab, workspace, saved, repo }
    }

    /// Goes back to the start.
    pub fn restore(&self) -> Repo<'_> {
        self.lab.sim.set_hook(None);
        self.lab.sim.clear_faults();
        *self.lab.sim.workspace() = self.workspace.clone();
        for entry in std::fs::read_dir(self.lab.dir.path()).unwrap().flatten() {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
        copy(self.saved.path(), self.lab.dir.path());
        self.lab.sim.reset_requests();
        Repo { lab: &self.lab, path: self.repo.clone(), env: BTreeMap::new() }
    }

    /// What both sides hold now.
    pub fn end(&self, repo: &Repo<'_>) -> End {
        End { workspace: self.lab.sim.workspace().snapshot(), files: repo.files() }
    }

    /// Plays the scene without any trouble; the end and the number of requests.
    #[track_caller]
    pub fn reference(&self) -> (End, usize) {
        let repo = self.restore();
        repo.run(&["sync"]).expect(0);
        let count = self.lab.count();
        let end = self.end(&repo);
        self.quiet(&repo, &end).unwrap();
        (end, count)
    }

    /// A further run: nothing to write, the same end (rule 14).
    pub fn quiet(&self, repo: &Repo<'_>, end: &End) -> Result<(), String> {
        self.lab.sim.reset_requests();
        let run = repo.run(&["sync"]);
        if run.code != 0 {
            return Err(format!("the quiet run ended with {}: {}", run.code, brief(&run)));
        }
        if self.lab.writes() > 0 {
            let writes: Vec<_> =
                self.lab.sim.requests().into_iter().filter(|request| request.is_write).collect();
            return Err(format!("the quiet run wrote: {writes:?}"));
        }
        self.same(repo, end)
    }

    /// Whether both sides hold what they should.
    pub fn same(&self, repo: &Repo<'_>, end: &End) -> Result<(), String> {
        let now = self.end(repo);
        if now.workspace != end.workspace {
            let diff = diff(&end.workspace, &now.workspace);
            return Err(format!("the workspace is another:\n{diff}"));
        }
        for path in now.files.keys().chain(end.files.keys()) {
            let (was, is) = (end.files.get(path), now.files.get(path));
            if was != is {
                let diff = diff(was.map_or("(none)", |t| t), is.map_or("(none)", |t| t));
                return Err(format!("{path} is another:\n{diff}"));
            }
        }
        Ok(())
    }

    /// One run without trouble after one with: the same end as ever, and then rest.
    pub fn recovers(&self, repo: &Repo<'_>, end: &End) -> Result<(), String> {
        let run = repo.run(&["sync"]);
        if run.code != 0 {
            return Err(format!("the run after it ended with {}: {}", run.code, brief(&run)));
        }
        self.same(repo, end)?;
        self.quiet(repo, end)
    }
}

/// A difference of lines, for messages.
fn diff(old: &str, new: &str) -> String {
    similar::TextDiff::from_lines(old, new).unified_diff().to_string()
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success());
}

fn write_documents(repo: &Repo<'_>) {
    repo.write("agent-sync.yml", CONFIG);
    let text =
        |id: &str, state: &str, body: &str| story(id, &format!("Document {id}"), state, body);
    let body = |name: &str| {
        format!(
            "## Problem\n\nFirst paragraph of {name}.\n\nSecond paragraph of {name}.\n\n- one {name}\n- two {name}\n\nLast of {name}.\n"
        )
    };
    repo.write(
        &path("stories", "INFRA-1"),
        &(text("INFRA-1", "DRAFT", &body("infra one"))
            + &linked("Linked Plans", &["PLAN-1", "PLAN-2"])
            + &linked("Linked ADRs", &["ADR-1"])),
    );
    repo.write(
        &path("stories", "INFRA-2"),
        &(text("INFRA-2", "TO_DO", &body("infra two")) + &linked("Linked Plans", &["PLAN-1"])),
    );
    repo.write(&path("stories", "INFRA-3"), &text("INFRA-3", "DONE", &body("infra three")));
    repo.write(
        &path("plans", "PLAN-1"),
        &(text("PLAN-1", "DRAFT", &body("plan one")) + &linked("Linked Stories", &["INFRA-1"])),
    );
    repo.write(&path("plans", "PLAN-2"), &text("PLAN-2", "PROPOSED", NORMALISED));
    repo.write(&path("plans", "PLAN-3"), &text("PLAN-3", "APPROVED", &body("plan three")));
    repo.write(&path("adr", "ADR-1"), &text("ADR-1", "ACCEPTED", &body("decision one")));
}

/// One of everything: bodies, properties and relations on either side, both in one document, new ones, deleted ones.
fn change(lab: &Lab, repo: &Repo<'_>) {
    // Two hunks in one body, and at the same document an item and a property changed in Notion.
    repo.replace(&path("stories", "INFRA-1"), "First paragraph of infra one.", "First, from Git.");
    repo.replace(&path("stories", "INFRA-1"), "Last of infra one.", "Last, from Git.");
    let page = lab.page("Stories", "INFRA-1");
    lab.sim.workspace().set_property(&page, "Status", "IN_PROGRESS").unwrap();
    lab.edit("Stories", "INFRA-1", "two infra one", "two, from Notion");
    // A property and a relation changed here.
    repo.replace(&path("stories", "INFRA-2"), "TO_DO", "REVIEW");
    repo.replace(&path("stories", "INFRA-2"), "- PLAN-1\n", "- PLAN-2\n");
    lab.edit("Plans", "PLAN-1", "Second paragraph of plan one", "Second, from Notion.");
    let page = lab.page("Plans", "PLAN-1");
    lab.sim.workspace().set_property(&page, "Status", "APPROVED").unwrap();
    // A body whose bases differ.
    repo.replace(&path("plans", "PLAN-2"), "Deep heading", "Deep heading from Git");
    // New on either side; the new file is in a circle with the plan.
    repo.write(
        &path("stories", "INFRA-9"),
        &(story("INFRA-9", "New story", "DRAFT", "## Why\n\nA new file.\n\nIt has a body.\n")
            + &linked("Linked Plans", &["PLAN-9", "PLAN-1"])),
    );
    repo.write(
        &path("plans", "PLAN-9"),
        &(story("PLAN-9", "New plan", "DRAFT", "## How\n\nAnother new file, unlike the first.\n")
            + &linked("Linked Stories", &["INFRA-9"])),
    );
    let properties =
        [("ID", "ADR-9".into()), ("Status", "PROPOSED".into()), ("Decision", "From Notion".into())];
    lab.sim
        .workspace()
        .create_page("ADRs", "Made in Notion", &properties, "## Context\n\nWritten by a person.")
        .unwrap();
    // Deleted on either side.
    std::fs::remove_file(repo.path.join(path("stories", "INFRA-3"))).unwrap();
    let page = lab.page("Plans", "PLAN-3");
    lab.sim.workspace().trash(&page).unwrap();
}

/// Plays every case on its own from the start of the scene, on both cores; fails with what failed.
pub fn play<C: Sync + std::fmt::Debug>(
    scene: impl Fn() -> Scene + Sync,
    cases: &[C],
    check: impl Fn(&Scene, &End, &C) -> Result<(), String> + Sync,
) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let scene = scene();
                let (end, _) = scene.reference();
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = check(&scene, &end, case) {
                        failures.lock().unwrap().push(format!("{case:?}: {why}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let shown: Vec<_> = failures.iter().take(20).cloned().collect();
    assert!(
        failures.is_empty(),
        "{} of {} failed:\n{}",
        failures.len(),
        cases.len(),
        shown.join("\n\n")
    );
}

/// The endpoint of a request, for messages.
pub fn endpoint(scene: &Scene, index: usize) -> String {
    scene.lab.sim.requests().get(index).map_or_else(String::new, |request| request.endpoint.clone())
}

/// For checks: an error unless the run ended with this code.
pub fn code(run: &Run, expected: i32) -> Result<(), String> {
    match run.code == expected {
        true => Ok(()),
        false => Err(format!("ended with {} instead of {expected}: {}", run.code, brief(run))),
    }
}

/// What a run said, for messages.
pub fn brief(run: &Run) -> String {
    let json: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
    let actions = if json.is_object() { run.actions().join(", ") } else { run.stdout.clone() };
    let [findings, conflicts, error, stopped] =
        ["findings", "conflicts", "error", "stopped"].map(|name| json[name].to_string());
    format!(
        "code {}; {actions}; findings {findings}; conflicts {conflicts}; error {error} {stopped}; {}",
        run.code, run.stderr
    )
}
