//! The text of a destination, taken apart; what it names is found elsewhere (see `destinations`).

use crate::diag::codes::{ipv6, plan as code};
use crate::diag::{Diagnostic, Spanned};
use crate::plan::Sink;
use crate::spec::ServePort;
use std::net::Ipv6Addr;

/// `name[/sub][:port[/udp]]`, `[address]:port`
#[derive(Debug)]
pub(in crate::plan) struct Parts<'t> {
    /// `front`, `web1`, an address.
    pub(in crate::plan) name: &'t str,
    /// What follows a slash: a zone, `public`.
    pub(in crate::plan) sub: Option<&'t str>,
    /// 1..=65535, with its protocol.
    pub(in crate::plan) port: Option<ServePort>,
}

/// Over which kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// What a step dials: the place, and over which family.
#[derive(Clone, Copy, Debug)]
pub(in crate::plan) struct Wanted<'a> {
    /// `to:`
    pub(in crate::plan) to: &'a Spanned<String>,
    /// `family:`
    pub(in crate::plan) family: Option<&'a Spanned<String>>,
}

impl Wanted<'_> {
    /// What is written, or IPv4.
    pub(in crate::plan) fn family(self) -> Family {
        match self.family {
            Some(family) if family.value == "ipv6" => Family::Ipv6,
            Some(_) | None => Family::Ipv4,
        }
    }
}

impl<'t> Parts<'t> {
    /// Takes a destination apart, or says why it is none.
    pub(in crate::plan) fn of(to: &'t Spanned<String>, sink: &mut Sink) -> Option<Self> {
        let text = to.value.trim();
        if let Some(inner) = text.strip_prefix('[') {
            return Self::bracketed(inner, to, sink);
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            sink.push(brackets(to, text));
            return None;
        }
        let (place, port) = match text.rsplit_once(':') {
            None => (text, None),
            Some((place, port)) => (place, Some(port)),
        };
        let (name, sub) = match place.split_once('/') {
            None => (place, None),
            Some((name, sub)) => (name, Some(sub)),
        };
        if let Some((_, rest)) = text.split_once("://") {
            let place = rest.split('/').next().unwrap_or(rest);
            sink.push(
                syntax(to)
                    .label("no URL: only hosts and ports")
                    .help(format!(
                        "write `{place}`; what is asked for there is a load's `request: GET /path`"
                    )),
            );
            return None;
        }
        let sub_malformed = sub.is_some_and(|sub| sub.is_empty() || sub.contains('/'));
        if name.is_empty() || name.contains(':') || sub_malformed {
            sink.push(syntax(to));
            return None;
        }
        let port = match port {
            None => None,
            Some(port) => Some(Self::port(port, to, sink)?),
        };
        Some(Self { name, sub, port })
    }

    /// `[address]:port`, from behind the first bracket.
    fn bracketed(inner: &'t str, to: &Spanned<String>, sink: &mut Sink) -> Option<Self> {
        let Some((name, rest)) = inner.split_once(']') else {
            sink.push(syntax(to));
            return None;
        };
        if name.parse::<Ipv6Addr>().is_err() || !(rest.is_empty() || rest.starts_with(':')) {
            sink.push(syntax(to).label("in brackets stands an IPv6 address: `[2001:db8::1]:80`"));
            return None;
        }
        let port = match rest.strip_prefix(':') {
            None => None,
            Some(port) => Some(Self::port(port, to, sink)?),
        };
        Some(Self {
            name,
            sub: None,
            port,
        })
    }

    fn port(text: &str, to: &Spanned<String>, sink: &mut Sink) -> Option<ServePort> {
        let (number, udp) = match text.split_once('/') {
            None => (text, Some(false)),
            Some((number, "tcp")) => (number, Some(false)),
            Some((number, "udp")) => (number, Some(true)),
            Some((number, _)) => (number, None),
        };
        match (number.parse::<u16>(), udp) {
            (Ok(port @ 1..), Some(udp)) => Some(ServePort { port, udp }),
            (Ok(_) | Err(_), _) => {
                sink.push(
                    Diagnostic::new(
                        code::DESTINATION_SYNTAX,
                        to.span,
                        format!("`{text}` is no port"),
                    )
                    .help("a port is a number from 1 to 65535, and `/udp` behind it makes it a UDP port"),
                );
                None
            }
        }
    }
}

/// An IPv6 address, and perhaps a port, run together.
fn brackets(to: &Spanned<String>, text: &str) -> Diagnostic {
    let port = text.rsplit_once(':').filter(|(address, port)| {
        address.parse::<Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let (address, port) = port.unwrap_or((text, "80"));
    Diagnostic::new(
        ipv6::BRACKETS_NEEDED,
        to.span,
        format!("`{text}` does not say where the address ends"),
    )
    .label("an IPv6 address, and perhaps a port")
    .help(format!("write `to: \"[{address}]:{port}\"`, with quotes"))
}

/// Not a destination at all.
pub(in crate::plan) fn syntax(to: &Spanned<String>) -> Diagnostic {
    Diagnostic::new(
        code::DESTINATION_SYNTAX,
        to.span,
        format!("`{}` is no destination", to.value),
    )
    .help("write balancer[/zone][:port], host[/public][:port], or address:port")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;

    type Found = (String, Option<String>, Option<(u16, bool)>);

    fn parts(text: &str) -> Option<Found> {
        let to = Spanned::new(text.to_owned(), Span::default());
        let mut sink = Sink::default();
        let parts = Parts::of(&to, &mut sink);
        assert_eq!(parts.is_none(), !sink.problems.is_empty(), "{text}");
        parts.map(|p| {
            let port = p.port.map(|p| (p.port, p.udp));
            (p.name.to_owned(), p.sub.map(str::to_owned), port)
        })
    }

    #[test]
    fn name_place_and_port() {
        let some = |name: &str, sub: Option<&str>, port: Option<(u16, bool)>| {
            Some((name.to_owned(), sub.map(str::to_owned), port))
        };
        assert_eq!(parts("front"), some("front", None, None));
        assert_eq!(
            parts("front/a:80"),
            some("front", Some("a"), Some((80, false)))
        );
        assert_eq!(parts("web1:80/tcp"), some("web1", None, Some((80, false))));
        assert_eq!(parts("web1:53/udp"), some("web1", None, Some((53, true))));
        assert_eq!(
            parts("10.0.0.1:65535"),
            some("10.0.0.1", None, Some((65535, false)))
        );
        assert_eq!(parts("[::1]:80"), some("::1", None, Some((80, false))));
        assert_eq!(parts("[2001:db8::1]"), some("2001:db8::1", None, None));
    }

    #[test]
    fn everything_else_is_a_problem() {
        for text in [
            "",
            "/a",
            "front/",
            "front/a/b",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:80/sctp",
            "a:53/udp/udp",
            "a:/udp",
            "a:b:80",
            "http://a",
            "::1",
            "2001:db8::1:80",
            "[::1",
            "[::1]80",
            "[::1]/a:80",
            "[front]:80",
            "ä:ö",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
