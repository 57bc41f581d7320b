//! `unreachable`: connect(2) failed because there is no way to the address: by an ICMP error, or by the client's own kernel, which has
//! no route to it or no answer to its ARP question.
//!
//! Observed on: Linux, as EHOSTUNREACH and ENETUNREACH. A filter that rejects with `admin-prohibited` says the same. Not this: an
//! ICMP error that the kernel takes for a refusal (see `refused`).

use super::{cite_records, counters, distinct, first_few, lapse, name_all};
use crate::evidence::{Connection, Packet};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, host_at, ip};
use std::collections::BTreeMap;

pub(super) const KIND: &str = "unreachable";
/// ENETUNREACH (errno(3)).
const NO_ROUTE: i64 = 101;

/// Who said that there is no way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// The client's own kernel has no route.
    NoRoute(String),
    /// The client's own kernel, which asked for the neighbour's address in vain.
    NoNeighbour(String),
    /// The client's own kernel, in the words of errno(3): nobody saw why, or it had sent a SYN before.
    Own(String, &'static str),
    /// A host or a box, by ICMP: its name, and what it says (empty where that is not on record).
    Another(String, String),
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = &trace.evidence.connections;
    let mut by: BTreeMap<Who, Vec<usize>> = BTreeMap::new();
    let mut cited = Vec::new();
    for (at, c) in connections.iter().enumerate() {
        if c.error != "unreachable" || c.remote.is_empty() {
            continue;
        }
        let message = message(trace, at);
        cited.extend(message);
        let who = match message.map(|record| &trace.evidence.packets[record]) {
            Some(packet) => {
                let says = packet.icmp.as_ref().map(|message| message.says.clone());
                Who::Another(sender(trace, packet), says.unwrap_or_default())
            }
            None => {
                let sent = trace
                    .journeys()
                    .iter()
                    .any(|one| one.connection == Some(at));
                match c.errno == NO_ROUTE {
                    true if !sent => Who::NoRoute(c.from.clone()),
                    false if !sent && c.ms >= ASKED => Who::NoNeighbour(c.from.clone()),
                    true => Who::Own(c.from.clone(), "ENETUNREACH"),
                    false => Who::Own(c.from.clone(), "EHOSTUNREACH"),
                }
            }
        };
        by.entry(who).or_default().push(at);
    }
    let said: Vec<String> = by.iter().map(|(who, of)| tell(trace, who, of)).collect();
    let all: Vec<usize> = distinct(by.into_values().flatten());
    if all.is_empty() {
        return None;
    }
    let hosts = all.iter().map(|at| connections[*at].from.as_str());
    Some(Finding {
        kind: KIND.into(),
        summary: said.join(" "),
        packets: cite_records(cited),
        counters: counters(
            trace.evidence,
            hosts,
            &["IcmpInDestUnreachs", "IpOutNoRoutes"],
        ),
        connections: all,
        values: Vec::new(),
    })
}

fn tell(trace: &Trace, who: &Who, of: &[usize]) -> String {
    let connections = &trace.evidence.connections;
    let names = name_all(trace, of);
    let places = distinct(of.iter().map(|at| connections[*at].remote.clone()));
    let places = first_few(&places);
    let ms = of.iter().map(|at| connections[*at].ms).fold(0.0, f64::max);
    match who {
        Who::Another(who, says) => {
            let says = match says.as_str() {
                "" => String::new(),
                says => format!(" ({says})"),
            };
            format!(
                "{names} to {places} met an ICMP error of {who}{says}: to the client's kernel there is no way to that address."
            )
        }
        Who::NoRoute(host) => format!(
            "{names} to {places} did not leave {host}: its own kernel has no route to that address (ENETUNREACH)."
        ),
        Who::NoNeighbour(host) => format!(
            "{names} to {places} did not leave {host}: nobody on its segment answered when it asked who has the address, or the next \
             hop's (ARP), and after {}{} its own kernel gave up (EHOSTUNREACH).",
            if of.len() > 1 { "at most " } else { "" },
            lapse(ms)
        ),
        Who::Own(host, word) => format!(
            "{names} to {places} failed: the kernel of {host} says that there is no way to that address ({word})."
        ),
    }
}

/// Questions that a kernel asks before it gives a neighbour up take longer than this, ms (three, a second apart by default).
const ASKED: f64 = 500.0;

