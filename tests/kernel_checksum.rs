//! Rewritten partial checksums, finished by a real kernel.
//!
//! Two TUN devices with offloads never show a wrong partial sum: the receiving kernel trusts `NEEDS_CSUM`. So the
//! packets are forwarded here, from a device that may leave sums undone to one that may not, and the kernel must
//! finish them (and cut up super-packets) on the way. What it sends is compared with what `etherparse` builds.
//!
//! The test runs itself again in a process with a network namespace of its own; the harness never changes its own.

mod common;

use common::{can_run_labs, everything};
use etherparse::checksum::Sum16BitWords;
use etherparse::{
    IpHeaders, IpNumber, Ipv4Header, NetHeaders, PacketBuilder, PacketHeaders, TcpOptionElement,
    TransportHeader,
};
use hairpin::packet::checksum::{Delta, field_offset};
use hairpin::packet::print::Line;
use hairpin::packet::rewrite::rewrite;
use hairpin::packet::siit;
use hairpin::packet::vnet::{GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM};
use hairpin::packet::{Headers, StandIns, TCP, UDP, VnetHeader};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// Set in the process that has the namespace.
const INSIDE: &str = "HAIRPIN_TEST_KERNEL_CHECKSUM";
/// What that process prints at its end, so that a child which ran no test is no success.
const DONE: &str = "the kernel finished every sum";
/// Seconds until SIGALRM ends that process; it needs well below one.
const CHILD_LIMIT: u32 = 60;
/// How long one packet may take through the kernel.
const PACKET_LIMIT: Duration = Duration::from_secs(5);
/// Cases of each kind.
const CASES: u64 = 200;
/// TTL of what is sent; the kernel takes one off.
const TTL: u8 = 64;

#[test]
fn the_kernel_finishes_rewritten_partial_sums() {
    if std::env::var_os(INSIDE).is_some() {
        inside();
        println!("{DONE}");
        return;
    }
    if !can_run_labs() {
        return;
    }
    // SAFETY: plain system calls.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let maps = (uid != 0).then(|| (format!("0 {uid} 1"), format!("0 {gid} 1")));
    let mut child = Command::new(std::env::current_exe().expect("this binary has a path"));
    child
        .args(["--exact", "the_kernel_finishes_rewritten_partial_sums"])
        .arg("--nocapture")
        .env(INSIDE, "1");
    // SAFETY: between fork and exec only system calls; paths this short are not put on the heap.
    unsafe {
        child.pre_exec(move || {
            libc::alarm(CHILD_LIMIT);
            let Some((uids, gids)) = &maps else {
                return Ok(unshare(CloneFlags::CLONE_NEWNET)?);
            };
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", uids)?;
            fs::write("/proc/self/gid_map", gids)
        });
    }
    let output = child.output().expect("a process in a new namespace");
    let text = everything(&output);
    assert!(output.status.success(), "{}\n{text}", output.status);
    assert!(text.contains(DONE), "the child ran no test:\n{text}");
}

fn inside() {
    let mut router = Router::new();
    router.check_that_it_sees_a_wrong_sum();
    for number in 0..CASES {
        router.check(&Case::random(number, TCP, false));
        router.check(&Case::random(number, UDP, false));
    }
    for number in 0..CASES / 4 {
        router.check(&Case::random(number, TCP, true));
        if router.takes_uso {
            router.check(&Case::random(number, UDP, true));
        }
    }
    // Packets of an IPv6 host for an IPv4 target.
    for number in 0..CASES {
        let is_super = number.is_multiple_of(4);
        router.check(&Case::random(number, TCP, is_super).over_ipv6());
        router.check(&Case::random(number, UDP, is_super && router.takes_uso).over_ipv6());
    }
}

/// A packet, its new ends, and its segment size when it is a super-packet.
struct Case {
    number: u64,
    packet: Packet,
    new_from: SocketAddrV4,
    new_to: SocketAddrV4,
    gso_size: Option<u16>,
    /// It came over IPv6, and was translated before it was rewritten.
    over_ipv6: bool,
}

