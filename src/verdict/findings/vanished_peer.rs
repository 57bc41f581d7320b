//! `vanished-peer`: an end that has data under way goes on sending it to a host whose link is dead, and nothing tells it so.
//!
//! Observed on: every TCP, after a loss of power, a pulled cable, a fail-over that moves an address. Linux gives up after
//! tcp_retries2 repetitions (15: about a quarter of an hour), or after TCP_USER_TIMEOUT. Not this: an end that has given up by
//! now, and one that only reads, which sends nothing that could be lost (see `stale_connection`).

use super::{cite, count, counters, distinct, lapse, quoted, so_with};
use crate::plan::vocabulary::{LINK_DOWN, POWER_OFF, names};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, drop_reason, is_later_fragment};

pub(super) const KIND: &str = "vanished-peer";

/// One direction of a connection, into the void.
struct Void {
    connection: usize,
    toward_target: bool,
    /// Passages of data, none of which arrived, in order; some of it more than once.
    lost: Vec<usize>,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = 0..trace.evidence.connections.len();
    let voids: Vec<Void> = connections
        .flat_map(|connection| [true, false].map(|toward| void(trace, connection, toward)))
        .flatten()
        .collect();
    let first = voids.first()?;
    let senders = distinct(voids.iter().map(|void| sender(trace, void)));
    let lasted = trace.sent(*first.lost.last()?).t - trace.sent(first.lost[0]).t;
    let connections = distinct(voids.iter().map(|void| void.connection));
    let others = so_with(trace, &connections);
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{}, and nobody says so: no FIN, no RST, no ICMP. {} sent what it has to say over {} {} in {}, none of it arrived, and \
             its kernel has not given up.{others}",
            gone(trace, first),
            sender(trace, first),
            quoted(trace, first.connection),
            count(first.lost.len(), "time"),
            lapse(lasted),
        ),
        packets: cite(
            trace,
            voids.iter().flat_map(|void| void.lost.iter().copied()),
        ),
        connections,
        counters: counters(
            trace.evidence,
            senders,
            &[
                "TcpExtTCPTimeouts",
                "TcpRetransSegs",
                "TcpExtTCPKeepAlive",
                "TcpExtTCPAbortOnTimeout",
            ],
        ),
        values: Vec::new(),
    })
}

/// What one end has sent since the other was last heard or reached, if all of it died at the other's dead link, some of it
/// twice, and its socket still waits.
fn void(trace: &Trace, connection: usize, toward_target: bool) -> Option<Void> {
    let c = &trace.evidence.connections[connection];
    let own = if toward_target {
        &c.client_state
    } else {
        &c.server_state
    };
    let waits = matches!(
        own.as_str(),
        "ESTABLISHED" | "CLOSE_WAIT" | "FIN_WAIT1" | "CLOSING" | "LAST_ACK"
    );
    if c.protocol != "tcp" || !waits {
        return None;
    }
    let passages = || trace.by_connection[connection].iter().copied();
    let at_client = |p: &usize| !trace.passages[*p].behind;
    let mut lost: Vec<usize> = passages()
        .rev()
        .filter(at_client)
        .take_while(|p| !delivered(trace.ended(*p)))
        .filter(|p| trace.passages[*p].toward_target == toward_target && trace.sent(*p).len > 0)
        .filter(|p| !is_later_fragment(trace.sent(*p)))
        .take_while(|p| drop_reason(trace.ended(*p)) == Some("link-down"))
        .collect();
    lost.reverse();
    let different = distinct(lost.iter().map(|p| trace.sent(*p).seq)).len();
    (different < lost.len()).then_some(Void {
        connection,
        toward_target,
        lost,
    })
}

/// What took the other end away, by the last step before the last attempt that names it.
fn gone(trace: &Trace, void: &Void) -> String {
    let peer = peer(trace, void);
    let last = void.lost.last().map_or(0.0, |p| trace.sent(*p).t);
    let mut steps = trace.evidence.steps.iter();
    let cut = steps.rfind(|step| {
        let host = [POWER_OFF, LINK_DOWN]
            .into_iter()
            .find_map(|fault| step.label.strip_prefix(fault));
        step.at <= last && host.is_some_and(|host| names(host, peer))
    });
    match cut {
        Some(step) if step.label.starts_with(POWER_OFF) => format!("The power of {peer} is off"),
        _ => format!("The link of {peer} is down"),
    }
}

fn sender<'a>(trace: &Trace<'a>, void: &Void) -> &'a str {
    &trace.sent(void.lost[0]).sender
}

fn peer<'a>(trace: &Trace<'a>, void: &Void) -> &'a str {
    let c = &trace.evidence.connections[void.connection];
    match (void.toward_target, c.proxied) {
        (true, true) => &c.via,
        (true, false) => &c.target,
        (false, _) => &c.from,
    }
}
