//! A host as it will be built, put together from everything that was resolved of it.
//!
//! Not here: what may be written (see `hosts`), which address it has (see `addresses`).

use super::addresses::HostAddresses;
use super::clock::Clock;
use super::hosts::{Draft, nft};
use super::placeholders::Places;
use super::{DnsCache, Host, HostId, Server};
use crate::diag::Spanned;

/// The finished host.
pub(super) fn host(
    id: HostId,
    draft: &Draft<'_>,
    addresses: HostAddresses,
    places: &Places<'_>,
    clock: Clock,
) -> Host {
    let section = draft.section;
    let (hosts, segments) = (places.hosts, &places.addresses.segments);
    let text = |text: &Option<Spanned<String>>| text.as_ref().map(|t| places.fill(&t.value));
    Host {
        name: draft.name.clone(),
        attachment: hosts
            .cluster
            .attachment(&draft.name, |node| hosts.one(node))
            .unwrap_or_else(|| segments.attachment(id)),
        bridges: segments.bridges(id),
        address: addresses.private,
        addresses: section.addresses.iter().map(|a| a.value).collect(),
        public_address: addresses.public,
        ipv6: addresses.ipv6,
        zone: section.zone.as_ref().map(|zone| zone.value.clone()),
        mtu: section.mtu.as_ref().map_or(1500, |mtu| mtu.value),
        sysctls: section
            .sysctls
            .iter()
            .map(|(name, value)| (name.value.clone(), value.value.clone()))
            .collect(),
        rules: None,
        nft: text(&section.nft).map(|text| nft::separated(&text)),
        iptables: text(&section.iptables),
        setup: text(&section.setup),
        servers: section
            .serve
            .iter()
            .map(|(port, serve)| Server {
                port: port.value.port,
                udp: port.value.udp,
                app: serve
                    .app
                    .clone()
                    .with_times(|time| clock.lapse(time))
                    .with_command(|text| places.fill(text)),
                proxy_protocol: serve.proxy_protocol.is_some(),
            })
            .collect(),
        dns_cache: match section.dns_cache.as_ref().map(|word| word.value.as_str()) {
            Some("forever") => DnsCache::Forever,
            Some("none") => DnsCache::None,
            Some(_) | None => DnsCache::Ttl,
        },
    }
}
