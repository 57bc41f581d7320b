//! Destinations written as addresses.

use super::text::{Family, Parts, Wanted, syntax};
use super::{Destinations, Place, Side};
use crate::diag::codes::{ipv6, plan as code};
use crate::diag::{Diagnostic, Spanned};
use crate::plan::vpcs::is_private;
use crate::plan::{Endpoint, HostId, Sink};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

/// The place, or what is wrong with it.
pub(super) fn address_place(
    address: IpAddr,
    parts: &Parts<'_>,
    wanted: Wanted<'_>,
    sink: &mut Sink,
) -> Option<Place> {
    let to = wanted.to;
    if let Some(family) = wanted.family
        && address.is_ipv6() != (wanted.family() == Family::Ipv6)
    {
        sink.push(
            Diagnostic::new(
                ipv6::OTHER_FAMILY,
                family.span,
                format!("{address} is not of `family: {}`", family.value),
            )
            .also(to.span, "this address")
            .help("leave `family` out: an address says it itself"),
        );
        return None;
    }
    match (parts.sub, parts.port) {
        (None, Some(port)) => Some(Place::Address(
            SocketAddr::new(address, port.port),
            port.udp,
        )),
        (Some(_), _) => {
            sink.push(syntax(to));
            None
        }
        (None, None) => {
            sink.push(
                Diagnostic::new(
                    code::PORT_NEEDED,
                    to.span,
                    "an address needs a port".to_owned(),
                )
                .help(format!("write `{}`", SocketAddr::new(address, 80))),
            );
            None
        }
    }
}

impl Destinations<'_> {
    /// An IPv4 address as a client dials it.
    pub(super) fn address(
        &self,
        client: HostId,
        address: SocketAddrV4,
        to: &Spanned<String>,
    ) -> Result<Endpoint, Box<Diagnostic>> {
        let endpoint = Endpoint {
            label: address.to_string(),
            address: address.into(),
        };
        let segments = &self.addresses.segments;
        if segments.is_behind(self.exit(client), *address.ip()) {
            return Ok(endpoint);
        }
        let private = is_private(*address.ip());
        match (self.side(client), private) {
            (Side::Internet, true) => Err(Box::new(
                Diagnostic::new(
                    code::PRIVATE_FROM_INTERNET,
                    to.span,
                    format!("{} is private", address.ip()),
                )
                .label(format!(
                    "`{}` is on the internet and cannot reach it",
                    self.hosts.get(client).name
                ))
                .help("dial a public address, or give the client a `zone:`"),
            )),
            (Side::Vpc, false) => Err(Box::new(self.no_way_out(client, &address.to_string(), to))),
            (Side::Internet | Side::Both, false) | (Side::Both | Side::Vpc, true) => Ok(endpoint),
        }
    }
}
