//! Days and times: one text for what means the same.
//!
//! A day is `2026-09-15`; a time with an offset is an instant, `2026-09-15T08:00:00Z`; a time with a zone stays a
//! local time, `2026-09-15T10:00:00[Europe/Berlin]`, because its offset may change with the law. Two of one sort
//! with a slash between are a range. A time without offset and zone is in UTC, as Notion takes it.

/// A day, a time, or a range of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Date {
    start: Moment,
    end: Option<Moment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Moment {
    /// Days since 1970-01-01.
    Day(i64),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
    /// Milliseconds since 1970-01-01T00:00:00 of the zone's clocks.
    Local(i64, String),
}

const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

/// A text taken apart: days, milliseconds of the day, offset in minutes, zone.
struct Parts<'t> {
    days: i64,
    clock: Option<i64>,
    offset: Option<i64>,
    zone: Option<&'t str>,
}

impl Date {
    /// Reads a date as a person or Notion writes it. A space may stand for the `T`, and around the slash.
    ///
    /// # Errors
    /// Why it is none; a phrase behind "it".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (start, end) = match split_range(text) {
            Some((start, end)) => (start.trim_end(), Some(end.trim_start())),
            None => (text, None),
        };
        let wrong =
            "is no day (YYYY-MM-DD) and no time (YYYY-MM-DDThh:mm with +hh:mm, Z or [Zone])";
        let first = parts(start).ok_or(wrong)?;
        let mut second = end.map(|end| parts(end).ok_or(wrong)).transpose()?;
        let mut zone = first.zone;
        if let Some(second) = &mut second {
            if first.zone.is_some() && second.zone.is_some() && first.zone != second.zone {
                return Err("has two time zones");
            }
            zone = zone.or(second.zone);
            if first.clock.is_some() != second.clock.is_some() {
                return Err("has a time on one end only");
            }
        }
        let start = first.moment(zone);
        let end = second.map(|second| second.moment(zone));
        if end.as_ref().is_some_and(|end| end.order() < start.order()) {
            return Err("ends before it begins");
        }
        Ok(Self { start, end })
    }

    /// From Notion's three fields. With a zone, an offset only repeats what the zone says.
    ///
    /// # Errors
    /// Why it is none; a phrase behind "it".
    pub fn from_parts(
        start: &str,
        end: Option<&str>,
        zone: Option<&str>,
    ) -> Result<Self, &'static str> {
        let zoned = |text: &str| match zone {
            Some(zone) if text.contains('T') => format!("{text}[{zone}]"),
            _ => text.to_owned(),
        };
        match end {
            Some(end) => Self::parse(&format!("{}/{}", zoned(start), zoned(end))),
            None => Self::parse(&zoned(start)),
        }
    }

    /// Whether a backend may show this date so: cut to the minute, or with a zone's local time as an instant. What
    /// offset a zone has is not known here; any that exists will do.
    pub fn may_show_as(&self, shown: &Self) -> bool {
        let same = |own: &Moment, shown: &Moment| match (own, shown) {
            (Moment::Instant(own), Moment::Instant(shown)) => {
                own.div_euclid(MINUTE) == shown.div_euclid(MINUTE)
            }
            (Moment::Local(own, zone), Moment::Local(shown, other)) => {
                zone == other && own.div_euclid(MINUTE) == shown.div_euclid(MINUTE)
            }
            (Moment::Local(own, _), Moment::Instant(shown)) => {
                let offset = own.div_euclid(MINUTE) - shown.div_euclid(MINUTE);
                offset % 15 == 0 && (-12 * 60..=14 * 60).contains(&offset)
            }
            (own, shown) => own == shown,
        };
        same(&self.start, &shown.start)
            && match (&self.end, &shown.end) {
                (Some(own), Some(shown)) => same(own, shown),
                (own, shown) => own.is_none() && shown.is_none(),
            }
    }

    /// Begin, end and zone as Notion takes them: with a zone, times without an offset.
    pub fn to_parts(&self) -> (String, Option<String>, Option<&str>) {
        let zone = match &self.start {
            Moment::Local(_, zone) => Some(zone.as_str()),
            _ => None,
        };
        (self.start.bare(), self.end.as_ref().map(Moment::bare), zone)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.end {
            Some(end) => write!(f, "{}/{end}", self.start),
            None => self.start.fmt(f),
        }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.bare())?;
        match self {
            Self::Local(_, zone) => write!(f, "[{zone}]"),
            _ => Ok(()),
        }
    }
}

