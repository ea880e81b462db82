//! A word that changes on one side is a line or a block on the other, however the file is written.

use std::fmt::Write as _;

use notion_sim::BlockInfo;

use crate::common::Lab;
use crate::{blocks, sync};

/// Ways to write a document by hand: a name, the body with one apple in it, and what a person writes in Notion in
/// place of the block, the row's cell, or the code around the apple; `None` for its plain text.
const BY_HAND: &[(&str, &str, Option<&str>)] = &[
    (
        "hard wraps",
        "A paragraph that is\nwrapped by hand, the apple\nin the middle of\nfour lines.\n",
        Some("A paragraph that is wrapped by hand, the grape in the middle of four lines."),
    ),
    (
        "an indented wrap",
        "A paragraph\n  that is wrapped, the apple\n  in the middle.\n",
        Some("A paragraph that is wrapped, the grape in the middle."),
    ),
    ("a list indented by tabs", "- one\n\t- two apple\n\t\t- three\n- four\n", None),
    ("a tab in the text", "Text\twith\tan apple.\n", None),
    ("a list of stars", "* one\n* two apple\n    * far in\n* three\n", None),
    ("a list of pluses", "+ one\n+ two apple\n", None),
    ("a list with wide markers", "-   one\n-   two apple\n-   three\n", None),
    ("three kinds of lists", "* one\n\n- two apple\n\n+ three\n", None),
    ("a list with parentheses", "1) one\n2) two apple\n3) three\n", None),
    ("a list that counts from five", "5. one\n6. two apple\n7. three\n", None),
    ("a list of ones", "1. one\n1. two apple\n1. three\n", None),
    ("a list of zeros", "01. one\n02. two apple\n", None),
    ("a loose list", "- one\n\n- two apple\n\n- three\n", None),
    ("a loose list within a tight one", "- one\n  - in apple\n\n  - in two\n- three\n", None),
    ("mixed markers", "1. one\n   * in\n   * in apple\n     + deep\n2. two\n", None),
    (
        "an item wrapped by hand",
        "- an item that\n  is wrapped, the apple\n  in it\n- two\n",
        Some("an item that is wrapped, the grape in it"),
    ),
    (
        "a lazy item",
        "- an item that\nis lazy, the apple\n- two\n",
        Some("an item that is lazy, the grape"),
    ),
    ("an item of two paragraphs", "- an item\n\n  with an apple\n\n- two\n", None),
    (
        "code in an item",
        "- an item\n\n  ```sh\n  eat apple\n  ls\n  ```\n- two\n",
        Some("eat grape\nls"),
    ),
    ("an empty item", "- one\n-\n- two apple\n", None),
    ("tasks", "* [ ] one\n* [X] two apple\n", None),
    (
        "indented code",
        "Before.\n\n    let apple = 1;\n\n    let b = 2;\n\nAfter.\n",
        Some("let grape = 1;\n\nlet b = 2;"),
    ),
    (
        "code indented by a tab",
        "Before.\n\n\tlet apple = 1;\n\tlet b = 2;\n",
        Some("let grape = 1;\nlet b = 2;"),
    ),
    (
        "code fenced by tildes in an odd language",
        "~~~~ mermaidish title=\"x\"\nan apple\n~~~\nb\n~~~~\n",
        Some("an grape\n~~~\nb"),
    ),
    ("code with a known alias", "```py\nx  =  apple\n```\n", Some("x  =  grape")),
    ("an indented fence", "  ```js\n  apple()\n  b()\n  ```\n", Some("grape()\nb()")),
    ("a fence that never ends", "```\napple\nb\n", Some("grape\nb")),
    ("a table without outer pipes", "a | b\n--|--\napple | d\ne | f\n", None),
    (
        "a table with padding",
        "| name    | count |\n|:--------|------:|\n| apple   |     3 |\n| pears   |    12 |\n",
        None,
    ),
    ("a table with marks", "|**a**|`b\\|c`|\n|-|-|\n|an apple|d|\n", None),
    ("a table with short rows", "| a | b |\n|---|---|\n| apple |\n| c | d | e |\n", None),
    ("trailing spaces", "A line with spaces.   \n\nAn apple here.   \n\nEnd.  \n", None),
    (
        "a hard break by spaces",
        "An apple here.  \nAnd a line.\n",
        Some("An grape here.<br>And a line."),
    ),
    (
        "a hard break by a backslash",
        "An apple here.\\\nAnd a line.\n",
        Some("An grape here.<br>And a line."),
    ),
    ("a break by a tag", "An apple here.<br/>And a line.\n", Some("An grape here.<br>And a line.")),
    ("no final newline", "One.\n\nAn apple", None),
    ("blank lines", "One.\n\n\n\nAn apple.\n\n\n\nTwo.\n\n\n", None),
    ("a setext heading", "The apple\n=========\n\nText.\n\nTwo\n---\n\nMore.\n", None),
    ("a setext heading of two lines", "The apple\nagain\n---\n\nText.\n", Some("The grape again")),
    ("a closed heading", "## The apple ##\n\nText.\n", None),
    (
        "reference links",
        "See [the docs][docs], [docs] and an apple.\n\n[docs]: https://example.com/docs \"Docs\"\n",
        Some(
            "See [the docs](https://example.com/docs), [docs](https://example.com/docs) and an grape.",
        ),
    ),
    (
        "a link with a title",
        "See [it](https://example.com/x 'A title') and an apple.\n",
        Some("See [it](https://example.com/x) and an grape."),
    ),
    (
        "links without brackets",
        "See <https://example.com/a> and https://example.com/b and an apple.\n",
        None,
    ),
    ("comments", "<!-- one -->\n\nAn apple.\n<!-- two -->\n\n<!--\nthree\n-->\nEnd.\n", None),
    ("a comment in the text", "An apple <!-- why --> and more.\n", None),
    ("footnotes", "A claim.[^1] An apple.\n\n[^1]: The note\n    goes on.\n\nEnd.\n", None),
    ("a footnote", "A claim.[^n]\n\nAn apple.\n\n[^n]: The note.\n", None),
    (
        "details",
        "<details>\n<summary>More</summary>\n\nInside an apple.\n\n- item\n\n</details>\n\nEnd.\n",
        None,
    ),
    (
        "details open",
        "<details open>\n<summary>More apple</summary>\n\nInside.\n\n</details>\n",
        None,
    ),
    (
        "an alert",
        "> [!WARNING]\n> Mind the apple.\n> Twice.\n\nEnd.\n",
        Some("Mind the grape. Twice."),
    ),
    ("an alert of two paragraphs", "> [!NOTE]\n> One.\n>\n> An apple.\n", None),
    ("a quote", "> A quote\n> with an apple\n> in it.\n", Some("A quote with an grape in it.")),
    ("a lazy quote", "> A quote with\nan apple\n", Some("A quote with an grape")),
    ("a quote in a quote", "> One.\n>\n> > An apple.\n", None),
    ("a tight quote", ">An apple.\n>Two.\n", Some("An grape. Two.")),
    ("a list in a quote", "> One:\n>\n> * an apple\n> * two\n", None),
    (
        "underscores",
        "An __apple__ and _some_ words, ~~old~~, `code`.\n",
        Some("An **grape** and *some* words, ~~old~~, `code`."),
    ),
    (
        "underscores over a wrap",
        "A paragraph with _an\napple in it_ and __more\nof it__ here.\n",
        Some("A paragraph with *an grape in it* and **more of it** here."),
    ),
    (
        "a word at the end of marks",
        "A paragraph with __an apple__\nand _more_\nof it.\n",
        Some("A paragraph with **an grape** and *more* of it."),
    ),
    ("an equation by a fence", "```math\na apple b\nc\n```\n", Some("a grape b\nc")),
    ("an equation in a line", "$$ apple $$\n\nEnd.\n", Some("grape")),
    ("an indented equation", "- one\n\n  $$\n    apple\n    b\n  $$\n", Some("grape\nb")),
    (
        "a title over a wrap",
        "<details>\n<summary>An apple and <b>more</b></summary>\n\nInside\nwrapped.\n\n</details>\n",
        Some("An grape and **more**"),
    ),
    (
        "marks within marks",
        "_An **apple** here_ and ***both***.\n",
        Some("*An **grape** here* and ***both***."),
    ),
    (
        "tags for marks",
        "An <b>apple</b> and H<sub>2</sub>O <kbd>x</kbd>.\n",
        Some("An **grape** and H\\<sub\\>2\\</sub\\>O \\<kbd\\>x\\</kbd\\>."),
    ),
    (
        "needless escapes",
        "A \\# sign\\, an apple \\[x\\] 1\\. a\\_b.\n",
        Some("A # sign, an grape \\[x\\] 1. a\\_b."),
    ),
    (
        "missing escapes",
        "2 * 3 * 4 an apple a_b_c <- x & y ~ z $5 [x].\n",
        Some("2 \\* 3 \\* 4 an grape a\\_b\\_c \\<- x & y \\~ z \\$5 \\[x\\]."),
    ),
    ("entities", "An apple &amp; &copy; &#64; &nbsp;x.\n", Some("An grape & © @ \u{a0}x.")),
    ("code spans", "An apple `` a`b `` and ` c `.\n", Some("An grape ``a`b`` and `c`.")),
    ("an equation", "$$\na apple b\nc\n$$\n\nEnd.\n", Some("a grape b\nc")),
    (
        "an equation in the text",
        "An apple is $a_1 * b$ and $c$.\n",
        Some("An grape is \\$a_1 \\* b\\$ and \\$c\\$."),
    ),
    ("rules", "***\n\nAn apple.\n\n___\n\n- - -\n", None),
    ("a block of tags", "<div align=\"center\">\n  An image.\n</div>\n\nAn apple.\n", None),
    ("an image", "![A picture](https://example.com/a.png \"T\")\n\nAn apple.\n", None),
    (
        "an image in the text",
        "An apple ![A picture](https://example.com/a.png) here.\n",
        Some("An grape [A picture](https://example.com/a.png) here."),
    ),
    ("no blank lines", "## One\nAn apple.\n## Two\n- a\n- b\nlazy\n***\nEnd.\n", None),
    ("emoji", "An apple :tada: 🎉 é e\u{301}.\n", None),
    ("two of the same", "Same.\n\nAn apple.\n\nSame.\n\nSame.\n", None),
];

