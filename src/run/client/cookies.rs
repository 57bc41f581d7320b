//! Cookies that a client keeps (RFC 6265), as far as one that talks to one server needs them: names, values and how long they
//! hold. Not here: domains, paths.

use super::date;
use hyper::header::{HeaderMap, HeaderValue, SET_COOKIE};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// What a client has been given.
#[derive(Debug, Default)]
pub(super) struct Cookies {
    /// By name: the value, and when it is to be forgotten.
    kept: BTreeMap<String, (String, Option<Instant>)>,
}

/// A moment by the clock that counts from nowhere, and by the one of dates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// By the first.
    pub(super) at: Instant,
    /// By the second.
    pub(super) date: SystemTime,
}

impl Now {
    /// This moment.
    pub(super) fn read() -> Self {
        Self {
            at: Instant::now(),
            date: SystemTime::now(),
        }
    }
}

impl Cookies {
    /// Keeps what an answer sets, but for what is to be forgotten at once.
    pub(super) fn keep(&mut self, answer: &HeaderMap, now: Now) {
        let lines = answer.get_all(SET_COOKIE).iter();
        for line in lines.filter_map(|line| line.to_str().ok()) {
            let mut parts = line.split(';');
            let (name, value) = match parts.next().and_then(pair) {
                Some((name, value)) if !name.is_empty() => (name, value),
                Some(_) | None => continue,
            };
            let until = lasts(parts, now.date).map(|lasts| now.at.checked_add(lasts));
            let kept = (value.to_owned(), until.flatten());
            self.kept.insert(name.to_owned(), kept);
        }
    }

    /// The header of the next request; none: there is nothing to tell.
    pub(super) fn sent(&mut self, now: Instant) -> Option<HeaderValue> {
        self.kept
            .retain(|_, (_, until)| until.is_none_or(|until| until > now));
        let pairs = self.kept.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, (value, _))| format!("{name}={value}"))
            .collect();
        let some = !pairs.is_empty();
        some.then(|| HeaderValue::from_str(&pairs.join("; ")).ok())?
    }
}

fn pair(part: &str) -> Option<(&str, &str)> {
    let (name, value) = part.split_once('=')?;
    Some((name.trim(), value.trim()))
}

/// How long a cookie with these attributes holds; none: as long as its client. Of two that say the same the last one counts, and
/// an age before a date (RFC 6265 section 5.3). What cannot be understood was not said.
fn lasts<'a>(attributes: impl Iterator<Item = &'a str>, today: SystemTime) -> Option<Duration> {
    let (mut age, mut end) = (None, None);
    for (name, value) in attributes.filter_map(pair) {
        if name.eq_ignore_ascii_case("max-age") {
            age = max_age(value).or(age);
        } else if name.eq_ignore_ascii_case("expires") {
            end = date::read(value).or(end);
        }
    }
    let left = |end: SystemTime| end.duration_since(today).unwrap_or_default();
    age.or(end.map(left))
}

/// Whole seconds; less than none is none (section 5.2.2).
fn max_age(value: &str) -> Option<Duration> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let seconds = match digits.len() < value.len() {
        true => 0,
        false => digits.parse().unwrap_or(u64::MAX),
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(cookies: &mut Cookies, lines: &[&'static str], now: Now) {
        let lines = lines.iter().copied().map(HeaderValue::from_static);
        let answer = lines.map(|line| (SET_COOKIE, line)).collect();
        cookies.keep(&answer, now);
    }

    #[test]
    fn what_was_given_is_sent_until_it_is_too_old() {
        let (mut cookies, now) = (Cookies::default(), Now::read());
        assert_eq!(cookies.sent(now.at), None);
        given(
            &mut cookies,
            &[
                "AWSELB=1;PATH=/;MAX-AGE=2",
                "cart = 7; Path=/; HttpOnly",
                "nonsense",
                "=nameless",
            ],
            now,
        );
        let sent = |cookies: &mut Cookies, ms| cookies.sent(now.at + Duration::from_millis(ms));
        assert_eq!(sent(&mut cookies, 1999).expect("two"), "AWSELB=1; cart=7");
        assert_eq!(sent(&mut cookies, 2000).expect("one"), "cart=7");
        given(&mut cookies, &["cart=8"], now);
        assert_eq!(sent(&mut cookies, 2000).expect("one"), "cart=8");
        given(&mut cookies, &["cart=;Max-Age=0"], now);
        assert_eq!(sent(&mut cookies, 2000), None);
    }

    #[test]
    fn what_is_over_already_takes_the_cookie_away() {
        let now = Now::read();
        for (over, attributes) in [
            (true, "cart=; Max-Age=-1"),
            (true, "cart=; max-age = -99999999999999999999"),
            (true, "cart=; Expires=Thu, 01-Jan-1970 00:00:01 GMT"),
            (
                true,
                "cart=; Expires=Fri, 31 Dec 9999 23:59:59 GMT; Max-Age=0",
            ),
            (true, "cart=; Max-Age=60; Max-Age=0"),
            (true, "cart=; Max-Age=0; Max-Age=soon"),
            (
                false,
                "cart=; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            ),
            (false, "cart=; Max-Age=99999999999999999999"),
            (false, "cart=; Expires=Fri, 31 Dec 9999 23:59:59 GMT"),
            (false, "cart=; Max-Age=+0"),
            (false, "cart=; Max-Age=-"),
            (false, "cart=; Max-Age; Expires=never"),
        ] {
            let mut cookies = Cookies::default();
            given(&mut cookies, &["cart=7", attributes], now);
            assert_eq!(cookies.sent(now.at).is_none(), over, "{attributes}");
        }
    }

    #[test]
    fn a_date_is_as_far_away_as_its_own_clock_says() {
        let (at, date) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let mut cookies = Cookies::default();
        let line = "cart=7; expires=Thu, 01 Jan 1970 00:01:00 GMT";
        given(&mut cookies, &[line], Now { at, date });
        let mut sent = |seconds| cookies.sent(at + Duration::from_secs(seconds));
        assert!(sent(59).is_some());
        assert!(sent(60).is_none());
    }
}
