//! What the head of a message must be beyond what its parser asks for: one Host, and sizes.

use super::Failure;
use hyper::Version;
use hyper::header::{HOST, HeaderMap};
use hyper::http::request::Parts;
use hyper::http::response;

/// Bytes of a name, its colon, a space, and the end of a line.
const AROUND: usize = 4;
/// Bytes of a request line beside its method and its target.
const VERSION: usize = " HTTP/1.1\r\n".len() + 1;

/// Sizes in bytes that no message's head may exceed.
#[derive(Clone, Copy, Debug)]
pub(in crate::run::proxy) struct Sizes {
    /// Of a request line.
    pub(in crate::run::proxy) line: usize,
    /// Of each header.
    pub(in crate::run::proxy) header: usize,
    /// Of all of a request.
    pub(in crate::run::proxy) request: usize,
    /// Of all of an answer.
    pub(in crate::run::proxy) answer: usize,
}

/// A request of HTTP/1.1 has one Host (RFC 9112 section 3.2), which is a host and perhaps a port.
pub(super) fn has_its_host(request: &Parts) -> bool {
    let mut hosts = request.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version == Version::HTTP_10,
        (Some(only), None) => {
            let part = |byte: &u8| byte.is_ascii_graphic() && !b"/?#@\\\"<>^`{|}".contains(byte);
            only.as_bytes().iter().all(part)
        }
        (Some(_), Some(_)) => false,
    }
}

/// What is too large in a request.
pub(in crate::run::proxy) fn in_request(request: &Parts, most: Sizes) -> Option<Failure> {
    let target = request.uri.path_and_query();
    let target = target.map_or(0, |target| target.as_str().len());
    let line = request.method.as_str().len() + target + VERSION;
    if line > most.line {
        return Some(Failure::NotTaken(414));
    }
    let one = sizes(&request.headers).any(|size| size > most.header);
    let all = line + sizes(&request.headers).sum::<usize>() > most.request;
    (one || all).then_some(Failure::Malformed)
}

/// What is too large in an answer.
pub(in crate::run::proxy) fn in_answer(answer: &response::Parts, most: Sizes) -> Option<Failure> {
    let all: usize = sizes(&answer.headers).sum();
    (all > most.answer).then_some(Failure::Unreadable)
}

fn sizes(headers: &HeaderMap) -> impl Iterator<Item = usize> {
    let all = headers.iter();
    all.map(|(name, value)| name.as_str().len() + value.len() + AROUND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    const MOST: Sizes = Sizes {
        line: 40,
        header: 30,
        request: 80,
        answer: 40,
    };

    fn request(target: &str, headers: &[(&str, &str)], version: Version) -> Parts {
        let mut request = Request::get(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn a_request_has_one_host() {
        let asks = |hosts: &[&str], version| {
            let hosts: Vec<_> = hosts.iter().map(|host| ("Host", *host)).collect();
            has_its_host(&request("/", &hosts, version))
        };
        for good in ["shop.example", "shop.example:8080", "[2001:db8::1]:80", ""] {
            assert!(asks(&[good], Version::HTTP_11), "{good}");
        }
        for bad in ["a b", "a/b", "user@shop.example", "a?b"] {
            assert!(!asks(&[bad], Version::HTTP_11), "{bad}");
        }
        assert!(!asks(&[], Version::HTTP_11));
        assert!(asks(&[], Version::HTTP_10));
        assert!(!asks(&["a", "a"], Version::HTTP_11));
        assert!(!asks(&["a", "b"], Version::HTTP_10));
    }

    #[test]
    fn sizes_are_those_on_the_wire() {
        let of = |target: &str, headers: &[(&str, &str)]| {
            in_request(&request(target, headers, Version::HTTP_11), MOST)
        };
        // "GET /aaaa... HTTP/1.1\r\n"
        let line = |length: usize| format!("/{}", "a".repeat(length - 16));
        assert_eq!(of(&line(40), &[]), None);
        assert_eq!(of(&line(41), &[]), Some(Failure::NotTaken(414)));
        // "x: bbb...\r\n"
        let header = |length: usize| "b".repeat(length - 5);
        assert_eq!(of("/", &[("x", &header(30))]), None);
        assert_eq!(of("/", &[("x", &header(31))]), Some(Failure::Malformed));
        let two = |last: usize| of("/", &[("x", &header(30)), ("y", &header(last))]);
        assert_eq!(two(30), None);
        let three = [("x", header(30)), ("y", header(30)), ("z", header(5))];
        let three: Vec<_> = three
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(of("/", &three), Some(Failure::Malformed));
    }
}
