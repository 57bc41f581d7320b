//! What the network's boxes and the hosts' kernels have on record, in lines.

use crate::report::wrap::{count, tallied};
use crate::report::{Asked, Gateway, Leg, Mapped, Named, Network, Refused, Taken};

/// Label of what guards refused and boxes answered by themselves.
pub(super) const REFUSED: &str = "refused";

/// Label and line, in the order of telling.
pub(super) fn lines(network: &Network) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut add = |label: &'static str, list: &str, told: Vec<String>| {
        lines.extend(told.into_iter().map(|line| (label, line)));
        if let Some(more) = network.left_out.get(list) {
            lines.push((label, format!("... {more} more")));
        }
    };
    add("ways", "paths", each(&network.paths, path));
    add("lookups", "lookups", each(&network.lookups, lookup));
    add("names", "names", each(&network.names, name));
    add(REFUSED, "refusals", each(&network.refusals, refusal));
    let answered = network.answered.iter();
    let answered = answered.map(|(how, n)| {
        format!(
            "the network answered {} by itself: {how}",
            packets(*n as usize)
        )
    });
    add(REFUSED, "answered", answered.collect());
    add("proxied", "legs", each(&network.legs, leg));
    add("nat", "gateways", each(&network.gateways, gateway));
    add("nat", "mappings", each(&network.mappings, mapping));
    let links = network.links.iter();
    let links = links.map(|(link, did)| format!("{link}, packets: {}", tallied(did)));
    add("links", "links", links.collect());
    let queues = network.queues.iter().map(|(link, queue)| {
        format!(
            "{link}: {} waited in its queue, the longest {:.1} ms",
            packets(queue.packets as usize),
            queue.longest_ms
        )
    });
    add("links", "queues", queues.collect());
    let icmp = network.icmp.iter();
    let icmp = icmp.map(|(words, n)| format!("{words}: {}", packets(*n as usize)));
    add("icmp", "icmp", icmp.collect());
    let drops = network.kernel_drops.iter();
    let drops = drops.map(|(host, drops)| format!("{host} dropped {}", tallied(drops)));
    add("kernel", "kernel_drops", drops.collect());
    let troubles = network.conntrack.iter();
    let troubles = troubles.map(|(host, told)| format!("{host} conntrack: {}", tallied(told)));
    add("kernel", "conntrack", troubles.collect());
    let purged = network.purged.iter().map(|(host, n)| {
        format!(
            "{host} gave {} back, unread, with the sockets that held them: no loss on the way",
            packets(*n as usize)
        )
    });
    add("kernel", "purged", purged.collect());
    if !network.no_kernel_drops.is_empty() {
        let why = &network.no_kernel_drops;
        add(
            "kernel",
            "",
            vec![format!("what it dropped is not known: {why}")],
        );
    }
    add("kernel", "stuck", network.stuck.clone());
    lines
}

fn each<T>(list: &[T], words: impl Fn(&T) -> String) -> Vec<String> {
    list.iter().map(words).collect()
}

fn packets(n: usize) -> String {
    count(n, "packet")
}

fn path(taken: &Taken) -> String {
    let target = taken.reached();
    let mut parts = vec![format!("{} stood", taken.stood)];
    if taken.retried > 0 {
        parts.push(format!("{} of them with more than one SYN", taken.retried));
    }
    if !taken.errors.is_empty() {
        parts.push(tallied(&taken.errors));
    }
    if !taken.status.is_empty() {
        parts.push(format!("answers {}", tallied(&taken.status)));
    }
    format!(
        "{}: {} by {} to {target}: {}, {}",
        taken.step,
        taken.from,
        taken.via,
        count(taken.connections, "connection"),
        parts.join(", ")
    )
}

fn lookup(asked: &Asked) -> String {
    let when = if asked.times == 1 {
        format!("at {:.1} ms", asked.first)
    } else {
        format!(
            "{} times from {:.1} to {:.1} ms",
            asked.times, asked.first, asked.last
        )
    };
    if asked.addresses.is_empty() {
        return format!(
            "{} asked for {} {when}: {}",
            asked.from, asked.name, asked.error
        );
    }
    let used = match asked.last_used {
        Some(last) => format!(
            "{} used it, the last begun at {last:.1} ms",
            count(asked.used, "connection")
        ),
        None => "no connection used it".to_owned(),
    };
    format!(
        "{} asked for {} {when}: {} (may be kept {:.0} ms; {used})",
        asked.from,
        asked.name,
        asked.addresses.join(", "),
        asked.keep_ms
    )
}

fn name(named: &Named) -> String {
    let zones = if named.zones.is_empty() {
        "no zone".to_owned()
    } else {
        let word = if named.zones.len() == 1 {
            "zone"
        } else {
            "zones"
        };
        format!("{word} {}", named.zones.join(", "))
    };
    format!("{} from {:.1} ms on: {zones}", named.name, named.at)
}

fn refusal(refused: &Refused) -> String {
    let why = match refused.rule {
        Some(rule) => format!("rule {rule} denies"),
        None => "no rule allows".to_owned(),
    };
    let flags = if refused.flags.is_empty() {
        String::new()
    } else {
        format!(" [{}]", refused.flags)
    };
    format!(
        "{}, {}: {why} {} {} > {}{flags}: {}{}",
        refused.guard,
        refused.direction,
        refused.protocol,
        refused.from,
        refused.to,
        packets(refused.packets),
        if refused.probe {
            " of health checks"
        } else {
            ""
        }
    )
}

/// What a proxied connection carried, beside the bytes: those of both sides need not be alike.
fn carried_as(protocol: &str) -> &'static str {
    match protocol {
        "HTTP" => " (heads as each side has them)",
        "TLS" => " (decrypted)",
        _ => "",
    }
}

fn leg(leg: &Leg) -> String {
    let ends = match (leg.closed, leg.target_closed, leg.why.is_empty()) {
        (Some(at), _, false) => format!("over at {at:.1} ms ({})", leg.why),
        (None, Some(at), true) => {
            format!("the target's side over at {at:.1} ms, the client's open")
        }
        (_, _, true) => "open".to_owned(),
        (None, _, false) => format!("over ({})", leg.why),
    };
    let number = if leg.connections == 1 {
        String::new()
    } else {
        format!("{}, ", count(leg.connections, "connection"))
    };
    let bytes = format!(
        ", {} bytes from the client and {} on to the target, {} back and {} on to the client{}",
        leg.bytes.from_client,
        leg.bytes.to_target,
        leg.bytes.from_target,
        leg.bytes.to_client,
        carried_as(&leg.protocol)
    );
    format!(
        "{} > {} | {} > {} {}: {number}from {:.1} ms{bytes}; {ends}",
        leg.client, leg.via, leg.seen_as, leg.target, leg.target_address, leg.opened
    )
}

fn gateway(gateway: &Gateway) -> String {
    format!(
        "{} ({}, {}), before {}: room for {} at a time toward one destination; {} made",
        gateway.name,
        gateway.profile,
        gateway.addresses.join(", "),
        gateway.hosts.join(", "),
        count(gateway.ports as usize, "connection"),
        count(gateway.mappings as usize, "mapping")
    )
}

fn mapping(mapped: &Mapped) -> String {
    let number = if mapped.connections == 1 {
        String::new()
    } else {
        format!("{} ", mapped.connections)
    };
    format!(
        "{}: {} {} is {} toward {}: {number}{}, first packet {:.1} ms, last {:.1} ms",
        mapped.gateway,
        mapped.host,
        mapped.inside,
        mapped.outside,
        mapped.remote,
        mapped.state,
        mapped.opened,
        mapped.last
    )
}
