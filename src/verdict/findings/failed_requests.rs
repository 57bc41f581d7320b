//! Requests that a balancer answered by itself with 502 or 504, each with what the packets between it and the target say about
//! why. Which status tells of what differs: an application balancer says 502 when a target closes, a classic one 504. Not here: what is said of them (see `bad_gateway` and `gateway_timeout`).
//!
//! A target can say 502 and 504 too, and the client sees the same. Told apart by the balancer's own count
//! (`HTTPCode_ELB_502_Count`; a classic one's, `HTTPCode_ELB_5XX`, has all of 5XX), and, where some are the target's, by bytes: one that said nothing said no 502.

use super::own_answers::{self, is_classic};
use super::{answered, cloud, count, item, join, lapse};
use crate::evidence::{Answer, Evidence};
use crate::verdict::trace::{Trace, asked, during, is_reset, is_syn};
use std::collections::BTreeMap;

/// Why there was no answer to pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// RST in answer to the SYN.
    Refused,
    /// An ICMP error in answer to the SYN.
    Unreachable,
    /// No answer to the SYN.
    Unconnected,
    /// A classic balancer tried to connect until the idle timeout ran out.
    TriedAgain,
    /// The target's FIN, with the request on the connection.
    HungUp,
    /// The target's RST.
    Reset,
    /// The target said something, and the balancer hung up.
    Unreadable,
    /// The balancer gave the connection up when the target was no longer registered.
    Deregistered,
    /// Nothing came.
    Silent,
}

/// A request without an answer that could be passed on.
pub(super) struct Failed<'a> {
    pub(super) connection: usize,
    /// `app/a`
    pub(super) node: &'a str,
    pub(super) target: String,
    pub(super) how: How,
    /// Passages that show it.
    pub(super) shown: Vec<usize>,
    /// From the request (of one that nobody answered, from its end), or the SYN, to what ended the wait, ms.
    pub(super) after: f64,
}

/// All that were answered with this status, by the balancer itself and for a reason that packets show.
pub(super) fn failed<'a>(trace: &Trace<'a>, status: i64) -> Vec<Failed<'a>> {
    let evidence = trace.evidence;
    let mut at: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    for answer in answered(evidence).filter(|answer| answer.status == status) {
        if let Some(node) = asked(evidence, answer.connection) {
            at.entry(node).or_default().push(answer);
        }
    }
    let mut failed = Vec::new();
    for (node, answers) in at {
        let own = own_answers::count(evidence, node, status);
        let Some((balancer, zone)) = own_answers::at(evidence, node).filter(|_| own > 0) else {
            continue;
        };
        let classic = is_classic(balancer);
        let of_targets = zone.metrics.get(own_answers::of_targets(balancer));
        let told = Told {
            trace,
            node,
            status,
            classic,
            all_own: match classic {
                true => of_targets.copied().unwrap_or(0) == 0,
                false => own >= answers.len() as i64,
            },
            by_leg: by_leg(trace),
        };
        failed.extend(answers.into_iter().filter_map(|answer| told.one(answer)));
    }
    failed
}

/// Passages of each connection to a target, whomever it served.
fn by_leg(trace: &Trace) -> Vec<Vec<usize>> {
    let mut by_leg = vec![Vec::new(); trace.legs.len()];
    for (number, passage) in trace.passages.iter().enumerate() {
        if let Some(leg) = passage.leg {
            by_leg[leg].push(number);
        }
    }
    by_leg
}

/// Answers of one status that came from one address.
struct Told<'t, 'a> {
    trace: &'t Trace<'a>,
    node: &'a str,
    status: i64,
    /// The balancer is a classic one.
    classic: bool,
    /// None of them is a target's.
    all_own: bool,
    by_leg: Vec<Vec<usize>>,
}

