//! Where a client dials over IPv6.

use super::{Destinations, Place};
use crate::diag::codes::{ipv6, plan as code};
use crate::diag::{Diagnostic, Spanned};
use crate::plan::{Endpoint, HostId};
use std::net::{Ipv6Addr, SocketAddr};

/// The endpoint, when there is an address.
fn endpoint_at(
    label: String,
    address: Option<Ipv6Addr>,
    port: u16,
    to: &Spanned<String>,
) -> Result<Endpoint, Box<Diagnostic>> {
    let Some(address) = address else {
        let message = format!("`{label}` has no IPv6 address");
        return Err(Box::new(
            Diagnostic::new(ipv6::NO_IPV6_THERE, to.span, message)
                .label("dialled over IPv6")
                .help(
                    "a load balancer has them with `ip_address_type: dualstack`, a host with `ipv6: auto`",
                ),
        ));
    };
    Ok(Endpoint {
        label,
        address: SocketAddr::from((address, port)),
    })
}

impl Destinations<'_> {
    /// No address is private and none is translated, so it does not matter where the two stand.
    pub(super) fn over_ipv6(
        &self,
        client: HostId,
        place: &Place,
        to: &Spanned<String>,
    ) -> Result<Vec<Endpoint>, Box<Diagnostic>> {
        let draft = self.hosts.get(client);
        if self.addresses.hosts[client.0 as usize].ipv6.is_none() {
            return Err(Box::new(
                Diagnostic::new(
                    ipv6::CLIENT_WITHOUT_IPV6,
                    to.span,
                    format!("`{}` has no IPv6 address", draft.name),
                )
                .label("dialled over IPv6")
                .also(draft.key.span, "the client")
                .help("add `ipv6: auto` to it"),
            ));
        }
        let endpoint = |label, address, port| endpoint_at(label, address, port, to);
        match place {
            // Of the cluster's own addresses there are none of IPv6.
            Place::Service { address, name, .. } => {
                self.service(client, *address, name, to).map(|e| vec![e])
            }
            Place::Address(address, _) => Ok(vec![Endpoint {
                label: address.to_string(),
                address: *address,
            }]),
            Place::Hosts { hosts, port, .. } => hosts
                .iter()
                .map(|host| {
                    let name = self.hosts.get(*host).name.clone();
                    endpoint(name, self.addresses.hosts[host.0 as usize].ipv6, port.port)
                })
                .collect(),
            Place::Endpoint {
                endpoint: index,
                zones,
                port,
                by_name: _,
            } => {
                let section = &self.endpoints[*index];
                let label = |zone: usize| format!("{}/{}", section.name.value, section.zones[zone]);
                let zones = zones.iter();
                zones
                    .map(|zone| endpoint(label(*zone), None, port.port))
                    .collect()
            }
            Place::Zonal {
                balancer,
                zones,
                port,
                by_name: _,
            } => {
                let section = &self.balancers[*balancer];
                let shut = !section.ipv6_from_internet && draft.section.zone.is_none();
                let addresses = &self.addresses.balancers[*balancer];
                if shut && addresses.iter().any(|zonal| zonal.ipv6.is_some()) {
                    return Err(Box::new(self.keeps_internet_out(client, *balancer, to)));
                }
                zones
                    .iter()
                    .map(|zone| {
                        let label = format!("{}/{}", section.name.value, section.zones[*zone]);
                        endpoint(label, addresses[*zone].ipv6, port.port)
                    })
                    .collect()
            }
        }
    }

    fn keeps_internet_out(
        &self,
        client: HostId,
        balancer: usize,
        to: &Spanned<String>,
    ) -> Diagnostic {
        let name = self.balancers[balancer].name;
        Diagnostic::new(
            code::PRIVATE_FROM_INTERNET,
            to.span,
            format!("`{}` keeps the internet away from its IPv6 addresses", name.value),
        )
        .label(format!("`{}` is on the internet", self.hosts.get(client).name))
        .also(name.span, "the load balancer")
        .help("give the client a `zone:`, or the balancer the attribute `ipv6.deny_all_igw_traffic: false`")
    }
}
