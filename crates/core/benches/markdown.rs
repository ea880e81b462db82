//! Reading the Markdown of all our dependencies into canonical form, beside pulldown-cmark's own parse of the same
//! files in the same run: `cargo bench -p agent-sync-core --bench markdown`. With `-- --check` it fails above 4 times
//! its time.
#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

#[path = "../../../tests/corpus/files.rs"]
mod files;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use agent_sync_core::kind::Format;
use agent_sync_core::markdown::{Dialect, Local, local_digest, render_local, render_remote};
use pulldown_cmark::{Options, Parser};

/// The fastest of many rounds: a busy machine only ever adds.
const ROUNDS: usize = 25;

/// Times pulldown-cmark's own parse.
const LIMIT: f64 = 4.0;

fn main() -> ExitCode {
    let asked = |option: &str| std::env::args().any(|arg| arg == option);
    // `cargo test` runs benchmarks too, to see that they build.
    if !asked("--bench") {
        return ExitCode::SUCCESS;
    }
    let samples = files::of_cargo();
    // For benches/martian, which takes the same files.
    if asked("--list") {
        samples.iter().for_each(|sample| println!("{}", sample.path.display()));
        return ExitCode::SUCCESS;
    }
    let texts: Vec<&str> = samples.iter().map(|sample| sample.text.as_str()).collect();
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let (mut theirs, mut ours, mut whole) = (Duration::MAX, Duration::MAX, Duration::MAX);
    // In turns, so that a busy machine slows all of them.
    for _ in 0..ROUNDS {
        theirs = theirs.min(timed(&texts, |text| {
            Parser::new_ext(text, options)
                .into_offset_iter()
                .for_each(|event| drop(black_box(event)));
        }));
        ours = ours.min(timed(&texts, |text| drop(black_box(local_digest(&md(text))))));
        whole = whole.min(timed(&texts, |text| {
            let remote = render_remote(&md(text), Dialect::NotionV1);
            drop(black_box(render_local(Dialect::NotionV1, &remote, Format::Markdown, None)));
        }));
    }
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!(
        "{} files, {} KB: pulldown-cmark {:.1} ms, canonical form {:.1} ms: {ratio:.2} times; to Notion and back \
         {:.1} ms",
        texts.len(),
        bytes / 1024,
        theirs.as_secs_f64() * 1e3,
        ours.as_secs_f64() * 1e3,
        whole.as_secs_f64() * 1e3,
    );
    if asked("--check") && ratio > LIMIT { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn md(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown, links: None }
}

fn timed(texts: &[&str], act: impl Fn(&str)) -> Duration {
    let start = Instant::now();
    texts.iter().for_each(|text| act(text));
    start.elapsed()
}
