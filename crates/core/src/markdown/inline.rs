//! Text inside a block: runs with marks, in a normal form that both grammars share.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::url;

/// What applies to a run of text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Marks {
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) strike: bool,
    pub(super) underline: bool,
    /// Notion colour name.
    pub(super) color: Option<String>,
    /// Target.
    pub(super) link: Option<String>,
}

impl Marks {
    /// What both have.
    fn both(&self, other: &Self) -> Self {
        let same = |a: &Option<String>, b: &Option<String>| if a == b { a.clone() } else { None };
        Self {
            bold: self.bold && other.bold,
            italic: self.italic && other.italic,
            strike: self.strike && other.strike,
            underline: self.underline && other.underline,
            color: same(&self.color, &other.color),
            link: same(&self.link, &other.link),
        }
    }
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Words.
    Text(String),
    /// Literal code.
    Code(String),
    /// Hard line break.
    Break,
    /// A mention: `raw` is the tag with its label as read, `key` the tag without what may change by itself.
    Tag { raw: String, key: String },
}

/// A piece with its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) piece: Piece,
    pub(super) marks: Marks,
}

/// Normalised text of a block. Equal exactly when it means the same on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inline(Vec<Run>);

/// A part of a text while normalising. `Text` neither begins nor ends with white space.
enum Part {
    Text(String),
    Space,
    Code(String),
    Break,
    Tag(String, String),
}

/// A part with its marks; those of white space and breaks follow from their neighbours.
type Marked = (Part, Marks);

impl Inline {
    pub(super) fn runs(&self) -> &[Run] {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Text without marks, as a person reads it.
    pub(super) fn plain(&self) -> String {
        let mut out = String::new();
        for run in &self.0 {
            match &run.piece {
                Piece::Text(text) | Piece::Code(text) => out.push_str(text),
                Piece::Break => out.push('\n'),
                Piece::Tag { raw, .. } => out.push_str(raw),
            }
        }
        out
    }

    /// Appends the canonical form.
    pub(super) fn write_key(&self, out: &mut String) {
        for run in &self.0 {
            let Marks { bold, italic, strike, underline, color, link } = &run.marks;
            out.push('\u{1}');
            for (set, flag) in [(bold, 'b'), (italic, 'i'), (strike, 's'), (underline, 'u')] {
                if *set {
                    out.push(flag);
                }
            }
            if let Some(color) = color {
                out.push('#');
                out.push_str(color);
            }
            if let Some(link) = link {
                out.push('@');
                out.push_str(&url::canonical(link));
            }
            match &run.piece {
                Piece::Text(text) => {
                    out.push('\u{2}');
                    out.push_str(text);
                }
                Piece::Code(text) => {
                    out.push('\u{3}');
                    out.push_str(text);
                }
                Piece::Break => out.push('\u{4}'),
                Piece::Tag { key, .. } => {
                    out.push('\u{5}');
                    out.push_str(key);
                }
            }
        }
    }

    /// Normal form of runs as a parser found them.
    ///
    /// NFC; white space runs are one space, none at the edges or beside a hard break; white space of any other kind
    /// stays, but at the edges, where a backend may take it away with the rest; white space carries only the marks of
    /// both its neighbours, since `**a **b` cannot be written; a link whose text is its target is plain text; a link
    /// that Notion refuses is the literal text of its Markdown; equal neighbours are one run.
    pub(super) fn normal(runs: Vec<Run>) -> Self {
        // Most texts are in normal form already.
        if let [Run { piece: Piece::Text(text), marks }] = runs.as_slice()
            && marks.link.is_none()
            && is_settled(text)
        {
            return Self(runs);
        }
        let runs = literal_links(without_edges(runs));
        let mut parts: Vec<Marked> = Vec::with_capacity(runs.len());
        for Run { piece, marks } in runs {
            match piece {
                Piece::Text(text) => push_text(text, marks, &mut parts),
                Piece::Code(text) if text.is_empty() => {}
                Piece::Code(text) => {
                    let mut text = composed(text);
                    // A line ending in a code span is a space.
                    if text.contains(['\n', '\r']) {
                        text = text.replace(['\n', '\r'], " ");
                    }
                    parts.push((Part::Code(text), marks));
                }
                Piece::Break => {
                    if let Some((Part::Space, _)) = parts.last() {
                        parts.pop();
                    }
                    if !parts.is_empty() {
                        parts.push((Part::Break, Marks::default()));
                    }
                }
                Piece::Tag { raw, key } => parts.push((Part::Tag(raw, key), marks)),
            }
        }
        while let Some((Part::Space | Part::Break, _)) = parts.last() {
            parts.pop();
        }
        share_marks(&mut parts);
        Self(regroup(parts))
    }

    /// Text without any marks.
    pub(super) fn text(text: &str) -> Self {
        Self::normal(vec![Run { piece: Piece::Text(text.to_owned()), marks: Marks::default() }])
    }

    /// Lower-case words, to compare by content where form may differ.
    pub(super) fn words(&self, out: &mut Vec<String>) {
        words_of(&self.plain(), out);
    }
}

/// Lower-case runs of letters and digits.
pub(super) fn words_of(text: &str, out: &mut Vec<String>) {
    out.extend(
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase),
    );
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// The text in NFC.
pub(super) fn composed(text: String) -> String {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text
    } else {
        text.nfc().collect()
    }
}

