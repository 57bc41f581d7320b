//! `unread-close`: a server's program closed a connection while something that had come over it was not read, so its kernel reset
//! it instead of closing it, and threw away what it had not sent yet.
//!
//! Observed on: every kernel (RFC 2525 section 2.17 asks for it), and servers that answer before they have read the request:
//! 413, 401, a proxy's error page. The kernel counts it (`TCPAbortOnClose`), and nothing else under that name. Not this: a
//! reset that the program asked for, and one for data that came after a close in order.

use super::{cite, counters, distinct, name_all, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_reset};

pub(super) const KIND: &str = "unread-close";

const COUNTED: &str = "TcpExtTCPAbortOnClose";

/// A connection that ended so.
struct Cut {
    connection: usize,
    /// Passage of the RST that the close made.
    reset: usize,
    /// What the server had sent until then.
    bytes: i64,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = 0..trace.evidence.connections.len();
    let cuts: Vec<Cut> = connections.filter_map(|c| cut(trace, c)).collect();
    let first = cuts.first()?;
    let host = &trace.evidence.connections[first.connection].target;
    let names: Vec<usize> = cuts.iter().map(|cut| cut.connection).collect();
    let answer = match first.bytes {
        0 => format!("{} had no answer", quoted(trace, first.connection)),
        bytes => format!(
            "{} had sent {bytes} bytes over {}, and what it had not sent yet is lost",
            host,
            quoted(trace, first.connection)
        ),
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{host} closed {} while something that had come over {} was not read: its kernel sent RST instead of FIN. {answer}; a \
             client that sees the RST first has \"connection reset\" instead of an answer.",
            name_all(trace, &names),
            if cuts.len() == 1 { "it" } else { "them" },
        ),
        packets: cite(trace, cuts.iter().map(|cut| cut.reset)),
        connections: names,
        counters: counters(
            trace.evidence,
            distinct(cuts.iter().map(|cut| trace.sent(cut.reset).sender.as_str())),
            &[COUNTED, "TcpOutRsts"],
        ),
        values: Vec::new(),
    })
}

/// The first that ends a connection is a RST with ACK from its server, behind data that came there.
fn cut(trace: &Trace, connection: usize) -> Option<Cut> {
    let c = &trace.evidence.connections[connection];
    let server = trace.evidence.hosts.get(&c.target)?;
    if c.protocol != "tcp" || server.counters.get(COUNTED).copied().unwrap_or(0) == 0 {
        return None;
    }
    let mut own = trace.by_connection[connection].iter().copied();
    let reset = own.find(|p| trace.sent(*p).flags.contains(['F', 'R']))?;
    let packet = trace.sent(reset);
    let from_server = !trace.passages[reset].toward_target && packet.sender == c.target;
    let before = trace.by_connection[connection].iter().copied();
    let mut before = before.take_while(|p| *p != reset);
    let heard = before.any(|p| {
        let passage = &trace.passages[p];
        passage.toward_target && trace.sent(p).len > 0 && trace.ended(p).receiver == c.target
    });
    let aborts = is_reset(packet) && packet.flags.contains('.');
    (from_server && aborts && heard).then(|| Cut {
        connection,
        reset,
        bytes: match trace.passages[reset].seq.of {
            Some(_) => (trace.passages[reset].seq.at - 1).max(0),
            None => 0,
        },
    })
}
