//! From a checked tree to the typed mirror, one reader a section.
//!
//! Readers judge nothing: what is wrong has been said by `check` and `rules`. A field that is wrong counts as not
//! written; an item that cannot be typed at all makes the reader give up ([`None`]).

pub mod balancers;
pub mod guards;
pub mod hosts;
pub mod kubernetes;
pub mod nat;
pub mod steps;

use super::grammar::{Need, Section, file::FILE};
use super::model::Body;
use super::node::{Node, Value};
use super::scalar::{FromText, problem};
use crate::diag::{Span, Spanned};

/// A map being read, with the section it follows.
pub struct Fields<'a> {
    node: &'a Node,
    section: &'static Section,
    /// The item's place: its key, or itself.
    pub span: Span,
}

impl<'a> Fields<'a> {
    /// The fields of a map; `span` is the place of the item.
    pub fn new(node: &'a Node, section: &'static Section, span: Span) -> Self {
        Self {
            node,
            section,
            span,
        }
    }

    /// The node of a field, if it was written.
    pub fn node(&self, name: &str) -> Option<&'a Node> {
        debug_assert!(
            self.section.field(name).is_some(),
            "{} has no field {name} in the grammar",
            self.section.name
        );
        self.node
            .get(name)
            .filter(|node| !matches!(node.value, Value::Null))
    }

    /// A field's value and the place of its key, if it was written.
    pub fn entry(&self, name: &str) -> Option<(Span, &'a Node)> {
        let node = self.node(name)?;
        Some((self.node.entry(name)?.key.span, node))
    }

    /// A single value, if it was written, and well.
    pub fn written<T: FromText>(&self, name: &str) -> Option<Spanned<T>> {
        let node = self.node(name)?;
        let kind = &self.section.field(name)?.kind;
        let wrong = node
            .scalar()
            .and_then(|text| problem(kind, text, node.span, name));
        if wrong.is_some() { None } else { scalar(node) }
    }

    /// A single value that must be written, or has its default in the grammar.
    pub fn value<T: FromText>(&self, name: &str) -> Option<Spanned<T>> {
        if let Some(value) = self.written(name) {
            return Some(value);
        }
        match self.section.field(name)?.need {
            Need::Default(text) => Some(Spanned::new(T::from_text(text)?, self.span)),
            Need::Required | Need::Optional | Need::Later => None,
        }
    }

    /// A list of names, or a single one.
    pub fn names(&self, name: &str) -> Vec<Spanned<String>> {
        self.node(name).map(names).unwrap_or_default()
    }

    /// A map of names and texts.
    pub fn free(&self, name: &str) -> Vec<(Spanned<String>, Spanned<String>)> {
        let entries = self.node(name).and_then(Node::entries).unwrap_or(&[]);
        entries
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), scalar(&entry.value)?)))
            .collect()
    }

    /// Named items, each read by `read`.
    pub fn items<T>(
        &self,
        name: &str,
        read: impl Fn(&Node, Span) -> Option<T>,
    ) -> Option<Vec<(Spanned<String>, T)>> {
        let entries = self.node(name).and_then(Node::entries).unwrap_or(&[]);
        entries
            .iter()
            .map(|entry| Some((entry.key.clone(), read(&entry.value, entry.key.span)?)))
            .collect()
    }
}

/// A typed scalar and the place of its text.
pub fn scalar<T: FromText>(node: &Node) -> Option<Spanned<T>> {
    let text = node.scalar()?.text.as_str();
    Some(Spanned::new(T::from_text(text)?, node.text_span()))
}

/// The names in a list, or the single name.
pub fn names(node: &Node) -> Vec<Spanned<String>> {
    match &node.value {
        Value::List(items) => items.iter().filter_map(scalar).collect(),
        Value::Scalar(_) => scalar(node).into_iter().collect(),
        Value::Null | Value::Map(_) => Vec::new(),
    }
}

/// The part of a lab that cases can change.
pub fn body(root: &Node) -> Option<Body> {
    let fields = Fields::new(
        root,
        &FILE,
        Span {
            start: root.span.start,
            end: root.span.start,
        },
    );
    let zones = match fields.node("zones") {
        Some(list) => names(list),
        None => ["a", "b", "c"]
            .map(|zone| Spanned::new(zone.to_owned(), fields.span))
            .to_vec(),
    };
    Some(Body {
        seed: fields.value("seed")?.value,
        time_scale: fields.value("time_scale")?,
        profile: fields.value("profile")?,
        zones,
        hosts: fields.items("hosts", hosts::host)?,
        target_groups: fields.items("target_groups", balancers::group)?,
        load_balancers: fields.items("load_balancers", balancers::balancer)?,
        security_groups: fields.items("security_groups", guards::security_group)?,
        network_acls: fields.items("network_acls", guards::network_acl)?,
        vpcs: fields.items("vpcs", guards::vpc)?,
        peerings: fields.items("peerings", guards::peering)?,
        kubernetes: match fields.entry("kubernetes") {
            Some((key, node)) => Some(kubernetes::kubernetes(node, key)?),
            None => None,
        },
        nat_gateways: fields.items("nat_gateways", nat::gateway)?,
        endpoint_services: fields.items("endpoint_services", guards::endpoint_service)?,
        endpoints: fields.items("endpoints", guards::endpoint)?,
        steps: steps::steps(fields.node("steps")?)?,
    })
}
