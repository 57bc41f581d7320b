//! What classic balancers count, against the connections that packets tell of. What only HTTP listeners count is in `requests`.

use super::{Case, list};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds before the end of a case in which a health check may have failed and not been judged yet.
const UNJUDGED: f64 = 50.0;

/// A connection as its packets tell it, by its opener's end and the other's.
#[derive(Default)]
struct Handshake {
    probe: bool,
    /// When the SYN was first sent, and when the answer to it arrived.
    asked: f64,
    answered: Option<f64>,
    /// A RST came instead.
    refused: Option<f64>,
    /// The opener acknowledged the answer.
    stood: bool,
    /// The opener said something.
    spoken: bool,
    /// The balancer sent a FIN or a RST.
    ended_by_balancer: bool,
}

/// Of one zonal address.
#[derive(Default)]
struct Node<'a> {
    clients: BTreeMap<(&'a str, &'a str), Handshake>,
    instances: BTreeMap<(&'a str, &'a str), Handshake>,
    client_bytes: i64,
    last: f64,
}

impl<'a> Node<'a> {
    fn new(case: &'a Case<'a>, name: &str) -> Self {
        let mut node = Self::default();
        for passage in &case.passages {
            let (sent, ended) = (passage.sent, passage.ended);
            let text = |packet: &'a Value, field: &str| packet[field].as_str().expect("text");
            let at = |packet: &Value| packet["t"].as_f64().expect("a number");
            node.last = node.last.max(at(ended));
            let flags = text(sent, "flags");
            if text(sent, "sender") == name {
                let (own, other) = (text(sent, "from"), text(sent, "to"));
                if flags == "S" {
                    let handshake = node.instances.entry((own, other)).or_insert(Handshake {
                        asked: at(sent),
                        ..Handshake::default()
                    });
                    handshake.probe = passage.is_probe();
                } else if let Some(handshake) = node.instances.get_mut(&(own, other)) {
                    handshake.spoken |= passage.count("len") > 0;
                } else if let Some(handshake) = node.clients.get_mut(&(other, own)) {
                    node.client_bytes += passage.count("len");
                    handshake.ended_by_balancer |= flags.contains(['F', 'R']);
                }
            }
            if text(ended, "receiver") == name && passage.fate() == "forwarded" {
                let (other, own) = (text(ended, "from_after"), text(ended, "to_after"));
                if flags == "S" {
                    node.clients.entry((other, own)).or_default();
                } else if let Some(handshake) = node.clients.get_mut(&(other, own)) {
                    node.client_bytes += passage.count("len");
                    handshake.stood = true;
                } else if let Some(handshake) = node.instances.get_mut(&(own, other)) {
                    match flags {
                        "S." => _ = handshake.answered.get_or_insert(at(ended)),
                        _ if flags.contains('R') && handshake.answered.is_none() => {
                            handshake.refused = Some(at(ended));
                        }
                        _ => {}
                    }
                }
            }
        }
        node
    }
}

