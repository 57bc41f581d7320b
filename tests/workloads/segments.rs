//! Hosts behind another host: a real bridge or a routed veth in its namespace, and its kernel's own forwarding.

use crate::kit::{fine, has, once};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn a_router_masquerades_what_is_behind_it() {
    let Some(case) = once(
        r#"
hosts:
  router:
    nft: |
      table ip nat { chain post { type nat hook postrouting priority srcnat; oifname "eth0" masquerade } }
  desk: { count: 2, behind: router, serve: { 8080: echo } }
  member: { behind: { router: members }, mtu: 1400 }
  web: { zone: a, serve: { 80: echo } }
target_groups: { web: { targets: [web] } }
load_balancers: { front: { zones: [a], listeners: { 80: web } } }
steps:
  - connect: { as: out, from: desk-1, to: front }
  - exchange: { over: out, as: bulk, bytes: 200000, timeout: 20s }
  - connect: { as: neighbour, from: desk-1, to: desk-2 }
  - connect: { as: across, from: member, to: desk-2 }
  - exchange: { over: across }
  - connect: { as: down, from: router, to: desk-1 }
  - connect: { as: up, from: member, to: front }
  - run: { as: names, on_host: desk-1, command: "grep -c -e desk-2 -e member -e web /etc/hosts; cat /proc/sys/net/ipv4/ip_forward" }
  - run: { as: bridges, on_host: router, command: "cd /sys/class/net; ls lan0/brif members/brif; cat members/brif/veth3/../mtu eth0/mtu" }
  - run: { as: elsewhere, on_host: web, command: "grep -c desk /etc/hosts" }
"#,
    ) else {
        return;
    };
    for step in ["out", "bulk", "neighbour", "across", "down", "up"] {
        fine(case.step(step));
    }
    // web has no address on the internet, where the desks are.
    has(case.step("names"), json!({ "stdout": "2\n0\n" }));
    has(
        case.step("bridges"),
        json!({ "stdout": "lan0/brif:\nveth1\nveth2\n\nmembers/brif:\nveth3\n1400\n1500\n" }),
    );
    has(case.step("elsewhere"), json!({ "stdout": "0\n" }));
    let local = case.step("out")["local"].as_str().expect("text");
    assert!(local.starts_with("192.168.1.2:"), "{local}");
    // Joined with the fabric's conversation by the SYN's sequence number: the router chose another port, or kept it.
    has(
        case.step("out"),
        json!({ "target": "web", "syns": 1, "delivered": 200_000, "lost": 0 }),
    );
    let via = case.step("out")["via"].as_str().expect("text");
    assert!(via.starts_with("front/"), "{via}");
    let out = &case.evidence["connections"][0];
    let left_as = out["left_as"].as_str().expect("text");
    let router = case.evidence["hosts"]["router"]["address"].as_str();
    assert_eq!(left_as.split(':').next(), router, "{out}");
    assert_eq!(out["flow"], 0, "{out}");
    has(case.step("neighbour"), json!({ "target": "desk-2" }));
    has(case.step("across"), json!({ "target": "desk-2" }));
    // A super-packet is as many packets on a veth as it is on the network, where it is the same one.
    let all = case.evidence["packets"].as_array().expect("a list");
    let number = |packet: &serde_json::Value, name: &str| packet[name].as_i64().expect("a number");
    let both = all.iter().filter_map(|packet| {
        let before = packet["follows"].as_i64()?;
        let before = all.iter().find(|other| number(other, "id") == before)?;
        Some((before, packet))
    });
    let mut several = 0;
    for (one, other) in both {
        for name in ["wire_packets", "wire_bytes"] {
            assert_eq!(
                number(one, name),
                number(other, name),
                "{name} of {one} and {other}"
            );
        }
        several += i64::from(number(one, "wire_packets") > 1);
    }
    assert!(several > 0, "200,000 bytes go in super-packets");
}

#[test]
fn what_never_comes_to_the_network_is_told_as_well() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  router:
    nft: |
      table ip nat {
        chain pre { type nat hook prerouting priority dstnat; iifname "eth0" udp dport 53 dnat to $desk-2:53 }
        chain post { type nat hook postrouting priority srcnat; oifname "eth0" masquerade random }
      }
  desk: { count: 2, behind: router, serve: { 8080: echo, 53/udp: echo } }
  web: { zone: a, serve: { 53/udp: echo } }
target_groups: { web: { protocol: UDP, targets: [web] } }
load_balancers: { front: { zones: [a], listeners: { 53: { protocol: UDP, target_group: web } } } }
steps:
  - connect: { as: closed, from: desk-1, to: "desk-2:8080" }
  - exchange: { over: closed }
  - close: closed
  - connect: { as: down, from: router, to: "desk-2:8080" }
  - connect: { as: stopped, from: desk-1, to: "desk-2:8080" }
  - connect: { as: ask, from: desk-1, to: "front/a:53/udp" }
  - exchange: { over: ask, as: asked, times: 3 }
  - connect: { as: beside, from: desk-1, to: "desk-2:53/udp" }
  - exchange: { over: beside, as: besides }
  - connect: { as: published, from: client, to: "router:53/udp" }
  - exchange: { over: published, as: within }
  - stop: desk-2