impl<'a> Told<'_, 'a> {
    fn one(&self, answer: &Answer) -> Option<Failed<'a>> {
        let trace = self.trace;
        let own = trace.by_connection[answer.connection].iter().copied();
        let meanwhile = own.filter(|p| {
            let leg = trace.passages[*p].leg.map(|leg| &trace.legs[leg]);
            leg.is_some_and(|leg| leg.via == self.node) && during(answer, trace.sent(*p).t)
        });
        let meanwhile: Vec<usize> = meanwhile.collect();
        let by_node = |p: &&usize| trace.passages[**p].toward_target;
        let request = meanwhile.iter().filter(by_node);
        // A kernel goes on sending what a request before had, when that one was given up.
        let mut request = request.filter(|p| trace.sent(**p).len > 0 && !self.is_copy(**p));
        match request.next() {
            Some(request) => self.unanswered(answer, *request, &meanwhile),
            None => {
                let syn = meanwhile.iter().filter(by_node);
                let mut syn = syn.filter(|p| is_syn(trace.sent(**p)));
                self.unconnected(answer, *syn.next()?, &meanwhile)
            }
        }
    }

    /// What it has was sent before over the same connection to a target.
    fn is_copy(&self, passage: usize) -> bool {
        let passages = &self.trace.passages;
        let one = &passages[passage];
        let before = one.leg.map_or(&[][..], |leg| &self.by_leg[leg]);
        let before = before.iter().take_while(|p| **p < passage);
        let mut same = before.filter(|p| passages[**p].toward_target == one.toward_target);
        same.any(|p| {
            let begin = passages[*p].seq.at;
            (begin..begin + self.trace.sent(*p).len).contains(&one.seq.at)
        })
    }

    /// The request went over a connection.
    fn unanswered(
        &self,
        answer: &Answer,
        request: usize,
        meanwhile: &[usize],
    ) -> Option<Failed<'a>> {
        let trace = self.trace;
        let leg = trace.passages[request].leg?;
        let on_it = |p: &usize| trace.passages[*p].leg == Some(leg);
        let of_target = |p: &usize| !trace.passages[*p].toward_target;
        let ends = |p: &usize| is_reset(trace.sent(*p)) || trace.sent(*p).flags.contains('F');
        let all = || self.by_leg[leg].iter().copied();
        // A target that had closed before it was asked is another story (`keep-alive-race`).
        if all().any(|p| p < request && of_target(&p) && ends(&p)) {
            return None;
        }
        let after = meanwhile
            .iter()
            .copied()
            .filter(|p| *p > request && on_it(p));
        let said = after
            .clone()
            .find(|p| of_target(p) && trace.sent(*p).len > 0);
        if said.is_some() && !self.all_own {
            return None;
        }
        let ended = after.clone().find(|p| of_target(p) && ends(p));
        let given_up = all().find(|p| *p > request && !of_target(p) && ends(p));
        let last = answer.at + answer.ms;
        let broke_off = ended.filter(|p| given_up.is_none_or(|given_up| *p < given_up));
        let of_end = |p| match is_reset(trace.sent(p)) {
            true => (How::Reset, Some(p)),
            false => (How::HungUp, Some(p)),
        };
        let (how, shown) = match (self.classic, self.status, broke_off, given_up) {
            // Whatever came after the balancer had given up was too late.
            (_, 504, None, _) => (How::Silent, None),
            (false, 502, Some(p), _) | (true, 504, Some(p), _) => of_end(p),
            // Whoever hangs up first.
            (true, 502, _, given_up) if said.is_some() => (How::Unreadable, ended.or(given_up)),
            (false, 502, None, Some(p)) if said.is_some() => (How::Unreadable, Some(p)),
            (false, 502, None, Some(p)) if self.left(leg, answer) => (How::Deregistered, Some(p)),
            _ => return None,
        };
        let end = shown.map_or(last, |p| trace.sent(p).t);
        // An upload may be long, and the wait for its answer begins behind it.
        let of_request = |p: &usize| !of_target(p) && trace.sent(*p).len > 0 && !self.is_copy(*p);
        let since = match how == How::Silent {
            true => after.rev().find(of_request).unwrap_or(request),
            false => request,
        };
        Some(Failed {
            connection: answer.connection,
            node: self.node,
            target: trace.legs[leg].target.clone(),
            how,
            shown: [Some(request), said, shown].into_iter().flatten().collect(),
            after: end - trace.sent(since).t,
        })
    }

    /// There was none.
    fn unconnected(&self, answer: &Answer, syn: usize, meanwhile: &[usize]) -> Option<Failed<'a>> {
        let trace = self.trace;
        let leg = trace.passages[syn].leg?;
        let mut heard = meanwhile.iter().copied().filter(|p| {
            let passage = &trace.passages[*p];
            passage.leg == Some(leg) && !passage.toward_target
        });
        let (how, said) = match (self.status, heard.next()) {
            (504, heard) if self.classic => (How::TriedAgain, heard),
            (502, Some(reset)) if is_reset(trace.sent(reset)) => (How::Refused, Some(reset)),
            (502, None) => (How::Unreachable, Some(self.icmp(answer, syn)?)),
            (504, None) => (How::Unconnected, None),
            (_, _) => return None,
        };
        let last = answer.at + answer.ms;
        let end = said.filter(|_| how != How::TriedAgain);
        let end = end.map_or(last, |p| trace.sent(p).t);
        Some(Failed {
            connection: answer.connection,
            node: self.node,
            target: trace.legs[leg].target.clone(),
            how,
            shown: [Some(syn), said].into_iter().flatten().collect(),
            after: end - trace.sent(syn).t,
        })
    }

    /// An ICMP message that came to the address after its SYN.
    fn icmp(&self, answer: &Answer, syn: usize) -> Option<usize> {
        let trace = self.trace;
        (syn..trace.passages.len()).find(|p| {
            let packet = trace.sent(*p);
            packet.protocol == "icmp"
                && trace.ended(*p).receiver == self.node
                && during(answer, packet.t)
        })
    }

    /// The target of a connection stopped being registered while the request waited.
    fn left(&self, leg: usize, answer: &Answer) -> bool {
        let target = &self.trace.legs[leg].target;
        let groups = self.trace.evidence.target_groups.values();
        let mut records = groups.filter_map(|group| group.targets.get(target));
        records.any(|record| {
            let mut changes = record.transitions.iter();
            changes.any(|change| change.state == "unused" && during(answer, change.at))
        })
    }
}