/// Without white space and breaks before and behind everything else.
fn without_edges(mut runs: Vec<Run>) -> Vec<Run> {
    loop {
        match runs.last_mut().map(|run| &mut run.piece) {
            Some(Piece::Text(text)) => {
                text.truncate(text.trim_end().len());
                if !text.is_empty() {
                    break;
                }
            }
            Some(Piece::Break) => {}
            _ => break,
        }
        runs.pop();
    }
    let mut empty = 0;
    for run in &mut runs {
        match &mut run.piece {
            Piece::Text(text) => {
                text.drain(..text.len() - text.trim_start().len());
                if !text.is_empty() {
                    break;
                }
            }
            Piece::Break => {}
            _ => break,
        }
        empty += 1;
    }
    runs.drain(..empty);
    runs
}

fn push_text(text: String, marks: Marks, parts: &mut Vec<Marked>) {
    let settled = is_settled(text.trim_matches(is_space));
    let text = if settled { text } else { composed(printable(text)) };
    let words = text.trim_matches(is_space);
    if text.starts_with(is_space) {
        push_space(parts);
    }
    if words.is_empty() {
        return;
    }
    let spaced = text.ends_with(is_space);
    let words = if settled {
        words.to_owned()
    } else {
        let words: Vec<&str> = words.split(is_space).filter(|word| !word.is_empty()).collect();
        words.join(" ")
    };
    parts.push((Part::Text(words), marks));
    if spaced {
        push_space(parts);
    }
}

/// Without control characters, which cannot be told from the separators of the canonical form.
fn printable(text: String) -> String {
    let hidden = |c: char| c.is_control() && !is_space(c);
    if text.contains(hidden) { text.replace(hidden, "") } else { text }
}

/// Whether this text is in normal form already; may miss some that are.
fn is_settled(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Folds without a way out are compiled to vector instructions.
    let printable = || bytes.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    let doubled = || {
        let next = bytes.iter().skip(1);
        bytes.iter().zip(next).fold(false, |any, (a, b)| any | ((*a == b' ') & (*b == b' ')))
    };
    let edge = |byte: Option<&u8>| byte.is_none_or(|byte| *byte == b' ');
    !edge(bytes.first()) && !edge(bytes.last()) && printable() && !doubled()
}

fn push_space(parts: &mut Vec<Marked>) {
    if !matches!(parts.last(), Some((Part::Space | Part::Break, _)) | None) {
        parts.push((Part::Space, Marks::default()));
    }
}

/// Gives white space and breaks the marks that both neighbours have.
fn share_marks(parts: &mut [Marked]) {
    let solid = |(part, _): &Marked| !matches!(part, Part::Space | Part::Break);
    let next = |parts: &[Marked], from: usize, wanted: bool| {
        let rest = parts.get(from..).unwrap_or_default();
        from + rest.iter().position(|part| solid(part) == wanted).unwrap_or(rest.len())
    };
    let mut end = 0;
    loop {
        let start = next(parts, end, false);
        end = next(parts, start, true);
        let around = (start.checked_sub(1).and_then(|n| parts.get(n)), parts.get(end));
        let shared = match around {
            (Some((_, a)), Some((_, b))) => a.both(b),
            _ => Marks::default(),
        };
        let Some(between) = parts.get_mut(start..end).filter(|parts| !parts.is_empty()) else {
            return;
        };
        between.iter_mut().for_each(|(_, marks)| marks.clone_from(&shared));
    }
}

