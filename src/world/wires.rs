//! The wires between a host and those inside it, and what a host's kernel remembers of connections: both go with its power.
//!
//! A wire is cut at both ends by a queueing discipline that throws everything away (net/sched/sch_blackhole.c, since Linux 4.18).
//! The devices stay up: routes and neighbours of a device that goes down are gone, and a story may have changed them.

use super::netlink::Netlink;
use super::{Error, World, inside, tcp_sockets, tracked, tun};
use crate::plan::HostId;

/// What veths have when they are made, and what stands for no power.
const LIVE: &str = "noqueue";
const DEAD: &str = "blackhole";

impl World {
    /// Cuts the wires between `parent` and hosts inside it, or mends them. `veths`: each of these, and what the parent calls its end.
    ///
    /// # Errors
    /// What the kernel refused.
    pub async fn wire(
        &self,
        parent: HostId,
        veths: &[(HostId, String)],
        live: bool,
    ) -> Result<(), Error> {
        let kind = if live { LIVE } else { DEAD };
        let give = move |devices: &[String]| {
            let mut netlink = Netlink::open()?;
            for device in devices {
                netlink.discipline(inside::index(device)?, kind)?;
            }
            Ok(())
        };
        let ports: Vec<String> = veths.iter().map(|(_, port)| port.clone()).collect();
        let at = self.host(parent);
        let given = at.namespace.call(move || give(&ports)).await;
        given.map_err(|error: Error| error.on(&at.name))?;
        for (guest, _) in veths {
            let at = self.host(*guest);
            let given = at.namespace.call(move || give(&[tun::NAME.to_owned()]));
            given.await.map_err(|error| error.on(&at.name))?;
        }
        Ok(())
    }

    /// Ends a host's TCP sockets but those that listen, where the kernel can (see `tcp_sockets`). With its ways out cut nobody hears of
    /// it.
    ///
    /// # Errors
    /// What the kernel refused.
    pub async fn end_sockets(&self, host: HostId) -> Result<(), Error> {
        let host = self.host(host);
        let ended = host.namespace.call(tcp_sockets::end_tcp_sockets).await;
        ended.map_err(|error| Error::io("end TCP sockets", &error).on(&host.name))
    }

    /// Empties a host's table of connection tracking.
    ///
    /// # Errors
    /// What the kernel refused.
    pub async fn forget_connections(&self, host: HostId) -> Result<(), Error> {
        let host = self.host(host);
        let forgotten = host.namespace.call(tracked::forget_all).await;
        forgotten.map_err(|error| {
            Error::io("empty the table of connection tracking", &error)
                .on(&host.name)
                .hint("load the module: `modprobe nf_conntrack_netlink`")
        })
    }
}
