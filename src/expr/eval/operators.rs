//! Operators: logic that one side may decide, comparisons with their leeway, arithmetic that may overflow.

use super::item::{compare, elements};
use super::{Evaluator, Item, Told};
use crate::expr::ast::{Node, Op};
use std::cmp::Ordering;

impl<'a> Evaluator<'a> {
    pub(super) fn binary(&mut self, op: Op, left: &'a Node, right: &'a Node) -> Told<Item<'a>> {
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

    pub(super) fn order(&mut self, a: &Item<'a>, b: &Item<'a>) -> Told<Ordering> {
        if let (Some(a), Some(b)) = (a.known(), b.known()) {
            self.spend(a.0.len().min(b.0.len()) / 64)?;
            return compare(a, b);
        }
        match (a, b) {
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
}
