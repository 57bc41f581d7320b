//! What guards, proxies, NAT gateways and links have on record.

use super::Table;
use crate::report::wrap::tallied;
use crate::report::{Leg, Mapped, Network, Refused};

pub(super) fn refusals(network: &Network) -> Option<Table> {
    let row = |refused: &Refused| {
        let why = match refused.rule {
            Some(rule) => format!("rule {rule} denies it"),
            None => "no rule allows it".to_owned(),
        };
        let whose = if refused.probe {
            "health check"
        } else {
            "the story"
        };
        vec![
            refused.guard.clone(),
            refused.direction.clone(),
            why,
            format!("{} {}", refused.protocol, refused.flags),
            refused.from.clone(),
            refused.to.clone(),
            whose.to_owned(),
            refused.packets.to_string(),
        ]
    };
    let head = [
        "refused by",
        "direction",
        "why",
        "packet",
        "from",
        "to",
        "of",
        "#packets",
    ];
    let rows = network.refusals.iter().map(row).collect();
    Some(Table::new("Refused by guards", &head, rows)?.cut(network, "refusals"))
}

pub(super) fn legs(network: &Network) -> Option<Table> {
    let row = |leg: &Leg| {
        let ends = match (leg.closed, leg.target_closed) {
            (Some(at), _) => format!("{} at {at:.1} ms", leg.why),
            (None, Some(at)) => format!("target's side over at {at:.1} ms, client's side open"),
            (None, None) if leg.why.is_empty() => "open".to_owned(),
            (None, None) => leg.why.clone(),
        };
        vec![
            leg.client.clone(),
            leg.via.clone(),
            leg.protocol.clone(),
            leg.seen_as.clone(),
            format!("{} {}", leg.target, leg.target_address),
            if leg.connections > 1 {
                leg.connections.to_string()
            } else {
                String::new()
            },
            format!("{:.1}", leg.opened),
            leg.bytes.from_client.to_string(),
            leg.bytes.to_target.to_string(),
            leg.bytes.from_target.to_string(),
            leg.bytes.to_client.to_string(),
            ends,
        ]
    };
    let head = [
        "client",
        "balancer",
        "reads",
        "balancer toward the target",
        "target",
        "#pairs",
        "#from ms on",
        "#bytes taken from the client",
        "#given on",
        "#taken from the target",
        "#given back",
        "ended",
    ];
    let rows = network.legs.iter().map(row).collect();
    let table = Table::new("Proxied connections, both sides", &head, rows)?;
    Some(
        table
            .remark(
                "The balancer is a proxy: it ends the client's connection and has another one to the target. What it took \
                 it has acknowledged, whether it gave it on or not. Bytes are what it reads: of TLS decrypted, of HTTP with \
                 the heads that each side has.",
            )
            .cut(network, "legs"),
    )
}

pub(super) fn gateways(network: &Network) -> Option<Table> {
    let row = network.gateways.iter().map(|gateway| {
        vec![
            gateway.name.clone(),
            gateway.profile.clone(),
            gateway.addresses.join(", "),
            gateway.hosts.join(", "),
            gateway.ports.to_string(),
            gateway.mappings.to_string(),
        ]
    });
    let head = [
        "gateway",
        "as of",
        "public addresses",
        "hosts behind it",
        "#connections toward one destination at a time, at most",
        "#mappings made",
    ];
    Table::new("NAT gateways", &head, row.collect())
}

pub(super) fn links(network: &Network) -> Option<Table> {
    let title = "What links did to packets, besides carrying, delaying and losing them";
    let rows = network.links.iter();
    let rows = rows.map(|(link, did)| vec![link.clone(), tallied(did)]);
    Table::new(title, &["link", "packets"], rows.collect())
}

pub(super) fn queues(network: &Network) -> Option<Table> {
    let rows = network.queues.iter().map(|(link, queue)| {
        vec![
            link.clone(),
            queue.packets.to_string(),
            format!("{:.1}", queue.longest_ms),
        ]
    });
    let head = ["link", "#packets that waited", "#longest wait, ms"];
    Table::new("Queues of links", &head, rows.collect())
}

pub(super) fn mappings(network: &Network) -> Option<Table> {
    let row = |mapped: &Mapped| {
        vec![
            mapped.gateway.clone(),
            mapped.host.clone(),
            mapped.inside.clone(),
            mapped.outside.clone(),
            mapped.remote.clone(),
            if mapped.connections > 1 {
                mapped.connections.to_string()
            } else {
                String::new()
            },
            format!("{:.1}", mapped.opened),
            format!("{:.1}", mapped.last),
            mapped.state.clone(),
        ]
    };
    let head = [
        "gateway",
        "host",
        "as sent",
        "as the destination sees it",
        "destination",
        "#mappings",
        "#first packet ms",
        "#last packet ms",
        "in the end",
    ];
    let rows = network.mappings.iter().map(row).collect();
    Some(Table::new("Mappings of the NAT gateways", &head, rows)?.cut(network, "mappings"))
}