impl Case {
    fn random(number: u64, protocol: u8, is_super: bool) -> Self {
        let stream = number << 16 | u64::from(is_super) << 8 | u64::from(protocol);
        let mut random = Random(stream);
        let (from, to) = (random.socket(), random.socket());
        let new_from = random.socket();
        // Neither the device's own address nor the broadcast one.
        let host = 2 + random.below(253) as u8;
        let new_to = SocketAddrV4::new(Ipv4Addr::new(10, 9, 2, host), random.port());
        let gso_size = is_super.then(|| 1 + random.below(1400) as u16);
        let len = match gso_size {
            // From one segment and a byte up to some dozens; the kernel's limit is 64 KiB in all.
            Some(size) => usize::from(size) + 1 + random.below(usize::from(size).min(1000) * 40),
            None => random.below(1400),
        };
        let mut case = Self {
            number,
            packet: Packet {
                protocol,
                from,
                to,
                ttl: TTL,
                identification: random.next() as u16,
                ip_options: random.below(8) == 0,
                seq: random.next() as u32,
                push: true,
                payload: (0..len).map(|_| random.next() as u8).collect(),
            },
            new_from,
            new_to,
            gso_size,
            over_ipv6: false,
        };
        if number.is_multiple_of(16) && !is_super {
            case.make_sum_zero();
        }
        case
    }

    /// The same from an IPv6 host. A translated packet has no IP options, and its identification is 0.
    fn over_ipv6(mut self) -> Self {
        self.over_ipv6 = true;
        self.packet.ip_options = false;
        self.packet.identification = 0;
        self
    }

    /// What the fabric makes of it when it enters.
    fn translated(&self) -> (VnetHeader, Vec<u8>) {
        let mut random = Random(!self.number);
        let addresses: Vec<u8> = (0..32)
            .map(|at| {
                if at % 16 == 0 {
                    0x20
                } else {
                    random.next() as u8
                }
            })
            .collect();
        let transport = self.packet.build().split_off(20);
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend((transport.len() as u16).to_be_bytes());
        bytes.extend([self.packet.protocol, TTL]);
        bytes.extend(&addresses);
        bytes.extend(&transport);
        let sum = Sum16BitWords::new()
            .add_slice(&addresses)
            .add_slice(&(transport.len() as u32).to_be_bytes())
            .add_slice(&[0, 0, 0, self.packet.protocol]);
        let field = 40 + offset(self.packet.protocol);
        let partial = !u16::from_be(sum.ones_complement());
        bytes[field..field + 2].copy_from_slice(&partial.to_be_bytes());
        let mut vnet = VnetHeader {
            flags: NEEDS_CSUM,
            csum_start: 40,
            csum_offset: offset(self.packet.protocol) as u16,
            ..VnetHeader::default()
        };
        if let Some(size) = self.gso_size {
            vnet.gso_size = size;
            vnet.gso_type = match self.packet.protocol {
                TCP => GSO_TCPV6,
                _ => GSO_UDP_L4,
            };
        }
        let start = siit::enter(&mut vnet, &mut bytes, &mut StandIns::default());
        let bytes = bytes.split_off(start.expect("well-formed"));
        (vnet, bytes)
    }

    /// Chooses the last word of the payload so that the finished sum is zero, which UDP has to send as all ones.
    fn make_sum_zero(&mut self) {
        let payload = &mut self.packet.payload;
        payload.resize(payload.len().next_multiple_of(2) + 2, 0);
        let last = payload.len() - 2;
        let sum = transport_sum(&self.wire()[0]);
        self.packet.payload[last..].copy_from_slice(&sum.to_be_bytes());
    }

    /// What must leave the kernel, built from nothing.
    fn wire(&self) -> Vec<Vec<u8>> {
        let whole = &self.packet.payload;
        let size = self.gso_size.map_or(whole.len(), usize::from).max(1);
        let count = whole.len().div_ceil(size).max(1);
        (0..count)
            .map(|index| {
                let start = index * size;
                Packet {
                    from: self.new_from,
                    to: self.new_to,
                    ttl: TTL - 1,
                    identification: self.packet.identification.wrapping_add(index as u16),
                    seq: self.packet.seq.wrapping_add(start as u32),
                    push: index + 1 == count,
                    payload: whole[start..whole.len().min(start + size)].to_vec(),
                    ..self.packet.clone()
                }
                .build()
            })
            .collect()
    }

