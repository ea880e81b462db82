//! Markdown of many houses, none of it in this repository: the files of our whole dependency tree and of the npm
//! packages that the tests install.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;
#[path = "corpus/files.rs"]
mod files;
#[path = "corpus/html.rs"]
mod html;
#[path = "corpus/laws.rs"]
mod laws;

use std::collections::BTreeMap;

use common::{Lab, Repo};
use files::Sample;

/// Larger files wait for the gate.
const EVERYDAY: usize = 8 * 1024;

fn samples(limit: usize) -> Vec<Sample> {
    let mut samples = files::of_cargo();
    samples.extend(files::read([html::install().as_path()].into_iter()));
    samples.retain(|sample| sample.text.len() <= limit);
    assert!(samples.len() > 100, "the corpus is not on this machine");
    samples
}

fn keep_the_laws(limit: usize, edits: usize) {
    let mut failures = Vec::new();
    for sample in samples(limit) {
        if let Err(why) = laws::check(&sample.text, edits) {
            let small = laws::shrink(&sample.text, |text| laws::check(text, edits).is_err());
            let why = laws::check(&small, edits).err().unwrap_or(why);
            failures.push(format!("{}: {why}\n--- of\n{small}", sample.path.display()));
        }
    }
    assert!(failures.is_empty(), "{} files:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_small_file_keeps_the_laws() {
    keep_the_laws(EVERYDAY, 1);
}

#[test]
#[ignore = "the whole corpus; the gate runs it"]
fn every_file_keeps_the_laws() {
    keep_the_laws(usize::MAX, 6);
}

/// The corpus as stories: through the binary to Notion, and into a repository that has nothing.
fn round_trip(limit: usize) {
    let lab = Lab::new();
    let repo = lab.repo("first");
    let samples = samples(limit);
    let mut stories = BTreeMap::new();
    for (n, sample) in samples.iter().enumerate() {
        let id = format!("DOC-{}", n + 1);
        let path = repo.story(&id, &format!("Text {}", n + 1), "DRAFT", &sample.text);
        stories.insert(id, (path, sample));
    }
    repo.init();
    let before = repo.files();
    repo.run(&["sync"]).expect(0);
    for _ in 0..2 {
        lab.minutes(2);
        lab.sim.reset_requests();
        let run = repo.run(&["sync"]).expect(0);
        assert!(lab.writes() == 0, "{:?}", run.actions());
    }
    assert!(repo.files() == before, "a file changed");

    let second = lab.repo("second");
    second.init();
    second.run(&["sync"]).expect(0);
    let pulled = by_id(&second);
    let mut pairs = Vec::new();
    for (id, (path, sample)) in &stories {
        let text =
            pulled.get(id).unwrap_or_else(|| panic!("{} was not pulled", sample.path.display()));
        pairs.push((sample.path.display().to_string(), repo.read(path), text.clone()));
    }
    let pairs: Vec<_> =
        pairs.iter().map(|(name, a, b)| (name.clone(), a.as_str(), b.as_str())).collect();
    let different = html::differences(&pairs);
    assert!(
        different.is_empty(),
        "{} of {} files:\n{}",
        different.len(),
        pairs.len(),
        different.join("\n\n")
    );
}

fn by_id(repo: &Repo<'_>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (path, text) in repo.files() {
        let name = path.rsplit('/').next().unwrap_or_default();
        let mut parts = name.split('-');
        if let (Some("DOC"), Some(number)) = (parts.next(), parts.next()) {
            out.insert(format!("DOC-{}", number.trim_end_matches(".md")), text);
        }
    }
    out
}

#[test]
fn small_files_come_through_notion_as_they_are() {
    round_trip(EVERYDAY);
}

#[test]
#[ignore = "the whole corpus; the gate runs it"]
fn all_files_come_through_notion_as_they_are() {
    round_trip(usize::MAX);
}
