//! Fitting parts into a limit: whole ones only, and what is left out is counted.

/// A part in two lengths. Both end with a line break.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// All of it.
    pub full: String,
    /// What must be there at least.
    pub short: String,
}

/// What fitted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fitted {
    /// The parts, in order.
    pub text: String,
    /// How many are there in their short form only.
    pub shortened: usize,
    /// How many are not there.
    pub omitted: usize,
}

/// As many parts as possible in so many bytes, then as many of them in full.
pub(super) fn fit(sections: &[Section], budget: usize) -> Fitted {
    let mut left = budget;
    let mut kept: Vec<(&Section, bool)> = Vec::new();
    for section in sections {
        let least = section.short.len().min(section.full.len());
        if least <= left {
            left -= least;
            kept.push((section, section.full.len() <= least));
        }
    }
    for (section, full) in &mut kept {
        let more = section.full.len().saturating_sub(section.short.len());
        if !*full && more <= left {
            left -= more;
            *full = true;
        }
    }
    Fitted {
        text: kept.iter().map(|(s, full)| if *full { s.full.as_str() } else { &s.short }).collect(),
        shortened: kept.iter().filter(|(_, full)| !full).count(),
        omitted: sections.len() - kept.len(),
    }
}

/// The first rows that fit into so many bytes, and how many do not.
pub(super) fn rows(all: &[String], budget: usize) -> (String, usize) {
    let mut out = String::new();
    for (n, row) in all.iter().enumerate() {
        if out.len() + row.len() > budget {
            return (out, all.len() - n);
        }
        out.push_str(row);
    }
    (out, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(full: &str, short: &str) -> Section {
        Section { full: full.to_owned(), short: short.to_owned() }
    }

    #[test]
    fn whole_parts_up_to_the_limit() {
        let all = [section("aaaa\n", "a\n"), section("bbbb\n", "b\n")];
        let at = fit(&all, 10);
        assert_eq!((at.text.as_str(), at.shortened, at.omitted), ("aaaa\nbbbb\n", 0, 0));
        let past = fit(&all, 9);
        assert_eq!((past.text.as_str(), past.shortened, past.omitted), ("aaaa\nb\n", 1, 0));
        let less = fit(&all, 4);
        assert_eq!((less.text.as_str(), less.shortened, less.omitted), ("a\nb\n", 2, 0));
        let least = fit(&all, 3);
        assert_eq!((least.text.as_str(), least.shortened, least.omitted), ("a\n", 1, 1));
        assert_eq!(fit(&all, 1).omitted, 2);
    }

    #[test]
    fn rows_up_to_the_limit() {
        let all = ["aa\n".to_owned(), "bb\n".to_owned()];
        assert_eq!(rows(&all, 6), ("aa\nbb\n".to_owned(), 0));
        assert_eq!(rows(&all, 5), ("aa\n".to_owned(), 1));
    }
}
