//! Clients that have no port or no way, servers that have no room for handshakes, and firewalls that remember nothing of them.

use crate::evidence::{Packet, Socket};
use crate::verdict::findings::{mid_stream_drop, recognise};
use crate::verdict::kit::{Kit, NEW, OLD};
use crate::verdict::trace::ip;

/// connect(2) fails for want of a local port; or for another reason.
pub(in crate::verdict::findings) fn no_local_port(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let more = kit.connect("more", 40000, "web1", "web1");
    let own = kit.of(more);
    own.local.clear();
    own.seen_as.clear();
    own.error = if happened { "no-port" } else { "failed" }.into();
    own.errno = if happened { 99 } else { 1 };
    (own.syns, own.client_state, own.server_state) = (0, String::new(), String::new());
    let sockets = ["TIME_WAIT", "TIME_WAIT", "ESTABLISHED"].map(|state| Socket {
        state: state.into(),
        remote: own.remote.clone(),
        ..Socket::default()
    });
    let host = kit.evidence.hosts.get_mut("client").expect("the client");
    host.sockets = sockets.into();
    kit
}

/// Two SYNs come to a server that waits for the end of four handshakes; or of none.
pub(in crate::verdict::findings) fn half_open_ones(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "web1", "web1");
    kit.up(visit, "S", OLD.client, 0, 0);
    kit.now += 1000.0;
    kit.up(visit, "S", OLD.client, 0, 0);
    let own = kit.of(visit);
    (own.client_state, own.server_state) = (String::new(), String::new());
    kit.counter("web1", "TcpExtListenDrops", 2);
    let host = kit.evidence.hosts.get_mut("web1").expect("the server");
    let waiting = (0..4).map(|port| Socket {
        state: "NEW_SYN_RECV".into(),
        local: "10.0.1.10:80".into(),
        remote: format!("198.51.100.9:{}", 40000 + port),
        ..Socket::default()
    });
    host.sockets = waiting.filter(|_| happened).collect();
    kit
}

/// An ICMP error ends connect(2); or the kernel takes it for a refusal.
pub(in crate::verdict::findings) fn no_way(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "web1", "web1");
    kit.up(visit, "S", OLD.client, 0, 0);
    let error = kit.down(visit, "", 0, 0, 68);
    let packet = &mut kit.evidence.packets[error];
    packet.protocol = "icmp".into();
    packet.from = "10.0.1.10:0".into();
    let own = kit.of(visit);
    own.error = if happened { "unreachable" } else { "failed" }.into();
    own.errno = 113;
    (own.client_state, own.server_state) = (String::new(), String::new());
    kit
}

/// A connection by way of web2, a firewall; after a pause it lets nothing of it pass. Or it goes on as before.
pub(super) fn forgotten_by_a_firewall(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let talk = kit.connect("talk", 40000, "web1", "web1");
    let host = kit.evidence.hosts.get_mut("web2").expect("the firewall");
    host.conntrack.counters.insert("entries".into(), 1);
    host.conntrack.counters.insert("invalid".into(), 2);
    kit.handshake(talk, OLD);
    kit.now = 3000.0;
    for _ in 0..2 {
        kit.up(talk, "P.", OLD.client + 1, OLD.server + 1, 64);
        kit.now += 200.0;
    }
    let packets = std::mem::take(&mut kit.evidence.packets);
    for packet in packets {
        let passes = !happened || packet.t < 3000.0;
        by_web2(&mut kit.evidence.packets, packet, passes);
    }
    kit
}

/// A datagram in three fragments by way of web2, which lets the first pass and keeps the others; or lets all pass.
pub(in crate::verdict::findings) fn without_ports(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let ask = kit.connect("ask", 40000, "web1", "web1");
    kit.of(ask).protocol = "udp".into();
    for len in [1472, 1480, 48] {
        kit.up(ask, "", 0, 0, len);
    }
    let packets = std::mem::take(&mut kit.evidence.packets);
    for (number, packet) in packets.into_iter().enumerate() {
        let mut packet = Packet {
            protocol: "udp".into(),
            ip_id: 7,
            seen_at: "web2 veth2".into(),
            fate: "seen".into(),
            ..packet
        };
        if number > 0 {
            let ends = [
                &mut packet.from,
                &mut packet.to,
                &mut packet.from_after,
                &mut packet.to_after,
            ];
            for end in ends {
                let address = ip(end).to_owned();
                *end = format!("{address}:0");
            }
        }
        by_web2(&mut kit.evidence.packets, packet, number == 0 || !happened);
    }
    kit
}

/// Two SYNs of a connection come to web2, which translates and has no source for them; or for the first of them.
pub(in crate::verdict::findings) fn no_source(happened: bool) -> Kit {
    let mut kit = Kit::new();
    let visit = kit.connect("visit", 40000, "web1", "web1");
    kit.up(visit, "S", OLD.client, 0, 0);
    kit.now += 1000.0;
    kit.up(visit, "S", OLD.client, 0, 0);
    let packets = std::mem::take(&mut kit.evidence.packets);
    for packet in packets {
        let passes = !happened && packet.t > 1000.0;
        by_web2(&mut kit.evidence.packets, packet, passes);
    }
    counter(&mut kit, "insert_failed", 2);
    kit
}