/// A canonical date in the manner of an old one: instants in the offset that the old text was written with.
pub fn date_like(old: &str, new: &str) -> String {
    let old_start = split_range(old).map_or(old, |(start, _)| start).trim();
    let offset =
        parts(old_start).filter(|parts| parts.zone.is_none()).and_then(|parts| parts.offset);
    let zulu = old_start.ends_with(['Z', 'z']);
    let spaced = !old_start.contains(['T', 't']);
    let (Some(offset), false, Ok(date)) = (offset, zulu, Date::parse(new)) else {
        return new.to_owned();
    };
    let seconds = old_start.matches(':').count() > 2;
    let write = |moment: &Moment| match moment {
        Moment::Instant(at) => {
            let sign = if offset < 0 { '-' } else { '+' };
            let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
            let mut text = local(at + offset * MINUTE);
            if !seconds && let Some(short) = text.strip_suffix(":00") {
                text = short.to_owned();
            }
            if spaced {
                text = text.replace('T', " ");
            }
            format!("{text}{sign}{hours:02}:{minutes:02}")
        }
        other => other.bare(),
    };
    match &date.end {
        Some(end) => format!("{}/{}", write(&date.start), write(end)),
        None => write(&date.start),
    }
}

/// At the slash between two dates; the slash in a zone's name stands in brackets.
fn split_range(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0i32;
    let at = text.char_indices().find_map(|(at, c)| {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '/' if depth == 0 => return Some(at),
            _ => {}
        }
        None
    })?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

impl Parts<'_> {
    fn moment(&self, zone: Option<&str>) -> Moment {
        match (self.clock, zone) {
            (None, _) => Moment::Day(self.days),
            (Some(clock), Some(zone)) => Moment::Local(self.days * DAY + clock, zone.to_owned()),
            (Some(clock), None) => {
                Moment::Instant(self.days * DAY + clock - self.offset.unwrap_or(0) * MINUTE)
            }
        }
    }
}

impl Moment {
    fn order(&self) -> i64 {
        match self {
            Self::Day(at) | Self::Instant(at) | Self::Local(at, _) => *at,
        }
    }

    /// Without the zone.
    fn bare(&self) -> String {
        match self {
            Self::Day(days) => day(*days),
            Self::Instant(at) => format!("{}Z", local(*at)),
            Self::Local(at, _) => local(*at),
        }
    }
}

