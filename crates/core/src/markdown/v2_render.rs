//! Writes blocks in Notion's v2 grammar.

use super::block::{Block, Marker, Node, RemoteUnit};
use super::dialect::Form;
use super::html::Tag;
use super::inline::{Inline, Piece};
use super::v1_inline::link_target;
use super::v2_inline::{self, Place};
use super::v2_line as syntax;
use super::v2_parse::TAB;
use super::{keep, table_tags, url};

/// A whole body.
pub(super) fn render(nodes: &[Node]) -> String {
    let mut out = String::new();
    write(nodes, 0, &mut out);
    if out.ends_with('\n') {
        out.pop();
    }
    out
}

fn write(nodes: &[Node], indent: usize, out: &mut String) {
    let mut before: Option<&Node> = None;
    let mut form = Form::default();
    for node in nodes {
        if let Block::Table(header, _) = &node.block {
            form.table_tags = header.is_none();
        }
        let mut text = String::new();
        unit(node, indent + node.depth * TAB, None, form, &mut text);
        if text.is_empty() {
            continue;
        }
        if let Some(before) = before
            && separator(before, node) == "\n\n"
        {
            out.push('\n');
        }
        out.push_str(&text);
        before = Some(node);
    }
}

/// The least that stands between two blocks.
pub(super) fn separator(before: &Node, after: &Node) -> &'static str {
    let in_table = matches!(before.block, Block::Table(..) | Block::Row(_));
    match &after.block {
        Block::Row(_) | Block::TableEnd if in_table => "\n",
        Block::Item(..) if matches!(before.block, Block::Item(..)) => "\n",
        // Closing tags; an empty paragraph between others has its blank lines already.
        Block::Empty => "\n",
        _ => "\n\n",
    }
}

