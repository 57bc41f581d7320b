//! Where a client dials over IPv4: the private or the public address, by where it stands; or why it cannot.

use super::text::{Family, Wanted};
use super::{Destinations, Place, Side};
use crate::diag::codes::{plan as code, segments};
use crate::diag::{Diagnostic, Span, Spanned};
use crate::plan::kubernetes::annotations::PREFIX;
use crate::plan::{Endpoint, HostId};
use std::net::SocketAddr;

/// What a client goes out by that has no way out.
struct MissingWay {
    /// Its router or node, or the client itself.
    exit: Span,
    /// What that is.
    what: String,
    /// What would be a way.
    help: String,
}

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
    /// nowhere, unless its node takes them for a service's own.
    pub(super) fn in_vain(
        &self,
        client: HostId,
        place: &Place,
        wanted: Wanted<'_>,
    ) -> Option<Diagnostic> {
        let Place::Zonal {
            balancer,
            zones,
            port,
            by_name: _,
        } = place
        else {
            return None;
        };
        let addresses = &self.addresses.balancers[*balancer];
        let public = zones.iter().any(|zone| addresses[*zone].public.is_some());
        if !public || wanted.family() == Family::Ipv6 || self.side(client) != Side::Vpc {
            return None;
        }
        let service = self.hosts.cluster.service_of(*balancer);
        let exit = &self.hosts.get(self.exit(client)).name;
        let on_nodes = service.is_some_and(|service| service.short_circuits(*port));
        if on_nodes && self.hosts.cluster.is_node(exit) {
            return None;
        }
        let (facing, internal) = match service {
            Some(_) => (
                "internet-facing, as an annotation of the service says",
                format!("annotate the service with `{PREFIX}scheme: internal`"),
            ),
            None => (
                "internet-facing, as balancers are unless they say otherwise",
                "write `scheme: internal` for the balancer".to_owned(),
            ),
        };
        let (balancer, way) = (&self.balancers[*balancer].name, self.missing_way(client));
        Some(
            Diagnostic::warning(
                code::IN_VAIN,
                wanted.to.span,
                format!(
                    "`{}` has no way to the public addresses of `{}`",
                    self.hosts.get(client).name,
                    balancer.value
                ),
            )
            .label("this times out, as it does at AWS")
            .also(way.exit, way.what)
            .also(balancer.span, facing)
            .help(format!("{internal}, or {}", way.help)),
        )
    }

    /// Why a client in a VPC has no way out.
    fn missing_way(&self, client: HostId) -> MissingWay {
        let exit = self.exit(client);
        let draft = self.hosts.get(exit);
        let node = self.hosts.cluster.is_node(&draft.name);
        let (kind, none, one) = match node {
            true => ("node", "a public address", "`public_address: auto`"),
            false => (
                "host",
                "a public address or `nat`",
                "`public_address: auto` or `nat: NAME`",
            ),
        };
        let (through, receiver) = match exit == client {
            true => (String::new(), "the client".to_owned()),
            false => (
                format!(", by which `{}` goes out", self.hosts.get(client).name),
                format!("`{}`", draft.name),
            ),
        };
        MissingWay {
            exit: draft.key.span,
            what: format!("a {kind} in a zone without {none}{through}"),
            help: format!("give {receiver} {one}"),
        }
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
        let (client, way) = (&self.hosts.get(client).name, self.missing_way(client));
        Diagnostic::new(
            code::NO_WAY_TO_INTERNET,
            to.span,
            format!("`{client}` has no way to the internet"),
        )
        .label(format!("`{label}` is out there"))
        .also(way.exit, way.what)
        .help(way.help)
    }
}
