//! What an expression mentions, for reports.

use super::ast::{Kind, Node};
use super::eval::Item;
use serde_json::Value;

/// Most single values in a list or map that a report prints whole: half a dozen sockets.
const MAX_LEAVES: usize = 24;

/// The longest paths from a root, in the order of the text. Those that hang on a macro's variable are left out.
pub(super) fn paths(root: &Node) -> Vec<&Node> {
    let mut list = Vec::new();
    walk(root, &mut Vec::new(), &mut list);
    list
}

fn walk<'n>(node: &'n Node, bound: &mut Vec<&'n str>, list: &mut Vec<&'n Node>) {
    if is_path(node, bound) {
        list.push(node);
        return;
    }
    match &node.kind {
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Name(_) => {}
        Kind::List(items) | Kind::Call(_, items) => {
            items.iter().for_each(|item| walk(item, bound, list))
        }
        Kind::Field(inner, _) | Kind::Not(inner) | Kind::Negate(inner) | Kind::Has(inner) => {
            walk(inner, bound, list)
        }
        Kind::Index(a, b) | Kind::Binary(_, _, a, b) => {
            walk(a, bound, list);
            walk(b, bound, list);
        }
        Kind::Choose(a, b, c) => {
            walk(a, bound, list);
            walk(b, bound, list);
            walk(c, bound, list);
        }
        Kind::Each {
            over,
            variable,
            body,
            ..
        } => {
            walk(over, bound, list);
            bound.push(variable);
            walk(body, bound, list);
            bound.pop();
        }
    }
}

/// A root, or a field or element of one, found without a macro's variable.
fn is_path(node: &Node, bound: &[&str]) -> bool {
    match &node.kind {
        Kind::Name(name) => !bound.contains(&name.as_str()),
        Kind::Field(base, _) => is_path(base, bound),
        Kind::Index(base, index) => {
            is_path(base, bound)
                && (matches!(index.kind, Kind::Text(_) | Kind::Int(_)) || is_path(index, bound))
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::List(_)
        | Kind::Not(_)
        | Kind::Negate(_)
        | Kind::Binary(..)
        | Kind::Choose(..)
        | Kind::Call(..)
        | Kind::Has(_)
        | Kind::Each { .. } => false,
    }
}

/// Of a float, digits behind the point that print shows: times are milliseconds, measured in microseconds.
const DECIMALS: i32 = 3;

/// The value for print.
pub(super) fn printable(item: &Item) -> Value {
    if let Item::Float(number) = item {
        let unit = 10f64.powi(DECIMALS);
        return ((number * unit).round() / unit).into();
    }
    match item.to_value_within(MAX_LEAVES) {
        Ok(value) => value,
        Err(size) => format!("({size} entries)").into(),
    }
}
