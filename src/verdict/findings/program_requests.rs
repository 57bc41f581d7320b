//! Requests of programs: what a balancer answered them by itself, as proxies write it down. Findings about answers read them as
//! they read those of loads, so here they become connections and answers of a record that is for findings alone.

use crate::evidence::{Answer, Detail, Evidence, Load, OwnAnswer, StepResult};
use crate::verdict::ladder::programs::{connection, opener};
use crate::verdict::trace::{Trace, delivered, is_syn};
use std::collections::{BTreeMap, HashMap};

/// The record with a load for each program that got such answers. None when none did. Connections of clients and packets have
/// the numbers that they had.
pub(super) fn told(trace: &Trace) -> Option<Evidence> {
    let evidence = trace.evidence;
    if evidence.own_answers.is_empty() {
        return None;
    }
    let opened = opened(trace);
    // By the SYN's passage, so in their order.
    let mut asked: BTreeMap<usize, Vec<&OwnAnswer>> = BTreeMap::new();
    for answer in &evidence.own_answers {
        let ends = (answer.via.as_str(), answer.client.as_str());
        let begun = |p: &&usize| trace.sent(**p).t <= answer.at;
        let syn = opened.get(&ends).and_then(|all| all.iter().rfind(begun));
        if let Some(syn) = syn {
            asked.entry(*syn).or_default().push(answer);
        }
    }
    if asked.is_empty() {
        return None;
    }
    let said = said(trace);
    let mut told = evidence.clone();
    let mut loads: BTreeMap<String, Load> = BTreeMap::new();
    for (syn, answers) in asked {
        let own = connection(evidence, trace.sent(syn), trace.ended(syn));
        let number = told.connections.len();
        let load = loads.entry(opener(evidence, &own).to_owned()).or_default();
        load.connections.push(number);
        load.answers.extend(answers.iter().map(|answer| Answer {
            connection: number,
            at: answer.at,
            ms: last_byte(&said, answer) - answer.at,
            status: answer.status,
        }));
        told.connections.push(own);
    }
    for (name, load) in loads {
        let step = told.steps.len();
        for number in &load.connections {
            told.connections[*number].step = step;
        }
        told.steps.push(StepResult {
            name,
            detail: Detail::Load(load),
            ..StepResult::default()
        });
    }
    Some(told)
}

/// When a balancer sent bytes to a client, in order, by its address and the client's end as it sees that.
fn said<'a>(trace: &Trace<'a>) -> HashMap<(&'a str, &'a str), Vec<f64>> {
    let mut said: HashMap<(&str, &str), Vec<f64>> = HashMap::new();
    for number in 0..trace.passages.len() {
        let sent = trace.sent(number);
        if sent.len > 0 && sent.sender.contains('/') {
            let ends = (sent.sender.as_str(), sent.to.as_str());
            said.entry(ends).or_default().push(sent.t);
        }
    }
    said
}

/// When an answer went out. It is written down before it is sent.
fn last_byte(said: &HashMap<(&str, &str), Vec<f64>>, answer: &OwnAnswer) -> f64 {
    let written = answer.at + answer.ms;
    let said = said.get(&(answer.via.as_str(), answer.client.as_str()));
    let sent = said.and_then(|said| said.get(said.partition_point(|t| *t < written)));
    sent.copied().unwrap_or(written)
}

/// SYNs of no step's connection that came to a balancer, in order, by its address and the client's end as it sees that.
fn opened<'a>(trace: &Trace<'a>) -> HashMap<(&'a str, &'a str), Vec<usize>> {
    let mut opened: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (number, passage) in trace.passages.iter().enumerate() {
        let (sent, ended) = (trace.sent(number), trace.ended(number));
        if passage.connection.is_none() && is_syn(sent) && delivered(ended) {
            let ends = (ended.receiver.as_str(), ended.from_after.as_str());
            opened.entry(ends).or_default().push(number);
        }
    }
    opened
}
