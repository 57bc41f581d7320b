//! The steps' results, with what only the end of the story tells of them.

use crate::evidence::{Connection, Detail, Load, Quantiles, StepResult};
use crate::plan::Plan;
use crate::run::books::Books;
use crate::run::story::Story;
use crate::run::word::Fault;

/// `results`: as they were when the connections were counted, or before.
pub(super) fn steps(
    story: &Story,
    results: Vec<Option<StepResult>>,
    connections: &[Connection],
    books: &Books,
) -> Vec<StepResult> {
    // What has not ended is given up with the story; until then nothing has happened to it.
    let unended = match story.is_over() {
        true => Fault::DEADLINE,
        false => Fault::default(),
    };
    results
        .into_iter()
        .zip(&story.plan.steps)
        .enumerate()
        .map(|(number, (result, step))| {
            let mut result = result.unwrap_or_else(|| {
                let begun = story.begun(number).filter(|_| story.is_over());
                let (at, ms) = begun.unwrap_or_default();
                StepResult {
                    name: step.name.clone(),
                    label: step.label.clone(),
                    error: unended.word.to_owned(),
                    at,
                    ms,
                    over: step.verb.over().map(|over| over.0 as usize),
                    ..StepResult::default()
                }
            });
            if let Detail::Drop { dropped } = &mut result.detail {
                let count = story
                    .rule_of(number)
                    .and_then(|rule| books.dropped.get(rule));
                *dropped = count.map_or(0, |count| *count as i64);
            }
            if let Detail::Load(load) = &mut result.detail {
                of_load(load, &story.plan, connections);
            }
            result
        })
        .collect()
}

/// What became of a load's connections.
fn of_load(load: &mut Load, plan: &Plan, connections: &[Connection]) {
    let own = load.connections.iter().map(|index| &connections[*index]);
    load.retried = own.clone().filter(|connection| connection.syns > 1).count() as i64;
    let hosts = plan.hosts.iter().map(|host| host.name.clone());
    load.by_target = hosts
        .chain(inner_targets(plan))
        .map(|name| (name, 0))
        .collect();
    for connection in own
        .clone()
        .filter(|connection| !connection.target.is_empty())
    {
        *load.by_target.entry(connection.target.clone()).or_default() += 1;
    }
    let stood = own.filter(|connection| connection.error.is_empty());
    load.connect_ms = quantiles(stood.map(|connection| connection.ms).collect());
}

/// The zonal addresses of application balancers that are targets.
fn inner_targets(plan: &Plan) -> impl Iterator<Item = String> {
    let targets = plan.fabric.groups.iter().flat_map(|group| &group.targets);
    let inner = targets.filter(|target| target.name.contains('/'));
    inner.map(|target| target.name.clone())
}

fn quantiles(mut values: Vec<f64>) -> Quantiles {
    values.sort_by(f64::total_cmp);
    // Nearest rank: the smallest value that at least this share of all does not exceed.
    let at = |share: f64| {
        values
            .get(((values.len() as f64 * share).ceil() as usize).saturating_sub(1))
            .copied()
            .unwrap_or(0.0)
    };
    Quantiles {
        min: at(0.0),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: at(1.0),
    }
}
