//! Quantities and words as a plan writes them.

use crate::fabric::config::Protocol;
use crate::units::{Bytes, Time};
use std::time::Duration;

pub(super) fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    }
}

/// With a unit, whole KiB and MiB as such.
pub(super) fn bytes(size: u32) -> String {
    let text = Bytes(u64::from(size)).to_string();
    if text.ends_with(|c: char| c.is_ascii_digit()) {
        format!("{text} bytes")
    } else {
        text
    }
}

/// Scaled times can be any fraction: seconds with a point, to the microsecond.
pub(super) fn time(span: Duration) -> String {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    if micros > 1_000_000 && micros % 1_000_000 != 0 {
        return format!("{}s", span.as_secs_f64());
    }
    Time(Duration::from_micros(micros)).to_string()
}

/// A time of the cloud's, on both clocks.
pub(super) fn cloud(span: Duration, scale: f64) -> String {
    if scale > 1.0 {
        let written = Duration::from_secs_f64((span.as_secs_f64() * scale).round());
        format!("{} cloud ({})", time(written), time(span))
    } else {
        time(span)
    }
}
