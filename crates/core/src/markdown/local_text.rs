//! Reads the inline events of a file's block.

use std::ops::Range;

use pulldown_cmark::{Event, Tag as MdTag, TagEnd};

use super::html::{self, Effect, TagMarks};
use super::inline::{Inline, Marks, Piece, Run};
use super::links::{Fate, Links};
use super::local_parse::Spanned;
use super::url;

/// What inline events hold.
#[derive(Default)]
pub(super) struct Found {
    pub(super) runs: Vec<Run>,
    pub(super) span: Option<Range<usize>>,
    pub(super) end: usize,
    pub(super) checked: Option<bool>,
    pub(super) task: Option<Range<usize>>,
    /// Set when the text is one image and nothing else.
    pub(super) image: Option<(Inline, String)>,
}

/// Runs of inline events, with the range of their source.
pub(super) fn read(events: &[Spanned<'_>], links: Option<&Links>) -> Found {
    let mut found = Found::default();
    let mut marks = Marks::default();
    let mut tags = TagMarks::default();
    let mut saved: Vec<Marks> = Vec::new();
    let mut mention: Option<(String, String)> = None;
    let mut images: Vec<(String, usize)> = Vec::new();
    let mut top_level = 0_usize;
    let mut nesting = 0_usize;
    for (event, span) in events {
        if let Event::TaskListMarker(checked) = event {
            found.checked = Some(*checked);
            found.task = Some(span.clone());
            continue;
        }
        let start = found.span.as_ref().map_or(span.start, |before| before.start.min(span.start));
        found.end = found.end.max(span.end);
        found.span = Some(start..found.end);
        match event {
            Event::Start(_) => {
                top_level += usize::from(nesting == 0);
                nesting += 1;
            }
            Event::End(_) => nesting = nesting.saturating_sub(1),
            _ => top_level += usize::from(nesting == 0),
        }
        if let Some((raw, close)) = &mut mention {
            match event {
                Event::InlineHtml(text) | Event::Html(text) => {
                    raw.push_str(text);
                    if text.as_ref() == close.as_str() {
                        found.runs.push(Run { piece: html::mention(raw), marks: marks.clone() });
                        mention = None;
                    }
                }
                Event::Text(text) | Event::Code(text) => raw.push_str(text),
                Event::SoftBreak | Event::HardBreak => raw.push(' '),
                _ => {}
            }
            continue;
        }
        let inside = images.last().map_or(0, |(_, from)| *from);
        let mut text = |text: &str, marks: &Marks| push_text(text, marks, inside, &mut found.runs);
        match event {
            Event::Text(part) => text(part, &marks),
            Event::Code(part) => {
                found.runs.push(Run { piece: Piece::Code(part.to_string()), marks: marks.clone() });
            }
            Event::InlineMath(part) => text(&format!("${part}$"), &marks),
            Event::DisplayMath(part) => text(&format!("$${part}$$"), &marks),
            Event::SoftBreak => text(" ", &marks),
            Event::HardBreak => found.runs.push(Run { piece: Piece::Break, marks: marks.clone() }),
            Event::FootnoteReference(name) => text(&format!("[^{name}]"), &marks),
            Event::InlineHtml(part) | Event::Html(part) => match html::Tag::at(part) {
                _ if part.starts_with("<!--") => {}
                None => text(part, &marks),
                Some(tag) => match tags.take(&tag, part, &mut marks) {
                    Effect::Literal => text(part, &marks),
                    Effect::Break => {
                        found.runs.push(Run { piece: Piece::Break, marks: marks.clone() });
                    }
                    Effect::Mark => {}
                    Effect::Mention(close) => mention = Some((part.to_string(), close)),
                    Effect::Atom(run) => found.runs.push(run),
                },
            },
            Event::Start(tag) => {
                saved.push(marks.clone());
                match tag {
                    MdTag::Strong => marks.bold = true,
                    MdTag::Emphasis => marks.italic = true,
                    MdTag::Strikethrough => marks.strike = true,
                    MdTag::Link { dest_url, .. } => marks.link = Some(link_target(dest_url)),
                    MdTag::Image { dest_url, .. } => {
                        images.push((dest_url.to_string(), found.runs.len()));
                    }
                    _ => {}
                }
            }
            Event::End(end) => {
                let mut target = None;
                if let Some(before) = saved.pop() {
                    match end {
                        TagEnd::Strong => marks.bold = before.bold,
                        TagEnd::Emphasis => marks.italic = before.italic,
                        TagEnd::Strikethrough => marks.strike = before.strike,
                        TagEnd::Link => target = std::mem::replace(&mut marks.link, before.link),
                        _ => {}
                    }
                }
                if *end == TagEnd::Link {
                    // A link without text would be lost.
                    let target = target.unwrap_or_default();
                    let empty = found
                        .runs
                        .last()
                        .is_none_or(|run| run.marks.link.as_ref() != Some(&target));
                    if empty {
                        found.runs.push(Run {
                            piece: Piece::Text(format!("[]({target})")),
                            marks: marks.clone(),
                        });
                    }
                }
                if *end == TagEnd::Image
                    && let Some((target, from)) = images.pop()
                {
                    let mut inside = found.runs.split_off(from.min(found.runs.len()));
                    // A link around the image is not part of its caption.
                    inside.iter_mut().for_each(|run| run.marks.link = None);
                    let caption = Inline::normal(inside);
                    let fate = links.map(|links| links.fate(&target, true));
                    let (target, shown) = match fate {
                        Some(Fate::Remote(address)) => (address, true),
                        Some(Fate::Private(address)) => (address, false),
                        _ => (target, true),
                    };
                    let alone = images.is_empty() && marks.link.is_none();
                    if alone && shown && url::is_sendable(&target) {
                        found.image = Some((caption.clone(), target.clone()));
                    }
                    image_runs(&caption.plain(), &target, &marks, &mut found.runs);
                }
            }
            _ => {}
        }
    }
    if let Some((raw, _)) = mention {
        found.runs.push(Run { piece: Piece::Text(raw), marks });
    }
    if let Some(links) = links {
        resolve(&mut found.runs, links);
    }
    if top_level != 1 {
        found.image = None;
    }
    found
}

/// Appends text to the run that it goes on, but not to one before `from`.
fn push_text(text: &str, marks: &Marks, from: usize, runs: &mut Vec<Run>) {
    let open = runs.len() > from;
    match runs.last_mut() {
        Some(Run { piece: Piece::Text(before), marks: same }) if open && same == marks => {
            before.push_str(text);
        }
        _ => runs.push(Run { piece: Piece::Text(text.to_owned()), marks: marks.clone() }),
    }
}

/// Gives links that are paths the addresses that they lead to.
pub(super) fn resolve(runs: &mut [Run], links: &Links) {
    for link in runs.iter_mut().filter_map(|run| run.marks.link.as_mut()) {
        if let Some(address) = links.to_remote(link, false) {
            *link = address;
        }
    }
}

/// Inside of text Notion has no images: one is a link named by its caption, or the literal text where Notion
/// refuses the target.
pub(super) fn image_runs(caption: &str, target: &str, marks: &Marks, runs: &mut Vec<Run>) {
    let (text, marks) = if marks.link.is_some() && url::is_sendable(target) {
        (if caption.is_empty() { target } else { caption }.to_owned(), marks.clone())
    } else if url::is_sendable(target) {
        let text = if caption.is_empty() { target } else { caption };
        (text.to_owned(), Marks { link: Some(target.to_owned()), ..marks.clone() })
    } else {
        (format!("![{caption}]({target})"), marks.clone())
    };
    runs.push(Run { piece: Piece::Text(text), marks });
}

fn link_target(target: &str) -> String {
    // An e-mail autolink has a target without scheme.
    if target.contains('@') && !target.contains([':', '/', ' ']) && !target.starts_with('#') {
        format!("mailto:{target}")
    } else {
        target.to_owned()
    }
}
