//! Which packets a wire carries where the lab does not say: what a receiver's device is set to, and 1,500 bytes over the
//! internet.
//!
//! Observed on: AWS, where what passes an internet gateway is at most 1,500 bytes (EC2, "Network MTU for your EC2 instance")
//! and is cut into fragments otherwise, or dropped where it has DF; a packet that is larger than its receiver's MTU is dropped,
//! and answered with "fragmentation needed" (VPC, "Path MTU Discovery"). Not here: `link.mtu`, which is what the lab
//! says: a narrower wire behind a router, which cuts what may be cut.

use super::Host;
use crate::fabric::config::{Link, Port};

/// The largest packet that an internet gateway passes, bytes.
const INTERNET: u16 = 1500;

/// Sets what the lab left open, `ports` being those of the hosts on the fabric, in order. Links stay as they are where no
/// host can send anything that is too large for them.
pub(super) fn limit(hosts: &[Host], ports: &mut [Port]) {
    let devices = || hosts.iter().map(|host| host.mtu);
    let Some(largest) = devices().max() else {
        return;
    };
    for (port, device) in ports.iter_mut().zip(devices()) {
        let carries = if port.internet {
            device.min(INTERNET)
        } else {
            device
        };
        // What it sends itself is no larger than its device.
        narrow(&mut port.up, device, carries, port.internet);
        narrow(&mut port.down, largest, carries, port.internet);
    }
}

/// `largest`: what may come to the link.
fn narrow(link: &mut Link, largest: u16, carries: u16, over_the_internet: bool) {
    if link.mtu.is_none() && largest > carries {
        link.mtu = Some(carries);
        link.fragments = over_the_internet;
    }
}
