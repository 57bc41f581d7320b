//! `refused`: a SYN was answered with RST, because nothing listens there, or with an ICMP error, because a firewall rejects
//! it. The client's kernel says the same of both.

use super::{cite, distinct, first_few, name_all};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::trace::{ROUNDING, Trace, answer, is_reset};

pub(super) const KIND: &str = "refused";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let connections = &trace.evidence.connections;
    let refused: Vec<usize> = (0..connections.len())
        .filter(|c| connections[*c].error == "refused" && !is_turned_away(trace, *c))
        .collect();
    if refused.is_empty() {
        return None;
    }
    let mut by_reset = Ways::default();
    let mut by_error = Ways::default();
    let mut unseen = Ways::default();
    for connection in refused.iter().copied() {
        match (reset(trace, connection), error(trace, connection)) {
            (Some(rst), _) => by_reset.add(connection, Some(rst)),
            (None, Some(error)) => by_error.add(connection, Some(error)),
            (None, None) => unseen.add(connection, None),
        }
    }
    let mut said = Vec::new();
    if let Some((names, senders, places)) = by_reset.words(trace) {
        said.push(format!(
            "{names} met RST in answer to the SYN: {senders} has nothing that listens on {places}."
        ));
    }
    if let Some((names, senders, places)) = by_error.words(trace) {
        said.push(format!(
            "{names} met an ICMP error in answer to the SYN, and no RST: {senders} rejects what is for {places}, as a \
             firewall does, whatever listens there."
        ));
    }
    if let Some((names, _, places)) = unseen.words(trace) {
        said.push(format!(
            "{names} {} refused by {places}: with RST or with an ICMP error, which the network did not see.",
            if unseen.connections.len() == 1 { "was" } else { "were" },
        ));
    }
    let answers = by_reset.answers.into_iter().chain(by_error.answers);
    Some(Finding {
        kind: KIND.into(),
        summary: said.join(" "),
        packets: cite(trace, answers),
        connections: refused,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

/// Connections that were refused in one way.
#[derive(Default)]
struct Ways {
    connections: Vec<usize>,
    /// Passages.
    answers: Vec<usize>,
}

impl Ways {
    fn add(&mut self, connection: usize, answer: Option<usize>) {
        self.connections.push(connection);
        self.answers.extend(answer);
    }

    /// Names of the connections, of those who answered, and where they were refused; none: nowhere.
    fn words(&self, trace: &Trace) -> Option<(String, String, String)> {
        if self.connections.is_empty() {
            return None;
        }
        let connections = &trace.evidence.connections;
        let answers: Vec<&Packet> = self.answers.iter().map(|p| trace.origin(*p)).collect();
        let senders = distinct(answers.iter().map(|answer| answer.sender.clone()));
        // Who answers with RST does so from where he was asked; forwarders on the way may have changed that.
        let is_host = |answer: &Packet| trace.evidence.hosts.contains_key(&answer.sender);
        let asked = answers
            .iter()
            .filter(|answer| is_reset(answer) && is_host(answer));
        let mut places = distinct(asked.map(|answer| answer.from.clone()));
        if places.is_empty() {
            places = distinct(self.connections.iter().map(|c| {
                let c = &connections[*c];
                match c.target_address.as_str() {
                    "" => c.remote.clone(),
                    target => target.to_owned(),
                }
            }));
        }
        Some((
            name_all(trace, &self.connections),
            first_few(&senders),
            first_few(&places),
        ))
    }
}

/// The RST is the balancer's own, whatever listens at the target (see `unhealthy_reset`).
fn is_turned_away(trace: &Trace, connection: usize) -> bool {
    let mut passages = trace.by_connection[connection].iter();
    passages.any(|p| answer(trace.ended(*p)) == Some("reset, unhealthy target"))
}

/// The RST.
fn reset(trace: &Trace, connection: usize) -> Option<usize> {
    let mut passages = trace.by_connection[connection].iter().copied();
    passages.find(|p| !trace.passages[*p].toward_target && is_reset(trace.sent(*p)))
}

/// The ICMP error that came to the client while it waited, unless it is known to be about another connection.
fn error(trace: &Trace, connection: usize) -> Option<usize> {
    let own = &trace.evidence.connections[connection];
    let first = trace.by_connection[connection].first()?;
    (*first..trace.passages.len())
        .take_while(|p| trace.sent(*p).t <= own.at + own.ms + ROUNDING)
        .find(|p| {
            let ended = trace.ended(*p);
            let whose = trace.passages[*p].connection;
            ended.protocol == "icmp"
                && ended.receiver == own.from
                && whose.is_none_or(|whose| whose == connection)
        })
}