/// Requests that failed in one way.
pub(super) struct Alike<'f> {
    /// `app/a`
    pub(super) node: &'f str,
    pub(super) target: &'f str,
    pub(super) how: How,
    pub(super) times: usize,
    /// Of [`Failed::after`].
    pub(super) shortest: f64,
    pub(super) longest: f64,
}

impl Alike<'_> {
    /// `, 4 times`; nothing of a single one.
    pub(super) fn each(&self) -> String {
        match self.times {
            1 => String::new(),
            n => format!(", {n} times"),
        }
    }
}

/// Sorted by address, target and way.
pub(super) fn alike<'f>(failed: &'f [Failed]) -> Vec<Alike<'f>> {
    let mut sorted: BTreeMap<(&str, &str, How), Vec<f64>> = BTreeMap::new();
    for one in failed {
        let key = (one.node, one.target.as_str(), one.how);
        sorted.entry(key).or_default().push(one.after);
    }
    sorted
        .into_iter()
        .map(|((node, target, how), after)| Alike {
            node,
            target,
            how,
            times: after.len(),
            shortest: after.iter().copied().fold(f64::INFINITY, f64::min),
            longest: after.iter().copied().fold(0.0, f64::max),
        })
        .collect()
}

/// `app/a answered 4 requests with 502 by itself`
pub(super) fn head(failed: &[Failed], status: i64) -> String {
    let mut nodes: Vec<String> = failed.iter().map(|one| one.node.to_owned()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    format!(
        "{} answered {} with {status} by {}.",
        join(&nodes),
        count(failed.len(), "request"),
        if nodes.len() == 1 {
            "itself"
        } else {
            "themselves"
        },
    )
}

/// What the balancers counted: answers of their own with the status, and errors that targets told of.
pub(super) fn values(
    evidence: &Evidence,
    failed: &[Failed],
    status: i64,
) -> Vec<(String, serde_json::Value)> {
    let balancers = failed.iter().filter_map(|one| one.node.split('/').next());
    let mut balancers: Vec<&str> = balancers.collect();
    balancers.sort_unstable();
    balancers.dedup();
    let of = |balancer: &str, metric: &str| {
        let record = &evidence.load_balancers[balancer];
        let value = record.metrics.get(metric).copied().unwrap_or(0);
        let path = format!("{}.metrics.{metric}", item("load_balancers", balancer));
        (path, value.into())
    };
    let balancers = balancers.into_iter();
    balancers
        .flat_map(|balancer| {
            let record = &evidence.load_balancers[balancer];
            let metrics = [
                own_answers::metric(record, status),
                own_answers::of_targets(record).to_owned(),
            ];
            metrics.map(|metric| of(balancer, &metric))
        })
        .collect()
}

/// Why, in a sentence.
pub(super) fn why(evidence: &Evidence, alike: &Alike) -> String {
    let Alike { node, target, .. } = alike;
    let (each, within) = (alike.each(), lapse(alike.longest));
    let after = format!(
        "{}{}",
        lapse(alike.shortest),
        cloud(evidence, alike.shortest)
    );
    match alike.how {
        How::Refused => format!(
            "{target} refused the connection of {node}{each}: RST in answer to the SYN, nothing listens there."
        ),
        How::Unreachable => {
            format!(
                "An ICMP error answered the SYN of {node} to {target}{each}: no way leads there."
            )
        }
        How::Unconnected => format!(
            "{target} did not answer the SYN of {node}{each}: the connect timeout ran out, after {after}."
        ),
        How::TriedAgain => format!(
            "{node} had no connection to {target}{each}, and tried again until the idle timeout ran out, after {after}."
        ),
        How::HungUp => format!(
            "{target} closed the connection with the request of {node} on it{each}: FIN at most {within} after the request, and no \
             whole answer."
        ),
        How::Reset => format!(
            "{target} reset the connection with the request of {node} on it{each}: RST at most {within} after the request."
        ),
        How::Unreadable => format!(
            "{target} answered {node} with something that is no HTTP{each}, and {node} closed the connection."
        ),
        How::Deregistered => format!(
            "The deregistration delay of {target} was over while {node} waited for its answer{each}."
        ),
        How::Silent => format!(
            "{target} had the request of {node} and did not answer it{each}: the idle timeout ran out, after {after}."
        ),
    }
}
