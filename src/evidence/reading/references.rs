//! What a record refers to by number is there.

use super::Flaw;
use crate::evidence::{Detail, Evidence};
use std::fmt::Display;

/// A number that leads nowhere, and where it is.
pub(super) fn check(evidence: &Evidence) -> Result<(), Flaw> {
    let steps = Things("steps", evidence.steps.len());
    let connections = Things("connections", evidence.connections.len());
    let lookups = Things("lookups", evidence.lookups.len());
    let flows = Things("flows", evidence.flows.len());
    let pairs = Things("pairs", evidence.pairs.len());
    let mappings = Things("mappings", evidence.mappings.len());

    for (n, step) in evidence.steps.iter().enumerate() {
        steps.have(step.over, || format!("steps[{n}].over"))?;
        let at = |what: &str| format!("steps[{n}].detail.{what}");
        match &step.detail {
            Detail::Connect { connection } => {
                connections.have(Some(*connection), || at("connect.connection"))?;
            }
            Detail::Load(load) => {
                for (i, connection) in load.connections.iter().enumerate() {
                    connections
                        .have(Some(*connection), || at(&format!("load.connections[{i}]")))?;
                }
                for (i, answer) in load.answers.iter().enumerate() {
                    let place = || at(&format!("load.answers[{i}].connection"));
                    connections.have(Some(answer.connection), place)?;
                }
            }
            Detail::Plain
            | Detail::Transfer { .. }
            | Detail::TransferAll { .. }
            | Detail::Drop { .. }
            | Detail::Refused { .. }
            | Detail::Endpoints { .. }
            | Detail::Run { .. } => {}
        }
    }
    for (n, connection) in evidence.connections.iter().enumerate() {
        let at = |what: &'static str| move || format!("connections[{n}].{what}");
        steps.have(Some(connection.step), at("step"))?;
        lookups.have(connection.lookup, at("lookup"))?;
        flows.have(connection.flow, at("flow"))?;
        pairs.have(connection.pair, at("pair"))?;
    }
    for (n, flow) in evidence.flows.iter().enumerate() {
        let by = flow.displaced.as_ref().map(|displaced| displaced.by);
        flows.have(by, || format!("flows[{n}].displaced.by"))?;
    }
    for (n, packet) in evidence.packets.iter().enumerate() {
        flows.have(packet.flow, || format!("packets[{n}].flow"))?;
        mappings.have(packet.mapping, || format!("packets[{n}].mapping"))?;
    }
    Ok(())
}

/// What can be referred to: its name, and how many there are.
struct Things(&'static str, usize);

impl Things {
    fn have<P: Display>(&self, number: Option<usize>, place: impl Fn() -> P) -> Result<(), Flaw> {
        let Self(name, many) = self;
        match number.filter(|number| number >= many) {
            None => Ok(()),
            Some(number) => Err(Flaw {
                place: place().to_string(),
                why: match many {
                    0 => format!("is {number}, and there are no {name}"),
                    1 => format!("is {number}, and the only one of the {name} is number 0"),
                    _ => format!("is {number}, and {name} end at number {}", many - 1),
                },
            }),
        }
    }
}
