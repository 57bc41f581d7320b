//! `forgotten-translation`: a host had translated a connection, and does not translate a later segment of it, or translates it to
//! something else: its entry for the connection is gone.
//!
//! Connection tracking takes a segment in the middle of a stream for a new connection (`nf_conntrack_tcp_loose`) and asks the rules of
//! NAT again, or calls it INVALID and translates nothing. Observed on: Kubernetes nodes whose `nf_conntrack_tcp_timeout_established` or
//! `_close_wait` is shorter than what a connection may be silent for; tables that were flushed.
//! Not this: a segment that is dropped there (see `mid_stream_drop`), or off its stream, whose entry is there (see
//! `conntrack_invalid`); ports that a SYN uses again; boxes of the network that forget (see `idle_expiry`); an entry that is made anew
//! just as it was.

use super::{CITED, count, counters, distinct, join, lapse, name_all, quoted};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::trace::{Journey, Trace, ahead, end, is_reset, is_syn, is_syn_ack};
use std::collections::{HashMap, HashSet};

pub(super) const KIND: &str = "forgotten-translation";

/// What is sent again, or asks whether the other end is still there, is this far behind its stream at most.
const BEHIND: i64 = 64 << 10;

/// Source and destination in one place.
type Ends<'a> = (&'a str, &'a str);

/// Packets that come to a host from another one with the same addresses. A router may have the same ones twice, from a host behind it and
/// from the firewall that it sent them to.
type Way<'a> = (&'a str, &'a str, Ends<'a>);

/// How a host passes on what comes with some addresses.
struct Entry<'a> {
    goes: Ends<'a>,
    to: &'a str,
    /// The record of the latest.
    last: usize,
    /// The number that its stream goes on with.
    next: i64,
}

/// What became of a segment instead.
enum Instead<'a> {
    /// It came to another host.
    Elsewhere { host: &'a str, before: &'a str },
    /// It left with another source.
    From {
        source: &'a str,
        before: &'a str,
        translated: bool,
    },
    /// It came to the host itself, which reset it.
    Own,
}

struct Forgotten<'a> {
    connection: usize,
    host: &'a str,
    /// Since the last packet of the connection that came by, ms.
    silence: f64,
    instead: Instead<'a>,
    /// Records: how the one before went on, how this one came, what followed.
    packets: [usize; 3],
}

/// A segment that ended at a host which had passed on the others.
struct Kept {
    connection: usize,
    silence: f64,
    ack: i64,
    packets: [usize; 2],
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let found = Book::read(trace);
    let first = found.first()?;
    let connections: Vec<usize> = found.iter().map(|one| one.connection).collect();
    let hosts = distinct(found.iter().map(|one| one.host.to_owned()));
    let mut packets: Vec<usize> = found.iter().flat_map(|one| one.packets).collect();
    packets.truncate(CITED);
    packets.sort_unstable();
    packets.dedup();
    let ends = found.iter().flat_map(|one| match one.instead {
        Instead::Elsewhere { host, .. } => vec![host],
        Instead::From { .. } | Instead::Own => {
            let c = &trace.evidence.connections[one.connection];
            vec![one.host, &c.from]
        }
    });
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} had forgotten {} ({}): {} after the packet before, a segment of {} {}.",
            join(&hosts),
            count(found.len(), "connection"),
            name_all(trace, &connections),
            lapse(first.silence),
            quoted(trace, first.connection),
            tell(first),
        ),
        packets,
        connections,
        counters: counters(trace.evidence, ends, &["TcpOutRsts"]),
        values: Vec::new(),
    })
}

fn tell(one: &Forgotten) -> String {
    match one.instead {
        Instead::Elsewhere { host, before } => format!(
            "was translated anew, to {host} instead of {before}, and {host} knows no such connection"
        ),
        Instead::From {
            source,
            before,
            translated: true,
        } => format!("was translated anew, and left with the source {source} instead of {before}"),
        Instead::From {
            source,
            before,
            translated: false,
        } => format!("was not translated, and left with the source {source} instead of {before}"),
        Instead::Own => format!(
            "was not translated, and came to {} itself, which knows no such connection and reset it",
            one.host
        ),
    }
}