    /// What the fabric would write to a device: the packet as a kernel leaves it, rewritten.
    fn rewritten(&self) -> (VnetHeader, Vec<u8>) {
        let mut bytes = self.packet.build();
        let mut vnet = self.packet.leave_partial(&mut bytes);
        if let Some(size) = self.gso_size {
            vnet.gso_size = size;
            vnet.gso_type = if self.packet.protocol == TCP {
                GSO_TCPV4
            } else {
                GSO_UDP_L4
            };
        }
        if self.over_ipv6 {
            (vnet, bytes) = self.translated();
        }
        let mut headers = Headers::parse(&vnet, &bytes).expect("well-formed");
        assert!(headers.partial);
        rewrite(&mut bytes, &mut headers, self.new_from, self.new_to);
        vnet.hdr_len = headers.payload as u16;
        (vnet, bytes)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case {}", self.number)?;
        if let Some(size) = self.gso_size {
            write!(f, " in segments of {size}")?;
        }
        write!(f, ", {}", Line(&self.packet.build()))
    }
}

#[derive(Clone)]
struct Packet {
    protocol: u8,
    from: SocketAddrV4,
    to: SocketAddrV4,
    ttl: u8,
    identification: u16,
    /// Four bytes of IP options, so that the transport header is not always at 20.
    ip_options: bool,
    seq: u32,
    push: bool,
    payload: Vec<u8>,
}

impl Packet {
    /// With finished sums.
    fn build(&self) -> Vec<u8> {
        const NO_OPERATION: u8 = 1;
        let mut header = Ipv4Header {
            time_to_live: self.ttl,
            protocol: IpNumber(self.protocol),
            identification: self.identification,
            dont_fragment: true,
            source: self.from.ip().octets(),
            destination: self.to.ip().octets(),
            ..Ipv4Header::default()
        };
        if self.ip_options {
            header.options = [NO_OPERATION; 4].into();
        }
        let builder = PacketBuilder::ip(IpHeaders::Ipv4(header, Default::default()));
        let (from, to) = (self.from.port(), self.to.port());
        let mut bytes = Vec::new();
        if self.protocol == UDP {
            let builder = builder.udp(from, to);
            builder.write(&mut bytes, &self.payload).expect("in memory");
            return bytes;
        }
        let mut builder = builder
            .tcp(from, to, self.seq, 500)
            .ack(0x8000_0001)
            .options(&[
                TcpOptionElement::Noop,
                TcpOptionElement::Noop,
                TcpOptionElement::Timestamp(0xfffe_ffff, 7),
            ])
            .expect("twelve bytes");
        if self.push {
            builder = builder.psh();
        }
        builder.write(&mut bytes, &self.payload).expect("in memory");
        bytes
    }

    /// Replaces the transport sum by the un-complemented sum of the pseudo-header, as a kernel does for its device.
    fn leave_partial(&self, bytes: &mut [u8]) -> VnetHeader {
        let start = usize::from(bytes[0] & 0x0f) * 4;
        let length = (bytes.len() - start) as u16;
        let sum = Sum16BitWords::new()
            .add_4bytes(self.from.ip().octets())
            .add_4bytes(self.to.ip().octets())
            .add_2bytes([0, self.protocol])
            .add_2bytes(length.to_be_bytes());
        let partial = !u16::from_be(sum.ones_complement());
        let field = start + offset(self.protocol);
        bytes[field..field + 2].copy_from_slice(&partial.to_be_bytes());
        VnetHeader {
            flags: NEEDS_CSUM,
            csum_start: start as u16,
            csum_offset: offset(self.protocol) as u16,
            ..VnetHeader::default()
        }
    }
}

/// A namespace that forwards from a device with offloads to one without.
struct Router {
    input: File,
    output: File,
    takes_uso: bool,
}

