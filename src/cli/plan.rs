//! `hairpin plan`: what would be built.

use super::args::{GraphFormat, PlanArgs};
use super::{Mistake, Status, find, select, terminal};
use crate::report::plan::{Graph, graph, plan as describe};

/// Prints one case's plan.
pub fn plan(args: &PlanArgs) -> Result<u8, Mistake> {
    let file = find::one(&args.lab)?;
    let cases: Vec<String> = args.case.iter().cloned().collect();
    let meant = select::plans(&select::read(vec![file])?, &cases, None, None)?;
    let first = meant
        .plans
        .first()
        .expect("an empty selection is a mistake");
    terminal::print(&match args.graph {
        None => describe(first),
        Some(GraphFormat::Dot) => graph(first, Graph::Dot),
        Some(GraphFormat::Mermaid) => graph(first, Graph::Mermaid),
    });
    Ok(Status::Held as u8)
}
