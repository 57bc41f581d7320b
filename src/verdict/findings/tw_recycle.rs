//! `tw-recycle`: SYNs dropped by a kernel that compares timestamps by address (`net.ipv4.tcp_tw_recycle`).
//!
//! Observed on: Linux before 4.12. Nothing on the wire tells it from loss; the record of the host's edge does.

use super::{CITED, connections_of, count, distinct, join, name_all};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, drop_reason, ip};

pub(super) const KIND: &str = "tw-recycle";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    // Health checks are no passages of a trace, and are the very point here.
    let packets = &trace.evidence.packets;
    let dropped: Vec<usize> = (0..packets.len())
        .filter(|packet| drop_reason(&packets[*packet]) == Some(KIND))
        .collect();
    if dropped.is_empty() {
        return None;
    }
    let checks = dropped.iter().filter(|packet| packets[**packet].probe);
    let checks = checks.count();
    let connections = connections_of(trace, super::dropped(trace, KIND));
    let mut whose = Vec::new();
    if checks > 0 {
        whose.push(format!("{} of health checks", count(checks, "SYN")));
    }
    if dropped.len() > checks {
        whose.push(format!(
            "{} of clients",
            count(dropped.len() - checks, "SYN")
        ));
    }
    let addresses = distinct(dropped.iter().map(|packet| {
        let source = &packets[*packet].from_after;
        ip(source).to_owned()
    }));
    let of = if connections.is_empty() {
        String::new()
    } else {
        format!(" It concerns {}.", name_all(trace, &connections))
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} from {} came with an older timestamp than that address had shown before; the kernel dropped {} without a word.{of}",
            join(&whose),
            join(&addresses[..addresses.len().min(4)]),
            if dropped.len() == 1 { "it" } else { "them" },
        ),
        packets: dropped.into_iter().take(CITED).collect(),
        connections,
        counters: Vec::new(),
        values: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use crate::verdict::kit::{Kit, OLD, harmless};

    #[test]
    fn it_speaks_of_checks_and_of_clients() {
        let mut kit = Kit::new();
        let new = kit.connect("new", 40000, "front/a", "web1");
        kit.up(new, "S", OLD.client, 0, 0);
        kit.dropped("tw-recycle");
        for _ in 0..2 {
            kit.up(new, "S", 7, 0, 0);
            kit.dropped("tw-recycle");
            let check = kit.evidence.packets.last_mut().expect("a packet");
            check.probe = true;
            check.from_after = "10.0.15.10:60000".into();
        }
        let found = recognise(&kit.evidence);
        let found = found.iter().find(|f| f.kind == super::KIND);
        let found = found.expect("the finding");
        assert_eq!(
            found.summary,
            "2 SYNs of health checks and 1 SYN of clients from 198.51.100.7 and 10.0.15.10 came with an older \
             timestamp than that address had shown before; the kernel dropped them without a word. It concerns \"new\"."
        );
        assert_eq!(
            (&found.packets, &found.connections),
            (&vec![0, 1, 2], &vec![0])
        );
    }

    #[test]
    fn it_is_silent_where_nothing_was_dropped_for_it() {
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|f| f.kind != super::KIND));
    }
}
