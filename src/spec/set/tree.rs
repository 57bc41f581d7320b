//! Changes of the tree: maps merge, all else replaces, `null` removes.

use super::path::Change;
use crate::diag::{Span, Spanned};
use crate::spec::grammar::Type;
use crate::spec::model::Part;
use crate::spec::node::{Entry, Node, Value};

/// `80: web` becomes `80: { target_group: web }`.
pub fn spell_out(node: &mut Node, field: &str) {
    if matches!(node.value, Value::Scalar(_)) {
        let span = node.span;
        let old = std::mem::replace(node, Node::map(Vec::new(), span));
        *node = Node::map(
            vec![Entry {
                key: Spanned::new(field.to_owned(), span),
                value: old,
            }],
            span,
        );
    }
}

/// True when a path can go on inside a value of this type.
pub fn leads_on(kind: &Type) -> bool {
    match kind {
        Type::Section(_)
        | Type::Short { .. }
        | Type::Free
        | Type::Map { .. }
        | Type::Variants(_) => true,
        Type::List { of, .. } => matches!(of, Type::Variants(_)),
        Type::OneOf(kinds) => kinds.iter().any(leads_on),
        Type::Any
        | Type::Set
        | Type::Line
        | Type::Text
        | Type::Expression
        | Type::Name
        | Type::GroupOrPort
        | Type::Result
        | Type::Zonal
        | Type::Bool
        | Type::Int { .. }
        | Type::Number { .. }
        | Type::Time { .. }
        | Type::Lapse { .. }
        | Type::Rate
        | Type::Percent
        | Type::Bytes { .. }
        | Type::Request { .. }
        | Type::Address
        | Type::PublicAddress
        | Type::Range
        | Type::Rule(_)
        | Type::Ipv6Address
        | Type::Word(_)
        | Type::Claims => false,
    }
}

/// The value of a key of a map, made as an empty map when it is not there.
pub fn child<'n>(node: &'n mut Node, name: &str, span: Span) -> &'n mut Node {
    if node.get(name).is_none() {
        let key = Spanned::new(name.to_owned(), span);
        if let Value::Map(entries) = &mut node.value {
            entries.push(Entry {
                key,
                value: Node::map(Vec::new(), span),
            });
        }
    }
    let Value::Map(entries) = &mut node.value else {
        unreachable!("callers have seen that it is a map")
    };
    &mut entries
        .iter_mut()
        .find(|entry| entry.key.value == name)
        .expect("it was there or was just added")
        .value
}

/// Sets, merges or removes one key of a map.
pub fn put(node: &mut Node, name: &str, kind: &'static Type, value: &Node, span: Span) -> Change {
    let Value::Map(entries) = &mut node.value else {
        unreachable!("callers have seen that it is a map")
    };
    let index = entries.iter().position(|entry| entry.key.value == name);
    let before = index.map(|index| entries[index].value.clone());
    if matches!(value.value, Value::Null) {
        if let Some(index) = index {
            entries.remove(index);
        }
        return (before, None);
    }
    let after = match index {
        Some(index) => {
            merge(&mut entries[index].value, kind, value);
            entries[index].key.span = span;
            entries[index].value.clone()
        }
        None => {
            let value = without_nulls(value);
            entries.push(Entry {
                key: Spanned::new(name.to_owned(), span),
                value: value.clone(),
            });
            value
        }
    };
    (before, Some(after))
}

/// Where two maps differ, key by key, as dotted paths below `path`; nothing when they have no key in common.
pub fn differences(path: &str, before: &Node, after: &Node, parts: &mut Vec<Part>) {
    let (Value::Map(old), Value::Map(new)) = (&before.value, &after.value) else {
        return;
    };
    let find = |name: &str, entries: &'_ [Entry]| -> Option<Node> {
        let found = entries.iter().find(|entry| entry.key.value == name);
        found.map(|entry| entry.value.clone())
    };
    let common = |entry: &&Entry| find(&entry.key.value, new).is_some();
    if !old.iter().any(|entry| common(&entry)) {
        return;
    }
    let added = new
        .iter()
        .filter(|entry| find(&entry.key.value, old).is_none());
    for entry in old.iter().chain(added) {
        let name = &entry.key.value;
        let (before, after) = (find(name, old), find(name, new));
        let text = |node: &Option<Node>| node.as_ref().map(Node::compact);
        if text(&before) == text(&after) {
            continue;
        }
        let path = format!("{path}.{name}");
        let told = parts.len();
        if let (Some(before), Some(after)) = (&before, &after) {
            differences(&path, before, after, parts);
        }
        if parts.len() == told {
            parts.push(Part {
                path,
                before: text(&before),
                after: text(&after),
            });
        }
    }
}

/// Maps merge, all else replaces.
fn merge(old: &mut Node, kind: &'static Type, new: &Node) {
    if let Type::Short { field, .. } = kind
        && matches!(new.value, Value::Map(_))
    {
        spell_out(old, field);
    }
    // What a port serves and what a step does are one choice: merged, they would be two.
    let whole = matches!(kind, Type::Variants(_));
    let (Value::Map(have), Value::Map(more)) = (&mut old.value, &new.value) else {
        *old = without_nulls(new);
        return;
    };
    if whole {
        *old = without_nulls(new);
        return;
    }
    for entry in more {
        let index = have
            .iter()
            .position(|have| have.key.value == entry.key.value);
        match (index, &entry.value.value) {
            (Some(index), Value::Null) => {
                have.remove(index);
            }
            (None, Value::Null) => {}
            (Some(index), _) => {
                merge(
                    &mut have[index].value,
                    kind_of(kind, &entry.key.value),
                    &entry.value,
                );
                have[index].key.span = entry.key.span;
            }
            (None, _) => have.push(Entry {
                key: entry.key.clone(),
                value: without_nulls(&entry.value),
            }),
        }
    }
}

/// The type of a map's entry.
fn kind_of(kind: &'static Type, key: &str) -> &'static Type {
    if let Type::Section(section) | Type::Short { section, .. } = kind {
        return section.field(key).map_or(&Type::Any, |field| &field.kind);
    }
    if let Type::Map { of, .. } = kind {
        return of;
    }
    let Type::OneOf(kinds) = kind else {
        return &Type::Any;
    };
    let map = kinds.iter().find(|kind| matches!(kind, Type::Map { .. }));
    map.map_or(&Type::Any, |kind| kind_of(kind, key))
}

/// A value that is added: `null` in it means "not there".
pub fn without_nulls(node: &Node) -> Node {
    let Value::Map(entries) = &node.value else {
        return node.clone();
    };
    let kept = entries
        .iter()
        .filter(|entry| !matches!(entry.value.value, Value::Null));
    let kept = kept.map(|entry| Entry {
        key: entry.key.clone(),
        value: without_nulls(&entry.value),
    });
    Node::map(kept.collect(), node.span)
}
