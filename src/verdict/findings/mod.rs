//! Mechanisms recognised in the evidence, and in nothing else: no plan, no lab, no knob is looked at.
//!
//! One file a mechanism. A finding speaks only where the packets, flows or sockets show it; a counter alone is
//! enough only where it counts exactly that. Not here: whether a case may show it (see `judge`).

mod accept_queue_full;
mod accept_queue_reset;
mod asymmetric_path;
mod bad_gateway;
mod black_hole;
mod challenge_ack;
mod client_closed_request;
mod connection_timed_out;
mod conntrack_invalid;
mod delayed_ack;
mod delivered_twice;
mod draining_terminated;
mod ephemeral_port_exhaustion;
mod fail_open;
mod failed_requests;
mod flow_collision;
mod flow_table_full;
mod forgotten_mapping;
mod forgotten_translation;
mod fragments_dropped;
mod gateway_timeout;
mod guard_drop;
mod hairpin_bypass;
mod half_open;
mod health_check_host_header;
mod healthy_but_silent;
mod icmp_rate_limit;
mod idle_expiry;
mod ignored_reset;
mod insertion_race;
mod ipvs_no_destination;
mod ipvs_port_reuse;
mod keep_alive_race;
mod keepalive_in_vain;
mod loopback;
mod lost_syn;
mod mid_stream_drop;
mod moved_flow;
mod needless_retransmission;
mod no_listener;
mod no_registered_target;
mod outlives_draining;
mod outlives_rule;
mod own_answers;
mod pmtu_black_hole;
mod port_exhaustion;
mod program_requests;
mod provisioning_failed;
mod proxy_protocol_mismatch;
mod proxy_protocol_stall;
mod refused;
mod registration_refused;
mod reverse_path_drop;
mod self_connect;
mod spillover;
mod stale_connection;
mod stale_dns_address;
mod stale_translation;
mod standing_queue;
mod syn_moved;
mod syn_queue_full;
mod syn_unanswered;
mod target_not_in_use;
mod tw_recycle;
mod udp_pinned;
mod undetected_damage;
mod undetected_target;
mod unhealthy_reset;
mod unreachable;
mod unread_close;
mod unshared_connections;
mod untranslated_sack;
mod vanished_peer;
mod window_scale_mismatch;
mod words;
mod zero_window;
mod zone_blind_answers;
mod zone_without_targets;

pub(super) use challenge_ack::held_in_time_wait;
pub(super) use ignored_reset::resets_in_vain;
pub(super) use loopback::came_home;

use super::Finding;
use super::trace::{Trace, delivered, drop_reason};
use crate::evidence::{Answer, Evidence, Packet, TargetEvidence};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
pub use words::item_of;
use words::{
    cloud, count, first_few, hosts_at, item, join, lapse, name_all, of_zone, quoted, so_with,
    with_via,
};

/// Every kind there is: the most specific cause first, the plain symptom last. Findings come in this order.
pub const KINDS: &[&str] = &[
    flow_collision::KIND,
    challenge_ack::KIND,
    loopback::KIND,
    self_connect::KIND,
    hairpin_bypass::KIND,
    reverse_path_drop::KIND,
    asymmetric_path::KIND,
    syn_moved::KIND,
    moved_flow::KIND,
    conntrack_invalid::KIND,
    stale_translation::KIND,
    forgotten_translation::KIND,
    port_exhaustion::KIND,
    ephemeral_port_exhaustion::KIND,
    insertion_race::KIND,
    flow_table_full::KIND,
    spillover::KIND,
    provisioning_failed::KIND,
    registration_refused::KIND,
    target_not_in_use::KIND,
    zone_without_targets::KIND,
    no_registered_target::KIND,
    stale_dns_address::KIND,
    zone_blind_answers::KIND,
    no_listener::KIND,
    guard_drop::SECURITY_GROUP,
    guard_drop::NETWORK_ACL,
    pmtu_black_hole::KIND,
    fragments_dropped::KIND,
    undetected_damage::KIND,
    delivered_twice::KIND,
    needless_retransmission::KIND,
    standing_queue::KIND,
    delayed_ack::KIND,
    untranslated_sack::KIND,
    window_scale_mismatch::KIND,
    zero_window::KIND,
    black_hole::KIND,
    draining_terminated::KIND,
    outlives_draining::KIND,
    outlives_rule::KIND,
    idle_expiry::KIND,
    mid_stream_drop::KIND,
    keepalive_in_vain::KIND,
    keep_alive_race::KIND,
    client_closed_request::KIND,
    ignored_reset::KIND,
    vanished_peer::KIND,
    connection_timed_out::KIND,
    unread_close::KIND,
    undetected_target::KIND,
    unhealthy_reset::KIND,
    healthy_but_silent::KIND,
    fail_open::KIND,
    half_open::KIND,
    udp_pinned::KIND,
    tw_recycle::KIND,
    ipvs_port_reuse::KIND,
    ipvs_no_destination::KIND,
    health_check_host_header::KIND,
    proxy_protocol_mismatch::KIND,
    proxy_protocol_stall::KIND,
    accept_queue_full::KIND,
    syn_queue_full::KIND,
    icmp_rate_limit::KIND,
    accept_queue_reset::KIND,
    unshared_connections::KIND,
    bad_gateway::KIND,
    gateway_timeout::KIND,
    lost_syn::KIND,
    stale_connection::KIND,
    refused::KIND,
    unreachable::KIND,
    syn_unanswered::KIND,
];

