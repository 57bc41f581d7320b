//! What links did to packets.

use crate::evidence::{LinkDid, LinkEffect, OnLinks};
use crate::verdict::kit::{Kit, NEW};

/// What a link did to the last packet.
fn on_link(kit: &mut Kit, delayed_ms: f64, what: Option<LinkDid>) {
    let packet = kit.evidence.packets.last_mut().expect("a packet");
    let effect = what.map(|what| LinkEffect {
        host: "client".into(),
        direction: "up".into(),
        what,
    });
    packet.links = Some(Box::new(OnLinks {
        delayed_ms,
        effects: effect.into_iter().collect(),
    }));
}

fn standing() -> (Kit, usize) {
    let mut kit = Kit::new();
    let x = kit.connect("x", 40001, "front/a", "web1");
    kit.handshake(x, NEW);
    (kit, x)
}

/// The same bytes are refused for their size again and again; or come in smaller packets.
pub(in super::super) fn too_large(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    for pause in [0.0, 200.0, 400.0] {
        kit.now += pause;
        let len = if happened || pause == 0.0 { 1448 } else { 1000 };
        kit.down(x, ".", NEW.server + 1, NEW.client + 1, len);
        if len == 1448 {
            let packet = kit.evidence.packets.last_mut().expect("a packet");
            packet.fate = "answered: ICMP, fragmentation needed".into();
            packet.receiver = String::new();
        }
    }
    kit
}

/// A damaged segment is delivered, and the kernel finds nothing wrong; or does.
pub(in super::super) fn damaged(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    kit.up(x, "P.", NEW.client + 1, NEW.server + 1, 64);
    on_link(&mut kit, 0.0, Some(LinkDid::Damaged { byte: Some(7) }));
    kit.counter("web1", "TcpInCsumErrors", i64::from(!happened));
    kit
}

/// A segment is overtaken and sent again; or lost and sent again.
pub(in super::super) fn overtaken(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    let segment = |kit: &mut Kit, number: i64| {
        kit.up(x, ".", NEW.client + 1 + number * 1448, NEW.server + 1, 1448);
    };
    segment(&mut kit, 0);
    if !happened {
        kit.dropped("link-loss");
    }
    for number in 1..4 {
        segment(&mut kit, number);
        on_link(&mut kit, 0.0, Some(LinkDid::Overtook { packets: 1 }));
    }
    segment(&mut kit, 0);
    kit.counter("client", "TcpExtTCPFastRetrans", 1);
    kit
}

/// Packets wait longer and longer; or a while.
pub(in super::super) fn queued(happened: bool) -> Kit {
    let (mut kit, x) = standing();
    let step = if happened { 8.0 } else { 0.5 };
    for number in 0..150 {
        kit.up(x, ".", NEW.client + 1 + number * 1448, NEW.server + 1, 1448);
        on_link(&mut kit, 10.0 + number as f64 * step, None);
    }
    kit
}
