//! Tables in tags, which both grammars of Notion have: what stands in them beside the text stays.

use super::inline::Inline;

/// The lines before the first row: the table's own tag, its columns.
pub(super) fn head(source: &str) -> Vec<&str> {
    let lines: Vec<&str> = source.lines().map(|line| line.trim_start_matches('\t')).collect();
    let rows = lines.iter().position(|line| line.trim_start().starts_with("<tr"));
    lines.get(..rows.unwrap_or(lines.len())).unwrap_or_default().to_vec()
}

/// The lines of a row, with the tags of the row in the source.
pub(super) fn row(
    cells: &[Inline],
    source: &str,
    text: impl Fn(&Inline) -> String,
    line: &mut dyn FnMut(&str),
) {
    let tags = tags(source);
    let row = tags.iter().find(|tag| tag.starts_with("<tr")).copied().unwrap_or("<tr>");
    let mut own = tags.iter().filter(|tag| tag.starts_with("<td") || tag.starts_with("<th"));
    line(row);
    for cell in cells {
        let tag = own.next().copied().unwrap_or("<td>");
        let name = tag.get(1..3).unwrap_or("td");
        line(&format!("{tag}{}</{name}>", text(cell)));
    }
    line("</tr>");
}

/// The opening tags of a row and its cells, in order.
fn tags(source: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = source;
    while let Some(tail) = rest.find("<t").and_then(|at| rest.get(at..)) {
        let tag = super::html::Tag::at(tail)
            .filter(|tag| matches!(tag.name, "tr" | "td" | "th"))
            .and_then(|tag| tail.get(..tag.len));
        out.extend(tag);
        rest = tail.get(tag.map_or(2, str::len)..).unwrap_or_default();
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
        row(&cells, source, Inline::plain, &mut |line| lines.push(line.to_owned()));
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
