//! Cookies that a client keeps (RFC 6265), as far as one that talks to one server needs them: names, values and ages. Not here:
//! domains, paths, dates.

use hyper::header::{HeaderMap, HeaderValue, SET_COOKIE};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// What a client has been given.
#[derive(Debug, Default)]
pub(super) struct Cookies {
    /// By name: the value, and when it is to be forgotten.
    kept: BTreeMap<String, (String, Option<Instant>)>,
}

impl Cookies {
    /// Keeps what an answer sets; what is 0 seconds old at most is forgotten.
    pub(super) fn keep(&mut self, answer: &HeaderMap, now: Instant) {
        let lines = answer.get_all(SET_COOKIE).iter();
        for line in lines.filter_map(|line| line.to_str().ok()) {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|first| first.split_once('=')) else {
                continue;
            };
            let age = parts.find_map(|part| {
                let (name, value) = part.split_once('=')?;
                let seconds = value.parse::<u64>().ok()?;
                name.eq_ignore_ascii_case("max-age").then_some(seconds)
            });
            let until = age.and_then(|seconds| now.checked_add(Duration::from_secs(seconds)));
            let value = (value.to_owned(), until);
            self.kept.insert(name.to_owned(), value);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn given(cookies: &mut Cookies, lines: &[&'static str], now: Instant) {
        let lines = lines.iter().copied().map(HeaderValue::from_static);
        let answer = lines.map(|line| (SET_COOKIE, line)).collect();
        cookies.keep(&answer, now);
    }

    #[test]
    fn what_was_given_is_sent_until_it_is_too_old() {
        let (mut cookies, now) = (Cookies::default(), Instant::now());
        assert_eq!(cookies.sent(now), None);
        given(
            &mut cookies,
            &[
                "AWSELB=1;PATH=/;MAX-AGE=2",
                "cart=7; Path=/; HttpOnly",
                "nonsense",
            ],
            now,
        );
        let sent = |cookies: &mut Cookies, ms| cookies.sent(now + Duration::from_millis(ms));
        assert_eq!(sent(&mut cookies, 1999).expect("two"), "AWSELB=1; cart=7");
        assert_eq!(sent(&mut cookies, 2000).expect("one"), "cart=7");
        given(&mut cookies, &["cart=8"], now);
        assert_eq!(sent(&mut cookies, 2000).expect("one"), "cart=8");
        given(&mut cookies, &["cart=;Max-Age=0"], now);
        assert_eq!(sent(&mut cookies, 2000), None);
    }
}
