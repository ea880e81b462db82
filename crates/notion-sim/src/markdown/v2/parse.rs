//! Markdown v2: reading blocks. Blank lines stand between blocks; only lists nest by indentation.

use crate::block::Kind;
use crate::error::{ApiError, ApiResult};
use crate::ids;
use crate::markdown::parse::{
    Node, Parsed, bullet, fence_width, heading, image, media_source, numbered, todo,
};
use crate::markdown::tag::{self, Tag};
use crate::markdown::v2::shape::{
    begins_block, begins_list, indent, is_block_tag, is_divider, without_indent,
};
use crate::markdown::v2::{inline, leaf};
use crate::markdown::{Read, languages, table};
use crate::rich::{Color, RichText};

/// A line with its number in the whole text.
pub(super) type Line<'a> = (usize, &'a str);

/// Reads a whole text.
///
/// # Errors
/// 400 for what Notion refuses.
pub(crate) fn parse(text: &str) -> ApiResult<Read> {
    let lines: Vec<Line<'_>> =
        text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate().collect();
    let mut reader = Reader { warnings: Vec::new() };
    let blocks = reader.blocks(&lines)?;
    Ok(Read { blocks, warnings: reader.warnings })
}

pub(super) struct Reader {
    pub(super) warnings: Vec<String>,
}

/// What stands between an opening tag and its closing one.
struct Inside<'a> {
    lines: Vec<Line<'a>>,
    /// Lines of the element altogether.
    taken: usize,
    /// Whether all of it is one line, whose white space counts.
    one_line: bool,
}

