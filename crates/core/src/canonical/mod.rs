//! Canonical texts of values: what means the same is written the same, whichever side it comes from.

mod date;

pub use date::{Date, date_like};

/// A decimal number in its shortest form: `8`, `8.0` and `8e0` are all `8`. `None` for what is no decimal number,
/// or one that a double cannot hold.
pub fn number(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let plain = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !plain.is_empty() && digits(plain)
    });
    // A leading zero is an octal number to one reader of YAML and a decimal one to another.
    let ambiguous = whole.len() > 1 && whole.starts_with('0');
    let empty = whole.is_empty() && fraction.is_empty();
    if empty || ambiguous || !digits(whole) || !digits(fraction) || !exponent_fits {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    // A backend that computes with doubles does not tell all large whole numbers apart.
    let whole = (exponent.is_none() && fraction.is_empty()).then(|| mantissa.trim_end_matches('.'));
    let exact = whole
        .is_none_or(|whole| whole.parse::<u128>().is_ok_and(|whole| whole == number.abs() as u128));
    (number.is_finite() && exact).then(|| of_number(number))
}

/// A double in the form of [`number`].
pub fn of_number(number: f64) -> String {
    // No minus before a zero.
    let number = if number == 0.0 { 0.0 } else { number };
    if number != 0.0 && (number.abs() >= 1e16 || number.abs() < 1e-7) {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

/// Whether a box is ticked, in any of YAML's words for it.
pub fn checkbox(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

/// The word for a box in the manner of another one: `yes` becomes `no`, `TRUE` becomes `FALSE`.
pub fn checkbox_like(old: &str, ticked: bool) -> String {
    let (yes, no) = match old.to_ascii_lowercase().as_str() {
        "yes" | "no" => ("yes", "no"),
        "on" | "off" => ("on", "off"),
        "y" | "n" => ("y", "n"),
        _ => ("true", "false"),
    };
    let word = if ticked { yes } else { no };
    let mut letters = old.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_uppercase() => {
            word.to_uppercase()
        }
        (Some(first), second) if first.is_uppercase() => match second {
            None => word.to_uppercase(),
            Some(_) => {
                let (head, tail) = word.split_at(1);
                format!("{}{tail}", head.to_uppercase())
            }
        },
        _ => word.to_owned(),
    }
}

/// An email address in lower case; `None` for what is none.
pub fn email(text: &str) -> Option<String> {
    let (name, domain) = text.rsplit_once('@')?;
    let sound = !name.is_empty()
        && !domain.is_empty()
        && !text.contains(|c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, ',' | '<' | '>')
        });
    sound.then(|| text.to_lowercase())
}

/// Whether a text is an address of the web, `http` or `https`.
pub fn is_web_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty()) && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_that_mean_the_same_are_written_the_same() {
        for (text, want) in [
            ("8", "8"),
            ("8.0", "8"),
            ("+8", "8"),
            ("8e0", "8"),
            ("80E-1", "8"),
            ("-0", "0"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-12.50", "-12.5"),
            ("0.1", "0.1"),
            ("1e30", "1e30"),
            ("9007199254740992", "9007199254740992"),
        ] {
            assert_eq!(number(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_decimal_number_is_none() {
        for text in [
            "",
            "-",
            ".",
            "1e",
            "e5",
            "0x1F",
            "1_000",
            "1,5",
            "8 apples",
            ".inf",
            "nan",
            "1e999",
            "017",
            "9007199254740993",
            "٣",
            "1e+-2",
            "--1",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn boxes_keep_the_manner_of_their_word() {
        for (old, ticked, want) in [
            ("true", false, "false"),
            ("True", false, "False"),
            ("YES", false, "NO"),
            ("no", true, "yes"),
            ("Off", true, "On"),
            ("N", true, "Y"),
            ("n", true, "y"),
        ] {
            assert_eq!(checkbox_like(old, ticked), want);
            assert_eq!(checkbox(old), Some(!ticked));
            assert_eq!(checkbox(want), Some(ticked));
        }
        assert_eq!(checkbox("maybe"), None);
    }

    #[test]
    fn addresses() {
        assert_eq!(email("Ada@Example.COM").as_deref(), Some("ada@example.com"));
        for wrong in ["Ada", "@x", "a@", "a b@x", "Ada <a@x>", "a@x,b@y"] {
            assert_eq!(email(wrong), None, "{wrong}");
        }
        assert!(is_web_address("https://example.com/a,b"));
        assert!(
            !is_web_address("file:///etc/passwd")
                && !is_web_address("https://")
                && !is_web_address("a.png")
        );
    }

    proptest! {
        #[test]
        fn canonical_numbers_stay_and_keep_their_value(number in proptest::num::f64::NORMAL) {
            let text = of_number(number);
            prop_assert_eq!(text.parse::<f64>().unwrap(), number);
            prop_assert_eq!(super::number(&text), Some(text));
        }
    }
}
