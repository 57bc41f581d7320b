//! The evaluator: the tree over the evidence, borrowed, with a budget.
//!
//! As in CEL, `&&`, `||`, `all` and `exists` are decided by one side that decides, whatever became of the other.
//! Whatever cannot be computed is an `Err` with its reason, which ends as [`Truth::Unknown`](super::Truth).

use super::ast::{Each, Function, Kind, Node, Op};
use super::binomial;
use crate::diag::Span;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::rc::Rc;

/// Steps that one evaluation may take: about 0.2 s. An `exists` over 100,000 packets needs 1,000,000.
const BUDGET: u64 = 5_000_000;

/// A value, borrowed from the tree or the evidence.
#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
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

type Told<T> = Result<T, String>;

pub(super) struct Evaluator<'a> {
    text: &'a str,
    roots: &'a Value,
    scope: Vec<(&'a str, Item<'a>)>,
    budget: u64,
    /// Comparisons of times, and how far those may be off, milliseconds.
    timed: (&'a [Span], f64),
    /// How far numbers may be off in the comparison that is being computed.
    leeway: f64,
}

impl<'a> Item<'a> {
    fn of(value: &'a Value) -> Self {
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

    fn number(&self) -> Told<f64> {
        match self {
            Item::Int(n) => Ok(*n as f64),
            Item::Float(n) => Ok(*n),
            other => Err(format!("a number was wanted, met {}", other.words())),
        }
    }

    fn int(&self) -> Told<i64> {
        match self {
            Item::Int(n) => Ok(*n),
            other => Err(format!("an integer was wanted, met {}", other.words())),
        }
    }

    fn bool(&self) -> Told<bool> {
        match self {
            Item::Bool(b) => Ok(*b),
            other => Err(format!("true or false was wanted, met {}", other.words())),
        }
    }

    fn text(&self) -> Told<&'a str> {
        match self {
            Item::Text(text) => Ok(text),
            other => Err(format!("text was wanted, met {}", other.words())),
        }
    }

    fn words(&self) -> &'static str {
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
    pub(super) fn to_value_within(&self, limit: usize) -> Result<Value, usize> {
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

impl<'a> Evaluator<'a> {
    pub(super) fn new(text: &'a str, roots: &'a Value) -> Self {
        Self {
            text,
            roots,
            scope: Vec::new(),
            budget: BUDGET,
            timed: (&[], 0.0),
            leeway: 0.0,
        }
    }

    /// The same where the times in these comparisons may be off by so many milliseconds.
    pub(super) fn with_leeway(self, timed: &'a [Span], leeway: f64) -> Self {
        Self {
            timed: (timed, leeway),
            ..self
        }
    }

    /// The value of a boolean expression.
    pub(super) fn truth(&mut self, node: &'a Node) -> Told<bool> {
        self.item(node)?.bool()
    }

    /// Computes a node; where it compares times, with their leeway.
    fn leniently(
        &mut self,
        node: &Node,
        compute: impl FnOnce(&mut Self) -> Told<Item<'a>>,
    ) -> Told<Item<'a>> {
        let (timed, leeway) = self.timed;
        let outer = self.leeway;
        self.leeway = match timed.contains(&node.span) {
            true => leeway,
            false => 0.0,
        };
        let told = compute(self);
        self.leeway = outer;
        told
    }

    fn spend(&mut self, steps: usize) -> Told<()> {
        self.budget = self.budget.saturating_sub(steps as u64);
        if self.budget == 0 {
            Err("it takes too many steps to evaluate".into())
        } else {
            Ok(())
        }
    }

    fn part(&self, node: &Node) -> &'a str {
        &self.text[node.span.start..node.span.end]
    }

