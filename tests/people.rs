//! A person edits while a run is under way: between any two requests, in any place, in the same minute or later.
//!
//! Each laboratory holds one artifact for every pair of an act and a moment, so that one run goes through all of
//! them. A moment is "after the n-th request that names this page" or "after the n-th other request": together
//! they are every gap between two requests that a page can be edited in.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::{Lab, Repo};
use notion_sim::{Event, Phase, Workspace};
use serde_json::Value;

const BODY: &str = "## Problem\n\nAlpha one.\n\nBravo two.\n\nCharlie three.\n\n- Delta\n- Echo\n";

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Edits a block away from ours.
    Far,
    /// Edits the block before ours.
    Before,
    /// Edits the block after ours.
    Beside,
    /// Edits the block that the run writes.
    Same,
    /// Inserts a block in front of ours.
    InsertBefore,
    /// Inserts a block behind ours.
    InsertAfter,
    /// Writes at the end of the page.
    Append,
    /// Deletes the block after ours.
    DeleteBeside,
    /// Deletes the block that the run writes.
    DeleteSame,
    /// Sets the property that the run writes.
    Status,
    /// Sets another property.
    Priority,
    /// Gives the page another title.
    Rename,
    /// Moves the page to the trash.
    Trash,
    /// Comments a block that nobody changes.
    Comment,
}

const ACTS: [Act; 14] = [
    Act::Far,
    Act::Before,
    Act::Beside,
    Act::Same,
    Act::InsertBefore,
    Act::InsertAfter,
    Act::Append,
    Act::DeleteBeside,
    Act::DeleteSame,
    Act::Status,
    Act::Priority,
    Act::Rename,
    Act::Trash,
    Act::Comment,
];

/// What the run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errand {
    /// A block changed in the file.
    Body,
    /// Status and title changed in the file.
    Property,
    /// Both.
    Both,
    /// A block was changed in Notion before.
    Pull,
    /// The file is new.
    Create,
    /// The page is empty and the file got its first text.
    FirstText,
    /// The file was deleted.
    Delete,
    /// Both changed the block; the repository is to win.
    ForceLocal,
    /// Both changed the block; Notion is to win.
    ForceRemote,
}

/// How time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// The run, the edit and the next run fall into one minute.
    SameMinute,
    /// Minutes pass between the runs.
    Later,
    /// A minute may end at any time during the run.
    Passing,
}

/// When a person acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// After the n-th request that names the page; its creation counts.
    Page(usize),
    /// After the n-th request that does not name a page.
    Other(usize),
}

#[derive(Clone, Debug)]
struct Case {
    id: String,
    act: Act,
    moment: Moment,
    /// Requests that named the page so far.
    named: usize,
    /// The page was there before the run's create.
    known: bool,
    /// Its page, once it was named.
    page: Option<String>,
    /// Endpoint after which the person acted, and whether the page then held what the run sends.
    acted: Option<(String, bool)>,
    /// The endpoint of the next request that named the page.
    next: Option<String>,
}

impl Case {
    fn token(&self) -> String {
        format!("Ada{}", self.id.replace('-', ""))
    }

    /// What the file's edit puts there.
    fn commit(&self) -> String {
        format!("Commit{}", self.id.replace('-', ""))
    }

    fn act(&self, ws: &mut Workspace, page: &str) -> bool {
        let token = self.token();
        let one = |ws: &mut Workspace, block: &str| {
            ws.edit_block(page, block, &format!("{block} {token}")).is_ok()
        };
        match self.act {
            Act::Far => one(ws, "Echo"),
            Act::Before => one(ws, "Alpha one"),
            Act::Beside => one(ws, "Charlie three"),
            Act::Same => one(ws, "Bravo two"),
            Act::InsertBefore => ws.insert_after(page, "Alpha one", &token).is_ok(),
            Act::InsertAfter => ws.insert_after(page, "Bravo two", &token).is_ok(),
            Act::Append => ws.append_markdown(page, &token).is_ok(),
            Act::DeleteBeside => ws.delete_block(page, "Charlie three").is_ok(),
            Act::DeleteSame => ws.delete_block(page, "Bravo two").is_ok(),
            Act::Status => ws.set_property(page, "Status", "REVIEW").is_ok(),
            Act::Priority => ws.set_property(page, "Priority", token).is_ok(),
            Act::Rename => ws.rename(page, &token).is_ok(),
            Act::Trash => ws.trash(page).is_ok(),
            Act::Comment => {
                let block = ws.blocks(page).into_iter().find(|block| block.text == "Delta");
                block.is_some_and(|block| ws.comment(&block.id, &token).is_ok())
            }
        }
    }
}

