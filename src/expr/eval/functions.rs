//! Functions of the expression language.

use super::item::{cut_off, elements, known};
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
            (Function::Size, [Item::Beginning(parts)]) => return Err(cut_off(parts)),
            (Function::StartsWith, [Item::Beginning(parts), with]) => {
                let ((text, _), with) = (known(parts), with.text()?);
                if with.len() > text.len() && with.starts_with(text) {
                    return Err(cut_off(parts));
                }
                Item::Bool(text.starts_with(with))
            }
            (Function::StartsWith, [text, with]) => {
                Item::Bool(text.text()?.starts_with(with.text()?))
            }
            (Function::EndsWith, [text, with]) => Item::Bool(text.text()?.ends_with(with.text()?)),
            (Function::Contains, [Item::Beginning(parts), with]) => {
                let (text, _) = known(parts);
                self.spend(text.len() / 16)?;
                match text.contains(with.text()?) {
                    true => Item::Bool(true),
                    false => return Err(cut_off(parts)),
                }
            }
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