    pub(super) fn item(&mut self, node: &'a Node) -> Told<Item<'a>> {
        self.spend(1)?;
        let item = match &node.kind {
            Kind::Null => Item::Null,
            Kind::Bool(b) => Item::Bool(*b),
            Kind::Int(n) => Item::Int(*n),
            Kind::Float(n) => Item::Float(*n),
            Kind::Text(text) => Item::Text(text),
            Kind::List(items) => Item::Items(Rc::new(
                items
                    .iter()
                    .map(|item| self.item(item))
                    .collect::<Told<Vec<_>>>()?,
            )),
            Kind::Name(name) => match self
                .scope
                .iter()
                .rev()
                .find(|(variable, _)| variable == name)
            {
                Some((_, item)) => item.clone(),
                None => match self.roots.get(name.as_str()) {
                    Some(value) => Item::of(value),
                    None => return Err(format!("the evidence has no `{name}`")),
                },
            },
            Kind::Field(base, field) => self.entry(node, base, field)?,
            Kind::Index(base, index) => match self.item(index)? {
                Item::Text(key) => self.entry(node, base, key)?,
                by => {
                    let (list, i) = (self.item(base)?, by.int()?);
                    let found = usize::try_from(i).ok().and_then(|i| match &list {
                        Item::Values(list) => list.get(i).map(Item::of),
                        Item::Items(list) => list.get(i).cloned(),
                        Item::Null
                        | Item::Bool(_)
                        | Item::Int(_)
                        | Item::Float(_)
                        | Item::Text(_)
                        | Item::Map(_) => None,
                    });
                    found.ok_or_else(|| format!("`{}` has no element {i}", self.part(base)))?
                }
            },
            Kind::Not(inner) => Item::Bool(!self.truth(inner)?),
            Kind::Negate(inner) => match self.item(inner)? {
                Item::Int(n) => Item::Int(n.checked_neg().ok_or("an integer overflowed")?),
                other => Item::Float(-other.number()?),
            },
            Kind::Binary(op, _, left, right) => {
                self.leniently(node, |this| this.binary(*op, left, right))?
            }
            Kind::Choose(condition, then, otherwise) => {
                let chosen = if self.truth(condition)? {
                    then
                } else {
                    otherwise
                };
                self.item(chosen)?
            }
            Kind::Call(function, arguments) => {
                self.leniently(node, |this| this.call(*function, arguments))?
            }
            Kind::Has(path) => match &path.kind {
                Kind::Field(base, field) => match self.item(base)? {
                    Item::Map(map) => Item::Bool(map.contains_key(field)),
                    other => {
                        return Err(format!(
                            "`{}` is {}, without fields",
                            self.part(base),
                            other.words()
                        ));
                    }
                },
                _ => return Err("`has` takes a field".into()),
            },
            Kind::Each {
                how,
                over,
                variable,
                body,
            } => self.each(*how, over, variable, body)?,
        };
        match item {
            Item::Null => Err(format!(
                "the evidence has no value for `{}`",
                self.part(node)
            )),
            Item::Float(n) if !n.is_finite() => {
                Err(format!("`{}` is no finite number", self.part(node)))
            }
            item => Ok(item),
        }
    }

    /// One entry of a map or record.
    fn entry(&mut self, node: &'a Node, base: &'a Node, key: &str) -> Told<Item<'a>> {
        match self.item(base)? {
            Item::Map(map) => match map.get(key) {
                Some(value) => Ok(Item::of(value)),
                None if self.part(base).ends_with(".counters") => {
                    Err(format!("this kernel has no counter `{key}`"))
                }
                None => Err(format!("there is no `{}` in the evidence", self.part(node))),
            },
            other => Err(format!(
                "`{}` is {}, without fields",
                self.part(base),
                other.words()
            )),
        }
    }

