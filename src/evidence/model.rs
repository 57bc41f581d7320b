//! Everything recorded in one case: plain data, the same in memory and on disk (JSON).
//!
//! Times are milliseconds since the first step began, as `f64`; counts are `i64` because that is what
//! expressions compute with. Not here: judgement (see `verdict`).

use super::{GatewayEvidence, Mapping, MetricEvidence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One case's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The lab's name.
    pub lab: String,
    /// The case's name.
    pub case: String,
    /// The seed in force.
    pub seed: u64,
    /// Cloud time divided by this.
    pub time_scale: f64,
    /// `uname -r` of the kernel that did it.
    pub kernel: String,
    /// Building the world, ms.
    pub up_ms: f64,
    /// Taking it down, ms.
    pub down_ms: f64,
    /// From the first step to the last, seconds.
    pub seconds: f64,
    /// Worst lateness of a 1 ms timer on this machine while the steps ran, ms.
    pub lag_ms: f64,
    /// Every step, in order.
    pub steps: Vec<StepResult>,
    /// Every client connection, in the order they were started.
    pub connections: Vec<Connection>,
    /// Every question of a client to the resolver, in the order they were asked.
    #[serde(default)]
    pub lookups: Vec<Lookup>,
    /// By host name.
    pub hosts: BTreeMap<String, HostEvidence>,
    /// By balancer name.
    pub load_balancers: BTreeMap<String, BalancerEvidence>,
    /// By endpoint name.
    #[serde(default)]
    pub endpoints: BTreeMap<String, EndpointEvidence>,
    /// By group name.
    pub target_groups: BTreeMap<String, GroupEvidence>,
    /// By NAT gateway name.
    #[serde(default)]
    pub nat_gateways: BTreeMap<String, GatewayEvidence>,
    /// What CloudWatch would have of balancers, and their vendors' monitoring of NAT gateways.
    #[serde(default)]
    pub metrics: Vec<MetricEvidence>,
    /// Every flow the balancers made, in the order they were made.
    pub flows: Vec<Flow>,
    /// Every connection of a proxying balancer to a target, with the client's that led to it, in the order they came about.
    #[serde(default)]
    pub pairs: Vec<Pair>,
    /// Every mapping the NAT gateways made, in the order they were made.
    #[serde(default)]
    pub mappings: Vec<Mapping>,
    /// Network interfaces inside the VPC: those of hosts, of balancers, of endpoints.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
    /// The packets, in the order the fabric saw them; then those seen on devices inside hosts, in order.
    pub packets: Vec<Packet>,
    /// What guards refused, in the order it happened; also of health checks before the first step.
    #[serde(default)]
    pub refusals: Vec<Refusal>,
    /// Packets the fabric or a device saw, and of which no record was kept.
    pub packets_cut: i64,
    /// Why no host has [`HostEvidence::kernel_drops`]; empty when they have them.
    #[serde(default)]
    pub no_kernel_drops: String,
    /// Drops by reason (kebab-case), over all hosts.
    pub drops: BTreeMap<String, i64>,
}

/// A step's result.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepResult {
    /// `as`, or `step N`.
    pub name: String,
    /// `connect client -> front/a`
    pub label: String,
    /// Reached its end without error.
    pub ok: bool,
    /// One of the error words; empty when ok.
    pub error: String,
    /// The kernel's errno, 0 when there was none.
    pub errno: i64,
    /// How long it took.
    pub ms: f64,
    /// When it began.
    pub at: f64,
    /// What only this kind of step has; see [`Detail`].
    pub detail: Detail,
}

