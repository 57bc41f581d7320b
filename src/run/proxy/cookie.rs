//! AWSELB and AWSALB: the cookies by which an HTTP listener knows a client's target again.
//!
//! Observed on: AWS Classic Load Balancer ("Configure sticky sessions for your Classic Load Balancer"), AWS Application Load Balancer
//! ("Edit target group attributes", sticky sessions). A classic balancer gives it with the first answer and with none that follow, so that
//! requests do not put its end off; an application balancer with each. Whether it has expired is the client's business. It
//! names a target at a port: behind another port it means nothing. What AWS writes into it is not documented; here it is the
//! target's address and port, in hexadecimal. Left out: AWSALBCORS, which an application balancer gives besides for requests from pages of
//! other sites. Where AWSALB has `Expires` on AWS it has `MAX-AGE` here.

use hyper::header::{COOKIE, HeaderMap, HeaderValue};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// Of classic balancers.
pub(super) const CLASSIC: &str = "AWSELB";
/// Of application balancers.
pub(super) const APPLICATION: &str = "AWSALB";
/// Hexadecimal digits of an address, and of a port.
const ADDRESS: usize = 8;
const PORT: usize = 4;

/// `AWSELB=0A00000A0050;PATH=/;MAX-AGE=60`. Ages are whole seconds (RFC 6265 section 5.2.2), and 0 would be none: 1 at least.
pub(super) fn of(name: &str, target: SocketAddrV4, expires: Option<Duration>) -> HeaderValue {
    let (address, port) = (u32::from(*target.ip()), target.port());
    let age = expires.map_or(String::new(), |age| {
        format!(";MAX-AGE={}", age.as_secs_f64().ceil().max(1.0))
    });
    let text = format!("{name}={address:08X}{port:04X};PATH=/{age}");
    HeaderValue::from_str(&text).expect("visible characters")
}

/// The target that a request's cookie names; none: it has none that this balancer could have given.
pub(super) fn target(name: &str, headers: &HeaderMap) -> Option<SocketAddrV4> {
    let lines = headers.get_all(COOKIE).iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';'));
    let value = pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))?;
    let (address, port) = value.split_at_checked(ADDRESS)?;
    // Numbers are read with a sign before them, too.
    if port.len() != PORT || !value.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let address = u32::from_str_radix(address, 16).ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(address), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLUE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 10), 8080);

    fn asked_with(cookies: &[&'static str]) -> HeaderMap {
        let cookies = cookies.iter().copied().map(HeaderValue::from_static);
        cookies.map(|value| (COOKIE, value)).collect()
    }

    #[test]
    fn a_cookie_names_its_instance_among_others() {
        assert_eq!(of(CLASSIC, BLUE, None), "AWSELB=0A00000A1F90;PATH=/");
        for cookies in [
            &["AWSELB=0A00000A1F90"][..],
            &["cart=7; AWSELB=0A00000A1F90; lang=de"],
            &["cart=7", "AWSELB=0A00000A1F90"],
        ] {
            assert_eq!(
                target(CLASSIC, &asked_with(cookies)),
                Some(BLUE),
                "{cookies:?}"
            );
        }
    }

    #[test]
    fn one_kind_of_balancer_does_not_know_the_others_cookie() {
        let both = asked_with(&["AWSELB=0A00000A1F90; AWSALB=0A00000B1F90"]);
        let green = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 11), 8080);
        assert_eq!(target(CLASSIC, &both), Some(BLUE));
        assert_eq!(target(APPLICATION, &both), Some(green));
        assert_eq!(
            target(APPLICATION, &asked_with(&["AWSELB=0A00000A1F90"])),
            None
        );
    }

    #[test]
    fn what_this_balancer_never_gave_names_nobody() {
        for cookie in [
            "AWSELB=",
            "AWSELB=0A00000A",
            "AWSELB=0A00000A1F9",
            "AWSELB=0A00000A1F901",
            "AWSELB=+A00000A1F90 ",
            "AWSELB=0A00000\u{fc}1F9",
            "AWSELBCORS=0A00000A1F90",
            "awselb=0A00000A1F90",
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(cookie.as_bytes()).expect("no control characters");
            headers.insert(COOKIE, value);
            assert_eq!(target(CLASSIC, &headers), None, "{cookie}");
        }
    }

    #[test]
    fn its_age_is_whole_seconds_and_one_at_least() {
        let age = |millis| of(CLASSIC, BLUE, Some(Duration::from_millis(millis)));
        assert_eq!(age(60_000), "AWSELB=0A00000A1F90;PATH=/;MAX-AGE=60");
        assert_eq!(age(1200), "AWSELB=0A00000A1F90;PATH=/;MAX-AGE=2");
        assert_eq!(age(0), "AWSELB=0A00000A1F90;PATH=/;MAX-AGE=1");
    }
}
