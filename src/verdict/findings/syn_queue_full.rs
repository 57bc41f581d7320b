//! `syn-queue-full`: a server's kernel dropped SYNs because it waits for the end of too many handshakes already, and SYN cookies are off.
//!
//! Observed on: Linux with `net.ipv4.tcp_syncookies=0` under a SYN flood, or behind a path on which SYN-ACKs are lost. With cookies,
//! the default, it answers without remembering. Its counter of drops (`TcpExtListenDrops`) counts other things too, so the half-open
//! connections have to be seen. Not this: handshakes that are done and that nobody accepts (see `accept_queue_full`).

use super::{cite, connections_of, count, counters};
use crate::evidence::HostEvidence;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, is_syn, is_syn_ack};
use std::collections::{BTreeMap, HashSet};

pub(super) const KIND: &str = "syn-queue-full";

/// Half-open connections that make a queue: backlogs are rarely smaller.
const SEVERAL: usize = 4;

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let mut sentences = Vec::new();
    let mut unheard = Vec::new();
    let mut hosts = Vec::new();
    for (name, host) in &trace.evidence.hosts {
        let Some((place, waiting)) = half_open(host) else {
            continue;
        };
        let syns = dropped(trace, name, place);
        if syns.is_empty() || drops(host) < i64::try_from(syns.len()).unwrap_or(i64::MAX) {
            continue;
        }
        sentences.push(format!(
            "{name} dropped {} without a word: at the end of the run it waited at {place} for the end of {}, which is as many as it \
             has room for without SYN cookies.",
            count(syns.len(), "SYN"),
            count(waiting, "handshake"),
        ));
        unheard.extend(syns);
        hosts.push(name.as_str());
    }
    if sentences.is_empty() {
        return None;
    }
    Some(Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        connections: connections_of(trace, unheard.iter().copied()),
        packets: cite(trace, unheard),
        counters: counters(
            trace.evidence,
            hosts,
            &[
                "TcpExtListenDrops",
                "TcpExtListenOverflows",
                "TcpExtTCPReqQFullDrop",
            ],
        ),
        values: Vec::new(),
    })
}

/// SYNs that a host dropped because it waits for the end of too many handshakes. That is counted by itself where all its room is
/// taken; a part of it is kept for addresses that it knows, and what finds no other is among all drops that are not for a full
/// accept queue, while no cookies are sent.
fn drops(host: &HostEvidence) -> i64 {
    let counted = |name: &str| host.counters.get(name).copied().unwrap_or(0);
    let others = match counted("TcpExtSyncookiesSent") {
        0 => counted("TcpExtListenDrops") - counted("TcpExtListenOverflows"),
        _ => 0,
    };
    counted("TcpExtTCPReqQFullDrop").max(others)
}

/// Where most handshakes wait for their end, and how many.
fn half_open(host: &HostEvidence) -> Option<(&str, usize)> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for socket in &host.sockets {
        if ["SYN_RECV", "NEW_SYN_RECV"].contains(&socket.state.as_str()) {
            *places.entry(&socket.local).or_default() += 1;
        }
    }
    let most = places.into_iter().max_by_key(|(_, n)| *n);
    most.filter(|(_, n)| *n >= SEVERAL)
}

/// SYNs that came to this place of a host, of connections that it never answered: passages.
fn dropped(trace: &Trace, host: &str, place: &str) -> Vec<usize> {
    let all = 0..trace.passages.len();
    let answered: HashSet<usize> = all
        .clone()
        .filter(|p| is_syn_ack(trace.sent(*p)) && trace.sent(*p).sender == host)
        .filter_map(|p| trace.passages[p].connection)
        .collect();
    let came = all.filter(|p| {
        let ended = trace.ended(*p);
        let whose = trace.passages[*p].connection;
        is_syn(ended)
            && delivered(ended)
            && ended.receiver == host
            && ended.to_after == place
            && whose.is_some_and(|whose| !answered.contains(&whose))
    });
    came.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::findings::stories::ways::half_open_ones as story;
    use crate::verdict::kit::OLD;

    #[test]
    fn how_many_wait_and_how_many_were_dropped() {
        let kit = story(true);
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert_eq!(
            found.summary,
            "web1 dropped 2 SYNs without a word: at the end of the run it waited at 10.0.1.10:80 for the end of 4 handshakes, which is \
             as many as it has room for without SYN cookies."
        );
        assert_eq!(found.packets, [0, 1]);
    }

    #[test]
    fn each_host_has_a_sentence() {
        let mut kit = story(true);
        let more = kit.connect("more", 41000, "web2", "web2");
        kit.up(more, "S", OLD.client, 0, 0);
        let mut waiting = kit.evidence.hosts["web1"].sockets.clone();
        for socket in &mut waiting {
            socket.local = "10.0.2.10:80".into();
        }
        let host = kit.evidence.hosts.get_mut("web2").expect("the other");
        host.sockets = waiting;
        // Cookies that a host sent at another time hide nothing that is counted by itself.
        kit.counter("web2", "TcpExtTCPReqQFullDrop", 1);
        kit.counter("web2", "TcpExtSyncookiesSent", 1);
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert!(
            found.summary.contains("SYN cookies. web2 dropped 1 SYN"),
            "{}",
            found.summary
        );
    }

    #[test]
    fn cookies_and_an_accept_queue_are_other_things() {
        let mut kit = story(true);
        kit.counter("web1", "TcpExtSyncookiesSent", 1);
        assert!(find(&Trace::new(&kit.evidence)).is_none());
        let mut kit = story(true);
        kit.counter("web1", "TcpExtListenOverflows", 2);
        assert!(find(&Trace::new(&kit.evidence)).is_none());
    }
}
