//! Merge inside of one block: its text by words, its other parts one by one (design §6). Code and equations are
//! never merged.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::super::block::{Block, Marker, Node};
use super::super::inline::{Inline, Marks, Piece, Run};

/// Words that must be left between the edit of one side and that of the other: nearer ones are one thought, and two
/// halves of it make a sentence that nobody wrote.
const APART: usize = 2;

/// The block with the changes of both versions, or nothing where they clash.
pub(super) fn merge(base: &Node, local: &Node, remote: &Node) -> Option<Node> {
    let depth = value(&base.depth, &local.depth, &remote.depth)?;
    let block = match (&base.block, &local.block, &remote.block) {
        (Block::Paragraph(b), Block::Paragraph(l), Block::Paragraph(r)) => {
            Block::Paragraph(inline(b, l, r)?)
        }
        (Block::Heading(n, b), Block::Heading(m, l), Block::Heading(k, r)) => {
            Block::Heading(value(n, m, k)?, inline(b, l, r)?)
        }
        (Block::Item(n, b), Block::Item(m, l), Block::Item(k, r)) => {
            Block::Item(marker(*n, *m, *k)?, inline(b, l, r)?)
        }
        (Block::Quote(b), Block::Quote(l), Block::Quote(r)) => Block::Quote(content(b, l, r)?),
        (Block::Callout(n, b), Block::Callout(m, l), Block::Callout(k, r)) => {
            Block::Callout(value(n, m, k)?, content(b, l, r)?)
        }
        (Block::Toggle(n, b), Block::Toggle(m, l), Block::Toggle(k, r)) => {
            Block::Toggle(inline(n, m, k)?, content(b, l, r)?)
        }
        (Block::Table(Some(b), n), Block::Table(Some(l), m), Block::Table(Some(r), k)) => {
            Block::Table(Some(cells(b, l, r)?), value(n, m, k)?)
        }
        (Block::Row(b), Block::Row(l), Block::Row(r)) => Block::Row(cells(b, l, r)?),
        (Block::Image(n, b), Block::Image(m, l), Block::Image(k, r)) => {
            Block::Image(inline(n, m, k)?, value(b, l, r)?)
        }
        _ => return None,
    };
    Some(Node { depth, block })
}

fn value<T: Clone + PartialEq>(base: &T, local: &T, remote: &T) -> Option<T> {
    match (local == base, remote == base) {
        (_, true) => Some(local.clone()),
        (true, _) => Some(remote.clone()),
        _ => (local == remote).then(|| local.clone()),
    }
}

fn marker(base: Marker, local: Marker, remote: Marker) -> Option<Marker> {
    value(&base, &local, &remote)
}

fn content(base: &[Node], local: &[Node], remote: &[Node]) -> Option<Vec<Node>> {
    if local == base {
        return Some(remote.to_vec());
    }
    if remote == base || local == remote {
        return Some(local.to_vec());
    }
    if base.len() != local.len() || base.len() != remote.len() {
        return None;
    }
    let versions = base.iter().zip(local.iter().zip(remote));
    versions
        .map(|(b, (l, r))| match (l == b, r == b) {
            (_, true) => Some(l.clone()),
            (true, _) => Some(r.clone()),
            _ if l == r => Some(l.clone()),
            _ => merge(b, l, r),
        })
        .collect()
}

/// Rows of different width are never merged.
fn cells(base: &[Inline], local: &[Inline], remote: &[Inline]) -> Option<Vec<Inline>> {
    if base.len() != local.len() || base.len() != remote.len() {
        return None;
    }
    base.iter().zip(local.iter().zip(remote)).map(|(b, (l, r))| inline(b, l, r)).collect()
}

/// A word, a sign, white space, or something that has no parts, as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Token {
    marks: Marks,
    part: Part,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Word(String),
    Other(String),
    Code(String),
    Break,
    /// By its key; the label of a mention changes by itself.
    Tag(String),
}

/// The tokens of a text, with the runs that they stand for.
fn tokens(text: &Inline) -> (Vec<Token>, Vec<Run>) {
    let (mut tokens, mut runs) = (Vec::new(), Vec::new());
    for run in text.runs() {
        let marks = run.marks.clone();
        let mut push = |part, piece| {
            tokens.push(Token { marks: marks.clone(), part });
            runs.push(Run { piece, marks: marks.clone() });
        };
        match &run.piece {
            Piece::Text(text) => {
                for (word, part) in parts(text) {
                    let piece = Piece::Text(part.to_owned());
                    let part = part.to_owned();
                    push(if word { Part::Word(part) } else { Part::Other(part) }, piece);
                }
            }
            Piece::Code(code) => push(Part::Code(code.clone()), run.piece.clone()),
            Piece::Break => push(Part::Break, Piece::Break),
            Piece::Tag { key, .. } => push(Part::Tag(key.clone()), run.piece.clone()),
        }
    }
    (tokens, runs)
}

/// Words, and every other character alone.
fn parts(text: &str) -> Vec<(bool, &str)> {
    let mut out = Vec::new();
    let mut start = 0;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = chars.peek().map_or(text.len(), |(next, _)| *next);
        let goes_on = chars.peek().is_some_and(|(_, next)| is_word(*next));
        if is_word(c) && goes_on {
            continue;
        }
        let from = if is_word(c) { start } else { at };
        out.push((is_word(c), text.get(from..end).unwrap_or_default()));
        start = end;
    }
    out
}

