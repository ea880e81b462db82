//! What holds for every text and its own rendering.

use std::ops::Range;
use std::time::{Duration, Instant};

use agent_sync_core::kind::Format;
use agent_sync_core::markdown::{
    Dialect, Local, Push, apply_edits, apply_hunks, local_digest, plan_pull, plan_push,
    remote_digest, render_local, render_remote,
};

const DIALECT: Dialect = Dialect::NotionV1;

/// The longest that all laws together may take for a text, and for each KiB of it. Far more than a busy machine
/// needs without optimisation, and far less than what is not linear would take.
const LIMIT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(200));

fn md(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown }
}

/// The first law that does not hold; this many words are edited on each side.
pub(crate) fn check(text: &str, edits: usize) -> Result<(), String> {
    let start = Instant::now();
    rendering(text)?;
    let remote = render_remote(&md(text), DIALECT);
    for seed in 0..edits {
        remote_word(text, &remote, seed)?;
        local_word(text, &remote, seed)?;
    }
    let kib = u32::try_from(text.len() / 1024).unwrap_or(u32::MAX);
    let (took, limit) = (start.elapsed(), LIMIT.0 + LIMIT.1 * kib);
    if took > limit { Err(format!("took {took:?}")) } else { Ok(()) }
}

/// A file, its rendering, and the new file made of that hold the same, and nothing is to be done between them.
fn rendering(text: &str) -> Result<(), String> {
    let remote = render_remote(&md(text), DIALECT);
    let digest = local_digest(&md(text));
    if digest != remote_digest(DIALECT, &remote) {
        return Err(format!("rendered otherwise:\n{remote}"));
    }
    let filed = render_local(DIALECT, &remote, Format::Markdown);
    if digest != local_digest(&md(&filed)) {
        return Err(format!("comes back otherwise:\n--- remote\n{remote}\n--- filed\n{filed}"));
    }
    if render_remote(&md(&filed), DIALECT) != remote {
        return Err(format!("is sent otherwise the second time:\n{filed}"));
    }
    for base in [None, Some((&md(text), remote.as_str()))] {
        let push = plan_push(DIALECT, base, &md(text), &remote);
        if push != Push::Nothing {
            return Err(format!("pushes to its own rendering: {push:?}"));
        }
        let edits = plan_pull(DIALECT, base, &md(text), &remote);
        if !edits.is_empty() {
            return Err(format!("pulls its own rendering: {edits:?}"));
        }
    }
    Ok(())
}

/// A word edited in Notion changes its line of the file and nothing else.
fn remote_word(text: &str, remote: &str, seed: usize) -> Result<(), String> {
    let Some(edited) = edit_word(remote, seed) else { return Ok(()) };
    let base = md(text);
    let edits = plan_pull(DIALECT, Some((&base, remote)), &md(text), &edited);
    let result = apply_edits(text, &edits);
    let shown = || {
        format!(
            "\n--- edited\n{}\n--- result\n{}",
            changed(remote, &edited),
            changed(text, &result)
        )
    };
    if local_digest(&md(&result)) != remote_digest(DIALECT, &edited) {
        return Err(format!("a word pulled does not read back:{}", shown()));
    }
    if changed_lines(text, &result) != (1, 1) {
        return Err(format!("a word pulled changes more than its line:{}", shown()));
    }
    Ok(())
}

/// A word edited in the file becomes hunks that bring exactly that.
fn local_word(text: &str, remote: &str, seed: usize) -> Result<(), String> {
    let Some(edited) = edit_word(text, seed) else { return Ok(()) };
    let wanted = local_digest(&md(&edited));
    let base = md(text);
    let result = match plan_push(DIALECT, Some((&base, remote)), &md(&edited), remote) {
        Push::Nothing => remote.to_owned(),
        Push::Edit(hunks) => apply_hunks(remote, &hunks),
        other => return Err(format!("a word cannot be pushed: {other:?}")),
    };
    let shown = || {
        format!(
            "\n--- edited\n{}\n--- result\n{}",
            changed(text, &edited),
            changed(remote, &result)
        )
    };
    if wanted != remote_digest(DIALECT, &result) {
        return Err(format!("a word pushed does not read back:{}", shown()));
    }
    Ok(())
}

/// Replaces one word that stands free between spaces.
fn edit_word(text: &str, seed: usize) -> Option<String> {
    let words = words(text);
    let at = words.get((seed * 7_919 + text.len() * 31) % words.len().max(1))?;
    let mut out = text.to_owned();
    out.replace_range(at.clone(), "Zyxw");
    Some(out)
}

fn words(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        // A fence names a language.
        if !line.trim_start().starts_with(['`', '~']) {
            let mut from = at;
            for word in line.split([' ', '\n', '\t', '\r']) {
                if word.len() > 2 && word.bytes().all(|b| b.is_ascii_alphabetic()) {
                    out.push(from..from + word.len());
                }
                from += word.len() + 1;
            }
        }
        at += line.len();
    }
    out
}

/// How many lines of each text are not in the other's, between the common begin and end.
fn changed_lines(a: &str, b: &str) -> (usize, usize) {
    let (a, b) = middle(a, b);
    (a.len(), b.len())
}

fn middle<'a>(a: &'a str, b: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut a, mut b): (Vec<_>, Vec<_>) =
        (a.split_inclusive('\n').collect(), b.split_inclusive('\n').collect());
    let head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    a.drain(..head);
    b.drain(..head);
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    a.truncate(a.len() - tail);
    b.truncate(b.len() - tail);
    (a, b)
}

fn changed(a: &str, b: &str) -> String {
    let (a, b) = middle(a, b);
    let show = |sign: char, lines: Vec<&str>| -> String {
        lines.iter().map(|line| format!("{sign} {}\n", line.trim_end())).collect()
    };
    show('-', a) + &show('+', b)
}

/// The text with as many lines taken out as still break a law: what a person wants to see.
pub(crate) fn shrink(text: &str, breaks: impl Fn(&str) -> bool) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut step = lines.len() / 2;
    while step > 0 {
        let mut at = 0;
        while at < lines.len() {
            let mut fewer = lines.clone();
            fewer.drain(at..(at + step).min(lines.len()));
            if !fewer.is_empty() && breaks(&fewer.concat()) {
                lines = fewer;
            } else {
                at += step;
            }
        }
        step /= 2;
    }
    lines.concat()
}