/// How a whole file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum File {
    Plain,
    Crlf,
    Bom,
    FrontMatter,
    /// Another paragraph changes in the same run.
    Beside,
}

const WRAPPED: &str = "A __paragraph\nthat__ is wrapped, a kiwi\nin it.\n\n";

impl File {
    fn text(self, id: &str, body: &str) -> String {
        let text = format!("# {id}: Title\n\n## State\n\nDRAFT\n\n## Body\n\n{body}");
        match self {
            Self::Beside => text.replace("## Body\n\n", &format!("## Body\n\n{WRAPPED}")),
            Self::Plain => text,
            Self::Crlf => text.replace('\n', "\r\n"),
            Self::Bom => format!("\u{feff}{text}"),
            Self::FrontMatter => {
                format!("---\n# by hand\nowner:   'team a'   # ask\ntags: [a,  b]\n---\n{text}")
            }
        }
    }
}

/// What a person writes in place of the text around the apple.
fn new_text(blocks: &[BlockInfo], given: Option<&str>) -> Option<String> {
    if let Some(given) = given {
        return Some(given.to_owned());
    }
    let block = blocks.iter().find(|block| block.text.contains("apple"))?;
    let text = match block.kind.as_str() {
        "table_row" => block.text.split(" | ").find(|cell| cell.contains("apple"))?,
        _ => &block.text,
    };
    Some(text.replace("apple", "grape"))
}

