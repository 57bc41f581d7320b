//! Arrows: from where to where a packet went, past what, and where it ended if it did not arrive. All of it is the
//! record's: who sent it and who got it, whose flow it is, whether its addresses were translated, why it went no further.
//! Not here: who stands in which lane (`lanes`).

use super::lanes::{Lanes, gateway, inside, is_gateway, is_zonal, zonal_of};
use super::model::{Arrow, Place, Role, Stop, Through};
use crate::evidence::Packet;
use crate::verdict::trace::{Journey, Stretch, Trace, answer, delivered, drop_reason, ip};

/// Why a balancer itself goes no further with a packet.
const BY_BALANCER: [&str; 11] = [
    "no-listener",
    "zone-disabled",
    "no-target",
    "port-allocation",
    "flow-table-full",
    "missing-flow",
    "expired-flow",
    "half-open",
    "icmp-unsupported",
    "icmp-unrelated",
    "protocol-unsupported",
];

impl Lanes {
    /// A packet's way: one arrow, or several where it turns; each with the first and last of its stretches.
    pub fn arrows(&self, trace: &Trace, journey: &Journey) -> Vec<(Arrow, usize, usize)> {
        let mut points: Vec<Point> = Vec::new();
        let mut stop = None;
        let packets = &trace.evidence.packets;
        for (number, stretch) in journey.stretches.iter().enumerate() {
            let (leg, stopped) = self.points(trace, journey, *stretch);
            stop = stopped;
            for (place, (lane, translates)) in leg.into_iter().enumerate() {
                let point = Point {
                    lane,
                    translated: translates,
                    stretch: number,
                };
                match points.last_mut() {
                    Some(last) if last.lane == lane && (place > 0 || number > 0) => {
                        let renamed = number.checked_sub(1).is_some_and(|before| {
                            let before = &packets[journey.stretches[before].ended];
                            let now = &packets[stretch.sent];
                            (&before.from_after, &before.to_after) != (&now.from, &now.to)
                        });
                        last.translated |= translates || (place == 0 && renamed);
                    }
                    Some(_) | None => points.push(point),
                }
            }
        }
        let mut arrows = runs(&points, stop);
        let sent = &packets[journey.stretches[0].sent];
        if let Some((first, ..)) = arrows.first_mut() {
            first.midway = by_network(trace, sent);
        }
        arrows
    }

    /// The lanes of one stretch, from its sender's to where it was bound for, each with whether it translates there.
    fn points(
        &self,
        trace: &Trace,
        journey: &Journey,
        stretch: Stretch,
    ) -> (Vec<(usize, bool)>, Option<Stop>) {
        let packets = &trace.evidence.packets;
        let (sent, ended) = (&packets[stretch.sent], &packets[stretch.ended]);
        let toward = journey.toward_target;
        if !sent.seen_at.is_empty() {
            let both = [&sent.sender, &sent.receiver];
            let lanes = both.map(|name| self.named(name, toward == (name == both[0])));
            let lanes = lanes.into_iter().flatten().map(|lane| (lane, false));
            return (lanes.collect(), None);
        }
        let mut past = self.stations(trace, journey, sent, ended);
        if by_network(trace, sent) && !refused_beyond(packets, stretch.sent) {
            past.clear();
        }
        let begin = self.origin(trace, journey, sent, &past);
        // What a station made passes those behind it.
        if let Some(at) = past.iter().position(|station| station.lane == begin) {
            past.drain(..=at);
        }
        let goal = self.goal(trace, journey, ended, &past);
        past.retain(|station| station.lane != goal || !delivered(ended));
        let mut points = vec![(begin, false)];
        let through = |stations: &[Station]| {
            let through = stations.iter();
            through
                .map(|one| (one.lane, one.kind != Kind::Endpoint))
                .collect::<Vec<_>>()
        };
        if delivered(ended) {
            points.extend(through(&past));
            points.push((goal, false));
            return (points, None);
        }
        let (passed, place) = ending(trace, sent, ended, toward, &past);
        points.extend(through(&past[..passed]));
        if place != Place::End {
            points.push((past.get(passed).map_or(goal, |next| next.lane), false));
        }
        let held = ended.fate == "held";
        (points, Some(Stop { place, held }))
    }

