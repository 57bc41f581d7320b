//! Functions of the expression language.

use super::item::elements;
use super::{Evaluator, Item, Told};
use crate::expr::ast::{Function, Node};
use crate::expr::binomial;

impl<'a> Evaluator<'a> {
    pub(super) fn call(&mut self, function: Function, arguments: &'a [Node]) -> Told<Item<'a>> {
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
}
