//! Metrics and flow logs against counts made here from the packets of the saved evidence, by rules written anew.

mod classic;
mod flow_logs;
mod requests;

use flow_logs::same_records;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Events that classic balancers count.
const CLASSIC_SUMS: [&str; 11] = [
    "RequestCount",
    "BackendConnectionErrors",
    "SpilloverCount",
    "EstimatedALBNewConnectionCount",
    "EstimatedProcessedBytes",
    "HTTPCode_ELB_4XX",
    "HTTPCode_ELB_5XX",
    "HTTPCode_Backend_2XX",
    "HTTPCode_Backend_3XX",
    "HTTPCode_Backend_4XX",
    "HTTPCode_Backend_5XX",
];

/// The folders of all cases below.
pub fn cases(folder: &Path) -> Vec<PathBuf> {
    if folder.join("case.json").is_file() {
        return vec![folder.to_owned()];
    }
    let mut inner: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder of evidence")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    inner.sort();
    inner.iter().flat_map(|path| cases(path)).collect()
}

/// What does not agree in one case.
pub fn complaints(folder: &Path) -> Vec<String> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file of evidence");
    let evidence: Value = serde_json::from_str(&read("evidence.json")).expect("JSON");
    assert_eq!(evidence["packets_cut"], 0, "{}", folder.display());
    let case = Case::new(&evidence);
    let mut complaints = case.metrics();
    complaints.extend(case.of_classic());
    complaints.extend(case.hosts_of_classic());
    complaints.extend(case.published());
    complaints.extend(case.flow_logs(&read("flow-logs-v5.txt")));
    complaints.extend(same_records(
        &read("flow-logs.txt"),
        &read("flow-logs-v5.txt"),
    ));
    let place = folder.display();
    complaints
        .iter()
        .map(|one| format!("{place}: {one}"))
        .collect()
}

/// A packet as it was sent, and as it ended.
struct Passage<'a> {
    sent: &'a Value,
    ended: &'a Value,
}

impl Passage<'_> {
    fn text(&self, field: &str) -> &str {
        self.sent[field].as_str().expect("text")
    }

    fn fate(&self) -> &str {
        self.ended["fate"].as_str().expect("text")
    }

    fn count(&self, field: &str) -> i64 {
        self.ended[field].as_i64().expect("a number")
    }

    fn is_translated(&self) -> bool {
        (&self.sent["from"], &self.sent["to"])
            != (&self.ended["from_after"], &self.ended["to_after"])
    }

    fn is_probe(&self) -> bool {
        self.sent["probe"] == true
    }
}

struct Case<'a> {
    evidence: &'a Value,
    passages: Vec<Passage<'a>>,
    /// Zonal addresses and hosts by their addresses.
    by_address: BTreeMap<&'a str, &'a str>,
}