impl Reader {
    fn blocks(&mut self, lines: &[Line<'_>]) -> ApiResult<Vec<Parsed>> {
        let mut out = Vec::new();
        let mut at = 0;
        while let Some((_, line)) = lines.get(at) {
            if line.trim().is_empty() {
                at += 1;
            } else {
                at += self.block(&lines[at..], &mut out)?.max(1);
            }
        }
        Ok(out)
    }

    /// Reads the block at the begin of the lines and gives how many of them it has.
    fn block(&mut self, lines: &[Line<'_>], out: &mut Vec<Parsed>) -> ApiResult<usize> {
        let Some((number, full)) = lines.first().copied() else { return Ok(0) };
        let line = full.trim();
        let one = |kind: Kind, out: &mut Vec<Parsed>| {
            out.push(leaf_of(kind, vec![number]));
            Ok(1)
        };
        if fence_width(line) > 0 {
            return code(lines, out);
        }
        if line == "$$"
            && let Some(end) = lines.iter().skip(1).position(|(_, line)| line.trim() == "$$")
        {
            let columns = indent(full);
            let inside: Vec<&str> =
                lines[1..=end].iter().map(|(_, line)| without_indent(line, columns)).collect();
            let kind = Kind::Equation { expression: inside.join("\n") };
            out.push(leaf_of(kind, numbers(&lines[..end + 2])));
            return Ok(end + 2);
        }
        if let Some((tag, rest)) = tag::read(line).filter(|(tag, _)| is_block_tag(tag.name))
            && let Some(taken) = self.tag(lines, &tag, rest, out)?
        {
            return Ok(taken);
        }
        if let Some((level, title)) = heading(line) {
            let title = closed_heading(title);
            let kind = Kind::Heading {
                level,
                text: inline::parse(title)?,
                color: Color::DEFAULT,
                toggle: false,
            };
            return one(kind, out);
        }
        if is_divider(line) {
            return one(Kind::Divider, out);
        }
        if begins_list(line, false) {
            return self.item(lines, out);
        }
        if line.starts_with('>') {
            return self.quote(lines, out);
        }
        if line.starts_with('|')
            && lines.get(1).is_some_and(|(_, next)| table::is_delimiter(next.trim()))
        {
            let rows = lines.iter().take_while(|(_, line)| line.trim().starts_with('|')).count();
            if lines.get(1).is_some_and(|(_, line)| line.contains(':')) {
                self.warnings.push("The alignment of table columns was ignored.".to_owned());
            }
            out.push(table::from_pipes(&lines[..rows], inline::parse)?);
            return Ok(rows);
        }
        if let Some((caption, url)) = image(line) {
            return one(leaf::image(media_source(url)?, inline::parse(caption)?), out);
        }
        let taken = paragraph_length(lines);
        let text = inline::parse(&joined(&lines[..taken]))?;
        out.push(leaf_of(Kind::paragraph(text), numbers(&lines[..taken])));
        Ok(taken)
    }

    /// A list item with what is indented below it.
    fn item(&mut self, lines: &[Line<'_>], out: &mut Vec<Parsed>) -> ApiResult<usize> {
        let Some((number, full)) = lines.first().copied() else { return Ok(0) };
        let start = indent(full);
        let line = full.trim();
        let (ordered, rest) = match bullet(line) {
            Some(rest) => (false, rest),
            None => (true, numbered(line).unwrap_or_default()),
        };
        let digits = line.chars().take_while(char::is_ascii_digit).count();
        let width = start + digits + 2;
        let belongs =
            |line: &str| indent(line) >= width || (indent(line) > start && line.starts_with('\t'));
        let mut taken = 1;
        let mut text_open = !rest.is_empty() && !begins_block(rest);
        while let Some((_, next)) = lines.get(taken) {
            if next.trim().is_empty() {
                // Blank lines belong to the item only if something of it follows.
                let after = lines[taken..].iter().find(|(_, line)| !line.trim().is_empty());
                if !after.is_some_and(|(_, line)| belongs(line)) {
                    break;
                }
                text_open = false;
            } else if belongs(next) {
                text_open &= !begins_list(next.trim(), true) && !begins_block(next.trim());
            } else if !text_open || begins_block(next.trim()) || begins_list(next.trim(), false) {
                break;
            }
            taken += 1;
        }
        let (checked, rest) = match todo(rest).filter(|_| !ordered) {
            Some((checked, rest)) => (Some(checked), rest),
            None => (None, rest),
        };
        let mut inside: Vec<Line<'_>> = vec![(number, rest)];
        inside.extend(
            lines[1..taken].iter().map(|(number, line)| (*number, without_indent(line, width))),
        );
        let (text, mut own, below) =
            if rest.is_empty() { (Vec::new(), Vec::new(), 1) } else { title(&inside, false)? };
        if !own.contains(&number) {
            own.push(number);
        }
        let color = Color::DEFAULT;
        let kind = match (checked, ordered) {
            (Some(checked), _) => Kind::ToDo { text, checked, color },
            (None, true) => Kind::Numbered { text, color },
            (None, false) => Kind::Bulleted { text, color },
        };
        let children = self.blocks(&inside[below..])?;
        out.push(Parsed { node: Node::Block(kind), children, lines: own });
        Ok(taken)
    }

    fn quote(&mut self, lines: &[Line<'_>], out: &mut Vec<Parsed>) -> ApiResult<usize> {
        let mut inside: Vec<Line<'_>> = Vec::new();
        for (number, line) in lines {
            match line.trim_start().strip_prefix('>') {
                Some(rest) => inside.push((*number, rest.strip_prefix(' ').unwrap_or(rest))),
                None => {
                    let open = inside
                        .last()
                        .is_some_and(|(_, line)| !line.trim().is_empty() && !begins_block(line));
                    let text = line.trim();
                    if !open || text.is_empty() || begins_block(text) || begins_list(text, true) {
                        break;
                    }
                    inside.push((*number, line));
                }
            }
        }
        let taken = inside.len();
        let (text, mut own, below) = title(&inside, false)?;
        own.extend(inside.iter().filter(|(_, line)| line.trim().is_empty()).map(|(n, _)| *n));
        own.extend((below == 0).then_some(lines[0].0));
        own.dedup();
        let children = self.blocks(&inside[below..])?;
        let kind = Kind::Quote { text, color: Color::DEFAULT };
        out.push(Parsed { node: Node::Block(kind), children, lines: own });
        Ok(taken)
    }

    /// A block that is written as a tag; `None` if it is text after all.
    fn tag(
        &mut self,
        lines: &[Line<'_>],
        tag: &Tag<'_>,
        rest: &str,
        out: &mut Vec<Parsed>,
    ) -> ApiResult<Option<usize>> {
        let Some(inside) = inside(lines, tag, rest) else { return Ok(None) };
        self.check_attributes(tag);
        let all = numbers(&lines[..inside.taken]);
        match tag.name {
            "ul" | "ol" => {
                if tag.name == "ol" && tag.get("type").is_some_and(|kind| kind != "1") {
                    self.warnings.push("The type of an <ol> was ignored.".to_owned());
                }
                for mut item in self.blocks(&inside.lines)? {
                    if tag.name == "ol"
                        && let Node::Block(kind) = &mut item.node
                        && let Kind::Bulleted { text, color } = kind
                    {
                        *kind = Kind::Numbered { text: std::mem::take(text), color: *color };
                    }
                    out.push(item);
                }
            }
            "table" => out.push(table::from_tags(&lines[..inside.taken], tag, inline::parse)?),
            name if leaf::holds_nothing(name) => {
                let content: Vec<&str> = inside.lines.iter().map(|(_, line)| *line).collect();
                match leaf::read(self, tag, &content.join("\n"))? {
                    Some(node) => {
                        out.push(Parsed { node, children: Vec::new(), lines: all });
                    }
                    None => return Ok(None),
                }
            }
            _ => self.container(tag, &inside, &all, out)?,
        }
        Ok(Some(inside.taken))
    }

    fn container(
        &mut self,
        tag: &Tag<'_>,
        inside: &Inside<'_>,
        all: &[usize],
        out: &mut Vec<Parsed>,
    ) -> ApiResult<()> {
        let color = leaf::color(tag);
        let titled = !matches!(
            tag.name,
            "columns" | "column" | "tabs" | "synced-block" | "synced-block-reference"
        );
        let (text, mut own, below) =
            if titled { title(&inside.lines, inside.one_line)? } else { Default::default() };
        let children = self.blocks(&inside.lines[below..])?;
        // The tags themselves are the block's own, and so are blank lines inside of them only for opaque ones.
        own.extend(all.first());
        own.extend(all.last());
        own.sort_unstable();
        own.dedup();
        let only = |what: &str, fits: &dyn Fn(&Kind) -> bool| {
            let fit = |child: &Parsed| matches!(&child.node, Node::Block(kind) if fits(kind));
            if children.iter().all(fit) {
                Ok(())
            } else {
                Err(ApiError::invalid(format!(
                    "Invalid markdown: <{}> may hold only <{what}>.",
                    tag.name
                )))
            }
        };
        let heading_level = |name: Option<&str>| {
            name.and_then(|name| name.strip_prefix('h')).and_then(|level| level.parse().ok())
        };
        let kind = match tag.name {
            "p" => Kind::Paragraph { text, color },
            "h1" | "h2" | "h3" | "h4" => {
                let level = heading_level(Some(tag.name)).unwrap_or(1);
                let kind = Kind::Heading { level, text, color, toggle: false };
                if !children.is_empty() {
                    self.warnings.push(format!("<{}> holds no blocks; they follow it.", tag.name));
                }
                out.push(Parsed { node: Node::Block(kind), children: Vec::new(), lines: own });
                out.extend(children);
                return Ok(());
            }
            "quote" => Kind::Quote { text, color },
            "toggle" => match heading_level(tag.get("heading")) {
                Some(level @ 1..=4) => Kind::Heading { level, text, color, toggle: true },
                _ => Kind::Toggle { text, color },
            },
            "callout" => Kind::Callout { text, icon: leaf::icon(tag), color },
            "li" => Kind::Bulleted { text, color },
            "todo" => Kind::ToDo { text, checked: tag.is_true("checked"), color },
            "columns" => {
                only("column", &|kind| matches!(kind, Kind::Column { .. }))?;
                Kind::ColumnList
            }
            "column" => {
                let ratio = tag.get("ratio").and_then(|ratio| ratio.parse().ok());
                Kind::Column { ratio: ratio.filter(|ratio| (1..=100).contains(ratio)) }
            }
            "tabs" => {
                only("tab", &|kind| matches!(kind, Kind::Tab { .. }))?;
                Kind::Tabs
            }
            "tab" => Kind::Tab { text, icon: leaf::icon(tag) },
            "synced-block" if tag.get("url").is_none() => Kind::Synced { from: None },
            "synced-block" => {
                let node = leaf::existing(tag, String::new());
                out.push(Parsed { node, children, lines: own });
                return Ok(());
            }
            _ => {
                // What is shown there belongs to another place: every line is its own.
                let node = leaf::existing(tag, String::new());
                out.push(Parsed { node, children: Vec::new(), lines: all.to_vec() });
                return Ok(());
            }
        };
        out.push(Parsed { node: Node::Block(kind), children, lines: own });
        Ok(())
    }

    fn check_attributes(&mut self, tag: &Tag<'_>) {
        for (key, value) in &tag.attributes {
            let known = leaf::attributes(tag.name).contains(key);
            if !known {
                self.warnings.push(format!("The attribute {key} of <{}> was ignored.", tag.name));
            } else if *key == "color"
                && *value != "default"
                && Color::from_markdown(value).is_none()
            {
                self.warnings.push(format!("The color \"{value}\" is not known."));
            }
        }
    }
}

fn leaf_of(kind: Kind, lines: Vec<usize>) -> Parsed {
    Parsed { node: Node::Block(kind), children: Vec::new(), lines }
}

fn numbers(lines: &[Line<'_>]) -> Vec<usize> {
    lines.iter().map(|(number, _)| *number).collect()
}

/// Lines of a text without white space before them; that at the end may mean a break.
fn joined(lines: &[Line<'_>]) -> String {
    let lines: Vec<&str> = lines.iter().map(|(_, line)| line.trim_start()).collect();
    lines.join("\n").trim_end().to_owned()
}

/// A heading may end in `#` after a space.
fn closed_heading(title: &str) -> &str {
    let bare = title.trim_end_matches('#');
    if bare.is_empty() || bare.ends_with(' ') { bare.trim_end() } else { title }
}

/// How many lines the paragraph at the begin has.
fn paragraph_length(lines: &[Line<'_>]) -> usize {
    let more = lines.iter().skip(1).take_while(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !begins_block(line) && !begins_list(line, true)
    });
    1 + more.count()
}

/// The bare text at the begin of a container, its lines, and where the rest begins.
fn title(lines: &[Line<'_>], one_line: bool) -> ApiResult<(RichText, Vec<usize>, usize)> {
    let Some((number, first)) = lines.first().copied() else { return Ok(Default::default()) };
    if one_line {
        return Ok((inline::parse(first)?, vec![number], 1));
    }
    let text = first.trim();
    let is_table = text.starts_with('|')
        && lines.get(1).is_some_and(|(_, next)| table::is_delimiter(next.trim()));
    if text.is_empty() || begins_block(text) || begins_list(text, false) || is_table {
        return Ok(Default::default());
    }
    let taken = paragraph_length(lines);
    Ok((inline::parse(&joined(&lines[..taken]))?, numbers(&lines[..taken]), taken))
}

fn code(lines: &[Line<'_>], out: &mut Vec<Parsed>) -> ApiResult<usize> {
    let Some((_, opening)) = lines.first() else { return Ok(0) };
    let columns = indent(opening);
    let opening = opening.trim();
    let width = fence_width(opening);
    let info = &opening[width..];
    let Some(language) = languages::of_fence(info) else {
        return Err(ApiError::invalid(format!(
            "Invalid code language: \"{}\" is not supported.",
            info.trim()
        )));
    };
    let closes = |line: &str| {
        let line = line.trim();
        fence_width(line) >= width && line.trim_start_matches('`').is_empty()
    };
    let inside = lines.iter().skip(1).take_while(|(_, line)| !closes(line)).count();
    let content: Vec<&str> =
        lines[1..=inside].iter().map(|(_, line)| without_indent(line, columns)).collect();
    let taken = (inside + 2).min(lines.len());
    let text = crate::rich::plain(&content.join("\n"));
    let kind = Kind::Code { text, caption: Vec::new(), language };
    out.push(leaf_of(kind, numbers(&lines[..taken])));
    Ok(taken)
}

/// Finds the closing tag. `None` if there is none, or text after it.
fn inside<'a>(lines: &[Line<'a>], tag: &Tag<'_>, rest: &str) -> Option<Inside<'a>> {
    let (number, first) = lines.first().copied()?;
    if tag.closed {
        return rest.is_empty().then_some(Inside { lines: Vec::new(), taken: 1, one_line: true });
    }
    let closing = format!("</{}>", tag.name);
    let first = first.trim();
    let after = first.get(first.len() - rest.len()..)?;
    if let Some(content) = after.strip_suffix(closing.as_str()) {
        let lines = if content.is_empty() { Vec::new() } else { vec![(number, content)] };
        return Some(Inside { lines, taken: 1, one_line: true });
    }
    let mut depth = 1;
    let mut fence = 0;
    for (n, (_, line)) in lines.iter().enumerate().skip(1) {
        let line = line.trim();
        let ticks = fence_width(line);
        if fence > 0 {
            if ticks >= fence && line.trim_start_matches('`').is_empty() {
                fence = 0;
            }
            continue;
        }
        if ticks > 0 {
            fence = ticks;
            continue;
        }
        let opens = tag::read(line).is_some_and(|(other, after)| {
            other.name == tag.name && !other.closed && !after.ends_with(closing.as_str())
        });
        if opens {
            depth += 1;
        } else if line == closing {
            depth -= 1;
            if depth == 0 {
                let mut inside = lines[1..n].to_vec();
                if !after.is_empty() {
                    inside.insert(0, (number, after));
                }
                return Some(Inside { lines: inside, taken: n + 1, one_line: false });
            }
        }
    }
    None
}

/// The id in the address of a tag.
pub(super) fn id_of(tag: &Tag<'_>) -> Option<String> {
    tag.get("url").and_then(ids::uuid_of_url)
}
