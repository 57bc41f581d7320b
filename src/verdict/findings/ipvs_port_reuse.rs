//! `ipvs-port-reuse`: a node's IPVS found an old entry for the port of a SYN, ended it, and dropped the SYN with it.
//!
//! Observed on: Linux before 5.9 with `conn_reuse_mode=1` and `conntrack=1`, as kube-proxy's mode ipvs had it before #71114. On the
//! wire nothing tells it from loss, and IPVS does not count it; the record of the node's edge does.

use super::{cite, connections_of, count, distinct, item, join, lapse, name_all, quoted};
use crate::verdict::Finding;
use crate::verdict::trace::Trace;

pub(super) const KIND: &str = "ipvs-port-reuse";

pub(super) fn find(trace: &Trace) -> Option<Finding> {
    let dropped = super::dropped(trace, KIND);
    if dropped.is_empty() {
        return None;
    }
    let nodes = distinct(dropped.iter().map(|p| trace.ended(*p).sender.clone()));
    let connections = connections_of(trace, dropped.iter().copied());
    let first = connections.first().map(|first| {
        let own = &trace.evidence.connections[*first];
        let syns = count(own.syns.unsigned_abs() as usize, "SYN");
        match own.error.as_str() {
            "" => format!(
                " {} stood after {} and {syns}.",
                quoted(trace, *first),
                lapse(own.ms)
            ),
            error => format!(" {} never stood: {error}, {syns}.", quoted(trace, *first)),
        }
    });
    let whose = match connections.is_empty() {
        true => String::new(),
        false => format!(" of {}", name_all(trace, &connections)),
    };
    Some(Finding {
        kind: KIND.into(),
        summary: format!(
            "IPVS on {} dropped {}{whose}: it had an entry for the port still, of a connection that is over, and ended it together with \
             the SYN (conn_reuse_mode with conntrack, before Linux 5.9). Nothing counts that there.{}",
            join(&nodes),
            count(dropped.len(), "SYN"),
            first.unwrap_or_default(),
        ),
        packets: cite(trace, dropped),
        connections,
        counters: Vec::new(),
        values: counted(
            trace,
            &nodes,
            |proxy| proxy.port_reuse_drops,
            "port_reuse_drops",
        ),
    })
}

/// What the nodes' service proxies counted, as expressions name it.
pub(super) fn counted(
    trace: &Trace,
    nodes: &[String],
    figure: impl Fn(&crate::evidence::ServiceProxy) -> i64,
    name: &str,
) -> Vec<(String, serde_json::Value)> {
    let of = |node: &String| {
        let proxy = trace.evidence.hosts.get(node)?.service_proxy.as_ref()?;
        let path = format!("{}.service_proxy.{name}", item("hosts", node));
        Some((path, figure(proxy).into()))
    };
    nodes.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::recognise;
    use crate::evidence::ServiceProxy;
    use crate::verdict::kit::{Kit, OLD, harmless};

    #[test]
    fn it_names_the_node_the_knobs_and_what_the_client_felt() {
        let mut kit = Kit::new();
        let new = kit.connect("new", 40000, "web1", "web1");
        kit.up(new, "S", OLD.client, 0, 0);
        kit.dropped("ipvs-port-reuse");
        kit.evidence.packets[0].sender = "client".into();
        (kit.of(new).syns, kit.of(new).ms) = (2, 1033.0);
        let client = kit.evidence.hosts.get_mut("client").expect("a host");
        client.service_proxy = Some(ServiceProxy {
            port_reuse_drops: 1,
            ..ServiceProxy::default()
        });
        let found = recognise(&kit.evidence);
        let found = found.iter().find(|f| f.kind == super::KIND);
        let found = found.expect("the finding");
        assert_eq!(
            found.summary,
            "IPVS on client dropped 1 SYN of \"new\": it had an entry for the port still, of a connection that is over, and ended it \
             together with the SYN (conn_reuse_mode with conntrack, before Linux 5.9). Nothing counts that there. \"new\" stood \
             after 1.03 s and 2 SYNs."
        );
        assert_eq!((&found.packets, &found.connections), (&vec![0], &vec![0]));
        let path = "hosts.client.service_proxy.port_reuse_drops";
        assert_eq!(found.values, [(path.to_owned(), 1.into())]);
        // Who gives up before the second SYN never stands.
        kit.of(new).error = "timeout".into();
        let found = recognise(&kit.evidence);
        let found = found.iter().find(|f| f.kind == super::KIND);
        let found = &found.expect("the finding").summary;
        assert!(
            found.ends_with("\"new\" never stood: timeout, 2 SYNs."),
            "{found}"
        );
    }

    #[test]
    fn it_is_silent_where_nothing_was_dropped_for_it() {
        let found = recognise(&harmless().evidence);
        assert!(found.iter().all(|f| f.kind != super::KIND));
    }
}
