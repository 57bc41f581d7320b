//! What an expression mentions, for reports.

use super::ast::{Each, Kind, Node};
use super::eval::{Evaluator, Item, elements, shortened};
use serde_json::Value;

/// Most single values in a list or map that a report prints whole: half a dozen sockets.
const MAX_LEAVES: usize = 24;

/// A path, and what is asked of each of its entries: a macro of lists and maps.
pub(super) struct Mention<'n> {
    /// The path.
    pub(super) node: &'n Node,
    each: Option<Asked<'n>>,
}

/// `over.exists(variable, body)`
#[derive(Clone, Copy)]
struct Asked<'n> {
    how: Each,
    variable: &'n str,
    body: &'n Node,
}

/// The longest paths from a root, in the order of the text. Those that hang on a macro's variable are left out.
pub(super) fn paths(root: &Node) -> Vec<Mention<'_>> {
    let mut list = Vec::new();
    walk(root, &mut Vec::new(), &mut list);
    list
}

fn walk<'n>(node: &'n Node, bound: &mut Vec<&'n str>, list: &mut Vec<Mention<'n>>) {
    if is_path(node, bound) {
        list.push(Mention { node, each: None });
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
            how,
            over,
            variable,
            body,
        } => {
            let asked = Asked {
                how: *how,
                variable,
                body,
            };
            match is_path(over, bound) {
                true => list.push(Mention {
                    node: over,
                    each: Some(asked),
                }),
                false => walk(over, bound, list),
            }
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

/// A mention's value for print. What is too long is told by its length, and by which of its entries are what was asked for.
pub(super) fn printable(text: &str, evidence: &Value, mention: &Mention) -> Value {
    let Ok(item) = Evaluator::new(text, evidence).item(mention.node) else {
        return Value::Null;
    };
    if let Item::Float(number) = item {
        return rounded(number).into();
    }
    match item.to_value_within(MAX_LEAVES) {
        Ok(value) => value,
        Err(size) => {
            let asked = mention.each.map(|asked| (asked, mention.node));
            let told = asked.and_then(|(asked, over)| fitting(text, evidence, asked, over));
            match told {
                Some(told) => format!("({size} entries; {told})").into(),
                None => format!("({size} entries)").into(),
            }
        }
    }
}

fn rounded(number: f64) -> f64 {
    let unit = 10f64.powi(DECIMALS);
    (number * unit).round() / unit
}

/// `4 fit, the first: t 28.06, sender web1`; of `all` those that do not. None where it cannot be told.
fn fitting(text: &str, evidence: &Value, asked: Asked, over: &Node) -> Option<String> {
    let otherwise = Node {
        kind: Kind::Not(Box::new(asked.body.clone())),
        ..asked.body.clone()
    };
    let (wanted, none, one, many) = match asked.how {
        Each::Exists | Each::ExistsOne | Each::Filter => (asked.body, "none fits", "fits", "fit"),
        Each::All => (&otherwise, "all fit", "does not fit", "do not fit"),
        Each::Map => return None,
    };
    let mut evaluator = Evaluator::new(text, evidence);
    let found = evaluator.each(Each::Filter, over, asked.variable, wanted);
    let found = elements(&found.ok()?);
    let Some(first) = found.first() else {
        return Some(none.to_owned());
    };
    let verb = if found.len() == 1 { one } else { many };
    let mut fields = vec!["t"];
    asked_for(asked.body, asked.variable, &mut fields);
    Some(format!(
        "{} {verb}{}{}",
        found.len(),
        if found.len() == 1 {
            ": "
        } else {
            ", the first: "
        },
        entry(first, &fields)
    ))
}

/// An entry by such fields, where it has them: `t 28.06, sender web1`.
fn entry(item: &Item, fields: &[&str]) -> String {
    let Item::Map(map) = item else {
        return word(&item.to_value_within(MAX_LEAVES).unwrap_or_default());
    };
    let told: Vec<String> = fields
        .iter()
        .filter_map(|field| Some(format!("{field} {}", word(map.get(*field)?))))
        .collect();
    told.join(", ")
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => shortened(text, 0),
        Value::Number(number) => match number.as_f64().filter(|_| !number.is_i64()) {
            Some(float) => rounded(float).to_string(),
            None => number.to_string(),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// The fields of a macro's variable that its body reads, each once.
fn asked_for<'n>(node: &'n Node, variable: &str, fields: &mut Vec<&'n str>) {
    match &node.kind {
        Kind::Null
        | Kind::Bool(_)
        | Kind::Int(_)
        | Kind::Float(_)
        | Kind::Text(_)
        | Kind::Name(_) => {}
        Kind::Field(base, field) => {
            let own = matches!(&base.kind, Kind::Name(name) if name == variable);
            if !own {
                asked_for(base, variable, fields);
            } else if !fields.contains(&field.as_str()) {
                fields.push(field);
            }
        }
        Kind::List(items) | Kind::Call(_, items) => {
            for item in items {
                asked_for(item, variable, fields);
            }
        }
        Kind::Not(inner) | Kind::Negate(inner) | Kind::Has(inner) => {
            asked_for(inner, variable, fields);
        }
        Kind::Index(a, b) | Kind::Binary(_, _, a, b) => {
            asked_for(a, variable, fields);
            asked_for(b, variable, fields);
        }
        Kind::Choose(a, b, c) => {
            for part in [a, b, c] {
                asked_for(part, variable, fields);
            }
        }
        Kind::Each { over, body, .. } => {
            asked_for(over, variable, fields);
            asked_for(body, variable, fields);
        }
    }
}
