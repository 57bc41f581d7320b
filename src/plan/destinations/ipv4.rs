//! Where a client dials over IPv4: the private or the public address, by where it stands; or why it cannot.

use super::text::{Family, Wanted};
use super::{Destinations, Place, Side};
use crate::diag::codes::{plan as code, segments};
use crate::diag::{Diagnostic, Spanned};
use crate::plan::{Endpoint, HostId};
use std::net::SocketAddr;

impl<'a> Destinations<'a> {
    pub(super) fn zonal(
        &self,
        client: HostId,
        balancer: usize,
        zone: usize,
        port: u16,
        to: &Spanned<String>,
    ) -> Result<Endpoint, Box<Diagnostic>> {
        let section = &self.balancers[balancer];
        let addresses = self.addresses.balancers[balancer][zone];
        let address = match (self.side(client), addresses.public) {
            (Side::Internet | Side::Both | Side::Vpc, Some(public)) => public,
            (Side::Both | Side::Vpc, None) => addresses.private,
            (Side::Internet, None) => {
                return Err(Box::new(
                    Diagnostic::new(
                        code::PRIVATE_FROM_INTERNET,
                        to.span,
                        format!("`{}` is an internal load balancer", section.name.value),
                    )
                    .label(format!(
                        "`{}` is on the internet and cannot reach it",
                        self.hosts.get(client).name
                    ))
                    .also(section.name.span, "the load balancer")
                    .help("give the client a `zone:`, or remove `scheme: internal`"),
                ));
            }
        };
        Ok(Endpoint {
            label: format!("{}/{}", section.name.value, section.zones[zone]),
            address: SocketAddr::from((address, port)),
        })
    }

    pub(super) fn interface(
        &self,
        client: HostId,
        endpoint: usize,
        zone: usize,
        port: u16,
        to: &Spanned<String>,
    ) -> Result<Endpoint, Box<Diagnostic>> {
        let section = &self.endpoints[endpoint];
        if self.side(client) == Side::Internet {
            let client = &self.hosts.get(client).name;
            return Err(Box::new(section.dialled_from_internet(client, to.span)));
        }
        Ok(Endpoint {
            label: format!("{}/{}", section.name.value, section.zones[zone]),
            address: SocketAddr::from((self.addresses.endpoints[endpoint][zone], port)),
        })
    }

    pub(super) fn host(
        &self,
        client: HostId,
        host: HostId,
        public: bool,
        port: u16,
        to: &Spanned<String>,
    ) -> Result<Endpoint, Box<Diagnostic>> {
        let draft = self.hosts.get(host);
        let addresses = self.addresses.hosts[host.0 as usize];
        let segments = &self.addresses.segments;
        if let Some(router) = segments.router(host) {
            if client != router && segments.router(client) != Some(router) {
                return Err(Box::new(self.behind(client, host, router, to)));
            }
            return Ok(Endpoint {
                label: draft.name.clone(),
                address: SocketAddr::from((addresses.private, port)),
            });
        }
        let on_internet = draft.section.zone.is_none();
        let side = self.side(client);
        let wants_public = public || (side == Side::Internet && !on_internet);
        let label = if public {
            format!("{}/public", draft.name)
        } else {
            draft.name.clone()
        };
        let address = match (on_internet, wants_public, addresses.public) {
            (true, _, _) => addresses.private,
            (false, false, _) => addresses.private,
            (false, true, Some(public)) => public,
            (false, true, None) => return Err(Box::new(self.no_public(client, host, to))),
        };
        if side == Side::Vpc && (on_internet || wants_public) {
            return Err(Box::new(self.no_way_out(client, &label, to)));
        }
        Ok(Endpoint {
            label,
            address: SocketAddr::from((address, port)),
        })
    }

    /// Everybody dials the public addresses of an internet-facing balancer, and who is in a VPC without a way out gets
    /// nowhere.
    pub(super) fn in_vain(
        &self,
        client: HostId,
        place: &Place,
        wanted: Wanted<'_>,
    ) -> Option<Diagnostic> {
        let Place::Zonal {
            balancer, zones, ..
        } = place
        else {
            return None;
        };
        let addresses = &self.addresses.balancers[*balancer];
        let public = zones.iter().any(|zone| addresses[*zone].public.is_some());
        if !public || wanted.family() == Family::Ipv6 || self.side(client) != Side::Vpc {
            return None;
        }
        let (client, balancer) = (self.hosts.get(client), &self.balancers[*balancer].name);
        Some(
            Diagnostic::warning(
                code::IN_VAIN,
                wanted.to.span,
                format!(
                    "`{}` has no way to the public addresses of `{}`",
                    client.name, balancer.value
                ),
            )
            .label("this times out, as it does at AWS")
            .also(
                client.key.span,
                "a host in a zone without a public address or `nat`",
            )
            .also(balancer.span, "internet-facing, as balancers are unless they say otherwise")
            .help("write `scheme: internal` for the balancer, or give the client `public_address: auto` or `nat: NAME`"),
        )
    }

    fn behind(
        &self,
        client: HostId,
        host: HostId,
        router: HostId,
        to: &Spanned<String>,
    ) -> Diagnostic {
        let (host, router) = (self.hosts.get(host), &self.hosts.get(router).name);
        Diagnostic::new(
            segments::DIALLED_FROM_OUTSIDE,
            to.span,
            format!("`{}` is behind `{router}`", host.name),
        )
        .label(format!(
            "`{}` knows no way to its address",
            self.hosts.get(client).name
        ))
        .also(host.key.span, "the host")
        .help(format!(
            "publish a port with a `dnat` in the `nft` of `{router}`, and dial `{router}:80`"
        ))
    }

    fn no_public(&self, client: HostId, host: HostId, to: &Spanned<String>) -> Diagnostic {
        let draft = self.hosts.get(host);
        let label = if self.side(client) == Side::Internet {
            format!(
                "`{}` is on the internet, `{}` is in a zone",
                self.hosts.get(client).name,
                draft.name
            )
        } else {
            "asks for the public address".to_owned()
        };
        Diagnostic::new(
            code::NO_PUBLIC_ADDRESS,
            to.span,
            format!("host `{}` has no public address", draft.name),
        )
        .label(label)
        .also(draft.key.span, "the host")
        .help("add `public_address: auto` to it")
    }

    pub(super) fn no_way_out(
        &self,
        client: HostId,
        label: &str,
        to: &Spanned<String>,
    ) -> Diagnostic {
        let draft = self.hosts.get(client);
        Diagnostic::new(
            code::NO_WAY_TO_INTERNET,
            to.span,
            format!("`{}` has no way to the internet", draft.name),
        )
        .label(format!("`{label}` is out there"))
        .also(
            draft.key.span,
            "a host in a zone without a public address or `nat`",
        )
        .help("add `public_address: auto` to it, or put it behind a gateway: `nat: NAME`")
    }
}