/// What a kind of step adds to its result.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// `close`, `wait`, `stop`, ...
    #[default]
    Plain,
    /// `connect`: index into `connections`.
    Connect {
        /// Index into [`Evidence::connections`].
        connection: usize,
    },
    /// `load`
    Load(Load),
    /// `send`, `exchange`, `receive` over one connection.
    Transfer {
        /// Bytes the kernel took.
        sent: i64,
        /// Bytes that came.
        received: i64,
        /// Bytes the kernel took that the peer has not acknowledged when the step ended.
        unacked: i64,
        /// What came, as text (lossy), at most 1 KiB.
        text: String,
    },
    /// `send`, `exchange`, `receive` over a load.
    TransferAll {
        /// Connections tried.
        attempts: i64,
        /// Connections on which it failed.
        failed: i64,
        /// By error word; dense.
        errors: BTreeMap<String, i64>,
    },
    /// `drop`
    Drop {
        /// Packets it took.
        dropped: i64,
    },
    /// `register` that was not accepted: nothing is registered.
    Refused {
        /// With which target group.
        group: String,
        /// Instances of another VPC than the group's load balancer.
        targets: Vec<String>,
    },
    /// `run`
    Run {
        /// -1 when a signal or the limit ended it.
        exit_code: i64,
        /// At most 64 KiB.
        stdout: String,
        /// At most 64 KiB.
        stderr: String,
    },
}

/// What a load did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Load {
    /// Its connections: a range of [`Evidence::connections`].
    pub connections: Vec<usize>,
    /// Connections tried.
    pub attempts: i64,
    /// That came to stand.
    pub connected: i64,
    /// That did not, or whose request failed.
    pub failed: i64,
    /// That needed more than one SYN.
    pub retried: i64,
    /// By error word; dense.
    pub errors: BTreeMap<String, i64>,
    /// HTTP requests made on them.
    #[serde(default)]
    pub requests: i64,
    /// HTTP answers by status, those that came.
    pub status: BTreeMap<String, i64>,
    /// The answers, in the order of the connections.
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// Attempts by the target they were sent to; dense over the hosts.
    pub by_target: BTreeMap<String, i64>,
    /// Of those that came to stand.
    pub connect_ms: Quantiles,
}

/// An answer to an HTTP request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Index into [`Evidence::connections`].
    pub connection: usize,
    /// When it was asked for.
    pub at: f64,
    /// From then to its last byte.
    pub ms: f64,
    /// Its status.
    pub status: i64,
}

/// A distribution, milliseconds; all 0 when empty.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// Smallest.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

/// One client connection, read after the last step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Connection {
    /// Index of the step that opened it.
    pub step: usize,
    /// `tcp`, `udp`
    pub protocol: String,
    /// The client.
    pub from: String,
    /// What was dialled: `front/a`, `web1`.
    pub via: String,
    /// Index into [`Evidence::lookups`] of the answer it took its address from; none: it asked for no name.
    #[serde(default)]
    pub lookup: Option<usize>,
    /// `address:port`
    pub local: String,
    /// Its own end as the fabric saw it, when its router translated it; empty: as `local`, or it never came there.
    #[serde(default)]
    pub left_as: String,
    /// `address:port`; empty when there was no address.
    pub remote: String,
    /// Host that its SYN was sent to; empty when the fabric sent it nowhere.
    pub target: String,
    /// The tuple's source as the target sees it.
    pub seen_as: String,
    /// Where the SYN went at the target, `address:port`.
    pub target_address: String,
    /// Index into [`Evidence::flows`]; none for a direct connection.
    pub flow: Option<usize>,
    /// It goes to a balancer that is a proxy.
    #[serde(default)]
    pub proxied: bool,
    /// Index into [`Evidence::pairs`] of the first connection to a target that it led to.
    #[serde(default)]
    pub pair: Option<usize>,
    /// Error word of connect(2); empty when it came to stand.
    pub error: String,
    /// errno of connect(2).
    pub errno: i64,
    /// When connect(2) was called.
    pub at: f64,
    /// How long it took.
    pub ms: f64,
    /// SYNs that left its host.
    pub syns: i64,
    /// Bytes written by the client.
    pub sent: i64,
    /// Bytes read by the client.
    pub received: i64,
    /// Bytes of it that the server's program read or could read.
    pub delivered: i64,
    /// Acknowledged to the client and never delivered.
    pub lost: i64,
    /// Written and not acknowledged.
    pub unacked: i64,
    /// `open`, `eof`, `reset`, `closed`, `timeout`, or empty when it never stood.
    pub ended: String,
    /// Who sent the first FIN or RST: `client`, `server`, `fabric`, or empty.
    pub ended_by: String,
    /// The client's TCP state after the last step: `ESTABLISHED`, ...; empty without socket.
    pub client_state: String,
    /// The server's TCP state of its socket with this tuple after the last step; empty when it has none.
    pub server_state: String,
    /// The client that the server was told of by a PROXY protocol header, `address:port`; empty without one.
    #[serde(default)]
    pub told: String,
    /// What its server made of the beginning of the stream: `not-expected` (it looks for no PROXY protocol header),
    /// `awaited`, `read`, `broken` (it expected one and closed); empty when that is not known.
    #[serde(default)]
    pub header: String,
    /// Error word the server's program met on this connection; empty when none or unknown.
    pub server_error: String,
}

