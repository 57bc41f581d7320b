//! The steps that take pods out of services and put them back. Where the nodes' kernels know services, kube-proxy does on every
//! node what the real one does: new rules first, then entries of connection tracking are deleted, then health checks of the node are answered by
//! what is left. Else the fabric is told.

use super::{Story, locked};
use crate::evidence::{Detail, ServiceEndpoint};
use crate::fabric::change::Change;
use crate::plan::{HostId, KubeProxy, PodPlace};
use crate::world::tracked::{self, Stale};
use crate::world::{Error, Host};
use futures_util::future::try_join_all;
use std::time::Duration;

/// For a node to take its rules.
const LIMIT: Duration = Duration::from_secs(30);

impl Story {
    /// # Errors
    /// When a node does not take its rules, or does not let go of an entry.
    pub(super) async fn endpoints(
        &self,
        places: &[PodPlace],
        there: bool,
    ) -> Result<Detail, Error> {
        let mut cleared = 0;
        match &self.plan.kube_proxy {
            Some(kube_proxy) => cleared = self.rewrite(kube_proxy, places, there).await?,
            None => {
                for (service, endpoint) in places.iter().copied() {
                    let change = Change::Endpoint {
                        service,
                        endpoint,
                        there,
                    };
                    self.world.driver().apply(change).await;
                }
            }
        }
        let endpoints = places.iter();
        Ok(Detail::Endpoints {
            there,
            endpoints: endpoints.filter_map(|place| self.named(*place)).collect(),
            cleared: cleared as i64,
        })
    }

    fn named(&self, place: PodPlace) -> Option<ServiceEndpoint> {
        if let Some(kube_proxy) = &self.plan.kube_proxy {
            let translation = kube_proxy.translation(place)?;
            return Some(ServiceEndpoint {
                service: translation.service.to_owned(),
                cluster: translation.cluster.to_string(),
                endpoint: translation.endpoint.to_string(),
            });
        }
        let proxy = self.plan.fabric.service_proxy.as_deref()?;
        let service = proxy.services.get(place.0)?;
        Some(ServiceEndpoint {
            service: service.name.clone(),
            cluster: service.at.to_string(),
            endpoint: service.endpoints.get(place.1)?.address.to_string(),
        })
    }

    /// Gives every node the rules that it has from now on. How many entries were deleted.
    async fn rewrite(
        &self,
        kube_proxy: &KubeProxy,
        places: &[PodPlace],
        there: bool,
    ) -> Result<usize, Error> {
        let gone = {
            let mut gone = locked(&self.memory.gone);
            for place in places {
                if there {
                    gone.remove(place);
                } else {
                    gone.insert(*place);
                }
            }
            gone.clone()
        };
        let leaving = places.iter().filter(|_| !there);
        let leaving = leaving.filter_map(|place| kube_proxy.translation(*place));
        let stale: Vec<Stale> = leaving
            .filter(|translation| kube_proxy.clears(translation))
            .map(|translation| Stale {
                udp: translation.udp,
                service: translation.cluster,
                node_port: translation.node_port,
                endpoint: translation.endpoint,
            })
            .collect();
        let nodes = kube_proxy.nodes().map(|node: HostId| {
            let rules = kube_proxy.rules_without(node, &gone);
            sync(self.world.host(node), rules, stale.clone())
        });
        let cleared = try_join_all(nodes).await?.into_iter().sum();
        for (node, port, status) in kube_proxy.checks_without(&gone) {
            self.servers[node.0 as usize].answer_with(port, status);
        }
        Ok(cleared)
    }
}

/// What kube-proxy calls so: one node gets its rules, and loses entries that contradict them.
async fn sync(node: &Host, rules: String, stale: Vec<Stale>) -> Result<usize, Error> {
    let ended = node
        .inside()?
        .run("nft", &["-f", "-"], Some(&rules), LIMIT)
        .await?;
    ended
        .success("apply the cluster's rules", LIMIT)
        .map_err(|error| error.on(&node.name))?;
    if stale.is_empty() {
        return Ok(0);
    }
    let forgotten = node.namespace.call(move || tracked::forget(&stale)).await;
    forgotten.map_err(|error| {
        Error::io("delete entries of connection tracking", &error)
            .on(&node.name)
            .hint("load the module: `modprobe nf_conntrack_netlink`")
    })
}