struct Trial<'a> {
    lab: &'a Lab,
    repo: Repo<'a>,
    errand: Errand,
    pace: Pace,
    cases: Vec<Case>,
    paths: BTreeMap<String, String>,
    before: BTreeMap<String, Vec<notion_sim::BlockInfo>>,
    pages: BTreeMap<String, String>,
}

fn settings() -> String {
    "version: 1\npreset: agent\nbackends:\n  notion:\n    type: notion\n    requests_per_minute: 10000\n    \
     settle_seconds: 0\n    backoff_ms: 2\n    share: [story]\nkinds:\n  story:\n    properties:\n      \
     Priority: {allow_new_options: true}\n"
        .to_owned()
}

impl<'a> Trial<'a> {
    fn new(lab: &'a Lab, errand: Errand, pace: Pace, cases: Vec<Case>) -> Self {
        let repo = lab.repo("repo");
        repo.write("agent-sync.yml", &settings());
        let mut trial = Self {
            lab,
            repo,
            errand,
            pace,
            cases,
            paths: BTreeMap::new(),
            before: BTreeMap::new(),
            pages: BTreeMap::new(),
        };
        trial.repo.story("KEEP-1", "Kept", "DRAFT", BODY);
        trial.repo.story("KEEP-2", "Kept too", "DRAFT", BODY);
        if errand != Errand::Create {
            trial.files();
        }
        trial.repo.init();
        trial.repo.run(&["sync"]).expect(0);
        lab.minutes(2);
        trial.repo.run(&["sync"]).expect(0);
        trial.remember();
        trial.errand();
        trial
    }

    fn files(&mut self) {
        for case in &self.cases {
            let body = match self.errand {
                Errand::FirstText => String::new(),
                // Documents that share half of their lines would be one document under a new id.
                Errand::Delete => BODY
                    .replace('\n', &format!(" {}\n", case.id))
                    .replace(&format!("\n {}\n", case.id), "\n\n"),
                _ => BODY.to_owned(),
            };
            let path = self.repo.story(&case.id, "Title", "DRAFT", &body);
            self.paths.insert(case.id.clone(), path);
        }
    }

    fn remember(&mut self) {
        let ids = self
            .cases
            .iter()
            .map(|case| case.id.clone())
            .chain(["KEEP-1", "KEEP-2"].map(str::to_owned));
        for id in ids {
            if let Some(page) = self.lab.find_page("Stories", &id) {
                self.before.insert(id.clone(), self.lab.sim.workspace().blocks(&page));
                self.pages.insert(id, page);
            }
        }
        for case in &mut self.cases {
            case.page = self.pages.get(&case.id).cloned();
            case.known = case.page.is_some();
        }
    }

