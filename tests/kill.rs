//! Runs that are killed or told to stop at any moment, and runs that meet (rules 1, 11, 12, 14 and 16).

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use common::scenario::{End, Scene, brief, code, endpoint, play};
use common::{Lab, Repo, Run, story};
use notion_sim::{Event, Fault, FaultKind, Phase};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// A process that is not started yet.
#[derive(Clone, Default)]
struct Victim(Arc<(Mutex<Option<u32>>, Condvar)>);

impl Victim {
    fn is(&self, id: u32) {
        *self.0.0.lock().unwrap() = Some(id);
        self.0.1.notify_all();
    }

    fn send(&self, signal: Signal) {
        let id = self.0.1.wait_while(self.0.0.lock().unwrap(), |id| id.is_none()).unwrap();
        let id = Pid::from_raw(i32::try_from(id.unwrap()).unwrap()).unwrap();
        // It may have ended by itself.
        let _ = kill_process(id, signal);
    }
}

#[derive(Clone, Copy, Debug)]
struct Moment {
    index: usize,
    phase: Phase,
    signal: Signal,
}

/// Syncs, and sends the signal at that moment. The code is -1 where the signal ended the run.
fn signalled(scene: &Scene, repo: &Repo<'_>, moment: &Moment) -> (Run, Option<i32>) {
    let victim = Victim::default();
    let (target, moment) = (victim.clone(), *moment);
    scene.lab.sim.set_hook(Some(Box::new(move |_, event: &Event| {
        if (event.index, event.phase) == (moment.index, moment.phase) {
            target.send(moment.signal);
        }
    })));
    let child = repo.spawn(&["sync"]);
    victim.is(child.id());
    let output = child.wait_with_output().unwrap();
    scene.lab.sim.set_hook(None);
    let by = output.status.signal();
    (repo.finish(output), by)
}

fn killed(scene: &Scene, end: &End, moment: &Moment) -> Result<(), String> {
    let repo = scene.restore();
    let (run, by) = signalled(scene, &repo, moment);
    let at = endpoint(scene, moment.index);
    if by != Some(Signal::KILL.as_raw()) {
        return Err(format!("{at}: it lived: {}", brief(&run)));
    }
    scene.recovers(&repo, end).map_err(|why| format!("{at}: {why}"))
}

/// What is in flight ends and is recorded, nothing else is begun. Only a signal after the last write may leave
/// nothing to stop.
fn stopped(scene: &Scene, end: &End, moment: &Moment) -> Result<(), String> {
    let repo = scene.restore();
    let (run, by) = signalled(scene, &repo, moment);
    let requests = scene.lab.sim.requests();
    let at = endpoint(scene, moment.index);
    if by.is_some() {
        return Err(format!("{at}: it was ended by the signal"));
    }
    if run.code == 0 {
        return scene.quiet(&repo, end).map_err(|why| format!("{at}: {why}\n{}", brief(&run)));
    }
    code(&run, 4).map_err(|why| format!("{at}: {why}"))?;
    let made =
        requests.iter().filter(|r| r.endpoint == "POST /v1/pages" && r.status == Some(200)).count();
    if made > 0 {
        let reported = run.actions().iter().filter(|a| a.ends_with("create-page")).count();
        if made != reported {
            return Err(format!("{at}: {made} pages made, reported: {}", brief(&run)));
        }
    }
    scene.recovers(&repo, end).map_err(|why| format!("{at}: {why}\n{}", brief(&run)))
}

/// The signals in turn, at both moments of every `step`th request.
fn moments(scene: fn() -> Scene, step: usize, signals: &[Signal]) -> Vec<Moment> {
    let (_, requests) = scene().reference();
    let both =
        (0..requests).flat_map(|index| [Phase::Before, Phase::After].map(|phase| (index, phase)));
    both.enumerate()
        .filter(|(n, _)| n % step == 0)
        .map(|(n, (index, phase))| Moment {
            index,
            phase,
            signal: signals[n / step % signals.len()],
        })
        .collect()
}

