//! Whole histories of one document: people edit both sides, runs sync them and die at any point, and the backend
//! writes everything it is given in a form that nobody foresaw (rules 2, 3, 4, 16). A failing case prints its seed;
//! `HISTORY=seed cargo test -p agent-sync-core --test histories` plays it again.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a seed comes from the environment, and the history that it gives is shown"
)]

use std::collections::BTreeSet;

use agent_sync_core::kind::Format;
use agent_sync_core::markdown::{
    self, Choice, Dialect, Hunk, Local, Push, Recovery, Sides, apply_edits, local_digest,
    plan_pull, plan_push, remote_digest,
};
use agent_sync_core::plan;

const DIALECT: Dialect = Dialect::NotionV1;

/// A seeded source of choices (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).expect("a small number")
    }
}

fn md(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown, links: None }
}

/// What the backend makes of a text that it is given. It is no canonical form of ours.
fn odd(text: &str) -> String {
    text.replace("--", "–").replace('\'', "’")
}

/// What a run was about to send (rule 16).
struct Intent {
    before: String,
    hunks: Vec<Hunk>,
    /// The file that goes with it; none where the traces would say too much.
    local: Option<String>,
    /// Whether the file held that when the run died, so that what it holds now goes on from there.
    held: bool,
}

/// The two sides and what is known of them.
struct World {
    local: String,
    remote: String,
    base: (String, String),
    /// What a run that died was seen to have written, and the file that went with it (rule 16).
    proposed: Vec<(String, String)>,
    intent: Option<Intent>,
    strange: bool,
}

impl World {
    fn new(text: &str, strange: bool) -> Self {
        let remote = markdown::render_remote(&md(text), DIALECT);
        let remote = if strange { odd(&remote) } else { remote };
        Self {
            local: text.to_owned(),
            base: (text.to_owned(), remote.clone()),
            remote,
            proposed: Vec::new(),
            intent: None,
            strange,
        }
    }

    /// Shows where a history is, for one that is played again.
    fn trace(&self) {
        if std::env::var_os("HISTORY").is_some() {
            let (local, remote) = &self.base;
            println!(
                "== file\n{}\n== page\n{}\n== bases\n{local}\n--\n{remote}",
                self.local, self.remote
            );
        }
    }

    /// Conditional writes: each replaces its text, which must be there exactly once.
    fn write(&mut self, push: &Push) {
        let hunks = match push {
            Push::Nothing => return,
            Push::Append(text) => {
                let gap = if self.remote.is_empty() { "" } else { "\n" };
                self.remote = format!("{}{gap}{text}", self.remote);
                return;
            }
            Push::Edit(hunks) => hunks,
            Push::Impossible(reason) => panic!("{reason}\n{}", self.remote),
        };
        for hunk in hunks {
            assert_eq!(self.remote.matches(&hunk.old).count(), 1, "{hunk:?}\n{}", self.remote);
            let new = if self.strange { odd(&hunk.new) } else { hunk.new.clone() };
            self.remote = self.remote.replacen(&hunk.old, &new, 1);
        }
    }

    fn hunks(push: &Push, before: &str) -> Vec<Hunk> {
        match push {
            Push::Edit(hunks) => hunks.clone(),
            Push::Append(text) => {
                let at = before.len()..before.len();
                vec![Hunk { at, old: String::new(), new: text.clone() }]
            }
            _ => Vec::new(),
        }
    }