/// For each token of the base, where it still is in the version.
fn matches(base: &[Token], version: &[Token]) -> Vec<Option<usize>> {
    let mut out = vec![None; base.len()];
    for op in capture_diff_slices(Algorithm::Myers, base, version) {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            for (n, slot) in out.iter_mut().skip(old_index).take(len).enumerate() {
                *slot = Some(new_index + n);
            }
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Local,
    Remote,
}

/// Three-way merge of a text by words.
fn inline(base: &Inline, local: &Inline, remote: &Inline) -> Option<Inline> {
    if local == base || local == remote {
        return Some(remote.clone());
    }
    if remote == base {
        return Some(local.clone());
    }
    let (base, _) = tokens(base);
    let (local, local_runs) = tokens(local);
    let (remote, remote_runs) = tokens(remote);
    let (in_local, in_remote) = (matches(&base, &local), matches(&base, &remote));
    let both =
        |at: usize| in_local.get(at).copied().flatten().zip(in_remote.get(at).copied().flatten());
    let mut out: Vec<Run> = Vec::new();
    let (mut b, mut l, mut r) = (0, 0, 0);
    // The side of the last change, and the words since that both left alone.
    let mut last: Option<(Side, usize)> = None;
    loop {
        let next = (b..base.len()).find_map(|at| both(at).map(|there| (at, there)));
        let (at, (to_l, to_r)) = next.unwrap_or((base.len(), (local.len(), remote.len())));
        let (was, mine, theirs) = (base.get(b..at)?, local.get(l..to_l)?, remote.get(r..to_r)?);
        let change: Option<(Side, Range<usize>)> = match (mine == was, theirs == was) {
            (true, true) => None,
            (false, true) => Some((Side::Local, l..to_l)),
            (true, false) => Some((Side::Remote, r..to_r)),
            _ if mine == theirs => None,
            _ => return None,
        };
        match change {
            None => out.extend(local_runs.get(l..to_l)?.iter().cloned()),
            Some((side, range)) => {
                if last.is_some_and(|(other, words)| other != side && words < APART) {
                    return None;
                }
                last = Some((side, 0));
                let runs = if side == Side::Local { &local_runs } else { &remote_runs };
                out.extend(runs.get(range)?.iter().cloned());
            }
        }
        if next.is_none() {
            return Some(Inline::normal(out));
        }
        if let (Some((_, words)), Some(Token { part: Part::Word(_), .. })) =
            (&mut last, base.get(at))
        {
            *words += 1;
        }
        // A mention's label may be newer in Notion.
        out.push(remote_runs.get(to_r)?.clone());
        (b, l, r) = (at + 1, to_l + 1, to_r + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, local: &str, remote: &str) -> Option<String> {
        inline(&Inline::text(base), &Inline::text(local), &Inline::text(remote))
            .map(|text| text.plain())
    }

    #[test]
    fn words_that_are_apart_merge() {
        let base = "the quick brown fox jumps over the lazy dog";
        let local = "the slow brown fox jumps over the lazy dog";
        let remote = "the quick brown fox jumps over the sleeping dog";
        let both = "the slow brown fox jumps over the sleeping dog";
        assert_eq!(merged(base, local, remote).as_deref(), Some(both));
        assert_eq!(merged(base, remote, local).as_deref(), Some(both));
        // What one side has of the other already is no second edit.
        assert_eq!(merged(base, local, both).as_deref(), Some(both));
        assert_eq!(merged(base, both, both).as_deref(), Some(both));
    }

    #[test]
    fn words_that_are_near_clash() {
        assert_eq!(merged("a red car", "a blue car", "a red bike"), None);
        assert_eq!(merged("on Monday at noon", "on Tuesday at noon", "on Monday at one"), None);
        assert_eq!(merged("one two", "one two three", "one two four"), None);
        assert_eq!(merged("one two", "one", "one zwei"), None);
    }

    #[test]
    fn a_ticked_box_and_its_text_merge() {
        let item = |done, text: &str| Node {
            depth: 0,
            block: Block::Item(Marker::Todo(done), Inline::text(text)),
        };
        let both = merge(&item(false, "ask Ada"), &item(true, "ask Ada"), &item(false, "ask Bob"));
        assert_eq!(both, Some(item(true, "ask Bob")));
    }

    #[test]
    fn rows_merge_by_cells_and_code_never_merges() {
        let row = |cells: &[&str]| Node {
            depth: 0,
            block: Block::Row(cells.iter().map(|cell| Inline::text(cell)).collect()),
        };
        let both = merge(&row(&["a", "b"]), &row(&["x", "b"]), &row(&["a", "y"]));
        assert_eq!(both, Some(row(&["x", "y"])));
        assert_eq!(merge(&row(&["a", "b"]), &row(&["x", "b"]), &row(&["a", "b", "c"])), None);
        let code = |text: &str| Node { depth: 0, block: Block::Code("sh".into(), text.into()) };
        assert_eq!(merge(&code("a\n\n\nb"), &code("x\n\n\nb"), &code("a\n\n\ny")), None);
    }
}