#[test]
fn rule_16_a_run_that_is_killed_is_finished_by_the_next() {
    play(Scene::first, &moments(Scene::first, 5, &[Signal::KILL]), killed);
    play(Scene::incremental, &moments(Scene::incremental, 5, &[Signal::KILL]), killed);
}

#[test]
#[ignore = "minutes long; run by .ci/run"]
fn rule_16_a_run_is_killed_at_every_request() {
    play(Scene::first, &moments(Scene::first, 1, &[Signal::KILL]), killed);
    play(Scene::incremental, &moments(Scene::incremental, 1, &[Signal::KILL]), killed);
    let remote = Scene::incremental_with_remote;
    play(remote, &moments(remote, 1, &[Signal::KILL]), killed);
}

#[test]
fn rule_16_a_run_that_is_told_to_stop_records_what_it_did() {
    let signals = [Signal::INT, Signal::TERM];
    play(Scene::first, &moments(Scene::first, 9, &signals), stopped);
    play(Scene::incremental, &moments(Scene::incremental, 9, &signals), stopped);
}

#[test]
#[ignore = "minutes long; run by .ci/run"]
fn rule_16_a_run_is_told_to_stop_at_every_request() {
    let signals = [Signal::INT, Signal::TERM];
    play(Scene::first, &moments(Scene::first, 1, &signals), stopped);
    play(Scene::incremental, &moments(Scene::incremental, 1, &signals), stopped);
}

/// A hook of the remote that kills the run at a push.
#[derive(Clone, Copy, Debug)]
struct AtPush {
    number: usize,
    /// Before the remote takes it, or after.
    hook: &'static str,
}

/// Counts the pushes; at the one that is meant it kills the process that `pid` names. A push that is cut off
/// before it is taken is refused.
fn hook(at: &AtPush) -> String {
    format!(
        "#!/bin/sh\nn=$(cat count 2>/dev/null || echo 0)\nn=$((n + 1))\necho $n > count\n[ $n = {} ] || exit 0\n\
         while [ ! -s pid ]; do sleep 0.01; done\nkill -9 $(cat pid)\n[ {} = post-receive ]\n",
        at.number, at.hook
    )
}

fn killed_at_push(scene: &Scene, end: &End, at: &AtPush) -> Result<(), String> {
    let repo = scene.restore();
    let bare = scene.lab.dir.path().join("remote.git");
    let path = bare.join("hooks").join(at.hook);
    std::fs::create_dir_all(bare.join("hooks")).unwrap();
    std::fs::write(&path, hook(at)).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    let child = repo.spawn(&["sync"]);
    std::fs::write(bare.join("pid"), child.id().to_string()).unwrap();
    let output = child.wait_with_output().unwrap();
    let by = output.status.signal();
    let run = repo.finish(output);
    std::fs::remove_file(&path).unwrap();
    let pushes = std::fs::read_to_string(bare.join("count")).unwrap_or_default();
    if by.is_none() {
        // Only where there was no such push.
        code(&run, 0)?;
        if pushes.trim().parse::<usize>().unwrap() >= at.number {
            return Err(format!("it lived: {}", brief(&run)));
        }
        return scene.quiet(&repo, end);
    }
    scene.recovers(&repo, end)
}

/// Lease, intents, records, lease: more pushes than these a run of this size does not make.
fn pushes(range: std::ops::Range<usize>) -> Vec<AtPush> {
    range
        .flat_map(|number| ["pre-receive", "post-receive"].map(|hook| AtPush { number, hook }))
        .collect()
}

#[test]
fn rule_1_a_run_killed_while_it_pushes_the_state_is_finished_by_the_next() {
    play(Scene::incremental_with_remote, &pushes(2..5), killed_at_push);
}

#[test]
#[ignore = "minutes long; run by .ci/run"]
fn rule_1_a_run_is_killed_at_every_push() {
    play(Scene::first_with_remote, &pushes(1..8), killed_at_push);
    play(Scene::incremental_with_remote, &pushes(1..8), killed_at_push);
}

