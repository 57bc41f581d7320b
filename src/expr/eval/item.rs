//! What expressions compute with: values, borrowed from the tree or the evidence.

use super::Told;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::rc::Rc;

/// The only key of a map that stands for a text of which there is the beginning: no name of the evidence has a null character.
pub(in crate::expr) const BEGINNING: &str = "\0beginning";

/// Characters of a text that are printed: a few lines.
const MAX_TEXT: usize = 300;

/// A value, borrowed from the tree or the evidence.
#[derive(Clone, Debug)]
pub(in crate::expr) enum Item<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// The beginning of a text, and how many bytes are not known; see [`beginning`].
    Beginning(&'a [Value]),
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
            Value::Object(map) => match beginning(map) {
                Some(parts) => Item::Beginning(parts),
                None => Item::Map(map),
            },
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
            Item::Beginning(parts) => Err(cut_off(parts)),
            other => Err(format!("text was wanted, met {}", other.words())),
        }
    }

    /// What is known of a text, and how many bytes are missing behind it.
    pub(super) fn known(&self) -> Option<(&'a str, i64)> {
        match self {
            Item::Text(text) => Some((text, 0)),
            Item::Beginning(parts) => Some(known(parts)),
            Item::Null
            | Item::Bool(_)
            | Item::Int(_)
            | Item::Float(_)
            | Item::Values(_)
            | Item::Items(_)
            | Item::Map(_) => None,
        }
    }

    pub(super) fn words(&self) -> &'static str {
        match self {
            Item::Null => "nothing",
            Item::Bool(_) => "true or false",
            Item::Int(_) => "an integer",
            Item::Float(_) => "a float",
            Item::Text(_) => "text",
            Item::Beginning(_) => "the beginning of a text",
            Item::Values(_) | Item::Items(_) => "a list",
            Item::Map(_) => "a map",
        }
    }

    /// As plain data for print, with long texts cut; the number of entries instead when it holds more single values than the
    /// limit.
    pub(in crate::expr) fn to_value_within(&self, limit: usize) -> Result<Value, usize> {
        Ok(match self {
            Item::Null => Value::Null,
            Item::Bool(b) => (*b).into(),
            Item::Int(n) => (*n).into(),
            Item::Float(n) => (*n).into(),
            Item::Text(text) => shortened(text, 0).into(),
            Item::Beginning(parts) => {
                let (text, missing) = known(parts);
                shortened(text, missing).into()
            }
            Item::Values(list) if list.iter().map(leaves).sum::<usize>() > limit => {
                return Err(list.len());
            }
            Item::Values(list) => list.iter().map(printable).collect(),
            Item::Items(list) if list.len() > limit => return Err(list.len()),
            Item::Items(list) => list
                .iter()
                .map(|item| item.to_value_within(limit))
                .collect::<Result<_, _>>()?,
            Item::Map(map) if map.values().map(leaves).sum::<usize>() > limit => {
                return Err(map.len());
            }
            Item::Map(map) => entries(map),
        })
    }
}

/// What stands for the beginning of a text: it, and how many bytes are missing.
fn beginning(map: &Map<String, Value>) -> Option<&[Value]> {
    // Of one entry only: this is asked of every packet.
    if map.len() != 1 {
        return None;
    }
    map.get(BEGINNING)?.as_array().map(Vec::as_slice)
}

pub(super) fn known(parts: &[Value]) -> (&str, i64) {
    match parts {
        [Value::String(text), missing] => (text, missing.as_i64().unwrap_or(0)),
        _ => ("", 0),
    }
}

/// A value for print.
fn printable(value: &Value) -> Value {
    match value {
        Value::String(text) => shortened(text, 0).into(),
        Value::Array(list) => list.iter().map(printable).collect(),
        Value::Object(map) => match beginning(map) {
            Some(parts) => {
                let (text, missing) = known(parts);
                shortened(text, missing).into()
            }
            None => entries(map),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn entries(map: &Map<String, Value>) -> Value {
    let entries = map.iter();
    let entries = entries.map(|(key, value)| (key.clone(), printable(value)));
    Value::Object(entries.collect())
}

/// The beginning of a long text, and how many bytes follow with those that are missing: `GET / HTT... 70000 more bytes`.
pub(in crate::expr) fn shortened(text: &str, missing: i64) -> String {
    let end = text.char_indices().nth(MAX_TEXT);
    let end = end.map_or(text.len(), |(end, _)| end);
    match (text.len() - end) as i64 + missing {
        0 => text.to_owned(),
        more => format!("{}... {more} more bytes", &text[..end]),
    }
}

/// Why something is unknown that depends on what is not there.
pub(super) fn cut_off(parts: &[Value]) -> String {
    let (text, missing) = known(parts);
    missing_behind(text, missing)
}

fn missing_behind(text: &str, missing: i64) -> String {
    format!(
        "of a text only the first {} bytes were kept, {missing} more were not",
        text.len()
    )
}

/// Two texts, each with the bytes that are missing behind it, where what is known decides.
pub(super) fn compare((a, more_a): (&str, i64), (b, more_b): (&str, i64)) -> Told<Ordering> {
    let length = a.len().min(b.len());
    match a.as_bytes()[..length].cmp(&b.as_bytes()[..length]) {
        Ordering::Equal => {}
        decided => return Ok(decided),
    }
    // One begins as the other, which ends here or goes on nobody knows how.
    match (a.len() > length, b.len() > length) {
        (true, _) if more_b > 0 => Err(missing_behind(b, more_b)),
        (_, true) if more_a > 0 => Err(missing_behind(a, more_a)),
        (false, false) if more_a > 0 && more_b > 0 => Err(missing_behind(a, more_a)),
        (a_goes_on, b_goes_on) => Ok((a_goes_on || more_a > 0).cmp(&(b_goes_on || more_b > 0))),
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
        | Item::Beginning(_)
        | Item::Map(_) => Vec::new(),
    }
}
