//! Evidence made by hand, for tests: hosts, a balancer, connections, and packets that go through flows.

use crate::evidence::*;

/// A story being told, packet by packet.
pub(crate) struct Kit {
    pub(crate) evidence: Evidence,
    /// Time of the next packet, ms.
    pub(crate) now: f64,
    next_id: i64,
}

/// Where a proxy of the kit listens.
const LISTENER: &str = "10.0.1.5:80";

/// Initial sequence numbers of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Isn {
    pub(crate) client: i64,
    pub(crate) server: i64,
}

/// The first connection's.
pub(crate) const OLD: Isn = Isn {
    client: 1_000_000,
    server: 4_294_967_200,
};
/// The second's: the server's lies 21 ms further on the clock of the same 4-tuple.
pub(crate) const NEW: Isn = Isn {
    client: 3_000_000_000,
    server: 328_000,
};

impl Kit {
    /// A lab with `client` on the internet, `web1` and `web2` in the VPC, and `front` with two addresses.
    pub(crate) fn new() -> Self {
        let mut kit = Self {
            evidence: Evidence {
                lab: "nlb/source-port-collision".into(),
                case: "as-deployed".into(),
                seed: 1,
                time_scale: 1.0,
                kernel: "6.18.44".into(),
                up_ms: 3.1,
                seconds: 2.1,
                lag_ms: 0.6,
                ..Evidence::default()
            },
            now: 0.0,
            next_id: 0,
        };
        for (name, address) in [
            ("client", "198.51.100.7"),
            ("web1", "10.0.1.10"),
            ("web2", "10.0.2.10"),
        ] {
            let host = HostEvidence {
                address: address.into(),
                ..HostEvidence::default()
            };
            kit.evidence.hosts.insert(name.into(), host);
        }
        let addresses = [("a", "203.0.113.10"), ("b", "203.0.113.11")];
        let front = BalancerEvidence {
            state: "active".into(),
            addresses: addresses
                .iter()
                .map(|(z, a)| ((*z).into(), (*a).into()))
                .collect(),
            ..BalancerEvidence::default()
        };
        kit.evidence.load_balancers.insert("front".into(), front);
        kit
    }

    /// A counter's delta.
    pub(crate) fn counter(&mut self, host: &str, name: &str, delta: i64) -> &mut Self {
        let host = self
            .evidence
            .hosts
            .get_mut(host)
            .expect("a host of the kit");
        host.counters.insert(name.to_owned().into(), delta);
        self
    }

    /// A `connect` step from `client:port` that has come to stand at both ends. Via `front/a` or `front/b` it has a
    /// flow to `target`; via the target's own name it is direct.
    pub(crate) fn connect(&mut self, name: &str, port: u16, via: &str, target: &str) -> usize {
        self.connect_from("client", name, port, via, target)
    }

    /// The same to a balancer that is a proxy: the packets of [`Kit::up`] and [`Kit::down`] are the client's and the
    /// balancer's, `port` is the client's and the balancer's toward the target.
    pub(crate) fn proxied(&mut self, name: &str, port: u16, via: &str, target: &str) -> usize {
        let connection = self.connect(name, port, via, target);
        self.evidence.flows.pop();
        let pair = self.evidence.pairs.len();
        let c = &mut self.evidence.connections[connection];
        (c.proxied, c.flow, c.pair) = (true, None, Some(pair));
        c.seen_as = format!("10.0.1.5:{port}");
        self.evidence.pairs.push(Pair {
            via: via.into(),
            port: 80,
            target: target.into(),
            client: c.local.clone(),
            seen_as: c.seen_as.clone(),
            target_address: c.target_address.clone(),
            opened: self.now,
            ..Pair::default()
        });
        connection
    }

