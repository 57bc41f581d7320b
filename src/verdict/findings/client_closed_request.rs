//! `client-closed-request`: clients closed their connections before a balancer had answered them.
//!
//! Observed on: AWS Application Load Balancers, whose access logs have 460 then, and HTTP listeners of AWS Classic Load Balancers, which
//! have 408 (nginx calls it 499). Both count it among their own 4XX, and nobody is told. Not this: a client that has its answer, or one of the
//! balancer's own; one that stops in the middle of what it sends.

use super::own_answers::{self, is_classic};
use super::{cite, connections_of, count, distinct, join, lapse, of_zone};
use crate::verdict::Finding;
use crate::verdict::trace::{Trace, is_reset, is_syn};
use std::collections::{BTreeMap, HashMap};

pub(super) const KIND: &str = "client-closed-request";

/// A request that was given up: passages.
#[derive(Clone, Copy)]
struct GivenUp {
    request: usize,
    end: usize,
}

pub(super) fn find(trace: &Trace) -> Vec<Finding> {
    let mut by_place: BTreeMap<&str, Vec<GivenUp>> = BTreeMap::new();
    for one in given_up(trace) {
        let place = trace.ended(one.request).receiver.as_str();
        by_place.entry(place).or_default().push(one);
    }
    let places = by_place.into_iter();
    places
        .filter_map(|(place, found)| at(trace, place, &found))
        .collect()
}

/// Those of one address of a balancer, where it counts as many.
fn at(trace: &Trace, place: &str, found: &[GivenUp]) -> Option<Finding> {
    let evidence = trace.evidence;
    let (name, zone) = place.split_once('/')?;
    let (balancer, _) = own_answers::at(evidence, place)?;
    let status = match is_classic(balancer) {
        true => 408,
        false => 460,
    };
    let metric = own_answers::metric(balancer, status);
    let counted = own_answers::count(evidence, place, status);
    if counted < found.len() as i64 {
        return None;
    }
    let first = found.first()?;
    let (request, end) = (trace.sent(first.request), trace.sent(first.end));
    let clients = found.iter().map(|one| trace.sent(one.request));
    let summary = format!(
        "{} gave up {} at {place} before there was an answer, the first {} after it had asked. {}{place} can tell nobody; its access \
         log has {status}, and it counts that among its own 4XX ({metric}).",
        join(&distinct(clients.map(|sent| sent.sender.clone()))),
        count(found.len(), "request"),
        lapse(end.t - request.t),
        work(trace, place, found),
    );
    let passages = found.iter().flat_map(|one| [one.request, one.end]);
    Some(Finding {
        kind: KIND.into(),
        summary,
        packets: cite(trace, passages),
        connections: connections_of(trace, found.iter().map(|one| one.request)),
        counters: Vec::new(),
        values: vec![(
            of_zone(name, zone, &format!("metrics.{metric}")),
            counted.into(),
        )],
    })
}

/// Which targets were asked for one of these requests, and a space; empty where that is not on record.
fn work(trace: &Trace, place: &str, found: &[GivenUp]) -> String {
    let mut targets = Vec::new();
    for one in found {
        let Some(connection) = trace.passages[one.request].connection else {
            return String::new();
        };
        let open = trace.sent(one.request).t..=trace.sent(one.end).t;
        let asked = trace.by_connection[connection].iter().filter(|passage| {
            let (passage, sent) = (&trace.passages[**passage], trace.sent(**passage));
            passage.toward_target && sent.len > 0 && open.contains(&sent.t)
        });
        let legs = asked.filter_map(|passage| trace.passages[*passage].leg);
        let legs = legs.map(|leg| &trace.legs[leg]);
        targets.extend(
            legs.filter(|leg| leg.via == place)
                .map(|leg| leg.target.clone()),
        );
    }
    match distinct(targets).as_slice() {
        [] => "No target had been asked yet. ".to_owned(),
        asked => format!(
            "{} had been asked, and may have gone on working for nobody. ",
            join(asked)
        ),
    }
}

/// What a connection to a balancer that ends them is at.
#[derive(Default)]
struct Asked {
    /// The first packet of a request without an answer.
    request: Option<usize>,
    /// The client's end, with that request open.
    end: Option<usize>,
}

fn given_up(trace: &Trace) -> Vec<GivenUp> {
    let balancers = &trace.evidence.load_balancers;
    let ends_here = |place: &str| {
        let name = place.split_once('/').map(|(name, _)| name);
        let balancer = name.and_then(|name| balancers.get(name));
        balancer.is_some_and(|one| one.kind == "application" || is_classic(one))
    };
    // By the ends as the client sees them, and in the order of the SYNs.
    let mut open: HashMap<(&str, &str), usize> = HashMap::new();
    let mut all: Vec<Asked> = Vec::new();
    for passage in 0..trace.passages.len() {
        let (sent, ended) = (trace.sent(passage), trace.ended(passage));
        if sent.probe {
            continue;
        }
        let ends = (sent.from.as_str(), sent.to.as_str());
        if is_syn(sent) {
            if ends_here(&ended.receiver) {
                open.insert(ends, all.len());
                all.push(Asked::default());
            }
            continue;
        }
        if let Some(place) = open.get(&ends) {
            let asked = &mut all[*place];
            if sent.len > 0 {
                asked.request.get_or_insert(passage);
            }
            if asked.request.is_some() && (sent.flags.contains('F') || is_reset(sent)) {
                asked.end.get_or_insert(passage);
            }
            continue;
        }
        let back = (ended.to_after.as_str(), ended.from_after.as_str());
        if let Some(place) = open.get(&back)
            && sent.len > 0
        {
            all[*place] = Asked::default();
        }
    }
    all.into_iter()
        .filter_map(|one| {
            Some(GivenUp {
                request: one.request?,
                end: one.end?,
            })
        })
        .collect()
}