/// A client's question to the resolver.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lookup {
    /// The client.
    pub from: String,
    /// What it asked for.
    pub name: String,
    /// When.
    pub at: f64,
    /// How long the answer took.
    pub ms: f64,
    /// The answer's addresses, in its order.
    pub addresses: Vec<String>,
    /// `no-address` when there are none.
    pub error: String,
    /// How long the answer may be kept, real ms; 0 when there are no addresses.
    #[serde(default)]
    pub keep_ms: f64,
}

/// A host's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostEvidence {
    /// On eth0.
    pub address: String,
    /// On eth0 besides; empty: none.
    #[serde(default)]
    pub ipv6: String,
    /// The host that it is inside of, a node or a router; empty: it is on the network itself.
    #[serde(default)]
    pub inside: String,
    /// Kernel counters by nstat's flat names, as deltas over the steps.
    pub counters: BTreeMap<String, i64>,
    /// Packets that its kernel dropped, by the kernel's own reasons (`NO_SOCKET`), as deltas over the steps; none
    /// where the kernel cannot be asked, see [`Evidence::no_kernel_drops`].
    #[serde(default)]
    pub kernel_drops: Option<BTreeMap<String, i64>>,
    /// TCP sockets after the last step (listening ones left out).
    pub sockets: Vec<Socket>,
    /// Packets delivered to it that carried its own address as source.
    pub self_sourced: i64,
    /// Clients whose connections began without the PROXY protocol header that a server here expected, `address:port` as
    /// the server saw them.
    #[serde(default)]
    pub broken_headers: Vec<String>,
    /// HTTP requests served, since the first step.
    pub requests: Vec<Request>,
}

/// A kernel socket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Socket {
    /// `ESTABLISHED`, `TIME_WAIT`, ...
    pub state: String,
    /// `address:port`
    pub local: String,
    /// `address:port`
    pub remote: String,
    /// Bytes written and not acknowledged, those not sent yet included.
    #[serde(default)]
    pub send_queue: i64,
    /// Bytes received and not read.
    #[serde(default)]
    pub recv_queue: i64,
    /// What it waits for, in the words of `ss`: `on` (to send again), `keepalive`, `timewait`, `persist` (to probe a
    /// closed window); empty: nothing.
    #[serde(default)]
    pub timer: String,
    /// How long still, ms, in steps of 10.
    #[serde(default)]
    pub timer_ms: i64,
    /// How often it has sent again what was not acknowledged, without an answer since.
    #[serde(default)]
    pub retransmits: i64,
    /// What the kernel knows besides (tcp_info, by sock_diag). None in TIME_WAIT, and where the kernel has no inet_diag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_info: Option<TcpInfo>,
}

/// Of `struct tcp_info` what explains a connection; of its whole life where nothing else is said.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TcpInfo {
    /// Smoothed round-trip time, ms.
    pub rtt_ms: f64,
    /// After how long it would send again, ms.
    pub rto_ms: f64,
    /// Congestion window, segments.
    pub cwnd: i64,
    /// Segments under way at this moment.
    pub unacked: i64,
    /// Of these, taken for lost.
    pub lost: i64,
    /// Segments sent again.
    pub resent: i64,
    /// Bytes that the other side acknowledged.
    pub bytes_acked: i64,
    /// Bytes that came, in order.
    pub bytes_received: i64,
    /// Segments sent, and those that came.
    pub segments_out: i64,
    /// See `segments_out`.
    pub segments_in: i64,
}