impl Case<'_> {
    /// What zonal addresses of classic balancers counted, where it is not what their connections came to.
    pub(super) fn of_classic(&self) -> Vec<String> {
        let balancers = self.evidence["load_balancers"].as_object().expect("a map");
        let classic = balancers
            .iter()
            .filter(|(_, record)| record["kind"] == "classic");
        let zones = classic.flat_map(|(balancer, record)| {
            let zones = record["zones"].as_object().expect("a map").iter();
            zones.map(move |(zone, record)| (balancer, zone, record))
        });
        zones
            .flat_map(|(balancer, zone, record)| self.of_classic_zone(balancer, zone, record))
            .collect()
    }

    fn of_classic_zone(&self, balancer: &str, zone: &str, record: &Value) -> Vec<String> {
        let name = format!("{balancer}/{zone}");
        let node = Node::new(self, &name);
        let pairs = list(self.evidence, "pairs").iter();
        let pairs: Vec<&Value> = pairs.filter(|pair| pair["via"] == name).collect();
        let served: BTreeSet<&str> = pairs
            .iter()
            .map(|pair| pair["client"].as_str().expect("an end"))
            .collect();
        let clients = || node.clients.iter().filter(|(_, client)| client.stood);
        let waiting = || clients().filter(|((client, _), _)| !served.contains(client));
        let turned_away = waiting().filter(|(_, client)| client.ended_by_balancer);
        let requests = || {
            let instances = node.instances.values();
            instances.filter(|one| !one.probe && one.answered.is_some())
        };
        let (all, spilled) = (clients().count(), turned_away.count());
        let waiting = waiting().count() - spilled;
        let open = |field| pairs.iter().filter(|pair| pair[field].is_null()).count();
        let mut counted = vec![("EstimatedProcessedBytes", node.client_bytes as usize)];
        let http = self.ends_requests(&name);
        if !http {
            counted.extend([
                ("EstimatedALBNewConnectionCount", all + requests().count()),
                ("RequestCount", requests().count()),
                ("SpilloverCount", spilled),
                ("SurgeQueueLength", waiting),
                (
                    "EstimatedALBActiveConnectionCount",
                    waiting + open("closed") + open("target_closed"),
                ),
            ]);
        }
        let told = |metric: &str| record["metrics"][metric].as_u64().expect("a number") as usize;
        let mut complaints: Vec<String> = counted
            .into_iter()
            .filter(|(metric, counted)| told(metric) != *counted)
            .map(|(metric, counted)| {
                format!(
                    "{name} {metric} {}, and packets say {counted}",
                    told(metric)
                )
            })
            .collect();
        // A request whose turn comes elsewhere, or whose time is over, gives its attempt up, which may just have been answered.
        let spoken = requests().filter(|one| one.spoken).count();
        let news = all + spoken..=all + requests().count();
        let told_news = told("EstimatedALBNewConnectionCount");
        if http && !news.contains(&told_news) {
            complaints.push(format!(
                "{name} EstimatedALBNewConnectionCount {told_news}, and packets say {news:?}"
            ));
        }
        // A task that is late judges late.
        let late = self.evidence["lag_ms"].as_f64().expect("a number");
        let unjudged = UNJUDGED.max(2.0 * late);
        // What is not answered at all may have been given up or not.
        let failed = node.instances.values().filter(|one| one.answered.is_none());
        let (mut least, mut most) = (0, 0);
        for one in failed {
            let judged = |at: f64| !one.probe || at + unjudged < node.last;
            most += 1;
            least += usize::from(one.refused.is_some_and(judged));
        }
        // A check that a busy machine never sent has no packets.
        let balancers = &self.evidence["load_balancers"];
        let instances = balancers[balancer]["instances"].as_object().expect("a map");
        let checks = instances.values().map(|one| one["failed_checks"].as_u64());
        let checks = checks
            .map(|failed| failed.expect("a number") as usize)
            .sum::<usize>();
        let probed = node.instances.values();
        let probed = probed
            .filter(|one| one.probe && one.answered.is_none())
            .count();
        most += checks.saturating_sub(probed);
        if http {
            least = least.saturating_sub(told("HTTPCode_ELB_5XX"));
        }
        let errors = told("BackendConnectionErrors");
        if !(least..=most).contains(&errors) {
            complaints.push(format!(
                "{name} BackendConnectionErrors {errors}, and packets say {least} to {most}"
            ));
        }
        if http {
            complaints.extend(self.of_requests(&name, record));
        } else {
            complaints.extend(self.latency(balancer, zone, requests().collect()));
        }
        complaints
    }

    /// A connection stands for the balancer no sooner than the answer to its SYN has arrived.
    fn latency(&self, balancer: &str, zone: &str, requests: Vec<&Handshake>) -> Option<String> {
        let metrics = list(self.evidence, "metrics").iter();
        let dimensions = |metric: &Value| -> Vec<String> {
            let values = list(metric, "Dimensions").iter().map(|one| &one["Value"]);
            values
                .map(|value| value.as_str().expect("text").to_owned())
                .collect()
        };
        let mut metrics = metrics.filter(|metric| metric["MetricName"] == "Latency");
        let found = metrics.find(|metric| dimensions(metric) == [balancer, zone]);
        let number = |field: &str| {
            found.map_or(0.0, |metric| {
                metric["Statistics"][field].as_f64().expect("a number")
            })
        };
        let took = requests
            .iter()
            .filter_map(|one| Some((one.answered? - one.asked) / 1e3));
        let longest = took.fold(0.0, f64::max);
        let agree = number("SampleCount") as usize == requests.len()
            && number("Maximum") >= longest
            && (number("Average") * requests.len() as f64 - number("Sum")).abs() < 1e-9;
        (!agree).then(|| {
            format!(
                "{balancer}/{zone} Latency of {} connections, at most {}, and packets say {}, at most {longest}",
                number("SampleCount"),
                number("Maximum"),
                requests.len()
            )
        })
    }

    /// Instances in service and not, of a classic balancer with one zone, as their states are at the end.
    pub(super) fn hosts_of_classic(&self) -> Vec<String> {
        let balancers = self.evidence["load_balancers"].as_object().expect("a map");
        let mut complaints = Vec::new();
        for (name, record) in balancers {
            let zones = record["zones"].as_object().expect("a map");
            if record["kind"] != "classic" || zones.len() != 1 {
                continue;
            }
            let instances = record["instances"].as_object().expect("a map").values();
            let in_service =
                |one: &&Value| one["state"] == "InService" && one["description"] == "N/A";
            let in_service = instances.filter(in_service).count();
            let told = record["metrics"]["HealthyHostCount"].as_u64();
            if told != Some(in_service as u64) {
                complaints.push(format!(
                    "{name} HealthyHostCount {told:?}, and {in_service} are"
                ));
            }
        }
        complaints
    }
}
