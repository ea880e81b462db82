//! Text inside a block: runs with marks, in a normal form that both grammars share.

use unicode_normalization::UnicodeNormalization;

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

/// One character or atom while normalising; `marks` is an index.
enum Cell {
    Char(char),
    CodeChar(char),
    Break,
    Tag(String, String),
}

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
    /// NFC; white space runs are one space, none at the edges or beside a hard break; white space carries only
    /// the marks of both its neighbours, since `**a **b` cannot be written; a link whose text is its target is
    /// plain text; a link that Notion refuses is the literal text of its Markdown; equal neighbours are one run.
    pub(super) fn normal(runs: Vec<Run>) -> Self {
        let runs = literal_links(runs);
        let mut table: Vec<Marks> = Vec::with_capacity(runs.len());
        let mut cells: Vec<(Cell, usize)> = Vec::new();
        for Run { piece, marks } in runs {
            let id = table.len();
            table.push(marks);
            match piece {
                Piece::Text(text) => {
                    for c in text.nfc() {
                        let c = if is_space(c) { ' ' } else { c };
                        let after_space =
                            matches!(cells.last(), Some((Cell::Char(' ') | Cell::Break, _)) | None);
                        // Control characters cannot be told from the separators of the canonical form.
                        let dropped = if c == ' ' { after_space } else { c.is_control() };
                        if !dropped {
                            cells.push((Cell::Char(c), id));
                        }
                    }
                }
                Piece::Code(text) => {
                    // A line ending in a code span is a space.
                    for c in text.nfc() {
                        let c = if matches!(c, '\n' | '\r') { ' ' } else { c };
                        cells.push((Cell::CodeChar(c), id));
                    }
                }
                Piece::Break => {
                    trim_space(&mut cells);
                    if !cells.is_empty() {
                        cells.push((Cell::Break, id));
                    }
                }
                Piece::Tag { raw, key } => cells.push((Cell::Tag(raw, key), id)),
            }
        }
        while let Some((Cell::Char(' ') | Cell::Break, _)) = cells.last() {
            cells.pop();
        }
        share_marks(&mut cells, &mut table);
        Self(regroup(cells, &table))
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

fn trim_space(cells: &mut Vec<(Cell, usize)>) {
    while let Some((Cell::Char(' '), _)) = cells.last() {
        cells.pop();
    }
}

/// Gives white space and breaks the marks that both neighbours have.
fn share_marks(cells: &mut [(Cell, usize)], table: &mut Vec<Marks>) {
    let solid = |cell: &Cell| !matches!(cell, Cell::Char(' ') | Cell::Break);
    let mut next: Option<usize> = None;
    let mut following = vec![None; cells.len()];
    for (slot, (cell, id)) in following.iter_mut().zip(cells.iter()).rev() {
        *slot = next;
        if solid(cell) {
            next = Some(*id);
        }
    }
    let mut previous: Option<usize> = None;
    for ((cell, id), next) in cells.iter_mut().zip(following) {
        if solid(cell) {
            previous = Some(*id);
            continue;
        }
        let shared = match (previous.and_then(|n| table.get(n)), next.and_then(|n| table.get(n))) {
            (Some(a), Some(b)) => a.both(b),
            _ => Marks::default(),
        };
        *id = table.len();
        table.push(shared);
    }
}

fn regroup(cells: Vec<(Cell, usize)>, table: &[Marks]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut last_id = usize::MAX;
    for (cell, id) in cells {
        let marks = table.get(id);
        let fits = runs.last().is_some_and(|run| id == last_id || Some(&run.marks) == marks);
        last_id = id;
        match (cell, runs.last_mut()) {
            (Cell::Char(c), Some(Run { piece: Piece::Text(text), .. })) if fits => text.push(c),
            (Cell::CodeChar(c), Some(Run { piece: Piece::Code(text), .. })) if fits => text.push(c),
            (cell, _) => {
                let piece = match cell {
                    Cell::Char(c) => Piece::Text(c.to_string()),
                    Cell::CodeChar(c) => Piece::Code(c.to_string()),
                    Cell::Break => Piece::Break,
                    Cell::Tag(raw, key) => Piece::Tag { raw, key },
                };
                runs.push(Run { piece, marks: marks.cloned().unwrap_or_default() });
            }
        }
    }
    runs
}

/// Resolves links that are plain text in the normal form.
fn literal_links(runs: Vec<Run>) -> Vec<Run> {
    if runs.iter().all(|run| run.marks.link.is_none()) {
        return runs;
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
            let open = group.first().map(unlinked).unwrap_or_default();
            let close = group.last().map(unlinked).unwrap_or_default();
            out.push(Run { piece: Piece::Text("[".to_owned()), marks: open });
            out.extend(
                group.into_iter().map(|run| Run { marks: unlinked(&run), piece: run.piece }),
            );
            out.push(Run { piece: Piece::Text(format!("]({target})")), marks: close });
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
        let bare = !joined
            && (url::canonical(&shown) == url::canonical(&target)
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
    }
}