/// A served request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// Host header.
    pub host: String,
    /// Request target.
    pub path: String,
    /// Answer.
    pub status: i64,
    /// Who asked, `address:port`: as a PROXY protocol header told, else as the server sees it.
    #[serde(default)]
    pub client: String,
    /// X-Forwarded-For; empty without one.
    #[serde(default)]
    pub forwarded_for: String,
    /// A load balancer's health check asked.
    #[serde(default)]
    pub probe: bool,
}

/// A balancer's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BalancerEvidence {
    /// `network`, `classic`, `application`
    #[serde(default)]
    pub kind: String,
    /// Of a classic balancer, by name.
    #[serde(default)]
    pub instances: BTreeMap<String, InstanceEvidence>,
    /// CloudWatch names; dense over what the emulator counts.
    pub metrics: BTreeMap<String, i64>,
    /// `active`, `failed`
    pub state: String,
    /// Why it failed; empty when it is active.
    #[serde(default)]
    pub reason: String,
    /// By zone.
    pub addresses: BTreeMap<String, String>,
    /// By zone.
    #[serde(default)]
    pub zones: BTreeMap<String, ZoneEvidence>,
    /// What its name said, from before the first step on.
    #[serde(default)]
    pub dns: Vec<Listing>,
    /// By zone, of a dualstack balancer.
    #[serde(default)]
    pub ipv6_addresses: BTreeMap<String, String>,
    /// Flows made during the steps.
    pub flows: i64,
}

/// An instance of a classic balancer (elb `InstanceState`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct InstanceEvidence {
    /// `InService`, `OutOfService`, `Unknown`
    pub state: String,
    /// `ELB`, `Instance`, `N/A`
    pub reason_code: String,
    /// In AWS's words.
    pub description: String,
    /// Health checks of it.
    pub checks: i64,
    /// Of those, failed.
    pub failed_checks: i64,
    /// Connections made to it.
    pub connections: i64,
}

/// A VPC endpoint's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EndpointEvidence {
    /// `vpce-...`
    pub id: String,
    /// `available`: whatever becomes of the service's balancers.
    pub state: String,
    /// The endpoint service's name.
    pub service: String,
    /// By zone.
    pub addresses: BTreeMap<String, String>,
    /// By zone, the zonal address that its interface leads to, `front/a`; empty before its first packet.
    pub leads_to: BTreeMap<String, String>,
    /// CloudWatch names (`AWS/PrivateLinkEndpoints`); dense over what the emulator counts.
    pub metrics: BTreeMap<String, i64>,
}

/// From this moment on a balancer's name had the addresses of these zones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Listing {
    /// Milliseconds since the first step; negative before it.
    pub at: f64,
    /// In order.
    pub zones: Vec<String>,
}

/// A balancer's record in one zone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ZoneEvidence {
    /// Its address is in the balancer's name, after the last step.
    #[serde(default)]
    pub in_dns: bool,
    /// Registered targets in reach of its address, by target group.
    #[serde(default)]
    pub reach: BTreeMap<String, i64>,
    /// As for the whole balancer.
    pub metrics: BTreeMap<String, i64>,
}

/// A target group's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GroupEvidence {
    /// CloudWatch names; dense over what exists for target groups.
    #[serde(default)]
    pub metrics: BTreeMap<String, i64>,
    /// By target name.
    pub targets: BTreeMap<String, TargetEvidence>,
    /// Where an address of a load balancer forwards to it, after the last step; none when it is behind no listener.
    #[serde(default)]
    pub zones: Vec<String>,
}

