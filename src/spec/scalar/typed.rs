//! Typed values of texts that have been checked.

use crate::spec::model::{Ipv6, Lapse, PublicAddress, ServePort};
use crate::units::{Bytes, Malformed, Percent, Port, Rate, Time};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

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
    Ipv6: |text| match text {
        "auto" => Some(Ipv6::Auto),
        address => address.parse().ok().map(Ipv6::Fixed),
    };
    ServePort: |text| text.parse::<Port>().ok().map(|port| ServePort { port: port.number, udp: port.udp });
}

impl FromStr for Lapse {
    type Err = Malformed;

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
