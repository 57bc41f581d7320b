//! Faults of the network that a story makes: hosts whose link is down, packets that are dropped by rule.
//!
//! Observed on: a cable pulled out, a machine whose power fails, a box on the way that loses exactly these packets.
//! A rule counts the packets that match it; what it drops is decided by that count.

use super::config::{BalancerId, Config, PortId, ZonalId};
use super::passage::Passage;
use crate::packet::{Headers, TCP};
use std::net::Ipv4Addr;

/// TCP flags as [`DropRule::flags`] has them.
pub mod flag {
    pub use crate::packet::tcp::{ACK, CWR, ECE, FIN, PSH, RST, SYN};
}

/// One side of a packet, as a rule names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// These hosts.
    Hosts(Vec<PortId>),
    /// An address of a balancer; none: any of them.
    Balancer(BalancerId, Option<ZonalId>),
}

/// Which packets are dropped. What is none matches everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropRule {
    /// Who sent it, or, of a balancer, under whose address it arrives.
    pub from: Option<End>,
    /// Who would get it, or, of a balancer, whose address was dialled.
    pub to: Option<End>,
    /// TCP flags: those that are looked at, and what they must be.
    pub flags: Option<(u8, u8)>,
    /// Bytes behind the transport header.
    pub length: Option<usize>,
    /// TCP's window, unscaled.
    pub window: Option<u16>,
    /// The first that is dropped, counted among the matching from 1.
    pub nth: u64,
    /// How many are dropped from there on; none: all.
    pub count: Option<u64>,
}

/// A rule in force, and what it did.
struct Active {
    rule: DropRule,
    from: Shown,
    to: Shown,
    in_force: bool,
    matched: u64,
    dropped: u64,
}

/// An end as packets show it.
enum Shown {
    Any,
    Some {
        ports: Vec<PortId>,
        /// Of balancers only: a host is known by its device.
        addresses: Vec<Ipv4Addr>,
    },
}

impl Shown {
    fn of(end: Option<&End>, config: &Config) -> Self {
        match end {
            None => Self::Any,
            Some(End::Hosts(ports)) => Self::Some {
                ports: ports.clone(),
                addresses: Vec::new(),
            },
            Some(End::Balancer(balancer, only)) => {
                let zonal = config.balancers[usize::from(balancer.0)].zonal.iter();
                let wanted = zonal
                    .enumerate()
                    .filter(|(number, _)| only.is_none_or(|zonal| usize::from(zonal.0) == *number));
                let (mut ports, mut addresses) = (Vec::new(), Vec::new());
                for (_, zonal) in wanted {
                    ports.extend(zonal.port);
                    addresses.push(zonal.private);
                    addresses.extend(zonal.public.into_iter().chain(zonal.ipv6));
                }
                Self::Some { ports, addresses }
            }
        }
    }

    fn has(&self, port: Option<PortId>, address: Option<Ipv4Addr>) -> bool {
        match self {
            Self::Any => true,
            Self::Some { ports, addresses } => {
                port.is_some_and(|port| ports.contains(&port))
                    || address.is_some_and(|address| addresses.contains(&address))
            }
        }
    }
}

impl Active {
    /// A packet comes from its sender's link, before anything is decided about it.
    fn meets_early(&self, passage: &Passage) -> bool {
        passage.sender.is_some()
            && self.from.has(passage.sender, None)
            && self.to.has(None, Some(*passage.before.to.ip()))
    }

    /// A packet is about to be delivered.
    fn meets_late(&self, passage: &Passage, headers: &Headers, to: PortId) -> bool {
        !self.meets_early(passage)
            && self.from.has(passage.sender, Some(headers.source()))
            && self.to.has(Some(to), None)
    }

    /// True when this packet, which goes where the rule looks, is to be dropped.
    fn takes(&mut self, headers: &Headers) -> bool {
        let flags = self.rule.flags.is_none_or(|(looked_at, wanted)| {
            headers.protocol == TCP && headers.flags & looked_at == wanted
        });
        let length = self.rule.length;
        let length = length.is_none_or(|length| headers.payload_len() == length);
        let window = self.rule.window;
        let window =
            window.is_none_or(|window| headers.protocol == TCP && headers.window == window);
        if !(flags && length && window) {
            return false;
        }
        self.matched += 1;
        let behind_first = self.matched.checked_sub(self.rule.nth);
        let takes =
            behind_first.is_some_and(|behind| self.rule.count.is_none_or(|count| behind < count));
        self.dropped += u64::from(takes);
        takes
    }
}

/// All faults in force.
#[derive(Default)]
pub struct Faults {
    down: Vec<PortId>,
    rules: Vec<Active>,
}

impl Faults {
    /// A host's link goes down, or comes up.
    pub fn set_link(&mut self, port: PortId, up: bool) {
        self.down.retain(|down| *down != port);
        if !up {
            self.down.push(port);
        }
    }

    /// True when nothing goes to or from this host.
    #[inline]
    pub fn is_down(&self, port: PortId) -> bool {
        self.down.contains(&port)
    }

    /// True when no link is down and no rule is in force.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        let Self { down, rules } = self;
        down.is_empty() && !rules.iter().any(|active| active.in_force)
    }

    /// Puts a rule in force.
    pub fn add(&mut self, rule: DropRule, config: &Config) {
        self.rules.push(Active {
            from: Shown::of(rule.from.as_ref(), config),
            to: Shown::of(rule.to.as_ref(), config),
            rule,
            in_force: true,
            matched: 0,
            dropped: 0,
        });
    }

    /// Ends a rule; what it did stays known.
    pub fn end(&mut self, rule: usize) {
        if let Some(active) = self.rules.get_mut(rule) {
            active.in_force = false;
        }
    }

    /// Packets that each rule dropped, by number.
    pub fn dropped(&self) -> Vec<u64> {
        self.rules.iter().map(|active| active.dropped).collect()
    }

    /// True when rules look at single packets: super-packets must be split before.
    pub fn splits(&self, headers: &Headers) -> bool {
        headers.gso_size.is_some() && self.rules.iter().any(|active| active.in_force)
    }

    /// True when a packet that comes from its sender's link is dropped.
    pub fn takes_early(&mut self, passage: &Passage, headers: &Headers) -> bool {
        let mut rules = self.rules.iter_mut().filter(|active| active.in_force);
        rules.any(|active| active.meets_early(passage) && active.takes(headers))
    }

    /// True when a packet that is about to be delivered is dropped.
    pub fn takes_late(&mut self, passage: &Passage, headers: &Headers, to: PortId) -> bool {
        let mut rules = self.rules.iter_mut().filter(|active| active.in_force);
        rules.any(|active| active.meets_late(passage, headers, to) && active.takes(headers))
    }
}