/// Both at once: one does the work, the other waits or says to try later.
fn meet(scene: &Scene, first: &Repo<'_>, second: &Repo<'_>, end: &End) {
    let children = [first.spawn(&["sync"]), second.spawn(&["sync"])];
    let [a, b] = children.map(|child| first.finish(child.wait_with_output().unwrap()));
    for run in [&a, &b] {
        assert!([0, 4].contains(&run.code), "{}", brief(run));
    }
    assert!(a.code == 0 || b.code == 0, "{}\n{}", brief(&a), brief(&b));
    for repo in [first, second] {
        scene.recovers(repo, end).unwrap();
    }
}

#[test]
fn rule_11_two_runs_in_one_repository_do_the_work_once() {
    for scene in [Scene::first(), Scene::incremental()] {
        let (end, _) = scene.reference();
        let repo = scene.restore();
        meet(&scene, &repo, &repo, &end);
    }
}

#[test]
fn rule_11_two_clones_do_the_work_once() {
    for scene in [Scene::first_with_remote(), Scene::incremental_with_remote()] {
        let (end, _) = scene.reference();
        let repo = scene.restore();
        let clone = scene.lab.clone("elsewhere");
        meet(&scene, &repo, &clone, &end);
    }
}

/// What writes nothing may be dropped at any moment, also while it waits for an answer that may take a minute.
#[test]
fn a_run_that_only_reads_ends_when_it_is_told_to() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    repo.story("INFRA-1", "First", "DRAFT", "Body of the story.\n");
    repo.init();
    // Takes the request and never answers it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    repo.env.insert("NOTION_API_URL".to_owned(), url);
    repo.replace("agent-sync.yml", "read_timeout_ms: 4000", "read_timeout_ms: 60000");
    for signal in [Signal::INT, Signal::TERM] {
        for args in [&["status"][..], &["check"], &["sync", "--dry-run"]] {
            let child = repo.spawn(args);
            let _connection = silent.accept().unwrap();
            let told = Instant::now();
            kill_process(Pid::from_child(&child), signal).unwrap();
            let run = repo.finish(child.wait_with_output().unwrap()).expect(4);
            assert!(told.elapsed() < Duration::from_secs(2), "{args:?}: {:?}", told.elapsed());
            assert!(run.stdout.contains("told to stop"), "{args:?}: {run:?}");
        }
    }
}

/// A create without an answer whose page appears only after it was looked for: it is looked for again when the
/// backend's deadline has passed, other work goes on meanwhile, and no second page is made.
#[test]
fn rule_12_a_page_that_appears_late_is_not_made_twice() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.replace("agent-sync.yml", "settle_seconds: 0", "settle_seconds: 1");
    repo.write(
        ".agent/cache/plans/PLAN/PLAN-1-late.md",
        &story("PLAN-1", "Late", "DRAFT", "Body of the plan.\n"),
    );
    // Made after the plan, since it names it.
    repo.story("INFRA-1", "First", "DRAFT", "Body of the story.\n\n## Linked Plans\n\n- PLAN-1\n");
    repo.init();
    lab.sim.reset_requests();
    let create = "POST /v1/pages";
    let kind = FaultKind::ErrorBefore { status: 504 };
    lab.sim.fault(Fault { endpoint: Some(create.to_owned()), skip: 0, count: 1, kind });
    let looked: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let times = looked.clone();
    let mut created = false;
    lab.sim.set_hook(Some(Box::new(move |workspace, event: &Event| {
        created |= event.endpoint == create;
        if !created || !event.endpoint.ends_with("/query") || event.phase == Phase::Before {
            return;
        }
        let mut times = times.lock().unwrap();
        times.push(Instant::now());
        if times.len() == 1 {
            let (bot, person) = (workspace.bot().to_owned(), workspace.person().to_owned());
            workspace.act_as(&bot).unwrap();
            let values = [("ID", json!("PLAN-1")), ("Status", json!("DRAFT"))];
            workspace.create_page("Plans", "Late", &values, "Body of the plan.").unwrap();
            workspace.act_as(&person).unwrap();
        }
    })));
    let run = repo.run(&["sync"]).expect(0);
    lab.sim.set_hook(None);
    assert_eq!(run.actions(), ["plan/PLAN-1 create-page", "story/INFRA-1 create-page"]);
    let looked = looked.lock().unwrap();
    assert!(looked.len() == 2 && looked[1] - looked[0] >= Duration::from_millis(900), "{looked:?}");
    let requests = lab.sim.requests();
    let creates: Vec<_> = requests.iter().filter(|request| request.endpoint == create).collect();
    let look = requests.iter().rposition(|request| request.endpoint.ends_with("/query")).unwrap();
    assert!(creates.len() == 2 && creates[1].index < look, "the story waited: {creates:?}");
    let plans = lab.sim.workspace().database_by_title("Plans").unwrap();
    assert_eq!(lab.sim.workspace().pages_with(&plans.id, "ID", "PLAN-1").len(), 1);
    assert_eq!(
        lab.property("Stories", "INFRA-1", "Linked Plans"),
        Some(lab.page("Plans", "PLAN-1"))
    );
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.writes(), 0);
}

