//! Single values: what a text must look like to be of a type of the grammar, and its typed value.
//!
//! [`problem`] says what is wrong, [`FromText`] gives the value; both rest on the same parsers. Not here: lists and
//! maps (see `check`), rules between values (see `rules`).

use super::grammar::{Key, Type, Words};
use super::model::{Lapse, PublicAddress, ServePort};
use super::node::{Scalar, Style};
use super::yaml::WORDS_1_1;
use crate::diag::codes::{Code, spec as code, yaml};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::units::{Bytes, Percent, Port, Rate, Time};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

/// The longest name. 63 is the limit of a DNS label (RFC 1035, 2.3.4) and leaves room for the `-1000` of `count`.
const MAX_NAME: usize = 58;

/// Words that no result can be called: CEL's keywords and reserved identifiers, and the roots of the evidence.
pub const KEYWORDS: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
/// The roots of the evidence; see `KEYWORDS`.
pub const ROOTS: &[&str] = &[
    "hosts",
    "load_balancers",
    "target_groups",
    "nat_gateways",
    "endpoints",
    "flow_logs",
    "findings",
    "packets",
];

/// Reads a text that has been checked against its type; none when it was not of it.
pub trait FromText: Sized {
    /// The typed value.
    fn from_text(text: &str) -> Option<Self>;
}

macro_rules! from_text {
    ($($type:ty: |$text:ident| $value:expr;)*) => {
        $(impl FromText for $type {
            fn from_text($text: &str) -> Option<Self> {
                $value
            }
        })*
    };
}

from_text! {
    String: |text| Some(text.to_owned());
    bool: |text| text.parse().ok();
    u16: |text| text.parse().ok();
    u32: |text| text.parse().ok().or_else(|| u32::try_from(text.parse::<Bytes>().ok()?.0).ok());
    u64: |text| text.parse().ok();
    f64: |text| text.parse().ok();
    Duration: |text| text.parse::<Time>().ok().map(|time| time.0);
    Lapse: |text| text.parse().ok();
    Rate: |text| text.parse().ok();
    Percent: |text| text.parse().ok();
    Ipv4Addr: |text| text.parse().ok();
    PublicAddress: |text| match text {
        "none" => Some(PublicAddress::None),
        "auto" => Some(PublicAddress::Auto),
        address => address.parse().ok().map(PublicAddress::Fixed),
    };
    ServePort: |text| text.parse::<Port>().ok().map(|port| ServePort { port: port.number, udp: port.udp });
}

impl FromStr for Lapse {
    type Err = crate::units::Malformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (length, cloud) = match text.strip_suffix("cloud") {
            Some(length) if length.ends_with(' ') => (length.trim_end(), true),
            Some(_) | None => (text, false),
        };
        Ok(Lapse {
            length: length.parse::<Time>()?.0,
            cloud,
        })
    }
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            Time(self.length),
            if self.cloud { " cloud" } else { "" }
        )
    }
}

/// The name of a topology item.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.len() <= MAX_NAME
}

/// The name of a step's result.
pub fn is_result(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && text.len() <= MAX_NAME
}

/// What is wrong with a single value of a type that takes single values.
pub fn problem(kind: &Type, scalar: &Scalar, span: Span) -> Option<Diagnostic> {
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
        Type::Name => name(scalar, span),
        Type::Result => result(scalar, span),
        Type::Zonal => zonal(scalar, span),
        Type::Bool => boolean(scalar, span),
        Type::Int { min, max } => integer(scalar, span, *min, *max),
        Type::Number { min, max } => number(scalar, span, *min, *max),
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
                wrong(code::RATE, format!("`{text}` is no rate: {why}"))
                    .help("write it as `50mbit`, `1gbit` or `10kbit` (bits per second)"),
            ),
        },
        Type::Percent => text.parse::<Percent>().err().map(|why| {
            let help = match text.parse::<f64>() {
                Ok(share) if (0.0..=1.0).contains(&share) && share.is_finite() => {
                    format!("write `{}%`", (share * 1e8).round() / 1e6)
                }
                Ok(_) | Err(_) => "write it as `1%` or `0.5%`".to_owned(),
            };
            wrong(code::PERCENT, format!("`{text}` is no share: {why}")).help(help)
        }),
        Type::Bytes { max } => match text.parse::<Bytes>() {
            Ok(Bytes(size)) if (1..=*max).contains(&size) => None,
            Ok(_) => Some(range(text, span, "1", &Bytes(*max).to_string())),
            Err(why) => Some(
                wrong(code::BYTES, format!("`{text}` is no size: {why}"))
                    .help("write it as `64` or `16KiB`"),
            ),
        },
        Type::Address | Type::PublicAddress => address(kind, text, span),
        Type::Word(words) => word(words, scalar, span),
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

/// A word that YAML 1.1 does not take for text.
pub fn boolean_word(scalar: &Scalar) -> bool {
    scalar.style == Style::Plain && WORDS_1_1.contains(&scalar.text.to_ascii_lowercase().as_str())
}

fn name(scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let text = &scalar.text;
    if boolean_word(scalar) {
        return Some(
            Diagnostic::new(
                yaml::BOOLEAN_WORD,
                span,
                format!("`{text}` is a boolean in YAML 1.1, not a name"),
            )
            .help(format!(
                "write \"{text}\" with quotes, or choose another name"
            )),
        );
    }
    if is_name(text) {
        return None;
    }
    let better: String = text.to_lowercase().replace(['_', ' ', '.'], "-");
    let hint = if is_name(&better) {
        format!(", for example `{better}`")
    } else {
        String::new()
    };
    Some(Diagnostic::new(code::NAME, span, format!("`{}` is not a name", short(text))).help(format!(
        "a name is a small letter, then small letters, digits and hyphens, at most {MAX_NAME} in all{hint}"
    )))
}

