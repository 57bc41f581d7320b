//! What HTTP listeners of classic balancers count, against what clients and instances say, and the requests in packets.

use super::{Case, list};
use serde_json::Value;
use std::collections::BTreeSet;

/// Answers of each class, 2XX to 5XX.
const CLASSES: [i64; 4] = [2, 3, 4, 5];

impl<'a> Case<'a> {
    /// True for an address at which requests of clients ended.
    pub(super) fn ends_requests(&self, name: &str) -> bool {
        let mut pairs = list(self.evidence, "pairs").iter();
        let own = pairs.find(|pair| pair["via"] == name);
        match own {
            Some(pair) => pair["protocol"] == "HTTP",
            None => !self.answers(name).is_empty(),
        }
    }

    /// The statuses that clients were told there, each with whether an instance had been asked.
    fn answers(&self, name: &str) -> Vec<(i64, bool)> {
        let connections = list(self.evidence, "connections");
        let answers = self.loads().flat_map(|load| list(load, "answers"));
        let of = |answer: &Value| {
            let connection = &connections[answer["connection"].as_u64()? as usize];
            let status = answer["status"].as_i64()?;
            (connection["via"] == name).then(|| (status, !connection["pair"].is_null()))
        };
        answers.filter_map(of).collect()
    }

    fn loads(&self) -> impl Iterator<Item = &'a Value> {
        let steps = list(self.evidence, "steps").iter();
        steps
            .map(|step| &step["detail"]["load"])
            .filter(|load| load.is_object())
    }

    /// Requests that an address sent to instances. Each has its head in one segment.
    fn sent_on(&self, name: &str) -> usize {
        let listeners = self.listeners(name);
        let own = self.passages.iter().filter(|passage| {
            let from = passage.text("from");
            let to_client = listeners.iter().any(|port| from.ends_with(port));
            let payload = passage.sent["len"].as_i64() > Some(0);
            passage.text("sender") == name && payload && !passage.is_probe() && !to_client
        });
        let requests: BTreeSet<(&str, &str, i64)> = own
            .map(|passage| {
                let seq = passage.sent["seq"].as_i64().expect("a number");
                let (from, to) = (&passage.sent["from"], &passage.sent["to"]);
                (
                    from.as_str().expect("text"),
                    to.as_str().expect("text"),
                    seq,
                )
            })
            .collect();
        requests.len()
    }

    /// `:80`, `:443`
    fn listeners(&self, name: &str) -> BTreeSet<String> {
        let pairs = list(self.evidence, "pairs").iter();
        let own = pairs.filter(|pair| pair["via"] == name);
        let ports = own.map(|pair| format!(":{}", pair["port"]));
        ports.chain([":80".to_owned()]).collect()
    }

    /// Where an address of HTTP listeners counted something else.
    pub(super) fn of_requests(&self, name: &str, record: &Value) -> Vec<String> {
        let told = |metric: &str| record["metrics"][metric].as_i64().expect("a number");
        let answers = self.answers(name);
        let all_answered = self.loads().all(|load| load["failed"] == 0);
        let mut complaints = Vec::new();
        let mut compare = |what: String, told: i64, counted: i64| {
            if told != counted {
                complaints.push(format!("{name} {what} {told}, and there were {counted}"));
            }
        };
        for class in CLASSES {
            let counted = answers.iter().filter(|(status, _)| status / 100 == class);
            let counted = counted.count() as i64;
            let of_instances = told(&format!("HTTPCode_Backend_{class}XX"));
            let own = match class {
                4 | 5 => told(&format!("HTTPCode_ELB_{class}XX")),
                _ => 0,
            };
            if all_answered {
                compare(format!("answers {class}XX"), own + of_instances, counted);
            }
            let by_instances = self.by_instances(name, class);
            // What an instance says too late, or to nobody any more, does not count.
            let late = of_instances.min(by_instances);
            compare(format!("HTTPCode_Backend_{class}XX"), of_instances, late);
        }
        let sent_on = self.sent_on(name) as i64;
        compare("RequestCount".to_owned(), told("RequestCount"), sent_on);
        if told("HealthyHostCount") > 0 && all_answered {
            let spilled = answers.iter().filter(|answer| **answer == (503, false));
            let spilled = spilled.count() as i64;
            compare("SpilloverCount".to_owned(), told("SpilloverCount"), spilled);
            compare("SurgeQueueLength".to_owned(), told("SurgeQueueLength"), 0);
        }
        let (_, zone) = name.split_once('/').expect("an address");
        let answered = CLASSES.map(|class| told(&format!("HTTPCode_Backend_{class}XX")));
        let answered: i64 = answered.iter().sum();
        let samples = self.samples(name.split('/').next().expect("a name"), zone);
        // Of an answer that breaks off the head has come.
        compare(
            "samples of Latency".to_owned(),
            samples,
            samples.max(answered),
        );
        complaints
    }

    /// Answers of a class that instances gave to an address.
    fn by_instances(&self, name: &str, class: i64) -> i64 {
        let pairs = list(self.evidence, "pairs").iter();
        let own: BTreeSet<&str> = pairs
            .filter(|pair| pair["via"] == name)
            .filter_map(|pair| pair["seen_as"].as_str())
            .collect();
        let hosts = self.evidence["hosts"].as_object().expect("a map").values();
        let requests = hosts.flat_map(|host| list(host, "requests"));
        let said = requests.filter(|request| {
            let asked = request["client"]
                .as_str()
                .is_some_and(|end| own.contains(end));
            let status = request["status"].as_i64().expect("a number");
            asked && request["probe"] == false && status / 100 == class
        });
        said.count() as i64
    }

    /// How often `Latency` was measured in a zone.
    fn samples(&self, balancer: &str, zone: &str) -> i64 {
        let mut metrics = list(self.evidence, "metrics").iter();
        let found = metrics.find(|metric| {
            let mut values = list(metric, "Dimensions").iter().map(|one| &one["Value"]);
            metric["MetricName"] == "Latency" && values.by_ref().eq([balancer, zone])
        });
        found.map_or(0, |metric| {
            metric["Statistics"]["SampleCount"]
                .as_i64()
                .expect("a number")
        })
    }
}