    fn binary(&mut self, op: Op, left: &'a Node, right: &'a Node) -> Told<Item<'a>> {
        let answer = match op {
            Op::And => self.decided(false, left, right)?,
            Op::Or => self.decided(true, left, right)?,
            Op::Equal => self.equal(left, right)?,
            Op::NotEqual => !self.equal(left, right)?,
            Op::Less => self.ordered(left, right)?.is_lt(),
            Op::LessEqual => self.ordered(left, right)?.is_le(),
            Op::Greater => self.ordered(left, right)?.is_gt(),
            Op::GreaterEqual => self.ordered(left, right)?.is_ge(),
            Op::In => {
                let (a, b) = (self.item(left)?, self.item(right)?);
                self.contained(&a, &b)?
            }
            Op::Add => return self.arithmetic(left, right, i64::checked_add, |a, b| a + b),
            Op::Subtract => return self.arithmetic(left, right, i64::checked_sub, |a, b| a - b),
            Op::Multiply => return self.arithmetic(left, right, i64::checked_mul, |a, b| a * b),
            Op::Divide => return self.arithmetic(left, right, i64::checked_div, |a, b| a / b),
            Op::Remainder => return self.arithmetic(left, right, i64::checked_rem, |a, b| a % b),
        };
        Ok(Item::Bool(answer))
    }

    /// `&&` and `||`: `decisive` is the value of one side that decides, whatever became of the other.
    fn decided(&mut self, decisive: bool, left: &'a Node, right: &'a Node) -> Told<bool> {
        let a = self.truth(left);
        if a == Ok(decisive) {
            return a;
        }
        let b = self.truth(right);
        if b == Ok(decisive) { b } else { a.and(b) }
    }

    fn equal(&mut self, left: &'a Node, right: &'a Node) -> Told<bool> {
        let (a, b) = (self.item(left)?, self.item(right)?);
        self.same(&a, &b)
    }

    fn ordered(&mut self, left: &'a Node, right: &'a Node) -> Told<Ordering> {
        let (a, b) = (self.item(left)?, self.item(right)?);
        self.order(&a, &b)
    }

    fn arithmetic(
        &mut self,
        left: &'a Node,
        right: &'a Node,
        ints: fn(i64, i64) -> Option<i64>,
        floats: fn(f64, f64) -> f64,
    ) -> Told<Item<'a>> {
        match (self.item(left)?, self.item(right)?) {
            (Item::Int(a), Item::Int(b)) => ints(a, b).map(Item::Int).ok_or_else(|| {
                format!(
                    "`{}` and `{}` overflow or divide by zero",
                    self.part(left),
                    self.part(right)
                )
            }),
            (a, b) => Ok(Item::Float(floats(a.number()?, b.number()?))),
        }
    }

    fn same(&mut self, a: &Item<'a>, b: &Item<'a>) -> Told<bool> {
        match (a, b) {
            (Item::Text(a), Item::Text(b)) => {
                self.spend(a.len().min(b.len()) / 64)?;
                Ok(a == b)
            }
            (Item::Bool(a), Item::Bool(b)) => Ok(a == b),
            (Item::Int(a), Item::Int(b)) => Ok(a == b),
            (Item::Values(_) | Item::Items(_), Item::Values(_) | Item::Items(_)) => {
                let (a, b) = (elements(a), elements(b));
                self.spend(a.len() + b.len())?;
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(&b) {
                    if !self.same(a, b)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(self.order(a, b)?.is_eq()),
        }
    }

    fn order(&mut self, a: &Item<'a>, b: &Item<'a>) -> Told<Ordering> {
        match (a, b) {
            (Item::Text(a), Item::Text(b)) => {
                self.spend(a.len().min(b.len()) / 64)?;
                Ok(a.cmp(b))
            }
            (Item::Int(a), Item::Int(b)) => Ok(a.cmp(b)),
            _ => {
                let (a, b) = (a.number()?, b.number()?);
                if self.leeway > 0.0 && (a - b).abs() <= self.leeway {
                    return Err(format!("{a} and {b} are too close to be told apart"));
                }
                a.partial_cmp(&b)
                    .ok_or_else(|| "a number is not finite".into())
            }
        }
    }

    fn contained(&mut self, a: &Item<'a>, b: &Item<'a>) -> Told<bool> {
        if let Item::Map(map) = b {
            return Ok(map.contains_key(a.text()?));
        }
        let list = elements(b);
        self.spend(list.len())?;
        for element in &list {
            if self.same(a, element)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn call(&mut self, function: Function, arguments: &'a [Node]) -> Told<Item<'a>> {
        let mut items = Vec::with_capacity(arguments.len());
        for argument in arguments {
            items.push(self.item(argument)?);
        }
        let item = match (function, items.as_slice()) {
            (Function::Share, [part, whole]) => {
                let (part, whole) = (part.number()?, whole.number()?);
                Item::Float(if whole == 0.0 { 0.0 } else { part / whole })
            }
            (Function::Between, [x, low, high]) => {
                Item::Bool(self.order(low, x)?.is_le() && self.order(x, high)?.is_le())
            }
            (Function::Plausible, [k, n, p]) => {
                self.spend(1000)?;
                Item::Bool(binomial::plausible(k.int()?, n.int()?, p.number()?)?)
            }
            (Function::Double, [n]) => Item::Float(n.number()?),
            (Function::Size, [Item::Map(map)]) => Item::Int(map.len() as i64),
            (Function::Size, [Item::Text(text)]) => {
                self.spend(text.len() / 64)?;
                Item::Int(text.chars().count() as i64)
            }
            (Function::Size, [list @ (Item::Values(_) | Item::Items(_))]) => {
                Item::Int(elements(list).len() as i64)
            }
            (Function::StartsWith, [text, with]) => {
                Item::Bool(text.text()?.starts_with(with.text()?))
            }
            (Function::EndsWith, [text, with]) => Item::Bool(text.text()?.ends_with(with.text()?)),
            (Function::Contains, [text, with]) => {
                let (text, with) = (text.text()?, with.text()?);
                self.spend(text.len() / 16)?;
                Item::Bool(text.contains(with))
            }
            (function, _) => {
                return Err(format!("`{}` does not take these values", function.usage()));
            }
        };
        Ok(item)
    }

    fn each(
        &mut self,
        how: Each,
        over: &'a Node,
        variable: &'a str,
        body: &'a Node,
    ) -> Told<Item<'a>> {
        let over = self.item(over)?;
        let list = match &over {
            Item::Map(map) => map.keys().map(|key| Item::Text(key)).collect(),
            list => elements(list),
        };
        self.spend(list.len())?;
        // For `all` and `exists`: the answer that one element can give for all, and why some could not be told.
        let decisive = matches!(how, Each::Exists);
        let mut untold = None;
        let mut count = 0;
        let mut made = Vec::new();
        for element in list {
            self.spend(1)?;
            self.scope.push((variable, element.clone()));
            let told = match how {
                Each::Map => self.item(body).map(|item| made.push(item)).map(|()| true),
                Each::All | Each::Exists | Each::ExistsOne | Each::Filter => self.truth(body),
            };
            self.scope.pop();
            match (how, told) {
                (Each::All | Each::Exists, Ok(answer)) if answer == decisive => {
                    return Ok(Item::Bool(decisive));
                }
                (Each::All | Each::Exists, Ok(_)) => {}
                (Each::All | Each::Exists, Err(why)) => untold = untold.or(Some(why)),
                (Each::ExistsOne, told) => count += usize::from(told?),
                (Each::Filter, told) => {
                    if told? {
                        made.push(element);
                    }
                }
                (Each::Map, told) => {
                    told?;
                }
            }
        }
        match (how, untold) {
            (Each::All | Each::Exists, Some(why)) => Err(why),
            (Each::All | Each::Exists, None) => Ok(Item::Bool(!decisive)),
            (Each::ExistsOne, _) => Ok(Item::Bool(count == 1)),
            (Each::Filter | Each::Map, _) => Ok(Item::Items(Rc::new(made))),
        }
    }
}

fn elements<'a>(list: &Item<'a>) -> Vec<Item<'a>> {
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