/// A target's record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TargetEvidence {
    /// `healthy`, ...
    pub state: String,
    /// AWS reason code, may be empty.
    pub reason: String,
    /// Health checks of it, by all zonal addresses and checkers.
    pub checks: i64,
    /// Of those, failed.
    pub failed_checks: i64,
    /// The states it has been in, from what the fabric began with to the present one.
    pub transitions: Vec<Transition>,
    /// `no_override`; `zonal_shift_active` while a zonal shift leaves its zone, `zonal_shift_delegated_to_dns` when
    /// only names know of that.
    #[serde(default)]
    pub administrative_override: String,
    /// `i-...`, or the address where the group's targets are addresses.
    #[serde(default)]
    pub id: String,
    /// Where it gets traffic.
    #[serde(default)]
    pub port: i64,
    /// Where it is checked.
    #[serde(default)]
    pub health_check_port: i64,
    /// The lab's name of its zone; empty outside of every zone.
    #[serde(default)]
    pub zone: String,
    /// Flows sent to it.
    pub flows: i64,
}

/// A target came into a state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Transition {
    /// Milliseconds since the first step; negative before it.
    pub at: f64,
    /// The state.
    pub state: String,
    /// AWS reason code, may be empty.
    pub reason: String,
}

/// A balancer's flow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Flow {
    /// `tcp`, `udp`
    pub protocol: String,
    /// The balancer's name.
    pub balancer: String,
    /// `front/a`
    pub via: String,
    /// The endpoint's interface that it came by, `ep/a`; empty: by none.
    #[serde(default)]
    pub endpoint: String,
    /// The target group's name.
    pub group: String,
    /// The target's host name.
    pub target: String,
    /// `address:port` of the client.
    pub client: String,
    /// `address:port` the client dialled.
    pub listener: String,
    /// `address:port` the target sees as the client.
    pub seen_as: String,
    /// `address:port` of the target.
    pub target_address: String,
    /// First packet.
    pub opened: f64,
    /// Last packet.
    pub last: f64,
    /// `syn-sent`, `established`, `closing`, `closed`, `expired`
    pub state: String,
    /// The balancer ended it by itself.
    #[serde(default)]
    pub terminated: bool,
    /// The flow that has its way back now; none: it has it itself.
    pub displaced: Option<Displaced>,
}

/// A client's connection to a proxying balancer, and one to a target that what came over it went to. Bytes are payload.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pair {
    /// The balancer's name.
    pub balancer: String,
    /// `chat/a`
    pub via: String,
    /// The listener's.
    pub port: i64,
    /// The target's host name.
    pub target: String,
    /// `address:port` of the client, as the balancer sees it.
    pub client: String,
    /// `address:port` of the balancer toward the target.
    pub seen_as: String,
    /// `address:port` of the target.
    pub target_address: String,
    /// When the connection to the target stood.
    pub opened: f64,
    /// What was carried. None of HTTP: its connections to targets serve many clients by turns.
    #[serde(flatten)]
    pub bytes: Option<Carried>,
    /// When it gave the connection to the target up, or saw it end; none: it did not.
    pub target_closed: Option<f64>,
    /// When the client's connection had ended as well.
    pub closed: Option<f64>,
    /// Why: `finished`, `client-reset`, `target-reset`, `idle`, `out-of-service`; empty while it is open.
    pub why: String,
}

/// Bytes between a client and a target, as the proxy between them counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Bytes the balancer's program took from the client.
    pub from_client: i64,
    /// Bytes of them that it gave to its kernel for the target.
    pub to_target: i64,
    /// Bytes it took from the target.
    pub from_target: i64,
    /// Bytes of them that it gave to its kernel for the client.
    pub to_client: i64,
}

impl std::ops::AddAssign for Carried {
    fn add_assign(&mut self, other: Self) {
        self.from_client += other.from_client;
        self.to_target += other.to_target;
        self.from_target += other.from_target;
        self.to_client += other.to_client;
    }
}

/// A flow lost its way back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Displaced {
    /// When.
    pub at: f64,
    /// Index of the newcomer in [`Evidence::flows`].
    pub by: usize,
    /// The loser's state then, as in [`Flow::state`].
    pub was: String,
}