    /// The same from another host.
    pub(crate) fn connect_from(
        &mut self,
        from: &str,
        name: &str,
        port: u16,
        via: &str,
        target: &str,
    ) -> usize {
        let address = |host: &str| self.evidence.hosts[host].address.clone();
        let local = format!("{}:{port}", address(from));
        let target_address = format!("{}:80", address(target));
        let (remote, flow) = match via.split_once('/') {
            Some((balancer, zone)) => {
                let remote = format!(
                    "{}:80",
                    self.evidence.load_balancers[balancer].addresses[zone]
                );
                self.evidence.flows.push(Flow {
                    protocol: "tcp".into(),
                    balancer: balancer.into(),
                    via: via.into(),
                    endpoint: String::new(),
                    group: "web".into(),
                    target: target.into(),
                    client: local.clone(),
                    listener: remote.clone(),
                    seen_as: local.clone(),
                    target_address: target_address.clone(),
                    opened: self.now,
                    last: self.now,
                    forgotten_after: 0.0,
                    state: "established".into(),
                    terminated: false,
                    displaced: None,
                });
                (remote, Some(self.evidence.flows.len() - 1))
            }
            None => (target_address.clone(), None),
        };
        let index = self.evidence.connections.len();
        self.evidence.connections.push(Connection {
            protocol: "tcp".into(),
            step: self.evidence.steps.len(),
            from: from.into(),
            via: via.into(),
            local: local.clone(),
            remote,
            target: target.into(),
            seen_as: local,
            target_address,
            flow,
            at: self.now,
            ms: 0.3,
            syns: 1,
            client_state: "ESTABLISHED".into(),
            server_state: "ESTABLISHED".into(),
            ..Connection::default()
        });
        self.evidence.steps.push(StepResult {
            name: name.into(),
            label: format!("connect {from} -> {via}"),
            ok: true,
            at: self.now,
            detail: Detail::Connect { connection: index },
            ..StepResult::default()
        });
        index
    }

    /// `by` takes the way back of `old`.
    pub(crate) fn displace(&mut self, old: usize, by: usize, was: &str) {
        let flow = |kit: &Self, c: usize| {
            kit.evidence.connections[c]
                .flow
                .expect("a connection with a flow")
        };
        let displaced = Displaced {
            at: self.now,
            by: flow(self, by),
            was: was.into(),
        };
        let old = flow(self, old);
        self.evidence.flows[old].displaced = Some(displaced);
    }

    /// The connection.
    pub(crate) fn of(&mut self, connection: usize) -> &mut Connection {
        &mut self.evidence.connections[connection]
    }

    /// The flow of a connection.
    pub(crate) fn flow(&mut self, connection: usize) -> &mut Flow {
        let flow = self.evidence.connections[connection]
            .flow
            .expect("a connection with a flow");
        &mut self.evidence.flows[flow]
    }

    /// A packet from the client of a connection to its target; 0.1 ms pass.
    pub(crate) fn up(
        &mut self,
        connection: usize,
        flags: &str,
        seq: i64,
        ack: i64,
        len: i64,
    ) -> usize {
        let c = self.evidence.connections[connection].clone();
        self.push(Packet {
            sender: c.from,
            receiver: if c.proxied { c.via } else { c.target },
            from_after: if c.proxied {
                c.local.clone()
            } else {
                c.seen_as
            },
            to_after: if c.proxied {
                LISTENER.into()
            } else {
                c.target_address
            },
            from: c.local,
            to: c.remote,
            flow: c.flow,
            ..packet(flags, seq, ack, len)
        })
    }

    /// A packet from the target, delivered to the client under the addresses of `connection`; 0.1 ms pass.
    pub(crate) fn down(
        &mut self,
        connection: usize,
        flags: &str,
        seq: i64,
        ack: i64,
        len: i64,
    ) -> usize {
        let c = self.evidence.connections[connection].clone();
        self.push(Packet {
            sender: if c.proxied { c.via } else { c.target },
            receiver: c.from,
            from: if c.proxied {
                LISTENER.into()
            } else {
                c.target_address
            },
            to: if c.proxied {
                c.local.clone()
            } else {
                c.seen_as
            },
            from_after: c.remote,
            to_after: c.local,
            flow: c.flow,
            ..packet(flags, seq, ack, len)
        })
    }

    /// A TCP packet of no client's connection, passed on as it is; each end with its `address:port`.
    pub(crate) fn apart(
        &mut self,
        t: f64,
        (sender, from): (&str, &str),
        (receiver, to): (&str, &str),
        flags: &str,
    ) -> &mut Packet {
        let packets = &mut self.evidence.packets;
        packets.push(Packet {
            id: packets.len() as i64,
            t,
            sender: sender.into(),
            receiver: receiver.into(),
            protocol: "tcp".into(),
            from: from.into(),
            to: to.into(),
            from_after: from.into(),
            to_after: to.into(),
            flags: flags.into(),
            window: 64240,
            fate: "forwarded".into(),
            ..Packet::default()
        });
        packets.last_mut().expect("pushed above")
    }

    /// The last packet was dropped.
    pub(crate) fn dropped(&mut self, reason: &str) -> &mut Self {
        let packet = self.evidence.packets.last_mut().expect("a packet");
        packet.fate = format!("dropped: {reason}");
        packet.receiver = String::new();
        *self.evidence.drops.entry(reason.into()).or_default() += 1;
        self
    }