/// The ICMP error about a connection's SYN: its record.
fn message(trace: &Trace, connection: usize) -> Option<usize> {
    let packets = &trace.evidence.packets;
    let connections = &trace.evidence.connections;
    let own = &connections[connection];
    let ends = [own.local.as_str(), own.left_as.as_str()];
    let about = |packet: &Packet| {
        let message = packet.icmp.as_ref();
        message.is_some_and(|message| {
            !message.is_of_size()
                && ends.contains(&message.from.as_str())
                && message.to == own.remote
        })
    };
    // connect(2) is timed by the client, the packet by a device; both round.
    let waits = |c: &Connection, t: f64| (c.at - 1.0..=c.at + c.ms + 1.0).contains(&t);
    let alone = |t: f64| {
        let mut others = connections
            .iter()
            .filter(|c| c.from == own.from && waits(c, t));
        others.all(|c| ip(&c.remote) == ip(&own.remote))
    };
    // What the network saw quotes the ends that its sender knew: it came to this host while it waited for this address and for
    // no other.
    let is_error = |packet: &Packet| {
        let message = packet.icmp.as_ref();
        message.is_none_or(|message| !message.from.is_empty() && !message.is_of_size())
    };
    let came = |packet: &Packet| {
        packet.protocol == "icmp"
            && is_error(packet)
            && packet.receiver == own.from
            && packet.seen_at.is_empty()
            && alone(packet.t)
    };
    let mut read = packets.iter();
    let quoted = read.position(|packet| waits(own, packet.t) && about(packet));
    quoted.or_else(|| {
        let first = packets.iter().position(|packet| packet.from == own.local)?;
        let after = packets.iter().enumerate().skip(first + 1);
        let mut after = after.filter(|(_, packet)| waits(own, packet.t));
        after.find(|(_, packet)| came(packet)).map(|(at, _)| at)
    })
}

/// Who made it, by the address that it bears, which is that of a host inside of the sender perhaps.
fn sender(trace: &Trace, packet: &Packet) -> String {
    let by_name = host_at(trace.evidence, &packet.from);
    match by_name.unwrap_or(packet.sender.as_str()) {
        "fabric" => "the network".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Icmp;
    use crate::verdict::findings::stories::ways::no_way;
    use crate::verdict::kit::Kit;

    fn told(kit: &Kit) -> String {
        find(&Trace::new(&kit.evidence)).expect("a finding").summary
    }

    /// The error says which packet it is about.
    fn about_visit(kit: &mut Kit) {
        let own = kit.evidence.connections[0].clone();
        kit.evidence.packets[1].icmp = Some(Box::new(Icmp {
            says: "host unreachable".into(),
            from: own.local,
            to: own.remote,
            ..Icmp::default()
        }));
    }

    #[test]
    fn who_said_it_and_what() {
        let mut kit = no_way(true);
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert_eq!(found.packets, [1]);
        assert_eq!(
            found.summary,
            "\"visit\" to 10.0.1.10:80 met an ICMP error of web1: to the client's kernel there is no way to that address."
        );
        about_visit(&mut kit);
        assert!(
            told(&kit).contains("an ICMP error of web1 (host unreachable):"),
            "{}",
            told(&kit)
        );
        // Its sender knew the client by another address, which a gateway translated.
        let said = kit.evidence.packets[1].icmp.as_mut().expect("a message");
        said.from = "203.0.113.9:1024".into();
        assert!(told(&kit).contains("of web1 (host unreachable):"));
        let said = kit.evidence.packets[1].icmp.as_mut().expect("a message");
        **said = Icmp {
            says: "echo reply".into(),
            ..Icmp::default()
        };
        let text = told(&kit);
        assert!(text.contains("the kernel of client says"), "{text}");
    }

    #[test]
    fn a_kernel_that_says_it_itself() {
        let mut kit = no_way(true);
        kit.evidence.packets.clear();
        assert!(told(&kit).ends_with("no way to that address (EHOSTUNREACH)."));
        // What fails at once has not waited for an answer, whatever another does.
        let ask = kit.connect("ask", 40001, "web1", "web1");
        let own = kit.of(ask);
        (own.error, own.errno, own.ms) = ("unreachable".into(), 113, 3050.0);
        let text = told(&kit);
        assert!(
            text.contains("\"ask\" to 10.0.1.10:80 did not leave"),
            "{text}"
        );
        assert!(
            text.contains("\"visit\" to 10.0.1.10:80 failed: the"),
            "{text}"
        );
        kit.evidence.connections.pop();
        kit.of(0).ms = 3050.0;
        assert!(
            told(&kit).contains("(ARP), and after 3.05 s"),
            "{}",
            told(&kit)
        );
        kit.of(0).errno = NO_ROUTE;
        assert!(told(&kit).ends_with("has no route to that address (ENETUNREACH)."));
        // A SYN of it had left.
        kit.up(0, "S", 1, 0, 0);
        assert!(told(&kit).ends_with(
            "failed: the kernel of client says that there is no way to that address (ENETUNREACH)."
        ));
    }

    #[test]
    fn an_error_that_may_be_anothers_or_came_at_another_time_is_not_its_own() {
        let mut kit = no_way(true);
        let ask = kit.connect("ask", 40001, "web2", "web2");
        kit.of(ask).at = 0.0;
        assert!(
            told(&kit).contains("the kernel of client says"),
            "{}",
            told(&kit)
        );
        let mut kit = no_way(true);
        about_visit(&mut kit);
        let own = &kit.evidence.connections[0];
        kit.evidence.packets[1].t = own.at + own.ms + 1000.0;
        assert!(
            told(&kit).contains("the kernel of client says"),
            "{}",
            told(&kit)
        );
    }
}
