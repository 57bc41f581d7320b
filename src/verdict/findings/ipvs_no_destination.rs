//! `ipvs-no-destination`: a node's IPVS drops what comes for a pod that was taken out of its service, packet after packet, and
//! keeps the entry.
//!
//! Observed on: Linux with `expire_nodest_conn=0`. Where it is 1 the first such packet ends the entry: one packet of a connection is
//! no silence. The record of the node's edge tells it; IPVS does not count it.

use super::ipvs_port_reuse::counted;
use super::{cite, count, distinct, join, lapse, name_all, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, answer};

pub(super) const KIND: &str = "ipvs-no-destination";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let dropped = super::dropped(trace, KIND);
    let of = |connection: usize| {
        let own = dropped.iter().copied();
        own.filter(move |p| trace.passages[*p].connection == Some(connection))
    };
    let connections = super::connections_of(trace, dropped.iter().copied()).into_iter();
    let connections: Vec<usize> = connections
        .filter(|one| of(*one).nth(1).is_some())
        .collect();
    let first = *connections.first()?;
    let silent: Vec<usize> = connections.iter().flat_map(|one| of(*one)).collect();
    let nodes = distinct(silent.iter().map(|p| trace.ended(*p).sender.clone()));
    let began = of(first).next().map_or(0.0, |p| trace.sent(p).t);
    let last = of(first).next_back().map_or(began, |p| trace.sent(p).t);
    let own = trace.by_connection[first].iter().copied();
    let end = own
        .filter(|p| trace.sent(*p).t > last)
        .find(|p| answer(trace.ended(*p)).is_some());
    let end = match end {
        Some(end) => format!(
            "Of {} the entry had ended when the client spoke {} later, and the node reset it.",
            quoted(trace, first),
            lapse(trace.sent(end).t - began)
        ),
        None => format!(
            "{} was silent for {} at least.",
            quoted(trace, first),
            lapse(last - began)
        ),
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "IPVS on {} dropped {} of {}, silently: the pod of their entry is in its service no more, and the entry is kept until it \
             was idle for its whole timeout (expire_nodest_conn=0). {end}",
            join(&nodes),
            count(silent.len(), "packet"),
            name_all(trace, &connections),
        ),
        packets: cite(trace, silent),
        connections,
        counters: Vec::new(),
        values: counted(
            trace,
            &nodes,
            |proxy| proxy.no_destination_drops,
            "no_destination_drops",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use crate::verdict::kit::{Kit, OLD, harmless};

    fn dropped(times: usize) -> Kit {
        let mut kit = Kit::new();
        let session = kit.connect("session", 40000, "web1", "web1");
        kit.handshake(session, OLD);
        for _ in 0..times {
            kit.now += 400.0;
            kit.up(session, "P.", OLD.client + 1, OLD.server + 1, 64);
            kit.dropped("ipvs-no-destination");
        }
        kit
    }

    fn told(kit: &Kit) -> Option<String> {
        let mut found = recognise(&kit.evidence).into_iter();
        let own = found.find(|finding| finding.kind == super::KIND);
        own.map(|finding| finding.summary)
    }

    #[test]
    fn it_tells_how_long_the_silence_was() {
        let mut kit = dropped(3);
        let told_of = told(&kit).expect("the finding");
        assert!(
            told_of
                .ends_with("(expire_nodest_conn=0). \"session\" was silent for 800.2 ms at least."),
            "{told_of}"
        );
        kit.now += 1000.0;
        kit.up(0, "P.", OLD.client + 1, OLD.server + 1, 64);
        let last = kit.evidence.packets.last_mut().expect("pushed above");
        last.fate = "answered: reset, no entry".into();
        let told_of = told(&kit).expect("the finding");
        assert!(
            told_of.ends_with(
                "Of \"session\" the entry had ended when the client spoke 1.80 s later, and the node reset it."
            ),
            "{told_of}"
        );
    }

    #[test]
    fn one_packet_that_ends_its_entry_is_no_silence() {
        assert!(told(&dropped(1)).is_none());
        assert!(told(&harmless()).is_none());
    }
}
