//! Security groups: stateful filters before one network interface.
//!
//! Observed on: AWS security groups. Rules only allow; all groups of an interface count together. A connection that
//! was let through is tracked, and its answers pass whatever the rules of the other direction say; taking a rule away
//! does not cut what is tracked. Not tracked is a TCP or UDP flow that a rule lets through for everyone when a rule
//! of the other direction lets every answer through: each of its packets is judged anew, so taking the rule away cuts
//! it at once. What comes through a load balancer is always tracked.
//!
//! Not here: the interfaces of load balancers themselves. Their flow table remembers, so they need no second memory.

use super::rules::{Direction, Peer, Rule, SecurityGroup, SecurityGroupId, Tracking, View};
use crate::fabric::config::BalancerId;
use crate::packet::stand_in::StandIns;
use crate::packet::{Headers, ICMP, TCP, UDP, tcp};
use rustc_hash::FxHashMap;
use std::net::SocketAddrV4;
use std::time::Duration;

/// A packet before an interface.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Every security group there is.
    pub all: &'a [SecurityGroup],
    /// Those of the interface.
    pub groups: &'a [SecurityGroupId],
    /// Comes in or goes out.
    pub direction: Direction,
    /// The packet.
    pub view: View,
    /// The load balancer that it came through.
    pub through: Option<BalancerId>,
    /// Who stands for which IPv6 address.
    pub stand_ins: &'a StandIns,
}

impl<'a> Question<'a> {
    /// True when one of the rules lets it pass.
    pub fn is_admitted(&self) -> bool {
        self.rules(self.direction).any(|rule| {
            rule.traffic
                .includes(self.view.protocol, self.view.to.port())
                && self.fits(rule.peer)
        })
    }

    fn rules(&self, direction: Direction) -> impl Iterator<Item = &'a Rule> {
        let all = self.all;
        let groups = self.groups.iter();
        groups.flat_map(move |group| all[group.0 as usize].rules(direction))
    }

    fn fits(&self, peer: Peer) -> bool {
        let address = self.view.far(self.direction);
        match peer {
            Peer::Range(range) => range.contains(address, self.stand_ins),
            Peer::Group(group) => {
                let group = &self.all[group.0 as usize];
                group.members.contains(&address)
                    || self
                        .through
                        .is_some_and(|balancer| group.balancers.contains(&balancer))
            }
        }
    }

    /// True when a flow that begins with this packet is tracked: unless everyone may send it and everyone may be
    /// answered, on every port. Everyone of its family (AWS: 0.0.0.0/0 or ::/0).
    fn is_tracked(&self) -> bool {
        let View { protocol, to, .. } = self.view;
        let far = self.view.far(self.direction);
        let open = |rule: &&Rule| match rule.peer {
            Peer::Range(range) => range.is_everybody_like(far),
            Peer::Group(_) => false,
        };
        let untracked = matches!(protocol, TCP | UDP)
            && self.through.is_none()
            && self
                .rules(self.direction)
                .filter(open)
                .any(|rule| rule.traffic.includes(protocol, to.port()))
            && self
                .rules(self.direction.reverse())
                .filter(open)
                .any(|rule| rule.traffic.includes_every_port(protocol));
        !untracked
    }

    fn ends(&self) -> Ends {
        Ends::of(self.direction, &self.view)
    }
}

/// The ends of a connection as its interface sees them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Ends {
    protocol: u8,
    local: SocketAddrV4,
    remote: SocketAddrV4,
}

impl Ends {
    fn of(direction: Direction, view: &View) -> Self {
        let (local, remote) = match direction {
            Direction::In => (view.to, view.from),
            Direction::Out => (view.from, view.to),
        };
        Self {
            protocol: view.protocol,
            local,
            remote,
        }
    }
}

/// What is remembered of a connection.
struct Connection {
    /// Who began it: `In` when the far end did.
    begun: Direction,
    /// Its packets pass without being judged again.
    tracked: bool,
    /// Its last packet.
    last: Duration,
    /// The other side has sent something.
    answered: bool,
    /// FIN was sent: by the far end, by this one.
    fin: [bool; 2],
    /// RST, or both FINs: another SYN begins another connection.
    over: bool,
}

/// What one interface remembers. Looked up by ends only, never walked.
#[derive(Default)]
pub struct Memory {
    connections: FxHashMap<Ends, Connection>,
}

impl Memory {
    /// True when a packet may pass, which is remembered.
    pub fn passes(
        &mut self,
        now: Duration,
        tracking: &Tracking,
        headers: &Headers,
        question: &Question<'_>,
    ) -> bool {
        let ends = question.ends();
        let known = self
            .connections
            .get_mut(&ends)
            .filter(|connection| connection.stands(now, tracking, headers));
        if let Some(connection) = known {
            let passes = connection.tracked || question.is_admitted();
            if passes {
                connection.note(now, question.direction, headers);
            }
            return passes;
        }
        if !question.is_admitted() {
            return false;
        }
        let mut connection = Connection {
            begun: question.direction,
            tracked: question.is_tracked(),
            last: now,
            answered: false,
            fin: [false; 2],
            over: false,
        };
        connection.note(now, question.direction, headers);
        self.connections.insert(ends, connection);
        true
    }

    /// True when an ICMP error is about a packet of a connection that is remembered, and has not been silent for too long.
    /// `quoted`: that packet.
    pub fn concerns(
        &self,
        now: Duration,
        tracking: &Tracking,
        direction: Direction,
        quoted: &View,
    ) -> bool {
        // The packet it is about went the other way.
        let ends = Ends::of(direction.reverse(), quoted);
        let known = self.connections.get(&ends);
        known.is_some_and(|connection| connection.lives(now, tracking, quoted.protocol))
    }
}

impl Connection {
    /// True while a packet belongs to this connection rather than to a new one.
    fn stands(&self, now: Duration, tracking: &Tracking, headers: &Headers) -> bool {
        self.lives(now, tracking, headers.protocol) && !(self.over && headers.is_opening())
    }

    /// True until it has been silent for too long.
    fn lives(&self, now: Duration, tracking: &Tracking, protocol: u8) -> bool {
        let limit = match protocol {
            TCP => tracking.tcp,
            UDP if self.answered => tracking.udp_stream,
            UDP | ICMP => tracking.udp,
            _ => tracking.other,
        };
        now.saturating_sub(self.last) < limit
    }

    fn note(&mut self, now: Duration, direction: Direction, headers: &Headers) {
        self.last = now;
        self.answered |= direction != self.begun;
        if headers.protocol == TCP && headers.is_ending() {
            if headers.flags & tcp::FIN != 0 {
                self.fin[usize::from(direction == Direction::Out)] = true;
            }
            self.over = headers.is_reset() || self.fin == [true; 2];
        }
    }
}
