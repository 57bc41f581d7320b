//! What becomes of packets, and the words that records have for it. Not here: who decides it.

use super::config::PortId;

/// What became of a packet. Every packet that enters has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Delivered to this port.
    Forwarded(PortId),
    /// Consumed, and the fabric sent an answer of its own to its sender.
    Answered(Answer),
    /// Waiting in a link, or at a NAT gateway for its entry; a later record with the same `id` tells the end.
    Held,
    /// Gone.
    Dropped(Reason),
}

/// What the fabric answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// RST: the segment belongs to no flow.
    ResetNoFlow,
    /// RST to a SYN for which there is no target.
    ResetNoTarget,
    /// RST: the segment belongs to a flow, or to a NAT gateway's mapping, that expired.
    ResetExpired,
    /// RST: the flow's target is unhealthy.
    ResetUnhealthy,
    /// RST: the segment belongs to a flow that the balancer ended.
    ResetTerminated,
    /// RST of a node's own TCP: the segment belongs to no entry of its service proxy, or the service has no endpoint.
    ResetNoEntry,
    /// ICMP type 11 code 0.
    TtlExceeded,
    /// ICMPv6 type 3 code 0.
    HopLimitExceeded,
    /// ICMP type 3 code 4.
    FragmentationNeeded,
    /// ICMPv6 type 2.
    PacketTooBig,
    /// The resolver's answer.
    Name,
}

impl Answer {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ResetNoFlow,
        Self::ResetNoTarget,
        Self::ResetExpired,
        Self::ResetUnhealthy,
        Self::ResetTerminated,
        Self::ResetNoEntry,
        Self::TtlExceeded,
        Self::HopLimitExceeded,
        Self::FragmentationNeeded,
        Self::PacketTooBig,
        Self::Name,
    ];

    /// Its words in records: `reset, no flow`. Those of RFC 792 for ICMP, of RFC 4443 for ICMPv6.
    pub fn word(self) -> &'static str {
        match self {
            Self::ResetNoFlow => "reset, no flow",
            Self::ResetNoTarget => "reset, no target",
            Self::ResetExpired => "reset, expired flow",
            Self::ResetUnhealthy => "reset, unhealthy target",
            Self::ResetTerminated => "reset, terminated flow",
            Self::ResetNoEntry => "reset, no entry",
            Self::TtlExceeded => "ICMP, TTL exceeded",
            Self::HopLimitExceeded => "ICMPv6, hop limit exceeded",
            Self::FragmentationNeeded => "ICMP, fragmentation needed",
            Self::PacketTooBig => "ICMPv6, packet too big",
            Self::Name => "name",
        }
    }
}

