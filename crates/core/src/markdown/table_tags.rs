//! Tables in tags, which both grammars of Notion have: what stands in them beside the text stays.

use super::inline::Inline;

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
        let tag = super::html::Tag::at(tail)
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
