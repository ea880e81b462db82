//! Odd forms: other ways to write the same, chosen for each block by a seed, and texts that are changed when they are
//! stored. They stand for whatever Notion may do that the fact sheet does not know.

use crate::block::Kind;
use crate::rich::{Content, RichText, Span};

/// The forms that one block is written in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Odd(u64);

impl Odd {
    /// Forms of the block with this id; the usual ones without a seed.
    pub(crate) fn of(seed: Option<u64>, block: &str) -> Self {
        let Some(seed) = seed else { return Self(0) };
        // FNV-1a, then one step of SplitMix64 so that all bits depend on all of the id.
        let hash = block.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(crate::ids::Ids::new(hash).number())
    }

    fn bit(self, n: u32) -> bool {
        self.0 >> n & 1 == 1
    }

    /// Every item of a list has the number one.
    pub(crate) fn flat_numbers(self) -> bool {
        self.bit(0)
    }

    /// Attributes stand in the other order.
    pub(crate) fn reversed(self) -> bool {
        self.bit(1)
    }

    /// Attributes with their default are written as well.
    pub(crate) fn spelled_out(self) -> bool {
        self.bit(2)
    }

    /// Only what needs a backslash has one; v2 uses references such as `&lt;`.
    pub(crate) fn other_escapes(self) -> bool {
        self.bit(3)
    }

    /// Marks are written as tags where v2 has both.
    pub(crate) fn tags(self) -> bool {
        self.bit(4)
    }

    /// The name of a code language, or an alias that is read as the same.
    pub(crate) fn language(self, name: &str) -> &str {
        match name {
            _ if !self.bit(5) => name,
            "javascript" => "js",
            "typescript" => "ts",
            "plain text" => "",
            other => other,
        }
    }

    /// An address with a slash after a bare host and a query that is percent-encoded.
    pub(crate) fn address(self, url: &str) -> String {
        let mut out = url.to_owned();
        if self.bit(6)
            && let Some((_, host)) = url.split_once("://")
            && url.starts_with("http")
            && !host.contains(['/', '?', '#'])
        {
            out.push('/');
        }
        if self.bit(7)
            && let Some((path, query)) = out.split_once('?')
        {
            let query: String = query
                .chars()
                .map(|c| match c {
                    ',' | '\'' | ':' | '|' | '"' => format!("%{:02X}", u32::from(c)),
                    _ => c.to_string(),
                })
                .collect();
            out = format!("{path}?{query}");
        }
        out
    }

    /// Runs as they are written: white space between two runs of the same look joins them.
    pub(crate) fn runs(self, spans: &[Span]) -> RichText {
        let mut out = spans.to_vec();
        if self.bit(8) {
            for n in 1..out.len().saturating_sub(1) {
                let (Some(before), Some(after)) = (out.get(n - 1).cloned(), out.get(n + 1)) else {
                    continue;
                };
                let alike = before.style == after.style
                    && before.link.is_none()
                    && after.link.is_none()
                    && before.discussions == after.discussions
                    && !before.style.code
                    && !before.style.underline
                    && !before.style.strike;
                if let Some(span) = out.get_mut(n)
                    && alike
                    && span.link.is_none()
                    && span.style == crate::rich::Style::default()
                    && matches!(&span.content, Content::Text(text) if text == " ")
                {
                    span.style = before.style;
                    span.style.color = crate::rich::Color::DEFAULT;
                }
            }
        }
        crate::rich::merged(out)
    }

    /// The parts that a colored run is written in.
    pub(crate) fn split(self, run: &[Span]) -> Vec<Vec<Span>> {
        let cut = match run {
            [Span { content: Content::Text(text), style, .. }] if self.bit(9) && !style.code => {
                let middle = text.chars().count() / 2;
                text.char_indices().nth(middle).map(|(at, _)| at).filter(|at| {
                    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                    word(text[..*at].chars().next_back()) && word(text[*at..].chars().next())
                })
            }
            _ => None,
        };
        let (Some(at), Some(Span { content: Content::Text(text), .. })) = (cut, run.first()) else {
            return vec![run.to_vec()];
        };
        let part = |text: &str| {
            run.iter()
                .map(|span| Span { content: Content::Text(text.to_owned()), ..span.clone() })
                .collect()
        };
        vec![part(&text[..at]), part(&text[at..])]
    }
}