/// A run is killed right after it asked for a page, and the page appears only after the next run has looked: that
/// one waits until it cannot appear any more (rule 12 across runs), and meanwhile does other work.
#[test]
fn rule_12_a_page_of_a_killed_run_that_appears_late_is_not_made_twice() {
    for appears in [true, false] {
        let lab = Lab::new();
        let repo = lab.repo("repo");
        repo.replace("agent-sync.yml", "settle_seconds: 0", "settle_seconds: 4");
        let path = repo.story("INFRA-1", "First", "DRAFT", "Body of the story.\n");
        repo.init();
        let create = "POST /v1/pages";
        let kind = match appears {
            true => FaultKind::LateEffect { after: Duration::from_secs(3) },
            false => FaultKind::ResetBefore,
        };
        lab.sim.fault(Fault { endpoint: Some(create.to_owned()), skip: 0, count: 1, kind });
        let victim = Victim::default();
        let (target, asked) = (victim.clone(), Arc::new(Mutex::new(false)));
        let seen = asked.clone();
        lab.sim.set_hook(Some(Box::new(move |_, event: &Event| {
            // The first request after the one whose answer never came.
            let mut asked = seen.lock().unwrap();
            match (*asked, event.endpoint.as_str() == create) {
                (false, true) => *asked = true,
                (true, false) => target.send(Signal::KILL),
                _ => {}
            }
        })));
        let child = repo.spawn(&["sync"]);
        victim.is(child.id());
        let output = child.wait_with_output().unwrap();
        lab.sim.set_hook(None);
        assert_eq!(output.status.signal(), Some(Signal::KILL.as_raw()));
        let killed = Instant::now();
        // The next person does not know, and edits the file and adds another.
        repo.replace(&path, "Body of the story.\n", "Body of the story.\n\nGone on.\n");
        repo.story("INFRA-2", "Second", "DRAFT", "Another story.\n");
        lab.sim.reset_requests();
        let run = repo.run(&["sync"]).expect(0);
        assert!(killed.elapsed() >= Duration::from_secs(4), "{:?}", killed.elapsed());
        let actions = match appears {
            true => ["story/INFRA-1 changed-meanwhile", "story/INFRA-2 create-page"],
            false => ["story/INFRA-1 create-page", "story/INFRA-2 create-page"],
        };
        assert_eq!(run.actions(), actions, "{run:?}");
        lab.minutes(2);
        repo.run(&["sync"]).expect(0);
        let stories = lab.sim.workspace().database_by_title("Stories").unwrap();
        assert_eq!(lab.sim.workspace().pages_with(&stories.id, "ID", "INFRA-1").len(), 1);
        assert!(lab.body("Stories", "INFRA-1").contains("Gone on."));
        assert!(repo.read(&path).contains("Gone on."));
        repo.settle();
    }
}