    /// What passes a packet on between its ends, in its order.
    fn stations(
        &self,
        trace: &Trace,
        journey: &Journey,
        sent: &Packet,
        ended: &Packet,
    ) -> Vec<Station> {
        let gateway = gateway(trace, sent, ended);
        let gateway = gateway.and_then(|name| self.place(|lane| is_gateway(lane, name)));
        let (endpoint, zonal) = self.balancer(trace, journey, sent, ended);
        let all = [
            (Kind::Gateway, gateway),
            (Kind::Endpoint, endpoint),
            (Kind::Balancer, zonal),
        ];
        let stations = all.into_iter().filter_map(|(kind, lane)| {
            let lane = lane?;
            Some(Station { kind, lane })
        });
        let mut stations: Vec<Station> = stations.collect();
        if !journey.toward_target {
            stations.reverse();
        }
        stations
    }

    /// The endpoint's interface and the balancer's address that a packet passes: those of its flow; without one, those
    /// whose address it bears.
    fn balancer(
        &self,
        trace: &Trace,
        journey: &Journey,
        sent: &Packet,
        ended: &Packet,
    ) -> (Option<usize>, Option<usize>) {
        if journey
            .passage
            .is_some_and(|passage| trace.passages[passage].behind)
        {
            return (None, None);
        }
        let lane =
            |role: Role, name: &str| self.place(|lane| lane.role == role && lane.name == name);
        let flow = ended.flow.or(sent.flow);
        if let Some(flow) = flow.and_then(|flow| trace.evidence.flows.get(flow)) {
            return (
                lane(Role::Endpoint, &flow.endpoint),
                lane(Role::Zonal, &flow.via),
            );
        }
        let address = match journey.toward_target {
            true => &sent.to,
            false => &ended.from_after,
        };
        let bears =
            |role: Role| self.place(|lane| lane.role == role && lane.address == ip(address));
        let endpoint = bears(Role::Endpoint);
        let zonal = match (endpoint, journey.connection) {
            (Some(_), Some(connection)) => {
                let leads_to = zonal_of(trace, &trace.evidence.connections[connection]);
                leads_to.and_then(|name| lane(Role::Zonal, name))
            }
            (Some(_) | None, _) => bears(Role::Zonal),
        };
        (endpoint, zonal)
    }

    /// Where a packet was made: at a host, in the kernel of a balancer's address, by a station; what the network made on
    /// the way comes from the side of the other end.
    fn origin(&self, trace: &Trace, journey: &Journey, sent: &Packet, past: &[Station]) -> usize {
        let toward = journey.toward_target;
        let made = || {
            let host = trace.evidence.hosts.contains_key(&sent.sender);
            let kind = match sent.gateway.is_empty() {
                true => Kind::Balancer,
                false => Kind::Gateway,
            };
            let maker = past.iter().find(|station| station.kind == kind);
            maker.filter(|_| !host && !by_network(trace, sent))
        };
        let named = self.named(&sent.sender, toward);
        named
            .or_else(|| made().map(|station| station.lane))
            .unwrap_or_else(|| self.side(trace, journey, toward, past))
    }

    /// Where it came to, or was bound for.
    fn goal(&self, trace: &Trace, journey: &Journey, ended: &Packet, past: &[Station]) -> usize {
        let toward = journey.toward_target;
        let named = self.named(&ended.receiver, !toward);
        named.unwrap_or_else(|| self.side(trace, journey, !toward, past))
    }

    /// One end of the connection that a packet belongs to.
    fn side(&self, trace: &Trace, journey: &Journey, client: bool, past: &[Station]) -> usize {
        let leg = journey.passage.and_then(|p| trace.passages[p].leg);
        let leg = leg.map(|leg| &trace.legs[leg]);
        let connection = journey.connection.map(|c| &trace.evidence.connections[c]);
        let name = match (leg, connection) {
            (Some(leg), _) if client => &*leg.via,
            (Some(leg), _) => &*leg.target,
            (None, Some(own)) if client => &*own.from,
            (None, Some(own)) if own.proxied => zonal_of(trace, own).unwrap_or(&own.via),
            (None, Some(own)) if own.target.is_empty() => &*own.via,
            (None, Some(own)) => &*own.target,
            (None, None) => "",
        };
        let named = self.named(inside(trace, name).unwrap_or(name), client);
        // A connection that no host got has no target: it ends at the last that had it.
        let fallback = || match client {
            true => self.place(|lane| lane.role == Role::Client).unwrap_or(0),
            false => past.last().map_or(self.last(), |station| station.lane),
        };
        named.unwrap_or_else(fallback)
    }
}