/// Why a packet was dropped. Closed: a new way to lose a packet is a new reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Not a well-formed IPv4 packet (truncated, bad header length, bad header checksum).
    Malformed,
    /// IPv6, in a world without it.
    NotIpv4,
    /// IPv6 that only neighbours on a link have a use for, or that has no counterpart in the other family.
    Untranslatable,
    /// A fragment where ports are needed, and not of UDP, or without the first one of its datagram.
    Fragment,
    /// No host and no balancer has the destination address.
    NoRoute,
    /// A private address from the internet, the internet from a host without public address, or another VPC that
    /// is not peered.
    NotRoutable,
    /// The source is not an address of the sending host.
    SpoofedSource,
    /// The balancer has no listener there; it stays silent.
    NoListener,
    /// The zone of the address is not enabled now.
    ZoneDisabled,
    /// The resolver takes questions over UDP at port 53, and nothing else.
    NoService,
    /// A balancer takes only ICMP type 3.
    IcmpUnsupported,
    /// An ICMP error that quotes no known flow.
    IcmpUnrelated,
    /// A protocol the balancer does not carry.
    ProtocolUnsupported,
    /// No target is registered or eligible at this zonal address.
    NoTarget,
    /// All source ports toward this target are taken (`PortAllocationErrorCount`); at a NAT gateway, toward this
    /// destination (`ErrorPortAllocation`).
    PortAllocation,
    /// At a NAT gateway: since its port was chosen, another first packet's entry had become the same as its own, which
    /// therefore could not be inserted (`insert_failed` of `conntrack -S`).
    InsertFailed,
    /// The flow table is full.
    FlowTableFull,
    /// No load balancer of the endpoint's service has an address in the zone of the endpoint's interface.
    EndpointWithoutService,
    /// A segment of no flow, where the balancer was told to stay silent (or a RST, which is never answered); a packet for
    /// a NAT gateway that nobody behind it has asked for.
    MissingFlow,
    /// A segment of an expired flow, where the balancer was told to stay silent (or a RST).
    ExpiredFlow,
    /// The target's first answer came too late: no way back was set up for its flow.
    HalfOpen,
    /// TTL ran out and the packet may not be answered.
    TtlExceeded,
    /// Lost on the link, as configured.
    LinkLoss,
    /// The link's queue was full.
    LinkQueue,
    /// Larger than the link and not to be answered.
    LinkMtu,
    /// Would never have been sent by the kernel that the quirk stands for.
    KernelQuirk,
    /// The receiving kernel with `tcp_tw_recycle` would not take a SYN with an older timestamp than it remembers.
    TwRecycle,
    /// The sending node's IPVS found an old entry for the SYN's port in TIME_WAIT or CLOSE, ended it, and dropped the SYN with
    /// it (`conn_reuse_mode` with `conntrack`, before Linux 5.9).
    IpvsPortReuse,
    /// The endpoint of its entry in the sending node's IPVS is gone (`expire_nodest_conn`).
    IpvsNoDestination,
    /// The host's link is down.
    LinkDown,
    /// A drop rule of the story took it.
    DropRule,
    /// The receiving device did not take it (its queue is full or it is down).
    DeviceRefused,
    /// No rule of the receiving interface's security groups lets it in.
    SecurityGroupIngress,
    /// No rule of the sending interface's security groups lets it out.
    SecurityGroupEgress,
    /// The network ACL of the subnet it comes to denies it.
    NetworkAclInbound,
    /// The network ACL of the subnet it leaves denies it.
    NetworkAclOutbound,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 36] = [
        Self::Malformed,
        Self::NotIpv4,
        Self::Untranslatable,
        Self::Fragment,
        Self::NoRoute,
        Self::NotRoutable,
        Self::SpoofedSource,
        Self::NoListener,
        Self::ZoneDisabled,
        Self::NoService,
        Self::IcmpUnsupported,
        Self::IcmpUnrelated,
        Self::ProtocolUnsupported,
        Self::NoTarget,
        Self::PortAllocation,
        Self::InsertFailed,
        Self::FlowTableFull,
        Self::EndpointWithoutService,
        Self::MissingFlow,
        Self::ExpiredFlow,
        Self::HalfOpen,
        Self::TtlExceeded,
        Self::LinkLoss,
        Self::LinkQueue,
        Self::LinkMtu,
        Self::KernelQuirk,
        Self::TwRecycle,
        Self::IpvsPortReuse,
        Self::IpvsNoDestination,
        Self::LinkDown,
        Self::DropRule,
        Self::DeviceRefused,
        Self::SecurityGroupIngress,
        Self::SecurityGroupEgress,
        Self::NetworkAclInbound,
        Self::NetworkAclOutbound,
    ];

    /// Its word in records: `link-loss`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotIpv4 => "not-ipv4",
            Self::Untranslatable => "untranslatable",
            Self::Fragment => "fragment",
            Self::NoRoute => "no-route",
            Self::NotRoutable => "not-routable",
            Self::SpoofedSource => "spoofed-source",
            Self::NoListener => "no-listener",
            Self::ZoneDisabled => "zone-disabled",
            Self::NoService => "no-service",
            Self::IcmpUnsupported => "icmp-unsupported",
            Self::IcmpUnrelated => "icmp-unrelated",
            Self::ProtocolUnsupported => "protocol-unsupported",
            Self::NoTarget => "no-target",
            Self::PortAllocation => "port-allocation",
            Self::InsertFailed => "insert-failed",
            Self::FlowTableFull => "flow-table-full",
            Self::EndpointWithoutService => "endpoint-without-service",
            Self::MissingFlow => "missing-flow",
            Self::ExpiredFlow => "expired-flow",
            Self::HalfOpen => "half-open",
            Self::TtlExceeded => "ttl-exceeded",
            Self::LinkLoss => "link-loss",
            Self::LinkQueue => "link-queue",
            Self::LinkMtu => "link-mtu",
            Self::KernelQuirk => "kernel-quirk",
            Self::TwRecycle => "tw-recycle",
            Self::IpvsPortReuse => "ipvs-port-reuse",
            Self::IpvsNoDestination => "ipvs-no-destination",
            Self::LinkDown => "link-down",
            Self::DropRule => "drop-rule",
            Self::DeviceRefused => "device-refused",
            Self::SecurityGroupIngress => "security-group-ingress",
            Self::SecurityGroupEgress => "security-group-egress",
            Self::NetworkAclInbound => "network-acl-inbound",
            Self::NetworkAclOutbound => "network-acl-outbound",
        }
    }
}
