//! Text from files, Notion and Git is hostile: nothing of it may act as a terminal code, a workflow command or
//! Markdown.

use std::fmt::Write as _;

/// One printable line: control characters and line breaks become visible escapes, and neither form of a workflow
/// command (`::name::` at the start of a line, `##[name]` anywhere) survives.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push(' '),
            // Bidirectional controls can make a line read as another one.
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                let _ = write!(line, "\\u{{{:x}}}", c as u32);
            }
            c => line.push(c),
        }
    }
    let line = line.replace("##[", "## [");
    match line.trim_start().starts_with("::") {
        true => line.replacen("::", ": :", 1),
        false => line,
    }
}

/// Text that is safe inside Markdown: no mention, reference, comment or markup of it works.
pub fn markdown_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '@' => out.push_str("@\u{200b}"),
            '#' => out.push_str("#\u{200b}"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_acts_as_a_workflow_command() {
        for text in
            ["::error::x", "  ::set-env name=a::b", "a\n::error::b", "x ##[error]y", "##[group]z"]
        {
            let line = one_line(text);
            assert!(!line.contains('\n') && !line.contains("##["), "{line}");
            assert!(!line.trim_start().starts_with("::"), "{line}");
        }
        assert_eq!(one_line("a\u{1b}[31mb"), "a\\u{1b}[31mb");
    }

    #[test]
    fn markdown_is_shown_and_not_obeyed() {
        assert_eq!(markdown_text("<!-- @a #1 -->"), "&lt;!-- @\u{200b}a #\u{200b}1 --&gt;");
        assert_eq!(markdown_text("`x` [y](z)"), "\\`x\\` \\[y\\](z)");
    }
}
