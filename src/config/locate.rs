//! The line of a value in a YAML file, from its path. The YAML reader keeps no positions, so this follows
//! indentation and, inside flow collections, the keys; where it loses the way, the nearest known line is given.

/// A step into a YAML value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A key of a mapping.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// Line from 1 of the value at this path; `None` if not even the first step is there.
pub(super) fn line_of(text: &str, path: &[Step]) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut cursor = Cursor { lines: &lines, line: None, column: 0, end: lines.len() };
    for step in path {
        if !cursor.enter(step) {
            break;
        }
    }
    cursor.line.map(|line| line + 1)
}

struct Cursor<'a> {
    lines: &'a [&'a str],
    /// The line of the entry we are in; none at the top.
    line: Option<usize>,
    /// Where the entry's value begins on that line.
    column: usize,
    /// First line behind the entry.
    end: usize,
}

impl Cursor<'_> {
    fn enter(&mut self, step: &Step) -> bool {
        let rest =
            self.line.and_then(|line| self.lines.get(line)?.get(self.column..)).unwrap_or("");
        if rest.trim_start().starts_with(['{', '[']) { self.flow(step) } else { self.block(step) }
    }

    fn flow(&mut self, step: &Step) -> bool {
        let Step::Key(key) = step else { return true };
        let Some(first) = self.line else { return false };
        for number in first..self.end {
            let from = if number == first { self.column } else { 0 };
            let Some(rest) = self.lines.get(number).and_then(|line| line.get(from..)) else {
                continue;
            };
            if let Some(behind) = key_in(rest, key) {
                self.line = Some(number);
                self.column = from + behind;
                return true;
            }
        }
        false
    }

    fn block(&mut self, step: &Step) -> bool {
        let first = self.line.map_or(0, |line| line + 1);
        let content = |n: &usize| {
            self.lines.get(*n).is_some_and(|line| {
                let line = line.trim_start();
                !line.is_empty() && !line.starts_with('#') && !line.starts_with("---")
            })
        };
        let numbers: Vec<usize> = (first..self.end).filter(content).collect();
        let indent_of =
            |n: &usize| self.lines.get(*n).map_or(0, |line| line.len() - line.trim_start().len());
        let Some(indent) = numbers.first().map(indent_of) else { return false };
        let own: Vec<usize> = numbers.iter().copied().filter(|n| indent_of(n) == indent).collect();
        let found = match step {
            Step::Key(key) => own.iter().position(|n| {
                let line = self.lines.get(*n).map_or("", |line| line.trim_start());
                key_length(line, key).is_some()
            }),
            Step::Index(index) => {
                let items = own.iter().enumerate().filter(|(_, n)| {
                    self.lines.get(**n).is_some_and(|line| line.trim_start().starts_with('-'))
                });
                items.map(|(at, _)| at).nth(*index)
            }
        };
        let Some(&line) = found.and_then(|at| own.get(at)) else { return false };
        self.end = numbers
            .iter()
            .copied()
            .find(|n| *n > line && indent_of(n) <= indent)
            .unwrap_or(self.end);
        self.line = Some(line);
        self.column = match step {
            Step::Key(key) => {
                let length =
                    self.lines.get(line).and_then(|line| key_length(line.trim_start(), key));
                indent + length.unwrap_or(0)
            }
            Step::Index(_) => indent + 1,
        };
        true
    }
}

/// Length of `key:` at the begin of a text, quoted or not.
fn key_length(text: &str, key: &str) -> Option<usize> {
    let quoted = [format!("\"{key}\""), format!("'{key}'"), key.to_owned()];
    quoted.iter().find_map(|form| {
        let rest = text.strip_prefix(form.as_str())?;
        let colon = rest.trim_start().strip_prefix(':')?;
        let ends = colon.chars().next().is_none_or(char::is_whitespace);
        ends.then_some(text.len() - colon.len())
    })
}

/// Where the value of a key inside a flow mapping begins.
fn key_in(text: &str, key: &str) -> Option<usize> {
    let starts =
        text.char_indices().filter(|(_, c)| matches!(c, '{' | ',' | '[')).map(|(at, _)| at + 1);
    std::iter::once(0).chain(starts).find_map(|at| {
        let rest = text.get(at..)?;
        let space = rest.len() - rest.trim_start().len();
        key_length(rest.trim_start(), key).map(|length| at + space + length)
    })
}
