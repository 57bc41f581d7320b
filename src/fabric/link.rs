//! One direction of a host's link: what it loses, delays, doubles, damages and refuses.
//!
//! Not here: what happens to a refused packet, and splitting super-packets, which the caller does where the link acts on each
//! packet of the wire; a delay has them whole. Order is kept
//! whatever the jitter, but for the packets that are to overtake. A link that does nothing is never asked. Observed on:
//! `tc netem`, whose words these are; its `gap` and correlations are not there.

use super::config::{Config, GatewayId, Link, Numbers, PortId};
use super::passage::Passage;
use super::random::{self, Random};
use super::record::Reason;
use crate::packet::{Headers, VnetHeader};
use std::collections::VecDeque;
use std::time::Duration;

/// Packets that may wait for `rate` when the configuration does not say.
const DEFAULT_QUEUE: usize = 1000;

/// Which link of which host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// From the host into the fabric.
    Up(PortId),
    /// From the fabric to the host.
    Down(PortId),
}

/// Where packets wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiting {
    /// In a link.
    Link(Stage),
    /// At a NAT gateway, for their entries to be inserted.
    Insertion(GatewayId),
}

/// What a link does to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transit {
    /// It is through already.
    Through,
    /// It arrives later.
    Until {
        /// When.
        due: Duration,
        /// How much of that it waits for others to be sent.
        queued: Duration,
    },
    /// It is gone.
    Lost(Reason),
    /// It is larger than this many bytes, counted with an IPv4 header.
    TooBig(u16),
}

/// A packet that waits.
pub struct Held {
    /// When it arrives.
    pub due: Duration,
    /// Whose it is.
    pub passage: Passage,
    /// Its offload header.
    pub vnet: VnetHeader,
    /// Its headers, read before.
    pub headers: Headers,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A link and what is in it.
pub struct LinkState {
    config: Link,
    plain: bool,
    random: Random,
    /// When the last packet given to the wire will be on it wholly.
    busy_until: Duration,
    /// When each packet still waiting for the wire will be on it.
    departures: VecDeque<Duration>,
    last_due: Duration,
    held: VecDeque<Held>,
}

impl LinkState {
    fn new(config: Link, seed: u64, stream: u64) -> Self {
        Self {
            plain: config == Link::default(),
            config,
            random: Random::new(seed, stream),
            busy_until: Duration::ZERO,
            departures: VecDeque::new(),
            last_due: Duration::ZERO,
            held: VecDeque::new(),
        }
    }

    /// Takes other settings. What waits in it keeps its time and stays in front.
    fn configure(&mut self, config: &Link) {
        self.plain = *config == Link::default() && self.held.is_empty();
        self.config.clone_from(config);
    }

    /// True when it does nothing at all.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// What changes between it and its host.
    pub fn numbers(&self) -> Numbers {
        self.config.numbers
    }

    /// True when it cuts what is too large for it into fragments, where the sender lets it.
    pub fn fragments(&self) -> bool {
        self.config.fragments
    }

    /// True when it acts on each wire packet by itself, so that this one must be split first.
    pub fn splits(&self, headers: &Headers) -> bool {
        let shares = [
            self.config.loss,
            self.config.duplicate,
            self.config.reorder,
            self.config.corrupt,
        ];
        let single = self.config.rate.is_some() || shares.iter().any(|share| *share > 0.0);
        headers.gso_size.is_some() && (single || self.exceeds(headers).is_some())
    }

    fn exceeds(&self, headers: &Headers) -> Option<u16> {
        self.config
            .mtu
            .filter(|&mtu| headers.wire_len() > usize::from(mtu))
    }

    /// A packet wants through.
    pub fn offer(&mut self, at: Duration, headers: &Headers) -> Transit {
        if let Some(mtu) = self.exceeds(headers) {
            // In the size of IPv4, as everything inside; an IPv6 sender is told the wire's own again.
            return Transit::TooBig(mtu.saturating_sub(headers.longer_header() as u16));
        }
        let (queued, departure) = match self.config.rate {
            Some(rate) => match self.departure(at, headers.wire_len(), rate) {
                Some(departure) => departure,
                None => return Transit::Lost(Reason::LinkQueue),
            },
            None => (Duration::ZERO, at),
        };
        // A packet lost on the wire has used the wire.
        if self.happens(self.config.loss) {
            return Transit::Lost(Reason::LinkLoss);
        }
        if self.happens(self.config.reorder) {
            return match departure <= at {
                true => Transit::Through,
                false => Transit::Until {
                    due: departure,
                    queued,
                },
            };
        }
        let jitter = if self.config.jitter.is_zero() {
            Duration::ZERO
        } else {
            self.config.jitter.mul_f64(self.random.unit())
        };
        let due = departure
            .saturating_add(self.config.delay)
            .saturating_add(jitter)
            .max(self.last_due);
        self.last_due = due;
        if due <= at && self.held.is_empty() {
            Transit::Through
        } else {
            Transit::Until { due, queued }
        }
    }

