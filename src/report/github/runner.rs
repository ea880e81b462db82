//! Workflow commands as the runner reads them: for tests, and for the fuzz target `commands`, which takes this file as
//! it is.

/// A command as the runner takes it from a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) name: String,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) data: String,
}

/// Written after the runner's own parser (`ActionCommand.cs`), but for the list of known names: any name counts.
/// The second form is looked for where the first is none.
pub(crate) fn parse(line: &str) -> Option<Parsed> {
    first_form(line).or_else(|| second_form(line))
}

fn first_form(line: &str) -> Option<Parsed> {
    let rest = line.trim_start().strip_prefix("::")?;
    let (info, data) = rest.split_once("::")?;
    let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
    let unescape = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n");
    let property =
        |text: &str| unescape(text).replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
    let pairs = properties.trim().split(',').filter_map(|pair| pair.split_once('='));
    Some(Parsed {
        name: name.to_owned(),
        properties: pairs.map(|(name, value)| (name.to_owned(), property(value))).collect(),
        data: unescape(data).replace("%25", "%"),
    })
}

fn second_form(line: &str) -> Option<Parsed> {
    let (_, rest) = line.split_once("##[")?;
    let (info, data) = rest.split_once(']')?;
    let name = info.split_once(' ').map_or(info, |(name, _)| name);
    Some(Parsed { name: name.to_owned(), properties: Vec::new(), data: data.to_owned() })
}

/// The runner compares by the rules of a language; what those do not see is taken out. `\u{ad}` and the like are
/// ignored by Unicode's collation.
pub(crate) fn as_compared(line: &str) -> String {
    line.chars()
        .filter(|c| {
            !(matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
                || (c.is_control() && !c.is_whitespace()))
        })
        .collect()
}

#[test]
fn the_parser_of_this_test_sees_commands() {
    let data = |line: &str| parse(line).map(|one| (one.name, one.data));
    let some = |name: &str, data: &str| Some((name.to_owned(), data.to_owned()));
    assert_eq!(data("  ::error file=a%3Ab,line=1::x%0Ay"), some("error", "x\ny"));
    assert_eq!(data("x ##[group]y"), some("group", "y"));
    assert_eq!(data("x ::error::y"), None);
    assert_eq!(parse("::a b=c%2Cd::").unwrap().properties, [("b".to_owned(), "c,d".to_owned())]);
}
