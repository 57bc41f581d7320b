//! Which connections a ladder draws when nobody chose any.

use crate::evidence::{Detail, Evidence, Load};
use crate::verdict::model::Finding;
use crate::verdict::trace::Journey;
use std::collections::HashMap;

/// Connections in one ladder when nobody chose any; more are hard to follow.
pub(super) const CONNECTIONS: usize = 4;

/// The connections of findings that are worth a ladder, in the order of the findings: all of a few, of many the
/// first pair. Empty when findings name none.
pub fn cited(findings: &[Finding]) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::new();
    for connection in findings.iter().flat_map(|f| &f.connections) {
        if chosen.len() <= CONNECTIONS && !chosen.contains(connection) {
            chosen.push(*connection);
        }
    }
    if chosen.len() > CONNECTIONS {
        chosen.truncate(2);
    }
    chosen
}

/// Connections that findings cite, else of two loads that went badly the first that did, and those opened by a step of
/// their own, else the first of a load.
pub(super) fn choose(evidence: &Evidence, found: &[Finding]) -> Vec<usize> {
    let chosen = cited(found);
    if !chosen.is_empty() {
        return chosen;
    }
    let details = || evidence.steps.iter().map(|step| &step.detail);
    let loads = details().filter_map(Detail::load);
    let loads = loads.filter_map(|load| badly(evidence, load));
    let loads = loads.take(CONNECTIONS / 2);
    let named = details().filter_map(Detail::connect);
    let named: Vec<usize> = loads.chain(named).take(CONNECTIONS).collect();
    if named.is_empty() {
        (0..evidence.connections.len()).take(2).collect()
    } else {
        named
    }
}

/// Connections besides `chosen` that have packets which findings cite: all of a few, of many one, unless one is drawn.
pub(super) fn of_packets(journeys: &[Journey], chosen: &[usize], found: &[Finding]) -> Vec<usize> {
    let mut owners: HashMap<usize, usize> = HashMap::new();
    for journey in journeys {
        if let Some(connection) = journey.connection {
            owners.extend(journey.records().map(|record| (record, connection)));
        }
    }
    let mut drawn = chosen.to_vec();
    for finding in found {
        let mut own: Vec<usize> = Vec::new();
        for connection in finding.packets.iter().filter_map(|p| owners.get(p)) {
            if !own.contains(connection) {
                own.push(*connection);
            }
        }
        let are_many = own.len().max(finding.connections.len()) > CONNECTIONS;
        let wanted = match (are_many, own.iter().any(|c| drawn.contains(c))) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => own.len(),
        };
        own.retain(|c| !drawn.contains(c));
        let room = (chosen.len() + CONNECTIONS).saturating_sub(drawn.len());
        drawn.extend(own.into_iter().take(wanted.min(room)));
    }
    drawn.split_off(chosen.len())
}

/// Of a load the first connection that failed, else the first with an HTTP answer that tells of an error.
fn badly(evidence: &Evidence, load: &Load) -> Option<usize> {
    let failed = load.connections.iter().find(|c| {
        let connection = evidence.connections.get(**c);
        connection.is_some_and(|connection| !connection.error.is_empty())
    });
    let answered = load.answers.iter().find(|answer| answer.status >= 400);
    failed.copied().or(answered.map(|answer| answer.connection))
}

#[cfg(test)]
mod tests {
    use crate::evidence::{Answer, Detail, Load};
    use crate::verdict::kit::{Kit, OLD};
    use crate::verdict::ladder::rows;

    #[test]
    fn the_request_that_failed_is_drawn_before_a_connection_that_is_well() {
        let mut kit = Kit::new();
        let idle = kit.connect("idle", 40000, "front/a", "web1");
        kit.handshake(idle, OLD);
        let gets = [40001, 40002].map(|port| {
            let get = kit.connect("get", port, "front/a", "web1");
            kit.handshake(get, OLD);
            get
        });
        let answer = |connection: usize, status: i64| Answer {
            connection,
            status,
            ..Answer::default()
        };
        let step = kit.of(gets[0]).step;
        kit.of(gets[1]).step = step;
        kit.evidence.steps.pop();
        kit.evidence.steps[step].detail = Detail::Load(Load {
            connections: gets.to_vec(),
            answers: vec![answer(gets[0], 200), answer(gets[1], 502)],
            ..Load::default()
        });
        let names = |kit: &Kit| -> Vec<String> {
            let drawn = rows(&kit.evidence, &[]);
            drawn
                .tuples
                .iter()
                .map(|tuple| tuple.name.clone())
                .collect()
        };
        assert_eq!(names(&kit), ["get #2", "idle"]);
        let Detail::Load(load) = &mut kit.evidence.steps[step].detail else {
            panic!("it is a load")
        };
        load.answers[1].status = 200;
        assert_eq!(names(&kit), ["idle"]);
    }
}