/// The network itself made it, on the way: no host did and no balancer, but what they pass on each other's packets by.
pub(super) fn by_network(trace: &Trace, sent: &Packet) -> bool {
    let own = trace.evidence.hosts.contains_key(&sent.sender) || is_zonal(trace, &sent.sender);
    !own && sent.gateway.is_empty() && (sent.protocol == "icmp" || sent.sender == "fabric")
}

/// The packet that this one of the network answers, recorded before it, was past what translates it.
fn refused_beyond(packets: &[Packet], answer_to: usize) -> bool {
    let refused = answer_to.checked_sub(1).map(|before| &packets[before]);
    refused.is_some_and(|one| {
        answer(one).is_some() && (&one.from, &one.to) != (&one.from_after, &one.to_after)
    })
}

/// What passes packets on.
struct Station {
    kind: Kind,
    lane: usize,
}

/// What stands between the ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gateway,
    Endpoint,
    Balancer,
}

/// A packet that did not arrive: how many of the stations passed it on, and whether it ended at the last of them.
fn ending(
    trace: &Trace,
    sent: &Packet,
    ended: &Packet,
    toward: bool,
    past: &[Station],
) -> (usize, Place) {
    let reason = drop_reason(ended);
    if reason == Some("kernel-quirk") {
        return (0, Place::Start);
    }
    let at = |kind: Kind| past.iter().position(|station| station.kind == kind);
    let by_balancer = reason.is_some_and(|reason| BY_BALANCER.contains(&reason))
        || answer(ended).is_some_and(|how| how.starts_with("reset"))
        || refused_by_balancer(trace, ended);
    let end = if !ended.gateway.is_empty() {
        at(Kind::Gateway)
    } else if reason == Some("endpoint-without-service") {
        at(Kind::Endpoint)
    } else if by_balancer {
        at(Kind::Balancer)
    } else {
        None
    };
    match end {
        Some(last) => (last + 1, Place::End),
        None => {
            let translated = |station: &Station| passed_on(station.kind, sent, ended, toward);
            let passed = past.iter().rposition(translated);
            (passed.map_or(0, |last| last + 1), Place::Way)
        }
    }
}

/// A security group of a balancer's address refused it.
fn refused_by_balancer(trace: &Trace, ended: &Packet) -> bool {
    let mut refusals = trace.evidence.refusals.iter();
    let own = refusals.find(|refusal| refusal.packet == ended.id);
    own.is_some_and(|refusal| is_zonal(trace, &refusal.interface))
}

/// Its addresses tell that it was there: a balancer changes whom it is for, and on the way back from whom; a NAT gateway
/// the other of the two.
fn passed_on(kind: Kind, sent: &Packet, ended: &Packet, toward: bool) -> bool {
    let from = sent.from != ended.from_after;
    let to = sent.to != ended.to_after;
    match kind {
        Kind::Gateway if toward => from || to,
        Kind::Gateway => to,
        Kind::Endpoint => false,
        Kind::Balancer if toward => to,
        Kind::Balancer => from,
    }
}

/// A lane that a packet came to.
struct Point {
    lane: usize,
    translated: bool,
    /// The stretch that brought it there.
    stretch: usize,
}

/// Cuts a way where it turns.
fn runs(points: &[Point], stop: Option<Stop>) -> Vec<(Arrow, usize, usize)> {
    let mut turns = vec![0];
    for at in 1..points.len().saturating_sub(1) {
        let rises = points[at].lane > points[at - 1].lane;
        if rises != (points[at + 1].lane > points[at].lane) {
            turns.push(at);
        }
    }
    turns.push(points.len().saturating_sub(1));
    let last = turns.len() - 2;
    let arrow = |(number, ends): (usize, &[usize])| {
        let (first, end) = (ends[0], ends[1]);
        let inner = points.get(first + 1..end).unwrap_or_default();
        let arrow = Arrow {
            from: points[first].lane,
            to: points[end].lane,
            through: inner
                .iter()
                .map(|point| Through {
                    lane: point.lane,
                    translated: point.translated,
                })
                .collect(),
            midway: false,
            stop: stop.filter(|_| number == last),
        };
        let begins = points.get(first + 1).unwrap_or(&points[first]).stretch;
        (arrow, begins, points[end].stretch)
    };
    match points.is_empty() {
        true => Vec::new(),
        false => turns.windows(2).enumerate().map(arrow).collect(),
    }
}

#[cfg(test)]
mod tests;
