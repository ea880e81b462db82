//! Tables in tags, which both grammars of Notion have: what stands in them beside the text stays.

use std::ops::Range;

use super::block::Block;
use super::html::Tag;
use super::inline::Inline;

/// A row of a table.
struct Row {
    cells: Vec<Inline>,
    span: Range<usize>,
    /// All cells are `<th>`.
    is_header: bool,
}

/// The blocks of a table with their lines, counted from the one with its tag. Nothing for a table without cells,
/// or with rows that share a line: no row of it could be replaced by itself.
pub(super) fn blocks(
    raw: &str,
    tag: &Tag<'_>,
    parse: fn(&str) -> Inline,
) -> Option<Vec<(Block, Range<usize>)>> {
    let rows = rows(raw, parse);
    let has_header = match tag.attribute("header-row") {
        Some(value) => value == "true",
        None => rows.first().is_some_and(|row| row.is_header),
    };
    let columns = rows.iter().map(|row| row.cells.len()).max().filter(|columns| *columns > 0)?;
    let close = raw.matches('\n').count();
    let mut out = Vec::with_capacity(rows.len() + 1);
    let (mut at, mut line) = (0, 0);
    let mut line_of = |offset: usize| {
        line += raw.get(at..offset).unwrap_or_default().matches('\n').count();
        at = offset;
        line
    };
    let mut header = None;
    let mut head_end = close;
    // Where the lines of the row before end.
    let mut end = 1;
    for (n, mut row) in rows.into_iter().enumerate() {
        let lines = line_of(row.span.start)..line_of(row.span.end) + 1;
        if lines.start < end || lines.end > close {
            return None;
        }
        end = lines.end;
        row.cells.resize(columns, Inline::default());
        if n == 0 && has_header {
            header = Some(row.cells).filter(|cells| cells.iter().any(|cell| !cell.is_empty()));
            head_end = lines.end;
        } else {
            head_end = head_end.min(lines.start);
            out.push((Block::Row(row.cells), lines));
        }
    }
    out.insert(0, (Block::Table(header, columns), 0..head_end));
    out.push((Block::TableEnd, close..close + 1));
    Some(out)
}

fn rows(raw: &str, parse: fn(&str) -> Inline) -> Vec<Row> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(start) = raw.get(at..).and_then(|rest| rest.find("<tr")).map(|n| at + n) {
        let len = raw.get(start..).and_then(|rest| rest.find("</tr>")).map(|n| n + "</tr>".len());
        let Some(end) = len.map(|len| start + len) else { break };
        let row = raw.get(start..end).unwrap_or_default();
        out.push(Row {
            cells: cells(row, parse),
            span: start..end,
            is_header: row.contains("<th") && !row.contains("<td"),
        });
        at = end;
    }
    out
}

fn cells(row: &str, parse: fn(&str) -> Inline) -> Vec<Inline> {
    let mut out = Vec::new();
    let mut rest = row;
    while let Some(tail) = rest.find("<t").and_then(|at| rest.get(at..)) {
        let Some(tag) = Tag::at(tail).filter(|tag| matches!(tag.name, "td" | "th")) else {
            rest = tail.get(2..).unwrap_or_default();
            continue;
        };
        let closing = format!("</{}>", tag.name);
        let Some(end) = tail.find(&closing) else { break };
        out.push(parse(tail.get(tag.len..end).unwrap_or_default().trim()));
        rest = tail.get(end + closing.len()..).unwrap_or_default();
    }
    out
}

/// The lines before the first row: the table's own tag, its columns.
pub(super) fn head(source: &str) -> Vec<&str> {
    let lines: Vec<&str> = source.lines().map(|line| line.trim_start_matches('\t')).collect();
    let rows = lines.iter().position(|line| line.trim_start().starts_with("<tr"));
    lines.get(..rows.unwrap_or(lines.len())).unwrap_or_default().to_vec()
}

/// The lines of a row, with the tags of the row in the source. `text` writes a cell, given the source of the old one.
pub(super) fn row(
    cells: &[Inline],
    source: &str,
    text: impl Fn(&Inline, &str) -> String,
    line: &mut dyn FnMut(&str),
) {
    let tags = tags(source);
    let row = tags.iter().find(|(tag, _)| tag.starts_with("<tr")).map_or("<tr>", |(tag, _)| tag);
    let mut own = tags.iter().filter(|(tag, _)| !tag.starts_with("<tr"));
    line(row);
    for cell in cells {
        let (tag, tail) = own.next().copied().unwrap_or(("<td>", ""));
        let name = tag.get(1..3).unwrap_or("td");
        let old = tail.split(&format!("</{name}>")).next().unwrap_or_default();
        line(&format!("{tag}{}</{name}>", text(cell, old)));
    }
    line("</tr>");
}

/// The opening tags of a row and its cells, in order, each with all that follows it.
fn tags(source: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut rest = source;
    while let Some(tail) = rest.find("<t").and_then(|at| rest.get(at..)) {
        let tag = Tag::at(tail)
            .filter(|tag| matches!(tag.name, "tr" | "td" | "th"))
            .and_then(|tag| tail.get(..tag.len));
        rest = tail.get(tag.map_or(2, str::len)..).unwrap_or_default();
        out.extend(tag.map(|tag| (tag, rest)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_rows_and_cells_stay() {
        let source = "<tr color=\"red\">\n<td color=\"blue\">a</td>\n<th>b</th>\n</tr>";
        let mut lines = Vec::new();
        let cells = ["x", "y", "z"].map(Inline::text);
        row(&cells, source, |cell, _| cell.plain(), &mut |line| lines.push(line.to_owned()));
        assert_eq!(
            lines,
            [
                "<tr color=\"red\">",
                "<td color=\"blue\">x</td>",
                "<th>y</th>",
                "<td>z</td>",
                "</tr>"
            ]
        );
    }
}