/// A security group or network ACL refused a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// [`Packet::id`]
    pub packet: i64,
    /// Security groups of the interface, by name; or the one subnet whose network ACL it is, by zone.
    pub guards: Vec<String>,
    /// Whose interface: `web1`, `front/a`; empty for a network ACL.
    pub interface: String,
    /// `ingress`, `egress` of security groups; `inbound`, `outbound` of a network ACL.
    pub direction: String,
    /// The number of the network ACL's rule that denied it; none: no rule fits.
    pub rule: Option<i64>,
    /// `tcp`, `udp`, `icmp`, else the protocol's number.
    pub protocol: String,
    /// Source, `address:port`, as the guard saw it.
    pub from: String,
    /// Destination as the guard saw it.
    pub to: String,
    /// As in [`Packet::flags`].
    #[serde(default)]
    pub flags: String,
    /// It belongs to a health check.
    #[serde(default)]
    pub probe: bool,
}

/// A network interface. Its ids are made up, and always the same for the same names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Interface {
    /// `web1`, `front/a`, `nat/egress`
    pub name: String,
    /// `eni-...`
    pub id: String,
    /// Primary private address.
    pub address: String,
    /// Its 1:1 address at the internet gateway; empty without one.
    pub public_address: String,
    /// Every address under which it is reached.
    pub addresses: Vec<String>,
    /// Whose it is; `unknown` when AWS manages it.
    pub account_id: String,
    /// `vpc-...`
    pub vpc_id: String,
    /// `subnet-...`
    pub subnet_id: String,
    /// `i-...`; `-` when AWS manages it.
    pub instance_id: String,
    /// The lab's name of its zone.
    pub zone: String,
    /// `use1-az1`, ...
    pub az_id: String,
}

/// One packet's passage through the fabric.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Packet {
    /// Counts packets; two records of one delayed packet share it.
    pub id: i64,
    /// When it entered (second record of a delayed one: when it left).
    pub t: f64,
    /// Sending host, or the balancer's name, or `fabric`.
    pub sender: String,
    /// Receiving host; empty when it reached none.
    pub receiver: String,
    /// The host and the device there that saw it, as `docker veth1`: the fabric did not, or saw it elsewhere on its way;
    /// empty: the fabric saw it.
    #[serde(default)]
    pub seen_at: String,
    /// `tcp`, `udp`, `icmp`, else the protocol's number; only the first two have ports.
    pub protocol: String,
    /// IPv4's identification field, which nothing on a packet's way changes; 0 for many that are no part of a stream.
    #[serde(default)]
    pub ip_id: i64,
    /// [`Packet::id`] of the same packet at the place before, where that was seen too: on a device, or by the fabric.
    #[serde(default)]
    pub follows: Option<i64>,
    /// Source as sent.
    pub from: String,
    /// Destination as sent.
    pub to: String,
    /// Source as delivered.
    pub from_after: String,
    /// Destination as delivered.
    pub to_after: String,
    /// As tcpdump writes them: `S`, `S.`, `.`, `P.`, `F.`, `R`, `R.`
    pub flags: String,
    /// Sequence number, absolute.
    pub seq: i64,
    /// Acknowledgement number, absolute; 0 without ACK.
    pub ack: i64,
    /// Payload bytes.
    pub len: i64,
    /// Window field.
    pub window: i64,
    /// Packets that it is on a wire: a kernel hands over several at once.
    #[serde(default)]
    pub wire_packets: i64,
    /// Their bytes, IP and transport headers included.
    #[serde(default)]
    pub wire_bytes: i64,
    /// `forwarded`, `held`, `answered: ...`, `dropped: reason`; `seen` on a device
    pub fate: String,
    /// Index into [`Evidence::flows`].
    pub flow: Option<usize>,
    /// Index into [`Evidence::mappings`].
    #[serde(default)]
    pub mapping: Option<usize>,
    /// The NAT gateway that dropped, answered or made it; empty: none.
    #[serde(default)]
    pub gateway: String,
    /// A health probe.
    pub probe: bool,
}
