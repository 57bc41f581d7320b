//! `black-hole`: a proxying balancer has lost its connection to the server, keeps the client's, acknowledges what comes
//! over it, and throws it away.
//!
//! Observed on: AWS Classic Load Balancers before connection draining, when an instance was deregistered.

use super::{cite, count, lapse, quoted};
use crate::evidence::Pair;
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, delivered, is_later_fragment, is_reset};

pub(super) const KIND: &str = "black-hole";

/// What became of a client that was told nothing.
struct Hole {
    connection: usize,
    /// The balancer's or the server's FIN or RST between the two.
    end: Option<usize>,
    /// What the client sent after that and was acknowledged.
    swallowed: Vec<usize>,
    /// The last acknowledgement.
    acknowledged: usize,
    bytes: i64,
}

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let holes: Vec<Hole> = (0..trace.evidence.connections.len())
        .filter_map(|connection| hole(trace, connection))
        .collect();
    let first = holes.first()?;
    let connections: Vec<usize> = holes.iter().map(|hole| hole.connection).collect();
    let pair = pair(trace, first.connection)?;
    let packets = holes.iter().flat_map(|hole| {
        let ends = [hole.swallowed.first(), hole.swallowed.last()];
        let ends = ends.into_iter().flatten().copied();
        hole.end.into_iter().chain(ends).chain([hole.acknowledged])
    });
    let bytes: i64 = holes.iter().map(|hole| hole.bytes).sum();
    let who = match holes.len() {
        1 => quoted(trace, first.connection),
        several => count(several, "connection"),
    };
    let how = match first.end.map(|end| trace.sent(end)) {
        Some(packet) if packet.sender == pair.target && is_reset(packet) => {
            format!("{} reset its connection with {}", pair.target, pair.via)
        }
        Some(packet) if packet.sender == pair.target => {
            format!("{} closed its connection with {}", pair.target, pair.via)
        }
        Some(_) | None => format!("{} ended its connection with {}", pair.via, pair.target),
    };
    let since = trace.sent(*first.swallowed.first()?).t;
    let lasted = trace.sent(first.acknowledged).t - since;
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{how} and told the client nothing: it went on acknowledging what came over {who}, for {} from the first such \
             packet on, and threw {bytes} bytes away.",
            lapse(lasted)
        ),
        packets: cite(trace, packets),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

fn pair<'a>(trace: &Trace<'a>, connection: usize) -> Option<&'a Pair> {
    let evidence = trace.evidence;
    evidence.pairs.get(evidence.connections[connection].pair?)
}

