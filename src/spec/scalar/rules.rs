//! Rules of guards and ranges of addresses: `allow tcp/1024-65535 to 10.0.0.0/8`.

use super::names::is_name;
use super::{FromText, capital, short};
use crate::diag::codes::{Code, guards as code, spec::LATER_VALUE};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::spec::grammar::RuleKind;
use crate::spec::model::{AddressRange, GuardRule, Ipv6Range, Peer, Traffic};
use crate::spec::node::{Scalar, Style};
use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::str::FromStr;

/// What is wrong with a rule or a range.
struct Wrong {
    code: Code,
    /// Bytes of the text that are at fault.
    place: Range<usize>,
    message: String,
    help: String,
}

/// A word and where it stands in the text.
type Word<'a> = (usize, &'a str);

fn place((start, word): Word<'_>) -> Range<usize> {
    start..start + word.len()
}

/// What is wrong with a rule.
pub fn rule_problem(kind: RuleKind, scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let wrong = parse(Some(kind), &scalar.text).err()?;
    Some(wrong.at(scalar, span))
}

/// What is wrong with a range of addresses.
pub fn range_problem(scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let wrong = range((0, &scalar.text)).err()?;
    Some(wrong.at(scalar, span))
}

impl Wrong {
    /// On the words at fault, as long as the text stands in the file as it was read.
    fn at(self, scalar: &Scalar, span: Span) -> Diagnostic {
        let quotes = match scalar.style {
            Style::Plain => 0,
            Style::Quoted => 1,
            Style::Block | Style::Refused => span.end,
        };
        let verbatim = span.end.checked_sub(span.start) == Some(scalar.text.len() + 2 * quotes);
        let span = if verbatim {
            let start = span.start + quotes;
            Span {
                start: start + self.place.start,
                end: start + self.place.end,
            }
        } else {
            span
        };
        Diagnostic::new(self.code, span, self.message).help(self.help)
    }
}

