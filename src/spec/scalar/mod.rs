//! Single values: what a text must look like to be of a type of the grammar.
//!
//! [`problem`] says what is wrong, [`FromText`] gives the typed value; both rest on the same parsers. Not here: lists
//! and maps (see `check`), rules between values (see `rules`).

mod names;
mod rules;
mod typed;

pub use names::{boolean_word, is_name, key_problem};
pub use typed::FromText;

use super::grammar::steps::GET;
use super::grammar::{Type, Words};
use super::model::Lapse;
use super::node::{Scalar, Style};
use crate::diag::codes::{Code, http, ipv6 as ipv6_code, spec as code, yaml};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::units::{Bytes, Percent, Rate, Time};
use names::{name, result, zonal};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// What is wrong with a single value of a type that takes single values.
pub fn problem(kind: &Type, scalar: &Scalar, span: Span, what: &str) -> Option<Diagnostic> {
    let text = scalar.text.as_str();
    let wrong = |code: Code, message: String| Diagnostic::new(code, span, message);
    match kind {
        Type::Line | Type::Text | Type::Expression if text.trim().is_empty() => Some(
            wrong(code::EMPTY_TEXT, "the text is empty".to_owned())
                .help("write the text, or remove the key"),
        ),
        Type::Line if text.trim_end().contains('\n') => Some(
            wrong(code::MANY_LINES, "this text must be on one line".to_owned())
                .help("shorten it; longer words belong to `story`"),
        ),
        Type::Line | Type::Text | Type::Expression => None,
        Type::GroupOrPort if scalar.text.bytes().all(|b| b.is_ascii_digit()) => {
            integer(scalar, span, what, 1, 65535)
        }
        Type::Name | Type::GroupOrPort => name(scalar, span),
        Type::Result => result(scalar, span),
        Type::Zonal => zonal(scalar, span),
        Type::Range => rules::range_problem(scalar, span),
        Type::Rule(kind) => rules::rule_problem(*kind, scalar, span),
        Type::Bool => boolean(scalar, span),
        Type::Int { min, max } => integer(scalar, span, what, *min, *max),
        Type::Number { min, max } => number(scalar, span, what, *min, *max),
        Type::Time { zero } => time(text, span, *zero, false),
        Type::Lapse { zero } => time(text, span, *zero, true),
        Type::Rate => match text.parse::<Rate>() {
            Ok(Rate(0)) => Some(
                wrong(
                    code::OUT_OF_RANGE,
                    "a rate of nothing carries nothing".to_owned(),
                )
                .help("to lose everything write `loss: 100%`"),
            ),
            Ok(Rate(_)) => None,
            Err(why) => Some(
                wrong(code::RATE, format!("`{text}` is no rate: {why}")).help(
                    match rate_meant(text) {
                        Some(meant) => format!("write `{meant}` (bits per second)"),
                        None => {
                            "write it as `50mbit`, `1gbit` or `10kbit` (bits per second)".to_owned()
                        }
                    },
                ),
            ),
        },
        Type::Percent => text.parse::<Percent>().err().map(|why| {
            let help = match text.parse::<f64>() {
                Ok(1.0) => "write `1%`, or `100%` for all of it".to_owned(),
                Ok(share) if (0.0..1.0).contains(&share) => {
                    format!("write `{}%`", (share * 1e8).round() / 1e6)
                }
                Ok(_) | Err(_) => "write it as `1%` or `0.5%`".to_owned(),
            };
            wrong(code::PERCENT, format!("`{text}` is no share: {why}")).help(help)
        }),
        Type::Bytes { max } => match text.parse::<Bytes>() {
            Ok(Bytes(size)) if (1..=*max).contains(&size) => None,
            Ok(_) => Some(range(text, span, what, "1", &Bytes(*max).to_string())),
            Err(why) => Some(
                wrong(code::BYTES, format!("`{text}` is no size: {why}")).help(
                    match sizes_meant(text) {
                        Some((binary, decimal)) => format!("write `{binary}` or `{decimal}`"),
                        None => "write it as `64` or `16KiB`".to_owned(),
                    },
                ),
            ),
        },
        Type::Request { max } => match text.parse::<Bytes>() {
            Ok(Bytes(size)) if (1..=*max).contains(&size) => None,
            Ok(_) => Some(range(text, span, what, "1", &Bytes(*max).to_string())),
            Err(_) if text.starts_with(GET) => None,
            Err(_) => Some(
                wrong(http::REQUEST, format!("`{}` is no request", short(text))).help(
                    "write a number of bytes like `64`, or `GET /path`; no other method is there",
                ),
            ),
        },
        Type::Address | Type::PublicAddress => address(kind, text, span),
        Type::Ipv6Address => ipv6(text, span),
        Type::Word(words) => word(words, scalar, span, what),
        Type::Free | Type::Any => None,
        // Types of lists and maps: their single values are judged by `check`.
        Type::List { .. }
        | Type::Map { .. }
        | Type::Section(_)
        | Type::Short { .. }
        | Type::Variants(_) => None,
        Type::OneOf(_) | Type::Claims | Type::Set => None,
    }
}

