//! Blocks of any kind, put anywhere by a person.

use serde_json::Value;

use crate::api::block_json;
use crate::block::{self, Block, Kind, MediaKind, MediaSource};
use crate::ids;
use crate::markdown::Version;
use crate::request::Obj;
use crate::rich::{self, Content, Mention, RichText, Span};
use crate::workspace::Workspace;
use crate::workspace::content::Position;
use crate::workspace::person::{Done, PersonError, no};

/// A block that a person makes: a draft, or something with an object of its own.
enum Made {
    Block(Kind, Vec<Self>),
    Page(String),
    Database(String),
}

impl Workspace {
    /// Puts a block of any type at the end of a page or block and gives its id. It is given as the API shows it, e.g.
    /// `{"toggle": {"rich_text": […], "children": […]}}`, as deep as wanted. Beyond what connections can create there
    /// are `child_page` and `child_database` (`{"title": "…"}`), `link_preview` (`{"url": "…"}`), `meeting_notes`
    /// (`{"title": "…"}`), `unsupported` (`{"block_type": "form"}`), `tab` (children: paragraphs, each with its icon
    /// and children), and media with `{"hosted": "name.png"}` for a file that Notion holds.
    ///
    /// # Errors
    /// If there is no such page or block, it takes no children, or the block is malformed.
    pub fn put_block(&mut self, target: &str, block: &Value) -> Done<String> {
        let id = ids::parse_uuid(target).ok_or_else(|| no("page or block", target))?;
        let made = self.read_made(&Obj::new(block, "block")?, false)?;
        let (page, parent) = if self.pages.contains_key(&id) {
            (id, None)
        } else {
            let page = self.block_home.get(&id).cloned().ok_or_else(|| no("block", target))?;
            if !self.block(&id).is_some_and(|block| block.kind.takes_children()) {
                return Err(PersonError(format!("the block {target:?} takes no children")));
            }
            (page, Some(id))
        };
        let actor = self.actor();
        let block = self.make(&page, made, &actor)?;
        let new = block.id.clone();
        self.insert_blocks(&page, parent.as_deref(), &Position::End, vec![block]);
        self.touch(&page, &actor);
        Ok(new)
    }

    fn read_made(&mut self, obj: &Obj<'_>, in_tabs: bool) -> Done<Made> {
        let wrong = || PersonError(format!("{} is no block", obj.path()));
        let keys = ["object", "type", "children"];
        let name = match obj.str("type")? {
            Some(name) => name,
            None => obj.map().keys().find(|key| !keys.contains(&key.as_str())).ok_or_else(wrong)?,
        };
        let payload = obj.need_obj(name)?;
        let listed = match payload.objects("children", 1000)? {
            Some(children) => children,
            None => obj.objects("children", 1000)?.unwrap_or_default(),
        };
        let children = listed
            .iter()
            .map(|child| self.read_made(child, name == "tab"))
            .collect::<Done<Vec<_>>>()?;
        let text = |key: &str| payload.need_str(key).map(str::to_owned);
        let kind = match name {
            "child_page" => return Ok(Made::Page(text("title")?)),
            "child_database" => return Ok(Made::Database(text("title")?)),
            "link_preview" => Kind::LinkPreview { url: text("url")? },
            "meeting_notes" => Kind::MeetingNotes { title: rich::plain(&text("title")?) },
            "unsupported" => Kind::Unsupported { block_type: text("block_type")? },
            "tab" => Kind::Tabs,
            "paragraph" if in_tabs => {
                let icon = crate::api::databases::icon(&payload, "icon")?;
                match block_json::kind_of("paragraph", &payload, None)? {
                    Kind::Paragraph { text, .. } => Kind::Tab { text, icon },
                    _ => return Err(wrong()),
                }
            }
            name => match (MediaKind::from_name(name), payload.str("hosted")?) {
                (Some(media), Some(file)) => {
                    let source = MediaSource::Hosted(format!("{}/{file}", self.ids.uuid()));
                    let caption = match payload.array("caption")? {
                        Some(items) => rich::from_json(items, "caption")?,
                        None => Vec::new(),
                    };
                    Kind::Media { media, source, caption }
                }
                _ => block_json::kind_of(name, &payload, None)?,
            },
        };
        if !children.is_empty() && !kind.takes_children() {
            return Err(PersonError(format!("a {name} takes no children")));
        }
        Ok(Made::Block(kind, children))
    }