/// The kind is known where a lab is checked, and no longer asked about where it is read.
fn parse(kind: Option<RuleKind>, text: &str) -> Result<GuardRule, Wrong> {
    let mut words = words(text).peekable();
    let syntax = |place: Range<usize>, message: String| Wrong {
        code: code::RULE_SYNTAX,
        place,
        message,
        help: usage(kind),
    };
    let mut allow = true;
    let verdict = words.next_if(|(_, word)| matches!(*word, "allow" | "deny"));
    match (kind, verdict) {
        (Some(RuleKind::Ingress | RuleKind::Egress), Some(word)) => {
            let help = if word.1 == "allow" {
                "leave `allow` out".to_owned()
            } else {
                "what no rule allows is refused; to deny some of what others allow, write a rule of `network_acls`".to_owned()
            };
            return Err(Wrong {
                help,
                ..syntax(
                    place(word),
                    "a security group's rules only allow".to_owned(),
                )
            });
        }
        (Some(RuleKind::Inbound | RuleKind::Outbound), None) => {
            return Err(syntax(
                0..text.len(),
                format!("`{}` neither allows nor denies", short(text)),
            ));
        }
        (_, Some((_, word))) => allow = word == "allow",
        (Some(RuleKind::Ingress | RuleKind::Egress) | None, None) => {}
    }
    let Some(word) = words.next() else {
        return Err(syntax(
            0..text.len(),
            "the rule does not say which packets".to_owned(),
        ));
    };
    let traffic = traffic(word, kind)?;
    let peer = match words.next() {
        None => Peer::Anyone,
        Some(word) => {
            direction(kind, word)?;
            let Some(peer) = words.next() else {
                return Err(syntax(place(word), format!("`{}` whom?", word.1)));
            };
            self::peer(kind, peer)?
        }
    };
    if let Some(word) = words.next() {
        return Err(syntax(
            word.0..text.len(),
            format!("`{}` is too much", short(&text[word.0..])),
        ));
    }
    Ok(GuardRule {
        allow,
        traffic,
        peer,
    })
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    text.split_whitespace()
        .map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

fn usage(kind: Option<RuleKind>) -> String {
    let example = match kind {
        Some(RuleKind::Ingress) | None => "tcp/80 from 10.0.0.0/8`, or `all from GROUP",
        Some(RuleKind::Egress) => "tcp/443 to 0.0.0.0/0`, or `all to GROUP",
        Some(RuleKind::Inbound) => "allow tcp/80 from 0.0.0.0/0`, or `deny all",
        Some(RuleKind::Outbound) => "allow tcp/1024-65535 to 10.0.0.0/8`, or `deny all",
    };
    format!("write it as `{example}`")
}

fn traffic(word: Word<'_>, kind: Option<RuleKind>) -> Result<Traffic, Wrong> {
    let (protocol, ports) = match word.1.split_once('/') {
        Some((protocol, ports)) => (protocol, Some(ports)),
        None => (word.1, None),
    };
    let wrong = |code, message: String, help: String| Wrong {
        code,
        place: place(word),
        message,
        help,
    };
    let with_ports: fn(u16, u16) -> Traffic = match (protocol, ports) {
        ("all", None) => return Ok(Traffic::All),
        ("icmp", None) => return Ok(Traffic::Icmp),
        ("tcp", _) => Traffic::Tcp,
        ("udp", _) => Traffic::Udp,
        ("all" | "icmp", Some(_)) => {
            return Err(wrong(
                code::RULE_PORTS,
                format!("`{protocol}` has no ports"),
                format!("write `{protocol}`, or `tcp/{}`", ports.unwrap_or("80")),
            ));
        }
        (_, _) => {
            let near = did_you_mean(protocol, ["tcp", "udp", "icmp", "all", "allow", "deny"]);
            let help = match near {
                Some(near) => format!("did you mean `{near}`? {}", capital(&usage(kind))),
                None => usage(kind),
            };
            return Err(wrong(
                code::RULE_SYNTAX,
                format!("`{}` is no protocol", short(protocol)),
                help,
            ));
        }
    };
    let Some(ports) = ports else {
        return Ok(with_ports(0, u16::MAX));
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| plain)
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok(with_ports(first, last)),
        (Some(first), Some(last)) => Err(wrong(
            code::RULE_PORTS,
            format!("the range {first}-{last} is reversed"),
            format!("write `{protocol}/{last}-{first}`"),
        )),
        (_, _) => Err(wrong(
            code::RULE_PORTS,
            format!("`{}` is no port and no range of ports", short(ports)),
            format!("write `{protocol}/80` or `{protocol}/1024-65535`; a port is 0 to 65535"),
        )),
    }
}

fn direction(kind: Option<RuleKind>, word: Word<'_>) -> Result<(), Wrong> {
    let (right, what) = match kind {
        Some(RuleKind::Ingress) => ("from", "ingress"),
        Some(RuleKind::Inbound) => ("from", "inbound"),
        Some(RuleKind::Egress) => ("to", "egress"),
        Some(RuleKind::Outbound) => ("to", "outbound"),
        None if matches!(word.1, "from" | "to") => return Ok(()),
        None => ("from", "ingress"),
    };
    match word.1 {
        given if given == right => Ok(()),
        given @ ("from" | "to") => Err(Wrong {
            code: code::RULE_DIRECTION,
            place: place(word),
            message: format!("an {what} rule does not say `{given}`"),
            help: format!("write `{right}`: {what} is traffic {right} somebody else"),
        }),
        other => Err(Wrong {
            code: code::RULE_SYNTAX,
            place: place(word),
            message: format!("`{}` where `{right}` should be", short(other)),
            help: usage(kind),
        }),
    }
}

fn peer(kind: Option<RuleKind>, word: Word<'_>) -> Result<Peer, Wrong> {
    if !is_name(word.1) {
        return match word.1.contains(':') {
            true => ipv6_range(word).map(Peer::Ipv6Range),
            false => range(word).map(Peer::Range),
        };
    }
    match kind {
        Some(RuleKind::Inbound | RuleKind::Outbound) => Err(Wrong {
            code: code::ACL_BY_GROUP,
            place: place(word),
            message: format!(
                "a network ACL does not know security groups such as `{}`",
                word.1
            ),
            help: "it sees addresses only: write a range, such as `10.0.0.0/16`".to_owned(),
        }),
        Some(RuleKind::Ingress | RuleKind::Egress) | None => Ok(Peer::Group(word.1.to_owned())),
    }
}