fn boolean(scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let text = scalar.text.as_str();
    if scalar.style == Style::Plain && matches!(text, "true" | "false") {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    if let "yes" | "on" | "y" | "true" | "no" | "off" | "n" | "false" = lower.as_str() {
        let better = matches!(lower.as_str(), "yes" | "on" | "y" | "true");
        return Some(
            Diagnostic::new(
                yaml::BOOLEAN_WORD,
                span,
                format!("`{text}` is a boolean only for some readers of YAML"),
            )
            .help(format!("write `{better}`, without quotes")),
        );
    }
    Some(
        Diagnostic::new(
            code::BOOL,
            span,
            format!("`{}` is neither true nor false", short(text)),
        )
        .help("write `true` or `false`"),
    )
}

fn range(text: &str, span: Span, what: &str, min: &str, max: &str) -> Diagnostic {
    Diagnostic::new(
        code::OUT_OF_RANGE,
        span,
        format!("`{what}` cannot be {}", short(text)),
    )
    .help(format!("from {min} to {max}"))
}

fn integer(scalar: &Scalar, span: Span, what: &str, min: u64, max: u64) -> Option<Diagnostic> {
    let text = scalar.text.as_str();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let wrong = |message: String| Diagnostic::new(code::NUMBER, span, message);
    if !whole {
        return Some(
            wrong(format!("`{}` is not a whole number", short(text)))
                .help(format!("a whole number from {min} to {max}")),
        );
    }
    if scalar.style != Style::Plain {
        return Some(
            wrong(format!("\"{}\" is text, not a number", short(text)))
                .help(format!("write {} without quotes", short(digits))),
        );
    }
    if digits.len() > 1 && digits.starts_with('0') {
        let better = digits.trim_start_matches('0');
        let better = if better.is_empty() { "0" } else { better };
        return Some(
            wrong(format!(
                "`{}` starts with a zero, which YAML 1.1 reads as octal",
                short(text)
            ))
            .help(format!("write {}", short(better))),
        );
    }
    let fits = text
        .parse::<u64>()
        .is_ok_and(|value| (min..=max).contains(&value));
    (!fits).then(|| range(text, span, what, &min.to_string(), &max.to_string()))
}

fn number(scalar: &Scalar, span: Span, what: &str, min: f64, max: f64) -> Option<Diagnostic> {
    let text = scalar.text.as_str();
    let looks = text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && text[1..].bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && scalar.style == Style::Plain;
    match text.parse::<f64>() {
        Ok(value) if looks && (min..=max).contains(&value) => None,
        Ok(_) if looks => Some(range(text, span, what, &min.to_string(), &max.to_string())),
        Ok(_) | Err(_) => Some(
            Diagnostic::new(
                code::NUMBER,
                span,
                format!("`{}` is not a number", short(text)),
            )
            .help(format!(
                "a number from {min} to {max}, without quotes and units"
            )),
        ),
    }
}

fn time(text: &str, span: Span, zero: bool, cloud: bool) -> Option<Diagnostic> {
    let wrong = |message: String| Diagnostic::new(code::DURATION, span, message);
    match text.parse::<Lapse>() {
        Ok(lapse) if lapse.cloud && !cloud => Some(
            Diagnostic::new(code::NOT_CLOUD, span, "this is real time, not cloud time").help(
                format!(
                    "write `{}`; cloud time is for steps and for what servers wait for",
                    Time(lapse.length)
                ),
            ),
        ),
        Ok(lapse) if lapse.length.is_zero() && !zero => Some(
            Diagnostic::new(
                code::OUT_OF_RANGE,
                span,
                format!("`{text}` is no time at all"),
            )
            .help("write a time above zero"),
        ),
        Ok(_) => None,
        Err(why) => {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let help = if plain {
                let text = short(text);
                format!("write `{text}s` or `{text}ms`")
            } else if let Some(meant) = meant_time(text).filter(|meant| cloud || !meant.cloud) {
                format!("write `{meant}`")
            } else if cloud {
                "write it as `2s`, `250ms`, `1m`, or `400s cloud` for time that `time_scale` shortens".to_owned()
            } else {
                "write it as `2s`, `250ms` or `1m`".to_owned()
            };
            Some(wrong(format!("`{}` is no duration: {why}", short(text))).help(help))
        }
    }
}

/// The time that was surely meant: with a space, a comma, the long name of a unit, or several of them, as `1m30s`.
fn meant_time(text: &str) -> Option<Lapse> {
    if let Some(sum) = sum_of_times(text) {
        return Some(sum);
    }
    const LONG: &[(&str, &str)] = &[
        ("ms", "msec millisecond milliseconds millis"),
        ("us", "usec microsecond microseconds"),
        ("s", "sec secs second seconds"),
        ("m", "min mins minute minutes"),
        ("h", "hr hrs hour hours"),
    ];
    let (length, cloud) = text
        .strip_suffix(" cloud")
        .map_or((text, ""), |length| (length, " cloud"));
    let number = length
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',')
        .unwrap_or(length.len());
    let (number, unit) = (length[..number].replace(',', "."), length[number..].trim());
    let unit = LONG
        .iter()
        .find(|(_, names)| names.split(' ').any(|name| name == unit))
        .map_or(unit, |(short, _)| short);
    format!("{number}{unit}{cloud}").parse().ok()
}