/// What is known of the hosts' translations while packets are gone through in order.
#[derive(Default)]
struct Book<'a> {
    entries: HashMap<Way<'a>, Entry<'a>>,
    /// When something of a connection last came by a host.
    seen: HashMap<(&'a str, usize), f64>,
    kept: HashMap<Way<'a>, Kept>,
    told: HashSet<usize>,
    found: Vec<Forgotten<'a>>,
}

impl<'a> Book<'a> {
    fn read(trace: &Trace<'a>) -> Vec<Forgotten<'a>> {
        let mut book = Self::default();
        let packets = trace.evidence.packets.as_slice();
        // Only what was seen behind a host shows how that passed it on.
        if packets.iter().any(|packet| packet.follows.is_some()) {
            for journey in trace.journeys() {
                if let Some(connection) = journey.connection {
                    book.follow(packets, journey, connection);
                }
            }
        }
        book.found
    }

    fn follow(&mut self, packets: &'a [Packet], journey: &Journey, connection: usize) {
        let first = &packets[journey.sent()];
        if first.protocol != "tcp" {
            return;
        }
        if is_reset(first) {
            self.reset(first, journey.sent());
            return;
        }
        for (place, stretch) in journey.stretches.iter().enumerate() {
            let came = &packets[stretch.ended];
            if came.receiver.is_empty() {
                continue;
            }
            let silence = came.t
                - self
                    .seen
                    .insert((&came.receiver, connection), came.t)
                    .unwrap_or(came.t);
            match journey.stretches.get(place + 1) {
                Some(on) => {
                    let goes = &packets[on.sent];
                    let records = [stretch.ended, on.sent];
                    self.passed(connection, (came, goes), records, silence);
                }
                None => self.ended(connection, came, stretch.ended, silence),
            }
        }
    }

    fn passed(
        &mut self,
        connection: usize,
        (came, goes): (&'a Packet, &'a Packet),
        [at, on]: [usize; 2],
        silence: f64,
    ) {
        let host = came.receiver.as_str();
        let ends = (came.from_after.as_str(), came.to_after.as_str());
        let out = (goes.from.as_str(), goes.to.as_str());
        let way = (host, came.sender.as_str(), ends);
        if is_syn(came) || is_syn_ack(came) {
            if is_syn(came) {
                // The answers to a new one have a way of their own.
                self.entries
                    .remove(&(host, goes.receiver.as_str(), (out.1, out.0)));
            }
            let entry = Entry {
                goes: out,
                to: &goes.receiver,
                last: on,
                next: end(came),
            };
            self.entries.insert(way, entry);
            return;
        }
        let Some(entry) = self.entries.get_mut(&way) else {
            return;
        };
        let goes_on = (-BEHIND..=0).contains(&ahead(came.seq, entry.next));
        let instead = match goes.receiver == entry.to || goes.receiver.is_empty() {
            false => Some(Instead::Elsewhere {
                host: &goes.receiver,
                before: entry.to,
            }),
            true if out.0 != entry.goes.0 => Some(Instead::From {
                source: out.0,
                before: entry.goes.0,
                translated: out != ends,
            }),
            true => None,
        };
        // Where nothing was translated another way is a matter of routes.
        let had_translated = entry.goes != ends;
        if had_translated
            && entry.goes != out
            && goes_on
            && let Some(instead) = instead
            && self.told.insert(connection)
        {
            self.found.push(Forgotten {
                connection,
                host,
                silence,
                instead,
                packets: [entry.last, at, on],
            });
        }
        entry.last = on;
        if ahead(end(came), entry.next) > 0 {
            entry.next = end(came);
        }
    }

    /// It was not seen behind the host that it came to.
    fn ended(&mut self, connection: usize, came: &'a Packet, at: usize, silence: f64) {
        let ends = (came.from_after.as_str(), came.to_after.as_str());
        let way = (came.receiver.as_str(), came.sender.as_str(), ends);
        let Some(entry) = self.entries.get(&way) else {
            return;
        };
        if entry.goes != ends
            && !is_syn(came)
            && (-BEHIND..=0).contains(&ahead(came.seq, entry.next))
        {
            let kept = Kept {
                connection,
                silence,
                ack: came.ack,
                packets: [entry.last, at],
            };
            self.kept.insert(way, kept);
        }
    }

    /// A RST that a host made itself, to a segment that it should have passed on.
    fn reset(&mut self, reset: &'a Packet, at: usize) {
        let host = reset.sender.as_str();
        let way = (
            host,
            reset.receiver.as_str(),
            (reset.to.as_str(), reset.from.as_str()),
        );
        let Some(kept) = self.kept.get(&way) else {
            return;
        };
        if kept.ack == reset.seq && self.told.insert(kept.connection) {
            self.found.push(Forgotten {
                connection: kept.connection,
                host,
                silence: kept.silence,
                instead: Instead::Own,
                packets: [kept.packets[0], kept.packets[1], at],
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use super::super::stories::nodes::{CLIENT, Node};
    use super::KIND;

    fn told(node: &Node) -> Option<(String, Vec<usize>)> {
        let mut found = recognise(&node.kit.evidence).into_iter();
        let own = found.find(|finding| finding.kind == KIND)?;
        Some((own.summary, own.packets))
    }

    #[test]
    fn a_segment_that_comes_to_another_pod() {
        let mut node = Node::serving();
        node.toward(3000.0, "P.", (1, 64), ("web2", CLIENT));
        let (summary, packets) = told(&node).expect("the finding");
        assert_eq!(
            summary,
            "n1 had forgotten 1 connection (\"c\"): 2.99 s after the packet before, a segment of \"c\" was translated anew, to web2 \
             instead of web1, and web2 knows no such connection."
        );
        assert_eq!(packets.len(), 3);
    }

    fn ends_with(way: impl Fn(&mut Node), part: &str) {
        let mut node = Node::serving();
        way(&mut node);
        let (summary, _) = told(&node).expect("the finding");
        assert!(summary.ends_with(part), "{summary}");
    }

    #[test]
    fn a_segment_that_comes_from_another_port() {
        ends_with(
            |node| node.toward(3000.0, "P.", (1, 64), ("web1", "10.0.0.5:1234")),
            "was translated anew, and left with the source 10.0.0.5:1234 instead of 198.51.100.7:40001.",
        );
    }

    #[test]
    fn an_answer_that_leaves_as_it_is() {
        ends_with(
            |node| node.back(3000.0, "P.", (1, 64), "10.0.1.10:80"),
            "was not translated, and left with the source 10.0.1.10:80 instead of 10.0.0.5:31468.",
        );
    }

    #[test]
    fn a_segment_that_the_node_resets_itself() {
        ends_with(
            |node| node.kept(3000.0, (1, 64)),
            "was not translated, and came to n1 itself, which knows no such connection and reset it.",
        );
    }

    #[test]
    fn silent_of_a_syn_that_the_node_refuses_and_of_what_was_never_translated() {
        let mut refused = Node::serving();
        refused.kept(3000.0, (0, 0));
        let packets = &mut refused.kit.evidence.packets;
        let place = packets.len() - 2;
        (packets[place].flags, packets[place].ack) = ("S".into(), 0);
        packets[place + 1].seq = 0;
        assert_eq!(told(&refused), None);
        let mut routed = Node::serving();
        routed.toward(3000.0, "P.", (1, 64), ("web2", CLIENT));
        for packet in &mut routed.kit.evidence.packets {
            packet.to_after = packet.to.clone();
        }
        let all_one = |packet: &mut crate::evidence::Packet| {
            if packet.seen_at.is_empty() && packet.receiver == "n1" {
                packet.to_after = "10.0.1.10:80".into();
            }
        };
        routed.kit.evidence.packets.iter_mut().for_each(all_one);
        assert_eq!(told(&routed), None);
    }

    #[test]
    fn silent_where_nothing_changes_a_port_is_used_again_or_a_segment_is_off_its_stream() {
        let same = |node: &mut Node| node.toward(3000.0, "P.", (1, 64), ("web1", CLIENT));
        let anew = |node: &mut Node| {
            node.toward(3000.0, "S", (90_000, 0), ("web2", CLIENT));
            node.toward(3001.0, ".", (90_001, 0), ("web2", CLIENT));
        };
        let stray = |node: &mut Node| node.toward(3000.0, "P.", (1_000_000, 64), ("web2", CLIENT));
        let reset = |node: &mut Node| node.toward(3000.0, "R", (1, 0), ("web2", CLIENT));
        let ways: [&dyn Fn(&mut Node); 4] = [&same, &anew, &stray, &reset];
        for (number, way) in ways.into_iter().enumerate() {
            let mut node = Node::serving();
            way(&mut node);
            assert_eq!(told(&node), None, "{number}");
        }
    }
}