impl Router {
    fn new() -> Self {
        for (setting, value) in [
            ("ipv4/ip_forward", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
        ] {
            fs::write(format!("/proc/sys/net/{setting}"), value).expect(setting);
        }
        // A kernel without IPv6 has no such file, and nothing to switch off.
        fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").ok();

        let input = open_tun(b"a0", libc::IFF_VNET_HDR);
        let offloads = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;
        let uso = libc::TUN_F_USO4 | libc::TUN_F_USO6;
        // Before Linux 6.2 there is no USO.
        let takes_uso = set_offloads(&input, offloads | uso).is_ok();
        if !takes_uso {
            set_offloads(&input, offloads).expect("TUNSETOFFLOAD");
        }
        let output = open_tun(b"b0", 0);
        configure(b"a0", Ipv4Addr::new(10, 9, 1, 1));
        configure(b"b0", Ipv4Addr::new(10, 9, 2, 1));
        Self {
            input,
            output,
            takes_uso,
        }
    }

    /// Without this, a kernel that trusts the sums here too would make every other check empty.
    fn check_that_it_sees_a_wrong_sum(&mut self) {
        for protocol in [TCP, UDP] {
            let case = Case::random(1, protocol, false);
            let (vnet, mut bytes) = case.rewritten();
            let ports = Delta::default()
                .word(case.packet.from.port(), case.new_from.port())
                .word(case.packet.to.port(), case.new_to.port());
            let field = usize::from(vnet.csum_start + vnet.csum_offset);
            let right = u16::from_be_bytes([bytes[field], bytes[field + 1]]);
            let wrong = ports.apply_partial(right);
            bytes[field..field + 2].copy_from_slice(&wrong.to_be_bytes());
            self.send(vnet, &bytes);
            let received = self.receive().expect("wrong sums are forwarded");
            assert_ne!(
                transport_sum(&received),
                transport_sum(&case.wire()[0]),
                "ports in a partial sum of protocol {protocol} went unnoticed"
            );
        }
    }

    fn check(&mut self, case: &Case) {
        let (vnet, bytes) = case.rewritten();
        self.send(vnet, &bytes);
        for (index, expected) in case.wire().iter().enumerate() {
            let received = self
                .receive()
                .unwrap_or_else(|| panic!("{case}: packet {index} did not come"));
            let (right_ip, right_transport) = right_sums(&received);
            let wrong_about = if ip_sum(&received) != right_ip {
                "IPv4 checksum"
            } else if !same_sum(
                transport_sum(&received),
                right_transport,
                case.packet.protocol,
            ) {
                "transport checksum"
            } else if without_transport_sum(&received) != without_transport_sum(expected) {
                "content"
            } else {
                continue;
            };
            panic!(
                "{case}: wrong {wrong_about} in packet {index}\nreceived {}\n  {}\nexpected {}\n  {}",
                Line(&received),
                head(&received),
                Line(expected),
                head(expected)
            );
        }
    }

    fn send(&mut self, vnet: VnetHeader, bytes: &[u8]) {
        let frame = [&vnet.to_bytes()[..], bytes].concat();
        let written = self.input.write(&frame).expect("the device takes it");
        assert_eq!(written, frame.len());
    }

    /// The next TCP or UDP packet to the far network, whatever else the kernel sends; none after `PACKET_LIMIT`.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let until = Instant::now() + PACKET_LIMIT;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).expect("seconds");
            let mut fds = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, timeout).expect("poll") == 0 {
                return None;
            }
            let len = self.output.read(&mut buffer).expect("the device gives it");
            let bytes = &buffer[..len];
            let Ok(headers) = Headers::parse(&VnetHeader::default(), bytes) else {
                continue;
            };
            if headers.has_ports() && headers.destination().octets()[..3] == [10, 9, 2] {
                return Some(bytes.to_vec());
            }
        }
    }
}

#[repr(C)]
union InterfaceValue {
    flags: libc::c_short,
    address: libc::sockaddr_in,
    _size: [u8; 24],
}

/// `struct ifreq`: 40 bytes.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    value: InterfaceValue,
}

impl InterfaceRequest {
    fn new(name: &[u8], value: InterfaceValue) -> Self {
        let mut request = Self {
            name: [0; libc::IFNAMSIZ],
            value,
        };
        request.name[..name.len()].copy_from_slice(name);
        request
    }

    fn flags(name: &[u8], flags: libc::c_int) -> Self {
        let mut value = InterfaceValue { _size: [0; 24] };
        value.flags = flags as libc::c_short;
        Self::new(name, value)
    }

    fn address(name: &[u8], address: Ipv4Addr) -> Self {
        let mut value = InterfaceValue { _size: [0; 24] };
        value.address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 0,
            sin_addr: libc::in_addr {
                s_addr: address.to_bits().to_be(),
            },
            sin_zero: [0; 8],
        };
        Self::new(name, value)
    }

    fn call(&mut self, fd: &impl AsRawFd, number: libc::Ioctl, what: &str) {
        // SAFETY: the calls used here read, and some write, one `struct ifreq`, which this is.
        let result = unsafe { libc::ioctl(fd.as_raw_fd(), number, std::ptr::from_mut(self)) };
        assert_eq!(result, 0, "{what}: {}", Error::last_os_error());
    }
}