    /// What makes the run have something to do.
    fn errand(&mut self) {
        if self.errand == Errand::Create {
            self.files();
        }
        for case in &self.cases {
            let path = &self.paths[&case.id];
            let body =
                || self.repo.replace(path, "Bravo two.", &format!("Bravo two, {}.", case.commit()));
            let properties = || {
                self.repo.replace(path, "DRAFT", "TO_DO");
                self.repo.replace(path, "Title", &format!("Title {}", case.commit()));
            };
            let remote = |text: &str| self.lab.edit("Stories", &case.id, "Bravo two", text);
            match self.errand {
                Errand::Body => body(),
                Errand::Property => properties(),
                Errand::Both => {
                    body();
                    properties();
                }
                Errand::Pull => remote(&format!("Bravo two, {}.", case.commit())),
                Errand::Create => body(),
                Errand::FirstText => {
                    let text = self.repo.read(path);
                    let body =
                        BODY.replace("Bravo two.", &format!("Bravo two, {}.", case.commit()));
                    self.repo.write(path, &format!("{text}{body}"));
                }
                Errand::Delete => assert!(std::fs::remove_file(self.repo.path.join(path)).is_ok()),
                Errand::ForceLocal => {
                    body();
                    remote(&format!("Bravo two, Bob{}.", case.id));
                }
                Errand::ForceRemote => {
                    body();
                    remote(&format!("Bravo two, Bob{}.", case.id));
                }
            }
        }
        if self.errand == Errand::Pull || self.pace != Pace::SameMinute {
            self.lab.minutes(2);
        }
    }

