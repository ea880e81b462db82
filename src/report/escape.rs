//! Text from files, Notion, Git and GitHub is hostile: nothing of it may act as a terminal code, a workflow command
//! or Markdown.

use std::fmt::Write as _;

/// Breaks both forms of a workflow command in every line: `::name::` at its start, `##[name]` anywhere.
///
/// The runner compares by the rules of a language, for which many characters are not there: `#\u{ad}#[` is `##[`. So
/// whatever is neither ASCII nor a letter or digit counts as absent.
pub fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut last = [' '; 2];
    // How many characters that count the line has; only those before the third matter.
    let mut begun = 0;
    for c in text.chars() {
        if matches!(c, '\n' | '\r') {
            (last, begun) = ([' '; 2], 0);
        } else if c.is_ascii_graphic() || c.is_ascii_whitespace() || c.is_alphanumeric() {
            let begins = begun == 1 && last[1] == ':' && c == ':';
            if begins || (last == ['#', '#'] && c == '[') {
                out.push(' ');
            }
            if begun > 0 || !c.is_whitespace() {
                begun += 1;
            }
            last = [last[1], c];
        }
        out.push(c);
    }
    out
}

/// Characters that make a line read as another one, or that nobody sees.
fn deceives(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Whether a text can be shown as it is: its controls are line feeds and tabs, and none of its characters deceives.
pub(super) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\n' | '\t') || !(c.is_control() || deceives(c)))
}

/// One printable line: control characters and line breaks become visible escapes, and neither form of a workflow
/// command (`::name::` at the start of a line, `##[name]` anywhere) survives.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push(' '),
            c if c.is_control() || deceives(c) => {
                let _ = write!(line, "\\u{{{:x}}}", c as u32);
            }
            c => line.push(c),
        }
    }
    inert(&line)
}

/// The first characters of a text; what is cut is told by an ellipsis.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Text that is safe inside Markdown: no mention, reference, address, comment or markup of it works.
pub fn markdown_text(text: &str) -> String {
    let line = one_line(text);
    let mut out = String::with_capacity(line.len());
    let mut last = [' '; 2];
    for c in line.chars() {
        match c {
            // Entities are read before mentions: `&commat;ada` is one.
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("@\u{200b}"),
            '#' => out.push_str("#\u{200b}"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // An address of an issue refers to it, and so does `GH-1`.
            '/' if last[1] == ':' => out.push_str("\u{200b}/"),
            '-' if last.map(|c| c.to_ascii_uppercase()) == ['G', 'H'] => out.push_str("\u{200b}-"),
            '.' if last.map(|c| c.to_ascii_uppercase()) == ['W', 'W'] => out.push_str("\u{200b}."),
            c => out.push(c),
        }
        last = [last[1], c];
    }
    out
}

/// Lines in a code block, as long a fence as they need. Every line is escaped, and no comment can begin in it.
pub(super) fn fenced(language: &str, text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| one_line(line).replace("<!--", "<\u{200b}!--")).collect();
    let longest = lines.iter().map(|line| longest_run(line, '`')).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let mut out = format!("{fence}{language}\n");
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    out.push_str(&fence);
    out.push('\n');
    out
}

/// Length of the longest run of this character.
pub(super) fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// A link in Markdown, where the address is one of the web; else its text alone. The text is Markdown already.
pub(super) fn link(text: &str, address: &str) -> String {
    if !(address.starts_with("https://") || address.starts_with("http://")) {
        return text.to_owned();
    }
    format!("[{text}]({})", address_text(address))
}

/// An address without a character that could end it; those that are escaped already stay.
pub(super) fn address_text(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for byte in address.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(byte.into()),
            b'-' | b'.' | b'_' | b'/' | b':' | b'?' | b'=' | b'&' | b'%' | b'#' | b'+' | b',' => {
                out.push(byte.into());
            }
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// A path as the end of an address.
pub(super) fn path_address(path: &str) -> String {
    // What is special in an address is not so in a path.
    address_text(&path.replace('%', "%25").replace('?', "%3F").replace('#', "%23"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_acts_as_a_workflow_command() {
        for text in [
            "::error::x",
            "  ::set-env name=a::b",
            "a\n::error::b",
            "x ##[error]y",
            "##[group]z",
            "\u{200b}::error::x",
            ":\u{200d}:error::x",
            "#\u{ad}#\u{feff}[error]x",
            "\u{2028}::error::x",
        ] {
            let line: String =
                one_line(text).chars().filter(|c| c.is_ascii() || c.is_alphanumeric()).collect();
            assert!(!line.contains('\n') && !line.contains("##["), "{line}");
            assert!(!line.trim_start().starts_with("::"), "{line}");
        }
        assert_eq!(one_line("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(inert("a\n ::b\n###[c\n"), "a\n : :b\n### [c\n");
        assert_eq!(inert("a :: b, std::fmt, # [x]"), "a :: b, std::fmt, # [x]");
    }

    #[test]
    fn markdown_is_shown_and_not_obeyed() {
        assert_eq!(markdown_text("<!-- @a #1 -->"), "&lt;!-- @\u{200b}a #\u{200b}1 --&gt;");
        assert_eq!(markdown_text("`x` [y](z)"), "\\`x\\` \\[y\\](z)");
        assert_eq!(markdown_text("&commat;a &#64;b"), "&amp;commat;a &amp;#\u{200b}64;b");
        assert_eq!(markdown_text("gh-1 www.x"), "gh\u{200b}-1 www\u{200b}.x");
        assert_eq!(markdown_text("https://x/issues/1"), "https:\u{200b}//x/issues/1");
        assert_eq!(markdown_text("a\u{202e}b|c"), "a\\\\u{202e}b\\|c");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("diff", "- a\n"), "```diff\n- a\n```\n");
        assert_eq!(fenced("", "````\nx"), "`````\n````\nx\n`````\n");
        assert_eq!(fenced("", "<!-- a -->"), "```\n<\u{200b}!-- a -->\n```\n");
    }

    #[test]
    fn a_link_leads_to_the_web_and_ends_where_it_ends() {
        assert_eq!(link("a", "javascript:alert(1)"), "a");
        assert_eq!(link("a", "https://x/(b) c"), "[a](https://x/%28b%29%20c)");
        assert_eq!(path_address("a b/ü#1?.md"), "a%20b/%C3%BC%231%3F.md");
        assert_eq!(path_address("50%.md"), "50%25.md");
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
    }
}