    fn make(&mut self, page: &str, made: Made, actor: &str) -> Done<Block> {
        Ok(match made {
            Made::Page(title) => self.subpage_block(page, rich::plain(&title), actor),
            Made::Database(title) => {
                let schema = serde_json::json!({"Name": {"title": {}}});
                let id = self.create_database(page, &title, &schema)?;
                self.detach_child(&id, page);
                self.block_with_id(id, page, Kind::ChildDatabase, Vec::new(), actor)
            }
            Made::Block(kind, children) => {
                let children = children
                    .into_iter()
                    .map(|child| self.make(page, child, actor))
                    .collect::<Done<Vec<_>>>()?;
                self.new_block(page, kind, children, actor)
            }
        })
    }

    /// Adds blocks in Markdown v2 at the end of a page and gives their ids.
    ///
    /// # Errors
    /// If there is no such page or the Markdown is refused.
    pub fn append_markdown_v2(&mut self, page: &str, markdown: &str) -> Done<Vec<String>> {
        let page = self.known_page(page)?;
        let actor = self.actor();
        let read = crate::markdown::read(markdown, Version::V2)?;
        let blocks = self.markdown_blocks(&page, read.blocks, &actor)?;
        let new = blocks.iter().map(|block| block.id.clone()).collect();
        self.insert_blocks(&page, None, &Position::End, blocks);
        self.touch(&page, &actor);
        Ok(new)
    }

    /// Adds a mention that only people make to the end of the first block that contains `containing`: of a link,
    /// with a title or as a preview.
    ///
    /// # Errors
    /// If there is no such page or block with text.
    pub fn mention_link(
        &mut self,
        page: &str,
        containing: &str,
        url: &str,
        title: Option<&str>,
    ) -> Done<()> {
        let page = self.known_page(page)?;
        let id = self.block_containing(&page, containing)?;
        let mention = Mention::Link { url: url.to_owned(), title: title.map(str::to_owned) };
        let text = self
            .pages
            .get_mut(&page)
            .and_then(|page| block::find_mut(&mut page.body, &id))
            .and_then(|block| block.kind.text_mut())
            .ok_or_else(|| no("block with text", containing))?;
        text.push(Span::of(Content::Mention(mention)));
        let actor = self.actor();
        self.touch(&page, &actor);
        Ok(())
    }
}

/// Anchors a discussion to the first place where the words stand, over any number of runs of text.
pub(super) fn anchor(spans: &mut RichText, words: &str, discussion: &str) -> bool {
    let text: String = spans
        .iter()
        .map(|span| match &span.content {
            Content::Text(text) => text.as_str(),
            _ => "\u{fffc}",
        })
        .collect();
    let Some(start) = text.find(words).filter(|_| !words.is_empty()) else { return false };
    let end = start + words.len();
    let mut at = 0;
    let mut out = Vec::with_capacity(spans.len() + 2);
    for span in std::mem::take(spans) {
        let length = match &span.content {
            Content::Text(text) => text.len(),
            _ => '\u{fffc}'.len_utf8(),
        };
        let (from, to) = (start.clamp(at, at + length) - at, end.clamp(at, at + length) - at);
        at += length;
        let mut push = |span: Span, anchored: bool| {
            let mut span = span;
            if anchored {
                span.discussions.push(discussion.to_owned());
            }
            out.push(span);
        };
        match &span.content {
            Content::Text(text) => {
                for (piece, anchored) in
                    [(&text[..from], false), (&text[from..to], true), (&text[to..], false)]
                {
                    let content = Content::Text(piece.to_owned());
                    push(Span { content, ..span.clone() }, anchored);
                }
            }
            _ => push(span, from < to),
        }
    }
    *spans = rich::merged(out);
    true
}
