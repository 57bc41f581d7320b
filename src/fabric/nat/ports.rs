//! Which of a gateway's addresses and ports a new connection gets.
//!
//! Observed on: AWS gives all hosts behind a gateway the same ports, each once for each destination; Azure and Google
//! give every host a block of its own. A port is used toward several destinations at a time on all of them. Which of
//! several addresses AWS takes is not documented; here a random one, and the others when it has no port left.

use super::super::config::{
    Allocation, Config, GatewayId, NatGateway, PortId, PortOrder, Protocol,
};
use super::super::port_pool::{FIRST_PORT, PortPools, Refusal};
use super::super::random::{Random, pick};
use rustc_hash::FxHashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;

/// Ports of one address: 1024 to 65535.
pub const PORTS: u32 = 64_512;

/// One gateway's ports.
pub struct Ports {
    addresses: Vec<Ipv4Addr>,
    allocation: Allocation,
    order: PortOrder,
    blocks: FxHashMap<PortId, Block>,
    tcp: PortPools,
    udp: PortPools,
    /// Ports of TCP in use, each with how many connections have it.
    used: FxHashMap<SocketAddrV4, u32>,
    random: Random,
}

/// A host's own ports.
#[derive(Clone, Debug)]
struct Block {
    address: Ipv4Addr,
    ports: RangeInclusive<u16>,
}

impl Ports {
    /// All free.
    pub fn new(config: &Config, id: GatewayId, gateway: &NatGateway) -> Self {
        let hosts = (0u32..).map(PortId).zip(&config.ports);
        let behind = hosts
            .filter(|(_, port)| port.nat == Some(id))
            .map(|(host, _)| host);
        let blocks = match gateway.allocation {
            Allocation::PerDestination(_) => FxHashMap::default(),
            Allocation::PerHost(size) => behind.zip(blocks(&gateway.addresses, size)).collect(),
        };
        Self {
            addresses: gateway.addresses.clone(),
            allocation: gateway.allocation,
            order: gateway.port_order,
            blocks,
            tcp: PortPools::new(config.seed),
            udp: PortPools::new(config.seed),
            used: FxHashMap::default(),
            random: Random::new(config.seed, u64::from(id.0) << 32 | 0x6e61_7470),
        }
    }

    /// Ports that hosts have of their own, all together.
    pub fn allocated(&self) -> u64 {
        let sizes = self.blocks.values().map(|block| block.ports.len() as u64);
        sizes.sum()
    }

    /// Ports of TCP that connections have, or had a while ago, each once however many destinations it serves.
    pub fn used(&self) -> u64 {
        self.used.len() as u64
    }

    /// An address and a port for a connection that is not there yet; none when all that it may have are taken.
    pub fn take(
        &mut self,
        protocol: Protocol,
        host: PortId,
        client: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Option<SocketAddrV4> {
        match self.allocation {
            Allocation::PerHost(_) => {
                let Block { address, ports } = self.blocks.get(&host)?.clone();
                self.take_at(protocol, address, client, remote, &ports, u16::MAX)
            }
            Allocation::PerDestination(most) => {
                let count = self.addresses.len();
                let first = if count > 1 {
                    pick(self.random.word(), count)
                } else {
                    0
                };
                (first..first + count).find_map(|place| {
                    let address = self.addresses[place % count];
                    let all = FIRST_PORT..=u16::MAX;
                    self.take_at(protocol, address, client, remote, &all, most)
                })
            }
        }
    }

    fn take_at(
        &mut self,
        protocol: Protocol,
        address: Ipv4Addr,
        client: SocketAddrV4,
        remote: SocketAddrV4,
        ports: &RangeInclusive<u16>,
        most: u16,
    ) -> Option<SocketAddrV4> {
        let start = match self.order {
            PortOrder::Sequential => *ports.start(),
            PortOrder::Preserve if ports.contains(&client.port()) => client.port(),
            PortOrder::Preserve => *ports.start(),
            PortOrder::Random => ports.start() + pick(self.random.word(), ports.len()) as u16,
        };
        let pools = self.pools(protocol);
        let port = pools.take_within(address, remote, ports, start, most)?;
        let outside = SocketAddrV4::new(address, port);
        self.note_use(protocol, outside);
        Some(outside)
    }

    fn note_use(&mut self, protocol: Protocol, outside: SocketAddrV4) {
        if protocol == Protocol::Tcp {
            *self.used.entry(outside).or_default() += 1;
        }
    }

    /// Takes this very port again, if no other connection has it and the gateway may use one more.
    pub fn retake(
        &mut self,
        protocol: Protocol,
        outside: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Result<(), Refusal> {
        let most = match self.allocation {
            Allocation::PerHost(_) => u16::MAX,
            Allocation::PerDestination(most) => most,
        };
        let pools = self.pools(protocol);
        pools.retake(*outside.ip(), remote, outside.port(), most)?;
        self.note_use(protocol, outside);
        Ok(())
    }

    /// Gives a port back.
    pub fn release(&mut self, protocol: Protocol, outside: SocketAddrV4, remote: SocketAddrV4) {
        let pools = self.pools(protocol);
        pools.release(*outside.ip(), remote, outside.port());
        if protocol == Protocol::Tcp
            && let Some(count) = self.used.get_mut(&outside)
        {
            *count -= 1;
            if *count == 0 {
                self.used.remove(&outside);
            }
        }
    }

    fn pools(&mut self, protocol: Protocol) -> &mut PortPools {
        match protocol {
            Protocol::Tcp => &mut self.tcp,
            Protocol::Udp => &mut self.udp,
        }
    }
}

/// Blocks of `size` ports, address by address.
fn blocks(addresses: &[Ipv4Addr], size: u16) -> impl Iterator<Item = Block> + use<'_> {
    let size = u32::from(size).clamp(1, PORTS);
    addresses.iter().flat_map(move |address| {
        (0..PORTS / size).map(move |number| {
            let first = u32::from(FIRST_PORT) + number * size;
            Block {
                address: *address,
                // All of them are ports.
                ports: first as u16..=(first + size - 1) as u16,
            }
        })
    })
}