/// `2026-09-15T10:00:00`, with milliseconds where there are some.
fn local(at: i64) -> String {
    let (days, clock) = (at.div_euclid(DAY), at.rem_euclid(DAY));
    let (seconds, millis) = (clock / 1000, clock % 1000);
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    format!(
        "{}T{:02}:{:02}:{:02}{fraction}",
        day(days),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The civil date of a count of days (Gregorian calendar, proleptic).
fn day(days: i64) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Days since 1970-01-01; `None` for a day that does not exist.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let shifted_year = year - i64::from(month <= 2);
    let (era, of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

/// A number of exactly so many digits at the begin of a text, and the rest.
fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let (head, tail) = text.split_at_checked(count)?;
    let number = head.bytes().all(|b| b.is_ascii_digit()).then(|| head.parse().ok())??;
    Some((number, tail))
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (of_month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let days = days(year, month, of_month)?;
    if rest.is_empty() {
        return Some(Parts { days, clock: None, offset: None, zone: None });
    }
    let (hour, rest) = digits(rest.strip_prefix(['T', 't', ' '])?, 2)?;
    let (minute, mut rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (mut second, mut millis) = (0, 0);
    if let Some(tail) = rest.strip_prefix(':') {
        (second, rest) = digits(tail, 2)?;
        if let Some(tail) = rest.strip_prefix('.') {
            let length = tail.bytes().take_while(u8::is_ascii_digit).count();
            if length == 0 || length > 9 {
                return None;
            }
            millis = format!("{:0<3}", &tail[..length]).get(..3)?.parse().ok()?;
            rest = &tail[length..];
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let clock = (hour * 3600 + minute * 60 + second) * 1000 + millis;
    let (offset, rest) = offset(rest.trim_start())?;
    let zone = match rest.strip_prefix('[') {
        Some(zone) => Some(zone.strip_suffix(']').filter(|zone| is_zone(zone))?),
        None if rest.is_empty() => None,
        None => return None,
    };
    Some(Parts { days, clock: Some(clock), offset, zone })
}

/// Minutes east of UTC, and what follows.
fn offset(text: &str) -> Option<(Option<i64>, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((Some(0), rest));
    }
    let sign = match text.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return Some((None, text)),
    };
    let (hours, rest) = digits(text.get(1..)?, 2)?;
    let (minutes, rest) = match rest.strip_prefix(':') {
        Some(rest) => digits(rest, 2)?,
        None if rest.starts_with(|c: char| c.is_ascii_digit()) => digits(rest, 2)?,
        None => (0, rest),
    };
    (hours <= 15 && minutes <= 59).then_some((Some(sign * (hours * 60 + minutes)), rest))
}

/// Whether a text looks like a name of the zone database.
fn is_zone(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '/');
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 64
        && text.chars().all(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> String {
        Date::parse(text).unwrap_or_else(|why| panic!("{text} {why}")).to_string()
    }

    #[test]
    fn what_means_the_same_is_written_the_same() {
        for (text, want) in [
            ("2026-09-15", "2026-09-15"),
            ("2026-09-15T10:00:00+02:00", "2026-09-15T08:00:00Z"),
            ("2026-09-15T10:00:00.000+02:00", "2026-09-15T08:00:00Z"),
            ("2026-09-15 10:00 +02:00", "2026-09-15T08:00:00Z"),
            ("2026-09-15T10:00+0200", "2026-09-15T08:00:00Z"),
            ("2026-09-15T08:00", "2026-09-15T08:00:00Z"),
            ("2026-09-15t08:00:00z", "2026-09-15T08:00:00Z"),
            ("2026-03-01T00:30:00+01:00", "2026-02-28T23:30:00Z"),
            ("2024-02-29T23:59:59.5-00:30", "2024-03-01T00:29:59.500Z"),
            ("2026-09-15T10:00+02:00[Europe/Berlin]", "2026-09-15T10:00:00[Europe/Berlin]"),
            ("2026-09-15 / 2026-09-20", "2026-09-15/2026-09-20"),
            (
                "2026-09-15T10:00[Europe/Berlin]/2026-09-15T12:00",
                "2026-09-15T10:00:00[Europe/Berlin]/2026-09-15T12:00:00[Europe/Berlin]",
            ),
        ] {
            assert_eq!(canonical(text), want);
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2026-02-30",
            "2026-13-01",
            "2026-9-5",
            "20260915",
            "2026-09-15T25:00",
            "2026-09-15T10",
            "2026-09-15T10:00[",
            "2026-09-15T10:00[]",
            "2026-09-15[Europe/Berlin]",
            "2026-09-20/2026-09-15",
            "2026-09-15/2026-09-16T10:00",
            "2026-09-15/",
            "/2026-09-15",
            "２026-09-15",
            "2026-09-15é",
            "2026-09-15T10:00[A/B]/2026-09-15T11:00[C/D]",
        ] {
            assert!(Date::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn notions_fields_and_back() {
        let zoned =
            Date::from_parts("2026-09-15T10:00:00.000+02:00", None, Some("Europe/Berlin")).unwrap();
        assert_eq!(zoned.to_string(), "2026-09-15T10:00:00[Europe/Berlin]");
        assert_eq!(
            zoned.to_parts(),
            ("2026-09-15T10:00:00".to_owned(), None, Some("Europe/Berlin"))
        );
        let range = Date::from_parts("2026-09-15", Some("2026-09-16"), None).unwrap();
        assert_eq!(
            range.to_parts(),
            ("2026-09-15".to_owned(), Some("2026-09-16".to_owned()), None)
        );
    }

    #[test]
    fn what_a_backend_may_make_of_a_date() {
        for (own, shown, may) in [
            ("2026-09-15T08:00:30Z", "2026-09-15T08:00:00Z", true),
            ("2026-09-15T08:00:30Z", "2026-09-15T08:01:00Z", false),
            ("2026-09-15T10:00[Europe/Berlin]", "2026-09-15T10:00:00+02:00", true),
            ("2026-09-15T10:00[Europe/Berlin]", "2026-09-15T10:07:00+02:00", false),
            ("2026-09-15T10:00[Europe/Berlin]", "2026-09-17T10:00:00+02:00", false),
            ("2026-09-15", "2026-09-15T00:00:00Z", false),
            ("2026-09-15/2026-09-16", "2026-09-15", false),
            ("2026-09-15/2026-09-16", "2026-09-15/2026-09-16", true),
        ] {
            let [own_date, shown_date] = [own, shown].map(|text| Date::parse(text).unwrap());
            assert_eq!(own_date.may_show_as(&shown_date), may, "{own} {shown}");
        }
    }

    #[test]
    fn a_new_time_keeps_the_offset_of_the_old_text() {
        for (old, new, want) in [
            ("2026-09-15T10:00:00+02:00", "2026-09-16T08:00:00Z", "2026-09-16T10:00:00+02:00"),
            ("2026-09-15 10:00+02:00", "2026-09-16T08:30:00Z", "2026-09-16 10:30+02:00"),
            ("2026-09-15T10:00:00-05:30", "2026-09-16", "2026-09-16"),
            ("2026-09-15", "2026-09-16T08:00:00Z", "2026-09-16T08:00:00Z"),
            ("2026-09-15T10:00:00Z", "2026-09-16T08:00:00Z", "2026-09-16T08:00:00Z"),
        ] {
            assert_eq!(date_like(old, new), want);
            assert_eq!(canonical(want), new);
        }
    }

    proptest! {
        #[test]
        fn civil_days_go_there_and_back(count in -700_000i64..2_900_000) {
            let text = day(count);
            let parts = parts(&text).unwrap();
            prop_assert_eq!(parts.days, count);
        }

        #[test]
        fn canonical_dates_are_fixed_points(at in -10_000_000_000_000i64..100_000_000_000_000, later in 0i64..1_000_000_000) {
            let date = Date { start: Moment::Instant(at), end: Some(Moment::Instant(at + later)) };
            prop_assert_eq!(Date::parse(&date.to_string()), Ok(date));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[0-9TZ:+/.\\[\\] é-]{0,40}") {
            let _ = Date::parse(&text);
            let _ = date_like(&text, "2026-09-16T08:00:00Z");
        }
    }
}