/// Everything recognised, in the order of [`KINDS`].
pub fn recognise(evidence: &Evidence) -> Vec<Finding> {
    let trace = Trace::new(evidence);
    let of_programs = program_requests::told(&trace);
    let of_programs = of_programs.as_ref().map(Trace::new);
    let requests = of_programs.as_ref().unwrap_or(&trace);
    let mut findings = flow_collision::find(&trace);
    findings.extend(challenge_ack::find(&trace));
    findings.extend(loopback::find(&trace));
    findings.extend(self_connect::find(&trace));
    findings.extend(hairpin_bypass::find(&trace));
    findings.extend(reverse_path_drop::find(&trace));
    findings.extend(asymmetric_path::find(&trace));
    findings.extend(syn_moved::find(&trace));
    findings.extend(moved_flow::find(&trace));
    findings.extend(conntrack_invalid::find(&trace));
    findings.extend(stale_translation::find(&trace));
    findings.extend(forgotten_translation::find(&trace));
    findings.extend(port_exhaustion::find(&trace));
    findings.extend(port_exhaustion::at_hosts(&trace));
    findings.extend(ephemeral_port_exhaustion::find(&trace));
    findings.extend(insertion_race::find(&trace));
    findings.extend(flow_table_full::find(&trace));
    findings.extend(known(evidence, spillover::find(requests)));
    findings.extend(provisioning_failed::find(&trace));
    findings.extend(registration_refused::find(&trace));
    findings.extend(target_not_in_use::find(&trace));
    findings.extend(known(evidence, zone_without_targets::find(requests)));
    findings.extend(known(evidence, no_registered_target::find(requests)));
    findings.extend(stale_dns_address::find(&trace));
    findings.extend(zone_blind_answers::find(&trace));
    findings.extend(no_listener::find(&trace));
    findings.extend(guard_drop::find(&trace));
    findings.extend(pmtu_black_hole::find(&trace));
    findings.extend(fragments_dropped::find(&trace));
    findings.extend(undetected_damage::find(&trace));
    findings.extend(delivered_twice::find(&trace));
    findings.extend(needless_retransmission::find(&trace));
    findings.extend(standing_queue::find(&trace));
    findings.extend(delayed_ack::find(&trace));
    findings.extend(untranslated_sack::find(&trace));
    findings.extend(window_scale_mismatch::find(&trace));
    findings.extend(zero_window::find(&trace));
    findings.extend(black_hole::find(&trace));
    findings.extend(draining_terminated::find(&trace));
    findings.extend(outlives_draining::find(&trace));
    findings.extend(outlives_rule::find(&trace));
    findings.extend(idle_expiry::find(&trace));
    findings.extend(forgotten_mapping::find(&trace));
    findings.extend(mid_stream_drop::find(&trace));
    findings.extend(keepalive_in_vain::find(&trace));
    findings.extend(keep_alive_race::find(&trace));
    findings.extend(known(evidence, client_closed_request::find(requests)));
    findings.extend(ignored_reset::find(&trace));
    findings.extend(vanished_peer::find(&trace));
    findings.extend(connection_timed_out::find(&trace));
    findings.extend(unread_close::find(&trace));
    findings.extend(undetected_target::find(&trace));
    findings.extend(unhealthy_reset::find(&trace));
    findings.extend(healthy_but_silent::find(&trace));
    findings.extend(fail_open::find(&trace));
    findings.extend(half_open::find(&trace));
    findings.extend(udp_pinned::find(&trace));
    findings.extend(tw_recycle::find(&trace));
    findings.extend(ipvs_port_reuse::find(&trace));
    findings.extend(ipvs_no_destination::find(&trace));
    findings.extend(health_check_host_header::find(&trace));
    findings.extend(proxy_protocol_mismatch::find(&trace));
    findings.extend(proxy_protocol_stall::find(&trace));
    findings.extend(accept_queue_full::find(&trace));
    findings.extend(syn_queue_full::find(&trace));
    findings.extend(icmp_rate_limit::find(&trace));
    findings.extend(accept_queue_reset::find(&trace));
    findings.extend(unshared_connections::find(&trace));
    findings.extend(known(evidence, bad_gateway::find(requests)));
    findings.extend(known(evidence, gateway_timeout::find(requests)));
    findings.extend(lost_syn::find(&trace));
    findings.extend(stale_connection::find(&trace));
    findings.extend(refused::find(&trace));
    findings.extend(unreachable::find(&trace));
    findings.extend(syn_unanswered::find(&trace));
    findings
}

