//! The evaluator: the tree over the evidence, borrowed, with a budget.
//!
//! As in CEL, `&&`, `||`, `all` and `exists` are decided by one side that decides, whatever became of the other.
//! Whatever cannot be computed is an `Err` with its reason, which ends as [`Truth::Unknown`](super::Truth).

mod functions;
mod item;
mod operators;

pub(super) use item::{BEGINNING, Item, elements, shortened};

use super::ast::{Each, Kind, Node};
use crate::diag::{Span, did_you_mean};
use serde_json::Value;
use std::rc::Rc;

/// Steps that one evaluation may take: about 0.2 s. An `exists` over 100,000 packets needs 1,000,000.
const BUDGET: u64 = 5_000_000;

/// What was computed, or why it cannot be.
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
            Kind::Name(name) => self.name(name)?,
            Kind::Field(base, field) => self.entry(node, base, field)?,
            Kind::Index(base, index) => match self.item(index)? {
                Item::Text(key) => self.entry(node, base, key)?,
                by => self.element(base, by.int()?)?,
            },
            Kind::Not(inner) => Item::Bool(!self.truth(inner)?),
            Kind::Negate(inner) => match self.item(inner)? {
                Item::Int(n) => Item::Int(n.checked_neg().ok_or("an integer overflowed")?),
                other => Item::Float(-other.number()?),
            },
            Kind::Binary(op, _, left, right) => {
                self.leniently(node, |this| this.binary(*op, left, right))?
            }
            Kind::Choose(condition, then, otherwise) => match self.truth(condition)? {
                true => self.item(then)?,
                false => self.item(otherwise)?,
            },
            Kind::Call(function, arguments) => {
                self.leniently(node, |this| this.call(*function, arguments))?
            }
            Kind::Has(path) => self.has(path)?,
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

    /// A variable of the innermost scope that has it, else a root of the evidence.
    fn name(&self, name: &str) -> Told<Item<'a>> {
        let mut inward = self.scope.iter().rev();
        if let Some((_, item)) = inward.find(|(variable, _)| *variable == name) {
            return Ok(item.clone());
        }
        let root = self.roots.get(name).map(Item::of);
        root.ok_or_else(|| format!("the evidence has no `{name}`"))
    }

    /// One element of a list, counted from 0.
    fn element(&mut self, base: &'a Node, index: i64) -> Told<Item<'a>> {
        let list = self.item(base)?;
        let found = usize::try_from(index).ok().and_then(|index| match &list {
            Item::Values(list) => list.get(index).map(Item::of),
            Item::Items(list) => list.get(index).cloned(),
            Item::Null
            | Item::Bool(_)
            | Item::Int(_)
            | Item::Float(_)
            | Item::Text(_)
            | Item::Beginning(_)
            | Item::Map(_) => None,
        });
        found.ok_or_else(|| format!("`{}` has no element {index}", self.part(base)))
    }

    /// Whether a map or record has a field.
    fn has(&mut self, path: &'a Node) -> Told<Item<'a>> {
        let Kind::Field(base, field) = &path.kind else {
            return Err("`has` takes a field".into());
        };
        match self.item(base)? {
            Item::Map(map) => Ok(Item::Bool(map.contains_key(field))),
            other => Err(self.without_fields(base, &other)),
        }
    }

    fn without_fields(&self, base: &Node, item: &Item<'_>) -> String {
        format!("`{}` is {}, without fields", self.part(base), item.words())
    }

    /// One entry of a map or record.
    fn entry(&mut self, node: &'a Node, base: &'a Node, key: &str) -> Told<Item<'a>> {
        match self.item(base)? {
            Item::Map(map) => match map.get(key) {
                Some(value) => Ok(Item::of(value)),
                None if self.part(base).ends_with(".counters") => {
                    let near = did_you_mean(key, map.keys().map(String::as_str));
                    let near = near.map_or(String::new(), |near| {
                        format!("; the nearest that it has is `{near}`")
                    });
                    Err(format!("this kernel has no counter `{key}`{near}"))
                }
                None => Err(format!("there is no `{}` in the evidence", self.part(node))),
            },
            other => Err(self.without_fields(base, &other)),
        }
    }

    /// What a macro comes to.
    pub(super) fn each(
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