    /// One run, which dies after `steps` effects. Gives the texts in open clashes, and whether it wrote.
    fn run(&mut self, steps: usize) -> (Vec<(String, String)>, bool) {
        let mut held = false;
        if let Some(Intent { before, hunks, local: Some(local), held: file }) = self.intent.take()
            && let Recovery::Applied(answer) =
                markdown::recover(DIALECT, &before, &hunks, &self.remote)
        {
            self.proposed.push((local, answer.base));
            held = file;
        }
        // The file goes on from there if it holds all that came with it (rule 15).
        if let Some(last) = self.proposed.last()
            && (held
                || local_digest(&md(&last.0)) == local_digest(&md(&self.local))
                || plan::includes(&self.base.0, &last.0, &self.local))
        {
            self.base = last.clone();
        }
        let (local, remote) =
            (local_digest(&md(&self.local)), remote_digest(DIALECT, &self.remote));
        let (base_local, base_remote) = self.base.clone();
        let changed = (
            local != local_digest(&md(&base_local)),
            remote != remote_digest(DIALECT, &base_remote),
        );
        if local == remote || changed == (false, false) {
            if local == remote {
                self.base = (self.local.clone(), self.remote.clone());
            }
            return (Vec::new(), false);
        }
        let old = md(&base_local);
        let before = self.remote.clone();
        match changed {
            (true, false) => {
                let push =
                    plan_push(DIALECT, Some((&old, &base_remote)), &md(&self.local), &before);
                let hunks = Self::hunks(&push, &before);
                self.intent = Some(Intent {
                    before: before.clone(),
                    hunks: hunks.clone(),
                    local: Some(self.local.clone()),
                    held: true,
                });
                if steps == 0 {
                    return (Vec::new(), false);
                }
                self.write(&push);
                if steps == 1 {
                    return (Vec::new(), true);
                }
                let answer = markdown::read_answer(DIALECT, &before, &hunks, &self.remote);
                assert!(!answer.unexpected && answer.applied.iter().all(|applied| *applied));
                self.base = (self.local.clone(), answer.base);
                self.proposed.clear();
                self.intent = None;
            }
            (false, _) => {
                if steps == 0 {
                    return (Vec::new(), false);
                }
                let local = md(&self.local);
                let edits = plan_pull(DIALECT, Some((&old, &base_remote)), &local, &self.remote);
                self.local = apply_edits(&self.local, &edits);
                if steps > 1 {
                    self.base = (self.local.clone(), self.remote.clone());
                    self.proposed.clear();
                }
            }
            (true, true) => return self.merge(steps, &base_local, &base_remote),
        }
        (Vec::new(), true)
    }

    fn merge(
        &mut self,
        steps: usize,
        base_local: &str,
        base_remote: &str,
    ) -> (Vec<(String, String)>, bool) {
        let (old, file, before) = (md(base_local), self.local.clone(), self.remote.clone());
        let local = md(&file);
        let proposed = self.proposed.clone();
        let agreed: Vec<_> =
            proposed.iter().map(|(local, remote)| (md(local), remote.as_str())).collect();
        let sides = Sides {
            dialect: DIALECT,
            base: (&old, base_remote),
            agreed: &agreed,
            local: &local,
            remote: &before,
            push: true,
            pull: true,
        };
        let Some(merged) = markdown::merge(&sides, &|_| Choice::Open) else {
            return (vec![(self.local.clone(), self.remote.clone())], false);
        };
        let open: Vec<_> = merged
            .clashes
            .iter()
            .map(|(clash, _)| (clash.local.clone(), clash.remote.clone()))
            .collect();
        let wrote = merged.push != Push::Nothing || !merged.pull.is_empty();
        let after = apply_edits(&file, &merged.pull);
        let hunks = Self::hunks(&merged.push, &before);
        self.intent = Some(Intent {
            before: before.clone(),
            hunks: hunks.clone(),
            local: merged.is_whole().then(|| after.clone()),
            held: merged.pull.is_empty(),
        });
        if steps == 0 {
            return (open, false);
        }
        self.write(&merged.push);
        if steps == 1 {
            return (open, wrote);
        }
        self.local = after;
        if let Some(intent) = &mut self.intent {
            intent.held = true;
        }
        if steps == 2 {
            return (open, wrote);
        }
        let answer = markdown::read_answer(DIALECT, &before, &hunks, &self.remote);
        let pair =
            merged.local_base(&md(&self.local)).zip(merged.remote_base(DIALECT, &answer.base));
        self.base = pair.unwrap_or_else(|| self.base.clone());
        self.proposed.clear();
        self.intent = None;
        (open, wrote)
    }
}

/// A document of one-line blocks, the only form in which a person can be played on both sides by lines.
fn document(chance: &mut Chance) -> Vec<String> {
    (0..3 + chance.below(6)).map(|n| line(chance, &format!("word{n}"))).collect()
}

fn line(chance: &mut Chance, token: &str) -> String {
    let filler: Vec<String> = (0..chance.below(8)).map(|n| format!("{token}x{n}")).collect();
    let text = format!("{token} isn't -- {}", filler.join(" "));
    let text = text.trim_end();
    match chance.below(4) {
        0 => format!("- {text}"),
        1 => format!("## {text}"),
        _ => text.to_owned(),
    }
}

