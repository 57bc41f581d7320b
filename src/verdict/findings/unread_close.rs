//! `unread-close`: a server's program closed a connection while something that had come over it was not read, so its kernel reset
//! it instead of closing it, and threw away what it had not sent yet.
//!
//! Observed on: every kernel (RFC 2525 section 2.17 asks for it), and servers that answer before they have read the request:
//! 413, 401, a proxy's error page. The kernel counts it (`TCPAbortOnClose`), and nothing else under that name. Not this: a
//! reset that the program asked for (`SO_LINGER`), which looks the same, so that nothing is said of a host with more resets
//! than it counted; and one for data that came after a close in order.

use super::{cite, counters, distinct, name_all, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_reset};
use std::collections::HashMap;

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
    let mut cuts: Vec<Cut> = connections.filter_map(|c| cut(trace, c)).collect();
    let mut resets: HashMap<&str, i64> = HashMap::new();
    for cut in &cuts {
        *resets.entry(host(trace, cut)).or_default() += 1;
    }
    cuts.retain(|cut| resets[host(trace, cut)] <= counted(trace, host(trace, cut)));
    let first = cuts.first()?;
    let host = host(trace, first);
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

/// Whose program did it.
fn host<'a>(trace: &Trace<'a>, cut: &Cut) -> &'a str {
    &trace.evidence.connections[cut.connection].target
}

/// How often a host's programs closed so.
fn counted(trace: &Trace, host: &str) -> i64 {
    let host = trace.evidence.hosts.get(host);
    let counter = host.and_then(|host| host.counters.get(COUNTED));
    counter.copied().unwrap_or(0)
}

/// The first that ends a connection is a RST with ACK from its server, behind data that came there.
fn cut(trace: &Trace, connection: usize) -> Option<Cut> {
    let c = &trace.evidence.connections[connection];
    if c.protocol != "tcp" || counted(trace, &c.target) == 0 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::kit::{Kit, NEW, OLD};

    /// Two connections that their server reset with something of theirs in its socket.
    fn told(counted: i64) -> Option<Finding> {
        let mut kit = Kit::new();
        for (name, port, isn) in [("one", 40000, OLD), ("two", 40001, NEW)] {
            let one = kit.connect(name, port, "web1", "web1");
            kit.handshake(one, isn);
            kit.up(one, "P.", isn.client + 1, isn.server + 1, 64);
            kit.down(one, "R.", isn.server + 1, isn.client + 65, 0);
        }
        kit.counter("web1", COUNTED, counted);
        find(&Trace::new(&kit.evidence))
    }

    #[test]
    fn a_reset_that_the_program_asked_for_cannot_be_told_from_it() {
        assert_eq!(told(2).expect("both").connections, [0, 1]);
        // Which of them it was nobody knows.
        assert_eq!(told(1), None);
        assert_eq!(told(0), None);
    }
}
