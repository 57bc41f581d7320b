//! Endpoints that come and go while the story runs, where the nodes' kernels turn services into pods: kube-proxy writes its
//! rules anew and deletes entries of connection tracking. Not here: who does it (see `run`), and what the emulated proxy modes
//! do (see `service_proxy`).

use super::kube_proxy::{self, Service};
use crate::plan::HostId;
use std::collections::HashSet;
use std::net::SocketAddrV4;

/// A port of a service, and the place of a pod behind it.
pub type PodPlace = (usize, usize);

/// kube-proxy on all nodes of a cluster.
#[derive(Clone, Debug)]
pub struct KubeProxy {
    pub(super) services: Vec<Service>,
    /// Nodes, and their names.
    pub(super) nodes: Vec<(HostId, String)>,
    pub(super) drop_invalid: bool,
    /// `clear_conntrack: syn-sent`
    pub(super) clears_unanswered: bool,
}

/// Who a service's address leads to, by one of its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation<'a> {
    /// `default/shop`
    pub service: &'a str,
    /// It carries datagrams.
    pub udp: bool,
    /// The service's address within the cluster.
    pub cluster: SocketAddrV4,
    /// Its port of the nodes.
    pub node_port: Option<u16>,
    /// The pod's.
    pub endpoint: SocketAddrV4,
}

impl KubeProxy {
    /// Every node.
    pub fn nodes(&self) -> impl Iterator<Item = HostId> {
        self.nodes.iter().map(|(node, _)| *node)
    }

    /// An endpoint by its place.
    pub fn translation(&self, (service, endpoint): PodPlace) -> Option<Translation<'_>> {
        let service = self.services.get(service)?;
        Some(Translation {
            service: &service.name,
            udp: service.udp,
            cluster: service.cluster,
            node_port: service.node_port,
            endpoint: service.endpoints.get(endpoint)?.address,
        })
    }

    /// True where nodes delete entries of connections to an endpoint that goes: all of datagrams, of TCP those that are not
    /// answered, if any.
    pub fn clears(&self, translation: &Translation<'_>) -> bool {
        translation.udp || self.clears_unanswered
    }

    /// The rules of a node without these endpoints, as text for `nft -f` that puts them in the place of those that it has, in
    /// one transaction. Empty of a host that is no node.
    pub fn rules_without(&self, node: HostId, gone: &HashSet<PodPlace>) -> String {
        let Some((_, name)) = self.nodes.iter().find(|(known, _)| *known == node) else {
            return String::new();
        };
        let services = self.services.iter().enumerate();
        let left: Vec<Service> = services
            .map(|(number, service)| {
                let endpoints = service.endpoints.iter().enumerate();
                let here = endpoints.filter(|(place, _)| !gone.contains(&(number, *place)));
                Service {
                    endpoints: here.map(|(_, endpoint)| endpoint.clone()).collect(),
                    ..service.clone()
                }
            })
            .collect();
        let mut text = kube_proxy::clearance();
        text.push_str(&kube_proxy::rules(&left, name, self.drop_invalid));
        text
    }
}
