//! Follows a dotted path through the tree, led by the grammar.

use super::tree::{child, differences, leads_on, put, spell_out, without_nulls};
use super::{FIXED, step_name};
use crate::diag::codes::spec as code;
use crate::diag::{Diagnostic, Span, Spanned, did_you_mean};
use crate::spec::check;
use crate::spec::grammar::{Key, Need, Section, Type, Variants, file::FILE};
use crate::spec::model::Patch;
use crate::spec::node::{Entry, Node, Value};
use crate::spec::scalar::{key_problem, short};

/// A path being followed.
pub struct Path<'a> {
    whole: &'a Spanned<String>,
    segments: Vec<&'a str>,
}

/// What an applied path changed: before and after.
pub type Change = (Option<Node>, Option<Node>);

impl<'a> Path<'a> {
    /// A path that can be one: names with dots between, none of [`FIXED`].
    pub fn new(whole: &'a Spanned<String>) -> Result<Self, Diagnostic> {
        let segments: Vec<&str> = whole.value.split('.').collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            return Err(Diagnostic::new(
                code::SET_PATH,
                whole.span,
                format!("`{}` is not a path", short(&whole.value)),
            )
            .help("write names with one dot between them: `load_balancers.front.scheme`"));
        }
        if FIXED.contains(&segments[0]) {
            return Err(Diagnostic::new(
                code::SET_FIXED,
                whole.span,
                format!("`set` cannot change `{}`", segments[0]),
            )
            .help(
                "a case changes the topology, the steps, `seed` or \
                    `time_scale`; a lab with another promise is another lab",
            ));
        }
        Ok(Path { whole, segments })
    }

    /// Changes what the path names.
    pub fn apply(&self, body: &mut Node, value: &Node) -> Result<Patch, Diagnostic> {
        let (before, after) = self.section(body, &FILE, 0, value)?;
        let mut parts = Vec::new();
        if let (Some(before), Some(after)) = (&before, &after) {
            differences(&self.whole.value, before, after, &mut parts);
        }
        Ok(Patch {
            path: self.whole.clone(),
            before: before.map(|node| node.compact()),
            after: after.map(|node| node.compact()),
            parts,
        })
    }

    /// The span of a segment within the path, exact when the key has no escapes.
    fn segment_span(&self, at: usize) -> Span {
        let span = self.whole.span;
        let quotes = usize::from(span.end - span.start == self.whole.value.len() + 2);
        if span.end - span.start != self.whole.value.len() + 2 * quotes {
            return span;
        }
        let before: usize = self.segments[..at]
            .iter()
            .map(|segment| segment.len() + 1)
            .sum();
        let start = span.start + quotes + before;
        Span {
            start,
            end: start + self.segments[at].len(),
        }
    }

    fn upto(&self, at: usize) -> String {
        self.segments[..at].join(".")
    }

    fn names_nothing<'n>(
        &self,
        at: usize,
        kind: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) -> Diagnostic {
        // A refused key has no text.
        let known = known.into_iter().filter(|name| !name.is_empty());
        let known: Vec<&str> = known.collect();
        let segment = self.segments[at];
        let here = match known.as_slice() {
            _ if segment.starts_with("steps[") => {
                "steps go by their names: `steps.visit.timeout`".to_owned()
            }
            [] => "nothing is here".to_owned(),
            many if many.len() > 30 => format!("here are: {}, ...", many[..30].join(", ")),
            all => format!("here are: {}", all.join(", ")),
        };
        let help = match did_you_mean(segment, known.iter().copied()) {
            Some(near) if known.len() == 1 => format!("did you mean `{near}`?"),
            Some(near) => format!(
                "did you mean `{near}`? {}{}",
                here[..1].to_uppercase(),
                &here[1..]
            ),
            None => here,
        };
        let code = if kind.is_empty() {
            code::SET_UNKNOWN_FIELD
        } else {
            code::SET_UNKNOWN_ITEM
        };
        let named = if kind.is_empty() {
            String::new()
        } else {
            format!(": the lab has no {kind} `{segment}`")
        };
        Diagnostic::new(
            code,
            self.segment_span(at),
            format!("`{}` names nothing{named}", short(&self.whole.value)),
        )
        .help(help)
    }

    fn inside(&self, at: usize, node: &Node) -> Diagnostic {
        let what = self.upto(at);
        let help = match &node.value {
            Value::List(_) => format!("a list is replaced as a whole: `{what}: [...]`"),
            Value::Null | Value::Scalar(_) | Value::Map(_) => {
                format!("it is replaced as a whole: `{what}: ...`")
            }
        };
        Diagnostic::new(
            code::SET_INSIDE,
            self.segment_span(at),
            format!(
                "`{what}` is {}, and has nothing named `{}` inside",
                node.shape(),
                self.segments[at]
            ),
        )
        .help(help)
    }

    /// Goes on from a map with known keys.
    fn section(
        &self,
        node: &mut Node,
        section: &'static Section,
        at: usize,
        value: &Node,
    ) -> Result<Change, Diagnostic> {
        let name = self.segments[at];
        let Some(field) = section.field(name) else {
            let known = section
                .fields
                .iter()
                .filter(|field| field.need != Need::Later && !FIXED.contains(&field.name));
            let problem = self.names_nothing(at, "", known.map(|field| field.name));
            return Err(match check::instead(section.name, name) {
                Some(instead) => problem.help(instead),
                None => problem,
            });
        };
        if field.need == Need::Later {
            return Err(check::later_field(name, self.segment_span(at)));
        }
        if !matches!(node.value, Value::Map(_)) {
            return Err(self.inside(at, node));
        }
        if at + 1 == self.segments.len() {
            return Ok(put(node, name, &field.kind, value, self.whole.span));
        }
        if !leads_on(&field.kind) {
            // Nothing is added on the way to a place that is none.
            let absent = Node::plain("", self.whole.span);
            return Err(self.inside(at + 1, node.get(name).unwrap_or(&absent)));
        }
        let child = child(node, name, self.segment_span(at));
        self.follow(child, &field.kind, at + 1, value)
    }

    /// Goes on from a value of any type.
    fn follow(
        &self,
        node: &mut Node,
        kind: &'static Type,
        at: usize,
        value: &Node,
    ) -> Result<Change, Diagnostic> {
        match kind {
            Type::Section(section) => self.section(node, section, at, value),
            Type::Short { field, section } => {
                spell_out(node, field);
                self.section(node, section, at, value)
            }
            Type::Free => {
                if !matches!(node.value, Value::Map(_)) {
                    return Err(self.inside(at, node));
                }
                Ok(put(
                    node,
                    &self.segments[at..].join("."),
                    &Type::Line,
                    value,
                    self.whole.span,
                ))
            }
            Type::Map { key, of, item } => self.item(node, *key, of, item, at, value),
            Type::Variants(variants) => self.server(node, variants, at, value),
            Type::List {
                of: Type::Variants(variants),
                ..
            } => self.step(node, variants, at, value),
            Type::OneOf(kinds) => {
                let map = kinds
                    .iter()
                    .find(|kind| matches!(kind, Type::Map { .. } | Type::Section(_)));
                match map {
                    Some(kind) if matches!(node.value, Value::Map(_)) => {
                        self.follow(node, kind, at, value)
                    }
                    Some(_) | None => Err(self.inside(at, node)),
                }
            }
            Type::Line
            | Type::Text
            | Type::Expression
            | Type::Name
            | Type::GroupOrPort
            | Type::Result
            | Type::Zonal
            | Type::Bool => Err(self.inside(at, node)),
            Type::Int { .. }
            | Type::Number { .. }
            | Type::Time { .. }
            | Type::Lapse { .. }
            | Type::Rate => Err(self.inside(at, node)),
            Type::Percent
            | Type::Bytes { .. }
            | Type::Request { .. }
            | Type::Address
            | Type::PublicAddress
            | Type::Range
            | Type::Rule(_)
            | Type::Ipv6Address
            | Type::Word(_) => Err(self.inside(at, node)),
            Type::List { .. } | Type::Claims | Type::Set | Type::Any => Err(self.inside(at, node)),
        }
    }

    /// Goes on into a named item.
    fn item(
        &self,
        node: &mut Node,
        key: Key,
        of: &'static Type,
        item: &str,
        at: usize,
        value: &Node,
    ) -> Result<Change, Diagnostic> {
        let Value::Map(entries) = &node.value else {
            return Err(self.inside(at, node));
        };
        // No name has a dot; only `serve` has keys like `53/udp`.
        let name = self.segments[at];
        let known = entries.iter().any(|entry| entry.key.value == name);
        let last = at + 1 == self.segments.len();
        let adds = last
            && matches!(value.value, Value::Map(_))
            && key_problem(key, name, self.whole.span).is_none();
        if !known && !adds {
            let names: Vec<String> = entries
                .iter()
                .map(|entry| entry.key.value.clone())
                .collect();
            let problem = self.names_nothing(at, item, names.iter().map(String::as_str));
            if !last || matches!(value.value, Value::Null) {
                return Err(problem);
            }
            let (near, section) = (problem.help.clone().unwrap_or_default(), self.upto(at));
            let add = format!(
                "to add one: `{section}: {{ {name}: {} }}`",
                short(&value.compact())
            );
            return Err(problem.help(format!(
                "{near}{} {add}",
                if near.ends_with('?') { "" } else { ";" }
            )));
        }
        if last {
            return Ok(put(node, name, of, value, self.whole.span));
        }
        let child = child(node, name, self.segment_span(at));
        self.follow(child, of, at + 1, value)
    }

    /// Goes on into what a port serves: `serve.80.echo.idle_close`.
    fn server(
        &self,
        node: &mut Node,
        variants: &'static Variants,
        at: usize,
        value: &Node,
    ) -> Result<Change, Diagnostic> {
        if let Value::Scalar(word) = &node.value {
            let (word, span) = (word.text.clone(), node.span);
            let inner = Node::map(Vec::new(), span);
            *node = Node::map(
                vec![Entry {
                    key: Spanned::new(word, span),
                    value: inner,
                }],
                span,
            );
        }
        if let Some(other) = variants.other
            && node.get(other.fields[0].name).is_some()
        {
            return self.section(node, other, at, value);
        }
        let name = self.segments[at];
        let found = node.entry(name).and_then(|_| variants.variant(name));
        let Some(variant) = found else {
            let known: Vec<String> = node
                .entries()
                .unwrap_or(&[])
                .iter()
                .map(|entry| entry.key.value.clone())
                .collect();
            return Err(self.names_nothing(at, variants.name, known.iter().map(String::as_str)));
        };
        if at + 1 == self.segments.len() {
            return Ok(put(node, name, &Type::Any, value, self.whole.span));
        }
        let child = child(node, name, self.segment_span(at));
        if let Some(text) = variant.text {
            spell_out(child, text);
        }
        self.section(child, variant.section, at + 1, value)
    }

    /// Goes on into a step, found by its name.
    fn step(
        &self,
        node: &mut Node,
        variants: &'static Variants,
        at: usize,
        value: &Node,
    ) -> Result<Change, Diagnostic> {
        let Value::List(steps) = &mut node.value else {
            return Err(self.inside(at, node));
        };
        let name = self.segments[at];
        let Some(index) = steps.iter().position(|step| step_name(step) == Some(name)) else {
            let known: Vec<String> = steps
                .iter()
                .filter_map(step_name)
                .map(str::to_owned)
                .collect();
            let problem = self.names_nothing(at, "step", known.iter().map(String::as_str));
            return Err(problem);
        };
        let before = steps[index].clone();
        if at + 1 < self.segments.len() {
            return self.step_field(&mut steps[index], variants, at + 1, value);
        }
        if matches!(value.value, Value::Null) {
            steps.remove(index);
            return Ok((Some(before), None));
        }
        let replaced = self.named(value, variants, name, at)?;
        steps[index] = replaced.clone();
        Ok((Some(before), Some(replaced)))
    }

    fn step_field(
        &self,
        step: &mut Node,
        variants: &'static Variants,
        at: usize,
        value: &Node,
    ) -> Result<Change, Diagnostic> {
        if self.segments[at] == "as" {
            return Err(self.renames(self.segment_span(at)));
        }
        let verb = step
            .entries()
            .and_then(|entries| entries.first())
            .map(|entry| entry.key.value.clone());
        let variant = verb.as_deref().and_then(|verb| variants.variant(verb));
        let (Some(verb), Some(variant)) = (verb, variant) else {
            return Err(self.inside(at, step));
        };
        let child = child(step, &verb, self.segment_span(at));
        self.section(child, variant.section, at, value)
    }

    fn renames(&self, span: Span) -> Diagnostic {
        Diagnostic::new(code::SET_RENAMES, span, "`set` cannot rename a step")
            .help("a step keeps its name, because `works` speaks of its result; leave `as` out")
    }

    /// A step's replacement that says a name: without it, and what is wrong with it where it is another one.
    pub fn without_name(&self, value: &Node) -> Option<(Node, Option<Diagnostic>)> {
        let [entry] = value.entries()? else {
            return None;
        };
        if self.segments.len() != 2 || self.segments[0] != "steps" {
            return None;
        }
        let name = entry.value.entry("as")?;
        let written = name.value.scalar().map(|scalar| scalar.text.as_str());
        let is_other = written != Some(self.segments[1]);
        let mut nameless = value.clone();
        if let Value::Map(verbs) = &mut nameless.value
            && let Value::Map(fields) = &mut verbs[0].value.value
        {
            fields.retain(|field| field.key.value != "as");
        }
        Some((nameless, is_other.then(|| self.renames(name.key.span))))
    }

    /// A step's replacement, with the name of the step that it replaces.
    fn named(
        &self,
        value: &Node,
        variants: &'static Variants,
        name: &str,
        at: usize,
    ) -> Result<Node, Diagnostic> {
        let mut step = without_nulls(value);
        let Value::Map(entries) = &mut step.value else {
            return Ok(step);
        };
        let [
            Entry {
                key: verb,
                value: inner,
            },
        ] = entries.as_mut_slice()
        else {
            return Ok(step);
        };
        let Some(variant) = variants.variant(&verb.value) else {
            let old = format!("`{}` is no verb", short(&verb.value));
            return Err(
                Diagnostic::new(code::UNKNOWN_VERB, verb.span, old).help(format!(
                    "this replaces the whole step; to change one setting write `{}.{}: ...`",
                    self.upto(at + 1),
                    verb.value
                )),
            );
        };
        if let Some(text) = variant.text {
            spell_out(inner, text);
        }
        if let Value::Map(fields) = &mut inner.value {
            let span = self.segment_span(at);
            fields.push(Entry {
                key: Spanned::new("as".to_owned(), span),
                value: Node::plain(name, span),
            });
        }
        Ok(step)
    }
}