fn result(scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let text = scalar.text.as_str();
    if KEYWORDS.contains(&text) {
        return Some(
            Diagnostic::new(
                code::RESULT_KEYWORD,
                span,
                format!("`{text}` is a word of the expression language"),
            )
            .help("choose another name; expectations could not speak of this one"),
        );
    }
    if ROOTS.contains(&text) {
        return Some(
            Diagnostic::new(
                code::RESULT_KEYWORD,
                span,
                format!("`{text}` is a part of the evidence already"),
            )
            .help(format!(
                "choose another name; `{text}...` in an expectation means the evidence"
            )),
        );
    }
    if boolean_word(scalar) {
        return Some(
            Diagnostic::new(
                yaml::BOOLEAN_WORD,
                span,
                format!("`{text}` is a boolean in YAML 1.1, not a name"),
            )
            .help("choose another name"),
        );
    }
    if is_result(text) {
        return None;
    }
    let better: String = text.to_lowercase().replace(['-', ' ', '.'], "_");
    let hint = if is_result(&better) {
        format!(", for example `{better}`")
    } else {
        String::new()
    };
    Some(
        Diagnostic::new(code::RESULT_NAME, span, format!("`{}` is not a name for a result", short(text))).help(format!(
            "expressions use it, so it is a small letter, then small letters, digits and underscores{hint}"
        )),
    )
}

fn zonal(scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let parts: Vec<&str> = scalar.text.split('/').collect();
    if parts.len() <= 2 && parts.iter().all(|part| is_name(part)) {
        return None;
    }
    Some(
        Diagnostic::new(
            code::ZONAL,
            span,
            format!("`{}` is not a zonal address", short(&scalar.text)),
        )
        .help("write balancer/zone, like `front/a`, or only the zone: `a`"),
    )
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

fn range(text: &str, span: Span, min: &str, max: &str) -> Diagnostic {
    Diagnostic::new(
        code::OUT_OF_RANGE,
        span,
        format!("`{}` is out of range", short(text)),
    )
    .help(format!("from {min} to {max}"))
}

fn integer(scalar: &Scalar, span: Span, min: u64, max: u64) -> Option<Diagnostic> {
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
    (!fits).then(|| range(text, span, &min.to_string(), &max.to_string()))
}

fn number(scalar: &Scalar, span: Span, min: f64, max: f64) -> Option<Diagnostic> {
    let text = scalar.text.as_str();
    let looks = text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && text[1..].bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && scalar.style == Style::Plain;
    match text.parse::<f64>() {
        Ok(value) if looks && (min..=max).contains(&value) => None,
        Ok(_) if looks => Some(range(text, span, &min.to_string(), &max.to_string())),
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
                format!("write `{}`; cloud time is for steps", Time(lapse.length)),
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
            } else if cloud {
                "write it as `2s`, `250ms`, `1m`, or `400s cloud` for time that `time_scale` shortens".to_owned()
            } else {
                "write it as `2s`, `250ms` or `1m`".to_owned()
            };
            Some(wrong(format!("`{}` is no duration: {why}", short(text))).help(help))
        }
    }
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
                code::LATER_VALUE,
                span,
                "IPv6 is part of the language, but this release does not run it yet",
            )
            .help(help),
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

fn word(words: &Words, scalar: &Scalar, span: Span) -> Option<Diagnostic> {
    let text = scalar.text.as_str();
    if words.now.contains(&text) {
        return None;
    }
    let here = format!("here are: {}", words.now.join(", "));
    if words.later.contains(&text) {
        return Some(
            Diagnostic::new(
                code::LATER_VALUE,
                span,
                format!("`{text}` is part of the language, but this release does not run it yet"),
            )
            .help(here),
        );
    }
    let known = words.now.iter().chain(words.later).copied();
    Some(
        Diagnostic::new(
            code::WORD,
            span,
            format!("`{}` is not a word for this", short(text)),
        )
        .help(suggest(text, known, &words.now.join(", "))),
    )
}

/// "did you mean", or all there is.
pub fn suggest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>, all: &str) -> String {
    match did_you_mean(text, known) {
        Some(near) => format!("did you mean `{near}`? Here are: {all}"),
        None => format!("here are: {all}"),
    }
}

/// What is wrong with a key of a map of named items.
pub fn key_problem(key: Key, text: &str, span: Span) -> Option<Diagnostic> {
    // A boolean word without quotes never got here.
    let scalar = Scalar {
        text: text.to_owned(),
        style: Style::Quoted,
    };
    match key {
        Key::Name => name(&scalar, span),
        Key::Zonal => zonal(&scalar, span),
        Key::Port => match text.parse::<Port>() {
            Ok(port) if !port.udp && !text.contains('/') => None,
            Ok(_) => Some(
                Diagnostic::new(
                    code::PORT,
                    span,
                    format!("`{}` is no listener's port", short(text)),
                )
                .help("a listener's key is only the number; its `protocol` says the rest"),
            ),
            Err(why) => Some(
                Diagnostic::new(code::PORT, span, format!("`{}` is no port", short(text)))
                    .help(why.to_string()),
            ),
        },
        Key::ServePort => text.parse::<Port>().err().map(|why| {
            Diagnostic::new(code::PORT, span, format!("`{}` is no port", short(text)))
                .help(format!("{why}; write `80`, or `53/udp`"))
        }),
    }
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