/// The lines of one unit, each with its ending, at this column. `like` is the unit that it replaces: its tag with
/// attributes, comment anchors and equations stay.
pub(super) fn unit(
    node: &Node,
    indent: usize,
    like: Option<(&RemoteUnit, &str)>,
    form: Form,
    out: &mut String,
) {
    let margin = margin(indent);
    let attributes = like.map_or("", |(unit, _)| unit.attributes.as_str());
    let source = like.map_or("", |(_, source)| source);
    let flow = |text: &Inline| kept(v2_inline::render(text, Place::Flow), source);
    let mut line = |text: &str| {
        if !text.is_empty() {
            out.push_str(&margin);
            out.push_str(text);
        }
        out.push('\n');
    };
    match &node.block {
        Block::Paragraph(text) => {
            let text = guard(&flow(text));
            tagged_or(attributes, source, &text, &mut line, |line| each(&text, line));
        }
        Block::Heading(level, text) => {
            let broken = text.runs().iter().any(|run| run.piece == Piece::Break);
            let plain = flow(text);
            let guarded = guard(&plain);
            if attributes.is_empty() && broken {
                // A heading of one line has no hard breaks.
                tagged(&format!("<h{level}>"), true, &guarded, &mut line);
            } else {
                tagged_or(attributes, source, &guarded, &mut line, |line| {
                    let hashes = "#".repeat(usize::from(*level));
                    // A closing run of `#` would be taken away.
                    let plain = match plain.strip_suffix('#') {
                        Some(rest) => format!("{rest}\\#"),
                        None => plain.clone(),
                    };
                    line(format!("{hashes} {plain}").trim_end());
                });
            }
        }
        Block::Item(marker, text) => {
            let text = guard(&flow(text));
            if attributes.is_empty() && form.list_tags && !matches!(marker, Marker::Todo(_)) {
                return tagged("<li>", true, &text, &mut line);
            }
            let attributes = with_check(attributes, *marker);
            tagged_or(&attributes, source, &text, &mut line, |line| {
                item(*marker, &text, line);
            });
        }
        Block::Quote(content) => {
            let only_text = matches!(content.as_slice(), [Node { block: Block::Paragraph(_), .. }]);
            if attributes.is_empty() && (only_text || content.is_empty()) {
                let text = content.first().map_or_else(String::new, |node| match &node.block {
                    Block::Paragraph(text) => guard(&flow(text)),
                    _ => String::new(),
                });
                text.split('\n').for_each(|text| line(format!("> {text}").trim_end()));
            } else {
                container(open(attributes, "<quote>"), None, content, indent, &margin, out);
            }
        }
        Block::Callout(alert, content) => {
            let new = format!("<callout icon=\"{}\" color=\"{}\">", alert.icon(), alert.color());
            container(open(attributes, &new), None, content, indent, &margin, out);
        }
        Block::Toggle(title, content) => {
            let title = self::title(title, source);
            container(open(attributes, "<toggle>"), Some(title), content, indent, &margin, out);
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
        Block::Equation(text) if attributes.is_empty() => {
            line("$$");
            text.lines().for_each(&mut line);
            line("$$");
        }
        Block::Equation(text) => tagged(attributes, true, text, &mut line),
        Block::Table(header, columns) => {
            table(header.as_deref(), *columns, source, form, &mut line);
        }
        Block::Row(cells) => row(cells, source, form, &mut line),
        Block::TableEnd if form.table_tags => line("</table>"),
        Block::TableEnd => {}
        Block::Divider => line("---"),
        Block::Image(caption, target) => {
            let caption = v2_inline::render(caption, Place::TagCell);
            match with_source(attributes, target) {
                Some(tag) => tagged(&tag, source.contains('\n'), &caption, &mut line),
                None => {
                    let target = url::without_entities(&link_target(target));
                    line(&format!("![{caption}]({target})"));
                }
            }
        }
        // What only Notion has cannot be made; it is never replaced either.
        Block::Opaque(..) => {}
        Block::Empty => line("<p />"),
    }
}

fn kept(written: String, source: &str) -> String {
    keep::over(written, source, v2_inline::parse, v2_inline::escaped)
}

/// The lines of a toggle's title that takes the place of `source`.
pub(super) fn title(text: &Inline, source: &str) -> String {
    guard(&kept(v2_inline::render(text, Place::Flow), source))
}

pub(super) fn margin(indent: usize) -> String {
    format!("{}{}", "\t".repeat(indent / TAB), " ".repeat(indent % TAB))
}

fn open<'s>(attributes: &'s str, new: &'s str) -> &'s str {
    if attributes.is_empty() { new } else { attributes }
}

fn each(text: &str, line: &mut dyn FnMut(&str)) {
    text.split('\n').for_each(line);
}

fn item(marker: Marker, text: &str, line: &mut dyn FnMut(&str)) {
    let marker = match marker {
        Marker::Bullet => "-",
        Marker::Number => "1.",
        Marker::Todo(false) => "- [ ]",
        Marker::Todo(true) => "- [x]",
    };
    for (n, text) in text.split('\n').enumerate() {
        if n == 0 {
            line(format!("{marker} {text}").trim_end());
        } else {
            line(&format!("\t{text}"));
        }
    }
}

/// The block in its tag, where it has one: with its end, unless children follow.
fn tagged_or(
    attributes: &str,
    source: &str,
    text: &str,
    line: &mut dyn FnMut(&str),
    plain: impl FnOnce(&mut dyn FnMut(&str)),
) {
    let Some(tag) = Tag::at(attributes) else { return plain(line) };
    let source = source.trim();
    if !syntax::closes_itself(source, tag.name) {
        line(attributes);
        return each(text, line);
    }
    tagged(attributes, source.contains('\n'), text, line);
}

fn tagged(tag: &str, on_lines: bool, text: &str, line: &mut dyn FnMut(&str)) {
    let name = Tag::at(tag).map_or("p", |tag| tag.name);
    if on_lines || text.contains('\n') {
        line(tag);
        each(text, line);
        line(&format!("</{name}>"));
    } else {
        line(&format!("{tag}{text}</{name}>"));
    }
}

fn with_check(attributes: &str, marker: Marker) -> String {
    match marker {
        Marker::Todo(true) => attributes.replace("checked=\"false\"", "checked=\"true\""),
        Marker::Todo(false) => attributes.replace("checked=\"true\"", "checked=\"false\""),
        _ => attributes.to_owned(),
    }
}

fn with_source(attributes: &str, target: &str) -> Option<String> {
    let old = Tag::at(attributes)?.attribute("source")?;
    Some(attributes.replacen(
        &format!("source=\"{old}\""),
        &format!("source=\"{}\"", link_target(target).replace('"', "%22")),
        1,
    ))
}

/// A block that holds its children: its title at once, the children after a blank line.
fn container(
    tag: &str,
    title: Option<String>,
    content: &[Node],
    indent: usize,
    margin: &str,
    out: &mut String,
) {
    let name = Tag::at(tag).map_or("quote", |tag| tag.name);
    out.push_str(margin);
    out.push_str(tag);
    out.push('\n');
    if let Some(title) = title {
        for text in title.split('\n').filter(|text| !text.is_empty()) {
            out.push_str(margin);
            out.push_str(text);
            out.push('\n');
        }
        if content.iter().any(Node::counts) {
            out.push('\n');
        }
    }
    write(content, indent, out);
    out.push_str(margin);
    out.push_str(&format!("</{name}>\n"));
}

fn table(
    header: Option<&[Inline]>,
    columns: usize,
    source: &str,
    form: Form,
    line: &mut dyn FnMut(&str),
) {
    if !form.table_tags {
        let cells = header.map_or_else(|| vec![Inline::default(); columns], <[_]>::to_vec);
        pipes(&cells, source, line);
        let delimiter = source.lines().nth(1).map(str::trim).filter(|delimiter| {
            syntax::delimiter_columns(delimiter).is_some_and(|n| n == cells.len())
        });
        match delimiter {
            Some(delimiter) => line(delimiter),
            None => line(&format!("|{}", " --- |".repeat(cells.len().max(1)))),
        }
        return;
    }
    let kept = table_tags::head(source);
    if kept.is_empty() {
        line(if header.is_some() { "<table header-row=\"true\">" } else { "<table>" });
    }
    kept.into_iter().for_each(&mut *line);
    if let Some(cells) = header {
        row(cells, source, form, line);
    }
}

fn row(cells: &[Inline], source: &str, form: Form, line: &mut dyn FnMut(&str)) {
    if form.table_tags {
        let text = |cell: &Inline, old: &str| kept(v2_inline::render(cell, Place::TagCell), old);
        table_tags::row(cells, source, text, line);
    } else {
        pipes(cells, source, line);
    }
}

fn pipes(cells: &[Inline], source: &str, line: &mut dyn FnMut(&str)) {
    let mut out = "|".to_owned();
    for cell in cells {
        out.push(' ');
        out.push_str(&v2_inline::render(cell, Place::PipeCell));
        out.push_str(" |");
    }
    let out = kept(out, source);
    line(&out);
}

/// Escapes begins of lines that would be read as another block.
fn guard(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let content = line.strip_suffix('\\').unwrap_or(line);
        if syntax::starts_block(content) {
            let digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = line.split_at(digits);
            out.push_str(number);
            out.push('\\');
            out.push_str(rest);
        } else {
            out.push_str(line);
        }
    }
    out
}
