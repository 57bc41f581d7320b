//! `to:` - a service's own address, within its cluster.
//!
//! `service` for one without a balancer, `service/clusterIP` for one with. The rules that turn such an address into a pod's
//! are on the nodes, so only pods and nodes can dial it.

use super::places::port_or_only;
use super::text::Parts;
use super::{Destinations, Place};
use crate::diag::codes::{kubernetes, plan as code};
use crate::diag::{Diagnostic, Spanned};
use crate::plan::kubernetes::Service;
use crate::plan::{Endpoint, HostId, Sink};
use crate::spec::ServePort;
use std::net::SocketAddrV4;

/// What follows the slash.
pub(super) const CLUSTER_IP: &str = "clusterIP";

impl Destinations<'_> {
    pub(super) fn service_place(
        &self,
        service: &Service,
        parts: &Parts<'_>,
        to: &Spanned<String>,
        sink: &mut Sink,
    ) -> Option<Place> {
        if let Some(sub) = parts.sub.filter(|sub| *sub != CLUSTER_IP) {
            sink.push(
                Diagnostic::new(
                    code::DESTINATION_SYNTAX,
                    to.span,
                    format!("`{}` is a service and has no `/{sub}`", parts.name),
                )
                .label("only load balancers have zonal addresses")
                .help(format!("write `{}`", parts.name)),
            );
            return None;
        }
        let ports: Vec<ServePort> = service
            .ports
            .iter()
            .map(|port| ServePort {
                port: port.port,
                udp: port.udp,
            })
            .collect();
        let port = port_or_only(parts, &ports, "has", to, sink)?;
        Some(Place::Service {
            address: SocketAddrV4::new(service.cluster_ip, port.port),
            name: to.value.clone(),
            udp: port.udp,
        })
    }

    /// The rules that know a service's address are on the nodes.
    pub(super) fn service(
        &self,
        client: HostId,
        address: SocketAddrV4,
        name: &str,
        to: &Spanned<String>,
    ) -> Result<Endpoint, Box<Diagnostic>> {
        let draft = self.hosts.get(client);
        if self.hosts.node_of(client).is_none() && !self.hosts.cluster.is_node(&draft.name) {
            return Err(Box::new(
                Diagnostic::new(
                    kubernetes::OUTSIDE_THE_CLUSTER,
                    to.span,
                    format!("`{}` is not in the cluster", draft.name),
                )
                .label(format!("{} is known on its nodes only", address.ip()))
                .also(draft.key.span, "the client")
                .help("dial the service's balancer, or a node's port: `n1:31468`"),
            ));
        }
        let node = self.hosts.node_of(client).unwrap_or(client);
        let node = &self.hosts.get(node).name;
        if let Some(pod) = self.hosts.cluster.endpoint_beside(*address.ip(), node) {
            return Err(Box::new(
                Diagnostic::new(
                    kubernetes::BESIDE_AN_ENDPOINT,
                    to.span,
                    format!(
                        "`{}` is on `{node}`, and so is `{pod}` behind `{name}`",
                        draft.name
                    ),
                )
                .label("its answer would not pass the node's device")
                .also(draft.key.span, "the client")
                .help("give the client a node without pods of this service"),
            ));
        }
        Ok(Endpoint {
            label: name.to_owned(),
            address: address.into(),
        })
    }
}