/// `1m30s`: 90 s.
fn sum_of_times(text: &str) -> Option<Lapse> {
    let (mut rest, cloud) = text
        .strip_suffix(" cloud")
        .map_or((text, false), |length| (length, true));
    let mut length = Duration::ZERO;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let end = rest[unit..].find(|c: char| !c.is_ascii_alphabetic());
        let (part, others) = rest.split_at(end.map_or(rest.len(), |end| unit + end));
        length = length.checked_add(part.trim().parse::<Lapse>().ok()?.length)?;
        rest = others.trim_start();
    }
    Some(Lapse { length, cloud })
}

fn address(kind: &Type, text: &str, span: Span) -> Option<Diagnostic> {
    let public = matches!(kind, Type::PublicAddress);
    if text == "auto" || (public && text == "none") || text.parse::<Ipv4Addr>().is_ok() {
        return None;
    }
    let help = if public {
        "`none`, `auto`, or an address like 203.0.113.10"
    } else {
        "`auto`, or an address like 192.0.2.10"
    };
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some(
            Diagnostic::new(
                code::ADDRESS,
                span,
                format!("`{}` is an IPv6 address", short(text)),
            )
            .label("an IPv4 address belongs here")
            .help(format!(
                "{help}; a host's IPv6 address is its `ipv6: {text}`, a balancer has some with `ip_address_type: dualstack`"
            )),
        );
    }
    Some(
        Diagnostic::new(
            code::ADDRESS,
            span,
            format!("`{}` is no IPv4 address", short(text)),
        )
        .help(help),
    )
}

fn ipv6(text: &str, span: Span) -> Option<Diagnostic> {
    if text == "auto" || text.parse::<Ipv6Addr>().is_ok() {
        return None;
    }
    let why = match text.parse::<Ipv4Addr>() {
        Ok(_) => "is an IPv4 address; that is the host's `address`",
        Err(_) => "is no IPv6 address",
    };
    Some(
        Diagnostic::new(ipv6_code::ADDRESS, span, format!("`{}` {why}", short(text)))
            .help("`auto`, or an address like \"2001:db8::10\""),
    )
}

fn word(words: &Words, scalar: &Scalar, span: Span, what: &str) -> Option<Diagnostic> {
    let text = scalar.text.as_str();
    if words.now.contains(&text) {
        return None;
    }
    if words.later.contains(&text) {
        return Some(
            Diagnostic::new(
                code::LATER_VALUE,
                span,
                format!("`{text}` is part of the language, but this release does not run it yet"),
            )
            .help(format!("this release has: {}", words.now.join(", "))),
        );
    }
    let known = words.now.iter().chain(words.later).copied();
    Some(
        Diagnostic::new(
            code::WORD,
            span,
            format!("`{what}` cannot be `{}`", short(text)),
        )
        .help(suggest(text, known, &words.now.join(", "))),
    )
}

/// "did you mean", or all there is.
pub fn suggest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>, all: &str) -> String {
    match did_you_mean(text, known) {
        Some(near) if near == all => format!("did you mean `{near}`?"),
        Some(near) => format!("did you mean `{near}`? Here are: {all}"),
        None => format!("here are: {all}"),
    }
}

/// With its first letter a capital.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// A number, and what stands behind it in small letters.
fn number_and_unit(text: &str) -> (&str, String) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    (number, unit.trim().to_ascii_lowercase())
}

/// `10Mbps`, `1 Gbit/s` and their like, as a lab has them.
fn rate_meant(text: &str) -> Option<Rate> {
    // Bytes, perhaps.
    if text.contains('B') {
        return None;
    }
    let (number, unit) = number_and_unit(text);
    let bits = ["bit/s", "bits", "bps", "b/s", "bit", ""];
    let prefix = bits.iter().find_map(|tail| unit.strip_suffix(tail))?;
    let unit = match prefix {
        "k" | "m" | "g" => format!("{prefix}bit"),
        _ => return None,
    };
    format!("{number}{unit}").parse().ok()
}

/// `1M`, `16kb` and their like, by powers of 1024 and of 1000.
fn sizes_meant(text: &str) -> Option<(String, String)> {
    let (number, unit) = number_and_unit(text);
    let (binary, decimal) = match unit.trim_end_matches('b') {
        "k" | "ki" => ("KiB", "kB"),
        "m" | "mi" => ("MiB", "MB"),
        "g" | "gi" => ("GiB", "GB"),
        _ => return None,
    };
    let size = |unit| {
        let size = format!("{number}{unit}");
        size.parse::<Bytes>().is_ok().then_some(size)
    };
    Some((size(binary)?, size(decimal)?))
}

/// A value as quoted in messages: not longer than a line.
pub fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    if line.chars().count() > 60 || line.len() < text.trim_end().len() {
        format!("{}...", line.chars().take(57).collect::<String>())
    } else {
        line.to_owned()
    }
}