    fn command(&self) -> Vec<&'static str> {
        let mut command = vec!["sync", "--allow", "delete=1000,change=1000"];
        match self.errand {
            Errand::ForceLocal => command.push("--force=local"),
            Errand::ForceRemote => command.push("--force=remote"),
            _ => {}
        }
        command
    }

    /// The run with the person in it. Gives the cases with what happened, and how many other requests there were.
    fn disturbed(&mut self) -> usize {
        let shared = Arc::new(Mutex::new((std::mem::take(&mut self.cases), 0_usize)));
        let inside = Arc::clone(&shared);
        let pace = self.pace;
        self.lab.sim.set_hook(Some(Box::new(move |ws, event| {
            if event.phase == Phase::After {
                let mut guard = inside.lock().unwrap_or_else(PoisonError::into_inner);
                let (cases, others) = &mut *guard;
                happen(ws, event, cases, others, pace);
            }
        })));
        let run = self.repo.run(&self.command());
        self.lab.sim.set_hook(None);
        assert!(
            [0, 1].contains(&run.code),
            "{:?} {:?}: {} {}",
            self.errand,
            self.pace,
            run.code,
            run.json()["error"]
        );
        let mut guard = shared.lock().unwrap_or_else(PoisonError::into_inner);
        self.cases = std::mem::take(&mut guard.0);
        guard.1
    }

    /// Two more runs without anybody, and a third that must have nothing to write.
    fn calm_down(&self) -> Value {
        if self.pace != Pace::SameMinute {
            self.lab.minutes(3);
        }
        let allow = ["sync", "--allow", "delete=1000,change=1000"];
        for _ in 0..2 {
            let run = self.repo.run(&allow);
            assert!(
                [0, 1].contains(&run.code),
                "{:?} {:?}: {} {}",
                self.errand,
                self.pace,
                run.code,
                run.json()["error"]
            );
            self.lab.minutes(3);
        }
        self.lab.sim.reset_requests();
        let run = self.repo.run(&allow);
        assert!([0, 1].contains(&run.code), "{run:?}");
        let writes: Vec<_> = self.lab.sim.requests().into_iter().filter(|r| r.is_write).collect();
        assert!(
            writes.is_empty(),
            "{:?} {:?} never rests: {writes:#?}\n{run:?}",
            self.errand,
            self.pace
        );
        run.json()
    }

    /// Everything that writes of this repository replaced.
    fn replaced(&self) -> String {
        self.repo.git(&["grep", "-h", "-e", "", "refs/agent-sync/state", "--", "replaced"])
    }

    fn judge(&self, report: &Value) -> String {
        let replaced = self.replaced();
        let mut wrong = String::new();
        for case in &self.cases {
            if let Err(reason) = self.verdict(case, report, &replaced) {
                let page = self.page(case);
                let _ = writeln!(
                    wrong,
                    "== {:?} {:?} {:?} at {:?} (after {:?}, before {:?}): {reason}\npage: {}\nfile: {}\nconflicts: {}\n",
                    self.errand,
                    self.pace,
                    case.act,
                    case.moment,
                    case.acted,
                    case.next,
                    page.map(|page| self.lab.sim.workspace().markdown(&page)).unwrap_or_default(),
                    self.file(case).unwrap_or_default(),
                    conflicts(report, &case.id).join("\n"),
                );
            }
        }
        for id in ["KEEP-1", "KEEP-2"] {
            let now = self.lab.sim.workspace().blocks(&self.pages[id]);
            if now != self.before[id] {
                let _ = writeln!(wrong, "{id} was touched");
            }
        }
        wrong
    }

    fn page(&self, case: &Case) -> Option<String> {
        self.pages.get(&case.id).cloned().or_else(|| case.page.clone())
    }

    fn file(&self, case: &Case) -> Option<String> {
        let path = self.paths.get(&case.id)?;
        self.repo.has(path).then(|| self.repo.read(path))
    }

    fn verdict(&self, case: &Case, report: &Value, replaced: &str) -> Result<(), String> {
        let Some((_, sent)) = &case.acted else { return Ok(()) };
        let page = self.page(case).ok_or("no page")?;
        let ws = self.lab.sim.workspace();
        let info = ws.page(&page).ok_or("the page is gone")?;
        let body = ws.markdown(&page);
        let blocks = ws.blocks(&page);
        let property = |name: &str| ws.property_text(&page, name).unwrap_or_default();
        let file = self.file(case);
        let text = file.clone().unwrap_or_default();
        let conflicts = conflicts(report, &case.id);
        let open = !conflicts.is_empty();
        let force = matches!(self.errand, Errand::ForceLocal | Errand::ForceRemote);
        let token = case.token();
        let check = |ok: bool, reason: &str| if ok { Ok(()) } else { Err(reason.to_owned()) };
        let told = conflicts.iter().any(|conflict| conflict.contains(&token));

        // A deletion that met an edit waits for an answer, with the page as it is.
        let undeleted = self.errand == Errand::Delete && open && !info.in_trash;

        // What the person did.
        match case.act {
            Act::Far
            | Act::Before
            | Act::Beside
            | Act::Same
            | Act::InsertBefore
            | Act::InsertAfter
            | Act::Append => {
                let both = body.contains(&token) && text.contains(&token);
                let asked = body.contains(&token) && (told || undeleted);
                let kept = force && replaced.contains(&token);
                // A page that goes to the trash takes an edit of that instant along, unharmed.
                let trashed = self.trash_gap(case) && info.in_trash && body.contains(&token);
                check(both || asked || kept || trashed, "the person's words are lost")?;
            }
            Act::DeleteBeside | Act::DeleteSame => {
                let block = if case.act == Act::DeleteSame { "Bravo two" } else { "Charlie three" };
                let both = !body.contains(block) && !text.contains(block);
                let asked = !body.contains(block) && open;
                let forced = self.errand == Errand::ForceLocal;
                let trashed = self.trash_gap(case) && info.in_trash;
                check(both || asked || forced || trashed, "the person's deletion is undone")?;
            }
            Act::Status => {
                let both = property("Status") == "REVIEW" && text.contains("REVIEW");
                let asked = property("Status") == "REVIEW" && (open || undeleted);
                check(both || asked || self.property_gap(case), "the person's value is lost")?;
            }
            Act::Priority => {
                let both =
                    property("Priority") == token && text.contains(&format!("priority: {token}"));
                let asked = property("Priority") == token && (told || undeleted);
                check(both || asked, "the person's value is lost")?;
            }
            Act::Rename => {
                let both = info.title == token && text.contains(&format!("# {}: {token}", case.id));
                check(
                    both || (info.title == token && (told || undeleted)) || self.property_gap(case),
                    "the person's title is lost",
                )?;
            }
            Act::Trash => {
                let forced = self.errand == Errand::ForceLocal && !info.in_trash;
                let fine = info.in_trash && (file.is_none() || open);
                check(fine || forced, "the person's deletion is undone")?;
                let others = ws.pages_with("Stories", "ID", &case.id);
                check(others.is_empty() || forced, "the page was made again")?;
            }
            Act::Comment => {
                let there = ws.comments(&page);
                let fine = there.iter().any(|c| c.text == token && !c.original_content_deleted);
                check(fine, "the person's comment is lost")?;
            }
        }

        // What the file's author did. Who deletes or rewrites our block after it arrived does so knowingly.
        let knowing = *sent && matches!(case.act, Act::Same | Act::DeleteSame);
        let commit = case.commit();
        let writes_body = matches!(
            self.errand,
            Errand::Body | Errand::Both | Errand::Create | Errand::FirstText | Errand::ForceLocal
        );
        if writes_body && case.act != Act::Trash && !knowing {
            check(text.contains(&commit), "the file lost its own words")?;
            check(body.contains(&commit) || open, "the page never got the file's words")?;
        }
        if self.errand == Errand::ForceRemote {
            check(
                text.contains(&commit) || replaced.contains(&commit),
                "the file's words are lost",
            )?;
        }

        // What nobody touched.
        if let Some(before) = self.before.get(&case.id).filter(|_| !force) {
            for old in before.iter().filter(|block| !block.text.starts_with("Bravo")) {
                let deleted = case.act == Act::DeleteBeside && old.text.starts_with("Charlie");
                let there = blocks.iter().any(|block| block.id == old.id);
                check(there || deleted, &format!("the block {:?} was written anew", old.text))?;
            }
        }
        if file.is_some() && self.errand != Errand::Delete {
            for (word, act) in
                [("Alpha one", Act::Before), ("Charlie three", Act::Beside), ("- Echo", Act::Far)]
            {
                let deleted = case.act == Act::DeleteBeside && word.starts_with("Charlie");
                let times = text.matches(word).count();
                check(times == 1 || deleted, &format!("{word} is there {times} times ({act:?})"))?;
            }
        }
        Ok(())
    }

    /// Rule 2: properties have no condition. What is written between our reading and our writing of the same
    /// property cannot be seen by anybody.
    fn property_gap(&self, case: &Case) -> bool {
        let writes = matches!(self.errand, Errand::Property | Errand::Both);
        let after =
            case.acted.as_ref().is_some_and(|(endpoint, _)| endpoint == "GET /v1/pages/{id}");
        writes && after && case.next.as_deref() == Some("PATCH /v1/pages/{id}")
    }

    fn trash_gap(&self, case: &Case) -> bool {
        self.errand == Errand::Delete && case.next.as_deref() == Some("PATCH /v1/pages/{id}")
    }
}