fn regroup(parts: Vec<Marked>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::with_capacity(parts.len().min(8));
    for (part, marks) in parts {
        let last = runs.last_mut().filter(|run| run.marks == marks).map(|run| &mut run.piece);
        let piece = match (part, last) {
            (Part::Text(more), Some(Piece::Text(text))) => {
                join(text, &more);
                continue;
            }
            (Part::Space, Some(Piece::Text(text))) => {
                text.push(' ');
                continue;
            }
            (Part::Code(more), Some(Piece::Code(text))) => {
                join(text, &more);
                continue;
            }
            (Part::Text(text), _) => Piece::Text(text),
            (Part::Space, _) => Piece::Text(" ".to_owned()),
            (Part::Code(text), _) => Piece::Code(text),
            (Part::Break, _) => Piece::Break,
            (Part::Tag(raw, key), _) => Piece::Tag { raw, key },
        };
        runs.push(Run { piece, marks });
    }
    runs
}

/// Appends to a text in NFC, so that it stays so.
fn join(text: &mut String, more: &str) {
    let seam = text.chars().next_back().into_iter().chain(more.chars().next());
    let composes = !more.is_ascii() && is_nfc_quick(seam) != IsNormalized::Yes;
    text.push_str(more);
    if composes {
        *text = composed(std::mem::take(text));
    }
}

/// Resolves links that are plain text in the normal form.
fn literal_links(mut runs: Vec<Run>) -> Vec<Run> {
    if runs.iter().all(|run| run.marks.link.is_none()) {
        return runs;
    }
    for link in runs.iter_mut().filter_map(|run| run.marks.link.as_mut()) {
        if let Some(settled) = url::settled(link) {
            *link = settled;
        }
    }
    let mut out = Vec::with_capacity(runs.len());
    let mut rest = runs.into_iter().peekable();
    while let Some(first) = rest.next() {
        let Some(target) = first.marks.link.clone() else {
            out.push(first);
            continue;
        };
        let mut group = vec![first];
        while let Some(run) = rest.next_if(|run| run.marks.link.as_ref() == Some(&target)) {
            group.push(run);
        }
        if !url::is_sendable(&target) {
            let unlinked = |run: &Run| Marks { link: None, ..run.marks.clone() };
            // Marks of a part of its text stay inside of the brackets.
            let around = group
                .iter()
                .map(unlinked)
                .reduce(|around, marks| around.both(&marks))
                .unwrap_or_default();
            out.push(Run { piece: Piece::Text("[".to_owned()), marks: around.clone() });
            out.extend(
                group.into_iter().map(|run| Run { marks: unlinked(&run), piece: run.piece }),
            );
            out.push(Run { piece: Piece::Text(format!("]({target})")), marks: around });
            continue;
        }
        let shown: String = group
            .iter()
            .map(|run| match &run.piece {
                Piece::Text(text) => text.as_str(),
                _ => "\u{0}",
            })
            .collect();
        // An address right behind a word would not be seen as one.
        let joined = out.last().is_some_and(|run: &Run| match &run.piece {
            Piece::Text(text) => text.ends_with(char::is_alphanumeric),
            _ => false,
        });
        // Whatever is done to a target, its scheme stays.
        let bare = !joined
            && (shown.get(..4) == target.get(..4)
                && url::canonical(&shown) == url::canonical(&target)
                || target.strip_prefix("mailto:").is_some_and(|address| address == shown));
        for mut run in group {
            if bare {
                run.marks.link = None;
            }
            out.push(run);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, marks: Marks) -> Run {
        Run { piece: Piece::Text(text.to_owned()), marks }
    }

    #[test]
    fn white_space_at_the_edge_of_a_mark_does_not_count() {
        let bold = Marks { bold: true, ..Marks::default() };
        let inside = Inline::normal(vec![text("a ", bold.clone()), text("b", Marks::default())]);
        let outside = Inline::normal(vec![text("a", bold), text("  b ", Marks::default())]);
        assert_eq!(inside, outside);
    }

    #[test]
    fn a_refused_link_is_its_literal_text() {
        let link = Marks { link: Some("../a.md".into()), ..Marks::default() };
        assert_eq!(Inline::normal(vec![text("t", link)]), Inline::text("[t](../a.md)"));
    }

    #[test]
    fn composed_and_decomposed_letters_are_equal() {
        assert_eq!(Inline::text("e\u{301}"), Inline::text("\u{e9}"));
        assert_eq!(Inline::text("e\0\u{301}"), Inline::text("\u{e9}"));
        let parts = ["e", "\u{301}"].map(|part| text(part, Marks::default()));
        assert_eq!(Inline::normal(parts.to_vec()), Inline::text("\u{e9}"));
    }
}