/// Every way to write by hand, one edit of a word in Notion, then one in the file.
fn one_word(file: File) {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    let id = |n: usize| format!("INFRA-{}", n + 1);
    let mut paths = Vec::new();
    for (n, (_, body, _)) in BY_HAND.iter().enumerate() {
        let path = repo.story(&id(n), "Title", "DRAFT", "");
        repo.write(&path, &file.text(&id(n), body));
        paths.push(path);
    }
    repo.init();
    repo.run(&["sync"]).expect(0);
    sync(&lab, &repo);
    let mut wrong = String::new();
    let texts: Vec<String> = paths.iter().map(|path| repo.read(path)).collect();
    for (n, (name, body, _)) in BY_HAND.iter().enumerate() {
        if texts[n] != file.text(&id(n), body) {
            let _ = writeln!(wrong, "{name}: the file was touched: {:?}", texts[n]);
        }
    }
    repo.commit("as it was");

    let mut before = Vec::new();
    for (n, (name, _, given)) in BY_HAND.iter().enumerate() {
        let all = blocks(&lab, &id(n));
        let page = lab.page("Stories", &id(n));
        match new_text(&all, *given) {
            Some(new) => {
                lab.sim.workspace().edit_block(&page, "apple", &new).unwrap();
            }
            None => {
                let _ = writeln!(wrong, "{name}: no apple in {all:?}");
            }
        }
        if file == File::Beside {
            let new = "A **paragraph that** is wrapped, a plum in it.";
            lab.sim.workspace().edit_block(&page, "kiwi", new).unwrap();
        }
        before.push(blocks(&lab, &id(n)));
    }
    let bodies: Vec<String> = (0..paths.len()).map(|n| lab.body("Stories", &id(n))).collect();
    lab.minutes(3);
    repo.run(&["sync", "--allow", "change=1000"]).expect(0);
    let lines = if file == File::Beside { "2" } else { "1" };
    let numbers = repo.git(&["diff", "--numstat"]);
    for (n, (name, ..)) in BY_HAND.iter().enumerate() {
        let now = repo.read(&paths[n]);
        let line = numbers.lines().find(|line| line.ends_with(&paths[n])).unwrap_or_default();
        let counts: Vec<&str> = line.split('\t').take(2).collect();
        if now != texts[n].replace("apple", "grape").replace("kiwi", "plum")
            || counts != [lines, lines]
        {
            let _ = writeln!(
                wrong,
                "{name}: pulled, {line:?}\n  from {:?}\n  to   {now:?}\n  with {:?}",
                texts[n], bodies[n]
            );
        }
        if lab.body("Stories", &id(n)) != bodies[n] {
            let _ = writeln!(wrong, "{name}: a pull wrote {:?}", lab.body("Stories", &id(n)));
        }
        // What the mirror starts with, whatever came before.
        repo.write(&paths[n], &now.replace("grape", "melon"));
    }
    lab.minutes(3);
    repo.run(&["sync", "--allow", "change=1000"]).expect(0);
    for (n, (name, ..)) in BY_HAND.iter().enumerate() {
        let all = blocks(&lab, &id(n));
        let same = |old: &BlockInfo, new: &BlockInfo| {
            old == new
                || (old.text.contains("grape") && new.text == old.text.replace("grape", "melon"))
        };
        let fine = all.len() == before[n].len()
            && before[n].iter().zip(&all).all(|(old, new)| same(old, new))
            && before[n].iter().zip(&all).filter(|(old, new)| old != new).count() == 1;
        if !fine {
            let _ = writeln!(wrong, "{name}: pushed\n  from {:?}\n  to   {all:?}", before[n]);
        }
        let body = bodies[n].replace("grape", "melon");
        if lab.body("Stories", &id(n)) != body {
            let _ = writeln!(
                wrong,
                "{name}: pushed\n  wanted {body:?}\n  is     {:?}",
                lab.body("Stories", &id(n))
            );
        }
    }
    let files = repo.files();
    sync(&lab, &repo);
    lab.minutes(3);
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!((lab.writes(), repo.files() == files), (0, true), "it never rests");
    assert!(wrong.is_empty(), "{file:?}\n{wrong}");
}

#[test]
fn a_word_in_notion_is_a_line_in_the_file_and_a_word_in_the_file_is_a_block_in_notion() {
    one_word(File::Plain);
}

#[test]
fn a_word_is_a_line_with_carriage_returns() {
    one_word(File::Crlf);
}

#[test]
fn a_word_is_a_line_below_a_mark_of_byte_order() {
    one_word(File::Bom);
}

#[test]
fn a_word_is_a_line_below_front_matter() {
    one_word(File::FrontMatter);
}

#[test]
fn a_word_is_a_line_beside_another_one() {
    one_word(File::Beside);
}