/// Makes the text of a block typographic: quotes, dashes, ellipses. Code and addresses stay.
pub(crate) fn typographic(kind: &mut Kind) {
    let each = |text: &mut RichText| {
        for span in text.iter_mut().filter(|span| !span.style.code) {
            if let Content::Text(text) = &mut span.content {
                *text = typographic_text(text);
            }
        }
    };
    match kind {
        Kind::Code { .. } => {}
        Kind::TableRow { cells } => cells.iter_mut().for_each(each),
        other => {
            if let Some(text) = other.text_mut() {
                each(text);
            }
        }
    }
}

fn typographic_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let opens = out.chars().next_back().is_none_or(|c| c.is_whitespace() || "([{".contains(c));
        let dashes = rest.len() - rest.trim_start_matches('-').len();
        let (new, taken) = match c {
            '"' => (if opens { "“" } else { "”" }, 1),
            '\'' => (if opens { "‘" } else { "’" }, 1),
            '-' if dashes == 2 => ("–", 2),
            '-' => (&rest[..dashes], dashes),
            '.' if rest.starts_with("...") => ("…", 3),
            _ => (&rest[..c.len_utf8()], c.len_utf8()),
        };
        out.push_str(new);
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::render::{self, View};
    use crate::markdown::{Version, read};
    use crate::options::Options;
    use crate::workspace::Workspace;

    const RICH: &str = "## Toggle {toggle=\"true\" color=\"red\"}\n\tInside\n1. one\n2. two\n\
        <callout icon=\"💡\" color=\"yellow_bg\">\n\tText\n</callout>\n```javascript\nx\n```\n\
        <table header-row=\"true\">\n<tr>\n<td>a ^ b</td>\n</tr>\n<tr>\n<td>c</td>\n</tr>\n</table>\n\
        <span color=\"red\">colored</span> and **bold** *it* {x} \\> \\^ \\<p\\> ~~s~~\n\
        [link](https://example.com) [query](https://example.com/?a=b,c:d)";

    #[test]
    fn odd_forms_mean_the_same_and_stay_for_a_block() {
        let mut different = std::collections::HashSet::new();
        for seed in 0..60 {
            let mut ws = Workspace::new(&Options::default());
            let parent = ws.parent_page.clone();
            let page = ws.create_subpage(&parent, "Page", RICH).unwrap();
            let other = ws.create_subpage(&parent, "Other", "").unwrap();
            for version in [Version::V1, Version::V2] {
                let view = View { odd: Some(seed), ..View::inside(version) };
                let show =
                    |ws: &Workspace| render::render(ws, &page, &ws.pages[&page].body, view).text;
                let odd = show(&ws);
                assert_eq!(show(&ws), odd);
                different.insert(odd.clone());
                let blocks = read(&odd, version).unwrap().blocks;
                let blocks = ws.markdown_blocks(&other, blocks, "x").unwrap();
                ws.pages.get_mut(&other).unwrap().body = blocks;
                let same = |text: String| {
                    text.replace("https://example.com/)", "https://example.com)")
                        .replace("%2C", ",")
                        .replace("%3A", ":")
                };
                assert_eq!(same(ws.markdown(&other)), same(ws.markdown(&page)), "{odd}");
            }
        }
        assert!(different.len() > 60, "{}", different.len());
    }

    #[test]
    fn runs_with_white_space_between_are_joined() {
        let spans = crate::markdown::inline::parse("**a** **b**").unwrap();
        let joined = |odd: Odd| odd.runs(&spans).len();
        assert_eq!((joined(Odd(0)), joined(Odd(1 << 8))), (3, 1));
    }

    #[test]
    fn texts_become_typographic_once() {
        let text = "He said \"don't\" -- (\"yes\")... --- a-b -";
        let once = typographic_text(text);
        assert_eq!(once, "He said “don’t” – (“yes”)… --- a-b -");
        assert_eq!(typographic_text(&once), once);
    }
}
