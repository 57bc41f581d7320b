//! Durations, rates, percentages, sizes and ports as labs write them.
//!
//! Each type reads and prints one spelling: `text.parse()` and `to_string()` are each other's inverse.
//! Not here: ranges, which depend on the field (see `spec::grammar`), and cloud time (see `spec::Lapse`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest time a lab can name: a year. Longer ones overflow nothing, but are surely mistakes.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a text is not the quantity it should be; one clause, to stand after "because".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A span of time: `2s`, `5ms`, `250us`, `1m`, `1h`, `1.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// Bits per second: `50mbit`, `1gbit`, `10kbit`, `800bit`. The prefixes are powers of 1000, as in `tc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

/// A part of a whole: `1%`, `0.5%`; 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(pub f64);

/// A size: `64`, `64B`, `16KiB`, `1MiB`, `10kB`, `1MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A port with its protocol: `80` is TCP, `53/udp` is UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// 1..=65535
    pub number: u16,
    /// True after `/udp`.
    pub udp: bool,
}

impl Percent {
    /// 0.0 to 1.0.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0 / 100.0
    }
}

/// Largest unit first, so that printing picks the shortest text.
const TIME_UNITS: [(&str, u128); 5] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];
const RATE_UNITS: [(&str, u128); 4] = [
    ("gbit", 1_000_000_000),
    ("mbit", 1_000_000),
    ("kbit", 1_000),
    ("bit", 1),
];
const SIZE_UNITS: [(&str, u128); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// `12`, `1.5`, with a unit of `units` behind it; the result is in the smallest step of the scale.
fn scaled(text: &str, units: &[(&str, u128)], wrong_unit: &'static str) -> Result<u128, Malformed> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = units
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| near_miss(text, units).unwrap_or(Malformed(wrong_unit)))?
        .1;
    let (whole, fraction) = number
        .split_once('.')
        .map_or((number, None), |(w, f)| (w, Some(f)));
    const NOT_A_NUMBER: Malformed = Malformed("it does not start with a number");
    if whole.is_empty() || fraction.is_some_and(|f| f.is_empty() || f.contains('.')) {
        return Err(NOT_A_NUMBER);
    }
    if whole.len() > 15 || fraction.is_some_and(|f| f.len() > 12) {
        return Err(Malformed("the number has too many digits"));
    }
    let mut value = whole.parse::<u128>().map_err(|_| NOT_A_NUMBER)? * scale;
    if let Some(fraction) = fraction {
        let part = fraction.parse::<u128>().map_err(|_| NOT_A_NUMBER)? * scale;
        let divisor = 10u128.pow(fraction.len() as u32);
        if part % divisor != 0 {
            return Err(Malformed("it is finer than the smallest unit"));
        }
        value += part / divisor;
    }
    Ok(value)
}

/// Spellings of other tongues and tools, told apart from a missing unit.
fn near_miss(text: &str, units: &[(&str, u128)]) -> Option<Malformed> {
    let ends_with_unit = || units.iter().any(|(name, _)| text.ends_with(name));
    if text.starts_with('-') {
        Some(Malformed("it is negative"))
    } else if text.contains(',') {
        Some(Malformed("a fraction is written with a point"))
    } else if text.contains(' ')
        && text.starts_with(|c: char| c.is_ascii_digit())
        && ends_with_unit()
    {
        Some(Malformed("a space stands before the unit"))
    } else if has_exponent(text) {
        Some(Malformed("a number is written without exponent"))
    } else {
        None
    }
}

/// `1e3s`
fn has_exponent(text: &str) -> bool {
    let behind = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let exponent = behind.strip_prefix(['e', 'E']);
    behind.len() < text.len()
        && exponent.is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
        })
}

/// The largest unit that divides `value`.
fn print_scaled(f: &mut fmt::Formatter<'_>, value: u128, units: &[(&str, u128)]) -> fmt::Result {
    let smallest = units[units.len() - 1];
    let (unit, scale) = *units
        .iter()
        .find(|(_, scale)| value != 0 && value.is_multiple_of(*scale))
        .unwrap_or(&smallest);
    write!(f, "{}{unit}", value / scale)
}