/// Bytes that a balancer took after the connection to the target had gone, were acknowledged, and before the client was
/// told of the end.
fn hole(trace: &Trace, connection: usize) -> Option<Hole> {
    let pair = pair(trace, connection)?;
    let gone = pair.target_closed?;
    // It gave both up at once; what came until the client heard of it is a matter of distance, and of how busy the machine was.
    if pair.closed == Some(gone) {
        return None;
    }
    let carried = pair.bytes;
    let bytes = carried.from_client - carried.to_target;
    if bytes <= 0 {
        return None;
    }
    let own = || trace.by_connection[connection].iter().copied();
    let at_client = |p: &usize| !trace.passages[*p].behind;
    let told = own()
        .filter(at_client)
        .find(|p| !trace.passages[*p].toward_target && trace.sent(*p).flags.contains(['F', 'R']));
    let until = told.map_or(f64::INFINITY, |p| trace.sent(p).t);
    let swallowed: Vec<usize> = own()
        .filter(at_client)
        .filter(|p| trace.passages[*p].toward_target && delivered(trace.ended(*p)))
        .filter(|p| trace.sent(*p).len > 0 && !is_later_fragment(trace.sent(*p)))
        .filter(|p| (gone..until).contains(&trace.sent(*p).t))
        .collect();
    let last = *swallowed.last()?;
    let acknowledged = own().filter(at_client).rfind(|p| {
        let packet = trace.sent(*p);
        !trace.passages[*p].toward_target
            && packet.flags.contains('.')
            && !packet.flags.contains('R')
            && (trace.sent(swallowed[0]).t..until).contains(&packet.t)
            && trace.passages[*p].ack.at > trace.passages[swallowed[0]].seq.at
    })?;
    let end = own().find(|p| {
        trace.passages[*p].behind
            && trace.sent(*p).flags.contains(['F', 'R'])
            && trace.sent(*p).t <= trace.sent(last).t
    });
    Some(Hole {
        connection,
        end,
        swallowed,
        acknowledged,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::kit::{Kit, carried};

    /// A client says something to the balancer, which acknowledges it, before and after it gave up the server.
    fn story(after: impl FnOnce(&mut Kit, usize)) -> Option<Finding> {
        let mut kit = Kit::new();
        let talk = kit.proxied("talk", 40001, "front/a", "web1");
        kit.up(talk, "S", 100, 0, 0);
        kit.down(talk, "S.", 500, 101, 0);
        kit.up(talk, "P.", 101, 501, 200);
        kit.down(talk, ".", 501, 301, 0);
        kit.now = 10.0;
        after(&mut kit, talk);
        find(&Trace::new(&kit.evidence))
    }

    fn swallow(kit: &mut Kit, talk: usize) {
        let pair = &mut kit.evidence.pairs[0];
        pair.bytes = carried(600, 200);
        pair.target_closed = Some(10.0);
        kit.up(talk, "P.", 301, 501, 200);
        kit.down(talk, ".", 501, 501, 0);
        kit.up(talk, "P.", 501, 501, 200);
        kit.down(talk, ".", 501, 701, 0);
    }

    #[test]
    fn it_counts_what_was_acknowledged_and_went_nowhere() {
        let found = story(swallow).expect("a finding");
        assert!(
            found
                .summary
                .starts_with("front/a ended its connection with web1 and told the client nothing"),
            "{}",
            found.summary
        );
        assert!(
            found.summary.ends_with("threw 400 bytes away."),
            "{}",
            found.summary
        );
        assert_eq!(found.connections, [0]);
        assert!(found.packets.len() >= 3);
    }

    #[test]
    fn it_is_silent_when_the_client_is_told_at_once() {
        let found = story(|kit, talk| {
            kit.down(talk, "R.", 501, 301, 0);
            swallow(kit, talk);
        });
        assert!(found.is_none());
    }

    #[test]
    fn it_is_silent_when_all_was_passed_on() {
        let found = story(|kit, talk| {
            swallow(kit, talk);
            kit.evidence.pairs[0].bytes = carried(600, 600);
        });
        assert!(found.is_none());
    }

    #[test]
    fn it_is_silent_when_the_server_is_only_slow() {
        let found = story(|kit, talk| {
            swallow(kit, talk);
            kit.evidence.pairs[0].target_closed = None;
        });
        assert!(found.is_none());
    }

    #[test]
    fn it_is_silent_when_both_connections_were_given_up_at_once_and_the_client_heard_of_it_late() {
        let found = story(|kit, talk| {
            swallow(kit, talk);
            kit.evidence.pairs[0].closed = Some(10.0);
            kit.down(talk, "R.", 501, 701, 0);
        });
        assert!(found.is_none());
    }

    #[test]
    fn it_speaks_of_a_client_that_was_told_later() {
        let found = story(|kit, talk| {
            swallow(kit, talk);
            kit.evidence.pairs[0].closed = Some(kit.now);
            kit.down(talk, "F.", 501, 701, 0);
        });
        assert!(found.is_some());
    }

    #[test]
    fn it_is_silent_when_nothing_was_acknowledged() {
        let found = story(|kit, talk| {
            let pair = &mut kit.evidence.pairs[0];
            pair.bytes = carried(400, 200);
            pair.target_closed = Some(10.0);
            kit.up(talk, "P.", 301, 501, 200);
        });
        assert!(found.is_none());
    }
}
