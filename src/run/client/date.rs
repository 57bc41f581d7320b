//! Dates of cookies, as servers write them and as clients have to read them (RFC 6265 section 5.1.1): in any of three old forms and
//! in all that lie between. Their time is UTC, whatever they say of it. Libraries know the three forms (`httpdate`), or a few (`cookie`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The moment that a text tells; none: it is no date. A day that its month does not have is one of the next.
pub(super) fn read(text: &str) -> Option<SystemTime> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for word in text.split(|c| !is_part(c)).filter(|word| !word.is_empty()) {
        if let (None, Some(told)) = (time, of_day(word)) {
            time = Some(told);
        } else if let (None, Some(told)) = (day, number(word, 1..=2)) {
            day = Some(told);
        } else if let (None, Some(told)) = (month, month_of(word)) {
            month = Some(told);
        } else if let (None, Some(told)) = (year, number(word, 2..=4)) {
            year = Some(told);
        }
    }
    let (time, day, month) = (time?, day?, month?);
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    if !(1..=31).contains(&day) || year < 1601 {
        return None;
    }
    let seconds = (days(year, month, day) * 86_400 + time).unsigned_abs();
    let away = Duration::from_secs(seconds);
    match year < 1970 {
        true => UNIX_EPOCH.checked_sub(away),
        false => UNIX_EPOCH.checked_add(away),
    }
}

/// Days from 1970 to a date. Counted from March on, so that a leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        0 | 1 => (year - 1, month + 10),
        _ => (year, month - 2),
    };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// `08:49:37`: the seconds of a day.
fn of_day(word: &str) -> Option<i64> {
    let mut fields = word.splitn(3, ':');
    let mut field = |most| {
        let (value, length) = leading(fields.next()?)?;
        ((1..=2).contains(&length) && value <= most).then_some(value)
    };
    Some(field(23)? * 3600 + field(59)? * 60 + field(59)?)
}

/// The month, January being 0.
fn month_of(word: &str) -> Option<i64> {
    let name = word.get(..3)?;
    let place = MONTHS
        .iter()
        .position(|month| name.eq_ignore_ascii_case(month))?;
    i64::try_from(place).ok()
}

/// A number of so many digits at the beginning of a word.
fn number(word: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
    leading(word)
        .filter(|(_, length)| digits.contains(length))
        .map(|(value, _)| value)
}

/// The number at the beginning of a word, and how many digits it has.
fn leading(word: &str) -> Option<(i64, usize)> {
    let end = word.find(|c: char| !c.is_ascii_digit());
    let digits = &word[..end.unwrap_or(word.len())];
    Some((digits.parse().ok()?, digits.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_date_is_read() {
        let told = |text| read(text).expect(text);
        let moment = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "1994 november 6th 8:49:37x",
        ] {
            assert_eq!(told(text), moment, "{text}");
        }
        let first = told("Thu, 01-Jan-1970 00:00:01 GMT");
        assert_eq!(first, UNIX_EPOCH + Duration::from_secs(1));
        let leap = told("29 Feb 2000 00:00:00");
        assert_eq!(leap, UNIX_EPOCH + Duration::from_secs(951_782_400));
        let before = told("31 Dec 1969 23:59:59");
        assert_eq!(before, UNIX_EPOCH - Duration::from_secs(1));
        assert!(told("1 Jan 69 00:00:00") > told("31 Dec 99 00:00:00"));
    }

    #[test]
    fn what_is_no_date_is_told() {
        for text in [
            "",
            "0",
            "-1",
            "Session",
            "06 Nov 1994",
            "06 Nov 1994 24:00:00",
            "06 Nov 1994 08:49",
            "00 Nov 1994 08:49:37",
            "32 Nov 1994 08:49:37",
            "06 Nov 1600 08:49:37",
            "06 Foo 1994 08:49:37",
            "06 Nov 19940 08:49:37",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