/// Not a range of addresses, or not one of these.
fn no_range(word: Word<'_>, message: String, help: impl Into<String>) -> Wrong {
    Wrong {
        code: code::RANGE,
        place: place(word),
        message,
        help: help.into(),
    }
}

/// How many bits of an address count, at most `most`.
fn prefix(word: Word<'_>, prefix: &str, most: u8, example: &str) -> Result<u8, Wrong> {
    let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let prefix = prefix.parse::<u8>().ok().filter(|n| digits && *n <= most);
    prefix.ok_or_else(|| {
        let message = format!("`{}` has no prefix of 0 to {most} bits", short(word.1));
        no_range(word, message, example)
    })
}

/// `10.0.0.0/8`, or a single address.
fn range(word: Word<'_>) -> Result<AddressRange, Wrong> {
    let text = word.1;
    let example = "write an address and how many of its bits count: `10.0.0.0/8`, `198.51.100.7/32`, `0.0.0.0/0`";
    let (address, _) = text.split_once('/').unwrap_or((text, ""));
    if address.parse::<Ipv6Addr>().is_ok() {
        return Err(Wrong {
            code: LATER_VALUE,
            ..no_range(
                word,
                "IPv6 is part of the language, but this release does not run it here yet"
                    .to_owned(),
                "write an IPv4 range",
            )
        });
    }
    let (address, prefix) = first_and_prefix(word, 32, example, first_ipv4)?;
    Ok(AddressRange { address, prefix })
}

/// `2001:db8::/32`, or a single address.
fn ipv6_range(word: Word<'_>) -> Result<Ipv6Range, Wrong> {
    let example = "write an address and how many of its bits count: `2001:db8::/32`, `2001:db8::7/128`, `::/0`";
    if let Some(range) = mapped(word.1) {
        let message = format!(
            "`{}` is of IPv4 addresses in the form of IPv6 (IPv4-mapped, RFC 4291 section 2.5.5.2), which no packet bears",
            short(word.1)
        );
        return Err(no_range(
            word,
            message,
            format!("write the range of IPv4: `{range}`"),
        ));
    }
    let first = |address: Ipv6Addr, prefix: u8| {
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        Ipv6Addr::from(address.to_bits() & mask)
    };
    let (address, prefix) = first_and_prefix(word, 128, example, first)?;
    Ok(Ipv6Range { address, prefix })
}

/// The first address of the range of IPv4 that this one is in.
fn first_ipv4(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    Ipv4Addr::from(address.to_bits() & mask)
}

/// The range of IPv4 that a range of IPv4-mapped addresses stands for.
fn mapped(text: &str) -> Option<AddressRange> {
    let (address, bits) = text.split_once('/').unwrap_or((text, "128"));
    let address = address.parse::<Ipv6Addr>().ok()?.to_ipv4_mapped()?;
    let prefix = bits.parse::<u8>().ok()?.checked_sub(96)?;
    (prefix <= 32).then(|| AddressRange {
        address: first_ipv4(address, prefix),
        prefix,
    })
}

/// A range, or a single address, of a family whose addresses have so many bits. `first`: the first address of the range
/// that an address is in.
fn first_and_prefix<A: Copy + Display + FromStr + PartialEq>(
    word: Word<'_>,
    width: u8,
    example: &str,
    first: impl FnOnce(A, u8) -> A,
) -> Result<(A, u8), Wrong> {
    let text = word.1;
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<A>() else {
        let message = format!("`{}` is no range of addresses", short(text));
        return Err(no_range(word, message, example));
    };
    let prefix = match bits {
        Some(bits) => prefix(word, bits, width, example)?,
        None => width,
    };
    let first = first(address, prefix);
    if first != address {
        return Err(no_range(
            word,
            format!("{address} is not the first address of a /{prefix}"),
            format!("did you mean `{first}/{prefix}`, or `{address}/{width}`?"),
        ));
    }
    Ok((address, prefix))
}

impl FromText for GuardRule {
    fn from_text(text: &str) -> Option<Self> {
        parse(None, text).ok()
    }
}

impl FromText for AddressRange {
    fn from_text(text: &str) -> Option<Self> {
        range((0, text)).ok()
    }
}