/// A packet that comes to web2 and, where it passes, goes on from there.
fn by_web2(packets: &mut Vec<Packet>, mut packet: Packet, passes: bool) {
    let end = std::mem::replace(&mut packet.receiver, "web2".into());
    let on = Packet {
        id: 1_000 + packet.id,
        follows: Some(packet.id),
        sender: "web2".into(),
        receiver: end,
        seen_at: "web2 veth1".into(),
        fate: "seen".into(),
        ..packet.clone()
    };
    packets.push(packet);
    packets.extend(passes.then_some(on));
}

fn told(kit: &Kit) -> Option<String> {
    let mut found = recognise(&kit.evidence).into_iter();
    let own = found.find(|finding| finding.kind == mid_stream_drop::KIND);
    own.map(|finding| finding.summary)
}

fn counter(kit: &mut Kit, word: &str, value: i64) {
    let host = kit.evidence.hosts.get_mut("web2").expect("the firewall");
    host.conntrack.counters.insert(word.into(), value);
}

#[test]
fn a_firewall_that_forgot_is_told_with_the_silence_before() {
    let mut kit = forgotten_by_a_firewall(true);
    assert_eq!(
        told(&kit).expect("a finding"),
        "web2 let \"talk\" pass in both directions, and forgot it in 3.00 s of silence: 2 packets came to it and did not come out again, \
         the same bytes more than once, and nobody was told. Its connection tracking called 2 packets invalid."
    );
    // One invalid packet is not both, and without them it has to be alive: something else passes later, to the same place.
    counter(&mut kit, "invalid", 1);
    assert!(told(&kit).is_none());
    let packets = &mut kit.evidence.packets;
    let mut other = packets[0].clone();
    (other.id, other.t, other.from, other.from_after) = (
        500,
        4000.0,
        "198.51.100.7:41000".into(),
        "198.51.100.7:41000".into(),
    );
    other.receiver = "web1".into();
    let mut elsewhere = other.clone();
    (elsewhere.id, elsewhere.to) = (501, "10.0.1.10:443".into());
    by_web2(packets, elsewhere, true);
    assert!(told(&kit).is_none());
    by_web2(&mut kit.evidence.packets, other, true);
    assert_eq!(
        told(&kit).expect("a finding"),
        "web2 let \"talk\" pass in both directions, until that was silent for 3.00 s: 2 packets came to it and did not come out again, \
         the same bytes more than once, and nobody was told. Others got through it to 10.0.1.10:80."
    );
}

#[test]
fn a_firewall_that_never_saw_it_begin_is_told_as_that() {
    let mut kit = forgotten_by_a_firewall(true);
    // The handshake came by another way.
    for packet in &mut kit.evidence.packets {
        if packet.t < 3000.0 {
            packet.receiver = packet.receiver.replace("web2", "web3");
            packet.sender = packet.sender.replace("web2", "web3");
        }
    }
    let summary = told(&kit).expect("a finding");
    assert!(
        summary.starts_with("web2 met \"talk\" in the middle and had not seen it begin: 2 packets"),
        "{summary}"
    );
    counter(&mut kit, "invalid", 0);
    assert!(told(&kit).is_none());
    // Others get through it to the same place.
    let other = kit.connect("fresh", 41000, "web1", "web1");
    let before = kit.evidence.packets.len();
    kit.handshake(other, NEW);
    let own = kit.evidence.packets.split_off(before);
    for packet in own {
        by_web2(&mut kit.evidence.packets, packet, true);
    }
    let summary = told(&kit).expect("a finding");
    assert!(
        summary.ends_with("Others got through it to 10.0.1.10:80."),
        "{summary}"
    );
}

#[test]
fn no_pause_one_loss_and_no_tracking_are_no_forgotten_connection() {
    let mut at_once = forgotten_by_a_firewall(true);
    for packet in &mut at_once.evidence.packets {
        if packet.t < 3000.0 {
            packet.t += 2900.0;
        }
    }
    let mut once = forgotten_by_a_firewall(true);
    once.evidence.packets.pop();
    let mut untracked = forgotten_by_a_firewall(true);
    counter(&mut untracked, "invalid", 0);
    counter(&mut untracked, "entries", 0);
    // Who answers is an end of it, whatever the address that was dialled.
    let mut redirected = forgotten_by_a_firewall(true);
    let packets = &mut redirected.evidence.packets;
    let answer = packets.iter().find(|packet| packet.flags == "S.");
    let mut answer = answer.expect("a SYN-ACK").clone();
    (answer.id, answer.t, answer.sender) = (600, 3900.0, "web2".into());
    packets.push(answer);
    for kit in [at_once, once, untracked, redirected] {
        assert!(told(&kit).is_none());
    }
}