/// A device that goes with its descriptor.
fn open_tun(name: &[u8], more_flags: libc::c_int) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
        .expect("/dev/net/tun");
    InterfaceRequest::flags(name, libc::IFF_TUN | libc::IFF_NO_PI | more_flags).call(
        &file,
        libc::TUNSETIFF,
        "TUNSETIFF",
    );
    file
}

fn set_offloads(device: &File, offloads: libc::c_uint) -> Result<(), Error> {
    let argument = libc::c_ulong::from(offloads);
    // SAFETY: a plain integer argument.
    match unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETOFFLOAD, argument) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// Gives a device its address in a /24 and switches it on, which makes the route.
fn configure(name: &[u8], address: Ipv4Addr) {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let netmask = Ipv4Addr::new(255, 255, 255, 0);
    InterfaceRequest::address(name, address).call(
        &socket,
        libc::SIOCSIFADDR as libc::Ioctl,
        "SIOCSIFADDR",
    );
    InterfaceRequest::address(name, netmask).call(
        &socket,
        libc::SIOCSIFNETMASK as libc::Ioctl,
        "SIOCSIFNETMASK",
    );
    InterfaceRequest::flags(name, libc::IFF_UP | libc::IFF_RUNNING).call(
        &socket,
        libc::SIOCSIFFLAGS as libc::Ioctl,
        "SIOCSIFFLAGS",
    );
}

fn offset(protocol: u8) -> usize {
    field_offset(protocol).expect("TCP or UDP")
}

/// The headers in hexadecimal, and perhaps some payload.
fn head(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(64)];
    shown.iter().map(|byte| format!("{byte:02x} ")).collect()
}

fn ip_sum(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[10], bytes[11]])
}

fn transport_field(bytes: &[u8]) -> usize {
    usize::from(bytes[0] & 0x0f) * 4 + offset(bytes[9])
}

fn transport_sum(bytes: &[u8]) -> u16 {
    let field = transport_field(bytes);
    u16::from_be_bytes([bytes[field], bytes[field + 1]])
}

fn without_transport_sum(bytes: &[u8]) -> Vec<u8> {
    let field = transport_field(bytes);
    let mut rest = bytes.to_vec();
    rest[field..field + 2].fill(0);
    rest
}

/// Linux writes a computed zero as all ones for TCP too (`skb_checksum_help`), and as zero when it segments: to a
/// receiver both are right. For UDP they differ (RFC 768).
fn same_sum(received: u16, right: u16, protocol: u8) -> bool {
    let one_zero = |sum: u16| if sum == 0 { 0xffff } else { sum };
    received == right || protocol == TCP && one_zero(received) == one_zero(right)
}

/// The IPv4 and transport sums that `etherparse` computes.
fn right_sums(bytes: &[u8]) -> (u16, u16) {
    let parsed = PacketHeaders::from_ip_slice(bytes).expect("etherparse takes it");
    let Some(NetHeaders::Ipv4(ip, _)) = &parsed.net else {
        panic!("not IPv4: {bytes:02x?}")
    };
    let payload = parsed.payload.slice();
    let sum = match &parsed.transport {
        Some(TransportHeader::Tcp(tcp)) => tcp.calc_checksum_ipv4(ip, payload).expect("short"),
        Some(TransportHeader::Udp(udp)) => udp.calc_checksum_ipv4(ip, payload).expect("short"),
        other => panic!("neither TCP nor UDP: {other:?}"),
    };
    (ip.calc_header_checksum(), sum)
}

/// splitmix64, so that a case is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A source that a router takes. The bytes that ones' complement arithmetic trips over come up often.
    fn socket(&mut self) -> SocketAddrV4 {
        const FIRST: [u8; 7] = [1, 11, 100, 126, 172, 192, 223];
        const EDGES: [u8; 5] = [0, 1, 127, 254, 255];
        let first = FIRST[self.below(FIRST.len())];
        let [second, third, fourth] = std::array::from_fn(|_| match self.below(2) {
            0 => EDGES[self.below(EDGES.len())],
            _ => self.next() as u8,
        });
        let address = Ipv4Addr::new(first, second, third, fourth);
        SocketAddrV4::new(address, self.port())
    }

    fn port(&mut self) -> u16 {
        const EDGES: [u16; 4] = [0, 1, 0xfffe, 0xffff];
        match self.below(4) {
            0 => EDGES[self.below(EDGES.len())],
            _ => self.next() as u16,
        }
    }
}
