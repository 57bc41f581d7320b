//! Endpoints that come and go while the story runs, where the nodes' kernels turn services into pods: kube-proxy writes its
//! rules anew, deletes entries of connection tracking, and answers health checks of the node by what is left. Not here: who does it (see `run`), and what the emulated proxy modes
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
    /// `terminating_endpoints: serve`
    pub(super) terminating_serve: bool,
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

    /// What nodes answer on each `healthCheckNodePort` without these endpoints, which do not count while they are terminating
    /// either: node, port, status.
    pub fn checks_without(
        &self,
        gone: &HashSet<PodPlace>,
    ) -> impl Iterator<Item = (HostId, u16, u16)> {
        let left = self.left(gone);
        let nodes = self.nodes.iter();
        nodes.flat_map(move |(node, name)| {
            let checked = left.iter().filter_map(|service| {
                let port = service.health_check?;
                Some((*node, port, status(service.is_ready_on(name))))
            });
            checked.collect::<Vec<_>>()
        })
    }

    /// The rules of a node without these endpoints, as text for `nft -f` that puts them in the place of those that it has, in
    /// one transaction. Empty of a host that is no node.
    pub fn rules_without(&self, node: HostId, gone: &HashSet<PodPlace>) -> String {
        let Some((_, name)) = self.nodes.iter().find(|(known, _)| *known == node) else {
            return String::new();
        };
        let mut text = kube_proxy::clearance();
        text.push_str(&kube_proxy::rules(
            &self.left(gone),
            name,
            self.drop_invalid,
        ));
        text
    }

    /// Services with what is left of their endpoints.
    fn left(&self, gone: &HashSet<PodPlace>) -> Vec<Service> {
        let services = self.services.iter().enumerate();
        services
            .map(|(number, service)| {
                let endpoints = service.endpoints.iter().cloned().enumerate();
                let (gone, here): (Vec<_>, Vec<_>) =
                    endpoints.partition(|(place, _)| gone.contains(&(number, *place)));
                let gone = gone.into_iter().filter(|_| self.terminating_serve);
                Service {
                    endpoints: here.into_iter().map(|(_, endpoint)| endpoint).collect(),
                    terminating: gone.map(|(_, endpoint)| endpoint).collect(),
                    ..service.clone()
                }
            })
            .collect()
    }
}

/// kube-proxy's answer to a health check of a node, with a pod of the service there or without.
pub(super) fn status(has_pod: bool) -> u16 {
    if has_pod { 200 } else { 503 }
}
