//! `moved-flow`: a segment of a connection comes to another host than the one that answered its SYN, and that is in service
//! still. The other one knows nothing of it and resets it.
//!
//! Observed on: routers that spread by a hash (ECMP) when a member comes or goes, and balancers without a table of connections.
//! Not this: connections of the very host that left, which end in any case; proxies, whose connections to targets are their
//! own; a host that lost its sockets by itself; one that got the SYN as well (see `syn_moved`); and a router on the way.

use super::{CITED, count, distinct, join, lapse, name_all, quoted, syn_moved};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_reset, is_syn, is_syn_ack};
use std::collections::{BTreeMap, HashSet};

pub(super) const KIND: &str = "moved-flow";

/// A connection that went astray.
struct Moved<'a> {
    connection: usize,
    /// Who answered its SYN, and when.
    opened: (&'a str, f64),
    /// Who got a segment of it later, and when.
    came: (&'a str, f64),
    /// Records: the SYN-ACK, the segment, the RST.
    packets: [usize; 3],
}

/// What a connection's packets have told so far.
#[derive(Default)]
struct Told<'a> {
    /// The first host that answered its SYN, when, and the record.
    opened: Option<(&'a str, f64, usize)>,
    /// The latest segment that came to each other host: its acknowledgement number, when, and the record.
    astray: BTreeMap<&'a str, (i64, f64, usize)>,
}

/// When the last segment came to each host from a client.
type Served<'a> = BTreeMap<&'a str, f64>;

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let moved = moved(trace);
    let first = moved.first()?;
    let (opened, came) = (first.opened, first.came);
    let by_host = distinct(moved.iter().map(|one| one.opened.0));
    let shares: Vec<String> = by_host
        .iter()
        .map(|host| {
            let own = moved.iter().filter(|one| one.opened.0 == *host).count();
            format!("{host} had {own} of them")
        })
        .collect();
    let others = distinct(moved.iter().map(|one| one.came.0.to_owned()));
    let connections: Vec<usize> = moved.iter().map(|one| one.connection).collect();
    let mut packets: Vec<usize> = moved.iter().flat_map(|one| one.packets).collect();
    packets.truncate(CITED);
    packets.sort_unstable();
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} ({}) went to another server in the middle, and the one before is in service still: {} never heard of {} and reset \
             what came. {}. Of {} the SYN was answered by {}, and {} later a segment came to {}.",
            count(moved.len(), "connection"),
            name_all(trace, &connections),
            join(&others),
            if moved.len() == 1 { "it" } else { "them" },
            join(&shares),
            quoted(trace, first.connection),
            opened.0,
            lapse(came.1 - opened.1),
            came.0,
        ),
        packets,
        connections,
        counters: super::counters(
            trace.evidence,
            others.iter().map(String::as_str),
            &["TcpOutRsts"],
        ),
        values: Vec::new(),
    })
}

/// Each connection at most once, in the order of the resets.
fn moved<'a>(trace: &Trace<'a>) -> Vec<Moved<'a>> {
    let evidence = trace.evidence;
    if !evidence.packets.iter().any(is_reset) {
        return Vec::new();
    }
    let mut told: BTreeMap<usize, Told<'a>> = BTreeMap::new();
    let mut moved: Vec<Moved<'a>> = Vec::new();
    let mut served = Served::new();
    let asked = syn_moved::asked(trace);
    let journeys = trace.journeys();
    let passed_on = journeys.iter().filter_map(|journey| {
        let hosts = journey.passed_on(evidence);
        journey.connection.map(|c| hosts.map(move |host| (c, host)))
    });
    let on_the_way: HashSet<(usize, &str)> = passed_on.flatten().collect();
    for journey in journeys {
        let Some(connection) = journey
            .connection
            .filter(|c| syn_moved::is_direct(trace, *c))
        else {
            continue;
        };
        let record = journey.sent();
        let (sent, ended) = (
            &evidence.packets[record],
            &evidence.packets[journey.ended()],
        );
        let told = told.entry(connection).or_default();
        if journey.toward_target {
            let host = ended.receiver.as_str();
            served.insert(host, ended.t);
            let elsewhere = told.opened.is_some_and(|(opened, ..)| opened != host);
            // Who got a SYN of it has heard of it.
            let elsewhere = elsewhere && !asked.contains(&(connection, host));
            let elsewhere = elsewhere && !on_the_way.contains(&(connection, host));
            if elsewhere && evidence.hosts.contains_key(host) && !is_syn(sent) && !is_reset(sent) {
                told.astray.insert(host, (sent.ack, sent.t, record));
            }
        } else if is_syn_ack(sent) && evidence.hosts.contains_key(&sent.sender) {
            told.opened
                .get_or_insert((sent.sender.as_str(), sent.t, record));
        } else if is_reset(sent)
            && let Some((opened, at, answer)) = told.opened
            && let Some((ack, came, segment)) = told.astray.get(sent.sender.as_str())
            && *ack == sent.seq
            && moved.iter().all(|one| one.connection != connection)
        {
            moved.push(Moved {
                connection,
                opened: (opened, at),
                came: (sent.sender.as_str(), *came),
                packets: [answer, *segment, record],
            });
        }
    }
    let in_service = |one: &Moved<'_>| served.get(one.opened.0) > Some(&one.came.1);
    moved.retain(in_service);
    moved
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::verdict::findings::stories::boxes::elsewhere;
    use crate::verdict::trace::Trace;

    /// What happens to a packet inside of a router is not always on record.
    #[test]
    fn who_passes_a_connection_on_is_no_server() {
        let mut kit = elsewhere(true);
        assert!(find(&Trace::new(&kit.evidence)).is_some());
        let packets = &mut kit.evidence.packets;
        let syn = packets.iter_mut().find(|packet| packet.flags == "S");
        let syn = syn.expect("a SYN");
        let mut on = syn.clone();
        syn.receiver = "web2".into();
        (on.id, on.follows, on.seen_at) = (1_000, Some(syn.id), "web2 veth1".into());
        on.sender = "web2".into();
        packets.push(on);
        assert!(find(&Trace::new(&kit.evidence)).is_none());
    }
}
