//! Writes blocks in Notion's v1 grammar.

use super::block::{Block, Marker, Node, RemoteUnit};
use super::inline::Inline;
use super::{table_tags, v1_inline, v1_parse};

/// A whole body.
pub(super) fn render(nodes: &[Node]) -> String {
    let mut out = String::new();
    for node in nodes {
        unit(node, node.depth, None, &mut out);
    }
    if out.ends_with('\n') {
        out.pop();
    }
    out
}

/// The lines of one unit, each with its ending, at this many tabs. `like` is the unit that it replaces: what only
/// Notion has there (colours, icons, table attributes) stays.
pub(super) fn unit(
    node: &Node,
    indent: usize,
    like: Option<(&RemoteUnit, &str)>,
    out: &mut String,
) {
    let tabs = "\t".repeat(indent);
    let attributes = like.map_or("", |(unit, _)| unit.attributes.as_str());
    let opening = |tag: &str| {
        let first =
            like.and_then(|(_, source)| source.trim_start().lines().next()).unwrap_or_default();
        first.starts_with(tag).then(|| first.trim_end().to_owned())
    };
    let inline = |text: &Inline| match like {
        Some((_, source)) => v1_inline::render_over(text, source),
        None => v1_inline::render(text),
    };
    let mut line = |text: &str| {
        out.push_str(&tabs);
        out.push_str(text);
        out.push('\n');
    };
    match &node.block {
        Block::Paragraph(text) => {
            line(&format!("{}{attributes}", guard(&inline(text))));
        }
        Block::Heading(level, text) => {
            let hashes = "#".repeat(usize::from(*level));
            line(&format!("{hashes} {}{attributes}", inline(text)));
        }
        Block::Item(marker, text) => {
            let marker = match marker {
                Marker::Bullet => "-",
                Marker::Number => "1.",
                Marker::Todo(false) => "- [ ]",
                Marker::Todo(true) => "- [x]",
            };
            line(&format!("{marker} {}{attributes}", inline(text)));
        }
        Block::Quote(content) => {
            let (first, rest) = match content.split_first() {
                Some((Node { block: Block::Paragraph(text), .. }, rest)) => {
                    (v1_inline::render(text), rest)
                }
                _ => (String::new(), content.as_slice()),
            };
            line(&format!("> {first}{attributes}"));
            children(rest, indent + 1, out);
        }
        Block::Callout(alert, content) => {
            line(&opening("<callout").unwrap_or_else(|| {
                format!("<callout icon=\"{}\" color=\"{}\">", alert.icon(), alert.color())
            }));
            children(content, indent + 1, out);
            out.push_str(&tabs);
            out.push_str("</callout>\n");
        }
        Block::Toggle(title, content) => {
            line(&opening("<details").unwrap_or_else(|| "<details>".to_owned()));
            line(&format!("<summary>{}</summary>", v1_inline::render(title)));
            children(content, indent + 1, out);
            out.push_str(&tabs);
            out.push_str("</details>\n");
        }
        Block::Code(language, text) => {
            let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
            let fence = "`".repeat((longest + 1).max(3));
            line(&format!("{fence}{language}"));
            if !text.is_empty() {
                text.split('\n').for_each(&mut line);
            }
            line(&fence);
        }
        Block::Equation(text) => {
            line("$$");
            text.lines().for_each(&mut line);
            line("$$");
        }
        Block::Table(header, _) => {
            table(header.as_deref(), like.map(|(_, source)| source), &mut line)
        }
        Block::Row(cells) => {
            let source = like.map_or("", |(_, source)| source);
            table_tags::row(cells, source, v1_inline::render_over, &mut line);
        }
        Block::TableEnd => line("</table>"),
        Block::Divider => line("---"),
        Block::Image(caption, target) => {
            line(&format!(
                "![{}]({}){attributes}",
                v1_inline::render(caption),
                v1_inline::link_target(target)
            ));
        }
        // What only Notion has cannot be made; it is never replaced either.
        Block::Opaque(..) => {}
        Block::Empty => line("<empty-block/>"),
    }
}

fn children(nodes: &[Node], indent: usize, out: &mut String) {
    for node in nodes {
        unit(node, indent + node.depth, None, out);
    }
}

fn table(header: Option<&[Inline]>, like: Option<&str>, line: &mut impl FnMut(&str)) {
    let kept = table_tags::head(like.unwrap_or_default());
    if kept.is_empty() {
        line(if header.is_some() { "<table header-row=\"true\">" } else { "<table>" });
    }
    kept.into_iter().for_each(&mut *line);
    if let Some(cells) = header {
        table_tags::row(cells, like.unwrap_or_default(), v1_inline::render_over, line);
    }
}

/// Escapes a text that would be read as another block.
fn guard(text: &str) -> String {
    let is_text = matches!(
        v1_parse::parse(text).as_slice(),
        [RemoteUnit { node: Node { block: Block::Paragraph(_), .. }, .. }]
    );
    if is_text {
        return text.to_owned();
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (before, after) = text.split_at(digits);
    if after.starts_with('\\') || (digits > 0 && !after.starts_with(['.', ')'])) {
        return text.to_owned();
    }
    format!("{before}\\{after}")
}
