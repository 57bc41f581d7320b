//! How many descriptors a case may have open at once, reckoned from its plan.

use crate::plan::{Plan, Verb};
use std::time::Duration;

/// Descriptors of a case besides its hosts' and its sockets': the fabric's own, files that are open for a moment.
const OTHERS: usize = 16;
/// A case with more sockets than one part in so many of a table has them in annexes, so that others find room beside it.
const SHARE: usize = 4;

/// What a case needs at once, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Descriptors in the process's own table.
    pub here: usize,
    /// Seats in annexes.
    pub seats: usize,
}

impl Need {
    /// Of a case, where a table has room for so many descriptors.
    pub fn of(plan: &Plan, table: usize) -> Self {
        let connections = connections(plan);
        // A client's socket and the server's.
        let ends = 2 * connections;
        let listeners: usize = plan.hosts.iter().map(|host| host.servers.len()).sum();
        let devices = plan.fabric.ports.len();
        let mut balancers = plan.fabric.balancers.iter();
        let proxies = match balancers.any(|balancer| balancer.kind.is_proxy()) {
            true => ends,
            false => 0,
        };
        let here = OTHERS + devices + listeners + proxies;
        match here + ends <= table / SHARE {
            true => Self {
                here: here + ends,
                seats: 0,
            },
            false => Self { here, seats: ends },
        }
    }
}

/// Connections that clients have open at once, at most.
fn connections(plan: &Plan) -> usize {
    let steps = plan.steps.iter();
    steps
        .map(|step| match &step.verb {
            Verb::Load {
                dials,
                connections,
                rate,
                hold,
                timeout,
                ..
            } => dials.len() * at_once(*connections as usize, *rate, *hold, *timeout),
            other => other.dials().len(),
        })
        .sum()
}

/// Of one client of a load: those that are held, or as many as may wait for their end.
fn at_once(all: usize, rate: Option<f64>, hold: bool, timeout: Duration) -> usize {
    let per_second = rate.unwrap_or(1.0 / super::load::PATIENCE.as_secs_f64());
    match hold {
        true => all,
        false => all.min((per_second * timeout.as_secs_f64()).ceil() as usize + 1),
    }
}