/// The same without the connections that this record does not have: those of programs.
fn known(
    evidence: &Evidence,
    found: impl IntoIterator<Item = Finding>,
) -> impl Iterator<Item = Finding> {
    found.into_iter().map(|mut finding| {
        let there = |number: &usize| *number < evidence.connections.len();
        finding.connections.retain(there);
        finding
    })
}

/// Packets a finding cites at most: enough for three collisions told in full.
const CITED: usize = 24;

/// Passages that ended with a drop for this reason, in order.
fn dropped(trace: &Trace, reason: &str) -> Vec<usize> {
    (0..trace.passages.len())
        .filter(|passage| drop_reason(trace.ended(*passage)) == Some(reason))
        .collect()
}

/// The connections of passages, each once, in the order of the evidence.
fn connections_of(trace: &Trace, passages: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut connections: Vec<usize> = passages
        .into_iter()
        .filter_map(|passage| trace.passages[passage].connection)
        .collect();
    connections.sort_unstable();
    connections.dedup();
    connections
}

/// HTTP answers that loads had, in the order of the steps.
fn answered(evidence: &Evidence) -> impl Iterator<Item = &Answer> {
    let loads = evidence.steps.iter().filter_map(|step| step.detail.load());
    loads.flat_map(|load| &load.answers)
}

/// What is found of each target of each group.
fn of_each_target(
    trace: &Trace,
    find: impl Fn(&Trace, &str, &str, &TargetEvidence) -> Option<Finding>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (group, record) in &trace.evidence.target_groups {
        let targets = record.targets.iter();
        found.extend(targets.filter_map(|(name, target)| find(trace, group, name, target)));
    }
    found
}

/// Records of passages, in order, each once, at most [`CITED`].
fn cite(trace: &Trace, passages: impl IntoIterator<Item = usize>) -> Vec<usize> {
    cite_records(passages.into_iter().map(|p| trace.passages[p].sent))
}

/// Records in order, each once, at most [`CITED`].
fn cite_records(records: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut records: Vec<usize> = records.into_iter().collect();
    records.sort_unstable();
    records.dedup();
    records.truncate(CITED);
    records
}

/// Deltas of `names` on `hosts` that are not 0.
fn counters<'a>(
    evidence: &Evidence,
    hosts: impl IntoIterator<Item = &'a str>,
    names: &[&str],
) -> Vec<(String, String, i64)> {
    let mut list: Vec<(String, String, i64)> = Vec::new();
    for host in distinct(hosts) {
        let Some(record) = evidence.hosts.get(host) else {
            continue;
        };
        for name in distinct(names) {
            let value = record.counters.get(*name).copied().unwrap_or(0);
            if value != 0 {
                list.push((host.to_owned(), (*name).to_owned(), value));
            }
        }
    }
    list
}

/// Packets of a protocol that came to one host.
#[derive(Default)]
struct Came {
    /// Those that were asked for, as passages; at least one.
    passages: Vec<usize>,
    /// How many were given to its device, health checks among them. Fewer in the kernel's count: a filter took some, or nobody
    /// has read them. More: some came by another way, and hide how many did not.
    of: i64,
}

/// Hosts that packets came to of which something is so.
fn delivered_where<'a>(
    trace: &Trace<'a>,
    protocol: &str,
    is_so: impl Fn(&Packet) -> bool,
) -> HashMap<&'a str, Came> {
    let mut hosts: HashMap<&str, Came> = HashMap::new();
    for passage in 0..trace.passages.len() {
        let packet = trace.ended(passage);
        if packet.protocol == protocol && delivered(packet) && is_so(packet) {
            let host = hosts.entry(&packet.receiver).or_default();
            host.passages.push(passage);
        }
    }
    if hosts.is_empty() {
        return hosts;
    }
    for packet in &trace.evidence.packets {
        let on_device = packet.seen_at.is_empty() && packet.protocol == protocol;
        if let Some(host) = hosts.get_mut(packet.receiver.as_str())
            && on_device
            && delivered(packet)
        {
            host.of += 1;
        }
    }
    hosts
}

/// What a host is as a target: each state that some group has of it, as expressions name it.
fn states(evidence: &Evidence, host: &str) -> Vec<(String, Value)> {
    let groups = evidence.target_groups.iter();
    groups
        .flat_map(|(group, record)| {
            let path = format!("{}.targets", item("target_groups", group));
            let targets = record.targets.iter().filter(|(name, _)| *name == host);
            targets.map(move |(name, target)| {
                let state = target.state.as_str().into();
                (format!("{}.state", item(&path, name)), state)
            })
        })
        .collect()
}

/// Distinct, in order of first appearance.
pub(super) fn distinct<T: Clone + Eq + Hash>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    let items = items.into_iter();
    items.filter(|item| seen.insert(item.clone())).collect()
}

#[cfg(test)]
mod stories;
#[cfg(test)]
mod tests;
