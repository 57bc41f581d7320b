//! `refused`: a SYN was answered with RST, because nothing listens there, or with an ICMP error, because a firewall rejects
//! it. The client's kernel says the same of both.

use super::{cite_records, counters, distinct, first_few, name_all};
use crate::evidence::Packet;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, answer, is_reset};

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
            (Some(rst), _) => by_reset.add(connection, Some(Answer::of(trace, rst))),
            (None, Some(error)) => by_error.add(connection, Some(Answer::of(trace, error))),
            // What hosts behind one router say to each other never comes into the network.
            (None, None) => match (
                reset_inside(trace, connection),
                error_inside(trace, connection),
            ) {
                (Some(rst), _) => by_reset.add(connection, Some(rst)),
                (None, Some(error)) => by_error.add(connection, Some(error)),
                (None, None) => unseen.add(connection, None),
            },
        }
    }
    let mut said = Vec::new();
    if let Some(Words {
        names,
        senders,
        one,
        places,
    }) = by_reset.words(trace)
    {
        let have = if one { "has" } else { "have" };
        said.push(format!(
            "{names} met RST in answer to the SYN: {senders} {have} nothing that listens on {places}."
        ));
    }
    if let Some(Words {
        names,
        senders,
        one,
        places,
    }) = by_error.words(trace)
    {
        let reject = if one { "rejects" } else { "reject" };
        said.push(format!(
            "{names} met an ICMP error in answer to the SYN, and no RST: {senders} {reject} what is for {places}, as a \
             firewall does, whatever listens there."
        ));
    }
    if let Some(Words { names, places, .. }) = unseen.words(trace) {
        said.push(format!(
            "{names} {} refused by {places}: with RST or with an ICMP error, which the network did not see.",
            if unseen.connections.len() == 1 { "was" } else { "were" },
        ));
    }
    let answers = by_reset.answers.iter().chain(&by_error.answers);
    let packets = cite_records(answers.map(|answer| answer.record));
    // What a host says to itself nobody sees but its own kernel.
    let connections = unseen.connections.iter().map(|c| &connections[*c]);
    let hosts = connections.map(|c| c.target.as_str());
    Some(Finding {
        kind: KIND.into(),
        summary: said.join(" "),
        packets,
        counters: counters(
            trace.evidence,
            hosts,
            &["TcpOutRsts", "IcmpOutDestUnreachs"],
        ),
        connections: refused,
        values: Vec::new(),
    })
}

/// What refused a connection.
#[derive(Clone, Copy)]
struct Answer<'a> {
    /// As whoever made it sent it.
    made: &'a Packet,
    /// Index of the packet that is cited.
    record: usize,
}

impl<'a> Answer<'a> {
    /// Of a passage.
    fn of(trace: &Trace<'a>, passage: usize) -> Self {
        Self {
            made: trace.origin(passage),
            record: trace.passages[passage].sent,
        }
    }

    /// Of what was seen on a device inside a host.
    fn seen(trace: &Trace<'a>, record: usize) -> Self {
        Self {
            made: &trace.evidence.packets[record],
            record,
        }
    }
}

/// Connections that were refused in one way.
#[derive(Default)]
struct Ways<'a> {
    connections: Vec<usize>,
    answers: Vec<Answer<'a>>,
}

impl<'a> Ways<'a> {
    fn add(&mut self, connection: usize, answer: Option<Answer<'a>>) {
        self.connections.push(connection);
        self.answers.extend(answer);
    }

    /// None: no connection was.
    fn words(&self, trace: &Trace) -> Option<Words> {
        if self.connections.is_empty() {
            return None;
        }
        let connections = &trace.evidence.connections;
        let answers: Vec<&Packet> = self.answers.iter().map(|answer| answer.made).collect();
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
        Some(Words {
            names: name_all(trace, &self.connections),
            one: senders.len() == 1,
            senders: first_few(&senders),
            places: first_few(&places),
        })
    }
}

/// What is told of connections that were refused in one way.
struct Words {
    /// Of the connections.
    names: String,
    /// Who answered.
    senders: String,
    /// That is one.
    one: bool,
    /// Where they were refused.
    places: String,
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

/// The RST that a device inside a host saw.
fn reset_inside<'a>(trace: &Trace<'a>, connection: usize) -> Option<Answer<'a>> {
    let journeys = trace.journeys().iter();
    let mut own =
        journeys.filter(|journey| journey.connection == Some(connection) && !journey.toward_target);
    own.find_map(|journey| {
        let answer = Answer::seen(trace, journey.sent());
        is_reset(answer.made).then_some(answer)
    })
}

/// The ICMP error about the SYN that a device inside a host saw; of all errors these are a refusal to the client's kernel.
fn error_inside<'a>(trace: &Trace<'a>, connection: usize) -> Option<Answer<'a>> {
    let own = &trace.evidence.connections[connection];
    let about = |packet: &Packet| {
        let message = packet.icmp.as_ref();
        let message = message.filter(|_| !packet.seen_at.is_empty());
        message.is_some_and(|message| {
            ["port unreachable", "protocol unreachable"].contains(&message.says.as_str())
                && (&message.from, &message.to) == (&own.local, &own.remote)
        })
    };
    let record = trace.evidence.packets.iter().position(about)?;
    Some(Answer::seen(trace, record))
}

/// The ICMP error that came to the client while it waited, unless it is known to be about another connection.
fn error(trace: &Trace, connection: usize) -> Option<usize> {
    let own = &trace.evidence.connections[connection];
    let first = trace.by_connection[connection].first()?;
    (*first..trace.passages.len())
        .take_while(|p| trace.sent(*p).t <= own.at + own.ms)
        .find(|p| {
            let ended = trace.ended(*p);
            let whose = trace.passages[*p].connection;
            ended.protocol == "icmp"
                && ended.receiver == own.from
                && whose.is_none_or(|whose| whose == connection)
        })
}