/// A person edits one line of a text. `own` says which lines are hers.
fn edit(
    lines: &mut Vec<String>,
    chance: &mut Chance,
    token: &str,
    own: &dyn Fn(&str) -> bool,
    live: &mut BTreeSet<String>,
) {
    let mine: Vec<usize> = (0..lines.len()).filter(|at| own(&lines[*at])).collect();
    let at = mine.get(chance.below(mine.len())).copied();
    match (chance.below(6), at) {
        (0, Some(at)) if lines.len() > 2 => {
            let gone = lines.remove(at);
            live.retain(|token| !gone.split(' ').any(|word| word == token));
        }
        (1, _) => {
            lines.insert(
                at.map_or(lines.len(), |at| at + 1),
                format!("{token} new{token} put{token} in{token}"),
            );
            live.insert(token.to_owned());
        }
        (_, Some(at)) => {
            // Behind one of its words, never into the mark of the block.
            let words: Vec<&str> = lines[at].split(' ').collect();
            let first = usize::from(lines[at].starts_with(['-', '#']));
            let place = first + 1 + chance.below(words.len() - first);
            let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            words.insert(place, token.to_owned());
            lines[at] = words.join(" ");
            live.insert(token.to_owned());
        }
        _ => {}
    }
}

fn file(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().join("\n")
}

fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Plays one history. `apart`: each side edits lines of its own, so that nothing may ever clash.
fn play(seed: u64, strange: bool, apart: bool) {
    let mut chance = Chance(seed);
    let start = document(&mut chance);
    let mut world = World::new(&file(&start), strange);
    let mut live: BTreeSet<String> = BTreeSet::new();
    let even = |line: &str| {
        let digit = line.split(' ').find_map(|word| word.strip_prefix("word"));
        digit.and_then(|digits| digits.chars().next()).is_some_and(|c| (c as u32).is_multiple_of(2))
    };
    for round in 0..3 + chance.below(5) {
        for _ in 0..chance.below(3) {
            let mut text = lines(&world.local);
            let own = |line: &str| !apart || even(line);
            let token = format!("l{round}t{}", chance.below(1000));
            edit(&mut text, &mut chance, &token, &own, &mut live);
            world.local = file(&text);
        }
        for _ in 0..chance.below(3) {
            let mut text = lines(&world.remote);
            let own = |line: &str| !apart || (!even(line) && line.contains("word"));
            let token = format!("r{round}t{}", chance.below(1000));
            edit(&mut text, &mut chance, &token, &own, &mut live);
            world.remote = text.join("\n");
        }
        world.trace();
        // After a death and an edit on top nobody can say any more what is ours (rule 16).
        let dies = if apart { 9 } else { chance.below(6) };
        let (open, _) = world.run(dies);
        world.trace();
        assert!(!apart || open.is_empty(), "seed {seed}: a false conflict {open:?}");
    }
    // Until quiet.
    let mut open = Vec::new();
    for run in 0.. {
        let (clashes, wrote) = world.run(9);
        world.trace();
        open = clashes;
        if !wrote {
            break;
        }
        assert!(run < 4, "seed {seed}: no rest\n{}\n{}", world.local, world.remote);
    }
    assert!(!apart || open.is_empty(), "seed {seed}: a false conflict {open:?}");
    let has = |text: &str, token: &str| text.split([' ', '\n']).any(|word| word == token);
    for token in &live {
        let clash = open.iter().any(|(a, b)| has(a, token) || has(b, token));
        let both = has(&world.local, token) && has(&world.remote, token);
        assert!(
            both || clash,
            "seed {seed}: {token} was lost\n{}\n---\n{}\n---\n{open:?}",
            world.local,
            world.remote
        );
    }
    if open.is_empty() && !strange {
        assert_eq!(local_digest(&md(&world.local)), remote_digest(DIALECT, &world.remote));
    }
}

/// Seeds to play: one that was asked for, else the first few, `HISTORIES` of them.
fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("HISTORY") {
        Some(seed) => vec![seed],
        None => (0..number("HISTORIES").unwrap_or(400)).collect(),
    }
}

#[test]
fn no_edit_is_lost_whoever_edits_and_whenever_a_run_dies() {
    for seed in seeds() {
        play(seed, false, false);
    }
}

#[test]
fn no_edit_is_lost_with_a_backend_that_changes_what_it_is_given() {
    for seed in seeds() {
        play(seed, true, false);
    }
}

#[test]
fn edits_of_different_blocks_never_clash() {
    for seed in seeds() {
        play(seed, false, true);
        play(seed, true, true);
    }
}
