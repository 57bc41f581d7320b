//! What NAT gateways count, and under which names their vendors publish it.
//!
//! Sources: "Monitor NAT gateways with Amazon CloudWatch" (namespace `AWS/NATGateway`), "Standard load balancer
//! diagnostics" (Azure), "Cloud NAT monitoring" (Google: `router.googleapis.com/nat/`). What a vendor tells apart by a
//! dimension stands behind a full stop here. Left out are `PeakBytesPerSecond` and `PeakPacketsPerSecond`.

use super::super::config::NatProfile;
use crate::packet::Headers;

/// One gateway's figures since the counting began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatCounters {
    /// TCP connections tried: first SYNs, with or without a port for them.
    pub attempts: u64,
    /// Connections tried, TCP and UDP. One that was refused and is tried again with the same ends, and over TCP with the same
    /// sequence number, is the same.
    pub tried: u64,
    /// Of these, those that found no port, however often they were tried.
    pub failed: u64,
    /// Connections that got a port, TCP and UDP.
    pub made: u64,
    /// TCP connections that got a SYN-ACK.
    pub established: u64,
    /// TCP connections now: neither closed nor expired.
    pub active: u64,
    /// The most there were at a time.
    pub most_active: u64,
    /// Ports of TCP in use at a time, at most: those of closed connections too, for as long as they are kept.
    pub most_ports: u64,
    /// Packets that found no free port.
    pub port_errors: u64,
    /// Entries that could not be inserted: another one had become the same since their port was chosen.
    pub insert_failed: u64,
    /// Datagrams that went by the entry that their socket had got since their own port was chosen.
    pub clash_resolve: u64,
    /// Established TCP connections that were idle for too long.
    pub idle: u64,
    /// Packets from inside that were dropped.
    pub dropped_sent: u64,
    /// Packets from outside that were dropped.
    pub dropped_received: u64,
    /// Packets and bytes from hosts behind it.
    pub from_source: Volume,
    /// Packets and bytes sent on to destinations.
    pub to_destination: Volume,
    /// Packets and bytes from destinations.
    pub from_destination: Volume,
    /// Packets and bytes sent on to hosts behind it.
    pub to_source: Volume,
    /// Ports that hosts have of their own, all together.
    pub allocated: u64,
}

/// Packets as on a wire, and their bytes from the IP header on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Volume {
    /// One super-packet counts as what it is on a wire.
    pub fn add(&mut self, headers: &Headers) {
        self.packets += headers.wire_packets() as u64;
        self.bytes += headers.wire_bytes() as u64;
    }
}

/// A published metric.
#[derive(Clone, Copy, Debug)]
pub struct NatMetric {
    /// Its vendor's name for it.
    pub name: &'static str,
    /// The vendor's unit, in CloudWatch's word.
    pub unit: &'static str,
    /// The largest value tells most, not the sum.
    pub is_level: bool,
    read: fn(&NatCounters) -> u64,
}

impl NatMetric {
    /// Its value.
    pub fn of(&self, counters: &NatCounters) -> u64 {
        (self.read)(counters)
    }
}

const fn sum(name: &'static str, unit: &'static str, read: fn(&NatCounters) -> u64) -> NatMetric {
    NatMetric {
        name,
        unit,
        is_level: false,
        read,
    }
}

const fn level(name: &'static str, read: fn(&NatCounters) -> u64) -> NatMetric {
    NatMetric {
        name,
        unit: "Count",
        is_level: true,
        read,
    }
}

static AWS: &[NatMetric] = &[
    level("ActiveConnectionCount", |c| c.most_active),
    sum("BytesInFromDestination", "Bytes", |c| {
        c.from_destination.bytes
    }),
    sum("BytesInFromSource", "Bytes", |c| c.from_source.bytes),
    sum("BytesOutToDestination", "Bytes", |c| c.to_destination.bytes),
    sum("BytesOutToSource", "Bytes", |c| c.to_source.bytes),
    sum("ConnectionAttemptCount", "Count", |c| c.attempts),
    sum("ConnectionEstablishedCount", "Count", |c| c.established),
    sum("ErrorPortAllocation", "Count", |c| c.port_errors),
    sum("IdleTimeoutCount", "Count", |c| c.idle),
    sum("PacketsDropCount", "Count", |c| {
        c.dropped_sent + c.dropped_received
    }),
    sum("PacketsInFromDestination", "Count", |c| {
        c.from_destination.packets
    }),
    sum("PacketsInFromSource", "Count", |c| c.from_source.packets),
    sum("PacketsOutToDestination", "Count", |c| {
        c.to_destination.packets
    }),
    sum("PacketsOutToSource", "Count", |c| c.to_source.packets),
];

static AZURE: &[NatMetric] = &[
    level("AllocatedSnatPorts", |c| c.allocated),
    level("UsedSnatPorts", |c| c.most_ports),
    sum("SnatConnectionCount.Attempted", "Count", |c| c.tried),
    sum("SnatConnectionCount.Failed", "Count", |c| c.failed),
];

static GOOGLE: &[NatMetric] = &[
    level("allocated_ports", |c| c.allocated),
    level("open_connections", |c| c.most_active),
    sum("new_connections_count", "Count", |c| c.made),
    sum(
        "dropped_sent_packets_count.OUT_OF_RESOURCES",
        "Count",
        |c| c.port_errors,
    ),
    sum("dropped_received_packets_count", "Count", |c| {
        c.dropped_received
    }),
    sum("sent_packets_count", "Count", |c| c.to_destination.packets),
    sum("sent_bytes_count", "Bytes", |c| c.to_destination.bytes),
    sum("received_packets_count", "Count", |c| {
        c.from_destination.packets
    }),
    sum("received_bytes_count", "Bytes", |c| {
        c.from_destination.bytes
    }),
];

impl NatProfile {
    /// What this vendor publishes.
    pub fn metrics(self) -> &'static [NatMetric] {
        match self {
            Self::Aws => AWS,
            Self::Azure => AZURE,
            Self::Google => GOOGLE,
        }
    }

    /// Under which name.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Aws => "AWS/NATGateway",
            Self::Azure => "Microsoft.Network/loadBalancers",
            Self::Google => "router.googleapis.com/nat",
        }
    }

    /// The dimension that names a gateway.
    pub fn dimension(self) -> &'static str {
        match self {
            Self::Aws => "NatGatewayId",
            Self::Azure => "ResourceId",
            Self::Google => "gateway_name",
        }
    }
}
