//! A node of a cluster that passes a connection on to a pod, packet by packet, in two places each.

use crate::evidence::{HostEvidence, Packet};
use crate::verdict::kit::{Kit, OLD};

/// The client's end.
pub(in crate::verdict::findings) const CLIENT: &str = "198.51.100.7:40001";
const FRONT: &str = "203.0.113.10:80";
const NODE: &str = "10.0.0.5:31468";

/// `n1`, which passes on what comes to its port.
pub(in crate::verdict::findings) struct Node {
    pub(in crate::verdict::findings) kit: Kit,
}

impl Node {
    /// A connection "c" from `client` to the pod `web1` that has come to stand.
    pub(in crate::verdict::findings) fn serving() -> Self {
        let mut kit = Kit::new();
        let c = kit.connect("c", 40001, "front/a", "web1");
        let node = HostEvidence {
            address: "10.0.0.5".into(),
            ..HostEvidence::default()
        };
        kit.evidence.hosts.insert("n1".into(), node);
        let own = kit.of(c);
        (own.target, own.target_address) = ("n1".into(), NODE.into());
        kit.evidence.flows[0].target = "n1".into();
        kit.evidence.flows[0].target_address = NODE.into();
        let mut node = Self { kit };
        node.toward(1.0, "S", (0, 0), ("web1", CLIENT));
        node.back(2.0, "S.", (0, 0), NODE);
        node.toward(10.0, ".", (1, 0), ("web1", CLIENT));
        node
    }

    /// A packet of the client's, which goes on to a pod with a source; `seq` counts from its first number.
    pub(in crate::verdict::findings) fn toward(
        &mut self,
        t: f64,
        flags: &str,
        (seq, len): (i64, i64),
        (pod, source): (&str, &str),
    ) {
        let numbers = (OLD.client + seq, OLD.server + 1);
        self.fabric(t, ("client", "n1"), flags, numbers, len);
        let to = format!("{}:80", self.kit.evidence.hosts[pod].address);
        self.inside(t + 0.1, ("n1", source), (pod, &to), flags, numbers, len);
        self.follows(2, 1);
    }

    /// A packet of the pod's, which leaves the node with a source.
    pub(in crate::verdict::findings) fn back(
        &mut self,
        t: f64,
        flags: &str,
        (seq, len): (i64, i64),
        source: &str,
    ) {
        let numbers = (OLD.server + seq, OLD.client + 1);
        let pod = ("web1", "10.0.1.10:80");
        self.inside(t, pod, ("n1", CLIENT), flags, numbers, len);
        self.fabric(t + 0.1, ("n1", "client"), flags, numbers, len);
        let last = self.packet(1);
        if source != NODE {
            (last.from, last.from_after, last.flow) = (source.into(), source.into(), None);
        }
        self.follows(2, 1);
    }

    /// A packet of the client's, which the node keeps and resets.
    pub(in crate::verdict::findings) fn kept(&mut self, t: f64, (seq, len): (i64, i64)) {
        let numbers = (OLD.client + seq, OLD.server + 1);
        self.fabric(t, ("client", "n1"), "P.", numbers, len);
        self.fabric(t + 0.1, ("n1", "client"), "R", (OLD.server + 1, 0), 0);
    }

    fn packet(&mut self, from_the_end: usize) -> &mut Packet {
        let packets = &mut self.kit.evidence.packets;
        let place = packets.len() - from_the_end;
        &mut packets[place]
    }

    fn follows(&mut self, before: usize, after: usize) {
        let id = self.packet(before).id;
        self.packet(after).follows = Some(id);
    }

    fn fabric(
        &mut self,
        t: f64,
        (sender, receiver): (&str, &str),
        flags: &str,
        numbers: (i64, i64),
        len: i64,
    ) {
        let (sent, after) = match sender {
            "client" => ((CLIENT, FRONT), (CLIENT, NODE)),
            _ => ((NODE, CLIENT), (FRONT, CLIENT)),
        };
        self.push(Packet {
            t,
            sender: sender.into(),
            receiver: receiver.into(),
            from: sent.0.into(),
            to: sent.1.into(),
            from_after: after.0.into(),
            to_after: after.1.into(),
            flags: flags.into(),
            seq: numbers.0,
            ack: numbers.1,
            len,
            fate: "forwarded".into(),
            flow: Some(0),
            ..Packet::default()
        });
    }

    fn inside(
        &mut self,
        t: f64,
        (sender, from): (&str, &str),
        (receiver, to): (&str, &str),
        flags: &str,
        numbers: (i64, i64),
        len: i64,
    ) {
        self.push(Packet {
            t,
            sender: sender.into(),
            receiver: receiver.into(),
            seen_at: "n1 eni1".into(),
            from: from.into(),
            to: to.into(),
            from_after: from.into(),
            to_after: to.into(),
            flags: flags.into(),
            seq: numbers.0,
            ack: numbers.1,
            len,
            fate: "seen".into(),
            ..Packet::default()
        });
    }

    fn push(&mut self, packet: Packet) {
        let id = self.kit.evidence.packets.len() as i64;
        self.kit.evidence.packets.push(Packet {
            id,
            protocol: "tcp".into(),
            ..packet
        });
    }
}

/// The node takes a segment to another pod than those before; or to the same.
pub(super) fn lost_entry(happened: bool) -> Kit {
    let mut node = Node::serving();
    let pod = if happened { "web2" } else { "web1" };
    node.toward(3000.0, "P.", (1, 64), (pod, CLIENT));
    node.kit
}
