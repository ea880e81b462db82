//! Marks in our own texts, and the reader of exactly what we wrote: whose text it is, and which boxes are ticked.

use std::sync::LazyLock;

use regex::Regex;

use super::super::{ConflictReport, cut, markdown_text};
use super::conflict::digits;
use crate::engine::Keep;

/// A mark at the end of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Which of our texts it is.
    pub key: String,
    /// Digest of the text above it with no box ticked: 64 hex digits.
    pub fingerprint: String,
}

/// What the boxes of a body say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// One box ticked: fingerprint of the conflict, and the choice.
    pub chosen: Vec<(String, Keep)>,
    /// More than one box ticked, which is no answer.
    pub ambiguous: Vec<String>,
}

impl Answers {
    /// Takes what is ticked of one conflict.
    fn of_one(&mut self, ticked: &mut Vec<(String, Keep)>) {
        match ticked.len() {
            0 => {}
            1 => self.chosen.append(ticked),
            _ => {
                self.ambiguous.extend(ticked.drain(..).take(1).map(|(fingerprint, _)| fingerprint))
            }
        }
    }
}

static BOX: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^- \[([ xX])\] (?:keep the repository's|keep [^<>\n]{1,200}'s|skip for now) <!-- agent-sync:keep (local|remote|skip) ([0-9a-f]{16}) -->$",
    )
    .ok()
});

static MARKER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^<!-- agent-sync:v1 key=([A-Za-z0-9._/-]{1,200}) fingerprint=([0-9a-f]{64}) -->$")
        .ok()
});

/// Begin of the line above the mark, which may differ from run to run and does not count.
const FOOTER: &str = "<sub>";

/// The boxes of a conflict, in lines that follow each other; none for a fingerprint that is not one of ours.
pub(super) fn boxes(conflict: &ConflictReport) -> String {
    let fingerprint = &conflict.fingerprint;
    let ours = |print: &str| print.len() == 16 && digits(print) == print.to_ascii_lowercase();
    let contents = conflict.contents();
    if !contents.iter().all(|(print, _)| ours(print)) {
        return String::new();
    }
    let mut text =
        format!("- [ ] keep the repository's <!-- agent-sync:keep local {fingerprint} -->\n");
    for (print, labels) in contents {
        let backend = markdown_text(&cut(&labels, 60));
        text.push_str(&format!("- [ ] keep {backend}'s <!-- agent-sync:keep remote {print} -->\n"));
    }
    text.push_str(&format!("- [ ] skip for now <!-- agent-sync:keep skip {fingerprint} -->\n\n"));
    text
}

/// A body: the text, a last line that does not count (Markdown, one line), and the mark. `key` has letters, digits
/// and `. _ / -` only; anything else of it becomes `-`.
pub(super) fn signed(text: &str, footer: Option<&str>, key: &str) -> String {
    let text = text.trim_end();
    let footer = footer.map(|footer| format!("{FOOTER}{footer}</sub>\n\n")).unwrap_or_default();
    format!("{text}\n\n{footer}{}", mark(key, &digest(text)))
}

/// Bytes that [`signed`] adds at most, without the footer's.
pub(super) const SIGNED: usize = 350;

fn mark(key: &str, fingerprint: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    let key: String = key.chars().map(|c| if plain(c) { c } else { '-' }).take(200).collect();
    let key = if key.is_empty() { "-" } else { &key };
    format!("<!-- agent-sync:v1 key={key} fingerprint={fingerprint} -->")
}

fn digest(text: &str) -> String {
    let unticked: Vec<String> = text.lines().map(untick).collect();
    crate::hex::digest(unticked.join("\n").as_bytes())
}

fn untick(line: &str) -> String {
    match BOX.as_ref().is_some_and(|pattern| pattern.is_match(line)) {
        true => line.replacen("- [x]", "- [ ]", 1).replacen("- [X]", "- [ ]", 1),
        false => line.to_owned(),
    }
}

/// The text above the footer and the mark, with GitHub's line breaks made ours, and the mark.
pub(super) fn parts(body: &str) -> Option<(String, Marker)> {
    let body = body.replace("\r\n", "\n");
    let (text, last) = body.trim_end().rsplit_once('\n')?;
    let found = MARKER.as_ref()?.captures(last)?;
    let marker = Marker { key: found[1].to_owned(), fingerprint: found[2].to_owned() };
    let text = text.trim_end();
    let text = match text.rsplit_once('\n') {
        Some((above, line)) if line.starts_with(FOOTER) => above.trim_end(),
        _ => text,
    };
    Some((text.to_owned(), marker))
}

/// The mark, where the last line of a body is one. It says what the body claims to be; who wrote it is for the
/// caller to ask.
pub fn marker(body: &str) -> Option<Marker> {
    Some(parts(body)?.1)
}

/// Whether both bodies say the same, whatever boxes are ticked and in whatever run they were made.
pub fn same(a: &str, b: &str) -> bool {
    match (parts(a), parts(b)) {
        (Some((text, a)), Some((_, b))) => a == b && digest(&text) == b.fingerprint,
        _ => false,
    }
}

/// What is ticked in a body that we wrote and of which nothing but boxes was changed; `None` for any other.
pub fn answers(body: &str) -> Option<Answers> {
    let (text, marker) = parts(body)?;
    if digest(&text) != marker.fingerprint {
        return None;
    }
    let mut answers = Answers::default();
    let mut ticked: Vec<(String, Keep)> = Vec::new();
    let mut fence: Option<usize> = None;
    for line in text.lines() {
        let ticks = line.bytes().take_while(|byte| *byte == b'`').count();
        match fence {
            Some(long) => {
                if ticks >= long && ticks == line.len() {
                    fence = None;
                }
                continue;
            }
            None if ticks >= 3 => {
                fence = Some(ticks);
                continue;
            }
            None => {}
        }
        let Some(found) = BOX.as_ref().and_then(|pattern| pattern.captures(line)) else {
            answers.of_one(&mut ticked);
            continue;
        };
        if &found[1] == " " {
            continue;
        }
        let keep = match &found[2] {
            "local" => Keep::Local,
            "remote" => Keep::Remote,
            _ => Keep::Skip,
        };
        ticked.push((found[3].to_owned(), keep));
    }
    answers.of_one(&mut ticked);
    Some(answers)
}
