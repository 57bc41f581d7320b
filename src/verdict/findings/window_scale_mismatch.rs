//! `window-scale-mismatch`: one end tells of its window in units, and the other takes them for bytes.
//!
//! Both kernels say what they agreed to (`tcp_info`), and on one connection they must say the same. They differ where something
//! in between changed the option on its way. Not this: a window that both ends take for as large as it is, however small; one that
//! is taken for too large; and one that nobody waits for, since little is said.
//!
//! Observed on: firewalls that strip or zero the window scale option in one direction.

use super::{cite, count, lapse, quoted};
use crate::evidence::{Connection, Evidence, Socket, TcpInfo};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, target_side};
use std::collections::HashMap;

pub(super) const KIND: &str = "window-scale-mismatch";

/// Sockets by host, local and remote address. There may be as many as connections: nobody walks through them for each.
type Sockets<'a> = HashMap<(&'a str, &'a str, &'a str), &'a Socket>;

/// What one end of a connection makes of the other's windows.
struct Side<'a> {
    sender: &'a str,
    receiver: &'a str,
    /// Bits by which the sender shifts, and by which it should.
    shifts: i64,
    should: i64,
    /// Written by the sender's program, and not sent, bytes: what is under way waits for no window.
    waiting: i64,
    toward_target: bool,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    // Where several connections are one 4-tuple to the target, the two sockets may be ends of different ones.
    let connections = trace.evidence.connections.iter().enumerate();
    let connections = connections.filter(|(number, _)| trace.lookalikes(*number).is_empty());
    let sockets = sockets(trace.evidence);
    let sides: Vec<(usize, Side<'_>)> = connections
        .filter_map(|(number, connection)| {
            let side = understated(trace.evidence, &sockets, connection)?;
            Some((number, side))
        })
        .collect();
    let (first, side) = sides.first()?;
    let mut finding = tell(trace, *first, side);
    if sides.len() > 1 {
        let others = count(sides.len() - 1, "other connection");
        finding.summary.push_str(&format!(" So it is on {others}."));
    }
    finding.connections = sides.iter().map(|(number, _)| *number).collect();
    Some(finding)
}

/// The direction in which a window is taken for smaller than it is.
fn understated<'a>(
    evidence: &'a Evidence,
    sockets: &Sockets<'a>,
    c: &'a Connection,
) -> Option<Side<'a>> {
    if c.protocol != "tcp" || c.proxied || c.pair.is_some() {
        return None;
    }
    let left_as = match c.left_as.as_str() {
        "" => c.local.as_str(),
        translated => translated,
    };
    let (seen_as, target) = target_side(evidence, c).unwrap_or((left_as, &c.remote));
    let at_client = end(sockets, &c.from, &c.local, &c.remote)?;
    let at_server = end(sockets, &c.target, target, seen_as)?;
    let toward = Side {
        sender: &c.from,
        receiver: &c.target,
        shifts: at_client.send_scale,
        should: at_server.receive_scale,
        waiting: at_client.bytes_not_sent,
        toward_target: true,
    };
    let back = Side {
        sender: &c.target,
        receiver: &c.from,
        shifts: at_server.send_scale,
        should: at_client.receive_scale,
        waiting: at_server.bytes_not_sent,
        toward_target: false,
    };
    // What fits into the first flight, which is never scaled, does not wait.
    let mut sides = [toward, back].into_iter();
    sides.find(|side| side.shifts < side.should && side.waiting > 0)
}

fn sockets(evidence: &Evidence) -> Sockets<'_> {
    let mut all = Sockets::new();
    for (name, host) in &evidence.hosts {
        for socket in &host.sockets {
            let ends = (name.as_str(), socket.local.as_str(), socket.remote.as_str());
            all.entry(ends).or_insert(socket);
        }
    }
    all
}

fn end<'a>(
    sockets: &Sockets<'a>,
    host: &'a str,
    local: &'a str,
    remote: &'a str,
) -> Option<&'a TcpInfo> {
    sockets.get(&(host, local, remote))?.tcp_info.as_ref()
}

fn tell(trace: &Trace, connection: usize, side: &Side<'_>) -> Finding {
    let own = trace.by_connection[connection].iter().copied();
    let data: Vec<usize> = own
        .filter(|p| {
            trace.passages[*p].toward_target == side.toward_target && trace.sent(*p).len > 0
        })
        .collect();
    let shakes = trace.by_connection[connection].iter().copied().take(2);
    let Side {
        sender, receiver, ..
    } = side;
    let mut summary = format!(
        "On {}, {receiver} tells of its window in units of {} bytes, and {sender} takes them for {}: something in between \
         changed the window scale option on its way. {sender} sees a window that is {} times too small.",
        quoted(trace, connection),
        1_i64 << side.should,
        match side.shifts {
            0 => "single bytes".to_owned(),
            shifts => format!("units of {} bytes", 1_i64 << shifts),
        },
        1_i64 << (side.should - side.shifts),
    );
    summary.push_str(&format!(" {} bytes wait for it", side.waiting));
    if let [.., before, last] = data[..] {
        summary.push_str(&format!(
            "; the last {} were sent {} after those before",
            trace.sent(last).len,
            lapse(trace.sent(last).t - trace.sent(before).t)
        ));
    }
    summary.push('.');
    let first_and_last = data
        .iter()
        .take(4)
        .chain(data.iter().rev().take(4))
        .copied();
    Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, shakes.chain(first_and_last)),
        connections: vec![connection],
        counters: Vec::new(),
        values: Vec::new(),
    }
}