fn conflicts(report: &Value, id: &str) -> Vec<String> {
    let all = report["conflicts"].as_array().cloned().unwrap_or_default();
    all.iter().filter(|conflict| conflict["id"] == id).map(Value::to_string).collect()
}

/// Lets the person act where the moment has come.
fn happen(ws: &mut Workspace, event: &Event, cases: &mut [Case], others: &mut usize, pace: Pace) {
    let creates = event.endpoint == "POST /v1/pages";
    let mut named = false;
    for case in cases.iter_mut() {
        if case.page.is_none() && creates {
            case.page = ws.page_with("Stories", "ID", &case.id);
        }
        let Some(page) = case.page.clone() else { continue };
        let created = creates && !case.known;
        case.known = true;
        let plain = page.replace('-', "");
        if !created && !event.path.contains(&page) && !event.path.contains(&plain) {
            continue;
        }
        named = true;
        if case.acted.is_some() && case.next.is_none() {
            case.next = Some(event.endpoint.clone());
        }
        let now = case.moment == Moment::Page(case.named);
        case.named += 1;
        if now {
            perform(ws, event, case, &page, pace);
        }
    }
    if named || creates {
        return;
    }
    let moment = Moment::Other(*others);
    *others += 1;
    for case in cases.iter_mut().filter(|case| case.moment == moment) {
        if let Some(page) = case.page.clone() {
            perform(ws, event, case, &page, pace);
        }
    }
}

fn perform(ws: &mut Workspace, event: &Event, case: &mut Case, page: &str, pace: Pace) {
    if ws.page(page).is_none_or(|page| page.in_trash) {
        return;
    }
    if pace == Pace::Passing {
        ws.advance(Duration::from_secs(7));
    }
    let sent = ws.markdown(page).contains(&case.commit());
    if case.act(ws, page) {
        case.acted = Some((event.endpoint.clone(), sent));
    }
}

