//! Sequences under a key, block or flow, and the least change of their members.

use std::collections::BTreeSet;
use std::ops::Range;

use super::keys::{self, KeyLine, Style};
use super::outline::{lines, trimmed, without_break};
use crate::markdown::Edit;

/// A sequence of scalars.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    form: Form,
    pub(super) members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A line each.
    Block,
    /// Between brackets, from behind the opening one to before the closing one; whether a comment stands inside.
    Flow { open: usize, close: usize, commented: bool },
}

/// A member of a sequence.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The text that it means; `None` for null.
    pub(super) text: Option<String>,
    /// The scalar as written, quotes included.
    pub(super) value: Range<usize>,
    /// In a block the whole lines, with the line break.
    line: Range<usize>,
}

impl Member {
    fn commented(&self, text: &str) -> bool {
        text[self.value.end..self.line.end].contains('#')
    }
}

/// What a member becomes.
#[derive(Clone, Debug)]
enum Fate {
    Stays,
    Goes,
    Becomes(String),
}

/// The sequence that is the value of a key; `None` where it is anything else, or holds more than scalars.
pub(super) fn read(text: &str, key: &KeyLine) -> Option<Sequence> {
    let sequence = if text[key.value.clone()].starts_with('[') {
        flow(text, key)?
    } else if key.value.is_empty() {
        block(text, key)?
    } else {
        return None;
    };
    // The one reading that counts is that of a YAML parser.
    let entry: serde_yaml::Value = serde_yaml::from_str(&text[key.lines.clone()]).ok()?;
    let value = entry.as_mapping()?.values().next()?;
    if value.is_null() && sequence.members.is_empty() {
        return Some(sequence);
    }
    let values = value.as_sequence()?;
    let agrees = |(member, value): (&Member, &serde_yaml::Value)| match value {
        serde_yaml::Value::Null => member.text.is_none(),
        serde_yaml::Value::String(read) => member.text.as_ref() == Some(read),
        serde_yaml::Value::Bool(_) | serde_yaml::Value::Number(_) => member.text.is_some(),
        _ => false,
    };
    let same = values.len() == sequence.members.len();
    (same && sequence.members.iter().zip(values).all(agrees)).then_some(sequence)
}

fn block(text: &str, key: &KeyLine) -> Option<Sequence> {
    let mut members = Vec::new();
    for line in lines(text, key.lines.clone()).skip(1) {
        let content = trimmed(text, without_break(text, line.clone()));
        let source = &text[content.clone()];
        if source.is_empty() || source.starts_with('#') {
            continue;
        }
        let rest =
            source.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' '))?;
        let value = keys::value_span(text, trimmed(text, content.end - rest.len()..content.end));
        if keys::is_complex(&text[value.clone()]) {
            return None;
        }
        members.push(Member { text: keys::decode(&text[value.clone()]), value, line });
    }
    Some(Sequence { form: Form::Block, members })
}

fn flow(text: &str, key: &KeyLine) -> Option<Sequence> {
    let open = key.value.start + 1;
    let end = key.lines.end;
    let mut members = Vec::new();
    let mut commented = false;
    let mut at = open;
    let mut skip = |mut at: usize| {
        while let Some(c) = text[at..end].chars().next() {
            if c == '#' && text[..at].ends_with(|c: char| c.is_whitespace() || c == ',') {
                commented = true;
                at += text[at..end].find('\n').unwrap_or(end - at);
            } else if c.is_whitespace() {
                at += c.len_utf8();
            } else {
                break;
            }
        }
        at
    };
    loop {
        at = skip(at);
        if text[at..end].starts_with(']') {
            break;
        }
        let source = &text[at..end];
        let length = match source.chars().next()? {
            '"' | '\'' => keys::quoted_length(source),
            '[' | '{' | '&' | '*' | '!' | '|' | '>' | ',' => return None,
            _ => source.find([',', ']', '\n', '{', '}', '['])?,
        };
        let value = trimmed(text, at..at + length);
        let text_of = keys::decode(&text[value.clone()]);
        members.push(Member { text: text_of, line: value.clone(), value });
        at = skip(at + length);
        match text[at..end].chars().next()? {
            ',' => at += 1,
            ']' => break,
            _ => return None,
        }
    }
    let behind = text[at + 1..end].trim();
    let clean = behind.is_empty() || (behind.starts_with('#') && !behind.contains('\n'));
    clean.then_some(Sequence { form: Form::Flow { open, close: at, commented }, members })
}

impl Sequence {
    /// Whether it is a block of which nothing is left but comments.
    pub(super) fn is_bare(&self) -> bool {
        self.form == Form::Block && self.members.is_empty()
    }

