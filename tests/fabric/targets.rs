//! Targets that come and go while the network runs.

use crate::kit::*;
use hairpin::fabric::change::Change;
use hairpin::fabric::config::{GroupId, PortId};

const GROUP: GroupId = GroupId(0);

/// The port that a new connection from each of many source ports comes to, without repeats.
fn chosen(net: &mut Net, ports: std::ops::Range<u16>) -> Vec<PortId> {
    let mut seen: Vec<PortId> = ports
        .map(|port| {
            net.syn(CLIENT, end(CLIENT_IP, port), end(FRONT_A, 80), 7)
                .port
        })
        .collect();
    seen.sort();
    seen.dedup();
    seen
}

impl Net {
    fn apply(&mut self, change: Change) {
        self.fabric.apply(self.now, change, &mut self.out);
    }
}

#[test]
fn a_deregistered_target_gets_no_new_flows_and_keeps_its_old_ones() {
    let mut net = Net::new(config());
    assert_eq!(chosen(&mut net, 40_000..40_050), [WEB1, WEB2]);
    let client = end(CLIENT_IP, 50_000);
    let old = net.connect(CLIENT, client, end(FRONT_A, 80), 7);
    let target = usize::from(old.port == WEB2);
    net.apply(Change::Deregister {
        group: GROUP,
        target,
    });
    let other = if old.port == WEB2 { WEB1 } else { WEB2 };
    assert_eq!(chosen(&mut net, 41_000..41_050), [other]);
    let data = segment(client, end(FRONT_A, 80), ACK | PSH, 8, 9001).with_payload(10);
    assert_eq!(net.forward(CLIENT, data).to, old.port);
    net.apply(Change::Register {
        group: GROUP,
        target,
    });
    assert_eq!(chosen(&mut net, 42_000..42_050), [WEB1, WEB2]);
}
