//! Workflow commands: what a line must look like for the runner to act on it.

use crate::report::one_line;

/// Annotations of one level that are written before the rest is counted; the runner drops those after the tenth.
const MOST: usize = 9;
/// Code units (UTF-16, as the runner counts) of a message.
const MESSAGE: usize = 4096;
/// What ends a message that was too long.
const CUT: &str = " … (cut; the summary has the rest)";
/// Characters of a title.
const TITLE: usize = 120;

/// How much an annotation matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is wrong.
    Error,
    /// Something may be wrong.
    Warning,
    /// Worth knowing.
    Notice,
}

impl Level {
    /// Name of its command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// A message at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How much it matters.
    pub level: Level,
    /// Path relative to the workspace, with `/`.
    pub file: Option<String>,
    /// Line in that file, from 1.
    pub line: Option<usize>,
    /// A few words.
    pub title: String,
    /// What is wrong and what to do; may have several lines.
    pub message: String,
}

/// The commands that make these annotations: at most nine of a level, then one that counts the rest.
pub fn annotations(list: &[Annotation]) -> String {
    let mut out = String::new();
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let of: Vec<&Annotation> = list.iter().filter(|one| one.level == level).collect();
        for one in of.iter().take(MOST) {
            out.push_str(&annotation(one));
        }
        if of.len() > MOST {
            let rest = format!("and {} more, see the summary", of.len() - MOST);
            out.push_str(&format!("::{} title=agent-sync::{rest}\n", level.name()));
        }
    }
    out
}

fn annotation(one: &Annotation) -> String {
    let mut properties = Vec::new();
    if let Some(file) = &one.file {
        properties.push(format!("file={}", property(file)));
        properties.push(format!("line={}", one.line.unwrap_or(1)));
    }
    if !one.title.is_empty() {
        let title = crate::report::cut(&one_line(&one.title), TITLE);
        properties.push(format!("title={}", property(&title)));
    }
    let properties = match properties.is_empty() {
        true => String::new(),
        false => format!(" {}", properties.join(",")),
    };
    // The runner shows the message in the log, line by line.
    let lines: Vec<String> = one.message.lines().map(one_line).collect();
    format!("::{}{properties}::{}\n", one.level.name(), data(&short(&lines.join("\n"))))
}

fn short(message: &str) -> String {
    let units = |text: &str| text.encode_utf16().count();
    if units(message) <= MESSAGE {
        return message.to_owned();
    }
    let mut left = MESSAGE - units(CUT);
    let kept = message.chars().take_while(|c| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        fits
    });
    kept.chain(CUT.chars()).collect()
}

/// Begins a part of the log that is shown folded.
pub fn group(title: &str) -> String {
    format!("::group::{}\n", data(&one_line(title)))
}

/// Ends it.
pub fn end_group() -> &'static str {
    "::endgroup::\n"
}

/// Makes the runner replace this text by asterisks in everything it shows from now on; nothing for an empty text.
pub fn mask(secret: &str) -> String {
    match secret.trim().is_empty() {
        true => String::new(),
        false => format!("::add-mask::{}\n", data(secret)),
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str) -> Annotation {
        Annotation {
            level: Level::Error,
            file: None,
            line: None,
            title: String::new(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn what_is_special_is_escaped() {
        let one = Annotation {
            file: Some("a,b:c%2C.md".to_owned()),
            line: Some(3),
            title: "50%, or: so".to_owned(),
            ..error("100 %\r\n::warning::x ##[error]y")
        };
        assert_eq!(
            annotations(&[one]),
            "::error file=a%2Cb%3Ac%252C.md,line=3,title=50%25%2C or%3A so::100 %25%0A: :warning::x ## [error]y\n"
        );
        let unknown = Annotation { file: Some("a".to_owned()), ..error("b") };
        assert_eq!(annotations(&[unknown]), "::error file=a,line=1::b\n");
        assert_eq!(group("a\n::b"), "::group::a\\n::b\n");
        assert_eq!(mask("a%\nb"), "::add-mask::a%25%0Ab\n");
        assert_eq!(mask(" "), "");
    }

    #[test]
    fn nine_of_a_level_and_the_rest_counted() {
        let many = |count| annotations(&vec![error("x"); count]);
        assert_eq!(many(9).lines().count(), 9);
        assert!(!many(9).contains("more"));
        assert_eq!(many(10).lines().count(), 10);
        assert!(many(10).ends_with("::error title=agent-sync::and 1 more, see the summary\n"));
        assert_eq!(many(26).lines().count(), 10);
        assert!(many(26).ends_with("::and 17 more, see the summary\n"));
        let mut mixed = vec![error("x"); 9];
        mixed.push(Annotation { level: Level::Warning, ..error("y") });
        assert_eq!(annotations(&mixed).lines().count(), 10);
    }

    /// The message as the runner counts it.
    fn units(line: &str) -> usize {
        line.trim_end().strip_prefix("::error::").unwrap().encode_utf16().count()
    }

    #[test]
    fn a_message_is_cut_where_the_runner_would() {
        let at = annotations(&[error(&"x".repeat(4096))]);
        assert_eq!((units(&at), at.contains("cut")), (4096, false));
        let past = annotations(&[error(&"x".repeat(4097))]);
        assert_eq!((units(&past), past.contains("cut")), (4096, true));
        // Two code units each: one less than fits.
        let wide = annotations(&[error(&"\u{1f600}".repeat(2049))]);
        assert!((4095..=4096).contains(&units(&wide)) && wide.contains("cut"));
        assert!(!annotations(&[error(&"\u{1f600}".repeat(2048))]).contains("cut"));
    }
}
