//! `stale-connection`: alive at one end only, and that end has not been told.
//!
//! The kernel's socket tables after the last step are the witnesses. Where two connections are one 4-tuple to the
//! target, a socket there belongs to the one that came to stand last. A connection that the balancer's own kernel
//! answers (a TLS listener's) has no socket at the target even when all is well: nothing is said of it.

use super::{cite, counters, distinct, name_all, quoted};
use crate::evidence::Connection;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, end, is_later_fragment};
use std::collections::{HashMap, HashSet};

pub(super) const KIND: &str = "stale-connection";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = &trace.evidence.connections;
    let latest = latest_users(connections);
    let mut at_client = Vec::new();
    let mut at_server = Vec::new();
    for (i, connection) in connections.iter().enumerate() {
        // A port used again for the same destination: the socket is the later connection's.
        let own = latest.get(&(connection.local.as_str(), connection.remote.as_str())) == Some(&i);
        if !connection.error.is_empty()
            || !own
            || !trace.evidence.hosts.contains_key(&connection.target)
            || ends_elsewhere(trace, i)
        {
            continue;
        }
        let owns = owner(trace, i) == i;
        let gone = |state: &str| matches!(state, "" | "CLOSE" | "TIME_WAIT");
        // A client in CLOSE_WAIT has been told.
        let open = matches!(
            connection.client_state.as_str(),
            "ESTABLISHED" | "FIN_WAIT2"
        );
        if open && (!owns || gone(&connection.server_state)) && !was_told(trace, i) {
            at_client.push(i);
        } else if owns
            && connection.server_state == "ESTABLISHED"
            && gone(&connection.client_state)
            && !said_goodbye(trace, i)
        {
            at_server.push(i);
        }
    }
    if at_client.is_empty() && at_server.is_empty() {
        return None;
    }
    let mut sentences = Vec::new();
    match at_client.as_slice() {
        [] => {}
        [one] => sentences.push(tell(trace, *one)),
        many => sentences.push(tell_many(trace, many)),
    }
    if !at_server.is_empty() {
        sentences.push(standing(trace, &at_server));
    }
    let all: Vec<usize> = at_client.iter().chain(&at_server).copied().collect();
    let last = all.iter().take(3).flat_map(|c| resent(trace, *c));
    let targets = distinct(all.iter().map(|c| server(&connections[*c])));
    Some(Finding {
        kind: KIND.into(),
        summary: sentences.join(" "),
        packets: cite(trace, last),
        connections: all.clone(),
        counters: counters(
            trace.evidence,
            targets,
            &[
                "TcpEstabResets",
                "TcpExtPAWSEstab",
                "TcpExtTCPAbortOnData",
                "TcpOutRsts",
            ],
        ),
        values: Vec::new(),
    })
}

/// Which connections stand at which server, though their clients are gone.
fn standing(trace: &Trace, at_server: &[usize]) -> String {
    let connections = &trace.evidence.connections;
    let servers = distinct(at_server.iter().map(|c| server(&connections[*c])));
    let mut places = servers.iter().map(|name| {
        let there = at_server.iter().copied();
        let there: Vec<usize> = there
            .filter(|c| server(&connections[*c]) == *name)
            .collect();
        (name_all(trace, &there), there.len(), name)
    });
    let (names, many, place) = places.next().expect("one at least stands");
    let stand = if many == 1 { "stands" } else { "stand" };
    let mut parts = vec![format!("{names} still {stand} at {place}")];
    parts.extend(places.map(|(names, _, place)| format!("{names} at {place}")));
    let them = if at_server.len() == 1 { "it" } else { "them" };
    format!(
        "{}, and the client has no socket for {them}.",
        parts.join(", ")
    )
}

/// Whose socket is, or was, at the other end: not always the target's, which may only pass on what comes.
fn server(connection: &Connection) -> &str {
    match connection.server.as_str() {
        "" => &connection.target,
        server => server,
    }
}

/// The connection that was started last on each pair of addresses at the client.
fn latest_users(connections: &[Connection]) -> HashMap<(&str, &str), usize> {
    let mut latest: HashMap<(&str, &str), usize> = HashMap::new();
    for (i, c) in connections.iter().enumerate() {
        let user = latest.entry((&c.local, &c.remote)).or_insert(i);
        if c.at >= connections[*user].at {
            *user = i;
        }
    }
    latest
}