    /// The edits that make the members mean exactly `wanted`. `meaning` gives what a member's text means; a member
    /// that means nothing stays. `None` where the text permits no such edit.
    pub(super) fn set(
        &self,
        text: &str,
        wanted: &BTreeSet<String>,
        meaning: impl Fn(&str) -> Vec<String>,
        newline: &str,
    ) -> Option<Vec<Edit>> {
        let mut fates = Vec::new();
        let mut present = BTreeSet::new();
        for member in &self.members {
            let means = member.text.as_deref().map(&meaning).unwrap_or_default();
            let kept = means.iter().filter(|means| wanted.contains(*means)).count();
            fates.push(match kept {
                0 if !means.is_empty() => Fate::Goes,
                _ if kept < means.len() => return None,
                _ => Fate::Stays,
            });
            present.extend(means);
        }
        let mut added =
            wanted.iter().filter(|id| !present.contains(*id)).cloned().collect::<Vec<_>>();
        added.reverse();
        // A member that goes makes room for one that comes, unless a comment speaks of it.
        for (member, fate) in self.members.iter().zip(&mut fates) {
            if matches!(fate, Fate::Goes)
                && !member.commented(text)
                && let Some(new) = added.pop()
            {
                *fate = Fate::Becomes(new);
            }
        }
        added.reverse();
        match self.form {
            Form::Block => Some(self.set_block(text, &fates, &added, newline)),
            Form::Flow { open, close, commented } => {
                let edits = self.set_flow(text, open..close, &fates, &added);
                // A comment between members that go would go with them.
                let removes = edits.iter().any(|edit| edit.new.is_empty());
                (!commented || !removes).then_some(edits)
            }
        }
    }

    fn set_block(&self, text: &str, fates: &[Fate], added: &[String], newline: &str) -> Vec<Edit> {
        let mut edits = self.replacements(text, fates, false);
        for (member, fate) in self.members.iter().zip(fates) {
            if matches!(fate, Fate::Goes) {
                edits.push(Edit { at: member.line.clone(), new: String::new() });
            }
        }
        if let Some(last) = self.members.last().filter(|_| !added.is_empty()) {
            let line = &text[last.line.clone()];
            let indent = line.len() - line.trim_start().len();
            let gap = line[indent + 1..].len() - line[indent + 1..].trim_start_matches(' ').len();
            let head = format!("{}-{}", &line[..indent], " ".repeat(gap.max(1)));
            let style = keys::style_of(&text[last.value.clone()]);
            let mut new = String::new();
            let broken = line.ends_with('\n');
            for member in added {
                let member = keys::encode(member, style, false);
                new.push_str(&match broken {
                    true => format!("{head}{member}{newline}"),
                    false => format!("{newline}{head}{member}"),
                });
            }
            edits.push(Edit { at: last.line.end..last.line.end, new });
        }
        edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
        edits
    }

    fn set_flow(
        &self,
        text: &str,
        inner: Range<usize>,
        fates: &[Fate],
        added: &[String],
    ) -> Vec<Edit> {
        let mut edits = self.replacements(text, fates, true);
        let goes = |n: usize| matches!(fates.get(n), Some(Fate::Goes));
        let mut n = 0;
        while n < fates.len() {
            let first = n;
            while goes(n) {
                n += 1;
            }
            if n == first {
                n += 1;
                continue;
            }
            let (before, gone, behind) =
                (&self.members[..first], &self.members[first..n], &self.members[n..]);
            let (Some(head), Some(tail)) = (gone.first(), gone.last()) else { continue };
            let at = match (before.last(), behind.first()) {
                (_, Some(next)) => head.value.start..next.value.start,
                (Some(before), None) => before.value.end..tail.value.end,
                (None, None) => head.value.start..inner.end,
            };
            edits.push(Edit { at, new: String::new() });
        }
        if !added.is_empty() {
            let style = self
                .members
                .last()
                .map_or(Style::Plain, |m| keys::style_of(&text[m.value.clone()]));
            let members: Vec<String> = added.iter().map(|m| keys::encode_flow(m, style)).collect();
            let (at, lead) =
                self.members.last().map_or((inner.start, ""), |last| (last.value.end, ", "));
            edits.push(Edit { at: at..at, new: format!("{lead}{}", members.join(", ")) });
        }
        edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
        edits
    }

    fn replacements(&self, text: &str, fates: &[Fate], flow: bool) -> Vec<Edit> {
        let pairs = self.members.iter().zip(fates);
        let becomes = pairs.filter_map(|(member, fate)| match fate {
            Fate::Becomes(new) => Some((member, new)),
            _ => None,
        });
        becomes
            .map(|(member, new)| {
                let style = keys::style_of(&text[member.value.clone()]);
                let new = if flow {
                    keys::encode_flow(new, style)
                } else {
                    keys::encode(new, style, false)
                };
                Edit { at: member.value.clone(), new }
            })
            .collect()
    }
}

/// A flow sequence of these members.
pub(super) fn written<'m>(members: impl IntoIterator<Item = &'m String>) -> String {
    let members: Vec<String> =
        members.into_iter().map(|member| keys::encode_flow(member, Style::Plain)).collect();
    format!("[{}]", members.join(", "))
}