    /// The last packet was not translated: it came to nothing that does so.
    pub(crate) fn untranslated(&mut self) -> &mut Self {
        let packet = self.evidence.packets.last_mut().expect("a packet");
        packet.from_after.clone_from(&packet.from);
        packet.to_after.clone_from(&packet.to);
        self
    }

    fn push(&mut self, packet: Packet) -> usize {
        let packet = Packet {
            id: self.next_id,
            t: self.now,
            ..packet
        };
        self.evidence.packets.push(packet);
        self.next_id += 1;
        self.now += 0.1;
        self.evidence.packets.len() - 1
    }

    /// SYN, SYN-ACK, ACK.
    pub(crate) fn handshake(&mut self, connection: usize, isn: Isn) {
        self.up(connection, "S", isn.client, 0, 0);
        self.down(connection, "S.", isn.server, isn.client + 1, 0);
        self.up(connection, ".", isn.client + 1, isn.server + 1, 0);
    }

    /// 64 bytes there and back, the first exchange of the connection.
    pub(crate) fn exchange(&mut self, connection: usize, isn: Isn) {
        self.up(connection, "P.", isn.client + 1, isn.server + 1, 64);
        self.down(connection, ".", isn.server + 1, isn.client + 65, 0);
        self.down(connection, "P.", isn.server + 1, isn.client + 65, 64);
        self.up(connection, ".", isn.client + 65, isn.server + 65, 0);
    }

    /// What a kernel of 2026 does when `new` meets `old` alive and idle at the target, and the newest SYN takes the
    /// way back: challenge ACK under the new address, RST, the same SYN 8 ms later, and it stands.
    pub(crate) fn collide(&mut self, old: usize, new: usize) {
        self.displace(old, new, "established");
        self.up(new, "S", NEW.client, 0, 0);
        self.down(new, ".", OLD.server + 65, OLD.client + 65, 0);
        self.up(new, "R", OLD.client + 65, 0, 0);
        self.now += 8.1;
        self.handshake(new, NEW);
        self.of(new).syns = 2;
        self.of(new).ms = 8.9;
        self.of(old).server_error = "reset".into();
        self.counter("web1", "TcpExtTCPSYNChallenge", 1);
        self.counter("web1", "TcpExtTCPChallengeACK", 1);
        self.counter("web1", "TcpEstabResets", 1);
        self.counter("client", "TcpOutRsts", 1);
    }
}

fn packet(flags: &str, seq: i64, ack: i64, len: i64) -> Packet {
    Packet {
        protocol: "tcp".into(),
        flags: flags.into(),
        seq: seq & 0xffff_ffff,
        ack: ack & 0xffff_ffff,
        len,
        window: 64240,
        fate: "forwarded".into(),
        ..Packet::default()
    }
}

/// Client and balancer as in the flagship, `old` alive and idle; time is 20 ms.
pub(crate) fn old_is_up() -> (Kit, usize) {
    let mut kit = Kit::new();
    let old = kit.connect("old", 40000, "front/a", "web1");
    kit.handshake(old, OLD);
    kit.exchange(old, OLD);
    kit.now = 20.0;
    (kit, old)
}

/// The flagship as deployed: `old` idle, `new` from the same port through the other address, then `old` speaks
/// again and gets nothing. Connections 0 and 1.
pub(crate) fn flagship() -> Kit {
    let (mut kit, old) = old_is_up();
    let new = kit.connect("new", 40000, "front/b", "web1");
    kit.collide(old, new);
    kit.exchange(new, NEW);
    // The old connection's bytes meet the new socket, which answers under the new address (PAWSEstab).
    for wait in [0.0, 204.0, 212.0, 424.0] {
        kit.now += wait;
        kit.up(old, "P.", OLD.client + 65, OLD.server + 65, 64);
        kit.down(new, ".", NEW.server + 65, NEW.client + 65, 0);
    }
    kit.of(old).unacked = 64;
    kit.of(old).sent = 128;
    kit.of(old).received = 64;
    kit.counter("web1", "TcpExtPAWSEstab", 4);
    kit
}

/// The same with the balancer's other addresses kept apart: nothing collides.
pub(crate) fn harmless() -> Kit {
    let mut kit = Kit::new();
    let old = kit.connect("old", 40000, "front/a", "web1");
    kit.handshake(old, OLD);
    kit.exchange(old, OLD);
    let new = kit.connect("new", 40000, "front/b", "web2");
    kit.handshake(new, NEW);
    kit.exchange(new, NEW);
    kit
}

/// Of a pair: bytes taken from the client, and those given on.
pub(crate) fn carried(from_client: i64, to_target: i64) -> Carried {
    Carried {
        from_client,
        to_target,
        ..Carried::default()
    }
}