impl FromStr for Time {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let nanos = scaled(text, &TIME_UNITS, "the unit of a time is us, ms, s, m or h")?;
        if nanos > LONGEST.as_nanos() {
            return Err(Malformed("it is longer than a year"));
        }
        if nanos % 1000 != 0 {
            return Err(Malformed("it is finer than the smallest unit"));
        }
        Ok(Time(Duration::from_nanos(nanos as u64)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() {
            return f.write_str("0s");
        }
        let nanos = self.0.as_nanos();
        if nanos.is_multiple_of(1000) {
            print_scaled(f, nanos, &TIME_UNITS)
        } else {
            write!(f, "{}ns", nanos)
        }
    }
}

impl FromStr for Rate {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bits = scaled(
            text,
            &RATE_UNITS,
            "the unit of a rate is bit, kbit, mbit or gbit",
        )?;
        u64::try_from(bits)
            .map(Rate)
            .map_err(|_| Malformed("it is too large"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_scaled(f, u128::from(self.0), &RATE_UNITS)
    }
}

impl FromStr for Percent {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let number = text
            .strip_suffix('%')
            .ok_or(Malformed("a share needs a percent sign"))?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(Malformed("it does not start with a number"));
        }
        let value: f64 = number
            .parse()
            .map_err(|_| Malformed("it does not start with a number"))?;
        if value <= 100.0 {
            Ok(Percent(value))
        } else {
            Err(Malformed("it is more than 100%"))
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl FromStr for Bytes {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let bytes = if plain {
            text.parse::<u128>()
                .map_err(|_| Malformed("it is too large"))?
        } else {
            scaled(
                text,
                &SIZE_UNITS,
                "a size is a number of bytes, or has a unit: B, kB, MB, GB, KiB, MiB or GiB",
            )?
        };
        u64::try_from(bytes)
            .map(Bytes)
            .map_err(|_| Malformed("it is too large"))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIZE_UNITS[..3]
            .iter()
            .find(|(_, scale)| self.0 != 0 && u128::from(self.0).is_multiple_of(*scale))
        {
            Some((unit, scale)) => write!(f, "{}{unit}", u128::from(self.0) / scale),
            None => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for Port {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (number, udp) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.strip_suffix("/tcp").unwrap_or(text), false),
            Some((number, "udp")) => (number, true),
            Some(_) => return Err(Malformed("behind the slash stands tcp or udp")),
        };
        if number.is_empty()
            || number.starts_with('0')
            || !number.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(Malformed("a port is a number from 1 to 65535"));
        }
        let number = number
            .parse()
            .map_err(|_| Malformed("a port is a number from 1 to 65535"))?;
        Ok(Port { number, udp })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, if self.udp { "/udp" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_labs_write() {
        let time = |text: &str| text.parse::<Time>().map(|t| t.0);
        assert_eq!(time("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(time("5ms"), Ok(Duration::from_millis(5)));
        assert_eq!(time("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(time("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(time("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!("50mbit".parse(), Ok(Rate(50_000_000)));
        assert_eq!("1.5kbit".parse(), Ok(Rate(1500)));
        assert_eq!("0.5%".parse::<Percent>().map(Percent::share), Ok(0.005));
        assert_eq!("64".parse(), Ok(Bytes(64)));
        assert_eq!("16KiB".parse(), Ok(Bytes(16384)));
        assert_eq!("10kB".parse(), Ok(Bytes(10_000)));
        assert_eq!(
            "53/udp".parse(),
            Ok(Port {
                number: 53,
                udp: true
            })
        );
        assert_eq!(
            "80/tcp".parse(),
            Ok(Port {
                number: 80,
                udp: false
            })
        );
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "", "5", "s", ".5s", "1.s", "1..2s", "-1s", "+1s", "1 s", "1sec", "0.1us", "9000h",
            "1e3s", "1.2.3s",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        for text in ["", "5", "5Mbit", "mbit", "0.5bit", "99999999999gbit"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        for text in [
            "", "%", "1", "101%", "-1%", "NaN%", "inf%", "1 %", "1e1%", ".%",
        ] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        for text in ["", "-1", "1k", "KiB", "1.5", "99999999999999999999"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
        for text in [
            "",
            "0",
            "080",
            "65536",
            "+80",
            "80/sctp",
            "/udp",
            "80/udp/udp",
        ] {
            assert!(text.parse::<Port>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_is_the_inverse_of_reading(
            micros in 0..LONGEST.as_micros() as u64, bits: u64, percent in 0.0..=100.0f64, bytes: u64,
            number in 1..=u16::MAX, udp: bool,
        ) {
            let time = Time(Duration::from_micros(micros));
            prop_assert_eq!(time.to_string().parse(), Ok(time));
            let bits = Rate(bits % 1_000_000_000_000_000);
            prop_assert_eq!(bits.to_string().parse(), Ok(bits));
            prop_assert_eq!(Percent(percent).to_string().parse(), Ok(Percent(percent)));
            let bytes = Bytes(bytes % 1_000_000_000_000_000);
            prop_assert_eq!(bytes.to_string().parse(), Ok(bytes));
            let port = Port { number, udp };
            prop_assert_eq!(port.to_string().parse(), Ok(port));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,24}") {
            let _ = (text.parse::<Time>(), text.parse::<Rate>(), text.parse::<Percent>());
            let _ = (text.parse::<Bytes>(), text.parse::<Port>());
        }
    }
}
