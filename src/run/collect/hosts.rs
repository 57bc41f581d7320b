//! Hosts as evidence: what their kernels counted, the sockets they had in the end, and what their programs served.

use super::Moment;
use crate::evidence::{Conntrack, HostEvidence, Listener, Request, ServiceProxy, Socket, TcpInfo};
use crate::fabric::ProxyCounters;
use crate::plan::Attachment;
use crate::run::server::Header;
use crate::run::story::Story;
use crate::world::conntrack::ENTRIES;
use crate::world::counters::{Counters, delta};
use crate::world::tcp_sockets::{self, TcpListener, TcpSocket};
use std::collections::BTreeMap;

/// By name.
pub(super) fn hosts(story: &Story, moment: &Moment) -> BTreeMap<String, HostEvidence> {
    let hosts = story.plan.hosts.iter().enumerate();
    hosts
        .map(|(number, host)| (host.name.clone(), record(story, moment, number)))
        .collect()
}

fn record(story: &Story, moment: &Moment, number: usize) -> HostEvidence {
    let plan = &story.plan;
    let host = &plan.hosts[number];
    let look = moment.looks.get(number);
    let sockets = look.map(|look| &look.sockets);
    let listening = sockets.and_then(|sockets| sockets.listening.as_deref());
    let connected = sockets.map_or(&[][..], |sockets| &sockets.connected);
    HostEvidence {
        address: host.address.to_string(),
        ipv6: host.ipv6.map_or(String::new(), |ipv6| ipv6.to_string()),
        inside: match &host.attachment {
            Attachment::Inside(veth) => plan.hosts[veth.parent.0 as usize].name.clone(),
            Attachment::Fabric => String::new(),
        },
        counters: look.map_or_else(BTreeMap::new, |look| {
            look.counters.since(&story.before.counters[number])
        }),
        conntrack: look.map_or_else(Conntrack::default, |look| {
            conntrack(&story.before.tracked[number], &look.tracked)
        }),
        service_proxy: moment
            .books
            .service_proxies
            .get(number)
            .copied()
            .flatten()
            .map(service_proxy),
        kernel_drops: moment.drops.as_ref().map(|drops| drops[number].clone()),
        sockets: connected.iter().map(socket).collect(),
        listeners: listening.map(|all| all.iter().map(listener).collect()),
        self_sourced: moment.books.self_sourced[number] as i64,
        broken_headers: broken_headers(story, number),
        requests: requests(story, number),
    }
}

/// What moved, and how many entries there are now.
fn conntrack(before: &Counters, after: &Result<Counters, String>) -> Conntrack {
    match after {
        Err(why) => Conntrack {
            counters: BTreeMap::new(),
            unknown: why.clone(),
        },
        Ok(after) => {
            let mut counters = delta(before, after);
            let entries = after.get(ENTRIES).map(|count| (ENTRIES.to_owned(), *count));
            counters.extend(entries);
            Conntrack {
                counters,
                unknown: String::new(),
            }
        }
    }
}

fn service_proxy(counted: ProxyCounters) -> ServiceProxy {
    ServiceProxy {
        entries: counted.entries as i64,
        connections: counted.connections as i64,
        rescheduled: counted.rescheduled as i64,
        port_reuse_drops: counted.port_reuse_drops as i64,
        no_destination_drops: counted.no_destination_drops as i64,
        moved_syns: counted.moved_syns as i64,
    }
}

fn socket(socket: &TcpSocket) -> Socket {
    Socket {
        state: socket.state.to_owned(),
        local: socket.local.to_string(),
        remote: socket.remote.to_string(),
        send_queue: socket.send_queue as i64,
        recv_queue: socket.recv_queue as i64,
        timer: socket.timer.to_owned(),
        timer_ms: socket.timer_ms as i64,
        retransmits: socket.retransmits as i64,
        tcp_info: socket.info.as_ref().map(tcp_info),
    }
}

fn listener(listener: &TcpListener) -> Listener {
    Listener {
        local: listener.local.to_string(),
        waiting: listener.waiting as i64,
        backlog: listener.backlog.map(|backlog| backlog as i64),
    }
}

/// Clients, but no health checks, whose connections began without the header that the server expected.
fn broken_headers(story: &Story, host: usize) -> Vec<String> {
    let served = story.servers[host].served();
    let broken = served
        .iter()
        .filter(|served| served.header.get() == Some(&Header::Broken))
        .filter(|served| !story.plan.is_of_kernel(served.peer));
    broken.map(|served| served.peer.to_string()).collect()
}

/// Those that were answered since the first step.
fn requests(story: &Story, host: usize) -> Vec<Request> {
    let all = story.servers[host].requests().into_iter();
    all.filter(|request| request.at >= story.start())
        .map(|request| Request {
            client: request.client.to_string(),
            forwarded_for: request.forwarded_for,
            probe: story.plan.is_of_kernel(request.peer),
            host: request.host,
            path: request.path,
            status: request.status.into(),
            closes: request.closes,
        })
        .collect()
}

fn tcp_info(info: &tcp_sockets::TcpInfo) -> TcpInfo {
    TcpInfo {
        rtt_ms: f64::from(info.rtt) / 1e3,
        rto_ms: f64::from(info.rto) / 1e3,
        cwnd: info.snd_cwnd.into(),
        unacked: info.unacked.into(),
        lost: info.lost.into(),
        resent: info.total_retrans.into(),
        bytes_acked: info.bytes_acked as i64,
        bytes_received: info.bytes_received as i64,
        bytes_not_sent: info.notsent_bytes.into(),
        segments_out: info.segs_out.into(),
        segments_in: info.segs_in.into(),
        // One byte: tcpi_snd_wscale in the lower four bits, tcpi_rcv_wscale in the upper ones (linux/tcp.h).
        send_scale: (info.wscale & 0xf).into(),
        receive_scale: (info.wscale >> 4).into(),
    }
}