type Counts = BTreeMap<(String, &'static str), i64>;

/// `10.0.0.1` of `10.0.0.1:80`, `2001:db8::1` of `[2001:db8::1]:80`
fn address(end: &str) -> &str {
    let (address, _) = end.rsplit_once(':').expect("an address and a port");
    address.trim_start_matches('[').trim_end_matches(']')
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().expect("a list")
}

impl<'a> Case<'a> {
    fn new(evidence: &'a Value) -> Self {
        let mut passages: BTreeMap<i64, Passage> = BTreeMap::new();
        // What devices inside hosts saw is no packet of the network's.
        let packets = list(evidence, "packets").iter();
        for packet in packets.filter(|packet| packet["seen_at"] == "") {
            let id = packet["id"].as_i64().expect("a number");
            let passage = passages.entry(id).or_insert(Passage {
                sent: packet,
                ended: packet,
            });
            passage.ended = packet;
        }
        let mut by_address = BTreeMap::new();
        for interface in list(evidence, "interfaces") {
            for address in list(interface, "addresses") {
                let name = interface["name"].as_str().expect("a name");
                by_address.insert(address.as_str().expect("an address"), name);
            }
        }
        Self {
            evidence,
            passages: passages.into_values().collect(),
            by_address,
        }
    }

    /// True for a zonal address of a network balancer: only those count flows and packets.
    fn counts_packets(&self, name: &str) -> bool {
        name.split_once('/').is_some_and(|(balancer, _)| {
            let metrics = &self.evidence["load_balancers"][balancer]["metrics"];
            metrics.get("NewFlowCount").is_some()
        })
    }

    /// The zonal address behind an endpoint's interface; itself, of any other.
    fn leads_to(&self, name: &'a str) -> &'a str {
        let behind = name.split_once('/').and_then(|(endpoint, zone)| {
            self.evidence["endpoints"][endpoint]["leads_to"][zone].as_str()
        });
        behind.unwrap_or(name)
    }

    /// No host and no zonal address's kernel sent it.
    fn is_made(&self, passage: &Passage) -> bool {
        let sender = passage.text("sender");
        sender == "fabric" || self.evidence["load_balancers"].get(sender).is_some()
    }

    fn flow(&self, passage: &Passage) -> Option<&'a Value> {
        let number = passage.ended["flow"].as_u64()?;
        list(self.evidence, "flows").get(number as usize)
    }

    /// What each zonal address must have counted.
    fn expected(&self) -> Counts {
        let mut counts = Counts::new();
        let mut add = |node: &str, metric, n| {
            *counts.entry((node.to_owned(), metric)).or_default() += n;
        };
        for passage in &self.passages {
            let to = self.by_address.get(address(passage.text("to")));
            let is_reset = passage.text("flags").contains('R');
            // What a guard turns away at the border is never the balancer's, nor what has no way to begin with.
            let turned = ["network-acl", "security-group-egress", "not-routable"];
            if passage.is_probe() && turned.iter().any(|word| passage.fate().contains(word)) {
                continue;
            }
            if passage.is_probe() {
                // A proxy that is checked sends as a host does.
                let sender = passage.text("sender");
                let node = Some(&sender)
                    .filter(|name| self.counts_packets(name))
                    .or(to);
                if let Some(node) = node.filter(|name| self.counts_packets(name)) {
                    add(node, "ProcessedPackets", passage.count("wire_packets"));
                }
                continue;
            }
            let flow = self.flow(passage);
            let via = flow.and_then(|flow| flow["via"].as_str());
            // What comes to an endpoint comes to a balancer.
            let to = to.map(|name| self.leads_to(name));
            if self.is_made(passage) {
                let from = self.by_address.get(address(passage.text("from")));
                // What tells the kernel behind a TLS listener goes no further.
                let inward = via.is_some() && via == to;
                if let (true, false, Some(node)) = (is_reset, inward, via.or(from.copied())) {
                    add(node, "TCP_ELB_Reset_Count", 1);
                }
                continue;
            }
            let sender = passage.text("sender");
            if is_reset && via.is_none() && self.counts_packets(sender) {
                // A TLS listener's own connection to a target.
                add(sender, "TCP_ELB_Reset_Count", 1);
            }
            match (passage.fate(), to) {
                ("dropped: no-target" | "dropped: flow-table-full", Some(node)) => {
                    add(node, "RejectedFlowCount", 1);
                }
                ("dropped: port-allocation", Some(node)) => {
                    add(node, "PortAllocationErrorCount", 1);
                }
                _ => {}
            }
            if let (true, Some(flow), Some(node)) = (passage.is_translated(), flow, via) {
                add(node, "ProcessedPackets", passage.count("wire_packets"));
                add(node, "ProcessedBytes", passage.count("wire_bytes"));
                let from_client = flow["listener"] == passage.sent["to"];
                if is_reset && from_client {
                    add(node, "TCP_Client_Reset_Count", 1);
                } else if is_reset {
                    add(node, "TCP_Target_Reset_Count", 1);
                }
            }
        }
        for flow in list(self.evidence, "flows") {
            let node = flow["via"].as_str().expect("a zonal address");
            add(node, "NewFlowCount", 1);
            if let Some("syn-sent" | "established" | "closing") = flow["state"].as_str() {
                add(node, "ActiveFlowCount", 1);
            }
        }
        counts
    }

    fn metrics(&self) -> Vec<String> {
        const COUNTED: &[&str] = &[
            "ActiveFlowCount",
            "NewFlowCount",
            "ProcessedBytes",
            "ProcessedPackets",
            "TCP_Client_Reset_Count",
            "TCP_Target_Reset_Count",
            "TCP_ELB_Reset_Count",
            "RejectedFlowCount",
            "PortAllocationErrorCount",
        ];
        let expected = self.expected();
        let mut complaints = Vec::new();
        for (balancer, record) in self.evidence["load_balancers"].as_object().expect("a map") {
            if record["metrics"].get("NewFlowCount").is_none() {
                continue;
            }
            for metric in COUNTED {
                let mut sum = 0;
                // An IPv6 header is longer by 20 bytes, and a packet that changes its family has both in its turn; what
                // a TLS listener's own connections carry is no flow.
                let tls = record["metrics"]["NewFlowCount_TLS"] != 0;
                let mixed = self.by_address.keys().any(|address| address.contains(':'));
                if (tls && metric.starts_with("Processed"))
                    || (mixed && *metric == "ProcessedBytes")
                {
                    continue;
                }
                for (zone, record) in record["zones"].as_object().expect("a map") {
                    let node = format!("{balancer}/{zone}");
                    let told = record["metrics"][metric].as_i64().expect("a number");
                    let counted = expected.get(&(node.clone(), *metric)).copied();
                    let counted = counted.unwrap_or(0);
                    if told != counted {
                        complaints
                            .push(format!("{node} {metric} {told}, and packets say {counted}"));
                    }
                    sum += told;
                }
                if record["metrics"][metric].as_i64() != Some(sum) {
                    complaints.push(format!("{balancer} {metric} is not the sum of its zones"));
                }
            }
        }
        complaints
    }

    /// What a NAT gateway counted, against the packets that ended there.
    fn of_gateway(&self, gateway: &str, metric: &Value) -> Option<String> {
        let name = metric["MetricName"].as_str().expect("a name");
        let ended = |prefix: &'static str| {
            let packets = list(self.evidence, "packets").iter();
            packets.filter(move |p| {
                let fate = p["fate"].as_str().expect("text");
                p["gateway"] == gateway && fate.starts_with(prefix)
            })
        };
        let counted = match name {
            "ErrorPortAllocation" | "dropped_sent_packets_count.OUT_OF_RESOURCES" => {
                ended("dropped: port-allocation").count() as f64
            }
            // What is sent again is no other connection.
            "SnatConnectionCount.Failed" => {
                let openings = ended("dropped: port-allocation");
                let openings =
                    openings.map(|p| (p["from"].as_str(), p["to"].as_str(), p["seq"].as_u64()));
                openings.collect::<BTreeSet<_>>().len() as f64
            }
            "PacketsDropCount" => ended("dropped: ").count() as f64,
            _ => return None,
        };
        let sum = metric["Statistics"]["Sum"].as_f64().expect("a number");
        let record = &self.evidence["nat_gateways"][gateway]["metrics"][name];
        let agree = sum == counted && record.as_f64() == Some(counted);
        (!agree).then(|| format!("{gateway} {name}: {sum} and {record}, counted {counted}"))
    }

    /// What CloudWatch would have agrees with what expressions see, and its minutes with the whole.
    fn published(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for metric in list(self.evidence, "metrics") {
            let dimension = |name: &str| {
                let mut all = list(metric, "Dimensions").iter();
                let found = all.find(|one| one["Name"] == name)?;
                found["Value"].as_str()
            };
            let of = |value: Option<&'a str>| value.and_then(|value| value.split('/').nth(1));
            let name = metric["MetricName"].as_str().expect("a name");
            let balancer = of(dimension("LoadBalancer")).or(dimension("LoadBalancerName"));
            let Some(balancer) = balancer else {
                let names = ["NatGatewayId", "ResourceId", "gateway_name"];
                let gateway = names.iter().find_map(|name| of(dimension(name)));
                complaints.extend(self.of_gateway(gateway.expect("a NAT gateway"), metric));
                continue;
            };
            let record = &self.evidence["load_balancers"][balancer];
            let record = match dimension("AvailabilityZone") {
                Some(zone) => &record["zones"][zone],
                None => record,
            };
            let number = |value: &Value| value.as_f64().expect("a number");
            let sum = number(&metric["Statistics"]["Sum"]);
            let counted = name.starts_with("NewFlow")
                || name.starts_with("Processed")
                || name.ends_with("Reset_Count")
                || CLASSIC_SUMS.contains(&name);
            if !counted || dimension("TargetGroup").is_some() {
                continue;
            }
            if sum != number(&record["metrics"][name]) {
                complaints.push(format!("{name} {:?} is {sum}", metric["Dimensions"]));
            }
            let minutes: f64 = list(metric, "Datapoints")
                .iter()
                .map(|one| number(&one["Sum"]))
                .sum();
            if sum != minutes {
                complaints.push(format!("{name} is {sum}, and its minutes {minutes}"));
            }
        }
        complaints
    }
}
