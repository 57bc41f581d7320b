//! A namespace whose kernel forwards, and what leaves it.

use crate::case::Case;
use crate::device::{configure, open_tun, set_offloads};
use crate::sums::{ip_sum, right_sums, same_sum, transport_sum, without_transport_sum};
use hairpin::packet::checksum::Delta;
use hairpin::packet::print::Line;
use hairpin::packet::{Headers, TCP, UDP, VnetHeader};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long one packet may take through the kernel.
const PACKET_LIMIT: Duration = Duration::from_secs(5);

/// A namespace that forwards from a device with offloads to one without.
pub struct Router {
    input: File,
    output: File,
    pub takes_uso: bool,
}

impl Router {
    pub fn new() -> Self {
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
    pub fn check_that_it_sees_a_wrong_sum(&mut self) {
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

    pub fn check(&mut self, case: &Case) {
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

/// The headers in hexadecimal, and perhaps some payload.
fn head(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(64)];
    shown.iter().map(|byte| format!("{byte:02x} ")).collect()
}