/// To which connection a socket at the target belongs that has this one's 4-tuple: the last that came to stand.
fn owner(trace: &Trace, connection: usize) -> usize {
    let connections = &trace.evidence.connections;
    let stood = |c: &&usize| connections[**c].error.is_empty();
    let when = |c: &usize| connections[*c].at + connections[*c].ms;
    let family = std::iter::once(&connection).chain(trace.lookalikes(connection));
    family
        .filter(stood)
        .max_by(|a, b| when(a).total_cmp(&when(b)))
        .copied()
        .unwrap_or(connection)
}

/// What the client sent came to another kernel than the target's.
fn ends_elsewhere(trace: &Trace, connection: usize) -> bool {
    let target = &trace.evidence.connections[connection].target;
    trace.by_connection[connection].iter().any(|p| {
        let packet = trace.ended(*p);
        trace.passages[*p].toward_target && packet.fate == "forwarded" && packet.receiver != *target
    })
}

/// The client's FIN or RST arrived: the server is about to notice.
fn said_goodbye(trace: &Trace, connection: usize) -> bool {
    trace.by_connection[connection].iter().any(|p| {
        trace.passages[*p].toward_target
            && trace.sent(*p).flags.contains(['F', 'R'])
            && trace.ended(*p).fate == "forwarded"
    })
}

/// The client's kernel has acknowledged the server's FIN: tables of sockets are looked at one after the other, and the
/// client's was before it came.
fn was_told(trace: &Trace, connection: usize) -> bool {
    let mut ends = HashSet::new();
    trace.by_connection[connection].iter().any(|p| {
        let sent = trace.sent(*p);
        let toward_target = trace.passages[*p].toward_target;
        if !toward_target && sent.flags.contains('F') {
            ends.insert(end(sent));
        }
        toward_target && sent.flags.contains('.') && ends.contains(&sent.ack)
    })
}

/// Passages of the client's last data segment, first sending and repetitions.
fn resent(trace: &Trace, connection: usize) -> Vec<usize> {
    let data: Vec<usize> = trace.by_connection[connection]
        .iter()
        .copied()
        .filter(|p| trace.passages[*p].toward_target && trace.sent(*p).len > 0)
        .filter(|p| !is_later_fragment(trace.sent(*p)))
        .collect();
    let Some(last) = data.last() else {
        return Vec::new();
    };
    let seq = trace.sent(*last).seq;
    data.into_iter()
        .filter(|p| trace.sent(*p).seq == seq)
        .collect()
}

fn tell(trace: &Trace, connection: usize) -> String {
    let c = &trace.evidence.connections[connection];
    let name = quoted(trace, connection);
    let owner = owner(trace, connection);
    let mut text = format!(
        "{name} is {} at {} and gone at {}",
        c.client_state,
        c.from,
        server(c)
    );
    if owner != connection {
        text.push_str(&format!(
            ", where its 4-tuple has become that of {}",
            quoted(trace, owner)
        ));
    }
    if !c.server_error.is_empty() {
        text.push_str(&format!(
            "; the server's program met \"{}\"",
            c.server_error
        ));
    }
    text.push_str(". Nobody told the client");
    if c.unacked > 0 {
        let sent = resent(trace, connection).len();
        let times = if sent > 1 {
            format!("; the last segment was sent {sent} times")
        } else {
            String::new()
        };
        text.push_str(&format!(
            ": {} bytes are not acknowledged{times}",
            c.unacked
        ));
    }
    text.push('.');
    text
}

fn tell_many(trace: &Trace, many: &[usize]) -> String {
    let connections = &trace.evidence.connections;
    let taken = many.iter().filter(|c| owner(trace, **c) != **c).count();
    let unacked = many.iter().filter(|c| connections[**c].unacked > 0).count();
    let taken = match taken {
        0 => String::new(),
        n => format!(
            " For {n} of them the 4-tuple at the server has become that of a later connection."
        ),
    };
    let unacked = match unacked {
        0 => String::new(),
        n => format!(" On {n} of them bytes wait for an acknowledgement."),
    };
    format!(
        "{} of {} connections are alive at the client only ({}): the server has no socket for them any more.{taken}\
         {unacked} The first: {}",
        many.len(),
        connections.len(),
        name_all(trace, many),
        tell(trace, many[0]),
    )
}