    /// Something that happens to this share of the packets. Chance is asked only where it has a say, so that the
    /// other words of a link do not change what a seed means.
    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.random.unit() < share
    }

    /// True when the next packet is to be offered twice.
    pub fn duplicates(&mut self) -> bool {
        self.happens(self.config.duplicate)
    }

    /// The bit that is flipped in the next packet, among so many; none when it stays as it is.
    pub fn flips(&mut self, bits: usize) -> Option<usize> {
        if bits == 0 || !self.happens(self.config.corrupt) {
            return None;
        }
        Some(random::pick(self.random.word(), bits))
    }

    /// How long a packet waits for others, and when its own last bit is on the wire; none when the queue is full.
    fn departure(&mut self, at: Duration, bytes: usize, rate: u64) -> Option<(Duration, Duration)> {
        while self
            .departures
            .front()
            .is_some_and(|&departure| departure <= at)
        {
            self.departures.pop_front();
        }
        if self.departures.len() >= self.config.queue.unwrap_or(DEFAULT_QUEUE) {
            return None;
        }
        let nanos = bytes as u128 * 8 * 1_000_000_000 / u128::from(rate.max(1));
        let sending = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let queued = self.busy_until.saturating_sub(at);
        self.busy_until = self.busy_until.max(at).saturating_add(sending);
        self.departures.push_back(self.busy_until);
        Some((queued, self.busy_until))
    }

    /// Puts a packet in, behind all that arrive before it or with it.
    pub fn hold(&mut self, held: Held) {
        let place = self.held.partition_point(|other| other.due <= held.due);
        self.held.insert(place, held);
    }

    /// How many wait in it that arrive later than this.
    #[inline]
    pub fn due_after(&self, due: Duration) -> usize {
        self.held.len() - self.held.partition_point(|other| other.due <= due)
    }

    /// Takes the packet out that arrives first.
    pub fn release(&mut self) -> Option<Held> {
        self.held.pop_front()
    }
}

/// The links of all hosts.
pub struct Links(Vec<[LinkState; 2]>);

impl Links {
    /// Every link has a random stream of its own: traffic elsewhere does not change what it does.
    pub fn new(config: &Config) -> Self {
        Self(
            (0u64..)
                .zip(&config.ports)
                .map(|(index, port)| {
                    [
                        LinkState::new(port.up.clone(), config.seed, 2 * index),
                        LinkState::new(port.down.clone(), config.seed, 2 * index + 1),
                    ]
                })
                .collect(),
        )
    }

    /// Takes other settings for all of them.
    pub fn configure(&mut self, config: &Config) {
        for ([up, down], port) in self.0.iter_mut().zip(&config.ports) {
            up.configure(&port.up);
            down.configure(&port.down);
        }
    }

    /// One of them.
    pub fn get(&mut self, stage: Stage) -> &mut LinkState {
        match stage {
            Stage::Up(port) => &mut self.0[port.0 as usize][0],
            Stage::Down(port) => &mut self.0[port.0 as usize][1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_jitter_nothing_overtakes() {
        let config = Link {
            delay: Duration::from_millis(10),
            jitter: Duration::from_millis(10),
            ..Link::default()
        };
        let mut link = LinkState::new(config, 1, 0);
        let bytes = [
            0x45, 0, 0, 20, 0, 0, 0, 0, 64, 47, 0x66, 0xb9, 10, 0, 0, 1, 10, 0, 0, 2,
        ];
        let headers = Headers::parse(&VnetHeader::default(), &bytes).expect("a packet");
        let mut last = Duration::ZERO;
        for tick in 0..100 {
            let at = Duration::from_millis(tick);
            let Transit::Until { due, .. } = link.offer(at, &headers) else {
                panic!("a delay holds");
            };
            assert!(due >= last && due >= at + Duration::from_millis(10));
            last = due;
        }
    }
}
