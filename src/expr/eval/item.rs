//! What expressions compute with: values, borrowed from the tree or the evidence.

use super::Told;
use serde_json::{Map, Value};
use std::rc::Rc;

/// A value, borrowed from the tree or the evidence.
#[derive(Clone, Debug)]
pub(in crate::expr) enum Item<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// A list of the evidence.
    Values(&'a [Value]),
    /// A list made by the expression.
    Items(Rc<Vec<Item<'a>>>),
    Map(&'a Map<String, Value>),
}

impl<'a> Item<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Item::Null,
            Value::Bool(b) => Item::Bool(*b),
            Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(n), _) => Item::Int(n),
                (None, Some(n)) => Item::Float(n),
                (None, None) => Item::Null,
            },
            Value::String(text) => Item::Text(text),
            Value::Array(list) => Item::Values(list),
            Value::Object(map) => Item::Map(map),
        }
    }

    pub(super) fn number(&self) -> Told<f64> {
        match self {
            Item::Int(n) => Ok(*n as f64),
            Item::Float(n) => Ok(*n),
            other => Err(format!("a number was wanted, met {}", other.words())),
        }
    }

    pub(super) fn int(&self) -> Told<i64> {
        match self {
            Item::Int(n) => Ok(*n),
            other => Err(format!("an integer was wanted, met {}", other.words())),
        }
    }

    pub(super) fn bool(&self) -> Told<bool> {
        match self {
            Item::Bool(b) => Ok(*b),
            other => Err(format!("true or false was wanted, met {}", other.words())),
        }
    }

    pub(super) fn text(&self) -> Told<&'a str> {
        match self {
            Item::Text(text) => Ok(text),
            other => Err(format!("text was wanted, met {}", other.words())),
        }
    }

    pub(super) fn words(&self) -> &'static str {
        match self {
            Item::Null => "nothing",
            Item::Bool(_) => "true or false",
            Item::Int(_) => "an integer",
            Item::Float(_) => "a float",
            Item::Text(_) => "text",
            Item::Values(_) | Item::Items(_) => "a list",
            Item::Map(_) => "a map",
        }
    }

    /// As plain data; the number of entries instead when it holds more single values than the limit.
    pub(in crate::expr) fn to_value_within(&self, limit: usize) -> Result<Value, usize> {
        Ok(match self {
            Item::Null => Value::Null,
            Item::Bool(b) => (*b).into(),
            Item::Int(n) => (*n).into(),
            Item::Float(n) => (*n).into(),
            Item::Text(text) => (*text).into(),
            Item::Values(list) if list.iter().map(leaves).sum::<usize>() > limit => {
                return Err(list.len());
            }
            Item::Values(list) => Value::Array(list.to_vec()),
            Item::Items(list) if list.len() > limit => return Err(list.len()),
            Item::Items(list) => list
                .iter()
                .map(|item| item.to_value_within(limit))
                .collect::<Result<_, _>>()?,
            Item::Map(map) if map.values().map(leaves).sum::<usize>() > limit => {
                return Err(map.len());
            }
            Item::Map(map) => Value::Object((*map).clone()),
        })
    }
}

/// How many single values.
fn leaves(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.iter().map(leaves).sum(),
        Value::Object(map) => map.values().map(leaves).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// Of a list; none of anything else.
pub(in crate::expr) fn elements<'a>(list: &Item<'a>) -> Vec<Item<'a>> {
    match list {
        Item::Values(list) => list.iter().map(Item::of).collect(),
        Item::Items(list) => list.to_vec(),
        Item::Null
        | Item::Bool(_)
        | Item::Int(_)
        | Item::Float(_)
        | Item::Text(_)
        | Item::Map(_) => Vec::new(),
    }
}