"#,
    ) else {
        return;
    };
    for step in ["closed", "down", "stopped", "asked", "besides", "within"] {
        fine(case.step(step));
    }
    let seen = |name: &str, from: &str, to: &str| {
        let connection = case.connection(name);
        has(connection, json!({ "seen_as": from, "target_address": to }));
    };
    has(
        case.connection("closed"),
        json!({ "syns": 1, "target": "desk-2", "delivered": 64, "ended_by": "client" }),
    );
    has(
        case.connection("down"),
        json!({ "syns": 1, "target": "desk-2", "ended_by": "server" }),
    );
    has(case.connection("stopped"), json!({ "ended_by": "server" }));
    // By the links between what a device saw and what the network did: datagrams have no sequence numbers.
    let ask = case.connection("ask");
    has(
        ask,
        json!({ "flow": 0, "target": "web", "delivered": 192, "lost": 0 }),
    );
    let router = case.evidence["hosts"]["router"]["address"].as_str();
    let left_as = ask["left_as"].as_str().expect("text");
    assert_eq!(left_as.split(':').next(), router, "{ask}");
    seen("ask", left_as, "10.0.0.10:53");
    let local = case.connection("beside")["local"].as_str().expect("text");
    seen("beside", local, "192.168.1.3:53");
    let own: Vec<&serde_json::Value> = case.evidence["packets"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|packet| packet["protocol"] == "udp" && packet["from"] == ask["local"])
        .collect();
    assert_eq!(own.len(), 3, "each datagram on the desk's device: {own:?}");
}

#[test]
fn a_gateway_of_its_own_and_a_port_that_is_published() {
    let Some(case) = once(
        r#"
hosts:
  client: {}
  router:
    # Else the bridge translates the answer on its way to the detour, which then comes from the router's own address.
    setup: test ! -e /proc/sys/net/bridge || echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables
    nft: |
      table ip nat {
        chain pre { type nat hook prerouting priority dstnat; iifname "eth0" tcp dport 80 dnat to $web:8080 }
      }
  detour: { behind: router, address: 10.9.8.7, sysctls: { net.ipv4.ip_forward: 1 } }
  web: { behind: router, gateway: 10.9.8.7, serve: { 8080: echo } }
steps:
  - connect: { as: visit, from: client, to: "router:80" }
  - exchange: { over: visit, as: talk, bytes: 100000, timeout: 20s }
  - run: { as: route, on_host: web, command: "cat /proc/net/route | cut -f 2,3 | head -2 | tail -1" }
"#,
    ) else {
        return;
    };
    fine(case.step("visit"));
    fine(case.step("talk"));
    // 10.9.8.7, as the kernel prints it.
    has(
        case.step("route"),
        json!({ "stdout": "00000000\t0708090A\n" }),
    );
    has(
        case.step("visit"),
        json!({ "target": "router", "delivered": 100_000, "lost": 0 }),
    );
    let visit = &case.evidence["connections"][0];
    assert_eq!(visit["server_state"], "ESTABLISHED", "{visit}");
    let forwarded = case.evidence["hosts"]["detour"]["counters"]["IpForwDatagrams"].as_i64();
    assert!(forwarded.is_some_and(|count| count > 0), "{forwarded:?}");
}

#[test]
fn a_pod_keeps_its_address_on_the_way_through_its_node() {
    let Some(case) = once(
        r#"
hosts:
  web: { zone: b, serve: { 80: echo } }
kubernetes:
  nodes: { node: { zone: a } }
  pods:
    pod: { node: node, serve: { 8080: echo } }
    other: { node: node }
steps:
  - connect: { as: out, from: pod, to: "web:80" }
  - exchange: { over: out, as: said, bytes: 100000, timeout: 20s }
  - connect: { as: beside, from: other, to: "pod:8080" }
  - connect: { as: down, from: node, to: "pod:8080" }
  - connect: { as: inward, from: web, to: "pod:8080" }
  - exchange: { over: inward, as: answered }
"#,
    ) else {
        return;
    };
    for step in ["out", "said", "beside", "down", "inward", "answered"] {
        fine(case.step(step));
    }
    let pod = case.evidence["hosts"]["pod"]["address"].as_str();
    let pod = pod.expect("an address");
    let out = case.packets(|p| p["flags"] == "S" && p["sender"] == "node");
    let out = out.first().expect("a SYN that left the node");
    let from = out["from"].as_str().expect("text");
    assert!(from.starts_with(&format!("{pod}:")), "{out}");
    assert_eq!(out["from"], out["from_after"]);
    assert!(case.counter("node", "IpForwDatagrams") > 0);
}

/// The last record of the network is of a packet that is older than others.
#[test]
fn every_packet_has_its_own_number() {
    let Some(case) = once(
        r#"
hosts:
  far: { zone: b, link: { down: { delay: 400ms } } }
  web: { zone: a, serve: { 80: echo, 53/udp: echo } }
  router: { zone: a }
  desk: { behind: router }
steps:
  - connect: { as: slow, from: far, to: "web:53/udp" }
  - send: { over: slow, bytes: 8 }
  - connect: { as: quick, from: desk, to: "router:9" }
  - connect: { as: own, from: router, to: "web:80" }
  - receive: { over: slow, as: late, bytes: 8, timeout: 5s }
"#,
    ) else {
        return;
    };
    fine(case.step("late"));
    has(case.step("quick"), json!({ "error": "refused" }));
    let ids = |inside: bool| -> BTreeSet<i64> {
        let packets = case.packets(|p| (p["seen_at"] != "") == inside);
        packets.iter().filter_map(|p| p["id"].as_i64()).collect()
    };
    let (network, inside) = (ids(false), ids(true));
    assert!(!inside.is_empty());
    assert!(network.is_disjoint(&inside), "{network:?} {inside:?}");
}
