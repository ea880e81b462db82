//! Tables: the tag form, and pipe tables, which are taken and read back in the tag form (notion-api.md 5.2).

use crate::block::Kind;
use crate::error::{ApiError, ApiResult};
use crate::markdown::parse::{Node, Parsed};
use crate::markdown::tag::{self, Tag};
use crate::rich::RichText;

struct Row {
    cells: Vec<RichText>,
    lines: Vec<usize>,
}

/// Whether a line is the second one of a pipe table, `| --- | :-: |`.
pub(crate) fn is_delimiter(line: &str) -> bool {
    line.contains('-')
        && line.starts_with('|')
        && line.trim_matches('|').split('|').all(|cell| {
            let cell = cell.trim();
            let dashes = cell.trim_start_matches(':').trim_end_matches(':');
            !dashes.is_empty() && dashes.chars().all(|c| c == '-')
        })
}

/// How a cell is read.
pub(crate) type Inline = fn(&str) -> ApiResult<RichText>;

/// A pipe table: numbered lines, of which the second is the delimiter.
pub(crate) fn from_pipes(lines: &[(usize, &str)], read: Inline) -> ApiResult<Parsed> {
    let mut rows = Vec::new();
    let mut own = Vec::new();
    for (n, (number, line)) in lines.iter().enumerate() {
        if n == 1 {
            own.push(*number);
            continue;
        }
        let cells =
            pipe_cells(line.trim()).iter().map(|cell| read(cell)).collect::<ApiResult<Vec<_>>>()?;
        rows.push(Row { cells, lines: vec![*number] });
    }
    Ok(assemble(rows, own, true, false, false))
}

/// Splits a row at bars that are not escaped.
fn pipe_cells(line: &str) -> Vec<String> {
    let inside = line.strip_prefix('|').unwrap_or(line);
    let mut cells = vec![String::new()];
    let mut chars = inside.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                push(&mut cells, '|');
            }
            '|' if chars.peek().is_none() => {}
            '|' => cells.push(String::new()),
            _ => push(&mut cells, c),
        }
    }
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

fn push(cells: &mut [String], c: char) {
    if let Some(last) = cells.last_mut() {
        last.push(c);
    }
}

/// A table from its tag to `</table>`, as numbered lines.
pub(crate) fn from_tags(
    lines: &[(usize, &str)],
    table: &Tag<'_>,
    read: Inline,
) -> ApiResult<Parsed> {
    let mut rows: Vec<Row> = Vec::new();
    let mut heads: Vec<Vec<bool>> = Vec::new();
    let mut own: Vec<usize> = lines.first().iter().map(|(number, _)| *number).collect();
    let mut inside = false;
    for (number, line) in lines.iter().take(lines.len().saturating_sub(1)).skip(1) {
        let number = *number;
        let mut rest = line.trim();
        if rest.is_empty() {
            continue;
        }
        let mut of_row = inside;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("</tr>") {
                inside = false;
                rest = after.trim_start();
            } else if let Some(after) =
                rest.strip_prefix("</colgroup>").or_else(|| rest.strip_prefix("</col>"))
            {
                rest = after.trim_start();
            } else if let Some((tag, after)) = tag::read(rest) {
                match tag.name {
                    "tr" => {
                        rows.push(Row { cells: Vec::new(), lines: Vec::new() });
                        heads.push(Vec::new());
                        (inside, of_row) = (true, true);
                        rest = after.trim_start();
                    }
                    "td" | "th" => {
                        let closing = format!("</{}>", tag.name);
                        let (Some((cell, after)), Some(row)) =
                            (after.split_once(&closing), rows.last_mut())
                        else {
                            return Err(malformed(rest));
                        };
                        row.cells.push(read(cell.trim())?);
                        if let Some(heads) = heads.last_mut() {
                            heads.push(tag.name == "th");
                        }
                        rest = after.trim_start();
                    }
                    "colgroup" | "col" => rest = after.trim_start(),
                    _ => return Err(malformed(rest)),
                }
            } else {
                return Err(malformed(rest));
            }
        }
        match rows.last_mut().filter(|_| of_row) {
            Some(row) => row.lines.push(number),
            None => own.push(number),
        }
    }
    own.extend(lines.last().filter(|_| lines.len() > 1).map(|(number, _)| *number));
    let head_row = heads.first().is_some_and(|row| row.len() > 1 && row.iter().all(|head| *head));
    let head_column =
        heads.len() > 1 && heads.iter().all(|row| row.first().is_some_and(|head| *head));
    Ok(assemble(
        rows,
        own,
        table.is_true("header-row") || head_row,
        table.is_true("header-column") || head_column,
        table.is_true("fit-page-width"),
    ))
}

fn malformed(text: &str) -> ApiError {
    let text: String = text.chars().take(60).collect();
    ApiError::invalid(format!("Invalid markdown: unexpected content in a table at \"{text}\"."))
}

/// Rows are filled up to the widest one.
fn assemble(
    rows: Vec<Row>,
    lines: Vec<usize>,
    header_row: bool,
    header_column: bool,
    fit_width: bool,
) -> Parsed {
    let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0).max(1);
    let children = rows
        .into_iter()
        .map(|mut row| {
            row.cells.resize(width, RichText::new());
            Parsed {
                node: Node::Block(Kind::TableRow { cells: row.cells }),
                children: Vec::new(),
                lines: row.lines,
            }
        })
        .collect();
    let kind = Kind::Table { width, header_row, header_column, fit_width };
    Parsed { node: Node::Block(kind), children, lines }
}