fn cases(acts: &[Act], pages: usize, others: usize) -> Vec<Case> {
    let moments: Vec<Moment> =
        (0..pages).map(Moment::Page).chain((0..others).map(Moment::Other)).collect();
    let pairs = acts.iter().flat_map(|act| moments.iter().map(move |moment| (*act, *moment)));
    pairs
        .enumerate()
        .map(|(n, (act, moment))| Case {
            id: format!("INFRA-{}", n + 1),
            act,
            moment,
            named: 0,
            known: false,
            page: None,
            acted: None,
            next: None,
        })
        .collect()
}

/// Goes through every act at every moment of this errand.
fn go(errand: Errand, pace: Pace, acts: &[Act]) -> String {
    // How many gaps there are, with a person who only watches.
    let lab = Lab::new();
    let watcher = cases(&[Act::Comment], 1, 0).into_iter().map(|mut case| {
        case.moment = Moment::Page(usize::MAX);
        case
    });
    let mut trial = Trial::new(&lab, errand, pace, watcher.collect());
    let others = trial.disturbed();
    let pages = trial.cases[0].named;
    assert!(others > 0, "{errand:?}: nothing was asked");
    let lab = Lab::new();
    // An edit makes the run ask more than it does undisturbed; a spare moment may never come.
    let mut trial = Trial::new(&lab, errand, pace, cases(acts, pages + 1, others));
    trial.disturbed();
    let report = trial.calm_down();
    let acted = trial.cases.iter().filter(|case| case.acted.is_some()).count();
    assert!(
        acted >= acts.len() * pages.max(1) / 2,
        "{errand:?}: only {acted} of {} acted",
        trial.cases.len()
    );
    trial.judge(&report)
}

fn all(errands: &[Errand], paces: &[Pace], acts: &[Act]) {
    let jobs: Vec<(Errand, Pace)> =
        errands.iter().flat_map(|errand| paces.iter().map(move |pace| (*errand, *pace))).collect();
    let next = Mutex::new(jobs.into_iter());
    let wrong = Mutex::new(String::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let job = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((errand, pace)) = job else { return };
                    let text = go(errand, pace, acts);
                    wrong.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(wrong.is_empty(), "{wrong}");
}

/// The hardest: nothing but the content tells our write from the person's edit (rule 6).
const HARDEST: [Pace; 1] = [Pace::SameMinute];

#[test]
fn rules_2_and_3_an_edit_during_a_push_of_a_body_survives() {
    all(&[Errand::Body], &HARDEST, &ACTS);
}

#[test]
fn rule_2_an_edit_during_a_push_of_properties_survives() {
    all(&[Errand::Property, Errand::Both], &HARDEST, &ACTS);
}

#[test]
fn rule_6_an_edit_during_a_pull_survives() {
    all(&[Errand::Pull], &HARDEST, &ACTS);
}

#[test]
fn rule_12_an_edit_of_a_page_just_made_survives() {
    all(&[Errand::Create, Errand::FirstText], &HARDEST, &ACTS);
}

#[test]
fn rule_8_an_edit_during_a_deletion_survives() {
    all(&[Errand::Delete], &HARDEST, &ACTS);
}

#[test]
fn rule_10_an_edit_during_a_force_survives() {
    all(&[Errand::ForceLocal, Errand::ForceRemote], &HARDEST, &ACTS);
}

#[test]
#[ignore = "minutes long; run by .ci/run"]
fn an_edit_at_any_time_survives_however_time_goes() {
    let errands = [
        Errand::Body,
        Errand::Property,
        Errand::Both,
        Errand::Pull,
        Errand::Create,
        Errand::FirstText,
        Errand::Delete,
        Errand::ForceLocal,
        Errand::ForceRemote,
    ];
    all(&errands, &[Pace::Later, Pace::Passing], &ACTS);
}
