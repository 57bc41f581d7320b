//! `accept-queue-full`: a server's kernel dropped SYNs because its program did not accept fast enough.
//!
//! Observed on: Linux. `TcpExtListenOverflows` counts exactly this, so the counter is enough.

use super::{count, counters, join};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "accept-queue-full";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let hosts = trace.evidence.hosts.keys().map(String::as_str);
    let overflows = counters(trace.evidence, hosts, &["TcpExtListenOverflows"]);
    let total: i64 = overflows.iter().map(|(_, _, value)| *value).sum();
    if total <= 0 {
        return None;
    }
    let hosts: Vec<String> = overflows.iter().map(|(host, _, _)| host.clone()).collect();
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "{} met a full accept queue on {} and {} dropped without a word: its program accepts too slowly for so \
             many connections, or its backlog is too small.",
            count(total.unsigned_abs() as usize, "packet"),
            join(&hosts),
            if total == 1 { "was" } else { "were" }
        ),
        packets: Vec::new(),
        connections: Vec::new(),
        counters: overflows,
        values: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::kit::Kit;

    #[test]
    fn the_kernel_s_counter_is_enough() {
        let mut kit = Kit::new();
        kit.counter("web1", "TcpExtListenOverflows", 0);
        assert!(find(&Trace::new(&kit.evidence)).is_none());
        kit.counter("web1", "TcpExtListenOverflows", 3);
        let found = find(&Trace::new(&kit.evidence)).expect("a finding");
        assert!(
            found
                .summary
                .starts_with("3 packets met a full accept queue on web1 and were dropped")
        );
        assert_eq!(found.counters.len(), 1);
    }
}
